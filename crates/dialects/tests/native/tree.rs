//! The tree of structures and audiences: seen, moved, tried, kept at the console, deleted.

use domain::{Caller, Context, RecordNew};
use serde_json::{Value, json};

use crate::{
    accounts::all,
    common::{Client, Server},
};

fn at(id: i64) -> String {
    format!("/api/v1/audiences/{id}")
}

async fn ids(client: &Client<'_>, query: &str) -> Vec<i64> {
    let path = format!("/api/v1/audiences?{query}");
    let list = client.get(&path).await.expect(200);
    let ids = all(&list, "id");
    ids.iter().filter_map(Value::as_i64).collect()
}

/// How many people are in it.
async fn people(client: &Client<'_>, id: i64) -> Value {
    client.get(&at(id)).await.expect(200)["counts"]["people"].clone()
}

#[tokio::test]
async fn a_tree_is_seen_from_its_root_and_from_its_leaves() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (one, two) = (admin.structure("One").await, admin.structure("Two").await);
    let (a, b) = (
        admin.audience(one, "a").await,
        admin.audience(one, "b").await,
    );
    admin.audience(two, "c").await;
    admin.add(a, &["ada@example.org", "bo@example.org"]).await;
    admin.add(b, &["bo@example.org", "cy@example.org"]).await;
    admin.add(one, &["dee@example.org"]).await;

    assert_eq!(ids(&admin, "parent=root").await, [one, two]);
    assert_eq!(ids(&admin, &format!("parent={one}")).await, [a, b]);
    assert_eq!(ids(&admin, &format!("structure={one}")).await, [a, b]);
    assert_eq!(ids(&admin, &format!("parent={one}&limit=1")).await, [a]);
    let root = admin.get(&at(one)).await.expect(200);
    assert_eq!(
        (
            &root["kind"],
            &root["parent"],
            &root["depth"],
            &root["path"]
        ),
        (
            &json!("structure"),
            &json!(null),
            &json!(0),
            &json!(["One"])
        )
    );
    assert_eq!(root["counts"]["people"], 4, "its own and its audiences'");
    let listed = admin.get("/api/v1/audiences?parent=root").await.expect(200);
    assert_eq!(listed["items"][0], root);
    let leaf = admin.get(&at(a)).await.expect(200);
    for (field, value) in [
        ("kind", json!("manual")),
        ("structure", json!(one)),
        ("parent", json!(one)),
        ("depth", json!(1)),
        ("path", json!(["One", "a"])),
        ("control", json!("both")),
        ("rule", json!(null)),
    ] {
        assert_eq!(leaf[field], value, "{field}");
    }
    for query in [format!("parent={one}"), String::new()] {
        let path = format!("/api/v1/audiences?{query}");
        let listed = admin.get(&path).await.expect(200);
        assert_eq!(listed["items"][0], leaf, "{query}");
    }
    // The next page is of the same part of the tree.
    let page = admin
        .get(&format!("/api/v1/audiences?limit=1&parent={one}"))
        .await;
    let next = format!("&parent={one}>");
    assert!(
        page.header("link").contains(&next),
        "{}",
        page.header("link")
    );
}

#[tokio::test]
async fn a_smart_audience_follows_its_rule_and_feeds_nothing() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (structure, a) = admin.pair().await;
    let b = admin.audience(structure, "b").await;
    let other = admin.structure("Other").await;
    admin.add(a, &["ada@example.org", "bo@example.org"]).await;
    admin.add(b, &["bo@example.org"]).await;
    let rule = json!({"all": [{"audience": a}, {"not": {"audience": b}}]});
    let body = json!({"structure": other, "name": "s", "rule": rule});
    let made = admin.post("/api/v1/audiences", body).await.expect(201);
    assert_eq!((&made["kind"], &made["rule"]), (&json!("smart"), &rule));
    assert_eq!(made["counts"]["people"], 1);
    let id = made["id"].as_i64().expect("an id");
    assert_eq!(people(&admin, other).await, 0, "it only looks");
    let body = json!({"kind": "email", "values": ["cy@example.org"]});
    let add = format!("{}/members/add", at(id));
    admin.post(&add, body).await.problem(409, "conflict");
    let rule = json!({"any": [{"audience": a}, {"audience": b}]});
    let changed = admin
        .patch(&at(id), json!({"rule": rule}))
        .await
        .expect(200);
    assert_eq!(
        (&changed["rule"], &changed["counts"]["people"]),
        (&rule, &json!(2))
    );
    for (path, rule) in [
        (at(id), json!({"some": []})),
        (at(id), json!(5)),
        (at(id), json!({"audience": "1"})),
        (at(id), json!({"audience": 999})),
        (at(id), json!({"audience": id})),
        (at(a), json!({"audience": b})),
    ] {
        let body = json!({"rule": rule});
        let refused = admin.patch(&path, body).await.expect(422);
        assert_eq!(refused["field"], "rule", "{refused}");
    }
    let body = json!({"structure": other, "name": "t", "rule": [1]});
    let refused = admin.post("/api/v1/audiences", body).await;
    assert_eq!(refused.problem(422, "malformed")["field"], "rule");
    assert_eq!(admin.get(&at(id)).await.expect(200), changed);
}

/// Two structures; the first holds ada itself, and in its audiences ada, bo and cy, and bo.
async fn forest(admin: &Client<'_>) -> (i64, i64, i64) {
    let (one, two) = (admin.structure("One").await, admin.structure("Two").await);
    let (moving, staying) = (
        admin.audience(one, "moving").await,
        admin.audience(one, "staying").await,
    );
    admin.add(one, &["ada@example.org"]).await;
    let all = ["ada@example.org", "bo@example.org", "cy@example.org"];
    admin.add(moving, &all).await;
    admin.add(staying, &["bo@example.org"]).await;
    admin.add(two, &["cy@example.org"]).await;
    (one, two, moving)
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_answers_what_the_move_does() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (one, two, moving) = forest(&admin).await;
    let before = admin.get("/api/v1/audiences").await.expect(200);
    let log = admin.get("/api/v1/activity").await.expect(200);
    let body = json!({"parent": two, "name": "moved"});
    let tried = format!("{}?dry_run=true", at(moving));
    let keyed = admin.key("k");
    let tried = keyed.patch(&tried, body.clone()).await.expect(200);
    assert_eq!(admin.get("/api/v1/audiences").await.expect(200), before);
    assert_eq!(admin.get("/api/v1/activity").await.expect(200), log);
    assert_eq!(
        tried["move"],
        json!({"from": one, "to": two, "members": 3, "joined": 2, "left": 1, "kept_by_audience": 1,
            "kept_by_structure": 1})
    );
    assert_eq!(tried["path"], json!(["Two", "moved"]));

    let moved = keyed.patch(&at(moving), body.clone()).await.expect(200);
    assert_eq!(moved, tried, "the same key, and it was only tried before");
    let again = keyed.patch(&at(moving), body).await.expect(200);
    assert_eq!(again, moved);
    let mut shown = moved.clone();
    shown.as_object_mut().expect("fields").remove("move");
    assert_eq!(admin.get(&at(moving)).await.expect(200), shown);
    assert_eq!(
        (people(&admin, one).await, people(&admin, two).await),
        (json!(2), json!(3))
    );
    let stays = admin
        .patch(&at(moving), json!({"parent": two}))
        .await
        .expect(200);
    assert_eq!(stays, shown, "nothing moved");
}

#[tokio::test]
async fn a_move_that_somebody_cannot_join_moves_nobody() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (_, two, moving) = forest(&admin).await;
    let context = Context::new(Caller::server(server.workspace), "test");
    for (email, active, ends) in [
        ("ada@example.org", false, None),
        ("bo@example.org", true, Some("2020-01-31".to_owned())),
    ] {
        let new = RecordNew {
            reference: None,
            email: Some(email.into()),
            first_name: None,
            last_name: None,
            active,
            starts: None,
            ends,
            profile: "{}".into(),
            shares_email: false,
        };
        let made = server.domain.record_create(&context, "hr", new).await;
        made.expect("is made");
    }
    let before = admin.get("/api/v1/audiences").await.expect(200);
    for query in ["?dry_run=true", ""] {
        let body = json!({"parent": two, "name": "moved"});
        let path = format!("{}{query}", at(moving));
        let refused = admin.patch(&path, body).await;
        let refused = refused.problem(422, "members_cannot_join");
        assert_eq!(
            (&refused["field"], &refused["inactive"], &refused["ended"]),
            (&json!("parent"), &json!(1), &json!(1))
        );
        assert_eq!(admin.get("/api/v1/audiences").await.expect(200), before);
    }
}

#[tokio::test]
async fn where_an_audience_cannot_go_is_said() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (one, two, moving) = forest(&admin).await;
    let child = admin.audience(two, "moving").await;
    for (path, parent, statuses) in [
        (at(moving), json!(child), &[(422, "not_a_structure")][..]),
        (at(moving), json!(moving), &[(422, "not_a_structure")]),
        (at(one), json!(two), &[(422, "is_a_structure")]),
        (at(one), json!(one), &[(422, "is_a_structure")]),
        (at(moving), json!(two), &[(409, "already_used")]),
        (
            at(moving),
            json!(999),
            &[(404, "not_found"), (403, "forbidden")],
        ),
        (at(moving), json!(null), &[(422, "wrong_type")]),
        (at(moving), json!("1"), &[(422, "wrong_type")]),
        (at(999), json!(two), &[(404, "not_found")]),
    ] {
        let refused = admin.patch(&path, json!({"parent": parent})).await;
        refused.expect_either(statuses);
    }
    for (path, body) in [
        (format!("{}?dry_run=yes", at(moving)), json!({})),
        (format!("{}?dryrun=true", at(moving)), json!({})),
        (at(moving), json!({"control": "api"})),
        (at(moving), json!({"structure": two})),
    ] {
        assert_eq!(
            admin.patch(&path, body).await.status.as_u16(),
            422,
            "{path}"
        );
    }
    for query in [
        "parent=x",
        "parent=-1",
        "parent=",
        "parent=root&structure=1",
    ] {
        let path = format!("/api/v1/audiences?{query}");
        assert_eq!(admin.get(&path).await.expect(422)["field"], "parent");
    }
    // Only of the old structure, only of the new one, only to read.
    for (scopes, structures) in [
        ("audiences:read audiences:write", Some(vec![one])),
        ("audiences:read audiences:write", Some(vec![two])),
        ("audiences:read", None),
    ] {
        let client = server.client(server.token(scopes, structures).await);
        for query in ["?dry_run=true", ""] {
            let path = format!("{}{query}", at(moving));
            let body = json!({"parent": two, "name": "free"});
            client.patch(&path, body).await.problem(403, "forbidden");
        }
    }
}

#[tokio::test]
async fn a_structure_kept_at_the_console_is_not_written_by_programs() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let body = json!({"name": "Shop", "control": "api"});
    let made = admin.post("/api/v1/structures", body).await.expect(201);
    assert_eq!(made["control"], "api");
    let structure = made["id"].as_i64().expect("an id");
    let audience = admin.audience(structure, "Readers").await;
    let path = format!("/api/v1/structures/{structure}");
    for (control, code) in [(json!("nobody"), "unknown"), (json!(1), "wrong_type")] {
        let refused = admin.patch(&path, json!({"control": control})).await;
        assert_eq!(refused.problem(422, code)["field"], "control");
    }
    let body = json!({"control": "console"});
    let changed = admin.patch(&path, body).await.expect(200);
    assert_eq!(changed["control"], "console");
    assert_eq!(
        admin.get(&at(audience)).await.expect(200)["control"],
        "console"
    );
    let emails = json!({"kind": "email", "values": ["ada@example.org"]});
    let new = json!({"structure": structure, "name": "b"});
    for refused in [
        admin.patch(&at(audience), json!({"name": "b"})).await,
        admin.delete(&at(audience)).await,
        admin.post("/api/v1/audiences", new).await,
        admin
            .post(&format!("{}/members/add", at(audience)), emails.clone())
            .await,
        admin.patch(&path, json!({"name": "b"})).await,
        admin.delete(&path).await,
    ] {
        refused.problem(403, "console_controlled");
    }
    let back = json!({"control": "both"});
    let lesser = server.client(server.token("structures:write audiences:write", None).await);
    lesser
        .patch(&path, back.clone())
        .await
        .problem(403, "forbidden");
    admin.patch(&path, back).await.expect(200);
    admin.add(audience, &["ada@example.org"]).await;
}

#[tokio::test]
async fn a_structure_is_deleted_with_its_audiences_only_where_that_is_said() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (one, two, moving) = forest(&admin).await;
    let path = format!("/api/v1/structures/{one}");
    admin.delete(&path).await.problem(409, "conflict");
    let kept = format!("{path}?with_audiences=false");
    admin.delete(&kept).await.problem(409, "conflict");
    let wrong = format!("{path}?with_audiences=1");
    admin.delete(&wrong).await.problem(422, "malformed");
    let reader = server.client(server.token("audiences:write", None).await);
    let whole = format!("{path}?with_audiences=true");
    reader.delete(&whole).await.problem(403, "forbidden");
    admin.delete(&whole).await.expect(204);
    for gone in [at(one), at(moving), path] {
        admin.get(&gone).await.problem(404, "not_found");
    }
    assert_eq!(ids(&admin, "parent=root").await, [two]);
    assert_eq!(people(&admin, two).await, 1);
    admin.delete(&whole).await.problem(404, "not_found");
}
