//! JSON bodies (RFC 8259): an object, read in one pass, its texts borrowed.
//!
//! Unknown fields are read and dropped by recursion rather than by serde's `IgnoredAny`, which serde_json skips over
//! without its limit on nesting.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::fields::{Fields, Texts, Value};
use crate::flat::{self, Flat};

/// The fields of a body that is one JSON object; fails with a sentence for the caller.
pub fn fields(text: &str) -> Result<Fields<'_>, String> {
    if let Some(fields) = flat(text) {
        return Ok(fields);
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let fields = reader
        .deserialize_map(FieldsVisitor)
        .map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(fields)
}

/// The fields of a body without anything unusual in it, as large ones are.
fn flat(text: &str) -> Option<Fields<'_>> {
    let mut fields = Fields::default();
    for (name, value) in flat::object(text, Texts::KEPT_MAX)? {
        let value = match value {
            Flat::Null => Value::Null,
            Flat::Integer(value) => Value::Integer(value),
            Flat::Text(text) => Value::Text(Cow::Borrowed(text)),
            Flat::Texts { kept, count } => Value::Texts(Texts { kept, count }),
        };
        fields.push(Cow::Borrowed(name), value).ok()?;
    }
    Some(fields)
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(Any(name)) = map.next_key::<Any<'de>>()? {
            let Value::Text(name) = name else {
                return Err(A::Error::custom("a name is no string"));
            };
            let Any(value) = map.next_value()?;
            fields.push(name, value).map_err(A::Error::custom)?;
        }
        Ok(fields)
    }
}

/// Any value; what is in an array that holds more than texts, or in an object, is dropped.
struct Any<'de>(Value<'de>);

impl<'de> Deserialize<'de> for Any<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyVisitor).map(Any)
    }
}

struct AnyVisitor;

impl<'de> Visitor<'de> for AnyVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(i64::try_from(value).map_or(Value::Other, Value::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        let mut texts = Some(Texts::default());
        while let Some(Any(item)) = items.next_element()? {
            match (item, &mut texts) {
                (Value::Text(text), Some(texts)) => texts.push(text),
                _ => texts = None,
            }
        }
        Ok(texts.map_or(Value::Other, Value::Texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value::<Any<'de>>()?;
        }
        Ok(Value::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_gives_its_fields_and_borrows_their_texts() {
        let mut read = fields(
            r#"{"name":"x","advertiserId":-5,"identifiers":["a","b\n"],"gumCallerId":null,"more":{"deep":[1,{"x":[]}]}}"#,
        )
        .expect("reads");
        assert!(matches!(read.text("name"), Ok(Some(Cow::Borrowed("x")))));
        assert_eq!(
            read.integer("advertiserId").expect("is an integer"),
            Some(-5)
        );
        assert_eq!(read.integer("gumCallerId").expect("is null"), None);
        let texts = read
            .texts("identifiers")
            .expect("is a list")
            .expect("is there");
        assert_eq!(texts.count, 2);
        assert!(matches!(&texts.kept[0], Cow::Borrowed("a")));
        assert!(matches!(&texts.kept[1], Cow::Owned(text) if text == "b\n"));
    }

    #[test]
    fn wrong_types_are_seen() {
        for wrong in [
            "\"12\"",
            "12.0",
            "1e3",
            "true",
            "[]",
            "{}",
            "9223372036854775808",
            "-1e30",
        ] {
            let body = format!("{{\"advertiserId\":{wrong}}}");
            assert!(
                fields(&body)
                    .expect("reads")
                    .integer("advertiserId")
                    .is_err(),
                "{wrong}"
            );
        }
        for wrong in ["[1]", "[\"a\",null]", "[[\"a\"]]", "\"a\"", "{}"] {
            let body = format!("{{\"identifiers\":{wrong}}}");
            assert!(
                fields(&body).expect("reads").texts("identifiers").is_err(),
                "{wrong}"
            );
        }
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let deep_objects = format!("{}1{}", "{\"x\":".repeat(100_000), "}".repeat(100_000));
        let wrong = [
            "",
            " ",
            "[]",
            "1",
            "null",
            "\"x\"",
            "{",
            "{\"a\":1",
            "{\"a\":1}x",
            "{\"a\":1}{}",
            "{\"a\":}",
            "{a:1}",
            "{\"a\":1,}",
            "{\"a\":1,\"a\":2}",
            "{\"a\":1,\"\\u0061\":2}",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":1e999}",
            &deep,
            &deep_objects,
        ];
        for body in wrong {
            assert!(fields(body).is_err(), "{}", &body[..body.len().min(40)]);
        }
    }
}
