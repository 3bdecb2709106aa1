//! WhatsApp through Meta's Cloud API: messages sent and, through a webhook of the app, received.

use domain::{
    Channel, ChannelError, Content, Hook, Inbound, InboundEvent, OutboundAnswer, SendOutcome,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::{
    incoming::{HookRequest, Malformed, Refused, cut, hex_mac_matches, item_of, name, raw, secret},
    outgoing::{
        Bases, JSON, Outgoing, Step, error, masked, native_elsewhere, passing, plain, post, taken,
    },
};

const SIGNATURE: &str = "x-hub-signature-256";
/// Limits of requests, of a number, of a pair; failures of Meta's own; a pause in answering.
const PASSING: [i64; 11] = [
    1, 2, 4, 80_007, 130_429, 131_000, 131_016, 131_048, 131_056, 131_057, 133_004,
];
/// The person wants no more of this from this business.
const BLOCKED: [i64; 2] = [131_050, 131_055];

pub(super) fn request(what: &Outgoing<'_>, bases: &Bases) -> Step {
    let [number, token] = match what.needed(["phone_number_id", "token"]) {
        Ok(needed) => needed,
        Err(error) => return Step::Impossible(error),
    };
    let mut body = match what.content {
        Content::Text { .. } => json!({
            "type": "text",
            "text": { "preview_url": false, "body": plain(what.content, false) },
        }),
        Content::Image { url, .. } => {
            let mut image = json!({ "link": url });
            let caption = plain(what.content, false);
            if !caption.is_empty() {
                image["caption"] = caption.into();
            }
            json!({ "type": "image", "image": image })
        }
        Content::Native {
            channel: Channel::WhatsApp,
            json,
        } => match serde_json::from_str(json) {
            Ok(Value::Object(native)) if native.get("type").is_some_and(Value::is_string) => {
                Value::Object(native)
            }
            _ => {
                return Step::Impossible(ChannelError {
                    code: "unsupported_content".into(),
                    text: "The message is no object with a type, as WhatsApp wants it.".into(),
                });
            }
        },
        Content::Native { .. } => return native_elsewhere(),
    };
    // Last, so that nobody's own words name another recipient.
    body["messaging_product"] = "whatsapp".into();
    body["recipient_type"] = "individual".into();
    body["to"] = what.to.into();
    body["biz_opaque_callback_data"] = what.id.as_str().into();
    let number: String = form_urlencoded::byte_serialize(number.as_bytes()).collect();
    let url = format!("{}/{number}/messages", bases.whatsapp);
    let authorization = ("authorization", format!("Bearer {token}"));
    Step::Send(post(
        url,
        JSON,
        authorization,
        body.to_string().into_bytes(),
    ))
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    messages: Vec<Taken>,
    error: Option<Complaint>,
}

#[derive(Deserialize)]
struct Taken {
    id: String,
}

#[derive(Deserialize)]
struct Complaint {
    code: i64,
    message: Option<String>,
    title: Option<String>,
    error_data: Option<Details>,
    #[serde(default)]
    is_transient: bool,
}

#[derive(Deserialize)]
struct Details {
    details: Option<String>,
}

impl Complaint {
    fn text(&self) -> Option<&str> {
        let details = self.error_data.as_ref();
        let details = details.and_then(|data| data.details.as_deref());
        let text = details.or(self.message.as_deref());
        text.or(self.title.as_deref())
    }

    fn error(&self, status: u16) -> ChannelError {
        error(status, Some(self.code.to_string()), self.text())
    }
}

pub(super) fn judged(answer: &OutboundAnswer) -> SendOutcome {
    let said = serde_json::from_slice::<Answer>(&answer.body).ok();
    if taken(answer) {
        let first = said.and_then(|said| said.messages.into_iter().next());
        return SendOutcome::Accepted {
            provider_id: first.map(|message| message.id),
        };
    }
    let Some(complaint) = said.and_then(|said| said.error) else {
        let told = error(answer.status, None, None);
        return if passing(answer.status) {
            SendOutcome::Again(told)
        } else {
            SendOutcome::Failed(told)
        };
    };
    let told = complaint.error(answer.status);
    if BLOCKED.contains(&complaint.code) {
        SendOutcome::Blocked(told)
    } else if passing(answer.status) || complaint.is_transient || PASSING.contains(&complaint.code)
    {
        SendOutcome::Again(told)
    } else {
        SendOutcome::Failed(told)
    }
}

/// The answer to Meta's question whether this hook is the one that its owner means, if it knows the owner's word.
pub(crate) fn challenge(hook: &Hook, request: &HookRequest<'_>) -> Result<String, Refused> {
    let word = secret(hook, "verify_token")?;
    let mode = request.query_field("hub.mode");
    let given = request.query_field("hub.verify_token");
    let challenge = request.query_field("hub.challenge");
    let (Some("subscribe"), Some(given), Some(challenge)) = (mode, given, challenge) else {
        return Err(Refused::Unsigned);
    };
    if bool::from(given.as_bytes().ct_eq(word.as_bytes())) {
        Ok(challenge.to_owned())
    } else {
        Err(Refused::Forged)
    }
}

/// HMAC-SHA256 in hexadecimal over the body as it came, keyed with the app's secret.
pub(super) fn verify(hook: &Hook, request: &HookRequest<'_>) -> Result<(), Refused> {
    let key = secret(hook, "app_secret")?;
    let given = request.header(SIGNATURE).ok_or(Refused::Unsigned)?;
    let given = given.strip_prefix("sha256=").ok_or(Refused::Unsigned)?;
    if hex_mac_matches(key, &[request.body()], given) {
        Ok(())
    } else {
        Err(Refused::Forged)
    }
}

#[derive(Deserialize)]
struct Webhook {
    #[serde(default)]
    entry: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    value: Option<Changed>,
}

#[derive(Deserialize)]
struct Changed {
    metadata: Option<Metadata>,
    #[serde(default)]
    contacts: Vec<Value>,
    #[serde(default)]
    messages: Vec<Value>,
    #[serde(default)]
    statuses: Vec<Value>,
    #[serde(default)]
    user_preferences: Vec<Value>,
}

#[derive(Deserialize)]
struct Metadata {
    phone_number_id: Option<String>,
}

#[derive(Deserialize)]
struct Status {
    id: String,
    status: String,
    #[serde(default)]
    errors: Vec<Complaint>,
    biz_opaque_callback_data: Option<String>,
}

#[derive(Deserialize)]
struct Preference {
    wa_id: String,
    value: String,
    timestamp: Option<Value>,
}

pub(super) fn events(hook: &Hook, request: &HookRequest<'_>) -> Result<Vec<Inbound>, Malformed> {
    let webhook: Webhook =
        serde_json::from_slice(request.body()).map_err(|_| Malformed("not a webhook's JSON"))?;
    let changes = webhook.entry.into_iter().flat_map(|entry| entry.changes);
    let mut found = Vec::new();
    for changed in changes.filter_map(|change| change.value) {
        // Meta tells one hook of all numbers of an account.
        let number = changed.metadata.as_ref();
        let number = number.and_then(|metadata| metadata.phone_number_id.as_deref());
        let own = hook.fields.get("phone_number_id").map(String::as_str);
        if own.is_some() && number.is_some() && own != number {
            continue;
        }
        let messages = changed.messages.iter();
        found.extend(messages.filter_map(|one| message(one, &changed.contacts)));
        // What is written otherwise some day must not keep the rest away.
        let statuses = changed.statuses.into_iter().filter_map(known);
        found.extend(statuses.filter_map(|one| fate(hook, &one)));
        let preferences = changed.user_preferences.into_iter().filter_map(known);
        found.extend(preferences.filter_map(|one| preference(&one)));
    }
    Ok(found)
}

fn known<T: DeserializeOwned>(value: Value) -> Option<T> {
    serde_json::from_value(value).ok()
}

fn message(message: &Value, contacts: &[Value]) -> Option<Inbound> {
    let text = |at: &str| message.pointer(at).and_then(Value::as_str);
    let (wa_id, id) = (text("/from")?, text("/id")?);
    let kind = text("/type")?;
    let said = match kind {
        "text" => text("/text/body")?.to_owned(),
        "button" => text("/button/text")?.to_owned(),
        "interactive" => text("/interactive/button_reply/title")
            .or_else(|| text("/interactive/list_reply/title"))?
            .to_owned(),
        // Somebody's number has changed: nobody wrote.
        "system" => return None,
        // What comes with a file has it behind the app's token, which is not for everybody to see.
        other => text(&format!("/{other}/caption"))
            .filter(|caption| !caption.is_empty())
            .map_or_else(|| format!("[{other}]"), str::to_owned),
    };
    let own = |contact: &&Value| contact["wa_id"].as_str() == Some(wa_id);
    let contact = contacts.iter().find(own);
    let called = contact.and_then(|contact| contact.pointer("/profile/name")?.as_str());
    Some(Inbound {
        id: id.to_owned(),
        event: InboundEvent::Message {
            from: format!("+{wa_id}"),
            name: called.and_then(name),
            raw: contact.and_then(raw),
            content: Content::Text {
                text: cut(&said),
                links: Vec::new(),
            },
        },
    })
}

fn fate(hook: &Hook, status: &Status) -> Option<Inbound> {
    if status.status != "failed" {
        return None;
    }
    let item = item_of(hook, status.biz_opaque_callback_data.as_deref()?)?;
    let told = status.errors.first();
    let error = told.map_or_else(
        || ChannelError {
            code: "failed".into(),
            text: masked("The message could not be delivered."),
        },
        |told| told.error(0),
    );
    Some(Inbound {
        id: format!("{}:failed", status.id),
        event: InboundEvent::Failed { item, error },
    })
}

fn preference(one: &Preference) -> Option<Inbound> {
    let from = format!("+{}", one.wa_id);
    let time = one.timestamp.as_ref().map(Value::to_string);
    let event = match one.value.as_str() {
        "stop" => InboundEvent::OptedOut { from },
        "resume" => InboundEvent::OptedIn { from },
        _ => return None,
    };
    let id = format!("{}:{}:{}", one.wa_id, one.value, time.unwrap_or_default());
    Some(Inbound { id, event })
}
