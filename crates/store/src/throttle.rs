//! Rows of throttles: how often something failed under a key, and from when it may be tried again.

use crate::{
    error::Error,
    tx::Tx,
    value::{Param, Sql, query_one},
};

/// Failures under a key. The key is a keyed hash of what is throttled: an address, an e-mail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Throttle {
    pub failures: i64,
    /// Milliseconds since the Unix epoch.
    pub free_at: i64,
    pub updated: i64,
}

const GET: &str =
    "SELECT failures, free_at, updated FROM throttle WHERE workspace_id = $1 AND key = $2";
const PUT: &str = "INSERT INTO throttle (workspace_id, key, failures, free_at, updated) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (workspace_id, key) DO UPDATE SET failures = excluded.failures, free_at = excluded.free_at, \
     updated = excluded.updated";
const DELETE: &str = "DELETE FROM throttle WHERE workspace_id = $1 AND key = $2";
const OLD: &str = "SELECT updated FROM throttle WHERE workspace_id = $1 AND updated < $2 LIMIT 1";
const SWEEP: &str = "DELETE FROM throttle WHERE workspace_id = $1 AND updated < $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[GET, PUT, DELETE, OLD, SWEEP];

/// Nothing failed where there is no row.
pub fn throttle_get(sql: &mut dyn Sql, key: &[u8]) -> Result<Throttle, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    let row = query_one(sql, GET, &[workspace, key.into()])?;
    row.map_or(Ok(Throttle::default()), |row| {
        Ok(Throttle {
            failures: row.int(0)?,
            free_at: row.int(1)?,
            updated: row.int(2)?,
        })
    })
}

pub fn throttle_put(tx: &mut Tx<'_, '_>, key: &[u8], throttle: &Throttle) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        key.into(),
        throttle.failures.into(),
        throttle.free_at.into(),
        throttle.updated.into(),
    ];
    tx.query(PUT, &params).map(drop)
}

pub fn throttle_delete(tx: &mut Tx<'_, '_>, key: &[u8]) -> Result<(), Error> {
    tx.query(DELETE, &[tx.workspace().into(), key.into()])
        .map(drop)
}

/// Forgets what was last touched before `before`. Where there is nothing, nothing is written and so nothing logged.
pub fn throttle_sweep(tx: &mut Tx<'_, '_>, before: i64) -> Result<(), Error> {
    let params = [tx.workspace().into(), before.into()];
    if query_one(tx, OLD, &params)?.is_some() {
        tx.query(SWEEP, &params)?;
    }
    Ok(())
}
