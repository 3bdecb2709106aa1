use serde_json::{Value, json};

use crate::{
    accounts::{PASSWORD, all},
    common::{Client, Server},
};

#[tokio::test]
async fn groups_are_made_changed_filled_and_deleted() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let body = json!({"title": "Data editors", "description": "Those who edit", "permissions": ["edit_page"],
        "call_limit": {"calls": 5, "per": "minute"}});
    let answer = admin.post("/api/v1/groups", body).await;
    let location = answer.header("location").to_owned();
    let made = answer.expect(201);
    let id = made["id"].as_i64().expect("an id");
    assert_eq!(location, format!("groups/{id}"));
    let expected = json!({"id": id, "uid": "data_editors", "title": "Data editors", "description": "Those who edit",
        "permissions": ["edit_page"], "call_limit": {"calls": 5, "per": "minute"}, "members": 0,
        "created": made["created"], "updated": made["created"]});
    assert_eq!(made, expected);
    let path = format!("/api/v1/groups/{id}");
    let change =
        json!({"title": "Editors", "permissions": ["edit_page", "audience:r"], "call_limit": null});
    let changed = admin.patch(&path, change).await.expect(200);
    assert_eq!(changed["uid"], "data_editors", "a uid never changes");
    assert_eq!(changed["permissions"], json!(["edit_page", "audience:r"]));
    assert_eq!(changed["call_limit"], json!(null));
    assert_eq!(admin.get(&path).await.expect(200), changed);

    let (ann, bo) = (
        admin.account("ann@example.org", "advertiser").await,
        admin.account("bo@example.org", "advertiser").await,
    );
    for account in [ann, bo, ann] {
        let member = format!("{path}/members/{account}");
        admin.raw("PUT", &member, None, "").await.expect(204);
    }
    assert_eq!(admin.get(&path).await.expect(200)["members"], 2);
    let members = admin
        .get(&format!("{path}/members?sort=-username&limit=1"))
        .await;
    assert!(members.header("link").contains("offset=1"));
    let members = members.expect(200);
    assert_eq!(
        (&members["total"], all(&members, "id")),
        (&json!(2), vec![json!(bo)])
    );
    let shown = admin
        .get(&format!("/api/v1/accounts/{ann}"))
        .await
        .expect(200);
    assert_eq!(shown["permissions"], json!([]));
    assert_eq!(shown["all_permissions"], json!(["edit_page", "audience:r"]));

    admin
        .delete(&format!("{path}/members/{ann}"))
        .await
        .expect(204);
    for wrong in [ann.to_string(), "999".into(), "x".into()] {
        let member = format!("{path}/members/{wrong}");
        admin.delete(&member).await.problem(404, "not_found");
    }
    for member in [
        format!("{path}/members/999"),
        format!("/api/v1/groups/999/members/{ann}"),
    ] {
        admin
            .raw("PUT", &member, None, "")
            .await
            .problem(404, "not_found");
    }
    let pages = [("?limit=1", 1), ("", 2)];
    admin
        .post("/api/v1/groups", json!({"title": "Other"}))
        .await
        .expect(201);
    for (query, count) in pages {
        let listed = admin
            .get(&format!("/api/v1/groups{query}"))
            .await
            .expect(200);
        assert_eq!(all(&listed, "id").len(), count);
    }
    admin.delete(&path).await.expect(204);
    admin.get(&path).await.problem(404, "not_found");
    admin
        .get(&format!("/api/v1/accounts/{bo}"))
        .await
        .expect(200);
    for (body, code, field) in [
        (json!({}), "required", "title"),
        (json!({"title": ""}), "required", "title"),
        (
            json!({"title": "x", "permissions": ["fly"]}),
            "unknown",
            "permissions",
        ),
        (
            json!({"title": "x", "description": "x".repeat(2_001)}),
            "too_long",
            "description",
        ),
        (
            json!({"title": "x", "members": []}),
            "unknown_field",
            "members",
        ),
    ] {
        let refused = admin.post("/api/v1/groups", body).await.problem(422, code);
        assert_eq!(refused["field"], field);
    }
}

#[tokio::test]
async fn an_account_holds_a_hundred_groups_and_no_more() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ann = admin.account("ann@example.org", "advertiser").await;
    for n in 0..=100 {
        let made = admin
            .post("/api/v1/groups", json!({"title": format!("g{n}")}))
            .await;
        let member = format!("/api/v1/groups/{}/members/{ann}", made.expect(201)["id"]);
        let answer = admin.raw("PUT", &member, None, "").await;
        if n < 100 {
            answer.expect(204);
        } else {
            assert_eq!(answer.expect(422)["field"], "groups");
        }
    }
}

#[tokio::test]
async fn a_key_is_made_used_changed_rotated_and_revoked() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ann = admin.account("ann@example.org", "retailer").await;
    let path = format!("/api/v1/accounts/{ann}");
    admin
        .patch(&path, json!({"permissions": ["audience:r", "edit_page"]}))
        .await
        .expect(200);
    let body =
        json!({"label": "report", "dialect": "native", "expires": "2030-01-31T01:00:00+01:00"});
    let answer = admin
        .key("k")
        .post(&format!("{path}/keys"), body.clone())
        .await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let location = answer.header("location").to_owned();
    let made = answer.expect(201);
    let (id, secret) = (
        made["id"].clone(),
        made["secret"].as_str().expect("a secret").to_owned(),
    );
    assert_eq!(location, format!("../../keys/{id}"));
    let again = admin
        .key("k")
        .post(&format!("{path}/keys"), body)
        .await
        .expect(201);
    assert_eq!(again, made, "and the secret is shown again");
    let mut shown = made.clone();
    shown.as_object_mut().expect("fields").remove("secret");
    let key = format!("/api/v1/keys/{id}");
    assert_eq!(admin.get(&key).await.expect(200), shown);
    assert_eq!(
        shown,
        json!({"id": id, "account": ann, "username": "ann", "label": "report", "dialect": "native",
            "prefix": shown["prefix"], "permissions": null, "created": shown["created"],
            "expires": "2030-01-31T00:00:00.000Z", "last_used": null, "revoked": null, "revoked_reason": null})
    );

    let client = server.client(secret.clone());
    let me = client.get("/api/v1/me").await.expect(200);
    assert_eq!(
        (&me["account"], &me["scopes"]),
        (&json!(ann), &json!(["audiences:read"]))
    );
    let (_, other) = admin.account_key(ann, Some(&["edit_page"])).await;
    let listed = client.get("/api/v1/accounts/me/keys").await;
    assert!(!listed.text.contains(&secret) && !listed.text.contains(&other));
    assert_eq!(all(&listed.expect(200), "label"), ["report", "test"]);
    let first = client
        .get("/api/v1/accounts/me/keys?limit=1")
        .await
        .expect(200);
    assert!(first["next"].is_string());
    let every = admin.get("/api/v1/keys?limit=1").await.expect(200);
    assert_eq!(all(&every, "id"), std::slice::from_ref(&id));

    let change = json!({"label": "weekly", "permissions": ["edit_page"]});
    let changed = admin.patch(&key, change).await.expect(200);
    assert_eq!(changed["label"], "weekly");
    assert_eq!(changed["permissions"], json!(["edit_page"]));
    let changed = admin
        .patch(&key, json!({"permissions": null}))
        .await
        .expect(200);
    assert_eq!(changed["permissions"], json!(null));

    let rotated = client
        .post(&format!("{key}/rotate"), json!({}))
        .await
        .expect(200);
    let fresh = rotated["secret"].as_str().expect("a secret").to_owned();
    client
        .get("/api/v1/me")
        .await
        .problem(401, "unauthenticated");
    let client = server.client(fresh);
    client.get("/api/v1/me").await.expect(200);
    client
        .delete(&format!("{key}?reason=laptop%20lost"))
        .await
        .expect(204);
    client
        .get("/api/v1/me")
        .await
        .problem(401, "unauthenticated");
    let shown = admin.get(&key).await.expect(200);
    assert_eq!(shown["revoked_reason"], "laptop lost");
    admin.delete(&key).await.expect(204);
    assert_eq!(
        admin.get(&key).await.expect(200),
        shown,
        "the first reason stays"
    );
    admin
        .post(&format!("{key}/rotate"), json!({}))
        .await
        .problem(409, "conflict");
    admin
        .get("/api/v1/keys/999")
        .await
        .problem(404, "not_found");
    for wrong in [format!("reason={}", "x".repeat(501)), "why=x".into()] {
        assert_eq!(
            admin
                .delete(&format!("{key}?{wrong}"))
                .await
                .status
                .as_u16(),
            422
        );
    }
    // A credential that belongs to no account is no key.
    let credential = admin.get("/api/v1/me").await.expect(200)["credential"].clone();
    admin
        .get(&format!("/api/v1/keys/{credential}"))
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn keys_that_cannot_be_are_refused() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ann = admin.account("ann@example.org", "advertiser").await;
    let path = format!("/api/v1/accounts/{ann}/keys");
    for (body, code, field) in [
        (json!({"dialect": "native"}), "required", "label"),
        (
            json!({"label": "", "dialect": "native"}),
            "required",
            "label",
        ),
        (json!({"label": "k"}), "required", "dialect"),
        (
            json!({"label": "k", "dialect": "criteo"}),
            "unknown",
            "dialect",
        ),
        (
            json!({"label": "k", "dialect": "native", "permissions": ["x"]}),
            "unknown",
            "permissions",
        ),
        (
            json!({"label": "k", "dialect": "native", "expires": "tomorrow"}),
            "malformed",
            "expires",
        ),
        (
            json!({"label": "k", "dialect": "native", "expires": "2020-01-01T00:00:00Z"}),
            "past",
            "expires",
        ),
        (
            json!({"label": "k", "dialect": "native", "secret": "thr_x"}),
            "unknown_field",
            "secret",
        ),
    ] {
        let refused = admin.post(&path, body).await.problem(422, code);
        assert_eq!(refused["field"], field);
    }
    let good = json!({"label": "k", "dialect": "opendatasoft"});
    admin
        .post("/api/v1/accounts/999/keys", good.clone())
        .await
        .problem(404, "not_found");
    let made = admin.post(&path, good).await.expect(201);
    let client = server.client(made["secret"].as_str().expect("a secret").to_owned());
    client
        .get("/api/v1/me")
        .await
        .problem(401, "unauthenticated");
}

/// Every operation on accounts, groups and keys: of this account, group and key.
fn everything(account: i64, group: i64, key: i64) -> Vec<(&'static str, String, Value)> {
    let (a, g, k) = (
        format!("/api/v1/accounts/{account}"),
        format!("/api/v1/groups/{group}"),
        format!("/api/v1/keys/{key}"),
    );
    let none = || Value::Null;
    vec![
        ("GET", a.clone(), none()),
        ("PATCH", a.clone(), json!({"first_name": "X"})),
        ("GET", format!("{a}/sessions"), none()),
        ("DELETE", format!("{a}/sessions"), none()),
        ("GET", format!("{a}/ledger"), none()),
        ("GET", format!("{a}/consents"), none()),
        ("GET", format!("{a}/keys"), none()),
        (
            "POST",
            format!("{a}/keys"),
            json!({"label": "k", "dialect": "native", "permissions": []}),
        ),
        ("GET", k.clone(), none()),
        ("PATCH", k.clone(), json!({"label": "x"})),
        ("POST", format!("{k}/rotate"), json!({})),
        ("DELETE", k, none()),
        ("POST", format!("{a}/password-reset"), json!({})),
        ("GET", g.clone(), none()),
        ("PATCH", g.clone(), json!({"title": "x"})),
        ("GET", format!("{g}/members"), none()),
        ("PUT", format!("{g}/members/{account}"), none()),
        ("DELETE", format!("{g}/members/{account}"), none()),
        ("DELETE", g, none()),
        ("DELETE", a, none()),
    ]
}

const OF_ALL: [(&str, &str); 6] = [
    ("GET", "/api/v1/accounts"),
    ("GET", "/api/v1/accounts/export"),
    ("POST", "/api/v1/accounts"),
    ("GET", "/api/v1/groups"),
    ("POST", "/api/v1/groups"),
    ("GET", "/api/v1/keys"),
];

async fn send(
    client: &Client<'_>,
    method: &str,
    path: &str,
    body: &Value,
) -> crate::common::Answer {
    let text = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    client
        .raw(method, path, Some("application/json"), text)
        .await
}

/// A body for [`OF_ALL`] that would do.
fn body_of(path: &str) -> Value {
    json!(match path {
        "/api/v1/groups" => json!({"title": "new"}),
        _ => json!({"email": "new@example.org", "password": PASSWORD}),
    })
}

#[tokio::test]
async fn others_may_not_and_learn_nothing() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ann = admin.account("ann@example.org", "advertiser").await;
    let bo = admin.account("bo@example.org", "retailer").await;
    let group = admin
        .post("/api/v1/groups", json!({"title": "g"}))
        .await
        .expect(201);
    let group = group["id"].as_i64().expect("an id");
    let (key, _) = admin.account_key(ann, None).await;
    let strangers = [
        server.client(admin.account_key(bo, None).await.1),
        server.client(
            server
                .token("audiences:read audiences:write installation", None)
                .await,
        ),
        server.client(server.token("admin", Some(vec![])).await),
    ];
    for client in &strangers {
        for (method, path, body) in everything(ann, group, key) {
            send(client, method, &path, &body)
                .await
                .problem(403, "forbidden");
        }
        for (method, path) in OF_ALL {
            let answer = send(client, method, path, &body_of(path)).await;
            answer.problem(403, "forbidden");
        }
        // Whether there is such an account is not theirs to know.
        client
            .get("/api/v1/accounts/999")
            .await
            .problem(403, "forbidden");
    }
    for (method, path, body) in everything(ann, group, key) {
        let answer = send(&server.stranger(), method, &path, &body).await;
        answer.problem(401, "unauthenticated");
    }

    let other = json!({"slug": "other", "name": "Other"});
    let other = admin.post("/api/v1/workspaces", other).await.expect(201);
    let neighbour = server.client(other["token"].as_str().expect("a token").to_owned());
    for (method, path, body) in everything(ann, group, key) {
        send(&neighbour, method, &path, &body)
            .await
            .problem(404, "not_found");
    }
    let listed = neighbour.get("/api/v1/accounts").await.expect(200);
    assert_eq!(listed, json!({"items": [], "total": 0}));
    let export = neighbour.get("/api/v1/accounts/export").await.text;
    assert_eq!(export.lines().count(), 1);

    // Nothing of all that was done; an administrator may do all of it, by token or by key.
    for (at, (method, path, body)) in everything(ann, group, key).into_iter().enumerate() {
        let answer = send(&admin, method, &path, &body).await;
        assert!(
            answer.status.is_success(),
            "{at} {method} {path}: {}",
            answer.text
        );
    }
    let root = admin.account("root@example.org", "admin").await;
    let root = server.client(admin.account_key(root, None).await.1);
    for (method, path) in OF_ALL {
        let answer = send(&root, method, path, &body_of(path)).await;
        assert!(
            answer.status.is_success(),
            "{method} {path}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn a_key_acts_for_its_own_account_and_no_further() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ann = admin.account("ann@example.org", "advertiser").await;
    let path = format!("/api/v1/accounts/{ann}");
    admin
        .patch(&path, json!({"permissions": ["audience:r", "audience:w"]}))
        .await
        .expect(200);
    let whole = server.client(admin.account_key(ann, None).await.1);
    let (lesser_id, secret) = admin.account_key(ann, Some(&["audience:r"])).await;
    let lesser = server.client(secret);

    for own in ["/api/v1/accounts/me", path.as_str()] {
        assert_eq!(lesser.get(own).await.expect(200)["id"], ann);
        for list in ["sessions", "ledger", "consents", "keys"] {
            lesser.get(&format!("{own}/{list}")).await.expect(200);
        }
    }
    admin
        .get("/api/v1/accounts/me")
        .await
        .problem(403, "forbidden");
    let change = json!({"name": "Ann", "preferences": {"a": 1}});
    lesser
        .patch("/api/v1/accounts/me", change)
        .await
        .expect(200);
    for body in [
        json!({"role": "admin"}),
        json!({"administrator": true}),
        json!({"active": true}),
        json!({"verified": true}),
        json!({"permissions": ["edit_domain"]}),
        json!({"groups": []}),
        json!({"budget": 1_000_000}),
        json!({"credit": 1}),
        json!({"call_limit": null}),
        json!({"username": "root"}),
        json!({"name": "Ann", "role": "admin"}),
    ] {
        let shown = body.to_string();
        let answer = whole.patch("/api/v1/accounts/me", body).await;
        assert_eq!(answer.status.as_u16(), 403, "{shown}: {}", answer.text);
    }
    // What would let in with all that the account may takes a key that may all of it.
    for body in [
        json!({"password": "another long phrase"}),
        json!({"email": "a@example.org"}),
    ] {
        lesser
            .patch("/api/v1/accounts/me", body.clone())
            .await
            .problem(403, "forbidden");
        whole.patch("/api/v1/accounts/me", body).await.expect(200);
    }
    let keys = "/api/v1/accounts/me/keys";
    let key =
        |permissions: Value| json!({"label": "k", "dialect": "native", "permissions": permissions});
    lesser
        .post(keys, key(json!(["audience:r"])))
        .await
        .expect(201);
    for more in [json!(null), json!(["audience:w"]), json!(["edit_domain"])] {
        lesser
            .post(keys, key(more.clone()))
            .await
            .problem(403, "forbidden");
        let own = format!("/api/v1/keys/{lesser_id}");
        lesser
            .patch(&own, json!({"permissions": more}))
            .await
            .problem(403, "forbidden");
    }
    let listed = whole.get(keys).await.expect(200);
    let first = listed["items"][0]["id"].clone();
    let rotate = format!("/api/v1/keys/{first}/rotate");
    lesser
        .get(&format!("/api/v1/keys/{first}"))
        .await
        .problem(403, "forbidden");
    lesser
        .post(&rotate, json!({}))
        .await
        .problem(403, "forbidden");

    // A key of an account that cannot come in is good for nothing.
    admin
        .patch(&path, json!({"active": false}))
        .await
        .expect(200);
    whole
        .get("/api/v1/me")
        .await
        .problem(401, "unauthenticated");
    admin
        .patch(&path, json!({"active": true}))
        .await
        .expect(200);
    whole.get("/api/v1/me").await.expect(200);
    admin.delete(&path).await.expect(204);
    whole
        .get("/api/v1/me")
        .await
        .problem(401, "unauthenticated");
}

#[tokio::test]
async fn the_keys_of_an_account_share_its_quota() {
    let server = Server::with_limit(Some(3)).await;
    let context = domain::Context::new(domain::Caller::server(server.workspace), "test");
    let new = domain::AccountNew::of("ann@example.org");
    let made = server
        .domain
        .account_create(&context, new, domain::Entrance::Invitation)
        .await
        .expect("is made");
    let key = async || {
        let new = domain::KeyNew {
            label: "k".into(),
            dialect: "native".into(),
            permissions: None,
            expires: None,
        };
        let made = server
            .domain
            .key_create(&context, made.account.id, new, &["native"])
            .await;
        server.client(made.expect("is made").secret)
    };
    for _ in 0..3 {
        key().await.get("/api/v1/me").await.expect(200);
    }
    let refused = key().await.get("/api/v1/me").await;
    refused.problem(429, "rate_limited");
}
