//! Criteo Marketing API v1: audiences, the portfolio and the token endpoint, as the vendor's clients expect them.
//!
//! What it is: a translation. A handler parses, calls one verb of the domain and renders; vendor words are in `wire`,
//! conversions in `map`, statuses and codes in `error`.
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
use domain::Domain;
use tower_http::catch_panic::CatchPanicLayer;

use call::serve;
use error::Problem;

use crate::{oauth::Refusal, panic::error_of};

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
        let issue = post(token::issue).fallback(async || Refusal::wrong_method().answer(None));
        tokens = tokens.route(&format!("{base}/oauth2/token"), issue);
    }
    let api = api
        .method_not_allowed_fallback(async || Problem::wrong_method())
        .route("/criteo", any(async || Problem::no_route()))
        .route("/criteo/", any(async || Problem::no_route()))
        .route("/criteo/{*rest}", any(async || Problem::no_route()));
    let tokens = tokens.layer(CatchPanicLayer::custom(|panic: Panic| {
        Refusal::from(error_of(&*panic)).answer(None)
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
        let router: Router =
            in_vendors_shape(Router::new().route("/criteo/marketing/v1/x", failing));
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = "/criteo/marketing/v1/x".parse().expect("is a path");
        request
            .extensions_mut()
            .insert(RequestId("request-7".into()));
        let response = router.oneshot(request).await.expect("never fails");
        assert_eq!(response.status(), 500);
        let outcome = response
            .extensions()
            .get::<Outcome>()
            .cloned()
            .unwrap_or_default();
        assert_eq!(
            outcome.context.as_deref(),
            Some("panicked: what only the log may know")
        );
        let body = response
            .into_body()
            .collect()
            .await
            .expect("is whole")
            .to_bytes();
        assert_eq!(
            body,
            "{\"errors\":[{\"traceId\":\"request-7\",\"type\":\"availability\",\"code\":\"internal-error\",\
             \"instance\":\"/v1/x\",\"title\":\"Unknown error\",\"detail\":\"The server failed. \
             The request's id finds the reason in its log.\"}],\"warnings\":[]}"
        );
    }

    #[tokio::test]
    async fn a_panic_of_the_token_endpoint_is_an_object_too() {
        let answer = Refusal::from(error_of(&"what only the log may know")).answer(None);
        let body = answer
            .into_body()
            .collect()
            .await
            .expect("is whole")
            .to_bytes();
        assert!(body.starts_with(b"{\"error\":\"server_error\",\"error_description\":"));
    }
}
