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
    /// Its members follow from its rule.
    Smart,
}

impl AudienceKind {
    pub fn as_str(self) -> &'static str {
        match self {
            AudienceKind::Structure => "structure",
            AudienceKind::Manual => "manual",
            AudienceKind::Smart => "smart",
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
    /// Of a smart one: who is in it, as JSON.
    pub rule: Option<String>,
}

impl Audience {
    /// What the unique index compares: nothing where names may repeat. Structures have their own space of names.
    fn name_unique(&self) -> Option<&str> {
        (self.unique_names && self.kind != AudienceKind::Structure).then_some(self.name.as_str())
    }
}

const INSERT: &str = "INSERT INTO audience (workspace_id, id, structure_id, parent_id, kind, name, name_unique, \
     description, reference, control, unique_names, created, updated, rule) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
const UPDATE: &str = "UPDATE audience SET name = $3, name_unique = $4, description = $5, reference = $6, control = $7, \
     updated = $8, structure_id = $9, parent_id = $10, unique_names = $11, rule = $12 \
     WHERE workspace_id = $1 AND id = $2";
const CONTROL: &str =
    "UPDATE audience SET control = $3, updated = $4 WHERE workspace_id = $1 AND structure_id = $2";
const DELETE: &str = "DELETE FROM audience WHERE workspace_id = $1 AND id = $2";
const GET: &str = "SELECT id, structure_id, parent_id, kind, name, description, reference, control, unique_names, \
     created, updated, rule FROM audience WHERE deleting = 0 AND workspace_id = $1 AND id = $2";
const BY_NAME: &str = "SELECT id, structure_id, parent_id, kind, name, description, reference, control, unique_names, \
     created, updated, rule FROM audience WHERE deleting = 0 AND workspace_id = $1 AND structure_id = $2 AND name_unique = $3";
const BY_REFERENCE: &str = "SELECT id, structure_id, parent_id, kind, name, description, reference, control, \
     unique_names, created, updated, rule FROM audience WHERE deleting = 0 AND workspace_id = $1 AND reference = $2";
const PAGE: &str = "SELECT id, structure_id, parent_id, kind, name, description, reference, control, unique_names, \
     created, updated, rule FROM audience WHERE deleting = 0 AND workspace_id = $1 AND structure_id = $2 AND id > $3 AND kind <> 'structure' \
     ORDER BY id LIMIT $4";
const PAGE_ALL: &str = "SELECT id, structure_id, parent_id, kind, name, description, reference, control, unique_names, \
     created, updated, rule FROM audience WHERE deleting = 0 AND workspace_id = $1 AND id > $2 AND kind <> 'structure' ORDER BY id LIMIT $3";
const STRUCTURES: &str = "SELECT id, structure_id, parent_id, kind, name, description, reference, control, \
     unique_names, created, updated, rule FROM audience WHERE deleting = 0 AND workspace_id = $1 AND kind = 'structure' AND id > $2 \
     ORDER BY id LIMIT $3";
/// Those that are being deleted count until they are.
const COUNT: &str = "SELECT count(*) FROM audience WHERE workspace_id = $1";
const COUNT_IN: &str = "SELECT count(*) FROM audience WHERE workspace_id = $1 AND structure_id = $2 \
     AND kind <> 'structure' AND deleting = 0";
const MANUAL: &str = "SELECT id FROM audience WHERE workspace_id = $1 AND structure_id = $2 AND kind = 'manual' \
     AND deleting = 0";
/// `$2`: of which structure, 0 is all; `$3`: only roots; `$4`: 1 only what the API may change, 2 only the rest, 0 all; `$5`:
/// changed since.
const TREE: &str = "SELECT id, structure_id, parent_id, kind, name, description, reference, control, unique_names, \
     created, updated, rule FROM audience WHERE deleting = 0 AND workspace_id = $1 \
     AND (CAST($2 AS bigint) = 0 OR (CAST($2 AS bigint) = 1) = (control <> 'console' AND kind <> 'smart')) \
     AND updated >= $3 ORDER BY id LIMIT $4 OFFSET $5";
const TREE_COUNT: &str = "SELECT count(*) FROM audience WHERE deleting = 0 AND workspace_id = $1 \
     AND (CAST($2 AS bigint) = 0 OR (CAST($2 AS bigint) = 1) = (control <> 'console' AND kind <> 'smart')) \
     AND updated >= $3";
const DELETING: &str = "UPDATE audience SET deleting = $3, reference = NULL, name_unique = NULL \
     WHERE workspace_id = $1 AND structure_id = $2";
/// Children before their structure, whose kind comes last.
const DELETING_PAGE: &str = "SELECT id FROM audience WHERE workspace_id = $1 AND deleting = $2 \
     ORDER BY CASE WHEN kind = 'structure' THEN 1 ELSE 0 END, id LIMIT $3";
/// Smart ones have no members of their own.
const HOLDING: &str = "SELECT id, structure_id FROM audience WHERE workspace_id = $1 AND deleting = 0 \
     AND kind <> 'smart' ORDER BY id";
const TREE_NODES: &str = "SELECT id, structure_id, kind, name, reference, rule FROM audience WHERE deleting = 0 \
     AND workspace_id = $1 ORDER BY id";
/// What changes members changes of the tree's rows only when they were updated. Any other verb may have changed more.
const TREE_CHANGED: &str = "SELECT seq FROM change WHERE workspace_id = $1 AND seq > $2 AND seq <= $3 \
     AND verb NOT IN ('member_add', 'member_remove', 'member_replace', 'member_empty', 'member_put') LIMIT 1";
const NODES_IN: &str =
    "SELECT id FROM audience WHERE workspace_id = $1 AND structure_id = $2 AND deleting = 0";

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
    CONTROL,
    MANUAL,
    TREE,
    TREE_COUNT,
    DELETING,
    DELETING_PAGE,
    NODES_IN,
    HOLDING,
    TREE_NODES,
    TREE_CHANGED,
];

fn corrupt(what: &str) -> Error {
    Error::Corrupt(format!(
        "an audience's {what} is not one that this program knows"
    ))
}

fn kind_of(text: &str) -> Result<AudienceKind, Error> {
    match text {
        "structure" => Ok(AudienceKind::Structure),
        "manual" => Ok(AudienceKind::Manual),
        "smart" => Ok(AudienceKind::Smart),
        _ => Err(corrupt("kind")),
    }
}

fn of(mut row: Row) -> Result<Audience, Error> {
    let (kind, control) = (row.text(3)?, row.text(7)?);
    Ok(Audience {
        id: row.int(0)?,
        structure: row.int(1)?,
        parent: row.optional_int(2)?,
        kind: kind_of(&kind)?,
        name: row.text(4)?,
        description: row.optional_text(5)?,
        reference: row.optional_text(6)?,
        control: Control::parse(&control).ok_or_else(|| corrupt("control"))?,
        unique_names: row.flag(8)?,
        created: row.int(9)?,
        updated: row.int(10)?,
        rule: row.optional_text(11)?,
    })
}

fn all(rows: Vec<Row>) -> Result<Vec<Audience>, Error> {
    rows.into_iter().map(of).collect()
}

pub fn audience_insert(tx: &mut Tx<'_, '_>, audience: &Audience) -> Result<(), Error> {
    insert(tx, audience)
}

pub(crate) fn insert(sql: &mut dyn Sql, audience: &Audience) -> Result<(), Error> {
    let params = [
        sql.workspace().into(),
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
        audience.rule.as_deref().into(),
    ];
    sql.query(INSERT, &params).map(drop)
}

/// Writes what may change: all but the id, the kind and the time when it was made.
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
        audience.structure.into(),
        audience.parent.into(),
        audience.unique_names.into(),
        audience.rule.as_deref().into(),
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

/// The control of a structure and of all its audiences, which are changed by it.
pub fn audiences_control(
    tx: &mut Tx<'_, '_>,
    structure: i64,
    control: Control,
) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        structure.into(),
        control.as_str().into(),
        tx.meta().time.into(),
    ];
    tx.query(CONTROL, &params).map(drop)
}

/// What there is to know of a node without its counts and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeNode {
    pub id: i64,
    pub structure: i64,
    pub kind: AudienceKind,
    pub name: String,
    pub reference: Option<String>,
    pub rule: Option<String>,
}

/// Every structure and audience, in order of id.
pub fn tree_nodes(sql: &mut dyn Sql) -> Result<Vec<TreeNode>, Error> {
    let rows = sql.query(TREE_NODES, &[sql.workspace().into()])?;
    let node = |mut row: Row| {
        let kind = row.text(2)?;
        Ok(TreeNode {
            id: row.int(0)?,
            structure: row.int(1)?,
            kind: kind_of(&kind)?,
            name: row.text(3)?,
            reference: row.optional_text(4)?,
            rule: row.optional_text(5)?,
        })
    };
    rows.into_iter().map(node).collect()
}

/// Whether a change with `after < seq <= until` may have changed what [`tree_nodes`] answers.
pub fn tree_changed(sql: &mut dyn Sql, after: u64, until: u64) -> Result<bool, Error> {
    let bound = |seq: u64| Param::Int(i64::try_from(seq).unwrap_or(i64::MAX));
    let params = [sql.workspace().into(), bound(after), bound(until)];
    Ok(!sql.query(TREE_CHANGED, &params)?.is_empty())
}

/// Every node with members of its own, and its structure.
pub fn audiences_holding(sql: &mut dyn Sql) -> Result<Vec<(i64, i64)>, Error> {
    let rows = sql.query(HOLDING, &[sql.workspace().into()])?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.int(1)?)))
        .collect()
}

/// The manual audiences of a structure: those whose members are its people.
pub fn audiences_manual(sql: &mut dyn Sql, structure: i64) -> Result<Vec<i64>, Error> {
    ids(sql.query(MANUAL, &[sql.workspace().into(), structure.into()])?)
}

/// A structure and all its audiences.
pub fn audiences_of(sql: &mut dyn Sql, structure: i64) -> Result<Vec<i64>, Error> {
    ids(sql.query(NODES_IN, &[sql.workspace().into(), structure.into()])?)
}

fn ids(rows: Vec<Row>) -> Result<Vec<i64>, Error> {
    rows.iter().map(|row| row.int(0)).collect()
}

/// Which structures and audiences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TreeFilter {
    /// Only those that an API caller may change (true) or may not (false).
    pub api: Option<bool>,
    /// Only those changed since; milliseconds since the Unix epoch.
    pub updated_since: Option<i64>,
}

impl TreeFilter {
    fn params<'a>(&self, workspace: i64) -> [Param<'a>; 3] {
        let api = match self.api {
            None => 0,
            Some(true) => 1,
            Some(false) => 2,
        };
        [
            workspace.into(),
            Param::Int(api),
            self.updated_since.unwrap_or(i64::MIN).into(),
        ]
    }
}

/// Structures and audiences in order of id, without the first `offset`.
pub fn tree_page(
    sql: &mut dyn Sql,
    filter: TreeFilter,
    offset: i64,
    limit: i64,
) -> Result<Vec<Audience>, Error> {
    let [workspace, api, since] = filter.params(sql.workspace());
    let params = [workspace, api, since, limit.into(), offset.into()];
    all(sql.query(TREE, &params)?)
}

pub fn tree_count(sql: &mut dyn Sql, filter: TreeFilter) -> Result<u64, Error> {
    let params = filter.params(sql.workspace());
    query_one(sql, TREE_COUNT, &params)?.map_or(Ok(0), |row| row.natural(0))
}

/// Hides a structure with all its audiences until the job has deleted them; their references are free at once.
pub fn audiences_delete_later(tx: &mut Tx<'_, '_>, structure: i64, job: i64) -> Result<(), Error> {
    let params = [tx.workspace().into(), structure.into(), job.into()];
    tx.query(DELETING, &params).map(drop)
}

/// Some of what a job has to delete, a structure after its audiences.
pub fn audiences_deleting(sql: &mut dyn Sql, job: i64, limit: i64) -> Result<Vec<i64>, Error> {
    ids(sql.query(
        DELETING_PAGE,
        &[sql.workspace().into(), job.into(), limit.into()],
    )?)
}
