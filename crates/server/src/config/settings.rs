//! Gathers the values from file, environment and flags, each with its origin, and refuses what nobody knows.

use std::{
    collections::BTreeMap,
    fmt,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use dialects::mount::Hosts;
use domain::IdentityProvider;

use super::{
    hosts,
    keys::{self, HOSTS, KEYS, PROVIDERS},
    providers,
};
use crate::failure::{Failure, Result};

/// The file that is read from the data folder where `--config` names none.
const FILE: &str = "throng.toml";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    Environment(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "file {}", path.display()),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub value: String,
    pub origin: Origin,
}

/// What the command line gives: the file, and pairs of key and value with the flag that they came by.
#[derive(Debug, Clone, Default)]
pub struct Given {
    pub file: Option<PathBuf>,
    /// Key, value, flag.
    pub values: Vec<(String, String, String)>,
}

/// Every key with its value and origin.
#[derive(Debug, Clone)]
pub struct Settings {
    values: BTreeMap<&'static str, Setting>,
    pub hosts: Hosts,
    pub hosts_origin: Origin,
    pub providers: Vec<IdentityProvider>,
}

impl Settings {
    pub fn defaults() -> Settings {
        let default = |key: &keys::Key| Setting {
            value: key.default.to_owned(),
            origin: Origin::Default,
        };
        Settings {
            values: KEYS.iter().map(|key| (key.name, default(key))).collect(),
            hosts: Hosts::new(),
            hosts_origin: Origin::Default,
            providers: Vec::new(),
        }
    }

    /// Reads the file, then `environment`, then the flags.
    pub fn gather(
        given: &Given,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Settings> {
        let variables: Vec<(String, String)> = environment
            .filter(|(name, _)| name.starts_with("THRONG_"))
            .collect();
        let mut upper = Settings::defaults();
        upper.set_environment(&variables)?;
        upper.set_flags(&given.values)?;

        let file = given.file.clone().or_else(|| {
            let named = variables
                .iter()
                .find(|(name, value)| name == "THRONG_CONFIG" && !value.is_empty());
            named.map(|(_, path)| PathBuf::from(path))
        });
        let mut settings = Settings::defaults();
        match file {
            Some(path) => settings.set_file(&path, true)?,
            None => {
                let data = upper.get("data").value.clone();
                settings.set_file(&Path::new(&data).join(FILE), false)?;
                if settings.get("data").origin != Origin::Default {
                    return Err(Failure::usage(format!(
                        "{}: data cannot be set in the file that lies in the data folder",
                        settings.get("data").origin
                    )));
                }
            }
        }
        for (name, setting) in upper.values {
            if setting.origin != Origin::Default {
                settings.values.insert(name, setting);
            }
        }
        Ok(settings)
    }

    /// The value of a key of the table; the names are our own, so one that is missing is a defect.
    pub fn get(&self, name: &str) -> &Setting {
        self.values
            .get(name)
            .unwrap_or_else(|| unreachable!("{name} is not in the table of keys"))
    }

    /// The value as it may be printed: without the password in a URL.
    pub fn shown(&self, name: &str) -> String {
        let value = &self.get(name).value;
        if matches!(name, "database_url" | "mail.smtp_url") {
            masked(value)
        } else {
            value.clone()
        }
    }

    fn set(&mut self, name: &str, value: String, origin: Origin) -> Result<()> {
        let Some(key) = keys::find(name) else {
            let suggestion = keys::suggestion(name, KEYS.iter().map(|key| key.name));
            return Err(Failure::usage(format!(
                "{origin}: unknown key {name}{suggestion}"
            )));
        };
        self.values.insert(key.name, Setting { value, origin });
        Ok(())
    }

    fn set_flags(&mut self, values: &[(String, String, String)]) -> Result<()> {
        values.iter().try_for_each(|(name, value, flag)| {
            self.set(name, value.clone(), Origin::Flag(flag.clone()))
        })
    }

    fn set_environment(&mut self, variables: &[(String, String)]) -> Result<()> {
        let known: Vec<(String, &str)> =
            KEYS.iter().map(|key| (key.variable(), key.name)).collect();
        for (variable, value) in variables {
            if let Some((_, name)) = known.iter().find(|(known, _)| known == variable) {
                self.set(name, value.clone(), Origin::Environment(variable.clone()))?;
            } else if !keys::is_other_variable(variable) {
                let suggestion =
                    keys::suggestion(variable, known.iter().map(|(known, _)| known.as_str()));
                return Err(Failure::usage(format!(
                    "unknown variable {variable} in the environment{suggestion}"
                )));
            }
        }
        Ok(())
    }

    fn set_file(&mut self, path: &Path, required: bool) -> Result<()> {
        let shown = path.display();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error)
                if !required
                    && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(());
            }
            Err(error) => {
                return Err(Failure::usage(format!(
                    "cannot read the configuration {shown}: {error}"
                )));
            }
        };
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            Failure::usage(format!("{shown}: {}", error.to_string().trim_end()))
        })?;
        self.set_table("", &table, path)
    }

    fn set_table(&mut self, prefix: &str, table: &toml::Table, path: &Path) -> Result<()> {
        let origin = Origin::File(path.to_owned());
        for (key, value) in table {
            let name = if prefix.is_empty() {
                key.clone()
            } else {
                format!("{prefix}.{key}")
            };
            match value {
                _ if name == HOSTS => {
                    self.hosts = hosts::parse(value)
                        .map_err(|reason| Failure::usage(format!("{origin}: {reason}")))?;
                    self.hosts_origin = origin.clone();
                }
                _ if name == PROVIDERS => {
                    self.providers = providers::parse(value)
                        .map_err(|reason| Failure::usage(format!("{origin}: {reason}")))?;
                }
                toml::Value::Table(inner) => self.set_table(&name, inner, path)?,
                toml::Value::String(text) => self.set(&name, text.clone(), origin.clone())?,
                toml::Value::Integer(_) | toml::Value::Boolean(_) => {
                    self.set(&name, value.to_string(), origin.clone())?;
                }
                _ => {
                    return Err(Failure::usage(format!(
                        "{origin}: {name} must be a text, a number or true or false"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// `postgres://user:***@host/name`: whatever stands between the first colon of the user and the last `@`, and the value
/// of a parameter `password`.
fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user
                .split_once(':')
                .map_or_else(|| user.to_owned(), |(name, _)| format!("{name}:***"));
            format!("{user}@{host}")
        }
        None => rest.to_owned(),
    };
    let (path, query) = rest
        .split_once('?')
        .map_or((rest.as_str(), None), |(path, query)| (path, Some(query)));
    let Some(query) = query else {
        return format!("{scheme}://{path}");
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if name.to_ascii_lowercase().contains("password") => format!("{name}=***"),
        _ => pair.to_owned(),
    });
    format!("{scheme}://{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::masked;

    #[test]
    fn passwords_of_database_urls_are_masked() {
        assert_eq!(
            masked("postgres://me:se:c@ret@db/x"),
            "postgres://me:***@db/x"
        );
        assert_eq!(masked("postgres://me@db/x"), "postgres://me@db/x");
        assert_eq!(
            masked("postgres://db/x?user=me&sslpassword=a&password=b"),
            "postgres://db/x?user=me&sslpassword=***&password=***"
        );
        assert_eq!(masked("/var/lib/x.db"), "/var/lib/x.db");
    }
}
