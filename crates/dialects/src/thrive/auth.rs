//! Who calls: Basic with the tenant's id and secret, or the token of a client (RFC 6750 section 2.1).

use axum::http::request::Parts;
use domain::{Caller, Domain, Error};

use super::{DIALECT, scope::ApiScopes, tenant::workspace_of};
use crate::oauth::{basic, credentials, mount};

const NEEDED: Error = Error::Unauthenticated(
    "The request needs one Authorization header: Basic with tenant id and API secret, or a Bearer token.",
);
const BAD_TENANT: Error = Error::Unauthenticated("The tenant id or the API secret is not right.");
const BAD_TOKEN: Error = Error::Unauthenticated("The token is not valid or has expired.");

/// The caller, who can do no more than the scopes with it.
pub async fn caller(domain: &Domain, parts: &Parts) -> Result<(Caller, ApiScopes), Error> {
    let (caller, scopes) = if let Some(token) = credentials(&parts.headers, "bearer") {
        let found = domain.caller_by_noted_token(mount(parts), DIALECT, token);
        let (caller, note) = found.await?;
        (caller, ApiScopes::of_note(&note).ok_or(BAD_TOKEN)?)
    } else if let Some(basic) = credentials(&parts.headers, "basic") {
        (by_secret(domain, parts, basic).await?, ApiScopes::all())
    } else {
        return Err(NEEDED);
    };
    let caller = caller.narrowed(&scopes.domain());
    Ok((caller, scopes))
}

/// Each refusal is the same, so that nobody learns which tenants there are.
async fn by_secret(domain: &Domain, parts: &Parts, text: &str) -> Result<Caller, Error> {
    let (tenant, secret) = basic(text).ok_or(BAD_TENANT)?;
    let workspace = workspace_of(&tenant).ok_or(BAD_TENANT)?;
    let found = domain.caller_by_tenant_secret(mount(parts), DIALECT, workspace, &secret);
    found.await.map_err(|error| match error {
        Error::Unauthenticated(_) => BAD_TENANT,
        error => error,
    })
}
