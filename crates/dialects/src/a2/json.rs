//! JSON bodies (RFC 8259), and what is wrong with text that is none, in the words of Python's parser.

use serde_json::{Error, Value, error::Category};

use super::{
    error::Problem,
    invalid::{Fault, Step},
};

/// The value of a body. As in Python the last of equal names counts; unlike there, depth has a limit, and numbers that are
/// none and half surrogate pairs are refused.
pub fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| Problem::unreadable())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    serde_json::from_str(text).map_err(|error| {
        let loc: Vec<Step> = vec!["body".into(), offset(text, &error).into()];
        let entry = Fault::json(reason(&error)).at(loc, Value::Object(Default::default()));
        Problem::invalid(vec![entry])
    })
}

/// Characters before the place where the parser gave up.
fn offset(text: &str, error: &Error) -> usize {
    let before = text.lines().take(error.line().saturating_sub(1));
    let before: usize = before.map(|line| line.chars().count() + 1).sum();
    let here = if error.is_eof() {
        error.column()
    } else {
        error.column().saturating_sub(1)
    };
    before + here
}

fn reason(error: &Error) -> &'static str {
    let text = error.to_string();
    let is = |start: &str| text.starts_with(start);
    if is("trailing characters") {
        "Extra data"
    } else if is("key must be a string") || is("EOF while parsing an object") {
        "Expecting property name enclosed in double quotes"
    } else if is("expected `:`") {
        "Expecting ':' delimiter"
    } else if is("expected `,`") || is("EOF while parsing a list") {
        "Expecting ',' delimiter"
    } else if is("EOF while parsing a string") {
        "Unterminated string starting at"
    } else if is("control character") {
        "Invalid control character at"
    } else if is("invalid escape") {
        "Invalid \\escape"
    } else if is("trailing comma") {
        "Illegal trailing comma before end of object"
    } else if is("recursion limit") {
        "Nested too deep"
    } else if is("lone leading surrogate") || is("unexpected end of hex escape") {
        "Invalid \\uXXXX escape"
    } else if error.classify() == Category::Syntax && is("number out of range") {
        "Number out of range"
    } else {
        "Expecting value"
    }
}

#[cfg(test)]
mod tests {
    use super::{super::error::Detail, *};

    fn told(text: &str) -> String {
        match parse(text.as_bytes()).expect_err("is refused").detail {
            Detail::Invalid(errors) => serde_json::to_string(&errors[0]).expect("is JSON"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_is_no_json_is_explained_as_python_does() {
        for (text, at, error) in [
            ("{\"email\":", 9, "Expecting value"),
            ("{", 1, "Expecting property name enclosed in double quotes"),
            ("email", 0, "Expecting value"),
            ("{} {}", 3, "Extra data"),
            ("[1\n x]", 4, "Expecting ',' delimiter"),
        ] {
            let expected = format!(
                "{{\"type\":\"json_invalid\",\"loc\":[\"body\",{at}],\"msg\":\"JSON decode error\",\
                 \"input\":{{}},\"ctx\":{{\"error\":\"{error}\"}}}}"
            );
            assert_eq!(told(text), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for text in ["\"\\ud800\"", "NaN", "[Infinity]", "1e999"] {
            assert!(told(text).contains("json_invalid"), "{text}");
        }
        for deep in ["[", "{\"a\":"] {
            assert!(told(&deep.repeat(20_000)).contains("Nested too deep"));
        }
        let problem = parse(b"\"\xff\"").expect_err("is refused");
        assert_eq!(problem.status, 400);
    }
}
