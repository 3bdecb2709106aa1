//! Conversations, who takes part in them, what is said there and noticed.

use serde_json::{Value, json};

use crate::support::{START, World, id, mail, texts};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_is_made_seen_changed_and_deleted() {
    for world in World::each().await {
        let client = world.app().await;
        let ann = client.user("ann").await;
        let body = json!({
            "type": "personal",
            "participants": [{"userExternalId": "ann", "subscribeSDKClient": false}],
            "displayName": "Help",
            "description": "What Ann asks",
            "iconUrl": "https://example.org/i.png",
            "metadata": {"lang": "en"},
        });
        let made = client.post("/conversations", body).await.expect(201);
        let conversation = id(&made["conversation"]);
        let expected = json!({
            "id": conversation,
            "type": "personal",
            "metadata": {"lang": "en"},
            "isDefault": true,
            "displayName": "Help",
            "description": "What Ann asks",
            "iconUrl": "https://example.org/i.png",
            "createdAt": START,
        });
        assert_eq!(made["conversation"], expected);
        let path = format!("/conversations/{conversation}");
        assert_eq!(client.get(&path).await.expect(200), made);
        let change = json!({"displayName": "Aid", "description": null, "metadata": {"a": 1}});
        let changed = client.patch(&path, change).await.expect(200);
        let changed = &changed["conversation"];
        assert_eq!(changed["displayName"], "Aid");
        assert_eq!(changed.get("description"), None);
        assert_eq!(changed["metadata"], json!({"a": 1}));
        let cleared = json!({"displayName": null, "iconUrl": null, "metadata": null});
        let cleared = client.patch(&path, cleared).await.expect(200);
        let expected = json!({
            "id": conversation,
            "type": "personal",
            "metadata": {},
            "isDefault": true,
            "createdAt": START,
        });
        assert_eq!(cleared["conversation"], expected);
        // The default one stays; another does not.
        client.delete(&path).await.bad();
        let second = client.conversation(&ann).await;
        let path = format!("/conversations/{second}");
        let seen = client.get(&path).await.expect(200);
        assert_eq!(seen["conversation"]["isDefault"], false);
        client.delete(&path).await.done();
        client
            .get(&path)
            .await
            .refused(404, "conversation_not_found");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_has_as_many_people_as_its_type() {
    for world in World::each().await {
        let client = world.app().await;
        let mut all = Vec::new();
        for number in 0..11 {
            let name = format!("u{number}");
            client.user(&name).await;
            all.push(json!({"userExternalId": name}));
        }
        let done = world.done().await;
        for body in [
            json!({"type": "personal"}),
            json!({"type": "personal", "participants": []}),
            json!({"type": "personal", "participants": &all[..2]}),
            json!({"type": "sdkGroup", "participants": all}),
            json!({"type": "personal", "participants": [{}]}),
            json!({"type": "personal", "participants": [{"userId": "a", "userExternalId": "u1"}]}),
            json!({"type": "personal", "participants": ["u1"]}),
            json!({"type": "personal", "participants": {"userExternalId": "u1"}}),
            json!({"type": "group", "participants": &all[..1]}),
            json!({"participants": &all[..1]}),
            json!({"type": "personal", "participants": &all[..1], "displayName": ""}),
            json!({"type": "personal", "participants": &all[..1], "displayName": "x".repeat(101)}),
            json!({"type": "personal", "participants": &all[..1], "description": "x".repeat(101)}),
            json!({"type": "personal", "participants": &all[..1], "metadata": {"a": []}}),
            json!({"type": "personal", "participants": &all[..1], "iconUrl": 1}),
        ] {
            client.post("/conversations", body).await.bad();
        }
        for nobody in [json!({"userId": "u1"}), json!({"userExternalId": "nobody"})] {
            let body = json!({"type": "personal", "participants": [nobody]});
            let answer = client.post("/conversations", body).await;
            answer.refused(404, "user_not_found");
        }
        assert_eq!(world.done().await, done);
        let body = json!({"type": "sdkGroup", "participants": &all[..10]});
        let group = client.post("/conversations", body).await.expect(201);
        assert_eq!(group["conversation"]["isDefault"], false);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_join_and_leave() {
    for world in World::each().await {
        let client = world.app().await;
        let (ann, bob) = (client.user("ann").await, client.user("bob").await);
        let body = json!({"type": "sdkGroup", "participants": [{"userId": ann}]});
        let body = client.post("/conversations", body).await.expect(201);
        let path = format!("/conversations/{}", id(&body["conversation"]));
        let join = format!("{path}/join");
        let joined = client.post(&join, json!({"userExternalId": "bob"})).await;
        let joined = joined.expect(201);
        let expected = json!({
            "id": id(&joined["participant"]),
            "userId": bob,
            "userExternalId": "bob",
            "unreadCount": 0,
            "clientAssociations": [],
        });
        assert_eq!(joined["participant"], expected);
        let again = client.post(&join, json!({"userId": bob}));
        assert_eq!(again.await.expect(201), joined);
        let page = client
            .get(&format!("{path}/participants"))
            .await
            .expect(200);
        assert_eq!(
            texts(&page["participants"], "userExternalId"),
            ["ann", "bob"]
        );
        let leave = format!("{path}/leave");
        let done = world.done().await;
        for body in [
            json!({}),
            json!({"userId": ann, "userExternalId": "ann"}),
            json!({"participantId": "x", "userId": ann}),
            json!({"userId": 7}),
        ] {
            client.post(&leave, body).await.bad();
        }
        for (body, code) in [
            (json!({"participantId": bob}), "not_found"),
            (json!({"userId": "x"}), "user_not_found"),
            (json!({"userExternalId": "carl"}), "user_not_found"),
        ] {
            client.post(&leave, body).await.refused(404, code);
        }
        assert_eq!(world.done().await, done);
        let participant = id(&joined["participant"]);
        client
            .post(&leave, json!({"participantId": participant}))
            .await
            .done();
        client.post(&leave, json!({"userId": ann})).await.done();
        let gone = client.post(&leave, json!({"userExternalId": "ann"})).await;
        gone.refused(404, "not_found");
        let page = client
            .get(&format!("{path}/participants"))
            .await
            .expect(200);
        assert_eq!(page["participants"], json!([]));
        // A personal conversation is one person's.
        let own = client.conversation(&ann).await;
        let path = format!("/conversations/{own}");
        client
            .post(&format!("{path}/join"), json!({"userId": bob}))
            .await
            .bad();
        client
            .post(&format!("{path}/leave"), json!({"userId": ann}))
            .await
            .bad();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_are_posted_listed_and_deleted() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let path = format!("/conversations/{}/messages", scene.conversation);
        let body = json!({
            "author": {"type": "business", "displayName": "Steve", "avatarUrl": "https://example.org/s.png"},
            "content": {
                "type": "text",
                "text": "Hi",
                "actions": [{"type": "link", "text": "Go", "uri": "https://example.org"}],
            },
            "metadata": {"a": true},
        });
        let posted = client.post(&path, body.clone()).await.expect(201);
        let first = &posted["messages"][0];
        let mut expected = body;
        expected["id"] = json!(id(first));
        expected["received"] = json!(START);
        expected["source"] = json!({"type": "api:public"});
        assert_eq!(*first, expected);
        let body = json!({
            "author": {"type": "user", "userExternalId": "ann"},
            "content": {"type": "image", "mediaUrl": "https://example.org/a.png", "altText": "A", "text": "See"},
        });
        let posted = client.post(&path, body).await.expect(201);
        let second = &posted["messages"][0];
        let author = json!({"type": "user", "userId": scene.user, "userExternalId": "ann"});
        assert_eq!(second["author"], author);
        let content = json!({"type": "image", "mediaUrl": "https://example.org/a.png", "altText": "A", "text": "See"});
        assert_eq!(second["content"], content);
        let body = json!({
            "author": {"type": "business"},
            "schema": "whatsapp",
            "content": {"type": "template", "template": {"name": "hello"}},
        });
        let posted = client.post(&path, body).await.expect(201);
        let third = &posted["messages"][0];
        let content = json!({"type": "template", "template": {"name": "hello"}});
        assert_eq!(third["content"], content);
        let page = client.get(&path).await.expect(200);
        assert_eq!(page["messages"], json!([first, second, third]));
        assert_eq!(page["meta"], json!({"hasMore": false}));
        client.delete(&format!("{path}/{}", id(first))).await.done();
        client
            .delete(&format!("{path}/{}", id(first)))
            .await
            .refused(404, "not_found");
        let page = client.get(&path).await.expect(200);
        assert_eq!(page["messages"], json!([second, third]));
        client.delete(&path).await.done();
        let page = client.get(&path).await.expect(200);
        assert_eq!(page["messages"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_goes_to_the_clients_that_it_is_for() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let linked = mail(&scene, "ann@example.org", "immediate");
        client.post("/users/ann/clients", linked).await.expect(201);
        world.accept_all().await;
        let path = format!("/conversations/{}/messages", scene.conversation);
        let say = |destination: Value| {
            json!({
                "author": {"type": "business"},
                "content": {"type": "text", "text": "Hi"},
                "destination": destination,
            })
        };
        client.post(&path, say(Value::Null)).await.expect(201);
        for to in [
            json!({"integrationId": scene.mailgun}),
            json!({"integrationType": "mailgun"}),
        ] {
            client.post(&path, say(to)).await.expect(201);
        }
        let parcels = world.parcels().await;
        let to: Vec<&str> = parcels.iter().map(|parcel| parcel.to.as_str()).collect();
        assert_eq!(to, ["ann@example.org"; 3]);
        let done = world.done().await;
        for wrong in [
            json!({}),
            json!({"integrationType": "fax"}),
            json!({"integrationId": 7}),
            json!({"integrationId": scene.mailgun, "integrationType": "mailgun"}),
            json!("mailgun"),
        ] {
            client.post(&path, say(wrong)).await.bad();
        }
        for unknown in ["x", &scene.user] {
            let answer = client
                .post(&path, say(json!({"integrationId": unknown})))
                .await;
            answer.refused(404, "integration_not_found");
        }
        assert_eq!(world.done().await, done);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_is_refused() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let path = format!("/conversations/{}/messages", scene.conversation);
        let done = world.done().await;
        let business = json!({"type": "business"});
        let text = json!({"type": "text", "text": "Hi"});
        for body in [
            json!({}),
            json!({"content": text}),
            json!({"author": business}),
            json!({"author": {"type": "robot"}, "content": text}),
            json!({"author": {"type": "user"}, "content": text}),
            json!({"author": {"type": "user", "userId": "a", "userExternalId": "b"}, "content": text}),
            json!({"author": business, "content": {"type": "text"}}),
            json!({"author": business, "content": {"type": "text", "text": ""}}),
            json!({"author": business, "content": {"type": "text", "text": "x".repeat(4_097)}}),
            json!({"author": business, "content": {"type": "text", "text": "a\u{0}"}}),
            json!({"author": business, "content": {"type": "carousel", "items": []}}),
            json!({"author": business, "content": {"type": "image"}}),
            json!({"author": business, "content": {"type": "image", "mediaUrl": "file:///etc/passwd"}}),
            json!({"author": business, "content": {"type": "text", "text": "Hi", "actions": [{"type": "reply", "text": "x", "payload": "y"}]}}),
            json!({"author": business, "content": {"type": "text", "text": "Hi", "actions": [{"type": "link", "text": "x", "uri": "javascript:alert(1)"}]}}),
            json!({"author": business, "content": text, "metadata": {"a": {"b": 1}}}),
            json!({"author": business, "content": text, "metadata": {"a": "x".repeat(4_097)}}),
            json!({"author": business, "content": text, "schema": "telegram"}),
            json!({"author": business, "content": text, "schema": "whatsapp"}),
            json!({"author": business, "content": text, "override": {"whatsapp": {}}}),
        ] {
            client.post(&path, body).await.bad();
        }
        let nobody = json!({"author": {"type": "user", "userExternalId": "bob"}, "content": text});
        client
            .post(&path, nobody)
            .await
            .refused(404, "user_not_found");
        assert_eq!(world.done().await, done);
        assert!(world.parcels().await.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_and_typing_are_noticed() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let path = format!("/conversations/{}", scene.conversation);
        let activity = format!("{path}/activity");
        let say =
            json!({"author": {"type": "business"}, "content": {"type": "text", "text": "Hi"}});
        client
            .post(&format!("{path}/messages"), say)
            .await
            .expect(201);
        let participant = async || {
            let page = client
                .get(&format!("{path}/participants"))
                .await
                .expect(200);
            page["participants"][0].clone()
        };
        assert_eq!(participant().await["unreadCount"], 1);
        world.clock.advance(std::time::Duration::from_secs(60));
        let read =
            json!({"type": "conversation:read", "author": {"type": "user", "userId": scene.user}});
        client.post(&activity, read).await.done();
        assert_eq!(participant().await["unreadCount"], 0);
        assert_eq!(participant().await["lastRead"], "2024-03-15T10:31:00.000Z");
        let read = json!({"type": "conversation:read", "author": {"type": "business"}});
        client.post(&activity, read).await.done();
        let seen = client.get(&path).await.expect(200);
        assert_eq!(
            seen["conversation"]["businessLastRead"],
            "2024-03-15T10:31:00.000Z"
        );
        assert_eq!(seen["conversation"]["lastUpdatedAt"], START);
        for kind in ["typing:start", "typing:stop"] {
            let body = json!({"type": kind, "author": {"type": "business"}});
            client.post(&activity, body).await.done();
            let body = json!({"type": kind, "author": {"type": "user", "userExternalId": "ann"}});
            client.post(&activity, body).await.bad();
        }
        for body in [
            json!({}),
            json!({"type": "typing:start"}),
            json!({"type": "typing", "author": {"type": "business"}}),
            json!({"type": "typing:start", "author": {"type": "user"}}),
            json!({"type": "typing:start", "author": {"type": "robot"}}),
        ] {
            client.post(&activity, body).await.bad();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_that_is_not_there_is_told_so_everywhere() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        for nowhere in ["x", "000000000000000000000000", &scene.user, "%00"] {
            for (method, rest) in [
                ("GET", ""),
                ("PATCH", ""),
                ("DELETE", ""),
                ("GET", "/participants"),
                ("POST", "/join"),
                ("POST", "/leave"),
                ("POST", "/activity"),
                ("GET", "/messages"),
                ("POST", "/messages"),
                ("DELETE", "/messages"),
                ("DELETE", "/messages/000000000000000000000000"),
            ] {
                let path = format!("/conversations/{nowhere}{rest}");
                let answer = client.call(method, &path, &json!({})).await;
                answer.refused(404, "conversation_not_found");
            }
        }
    }
}
