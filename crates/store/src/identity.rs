//! Clashes of identity: two people that turned out to share an identifier. Listed, never merged by themselves.

use crate::{
    error::Error,
    tx::Tx,
    value::{Row, Sql},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityConflict {
    pub id: i64,
    /// The lower of the two person numbers.
    pub first_person: u32,
    pub second_person: u32,
    /// The kind of identifier that showed it.
    pub kind: String,
    pub first_seen: i64,
    pub last_seen: i64,
    pub times: i64,
}

const NOTE: &str = "INSERT INTO identity_conflict (workspace_id, first_person, second_person, id, kind, first_seen, \
     last_seen, times) VALUES ($1, $2, $3, $4, $5, $6, $6, 1) \
     ON CONFLICT (workspace_id, first_person, second_person) \
     DO UPDATE SET last_seen = excluded.last_seen, times = identity_conflict.times + 1";
const PAGE: &str = "SELECT id, first_person, second_person, kind, first_seen, last_seen, times FROM identity_conflict \
     WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[NOTE, PAGE];

/// Notes that one identifier names two people; seen again, it counts.
pub fn conflict_note(
    tx: &mut Tx<'_, '_>,
    one: u32,
    other: u32,
    kind: &str,
    now: i64,
) -> Result<(), Error> {
    let id = tx.next_id();
    let params = [
        tx.workspace().into(),
        i64::from(one.min(other)).into(),
        i64::from(one.max(other)).into(),
        id.into(),
        kind.into(),
        now.into(),
    ];
    tx.query(NOTE, &params).map(drop)
}

/// Conflicts with `id > after`, in order of id.
pub fn conflicts_page(
    sql: &mut dyn Sql,
    after: i64,
    limit: i64,
) -> Result<Vec<IdentityConflict>, Error> {
    let rows = sql.query(PAGE, &[sql.workspace().into(), after.into(), limit.into()])?;
    rows.into_iter().map(of).collect()
}

fn of(mut row: Row) -> Result<IdentityConflict, Error> {
    let person = |row: &Row, column| {
        u32::try_from(row.int(column)?)
            .map_err(|_| Error::Corrupt("a person number over 2^32".into()))
    };
    Ok(IdentityConflict {
        id: row.int(0)?,
        first_person: person(&row, 1)?,
        second_person: person(&row, 2)?,
        kind: row.text(3)?,
        first_seen: row.int(4)?,
        last_seen: row.int(5)?,
        times: row.int(6)?,
    })
}
