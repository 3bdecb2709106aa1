//! A server's worth of domain with an integration of each kind, somebody who is asked, and providers that sign.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    Caller, ClientNew, ClientStatus, Clock, Confirmation, Content, Context, ConversationKind,
    ConversationNew, CursorQuery, Domain, IntegrationKind, IntegrationNew, Message, Options,
    Persona, Random, RecordNew, RecordRef, WorkspaceNew,
};
use hmac::{Hmac, Mac};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use throng_dialects::{
    hooks,
    mount::Hosts,
    request::{Outcome, RequestId},
};
use tower::ServiceExt;

/// 2026-01-01T00:00:00.000Z
pub const START_MS: i64 = 1_767_225_600_000;
const SOURCE: &str = "people";
pub const PUBLIC: &str = "https://throng.test";

pub struct World {
    _folder: tempfile::TempDir,
    pub domain: Domain,
    pub router: Router,
    pub workspace: i64,
    pub conversation: i64,
}

/// An integration, and where its hook is.
#[derive(Debug, Clone)]
pub struct Provider {
    pub id: i64,
    pub kind: IntegrationKind,
    pub path: String,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub outcome: Outcome,
}

impl Answer {
    #[track_caller]
    pub fn expect(&self, status: u16) -> &str {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        &self.text
    }

    /// That it was taken, as a provider of this kind wants to hear it.
    #[track_caller]
    pub fn taken(&self, kind: IntegrationKind) {
        let text = self.expect(200);
        let (media, body) = match kind {
            IntegrationKind::Twilio => (
                "text/xml; charset=utf-8",
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>",
            ),
            _ => ("application/json", "{}"),
        };
        assert_eq!(
            (&self.headers["content-type"], text),
            (&media.parse().expect("is one"), body)
        );
    }
}

fn fields(kind: IntegrationKind) -> BTreeMap<String, String> {
    let pairs: &[(&str, &str)] = match kind {
        IntegrationKind::Mailgun => &[
            ("api_key", "key-1"),
            ("domain", "mail.example.org"),
            ("incoming_address", "in@mail.example.org"),
            ("signing_key", "sign-1"),
        ],
        IntegrationKind::Twilio => &[
            ("account_sid", "AC1"),
            ("auth_token", "token-1"),
            ("phone_number", "+15005550000"),
            ("phone_number_sid", "PN1"),
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

pub const KINDS: [IntegrationKind; 4] = [
    IntegrationKind::Mailgun,
    IntegrationKind::Twilio,
    IntegrationKind::MessageBird,
    IntegrationKind::WhatsApp,
];

/// Somebody's address on a channel of this kind.
pub fn address(kind: IntegrationKind) -> &'static str {
    match kind {
        IntegrationKind::Mailgun => "ann@example.org",
        _ => "+12025550123",
    }
}

impl World {
    pub async fn new() -> World {
        let folder = tempfile::tempdir().expect("makes a folder");
        let clock = Clock::manual(START_MS);
        let data = store::DataFolder::open(folder.path()).expect("opens the folder");
        let options = store::Options {
            url: store::DatabaseUrl::parse(None, folder.path(), None).expect("is a path"),
            read_connections: 1,
            sets_memory_bytes: u64::MAX,
            now: START_MS,
            new_master: store::MasterKey::new([7; 32]),
            new_database_id: "test".into(),
        };
        let store = store::Store::open(data, options, &mut |_, _, _| {}).expect("opens the store");
        let options = Options {
            public_url: PUBLIC.into(),
            ..Options::closed(clock, Random::seeded(7))
        };
        let domain = Domain::start(store, options).await.expect("starts");
        let workspace = domain.workspace_default().await.expect("is made").0.id;
        let mut world = World {
            _folder: folder,
            router: hooks::router(domain.clone()),
            domain,
            workspace,
            conversation: 0,
        };
        world.conversation = world.person(workspace).await;
        world
    }

    pub fn context(&self, workspace: i64) -> Context {
        Context::new(Caller::server(workspace), "scene")
    }

    /// Makes the record `ann` of a workspace; answers her conversation.
    async fn person(&self, workspace: i64) -> i64 {
        let context = self.context(workspace);
        let new = RecordNew {
            reference: Some("ann".into()),
            active: true,
            profile: "{}".into(),
            ..RecordNew::default()
        };
        let made = self.domain.record_create(&context, SOURCE, new).await;
        made.expect("a record");
        let new = ConversationNew {
            kind: ConversationKind::Personal,
            display_name: None,
            description: None,
            icon_url: None,
            metadata: String::new(),
            participants: vec![(RecordRef::Reference("ann".into()), false)],
        };
        let made = self.domain.conversation_create(&context, SOURCE, new).await;
        made.expect("a conversation").id
    }

    pub async fn other_workspace(&self) -> (i64, i64) {
        let new = WorkspaceNew {
            slug: "other".into(),
            name: "Other".into(),
            keep_identifiers: false,
        };
        let made = self.domain.workspace_create(&Caller::server(0), new).await;
        let workspace = made.expect("a workspace").id;
        (workspace, self.person(workspace).await)
    }

    pub async fn provider(&self, kind: IntegrationKind) -> Provider {
        self.provider_with(self.workspace, kind, fields(kind)).await
    }

    pub async fn provider_of(&self, workspace: i64, kind: IntegrationKind) -> Provider {
        self.provider_with(workspace, kind, fields(kind)).await
    }

    pub async fn provider_without(&self, kind: IntegrationKind, names: &[&str]) -> Provider {
        let mut fields = fields(kind);
        fields.retain(|name, _| !names.contains(&name.as_str()));
        self.provider_with(self.workspace, kind, fields).await
    }

    async fn provider_with(
        &self,
        workspace: i64,
        kind: IntegrationKind,
        fields: BTreeMap<String, String>,
    ) -> Provider {
        let new = IntegrationNew {
            kind,
            display_name: None,
            fields,
            webhooks: Vec::new(),
        };
        let context = self.context(workspace);
        let made = self.domain.integration_create(&context, new).await;
        let (made, _) = made.expect("an integration");
        let url = self.domain.hook_url(kind, &made.hook_token);
        Provider {
            id: made.id,
            kind,
            path: url.strip_prefix(PUBLIC).expect("is ours").to_owned(),
        }
    }

    /// Asks ann for her address through a provider; answers the client.
    pub async fn link(&self, provider: &Provider, confirmation: Confirmation) -> i64 {
        self.link_in(self.workspace, self.conversation, provider, confirmation)
            .await
    }

    pub async fn link_in(
        &self,
        workspace: i64,
        conversation: i64,
        provider: &Provider,
        confirmation: Confirmation,
    ) -> i64 {
        let content = Content::Text {
            text: "Is this you?".into(),
            links: Vec::new(),
        };
        let new = ClientNew {
            kind: provider.kind,
            integration: provider.id,
            address: address(provider.kind).into(),
            subject: None,
            primary: true,
            confirmation,
            message: Some((Persona::default(), content)),
            conversation,
        };
        let ann = RecordRef::Reference("ann".into());
        let context = self.context(workspace);
        let made = self.domain.client_create(&context, SOURCE, ann, new).await;
        made.expect("a client").id
    }

    /// Where ann's clients stand.
    pub async fn clients(&self) -> Vec<ClientStatus> {
        self.clients_of(self.workspace).await
    }

    pub async fn clients_of(&self, workspace: i64) -> Vec<ClientStatus> {
        let ann = RecordRef::Reference("ann".into());
        let (caller, page) = (Caller::server(workspace), CursorQuery::default());
        let page = self.domain.client_list(&caller, SOURCE, ann, &page).await;
        let clients = page.expect("lists").items.into_iter();
        clients.map(|client| client.status).collect()
    }

    pub async fn messages(&self) -> Vec<Message> {
        let (caller, page) = (Caller::server(self.workspace), CursorQuery::default());
        let page = self
            .domain
            .message_list(&caller, self.conversation, &page)
            .await;
        page.expect("lists").items
    }

    pub async fn texts(&self) -> Vec<String> {
        let messages = self.messages().await.into_iter();
        let texts = messages.map(|message| match message.content {
            Content::Text { text, .. } => text,
            other => panic!("{other:?}"),
        });
        texts.collect()
    }

    /// The newest item of a workspace's outbox.
    pub async fn item(&self, workspace: i64) -> i64 {
        let caller = Caller::server(workspace);
        let items = self.domain.outbox_list(&caller, None, None, 1).await;
        items.expect("lists").first().expect("an item").id
    }

    pub async fn call(&self, request: Request<Body>) -> Answer {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(RequestId("request-7".into()));
        let mut request = Request::from_parts(parts, body);
        let hosts = Hosts::new();
        throng_dialects::mount::resolve(&self.domain, &hosts, &mut request)
            .await
            .expect("is mounted");
        let response = self.router.clone().oneshot(request).await.expect("answers");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a whole body").to_bytes();
        Answer {
            status: parts.status,
            outcome: parts
                .extensions
                .get::<Outcome>()
                .cloned()
                .unwrap_or_default(),
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).expect("UTF-8"),
        }
    }
}

/// A request that a provider makes.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: &'static str,
    pub path: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Call {
    pub fn request(&self) -> Request<Body> {
        let mut request = Request::builder().method(self.method).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(self.body.clone().into()).expect("a request")
    }

    pub fn body(self, change: impl FnOnce(String) -> String) -> Call {
        let body = String::from_utf8(self.body).expect("text");
        Call {
            body: change(body).into_bytes(),
            ..self
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn sha256(key: &str, message: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length");
    mac.update(message);
    hex(&mac.finalize().into_bytes())
}

pub fn form(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    form.finish().into_bytes()
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// What somebody writes, as their provider tells it at a time; `id` is the provider's own.
pub fn wrote(provider: &Provider, id: &str, text: &str, now_ms: i64) -> Call {
    let from = address(provider.kind);
    match provider.kind {
        IntegrationKind::Mailgun => mailgun(
            provider,
            id,
            now_ms,
            &[
                ("from", from),
                ("stripped-text", text),
                ("subject", "Re: you"),
            ],
        ),
        IntegrationKind::Twilio => {
            let pairs = [("MessageSid", id), ("From", from), ("Body", text)];
            twilio(provider, "", &pairs)
        }
        IntegrationKind::MessageBird => {
            let bare = from.trim_start_matches('+');
            let body = form(&[("id", id), ("originator", bare), ("body", text)]);
            messagebird(provider, "POST", "", body, now_ms)
        }
        _ => {
            let wa_id = from.trim_start_matches('+');
            let message = json!({"from": wa_id, "id": id, "type": "text", "text": {"body": text}});
            whatsapp(provider, &json!({"messages": [message]}))
        }
    }
}

pub fn mailgun(provider: &Provider, token: &str, now_ms: i64, pairs: &[(&str, &str)]) -> Call {
    let time = (now_ms / 1_000).to_string();
    let signature = sha256("sign-1", format!("{time}{token}").as_bytes());
    let mut all = pairs.to_vec();
    all.extend([
        ("timestamp", &*time),
        ("token", token),
        ("signature", &*signature),
    ]);
    Call {
        method: "POST",
        path: provider.path.clone(),
        headers: vec![(FORM.0, FORM.1.into())],
        body: form(&all),
    }
}

pub fn mailgun_event(provider: &Provider, token: &str, now_ms: i64, event: &Value) -> Call {
    let time = (now_ms / 1_000).to_string();
    let signature = sha256("sign-1", format!("{time}{token}").as_bytes());
    let signature = json!({"timestamp": time, "token": token, "signature": signature});
    let body = json!({"signature": signature, "event-data": event});
    Call {
        method: "POST",
        path: provider.path.clone(),
        headers: vec![("content-type", "application/json".into())],
        body: body.to_string().into_bytes(),
    }
}

pub fn twilio(provider: &Provider, query: &str, pairs: &[(&str, &str)]) -> Call {
    let path = format!("{}{query}", provider.path);
    let mut mac = Hmac::<Sha1>::new_from_slice(b"token-1").expect("any length");
    mac.update(format!("{PUBLIC}{path}").as_bytes());
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    for (name, value) in sorted {
        mac.update(format!("{name}{value}").as_bytes());
    }
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    Call {
        method: "POST",
        path,
        headers: vec![(FORM.0, FORM.1.into()), ("x-twilio-signature", signature)],
        body: form(pairs),
    }
}

pub fn messagebird(
    provider: &Provider,
    method: &'static str,
    query: &str,
    body: Vec<u8>,
    now_ms: i64,
) -> Call {
    let path = format!("{}{query}", provider.path);
    let now = now_ms / 1_000;
    let mut claims = json!({"iss": "MessageBird", "nbf": now, "exp": now + 60, "jti": "1",
        "url_hash": hex(&Sha256::digest(format!("{PUBLIC}{path}")))});
    if !body.is_empty() {
        claims["payload_hash"] = hex(&Sha256::digest(&body)).into();
    }
    let key = jsonwebtoken::EncodingKey::from_secret(b"sign-2");
    let signed = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key);
    Call {
        method,
        path,
        headers: vec![
            (FORM.0, FORM.1.into()),
            ("messagebird-signature-jwt", signed.expect("is signed")),
        ],
        body,
    }
}

pub fn whatsapp(provider: &Provider, value: &Value) -> Call {
    let body = json!({"object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]});
    let body = body.to_string().into_bytes();
    let signature = format!("sha256={}", sha256("app-1", &body));
    Call {
        method: "POST",
        path: provider.path.clone(),
        headers: vec![
            ("content-type", "application/json".into()),
            ("x-hub-signature-256", signature),
        ],
        body,
    }
}
