//! Integrations, through which people are reached on channels, and how many each channel reaches.

use axum::extract::State;
use domain::{CursorQuery, Domain, IntegrationNew, limits::CURSOR_ITEMS_MAX};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call, created, no_content, ok},
    page::{self, Page, PageParams, PageQuery},
    wire_channels::{
        ChannelCount, Integration, IntegrationCreate, IntegrationParams, IntegrationUpdate,
        Settings, kinds,
    },
};

const NOUN: &str = "integration";

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(channel_list))
        .routes(routes!(integration_list, integration_create))
        .routes(routes!(
            integration_get,
            integration_update,
            integration_delete
        ))
        .routes(routes!(integration_provider))
}

/// List the channels
///
/// On one page, with how many people each reaches now: those with an active client on it. The same people are the rule
/// `{"channel": "whatsapp"}` of a smart audience. Needs the scope `audiences:read` and a token for every structure.
#[utoipa::path(get, path = "/api/v1/channels", tag = "channels",
    responses((status = 200, description = "Every channel.", body = Page<ChannelCount>)))]
async fn channel_list(State(domain): State<Domain>, call: Call) -> Answer {
    page::pairs(&call, &[])?;
    let counts = domain.channel_counts(&call.caller).await?;
    ok(&Page::whole(counts, ChannelCount::from))
}

/// List integrations
///
/// In order of id, without secrets; at most 100 on a page. Needs the scope `integrations` and a token for every structure.
#[utoipa::path(get, path = "/api/v1/integrations", tag = "channels", params(PageParams, IntegrationParams),
    responses((status = 200, description = "A page of integrations.", body = Page<Integration>)))]
async fn integration_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &["kind"])?.at_most(CURSOR_ITEMS_MAX);
    let kinds = kinds(page.kind.as_deref())?;
    let query = CursorQuery {
        after: page.after,
        before: None,
        limit: page.limit,
    };
    let found = domain
        .integration_list(&call.caller, &kinds, &query)
        .await?;
    page.answer(
        found.items,
        |integration| integration.id,
        |integration| Integration::new(&domain, integration),
    )
}

/// Make an integration
///
/// The answer names the `hook_url` that the provider has to be told. Nothing is asked of the provider: whether the settings
/// are right shows when something is sent. Needs the scope `integrations` and a token for every structure.
#[utoipa::path(post, path = "/api/v1/integrations", tag = "channels", request_body = IntegrationCreate,
    responses((status = 201, description = "The new integration.", body = Integration)))]
async fn integration_create(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, body) = call.json::<IntegrationCreate>().await?;
    let new = IntegrationNew::try_from(body)?;
    let (made, _) = domain.integration_create(&context, new).await?;
    created("integrations", made.id, &Integration::new(&domain, made))
}

/// Get an integration
///
/// With the names of its secrets, never their values. Needs the scope `integrations` and a token for every structure.
#[utoipa::path(get, path = "/api/v1/integrations/{id}", tag = "channels",
    params(("id" = i64, Path, description = "The integration's id.")),
    responses((status = 200, description = "The integration.", body = Integration)))]
async fn integration_get(State(domain): State<Domain>, call: Call) -> Answer {
    let found = domain.integration_get(&call.caller, call.id(NOUN)?).await?;
    ok(&Integration::new(&domain, found))
}

/// Rename an integration
///
/// Its settings are changed with `PUT /integrations/{id}/provider`. Needs the scope `integrations` and a token for every
/// structure.
#[utoipa::path(patch, path = "/api/v1/integrations/{id}", tag = "channels", request_body = IntegrationUpdate,
    params(("id" = i64, Path, description = "The integration's id.")),
    responses((status = 200, description = "The integration as it is now.", body = Integration)))]
async fn integration_update(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    let (context, body) = call.json::<IntegrationUpdate>().await?;
    let changed = domain.integration_update(&context, id, body.into()).await?;
    ok(&Integration::new(&domain, changed))
}

/// Set how an integration reaches its provider
///
/// What a vendor's API cannot carry is set here too: the WhatsApp phone number's id, token, app secret and verify token, or the
/// key that Mailgun signs with. Secret settings are sealed and never answered. What is not named stays; null takes one away. A
/// message that waits is sent with what is set then. Needs the scope `integrations` and a token for every structure.
#[utoipa::path(put, path = "/api/v1/integrations/{id}/provider", tag = "channels", request_body = Settings,
    params(("id" = i64, Path, description = "The integration's id.")),
    responses((status = 200, description = "The integration as it is now.", body = Integration)))]
async fn integration_provider(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    let (context, body) = call.json::<Settings>().await?;
    let changed = domain.integration_update(&context, id, body.into()).await?;
    ok(&Integration::new(&domain, changed))
}

/// Delete an integration
///
/// With its webhooks and keys. Its linked clients become inactive, pending ones are removed: nobody is reached through it any
/// more. Needs the scope `integrations` and a token for every structure.
#[utoipa::path(delete, path = "/api/v1/integrations/{id}", tag = "channels",
    params(("id" = i64, Path, description = "The integration's id.")),
    responses((status = 204, description = "It is deleted.")))]
async fn integration_delete(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    domain.integration_delete(&call.context(), id).await?;
    no_content()
}
