//! The outbox as people and the worker see it: what has to leave the server, and how often that was tried.
//!
//! What it is not: the sending itself; the server's worker claims items here (deliveries to webhooks in [`crate::webhook`],
//! by the same rules), sends them, and says how it went.
//! Invariant: an item is queued by the command that causes it or not at all, and a worker whose claim ran out changes
//! nothing any more.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use store::{OutboxClaim, OutboxEnd, OutboxItem, OutboxState, Sealer, Tx, Verdict};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    caller::{Caller, Context, Scope},
    channel_send::Parcel,
    error::{Error, Result},
    limits,
    mail::{self, Envelope, Mail, MailText},
    random::Random,
    service::Domain,
    webhook::Notice,
};

/// By what an item leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxKind {
    /// By SMTP.
    Mail,
    /// By HTTP, to a webhook.
    Webhook,
    /// By HTTP, to a provider of a channel and through it to a person.
    Channel,
}

impl OutboxKind {
    pub fn as_str(self) -> &'static str {
        match self {
            OutboxKind::Mail => "mail",
            OutboxKind::Webhook => "webhook",
            OutboxKind::Channel => "channel",
        }
    }
}

/// How long more is waited for after something was queued, so that a burst is claimed in few pieces.
const COLLECTED: Duration = Duration::from_millis(5);

/// What is sealed into an item.
#[derive(Serialize, Deserialize)]
struct Letter {
    envelope: Envelope,
    mail: Mail,
}

/// An item as it may be shown to administrators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutboxView {
    pub id: i64,
    /// By what it leaves, as in [`OutboxKind::as_str`].
    pub kind: String,
    /// Of a delivery to a webhook, the kind of its event. Nothing once it was sent: what it said is then forgotten.
    pub template: Option<String>,
    /// An address, or the host of a webhook's URL. Nothing once it was sent.
    pub recipient: Option<String>,
    /// `queued`, `sent` or `dead`.
    pub state: String,
    /// Attempts begun.
    pub attempts: i64,
    /// When it will be tried; nothing where it will not be.
    pub next_attempt: Option<i64>,
    pub created: i64,
    /// When it was sent or given up.
    pub finished: Option<i64>,
    pub last_error: Option<String>,
}

/// An item with what it says; nothing of that once it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxDetail {
    pub item: OutboxView,
    /// Of a mail, or of what is sent over a channel, which has no HTML.
    pub text: Option<MailText>,
}

/// A mail that this process may send until its lease runs out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailClaim {
    claim: OutboxClaim,
    pub to: String,
    pub text: MailText,
}

impl MailClaim {
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

/// How often something is tried, and how long the first wait is; each further one is twice as long, an hour at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    pub attempts_max: i64,
    pub first_ms: i64,
}

impl Retry {
    pub const USUAL: Retry = Retry {
        attempts_max: limits::ATTEMPTS_MAX,
        first_ms: limits::RETRY_FIRST_MS,
    };
}

/// Why an item was not taken; the text is for administrators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// Another attempt may succeed.
    Transient(String),
    /// Another attempt cannot succeed: the recipient was refused, or may not be reached.
    Permanent(String),
}

pub(crate) fn seal_context(workspace: i64, id: i64) -> String {
    format!("outbox {workspace}/{id}")
}

/// Queues a mail within a command and answers the item's id. Once the command is committed, the worker is woken.
/// Fails with *invalid*, and queues nothing, where an address, name or link could not be sent as it is.
pub fn mail_queue(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    envelope: &Envelope,
    mail: &Mail,
) -> Result<i64> {
    mail::check(envelope, mail)?;
    let id = tx.next_id();
    let workspace = store::Sql::workspace(tx);
    let letter = Letter {
        envelope: envelope.clone(),
        mail: mail.clone(),
    };
    let plain = serde_json::to_vec(&letter).map_err(Error::internal)?;
    let sealed = sealer.seal(&seal_context(workspace, id), &plain)?;
    store::outbox_insert(tx, id, (OutboxKind::Mail.as_str(), 0), &sealed)?;
    Ok(id)
}

fn open(sealer: &Sealer, workspace: i64, id: i64, payload: &[u8]) -> Result<Letter> {
    let plain = sealer.open(&seal_context(workspace, id), payload)?;
    serde_json::from_slice(&plain).map_err(Error::internal)
}

/// What an item says, as far as it was not sent and forgotten.
enum Content {
    Mail(Letter),
    Notice(Notice),
    Parcel(Box<Parcel>),
    Forgotten,
}

impl Content {
    fn of(sealer: &Sealer, workspace: i64, item: &OutboxItem) -> Result<Content> {
        if item.payload.is_empty() {
            return Ok(Content::Forgotten);
        }
        if item.kind == OutboxKind::Webhook.as_str() {
            return Notice::read(&item.payload).map(Content::Notice);
        }
        if item.kind == OutboxKind::Channel.as_str() {
            let parcel = Parcel::open(sealer, workspace, item.id, &item.payload)?;
            // Of what was sent, only ids are left.
            return Ok(match parcel.to.is_empty() {
                true => Content::Forgotten,
                false => Content::Parcel(Box::new(parcel)),
            });
        }
        open(sealer, workspace, item.id, &item.payload).map(Content::Mail)
    }

    /// What it is about, and whom it is for.
    fn label(&self) -> Option<(String, String)> {
        match self {
            Content::Mail(letter) => Some((
                letter.mail.template().to_owned(),
                letter.envelope.to.clone(),
            )),
            Content::Notice(notice) => Some((notice.kind.clone(), notice.host.clone())),
            Content::Parcel(parcel) => Some((parcel.template().to_owned(), parcel.to.clone())),
            Content::Forgotten => None,
        }
    }

    /// The words that it holds; `app` is the workspace's name.
    fn text(&self, app: &str) -> Result<Option<MailText>> {
        match self {
            Content::Parcel(parcel) => {
                let (subject, content) = parcel.words(app);
                Ok(content.map(|content| MailText {
                    subject,
                    text: content.shown(),
                    html: String::new(),
                }))
            }
            Content::Mail(letter) => mail::render(letter.envelope.language, &letter.mail).map(Some),
            Content::Notice(_) | Content::Forgotten => Ok(None),
        }
    }
}

fn view(item: OutboxItem, content: &Content) -> OutboxView {
    let (template, recipient) = content.label().unzip();
    OutboxView {
        id: item.id,
        kind: item.kind,
        template,
        recipient,
        state: item.state.as_str().to_owned(),
        attempts: item.attempts,
        next_attempt: (item.state == OutboxState::Queued).then_some(item.next_attempt),
        created: item.created,
        finished: item.finished,
        last_error: Some(item.last_error).filter(|error| !error.is_empty()),
    }
}

/// How long to wait after an attempt that failed: doubling, capped, and up to a quarter more or less, so that what failed
/// together is not tried together again.
fn back_off_ms(retry: Retry, attempts: i64, random: u16) -> i64 {
    let doublings = u32::try_from(attempts.clamp(1, 32) - 1).unwrap_or_default();
    let delay = retry
        .first_ms
        .saturating_mul(1 << doublings)
        .min(limits::RETRY_MS_MAX);
    delay * 3 / 4 + delay / 2 * i64::from(random) / i64::from(u16::MAX)
}

/// [`back_off_ms`] by chance. Not of the seeded source: what a demo draws must not depend on what it sends.
pub(crate) fn wait_ms(retry: Retry, attempts: i64) -> Result<i64> {
    let random = u16::from_le_bytes(Random::system().bytes()?);
    Ok(back_off_ms(retry, attempts, random))
}

/// An error as it is kept: one line, not too long, and without the recipient's address.
pub(crate) fn kept_error(text: &str, recipient: &str) -> String {
    let masked = match recipient {
        "" => text.to_owned(),
        recipient => text.replace(recipient, "***"),
    };
    // A server may echo it in another letter case, or name other addresses.
    let words = masked.split_inclusive(|c: char| c.is_whitespace() || "<>,;:()[]\"'".contains(c));
    let masked: String = words
        .map(|word| {
            let bare =
                word.trim_end_matches(|c: char| c.is_whitespace() || "<>,;:()[]\"'".contains(c));
            if bare.contains('@') {
                format!("***{}", &word[bare.len()..])
            } else {
                word.to_owned()
            }
        })
        .collect();
    let line: String = masked
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(limits::OUTBOX_ERROR_CHARS_MAX)
        .collect();
    line.trim().to_owned()
}

impl Domain {
    /// Items with `id < before` (all where nothing is given), of one state or of any, newest first. Needs the scope admin
    /// and every structure.
    pub async fn outbox_list(
        &self,
        caller: &Caller,
        state: Option<&str>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<OutboxView>> {
        need(caller)?;
        let state = state.map(state_of).transpose()?;
        let (before, limit) = (
            before.unwrap_or(i64::MAX),
            limit.clamp(1, limits::PAGE_ITEMS_MAX) as i64,
        );
        let workspace = caller.workspace;
        let items = self
            .store()
            .read(workspace, move |read| {
                Ok::<_, Error>(store::outbox_page(read, state, before, limit)?)
            })
            .await?;
        let sealer = self.store().sealer();
        let shown = items.into_iter().map(|item| {
            let content = Content::of(sealer, workspace, &item)?;
            Ok(view(item, &content))
        });
        shown.collect()
    }

    /// An item with what it says: links in it are as good as their recipient's. Needs the scope admin and every structure.
    pub async fn outbox_get(&self, caller: &Caller, id: i64) -> Result<OutboxDetail> {
        need(caller)?;
        let workspace = caller.workspace;
        let item = self
            .store()
            .read(workspace, move |read| {
                store::outbox_get(read, id)?.ok_or(Error::NotFound("outbox item"))
            })
            .await?;
        let content = Content::of(self.store().sealer(), workspace, &item)?;
        let app = match &content {
            Content::Parcel(_) => self.workspace_name(workspace).await?,
            Content::Mail(_) | Content::Notice(_) | Content::Forgotten => String::new(),
        };
        Ok(OutboxDetail {
            text: content.text(&app)?,
            item: view(item, &content),
        })
    }

    /// Makes an item that was given up, or that waits for its next attempt, due now, with all its attempts before it.
    /// Needs the scope admin and every structure.
    pub async fn outbox_retry(&self, context: &Context, id: i64) -> Result<OutboxView> {
        need(&context.caller)?;
        let (workspace, sealer) = (context.caller.workspace, self.store().sealer().clone());
        self.command(context, "outbox_retry", 1, move |tx| {
            let found = store::outbox_retry(tx, id)?;
            let item = store::outbox_get(tx, id)?.ok_or(Error::NotFound("outbox item"))?;
            if !found {
                return Err(Error::Conflict("This item was sent already."));
            }
            store::activity_insert(tx, Some(id), &format!("kind={}", item.kind))?;
            let content = Content::of(&sealer, workspace, &item)?;
            Ok(Verdict::Done(view(item, &content)))
        })
        .await
    }

    /// Claims at most `limit` mails that are due, of every workspace. For the server's worker.
    pub async fn outbox_claim(&self, limit: usize) -> Result<Vec<MailClaim>> {
        let mut mails = Vec::new();
        for claim in self.claims(OutboxKind::Mail, limit).await? {
            let opened = self.claimed(claim.clone());
            mails.extend(self.unless_hopeless(&claim, opened).await?);
        }
        Ok(mails)
    }

    /// Claims at most `limit` items of a kind that are due, of every workspace.
    pub(crate) async fn claims(&self, kind: OutboxKind, limit: usize) -> Result<Vec<OutboxClaim>> {
        self.claims_beside(kind, limit, &[]).await
    }

    /// The same, but none of these targets, each of a workspace; at most four.
    pub(crate) async fn claims_beside(
        &self,
        kind: OutboxKind,
        limit: usize,
        beside: &[(i64, i64)],
    ) -> Result<Vec<OutboxClaim>> {
        let now = self.now_ms();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (what, lease_until) = ((kind.as_str(), limit), now + limits::LEASE_MS);
        Ok(store::outbox_claim(self.store(), what, now, lease_until, beside).await?)
    }

    /// What a claimed item turned out to be; where it can never leave, it is given up, and there is nothing.
    pub(crate) async fn unless_hopeless<T>(
        &self,
        claim: &OutboxClaim,
        opened: Result<T>,
    ) -> Result<Option<T>> {
        let error = match opened {
            Ok(opened) => return Ok(Some(opened)),
            Err(Error::Conflict(text)) => text.to_owned(),
            // It will not open another time either; somebody has to look at the key.
            Err(error) => {
                let (workspace, item, context) = (claim.workspace, claim.id, error.context());
                tracing::error!(workspace, item, context, "an outbox item does not open");
                "The item does not open with this server's master key.".to_owned()
            }
        };
        let end = OutboxEnd::Dead { error };
        store::outbox_finish(self.store(), claim, end, self.now_ms()).await?;
        Ok(None)
    }

    fn claimed(&self, claim: OutboxClaim) -> Result<MailClaim> {
        let sealer = self.store().sealer();
        let letter = open(sealer, claim.workspace, claim.id, &claim.payload)?;
        if claim.created + letter.mail.life_ms() <= self.now_ms() {
            return Err(Error::Conflict(
                "The mail's link has expired before it could be sent.",
            ));
        }
        Ok(MailClaim {
            text: mail::render(letter.envelope.language, &letter.mail)?,
            to: letter.envelope.to,
            claim,
        })
    }

    /// Notes how an attempt went: sent, to be tried again after a while, or given up. False where the claim ran out and
    /// another worker has taken the item: nothing is changed then.
    pub async fn outbox_finish(
        &self,
        mail: &MailClaim,
        outcome: std::result::Result<(), SendError>,
    ) -> Result<bool> {
        self.finish(&mail.claim, outcome, &mail.to, Retry::USUAL)
            .await
    }

    /// Notes how an attempt went; what is kept of the reason does not name the recipient.
    pub(crate) async fn finish(
        &self,
        claim: &OutboxClaim,
        outcome: std::result::Result<(), SendError>,
        recipient: &str,
        retry: Retry,
    ) -> Result<bool> {
        let now = self.now_ms();
        let end = match outcome {
            Ok(()) => OutboxEnd::Sent,
            Err(SendError::Permanent(error)) => OutboxEnd::Dead {
                error: kept_error(&error, recipient),
            },
            Err(SendError::Transient(error)) if claim.attempts >= retry.attempts_max => {
                OutboxEnd::Dead {
                    error: kept_error(&error, recipient),
                }
            }
            Err(SendError::Transient(error)) => OutboxEnd::Again {
                next_attempt: now + wait_ms(retry, claim.attempts)?,
                error: kept_error(&error, recipient),
            },
        };
        Ok(store::outbox_finish(self.store(), claim, end, now).await?)
    }

    /// Waits until an item of these kinds is due, or `time_max` has passed: another process may have queued something.
    pub async fn outbox_wait(&self, kinds: &[OutboxKind], time_max: Duration) -> Result<()> {
        let until = Instant::now() + time_max;
        loop {
            // Made first, so that what is queued while the database is asked is not missed.
            let woken = self.outbox_queued().notified();
            let mut wait = until.saturating_duration_since(Instant::now());
            for kind in kinds {
                let due = store::outbox_due(self.store(), kind.as_str()).await?;
                if let Some(due) = due {
                    let wait_ms = due.saturating_sub(self.now_ms()).max(0);
                    wait = wait.min(Duration::from_millis(wait_ms.unsigned_abs()));
                }
            }
            if wait.is_zero() || timeout(wait, woken).await.is_err() {
                return Ok(());
            }
            // Something was queued, perhaps of another kind; perhaps much more is about to be.
            sleep(COLLECTED).await;
        }
    }
}

fn need(caller: &Caller) -> Result<()> {
    caller.need(Scope::Admin)?;
    caller.need_every_structure()
}

fn state_of(text: &str) -> Result<OutboxState> {
    OutboxState::parse(text).ok_or_else(|| {
        let text = "The state must be one of queued, sent and dead.";
        Error::invalid("state", "unknown", text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_move_apart_up_to_an_hour() {
        let wait = |attempts, random| back_off_ms(Retry::USUAL, attempts, random);
        let bounds = |attempts| (wait(attempts, 0), wait(attempts, u16::MAX));
        assert_eq!(bounds(1), (22_500, 37_500));
        assert_eq!(bounds(2), (45_000, 75_000));
        assert_eq!(bounds(7), (1_440_000, 2_400_000));
        assert_eq!(bounds(8), (2_700_000, 4_500_000));
        assert_eq!(bounds(i64::MAX), (2_700_000, 4_500_000));
    }

    #[test]
    fn an_error_is_kept_as_one_line_without_the_address() {
        let text = format!(
            "550 5.1.1 <ann@example.org>:\r\nunknown {}",
            "x".repeat(2_000)
        );
        let kept = kept_error(&text, "ann@example.org");
        assert!(kept.starts_with("550 5.1.1 <***>:  unknown x"), "{kept}");
        assert_eq!(kept.len(), limits::OUTBOX_ERROR_CHARS_MAX);
        let echoed = kept_error(
            "550 <Ann@Example.ORG>: no, ask bob@example.com.",
            "ann@example.org",
        );
        assert_eq!(echoed, "550 <***>: no, ask ***");
    }
}
