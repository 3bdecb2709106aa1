//! Requests that are wrong: a clear answer in FastAPI's shape, and nothing stored.

use domain::Role;
use serde_json::{Value, json};

use crate::support::{PASSWORD, UNKNOWN, World};

#[tokio::test(flavor = "multi_thread")]
async fn values_that_cannot_be_kept_are_refused_at_their_place() {
    let world = World::new().await;
    let ann = world.user("ann@example.com", Role::Advertiser).await;
    let before = world.me(&ann).await;
    let deep = (0..9).fold(json!({}), |inner, _| json!({"a": inner}));
    for (field, value, kind) in [
        ("name", json!("Ann\r\nLee"), "value_error"),
        ("name", json!("Ann"), "string_too_short"),
        ("email", json!(null), "string_type"),
        ("email", json!("ann@ex\u{430}mple"), "value_error"),
        ("budget", json!(0.0001), "value_error"),
        ("budget", json!(1e300), "value_error"),
        ("credit", json!(-1), "greater_than_equal"),
        ("preferences", json!({"new": deep}), "value_error"),
        (
            "preferences",
            json!({"new": "x".repeat(17 << 10)}),
            "value_error",
        ),
        ("preferences", json!({"new": "\u{0}"}), "value_error"),
        ("id", json!("x"), "uuid_parsing"),
    ] {
        let command = json!({"id": ann.id, "name": "Not Written", field: value});
        let answer = world.patch("/user/info", &world.admin, command).await;
        answer.invalid(kind, json!(["body", field]));
    }
    for (value, kind, rest) in [
        (json!({"campaign": ["fly"]}), "enum", json!(["campaign", 0])),
        (json!({"moon": []}), "enum", json!(["moon", "[key]"])),
    ] {
        let answer = world
            .patch("/user/info", &ann, json!({"permissions": value}))
            .await;
        let mut loc = vec![json!("body"), json!("permissions")];
        loc.extend(rest.as_array().cloned().unwrap_or_default());
        answer.invalid(kind, json!(loc));
    }
    for part in ["etc", "notifications"] {
        let command = json!({"preferences": {part: 3}});
        let answer = world.patch("/user/info", &ann, command).await;
        answer.invalid("dict_type", json!(["body", "preferences", part]));
    }
    assert_eq!(world.me(&ann).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused() {
    let world = World::new().await;
    let large = vec![b' '; (1 << 20) + 1];
    for path in [
        "/auth/register",
        "/auth/jwt/login",
        "/privacy/consents",
        "/auth/google",
    ] {
        let answer = world
            .raw("POST", path, None, "application/json", large.clone())
            .await;
        answer.refused(413, "Content Too Large");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_is_one_account_in_every_spelling() {
    let world = World::new().await;
    let register = |email: &str| {
        let command = json!({"email": email, "name": "Ann Lee", "password": PASSWORD,
            "permissions": {}, "role": "advertiser"});
        world.call("POST", "/auth/register", None, Some(command))
    };
    let made = register(" Ann.Lee@EXAMPLE.com ").await.expect(201);
    assert_eq!(made["email"], "Ann.Lee@example.com");
    for email in [
        "ann.lee@example.com",
        "ANN.LEE@EXAMPLE.COM",
        "ann.lee@ＥＸＡＭＰＬＥ.com",
    ] {
        register(email)
            .await
            .refused(400, "REGISTER_USER_ALREADY_EXISTS");
    }
    let eve = world.user("eve@example.com", Role::Advertiser).await;
    let taken = json!({"email": "ANN.lee@example.com"});
    let refused = world.patch("/user/info", &eve, taken).await;
    refused.refused(400, "UPDATE_USER_EMAIL_ALREADY_EXISTS");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_questions_are_refused() {
    let world = World::new().await;
    let get = |path: &'static str| world.call("GET", path, Some(&world.admin.token), None);
    get("/users?id=x")
        .await
        .invalid("uuid_parsing", json!(["query", "id"]));
    get("/users?role=boss")
        .await
        .invalid("enum", json!(["query", "role"]));
    for (limit, kind) in [
        ("0", "greater_than_equal"),
        ("1001", "less_than_equal"),
        ("x", "int_parsing"),
    ] {
        let path = format!("/activity-logs?limit={limit}");
        let answer = world
            .call("GET", &path, Some(&world.admin.token), None)
            .await;
        answer.invalid(kind, json!(["query", "limit"]));
    }
    get("/activity-logs?before=")
        .await
        .invalid("int_parsing", json!(["query", "before"]));
    for path in [
        "/users/x",
        "/users/%00",
        "/users/%ff",
        &format!("/users/{UNKNOWN}"),
    ] {
        let answer = world
            .call("GET", path, Some(&world.admin.token), None)
            .await;
        answer.refused(404, "Not Found");
    }
    for body in [None, Some(json!({})), Some(json!({"id": Value::Null}))] {
        let answer = world
            .call("DELETE", "/users", Some(&world.admin.token), body)
            .await;
        assert_eq!(answer.status, 422, "{}", answer.text);
    }
}
