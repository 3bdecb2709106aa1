//! Bodies in JSON. Fields are read one by one, since the vendor's clients send back what they got: what is read-only or
//! unknown is left alone, whatever it holds, and what is wrong is told by its field.

use domain::{CallLimit, Error, Field, GroupRef, Per, Permissions};
use serde_json::{Map, Value};

use super::{
    error::{NO_FIELD, Problem},
    query,
};

/// How a body that is not JSON is refused. The vendor documents a validation error as the only 400 of some operations, and
/// its clients cannot read another one there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    BadRequest,
    Validation,
}

/// The value in a body; nothing where it is empty.
pub fn value(bytes: &[u8], unreadable: Unreadable) -> Result<Option<Value>, Problem> {
    if bytes.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(bytes).map(Some).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let text = format!(
            "The body is not JSON in UTF-8, or is nested too deep: line {line}, column {column}."
        );
        match unreadable {
            Unreadable::BadRequest => Problem::bad_request(text),
            Unreadable::Validation => Problem::validation(NO_FIELD, text),
        }
    })
}

/// The items of a bulk request.
pub fn items(value: Option<Value>) -> Result<Vec<Value>, Problem> {
    let Some(Value::Array(items)) = value else {
        return Err(Problem::validation(
            NO_FIELD,
            "The body must be a JSON array.",
        ));
    };
    let max = domain::limits::ACCOUNTS_BULK_MAX;
    if items.len() > max {
        let text = format!("One request holds at most {max} items.");
        return Err(Problem::validation(NO_FIELD, text));
    }
    Ok(items)
}

pub fn invalid(name: &'static str, code: &'static str, text: &str) -> Error {
    Error::Invalid(Field {
        name,
        code,
        text: text.to_owned(),
    })
}

/// The code of a value that is not of its field's type.
pub const WRONG_TYPE: &str = "wrong_type";
/// The code of a field that is missing.
pub const REQUIRED: &str = "required";

fn wrong_type(name: &'static str, text: &str) -> Error {
    invalid(name, WRONG_TYPE, text)
}

/// The fields of an object.
#[derive(Debug, Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    pub fn of(value: Value) -> Result<Fields, Error> {
        match value {
            Value::Object(fields) => Ok(Fields(fields)),
            _ => Err(wrong_type("body", "This must be a JSON object.")),
        }
    }

    /// A text, where it is given.
    pub fn text(&self, name: &'static str) -> Result<Option<String>, Error> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong_type(name, "This must be a string.")),
        }
    }

    /// A text, where it is given and not null.
    pub fn nullable_text(&self, name: &'static str) -> Result<Option<String>, Error> {
        match self.0.get(name) {
            Some(Value::Null) => Ok(None),
            _ => self.text(name),
        }
    }

    /// A text that must be given.
    pub fn required(&self, name: &'static str) -> Result<String, Error> {
        let text = self.text(name)?;
        text.ok_or_else(|| invalid(name, REQUIRED, "This field is required."))
    }

    /// Permissions of the vendor's list, where they are given.
    pub fn permissions(&self) -> Result<Option<Permissions>, Error> {
        const NAME: &str = "permissions";
        let words = match self.0.get(NAME) {
            None => return Ok(None),
            Some(Value::Array(words)) => words,
            Some(_) => return Err(wrong_type(NAME, "This must be a list of permissions.")),
        };
        let mut all = Permissions::NONE;
        for word in words {
            let word = word
                .as_str()
                .ok_or_else(|| wrong_type(NAME, "A permission must be a string."))?;
            all = all.with(query::permission(NAME, word)?);
        }
        Ok(Some(all))
    }

    /// Groups, where they are given: by uid, or by title where a client has dropped the uid as read-only. Null counts as
    /// not given, since the vendor's clients write it for what they do not know.
    pub fn groups(&self) -> Result<Option<Vec<GroupRef>>, Error> {
        const NAME: &str = "groups";
        let groups = match self.0.get(NAME) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(groups)) => groups,
            Some(_) => return Err(wrong_type(NAME, "This must be a list of groups.")),
        };
        let name = |group: &Value| {
            let text = |name| group[name].as_str().filter(|text| !text.is_empty());
            match (text("uid"), text("title")) {
                (Some(uid), _) => Ok(GroupRef::Uid(uid.to_owned())),
                (None, Some(title)) => Ok(GroupRef::Title(title.to_owned())),
                (None, None) => Err(wrong_type(NAME, "A group must be an object with a uid.")),
            }
        };
        groups.iter().map(name).collect::<Result<_, _>>().map(Some)
    }

    /// `explore_limits`, where they are given; `Some(None)` lifts them.
    pub fn call_limit(&self) -> Result<Option<Option<CallLimit>>, Error> {
        const NAME: &str = "explore_limits";
        let limits = match self.0.get(NAME) {
            None => return Ok(None),
            Some(Value::Object(limits)) => limits,
            Some(_) => return Err(wrong_type(NAME, "This must be an object.")),
        };
        let calls = match limits.get("api_calls") {
            None | Some(Value::Null) => return Ok(Some(None)),
            Some(calls) => calls,
        };
        let limit = calls["limit"].as_f64().and_then(query::natural);
        let per = calls["unit"].as_str().and_then(Per::parse);
        match (limit, per) {
            (Some(calls), Some(per)) => Ok(Some(Some(CallLimit { calls, per }))),
            _ => Err(wrong_type(
                NAME,
                "api_calls must have a limit, which is a whole number from 0, and a unit: year, month, day, hour, minute or second.",
            )),
        }
    }

    /// `identity_provider.uid`
    pub fn provider(&self) -> Result<String, Error> {
        const NAME: &str = "identity_provider";
        let provider = self
            .0
            .get(NAME)
            .ok_or_else(|| invalid(NAME, REQUIRED, "This field is required."))?;
        let uid = provider["uid"].as_str();
        uid.map(str::to_owned)
            .ok_or_else(|| wrong_type(NAME, "This must be an object with a uid."))
    }

    /// The subject in `identity_provider_attributes`: who the provider will say that it is.
    pub fn subject(&self) -> Result<Option<String>, Error> {
        const NAME: &str = "identity_provider_attributes";
        let attributes = match self.0.get(NAME) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Object(attributes)) => attributes,
            Some(_) => return Err(wrong_type(NAME, "This must be an object.")),
        };
        match attributes.get("sub").or_else(|| attributes.get("subject")) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(subject)) => Ok(Some(subject.clone())),
            Some(_) => Err(wrong_type(NAME, "The subject must be a string.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        Fields::of(value).expect("is an object")
    }

    #[test]
    fn groups_are_named_by_uid_or_title() {
        let given = fields(json!({"groups": [
            {"uid": "a", "title": "A", "created_by": null}, {"uid": "", "title": "B"}, {"title": "C"},
        ]}));
        assert_eq!(
            given.groups().expect("are groups"),
            Some(vec![
                GroupRef::Uid("a".into()),
                GroupRef::Title("B".into()),
                GroupRef::Title("C".into()),
            ])
        );
        assert_eq!(fields(json!({"groups": null})).groups(), Ok(None));
        assert_eq!(fields(json!({"groups": []})).groups(), Ok(Some(vec![])));
        for wrong in [json!("x"), json!(["x"]), json!([{}]), json!([{"uid": 1}])] {
            assert!(fields(json!({"groups": wrong})).groups().is_err());
        }
    }

    #[test]
    fn limits_are_whole_or_lifted() {
        let limit = |value: Value| fields(json!({"explore_limits": value})).call_limit();
        assert_eq!(limit(json!({})), Ok(Some(None)));
        let day = CallLimit {
            calls: 5,
            per: Per::Day,
        };
        for number in [json!(5), json!(5.0)] {
            let given = json!({"api_calls": {"limit": number, "unit": "day"}});
            assert_eq!(limit(given), Ok(Some(Some(day))));
        }
        for wrong in [
            json!(null),
            json!(1),
            json!({"api_calls": 1}),
            json!({"api_calls": {"limit": 1}}),
            json!({"api_calls": {"limit": 1.5, "unit": "day"}}),
            json!({"api_calls": {"limit": -1, "unit": "day"}}),
            json!({"api_calls": {"limit": "1", "unit": "day"}}),
            json!({"api_calls": {"limit": 1, "unit": "week"}}),
        ] {
            assert!(limit(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_subject_has_two_names() {
        let subject =
            |value: Value| fields(json!({"identity_provider_attributes": value})).subject();
        assert_eq!(
            subject(json!({"sub": "1", "subject": "2"})),
            Ok(Some("1".into()))
        );
        assert_eq!(subject(json!({"subject": "2"})), Ok(Some("2".into())));
        assert_eq!(subject(json!({"NameID": "x"})), Ok(None));
        assert!(subject(json!({"sub": 1})).is_err());
        assert!(subject(json!("x")).is_err());
    }
}
