use serde_json::json;

use crate::common::Server;

#[tokio::test]
async fn an_audience_is_made_filled_changed_and_deleted() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let structure = admin.structure("Shop").await;
    let body = json!({"structure": structure, "name": "Readers", "description": "They read.", "reference": "r-1"});
    let made = admin.post("/api/v1/audiences", body).await.expect(201);
    let id = made["id"].as_i64().expect("an id");
    assert_eq!(
        made["counts"],
        json!({"people": 0, "with_email": 0, "with_email_matched": 0})
    );
    let path = format!("/api/v1/audiences/{id}");

    admin
        .add(id, &["ada@example.org", "grace@example.org"])
        .await;
    let people = json!({"people": [[{"kind": "email", "value": "ada@example.org"}, {"kind": "phone", "value": "+4915112345678"}],
        [{"kind": "phone", "value": "+4915112345679"}]]});
    admin
        .post(&format!("{path}/members/add"), people)
        .await
        .expect(200);
    let counts = json!({"people": 3, "with_email": 2, "with_email_matched": 1});
    assert_eq!(admin.get(&path).await.expect(200)["counts"], counts);
    assert_eq!(
        admin
            .get(&format!("{path}/members/count"))
            .await
            .expect(200),
        counts
    );
    assert_eq!(
        admin.get("/api/v1/audiences").await.expect(200)["items"][0]["counts"],
        counts
    );

    let changed = admin
        .patch(&path, json!({"name": "Friends", "description": null}))
        .await
        .expect(200);
    assert_eq!(
        (&changed["name"], &changed["description"]),
        (&json!("Friends"), &json!(null))
    );
    assert_eq!(
        (&changed["reference"], &changed["counts"]),
        (&json!("r-1"), &counts)
    );
    assert_eq!(admin.patch(&path, json!({})).await.expect(200), changed);

    admin.delete(&path).await.expect(204);
    admin.get(&path).await.problem(404, "not_found");
    admin
        .post(&format!("{path}/members/empty"), json!({}))
        .await
        .problem(404, "not_found");
}

#[tokio::test]
async fn names_are_unique_in_a_structure_and_references_in_the_workspace() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (one, two) = (admin.structure("One").await, admin.structure("Two").await);
    admin
        .post(
            "/api/v1/audiences",
            json!({"structure": one, "name": "a", "reference": "r"}),
        )
        .await
        .expect(201);
    let same = admin
        .post("/api/v1/audiences", json!({"structure": one, "name": "a"}))
        .await;
    assert_eq!(same.problem(409, "already_used")["field"], "name");
    let same = admin
        .post(
            "/api/v1/audiences",
            json!({"structure": two, "name": "a", "reference": "r"}),
        )
        .await;
    assert_eq!(same.problem(409, "already_used")["field"], "reference");
    let other = admin.audience(two, "a").await;
    admin.audience(two, "b").await;
    let same = admin
        .patch(&format!("/api/v1/audiences/{other}"), json!({"name": "b"}))
        .await;
    assert_eq!(same.problem(409, "already_used")["field"], "name");
}

#[tokio::test]
async fn a_list_is_of_one_structure_or_of_all() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let (one, two) = (admin.structure("One").await, admin.structure("Two").await);
    let (a, b) = (
        admin.audience(one, "a").await,
        admin.audience(two, "b").await,
    );
    let ids = async |path: String| {
        let list = admin.get(&path).await.expect(200);
        assert_eq!(list["next"], json!(null));
        list["items"]
            .as_array()
            .expect("items")
            .iter()
            .filter_map(|item| item["id"].as_i64())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids("/api/v1/audiences".into()).await, [a, b]);
    assert_eq!(ids(format!("/api/v1/audiences?structure={one}")).await, [a]);
    assert_eq!(
        ids(format!("/api/v1/audiences?structure={two}&limit=2")).await,
        [b]
    );
    admin
        .get("/api/v1/audiences?structure=999")
        .await
        .problem(403, "forbidden");
    admin
        .post("/api/v1/audiences", json!({"structure": 999, "name": "x"}))
        .await
        .problem(403, "forbidden");
}
