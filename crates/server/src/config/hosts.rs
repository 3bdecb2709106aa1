//! The table `[[hosts]]`: a DNS name alone switches a client over to a dialect and a workspace.
//!
//! ```toml
//! [[hosts]]
//! name = "api.criteo.example.org"
//! dialect = "criteo"       # or prefix = "/criteo"
//! workspace = "my-shop"    # optional
//! ```

use dialects::mount::{HostMount, Hosts};

use super::keys;

type Parsed<T> = std::result::Result<T, String>;

const FIELDS: &[&str] = &["name", "dialect", "prefix", "workspace"];

pub(super) fn parse(value: &toml::Value) -> Parsed<Hosts> {
    let entries = value
        .as_array()
        .ok_or("hosts must be written as [[hosts]] tables")?;
    let mut hosts = Hosts::new();
    for entry in entries {
        let table = entry
            .as_table()
            .ok_or("hosts must be written as [[hosts]] tables")?;
        let (name, mount) = parse_one(table)?;
        if hosts.insert(name.clone(), mount).is_some() {
            return Err(format!("the host {name} stands in [[hosts]] twice"));
        }
    }
    Ok(hosts)
}

fn parse_one(table: &toml::Table) -> Parsed<(String, HostMount)> {
    if let Some(unknown) = table.keys().find(|key| !FIELDS.contains(&key.as_str())) {
        let suggestion = keys::suggestion(unknown, FIELDS.iter().copied());
        return Err(format!("unknown key hosts.{unknown}{suggestion}"));
    }
    let text = |field: &str| match table.get(field) {
        None => Ok(None),
        Some(toml::Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(format!("hosts.{field} must be a text")),
    };
    let name = text("name")?
        .ok_or("each of [[hosts]] needs a name")?
        .to_ascii_lowercase();
    if name.contains([':', '/', ' ']) {
        return Err(format!(
            "hosts.name {name:?} must be a host name without port or scheme"
        ));
    }
    let prefix = match (text("dialect")?, text("prefix")?) {
        (Some(_), Some(_)) => {
            return Err(format!(
                "the host {name} has a dialect and a prefix: one is enough"
            ));
        }
        (Some(dialect), None) => prefix_of(&dialect)?,
        (None, Some(prefix)) if prefix.starts_with('/') && !prefix.ends_with('/') => prefix,
        (None, Some(prefix)) => {
            return Err(format!(
                "hosts.prefix {prefix:?} must begin with / and not end with it"
            ));
        }
        (None, None) => String::new(),
    };
    Ok((
        name,
        HostMount {
            prefix,
            workspace: text("workspace")?,
        },
    ))
}

/// The native API's routes say `/api/v1` themselves.
fn prefix_of(dialect: &str) -> Parsed<String> {
    if dialect == domain::NATIVE {
        return Ok(String::new());
    }
    if dialects::DIALECTS.contains(&dialect) {
        return Ok(format!("/{dialect}"));
    }
    let suggestion = keys::suggestion(dialect, dialects::DIALECTS.iter().copied());
    Err(format!(
        "unknown dialect {dialect} in [[hosts]]{suggestion}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(text: &str) -> Parsed<Hosts> {
        let table: toml::Table = text.parse().expect("TOML");
        parse(&table["hosts"])
    }

    #[test]
    fn a_host_names_a_dialect_or_prefix_and_perhaps_a_workspace() {
        let hosts = hosts(
            "[[hosts]]\nname = 'API.shop.test'\ndialect = 'criteo'\nworkspace = 'shop'\n\
             [[hosts]]\nname = 'native.test'\ndialect = 'native'",
        )
        .expect("is right");
        assert_eq!(
            hosts["api.shop.test"],
            HostMount {
                prefix: "/criteo".into(),
                workspace: Some("shop".into())
            }
        );
        assert_eq!(
            hosts["native.test"],
            HostMount {
                prefix: String::new(),
                workspace: None
            }
        );
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |text: &str| hosts(text).expect_err("is wrong");
        assert!(wrong("[[hosts]]\nnam = 'a.test'").contains("hosts.nam: did you mean name?"));
        assert!(
            wrong("[[hosts]]\nname = 'a.test'\ndialect = 'critio'")
                .contains("did you mean criteo?")
        );
        assert!(wrong("[[hosts]]\nname = 'a.test:80'").contains("without port"));
        assert!(wrong("[[hosts]]\nname = 'a'\n[[hosts]]\nname = 'A'").contains("twice"));
    }
}
