//! `throng key`: the keys of accounts of a running server, through its native API.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    admin::{cell, list, say},
    api::{Api, Connection},
    failure::Result,
    lookup,
};

pub const EXAMPLES: &str = "\
Examples:
  throng key create --account ann@example.org --label \"nightly report\" --dialect native
  throng key create --account ann --label sync --dialect opendatasoft --permission edit_page --expires 2030-01-31T00:00:00Z
  throng key list --account ann@example.org
  throng key rotate 51
  throng key revoke 51 --reason \"laptop lost\"

A key belongs to an account and can do no more than it. A token that belongs to no account is a credential: throng
credential create --help.";

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key; its secret is printed this once
    #[command(after_help = lookup::permissions_help())]
    Create {
        /// The account's id, user name or e-mail address
        #[arg(long)]
        account: String,
        /// What it is for
        #[arg(long)]
        label: String,
        /// The protocol that it is for
        #[arg(long, value_parser = ["native", "opendatasoft"])]
        dialect: String,
        /// Let only this through of what the account may do; all of it if absent; may be repeated
        #[arg(long, value_name = "WORD", value_delimiter = ',')]
        permission: Vec<String>,
        /// When it ends, as in 2030-01-31T00:00:00Z; never if absent
        #[arg(long, value_name = "TIME")]
        expires: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the keys, without secrets
    List {
        /// Only those of this account: its id, user name or e-mail address
        #[arg(long)]
        account: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Give a key a new secret, printed this once; the old one is good no more
    Rotate {
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
    /// End a key, within five seconds on every process
    Revoke {
        id: i64,
        /// Why, for those who look at it later
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
}

const COLUMNS: &[&str] = &[
    "id",
    "username",
    "dialect",
    "label",
    "prefix",
    "permissions",
    "expires",
    "last_used",
    "revoked",
];

pub fn key(command: KeyCommand) -> Result<()> {
    match command {
        KeyCommand::Create {
            account,
            label,
            dialect,
            permission,
            expires,
            connection,
        } => {
            let api = Api::new(&connection)?;
            let account = lookup::account(&api, &account)?;
            let mut body = json!({"label": label, "dialect": dialect});
            if !permission.is_empty() {
                body["permissions"] = json!(permission);
            }
            if let Some(expires) = expires {
                body["expires"] = json!(expires);
            }
            let path = format!("/accounts/{}/keys", cell(&account, "id"));
            let made = api.post(&path, &body)?;
            say(&connection, &made, |made| shown_once(made, "is made"))
        }
        KeyCommand::List {
            account: None,
            connection,
        } => list(&connection, "/keys", &[], COLUMNS),
        KeyCommand::List {
            account: Some(name),
            connection,
        } => {
            let account = lookup::account(&Api::new(&connection)?, &name)?;
            let path = format!("/accounts/{}/keys", cell(&account, "id"));
            list(&connection, &path, &[], COLUMNS)
        }
        KeyCommand::Rotate { id, connection } => {
            let api = Api::new(&connection)?;
            let rotated = api.post(&format!("/keys/{id}/rotate"), &json!({}))?;
            say(&connection, &rotated, |key| {
                shown_once(key, "has a new secret")
            })
        }
        KeyCommand::Revoke {
            id,
            reason,
            connection,
        } => {
            let api = Api::new(&connection)?;
            let reason: Vec<(&str, &str)> = reason
                .iter()
                .map(|reason| ("reason", reason.as_str()))
                .collect();
            api.delete_with(&format!("/keys/{id}"), &reason)?;
            let revoked = json!({"id": id, "revoked": true});
            say(&connection, &revoked, |_| format!("Key {id} is revoked."))
        }
    }
}

fn shown_once(key: &Value, what: &str) -> String {
    let (id, username, secret) = (cell(key, "id"), cell(key, "username"), cell(key, "secret"));
    let header = match key["dialect"].as_str() {
        Some("opendatasoft") => "Apikey",
        _ => "Bearer",
    };
    format!(
        "Key {id} of {username} {what}. The secret is shown this once; keep it safe:\n\n  {secret}\n\n\
         It is sent as: Authorization: {header} SECRET"
    )
}
