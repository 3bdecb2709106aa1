//! What becomes of a client: confirmed, taken over, blocked, removed; and the sets and conversations that follow from it.
//!
//! Everything here is part of a command. Invariant: a client's row, its person's place in the channel's set, and its place
//! in conversations change together.

use serde::{Deserialize, Serialize};
use store::{ClientRow, RecordRow, Sealer, Sql, Tx, Verdict};

use crate::{
    batch::Batch,
    caller::{Caller, Context},
    channel::{Channel, ChannelError},
    channel_send::LATE,
    client::{self, ClientReason, ClientStatus, Confirmation},
    conversation,
    error::{Error, Result},
    event::{self, EventKind, PersonEvent},
    limits,
    outbox::OutboxKind,
    record::{self, attach, one},
    service::Domain,
};

/// What is sealed of a client.
#[derive(Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    /// JSON objects.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

fn seal_context(workspace: i64, id: i64) -> String {
    format!("client {workspace}/{id}")
}

impl Detail {
    pub(crate) fn seal(&self, sealer: &Sealer, workspace: i64, id: i64) -> Result<Vec<u8>> {
        let plain = serde_json::to_vec(self).map_err(Error::internal)?;
        Ok(sealer.seal(&seal_context(workspace, id), &plain)?)
    }

    pub(crate) fn open(sealer: &Sealer, workspace: i64, row: &ClientRow) -> Result<Detail> {
        let plain = sealer.open(&seal_context(workspace, row.id), &row.detail)?;
        serde_json::from_slice(&plain).map_err(Error::internal)
    }
}

/// What an address is found by: the first of its keys.
pub(crate) fn address_key(batch: &Batch) -> Vec<u8> {
    let first = batch.keys().first().map(|key| key.as_bytes().to_vec());
    first.unwrap_or_default()
}

/// Tells of a client of a record, with the conversation that it is linked for.
pub(crate) fn tell(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    kind: EventKind,
    record: &RecordRow,
    row: &ClientRow,
    reason: ClientReason,
    error: Option<ChannelError>,
) -> Result<()> {
    event::announce_person(tx, sealer, kind, &record.source, |tx| {
        let conversation = match row.conversation {
            Some(id) => store::conversation_get(tx, id)?,
            None => None,
        };
        Ok(PersonEvent {
            record: Some(record::of(record.clone())),
            client: Some(client::of_row(sealer, tx.workspace(), row)?),
            conversation: conversation.map(conversation::of_row),
            reason: Some(reason),
            error,
            ..PersonEvent::default()
        })
    })
}

/// The record of a client, which outlives it.
pub(crate) fn record_of(sql: &mut dyn Sql, row: &ClientRow) -> Result<RecordRow> {
    store::record_get(sql, row.record)?
        .ok_or_else(|| Error::internal(format!("client {} has no record", row.id)))
}

fn channel_of(row: &ClientRow) -> Result<Channel> {
    Channel::parse(&row.kind).ok_or_else(|| Error::internal(format!("a client on {:?}", row.kind)))
}

/// Takes a person out of the channel's set, unless another client keeps them there.
fn off_channel(tx: &mut Tx<'_, '_>, row: &ClientRow) -> Result<()> {
    if !store::client_active_beside(tx, &row.kind, row.person, row.id)? {
        tx.set_remove(channel_of(row)?.set(), &one(row.person))?;
    }
    Ok(())
}

/// Takes a client out of every conversation that its record takes part in.
fn drop_from_conversations(tx: &mut Tx<'_, '_>, row: &ClientRow) -> Result<()> {
    let limit = limits::CONVERSATIONS_MAX as i64;
    for mut participant in store::participants_of_record(tx, row.record, limit)? {
        if participant.clients.contains(&row.id) {
            participant.clients.retain(|client| *client != row.id);
            store::participant_clients(tx, &participant)?;
        }
    }
    Ok(())
}

/// Puts a client among those of its record in the conversation that it is linked for: first, or last where it is not to be
/// the primary one.
fn into_conversation(tx: &mut Tx<'_, '_>, row: &ClientRow, first: bool) -> Result<()> {
    let Some(conversation) = row.conversation else {
        return Ok(());
    };
    let Some(mut participant) = store::participant_of(tx, conversation, row.record)? else {
        return Ok(());
    };
    let before = participant.clients.clone();
    participant.clients.retain(|client| *client != row.id);
    let at = if first { 0 } else { participant.clients.len() };
    participant.clients.insert(at, row.id);
    if participant.clients != before {
        store::participant_clients(tx, &participant)?;
    }
    Ok(())
}

/// The client was the last that its person was heard from: it goes first.
pub(crate) fn heard_from(tx: &mut Tx<'_, '_>, row: &ClientRow) -> Result<()> {
    into_conversation(tx, row, true)
}

/// Makes a client active. Another one of the address is taken over, and older ones that only waited to be written to; keys of the address that nobody holds become the
/// person's.
pub(crate) fn activate(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    row: &mut ClientRow,
    batch: &Batch,
) -> Result<()> {
    if let (Some(integration), Some(key)) = (row.integration, row.address_key.as_deref()) {
        let limit = limits::ADDRESS_CLIENTS_MAX as i64;
        for other in store::clients_at(tx, integration, key, limit)? {
            let linked = matches!(
                ClientStatus::of(&other)?,
                ClientStatus::Active | ClientStatus::Blocked
            );
            // Whoever was waited for before is not who the address turned out to be: what they go on to write would else
            // hand it back.
            let beaten = ClientStatus::of(&other)? == ClientStatus::Pending
                && other.confirmation.as_deref() == Some(Confirmation::UserActivity.as_str())
                && other.id < row.id;
            if (linked || beaten) && other.id != row.id {
                let owner = record_of(tx, &other)?;
                remove(tx, sealer, &owner, &other, ClientReason::Theft, None)?;
            }
        }
    }
    let now = tx.meta().time;
    row.status = ClientStatus::Active.as_str().to_owned();
    (row.linked_at, row.expires, row.updated) = (Some(now), None, now);
    store::client_update(tx, row)?;
    tx.set_add(channel_of(row)?.set(), &one(row.person))?;
    attach(tx, row.person, batch)?;
    into_conversation(tx, row, row.primary)?;
    let record = record_of(tx, row)?;
    let (kind, reason) = (EventKind::ClientUpdated, ClientReason::Confirmed);
    tell(tx, sealer, kind, &record, row, reason, None)
}

/// Removes a client.
pub(crate) fn remove(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    record: &RecordRow,
    row: &ClientRow,
    reason: ClientReason,
    error: Option<ChannelError>,
) -> Result<()> {
    if ClientStatus::of(row)? == ClientStatus::Active {
        off_channel(tx, row)?;
    }
    if ClientStatus::of(row)? != ClientStatus::Pending {
        drop_from_conversations(tx, row)?;
    }
    store::client_delete(tx, row.id)?;
    let kind = EventKind::ClientRemoved;
    tell(tx, sealer, kind, record, row, reason, error)
}

/// The person wants nothing more at an address: what is linked is blocked, what is pending is no more.
pub(crate) fn block(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    integration: i64,
    key: &[u8],
) -> Result<()> {
    store::channel_block(tx, integration, key)?;
    for mut row in store::clients_at(tx, integration, key, limits::ADDRESS_CLIENTS_MAX as i64)? {
        let record = record_of(tx, &row)?;
        match ClientStatus::of(&row)? {
            ClientStatus::Active => {
                off_channel(tx, &row)?;
                row.status = ClientStatus::Blocked.as_str().to_owned();
                row.updated = tx.meta().time;
                store::client_update(tx, &row)?;
                let (kind, reason) = (EventKind::ClientUpdated, ClientReason::Blocked);
                tell(tx, sealer, kind, &record, &row, reason, None)?;
            }
            ClientStatus::Pending => {
                remove(tx, sealer, &record, &row, ClientReason::Cancelled, None)?;
            }
            ClientStatus::Blocked | ClientStatus::Inactive => {}
        }
    }
    Ok(())
}

/// The person wants to be reached at an address again. True where something was blocked.
pub(crate) fn unblock(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    integration: i64,
    key: &[u8],
) -> Result<bool> {
    if !store::channel_blocked(tx, integration, key)? {
        return Ok(false);
    }
    store::channel_unblock(tx, integration, key)?;
    for mut row in store::clients_at(tx, integration, key, limits::ADDRESS_CLIENTS_MAX as i64)? {
        if ClientStatus::of(&row)? == ClientStatus::Blocked {
            row.status = ClientStatus::Active.as_str().to_owned();
            row.updated = tx.meta().time;
            store::client_update(tx, &row)?;
            tx.set_add(channel_of(&row)?.set(), &one(row.person))?;
            let record = record_of(tx, &row)?;
            let (kind, reason) = (EventKind::ClientUpdated, ClientReason::Unblocked);
            tell(tx, sealer, kind, &record, &row, reason, None)?;
        }
    }
    Ok(true)
}

/// Removes the clients of a record that is being deleted. That the record is gone says that they are.
pub(crate) fn record_gone(tx: &mut Tx<'_, '_>, record: &RecordRow) -> Result<()> {
    for row in store::clients_of_record(tx, record.id, limits::CLIENTS_MAX as i64)? {
        if ClientStatus::of(&row)? == ClientStatus::Active {
            off_channel(tx, &row)?;
        }
        store::client_delete(tx, row.id)?;
    }
    Ok(())
}

/// Makes the clients of an integration inactive that is being deleted; pending ones are removed.
pub(crate) fn integration_gone(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    integration: i64,
) -> Result<()> {
    loop {
        let limit = limits::CLIENTS_SWEPT_MAX;
        let rows = store::clients_of_integration(tx, integration, limit as i64)?;
        for mut row in rows.iter().cloned() {
            if ClientStatus::of(&row)? == ClientStatus::Pending {
                let error = ChannelError {
                    code: "integration_deleted".into(),
                    text: "The integration was deleted.".into(),
                };
                let record = record_of(tx, &row)?;
                remove(tx, sealer, &record, &row, ClientReason::Failed, Some(error))?;
                continue;
            }
            if ClientStatus::of(&row)? == ClientStatus::Active {
                off_channel(tx, &row)?;
            }
            drop_from_conversations(tx, &row)?;
            row.status = ClientStatus::Inactive.as_str().to_owned();
            row.updated = tx.meta().time;
            store::client_update(tx, &row)?;
        }
        if rows.len() < limit {
            return Ok(());
        }
    }
}

impl Domain {
    /// Removes pending clients whose time has passed, and forgets what providers told and what was given up long ago; called
    /// now and then. True where more may be left.
    pub async fn client_sweep(&self, workspace: i64) -> Result<bool> {
        let context = Context::new(Caller::server(workspace), "sweep");
        let sealer = self.store().sealer().clone();
        self.command(&context, "client_sweep", 1, move |tx| {
            let now = tx.meta().time;
            store::inbound_sweep(tx, now - limits::INBOUND_KEPT_MS)?;
            // What was given up holds addresses and words.
            let kind = OutboxKind::Channel.as_str();
            store::outbox_sweep_dead(tx, kind, now - limits::SENT_KEPT_MS)?;
            let limit = limits::CLIENTS_SWEPT_MAX;
            let expired = store::clients_expired(tx, now, limit as i64)?;
            for row in &expired {
                let error = ChannelError {
                    code: "expired".into(),
                    text: LATE.into(),
                };
                let record = record_of(tx, row)?;
                remove(tx, &sealer, &record, row, ClientReason::Failed, Some(error))?;
            }
            Ok(Verdict::Done(expired.len() == limit))
        })
        .await
    }
}
