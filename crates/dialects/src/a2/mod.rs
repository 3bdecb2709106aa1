//! A2's *Auth and User* and its activity log: accounts, sessions, consents, as the vendor's FastAPI-Users application has
//! them.
//!
//! What it is: a translation. A handler parses, calls one verb of the domain and renders; vendor words are in `wire`,
//! conversions in `map`, refusals in `error` and `invalid`.
//! What it is not: no rule of the product lives here. What the vendor leaves open is settled in `README.md`.
//! Invariant: every answer below `/a2`, a panic's too, is in the vendor's shape.

mod activity;
mod auth;
mod call;
mod consents;
mod datetime;
mod error;
mod fields;
mod form;
mod google;
mod invalid;
mod json;
mod map;
mod users;
mod uuid;
mod wire;

use std::any::Any;

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
    routing::{MethodRouter, any, get, patch, post},
};
use domain::Domain;
use tower_http::catch_panic::CatchPanicLayer;

use call::{consenting, open, signed};
use error::Problem;

use crate::{panic::error_of, request::Reached};

/// The name of this dialect in credentials, limits and metrics.
pub const DIALECT: &str = "a2";

/// What an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How long a session's token is good for.
    pub token_life_s: u64,
    /// Consents are open to whoever knows account and address, as the vendor documents it; else only to the account itself.
    pub consents_open: bool,
}

/// What a handler is given of the server.
#[derive(Debug, Clone)]
struct Server {
    domain: Domain,
    options: Options,
}

/// Where the API's paths begin: the vendor's reference writes them bare, its tutorials below `/api`.
const BASES: [&str; 2] = ["/a2/api", "/a2"];

/// Every path below a base; `{id}` stands for one segment.
const PATHS: [&str; 18] = [
    "/auth/register",
    "/auth/jwt/login",
    "/auth/jwt/logout",
    "/auth/forgot-password",
    "/auth/reset-password",
    "/auth/request-verify-token",
    "/auth/verify",
    "/auth/google",
    "/auth/google/authorize",
    "/auth/google/callback",
    "/privacy/consents",
    "/privacy/consents/{id}",
    "/user/info",
    "/user/budget",
    "/users",
    "/users/me",
    "/users/{id}",
    "/activity-logs",
];

/// What a panic leaves behind.
type Panic = Box<dyn Any + Send>;

/// Everything below `/a2`; the paths are absolute.
pub fn router(domain: Domain, options: Options) -> Router {
    let mut api = Router::new();
    for base in BASES {
        api = api
            .merge(ways_in(base))
            .merge(providers(base))
            .merge(accounts(base));
    }
    for rest in ["", "/", "/{*rest}"] {
        api = api.route(&format!("/a2{rest}"), any(no_route));
    }
    in_vendors_shape(api).with_state(Server { domain, options })
}

fn ways_in(base: &str) -> Router<Server> {
    let at = |path: &str| format!("{base}/auth/{path}");
    Router::new()
        .route(
            &at("register"),
            only("POST", post(|to, it| open(to, it, auth::register))),
        )
        .route(
            &at("jwt/login"),
            only("POST", post(|to, it| open(to, it, auth::login))),
        )
        .route(
            &at("jwt/logout"),
            only("POST", post(|to, it| signed(to, it, auth::logout))),
        )
        .route(
            &at("forgot-password"),
            only("POST", post(|to, it| open(to, it, auth::forgot_password))),
        )
        .route(
            &at("reset-password"),
            only("POST", post(|to, it| open(to, it, auth::reset_password))),
        )
        .route(
            &at("request-verify-token"),
            only("POST", post(|to, it| open(to, it, auth::request_verify))),
        )
        .route(
            &at("verify"),
            only("POST", post(|to, it| open(to, it, auth::verify))),
        )
}

fn providers(base: &str) -> Router<Server> {
    let at = |path: &str| format!("{base}/auth/google{path}");
    Router::new()
        .route(
            &at(""),
            only("POST", post(|to, it| open(to, it, google::sign_in))),
        )
        .route(
            &at("/authorize"),
            only("GET", get(|to, it| open(to, it, google::authorize))),
        )
        .route(
            &at("/callback"),
            only("GET", get(|to, it| open(to, it, google::callback))),
        )
}

fn accounts(base: &str) -> Router<Server> {
    let at = |path: &str| format!("{base}{path}");
    Router::new()
        .route(
            &at("/privacy/consents"),
            only("POST", post(|to, it| consenting(to, it, consents::upsert))),
        )
        .route(
            &at("/privacy/consents/{id}"),
            only("GET", get(|to, it| consenting(to, it, consents::list))),
        )
        .route(
            &at("/user/info"),
            only("PATCH", patch(|to, it| signed(to, it, users::update))),
        )
        .route(
            &at("/user/budget"),
            only("PATCH", patch(|to, it| signed(to, it, users::budget))),
        )
        .route(
            &at("/users"),
            only(
                "GET, DELETE",
                get(|to, it| signed(to, it, users::list))
                    .delete(|to, it| signed(to, it, users::delete)),
            ),
        )
        .route(
            &at("/users/me"),
            only("GET", get(|to, it| signed(to, it, users::me))),
        )
        .route(
            &at("/users/{id}"),
            only("GET", get(|to, it| signed(to, it, users::one))),
        )
        .route(
            &at("/activity-logs"),
            only("GET", get(|to, it| signed(to, it, activity::list))),
        )
}

/// Refuses the methods that a path has not, HEAD and OPTIONS among them, as FastAPI does.
fn only(allow: &'static str, routes: MethodRouter<Server>) -> MethodRouter<Server> {
    let wrong = async move || Problem::wrong_method(allow);
    routes.head(wrong).fallback(wrong)
}

/// A path with a slash too many is sent to the one without (307, so that method and body stay); all others are 404.
async fn no_route(request: Request) -> Response {
    let path = request.uri().path();
    let trimmed = path.trim_end_matches('/');
    if trimmed.len() == path.len() || !is_path(trimmed) {
        return Problem::no_route().into_response();
    }
    let reached = request.extensions().get::<Reached>();
    let asked = reached.map_or(path, |reached| &reached.path);
    let mut location = asked.trim_end_matches('/').to_owned();
    if let Some(query) = request.uri().query() {
        location = format!("{location}?{query}");
    }
    match HeaderValue::from_str(&location) {
        Ok(location) => (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, location)]).into_response(),
        Err(_) => Problem::no_route().into_response(),
    }
}

fn is_path(path: &str) -> bool {
    let below = BASES.iter().filter_map(|base| path.strip_prefix(base));
    below.into_iter().any(|path| {
        PATHS.iter().any(|known| match known.strip_suffix("{id}") {
            None => *known == path,
            Some(parent) => path
                .strip_prefix(parent)
                .is_some_and(|id| !id.is_empty() && !id.contains('/')),
        })
    })
}

/// Renders a panic as a refusal.
fn in_vendors_shape<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    let catch = CatchPanicLayer::custom(|panic: Panic| panicked(&*panic).into_response());
    routes.layer(catch)
}

fn panicked(panic: &(dyn Any + Send)) -> Problem {
    error_of(panic).into()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::request::Outcome;

    #[tokio::test]
    async fn a_panic_is_answered_in_the_vendors_shape() {
        let failing = get(async || {
            if true {
                panic!("what only the log may know")
            }
        });
        let router: Router = in_vendors_shape(Router::new().route("/a2/x", failing));
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = "/a2/x".parse().expect("is a path");
        let response = router.oneshot(request).await.expect("never fails");
        assert_eq!(response.status(), 500);
        let outcome = response.extensions().get::<Outcome>().cloned();
        assert_eq!(
            outcome.unwrap_or_default().context.as_deref(),
            Some("panicked: what only the log may know")
        );
        let body = response.into_body().collect().await.expect("is whole");
        assert_eq!(body.to_bytes(), "{\"detail\":\"Internal Server Error\"}");
    }

    #[test]
    fn paths_are_known_below_each_base() {
        for known in ["/a2/users", "/a2/api/users/me", "/a2/privacy/consents/x"] {
            assert!(is_path(known), "{known}");
        }
        for unknown in ["/a2", "/a2/api", "/a2/users/x/y", "/a2/user", "/b/users"] {
            assert!(!is_path(unknown), "{unknown}");
        }
    }
}
