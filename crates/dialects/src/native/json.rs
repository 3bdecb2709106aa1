//! JSON bodies, read strictly: the right media type, UTF-8, no unknown and no repeated fields, and an error that names
//! the field. Parsed from bytes that were read before, not by an extractor, so that limits and errors are this API's own.

use std::{fmt, marker::PhantomData};

use axum::http::{HeaderMap, header};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::error::Category;

use super::problem::{Kind, Problem};

/// Characters of a parser's message that an answer repeats; a message can quote the value.
const MESSAGE_CHARS_MAX: usize = 200;

/// Refuses a body that does not say that it is plain JSON.
pub(crate) fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let encoded = headers
        .get(header::CONTENT_ENCODING)
        .is_some_and(|encoding| encoding != "identity");
    if essence.eq_ignore_ascii_case("application/json") && !encoded {
        return Ok(());
    }
    let detail =
        "The body must come with Content-Type: application/json and without Content-Encoding.";
    Err(Problem::new(Kind::UnsupportedMediaType, detail))
}

/// Reads a value. What is not JSON is *malformed*; JSON that does not fit the type is *invalid*.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Err(Problem::malformed("not_utf8", "The body is not UTF-8."));
    };
    serde_json::from_str::<Object<T>>(text)
        .map(|Object(value)| value)
        .map_err(|error| refuse(text, &error))
}

/// A JSON object read as `T`. A derived struct alone would also take an array of its fields' values.
#[derive(Debug)]
pub(crate) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

fn refuse(text: &str, error: &serde_json::Error) -> Problem {
    let whole = error.to_string();
    let mut message: String = whole.chars().take(MESSAGE_CHARS_MAX).collect();
    if message.len() < whole.len() {
        message.push_str(&format!(
            "... at line {} column {}",
            error.line(),
            error.column()
        ));
    }
    let named = |prefix: &str| {
        let rest = whole.strip_prefix(prefix)?.strip_prefix('`')?;
        rest.split('`').next().map(str::to_owned)
    };
    match error.classify() {
        Category::Io | Category::Syntax | Category::Eof => {
            Problem::malformed("not_json", format!("The body is not JSON: {message}."))
        }
        Category::Data => {
            let detail = format!("The body is not as it should be: {message}.");
            if let Some(field) = named("duplicate field ") {
                return Problem::malformed("duplicate_field", detail).with_field(Some(field));
            }
            if let Some(field) = named("unknown field ") {
                return Problem::invalid(field, "unknown_field", detail);
            }
            if let Some(field) = named("missing field ") {
                return Problem::invalid(field, "required", detail);
            }
            let code = if whole.starts_with("unknown variant ") {
                "unknown"
            } else {
                "wrong_type"
            };
            let field =
                field_at(text, error.line(), error.column()).unwrap_or_else(|| "body".to_owned());
            Problem::invalid(field, code, detail)
        }
    }
}

/// The name of the top-level field whose value was being read at a position of the text (both count from 1).
fn field_at(text: &str, line: usize, column: usize) -> Option<String> {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let bytes = text.as_bytes().get(..before + column)?;
    let (mut depth, mut at, mut name) = (0usize, 0usize, None);
    let mut last_string = 0..0;
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b':' if depth == 1 => name = Some(last_string.clone()),
            b'"' => {
                let start = at + 1;
                at = start;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                last_string = start..at.min(bytes.len());
            }
            _ => {}
        }
        at += 1;
    }
    text.get(name?)
        .map(|name| name.chars().take(MESSAGE_CHARS_MAX).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it parses is looked at")]
    struct Sample {
        name: String,
        #[serde(default)]
        ids: Vec<i64>,
    }

    #[test]
    fn errors_name_the_field_and_tell_syntax_from_meaning() {
        let refuse = |text: &str| {
            parse::<Sample>(text.as_bytes())
                .map(drop)
                .expect_err("is refused")
        };
        for (text, kind, code, field) in [
            ("", Kind::Malformed, "not_json", None),
            ("{\"name\":\"a\"} x", Kind::Malformed, "not_json", None),
            (
                "{\"name\":\"a\",\"name\":\"b\"}",
                Kind::Malformed,
                "duplicate_field",
                Some("name"),
            ),
            (
                "{\"name\":\"a\",\"nom\":1}",
                Kind::Invalid,
                "unknown_field",
                Some("nom"),
            ),
            ("{}", Kind::Invalid, "required", Some("name")),
            ("{\"name\":7}", Kind::Invalid, "wrong_type", Some("name")),
            (
                "{\n \"name\":\"a,\\\":[\",\n \"ids\":[1,\n2,{}]}",
                Kind::Invalid,
                "wrong_type",
                Some("ids"),
            ),
            ("[\"a\", []]", Kind::Invalid, "wrong_type", Some("body")),
            ("7", Kind::Invalid, "wrong_type", Some("body")),
        ] {
            let problem = refuse(text);
            assert_eq!(
                (problem.kind, problem.code, problem.field.as_deref()),
                (kind, code, field),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_quoted_is_short() {
        let long = format!("{{\"name\":\"a\",\"ids\":\"{}\"}}", "x".repeat(100_000));
        let problem = parse::<Sample>(long.as_bytes()).expect_err("is refused");
        assert!(format!("{problem:?}").len() < 1_000);
    }
}
