//! Channels: the ways on which a person is reached, and what is said there.
//!
//! What it is not: how a provider is spoken to, which is the dialects' business; nor when, which is the outbox's.

use serde::{Deserialize, Serialize};
use sets::SetId;

/// On what a client is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Mail through Mailgun.
    Mailgun,
    /// Text messages through Twilio.
    Twilio,
    /// Text messages through MessageBird.
    MessageBird,
    /// WhatsApp through Meta's Cloud API.
    WhatsApp,
    /// A program of one's own, signed in with a key of the workspace.
    Sdk,
}

/// The set of those with an active client of the first channel; those of the others follow below it.
const FIRST_SET: SetId = -200;

impl Channel {
    pub const ALL: [Channel; 5] = [
        Channel::Mailgun,
        Channel::Twilio,
        Channel::MessageBird,
        Channel::WhatsApp,
        Channel::Sdk,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Channel::Mailgun => "mailgun",
            Channel::Twilio => "twilio",
            Channel::MessageBird => "messagebird",
            Channel::WhatsApp => "whatsapp",
            Channel::Sdk => "sdk",
        }
    }

    pub fn parse(text: &str) -> Option<Channel> {
        Channel::ALL
            .into_iter()
            .find(|channel| channel.as_str() == text)
    }

    /// Whether its addresses are phone numbers; those of the others are e-mail addresses, or there are none.
    pub fn has_phone_numbers(self) -> bool {
        matches!(
            self,
            Channel::Twilio | Channel::MessageBird | Channel::WhatsApp
        )
    }

    /// The set of the people who have an active client on it; `verify_rows` in the store knows it too.
    pub(crate) fn set(self) -> SetId {
        FIRST_SET - self as i64
    }
}

/// A link below a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub text: String,
    pub url: String,
}

/// What a message says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    Text {
        text: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        links: Vec<Link>,
    },
    Image {
        url: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alt: Option<String>,
        /// Below the image.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        links: Vec<Link>,
    },
    /// The body of a message in the provider's own words, as JSON: templates that the provider has approved. WhatsApp only.
    Native { channel: Channel, json: String },
}

impl Content {
    pub(crate) fn check(&self, _channel: Option<Channel>) -> crate::error::Result<()> {
        Ok(())
    }
}

/// What people say goes into no log.
impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Content::Text { .. } => "Text(***)",
            Content::Image { .. } => "Image(***)",
            Content::Native { .. } => "Native(***)",
        })
    }
}

/// Who says something for the organisation, as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Persona {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
}

/// Why a provider did not take something, or could not deliver it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelError {
    /// The provider's own code, or a word of ours.
    pub code: String,
    /// For people; without the person's address.
    pub text: String,
}
