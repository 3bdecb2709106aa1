//! Webhooks for audiences. The vendor has its outbound webhooks set up by its support and has none for audiences: that they can
//! be subscribed to, and what their events are called, is of our making; how an event is sent and signed is the vendor's.

use axum::response::Response;
use domain::{
    AudienceEvent, DialectId, EventKind, IdKind, OutboundRequest, Webhook, WebhookClaim,
    WebhookNew, limits, rfc3339,
};
use serde::Serialize;

use super::{
    DIALECT,
    call::{Answer, Call, created, deleted, ok, page},
    error::Problem,
    json::Fields,
    map::hex,
    provision,
    tenant::tenant_id,
};
use crate::delivery;

const SIGNATURE: &str = "x-hmac-signature";

/// A subscription.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscription {
    id: String,
    url: String,
    /// Empty: all.
    event_types: Vec<&'static str>,
    /// Once, in the answer to its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    created_at: String,
    updated_at: String,
}

fn subscription(workspace: i64, webhook: &Webhook, secret: Option<String>) -> Subscription {
    Subscription {
        id: hex(workspace, IdKind::Webhook, webhook.id),
        url: webhook.url.clone(),
        event_types: webhook.events.iter().map(|kind| kind.as_str()).collect(),
        secret,
        created_at: rfc3339(webhook.created),
        updated_at: rfc3339(webhook.updated),
    }
}

/// `POST /webhooks`: an event of a personnel system, which the vendor documents at this path, or a new subscription.
pub async fn post(mut call: Call) -> Answer {
    let fields = call.fields().await?;
    if provision::is_event(&fields) {
        return provision::receive(call, fields).await;
    }
    subscribe(call, &fields).await
}

async fn subscribe(call: Call, fields: &Fields) -> Answer {
    let url = fields.text("url")?.flatten();
    let new = WebhookNew {
        dialect: DIALECT.into(),
        url: url.ok_or_else(|| Problem::invalid("url", "is required."))?,
        events: event_types(fields)?,
        secret: fields.text("secret")?.flatten(),
        integration: None,
        detail: domain::Detail::default(),
    };
    let (webhook, secret) = call.domain.webhook_create(&call.context, new).await?;
    let workspace = call.caller().workspace;
    Ok(created(&subscription(workspace, &webhook, Some(secret))))
}

fn event_types(fields: &Fields) -> Result<Vec<EventKind>, Problem> {
    const NAME: &str = "eventTypes";
    // What happens to people on other systems' channels is not the vendor's.
    let known = EventKind::ALL.into_iter();
    let known: Vec<EventKind> = known.filter(|kind| kind.is_of_audiences()).collect();
    let words: Vec<&str> = known.iter().map(|kind| kind.as_str()).collect();
    let why = format!("must be an array of: {}.", words.join(", "));
    match fields.0.get(NAME) {
        None | Some(serde_json::Value::Null) => Ok(Vec::new()),
        Some(serde_json::Value::Array(words)) => {
            let kind = |word: &serde_json::Value| {
                let kind = word.as_str().and_then(EventKind::parse);
                let kind = kind.filter(|kind| kind.is_of_audiences());
                kind.ok_or_else(|| Problem::invalid(NAME, &why))
            };
            words.iter().map(kind).collect()
        }
        Some(_) => Err(Problem::invalid(NAME, &why)),
    }
}

/// `GET /webhooks`
pub async fn list(call: Call) -> Answer {
    let paging = call.query.paging()?;
    let caller = call.caller();
    // A workspace has far fewer than a page holds.
    let all = call
        .domain
        .webhook_list(caller, Some(DIALECT), 0, limits::PAGE_ITEMS_MAX)
        .await?;
    let offset = usize::try_from(paging.offset()).unwrap_or(usize::MAX);
    let shown = all.iter().skip(offset).take(paging.limit());
    let shown = shown.map(|webhook| subscription(caller.workspace, webhook, None));
    Ok(page(paging, all.len() as u64, shown.collect()))
}

/// `GET /webhooks/{id}`
pub async fn get(call: Call) -> Result<Response, Problem> {
    let webhook = call.domain.webhook_get(call.caller(), id(&call)?).await?;
    if webhook.dialect != DIALECT {
        return Err(Problem::not_found("webhook"));
    }
    Ok(ok(&subscription(call.caller().workspace, &webhook, None)))
}

/// `DELETE /webhooks/{id}`
pub async fn delete(call: Call) -> Answer {
    call.domain
        .webhook_delete(&call.context, Some(DIALECT), id(&call)?)
        .await?;
    deleted()
}

fn id(call: &Call) -> Result<i64, Problem> {
    let workspace = call.caller().workspace;
    let id = DialectId::from_hex(&call.path("webhook"))
        .filter(|id| id.kind == IdKind::Webhook && id.workspace == workspace);
    id.map(|id| id.id)
        .ok_or_else(|| Problem::not_found("webhook"))
}

/// An event, with the members that the vendor's other events have.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Notice<'a> {
    event_type: &'static str,
    tenant_id: String,
    audience: NoticeAudience<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<NoticeMembers>,
    created_at: String,
    dispatched_at: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NoticeAudience<'a> {
    id: String,
    name: &'a str,
    reference: Option<&'a str>,
    category: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    /// The structure's id; of a move, the new one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_parent_id: Option<String>,
}

#[derive(Debug, Serialize)]
struct NoticeMembers {
    added: u64,
    removed: u64,
}

/// The request that tells a subscriber of an event: the vendor's header, over the body as it is sent.
pub fn event_request(claim: &WebhookClaim, data: &AudienceEvent, now_ms: i64) -> OutboundRequest {
    let (event, workspace) = (&claim.event, claim.workspace());
    let audience = |id: i64| hex(workspace, IdKind::Audience, id);
    let structure = data.kind == "structure";
    let notice = Notice {
        event_type: event.kind.as_str(),
        tenant_id: tenant_id(workspace),
        audience: NoticeAudience {
            id: audience(data.audience),
            name: &data.name,
            reference: data.reference.as_deref(),
            category: if structure { "structure" } else { "audience" },
            kind: if data.kind == "smart" {
                "smart"
            } else {
                "manual"
            },
            parent_id: (!structure).then(|| audience(data.to.unwrap_or(data.structure))),
            previous_parent_id: data.from.map(audience),
        },
        members: (data.added + data.removed > 0).then_some(NoticeMembers {
            added: data.added,
            removed: data.removed,
        }),
        created_at: rfc3339(event.time),
        dispatched_at: rfc3339(now_ms),
    };
    let body = delivery::json(&notice);
    // The vendor has room for one signature: while a secret follows another, the newer one signs.
    let secret = claim.secrets.first().map(String::as_bytes);
    let digest = delivery::signature(secret.unwrap_or_default(), &[&body]);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let headers = vec![(SIGNATURE, format!("sha256={hex}"))];
    delivery::post(claim, body, headers)
}
