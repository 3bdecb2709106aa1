//! The schema, in versions. A migration expands; what it replaces is dropped a release later.
//!
//! Every table that a command writes has `workspace_id` at the head of its primary key (see DESIGN section 3);
//! `installation`, `schema_version`, `workspace`, `token_lookup` and `signing_key` are the installation-wide look-ups.

use crate::{connection::Connection, error::Error, value::Param};

/// The newest schema that this program knows.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

const MIGRATIONS: &[&str] = &[FIRST];

const CREATE_VERSION: &str = "CREATE TABLE IF NOT EXISTS schema_version (version {i64} PRIMARY KEY, applied {i64} NOT NULL){end}";
const VERSION: &str = "SELECT coalesce(max(version), 0) FROM schema_version";
const VERSION_INSERT: &str = "INSERT INTO schema_version (version, applied) VALUES ($1, $2)";
const POSTGRES_LOCK: &str = "LOCK TABLE schema_version IN ACCESS EXCLUSIVE MODE";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[VERSION, VERSION_INSERT];

/// The tables in the order in which backup and restore copy them, with their primary keys.
pub(crate) const TABLES: &[(&str, &str, &str)] = &[
    (
        "installation",
        "id, database_id, restore_epoch, created, master_fingerprint",
        "id",
    ),
    (
        "workspace",
        "id, slug, name, keep_identifiers, secret, created",
        "id",
    ),
    (
        "head",
        "workspace_id, turn, seq, next_id, next_person, next_position, hash",
        "workspace_id",
    ),
    (
        "change",
        "workspace_id, seq, time, actor, verb, request_id, command_id, identity, prev_hash, hash",
        "workspace_id, seq",
    ),
    (
        "change_set",
        "workspace_id, set_id, seq, op, added, removed",
        "workspace_id, set_id, seq",
    ),
    (
        "key_block",
        "workspace_id, block_no, bytes",
        "workspace_id, block_no",
    ),
    (
        "identifier_block",
        "workspace_id, block_no, bytes",
        "workspace_id, block_no",
    ),
    (
        "snapshot",
        "workspace_id, set_id, seq, bytes",
        "workspace_id, set_id, seq",
    ),
    (
        "checkpoint",
        "workspace_id, seq, next_person, next_position",
        "workspace_id, seq",
    ),
    (
        "audience",
        "workspace_id, id, structure_id, parent_id, kind, name, name_unique, description, reference, control, \
         unique_names, created, updated",
        "workspace_id, id",
    ),
    (
        "credential",
        "workspace_id, id, dialect, name, prefix, secret_hash, scopes, every_structure, created, expires, last_used, \
         revoked",
        "workspace_id, id",
    ),
    (
        "credential_structure",
        "workspace_id, credential_id, structure_id",
        "workspace_id, credential_id, structure_id",
    ),
    ("token_lookup", "hash, workspace_id, credential_id", "hash"),
    ("signing_key", "kid, sealed, created, retired", "kid"),
    (
        "identity_conflict",
        "workspace_id, first_person, second_person, id, kind, first_seen, last_seen, times",
        "workspace_id, first_person, second_person",
    ),
    (
        "activity",
        "workspace_id, id, time, actor, verb, noun_id, request_id, seq, detail",
        "workspace_id, id",
    ),
    (
        "idempotency",
        "workspace_id, credential_id, key, fingerprint, status, body, created",
        "workspace_id, credential_id, key",
    ),
];

const FIRST: &str = "
CREATE TABLE installation (
  id {i64} PRIMARY KEY, database_id {text} NOT NULL, restore_epoch {i64} NOT NULL, created {i64} NOT NULL,
  master_fingerprint {bytes} NOT NULL){end};
CREATE TABLE workspace (
  id {i64} PRIMARY KEY, slug {text} NOT NULL UNIQUE, name {text} NOT NULL, keep_identifiers {text} NOT NULL,
  secret {bytes} NOT NULL, created {i64} NOT NULL){end};
CREATE TABLE head (
  workspace_id {i64} PRIMARY KEY, turn {i64} NOT NULL, seq {i64} NOT NULL, next_id {i64} NOT NULL,
  next_person {i64} NOT NULL, next_position {i64} NOT NULL, hash {bytes} NOT NULL){end};
CREATE TABLE change (
  workspace_id {i64} NOT NULL, seq {i64} NOT NULL, time {i64} NOT NULL, actor {i64} NOT NULL, verb {text} NOT NULL,
  request_id {text} NOT NULL, command_id {text} NOT NULL, identity {bytes}, prev_hash {bytes} NOT NULL,
  hash {bytes} NOT NULL, PRIMARY KEY (workspace_id, seq)){end};
CREATE UNIQUE INDEX change_command ON change (workspace_id, command_id);
CREATE TABLE change_set (
  workspace_id {i64} NOT NULL, set_id {i64} NOT NULL, seq {i64} NOT NULL, op {i64} NOT NULL, added {bytes},
  removed {bytes}, PRIMARY KEY (workspace_id, set_id, seq)){end};
CREATE INDEX change_set_seq ON change_set (workspace_id, seq);
CREATE TABLE key_block (
  workspace_id {i64} NOT NULL, block_no {i64} NOT NULL, bytes {bytes} NOT NULL, PRIMARY KEY (workspace_id, block_no)){end};
CREATE TABLE identifier_block (
  workspace_id {i64} NOT NULL, block_no {i64} NOT NULL, bytes {bytes} NOT NULL, PRIMARY KEY (workspace_id, block_no)){end};
CREATE TABLE snapshot (
  workspace_id {i64} NOT NULL, set_id {i64} NOT NULL, seq {i64} NOT NULL, bytes {bytes} NOT NULL,
  PRIMARY KEY (workspace_id, set_id, seq)){end};
CREATE TABLE checkpoint (
  workspace_id {i64} NOT NULL, seq {i64} NOT NULL, next_person {i64} NOT NULL, next_position {i64} NOT NULL,
  PRIMARY KEY (workspace_id, seq)){end};
CREATE TABLE audience (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, structure_id {i64} NOT NULL, parent_id {i64}, kind {text} NOT NULL,
  name {text} NOT NULL, name_unique {text}, description {text}, reference {text}, control {text} NOT NULL,
  unique_names {i64} NOT NULL, created {i64} NOT NULL, updated {i64} NOT NULL, PRIMARY KEY (workspace_id, id)){end};
CREATE UNIQUE INDEX audience_name ON audience (workspace_id, structure_id, name_unique);
CREATE UNIQUE INDEX audience_reference ON audience (workspace_id, reference);
CREATE INDEX audience_structure ON audience (workspace_id, structure_id, id);
CREATE TABLE credential (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, dialect {text} NOT NULL, name {text} NOT NULL, prefix {text} NOT NULL,
  secret_hash {bytes} NOT NULL, scopes {text} NOT NULL, every_structure {i64} NOT NULL, created {i64} NOT NULL,
  expires {i64}, last_used {i64}, revoked {i64}, PRIMARY KEY (workspace_id, id)){end};
CREATE TABLE credential_structure (
  workspace_id {i64} NOT NULL, credential_id {i64} NOT NULL, structure_id {i64} NOT NULL,
  PRIMARY KEY (workspace_id, credential_id, structure_id)){end};
CREATE TABLE token_lookup (
  hash {bytes} PRIMARY KEY, workspace_id {i64} NOT NULL, credential_id {i64} NOT NULL){end};
CREATE TABLE signing_key (
  kid {text} PRIMARY KEY, sealed {bytes} NOT NULL, created {i64} NOT NULL, retired {i64}){end};
CREATE TABLE identity_conflict (
  workspace_id {i64} NOT NULL, first_person {i64} NOT NULL, second_person {i64} NOT NULL, id {i64} NOT NULL,
  kind {text} NOT NULL, first_seen {i64} NOT NULL, last_seen {i64} NOT NULL, times {i64} NOT NULL,
  PRIMARY KEY (workspace_id, first_person, second_person)){end};
CREATE INDEX identity_conflict_id ON identity_conflict (workspace_id, id);
CREATE TABLE activity (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, time {i64} NOT NULL, actor {i64} NOT NULL, verb {text} NOT NULL,
  noun_id {i64}, request_id {text} NOT NULL, seq {i64}, detail {text} NOT NULL, PRIMARY KEY (workspace_id, id)){end};
CREATE TABLE idempotency (
  workspace_id {i64} NOT NULL, credential_id {i64} NOT NULL, key {text} NOT NULL, fingerprint {bytes} NOT NULL,
  status {i64} NOT NULL, body {bytes} NOT NULL, created {i64} NOT NULL, PRIMARY KEY (workspace_id, credential_id, key)){end};
CREATE INDEX idempotency_created ON idempotency (workspace_id, created)";

/// Keeps the log's blobs out of line and uncompressed: they are compressed already where that is possible.
const POSTGRES_STORAGE: &str = "
ALTER TABLE change_set ALTER COLUMN added SET STORAGE EXTERNAL;
ALTER TABLE change_set ALTER COLUMN removed SET STORAGE EXTERNAL;
ALTER TABLE key_block ALTER COLUMN bytes SET STORAGE EXTERNAL;
ALTER TABLE identifier_block ALTER COLUMN bytes SET STORAGE EXTERNAL;
ALTER TABLE snapshot ALTER COLUMN bytes SET STORAGE EXTERNAL";

/// Brings the database to [`SCHEMA_VERSION`]. Two processes that start at once take turns.
/// A database that a newer program wrote is refused, untouched.
pub(crate) fn migrate(connection: &mut Connection, now: i64) -> Result<(), Error> {
    let postgres = matches!(connection, Connection::Postgres(_));
    let version_table = connection.dialect_ddl(CREATE_VERSION);
    match connection.batch(&version_table) {
        // Two processes create the same table at once: the loser's attempt is a unique violation of the catalogue.
        Err(Error::Constraint(_)) if postgres => {}
        result => result?,
    }
    connection.begin(crate::connection::Mode::Write)?;
    let result = migrate_locked(connection, postgres, now);
    match result {
        Ok(()) => connection.commit(),
        Err(error) => {
            connection.rollback()?;
            Err(error)
        }
    }
}

fn migrate_locked(connection: &mut Connection, postgres: bool, now: i64) -> Result<(), Error> {
    if postgres {
        connection.batch(POSTGRES_LOCK)?;
    }
    let found = schema_version(connection)?;
    if found > SCHEMA_VERSION {
        return Err(newer(found));
    }
    for version in found + 1..=SCHEMA_VERSION {
        let ddl = usize::try_from(version - 1)
            .ok()
            .and_then(|index| MIGRATIONS.get(index))
            .copied()
            .unwrap_or_default();
        connection.batch(&connection.dialect_ddl(ddl))?;
        if postgres {
            connection.batch(POSTGRES_STORAGE)?;
        }
        connection.query(VERSION_INSERT, &[Param::Int(version), Param::Int(now)])?;
    }
    Ok(())
}

/// The version that the database is at; 0 where it has none yet.
pub(crate) fn schema_version(connection: &mut Connection) -> Result<i64, Error> {
    connection
        .query(VERSION, &[])?
        .first()
        .map_or(Ok(0), |row| row.int(0))
}

pub(crate) fn newer(found: i64) -> Error {
    Error::Open(format!(
        "the database was written by a newer version of throng (schema {found}, this program knows {SCHEMA_VERSION}): \
         start the newer program; nothing was changed"
    ))
}
