//! The fields of a command, checked as pydantic 2 checks them: all of them, each wrong one with an entry, unknown ones
//! ignored. Numbers and truth values may come as text, as pydantic's lax mode takes them.

use std::sync::LazyLock;

use domain::{
    ACTIONS, DialectId, Email, Error, IdKind, Money, Permission, Permissions, RESOURCES, Role,
    rfc3339,
};
use serde_json::{Map, Value};

use super::{
    datetime,
    error::Problem,
    invalid::{Fault, Invalid, Step},
    uuid,
    wire::ROLES,
};

/// What comes without a body's own JSON.
#[derive(Debug, Clone, PartialEq)]
pub enum Sent {
    /// No byte.
    Nothing,
    /// A value, or the text of a body that is no JSON by its type.
    Value(Value),
}

/// What is to be made of a field that is absent or null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It must be there.
    Required,
    /// It may be absent, but not null.
    Absent,
    /// It may be absent or null.
    Null,
}

/// Reads one command, and collects what is wrong with it.
#[derive(Debug)]
pub struct Fields<'a> {
    fields: &'a Map<String, Value>,
    /// What an entry on a missing field shows as its input.
    whole: Value,
    errors: Vec<Invalid>,
}

impl Sent {
    /// The fields of a command that is the whole body.
    pub fn fields(&self) -> Result<Fields<'_>, Problem> {
        let refuse = |fault: Fault, input| {
            let entry = fault.at(vec!["body".into()], input);
            Err(Problem::invalid(vec![entry]))
        };
        match self {
            Sent::Nothing => refuse(Fault::missing(), Value::Null),
            Sent::Value(Value::Object(fields)) => Ok(Fields {
                fields,
                whole: Value::Object(fields.clone()),
                errors: Vec::new(),
            }),
            Sent::Value(other) => refuse(Fault::not_an_object(), other.clone()),
        }
    }

    /// The fields of a body whose fields are parameters of their own: what is no object has none.
    pub fn parameters(&self) -> Fields<'_> {
        static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        Fields {
            fields: match self {
                Sent::Value(Value::Object(fields)) => fields,
                _ => &NONE,
            },
            whole: Value::Null,
            errors: Vec::new(),
        }
    }

    /// The value, to show of it what is refused later.
    pub fn value(&self) -> &Value {
        match self {
            Sent::Nothing => &Value::Null,
            Sent::Value(value) => value,
        }
    }
}

impl<'a> Fields<'a> {
    /// Fails with everything that was wrong.
    pub fn finish(self) -> Result<(), Problem> {
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(Problem::invalid(self.errors))
    }

    fn fail(&mut self, name: &str, fault: Fault, input: &Value) {
        self.fail_at(vec!["body".into(), name.into()], fault, input.clone());
    }

    fn fail_at(&mut self, loc: Vec<Step>, fault: Fault, input: Value) {
        self.errors.push(fault.at(loc, input));
    }

    fn find(&mut self, name: &str, need: Need) -> Option<&'a Value> {
        let found = self.fields.get(name);
        if found.is_none() && need == Need::Required {
            let whole = self.whole.clone();
            self.fail(name, Fault::missing(), &whole);
        }
        found.filter(|value| !(need == Need::Null && value.is_null()))
    }

    /// Converts a field, or notes what is wrong with it.
    fn read<T>(
        &mut self,
        name: &str,
        need: Need,
        convert: impl FnOnce(&'a Value) -> Result<T, Fault>,
    ) -> Option<T> {
        let value = self.find(name, need)?;
        match convert(value) {
            Ok(read) => Some(read),
            Err(fault) => {
                self.fail(name, fault, value);
                None
            }
        }
    }

    pub fn is_null(&self, name: &str) -> bool {
        self.fields.get(name).is_some_and(Value::is_null)
    }

    pub fn text(&mut self, name: &str, need: Need) -> Option<&'a str> {
        self.read(name, need, text)
    }

    /// A text of `min` to `max` characters.
    pub fn text_within(
        &mut self,
        name: &str,
        need: Need,
        min: usize,
        max: usize,
    ) -> Option<&'a str> {
        self.read(name, need, |value| {
            let text = text(value)?;
            match text.chars().count() {
                count if count < min => Err(Fault::too_short(min)),
                count if count > max => Err(Fault::too_long(max)),
                _ => Ok(text),
            }
        })
    }

    pub fn email(&mut self, name: &str, need: Need) -> Option<&'a str> {
        self.read(name, need, |value| {
            let text = text(value)?;
            match Email::parse(text) {
                Ok(_) => Ok(text),
                Err(_) => Err(why_no_email(text)),
            }
        })
    }

    pub fn flag(&mut self, name: &str, need: Need) -> Option<bool> {
        self.read(name, need, flag)
    }

    /// An amount that is not below zero.
    pub fn amount(&mut self, name: &'static str, need: Need) -> Option<Money> {
        self.read(name, need, |value| {
            let number = number(value)?;
            if number < 0.0 {
                return Err(Fault::less_than(Value::from(0.0)));
            }
            Money::from_f64(name, number).map_err(|error| match error {
                Error::Invalid(field) => Fault::of(&field),
                _ => Fault::new("finite_number", "Input should be a finite number"),
            })
        })
    }

    /// A count that is not below zero. It is checked and not used: counts are counted.
    pub fn count(&mut self, name: &str, need: Need) {
        self.read(name, need, |value| match integer(value)? {
            count if count < 0 => Err(Fault::less_than(Value::from(0))),
            count => Ok(count),
        });
    }

    /// A UUID in lower case with hyphens.
    pub fn uuid(&mut self, name: &str, need: Need) -> Option<String> {
        self.read(name, need, |value| {
            let text = value.as_str().ok_or_else(Fault::uuid_type)?;
            uuid::parse(text).map_err(|error| Fault::uuid(&error))
        })
    }

    pub fn role(&mut self, name: &str, need: Need) -> Option<Role> {
        self.read(name, need, |value| {
            let role = value.as_str().and_then(Role::parse);
            role.ok_or_else(|| Fault::none_of(&ROLES))
        })
    }

    /// A time as its sender writes it; a number is seconds or milliseconds since the epoch, as pydantic takes it.
    pub fn datetime(&mut self, name: &str, need: Need) -> Option<String> {
        /// Beyond this many seconds it is milliseconds.
        const SECONDS_MAX: f64 = 2e10;
        /// The year 9999 in milliseconds.
        const MILLIS_MAX: f64 = 253_402_300_799_999.0;
        self.read(name, need, |value| match value {
            Value::String(text) => {
                datetime::check(text.trim()).map_err(Fault::datetime)?;
                Ok(text.trim().to_owned())
            }
            Value::Number(number) => {
                let number = number.as_f64().unwrap_or(f64::NAN);
                let millis = if number.abs() > SECONDS_MAX {
                    number
                } else {
                    number * 1_000.0
                };
                if (0.0..=MILLIS_MAX).contains(&millis) {
                    return Ok(rfc3339(millis as i64));
                }
                Err(Fault::datetime("dates after 9999 are not supported"))
            }
            _ => Err(Fault::new(
                "datetime_type",
                "Input should be a valid datetime",
            )),
        })
    }

    /// An object whose fields of these names, where present, are objects too.
    pub fn object(
        &mut self,
        name: &str,
        need: Need,
        inner: &[&str],
    ) -> Option<&'a Map<String, Value>> {
        let object = self.read(name, need, dictionary)?;
        let before = self.errors.len();
        for key in inner {
            let Some(value) = object.get(*key) else {
                continue;
            };
            if let Err(fault) = dictionary(value) {
                let loc = vec!["body".into(), name.into(), (*key).into()];
                self.fail_at(loc, fault, value.clone());
            }
        }
        (self.errors.len() == before).then_some(object)
    }

    /// Lists of actions by resource.
    pub fn permissions(&mut self, name: &str, need: Need) -> Option<Permissions> {
        let object = self.read(name, need, dictionary)?;
        let before = self.errors.len();
        let mut all = Permissions::NONE;
        for (resource, actions) in object {
            let loc = || vec![Step::from("body"), name.into(), resource.as_str().into()];
            let Value::Array(actions) = actions else {
                self.fail_at(loc(), Fault::list(), actions.clone());
                continue;
            };
            if !RESOURCES.contains(&resource.as_str()) {
                let mut loc = loc();
                loc.push("[key]".into());
                self.fail_at(loc, Fault::none_of(&RESOURCES), resource.as_str().into());
            }
            for (index, action) in actions.iter().enumerate() {
                let word = match text(action) {
                    Ok(word) if ACTIONS.contains(&word) => word,
                    Ok(_) => {
                        let loc = [loc(), vec![index.into()]].concat();
                        self.fail_at(loc, Fault::none_of(&ACTIONS), action.clone());
                        continue;
                    }
                    Err(fault) => {
                        let loc = [loc(), vec![index.into()]].concat();
                        self.fail_at(loc, fault, action.clone());
                        continue;
                    }
                };
                if let Some(one) = Permission::parse(&format!("{resource}:{word}")) {
                    all = all.with(one);
                }
            }
        }
        (self.errors.len() == before).then_some(all)
    }
}

fn text(value: &Value) -> Result<&str, Fault> {
    value.as_str().ok_or_else(Fault::string)
}

fn dictionary(value: &Value) -> Result<&Map<String, Value>, Fault> {
    value.as_object().ok_or_else(Fault::dictionary)
}

fn flag(value: &Value) -> Result<bool, Fault> {
    const MSG: &str = "Input should be a valid boolean, unable to interpret input";
    let unclear = || Fault::new("bool_parsing", MSG);
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Number(number) => match number.as_f64() {
            Some(0.0) => Ok(false),
            Some(1.0) => Ok(true),
            Some(other) if other.fract() != 0.0 => {
                Err(Fault::new("bool_type", "Input should be a valid boolean"))
            }
            _ => Err(unclear()),
        },
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "0" | "off" | "f" | "false" | "n" | "no" => Ok(false),
            "1" | "on" | "t" | "true" | "y" | "yes" => Ok(true),
            _ => Err(unclear()),
        },
        _ => Err(Fault::new("bool_type", "Input should be a valid boolean")),
    }
}

/// Digits may have single underscores between them.
fn plain(text: &str) -> Option<String> {
    let text = text.trim();
    let odd = text.starts_with('_') || text.ends_with('_') || text.contains("__");
    (!odd).then(|| text.replace('_', ""))
}

fn number(value: &Value) -> Result<f64, Fault> {
    const MSG: &str = "Input should be a valid number, unable to parse string as a number";
    match value {
        Value::Number(number) => Ok(number.as_f64().unwrap_or(f64::INFINITY)),
        Value::Bool(flag) => Ok(f64::from(u8::from(*flag))),
        Value::String(text) => plain(text)
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| Fault::new("float_parsing", MSG)),
        _ => Err(Fault::new("float_type", "Input should be a valid number")),
    }
}

fn integer(value: &Value) -> Result<i64, Fault> {
    match value {
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(whole),
            (None, Some(number)) if number.fract() != 0.0 => Err(Fault::new(
                "int_from_float",
                "Input should be a valid integer, got a number with a fractional part",
            )),
            (None, Some(number)) if number.abs() < 9e18 => Ok(number as i64),
            _ => Err(Fault::new(
                "int_parsing_size",
                "Unable to parse input string as an integer, exceeded maximum size",
            )),
        },
        Value::Bool(flag) => Ok(i64::from(*flag)),
        Value::String(text) => whole(text),
        _ => Err(Fault::new("int_type", "Input should be a valid integer")),
    }
}

/// The integer in a text, as in a query.
pub fn whole(text: &str) -> Result<i64, Fault> {
    const MSG: &str = "Input should be a valid integer, unable to parse string as an integer";
    let text = plain(text).unwrap_or_default();
    let digits = match text.split_once('.') {
        Some((digits, zeros)) if zeros.bytes().all(|byte| byte == b'0') => digits,
        _ => text.as_str(),
    };
    digits.parse().map_err(|_| Fault::new("int_parsing", MSG))
}

/// What is wrong with an address, in the words of email-validator where it is one of the plain mistakes.
fn why_no_email(text: &str) -> Fault {
    let text = text.trim();
    let Some((local, domain)) = text.rsplit_once('@') else {
        return Fault::email("An email address must have an @-sign.");
    };
    let reason = if text.contains(['\r', '\n']) {
        "Carriage return and line feed characters are not allowed"
    } else if local.is_empty() {
        "There must be something before the @-sign."
    } else if domain.is_empty() {
        "There must be something after the @-sign."
    } else if local.contains("..") || domain.contains("..") {
        "An email address cannot have two periods in a row."
    } else if local.starts_with('.') || domain.starts_with('.') {
        "An email address cannot start with a period."
    } else if local.contains('@') {
        "The part after the @-sign contains invalid characters: '@'."
    } else if !domain.contains('.') {
        "The part after the @-sign is not valid. It should have a period."
    } else if local.contains(' ') {
        "The email address contains invalid characters before the @-sign: SPACE."
    } else {
        return Fault::other_email("It is not of the form name@domain.");
    };
    Fault::email(reason)
}

/// The number of a user by its UUID; 0, which nobody has, where the UUID is of nobody here.
pub fn account_id(workspace: i64, uuid: &str) -> i64 {
    let id = DialectId::from_uuid(uuid);
    let id = id.filter(|id| id.workspace == workspace && id.kind == IdKind::Account);
    id.map_or(0, |id| id.id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Reads one field `f`; the type and place of what is wrong.
    fn wrong<T>(value: Value, read: impl FnOnce(&mut Fields<'_>) -> T) -> Vec<String> {
        let sent = Sent::Value(json!({"f": value}));
        let mut fields = sent.fields().expect("is an object");
        read(&mut fields);
        let shown = |error: &Invalid| {
            let entry = serde_json::to_value(error).expect("is JSON");
            format!(
                "{} {}",
                entry["type"].as_str().unwrap_or_default(),
                entry["loc"]
            )
        };
        fields.errors.iter().map(shown).collect()
    }

    #[test]
    fn numbers_and_flags_are_read_as_pydantic_reads_them() {
        for (value, kind) in [
            (json!("x"), "float_parsing"),
            (json!("1__0"), "float_parsing"),
            (json!([]), "float_type"),
            (json!(null), "float_type"),
            (json!(-0.01), "greater_than_equal"),
            (json!("inf"), "value_error"),
            (json!(1e300), "value_error"),
            (json!(0.0001), "value_error"),
        ] {
            let found = wrong(value, |fields| fields.amount("f", Need::Absent));
            assert_eq!(found, [format!("{kind} [\"body\",\"f\"]")]);
        }
        for value in [
            json!(1),
            json!(" 5 "),
            json!("1_0"),
            json!(true),
            json!(0.5),
        ] {
            let found = wrong(value, |fields| fields.amount("f", Need::Required));
            assert!(found.is_empty());
        }
        for (value, kind) in [
            (json!(1.5), "int_from_float"),
            (json!("1.5"), "int_parsing"),
            (json!({}), "int_type"),
            (json!(-1), "greater_than_equal"),
            (json!(1e30), "int_parsing_size"),
        ] {
            let found = wrong(value, |fields| fields.count("f", Need::Null));
            assert_eq!(found, [format!("{kind} [\"body\",\"f\"]")]);
        }
        for (value, kind) in [
            (json!("maybe"), "bool_parsing"),
            (json!(" t"), "bool_parsing"),
            (json!(2), "bool_parsing"),
            (json!(0.5), "bool_type"),
            (json!([]), "bool_type"),
        ] {
            let found = wrong(value, |fields| fields.flag("f", Need::Null));
            assert_eq!(found, [format!("{kind} [\"body\",\"f\"]")]);
        }
        for value in [json!("YES"), json!(0), json!(1.0), json!(null)] {
            assert!(wrong(value, |fields| fields.flag("f", Need::Null)).is_empty());
        }
    }

    #[test]
    fn permissions_are_lists_of_known_words() {
        let read = |value| wrong(value, |fields| fields.permissions("f", Need::Required));
        assert!(read(json!({"campaign": ["r", "w"], "audience": []})).is_empty());
        assert_eq!(read(json!([])), ["dict_type [\"body\",\"f\"]"]);
        assert_eq!(
            read(json!({"campaign": "r"})),
            ["list_type [\"body\",\"f\",\"campaign\"]"]
        );
        assert_eq!(
            read(json!({"campaign": ["r", 1, "fly"], "moon": ["r"]})),
            [
                "string_type [\"body\",\"f\",\"campaign\",1]",
                "enum [\"body\",\"f\",\"campaign\",2]",
                "enum [\"body\",\"f\",\"moon\",\"[key]\"]"
            ]
        );
    }

    #[test]
    fn what_is_missing_shows_the_whole_command_and_a_parameter_nothing() {
        let sent = Sent::Value(json!({"g": 1}));
        let mut fields = sent.fields().expect("is an object");
        fields.text("f", Need::Required);
        let entry = serde_json::to_value(&fields.errors[0]).expect("is JSON");
        assert_eq!(entry["input"], json!({"g": 1}));
        for sent in [sent.clone(), Sent::Nothing, Sent::Value(json!([]))] {
            let mut fields = sent.parameters();
            fields.text("f", Need::Required);
            let entry = serde_json::to_value(&fields.errors[0]).expect("is JSON");
            assert_eq!(
                (&entry["type"], &entry["input"]),
                (&json!("missing"), &json!(null))
            );
        }
    }
}
