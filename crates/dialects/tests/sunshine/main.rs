//! The Sunshine Conversations dialect from outside: its router over a real domain, on each engine that this run has.

mod access;
mod apps_keys;
mod bad_input;
mod clients;
mod conversations;
mod events;
mod integrations;
mod isolation;
mod lists;
mod login;
mod routes;
mod support;
mod users;
mod webhooks;
