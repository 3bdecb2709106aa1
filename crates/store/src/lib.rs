//! Keeps what the domain decides: one serial order of commands per workspace over SQLite or PostgreSQL.
//!
//! What it is: connections, the committer, the read side, the log and its replay into the set engine,
//! migrations, backup and verification, and one file of SQL functions for each noun.
//! What it is not: no rule of the product lives here, and no HTTP.
//! Invariant: what is published in the engine is exactly what the log in the database says up to its `seq`.

mod account;
mod account_group;
mod activity;
mod audience;
mod backup;
mod cache_folder;
mod change;
mod checkpoint;
mod client;
mod committer;
mod connection;
mod consent;
mod conversation;
mod credential;
mod error;
mod event;
mod fill;
mod folder;
mod head;
mod idempotency;
mod identity;
mod installation;
mod integration;
mod job;
mod keys;
mod keyset;
mod ledger;
mod load;
mod loader;
mod manager;
mod message;
mod migrations;
mod outbox;
mod participant;
mod postgres_engine;
mod read;
mod rebuild;
mod record;
mod seal;
mod session;
mod sqlite_engine;
mod store;
mod throttle;
mod tx;
mod uses;
mod value;
mod verify;
mod verify_rows;
mod view;
mod webhook;
mod workspace;

pub use account::{
    Account, AccountEntry, account_by_email, account_by_username, account_delete,
    account_entries_since, account_get, account_insert, account_page, account_seen_now,
    account_touch, account_update, accounts_count, accounts_get, accounts_gone_since,
    accounts_seen_since, administrator_exists,
};
pub use account_group::{
    Group, group_by_uid, group_delete, group_get, group_ids_of_account, group_insert,
    group_member_delete, group_member_insert, group_members, group_memberships,
    group_memberships_between, group_memberships_of, group_update, groups_all, groups_of_account,
};
pub use activity::{Activity, activity_insert, activity_page};
pub use audience::{
    Audience, AudienceKind, Control, TreeFilter, TreeNode, audience_by_name, audience_by_reference,
    audience_delete, audience_get, audience_insert, audience_page, audience_update,
    audiences_control, audiences_count, audiences_delete_later, audiences_deleting,
    audiences_holding, audiences_manual, audiences_of, structures_page, tree_changed, tree_count,
    tree_nodes, tree_page,
};
pub use backup::{BackupReport, OnTable, backup, restore};
pub use client::{
    ClientRow, channel_block, channel_blocked, channel_unblock, client_active_beside,
    client_delete, client_get, client_insert, client_update, clients_at, clients_count,
    clients_expired, clients_of_integration, clients_of_record, clients_page, inbound_seen,
    inbound_sweep,
};
pub use committer::Meta;
pub use consent::{
    Consent, consent_by_other, consent_get, consent_put, consented_people, consents_delete,
    consents_of, policies, policies_count, policy_insert, policy_set,
};
pub use conversation::{
    ConversationRow, conversation_delete, conversation_get, conversation_has_default,
    conversation_insert, conversation_page_of, conversation_update,
};
pub use credential::{
    Credential, SigningKey, TokenOwner, credential_get, credential_insert, credential_page,
    credential_page_of, credential_revoke, credential_slice_of_accounts, credential_update,
    credentials_count_of, credentials_of_integration, credentials_revoke_of,
    credentials_revoke_of_integration, signing_keys, token_owner,
};
pub use error::Error;
pub use event::{EventRow, event_get, event_insert, event_page, event_sweep};
pub use fill::{FillAudience, FillFound, FillOptions, FillPeople, Filler};
pub use folder::{DataFolder, DatabaseUrl};
pub use idempotency::{Stored, idempotency_get, idempotency_insert, idempotency_sweep};
pub use identity::{IdentityConflict, conflict_note, conflicts_page};
pub use installation::Installation;
pub use integration::{
    INTEGRATION_KINDS, IntegrationRow, integration_by_hook, integration_delete, integration_get,
    integration_insert, integration_page, integration_update, integrations_count,
};
pub use job::{JobRow, job_finish, job_get, job_insert, job_page, job_step, jobs_open};
pub use keys::Identifiers;
pub use keyset::{Keyset, Side};
pub use ledger::{LedgerEntry, ledger_insert, ledger_page};
pub use manager::{
    ManagerRow, managed_by, manager_delete, manager_get, manager_put, managers_clear, managers_of,
};
pub use message::{
    MessageRow, message_delete, message_get, message_insert, message_page, messages_delete,
};
pub use migrations::SCHEMA_VERSION;
pub use outbox::{
    OUTBOX_BESIDE_MAX, OutboxClaim, OutboxEnd, OutboxItem, OutboxState, outbox_claim, outbox_due,
    outbox_end, outbox_finish, outbox_get, outbox_insert, outbox_page, outbox_retry, outbox_sweep,
    outbox_sweep_dead,
};
pub use participant::{
    ParticipantRow, participant_clients, participant_delete, participant_get, participant_insert,
    participant_of, participant_page, participant_read, participants_count_of_record,
    participants_missed, participants_of_record,
};
pub use read::Read;
pub use record::{
    RecordFilter, RecordName, RecordRow, record_by_email, record_by_reference, record_delete,
    record_end, record_get, record_insert, record_names, record_update, records_count,
    records_ended, records_of, records_page,
};
pub use seal::{MasterKey, Sealer};
pub use session::{
    AccountIdentity, AccountToken, EXPECTED_SUBJECT, Session, account_identities,
    account_identities_between, account_identities_of, account_identity_delete,
    account_identity_get, account_identity_insert, account_token_get, account_token_insert,
    account_tokens_delete, account_ways_in_delete, session_end, session_get, session_insert,
    sessions_end, sessions_end_oldest, sessions_live, sessions_sweep,
};
pub use store::{Lookup, Options, Progress, Store};
pub use throttle::{Throttle, throttle_delete, throttle_get, throttle_put, throttle_sweep};
pub use tx::{Tx, Verdict};
pub use uses::{Use, Used, uses_note};
pub use value::Sql;
pub use verify::{VerifyReport, verify};
pub use view::View;
pub use webhook::{
    WebhookListening, WebhookRow, webhook_delete, webhook_get, webhook_insert, webhook_page,
    webhook_rotate, webhook_secrets_sweep, webhook_update, webhooks_count, webhooks_delete_of,
    webhooks_listening,
};
pub use workspace::{KeepIdentifiers, Workspace, WorkspaceSecret};

#[cfg(test)]
mod cache_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;
