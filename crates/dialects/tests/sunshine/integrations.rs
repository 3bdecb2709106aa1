//! Integrations: each type, what is shown of it and what is not.

use serde_json::{Value, json};

use crate::support::{World, id, integration, texts};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_type_shows_all_but_its_secrets() {
    for world in World::each().await {
        let client = world.app().await;
        for (kind, shown) in [
            (
                "mailgun",
                json!({"domain": "mail.example.org", "incomingAddress": "in@mail.example.org"}),
            ),
            (
                "twilio",
                json!({"accountSid": "AC1", "phoneNumberSid": "PN1"}),
            ),
            ("messagebird", json!({"originator": "+15550100"})),
            (
                "whatsapp",
                json!({"deploymentId": "5e554d2cac66fb73a3c01871"}),
            ),
        ] {
            let mut body = integration(kind);
            body["displayName"] = json!("Ours");
            let answer = client.post("/integrations", body).await;
            assert!(!answer.text.contains("canary"), "{}", answer.text);
            let made = answer.expect(201);
            let mut expected = shown;
            expected["id"] = json!(id(&made["integration"]));
            expected["type"] = json!(kind);
            expected["status"] = json!("active");
            expected["displayName"] = json!("Ours");
            if kind == "messagebird" {
                let secret = made["integration"]["webhookSecret"].clone();
                assert!(secret.as_str().is_some_and(|secret| secret.len() > 20));
                expected["webhookSecret"] = secret;
            }
            assert_eq!(made["integration"], expected);
            let path = format!("/integrations/{}", id(&made["integration"]));
            let answer = client.get(&path).await;
            assert!(!answer.text.contains("canary"));
            assert_eq!(answer.expect(200), made);
        }
        let answer = client.get("/integrations").await;
        assert!(!answer.text.contains("canary"));
        let page = answer.expect(200);
        assert_eq!(
            texts(&page["integrations"], "type"),
            ["mailgun", "twilio", "messagebird", "whatsapp"]
        );
        // Version 9 of the Python client needs the field, whatever it holds.
        let body = json!({"type": "whatsapp", "accountId": "1", "hsmFallbackLanguage": "en_US"});
        let bare = client.post("/integrations", body).await.expect(201);
        assert_eq!(bare["integration"]["deploymentId"], "");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_custom_one_comes_with_its_webhook() {
    for world in World::each().await {
        let client = world.app().await;
        let made = client.post("/integrations", integration("custom")).await;
        let made = made.expect(201);
        let webhooks = made["integration"]["webhooks"].as_array().expect("a list");
        let [webhook] = &webhooks[..] else {
            panic!("{webhooks:?}: one")
        };
        assert_eq!(webhook["target"], "https://example.org/ours");
        assert_eq!(webhook["triggers"], json!(["client:add"]));
        assert!(webhook["secret"].is_string());
        let path = format!("/integrations/{}", id(&made["integration"]));
        let seen = client.get(&path).await.expect(200);
        let mut expected = made.clone();
        let shown = expected["integration"]["webhooks"][0].as_object_mut();
        shown.expect("is one").remove("secret");
        assert_eq!(seen, expected);
        let page = client
            .get("/integrations?filter[types]=custom")
            .await
            .expect(200);
        assert_eq!(page["integrations"], json!([expected["integration"]]));
        client.delete(&path).await.done();
        client
            .get(&path)
            .await
            .refused(404, "integration_not_found");
        let gone = client.get(&format!("{path}/webhooks")).await;
        gone.refused(404, "integration_not_found");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_names_types_in_either_form() {
    for world in World::each().await {
        let client = world.app().await;
        for kind in ["mailgun", "twilio", "twilio", "custom"] {
            client.integration(kind).await;
        }
        for (filter, expected) in [
            ("filter[types]=twilio", vec!["twilio", "twilio"]),
            (
                "filter%5Btypes%5D=mailgun%2Ccustom",
                vec!["mailgun", "custom"],
            ),
            (
                "filter=%7B%22types%22%3A%20%22mailgun%2Ctwilio%22%7D",
                vec!["mailgun", "twilio", "twilio"],
            ),
            ("filter[types]=whatsapp", vec![]),
            ("filter[types]=web,telegram", vec![]),
            ("filter={}", vec!["mailgun", "twilio", "twilio", "custom"]),
        ] {
            let path = format!(
                "/integrations?{}",
                filter.replace('{', "%7B").replace('}', "%7D")
            );
            let page = client.get(&path).await.expect(200);
            assert_eq!(texts(&page["integrations"], "type"), expected, "{filter}");
        }
        for wrong in [
            "filter[types]=fax",
            "filter[types]=",
            "filter=twilio",
            "filter=[]",
        ] {
            client.get(&format!("/integrations?{wrong}")).await.bad();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_keeps_what_it_does_not_name() {
    for world in World::each().await {
        let client = world.app().await;
        let twilio = client.integration("twilio").await;
        let path = format!("/integrations/{twilio}");
        let before = client.get(&path).await.expect(200);
        let named = client
            .patch(&path, json!({"displayName": "SMS"}))
            .await
            .expect(200);
        let mut expected = before.clone();
        expected["integration"]["displayName"] = json!("SMS");
        assert_eq!(named, expected);
        let change = json!({"displayName": null, "authToken": "canary-other", "accountSid": "AC2"});
        let answer = client.patch(&path, change).await;
        assert!(!answer.text.contains("canary"));
        expected = before;
        expected["integration"]["accountSid"] = json!("AC2");
        assert_eq!(answer.expect(200), expected);
        let done = world.done().await;
        for wrong in [
            json!({"displayName": ""}),
            json!({"displayName": "x".repeat(101)}),
            json!({"accountSid": null}),
            json!({"authToken": 7}),
            json!([]),
        ] {
            client.patch(&path, wrong).await.bad();
        }
        assert_eq!(world.done().await, done);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_is_told_by_its_name() {
    for world in World::each().await {
        let client = world.app().await;
        let done = world.done().await;
        for (body, expected) in [
            (json!({}), vec!["type is required"]),
            (
                json!({"type": "web"}),
                vec!["type must be one of: mailgun, twilio, messagebird, whatsapp, custom"],
            ),
            (
                json!({"type": "mailgun"}),
                vec![
                    "apiKey is required",
                    "domain is required",
                    "incomingAddress is required",
                ],
            ),
            (
                json!({"type": "twilio"}),
                vec![
                    "accountSid is required",
                    "authToken is required",
                    "phoneNumberSid or messagingServiceSid is required",
                ],
            ),
            (
                json!({"type": "messagebird", "originator": null}),
                vec![
                    "accessKey is required",
                    "signingKey is required",
                    "originator is required and must not be null",
                ],
            ),
            (
                json!({"type": "custom"}),
                vec!["webhooks must hold 1 webhook"],
            ),
            (
                json!({"type": "custom", "webhooks": [{}]}),
                vec![
                    "webhooks[0].target is required",
                    "webhooks[0].triggers is required",
                ],
            ),
        ] {
            assert_eq!(
                client.post("/integrations", body.clone()).await.bad(),
                expected,
                "{body}"
            );
        }
        let webhook = json!({"target": "https://example.org", "triggers": ["client:add"]});
        let two = json!({"type": "custom", "webhooks": [webhook, webhook]});
        client.post("/integrations", two).await.bad();
        let inside = json!({"type": "custom", "webhooks": [{"target": "https://127.0.0.1/x", "triggers": ["client:add"]}]});
        client.post("/integrations", inside).await.bad();
        assert_eq!(world.done().await, done);
        let page = client.get("/integrations").await.expect(200);
        assert_eq!(page["integrations"], Value::Array(Vec::new()));
    }
}
