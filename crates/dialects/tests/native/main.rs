//! The native API from outside: its router over a real domain on SQLite in a temporary folder.

mod access;
mod accounts;
mod audiences;
mod bad_input;
mod channels;
mod common;
mod credentials;
mod document;
mod idempotency;
mod jobs;
mod keys_groups;
mod managers;
mod member_lists;
mod members;
mod outbox;
mod pages;
mod paging;
mod reach;
mod structures;
mod tree;
mod webhooks;
mod workspaces;
