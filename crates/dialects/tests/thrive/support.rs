//! A server's worth of domain in a temporary folder, and a client that speaks to the dialect's router.

use std::{collections::HashMap, num::NonZeroU32};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    Caller, Clock, Context, CredentialNew, Domain, Mount, Options, Random, RateLimit, WorkspaceNew,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use throng_dialects::{
    DIALECTS,
    request::{Outcome, RequestId},
    thrive::{self, DIALECT, tenant_id},
    with_scopes,
};
use tower::ServiceExt;

/// 2024-03-15T10:30:00.000Z
pub const START_MS: i64 = 1_710_498_600_000;
pub const BASE: &str = "/thrive/rest/v1";
pub const LIFECYCLE: &str = "/thrive/rest/v2";

pub struct World {
    _folder: tempfile::TempDir,
    pub domain: Domain,
    pub clock: Clock,
    pub router: Router,
    pub workspace: i64,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub outcome: Outcome,
    /// Pieces that the body came in.
    pub pieces: usize,
}

impl Answer {
    /// The body, if the status is as expected.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(
            self.header("content-type"),
            "application/json; charset=utf-8"
        );
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The message, if it is the vendor's refusal of this status.
    #[track_caller]
    pub fn refused(&self, status: u16) -> String {
        let body = self.expect(status);
        let message = body["message"].as_str().expect("a message").to_owned();
        assert!(!message.is_empty());
        let expected = json!({
            "status": status,
            "error": self.status.canonical_reason().expect("a phrase"),
            "message": message,
        });
        assert_eq!(body, expected);
        assert!(!self.headers.contains_key("retry-after"));
        message
    }

    /// That it says that something is gone.
    #[track_caller]
    pub fn gone(&self) {
        assert_eq!(self.expect(200), json!({"success": true}));
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("is ASCII"))
    }
}

impl World {
    pub async fn new() -> World {
        World::start(HashMap::new()).await
    }

    pub async fn limited(per_minute: u32) -> World {
        let per_minute = NonZeroU32::new(per_minute).expect("is not zero");
        let limit = RateLimit { per_minute };
        World::start(HashMap::from([(DIALECT.to_owned(), limit)])).await
    }

    async fn start(rate_limits: HashMap<String, RateLimit>) -> World {
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
            rate_limits,
            ..Options::closed(clock.clone(), Random::seeded(7))
        };
        let domain = Domain::start(store, options).await.expect("starts");
        let workspace = domain.workspace_default().await.expect("is made").0.id;
        World {
            _folder: folder,
            router: thrive::router(domain.clone()),
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

    /// A client of the first workspace that may do everything, with Basic.
    pub async fn admin(&self) -> Client<'_> {
        self.client(self.workspace, "", None).await
    }

    pub async fn client(
        &self,
        workspace: i64,
        scopes: &str,
        structures: Option<Vec<i64>>,
    ) -> Client<'_> {
        let new = CredentialNew {
            dialect: DIALECT.into(),
            name: "HR system".into(),
            scopes: scopes.into(),
            structures,
            expires: None,
            keep_secret: false,
        };
        let context = Context::new(Caller::server(workspace), "test");
        let made = self
            .domain
            .credential_create(&context, with_scopes(new), DIALECTS)
            .await
            .expect("makes a credential");
        let tenant = tenant_id(workspace);
        Client {
            authorization: Some(basic(&tenant, &made.secret)),
            tenant,
            id: made.credential.client_id,
            secret: made.secret,
            credential: made.credential.id,
            mount: Mount::default(),
            world: self,
        }
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.expect("answers");
        let (parts, mut body) = response.into_parts();
        let (mut bytes, mut pieces) = (Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            let data = frame.expect("a whole body").into_data();
            bytes.extend(data.expect("is data"));
            pieces += 1;
        }
        Answer {
            status: parts.status,
            outcome: parts
                .extensions
                .get::<Outcome>()
                .cloned()
                .unwrap_or_default(),
            headers: parts.headers,
            text: String::from_utf8(bytes).expect("UTF-8"),
            pieces,
        }
    }
}

pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

#[derive(Clone)]
pub struct Client<'a> {
    pub world: &'a World,
    pub tenant: String,
    pub id: String,
    pub secret: String,
    pub credential: i64,
    authorization: Option<String>,
    mount: Mount,
}

impl Client<'_> {
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

    /// With a token of these scopes, from the mount that issues them.
    pub async fn bearer(&self, scope: &str) -> Self {
        let host = if scope.contains("webhooks") {
            "/thrive-user"
        } else {
            "/thrive"
        };
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&scope={scope}",
            self.id, self.secret
        );
        let path = format!("{host}/oauth2/token/{}", self.tenant);
        let answer = self.authorized(None).raw("POST", &path, form).await;
        let body: Value = serde_json::from_str(&answer.text).expect("JSON");
        let token = body["access_token"].as_str().expect("a token");
        self.authorized(Some(&format!("Bearer {token}")))
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

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = match body {
            Value::Null => Body::empty(),
            body => Body::from(body.to_string()),
        };
        self.raw(method, &format!("{BASE}{path}"), body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, Value::Null).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, Value::Null).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, body).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, body).await
    }

    /// Of users' life cycle.
    pub async fn v2(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = match body {
            Value::Null => Body::empty(),
            body => Body::from(body.to_string()),
        };
        self.raw(method, &format!("{LIFECYCLE}{path}"), body).await
    }

    /// A structure's id.
    pub async fn structure(&self, reference: &str) -> String {
        let body = json!({"name": reference, "reference": reference});
        id(&self.post("/audiences", body).await.expect(201))
    }

    /// The id of an audience in a structure.
    pub async fn audience(&self, structure: &str, reference: &str) -> String {
        let body = json!({"name": reference, "reference": reference, "parentId": structure});
        id(&self.post("/audiences", body).await.expect(201))
    }

    /// A user's id.
    pub async fn user(&self, reference: &str) -> String {
        let body = json!({
            "ref": reference,
            "firstName": "First",
            "lastName": "Last",
            "email": format!("{reference}@example.com"),
        });
        id(&self.v2("POST", "/users", body).await.expect(201))
    }

    pub async fn users(&self, references: &[&str]) {
        for reference in references {
            self.user(reference).await;
        }
    }

    /// Puts users into an audience.
    pub async fn add(&self, audience: &str, references: &[&str]) {
        let path = format!("/audiences/{audience}/members");
        self.post(&path, json!(references)).await.expect(200);
    }

    /// The references of a list of members, in order.
    pub async fn members(&self, audience: &str) -> Vec<String> {
        let path = format!("/audiences/{audience}/members?perPage=1000");
        let page = self.get(&path).await.expect(200);
        let mut found: Vec<String> = texts(&page["results"], "reference");
        let total = page["pagination"]["totalResults"].as_u64();
        assert_eq!(total, Some(found.len() as u64));
        found.sort_unstable();
        found
    }
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

/// The result of adding or replacing as `(successes, failures with reasons)`.
pub fn result(body: &Value) -> (Vec<String>, Vec<(String, String)>) {
    let success = texts(&body["success"]["entities"], "reference");
    assert_eq!(body["success"]["count"], success.len());
    let Some(failure) = body.get("failure") else {
        return (success, Vec::new());
    };
    let failed = texts(&failure["entities"], "reference");
    assert_eq!(failure["count"], failed.len());
    let reasons = texts(&failure["entities"], "reason");
    (success, failed.into_iter().zip(reasons).collect())
}
