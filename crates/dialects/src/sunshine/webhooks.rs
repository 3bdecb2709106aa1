//! Webhooks: an integration's, or the app's own under the name `me`.

use domain::{Detail, IdKind, Webhook, WebhookChange, WebhookNew, limits};
use serde::Serialize;

use super::{
    DIALECT,
    call::{Answer, Call, created, done, ok},
    error::Problem,
    json::{Errors, Object},
    map::hex,
    triggers, wire,
};

const VERSION: &str = "v2";
const TARGET_CHARS_MAX: usize = 2_048;
/// Webhooks of an integration, or of the app itself.
const WEBHOOKS_MAX: usize = 10;

/// `WebhookResponse`.
#[derive(Debug, Serialize)]
struct Body {
    webhook: wire::Webhook,
}

pub fn shown(workspace: i64, webhook: &Webhook, secret: Option<String>) -> wire::Webhook {
    wire::Webhook {
        id: Some(hex(workspace, IdKind::Webhook, webhook.id)),
        version: VERSION,
        target: webhook.url.clone(),
        triggers: triggers::words(webhook),
        secret,
        include_full_user: webhook.detail.record,
        include_full_source: webhook.detail.client,
    }
}

/// What stands where a client needs a webhook and there is none.
pub fn none() -> wire::Webhook {
    wire::Webhook {
        id: None,
        version: VERSION,
        target: String::new(),
        triggers: Vec::new(),
        secret: None,
        include_full_user: false,
        include_full_source: false,
    }
}

/// Whose webhooks the path is about: the integration's; of `me`, the key's own, or the app's where the key has none.
fn owner(call: &Call) -> Result<Option<i64>, Problem> {
    let own = call.caller().integration;
    if call.path("integration") == "me" {
        return Ok(own);
    }
    let asked = call.integration()?;
    // To a key of another integration, this one is not there.
    match own.is_none_or(|own| own == asked) {
        true => Ok(Some(asked)),
        false => Err(Problem::not_found("integration")),
    }
}

/// The owner, which has to be there: an app's key may name any integration of the app.
async fn owner_there(call: &Call) -> Result<Option<i64>, Problem> {
    let owner = owner(call)?;
    if let (Some(id), None) = (owner, call.caller().integration) {
        call.domain.integration_get(call.caller(), id).await?;
    }
    Ok(owner)
}

/// All webhooks of this protocol that the caller may see.
pub async fn all(call: &Call) -> Result<Vec<Webhook>, Problem> {
    // A workspace has far fewer than a page holds.
    let limit = limits::PAGE_ITEMS_MAX;
    let all = call
        .domain
        .webhook_list(call.caller(), Some(DIALECT), 0, limit);
    Ok(all.await?)
}

async fn owned(call: &Call, owner: Option<i64>) -> Result<Vec<Webhook>, Problem> {
    let mut all = all(call).await?;
    all.retain(|webhook| webhook.integration == owner);
    Ok(all)
}

async fn found(call: &Call) -> Result<Webhook, Problem> {
    let owner = owner_there(call).await?;
    let id = call.id("webhook", IdKind::Webhook, "webhook")?;
    let webhook = call.domain.webhook_get(call.caller(), id).await?;
    if webhook.dialect != DIALECT || webhook.integration != owner {
        return Err(Problem::not_found("webhook"));
    }
    Ok(webhook)
}

/// What a body says of a webhook.
#[derive(Debug)]
pub struct Fields {
    target: Option<String>,
    triggers: Option<(Vec<domain::EventKind>, u32)>,
    full_user: Option<bool>,
    full_source: Option<bool>,
}

impl Fields {
    fn read(body: &Object<'_>, errors: &mut Errors) -> Fields {
        for name in ["target", "triggers"] {
            if body.is_null(name) {
                body.wrong(errors, name, "must not be null");
            }
        }
        Fields {
            target: body.maybe(errors, "target", TARGET_CHARS_MAX),
            triggers: triggers::read(body, errors),
            full_user: body.flag(errors, "includeFullUser"),
            full_source: body.flag(errors, "includeFullSource"),
        }
    }

    /// A new webhook of the one who calls, until an integration is put in.
    pub fn webhook_new(body: &Object<'_>, errors: &mut Errors) -> Option<WebhookNew> {
        let fields = Fields::read(body, errors);
        for name in ["target", "triggers"] {
            if !body.has(name) && !body.is_null(name) {
                body.wrong(errors, name, "is required");
            }
        }
        let (events, silent) = fields.triggers?;
        Some(WebhookNew {
            dialect: DIALECT.into(),
            url: fields.target?,
            events,
            secret: None,
            integration: None,
            detail: Detail {
                record: fields.full_user.unwrap_or(false),
                client: fields.full_source.unwrap_or(false),
                silent,
            },
        })
    }

    fn change(self) -> WebhookChange {
        let (events, silent) = self.triggers.unzip();
        WebhookChange {
            url: self.target,
            events,
            detail_record: self.full_user,
            detail_client: self.full_source,
            detail_silent: silent,
        }
    }
}

/// Fails where a target is inside the machine or its network: what is never reached is not kept either. A name that leads
/// there is found out when something is sent.
pub fn reachable(call: &Call, target: &str) -> Result<(), Problem> {
    if !call.domain.outbound().refuses(target) {
        return Ok(());
    }
    let title = "target must be an https URL of a host that everybody can reach";
    Err(Problem {
        context: Some("a target that may not be reached".into()),
        ..Problem::bad_request(title)
    })
}

/// `POST /integrations/{integrationId}/webhooks`
pub async fn create(call: Call) -> Answer {
    let owner = owner_there(&call).await?;
    let new = call.read(Fields::webhook_new)?;
    reachable(&call, &new.url)?;
    if owned(&call, owner).await?.len() >= WEBHOOKS_MAX {
        let title = format!("There can be at most {WEBHOOKS_MAX} webhooks");
        return Err(Problem::bad_request(title));
    }
    let new = WebhookNew {
        integration: owner,
        ..new
    };
    let (webhook, secret) = call.domain.webhook_create(&call.context, new).await?;
    Ok(created(&Body {
        webhook: shown(call.workspace(), &webhook, Some(secret)),
    }))
}

/// `GET /integrations/{integrationId}/webhooks`
pub async fn list(call: Call) -> Answer {
    let owner = owner_there(&call).await?;
    let webhooks = owned(&call, owner).await?;
    let shown = webhooks
        .iter()
        .map(|webhook| shown(call.workspace(), webhook, None));
    Ok(ok(&wire::Named("webhooks", shown.collect::<Vec<_>>())))
}

/// `GET /integrations/{integrationId}/webhooks/{webhookId}`
pub async fn get(call: Call) -> Answer {
    let webhook = found(&call).await?;
    Ok(ok(&Body {
        webhook: shown(call.workspace(), &webhook, None),
    }))
}

/// `PATCH /integrations/{integrationId}/webhooks/{webhookId}`
pub async fn update(call: Call) -> Answer {
    let id = found(&call).await?.id;
    let change = call.read(|body, errors| Some(Fields::read(body, errors).change()))?;
    if let Some(target) = &change.url {
        reachable(&call, target)?;
    }
    let webhook = call
        .domain
        .webhook_update(&call.context, DIALECT, id, change)
        .await?;
    Ok(ok(&Body {
        webhook: shown(call.workspace(), &webhook, None),
    }))
}

/// `DELETE /integrations/{integrationId}/webhooks/{webhookId}`
pub async fn delete(call: Call) -> Answer {
    let id = found(&call).await?.id;
    call.domain
        .webhook_delete(&call.context, Some(DIALECT), id)
        .await?;
    done()
}
