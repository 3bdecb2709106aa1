//! How an event is told to a webhook: its body and its signature, in the protocol that the webhook was made in.
//!
//! What it is not: the sending, the repetition, or the rules on what may be reached; those are the server's and the
//! domain's. Invariant: all attempts at one delivery have the same body and id, so that a receiver knows a repetition;
//! only what says when it was sent differs.

use std::time::Duration;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use domain::{
    DialectId, Event, EventData, IdKind, OutboundMethod, OutboundRequest, Retry, WebhookClaim,
};
use hmac::{Hmac, Mac};
use serde::Serialize;
use sha2::Sha256;

use crate::{limits, native::EventBody, sunshine, thrive};

/// The request that tells a webhook of its event, now.
pub fn request(claim: &WebhookClaim, now_ms: i64) -> OutboundRequest {
    match (claim.dialect.as_str(), &claim.event.data) {
        (thrive::DIALECT, EventData::Audience(data)) => thrive::event_request(claim, data, now_ms),
        (sunshine::DIALECT, EventData::Person(data)) => sunshine::event_request(claim, data),
        _ => standard(claim, now_ms),
    }
}

/// Five attempts within 15 minutes, as the vendor documents.
const SUNSHINE_RETRY: Retry = Retry {
    attempts_max: 5,
    first_ms: 60_000,
};
const SUNSHINE_FINAL: [u16; 5] = [400, 401, 403, 404, 406];
const SUNSHINE_TIME_MAX: Duration = Duration::from_secs(20);

/// How often an event is told in a dialect until it is taken.
pub fn retry(dialect: &str) -> Retry {
    match dialect {
        sunshine::DIALECT => SUNSHINE_RETRY,
        _ => Retry::USUAL,
    }
}

/// Whether a receiver that answers so, and not 2xx, wants to hear no more of this event.
pub fn is_final(dialect: &str, status: u16) -> bool {
    dialect == sunshine::DIALECT && SUNSHINE_FINAL.contains(&status)
}

/// How long a receiver may take.
fn time_max(dialect: &str) -> Duration {
    match dialect {
        sunshine::DIALECT => SUNSHINE_TIME_MAX,
        _ => limits::RECEIVER_TIME_MAX,
    }
}

/// A POST of JSON within the limits that hold for every receiver.
pub(crate) fn post(
    claim: &WebhookClaim,
    body: Vec<u8>,
    headers: Vec<(&'static str, String)>,
) -> OutboundRequest {
    let json = ("content-type", "application/json".to_owned());
    OutboundRequest {
        method: OutboundMethod::Post,
        url: claim.url.clone(),
        headers: std::iter::once(json).chain(headers).collect(),
        body,
        bytes_max: limits::RECEIVER_ANSWER_BYTES_MAX,
        time_max: time_max(&claim.dialect),
    }
}

pub(crate) fn json(body: &impl Serialize) -> Vec<u8> {
    // Structs of numbers and text: writing them to memory does not fail.
    serde_json::to_vec(body).unwrap_or_default()
}

/// The event's id in text, the same whenever and to whomever it is told.
fn event_id(workspace: i64, event: &Event) -> String {
    let id = DialectId {
        workspace,
        kind: IdKind::Event,
        id: event.id,
    };
    format!("evt_{}", id.to_hex())
}

/// As Standard Webhooks 1.0 says: `webhook-id`, `webhook-timestamp` in seconds, and `webhook-signature` with one `v1`
/// signature for each secret over `ID.TIMESTAMP.BODY`.
fn standard(claim: &WebhookClaim, now_ms: i64) -> OutboundRequest {
    let body = json(&EventBody::from(&claim.event));
    let id = event_id(claim.workspace(), &claim.event);
    let timestamp = now_ms.div_euclid(1_000).to_string();
    let signatures = claim.secrets.iter().map(|secret| {
        let signature = signature(&key(secret), &[id.as_bytes(), timestamp.as_bytes(), &body]);
        format!("v1,{}", STANDARD.encode(signature))
    });
    let signatures: Vec<String> = signatures.collect();
    let headers = vec![
        ("webhook-id", id),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signatures.join(" ")),
    ];
    post(claim, body, headers)
}

/// The bytes that a secret of Standard Webhooks stands for: base64 after `whsec_`.
fn key(secret: &str) -> Vec<u8> {
    let text = secret.strip_prefix("whsec_").unwrap_or(secret);
    let bytes = STANDARD.decode(text);
    bytes
        .or_else(|_| STANDARD_NO_PAD.decode(text))
        .unwrap_or_else(|_| text.as_bytes().to_vec())
}

/// HMAC-SHA256 (RFC 2104) over the parts with a dot between them.
pub(crate) fn signature(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    // Keys of any length are taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            mac.update(b".");
        }
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_has_its_own_patience() {
        assert_eq!(retry("native"), Retry::USUAL);
        assert_eq!(retry("thrive"), Retry::USUAL);
        let Retry {
            attempts_max,
            first_ms,
        } = retry("sunshine");
        // 1 + 2 + 4 + 8 minutes between five attempts.
        let waits: i64 = (0..attempts_max - 1).map(|n| first_ms << n).sum();
        assert_eq!((attempts_max, waits), (5, 15 * 60 * 1_000));
        for status in [400, 401, 403, 404, 406] {
            assert!(is_final("sunshine", status) && !is_final("native", status));
        }
        for status in [402, 405, 408, 409, 410, 429, 500, 503] {
            assert!(!is_final("sunshine", status));
        }
    }

    /// RFC 4231 section 4.3.
    #[test]
    fn signatures_are_hmac_sha256() {
        let hex: String = signature(b"Jefe", &[b"what do ya want for nothing?"])
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    /// The example of the reference libraries of Standard Webhooks.
    #[test]
    fn the_example_of_standard_webhooks_is_signed_alike() {
        let parts: [&[u8]; 3] = [
            b"msg_p5jXN8AQM9LWM0D4loKWxJek",
            b"1614265330",
            b"{\"test\": 2432232314}",
        ];
        let signed = signature(&key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), &parts);
        assert_eq!(
            STANDARD.encode(signed),
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }
}
