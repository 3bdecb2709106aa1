//! `throng audience tree`: structures with their audiences below them, for people indented, for programs nested.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::{
    admin::cell,
    api::{Api, Connection},
    failure::Result,
    output::{self, count},
};

/// Shows one structure, or all that the caller may see. Two lists and no more, however many structures there are.
pub fn tree(connection: &Connection, structure: Option<i64>) -> Result<()> {
    let api = Api::new(connection)?;
    let (roots, children) = match structure {
        Some(id) => {
            let root = api.get(&format!("/audiences/{id}"), &[])?;
            let id = id.to_string();
            (vec![root], api.list("/audiences", &[("parent", &id)])?)
        }
        None => (
            api.list("/audiences", &[("parent", "root")])?,
            api.list("/audiences", &[])?,
        ),
    };
    let (roots, strays) = nested(roots, children);
    if connection.json {
        let all: Vec<Value> = roots.into_iter().chain(strays).collect();
        return output::json(&Value::Array(all));
    }
    if roots.is_empty() && strays.is_empty() {
        return output::line("None yet.");
    }
    let mut rows = Vec::new();
    for root in &roots {
        rows.push(row(root, cell(root, "name")));
        let children = root["audiences"].as_array().into_iter().flatten();
        rows.extend(children.map(|child| row(child, format!("  {}", cell(child, "name")))));
    }
    // Of a caller that sees an audience without its structure.
    for stray in &strays {
        let names = stray["path"].as_array().into_iter().flatten();
        let names: Vec<&str> = names.filter_map(Value::as_str).collect();
        rows.push(row(stray, names.join(" / ")));
    }
    output::table(&["name", "id", "kind", "written by", "people"], &rows)
}

/// Puts the audiences under their structures; those whose structure is not there are the second list.
fn nested(roots: Vec<Value>, children: Vec<Value>) -> (Vec<Value>, Vec<Value>) {
    let mut below: HashMap<Option<i64>, Vec<Value>> = HashMap::new();
    let ids: Vec<Option<i64>> = roots.iter().map(|root| root["id"].as_i64()).collect();
    for child in children {
        let parent = child["parent"].as_i64();
        below.entry(parent).or_default().push(child);
    }
    let roots = roots.into_iter().zip(&ids).map(|(mut root, id)| {
        root["audiences"] = json!(below.remove(id).unwrap_or_default());
        root
    });
    let roots = roots.collect();
    let mut strays: Vec<Value> = below.into_values().flatten().collect();
    strays.sort_by_key(|stray| stray["id"].as_i64());
    (roots, strays)
}

fn row(audience: &Value, name: String) -> Vec<String> {
    let people = audience["counts"]["people"].as_u64().unwrap_or_default();
    vec![
        name,
        cell(audience, "id"),
        cell(audience, "kind"),
        cell(audience, "control"),
        format!("{:>11}", count(people)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audiences_hang_below_their_structures_and_strays_are_not_lost() {
        let roots = vec![json!({"id": 1}), json!({"id": 2})];
        let children = vec![
            json!({"id": 3, "parent": 2}),
            json!({"id": 4, "parent": 9}),
            json!({"id": 5, "parent": 2}),
        ];
        let (roots, strays) = nested(roots, children);
        assert_eq!(roots[0], json!({"id": 1, "audiences": []}));
        assert_eq!(roots[1]["audiences"][1]["id"], 5);
        assert_eq!(strays, [json!({"id": 4, "parent": 9})]);
    }
}
