//! The schema, in versions. A migration expands; what it replaces is dropped a release later.
//!
//! Every table that a command writes has `workspace_id` at the head of its primary key (see DESIGN section 3);
//! `installation`, `schema_version`, `workspace`, `token_lookup` and `signing_key` are the installation-wide look-ups.

use crate::{connection::Connection, error::Error, value::Param};

/// The newest schema that this program knows.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

const MIGRATIONS: &[&str] = &[FIRST, ACCOUNTS, TREE, WEBHOOKS, CHANNELS, SUMS];

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
        "workspace_id, block_no, bytes, sum",
        "workspace_id, block_no",
    ),
    (
        "identifier_block",
        "workspace_id, block_no, bytes",
        "workspace_id, block_no",
    ),
    (
        "snapshot",
        "workspace_id, set_id, seq, members, sum, bytes",
        "workspace_id, set_id, seq",
    ),
    (
        "checkpoint",
        "workspace_id, seq, next_person, next_position, sum",
        "workspace_id, seq",
    ),
    (
        "audience",
        "workspace_id, id, structure_id, parent_id, kind, name, name_unique, description, reference, control, \
         unique_names, created, updated, rule, deleting",
        "workspace_id, id",
    ),
    (
        "credential",
        "workspace_id, id, dialect, name, prefix, secret_hash, scopes, every_structure, created, expires, last_used, \
         revoked, account_id, permissions, revoked_reason, sealed_secret, integration_id",
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
    (
        "account",
        "workspace_id, id, username, username_key, email, email_key, name, first_name, last_name, role, administrator, \
         active, verified, password_hash, permissions, preferences, call_limit, budget, credit, created, updated, \
         last_seen, last_sign_in, updated_seq",
        "workspace_id, id",
    ),
    ("account_gone", "workspace_id, id, seq", "workspace_id, id"),
    (
        "account_identity",
        "workspace_id, issuer, subject, account_id, provider, created",
        "workspace_id, issuer, subject",
    ),
    (
        "account_token",
        "workspace_id, hash, account_id, purpose, bound_to, created, expires",
        "workspace_id, hash",
    ),
    (
        "session",
        "workspace_id, id, account_id, dialect, created, last_seen, expires, ended",
        "workspace_id, id",
    ),
    (
        "ledger_entry",
        "workspace_id, account_id, id, time, actor, kind, difference, balance, reason",
        "workspace_id, account_id, id",
    ),
    (
        "account_group",
        "workspace_id, id, uid, title, description, permissions, administrator, call_limit, members, created, updated, \
         created_by, updated_by, updated_seq",
        "workspace_id, id",
    ),
    (
        "group_member",
        "workspace_id, group_id, account_id",
        "workspace_id, group_id, account_id",
    ),
    (
        "policy",
        "workspace_id, version, set_id, created",
        "workspace_id, version",
    ),
    (
        "consent",
        "workspace_id, account_id, version, id, person, channel, agreed, consented, created, updated",
        "workspace_id, account_id, version",
    ),
    (
        "throttle",
        "workspace_id, key, failures, free_at, updated",
        "workspace_id, key",
    ),
    (
        "outbox",
        "workspace_id, id, kind, payload, state, attempts, next_attempt, lease_until, epoch, created, finished, \
         last_error, target",
        "workspace_id, id",
    ),
    (
        "record",
        "workspace_id, id, source, person, reference, email, email_key, first_name, last_name, active, ended, starts, \
         ends, profile, created, updated",
        "workspace_id, id",
    ),
    (
        "audience_manager",
        "workspace_id, audience_id, person, grants, created, updated",
        "workspace_id, audience_id, person",
    ),
    (
        "job",
        "workspace_id, id, kind, noun_id, done, total, created, updated, finished",
        "workspace_id, id",
    ),
    (
        "webhook",
        "workspace_id, id, dialect, url, events, secret, old_secret, old_until, created, updated, integration_id, detail",
        "workspace_id, id",
    ),
    (
        "event",
        "workspace_id, id, kind, time, actor, request_id, data",
        "workspace_id, id",
    ),
    (
        "integration",
        "workspace_id, id, kind, display_name, fields, secrets, status, hook_token, created, updated",
        "workspace_id, id",
    ),
    (
        "integration_hook",
        "hash, workspace_id, integration_id",
        "hash",
    ),
    (
        "client",
        "workspace_id, id, record_id, person, kind, integration_id, address_key, detail, status, confirmation, \
         conversation_id, is_primary, last_seen, linked_at, expires, created, updated",
        "workspace_id, id",
    ),
    (
        "channel_block",
        "workspace_id, integration_id, address_key, created",
        "workspace_id, integration_id, address_key",
    ),
    (
        "inbound_seen",
        "workspace_id, hash, time",
        "workspace_id, hash",
    ),
    (
        "conversation",
        "workspace_id, id, source, kind, display_name, description, icon_url, metadata, is_default, \
         business_last_read, last_updated, messages, created, updated",
        "workspace_id, id",
    ),
    (
        "participant",
        "workspace_id, conversation_id, id, record_id, unread, last_read, clients, created",
        "workspace_id, conversation_id, id",
    ),
    (
        "message",
        "workspace_id, conversation_id, id, author_record, body, created",
        "workspace_id, conversation_id, id",
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

/// Accounts and what belongs to them: sessions, tokens, groups, the ledger, consents; the outbox.
/// `account_gone` says which ids were deleted, for readers that keep a directory of accounts by `updated_seq`.
const ACCOUNTS: &str = "
ALTER TABLE credential ADD COLUMN account_id {i64};
ALTER TABLE credential ADD COLUMN permissions {text};
ALTER TABLE credential ADD COLUMN revoked_reason {text};
CREATE INDEX credential_account ON credential (workspace_id, account_id, id);
CREATE TABLE account (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, username {text} NOT NULL, username_key {text} NOT NULL,
  email {text} NOT NULL, email_key {text} NOT NULL, name {text}, first_name {text} NOT NULL, last_name {text} NOT NULL,
  role {text} NOT NULL, administrator {i64} NOT NULL, active {i64} NOT NULL, verified {i64} NOT NULL,
  password_hash {text}, permissions {text} NOT NULL, preferences {text} NOT NULL, call_limit {text},
  budget {i64} NOT NULL, credit {i64} NOT NULL, created {i64} NOT NULL, updated {i64} NOT NULL, last_seen {i64},
  last_sign_in {i64}, updated_seq {i64} NOT NULL, PRIMARY KEY (workspace_id, id)){end};
CREATE UNIQUE INDEX account_username ON account (workspace_id, username_key);
CREATE UNIQUE INDEX account_email ON account (workspace_id, email_key);
CREATE INDEX account_updated ON account (workspace_id, updated_seq);
CREATE INDEX account_seen ON account (workspace_id, last_seen);
CREATE INDEX account_administrator ON account (workspace_id, administrator, active);
CREATE TABLE account_gone (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, seq {i64} NOT NULL, PRIMARY KEY (workspace_id, id)){end};
CREATE INDEX account_gone_seq ON account_gone (workspace_id, seq);
CREATE TABLE account_identity (
  workspace_id {i64} NOT NULL, issuer {text} NOT NULL, subject {text} NOT NULL, account_id {i64} NOT NULL,
  provider {text} NOT NULL, created {i64} NOT NULL, PRIMARY KEY (workspace_id, issuer, subject)){end};
CREATE INDEX account_identity_account ON account_identity (workspace_id, account_id);
CREATE TABLE account_token (
  workspace_id {i64} NOT NULL, hash {bytes} NOT NULL, account_id {i64} NOT NULL, purpose {text} NOT NULL,
  bound_to {text} NOT NULL, created {i64} NOT NULL, expires {i64} NOT NULL, PRIMARY KEY (workspace_id, hash)){end};
CREATE INDEX account_token_account ON account_token (workspace_id, account_id);
CREATE INDEX account_token_expires ON account_token (workspace_id, expires);
CREATE TABLE session (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, account_id {i64} NOT NULL, dialect {text} NOT NULL,
  created {i64} NOT NULL, last_seen {i64} NOT NULL, expires {i64} NOT NULL, ended {i64},
  PRIMARY KEY (workspace_id, id)){end};
CREATE INDEX session_account ON session (workspace_id, account_id, id);
CREATE INDEX session_live ON session (workspace_id, account_id, id) WHERE ended IS NULL;
CREATE INDEX session_expires ON session (workspace_id, expires);
CREATE TABLE ledger_entry (
  workspace_id {i64} NOT NULL, account_id {i64} NOT NULL, id {i64} NOT NULL, time {i64} NOT NULL, actor {i64} NOT NULL,
  kind {text} NOT NULL, difference {i64} NOT NULL, balance {i64} NOT NULL, reason {text} NOT NULL,
  PRIMARY KEY (workspace_id, account_id, id)){end};
CREATE TABLE account_group (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, uid {text} NOT NULL, title {text} NOT NULL,
  description {text} NOT NULL, permissions {text} NOT NULL, administrator {i64} NOT NULL, call_limit {text},
  members {i64} NOT NULL, created {i64} NOT NULL, updated {i64} NOT NULL, created_by {i64} NOT NULL,
  updated_by {i64} NOT NULL, updated_seq {i64} NOT NULL, PRIMARY KEY (workspace_id, id)){end};
CREATE UNIQUE INDEX account_group_uid ON account_group (workspace_id, uid);
CREATE TABLE group_member (
  workspace_id {i64} NOT NULL, group_id {i64} NOT NULL, account_id {i64} NOT NULL,
  PRIMARY KEY (workspace_id, group_id, account_id)){end};
CREATE INDEX group_member_account ON group_member (workspace_id, account_id, group_id);
CREATE TABLE policy (
  workspace_id {i64} NOT NULL, version {text} NOT NULL, set_id {i64} NOT NULL, created {i64} NOT NULL,
  PRIMARY KEY (workspace_id, version)){end};
CREATE TABLE consent (
  workspace_id {i64} NOT NULL, account_id {i64} NOT NULL, version {text} NOT NULL, id {i64} NOT NULL,
  person {i64} NOT NULL, channel {text}, agreed {i64} NOT NULL, consented {text}, created {i64} NOT NULL,
  updated {i64} NOT NULL, PRIMARY KEY (workspace_id, account_id, version)){end};
CREATE INDEX consent_version ON consent (workspace_id, version, person);
CREATE TABLE throttle (
  workspace_id {i64} NOT NULL, key {bytes} NOT NULL, failures {i64} NOT NULL, free_at {i64} NOT NULL,
  updated {i64} NOT NULL, PRIMARY KEY (workspace_id, key)){end};
CREATE INDEX throttle_updated ON throttle (workspace_id, updated);
CREATE TABLE outbox (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, kind {text} NOT NULL, payload {bytes} NOT NULL, state {text} NOT NULL,
  attempts {i64} NOT NULL, next_attempt {i64} NOT NULL, lease_until {i64} NOT NULL, epoch {i64} NOT NULL,
  created {i64} NOT NULL, finished {i64}, last_error {text} NOT NULL, PRIMARY KEY (workspace_id, id)){end};
CREATE INDEX outbox_due ON outbox (state, next_attempt);
CREATE INDEX outbox_state ON outbox (workspace_id, state, id)";

/// Trees of audiences: who is barred from joining by a record, who manages, what is being deleted. A row that is being
/// deleted names the job that does it; it has neither a name nor a reference that others could want.
const TREE: &str = "
ALTER TABLE audience ADD COLUMN rule {text};
ALTER TABLE audience ADD COLUMN deleting {i64} NOT NULL DEFAULT 0;
CREATE INDEX audience_children ON audience (workspace_id, structure_id, kind, deleting, id);
CREATE INDEX audience_deleting ON audience (workspace_id, deleting, id);
CREATE TABLE record (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, source {text} NOT NULL, person {i64} NOT NULL, reference {text},
  email {text}, email_key {text}, first_name {text}, last_name {text}, active {i64} NOT NULL, ended {i64} NOT NULL,
  starts {text}, ends {text}, profile {text} NOT NULL, created {i64} NOT NULL, updated {i64} NOT NULL,
  PRIMARY KEY (workspace_id, id)){end};
CREATE UNIQUE INDEX record_reference ON record (workspace_id, source, reference);
CREATE UNIQUE INDEX record_email ON record (workspace_id, source, email_key);
CREATE INDEX record_source ON record (workspace_id, source, id);
CREATE INDEX record_person ON record (workspace_id, person, id);
CREATE INDEX record_updated ON record (workspace_id, source, updated, id);
CREATE INDEX record_ends ON record (workspace_id, ended, ends);
CREATE TABLE audience_manager (
  workspace_id {i64} NOT NULL, audience_id {i64} NOT NULL, person {i64} NOT NULL, grants {i64} NOT NULL,
  created {i64} NOT NULL, updated {i64} NOT NULL, PRIMARY KEY (workspace_id, audience_id, person)){end};
CREATE INDEX audience_manager_person ON audience_manager (workspace_id, person, audience_id);
CREATE TABLE job (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, kind {text} NOT NULL, noun_id {i64} NOT NULL, done {i64} NOT NULL,
  total {i64} NOT NULL, created {i64} NOT NULL, updated {i64} NOT NULL, finished {i64},
  PRIMARY KEY (workspace_id, id)){end};
CREATE INDEX job_open ON job (finished, workspace_id, id)";
/// Webhooks and what happened that they are told of. The outbox is now claimed by kind, so its index begins with it: mail
/// that waits for a mail server is not looked through for each webhook that is due.
const WEBHOOKS: &str = "
CREATE TABLE webhook (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, dialect {text} NOT NULL, url {text} NOT NULL, events {text} NOT NULL,
  secret {bytes} NOT NULL, old_secret {bytes}, old_until {i64}, created {i64} NOT NULL, updated {i64} NOT NULL,
  PRIMARY KEY (workspace_id, id)){end};
CREATE TABLE event (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, kind {text} NOT NULL, time {i64} NOT NULL, actor {i64} NOT NULL,
  request_id {text} NOT NULL, data {bytes} NOT NULL, PRIMARY KEY (workspace_id, id)){end};
CREATE INDEX event_time ON event (workspace_id, time, id);
DROP INDEX outbox_due;
CREATE INDEX outbox_kind_due ON outbox (kind, state, next_attempt)";

/// Channels: integrations with what reaches a provider, clients (a person's addresses), conversations and what was said in
/// them. What names or quotes a person is sealed. A credential whose protocol signs with its secret keeps that sealed too.
/// An e-mail address may now be that of several records of one source; which sources allow it is the domain's rule.
const CHANNELS: &str = "
ALTER TABLE credential ADD COLUMN sealed_secret {bytes};
ALTER TABLE credential ADD COLUMN integration_id {i64};
CREATE INDEX credential_integration ON credential (workspace_id, dialect, integration_id, id);
ALTER TABLE webhook ADD COLUMN integration_id {i64};
ALTER TABLE webhook ADD COLUMN detail {i64} NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN target {i64} NOT NULL DEFAULT 0;
DROP INDEX record_email;
CREATE INDEX record_email ON record (workspace_id, source, email_key);
CREATE TABLE integration (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, kind {text} NOT NULL, display_name {text}, fields {text} NOT NULL,
  secrets {bytes} NOT NULL, status {text} NOT NULL, hook_token {bytes} NOT NULL, created {i64} NOT NULL,
  updated {i64} NOT NULL, PRIMARY KEY (workspace_id, id)){end};
CREATE TABLE integration_hook (
  hash {bytes} NOT NULL PRIMARY KEY, workspace_id {i64} NOT NULL, integration_id {i64} NOT NULL){end};
CREATE TABLE client (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, record_id {i64} NOT NULL, person {i64} NOT NULL, kind {text} NOT NULL,
  integration_id {i64}, address_key {bytes}, detail {bytes} NOT NULL, status {text} NOT NULL, confirmation {text},
  conversation_id {i64}, is_primary {i64} NOT NULL, last_seen {i64}, linked_at {i64}, expires {i64},
  created {i64} NOT NULL, updated {i64} NOT NULL, PRIMARY KEY (workspace_id, id)){end};
CREATE INDEX client_record ON client (workspace_id, record_id, id);
CREATE INDEX client_address ON client (workspace_id, integration_id, address_key, id);
CREATE UNIQUE INDEX client_linked ON client (workspace_id, integration_id, address_key)
  WHERE status IN ('active', 'blocked');
CREATE INDEX client_expires ON client (workspace_id, expires) WHERE expires IS NOT NULL;
CREATE INDEX client_person ON client (workspace_id, kind, person) WHERE status = 'active';
CREATE TABLE channel_block (
  workspace_id {i64} NOT NULL, integration_id {i64} NOT NULL, address_key {bytes} NOT NULL, created {i64} NOT NULL,
  PRIMARY KEY (workspace_id, integration_id, address_key)){end};
CREATE TABLE inbound_seen (
  workspace_id {i64} NOT NULL, hash {bytes} NOT NULL, time {i64} NOT NULL, PRIMARY KEY (workspace_id, hash)){end};
CREATE INDEX inbound_seen_time ON inbound_seen (workspace_id, time);
CREATE TABLE conversation (
  workspace_id {i64} NOT NULL, id {i64} NOT NULL, source {text} NOT NULL, kind {text} NOT NULL, display_name {text},
  description {text}, icon_url {text}, metadata {text} NOT NULL, is_default {i64} NOT NULL, business_last_read {i64},
  last_updated {i64}, messages {i64} NOT NULL, created {i64} NOT NULL, updated {i64} NOT NULL,
  PRIMARY KEY (workspace_id, id)){end};
CREATE TABLE participant (
  workspace_id {i64} NOT NULL, conversation_id {i64} NOT NULL, id {i64} NOT NULL, record_id {i64} NOT NULL,
  unread {i64} NOT NULL, last_read {i64}, clients {text} NOT NULL, created {i64} NOT NULL,
  PRIMARY KEY (workspace_id, conversation_id, id)){end};
CREATE UNIQUE INDEX participant_record ON participant (workspace_id, record_id, conversation_id);
CREATE TABLE message (
  workspace_id {i64} NOT NULL, conversation_id {i64} NOT NULL, id {i64} NOT NULL, author_record {i64},
  body {bytes} NOT NULL, created {i64} NOT NULL, PRIMARY KEY (workspace_id, conversation_id, id)){end}";

/// Sums of what a start believes, so that damage below the database is noticed; absent in rows of before. A snapshot says how
/// many members it has in front of its bytes, since SQLite reads through a large value to get at what comes after it.
const SUMS: &str = "
ALTER TABLE key_block ADD COLUMN sum {bytes};
ALTER TABLE checkpoint ADD COLUMN sum {bytes};
CREATE TABLE snapshot_new (
  workspace_id {i64} NOT NULL, set_id {i64} NOT NULL, seq {i64} NOT NULL, members {i64}, sum {bytes},
  bytes {bytes} NOT NULL, PRIMARY KEY (workspace_id, set_id, seq)){end};
INSERT INTO snapshot_new (workspace_id, set_id, seq, bytes) SELECT workspace_id, set_id, seq, bytes FROM snapshot;
DROP TABLE snapshot;
ALTER TABLE snapshot_new RENAME TO snapshot";

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
    migrate_to(connection, now, SCHEMA_VERSION)
}

/// [`migrate`] up to an older version, as a database of that time is.
pub(crate) fn migrate_to(connection: &mut Connection, now: i64, to: i64) -> Result<(), Error> {
    let postgres = matches!(connection, Connection::Postgres(_));
    let version_table = connection.dialect_ddl(CREATE_VERSION);
    match connection.batch(&version_table) {
        // Two processes create the same table at once: the loser's attempt is a unique violation of the catalogue.
        Err(Error::Constraint(_)) if postgres => {}
        result => result?,
    }
    connection.begin(crate::connection::Mode::Write)?;
    let result = migrate_locked(connection, postgres, now, to);
    match result {
        Ok(()) => connection.commit(),
        Err(error) => {
            connection.rollback()?;
            Err(error)
        }
    }
}

fn migrate_locked(
    connection: &mut Connection,
    postgres: bool,
    now: i64,
    to: i64,
) -> Result<(), Error> {
    if postgres {
        connection.batch(POSTGRES_LOCK)?;
    }
    let found = schema_version(connection)?;
    if found > SCHEMA_VERSION {
        return Err(newer(found));
    }
    for version in found + 1..=to {
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
