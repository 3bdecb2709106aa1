//! Webhooks: where events are sent, signed with secrets that only the receiver and this server know.
//!
//! What it is not: how an event is written and signed, which is its dialect's; nor the sending, which is the worker's of
//! the outbox. Invariant: a secret is shown when it is made and at no other time; at rest it is sealed.

use std::fmt;

use serde::{Deserialize, Serialize};
use store::{EventRow, OutboxClaim, Sealer, Sql, Tx, Verdict, WebhookRow};

use crate::{
    access::NATIVE,
    caller::{Caller, Context, Scope},
    error::{Error, Result},
    event::{Event, EventData, EventKind},
    limits,
    outbox::{OutboxKind, Retry, SendError},
    service::Domain,
    webhook_new::{checked, generated, host, kept, valid_url},
};

pub(crate) const NOUN: &str = "webhook";

/// A webhook to be made.
#[derive(Clone)]
pub struct WebhookNew {
    /// The protocol in which events are written and signed; given by the dialect that makes it, not by a caller.
    pub dialect: String,
    /// `https`, or `http` where the operator has allowed the host.
    pub url: String,
    /// What is wanted; empty means everything.
    pub events: Vec<EventKind>,
    /// Made up where there is none.
    pub secret: Option<String>,
    /// The integration that it is to belong to; the caller's own where it has one.
    pub integration: Option<i64>,
    pub detail: Detail,
}

/// How much a webhook is told, where its protocol knows such degrees.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    /// The whole record of the person that an event is about.
    pub record: bool,
    /// The whole client that a message came from.
    pub client: bool,
    /// What the protocol could tell of and this server never has, in bits that only the protocol's dialect reads: asked for
    /// by the webhook, and given back.
    #[serde(default)]
    pub silent: u32,
}

/// Above the flags.
const SILENT_SHIFT: u32 = 2;

impl Detail {
    pub(crate) fn bits(self) -> i64 {
        let silent = i64::from(self.silent) << SILENT_SHIFT;
        i64::from(self.record) | i64::from(self.client) << 1 | silent
    }

    fn of(bits: i64) -> Detail {
        Detail {
            record: bits & 1 != 0,
            client: bits & 2 != 0,
            // 32 bits were put in.
            silent: (bits >> SILENT_SHIFT) as u32,
        }
    }
}

/// What to change of a webhook; what is absent stays.
#[derive(Clone, Default)]
pub struct WebhookChange {
    pub url: Option<String>,
    pub events: Option<Vec<EventKind>>,
    pub detail_record: Option<bool>,
    pub detail_client: Option<bool>,
    pub detail_silent: Option<u32>,
}

impl fmt::Debug for WebhookChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookChange(***)")
    }
}

impl fmt::Debug for WebhookNew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookNew({}, ***)", self.dialect)
    }
}

/// A webhook, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhook {
    pub id: i64,
    pub dialect: String,
    pub url: String,
    /// What it wants; empty means everything that its protocol tells of.
    pub events: Vec<EventKind>,
    pub integration: Option<i64>,
    pub detail: Detail,
    /// Milliseconds since the Unix epoch.
    pub created: i64,
    pub updated: i64,
}

/// An event that this process may send to a webhook until its lease runs out.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookClaim {
    claim: OutboxClaim,
    /// The webhook's id.
    pub webhook: i64,
    pub url: String,
    pub dialect: String,
    /// Newest first: two while one follows the other.
    pub secrets: Vec<String>,
    pub event: Event,
    pub detail: Detail,
    /// The usual one, unless the webhook's protocol says otherwise.
    pub retry: Retry,
}

impl WebhookClaim {
    pub fn workspace(&self) -> i64 {
        self.claim.workspace
    }

    pub fn id(&self) -> i64 {
        self.claim.id
    }

    /// Attempts begun, this one included.
    pub fn attempt(&self) -> i64 {
        self.claim.attempts
    }
}

/// The secrets are secret, and so may be the URL.
impl fmt::Debug for WebhookClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WebhookClaim({:?}, ***)", self.claim)
    }
}

/// What an item of the outbox says: which event goes to which webhook, and what is shown of that.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Notice {
    webhook: i64,
    event: i64,
    /// The event's kind.
    pub kind: String,
    /// Of the webhook's URL.
    pub host: String,
}

impl Notice {
    pub(crate) fn read(payload: &[u8]) -> Result<Notice> {
        serde_json::from_slice(payload).map_err(Error::internal)
    }
}

/// A webhook that wants to know of something.
#[derive(Debug)]
pub(crate) struct Listener {
    id: i64,
    host: String,
}

impl Listener {
    /// Puts the delivery of an event into the outbox.
    pub(crate) fn queue(&self, tx: &mut Tx<'_, '_>, kind: EventKind, event: i64) -> Result<()> {
        let notice = Notice {
            webhook: self.id,
            event,
            kind: kind.as_str().to_owned(),
            host: self.host.clone(),
        };
        let payload = serde_json::to_vec(&notice).map_err(Error::internal)?;
        let id = tx.next_id();
        Ok(store::outbox_insert(
            tx,
            id,
            (OutboxKind::Webhook.as_str(), self.id),
            &payload,
        )?)
    }
}

/// The webhooks that want to know of this kind of event; where it is about a record, of which source that is.
pub(crate) fn listening(
    tx: &mut Tx<'_, '_>,
    kind: EventKind,
    source: Option<&str>,
) -> Result<Vec<Listener>> {
    let all = store::webhooks_listening(tx)?.into_iter();
    let wanting = all.filter(|one| {
        let told = one.dialect == NATIVE || source.is_none_or(|source| source == one.dialect);
        told && wants(&one.dialect, &one.events, kind)
    });
    Ok(wanting.map(|one| listener(one.id, &one.url)).collect())
}

fn listener(id: i64, url: &str) -> Listener {
    let host = host(url).unwrap_or_default();
    Listener { id, host }
}

/// Whether a webhook of these space-separated kinds wants this one. Of a protocol other than the native one, no kinds are
/// those of audiences: what there was when it was made.
fn wants(dialect: &str, events: &str, kind: EventKind) -> bool {
    if events.is_empty() {
        return dialect == NATIVE || kind.is_of_audiences();
    }
    events.split(' ').any(|wanted| wanted == kind.as_str())
}

/// Whether webhooks of a protocol are told of such an event at all: of other systems' people they are not, as in
/// [`listening`].
fn is_told(sealer: &Sealer, workspace: i64, dialect: &str, row: &EventRow) -> Result<bool> {
    let is_of_person = EventKind::parse(&row.kind).is_some_and(|kind| !kind.is_of_audiences());
    if dialect == NATIVE || !is_of_person {
        return Ok(true);
    }
    Ok(match Event::of(sealer, workspace, row.clone())?.data {
        EventData::Audience(_) => true,
        EventData::Person(said) => said.source() == Some(dialect),
    })
}

/// A secret may follow another in the same row, so both are sealed for the same place.
pub(crate) fn seal_context(workspace: i64, id: i64) -> String {
    format!("webhook {workspace}/{id}")
}

fn opened(sealer: &Sealer, workspace: i64, id: i64, sealed: &[u8]) -> Result<String> {
    let plain = sealer.open(&seal_context(workspace, id), sealed)?;
    String::from_utf8(plain).map_err(Error::internal)
}

/// The kinds that a program of another version knows and this one does not are left out.
pub(crate) fn view(row: WebhookRow) -> Webhook {
    Webhook {
        id: row.id,
        dialect: row.dialect,
        url: row.url,
        events: row.events.split(' ').filter_map(EventKind::parse).collect(),
        integration: row.integration,
        detail: Detail::of(row.detail),
        created: row.created,
        updated: row.updated,
    }
}

fn need(caller: &Caller) -> Result<()> {
    caller.need(Scope::Webhooks)?;
    // It is told of the whole workspace.
    caller.need_every_structure()
}

/// A webhook of this dialect, if one is named, and of the caller's integration, if it has one.
fn of_integration(
    row: Option<WebhookRow>,
    dialect: Option<&str>,
    integration: Option<i64>,
) -> Result<WebhookRow> {
    row.filter(|row| dialect.is_none_or(|dialect| row.dialect == dialect))
        .filter(|row| integration.is_none() || row.integration == integration)
        .ok_or(Error::NotFound(NOUN))
}

impl Domain {
    /// Makes a webhook, and answers the secret that signs what it is sent; it is shown this once. Needs the scope webhooks
    /// and every structure.
    pub async fn webhook_create(
        &self,
        context: &Context,
        new: WebhookNew,
    ) -> Result<(Webhook, String)> {
        need(&context.caller)?;
        let integration = context.caller.integration.or(new.integration);
        let (made, sealer) = (checked(self.random(), new)?, self.store().sealer().clone());
        self.command(context, "webhook_create", 1, move |tx| {
            Ok(Verdict::Done(made.insert(tx, &sealer, integration)?))
        })
        .await
    }

    /// Webhooks with `id > after`, of one dialect or of any, in order of id. Needs the scope webhooks and every structure.
    pub async fn webhook_list(
        &self,
        caller: &Caller,
        dialect: Option<&str>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Webhook>> {
        need(caller)?;
        let (dialect, limit) = (
            dialect.map(str::to_owned),
            limit.clamp(1, limits::PAGE_ITEMS_MAX),
        );
        let own = caller.integration;
        self.store()
            .read(caller.workspace, move |read| {
                let page = store::webhook_page(read, dialect.as_deref(), after, limit as i64)?;
                let page = page.into_iter();
                let page = page.filter(|row| own.is_none() || row.integration == own);
                Ok(page.map(view).collect())
            })
            .await
    }

    /// Needs the scope webhooks and every structure.
    pub async fn webhook_get(&self, caller: &Caller, id: i64) -> Result<Webhook> {
        need(caller)?;
        let own = caller.integration;
        self.store()
            .read(caller.workspace, move |read| {
                of_integration(store::webhook_get(read, id)?, None, own).map(view)
            })
            .await
    }

    /// Changes where a webhook of a dialect is told, and of what. Needs the scope webhooks and every structure.
    pub async fn webhook_update(
        &self,
        context: &Context,
        dialect: &str,
        id: i64,
        change: WebhookChange,
    ) -> Result<Webhook> {
        need(&context.caller)?;
        let url = change.url.as_deref().map(valid_url).transpose()?;
        let events = change.events.as_deref().map(kept);
        let (dialect, own) = (dialect.to_owned(), context.caller.integration);
        self.command(context, "webhook_update", 1, move |tx| {
            let row = store::webhook_get(tx, id)?;
            let mut row = of_integration(row, Some(&dialect), own)?;
            let before = row.clone();
            let detail = Detail::of(row.detail);
            row.detail = Detail {
                record: change.detail_record.unwrap_or(detail.record),
                client: change.detail_client.unwrap_or(detail.client),
                silent: change.detail_silent.unwrap_or(detail.silent),
            }
            .bits();
            row.url = url.clone().unwrap_or(row.url);
            row.events = events.clone().unwrap_or(row.events);
            if row != before {
                row.updated = tx.meta().time;
                store::webhook_update(tx, &row)?;
                store::activity_insert(tx, Some(id), "")?;
            }
            Ok(Verdict::Done(view(row)))
        })
        .await
    }

    /// Deletes a webhook; what still waits to be sent to it is given up when its turn comes. Needs the scope webhooks and
    /// every structure.
    pub async fn webhook_delete(
        &self,
        context: &Context,
        dialect: Option<&str>,
        id: i64,
    ) -> Result<()> {
        need(&context.caller)?;
        let (dialect, own) = (dialect.map(str::to_owned), context.caller.integration);
        self.command(context, "webhook_delete", 1, move |tx| {
            of_integration(store::webhook_get(tx, id)?, dialect.as_deref(), own)?;
            store::webhook_delete(tx, id)?;
            store::activity_insert(tx, Some(id), "")?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Gives a webhook a new secret, shown this once; the old one signs too for 24 hours more. Needs the scope webhooks
    /// and every structure.
    pub async fn webhook_rotate(&self, context: &Context, id: i64) -> Result<String> {
        need(&context.caller)?;
        let secret = generated(self.random())?;
        let (workspace, sealer) = (context.caller.workspace, self.store().sealer().clone());
        let own = context.caller.integration;
        self.command(context, "webhook_rotate", 1, move |tx| {
            of_integration(store::webhook_get(tx, id)?, None, own)?;
            let sealed = sealer.seal(&seal_context(workspace, id), secret.as_bytes())?;
            let old_until = tx.meta().time + limits::WEBHOOK_OLD_SECRET_MS;
            store::webhook_rotate(tx, id, &sealed, old_until)?;
            store::activity_insert(tx, Some(id), "")?;
            Ok(Verdict::Done(secret.clone()))
        })
        .await
    }

    /// Queues again, oldest first, what a webhook wants of that which happened at `since_ms` or later: at most 10,000
    /// events of those that are kept, and only such that some webhook wanted when they happened. Answers how many. Needs
    /// the scope webhooks and every structure.
    pub async fn webhook_replay(&self, context: &Context, id: i64, since_ms: i64) -> Result<u64> {
        need(&context.caller)?;
        let own = context.caller.integration;
        let sealer = self.store().sealer().clone();
        self.command(context, "webhook_replay", 1, move |tx| {
            let row = of_integration(store::webhook_get(tx, id)?, None, own)?;
            let listener = listener(id, &row.url);
            let (mut queued, mut after) = (0, 0);
            while queued < limits::EVENTS_REPLAYED_MAX {
                let page = store::event_page(tx, since_ms, after, limits::PAGE_ITEMS_MAX as i64)?;
                let Some(last) = page.last() else { break };
                after = last.id;
                for event in page {
                    let kind = EventKind::parse(&event.kind);
                    let kind = kind.filter(|kind| wants(&row.dialect, &row.events, *kind));
                    let room = queued < limits::EVENTS_REPLAYED_MAX;
                    if let Some(kind) = kind.filter(|_| room)
                        && is_told(&sealer, tx.workspace(), &row.dialect, &event)?
                    {
                        listener.queue(tx, kind, event.id)?;
                        queued += 1;
                    }
                }
            }
            let detail = format!("since={since_ms} queued={queued}");
            store::activity_insert(tx, Some(id), &detail)?;
            Ok(Verdict::Done(queued))
        })
        .await
    }

    /// Claims at most `limit` deliveries that are due, of every workspace. For the server's worker.
    pub async fn webhook_claim(&self, limit: usize) -> Result<Vec<WebhookClaim>> {
        self.webhook_claim_beside(limit, &[]).await
    }

    /// The same, but none for these webhooks, each of a workspace, of which at most four are looked at.
    pub async fn webhook_claim_beside(
        &self,
        limit: usize,
        beside: &[(i64, i64)],
    ) -> Result<Vec<WebhookClaim>> {
        let mut deliveries = Vec::new();
        let kind = OutboxKind::Webhook;
        for claim in self.claims_beside(kind, limit, beside).await? {
            let read = self.notice_rows(&claim).await;
            // The lease runs out, and it is tried again.
            let (workspace, item) = (claim.workspace, claim.id);
            let Ok((webhook, event)) = read.inspect_err(|error| {
                let context = error.context();
                tracing::warn!(workspace, item, %error, context, "a delivery was not read");
            }) else {
                continue;
            };
            let opened = self.delivery(&claim, webhook, event);
            deliveries.extend(self.unless_hopeless(&claim, opened).await?);
        }
        Ok(deliveries)
    }

    async fn notice_rows(
        &self,
        claim: &OutboxClaim,
    ) -> Result<(Option<WebhookRow>, Option<Event>)> {
        let notice = Notice::read(&claim.payload)?;
        let (sealer, workspace) = (self.store().sealer().clone(), claim.workspace);
        let rows = move |read: &mut store::Read<'_>| {
            let webhook = store::webhook_get(read, notice.webhook)?;
            let event: Option<EventRow> = store::event_get(read, notice.event)?;
            let event = event.map(|row| Event::of(&sealer, workspace, row));
            Ok((webhook, event.transpose()?))
        };
        self.store().read(claim.workspace, rows).await
    }

    fn delivery(
        &self,
        claim: &OutboxClaim,
        webhook: Option<WebhookRow>,
        event: Option<Event>,
    ) -> Result<WebhookClaim> {
        let webhook = webhook.ok_or(Error::Conflict("The webhook was deleted."))?;
        let event = event.ok_or(Error::Conflict("The event is too old and no longer kept."))?;
        let now = self.now_ms();
        let old = webhook.old.filter(|(_, until)| now < *until);
        let sealed = std::iter::once(webhook.secret).chain(old.map(|(secret, _)| secret));
        let (sealer, workspace) = (self.store().sealer(), claim.workspace);
        let secrets = sealed.map(|sealed| opened(sealer, workspace, webhook.id, &sealed));
        Ok(WebhookClaim {
            secrets: secrets.collect::<Result<_>>()?,
            claim: claim.clone(),
            webhook: webhook.id,
            url: webhook.url,
            dialect: webhook.dialect,
            event,
            detail: Detail::of(webhook.detail),
            retry: Retry::USUAL,
        })
    }

    /// Notes how a delivery went, as [`Self::outbox_finish`] does of a mail.
    pub async fn webhook_finish(
        &self,
        delivery: &WebhookClaim,
        outcome: std::result::Result<(), SendError>,
    ) -> Result<bool> {
        self.finish(&delivery.claim, outcome, &delivery.url, delivery.retry)
            .await
    }

    /// Forgets events and deliveries that are too old to be told, and secrets that sign no more; called now and then.
    pub async fn webhook_sweep(&self, workspace: i64) -> Result<()> {
        let context = Context::new(Caller::server(workspace), "sweep");
        let now = self.now_ms();
        self.command(&context, "webhook_sweep", 1, move |tx| {
            let kept_since = now - limits::EVENT_KEPT_MS;
            store::event_sweep(tx, kept_since)?;
            store::outbox_sweep_dead(tx, OutboxKind::Webhook.as_str(), kept_since)?;
            store::webhook_secrets_sweep(tx, now)?;
            Ok(Verdict::Done(()))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_neither_url_nor_secret() {
        let new = WebhookNew {
            dialect: "native".into(),
            url: "https://example.org/canary".into(),
            events: Vec::new(),
            secret: Some("canary".into()),
            integration: None,
            detail: Detail::default(),
        };
        assert!(!format!("{new:?}").contains("canary"));
    }
}
