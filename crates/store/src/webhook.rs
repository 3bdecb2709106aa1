//! Rows of webhooks: where events go, and the secrets that sign them, which come here sealed.
//!
//! Invariant: `old_secret` and `old_until` are both there or both not.

use crate::{
    error::Error,
    tx::Tx,
    value::{Param, Row, Sql, query_one},
};

/// A webhook as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRow {
    pub id: i64,
    /// The protocol in which it is told.
    pub dialect: String,
    pub url: String,
    /// The kinds of events that it wants, space-separated; empty means all.
    pub events: String,
    /// Sealed.
    pub secret: Vec<u8>,
    /// The secret before, sealed, and until when it signs too.
    pub old: Option<(Vec<u8>, i64)>,
    /// The integration that it belongs to.
    pub integration: Option<i64>,
    /// Bits of how much it is told, as the domain numbers them.
    pub detail: i64,
    pub created: i64,
    pub updated: i64,
}

const INSERT: &str = "INSERT INTO webhook (workspace_id, id, dialect, url, events, secret, old_secret, old_until, \
     created, updated, integration_id, detail) VALUES ($1, $2, $3, $4, $5, $6, NULL, NULL, $7, $7, $8, $9)";
const GET: &str = "SELECT id, dialect, url, events, secret, old_secret, old_until, created, updated, integration_id, \
     detail FROM webhook \
     WHERE workspace_id = $1 AND id = $2";
const PAGE: &str = "SELECT id, dialect, url, events, secret, old_secret, old_until, created, updated, integration_id, \
     detail FROM webhook \
     WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3";
const PAGE_OF_DIALECT: &str = "SELECT id, dialect, url, events, secret, old_secret, old_until, created, updated, \
     integration_id, detail FROM webhook WHERE workspace_id = $1 AND id > $2 AND dialect = $4 ORDER BY id LIMIT $3";
const LISTENING: &str =
    "SELECT id, url, events, dialect FROM webhook WHERE workspace_id = $1 ORDER BY id";
const COUNT: &str = "SELECT count(*) FROM webhook WHERE workspace_id = $1";
const ROTATE: &str = "UPDATE webhook SET old_secret = secret, old_until = $4, secret = $3, updated = $5 \
     WHERE workspace_id = $1 AND id = $2";
const UPDATE: &str = "UPDATE webhook SET url = $3, events = $4, detail = $5, updated = $6 \
     WHERE workspace_id = $1 AND id = $2";
const DELETE_OF: &str = "DELETE FROM webhook WHERE workspace_id = $1 AND integration_id = $2";
const DELETE: &str = "DELETE FROM webhook WHERE workspace_id = $1 AND id = $2";
const OLD: &str = "SELECT id FROM webhook WHERE workspace_id = $1 AND old_until < $2 LIMIT 1";
const SWEEP: &str = "UPDATE webhook SET old_secret = NULL, old_until = NULL WHERE workspace_id = $1 AND old_until < $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    GET,
    PAGE,
    PAGE_OF_DIALECT,
    LISTENING,
    COUNT,
    ROTATE,
    UPDATE,
    DELETE_OF,
    DELETE,
    OLD,
    SWEEP,
];

fn of(mut row: Row) -> Result<WebhookRow, Error> {
    let old = row.optional_bytes(5)?;
    let until = row.optional_int(6)?;
    Ok(WebhookRow {
        id: row.int(0)?,
        dialect: row.text(1)?,
        url: row.text(2)?,
        events: row.text(3)?,
        secret: row.bytes(4)?,
        old: old.zip(until),
        created: row.int(7)?,
        updated: row.int(8)?,
        integration: row.optional_int(9)?,
        detail: row.int(10)?,
    })
}

/// Inserts a webhook, which has no secret before its own yet.
pub fn webhook_insert(tx: &mut Tx<'_, '_>, webhook: &WebhookRow) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        webhook.id.into(),
        (&webhook.dialect).into(),
        (&webhook.url).into(),
        (&webhook.events).into(),
        (&webhook.secret).into(),
        webhook.created.into(),
        webhook.integration.into(),
        webhook.detail.into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

pub fn webhook_get(sql: &mut dyn Sql, id: i64) -> Result<Option<WebhookRow>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, GET, &[workspace, id.into()])?
        .map(of)
        .transpose()
}

/// Webhooks with `id > after`, of one dialect or of any, in order of id.
pub fn webhook_page(
    sql: &mut dyn Sql,
    dialect: Option<&str>,
    after: i64,
    limit: i64,
) -> Result<Vec<WebhookRow>, Error> {
    let (workspace, after, limit) = (sql.workspace().into(), after.into(), limit.into());
    let rows = match dialect {
        None => sql.query(PAGE, &[workspace, after, limit]),
        Some(dialect) => sql.query(PAGE_OF_DIALECT, &[workspace, after, limit, dialect.into()]),
    };
    rows?.into_iter().map(of).collect()
}

/// A webhook as a command asks for it before it tells of anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookListening {
    pub id: i64,
    pub url: String,
    pub events: String,
    pub dialect: String,
}

pub fn webhooks_listening(sql: &mut dyn Sql) -> Result<Vec<WebhookListening>, Error> {
    let rows = sql.query(LISTENING, &[sql.workspace().into()])?;
    rows.into_iter()
        .map(|mut row| {
            Ok(WebhookListening {
                id: row.int(0)?,
                url: row.text(1)?,
                events: row.text(2)?,
                dialect: row.text(3)?,
            })
        })
        .collect()
}

/// Writes what it is told and where.
pub fn webhook_update(tx: &mut Tx<'_, '_>, webhook: &WebhookRow) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        webhook.id.into(),
        (&webhook.url).into(),
        (&webhook.events).into(),
        webhook.detail.into(),
        webhook.updated.into(),
    ];
    tx.query(UPDATE, &params).map(drop)
}

/// Deletes the webhooks of an integration.
pub fn webhooks_delete_of(tx: &mut Tx<'_, '_>, integration: i64) -> Result<(), Error> {
    tx.query(DELETE_OF, &[tx.workspace().into(), integration.into()])
        .map(drop)
}

pub fn webhooks_count(sql: &mut dyn Sql) -> Result<u64, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, COUNT, &[workspace])?.map_or(Ok(0), |row| row.natural(0))
}

/// Gives a webhook a new secret; the one that it had signs too until `old_until`, and the one before that no more.
pub fn webhook_rotate(
    tx: &mut Tx<'_, '_>,
    id: i64,
    secret: &[u8],
    old_until: i64,
) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        id.into(),
        secret.into(),
        old_until.into(),
        tx.meta().time.into(),
    ];
    tx.query(ROTATE, &params).map(drop)
}

pub fn webhook_delete(tx: &mut Tx<'_, '_>, id: i64) -> Result<(), Error> {
    tx.query(DELETE, &[tx.workspace().into(), id.into()])
        .map(drop)
}

/// Forgets old secrets that signed until `before`. Where there are none, nothing is written and so nothing logged.
pub fn webhook_secrets_sweep(tx: &mut Tx<'_, '_>, before: i64) -> Result<(), Error> {
    let params = [tx.workspace().into(), before.into()];
    if !tx.query(OLD, &params)?.is_empty() {
        tx.query(SWEEP, &params)?;
    }
    Ok(())
}
