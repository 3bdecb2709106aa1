//! Sunshine Conversations API v2: users, their clients on channels, conversations, messages, integrations, webhooks and keys,
//! as the vendor's published description and its clients have them.
//!
//! What it is: a translation. A handler parses, calls one verb of the domain and renders; vendor words are in `wire`,
//! conversions in `map` and `profile`, statuses in `error`.
//! What it is not: no rule of the product lives here, and no provider of a channel is spoken to. What the vendor leaves open is
//! settled in `README.md`, and in the code in one place each.
//! Invariant: every answer below `/sunshine`, a panic's too, is a JSON object, and every refusal is in the vendor's one shape.

mod apps;
mod auth;
mod call;
mod clients;
mod content;
mod conversations;
mod error;
mod events;
mod integrations;
mod json;
mod keys;
mod login;
mod map;
mod messages;
mod page;
mod participants;
mod profile;
mod triggers;
mod users;
mod webhooks;
mod wire;

use std::any::Any;

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::{MethodRouter, any, delete, get, post},
};
use domain::Domain;
use tower_http::catch_panic::CatchPanicLayer;

pub use auth::key_id;
pub(crate) use events::event_request;
pub use map::app_id;

use call::{Need, serve};
use error::Problem;

use crate::panic::error_of;

/// The name of this dialect in credentials, limits and metrics, and the source of its users' records.
pub const DIALECT: &str = "sunshine";

/// What the key of an app has.
pub const SCOPES: &str = "channels integrations people:read people:write webhooks";

const ROOT: &str = "/sunshine";
/// Where the version is: newer versions of the vendor's clients put something before it.
const BASES: [&str; 2] = ["/sunshine/v2", "/sunshine/sc/v2"];

/// What a panic leaves behind.
type Panic = Box<dyn Any + Send>;

/// Everything below `/sunshine`; the paths are absolute.
pub fn router(domain: Domain) -> Router {
    let mut routes = Router::new();
    for base in BASES {
        let app = format!("{base}/apps/{{app}}");
        routes = routes
            .merge(app_routes(base, &app))
            .merge(user_routes(&app))
            .merge(conversation_routes(&app))
            .merge(integration_routes(&app));
    }
    let mut routes = routes.method_not_allowed_fallback(async || Problem::wrong_method());
    for path in [
        ROOT.to_owned(),
        format!("{ROOT}/"),
        format!("{ROOT}/{{*rest}}"),
    ] {
        routes = routes.route(&path, any(async || Problem::no_route()));
    }
    in_vendors_shape(routes).with_state(domain)
}

fn app_routes(base: &str, app: &str) -> Router<Domain> {
    let keys = format!("{app}/keys");
    Router::new()
        .route(
            &format!("{base}/apps"),
            get(|domain, request| serve(domain, request, Need::Account, apps::list))
                .post(|domain, request| serve(domain, request, Need::Account, apps::refuse)),
        )
        .route(
            app,
            get(|domain, request| serve(domain, request, Need::App, apps::get))
                .patch(|domain, request| serve(domain, request, Need::Account, apps::refuse))
                .delete(|domain, request| serve(domain, request, Need::Account, apps::refuse)),
        )
        .route(&keys, all_keys())
        .route(&format!("{keys}/{{key}}"), one_key())
        .route(
            &format!("{app}/login"),
            post(|domain, request| serve(domain, request, Need::User, login::sign_in)),
        )
        .route(
            &format!("{app}/logout"),
            post(|domain, request| serve(domain, request, Need::User, login::sign_out)),
        )
}

fn all_keys() -> MethodRouter<Domain> {
    get(|domain, request| serve(domain, request, Need::Integrations, keys::list))
        .post(|domain, request| serve(domain, request, Need::Integrations, keys::create))
}

fn one_key() -> MethodRouter<Domain> {
    get(|domain, request| serve(domain, request, Need::Integrations, keys::get))
        .delete(|domain, request| serve(domain, request, Need::Integrations, keys::delete))
}

fn user_routes(app: &str) -> Router<Domain> {
    let users = format!("{app}/users");
    let one = format!("{users}/{{user}}");
    let clients = format!("{one}/clients");
    Router::new()
        .route(
            &users,
            post(|domain, request| serve(domain, request, Need::People, users::create)),
        )
        .route(
            &one,
            get(|domain, request| serve(domain, request, Need::People, users::get))
                .patch(|domain, request| serve(domain, request, Need::People, users::update))
                .delete(|domain, request| serve(domain, request, Need::People, users::delete)),
        )
        .route(
            &format!("{one}/personalinformation"),
            delete(|domain, request| serve(domain, request, Need::People, users::forget)),
        )
        .route(
            &clients,
            get(|domain, request| serve(domain, request, Need::Channels, clients::list))
                .post(|domain, request| serve(domain, request, Need::Channels, clients::create)),
        )
        .route(
            &format!("{clients}/{{client}}"),
            delete(|domain, request| serve(domain, request, Need::Channels, clients::remove)),
        )
}

fn conversation_routes(app: &str) -> Router<Domain> {
    let all = format!("{app}/conversations");
    let one = format!("{all}/{{conversation}}");
    let messages = format!("{one}/messages");
    Router::new()
        .route(
            &all,
            get(|domain, request| serve(domain, request, Need::Channels, conversations::list))
                .post(|domain, request| {
                    serve(domain, request, Need::Channels, conversations::create)
                }),
        )
        .route(
            &one,
            get(|domain, request| serve(domain, request, Need::Channels, conversations::get))
                .patch(|domain, request| {
                    serve(domain, request, Need::Channels, conversations::update)
                })
                .delete(|domain, request| {
                    serve(domain, request, Need::Channels, conversations::delete)
                }),
        )
        .route(
            &format!("{one}/activity"),
            post(|domain, request| serve(domain, request, Need::Channels, conversations::activity)),
        )
        .route(
            &format!("{one}/participants"),
            get(|domain, request| serve(domain, request, Need::Channels, participants::list)),
        )
        .route(
            &format!("{one}/join"),
            post(|domain, request| serve(domain, request, Need::Channels, participants::join)),
        )
        .route(
            &format!("{one}/leave"),
            post(|domain, request| serve(domain, request, Need::Channels, participants::leave)),
        )
        .route(
            &messages,
            get(|domain, request| serve(domain, request, Need::Channels, messages::list))
                .post(|domain, request| serve(domain, request, Need::Channels, messages::post))
                .delete(|domain, request| {
                    serve(domain, request, Need::Channels, messages::delete_all)
                }),
        )
        .route(
            &format!("{messages}/{{message}}"),
            delete(|domain, request| serve(domain, request, Need::Channels, messages::delete)),
        )
}

fn integration_routes(app: &str) -> Router<Domain> {
    let all = format!("{app}/integrations");
    let one = format!("{all}/{{integration}}");
    let webhooks = format!("{one}/webhooks");
    let keys = format!("{one}/keys");
    Router::new()
        .route(
            &all,
            get(|domain, request| serve(domain, request, Need::Integrations, integrations::list))
                .post(|domain, request| {
                    serve(domain, request, Need::Integrations, integrations::create)
                }),
        )
        .route(
            &one,
            get(|domain, request| serve(domain, request, Need::Integrations, integrations::get))
                .patch(|domain, request| {
                    serve(domain, request, Need::Integrations, integrations::update)
                })
                .delete(|domain, request| {
                    serve(domain, request, Need::Integrations, integrations::delete)
                }),
        )
        .route(
            &webhooks,
            get(|domain, request| serve(domain, request, Need::Webhooks, webhooks::list))
                .post(|domain, request| serve(domain, request, Need::Webhooks, webhooks::create)),
        )
        .route(
            &format!("{webhooks}/{{webhook}}"),
            get(|domain, request| serve(domain, request, Need::Webhooks, webhooks::get))
                .patch(|domain, request| serve(domain, request, Need::Webhooks, webhooks::update))
                .delete(|domain, request| serve(domain, request, Need::Webhooks, webhooks::delete)),
        )
        .route(&keys, all_keys())
        .route(&format!("{keys}/{{key}}"), one_key())
}

/// Renders a panic as a refusal.
fn in_vendors_shape<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.layer(CatchPanicLayer::custom(|panic: Panic| -> Response {
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
        let router: Router = in_vendors_shape(Router::new().route("/sunshine/x", failing));
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = "/sunshine/x".parse().expect("is a path");
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
            "{\"errors\":[{\"code\":\"internal_server_error\",\"title\":\"The server failed. The request's id finds \
             the reason in its log.\"}]}"
        );
    }
}
