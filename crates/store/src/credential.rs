//! Rows of credentials: who may call, hashed at rest; and the signing keys of access tokens, sealed.

use crate::{
    connection::Connection,
    error::Error,
    store::Store,
    tx::Tx,
    value::{Param, Row, Sql, query_one},
};

/// A credential, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    pub id: i64,
    /// The protocol that it is for, as its folder is named; `native` for API tokens.
    pub dialect: String,
    pub name: String,
    /// The first characters of the secret, to recognise it by.
    pub prefix: String,
    /// Keyed hash of the secret.
    pub secret_hash: Vec<u8>,
    /// Space-separated, as in RFC 6749 section 3.3.
    pub scopes: String,
    /// Where true, the credential may touch every structure, also those made later.
    pub every_structure: bool,
    /// The structures that it may touch otherwise, ascending.
    pub structures: Vec<i64>,
    pub created: i64,
    pub expires: Option<i64>,
    pub last_used: Option<i64>,
    pub revoked: Option<i64>,
    pub revoked_reason: Option<String>,
    /// The account that it belongs to: it can do no more than that account.
    pub account: Option<i64>,
    /// Of an account's credential: what it may do, as space-separated names; nothing where all that the account may.
    pub permissions: Option<String>,
    /// The secret itself, sealed, where its protocol needs it to check signatures.
    pub sealed_secret: Option<Vec<u8>>,
    /// The integration that it belongs to.
    pub integration: Option<i64>,
}

/// Whose an API token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenOwner {
    pub workspace: i64,
    pub credential: i64,
}

/// A key that signs access tokens; `secret` is 32 bytes.
#[derive(Clone)]
pub struct SigningKey {
    pub kid: String,
    pub secret: Vec<u8>,
    pub created: i64,
    pub retired: Option<i64>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({}, ***)", self.kid)
    }
}

const INSERT: &str = "INSERT INTO credential (workspace_id, id, dialect, name, prefix, secret_hash, scopes, \
     every_structure, created, expires, last_used, revoked, account_id, permissions, \
     sealed_secret, integration_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, NULL, $11, $12, $13, $14)";
const STRUCTURE_INSERT: &str = "INSERT INTO credential_structure (workspace_id, credential_id, structure_id) \
     VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const LOOKUP_INSERT: &str =
    "INSERT INTO token_lookup (hash, workspace_id, credential_id) VALUES ($1, $2, $3)";
const LOOKUP: &str = "SELECT workspace_id, credential_id FROM token_lookup WHERE hash = $1";
const GET: &str = "SELECT id, dialect, name, prefix, secret_hash, scopes, every_structure, created, expires, \
     last_used, revoked, account_id, permissions, revoked_reason, sealed_secret, \
     integration_id FROM credential WHERE workspace_id = $1 AND id = $2";
const PAGE: &str = "SELECT id, dialect, name, prefix, secret_hash, scopes, every_structure, created, expires, \
     last_used, revoked, account_id, permissions, revoked_reason, sealed_secret, \
     integration_id FROM credential WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT $3";
const PAGE_OF: &str = "SELECT id, dialect, name, prefix, secret_hash, scopes, every_structure, created, expires, \
     last_used, revoked, account_id, permissions, revoked_reason, sealed_secret, \
     integration_id FROM credential WHERE workspace_id = $1 \
     AND account_id = $2 AND id > $3 ORDER BY id LIMIT $4";
const PAGE_OF_ACCOUNTS: &str = "SELECT id, dialect, name, prefix, secret_hash, scopes, every_structure, created, \
     expires, last_used, revoked, account_id, permissions, revoked_reason, sealed_secret, \
     integration_id FROM credential WHERE workspace_id = $1 \
     AND account_id IS NOT NULL AND id > $2 ORDER BY id LIMIT $3";
const SLICE_OF_ACCOUNTS: &str = "SELECT id, dialect, name, prefix, secret_hash, scopes, every_structure, created, \
     expires, last_used, revoked, account_id, permissions, revoked_reason, sealed_secret, \
     integration_id FROM credential WHERE workspace_id = $1 \
     AND account_id IS NOT NULL ORDER BY id LIMIT $2 OFFSET $3";
const COUNT_OF_ACCOUNTS: &str =
    "SELECT COUNT(*) FROM credential WHERE workspace_id = $1 AND account_id IS NOT NULL";
const COUNT_OF: &str = "SELECT count(*) FROM credential WHERE workspace_id = $1 AND account_id = $2 AND revoked IS NULL";
const OF_INTEGRATION: &str = "SELECT id, dialect, name, prefix, secret_hash, scopes, every_structure, created, expires, \
     last_used, revoked, account_id, permissions, revoked_reason, sealed_secret, \
     integration_id FROM credential WHERE workspace_id = $1 AND dialect = $2 AND integration_id = $3 \
     AND revoked IS NULL ORDER BY id LIMIT $4";
const OF_NO_INTEGRATION: &str = "SELECT id, dialect, name, prefix, secret_hash, scopes, every_structure, created, \
     expires, last_used, revoked, account_id, permissions, revoked_reason, sealed_secret, \
     integration_id FROM credential WHERE workspace_id = $1 AND dialect = $2 AND integration_id IS NULL \
     AND revoked IS NULL AND account_id IS NULL ORDER BY id LIMIT $3";
const REVOKE_OF_INTEGRATION: &str = "UPDATE credential SET revoked = $3, revoked_reason = $4 WHERE workspace_id = $1 \
     AND integration_id = $2 AND revoked IS NULL RETURNING id";
const UPDATE: &str = "UPDATE credential SET name = $3, permissions = $4, prefix = $5, secret_hash = $6 \
     WHERE workspace_id = $1 AND id = $2";
const LOOKUP_DELETE: &str =
    "DELETE FROM token_lookup WHERE hash = $1 AND workspace_id = $2 AND credential_id = $3";
const REVOKE_OF: &str = "UPDATE credential SET revoked = $3, revoked_reason = $4 WHERE workspace_id = $1 \
     AND account_id = $2 AND revoked IS NULL";
const STRUCTURES: &str = "SELECT structure_id FROM credential_structure WHERE workspace_id = $1 \
     AND credential_id = $2 ORDER BY structure_id";
const REVOKE: &str = "UPDATE credential SET revoked = $3, revoked_reason = $4 WHERE workspace_id = $1 AND id = $2 \
     AND revoked IS NULL RETURNING id";
const TOUCH: &str = "UPDATE credential SET last_used = $3 WHERE workspace_id = $1 AND id = $2 \
     AND (last_used IS NULL OR last_used < $3)";
const SIGNING_KEYS: &str =
    "SELECT kid, sealed, created, retired FROM signing_key ORDER BY created, kid";
const SIGNING_KEY_INSERT: &str =
    "INSERT INTO signing_key (kid, sealed, created, retired) VALUES ($1, $2, $3, NULL)";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    STRUCTURE_INSERT,
    LOOKUP_INSERT,
    LOOKUP,
    GET,
    PAGE,
    PAGE_OF,
    PAGE_OF_ACCOUNTS,
    SLICE_OF_ACCOUNTS,
    COUNT_OF_ACCOUNTS,
    COUNT_OF,
    OF_INTEGRATION,
    OF_NO_INTEGRATION,
    REVOKE_OF_INTEGRATION,
    UPDATE,
    LOOKUP_DELETE,
    REVOKE_OF,
    STRUCTURES,
    REVOKE,
    TOUCH,
    SIGNING_KEYS,
    SIGNING_KEY_INSERT,
];

fn of(sql: &mut dyn Sql, mut row: Row) -> Result<Credential, Error> {
    let id = row.int(0)?;
    let structures = sql.query(STRUCTURES, &[sql.workspace().into(), id.into()])?;
    Ok(Credential {
        id,
        dialect: row.text(1)?,
        name: row.text(2)?,
        prefix: row.text(3)?,
        secret_hash: row.bytes(4)?,
        scopes: row.text(5)?,
        every_structure: row.flag(6)?,
        structures: structures
            .iter()
            .map(|row| row.int(0))
            .collect::<Result<_, _>>()?,
        created: row.int(7)?,
        expires: row.optional_int(8)?,
        last_used: row.optional_int(9)?,
        revoked: row.optional_int(10)?,
        account: row.optional_int(11)?,
        permissions: row.optional_text(12)?,
        revoked_reason: row.optional_text(13)?,
        sealed_secret: row.optional_bytes(14)?,
        integration: row.optional_int(15)?,
    })
}

/// Inserts a credential, which can then be found by its secret's hash alone.
pub fn credential_insert(tx: &mut Tx<'_, '_>, credential: &Credential) -> Result<(), Error> {
    let workspace: Param<'static> = tx.workspace().into();
    let params = [
        workspace,
        credential.id.into(),
        (&credential.dialect).into(),
        (&credential.name).into(),
        (&credential.prefix).into(),
        (&credential.secret_hash).into(),
        (&credential.scopes).into(),
        credential.every_structure.into(),
        credential.created.into(),
        credential.expires.into(),
        credential.account.into(),
        credential.permissions.as_ref().into(),
        credential.sealed_secret.as_deref().into(),
        credential.integration.into(),
    ];
    tx.query(INSERT, &params)?;
    for &structure in &credential.structures {
        tx.query(
            STRUCTURE_INSERT,
            &[workspace, credential.id.into(), structure.into()],
        )?;
    }
    let lookup = [
        (&credential.secret_hash).into(),
        workspace,
        credential.id.into(),
    ];
    tx.query(LOOKUP_INSERT, &lookup).map(drop)
}

pub fn credential_get(sql: &mut dyn Sql, id: i64) -> Result<Option<Credential>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    let row = query_one(sql, GET, &[workspace, id.into()])?;
    row.map(|row| of(sql, row)).transpose()
}

/// Credentials with `id > after`, in order of id; revoked ones too.
pub fn credential_page(
    sql: &mut dyn Sql,
    after: i64,
    limit: i64,
) -> Result<Vec<Credential>, Error> {
    let rows = sql.query(PAGE, &[sql.workspace().into(), after.into(), limit.into()])?;
    rows.into_iter().map(|row| of(sql, row)).collect()
}

/// Credentials that belong to an account, to any where none is named, with `id > after`, in order of id.
pub fn credential_page_of(
    sql: &mut dyn Sql,
    account: Option<i64>,
    after: i64,
    limit: i64,
) -> Result<Vec<Credential>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    let rows = match account {
        Some(account) => sql.query(
            PAGE_OF,
            &[workspace, account.into(), after.into(), limit.into()],
        ),
        None => sql.query(PAGE_OF_ACCOUNTS, &[workspace, after.into(), limit.into()]),
    };
    rows?.into_iter().map(|row| of(sql, row)).collect()
}

/// Credentials that belong to accounts, in order of id, after the first `offset`; and how many there are in all.
pub fn credential_slice_of_accounts(
    sql: &mut dyn Sql,
    offset: i64,
    limit: i64,
) -> Result<(u64, Vec<Credential>), Error> {
    let workspace: Param<'_> = sql.workspace().into();
    let total = match query_one(sql, COUNT_OF_ACCOUNTS, &[workspace])? {
        Some(row) => row.natural(0)?,
        None => 0,
    };
    let rows = sql.query(SLICE_OF_ACCOUNTS, &[workspace, limit.into(), offset.into()])?;
    let page = rows.into_iter().map(|row| of(sql, row));
    Ok((total, page.collect::<Result<_, _>>()?))
}

/// How many credentials an account has that are not revoked.
pub fn credentials_count_of(sql: &mut dyn Sql, account: i64) -> Result<u64, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, COUNT_OF, &[workspace, account.into()])?.map_or(Ok(0), |row| row.natural(0))
}

/// Writes name, permissions and secret of a credential that can be found by its secret, whose hash was `old_hash`.
pub fn credential_update(
    tx: &mut Tx<'_, '_>,
    credential: &Credential,
    old_hash: &[u8],
) -> Result<(), Error> {
    let workspace: Param<'static> = tx.workspace().into();
    let params = [
        workspace,
        credential.id.into(),
        (&credential.name).into(),
        credential.permissions.as_ref().into(),
        (&credential.prefix).into(),
        (&credential.secret_hash).into(),
    ];
    tx.query(UPDATE, &params)?;
    if old_hash == credential.secret_hash {
        return Ok(());
    }
    let (id, hash) = (credential.id.into(), (&credential.secret_hash).into());
    tx.query(LOOKUP_DELETE, &[old_hash.into(), workspace, id])?;
    tx.query(LOOKUP_INSERT, &[hash, workspace, id]).map(drop)
}

/// False where there is no such credential, or it was revoked before.
pub fn credential_revoke(
    tx: &mut Tx<'_, '_>,
    id: i64,
    now: i64,
    reason: Option<&str>,
) -> Result<bool, Error> {
    let params = [tx.workspace().into(), id.into(), now.into(), reason.into()];
    Ok(!tx.query(REVOKE, &params)?.is_empty())
}

/// Revokes all credentials of an account.
pub fn credentials_revoke_of(tx: &mut Tx<'_, '_>, account: i64, reason: &str) -> Result<(), Error> {
    let now = tx.meta().time;
    let params = [
        tx.workspace().into(),
        account.into(),
        now.into(),
        reason.into(),
    ];
    tx.query(REVOKE_OF, &params).map(drop)
}

/// The credentials of a dialect that belong to an integration, or to neither an integration nor an account, and are not
/// revoked; in order of id.
pub fn credentials_of_integration(
    sql: &mut dyn Sql,
    dialect: &str,
    integration: Option<i64>,
    limit: i64,
) -> Result<Vec<Credential>, Error> {
    let (workspace, dialect) = (sql.workspace().into(), dialect.into());
    let rows = match integration {
        Some(id) => sql.query(
            OF_INTEGRATION,
            &[workspace, dialect, id.into(), limit.into()],
        ),
        None => sql.query(OF_NO_INTEGRATION, &[workspace, dialect, limit.into()]),
    };
    rows?.into_iter().map(|row| of(sql, row)).collect()
}

/// Revokes all credentials of an integration; answers their ids.
pub fn credentials_revoke_of_integration(
    tx: &mut Tx<'_, '_>,
    integration: i64,
    reason: &str,
) -> Result<Vec<i64>, Error> {
    let params = [
        tx.workspace().into(),
        integration.into(),
        tx.meta().time.into(),
        reason.into(),
    ];
    let rows = tx.query(REVOKE_OF_INTEGRATION, &params)?;
    rows.iter().map(|row| row.int(0)).collect()
}

/// Notes the time of the last use.
pub(crate) fn touch(
    connection: &mut Connection,
    workspace: i64,
    id: i64,
    now: i64,
) -> Result<(), Error> {
    connection
        .query(TOUCH, &[workspace.into(), id.into(), now.into()])
        .map(drop)
}

/// Whose token has this hash.
pub async fn token_owner(store: &Store, hash: Vec<u8>) -> Result<Option<TokenOwner>, Error> {
    store
        .plain_read(move |connection| {
            let rows = connection.query(LOOKUP, &[(&hash).into()])?;
            rows.first()
                .map(|row| {
                    Ok(TokenOwner {
                        workspace: row.int(0)?,
                        credential: row.int(1)?,
                    })
                })
                .transpose()
        })
        .await
}

/// The signing keys, oldest first. Where there is none, `first` becomes it: two processes that start at once end with
/// the same one.
pub async fn signing_keys(store: &Store, first: SigningKey) -> Result<Vec<SigningKey>, Error> {
    let sealer = store.sealer().clone();
    let context = |kid: &str| format!("signing key {kid}");
    let made = sealer.seal(&context(&first.kid), &first.secret)?;
    store
        .exclusive(move |connection| {
            crate::installation::lock(connection)?;
            if connection.query(SIGNING_KEYS, &[])?.is_empty() {
                connection.query(
                    SIGNING_KEY_INSERT,
                    &[(&first.kid).into(), (&made).into(), first.created.into()],
                )?;
            }
            Ok(())
        })
        .await?;
    store
        .plain_read(move |connection: &mut Connection| {
            let rows = connection.query(SIGNING_KEYS, &[])?;
            rows.into_iter()
                .map(|mut row| {
                    let kid = row.text(0)?;
                    let secret = sealer.open(&format!("signing key {kid}"), &row.bytes(1)?)?;
                    Ok(SigningKey {
                        kid,
                        secret,
                        created: row.int(2)?,
                        retired: row.optional_int(3)?,
                    })
                })
                .collect()
        })
        .await
}
