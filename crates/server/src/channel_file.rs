//! The file with a provider's settings, in TOML or JSON: names with texts. Secrets come from here or from standard input, and
//! never from the command line, where other users of the machine could see them.
//!
//! Invariant: what is said about a wrong file quotes nothing of it but names.

use std::{
    fs::File,
    io::{Read, stdin},
    path::Path,
};

use serde_json::{Map, Value};

use crate::failure::{Failure, Result};

/// Bytes of a file.
const BYTES_MAX: u64 = 64 << 10;
/// Stands for standard input.
pub const STDIN: &str = "-";

/// Settings by name; null is one to be taken away.
pub type Settings = Map<String, Value>;

/// Reads a file, or standard input where the path is `-`.
pub fn read(path: &Path) -> Result<Settings> {
    let name = if is_stdin(path) {
        "standard input".to_owned()
    } else {
        path.display().to_string()
    };
    let failed = |error: std::io::Error| Failure::usage(format!("cannot read {name}: {error}"));
    let source: Box<dyn Read> = if is_stdin(path) {
        Box::new(stdin().lock())
    } else {
        Box::new(File::open(path).map_err(failed)?)
    };
    let mut bytes = Vec::new();
    let read = source.take(BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(failed)?;
    if bytes.len() as u64 > BYTES_MAX {
        let text = format!("{name} is larger than {BYTES_MAX} bytes: is it the right file?");
        return Err(Failure::usage(text));
    }
    let wrong = |reason: String| Failure::usage(format!("{name}: {reason}"));
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".into()))?;
    parse(&text).map_err(wrong)
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == STDIN
}

/// Reads JSON where it begins like JSON, else TOML.
fn parse(text: &str) -> std::result::Result<Settings, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let found = if text.trim_start().starts_with('{') {
        serde_json::from_str::<Settings>(text).map_err(|error| {
            format!(
                "it is not JSON: line {}, column {}",
                error.line(),
                error.column()
            )
        })?
    } else {
        from_toml(text)?
    };
    if found.is_empty() {
        return Err("it sets nothing: each line is NAME = \"VALUE\"".into());
    }
    found
        .into_iter()
        .map(|(name, value)| {
            let value = setting(value).ok_or_else(|| {
                format!("{name} must be a text (\"\" takes a setting away), as in {name} = \"...\"")
            })?;
            Ok((name, value))
        })
        .collect()
}

/// The parser's own words would quote the line, with what is secret on it.
fn from_toml(text: &str) -> std::result::Result<Settings, String> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let line = text.as_bytes()[..at]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            + 1;
        format!("line {line} is not TOML: each line is NAME = \"VALUE\"")
    })?;
    let settings = table.into_iter().map(|(name, value)| {
        let value = match value {
            toml::Value::String(text) => Value::String(text),
            toml::Value::Integer(number) => number.into(),
            _ => Value::Array(Vec::new()),
        };
        (name, value)
    });
    Ok(settings.collect())
}

/// A text, or null where there is none. A whole number is taken as its digits: ids look like numbers.
fn setting(value: Value) -> Option<Value> {
    match value {
        Value::Null => Some(Value::Null),
        Value::String(text) if text.is_empty() => Some(Value::Null),
        Value::String(_) => Some(value),
        Value::Number(number) if number.is_u64() => Some(Value::String(number.to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_read_from_toml_and_json() {
        let toml =
            "# a comment\nphone_number_id = 106540352242922\ntoken = \"t=1\"\napp_secret = \"\"\n";
        let text = r#" {"phone_number_id": 106540352242922, "token": "t=1", "app_secret": null}"#;
        let expected =
            json!({"phone_number_id": "106540352242922", "token": "t=1", "app_secret": null});
        assert_eq!(parse(toml).map(Value::Object), Ok(expected.clone()));
        assert_eq!(parse(text).map(Value::Object), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_value() {
        for (wrong, said) in [
            ("", "sets nothing"),
            ("# nothing\n", "sets nothing"),
            ("{}", "sets nothing"),
            ("a = \"1\"\ntoken = s3cret\n", "line 2"),
            ("token: s3cret", "line 1"),
            ("token = \"s3cret", "line 1"),
            ("{\"token\": \"s3cret\"", "line 1, column"),
            ("{\"token\": s3cret}", "line 1, column"),
            ("{\"token\": [\"s3cret\"]}", "token must be a text"),
            ("{\"token\": 1.5}", "token must be a text"),
            ("token = true", "token must be a text"),
            ("[token]\nvalue = \"s3cret\"", "token must be a text"),
            ("token = \"a\"\ntoken = \"s3cret\"", "line 2"),
            ("token = -7", "token must be a text"),
        ] {
            let text = parse(wrong).expect_err("is refused");
            assert!(text.contains(said), "{wrong:?}: {text}");
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}
