//! Rows of managers: which person may do what to a structure or audience.

use sets::Person;

use crate::{
    error::Error,
    tx::Tx,
    value::{Param, Row, Sql, query_one},
};

/// A manager as it lies there; `grants` are bits whose meaning is the domain's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManagerRow {
    pub audience: i64,
    pub person: Person,
    pub grants: i64,
    /// Milliseconds since the Unix epoch.
    pub created: i64,
    pub updated: i64,
}

const PUT: &str = "INSERT INTO audience_manager (workspace_id, audience_id, person, grants, created, updated) \
     VALUES ($1, $2, $3, $4, $5, $5) ON CONFLICT (workspace_id, audience_id, person) \
     DO UPDATE SET grants = excluded.grants, updated = excluded.updated";
const DELETE: &str =
    "DELETE FROM audience_manager WHERE workspace_id = $1 AND audience_id = $2 AND person = $3";
const CLEAR: &str = "DELETE FROM audience_manager WHERE workspace_id = $1 AND audience_id = $2";
const GET: &str = "SELECT audience_id, person, grants, created, updated FROM audience_manager \
     WHERE workspace_id = $1 AND audience_id = $2 AND person = $3";
const OF_AUDIENCE: &str = "SELECT audience_id, person, grants, created, updated FROM audience_manager \
     WHERE workspace_id = $1 AND audience_id = $2 ORDER BY created, person";
const OF_PERSON: &str = "SELECT audience_id, person, grants, created, updated FROM audience_manager \
     WHERE workspace_id = $1 AND person = $2 ORDER BY audience_id LIMIT $3";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[PUT, DELETE, CLEAR, GET, OF_AUDIENCE, OF_PERSON];

fn of(row: &Row) -> Result<ManagerRow, Error> {
    Ok(ManagerRow {
        audience: row.int(0)?,
        person: u32::try_from(row.int(1)?)
            .map_err(|_| Error::Corrupt("a manager is no number of a person".into()))?,
        grants: row.int(2)?,
        created: row.int(3)?,
        updated: row.int(4)?,
    })
}

fn all(rows: Vec<Row>) -> Result<Vec<ManagerRow>, Error> {
    rows.iter().map(of).collect()
}

/// Makes somebody a manager, or gives a manager these grants instead.
pub fn manager_put(
    tx: &mut Tx<'_, '_>,
    audience: i64,
    person: Person,
    grants: i64,
) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        audience.into(),
        i64::from(person).into(),
        grants.into(),
        tx.meta().time.into(),
    ];
    tx.query(PUT, &params).map(drop)
}

pub fn manager_delete(tx: &mut Tx<'_, '_>, audience: i64, person: Person) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        audience.into(),
        i64::from(person).into(),
    ];
    tx.query(DELETE, &params).map(drop)
}

/// Takes every manager from a structure or audience.
pub fn managers_clear(tx: &mut Tx<'_, '_>, audience: i64) -> Result<(), Error> {
    tx.query(CLEAR, &[tx.workspace().into(), audience.into()])
        .map(drop)
}

pub fn manager_get(
    sql: &mut dyn Sql,
    audience: i64,
    person: Person,
) -> Result<Option<ManagerRow>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    let params = [workspace, audience.into(), i64::from(person).into()];
    query_one(sql, GET, &params)?
        .map(|row| of(&row))
        .transpose()
}

/// The managers of a structure or audience, the earliest first.
pub fn managers_of(sql: &mut dyn Sql, audience: i64) -> Result<Vec<ManagerRow>, Error> {
    all(sql.query(OF_AUDIENCE, &[sql.workspace().into(), audience.into()])?)
}

/// What a person manages.
pub fn managed_by(sql: &mut dyn Sql, person: Person, limit: i64) -> Result<Vec<ManagerRow>, Error> {
    let params = [
        sql.workspace().into(),
        i64::from(person).into(),
        limit.into(),
    ];
    all(sql.query(OF_PERSON, &params)?)
}
