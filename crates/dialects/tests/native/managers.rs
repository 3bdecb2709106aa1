//! Managers: named, listed, replaced, removed; and what the key of an account of theirs may do, and no more.

use serde_json::{Value, json};

use crate::{
    accounts::all,
    common::{Client, Server},
};

fn at(audience: i64) -> String {
    format!("/api/v1/audiences/{audience}")
}

fn emails(values: &[&str]) -> Value {
    json!({"kind": "email", "values": values})
}

/// A structure with two audiences, and somebody in neither who has an account, verified or not.
struct Scene<'a> {
    admin: Client<'a>,
    structure: i64,
    mine: i64,
    other: i64,
    manager: Client<'a>,
}

async fn scene(server: &Server, verified: bool) -> Scene<'_> {
    let admin = server.admin().await;
    let structure = admin.structure("Shop").await;
    let (mine, other) = (
        admin.audience(structure, "mine").await,
        admin.audience(structure, "other").await,
    );
    for audience in [mine, other] {
        admin.add(audience, &["ada@example.org"]).await;
    }
    // Known, and no member of either.
    let elsewhere = admin.structure("Elsewhere").await;
    admin.add(elsewhere, &["max@example.org"]).await;
    let account = admin.account("Max@example.org", "advertiser").await;
    let path = format!("/api/v1/accounts/{account}");
    let body = json!({"verified": verified});
    admin.patch(&path, body).await.expect(200);
    let (_, secret) = admin.account_key(account, None).await;
    Scene {
        admin,
        structure,
        mine,
        other,
        manager: server.client(secret),
    }
}

impl Scene<'_> {
    /// Makes the account's person the manager of an audience or structure with these permissions and no others.
    async fn grant(&self, audience: i64, permissions: &[&str]) {
        let body = json!({"managers": [{"name": "max@example.org", "permissions": permissions}]});
        let path = format!("{}/managers", at(audience));
        let done = self.admin.put(&path, body).await.expect(200);
        assert_eq!(done["failed"], json!([]));
    }

    /// The statuses of what may be tried on an audience: seen, asked, listed, filled.
    async fn may(&self, audience: i64) -> [u16; 4] {
        let at = at(audience);
        let ask = format!("{at}/members/contains");
        let add = format!("{at}/members/add");
        [
            self.manager.get(&at).await,
            self.manager.post(&ask, emails(&["ada@example.org"])).await,
            self.manager.get(&format!("{at}/members")).await,
            self.manager.post(&add, emails(&["new@example.org"])).await,
        ]
        .map(|answer| answer.status.as_u16())
    }
}

#[tokio::test]
async fn managers_are_named_listed_replaced_and_removed() {
    let server = Server::start().await;
    let scene = scene(&server, true).await;
    let (admin, path) = (&scene.admin, format!("{}/managers", at(scene.mine)));
    assert_eq!(admin.get(&path).await.expect(200), json!({"items": []}));
    let body = json!({"managers": [
        {"name": "Ada@Example.org", "permissions": ["view_people", "insights"]},
        {"name": "nobody@example.org", "permissions": []}]});
    let keyed = admin.key("k");
    let done = keyed.post(&path, body.clone()).await.expect(200);
    assert_eq!(
        done,
        json!({"done": [{"name": "Ada@Example.org"}],
            "failed": [{"name": "nobody@example.org", "reason": "unknown"}]})
    );
    assert_eq!(keyed.post(&path, body).await.expect(200), done);
    let listed = admin.get(&path).await.expect(200);
    let ada = listed["items"][0]["person"].clone();
    assert_eq!(
        listed,
        json!({"items": [{"person": ada, "record": null, "permissions": ["view_people", "insights"]}]})
    );
    // By number, as the list shows it.
    let body = json!({"managers": [{"person": ada, "permissions": ["manage_members"]}]});
    let done = admin.post(&path, body).await.expect(200);
    assert_eq!(done, json!({"done": [{"person": ada}], "failed": []}));
    let listed = admin.get(&path).await.expect(200);
    assert_eq!(all(&listed, "permissions"), [json!(["manage_members"])]);

    scene.grant(scene.mine, &["insights"]).await;
    let listed = admin.get(&path).await.expect(200);
    let max = listed["items"][0]["person"].clone();
    assert!(all(&listed, "person") == [max.clone()] && max != ada);
    // Nobody can be: nobody is taken away.
    let body = json!({"managers": [{"name": "nobody@example.org", "permissions": []}]});
    let failed = admin.put(&path, body).await.expect(200);
    assert_eq!(failed["done"], json!([]));
    assert_eq!(admin.get(&path).await.expect(200), listed);

    for missing in [
        ada.to_string(),
        "999".into(),
        "x".into(),
        "4294967297".into(),
    ] {
        let one = format!("{path}/{missing}");
        admin.delete(&one).await.problem(404, "not_found");
    }
    admin.delete(&format!("{path}/{max}")).await.expect(204);
    assert_eq!(admin.get(&path).await.expect(200), json!({"items": []}));
}

#[tokio::test]
async fn what_is_said_of_managers_is_checked() {
    let server = Server::start().await;
    let scene = scene(&server, true).await;
    let (admin, path) = (&scene.admin, format!("{}/managers", at(scene.mine)));
    let one = json!({"name": "max@example.org", "permissions": []});
    for (body, code, field) in [
        (json!({}), "required", "managers"),
        (json!({"managers": []}), "required", "managers"),
        (json!({"managers": {}}), "wrong_type", "managers"),
        (
            json!({"managers": vec![one; 1_001]}),
            "too_many",
            "managers",
        ),
        (
            json!({"managers": [{"name": "a"}]}),
            "required",
            "permissions",
        ),
        (
            json!({"managers": [{"permissions": []}]}),
            "malformed",
            "managers",
        ),
        (
            json!({"managers": [{"name": "a", "person": 1, "permissions": []}]}),
            "malformed",
            "managers",
        ),
        (
            json!({"managers": [{"person": -1, "permissions": []}]}),
            "wrong_type",
            "managers",
        ),
        (
            json!({"managers": [{"name": "a", "permissions": ["fly"]}]}),
            "unknown",
            "permissions",
        ),
        (
            json!({"managers": [{"name": "max@example.org", "permissions": ["add_managers"]}]}),
            "not_a_structure",
            "permissions",
        ),
        (
            json!({"managers": [{"name": "a", "permissions": [], "role": "x"}]}),
            "unknown_field",
            "role",
        ),
    ] {
        for refused in [
            admin.post(&path, body.clone()).await,
            admin.put(&path, body.clone()).await,
        ] {
            assert_eq!(refused.problem(422, code)["field"], field, "{body}");
        }
    }
    let reader = server.client(server.token("audiences:read", None).await);
    let body = json!({"managers": [{"name": "max@example.org", "permissions": []}]});
    let missing = format!("{}/managers", at(999));
    admin.get(&missing).await.problem(404, "not_found");
    admin
        .post(&missing, body.clone())
        .await
        .problem(404, "not_found");
    reader.post(&path, body).await.problem(403, "forbidden");
    assert_eq!(admin.get(&path).await.expect(200), json!({"items": []}));
}

#[tokio::test]
async fn a_manager_may_do_what_was_granted_on_that_audience_only() {
    let server = Server::start().await;
    let scene = scene(&server, true).await;
    let nothing = [403; 4];
    assert_eq!(scene.may(scene.mine).await, nothing);
    for (permissions, statuses) in [
        (&["insights"][..], [200, 200, 403, 403]),
        (&["view_people"], [200, 200, 200, 403]),
        (&["manage_members"], [200, 200, 200, 200]),
        (&["manage_content"], [200, 403, 403, 403]),
        (&["insights", "manage_members"], [200, 200, 200, 200]),
    ] {
        scene.grant(scene.mine, permissions).await;
        assert_eq!(scene.may(scene.mine).await, statuses, "{permissions:?}");
        assert_eq!(scene.may(scene.other).await, nothing, "{permissions:?}");
        assert_eq!(scene.may(scene.structure).await, nothing, "{permissions:?}");
    }
    let removed = scene
        .manager
        .post(
            &format!("{}/members/remove", at(scene.mine)),
            emails(&["new@example.org"]),
        )
        .await
        .expect(200);
    assert_eq!(removed["removed"], 1);
    let listed = scene.manager.get("/api/v1/audiences").await.expect(200);
    assert_eq!(all(&listed, "id"), [json!(scene.mine)], "and sees no other");
    // The audience itself is not theirs.
    for refused in [
        scene
            .manager
            .patch(&at(scene.mine), json!({"name": "x"}))
            .await,
        scene.manager.delete(&at(scene.mine)).await,
    ] {
        refused.problem(403, "forbidden");
    }
    let path = format!("{}/managers", at(scene.mine));
    let max = scene.admin.get(&path).await.expect(200)["items"][0]["person"].clone();
    scene
        .admin
        .delete(&format!("{path}/{max}"))
        .await
        .expect(204);
    assert_eq!(scene.may(scene.mine).await, nothing);
}

#[tokio::test]
async fn what_is_granted_on_a_structure_holds_for_its_audiences() {
    let server = Server::start().await;
    let scene = scene(&server, true).await;
    scene.grant(scene.structure, &["manage_members"]).await;
    for audience in [scene.structure, scene.mine, scene.other] {
        assert_eq!(scene.may(audience).await, [200; 4]);
    }
    let elsewhere = scene.admin.structure("Third").await;
    assert_eq!(scene.may(elsewhere).await, [403; 4]);
    let new = json!({"structure": scene.structure, "name": "new"});
    let made = scene.manager.post("/api/v1/audiences", new.clone()).await;
    made.problem(403, "forbidden");

    scene.grant(scene.structure, &["manage_audiences"]).await;
    let made = scene
        .manager
        .post("/api/v1/audiences", new)
        .await
        .expect(201);
    let id = made["id"].as_i64().expect("an id");
    assert_eq!(made["path"], json!(["Shop", "new"]));
    let body = json!({"name": "newer"});
    scene.manager.patch(&at(id), body).await.expect(200);
    // To a structure that is not theirs it does not go.
    let away = json!({"parent": elsewhere});
    let refused = scene.manager.patch(&at(id), away.clone()).await;
    refused.problem(403, "forbidden");
    scene.grant(elsewhere, &["manage_audiences"]).await;
    let moved = scene.manager.patch(&at(id), away).await.expect(200);
    assert_eq!(moved["structure"], json!(elsewhere));
    scene.manager.delete(&at(id)).await.expect(204);
    let structure = format!("/api/v1/structures/{elsewhere}");
    let refused = scene.manager.delete(&structure).await;
    refused.problem(403, "forbidden");

    let path = format!("{}/managers", at(scene.mine));
    let body = json!({"managers": [{"name": "ada@example.org", "permissions": ["insights"]}]});
    let refused = scene.manager.post(&path, body.clone()).await;
    refused.problem(403, "forbidden");
    scene.grant(scene.structure, &["add_managers"]).await;
    let refused = scene.manager.post(&path, body.clone()).await;
    refused.problem(422, "beyond_own");
    scene
        .grant(scene.structure, &["add_managers", "insights"])
        .await;
    scene.manager.post(&path, body).await.expect(200);
    let listed = scene.manager.get(&path).await.expect(200);
    let ada = &listed["items"][0]["person"];
    scene
        .manager
        .delete(&format!("{path}/{ada}"))
        .await
        .expect(204);
}

#[tokio::test]
async fn an_account_whose_address_is_not_verified_manages_nothing() {
    let server = Server::start().await;
    let scene = scene(&server, false).await;
    scene.grant(scene.mine, &["manage_members"]).await;
    scene.grant(scene.structure, &["manage_audiences"]).await;
    for audience in [scene.mine, scene.structure] {
        assert_eq!(scene.may(audience).await, [403; 4]);
    }
    let listed = scene.manager.get("/api/v1/audiences").await;
    listed.problem(403, "forbidden");
}
