//! Two tenants: each operation with the ids and references of the other's, as if they did not exist.

use serde_json::{Value, json};

use crate::support::{BASE, LIFECYCLE, World};

#[tokio::test]
async fn a_wall_stands_between_tenants() {
    let world = World::new().await;
    let ours = world.admin().await;
    let structure = ours.structure("s").await;
    let child = ours.audience("s", "c").await;
    let user = ours.user("u1").await;
    ours.add("c", &["u1"]).await;
    let theirs = world
        .client(world.another_workspace().await, "", None)
        .await;
    theirs.structure("their-s").await;
    let their_child = theirs.audience("their-s", "their-c").await;
    theirs.user("their-u").await;
    for audience in [structure.as_str(), child.as_str(), "s", "c"] {
        let path = format!("{BASE}/audiences/{audience}");
        let manager = json!([{"reference": "their-u"}]);
        for (method, rest, body) in [
            ("GET", "", Value::Null),
            ("PATCH", "", json!({"name": "x"})),
            ("DELETE", "", Value::Null),
            ("GET", "/members", Value::Null),
            ("POST", "/members", json!(["their-u"])),
            ("PATCH", "/members", json!(["their-u"])),
            ("DELETE", "/members/u1", Value::Null),
            ("GET", "/managers", Value::Null),
            ("POST", "/managers", manager.clone()),
            ("PATCH", "/managers", manager),
            ("DELETE", "/managers/u1", Value::Null),
        ] {
            let body = match body {
                Value::Null => String::new(),
                body => body.to_string(),
            };
            theirs
                .raw(method, &format!("{path}{rest}"), body)
                .await
                .refused(404);
        }
        let body = json!({"parentId": audience});
        theirs.patch("/audiences/their-c", body).await.refused(404);
        let body = json!({"name": "x", "parentId": audience});
        theirs.post("/audiences", body).await.refused(404);
    }
    for path in [
        format!("{BASE}/user/{user}"),
        format!("{BASE}/users/{user}"),
        format!("{BASE}/users/ref/u1"),
    ] {
        theirs.raw("GET", &path, "").await.refused(404);
    }
    for path in [format!("/users/{user}"), "/users/ref/u1".into()] {
        let path = format!("{LIFECYCLE}{path}");
        theirs
            .raw("PATCH", &path, "{\"sso\":true}")
            .await
            .refused(404);
        theirs.raw("DELETE", &path, "").await.refused(404);
        let path = format!("{path}/suspend");
        theirs.raw("PATCH", &path, "").await.refused(404);
    }
    for name in [user.as_str(), "u1", "u1@example.com"] {
        let body = theirs
            .post("/audiences/their-c/members", json!([name]))
            .await;
        assert_eq!(
            body.expect(422)["failure"]["entities"][0]["reason"],
            "User not found"
        );
    }
    for path in ["/audiences", "/users"] {
        let page = theirs.get(path).await.expect(200);
        let own = if path == "/users" { 1 } else { 2 };
        assert_eq!(page["pagination"]["totalResults"], own);
    }
    // The same references are free there, and name their own.
    theirs.structure("s").await;
    theirs.user("u1").await;
    let shown = theirs.get("/audiences/s").await.expect(200);
    assert_ne!(shown["id"], structure);
    assert_eq!(ours.members("c").await, ["u1"]);
    assert_eq!(ours.get("/audiences/c").await.expect(200)["id"], child);
    ours.get(&format!("/audiences/{their_child}"))
        .await
        .refused(404);
}

#[tokio::test]
async fn a_mount_takes_its_own_tenants() {
    let world = World::new().await;
    let ours = world.admin().await;
    let workspace = world.another_workspace().await;
    let theirs = world.client(workspace, "", None).await;
    for client in [&ours, &ours.bearer("api/all").await] {
        client
            .mounted(world.workspace)
            .get("/audiences")
            .await
            .expect(200);
        client
            .mounted(workspace)
            .get("/audiences")
            .await
            .refused(401);
    }
    theirs
        .mounted(workspace)
        .get("/audiences")
        .await
        .expect(200);
    // A secret is good with its own tenant's id alone.
    let header = crate::support::basic(&theirs.tenant, &ours.secret);
    ours.authorized(Some(&header))
        .get("/audiences")
        .await
        .refused(401);
}
