//! What is sent to each provider, and what is made of its answers.

mod signatures;
mod told;

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{Channel, Content, Link, OutboundMethod, OutboundRequest, Persona};
use serde_json::{Value, json};

use super::{outgoing::masked, *};

pub(super) fn fields(kind: IntegrationKind) -> BTreeMap<String, String> {
    let pairs: &[(&str, &str)] = match kind {
        IntegrationKind::Mailgun => &[
            ("api_key", "key-1"),
            ("domain", "mail.example.org"),
            ("incoming_address", "in@mail.example.org"),
            ("signing_key", "sign-1"),
        ],
        IntegrationKind::Twilio => &[
            ("account_sid", "AC1"),
            ("auth_token", "12345"),
            ("phone_number", "+15550000000"),
        ],
        IntegrationKind::MessageBird => &[
            ("access_key", "live_1"),
            ("signing_key", "sign-2"),
            ("originator", "Throng"),
        ],
        IntegrationKind::WhatsApp => &[
            ("deployment_id", "d1"),
            ("phone_number_id", "1066"),
            ("token", "EAA1"),
            ("app_secret", "app-1"),
            ("verify_token", "word-1"),
        ],
        IntegrationKind::Custom => &[],
    };
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

pub(super) const HOOK: &str = "https://throng.test/hooks/x/token";

struct Item {
    kind: IntegrationKind,
    fields: BTreeMap<String, String>,
    to: &'static str,
    subject: &'static str,
    from: Persona,
    content: Content,
    hook_url: &'static str,
}

impl Item {
    fn of(kind: IntegrationKind, content: Content) -> Item {
        let mail = kind == IntegrationKind::Mailgun;
        Item {
            kind,
            fields: fields(kind),
            to: if mail {
                "ann@example.org"
            } else {
                "+15551230001"
            },
            subject: "New message from Acme",
            from: Persona::default(),
            content,
            hook_url: HOOK,
        }
    }

    fn without(mut self, names: &[&str]) -> Item {
        self.fields
            .retain(|name, _| !names.contains(&name.as_str()));
        self
    }

    fn with(mut self, name: &str, value: &str) -> Item {
        self.fields.insert(name.into(), value.into());
        self
    }

    fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            kind: self.kind,
            fields: &self.fields,
            to: self.to,
            subject: self.subject,
            from: &self.from,
            app_name: "Acme",
            content: &self.content,
            hook_url: self.hook_url,
            id: outgoing::item_id(1, 42),
        }
    }

    fn step(&self) -> Step {
        step(&self.outgoing(), &Bases::default())
    }

    fn request(&self) -> OutboundRequest {
        match self.step() {
            Step::Send(request) => request,
            other => panic!("is sent: {other:?}"),
        }
    }

    fn impossible(&self) -> ChannelError {
        match self.step() {
            Step::Impossible(error) => error,
            other => panic!("cannot be sent: {other:?}"),
        }
    }
}

fn text(text: &str) -> Content {
    Content::Text {
        text: text.into(),
        links: Vec::new(),
    }
}

fn linked() -> Content {
    let link = |text: &str, url: &str| Link {
        text: text.into(),
        url: url.into(),
    };
    Content::Text {
        text: "Hello!\nHow <are> you?".into(),
        links: vec![
            link("Our \"shop\"", "https://shop.example/?a=1&b=2"),
            link("", "https://x.example/"),
        ],
    }
}

fn image() -> Content {
    Content::Image {
        url: "https://x.example/cat.png".into(),
        alt: Some("A cat".into()),
        text: Some("Look".into()),
        links: Vec::new(),
    }
}

fn header<'a>(request: &'a OutboundRequest, name: &str) -> &'a str {
    let mut found = request.headers.iter().filter(|(known, _)| *known == name);
    let value = found.next().map_or("", |(_, value)| value.as_str());
    assert_eq!(found.next(), None, "{name} is there twice");
    value
}

fn form(request: &OutboundRequest) -> BTreeMap<String, String> {
    let kind = "application/x-www-form-urlencoded";
    assert_eq!(header(request, "content-type"), kind);
    let pairs: Vec<(String, String)> = form_urlencoded::parse(&request.body).into_owned().collect();
    let form: BTreeMap<String, String> = pairs.iter().cloned().collect();
    assert_eq!(form.len(), pairs.len(), "no field is there twice");
    form
}

fn body(request: &OutboundRequest) -> Value {
    assert_eq!(header(request, "content-type"), "application/json");
    serde_json::from_slice(&request.body).expect("JSON")
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

const ID: &str = "00000001110000000000002a";

#[test]
fn a_mail_goes_to_mailguns_messages() {
    let mut item = Item::of(IntegrationKind::Mailgun, linked());
    item.from.display_name = Some("Ann \"A\" \\ Ltd\r\nBcc: x@y.example".into());
    item.subject = "News from Acme\r\nX: y";
    let request = item.request();
    assert_eq!(request.method, OutboundMethod::Post);
    let url = "https://api.mailgun.net/v3/mail.example.org/messages";
    assert_eq!(request.url, url);
    assert_eq!(header(&request, "authorization"), basic("api", "key-1"));
    let form = form(&request);
    let of = |name: &str| form.get(name).map_or("", String::as_str);
    let from = "\"Ann \\\"A\\\" \\\\ Ltd  Bcc: x@y.example\" <in@mail.example.org>";
    assert_eq!(of("from"), from);
    assert_eq!(of("to"), "ann@example.org");
    assert_eq!(of("subject"), "News from Acme  X: y");
    assert_eq!(
        of("text"),
        "Hello!\nHow <are> you?\nOur \"shop\": https://shop.example/?a=1&b=2\nhttps://x.example/"
    );
    assert_eq!(
        of("html"),
        "<p>Hello!<br>How &lt;are&gt; you?</p>\
         <p><a href=\"https://shop.example/?a=1&amp;b=2\">Our &quot;shop&quot;</a></p>\
         <p><a href=\"https://x.example/\">https://x.example/</a></p>"
    );
    assert_eq!(of("v:throng-id"), ID);
    assert_eq!(of("h:Message-Id"), format!("<{ID}@mail.example.org>"));
    assert_eq!(of("h:Reply-To"), "in@mail.example.org");

    let plain = Item::of(IntegrationKind::Mailgun, image()).request();
    let form = self::form(&plain);
    assert_eq!(form["from"], "\"Acme\" <in@mail.example.org>");
    assert_eq!(form["subject"], "New message from Acme");
    assert_eq!(form["text"], "Look\nhttps://x.example/cat.png");
    let html = "<p><img src=\"https://x.example/cat.png\" alt=\"A cat\"></p><p>Look</p>";
    assert_eq!(form["html"], html);
}

#[test]
fn a_text_goes_to_twilios_messages() {
    let item = Item::of(IntegrationKind::Twilio, linked());
    let request = item.request();
    let url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json";
    assert_eq!((request.method, &*request.url), (OutboundMethod::Post, url));
    assert_eq!(header(&request, "authorization"), basic("AC1", "12345"));
    let form = form(&request);
    assert_eq!(form["To"], "+15551230001");
    assert_eq!(form["From"], "+15550000000");
    assert!(form["Body"].ends_with("?a=1&b=2\nhttps://x.example/"));
    assert_eq!(form["StatusCallback"], format!("{HOOK}?item={ID}"));
    assert_eq!(form.len(), 4);

    let item = Item::of(IntegrationKind::Twilio, image()).with("messaging_service_sid", "MG1");
    let form = self::form(&item.request());
    assert_eq!(form["MessagingServiceSid"], "MG1");
    assert_eq!(form["MediaUrl"], "https://x.example/cat.png");
    assert_eq!(form["Body"], "Look");
    assert!(!form.contains_key("From"));
}

#[test]
fn twilio_is_not_told_to_call_back_where_it_cannot() {
    for (url, told) in [
        ("http://127.0.0.1:8080/hooks/twilio/t", false),
        ("http://localhost/hooks/twilio/t", false),
        ("http://[::1]:8080/hooks/twilio/t", false),
        ("http://throng.test/hooks/twilio/t", true),
        ("https://throng.test:8443/hooks/twilio/t", true),
    ] {
        let mut item = Item::of(IntegrationKind::Twilio, text("Hi"));
        item.hook_url = url;
        let form = form(&item.request());
        assert_eq!(form.contains_key("StatusCallback"), told, "{url}");
    }
}

#[test]
fn a_number_that_is_known_by_its_sid_is_looked_up_first() {
    let item = Item::of(IntegrationKind::Twilio, text("Hi"));
    let item = item
        .without(&["phone_number"])
        .with("phone_number_sid", "PN1/x");
    let Step::LookUp { key, request } = item.step() else {
        panic!("is looked up");
    };
    assert_eq!(key, "AC1/PN1/x");
    let url = "https://api.twilio.com/2010-04-01/Accounts/AC1/IncomingPhoneNumbers/PN1%2Fx.json";
    assert_eq!((request.method, &*request.url), (OutboundMethod::Get, url));
    assert_eq!(header(&request, "authorization"), basic("AC1", "12345"));
    assert!(request.body.is_empty());

    let number = looked_up(answer(
        200,
        r#"{"phone_number": "+15550000009", "sid": "PN1"}"#,
    ));
    assert_eq!(number.as_deref(), Ok("+15550000009"));
    let sent = twilio::message(
        &item.outgoing(),
        &Bases::default(),
        ("From", "+15550000009"),
    );
    let Step::Send(sent) = sent else {
        panic!("is sent");
    };
    assert_eq!(form(&sent)["From"], "+15550000009");

    let failed = looked_up(answer(404, r#"{"code": 20404, "message": "not found"}"#));
    assert!(matches!(failed, Err(SendOutcome::Failed(error)) if error.code == "20404"));
    let again = looked_up(answer(503, "busy"));
    assert!(matches!(again, Err(SendOutcome::Again(_))));
    let again = looked_up(Err(OutboundError::TimedOut));
    assert!(matches!(again, Err(SendOutcome::Again(_))));
    let odd = looked_up(answer(200, "[]"));
    assert!(matches!(odd, Err(SendOutcome::Failed(error)) if error.code == "no_number"));
}

#[test]
fn a_text_goes_to_messagebirds_messages() {
    let request = Item::of(IntegrationKind::MessageBird, image()).request();
    assert_eq!(request.url, "https://rest.messagebird.com/messages");
    assert_eq!(header(&request, "authorization"), "AccessKey live_1");
    let expected = json!({
        "originator": "Throng", "recipients": ["15551230001"], "datacoding": "auto",
        "body": "Look\nhttps://x.example/cat.png", "reference": ID, "reportUrl": HOOK,
    });
    assert_eq!(body(&request), expected);
}

#[test]
fn messages_go_to_whatsapps_cloud_api() {
    let request = Item::of(IntegrationKind::WhatsApp, text("Hi")).request();
    let url = "https://graph.facebook.com/v23.0/1066/messages";
    assert_eq!((request.method, &*request.url), (OutboundMethod::Post, url));
    assert_eq!(header(&request, "authorization"), "Bearer EAA1");
    let around = |mut inner: Value| {
        inner["messaging_product"] = "whatsapp".into();
        inner["recipient_type"] = "individual".into();
        inner["to"] = "+15551230001".into();
        inner["biz_opaque_callback_data"] = ID.into();
        inner
    };
    let expected = json!({"type": "text", "text": {"preview_url": false, "body": "Hi"}});
    assert_eq!(body(&request), around(expected));

    let request = Item::of(IntegrationKind::WhatsApp, image()).request();
    let image = json!({"link": "https://x.example/cat.png", "caption": "Look"});
    let expected = json!({"type": "image", "image": image});
    assert_eq!(body(&request), around(expected));

    // The template is the caller's own, the recipient is not.
    let template = json!({"name": "hello", "language": {"code": "en"}});
    let native = |json: Value| Content::Native {
        channel: Channel::WhatsApp,
        json: json.to_string(),
    };
    let content = native(
        json!({"type": "template", "template": template, "to": "+1666",
        "messaging_product": "other", "biz_opaque_callback_data": "other", "recipient_type": "group"}),
    );
    let request = Item::of(IntegrationKind::WhatsApp, content).request();
    let expected = json!({"type": "template", "template": template});
    assert_eq!(body(&request), around(expected));
    for odd in [json!([]), json!({}), json!({"type": 1}), json!("type")] {
        let error = Item::of(IntegrationKind::WhatsApp, native(odd)).impossible();
        assert_eq!(error.code, "unsupported_content");
    }
}

#[test]
fn what_is_written_for_another_channel_is_not_sent() {
    let native = Content::Native {
        channel: Channel::WhatsApp,
        json: r#"{"type": "template"}"#.into(),
    };
    for kind in [
        IntegrationKind::Mailgun,
        IntegrationKind::Twilio,
        IntegrationKind::MessageBird,
    ] {
        let error = Item::of(kind, native.clone()).impossible();
        assert_eq!(error.code, "unsupported_content");
    }
    let error = Item::of(IntegrationKind::Custom, text("Hi")).impossible();
    assert_eq!(error.code, "no_channel");
}

#[test]
fn where_nothing_is_said_only_the_integration_is_asked_for() {
    for kind in [
        IntegrationKind::Mailgun,
        IntegrationKind::Twilio,
        IntegrationKind::MessageBird,
        IntegrationKind::WhatsApp,
    ] {
        let item = Item::of(kind, SILENCE.clone());
        assert_eq!(silent(item.step()), Step::Nothing);
        let bare = Item {
            fields: BTreeMap::new(),
            ..item
        };
        let Step::Impossible(error) = silent(bare.step()) else {
            panic!("{kind:?} lacks what it needs");
        };
        assert_eq!(error.code, "not_configured");
    }
}

#[test]
fn an_integration_that_lacks_something_says_what() {
    for (kind, names) in [
        (IntegrationKind::Mailgun, &["api_key"][..]),
        (IntegrationKind::Mailgun, &["domain", "incoming_address"]),
        (IntegrationKind::Twilio, &["account_sid"]),
        (IntegrationKind::Twilio, &["auth_token"]),
        (IntegrationKind::Twilio, &["phone_number"]),
        (IntegrationKind::MessageBird, &["access_key"]),
        (IntegrationKind::MessageBird, &["originator"]),
        (IntegrationKind::WhatsApp, &["phone_number_id", "token"]),
    ] {
        let error = Item::of(kind, text("Hi")).without(names).impossible();
        assert_eq!(error.code, "not_configured");
        for name in names {
            assert!(error.text.contains(name), "{}", error.text);
        }
        assert!(error.text.contains("throng channel set"), "{}", error.text);
    }
    let empty = Item::of(IntegrationKind::WhatsApp, text("Hi")).with("token", "");
    assert!(empty.impossible().text.contains("token"));
}

#[test]
fn nothing_of_an_integration_leads_to_another_path() {
    let item = Item::of(IntegrationKind::Mailgun, text("Hi")).with("domain", "../x?y#z");
    let url = item.request().url;
    assert!(
        url.starts_with("https://api.mailgun.net/v3/..%2Fx%3Fy%23z/"),
        "{url}"
    );
    let item = Item::of(IntegrationKind::WhatsApp, text("Hi")).with("phone_number_id", "1/../me");
    let url = item.request().url;
    assert!(url.ends_with("/1%2F..%2Fme/messages"), "{url}");
}

fn answer(status: u16, body: &str) -> Result<OutboundAnswer, OutboundError> {
    Ok(OutboundAnswer {
        status,
        headers: Vec::new(),
        body: body.as_bytes().to_vec(),
    })
}

#[test]
fn what_is_taken_has_the_providers_id() {
    for (kind, status, body, id) in [
        (
            IntegrationKind::Mailgun,
            200,
            r#"{"id": "<a@b>", "message": "Queued. Thank you."}"#,
            Some("<a@b>"),
        ),
        (
            IntegrationKind::Twilio,
            201,
            r#"{"sid": "SM1", "status": "queued", "error_code": null}"#,
            Some("SM1"),
        ),
        (
            IntegrationKind::MessageBird,
            201,
            r#"{"id": "e80", "recipients": {"totalSentCount": 1}}"#,
            Some("e80"),
        ),
        (
            IntegrationKind::WhatsApp,
            200,
            r#"{"messaging_product": "whatsapp", "contacts": [], "messages": [{"id": "wamid.1"}]}"#,
            Some("wamid.1"),
        ),
        // It was taken, whatever else it says.
        (IntegrationKind::Mailgun, 200, "ok", None),
        (IntegrationKind::WhatsApp, 200, "{}", None),
    ] {
        let provider_id = id.map(str::to_owned);
        let expected = SendOutcome::Accepted { provider_id };
        assert_eq!(judged(kind, answer(status, body)), expected);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    Again,
    Failed,
    Blocked,
}

fn end(outcome: SendOutcome) -> (End, ChannelError) {
    match outcome {
        SendOutcome::Again(error) => (End::Again, error),
        SendOutcome::Failed(error) => (End::Failed, error),
        SendOutcome::Blocked(error) => (End::Blocked, error),
        other => panic!("was not taken: {other:?}"),
    }
}

#[test]
fn what_is_not_taken_is_tried_again_given_up_or_blocked() {
    use IntegrationKind::{Mailgun, MessageBird, Twilio, WhatsApp};
    for (kind, status, body, expected, code) in [
        (Mailgun, 401, "Forbidden", End::Failed, "http_401"),
        (
            Mailgun,
            400,
            r#"{"message": "to parameter is not a valid address"}"#,
            End::Failed,
            "http_400",
        ),
        (Mailgun, 402, "", End::Failed, "http_402"),
        (
            Mailgun,
            429,
            r#"{"message": "slow down"}"#,
            End::Again,
            "http_429",
        ),
        (Mailgun, 500, "", End::Again, "http_500"),
        (
            Mailgun,
            400,
            r#"{"message": "recipient is suppressed"}"#,
            End::Blocked,
            "http_400",
        ),
        (Mailgun, 302, "", End::Failed, "http_302"),
        (
            Twilio,
            400,
            r#"{"code": 21211, "message": "Invalid 'To' Phone Number", "status": 400}"#,
            End::Failed,
            "21211",
        ),
        (
            Twilio,
            400,
            r#"{"code": 21610, "message": "unsubscribed recipient", "status": 400}"#,
            End::Blocked,
            "21610",
        ),
        (
            Twilio,
            400,
            r#"{"code": 21611, "message": "queue full", "status": 400}"#,
            End::Again,
            "21611",
        ),
        (
            Twilio,
            429,
            r#"{"code": 20429, "message": "Too Many Requests", "status": 429}"#,
            End::Again,
            "20429",
        ),
        (
            Twilio,
            401,
            r#"{"code": 20003, "message": "Authenticate", "status": 401}"#,
            End::Failed,
            "20003",
        ),
        (Twilio, 503, "<html>", End::Again, "http_503"),
        (
            MessageBird,
            422,
            r#"{"errors": [{"code": 9, "description": "no (correct) recipients found", "parameter": "recipient"}]}"#,
            End::Failed,
            "9",
        ),
        (
            MessageBird,
            401,
            r#"{"errors": [{"code": 2, "description": "Request not allowed (incorrect access_key)"}]}"#,
            End::Failed,
            "2",
        ),
        (
            MessageBird,
            402,
            r#"{"errors": [{"code": 25, "description": "Not enough balance"}]}"#,
            End::Failed,
            "25",
        ),
        (
            MessageBird,
            429,
            r#"{"errors": [{"code": 21, "description": "slow down"}]}"#,
            End::Again,
            "21",
        ),
        (
            MessageBird,
            500,
            r#"{"errors": [{"code": 99, "description": "internal error"}]}"#,
            End::Again,
            "99",
        ),
        (MessageBird, 408, "", End::Again, "http_408"),
        (
            WhatsApp,
            400,
            r#"{"error": {"message": "(#131026) Message undeliverable", "code": 131026}}"#,
            End::Failed,
            "131026",
        ),
        (
            WhatsApp,
            400,
            r#"{"error": {"message": "(#131056) Pair rate limit hit", "code": 131056}}"#,
            End::Again,
            "131056",
        ),
        (
            WhatsApp,
            400,
            r#"{"error": {"message": "(#130429) Rate limit hit", "code": 130429}}"#,
            End::Again,
            "130429",
        ),
        (
            WhatsApp,
            401,
            r#"{"error": {"message": "Error validating access token", "code": 190}}"#,
            End::Failed,
            "190",
        ),
        (
            WhatsApp,
            400,
            r#"{"error": {"message": "User stopped marketing messages", "code": 131050}}"#,
            End::Blocked,
            "131050",
        ),
        (
            WhatsApp,
            400,
            r#"{"error": {"message": "odd", "code": 5, "is_transient": true}}"#,
            End::Again,
            "5",
        ),
        (
            WhatsApp,
            500,
            r#"{"error": {"message": "odd", "code": 131031}}"#,
            End::Again,
            "131031",
        ),
        (WhatsApp, 404, "no such thing", End::Failed, "http_404"),
    ] {
        let (end, error) = end(judged(kind, answer(status, body)));
        assert_eq!(
            (end, error.code.as_str()),
            (expected, code),
            "{kind:?} {body}"
        );
        assert!(!error.text.is_empty());
    }
}

#[test]
fn without_an_answer_it_is_tried_again_unless_it_may_not_be_reached() {
    for kind in IntegrationKind::ALL {
        let unreachable = OutboundError::Unreachable("refused by db.intra".into());
        for (error, code) in [
            (unreachable, "unreachable"),
            (OutboundError::TimedOut, "timed_out"),
            (OutboundError::TooLarge, "too_large"),
        ] {
            let (end, error) = end(judged(kind, Err(error)));
            assert_eq!((end, error.code.as_str()), (End::Again, code));
            assert!(!error.text.contains("intra"));
        }
        let refused = OutboundError::Refused("10.0.0.1 is private".into());
        let (end, error) = end(judged(kind, Err(refused)));
        assert_eq!((end, error.code.as_str()), (End::Failed, "not_allowed"));
        assert!(!error.text.contains("10.0.0.1") && error.text.contains("outbound.allow"));
    }
}

#[test]
fn what_a_provider_says_is_kept_without_the_person() {
    let said = r#"{"code": 21211, "message": "The 'To' number +1 (555) 123-0001 is not a valid phone number."}"#;
    let (_, error) = end(judged(IntegrationKind::Twilio, answer(400, said)));
    assert_eq!(
        error.text,
        "The 'To' number *** is not a valid phone number."
    );
    for (text, kept) in [
        ("to=ann@example.org, code 550", "to=***, code 550"),
        ("<Ann@Example.org>: no", "<***>: no"),
        (
            "at https://x.example/?to=ann%40example.org&a=1",
            "at https://x.example/?to=***&a=1",
        ),
        ("+15551230001", "***"),
        ("15551230001 is 131026 (#131026)", "*** is 131026 (#131026)"),
        ("%2B15551230001", "%2B***"),
        ("555.123.0001 and 07 911 123456", "*** and ***"),
        ("1 + 1 is 2 in 2026-11", "1 + 1 is 2 in 2026-11"),
        ("a\r\nb\u{0}", "a  b"),
        ("Grüße an Ünal: 12", "Grüße an Ünal: 12"),
        ("", ""),
    ] {
        assert_eq!(masked(text), kept);
    }
    assert_eq!(masked(&"x".repeat(5_000)).len(), 300);
}
