//! Twilio: text messages sent as its Messages resource (2010-04-01), those received and their fates through its webhooks.

use domain::{Content, Hook, Inbound, InboundEvent, OutboundAnswer, OutboundRequest, SendOutcome};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha1::Sha1;

use super::{
    incoming::{HookRequest, Malformed, Refused, base64_matches, cut, item_of, name, raw, secret},
    outgoing::{
        Bases, FORM, Outgoing, Step, basic, error, form, native_elsewhere, not_configured, passing,
        plain, post, taken,
    },
};

const SIGNATURE: &str = "x-twilio-signature";
/// In the query of the URL that is told of a message's fate.
const ITEM: &str = "item";
/// The person has written STOP to this sender.
const UNSUBSCRIBED: i64 = 21_610;
/// Too many requests, at once or queued for this sender, and failures of Twilio's own.
const PASSING: [i64; 6] = [20_429, 14_107, 21_611, 20_500, 20_503, 30_022];

pub(super) fn request(what: &Outgoing<'_>, bases: &Bases) -> Step {
    let [account, token] = match what.needed(["account_sid", "auth_token"]) {
        Ok(needed) => needed,
        Err(error) => return Step::Impossible(error),
    };
    if let Some(service) = what.field("messaging_service_sid") {
        return message(what, bases, ("MessagingServiceSid", service));
    }
    if let Some(number) = what.field("phone_number") {
        return message(what, bases, ("From", number));
    }
    let Some(sid) = what.field("phone_number_sid") else {
        return Step::Impossible(not_configured("phone_number or messaging_service_sid"));
    };
    let resource = format!("IncomingPhoneNumbers/{}.json", segment(sid));
    Step::LookUp {
        key: format!("{account}/{sid}"),
        request: OutboundRequest {
            method: domain::OutboundMethod::Get,
            ..post(
                url(bases, account, &resource),
                FORM,
                basic(account, token),
                Vec::new(),
            )
        },
    }
}

/// The message, from a number or through a messaging service.
pub(super) fn message(what: &Outgoing<'_>, bases: &Bases, sender: (&str, &str)) -> Step {
    let [account, token] = match what.needed(["account_sid", "auth_token"]) {
        Ok(needed) => needed,
        Err(error) => return Step::Impossible(error),
    };
    let mut pairs = vec![("To", what.to), sender];
    if let Content::Image { url, .. } = what.content {
        pairs.push(("MediaUrl", url));
    } else if matches!(what.content, Content::Native { .. }) {
        return native_elsewhere();
    }
    let text = plain(what.content, false);
    if !text.is_empty() {
        pairs.push(("Body", &text));
    }
    let callback = format!("{}?{ITEM}={}", what.hook_url, what.id);
    // Twilio refuses the whole message where it cannot reach the callback.
    if !is_loopback(what.hook_url) {
        pairs.push(("StatusCallback", &callback));
    }
    let url = url(bases, account, "Messages.json");
    Step::Send(post(url, FORM, basic(account, token), form(&pairs)))
}

fn url(bases: &Bases, account: &str, resource: &str) -> String {
    let account = segment(account);
    format!("{}/2010-04-01/Accounts/{account}/{resource}", bases.twilio)
}

fn segment(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn is_loopback(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let is_address = host.parse::<std::net::IpAddr>();
    is_address.is_ok_and(|address| address.is_loopback()) || host == "localhost"
}

#[derive(Deserialize)]
struct Answer {
    sid: Option<String>,
    code: Option<i64>,
    message: Option<String>,
}

pub(super) fn judged(answer: &OutboundAnswer) -> SendOutcome {
    let said = serde_json::from_slice::<Answer>(&answer.body).ok();
    if taken(answer) {
        return SendOutcome::Accepted {
            provider_id: said.and_then(|said| said.sid),
        };
    }
    let code = said.as_ref().and_then(|said| said.code);
    let text = said.as_ref().and_then(|said| said.message.as_deref());
    let told = error(answer.status, code.map(|code| code.to_string()), text);
    if code == Some(UNSUBSCRIBED) {
        SendOutcome::Blocked(told)
    } else if passing(answer.status) || code.is_some_and(|code| PASSING.contains(&code)) {
        SendOutcome::Again(told)
    } else {
        SendOutcome::Failed(told)
    }
}

#[derive(Deserialize)]
struct Number {
    phone_number: String,
}

pub(super) fn looked_up(answer: &OutboundAnswer) -> Result<String, SendOutcome> {
    if !taken(answer) {
        return Err(judged(answer));
    }
    let number = serde_json::from_slice::<Number>(&answer.body);
    number.map(|found| found.phone_number).map_err(|_| {
        let text = "The provider's answer holds no phone_number.";
        SendOutcome::Failed(error(answer.status, Some("no_number".into()), Some(text)))
    })
}

/// HMAC-SHA1 in base64 over the hook's URL with its query and, of a form, each name and value in order of name. Whether a
/// port stands in the URL that was signed depends on what is in front of it, so both are tried, as Twilio's own libraries
/// do.
pub(super) fn verify(hook: &Hook, request: &HookRequest<'_>) -> Result<(), Refused> {
    let key = secret(hook, "auth_token")?;
    let given = request.header(SIGNATURE).ok_or(Refused::Unsigned)?;
    let url = request.url(hook);
    let mut fields: Vec<(&str, &str)> = request.fields().iter().map(pair).collect();
    fields.sort_unstable();
    fields.dedup();
    let matches = |url: &str| {
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key.as_bytes()) else {
            return false;
        };
        mac.update(url.as_bytes());
        for (name, value) in &fields {
            mac.update(name.as_bytes());
            mac.update(value.as_bytes());
        }
        base64_matches(&mac.finalize().into_bytes(), given)
    };
    let (with, without) = ports(&url);
    // Both, whatever the first says.
    if matches(&with) | matches(&without) {
        Ok(())
    } else {
        Err(Refused::Forged)
    }
}

fn pair((name, value): &(String, String)) -> (&str, &str) {
    (name, value)
}

/// The URL with a port, the scheme's own where none is written, and without one.
fn ports(url: &str) -> (String, String) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), url.to_owned());
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    // A colon inside brackets is an address's.
    let port = authority.rfind(':');
    let port = port.filter(|at| !authority[*at..].contains(']'));
    let usual = if scheme == "https" { "443" } else { "80" };
    let (host, port) = match port {
        Some(at) => (&authority[..at], &authority[at + 1..]),
        None => (authority, usual),
    };
    (
        format!("{scheme}://{host}:{port}{rest}"),
        format!("{scheme}://{host}{rest}"),
    )
}

pub(super) fn events(hook: &Hook, request: &HookRequest<'_>) -> Result<Vec<Inbound>, Malformed> {
    let sid = request.field("MessageSid");
    let sid = sid.or_else(|| request.field("SmsSid"));
    let sid = sid.ok_or(Malformed("no MessageSid"))?;
    if let Some(status) = request.field("MessageStatus") {
        return Ok(fate(hook, request, &format!("{sid}:{status}"), status));
    }
    let from = request.field("From").ok_or(Malformed("no From"))?;
    let from = from.to_owned();
    let event = match request.field("OptOutType") {
        Some("STOP") => InboundEvent::OptedOut { from },
        Some("START") => InboundEvent::OptedIn { from },
        _ => InboundEvent::Message {
            from,
            name: request.field("ProfileName").and_then(name),
            raw: registered(request),
            content: content(request),
        },
    };
    let id = sid.to_owned();
    Ok(vec![Inbound { id, event }])
}

fn fate(hook: &Hook, request: &HookRequest<'_>, id: &str, status: &str) -> Vec<Inbound> {
    if !matches!(status, "failed" | "undelivered") {
        return Vec::new();
    }
    let code = request.field("ErrorCode").filter(|code| !code.is_empty());
    let text = request.field("ErrorMessage");
    let text = text.filter(|text| !text.is_empty());
    let text = text.unwrap_or("The message could not be delivered.");
    let mut found = Vec::new();
    let item = request.query_field(ITEM);
    if let Some(item) = item.and_then(|item| item_of(hook, item)) {
        let code = code.unwrap_or(status).to_owned();
        found.push(Inbound {
            id: id.to_owned(),
            event: InboundEvent::Failed {
                item,
                error: error(0, Some(code), Some(text)),
            },
        });
    }
    let blocked = code == Some(&UNSUBSCRIBED.to_string());
    if let Some(to) = request.field("To").filter(|_| blocked) {
        found.push(Inbound {
            id: format!("{id}:out"),
            event: InboundEvent::OptedOut { from: to.into() },
        });
    }
    found
}

fn content(request: &HookRequest<'_>) -> Content {
    let body = request.field("Body").map(cut).unwrap_or_default();
    let kind = request.field("MediaContentType0").unwrap_or_default();
    let url = request.field("MediaUrl0").map(cut);
    match url {
        Some(url) if kind.starts_with("image/") => Content::Image {
            url,
            alt: None,
            text: Some(body).filter(|body| !body.is_empty()),
            links: Vec::new(),
        },
        Some(_) if body.is_empty() => Content::Text {
            text: format!("[{}]", cut(kind)),
            links: Vec::new(),
        },
        _ => Content::Text {
            text: body,
            links: Vec::new(),
        },
    }
}

/// Where the number is registered, as far as Twilio knows.
fn registered(request: &HookRequest<'_>) -> Option<String> {
    let known = ["FromCity", "FromState", "FromZip", "FromCountry"]
        .into_iter()
        .filter_map(|name| Some((name, request.field(name).filter(|value| !value.is_empty())?)));
    let known: Map<String, Value> = known
        .map(|(name, value)| (name.to_owned(), cut(value).into()))
        .collect();
    (!known.is_empty()).then(|| raw(&Value::Object(known)))?
}
