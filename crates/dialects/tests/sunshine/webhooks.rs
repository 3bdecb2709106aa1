//! Webhooks: an integration's, and the app's own.

use serde_json::json;

use crate::support::{World, id, texts};

const OWN: &str = "/integrations/me/webhooks";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_webhook_shows_its_secret_once() {
    for world in World::each().await {
        let client = world.app().await;
        let body = json!({
            "target": "https://example.org/cb",
            "triggers": ["client:remove", "client:add", "switchboard:passControl", "conversation:postback"],
            "includeFullUser": true,
        });
        let made = client.post(OWN, body).await.expect(201);
        let webhook = &made["webhook"];
        let secret = webhook["secret"].as_str().expect("a secret");
        assert!(secret.len() >= 32);
        let expected = json!({
            "id": id(webhook),
            "version": "v2",
            "target": "https://example.org/cb",
            // What never happens here is given back too.
            "triggers": ["client:add", "client:remove", "conversation:postback", "switchboard:passControl"],
            "secret": secret,
            "includeFullUser": true,
            "includeFullSource": false,
        });
        assert_eq!(*webhook, expected);
        let mut shown = expected;
        shown.as_object_mut().expect("is one").remove("secret");
        let path = format!("{OWN}/{}", id(webhook));
        assert_eq!(
            client.get(&path).await.expect(200),
            json!({"webhook": shown})
        );
        assert_eq!(
            client.get(OWN).await.expect(200),
            json!({"webhooks": [shown]})
        );
        let change = json!({"triggers": ["user:delete"], "includeFullSource": true});
        let changed = client.patch(&path, change).await.expect(200);
        shown["triggers"] = json!(["user:delete"]);
        shown["includeFullSource"] = json!(true);
        assert_eq!(changed, json!({"webhook": shown}));
        let moved = client.patch(&path, json!({"target": "https://example.org/2"}));
        shown["target"] = json!("https://example.org/2");
        assert_eq!(moved.await.expect(200), json!({"webhook": shown}));
        client.delete(&path).await.done();
        for method in ["GET", "PATCH", "DELETE"] {
            let gone = client.call(method, &path, &json!({})).await;
            gone.refused(404, "not_found");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_trigger_is_given_back() {
    for world in World::each().await {
        let client = world.app().await;
        let triggers = json!([
            "client:add",
            "client:remove",
            "client:update",
            "conversation:create",
            "conversation:join",
            "conversation:leave",
            "conversation:message",
            "conversation:message:delivery:channel",
            "conversation:message:delivery:failure",
            "conversation:message:delivery:user",
            "conversation:postback",
            "conversation:read",
            "conversation:referral",
            "conversation:remove",
            "conversation:typing",
            "switchboard:acceptControl",
            "switchboard:acceptControl:failure",
            "switchboard:offerControl",
            "switchboard:offerControl:failure",
            "switchboard:passControl",
            "switchboard:passControl:failure",
            "switchboard:releaseControl",
            "user:delete",
            "user:merge",
            "user:update",
        ]);
        let body = json!({"target": "https://example.org", "triggers": triggers});
        let made = client.post(OWN, body).await.expect(201);
        assert_eq!(made["webhook"]["triggers"], triggers);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_webhook_is_refused() {
    for world in World::each().await {
        let client = world.app().await;
        let webhook = client.post(
            OWN,
            json!({"target": "https://example.org", "triggers": ["client:add"]}),
        );
        let webhook = id(&webhook.await.expect(201)["webhook"]);
        let path = format!("{OWN}/{webhook}");
        let before = client.get(&path).await.expect(200);
        let done = world.done().await;
        for body in [
            json!({"target": "https://127.0.0.1/x"}),
            json!({"target": "http://example.org/x"}),
            json!({"target": "https://ann:secret@example.org/"}),
            json!({"target": "https://example.org/\r\nx"}),
            json!({"target": format!("https://example.org/{}", "x".repeat(2_048))}),
            json!({"target": "example.org"}),
            json!({"target": ""}),
            json!({"target": 7}),
            json!({"target": null}),
            json!({"triggers": []}),
            json!({"triggers": null}),
            json!({"triggers": "client:add"}),
            json!({"triggers": ["client:add", "client:added"]}),
            json!({"triggers": ["client:add", 7]}),
            json!({"triggers": ["user:merge"]}),
            json!({"triggers": vec!["client:add"; 101]}),
            json!({"includeFullUser": "true"}),
            json!({"includeFullSource": 1}),
        ] {
            client.patch(&path, body.clone()).await.bad();
            let mut whole = json!({"target": "https://example.org", "triggers": ["client:add"]});
            for (name, value) in body.as_object().expect("is one") {
                whole[name] = value.clone();
            }
            client.post(OWN, whole).await.bad();
        }
        for body in [
            json!({}),
            json!({"target": "https://example.org"}),
            json!({"triggers": ["client:add"]}),
        ] {
            client.post(OWN, body).await.bad();
        }
        assert_eq!(world.done().await, done);
        assert_eq!(client.get(&path).await.expect(200), before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_are_ten_of_each_owner() {
    for world in World::each().await {
        let client = world.app().await;
        let custom = client.integration("custom").await;
        let body = json!({"target": "https://example.org", "triggers": ["client:add"]});
        let of_custom = format!("/integrations/{custom}/webhooks");
        for (path, room) in [(OWN, 10), (of_custom.as_str(), 9)] {
            for _ in 0..room {
                client.post(path, body.clone()).await.expect(201);
            }
            client.post(path, body.clone()).await.bad();
            let all = client.get(path).await.expect(200);
            assert_eq!(texts(&all["webhooks"], "id").len(), 10);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_integrations_key_sees_its_own_only() {
    for world in World::each().await {
        let client = world.app().await;
        let (custom, other) = (
            client.integration("custom").await,
            client.integration("custom").await,
        );
        let keys = format!("/integrations/{custom}/keys");
        let key = client
            .post(&keys, json!({"displayName": "Bot"}))
            .await
            .expect(201);
        let bot = client.with_key(&key["key"]);
        let of = |owner: &str| format!("/integrations/{owner}/webhooks");
        let body = json!({"target": "https://example.org", "triggers": ["client:add"]});
        let own = id(&client.post(OWN, body.clone()).await.expect(201)["webhook"]);
        let made = id(&bot.post(OWN, body.clone()).await.expect(201)["webhook"]);
        // To it, `me` is the integration.
        let seen = texts(&bot.get(OWN).await.expect(200)["webhooks"], "id");
        assert_eq!(
            texts(&bot.get(&of(&custom)).await.expect(200)["webhooks"], "id"),
            seen
        );
        assert_eq!(
            texts(
                &client.get(&of(&custom)).await.expect(200)["webhooks"],
                "id"
            ),
            seen
        );
        assert!(seen.contains(&made) && seen.len() == 2);
        let apps = texts(&client.get(OWN).await.expect(200)["webhooks"], "id");
        assert_eq!(apps, std::slice::from_ref(&own));
        bot.get(&of(&other))
            .await
            .refused(404, "integration_not_found");
        for path in [format!("{OWN}/{own}"), format!("{}/{own}", of(&custom))] {
            for method in ["GET", "PATCH", "DELETE"] {
                bot.call(method, &path, &json!({}))
                    .await
                    .refused(404, "not_found");
            }
        }
        // Each is there under its owner only.
        client
            .get(&format!("{OWN}/{made}"))
            .await
            .refused(404, "not_found");
        client
            .get(&format!("{}/{made}", of(&other)))
            .await
            .refused(404, "not_found");
        client
            .get(&format!("{}/{made}", of(&custom)))
            .await
            .expect(200);
        bot.delete(&format!("{OWN}/{made}")).await.done();
        let nowhere = client.get(&of("000000000000000000000000")).await;
        nowhere.refused(404, "integration_not_found");
    }
}
