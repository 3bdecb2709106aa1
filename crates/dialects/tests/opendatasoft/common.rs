//! A server in a temporary folder, and a client that speaks to its router.

use std::{collections::HashMap, num::NonZeroU32};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use domain::{
    AccountNew, Caller, Clock, Context, Domain, Entrance, IdentityProvider, KeyNew, Mount,
    Permissions, Random, RateLimit, Role, WorkspaceNew,
};
use http_body_util::BodyExt;
use serde_json::Value;
use throng_dialects::{
    KEY_DIALECTS,
    opendatasoft::{self, ExpandedGroups, Options},
    request::{Outcome, RequestId},
};
use tower::ServiceExt;

/// Where the manual clock stands at first.
pub const START_MS: i64 = 1_790_000_000_000;
pub const BASE: &str = "/opendatasoft/api/automation/v1.0";
pub const PUBLIC_URL: &str = "https://throng.example";
pub const PASSWORD: &str = "a long enough passphrase 1";

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
    /// The body, if the status is as expected.
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        if self.text.is_empty() {
            return Value::Null;
        }
        assert_eq!(self.header("content-type"), "application/json");
        serde_json::from_str(&self.text).expect("the answer is JSON")
    }

    /// The body, if it is the vendor's refusal of this status and code.
    pub fn refused(&self, status: u16, code: &str) -> Value {
        let body = self.expect(status);
        assert_eq!(body["error_code"], code, "{body}");
        assert!(
            body["message"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        let validation = code == "validation_error";
        assert_eq!(body.get("detail").is_some(), validation, "{body}");
        assert!(!self.headers.contains_key("retry-after"));
        body
    }

    /// The body, if this field is not valid.
    pub fn invalid(&self, field: &str) -> Value {
        let body = self.refused(400, "validation_error");
        let texts = body["detail"][field].as_array();
        assert!(texts.is_some_and(|texts| texts.len() == 1), "{body}");
        body
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("is ASCII"))
    }
}

fn provider(uid: &str) -> IdentityProvider {
    IdentityProvider {
        uid: uid.into(),
        issuer: format!("https://{uid}.example"),
        client_id: "throng".into(),
        client_secret: "a secret of the provider's".into(),
        workspace: "default".into(),
        create_accounts: false,
        link_by_email: false,
        role: Role::Advertiser,
    }
}

impl Server {
    pub async fn start() -> Server {
        Server::with(None, ExpandedGroups::Auto).await
    }

    pub async fn with(per_minute: Option<u32>, expanded_groups: ExpandedGroups) -> Server {
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
        let rate_limits = limit
            .map(|limit| HashMap::from([(opendatasoft::DIALECT.to_owned(), limit)]))
            .unwrap_or_default();
        let options = domain::Options {
            rate_limits,
            public_url: PUBLIC_URL.into(),
            providers: vec![provider("company"), provider("google")],
            ..domain::Options::closed(clock.clone(), Random::seeded(1))
        };
        let domain = Domain::start(store, options).await.expect("starts");
        let (workspace, _) = domain
            .workspace_default()
            .await
            .expect("makes the workspace");
        Server {
            router: opendatasoft::router(domain.clone(), Options { expanded_groups }),
            domain,
            workspace: workspace.id,
            clock,
            _folder: folder,
        }
    }

    /// Another workspace's id.
    pub async fn another_workspace(&self) -> i64 {
        let new = WorkspaceNew {
            slug: "other".into(),
            name: "Other".into(),
            keep_identifiers: false,
        };
        let caller = Caller::server(self.workspace);
        let made = self.domain.workspace_create(&caller, new).await;
        made.expect("makes a workspace").id
    }

    /// An account with a password and these permissions; its id.
    pub async fn account(&self, workspace: i64, name: &str, permissions: &str) -> i64 {
        let context = Context::new(Caller::server(workspace), "test");
        let new = AccountNew {
            username: Some(name.into()),
            permissions: Permissions::parse(permissions).expect("are permissions"),
            ..AccountNew::of(format!("{name}@example.com"))
        };
        let entrance = Entrance::Password(PASSWORD.into());
        let made = self.domain.account_create(&context, new, entrance).await;
        made.expect("makes an account").account.id
    }

    /// The secret of a key of an account.
    pub async fn key(&self, workspace: i64, account: i64, permissions: Option<&str>) -> String {
        let context = Context::new(Caller::server(workspace), "test");
        let new = KeyNew {
            label: "Test".into(),
            dialect: opendatasoft::DIALECT.into(),
            permissions: permissions
                .map(|permissions| Permissions::parse(permissions).expect("are permissions")),
            expires: None,
        };
        let made = self
            .domain
            .key_create(&context, account, new, KEY_DIALECTS)
            .await;
        made.expect("makes a key").secret
    }

    /// An administrator `root` of the first workspace, with a key without limits.
    pub async fn admin(&self) -> Client<'_> {
        let account = self.account(self.workspace, "root", "edit_domain").await;
        self.client(self.key(self.workspace, account, None).await)
    }

    pub fn client(&self, key: String) -> Client<'_> {
        Client {
            server: self,
            authorization: Some(format!("Apikey {key}")),
            key,
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
    pub key: String,
    authorization: Option<String>,
    headers: Vec<(&'static str, String)>,
    mount: Mount,
}

impl Client<'_> {
    pub fn with(mut self, header: &'static str, value: &str) -> Self {
        self.headers.push((header, value.to_owned()));
        self
    }

    /// With this Authorization header, or none.
    pub fn authorized(&self, header: Option<&str>) -> Self {
        Client {
            authorization: header.map(str::to_owned),
            ..self.clone()
        }
    }

    pub fn mounted(&self, workspace: i64) -> Self {
        Client {
            mount: Mount {
                workspace: Some(workspace),
            },
            ..self.clone()
        }
    }

    pub async fn raw(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{BASE}{path}"));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let request = request
            .extension(self.mount)
            .extension(RequestId("0123456789abcdef0123456789abcdef".into()));
        self.server
            .send(request.body(body.into()).expect("a request"))
            .await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.raw("GET", path, Body::empty()).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.raw("DELETE", path, Body::empty()).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.raw("POST", path, body.to_string()).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.raw("PUT", path, body.to_string()).await
    }

    /// Invites somebody of this name; what was answered of them.
    pub async fn invite(&self, name: &str, mut fields: Value) -> Value {
        fields["email"] = format!("{name}@example.com").into();
        let answer = self
            .post("/users/invite/", Value::Array(vec![fields]))
            .await;
        let answer = answer.expect(200);
        assert_eq!(answer["0"]["status_code"], "success", "{answer}");
        answer["0"]["data"].clone()
    }

    /// A group's uid.
    pub async fn group(&self, fields: Value) -> String {
        let made = self.post("/groups/", fields).await.expect(201);
        made["uid"].as_str().expect("a uid").to_owned()
    }

    /// The user names of a page, in its order.
    pub async fn names(&self, path: &str) -> Vec<String> {
        let page = self.get(path).await.expect(200);
        let results = page["results"].as_array().expect("results");
        let name = |user: &Value| user["username"].as_str().expect("a name").to_owned();
        results.iter().map(name).collect()
    }
}
