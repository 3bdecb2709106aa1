//! Users: made, seen, changed, forgotten, deleted.

use serde_json::{Value, json};

use crate::support::{World, id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_made_and_seen_by_either_name() {
    for world in World::each().await {
        let client = world.app().await;
        let body = json!({
            "externalId": "your-own-id",
            "signedUpAt": "2020-05-21T15:53:30.197Z",
            "toBeRetained": true,
            "profile": {
                "givenName": "Steve",
                "surname": "Brule",
                "email": "Steveb@Channel5.com",
                "avatarUrl": "https://s3.amazonaws.com/avatar.jpg",
                "locale": "en-CA",
                "unknown": 1,
            },
            "metadata": {"lang": "en-ca", "tier": 3, "vip": true},
        });
        let made = client.post("/users", body.clone()).await.expect(201);
        let user = &made["user"];
        let name = id(user);
        assert_eq!(name.len(), 24);
        let mut expected = body;
        expected["id"] = json!(name);
        expected["identities"] = json!([]);
        expected["profile"]
            .as_object_mut()
            .expect("is one")
            .remove("unknown");
        assert_eq!(*user, expected);
        for name in [name.as_str(), "your-own-id"] {
            let seen = client.get(&format!("/users/{name}")).await.expect(200);
            assert_eq!(seen, made);
        }
        client
            .get("/users/Steveb@Channel5.com")
            .await
            .refused(404, "user_not_found");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn little_is_enough_and_a_name_is_taken_once() {
    for world in World::each().await {
        let client = world.app().await;
        let made = client.post(
            "/users",
            json!({"externalId": "a", "profile": null, "metadata": null}),
        );
        let made = made.await.expect(201);
        let expected = json!({
            "id": id(&made["user"]),
            "externalId": "a",
            "profile": {},
            "metadata": {},
            "identities": [],
        });
        assert_eq!(made["user"], expected);
        let again = client.post("/users", json!({"externalId": "a"})).await;
        let titles = again.refused(409, "conflict");
        assert_eq!(titles, ["User already exists"]);
        // An address may be that of several.
        for name in ["b", "c"] {
            let body = json!({"externalId": name, "profile": {"email": "x@example.org"}});
            client.post("/users", body).await.expect(201);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_merges_and_null_clears() {
    for world in World::each().await {
        let client = world.app().await;
        let body = json!({
            "externalId": "a",
            "signedUpAt": "2020-05-21T15:53:30.197Z",
            "profile": {"givenName": "Ann", "surname": "Bell", "email": "ann@example.org", "locale": "en"},
            "metadata": {"a": 1, "b": "x"},
        });
        let user = client.post("/users", body).await.expect(201);
        let path = format!("/users/{}", id(&user["user"]));
        let change = json!({
            "profile": {"givenName": null, "locale": "fr"},
            "metadata": {"a": null, "c": true},
        });
        let changed = client.patch(&path, change).await.expect(200);
        let expected = json!({
            "id": id(&user["user"]),
            "externalId": "a",
            "signedUpAt": "2020-05-21T15:53:30.197Z",
            "profile": {"surname": "Bell", "email": "ann@example.org", "locale": "fr"},
            "metadata": {"b": "x", "c": true},
            "identities": [],
        });
        assert_eq!(changed["user"], expected);
        // Nothing, and the external id, change nothing.
        for nothing in [json!({}), json!({"externalId": "b"})] {
            let same = client.patch(&path, nothing).await.expect(200);
            assert_eq!(same, changed);
        }
        let odd = json!({"profile": {"email": "no address"}});
        let odd = client.patch(&path, odd).await.expect(200);
        assert_eq!(odd["user"]["profile"]["email"], "no address");
        let all = json!({"signedUpAt": null, "profile": null, "metadata": null});
        let cleared = client.patch("/users/a", all).await.expect(200);
        let expected = json!({
            "id": id(&user["user"]),
            "externalId": "a",
            "profile": {},
            "metadata": {},
            "identities": [],
        });
        assert_eq!(cleared["user"], expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_stays_short_however_it_grows() {
    for world in World::each().await {
        let client = world.app().await;
        client.user("a").await;
        let half = |name: &str| json!({"metadata": {name: "x".repeat(2_500)}});
        client.patch("/users/a", half("a")).await.expect(200);
        let done = world.done().await;
        let titles = client.patch("/users/a", half("b")).await.bad();
        assert!(titles[0].contains("4096"), "{titles:?}");
        assert_eq!(world.done().await, done);
        let change = json!({"metadata": {"a": null, "b": "x".repeat(2_500)}});
        let changed = client.patch("/users/a", change).await.expect(200);
        assert_eq!(
            changed["user"]["metadata"].as_object().map(|it| it.len()),
            Some(1)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_external_id_may_hold_whatever_a_path_may_not() {
    for world in World::each().await {
        let client = world.app().await;
        for (name, escaped) in [
            ("sue+x@a.co/ü", "sue%2Bx%40a.co%2F%C3%BC"),
            ("a/b", "a%2Fb"),
            ("a b", "a%20b"),
            ("50%", "50%25"),
            ("?#&", "%3F%23%26"),
            ("clients", "clients"),
            ("me", "me"),
            ("%2F", "%252F"),
        ] {
            let user = client.user(name).await;
            let path = format!("/users/{escaped}");
            let seen = client.get(&path).await.expect(200);
            assert_eq!(seen["user"]["externalId"], name);
            assert_eq!(id(&seen["user"]), user);
            client.get(&format!("{path}/clients")).await.expect(200);
            let changed = client.patch(&path, json!({"profile": {"locale": "de"}}));
            assert_eq!(changed.await.expect(200)["user"]["profile"]["locale"], "de");
            client.delete(&path).await.done();
            client.get(&path).await.refused(404, "user_not_found");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_external_id_never_reads_as_an_id_of_ours() {
    for world in World::each().await {
        let client = world.app().await;
        let first = client.user("a").await;
        let done = world.done().await;
        for own in [first.clone(), format!("{}ffff", &first[..20])] {
            let answer = client.post("/users", json!({"externalId": own})).await;
            answer.refused(409, "conflict");
        }
        assert_eq!(world.done().await, done);
        // What only looks alike is a name as any other.
        for name in [
            "029c31f25a21b47effd7be90",
            &format!("x{first}"),
            &first[1..],
        ] {
            let made = client.user(name).await;
            let seen = client.get(&format!("/users/{name}")).await.expect(200);
            assert_eq!(id(&seen["user"]), made);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_is_forgotten_or_deleted() {
    for world in World::each().await {
        let client = world.app().await;
        let body = json!({
            "externalId": "a",
            "profile": {"givenName": "Ann", "email": "ann@example.org", "avatarUrl": "https://example.org/a.png"},
            "metadata": {"a": 1},
        });
        let user = client.post("/users", body).await.expect(201);
        let forgotten = client
            .delete("/users/a/personalinformation")
            .await
            .expect(200);
        assert_eq!(id(&forgotten["user"]), id(&user["user"]));
        assert_eq!(forgotten["user"]["externalId"], "a");
        assert_eq!(forgotten["user"]["profile"], json!({}));
        assert_eq!(forgotten["user"]["metadata"], json!({}));
        assert_eq!(client.get("/users/a").await.expect(200), forgotten);
        client.delete("/users/a").await.done();
        for (method, path) in [
            ("GET", "/users/a"),
            ("PATCH", "/users/a"),
            ("DELETE", "/users/a"),
            ("DELETE", "/users/a/personalinformation"),
            ("GET", "/users/a/clients"),
        ] {
            let answer = client.call(method, path, &json!({})).await;
            assert_eq!(answer.refused(404, "user_not_found"), ["User not found"]);
        }
        client.user("a").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_user_can_be_is_told_field_by_field() {
    for world in World::each().await {
        let client = world.app().await;
        client.user("here").await;
        let done = world.done().await;
        let long = "x".repeat(129);
        for (body, title) in [
            (json!({}), "externalId is required"),
            (
                json!({"externalId": null}),
                "externalId is required and must not be null",
            ),
            (json!({"externalId": 7}), "externalId must be a string"),
            (
                json!({"externalId": ""}),
                "externalId must be 1 to 1024 characters",
            ),
            (
                json!({"externalId": "x".repeat(1_025)}),
                "externalId must be 1 to 1024 characters",
            ),
            (
                json!({"externalId": " a"}),
                "externalId must not begin or end with a space, nor hold control characters",
            ),
            (
                json!({"externalId": "a\nb"}),
                "externalId must not begin or end with a space, nor hold control characters",
            ),
            (
                json!({"externalId": "a\u{0}"}),
                "externalId must not hold control characters",
            ),
            (
                json!({"externalId": "a", "signedUpAt": "today"}),
                "signedUpAt must be a time in ISO 8601, as in 2026-11-25T08:00:00.000Z",
            ),
            (
                json!({"externalId": "a", "toBeRetained": "yes"}),
                "toBeRetained must be true or false",
            ),
            (
                json!({"externalId": "a", "profile": "x"}),
                "profile must be an object",
            ),
            (
                json!({"externalId": "a", "profile": {"givenName": ""}}),
                "profile.givenName must be 1 to 128 characters",
            ),
            (
                json!({"externalId": "a", "profile": {"surname": long}}),
                "profile.surname must be 1 to 128 characters",
            ),
            (
                json!({"externalId": "a", "profile": {"email": 1}}),
                "profile.email must be a string",
            ),
            (
                json!({"externalId": "a", "profile": {"locale": "x".repeat(65)}}),
                "profile.locale must be 1 to 64 characters",
            ),
            (
                json!({"externalId": "a", "metadata": {"a": {}}}),
                "metadata must be flat: strings, numbers and booleans only",
            ),
            (
                json!({"externalId": "a", "metadata": {"a": null}}),
                "metadata must be flat: strings, numbers and booleans only",
            ),
            (
                json!({"externalId": "a", "metadata": [1]}),
                "metadata must be an object",
            ),
            (
                json!({"externalId": "a", "metadata": {"a": "x".repeat(4_097)}}),
                "metadata must not be longer than 4096 bytes of JSON",
            ),
        ] {
            let titles = client.post("/users", body.clone()).await.bad();
            assert_eq!(titles, [title], "{body}");
        }
        let several =
            json!({"externalId": 7, "signedUpAt": 7, "profile": {"email": 7}, "metadata": 7});
        assert_eq!(client.post("/users", several).await.bad().len(), 4);
        assert_eq!(world.done().await, done);
        client.get("/users/a").await.refused(404, "user_not_found");
        let longest = json!({"externalId": "ü".repeat(1_024)});
        client.post("/users", longest).await.expect(201);
        let _: Value = client.get("/users/here").await.expect(200);
    }
}
