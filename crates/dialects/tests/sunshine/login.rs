//! Signing in and out: how a client of the type `sdk` comes and goes.

use serde_json::{Value, json};

use crate::support::{World, id, texts};

fn device(id: &str) -> Value {
    json!({"client": {"id": id, "platform": "web", "appVersion": "1.2"}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_users_own_program_signs_in_and_out() {
    for world in World::each().await {
        let client = world.app().await;
        client
            .webhook(&["client:add", "client:remove"], false)
            .await;
        let ann = client.signed(json!({"scope": "user", "external_id": "ann"}));
        let made = ann.post("/login", device("phone-1")).await.expect(201);
        assert_eq!(made["user"]["externalId"], "ann");
        let sdk = &made["client"];
        assert_eq!(
            (&sdk["type"], &sdk["status"]),
            (&json!("sdk"), &json!("active"))
        );
        assert_eq!(sdk["info"], json!({"platform": "web", "appVersion": "1.2"}));
        assert!(sdk.get("integrationId").is_none() && sdk.get("externalId").is_none());
        let again = client.signed(json!({"scope": "appUser", "external_id": "ann"}));
        let same = again.post("/login", device("phone-1")).await.expect(201);
        assert_eq!(
            (&same["user"]["id"], &same["client"]["id"]),
            (&made["user"]["id"], &sdk["id"])
        );
        let mut named = device("phone-2");
        named["userExternalId"] = json!("ann");
        ann.post("/login", named.clone()).await.expect(201);
        let clients = client.get("/users/ann/clients").await.expect(200);
        assert_eq!(texts(&clients["clients"], "type"), ["sdk", "sdk"]);
        // The API does not take it away.
        let removed = client
            .delete(&format!("/users/ann/clients/{}", id(sdk)))
            .await;
        assert_eq!(removed.bad(), ["Cannot remove a client of type 'sdk'"]);
        named["userExternalId"] = json!("bob");
        ann.post("/login", named.clone())
            .await
            .refused(403, "forbidden");
        ann.post("/logout", named).await.refused(403, "forbidden");
        ann.post("/logout", device("phone-1")).await.done();
        ann.post("/logout", device("phone-1"))
            .await
            .refused(404, "client_not_found");
        let told = world.events().await;
        let reasons: Vec<&Value> = told.iter().map(|(_, payload)| &payload["reason"]).collect();
        assert_eq!(reasons, ["sdkLogin", "sdkLogin", "sdk"]);
        assert_eq!(told[0].1["source"], json!({"type": "sdk"}));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_users_token_signs_in_and_it_does_nothing_else() {
    for world in World::each().await {
        let client = world.app().await;
        client.user("ann").await;
        let done = world.done().await;
        let ann = client.signed(json!({"scope": "user", "external_id": "ann"}));
        for (method, path) in [
            ("GET", ""),
            ("GET", "/users/ann"),
            ("PATCH", "/users/ann"),
            ("POST", "/users"),
            ("GET", "/users/ann/clients"),
            ("POST", "/conversations"),
            ("GET", "/integrations"),
            ("GET", "/keys"),
            ("GET", "/integrations/me/webhooks"),
        ] {
            let answer = ann.call(method, path, &json!({"externalId": "x"})).await;
            answer.refused(403, "forbidden");
        }
        for other in [client.clone(), client.signed(json!({"scope": "app"}))] {
            for path in ["/login", "/logout"] {
                other
                    .post(path, device("x"))
                    .await
                    .refused(403, "forbidden");
            }
        }
        for nobody in [
            json!({"scope": "user"}),
            json!({"scope": "user", "external_id": ""}),
        ] {
            let answer = client.signed(nobody).post("/login", device("x")).await;
            answer.refused(401, "unauthorized");
        }
        for body in [
            json!({}),
            json!({"client": {}}),
            json!({"client": {"id": ""}}),
            json!({"client": {"id": 7}}),
            json!({"client": {"id": "x".repeat(129)}}),
            json!({"client": {"id": "x", "platform": 1}}),
        ] {
            ann.post("/login", body).await.bad();
        }
        assert_eq!(world.done().await, done);
    }
}
