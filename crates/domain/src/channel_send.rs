//! What leaves through a channel: confirmations of links, and the organisation's messages. Claimed by the server's worker,
//! sent in the provider's words by the dialects, and noted here.
//!
//! Invariant: how an attempt ended, and what follows from it for the client, is one command.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use store::{ClientRow, IntegrationRow, OutboxClaim, OutboxEnd, Sealer, Sql, Tx, Verdict};

use crate::{
    batch::Batch,
    caller::{Caller, Context},
    channel::{ChannelError, Content, Persona},
    client::{self, ClientReason, ClientStatus, Confirmation},
    client_link::{self, Detail, activate, record_of, remove},
    conversation,
    error::{Error, Result},
    event::{self, EventKind, PersonEvent},
    integration::{self, IntegrationKind},
    message::{self, Message},
    outbox::{self, OutboxKind, Retry, kept_error, seal_context},
    record,
    service::Domain,
};

/// Something that this process may send until its lease runs out.
#[derive(Clone)]
pub struct ChannelClaim {
    pub(crate) claim: OutboxClaim,
    pub integration: i64,
    pub kind: IntegrationKind,
    /// Of the integration, secret ones too; see [`IntegrationKind::fields`].
    pub fields: BTreeMap<String, String>,
    /// An e-mail address or a phone number (E.164).
    pub to: String,
    /// Of a mail.
    pub subject: String,
    pub from: Persona,
    /// The workspace's name.
    pub app_name: String,
    /// Nothing where the channel need only be there: a link without words.
    pub content: Option<Content>,
    /// Where the provider may tell how it went.
    pub hook_url: String,
    /// What was queued.
    pub(crate) parcel: Parcel,
}

/// Addresses, words and secrets go into no log.
impl std::fmt::Debug for ChannelClaim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (workspace, id) = (self.workspace(), self.id());
        write!(f, "ChannelClaim({workspace}/{id}, ***)")
    }
}

impl ChannelClaim {
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

/// What a provider said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// It took it; its id for it.
    Accepted { provider_id: Option<String> },
    /// Nothing was sent: it stays to be read in the built-in outbox, as if it had been taken.
    Kept,
    /// Another attempt may succeed.
    Again(ChannelError),
    /// No other attempt can.
    Failed(ChannelError),
    /// The person has told the provider to let nothing more through.
    Blocked(ChannelError),
}

/// Whether the person is asked something below what is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ask {
    Nothing,
    Question,
}

/// A message of a conversation that is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sending {
    pub conversation: i64,
    pub message: i64,
}

/// What is sealed into an item of the outbox. Once it was sent, only the ids are left.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Parcel {
    pub client: i64,
    pub integration: i64,
    pub kind: IntegrationKind,
    /// Empty once it was sent.
    pub to: String,
    pub subject: Option<String>,
    pub persona: Persona,
    pub content: Option<Content>,
    pub ask: Ask,
    /// Nothing for what confirms a link.
    pub message: Option<Sending>,
}

/// Who it goes to, and what it says, goes into no log.
impl std::fmt::Debug for Parcel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parcel(client {}, ***)", self.client)
    }
}

const SUBJECT: &str = "New message from {appName}";
/// What is said of a link whose time has passed.
pub(crate) const LATE: &str = "The link was not confirmed in time.";
const QUESTION: &str = "Reply YES to agree or NO to decline.";

impl Parcel {
    pub(crate) fn open(sealer: &Sealer, workspace: i64, id: i64, payload: &[u8]) -> Result<Parcel> {
        let plain = sealer.open(&seal_context(workspace, id), payload)?;
        serde_json::from_slice(&plain).map_err(Error::internal)
    }

    fn seal(&self, sealer: &Sealer, workspace: i64, id: i64) -> Result<Vec<u8>> {
        let plain = serde_json::to_vec(self).map_err(Error::internal)?;
        Ok(sealer.seal(&seal_context(workspace, id), &plain)?)
    }

    /// What is left of it once it was sent: the provider may yet tell that it did not arrive.
    fn receipt(&self) -> Parcel {
        Parcel {
            to: String::new(),
            subject: None,
            persona: Persona::default(),
            content: None,
            ..self.clone()
        }
    }

    /// What it is about.
    pub(crate) fn template(&self) -> &'static str {
        match self.message {
            Some(_) => "message",
            None => "confirmation",
        }
    }

    /// The subject and words as the person gets them; `app` is the workspace's name.
    pub(crate) fn words(&self, app: &str) -> (String, Option<Content>) {
        let subject = self.subject.as_deref().unwrap_or(SUBJECT);
        let subject = subject.replace("{appName}", app);
        let asked = |text: &str| format!("{text}\n\n{QUESTION}");
        let content = match (self.ask, self.content.clone()) {
            (Ask::Nothing, said) => said,
            (Ask::Question, None) => Some(plain(asked(&format!(
                "{app} would like to reach you here."
            )))),
            (Ask::Question, Some(Content::Text { text, links })) => Some(Content::Text {
                text: asked(&text),
                links,
            }),
            (
                Ask::Question,
                Some(Content::Image {
                    url,
                    alt,
                    text,
                    links,
                }),
            ) => Some(Content::Image {
                url,
                alt,
                text: Some(text.map_or_else(|| QUESTION.to_owned(), |text| asked(&text))),
                links,
            }),
            // What a provider has approved is sent as it is.
            (Ask::Question, native) => native,
        };
        (subject, content)
    }
}

fn plain(text: String) -> Content {
    Content::Text {
        text,
        links: Vec::new(),
    }
}

/// Puts something into the outbox, due now.
pub(crate) fn queue(tx: &mut Tx<'_, '_>, sealer: &Sealer, parcel: &Parcel) -> Result<()> {
    let (workspace, id) = (tx.workspace(), tx.next_id());
    let sealed = parcel.seal(sealer, workspace, id)?;
    let target = (OutboxKind::Channel.as_str(), parcel.integration);
    Ok(store::outbox_insert(tx, id, target, &sealed)?)
}

/// Queues a message of the organisation for a linked client. One of `sdk` fetches its messages itself.
pub(crate) fn queue_message(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    client: &ClientRow,
    message: &Message,
) -> Result<()> {
    let kind = IntegrationKind::parse(&client.kind);
    let (Some(integration), Some(kind)) = (client.integration, kind) else {
        return Ok(());
    };
    let detail = Detail::open(sealer, tx.workspace(), client)?;
    let persona = match &message.author {
        message::Author::Business(persona) | message::Author::Record { persona, .. } => persona,
    };
    let parcel = Parcel {
        client: client.id,
        integration,
        kind,
        to: detail.address.unwrap_or_default(),
        subject: None,
        persona: persona.clone(),
        content: Some(message.content.clone()),
        ask: Ask::Nothing,
        message: Some(Sending {
            conversation: message.conversation,
            message: message.id,
        }),
    };
    queue(tx, sealer, &parcel)
}

/// What a claim needs of the rows.
struct Rows {
    /// Nothing where it is gone, or was confirmed meanwhile.
    client: Option<ClientRow>,
    integration: Option<IntegrationRow>,
    blocked: bool,
    /// The link's time has passed, and no sweep came by yet.
    late: bool,
}

fn rows(sql: &mut dyn Sql, parcel: &Parcel, now: i64) -> Result<Rows> {
    let wanted = match parcel.message {
        Some(_) => ClientStatus::Active,
        None => ClientStatus::Pending,
    };
    let client = store::client_get(sql, parcel.client)?;
    let client = client.filter(|row| row.status == wanted.as_str());
    let key = client.as_ref().and_then(|row| row.address_key.as_deref());
    let blocked = match key {
        Some(key) => store::channel_blocked(sql, parcel.integration, key)?,
        None => false,
    };
    let expires = client.as_ref().and_then(|row| row.expires);
    Ok(Rows {
        blocked,
        late: expires.is_some_and(|expires| expires < now),
        integration: store::integration_get(sql, parcel.integration)?,
        client,
    })
}

impl Rows {
    /// Why nothing is to be sent.
    fn refusal(&self) -> Option<ChannelError> {
        let (code, text) = match (&self.client, &self.integration) {
            (None, _) => ("gone", "The client is gone, or no longer waits for this."),
            (Some(_), None) => ("gone", "The integration was deleted."),
            (Some(_), Some(_)) if self.late => ("expired", LATE),
            (Some(_), Some(_)) if self.blocked => {
                ("blocked", "The person wants nothing more here.")
            }
            (Some(_), Some(_)) => return None,
        };
        Some(ChannelError {
            code: code.to_owned(),
            text: text.to_owned(),
        })
    }
}

/// What follows from an attempt that was the last one.
fn concluded(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    parcel: &Parcel,
    batch: &Batch,
    outcome: &SendOutcome,
) -> Result<()> {
    let Some(mut row) = store::client_get(tx, parcel.client)? else {
        return Ok(());
    };
    let failure = match outcome {
        SendOutcome::Accepted { .. } | SendOutcome::Kept => None,
        SendOutcome::Again(error) | SendOutcome::Failed(error) | SendOutcome::Blocked(error) => {
            Some(error.clone())
        }
    };
    if let Some(sending) = parcel.message {
        tell_message(tx, sealer, &row, sending, failure)?;
    } else if ClientStatus::of(&row)? == ClientStatus::Pending {
        let record = record_of(tx, &row)?;
        if failure.is_some() {
            remove(tx, sealer, &record, &row, ClientReason::Failed, failure)?;
        } else {
            let (kind, reason) = (EventKind::ClientUpdated, ClientReason::Matched);
            client_link::tell(tx, sealer, kind, &record, &row, reason, None)?;
            if row.confirmation.as_deref() == Some(Confirmation::Immediate.as_str()) {
                activate(tx, sealer, &mut row, batch)?;
            }
        }
    }
    if matches!(outcome, SendOutcome::Blocked(_))
        && let Some(key) = &row.address_key
    {
        client_link::block(tx, sealer, parcel.integration, key)?;
    }
    Ok(())
}

/// Tells that a channel took a message, or why it did not.
pub(crate) fn tell_message(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    row: &ClientRow,
    sending: Sending,
    failure: Option<ChannelError>,
) -> Result<()> {
    let record = record_of(tx, row)?;
    let kind = match failure {
        Some(_) => EventKind::MessageFailed,
        None => EventKind::MessageSent,
    };
    let source = record.source.clone();
    event::announce_person(tx, sealer, kind, &source, |tx| {
        let conversation = store::conversation_get(tx, sending.conversation)?;
        Ok(PersonEvent {
            client: Some(client::of_row(sealer, tx.workspace(), row)?),
            conversation: conversation.map(conversation::of_row),
            message: message::get(tx, sealer, sending.conversation, sending.message)?,
            record: Some(record::of(record)),
            error: failure,
            ..PersonEvent::default()
        })
    })
}

impl Domain {
    /// Claims at most `limit` items that are due, of every workspace. What cannot be sent any more is ended here.
    pub async fn channel_claim(&self, limit: usize) -> Result<Vec<ChannelClaim>> {
        let mut opened: HashMap<i64, Vec<(OutboxClaim, Parcel)>> = HashMap::new();
        for claim in self.claims(OutboxKind::Channel, limit).await? {
            let sealer = self.store().sealer();
            let parcel = Parcel::open(sealer, claim.workspace, claim.id, &claim.payload);
            if let Some(parcel) = self.unless_hopeless(&claim, parcel).await? {
                let of = opened.entry(claim.workspace).or_default();
                of.push((claim, parcel));
            }
        }
        let mut found = Vec::new();
        for (workspace, claims) in opened {
            match self.channel_claimed(workspace, claims).await {
                Ok(claims) => found.extend(claims),
                // Their leases run out, and they are tried again.
                Err(error) => {
                    let context = error.context();
                    tracing::warn!(workspace, %error, context, "items for channels were not read");
                }
            }
        }
        Ok(found)
    }

    async fn channel_claimed(
        &self,
        workspace: i64,
        claims: Vec<(OutboxClaim, Parcel)>,
    ) -> Result<Vec<ChannelClaim>> {
        let app_name = self.workspace_name(workspace).await?;
        let now = self.now_ms();
        let found = self
            .store()
            .read(workspace, move |read| {
                let with_rows = |(claim, parcel)| Ok((claim, rows(read, &parcel, now)?, parcel));
                claims
                    .into_iter()
                    .map(with_rows)
                    .collect::<Result<Vec<_>>>()
            })
            .await?;
        let mut ready = Vec::with_capacity(found.len());
        for (claim, rows, parcel) in found {
            let (subject, content) = parcel.words(&app_name);
            let mut one = ChannelClaim {
                integration: parcel.integration,
                kind: parcel.kind,
                fields: BTreeMap::new(),
                to: parcel.to.clone(),
                subject,
                from: parcel.persona.clone(),
                app_name: app_name.clone(),
                content,
                hook_url: String::new(),
                claim,
                parcel,
            };
            let opened = self.opened(workspace, one.kind, rows);
            let ended = match opened {
                Ok((fields, hook_url)) => {
                    (one.fields, one.hook_url) = (fields, hook_url);
                    ready.push(one);
                    continue;
                }
                Err(refusal) => self.channel_finish(&one, SendOutcome::Failed(refusal)),
            };
            // One item must not hold up the others: its lease runs out, and it is tried again.
            if let Err(error) = ended.await {
                let (item, context) = (one.id(), error.context());
                tracing::warn!(workspace, item, %error, context, "an item for a channel was not ended");
            }
        }
        Ok(ready)
    }

    /// The integration's fields and its hook's URL, or why nothing is to be sent.
    fn opened(
        &self,
        workspace: i64,
        kind: IntegrationKind,
        rows: Rows,
    ) -> std::result::Result<(BTreeMap<String, String>, String), ChannelError> {
        if let Some(refusal) = rows.refusal() {
            return Err(refusal);
        }
        let (sealer, row) = (self.store().sealer(), rows.integration);
        let opened = row.ok_or_else(|| Error::internal("no integration"));
        let opened = opened.and_then(|row| {
            let token = integration::hook_token(sealer, workspace, &row)?;
            Ok((integration::opened(sealer, workspace, &row)?, token))
        });
        match opened {
            Ok((fields, token)) => Ok((fields, self.hook_url(kind, &token))),
            Err(error) => {
                let context = error.context();
                tracing::error!(workspace, context, "an integration does not open");
                Err(ChannelError {
                    code: "not_opened".into(),
                    text: "The integration does not open with this server's master key.".into(),
                })
            }
        }
    }

    /// Notes how an attempt went, with what follows: a client that is matched, active or removed. False where the claim ran
    /// out and another worker has taken the item: nothing is changed then.
    pub async fn channel_finish(&self, claim: &ChannelClaim, outcome: SendOutcome) -> Result<bool> {
        let (item, parcel) = (claim.claim.clone(), claim.parcel.clone());
        let workspace = item.workspace;
        // A provider's code is as much its own words as the text is.
        let kept = |error: &ChannelError| {
            kept_error(&format!("{}: {}", error.code, error.text), &parcel.to)
        };
        let end = match &outcome {
            SendOutcome::Accepted { .. } | SendOutcome::Kept => OutboxEnd::Sent,
            SendOutcome::Again(error) if item.attempts < Retry::USUAL.attempts_max => {
                OutboxEnd::Again {
                    next_attempt: self.now_ms() + outbox::wait_ms(Retry::USUAL, item.attempts)?,
                    error: kept(error),
                }
            }
            SendOutcome::Again(error)
            | SendOutcome::Failed(error)
            | SendOutcome::Blocked(error) => OutboxEnd::Dead { error: kept(error) },
        };
        let left = match outcome {
            SendOutcome::Kept => item.payload.clone(),
            _ => parcel
                .receipt()
                .seal(self.store().sealer(), workspace, item.id)?,
        };
        let channel = parcel.kind.channel();
        let channel = channel.ok_or_else(|| Error::internal("an item for no channel"))?;
        let batch = self.address_batch(workspace, channel, &parcel.to).await?;
        let sealer = self.store().sealer().clone();
        let context = Context::new(Caller::server(workspace), "channel");
        self.command(&context, "channel_finish", 1, move |tx| {
            if !store::outbox_end(tx, &item, &end, &left)? {
                return Ok(Verdict::Done(false));
            }
            if !matches!(end, OutboxEnd::Again { .. }) {
                concluded(tx, &sealer, &parcel, &batch, &outcome)?;
            }
            Ok(Verdict::Done(true))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parcel(ask: Ask, content: Option<Content>) -> Parcel {
        Parcel {
            client: 1,
            integration: 2,
            kind: IntegrationKind::Twilio,
            to: "+12125552368".into(),
            subject: None,
            persona: Persona::default(),
            content,
            ask,
            message: None,
        }
    }

    #[test]
    fn whoever_is_asked_is_told_how_to_answer() {
        let (subject, content) = parcel(Ask::Question, None).words("Shop");
        assert_eq!(subject, "New message from Shop");
        let asked = format!("Shop would like to reach you here.\n\n{QUESTION}");
        assert_eq!(content, Some(plain(asked)));
        let hello = || Some(plain("Hello!".into()));
        let (_, content) = parcel(Ask::Question, hello()).words("Shop");
        assert_eq!(content, Some(plain(format!("Hello!\n\n{QUESTION}"))));
        let (_, content) = parcel(Ask::Nothing, hello()).words("Shop");
        assert_eq!(content, hello());
        let (_, content) = parcel(Ask::Nothing, None).words("Shop");
        assert_eq!(content, None);
    }

    #[test]
    fn a_receipt_names_nobody() {
        let sent = parcel(Ask::Nothing, Some(plain("Hello!".into()))).receipt();
        let text = serde_json::to_string(&sent).expect("JSON");
        assert!(!text.contains("555") && !text.contains("Hello"), "{text}");
    }
}
