//! `throng reach`, `throng overlap` and `throng lookup`: exact questions about the audiences of a running server, through its
//! native API.

use std::{collections::HashMap, io::BufRead};

use clap::Args;
use serde_json::{Value, json};

use crate::{
    admin::cell,
    api::{Api, Connection},
    failure::{Failure, Result},
    output::{self, count},
};

pub const REACH_EXAMPLES: &str = "\
Examples:
  throng reach newsletter
  throng reach 'newsletter and not (customers or staff)'
  throng reach '\"First shop\" and has:email and not #12'
  throng reach 'channel:whatsapp and not customers' --json

\"and\" binds before \"or\", \"not\" before both. An audience is named by its name (in quotes where that is of several
words) or its reference, or by # and its id, as throng audience list shows it. channel:NAME are those with an
active client of a channel, has:KIND those with an identifier of a kind, such as email.";

pub const OVERLAP_EXAMPLES: &str = "\
Examples:
  throng overlap newsletter customers staff
  throng overlap newsletter customers staff --regions
  throng overlap 5 'First shop' channel:whatsapp
  throng overlap --of newsletter customers staff

An AUDIENCE is an id, a name or a reference, channel:NAME, or has:KIND.";

pub const LOOKUP_EXAMPLES: &str = "\
Examples:
  throng lookup ann@example.org
  throng lookup --kind phone +15550100
  throng lookup --kind external --namespace crm 4711 4712
  cut -d, -f1 people.csv | throng lookup --json

Without an IDENTIFIER they are read from standard input, one a line: other users of the machine see what is on a command
line. Nobody is made by asking.";

/// Identifiers that one request may look up.
const IDENTIFIERS_AT_ONCE: usize = domain::limits::LOOKUP_PEOPLE_MAX;

#[derive(Debug, Args)]
pub struct ReachArgs {
    /// Whom to count
    expression: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub struct OverlapArgs {
    /// What to compare, each with each
    #[arg(required = true, value_name = "AUDIENCE")]
    audiences: Vec<String>,
    /// Compare one with all the others, and these not with each other
    #[arg(long, value_name = "AUDIENCE", conflicts_with = "regions")]
    of: Option<String>,
    /// Count who is in exactly which of up to six
    #[arg(long)]
    regions: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub struct LookupArgs {
    /// Identifiers of one kind, each somebody
    #[arg(value_name = "IDENTIFIER")]
    identifiers: Vec<String>,
    /// email, external, phone, mobile_ad, identity_link or cookie
    #[arg(long, default_value = "email")]
    kind: String,
    /// Of what system the identifiers are, for external and cookie
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

pub fn reach(arguments: &ReachArgs) -> Result<()> {
    let connection = &arguments.connection;
    let body = json!({"text": arguments.expression});
    let found = Api::new(connection)?.post("/reach", &body)?;
    if connection.json {
        return output::json(&found);
    }
    output::line(&format!(
        "{} people in: {}",
        number(&found, "people"),
        arguments.expression
    ))?;
    output::line("")?;
    let operands = found["operands"].as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = operands
        .map(|operand| {
            vec![
                label(operand),
                id(operand),
                right(&number(operand, "people")),
            ]
        })
        .collect();
    output::table(&["of these", "id", "     people"], &rows)?;
    output::line(&format!("\nAs of change {}.", cell(&found, "seq")))
}

pub fn overlap(arguments: &OverlapArgs) -> Result<()> {
    let connection = &arguments.connection;
    let named: Vec<Value> = arguments.audiences.iter().map(|name| named(name)).collect();
    let body = match &arguments.of {
        Some(one) => json!({"audience": self::named(one), "against": named}),
        None => json!({"audiences": named, "regions": arguments.regions}),
    };
    let found = Api::new(connection)?.post("/overlap", &body)?;
    if connection.json {
        return output::json(&found);
    }
    match &arguments.of {
        Some(_) => against(&found)?,
        None => matrix(&found)?,
    }
    output::line(&format!("\nAs of change {}.", cell(&found, "seq")))
}

fn against(found: &Value) -> Result<()> {
    let one = &found["audience"];
    output::line(&format!("{}: {} people", label(one), number(one, "people")))?;
    output::line("")?;
    let others = found["against"].as_array().into_iter().flatten();
    let rows: Vec<Vec<String>> = others
        .map(|other| {
            vec![
                label(other),
                id(other),
                right(&number(other, "people")),
                right(&number(other, "overlap")),
            ]
        })
        .collect();
    output::table(&["with", "id", "     people", "     shared"], &rows)
}

fn matrix(found: &Value) -> Result<()> {
    let audiences: Vec<&Value> = found["audiences"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let columns: Vec<String> = (1..=audiences.len())
        .map(|place| right(&format!("({place})")))
        .collect();
    let mut heading = vec!["", "shared with"];
    heading.extend(columns.iter().map(String::as_str));
    let rows = audiences.iter().enumerate().map(|(place, audience)| {
        let shared = found["matrix"][place].as_array().into_iter().flatten();
        let shared = shared.map(|shared| right(&count(shared.as_u64().unwrap_or_default())));
        let mut row = vec![format!("({})", place + 1), label(audience)];
        row.extend(shared);
        row
    });
    output::table(&heading, &rows.collect::<Vec<_>>())?;
    let Some(regions) = found["regions"].as_array() else {
        return Ok(());
    };
    output::line("")?;
    let rows = regions.iter().map(|region| {
        let within = region["within"].as_array().into_iter().flatten();
        let places = within.filter_map(Value::as_u64);
        let places: Vec<String> = places.map(|place| format!("({})", place + 1)).collect();
        vec![right(&number(region, "people")), places.join(" ")]
    });
    output::table(&["     people", "in exactly"], &rows.collect::<Vec<_>>())
}

pub fn lookup(arguments: &LookupArgs) -> Result<()> {
    let connection = &arguments.connection;
    let api = Api::new(connection)?;
    let identifiers = match arguments.identifiers.is_empty() {
        true => lines()?,
        false => arguments.identifiers.clone(),
    };
    let mut rows = Vec::new();
    for some in identifiers.chunks(IDENTIFIERS_AT_ONCE) {
        let mut body = json!({"kind": arguments.kind, "values": some});
        if let Some(namespace) = &arguments.namespace {
            body["namespace"] = json!(namespace);
        }
        let found = api.post("/people/lookup", &body)?;
        if connection.json {
            output::json(&found)?;
            continue;
        }
        let names: HashMap<Option<i64>, String> = found["audiences"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|audience| (audience["id"].as_i64(), path(audience)))
            .collect();
        let people = found["people"].as_array().into_iter().flatten();
        rows.extend(some.iter().zip(people).map(|(who, found)| {
            let held = found["audiences"].as_array().into_iter().flatten();
            let held: Vec<&str> = held
                .filter_map(|id| names.get(&id.as_i64()))
                .map(String::as_str)
                .collect();
            let more = found["total"].as_u64().unwrap_or_default() - held.len() as u64;
            let mut held = held.join(", ");
            if more > 0 {
                held.push_str(&format!(" and {} more", count(more)));
            }
            let known = found["known"] == true;
            let held = match (known, held.is_empty()) {
                (false, _) => "is not known".to_owned(),
                (true, true) => "is in no audience".to_owned(),
                (true, false) => held,
            };
            vec![who.clone(), held]
        }));
    }
    match connection.json {
        true => Ok(()),
        false => output::table(&["who", "in"], &rows),
    }
}

/// The lines of standard input that say anything.
fn lines() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for line in std::io::stdin().lock().lines() {
        let line =
            line.map_err(|error| Failure::failed(format!("cannot read standard input: {error}")))?;
        let line = line.trim();
        if !line.is_empty() {
            found.push(line.to_owned());
        }
    }
    if found.is_empty() {
        return Err(Failure::usage("there is nobody to look up"));
    }
    Ok(found)
}

/// What a word of the command line names.
fn named(word: &str) -> Value {
    let digits = word.strip_prefix('#').unwrap_or(word);
    if let Ok(id) = digits.parse::<i64>() {
        return json!(id);
    }
    for (prefix, field) in [("channel:", "channel"), ("has:", "identifier")] {
        if let Some(name) = word.strip_prefix(prefix) {
            return json!({field: name});
        }
    }
    json!(word)
}

/// How something is called that was named.
fn label(operand: &Value) -> String {
    if operand["audience"].is_object() {
        return path(&operand["audience"]);
    }
    for (field, prefix) in [("channel", "channel:"), ("identifier", "has:")] {
        if let Some(name) = operand[field].as_str() {
            return format!("{prefix}{name}");
        }
    }
    "-".into()
}

fn path(audience: &Value) -> String {
    let words = audience["path"].as_array().into_iter().flatten();
    let words: Vec<&str> = words.filter_map(Value::as_str).collect();
    words.join(" / ")
}

fn id(operand: &Value) -> String {
    cell(operand, "audience.id")
}

fn number(value: &Value, name: &str) -> String {
    count(value[name].as_u64().unwrap_or_default())
}

fn right(number: &str) -> String {
    format!("{number:>11}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_names_an_audience_a_channel_or_a_kind() {
        for (word, value) in [
            ("12", json!(12)),
            ("#12", json!(12)),
            ("News", json!("News")),
            ("#news", json!("#news")),
            ("channel:sdk", json!({"channel": "sdk"})),
            ("has:email", json!({"identifier": "email"})),
        ] {
            assert_eq!(named(word), value);
        }
    }
}
