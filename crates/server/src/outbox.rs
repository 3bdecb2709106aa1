//! `throng outbox`: what waits to leave a running server, what was given up, and sending it again.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    admin::{cell, list, say},
    api::{Api, Connection},
    failure::Result,
};

#[derive(Debug, Subcommand)]
pub enum OutboxCommand {
    /// List the items, newest first
    List {
        /// Only those queued, sent or dead
        #[arg(long, value_parser = ["queued", "sent", "dead"])]
        state: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Show an item with what it says; nothing of that is kept once it has left the machine
    Show {
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
    /// Play a person's answer to what was for them, where nothing leaves the machine: in a demo
    Confirm {
        id: i64,
        /// What they write back: yes confirms a link, no refuses it, stop blocks and start unblocks; anything else is a message
        #[arg(long, value_name = "TEXT", default_value = "yes")]
        answer: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Send an item now that was given up or waits for its next attempt
    Retry {
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
}

const COLUMNS: &[&str] = &[
    "id",
    "kind",
    "template",
    "recipient",
    "state",
    "attempts",
    "next_attempt",
    "last_error",
];

pub fn outbox(command: OutboxCommand) -> Result<()> {
    match command {
        OutboxCommand::List { state, connection } => {
            let filter: Vec<(&str, &str)> = state
                .iter()
                .map(|state| ("state", state.as_str()))
                .collect();
            list(&connection, "/outbox", &filter, COLUMNS)
        }
        OutboxCommand::Show { id, connection } => {
            let item = Api::new(&connection)?.get(&format!("/outbox/{id}"), &[])?;
            say(&connection, &item, shown)
        }
        OutboxCommand::Confirm {
            id,
            answer,
            connection,
        } => {
            let body = json!({"answer": answer});
            let done = Api::new(&connection)?.post(&format!("/outbox/{id}/confirm"), &body)?;
            say(&connection, &done, |done| confirmed(&answer, done))
        }
        OutboxCommand::Retry { id, connection } => {
            let item = Api::new(&connection)?.post(&format!("/outbox/{id}/retry"), &json!({}))?;
            say(&connection, &item, |item| {
                format!(
                    "Item {id} is queued; its next attempt is at {}.",
                    cell(item, "next_attempt")
                )
            })
        }
    }
}

fn confirmed(answer: &str, done: &Value) -> String {
    let client = &done["client"];
    if client.is_null() {
        return format!("The person answered {answer:?}: the client is removed.");
    }
    format!(
        "The person answered {answer:?}: client {} of person {} on {} is {}.",
        cell(client, "id"),
        cell(client, "person"),
        cell(client, "channel"),
        cell(client, "status")
    )
}

/// An item as a mail is read: its head, a blank line, its text.
fn shown(item: &Value) -> String {
    let heads = [
        ("Id", "id"),
        ("State", "state"),
        ("Attempts", "attempts"),
        ("Next attempt", "next_attempt"),
        ("Created", "created"),
        ("Finished", "finished"),
        ("Last error", "last_error"),
        ("To", "recipient"),
        ("Subject", "subject"),
    ];
    let mut text = String::new();
    for (label, name) in heads {
        if !item[name].is_null() {
            text.push_str(&format!(
                "{:<14}{}\n",
                format!("{label}:"),
                cell(item, name)
            ));
        }
    }
    match item["text"].as_str() {
        Some(body) => text.push_str(&format!("\n{}", body.trim_end())),
        None if item["state"] == "sent" => {
            text.push_str("\nWhat it said was forgotten when it was sent.");
        }
        None => text.push_str(&format!("{:<14}{}", "Event:", cell(item, "template"))),
    }
    text
}
