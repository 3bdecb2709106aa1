//! The Opendatasoft dialect from outside: its router over a real domain on SQLite in a temporary folder.

mod access;
mod administrators;
mod bad_input;
mod bulk;
mod common;
mod export;
mod groups;
mod keys;
mod lists;
mod users;
mod workspaces;
