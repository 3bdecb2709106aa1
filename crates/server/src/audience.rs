//! `throng audience`: the audiences of a running server and their tree, through its native API.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::{
    admin::{cell, list, say, show},
    api::{Api, Connection},
    download::download,
    failure::Result,
    import::{ImportAudience, import_audience},
    output::{self, count},
    tree::tree,
};

pub const EXAMPLES: &str = "\
Examples:
  throng audience create Newsletter --structure 1
  throng audience tree
  throng audience import 3 people.csv --kind email --dry-run
  throng audience move 3 --to 2 --dry-run
  throng audience export 3 --out newsletter.csv

An audience hangs below a structure. Whoever is in an audience is in its structure too, unless a rule makes the audience
(a smart one): that only looks. ID is a structure's id too, where a structure will do.";

#[derive(Debug, Subcommand)]
pub enum AudienceCommand {
    /// Make an audience in a structure
    Create {
        name: String,
        /// The id of the structure
        #[arg(long, value_name = "ID")]
        structure: i64,
        #[arg(long)]
        description: Option<String>,
        /// Your own reference, unique in the workspace
        #[arg(long)]
        reference: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// List the audiences with their counts
    List {
        /// Only of this structure
        #[arg(long, value_name = "ID")]
        structure: Option<i64>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Show the structures with their audiences below them, and how many people are in each
    Tree {
        /// Only this structure
        #[arg(long, value_name = "ID")]
        structure: Option<i64>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Show an audience or a structure with its counts
    Show(One),
    /// Move an audience to another structure, and say who joins that and who leaves the old one
    #[command(after_help = MOVE_HELP)]
    Move {
        /// Say what would happen, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// The id of the structure that it moves to
        #[arg(long, value_name = "STRUCTURE")]
        to: i64,
        #[command(flatten)]
        one: One,
    },
    /// Add the identifiers of a CSV file to an audience; can be stopped and resumed
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(ImportAudience),
    /// Write everybody in an audience as CSV: person, record, reference, email, first_name, last_name
    Export {
        /// A file that does not exist yet; standard output if absent
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Leave cells as they are that a spreadsheet would take for formulas
        #[arg(long)]
        raw: bool,
        #[command(flatten)]
        one: One,
    },
    /// Show who manages an audience, and what their accounts may do
    Managers(One),
    /// Delete an audience; the people stay, and leave its structure where nothing else of it holds them
    Delete(One),
}

const MOVE_HELP: &str = "\
All members come along, or none: where one of them cannot join, being inactive or past the end date, nothing changes.
Members stay in the old structure where it holds them itself or another of its audiences does.";

pub const IMPORT_EXAMPLES: &str = "\
Examples:
  throng audience import 3 people.csv --kind email --dry-run
  throng audience import 3 people.csv --kind email --column \"E-mail\" --errors wrong.csv
  throng audience import 3 ids.csv --kind external --namespace crm --column 1 --no-header

The error file names the line and the reason of each row that is no identifier; what the row says is not repeated.
Beside the file lies FILE.csv.throng-import until the import is finished: the same command goes on from there.";

#[derive(Debug, Args)]
pub struct One {
    /// Its id
    id: i64,
    #[command(flatten)]
    connection: Connection,
}

impl One {
    fn path(&self) -> String {
        format!("/audiences/{}", self.id)
    }
}

pub fn audience(command: AudienceCommand) -> Result<()> {
    match command {
        AudienceCommand::Create {
            name,
            structure,
            description,
            reference,
            connection,
        } => {
            let mut body = json!({"structure": structure, "name": name});
            for (field, value) in [("description", description), ("reference", reference)] {
                if let Some(value) = value {
                    body[field] = json!(value);
                }
            }
            let made = Api::new(&connection)?.post("/audiences", &body)?;
            say(&connection, &made, |made| {
                format!("Audience {} is made: {name}", cell(made, "id"))
            })
        }
        AudienceCommand::List {
            structure,
            connection,
        } => {
            let structure = structure.map(|id| id.to_string());
            let filter: Vec<(&str, &str)> = structure
                .iter()
                .map(|id| ("structure", id.as_str()))
                .collect();
            let columns = [
                "id",
                "structure",
                "name",
                "kind",
                "counts.people",
                "updated",
            ];
            list(&connection, "/audiences", &filter, &columns)
        }
        AudienceCommand::Tree {
            structure,
            connection,
        } => tree(&connection, structure),
        AudienceCommand::Show(one) => {
            let found = Api::new(&one.connection)?.get(&one.path(), &[])?;
            say(&one.connection, &found, shown)
        }
        AudienceCommand::Move { dry_run, to, one } => move_to(&one, to, dry_run),
        AudienceCommand::Import(arguments) => import_audience(&arguments),
        AudienceCommand::Export { out, raw, one } => {
            let path = format!("{}/members/export", one.path());
            let query: &[(&str, &str)] = if raw { &[("raw", "true")] } else { &[] };
            let what = format!("The members of audience {}", one.id);
            download(&one.connection, &path, query, out, &what)
        }
        AudienceCommand::Managers(one) => managers(&one),
        AudienceCommand::Delete(one) => {
            Api::new(&one.connection)?.delete(&one.path())?;
            let gone = json!({"id": one.id, "deleted": true});
            say(&one.connection, &gone, |_| {
                format!("Audience {} is deleted.", one.id)
            })
        }
    }
}

/// An audience as its fields under each other.
fn shown(audience: &Value) -> String {
    let number = |name: &str| {
        let value = audience["counts"][name].as_u64();
        count(value.unwrap_or_default())
    };
    let words = audience["path"].as_array().into_iter().flatten();
    let path: Vec<&str> = words.filter_map(Value::as_str).collect();
    let mut text = String::new();
    let mut put = |label: &str, value: String| {
        if value != "-" {
            text.push_str(&format!("{:<18}{value}\n", format!("{label}:")));
        }
    };
    put("Id", cell(audience, "id"));
    put("Name", cell(audience, "name"));
    put("Kind", cell(audience, "kind"));
    put("Path", path.join(" / "));
    for (label, name) in [
        ("Structure", "structure"),
        ("Reference", "reference"),
        ("Description", "description"),
        ("Written by", "control"),
        ("Rule", "rule"),
    ] {
        put(label, cell(audience, name));
    }
    put("People", number("people"));
    put("With e-mail", number("with_email"));
    put("Known otherwise", number("with_email_matched"));
    put("Created", cell(audience, "created"));
    put("Updated", cell(audience, "updated"));
    text.trim_end().to_owned()
}

fn move_to(one: &One, to: i64, dry_run: bool) -> Result<()> {
    let api = Api::new(&one.connection)?;
    let query: &[(&str, &str)] = if dry_run { &[("dry_run", "true")] } else { &[] };
    let changed = api.patch_with(&one.path(), query, &json!({"parent": to}))?;
    say(&one.connection, &changed, |changed| moved(changed, dry_run))
}

/// What a move did, or would do, in numbers.
fn moved(changed: &Value, dry_run: bool) -> String {
    let change = &changed["move"];
    let label = format!(
        "Audience {} ({})",
        cell(changed, "id"),
        cell(changed, "name")
    );
    let (from, to) = (cell(change, "from"), cell(change, "to"));
    if change.is_null() {
        let structure = cell(changed, "structure");
        return format!("{label} is in structure {structure} already; nothing has changed.");
    }
    let number = |name: &str| change[name].as_u64().unwrap_or_default();
    let (members, joined) = (number("members"), number("joined"));
    let verb = if dry_run { "would move" } else { "is moved" };
    let mut lines = vec![
        format!(
            "{label} {verb} from structure {from} to {to} with its {} members.",
            count(members)
        ),
        format!(
            "  {:>11} join structure {to}; {} are in it already",
            count(joined),
            count(members.saturating_sub(joined))
        ),
        format!("  {:>11} leave structure {from}", count(number("left"))),
    ];
    for (name, why) in [
        (
            "kept_by_audience",
            "stay in it: another of its audiences holds them",
        ),
        ("kept_by_structure", "stay in it: it holds them itself"),
    ] {
        if number(name) > 0 {
            lines.push(format!("  {:>11} {why}", count(number(name))));
        }
    }
    if dry_run {
        lines.push("Nothing has changed: this was a dry run.".into());
    }
    lines.join("\n")
}

fn managers(one: &One) -> Result<()> {
    let found = Api::new(&one.connection)?.get(&format!("{}/managers", one.path()), &[])?;
    let items = found["items"].as_array().cloned().unwrap_or_default();
    if items.is_empty() && !one.connection.json {
        return output::line("Nobody yet.");
    }
    let columns = [
        "person",
        "record.email",
        "record.first_name",
        "record.last_name",
        "permissions",
    ];
    show(&one.connection, items, &columns)
}
