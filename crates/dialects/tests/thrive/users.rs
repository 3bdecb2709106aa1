//! Users: their life cycle, and the two forms that they are shown in.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, World, id, texts};

const MADE: &str = "2024-03-15T10:30:00.000Z";

impl Client<'_> {
    /// The id of the user with this ref.
    pub async fn user_id(&self, reference: &str) -> String {
        let path = format!("/users/ref/{reference}");
        id(&self.get(&path).await.expect(200))
    }
}

#[tokio::test]
async fn a_user_is_made_as_the_vendors_sample_has_it() {
    let world = World::new().await;
    let client = world.admin().await;
    let sent = json!({
        "ref": "UID30084022", "firstName": "Thomas", "lastName": "Smith", "email": "Thomas.Smith@example.com",
        "loginMethod": "email", "role": "learneradmin", "jobTitle": "Manager", "managerRef": "UID0034234555",
        "startDate": "2020-03-09", "endDate": null, "timeZone": "Europe/London", "languageCode": "en-us",
        "sso": true, "domain": "example.com", "additionalFields": {"location": "London", "floor": 3},
    });
    let made = client.v2("POST", "/users/", sent.clone()).await.expect(201);
    let mut expected = sent.clone();
    expected["id"] = made["id"].clone();
    expected["active"] = true.into();
    expected["createdAt"] = MADE.into();
    expected["updatedAt"] = MADE.into();
    assert_eq!(made, expected);
    let basic = client.get("/users/ref/UID30084022").await.expect(200);
    let expected = json!({
        "id": made["id"], "ref": "UID30084022", "firstName": "Thomas", "lastName": "Smith",
        "email": "Thomas.Smith@example.com", "role": "learneradmin", "status": "active",
        "positions": [{
            "id": made["id"], "manager": {"id": null, "name": null, "ref": "UID0034234555"}, "ouId": null,
            "isActive": true, "startDate": "2020-03-09T00:00:00.000Z", "endDate": null,
            "createdAt": MADE, "updatedAt": MADE,
        }],
        "additionalFields": {"location": "London", "floor": 3}, "languageCode": "en-us",
    });
    assert_eq!(basic, expected);
    let whole = client
        .get(&format!("/user/{}", id(&made)))
        .await
        .expect(200);
    let mut expected = expected;
    for (name, value) in [
        ("deleted", json!(false)),
        ("compliance", json!(0)),
        ("level", json!(0)),
        ("firstLogin", Value::Null),
        ("lastLogin", Value::Null),
        ("tags", json!({})),
        ("usersFollowing", json!([])),
        ("tagsFollowing", json!([])),
        ("createdAt", json!(MADE)),
        ("updatedAt", json!(MADE)),
        ("hasPicture", json!(false)),
        ("timeZone", json!("Europe/London")),
        ("summary", Value::Null),
        ("relevancy", json!(0)),
        ("rank", json!({})),
        ("agreedTerms", Value::Null),
        ("onboarded", Value::Null),
        ("audiences", json!([])),
        ("singleSignOn", json!(true)),
    ] {
        expected[name] = value;
    }
    assert_eq!(whole, expected);
    let page = client.get("/users").await.expect(200);
    assert_eq!(page["results"], json!([expected]));
}

#[tokio::test]
async fn what_is_not_given_is_the_vendors_default() {
    let world = World::new().await;
    let client = world.admin().await;
    let sent = json!({"ref": "r", "firstName": "A", "lastName": "B", "loginMethod": "ref", "unknown": [1]});
    let made = client.v2("POST", "/users", sent).await.expect(201);
    let expected = json!({
        "id": made["id"], "loginMethod": "ref", "ref": "r", "email": null, "firstName": "A", "lastName": "B",
        "role": "learner", "jobTitle": "", "managerRef": null, "startDate": null, "endDate": null,
        "timeZone": "UTC", "languageCode": "en-gb", "active": true, "createdAt": MADE, "updatedAt": MADE,
        "sso": false, "domain": null, "additionalFields": null,
    });
    assert_eq!(made, expected);
}

#[tokio::test]
async fn who_cannot_be_made_is_refused() {
    let world = World::new().await;
    let client = world.admin().await;
    let taken = client.user("taken").await;
    let good = json!({"ref": "r", "firstName": "A", "lastName": "B", "email": "r@example.com"});
    let long = "x".repeat(256);
    for (name, value, status) in [
        ("ref", Value::Null, 400),
        ("ref", json!(""), 400),
        ("ref", json!(1), 400),
        ("ref", json!(long), 400),
        ("ref", json!("taken"), 409),
        ("ref", json!("taken@example.com"), 409),
        ("ref", json!(taken), 409),
        ("firstName", Value::Null, 400),
        ("firstName", json!(" "), 400),
        ("lastName", json!(long), 400),
        ("email", Value::Null, 400),
        ("email", json!(""), 400),
        ("email", json!("nobody"), 400),
        ("email", json!("a@b c"), 400),
        ("email", json!("Taken@Example.com"), 409),
        ("loginMethod", json!("phone"), 400),
        ("role", json!("boss"), 400),
        ("startDate", json!("15/03/2024"), 400),
        ("startDate", json!("2024-02-30"), 400),
        ("endDate", json!("March 2024"), 400),
        ("endDate", json!(20240315), 400),
        ("sso", json!("yes"), 400),
        ("additionalFields", json!("x"), 400),
        ("jobTitle", json!(1), 400),
    ] {
        let mut body = good.clone();
        body[name] = value;
        let answer = client.v2("POST", "/users", body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{body} {}", answer.text);
        answer.refused(status);
    }
    let mut body = good.clone();
    (body["startDate"], body["endDate"]) = ("2024-03-02".into(), "2024-03-01".into());
    client.v2("POST", "/users", body).await.refused(400);
    for body in [json!([]), json!("x"), Value::Null] {
        client.v2("POST", "/users", body).await.refused(400);
    }
    let page = client.get("/users").await.expect(200);
    assert_eq!(page["pagination"]["totalResults"], 1, "nobody was made");
    client.v2("POST", "/users", good).await.expect(201);
}

#[tokio::test]
async fn a_user_is_changed_field_by_field() {
    let world = World::new().await;
    let client = world.admin().await;
    let user = client.user("u").await;
    world.clock.advance(Duration::from_secs(60));
    let (by_ref, by_id) = ("/users/ref/u".to_owned(), format!("/users/{user}"));
    for (path, body, field, value) in [
        (
            &by_ref,
            json!({"firstName": "Ann"}),
            "firstName",
            json!("Ann"),
        ),
        (
            &by_id,
            json!({"jobTitle": "Boss"}),
            "jobTitle",
            json!("Boss"),
        ),
        (
            &by_ref,
            json!({"managerRef": "m"}),
            "managerRef",
            json!("m"),
        ),
        (
            &by_ref,
            json!({"email": "new@example.com"}),
            "email",
            json!("new@example.com"),
        ),
        (
            &by_ref,
            json!({"endDate": "2024-06-30T17:00:00.000Z"}),
            "endDate",
            json!("2024-06-30"),
        ),
        (
            &by_id,
            json!({"additionalFields": {"a": 1}}),
            "additionalFields",
            json!({"a": 1}),
        ),
        (
            &by_ref,
            json!({"role": "administrator"}),
            "role",
            json!("administrator"),
        ),
        (
            &by_ref,
            json!({"managerRef": null}),
            "managerRef",
            Value::Null,
        ),
        (&by_ref, json!({"endDate": null}), "endDate", Value::Null),
        (
            &by_ref,
            json!({"additionalFields": null}),
            "additionalFields",
            Value::Null,
        ),
        (
            &by_ref,
            json!({"loginMethod": "ref", "email": null}),
            "email",
            Value::Null,
        ),
    ] {
        let changed = client.v2("PATCH", path, body.clone()).await.expect(200);
        assert_eq!(changed[field], value, "{body}");
        assert_eq!(changed["id"], user);
    }
    let last = client
        .v2("PATCH", &by_ref, json!({"sso": true}))
        .await
        .expect(200);
    assert_eq!(last["jobTitle"], "Boss", "what is not named stays");
    assert_eq!(last["firstName"], "Ann");
    assert_eq!(last["ref"], "u");
    assert_eq!(last["updatedAt"], "2024-03-15T10:31:00.000Z");
    client.user("other").await;
    for (body, status) in [
        (json!({}), 400),
        (Value::Null, 400),
        (json!({"unknown": 1}), 400),
        (json!({"ref": "x"}), 400),
        (json!({"firstName": null}), 400),
        (json!({"lastName": ""}), 400),
        (json!({"role": null}), 400),
        (json!({"email": "x"}), 400),
        (json!({"email": "other@example.com"}), 409),
        (json!({"startDate": "1/2/2024"}), 400),
        (json!([]), 400),
    ] {
        let answer = client.v2("PATCH", &by_ref, body.clone()).await;
        assert_eq!(answer.status.as_u16(), status, "{body} {}", answer.text);
        answer.refused(status);
    }
    for path in [
        "/users/ref/nobody",
        "/users/nobody",
        "/users/63f57d805d8ecbf46f5b5278",
    ] {
        client
            .v2("PATCH", path, json!({"sso": true}))
            .await
            .refused(404);
    }
}

#[tokio::test]
async fn users_have_statuses() {
    let world = World::new().await;
    let client = world.admin().await;
    client.users(&["a", "gone", "over", "soon"]).await;
    let suspended = client.v2(
        "PATCH",
        "/users/ref/gone/suspend",
        json!({"endDate": "2024-06-30T17:00:00.000Z"}),
    );
    let suspended = suspended.await.expect(200);
    assert_eq!(suspended["active"], false);
    assert_eq!(suspended["endDate"], "2024-06-30");
    for (reference, day) in [("over", "2024-03-14"), ("soon", "2024-03-15")] {
        let path = format!("/users/ref/{reference}");
        let changed = client.v2("PATCH", &path, json!({"endDate": day})).await;
        assert_eq!(changed.expect(200)["active"], true);
    }
    for (reference, status) in [
        ("a", "active"),
        ("gone", "inactive"),
        ("over", "expired"),
        ("soon", "active"),
    ] {
        let path = format!("/users/ref/{reference}");
        assert_eq!(client.get(&path).await.expect(200)["status"], status);
    }
    for (query, expected) in [
        ("", vec!["a", "gone", "over", "soon"]),
        ("status=active", vec!["a", "soon"]),
        ("statuses=inactive,expired", vec!["gone", "over"]),
        ("omitStatuses=active,new", vec!["gone", "over"]),
        (
            "statuses=active,expired&omitStatuses=expired",
            vec!["a", "soon"],
        ),
        ("status=new", vec![]),
        ("email=OVER%40example.com", vec!["over"]),
        ("email=over@example.com&status=active", vec![]),
        ("email=nobody@example.com", vec![]),
        ("perPage=1&page=2&status=active", vec!["soon"]),
    ] {
        let page = client.get(&format!("/users?{query}")).await.expect(200);
        assert_eq!(texts(&page["results"], "ref"), expected, "{query}");
        if !query.contains("page") {
            assert_eq!(
                page["pagination"]["totalResults"],
                expected.len(),
                "{query}"
            );
        }
    }
    world.clock.advance(Duration::from_secs(24 * 3_600));
    let page = client.get("/users?status=expired").await.expect(200);
    assert_eq!(texts(&page["results"], "ref"), ["over", "soon"]);
    client
        .v2("PATCH", "/users/ref/nobody/suspend", Value::Null)
        .await
        .refused(404);
}

#[tokio::test]
async fn a_user_shows_what_audiences_they_are_in() {
    let world = World::new().await;
    let client = world.admin().await;
    let structure = client.structure("s").await;
    let child = client.audience("s", "c").await;
    let other = client.structure("t").await;
    client.users(&["u1", "u2"]).await;
    client.add("c", &["u1"]).await;
    client.add("t", &["u1", "u2"]).await;
    let page = client.get("/users").await.expect(200);
    assert_eq!(
        page["results"][0]["audiences"],
        json!([structure, child, other])
    );
    assert_eq!(page["results"][1]["audiences"], json!([other]));
    let one = client
        .get(&format!("/user/{}", client.user_id("u1").await))
        .await;
    assert_eq!(
        one.expect(200)["audiences"],
        json!([structure, child, other])
    );
}

#[tokio::test]
async fn a_user_who_is_deleted_is_gone() {
    let world = World::new().await;
    let client = world.admin().await;
    let user = client.user("u").await;
    client
        .v2("DELETE", "/users/ref/u/", Value::Null)
        .await
        .gone();
    client
        .v2("DELETE", "/users/ref/u", Value::Null)
        .await
        .refused(404);
    client.get("/users/ref/u").await.refused(404);
    client.get(&format!("/user/{user}")).await.refused(404);
    let again = client.user("u").await;
    assert_ne!(again, user);
    client
        .v2("DELETE", &format!("/users/{again}"), Value::Null)
        .await
        .gone();
}

#[tokio::test]
async fn a_personnel_system_tells_what_happens() {
    let world = World::new().await;
    let client = world.admin().await;
    let hook = client.bearer("api/webhooks").await;
    let event = |kind: &str, user: Value| {
        json!({"id": "UNIQUEREFERENCE111000", "timestamp": "2020-03-09T22:18:26.625Z", "eventType": kind,
               "content": {"user": user}})
    };
    let tell = async |path: &str, body: Value| hook.raw("POST", path, body.to_string()).await;
    let user = json!({"ref": "UID30084022", "email": "a@example.com", "firstName": "A", "lastName": "B",
        "jobTitle": "Boss", "managerRef": "UID0034234555", "startDate": "2020-03-09T22:18:26.625Z",
        "timeZone": "Europe/London", "languageCode": "en-gb"});
    let path = "/thrive-user/webhooks";
    for _ in 0..2 {
        tell(path, event("user_joined", user.clone())).await.gone();
    }
    let status = async || client.get("/users/ref/UID30084022").await.expect(200)["status"].clone();
    assert_eq!(status().await, "active");
    let page = client.get("/users").await.expect(200);
    assert_eq!(page["pagination"]["totalResults"], 1);
    let of = |reference: &str| json!({"ref": reference});
    tell(path, event("user_suspended", of("UID30084022")))
        .await
        .gone();
    assert_eq!(status().await, "inactive");
    tell(
        "/thrive-user/rest/v1/webhooks/",
        event("user_joined", of("UID30084022")),
    )
    .await
    .gone();
    assert_eq!(status().await, "active");
    let changed = json!({"ref": "UID30084022", "firstName": "Ann"});
    tell("/thrive/rest/v1/webhooks", event("user_updated", changed))
        .await
        .gone();
    let shown = client.get("/users/ref/UID30084022").await.expect(200);
    assert_eq!(
        (&shown["firstName"], &shown["lastName"]),
        (&json!("Ann"), &json!("B"))
    );
    tell(path, event("user_deleted", of("UID30084022")))
        .await
        .gone();
    client.get("/users/ref/UID30084022").await.refused(404);
    for (body, expected) in [
        (event("user_updated", of("nobody")), 404),
        (event("user_joined", of("nobody")), 400),
        (event("user_left", of("nobody")), 400),
        (event("user_updated", json!({})), 400),
        (json!({"eventType": "user_deleted"}), 400),
        (json!({"content": {"user": {"ref": "x"}}}), 400),
        (json!({"eventType": "user_deleted", "content": []}), 400),
    ] {
        tell(path, body).await.refused(expected);
    }
    let reader = client.bearer("api/read").await;
    let body = event("user_joined", user.clone()).to_string();
    reader.raw("POST", path, body.clone()).await.refused(403);
    let writer = client.bearer("api/write").await;
    writer.raw("POST", path, body.clone()).await.refused(403);
    client.raw("POST", path, body).await.gone();
}
