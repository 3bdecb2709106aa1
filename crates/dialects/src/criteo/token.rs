//! The token endpoint: the client-credentials grant of RFC 6749 section 4.4, which [`crate::oauth`] reads and answers.

use axum::{
    extract::{Request, State},
    http::request::Parts,
    response::Response,
};
use domain::{AccessToken, Domain};

use super::DIALECT;
use crate::oauth::{self, Grant, Refusal};

const CHALLENGE: &str = "Basic realm=\"criteo\", charset=\"UTF-8\"";

/// `POST /oauth2/token`
pub async fn issue(State(domain): State<Domain>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match grant(&domain, &parts, body).await {
        Ok((client, token)) => oauth::give(&domain, DIALECT, &client, token, None),
        Err(refusal) => refusal.answer_to(&parts.headers, CHALLENGE),
    }
}

async fn grant(
    domain: &Domain,
    parts: &Parts,
    body: axum::body::Body,
) -> Result<(String, AccessToken), Refusal> {
    let grant = Grant::read(parts, body).await?;
    let token = domain.token_issue(
        oauth::mount(parts),
        DIALECT,
        &grant.client_id,
        &grant.client_secret,
    );
    let token = token.await?;
    Ok((grant.client_id, token))
}
