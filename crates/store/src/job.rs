//! Rows of jobs: work that is larger than a command may be, done in steps that are commands each.
//!
//! A job holds no list of what is left to do: the rows that it works on say so. Invariant: `finished` is empty exactly
//! while steps are left.

use crate::{
    connection::Connection,
    error::Error,
    store::Store,
    tx::Tx,
    value::{Param, Row, Sql, query_one},
};

/// A job as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    pub id: i64,
    /// What it does, as in `audience_delete`.
    pub kind: String,
    /// The id of what it is done to.
    pub noun: i64,
    pub done: u64,
    pub total: u64,
    /// Milliseconds since the Unix epoch.
    pub created: i64,
    pub updated: i64,
    pub finished: Option<i64>,
}

const INSERT: &str = "INSERT INTO job (workspace_id, id, kind, noun_id, done, total, created, updated, finished) \
     VALUES ($1, $2, $3, $4, 0, $5, $6, $6, NULL)";
const STEP: &str =
    "UPDATE job SET done = done + $3, updated = $4 WHERE workspace_id = $1 AND id = $2";
const FINISH: &str =
    "UPDATE job SET updated = $3, finished = $3 WHERE workspace_id = $1 AND id = $2";
const GET: &str = "SELECT id, kind, noun_id, done, total, created, updated, finished FROM job \
     WHERE workspace_id = $1 AND id = $2";
const PAGE: &str = "SELECT id, kind, noun_id, done, total, created, updated, finished FROM job \
     WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3";
const OPEN: &str =
    "SELECT workspace_id, id FROM job WHERE finished IS NULL ORDER BY workspace_id, id LIMIT 100";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, STEP, FINISH, GET, PAGE, OPEN];

fn of(mut row: Row) -> Result<JobRow, Error> {
    Ok(JobRow {
        id: row.int(0)?,
        kind: row.text(1)?,
        noun: row.int(2)?,
        done: row.natural(3)?,
        total: row.natural(4)?,
        created: row.int(5)?,
        updated: row.int(6)?,
        finished: row.optional_int(7)?,
    })
}

/// Begins a job of `total` steps' worth of things.
pub fn job_insert(
    tx: &mut Tx<'_, '_>,
    id: i64,
    kind: &str,
    noun: i64,
    total: u64,
) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        id.into(),
        kind.into(),
        noun.into(),
        Param::Int(i64::try_from(total).unwrap_or(i64::MAX)),
        tx.meta().time.into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

/// Notes that so many more things are done.
pub fn job_step(tx: &mut Tx<'_, '_>, id: i64, done: u64) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        id.into(),
        Param::Int(i64::try_from(done).unwrap_or(i64::MAX)),
        tx.meta().time.into(),
    ];
    tx.query(STEP, &params).map(drop)
}

pub fn job_finish(tx: &mut Tx<'_, '_>, id: i64) -> Result<(), Error> {
    let params = [tx.workspace().into(), id.into(), tx.meta().time.into()];
    tx.query(FINISH, &params).map(drop)
}

pub fn job_get(sql: &mut dyn Sql, id: i64) -> Result<Option<JobRow>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, GET, &[workspace, id.into()])?
        .map(of)
        .transpose()
}

/// Jobs with `id > after`, in order of id.
pub fn job_page(sql: &mut dyn Sql, after: i64, limit: i64) -> Result<Vec<JobRow>, Error> {
    let rows = sql.query(PAGE, &[sql.workspace().into(), after.into(), limit.into()])?;
    rows.into_iter().map(of).collect()
}

/// Jobs of every workspace that have steps left, with their workspaces; at most 100.
pub async fn jobs_open(store: &Store) -> Result<Vec<(i64, i64)>, Error> {
    store
        .plain_read(|connection: &mut Connection| {
            let rows = connection.query(OPEN, &[])?;
            rows.iter()
                .map(|row| Ok((row.int(0)?, row.int(1)?)))
                .collect()
        })
        .await
}
