//! Rows of messages. What was said comes here sealed.

use crate::{
    error::Error,
    keyset::Keyset,
    tx::Tx,
    value::{Param, Row, Sql, query_one},
};

/// A message as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    pub id: i64,
    pub conversation: i64,
    /// The record that wrote it; nothing where the organisation did.
    pub author: Option<i64>,
    /// Sealed.
    pub body: Vec<u8>,
    pub created: i64,
}

const INSERT: &str = "INSERT INTO message (workspace_id, conversation_id, id, author_record, body, created) \
     VALUES ($1, $2, $3, $4, $5, $6)";
const GET: &str = "SELECT id, conversation_id, author_record, body, created FROM message \
     WHERE workspace_id = $1 AND conversation_id = $2 AND id = $3";
const PAGE: &str = "SELECT id, conversation_id, author_record, body, created FROM message \
     WHERE workspace_id = $1 AND conversation_id = $2 AND id > $3 ORDER BY id LIMIT $4";
const PAGE_BACK: &str = "SELECT id, conversation_id, author_record, body, created FROM message \
     WHERE workspace_id = $1 AND conversation_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4";
const DELETE: &str = "DELETE FROM message WHERE workspace_id = $1 AND conversation_id = $2 AND id = $3 \
     RETURNING id";
const DELETE_ALL: &str = "DELETE FROM message WHERE workspace_id = $1 AND conversation_id = $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, GET, PAGE, PAGE_BACK, DELETE, DELETE_ALL];

fn of(mut row: Row) -> Result<MessageRow, Error> {
    Ok(MessageRow {
        id: row.int(0)?,
        conversation: row.int(1)?,
        author: row.optional_int(2)?,
        body: row.bytes(3)?,
        created: row.int(4)?,
    })
}

pub fn message_insert(tx: &mut Tx<'_, '_>, message: &MessageRow) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        message.conversation.into(),
        message.id.into(),
        message.author.into(),
        (&message.body).into(),
        message.created.into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

pub fn message_get(
    sql: &mut dyn Sql,
    conversation: i64,
    id: i64,
) -> Result<Option<MessageRow>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, GET, &[workspace, conversation.into(), id.into()])?
        .map(of)
        .transpose()
}

pub fn message_page(
    sql: &mut dyn Sql,
    conversation: i64,
    slice: Keyset,
) -> Result<Vec<MessageRow>, Error> {
    let rows = slice.query(sql, PAGE, PAGE_BACK, &[conversation.into()])?;
    rows.into_iter().map(of).collect()
}

/// False where there is no such message.
pub fn message_delete(tx: &mut Tx<'_, '_>, conversation: i64, id: i64) -> Result<bool, Error> {
    let params = [tx.workspace().into(), conversation.into(), id.into()];
    Ok(!tx.query(DELETE, &params)?.is_empty())
}

pub fn messages_delete(tx: &mut Tx<'_, '_>, conversation: i64) -> Result<(), Error> {
    let params = [tx.workspace().into(), conversation.into()];
    tx.query(DELETE_ALL, &params).map(drop)
}
