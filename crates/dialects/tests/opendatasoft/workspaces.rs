//! Two workspaces: every route with the names and uids of the other's, as if they did not exist.

use serde_json::json;

use crate::common::Server;

#[tokio::test]
async fn a_wall_stands_between_workspaces() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let group = admin
        .group(json!({"title": "Ours", "permissions": ["edit_page"]}))
        .await;
    admin
        .invite("ann", json!({"groups": [{"uid": group}]}))
        .await;
    let key = admin
        .post("/apikeys/", json!({"label": "Ours"}))
        .await
        .expect(201);
    let (key, secret) = (
        key["uid"].as_str().expect("a uid").to_owned(),
        key["key"].as_str().expect("a key").to_owned(),
    );

    let workspace = server.another_workspace().await;
    let account = server.account(workspace, "boss", "edit_domain").await;
    let other = server.client(server.key(workspace, account, None).await);
    let theirs = other.group(json!({"title": "Theirs"})).await;
    let paths = [
        ("GET", "/users/ann/".to_owned(), json!({})),
        (
            "PUT",
            "/users/ann/".into(),
            json!({"first_name": "Changed"}),
        ),
        ("DELETE", "/users/ann/".into(), json!({})),
        ("GET", format!("/groups/{group}/"), json!({})),
        (
            "PUT",
            format!("/groups/{group}/"),
            json!({"title": "Changed"}),
        ),
        (
            "PUT",
            format!("/groups/{group}/"),
            json!({"permissions": []}),
        ),
        ("DELETE", format!("/groups/{group}/"), json!({})),
        ("GET", format!("/groups/{group}/users/"), json!({})),
        (
            "POST",
            format!("/groups/{group}/users/"),
            json!({"username": "boss"}),
        ),
        (
            "POST",
            format!("/groups/{group}/users/batch/"),
            json!([{"username": "boss"}]),
        ),
        ("DELETE", format!("/groups/{group}/users/ann/"), json!({})),
        ("DELETE", format!("/groups/{theirs}/users/ann/"), json!({})),
        ("GET", format!("/apikeys/{key}/"), json!({})),
        (
            "PUT",
            format!("/apikeys/{key}/"),
            json!({"label": "Changed"}),
        ),
        (
            "PUT",
            format!("/apikeys/{key}/"),
            json!({"permissions": []}),
        ),
        ("POST", format!("/apikeys/{key}/revoke/"), json!({})),
    ];
    for (method, path, body) in paths {
        let answer = other.raw(method, &path, body.to_string()).await;
        answer.refused(404, "not_found");
    }
    // Lists hold their own only, and nothing of ours can be named.
    assert_eq!(other.names("/users/").await, ["boss"]);
    assert!(!other.get("/users/export/").await.text.contains("ann@"));
    let groups = other.get("/groups/").await.expect(200);
    assert_eq!(
        (&groups["total_count"], &groups["results"][0]["uid"]),
        (&json!(1), &json!("theirs"))
    );
    assert_eq!(other.get("/apikeys/").await.expect(200)["total_count"], 1);
    let found = other
        .post("/apikeys/search_key/", json!({"key": secret}))
        .await
        .expect(200);
    assert_eq!(found, json!({"found": false, "result": null}));
    let members = format!("/groups/{theirs}/users/");
    other
        .post(&members, json!({"username": "ann"}))
        .await
        .invalid("username");
    let batch = other
        .post(&format!("{members}batch/"), json!([{"username": "ann"}]))
        .await;
    assert_eq!(batch.expect(200)["0"]["status_code"], "error");
    for named in [json!({"uid": group}), json!({"title": "Ours"})] {
        let change = json!({"groups": [named]});
        other.put("/users/boss/", change).await.invalid("groups");
    }
    let provided = json!({"email": "x@example.com", "identity_provider": {"uid": "company"}});
    let answer = other.post("/users/provision/", provided).await.expect(200);
    assert_eq!(
        answer["0"]["error"]["error_code"],
        "unknown-identity-provider"
    );
    // The same person may be in both, and ours is as it was.
    other.invite("ann", json!({})).await;
    let ann = admin.get("/users/ann/").await.expect(200);
    assert_eq!(
        (&ann["first_name"], &ann["groups"]),
        (&json!(""), &json!([{"uid": group}]))
    );
    assert_eq!(
        admin.get(&format!("/apikeys/{key}/")).await.expect(200)["label"],
        "Ours"
    );
    assert_eq!(
        admin.get(&format!("/groups/{group}/")).await.expect(200)["title"],
        "Ours"
    );
}

#[tokio::test]
async fn a_mount_takes_its_own_keys() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let workspace = server.another_workspace().await;
    let account = server.account(workspace, "boss", "edit_domain").await;
    let other = server.client(server.key(workspace, account, None).await);
    admin
        .mounted(server.workspace)
        .get("/users/")
        .await
        .expect(200);
    other.mounted(workspace).get("/users/").await.expect(200);
    admin
        .mounted(workspace)
        .get("/users/")
        .await
        .refused(401, "unauthorized");
    other
        .mounted(server.workspace)
        .get("/users/")
        .await
        .refused(401, "unauthorized");
    let query = format!("/users/?apikey={}", admin.key);
    let both = other.mounted(workspace).authorized(None);
    both.get(&query).await.refused(401, "unauthorized");
}
