//! What all providers' requests and answers have in common.

use std::{borrow::Cow, collections::BTreeMap};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    ChannelClaim, ChannelError, Content, DialectId, IdKind, IntegrationKind, Link, OutboundAnswer,
    OutboundError, OutboundMethod, OutboundRequest, Persona, SendOutcome,
};

use crate::limits;

/// Where the providers are, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bases {
    pub mailgun: String,
    pub twilio: String,
    pub messagebird: String,
    /// With the version of the Graph API.
    pub whatsapp: String,
}

impl Default for Bases {
    fn default() -> Bases {
        Bases {
            mailgun: "https://api.mailgun.net".into(),
            twilio: "https://api.twilio.com".into(),
            messagebird: "https://rest.messagebird.com".into(),
            whatsapp: "https://graph.facebook.com/v23.0".into(),
        }
    }
}

/// What has to be done for an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// This takes it to the provider.
    Send(OutboundRequest),
    /// The number that it is sent from has to be asked for first; the answer, told by [`super::looked_up`], holds for
    /// everything with the same key.
    LookUp {
        key: String,
        request: OutboundRequest,
    },
    /// Nothing is said, and the integration has what saying something needs: the channel is there.
    Nothing,
    /// It cannot leave: something that sending needs is not there.
    Impossible(ChannelError),
}

/// An item, as the providers' files need it.
pub(super) struct Outgoing<'a> {
    pub kind: IntegrationKind,
    pub fields: &'a BTreeMap<String, String>,
    pub to: &'a str,
    pub subject: &'a str,
    pub from: &'a Persona,
    pub app_name: &'a str,
    pub content: &'a Content,
    pub hook_url: &'a str,
    /// The same for all attempts at this item.
    pub id: String,
}

impl<'a> Outgoing<'a> {
    /// The claim, with these words.
    pub fn of(claim: &'a ChannelClaim, content: &'a Content) -> Outgoing<'a> {
        Outgoing {
            kind: claim.kind,
            fields: &claim.fields,
            to: &claim.to,
            subject: &claim.subject,
            from: &claim.from,
            app_name: &claim.app_name,
            content,
            hook_url: &claim.hook_url,
            id: item_id(claim.workspace(), claim.id()),
        }
    }

    /// Fields of the integration, all of which have to be there.
    pub fn needed<const N: usize>(
        &self,
        names: [&'static str; N],
    ) -> Result<[&'a str; N], ChannelError> {
        let missing = names.into_iter().filter(|name| self.field(name).is_none());
        let missing: Vec<&str> = missing.collect();
        if missing.is_empty() {
            return Ok(names.map(|name| self.field(name).unwrap_or_default()));
        }
        Err(not_configured(&missing.join(" and ")))
    }

    pub fn field(&self, name: &str) -> Option<&'a str> {
        let value = self.fields.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }
}

pub(super) fn not_configured(what: &str) -> ChannelError {
    ChannelError {
        code: "not_configured".into(),
        text: format!("The integration lacks {what}: set it with `throng channel set`."),
    }
}

pub(super) fn item_id(workspace: i64, id: i64) -> String {
    let kind = IdKind::Outbox;
    DialectId {
        workspace,
        kind,
        id,
    }
    .to_hex()
}

pub(super) fn basic(user: &str, password: &str) -> (&'static str, String) {
    let both = STANDARD.encode(format!("{user}:{password}"));
    ("authorization", format!("Basic {both}"))
}

/// A request within the limits that hold for every provider.
pub(super) fn post(
    url: String,
    kind: &'static str,
    authorization: (&'static str, String),
    body: Vec<u8>,
) -> OutboundRequest {
    OutboundRequest {
        method: OutboundMethod::Post,
        url,
        headers: vec![
            ("content-type", kind.to_owned()),
            ("accept", "application/json".to_owned()),
            authorization,
        ],
        body,
        bytes_max: limits::PROVIDER_ANSWER_BYTES_MAX,
        time_max: limits::PROVIDER_TIME_MAX,
    }
}

pub(super) const FORM: &str = "application/x-www-form-urlencoded";
pub(super) const JSON: &str = "application/json";

pub(super) fn form(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    form.finish().into_bytes()
}

/// What a person reads on a channel that knows neither links nor, unless they go beside it, images.
pub(super) fn plain(content: &Content, with_image: bool) -> String {
    let mut lines: Vec<Cow<'_, str>> = Vec::new();
    let links: &[Link] = match content {
        Content::Text { text, links } => {
            lines.push(text.into());
            links
        }
        Content::Image {
            url,
            alt,
            text,
            links,
        } => {
            lines.extend(text.as_deref().or(alt.as_deref()).map(Cow::from));
            if with_image {
                lines.push(url.into());
            }
            links
        }
        Content::Native { .. } => &[],
    };
    lines.extend(links.iter().map(shown));
    lines.join("\n")
}

fn shown(link: &Link) -> Cow<'_, str> {
    if link.text.is_empty() || link.text == link.url {
        return (&link.url).into();
    }
    format!("{}: {}", link.text, link.url).into()
}

pub(super) fn native_elsewhere() -> Step {
    Step::Impossible(ChannelError {
        code: "unsupported_content".into(),
        text: "The message is written in the words of another channel.".into(),
    })
}

/// Why there is no answer, without what the operator's network looks like.
pub(super) fn no_answer(error: &OutboundError) -> SendOutcome {
    let told = |code: &str, text: &str| ChannelError {
        code: code.into(),
        text: text.into(),
    };
    match error {
        OutboundError::Refused(_) => SendOutcome::Failed(told(
            "not_allowed",
            "This server may not reach the provider's URL: its operator allows hosts in outbound.allow.",
        )),
        OutboundError::Unreachable(_) => {
            SendOutcome::Again(told("unreachable", "The provider cannot be reached."))
        }
        OutboundError::TimedOut => SendOutcome::Again(told(
            "timed_out",
            "The provider did not answer in time; it may have taken the message.",
        )),
        OutboundError::TooLarge => {
            SendOutcome::Again(told("too_large", "The provider's answer is too large."))
        }
    }
}

pub(super) fn taken(answer: &OutboundAnswer) -> bool {
    (200..300).contains(&answer.status)
}

/// Whether a status alone says that another attempt may succeed.
pub(super) fn passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..)
}

/// An error in the provider's own words and code; the status stands for what it does not say.
pub(super) fn error(status: u16, code: Option<String>, text: Option<&str>) -> ChannelError {
    let text = text.map(masked).filter(|text| !text.is_empty());
    ChannelError {
        code: code.unwrap_or_else(|| format!("http_{status}")),
        text: text.unwrap_or_else(|| format!("The provider answered {status}.")),
    }
}

/// One line, not too long, without e-mail addresses and whatever has as many digits as a phone number.
pub(super) fn masked(text: &str) -> String {
    let separates = |c: char| c.is_whitespace() || "<>,;:()[]{}\"'=&?".contains(c);
    let words = text.split_inclusive(separates).map(|word| {
        let bare = word.trim_end_matches(separates);
        if bare.contains('@') || bare.to_ascii_lowercase().contains("%40") {
            format!("***{}", &word[bare.len()..])
        } else {
            word.to_owned()
        }
    });
    let line: String = words.collect();
    let line = without_numbers(&line);
    let line = line.chars().map(|c| if c.is_control() { ' ' } else { c });
    let line: String = line.take(limits::PROVIDER_ERROR_CHARS_MAX).collect();
    line.trim().to_owned()
}

/// Digits of a phone number, fewest: providers' codes have six at most.
const NUMBER_DIGITS_MIN: usize = 7;

fn without_numbers(text: &str) -> String {
    let joins = |c: char| " -.()/".contains(c);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit() || c == '+') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        // Up to the last digit that only such characters separate from the one before.
        let (mut end, mut digits, mut gap) = (0, 0, 0);
        for (at, c) in rest.char_indices() {
            if c.is_ascii_digit() {
                (end, digits, gap) = (at + 1, digits + 1, 0);
            } else if at > 0 && joins(c) && gap < 2 {
                gap += 1;
            } else if at > 0 {
                break;
            }
        }
        let end = end.max(1);
        out.push_str(if digits >= NUMBER_DIGITS_MIN {
            "***"
        } else {
            &rest[..end]
        });
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}
