//! The worker against receivers in this process that answer what the test wants, over real connections and through the
//! client with the rules. Signatures are checked here anew, from what the protocols say.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{AudienceNew, Caller, Context, EventKind, Kind, NATIVE, StructureNew, WebhookNew};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use super::{
    tests::{Fake, House, house_with, mailer},
    *,
};
use crate::{address::Allowed, outbound::HttpClient};

/// A request as it arrived.
#[derive(Debug, Clone)]
struct Heard {
    path: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Heard {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// Answers by path.
#[derive(Debug, Default)]
struct Receiver {
    heard: Mutex<Vec<Heard>>,
    changed: Notify,
}

impl Receiver {
    async fn start() -> (Arc<Receiver>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let receiver = Arc::new(Receiver::default());
        let shared = Arc::clone(&receiver);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let receiver = Arc::clone(&shared);
                tokio::spawn(async move { drop(receiver.converse(stream).await) });
            }
        });
        (receiver, url)
    }

    async fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        assert!(line.starts_with("POST "), "{line}");
        let mut headers = HashMap::new();
        loop {
            line.clear();
            stream.read_line(&mut line).await?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let length = headers
            .get("content-length")
            .and_then(|text| text.parse().ok());
        let mut body = vec![0; length.unwrap_or_default()];
        stream.read_exact(&mut body).await?;
        let heard = Heard {
            path,
            headers,
            body,
        };
        let before = self.heard_at(&heard.path).len();
        let path = heard.path.clone();
        self.heard.lock().expect("not poisoned").push(heard);
        self.changed.notify_waiters();
        let (status, extra, body) = match path.as_str() {
            "/flaky" if before == 0 => ("500 Broken", "", String::new()),
            "/gone" => ("410 Gone", "", String::new()),
            "/redirect" => ("302 Found", "location: /ok\r\n", String::new()),
            "/huge" => ("200 OK", "", "x".repeat(70_000)),
            "/stall" => std::future::pending().await,
            _ => ("200 OK", "", "taken".to_owned()),
        };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\n{extra}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
        );
        stream.get_mut().write_all(answer.as_bytes()).await
    }

    fn heard_at(&self, path: &str) -> Vec<Heard> {
        let heard = self.heard.lock().expect("not poisoned");
        heard
            .iter()
            .filter(|one| one.path == path)
            .cloned()
            .collect()
    }

    async fn hears(&self, path: &str, times: usize) -> Vec<Heard> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on nothing that is said is missed.
            changed.as_mut().enable();
            let heard = self.heard_at(path);
            if heard.len() >= times {
                return heard;
            }
            changed.await;
        }
    }
}

/// A house whose operator allows this machine, or nothing, with a structure that was there before anybody listened.
async fn hooked(allowed: Allowed) -> House {
    let house = house_with(Arc::new(HttpClient::new(allowed))).await;
    let structure = StructureNew::new("Shop");
    let made = house
        .domain
        .structure_create(&context("s"), structure)
        .await;
    made.expect("a structure");
    house
}

fn context(request: &str) -> Context {
    Context::new(Caller::server(1), request)
}

impl House {
    async fn webhook(&self, dialect: &str, url: &str, secret: Option<&str>) -> (i64, String) {
        let new = WebhookNew {
            dialect: dialect.into(),
            url: url.into(),
            events: vec![EventKind::AudienceCreated, EventKind::MembersChanged],
            secret: secret.map(str::to_owned),
            integration: None,
            detail: domain::Detail::default(),
        };
        let made = self.domain.webhook_create(&context("hook"), new).await;
        let (webhook, secret) = made.expect("is made");
        (webhook.id, secret)
    }

    /// Makes an audience in the structure; answers its id.
    async fn audience(&self, name: &str) -> i64 {
        let caller = Caller::server(1);
        let structures = self.domain.structure_list(&caller, 0, 1).await;
        let structure = structures.expect("lists")[0].id;
        let new = AudienceNew {
            reference: Some(format!("ref-{name}")),
            ..AudienceNew::new(structure, name)
        };
        let made = self
            .domain
            .audience_create(&context("request-1"), new)
            .await;
        made.expect("an audience").id
    }

    /// The items of the outbox, oldest first.
    async fn items(&self) -> Vec<i64> {
        let all = self
            .domain
            .outbox_list(&Caller::server(1), None, None, 1_000)
            .await;
        all.expect("lists")
            .iter()
            .rev()
            .map(|item| item.id)
            .collect()
    }

    fn courier(&self) -> OutboxWorker {
        OutboxWorker::start(self.domain.clone(), None, ChannelDelivery::Kept)
    }

    async fn webhook_ended(&self, id: i64, receiver: &Receiver) -> (String, i64, Option<String>) {
        self.ended(id, &receiver.changed).await
    }
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// What Standard Webhooks signs a request with, for a secret.
fn standard_signature(heard: &Heard, secret: &str) -> String {
    let key = secret.strip_prefix("whsec_").expect("the prefix");
    let key = STANDARD.decode(key).expect("base64");
    let (id, time) = (
        heard.header("webhook-id"),
        heard.header("webhook-timestamp"),
    );
    let mut message = format!("{id}.{time}.").into_bytes();
    message.extend_from_slice(&heard.body);
    format!("v1,{}", STANDARD.encode(hmac(&key, &message)))
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_written_and_signed_as_their_protocols_say() {
    let house = hooked(Allowed::loopback()).await;
    let (receiver, url) = Receiver::start().await;
    let (id, old) = house.webhook(NATIVE, &format!("{url}/native"), None).await;
    let secret = "a secret of theirs";
    house
        .webhook("thrive", &format!("{url}/other"), Some(secret))
        .await;
    let new = house.domain.webhook_rotate(&context("rotate"), id).await;
    let new = new.expect("is rotated");
    // Mail waits: there is no mail server.
    let mail = house.queue("ann@example.org").await;
    let worker = house.courier();
    let audience = house.audience("Newsletter").await;

    let heard = receiver.hears("/native", 1).await.remove(0);
    assert_eq!(heard.header("content-type"), "application/json");
    let signatures = heard.header("webhook-signature");
    let expected = [&new, &old].map(|secret| standard_signature(&heard, secret));
    assert_eq!(signatures, expected.join(" "));
    assert_eq!(heard.header("webhook-timestamp"), "1767225600");
    assert!(heard.header("webhook-id").starts_with("evt_000000010a"));
    let body = heard.json();
    assert_eq!(
        body,
        json!({"type": "audience.created", "timestamp": "2026-01-01T00:00:00.000Z", "data": {
            "audience": audience, "structure": body["data"]["structure"], "kind": "manual", "name": "Newsletter",
            "reference": "ref-Newsletter", "added": 0, "removed": 0, "added_people": [], "removed_people": [],
            "actor": 0, "request": "request-1"}})
    );
    assert!(body["data"]["structure"].is_i64());

    let heard = receiver.hears("/other", 1).await.remove(0);
    let hex: String = hmac(secret.as_bytes(), &heard.body)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(heard.header("x-hmac-signature"), format!("sha256={hex}"));
    assert_eq!(heard.header("webhook-signature"), "");
    let body = heard.json();
    assert_eq!(body["eventType"], "audience.created");
    assert_eq!(body["tenantId"], "throng_000000001");
    assert_eq!(body["createdAt"], "2026-01-01T00:00:00.000Z");
    assert_eq!(body["audience"]["id"], format!("0000000102{audience:014x}"));
    assert_eq!(body["audience"]["name"], "Newsletter");

    for item in house.items().await.into_iter().filter(|item| *item != mail) {
        let sent = house.webhook_ended(item, &receiver).await;
        assert_eq!(sent, ("sent".into(), 1, None));
    }
    worker.stop().await;
    let waiting = house.domain.outbox_get(&Caller::server(1), mail).await;
    let waiting = waiting.expect("is there").item;
    assert_eq!((waiting.state.as_str(), waiting.attempts), ("queued", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn members_that_come_are_named_by_number() {
    let house = hooked(Allowed::loopback()).await;
    let (receiver, url) = Receiver::start().await;
    house.webhook(NATIVE, &format!("{url}/native"), None).await;
    let worker = house.courier();
    let audience = house.audience("Newsletter").await;
    let context = context("add");
    let mut batch = house
        .domain
        .batch(&context.caller, 2)
        .await
        .expect("a batch");
    batch.push(Kind::Email, "", "ann@example.org");
    batch.push(Kind::Email, "", "bo@example.org");
    let added = house
        .domain
        .member_add(&context, audience, batch.finish())
        .await;
    added.expect("are added");
    let heard = receiver.hears("/native", 2).await;
    let changed = heard.iter().map(Heard::json);
    let changed = changed.filter(|body| body["type"] == "audience.members_changed");
    let changed: Vec<Value> = changed.collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0]["data"]["added"], 2);
    let people = changed[0]["data"]["added_people"]
        .as_array()
        .expect("people");
    assert_eq!(people.len(), 2);
    assert!(people.iter().all(Value::is_u64));
    let said = String::from_utf8_lossy(&heard[1].body).into_owned();
    assert!(!said.contains("example.org"), "{said}");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_fails_is_told_again_with_the_same_id() {
    let house = hooked(Allowed::loopback()).await;
    let (receiver, url) = Receiver::start().await;
    let (id, secret) = house.webhook(NATIVE, &format!("{url}/flaky"), None).await;
    let worker = house.courier();
    house.audience("Newsletter").await;
    receiver.hears("/flaky", 1).await;
    let item = house.items().await[0];
    let failed = house.webhook_ended(item, &receiver).await;
    let reason = Some("The receiver answered 500.".to_owned());
    assert_eq!(failed, ("queued".into(), 1, reason));
    worker.stop().await;

    house.clock.advance(Duration::from_secs(40));
    let worker = house.courier();
    let heard = receiver.hears("/flaky", 2).await;
    let [first, second] = &heard[..] else {
        panic!("two attempts: {heard:?}")
    };
    assert_eq!(first.body, second.body);
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_ne!(
        first.header("webhook-timestamp"),
        second.header("webhook-timestamp")
    );
    for heard in &heard {
        assert_eq!(
            heard.header("webhook-signature"),
            standard_signature(heard, &secret)
        );
    }

    // A replay is a further item, and the same event.
    let replayed = house.domain.webhook_replay(&context("replay"), id, 0).await;
    assert_eq!(replayed, Ok(1));
    let third = receiver.hears("/flaky", 3).await.remove(2);
    assert_eq!(third.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(third.body, first.body);
    worker.stop().await;
    for item in house.items().await {
        assert_eq!(house.webhook_ended(item, &receiver).await.0, "sent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_no_2xx_waits_for_another_attempt() {
    let house = hooked(Allowed::loopback()).await;
    let (receiver, url) = Receiver::start().await;
    // Nobody listens there any more.
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let nobody = format!("http://{}/", closed.local_addr().expect("an address"));
    drop(closed);
    let reasons = [
        (format!("{url}/gone"), "The receiver answered 410."),
        (format!("{url}/redirect"), "The receiver answered 302."),
        (format!("{url}/huge"), "The receiver's answer is too large."),
        (nobody, "The receiver cannot be reached."),
    ];
    for (url, _) in &reasons {
        house.webhook(NATIVE, url, None).await;
    }
    let worker = house.courier();
    house.audience("Newsletter").await;
    let items = house.items().await;
    assert_eq!(items.len(), reasons.len());
    for (item, (url, reason)) in items.into_iter().zip(reasons) {
        let ended = house.webhook_ended(item, &receiver).await;
        assert_eq!(ended, ("queued".into(), 1, Some(reason.into())), "{url}");
    }
    worker.stop().await;
    assert!(
        receiver.heard_at("/ok").is_empty(),
        "no redirection is followed"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_has_not_allowed_is_given_up_unheard() {
    let house = hooked(Allowed::default()).await;
    let (receiver, url) = Receiver::start().await;
    let port = url.rsplit(':').next().expect("a port");
    for url in [
        format!("{url}/in"),
        format!("https://127.0.0.1:{port}/in"),
        format!("https://0x7f.1:{port}/in"),
        format!("https://[::ffff:127.0.0.1]:{port}/in"),
        format!("https://localhost:{port}/in"),
        "https://169.254.169.254/latest/meta-data/".to_owned(),
    ] {
        house.webhook(NATIVE, &url, None).await;
    }
    let worker = house.courier();
    house.audience("Newsletter").await;
    for item in house.items().await {
        let (state, attempts, reason) = house.webhook_ended(item, &receiver).await;
        assert_eq!((state.as_str(), attempts), ("dead", 1), "{reason:?}");
        let reason = reason.expect("a reason");
        assert!(
            reason.starts_with("This server may not reach the URL"),
            "{reason}"
        );
    }
    worker.stop().await;
    assert!(receiver.heard_at("/in").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_while_delivering_is_followed_by_another() {
    let house = hooked(Allowed::loopback()).await;
    let (receiver, url) = Receiver::start().await;
    house.webhook(NATIVE, &format!("{url}/stall"), None).await;
    house.audience("Newsletter").await;
    let OutboxWorker { stop, task } = house.courier();
    let first = receiver.hears("/stall", 1).await.remove(0);
    // Killed, not stopped: nobody notes how it went.
    task.abort();
    drop((stop, task.await));
    let claimed = house.domain.webhook_claim(1).await;
    assert!(claimed.expect("claims").is_empty());

    house.clock.advance(Duration::from_secs(120));
    let OutboxWorker { stop, task } = house.courier();
    let second = receiver.hears("/stall", 2).await.remove(1);
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    task.abort();
    drop((stop, task.await));
    let item = house
        .domain
        .outbox_get(&Caller::server(1), house.items().await[0])
        .await;
    assert_eq!(item.expect("is there").item.attempts, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn receivers_that_do_not_answer_hold_up_no_mail() {
    let house = hooked(Allowed::loopback()).await;
    let (receiver, url) = Receiver::start().await;
    let (fake, address) = Fake::start().await;
    for _ in 0..=DELIVERIES_MAX {
        house.webhook(NATIVE, &format!("{url}/stall"), None).await;
    }
    house.audience("Newsletter").await;
    let mailer = mailer(&format!("smtp+plain://{address}"));
    let OutboxWorker { stop, task } =
        OutboxWorker::start(house.domain.clone(), Some(mailer), ChannelDelivery::Kept);
    receiver.hears("/stall", DELIVERIES_MAX).await;
    let mail = house.queue("ann@example.org").await;
    // As a command of the domain does once it is committed.
    let retried = house.domain.outbox_retry(&context("wake"), mail).await;
    retried.expect("is due");
    assert_eq!(house.ended(mail, &fake.changed).await.0, "sent");
    assert_eq!(receiver.heard_at("/stall").len(), DELIVERIES_MAX);
    task.abort();
    drop((stop, task.await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_does_not_answer_leaves_places_for_others() {
    let house = hooked(Allowed::loopback()).await;
    let (receiver, url) = Receiver::start().await;
    house.webhook(NATIVE, &format!("{url}/stall"), None).await;
    for name in 0..3 * DELIVERIES_MAX {
        house.audience(&format!("List {name}")).await;
    }
    // What the next one wants comes after all that waits for the first.
    house.webhook(NATIVE, &format!("{url}/ok"), None).await;
    house.audience("Newsletter").await;
    let OutboxWorker { stop, task } = house.courier();
    receiver.hears("/ok", 1).await;
    for name in 0..DELIVERIES_MAX {
        house.audience(&format!("More {name}")).await;
    }
    receiver.hears("/ok", 1 + DELIVERIES_MAX).await;
    let stalled = receiver.heard_at("/stall").len();
    let most = 2 * DELIVERIES_EACH - 1;
    assert!((DELIVERIES_EACH..=most).contains(&stalled), "{stalled}");
    task.abort();
    drop((stop, task.await));
}
