use std::time::Duration;

use serde_json::json;

use crate::common::Server;

#[tokio::test]
async fn the_same_request_with_the_same_key_happens_once() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let first = admin
        .key("k")
        .post("/api/v1/structures", json!({"name": "Shop"}))
        .await
        .expect(201);
    server.clock.advance(Duration::from_secs(3_600));
    let again = admin
        .key("\"k\"")
        .post("/api/v1/structures", json!({"name": "Shop"}))
        .await
        .expect(201);
    assert_eq!(again, first);
    let listed = admin.get("/api/v1/structures").await.expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    let structure = first["id"].as_i64().expect("an id");

    let audience = json!({"structure": structure, "name": "Readers"});
    let made = admin
        .key("a")
        .post("/api/v1/audiences", audience.clone())
        .await
        .expect(201);
    assert_eq!(
        admin
            .key("a")
            .post("/api/v1/audiences", audience)
            .await
            .expect(201),
        made
    );
    let path = format!("/api/v1/audiences/{}", made["id"]);

    let emails = json!({"kind": "email", "values": ["ada@example.org", "bad"]});
    let added = admin
        .key("m")
        .post(&format!("{path}/members/add"), emails.clone())
        .await
        .expect(200);
    admin
        .raw("POST", &format!("{path}/members/empty"), None, "")
        .await
        .expect(200);
    assert_eq!(
        admin
            .key("m")
            .post(&format!("{path}/members/add"), emails)
            .await
            .expect(200),
        added
    );
    assert_eq!(
        admin
            .get(&format!("{path}/members/count"))
            .await
            .expect(200)["people"],
        0,
        "nothing happened twice"
    );

    let renamed = admin
        .key("p")
        .patch(&path, json!({"name": "Friends"}))
        .await
        .expect(200);
    admin
        .patch(&path, json!({"name": "Readers"}))
        .await
        .expect(200);
    let replayed = admin
        .key("p")
        .patch(&path, json!({"name": "Friends"}))
        .await
        .expect(200);
    assert_eq!(
        (&replayed["name"], &replayed["updated"]),
        (&renamed["name"], &renamed["updated"])
    );
    assert_eq!(admin.get(&path).await.expect(200)["name"], "Readers");
    // Even after the audience is gone.
    admin.delete(&path).await.expect(204);
    admin
        .key("p")
        .patch(&path, json!({"name": "Friends"}))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_secret_is_shown_again_to_the_same_request_only() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let body = json!({"dialect": "native", "name": "upload"});
    let first = admin
        .key("k")
        .post("/api/v1/credentials", body.clone())
        .await
        .expect(201);
    let again = admin
        .key("k")
        .post("/api/v1/credentials", body.clone())
        .await
        .expect(201);
    assert_eq!(again, first);
    assert!(
        first["secret"]
            .as_str()
            .is_some_and(|secret| secret.starts_with("thr_"))
    );
    // Another credential's keys are its own.
    let other = server.admin().await;
    let theirs = other
        .key("k")
        .post("/api/v1/credentials", body)
        .await
        .expect(201);
    assert_ne!(theirs["secret"], first["secret"]);
}

#[tokio::test]
async fn a_key_is_for_one_request() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (_, audience) = admin.pair().await;
    admin
        .key("k")
        .post("/api/v1/structures", json!({"name": "Shop"}))
        .await
        .expect(201);
    let reused = admin
        .key("k")
        .post("/api/v1/structures", json!({"name": "Other"}))
        .await;
    assert_eq!(
        reused.problem(422, "key_reused")["field"],
        "Idempotency-Key"
    );
    let emptied = admin
        .key("k")
        .raw(
            "POST",
            &format!("/api/v1/audiences/{audience}/members/empty"),
            None,
            "",
        )
        .await;
    emptied.problem(422, "key_reused");
    server.clock.advance(Duration::from_secs(24 * 3_600 + 1));
    admin
        .key("k")
        .post("/api/v1/structures", json!({"name": "Other"}))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_failure_is_not_kept() {
    let server = Server::start().await;
    let admin = server.admin().await;
    admin
        .key("k")
        .post("/api/v1/structures", json!({"name": ""}))
        .await
        .problem(422, "required");
    admin
        .key("k")
        .post("/api/v1/structures", json!({"name": "Shop"}))
        .await
        .expect(201);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for key in ["", "\"open", &"k".repeat(256)] {
        let refused = admin
            .key(key)
            .post("/api/v1/structures", json!({"name": "Shop"}))
            .await;
        assert_eq!(
            refused.problem(422, "malformed")["field"],
            "Idempotency-Key"
        );
    }
    admin
        .key(&"k".repeat(255))
        .post("/api/v1/structures", json!({"name": "Shop"}))
        .await
        .expect(201);
}
