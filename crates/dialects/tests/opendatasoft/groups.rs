//! Groups and who is in them.

use serde_json::{Value, json};

use crate::common::Server;

#[tokio::test]
async fn a_group_is_what_the_vendor_documents() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let fields = json!({
        "uid": "chosen", "title": " Content Designers ", "description": "d", "permissions": ["edit_theme"],
        "explore_limits": {"api_calls": {"limit": 5, "unit": "hour"}}, "user_count": 9, "nothing": 1,
    });
    let made = admin.post("/groups/", fields).await.expect(201);
    let expected = json!({
        "uid": "content_designers", "title": "Content Designers", "description": "d", "user_count": 0,
        "permissions": ["edit_theme"], "explore_limits": {"api_calls": {"limit": 5, "unit": "hour"}},
        "management_limits": {}, "created_at": "2026-09-21T14:13:20.000Z",
        "updated_at": "2026-09-21T14:13:20.000Z", "created_by": {"username": "root"},
        "updated_by": {"username": "root"},
    });
    assert_eq!(made, expected);
    let path = "/groups/content_designers/";
    assert_eq!(admin.get(path).await.expect(200), expected);
    assert_eq!(
        admin.put(path, expected.clone()).await.expect(200),
        expected
    );
    let changed = admin
        .put(path, json!({"title": "Designers"}))
        .await
        .expect(200);
    assert_eq!(
        (&changed["title"], &changed["uid"]),
        (&json!("Designers"), &json!("content_designers"))
    );
    assert_eq!(changed["permissions"], json!(["edit_theme"]));
    let changed = admin
        .put(path, json!({"permissions": [], "explore_limits": {}}))
        .await
        .expect(200);
    assert_eq!(
        (&changed["permissions"], &changed["explore_limits"]),
        (&json!([]), &json!({}))
    );
    assert_eq!(admin.delete(path).await.expect(204), Value::Null);
    for gone in [
        admin.get(path).await,
        admin.put(path, json!({})).await,
        admin.delete(path).await,
        admin.get("/groups/x%00/").await,
    ] {
        gone.refused(404, "not_found");
    }
}

#[tokio::test]
async fn permissions_of_other_protocols_stay() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let context = domain::Context::new(domain::Caller::server(server.workspace), "test");
    let new = domain::GroupNew {
        title: "Both".into(),
        permissions: domain::Permissions::parse("edit_page audience:r").expect("are permissions"),
        ..domain::GroupNew::default()
    };
    server
        .domain
        .group_create(&context, new)
        .await
        .expect("makes a group");
    let group = admin.get("/groups/both/").await.expect(200);
    assert_eq!(
        (&group["permissions"], group.get("created_by")),
        (&json!(["edit_page"]), None)
    );
    admin
        .put("/groups/both/", json!({"permissions": ["edit_form"]}))
        .await
        .expect(200);
    let which = domain::GroupRef::Uid("both".into());
    let group = server
        .domain
        .group_get(&context.caller, which)
        .await
        .expect("is there");
    assert_eq!(group.permissions, "edit_form audience:r");
}

#[tokio::test]
async fn a_group_that_is_wrong_is_refused() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let uid = admin.group(json!({"title": "Good"})).await;
    let path = format!("/groups/{uid}/");
    for (field, wrong) in [
        ("title", json!(null)),
        ("title", json!(1)),
        ("title", json!(" ")),
        ("title", json!("a\r\nb")),
        ("title", json!("x".repeat(256))),
        ("description", json!(1)),
        ("description", json!("x".repeat(2_001))),
        ("permissions", json!(["x"])),
        ("permissions", json!("edit_page")),
        ("explore_limits", json!({"api_calls": {"limit": 1}})),
    ] {
        let mut body = json!({"title": "x"});
        body[field] = wrong;
        admin.post("/groups/", body.clone()).await.invalid(field);
        admin.put(&path, body).await.invalid(field);
    }
    admin.raw("POST", "/groups/", "").await.invalid("title");
    for body in ["[]", "null", "{\"title\": \"x"] {
        admin
            .raw("POST", "/groups/", body)
            .await
            .invalid("non_field_errors");
    }
    admin
        .raw("PUT", path.as_str(), "{\"title\": \"x")
        .await
        .refused(400, "bad_request");
    assert_eq!(admin.get("/groups/").await.expect(200)["total_count"], 1);
}

#[tokio::test]
async fn groups_are_searched_sorted_and_filtered() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let account = server.account(server.workspace, "ann", "edit_domain").await;
    let ann = server.client(server.key(server.workspace, account, None).await);
    for (title, description) in [("c", "The Shelf"), ("a", "shelf"), ("b", "")] {
        server.clock.advance(std::time::Duration::from_millis(1));
        admin
            .group(
                json!({"title": title, "description": description, "permissions": ["edit_form"]}),
            )
            .await;
    }
    server.clock.advance(std::time::Duration::from_millis(1));
    ann.put(
        "/groups/c/",
        json!({"permissions": ["edit_form", "edit_page"]}),
    )
    .await
    .expect(200);
    admin
        .post("/groups/b/users/", json!({"username": "ann"}))
        .await
        .expect(201);
    for (query, expected) in [
        ("", "abc"),
        ("sort=-updated_at", "cba"),
        ("sort=created_at", "cab"),
        ("sort=group__title", "abc"),
        ("sort=user_count", "cab"),
        ("sort=-user_count", "bac"),
        ("sort=updated_by__username", "cab"),
        ("sort=created_by__username", "cab"),
        ("search=SHELF", "ac"),
        ("search=the%20shelf", "c"),
        ("search=%25", ""),
        ("permissions=edit_form", "abc"),
        ("permissions=edit_form,edit_page", "c"),
        ("limit=2&offset=1", "bc"),
    ] {
        let page = admin.get(&format!("/groups/?{query}")).await.expect(200);
        let results = page["results"].as_array().expect("results");
        let titles: String = results
            .iter()
            .filter_map(|group| group["title"].as_str())
            .collect();
        assert_eq!(titles, expected, "{query}");
    }
    for (query, field) in [
        ("sort=uid", "sort"),
        ("permissions=x", "permissions"),
        ("limit=1001", "limit"),
        ("offset=-1", "offset"),
    ] {
        admin.get(&format!("/groups/?{query}")).await.invalid(field);
        if field == "limit" || field == "offset" {
            admin
                .get(&format!("/groups/b/users/?{query}"))
                .await
                .invalid(field);
        }
    }
    let long = format!("/groups/?search={}", "a".repeat(201));
    admin.get(&long).await.invalid("search");
}

#[tokio::test]
async fn members_come_and_go() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let uid = admin.group(json!({"title": "G"})).await;
    let path = format!("/groups/{uid}/users/");
    for name in ["ann", "bob"] {
        admin.invite(name, json!({})).await;
    }
    for _ in 0..2 {
        let added = admin
            .post(&path, json!({"username": "ANN"}))
            .await
            .expect(201);
        assert_eq!(
            (&added["username"], &added["groups"]),
            (&json!("ann"), &json!([{"uid": "g"}]))
        );
    }
    for body in [
        json!({"username": "x"}),
        json!({}),
        json!({"username": null}),
        json!({"username": "\0"}),
    ] {
        admin.post(&path, body).await.invalid("username");
    }
    let items = json!([{"username": "bob"}, {}, "x", {"username": "nobody"}, {"username": "ann"}]);
    let answer = admin
        .post(&format!("{path}batch/"), items)
        .await
        .expect(200);
    let codes: Vec<&str> = (0..5)
        .map(|number| {
            let item = &answer[number.to_string()];
            item["error"]["error_code"].as_str().unwrap_or("success")
        })
        .collect();
    let wrong = "validation_error";
    assert_eq!(codes, ["success", wrong, wrong, wrong, "success"]);
    assert_eq!(answer["4"]["data"]["username"], "ann");
    assert_eq!(admin.names(&path).await, ["ann", "bob"]);
    assert_eq!(admin.get("/groups/g/").await.expect(200)["user_count"], 2);
    admin.delete(&format!("{path}ann/")).await.expect(204);
    for name in ["ann", "nobody"] {
        admin
            .delete(&format!("{path}{name}/"))
            .await
            .refused(404, "not_found");
    }
    let nowhere = "/groups/nowhere/users/";
    for missing in [
        admin.get(nowhere).await,
        admin.post(nowhere, json!({"username": "ann"})).await,
        admin
            .post("/groups/nowhere/users/batch/", json!([{}]))
            .await,
        admin.delete("/groups/nowhere/users/ann/").await,
    ] {
        missing.refused(404, "not_found");
    }
    let many: Vec<Value> = (0..1_001).map(|_| json!({"username": "ann"})).collect();
    admin
        .post(&format!("{path}batch/"), json!(many))
        .await
        .invalid("non_field_errors");
}
