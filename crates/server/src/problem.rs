//! Answers of the server itself, outside every dialect, as RFC 9457 problems.

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE},
};
use dialects::request::Outcome;

/// A problem whose type is the status itself.
pub fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let body = serde_json::json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "detail": detail,
    });
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}

/// No route of any dialect.
pub fn no_route() -> Response<Body> {
    let mut response = problem(
        StatusCode::NOT_FOUND,
        "There is no such route on this server.",
    );
    response.extensions_mut().insert(Outcome {
        unmatched: true,
        ..Outcome::default()
    });
    response
}
