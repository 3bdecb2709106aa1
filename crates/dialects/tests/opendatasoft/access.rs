//! How a key comes in, what it may do, and that neither it nor anybody's data reaches the log.

use serde_json::json;
use throng_dialects::opendatasoft::ExpandedGroups;

use crate::common::Server;

#[tokio::test]
async fn a_key_comes_in_a_header_or_the_query() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let key = &admin.key;
    for header in [
        format!("Apikey {key}"),
        format!("apikey {key}"),
        format!("APIKEY   {key} "),
        key.clone(),
    ] {
        let client = admin.authorized(Some(&header));
        client.get("/users/").await.expect(200);
        client.get("/users/?apikey=").await.expect(200);
        client.get("/users/?apikey=wrong").await.expect(200);
    }
    // A header that is no key, or a wrong one, does not spoil a good key in the query.
    for header in [
        None,
        Some("Bearer of something"),
        Some("Apikey"),
        Some("thr_wrong"),
        Some(""),
    ] {
        let client = admin.authorized(header);
        let path = format!("/users/?limit=1&apikey={key}");
        client.get(&path).await.expect(200);
        client
            .get("/users/?limit=1")
            .await
            .refused(401, "unauthorized");
    }
    let swapped: String = key.chars().rev().collect();
    for header in [
        format!("Basic {key}"),
        format!("Bearer {key}"),
        format!("Apikey {key}x"),
        format!("Apikey {key} {key}"),
        format!("Apikey {key}, Apikey {key}"),
        format!("Apikey {swapped}"),
        "Apikey thr_".into(),
    ] {
        let answer = admin.authorized(Some(&header)).get("/users/").await;
        answer.refused(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), "Apikey");
    }
    for query in ["Apikey", "key", "apikey%00"] {
        let path = format!("/users/?{query}={key}");
        admin
            .authorized(None)
            .get(&path)
            .await
            .refused(401, "unauthorized");
    }
}

#[tokio::test]
async fn a_key_of_another_protocol_is_none() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let context = domain::Context::new(domain::Caller::server(server.workspace), "test");
    let account = server
        .account(server.workspace, "other", "edit_domain")
        .await;
    let new = domain::KeyNew {
        label: "Native".into(),
        dialect: "native".into(),
        permissions: None,
        expires: None,
    };
    let made = server
        .domain
        .key_create(&context, account, new, throng_dialects::KEY_DIALECTS)
        .await
        .expect("makes a key");
    let native = admin.authorized(Some(&made.secret));
    native.get("/users/").await.refused(401, "unauthorized");
    // But an administrator finds it here, and can end it.
    let found = admin
        .post("/apikeys/search_key/", json!({"key": made.secret}))
        .await;
    let uid = found.expect(200)["result"]["uid"].clone();
    let path = format!("/apikeys/{}/revoke/", uid.as_str().expect("a uid"));
    assert_eq!(
        admin.post(&path, json!({})).await.expect(200)["is_revoked"],
        true
    );
}

#[tokio::test]
async fn rights_are_the_keys_and_the_owners() {
    let server = Server::start().await;
    let admin = server.admin().await;
    admin.invite("somebody", json!({})).await;
    let group = admin.group(json!({"title": "Group"})).await;
    let key = admin
        .post("/apikeys/", json!({"label": "x"}))
        .await
        .expect(201);
    let key = key["uid"].as_str().expect("a uid").to_owned();

    let administrator = server
        .account(server.workspace, "ann", "edit_domain edit_page")
        .await;
    let editor = server.account(server.workspace, "bob", "edit_page").await;
    let limited = server
        .key(server.workspace, administrator, Some("edit_page"))
        .await;
    let presumptuous = server
        .key(server.workspace, editor, Some("edit_domain edit_page"))
        .await;
    let unlimited = server.key(server.workspace, editor, None).await;
    for secret in [limited, presumptuous, unlimited] {
        let client = server.client(secret);
        for (method, path) in [
            ("GET", "/users/".to_owned()),
            ("GET", "/users/somebody/".into()),
            ("GET", "/users/bob/".into()),
            ("GET", "/users/nobody/".into()),
            ("PUT", "/users/somebody/".into()),
            ("PUT", "/users/bob/".into()),
            ("DELETE", "/users/somebody/".into()),
            ("POST", "/users/invite/".into()),
            ("POST", "/users/provision/".into()),
            ("GET", "/users/export/".into()),
            ("GET", "/groups/".into()),
            ("POST", "/groups/".into()),
            ("GET", format!("/groups/{group}/")),
            ("PUT", format!("/groups/{group}/")),
            ("DELETE", format!("/groups/{group}/")),
            ("GET", format!("/groups/{group}/users/")),
            ("POST", format!("/groups/{group}/users/")),
            ("POST", format!("/groups/{group}/users/batch/")),
            ("DELETE", format!("/groups/{group}/users/somebody/")),
            ("GET", "/apikeys/".into()),
            ("POST", "/apikeys/".into()),
            ("GET", format!("/apikeys/{key}/")),
            ("PUT", format!("/apikeys/{key}/")),
            ("POST", format!("/apikeys/{key}/revoke/")),
            ("POST", "/apikeys/search_key/".into()),
        ] {
            let answer = client.raw(method, &path, r#"{"first_name": "x"}"#).await;
            let body = answer.refused(403, "forbidden");
            assert!(!body.to_string().contains("somebody"), "{path}");
        }
    }
}

#[tokio::test]
async fn a_group_makes_an_administrator() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let group = admin
        .group(json!({"title": "Admins", "permissions": ["edit_domain"]}))
        .await;
    let account = server.account(server.workspace, "ann", "").await;
    let client = server.client(
        server
            .key(server.workspace, account, Some("edit_domain"))
            .await,
    );
    client.get("/users/").await.refused(403, "forbidden");
    let path = format!("/groups/{group}/users/");
    admin
        .post(&path, json!({"username": "ann"}))
        .await
        .expect(201);
    server.clock.advance(std::time::Duration::from_secs(6));
    client.get("/users/").await.expect(200);
}

#[tokio::test]
async fn each_key_has_its_own_quota() {
    let server = Server::with(Some(3), ExpandedGroups::Auto).await;
    let admin = server.admin().await;
    let account = server.account(server.workspace, "ann", "edit_domain").await;
    let other = server.client(server.key(server.workspace, account, None).await);
    for left in ["2", "1", "0"] {
        let answer = admin.get("/users/").await;
        answer.expect(200);
        assert_eq!(answer.header("x-ratelimit-limit"), "3");
        assert_eq!(answer.header("x-ratelimit-remaining"), left);
    }
    for path in ["/users/", "/groups/", "/users/export/"] {
        admin.get(path).await.refused(429, "too_many_requests");
    }
    let query = format!("/users/?apikey={}", admin.key);
    admin
        .authorized(None)
        .get(&query)
        .await
        .refused(429, "too_many_requests");
    other.get("/users/").await.expect(200);
}

/// Neither a key, nor who was looked for, nor what was sent.
#[tokio::test]
async fn the_log_is_told_no_secret_and_no_personal_data() {
    let server = Server::start().await;
    let admin = server.admin().await;
    admin
        .invite("canary", json!({"first_name": "Canary"}))
        .await;
    let mut told = Vec::new();
    let query = format!("/users/?search=canary&limit=x&apikey={}", admin.key);
    told.push(admin.authorized(None).get(&query).await);
    told.push(
        admin
            .authorized(Some("Apikey thr_canary"))
            .get("/users/canary/")
            .await,
    );
    told.push(admin.get("/users/canary-nobody/").await);
    told.push(
        admin
            .put("/users/canary/", json!({"email": "canary"}))
            .await,
    );
    told.push(
        admin
            .put("/users/canary/", json!({"username": "canary2"}))
            .await,
    );
    told.push(
        admin
            .put("/users/canary/", json!({"groups": [{"uid": "canary"}]}))
            .await,
    );
    told.push(
        admin
            .raw("PUT", "/users/canary/", "{\"email\": \"canary")
            .await,
    );
    told.push(
        admin
            .post("/apikeys/search_key/", json!({"key": "thr_canary"}))
            .await,
    );
    told.push(admin.delete("/users/root/").await);
    for answer in told {
        let outcome = answer.outcome.expect("the log is told something");
        let text = format!("{outcome:?}").to_lowercase();
        assert!(!text.contains("canary") && !text.contains("thr_"), "{text}");
    }
    let outcome = admin.get("/users/?limit=x").await.outcome.expect("is told");
    assert_eq!(outcome.context.as_deref(), Some("limit out_of_range"));
    assert_eq!(outcome.workspace, Some(server.workspace));
    assert!(outcome.credential.is_some() && !outcome.unmatched);
}
