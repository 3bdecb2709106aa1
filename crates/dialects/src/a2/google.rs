//! Signing in by the identity provider of the name `google`: with an ID token that a client has got there, and by the
//! authorize and callback pair of FastAPI-Users.

use axum::http::{
    HeaderMap, HeaderValue,
    header::{COOKIE, SET_COOKIE},
};
use domain::{Error, Field};
use serde_json::Value;

use super::{
    auth::{BAD_CREDENTIALS, signed},
    call::{Answer, Call, ok},
    error::Problem,
    fields::Need,
    wire::Authorization,
};

/// The name of the provider in the configuration.
const GOOGLE: &str = "google";
/// FastAPI-Users' cookie; here it holds, sealed, what the callback is compared with.
const KEPT: &str = "fastapiusersoauthcsrf";
const KEPT_S: u32 = 3_600;
const BAD_STATE: &str = "OAUTH_INVALID_STATE";
/// Characters of a provider's error that are answered.
const ERROR_CHARS_MAX: usize = 200;

/// `POST /auth/google`: `id_token`, or `credential` as Google's own button names it.
pub async fn sign_in(mut call: Call) -> Answer {
    let sent = call.sent().await?;
    let mut fields = sent.parameters();
    let token = match fields.text("credential", Need::Absent) {
        Some(credential) => Some(credential),
        None => fields.text("id_token", Need::Required),
    };
    fields.finish()?;
    let token = token.unwrap_or_default();
    let (visit, door) = (call.visit(), call.door());
    let signed_in = call
        .domain
        .identity_sign_in(visit, &door, GOOGLE, token)
        .await;
    signed(signed_in.map_err(refused)?)
}

/// `GET /auth/google/authorize`
pub async fn authorize(call: Call) -> Answer {
    let redirect = redirect_uri(&call);
    let begun = call
        .domain
        .identity_authorize(call.visit(), GOOGLE, &redirect)
        .await
        .map_err(refused)?;
    let mut response = ok(&Authorization {
        authorization_url: begun.url,
    })?;
    let cookie = cookie(&call, &begun.kept, KEPT_S)?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

/// `GET /auth/google/callback?code&state`
pub async fn callback(call: Call) -> Answer {
    let Some(code) = call.query("code") else {
        let error = call.query("error").map(|error| {
            let shown = error.chars().take(ERROR_CHARS_MAX);
            shown.collect::<String>()
        });
        return Err(Problem::bad(error.unwrap_or_else(|| "Bad Request".into())));
    };
    let state = call.query("state").unwrap_or_default();
    let kept = kept(call.headers()).unwrap_or_default();
    let (visit, door) = (call.visit(), call.door());
    let signed_in = call
        .domain
        .identity_callback(visit, &door, GOOGLE, kept, &state, &code)
        .await;
    let mut response = signed(signed_in.map_err(refused)?)?;
    let cookie = cookie(&call, "", 0)?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

/// The callback beside the path that was asked for: on the server's public address, or on the dialect's own host name.
fn redirect_uri(call: &Call) -> String {
    let public = call.domain.public_url();
    let reached = call.reached();
    let path = reached.map_or(call.path(), |reached| &reached.path);
    let path = path.strip_suffix("/authorize").unwrap_or(path);
    match reached.and_then(|reached| reached.authority.as_deref()) {
        Some(authority) => {
            let scheme = public.split("://").next().unwrap_or("https");
            format!("{scheme}://{authority}{path}/callback")
        }
        None => format!("{public}{path}/callback"),
    }
}

/// As FastAPI-Users sets it, but `Secure` only where the server is reached by TLS: elsewhere the browser would drop it.
fn cookie(call: &Call, value: &str, life_s: u32) -> Result<HeaderValue, Problem> {
    let secure = call.domain.public_url().starts_with("https://");
    let secure = if secure { "; Secure" } else { "" };
    let text = format!("{KEPT}={value}; HttpOnly; Max-Age={life_s}; Path=/; SameSite=lax{secure}");
    HeaderValue::from_str(&text).map_err(|error| {
        let context = error.to_string();
        Error::Internal { context }.into()
    })
}

fn kept(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'));
    let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(name, _)| *name == KEPT)
        .map(|(_, value)| value)
}

/// The vendor's words for why nobody was signed in.
fn refused(error: Error) -> Problem {
    match error {
        Error::Unauthenticated(_) => Problem::bad(BAD_CREDENTIALS),
        Error::AlreadyExists(_) => Problem::bad("OAUTH_USER_ALREADY_EXISTS"),
        Error::Invalid(Field { name, .. }) => match name {
            "identity_provider" => Problem::not_found(),
            "id_token" => Problem::bad("ACCESS_TOKEN_DECODE_ERROR"),
            "state" => Problem::bad(BAD_STATE),
            "email" => Problem::bad("OAUTH_NOT_AVAILABLE_EMAIL"),
            _ => Problem::bad(BAD_CREDENTIALS),
        },
        error => Problem::of_command(error, &Value::Null),
    }
}
