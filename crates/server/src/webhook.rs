//! `throng webhook`: the webhooks of a running server, through its native API.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    admin::{cell, list, say},
    api::{Api, Connection},
    failure::Result,
};

pub const EXAMPLES: &str = "\
Examples:
  throng webhook create https://example.org/throng
  throng webhook create https://example.org/throng --event audience.created --event audience.members_changed
  throng webhook list
  throng webhook rotate 12
  throng webhook replay 12 --since 2026-11-22T00:00:00Z
  throng webhook delete 12

Events: audience.created, audience.updated, audience.moved, audience.deleted, audience.members_changed,
audience.managers_changed; record.updated, record.deleted, client.added, client.updated, client.removed,
conversation.created, conversation.removed, conversation.joined, conversation.left, conversation.read,
conversation.typing, message.posted, message.sent, message.failed. They are signed by Standard Webhooks. What could not be sent yet: throng outbox list.";

#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// Make a webhook; its secret is printed this once
    Create {
        /// Where events are sent: https, or what the server's operator allows in outbound.allow
        #[arg(value_name = "URL")]
        receiver: String,
        /// Send only this kind of event; every kind if absent; may be repeated
        #[arg(long, value_name = "EVENT", value_delimiter = ',')]
        event: Vec<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the webhooks, without secrets
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete a webhook; what still waits to be sent to it is given up
    Delete {
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
    /// Give a webhook a new secret, printed this once; the old one signs too for 24 hours more
    Rotate {
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
    /// Send again what happened since a time, each event with the id that it had; at most 10,000 of the last 30 days
    Replay {
        id: i64,
        /// As in 2026-11-22T00:00:00Z
        #[arg(long, value_name = "TIME")]
        since: String,
        #[command(flatten)]
        connection: Connection,
    },
}

const COLUMNS: &[&str] = &["id", "dialect", "url", "events", "created", "updated"];

pub fn webhook(command: WebhookCommand) -> Result<()> {
    match command {
        WebhookCommand::Create {
            receiver,
            event,
            connection,
        } => {
            let body = json!({"url": receiver, "events": event});
            let made = Api::new(&connection)?.post("/webhooks", &body)?;
            say(&connection, &made, |made| shown_once(made, "is made"))
        }
        WebhookCommand::List { connection } => list(&connection, "/webhooks", &[], COLUMNS),
        WebhookCommand::Delete { id, connection } => {
            Api::new(&connection)?.delete(&format!("/webhooks/{id}"))?;
            let deleted = json!({"id": id, "deleted": true});
            say(&connection, &deleted, |_| {
                format!("Webhook {id} is deleted.")
            })
        }
        WebhookCommand::Rotate { id, connection } => {
            let api = Api::new(&connection)?;
            let rotated = api.post(&format!("/webhooks/{id}/rotate"), &json!({}))?;
            say(&connection, &rotated, |rotated| {
                shown_once(
                    rotated,
                    "has a new secret; the old one signs too for 24 hours",
                )
            })
        }
        WebhookCommand::Replay {
            id,
            since,
            connection,
        } => {
            let api = Api::new(&connection)?;
            let replayed = api.post(&format!("/webhooks/{id}/replay"), &json!({"since": since}))?;
            say(&connection, &replayed, |replayed| {
                format!(
                    "{} events are queued for webhook {id}.",
                    cell(replayed, "queued")
                )
            })
        }
    }
}

fn shown_once(webhook: &Value, what: &str) -> String {
    let (id, secret) = (cell(webhook, "id"), cell(webhook, "secret"));
    format!(
        "Webhook {id} {what}. The secret is shown this once; the receiver checks signatures with it:\n\n  {secret}"
    )
}
