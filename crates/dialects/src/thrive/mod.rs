//! Thrive Public API: audiences, their members and managers, users, and webhooks, as the vendor's documentation and its one public
//! client have them.
//!
//! What it is: a translation. A handler parses, calls one verb of the domain and renders; vendor words are in `wire`,
//! conversions in `map`, statuses in `error`.
//! What it is not: no rule of the product lives here. What the vendor leaves open is settled in `README.md`, and in the code in
//! one place each.
//! Invariant: every answer below `/thrive` and `/thrive-user`, a panic's too, is in one of the vendor's shapes.

mod audiences;
mod auth;
mod call;
mod error;
mod json;
mod managers;
mod map;
mod map_user;
mod members;
mod profile;
mod provision;
mod query;
mod scope;
mod stream;
mod tenant;
mod token;
mod users;
mod webhooks;
mod wire;

use std::any::Any;

use axum::{
    Router,
    response::IntoResponse,
    routing::{MethodRouter, any, delete, get, patch, post},
};
use domain::Domain;
use tower_http::catch_panic::CatchPanicLayer;

pub use tenant::tenant_id;
pub(crate) use webhooks::event_request;

use call::{serve, serve_webhook};
use error::Problem;

use crate::panic::error_of;

/// The name of this dialect in credentials, limits and metrics, and the source of its users' records.
pub const DIALECT: &str = "thrive";

/// What a client needs for all of it.
pub const SCOPES: &str =
    "audiences:read audiences:write structures:write people:read people:write webhooks";

/// Where the paths of version 1 begin; the documentation shows them without anything before them.
const BASES: [&str; 2] = ["/thrive/rest/v1", "/thrive"];
/// Where users' life cycle is.
const LIFECYCLE: &str = "/thrive/rest/v2";
/// Where webhooks are: the vendor has a host of its own for them.
const WEBHOOKS: [&str; 4] = [
    "/thrive/rest/v1",
    "/thrive",
    "/thrive-user/rest/v1",
    "/thrive-user",
];
const ROOTS: [&str; 2] = ["/thrive", "/thrive-user"];

/// What a panic leaves behind.
type Panic = Box<dyn Any + Send>;

/// Everything below `/thrive` and `/thrive-user`; the paths are absolute, each with and without a slash at its end.
pub fn router(domain: Domain) -> Router {
    let mut routes = lifecycle_routes();
    for base in BASES {
        routes = routes.merge(audience_routes(base)).merge(user_routes(base));
    }
    for base in WEBHOOKS {
        routes = routes.merge(webhook_routes(base));
    }
    let mut routes = routes.method_not_allowed_fallback(async || Problem::wrong_method());
    for root in ROOTS {
        for path in [
            root.to_owned(),
            format!("{root}/"),
            format!("{root}/{{*rest}}"),
        ] {
            routes = routes.route(&path, any(async || Problem::no_route()));
        }
    }
    in_vendors_shape(routes)
        .merge(token_routes())
        .with_state(domain)
}

/// A route with and without a slash at its end.
fn at(routes: Router<Domain>, path: &str, methods: MethodRouter<Domain>) -> Router<Domain> {
    let slashed = format!("{path}/");
    routes.route(path, methods.clone()).route(&slashed, methods)
}

fn audience_routes(base: &str) -> Router<Domain> {
    let audiences = format!("{base}/audiences");
    let one = format!("{audiences}/{{audience}}");
    let routes = at(
        Router::new(),
        &audiences,
        get(|domain, request| serve(domain, request, audiences::list))
            .post(|domain, request| serve(domain, request, audiences::create)),
    );
    let routes = at(
        routes,
        &one,
        get(|domain, request| serve(domain, request, audiences::get))
            .patch(|domain, request| serve(domain, request, audiences::update))
            .delete(|domain, request| serve(domain, request, audiences::delete)),
    );
    let routes = at(
        routes,
        &format!("{one}/members"),
        get(|domain, request| serve(domain, request, members::list))
            .post(|domain, request| serve(domain, request, members::add))
            .patch(|domain, request| serve(domain, request, members::replace)),
    );
    let routes = at(
        routes,
        &format!("{one}/members/{{user}}"),
        delete(|domain, request| serve(domain, request, members::remove)),
    );
    let routes = at(
        routes,
        &format!("{one}/managers"),
        get(|domain, request| serve(domain, request, managers::list))
            .post(|domain, request| serve(domain, request, managers::add))
            .patch(|domain, request| serve(domain, request, managers::replace)),
    );
    at(
        routes,
        &format!("{one}/managers/{{user}}"),
        delete(|domain, request| serve(domain, request, managers::remove)),
    )
}

fn user_routes(base: &str) -> Router<Domain> {
    let routes = at(
        Router::new(),
        &format!("{base}/users"),
        get(|domain, request| serve(domain, request, users::list)),
    );
    let routes = at(
        routes,
        &format!("{base}/users/ref/{{ref}}"),
        get(|domain, request| serve(domain, request, users::get_by_ref)),
    );
    let routes = at(
        routes,
        &format!("{base}/users/ref"),
        get(|domain, request| serve(domain, request, users::without_ref)),
    );
    // The vendor's is the singular.
    let routes = at(
        routes,
        &format!("{base}/user/{{user}}"),
        get(|domain, request| serve(domain, request, users::get)),
    );
    at(
        routes,
        &format!("{base}/users/{{user}}"),
        get(|domain, request| serve(domain, request, users::get)),
    )
}

fn lifecycle_routes() -> Router<Domain> {
    let users = format!("{LIFECYCLE}/users");
    let routes = at(
        Router::new(),
        &users,
        post(|domain, request| serve(domain, request, users::create)),
    );
    let routes = at(
        routes,
        &format!("{users}/ref/{{ref}}"),
        patch(|domain, request| serve(domain, request, users::update_by_ref))
            .delete(|domain, request| serve(domain, request, users::delete_by_ref)),
    );
    let routes = at(
        routes,
        &format!("{users}/ref"),
        patch(|domain, request| serve(domain, request, users::without_ref))
            .delete(|domain, request| serve(domain, request, users::without_ref)),
    );
    let routes = at(
        routes,
        &format!("{users}/ref/{{ref}}/suspend"),
        patch(|domain, request| serve(domain, request, users::suspend_by_ref)),
    );
    let routes = at(
        routes,
        &format!("{users}/{{user}}"),
        patch(|domain, request| serve(domain, request, users::update_by_id))
            .delete(|domain, request| serve(domain, request, users::delete_by_id)),
    );
    at(
        routes,
        &format!("{users}/{{user}}/suspend"),
        patch(|domain, request| serve(domain, request, users::suspend_by_id)),
    )
}

fn webhook_routes(base: &str) -> Router<Domain> {
    let routes = at(
        Router::new(),
        &format!("{base}/webhooks"),
        get(|domain, request| serve_webhook(domain, request, webhooks::list))
            .post(|domain, request| serve_webhook(domain, request, webhooks::post)),
    );
    at(
        routes,
        &format!("{base}/webhooks/{{webhook}}"),
        get(|domain, request| serve_webhook(domain, request, webhooks::get))
            .delete(|domain, request| serve_webhook(domain, request, webhooks::delete)),
    )
}

/// The token endpoints answer in the words of RFC 6749, a panic too.
fn token_routes() -> Router<Domain> {
    let routes = at(
        Router::new(),
        "/thrive/oauth2/token/{tenant}",
        post(token::issue_public).fallback(token::wrong_method),
    );
    let routes = at(
        routes,
        "/thrive-user/oauth2/token/{tenant}",
        post(token::issue_webhook).fallback(token::wrong_method),
    );
    routes.layer(CatchPanicLayer::custom(|panic: Panic| {
        token::failed(error_of(&*panic))
    }))
}

/// Renders a panic as a refusal.
fn in_vendors_shape<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.layer(CatchPanicLayer::custom(|panic: Panic| {
        Problem::from(error_of(&*panic)).into_response()
    }))
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, extract::Request};
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
        let router: Router = in_vendors_shape(Router::new().route("/thrive/x", failing));
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = "/thrive/x".parse().expect("is a path");
        let response = router.oneshot(request).await.expect("never fails");
        assert_eq!(response.status(), 500);
        let outcome = response.extensions().get::<Outcome>().cloned();
        assert_eq!(
            outcome.unwrap_or_default().context.as_deref(),
            Some("panicked: what only the log may know")
        );
        let body = response.into_body().collect().await.expect("is whole");
        assert_eq!(
            body.to_bytes(),
            "{\"status\":500,\"error\":\"Internal Server Error\",\"message\":\"The server failed. The request's id \
             finds the reason in its log.\"}"
        );
    }
}
