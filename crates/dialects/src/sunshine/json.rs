//! Bodies in JSON, read field by field: what is unknown is left alone, and everything that is wrong is told at once, each by
//! its path. A field that is absent, one that is null and one with a value are three things, since null clears.

use serde_json::{Map, Value};

use super::error::Problem;

/// Titles in one refusal; what else is wrong is told when these are right.
const TITLES_MAX: usize = 10;
/// Bytes of metadata, as JSON.
pub const METADATA_BYTES_MAX: usize = 4_096;

/// A field of a body: absent, null or a value.
pub type Given<T> = Option<Option<T>>;

/// What is wrong with a request.
#[derive(Debug, Default)]
pub struct Errors(Vec<String>);

impl Errors {
    pub fn add(&mut self, title: impl Into<String>) {
        if self.0.len() < TITLES_MAX {
            self.0.push(title.into());
        }
    }

    fn field(&mut self, path: &str, why: &str) {
        self.add(format!("{path} {why}"));
    }
}

/// What `parse` makes of a body that is an object, unless something is wrong with it.
pub fn read<T>(
    bytes: &[u8],
    parse: impl FnOnce(&Object<'_>, &mut Errors) -> Option<T>,
) -> Result<T, Problem> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let title = if bytes.is_empty() {
            "The request needs a body: a JSON object.".to_owned()
        } else {
            format!("The body is not JSON in UTF-8, or is nested too deep: line {line}, column {column}.")
        };
        Problem::bad_request(title)
    })?;
    let Value::Object(map) = &value else {
        return Err(Problem::bad_request("The body must be a JSON object."));
    };
    let object = Object {
        path: String::new(),
        map,
    };
    let mut errors = Errors::default();
    match parse(&object, &mut errors) {
        Some(parsed) if errors.0.is_empty() => Ok(parsed),
        _ if errors.0.is_empty() => Err(Problem::bad_request("The body is not valid.")),
        _ => Err(Problem::several(errors.0)),
    }
}

/// An object within a body, and where it is.
#[derive(Debug)]
pub struct Object<'a> {
    path: String,
    map: &'a Map<String, Value>,
}

impl<'a> Object<'a> {
    /// Where a field is, as titles say it.
    pub fn at(&self, name: &str) -> String {
        if self.path.is_empty() {
            return name.to_owned();
        }
        format!("{}.{name}", self.path)
    }

    pub fn wrong(&self, errors: &mut Errors, name: &str, why: &str) {
        errors.field(&self.at(name), why);
    }

    /// The field, where it is there and not null.
    pub fn value(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    pub fn is_null(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(Value::is_null)
    }

    pub fn map(&self) -> &'a Map<String, Value> {
        self.map
    }

    /// A text, or nothing where it is null; the outer nothing is for absent and for wrong.
    pub fn text(&self, errors: &mut Errors, name: &str, chars_max: usize) -> Given<String> {
        match self.map.get(name)? {
            Value::Null => Some(None),
            Value::String(text) => {
                let fits = (1..=chars_max).contains(&text.chars().count());
                if !fits {
                    let why = format!("must be 1 to {chars_max} characters");
                    self.wrong(errors, name, &why);
                    return None;
                }
                if text
                    .chars()
                    .any(|c| c.is_control() && !"\n\r\t".contains(c))
                {
                    self.wrong(errors, name, "must not hold control characters");
                    return None;
                }
                Some(Some(text.clone()))
            }
            _ => {
                self.wrong(errors, name, "must be a string");
                None
            }
        }
    }

    /// A text that may be left out; null counts as that.
    pub fn maybe(&self, errors: &mut Errors, name: &str, chars_max: usize) -> Option<String> {
        self.text(errors, name, chars_max).flatten()
    }

    /// A text that has to be there.
    pub fn required(&self, errors: &mut Errors, name: &str, chars_max: usize) -> Option<String> {
        if !self.has(name) {
            self.missing(errors, name);
            return None;
        }
        self.maybe(errors, name, chars_max)
    }

    fn missing(&self, errors: &mut Errors, name: &str) {
        let why = if self.is_null(name) {
            "is required and must not be null"
        } else {
            "is required"
        };
        self.wrong(errors, name, why);
    }

    /// One of these words, which has to be there.
    pub fn word<T: Copy>(&self, errors: &mut Errors, name: &str, words: &[(&str, T)]) -> Option<T> {
        match self.value(name) {
            None => {
                self.missing(errors, name);
                None
            }
            Some(value) => {
                let found = words.iter().find(|(word, _)| value == word);
                if found.is_none() {
                    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                    self.wrong(
                        errors,
                        name,
                        &format!("must be one of: {}", words.join(", ")),
                    );
                }
                found.map(|(_, meaning)| *meaning)
            }
        }
    }

    pub fn flag(&self, errors: &mut Errors, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Bool(flag) => Some(*flag),
            _ => {
                self.wrong(errors, name, "must be true or false");
                None
            }
        }
    }

    /// An object, or nothing where it is null; the outer nothing is for absent and for wrong.
    pub fn object(&self, errors: &mut Errors, name: &str) -> Given<Object<'a>> {
        match self.map.get(name)? {
            Value::Null => Some(None),
            Value::Object(map) => Some(Some(Object {
                path: self.at(name),
                map,
            })),
            _ => {
                self.wrong(errors, name, "must be an object");
                None
            }
        }
    }

    /// An object that has to be there.
    pub fn required_object(&self, errors: &mut Errors, name: &str) -> Option<Object<'a>> {
        if !self.has(name) {
            self.missing(errors, name);
            return None;
        }
        self.object(errors, name).flatten()
    }

    /// An array of objects, at most so many; none where it is absent or null.
    pub fn objects(&self, errors: &mut Errors, name: &str, items_max: usize) -> Vec<Object<'a>> {
        let items = match self.value(name) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.wrong(errors, name, "must be an array");
                return Vec::new();
            }
        };
        if items.len() > items_max {
            let why = format!("must hold at most {items_max} items");
            self.wrong(errors, name, &why);
            return Vec::new();
        }
        let mut objects = Vec::with_capacity(items.len());
        for (number, item) in items.iter().enumerate() {
            let path = self.at(&format!("{name}[{number}]"));
            match item {
                Value::Object(map) => objects.push(Object { path, map }),
                _ => errors.field(&path, "must be an object"),
            }
        }
        objects
    }

    /// Properties of the caller's own, as a flat JSON object; a null within it takes that property away where `clears`, and
    /// is refused otherwise. Null for the whole of it is nothing.
    pub fn metadata(&self, errors: &mut Errors, clears: bool) -> Given<Map<String, Value>> {
        const NAME: &str = "metadata";
        let object = match self.object(errors, NAME)? {
            None => return Some(None),
            Some(object) => object,
        };
        for (name, value) in object.map {
            match value {
                Value::String(_) | Value::Number(_) | Value::Bool(_) => {}
                Value::Null if clears => {}
                _ => {
                    let why = "must be flat: strings, numbers and booleans only";
                    self.wrong(errors, NAME, why);
                    return None;
                }
            }
            // JSON writes a NUL as six characters, and what reads it may not.
            let nul = |text: &str| text.contains('\0');
            if nul(name) || value.as_str().is_some_and(nul) {
                self.wrong(errors, NAME, "must not hold a NUL character");
                return None;
            }
        }
        if !fits(object.map) {
            let why = format!("must not be longer than {METADATA_BYTES_MAX} bytes of JSON");
            self.wrong(errors, NAME, &why);
            return None;
        }
        Some(Some(object.map.clone()))
    }
}

/// Whether metadata is as short as it has to be.
pub fn fits(metadata: &Map<String, Value>) -> bool {
    let text = serde_json::to_vec(metadata).unwrap_or_default();
    text.len() <= METADATA_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn titles<T: std::fmt::Debug>(
        body: Value,
        parse: impl FnOnce(&Object<'_>, &mut Errors) -> Option<T>,
    ) -> Vec<String> {
        let read = read(body.to_string().as_bytes(), parse);
        read.err().map(|problem| problem.titles).unwrap_or_default()
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let told = titles(
            json!({"a": 1, "b": null, "o": {"w": "x"}}),
            |body, errors| {
                body.required(errors, "a", 5);
                body.required(errors, "b", 5);
                body.required(errors, "c", 5);
                let inner = body.required_object(errors, "o")?;
                inner.word(errors, "w", &[("y", 1), ("z", 2)])
            },
        );
        assert_eq!(
            told,
            [
                "a must be a string",
                "b is required and must not be null",
                "c is required",
                "o.w must be one of: y, z",
            ]
        );
        let many = titles(json!({}), |body, errors| {
            (0..50).for_each(|at| body.missing(errors, &format!("f{at}")));
            Some(())
        });
        assert_eq!(many.len(), TITLES_MAX);
    }

    #[test]
    fn a_body_is_an_object() {
        for wrong in ["", " ", "[]", "null", "1", "{", "{\"a\":1}}", "\u{feff}{}"] {
            let read = read(wrong.as_bytes(), |_, _| Some(()));
            assert_eq!(read.map_err(|problem| problem.status.as_u16()), Err(400));
        }
        let deep = "{\"a\":".repeat(10_000);
        assert!(read(deep.as_bytes(), |_, _| Some(())).is_err());
        assert!(read(b"\xff", |_, _| Some(())).is_err());
        assert!(read(b"{}", |_, _| Some(())).is_ok());
    }

    #[test]
    fn a_null_is_not_an_absence() {
        let body = json!({"a": null, "b": "x"});
        let read = read(body.to_string().as_bytes(), |body, errors| {
            let (a, b) = (body.text(errors, "a", 9), body.text(errors, "b", 9));
            Some((a, b, body.text(errors, "z", 9)))
        });
        assert_eq!(read.ok(), Some((Some(None), Some(Some("x".into())), None)));
    }

    #[test]
    fn metadata_is_flat_and_short() {
        let metadata = |value: Value, clears| {
            titles(json!({"metadata": value}), |body, errors| {
                Some(body.metadata(errors, clears))
            })
        };
        let good = json!({"a": "x", "b": 1.5, "c": true});
        assert!(metadata(good, false).is_empty());
        assert!(metadata(Value::Null, false).is_empty());
        assert!(metadata(json!({"a": null}), true).is_empty());
        for wrong in [
            json!({"a": null}),
            json!({"a": {}}),
            json!({"a": []}),
            json!([]),
            json!("x"),
            json!({"a": "\0"}),
            json!({"\0": "a"}),
        ] {
            assert_eq!(metadata(wrong.clone(), false).len(), 1, "{wrong}");
        }
        // {"a":""} has 8 bytes.
        let of = |bytes: usize| json!({"a": "x".repeat(bytes - 8)});
        assert!(metadata(of(4_096), false).is_empty());
        assert_eq!(metadata(of(4_097), false).len(), 1);
    }
}
