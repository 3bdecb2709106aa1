//! The rules: who may do what to audiences and the people in them, whatever protocol asks.
//!
//! What it is: nouns, their checks, and one verb a function; each verb is one command or one read of the store.
//! What it is not: no HTTP, no vendor's word, no SQL. Dialects translate to and from these types and decide nothing.
//! Invariant: a verb answers `Err` only after nothing, or only what the error says, was stored.

mod access;
mod account;
mod account_change;
mod account_new;
mod activity;
mod app_key;
mod audience;
mod audience_change;
mod audience_delete;
mod audience_list;
mod batch;
mod caller;
mod catalogue;
mod channel;
mod channel_send;
mod client;
mod client_device;
mod client_link;
mod clock;
mod consent;
mod conversation;
mod cursor;
mod derived;
mod directory;
mod email;
mod error;
mod evaluator;
mod event;
mod fill;
mod formula;
mod formula_text;
mod group;
mod id;
mod identifier;
mod identity_provider;
mod inbound;
mod integration;
mod job;
mod key;
pub mod limits;
mod lookup;
mod mail;
mod manager;
mod member_ask;
mod member_list;
mod member_named;
mod membership;
mod message;
mod money;
mod openid;
mod outbound;
mod outbox;
mod overlap;
mod participant;
mod password;
mod permission;
mod person;
mod random;
mod rate;
mod reach;
mod record;
mod record_fields;
mod rule;
mod secret;
mod service;
mod session;
mod texts;
mod throttle;
mod token;
mod tree;
mod uses;
mod way_in;
mod webhook;
mod webhook_new;
mod workspace;

pub use access::{CredentialNew, CredentialSecret, CredentialView, NATIVE};
pub use account::{
    AccountPage, AccountQuery, AccountRef, AccountView, CallLimit, Per, Role, group_permissions,
};
pub use account_change::{AccountChange, Excess};
pub use account_new::{AccountNew, Bulk, Entrance, Refusal, RefusalKind};
pub use app_key::SignedClaims;
pub use audience::{AudienceCounts, AudienceNew, Counted, Placed, StructureNew};
pub use audience_change::{AudienceChange, Changed, Moved, MovedCounts};
pub use audience_delete::Deletion;
pub use audience_list::TreeQuery;
pub use batch::{Batch, BatchBuilder, Question, QuestionBuilder};
pub use caller::{Caller, Context, Keyed, Mount, Portfolio, Scope, Scopes, Visit};
pub use channel::{Channel, ChannelError, Content, Link, Persona};
pub use channel_send::{ChannelClaim, SendOutcome};
pub use client::{Client, ClientNew, ClientReason, ClientStatus, Confirmation};
pub use clock::{Clock, rfc3339};
pub use consent::ConsentNew;
pub use conversation::{
    Conversation, ConversationChange, ConversationKind, ConversationNew, Notice,
};
pub use cursor::{CursorPage, CursorQuery};
pub use directory::{Filter, Sort, SortBy};
pub use email::Email;
pub use error::{Denied, Error, Field, Result};
pub use event::{AudienceEvent, Event, EventData, EventKind, PersonEvent};
pub use fill::{FillForm, fill_kind_set, fill_people};
pub use formula::{AudienceName, Formula, Named, Operand, Placement};
pub use group::{GroupChange, GroupNew, GroupRef};
pub use id::{DialectId, IdKind};
pub use identifier::{Invalid, Kind};
pub use identity_provider::{Authorization, IdentityProvider};
pub use inbound::{Hook, Inbound, InboundEvent};
pub use integration::{FieldSpec, Integration, IntegrationChange, IntegrationKind, IntegrationNew};
pub use job::Job;
pub use key::{KeyChange, KeyNew, KeyPage, KeySecret, KeyView};
pub use lookup::{LookedUp, Lookup};
pub use mail::{AmountChange, Envelope, Language, Mail, MailText};
pub use manager::{Grants, Manager};
pub use member_list::{Member, MemberPage, RecordBrief, Window};
pub use member_named::{Partial, Refused};
pub use membership::{MemberOutcome, MembersEmptied, Whose, not_too_many};
pub use message::{Author, AuthorRef, Message, MessageDestination, MessageNew, MessageSource};
pub use money::Money;
pub use outbound::{
    Outbound, OutboundAnswer, OutboundError, OutboundFuture, OutboundMethod, OutboundRefused,
    OutboundRequest,
};
pub use outbox::{MailClaim, OutboxDetail, OutboxKind, OutboxView, Retry, SendError, mail_queue};
pub use overlap::{Overlap, OverlapAgainst, Region};
pub use participant::{Participant, ParticipantRef};
pub use permission::{ACTIONS, Permission, Permissions, RESOURCES, SITE};
pub use random::Random;
pub use rate::{Rate, RateLimit};
pub use reach::{Measured, Reach};
pub use record::{Record, RecordChange, RecordNew, RecordQuery, RecordRef, RecordState};
pub use rule::Rule;
pub use service::{Domain, Options};
pub use session::{Door, SignedIn};
pub use sets::Set;
pub use store::{
    Account, Activity, Audience, AudienceKind, Consent, Control, Group, IdentityConflict,
    KeepIdentifiers, LedgerEntry, Session, Workspace,
};
pub use token::AccessToken;
pub use tree::AudienceRef;
pub use way_in::Purpose;
pub use webhook::{Detail, Webhook, WebhookChange, WebhookClaim, WebhookNew};
pub use workspace::{DEFAULT_SLUG, WorkspaceNew};
