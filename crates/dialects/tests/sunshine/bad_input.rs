//! What is wrong with a link, each refused in the vendor's words and with nothing stored; and bodies that are none.

use serde_json::{Value, json};

use crate::support::{Client, Scene, World, mail};

/// Where in a body something is replaced or taken out, and by what.
fn changed(body: &Value, pointer: &str, value: Option<Value>) -> Value {
    let mut body = body.clone();
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = body.pointer_mut(parent).and_then(Value::as_object_mut);
    let parent = parent.expect("an object");
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => parent.remove(name),
    };
    body
}

async fn nothing_is_stored(world: &World, client: &Client<'_>, done: usize) {
    assert_eq!(world.done().await, done);
    assert!(world.parcels().await.is_empty());
    assert!(world.events().await.is_empty());
    let page = client.get("/users/ann/clients").await.expect(200);
    assert_eq!(page["clients"], json!([]));
}

async fn phone(scene: &Scene) -> Value {
    json!({
        "matchCriteria": {
            "type": "twilio",
            "integrationId": scene.twilio,
            "phoneNumber": "+12125552368",
        },
        "confirmation": {"type": "prompt"},
        "target": {"conversationId": scene.conversation},
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_is_wrong_is_told_by_its_field() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        client.webhook(&["client:add"], false).await;
        let done = world.done().await;
        let good = mail(&scene, "ann@example.org", "immediate");
        let set = |pointer: &str, value: Value| changed(&good, pointer, Some(value));
        let cut = |pointer: &str| changed(&good, pointer, None);
        for (body, title) in [
            (cut("/matchCriteria"), "matchCriteria is required"),
            (
                set("/matchCriteria", json!([])),
                "matchCriteria must be an object",
            ),
            (cut("/confirmation"), "confirmation is required"),
            (
                set("/confirmation", Value::Null),
                "confirmation is required and must not be null",
            ),
            (cut("/target"), "target is required"),
            (
                cut("/target/conversationId"),
                "target.conversationId is required",
            ),
            (
                set("/target/conversationId", json!(7)),
                "target.conversationId must be a string",
            ),
            (cut("/matchCriteria/type"), "matchCriteria.type is required"),
            (
                set("/matchCriteria/type", json!("messenger")),
                "matchCriteria.type must be one of: mailgun, messagebird, twilio, whatsapp",
            ),
            (
                cut("/matchCriteria/integrationId"),
                "matchCriteria.integrationId is required",
            ),
            (
                cut("/matchCriteria/address"),
                "matchCriteria.address is required",
            ),
            (
                set("/matchCriteria/address", json!(["a"])),
                "matchCriteria.address must be a string",
            ),
            (
                set("/matchCriteria/primary", json!("true")),
                "matchCriteria.primary must be true or false",
            ),
            (
                set("/matchCriteria/subject", json!("")),
                "matchCriteria.subject must be 1 to 255 characters",
            ),
            (cut("/confirmation/type"), "confirmation.type is required"),
            (
                set("/confirmation/type", json!("later")),
                "confirmation.type must be one of: immediate, userActivity, prompt",
            ),
            (
                set("/confirmation/message", json!("Hi")),
                "confirmation.message must be an object",
            ),
            (
                cut("/confirmation/message/author"),
                "confirmation.message.author is required",
            ),
            (
                set("/confirmation/message/author/type", json!("user")),
                "confirmation.message.author.type must be one of: business",
            ),
            (
                cut("/confirmation/message/author/type"),
                "confirmation.message.author.type is required",
            ),
            (
                cut("/confirmation/message/content"),
                "confirmation.message.content is required",
            ),
            (
                set("/confirmation/message/content/type", json!("file")),
                "confirmation.message.content.type must be one of: text, image",
            ),
            (
                set(
                    "/confirmation/message/content/text",
                    json!("x".repeat(4_097)),
                ),
                "confirmation.message.content.text must be 1 to 4096 characters",
            ),
            (
                set(
                    "/confirmation/message/content/actions",
                    json!([{"type": "buy", "text": "x", "uri": "https://example.org"}]),
                ),
                "confirmation.message.content.actions[0].type must be one of: link",
            ),
            (
                set("/confirmation/message/metadata", json!({"a": {"b": 1}})),
                "confirmation.message.metadata must be flat: strings, numbers and booleans only",
            ),
            (
                set(
                    "/confirmation/message/metadata",
                    json!({"a": "x".repeat(4_097)}),
                ),
                "confirmation.message.metadata must not be longer than 4096 bytes of JSON",
            ),
        ] {
            let answer = client.post("/users/ann/clients", body.clone()).await;
            assert_eq!(answer.bad(), [title], "{body}");
        }
        let null = set("/matchCriteria", Value::Null);
        let titles = client.post("/users/ann/clients", null).await.bad();
        assert!(
            titles[0].contains("not null") && titles[0].contains("from_dict"),
            "{titles:?}"
        );
        assert_eq!(
            client
                .post("/users/ann/clients", json!({}))
                .await
                .bad()
                .len(),
            3
        );
        nothing_is_stored(&world, &client, done).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_is_one_of_its_channel() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let done = world.done().await;
        for address in [
            "",
            "ann",
            "ann@",
            "@example.org",
            "+12125552368",
            "a b@example.org",
            "a@example.org\r\nBcc: b@example.org",
        ] {
            let body = mail(&scene, address, "immediate");
            client.post("/users/ann/clients", body).await.bad();
        }
        let good = phone(&scene).await;
        for number in [
            "",
            "+",
            "212 555 2368",
            "1 212 555 2368",
            "+1 212 555 236x",
            "ann@example.org",
            "+0123456789",
            "+1234567890123456",
        ] {
            let body = changed(&good, "/matchCriteria/phoneNumber", Some(json!(number)));
            client.post("/users/ann/clients", body).await.bad();
        }
        let mail_for_phone = changed(&good, "/matchCriteria/phoneNumber", None);
        let titles = client
            .post("/users/ann/clients", mail_for_phone)
            .await
            .bad();
        assert_eq!(titles, ["matchCriteria.phoneNumber is required"]);
        nothing_is_stored(&world, &client, done).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_names_what_is_there_and_fits() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let bob = client.user("bob").await;
        let bobs = client.conversation(&bob).await;
        let other = world.another_workspace().await;
        let stranger = world.client(other, "").await;
        let strangers = stranger.scene().await;
        let done = world.done().await;
        let good = mail(&scene, "ann@example.org", "immediate");
        let integration =
            |id: &str| changed(&good, "/matchCriteria/integrationId", Some(json!(id)));
        let conversation = |id: &str| changed(&good, "/target/conversationId", Some(json!(id)));
        for unknown in [
            "x",
            "000000000000000000000000",
            &scene.user,
            &strangers.mailgun,
        ] {
            let answer = client
                .post("/users/ann/clients", integration(unknown))
                .await;
            answer.refused(404, "integration_not_found");
        }
        client
            .post("/users/ann/clients", integration(&scene.twilio))
            .await
            .bad();
        for unknown in [
            "x",
            "000000000000000000000000",
            &scene.user,
            &strangers.conversation,
        ] {
            let answer = client
                .post("/users/ann/clients", conversation(unknown))
                .await;
            answer.refused(404, "conversation_not_found");
        }
        client
            .post("/users/ann/clients", conversation(&bobs))
            .await
            .bad();
        for unknown in ["nobody", "000000000000000000000000", &strangers.user] {
            let path = format!("/users/{unknown}/clients");
            let answer = client.post(&path, good.clone()).await;
            answer.refused(404, "user_not_found");
        }
        nothing_is_stored(&world, &client, done).await;
        client.post("/users/ann/clients", good).await.expect(201);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_json_and_not_too_long() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let done = world.done().await;
        let routes = [
            ("POST", "/users".to_owned()),
            ("PATCH", "/users/ann".into()),
            ("POST", "/users/ann/clients".into()),
            ("POST", "/conversations".into()),
            ("PATCH", format!("/conversations/{}", scene.conversation)),
            (
                "POST",
                format!("/conversations/{}/messages", scene.conversation),
            ),
            (
                "POST",
                format!("/conversations/{}/activity", scene.conversation),
            ),
            ("POST", "/integrations".into()),
            ("PATCH", format!("/integrations/{}", scene.mailgun)),
            ("POST", "/integrations/me/webhooks".into()),
            ("POST", "/keys".into()),
        ];
        for (method, path) in &routes {
            let path = client.path(path);
            for wrong in [
                "",
                "{",
                "[]",
                "null",
                "7",
                "\"x\"",
                "{}{}",
                "{'a': 1}",
                "\u{feff}{}",
            ] {
                client.raw(method, &path, wrong).await.bad();
            }
            client
                .raw(method, &path, vec![b'{', 0xff, b'}'])
                .await
                .bad();
            client.raw(method, &path, "[".repeat(50_000)).await.bad();
            let long = format!("{{\"x\": \"{}\"}}", "x".repeat(100 << 10));
            let answer = client.raw(method, &path, long).await;
            answer.refused(413, "payload_too_large");
        }
        nothing_is_stored(&world, &client, done).await;
        // The longest that there may be.
        let start = "{\"externalId\": \"long\", \"x\": \"";
        let long = format!("{start}{}\"}}", "x".repeat((100 << 10) - start.len() - 2));
        assert_eq!(long.len(), 100 << 10);
        client
            .raw("POST", &client.path("/users"), long)
            .await
            .expect(201);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_text_is_kept_or_refused_and_never_fails() {
    for world in World::each().await {
        let client = world.app().await;
        let scene = client.scene().await;
        let texts = [
            "\u{0}",
            "a\u{0}b",
            "\u{202e}x",
            "🎉",
            "<script>",
            "' OR 1=1 --",
            "\u{d7ff}",
            "e\u{301}",
            "\u{feff}",
        ];
        for text in texts {
            for (method, path, body) in [
                (
                    "POST",
                    "/users".to_owned(),
                    json!({"externalId": text, "metadata": {text: text}}),
                ),
                (
                    "PATCH",
                    "/users/ann".into(),
                    json!({"profile": {"givenName": text, "email": text, "avatarUrl": text, "locale": text}}),
                ),
                (
                    "POST",
                    "/users/ann/clients".into(),
                    mail(&scene, text, "immediate"),
                ),
                (
                    "POST",
                    "/conversations".into(),
                    json!({"type": "personal", "participants": [{"userExternalId": text}]}),
                ),
                (
                    "PATCH",
                    format!("/conversations/{}", scene.conversation),
                    json!({"displayName": text, "description": text, "iconUrl": text, "metadata": {"a": text}}),
                ),
                (
                    "POST",
                    format!("/conversations/{}/messages", scene.conversation),
                    json!({"author": {"type": "business", "displayName": text}, "content": {"type": "text", "text": text}}),
                ),
                (
                    "PATCH",
                    format!("/integrations/{}", scene.mailgun),
                    json!({"displayName": text, "domain": text}),
                ),
                ("POST", "/keys".into(), json!({"displayName": text})),
                (
                    "POST",
                    "/integrations/me/webhooks".into(),
                    json!({"target": text, "triggers": [text]}),
                ),
            ] {
                let answer = client.call(method, &path, &body).await;
                assert!(
                    answer.status.as_u16() < 500,
                    "{method} {path} {text:?}: {}",
                    answer.text
                );
            }
            let escaped: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let seen = client.get(&format!("/users/{escaped}")).await;
            assert!(seen.status.as_u16() < 500, "{text:?}: {}", seen.text);
        }
    }
}
