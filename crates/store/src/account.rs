//! Rows of accounts: who operates the server. Permissions and preferences are texts whose meaning the domain knows.

use crate::{
    connection::Connection,
    error::Error,
    session::EXPECTED_SUBJECT,
    tx::Tx,
    value::{Param, Row, Sql, query_by_ids, query_one},
};

/// An account as it is kept.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Account {
    pub id: i64,
    pub username: String,
    /// What the unique index compares.
    pub username_key: String,
    pub email: String,
    /// What the unique index compares.
    pub email_key: String,
    pub name: Option<String>,
    pub first_name: String,
    pub last_name: String,
    /// What it is beside being an administrator.
    pub role: String,
    /// Administers the workspace by itself, not by a group.
    pub administrator: bool,
    pub active: bool,
    /// The e-mail address was shown to be theirs.
    pub verified: bool,
    /// A PHC string; nothing where no password was set.
    #[serde(skip)]
    pub password_hash: Option<String>,
    /// Space-separated names.
    pub permissions: String,
    /// A JSON object.
    pub preferences: String,
    /// As in `1000/day`.
    pub call_limit: Option<String>,
    /// In thousandths.
    pub budget: i64,
    /// In thousandths.
    pub credit: i64,
    /// Milliseconds since the Unix epoch, as all times.
    pub created: i64,
    pub updated: i64,
    /// Noted now and then.
    pub last_seen: Option<i64>,
    pub last_sign_in: Option<i64>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({}, ***)", self.id)
    }
}

/// What a directory of accounts keeps of each.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountEntry {
    pub id: i64,
    pub username: String,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub name: Option<String>,
    pub role: String,
    pub administrator: bool,
    pub active: bool,
    pub permissions: String,
    pub last_seen: Option<i64>,
    pub updated_seq: i64,
}

impl std::fmt::Debug for AccountEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AccountEntry({}, ***)", self.id)
    }
}

const INSERT: &str = "INSERT INTO account (workspace_id, id, username, username_key, email, email_key, name, \
     first_name, last_name, role, administrator, active, verified, password_hash, permissions, preferences, \
     call_limit, budget, credit, created, updated, last_seen, last_sign_in, updated_seq) VALUES ($1, $2, $3, $4, $5, \
     $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)";
const UPDATE: &str = "UPDATE account SET username = $3, username_key = $4, email = $5, email_key = $6, name = $7, \
     first_name = $8, last_name = $9, role = $10, administrator = $11, active = $12, verified = $13, \
     password_hash = $14, permissions = $15, preferences = $16, call_limit = $17, budget = $18, credit = $19, \
     updated = $20, last_sign_in = $21, updated_seq = $22 WHERE workspace_id = $1 AND id = $2";
const DELETE: &str = "DELETE FROM account WHERE workspace_id = $1 AND id = $2";
const GONE_INSERT: &str = "INSERT INTO account_gone (workspace_id, id, seq) VALUES ($1, $2, $3) \
     ON CONFLICT (workspace_id, id) DO NOTHING";
const GONE_SINCE: &str =
    "SELECT id FROM account_gone WHERE workspace_id = $1 AND seq > $2 ORDER BY seq";
const GET: &str = "SELECT id, username, username_key, email, email_key, name, first_name, last_name, role, \
     administrator, active, verified, password_hash, permissions, preferences, call_limit, budget, credit, created, \
     updated, last_seen, last_sign_in FROM account WHERE workspace_id = $1 AND id = $2";
const BY_EMAIL: &str = "SELECT id, username, username_key, email, email_key, name, first_name, last_name, role, \
     administrator, active, verified, password_hash, permissions, preferences, call_limit, budget, credit, created, \
     updated, last_seen, last_sign_in FROM account WHERE workspace_id = $1 AND email_key = $2";
const BY_USERNAME: &str = "SELECT id, username, username_key, email, email_key, name, first_name, last_name, role, \
     administrator, active, verified, password_hash, permissions, preferences, call_limit, budget, credit, created, \
     updated, last_seen, last_sign_in FROM account WHERE workspace_id = $1 AND username_key = $2";
const PAGE: &str = "SELECT id, username, username_key, email, email_key, name, first_name, last_name, role, \
     administrator, active, verified, password_hash, permissions, preferences, call_limit, budget, credit, created, \
     updated, last_seen, last_sign_in FROM account WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3";
const SOME: &str = "SELECT id, username, username_key, email, email_key, name, first_name, last_name, role, \
     administrator, active, verified, password_hash, permissions, preferences, call_limit, budget, credit, created, \
     updated, last_seen, last_sign_in FROM account WHERE workspace_id = $1 AND id IN ($2, $3, $4, $5, $6, $7, $8, $9, \
     $10, $11, $12, $13, $14, $15, $16, $17)";
const COUNT: &str = "SELECT count(*) FROM account WHERE workspace_id = $1";
const ENTRIES_SINCE: &str = "SELECT id, username, email, first_name, last_name, name, role, administrator, active, \
     permissions, last_seen, updated_seq FROM account WHERE workspace_id = $1 AND updated_seq > $2";
const SEEN_SINCE: &str =
    "SELECT id, last_seen FROM account WHERE workspace_id = $1 AND last_seen >= $2";
const TOUCH: &str = "UPDATE account SET updated_seq = $3 WHERE workspace_id = $1 AND id = $2";
const SEEN: &str = "UPDATE account SET last_seen = $3 WHERE workspace_id = $1 AND id = $2 \
     AND (last_seen IS NULL OR last_seen < $3)";
/// Somebody who can still come in: with a password, or by an identity provider.
const ADMINISTRATOR: &str = "SELECT a.id FROM account a WHERE a.workspace_id = $1 AND a.administrator = 1 \
     AND a.active = 1 AND (a.password_hash IS NOT NULL OR EXISTS (SELECT 1 FROM account_identity i \
     WHERE i.workspace_id = a.workspace_id AND i.account_id = a.id AND substr(i.subject, 1, 1) <> $2)) LIMIT 1";
const ADMINISTRATOR_BY_GROUP: &str = "SELECT a.id FROM account_group g \
     JOIN group_member m ON m.workspace_id = g.workspace_id AND m.group_id = g.id \
     JOIN account a ON a.workspace_id = m.workspace_id AND a.id = m.account_id \
     WHERE g.workspace_id = $1 AND g.administrator = 1 AND a.active = 1 AND (a.password_hash IS NOT NULL \
     OR EXISTS (SELECT 1 FROM account_identity i WHERE i.workspace_id = a.workspace_id AND i.account_id = a.id \
     AND substr(i.subject, 1, 1) <> $2)) LIMIT 1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    DELETE,
    GONE_INSERT,
    GONE_SINCE,
    GET,
    BY_EMAIL,
    BY_USERNAME,
    PAGE,
    SOME,
    COUNT,
    ENTRIES_SINCE,
    SEEN_SINCE,
    TOUCH,
    SEEN,
    ADMINISTRATOR,
    ADMINISTRATOR_BY_GROUP,
];

fn of(mut row: Row) -> Result<Account, Error> {
    Ok(Account {
        id: row.int(0)?,
        username: row.text(1)?,
        username_key: row.text(2)?,
        email: row.text(3)?,
        email_key: row.text(4)?,
        name: row.optional_text(5)?,
        first_name: row.text(6)?,
        last_name: row.text(7)?,
        role: row.text(8)?,
        administrator: row.flag(9)?,
        active: row.flag(10)?,
        verified: row.flag(11)?,
        password_hash: row.optional_text(12)?,
        permissions: row.text(13)?,
        preferences: row.text(14)?,
        call_limit: row.optional_text(15)?,
        budget: row.int(16)?,
        credit: row.int(17)?,
        created: row.int(18)?,
        updated: row.int(19)?,
        last_seen: row.optional_int(20)?,
        last_sign_in: row.optional_int(21)?,
    })
}

/// The seq of the running command's change, for `updated_seq`.
fn seq(tx: &Tx<'_, '_>) -> i64 {
    i64::try_from(tx.next_seq()).unwrap_or(i64::MAX)
}

pub fn account_insert(tx: &mut Tx<'_, '_>, account: &Account) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        account.id.into(),
        (&account.username).into(),
        (&account.username_key).into(),
        (&account.email).into(),
        (&account.email_key).into(),
        account.name.as_ref().into(),
        (&account.first_name).into(),
        (&account.last_name).into(),
        (&account.role).into(),
        account.administrator.into(),
        account.active.into(),
        account.verified.into(),
        account.password_hash.as_ref().into(),
        (&account.permissions).into(),
        (&account.preferences).into(),
        account.call_limit.as_ref().into(),
        account.budget.into(),
        account.credit.into(),
        account.created.into(),
        account.updated.into(),
        account.last_seen.into(),
        account.last_sign_in.into(),
        seq(tx).into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

/// Writes all but `created` and `last_seen`.
pub fn account_update(tx: &mut Tx<'_, '_>, account: &Account) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        account.id.into(),
        (&account.username).into(),
        (&account.username_key).into(),
        (&account.email).into(),
        (&account.email_key).into(),
        account.name.as_ref().into(),
        (&account.first_name).into(),
        (&account.last_name).into(),
        (&account.role).into(),
        account.administrator.into(),
        account.active.into(),
        account.verified.into(),
        account.password_hash.as_ref().into(),
        (&account.permissions).into(),
        (&account.preferences).into(),
        account.call_limit.as_ref().into(),
        account.budget.into(),
        account.credit.into(),
        account.updated.into(),
        account.last_sign_in.into(),
        seq(tx).into(),
    ];
    tx.query(UPDATE, &params).map(drop)
}

/// Deletes the row and remembers that its id is gone. What belongs to the account is for its own noun to delete.
pub fn account_delete(tx: &mut Tx<'_, '_>, id: i64) -> Result<(), Error> {
    let workspace: Param<'static> = tx.workspace().into();
    tx.query(DELETE, &[workspace, id.into()])?;
    tx.query(GONE_INSERT, &[workspace, id.into(), seq(tx).into()])
        .map(drop)
}

/// Tells directories that something about the account changed that is not in its row (its groups).
pub fn account_touch(tx: &mut Tx<'_, '_>, id: i64) -> Result<(), Error> {
    tx.query(TOUCH, &[tx.workspace().into(), id.into(), seq(tx).into()])
        .map(drop)
}

fn find(
    sql: &mut dyn Sql,
    statement: &'static str,
    key: Param<'_>,
) -> Result<Option<Account>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, statement, &[workspace, key])?
        .map(of)
        .transpose()
}

pub fn account_get(sql: &mut dyn Sql, id: i64) -> Result<Option<Account>, Error> {
    find(sql, GET, id.into())
}

pub fn account_by_email(sql: &mut dyn Sql, email_key: &str) -> Result<Option<Account>, Error> {
    find(sql, BY_EMAIL, email_key.into())
}

pub fn account_by_username(
    sql: &mut dyn Sql,
    username_key: &str,
) -> Result<Option<Account>, Error> {
    find(sql, BY_USERNAME, username_key.into())
}

/// Accounts with `id > after`, in order of id.
pub fn account_page(sql: &mut dyn Sql, after: i64, limit: i64) -> Result<Vec<Account>, Error> {
    let rows = sql.query(PAGE, &[sql.workspace().into(), after.into(), limit.into()])?;
    rows.into_iter().map(of).collect()
}

/// Of the accounts of these ids those that there are, in any order.
pub fn accounts_get(sql: &mut dyn Sql, ids: &[i64]) -> Result<Vec<Account>, Error> {
    let rows = query_by_ids(sql, SOME, ids)?;
    rows.into_iter().map(of).collect()
}

pub fn accounts_count(sql: &mut dyn Sql) -> Result<u64, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, COUNT, &[workspace])?.map_or(Ok(0), |row| row.natural(0))
}

/// What changed of the accounts after a seq, in any order.
pub fn account_entries_since(sql: &mut dyn Sql, seq: i64) -> Result<Vec<AccountEntry>, Error> {
    let rows = sql.query(ENTRIES_SINCE, &[sql.workspace().into(), seq.into()])?;
    let entry = |mut row: Row| {
        Ok(AccountEntry {
            id: row.int(0)?,
            username: row.text(1)?,
            email: row.text(2)?,
            first_name: row.text(3)?,
            last_name: row.text(4)?,
            name: row.optional_text(5)?,
            role: row.text(6)?,
            administrator: row.flag(7)?,
            active: row.flag(8)?,
            permissions: row.text(9)?,
            last_seen: row.optional_int(10)?,
            updated_seq: row.int(11)?,
        })
    };
    rows.into_iter().map(entry).collect()
}

/// The accounts that were deleted after a seq.
pub fn accounts_gone_since(sql: &mut dyn Sql, seq: i64) -> Result<Vec<i64>, Error> {
    let rows = sql.query(GONE_SINCE, &[sql.workspace().into(), seq.into()])?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Ids and times of the accounts that were seen at `since` or later.
pub fn accounts_seen_since(sql: &mut dyn Sql, since: i64) -> Result<Vec<(i64, i64)>, Error> {
    let rows = sql.query(SEEN_SINCE, &[sql.workspace().into(), since.into()])?;
    rows.iter()
        .map(|row| Ok((row.int(0)?, row.int(1)?)))
        .collect()
}

/// Whether somebody is left who is active, can sign in and administers the workspace, directly or by a group.
pub fn administrator_exists(sql: &mut dyn Sql) -> Result<bool, Error> {
    let mark = &EXPECTED_SUBJECT[..1];
    let params = [sql.workspace().into(), mark.into()];
    Ok(query_one(sql, ADMINISTRATOR, &params)?.is_some()
        || query_one(sql, ADMINISTRATOR_BY_GROUP, &params)?.is_some())
}

/// Notes in a command that the account is here now.
pub fn account_seen_now(tx: &mut Tx<'_, '_>, id: i64) -> Result<(), Error> {
    let now = tx.meta().time;
    tx.query(SEEN, &[tx.workspace().into(), id.into(), now.into()])
        .map(drop)
}

/// Notes when an account was seen.
pub(crate) fn seen(
    connection: &mut Connection,
    workspace: i64,
    id: i64,
    now: i64,
) -> Result<(), Error> {
    connection
        .query(SEEN, &[workspace.into(), id.into(), now.into()])
        .map(drop)
}
