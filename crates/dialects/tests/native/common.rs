//! A server in a temporary folder, and a client that speaks to its router.

use std::{collections::HashMap, num::NonZeroU32};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use domain::{Caller, Clock, Context, CredentialNew, Domain, Mount, Random, RateLimit};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use throng_dialects::{native, request::Outcome};
use tower::ServiceExt;

/// Where the manual clock stands at first.
pub const START_MS: i64 = 1_790_000_000_000;

pub struct Server {
    pub domain: Domain,
    pub router: Router,
    pub workspace: i64,
    pub clock: Clock,
    _folder: tempfile::TempDir,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub outcome: Option<Outcome>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("the answer is JSON")
    }

    /// The body, if the status is as expected.
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    /// The body, if it is a problem of this status and code.
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{}",
            self.text
        );
        let body = self.expect(status);
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status);
        for field in ["type", "title", "detail", "instance"] {
            assert!(
                body[field].as_str().is_some_and(|text| !text.is_empty()),
                "{field}: {body}"
            );
        }
        body
    }

    /// A problem of one of these.
    pub fn expect_either(self, any_of: &[(u16, &str)]) {
        let (status, code) = (self.status.as_u16(), self.json()["code"].clone());
        assert!(
            any_of.iter().any(|one| one.0 == status && one.1 == code),
            "{}",
            self.text
        );
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("is ASCII"))
    }
}

impl Server {
    pub async fn start() -> Server {
        Server::with_limit(None).await
    }

    pub async fn with_limit(per_minute: Option<u32>) -> Server {
        let folder = tempfile::tempdir().expect("a folder");
        let data = store::DataFolder::open(folder.path()).expect("opens the folder");
        let url = store::DatabaseUrl::parse(None, folder.path(), None).expect("a path");
        let options = store::Options {
            url,
            read_connections: 1,
            sets_memory_bytes: u64::MAX,
            now: START_MS,
            new_master: store::MasterKey::new([7; 32]),
            new_database_id: "test".into(),
        };
        let store = store::Store::open(data, options, &mut |_, _, _| {}).expect("opens the store");
        let clock = Clock::manual(START_MS);
        let limit = per_minute
            .and_then(NonZeroU32::new)
            .map(|per_minute| RateLimit { per_minute });
        let options = domain::Options {
            rate_limits: limit
                .map(|limit| HashMap::from([("native".to_owned(), limit)]))
                .unwrap_or_default(),
            ..domain::Options::closed(clock.clone(), Random::seeded(1))
        };
        let domain = Domain::start(store, options).await.expect("starts");
        let (workspace, _) = domain
            .workspace_default()
            .await
            .expect("makes the workspace");
        Server {
            router: native::router(domain.clone()),
            domain,
            workspace: workspace.id,
            clock,
            _folder: folder,
        }
    }

    /// A token of the first workspace.
    pub async fn token(&self, scopes: &str, structures: Option<Vec<i64>>) -> String {
        self.token_in(self.workspace, scopes, structures).await
    }

    pub async fn token_in(
        &self,
        workspace: i64,
        scopes: &str,
        structures: Option<Vec<i64>>,
    ) -> String {
        let context = Context::new(Caller::server(workspace), "test");
        let new = CredentialNew {
            dialect: "native".into(),
            name: "test".into(),
            scopes: scopes.into(),
            structures,
            expires: None,
            keep_secret: false,
        };
        self.domain
            .credential_create(&context, new, &["native"])
            .await
            .expect("makes a credential")
            .secret
    }

    pub async fn admin(&self) -> Client<'_> {
        self.client(self.token("admin installation", None).await)
    }

    pub fn client(&self, token: String) -> Client<'_> {
        Client {
            server: self,
            token: Some(token),
            headers: Vec::new(),
            mount: Mount::default(),
        }
    }

    pub fn stranger(&self) -> Client<'_> {
        Client {
            server: self,
            token: None,
            headers: Vec::new(),
            mount: Mount::default(),
        }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("answers");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).expect("UTF-8"),
            outcome: parts.extensions.get::<Outcome>().cloned(),
        }
    }
}

#[derive(Clone)]
pub struct Client<'a> {
    pub server: &'a Server,
    token: Option<String>,
    headers: Vec<(&'static str, String)>,
    mount: Mount,
}

impl Client<'_> {
    pub fn with(mut self, header: &'static str, value: &str) -> Self {
        self.headers.push((header, value.to_owned()));
        self
    }

    pub fn key(&self, key: &str) -> Self {
        self.clone().with("idempotency-key", key)
    }

    pub fn mounted(&self, workspace: i64) -> Self {
        Client {
            mount: Mount {
                workspace: Some(workspace),
            },
            ..self.clone()
        }
    }

    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        media_type: Option<&str>,
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(media_type) = media_type {
            request = request.header("content-type", media_type);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        self.server
            .send(
                request
                    .extension(self.mount)
                    .body(body.into())
                    .expect("a request"),
            )
            .await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.raw("GET", path, None, Body::empty()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.raw("DELETE", path, None, Body::empty()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.raw("POST", path, Some("application/json"), body.to_string())
            .await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.raw("PATCH", path, Some("application/json"), body.to_string())
            .await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.raw("PUT", path, Some("application/json"), body.to_string())
            .await
    }

    pub async fn structure(&self, name: &str) -> i64 {
        let made = self
            .post("/api/v1/structures", json!({"name": name}))
            .await
            .expect(201);
        made["id"].as_i64().expect("an id")
    }

    pub async fn audience(&self, structure: i64, name: &str) -> i64 {
        let made = self
            .post(
                "/api/v1/audiences",
                json!({"structure": structure, "name": name}),
            )
            .await
            .expect(201);
        made["id"].as_i64().expect("an id")
    }

    /// A structure with an audience.
    pub async fn pair(&self) -> (i64, i64) {
        let structure = self.structure("Shop").await;
        (structure, self.audience(structure, "Readers").await)
    }

    pub async fn add(&self, audience: i64, emails: &[&str]) -> Value {
        let body = json!({"kind": "email", "values": emails});
        self.post(&format!("/api/v1/audiences/{audience}/members/add"), body)
            .await
            .expect(200)
    }
}
