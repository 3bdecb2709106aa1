//! What is wrong with a request, an entry each, in the words of pydantic 2: `type`, `loc`, `msg`, `input` and sometimes `ctx`.

use domain::Field;
use serde::Serialize;
use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Invalid {
    r#type: &'static str,
    loc: Vec<Step>,
    msg: String,
    input: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    ctx: Option<Value>,
}

/// A step on the way to a value: a name, or a place in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Step {
    Name(String),
    Index(usize),
}

impl From<&str> for Step {
    fn from(name: &str) -> Step {
        Step::Name(name.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Step {
        Step::Index(index)
    }
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    kind: &'static str,
    msg: String,
    ctx: Option<Value>,
}

impl Fault {
    pub fn new(kind: &'static str, msg: impl Into<String>) -> Fault {
        Fault {
            kind,
            msg: msg.into(),
            ctx: None,
        }
    }

    fn with(self, ctx: Value) -> Fault {
        Fault {
            ctx: Some(ctx),
            ..self
        }
    }

    pub fn missing() -> Fault {
        Fault::new("missing", "Field required")
    }

    pub fn not_an_object() -> Fault {
        Fault::new(
            "model_attributes_type",
            "Input should be a valid dictionary or object to extract fields from",
        )
    }

    pub fn string() -> Fault {
        Fault::new("string_type", "Input should be a valid string")
    }

    pub fn list() -> Fault {
        Fault::new("list_type", "Input should be a valid list")
    }

    pub fn dictionary() -> Fault {
        Fault::new("dict_type", "Input should be a valid dictionary")
    }

    pub fn too_short(min: usize) -> Fault {
        let msg = format!("String should have at least {min} characters");
        Fault::new("string_too_short", msg).with(json!({"min_length": min}))
    }

    pub fn too_long(max: usize) -> Fault {
        let msg = format!("String should have at most {max} characters");
        Fault::new("string_too_long", msg).with(json!({"max_length": max}))
    }

    pub fn pattern(pattern: &str) -> Fault {
        let msg = format!("String should match pattern '{pattern}'");
        Fault::new("string_pattern_mismatch", msg).with(json!({"pattern": pattern}))
    }

    /// `bound` is written as the type of the field is: 0 or 0.0.
    pub fn less_than(bound: Value) -> Fault {
        let shown = bound.as_f64().unwrap_or_default();
        let msg = format!("Input should be greater than or equal to {shown}");
        Fault::new("greater_than_equal", msg).with(json!({"ge": bound}))
    }

    pub fn more_than(bound: i64) -> Fault {
        let msg = format!("Input should be less than or equal to {bound}");
        Fault::new("less_than_equal", msg).with(json!({"le": bound}))
    }

    /// None of a list of words.
    pub fn none_of(words: &[&str]) -> Fault {
        let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let expected = match quoted.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            _ => quoted.join(""),
        };
        let msg = format!("Input should be {expected}");
        Fault::new("enum", msg).with(json!({"expected": expected}))
    }

    /// No address, for a reason that email-validator has a sentence for.
    pub fn email(reason: &str) -> Fault {
        Fault::other_email(reason).with(json!({"reason": reason}))
    }

    /// No address, for a reason of ours.
    pub fn other_email(reason: &str) -> Fault {
        let msg = format!("value is not a valid email address: {reason}");
        Fault::new("value_error", msg)
    }

    pub fn uuid(error: &str) -> Fault {
        let msg = format!("Input should be a valid UUID, {error}");
        Fault::new("uuid_parsing", msg).with(json!({"error": error}))
    }

    pub fn uuid_type() -> Fault {
        let msg = "UUID input should be a string, bytes or UUID object";
        Fault::new("uuid_type", msg)
    }

    pub fn datetime(error: &str) -> Fault {
        let msg = format!("Input should be a valid datetime or date, {error}");
        Fault::new("datetime_from_date_parsing", msg).with(json!({"error": error}))
    }

    pub fn json(error: &str) -> Fault {
        Fault::new("json_invalid", "JSON decode error").with(json!({"error": error}))
    }

    /// What only the domain finds.
    pub fn of(field: &Field) -> Fault {
        let text = &field.text;
        Fault::new("value_error", format!("Value error, {text}")).with(json!({"error": {}}))
    }

    /// The entry for a value at a place.
    pub fn at(self, loc: Vec<Step>, input: Value) -> Invalid {
        Invalid {
            r#type: self.kind,
            loc,
            msg: self.msg,
            input,
            ctx: self.ctx,
        }
    }
}

impl Invalid {
    /// A field of the body that the domain refuses.
    pub fn refused(field: &Field, input: Value) -> Invalid {
        let fault = match field.name {
            "email" => Fault::other_email(&field.text),
            _ => Fault::of(field),
        };
        fault.at(vec!["body".into(), field.name.into()], input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_written_as_pydantic_writes_them() {
        let shown = |fault: Fault, input: Value| {
            let entry = fault.at(vec!["body".into(), "x".into(), 1.into()], input);
            serde_json::to_string(&entry).expect("is JSON")
        };
        assert_eq!(
            shown(Fault::missing(), Value::Null),
            r#"{"type":"missing","loc":["body","x",1],"msg":"Field required","input":null}"#
        );
        assert_eq!(
            shown(Fault::less_than(json!(0.0)), json!(-1)),
            r#"{"type":"greater_than_equal","loc":["body","x",1],"msg":"Input should be greater than or equal to 0","input":-1,"ctx":{"ge":0.0}}"#
        );
        assert_eq!(
            shown(Fault::none_of(&["a", "b", "c"]), json!("d")),
            r#"{"type":"enum","loc":["body","x",1],"msg":"Input should be 'a', 'b' or 'c'","input":"d","ctx":{"expected":"'a', 'b' or 'c'"}}"#
        );
    }
}
