//! A request body as named values, whichever media type it came in: what [`super::json`], [`super::xml`] and
//! [`super::form`] read into and what the models of [`super::wire`] are taken from.
//!
//! Invariants: no name comes twice; text that needed no decoding is borrowed from the body; a list keeps at most one more
//! item than a request may carry, so that a body cannot make the server hold many times its own size.

use std::borrow::Cow;

use super::error::Problem;

/// Fields of one body, known or not.
const FIELDS_MAX: usize = 64;

/// Fields that hold a list of texts, where the media type cannot tell a list from a text.
pub const LISTS: &[&str] = &["identifiers"];

/// A list of texts; `count` goes on where `kept` stops.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Texts<'a> {
    pub kept: Vec<Cow<'a, str>>,
    pub count: usize,
}

impl<'a> Texts<'a> {
    /// One more than a request may carry, so that the excess is seen.
    pub const KEPT_MAX: usize = domain::limits::IDENTIFIERS_MAX + 1;

    pub fn push(&mut self, text: Cow<'a, str>) {
        self.count += 1;
        if self.kept.len() < Texts::KEPT_MAX {
            self.kept.push(text);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Value<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
    /// Text of a media type that has no numbers: the field says whether it is one.
    Untyped(Cow<'a, str>),
    Texts(Texts<'a>),
    /// What no field of any model holds.
    Other,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Fields<'a> {
    /// Adds a field; fails with a sentence for the caller.
    pub fn push(&mut self, name: Cow<'a, str>, value: Value<'a>) -> Result<(), String> {
        if self.0.iter().any(|(known, _)| *known == name) {
            let shown: String = name.chars().take(64).collect();
            return Err(format!("the field `{shown}` comes twice"));
        }
        if self.0.len() >= FIELDS_MAX {
            return Err(format!("there are more than {FIELDS_MAX} fields"));
        }
        self.0.push((name, value));
        Ok(())
    }

    /// Adds an item to a list field, which begins with its first item.
    pub fn list_push(&mut self, name: &str, item: Cow<'a, str>) -> Result<(), String> {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, Value::Texts(texts))) => texts.push(item),
            _ => {
                let mut texts = Texts::default();
                texts.push(item);
                self.push(name.to_owned().into(), Value::Texts(texts))?;
            }
        }
        Ok(())
    }

    fn take(&mut self, name: &str) -> Value<'a> {
        let found = self.0.iter_mut().find(|(known, _)| known == name);
        found.map_or(Value::Null, |(_, value)| {
            std::mem::replace(value, Value::Null)
        })
    }

    /// An integer; nothing where it is absent or null.
    pub fn integer(&mut self, name: &str) -> Result<Option<i64>, Problem> {
        match self.take(name) {
            Value::Null => Ok(None),
            Value::Integer(value) => Ok(Some(value)),
            Value::Untyped(text) => match integer(text.trim()) {
                Some(value) => Ok(Some(value)),
                None => Err(wrong_type(name, "a 64-bit integer")),
            },
            Value::Text(_) | Value::Texts(_) | Value::Other => {
                Err(wrong_type(name, "a 64-bit integer"))
            }
        }
    }

    /// A text; nothing where it is absent or null.
    pub fn text(&mut self, name: &str) -> Result<Option<Cow<'a, str>>, Problem> {
        match self.take(name) {
            Value::Null => Ok(None),
            Value::Text(text) | Value::Untyped(text) => Ok(Some(text)),
            Value::Integer(_) | Value::Texts(_) | Value::Other => Err(wrong_type(name, "a string")),
        }
    }

    /// A list of texts; nothing where it is absent or null.
    pub fn texts(&mut self, name: &str) -> Result<Option<Texts<'a>>, Problem> {
        match self.take(name) {
            Value::Null => Ok(None),
            Value::Texts(texts) => Ok(Some(texts)),
            Value::Integer(_) | Value::Text(_) | Value::Untyped(_) | Value::Other => {
                Err(wrong_type(name, "an array of strings"))
            }
        }
    }
}

fn wrong_type(name: &str, wanted: &str) -> Problem {
    Problem::invalid(
        "field-type-invalid",
        format!("The field `{name}` must be {wanted}."),
    )
}

/// Decimal digits with at most a minus sign before them.
pub fn integer(text: &str) -> Option<i64> {
    if text.starts_with('+') {
        None
    } else {
        text.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_once_and_there_are_not_too_many() {
        let mut fields = Fields::default();
        for at in 0..FIELDS_MAX {
            fields
                .push(at.to_string().into(), Value::Null)
                .expect("has room");
        }
        assert!(
            fields
                .push("0".into(), Value::Null)
                .expect_err("refuses")
                .contains("twice")
        );
        assert!(
            fields
                .push("x".into(), Value::Null)
                .expect_err("refuses")
                .contains("more than")
        );
    }

    #[test]
    fn a_list_counts_on_where_it_stops_keeping() {
        let mut texts = Texts::default();
        for _ in 0..domain::limits::IDENTIFIERS_MAX + 7 {
            texts.push("a".into());
        }
        assert_eq!(texts.count, domain::limits::IDENTIFIERS_MAX + 7);
        assert_eq!(texts.kept.len(), domain::limits::IDENTIFIERS_MAX + 1);
    }

    #[test]
    fn a_field_of_another_type_is_refused() {
        let one = |value| {
            let mut fields = Fields::default();
            fields.push("f".into(), value).expect("has room");
            fields
        };
        assert_eq!(
            one(Value::Untyped(" 12 ".into()))
                .integer("f")
                .expect("reads"),
            Some(12)
        );
        assert_eq!(one(Value::Null).integer("f").expect("reads"), None);
        assert_eq!(one(Value::Null).integer("g").expect("reads"), None);
        for wrong in [
            Value::Text("12".into()),
            Value::Untyped("+1".into()),
            Value::Other,
        ] {
            assert!(one(wrong).integer("f").is_err());
        }
        assert!(
            one(Value::Untyped("9223372036854775808".into()))
                .integer("f")
                .is_err()
        );
        assert!(one(Value::Integer(1)).text("f").is_err());
        assert!(one(Value::Text("a".into())).texts("f").is_err());
    }
}
