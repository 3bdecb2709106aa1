//! Channels: the ways on which a person is reached, and what is said there.
//!
//! What it is not: how a provider is spoken to, which is the dialects' business; nor when, which is the outbox's.

use serde::{Deserialize, Serialize};
use sets::SetId;

use crate::{
    email::Email,
    error::{Error, Result},
    limits,
};

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

    /// An address as it is kept and compared: a phone number as E.164 has it (spaces, hyphens, dots and brackets are left
    /// out; `+` and the country's code are needed), an e-mail address as [`Email`] has it.
    pub(crate) fn address(self, text: &str) -> Result<String> {
        if !self.has_phone_numbers() {
            return Ok(Email::parse(text)?.as_str().to_owned());
        }
        let number: String = text
            .trim()
            .chars()
            .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')'))
            .collect();
        let digits = number.strip_prefix('+').unwrap_or_default();
        let good = (7..=15).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if good {
            return Ok(number);
        }
        let text = "A phone number needs + and the country's code, as in +1 212-555-2368.";
        Err(Error::invalid("address", "malformed", text))
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

/// A text for a person, of 1 to `max` characters; line breaks and tabs are the only control characters.
fn check_text(field: &'static str, text: &str, max: usize) -> Result<()> {
    let count = text.chars().count();
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if text.trim().is_empty() || count > max || text.contains(control) {
        let say = format!("It must be 1 to {max} characters without control characters.");
        return Err(Error::invalid(field, "malformed", say));
    }
    Ok(())
}

fn check_url(field: &'static str, url: &str) -> Result<()> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"');
    let good = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
    if good && url.chars().count() <= limits::CONTENT_URL_CHARS_MAX && !url.contains(odd) {
        return Ok(());
    }
    let say = format!(
        "A URL must be absolute, http or https, and at most {} characters.",
        limits::CONTENT_URL_CHARS_MAX
    );
    Err(Error::invalid(field, "malformed", say))
}

fn check_links(links: &[Link]) -> Result<()> {
    if links.len() > limits::LINKS_MAX {
        let say = format!("A message has at most {} links.", limits::LINKS_MAX);
        return Err(Error::invalid("actions", "too_many", say));
    }
    links.iter().try_for_each(|link| {
        check_text("actions", &link.text, limits::LINK_CHARS_MAX)?;
        check_url("actions", &link.url)
    })
}

impl Content {
    /// As plain text, as a channel without images and links shows it; what is in a provider's own words stays as it is.
    pub fn shown(&self) -> String {
        let (first, links) = match self {
            Content::Text { text, links } => (text.clone(), links.as_slice()),
            Content::Image {
                url, text, links, ..
            } => match text {
                Some(text) => (format!("{text}\n{url}"), links.as_slice()),
                None => (url.clone(), links.as_slice()),
            },
            Content::Native { json, .. } => return json.clone(),
        };
        links.iter().fold(first, |shown, link| {
            format!("{shown}\n{}: {}", link.text, link.url)
        })
    }

    /// The same with no more than so many characters of text.
    pub(crate) fn cut(self, chars_max: usize) -> Content {
        let short = |text: String| match text.char_indices().nth(chars_max) {
            Some((end, _)) => text[..end].to_owned(),
            None => text,
        };
        match self {
            Content::Text { text, links } => Content::Text {
                text: short(text),
                links,
            },
            Content::Image {
                url,
                alt,
                text,
                links,
            } => Content::Image {
                url,
                alt,
                text: text.map(short),
                links,
            },
            native @ Content::Native { .. } => native,
        }
    }

    /// Fails where it is too long, names what is no URL, or is in the words of another channel than this; where none is named,
    /// any will do.
    pub(crate) fn check(&self, channel: Option<Channel>) -> Result<()> {
        match self {
            Content::Text { text, links } => {
                check_text("content", text, limits::MESSAGE_CHARS_MAX)?;
                check_links(links)
            }
            Content::Image {
                url,
                alt,
                text,
                links,
            } => {
                check_url("content", url)?;
                for text in [alt, text].into_iter().flatten() {
                    check_text("content", text, limits::MESSAGE_CHARS_MAX)?;
                }
                check_links(links)
            }
            Content::Native { channel: own, json } => {
                let known = *own == Channel::WhatsApp && channel.is_none_or(|asked| asked == *own);
                let object = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>;
                if known && json.len() <= limits::NATIVE_BYTES_MAX && object(json).is_ok() {
                    return Ok(());
                }
                let say = "A provider's own words are a JSON object for a channel of WhatsApp.";
                Err(Error::invalid("content", "malformed", say))
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phone_number_has_a_country() {
        let phone = |text| Channel::Twilio.address(text);
        assert_eq!(phone("+1 212-555-2368"), Ok("+12125552368".into()));
        assert_eq!(phone(" +49 (151) 123.45.678 "), Ok("+4915112345678".into()));
        for wrong in [
            "",
            "+",
            "212 555 2368",
            "1 212 555 2368",
            "+0 212 555 2368",
            "+12345",
            "+1234567890123456",
            "+1212555x368",
            "++12125552368",
            "+1212555236\u{661}",
        ] {
            assert!(phone(wrong).is_err(), "{wrong}");
        }
        let mail = Channel::Mailgun.address("Ann@Example.ORG");
        assert_eq!(mail, Ok("Ann@example.org".into()));
        assert!(Channel::Mailgun.address("+12125552368").is_err());
    }

    #[test]
    fn what_is_said_is_within_limits() {
        let text = |text: &str| Content::Text {
            text: text.into(),
            links: Vec::new(),
        };
        assert_eq!(text("Hello\nthere").check(None), Ok(()));
        assert!(text(" ").check(None).is_err());
        assert!(text("a\0b").check(None).is_err());
        assert!(text(&"x".repeat(4_097)).check(None).is_err());
        let image = |url: &str| Content::Image {
            url: url.into(),
            alt: None,
            text: None,
            links: Vec::new(),
        };
        assert_eq!(image("https://example.org/a.png").check(None), Ok(()));
        for wrong in ["", "a.png", "https://", "file:///etc/passwd", "https://a b"] {
            assert!(image(wrong).check(None).is_err(), "{wrong}");
        }
        let native = |channel, json: &str| Content::Native {
            channel,
            json: json.into(),
        };
        let template = native(Channel::WhatsApp, "{\"type\":\"template\"}");
        assert_eq!(template.check(None), Ok(()));
        assert_eq!(template.check(Some(Channel::WhatsApp)), Ok(()));
        assert!(template.check(Some(Channel::Twilio)).is_err());
        assert!(native(Channel::Twilio, "{}").check(None).is_err());
        assert!(native(Channel::WhatsApp, "[]").check(None).is_err());
    }

    #[test]
    fn channels_are_written_and_read_back_and_have_sets_of_their_own() {
        let mut sets = Vec::new();
        for channel in Channel::ALL {
            assert_eq!(Channel::parse(channel.as_str()), Some(channel));
            sets.push(channel.set());
        }
        assert_eq!(sets, [-200, -201, -202, -203, -204]);
    }
}
