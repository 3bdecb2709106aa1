//! The Thrive dialect from outside: its router over a real domain on SQLite in a temporary folder.

mod access;
mod audiences;
mod bad_input;
mod graph;
mod lists;
mod managers;
mod members;
mod moves;
mod routes;
mod support;
mod tokens;
mod users;
mod webhooks;
mod workspaces;
