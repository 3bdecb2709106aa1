//! A server's worth of domain in a temporary folder, and requests to the dialect's router.

use std::{collections::HashMap, num::NonZeroU32};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request},
};
use domain::{
    AccountNew, Caller, Clock, Context, Domain, Entrance, Mount, Random, RateLimit, Role,
    WorkspaceNew,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use throng_dialects::{
    a2::{self, DIALECT, Options},
    request::Outcome,
};
use tower::ServiceExt;

pub const NOW_MS: i64 = 1_790_000_000_000;
pub const PASSWORD: &str = "a horse of nine letters";
pub const UNKNOWN: &str = "3c90c3cc-0d44-4b50-8888-8dd25736052a";

pub struct World {
    _folder: tempfile::TempDir,
    pub domain: Domain,
    pub clock: Clock,
    pub router: Router,
    pub workspace: i64,
    pub admin: User,
}

/// Somebody who has signed in.
#[derive(Debug, Clone)]
pub struct User {
    pub email: String,
    pub id: String,
    pub number: i64,
    pub token: String,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub outcome: Outcome,
}

impl Answer {
    /// The body, if the status is as expected.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    #[track_caller]
    pub fn refused(self, status: u16, detail: &str) {
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(self.expect(status), json!({"detail": detail}));
    }

    /// That it is 422 with one entry of this type at this place.
    #[track_caller]
    pub fn invalid(self, kind: &str, loc: Value) {
        let body = self.expect(422);
        let entries = body["detail"].as_array().expect("is a list");
        assert_eq!(entries.len(), 1, "{body}");
        assert_eq!(
            (&entries[0]["type"], &entries[0]["loc"]),
            (&json!(kind), &loc)
        );
    }

    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().expect("is text"))
    }
}

impl World {
    pub async fn new() -> World {
        World::with(None, true).await
    }

    pub async fn limited(per_minute: u32) -> World {
        World::with(NonZeroU32::new(per_minute), true).await
    }

    pub async fn closed() -> World {
        World::with(None, false).await
    }

    async fn with(per_minute: Option<NonZeroU32>, consents_open: bool) -> World {
        let folder = tempfile::tempdir().expect("makes a folder");
        let data = store::DataFolder::open(folder.path()).expect("opens the folder");
        let options = store::Options {
            url: store::DatabaseUrl::parse(None, folder.path(), None).expect("is a path"),
            read_connections: 1,
            sets_memory_bytes: u64::MAX,
            now: NOW_MS,
            new_master: store::MasterKey::new([7; 32]),
            new_database_id: "test".into(),
        };
        let store = store::Store::open(data, options, &mut |_, _, _| {}).expect("opens");
        let clock = Clock::manual(NOW_MS);
        let limits = per_minute.map(|per_minute| (DIALECT.to_owned(), RateLimit { per_minute }));
        let options = domain::Options {
            rate_limits: limits.into_iter().collect::<HashMap<_, _>>(),
            ..domain::Options::closed(clock.clone(), Random::seeded(7))
        };
        let domain = Domain::start(store, options).await.expect("starts");
        let workspace = domain.workspace_default().await.expect("is made").0.id;
        let options = Options {
            token_life_s: 3_600,
            consents_open,
        };
        let mut world = World {
            _folder: folder,
            router: a2::router(domain.clone(), options),
            domain,
            clock,
            workspace,
            admin: User {
                email: String::new(),
                id: String::new(),
                number: 0,
                token: String::new(),
            },
        };
        world.admin = world.user("admin@example.com", Role::Admin).await;
        world
    }

    /// An account of the first workspace, signed in.
    pub async fn user(&self, email: &str, role: Role) -> User {
        self.user_in(self.workspace, email, role).await
    }

    pub async fn user_in(&self, workspace: i64, email: &str, role: Role) -> User {
        let context = Context::new(Caller::server(workspace), "test");
        let new = AccountNew {
            name: Some("Ann Lee".into()),
            role,
            ..AccountNew::of(email)
        };
        let made = self
            .domain
            .account_create(&context, new, Entrance::Password(PASSWORD.into()))
            .await
            .expect("is made");
        let mount = Mount {
            workspace: Some(workspace),
        };
        let form = format!("username={email}&password={}", PASSWORD.replace(' ', "+"));
        let request = Request::post("/a2/auth/jwt/login")
            .header("content-type", "application/x-www-form-urlencoded")
            .extension(mount);
        let answer = self
            .send(request.body(form.into()).expect("is whole"))
            .await;
        let token = answer.expect(200)["access_token"]
            .as_str()
            .expect("is text")
            .to_owned();
        let me = self.call("GET", "/users/me", Some(&token), None).await;
        let me = me.expect(200);
        User {
            email: email.into(),
            id: me["id"].as_str().expect("is text").into(),
            number: made.account.id,
            token,
        }
    }

    /// A second workspace.
    pub async fn workspace(&self, slug: &str) -> i64 {
        let new = WorkspaceNew {
            slug: slug.into(),
            name: slug.into(),
            keep_identifiers: false,
        };
        let caller = Caller::server(self.workspace);
        let made = self.domain.workspace_create(&caller, new).await;
        made.expect("is made").id
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("never fails");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("is whole").to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).expect("is UTF-8"),
            outcome: parts
                .extensions
                .get::<Outcome>()
                .cloned()
                .unwrap_or_default(),
        }
    }

    /// A call with JSON, below the bare base.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
    ) -> Answer {
        let kind = "application/json";
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.raw(method, path, token, kind, body).await
    }

    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        kind: &str,
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/a2{path}"));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.header("content-type", kind);
        self.send(request.body(body.into()).expect("is whole"))
            .await
    }

    pub async fn me(&self, user: &User) -> Value {
        self.call("GET", "/users/me", Some(&user.token), None)
            .await
            .expect(200)
    }

    pub async fn patch(&self, path: &str, by: &User, body: Value) -> Answer {
        self.call("PATCH", path, Some(&by.token), Some(body)).await
    }
}
