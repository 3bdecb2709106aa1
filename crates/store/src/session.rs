//! Rows of sessions, of single-use tokens and of identities at providers: how an account comes in.

use crate::{
    connection::Connection,
    error::Error,
    tx::Tx,
    value::{Param, Row, Sql, query_by_ids, query_one},
};

/// A session of an account.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Session {
    pub id: i64,
    pub account: i64,
    /// The protocol in which it was begun.
    pub dialect: String,
    pub created: i64,
    /// Noted now and then.
    pub last_seen: i64,
    pub expires: i64,
    pub ended: Option<i64>,
}

/// A token that was mailed, without the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountToken {
    pub account: i64,
    /// `invite`, `reset` or `verify`.
    pub purpose: String,
    /// What must still hold for it to be good: the e-mail address that it was mailed to.
    pub bound_to: String,
    pub created: i64,
    pub expires: i64,
}

/// An account's identity at a provider.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct AccountIdentity {
    pub issuer: String,
    pub subject: String,
    pub account: i64,
    /// The provider's name in the configuration at that time.
    pub provider: String,
    pub created: i64,
}

/// What the subject of an identity begins with whose owner has not signed in yet. No provider's subject holds its first
/// character.
pub const EXPECTED_SUBJECT: &str = "\u{1}expected ";

const INSERT: &str = "INSERT INTO session (workspace_id, id, account_id, dialect, created, last_seen, expires, ended) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, NULL)";
const GET: &str = "SELECT id, account_id, dialect, created, last_seen, expires, ended FROM session \
     WHERE workspace_id = $1 AND id = $2";
const LIVE: &str = "SELECT id, account_id, dialect, created, last_seen, expires, ended FROM session \
     WHERE workspace_id = $1 AND account_id = $2 AND ended IS NULL AND expires > $3 ORDER BY id DESC LIMIT $4";
const END: &str = "UPDATE session SET ended = $3 WHERE workspace_id = $1 AND id = $2 AND ended IS NULL RETURNING id";
const END_OTHERS: &str = "UPDATE session SET ended = $4 WHERE workspace_id = $1 AND account_id = $2 AND id <> $3 \
     AND ended IS NULL";
const END_OLDEST: &str = "UPDATE session SET ended = $4 WHERE workspace_id = $1 AND account_id = $2 AND ended IS NULL \
     AND id <= (SELECT id FROM session WHERE workspace_id = $1 AND account_id = $2 AND ended IS NULL \
     ORDER BY id DESC LIMIT 1 OFFSET $3)";
const SEEN: &str =
    "UPDATE session SET last_seen = $3 WHERE workspace_id = $1 AND id = $2 AND last_seen < $3";
const SWEEP: &str = "DELETE FROM session WHERE workspace_id = $1 AND expires < $2";
const DELETE_OF: &str = "DELETE FROM session WHERE workspace_id = $1 AND account_id = $2";
const TOKEN_INSERT: &str = "INSERT INTO account_token (workspace_id, hash, account_id, purpose, bound_to, created, \
     expires) VALUES ($1, $2, $3, $4, $5, $6, $7)";
const TOKEN_GET: &str = "SELECT account_id, purpose, bound_to, created, expires FROM account_token \
     WHERE workspace_id = $1 AND hash = $2";
const TOKENS_DELETE: &str =
    "DELETE FROM account_token WHERE workspace_id = $1 AND account_id = $2 AND purpose = $3";
const TOKENS_DELETE_OF: &str =
    "DELETE FROM account_token WHERE workspace_id = $1 AND account_id = $2";
const OLD: &str = "SELECT expires FROM session WHERE workspace_id = $1 AND expires < $2 LIMIT 1";
const TOKEN_OLD: &str =
    "SELECT expires FROM account_token WHERE workspace_id = $1 AND expires < $2 LIMIT 1";
const TOKEN_SWEEP: &str = "DELETE FROM account_token WHERE workspace_id = $1 AND expires < $2";
const IDENTITY_INSERT: &str = "INSERT INTO account_identity (workspace_id, issuer, subject, account_id, provider, \
     created) VALUES ($1, $2, $3, $4, $5, $6)";
const IDENTITY_GET: &str = "SELECT issuer, subject, account_id, provider, created FROM account_identity \
     WHERE workspace_id = $1 AND issuer = $2 AND subject = $3";
const IDENTITIES: &str = "SELECT issuer, subject, account_id, provider, created FROM account_identity \
     WHERE workspace_id = $1 AND account_id = $2 ORDER BY created, issuer";
const IDENTITIES_BETWEEN: &str = "SELECT issuer, subject, account_id, provider, created FROM account_identity \
     WHERE workspace_id = $1 AND account_id >= $2 AND account_id <= $3 ORDER BY account_id, created, issuer";
const IDENTITIES_SOME: &str = "SELECT issuer, subject, account_id, provider, created FROM account_identity \
     WHERE workspace_id = $1 AND account_id IN ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
const IDENTITY_DELETE: &str =
    "DELETE FROM account_identity WHERE workspace_id = $1 AND issuer = $2 AND subject = $3";
const IDENTITIES_DELETE: &str =
    "DELETE FROM account_identity WHERE workspace_id = $1 AND account_id = $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    GET,
    LIVE,
    END,
    END_OTHERS,
    END_OLDEST,
    SEEN,
    SWEEP,
    OLD,
    TOKEN_OLD,
    DELETE_OF,
    TOKEN_INSERT,
    TOKEN_GET,
    TOKENS_DELETE,
    TOKENS_DELETE_OF,
    TOKEN_SWEEP,
    IDENTITY_INSERT,
    IDENTITY_GET,
    IDENTITIES,
    IDENTITIES_BETWEEN,
    IDENTITIES_SOME,
    IDENTITY_DELETE,
    IDENTITIES_DELETE,
];

fn of(mut row: Row) -> Result<Session, Error> {
    Ok(Session {
        id: row.int(0)?,
        account: row.int(1)?,
        dialect: row.text(2)?,
        created: row.int(3)?,
        last_seen: row.int(4)?,
        expires: row.int(5)?,
        ended: row.optional_int(6)?,
    })
}

pub fn session_insert(tx: &mut Tx<'_, '_>, session: &Session) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        session.id.into(),
        session.account.into(),
        (&session.dialect).into(),
        session.created.into(),
        session.last_seen.into(),
        session.expires.into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

pub fn session_get(sql: &mut dyn Sql, id: i64) -> Result<Option<Session>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, GET, &[workspace, id.into()])?
        .map(of)
        .transpose()
}

/// The sessions of an account that are neither ended nor expired, newest first.
pub fn sessions_live(
    sql: &mut dyn Sql,
    account: i64,
    now: i64,
    limit: i64,
) -> Result<Vec<Session>, Error> {
    let params = [
        sql.workspace().into(),
        account.into(),
        now.into(),
        limit.into(),
    ];
    sql.query(LIVE, &params)?.into_iter().map(of).collect()
}

/// False where it was ended before, or there is none.
pub fn session_end(tx: &mut Tx<'_, '_>, id: i64) -> Result<bool, Error> {
    let now = tx.meta().time;
    Ok(!tx
        .query(END, &[tx.workspace().into(), id.into(), now.into()])?
        .is_empty())
}

/// Ends every session of an account but `keep`.
pub fn sessions_end(tx: &mut Tx<'_, '_>, account: i64, keep: Option<i64>) -> Result<(), Error> {
    let now = tx.meta().time;
    let params = [
        tx.workspace().into(),
        account.into(),
        keep.unwrap_or(-1).into(),
        now.into(),
    ];
    tx.query(END_OTHERS, &params).map(drop)
}

/// Ends the oldest sessions of an account beyond the newest `keep`.
pub fn sessions_end_oldest(tx: &mut Tx<'_, '_>, account: i64, keep: i64) -> Result<(), Error> {
    let now = tx.meta().time;
    let params = [
        tx.workspace().into(),
        account.into(),
        keep.into(),
        now.into(),
    ];
    tx.query(END_OLDEST, &params).map(drop)
}

/// Forgets sessions and tokens that expired before `before`. Where there are none, nothing is written and so nothing
/// logged.
pub fn sessions_sweep(tx: &mut Tx<'_, '_>, before: i64) -> Result<(), Error> {
    let params = [tx.workspace().into(), before.into()];
    for (old, sweep) in [(OLD, SWEEP), (TOKEN_OLD, TOKEN_SWEEP)] {
        if query_one(tx, old, &params)?.is_some() {
            tx.query(sweep, &params)?;
        }
    }
    Ok(())
}

/// Notes when a session was last used.
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

pub fn account_token_insert(
    tx: &mut Tx<'_, '_>,
    hash: &[u8],
    token: &AccountToken,
) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        hash.into(),
        token.account.into(),
        (&token.purpose).into(),
        (&token.bound_to).into(),
        token.created.into(),
        token.expires.into(),
    ];
    tx.query(TOKEN_INSERT, &params).map(drop)
}

pub fn account_token_get(sql: &mut dyn Sql, hash: &[u8]) -> Result<Option<AccountToken>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    let row = query_one(sql, TOKEN_GET, &[workspace, hash.into()])?;
    row.map(|mut row| {
        Ok(AccountToken {
            account: row.int(0)?,
            purpose: row.text(1)?,
            bound_to: row.text(2)?,
            created: row.int(3)?,
            expires: row.int(4)?,
        })
    })
    .transpose()
}

/// Ends every token of an account for a purpose.
pub fn account_tokens_delete(
    tx: &mut Tx<'_, '_>,
    account: i64,
    purpose: &str,
) -> Result<(), Error> {
    tx.query(
        TOKENS_DELETE,
        &[tx.workspace().into(), account.into(), purpose.into()],
    )
    .map(drop)
}

pub fn account_identity_insert(
    tx: &mut Tx<'_, '_>,
    identity: &AccountIdentity,
) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        (&identity.issuer).into(),
        (&identity.subject).into(),
        identity.account.into(),
        (&identity.provider).into(),
        identity.created.into(),
    ];
    tx.query(IDENTITY_INSERT, &params).map(drop)
}

fn identity(mut row: Row) -> Result<AccountIdentity, Error> {
    Ok(AccountIdentity {
        issuer: row.text(0)?,
        subject: row.text(1)?,
        account: row.int(2)?,
        provider: row.text(3)?,
        created: row.int(4)?,
    })
}

pub fn account_identity_get(
    sql: &mut dyn Sql,
    issuer: &str,
    subject: &str,
) -> Result<Option<AccountIdentity>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(
        sql,
        IDENTITY_GET,
        &[workspace, issuer.into(), subject.into()],
    )?
    .map(identity)
    .transpose()
}

pub fn account_identities(sql: &mut dyn Sql, account: i64) -> Result<Vec<AccountIdentity>, Error> {
    let rows = sql.query(IDENTITIES, &[sql.workspace().into(), account.into()])?;
    rows.into_iter().map(identity).collect()
}

/// The identities of these accounts, in any order.
pub fn account_identities_of(
    sql: &mut dyn Sql,
    accounts: &[i64],
) -> Result<Vec<AccountIdentity>, Error> {
    let rows = query_by_ids(sql, IDENTITIES_SOME, accounts)?;
    rows.into_iter().map(identity).collect()
}

/// The identities of the accounts of a range of ids, in order of the account.
pub fn account_identities_between(
    sql: &mut dyn Sql,
    first: i64,
    last: i64,
) -> Result<Vec<AccountIdentity>, Error> {
    let params = [sql.workspace().into(), first.into(), last.into()];
    let rows = sql.query(IDENTITIES_BETWEEN, &params)?;
    rows.into_iter().map(identity).collect()
}

pub fn account_identity_delete(
    tx: &mut Tx<'_, '_>,
    issuer: &str,
    subject: &str,
) -> Result<(), Error> {
    let params = [tx.workspace().into(), issuer.into(), subject.into()];
    tx.query(IDENTITY_DELETE, &params).map(drop)
}

/// Deletes the sessions, tokens and identities of an account.
pub fn account_ways_in_delete(tx: &mut Tx<'_, '_>, account: i64) -> Result<(), Error> {
    let params = [tx.workspace().into(), account.into()];
    tx.query(DELETE_OF, &params)?;
    tx.query(TOKENS_DELETE_OF, &params)?;
    tx.query(IDENTITIES_DELETE, &params).map(drop)
}
