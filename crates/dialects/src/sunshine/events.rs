//! How an event is told to a webhook: the vendor's body, and the webhook's secret itself in a header, which is how the vendor's
//! receivers know the sender.

use domain::{
    ChannelError, Client, ClientReason, Conversation, EventKind, IdKind, Message, MessageSource,
    Notice, OutboundRequest, PersonEvent, Record, WebhookClaim, rfc3339,
};
use serde::Serialize;

use super::{map, triggers, wire};
use crate::delivery;

const SECRET: &str = "x-api-key";

#[derive(Debug, Serialize)]
struct Body {
    app: Named,
    webhook: Hook,
    events: [Event; 1],
}

#[derive(Debug, Serialize)]
struct Named {
    id: String,
}

#[derive(Debug, Serialize)]
struct Hook {
    id: String,
    version: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    created_at: String,
    payload: Payload,
}

/// The members of all payloads; each event has its own of them.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<wire::ConversationTruncated>,
    #[serde(skip_serializing_if = "Option::is_none")]
    creation_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<wire::UserShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<wire::Client>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<MessageShown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<Activity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<wire::Source>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_final_event: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<wire::Source>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum MessageShown {
    Whole(Box<wire::Message>),
    Id(Named),
}

#[derive(Debug, Serialize)]
struct Activity {
    #[serde(rename = "type")]
    kind: &'static str,
    source: wire::Source,
    author: wire::Author,
}

#[derive(Debug, Serialize)]
struct Failure {
    code: String,
    message: String,
}

impl From<&ChannelError> for Failure {
    fn from(error: &ChannelError) -> Failure {
        Failure {
            code: error.code.clone(),
            message: error.text.clone(),
        }
    }
}

/// What an event is told from.
struct Told<'a> {
    workspace: i64,
    data: &'a PersonEvent,
    full_user: bool,
    full_source: bool,
}

/// The request that tells a subscriber of an event.
pub fn event_request(claim: &WebhookClaim, data: &PersonEvent) -> OutboundRequest {
    let (event, workspace) = (&claim.event, claim.workspace());
    let told = Told {
        workspace,
        data,
        full_user: claim.detail.record,
        full_source: claim.detail.client,
    };
    let body = Body {
        app: Named {
            id: map::app_id(workspace),
        },
        webhook: Hook {
            id: map::hex(workspace, IdKind::Webhook, claim.webhook),
            version: "v2",
        },
        events: [Event {
            id: map::hex(workspace, IdKind::Event, event.id),
            kind: triggers::word(event.kind).unwrap_or_default(),
            created_at: rfc3339(event.time),
            payload: told.payload(event.kind),
        }],
    };
    // There is room for one secret: while one follows another, the newer one is shown.
    let secret = claim.secrets.first().cloned().unwrap_or_default();
    delivery::post(claim, delivery::json(&body), vec![(SECRET, secret)])
}

impl Told<'_> {
    fn payload(&self, kind: EventKind) -> Payload {
        match kind {
            EventKind::ClientAdded | EventKind::ClientUpdated | EventKind::ClientRemoved => {
                self.of_client(kind)
            }
            EventKind::ConversationCreated => Payload {
                creation_reason: Some("none"),
                source: Some(map::plain_source(map::API)),
                ..self.of_conversation()
            },
            EventKind::ParticipantJoined | EventKind::ParticipantLeft => self.of_conversation(),
            EventKind::ConversationRemoved => Payload {
                user: None,
                ..self.of_conversation()
            },
            EventKind::MessagePosted => Payload {
                conversation: self.conversation(),
                message: self.data.message.as_ref().map(|it| self.whole(it)),
                ..Payload::default()
            },
            EventKind::MessageSent | EventKind::MessageFailed => self.of_delivery(),
            EventKind::ConversationRead | EventKind::ConversationTyping => Payload {
                conversation: self.conversation(),
                activity: self.data.notice.map(|notice| self.activity(notice)),
                ..Payload::default()
            },
            EventKind::RecordUpdated => Payload {
                user: self.whole_user(),
                source: Some(map::plain_source(map::API)),
                ..Payload::default()
            },
            EventKind::RecordDeleted => Payload {
                user: self.user(),
                ..Payload::default()
            },
            // Nobody of this protocol is told of audiences.
            EventKind::AudienceCreated
            | EventKind::AudienceUpdated
            | EventKind::AudienceMoved
            | EventKind::AudienceDeleted
            | EventKind::MembersChanged
            | EventKind::ManagersChanged => Payload::default(),
        }
    }

    fn shown(&self, record: &Record) -> wire::UserShown {
        match self.full_user {
            true => wire::UserShown::Full(Box::new(map::user(self.workspace, record))),
            false => wire::UserShown::Truncated(map::user_truncated(self.workspace, record)),
        }
    }

    fn user(&self) -> Option<wire::UserShown> {
        self.data.record.as_ref().map(|record| self.shown(record))
    }

    /// What is another of a user is told whole, whatever the webhook has asked for: the event is about nothing else.
    fn whole_user(&self) -> Option<wire::UserShown> {
        let record = self.data.record.as_ref()?;
        let user = map::user(self.workspace, record);
        Some(wire::UserShown::Full(Box::new(user)))
    }

    fn conversation(&self) -> Option<wire::ConversationTruncated> {
        let shown = |it: &Conversation| map::conversation_truncated(self.workspace, it);
        self.data.conversation.as_ref().map(shown)
    }

    fn of_conversation(&self) -> Payload {
        Payload {
            conversation: self.conversation(),
            user: self.user(),
            ..Payload::default()
        }
    }

    fn of_client(&self, kind: EventKind) -> Payload {
        let reason = self.data.reason;
        let shown = |it: &Client| map::client(self.workspace, it);
        Payload {
            client: self.data.client.as_ref().map(shown),
            reason: reason.map(map::reason),
            error: self.data.error.as_ref().map(Failure::from),
            source: match kind {
                EventKind::ClientUpdated => None,
                _ => reason.map(|reason| self.client_source(reason)),
            },
            ..self.of_conversation()
        }
    }

    /// Who made a client come or go: the API, the user's own program, or the channel.
    fn client_source(&self, reason: ClientReason) -> wire::Source {
        match reason {
            ClientReason::SignIn | ClientReason::SignOut => map::plain_source(map::SDK),
            ClientReason::Cancelled | ClientReason::Failed => self.channel_source(),
            ClientReason::Linking
            | ClientReason::Api
            | ClientReason::Theft
            | ClientReason::Matched
            | ClientReason::Confirmed
            | ClientReason::Blocked
            | ClientReason::Unblocked => map::plain_source(map::API),
        }
    }

    fn channel_source(&self) -> wire::Source {
        let Some(client) = &self.data.client else {
            return map::plain_source(map::API);
        };
        let integration = client.integration;
        wire::Source {
            integration_id: integration.map(|id| map::hex(self.workspace, IdKind::Integration, id)),
            ..map::plain_source(map::channel(client.channel))
        }
    }

    fn whole(&self, message: &Message) -> MessageShown {
        let mut shown = map::message(self.workspace, message);
        shown.author.user = match shown.author.user_id {
            Some(_) => self.user(),
            None => None,
        };
        if self.full_source && message.source != MessageSource::Api {
            let client = self.data.client.as_ref();
            shown.source.client = client.map(|client| map::client(self.workspace, client));
        }
        MessageShown::Whole(Box::new(shown))
    }

    fn of_delivery(&self) -> Payload {
        let id = |message: &Message| {
            MessageShown::Id(Named {
                id: map::hex(self.workspace, IdKind::Message, message.id),
            })
        };
        Payload {
            message: self.data.message.as_ref().map(id),
            destination: Some(self.channel_source()),
            // No channel here tells when something was read.
            is_final_event: Some(true),
            error: self.data.error.as_ref().map(Failure::from),
            ..self.of_conversation()
        }
    }

    fn activity(&self, notice: Notice) -> Activity {
        let author = match &self.data.record {
            None => wire::Author {
                kind: "business",
                ..wire::Author::default()
            },
            Some(record) => wire::Author {
                kind: "user",
                user_id: Some(map::hex(self.workspace, IdKind::Record, record.id)),
                user_external_id: record.reference.clone(),
                user: Some(self.shown(record)),
                ..wire::Author::default()
            },
        };
        Activity {
            kind: match notice {
                Notice::Read => "conversation:read",
                Notice::TypingStart => "typing:start",
                Notice::TypingStop => "typing:stop",
            },
            source: map::plain_source(map::API),
            author,
        }
    }
}
