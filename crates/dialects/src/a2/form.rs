//! Forms, as the sign-in takes them: urlencoded, or multipart (RFC 7578) with nothing but small texts.

use axum::http::{HeaderMap, header::CONTENT_TYPE};

use super::error::Problem;

/// Fields of one form.
const FIELDS_MAX: usize = 100;

/// The fields of a form.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// A body of another type has no fields.
    pub fn parse(headers: &HeaderMap, bytes: &[u8]) -> Result<Form, Problem> {
        let kind = headers.get(CONTENT_TYPE).map(|kind| kind.to_str());
        let kind = kind.and_then(Result::ok).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim();
        let fields = if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let pairs = form_urlencoded::parse(bytes).take(FIELDS_MAX + 1);
            pairs
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect()
        } else if essence.eq_ignore_ascii_case("multipart/form-data") {
            let boundary =
                boundary(kind).ok_or_else(|| Problem::bad("Missing boundary in multipart."))?;
            multipart(bytes, &boundary)
        } else {
            Vec::new()
        };
        if fields.len() > FIELDS_MAX {
            let text = format!("Too many fields. Maximum number of fields is {FIELDS_MAX}.");
            return Err(Problem::bad(text));
        }
        Ok(Form(fields))
    }

    /// The last field of this name, unless it is empty: an empty one is as none.
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().rev().find(|(known, _)| known == name)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }
}

fn boundary(kind: &str) -> Option<String> {
    let found = parameter(kind, "boundary")?;
    Some(found).filter(|boundary| (1..=70).contains(&boundary.len()))
}

/// A parameter of a header's value, bare or in quotes.
fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        let bare = value.trim().trim_matches('"');
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| bare.to_owned())
    })
}

/// The texts of a multipart body, as far as it is one; files are left out.
fn multipart(bytes: &[u8], boundary: &str) -> Vec<(String, String)> {
    let delimiter = [b"\r\n--", boundary.as_bytes()].concat();
    // The first delimiter may begin the body.
    let body = [b"\r\n", bytes].concat();
    let mut fields = Vec::new();
    let mut rest = match find(&body, &delimiter) {
        Some(at) => &body[at + delimiter.len()..],
        None => return fields,
    };
    while let Some(part) = rest.strip_prefix(b"\r\n")
        && fields.len() <= FIELDS_MAX
    {
        let Some(end) = find(part, &delimiter) else {
            break;
        };
        fields.extend(text_of(&part[..end]));
        rest = &part[end + delimiter.len()..];
    }
    fields
}

fn text_of(part: &[u8]) -> Option<(String, String)> {
    let end = find(part, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&part[..end]).ok()?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim()
            .eq_ignore_ascii_case("content-disposition")
            .then_some(value)
    })?;
    if parameter(disposition, "filename").is_some() {
        return None;
    }
    let value = String::from_utf8_lossy(&part[end + 4..]).into_owned();
    Some((parameter(disposition, "name")?, value))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: &str, body: &str) -> Result<Form, Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().expect("is a value"));
        Form::parse(&headers, body.as_bytes())
    }

    #[test]
    fn each_kind_of_form_is_read() {
        let form = parse(
            "application/x-www-form-urlencoded; charset=utf-8",
            "username=a%40x&password=b+c&password=d%26&scope=",
        )
        .expect("reads");
        assert_eq!(form.get("username"), Some("a@x"));
        assert_eq!(form.get("password"), Some("d&"));
        assert_eq!(form.get("scope"), None);
        let part = |name: &str, value: &str| {
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = [
            part("username", "a@x"),
            part("password", "b\r\n--edg;c"),
            part("file\"; filename=\"x", "y"),
            "--edge--\r\n".into(),
        ]
        .concat();
        for kind in [
            "multipart/form-data; boundary=edge",
            "Multipart/Form-Data; boundary=\"edge\"",
        ] {
            let form = parse(kind, &body).expect("reads");
            assert_eq!(form.get("username"), Some("a@x"));
            assert_eq!(form.get("password"), Some("b\r\n--edg;c"));
            assert_eq!(form.get("file"), None);
        }
    }

    #[test]
    fn what_is_no_form_has_no_fields() {
        let json = parse("application/json", "{\"username\":\"a\"}").expect("reads");
        assert_eq!(json, Form::default());
        for broken in [
            "",
            "--edge\r\nbroken",
            "--edge",
            "--other\r\n\r\nx\r\n--other--",
        ] {
            let form = parse("multipart/form-data; boundary=edge", broken).expect("reads");
            assert_eq!(form, Form::default(), "{broken}");
        }
        assert!(parse("multipart/form-data", "x").is_err());
        let many = "a=1&".repeat(FIELDS_MAX + 1);
        assert!(parse("application/x-www-form-urlencoded", &many).is_err());
    }
}
