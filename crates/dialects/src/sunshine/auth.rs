//! Who calls: Basic with a key's id and secret, or a token that is signed with the secret (RFC 7519, HS256) and whose header
//! names the key. What a token says of its scope can only take away.

use axum::http::request::Parts;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Caller, Domain, Error, IdKind, Scope, SignedClaims};
use serde::Deserialize;

use super::{DIALECT, error::Problem, map::hex};
use crate::oauth::{basic, credentials, mount};

/// What the vendor puts before a key's id: of an app, of an account, of a service. Any is taken here.
const KEY_PREFIXES: [&str; 3] = ["app_", "act_", "svc_"];
/// What a custom integration's key can do.
pub const INTEGRATION_SCOPES: [Scope; 4] = [
    Scope::Channels,
    Scope::PeopleRead,
    Scope::PeopleWrite,
    Scope::Webhooks,
];
const APP_SCOPES: [Scope; 5] = [
    Scope::Channels,
    Scope::Integrations,
    Scope::PeopleRead,
    Scope::PeopleWrite,
    Scope::Webhooks,
];
/// Characters of a token that is looked at.
const TOKEN_CHARS_MAX: usize = 4_096;

/// Who calls.
#[derive(Debug)]
pub struct Known {
    pub caller: Caller,
    /// Whom a program speaks for that signed its token for its own user; such a caller may sign that user in and out, and
    /// nothing else.
    pub user: Option<String>,
}

/// The part of a token's header that names its key. What else is in it, the domain checks.
#[derive(Deserialize)]
struct Header {
    kid: String,
}

/// A key's id as it is shown.
pub fn key_id(workspace: i64, credential: i64, account: bool) -> String {
    let prefix = if account { "act_" } else { "app_" };
    format!("{prefix}{}", hex(workspace, IdKind::Credential, credential))
}

/// The 24 digits in a key's id.
pub fn key_digits(id: &str) -> Option<&str> {
    KEY_PREFIXES
        .iter()
        .find_map(|prefix| id.strip_prefix(prefix))
}

pub async fn caller(domain: &Domain, parts: &Parts) -> Result<Known, Problem> {
    if let Some(token) = credentials(&parts.headers, "bearer") {
        return by_token(domain, parts, token).await;
    }
    let Some(text) = credentials(&parts.headers, "basic") else {
        return Err(Problem::unauthorized("no credentials"));
    };
    let (id, secret) = basic(text).ok_or_else(|| Problem::unauthorized("Basic is malformed"))?;
    let id = key_digits(&id).ok_or_else(|| Problem::unauthorized("no id of a key"))?;
    let found = domain.caller_by_key(mount(parts), DIALECT, id, &secret);
    let caller = found.await.map_err(refused)?;
    Ok(Known { caller, user: None })
}

async fn by_token(domain: &Domain, parts: &Parts, token: &str) -> Result<Known, Problem> {
    let kid = kid(token).ok_or_else(|| Problem::unauthorized("no kid in a token"))?;
    let id = key_digits(&kid).ok_or_else(|| Problem::unauthorized("no id of a key in kid"))?;
    let found = domain.caller_by_signed_token(mount(parts), DIALECT, id, token);
    let (caller, claims) = found.await.map_err(refused)?;
    narrowed(caller, claims)
}

/// Who calls with a wrong secret learns no more than who calls with none.
fn refused(error: Error) -> Problem {
    match error {
        // A key that was revoked, or of another workspace than the path's.
        Error::NotFound(_) => Problem::unauthorized("no such key"),
        error => error.into(),
    }
}

fn kid(token: &str) -> Option<String> {
    if token.len() > TOKEN_CHARS_MAX {
        return None;
    }
    let header = token.split('.').next()?;
    let header = URL_SAFE_NO_PAD.decode(header).ok()?;
    let header: Header = serde_json::from_slice(&header).ok()?;
    Some(header.kid)
}

/// The caller with no more than what the token's scope has.
fn narrowed(caller: Caller, claims: SignedClaims) -> Result<Known, Problem> {
    let known = |caller| Known { caller, user: None };
    match claims.scope.as_deref() {
        Some("app") => Ok(known(caller.narrowed(&APP_SCOPES))),
        Some("integration") => Ok(known(caller.narrowed(&INTEGRATION_SCOPES))),
        Some("account") if caller.scopes.has(Scope::Admin) => Ok(known(caller)),
        Some("account") => Err(Problem::forbidden(
            "This key is not an account's: its tokens have the scope app",
        )),
        // `appUser` is the older word.
        Some("user" | "appUser") => {
            let user = claims.external_id.filter(|user| !user.is_empty());
            let user = user.ok_or_else(|| Problem::unauthorized("a user's token names nobody"))?;
            Ok(Known {
                caller,
                user: Some(user),
            })
        }
        _ => Err(Problem::unauthorized("no scope that is known in a token")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_key_whatever_the_order() {
        let token = |header: &str| format!("{}.e30.x", URL_SAFE_NO_PAD.encode(header));
        let named = |header: &str| kid(&token(header));
        assert_eq!(
            named("{\"kid\":\"app_1\",\"alg\":\"HS256\"}"),
            Some("app_1".into())
        );
        assert_eq!(
            named("{\"typ\":\"JWT\",\"alg\":\"HS256\",\"kid\":\"app_1\"}"),
            Some("app_1".into())
        );
        for wrong in ["", "{}", "{\"kid\":7}", "[]", "x"] {
            assert_eq!(named(wrong), None, "{wrong}");
        }
        assert_eq!(kid(""), None);
        assert_eq!(
            kid(&format!("{}x", token("{\"kid\":\"a\"}").repeat(400))),
            None
        );
    }

    #[test]
    fn key_ids_have_one_of_three_prefixes() {
        assert_eq!(key_digits("app_1"), Some("1"));
        assert_eq!(key_digits("act_1"), Some("1"));
        assert_eq!(key_digits("svc_1"), Some("1"));
        for wrong in ["", "1", "app1", "APP_1", "key_1"] {
            assert_eq!(key_digits(wrong), None, "{wrong}");
        }
    }
}
