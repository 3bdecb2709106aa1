//! Rows of participants: which records take part in which conversations, and with which clients.

use crate::{
    error::Error,
    keyset::Keyset,
    tx::Tx,
    value::{Param, Row, Sql, query_one},
};

/// A participant as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantRow {
    pub id: i64,
    pub conversation: i64,
    pub record: i64,
    /// Messages since it last read.
    pub unread: i64,
    pub last_read: Option<i64>,
    /// Its clients, the first of which is written to.
    pub clients: Vec<i64>,
    pub created: i64,
}

const INSERT: &str = "INSERT INTO participant (workspace_id, conversation_id, id, record_id, unread, last_read, clients, \
     created) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const GET: &str = "SELECT id, conversation_id, record_id, unread, last_read, clients, created FROM participant \
     WHERE workspace_id = $1 AND conversation_id = $2 AND id = $3";
const OF: &str = "SELECT id, conversation_id, record_id, unread, last_read, clients, created FROM participant \
     WHERE workspace_id = $1 AND record_id = $2 AND conversation_id = $3";
const OF_RECORD: &str = "SELECT id, conversation_id, record_id, unread, last_read, clients, created FROM participant \
     WHERE workspace_id = $1 AND record_id = $2 ORDER BY conversation_id LIMIT $3";
const COUNT_OF_RECORD: &str =
    "SELECT count(*) FROM participant WHERE workspace_id = $1 AND record_id = $2";
const PAGE: &str = "SELECT id, conversation_id, record_id, unread, last_read, clients, created FROM participant \
     WHERE workspace_id = $1 AND conversation_id = $2 AND id > $3 ORDER BY id LIMIT $4";
const PAGE_BACK: &str = "SELECT id, conversation_id, record_id, unread, last_read, clients, created FROM participant \
     WHERE workspace_id = $1 AND conversation_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4";
const CLIENTS: &str = "UPDATE participant SET clients = $4 WHERE workspace_id = $1 AND conversation_id = $2 AND id = $3";
const READ: &str = "UPDATE participant SET unread = 0, last_read = $4 \
     WHERE workspace_id = $1 AND conversation_id = $2 AND id = $3";
const MISSED: &str = "UPDATE participant SET unread = unread + 1 \
     WHERE workspace_id = $1 AND conversation_id = $2 AND record_id <> $3";
const DELETE: &str =
    "DELETE FROM participant WHERE workspace_id = $1 AND conversation_id = $2 AND id = $3";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    GET,
    OF,
    OF_RECORD,
    COUNT_OF_RECORD,
    PAGE,
    PAGE_BACK,
    CLIENTS,
    READ,
    MISSED,
    DELETE,
];

fn of(mut row: Row) -> Result<ParticipantRow, Error> {
    let clients = row.text(5)?;
    let clients = clients.split_ascii_whitespace().map(|id| {
        id.parse()
            .map_err(|_| Error::Corrupt("a participant's client is no number".into()))
    });
    Ok(ParticipantRow {
        clients: clients.collect::<Result<_, _>>()?,
        id: row.int(0)?,
        conversation: row.int(1)?,
        record: row.int(2)?,
        unread: row.int(3)?,
        last_read: row.optional_int(4)?,
        created: row.int(6)?,
    })
}

fn text_of(clients: &[i64]) -> String {
    let clients: Vec<String> = clients.iter().map(i64::to_string).collect();
    clients.join(" ")
}

pub fn participant_insert(tx: &mut Tx<'_, '_>, participant: &ParticipantRow) -> Result<(), Error> {
    let clients = text_of(&participant.clients);
    let params = [
        tx.workspace().into(),
        participant.conversation.into(),
        participant.id.into(),
        participant.record.into(),
        participant.unread.into(),
        participant.last_read.into(),
        (&clients).into(),
        participant.created.into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

pub fn participant_get(
    sql: &mut dyn Sql,
    conversation: i64,
    id: i64,
) -> Result<Option<ParticipantRow>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, GET, &[workspace, conversation.into(), id.into()])?
        .map(of)
        .transpose()
}

/// The participant of a conversation that is this record.
pub fn participant_of(
    sql: &mut dyn Sql,
    conversation: i64,
    record: i64,
) -> Result<Option<ParticipantRow>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, OF, &[workspace, record.into(), conversation.into()])?
        .map(of)
        .transpose()
}

/// What a record takes part in, in order of the conversations' ids.
pub fn participants_of_record(
    sql: &mut dyn Sql,
    record: i64,
    limit: i64,
) -> Result<Vec<ParticipantRow>, Error> {
    let params = [sql.workspace().into(), record.into(), limit.into()];
    sql.query(OF_RECORD, &params)?.into_iter().map(of).collect()
}

/// How many conversations a record takes part in.
pub fn participants_count_of_record(sql: &mut dyn Sql, record: i64) -> Result<u64, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, COUNT_OF_RECORD, &[workspace, record.into()])?
        .map_or(Ok(0), |row| row.natural(0))
}

pub fn participant_page(
    sql: &mut dyn Sql,
    conversation: i64,
    slice: Keyset,
) -> Result<Vec<ParticipantRow>, Error> {
    let rows = slice.query(sql, PAGE, PAGE_BACK, &[conversation.into()])?;
    rows.into_iter().map(of).collect()
}

/// Writes its clients.
pub fn participant_clients(tx: &mut Tx<'_, '_>, participant: &ParticipantRow) -> Result<(), Error> {
    let clients = text_of(&participant.clients);
    let params = [
        tx.workspace().into(),
        participant.conversation.into(),
        participant.id.into(),
        (&clients).into(),
    ];
    tx.query(CLIENTS, &params).map(drop)
}

/// Notes that a participant has read everything.
pub fn participant_read(tx: &mut Tx<'_, '_>, participant: &ParticipantRow) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        participant.conversation.into(),
        participant.id.into(),
        tx.meta().time.into(),
    ];
    tx.query(READ, &params).map(drop)
}

/// Counts a message as unread by everybody in a conversation but the record that wrote it.
pub fn participants_missed(
    tx: &mut Tx<'_, '_>,
    conversation: i64,
    author: Option<i64>,
) -> Result<(), Error> {
    // Ids begin with 1.
    let author = author.unwrap_or(0);
    let params = [tx.workspace().into(), conversation.into(), author.into()];
    tx.query(MISSED, &params).map(drop)
}

pub fn participant_delete(tx: &mut Tx<'_, '_>, participant: &ParticipantRow) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        participant.conversation.into(),
        participant.id.into(),
    ];
    tx.query(DELETE, &params).map(drop)
}
