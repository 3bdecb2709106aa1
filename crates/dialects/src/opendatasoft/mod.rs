//! Opendatasoft Automation API v1.0: users, user groups and API keys, as the vendor's clients expect them.
//!
//! What it is: a translation. A handler parses, calls one verb of the domain and renders; vendor words are in `wire`,
//! conversions in `map`, statuses and codes in `error`.
//! What it is not: no rule of the product lives here. What the vendor leaves open is settled in `README.md`.
//! Invariant: every answer below `/opendatasoft`, a panic's too, is in the vendor's shape.

mod auth;
mod bulk;
mod call;
mod csv;
mod error;
mod export;
mod groups;
mod json;
mod keys;
mod map;
mod members;
mod query;
mod users;
mod wire;

use std::any::Any;

use axum::{
    Router, middleware,
    response::IntoResponse,
    routing::{any, delete, get, post},
};
use domain::Domain;
use tower_http::catch_panic::CatchPanicLayer;

use call::{Served, serve};
use error::Problem;

use crate::panic::error_of;

/// The name of this dialect in credentials, limits and metrics.
pub const DIALECT: &str = "opendatasoft";

const BASE: &str = "/opendatasoft/api/automation/v1.0";

/// How the groups of a user are written where a request asks for them expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpandedGroups {
    /// Whole, but without their title to the generated Python client, which cannot read them.
    Auto,
    /// Whole, as the vendor documents it.
    Full,
    /// As where they are not expanded.
    Uid,
}

/// What an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub expanded_groups: ExpandedGroups,
}

/// Everything below `/opendatasoft`; the paths are absolute. Each ends with a slash, as the vendor's do.
pub fn router(domain: Domain, options: Options) -> Router {
    let routes = users_routes()
        .merge(groups_routes())
        .merge(keys_routes())
        .method_not_allowed_fallback(async || Problem::wrong_method())
        .route("/opendatasoft", any(async || Problem::no_route()))
        .route("/opendatasoft/", any(async || Problem::no_route()))
        .route("/opendatasoft/{*rest}", any(async || Problem::no_route()));
    in_vendors_shape(routes).with_state(Served { domain, options })
}

fn at(path: &str) -> String {
    format!("{BASE}/{path}")
}

fn users_routes() -> Router<Served> {
    Router::new()
        .route(
            &at("users/"),
            get(|served, request| serve(served, request, users::list)),
        )
        .route(
            &at("users/export/"),
            get(|served, request| serve(served, request, export::users)),
        )
        .route(
            &at("users/invite/"),
            post(|served, request| serve(served, request, bulk::invite)),
        )
        .route(
            &at("users/provision/"),
            post(|served, request| serve(served, request, bulk::provision)),
        )
        .route(
            &at("users/{username}/"),
            get(|served, request| serve(served, request, users::get))
                .put(|served, request| serve(served, request, users::update))
                .delete(|served, request| serve(served, request, users::delete)),
        )
}

fn groups_routes() -> Router<Served> {
    Router::new()
        .route(
            &at("groups/"),
            get(|served, request| serve(served, request, groups::list))
                .post(|served, request| serve(served, request, groups::create)),
        )
        .route(
            &at("groups/{group_uid}/"),
            get(|served, request| serve(served, request, groups::get))
                .put(|served, request| serve(served, request, groups::update))
                .delete(|served, request| serve(served, request, groups::delete)),
        )
        .route(
            &at("groups/{group_uid}/users/"),
            get(|served, request| serve(served, request, members::list))
                .post(|served, request| serve(served, request, members::add)),
        )
        .route(
            &at("groups/{group_uid}/users/batch/"),
            post(|served, request| serve(served, request, members::add_all)),
        )
        .route(
            &at("groups/{group_uid}/users/{username}/"),
            delete(|served, request| serve(served, request, members::remove)),
        )
}

fn keys_routes() -> Router<Served> {
    Router::new()
        .route(
            &at("apikeys/"),
            get(|served, request| serve(served, request, keys::list))
                .post(|served, request| serve(served, request, keys::create)),
        )
        .route(
            &at("apikeys/search_key/"),
            post(|served, request| serve(served, request, keys::search)),
        )
        .route(
            &at("apikeys/{apikey_uid}/"),
            get(|served, request| serve(served, request, keys::get))
                .put(|served, request| serve(served, request, keys::update)),
        )
        .route(
            &at("apikeys/{apikey_uid}/revoke/"),
            post(|served, request| serve(served, request, keys::revoke)),
        )
}

/// Renders refusals, and a panic as one.
fn in_vendors_shape<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    let catch =
        CatchPanicLayer::custom(|panic: Box<dyn Any + Send>| panicked(&*panic).into_response());
    routes
        .layer(catch)
        .layer(middleware::from_fn(error::finish))
}

fn panicked(panic: &(dyn Any + Send)) -> Problem {
    error_of(panic).into()
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, extract::Request};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::request::{Outcome, RequestId};

    #[tokio::test]
    async fn a_panic_is_answered_in_the_vendors_shape() {
        let failing = get(async || {
            if true {
                panic!("what only the log may know")
            }
        });
        let router: Router = in_vendors_shape(Router::new().route("/opendatasoft/x", failing));
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = "/opendatasoft/x".parse().expect("is a path");
        let id = "0123456789abcdef0123456789abcdef";
        request.extensions_mut().insert(RequestId(id.into()));
        let response = router.oneshot(request).await.expect("never fails");
        assert_eq!(response.status(), 500);
        let outcome = response
            .extensions()
            .get::<Outcome>()
            .cloned()
            .unwrap_or_default();
        assert_eq!(
            outcome.context.as_deref(),
            Some(
                "panicked: what only the log may know (trace_id 01234567-89ab-cdef-0123-456789abcdef)"
            )
        );
        let body = response
            .into_body()
            .collect()
            .await
            .expect("is whole")
            .to_bytes();
        assert_eq!(
            body,
            "{\"error_code\":\"internal_error\",\"message\":\"The server failed. The request's id finds the reason in its \
             log.\",\"trace_id\":\"01234567-89ab-cdef-0123-456789abcdef\"}"
        );
    }
}
