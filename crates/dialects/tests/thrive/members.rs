//! Members: added, replaced, removed, and what is said of those who could not be.

use serde_json::{Value, json};

use crate::support::{World, result, texts};

fn not_found(name: &str) -> (String, String) {
    (name.to_owned(), "User not found".to_owned())
}

#[tokio::test]
async fn members_are_named_by_email_reference_or_id() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.audience("s", "c").await;
    let id = client.user("u1").await;
    client.users(&["u2", "u/3"]).await;
    let names = json!([id, "U2@Example.com", "u/3"]);
    let body = client.post("/audiences/c/members", names).await.expect(200);
    let expected = json!({"success": {"count": 3, "entities": [
        {"reference": id}, {"reference": "U2@Example.com"}, {"reference": "u/3"},
    ]}});
    assert_eq!(body, expected);
    assert_eq!(client.members("c").await, ["u/3", "u1", "u2"]);
    assert_eq!(client.members("s").await, ["u/3", "u1", "u2"]);
    let page = client.get("/audiences/c/members").await.expect(200);
    let expected = json!({"userId": id, "reference": "u1", "email": "u1@example.com"});
    assert_eq!(page["results"][0], expected);
    for name in [id.as_str(), "u2%40example.com", "u%2F3"] {
        let path = format!("/audiences/c/members/{name}");
        client.delete(&path).await.gone();
        client.delete(&path).await.refused(404);
    }
    assert_eq!(client.members("s").await, [""; 0]);
}

#[tokio::test]
async fn some_may_fail() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.audience("s", "c").await;
    client.users(&["u1", "u2", "gone", "over"]).await;
    let suspend = client.v2("PATCH", "/users/ref/gone/suspend", Value::Null);
    suspend.await.expect(200);
    let over = client.v2("PATCH", "/users/ref/over", json!({"endDate": "2024-03-14"}));
    over.await.expect(200);
    let names = json!([
        "u1",
        "nobody",
        "gone",
        "u2",
        "over",
        "",
        "63f57d805d8ecbf46f5b5278"
    ]);
    let body = client.post("/audiences/c/members", names).await.expect(207);
    let (done, failed) = result(&body);
    assert_eq!(done, ["u1", "u2"]);
    let reason = |name: &str, reason: &str| (name.to_owned(), reason.to_owned());
    assert_eq!(
        failed,
        [
            not_found("nobody"),
            reason("gone", "User is inactive"),
            reason("over", "User's end date has passed"),
            not_found(""),
            not_found("63f57d805d8ecbf46f5b5278"),
        ]
    );
    assert_eq!(client.members("c").await, ["u1", "u2"]);
    // The key of a failure is not called error, and each has its reason first.
    let answer = client.post("/audiences/c/members", json!(["nobody"])).await;
    assert_eq!(
        answer.text,
        "{\"success\":{\"count\":0,\"entities\":[]},\"failure\":{\"count\":1,\"entities\":[{\"reason\":\"User not \
         found\",\"reference\":\"nobody\"}]}}"
    );
    answer.expect(422);
    for method in ["POST", "PATCH"] {
        let names = json!(["nobody", "gone", "over"]);
        let answer = client.call(method, "/audiences/c/members", names).await;
        let (done, failed) = result(&answer.expect(422));
        assert_eq!((done.len(), failed.len()), (0, 3));
    }
    assert_eq!(client.members("c").await, ["u1", "u2"], "nothing was done");
}

#[tokio::test]
async fn who_is_in_already_is_in() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.users(&["u1", "u2"]).await;
    client.add("s", &["u1"]).await;
    let names = json!(["u1", "u1@example.com", "u2", "u1"]);
    let body = client.post("/audiences/s/members", names).await.expect(200);
    assert_eq!(result(&body).0, ["u1", "u1@example.com", "u2"]);
    assert_eq!(client.members("s").await, ["u1", "u2"]);
    let suspend = client.v2("PATCH", "/users/ref/u1/suspend", Value::Null);
    suspend.await.expect(200);
    let body = client.post("/audiences/s/members", json!(["u1"])).await;
    assert_eq!(result(&body.expect(200)).0, ["u1"]);
}

#[tokio::test]
async fn replacing_leaves_nobody_else() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.audience("s", "c").await;
    client.audience("s", "d").await;
    client.users(&["u1", "u2", "u3", "u4"]).await;
    client.add("c", &["u1", "u2"]).await;
    client.add("d", &["u2"]).await;
    client.add("s", &["u4"]).await;
    let path = "/audiences/c/members";
    let body = client
        .patch(path, json!(["u3", "nobody"]))
        .await
        .expect(207);
    assert_eq!(
        result(&body),
        (vec!["u3".into()], vec![not_found("nobody")])
    );
    assert_eq!(client.members("c").await, ["u3"]);
    // Who is in another audience, or in the structure itself, stays in the structure.
    assert_eq!(client.members("s").await, ["u2", "u3", "u4"]);
    let body = client
        .patch("/audiences/s/members", json!(["u1", "u3"]))
        .await;
    assert_eq!(result(&body.expect(200)).0, ["u1", "u3"]);
    assert_eq!(client.members("s").await, ["u1", "u3"]);
    assert_eq!(client.members("c").await, ["u3"]);
    assert_eq!(client.members("d").await, [""; 0]);
}

#[tokio::test]
async fn who_leaves_a_structure_leaves_its_audiences() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.audience("s", "c").await;
    client.audience("s", "d").await;
    client.users(&["u1", "u2"]).await;
    for audience in ["c", "d"] {
        client.add(audience, &["u1", "u2"]).await;
    }
    client.delete("/audiences/c/members/u1").await.gone();
    assert_eq!(client.members("s").await, ["u1", "u2"]);
    client.delete("/audiences/s/members/u1").await.gone();
    for audience in ["s", "c", "d"] {
        assert_eq!(client.members(audience).await, ["u2"], "{audience}");
    }
    client.delete("/audiences/s/members/u1").await.refused(404);
    client
        .delete("/audiences/s/members/nobody")
        .await
        .refused(404);
}

#[tokio::test]
async fn a_user_who_is_deleted_stays_as_a_number() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.users(&["u1"]).await;
    client.add("s", &["u1"]).await;
    client
        .v2("DELETE", "/users/ref/u1", Value::Null)
        .await
        .gone();
    let page = client.get("/audiences/s/members").await.expect(200);
    let member = &page["results"][0];
    assert_eq!(texts(&page["results"], "reference"), [""]);
    assert_eq!(member["email"], Value::Null);
    let id = member["userId"].as_str().expect("an id");
    assert_eq!(id.len(), 24);
    client
        .delete(&format!("/audiences/s/members/{id}"))
        .await
        .gone();
    assert_eq!(client.members("s").await, [""; 0]);
}
