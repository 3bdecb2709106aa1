//! Rows of integrations, whose secrets come here sealed; and which integration a hook's token is of.
//!
//! Invariant: an integration has exactly one row in `integration_hook`, that of its token's hash.

use crate::{
    error::Error,
    keyset::Keyset,
    store::Store,
    tx::Tx,
    value::{Param, Row, Sql, query_one},
};

/// An integration as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntegrationRow {
    pub id: i64,
    pub kind: String,
    pub display_name: Option<String>,
    /// What is not secret, as JSON.
    pub fields: String,
    /// What is, as sealed JSON.
    pub secrets: Vec<u8>,
    pub status: String,
    /// Sealed.
    pub hook_token: Vec<u8>,
    pub created: i64,
    pub updated: i64,
}

/// Kinds that [`integration_page`] can be asked for at once.
pub const INTEGRATION_KINDS: usize = 5;

const INSERT: &str = "INSERT INTO integration (workspace_id, id, kind, display_name, fields, secrets, status, hook_token, \
     created, updated) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const HOOK_INSERT: &str =
    "INSERT INTO integration_hook (hash, workspace_id, integration_id) VALUES ($1, $2, $3)";
const HOOK: &str = "SELECT workspace_id, integration_id FROM integration_hook WHERE hash = $1";
const HOOK_DELETE: &str =
    "DELETE FROM integration_hook WHERE hash = $1 AND workspace_id = $2 AND integration_id = $3";
const GET: &str = "SELECT id, kind, display_name, fields, secrets, status, hook_token, created, updated \
     FROM integration WHERE workspace_id = $1 AND id = $2";
const PAGE: &str = "SELECT id, kind, display_name, fields, secrets, status, hook_token, created, updated \
     FROM integration WHERE workspace_id = $1 AND kind IN ($2, $3, $4, $5, $6) AND id > $7 \
     ORDER BY id LIMIT $8";
const PAGE_BACK: &str = "SELECT id, kind, display_name, fields, secrets, status, hook_token, created, updated \
     FROM integration WHERE workspace_id = $1 AND kind IN ($2, $3, $4, $5, $6) AND id < $7 \
     ORDER BY id DESC LIMIT $8";
const COUNT: &str = "SELECT count(*) FROM integration WHERE workspace_id = $1";
const UPDATE: &str = "UPDATE integration SET display_name = $3, fields = $4, secrets = $5, status = $6, updated = $7 \
     WHERE workspace_id = $1 AND id = $2";
const DELETE: &str = "DELETE FROM integration WHERE workspace_id = $1 AND id = $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    HOOK_INSERT,
    HOOK,
    HOOK_DELETE,
    GET,
    PAGE,
    PAGE_BACK,
    COUNT,
    UPDATE,
    DELETE,
];

fn of(mut row: Row) -> Result<IntegrationRow, Error> {
    Ok(IntegrationRow {
        id: row.int(0)?,
        kind: row.text(1)?,
        display_name: row.optional_text(2)?,
        fields: row.text(3)?,
        secrets: row.bytes(4)?,
        status: row.text(5)?,
        hook_token: row.bytes(6)?,
        created: row.int(7)?,
        updated: row.int(8)?,
    })
}

/// Inserts an integration, which can then be found by the hash of its hook's token alone.
pub fn integration_insert(
    tx: &mut Tx<'_, '_>,
    integration: &IntegrationRow,
    hook_hash: &[u8],
) -> Result<(), Error> {
    let workspace: Param<'static> = tx.workspace().into();
    let params = [
        workspace,
        integration.id.into(),
        (&integration.kind).into(),
        integration.display_name.as_ref().into(),
        (&integration.fields).into(),
        (&integration.secrets).into(),
        (&integration.status).into(),
        (&integration.hook_token).into(),
        integration.created.into(),
        integration.updated.into(),
    ];
    tx.query(INSERT, &params)?;
    let hook = [hook_hash.into(), workspace, integration.id.into()];
    tx.query(HOOK_INSERT, &hook).map(drop)
}

pub fn integration_get(sql: &mut dyn Sql, id: i64) -> Result<Option<IntegrationRow>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, GET, &[workspace, id.into()])?
        .map(of)
        .transpose()
}

/// Integrations of these kinds; none where none is named, nor those beyond [`INTEGRATION_KINDS`].
pub fn integration_page(
    sql: &mut dyn Sql,
    kinds: &[&str],
    slice: Keyset,
) -> Result<Vec<IntegrationRow>, Error> {
    let Some(first) = kinds.first() else {
        return Ok(Vec::new());
    };
    let mut asked = [Param::Text(first); INTEGRATION_KINDS];
    for (param, kind) in asked.iter_mut().zip(kinds) {
        *param = Param::Text(kind);
    }
    let rows = slice.query(sql, PAGE, PAGE_BACK, &asked)?;
    rows.into_iter().map(of).collect()
}

pub fn integrations_count(sql: &mut dyn Sql) -> Result<u64, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, COUNT, &[workspace])?.map_or(Ok(0), |row| row.natural(0))
}

/// Writes all but its kind and its hook.
pub fn integration_update(tx: &mut Tx<'_, '_>, integration: &IntegrationRow) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        integration.id.into(),
        integration.display_name.as_ref().into(),
        (&integration.fields).into(),
        (&integration.secrets).into(),
        (&integration.status).into(),
        integration.updated.into(),
    ];
    tx.query(UPDATE, &params).map(drop)
}

/// Deletes an integration and its hook.
pub fn integration_delete(tx: &mut Tx<'_, '_>, id: i64, hook_hash: &[u8]) -> Result<(), Error> {
    let workspace: Param<'static> = tx.workspace().into();
    tx.query(HOOK_DELETE, &[hook_hash.into(), workspace, id.into()])?;
    tx.query(DELETE, &[workspace, id.into()]).map(drop)
}

/// The workspace and integration whose hook's token has this hash.
pub async fn integration_by_hook(
    store: &Store,
    hash: Vec<u8>,
) -> Result<Option<(i64, i64)>, Error> {
    store
        .plain_read(move |connection| {
            let rows = connection.query(HOOK, &[(&hash).into()])?;
            rows.first()
                .map(|row| Ok((row.int(0)?, row.int(1)?)))
                .transpose()
        })
        .await
}
