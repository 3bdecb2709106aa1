//! Keys: credentials that belong to an account. One that holds back some of its account's permissions reaches no other key.

use axum::extract::State;
use domain::{Domain, KeyChange, KeyNew};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call, created, no_content, ok},
    page::{self, Page, PageParams, PageQuery},
    problem::ProblemBody,
    wire_keys::{Key, KeyCreate, KeyShown, KeyUpdate, RevokeParams},
};

const NOUN: &str = "key";

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(account_key_list, key_create))
        .routes(routes!(key_list))
        .routes(routes!(key_get, key_update, key_revoke))
        .routes(routes!(key_rotate))
}

/// List an account's keys
///
/// In order of id, revoked ones too. For administrators and the account itself.
#[utoipa::path(get, path = "/api/v1/accounts/{id}/keys", tag = "keys",
    params(("id" = String, Path, description = "The account's id, or `me`."), PageParams),
    responses((status = 200, description = "A page of keys.", body = Page<Key>)))]
async fn account_key_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &[])?;
    let (account, after) = (call.account()?, page.after.unwrap_or(0));
    let keys = domain
        .key_list(&call.caller, Some(account), after, page.limit)
        .await?;
    page.answer(keys, |key| key.id, Key::from)
}

/// Make a key
///
/// The answer is the only one that shows the secret (a repetition with the same Idempotency-Key shows it again). For
/// administrators and the account itself; nobody gives what they do not have.
#[utoipa::path(post, path = "/api/v1/accounts/{id}/keys", tag = "keys", request_body = KeyCreate,
    params(("id" = String, Path, description = "The account's id, or `me`.")),
    responses((status = 201, description = "The new key with its secret.", body = KeyShown)))]
async fn key_create(State(domain): State<Domain>, call: Call) -> Answer {
    let account = call.account()?;
    let (context, body) = call.json::<KeyCreate>().await?;
    let new = KeyNew::try_from(body)?;
    let made = domain
        .key_create(&context, account, new, crate::KEY_DIALECTS)
        .await?;
    created("../../keys", made.key.id, &KeyShown::from(made))
}

/// List keys
///
/// Of all accounts, in order of id, revoked ones too. For administrators.
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys", params(PageParams),
    responses((status = 200, description = "A page of keys.", body = Page<Key>)))]
async fn key_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &[])?;
    let after = page.after.unwrap_or(0);
    let keys = domain
        .key_list(&call.caller, None, after, page.limit)
        .await?;
    page.answer(keys, |key| key.id, Key::from)
}

/// Get a key
///
/// For administrators and the key's account.
#[utoipa::path(get, path = "/api/v1/keys/{id}", tag = "keys",
    params(("id" = i64, Path, description = "The key's id.")),
    responses((status = 200, description = "The key, without its secret.", body = Key)))]
async fn key_get(State(domain): State<Domain>, call: Call) -> Answer {
    let key = domain.key_get(&call.caller, call.id(NOUN)?).await?;
    ok(&Key::from(key))
}

/// Change a key
///
/// What is absent stays. For administrators and the key's account; nobody gives what they do not have.
#[utoipa::path(patch, path = "/api/v1/keys/{id}", tag = "keys", request_body = KeyUpdate,
    params(("id" = i64, Path, description = "The key's id.")),
    responses((status = 200, description = "The key as it is now.", body = Key)))]
async fn key_update(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    let (context, body) = call.json::<KeyUpdate>().await?;
    let change = KeyChange::try_from(body)?;
    ok(&Key::from(domain.key_update(&context, id, change).await?))
}

/// Rotate a key
///
/// It gets a new secret, shown this once; the old one is no longer good. Takes no body. For administrators and the key's
/// account.
#[utoipa::path(post, path = "/api/v1/keys/{id}/rotate", tag = "keys",
    params(("id" = i64, Path, description = "The key's id.")),
    responses((status = 200, description = "The key with its new secret.", body = KeyShown),
        (status = 409, description = "It is revoked.", body = ProblemBody, content_type = "application/problem+json")))]
async fn key_rotate(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    let context = call.nothing().await?;
    ok(&KeyShown::from(domain.key_rotate(&context, id).await?))
}

/// Revoke a key
///
/// Holds in this process at once, in every other within 5 seconds. Revoking again changes nothing. For administrators and
/// the key's account.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", tag = "keys",
    params(("id" = i64, Path, description = "The key's id."), RevokeParams),
    responses((status = 204, description = "It is revoked.")))]
async fn key_revoke(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    let mut pairs = page::pairs(&call, &["reason"])?;
    let reason = pairs.pop().map(|(_, reason)| reason).unwrap_or_default();
    domain.key_revoke(&call.context(), id, &reason).await?;
    no_content()
}
