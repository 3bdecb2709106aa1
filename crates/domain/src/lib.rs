//! The rules: who may do what to audiences and the people in them, whatever protocol asks.
//!
//! What it is: nouns, their checks, and one verb a function; each verb is one command or one read of the store.
//! What it is not: no HTTP, no vendor's word, no SQL. Dialects translate to and from these types and decide nothing.
//! Invariant: a verb answers `Err` only after nothing, or only what the error says, was stored.

mod access;
mod account;
mod account_change;
mod activity;
mod audience;
mod caller;
mod clock;
mod consent;
mod directory;
mod email;
mod error;
mod group;
mod id;
mod identifier;
mod identity_provider;
mod key;
pub mod limits;
mod membership;
mod money;
mod password;
mod permission;
mod person;
mod random;
mod rate;
mod secret;
mod service;
mod session;
mod throttle;
mod token;
mod way_in;
mod workspace;

pub use access::{CredentialNew, CredentialSecret, CredentialView, NATIVE};
pub use account::{
    AccountPage, AccountQuery, AccountRef, AccountView, CallLimit, Per, Role, group_permissions,
};
pub use account_change::{
    AccountChange, AccountNew, Bulk, Entrance, Excess, Refusal, RefusalKind,
};
pub use audience::{AudienceChange, AudienceCounts, AudienceNew, Counted, StructureNew};
pub use caller::{Caller, Context, Keyed, Mount, Portfolio, Scope, Scopes, Visit};
pub use consent::ConsentNew;
pub use directory::{Filter, Sort, SortBy};
pub use email::Email;
pub use group::{GroupChange, GroupNew, GroupRef};
pub use identity_provider::IdentityProvider;
pub use key::{KeyChange, KeyNew, KeySecret, KeyView};
pub use money::Money;
pub use permission::{ACTIONS, Permission, Permissions, RESOURCES, SITE};
pub use session::{Door, SignedIn};
pub use clock::{Clock, rfc3339};
pub use error::{Denied, Error, Field, Result};
pub use id::{DialectId, IdKind};
pub use identifier::{Batch, BatchBuilder, Invalid, Kind, Question, QuestionBuilder};
pub use membership::{MemberOutcome, MembersEmptied};
pub use random::Random;
pub use rate::{Rate, RateLimit};
pub use service::{Domain, Options};
pub use store::{
    Account, Consent, Group, LedgerEntry, Session,
    Activity, Audience, AudienceKind, Control, IdentityConflict, KeepIdentifiers, Workspace,
};
pub use token::AccessToken;
pub use workspace::{DEFAULT_SLUG, WorkspaceNew};
