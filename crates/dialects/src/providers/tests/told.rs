//! What is made of what providers tell, once it is believed.

use super::{
    signatures::{Raw, hook},
    *,
};
use crate::limits;
use domain::InboundEvent;

async fn told_to(hook: &Hook, raw: &Raw) -> Result<Vec<Inbound>, Malformed> {
    raw.read(|request| events(hook, request)).await?
}

async fn told(kind: IntegrationKind, raw: &Raw) -> Vec<Inbound> {
    told_to(&hook(kind), raw).await.expect("is understood")
}

async fn one(kind: IntegrationKind, raw: &Raw) -> Inbound {
    let mut all = told(kind, raw).await;
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// Whether only the token is to be remembered.
fn is_nothing(inbound: &Inbound) -> bool {
    inbound.event == InboundEvent::Nothing && !inbound.id.is_empty()
}

/// Sender, name and text of a message.
fn message(inbound: &Inbound) -> (&str, Option<&str>, &str) {
    match &inbound.event {
        InboundEvent::Message {
            from,
            name,
            content: Content::Text { text, links },
            ..
        } if links.is_empty() => (from, name.as_deref(), text),
        other => panic!("a text: {other:?}"),
    }
}

fn failed(inbound: &Inbound) -> (i64, &str, &str) {
    match &inbound.event {
        InboundEvent::Failed { item, error } => (*item, &error.code, &error.text),
        other => panic!("a failure: {other:?}"),
    }
}

fn mail<'a>(more: &[(&'a str, &'a str)]) -> Raw {
    let mut pairs = vec![
        ("recipient", "in@mail.example.org"),
        ("sender", "bounce+ann=example.org@relay.example"),
        ("from", "\"Ann, \\\"A\\\"\" <ann@example.org>"),
        ("subject", "Re: Hello"),
        ("body-plain", "yes\n\n> Is this you?"),
        ("stripped-text", " yes\n"),
        ("timestamp", "1"),
        ("token", "c0ffee"),
        ("signature", "x"),
    ];
    for (name, value) in more {
        pairs.retain(|(known, _)| known != name);
        pairs.push((name, value));
    }
    Raw::form(&pairs)
}

#[tokio::test]
async fn a_mail_is_what_its_writer_added() {
    let kind = IntegrationKind::Mailgun;
    let inbound = one(kind, &mail(&[])).await;
    assert_eq!(inbound.id, "c0ffee");
    let expected = ("ann@example.org", Some("Ann, \"A\""), "yes");
    assert_eq!(message(&inbound), expected);
    let InboundEvent::Message { raw: Some(raw), .. } = &inbound.event else {
        panic!("has what Mailgun says of them");
    };
    let raw: Value = serde_json::from_str(raw).expect("JSON");
    assert_eq!(raw, json!({"from": "\"Ann, \\\"A\\\"\" <ann@example.org>"}));

    // Its own id too, of which there is one however it is written.
    let headers = r#"[["Message-Id", "<a\n b@x>"]]"#;
    for named in [("Message-Id", "<A  B@x>"), ("message-headers", headers)] {
        let id = one(kind, &mail(&[named])).await.id;
        assert_eq!(id, "c0ffee\nann@example.org <a  b@x>");
    }

    let whole = one(kind, &mail(&[("stripped-text", " ")])).await;
    assert_eq!(message(&whole).2, "yes\n\n> Is this you?");
    let subject = mail(&[("stripped-text", ""), ("body-plain", "")]);
    assert_eq!(message(&one(kind, &subject).await).2, "Re: Hello");
    let bare = one(kind, &mail(&[("from", "ann@example.org")])).await;
    assert_eq!(message(&bare).0, "ann@example.org");
    assert_eq!(message(&bare).1, None);
    let long = "x".repeat(10_000);
    let long = one(kind, &mail(&[("stripped-text", &long)])).await;
    assert_eq!(message(&long).2.len(), domain::limits::MESSAGE_CHARS_MAX);
}

#[tokio::test]
async fn a_mail_with_files_is_read_without_them() {
    let mut raw = mail(&[]);
    raw.headers = vec![("content-type", "multipart/form-data; boundary=B".into())];
    let part = |head: &str, body: &str| {
        format!("--B\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n")
    };
    let body = [
        part("name=\"from\"", "Ann <ann@example.org>"),
        part("name=\"stripped-text\"", "ja, gerne ü"),
        part(
            "name=\"attachment-1\"; filename=\"token.txt\"\r\nContent-Type: text/plain",
            "x",
        ),
        part("name=\"token\"", "c0ffee"),
    ]
    .concat();
    raw.body = format!("{body}--B--\r\n").into_bytes();
    let inbound = one(IntegrationKind::Mailgun, &raw).await;
    assert_eq!(inbound.id, "c0ffee");
    assert_eq!(
        message(&inbound),
        ("ann@example.org", Some("Ann"), "ja, gerne ü")
    );
    // Cut off, and without a boundary.
    for (kind, body) in [
        ("multipart/form-data; boundary=B", body.as_str()),
        ("multipart/form-data", body.as_str()),
        ("multipart/form-data; boundary=B", "nothing"),
    ] {
        raw.headers = vec![("content-type", kind.into())];
        raw.body = body.as_bytes().to_vec();
        let read = told_to(&hook(IntegrationKind::Mailgun), &raw).await;
        assert!(read.is_err(), "{kind}");
    }
}

#[tokio::test]
async fn fields_are_counted() {
    let fields = vec![("a", "b"); limits::HOOK_FIELDS_MAX + 1];
    let many = Raw::form(&fields).read(|_| ()).await;
    assert_eq!(many, Err(Malformed("too many fields")));
    let most = Raw::form(&fields[1..]).read(|_| ()).await;
    assert_eq!(most, Ok(()));
    let mut raw = Raw::form(&[]);
    raw.headers = vec![("content-type", "multipart/form-data; boundary=B".into())];
    let part = "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n";
    raw.body = format!("{}--B--\r\n", part.repeat(limits::HOOK_FIELDS_MAX + 1)).into_bytes();
    assert_eq!(raw.read(|_| ()).await, Err(Malformed("too many fields")));
}

#[tokio::test]
async fn what_machines_write_confirms_nothing() {
    let kind = IntegrationKind::Mailgun;
    for (name, value) in [
        ("Auto-Submitted", "auto-replied"),
        (
            "message-headers",
            r#"[["Subject", "x"], ["auto-submitted", "auto-generated"]]"#,
        ),
        ("Precedence", "bulk"),
        ("X-Autoreply", "yes"),
    ] {
        let found = one(kind, &mail(&[(name, value)])).await;
        assert!(is_nothing(&found), "{name}");
    }
    for (name, value) in [
        ("Auto-Submitted", "no"),
        ("message-headers", r#"[["Subject", "auto-submitted"]]"#),
        ("message-headers", "nonsense"),
        ("Precedence", "first-class"),
    ] {
        let found = one(kind, &mail(&[(name, value)])).await;
        assert!(!is_nothing(&found), "{name}");
    }
    let checked = |spf, dkim| {
        mail(&[
            ("X-Mailgun-Spf", spf),
            ("X-Mailgun-Dkim-Check-Result", dkim),
        ])
    };
    for (spf, dkim, believed) in [
        ("Pass", "Fail", true),
        ("Fail", "Pass", true),
        ("Neutral", "Fail", true),
        ("Fail", "Fail", false),
        ("SoftFail", "Fail", false),
    ] {
        let found = one(kind, &checked(spf, dkim)).await;
        assert_eq!(!is_nothing(&found), believed, "{spf} {dkim}");
    }
    let forged = mail(&[("X-Mailgun-Spf", "Fail")]);
    assert!(is_nothing(&one(kind, &forged).await));
}

#[tokio::test]
async fn a_mail_that_says_too_little_is_refused() {
    let hook = hook(IntegrationKind::Mailgun);
    let empty = mail(&[("stripped-text", ""), ("body-plain", ""), ("subject", "")]);
    for raw in [
        Raw::form(&[("from", "ann@example.org"), ("body-plain", "yes")]),
        Raw::form(&[("token", "t"), ("body-plain", "yes")]),
        empty,
        Raw::json(&json!({"signature": {"timestamp": "1", "token": "t", "signature": "s"}})),
        Raw::json(&json!([])),
    ] {
        assert!(told_to(&hook, &raw).await.is_err());
    }
}

fn event(data: Value) -> Raw {
    let signature = json!({"timestamp": "1", "token": "t0", "signature": "s"});
    Raw::json(&json!({"signature": signature, "event-data": data}))
}

#[tokio::test]
async fn a_mail_that_bounced_fails_its_item() {
    let kind = IntegrationKind::Mailgun;
    let data = json!({"event": "failed", "severity": "permanent", "reason": "bounce", "recipient": "ann@example.org",
        "delivery-status": {"code": 550, "message": "5.1.1 <ann@example.org> unknown", "description": ""},
        "user-variables": {"throng-id": ID}});
    let inbound = one(kind, &event(data.clone())).await;
    assert_eq!(inbound.id, "t0");
    assert_eq!(failed(&inbound), (42, "550", "5.1.1 <***> unknown"));

    let with = |name: &str, value: Value| {
        let mut data = data.clone();
        data[name] = value;
        event(data)
    };
    // Of no item, of one of another workspace, not for good, or nothing of interest.
    for (name, value) in [
        ("user-variables", json!({})),
        ("user-variables", json!([])),
        (
            "user-variables",
            json!({"throng-id": "00000002110000000000002a"}),
        ),
        (
            "user-variables",
            json!({"throng-id": "00000001010000000000002a"}),
        ),
        ("severity", json!("temporary")),
        ("event", json!("delivered")),
        ("event", json!("opened")),
    ] {
        let found = one(kind, &with(name, value.clone())).await;
        assert!(is_nothing(&found), "{name} {value}");
    }
    let both = told(kind, &with("reason", json!("suppress-unsubscribe"))).await;
    assert_eq!(failed(&both[0]).0, 42);
    let out = InboundEvent::OptedOut {
        from: "ann@example.org".into(),
    };
    assert!(both[1].event == out && both[1].id != both[0].id);

    let rejected = json!({"event": "rejected", "reject": {"reason": "Sandbox", "description": ""},
        "user-variables": {"throng-id": ID}});
    assert_eq!(
        failed(&one(kind, &event(rejected)).await),
        (42, "rejected", "Sandbox")
    );
    for word in ["unsubscribed", "complained"] {
        let data = json!({"event": word, "recipient": "ann@example.org"});
        assert!(one(kind, &event(data)).await.event == out);
    }
}

fn sms<'a>(more: &[(&'a str, &'a str)]) -> Raw {
    let mut pairs = vec![
        ("MessageSid", "SM1"),
        ("From", "+15551230001"),
        ("To", "+15550000000"),
        ("Body", "Yes"),
        ("NumMedia", "0"),
        ("FromCountry", "US"),
        ("FromCity", ""),
    ];
    for (name, value) in more {
        pairs.retain(|(known, _)| known != name);
        pairs.push((name, value));
    }
    Raw::form(&pairs)
}

#[tokio::test]
async fn twilio_tells_of_texts_and_stops() {
    let kind = IntegrationKind::Twilio;
    let inbound = one(kind, &sms(&[])).await;
    assert_eq!(inbound.id, "SM1");
    assert_eq!(message(&inbound), ("+15551230001", None, "Yes"));
    let InboundEvent::Message { raw, .. } = &inbound.event else {
        panic!("a message");
    };
    assert_eq!(raw.as_deref(), Some(r#"{"FromCountry":"US"}"#));

    let from = || "+15551230001".to_owned();
    let out = one(kind, &sms(&[("OptOutType", "STOP")])).await;
    assert!(out.event == InboundEvent::OptedOut { from: from() } && out.id == "SM1");
    let back = one(kind, &sms(&[("OptOutType", "START")])).await;
    assert!(back.event == InboundEvent::OptedIn { from: from() });
    let help = one(kind, &sms(&[("OptOutType", "HELP"), ("Body", "HELP")])).await;
    assert_eq!(message(&help).2, "HELP");

    let media = |kind| {
        sms(&[
            ("Body", ""),
            ("MediaUrl0", "https://x.example/1"),
            ("MediaContentType0", kind),
        ])
    };
    let InboundEvent::Message { content, .. } = one(kind, &media("image/png")).await.event else {
        panic!("a message");
    };
    let image = Content::Image {
        url: "https://x.example/1".into(),
        alt: None,
        text: None,
        links: Vec::new(),
    };
    assert!(content == image);
    assert_eq!(
        message(&one(kind, &media("audio/ogg")).await).2,
        "[audio/ogg]"
    );

    let get = Raw::get("MessageSid=SM2&From=%2B15551230001&Body=yes+please");
    assert_eq!(
        message(&one(kind, &get).await),
        ("+15551230001", None, "yes please")
    );
    // What stands in the query of a POST is not what was sent.
    let post = Raw::form(&[("MessageSid", "SM2")]).query("From=%2B1&Body=yes");
    assert!(told_to(&hook(kind), &post).await.is_err());
    assert!(
        told_to(&hook(kind), &Raw::form(&[("From", "+1")]))
            .await
            .is_err()
    );
    assert!(
        told_to(&hook(kind), &Raw::json(&json!({"MessageSid": "SM1"})))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn twilio_tells_what_became_of_an_item() {
    let kind = IntegrationKind::Twilio;
    let query = format!("item={ID}");
    let status = |status: &'static str, code: &'static str| {
        Raw::form(&[
            ("MessageSid", "SM9"),
            ("MessageStatus", status),
            ("ErrorCode", code),
            ("To", "+15551230001"),
        ])
        .query(&query)
    };
    let undelivered = one(kind, &status("undelivered", "30003")).await;
    assert_eq!(undelivered.id, "SM9:undelivered");
    assert_eq!(
        (failed(&undelivered).0, failed(&undelivered).1),
        (42, "30003")
    );
    assert_eq!(failed(&one(kind, &status("failed", "")).await).1, "failed");
    for word in ["queued", "sending", "sent", "delivered", "read"] {
        assert!(told(kind, &status(word, "")).await.is_empty(), "{word}");
    }
    let both = told(kind, &status("failed", "21610")).await;
    assert_eq!(failed(&both[0]).0, 42);
    assert!(
        both[1].event
            == InboundEvent::OptedOut {
                from: "+15551230001".into()
            }
    );
    let nobodys = status("failed", "30003").query("item=x");
    assert!(told(kind, &nobodys).await.is_empty());
}

#[tokio::test]
async fn messagebird_tells_in_three_ways() {
    let kind = IntegrationKind::MessageBird;
    let form = [
        ("id", "e80"),
        ("recipient", "1555"),
        ("originator", "15551230001"),
        ("body", "Yes"),
    ];
    let query = "id=e80&recipient=1555&originator=15551230001&body=Yes";
    let json =
        json!({"id": "e80", "recipient": "1555", "originator": 15_551_230_001_i64, "body": "Yes"});
    for raw in [Raw::form(&form), Raw::get(query), Raw::json(&json)] {
        let inbound = one(kind, &raw).await;
        assert_eq!(inbound.id, "e80");
        assert_eq!(message(&inbound), ("+15551230001", None, "Yes"));
    }
    let report = |status: &str| {
        Raw::get(&format!(
            "id=e81&reference={ID}&recipient=15551230001&status={status}&statusReason=unknown+subscriber&statusErrorCode=1"
        ))
    };
    let inbound = one(kind, &report("delivery_failed")).await;
    assert_eq!(inbound.id, "e81:delivery_failed");
    assert_eq!(failed(&inbound), (42, "1", "unknown subscriber"));
    for word in ["scheduled", "sent", "buffered", "delivered"] {
        assert!(told(kind, &report(word)).await.is_empty(), "{word}");
    }
    for wrong in [
        Raw::form(&[("originator", "1"), ("body", "x")]),
        Raw::form(&[("id", "1"), ("body", "x")]),
        Raw::form(&[("id", "1"), ("originator", "1")]),
        Raw {
            body: b"{".to_vec(),
            ..Raw::json(&json)
        },
    ] {
        assert!(told_to(&hook(kind), &wrong).await.is_err());
    }
}

fn meta(value: Value) -> Raw {
    Raw::json(&json!({"object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"value": value, "field": "messages"}]}]}))
}

fn whatsapp_message(mut message: Value) -> Raw {
    message["from"] = "15551230001".into();
    message["id"] = "wamid.1".into();
    meta(
        json!({"messaging_product": "whatsapp", "metadata": {"display_phone_number": "1", "phone_number_id": "1066"},
        "contacts": [{"profile": {"name": "Bo"}, "wa_id": "1"}, {"profile": {"name": "Ann"}, "wa_id": "15551230001"}],
        "messages": [message]}),
    )
}

#[tokio::test]
async fn whatsapp_tells_of_messages_of_every_kind() {
    let kind = IntegrationKind::WhatsApp;
    for (said, text) in [
        (json!({"type": "text", "text": {"body": "Yes"}}), "Yes"),
        (
            json!({"type": "button", "button": {"payload": "1", "text": "Yes"}}),
            "Yes",
        ),
        (
            json!({"type": "interactive", "interactive": {"type": "button_reply", "button_reply": {"id": "1", "title": "Yes"}}}),
            "Yes",
        ),
        (
            json!({"type": "interactive", "interactive": {"type": "list_reply", "list_reply": {"id": "1", "title": "No"}}}),
            "No",
        ),
        (
            json!({"type": "image", "image": {"id": "1", "caption": "Look"}}),
            "Look",
        ),
        (json!({"type": "image", "image": {"id": "1"}}), "[image]"),
        (
            json!({"type": "location", "location": {"latitude": 1}}),
            "[location]",
        ),
    ] {
        let inbound = one(kind, &whatsapp_message(said)).await;
        assert_eq!(inbound.id, "wamid.1");
        assert_eq!(message(&inbound), ("+15551230001", Some("Ann"), text));
        let InboundEvent::Message { raw: Some(raw), .. } = &inbound.event else {
            panic!("has what WhatsApp says of them");
        };
        let raw: Value = serde_json::from_str(raw).expect("JSON");
        assert_eq!(
            raw,
            json!({"profile": {"name": "Ann"}, "wa_id": "15551230001"})
        );
    }
    for nothing in [
        json!({"type": "system", "system": {"body": "changed"}}),
        json!({"type": "text"}),
        json!({"text": {"body": "x"}}),
    ] {
        assert!(told(kind, &whatsapp_message(nothing)).await.is_empty());
    }
    // Of another number of the account.
    let mut hook = hook(kind);
    let raw = whatsapp_message(json!({"type": "text", "text": {"body": "Yes"}}));
    hook.fields.insert("phone_number_id".into(), "1067".into());
    assert_eq!(told_to(&hook, &raw).await.map(|all| all.len()), Ok(0));
    hook.fields.remove("phone_number_id");
    assert_eq!(told_to(&hook, &raw).await.map(|all| all.len()), Ok(1));
}

#[tokio::test]
async fn whatsapp_tells_of_failures_and_preferences() {
    let kind = IntegrationKind::WhatsApp;
    let status = |word: &str, id: &str| {
        json!({"id": "wamid.9", "status": word, "recipient_id": "15551230001", "biz_opaque_callback_data": id,
            "errors": [{"code": 131026, "title": "Message undeliverable", "error_data": {"details": "to +15551230001"}}]})
    };
    let raw = meta(
        json!({"statuses": [status("sent", ID), status("failed", ID), status("failed", "x")]}),
    );
    let inbound = one(kind, &raw).await;
    assert_eq!(inbound.id, "wamid.9:failed");
    assert_eq!(failed(&inbound), (42, "131026", "to ***"));
    let bare = json!({"id": "wamid.9", "status": "failed", "biz_opaque_callback_data": ID});
    let bare = one(kind, &meta(json!({"statuses": [bare]}))).await;
    assert_eq!(failed(&bare).1, "failed");

    let wants = |word: &str| json!({"wa_id": "15551230001", "category": "marketing_messages", "value": word, "timestamp": 1});
    let all = ["stop", "resume", "x"].map(wants);
    let all = told(kind, &meta(json!({"user_preferences": all}))).await;
    let from = || "+15551230001".to_owned();
    assert_eq!(all.len(), 2);
    assert!(all[0].event == InboundEvent::OptedOut { from: from() });
    assert!(all[1].event == InboundEvent::OptedIn { from: from() });
    assert_ne!(all[0].id, all[1].id);

    for empty in [
        json!({}),
        json!({"entry": []}),
        json!({"entry": [{"changes": [{"field": "x"}]}]}),
    ] {
        assert!(told(kind, &Raw::json(&empty)).await.is_empty());
    }
    // Something new beside what is known.
    let raw = meta(
        json!({"statuses": [{}, 1, status("failed", ID)], "user_preferences": [{}], "messages": [1, {}]}),
    );
    assert_eq!(failed(&one(kind, &raw).await).0, 42);
    for wrong in [json!("x"), json!({"entry": 1})] {
        assert!(
            told_to(&hook(kind), &Raw::json(&wrong)).await.is_err(),
            "{wrong}"
        );
    }
}
