//! Credentials: API tokens and other protocols' clients.

use axum::extract::State;
use domain::{CredentialNew, Domain};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call, created, no_content},
    page::{Page, PageParams, PageQuery},
    wire_credentials::{Credential, CredentialCreate, CredentialCreated},
};

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(credential_list, credential_create))
        .routes(routes!(credential_revoke))
}

/// List credentials
///
/// In order of id, revoked ones too. Needs the scope `admin`.
#[utoipa::path(get, path = "/api/v1/credentials", tag = "credentials", params(PageParams),
    responses((status = 200, description = "A page of credentials.", body = Page<Credential>)))]
async fn credential_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &[])?;
    let credentials = domain
        .credential_list(&call.caller, page.after.unwrap_or(0), page.limit)
        .await?;
    page.answer(credentials, |credential| credential.id, Credential::from)
}

/// Make a credential
///
/// The answer is the only one that shows the secret (a repetition with the same Idempotency-Key shows it again). A
/// caller can give only scopes and structures that it has itself. Needs the scope `admin`.
#[utoipa::path(post, path = "/api/v1/credentials", tag = "credentials", request_body = CredentialCreate,
    responses((status = 201, description = "The new credential with its secret.", body = CredentialCreated)))]
async fn credential_create(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, body) = call.json::<CredentialCreate>().await?;
    let new = crate::with_scopes(CredentialNew::try_from(body)?);
    let made = domain
        .credential_create(&context, new, crate::DIALECTS)
        .await?;
    created(
        "credentials",
        made.credential.id,
        &CredentialCreated::from(made),
    )
}

/// Revoke a credential
///
/// Holds in this process at once, in every other within 5 seconds. Revoking again changes nothing. Needs the scope
/// `admin`.
#[utoipa::path(delete, path = "/api/v1/credentials/{id}", tag = "credentials",
    params(("id" = i64, Path, description = "The credential's id.")),
    responses((status = 204, description = "It is revoked.")))]
async fn credential_revoke(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id("credential")?;
    domain.credential_revoke(&call.context(), id).await?;
    no_content()
}
