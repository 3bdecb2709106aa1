//! Answers kept under the caller's Idempotency-Key, written in the same transaction as the change that they answer.

use crate::{
    error::Error,
    tx::Tx,
    value::{Param, Sql, query_one},
};

/// An answer given before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Hash of the method, path and body of the request, sealed.
    pub fingerprint: Vec<u8>,
    pub status: i64,
    pub body: Vec<u8>,
    pub created: i64,
}

const GET: &str = "SELECT fingerprint, status, body, created FROM idempotency WHERE workspace_id = $1 \
     AND credential_id = $2 AND key = $3 AND created >= $4";
const INSERT: &str = "INSERT INTO idempotency (workspace_id, credential_id, key, fingerprint, status, body, created) \
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (workspace_id, credential_id, key) DO UPDATE SET \
     fingerprint = excluded.fingerprint, status = excluded.status, body = excluded.body, created = excluded.created";
const OLD: &str =
    "SELECT created FROM idempotency WHERE workspace_id = $1 AND created < $2 LIMIT 1";
const SWEEP: &str = "DELETE FROM idempotency WHERE workspace_id = $1 AND created < $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[GET, INSERT, OLD, SWEEP];

/// The answer kept since `since` under this credential and key.
pub fn idempotency_get(
    sql: &mut dyn Sql,
    credential: i64,
    key: &str,
    since: i64,
) -> Result<Option<Stored>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    let row = query_one(
        sql,
        GET,
        &[workspace, credential.into(), key.into(), since.into()],
    )?;
    row.map(|mut row| {
        Ok(Stored {
            fingerprint: row.bytes(0)?,
            status: row.int(1)?,
            body: row.bytes(2)?,
            created: row.int(3)?,
        })
    })
    .transpose()
}

pub fn idempotency_insert(
    tx: &mut Tx<'_, '_>,
    credential: i64,
    key: &str,
    stored: &Stored,
) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        credential.into(),
        key.into(),
        (&stored.fingerprint).into(),
        stored.status.into(),
        (&stored.body).into(),
        stored.created.into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

/// Forgets the answers older than `before`. Where there are none, nothing is written and so nothing logged.
pub fn idempotency_sweep(tx: &mut Tx<'_, '_>, before: i64) -> Result<(), Error> {
    let bounds = [tx.workspace().into(), before.into()];
    if query_one(tx, OLD, &bounds)?.is_none() {
        return Ok(());
    }
    tx.query(SWEEP, &bounds).map(drop)
}
