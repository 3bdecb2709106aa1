use serde_json::{Value, json};

use crate::common::Server;

#[tokio::test]
async fn a_credential_is_made_used_listed_and_revoked() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let structure = admin.structure("Shop").await;
    let body = json!({"dialect": "native", "name": "upload", "scopes": ["audiences:read"], "structures": [structure],
        "expires": "2030-01-31T01:00:00+01:00"});
    let made = admin.post("/api/v1/credentials", body).await.expect(201);
    assert_eq!(made["expires"], "2030-01-31T00:00:00.000Z");
    assert_eq!(made["structures"], json!([structure]));
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with(made["prefix"].as_str().expect("a prefix")));

    let client = server.client(secret.clone());
    let me = client.get("/api/v1/me").await.expect(200);
    assert_eq!(
        me,
        json!({"workspace": server.workspace, "credential": made["id"], "account": null, "scopes": ["audiences:read"], "structures": [structure]})
    );
    let listed = admin.get("/api/v1/credentials").await;
    assert!(!listed.text.contains(&secret), "a secret is shown once");
    let ids: Vec<Value> = listed.expect(200)["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|c| c["id"].clone())
        .collect();
    assert!(ids.contains(&made["id"]));

    let path = format!("/api/v1/credentials/{}", made["id"]);
    admin.delete(&path).await.expect(204);
    client
        .get("/api/v1/me")
        .await
        .problem(401, "unauthenticated");
    admin.delete(&path).await.expect(204);
    admin
        .delete("/api/v1/credentials/999")
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn a_credential_ends_when_it_expires() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let body = json!({"dialect": "native", "name": "short", "expires": "2026-09-21T14:13:50Z"});
    let made = admin.post("/api/v1/credentials", body).await.expect(201);
    let client = server.client(made["secret"].as_str().expect("a secret").to_owned());
    client.get("/api/v1/me").await.expect(200);
    server.clock.advance(std::time::Duration::from_secs(30));
    client
        .get("/api/v1/me")
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test]
async fn what_cannot_be_given_is_refused() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for (body, code, field) in [
        (
            json!({"dialect": "nothing", "name": "a"}),
            "unknown",
            "dialect",
        ),
        (
            json!({"dialect": "native", "name": "a", "scopes": ["everything"]}),
            "unknown_scope",
            "scopes",
        ),
        (
            json!({"dialect": "native", "name": "a", "structures": [999]}),
            "unknown",
            "structures",
        ),
        (
            json!({"dialect": "native", "name": "a", "expires": "2020-01-01T00:00:00Z"}),
            "past",
            "expires",
        ),
        (
            json!({"dialect": "native", "name": "a", "expires": "tomorrow"}),
            "malformed",
            "expires",
        ),
        (json!({"dialect": "native", "name": ""}), "required", "name"),
    ] {
        let refused = admin
            .post("/api/v1/credentials", body)
            .await
            .problem(422, code);
        assert_eq!(refused["field"], field);
    }
    let lesser = server.client(server.token("admin", None).await);
    let more = json!({"dialect": "native", "name": "a", "scopes": ["installation"]});
    lesser
        .post("/api/v1/credentials", more)
        .await
        .problem(403, "forbidden");
}

#[tokio::test]
async fn a_criteo_client_is_made_here_and_is_no_api_token() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let made = admin
        .post(
            "/api/v1/credentials",
            json!({"dialect": "criteo", "name": "c"}),
        )
        .await
        .expect(201);
    assert_eq!(made["client_id"].as_str().map(str::len), Some(24));
    let client = server.client(made["secret"].as_str().expect("a secret").to_owned());
    client
        .get("/api/v1/me")
        .await
        .problem(401, "unauthenticated");
}
