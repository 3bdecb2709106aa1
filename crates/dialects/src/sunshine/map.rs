//! Between the domain's values and the vendor's: pure conversions.

use domain::{
    Author, Channel, Client, ClientReason, ClientStatus, Content, Conversation, ConversationKind,
    CredentialView, DialectId, IdKind, Link, Message, MessageSource, Participant, Persona, Record,
    Workspace, rfc3339,
};
use serde_json::{Map, Value};

use super::{auth::key_id, profile, wire};

/// The source of a message or an event that came by the API.
pub const API: &str = "api:public";
/// The source of what a user's own program did.
pub const SDK: &str = "sdk";

/// An id as the vendor writes it: 24 hexadecimal digits.
pub fn hex(workspace: i64, kind: IdKind, id: i64) -> String {
    DialectId {
        workspace,
        kind,
        id,
    }
    .to_hex()
}

/// The id of the app that a workspace is.
pub fn app_id(workspace: i64) -> String {
    hex(workspace, IdKind::Workspace, workspace)
}

/// An object of text that was kept; an empty one where it is none.
fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Never an empty text.
fn some(text: &Option<String>) -> Option<String> {
    text.clone().filter(|text| !text.is_empty())
}

fn time(time_ms: Option<i64>) -> Option<String> {
    time_ms.map(rfc3339)
}

pub fn user(workspace: i64, record: &Record) -> wire::User {
    let kept = profile::Kept::read(&record.profile);
    wire::User {
        id: hex(workspace, IdKind::Record, record.id),
        external_id: some(&record.reference),
        signed_up_at: kept.text(profile::SIGNED_UP_AT),
        to_be_retained: kept.flag(profile::TO_BE_RETAINED),
        profile: wire::Profile {
            given_name: some(&record.first_name),
            surname: some(&record.last_name),
            // As it was written, where that is another way of writing the address.
            email: kept.text(profile::EMAIL).or_else(|| some(&record.email)),
            avatar_url: kept.text(profile::AVATAR_URL),
            locale: kept.text(profile::LOCALE),
        },
        metadata: kept.metadata(),
        identities: [],
    }
}

pub fn user_truncated(workspace: i64, record: &Record) -> wire::UserTruncated {
    wire::UserTruncated {
        id: hex(workspace, IdKind::Record, record.id),
        external_id: some(&record.reference),
    }
}

pub fn client(workspace: i64, client: &Client) -> wire::Client {
    let given = |text: &Option<String>| text.as_deref().map(object);
    wire::Client {
        id: hex(workspace, IdKind::Client, client.id),
        kind: channel(client.channel),
        status: match client.status {
            ClientStatus::Pending => "pending",
            ClientStatus::Active => "active",
            ClientStatus::Blocked => "blocked",
            ClientStatus::Inactive => "inactive",
        },
        integration_id: client
            .integration
            .map(|id| hex(workspace, IdKind::Integration, id)),
        external_id: some(&client.address),
        last_seen: time(client.last_seen),
        linked_at: time(client.linked_at),
        display_name: some(&client.display_name),
        avatar_url: some(&client.avatar_url),
        info: given(&client.info),
        raw: given(&client.raw),
    }
}

/// The vendor's word for a channel, in clients, sources and integrations.
pub fn channel(channel: Channel) -> &'static str {
    match channel {
        Channel::Mailgun => "mailgun",
        Channel::Twilio => "twilio",
        Channel::MessageBird => "messagebird",
        Channel::WhatsApp => "whatsapp",
        Channel::Sdk => "sdk",
    }
}

fn kind(kind: ConversationKind) -> &'static str {
    match kind {
        ConversationKind::Personal => "personal",
        ConversationKind::Group => "sdkGroup",
    }
}

pub fn conversation(workspace: i64, conversation: &Conversation) -> wire::Conversation {
    wire::Conversation {
        id: hex(workspace, IdKind::Conversation, conversation.id),
        kind: kind(conversation.kind),
        metadata: object(&conversation.metadata),
        is_default: conversation.is_default,
        display_name: some(&conversation.display_name),
        description: some(&conversation.description),
        icon_url: some(&conversation.icon_url),
        business_last_read: time(conversation.business_last_read),
        last_updated_at: time(conversation.last_updated),
        created_at: rfc3339(conversation.created),
    }
}

pub fn conversation_truncated(
    workspace: i64,
    conversation: &Conversation,
) -> wire::ConversationTruncated {
    wire::ConversationTruncated {
        id: hex(workspace, IdKind::Conversation, conversation.id),
        kind: kind(conversation.kind),
        metadata: object(&conversation.metadata),
    }
}

pub fn participant(workspace: i64, participant: &Participant) -> wire::Participant {
    let association = |(id, on): &(i64, Channel)| wire::ClientAssociation {
        kind: channel(*on),
        client_id: hex(workspace, IdKind::Client, *id),
    };
    wire::Participant {
        id: hex(workspace, IdKind::Participant, participant.id),
        user_id: hex(workspace, IdKind::Record, participant.record),
        user_external_id: some(&participant.reference),
        unread_count: participant.unread,
        last_read: time(participant.last_read),
        client_associations: participant.clients.iter().map(association).collect(),
    }
}

pub fn message(workspace: i64, message: &Message) -> wire::Message {
    wire::Message {
        id: hex(workspace, IdKind::Message, message.id),
        received: rfc3339(message.received),
        author: author(workspace, &message.author),
        content: content(&message.content),
        source: source(workspace, &message.source),
        metadata: message.metadata.as_deref().map(object),
    }
}

pub fn author(workspace: i64, author: &Author) -> wire::Author {
    let shown = |kind, persona: &Persona| wire::Author {
        kind,
        display_name: some(&persona.display_name),
        avatar_url: some(&persona.avatar_url),
        ..wire::Author::default()
    };
    match author {
        Author::Business(persona) => shown("business", persona),
        Author::Record {
            id,
            reference,
            persona,
        } => wire::Author {
            user_id: Some(hex(workspace, IdKind::Record, *id)),
            user_external_id: some(reference),
            ..shown("user", persona)
        },
    }
}

fn source(workspace: i64, source: &MessageSource) -> wire::Source {
    match source {
        MessageSource::Api => plain_source(API),
        MessageSource::Channel {
            channel: on,
            integration,
            ..
        } => wire::Source {
            integration_id: integration.map(|id| hex(workspace, IdKind::Integration, id)),
            ..plain_source(channel(*on))
        },
    }
}

pub fn plain_source(kind: &'static str) -> wire::Source {
    wire::Source {
        kind,
        integration_id: None,
        client: None,
    }
}

fn content(content: &Content) -> wire::Content {
    let actions = |links: &[Link]| {
        let action = |link: &Link| wire::Action {
            kind: "link",
            text: link.text.clone(),
            uri: link.url.clone(),
        };
        links.iter().map(action).collect()
    };
    match content {
        Content::Text { text, links } => wire::Content::Text {
            text: text.clone(),
            actions: actions(links),
        },
        Content::Image {
            url,
            alt,
            text,
            links,
        } => wire::Content::Image {
            media_url: url.clone(),
            alt_text: some(alt),
            text: some(text),
            actions: actions(links),
        },
        Content::Native { json, .. } => wire::Content::Template {
            template: object(json).remove("template").unwrap_or_default(),
        },
    }
}

/// Why something became of a client, as the three events of clients say it.
pub fn reason(reason: ClientReason) -> &'static str {
    match reason {
        ClientReason::Linking => "channelLinking",
        ClientReason::SignIn => "sdkLogin",
        ClientReason::Matched => "matched",
        ClientReason::Confirmed => "confirmed",
        ClientReason::Blocked => "blocked",
        ClientReason::Unblocked => "unblocked",
        ClientReason::Api => "api",
        ClientReason::Cancelled => "linkCancelled",
        ClientReason::Failed => "linkFailed",
        ClientReason::SignOut => "sdk",
        ClientReason::Theft => "theft",
    }
}

pub fn key(workspace: i64, view: &CredentialView, secret: Option<String>) -> wire::Key {
    let account = view.scopes.split(' ').any(|scope| scope == "admin");
    wire::Key {
        id: key_id(workspace, view.id, account),
        display_name: view.name.clone(),
        secret,
    }
}

pub fn app(workspace: &Workspace) -> wire::App {
    wire::App {
        id: app_id(workspace.id),
        display_name: workspace.name.clone(),
        settings: wire::AppSettings {
            multi_convo_enabled: true,
        },
        metadata: wire::Nothing {},
    }
}
