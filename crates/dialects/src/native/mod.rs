//! The native API, `/api/v1`: what Throng itself can do, in its own words. JSON in and out, problem details (RFC 9457),
//! paging by key, idempotency keys; described by an OpenAPI document that is generated from the handlers.
//!
//! A file a noun, each with its operations; [`wire`] and [`batch`] are the bodies. A request passes [`envelope`] (writes
//! problems, forbids caching), the panic catcher, [`auth::gate`] (caller and quota) and then its handler, which parses,
//! calls one verb of the domain and renders.

mod account_list;
mod accounts;
mod accounts_export;
mod activity;
mod audiences;
mod auth;
mod batch;
mod call;
mod conflicts;
mod credentials;
mod docs;
mod docs_example;
mod groups;
mod integrations;
mod jobs;
mod json;
mod keys;
mod managers;
mod members;
mod members_list;
mod openapi;
mod outbox;
mod page;
mod problem;
mod reach;
mod structures;
mod time;
mod webhooks;
mod wire;
mod wire_account_records;
mod wire_accounts;
mod wire_audiences;
mod wire_channels;
mod wire_credentials;
mod wire_groups;
mod wire_jobs;
mod wire_keys;
mod wire_members;
mod wire_outbox;
mod wire_reach;
mod wire_webhooks;
mod workspaces;

use std::any::Any;

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::any,
};
use domain::Domain;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

use crate::request::{Outcome, request_id};
use problem::{Kind, Problem};
pub(crate) use wire_webhooks::EventBody;

/// Every operation; the document and the routes come from the same list, so neither can lack one of the other.
fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::with_openapi(openapi::frame())
        .merge(workspaces::operations())
        .merge(structures::operations())
        .merge(audiences::operations())
        .merge(members::operations())
        .merge(members_list::operations())
        .merge(reach::operations())
        .merge(managers::operations())
        .merge(credentials::operations())
        .merge(accounts::operations())
        .merge(accounts_export::operations())
        .merge(groups::operations())
        .merge(keys::operations())
        .merge(jobs::operations())
        .merge(conflicts::operations())
        .merge(activity::operations())
        .merge(outbox::operations())
        .merge(webhooks::operations())
        .merge(integrations::operations())
}

/// The OpenAPI 3.1 document.
pub fn openapi() -> utoipa::openapi::OpenApi {
    openapi::complete(operations().into_openapi())
}

/// The API with its document and its documentation page. Paths are absolute.
pub fn router(domain: Domain) -> Router {
    let (operations, document) = operations().split_for_parts();
    let document = openapi::complete(document);
    let gated = operations
        .route_layer(from_fn_with_state(domain.clone(), auth::gate))
        .with_state(domain);
    guard(gated.merge(docs::routes(&document)))
}

/// What surrounds the routes: answers for paths and methods that do not exist, for panics, and the outermost layer.
fn guard(routes: Router) -> Router {
    routes
        .route("/api", any(no_route))
        .route("/api/", any(no_route))
        .route("/api/{*rest}", any(no_route))
        .method_not_allowed_fallback(no_method)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(envelope))
}

async fn no_route() -> Problem {
    Problem::no_route()
}

async fn no_method() -> Problem {
    Problem::new(
        Kind::MethodNotAllowed,
        "The path does not take this method. The Allow header lists those it takes.",
    )
}

fn panicked(message: Box<dyn Any + Send + 'static>) -> Response {
    let text = message.downcast_ref::<&str>().copied();
    let text = text.or_else(|| message.downcast_ref::<String>().map(String::as_str));
    Problem::panicked(text.unwrap_or("no message")).into_response()
}

/// Writes the body of a problem, which needs the request's id, and what holds for every answer.
async fn envelope(request: Request, next: Next) -> Response {
    let instance = match request_id(request.extensions()) {
        id if id.is_empty() => request.uri().path().to_owned(),
        id => format!("urn:throng:request:{id}"),
    };
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = write(&problem, instance, response);
    }
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    response
}

/// The problem with the headers and extensions of the response that carried it.
fn write(problem: &Problem, instance: String, mut carrier: Response) -> Response {
    const OF_THE_BODY: [HeaderName; 2] = [header::CONTENT_LENGTH, header::CONTENT_TYPE];
    let mut response = problem.render(instance);
    for (name, value) in carrier.headers() {
        if !OF_THE_BODY.contains(name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    *response.extensions_mut() = std::mem::take(carrier.extensions_mut());
    let outcome = response
        .extensions_mut()
        .get_or_insert_with(Outcome::default);
    outcome.context = problem.context.clone();
    outcome.unmatched = problem.unmatched;
    response
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::StatusCode, routing::get};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::request::RequestId;

    async fn broken() -> Response {
        panic!("on purpose")
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_and_its_reason_is_for_the_log() {
        let router = guard(Router::new().route("/broken", get(broken)));
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = "/broken".parse().expect("a path");
        request.extensions_mut().insert(RequestId("r-1".into()));
        let response = router.oneshot(request).await.expect("answers");
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let outcome = response.extensions().get::<Outcome>().expect("is noted");
        assert_eq!(outcome.context.as_deref(), Some("panicked: on purpose"));
        let body = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["instance"], "urn:throng:request:r-1");
        assert_eq!(body["code"], "internal");
        assert!(!body.to_string().contains("purpose"));
    }
}
