//! The outbox: what has to leave the server, and what did not get through.

use axum::extract::State;
use domain::Domain;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call, ok},
    page::{Page, PageParams, PageQuery},
    problem::ProblemBody,
    wire_channels::{LinkedClient, OutboxConfirm, OutboxConfirmed},
    wire_outbox::{OutboxDetail, OutboxItem, OutboxParams},
};

const NOUN: &str = "outbox item";

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(outbox_list))
        .routes(routes!(outbox_get))
        .routes(routes!(outbox_retry))
        .routes(routes!(outbox_confirm))
}

/// List the outbox
///
/// Newest first: what waits to be sent, what was sent, and what was given up. Where no mail server is configured, mail
/// waits here. Needs the scope `admin` and a token for every structure.
#[utoipa::path(get, path = "/api/v1/outbox", tag = "outbox", params(PageParams, OutboxParams),
    responses((status = 200, description = "A page of items.", body = Page<OutboxItem>)))]
async fn outbox_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &["state", "before"])?;
    let before = [page.before, page.after].into_iter().flatten().min();
    let items = domain
        .outbox_list(&call.caller, page.state.as_deref(), before, page.limit)
        .await?;
    page.answer(items, |item| item.id, OutboxItem::from)
}

/// Get an item of the outbox
///
/// With what it says, until it was sent. A link in it is as good as in the mail itself. Needs the scope `admin` and a
/// token for every structure.
#[utoipa::path(get, path = "/api/v1/outbox/{id}", tag = "outbox",
    params(("id" = i64, Path, description = "The item's id.")),
    responses((status = 200, description = "The item.", body = OutboxDetail)))]
async fn outbox_get(State(domain): State<Domain>, call: Call) -> Answer {
    let found = domain.outbox_get(&call.caller, call.id(NOUN)?).await?;
    ok(&OutboxDetail::from(found))
}

/// Send an item again
///
/// One that was given up, or that waits for its next attempt, is due now and has all its attempts before it. Needs the
/// scope `admin` and a token for every structure.
#[utoipa::path(post, path = "/api/v1/outbox/{id}/retry", tag = "outbox",
    params(("id" = i64, Path, description = "The item's id.")),
    responses((status = 200, description = "The item as it is now.", body = OutboxItem),
        (status = 409, description = "It was sent already.", body = ProblemBody,
            content_type = "application/problem+json")))]
async fn outbox_retry(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    let item = domain.outbox_retry(&call.nothing().await?, id).await?;
    ok(&OutboxItem::from(item))
}

/// Play the answer to an item
///
/// Where nothing leaves the machine, as in a demo, what was to be sent through a channel stays here to be read. This plays
/// what the person would write back, as if it had come from their address: `yes` confirms a link, `no` refuses it, `stop`
/// and `start` block and unblock, anything else is a message. Needs the scope `admin` and a token for every structure.
#[utoipa::path(post, path = "/api/v1/outbox/{id}/confirm", tag = "outbox", request_body = OutboxConfirm,
    params(("id" = i64, Path, description = "The item's id.")),
    responses((status = 200, description = "What became of the item's client.", body = OutboxConfirmed),
        (status = 409, description = "It has left the machine, or goes through no channel.", body = ProblemBody,
            content_type = "application/problem+json")))]
async fn outbox_confirm(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    let (context, body) = call.json::<OutboxConfirm>().await?;
    let words = body.answer.as_deref().unwrap_or("yes");
    let client = domain.outbox_confirm(&context, id, words).await?;
    ok(&OutboxConfirmed {
        client: client.map(LinkedClient::from),
    })
}
