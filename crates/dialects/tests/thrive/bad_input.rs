//! Arrays that are wrong, on each operation that takes one: refused whole, with nothing done.

use serde_json::{Value, json};

use crate::support::{BASE, World};

#[tokio::test]
async fn an_array_holds_one_to_a_hundred_strings() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.users(&["u1", "u2"]).await;
    client.add("s", &["u1"]).await;
    let path = "/audiences/s/members";
    for method in ["POST", "PATCH"] {
        for wrong in [
            json!([]),
            json!(vec!["u2"; 101]),
            json!(["u2", 1]),
            json!(["u2", null]),
            json!([["u2"]]),
            json!([{"reference": "u2"}]),
            json!({}),
            json!({"members": ["u2"]}),
            json!("u2"),
            Value::Null,
        ] {
            client.call(method, path, wrong).await.refused(400);
        }
        for wrong in ["[", "[\"u2\"", "[\"u2\",]", "null", "[\"\\ud800\"]"] {
            let path = format!("{BASE}{path}");
            client.raw(method, &path, wrong).await.refused(400);
        }
    }
    assert_eq!(client.members("s").await, ["u1"], "nothing was done");
    // A hundred fit, even if all are one.
    let hundred = json!(vec!["u2"; 100]);
    let body = client.post(path, hundred).await.expect(200);
    assert_eq!(body["success"]["count"], 1);
    let names: Vec<String> = (0..100).map(|index| format!("nobody{index}")).collect();
    let body = client.patch(path, json!(names)).await.expect(422);
    assert_eq!(body["failure"]["count"], 100);
    assert_eq!(client.members("s").await, ["u1", "u2"]);
}

#[tokio::test]
async fn an_array_of_managers_holds_objects() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.audience("s", "c").await;
    client.user("u1").await;
    let item = json!({"reference": "u1"});
    for audience in ["s", "c"] {
        let path = format!("/audiences/{audience}/managers");
        for method in ["POST", "PATCH"] {
            for wrong in [
                json!([]),
                json!(vec![item.clone(); 101]),
                json!(["u1"]),
                json!([item, null]),
                json!([{}]),
                json!([{"reference": null}]),
                json!([{"reference": 1}]),
                json!([{"permissions": {}}]),
                json!([{"reference": "u1", "permissions": true}]),
                json!([{"reference": "u1", "permissions": {"audienceManager": []}}]),
                json!([{"reference": "u1", "permissions": {"peopleManager": {"manage": "true"}}}]),
                json!([{"reference": "u1", "permissions": {"administrator": {"canAddAudienceManagers": 1}}}]),
                json!({"managers": [item]}),
                Value::Null,
            ] {
                client.call(method, &path, wrong).await.refused(400);
            }
        }
        assert_eq!(client.get(&path).await.expect(200), json!([]));
    }
}

#[tokio::test]
async fn nobody_is_named_by_what_postgresql_cannot_hold() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    let long = "x".repeat(5_000);
    let names = json!(["a\u{0}b", "\u{feff}", long, "\u{202e}"]);
    let body = client.post("/audiences/s/members", names).await.expect(422);
    assert_eq!(body["failure"]["count"], 4);
    client.get("/users?email=%00").await.expect(200);
    client.get(&format!("/audiences/{long}")).await.refused(404);
}
