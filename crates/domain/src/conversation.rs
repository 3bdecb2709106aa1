//! Conversations. Who takes part in them is in [`crate::participant`], what is said in [`crate::message`].
//!
//! Invariant: a personal conversation has exactly one participant, for as long as it is there; the first one of a record is
//! its default, and stays.

use serde::{Deserialize, Serialize};
use store::{ConversationRow, RecordRow, Sealer, Sql, Tx, Verdict};

use crate::{
    caller::{Caller, Context},
    client::need,
    cursor::{CursorPage, CursorQuery},
    error::{Error, Result},
    event::{self, EventKind, PersonEvent},
    limits,
    participant::{self, in_conversation},
    record::{self, RecordRef},
    record_fields::valid_source,
    service::Domain,
    texts,
};

pub(crate) const NOUN: &str = "conversation";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConversationKind {
    /// Of one person.
    Personal,
    Group,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    pub id: i64,
    /// Of which system's records.
    pub source: String,
    pub kind: ConversationKind,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub icon_url: Option<String>,
    /// A flat JSON object.
    pub metadata: String,
    /// The first personal one of its participant.
    pub is_default: bool,
    /// Milliseconds since the Unix epoch, as all times here.
    pub business_last_read: Option<i64>,
    /// When the last message came.
    pub last_updated: Option<i64>,
    pub created: i64,
}

#[derive(Debug, Clone)]
pub struct ConversationNew {
    pub kind: ConversationKind,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub icon_url: Option<String>,
    /// A flat JSON object; empty is `{}`.
    pub metadata: String,
    /// Exactly one of a personal conversation, at most ten of a group; true where the participant's newest client that
    /// is signed in by itself (`sdk`) is to be subscribed.
    pub participants: Vec<(RecordRef, bool)>,
}

/// What to change; what is absent stays, `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct ConversationChange {
    pub display_name: Option<Option<String>>,
    pub description: Option<Option<String>>,
    pub icon_url: Option<Option<String>>,
    /// Replaces all of it.
    pub metadata: Option<Option<String>>,
}

/// What is noticed in a conversation that is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    Read,
    TypingStart,
    TypingStop,
}

impl ConversationKind {
    pub fn as_str(self) -> &'static str {
        match self {
            ConversationKind::Personal => "personal",
            ConversationKind::Group => "group",
        }
    }

    fn of(row: &ConversationRow) -> ConversationKind {
        match row.kind == ConversationKind::Personal.as_str() {
            true => ConversationKind::Personal,
            false => ConversationKind::Group,
        }
    }
}

pub(crate) fn is_personal(row: &ConversationRow) -> bool {
    ConversationKind::of(row) == ConversationKind::Personal
}

pub(crate) fn of_row(row: ConversationRow) -> Conversation {
    Conversation {
        kind: ConversationKind::of(&row),
        id: row.id,
        source: row.source,
        display_name: row.display_name,
        description: row.description,
        icon_url: row.icon_url,
        metadata: row.metadata,
        is_default: row.is_default,
        business_last_read: row.business_last_read,
        last_updated: row.last_updated,
        created: row.created,
    }
}

/// The conversation, of this source where one is named.
pub(crate) fn find(sql: &mut dyn Sql, source: Option<&str>, id: i64) -> Result<ConversationRow> {
    store::conversation_get(sql, id)?
        .filter(|row| source.is_none_or(|source| row.source == source))
        .ok_or(Error::NotFound(NOUN))
}

/// Tells of a conversation and, where it is about one, a record.
pub(crate) fn tell(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    kind: EventKind,
    row: &ConversationRow,
    record: Option<&RecordRow>,
    notice: Option<Notice>,
) -> Result<()> {
    event::announce_person(tx, sealer, kind, &row.source, |_| {
        Ok(PersonEvent {
            record: record.cloned().map(record::of),
            conversation: Some(of_row(row.clone())),
            notice,
            ..PersonEvent::default()
        })
    })
}

/// A new conversation's row, without its id and times, checked.
fn checked(source: &str, new: &ConversationNew) -> Result<ConversationRow> {
    valid_source(source)?;
    let count = new.participants.len();
    if new.kind == ConversationKind::Personal && count != 1 {
        let say = "A personal conversation has exactly one participant.";
        return Err(Error::invalid("participants", "count", say));
    }
    if count > limits::PARTICIPANTS_MAX {
        let say = format!(
            "A conversation has at most {} participants.",
            limits::PARTICIPANTS_MAX
        );
        return Err(Error::invalid("participants", "too_many", say));
    }
    let mut row = ConversationRow {
        id: 0,
        source: source.to_owned(),
        kind: new.kind.as_str().to_owned(),
        display_name: None,
        description: None,
        icon_url: None,
        metadata: texts::flat(&new.metadata)?,
        is_default: false,
        business_last_read: None,
        last_updated: None,
        messages: 0,
        created: 0,
        updated: 0,
    };
    shown(
        &mut row,
        (
            Some(new.display_name.clone()),
            Some(new.description.clone()),
            Some(new.icon_url.clone()),
        ),
    )?;
    Ok(row)
}

type Shown = Option<Option<String>>;

/// Checks and writes name, description and picture.
fn shown(
    row: &mut ConversationRow,
    (display_name, description, icon_url): (Shown, Shown, Shown),
) -> Result<()> {
    if let Some(text) = display_name {
        row.display_name = texts::optional("display_name", text, limits::DISPLAY_NAME_CHARS_MAX)?;
    }
    if let Some(text) = description {
        row.description = texts::optional("description", text, limits::DISPLAY_NAME_CHARS_MAX)?;
    }
    if let Some(text) = icon_url {
        row.icon_url = texts::optional("icon_url", text, limits::ICON_URL_CHARS_MAX)?;
    }
    Ok(())
}

/// Takes a record that is to be deleted out of its conversations: those that are its alone are deleted with it.
pub(crate) fn record_leaves(tx: &mut Tx<'_, '_>, sealer: &Sealer, record: i64) -> Result<()> {
    let row = store::record_get(tx, record)?.ok_or(Error::NotFound("record"))?;
    let limit = limits::CONVERSATIONS_MAX as i64;
    for part in store::participants_of_record(tx, record, limit)? {
        let conversation = find(tx, None, part.conversation)?;
        let kind = if is_personal(&conversation) {
            store::conversation_delete(tx, conversation.id)?;
            EventKind::ConversationRemoved
        } else {
            store::participant_delete(tx, &part)?;
            EventKind::ParticipantLeft
        };
        tell(tx, sealer, kind, &conversation, Some(&row), None)?;
    }
    Ok(())
}

impl Domain {
    /// Needs the scope channels and every structure, as all of these.
    pub async fn conversation_create(
        &self,
        context: &Context,
        source: &str,
        new: ConversationNew,
    ) -> Result<Conversation> {
        need(&context.caller)?;
        let row = checked(source, &new)?;
        let (participants, sealer) = (new.participants, self.store().sealer().clone());
        self.command(context, "conversation_create", 1, move |tx| {
            let mut row = row.clone();
            let mut records: Vec<(RecordRow, bool)> = Vec::new();
            for (who, subscribe) in &participants {
                let record = record::lookup(tx, &row.source, who)?;
                let record = record.ok_or(Error::NotFound("record"))?;
                if !records.iter().any(|(other, _)| other.id == record.id) {
                    records.push((record, *subscribe));
                }
            }
            let first = records.first().map(|(record, _)| record.clone());
            let now = tx.meta().time;
            (row.id, row.created, row.updated) = (tx.next_id(), now, now);
            if let Some(record) = first.as_ref().filter(|_| is_personal(&row)) {
                row.is_default = !store::conversation_has_default(tx, record.id)?;
            }
            store::conversation_insert(tx, &row)?;
            for (record, subscribe) in &records {
                participant::insert(tx, row.id, record.id, *subscribe)?;
            }
            let kind = EventKind::ConversationCreated;
            tell(tx, &sealer, kind, &row, first.as_ref(), None)?;
            store::activity_insert(tx, Some(row.id), "")?;
            Ok(Verdict::Done(of_row(row)))
        })
        .await
    }

    /// The conversations that a record takes part in.
    pub async fn conversation_list(
        &self,
        caller: &Caller,
        source: &str,
        of: RecordRef,
        page: &CursorQuery,
    ) -> Result<CursorPage<Conversation>> {
        need(caller)?;
        let (source, slice, page) = (source.to_owned(), page.slice()?, *page);
        self.store()
            .read(caller.workspace, move |read| {
                let record = record::lookup(read, &source, &of)?;
                let record = record.ok_or(Error::NotFound("record"))?;
                let rows = store::conversation_page_of(read, record.id, slice)?;
                Ok(page.page(rows.into_iter().map(of_row).collect()))
            })
            .await
    }

    pub async fn conversation_get(&self, caller: &Caller, id: i64) -> Result<Conversation> {
        need(caller)?;
        self.store()
            .read(caller.workspace, move |read| {
                find(read, None, id).map(of_row)
            })
            .await
    }

    pub async fn conversation_update(
        &self,
        context: &Context,
        id: i64,
        change: ConversationChange,
    ) -> Result<Conversation> {
        need(&context.caller)?;
        let metadata = change
            .metadata
            .map(|text| texts::flat(&text.unwrap_or_default()))
            .transpose()?;
        let texts = (change.display_name, change.description, change.icon_url);
        self.command(context, "conversation_update", 1, move |tx| {
            let before = find(tx, None, id)?;
            let mut row = before.clone();
            shown(&mut row, texts.clone())?;
            if let Some(metadata) = &metadata {
                row.metadata.clone_from(metadata);
            }
            if row != before {
                row.updated = tx.meta().time;
                store::conversation_update(tx, &row)?;
                store::activity_insert(tx, Some(id), "")?;
            }
            Ok(Verdict::Done(of_row(row)))
        })
        .await
    }

    /// Deletes a conversation with its participants and messages. The default one cannot be deleted (conflict).
    pub async fn conversation_delete(&self, context: &Context, id: i64) -> Result<()> {
        need(&context.caller)?;
        let sealer = self.store().sealer().clone();
        self.command(context, "conversation_delete", 1, move |tx| {
            let row = find(tx, None, id)?;
            if row.is_default {
                let say = "The default conversation of a person cannot be deleted.";
                return Err(Error::Conflict(say));
            }
            let first = participant::all(tx, id)?.into_iter().next();
            let record = match first {
                Some(first) => store::record_get(tx, first.record)?,
                None => None,
            };
            store::conversation_delete(tx, id)?;
            let kind = EventKind::ConversationRemoved;
            tell(tx, &sealer, kind, &row, record.as_ref(), None)?;
            store::activity_insert(tx, Some(id), "")?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Notes that somebody reads or types; `who` is nothing for the organisation.
    pub async fn conversation_notice(
        &self,
        context: &Context,
        source: &str,
        conversation: i64,
        who: Option<RecordRef>,
        notice: Notice,
    ) -> Result<()> {
        need(&context.caller)?;
        let (source, sealer) = (source.to_owned(), self.store().sealer().clone());
        self.command(context, "conversation_notice", 1, move |tx| {
            let mut row = find(tx, Some(&source), conversation)?;
            let who = match &who {
                Some(who) => Some(in_conversation(tx, &row, who)?),
                None => None,
            };
            let kind = match notice {
                Notice::TypingStart | Notice::TypingStop => EventKind::ConversationTyping,
                Notice::Read => EventKind::ConversationRead,
            };
            if notice == Notice::Read {
                match &who {
                    Some((_, participant)) => store::participant_read(tx, participant)?,
                    None => {
                        row.business_last_read = Some(tx.meta().time);
                        store::conversation_update(tx, &row)?;
                    }
                }
            }
            let record = who.map(|(record, _)| record);
            tell(tx, &sealer, kind, &row, record.as_ref(), Some(notice))?;
            Ok(Verdict::Done(()))
        })
        .await
    }
}
