//! Webhooks to be made: what a URL and a secret must be, and the row that a command makes of them.
//!
//! Invariant: whoever makes a webhook, with an integration or by itself, passes through here.

use base64::{Engine, engine::general_purpose::STANDARD};
use store::{Sealer, Sql, Tx, WebhookRow};

use crate::{
    access::NATIVE,
    error::{Error, Field, Result},
    event::EventKind,
    limits,
    random::Random,
    webhook::{NOUN, Webhook, WebhookNew, seal_context, view},
};

/// What the secrets of Standard Webhooks begin with; base64 follows.
const SECRET_PREFIX: &str = "whsec_";

/// The host of an absolute http or https URL, in lower case; nothing where it is none, or names a user. Stricter than
/// what clients take: no space or control character, no backslash, which some of them read as a slash.
pub(crate) fn host(url: &str) -> Option<String> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || c == '\\';
    if url.contains(odd) {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    if !["https", "http"].contains(&scheme.to_ascii_lowercase().as_str()) {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next()?;
    if authority.contains('@') {
        return None;
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then(|| host.to_lowercase())
}

pub(crate) fn valid_url(url: &str) -> Result<String> {
    let url = url.trim();
    if url.chars().count() > limits::WEBHOOK_URL_CHARS_MAX {
        let text = format!(
            "The URL must not be longer than {} characters.",
            limits::WEBHOOK_URL_CHARS_MAX
        );
        return Err(Error::invalid("url", "too_long", text));
    }
    if host(url).is_none() {
        let text = "The URL must be absolute, https (or http, where the server's operator allows the host), without \
                    user and password.";
        return Err(Error::invalid("url", "malformed", text));
    }
    Ok(url.to_owned())
}

/// A secret of the caller's own: of a protocol other than the native one, any text that is long enough.
fn valid_secret(dialect: &str, secret: String) -> Result<String> {
    let chars = secret.chars().count();
    let most = limits::WEBHOOK_SECRET_CHARS_MAX;
    if dialect == NATIVE {
        let bytes = secret.strip_prefix(SECRET_PREFIX);
        let bytes = bytes.and_then(|text| STANDARD.decode(text).ok());
        if chars <= most && bytes.is_some_and(|bytes| (24..=64).contains(&bytes.len())) {
            return Ok(secret);
        }
        let text = "The secret must be whsec_ and 24 to 64 bytes in base64.";
        return Err(Error::invalid("secret", "malformed", text));
    }
    let fits = (limits::WEBHOOK_SECRET_CHARS_MIN..=most).contains(&chars);
    if fits && !secret.contains(char::is_control) {
        return Ok(secret);
    }
    let text = format!(
        "The secret must be {} to {most} characters.",
        limits::WEBHOOK_SECRET_CHARS_MIN
    );
    Err(Error::invalid("secret", "malformed", text))
}

/// A secret as Standard Webhooks wants it, which serves any other protocol too.
pub(crate) fn generated(random: &Random) -> Result<String> {
    let bytes = random.bytes::<32>()?;
    Ok(format!("{SECRET_PREFIX}{}", STANDARD.encode(bytes)))
}

fn room(tx: &mut Tx<'_, '_>) -> Result<()> {
    if store::webhooks_count(tx)? < limits::WEBHOOKS_MAX {
        return Ok(());
    }
    Err(Error::TooLarge(Field {
        name: NOUN,
        code: "too_many",
        text: format!("A workspace has at most {} webhooks.", limits::WEBHOOKS_MAX),
    }))
}

/// The kinds as they are kept: in their own order, each once.
pub(crate) fn kept(wanted: &[EventKind]) -> String {
    let kinds = EventKind::ALL.into_iter();
    let wanted = kinds.filter(|kind| wanted.contains(kind));
    let wanted: Vec<&str> = wanted.map(EventKind::as_str).collect();
    wanted.join(" ")
}

/// A webhook that only a command has to make yet.
pub(crate) struct Made {
    dialect: String,
    url: String,
    events: String,
    secret: String,
    detail: i64,
}

pub(crate) fn checked(random: &Random, new: WebhookNew) -> Result<Made> {
    Ok(Made {
        url: valid_url(&new.url)?,
        secret: match new.secret {
            Some(secret) => valid_secret(&new.dialect, secret)?,
            None => generated(random)?,
        },
        dialect: new.dialect,
        events: kept(&new.events),
        detail: new.detail.bits(),
    })
}

impl Made {
    /// The webhook with its secret, which is shown this once.
    pub(crate) fn insert(
        &self,
        tx: &mut Tx<'_, '_>,
        sealer: &Sealer,
        integration: Option<i64>,
    ) -> Result<(Webhook, String)> {
        room(tx)?;
        if let Some(id) = integration {
            store::integration_get(tx, id)?.ok_or(Error::NotFound("integration"))?;
        }
        let (id, workspace) = (tx.next_id(), tx.workspace());
        let row = WebhookRow {
            id,
            dialect: self.dialect.clone(),
            url: self.url.clone(),
            events: self.events.clone(),
            secret: sealer.seal(&seal_context(workspace, id), self.secret.as_bytes())?,
            old: None,
            integration,
            detail: self.detail,
            created: tx.meta().time,
            updated: tx.meta().time,
        };
        store::webhook_insert(tx, &row)?;
        store::activity_insert(tx, Some(id), &format!("dialect={}", self.dialect))?;
        Ok((view(row), self.secret.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_from_what_is_none() {
        for (url, expected) in [
            ("https://example.org", "example.org"),
            ("HTTPS://Example.ORG:8443/in?key=a@b", "example.org"),
            ("http://[::1]:8080/", "::1"),
            ("https://10.0.0.1#x", "10.0.0.1"),
        ] {
            assert_eq!(host(url).as_deref(), Some(expected), "{url}");
        }
        for wrong in [
            "",
            "example.org",
            "//example.org",
            "ftp://example.org",
            "https:///path",
            "https://:80",
            "https://ann@example.org",
            "https://ann:secret@example.org/",
            "https://example.org\\@evil.example/",
            "https://exam ple.org",
            "https://example.org/\r\nHost: x",
            "https://[::1/",
        ] {
            assert_eq!(host(wrong), None, "{wrong:?}");
        }
        let long = format!("https://example.org/{}", "x".repeat(2_048));
        assert!(valid_url(&long).is_err());
    }

    #[test]
    fn secrets_are_long_enough_and_of_their_protocol() {
        let made = generated(&Random::seeded(1)).expect("is made");
        assert!(valid_secret(NATIVE, made).is_ok());
        for wrong in [
            "",
            "whsec_",
            "whsec_c2hvcnQ=",
            "0123456789abcdef",
            "whsec_!",
        ] {
            assert!(valid_secret(NATIVE, wrong.into()).is_err(), "{wrong}");
        }
        assert!(valid_secret("other", "0123456789abcdef".into()).is_ok());
        for wrong in [
            "0123456789abcde".to_owned(),
            "x".repeat(257),
            "0123456789\nabcdef".into(),
        ] {
            assert!(valid_secret("other", wrong).is_err());
        }
    }
}
