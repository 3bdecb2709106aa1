//! A server's worth of domain in a temporary folder, and requests to the dialect's router.

use std::{collections::HashMap, num::NonZeroU32};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header::HeaderName},
};
use domain::{
    Caller, Clock, Context, CredentialNew, Domain, Mount, Options, Random, RateLimit, StructureNew,
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use store::{DataFolder, DatabaseUrl, MasterKey, Store};
use tempfile::TempDir;
use throng_dialects::{
    DIALECTS,
    criteo::{self, DIALECT},
    request::{Outcome, RequestId},
};
use tower::ServiceExt;

/// 2020-09-09T18:21:16.383Z, the vendor's example.
pub const NOW_MS: i64 = 1_599_675_676_383;
pub const BASE: &str = "/criteo/marketing";
pub const USERLIST: &str = "/v1/audiences/userlist";

pub struct World {
    _folder: TempDir,
    pub domain: Domain,
    pub clock: Clock,
    pub router: Router,
    pub workspace: i64,
    pub credential: i64,
    pub client_id: String,
    pub client_secret: String,
    pub advertiser: i64,
    pub foreign: i64,
    pub token: String,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
    pub outcome: Outcome,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("is text"))
    }

    /// That it is a refusal in the vendor's shape.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        let body = self.json();
        let error = &body["errors"][0];
        assert_eq!(error["code"], code, "{}", self.text);
        assert_eq!(error["traceId"], "request-7");
        assert!(
            error["instance"]
                .as_str()
                .is_some_and(|path| path.starts_with('/'))
        );
        assert!(
            error["title"]
                .as_str()
                .is_some_and(|title| !title.is_empty())
        );
        assert_eq!(body["warnings"], json!([]));
        assert_eq!(self.header("retry-after"), "");
    }
}

impl World {
    pub async fn new() -> World {
        World::start(HashMap::new()).await
    }

    pub async fn limited(per_minute: u32) -> World {
        let per_minute = NonZeroU32::new(per_minute).expect("is not zero");
        World::start(HashMap::from([(
            DIALECT.to_owned(),
            RateLimit { per_minute },
        )]))
        .await
    }

    async fn start(rate_limits: HashMap<String, RateLimit>) -> World {
        let folder = tempfile::tempdir().expect("makes a folder");
        let clock = Clock::manual(NOW_MS);
        let data = DataFolder::open(folder.path()).expect("opens the folder");
        let options = store::Options {
            url: DatabaseUrl::parse(None, folder.path(), None).expect("is a path"),
            read_connections: 1,
            sets_memory_bytes: u64::MAX,
            now: NOW_MS,
            new_master: MasterKey::new([7; 32]),
            new_database_id: "test".into(),
        };
        let store = Store::open(data, options, &mut |_, _, _| {}).expect("opens the store");
        let random = Random::seeded(7);
        let options = Options {
            rate_limits,
            ..Options::closed(clock.clone(), random)
        };
        let domain = Domain::start(store, options).await.expect("starts");
        let workspace = domain.workspace_default().await.expect("is made").0.id;
        let mut world = World {
            _folder: folder,
            router: criteo::router(domain.clone()),
            domain,
            clock,
            workspace,
            credential: 0,
            client_id: String::new(),
            client_secret: String::new(),
            advertiser: 0,
            foreign: 0,
            token: String::new(),
        };
        world.advertiser = world.structure("Acme").await;
        world.foreign = world.structure("Somebody else").await;
        let made = world
            .client(workspace, Some(vec![world.advertiser]), "")
            .await;
        (world.credential, world.client_id, world.client_secret) = made;
        world.token = world.token_of(&world.client_id, &world.client_secret).await;
        world
    }

    pub fn server(&self) -> Context {
        Context::new(Caller::server(self.workspace), "test")
    }

    pub async fn structure(&self, name: &str) -> i64 {
        let new = StructureNew::new(name);
        self.domain
            .structure_create(&self.server(), new)
            .await
            .expect("is made")
            .id
    }

    /// A client of a workspace: the credential's id, the client's id and secret.
    pub async fn client(
        &self,
        workspace: i64,
        structures: Option<Vec<i64>>,
        scopes: &str,
    ) -> (i64, String, String) {
        let new = CredentialNew {
            dialect: DIALECT.into(),
            name: "uploader".into(),
            scopes: scopes.into(),
            structures,
            expires: None,
            keep_secret: false,
        };
        let context = Context::new(Caller::server(workspace), "test");
        let made = self
            .domain
            .credential_create(&context, new, DIALECTS)
            .await
            .expect("is made");
        (made.credential.id, made.credential.client_id, made.secret)
    }

    pub async fn token_of(&self, client_id: &str, client_secret: &str) -> String {
        let issued = self
            .domain
            .token_issue(Mount::default(), DIALECT, client_id, client_secret);
        issued.await.expect("is issued").token
    }

    /// The same world, called by this client from here on.
    pub async fn with_client(mut self, client_id: &str, client_secret: &str) -> World {
        self.token = self.token_of(client_id, client_secret).await;
        self
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
            status: parts.status,
            outcome: parts
                .extensions
                .get::<Outcome>()
                .cloned()
                .unwrap_or_default(),
            headers: parts.headers,
            text: String::from_utf8(bytes.to_vec()).expect("is UTF-8"),
        }
    }

    /// A request with headers as `name: value`, as if the server had given it an id.
    pub fn request(
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Request<Body> {
        let method: Method = method.parse().expect("is a method");
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(body)
            .expect("is whole");
        request
            .extensions_mut()
            .insert(RequestId("request-7".into()));
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("is a name");
            request
                .headers_mut()
                .append(name, value.parse().expect("is a value"));
        }
        request
    }

    /// A call of the API with this client's token.
    pub async fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = World::request(method, &format!("{BASE}{path}"), headers, body.into());
        let bearer = format!("Bearer {}", self.token)
            .parse()
            .expect("is a value");
        request.headers_mut().insert("authorization", bearer);
        self.send(request).await
    }

    pub async fn json(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call(
            method,
            path,
            &[("content-type", "application/json")],
            body.to_string(),
        )
        .await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(
            "GET",
            path,
            &[("content-type", "application/json")],
            Body::empty(),
        )
        .await
    }

    pub async fn create(&self, name: &str) -> i64 {
        let body = json!({"advertiserId": self.advertiser, "name": name});
        let answer = self.json("POST", USERLIST, body).await;
        answer.json()["audienceId"].as_i64().expect("is a number")
    }

    /// An audience of the advertiser outside the portfolio.
    pub async fn create_foreign(&self) -> i64 {
        let new = domain::AudienceNew::new(self.foreign, "theirs");
        self.domain
            .audience_create(&self.server(), new)
            .await
            .expect("is made")
            .id
    }

    pub async fn patch(&self, audience: i64, body: Value) -> Answer {
        self.json("PATCH", &format!("{USERLIST}/{audience}"), body)
            .await
    }

    /// The audience as it is listed.
    pub async fn listed(&self, audience: i64) -> Value {
        let all = self.get("/v1/audiences").await.json();
        let rows = all["audiences"].as_array().expect("is a list").clone();
        rows.into_iter()
            .find(|row| row["id"] == audience)
            .unwrap_or_default()
    }

    pub async fn lines(&self, audience: i64) -> (u64, u64, u64) {
        let row = self.listed(audience).await;
        let number = |name: &str| row[name].as_u64().expect("is a number");
        (
            number("nbLines"),
            number("nbLinesEmail"),
            number("nbMatchesEmail"),
        )
    }
}
