//! Mailgun: mail sent through its Messages API (version 3), mail received through a route that forwards here, and its event
//! webhooks.
//!
//! Invariant: an answer that a machine wrote (out of office, a bounce) is nobody's activity, and neither is a mail whose
//! sender Mailgun found to be forged.

use std::borrow::Cow;

use domain::{ChannelError, Content, Hook, Inbound, InboundEvent, OutboundAnswer, SendOutcome};
use serde::Deserialize;
use serde_json::json;

use super::{
    incoming::{
        HookRequest, Malformed, Refused, cut, fresh, hex_mac_matches, item_of, name, raw, secret,
    },
    outgoing::{
        Bases, FORM, Outgoing, Step, basic, error, form, native_elsewhere, passing, plain, post,
        taken,
    },
};

/// How old a signature may be: Mailgun repeats what was not taken for eight hours, as it seems with its first signature. A
/// token is good once however old it is.
const AGE_S_MAX: i64 = 9 * 3_600;
/// How far ahead the provider's clock may be.
const AHEAD_S_MAX: i64 = 15 * 60;
/// The name under which an item's id travels with a mail and comes back in events.
const VARIABLE: &str = "throng-id";

pub(super) fn request(what: &Outgoing<'_>, bases: &Bases) -> Step {
    let needed = what.needed(["api_key", "domain", "incoming_address"]);
    let [api_key, domain, incoming] = match needed {
        Ok(needed) => needed,
        Err(error) => return Step::Impossible(error),
    };
    if matches!(what.content, Content::Native { .. }) {
        return native_elsewhere();
    }
    let shown = what.from.display_name.as_deref();
    let from = mailbox(shown.unwrap_or(what.app_name), incoming);
    let subject = line(what.subject);
    let (text, html) = (plain(what.content, true), html(what.content));
    let message_id = format!("<{}@{domain}>", what.id);
    let variable = format!("v:{VARIABLE}");
    let body = form(&[
        ("from", &from),
        ("to", what.to),
        ("subject", &subject),
        ("text", &text),
        ("html", &html),
        ("h:Message-Id", &message_id),
        ("h:Reply-To", incoming),
        (&variable, &what.id),
    ]);
    let url = format!("{}/v3/{}/messages", bases.mailgun, segment(domain));
    Step::Send(post(url, FORM, basic("api", api_key), body))
}

/// A name and an address as a header has them (RFC 5322 section 3.4); Mailgun encodes what is not ASCII.
fn mailbox(name: &str, address: &str) -> String {
    let name: String = line(name)
        .chars()
        .flat_map(|c| {
            matches!(c, '"' | '\\')
                .then_some('\\')
                .into_iter()
                .chain([c])
        })
        .collect();
    if name.is_empty() {
        return address.to_owned();
    }
    format!("\"{name}\" <{address}>")
}

/// What stands in a header is one line.
fn line(text: &str) -> String {
    let one: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    one.trim().to_owned()
}

/// As a segment of a path: a domain's characters, and nothing that could lead elsewhere.
fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn html(content: &Content) -> String {
    let mut out = String::new();
    let (text, links) = match content {
        Content::Text { text, links } => (Some(text), links),
        Content::Image {
            url,
            alt,
            text,
            links,
        } => {
            let alt = escaped(alt.as_deref().unwrap_or_default());
            out = format!("<p><img src=\"{}\" alt=\"{alt}\"></p>", escaped(url));
            (text.as_ref(), links)
        }
        Content::Native { .. } => return out,
    };
    if let Some(text) = text {
        let lines: Vec<Cow<'_, str>> = text.lines().map(escaped).collect();
        out.push_str(&format!("<p>{}</p>", lines.join("<br>")));
    }
    for link in links {
        let text = if link.text.is_empty() {
            &link.url
        } else {
            &link.text
        };
        let (url, text) = (escaped(&link.url), escaped(text));
        out.push_str(&format!("<p><a href=\"{url}\">{text}</a></p>"));
    }
    out
}

fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return text.into();
    }
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    let text = text.replace('>', "&gt;").replace('"', "&quot;");
    text.replace('\'', "&#39;").into()
}

#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
    message: Option<String>,
}

/// Mailgun has no codes of its own: the status is what there is.
pub(super) fn judged(answer: &OutboundAnswer) -> SendOutcome {
    let said = serde_json::from_slice::<Answer>(&answer.body).ok();
    if taken(answer) {
        return SendOutcome::Accepted {
            provider_id: said.and_then(|said| said.id),
        };
    }
    let text = said.and_then(|said| said.message);
    let told = error(answer.status, None, text.as_deref());
    let folded = text.unwrap_or_default().to_ascii_lowercase();
    if passing(answer.status) {
        SendOutcome::Again(told)
    } else if folded.contains("suppress") || folded.contains("unsubscribe") {
        SendOutcome::Blocked(told)
    } else {
        SendOutcome::Failed(told)
    }
}

#[derive(Deserialize)]
struct Signature {
    timestamp: String,
    token: String,
    signature: String,
}

#[derive(Deserialize)]
struct Webhook {
    signature: Signature,
    #[serde(rename = "event-data")]
    event: Option<Event>,
}

#[derive(Deserialize)]
struct Event {
    event: String,
    severity: Option<String>,
    reason: Option<String>,
    recipient: Option<String>,
    #[serde(rename = "delivery-status")]
    delivery: Option<Delivery>,
    reject: Option<Reject>,
    #[serde(rename = "user-variables", default)]
    variables: serde_json::Value,
}

#[derive(Deserialize)]
struct Delivery {
    code: Option<serde_json::Value>,
    message: Option<String>,
    description: Option<String>,
}

#[derive(Deserialize)]
struct Reject {
    reason: Option<String>,
    description: Option<String>,
}

/// The three parts of a signature, in an event's body or among a form's fields.
fn signature(request: &HookRequest<'_>) -> Option<Signature> {
    if request.is_json() {
        let webhook = serde_json::from_slice::<Webhook>(request.body()).ok()?;
        return Some(webhook.signature);
    }
    Some(Signature {
        timestamp: request.field("timestamp")?.to_owned(),
        token: request.field("token")?.to_owned(),
        signature: request.field("signature")?.to_owned(),
    })
}

/// HMAC-SHA256 in hexadecimal over timestamp and token, keyed with the account's signing key.
pub(super) fn verify(hook: &Hook, request: &HookRequest<'_>, now_ms: i64) -> Result<(), Refused> {
    let key = secret(hook, "signing_key")?;
    let given = signature(request).ok_or(Refused::Unsigned)?;
    let message = [given.timestamp.as_bytes(), given.token.as_bytes()];
    if !hex_mac_matches(key, &message, &given.signature) {
        return Err(Refused::Forged);
    }
    let time = given.timestamp.parse().map_err(|_| Refused::Forged)?;
    fresh(time, now_ms, AGE_S_MAX, AHEAD_S_MAX)
}

pub(super) fn events(hook: &Hook, request: &HookRequest<'_>) -> Result<Vec<Inbound>, Malformed> {
    if !request.is_json() {
        return Ok(vec![message(request)?]);
    }
    let webhook: Webhook =
        serde_json::from_slice(request.body()).map_err(|_| Malformed("not an event"))?;
    let event = webhook.event.ok_or(Malformed("no event-data"))?;
    let id = webhook.signature.token;
    let item = event.variables.get(VARIABLE).and_then(|id| id.as_str());
    let item = item.and_then(|id| item_of(hook, id));
    let out = matches!(event.event.as_str(), "unsubscribed" | "complained")
        || event.event == "failed"
            && matches!(
                event.reason.as_deref(),
                Some("suppress-unsubscribe" | "suppress-complaint")
            );
    let permanent = event.event == "failed" && event.severity.as_deref() != Some("temporary");
    let failed = permanent || event.event == "rejected";
    let mut found = Vec::new();
    if let Some(item) = item.filter(|_| failed) {
        let error = event.error();
        found.push(Inbound {
            id: id.clone(),
            event: InboundEvent::Failed { item, error },
        });
    }
    if let Some(from) = event.recipient.filter(|_| out) {
        let id = match found.is_empty() {
            true => id.clone(),
            false => format!("{id}:out"),
        };
        let event = InboundEvent::OptedOut { from };
        found.push(Inbound { id, event });
    }
    // The signature is over the token only, so that whoever overhears one could sign anything else with it.
    if found.is_empty() {
        let event = InboundEvent::Nothing;
        found.push(Inbound { id, event });
    }
    Ok(found)
}

impl Event {
    fn error(&self) -> ChannelError {
        let delivery = self.delivery.as_ref();
        let code = delivery.and_then(|delivery| match delivery.code.as_ref()? {
            serde_json::Value::String(code) => Some(code.clone()),
            code => code.as_i64().map(|code| code.to_string()),
        });
        let reject = self.reject.as_ref();
        let texts = [
            delivery.and_then(|delivery| delivery.message.as_deref()),
            delivery.and_then(|delivery| delivery.description.as_deref()),
            reject.and_then(|reject| reject.description.as_deref()),
            reject.and_then(|reject| reject.reason.as_deref()),
            self.reason.as_deref(),
        ];
        let text = texts
            .into_iter()
            .flatten()
            .find(|text| !text.is_empty())
            .unwrap_or("The mail could not be delivered.");
        let mut told = error(0, code, Some(text));
        if told.code == "http_0" {
            told.code = self.reason.clone().unwrap_or_else(|| self.event.clone());
        }
        told
    }
}

/// A mail that a route forwarded.
fn message(request: &HookRequest<'_>) -> Result<Inbound, Malformed> {
    let id = request.field("token").ok_or(Malformed("no token"))?;
    if automatic(request) || forged(request) {
        return Ok(Inbound {
            id: id.to_owned(),
            event: InboundEvent::Nothing,
        });
    }
    let header = request.field("from").or_else(|| request.field("From"));
    let header = header
        .or_else(|| request.field("sender"))
        .ok_or(Malformed("no sender"))?;
    let (called, from) = parsed(header);
    // The mail's own id too, lest it is signed anew; with its sender, since whoever writes a mail makes the id up.
    let mail = self::header(request, "message-id");
    let mail = mail.map(|mail| line(&format!("{from} {mail}")));
    let id = [Some(id.to_owned()), mail].into_iter().flatten();
    let id = id.collect::<Vec<_>>().join("\n");
    let stripped = request.field("stripped-text").map(str::trim);
    let whole = request.field("body-plain").map(str::trim);
    let subject = request.field("subject").map(str::trim);
    let text = [stripped, whole, subject]
        .into_iter()
        .flatten()
        .find(|text| !text.is_empty())
        .ok_or(Malformed("no text"))?;
    let content = Content::Text {
        text: cut(text),
        links: Vec::new(),
    };
    Ok(Inbound {
        id,
        event: InboundEvent::Message {
            from,
            name: called,
            raw: raw(&json!({ "from": header })),
            content,
        },
    })
}

/// The first header of this name, which is given in lower case.
fn header(request: &HookRequest<'_>, name: &str) -> Option<String> {
    let found = request.fields().iter();
    let mut found = found.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    if let Some((_, value)) = found.next() {
        return Some(value.trim().to_ascii_lowercase());
    }
    let headers = request.field("message-headers")?;
    let headers: Vec<(String, String)> = serde_json::from_str(headers).ok()?;
    let mut headers = headers.into_iter();
    let found = headers.find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim().to_ascii_lowercase())
}

/// Written by a machine (RFC 3834 section 5, and what came before it).
fn automatic(request: &HookRequest<'_>) -> bool {
    let auto = header(request, "auto-submitted");
    let precedence = header(request, "precedence");
    auto.is_some_and(|value| !value.starts_with("no") || value.starts_with("not"))
        || precedence.is_some_and(|value| matches!(value.as_str(), "bulk" | "junk" | "auto_reply"))
        || header(request, "x-autoreply").is_some()
        || header(request, "x-autorespond").is_some()
}

/// Where Mailgun checked both, and neither the sender's server nor a signature vouches for the sender.
fn forged(request: &HookRequest<'_>) -> bool {
    let spf = header(request, "x-mailgun-spf");
    let dkim = header(request, "x-mailgun-dkim-check-result");
    let fails = spf.is_some_and(|value| matches!(value.as_str(), "fail" | "softfail"));
    fails && dkim.is_none_or(|value| value != "pass")
}

/// Name and address of `"Ann" <ann@example.org>`.
fn parsed(header: &str) -> (Option<String>, String) {
    let Some((called, rest)) = header.rsplit_once('<') else {
        return (None, header.trim().to_owned());
    };
    let address = rest.split('>').next().unwrap_or_default().trim().to_owned();
    let called = called.trim();
    let quoted = called
        .strip_prefix('"')
        .and_then(|called| called.strip_suffix('"'));
    let called = match quoted {
        Some(called) => called.replace("\\\"", "\""),
        None => called.to_owned(),
    };
    (name(&called), address)
}
