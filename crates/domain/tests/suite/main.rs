//! The domain over a real store, on SQLite and on PostgreSQL.

mod accounts;
mod channels;
mod filled;
mod identity;
mod keeping;
mod linking;
mod lost_commit;
mod model;
mod outbox;
mod reach;
mod records;
mod support;
mod tree;
mod tree_model;
mod verbs;
mod webhooks;
