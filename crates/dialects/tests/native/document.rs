//! The OpenAPI document, against its snapshot and against the router.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;
use throng_dialects::native;

use crate::common::Server;

/// Set it to write the snapshot anew: `THRONG_SNAPSHOT=write cargo test -p throng-dialects --test native document`.
const REFRESH: &str = "THRONG_SNAPSHOT";

#[test]
fn the_document_is_as_in_the_snapshot() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/openapi.json");
    let document = native::openapi().to_pretty_json().expect("JSON") + "\n";
    if std::env::var_os(REFRESH).is_some() {
        std::fs::write(&path, &document).expect("writes the snapshot");
    }
    let snapshot = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        document == snapshot,
        "the document differs from tests/openapi.json; look at the change, then set {REFRESH}"
    );
}

fn document() -> Value {
    serde_json::to_value(native::openapi()).expect("JSON")
}

/// A path with ids in the place of names.
fn concrete(path: &str) -> String {
    let parts = path.split('/');
    let parts = parts.map(|part| if part.starts_with('{') { "1" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().expect("paths").iter();
    let all = paths.flat_map(|(path, item)| {
        let operations = item.as_object().expect("operations").iter();
        operations.map(move |(method, operation)| {
            (path.clone(), method.to_uppercase(), operation.clone())
        })
    });
    all.collect()
}

#[tokio::test]
async fn every_route_of_the_router_is_in_the_document() {
    let server = Server::start().await;
    let documented: BTreeSet<String> = document()["paths"]
        .as_object()
        .expect("paths")
        .keys()
        .cloned()
        .collect();
    // axum does not list its routes, but its router's Debug output does.
    let shown = format!("{:?}", server.router);
    let routes: BTreeSet<String> = shown
        .split('"')
        .filter(|part| part.starts_with("/api/v1"))
        .map(str::to_owned)
        .collect();
    assert_eq!(routes, documented);
}

#[tokio::test]
async fn every_path_takes_exactly_the_documented_methods() {
    let server = Server::start().await;
    let document = document();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let mut methods: BTreeSet<String> = item
            .as_object()
            .expect("a path")
            .keys()
            .map(|m| m.to_uppercase())
            .collect();
        if methods.contains("GET") {
            methods.insert("HEAD".into());
        }
        let refused = server
            .stranger()
            .raw("TRACE", &concrete(path), None, "")
            .await;
        let allowed: BTreeSet<String> = refused
            .header("allow")
            .split(',')
            .map(str::to_owned)
            .collect();
        assert_eq!(allowed, methods, "{path}");
        refused.problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn every_operation_is_described_and_guarded() {
    let server = Server::start().await;
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["components"]["securitySchemes"]["token"]["scheme"],
        "bearer"
    );
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let name = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].to_string()), "{name}");
        assert!(
            operation["summary"].is_string() && operation["tags"][0].is_string(),
            "{name}"
        );
        let responses = operation["responses"].as_object().expect("responses");
        let has = |status: &str| responses.contains_key(status);
        assert!(
            responses.keys().any(|status| status.starts_with('2')),
            "{name}"
        );
        for status in ["401", "403", "429", "500", "503"] {
            assert!(has(status), "{name} lacks {status}");
        }
        assert_eq!(has("404"), path.contains('{'), "{name}");
        assert_eq!(has("415"), !operation["requestBody"].is_null(), "{name}");
        let keyed = operation["parameters"]
            .to_string()
            .contains("IdempotencyKey");
        let asks = ["contains", "reach", "overlap", "lookup"];
        let asks = asks.iter().any(|end| path.ends_with(end));
        let writes = (method == "POST" || method == "PATCH") && !asks;
        assert_eq!(keyed, writes, "{name}");
        let refused = server
            .stranger()
            .raw(&method, &concrete(&path), None, "")
            .await;
        refused.problem(401, "unauthenticated");
    }
}

/// Every reference of the document leads somewhere.
#[test]
fn references_lead_somewhere() {
    fn check(document: &Value, value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').expect("a local reference");
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                fields.values().for_each(|value| check(document, value));
            }
            Value::Array(items) => items.iter().for_each(|value| check(document, value)),
            _ => {}
        }
    }
    let document = document();
    check(&document, &document);
}

#[tokio::test]
async fn the_document_and_its_page_are_served_without_a_token() {
    let server = Server::start().await;
    let stranger = server.stranger();
    let served = stranger.get("/openapi.json").await;
    assert_eq!(served.header("content-type"), "application/json");
    assert_eq!(served.expect(200), document());
    let page = stranger.get("/docs").await;
    assert_eq!(
        (page.status.as_u16(), page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert!(page.text.contains("curl -H"));
    let style = stranger.get("/docs/style.css").await;
    assert_eq!(
        (style.status.as_u16(), style.header("content-type")),
        (200, "text/css; charset=utf-8")
    );
}
