//! Media types: which one a body is declared as (RFC 9110 section 8.3), and which one an answer is given in
//! (section 12.5.1). The vendor declares six in and five out; everything else is 415 or 406.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue,
        header::{
            ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::Response,
};

use super::{error::Problem, wire::Model};

/// How a body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    Json,
    Xml,
    Form,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    Json,
    TextJson,
    Xml,
    TextXml,
    /// The JSON text, declared as HTML.
    TextHtml,
}

impl Output {
    /// In the order of preference where a caller likes several as much.
    const ALL: [Output; 5] = [
        Output::Json,
        Output::TextJson,
        Output::Xml,
        Output::TextXml,
        Output::TextHtml,
    ];

    fn name(self) -> (&'static str, &'static str) {
        match self {
            Output::Json => ("application", "json"),
            Output::TextJson => ("text", "json"),
            Output::Xml => ("application", "xml"),
            Output::TextXml => ("text", "xml"),
            Output::TextHtml => ("text", "html"),
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Output::Json => "application/json; charset=utf-8",
            Output::TextJson => "text/json; charset=utf-8",
            Output::Xml => "application/xml; charset=utf-8",
            Output::TextXml => "text/xml; charset=utf-8",
            Output::TextHtml => "text/html; charset=utf-8",
        })
    }
}

/// How the body is to be read; JSON where nothing is declared.
pub fn input(headers: &HeaderMap) -> Result<Input, Problem> {
    let encoding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::unsupported(
            "A request body must not have a Content-Encoding.",
        ));
    }
    let Some(declared) = headers.get(CONTENT_TYPE) else {
        return Ok(Input::Json);
    };
    let declared = declared.to_str().unwrap_or_default();
    let mut parts = declared.split(';').map(str::trim);
    let input = match parts
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase()
        .as_str()
    {
        "application/json" | "text/json" | "text/html" => Input::Json,
        "application/xml" | "text/xml" => Input::Xml,
        "application/x-www-form-urlencoded" => Input::Form,
        _ => {
            return Err(Problem::unsupported(
                "The Content-Type must be application/json, text/json, application/xml, text/xml, \
                 application/x-www-form-urlencoded or text/html.",
            ));
        }
    };
    let charset = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| is(name, "charset"));
    if charset.is_some_and(|(_, value)| !is(value.trim().trim_matches('"'), "utf-8")) {
        return Err(Problem::unsupported(
            "The charset of a request body must be utf-8.",
        ));
    }
    Ok(input)
}

fn is(text: &str, word: &str) -> bool {
    text.trim().eq_ignore_ascii_case(word)
}

/// The best of the answers that the caller accepts; nothing where it accepts none.
pub fn output(headers: &HeaderMap) -> Option<Output> {
    let lines = headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let ranges: Vec<Range> = lines
        .flat_map(|line| line.split(','))
        .filter_map(Range::read)
        .collect();
    let absent = headers
        .get_all(ACCEPT)
        .iter()
        .all(|value| value.as_bytes().trim_ascii().is_empty());
    if absent {
        return Some(Output::Json);
    }
    let mut best = (0, None);
    for output in Output::ALL {
        let quality = quality(&ranges, output);
        if quality > best.0 {
            best = (quality, Some(output));
        }
    }
    best.1
}

/// One range of an Accept header with its weight in thousandths.
struct Range {
    kind: String,
    subtype: String,
    quality: u16,
}

impl Range {
    /// Nothing where it is malformed.
    fn read(text: &str) -> Option<Range> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let mut quality = 1_000;
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            if is(name, "q") {
                let value: f32 = value.trim().parse().ok()?;
                if !(0.0..=1.0).contains(&value) {
                    return None;
                }
                quality = (value * 1_000.0).round() as u16;
            }
        }
        let lower = |text: &str| text.trim().to_ascii_lowercase();
        Some(Range {
            kind: lower(kind),
            subtype: lower(subtype),
            quality,
        })
    }

    /// How precisely it names this type; nothing where it does not.
    fn precision(&self, output: Output) -> Option<u8> {
        let (kind, subtype) = output.name();
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", "*") => Some(0),
            (k, "*") if k == kind => Some(1),
            (k, s) if k == kind && s == subtype => Some(2),
            _ => None,
        }
    }
}

/// The weight of the range that names the type most precisely.
fn quality(ranges: &[Range], output: Output) -> u16 {
    let named = ranges
        .iter()
        .filter_map(|range| Some((range.precision(output)?, range.quality)));
    named.max().map_or(0, |(_, quality)| quality)
}

/// Writes a model as the response's body, with the headers that describe it.
pub fn write<M: Model>(response: &mut Response, output: Output, model: &M) {
    let json =
        || serde_json::to_string(model).expect("models have string keys and no failing serializer");
    let text = match output {
        Output::Json | Output::TextJson => json(),
        Output::Xml | Output::TextXml => model.document(),
        // A browser would run a script that is in somebody's audience name.
        Output::TextHtml => json()
            .replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026"),
    };
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, output.content_type());
    if output == Output::TextHtml {
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let nothing = HeaderValue::from_static("default-src 'none'; sandbox");
        headers.insert(CONTENT_SECURITY_POLICY, nothing);
    }
    *response.body_mut() = Body::from(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(lines: &[&'static str]) -> Option<Output> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT, HeaderValue::from_static(line));
        }
        output(&headers)
    }

    #[test]
    fn the_answer_follows_the_weights() {
        assert_eq!(accept(&[]), Some(Output::Json));
        assert_eq!(accept(&[""]), Some(Output::Json));
        assert_eq!(accept(&["*/*"]), Some(Output::Json));
        assert_eq!(accept(&["text/*"]), Some(Output::TextJson));
        assert_eq!(accept(&["TEXT/XML"]), Some(Output::TextXml));
        assert_eq!(
            accept(&["application/json;q=0.5, application/xml"]),
            Some(Output::Xml)
        );
        assert_eq!(
            accept(&["application/json;q=0.5", "text/xml; q=0.501"]),
            Some(Output::TextXml)
        );
        assert_eq!(
            accept(&["application/json;q=0, */*;q=0.1"]),
            Some(Output::TextJson)
        );
        assert_eq!(
            accept(&["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"]),
            Some(Output::TextHtml)
        );
        assert_eq!(
            accept(&["application/xml, application/json"]),
            Some(Output::Json)
        );
        assert_eq!(
            accept(&["application/json; charset=utf-8"]),
            Some(Output::Json)
        );
    }

    #[test]
    fn nothing_acceptable_is_nothing() {
        for line in [
            "image/png",
            "application/json;q=0",
            "*/*;q=0",
            "json",
            "application/json;q=2",
            "image/*",
            "*/json",
        ] {
            assert_eq!(accept(&[line]), None, "{line}");
        }
    }

    #[test]
    fn declared_types_are_read_and_others_refused() {
        let declared = |name, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static(value));
            input(&headers).ok()
        };
        assert_eq!(input(&HeaderMap::new()).ok(), Some(Input::Json));
        let good = [
            ("application/json", Input::Json),
            ("Text/JSON ; Charset=UTF-8", Input::Json),
            ("text/html;charset=\"utf-8\"", Input::Json),
            ("application/xml", Input::Xml),
            ("text/xml; version=1", Input::Xml),
            ("application/x-www-form-urlencoded", Input::Form),
        ];
        for (value, input) in good {
            assert_eq!(declared(CONTENT_TYPE, value), Some(input), "{value}");
        }
        for value in [
            "",
            "text/plain",
            "application/json; charset=latin1",
            "json",
            "multipart/form-data",
            "*/*",
        ] {
            assert_eq!(declared(CONTENT_TYPE, value), None, "{value}");
        }
        assert_eq!(declared(CONTENT_ENCODING, "identity"), Some(Input::Json));
        assert_eq!(declared(CONTENT_ENCODING, "gzip"), None);
    }
}
