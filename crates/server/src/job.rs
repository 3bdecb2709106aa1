//! `throng job`: work of a running server that takes longer than a request.

use clap::Subcommand;
use serde_json::Value;

use crate::{
    admin::{cell, list, say},
    api::{Api, Connection},
    failure::Result,
    output::count,
};

#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// List the jobs, those that are done too
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show how far a job is
    Show {
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
}

pub fn job(command: JobCommand) -> Result<()> {
    match command {
        JobCommand::List { connection } => {
            let columns = [
                "id", "kind", "noun", "state", "done", "total", "created", "finished",
            ];
            list(&connection, "/jobs", &[], &columns)
        }
        JobCommand::Show { id, connection } => {
            let found = Api::new(&connection)?.get(&format!("/jobs/{id}"), &[])?;
            say(&connection, &found, shown)
        }
    }
}

fn shown(job: &Value) -> String {
    let number = |name: &str| count(job[name].as_u64().unwrap_or_default());
    let (done, total) = (number("done"), number("total"));
    let mut text = format!(
        "Job {} ({} of {}) is {}: {done} of {total}. Begun {}",
        cell(job, "id"),
        cell(job, "kind"),
        cell(job, "noun"),
        cell(job, "state"),
        cell(job, "created")
    );
    if !job["finished"].is_null() {
        text.push_str(&format!(", finished {}", cell(job, "finished")));
    }
    text + "."
}
