//! The binary `throng`: the server, its demo, and the commands that administer one.
//!
//! What it is: command line, configuration, listener, what surrounds each request, and start and stop.
//! What it is not: no rule of the product and no wire protocol; those are the domain's and the dialects'.

mod account;
mod address;
mod admin;
mod api;
mod audience;
mod channel;
mod channel_file;
mod cli;
mod config;
mod deliverer;
mod demo;
mod demo_accounts;
mod demo_sunshine;
mod demo_thrive;
mod dev;
mod dev_sets;
mod download;
mod failure;
mod first_start;
mod group;
mod import;
mod import_file;
mod import_state;
mod interrupt;
mod job;
mod job_worker;
mod key;
mod layers;
mod listener;
mod logging;
mod lookup;
mod mailer;
mod maintenance;
mod metrics;
mod outbound;
mod outbox;
mod outbox_worker;
mod output;
mod people;
mod problem;
mod reach;
mod serve;
mod start;
mod tree;
mod webhook;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::note(&format!("throng: {}", failure.text));
            ExitCode::from(failure.exit as u8)
        }
    }
}
