//! Rows of conversations. Who takes part in them is in `participant.rs`, what was said in `message.rs`.
//!
//! Invariant: `messages` is the number of rows of the conversation in `message`.

use crate::{
    error::Error,
    keyset::Keyset,
    tx::Tx,
    value::{Param, Row, Sql, query_one},
};

/// A conversation as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRow {
    pub id: i64,
    /// Of which system's records.
    pub source: String,
    pub kind: String,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub icon_url: Option<String>,
    /// A flat JSON object.
    pub metadata: String,
    pub is_default: bool,
    pub business_last_read: Option<i64>,
    pub last_updated: Option<i64>,
    pub messages: i64,
    pub created: i64,
    pub updated: i64,
}

const INSERT: &str = "INSERT INTO conversation (workspace_id, id, source, kind, display_name, description, icon_url, \
     metadata, is_default, business_last_read, last_updated, messages, created, updated) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
const GET: &str = "SELECT id, source, kind, display_name, description, icon_url, metadata, is_default, \
     business_last_read, last_updated, messages, created, updated FROM conversation \
     WHERE workspace_id = $1 AND id = $2";
const PAGE_OF: &str = "SELECT c.id, c.source, c.kind, c.display_name, c.description, c.icon_url, c.metadata, \
     c.is_default, c.business_last_read, c.last_updated, c.messages, c.created, c.updated FROM participant p \
     JOIN conversation c ON c.workspace_id = p.workspace_id AND c.id = p.conversation_id \
     WHERE p.workspace_id = $1 AND p.record_id = $2 AND p.conversation_id > $3 \
     ORDER BY p.conversation_id LIMIT $4";
const PAGE_OF_BACK: &str = "SELECT c.id, c.source, c.kind, c.display_name, c.description, c.icon_url, c.metadata, \
     c.is_default, c.business_last_read, c.last_updated, c.messages, c.created, c.updated FROM participant p \
     JOIN conversation c ON c.workspace_id = p.workspace_id AND c.id = p.conversation_id \
     WHERE p.workspace_id = $1 AND p.record_id = $2 AND p.conversation_id < $3 \
     ORDER BY p.conversation_id DESC LIMIT $4";
const DEFAULT_OF: &str = "SELECT c.id FROM participant p \
     JOIN conversation c ON c.workspace_id = p.workspace_id AND c.id = p.conversation_id \
     WHERE p.workspace_id = $1 AND p.record_id = $2 AND c.is_default = 1 LIMIT 1";
const UPDATE: &str = "UPDATE conversation SET display_name = $3, description = $4, icon_url = $5, metadata = $6, \
     business_last_read = $7, last_updated = $8, messages = $9, updated = $10 WHERE workspace_id = $1 AND id = $2";
const DELETE_MESSAGES: &str =
    "DELETE FROM message WHERE workspace_id = $1 AND conversation_id = $2";
const DELETE_PARTICIPANTS: &str =
    "DELETE FROM participant WHERE workspace_id = $1 AND conversation_id = $2";
const DELETE: &str = "DELETE FROM conversation WHERE workspace_id = $1 AND id = $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    GET,
    PAGE_OF,
    PAGE_OF_BACK,
    DEFAULT_OF,
    UPDATE,
    DELETE_MESSAGES,
    DELETE_PARTICIPANTS,
    DELETE,
];

fn of(mut row: Row) -> Result<ConversationRow, Error> {
    Ok(ConversationRow {
        id: row.int(0)?,
        source: row.text(1)?,
        kind: row.text(2)?,
        display_name: row.optional_text(3)?,
        description: row.optional_text(4)?,
        icon_url: row.optional_text(5)?,
        metadata: row.text(6)?,
        is_default: row.flag(7)?,
        business_last_read: row.optional_int(8)?,
        last_updated: row.optional_int(9)?,
        messages: row.int(10)?,
        created: row.int(11)?,
        updated: row.int(12)?,
    })
}

pub fn conversation_insert(
    tx: &mut Tx<'_, '_>,
    conversation: &ConversationRow,
) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        conversation.id.into(),
        (&conversation.source).into(),
        (&conversation.kind).into(),
        conversation.display_name.as_ref().into(),
        conversation.description.as_ref().into(),
        conversation.icon_url.as_ref().into(),
        (&conversation.metadata).into(),
        conversation.is_default.into(),
        conversation.business_last_read.into(),
        conversation.last_updated.into(),
        conversation.messages.into(),
        conversation.created.into(),
        conversation.updated.into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

pub fn conversation_get(sql: &mut dyn Sql, id: i64) -> Result<Option<ConversationRow>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, GET, &[workspace, id.into()])?
        .map(of)
        .transpose()
}

/// The conversations that a record takes part in, by their ids.
pub fn conversation_page_of(
    sql: &mut dyn Sql,
    record: i64,
    slice: Keyset,
) -> Result<Vec<ConversationRow>, Error> {
    let rows = slice.query(sql, PAGE_OF, PAGE_OF_BACK, &[record.into()])?;
    rows.into_iter().map(of).collect()
}

/// Whether a record takes part in a conversation that is its default one.
pub fn conversation_has_default(sql: &mut dyn Sql, record: i64) -> Result<bool, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    Ok(query_one(sql, DEFAULT_OF, &[workspace, record.into()])?.is_some())
}

/// Writes all that may change of it.
pub fn conversation_update(
    tx: &mut Tx<'_, '_>,
    conversation: &ConversationRow,
) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        conversation.id.into(),
        conversation.display_name.as_ref().into(),
        conversation.description.as_ref().into(),
        conversation.icon_url.as_ref().into(),
        (&conversation.metadata).into(),
        conversation.business_last_read.into(),
        conversation.last_updated.into(),
        conversation.messages.into(),
        conversation.updated.into(),
    ];
    tx.query(UPDATE, &params).map(drop)
}

/// Deletes a conversation with its participants and messages.
pub fn conversation_delete(tx: &mut Tx<'_, '_>, id: i64) -> Result<(), Error> {
    let params = [tx.workspace().into(), id.into()];
    tx.query(DELETE_MESSAGES, &params)?;
    tx.query(DELETE_PARTICIPANTS, &params)?;
    tx.query(DELETE, &params).map(drop)
}
