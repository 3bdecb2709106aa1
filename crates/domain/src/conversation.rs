//! Conversations, and who takes part in them. What is said is in [`crate::message`].
//!
//! Invariant: a record takes part in a conversation at most once; the clients of a participant are linked ones of that
//! record, and the first of them is the one that is written to.

use serde::{Deserialize, Serialize};

use crate::{
    caller::{Caller, Context},
    channel::Channel,
    cursor::{CursorPage, CursorQuery},
    error::{Error, Result},
    record::RecordRef,
    service::Domain,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConversationKind {
    /// Of one person.
    Personal,
    Group,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    pub id: i64,
    /// Of which system's records.
    pub source: String,
    pub kind: ConversationKind,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub icon_url: Option<String>,
    /// A flat JSON object.
    pub metadata: String,
    /// The first personal one of its participant.
    pub is_default: bool,
    /// Milliseconds since the Unix epoch, as all times here.
    pub business_last_read: Option<i64>,
    /// When the last message came.
    pub last_updated: Option<i64>,
    pub created: i64,
}

#[derive(Debug, Clone)]
pub struct ConversationNew {
    pub kind: ConversationKind,
    pub display_name: Option<String>,
    pub description: Option<String>,
    pub icon_url: Option<String>,
    /// A flat JSON object; empty is `{}`.
    pub metadata: String,
    /// Exactly one of a personal conversation, at most ten of a group; true where the participant's newest client that
    /// is signed in by itself (`sdk`) is to be subscribed.
    pub participants: Vec<(RecordRef, bool)>,
}

/// What to change; what is absent stays, `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct ConversationChange {
    pub display_name: Option<Option<String>>,
    pub description: Option<Option<String>>,
    pub icon_url: Option<Option<String>>,
    /// Replaces all of it.
    pub metadata: Option<Option<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    pub id: i64,
    pub record: i64,
    /// The record's reference in its source.
    pub reference: Option<String>,
    /// Messages since it last read.
    pub unread: i64,
    pub last_read: Option<i64>,
    /// Its clients here, the first is written to.
    pub clients: Vec<(i64, Channel)>,
}

/// Who leaves.
#[derive(Debug, Clone)]
pub enum ParticipantRef {
    Id(i64),
    Record(RecordRef),
}

/// What is noticed in a conversation that is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    Read,
    TypingStart,
    TypingStop,
}

impl Domain {
    /// Needs the scope channels and every structure, as all of these.
    pub async fn conversation_create(
        &self,
        _context: &Context,
        _source: &str,
        _new: ConversationNew,
    ) -> Result<Conversation> {
        Err(Error::internal("not built"))
    }

    /// The conversations that a record takes part in.
    pub async fn conversation_list(
        &self,
        _caller: &Caller,
        _source: &str,
        _of: RecordRef,
        _page: &CursorQuery,
    ) -> Result<CursorPage<Conversation>> {
        Err(Error::internal("not built"))
    }

    pub async fn conversation_get(&self, _caller: &Caller, _id: i64) -> Result<Conversation> {
        Err(Error::internal("not built"))
    }

    pub async fn conversation_update(
        &self,
        _context: &Context,
        _id: i64,
        _change: ConversationChange,
    ) -> Result<Conversation> {
        Err(Error::internal("not built"))
    }

    /// Deletes a conversation with its participants and messages. The default one cannot be deleted (conflict).
    pub async fn conversation_delete(&self, _context: &Context, _id: i64) -> Result<()> {
        Err(Error::internal("not built"))
    }

    pub async fn participant_list(
        &self,
        _caller: &Caller,
        _conversation: i64,
        _page: &CursorQuery,
    ) -> Result<CursorPage<Participant>> {
        Err(Error::internal("not built"))
    }

    /// Joining again answers the participant as it is. A personal conversation takes nobody more.
    pub async fn participant_join(
        &self,
        _context: &Context,
        _source: &str,
        _conversation: i64,
        _who: RecordRef,
        _subscribe: bool,
    ) -> Result<Participant> {
        Err(Error::internal("not built"))
    }

    pub async fn participant_leave(
        &self,
        _context: &Context,
        _source: &str,
        _conversation: i64,
        _who: ParticipantRef,
    ) -> Result<()> {
        Err(Error::internal("not built"))
    }

    /// Notes that somebody reads or types; `who` is nothing for the organisation.
    pub async fn conversation_notice(
        &self,
        _context: &Context,
        _source: &str,
        _conversation: i64,
        _who: Option<RecordRef>,
        _notice: Notice,
    ) -> Result<()> {
        Err(Error::internal("not built"))
    }
}
