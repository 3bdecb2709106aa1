//! What webhooks are sent: each event's body, and how the receiver knows the sender.

use domain::{ChannelError, SendOutcome};
use serde_json::{Value, json};

use crate::support::{START, World, id, mail};

/// All that there are.
const ALL: [&str; 14] = [
    "client:add",
    "client:remove",
    "client:update",
    "conversation:create",
    "conversation:join",
    "conversation:leave",
    "conversation:message",
    "conversation:message:delivery:channel",
    "conversation:message:delivery:failure",
    "conversation:read",
    "conversation:remove",
    "conversation:typing",
    "user:delete",
    "user:update",
];

fn only(events: Vec<(String, Value)>, kind: &str) -> Vec<Value> {
    let of = events.into_iter().filter(|(known, _)| known == kind);
    of.map(|(_, payload)| payload).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_says_whose_it_is_and_shows_the_secret() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let secret = client.webhook(&["client:add"], false).await;
        let made = client.post(
            "/users/ann/clients",
            mail(&scene, "a@example.org", "immediate"),
        );
        let made = made.await.expect(201);
        let told = world.deliveries().await;
        let [(headers, body)] = &told[..] else {
            panic!("{told:?}: one")
        };
        assert_eq!(headers["x-api-key"], secret);
        assert_eq!(headers["content-type"], "application/json");
        let webhooks = client.get("/integrations/me/webhooks").await.expect(200);
        let event = &body["events"][0];
        assert_eq!(id(event).len(), 24);
        let conversation = json!({"id": scene.conversation, "type": "personal", "metadata": {}});
        let expected = json!({
            "app": {"id": client.app},
            "webhook": {"id": webhooks["webhooks"][0]["id"], "version": "v2"},
            "events": [{
                "id": id(event),
                "type": "client:add",
                "createdAt": START,
                "payload": {
                    "conversation": conversation,
                    "user": {"id": scene.user, "externalId": "ann"},
                    "client": made["client"],
                    "reason": "channelLinking",
                    "source": {"type": "api:public"},
                },
            }],
        });
        assert_eq!(*body, expected);
        assert!(world.deliveries().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clients_life_is_told() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        client.webhook(&ALL, false).await;
        let clients = "/users/ann/clients";
        let made = client
            .post(clients, mail(&scene, "a@example.org", "immediate"))
            .await;
        let made = made.expect(201)["client"].clone();
        world.events().await;
        world.accept_all().await;
        let updates = only(world.events().await, "client:update");
        let last = updates.last().expect("one at least");
        assert_eq!(last["reason"], "confirmed");
        assert_eq!(last["client"]["status"], "active");
        assert_eq!(last["user"], json!({"id": scene.user, "externalId": "ann"}));
        assert!(last.get("source").is_none());
        client
            .delete(&format!("{clients}/{}", id(&made)))
            .await
            .done();
        let removed = only(world.events().await, "client:remove");
        let [removed] = &removed[..] else {
            panic!("{removed:?}: one")
        };
        assert_eq!(removed["reason"], "api");
        assert_eq!(removed["client"]["id"], made["id"]);
        assert_eq!(removed["source"], json!({"type": "api:public"}));
        // One that fails.
        client
            .post(clients, mail(&scene, "b@example.org", "immediate"))
            .await
            .expect(201);
        world.events().await;
        for claim in world.parcels().await {
            let error = ChannelError {
                code: "550".into(),
                text: "No such mailbox".into(),
            };
            let noted = world
                .domain
                .channel_finish(&claim, SendOutcome::Failed(error))
                .await;
            assert!(noted.expect("is noted"));
        }
        let removed = only(world.events().await, "client:remove");
        assert_eq!(removed[0]["reason"], "linkFailed");
        assert_eq!(removed[0]["error"]["code"], "550");
        assert!(removed[0]["error"]["message"].is_string());
        let source = json!({"type": "mailgun", "integrationId": scene.mailgun});
        assert_eq!(removed[0]["source"], source);
        assert_eq!(removed[0]["conversation"]["id"], scene.conversation);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_and_its_delivery_are_told() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        client
            .post(
                "/users/ann/clients",
                mail(&scene, "a@example.org", "immediate"),
            )
            .await
            .expect(201);
        world.accept_all().await;
        client.webhook(&ALL, false).await;
        let path = format!("/conversations/{}", scene.conversation);
        let body = json!({
            "author": {"type": "business", "displayName": "Steve"},
            "content": {"type": "text", "text": "Hi"},
            "metadata": {"a": 1},
        });
        let posted = client
            .post(&format!("{path}/messages"), body)
            .await
            .expect(201);
        let posted = &posted["messages"][0];
        let conversation = json!({"id": scene.conversation, "type": "personal", "metadata": {}});
        let told = only(world.events().await, "conversation:message");
        assert_eq!(
            told,
            [json!({"conversation": conversation, "message": posted})]
        );
        world.accept_all().await;
        let told = only(
            world.events().await,
            "conversation:message:delivery:channel",
        );
        let destination = json!({"type": "mailgun", "integrationId": scene.mailgun});
        let expected = json!({
            "conversation": conversation,
            "user": {"id": scene.user, "externalId": "ann"},
            "message": {"id": posted["id"]},
            "destination": destination,
            "isFinalEvent": true,
        });
        assert_eq!(told, [expected]);
        let again =
            json!({"author": {"type": "business"}, "content": {"type": "text", "text": "Hi"}});
        client
            .post(&format!("{path}/messages"), again)
            .await
            .expect(201);
        world.events().await;
        for claim in world.parcels().await {
            let error = ChannelError {
                code: "550".into(),
                text: "No such mailbox".into(),
            };
            let noted = world
                .domain
                .channel_finish(&claim, SendOutcome::Failed(error))
                .await;
            assert!(noted.expect("is noted"));
        }
        let told = only(
            world.events().await,
            "conversation:message:delivery:failure",
        );
        assert_eq!(told[0]["error"]["code"], "550");
        assert_eq!(told[0]["destination"], destination);
        let user = json!({"type": "user", "userId": scene.user});
        let told_of = json!({
            "type": "user",
            "userId": scene.user,
            "userExternalId": "ann",
            "user": {"id": scene.user, "externalId": "ann"},
        });
        let business = json!({"type": "business"});
        for (kind, trigger, author, shown) in [
            ("conversation:read", "conversation:read", &user, &told_of),
            ("typing:start", "conversation:typing", &business, &business),
            ("typing:stop", "conversation:typing", &business, &business),
        ] {
            let body = json!({"type": kind, "author": author});
            client.post(&format!("{path}/activity"), body).await.done();
            let told = only(world.events().await, trigger);
            let expected = json!({
                "conversation": conversation,
                "activity": {
                    "type": kind,
                    "source": {"type": "api:public"},
                    "author": shown,
                },
            });
            assert_eq!(told, [expected]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_wants_the_whole_user_and_source_gets_them() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let profile = json!({"profile": {"givenName": "Ann"}});
        let user = client.patch("/users/ann", profile).await.expect(200)["user"].clone();
        let body = json!({
            "matchCriteria": {"type": "twilio", "integrationId": scene.twilio, "phoneNumber": "+12125552368"},
            "confirmation": {"type": "userActivity"},
            "target": {"conversationId": scene.conversation},
        });
        client.post("/users/ann/clients", body).await.expect(201);
        client.webhook(&ALL, true).await;
        world.write(&scene.twilio, "m1", "+12125552368", "Hi").await;
        let events = world.events().await;
        let kinds: Vec<&str> = events.iter().map(|(kind, _)| kind.as_str()).collect();
        assert!(
            kinds.contains(&"client:update") && kinds.contains(&"conversation:message"),
            "{kinds:?}"
        );
        let updates = only(events.clone(), "client:update");
        assert!(updates.iter().all(|update| update["user"] == user));
        let told = only(events, "conversation:message");
        let message = &told[0]["message"];
        assert_eq!(message["author"]["user"], user);
        assert_eq!(message["source"]["type"], "twilio");
        assert_eq!(message["source"]["integrationId"], scene.twilio);
        let page = client.get("/users/ann/clients").await.expect(200);
        assert_eq!(message["source"]["client"]["id"], page["clients"][0]["id"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_and_conversations_are_told() {
    for world in World::each().await {
        let client = world.app().await;
        client.webhook(&ALL, false).await;
        let (ann, bob) = (client.user("ann").await, client.user("bob").await);
        assert!(world.events().await.is_empty());
        let body =
            json!({"type": "sdkGroup", "participants": [{"userId": ann}], "metadata": {"a": 1}});
        let body = client.post("/conversations", body).await.expect(201);
        let group = id(&body["conversation"]);
        let conversation = json!({"id": group, "type": "sdkGroup", "metadata": {"a": 1}});
        let events = world.events().await;
        let made = only(events, "conversation:create");
        assert_eq!(made[0]["conversation"], conversation);
        assert_eq!(made[0]["creationReason"], "none");
        assert_eq!(made[0]["source"], json!({"type": "api:public"}));
        let path = format!("/conversations/{group}");
        client
            .post(&format!("{path}/join"), json!({"userId": bob}))
            .await
            .expect(201);
        let user = json!({"id": bob, "externalId": "bob"});
        let expected = json!({"conversation": conversation, "user": user});
        assert_eq!(
            world.events().await,
            [("conversation:join".to_owned(), expected.clone())]
        );
        client
            .post(&format!("{path}/leave"), json!({"userId": bob}))
            .await
            .done();
        assert_eq!(
            world.events().await,
            [("conversation:leave".to_owned(), expected)]
        );
        client.delete(&path).await.done();
        let expected = json!({"conversation": conversation});
        let removed = only(world.events().await, "conversation:remove");
        assert_eq!(removed, [expected]);
        let user = client
            .patch("/users/bob", json!({"metadata": {"a": 1}}))
            .await
            .expect(200);
        let expected = json!({"user": user["user"], "source": {"type": "api:public"}});
        assert_eq!(world.events().await, [("user:update".to_owned(), expected)]);
        client.delete("/users/bob").await.done();
        let expected = json!({"user": {"id": bob, "externalId": "bob"}});
        assert_eq!(world.events().await, [("user:delete".to_owned(), expected)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_was_asked_for_is_told() {
    for world in World::each().await {
        let client = world.app().await;
        client.webhook(&["user:delete", "user:merge"], false).await;
        let scene = client.scene().await;
        client
            .post(
                "/users/ann/clients",
                mail(&scene, "a@example.org", "immediate"),
            )
            .await
            .expect(201);
        assert!(world.events().await.is_empty());
        client.delete("/users/ann").await.done();
        let told = world.events().await;
        assert_eq!(told.len(), 1, "{told:?}");
    }
}
