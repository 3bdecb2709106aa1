//! Keeps what the domain decides: one serial order of commands per workspace over SQLite or PostgreSQL.
//!
//! What it is: connections, the committer, the read side, the log and its replay into the set engine,
//! migrations, backup and verification, and one file of SQL functions for each noun.
//! What it is not: no rule of the product lives here, and no HTTP.
//! Invariant: what is published in the engine is exactly what the log in the database says up to its `seq`.

mod activity;
mod audience;
mod backup;
mod change;
mod checkpoint;
mod committer;
mod connection;
mod credential;
mod error;
mod folder;
mod head;
mod idempotency;
mod identity;
mod installation;
mod keys;
mod load;
mod migrations;
mod outbox;
mod postgres_engine;
mod read;
mod seal;
mod sqlite_engine;
mod store;
mod tx;
mod value;
mod verify;
mod workspace;

pub use activity::{Activity, activity_insert, activity_page};
pub use audience::{
    Audience, AudienceKind, Control, audience_by_name, audience_by_reference, audience_delete,
    audience_get, audience_insert, audience_page, audience_update, audiences_count,
    structures_page,
};
pub use backup::{BackupReport, OnTable, backup, restore};
pub use committer::Meta;
pub use credential::{
    Credential, SigningKey, TokenOwner, credential_get, credential_insert, credential_page,
    credential_revoke, credential_touch, signing_keys, token_owner,
};
pub use error::Error;
pub use folder::{DataFolder, DatabaseUrl};
pub use idempotency::{Stored, idempotency_get, idempotency_insert, idempotency_sweep};
pub use identity::{IdentityConflict, conflict_note, conflicts_page};
pub use installation::Installation;
pub use migrations::SCHEMA_VERSION;
pub use outbox::{
    OutboxClaim, OutboxEnd, OutboxItem, OutboxState, outbox_claim, outbox_due, outbox_finish,
    outbox_get, outbox_insert, outbox_page, outbox_retry,
};
pub use read::Read;
pub use seal::{MasterKey, Sealer};
pub use store::{Options, Progress, Store};
pub use tx::{Tx, Verdict};
pub use value::Sql;
pub use verify::{VerifyReport, verify};
pub use workspace::{KeepIdentifiers, Workspace, WorkspaceSecret};

#[cfg(test)]
mod tests;
