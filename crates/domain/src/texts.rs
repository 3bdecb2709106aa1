//! Texts that a caller gives to be shown to people, and small JSON of the caller's own.

use serde_json::{Map, Value};

use crate::{
    error::{Error, Result},
    limits,
};

/// A text of 1 to `max` characters without control characters.
pub(crate) fn checked(field: &'static str, text: String, max: usize) -> Result<String> {
    let count = text.chars().count();
    if (1..=max).contains(&count) && !text.trim().is_empty() && !text.contains(char::is_control) {
        return Ok(text);
    }
    let say = format!("It must be 1 to {max} characters without control characters.");
    Err(Error::invalid(field, "malformed", say))
}

/// [`checked`] of what may be absent.
pub(crate) fn optional(
    field: &'static str,
    text: Option<String>,
    max: usize,
) -> Result<Option<String>> {
    text.map(|text| checked(field, text, max)).transpose()
}

/// A JSON object of texts, numbers and booleans, written anew; an empty text is an empty one.
pub(crate) fn flat(text: &str) -> Result<String> {
    let bad = |code, say: String| Err(Error::invalid("metadata", code, say));
    if text.is_empty() {
        return Ok("{}".to_owned());
    }
    let Ok(object) = serde_json::from_str::<Map<String, Value>>(text) else {
        return bad("malformed", "The metadata must be a JSON object.".into());
    };
    let is_flat = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    if !object.values().all(is_flat) {
        let say = "The metadata must hold texts, numbers and booleans only.";
        return bad("nested", say.into());
    }
    let text = Value::Object(object).to_string();
    if text.len() > limits::METADATA_BYTES_MAX {
        let say = format!(
            "The metadata must be at most {} bytes of JSON.",
            limits::METADATA_BYTES_MAX
        );
        return bad("too_large", say);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_neither_empty_nor_too_long() {
        assert_eq!(checked("name", "Ann".into(), 3), Ok("Ann".into()));
        assert_eq!(checked("name", "ÄÖÜ".into(), 3), Ok("ÄÖÜ".into()));
        for wrong in ["", "  ", "Anna", "A\0", "A\n"] {
            assert!(checked("name", wrong.into(), 3).is_err(), "{wrong:?}");
        }
        assert_eq!(optional("name", None, 3), Ok(None));
    }

    #[test]
    fn metadata_is_flat_and_small() {
        assert_eq!(flat(""), Ok("{}".into()));
        let mixed = r#"{ "a" : "b", "c": 1.5, "d": true }"#;
        assert_eq!(flat(mixed), Ok(r#"{"a":"b","c":1.5,"d":true}"#.into()));
        for wrong in [
            "[]",
            "null",
            "1",
            "{",
            r#"{"a":{}}"#,
            r#"{"a":[1]}"#,
            r#"{"a":null}"#,
        ] {
            assert!(flat(wrong).is_err(), "{wrong}");
        }
        let of = |size: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(size));
        assert!(flat(&of(4_096 - 8)).is_ok());
        assert!(flat(&of(4_096 - 7)).is_err());
    }
}
