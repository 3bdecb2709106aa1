//! `throng group`: groups of accounts of a running server, through its native API.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    account,
    admin::{cell, list, say},
    api::{Api, Connection},
    failure::Result,
    lookup, output,
};

pub const EXAMPLES: &str = "\
Examples:
  throng group create Editors --permission edit_page --permission edit_dataset
  throng group add Editors ann@example.org bo
  throng group show editors
  throng group remove Editors bo

A GROUP is an id, a uid or a title; an ACCOUNT is an id, a user name or an e-mail address.";

#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// Make a group
    #[command(after_help = lookup::permissions_help())]
    Create {
        title: String,
        #[arg(long)]
        description: Option<String>,
        /// What its members may do; may be repeated; see below
        #[arg(long, value_name = "WORD", value_delimiter = ',')]
        permission: Vec<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the groups
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show a group and who is in it
    Show {
        group: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete a group; its members stay as accounts
    Delete {
        group: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Put accounts into a group
    Add(Members),
    /// Take accounts out of a group
    Remove(Members),
}

#[derive(Debug, clap::Args)]
pub struct Members {
    group: String,
    #[arg(required = true, value_name = "ACCOUNT")]
    accounts: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

pub fn group(command: GroupCommand) -> Result<()> {
    match command {
        GroupCommand::Create {
            title,
            description,
            permission,
            connection,
        } => {
            let description = description.unwrap_or_default();
            let body =
                json!({"title": title, "description": description, "permissions": permission});
            let made = Api::new(&connection)?.post("/groups", &body)?;
            say(&connection, &made, |made| {
                let uid = cell(made, "uid");
                format!(
                    "Group {} is made: {title}. throng group add {uid} ACCOUNT puts somebody into it.",
                    cell(made, "id")
                )
            })
        }
        GroupCommand::List { connection } => list(
            &connection,
            "/groups",
            &[],
            &["id", "uid", "title", "members", "permissions"],
        ),
        GroupCommand::Show { group, connection } => show(&group, &connection),
        GroupCommand::Delete { group, connection } => {
            let api = Api::new(&connection)?;
            let found = lookup::group(&api, &group)?;
            api.delete(&at(&found))?;
            let gone = json!({"id": found["id"], "deleted": true});
            say(&connection, &gone, |_| {
                format!("{} is deleted.", label(&found))
            })
        }
        GroupCommand::Add(members) => each(&members, "is in", |api, path| api.put(path)),
        GroupCommand::Remove(members) => {
            each(&members, "is no longer in", |api, path| api.delete(path))
        }
    }
}

fn at(group: &Value) -> String {
    format!("/groups/{}", cell(group, "id"))
}

fn label(group: &Value) -> String {
    format!("Group {} ({})", cell(group, "id"), cell(group, "title"))
}

fn show(name: &str, connection: &Connection) -> Result<()> {
    let api = Api::new(connection)?;
    let mut group = lookup::group(&api, name)?;
    let members = api.accounts(&format!("{}/members", at(&group)), &[])?;
    if connection.json {
        group["accounts"] = Value::Array(members);
        return output::json(&group);
    }
    let mut text = String::new();
    for (label, name) in [
        ("Id", "id"),
        ("Uid", "uid"),
        ("Title", "title"),
        ("Description", "description"),
        ("Permissions", "permissions"),
        ("Created", "created"),
        ("Updated", "updated"),
        ("Members", "members"),
    ] {
        let value = cell(&group, name);
        if !value.is_empty() {
            text.push_str(&format!("{:<14}{value}\n", format!("{label}:")));
        }
    }
    output::line(text.trim_end())?;
    if members.is_empty() {
        return Ok(());
    }
    output::line("")?;
    crate::admin::show(connection, members, account::COLUMNS)
}

/// One request for each account; those before one that is refused stay done, and are said.
fn each(
    members: &Members,
    outcome: &str,
    request: impl Fn(&Api, &str) -> Result<Value>,
) -> Result<()> {
    let api = Api::new(&members.connection)?;
    let group = lookup::group(&api, &members.group)?;
    for name in &members.accounts {
        let account = lookup::account(&api, name)?;
        let id = cell(&account, "id");
        request(&api, &format!("{}/members/{id}", at(&group)))?;
        let done = json!({"group": group["id"], "account": account["id"]});
        say(&members.connection, &done, |_| {
            format!(
                "Account {id} ({}) {outcome} {}.",
                cell(&account, "email"),
                cell(&group, "title")
            )
        })?;
    }
    Ok(())
}
