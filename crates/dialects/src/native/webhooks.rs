//! Webhooks: what happens to audiences, and to people on their channels, sent to others as Standard Webhooks has it.

use axum::extract::State;
use domain::{Domain, WebhookNew};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call, created, no_content, ok},
    page::{Page, PageParams, PageQuery},
    wire_webhooks::{
        Webhook, WebhookCreate, WebhookReplay, WebhookReplayed, WebhookSecret, WebhookShown,
    },
};

const NOUN: &str = "webhook";

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(webhook_list, webhook_create))
        .routes(routes!(webhook_get, webhook_delete))
        .routes(routes!(webhook_rotate))
        .routes(routes!(webhook_replay))
}

/// List webhooks
///
/// In order of id, those of every protocol, without secrets. Needs the scope `webhooks` and a token for every structure.
#[utoipa::path(get, path = "/api/v1/webhooks", tag = "webhooks", params(PageParams),
    responses((status = 200, description = "A page of webhooks.", body = Page<Webhook>)))]
async fn webhook_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &[])?;
    let after = page.after.unwrap_or(0);
    let webhooks = domain
        .webhook_list(&call.caller, None, after, page.limit)
        .await?;
    page.answer(webhooks, |webhook| webhook.id, Webhook::from)
}

/// Make a webhook
///
/// Events are sent to it by POST and signed by Standard Webhooks (`webhook-id`, `webhook-timestamp`, `webhook-signature`).
/// Any answer but 2xx within 30 seconds is followed by further attempts, about five hours long; what could not be sent
/// then is in the outbox. An event may come twice, with the same `webhook-id`, and events may come in another order. The
/// answer is the only one that shows the secret (a repetition with the same Idempotency-Key shows it again). Needs the
/// scope `webhooks` and a token for every structure.
#[utoipa::path(post, path = "/api/v1/webhooks", tag = "webhooks", request_body = WebhookCreate,
    responses((status = 201, description = "The new webhook with its secret.", body = WebhookShown)))]
async fn webhook_create(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, body) = call.json::<WebhookCreate>().await?;
    let new = WebhookNew::try_from(body)?;
    let made = domain.webhook_create(&context, new).await?;
    created("webhooks", made.0.id, &WebhookShown::from(made))
}

/// Get a webhook
///
/// Needs the scope `webhooks` and a token for every structure.
#[utoipa::path(get, path = "/api/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook's id.")),
    responses((status = 200, description = "The webhook, without its secret.", body = Webhook)))]
async fn webhook_get(State(domain): State<Domain>, call: Call) -> Answer {
    let webhook = domain.webhook_get(&call.caller, call.id(NOUN)?).await?;
    ok(&Webhook::from(webhook))
}

/// Delete a webhook
///
/// What still waits to be sent to it is given up. Needs the scope `webhooks` and a token for every structure.
#[utoipa::path(delete, path = "/api/v1/webhooks/{id}", tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook's id.")),
    responses((status = 204, description = "It is deleted.")))]
async fn webhook_delete(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    domain.webhook_delete(&call.context(), None, id).await?;
    no_content()
}

/// Rotate a webhook's secret
///
/// The new one is shown this once. For 24 hours every event is signed with both, so that the receiver can change over.
/// Takes no body. Needs the scope `webhooks` and a token for every structure.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/rotate", tag = "webhooks",
    params(("id" = i64, Path, description = "The webhook's id.")),
    responses((status = 200, description = "The new secret.", body = WebhookSecret)))]
async fn webhook_rotate(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    let secret = domain.webhook_rotate(&call.nothing().await?, id).await?;
    ok(&WebhookSecret { id, secret })
}

/// Replay events
///
/// Queues again, oldest first, what the webhook wants of that which happened since a time: at most 10,000 events, of the
/// last 30 days, each with the `webhook-id` that it had. Only what some webhook of the workspace wanted when it happened
/// was kept. Needs the scope `webhooks` and a token for every structure.
#[utoipa::path(post, path = "/api/v1/webhooks/{id}/replay", tag = "webhooks", request_body = WebhookReplay,
    params(("id" = i64, Path, description = "The webhook's id.")),
    responses((status = 200, description = "How many events are queued.", body = WebhookReplayed)))]
async fn webhook_replay(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    let (context, body) = call.json::<WebhookReplay>().await?;
    let queued = domain
        .webhook_replay(&context, id, body.since_ms()?)
        .await?;
    ok(&WebhookReplayed { queued })
}
