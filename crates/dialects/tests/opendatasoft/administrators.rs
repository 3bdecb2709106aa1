//! The last administrator is never lost, by whatever route.

use serde_json::json;

use crate::common::Server;

#[tokio::test]
async fn the_only_administrator_stays() {
    let server = Server::start().await;
    let admin = server.admin().await;
    // Who was invited and has not come yet is no administrator.
    admin
        .invite("ann", json!({"permissions": ["edit_domain"]}))
        .await;
    admin
        .delete("/users/root/")
        .await
        .refused(400, "last_administrator");
    for permissions in [json!([]), json!(["manage_subdomains"])] {
        let change = json!({"permissions": permissions, "first_name": "Changed"});
        admin
            .put("/users/root/", change)
            .await
            .refused(400, "last_administrator");
    }
    let root = admin.get("/users/root/").await.expect(200);
    assert_eq!(
        (&root["first_name"], &root["permissions"]),
        (&json!(""), &json!(["edit_domain"]))
    );
    server.account(server.workspace, "bob", "edit_domain").await;
    admin.delete("/users/root/").await.expect(204);
    admin.get("/users/").await.refused(401, "unauthorized");
}

#[tokio::test]
async fn nor_one_by_a_group_alone() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let group = admin
        .group(json!({"title": "Admins", "permissions": ["edit_domain"]}))
        .await;
    let path = format!("/groups/{group}/");
    let account = server.account(server.workspace, "ann", "").await;
    let client = server.client(server.key(server.workspace, account, None).await);
    let members = format!("/groups/{group}/users/");
    admin
        .post(&members, json!({"username": "ann"}))
        .await
        .expect(201);
    server.clock.advance(std::time::Duration::from_secs(6));
    client.delete("/users/root/").await.expect(204);
    for refused in [
        client.delete(&path).await,
        client.delete(&format!("{members}ann/")).await,
        client
            .put(&path, json!({"permissions": ["edit_page"]}))
            .await,
        client.put("/users/ann/", json!({"groups": []})).await,
        client.delete("/users/ann/").await,
    ] {
        refused.refused(400, "last_administrator");
    }
    client
        .put("/users/ann/", json!({"permissions": ["edit_domain"]}))
        .await
        .expect(200);
    client.delete(&path).await.expect(204);
}
