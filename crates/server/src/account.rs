//! `throng account`: the accounts of a running server, through its native API.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    admin::{cell, say, show},
    api::{Api, Connection},
    download::download,
    failure::Result,
    lookup,
};

pub const EXAMPLES: &str = "\
Examples:
  throng account create --email ann@example.org --role admin
  throng account create --email bo@example.org --permission edit_page --group Editors
  throng account create --email cleo@example.org --password-stdin < password.txt
  throng account list --search \"ann example\" --sort=-last_seen
  throng account promote ann@example.org
  throng account export --output accounts.csv

An ACCOUNT is an id, a user name or an e-mail address.";

#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// Make an account; it is invited by mail unless it gets a password
    #[command(after_help = lookup::permissions_help())]
    Create(AccountCreate),
    /// List the accounts
    List(AccountList),
    /// Show an account with its permissions and groups
    Show(One),
    /// Mail a link for a new password (a new invitation where there is none yet), or set one
    ResetPassword {
        /// Set the password to one line of standard input, and end the account's sessions
        #[arg(long)]
        password_stdin: bool,
        #[command(flatten)]
        one: One,
    },
    /// Make an account an administrator
    Promote(One),
    /// Make an account no administrator any more; the last one stays
    Demote(One),
    /// Let an account and its keys in no more, and end its sessions
    Disable(One),
    /// Let an account in again
    Enable(One),
    /// Delete an account with its sessions and consents; its keys are revoked
    Delete(One),
    /// Write all accounts as CSV
    Export {
        /// A file that does not exist yet; standard output if absent
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Leave cells as they are that a spreadsheet would take for formulas
        #[arg(long)]
        raw: bool,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Args)]
pub struct AccountCreate {
    /// What it signs in with, and where its mail goes
    #[arg(long)]
    email: String,
    /// admin, retailer or advertiser
    #[arg(long, value_parser = ["admin", "retailer", "advertiser"])]
    role: Option<String>,
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    #[arg(long)]
    first_name: Option<String>,
    #[arg(long)]
    last_name: Option<String>,
    /// Made from the address if absent
    #[arg(long)]
    username: Option<String>,
    /// May be repeated; see below
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    permission: Vec<String>,
    /// A group's id, uid or title; may be repeated
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// Take the password from one line of standard input, and invite nobody
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub struct AccountList {
    /// Words that must all stand in user name, names or e-mail address
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,
    /// Only those that have it, themselves or by a group; may be repeated
    #[arg(long, value_name = "WORD", value_delimiter = ',')]
    permission: Vec<String>,
    /// Only members of this group: its id, uid or title
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// username, first_name, last_name or last_seen, separated by commas; with - before it from last to first
    #[arg(long, value_name = "KEYS", allow_hyphen_values = true)]
    sort: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub struct One {
    /// Its id, user name or e-mail address
    account: String,
    #[command(flatten)]
    connection: Connection,
}

pub const COLUMNS: &[&str] = &["id", "username", "email", "role", "active", "last_seen"];

pub fn account(command: AccountCommand) -> Result<()> {
    match command {
        AccountCommand::Create(arguments) => create(arguments),
        AccountCommand::List(arguments) => list(&arguments),
        AccountCommand::Show(one) => {
            let api = Api::new(&one.connection)?;
            say(
                &one.connection,
                &lookup::account(&api, &one.account)?,
                shown,
            )
        }
        AccountCommand::ResetPassword {
            password_stdin: true,
            one,
        } => {
            let change = json!({"password": lookup::password()?});
            changed(&one, &change, |account| {
                format!(
                    "{} has its new password; its sessions have ended.",
                    label(account)
                )
            })
        }
        AccountCommand::ResetPassword { one, .. } => reset_password(&one),
        AccountCommand::Promote(one) => changed(&one, &json!({"administrator": true}), |account| {
            format!("{} is an administrator now.", label(account))
        }),
        AccountCommand::Demote(one) => changed(&one, &json!({"administrator": false}), demoted),
        AccountCommand::Disable(one) => changed(&one, &json!({"active": false}), |account| {
            format!(
                "{} is disabled: it cannot sign in, and its keys are good for nothing. throng account enable {} lets it in again.",
                label(account),
                cell(account, "id")
            )
        }),
        AccountCommand::Enable(one) => changed(&one, &json!({"active": true}), |account| {
            format!("{} is enabled.", label(account))
        }),
        AccountCommand::Delete(one) => {
            let api = Api::new(&one.connection)?;
            let found = lookup::account(&api, &one.account)?;
            api.delete(&at(&found))?;
            let gone = json!({"id": found["id"], "deleted": true});
            say(&one.connection, &gone, |_| {
                format!("{} is deleted.", label(&found))
            })
        }
        AccountCommand::Export {
            output,
            raw,
            connection,
        } => {
            let query: &[(&str, &str)] = if raw { &[("raw", "true")] } else { &[] };
            let (path, what) = ("/accounts/export", "The accounts");
            download(&connection, path, query, output, what)
        }
    }
}

fn at(account: &Value) -> String {
    format!("/accounts/{}", cell(account, "id"))
}

fn label(account: &Value) -> String {
    format!(
        "Account {} ({})",
        cell(account, "id"),
        cell(account, "email")
    )
}

fn create(arguments: AccountCreate) -> Result<()> {
    let connection = &arguments.connection;
    let api = Api::new(connection)?;
    let mut body = json!({"email": arguments.email});
    for (name, value) in [
        ("role", arguments.role),
        ("name", arguments.name),
        ("first_name", arguments.first_name),
        ("last_name", arguments.last_name),
        ("username", arguments.username),
    ] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    if !arguments.permission.is_empty() {
        body["permissions"] = json!(arguments.permission);
    }
    if !arguments.group.is_empty() {
        body["groups"] = json!(lookup::groups(&api, &arguments.group)?);
    }
    if arguments.password_stdin {
        body["password"] = json!(lookup::password()?);
    }
    let made = api.post("/accounts", &body)?;
    say(connection, &made, |made| {
        let (id, username, role) = (cell(made, "id"), cell(made, "username"), cell(made, "role"));
        let next = if arguments.password_stdin {
            "It can sign in with its address and its password.".to_owned()
        } else {
            mailed(&api, made, "An invitation", "seven days")
        };
        format!("Account {id} is made: {username}, {role}.\n{next}")
    })
}

/// Where the mail to an account is, and what to do where there is nobody to send it.
fn mailed(api: &Api, account: &Value, what: &str, life: &str) -> String {
    let to = cell(account, "email");
    // Newest first, and it was queued a moment ago.
    let queued = api.get("/outbox", &[("state", "queued"), ("limit", "100")]);
    let queued = queued.unwrap_or_default();
    let mut items = queued["items"].as_array().into_iter().flatten();
    match items.find(|item| item["recipient"] == account["email"]) {
        Some(item) => format!(
            "{what} to {to} is in the outbox; its link is good for {life}. Where no mail server is configured \
             (mail.smtp_url), this shows it:\n\n  throng outbox show {}",
            cell(item, "id")
        ),
        None => format!("{what} is on its way to {to}; its link is good for {life}."),
    }
}

fn list(arguments: &AccountList) -> Result<()> {
    let api = Api::new(&arguments.connection)?;
    let permissions = arguments.permission.join(",");
    let mut filter: Vec<(&str, &str)> = Vec::new();
    if let Some(search) = &arguments.search {
        filter.push(("search", search));
    }
    if !permissions.is_empty() {
        filter.push(("all_permissions", &permissions));
    }
    if let Some(sort) = &arguments.sort {
        filter.push(("sort", sort));
    }
    let path = match &arguments.group {
        None => "/accounts".to_owned(),
        Some(name) => format!(
            "/groups/{}/members",
            cell(&lookup::group(&api, name)?, "id")
        ),
    };
    show(
        &arguments.connection,
        api.accounts(&path, &filter)?,
        COLUMNS,
    )
}

/// An account as its fields under each other.
fn shown(account: &Value) -> String {
    let titles = account["groups"].as_array().into_iter().flatten();
    let titles: Vec<String> = titles.map(|group| cell(group, "title")).collect();
    let mut text = String::new();
    let mut put = |label: &str, value: String| {
        if !value.is_empty() && value != "-" {
            text.push_str(&format!("{:<18}{value}\n", format!("{label}:")));
        }
    };
    for (label, name) in [
        ("Id", "id"),
        ("User name", "username"),
        ("E-mail", "email"),
        ("Name", "name"),
        ("First name", "first_name"),
        ("Last name", "last_name"),
        ("Role", "role"),
        ("Active", "active"),
        ("Verified", "verified"),
        ("Has a password", "has_password"),
        ("Permissions", "permissions"),
        ("With its groups'", "all_permissions"),
    ] {
        put(label, cell(account, name));
    }
    put("Groups", titles.join(", "));
    for (label, name) in [
        ("Comes from", "providers"),
        ("Budget", "budget"),
        ("Credit", "credit"),
        ("Created", "created"),
        ("Updated", "updated"),
        ("Last seen", "last_seen"),
        ("Last sign-in", "last_sign_in"),
    ] {
        put(label, cell(account, name));
    }
    text.trim_end().to_owned()
}

fn changed(one: &One, change: &Value, text: impl Fn(&Value) -> String) -> Result<()> {
    let api = Api::new(&one.connection)?;
    let found = lookup::account(&api, &one.account)?;
    let after = api.patch(&at(&found), change)?;
    say(&one.connection, &after, text)
}

fn demoted(account: &Value) -> String {
    let label = label(account);
    if account["role"] != "admin" {
        let role = cell(account, "role");
        return format!("{label} is no administrator any more; its role is {role}.");
    }
    let groups = account["groups"].as_array().into_iter().flatten();
    let uids: Vec<String> = groups.map(|group| cell(group, "uid")).collect();
    format!(
        "{label} is no administrator by itself any more, but still one by a group ({}): throng group remove GROUP {} \
         takes it out.",
        uids.join(", "),
        cell(account, "id")
    )
}

fn reset_password(one: &One) -> Result<()> {
    let api = Api::new(&one.connection)?;
    let found = lookup::account(&api, &one.account)?;
    api.post(&format!("{}/password-reset", at(&found)), &json!({}))?;
    let (what, life) = match found["has_password"].as_bool() {
        Some(true) => ("A link for a new password", "an hour"),
        _ => ("A new invitation", "seven days"),
    };
    let mail = json!({"id": found["id"], "email": found["email"], "queued": true});
    say(&one.connection, &mail, |_| mailed(&api, &found, what, life))
}
