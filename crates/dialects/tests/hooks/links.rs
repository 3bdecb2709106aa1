//! What people write makes links active, blocks them and takes them back; what did not arrive fails them.

use domain::{
    Author, ClientStatus, Confirmation, DialectId, IdKind, IntegrationKind, MessageSource,
};
use serde_json::json;

use crate::support::{
    KINDS, Provider, START_MS, World, mailgun, mailgun_event, messagebird, twilio, whatsapp, wrote,
};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_writes_from_the_address_is_linked_and_heard() {
    for kind in KINDS {
        let world = World::new().await;
        let provider = world.provider(kind).await;
        let client = world.link(&provider, Confirmation::UserActivity).await;
        assert_eq!(world.clients().await, [ClientStatus::Pending]);
        let call = wrote(&provider, "m1", "Hello there", START_MS);
        world.call(call.request()).await.taken(kind);
        assert_eq!(world.clients().await, [ClientStatus::Active], "{kind:?}");
        assert_eq!(world.texts().await, ["Hello there"]);
        let message = world.messages().await.remove(0);
        assert!(matches!(message.author, Author::Record { .. }));
        let source = MessageSource::Channel {
            channel: kind.channel().expect("has one"),
            integration: Some(provider.id),
            client,
        };
        assert_eq!(message.source, source);

        // As often as the provider likes.
        world.call(call.request()).await.taken(kind);
        assert_eq!(world.texts().await.len(), 1, "{kind:?}");
        let call = wrote(&provider, "m2", "Hello there", START_MS);
        world.call(call.request()).await.taken(kind);
        assert_eq!(world.texts().await.len(), 2, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_asked_says_yes_or_no() {
    for kind in KINDS {
        let world = World::new().await;
        let provider = world.provider(kind).await;
        world.link(&provider, Confirmation::Prompt).await;
        let say = async |id: &str, text: &str| {
            let call = wrote(&provider, id, text, START_MS);
            world.call(call.request()).await.taken(kind);
        };
        say("m1", "Who is this?").await;
        assert_eq!(world.clients().await, [ClientStatus::Pending], "{kind:?}");
        say("m2", "No!").await;
        assert_eq!(world.clients().await, [], "{kind:?}");
        world.link(&provider, Confirmation::Prompt).await;
        say("m3", "yes").await;
        assert_eq!(world.clients().await, [ClientStatus::Active], "{kind:?}");
        say("m4", "STOP").await;
        assert_eq!(world.clients().await, [ClientStatus::Blocked], "{kind:?}");
        say("m5", "Start").await;
        assert_eq!(world.clients().await, [ClientStatus::Active], "{kind:?}");
    }
}

fn item_id(workspace: i64, id: i64) -> String {
    let kind = IdKind::Outbox;
    DialectId {
        workspace,
        kind,
        id,
    }
    .to_hex()
}

/// How a provider tells that an item did not arrive.
fn failed(provider: &Provider, item: &str) -> crate::support::Call {
    match provider.kind {
        IntegrationKind::Mailgun => {
            let event = json!({"event": "failed", "severity": "permanent", "reason": "bounce",
                "recipient": "ann@example.org", "delivery-status": {"code": 550, "message": "no such user"},
                "user-variables": {"throng-id": item}});
            mailgun_event(provider, item, START_MS, &event)
        }
        IntegrationKind::Twilio => {
            let pairs = [
                ("MessageSid", "SM1"),
                ("MessageStatus", "undelivered"),
                ("ErrorCode", "30003"),
            ];
            twilio(provider, &format!("?item={item}"), &pairs)
        }
        IntegrationKind::MessageBird => {
            let query = format!("?id=1&reference={item}&status=delivery_failed&statusErrorCode=1");
            messagebird(provider, "GET", &query, Vec::new(), START_MS)
        }
        _ => {
            let status = json!({"id": "wamid.1", "status": "failed", "biz_opaque_callback_data": item,
                "errors": [{"code": 131026, "title": "Message undeliverable"}]});
            whatsapp(provider, &json!({"statuses": [status]}))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_arrive_takes_the_link_away() {
    for kind in KINDS {
        let world = World::new().await;
        let provider = world.provider(kind).await;
        world.link(&provider, Confirmation::Prompt).await;
        let item = world.item(world.workspace).await;

        // A provider speaks for its own integration and workspace.
        let other = world.provider(kind).await;
        let foreign = failed(&other, &item_id(world.workspace, item));
        world.call(foreign.request()).await.taken(kind);
        let (workspace, conversation) = world.other_workspace().await;
        let theirs = world.provider_of(workspace, kind).await;
        world
            .link_in(workspace, conversation, &theirs, Confirmation::Prompt)
            .await;
        let foreign = failed(&theirs, &item_id(world.workspace, item));
        world.call(foreign.request()).await.taken(kind);
        let foreign = failed(&provider, &item_id(workspace, world.item(workspace).await));
        world.call(foreign.request()).await.taken(kind);
        assert_eq!(world.clients().await, [ClientStatus::Pending], "{kind:?}");
        assert_eq!(world.clients_of(workspace).await, [ClientStatus::Pending]);

        let call = failed(&provider, &item_id(world.workspace, item));
        world.call(call.request()).await.taken(kind);
        assert_eq!(world.clients().await, [], "{kind:?}");
        world.call(call.request()).await.taken(kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_opts_out_at_the_provider_is_blocked() {
    let world = World::new().await;
    let provider = world.provider(IntegrationKind::Twilio).await;
    world.link(&provider, Confirmation::UserActivity).await;
    let call = wrote(&provider, "m1", "Hi", START_MS);
    world.call(call.request()).await.taken(provider.kind);
    for (id, word, status) in [
        ("m2", "STOP", ClientStatus::Blocked),
        ("m3", "START", ClientStatus::Active),
    ] {
        let pairs = [
            ("MessageSid", id),
            ("From", "+12025550123"),
            ("Body", "x"),
            ("OptOutType", word),
        ];
        let call = twilio(&provider, "", &pairs);
        world.call(call.request()).await.taken(provider.kind);
        assert_eq!(world.clients().await, [status], "{word}");
    }

    let world = World::new().await;
    let provider = world.provider(IntegrationKind::Mailgun).await;
    world.link(&provider, Confirmation::UserActivity).await;
    let call = wrote(&provider, "m1", "Hi", START_MS);
    world.call(call.request()).await.taken(provider.kind);
    let event = json!({"event": "complained", "recipient": "ann@example.org"});
    let call = mailgun_event(&provider, "t1", START_MS, &event);
    world.call(call.request()).await.taken(provider.kind);
    assert_eq!(world.clients().await, [ClientStatus::Blocked]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_heard_once_however_it_is_signed() {
    let world = World::new().await;
    let provider = world.provider(IntegrationKind::Mailgun).await;
    world.link(&provider, Confirmation::UserActivity).await;
    let tell = async |token: &str, from: &str, id: &str, text: &str| {
        let pairs = [("from", from), ("Message-Id", id), ("stripped-text", text)];
        let call = mailgun(&provider, token, START_MS, &pairs);
        world.call(call.request()).await.taken(provider.kind);
    };
    let ann = "ann@example.org";
    tell("t1", ann, "<1@x>", "one").await;
    tell("t2", ann, "<1@x>", "one").await;
    // Somebody who has overheard a signature.
    tell("t1", ann, "<2@x>", "forged").await;
    assert_eq!(world.texts().await, ["one"]);
    // Somebody who knows how ann's next mail will be called.
    tell("t3", "mallory@example.org", "<3@x>", "x").await;
    tell("t4", ann, "<3@x>", "three").await;
    assert_eq!(world.texts().await, ["one", "three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_events_come_in_one_request() {
    let world = World::new().await;
    let provider = world.provider(IntegrationKind::WhatsApp).await;
    world.link(&provider, Confirmation::UserActivity).await;
    let message = |id: &str, text: &str| json!({"from": "12025550123", "id": id, "type": "text", "text": {"body": text}});
    let own = json!({"phone_number_id": "1066"});
    let messages = json!([
        message("m1", "one"),
        message("m1", "one"),
        message("m2", "two")
    ]);
    let call = whatsapp(&provider, &json!({"metadata": own, "messages": messages}));
    world.call(call.request()).await.taken(provider.kind);
    assert_eq!(world.texts().await, ["one", "two"]);
    // Of another number of the account.
    let other = json!({"phone_number_id": "1067"});
    let call = whatsapp(
        &provider,
        &json!({"metadata": other, "messages": [message("m3", "three")]}),
    );
    world.call(call.request()).await.taken(provider.kind);
    assert_eq!(world.texts().await.len(), 2);
}
