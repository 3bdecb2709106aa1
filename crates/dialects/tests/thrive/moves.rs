//! Moving an audience to another structure, and what is said of each member.

use serde_json::{Value, json};

use crate::support::{World, result, texts};

const ANOTHER: &str = "member of another audience in this structure";
const ITSELF: &str = "member of this structure";

#[tokio::test]
async fn everybody_goes_with_the_audience() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("old").await;
    let new = client.structure("new").await;
    let child = client.audience("old", "c").await;
    client.users(&["u1", "u2"]).await;
    client.add("c", &["u1", "u2"]).await;
    client.add("new", &["u2"]).await;
    let answer = client
        .patch("/audiences/c/", json!({"parentId": "new", "name": "Moved"}))
        .await;
    let body = answer.expect(200);
    let both =
        json!({"success": {"count": 2, "entities": [{"reference": "u1"}, {"reference": "u2"}]}});
    assert_eq!(
        body["memberOperations"],
        json!({"added": both, "removed": both})
    );
    assert_eq!(
        (&body["id"], &body["name"]),
        (&json!(child), &json!("Moved"))
    );
    let parent = json!({"name": "new", "reference": "new", "id": new});
    assert_eq!(body["parent"], parent);
    let mut shown = client.get("/audiences/c").await.expect(200);
    shown["memberOperations"] = body["memberOperations"].clone();
    assert_eq!(shown, body);
    assert_eq!(client.members("old").await, [""; 0]);
    assert_eq!(client.members("new").await, ["u1", "u2"]);
    assert_eq!(client.members("c").await, ["u1", "u2"]);
    // Where it is already it is not moved, by id or reference.
    for parent in [new.as_str(), "new"] {
        let again = client
            .patch("/audiences/c", json!({"parentId": parent}))
            .await;
        assert_eq!(again.expect(200)["memberOperations"], Value::Null);
    }
}

#[tokio::test]
async fn an_empty_audience_moves_too() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("old").await;
    client.structure("new").await;
    client.audience("old", "c").await;
    let body = client
        .patch("/audiences/c", json!({"parentId": "new"}))
        .await;
    let nobody = json!({"success": {"count": 0, "entities": []}});
    assert_eq!(
        body.expect(200)["memberOperations"],
        json!({"added": nobody, "removed": nobody})
    );
}

#[tokio::test]
async fn some_stay_in_the_old_structure() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("old").await;
    client.structure("new").await;
    client.audience("old", "c").await;
    client.audience("old", "d").await;
    client.users(&["u1", "u2", "u3", "u4"]).await;
    client.add("c", &["u1", "u2", "u3", "u4"]).await;
    client.add("d", &["u2", "u4"]).await;
    client.add("old", &["u3", "u4"]).await;
    let answer = client
        .patch("/audiences/c", json!({"parentId": "new"}))
        .await;
    let operations = &answer.expect(207)["memberOperations"];
    let (added, none) = result(&operations["added"]);
    assert_eq!((added.len(), none.len()), (4, 0));
    let (removed, kept) = result(&operations["removed"]);
    assert_eq!(removed, ["u1"]);
    let stays = |name: &str, reason: &str| (name.to_owned(), reason.to_owned());
    assert_eq!(
        kept,
        [
            stays("u2", ANOTHER),
            stays("u4", ANOTHER),
            stays("u3", ITSELF)
        ]
    );
    assert_eq!(client.members("old").await, ["u2", "u3", "u4"]);
    assert_eq!(client.members("new").await, ["u1", "u2", "u3", "u4"]);
}

#[tokio::test]
async fn joining_is_all_or_nothing() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("old").await;
    client.structure("new").await;
    client.audience("old", "c").await;
    client.users(&["u1", "gone", "over", "there"]).await;
    client.add("c", &["u1", "gone", "over", "there"]).await;
    client.add("new", &["there"]).await;
    for reference in ["gone", "there"] {
        let path = format!("/users/ref/{reference}/suspend");
        client.v2("PATCH", &path, Value::Null).await.expect(200);
    }
    let over = client.v2("PATCH", "/users/ref/over", json!({"endDate": "2024-03-14"}));
    over.await.expect(200);
    let before = client.get("/audiences/c").await.expect(200);
    let body = json!({"parentId": "new", "name": "Moved", "reference": "moved"});
    let answer = client.patch("/audiences/c", body.clone()).await;
    let expected = json!({
        "success": {"count": 0, "entities": []},
        "failure": {"count": 2, "entities": [
            {"reason": "User is inactive", "reference": "gone"},
            {"reason": "User's end date has passed", "reference": "over"},
        ]},
    });
    assert_eq!(answer.expect(422), expected);
    assert_eq!(client.get("/audiences/c").await.expect(200), before);
    assert_eq!(client.members("new").await, ["there"]);
    assert_eq!(client.members("old").await, ["gone", "over", "there", "u1"]);
    // Without them it goes, though one who is there already is not active.
    for reference in ["gone", "over"] {
        let path = format!("/audiences/c/members/{reference}");
        client.delete(&path).await.gone();
    }
    client.patch("/audiences/c", body).await.expect(200);
    assert_eq!(client.members("new").await, ["there", "u1"]);
}

#[tokio::test]
async fn everybody_is_called_by_the_best_name_there_is() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("old").await;
    client.structure("new").await;
    client.audience("old", "c").await;
    client.users(&["u1", "u2"]).await;
    client.add("c", &["u1", "u2"]).await;
    client
        .v2("DELETE", "/users/ref/u2", Value::Null)
        .await
        .gone();
    let body = client
        .patch("/audiences/c", json!({"parentId": "new"}))
        .await;
    let body = body.expect(200);
    let added = texts(
        &body["memberOperations"]["added"]["success"]["entities"],
        "reference",
    );
    let page = client.get("/audiences/c/members").await.expect(200);
    assert_eq!(
        added,
        ["u1".to_owned(), texts(&page["results"], "userId").remove(1)]
    );
}

#[tokio::test]
async fn an_answer_of_many_comes_in_pieces() {
    // As many as fill whole pieces: nothing is left for a last one.
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("old").await;
    client.structure("new").await;
    let child = client.audience("old", "c").await;
    let other = client.audience("old", "d").await;
    let context = world.server();
    for (audience, people) in [(&child, 8_000), (&other, 4_000)] {
        let mut batch = world
            .domain
            .batch(&context.caller, 8_000)
            .await
            .expect("a batch");
        for index in 0..people {
            let email = format!("p{index}@example.com");
            batch
                .identifier(domain::Kind::Email, "", &email)
                .expect("is an address");
            batch.end_person();
        }
        let id = domain::DialectId::from_hex(audience).expect("an id").id;
        let added = world.domain.member_add(&context, id, batch.finish()).await;
        added.expect("are added");
    }
    let answer = client
        .patch("/audiences/c", json!({"parentId": "new"}))
        .await;
    let operations = &answer.expect(207)["memberOperations"];
    let (added, _) = result(&operations["added"]);
    let (removed, kept) = result(&operations["removed"]);
    assert_eq!(
        (added.len(), removed.len(), kept.len()),
        (8_000, 4_000, 4_000)
    );
    assert!(kept.iter().all(|(_, reason)| reason == ANOTHER));
    assert!(answer.pieces >= 4, "{}", answer.pieces);
    let mut distinct = added.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), added.len(), "each is named once");
    let shown = client.get("/audiences/new/members?perPage=1").await;
    assert_eq!(shown.expect(200)["pagination"]["totalResults"], 8_000);
}
