//! A server's worth of domain on each engine, and a client that speaks to the dialect's router.

use std::{collections::HashMap, num::NonZeroU32, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use domain::{
    Caller, ChannelClaim, Clock, Content, Context, CredentialNew, DialectId, Domain, Inbound,
    InboundEvent, Mount, Options, Outbound, OutboundError, OutboundFuture, OutboundRequest, Random,
    RateLimit, SendOutcome, WorkspaceNew,
};
use hmac::{Hmac, Mac};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha2::Sha256;
use store::{DataFolder, DatabaseUrl, MasterKey, Store};
use throng_dialects::{
    DIALECTS, delivery,
    request::{Outcome, RequestId},
    sunshine::{self, DIALECT, SCOPES, app_id},
    with_scopes,
};
use tower::ServiceExt;

/// 2024-03-15T10:30:00.000Z
pub const START_MS: i64 = 1_710_498_600_000;
pub const START: &str = "2024-03-15T10:30:00.000Z";
pub const PUBLIC_URL: &str = "https://throng.example";

/// A server.
pub struct World {
    _folder: tempfile::TempDir,
    pub domain: Domain,
    pub clock: Clock,
    pub router: Router,
    pub workspace: i64,
}

/// Refuses what leads into the machine, as the server's own does, and reaches nobody.
#[derive(Debug)]
struct NoWayOut;

impl Outbound for NoWayOut {
    fn send(&self, _request: OutboundRequest) -> OutboundFuture<'_> {
        let refused = OutboundError::Refused("a test".into());
        Box::pin(std::future::ready(Err(refused)))
    }

    fn refuses(&self, url: &str) -> bool {
        !url.starts_with("https://") || url.contains("127.0.0.1")
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub outcome: Outcome,
}

impl Answer {
    /// The body, if the status is as expected; an object, as all of the vendor's are.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(
            self.header("content-type"),
            "application/json; charset=utf-8"
        );
        let body: Value = serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text));
        assert!(body.is_object(), "{body}");
        no_empty_text(&body);
        body
    }

    /// The titles, if it is the vendor's refusal of this status and code.
    #[track_caller]
    pub fn refused(&self, status: u16, code: &str) -> Vec<String> {
        let body = self.expect(status);
        let errors = body["errors"].as_array().expect("errors");
        let title = |error: &Value| {
            assert_eq!(error["code"], code, "{body}");
            let title = error["title"].as_str().expect("a title").to_owned();
            assert!(!title.is_empty());
            assert_eq!(*error, json!({"code": code, "title": title}));
            title
        };
        let titles: Vec<String> = errors.iter().map(title).collect();
        assert_eq!(body, json!({"errors": errors}));
        assert!(!titles.is_empty() && (status == 400 || titles.len() == 1));
        titles
    }

    #[track_caller]
    pub fn bad(&self) -> Vec<String> {
        self.refused(400, "bad_request")
    }

    /// That it has nothing to say.
    #[track_caller]
    pub fn done(&self) {
        assert_eq!(self.expect(200), json!({}));
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("is ASCII"))
    }
}

/// The vendor's Python clients fail on an empty text, except for two fields that they fail without.
#[track_caller]
fn no_empty_text(body: &Value) {
    match body {
        Value::Object(members) => {
            for (name, value) in members {
                let needed = ["deploymentId", "target"].contains(&name.as_str());
                assert!(value != "" || needed, "{name} is empty");
                // What a caller has put there is the caller's.
                if name != "metadata" {
                    no_empty_text(value);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(no_empty_text),
        _ => {}
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "what scripts/test tells its tests comes in the environment"
)]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// An empty database of PostgreSQL. Nothing where this run has none; `scripts/test` always has one.
fn postgres(folder: &tempfile::TempDir) -> Option<DatabaseUrl> {
    let Some(admin) = told("THRONG_TEST_POSTGRES") else {
        let needed = told("CI").is_none();
        assert!(needed, "THRONG_TEST_POSTGRES is not set: run scripts/test");
        return None;
    };
    let name = folder.path().file_name().expect("a name").to_string_lossy();
    let name = name.replace('.', "t");
    let mut client =
        postgres::Client::connect(&admin, postgres::NoTls).expect("PostgreSQL answers");
    client
        .batch_execute(&format!("CREATE DATABASE \"{name}\""))
        .expect("a database");
    let (server, _) = admin.rsplit_once('/').expect("a name");
    Some(DatabaseUrl::Postgres(format!("{server}/{name}")))
}

impl World {
    /// One for each engine that this run has.
    pub async fn each() -> Vec<World> {
        World::each_with(HashMap::new()).await
    }

    /// With a quota of so many requests a minute.
    pub async fn each_limited(per_minute: u32) -> Vec<World> {
        let per_minute = NonZeroU32::new(per_minute).expect("is not zero");
        let limit = RateLimit { per_minute };
        World::each_with(HashMap::from([(DIALECT.to_owned(), limit)])).await
    }

    async fn each_with(limits: HashMap<String, RateLimit>) -> Vec<World> {
        let folder = tempfile::tempdir().expect("makes a folder");
        let url = DatabaseUrl::parse(None, folder.path(), None).expect("is a path");
        let mut worlds = vec![World::start(folder, url, limits.clone()).await];
        let folder = tempfile::tempdir().expect("makes a folder");
        if let Some(url) = tokio::task::block_in_place(|| postgres(&folder)) {
            worlds.push(World::start(folder, url, limits).await);
        }
        worlds
    }

    async fn start(
        folder: tempfile::TempDir,
        url: DatabaseUrl,
        rate_limits: HashMap<String, RateLimit>,
    ) -> World {
        let clock = Clock::manual(START_MS);
        let options = store::Options {
            url,
            read_connections: 1,
            sets_memory_bytes: u64::MAX,
            now: START_MS,
            new_master: MasterKey::new([7; 32]),
            new_database_id: "test".into(),
        };
        let store = tokio::task::block_in_place(|| {
            let data = DataFolder::open(folder.path()).expect("opens the folder");
            Store::open(data, options, &mut |_, _, _| {}).expect("opens the store")
        });
        let options = Options {
            rate_limits,
            public_url: PUBLIC_URL.into(),
            outbound: Arc::new(NoWayOut),
            ..Options::closed(clock.clone(), Random::seeded(7))
        };
        let domain = Domain::start(store, options).await.expect("starts");
        let workspace = domain.workspace_default().await.expect("is made").0.id;
        World {
            _folder: folder,
            router: sunshine::router(domain.clone()),
            domain,
            clock,
            workspace,
        }
    }

    pub fn server(&self) -> Context {
        Context::new(Caller::server(self.workspace), "test")
    }

    /// Another workspace's id.
    pub async fn another_workspace(&self) -> i64 {
        let new = WorkspaceNew {
            slug: "other".into(),
            name: "Other".into(),
            keep_identifiers: false,
        };
        let made = self.domain.workspace_create(&Caller::server(0), new).await;
        made.expect("makes a workspace").id
    }

    /// A client with a key of the first workspace's app.
    pub async fn app(&self) -> Client<'_> {
        self.client(self.workspace, "").await
    }

    /// A client with a key of the first workspace's account.
    pub async fn account(&self) -> Client<'_> {
        self.client(self.workspace, &format!("{SCOPES} admin"))
            .await
    }

    pub async fn client(&self, workspace: i64, scopes: &str) -> Client<'_> {
        let new = CredentialNew {
            dialect: DIALECT.into(),
            name: "Shop".into(),
            scopes: scopes.into(),
            structures: None,
            expires: None,
            keep_secret: false,
        };
        let context = Context::new(Caller::server(workspace), "test");
        let made = self
            .domain
            .credential_create(&context, with_scopes(new), DIALECTS)
            .await
            .expect("makes a credential");
        let id = sunshine::key_id(workspace, made.credential.id, scopes.contains("admin"));
        Client {
            authorization: Some(basic(&id, &made.secret)),
            app: app_id(workspace),
            credential: made.credential.id,
            secret: made.secret,
            id,
            mount: Mount::default(),
            world: self,
        }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
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

    /// How many commands have done something.
    pub async fn done(&self) -> usize {
        let caller = Caller::server(self.workspace);
        let all = self.domain.activity_list(&caller, None, 1_000).await;
        all.expect("lists").len()
    }

    /// What waits to be sent over a channel.
    pub async fn parcels(&self) -> Vec<ChannelClaim> {
        self.domain.channel_claim(100).await.expect("claims")
    }

    /// The channels take everything that waits.
    pub async fn accept_all(&self) {
        for claim in self.parcels().await {
            let outcome = SendOutcome::Accepted { provider_id: None };
            let told = self.domain.channel_finish(&claim, outcome).await;
            assert!(told.expect("is noted"));
        }
    }

    /// Somebody writes to an integration of this kind.
    pub async fn write(&self, integration: &str, id: &str, from: &str, text: &str) {
        let event = InboundEvent::Message {
            from: from.into(),
            name: Some("Ann".into()),
            raw: None,
            content: Content::Text {
                text: text.into(),
                links: Vec::new(),
            },
        };
        let inbound = Inbound {
            id: id.into(),
            event,
        };
        let number = DialectId::from_hex(integration).expect("an id").id;
        let caller = Caller::server(self.workspace);
        let found = self.domain.integration_get(&caller, number).await;
        let found = found.expect("is there");
        let hook = self.domain.hook(found.kind, &found.hook_token).await;
        let hook = hook.expect("is there");
        let taken = self.domain.inbound(&hook, "test", vec![inbound]).await;
        taken.expect("is taken");
    }

    /// What waits to be told to webhooks: the requests' headers and bodies, in order.
    pub async fn deliveries(&self) -> Vec<(HashMap<&'static str, String>, Value)> {
        let mut claims = self.domain.webhook_claim(1_000).await.expect("claims");
        claims.sort_by_key(|claim| claim.id());
        let mut told = Vec::new();
        for claim in claims {
            let request = delivery::request(&claim, START_MS);
            assert_eq!(request.url, claim.url);
            assert_eq!(request.time_max.as_secs(), 20);
            let body = serde_json::from_slice(&request.body).expect("is JSON");
            no_empty_text(&body);
            told.push((request.headers.into_iter().collect(), body));
            let noted = self.domain.webhook_finish(&claim, Ok(())).await;
            assert!(noted.expect("is noted"));
        }
        told
    }

    /// The types and payloads of [`Self::deliveries`].
    pub async fn events(&self) -> Vec<(String, Value)> {
        let told = self.deliveries().await;
        let event = |(_, body): (_, Value)| {
            let event = &body["events"][0];
            let kind = event["type"].as_str().expect("a type").to_owned();
            (kind, event["payload"].clone())
        };
        told.into_iter().map(event).collect()
    }
}

pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A JSON Web Token of this header and these claims.
pub fn token(header: &Value, claims: &Value, secret: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length");
    mac.update(signed.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    format!("{signed}.{signature}")
}

#[derive(Clone)]
pub struct Client<'a> {
    pub world: &'a World,
    pub app: String,
    /// As it is shown, with its prefix.
    pub id: String,
    pub secret: String,
    pub credential: i64,
    authorization: Option<String>,
    mount: Mount,
}

/// A user with a conversation and an integration of each channel, as their ids.
pub struct Scene {
    pub user: String,
    pub conversation: String,
    pub mailgun: String,
    pub twilio: String,
}

impl<'a> Client<'a> {
    /// With this Authorization header, or none.
    pub fn authorized(&self, header: Option<&str>) -> Client<'a> {
        Client {
            authorization: header.map(str::to_owned),
            ..self.clone()
        }
    }

    /// With a token of these claims, signed with the key.
    pub fn signed(&self, claims: Value) -> Client<'a> {
        let header = json!({"alg": "HS256", "typ": "JWT", "kid": self.id});
        let token = token(&header, &claims, &self.secret);
        self.authorized(Some(&format!("Bearer {token}")))
    }

    /// With a key that an answer has made.
    pub fn with_key(&self, key: &Value) -> Client<'a> {
        let text = |name: &str| key[name].as_str().expect("a text").to_owned();
        let (id, secret) = (text("id"), text("secret"));
        Client {
            authorization: Some(basic(&id, &secret)),
            id,
            secret,
            ..self.clone()
        }
    }

    pub fn authorization(&self) -> &str {
        self.authorization.as_deref().expect("is authorized")
    }

    pub fn of_app(&self, app: &str) -> Client<'a> {
        Client {
            app: app.to_owned(),
            ..self.clone()
        }
    }

    pub fn mounted(&self, workspace: i64) -> Client<'a> {
        Client {
            mount: Mount {
                workspace: Some(workspace),
            },
            ..self.clone()
        }
    }

    /// Any path, with any body.
    pub async fn raw(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let request = request
            .extension(self.mount)
            .extension(RequestId("request-7".into()));
        let request = request.body(body.into()).expect("a request");
        self.world.send(request).await
    }

    /// A path below the app.
    pub fn path(&self, path: &str) -> String {
        format!("/sunshine/v2/apps/{}{path}", self.app)
    }

    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = match body {
            Value::Null => Body::empty(),
            body => Body::from(body.to_string()),
        };
        self.raw(method, &self.path(path), body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &Value::Null).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, &Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, &body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, &body).await
    }

    /// A user's id.
    pub async fn user(&self, external_id: &str) -> String {
        let body = json!({"externalId": external_id});
        id(&self.post("/users", body).await.expect(201)["user"])
    }

    /// The id of a personal conversation.
    pub async fn conversation(&self, user: &str) -> String {
        let body = json!({"type": "personal", "participants": [{"userId": user}]});
        let body = self.post("/conversations", body).await.expect(201);
        id(&body["conversation"])
    }

    /// The id of an integration, which is `name`'s.
    pub async fn integration(&self, kind: &str) -> String {
        let body = self.post("/integrations", integration(kind)).await;
        id(&body.expect(201)["integration"])
    }

    pub async fn scene(&self) -> Scene {
        let user = self.user("ann").await;
        Scene {
            conversation: self.conversation(&user).await,
            mailgun: self.integration("mailgun").await,
            twilio: self.integration("twilio").await,
            user,
        }
    }

    /// A webhook of the app's own, of which the secret is answered.
    pub async fn webhook(&self, triggers: &[&str], full: bool) -> String {
        let body = json!({
            "target": "https://example.org/hook",
            "triggers": triggers,
            "includeFullUser": full,
            "includeFullSource": full,
        });
        let body = self.post("/integrations/me/webhooks", body).await;
        let body = body.expect(201);
        let secret = body["webhook"]["secret"].as_str().expect("a secret");
        secret.to_owned()
    }
}

/// What makes an integration of this type.
pub fn integration(kind: &str) -> Value {
    match kind {
        "mailgun" => json!({
            "type": "mailgun",
            "apiKey": "canary-api-key",
            "domain": "mail.example.org",
            "incomingAddress": "in@mail.example.org",
        }),
        "twilio" => json!({
            "type": "twilio",
            "accountSid": "AC1",
            "authToken": "canary-auth-token",
            "phoneNumberSid": "PN1",
        }),
        "messagebird" => json!({
            "type": "messagebird",
            "accessKey": "canary-access-key",
            "signingKey": "canary-signing-key",
            "originator": "+15550100",
        }),
        "whatsapp" => json!({"type": "whatsapp", "deploymentId": "5e554d2cac66fb73a3c01871"}),
        "custom" => json!({
            "type": "custom",
            "displayName": "Ours",
            "webhooks": [{"target": "https://example.org/ours", "triggers": ["client:add"]}],
        }),
        kind => panic!("{kind}?"),
    }
}

/// The body of a link by mail that is confirmed so.
pub fn mail(scene: &Scene, address: &str, confirmation: &str) -> Value {
    json!({
        "matchCriteria": {
            "type": "mailgun",
            "integrationId": scene.mailgun,
            "address": address,
        },
        "confirmation": {
            "type": confirmation,
            "message": {
                "author": {"type": "business", "displayName": "Steve"},
                "content": {"type": "text", "text": "Hello!"},
            },
        },
        "target": {"conversationId": scene.conversation},
    })
}

pub fn id(body: &Value) -> String {
    body["id"].as_str().expect("an id").to_owned()
}

/// A field of each item.
pub fn texts(items: &Value, field: &str) -> Vec<String> {
    let items = items.as_array().expect("a list").iter();
    items
        .map(|item| item[field].as_str().expect("a text").to_owned())
        .collect()
}
