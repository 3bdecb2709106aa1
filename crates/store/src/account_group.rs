//! Rows of groups of accounts and of who is in them. `members` is kept equal to the number of member rows.

use crate::{
    error::Error,
    tx::Tx,
    value::{Param, Row, Sql, query_by_ids, query_one},
};

/// A group whose permissions its members have.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Group {
    pub id: i64,
    /// A word for it, unique in the workspace; made from its first title.
    pub uid: String,
    pub title: String,
    pub description: String,
    /// Space-separated names.
    pub permissions: String,
    /// Its members administer the workspace.
    pub administrator: bool,
    /// As in `1000/day`.
    pub call_limit: Option<String>,
    pub members: u64,
    pub created: i64,
    pub updated: i64,
    /// The account that made it; 0 where none did.
    pub created_by: i64,
    pub updated_by: i64,
}

const INSERT: &str = "INSERT INTO account_group (workspace_id, id, uid, title, description, permissions, \
     administrator, call_limit, members, created, updated, created_by, updated_by, updated_seq) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $11, $12, $13)";
const UPDATE: &str = "UPDATE account_group SET title = $3, description = $4, permissions = $5, administrator = $6, \
     call_limit = $7, updated = $8, updated_by = $9, updated_seq = $10 WHERE workspace_id = $1 AND id = $2";
const DELETE: &str = "DELETE FROM account_group WHERE workspace_id = $1 AND id = $2";
const ALL: &str = "SELECT id, uid, title, description, permissions, administrator, call_limit, members, created, \
     updated, created_by, updated_by FROM account_group WHERE workspace_id = $1 ORDER BY id";
const GET: &str = "SELECT id, uid, title, description, permissions, administrator, call_limit, members, created, \
     updated, created_by, updated_by FROM account_group WHERE workspace_id = $1 AND id = $2";
const BY_UID: &str = "SELECT id, uid, title, description, permissions, administrator, call_limit, members, created, \
     updated, created_by, updated_by FROM account_group WHERE workspace_id = $1 AND uid = $2";
const OF_ACCOUNT: &str = "SELECT g.id, g.uid, g.title, g.description, g.permissions, g.administrator, g.call_limit, \
     g.members, g.created, g.updated, g.created_by, g.updated_by FROM group_member m \
     JOIN account_group g ON g.workspace_id = m.workspace_id AND g.id = m.group_id \
     WHERE m.workspace_id = $1 AND m.account_id = $2 ORDER BY g.id";
const MEMBER_INSERT: &str = "INSERT INTO group_member (workspace_id, group_id, account_id) VALUES ($1, $2, $3) \
     ON CONFLICT DO NOTHING RETURNING account_id";
const MEMBER_DELETE: &str = "DELETE FROM group_member WHERE workspace_id = $1 AND group_id = $2 AND account_id = $3 \
     RETURNING account_id";
const MEMBERS_ADD: &str =
    "UPDATE account_group SET members = members + $3 WHERE workspace_id = $1 AND id = $2";
const MEMBERS: &str = "SELECT account_id FROM group_member WHERE workspace_id = $1 AND group_id = $2 \
     AND account_id > $3 ORDER BY account_id LIMIT $4";
const MEMBERSHIPS: &str = "SELECT group_id, account_id FROM group_member WHERE workspace_id = $1";
const MEMBERSHIPS_BETWEEN: &str = "SELECT account_id, group_id FROM group_member WHERE workspace_id = $1 \
     AND account_id >= $2 AND account_id <= $3 ORDER BY account_id, group_id";
const MEMBERSHIPS_SOME: &str = "SELECT account_id, group_id FROM group_member WHERE workspace_id = $1 \
     AND account_id IN ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
const GROUPS_OF: &str = "SELECT group_id FROM group_member WHERE workspace_id = $1 AND account_id = $2 ORDER BY group_id";
const MEMBERS_TOUCH: &str = "UPDATE account SET updated_seq = $3 WHERE workspace_id = $1 AND id IN \
     (SELECT account_id FROM group_member WHERE workspace_id = $1 AND group_id = $2)";
const MEMBERS_DELETE: &str = "DELETE FROM group_member WHERE workspace_id = $1 AND group_id = $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    DELETE,
    ALL,
    GET,
    BY_UID,
    OF_ACCOUNT,
    MEMBER_INSERT,
    MEMBER_DELETE,
    MEMBERS_ADD,
    MEMBERS,
    MEMBERSHIPS,
    MEMBERSHIPS_BETWEEN,
    MEMBERSHIPS_SOME,
    GROUPS_OF,
    MEMBERS_TOUCH,
    MEMBERS_DELETE,
];

fn of(mut row: Row) -> Result<Group, Error> {
    Ok(Group {
        id: row.int(0)?,
        uid: row.text(1)?,
        title: row.text(2)?,
        description: row.text(3)?,
        permissions: row.text(4)?,
        administrator: row.flag(5)?,
        call_limit: row.optional_text(6)?,
        members: row.natural(7)?,
        created: row.int(8)?,
        updated: row.int(9)?,
        created_by: row.int(10)?,
        updated_by: row.int(11)?,
    })
}

fn seq(tx: &Tx<'_, '_>) -> i64 {
    i64::try_from(tx.next_seq()).unwrap_or(i64::MAX)
}

pub fn group_insert(tx: &mut Tx<'_, '_>, group: &Group) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        group.id.into(),
        (&group.uid).into(),
        (&group.title).into(),
        (&group.description).into(),
        (&group.permissions).into(),
        group.administrator.into(),
        group.call_limit.as_ref().into(),
        group.created.into(),
        group.updated.into(),
        group.created_by.into(),
        group.updated_by.into(),
        seq(tx).into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

/// Writes what may change of a group itself.
pub fn group_update(tx: &mut Tx<'_, '_>, group: &Group) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        group.id.into(),
        (&group.title).into(),
        (&group.description).into(),
        (&group.permissions).into(),
        group.administrator.into(),
        group.call_limit.as_ref().into(),
        group.updated.into(),
        group.updated_by.into(),
        seq(tx).into(),
    ];
    tx.query(UPDATE, &params).map(drop)
}

/// Deletes a group and its memberships.
pub fn group_delete(tx: &mut Tx<'_, '_>, id: i64) -> Result<(), Error> {
    let workspace: Param<'static> = tx.workspace().into();
    tx.query(MEMBERS_TOUCH, &[workspace, id.into(), seq(tx).into()])?;
    tx.query(MEMBERS_DELETE, &[workspace, id.into()])?;
    tx.query(DELETE, &[workspace, id.into()]).map(drop)
}

/// Every group of the workspace, in order of id: they are few.
pub fn groups_all(sql: &mut dyn Sql) -> Result<Vec<Group>, Error> {
    let rows = sql.query(ALL, &[sql.workspace().into()])?;
    rows.into_iter().map(of).collect()
}

pub fn group_get(sql: &mut dyn Sql, id: i64) -> Result<Option<Group>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, GET, &[workspace, id.into()])?
        .map(of)
        .transpose()
}

pub fn group_by_uid(sql: &mut dyn Sql, uid: &str) -> Result<Option<Group>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, BY_UID, &[workspace, uid.into()])?
        .map(of)
        .transpose()
}

pub fn groups_of_account(sql: &mut dyn Sql, account: i64) -> Result<Vec<Group>, Error> {
    let rows = sql.query(OF_ACCOUNT, &[sql.workspace().into(), account.into()])?;
    rows.into_iter().map(of).collect()
}

/// The ids of an account's groups, ascending.
pub fn group_ids_of_account(sql: &mut dyn Sql, account: i64) -> Result<Vec<i64>, Error> {
    let rows = sql.query(GROUPS_OF, &[sql.workspace().into(), account.into()])?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// False where the account was in the group before.
pub fn group_member_insert(tx: &mut Tx<'_, '_>, group: i64, account: i64) -> Result<bool, Error> {
    let workspace: Param<'static> = tx.workspace().into();
    let rows = tx.query(MEMBER_INSERT, &[workspace, group.into(), account.into()])?;
    if rows.is_empty() {
        return Ok(false);
    }
    tx.query(MEMBERS_ADD, &[workspace, group.into(), 1.into()])?;
    crate::account::account_touch(tx, account)?;
    Ok(true)
}

/// False where the account was not in the group.
pub fn group_member_delete(tx: &mut Tx<'_, '_>, group: i64, account: i64) -> Result<bool, Error> {
    let workspace: Param<'static> = tx.workspace().into();
    let rows = tx.query(MEMBER_DELETE, &[workspace, group.into(), account.into()])?;
    if rows.is_empty() {
        return Ok(false);
    }
    tx.query(MEMBERS_ADD, &[workspace, group.into(), (-1).into()])?;
    crate::account::account_touch(tx, account)?;
    Ok(true)
}

/// Members with `account id > after`, in order of id.
pub fn group_members(
    sql: &mut dyn Sql,
    group: i64,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>, Error> {
    let params = [
        sql.workspace().into(),
        group.into(),
        after.into(),
        limit.into(),
    ];
    let rows = sql.query(MEMBERS, &params)?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Every membership as (group, account), in any order.
pub fn group_memberships(sql: &mut dyn Sql) -> Result<Vec<(i64, i64)>, Error> {
    let rows = sql.query(MEMBERSHIPS, &[sql.workspace().into()])?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.int(1)?)))
        .collect()
}

/// The memberships of the accounts of a range of ids as (account, group), in that order.
pub fn group_memberships_between(
    sql: &mut dyn Sql,
    first: i64,
    last: i64,
) -> Result<Vec<(i64, i64)>, Error> {
    let params = [sql.workspace().into(), first.into(), last.into()];
    let rows = sql.query(MEMBERSHIPS_BETWEEN, &params)?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.int(1)?)))
        .collect()
}

/// The memberships of these accounts as (account, group), in any order.
pub fn group_memberships_of(sql: &mut dyn Sql, accounts: &[i64]) -> Result<Vec<(i64, i64)>, Error> {
    let rows = query_by_ids(sql, MEMBERSHIPS_SOME, accounts)?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.int(1)?)))
        .collect()
}
