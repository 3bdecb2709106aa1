//! Rows of clients: addresses of people on channels; what is blocked on them, and what providers told already.
//!
//! An address is kept sealed, within `detail`, and found by its keyed hash. Invariant: of one integration and address at
//! most one row is active or blocked; an index holds that.

use sets::Person;

use crate::{
    error::Error,
    keyset::Keyset,
    tx::Tx,
    value::{Param, Row, Sql, query_one},
};

/// A client as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientRow {
    pub id: i64,
    pub record: i64,
    pub person: Person,
    /// As the domain names its channels.
    pub kind: String,
    pub integration: Option<i64>,
    /// Keyed hash of the address.
    pub address_key: Option<Vec<u8>>,
    /// Sealed: the address and what the channel says of the person.
    pub detail: Vec<u8>,
    /// `pending`, `active`, `blocked` or `inactive`.
    pub status: String,
    /// What makes it active.
    pub confirmation: Option<String>,
    /// The conversation that it is linked for.
    pub conversation: Option<i64>,
    pub primary: bool,
    /// Milliseconds since the Unix epoch.
    pub last_seen: Option<i64>,
    pub linked_at: Option<i64>,
    /// Until when it may stay pending.
    pub expires: Option<i64>,
    pub created: i64,
    pub updated: i64,
}

const INSERT: &str = "INSERT INTO client (workspace_id, id, record_id, person, kind, integration_id, address_key, detail, \
     status, confirmation, conversation_id, is_primary, last_seen, linked_at, expires, created, updated) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
const UPDATE: &str = "UPDATE client SET detail = $3, status = $4, last_seen = $5, linked_at = $6, expires = $7, \
     updated = $8 WHERE workspace_id = $1 AND id = $2";
const DELETE: &str = "DELETE FROM client WHERE workspace_id = $1 AND id = $2";
const GET: &str = "SELECT id, record_id, person, kind, integration_id, address_key, detail, status, confirmation, \
     conversation_id, is_primary, last_seen, linked_at, expires, created, updated FROM client \
     WHERE workspace_id = $1 AND id = $2";
const OF_RECORD: &str = "SELECT id, record_id, person, kind, integration_id, address_key, detail, status, confirmation, \
     conversation_id, is_primary, last_seen, linked_at, expires, created, updated FROM client \
     WHERE workspace_id = $1 AND record_id = $2 AND id > $3 ORDER BY id LIMIT $4";
const OF_RECORD_BACK: &str = "SELECT id, record_id, person, kind, integration_id, address_key, detail, status, \
     confirmation, conversation_id, is_primary, last_seen, linked_at, expires, created, updated FROM client \
     WHERE workspace_id = $1 AND record_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4";
const COUNT: &str = "SELECT count(*) FROM client WHERE workspace_id = $1 AND record_id = $2";
const AT_ADDRESS: &str = "SELECT id, record_id, person, kind, integration_id, address_key, detail, status, confirmation, \
     conversation_id, is_primary, last_seen, linked_at, expires, created, updated FROM client \
     WHERE workspace_id = $1 AND integration_id = $2 AND address_key = $3 ORDER BY id DESC LIMIT $4";
const HAS_ACTIVE: &str = "SELECT id FROM client WHERE workspace_id = $1 AND kind = $2 AND person = $3 \
     AND status = 'active' AND id <> $4 LIMIT 1";
const EXPIRED: &str = "SELECT id, record_id, person, kind, integration_id, address_key, detail, status, confirmation, \
     conversation_id, is_primary, last_seen, linked_at, expires, created, updated FROM client \
     WHERE workspace_id = $1 AND expires < $2 ORDER BY expires LIMIT $3";
const OF_INTEGRATION: &str = "SELECT id, record_id, person, kind, integration_id, address_key, detail, status, \
     confirmation, conversation_id, is_primary, last_seen, linked_at, expires, created, updated FROM client \
     WHERE workspace_id = $1 AND integration_id = $2 AND status <> 'inactive' ORDER BY id LIMIT $3";

const BLOCK: &str = "INSERT INTO channel_block (workspace_id, integration_id, address_key, created) \
     VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const UNBLOCK: &str = "DELETE FROM channel_block WHERE workspace_id = $1 AND integration_id = $2 AND address_key = $3";
const BLOCKED: &str = "SELECT created FROM channel_block WHERE workspace_id = $1 AND integration_id = $2 AND address_key = $3";

const SEEN: &str = "INSERT INTO inbound_seen (workspace_id, hash, time) VALUES ($1, $2, $3) \
     ON CONFLICT DO NOTHING RETURNING time";
const SEEN_OLD: &str =
    "SELECT hash FROM inbound_seen WHERE workspace_id = $1 AND time < $2 LIMIT 1";
const SEEN_SWEEP: &str = "DELETE FROM inbound_seen WHERE workspace_id = $1 AND time < $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT,
    UPDATE,
    DELETE,
    GET,
    OF_RECORD,
    OF_RECORD_BACK,
    COUNT,
    AT_ADDRESS,
    HAS_ACTIVE,
    EXPIRED,
    OF_INTEGRATION,
    BLOCK,
    UNBLOCK,
    BLOCKED,
    SEEN,
    SEEN_OLD,
    SEEN_SWEEP,
];

fn of(mut row: Row) -> Result<ClientRow, Error> {
    Ok(ClientRow {
        id: row.int(0)?,
        record: row.int(1)?,
        person: u32::try_from(row.int(2)?)
            .map_err(|_| Error::Corrupt("a client's person is no number of one".into()))?,
        kind: row.text(3)?,
        integration: row.optional_int(4)?,
        address_key: row.optional_bytes(5)?,
        detail: row.bytes(6)?,
        status: row.text(7)?,
        confirmation: row.optional_text(8)?,
        conversation: row.optional_int(9)?,
        primary: row.flag(10)?,
        last_seen: row.optional_int(11)?,
        linked_at: row.optional_int(12)?,
        expires: row.optional_int(13)?,
        created: row.int(14)?,
        updated: row.int(15)?,
    })
}

pub fn client_insert(tx: &mut Tx<'_, '_>, client: &ClientRow) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        client.id.into(),
        client.record.into(),
        i64::from(client.person).into(),
        (&client.kind).into(),
        client.integration.into(),
        client.address_key.as_ref().into(),
        (&client.detail).into(),
        (&client.status).into(),
        client.confirmation.as_ref().into(),
        client.conversation.into(),
        client.primary.into(),
        client.last_seen.into(),
        client.linked_at.into(),
        client.expires.into(),
        client.created.into(),
        client.updated.into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

/// Writes what is said of it, where it stands and its times.
pub fn client_update(tx: &mut Tx<'_, '_>, client: &ClientRow) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        client.id.into(),
        (&client.detail).into(),
        (&client.status).into(),
        client.last_seen.into(),
        client.linked_at.into(),
        client.expires.into(),
        client.updated.into(),
    ];
    tx.query(UPDATE, &params).map(drop)
}

pub fn client_delete(tx: &mut Tx<'_, '_>, id: i64) -> Result<(), Error> {
    tx.query(DELETE, &[tx.workspace().into(), id.into()])
        .map(drop)
}

pub fn client_get(sql: &mut dyn Sql, id: i64) -> Result<Option<ClientRow>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, GET, &[workspace, id.into()])?
        .map(of)
        .transpose()
}

/// A slice of the clients of a record.
pub fn clients_page(
    sql: &mut dyn Sql,
    record: i64,
    slice: Keyset,
) -> Result<Vec<ClientRow>, Error> {
    let rows = slice.query(sql, OF_RECORD, OF_RECORD_BACK, &[record.into()])?;
    rows.into_iter().map(of).collect()
}

/// The clients of a record, in order of id.
pub fn clients_of_record(
    sql: &mut dyn Sql,
    record: i64,
    limit: i64,
) -> Result<Vec<ClientRow>, Error> {
    clients_page(sql, record, Keyset::first(limit))
}

pub fn clients_count(sql: &mut dyn Sql, record: i64) -> Result<u64, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    query_one(sql, COUNT, &[workspace, record.into()])?.map_or(Ok(0), |row| row.natural(0))
}

/// The clients of an address, newest first.
pub fn clients_at(
    sql: &mut dyn Sql,
    integration: i64,
    address_key: &[u8],
    limit: i64,
) -> Result<Vec<ClientRow>, Error> {
    let params = [
        sql.workspace().into(),
        integration.into(),
        address_key.into(),
        limit.into(),
    ];
    let rows = sql.query(AT_ADDRESS, &params)?;
    rows.into_iter().map(of).collect()
}

/// Whether a person has an active client of this kind beside one.
pub fn client_active_beside(
    sql: &mut dyn Sql,
    kind: &str,
    person: Person,
    beside: i64,
) -> Result<bool, Error> {
    let params = [
        sql.workspace().into(),
        kind.into(),
        i64::from(person).into(),
        beside.into(),
    ];
    Ok(!sql.query(HAS_ACTIVE, &params)?.is_empty())
}

/// Pending clients whose time has passed, the longest first.
pub fn clients_expired(sql: &mut dyn Sql, now: i64, limit: i64) -> Result<Vec<ClientRow>, Error> {
    let params = [sql.workspace().into(), now.into(), limit.into()];
    let rows = sql.query(EXPIRED, &params)?;
    rows.into_iter().map(of).collect()
}

/// Clients of an integration that are not inactive, in order of id.
pub fn clients_of_integration(
    sql: &mut dyn Sql,
    integration: i64,
    limit: i64,
) -> Result<Vec<ClientRow>, Error> {
    let params = [sql.workspace().into(), integration.into(), limit.into()];
    let rows = sql.query(OF_INTEGRATION, &params)?;
    rows.into_iter().map(of).collect()
}

/// Notes that an address wants nothing more through an integration, whoever it belongs to.
pub fn channel_block(
    tx: &mut Tx<'_, '_>,
    integration: i64,
    address_key: &[u8],
) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        integration.into(),
        address_key.into(),
        tx.meta().time.into(),
    ];
    tx.query(BLOCK, &params).map(drop)
}

pub fn channel_unblock(
    tx: &mut Tx<'_, '_>,
    integration: i64,
    address_key: &[u8],
) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        integration.into(),
        address_key.into(),
    ];
    tx.query(UNBLOCK, &params).map(drop)
}

pub fn channel_blocked(
    sql: &mut dyn Sql,
    integration: i64,
    address_key: &[u8],
) -> Result<bool, Error> {
    let params = [
        sql.workspace().into(),
        integration.into(),
        address_key.into(),
    ];
    Ok(!sql.query(BLOCKED, &params)?.is_empty())
}

/// Notes that a provider told something. False where it had been noted before.
pub fn inbound_seen(tx: &mut Tx<'_, '_>, hash: &[u8]) -> Result<bool, Error> {
    let params = [tx.workspace().into(), hash.into(), tx.meta().time.into()];
    Ok(!tx.query(SEEN, &params)?.is_empty())
}

/// Forgets what was told before `before`. Where there is nothing, nothing is written and so nothing logged.
pub fn inbound_sweep(tx: &mut Tx<'_, '_>, before: i64) -> Result<(), Error> {
    let params = [tx.workspace().into(), before.into()];
    if !tx.query(SEEN_OLD, &params)?.is_empty() {
        tx.query(SEEN_SWEEP, &params)?;
    }
    Ok(())
}
