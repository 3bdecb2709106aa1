//! Criteo Marketing API v1: audiences, the portfolio and the token endpoint, as the vendor's clients expect them.
//!
//! What it is: a translation. A handler parses, calls one verb of the domain and renders; vendor words are in [`wire`],
//! conversions in [`map`], statuses and codes in [`error`].
//! What it is not: no rule of the product lives here. What the vendor leaves open is settled in `README.md`.
//! Invariant: every answer below `/criteo`, a panic's too, is in one of the vendor's shapes.

mod audiences;
mod auth;
mod call;
mod error;
mod fields;
mod form;
mod json;
mod map;
mod media;
mod portfolio;
mod token;
mod wire;
mod xml;

use std::any::Any;

use axum::{
    Router, middleware,
    response::IntoResponse,
    routing::{any, delete, get, patch, post},
};
use domain::{Domain, Error};
use tower_http::catch_panic::CatchPanicLayer;

use call::serve;
use error::Problem;

/// The name of this dialect in credentials, limits and metrics.
pub const DIALECT: &str = "criteo";

/// Where the API's paths begin; the vendor has served them under the first two.
const BASES: [&str; 3] = ["/criteo/marketing", "/criteo/legacy/marketing", "/criteo"];

/// What a panic leaves behind.
type Panic = Box<dyn Any + Send>;

/// Everything below `/criteo`; the paths are absolute.
pub fn router(domain: Domain) -> Router {
    let mut api = Router::new();
    let mut tokens = Router::new();
    for base in BASES {
        api = api.merge(operations(base));
        let issue = post(token::issue).fallback(token::wrong_method);
        tokens = tokens.route(&format!("{base}/oauth2/token"), issue);
    }
    let api = api
        .method_not_allowed_fallback(async || Problem::wrong_method())
        .route("/criteo", any(async || Problem::no_route()))
        .route("/criteo/", any(async || Problem::no_route()))
        .route("/criteo/{*rest}", any(async || Problem::no_route()));
    let tokens = tokens.layer(CatchPanicLayer::custom(|panic: Panic| {
        token::failed(panicked(&*panic))
    }));
    in_vendors_shape(api).merge(tokens).with_state(domain)
}

fn operations(base: &str) -> Router<Domain> {
    let at = |path: &str| format!("{base}/v1/{path}");
    Router::new()
        .route(
            &at("audiences"),
            get(|domain, request| serve(domain, request, audiences::list)),
        )
        .route(
            &at("audiences/userlist"),
            post(|domain, request| serve(domain, request, audiences::create)),
        )
        .route(
            &at("audiences/userlist/{id}"),
            patch(|domain, request| serve(domain, request, audiences::patch)),
        )
        .route(
            &at("audiences/userlist/{id}/users"),
            delete(|domain, request| serve(domain, request, audiences::empty)),
        )
        .route(
            &at("audiences/{id}"),
            delete(|domain, request| serve(domain, request, audiences::delete))
                .put(|domain, request| serve(domain, request, audiences::update)),
        )
        .route(
            &at("portfolio"),
            get(|domain, request| serve(domain, request, portfolio::list)),
        )
}

/// Renders refusals, and a panic as one.
fn in_vendors_shape<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    let catch = CatchPanicLayer::custom(|panic: Panic| panicked(&*panic).into_response());
    routes.layer(catch).layer(middleware::from_fn(call::finish))
}

fn panicked(panic: &(dyn Any + Send)) -> Problem {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Error::Internal {
        context: format!("panicked: {text}"),
    }
    .into()
}
