//! The activity log: who did what, when, to what. Append-only; ids, never addresses.

use crate::{
    error::Error,
    tx::Tx,
    value::{Row, Sql},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    pub id: i64,
    pub time: i64,
    /// The credential that acted; 0 is the server itself.
    pub actor: i64,
    pub verb: String,
    /// What it was done to.
    pub noun: Option<i64>,
    pub request_id: String,
    /// The change in the log, where one followed.
    pub seq: Option<i64>,
    /// Counts and the like, as `key=value` pairs; no personal data.
    pub detail: String,
}

const INSERT: &str = "INSERT INTO activity (workspace_id, id, time, actor, verb, noun_id, request_id, seq, detail) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const PAGE: &str = "SELECT id, time, actor, verb, noun_id, request_id, seq, detail FROM activity \
     WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, PAGE];

/// Entries of one command; with them an entry's id is made of its change's seq, in the order of the log.
const ENTRIES_MAX: i64 = 4_096;

/// Notes what the command does; actor, time, request and verb are the command's own. Its id does not come from the nouns'
/// numbers, so that these stay small: the first two structures are 1 and 2.
pub fn activity_insert(tx: &mut Tx<'_, '_>, noun: Option<i64>, detail: &str) -> Result<(), Error> {
    if tx.activities == ENTRIES_MAX {
        return Err(Error::Internal("a command noted too much activity".into()));
    }
    let seq = i64::try_from(tx.next_seq()).unwrap_or(i64::MAX);
    let id = seq.saturating_mul(ENTRIES_MAX) + tx.activities;
    tx.activities += 1;
    let meta = tx.meta().clone();
    let params = [
        tx.workspace().into(),
        id.into(),
        meta.time.into(),
        meta.actor.into(),
        meta.verb.into(),
        noun.into(),
        (&meta.request_id).into(),
        seq.into(),
        detail.into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

/// Entries with `id < before`, newest first.
pub fn activity_page(sql: &mut dyn Sql, before: i64, limit: i64) -> Result<Vec<Activity>, Error> {
    let rows = sql.query(PAGE, &[sql.workspace().into(), before.into(), limit.into()])?;
    rows.into_iter().map(of).collect()
}

fn of(mut row: Row) -> Result<Activity, Error> {
    Ok(Activity {
        id: row.int(0)?,
        time: row.int(1)?,
        actor: row.int(2)?,
        verb: row.text(3)?,
        noun: row.optional_int(4)?,
        request_id: row.text(5)?,
        seq: row.optional_int(6)?,
        detail: row.text(7)?,
    })
}
