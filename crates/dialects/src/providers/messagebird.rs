//! MessageBird: text messages sent through its REST API, those received and their fates through its webhooks, which are
//! signed with a JWT.

use domain::{Content, Hook, Inbound, InboundEvent, OutboundAnswer, SendOutcome};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    incoming::{HookRequest, Malformed, Refused, cut, hex, item_of, secret},
    outgoing::{Bases, JSON, Outgoing, Step, error, native_elsewhere, passing, plain, post, taken},
};

const SIGNATURE: &str = "messagebird-signature-jwt";
const ISSUER: &str = "MessageBird";
/// How far the provider's clock may be off.
const LEEWAY_S: i64 = 60;
/// An error of MessageBird's own.
const INTERNAL: i64 = 99;

pub(super) fn request(what: &Outgoing<'_>, bases: &Bases) -> Step {
    let [key, originator] = match what.needed(["access_key", "originator"]) {
        Ok(needed) => needed,
        Err(error) => return Step::Impossible(error),
    };
    if matches!(what.content, Content::Native { .. }) {
        return native_elsewhere();
    }
    // Status reports go where the account or this says, and only for messages that have a reference.
    let body = json!({
        "originator": originator,
        "recipients": [what.to.trim_start_matches('+')],
        "body": plain(what.content, true),
        "datacoding": "auto",
        "reference": what.id,
        "reportUrl": what.hook_url,
    });
    let url = format!("{}/messages", bases.messagebird);
    let authorization = ("authorization", format!("AccessKey {key}"));
    Step::Send(post(
        url,
        JSON,
        authorization,
        body.to_string().into_bytes(),
    ))
}

#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
    #[serde(default)]
    errors: Vec<Complaint>,
}

#[derive(Deserialize)]
struct Complaint {
    code: i64,
    description: Option<String>,
}

pub(super) fn judged(answer: &OutboundAnswer) -> SendOutcome {
    let said = serde_json::from_slice::<Answer>(&answer.body).ok();
    if taken(answer) {
        return SendOutcome::Accepted {
            provider_id: said.and_then(|said| said.id),
        };
    }
    let first = said.as_ref().and_then(|said| said.errors.first());
    let code = first.map(|first| first.code);
    let text = first.and_then(|first| first.description.as_deref());
    let told = error(answer.status, code.map(|code| code.to_string()), text);
    if passing(answer.status) || code == Some(INTERNAL) {
        SendOutcome::Again(told)
    } else {
        SendOutcome::Failed(told)
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    nbf: i64,
    exp: i64,
    url_hash: String,
    payload_hash: Option<String>,
}

/// A JWT, signed with the account's signing key, whose claims hold the hashes of URL and body.
pub(super) fn verify(hook: &Hook, request: &HookRequest<'_>, now_ms: i64) -> Result<(), Refused> {
    let key = secret(hook, "signing_key")?;
    let token = request.header(SIGNATURE).ok_or(Refused::Unsigned)?;
    let mut validation = Validation::new(Algorithm::HS256);
    // As MessageBird's own libraries do; all of one family, so that no key is mistaken for another's.
    validation.algorithms = vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
    validation.set_required_spec_claims(&["exp", "iss", "nbf"]);
    // Compared below, with the domain's clock.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_secret(key.as_bytes());
    let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
        .map_err(|_| Refused::Forged)?
        .claims;
    let url_matches = hash_matches(request.url(hook).as_bytes(), &claims.url_hash);
    let body_matches = match &claims.payload_hash {
        Some(hash) => hash_matches(request.body(), hash),
        None => request.body().is_empty(),
    };
    if claims.iss != ISSUER || !url_matches || !body_matches {
        return Err(Refused::Forged);
    }
    let now = now_ms.div_euclid(1_000);
    let begun = claims.nbf <= now + LEEWAY_S;
    if begun && now < claims.exp.saturating_add(LEEWAY_S) {
        Ok(())
    } else {
        Err(Refused::TooOld)
    }
}

fn hash_matches(bytes: &[u8], given: &str) -> bool {
    let hash = hex(&Sha256::digest(bytes));
    hash.as_bytes()
        .ct_eq(given.to_ascii_lowercase().as_bytes())
        .into()
}

/// A value of the request by any of its names: in the form, the JSON or the query, whichever the provider used.
struct Told<'a> {
    request: &'a HookRequest<'a>,
    json: Option<Value>,
}

impl Told<'_> {
    fn get(&self, names: &[&str]) -> Option<String> {
        let found = names.iter().find_map(|name| self.one(name))?;
        (!found.is_empty()).then_some(found)
    }

    fn one(&self, name: &str) -> Option<String> {
        match self.json.as_ref().and_then(|json| json.get(name)) {
            Some(Value::String(text)) => return Some(text.clone()),
            Some(Value::Number(number)) => return Some(number.to_string()),
            _ => {}
        }
        let field = self.request.field(name);
        let field = field.or_else(|| self.request.query_field(name));
        field.map(str::to_owned)
    }
}

pub(super) fn events(hook: &Hook, request: &HookRequest<'_>) -> Result<Vec<Inbound>, Malformed> {
    let json = if request.is_json() {
        let read = serde_json::from_slice(request.body());
        Some(read.map_err(|_| Malformed("not JSON"))?)
    } else {
        None
    };
    let told = Told { request, json };
    let id = told.get(&["id", "message_id", "mid"]);
    let id = id.ok_or(Malformed("no id"))?;
    if let Some(status) = told.get(&["status"]) {
        return Ok(fate(hook, &told, &id, &status));
    }
    let from = told.get(&["originator", "sender"]);
    let from = international(&from.ok_or(Malformed("no originator"))?);
    let text = told.get(&["body", "payload", "message"]);
    let text = text.ok_or(Malformed("no body"))?;
    Ok(vec![Inbound {
        id,
        event: InboundEvent::Message {
            from,
            name: None,
            raw: None,
            content: Content::Text {
                text: cut(&text),
                links: Vec::new(),
            },
        },
    }])
}

/// MessageBird writes numbers without the plus sign.
fn international(number: &str) -> String {
    let number = number.trim();
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("+{number}");
    }
    number.to_owned()
}

fn fate(hook: &Hook, told: &Told<'_>, id: &str, status: &str) -> Vec<Inbound> {
    let failed = matches!(status, "delivery_failed" | "expired");
    let item = told.get(&["reference"]);
    let item = item.and_then(|item| item_of(hook, &item));
    let Some(item) = item.filter(|_| failed) else {
        return Vec::new();
    };
    let code = told.get(&["statusErrorCode"]);
    let text = told.get(&["statusReason"]);
    let text = text.unwrap_or_else(|| "The message could not be delivered.".into());
    let code = code.unwrap_or_else(|| status.to_owned());
    vec![Inbound {
        id: format!("{id}:{status}"),
        event: InboundEvent::Failed {
            item,
            error: error(0, Some(code), Some(&text)),
        },
    }]
}
