//! Apps, and keys of apps and of custom integrations.

use serde_json::{Value, json};

use crate::support::{World, id, texts};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_is_shown_and_made_elsewhere() {
    for world in World::each().await {
        let (app, account) = (world.app().await, world.account().await);
        let shown = app.get("").await.expect(200);
        assert_eq!(shown["app"]["id"], json!(app.app));
        assert!(shown["app"]["displayName"].is_string());
        let page = account
            .raw("GET", "/sunshine/v2/apps", "")
            .await
            .expect(200);
        let expected = json!({"apps": [shown["app"]], "meta": {"hasMore": false}, "links": {}});
        assert_eq!(page, expected);
        for (method, path) in [
            ("POST", "/sunshine/v2/apps".to_owned()),
            ("PATCH", app.path("")),
            ("DELETE", app.path("")),
        ] {
            for client in [&app, &account] {
                client
                    .raw(method, &path, "{}")
                    .await
                    .refused(403, "forbidden");
            }
        }
        let list = app.raw("GET", "/sunshine/v2/apps", "").await;
        list.refused(403, "forbidden");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_made_used_and_taken_back() {
    for world in World::each().await {
        let client = world.app().await;
        let made = client
            .post("/keys", json!({"displayName": "Shop 2"}))
            .await
            .expect(201);
        let key = &made["key"];
        assert_eq!(key["displayName"], "Shop 2");
        assert!(id(key).starts_with("app_") && id(key).len() == 28);
        let other = client.with_key(key);
        other.get("").await.expect(200);
        other
            .signed(json!({"scope": "app"}))
            .get("")
            .await
            .expect(200);
        let path = format!("/keys/{}", id(key));
        let shown = json!({"key": {"id": id(key), "displayName": "Shop 2"}});
        assert_eq!(client.get(&path).await.expect(200), shown);
        let page = client.get("/keys").await.expect(200);
        assert_eq!(texts(&page["keys"], "id"), [client.id.clone(), id(key)]);
        client.delete(&path).await.done();
        client.get(&path).await.refused(404, "not_found");
        client.delete(&path).await.refused(404, "not_found");
        other.get("").await.refused(401, "unauthorized");
        other
            .signed(json!({"scope": "app"}))
            .get("")
            .await
            .refused(401, "unauthorized");
        for nothing in ["x", "app_x", "app_000000000000000000000000"] {
            client
                .get(&format!("/keys/{nothing}"))
                .await
                .refused(404, "not_found");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_ten_keys_with_names() {
    for world in World::each().await {
        let client = world.app().await;
        for body in [
            json!({}),
            json!({"displayName": ""}),
            json!({"displayName": 7}),
            json!({"displayName": "x".repeat(101)}),
        ] {
            client.post("/keys", body).await.bad();
        }
        // The client's own is one of them.
        for number in 1..10 {
            let body = json!({"displayName": format!("Key {number}")});
            client.post("/keys", body).await.expect(201);
        }
        client
            .post("/keys", json!({"displayName": "Too many"}))
            .await
            .bad();
        let page = client.get("/keys").await.expect(200);
        assert_eq!(texts(&page["keys"], "id").len(), 10);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_custom_integration_has_keys_that_can_do_less() {
    for world in World::each().await {
        let client = world.app().await;
        let custom = client.integration("custom").await;
        let keys = format!("/integrations/{custom}/keys");
        let made = client
            .post(&keys, json!({"displayName": "Bot"}))
            .await
            .expect(201);
        let bot = client.with_key(&made["key"]);
        bot.user("ann").await;
        bot.get("/users/ann/clients").await.expect(200);
        bot.get("/integrations/me/webhooks").await.expect(200);
        for (method, path) in [
            ("GET", "/integrations".to_owned()),
            ("POST", "/integrations".into()),
            ("GET", format!("/integrations/{custom}")),
            ("GET", "/keys".into()),
            ("POST", "/keys".into()),
            ("GET", keys.clone()),
        ] {
            bot.call(method, &path, &json!({}))
                .await
                .refused(403, "forbidden");
        }
        let path = format!("{keys}/{}", id(&made["key"]));
        let shown = client.get(&path).await.expect(200);
        assert_eq!(
            shown["key"],
            json!({"id": made["key"]["id"], "displayName": "Bot"})
        );
        // It is the integration's, not the app's.
        let of_app = client.get(&format!("/keys/{}", id(&made["key"]))).await;
        of_app.refused(404, "not_found");
        assert_eq!(
            texts(&client.get(&keys).await.expect(200)["keys"], "displayName"),
            ["Bot"]
        );
        client.delete(&path).await.done();
        bot.get("").await.refused(401, "unauthorized");
        // Only custom ones have keys.
        let mailgun = client.integration("mailgun").await;
        let none = format!("/integrations/{mailgun}/keys");
        client
            .post(&none, json!({"displayName": "Bot"}))
            .await
            .bad();
        let nowhere = client
            .get("/integrations/000000000000000000000000/keys")
            .await;
        nowhere.refused(404, "integration_not_found");
        let _: Value = client.get("/keys").await.expect(200);
    }
}
