//! Events: what happened to audiences, and to people on their channels, as webhooks are told of it.
//!
//! What it is not: the activity log, which keeps everything for people. An event is kept only where a webhook wants it, and
//! only for a while. Invariants: an event and its deliveries are queued by the command that made it happen or not at all;
//! what it says of a person is sealed.

use serde::{Deserialize, Serialize};
use sets::Set;
use store::{Audience, EventRow, Sealer, Sql, Tx};

use crate::{
    audience_change::Moved,
    channel::ChannelError,
    client::{Client, ClientReason},
    conversation::{Conversation, Notice},
    error::{Error, Result},
    limits,
    message::Message,
    record::Record,
    webhook,
};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// A structure or audience was made.
    AudienceCreated,
    /// Its name, description, reference, rule or control is another.
    AudienceUpdated,
    /// It belongs to another structure.
    AudienceMoved,
    AudienceDeleted,
    /// People came in or went out.
    MembersChanged,
    /// Who may do what with it is another.
    ManagersChanged,
    /// A record of somebody is another, or gone.
    RecordUpdated,
    RecordDeleted,
    /// A client was linked or signed in, is confirmed or blocked, or was removed.
    ClientAdded,
    ClientUpdated,
    ClientRemoved,
    ConversationCreated,
    ConversationRemoved,
    /// Somebody takes part in a conversation, or no longer.
    ParticipantJoined,
    ParticipantLeft,
    MessagePosted,
    /// A channel took a message, or did not.
    MessageSent,
    MessageFailed,
    /// Somebody reads, or types.
    ConversationRead,
    ConversationTyping,
}

impl EventKind {
    pub const ALL: [EventKind; 20] = [
        EventKind::AudienceCreated,
        EventKind::AudienceUpdated,
        EventKind::AudienceMoved,
        EventKind::AudienceDeleted,
        EventKind::MembersChanged,
        EventKind::ManagersChanged,
        EventKind::RecordUpdated,
        EventKind::RecordDeleted,
        EventKind::ClientAdded,
        EventKind::ClientUpdated,
        EventKind::ClientRemoved,
        EventKind::ConversationCreated,
        EventKind::ConversationRemoved,
        EventKind::ParticipantJoined,
        EventKind::ParticipantLeft,
        EventKind::MessagePosted,
        EventKind::MessageSent,
        EventKind::MessageFailed,
        EventKind::ConversationRead,
        EventKind::ConversationTyping,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::AudienceCreated => "audience.created",
            EventKind::AudienceUpdated => "audience.updated",
            EventKind::AudienceMoved => "audience.moved",
            EventKind::AudienceDeleted => "audience.deleted",
            EventKind::MembersChanged => "audience.members_changed",
            EventKind::ManagersChanged => "audience.managers_changed",
            EventKind::RecordUpdated => "record.updated",
            EventKind::RecordDeleted => "record.deleted",
            EventKind::ClientAdded => "client.added",
            EventKind::ClientUpdated => "client.updated",
            EventKind::ClientRemoved => "client.removed",
            EventKind::ConversationCreated => "conversation.created",
            EventKind::ConversationRemoved => "conversation.removed",
            EventKind::ParticipantJoined => "conversation.joined",
            EventKind::ParticipantLeft => "conversation.left",
            EventKind::MessagePosted => "message.posted",
            EventKind::MessageSent => "message.sent",
            EventKind::MessageFailed => "message.failed",
            EventKind::ConversationRead => "conversation.read",
            EventKind::ConversationTyping => "conversation.typing",
        }
    }

    pub fn parse(text: &str) -> Option<EventKind> {
        EventKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// Whether it says something of an audience; the others say something of a person.
    pub fn is_of_audiences(self) -> bool {
        matches!(
            self,
            EventKind::AudienceCreated
                | EventKind::AudienceUpdated
                | EventKind::AudienceMoved
                | EventKind::AudienceDeleted
                | EventKind::MembersChanged
                | EventKind::ManagersChanged
        )
    }
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventData {
    Audience(AudienceEvent),
    Person(Box<PersonEvent>),
}

/// What an event says of a person on their channels: everything as it was just after, or as it was last where it is no
/// more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonEvent {
    pub record: Option<Record>,
    pub client: Option<Client>,
    pub conversation: Option<Conversation>,
    pub message: Option<Message>,
    /// Of a client: why.
    pub reason: Option<ClientReason>,
    /// Of a client that could not be linked, or a message that could not be sent: why not.
    pub error: Option<ChannelError>,
    /// Of what somebody does in a conversation; the organisation where there is no record.
    pub notice: Option<Notice>,
}

impl PersonEvent {
    /// Of which system's records it is.
    pub(crate) fn source(&self) -> Option<&str> {
        let of_record = self.record.as_ref().map(|record| record.source.as_str());
        let of_conversation = self.conversation.as_ref();
        of_record.or_else(|| of_conversation.map(|conversation| conversation.source.as_str()))
    }
}

/// What an event says of an audience as it was just after, or as it was last where it is no more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudienceEvent {
    pub audience: i64,
    /// Its structure; its own id where it is one.
    pub structure: i64,
    /// `structure`, `manual` or `smart`.
    pub kind: String,
    pub name: String,
    pub reference: Option<String>,
    /// Of a move: the structures that it was and is in.
    pub from: Option<i64>,
    pub to: Option<i64>,
    /// People who came in and went out.
    pub added: u64,
    pub removed: u64,
    /// Their numbers, where they are at most [`limits::EVENT_PEOPLE_MAX`]; empty otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub added_people: Vec<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed_people: Vec<u32>,
}

impl AudienceEvent {
    fn of(audience: &Audience) -> AudienceEvent {
        AudienceEvent {
            audience: audience.id,
            structure: audience.structure,
            kind: audience.kind.as_str().to_owned(),
            name: audience.name.clone(),
            reference: audience.reference.clone(),
            ..AudienceEvent::default()
        }
    }

    /// With who came and went.
    fn people(self, added: &Set, removed: &Set) -> AudienceEvent {
        AudienceEvent {
            added: added.len(),
            removed: removed.len(),
            added_people: few(added),
            removed_people: few(removed),
            ..self
        }
    }
}

fn few(people: &Set) -> Vec<u32> {
    if people.len() > limits::EVENT_PEOPLE_MAX {
        return Vec::new();
    }
    people.iter().collect()
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub id: i64,
    pub kind: EventKind,
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    /// Who did it: an account or a credential; 0 is the server itself.
    pub actor: i64,
    pub request_id: String,
    pub data: EventData,
}

impl Event {
    pub(crate) fn of(sealer: &Sealer, workspace: i64, row: EventRow) -> Result<Event> {
        let kind = EventKind::parse(&row.kind)
            .ok_or_else(|| Error::internal(format!("an event of the kind {:?}", row.kind)))?;
        let data = if kind.is_of_audiences() {
            serde_json::from_slice(&row.data).map(EventData::Audience)
        } else {
            let plain = sealer.open(&seal_context(workspace, row.id), &row.data)?;
            serde_json::from_slice(&plain).map(EventData::Person)
        };
        Ok(Event {
            id: row.id,
            kind,
            time: row.time,
            actor: row.actor,
            request_id: row.request_id,
            data: data.map_err(Error::internal)?,
        })
    }
}

/// What happened to a structure or audience, for [`announce`].
#[derive(Debug, Clone, Copy)]
pub(crate) enum Happening<'a> {
    Created,
    Updated,
    Moved(&'a Moved),
    /// With so many members.
    Deleted(u64),
    /// These came in and those went out.
    Members(&'a Set, &'a Set),
    Managers,
}

impl Happening<'_> {
    fn kind(self) -> EventKind {
        match self {
            Happening::Created => EventKind::AudienceCreated,
            Happening::Updated => EventKind::AudienceUpdated,
            Happening::Moved(_) => EventKind::AudienceMoved,
            Happening::Deleted(_) => EventKind::AudienceDeleted,
            Happening::Members(..) => EventKind::MembersChanged,
            Happening::Managers => EventKind::ManagersChanged,
        }
    }

    fn data(self, audience: &Audience) -> AudienceEvent {
        let data = AudienceEvent::of(audience);
        match self {
            Happening::Created | Happening::Updated | Happening::Managers => data,
            Happening::Moved(moved) => AudienceEvent {
                from: Some(moved.from),
                to: Some(moved.to),
                ..data.people(&moved.joined, &moved.left)
            },
            Happening::Deleted(removed) => AudienceEvent { removed, ..data },
            Happening::Members(came, went) => data.people(came, went),
        }
    }
}

/// Tells every webhook that wants to know, within the command that makes it happen: one event, and one item of the outbox
/// for each of them. Where none wants to know, this costs one query and leaves nothing. Of a move, who came and went are
/// those who joined the new structure and left the old one.
pub(crate) fn announce(
    tx: &mut Tx<'_, '_>,
    happening: Happening<'_>,
    audience: &Audience,
) -> Result<()> {
    let kind = happening.kind();
    let listening = webhook::listening(tx, kind, None)?;
    if listening.is_empty() {
        return Ok(());
    }
    let data = serde_json::to_vec(&happening.data(audience)).map_err(Error::internal)?;
    let event = tx.next_id();
    store::event_insert(tx, event, kind.as_str(), &data)?;
    for listener in &listening {
        listener.queue(tx, kind, event)?;
    }
    Ok(())
}

fn seal_context(workspace: i64, id: i64) -> String {
    format!("event {workspace}/{id}")
}

/// [`announce`] of what happened to a person of this source; what there is to say is asked for only where somebody listens.
/// Webhooks of a protocol that has its own records are told of no other source's.
pub(crate) fn announce_person(
    tx: &mut Tx<'_, '_>,
    sealer: &Sealer,
    kind: EventKind,
    source: &str,
    say: impl FnOnce(&mut Tx<'_, '_>) -> Result<PersonEvent>,
) -> Result<()> {
    let listening = webhook::listening(tx, kind, Some(source))?;
    if listening.is_empty() {
        return Ok(());
    }
    let said = say(tx)?;
    let plain = serde_json::to_vec(&said).map_err(Error::internal)?;
    let event = tx.next_id();
    let sealed = sealer.seal(&seal_context(tx.workspace(), event), &plain)?;
    store::event_insert(tx, event, kind.as_str(), &sealed)?;
    for listener in &listening {
        listener.queue(tx, kind, event)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_written_and_read_back() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(EventKind::parse("audience"), None);
    }

    #[test]
    fn people_are_named_while_they_are_few() {
        let set = |count: u32| Set::from_unsorted((0..count).collect());
        let data = AudienceEvent::default().people(&set(100), &set(101));
        assert_eq!((data.added, data.removed), (100, 101));
        assert_eq!(data.added_people.len(), 100);
        assert!(data.removed_people.is_empty());
    }
}
