//! Messages of conversations: what the organisation and people said. A message of the organisation is sent to the first
//! linked client of each participant, through the outbox.
//!
//! Invariant: what a message says is sealed at rest.

use serde::{Deserialize, Serialize};
use store::{
    ClientRow, ConversationRow, MessageRow, ParticipantRow, RecordRow, Sealer, Sql, Tx, Verdict,
};

use crate::{
    caller::{Caller, Context},
    channel::{Channel, Content, Persona},
    channel_send,
    client::{Client, ClientStatus, need},
    conversation::{self, find},
    cursor::{CursorPage, CursorQuery},
    error::{Error, Result},
    event::{self, EventKind, PersonEvent},
    limits,
    participant::{self, in_conversation},
    record::{self, RecordRef},
    service::Domain,
    texts,
};

const NOUN: &str = "message";

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

/// What is sealed of a message. Who wrote it is in its row; how they are called elsewhere may change.
#[derive(Clone, Serialize, Deserialize)]
struct Body {
    #[serde(default)]
    persona: Persona,
    content: Content,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    metadata: Option<String>,
    source: MessageSource,
}

fn seal_context(workspace: i64, id: i64) -> String {
    format!("message {workspace}/{id}")
}

/// A message of a record that may have been deleted since.
fn of_row(sql: &mut dyn Sql, sealer: &Sealer, row: MessageRow) -> Result<Message> {
    let plain = sealer.open(&seal_context(sql.workspace(), row.id), &row.body)?;
    let body: Body = serde_json::from_slice(&plain).map_err(Error::internal)?;
    let author = match row.author {
        None => Author::Business(body.persona),
        Some(id) => Author::Record {
            id,
            reference: store::record_get(sql, id)?.and_then(|record| record.reference),
            persona: body.persona,
        },
    };
    Ok(Message {
        id: row.id,
        conversation: row.conversation,
        author,
        content: body.content,
        metadata: body.metadata,
        source: body.source,
        received: row.created,
    })
}

/// A message, if it is still there.
pub(crate) fn get(
    sql: &mut dyn Sql,
    sealer: &Sealer,
    conversation: i64,
    id: i64,
) -> Result<Option<Message>> {
    let row = store::message_get(sql, conversation, id)?;
    row.map(|row| of_row(sql, sealer, row)).transpose()
}

/// Fails where a name or picture is too long or malformed.
pub(crate) fn check_persona(persona: &Persona) -> Result<()> {
    let (name, avatar) = (persona.display_name.clone(), persona.avatar_url.clone());
    texts::optional("display_name", name, limits::NAME_CHARS_MAX)?;
    texts::optional("avatar_url", avatar, limits::ICON_URL_CHARS_MAX)?;
    Ok(())
}

/// Stores what was said, counts it, and tells of it; `client` is what it came from.
fn insert(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    conversation: &ConversationRow,
    author: Option<&RecordRow>,
    client: Option<&Client>,
    body: Body,
) -> Result<Message> {
    if conversation.messages >= limits::MESSAGES_MAX {
        return Err(Error::Conflict(
            "The conversation holds as many messages as one may.",
        ));
    }
    let (workspace, now, id) = (tx.workspace(), tx.meta().time, tx.next_id());
    let plain = serde_json::to_vec(&body).map_err(Error::internal)?;
    let row = MessageRow {
        id,
        conversation: conversation.id,
        author: author.map(|record| record.id),
        body: sealer.seal(&seal_context(workspace, id), &plain)?,
        created: now,
    };
    store::message_insert(tx, &row)?;
    let mut conversation = conversation.clone();
    conversation.messages += 1;
    conversation.last_updated = Some(now);
    store::conversation_update(tx, &conversation)?;
    store::participants_missed(tx, conversation.id, row.author)?;
    let message = of_row(tx, sealer, row)?;
    let source = conversation.source.clone();
    event::announce_person(tx, sealer, EventKind::MessagePosted, &source, |_| {
        Ok(PersonEvent {
            record: author.cloned().map(record::of),
            client: client.cloned(),
            conversation: Some(conversation::of_row(conversation)),
            message: Some(message.clone()),
            ..PersonEvent::default()
        })
    })?;
    Ok(message)
}

/// Stores what a person wrote on a channel, in a conversation as it is now. Fails with *conflict* where that is full.
pub(crate) fn insert_inbound(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    conversation: &ConversationRow,
    record: &RecordRow,
    client: &Client,
    content: Content,
    persona: Persona,
) -> Result<Message> {
    let body = Body {
        persona,
        content,
        metadata: None,
        source: MessageSource::Channel {
            channel: client.channel,
            integration: client.integration,
            client: client.id,
        },
    };
    insert(tx, sealer, conversation, Some(record), Some(client), body)
}

impl MessageDestination {
    fn is(self, client: &ClientRow) -> bool {
        match self {
            MessageDestination::Integration(id) => client.integration == Some(id),
            MessageDestination::Channel(channel) => client.kind == channel.as_str(),
        }
    }
}

/// The client that a participant is written to: the first active one of its clients here; where a destination is named, the
/// first there, or else the newest of the person's that was not heard of here yet. What is in a provider's own words goes to
/// that provider's only.
fn target(
    sql: &mut dyn Sql,
    participant: &ParticipantRow,
    destination: Option<MessageDestination>,
    content: &Content,
) -> Result<Option<ClientRow>> {
    let fits = |client: &ClientRow| {
        let speaks = match content {
            Content::Native { channel, .. } => client.kind == channel.as_str(),
            Content::Text { .. } | Content::Image { .. } => true,
        };
        speaks
            && client.status == ClientStatus::Active.as_str()
            && destination.is_none_or(|destination| destination.is(client))
    };
    for id in &participant.clients {
        if let Some(client) = store::client_get(sql, *id)?.filter(fits) {
            return Ok(Some(client));
        }
    }
    if destination.is_none() {
        return Ok(None);
    }
    let limit = limits::CLIENTS_MAX as i64;
    let others = store::clients_of_record(sql, participant.record, limit)?;
    Ok(others.into_iter().rev().find(fits))
}

/// Queues a message of the organisation for everybody who can be reached.
fn send(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    message: &Message,
    destination: Option<MessageDestination>,
) -> Result<()> {
    for participant in participant::all(tx, message.conversation)? {
        if let Some(client) = target(tx, &participant, destination, &message.content)? {
            channel_send::queue_message(tx, sealer, &client, message)?;
        }
    }
    Ok(())
}

impl Domain {
    /// Needs the scope channels and every structure, as all of these. Fails with *conflict* where the conversation holds as
    /// many messages as one may.
    pub async fn message_post(
        &self,
        context: &Context,
        source: &str,
        conversation: i64,
        new: MessageNew,
    ) -> Result<Message> {
        need(&context.caller)?;
        new.content.check(match new.destination {
            Some(MessageDestination::Channel(channel)) => Some(channel),
            Some(MessageDestination::Integration(_)) | None => None,
        })?;
        let (who, persona) = match new.author {
            AuthorRef::Business(persona) => (None, persona),
            AuthorRef::Record(who, persona) => (Some(who), persona),
        };
        check_persona(&persona)?;
        let body = Body {
            persona,
            content: new.content,
            metadata: new.metadata.as_deref().map(texts::flat).transpose()?,
            source: MessageSource::Api,
        };
        let (source, destination) = (source.to_owned(), new.destination);
        let sealer = self.store().sealer().clone();
        self.command(context, "message_post", 1, move |tx| {
            let row = find(tx, Some(&source), conversation)?;
            if let Some(MessageDestination::Integration(id)) = destination {
                store::integration_get(tx, id)?.ok_or(Error::NotFound("integration"))?;
            }
            let author = match &who {
                Some(who) => Some(in_conversation(tx, &row, who)?.0),
                None => None,
            };
            let message = insert(tx, &sealer, &row, author.as_ref(), None, body.clone())?;
            if author.is_none() {
                send(tx, &sealer, &message, destination)?;
            }
            store::activity_insert(tx, Some(row.id), &format!("message={}", message.id))?;
            Ok(Verdict::Done(message))
        })
        .await
    }

    pub async fn message_list(
        &self,
        caller: &Caller,
        conversation: i64,
        page: &CursorQuery,
    ) -> Result<CursorPage<Message>> {
        need(caller)?;
        let (slice, page) = (page.slice()?, *page);
        let sealer = self.store().sealer().clone();
        self.store()
            .read(caller.workspace, move |read| {
                find(read, None, conversation)?;
                let rows = store::message_page(read, conversation, slice)?;
                let rows = rows.into_iter().map(|row| of_row(read, &sealer, row));
                let found: Result<Vec<_>> = rows.collect();
                Ok(page.page(found?))
            })
            .await
    }

    /// Deletes a message; when the last one came stays as it was.
    pub async fn message_delete(
        &self,
        context: &Context,
        conversation: i64,
        id: i64,
    ) -> Result<()> {
        need(&context.caller)?;
        self.command(context, "message_delete", 1, move |tx| {
            let mut row = find(tx, None, conversation)?;
            if !store::message_delete(tx, conversation, id)? {
                return Err(Error::NotFound(NOUN));
            }
            row.messages -= 1;
            store::conversation_update(tx, &row)?;
            store::activity_insert(tx, Some(conversation), &format!("message={id}"))?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Deletes all messages of a conversation; when the last one came stays as it was.
    pub async fn messages_delete(&self, context: &Context, conversation: i64) -> Result<()> {
        need(&context.caller)?;
        self.command(context, "messages_delete", 1, move |tx| {
            let mut row = find(tx, None, conversation)?;
            store::messages_delete(tx, conversation)?;
            row.messages = 0;
            store::conversation_update(tx, &row)?;
            store::activity_insert(tx, Some(conversation), "")?;
            Ok(Verdict::Done(()))
        })
        .await
    }
}
