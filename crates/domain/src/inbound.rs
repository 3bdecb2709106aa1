//! What providers tell: people's messages, their yes and no and stop, and what could not be delivered.
//!
//! Invariant: an event is taken once, however often a provider repeats it.

use std::collections::BTreeMap;

use store::{ClientRow, OutboxState, Sealer, Sql, Tx, Verdict};

use crate::{
    batch::Batch,
    caller::{Caller, Context, Scope},
    channel::{Channel, ChannelError, Content, Persona},
    channel_send::{Parcel, tell_message},
    client::{Client, ClientReason, ClientStatus, Confirmation, of_row},
    client_link::{Detail, activate, address_key, block, heard_from, record_of, remove, unblock},
    error::{Error, Result},
    integration::{self, IntegrationKind},
    limits, message,
    outbox::OutboxKind,
    secret,
    service::Domain,
};

/// An integration behind the token in the path of its hook.
#[derive(Clone)]
pub struct Hook {
    pub workspace: i64,
    pub integration: i64,
    pub kind: IntegrationKind,
    /// Secret ones too; see [`IntegrationKind::fields`].
    pub fields: BTreeMap<String, String>,
    /// The hook's own URL as the provider was told it, without a query.
    pub url: String,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hook({}, ***)", self.integration)
    }
}

/// Something that a provider told, whose signature was checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The provider's own ids for it, one a line: a repetition has one of them at least.
    pub id: String,
    pub event: InboundEvent,
}

#[derive(Clone, PartialEq, Eq)]
pub enum InboundEvent {
    /// Somebody wrote.
    Message {
        /// An e-mail address or a phone number.
        from: String,
        /// How they are called there.
        name: Option<String>,
        /// What the channel says of them, as a JSON object.
        raw: Option<String>,
        content: Content,
    },
    /// What was sent with [`crate::ChannelClaim::id`] did not arrive.
    Failed {
        item: i64,
        error: ChannelError,
    },
    /// They told the provider to let nothing more through, or to let it through again.
    OptedOut {
        from: String,
    },
    OptedIn {
        from: String,
    },
    /// What concerns nobody: only that it was told is remembered, lest its signature is used again for something else.
    Nothing,
}

/// A provider's id may hold the address.
impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inbound({:?})", self.event)
    }
}

impl std::fmt::Debug for InboundEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            InboundEvent::Message { .. } => "Message(***)",
            InboundEvent::Failed { .. } => "Failed(***)",
            InboundEvent::OptedOut { .. } => "OptedOut(***)",
            InboundEvent::OptedIn { .. } => "OptedIn(***)",
            InboundEvent::Nothing => "Nothing",
        })
    }
}

/// What a message of one word means, in any letter case and with whatever stands around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Stop,
    Start,
    Yes,
    No,
}

/// The words that carriers know too, and their kin in some languages.
const WORDS: &[(Word, &[&str])] = &[
    (
        Word::Stop,
        &[
            "stop",
            "stopall",
            "stop all",
            "unsubscribe",
            "cancel",
            "end",
            "quit",
            "optout",
            "opt-out",
            "opt out",
            "revoke",
            "arret",
            "arrêt",
            "stopp",
        ],
    ),
    (Word::Start, &["start", "unstop", "subscribe", "resume"]),
    (
        Word::Yes,
        &[
            "yes", "y", "yep", "yeah", "ok", "okay", "accept", "agree", "confirm", "ja", "oui",
            "si", "sí", "sì", "네", "예",
        ],
    ),
    (
        Word::No,
        &[
            "no",
            "n",
            "nope",
            "decline",
            "refuse",
            "reject",
            "nein",
            "non",
            "아니요",
            "아니오",
        ],
    ),
];

impl Word {
    fn of(content: &Content) -> Option<Word> {
        let Content::Text { text, .. } = content else {
            return None;
        };
        // A mail's first line is the answer; what it quotes follows.
        let line = text.trim().lines().next().unwrap_or_default();
        let bare = line.trim_matches(|c: char| !c.is_alphanumeric());
        if bare.chars().count() > 16 {
            return None;
        }
        let bare = bare.to_lowercase();
        let found = WORDS
            .iter()
            .find(|(_, words)| words.contains(&bare.as_str()));
        found.map(|(word, _)| *word)
    }
}

/// An event with what it needs from outside its command.
struct Telling {
    integration: i64,
    seen: Vec<Vec<u8>>,
    event: InboundEvent,
    /// What the address that it came from is found by.
    batch: Batch,
    key: Vec<u8>,
}

/// What a message says to a client that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    /// Whatever it says, it was waited for.
    Wrote,
}

impl Answer {
    /// Nothing where the client does not wait, or no longer.
    fn of(row: &ClientRow, word: Option<Word>, is_blocked: bool, now: i64) -> Option<Answer> {
        let late = row.expires.is_some_and(|expires| expires < now);
        if late || row.status != ClientStatus::Pending.as_str() {
            return None;
        }
        let is = |how: Confirmation| row.confirmation.as_deref() == Some(how.as_str());
        match word {
            Some(Word::Yes) if is(Confirmation::Prompt) => Some(Answer::Yes),
            Some(Word::No) if is(Confirmation::Prompt) => Some(Answer::No),
            _ if is(Confirmation::UserActivity) && !is_blocked => Some(Answer::Wrote),
            _ => None,
        }
    }
}

/// Somebody wrote from an address.
fn wrote(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    telling: &Telling,
    (name, raw, content): (Option<&String>, Option<&String>, &Content),
) -> Result<()> {
    let word = Word::of(content);
    let (integration, key) = (telling.integration, telling.key.as_slice());
    if word == Some(Word::Stop) {
        return block(tx, sealer, integration, key);
    }
    let started = word == Some(Word::Start) && unblock(tx, sealer, integration, key)?;
    let is_blocked = store::channel_blocked(tx, integration, key)?;
    let now = tx.meta().time;
    let there = store::clients_at(tx, integration, key, limits::ADDRESS_CLIENTS_MAX as i64)?;
    // Of those that wait, the newest that this answers.
    let answered = there
        .iter()
        .find_map(|row| Some((row, Answer::of(row, word, is_blocked, now)?)));
    if let Some((row, answer)) = answered {
        let mut row = row.clone();
        if answer == Answer::No {
            let record = record_of(tx, &row)?;
            return remove(tx, sealer, &record, &row, ClientReason::Cancelled, None);
        }
        if answer == Answer::Yes {
            // Whoever is asked and says yes wants to be reached.
            unblock(tx, sealer, integration, key)?;
        }
        seen(tx, sealer, &mut row, name, raw)?;
        activate(tx, sealer, &mut row, &telling.batch)?;
        if answer == Answer::Wrote && !started {
            say(tx, sealer, &row, content)?;
        }
        return Ok(());
    }
    if started {
        return Ok(());
    }
    let active = there
        .into_iter()
        .find(|row| row.status == ClientStatus::Active.as_str());
    let Some(mut row) = active else {
        return Ok(());
    };
    seen(tx, sealer, &mut row, name, raw)?;
    store::client_update(tx, &row)?;
    heard_from(tx, &row)?;
    say(tx, sealer, &row, content)
}

/// Notes in the row when somebody was heard from and how they are called there.
fn seen(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    row: &mut ClientRow,
    name: Option<&String>,
    raw: Option<&String>,
) -> Result<()> {
    let mut detail = Detail::open(sealer, tx.workspace(), row)?;
    detail.display_name = name.cloned().or(detail.display_name);
    detail.raw = raw.cloned().or(detail.raw);
    row.detail = detail.seal(sealer, tx.workspace(), row.id)?;
    row.last_seen = Some(tx.meta().time);
    row.updated = tx.meta().time;
    Ok(())
}

/// Puts what somebody wrote into the conversation that the client is linked for; where it is gone or full, or they left it,
/// it is said to nobody.
fn say(tx: &mut Tx<'_, '_>, sealer: &Sealer, row: &ClientRow, content: &Content) -> Result<()> {
    let Some(id) = row.conversation else {
        return Ok(());
    };
    let Some(conversation) = store::conversation_get(tx, id)? else {
        return Ok(());
    };
    let full = conversation.messages >= limits::MESSAGES_MAX;
    if full || store::participant_of(tx, id, row.record)?.is_none() {
        return Ok(());
    }
    let record = record_of(tx, row)?;
    let client = of_row(sealer, tx.workspace(), row)?;
    let persona = Persona {
        display_name: client.display_name.clone(),
        avatar_url: client.avatar_url.clone(),
    };
    message::insert_inbound(
        tx,
        sealer,
        &conversation,
        &record,
        &client,
        content.clone().cut(limits::INBOUND_CHARS_MAX),
        persona,
    )
    .map(drop)
}

/// What was sent did not arrive: what was linked by it is not. Whoever confirmed it themselves is there.
fn failed(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    integration: i64,
    item: i64,
    error: &ChannelError,
) -> Result<()> {
    let Some(found) = store::outbox_get(tx, item)? else {
        return Ok(());
    };
    if found.kind != OutboxKind::Channel.as_str() {
        return Ok(());
    }
    let parcel = Parcel::open(sealer, tx.workspace(), item, &found.payload)?;
    // A provider speaks for its own integration only.
    if parcel.integration != integration {
        return Ok(());
    }
    let Some(row) = store::client_get(tx, parcel.client)? else {
        return Ok(());
    };
    if let Some(sending) = parcel.message {
        return tell_message(tx, sealer, &row, sending, Some(error.clone()));
    }
    let by_sending = row.confirmation.as_deref() == Some(Confirmation::Immediate.as_str());
    let linked_by_it = match ClientStatus::of(&row)? {
        ClientStatus::Pending => true,
        ClientStatus::Active => by_sending,
        ClientStatus::Blocked | ClientStatus::Inactive => false,
    };
    if linked_by_it {
        let record = record_of(tx, &row)?;
        let error = Some(error.clone());
        remove(tx, sealer, &record, &row, ClientReason::Failed, error)?;
    }
    Ok(())
}

fn told(tx: &mut Tx<'_, '_>, sealer: &Sealer, telling: &Telling) -> Result<()> {
    let mut is_new = true;
    for id in &telling.seen {
        is_new &= store::inbound_seen(tx, id)?;
    }
    if !is_new {
        return Ok(());
    }
    let (integration, key) = (telling.integration, telling.key.as_slice());
    match &telling.event {
        InboundEvent::Message {
            name, raw, content, ..
        } => wrote(tx, sealer, telling, (name.as_ref(), raw.as_ref(), content)),
        InboundEvent::Failed { item, error } => failed(tx, sealer, integration, *item, error),
        InboundEvent::OptedOut { .. } => block(tx, sealer, integration, key),
        InboundEvent::OptedIn { .. } => unblock(tx, sealer, integration, key).map(drop),
        InboundEvent::Nothing => Ok(()),
    }
}

impl Domain {
    /// The integration of a hook. *Not found* where there is none of this kind with this token.
    pub async fn hook(&self, kind: IntegrationKind, token: &str) -> Result<Hook> {
        const NONE: Error = Error::NotFound("integration");
        if !secret::well_formed(token) {
            return Err(NONE);
        }
        let hash = integration::hook_hash(token);
        let found = store::integration_by_hook(self.store(), hash).await?;
        let (workspace, id) = found.ok_or(NONE)?;
        let row = self
            .store()
            .read(workspace, move |read| {
                store::integration_get(read, id)?.ok_or(NONE)
            })
            .await?;
        if row.kind != kind.as_str() {
            return Err(NONE);
        }
        Ok(Hook {
            workspace,
            integration: id,
            kind,
            fields: integration::opened(self.store().sealer(), workspace, &row)?,
            url: self.hook_url(kind, token),
        })
    }

    /// Takes what a provider told, each once: what was taken before changes nothing. Events that concern nobody here are
    /// forgotten.
    pub async fn inbound(&self, hook: &Hook, request_id: &str, events: Vec<Inbound>) -> Result<()> {
        let context = Context::new(Caller::server(hook.workspace), request_id);
        let Some(channel) = hook.kind.channel() else {
            return Ok(());
        };
        for event in events.into_iter().take(limits::INBOUND_EVENTS_MAX) {
            let telling = self
                .telling(&context, hook.integration, channel, event)
                .await?;
            self.tell(&context, telling).await?;
        }
        Ok(())
    }

    async fn telling(
        &self,
        context: &Context,
        integration: i64,
        channel: Channel,
        inbound: Inbound,
    ) -> Result<Telling> {
        let from = match &inbound.event {
            InboundEvent::Failed { .. } | InboundEvent::Nothing => None,
            InboundEvent::Message { from, .. }
            | InboundEvent::OptedOut { from }
            | InboundEvent::OptedIn { from } => Some(channel.address(from)),
        };
        let (batch, event) = match from {
            None => (Batch::default(), inbound.event),
            Some(Ok(address)) => {
                let workspace = context.caller.workspace;
                let batch = self.address_batch(workspace, channel, &address).await?;
                (batch, inbound.event)
            }
            // Short codes, and names in place of numbers, are nobody's.
            Some(Err(_)) => (Batch::default(), InboundEvent::Nothing),
        };
        let seen = inbound.id.lines().map(|id| {
            let mut hasher = blake3::Hasher::new_derive_key("throng 2026-11 inbound event");
            hasher.update(&integration.to_le_bytes());
            hasher.update(id.as_bytes());
            hasher.finalize().as_bytes()[..16].to_vec()
        });
        Ok(Telling {
            integration,
            seen: seen.collect(),
            key: address_key(&batch),
            event,
            batch,
        })
    }

    async fn tell(&self, context: &Context, telling: Telling) -> Result<()> {
        let sealer = self.store().sealer().clone();
        self.command(context, "inbound", 1, move |tx| {
            told(tx, &sealer, &telling).map(Verdict::Done)
        })
        .await
    }

    /// Plays the person's answer to an item that stays in the built-in outbox: what they would write back. Answers the
    /// client as it then is; nothing where it is gone. Needs the scope admin and every structure.
    pub async fn outbox_confirm(
        &self,
        context: &Context,
        item: i64,
        words: &str,
    ) -> Result<Option<Client>> {
        const NOT_KEPT: Error = Error::Conflict(
            "Only what a channel keeps in the built-in outbox, as a demo does, can be answered here.",
        );
        context.caller.need(Scope::Admin)?;
        context.caller.need_every_structure()?;
        let workspace = context.caller.workspace;
        let content = Content::Text {
            text: words.to_owned(),
            links: Vec::new(),
        };
        content.check(None)?;
        let found = self
            .store()
            .read(workspace, move |read| {
                store::outbox_get(read, item)?.ok_or(Error::NotFound("outbox item"))
            })
            .await?;
        if found.kind != OutboxKind::Channel.as_str() || found.state != OutboxState::Sent {
            return Err(NOT_KEPT);
        }
        let parcel = Parcel::open(self.store().sealer(), workspace, item, &found.payload)?;
        let channel = parcel.kind.channel().filter(|_| !parcel.to.is_empty());
        let channel = channel.ok_or(NOT_KEPT)?;
        let inbound = Inbound {
            // Each answer is one of its own.
            id: format!("answer {item} {}", secret::generate(self.random())?),
            event: InboundEvent::Message {
                from: parcel.to,
                name: None,
                raw: None,
                content,
            },
        };
        let integration = parcel.integration;
        let telling = self.telling(context, integration, channel, inbound).await?;
        self.tell(context, telling).await?;
        let sealer = self.store().sealer().clone();
        self.store()
            .read(workspace, move |read| {
                let row = store::client_get(read, parcel.client)?;
                row.map(|row| of_row(&sealer, workspace, &row)).transpose()
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_known_whatever_stands_around_it() {
        let word = |text: &str| {
            Word::of(&Content::Text {
                text: text.into(),
                links: Vec::new(),
            })
        };
        for text in [
            "STOP",
            "stop",
            " Stop. ",
            "\"STOP\"",
            "Stop All",
            "UNSUBSCRIBE",
        ] {
            assert_eq!(word(text), Some(Word::Stop), "{text}");
        }
        assert_eq!(word("Start!"), Some(Word::Start));
        assert_eq!(word("YES"), Some(Word::Yes));
        assert_eq!(word("Yes\n\n> Reply YES to agree or NO"), Some(Word::Yes));
        assert_eq!(word("No."), Some(Word::No));
        for text in [
            "",
            "?",
            "Please stop by tomorrow",
            "yes please do call me",
            "nothing",
        ] {
            assert_eq!(word(text), None, "{text}");
        }
    }
}
