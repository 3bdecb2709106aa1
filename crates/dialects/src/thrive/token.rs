//! The token endpoints, one of the public host and one of the webhook host: the client-credentials grant, which
//! [`crate::oauth`] reads and answers, for the tenant in the path.

use axum::{
    RequestPartsExt,
    body::Body,
    extract::{RawPathParams, Request, State},
    http::request::Parts,
    response::Response,
};
use domain::{AccessToken, DialectId, Domain, Error};

use super::{
    DIALECT,
    scope::{self, ApiScope, ApiScopes},
    tenant::workspace_of,
};
use crate::oauth::{self, Grant, Refusal};

/// Seconds, as the vendor documents it.
const TOKEN_LIFE_S: u64 = 3_600;
const CHALLENGE: &str = "Basic realm=\"thrive\", charset=\"UTF-8\"";

/// `POST /oauth2/token/{tenantId}` of the public host.
pub async fn issue_public(State(domain): State<Domain>, request: Request) -> Response {
    issue(domain, request, scope::PUBLIC).await
}

/// `POST /oauth2/token/{tenantId}` of the webhook host.
pub async fn issue_webhook(State(domain): State<Domain>, request: Request) -> Response {
    issue(domain, request, scope::WEBHOOK).await
}

/// Any other method than POST.
pub async fn wrong_method() -> Response {
    Refusal::wrong_method().answer(None)
}

/// What a panic is answered with.
pub fn failed(error: Error) -> Response {
    Refusal::from(error).answer(None)
}

async fn issue(domain: Domain, request: Request, offered: &'static [ApiScope]) -> Response {
    let (parts, body) = request.into_parts();
    let headers = parts.headers.clone();
    match grant(&domain, parts, body, offered).await {
        Ok((client, token, scopes)) => {
            let scope = Some(scopes.as_text());
            oauth::give(&domain, DIALECT, &client, token, scope)
        }
        Err(refusal) => refusal.answer_to(&headers, CHALLENGE),
    }
}

async fn grant(
    domain: &Domain,
    mut parts: Parts,
    body: Body,
    offered: &[ApiScope],
) -> Result<(String, AccessToken, ApiScopes), Refusal> {
    let grant = Grant::read(&parts, body).await?;
    let scopes = match &grant.scope {
        None => ApiScopes::every(offered),
        Some(text) => ApiScopes::parse(text, offered).ok_or_else(|| {
            let known = ApiScopes::every(offered).as_text();
            Refusal::scope(format!("The scopes of this endpoint are: {known}."))
        })?,
    };
    if !is_tenant_of(&mut parts, &grant.client_id).await {
        return Err(Refusal::client("The credential is not valid."));
    }
    let note = scopes.as_text();
    let token = domain.token_issue_noted(
        oauth::mount(&parts),
        DIALECT,
        (&grant.client_id, &grant.client_secret),
        TOKEN_LIFE_S,
        Some(&note),
    );
    let token = token.await?;
    Ok((grant.client_id, token, scopes))
}

/// The path's tenant is the one that the client belongs to. A tenant that there is not is no other case.
async fn is_tenant_of(parts: &mut Parts, client_id: &str) -> bool {
    let path = parts.extract::<RawPathParams>().await.ok();
    let tenant = path
        .as_ref()
        .and_then(|path| path.iter().next())
        .and_then(|(_, tenant)| workspace_of(tenant));
    let client = DialectId::from_hex(client_id).map(|id| id.workspace);
    tenant.is_some() && tenant == client
}
