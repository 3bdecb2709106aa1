use axum::body::{Body, Bytes};
use serde_json::json;

use crate::common::{Client, Server};

const JSON: Option<&str> = Some("application/json");

async fn post(client: &Client<'_>, body: impl Into<Body>) -> crate::common::Answer {
    client.raw("POST", "/api/v1/structures", JSON, body).await
}

#[tokio::test]
async fn bodies_that_are_not_json_are_400() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let deep = format!("{{\"name\":{}", "[".repeat(100_000));
    for body in [
        "",
        "{",
        "{\"name\":\"a\"",
        "{\"name\":\"a\"} {}",
        "nul",
        "\u{feff}{\"name\":\"a\"}",
        &deep,
    ] {
        post(&admin, body.to_owned())
            .await
            .expect_either(&[(400, "not_json"), (422, "wrong_type")]);
    }
    post(&admin, "{\"name\":\"a\"")
        .await
        .problem(400, "not_json");
    post(&admin, &b"{\"name\":\"\xff\"}"[..])
        .await
        .problem(400, "not_utf8");
    post(&admin, "{\"name\":\"\\ud800\"}")
        .await
        .problem(400, "not_json");
    let twice = post(&admin, "{\"name\":\"a\",\"name\":\"a\"}")
        .await
        .problem(400, "duplicate_field");
    assert_eq!(twice["field"], "name");
    assert_eq!(
        admin.get("/api/v1/structures").await.expect(200)["items"],
        json!([]),
        "nothing was stored"
    );
}

#[tokio::test]
async fn deep_nesting_where_an_array_is_allowed_is_refused_too() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (_, audience) = admin.pair().await;
    let deep = format!("{{\"people\":{}", "[".repeat(1_000_000));
    let path = format!("/api/v1/audiences/{audience}/members/add");
    admin
        .raw("POST", &path, JSON, deep)
        .await
        .problem(422, "wrong_type");
    // Behind the last item that is kept, whatever stands there is skipped without recursion.
    let excess = format!(
        "{{\"kind\":\"email\",\"values\":[{}{}",
        "\"a\",".repeat(50_001),
        "[".repeat(1_000_000)
    );
    admin
        .raw("POST", &path, JSON, excess)
        .await
        .problem(400, "not_json");
}

#[tokio::test]
async fn json_that_does_not_fit_is_422_and_names_the_field() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for (body, code, field) in [
        (json!({}), "required", "name"),
        (json!({"name": null}), "wrong_type", "name"),
        (json!({"name": 7}), "wrong_type", "name"),
        (
            json!({"name": "a", "reference": {"a": 1}}),
            "wrong_type",
            "reference",
        ),
        (json!({"name": "a", "nom": "b"}), "unknown_field", "nom"),
        (json!(["a", null]), "wrong_type", "body"),
        (json!("a"), "wrong_type", "body"),
        (json!(null), "wrong_type", "body"),
    ] {
        let refused = admin
            .post("/api/v1/structures", body.clone())
            .await
            .problem(422, code);
        assert_eq!(refused["field"], field, "{body}");
    }
    let (structure, _) = admin.pair().await;
    let path = format!("/api/v1/structures/{structure}");
    admin
        .patch(&path, json!({"name": null}))
        .await
        .problem(422, "wrong_type");
    admin
        .patch(&path, json!({"description": "x"}))
        .await
        .problem(422, "unknown_field");
    let huge = json!({"structure": 1e300, "name": "a"});
    admin
        .post("/api/v1/audiences", huge)
        .await
        .problem(422, "wrong_type");
    let long = post(
        &admin,
        format!("{{\"name\":\"a\",\"{}\":1}}", "x".repeat(100_000)),
    )
    .await;
    assert!(
        long.problem(422, "unknown_field")["detail"]
            .as_str()
            .is_some_and(|detail| detail.len() < 400)
    );
}

#[tokio::test]
async fn other_media_types_are_415() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let body = "{\"name\":\"a\"}";
    for media_type in [
        None,
        Some("text/plain"),
        Some("application/jsonx"),
        Some("application/x-www-form-urlencoded"),
    ] {
        let refused = admin
            .raw("POST", "/api/v1/structures", media_type, body)
            .await;
        refused.problem(415, "unsupported_media_type");
    }
    let zipped = admin.clone().with("content-encoding", "gzip");
    post(&zipped, body)
        .await
        .problem(415, "unsupported_media_type");
    for media_type in ["application/json", "Application/JSON; charset=utf-8"] {
        admin
            .raw("POST", "/api/v1/structures", Some(media_type), body)
            .await
            .expect(201);
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_and_one_that_breaks_off_400() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (_, audience) = admin.pair().await;
    post(&admin, vec![b' '; (1 << 20) + 1])
        .await
        .problem(413, "too_large");
    let path = format!("/api/v1/audiences/{audience}/members/add");
    admin
        .raw("POST", &path, JSON, vec![b' '; (32 << 20) + 1])
        .await
        .problem(413, "too_large");
    let (mut sender, body) = http_body_util::channel::Channel::<Bytes, std::io::Error>::new(1);
    tokio::spawn(async move {
        sender
            .send_data(Bytes::from_static(b"{\"name\":"))
            .await
            .ok();
        sender.abort(std::io::Error::other("gone"));
    });
    post(&admin, Body::new(body))
        .await
        .problem(400, "incomplete");
}

#[tokio::test]
async fn ids_that_are_none_name_nothing() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (structure, _) = admin.pair().await;
    for id in [
        "0",
        "-1",
        "abc",
        "1.0",
        "+1",
        "9223372036854775808",
        "99999999999999999999",
        "%ff",
        "%00",
        "9007199254740993",
    ] {
        admin
            .get(&format!("/api/v1/structures/{id}"))
            .await
            .problem(404, "not_found");
        admin
            .delete(&format!("/api/v1/audiences/{id}"))
            .await
            .problem(404, "not_found");
    }
    admin
        .get(&format!("/api/v1/structures/0{structure}"))
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for path in [
        "/api",
        "/api/",
        "/api/v2/me",
        "/api/v1",
        "/api/v1/",
        "/api/v1/structures/1/x",
        "/api/v1/structures/",
    ] {
        for client in [&admin, &server.stranger()] {
            let missing = client.get(path).await;
            assert!(
                missing
                    .outcome
                    .as_ref()
                    .is_some_and(|outcome| outcome.unmatched),
                "{path}"
            );
            assert_eq!(missing.problem(404, "not_found")["instance"], path);
        }
    }
    let wrong = admin.raw("PUT", "/api/v1/structures", JSON, "{}").await;
    assert_eq!(wrong.header("allow"), "GET,HEAD,POST");
    assert_eq!(
        wrong.outcome.as_ref().map(|outcome| outcome.unmatched),
        Some(false)
    );
    wrong.problem(405, "method_not_allowed");
    let head = admin.raw("HEAD", "/api/v1/me", None, "").await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
    let head = admin.raw("HEAD", "/api/v1/nothing", None, "").await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (404, ""));
}
