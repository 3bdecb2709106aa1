//! The token endpoint: the client-credentials grant of RFC 6749 section 4.4, the client's id and secret in the form or in
//! Basic. Every answer, a refusal too, is a JSON object: the vendor's client fails on anything else.

use axum::{
    body::Bytes,
    extract::{Request, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, PRAGMA, WWW_AUTHENTICATE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{AccessToken, DialectId, Domain, Error};

use super::{
    DIALECT, auth, call,
    error::Problem,
    form,
    media::{self, Input},
    wire::{Token, TokenError},
};
use crate::{
    body::{self, BodyError},
    limits,
    request::Outcome,
};

const INVALID_REQUEST: &str = "invalid_request";
const INVALID_CLIENT: &str = "invalid_client";

/// `POST /oauth2/token`
pub async fn issue(State(domain): State<Domain>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = body::read(body, limits::BODY_BYTES_MAX).await;
    let basic = auth::credentials(&parts.headers, "basic");
    match grant(&domain, &parts, basic, bytes).await {
        Ok((client, token)) => limited(&domain, &client, token),
        Err(refusal) => refusal.answer(basic.is_some()),
    }
}

/// Gives the token away, unless its client has made too many calls; only one whose secret was right is counted.
fn limited(domain: &Domain, client: &str, token: AccessToken) -> Response {
    let Some(DialectId { workspace, id, .. }) = DialectId::from_hex(client) else {
        return granted(token);
    };
    let rate = domain.rate_check(DIALECT, workspace, id);
    let mut response = match rate.filter(|rate| !rate.allowed) {
        Some(rate) => {
            let error = Error::RateLimited {
                retry_after_ms: rate.wait_ms,
            };
            Refusal::from(Problem::from(error)).answer(false)
        }
        None => granted(token),
    };
    if let Some(rate) = rate {
        call::note_rate(&mut response, rate, domain.now_ms());
    }
    let outcome = response.extensions_mut().get_or_insert_default::<Outcome>();
    outcome.workspace = Some(workspace);
    outcome.credential = Some(id);
    response
}

/// Any other method than POST.
pub async fn wrong_method() -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Refusal::new(status, INVALID_REQUEST, "The token endpoint takes POST.").answer(false)
}

/// What a panic is answered with.
pub fn failed(problem: Problem) -> Response {
    Refusal::from(problem).answer(false)
}

async fn grant(
    domain: &Domain,
    parts: &Parts,
    basic: Option<&str>,
    bytes: Result<Bytes, BodyError>,
) -> Result<(String, AccessToken), Refusal> {
    let bytes = bytes.map_err(|_| Refusal::request("The body is too large or incomplete."))?;
    if parts.headers.contains_key("content-type") && !is_form(&parts.headers) {
        return Err(Refusal::request(
            "The body must be application/x-www-form-urlencoded.",
        ));
    }
    let form =
        std::str::from_utf8(&bytes).map_err(|_| Refusal::request("The body is not UTF-8."))?;
    let mut form = form::fields(form)
        .map_err(|text| Refusal::request(format!("The body is not a valid form: {text}.")))?;
    match form.text("grant_type")?.as_deref() {
        Some("client_credentials") => {}
        None | Some("") => return Err(Refusal::request("The parameter grant_type is mandatory.")),
        Some(_) => {
            let text = "The only grant_type is client_credentials.";
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "unsupported_grant_type",
                text,
            ));
        }
    }
    let present = |text: Option<std::borrow::Cow<'_, str>>| {
        text.map(|text| text.into_owned())
            .filter(|text| !text.is_empty())
    };
    let sent = (
        present(form.text("client_id")?),
        present(form.text("client_secret")?),
    );
    let (id, secret) = client(basic, sent)?;
    let token = domain
        .token_issue(auth::mount(parts), DIALECT, &id, &secret)
        .await;
    Ok((id, token.map_err(Problem::from)?))
}

fn is_form(headers: &HeaderMap) -> bool {
    matches!(media::input(headers), Ok(Input::Form))
}

/// The client's id and secret, from Basic or from the form but not from both (RFC 6749 section 2.3).
fn client(
    basic: Option<&str>,
    sent: (Option<String>, Option<String>),
) -> Result<(String, String), Refusal> {
    let refused = |text| Refusal::new(StatusCode::UNAUTHORIZED, INVALID_CLIENT, text);
    let Some(basic) = basic else {
        return match sent {
            (Some(id), Some(secret)) => Ok((id, secret)),
            _ => Err(refused(
                "The parameters client_id and client_secret are mandatory.",
            )),
        };
    };
    let (id, secret) =
        read_basic(basic).ok_or_else(|| refused("The Basic credentials are malformed."))?;
    if sent.1.is_some() || sent.0.is_some_and(|sent| sent != id) {
        let text = "The client must identify itself in the Authorization header or in the body, not in both.";
        return Err(Refusal::request(text));
    }
    Ok((id, secret))
}

/// Base64 of id and secret, each encoded as in a form (RFC 6749 section 2.3.1).
fn read_basic(basic: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((
        form::decode(id).ok()?.into_owned(),
        form::decode(secret).ok()?.into_owned(),
    ))
}

fn granted(token: AccessToken) -> Response {
    let AccessToken {
        token: access_token,
        expires_in_s: expires_in,
    } = token;
    let body = Token {
        access_token,
        token_type: "Bearer",
        expires_in,
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

/// Why no token is issued, in the words of RFC 6749 section 5.2.
#[derive(Debug)]
struct Refusal {
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

    fn answer(self, basic: bool) -> Response {
        let body = TokenError {
            error: self.error,
            error_description: self.description,
        };
        let mut response = (self.status, axum::Json(body)).into_response();
        forbid_storing(&mut response);
        if self.status == StatusCode::UNAUTHORIZED && basic {
            let challenge = HeaderValue::from_static("Basic realm=\"criteo\", charset=\"UTF-8\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(Outcome {
            context: self.context,
            ..Outcome::default()
        });
        response
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        let error = match problem.status {
            StatusCode::UNAUTHORIZED => INVALID_CLIENT,
            StatusCode::FORBIDDEN => "unauthorized_client",
            // RFC 6749 has no word for it.
            StatusCode::TOO_MANY_REQUESTS => "too_many_requests",
            status if status.is_server_error() => "server_error",
            _ => INVALID_REQUEST,
        };
        let Problem {
            status,
            detail,
            context,
            ..
        } = problem;
        Refusal {
            status,
            error,
            description: detail,
            context,
        }
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
}
