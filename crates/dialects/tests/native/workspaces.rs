use serde_json::json;

use crate::common::Server;

#[tokio::test]
async fn workspaces_are_made_and_listed() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let made = admin
        .post(
            "/api/v1/workspaces",
            json!({"slug": "acme", "name": "Acme"}),
        )
        .await
        .expect(201);
    assert_eq!(
        (&made["slug"], &made["keep_identifiers"]),
        (&json!("acme"), &json!("sealed"))
    );
    let none = json!({"slug": "bare", "name": "Bare", "keep_identifiers": "none"});
    assert_eq!(
        admin.post("/api/v1/workspaces", none).await.expect(201)["keep_identifiers"],
        "none"
    );
    let taken = admin
        .post(
            "/api/v1/workspaces",
            json!({"slug": "acme", "name": "Other"}),
        )
        .await;
    assert_eq!(taken.problem(409, "already_used")["field"], "slug");
    let refused = admin
        .post("/api/v1/workspaces", json!({"slug": "A b", "name": "x"}))
        .await;
    assert_eq!(refused.problem(422, "malformed")["field"], "slug");
    let listed = admin.get("/api/v1/workspaces").await.expect(200);
    let slugs: Vec<_> = listed["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| item["slug"].clone())
        .collect();
    assert_eq!(slugs, ["default", "acme", "bare"]);
}

#[tokio::test]
async fn a_repeated_request_finds_its_own_workspace_and_not_another_ones() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let body = json!({"slug": "acme", "name": "Acme"});
    let first = admin
        .key("k-1")
        .post("/api/v1/workspaces", body.clone())
        .await
        .expect(201);
    server.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(
        admin
            .key("k-1")
            .post("/api/v1/workspaces", body.clone())
            .await
            .expect(201),
        first
    );
    admin
        .key("k-2")
        .post("/api/v1/workspaces", body.clone())
        .await
        .problem(409, "already_used");
    admin
        .key("k-2")
        .post("/api/v1/workspaces", body)
        .await
        .problem(409, "already_used");
    let other = json!({"slug": "other", "name": "Acme"});
    admin
        .key("k-1")
        .post("/api/v1/workspaces", other)
        .await
        .problem(422, "key_reused");
}

/// Every route with the ids of another workspace: as if they did not exist.
#[tokio::test]
async fn a_wall_stands_between_workspaces() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let made = admin
        .post(
            "/api/v1/workspaces",
            json!({"slug": "acme", "name": "Acme"}),
        )
        .await
        .expect(201);
    let other_id = made["id"].as_i64().expect("an id");
    let other = server.client(server.token_in(other_id, "admin", None).await);
    // Other ids than those of the first workspace, where the counter also begins at 1.
    for n in 0..20 {
        other.structure(&format!("s{n}")).await;
    }
    let (structure, audience) = other.pair().await;
    other.add(audience, &["ada@example.org"]).await;
    let credential = other
        .post(
            "/api/v1/credentials",
            json!({"dialect": "native", "name": "c"}),
        )
        .await
        .expect(201);

    let emails = json!({"kind": "email", "values": ["ada@example.org"]});
    let (s, a) = (
        format!("/api/v1/structures/{structure}"),
        format!("/api/v1/audiences/{audience}"),
    );
    for (method, path, body) in [
        ("GET", s.clone(), None),
        ("PATCH", s.clone(), Some(json!({"name": "x"}))),
        ("DELETE", s.clone(), None),
        ("GET", a.clone(), None),
        ("PATCH", a.clone(), Some(json!({"name": "x"}))),
        ("DELETE", a.clone(), None),
        ("GET", format!("{a}/members/count"), None),
        ("POST", format!("{a}/members/add"), Some(emails.clone())),
        ("POST", format!("{a}/members/remove"), Some(emails.clone())),
        ("POST", format!("{a}/members/replace"), Some(emails.clone())),
        ("POST", format!("{a}/members/contains"), Some(emails)),
        ("POST", format!("{a}/members/empty"), None),
        (
            "DELETE",
            format!("/api/v1/credentials/{}", credential["id"]),
            None,
        ),
    ] {
        let media_type = body.as_ref().map(|_| "application/json");
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        admin
            .raw(method, &path, media_type, body)
            .await
            .problem(404, "not_found");
    }
    // Where a body names a structure, unknown and foreign are both 403, so that nobody learns which ids exist.
    admin
        .post(
            "/api/v1/audiences",
            json!({"structure": structure, "name": "x"}),
        )
        .await
        .problem(403, "forbidden");
    admin
        .get(&format!("/api/v1/audiences?structure={structure}"))
        .await
        .problem(403, "forbidden");
    for list in ["structures", "audiences", "identity/conflicts"] {
        assert_eq!(
            admin.get(&format!("/api/v1/{list}")).await.expect(200)["items"],
            json!([]),
            "{list}"
        );
    }
    for list in ["credentials", "activity"] {
        let foreign = json!({"dialect": "native", "name": "of the other"});
        other.post("/api/v1/credentials", foreign).await.expect(201);
        assert!(
            !admin
                .get(&format!("/api/v1/{list}"))
                .await
                .text
                .contains("of the other"),
            "{list}"
        );
    }
    assert_eq!(
        other.get(&format!("{a}/members/count")).await.expect(200)["people"],
        1
    );
    // The workspace's own administrator is not the installation's.
    other
        .get("/api/v1/workspaces")
        .await
        .problem(403, "forbidden");
    other
        .post("/api/v1/workspaces", json!({"slug": "b", "name": "B"}))
        .await
        .problem(403, "forbidden");
}

#[tokio::test]
async fn a_mount_takes_only_tokens_of_its_workspace() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let made = admin
        .post(
            "/api/v1/workspaces",
            json!({"slug": "acme", "name": "Acme"}),
        )
        .await
        .expect(201);
    let other = made["id"].as_i64().expect("an id");
    admin
        .mounted(server.workspace)
        .get("/api/v1/me")
        .await
        .expect(200);
    admin
        .mounted(other)
        .get("/api/v1/me")
        .await
        .problem(401, "unauthenticated");
    let client = server.client(server.token_in(other, "admin", None).await);
    client.get("/api/v1/me").await.expect(200);
    client.mounted(other).get("/api/v1/me").await.expect(200);
}

#[tokio::test]
async fn a_new_workspace_comes_with_a_token_that_is_good_there_only() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let made = admin
        .post(
            "/api/v1/workspaces",
            json!({"slug": "acme", "name": "Acme"}),
        )
        .await
        .expect(201);
    let theirs = server.client(made["token"].as_str().expect("a token").to_owned());
    let me = theirs.get("/api/v1/me").await.expect(200);
    assert_eq!(me["workspace"], made["id"]);
    theirs
        .post("/api/v1/structures", json!({"name": "theirs"}))
        .await
        .expect(201);
    let ours = admin.get("/api/v1/structures").await.expect(200);
    assert_eq!(ours["items"], json!([]), "nothing of theirs is seen here");
    theirs
        .post(
            "/api/v1/workspaces",
            json!({"slug": "more", "name": "More"}),
        )
        .await
        .expect(403);
    // A lost token is replaced from outside, and only by who may make workspaces.
    let path = format!("/api/v1/workspaces/{}/administrators", made["id"]);
    let again = admin.post(&path, json!({})).await.expect(201);
    let again = server.client(again["token"].as_str().expect("a token").to_owned());
    let structures = again.get("/api/v1/structures").await.expect(200);
    assert_eq!(structures["items"][0]["name"], "theirs");
    theirs.post(&path, json!({})).await.expect(403);
    admin
        .post("/api/v1/workspaces/99/administrators", json!({}))
        .await
        .expect(404);
}
