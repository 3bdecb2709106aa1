//! Messages of conversations: what the organisation and people said. A message of the organisation is sent to the first
//! linked client of each participant, through the outbox.
//!
//! Invariant: what a message says is sealed at rest.

use serde::{Deserialize, Serialize};

use crate::{
    caller::{Caller, Context},
    channel::{Channel, Content, Persona},
    cursor::{CursorPage, CursorQuery},
    error::{Error, Result},
    record::RecordRef,
    service::Domain,
};

/// Who said it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    Business(Persona),
    /// A participant: its record, and that's reference.
    Record {
        id: i64,
        reference: Option<String>,
        persona: Persona,
    },
}

/// By what way it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageSource {
    Api,
    Channel {
        channel: Channel,
        integration: Option<i64>,
        client: i64,
    },
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub id: i64,
    pub conversation: i64,
    pub author: Author,
    pub content: Content,
    /// A flat JSON object.
    pub metadata: Option<String>,
    pub source: MessageSource,
    /// Milliseconds since the Unix epoch.
    pub received: i64,
}

/// What people say goes into no log.
impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Message({}, ***)", self.id)
    }
}

/// Who says it, in a request.
#[derive(Debug, Clone)]
pub enum AuthorRef {
    Business(Persona),
    Record(RecordRef, Persona),
}

#[derive(Debug, Clone)]
pub struct MessageNew {
    pub author: AuthorRef,
    pub content: Content,
    /// A flat JSON object.
    pub metadata: Option<String>,
    /// To the clients through this integration, or on this channel, instead of the first one's.
    pub destination: Option<MessageDestination>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageDestination {
    Integration(i64),
    Channel(Channel),
}

impl Domain {
    /// Needs the scope channels and every structure, as all of these. Fails with *conflict* where the conversation holds as
    /// many messages as one may.
    pub async fn message_post(
        &self,
        _context: &Context,
        _source: &str,
        _conversation: i64,
        _new: MessageNew,
    ) -> Result<Message> {
        Err(Error::internal("not built"))
    }

    pub async fn message_list(
        &self,
        _caller: &Caller,
        _conversation: i64,
        _page: &CursorQuery,
    ) -> Result<CursorPage<Message>> {
        Err(Error::internal("not built"))
    }

    pub async fn message_delete(
        &self,
        _context: &Context,
        _conversation: i64,
        _id: i64,
    ) -> Result<()> {
        Err(Error::internal("not built"))
    }

    pub async fn messages_delete(&self, _context: &Context, _conversation: i64) -> Result<()> {
        Err(Error::internal("not built"))
    }
}
