//! What all requests to hooks have in common: how they are read, and how their signatures are compared.

use std::convert::Infallible;

use axum::{
    body::Bytes,
    http::{HeaderMap, Method, header::CONTENT_TYPE},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{DialectId, Hook, IdKind};
use hmac::{Hmac, Mac};
use multer::{Constraints, Multipart, SizeLimit};
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::limits;

/// Why a request to a hook is not believed. For the log: whoever sends it is told no more than that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// The integration lacks the secret of this name, so nothing can be checked.
    NoSecret(&'static str),
    /// It carries no signature.
    Unsigned,
    Forged,
    /// The signature is right and old, or from the future: perhaps a repetition by somebody who overheard it.
    TooOld,
}

/// What is wrong with a request whose signature is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// A request to a hook, read whole.
pub struct HookRequest<'a> {
    method: &'a Method,
    /// As it came.
    query: Option<&'a str>,
    headers: &'a HeaderMap,
    body: &'a [u8],
    /// Of a form, without its files.
    fields: Vec<(String, String)>,
    query_fields: Vec<(String, String)>,
}

impl std::fmt::Debug for HookRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HookRequest({}, ***)", self.method)
    }
}

impl<'a> HookRequest<'a> {
    /// Reads a form, if the body is one.
    pub async fn read(
        method: &'a Method,
        query: Option<&'a str>,
        headers: &'a HeaderMap,
        body: &'a Bytes,
    ) -> Result<HookRequest<'a>, Malformed> {
        let kind = content_type(headers);
        let query_fields = urlencoded(query.unwrap_or_default().as_bytes())?;
        let fields = if kind.starts_with("application/x-www-form-urlencoded") {
            urlencoded(body)?
        } else if kind.starts_with("multipart/form-data") {
            let header = headers.get(CONTENT_TYPE);
            let header = header.and_then(|value| value.to_str().ok());
            multipart(header.unwrap_or_default(), body).await?
        } else {
            Vec::new()
        };
        Ok(HookRequest {
            method,
            query,
            headers,
            body,
            fields,
            query_fields,
        })
    }

    pub(super) fn body(&self) -> &'a [u8] {
        self.body
    }

    pub(super) fn is_json(&self) -> bool {
        content_type(self.headers).starts_with("application/json")
    }

    /// A header that is there once.
    pub(super) fn header(&self, name: &str) -> Option<&'a str> {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next()?.to_str().ok()?;
        values.next().is_none().then_some(value)
    }

    pub(super) fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// The first field of this name in the form, or in the query of a GET.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let of_query = (self.method == Method::GET).then(|| self.query_field(name));
        first(&self.fields, name).or(of_query.flatten())
    }

    pub(super) fn query_field(&self, name: &str) -> Option<&str> {
        first(&self.query_fields, name)
    }

    /// The URL that the provider called, as it was told.
    pub(super) fn url(&self, hook: &Hook) -> String {
        match self.query {
            Some(query) => format!("{}?{query}", hook.url),
            None => hook.url.clone(),
        }
    }
}

fn first<'f>(fields: &'f [(String, String)], name: &str) -> Option<&'f str> {
    let found = fields.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str())
}

fn urlencoded(text: &[u8]) -> Result<Vec<(String, String)>, Malformed> {
    let pairs = form_urlencoded::parse(text).into_owned();
    let fields: Vec<_> = pairs.take(limits::HOOK_FIELDS_MAX + 1).collect();
    if fields.len() > limits::HOOK_FIELDS_MAX {
        return Err(Malformed("too many fields"));
    }
    Ok(fields)
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value.unwrap_or_default().trim().to_ascii_lowercase()
}

/// The fields of a form that are no files.
async fn multipart(kind: &str, body: &Bytes) -> Result<Vec<(String, String)>, Malformed> {
    let broken = |_: multer::Error| Malformed("a form that ends too early, or is none");
    let boundary = multer::parse_boundary(kind).map_err(broken)?;
    let whole = futures_util::stream::iter([Ok::<_, Infallible>(body.clone())]);
    let bytes_max = limits::HOOK_BODY_BYTES_MAX as u64;
    let sizes = SizeLimit::new().whole_stream(bytes_max);
    let constraints = Constraints::new().size_limit(sizes.per_field(bytes_max));
    let mut form = Multipart::with_constraints(whole, boundary, constraints);
    let mut fields = Vec::new();
    while let Some(field) = form.next_field().await.map_err(broken)? {
        if field.file_name().is_some() {
            continue;
        }
        let Some(name) = field.name().map(str::to_owned) else {
            continue;
        };
        if fields.len() == limits::HOOK_FIELDS_MAX {
            return Err(Malformed("too many fields"));
        }
        let value = field.bytes().await.map_err(broken)?;
        fields.push((name, String::from_utf8_lossy(&value).into_owned()));
    }
    Ok(fields)
}

/// A secret of the integration that signatures are made with.
pub(super) fn secret<'a>(hook: &'a Hook, name: &'static str) -> Result<&'a str, Refused> {
    let value = hook.fields.get(name).map(String::as_str);
    value
        .filter(|value| !value.is_empty())
        .ok_or(Refused::NoSecret(name))
}

/// Whether this is the HMAC-SHA256 (RFC 2104) of the parts, one after the other, in hexadecimal.
pub(super) fn hex_mac_matches(key: &str, parts: &[&[u8]], given: &str) -> bool {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else {
        return false;
    };
    for part in parts {
        mac.update(part);
    }
    let right = hex(&mac.finalize().into_bytes());
    let given = given.to_ascii_lowercase();
    right.as_bytes().ct_eq(given.as_bytes()).into()
}

pub(super) fn base64_matches(right: &[u8], given: &str) -> bool {
    let right = STANDARD.encode(right);
    right.as_bytes().ct_eq(given.as_bytes()).into()
}

/// Whether something that was signed then, in seconds, was signed not long ago.
pub(super) fn fresh(
    time_s: i64,
    now_ms: i64,
    age_s_max: i64,
    ahead_s_max: i64,
) -> Result<(), Refused> {
    let age = now_ms.div_euclid(1_000).saturating_sub(time_s);
    if (-ahead_s_max..=age_s_max).contains(&age) {
        Ok(())
    } else {
        Err(Refused::TooOld)
    }
}

/// The item of this workspace's outbox with the id that went with it.
pub(super) fn item_of(hook: &Hook, id: &str) -> Option<i64> {
    let id = DialectId::from_hex(id)?;
    (id.kind == IdKind::Outbox && id.workspace == hook.workspace).then_some(id.id)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How somebody is called, as much of it as anybody shows.
pub(super) fn name(text: &str) -> Option<String> {
    let name: String = text
        .trim()
        .chars()
        .take(limits::HOOK_NAME_CHARS_MAX)
        .collect();
    (!name.is_empty()).then_some(name)
}

/// What a channel says of somebody, if it is not too much.
pub(super) fn raw(value: &Value) -> Option<String> {
    let text = value.to_string();
    (text.len() <= limits::HOOK_RAW_BYTES_MAX).then_some(text)
}

/// As much of a text as a message holds.
pub(super) fn cut(text: &str) -> String {
    text.chars()
        .take(domain::limits::MESSAGE_CHARS_MAX)
        .collect()
}
