use serde_json::json;

use crate::common::Server;

#[tokio::test]
async fn a_structure_is_made_read_changed_and_deleted() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let answer = admin
        .post(
            "/api/v1/structures",
            json!({"name": " Shop ", "reference": "shop-de"}),
        )
        .await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let location = answer.header("location").to_owned();
    let made = answer.expect(201);
    let id = made["id"].as_i64().expect("an id");
    assert_eq!(location, format!("structures/{id}"));
    assert_eq!(
        made,
        json!({"id": id, "name": "Shop", "reference": "shop-de", "control": "both",
            "created": "2026-09-21T14:13:20.000Z", "updated": "2026-09-21T14:13:20.000Z"})
    );
    let path = format!("/api/v1/structures/{id}");
    assert_eq!(admin.get(&path).await.expect(200), made);

    server
        .clock
        .advance(std::time::Duration::from_millis(1_500));
    let changed = admin
        .patch(&path, json!({"name": "Shops"}))
        .await
        .expect(200);
    assert_eq!(
        (&changed["name"], &changed["reference"]),
        (&json!("Shops"), &json!("shop-de"))
    );
    assert_eq!(changed["updated"], "2026-09-21T14:13:21.500Z");
    assert_eq!(
        admin
            .patch(&path, json!({"reference": null}))
            .await
            .expect(200)["reference"],
        json!(null)
    );
    assert_eq!(
        admin.get("/api/v1/structures").await.expect(200)["items"][0]["name"],
        "Shops"
    );

    let audience = admin.audience(id, "Readers").await;
    admin.delete(&path).await.problem(409, "conflict");
    admin
        .delete(&format!("/api/v1/audiences/{audience}"))
        .await
        .expect(204);
    let gone = admin.delete(&path).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    admin.get(&path).await.problem(404, "not_found");
    admin.delete(&path).await.problem(404, "not_found");
}

#[tokio::test]
async fn a_reference_is_unique_and_names_are_checked() {
    let server = Server::start().await;
    let admin = server.admin().await;
    admin
        .post("/api/v1/structures", json!({"name": "a", "reference": "r"}))
        .await
        .expect(201);
    let taken = admin
        .post("/api/v1/structures", json!({"name": "b", "reference": "r"}))
        .await;
    assert_eq!(taken.problem(409, "already_used")["field"], "reference");
    for (name, code) in [
        ("", "required"),
        (" ", "required"),
        ("a\u{7}", "malformed"),
        (&*"x".repeat(256), "too_long"),
    ] {
        let refused = admin
            .post("/api/v1/structures", json!({"name": name}))
            .await
            .problem(422, code);
        assert_eq!(refused["field"], "name");
    }
    // Two structures may share a name.
    admin
        .post("/api/v1/structures", json!({"name": "a"}))
        .await
        .expect(201);
}

#[tokio::test]
async fn an_audience_is_no_structure() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (structure, audience) = admin.pair().await;
    admin
        .get(&format!("/api/v1/structures/{audience}"))
        .await
        .problem(404, "not_found");
    // The other way round it is one, but is not deleted as one.
    let path = format!("/api/v1/audiences/{structure}");
    assert_eq!(admin.get(&path).await.expect(200)["kind"], "structure");
    admin.delete(&path).await.problem(404, "not_found");
}
