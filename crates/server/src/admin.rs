//! The commands that administer a running server through its native API: workspaces, structures, credentials.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    api::{Api, Connection},
    demo_sunshine,
    failure::Result,
    output,
};

#[derive(Debug, Subcommand)]
pub enum WorkspaceCommand {
    /// Make a workspace: a tenant behind its own wall, served under /w/SLUG
    Create {
        /// Lower-case letters, digits and inner hyphens
        slug: String,
        /// What people call it; the slug if absent
        #[arg(long)]
        name: Option<String>,
        /// Keep only keyed hashes of identifiers: nothing can be exported by identifier
        #[arg(long)]
        forget_identifiers: bool,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the workspaces
    List {
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Debug, Subcommand)]
pub enum StructureCommand {
    /// Make a structure: a root that owns audiences, and an advertiser in the Criteo dialect
    Create {
        name: String,
        /// Your own reference, unique in the workspace
        #[arg(long)]
        reference: Option<String>,
        /// Who may write to it and its audiences: programs, the people at the console, or both
        #[arg(long, value_parser = CONTROLS)]
        control: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the structures; throng audience tree shows them with their audiences
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Say who may write to a structure and its audiences
    Control {
        /// The structure's id
        id: i64,
        /// Programs (api), the people at the console, or both
        #[arg(value_parser = CONTROLS)]
        control: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Delete a structure; the people stay
    Delete {
        /// The structure's id
        id: i64,
        /// Delete its audiences too; otherwise one that has any is not deleted
        #[arg(long)]
        with_audiences: bool,
        #[command(flatten)]
        connection: Connection,
    },
}

const CONTROLS: [&str; 3] = ["api", "console", "both"];

#[derive(Debug, Subcommand)]
pub enum CredentialCommand {
    /// Make a credential; its secret is printed this once
    Create {
        /// The protocol it is for: native (an API token), criteo (an OAuth client), thrive (both of its ways in)
        /// or sunshine (an app's key)
        #[arg(long)]
        dialect: String,
        #[arg(long)]
        name: String,
        /// The structures that it may touch; every structure if absent
        #[arg(long, value_name = "ID", num_args = 1..)]
        structure: Vec<i64>,
        /// Space-separated: audiences:read, audiences:write, structures:write, people:read, people:write, webhooks, channels,
        /// integrations, admin (all before), installation; what the protocol's clients usually need if absent
        #[arg(long)]
        scopes: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the credentials, without secrets
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// End a credential, within five seconds on every process
    Revoke {
        id: i64,
        #[command(flatten)]
        connection: Connection,
    },
}

pub fn workspace(command: WorkspaceCommand) -> Result<()> {
    match command {
        WorkspaceCommand::Create {
            slug,
            name,
            forget_identifiers,
            connection,
        } => {
            let name = name.unwrap_or_else(|| slug.clone());
            let keep = if forget_identifiers { "none" } else { "sealed" };
            let body = json!({"slug": slug, "name": name, "keep_identifiers": keep});
            let made = Api::new(&connection)?.post("/workspaces", &body)?;
            say(&connection, &made, |made| {
                format!(
                    "Workspace {} is made; it is served under /w/{slug}. Its administrator's token, shown this once:\n\n  {}",
                    cell(made, "id"),
                    cell(made, "token")
                )
            })
        }
        WorkspaceCommand::List { connection } => list(
            &connection,
            "/workspaces",
            &[],
            &["id", "slug", "name", "keep_identifiers", "created"],
        ),
    }
}

pub fn structure(command: StructureCommand) -> Result<()> {
    match command {
        StructureCommand::Create {
            name,
            reference,
            control,
            connection,
        } => {
            let mut body = json!({"name": name});
            for (field, value) in [("reference", reference), ("control", control)] {
                if let Some(value) = value {
                    body[field] = json!(value);
                }
            }
            let made = Api::new(&connection)?.post("/structures", &body)?;
            say(&connection, &made, |made| {
                format!("Structure {} is made: {name}", cell(made, "id"))
            })
        }
        StructureCommand::List { connection } => list(
            &connection,
            "/structures",
            &[],
            &["id", "name", "reference", "control", "created"],
        ),
        StructureCommand::Control {
            id,
            control,
            connection,
        } => {
            let (path, body) = (format!("/structures/{id}"), json!({"control": control}));
            let changed = Api::new(&connection)?.patch(&path, &body)?;
            say(&connection, &changed, |changed| {
                let name = cell(changed, "name");
                format!(
                    "Structure {id} ({name}) and its audiences are written by {}.",
                    writers(&control)
                )
            })
        }
        StructureCommand::Delete {
            id,
            with_audiences,
            connection,
        } => structure_delete(&connection, id, with_audiences),
    }
}

fn writers(control: &str) -> &'static str {
    match control {
        "api" => "programs only now",
        "console" => "the people at the console only now; programs get 403",
        _ => "programs and the people at the console now",
    }
}

fn structure_delete(connection: &Connection, id: i64, with_audiences: bool) -> Result<()> {
    let query: &[(&str, &str)] = if with_audiences {
        &[("with_audiences", "true")]
    } else {
        &[]
    };
    let job = Api::new(connection)?.delete_with(&format!("/structures/{id}"), query)?;
    if job.is_null() {
        let gone = json!({"id": id, "deleted": true});
        return say(connection, &gone, |_| format!("Structure {id} is deleted."));
    }
    say(connection, &job, |job| {
        let job = cell(job, "id");
        format!(
            "Structure {id} is gone from every list; job {job} removes what it held. throng job show {job} tells how far it is."
        )
    })
}

pub fn credential(command: CredentialCommand) -> Result<()> {
    match command {
        CredentialCommand::Create {
            dialect,
            name,
            structure,
            scopes,
            connection,
        } => {
            let mut body = json!({"dialect": dialect, "name": name});
            if !structure.is_empty() {
                body["structures"] = json!(structure);
            }
            if let Some(scopes) = scopes {
                body["scopes"] = json!(scopes.split_whitespace().collect::<Vec<_>>());
            }
            let made = Api::new(&connection)?.post("/credentials", &body)?;
            say(&connection, &made, |made| shown_once(&dialect, made))
        }
        CredentialCommand::List { connection } => {
            let columns = [
                "id",
                "dialect",
                "name",
                "client_id",
                "scopes",
                "structures",
                "last_used",
                "revoked",
            ];
            list(&connection, "/credentials", &[], &columns)
        }
        CredentialCommand::Revoke { id, connection } => {
            Api::new(&connection)?.delete(&format!("/credentials/{id}"))?;
            if connection.json {
                return output::json(&json!({"id": id, "revoked": true}));
            }
            output::line(&format!("Credential {id} is revoked."))
        }
    }
}

fn shown_once(dialect: &str, made: &Value) -> String {
    let (id, client_id, secret) = (
        cell(made, "id"),
        cell(made, "client_id"),
        cell(made, "secret"),
    );
    let both = if dialect == domain::NATIVE {
        format!("token:          {secret}")
    } else {
        format!("client_id:      {client_id}\nclient_secret:  {secret}")
    };
    // The id says of which workspace it is.
    let workspace = domain::DialectId::from_hex(&client_id).map(|id| id.workspace);
    let both = match workspace {
        Some(workspace) if dialect == dialects::thrive::DIALECT => {
            let tenant = dialects::thrive::tenant_id(workspace);
            format!("tenant_id:      {tenant}\napi_secret:     {secret}\n{both}")
        }
        Some(workspace) if dialect == demo_sunshine::DIALECT => {
            let app = demo_sunshine::app_id(workspace);
            let key = demo_sunshine::key_id(&client_id, &cell(made, "scopes"));
            format!("app_id:  {app}\nkey_id:  {key}\nsecret:  {secret}")
        }
        _ => both,
    };
    format!("Credential {id} is made. Its secret is shown this once; keep it safe:\n\n{both}")
}

pub(crate) fn say(
    connection: &Connection,
    value: &Value,
    text: impl Fn(&Value) -> String,
) -> Result<()> {
    if connection.json {
        output::json(value)
    } else {
        output::line(&text(value))
    }
}

pub(crate) fn list(
    connection: &Connection,
    path: &str,
    filter: &[(&str, &str)],
    columns: &[&str],
) -> Result<()> {
    let items = Api::new(connection)?.list(path, filter)?;
    show(connection, items, columns)
}

/// The items of a list, for people in columns.
pub(crate) fn show(connection: &Connection, items: Vec<Value>, columns: &[&str]) -> Result<()> {
    if connection.json {
        return output::json(&Value::Array(items));
    }
    if items.is_empty() {
        return output::line("None yet.");
    }
    let rows: Vec<Vec<String>> = items
        .iter()
        .map(|item| columns.iter().map(|column| cell(item, column)).collect())
        .collect();
    let heading: Vec<&str> = columns
        .iter()
        .map(|column| column.rsplit('.').next().unwrap_or(column))
        .collect();
    output::table(&heading, &rows)
}

/// A field, or one of a field's (`counts.people`), as text for people.
pub(crate) fn cell(item: &Value, name: &str) -> String {
    let found = name
        .split('.')
        .try_fold(item, |value, name| value.get(name));
    match found {
        None | Some(Value::Null) if name == "structures" => "every".into(),
        None | Some(Value::Null) if name == "permissions" => "all".into(),
        None | Some(Value::Null) => "-".into(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(values)) => {
            let words = values.iter().map(|value| {
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            });
            words.collect::<Vec<_>>().join(",")
        }
        Some(value) => value.to_string(),
    }
}
