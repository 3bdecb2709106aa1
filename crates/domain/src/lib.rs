//! The rules: who may do what to audiences and the people in them, whatever protocol asks.
//!
//! What it is: nouns, their checks, and one verb a function; each verb is one command or one read of the store.
//! What it is not: no HTTP, no vendor's word, no SQL. Dialects translate to and from these types and decide nothing.
//! Invariant: a verb answers `Err` only after nothing, or only what the error says, was stored.

mod access;
mod activity;
mod audience;
mod caller;
mod clock;
mod error;
mod id;
mod identifier;
pub mod limits;
mod mail;
mod membership;
mod outbound;
mod outbox;
mod person;
mod random;
mod rate;
mod secret;
mod service;
mod token;
mod workspace;

pub use access::{CredentialNew, CredentialSecret, CredentialView, NATIVE};
pub use audience::{AudienceChange, AudienceCounts, AudienceNew, Counted, StructureNew};
pub use caller::{Caller, Context, Keyed, Mount, Portfolio, Scope, Scopes};
pub use clock::{Clock, rfc3339};
pub use error::{Denied, Error, Field, Result};
pub use id::{DialectId, IdKind};
pub use identifier::{Batch, BatchBuilder, Invalid, Kind, Question, QuestionBuilder};
pub use mail::{AmountChange, Envelope, Language, Mail, MailText};
pub use membership::{MemberOutcome, MembersEmptied};
pub use outbound::{
    Outbound, OutboundAnswer, OutboundError, OutboundFuture, OutboundMethod, OutboundRefused,
    OutboundRequest,
};
pub use outbox::{MailClaim, OutboxDetail, OutboxView, SendError, mail_queue};
pub use random::Random;
pub use rate::{Rate, RateLimit};
pub use service::{Domain, Options};
pub use store::{
    Activity, Audience, AudienceKind, Control, IdentityConflict, KeepIdentifiers, Workspace,
};
pub use token::AccessToken;
pub use workspace::{DEFAULT_SLUG, WorkspaceNew};
