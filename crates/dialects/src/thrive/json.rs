//! Bodies in JSON, read field by field: what is unknown is left alone, and what is wrong is told by its name. A field that is
//! absent, one that is null and one with a value are three things, since null clears.

use serde_json::{Map, Value};

use super::error::Problem;

/// Items of an array of members or managers.
const ITEMS_MAX: usize = 100;
/// Characters of a text that is kept as it is.
const TEXT_CHARS_MAX: usize = 255;

/// The value in a body; nothing where it is empty.
pub fn value(bytes: &[u8]) -> Result<Option<Value>, Problem> {
    if bytes.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(bytes).map(Some).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Problem::bad_request(format!(
            "The body is not JSON in UTF-8, or is nested too deep: line {line}, column {column}."
        ))
    })
}

/// 1 to 100 strings; one that comes twice counts once.
pub fn names(value: Option<Value>) -> Result<Vec<String>, Problem> {
    let mut names: Vec<String> = Vec::new();
    for item in array(value)? {
        let Value::String(name) = item else {
            return Err(Problem::bad_request("Each item must be a string."));
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// 1 to 100 objects.
pub fn objects(value: Option<Value>) -> Result<Vec<Fields>, Problem> {
    let object = |item| match item {
        Value::Object(fields) => Ok(Fields(fields)),
        _ => Err(Problem::bad_request("Each item must be an object.")),
    };
    array(value)?.into_iter().map(object).collect()
}

fn array(value: Option<Value>) -> Result<Vec<Value>, Problem> {
    let Some(Value::Array(items)) = value else {
        return Err(Problem::bad_request("The body must be a JSON array."));
    };
    if items.is_empty() || items.len() > ITEMS_MAX {
        return Err(Problem::bad_request(format!(
            "The array must hold 1 to {ITEMS_MAX} items; this one holds {}.",
            items.len()
        )));
    }
    Ok(items)
}

/// A field of a body: absent, null or a value.
pub type Given<T> = Option<Option<T>>;

/// The fields of an object.
#[derive(Debug, Clone, Default)]
pub struct Fields(pub Map<String, Value>);

impl Fields {
    /// None at all where there is no body.
    pub fn of(value: Option<Value>) -> Result<Fields, Problem> {
        match value {
            None => Ok(Fields::default()),
            Some(Value::Object(fields)) => Ok(Fields(fields)),
            Some(_) => Err(Problem::bad_request("The body must be a JSON object.")),
        }
    }

    pub fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.0.contains_key(*name))
    }

    pub fn text(&self, name: &str) -> Result<Given<String>, Problem> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Null) => Ok(Some(None)),
            Some(Value::String(text)) => Ok(Some(Some(text.clone()))),
            Some(_) => Err(Problem::invalid(name, "must be a string.")),
        }
    }

    /// A text of at most so many characters.
    pub fn short(&self, name: &str, chars_max: usize) -> Result<Given<String>, Problem> {
        let text = self.text(name)?;
        let long = |text: &String| text.chars().count() > chars_max;
        if text.iter().flatten().any(long) {
            let why = format!("must not be longer than {chars_max} characters.");
            return Err(Problem::invalid(name, &why));
        }
        Ok(text)
    }

    /// A text that is kept as it is.
    pub fn plain(&self, name: &str) -> Result<Given<String>, Problem> {
        self.short(name, TEXT_CHARS_MAX)
    }

    /// One of these words.
    pub fn word(&self, name: &str, words: &[&str]) -> Result<Option<String>, Problem> {
        let why = || format!("must be one of: {}.", words.join(", "));
        match self.text(name)? {
            None => Ok(None),
            Some(Some(word)) if words.contains(&word.as_str()) => Ok(Some(word)),
            Some(_) => Err(Problem::invalid(name, &why())),
        }
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Problem::invalid(name, "must be true or false.")),
        }
    }

    /// An object; one that is null counts as absent.
    pub fn object(&self, name: &str) -> Result<Option<Fields>, Problem> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Fields(fields.clone()))),
            Some(_) => Err(Problem::invalid(name, "must be an object.")),
        }
    }

    /// A date as `YYYY-MM-DD`; of a date with a time, its date.
    pub fn date(&self, name: &str) -> Result<Given<String>, Problem> {
        let Some(Some(text)) = self.text(name)? else {
            return self.text(name);
        };
        let is = |text: &str| crate::time::parse(text).is_some();
        let date = text.get(..10).unwrap_or_default();
        if is(&format!("{date}T00:00:00Z")) && (text.len() == 10 || is(&text)) {
            return Ok(Some(Some(date.to_owned())));
        }
        Err(Problem::invalid(
            name,
            "must be a date as YYYY-MM-DD, as in 2024-06-30.",
        ))
    }
}

/// What may be changed but not emptied.
pub fn not_null<T>(name: &str, given: Given<T>) -> Result<Option<T>, Problem> {
    match given {
        Some(None) => Err(Problem::invalid(name, "must not be null.")),
        Some(Some(value)) => Ok(Some(value)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        Fields::of(Some(value)).expect("is an object")
    }

    #[test]
    fn arrays_hold_one_to_a_hundred() {
        let many = |count: usize| Some(Value::Array(vec![json!("x"); count]));
        assert_eq!(names(many(100)).expect("fits"), ["x"]);
        assert_eq!(
            names(Some(json!(["b", "a", "b"]))).expect("are names"),
            ["b", "a"]
        );
        for wrong in [
            None,
            many(0),
            many(101),
            Some(json!({"members": ["x"]})),
            Some(json!("x")),
            Some(json!(["x", 1])),
            Some(json!([null])),
        ] {
            assert!(names(wrong).is_err());
        }
        assert!(objects(Some(json!([{}, "x"]))).is_err());
        assert_eq!(
            objects(Some(json!([{}]))).map(|all| all.len()).ok(),
            Some(1)
        );
    }

    #[test]
    fn dates_are_days() {
        let date = |text: &str| fields(json!({"d": text})).date("d").ok();
        let day = |text: &str| Some(Some(Some(text.to_owned())));
        assert_eq!(date("2024-02-29"), day("2024-02-29"));
        assert_eq!(date("2024-06-30T17:00:00.000Z"), day("2024-06-30"));
        for wrong in [
            "",
            "2023-02-29",
            "30/06/2024",
            "2024-6-30",
            "2024-06-30T",
            "2024-06-30T17:00",
            "2024-06-30x",
            "20240630",
            "2024-06-é0",
        ] {
            assert_eq!(date(wrong), None, "{wrong}");
        }
        assert_eq!(fields(json!({"d": null})).date("d").ok(), Some(Some(None)));
        assert!(fields(json!({"d": 20240630})).date("d").is_err());
    }

    #[test]
    fn a_null_is_not_an_absence() {
        let one = fields(json!({"a": null, "b": "x", "c": 1}));
        assert_eq!(one.text("a").ok(), Some(Some(None)));
        assert_eq!(one.text("b").ok(), Some(Some(Some("x".into()))));
        assert_eq!(one.text("z").ok(), Some(None));
        assert!(one.text("c").is_err() && one.word("b", &["y"]).is_err());
        assert!(one.word("a", &["y"]).is_err() && one.flag("a").is_err());
        assert!(not_null("a", one.text("a").expect("reads")).is_err());
    }
}
