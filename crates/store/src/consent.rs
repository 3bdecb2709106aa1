//! Rows of consents: which account agreed to which version of a policy; and the set of people of each version.

use crate::{
    error::Error,
    tx::Tx,
    value::{Param, Row, Sql, query_one},
};

/// What an account said about a version of the policy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Consent {
    pub id: i64,
    pub account: i64,
    pub version: String,
    /// The person whose e-mail address the account has.
    pub person: i64,
    /// Where it was given.
    pub channel: Option<String>,
    pub agreed: bool,
    /// When it was given, as the caller wrote it.
    pub consented: Option<String>,
    pub created: i64,
    pub updated: i64,
}

const PUT: &str = "INSERT INTO consent (workspace_id, account_id, version, id, person, channel, agreed, consented, \
     created, updated) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (workspace_id, account_id, version) \
     DO UPDATE SET agreed = excluded.agreed, updated = excluded.updated";
const GET: &str = "SELECT id, account_id, version, person, channel, agreed, consented, created, updated FROM consent \
     WHERE workspace_id = $1 AND account_id = $2 AND version = $3";
const PAGE: &str = "SELECT id, account_id, version, person, channel, agreed, consented, created, updated FROM consent \
     WHERE workspace_id = $1 AND account_id = $2 ORDER BY id DESC LIMIT $3";
const OTHER: &str = "SELECT account_id FROM consent WHERE workspace_id = $1 AND version = $2 AND person = $3 \
     AND account_id <> $4 AND agreed = 1 LIMIT 1";
const DELETE_OF: &str = "DELETE FROM consent WHERE workspace_id = $1 AND account_id = $2";
const POLICY_GET: &str = "SELECT set_id FROM policy WHERE workspace_id = $1 AND version = $2";
const POLICY_INSERT: &str =
    "INSERT INTO policy (workspace_id, version, set_id, created) VALUES ($1, $2, $3, $4)";
const POLICIES: &str =
    "SELECT version, set_id FROM policy WHERE workspace_id = $1 ORDER BY created, version";
const POLICIES_COUNT: &str = "SELECT count(*) FROM policy WHERE workspace_id = $1";
const AGREED: &str =
    "SELECT person FROM consent WHERE workspace_id = $1 AND version = $2 AND agreed = 1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    PUT,
    GET,
    PAGE,
    OTHER,
    DELETE_OF,
    POLICY_GET,
    POLICY_INSERT,
    POLICIES,
    POLICIES_COUNT,
    AGREED,
];

fn of(mut row: Row) -> Result<Consent, Error> {
    Ok(Consent {
        id: row.int(0)?,
        account: row.int(1)?,
        version: row.text(2)?,
        person: row.int(3)?,
        channel: row.optional_text(4)?,
        agreed: row.flag(5)?,
        consented: row.optional_text(6)?,
        created: row.int(7)?,
        updated: row.int(8)?,
    })
}

/// Inserts a consent; of one that is there only whether it was agreed to changes.
pub fn consent_put(tx: &mut Tx<'_, '_>, consent: &Consent) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        consent.account.into(),
        (&consent.version).into(),
        consent.id.into(),
        consent.person.into(),
        consent.channel.as_ref().into(),
        consent.agreed.into(),
        consent.consented.as_ref().into(),
        consent.created.into(),
        consent.updated.into(),
    ];
    tx.query(PUT, &params).map(drop)
}

pub fn consent_get(
    sql: &mut dyn Sql,
    account: i64,
    version: &str,
) -> Result<Option<Consent>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, GET, &[workspace, account.into(), version.into()])?
        .map(of)
        .transpose()
}

/// The consents of an account, newest first.
pub fn consents_of(sql: &mut dyn Sql, account: i64, limit: i64) -> Result<Vec<Consent>, Error> {
    let rows = sql.query(
        PAGE,
        &[sql.workspace().into(), account.into(), limit.into()],
    )?;
    rows.into_iter().map(of).collect()
}

/// Whether another account of the same person agreed to the version.
pub fn consent_by_other(
    sql: &mut dyn Sql,
    version: &str,
    person: i64,
    account: i64,
) -> Result<bool, Error> {
    let params = [
        sql.workspace().into(),
        version.into(),
        person.into(),
        account.into(),
    ];
    Ok(query_one(sql, OTHER, &params)?.is_some())
}

pub fn consents_delete(tx: &mut Tx<'_, '_>, account: i64) -> Result<(), Error> {
    tx.query(DELETE_OF, &[tx.workspace().into(), account.into()])
        .map(drop)
}

/// The set of the people who agreed to a version.
pub fn policy_set(sql: &mut dyn Sql, version: &str) -> Result<Option<i64>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, POLICY_GET, &[workspace, version.into()])?
        .map(|row| row.int(0))
        .transpose()
}

pub fn policy_insert(tx: &mut Tx<'_, '_>, version: &str, set: i64) -> Result<(), Error> {
    let now = tx.meta().time;
    let params = [
        tx.workspace().into(),
        version.into(),
        set.into(),
        now.into(),
    ];
    tx.query(POLICY_INSERT, &params).map(drop)
}

/// Versions with their sets, oldest first.
pub fn policies(sql: &mut dyn Sql) -> Result<Vec<(String, i64)>, Error> {
    let rows = sql.query(POLICIES, &[sql.workspace().into()])?;
    rows.into_iter()
        .map(|mut row| Ok((row.text(0)?, row.int(1)?)))
        .collect()
}

pub fn policies_count(sql: &mut dyn Sql) -> Result<u64, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, POLICIES_COUNT, &[workspace])?.map_or(Ok(0), |row| row.natural(0))
}

/// The people whose accounts agreed to a version, as the rows say it: what the version's set must hold.
pub fn consented_people(sql: &mut dyn Sql, version: &str) -> Result<Vec<i64>, Error> {
    let rows = sql.query(AGREED, &[sql.workspace().into(), version.into()])?;
    rows.iter().map(|row| row.int(0)).collect()
}
