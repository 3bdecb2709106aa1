//! Who is answered what: unknown hooks, forged and old requests, such as say nothing, and Meta's question.

use domain::{ClientStatus, Confirmation, Error, IntegrationKind};
use serde_json::json;
use throng_dialects::{
    limits,
    mount::{HostMount, Hosts, resolve},
};

use crate::support::{
    Call, KINDS, START_MS, World, mailgun, mailgun_event, messagebird, twilio, whatsapp, wrote,
};

/// What a request that is not believed is answered: Mailgun would try anything else again.
fn refused(kind: IntegrationKind) -> u16 {
    match kind {
        IntegrationKind::Mailgun => 406,
        _ => 401,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_is_none_is_not_found() {
    let world = World::new().await;
    let provider = world.provider(IntegrationKind::Twilio).await;
    let token = provider
        .path
        .rsplit('/')
        .next()
        .expect("a token")
        .to_owned();
    for path in [
        format!("/hooks/mailgun/{token}"),
        format!("/hooks/custom/{token}"),
        format!("/hooks/sdk/{token}"),
        format!("/hooks/Twilio/{token}"),
        "/hooks/twilio/x".to_owned(),
        format!("/hooks/twilio/{}x", &token[..token.len() - 1]),
        format!("/hooks/twilio/{token}{token}"),
        format!("/hooks/twilio/%00{token}"),
    ] {
        let call = Call {
            path,
            ..wrote(&provider, "m1", "Hi", START_MS)
        };
        let answer = world.call(call.request()).await;
        let body = answer.expect(404);
        assert_eq!(
            body,
            json!({"error": "No integration has this hook."}).to_string()
        );
        assert_eq!(answer.headers["content-type"], "application/json");
    }
    let call = Call {
        method: "PUT",
        ..wrote(&provider, "m1", "Hi", START_MS)
    };
    world.call(call.request()).await.expect(405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_request_changes_nothing() {
    for kind in KINDS {
        let world = World::new().await;
        let provider = world.provider(kind).await;
        let other = world.provider(kind).await;
        world.link(&provider, Confirmation::UserActivity).await;
        let right = wrote(&provider, "m1", "Hello", START_MS);
        let unsigned = match kind {
            // The signature is among the fields.
            IntegrationKind::Mailgun => right.clone().body(|body| body.replace("signature=", "s=")),
            _ => Call {
                headers: right.headers[..1].to_vec(),
                ..right.clone()
            },
        };
        let mut calls = vec![unsigned];
        if kind == IntegrationKind::Mailgun {
            calls.push(
                right
                    .clone()
                    .body(|body| body.replace("token=m1", "token=m2")),
            );
            calls.push(
                right
                    .clone()
                    .body(|body| body.replace("timestamp=1", "timestamp=2")),
            );
        } else {
            calls.push(right.clone().body(|body| body.replace("Hello", "Hellp")));
        }
        if matches!(kind, IntegrationKind::Twilio | IntegrationKind::MessageBird) {
            // Signed for another hook, and with another query.
            let path = other.path.clone();
            let elsewhere = Call {
                path,
                ..right.clone()
            };
            calls.push(Call {
                path: provider.path.clone(),
                ..wrote(&other, "m1", "Hello", START_MS)
            });
            calls.push(elsewhere);
            let path = format!("{}?a=b", provider.path);
            calls.push(Call {
                path,
                ..right.clone()
            });
        }
        for (at, call) in calls.iter().enumerate() {
            let answer = world.call(call.request()).await;
            let body = answer.expect(refused(kind));
            let text = "The signature is missing, wrong or too old.";
            assert_eq!(body, json!({"error": text}).to_string(), "{kind:?} {at}");
            assert_eq!(answer.outcome.workspace, Some(world.workspace));
        }
        assert_eq!(world.clients().await, [ClientStatus::Pending], "{kind:?}");
        assert_eq!(world.texts().await.len(), 0);
        // And it is none the worse for them.
        world.call(right.request()).await.taken(kind);
        assert_eq!(world.clients().await, [ClientStatus::Active], "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_request_is_refused() {
    let world = World::new().await;
    for (kind, age_ms_max) in [
        (IntegrationKind::Mailgun, 9 * 3_600 * 1_000),
        (IntegrationKind::MessageBird, 119_000),
    ] {
        let provider = world.provider(kind).await;
        world.link(&provider, Confirmation::UserActivity).await;
        let now = world.domain.now_ms();
        let old = wrote(&provider, "m1", "Hello", now - age_ms_max - 1_000);
        world.call(old.request()).await.expect(refused(kind));
        assert_eq!(world.texts().await.len(), 0);
        let fresh = wrote(&provider, "m1", "Hello", now - age_ms_max);
        world.call(fresh.request()).await.taken(kind);
        assert_eq!(world.texts().await.len(), 1);
        // The next one's conversation is its own.
        let context = world.context(world.workspace);
        let emptied = world
            .domain
            .messages_delete(&context, world.conversation)
            .await;
        emptied.expect("are deleted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_secret_an_integration_hears_nobody() {
    let world = World::new().await;
    for (kind, name) in [
        (IntegrationKind::Mailgun, "signing_key"),
        (IntegrationKind::WhatsApp, "app_secret"),
    ] {
        let provider = world.provider_without(kind, &[name]).await;
        let call = wrote(&provider, "m1", "Hello", START_MS);
        world.call(call.request()).await.expect(refused(kind));
    }
    let provider = world
        .provider_without(IntegrationKind::WhatsApp, &["verify_token"])
        .await;
    let question = "?hub.mode=subscribe&hub.verify_token=&hub.challenge=1";
    world
        .call(get(&provider.path, question).request())
        .await
        .expect(401);
}

fn get(path: &str, query: &str) -> Call {
    Call {
        method: "GET",
        path: format!("{path}{query}"),
        headers: Vec::new(),
        body: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn meta_asks_whether_it_is_the_right_hook() {
    let world = World::new().await;
    let provider = world.provider(IntegrationKind::WhatsApp).await;
    let question = "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=";
    let right = get(&provider.path, &format!("{question}word-1"));
    let answer = world.call(right.request()).await;
    assert_eq!(answer.expect(200), "1158201444");
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    let wrong = get(&provider.path, &format!("{question}word-2"));
    let answer = world.call(wrong.request()).await;
    assert!(!answer.expect(401).contains("1158201444"));
    world
        .call(get(&provider.path, "").request())
        .await
        .expect(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_says_nothing_is_refused_and_what_concerns_nobody_is_taken() {
    let world = World::new().await;
    let mailgun_hook = world.provider(IntegrationKind::Mailgun).await;
    let twilio_hook = world.provider(IntegrationKind::Twilio).await;
    let messagebird_hook = world.provider(IntegrationKind::MessageBird).await;
    let whatsapp_hook = world.provider(IntegrationKind::WhatsApp).await;
    let empty = Vec::new();
    for (call, status) in [
        (mailgun(&mailgun_hook, "t1", START_MS, &[]), 406),
        (
            mailgun_event(&mailgun_hook, "t2", START_MS, &json!("x")),
            406,
        ),
        (twilio(&twilio_hook, "", &[("Body", "x")]), 400),
        (
            messagebird(&messagebird_hook, "GET", "?a=b", empty, START_MS),
            400,
        ),
        (whatsapp(&whatsapp_hook, &json!([[]])), 400),
    ] {
        let answer = world.call(call.request()).await;
        let body: serde_json::Value = serde_json::from_str(answer.expect(status)).expect("JSON");
        assert!(body["error"].is_string());
    }
    for provider in [
        &mailgun_hook,
        &twilio_hook,
        &messagebird_hook,
        &whatsapp_hook,
    ] {
        let call = wrote(provider, "m1", "Hello", START_MS);
        world.call(call.request()).await.taken(provider.kind);
    }
    // An address that is none: a short code, a name.
    let pairs = [("MessageSid", "SM2"), ("From", "12345"), ("Body", "x")];
    let call = twilio(&twilio_hook, "", &pairs);
    world.call(call.request()).await.taken(twilio_hook.kind);
    let event = json!({"event": "opened", "recipient": "ann@example.org"});
    let call = mailgun_event(&mailgun_hook, "t3", START_MS, &event);
    world.call(call.request()).await.taken(mailgun_hook.kind);
    assert_eq!(world.texts().await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_megabyte_is_refused() {
    let world = World::new().await;
    for kind in KINDS {
        let provider = world.provider(kind).await;
        let text = "x".repeat(limits::HOOK_BODY_BYTES_MAX);
        let call = wrote(&provider, "m1", &text, START_MS);
        let status = match kind {
            IntegrationKind::Mailgun => 406,
            _ => 413,
        };
        world.call(call.request()).await.expect(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_is_the_same_under_every_mount() {
    let world = World::new().await;
    let provider = world.provider(IntegrationKind::WhatsApp).await;
    for slug in ["default", "nobody"] {
        let call = wrote(&provider, "m1", "Hello", START_MS);
        let path = format!("/w/{slug}{}", call.path);
        let answer = world.call(Call { path, ..call }.request()).await;
        answer.taken(provider.kind);
    }
    // Nor does a dialect's host name move it.
    let mount = HostMount {
        prefix: "/criteo".into(),
        workspace: None,
    };
    let hosts = Hosts::from([("api.shop.test".to_owned(), mount)]);
    let call = wrote(&provider, "m1", "Hello", START_MS);
    let mut request = call.request();
    let host = "api.shop.test".parse().expect("a host");
    request.headers_mut().insert("host", host);
    let mounted: Result<(), Error> = resolve(&world.domain, &hosts, &mut request).await;
    mounted.expect("is mounted");
    assert_eq!(request.uri().path(), provider.path);
}
