//! Rows of records: what one source knows of somebody, pointing at a person. Many records may point at one person.
//!
//! `email_key` is the address as it is compared; `ended` says that the end date has passed and its person was put among
//! those who have ended, so that few rows are looked at beside that set.

use sets::Person;

use crate::{
    error::Error,
    tx::Tx,
    value::{Param, Row, Sql, query_by_ids, query_one},
};

/// A record as it lies there.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordRow {
    pub id: i64,
    /// Whose it is: the name of the system that keeps it.
    pub source: String,
    pub person: Person,
    /// The source's own id for it, unique among its records.
    pub reference: Option<String>,
    pub email: Option<String>,
    pub email_key: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub active: bool,
    pub ended: bool,
    /// Dates as `YYYY-MM-DD`.
    pub starts: Option<String>,
    pub ends: Option<String>,
    /// What else the source keeps, as JSON.
    pub profile: String,
    /// Milliseconds since the Unix epoch.
    pub created: i64,
    pub updated: i64,
}

/// Who somebody is goes into no log.
impl std::fmt::Debug for RecordRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecordRow({}, person {}, ***)", self.id, self.person)
    }
}

const INSERT: &str = "INSERT INTO record (workspace_id, id, source, person, reference, email, email_key, first_name, \
     last_name, active, ended, starts, ends, profile, created, updated) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
const UPDATE: &str = "UPDATE record SET reference = $3, email = $4, email_key = $5, first_name = $6, last_name = $7, \
     active = $8, ended = $9, starts = $10, ends = $11, profile = $12, updated = $13 \
     WHERE workspace_id = $1 AND id = $2";
const DELETE: &str = "DELETE FROM record WHERE workspace_id = $1 AND id = $2";
const GET: &str = "SELECT id, source, person, reference, email, email_key, first_name, last_name, active, ended, starts, \
     ends, profile, created, updated FROM record WHERE workspace_id = $1 AND id = $2";
const BY_REFERENCE: &str = "SELECT id, source, person, reference, email, email_key, first_name, last_name, active, ended, \
     starts, ends, profile, created, updated FROM record WHERE workspace_id = $1 AND source = $2 AND reference = $3";
const BY_EMAIL: &str = "SELECT id, source, person, reference, email, email_key, first_name, last_name, active, ended, \
     starts, ends, profile, created, updated FROM record WHERE workspace_id = $1 AND source = $2 AND email_key = $3 \
     ORDER BY id LIMIT 1";
const OF_PERSON: &str = "SELECT id, source, person, reference, email, email_key, first_name, last_name, active, ended, \
     starts, ends, profile, created, updated FROM record WHERE workspace_id = $1 AND person = $2 ORDER BY id LIMIT $3";
/// `$3`: changed since; `$4`: the states, as [`RecordFilter::states`] has them; `$5`: today; `$6`: the address, or empty for
/// all.
const PAGE: &str = "SELECT id, source, person, reference, email, email_key, first_name, last_name, active, ended, starts, \
     ends, profile, created, updated FROM record WHERE workspace_id = $1 AND source = $2 AND updated >= $3 \
     AND (CASE WHEN active = 0 THEN 2 WHEN ends < CAST($5 AS text) THEN 4 ELSE 1 END & CAST($4 AS bigint)) <> 0 \
     AND (CAST($6 AS text) = '' OR email_key = CAST($6 AS text)) ORDER BY id LIMIT $7 OFFSET $8";
const COUNT: &str = "SELECT count(*) FROM record WHERE workspace_id = $1 AND source = $2 AND updated >= $3 \
     AND (CASE WHEN active = 0 THEN 2 WHEN ends < CAST($5 AS text) THEN 4 ELSE 1 END & CAST($4 AS bigint)) <> 0 \
     AND (CAST($6 AS text) = '' OR email_key = CAST($6 AS text))";
const NAMES_BETWEEN: &str = "SELECT person, id, source, reference, email, first_name, last_name FROM record \
     WHERE workspace_id = $1 AND person >= $2 AND person <= $3 ORDER BY person, id";
const NAMES_SOME: &str = "SELECT person, id, source, reference, email, first_name, last_name FROM record \
     WHERE workspace_id = $1 AND person IN ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
     ORDER BY person, id";
/// Those whose end date has passed and who are not noted so.
const ENDED_NOW: &str =
    "SELECT id, person FROM record WHERE workspace_id = $1 AND ended = 0 AND ends < $2 LIMIT $3";
const END: &str = "UPDATE record SET ended = 1 WHERE workspace_id = $1 AND id = $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    DELETE,
    GET,
    BY_REFERENCE,
    BY_EMAIL,
    OF_PERSON,
    PAGE,
    COUNT,
    NAMES_BETWEEN,
    NAMES_SOME,
    ENDED_NOW,
    END,
];

fn person(row: &Row, column: usize) -> Result<Person, Error> {
    u32::try_from(row.int(column)?)
        .map_err(|_| Error::Corrupt("a record's person is no number of one".into()))
}

fn of(mut row: Row) -> Result<RecordRow, Error> {
    Ok(RecordRow {
        id: row.int(0)?,
        source: row.text(1)?,
        person: person(&row, 2)?,
        reference: row.optional_text(3)?,
        email: row.optional_text(4)?,
        email_key: row.optional_text(5)?,
        first_name: row.optional_text(6)?,
        last_name: row.optional_text(7)?,
        active: row.flag(8)?,
        ended: row.flag(9)?,
        starts: row.optional_text(10)?,
        ends: row.optional_text(11)?,
        profile: row.text(12)?,
        created: row.int(13)?,
        updated: row.int(14)?,
    })
}

pub fn record_insert(tx: &mut Tx<'_, '_>, record: &RecordRow) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        record.id.into(),
        (&record.source).into(),
        i64::from(record.person).into(),
        record.reference.as_deref().into(),
        record.email.as_deref().into(),
        record.email_key.as_deref().into(),
        record.first_name.as_deref().into(),
        record.last_name.as_deref().into(),
        record.active.into(),
        record.ended.into(),
        record.starts.as_deref().into(),
        record.ends.as_deref().into(),
        (&record.profile).into(),
        record.created.into(),
        record.updated.into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

/// Writes all but the id, the source, the person and the time when it was made.
pub fn record_update(tx: &mut Tx<'_, '_>, record: &RecordRow) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        record.id.into(),
        record.reference.as_deref().into(),
        record.email.as_deref().into(),
        record.email_key.as_deref().into(),
        record.first_name.as_deref().into(),
        record.last_name.as_deref().into(),
        record.active.into(),
        record.ended.into(),
        record.starts.as_deref().into(),
        record.ends.as_deref().into(),
        (&record.profile).into(),
        record.updated.into(),
    ];
    tx.query(UPDATE, &params).map(drop)
}

pub fn record_delete(tx: &mut Tx<'_, '_>, id: i64) -> Result<(), Error> {
    tx.query(DELETE, &[tx.workspace().into(), id.into()])
        .map(drop)
}

pub fn record_get(sql: &mut dyn Sql, id: i64) -> Result<Option<RecordRow>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, GET, &[workspace, id.into()])?
        .map(of)
        .transpose()
}

pub fn record_by_reference(
    sql: &mut dyn Sql,
    source: &str,
    reference: &str,
) -> Result<Option<RecordRow>, Error> {
    let params = [sql.workspace().into(), source.into(), reference.into()];
    query_one(sql, BY_REFERENCE, &params)?.map(of).transpose()
}

pub fn record_by_email(
    sql: &mut dyn Sql,
    source: &str,
    email_key: &str,
) -> Result<Option<RecordRow>, Error> {
    let params = [sql.workspace().into(), source.into(), email_key.into()];
    query_one(sql, BY_EMAIL, &params)?.map(of).transpose()
}

/// The records of a person, of every source, in order of id.
pub fn records_of(sql: &mut dyn Sql, person: Person, limit: i64) -> Result<Vec<RecordRow>, Error> {
    let params = [
        sql.workspace().into(),
        i64::from(person).into(),
        limit.into(),
    ];
    let rows = sql.query(OF_PERSON, &params)?;
    rows.into_iter().map(of).collect()
}

/// Which records of a source.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RecordFilter {
    /// Changed since; milliseconds since the Unix epoch.
    pub updated_since: Option<i64>,
    /// Bits: 1 active, 2 not active, 4 active and ended.
    pub states: i64,
    /// The day on which it is asked who has ended.
    pub today: String,
    /// The address as it is compared.
    pub email_key: Option<String>,
}

impl std::fmt::Debug for RecordFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecordFilter(***)")
    }
}

impl RecordFilter {
    fn params<'a>(&'a self, workspace: i64, source: &'a str) -> [Param<'a>; 6] {
        [
            workspace.into(),
            source.into(),
            self.updated_since.unwrap_or(i64::MIN).into(),
            self.states.into(),
            (&self.today).into(),
            self.email_key.as_deref().unwrap_or_default().into(),
        ]
    }
}

/// Records of a source in order of id, without the first `offset`.
pub fn records_page(
    sql: &mut dyn Sql,
    source: &str,
    filter: &RecordFilter,
    offset: i64,
    limit: i64,
) -> Result<Vec<RecordRow>, Error> {
    let [workspace, source, since, states, today, email] = filter.params(sql.workspace(), source);
    let params = [
        workspace,
        source,
        since,
        states,
        today,
        email,
        limit.into(),
        offset.into(),
    ];
    sql.query(PAGE, &params)?.into_iter().map(of).collect()
}

pub fn records_count(sql: &mut dyn Sql, source: &str, filter: &RecordFilter) -> Result<u64, Error> {
    let params = filter.params(sql.workspace(), source);
    query_one(sql, COUNT, &params)?.map_or(Ok(0), |row| row.natural(0))
}

/// What a record calls its person.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordName {
    pub person: Person,
    pub id: i64,
    pub source: String,
    pub reference: Option<String>,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
}

impl std::fmt::Debug for RecordName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecordName({}, person {}, ***)", self.id, self.person)
    }
}

/// Where people lie no further apart than this many numbers each, all rows between them are read at once.
const DENSE: u32 = 8;

/// The records of these people, who ascend, by person and then by id. Of every source.
pub fn record_names(sql: &mut dyn Sql, people: &[Person]) -> Result<Vec<RecordName>, Error> {
    let (Some(&first), Some(&last)) = (people.first(), people.last()) else {
        return Ok(Vec::new());
    };
    let span = (last - first) / DENSE;
    let rows = if people.len() > 1 && span as usize <= people.len() {
        let params = [
            sql.workspace().into(),
            i64::from(first).into(),
            i64::from(last).into(),
        ];
        sql.query(NAMES_BETWEEN, &params)?
    } else {
        let ids: Vec<i64> = people.iter().map(|person| i64::from(*person)).collect();
        query_by_ids(sql, NAMES_SOME, &ids)?
    };
    let named = rows.into_iter().map(|mut row| {
        Ok(RecordName {
            person: person(&row, 0)?,
            id: row.int(1)?,
            source: row.text(2)?,
            reference: row.optional_text(3)?,
            email: row.optional_text(4)?,
            first_name: row.optional_text(5)?,
            last_name: row.optional_text(6)?,
        })
    });
    named.collect()
}

/// Ids and people of records whose end date lies before `today` and that are not noted as ended.
pub fn records_ended(
    sql: &mut dyn Sql,
    today: &str,
    limit: i64,
) -> Result<Vec<(i64, Person)>, Error> {
    let params = [sql.workspace().into(), today.into(), limit.into()];
    let rows = sql.query(ENDED_NOW, &params)?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, person(row, 1)?)))
        .collect()
}

/// Notes that a record has ended; its person belongs into the set of those who have.
pub fn record_end(tx: &mut Tx<'_, '_>, id: i64) -> Result<(), Error> {
    tx.query(END, &[tx.workspace().into(), id.into()]).map(drop)
}
