//! Participants: the records that take part in a conversation, each with the clients on which it is reached there.
//!
//! Invariant: a record takes part in a conversation at most once; the clients of a participant are linked ones of that
//! record, and the first of them is the one that is written to.

use serde::{Deserialize, Serialize};
use store::{ConversationRow, Keyset, ParticipantRow, RecordRow, Sql, Tx, Verdict};

use crate::{
    caller::{Caller, Context},
    channel::Channel,
    client::{ClientStatus, need},
    conversation::{find, is_personal, tell},
    cursor::{CursorPage, CursorQuery},
    error::{Error, Field, Result},
    event::EventKind,
    limits,
    record::{self, RecordRef},
    service::Domain,
};

const NOUN: &str = "participant";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    pub id: i64,
    pub record: i64,
    /// The record's reference in its source.
    pub reference: Option<String>,
    /// Messages since it last read.
    pub unread: i64,
    pub last_read: Option<i64>,
    /// Its clients here, the first is written to.
    pub clients: Vec<(i64, Channel)>,
}

/// Who leaves.
#[derive(Debug, Clone)]
pub enum ParticipantRef {
    Id(i64),
    Record(RecordRef),
}

const PERSONAL: Error = Error::Conflict("Nobody joins or leaves a personal conversation.");

/// All participants of a conversation, in order of id.
pub(crate) fn all(sql: &mut dyn Sql, conversation: i64) -> Result<Vec<ParticipantRow>> {
    let everybody = Keyset::first(limits::PARTICIPANTS_MAX as i64);
    Ok(store::participant_page(sql, conversation, everybody)?)
}

/// The record that is named and that takes part in a conversation.
pub(crate) fn in_conversation(
    sql: &mut dyn Sql,
    conversation: &ConversationRow,
    who: &RecordRef,
) -> Result<(RecordRow, ParticipantRow)> {
    let record = record::lookup(sql, &conversation.source, who)?;
    let record = record.ok_or(Error::NotFound("record"))?;
    let participant = store::participant_of(sql, conversation.id, record.id)?;
    Ok((record, participant.ok_or(Error::NotFound(NOUN))?))
}

fn too_many(text: String) -> Error {
    Error::TooLarge(Field {
        name: "participants",
        code: "too_many",
        text,
    })
}

/// The newest program that a record is signed in with.
fn newest_program(sql: &mut dyn Sql, record: i64) -> Result<Option<i64>> {
    let clients = store::clients_of_record(sql, record, limits::CLIENTS_MAX as i64)?;
    let signed_in = clients.into_iter().filter(|client| {
        client.kind == Channel::Sdk.as_str() && client.status == ClientStatus::Active.as_str()
    });
    Ok(signed_in.map(|client| client.id).max())
}

/// Has a record take part, which does not yet.
pub(crate) fn insert(
    tx: &mut Tx<'_, '_>,
    conversation: i64,
    record: i64,
    subscribe: bool,
) -> Result<ParticipantRow> {
    if store::participants_count_of_record(tx, record)? >= limits::CONVERSATIONS_MAX as u64 {
        return Err(too_many(format!(
            "Somebody takes part in at most {} conversations.",
            limits::CONVERSATIONS_MAX
        )));
    }
    let program = match subscribe {
        true => newest_program(tx, record)?,
        false => None,
    };
    let row = ParticipantRow {
        id: tx.next_id(),
        conversation,
        record,
        unread: 0,
        last_read: None,
        clients: program.into_iter().collect(),
        created: tx.meta().time,
    };
    store::participant_insert(tx, &row)?;
    Ok(row)
}

fn view(sql: &mut dyn Sql, row: ParticipantRow) -> Result<Participant> {
    let mut clients = Vec::with_capacity(row.clients.len());
    for id in row.clients {
        let client = store::client_get(sql, id)?;
        clients.extend(client.and_then(|client| Some((id, Channel::parse(&client.kind)?))));
    }
    Ok(Participant {
        id: row.id,
        record: row.record,
        reference: store::record_get(sql, row.record)?.and_then(|record| record.reference),
        unread: row.unread,
        last_read: row.last_read,
        clients,
    })
}

impl Domain {
    /// Needs the scope channels and every structure, as all of these.
    pub async fn participant_list(
        &self,
        caller: &Caller,
        conversation: i64,
        page: &CursorQuery,
    ) -> Result<CursorPage<Participant>> {
        need(caller)?;
        let (slice, page) = (page.slice()?, *page);
        self.store()
            .read(caller.workspace, move |read| {
                find(read, None, conversation)?;
                let rows = store::participant_page(read, conversation, slice)?;
                let rows = rows.into_iter().map(|row| view(read, row));
                let found: Result<Vec<_>> = rows.collect();
                Ok(page.page(found?))
            })
            .await
    }

    /// Joining again answers the participant as it is. A personal conversation takes nobody more.
    pub async fn participant_join(
        &self,
        context: &Context,
        source: &str,
        conversation: i64,
        who: RecordRef,
        subscribe: bool,
    ) -> Result<Participant> {
        need(&context.caller)?;
        let (source, sealer) = (source.to_owned(), self.store().sealer().clone());
        self.command(context, "participant_join", 1, move |tx| {
            let row = find(tx, Some(&source), conversation)?;
            let record = record::lookup(tx, &source, &who)?.ok_or(Error::NotFound("record"))?;
            if let Some(there) = store::participant_of(tx, row.id, record.id)? {
                return Ok(Verdict::Done(view(tx, there)?));
            }
            if is_personal(&row) {
                return Err(PERSONAL);
            }
            if all(tx, row.id)?.len() >= limits::PARTICIPANTS_MAX {
                return Err(too_many(format!(
                    "A conversation has at most {} participants.",
                    limits::PARTICIPANTS_MAX
                )));
            }
            let joined = insert(tx, row.id, record.id, subscribe)?;
            let kind = EventKind::ParticipantJoined;
            tell(tx, &sealer, kind, &row, Some(&record), None)?;
            store::activity_insert(tx, Some(row.id), &format!("participant={}", joined.id))?;
            Ok(Verdict::Done(view(tx, joined)?))
        })
        .await
    }

    /// Nobody leaves a personal conversation (*conflict*).
    pub async fn participant_leave(
        &self,
        context: &Context,
        source: &str,
        conversation: i64,
        who: ParticipantRef,
    ) -> Result<()> {
        need(&context.caller)?;
        let (source, sealer) = (source.to_owned(), self.store().sealer().clone());
        self.command(context, "participant_leave", 1, move |tx| {
            let row = find(tx, Some(&source), conversation)?;
            let participant = match &who {
                ParticipantRef::Id(id) => {
                    store::participant_get(tx, row.id, *id)?.ok_or(Error::NotFound(NOUN))?
                }
                ParticipantRef::Record(who) => in_conversation(tx, &row, who)?.1,
            };
            if is_personal(&row) {
                return Err(PERSONAL);
            }
            store::participant_delete(tx, &participant)?;
            let record = store::record_get(tx, participant.record)?;
            let kind = EventKind::ParticipantLeft;
            tell(tx, &sealer, kind, &row, record.as_ref(), None)?;
            let detail = format!("participant={}", participant.id);
            store::activity_insert(tx, Some(row.id), &detail)?;
            Ok(Verdict::Done(()))
        })
        .await
    }
}
