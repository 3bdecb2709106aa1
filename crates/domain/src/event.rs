//! Events: what happened to audiences and their members, as webhooks are told of it.
//!
//! What it is not: the activity log, which keeps everything for people. An event is kept only where a webhook wants it, and
//! only for a while. Invariant: an event and its deliveries are queued by the command that made it happen or not at all.

use serde::{Deserialize, Serialize};
use sets::Set;
use store::{Audience, EventRow, Tx};

use crate::{
    audience_change::Moved,
    error::{Error, Result},
    limits, webhook,
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
}

impl EventKind {
    pub const ALL: [EventKind; 6] = [
        EventKind::AudienceCreated,
        EventKind::AudienceUpdated,
        EventKind::AudienceMoved,
        EventKind::AudienceDeleted,
        EventKind::MembersChanged,
        EventKind::ManagersChanged,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            EventKind::AudienceCreated => "audience.created",
            EventKind::AudienceUpdated => "audience.updated",
            EventKind::AudienceMoved => "audience.moved",
            EventKind::AudienceDeleted => "audience.deleted",
            EventKind::MembersChanged => "audience.members_changed",
            EventKind::ManagersChanged => "audience.managers_changed",
        }
    }

    pub fn parse(text: &str) -> Option<EventKind> {
        EventKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// What an event says: of the audience as it was just after, or as it was last where it is no more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventData {
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

impl EventData {
    fn of(audience: &Audience) -> EventData {
        EventData {
            audience: audience.id,
            structure: audience.structure,
            kind: audience.kind.as_str().to_owned(),
            name: audience.name.clone(),
            reference: audience.reference.clone(),
            ..EventData::default()
        }
    }

    /// With who came and went.
    fn people(self, added: &Set, removed: &Set) -> EventData {
        EventData {
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
    pub(crate) fn of(row: EventRow) -> Result<Event> {
        let kind = EventKind::parse(&row.kind)
            .ok_or_else(|| Error::internal(format!("an event of the kind {:?}", row.kind)))?;
        Ok(Event {
            id: row.id,
            kind,
            time: row.time,
            actor: row.actor,
            request_id: row.request_id,
            data: serde_json::from_slice(&row.data).map_err(Error::internal)?,
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

    fn data(self, audience: &Audience) -> EventData {
        let data = EventData::of(audience);
        match self {
            Happening::Created | Happening::Updated | Happening::Managers => data,
            Happening::Moved(moved) => EventData {
                from: Some(moved.from),
                to: Some(moved.to),
                ..data.people(&moved.joined, &moved.left)
            },
            Happening::Deleted(removed) => EventData { removed, ..data },
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
    let listening = webhook::listening(tx, kind)?;
    if listening.is_empty() {
        return Ok(());
    }
    let data = serde_json::to_vec(&happening.data(audience)).map_err(Error::internal)?;
    let event = store::event_insert(tx, kind.as_str(), &data)?;
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
        let data = EventData::default().people(&set(100), &set(101));
        assert_eq!((data.added, data.removed), (100, 101));
        assert_eq!(data.added_people.len(), 100);
        assert!(data.removed_people.is_empty());
    }
}
