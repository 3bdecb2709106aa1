//! Clients: linked, confirmed, listed, removed.

use domain::{ChannelError, Content, SendOutcome};
use serde_json::{Value, json};

use crate::support::{Client, Scene, World, id, mail, texts};

async fn link(client: &Client<'_>, scene: &Scene, body: Value) -> Value {
    let path = format!("/users/{}/clients", scene.user);
    client.post(&path, body).await.expect(201)["client"].clone()
}

async fn associations(client: &Client<'_>, scene: &Scene) -> Vec<String> {
    let path = format!("/conversations/{}/participants", scene.conversation);
    let page = client.get(&path).await.expect(200);
    texts(&page["participants"][0]["clientAssociations"], "clientId")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seeds_own_request_links_an_address() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let body = json!({
            "matchCriteria": {
                "type": "mailgun",
                "integrationId": scene.mailgun,
                "primary": true,
                "address": "steveb@channel5.com",
                "subject": "New message from {appName}",
            },
            "confirmation": {
                "type": "immediate",
                "message": {
                    "author": {
                        "type": "business",
                        "displayName": "Steve",
                        "avatarUrl": "https://www.gravatar.com/image.jpg",
                    },
                    "content": {"type": "text", "text": "Hello!"},
                    "metadata": {"lang": "en-ca"},
                },
            },
            "target": {"conversationId": scene.conversation},
        });
        let made = link(&client, &scene, body).await;
        let expected = json!({
            "id": id(&made),
            "type": "mailgun",
            "status": "pending",
            "integrationId": scene.mailgun,
            "externalId": "steveb@channel5.com",
        });
        assert_eq!(made, expected);
        let parcels = world.parcels().await;
        let [parcel] = &parcels[..] else {
            panic!("{parcels:?}: one")
        };
        assert_eq!(parcel.to, "steveb@channel5.com");
        assert!(parcel.subject.starts_with("New message from "));
        assert_eq!(parcel.from.display_name.as_deref(), Some("Steve"));
        assert_eq!(
            parcel.content.as_ref().map(Content::shown).as_deref(),
            Some("Hello!")
        );
        // It is not added to the conversation.
        let messages = format!("/conversations/{}/messages", scene.conversation);
        let page = client.get(&messages).await.expect(200);
        assert_eq!(page["messages"], json!([]));
        let outcome = SendOutcome::Accepted { provider_id: None };
        let noted = world.domain.channel_finish(parcel, outcome).await;
        assert!(noted.expect("is noted"));
        let page = client.get("/users/ann/clients").await.expect(200);
        let one = &page["clients"][0];
        assert_eq!(
            (&one["id"], &one["status"]),
            (&made["id"], &json!("active"))
        );
        assert_eq!(one["linkedAt"], crate::support::START);
        assert_eq!(page["meta"], json!({"hasMore": false}));
        assert_eq!(page["links"], json!({}));
        assert_eq!(associations(&client, &scene).await, [id(&made)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_type_and_confirmation_is_taken() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let messagebird = client.integration("messagebird").await;
        let whatsapp = client.integration("whatsapp").await;
        for (kind, integration) in [
            ("twilio", &scene.twilio),
            ("messagebird", &messagebird),
            ("whatsapp", &whatsapp),
        ] {
            for confirmation in ["immediate", "userActivity", "prompt"] {
                let body = json!({
                    "matchCriteria": {
                        "type": kind,
                        "integrationId": integration,
                        "phoneNumber": "+1 212-555-2368",
                        "primary": false,
                    },
                    "confirmation": {"type": confirmation},
                    "target": {"conversationId": scene.conversation},
                });
                let made = link(&client, &scene, body).await;
                assert_eq!(made["type"], kind);
                assert_eq!(made["status"], "pending");
                assert_eq!(made["externalId"], "+12125552368");
            }
        }
        // Of one user and address, the pending one was replaced.
        let page = client.get("/users/ann/clients").await.expect(200);
        assert_eq!(
            texts(&page["clients"], "type"),
            ["twilio", "messagebird", "whatsapp"]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_or_a_template_may_confirm() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let mut body = mail(&scene, "a@example.org", "immediate");
        body["confirmation"]["message"]["content"] = json!({
            "type": "image",
            "mediaUrl": "https://example.org/a.png",
            "actions": [{"type": "link", "text": "Go", "uri": "https://example.org"}],
        });
        link(&client, &scene, body.clone()).await;
        let whatsapp = client.integration("whatsapp").await;
        body["matchCriteria"] = json!({
            "type": "whatsapp",
            "integrationId": whatsapp,
            "phoneNumber": "+12125552368",
        });
        let message = &mut body["confirmation"]["message"];
        message["schema"] = json!("whatsapp");
        message["content"] = json!({
            "type": "template",
            "template": {"name": "hello", "language": {"code": "en"}},
        });
        link(&client, &scene, body.clone()).await;
        body["matchCriteria"]["type"] = json!("twilio");
        body["matchCriteria"]["integrationId"] = json!(scene.twilio);
        client.post("/users/ann/clients", body).await.bad();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_removed_leaves_everywhere() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let made = link(&client, &scene, mail(&scene, "a@example.org", "immediate")).await;
        world.accept_all().await;
        assert_eq!(associations(&client, &scene).await, [id(&made)]);
        let bob = client.user("bob").await;
        let path = |user: &str, client: &str| format!("/users/{user}/clients/{client}");
        // It is nobody else's.
        let elsewhere = client.delete(&path(&bob, &id(&made))).await;
        assert_eq!(
            elsewhere.refused(404, "client_not_found"),
            ["Client not found"]
        );
        client.delete(&path("ann", &id(&made))).await.done();
        assert_eq!(associations(&client, &scene).await, [""; 0]);
        let gone = client.delete(&path("ann", &id(&made))).await;
        gone.refused(404, "client_not_found");
        for nobody in ["x", "000000000000000000000000", &scene.user] {
            let gone = client.delete(&path("ann", nobody)).await;
            gone.refused(404, "client_not_found");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_fails_goes_away_again() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        link(&client, &scene, mail(&scene, "a@example.org", "immediate")).await;
        for claim in world.parcels().await {
            let error = ChannelError {
                code: "550".into(),
                text: "No such mailbox".into(),
            };
            let outcome = SendOutcome::Failed(error);
            let noted = world.domain.channel_finish(&claim, outcome).await;
            assert!(noted.expect("is noted"));
        }
        let page = client.get("/users/ann/clients").await.expect(200);
        assert_eq!(page["clients"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_is_heard_and_who_stops_is_blocked() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let made = client
            .post(
                "/users/ann/clients",
                json!({
                    "matchCriteria": {
                        "type": "twilio",
                        "integrationId": scene.twilio,
                        "phoneNumber": "+12125552368",
                    },
                    "confirmation": {"type": "userActivity"},
                    "target": {"conversationId": scene.conversation},
                }),
            )
            .await
            .expect(201);
        let status = async || {
            let page = client.get("/users/ann/clients").await.expect(200);
            page["clients"][0]["status"].clone()
        };
        assert_eq!(status().await, "pending");
        world.write(&scene.twilio, "m1", "+12125552368", "Hi").await;
        assert_eq!(status().await, "active");
        let path = format!("/conversations/{}/messages", scene.conversation);
        let page = client.get(&path).await.expect(200);
        let message = &page["messages"][0];
        assert_eq!(message["content"], json!({"type": "text", "text": "Hi"}));
        assert_eq!(message["author"]["type"], "user");
        assert_eq!(message["author"]["userId"], scene.user);
        assert_eq!(message["author"]["userExternalId"], "ann");
        let source = json!({"type": "twilio", "integrationId": scene.twilio});
        assert_eq!(message["source"], source);
        world
            .write(&scene.twilio, "m2", "+12125552368", "STOP")
            .await;
        assert_eq!(status().await, "blocked");
        world
            .write(&scene.twilio, "m3", "+12125552368", "start")
            .await;
        assert_eq!(status().await, "active");
        let page = client.get("/users/ann/clients").await.expect(200);
        assert_eq!(page["clients"][0]["id"], made["client"]["id"]);
        assert_eq!(page["clients"][0]["lastSeen"], crate::support::START);
        // An integration that is gone takes nobody with it.
        client
            .delete(&format!("/integrations/{}", scene.twilio))
            .await
            .done();
        assert_eq!(status().await, "inactive");
    }
}
