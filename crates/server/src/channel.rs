//! `throng channel`: the integrations of a running server with the providers of channels, through its native API.

use std::path::PathBuf;

use clap::Subcommand;
use domain::{DialectId, IdKind};
use serde_json::{Value, json};

use crate::{
    admin::{cell, list, say},
    api::{Api, Connection},
    channel_file,
    failure::{Failure, Result},
    output::{self, count},
};

pub const EXAMPLES: &str = "\
Examples:
  throng channel list
  throng channel set 25 --from whatsapp.toml
  pass show twilio | throng channel set 26 --from -
  throng channel create mailgun --name \"Mail\" --from mailgun.toml
  throng channel show 25
  throng channel counts

FILE holds the provider's settings, in TOML or JSON. What it does not name stays as it is; \"\" takes
a setting away:

  phone_number_id = \"106540352242922\"
  token = \"EAAG...\"
  app_secret = \"...\"
  verify_token = \"...\"

  mailgun      api_key, domain, incoming_address; signing_key to receive
  twilio       account_sid, auth_token; phone_number_sid or messaging_service_sid; phone_number
  messagebird  access_key, signing_key, originator
  whatsapp     phone_number_id, token to send; app_secret, verify_token to receive; deployment_id

An INTEGRATION is its id as throng channel list shows it, or the 24 digits that it has in the
Sunshine Conversations API. Secrets are sealed by the server and never shown again. The provider has
to be told the URL that throng channel show prints: without it nobody's answer comes in.";

#[derive(Debug, Subcommand)]
pub enum ChannelCommand {
    /// List the integrations, without secrets
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show an integration: what is set, what is not, and where its provider has to send what people write
    Show {
        #[arg(value_name = "INTEGRATION")]
        integration: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Make an integration
    Create {
        #[arg(value_parser = ["mailgun", "twilio", "messagebird", "whatsapp"])]
        kind: String,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        /// The provider's settings; - reads standard input
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        #[command(flatten)]
        connection: Connection,
    },
    /// Set what an integration needs to reach its provider, from a file
    Set {
        #[arg(value_name = "INTEGRATION")]
        integration: String,
        /// The provider's settings; - reads standard input
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete an integration; its linked clients become inactive, pending ones are removed
    Delete {
        #[arg(value_name = "INTEGRATION")]
        integration: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Show how many people have an active client on each channel
    Counts {
        #[command(flatten)]
        connection: Connection,
    },
}

const COLUMNS: &[&str] = &["id", "kind", "display_name", "status", "secrets", "unset"];

pub fn channel(command: ChannelCommand) -> Result<()> {
    match command {
        ChannelCommand::List { connection } => list(&connection, "/integrations", &[], COLUMNS),
        ChannelCommand::Show {
            integration,
            connection,
        } => {
            let api = Api::new(&connection)?;
            let found = api.get(&at(&api, &integration)?, &[])?;
            say(&connection, &found, shown)
        }
        ChannelCommand::Create {
            kind,
            name,
            from,
            connection,
        } => {
            let settings = channel_file::read(&from)?;
            let mut body = json!({"kind": kind, "fields": settings});
            if let Some(name) = name {
                body["display_name"] = json!(name);
            }
            let made = Api::new(&connection)?.post("/integrations", &body)?;
            say(&connection, &made, |made| told(made, "is made"))
        }
        ChannelCommand::Set {
            integration,
            from,
            connection,
        } => {
            let settings = Value::Object(channel_file::read(&from)?);
            let api = Api::new(&connection)?;
            let path = format!("{}/provider", at(&api, &integration)?);
            let changed = api.put_with(&path, &settings)?;
            say(&connection, &changed, |changed| told(changed, "is set"))
        }
        ChannelCommand::Delete {
            integration,
            connection,
        } => {
            let api = Api::new(&connection)?;
            let path = at(&api, &integration)?;
            api.delete(&path)?;
            let gone = json!({"id": integration, "deleted": true});
            say(&connection, &gone, |_| {
                format!(
                    "Integration {integration} is deleted; nobody is reached through it any more."
                )
            })
        }
        ChannelCommand::Counts { connection } => counts(&connection),
    }
}

/// The path of an integration by its number, or by the id that its vendor's API gives it.
fn at(api: &Api, name: &str) -> Result<String> {
    if let Some(id) = DialectId::from_hex(name) {
        let own = api.get("/me", &[])?["workspace"].as_i64();
        if id.kind == IdKind::Integration && own == Some(id.workspace) {
            return Ok(format!("/integrations/{}", id.id));
        }
        let text = format!("{name} is no integration of this workspace");
        return Err(Failure::failed(text));
    }
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_digit()) {
        let text = format!("{name:?} is no id of an integration: throng channel list shows them");
        return Err(Failure::usage(text));
    }
    Ok(format!("/integrations/{name}"))
}

fn label(integration: &Value) -> String {
    let name = integration["display_name"].as_str();
    format!(
        "Integration {} ({}{})",
        cell(integration, "id"),
        cell(integration, "kind"),
        name.map(|name| format!(", {name}")).unwrap_or_default()
    )
}

fn shown(integration: &Value) -> String {
    let mut text = format!(
        "{} is {}.\n\n",
        label(integration),
        cell(integration, "status")
    );
    let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:<22} {value}\n"));
    for (name, value) in integration["fields"].as_object().into_iter().flatten() {
        line(name, value.as_str().unwrap_or_default());
    }
    for (names, value) in [("secrets", "(set, not shown)"), ("unset", "-")] {
        let names = integration[names].as_array().into_iter().flatten();
        names
            .filter_map(Value::as_str)
            .for_each(|name| line(name, value));
    }
    text + &hook(integration)
}

/// What a change left.
fn told(integration: &Value, what: &str) -> String {
    let mut text = format!("{} {what}.\n", label(integration));
    let unset = cell(integration, "unset");
    if !unset.is_empty() {
        text.push_str(&format!("Not set: {}.\n", unset.replace(',', ", ")));
    }
    text + &hook(integration)
}

fn hook(integration: &Value) -> String {
    match integration["hook_url"].as_str() {
        Some(url) => format!("\nIts provider has to send what comes in to:\n\n  {url}"),
        None => String::new(),
    }
}

fn counts(connection: &Connection) -> Result<()> {
    let mut found = Api::new(connection)?.get("/channels", &[])?;
    let items = found["items"].take();
    if connection.json {
        return output::json(&items);
    }
    let rows = items.as_array().into_iter().flatten().map(|item| {
        let people = item["people"].as_u64().unwrap_or_default();
        vec![cell(item, "channel"), format!("{:>11}", count(people))]
    });
    output::table(&["channel", "     people"], &rows.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integration_is_shown_with_what_is_set_and_what_is_not() {
        let integration = json!({
            "id": 25, "kind": "whatsapp", "display_name": null, "status": "active",
            "fields": {"phone_number_id": "1065"}, "secrets": ["token"],
            "unset": ["app_secret", "verify_token"], "hook_url": "http://127.0.0.1/hooks/whatsapp/t",
        });
        let text = shown(&integration);
        for line in [
            "Integration 25 (whatsapp) is active.",
            "  phone_number_id        1065",
            "  token                  (set, not shown)",
            "  app_secret             -",
            "  http://127.0.0.1/hooks/whatsapp/t",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(told(&integration, "is set").contains("\nNot set: app_secret, verify_token.\n"));
    }
}
