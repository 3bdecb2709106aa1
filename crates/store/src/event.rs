//! Rows of events: what happened that a webhook wants to know, kept for a while so that it can be told again.
//!
//! Where no webhook wants to know, there is no row: this is no second log. Invariant: a row is written by the command that
//! made it happen, and only a sweep removes it.

use crate::{
    error::Error,
    tx::Tx,
    value::{Param, Row, Sql, query_one},
};

/// An event as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    pub id: i64,
    /// As in `audience.created`.
    pub kind: String,
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    /// Who did it: an account or a credential; 0 is the server itself.
    pub actor: i64,
    pub request_id: String,
    /// What the domain says of it: JSON, sealed where it names a person.
    pub data: Vec<u8>,
}

const INSERT: &str = "INSERT INTO event (workspace_id, id, kind, time, actor, request_id, data) \
     VALUES ($1, $2, $3, $4, $5, $6, $7)";
const GET: &str =
    "SELECT id, kind, time, actor, request_id, data FROM event WHERE workspace_id = $1 AND id = $2";
const PAGE: &str = "SELECT id, kind, time, actor, request_id, data FROM event \
     WHERE workspace_id = $1 AND time >= $2 AND id > $3 ORDER BY id LIMIT $4";
const OLD: &str = "SELECT id FROM event WHERE workspace_id = $1 AND time < $2 LIMIT 1";
const SWEEP: &str = "DELETE FROM event WHERE workspace_id = $1 AND time < $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, GET, PAGE, OLD, SWEEP];

fn of(mut row: Row) -> Result<EventRow, Error> {
    Ok(EventRow {
        id: row.int(0)?,
        kind: row.text(1)?,
        time: row.int(2)?,
        actor: row.int(3)?,
        request_id: row.text(4)?,
        data: row.bytes(5)?,
    })
}

/// Notes what the command does; time, actor and request are the command's own. The caller draws the id, since it
/// belongs into the seal's context.
pub fn event_insert(tx: &mut Tx<'_, '_>, id: i64, kind: &str, data: &[u8]) -> Result<(), Error> {
    let meta = tx.meta().clone();
    let params = [
        tx.workspace().into(),
        id.into(),
        kind.into(),
        meta.time.into(),
        meta.actor.into(),
        (&meta.request_id).into(),
        data.into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

pub fn event_get(sql: &mut dyn Sql, id: i64) -> Result<Option<EventRow>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, GET, &[workspace, id.into()])?
        .map(of)
        .transpose()
}

/// Events of `since` or later with `id > after`, in order of id.
pub fn event_page(
    sql: &mut dyn Sql,
    since: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<EventRow>, Error> {
    let params = [
        sql.workspace().into(),
        since.into(),
        after.into(),
        limit.into(),
    ];
    sql.query(PAGE, &params)?.into_iter().map(of).collect()
}

/// Forgets what happened before `before`. Where there is nothing, nothing is written and so nothing logged.
pub fn event_sweep(tx: &mut Tx<'_, '_>, before: i64) -> Result<(), Error> {
    let params = [tx.workspace().into(), before.into()];
    if !tx.query(OLD, &params)?.is_empty() {
        tx.query(SWEEP, &params)?;
    }
    Ok(())
}
