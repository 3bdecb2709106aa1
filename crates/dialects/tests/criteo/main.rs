//! The Criteo dialect from outside: a real domain on SQLite, driven through the router.

mod access;
mod audiences;
mod bad_input;
mod identifiers;
mod media_types;
mod routes;
mod support;
mod tokens;
