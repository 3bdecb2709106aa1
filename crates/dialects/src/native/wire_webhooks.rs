//! The bodies of the webhooks' operations, and of what a webhook is sent. The ones that carry a secret are not `Debug`.

use domain::{
    AudienceEvent, ClientReason, ClientStatus, Event, EventData, EventKind, NATIVE, PersonEvent,
    Webhook as View, WebhookNew, rfc3339,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{problem::Problem, time};

/// Where events are sent. Its secret is shown once, when it is made or rotated.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Webhook {
    #[schema(example = 12)]
    pub id: i64,
    /// The protocol in which events are written and signed: `native` is Standard Webhooks.
    #[schema(example = "native")]
    pub dialect: String,
    #[schema(example = "https://example.org/throng")]
    pub url: String,
    /// What it wants; empty means everything, also what later versions know.
    #[schema(example = json!(["audience.created", "audience.members_changed"]))]
    pub events: Vec<&'static str>,
    #[schema(format = DateTime)]
    pub created: String,
    /// When it was made or its secret was rotated.
    #[schema(format = DateTime)]
    pub updated: String,
}

impl From<View> for Webhook {
    fn from(view: View) -> Webhook {
        Webhook {
            id: view.id,
            dialect: view.dialect,
            url: view.url,
            events: view.events.into_iter().map(EventKind::as_str).collect(),
            created: rfc3339(view.created),
            updated: rfc3339(view.updated),
        }
    }
}

/// A webhook with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookShown {
    #[serde(flatten)]
    pub webhook: Webhook,
    /// As Standard Webhooks has it: base64 after `whsec_`.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=")]
    pub secret: String,
}

impl From<(View, String)> for WebhookShown {
    fn from((webhook, secret): (View, String)) -> WebhookShown {
        WebhookShown {
            webhook: webhook.into(),
            secret,
        }
    }
}

/// A webhook's new secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookSecret {
    #[schema(example = 12)]
    pub id: i64,
    /// The one before it signs too for 24 hours more.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=")]
    pub secret: String,
}

/// A webhook to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookCreate {
    /// Absolute, at most 2,048 characters, without user and password: `https` to a public address, or what the server's
    /// operator allows in `outbound.allow`.
    #[schema(max_length = 2_048, example = "https://example.org/throng")]
    url: String,
    /// Of audiences `audience.created`, `audience.updated`, `audience.moved`, `audience.deleted`, `audience.members_changed`
    /// and `audience.managers_changed`; of people `record.updated`, `record.deleted`, `client.added`, `client.updated`,
    /// `client.removed`, `conversation.created`, `conversation.removed`, `conversation.joined`, `conversation.left`,
    /// `conversation.read`, `conversation.typing`, `message.posted`, `message.sent` and `message.failed`. Absent or empty means
    /// everything.
    #[serde(default)]
    #[schema(max_items = 100, example = json!(["audience.created", "audience.members_changed"]))]
    events: Vec<String>,
}

/// More are a mistake.
const EVENTS_MAX: usize = 100;

impl TryFrom<WebhookCreate> for WebhookNew {
    type Error = Problem;

    fn try_from(body: WebhookCreate) -> Result<WebhookNew, Problem> {
        let unknown = || {
            let known = EventKind::ALL.map(EventKind::as_str).join(", ");
            let detail = format!("An event is not known. The events are: {known}.");
            Problem::invalid("events", "unknown", detail)
        };
        if body.events.len() > EVENTS_MAX {
            return Err(unknown());
        }
        let events = body.events.iter().map(|word| EventKind::parse(word));
        Ok(WebhookNew {
            dialect: NATIVE.into(),
            url: body.url,
            events: events.collect::<Option<_>>().ok_or_else(unknown)?,
            secret: None,
            integration: None,
            detail: domain::Detail::default(),
        })
    }
}

/// From when on events are sent again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookReplay {
    /// What happened then or later. Events are kept for 30 days.
    #[schema(format = DateTime, example = "2026-11-22T02:10:44.000Z")]
    since: String,
}

impl WebhookReplay {
    pub(crate) fn since_ms(&self) -> Result<i64, Problem> {
        time::parse(&self.since).ok_or_else(|| {
            Problem::invalid(
                "since",
                "malformed",
                "It must be a time as in 2026-11-22T02:10:44.000Z.",
            )
        })
    }
}

/// What a replay did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WebhookReplayed {
    /// Events that are queued again.
    #[schema(example = 42)]
    pub queued: u64,
}

/// What a webhook is sent: the body that Standard Webhooks recommends.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventBody<'a> {
    #[serde(rename = "type")]
    #[schema(example = "audience.members_changed")]
    kind: &'static str,
    /// When it happened.
    #[schema(format = DateTime)]
    timestamp: String,
    data: EventBodyData<'a>,
}

/// What happened to an audience, or to a person on their channels.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum EventBodyData<'a> {
    Audience(AudienceBodyData<'a>),
    Person(PersonBodyData<'a>),
}

/// What happened to which audience: as it was just after, or as it was last where it is no more.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AudienceBodyData<'a> {
    /// The id of the audience or structure.
    #[schema(example = 3)]
    audience: i64,
    /// The id of its structure.
    #[schema(example = 1)]
    structure: i64,
    /// `structure`, `manual` or `smart`.
    #[schema(example = "manual")]
    kind: &'a str,
    #[schema(example = "Newsletter")]
    name: &'a str,
    reference: Option<&'a str>,
    /// Of a move: the structures that it was and is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<i64>,
    /// People who came in.
    #[schema(example = 2)]
    added: u64,
    /// People who went out.
    #[schema(example = 0)]
    removed: u64,
    /// The numbers of those who came in; empty where they are more than 100.
    added_people: &'a [u32],
    removed_people: &'a [u32],
    /// Who did it: the id of an account or a credential; 0 is the server itself.
    #[schema(example = 7)]
    actor: i64,
    /// The id of the request that did it.
    request: &'a str,
}

impl<'a> From<&'a Event> for EventBody<'a> {
    fn from(event: &'a Event) -> EventBody<'a> {
        let data = match &event.data {
            EventData::Audience(data) => EventBodyData::Audience(of_audience(event, data)),
            EventData::Person(data) => EventBodyData::Person(of_person(event, data)),
        };
        EventBody {
            kind: event.kind.as_str(),
            timestamp: rfc3339(event.time),
            data,
        }
    }
}

fn of_audience<'a>(event: &'a Event, data: &'a AudienceEvent) -> AudienceBodyData<'a> {
    AudienceBodyData {
        audience: data.audience,
        structure: data.structure,
        kind: &data.kind,
        name: &data.name,
        reference: data.reference.as_deref(),
        from: data.from,
        to: data.to,
        added: data.added,
        removed: data.removed,
        added_people: &data.added_people,
        removed_people: &data.removed_people,
        actor: event.actor,
        request: &event.request_id,
    }
}

/// Numbers and words only: who somebody is, and what they said, is asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonBodyData<'a> {
    /// The person's number.
    #[schema(example = 17)]
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<u32>,
    /// The id of the record, and the name of the system that keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
    /// The id of the client, its channel and where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'static str>,
    #[schema(value_type = Option<String>, example = "active")]
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<ClientStatus>,
    /// Of a client: why, as in `confirmed` or `theft`.
    #[schema(value_type = Option<String>, example = "confirmed")]
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<ClientReason>,
    /// Why something could not be linked or sent: the provider's code, or a word of this server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<i64>,
    /// Who did it: the id of an account or a credential; 0 is the server itself.
    #[schema(example = 7)]
    actor: i64,
    /// The id of the request that did it.
    request: &'a str,
}

fn of_person<'a>(event: &'a Event, data: &'a PersonEvent) -> PersonBodyData<'a> {
    let (record, client) = (data.record.as_ref(), data.client.as_ref());
    PersonBodyData {
        person: record.map(|record| record.person),
        record: record.map(|record| record.id),
        source: record.map(|record| record.source.as_str()),
        client: client.map(|client| client.id),
        channel: client.map(|client| client.channel.as_str()),
        status: client.map(|client| client.status),
        reason: data.reason,
        error: data.error.as_ref().map(|error| error.code.as_str()),
        conversation: data.conversation.as_ref().map(|one| one.id),
        message: data.message.as_ref().map(|message| message.id),
        actor: event.actor,
        request: &event.request_id,
    }
}
