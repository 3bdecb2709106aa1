//! Accounts: who operates the workspace, with their sessions, their ledger and their consents.
//!
//! `me` in the place of an id is the account of the key that calls.

use axum::extract::State;
use domain::{AccountChange, AccountNew, AccountRef, Domain, Excess};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    account_list::{self, AccountParams, Accounts},
    call::{Answer, Call, created, no_content, ok},
    page::{Page, PageParams, PageQuery},
    problem::ProblemBody,
    wire_account_records::{BeforeParams, Consent, LedgerEntry, Session},
    wire_accounts::{Account, AccountCreate, AccountUpdate},
};

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(account_list, account_create))
        .routes(routes!(account_get, account_update, account_delete))
        .routes(routes!(account_password_reset))
        .routes(routes!(session_list, session_revoke_all))
        .routes(routes!(session_revoke))
        .routes(routes!(ledger_list))
        .routes(routes!(consent_list))
}

/// List accounts
///
/// With the exact number of those that match. For administrators: a key of one, or a token with the scope `admin` for
/// every structure.
#[utoipa::path(get, path = "/api/v1/accounts", tag = "accounts", params(AccountParams),
    responses((status = 200, description = "A part of the list.", body = Accounts)))]
async fn account_list(State(domain): State<Domain>, call: Call) -> Answer {
    let query = account_list::query(&call)?;
    let offset = query.offset;
    let page = domain.account_list(&call.caller, query).await?;
    account_list::answer(&call, offset, page)
}

/// Make an account
///
/// With a password, it can sign in at once; with an identity provider, by that one; with neither it is invited: a mail with a link
/// that is good once and for seven days is put into the outbox. For administrators.
#[utoipa::path(post, path = "/api/v1/accounts", tag = "accounts", request_body = AccountCreate,
    responses((status = 201, description = "The new account.", body = Account),
        (status = 409, description = "Another account has this e-mail address or user name.", body = ProblemBody,
            content_type = "application/problem+json")))]
async fn account_create(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, mut body) = call.json::<AccountCreate>().await?;
    let entrance = body.entrance()?;
    let new = AccountNew::try_from(body)?;
    let made = domain.account_create(&context, new, entrance).await?;
    created("accounts", made.account.id, &Account::from(made))
}

/// Get an account
///
/// For administrators, and for the account itself.
#[utoipa::path(get, path = "/api/v1/accounts/{id}", tag = "accounts",
    params(("id" = String, Path, description = "The account's id, or `me`.")),
    responses((status = 200, description = "The account.", body = Account)))]
async fn account_get(State(domain): State<Domain>, call: Call) -> Answer {
    let id = AccountRef::Id(call.account()?);
    let account = domain.account_get(&call.caller, id).await?;
    ok(&Account::from(account))
}

/// Change an account
///
/// What is absent stays. Administrators change any account. A key changes of its own account `email`, `name`,
/// `first_name`, `last_name`, `password` and `preferences`, the address and the password only where it may do all that
/// the account may; with the permission `advertiser:budget` it changes `budget` and `credit` of advertisers. A new password
/// ends the account's sessions; a new address is not verified.
#[utoipa::path(patch, path = "/api/v1/accounts/{id}", tag = "accounts", request_body = AccountUpdate,
    params(("id" = String, Path, description = "The account's id, or `me`.")),
    responses((status = 200, description = "The account as it is now.", body = Account),
        (status = 409, description = "Another account has this e-mail address or user name, or nobody would be left who \
            administers the workspace (`last_administrator`).", body = ProblemBody,
            content_type = "application/problem+json")))]
async fn account_update(State(domain): State<Domain>, call: Call) -> Answer {
    let id = AccountRef::Id(call.account()?);
    let (context, body) = call.json::<AccountUpdate>().await?;
    let change = AccountChange::try_from(body)?;
    let account = domain
        .account_update(&context, id, change, Excess::Refuse)
        .await?;
    ok(&Account::from(account))
}

/// Delete an account
///
/// With its sessions and consents; its keys are revoked and it leaves its groups. For administrators.
#[utoipa::path(delete, path = "/api/v1/accounts/{id}", tag = "accounts",
    params(("id" = String, Path, description = "The account's id, or `me`.")),
    responses((status = 204, description = "It is deleted."),
        (status = 409, description = "Nobody would be left who administers the workspace (`last_administrator`).",
            body = ProblemBody, content_type = "application/problem+json")))]
async fn account_delete(State(domain): State<Domain>, call: Call) -> Answer {
    let id = AccountRef::Id(call.account()?);
    domain.account_delete(&call.context(), id).await?;
    no_content()
}

/// Mail a link for a new password
///
/// To an account that has not accepted its invitation yet, a new invitation. Earlier links end. Takes no body. For
/// administrators.
#[utoipa::path(post, path = "/api/v1/accounts/{id}/password-reset", tag = "accounts",
    params(("id" = String, Path, description = "The account's id, or `me`.")),
    responses((status = 204, description = "The mail is in the outbox.")))]
async fn account_password_reset(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.account()?;
    let context = call.nothing().await?;
    domain.password_reset_mail(&context, id).await?;
    no_content()
}

/// List an account's sessions
///
/// Those that have not ended, newest first, on one page: there are at most 100. For administrators and the account itself.
#[utoipa::path(get, path = "/api/v1/accounts/{id}/sessions", tag = "accounts",
    params(("id" = String, Path, description = "The account's id, or `me`.")),
    responses((status = 200, description = "The sessions.", body = Page<Session>)))]
async fn session_list(State(domain): State<Domain>, call: Call) -> Answer {
    let sessions = domain.session_list(&call.caller, call.account()?).await?;
    ok(&Page::whole(sessions, Session::from))
}

/// End all sessions of an account
///
/// What it signed in with is good for nothing from now on; its keys and its password stay. For administrators and the
/// account itself.
#[utoipa::path(delete, path = "/api/v1/accounts/{id}/sessions", tag = "accounts",
    params(("id" = String, Path, description = "The account's id, or `me`.")),
    responses((status = 204, description = "They have ended.")))]
async fn session_revoke_all(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.account()?;
    domain.session_revoke(&call.context(), id, None).await?;
    no_content()
}

/// End a session
///
/// Ending it again changes nothing. For administrators and the account itself.
#[utoipa::path(delete, path = "/api/v1/accounts/{id}/sessions/{session}", tag = "accounts",
    params(("id" = String, Path, description = "The account's id, or `me`."),
        ("session" = i64, Path, description = "The session's id.")),
    responses((status = 204, description = "It has ended.")))]
async fn session_revoke(State(domain): State<Domain>, call: Call) -> Answer {
    let (id, session) = (call.account()?, call.id_at("session", "session")?);
    domain
        .session_revoke(&call.context(), id, Some(session))
        .await?;
    no_content()
}

/// List an account's ledger
///
/// How its budget and credit came to be what they are, newest first. For administrators and the account itself.
#[utoipa::path(get, path = "/api/v1/accounts/{id}/ledger", tag = "accounts",
    params(("id" = String, Path, description = "The account's id, or `me`."), PageParams, BeforeParams),
    responses((status = 200, description = "A page of entries.", body = Page<LedgerEntry>)))]
async fn ledger_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &["before"])?;
    let before = [page.before, page.after].into_iter().flatten().min();
    let entries = domain
        .ledger_list(&call.caller, call.account()?, before, page.limit)
        .await?;
    page.answer(entries, |entry| entry.id, LedgerEntry::from)
}

/// List an account's consents
///
/// What it said about each version of the privacy policy, newest first, on one page. For administrators and the account
/// itself.
#[utoipa::path(get, path = "/api/v1/accounts/{id}/consents", tag = "accounts",
    params(("id" = String, Path, description = "The account's id, or `me`.")),
    responses((status = 200, description = "The consents.", body = Page<Consent>)))]
async fn consent_list(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.account()?;
    let consents = domain.account_consents(&call.caller, id).await?;
    ok(&Page::whole(consents, Consent::from))
}
