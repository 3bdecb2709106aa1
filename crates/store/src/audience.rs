//! Rows of audiences. A structure is a root: its `structure_id` is its own id and it has no parent.

use crate::{
    error::Error,
    tx::Tx,
    value::{Param, Row, Sql, query_one},
};

/// What an audience is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum AudienceKind {
    /// A root: owns audiences, is what a dialect calls an advertiser.
    Structure,
    /// Its members are added and removed.
    Manual,
}

impl AudienceKind {
    pub fn as_str(self) -> &'static str {
        match self {
            AudienceKind::Structure => "structure",
            AudienceKind::Manual => "manual",
        }
    }
}

/// Who may write to a structure's audiences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Control {
    Api,
    Console,
    Both,
}

impl Control {
    pub fn as_str(self) -> &'static str {
        match self {
            Control::Api => "api",
            Control::Console => "console",
            Control::Both => "both",
        }
    }

    pub fn parse(text: &str) -> Option<Control> {
        match text {
            "api" => Some(Control::Api),
            "console" => Some(Control::Console),
            "both" => Some(Control::Both),
            _ => None,
        }
    }
}

/// An audience or structure.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Audience {
    pub id: i64,
    pub structure: i64,
    pub parent: Option<i64>,
    pub kind: AudienceKind,
    pub name: String,
    pub description: Option<String>,
    /// The caller's own id for it, unique in the workspace.
    pub reference: Option<String>,
    pub control: Control,
    /// Of a structure: whether the names of its audiences are unique. Of an audience: whether its own name is.
    pub unique_names: bool,
    /// Milliseconds since the Unix epoch.
    pub created: i64,
    pub updated: i64,
}

impl Audience {
    /// What the unique index compares: nothing where names may repeat. Structures have their own space of names.
    fn name_unique(&self) -> Option<&str> {
        (self.unique_names && self.kind != AudienceKind::Structure).then_some(self.name.as_str())
    }
}

const INSERT: &str = "INSERT INTO audience (workspace_id, id, structure_id, parent_id, kind, name, name_unique, \
     description, reference, control, unique_names, created, updated) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
const UPDATE: &str = "UPDATE audience SET name = $3, name_unique = $4, description = $5, reference = $6, control = $7, \
     updated = $8 WHERE workspace_id = $1 AND id = $2";
const DELETE: &str = "DELETE FROM audience WHERE workspace_id = $1 AND id = $2";
const GET: &str = "SELECT id, structure_id, parent_id, kind, name, description, reference, control, unique_names, \
     created, updated FROM audience WHERE workspace_id = $1 AND id = $2";
const BY_NAME: &str = "SELECT id, structure_id, parent_id, kind, name, description, reference, control, unique_names, \
     created, updated FROM audience WHERE workspace_id = $1 AND structure_id = $2 AND name_unique = $3";
const BY_REFERENCE: &str = "SELECT id, structure_id, parent_id, kind, name, description, reference, control, \
     unique_names, created, updated FROM audience WHERE workspace_id = $1 AND reference = $2";
const PAGE: &str = "SELECT id, structure_id, parent_id, kind, name, description, reference, control, unique_names, \
     created, updated FROM audience WHERE workspace_id = $1 AND structure_id = $2 AND id > $3 AND kind <> 'structure' \
     ORDER BY id LIMIT $4";
const PAGE_ALL: &str = "SELECT id, structure_id, parent_id, kind, name, description, reference, control, unique_names, \
     created, updated FROM audience WHERE workspace_id = $1 AND id > $2 AND kind <> 'structure' ORDER BY id LIMIT $3";
const STRUCTURES: &str = "SELECT id, structure_id, parent_id, kind, name, description, reference, control, \
     unique_names, created, updated FROM audience WHERE workspace_id = $1 AND kind = 'structure' AND id > $2 \
     ORDER BY id LIMIT $3";
const COUNT: &str = "SELECT count(*) FROM audience WHERE workspace_id = $1";
const COUNT_IN: &str = "SELECT count(*) FROM audience WHERE workspace_id = $1 AND structure_id = $2 \
     AND kind <> 'structure'";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    DELETE,
    GET,
    BY_NAME,
    BY_REFERENCE,
    PAGE,
    PAGE_ALL,
    STRUCTURES,
    COUNT,
    COUNT_IN,
];

fn of(mut row: Row) -> Result<Audience, Error> {
    let (kind, control) = (row.text(3)?, row.text(7)?);
    let corrupt = |what: &str| {
        Error::Corrupt(format!(
            "an audience's {what} is not one that this program knows"
        ))
    };
    Ok(Audience {
        id: row.int(0)?,
        structure: row.int(1)?,
        parent: row.optional_int(2)?,
        kind: match kind.as_str() {
            "structure" => AudienceKind::Structure,
            "manual" => AudienceKind::Manual,
            _ => return Err(corrupt("kind")),
        },
        name: row.text(4)?,
        description: row.optional_text(5)?,
        reference: row.optional_text(6)?,
        control: Control::parse(&control).ok_or_else(|| corrupt("control"))?,
        unique_names: row.flag(8)?,
        created: row.int(9)?,
        updated: row.int(10)?,
    })
}

fn all(rows: Vec<Row>) -> Result<Vec<Audience>, Error> {
    rows.into_iter().map(of).collect()
}

pub fn audience_insert(tx: &mut Tx<'_, '_>, audience: &Audience) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        audience.id.into(),
        audience.structure.into(),
        audience.parent.into(),
        audience.kind.as_str().into(),
        (&audience.name).into(),
        audience.name_unique().into(),
        audience.description.as_deref().into(),
        audience.reference.as_deref().into(),
        audience.control.as_str().into(),
        audience.unique_names.into(),
        audience.created.into(),
        audience.updated.into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

/// Writes what may change: name, description, reference, control and the time of the update.
pub fn audience_update(tx: &mut Tx<'_, '_>, audience: &Audience) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        audience.id.into(),
        (&audience.name).into(),
        audience.name_unique().into(),
        audience.description.as_deref().into(),
        audience.reference.as_deref().into(),
        audience.control.as_str().into(),
        audience.updated.into(),
    ];
    tx.query(UPDATE, &params).map(drop)
}

pub fn audience_delete(tx: &mut Tx<'_, '_>, id: i64) -> Result<(), Error> {
    tx.query(DELETE, &[tx.workspace().into(), id.into()])
        .map(drop)
}

pub fn audience_get(sql: &mut dyn Sql, id: i64) -> Result<Option<Audience>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, GET, &[workspace, id.into()])?
        .map(of)
        .transpose()
}

/// The audience of a structure that has this name, among those whose names are unique.
pub fn audience_by_name(
    sql: &mut dyn Sql,
    structure: i64,
    name: &str,
) -> Result<Option<Audience>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, BY_NAME, &[workspace, structure.into(), name.into()])?
        .map(of)
        .transpose()
}

pub fn audience_by_reference(
    sql: &mut dyn Sql,
    reference: &str,
) -> Result<Option<Audience>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, BY_REFERENCE, &[workspace, reference.into()])?
        .map(of)
        .transpose()
}

/// Audiences (not structures) with `id > after`, of one structure or of all, in order of id.
pub fn audience_page(
    sql: &mut dyn Sql,
    structure: Option<i64>,
    after: i64,
    limit: i64,
) -> Result<Vec<Audience>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    all(match structure {
        Some(structure) => sql.query(
            PAGE,
            &[workspace, structure.into(), after.into(), limit.into()],
        )?,
        None => sql.query(PAGE_ALL, &[workspace, after.into(), limit.into()])?,
    })
}

pub fn structures_page(sql: &mut dyn Sql, after: i64, limit: i64) -> Result<Vec<Audience>, Error> {
    all(sql.query(
        STRUCTURES,
        &[sql.workspace().into(), after.into(), limit.into()],
    )?)
}

/// Audiences and structures of the workspace, or the audiences of one structure.
pub fn audiences_count(sql: &mut dyn Sql, structure: Option<i64>) -> Result<u64, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    let row = match structure {
        Some(structure) => query_one(sql, COUNT_IN, &[workspace, structure.into()])?,
        None => query_one(sql, COUNT, &[workspace])?,
    };
    row.map_or(Ok(0), |row| row.natural(0))
}
