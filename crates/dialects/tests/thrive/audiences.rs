//! Structures and audiences: made, read, changed, deleted.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{BASE, World, id};

#[tokio::test]
async fn a_structure_and_an_audience_are_made() {
    let world = World::new().await;
    let client = world.admin().await;
    let body = json!({"name": " Company ", "reference": "ref-1", "category": "structure"});
    let structure = client.post("/audiences", body).await.expect(201);
    let made = "2024-03-15T10:30:00.000Z";
    let structure_id = id(&structure);
    assert_eq!(structure_id.len(), 24);
    let expected = json!({
        "id": structure_id, "name": "Company", "reference": "ref-1", "apiControlled": true,
        "category": "structure", "type": "manual", "createdAt": made, "updatedAt": made,
    });
    assert_eq!(structure, expected);
    for parent in [structure_id.as_str(), "ref-1"] {
        let body = json!({"name": "Team", "parentId": parent, "category": "audience", "x": [1]});
        let child = client.post("/audiences", body).await.expect(201);
        let expected = json!({
            "id": child["id"], "name": "Team", "reference": null, "apiControlled": true,
            "category": "audience", "type": "manual",
            "parent": {"name": "Company", "reference": "ref-1", "id": structure_id},
            "createdAt": made, "updatedAt": made,
        });
        assert_eq!(child, expected);
        let path = format!("/audiences/{}", id(&child));
        assert_eq!(client.get(&path).await.expect(200), expected);
    }
    assert_eq!(client.get("/audiences/ref-1").await.expect(200), structure);
    // Blank and null say nothing.
    let body = json!({"name": "Other", "reference": null, "parentId": "", "category": null});
    let other = client.post("/audiences", body).await.expect(201);
    assert_eq!(other["category"], "structure");
}

#[tokio::test]
async fn an_order_of_fields_is_the_vendors() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.audience("s", "c").await;
    let answer = client.get("/audiences/c").await;
    let fields = [
        "\"id\":",
        "\"name\":\"c\"",
        "\"reference\":",
        "\"apiControlled\":",
        "\"category\":",
        "\"type\":",
        "\"parent\":{\"name\":\"s\",\"reference\":\"s\",\"id\":",
        "\"createdAt\":",
        "\"updatedAt\":",
    ];
    let places: Vec<Option<usize>> = fields.map(|field| answer.text.find(field)).into();
    assert!(places.iter().all(Option::is_some), "{}", answer.text);
    assert!(places.is_sorted(), "{}", answer.text);
}

#[tokio::test]
async fn what_cannot_be_made_is_refused() {
    let world = World::new().await;
    let client = world.admin().await;
    let structure = client.structure("s").await;
    let child = client.audience("s", "c").await;
    let long = "x".repeat(101);
    for (body, status) in [
        (json!({}), 400),
        (json!({"name": null}), 400),
        (json!({"name": ""}), 400),
        (json!({"name": "  "}), 400),
        (json!({"name": 1}), 400),
        (json!({"name": "a\u{0}b"}), 400),
        (json!({"name": long}), 400),
        (json!({"name": "x", "reference": long}), 400),
        (json!({"name": "x", "reference": ""}), 400),
        (json!({"name": "x", "reference": 1}), 400),
        (json!({"name": "x", "parentId": 1}), 400),
        (json!({"name": "x", "parentId": child}), 400),
        (json!({"name": "x", "parentId": "c"}), 400),
        (json!({"name": "x", "parentId": "nowhere"}), 404),
        (
            json!({"name": "x", "parentId": "63f57d805d8ecbf46f5b5278"}),
            404,
        ),
        (
            json!({"name": "x", "category": "structure", "parentId": "s"}),
            400,
        ),
        (json!({"name": "x", "category": "audience"}), 400),
        (json!({"name": "x", "category": "team"}), 400),
        (json!({"name": "x", "category": 1}), 400),
        (json!({"name": "x", "reference": "s"}), 409),
        (json!({"name": "x", "reference": "c"}), 409),
        (json!({"name": "x", "reference": structure}), 409),
        (
            json!({"name": "x", "parentId": "s", "reference": child}),
            409,
        ),
        (json!([]), 400),
        (json!("x"), 400),
    ] {
        let answer = client.post("/audiences", body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{body} {}", answer.text);
        answer.refused(status);
    }
    for body in ["", "{", "{\"name\": \"x\"", "\u{0}"] {
        let path = format!("{BASE}/audiences");
        client.raw("POST", &path, body).await.refused(400);
    }
    let huge = format!("{{\"name\":\"{}\"}}", "x".repeat(2 << 20));
    let path = format!("{BASE}/audiences");
    client.raw("POST", &path, huge).await.refused(400);
    let page = client.get("/audiences").await.expect(200);
    assert_eq!(page["pagination"]["totalResults"], 2, "nothing was made");
    // A hundred characters are enough, of whatever script; equal names are nobody's business.
    let name = "é".repeat(100);
    for reference in [&name, "x"] {
        let body = json!({"name": name, "reference": reference, "parentId": "s"});
        client.post("/audiences", body).await.expect(201);
    }
}

#[tokio::test]
async fn names_and_references_are_changed() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    let child = client.audience("s", "c").await;
    world.clock.advance(Duration::from_secs(60));
    // With the slash of the documentation, and without as its client has it.
    for (path, body, name, reference) in [
        (
            "/audiences/c/",
            json!({"name": "Renamed"}),
            "Renamed",
            json!("c"),
        ),
        (
            "/audiences/c",
            json!({"reference": "d"}),
            "Renamed",
            json!("d"),
        ),
        (
            "/audiences/d/",
            json!({"name": "Both", "reference": "e", "parentId": "s", "category": "x"}),
            "Both",
            json!("e"),
        ),
        (
            "/audiences/e",
            json!({"reference": null}),
            "Both",
            Value::Null,
        ),
    ] {
        let answer = client.patch(path, body).await;
        let changed = answer.expect(200);
        assert_eq!(changed["name"], name);
        assert_eq!(changed["reference"], reference);
        assert_eq!(changed["memberOperations"], Value::Null);
        assert!(answer.text.ends_with(",\"memberOperations\":null}"));
        assert_eq!(changed["updatedAt"], "2024-03-15T10:31:00.000Z");
        assert_eq!(changed["createdAt"], "2024-03-15T10:30:00.000Z");
        assert_eq!(changed["parent"]["reference"], "s");
    }
    let path = format!("/audiences/{child}");
    let mut shown = client.get(&path).await.expect(200);
    assert_eq!(shown["name"], "Both");
    // A structure too, and the same again changes nothing.
    shown = client
        .patch("/audiences/s", json!({"name": "S", "reference": "s"}))
        .await
        .expect(200);
    assert_eq!(shown["category"], "structure");
    world.clock.advance(Duration::from_secs(60));
    let again = client.patch("/audiences/s", json!({"name": "S"})).await;
    assert_eq!(again.expect(200), shown);
}

#[tokio::test]
async fn what_cannot_be_changed_is_refused() {
    let world = World::new().await;
    let client = world.admin().await;
    let structure = client.structure("s").await;
    client.structure("t").await;
    let child = client.audience("s", "c").await;
    client.audience("s", "d").await;
    let long = "x".repeat(101);
    for (audience, body, status) in [
        ("c", json!({}), 400),
        ("c", Value::Null, 400),
        ("c", json!({"category": "audience"}), 400),
        ("c", json!([{"name": "x"}]), 400),
        ("c", json!({"name": ""}), 400),
        ("c", json!({"name": null}), 400),
        ("c", json!({"name": 1}), 400),
        ("c", json!({"name": long}), 400),
        ("c", json!({"reference": long}), 400),
        ("c", json!({"reference": ""}), 400),
        ("c", json!({"parentId": null}), 400),
        ("c", json!({"parentId": 1}), 400),
        ("c", json!({"parentId": child}), 400),
        ("c", json!({"parentId": "c"}), 400),
        ("c", json!({"parentId": "d"}), 400),
        ("c", json!({"parentId": "nowhere"}), 404),
        ("c", json!({"parentId": ""}), 404),
        ("s", json!({"parentId": "t"}), 400),
        ("s", json!({"parentId": structure}), 400),
        ("s", json!({"parentId": "c"}), 400),
        ("c", json!({"reference": "d"}), 409),
        ("c", json!({"reference": "s"}), 409),
        ("c", json!({"reference": structure}), 409),
        ("nowhere", json!({"name": "x"}), 404),
        ("63f57d805d8ecbf46f5b5278", json!({"name": "x"}), 404),
        ("c", json!({"name": "x", "parentId": "nowhere"}), 404),
        (
            "c",
            json!({"name": "x", "reference": "s", "parentId": "t"}),
            409,
        ),
    ] {
        let path = format!("/audiences/{audience}/");
        let answer = client.patch(&path, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{body} {}", answer.text);
        answer.refused(status);
    }
    let shown = client.get("/audiences/c").await.expect(200);
    assert_eq!(
        (&shown["name"], &shown["parent"]["name"]),
        (&json!("c"), &json!("s"))
    );
}

#[tokio::test]
async fn an_audience_goes_and_a_structure_with_all_it_has() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("s").await;
    client.audience("s", "c").await;
    client.audience("s", "d").await;
    client.structure("t").await;
    client.users(&["u1"]).await;
    client.add("c", &["u1"]).await;
    client.delete("/audiences/c").await.gone();
    for (method, path, body) in [
        ("GET", "/audiences/c", Value::Null),
        ("PATCH", "/audiences/c", json!({"name": "x"})),
        ("DELETE", "/audiences/c", Value::Null),
        ("GET", "/audiences/c/members", Value::Null),
        ("POST", "/audiences/c/members", json!(["u1"])),
        ("PATCH", "/audiences/c/members", json!(["u1"])),
        ("DELETE", "/audiences/c/members/u1", Value::Null),
        ("GET", "/audiences/c/managers", Value::Null),
        (
            "POST",
            "/audiences/c/managers",
            json!([{"reference": "u1"}]),
        ),
        (
            "PATCH",
            "/audiences/c/managers",
            json!([{"reference": "u1"}]),
        ),
        ("DELETE", "/audiences/c/managers/u1", Value::Null),
    ] {
        client.call(method, path, body).await.refused(404);
    }
    assert_eq!(client.members("s").await, [""; 0]);
    client.delete("/audiences/s/").await.gone();
    client.get("/audiences/s").await.refused(404);
    client.get("/audiences/d").await.refused(404);
    client.get("/audiences/t").await.expect(200);
    // The references are free again.
    client.structure("s").await;
    client.audience("s", "c").await;
    client.get("/users/ref/u1").await.expect(200);
}

#[tokio::test]
async fn what_the_console_controls_is_not_changed_here() {
    let world = World::new().await;
    let client = world.admin().await;
    client.structure("api").await;
    client.audience("api", "moving").await;
    client.user("u1").await;
    let new = domain::StructureNew {
        reference: Some("console".into()),
        control: domain::Control::Console,
        ..domain::StructureNew::new("Console")
    };
    let structure = world.domain.structure_create(&world.server(), new).await;
    let structure = structure.expect("is made").id;
    let new = domain::AudienceNew {
        reference: Some("inside".into()),
        ..domain::AudienceNew::new(structure, "Inside")
    };
    let made = world.domain.audience_create(&world.server(), new).await;
    made.expect("is made");
    for reference in ["console", "inside"] {
        let path = format!("/audiences/{reference}");
        let shown = client.get(&path).await.expect(200);
        assert_eq!(shown["apiControlled"], false);
        let members = format!("{path}/members");
        client.get(&members).await.expect(200);
        let managers = format!("{path}/managers");
        for (method, path, body) in [
            ("PATCH", &path, json!({"name": "x"})),
            ("DELETE", &path, Value::Null),
            ("POST", &members, json!(["u1"])),
            ("PATCH", &members, json!(["u1"])),
            ("DELETE", &format!("{members}/u1"), Value::Null),
            ("POST", &managers, json!([{"reference": "u1"}])),
            ("DELETE", &format!("{managers}/u1"), Value::Null),
        ] {
            client.call(method, path, body).await.refused(403);
        }
    }
    let body = json!({"name": "x", "parentId": "console"});
    client.post("/audiences", body).await.refused(403);
    let body = json!({"parentId": "console"});
    client.patch("/audiences/moving", body).await.refused(403);
    let body = json!({"parentId": "api"});
    client.patch("/audiences/inside", body).await.refused(403);
    for (wanted, expected) in [
        ("true", vec!["api", "moving"]),
        ("false", vec!["console", "inside"]),
    ] {
        let path = format!("/audiences?apiControlled={wanted}");
        let page = client.get(&path).await.expect(200);
        assert_eq!(
            crate::support::texts(&page["results"], "reference"),
            expected
        );
    }
}
