//! Where providers of channels tell what people write and what could not be delivered: `/hooks/{kind}/{token}`.
//!
//! What it is: one route, which reads a request whole, has its signature checked by the provider's rule, and hands what it
//! tells to one verb. What it is not: a dialect; nobody has a credential here, the token in the path finds the integration,
//! and its secret says who speaks.
//! Invariant: nothing is stored of a request whose signature is wrong, missing or old; neither tokens nor bodies are logged.

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderValue, Method, Response, StatusCode, header, request::Parts},
    routing::get,
};
use domain::{Domain, Error, Hook, IntegrationKind};

use crate::{
    body::{self, BodyError},
    limits,
    providers::{self, HookRequest, Refused},
    request::{Outcome, request_id},
};

/// Where the paths begin; [`Domain::hook_url`] writes them.
pub const ROUTE: &str = "/hooks/{kind}/{token}";

/// The route of all hooks.
pub fn router(domain: Domain) -> Router {
    Router::new()
        .route(ROUTE, get(hear).post(hear))
        .with_state(domain)
}

async fn hear(
    State(domain): State<Domain>,
    Path((kind, token)): Path<(String, String)>,
    request: Request,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let found = match IntegrationKind::parse(&kind) {
        Some(kind) if kind.channel().is_some() => domain.hook(kind, &token).await,
        _ => Err(Error::NotFound("integration")),
    };
    let hook = match found {
        Ok(hook) => hook,
        Err(error) => {
            body::discard(&parts.headers, body).await;
            return failed(None, &error);
        }
    };
    let mut response = heard(&domain, &hook, &parts, body).await;
    // A failure's own context stays.
    if response.extensions().get::<Outcome>().is_none() {
        response.extensions_mut().insert(Outcome {
            workspace: Some(hook.workspace),
            ..Outcome::default()
        });
    }
    response
}

async fn heard(domain: &Domain, hook: &Hook, parts: &Parts, body: Body) -> Response<Body> {
    let bytes = match body::read(body, limits::HOOK_BODY_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(BodyError::TooLarge { bytes_max }) => {
            let text = format!("A request has at most {bytes_max} bytes.");
            return refused(hook.kind, StatusCode::PAYLOAD_TOO_LARGE, &text);
        }
        Err(BodyError::Incomplete) => return said(StatusCode::BAD_REQUEST, "Cut off."),
    };
    let (method, query) = (&parts.method, parts.uri.query());
    let request = match HookRequest::read(method, query, &parts.headers, &bytes).await {
        Ok(request) => request,
        Err(malformed) => return refused(hook.kind, StatusCode::BAD_REQUEST, malformed.0),
    };
    if hook.kind == IntegrationKind::WhatsApp && *method == Method::GET {
        return match providers::challenge(hook, &request) {
            Ok(challenge) => text("text/plain; charset=utf-8", challenge),
            Err(reason) => unbelieved(hook, reason),
        };
    }
    if let Err(reason) = providers::verify(hook, &request, domain.now_ms()) {
        return unbelieved(hook, reason);
    }
    let events = match providers::events(hook, &request) {
        Ok(events) => events,
        Err(malformed) => return refused(hook.kind, StatusCode::BAD_REQUEST, malformed.0),
    };
    if !events.is_empty() {
        let request_id = request_id(&parts.extensions);
        if let Err(error) = domain.inbound(hook, &request_id, events).await {
            return failed(Some(hook.workspace), &error);
        }
    }
    taken(hook.kind)
}

/// What each provider expects of a hook that has understood.
fn taken(kind: IntegrationKind) -> Response<Body> {
    match kind {
        // Nothing is to be sent back at once.
        IntegrationKind::Twilio => text("text/xml; charset=utf-8", TWIML.to_owned()),
        _ => text("application/json", "{}".to_owned()),
    }
}

const TWIML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";

fn unbelieved(hook: &Hook, reason: Refused) -> Response<Body> {
    let (workspace, integration) = (hook.workspace, hook.integration);
    match reason {
        Refused::NoSecret(name) => tracing::warn!(
            workspace,
            integration,
            "a provider's hook was called, and the integration has no {name} to check it with"
        ),
        reason => tracing::warn!(
            workspace,
            integration,
            ?reason,
            "a request to a provider's hook was not believed"
        ),
    }
    let text = "The signature is missing, wrong or too old.";
    refused(hook.kind, StatusCode::UNAUTHORIZED, text)
}

/// Mailgun tries anything else again for hours.
fn refused(kind: IntegrationKind, status: StatusCode, text: &str) -> Response<Body> {
    let status = match kind {
        IntegrationKind::Mailgun => StatusCode::NOT_ACCEPTABLE,
        _ => status,
    };
    said(status, text)
}

fn failed(workspace: Option<i64>, error: &Error) -> Response<Body> {
    let (status, text) = match error {
        Error::NotFound(_) => (StatusCode::NOT_FOUND, "No integration has this hook."),
        Error::Invalid(_) | Error::TooLarge(_) => {
            (StatusCode::BAD_REQUEST, "The server does not take this.")
        }
        Error::Internal { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "The server failed."),
        _ => (
            StatusCode::SERVICE_UNAVAILABLE,
            "The server cannot take this now.",
        ),
    };
    let mut response = said(status, text);
    response.extensions_mut().insert(Outcome {
        workspace,
        context: error.context().map(str::to_owned),
        ..Outcome::default()
    });
    response
}

fn said(status: StatusCode, text: &str) -> Response<Body> {
    let body = serde_json::json!({ "error": text }).to_string();
    let mut response = self::text("application/json", body);
    *response.status_mut() = status;
    response
}

fn text(kind: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
