//! API keys.

use serde_json::{Value, json};

use crate::common::Server;

#[tokio::test]
async fn a_key_is_shown_once() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let made = admin
        .post(
            "/apikeys/",
            json!({"label": "L", "permissions": ["edit_domain"], "key": "thr_x", "uid": "x"}),
        )
        .await
        .expect(201);
    let secret = made["key"].as_str().expect("a key").to_owned();
    let uid = made["uid"].as_str().expect("a uid").to_owned();
    server
        .client(secret.clone())
        .get("/users/")
        .await
        .expect(200);
    let expected = json!({
        "uid": uid, "label": "L", "permissions": ["edit_domain"], "created_at": "2026-09-21T14:13:20.000Z",
        "user": {"username": "root"}, "revocation_status": {"revoked_at": null, "revocation_reason": ""},
        "is_revoked": false,
    });
    let path = format!("/apikeys/{uid}/");
    assert_eq!(admin.get(&path).await.expect(200), expected);
    assert_eq!(
        admin.put(&path, expected.clone()).await.expect(200),
        expected
    );
    let found = admin
        .post("/apikeys/search_key/", json!({"key": secret}))
        .await
        .expect(200);
    assert_eq!(found, json!({"found": true, "result": expected}));
    let whole = admin.get(&format!("{path}?expand=user")).await.expect(200);
    assert_eq!(whole["user"]["email"], "root@example.com");
    let page = admin.get("/apikeys/?limit=1&offset=1").await;
    assert!(!page.text.contains(&secret));
    let page = page.expect(200);
    assert_eq!(
        (&page["total_count"], &page["results"]),
        (&json!(2), &json!([expected]))
    );
    assert!(page["next"].is_null() && page["previous"].is_string());
    let none = admin.get("/apikeys/?limit=0").await.expect(200);
    assert_eq!(
        (&none["total_count"], &none["results"]),
        (&json!(2), &json!([]))
    );
}

#[tokio::test]
async fn a_key_is_changed_and_revoked() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let made = admin
        .post("/apikeys/", json!({"label": "L"}))
        .await
        .expect(201);
    // Without permissions it lets through all that its user may.
    assert_eq!(made.get("permissions"), None);
    let client = server.client(made["key"].as_str().expect("a key").to_owned());
    let path = format!("/apikeys/{}/", made["uid"].as_str().expect("a uid"));
    client.get("/users/").await.expect(200);
    let changed = admin
        .put(&path, json!({"permissions": ["edit_page"]}))
        .await
        .expect(200);
    assert_eq!(
        (&changed["label"], &changed["permissions"]),
        (&json!("L"), &json!(["edit_page"]))
    );
    client.get("/users/").await.refused(403, "forbidden");
    admin
        .put(&path, json!({"permissions": ["edit_domain"]}))
        .await
        .expect(200);
    client.get("/users/").await.expect(200);
    let revoke = format!("{path}revoke/");
    for wrong in [
        json!({"reason": 1}),
        json!({"reason": "x".repeat(501)}),
        json!([]),
    ] {
        let answer = admin.post(&revoke, wrong).await;
        answer.refused(400, "validation_error");
    }
    let revoked = admin
        .post(&revoke, json!({"reason": "found"}))
        .await
        .expect(200);
    assert_eq!(revoked["is_revoked"], true);
    assert_eq!(
        revoked["revocation_status"],
        json!({"revoked_at": "2026-09-21T14:13:20.000Z", "revocation_reason": "found"})
    );
    client.get("/users/").await.refused(401, "unauthorized");
    for body in ["", "{}", r#"{"reason": null}"#] {
        assert_eq!(admin.raw("POST", &revoke, body).await.expect(200), revoked);
    }
}

/// Else a key that was limited would make itself, or another of its owner, one that is not.
#[tokio::test]
async fn a_key_gives_no_more_than_it_has() {
    let server = Server::start().await;
    let account = server.account(server.workspace, "ann", "edit_domain").await;
    let limited = server
        .key(server.workspace, account, Some("edit_domain edit_page"))
        .await;
    let limited = server.client(limited);
    for permissions in [json!(["edit_domain", "manage_subdomains"]), json!(null)] {
        let mut body = json!({"label": "x", "permissions": permissions});
        if body["permissions"].is_null() {
            body.as_object_mut()
                .expect("an object")
                .remove("permissions");
        }
        limited
            .post("/apikeys/", body)
            .await
            .refused(403, "forbidden");
    }
    let made = limited
        .post(
            "/apikeys/",
            json!({"label": "x", "permissions": ["edit_page"]}),
        )
        .await;
    let path = format!(
        "/apikeys/{}/",
        made.expect(201)["uid"].as_str().expect("a uid")
    );
    limited
        .put(&path, json!({"permissions": ["edit_theme"]}))
        .await
        .refused(403, "forbidden");
    limited
        .put(&path, json!({"permissions": ["edit_domain"]}))
        .await
        .expect(200);
}

#[tokio::test]
async fn what_is_no_key_is_not_found() {
    let server = Server::start().await;
    let admin = server.admin().await;
    for uid in ["0", "-1", "x%00", "000000010100000000000063", "a%2Fb"] {
        let path = format!("/apikeys/{uid}/");
        admin.get(&path).await.refused(404, "not_found");
        admin.put(&path, json!({})).await.refused(404, "not_found");
        admin
            .post(&format!("{path}revoke/"), json!({}))
            .await
            .refused(404, "not_found");
    }
    let nothing = json!({"found": false, "result": null});
    for secret in ["x", "thr_x", &admin.key[..20], &"x".repeat(10_000)] {
        let answer = admin
            .post("/apikeys/search_key/", json!({"key": secret}))
            .await;
        assert_eq!(answer.expect(200), nothing);
    }
    for wrong in [
        json!({}),
        json!({"key": null}),
        json!({"key": ""}),
        json!({"key": 1}),
    ] {
        let body = admin.post("/apikeys/search_key/", wrong).await;
        body.refused(400, "validation_error");
    }
    for wrong in [
        json!({}),
        json!({"label": ""}),
        json!({"label": 1}),
        json!({"label": "x\0"}),
    ] {
        admin.post("/apikeys/", wrong).await.invalid("label");
    }
    let permissions = json!({"label": "x", "permissions": [null]});
    admin
        .post("/apikeys/", permissions)
        .await
        .invalid("permissions");
    admin
        .get("/apikeys/search_key/")
        .await
        .refused(405, "method_not_allowed");
    let total = admin.get("/apikeys/?limit=0").await.expect(200);
    assert_eq!(total["total_count"], Value::from(1));
}
