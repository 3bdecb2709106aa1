//! The documentation page: plain HTML made from the OpenAPI document when the server starts. It needs no script and
//! nothing from elsewhere, so that it works without a network and under a strict content security policy.

use std::fmt::Write;

use axum::{
    Router,
    body::Bytes,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::Value;
use utoipa::openapi::OpenApi;

use super::{
    docs_example::{curl, items, resolve, text},
    problem::Kind,
};

const STYLE: &str = include_str!("docs.css");
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/openapi.json`, `/docs` and its style sheet. They need no token: they say nothing about this installation.
pub(crate) fn routes(document: &OpenApi) -> Router {
    let json = document.to_pretty_json().unwrap_or_default();
    let value = serde_json::from_str(&json).unwrap_or_default();
    let page = Bytes::from(page(&value));
    let json = Bytes::from(json);
    Router::new()
        .route(
            "/openapi.json",
            get(async move || file("application/json", json)),
        )
        .route(
            "/docs",
            get(async move || file("text/html; charset=utf-8", page)),
        )
        .route(
            "/docs/style.css",
            get(async || {
                file(
                    "text/css; charset=utf-8",
                    Bytes::from_static(STYLE.as_bytes()),
                )
            }),
        )
}

fn file(media_type: &'static str, bytes: Bytes) -> Response {
    let headers: [(HeaderName, HeaderValue); 4] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    (headers, bytes).into_response()
}

/// Writing to a `String` does not fail; this spares each caller the `Result`.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).unwrap_or_default();
}

fn page(document: &Value) -> String {
    let mut out = String::with_capacity(128 << 10);
    let title = escape(text(&document["info"]["title"]));
    put(
        &mut out,
        format_args!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}: native API</title>\n\
             <link rel=\"stylesheet\" href=\"docs/style.css\">\n</head>\n<body>\n"
        ),
    );
    contents(&mut out, document);
    let version = escape(text(&document["info"]["version"]));
    put(
        &mut out,
        format_args!("<main>\n<h1>{title} <small>native API, {version}</small></h1>\n"),
    );
    paragraphs(&mut out, text(&document["info"]["description"]));
    out.push_str(
        "<p>The same as an OpenAPI document: <a href=\"openapi.json\">openapi.json</a>.</p>\n",
    );
    for tag in items(&document["tags"]) {
        let name = text(&tag["name"]);
        put(
            &mut out,
            format_args!("<section>\n<h2 id=\"tag-{0}\">{0}</h2>\n", escape(name)),
        );
        paragraphs(&mut out, text(&tag["description"]));
        for (path, method, operation) in operations(document, name) {
            write_operation(&mut out, document, path, method, operation);
        }
        out.push_str("</section>\n");
    }
    schemas(&mut out, document);
    problems(&mut out);
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn contents(out: &mut String, document: &Value) {
    out.push_str("<nav aria-label=\"Contents\">\n");
    for tag in items(&document["tags"]) {
        let name = text(&tag["name"]);
        put(
            out,
            format_args!(
                "<h2><a href=\"#tag-{0}\">{0}</a></h2>\n<ul>\n",
                escape(name)
            ),
        );
        for (_, _, operation) in operations(document, name) {
            let (id, summary) = (
                escape(text(&operation["operationId"])),
                escape(text(&operation["summary"])),
            );
            put(
                out,
                format_args!("<li><a href=\"#{id}\">{summary}</a></li>\n"),
            );
        }
        out.push_str("</ul>\n");
    }
    out.push_str(
        "<h2><a href=\"#schemas\">Bodies</a></h2>\n<h2><a href=\"#problems\">Problems</a></h2>\n</nav>\n",
    );
}

/// The operations of a tag: path, method, operation.
fn operations<'a>(
    document: &'a Value,
    tag: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let all = paths.flat_map(|(path, item)| {
        item.as_object()
            .into_iter()
            .flatten()
            .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    all.filter(move |(_, _, operation)| items(&operation["tags"]).iter().any(|of| of == tag))
}

fn write_operation(
    out: &mut String,
    document: &Value,
    path: &str,
    method: &str,
    operation: &Value,
) {
    let (id, summary) = (
        escape(text(&operation["operationId"])),
        escape(text(&operation["summary"])),
    );
    put(
        out,
        format_args!("<article>\n<h3 id=\"{id}\">{summary}</h3>\n"),
    );
    let verb = method.to_ascii_uppercase();
    put(
        out,
        format_args!(
            "<p class=\"line\"><b class=\"{method}\">{verb}</b> <code>{}</code></p>\n",
            escape(path)
        ),
    );
    paragraphs(out, text(&operation["description"]));
    parameters(out, document, operation);
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        put(out, format_args!("<p>Body: {}</p>\n", type_of(body)));
    }
    responses(out, document, operation);
    put(
        out,
        format_args!(
            "<pre><code>{}</code></pre>\n</article>\n",
            escape(&curl(document, path, &verb, operation))
        ),
    );
}

fn parameters(out: &mut String, document: &Value, operation: &Value) {
    let parameters = items(&operation["parameters"]);
    if parameters.is_empty() {
        return;
    }
    out.push_str("<table>\n<thead><tr><th>Parameter</th><th>In</th><th>Type</th><th>Meaning</th></tr></thead>\n<tbody>\n");
    for parameter in parameters {
        let parameter = resolve(document, parameter);
        put(
            out,
            format_args!(
                "<tr><td><code>{}</code></td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                escape(text(&parameter["name"])),
                escape(text(&parameter["in"])),
                type_of(&parameter["schema"]),
                inline(text(&parameter["description"])),
            ),
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn responses(out: &mut String, document: &Value, operation: &Value) {
    out.push_str(
        "<table>\n<thead><tr><th>Status</th><th>Body</th><th>Meaning</th></tr></thead>\n<tbody>\n",
    );
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let response = resolve(document, response);
        let content = response["content"].as_object().into_iter().flatten().next();
        let body = content
            .map(|(_, content)| type_of(&content["schema"]))
            .unwrap_or_default();
        let meaning = inline(text(&response["description"]));
        put(
            out,
            format_args!(
                "<tr><td>{}</td><td>{body}</td><td>{meaning}</td></tr>\n",
                escape(status)
            ),
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn schemas(out: &mut String, document: &Value) {
    out.push_str("<section>\n<h2 id=\"schemas\">Bodies</h2>\n");
    for (name, schema) in document["components"]["schemas"]
        .as_object()
        .into_iter()
        .flatten()
    {
        put(
            out,
            format_args!("<article>\n<h3 id=\"schema-{0}\">{0}</h3>\n", escape(name)),
        );
        paragraphs(out, text(&schema["description"]));
        let all_of = items(&schema["allOf"]);
        let parts: Vec<&Value> = if all_of.is_empty() {
            vec![schema]
        } else {
            all_of.iter().collect()
        };
        for part in parts {
            match part["properties"].as_object() {
                Some(properties) => fields(out, properties, items(&part["required"])),
                None => put(out, format_args!("<p>{}</p>\n", type_of(part))),
            }
        }
        out.push_str("</article>\n");
    }
    out.push_str("</section>\n");
}

fn fields(out: &mut String, properties: &serde_json::Map<String, Value>, required: &[Value]) {
    out.push_str(
        "<table>\n<thead><tr><th>Field</th><th>Type</th><th>Meaning</th></tr></thead>\n<tbody>\n",
    );
    for (name, schema) in properties {
        let optional = if required.iter().any(|required| required == name) {
            ""
        } else {
            ", may be absent"
        };
        put(
            out,
            format_args!(
                "<tr><td><code>{}</code></td><td>{}{optional}</td><td>{}</td></tr>\n",
                escape(name),
                type_of(schema),
                inline(text(&schema["description"])),
            ),
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn problems(out: &mut String) {
    out.push_str(
        "<section>\n<h2 id=\"problems\">Problems</h2>\n<table>\n\
         <thead><tr><th>Type</th><th>Status</th><th>Title</th><th>Meaning</th></tr></thead>\n<tbody>\n",
    );
    for kind in Kind::ALL.map(Kind::text) {
        let (name, status, title, meaning) = (
            kind.name,
            kind.status.as_u16(),
            kind.title,
            inline(kind.meaning),
        );
        put(
            out,
            format_args!(
                "<tr id=\"problem-{name}\"><td><code>/docs#problem-{name}</code></td><td>{status}</td><td>{title}</td>\
                 <td>{meaning}</td></tr>\n"
            ),
        );
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

/// A schema's type in a few words of HTML, with its limits.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"]
        .as_str()
        .and_then(|name| name.rsplit('/').next())
    {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escape(name));
    }
    for (words, joint) in [("oneOf", " or "), ("anyOf", " or "), ("allOf", " and ")] {
        if !items(&schema[words]).is_empty() {
            return items(&schema[words])
                .iter()
                .map(type_of)
                .collect::<Vec<_>>()
                .join(joint);
        }
    }
    if !items(&schema["enum"]).is_empty() {
        let values = items(&schema["enum"])
            .iter()
            .map(|value| format!("<code>{}</code>", escape(text(value))));
        return values.collect::<Vec<_>>().join(" or ");
    }
    let name = |value: &Value| match (text(value), text(&schema["format"])) {
        ("array", _) => format!("array of {}", type_of(&schema["items"])),
        ("string", "date-time") => "time".to_owned(),
        (name, _) => escape(name),
    };
    let mut words = match &schema["type"] {
        Value::Array(types) => types.iter().map(name).collect::<Vec<_>>().join(" or "),
        one => name(one),
    };
    for (limit, unit) in [
        ("maxLength", "characters"),
        ("maxItems", "items"),
        ("maximum", ""),
    ] {
        if let Some(most) = schema[limit].as_u64() {
            put(&mut words, format_args!(", at most {most} {unit}"));
        }
    }
    words.trim_end().to_owned()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// Markdown as far as the documentation uses it: code in backticks.
fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, part) in escape(text).split('`').enumerate() {
        if at % 2 == 1 {
            put(&mut out, format_args!("<code>{part}</code>"));
        } else {
            out.push_str(part);
        }
    }
    out
}

/// Paragraphs and lists of `* ` lines.
fn paragraphs(out: &mut String, text: &str) {
    for block in text.split("\n\n").filter(|block| !block.trim().is_empty()) {
        if block.starts_with("* ") {
            out.push_str("<ul>\n");
            for item in block.lines() {
                put(
                    out,
                    format_args!("<li>{}</li>\n", inline(item.trim_start_matches("* "))),
                );
            }
            out.push_str("</ul>\n");
        } else {
            put(out, format_args!("<p>{}</p>\n", inline(block)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_every_operation_and_every_problem_and_no_dead_link() {
        let document = serde_json::to_value(crate::native::openapi()).expect("JSON");
        let page = page(&document);
        for (_, item) in document["paths"].as_object().expect("paths") {
            for (_, operation) in item.as_object().expect("operations") {
                let id = text(&operation["operationId"]);
                assert!(page.contains(&format!("<h3 id=\"{id}\">")), "{id}");
            }
        }
        for kind in Kind::ALL {
            assert!(page.contains(&format!("id=\"problem-{}\"", kind.text().name)));
        }
        for link in page.split("href=\"#").skip(1) {
            let target = link.split('"').next().expect("a target");
            assert!(page.contains(&format!("id=\"{target}\"")), "#{target}");
        }
        assert!(!page.contains("<script") && !page.contains("style=\""));
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(
            inline("a < b & `<c>`"),
            "a &lt; b &amp; <code>&lt;c&gt;</code>"
        );
    }
}
