//! What the dialects with OAuth 2 share: the Authorization header, and the token endpoint's client-credentials grant (RFC 6749
//! section 4.4) with the client's id and secret in the form or in Basic.
//!
//! What it is not: it issues nothing; a dialect asks the domain for the token and says where its endpoint is.
//! Invariant: every answer of a token endpoint, a refusal too, is a JSON object: the vendors' clients fail on anything else.

use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, PRAGMA, WWW_AUTHENTICATE,
        },
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{AccessToken, DialectId, Domain, Error, Mount};
use serde::Serialize;

use crate::{body, form, limits, rate, request::Outcome};

const INVALID_REQUEST: &str = "invalid_request";
const INVALID_CLIENT: &str = "invalid_client";
/// Parameters of one request, known or not.
const PARAMETERS_MAX: usize = 64;

/// What follows the scheme in the request's only Authorization header, if that is the scheme. `scheme` is lower-case; the
/// header's may be in any case.
pub(crate) fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (only, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (named, rest) = only.to_str().ok()?.trim().split_once(' ')?;
    named.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// The user and password of Basic as they are (RFC 7617).
pub(crate) fn basic(credentials: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Which workspace the path or host named.
pub(crate) fn mount(parts: &Parts) -> Mount {
    parts.extensions.get::<Mount>().copied().unwrap_or_default()
}

/// A request for a token whose form is right; whether the client is, nobody has asked yet.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub client_id: String,
    pub client_secret: String,
    /// As it was sent; absent where it was empty.
    pub scope: Option<String>,
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Grant({}, ***)", self.client_id)
    }
}

impl Grant {
    pub(crate) async fn read(parts: &Parts, body: Body) -> Result<Grant, Refusal> {
        let bytes = body::read(body, limits::BODY_BYTES_MAX).await;
        let bytes = bytes.map_err(|_| Refusal::request("The body is too large or incomplete."))?;
        if !is_form(&parts.headers) {
            return Err(Refusal::request(
                "The body must be application/x-www-form-urlencoded.",
            ));
        }
        let form =
            std::str::from_utf8(&bytes).map_err(|_| Refusal::request("The body is not UTF-8."))?;
        let mut form = Parameters::read(form)
            .map_err(|text| Refusal::request(format!("The body is not a valid form: {text}.")))?;
        match form.take("grant_type").as_deref() {
            Some("client_credentials") => {}
            None => return Err(Refusal::request("The parameter grant_type is mandatory.")),
            Some(_) => {
                let text = "The only grant_type is client_credentials.";
                return Err(Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "unsupported_grant_type",
                    text,
                ));
            }
        }
        let sent = (form.take("client_id"), form.take("client_secret"));
        let (client_id, client_secret) = client(credentials(&parts.headers, "basic"), sent)?;
        Ok(Grant {
            client_id,
            client_secret,
            scope: form.take("scope"),
        })
    }
}

/// True where nothing is declared, too.
fn is_form(headers: &HeaderMap) -> bool {
    let is = |text: &str, word: &str| text.trim().eq_ignore_ascii_case(word);
    let Some(declared) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let encoding = headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    let declared = declared.to_str().unwrap_or_default();
    let (kind, parameters) = declared.split_once(';').unwrap_or((declared, ""));
    let charset = parameters
        .split(';')
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| is(name, "charset"));
    is(kind, "application/x-www-form-urlencoded")
        && encoding.is_none_or(|encoding| encoding.eq_ignore_ascii_case(b"identity"))
        && charset.is_none_or(|(_, value)| is(value.trim().trim_matches('"'), "utf-8"))
}

/// The parameters of a form; none comes twice (RFC 6749 section 3.2).
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn read(text: &str) -> Result<Parameters, String> {
        let mut all: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (form::decode(name)?, form::decode(value)?);
            if all.iter().any(|(known, _)| *known == name) {
                let shown: String = name.chars().take(64).collect();
                return Err(format!("the field `{shown}` comes twice"));
            }
            if all.len() >= PARAMETERS_MAX {
                return Err(format!("there are more than {PARAMETERS_MAX} fields"));
            }
            all.push((name.into_owned(), value.into_owned()));
        }
        Ok(Parameters(all))
    }

    /// The value, where it is not empty.
    fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.0.swap_remove(at);
        (!value.is_empty()).then_some(value)
    }
}

/// The client's id and secret, from Basic or from the form but not from both (RFC 6749 section 2.3).
fn client(
    basic: Option<&str>,
    sent: (Option<String>, Option<String>),
) -> Result<(String, String), Refusal> {
    let Some(basic) = basic else {
        return match sent {
            (Some(id), Some(secret)) => Ok((id, secret)),
            _ => Err(Refusal::client(
                "The parameters client_id and client_secret are mandatory.",
            )),
        };
    };
    let (id, secret) =
        read_basic(basic).ok_or_else(|| Refusal::client("The Basic credentials are malformed."))?;
    if sent.1.is_some() || sent.0.is_some_and(|sent| sent != id) {
        let text = "The client must identify itself in the Authorization header or in the body, not in both.";
        return Err(Refusal::request(text));
    }
    Ok((id, secret))
}

/// Base64 of id and secret, each encoded as in a form (RFC 6749 section 2.3.1).
fn read_basic(credentials: &str) -> Option<(String, String)> {
    let (id, secret) = basic(credentials)?;
    Some((
        form::decode(&id).ok()?.into_owned(),
        form::decode(&secret).ok()?.into_owned(),
    ))
}

/// The answer of RFC 6749 section 5.1.
#[derive(Debug, Serialize)]
struct Token {
    access_token: String,
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// The refusal of RFC 6749 section 5.2.
#[derive(Debug, Serialize)]
struct TokenError {
    error: &'static str,
    error_description: String,
}

/// Gives a token away, unless its client has made too many calls; only one whose secret was right is counted.
pub(crate) fn give(
    domain: &Domain,
    dialect: &str,
    client_id: &str,
    token: AccessToken,
    scope: Option<String>,
) -> Response {
    let Some(DialectId { workspace, id, .. }) = DialectId::from_hex(client_id) else {
        return granted(token, scope);
    };
    let quota = domain.rate_check(dialect, workspace, id);
    let mut response = match quota.filter(|quota| !quota.allowed) {
        Some(quota) => {
            let error = Error::RateLimited {
                retry_after_ms: quota.wait_ms,
            };
            Refusal::from(error).answer(None)
        }
        None => granted(token, scope),
    };
    if let Some(quota) = quota {
        rate::note(&mut response, quota, domain.now_ms());
    }
    let outcome = response.extensions_mut().get_or_insert_default::<Outcome>();
    outcome.workspace = Some(workspace);
    outcome.credential = Some(id);
    response
}

fn granted(token: AccessToken, scope: Option<String>) -> Response {
    let AccessToken {
        token: access_token,
        expires_in_s: expires_in,
    } = token;
    let body = Token {
        access_token,
        token_type: "Bearer",
        expires_in,
        scope,
    };
    let mut response = axum::Json(body).into_response();
    forbid_storing(&mut response);
    response
}

fn forbid_storing(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
}

/// Why no token is issued.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    error: &'static str,
    description: String,
    context: Option<String>,
}

impl Refusal {
    fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Refusal {
        Refusal {
            status,
            error,
            description: description.into(),
            context: None,
        }
    }

    fn request(description: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, INVALID_REQUEST, description)
    }

    /// The client is not known, or not here.
    pub(crate) fn client(description: &str) -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, INVALID_CLIENT, description)
    }

    pub(crate) fn scope(description: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "invalid_scope", description)
    }

    /// Any other method than POST.
    pub(crate) fn wrong_method() -> Refusal {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Refusal::new(status, INVALID_REQUEST, "The token endpoint takes POST.")
    }

    /// `challenge` is what a client that came with Basic is asked for.
    pub(crate) fn answer(self, challenge: Option<HeaderValue>) -> Response {
        let body = TokenError {
            error: self.error,
            error_description: self.description,
        };
        let mut response = (self.status, axum::Json(body)).into_response();
        forbid_storing(&mut response);
        if let (StatusCode::UNAUTHORIZED, Some(challenge)) = (self.status, challenge) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(Outcome {
            context: self.context,
            ..Outcome::default()
        });
        response
    }

    /// The answer to a request: the challenge goes to those who came with Basic.
    pub(crate) fn answer_to(self, headers: &HeaderMap, challenge: &'static str) -> Response {
        let came = credentials(headers, "basic").is_some();
        self.answer(came.then(|| HeaderValue::from_static(challenge)))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        let text = error.to_string();
        let context = error.context().map(str::to_owned);
        let refusal = match error {
            Error::Unauthenticated(_) => {
                Refusal::new(StatusCode::UNAUTHORIZED, INVALID_CLIENT, text)
            }
            Error::Forbidden(_) => Refusal::new(StatusCode::FORBIDDEN, "unauthorized_client", text),
            // RFC 6749 has no word for it.
            Error::RateLimited { .. } => {
                Refusal::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", text)
            }
            Error::NotFound(_)
            | Error::AlreadyExists(_)
            | Error::Invalid(_)
            | Error::TooLarge(_)
            | Error::Conflict(_)
            | Error::KeyReused => Refusal::request(text),
            // The vendors document no 503.
            Error::Unavailable { .. } | Error::Upstream { .. } | Error::Internal { .. } => {
                Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", text)
            }
        };
        Refusal { context, ..refusal }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_is_decoded_as_a_form() {
        let read = |text: &str| read_basic(&STANDARD.encode(text));
        assert_eq!(read("a%3Ab:c+d"), Some(("a:b".into(), "c d".into())));
        assert_eq!(read("a:b:c"), Some(("a".into(), "b:c".into())));
        assert_eq!(read("ab"), None);
        assert_eq!(read("a%:b"), None);
        assert_eq!(read_basic("***"), None);
        assert_eq!(read_basic(&STANDARD.encode([0xff, b':'])), None);
        let plain = STANDARD.encode("a+b:c%3Ad");
        assert_eq!(basic(&plain), Some(("a+b".into(), "c%3Ad".into())));
    }

    #[test]
    fn a_client_identifies_itself_in_one_place() {
        let both = |id: Option<&str>, secret: Option<&str>| {
            (id.map(str::to_owned), secret.map(str::to_owned))
        };
        let basic = STANDARD.encode("a:b");
        let a_b = ("a".to_owned(), "b".to_owned());
        assert_eq!(
            client(None, both(Some("a"), Some("b"))).expect("is whole"),
            a_b
        );
        assert_eq!(
            client(Some(&basic), both(None, None)).expect("is whole"),
            a_b
        );
        assert_eq!(
            client(Some(&basic), both(Some("a"), None)).expect("is whole"),
            a_b
        );
        let status = |basic, sent| client(basic, sent).expect_err("is refused").status.as_u16();
        assert_eq!(status(None, both(Some("a"), None)), 401);
        assert_eq!(status(None, both(None, Some("b"))), 401);
        assert_eq!(status(Some("?"), both(None, None)), 401);
        assert_eq!(status(Some(&basic), both(Some("x"), None)), 400);
        assert_eq!(status(Some(&basic), both(Some("a"), Some("b"))), 400);
    }

    #[test]
    fn a_form_may_declare_itself_or_not() {
        let is = |kind: &'static str, encoding: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
            is_form(&headers)
        };
        let form = "application/x-www-form-urlencoded";
        assert!(is_form(&HeaderMap::new()) && is(form, "identity"));
        assert!(is(
            "Application/X-WWW-form-urlencoded; charset=\"UTF-8\"",
            "Identity"
        ));
        assert!(!is(form, "gzip") && !is("application/json", "identity"));
        assert!(!is(
            "application/x-www-form-urlencoded;charset=latin1",
            "identity"
        ));
    }
}
