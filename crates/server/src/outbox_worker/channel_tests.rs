//! Messages on channels against a provider in this process, over real connections and through the client with the rules.
//! What the providers themselves make of the requests is told by the suite that runs stand-ins of theirs.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header::AUTHORIZATION},
    serve::ListenerExt,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use dialects::providers::Bases;
use domain::{
    Caller, ClientNew, ClientStatus, Confirmation, Content, Context, ConversationKind,
    ConversationNew, CursorQuery, DialectId, IdKind, IntegrationKind, IntegrationNew, Persona,
    RecordNew, RecordRef,
};
use tokio::{net::TcpListener, sync::Notify};

use super::{
    tests::{House, house_with},
    *,
};
use crate::{address::Allowed, outbound::HttpClient};

const SOURCE: &str = "people";

/// A request as it arrived.
#[derive(Debug, Clone)]
struct Heard {
    path: String,
    authorization: String,
    body: String,
}

/// Answers by what the message says; speaks for all four.
#[derive(Debug, Default)]
struct Provider {
    heard: Mutex<Vec<Heard>>,
    changed: Notify,
    connections: Mutex<usize>,
    /// Requests being answered, and the most of them at once.
    at_once: Mutex<(usize, usize)>,
}

impl Provider {
    async fn start() -> (Arc<Provider>, Bases) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let provider = Arc::new(Provider::default());
        let counted = Arc::clone(&provider);
        let listener = listener.tap_io(move |_| {
            *counted.connections.lock().expect("not poisoned") += 1;
        });
        let app = Router::new()
            .fallback(answer)
            .with_state(Arc::clone(&provider));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let bases = Bases {
            mailgun: url.clone(),
            twilio: url.clone(),
            messagebird: url.clone(),
            whatsapp: format!("{url}/v23.0"),
        };
        (provider, bases)
    }

    fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("not poisoned").clone()
    }

    async fn hears(&self, times: usize) -> Vec<Heard> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on nothing that is said is missed.
            changed.as_mut().enable();
            let heard = self.heard();
            if heard.len() >= times {
                return heard;
            }
            changed.await;
        }
    }
}

async fn answer(
    State(provider): State<Arc<Provider>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, &'static str) {
    let authorization = headers.get(AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    let one = Heard {
        path: format!("{method} {}", uri.path()),
        authorization: authorization.unwrap_or_default().to_owned(),
        body: String::from_utf8(body.to_vec()).expect("text"),
    };
    {
        let mut at_once = provider.at_once.lock().expect("not poisoned");
        at_once.0 += 1;
        at_once.1 = at_once.1.max(at_once.0);
    }
    let before = {
        let mut heard = provider.heard.lock().expect("not poisoned");
        let before = heard.iter().filter(|known| known.body == one.body).count();
        heard.push(one.clone());
        before
    };
    provider.changed.notify_waiters();
    // A provider takes a moment.
    tokio::task::yield_now().await;
    let says = |word: &str| one.body.contains(word);
    let answer = if says("stall") {
        std::future::pending().await
    } else if says("flaky") && before == 0 {
        (StatusCode::SERVICE_UNAVAILABLE, "busy")
    } else if says("wrong") {
        let text = r#"{"code": 21211, "message": "The 'To' number +12025550100 is not valid.", "status": 400}"#;
        (StatusCode::BAD_REQUEST, text)
    } else if says("blocked") {
        let text = r#"{"code": 21610, "message": "unsubscribed recipient", "status": 400}"#;
        (StatusCode::BAD_REQUEST, text)
    } else if one.path.contains("IncomingPhoneNumbers") {
        (
            StatusCode::OK,
            r#"{"sid": "PN1", "phone_number": "+15005550009"}"#,
        )
    } else {
        (
            StatusCode::OK,
            r#"{"id": "x", "sid": "x", "messages": [{"id": "x"}]}"#,
        )
    };
    provider.at_once.lock().expect("not poisoned").0 -= 1;
    answer
}

/// A house with somebody in it, whose operator allows this machine.
struct Scene {
    house: House,
    conversation: i64,
}

fn context(request: &str) -> Context {
    Context::new(Caller::server(1), request)
}

fn ann() -> RecordRef {
    RecordRef::Reference("ann".into())
}

async fn scene() -> Scene {
    scene_with(Allowed::loopback()).await
}

async fn scene_with(allowed: Allowed) -> Scene {
    let house = house_with(Arc::new(HttpClient::new(allowed))).await;
    let new = RecordNew {
        reference: Some("ann".into()),
        active: true,
        profile: "{}".into(),
        ..RecordNew::default()
    };
    let domain = &house.domain;
    let made = domain.record_create(&context("ann"), SOURCE, new).await;
    made.expect("a record");
    let new = ConversationNew {
        kind: ConversationKind::Personal,
        display_name: None,
        description: None,
        icon_url: None,
        metadata: String::new(),
        participants: vec![(ann(), false)],
    };
    let made = domain
        .conversation_create(&context("talk"), SOURCE, new)
        .await;
    let conversation = made.expect("a conversation").id;
    Scene {
        house,
        conversation,
    }
}

impl Scene {
    async fn integration(&self, kind: IntegrationKind, fields: &[(&str, &str)]) -> i64 {
        let fields = fields.iter();
        let fields: BTreeMap<String, String> = fields
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let new = IntegrationNew {
            kind,
            display_name: None,
            fields,
            webhooks: Vec::new(),
        };
        let made = self
            .house
            .domain
            .integration_create(&context("integration"), new)
            .await;
        made.expect("an integration").0.id
    }

    async fn twilio(&self) -> i64 {
        let fields = [
            ("account_sid", "AC1"),
            ("auth_token", "t1"),
            ("phone_number", "+15005550000"),
            ("phone_number_sid", "PN1"),
        ];
        self.integration(IntegrationKind::Twilio, &fields).await
    }

    /// Links an address without asking; answers the item that this queues.
    async fn link(
        &self,
        (kind, integration): (IntegrationKind, i64),
        address: &str,
        text: Option<&str>,
    ) -> i64 {
        let message = text.map(|text| {
            let text = text.to_owned();
            let links = Vec::new();
            (Persona::default(), Content::Text { text, links })
        });
        let new = ClientNew {
            kind,
            integration,
            address: address.into(),
            subject: None,
            primary: true,
            confirmation: Confirmation::Immediate,
            message,
            conversation: self.conversation,
        };
        let domain = &self.house.domain;
        let request = format!("link {integration} {address}");
        let made = domain
            .client_create(&context(&request), SOURCE, ann(), new)
            .await;
        made.expect("a client");
        let items = domain.outbox_list(&Caller::server(1), None, None, 1).await;
        items.expect("lists").first().expect("an item").id
    }

    /// Where the record's clients stand.
    async fn clients(&self) -> Vec<ClientStatus> {
        let page = CursorQuery {
            limit: 100,
            ..CursorQuery::default()
        };
        let caller = Caller::server(1);
        let page = self
            .house
            .domain
            .client_list(&caller, SOURCE, ann(), &page)
            .await;
        let clients = page.expect("lists").items.into_iter();
        clients.map(|client| client.status).collect()
    }

    fn courier(&self, bases: &Bases) -> OutboxWorker {
        let delivery = ChannelDelivery::Providers(bases.clone());
        OutboxWorker::start(self.house.domain.clone(), None, delivery)
    }

    async fn ended(&self, item: i64, provider: &Provider) -> (String, i64, Option<String>) {
        self.house.ended(item, &provider.changed).await
    }
}

fn id_of(item: i64) -> String {
    DialectId {
        workspace: 1,
        kind: IdKind::Outbox,
        id: item,
    }
    .to_hex()
}

fn sent() -> (String, i64, Option<String>) {
    ("sent".into(), 1, None)
}

#[tokio::test(flavor = "multi_thread")]
async fn each_provider_is_spoken_to_in_its_own_way() {
    let scene = scene().await;
    let (provider, bases) = Provider::start().await;
    let worker = scene.courier(&bases);
    let phone = "+12025550123";
    for (kind, fields, address, path, authorization) in [
        (
            IntegrationKind::Mailgun,
            &[
                ("api_key", "k1"),
                ("domain", "mail.test"),
                ("incoming_address", "in@mail.test"),
            ][..],
            "ann@example.org",
            "POST /v3/mail.test/messages",
            format!("Basic {}", STANDARD.encode("api:k1")),
        ),
        (
            IntegrationKind::Twilio,
            &[
                ("account_sid", "AC1"),
                ("auth_token", "t1"),
                ("messaging_service_sid", "MG1"),
            ],
            phone,
            "POST /2010-04-01/Accounts/AC1/Messages.json",
            format!("Basic {}", STANDARD.encode("AC1:t1")),
        ),
        (
            IntegrationKind::MessageBird,
            &[
                ("access_key", "a1"),
                ("signing_key", "s1"),
                ("originator", "Throng"),
            ],
            phone,
            "POST /messages",
            "AccessKey a1".to_owned(),
        ),
        (
            IntegrationKind::WhatsApp,
            &[("phone_number_id", "1066"), ("token", "EAA1")],
            phone,
            "POST /v23.0/1066/messages",
            "Bearer EAA1".to_owned(),
        ),
    ] {
        let before = provider.heard().len();
        let integration = scene.integration(kind, fields).await;
        let item = scene
            .link((kind, integration), address, Some("Hello"))
            .await;
        let heard = provider.hears(before + 1).await.remove(before);
        assert_eq!(
            (heard.path.as_str(), &heard.authorization),
            (path, &authorization)
        );
        assert!(heard.body.contains("Hello"), "{}", heard.body);
        // Twilio gives an item's id back in its call, and cannot call this machine.
        let told = kind != IntegrationKind::Twilio;
        assert_eq!(heard.body.contains(&id_of(item)), told, "{}", heard.body);
        assert_eq!(scene.ended(item, &provider).await, sent());
        let clients = scene.clients().await;
        assert_eq!(clients.last(), Some(&ClientStatus::Active), "{kind:?}");
    }
    worker.stop().await;
    assert_eq!(scene.clients().await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_tried_again_or_given_up() {
    let scene = scene().await;
    let (provider, bases) = Provider::start().await;
    let worker = scene.courier(&bases);
    let twilio = (IntegrationKind::Twilio, scene.twilio().await);
    let phone = "+12025550100";
    let flaky = scene.link(twilio, phone, Some("flaky")).await;
    let reason = "http_503: The provider answered 503.";
    let again = ("queued".into(), 1, Some(reason.into()));
    assert_eq!(scene.ended(flaky, &provider).await, again);
    assert_eq!(scene.clients().await, [ClientStatus::Pending]);

    scene.house.clock.advance(Duration::from_secs(40));
    // Whatever else is queued wakes the worker.
    let wrong = scene.link(twilio, "+12025550101", Some("wrong")).await;
    let reason = "21211: The 'To' number *** is not valid.";
    let dead = ("dead".into(), 1, Some(reason.into()));
    assert_eq!(scene.ended(wrong, &provider).await, dead);
    let heard = provider.hears(3).await;
    let tries: Vec<&Heard> = heard
        .iter()
        .filter(|one| one.body.contains("flaky"))
        .collect();
    assert_eq!(tries.len(), 2);
    assert_eq!(tries[0].body, tries[1].body);

    let blocked = scene.link(twilio, "+12025550102", Some("blocked")).await;
    let dead = (
        "dead".into(),
        1,
        Some("21610: unsubscribed recipient".into()),
    );
    assert_eq!(scene.ended(blocked, &provider).await, dead);
    worker.stop().await;
    assert_eq!(scene.clients().await, [ClientStatus::Active]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_integration_that_lacks_something_fails_the_link_unheard() {
    let scene = scene().await;
    let (provider, bases) = Provider::start().await;
    let worker = scene.courier(&bases);
    let fields = [("deployment_id", "d1")];
    let kind = IntegrationKind::WhatsApp;
    let integration = scene.integration(kind, &fields).await;
    // Said or not: without what sending needs the channel is not there.
    for (address, text) in [("+12025550100", Some("Hello")), ("+12025550101", None)] {
        let item = scene.link((kind, integration), address, text).await;
        let (state, attempts, reason) = scene.ended(item, &provider).await;
        assert_eq!((state.as_str(), attempts), ("dead", 1));
        let reason = reason.expect("a reason");
        assert!(
            reason.starts_with("not_configured: ") && reason.contains("phone_number_id and token"),
            "{reason}"
        );
    }
    worker.stop().await;
    assert_eq!(scene.clients().await, []);
    assert!(provider.heard().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_without_words_needs_no_message() {
    let scene = scene().await;
    let (provider, bases) = Provider::start().await;
    let worker = scene.courier(&bases);
    let twilio = (IntegrationKind::Twilio, scene.twilio().await);
    let item = scene.link(twilio, "+12025550100", None).await;
    assert_eq!(scene.ended(item, &provider).await, sent());
    worker.stop().await;
    assert_eq!(scene.clients().await, [ClientStatus::Active]);
    assert!(provider.heard().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_known_by_its_sid_is_asked_for_once() {
    let scene = scene().await;
    let (provider, bases) = Provider::start().await;
    let worker = scene.courier(&bases);
    let fields = [
        ("account_sid", "AC1"),
        ("auth_token", "t1"),
        ("phone_number_sid", "PN1"),
    ];
    let twilio = IntegrationKind::Twilio;
    let integration = scene.integration(twilio, &fields).await;
    for last in 0..3 {
        let phone = format!("+1202555010{last}");
        let item = scene
            .link((twilio, integration), &phone, Some("Hello"))
            .await;
        assert_eq!(scene.ended(item, &provider).await, sent());
    }
    let asked = "GET /2010-04-01/Accounts/AC1/IncomingPhoneNumbers/PN1.json";
    let heard = provider.heard();
    let count = |heard: &[Heard]| heard.iter().filter(|one| one.path == asked).count();
    assert_eq!((heard.len(), count(&heard)), (4, 1));
    assert!(
        heard[1..]
            .iter()
            .all(|one| one.body.contains("From=%2B15005550009"))
    );

    // Where the provider does not like it, it is asked for again.
    let item = scene
        .link((twilio, integration), "+12025550104", Some("wrong"))
        .await;
    assert_eq!(scene.ended(item, &provider).await.0, "dead");
    let item = scene
        .link((twilio, integration), "+12025550105", Some("Hello"))
        .await;
    assert_eq!(scene.ended(item, &provider).await, sent());
    assert_eq!(count(&provider.heard()), 2);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_stays_to_be_read() {
    let scene = scene().await;
    let (provider, _) = Provider::start().await;
    let domain = scene.house.domain.clone();
    let worker = OutboxWorker::start(domain.clone(), None, ChannelDelivery::Kept);
    let twilio = (IntegrationKind::Twilio, scene.twilio().await);
    let item = scene.link(twilio, "+12025550100", Some("Hello")).await;
    assert_eq!(scene.ended(item, &provider).await, sent());
    worker.stop().await;
    assert_eq!(scene.clients().await, [ClientStatus::Active]);
    let kept = domain.outbox_get(&Caller::server(1), item).await;
    let kept = kept.expect("is there");
    assert_eq!(kept.item.recipient.as_deref(), Some("+12025550100"));
    assert!(kept.text.expect("is there").text.contains("Hello"));
    assert!(provider.heard().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_has_not_allowed_is_given_up() {
    let scene = scene_with(Allowed::default()).await;
    let (provider, bases) = Provider::start().await;
    let worker = scene.courier(&bases);
    let twilio = (IntegrationKind::Twilio, scene.twilio().await);
    let item = scene.link(twilio, "+12025550100", Some("Hello")).await;
    let (state, attempts, reason) = scene.ended(item, &provider).await;
    worker.stop().await;
    assert_eq!((state.as_str(), attempts), ("dead", 1));
    let reason = reason.expect("a reason");
    assert!(
        reason.starts_with("not_allowed: ") && !reason.contains("127.0.0.1"),
        "{reason}"
    );
    assert_eq!(scene.clients().await, []);
    assert!(provider.heard().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_while_sending_is_followed_by_another() {
    let scene = scene().await;
    let (provider, bases) = Provider::start().await;
    let fields = [
        ("access_key", "a1"),
        ("signing_key", "s1"),
        ("originator", "Throng"),
    ];
    let kind = IntegrationKind::MessageBird;
    let integration = scene.integration(kind, &fields).await;
    let item = scene
        .link((kind, integration), "+12025550100", Some("stall"))
        .await;
    let OutboxWorker { stop, task } = scene.courier(&bases);
    let first = provider.hears(1).await.remove(0);
    // Killed, not stopped: nobody notes how it went.
    task.abort();
    drop((stop, task.await));
    let claimed = scene.house.domain.channel_claim(1).await;
    assert!(claimed.expect("claims").is_empty());

    scene.house.clock.advance(Duration::from_secs(120));
    let OutboxWorker { stop, task } = scene.courier(&bases);
    let second = provider.hears(2).await.remove(1);
    assert_eq!(first.body, second.body);
    assert!(first.body.contains(&id_of(item)));
    task.abort();
    drop((stop, task.await));
    let found = scene
        .house
        .domain
        .outbox_get(&Caller::server(1), item)
        .await;
    assert_eq!(found.expect("is there").item.attempts, 2);
}

/// Further people beside ann, each with a client: as many as a drain wants.
async fn many(scene: &Scene, integration: i64, count: usize) {
    let domain = &scene.house.domain;
    let make = async |at: usize| {
        let (name, request) = (format!("p{at}"), format!("many {at}"));
        let new = RecordNew {
            reference: Some(name.clone()),
            active: true,
            profile: "{}".into(),
            ..RecordNew::default()
        };
        let context = context(&request);
        domain
            .record_create(&context, SOURCE, new)
            .await
            .expect("a record");
        let who = RecordRef::Reference(name);
        let new = ConversationNew {
            kind: ConversationKind::Personal,
            display_name: None,
            description: None,
            icon_url: None,
            metadata: String::new(),
            participants: vec![(who.clone(), false)],
        };
        let made = domain.conversation_create(&context, SOURCE, new).await;
        let text = format!("Hello {at}");
        let links = Vec::new();
        let new = ClientNew {
            kind: IntegrationKind::Twilio,
            integration,
            address: format!("+1202556{at:04}"),
            subject: None,
            primary: true,
            confirmation: Confirmation::Immediate,
            message: Some((Persona::default(), Content::Text { text, links })),
            conversation: made.expect("a conversation").id,
        };
        let made = domain.client_create(&context, SOURCE, who, new).await;
        made.expect("a client");
    };
    let all: Vec<usize> = (0..count).collect();
    for group in all.chunks(64) {
        let made = group.iter().map(|at| make(*at));
        futures_util::future::join_all(made).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_leave_over_few_connections() {
    const COUNT: usize = 1_500;
    let scene = scene().await;
    let (provider, bases) = Provider::start().await;
    let integration = scene.twilio().await;
    many(&scene, integration, COUNT).await;
    let begun = tokio::time::Instant::now();
    let worker = scene.courier(&bases);
    provider.hears(COUNT).await;
    let caller = Caller::server(1);
    let domain = &scene.house.domain;
    loop {
        let left = domain.outbox_list(&caller, Some("queued"), None, 1).await;
        if left.expect("lists").is_empty() {
            break;
        }
        // What was heard last is noted soon.
        drop(timeout(Duration::from_millis(20), provider.changed.notified()).await);
    }
    println!("{COUNT} messages in {:?}", begun.elapsed());
    worker.stop().await;
    let heard = provider.heard();
    let told: HashSet<&str> = heard.iter().map(|one| one.body.as_str()).collect();
    assert_eq!((heard.len(), told.len()), (COUNT, COUNT), "each once");
    let (_, most) = *provider.at_once.lock().expect("not poisoned");
    assert!(most <= MESSAGES_MAX, "{most} at once");
    let connections = *provider.connections.lock().expect("not poisoned");
    assert!(connections <= MESSAGES_MAX, "{connections} connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn providers_that_do_not_answer_hold_up_no_webhook() {
    let scene = scene().await;
    let (provider, bases) = Provider::start().await;
    let integration = scene.twilio().await;
    let domain = scene.house.domain.clone();
    let OutboxWorker { stop, task } = scene.courier(&bases);
    for last in 0..4 {
        let phone = format!("+1202555010{last}");
        let twilio = (IntegrationKind::Twilio, integration);
        scene.link(twilio, &phone, Some("stall")).await;
    }
    provider.hears(4).await;
    let new = domain::WebhookNew {
        dialect: domain::NATIVE.into(),
        url: format!("{}/events", bases.twilio),
        events: Vec::new(),
        secret: None,
        integration: None,
        detail: domain::Detail::default(),
    };
    domain
        .webhook_create(&context("hook"), new)
        .await
        .expect("is made");
    let new = domain::StructureNew::new("Shop");
    let structure = domain.structure_create(&context("s"), new).await;
    let structure = structure.expect("a structure").id;
    let new = domain::AudienceNew::new(structure, "Newsletter");
    let made = domain.audience_create(&context("a"), new).await;
    made.expect("an audience");
    let heard = provider.hears(5).await;
    assert!(heard.iter().any(|one| one.path == "POST /events"));
    // And a message that is taken finds a place beside those that are not.
    let twilio = (IntegrationKind::Twilio, integration);
    let item = scene.link(twilio, "+12025550109", Some("Hello")).await;
    assert_eq!(scene.ended(item, &provider).await, sent());
    task.abort();
    drop((stop, task.await));
}
