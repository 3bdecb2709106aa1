//! What no well-meaning client sends: the right status in the vendor's shape, and nothing stored.

use serde_json::json;

use crate::common::{BASE, Server};

/// The operations that take a body, and how they refuse one that is not JSON: as the client can read it.
const BODIES: [(&str, &str, &str); 11] = [
    ("POST", "/users/invite/", "bad_request"),
    ("POST", "/users/provision/", "bad_request"),
    ("PUT", "/users/ann/", "bad_request"),
    ("POST", "/groups/", "validation_error"),
    ("PUT", "/groups/g/", "bad_request"),
    ("POST", "/groups/g/users/", "validation_error"),
    ("POST", "/groups/g/users/batch/", "bad_request"),
    ("POST", "/apikeys/", "validation_error"),
    ("PUT", "/apikeys/KEY/", "validation_error"),
    ("POST", "/apikeys/KEY/revoke/", "bad_request"),
    ("POST", "/apikeys/search_key/", "validation_error"),
];

#[tokio::test]
async fn bodies_that_are_not_json_or_too_large() {
    let server = Server::start().await;
    let admin = server.admin().await;
    admin.invite("ann", json!({})).await;
    admin.group(json!({"title": "G"})).await;
    let key = admin.get("/apikeys/").await.expect(200)["results"][0]["uid"].clone();
    let key = key.as_str().expect("a uid");
    let deep = format!(
        "[{{\"email\": \"a@example.com\", \"x\": {}",
        "[".repeat(100_000)
    );
    let bodies: Vec<Vec<u8>> = vec![
        b" ".to_vec(),
        b"{\"email\": \"x".to_vec(),
        b"[{\"email\": \"a@example.com\"},]".to_vec(),
        b"[{\"email\": NaN}]".to_vec(),
        b"[{\"email\": \"\\ud800@example.com\"}]".to_vec(),
        b"[{\"email\": \"\xff@example.com\"}]".to_vec(),
        b"email=a%40example.com".to_vec(),
        b"[][]".to_vec(),
        deep.into_bytes(),
        "[".repeat(100_000).into_bytes(),
        "{\"a\":".repeat(100_000).into_bytes(),
    ];
    let mut large = b"[{\"email\": \"b@example.com\"}".to_vec();
    large.resize(1 << 20, b' ');
    large.push(b']');
    for (method, path, code) in BODIES {
        let path = path.replace("KEY", key);
        for body in &bodies {
            let answer = admin.raw(method, &path, body.clone()).await;
            let refusal = answer.refused(400, code);
            assert!(!refusal.to_string().contains("example.com"), "{refusal}");
        }
        let answer = admin.raw(method, &path, large.clone()).await;
        answer.refused(413, "request_too_large");
        let stranger = admin.authorized(None);
        stranger
            .raw(method, &path, large.clone())
            .await
            .refused(401, "unauthorized");
    }
    assert_eq!(admin.names("/users/").await, ["ann", "root"]);
    assert_eq!(admin.get("/groups/").await.expect(200)["total_count"], 1);
    assert_eq!(admin.get("/apikeys/").await.expect(200)["total_count"], 1);
}

#[tokio::test]
async fn paths_and_methods_that_there_are_not() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for path in [
        "/",
        "/nothing/",
        "/users",
        "/users/root",
        "/users/a/b/",
        "/groups/g/users/a/b/",
        "//",
    ] {
        let answer = admin.get(path).await;
        let body = answer.refused(404, "not_found");
        assert_eq!(
            body,
            json!({"error_code": "not_found", "message": "Not found."})
        );
        assert!(answer.outcome.expect("is told").unmatched);
    }
    for path in [
        "/opendatasoft",
        "/opendatasoft/",
        "/opendatasoft/api/automation/v2.0/users/",
    ] {
        let request = axum::http::Request::builder().uri(path);
        let request = request.body(axum::body::Body::empty()).expect("a request");
        server.send(request).await.refused(404, "not_found");
    }
    assert!(BASE.starts_with("/opendatasoft/"));
    for (method, path, allow) in [
        ("DELETE", "/users/", "GET,HEAD"),
        ("PATCH", "/users/root/", "GET,HEAD,PUT,DELETE"),
        ("GET", "/users/invite/", "POST"),
        ("PUT", "/groups/", "GET,HEAD,POST"),
        ("GET", "/groups/g/users/root/", "DELETE"),
        ("DELETE", "/apikeys/x/", "GET,HEAD,PUT"),
    ] {
        let answer = admin.raw(method, path, "").await;
        answer.refused(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allow, "{path}");
    }
}
