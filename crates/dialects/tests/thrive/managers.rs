//! Managers and their permissions.

use serde_json::{Value, json};

use crate::support::{World, result};

fn child(manage: bool, insights: bool) -> Value {
    json!({
        "audienceManager": {"manageMembers": false, "manageContent": manage, "assignments": false},
        "peopleManager": {"canViewLearnPage": false, "insights": insights, "manage": false},
    })
}

#[tokio::test]
async fn managers_are_added_listed_replaced_and_removed() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.audience("s", "c").await;
    let id = client.user("u1").await;
    client.users(&["u2", "u3"]).await;
    let path = "/audiences/c/managers";
    assert_eq!(client.get(path).await.expect(200), json!([]));
    // As the vendor's only public client sends it, whatever the audience is.
    let permissions = json!({
        "audienceManager": {"manageContent": true},
        "peopleManager": {"insights": true},
        "administrator": {"canAddAudienceManagers": true},
    });
    let items = json!([
        {"reference": "u1@example.com", "permissions": permissions},
        {"reference": "u2", "userId": "ignored", "email": "ignored"},
        {"reference": "nobody", "permissions": {}},
    ]);
    let body = client.post(path, items).await.expect(207);
    let (done, failed) = result(&body);
    assert_eq!(done, ["u1@example.com", "u2"]);
    let reason = "User not found".to_owned();
    assert_eq!(failed, [("nobody".to_owned(), reason)]);
    let expected = json!([
        {"userId": id, "reference": "u1", "email": "u1@example.com", "permissions": child(true, true)},
        {"userId": client.user_id("u2").await, "reference": "u2", "email": "u2@example.com",
         "permissions": child(false, false)},
    ]);
    assert_eq!(client.get(path).await.expect(200), expected);
    // Again, with other permissions: they count.
    let items = json!([{"reference": id, "permissions": {}}]);
    client.post(path, items).await.expect(200);
    let listed = client.get(path).await.expect(200);
    assert_eq!(listed[0]["permissions"], child(false, false));
    let items = json!([{"userId": client.user_id("u3").await, "permissions": null}]);
    let body = client.patch(path, items).await.expect(200);
    assert_eq!(result(&body).0.len(), 1);
    let listed = client.get(path).await.expect(200);
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert_eq!(listed[0]["reference"], "u3");
    let nobody = json!([{"reference": "nobody"}]);
    client.patch(path, nobody.clone()).await.expect(422);
    client.post(path, nobody).await.expect(422);
    client
        .delete("/audiences/c/managers/u3%40example.com")
        .await
        .gone();
    client.delete("/audiences/c/managers/u3").await.refused(404);
    client
        .delete("/audiences/c/managers/nobody")
        .await
        .refused(404);
    assert_eq!(client.get(path).await.expect(200), json!([]));
}

#[tokio::test]
async fn a_structures_managers_administrate() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.user("u1").await;
    let permissions = json!({
        "audienceManager": {"manageMembers": true, "manageContent": true, "assignments": true},
        "peopleManager": {"canViewLearnPage": true, "insights": true, "manage": true},
        "administrator": {"canManageAudiences": true, "canAddAudienceManagers": true},
    });
    let path = "/audiences/s/managers";
    let items = json!([{"reference": "u1", "permissions": permissions}]);
    client.post(path, items).await.expect(200);
    let listed = client.get(path).await.expect(200);
    assert_eq!(listed[0]["permissions"], permissions);
    // What was read can be written back.
    let read = client.patch(path, listed.clone()).await;
    read.expect(200);
    assert_eq!(client.get(path).await.expect(200), listed);
    let items = json!([{"reference": "u1", "permissions": {"administrator": {"canAddAudienceManagers": true}}}]);
    client.patch(path, items).await.expect(200);
    let listed = client.get(path).await.expect(200);
    let expected = json!({
        "audienceManager": {"manageMembers": false, "manageContent": false, "assignments": false},
        "peopleManager": {"canViewLearnPage": false, "insights": false, "manage": false},
        "administrator": {"canManageAudiences": false, "canAddAudienceManagers": true},
    });
    assert_eq!(listed[0]["permissions"], expected);
}

#[tokio::test]
async fn a_manager_is_no_member() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.user("u1").await;
    let items = json!([{"reference": "u1"}]);
    client
        .post("/audiences/s/managers", items)
        .await
        .expect(200);
    assert_eq!(client.members("s").await, [""; 0]);
}
