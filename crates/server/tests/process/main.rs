//! The binary as operators and scripts meet it: real processes, real sockets, real files.

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod channels;
mod client;
mod config;
mod demo;
mod dev;
mod import;
mod logs;
mod reach;
mod serving;
mod starting;
mod stopping;
mod tree;
