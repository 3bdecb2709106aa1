//! A request as the handlers see it: who calls, which noun the path names, and the body, read within limits.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use domain::{Caller, Context, Error, Keyed};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    json,
    problem::{Kind, Problem},
};
use crate::{body, limits, request::request_id};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// What a handler answers.
pub(crate) type Answer = Result<Response, Problem>;

/// A request whose caller is known and within its quota.
#[derive(Debug)]
pub(crate) struct Call {
    pub caller: Caller,
    request_id: String,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    /// The names in the path, by their place in the route.
    path: Vec<(String, String)>,
    body: Body,
}

impl<S: Send + Sync> FromRequest<S> for Call {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Call, Problem> {
        let (mut parts, body) = request.into_parts();
        let params = RawPathParams::from_request_parts(&mut parts, state)
            .await
            .ok();
        let path = params.iter().flatten();
        let path = path.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let path = path.collect();
        // Set by `auth::gate`, which stands before every route.
        let caller = parts
            .extensions
            .remove::<Caller>()
            .ok_or(Error::Unauthenticated("A bearer token is needed."))?;
        let request_id = request_id(&parts.extensions);
        Ok(Call {
            caller,
            request_id,
            method: parts.method,
            uri: parts.uri,
            headers: parts.headers,
            path,
            body,
        })
    }
}

impl Call {
    /// The id that the path names. What is not an id names nothing.
    pub(crate) fn id(&self, noun: &'static str) -> Result<i64, Problem> {
        self.id_at("id", noun)
    }

    /// The id of an account, or that of the caller's own where the path says `me`.
    pub(crate) fn account(&self) -> Result<i64, Problem> {
        if self.segment("id") == "me" {
            let text = "This token belongs to no account: name one by its id.";
            let own = self.caller.account;
            return own.ok_or_else(|| Problem::new(Kind::Forbidden, text));
        }
        self.id("account")
    }

    /// The id that stands in the path at `{place}`.
    pub(crate) fn id_at(&self, place: &str, noun: &'static str) -> Result<i64, Problem> {
        let text = self.segment(place);
        let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
        let id = text.parse().ok().filter(|_| canonical);
        Ok(id.ok_or(Error::NotFound(noun))?)
    }

    fn segment(&self, place: &str) -> &str {
        let found = self.path.iter().find(|(name, _)| name == place);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// A read keeps no answer, whatever its method: its Idempotency-Key is of no meaning.
    pub(crate) fn into_read(mut self) -> Call {
        self.headers.remove(IDEMPOTENCY_KEY);
        self
    }

    /// The context of a verb whose request has no body to keep an answer for.
    pub(crate) fn context(self) -> Context {
        Context::new(self.caller, self.request_id)
    }

    /// Reads a JSON body, and the Idempotency-Key that makes it safe to repeat.
    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<(Context, T), Problem> {
        let (context, bytes) = self.json_bytes(limits::BODY_BYTES_MAX).await?;
        Ok((context, json::parse(&bytes)?))
    }

    /// Reads a body that is JSON by its Content-Type.
    pub(crate) async fn json_bytes(self, bytes_max: usize) -> Result<(Context, Bytes), Problem> {
        json::check_media_type(&self.headers)?;
        self.bytes(bytes_max).await
    }

    /// Reads a body that should be empty; an empty JSON object will do, since some clients cannot send nothing.
    pub(crate) async fn nothing(self) -> Result<Context, Problem> {
        let (context, bytes) = self.bytes(limits::BODY_BYTES_MAX).await?;
        match bytes.trim_ascii() {
            b"" | b"{}" => Ok(context),
            _ => Err(Problem::invalid(
                "body",
                "not_empty",
                "This request takes no body.",
            )),
        }
    }

    async fn bytes(self, bytes_max: usize) -> Result<(Context, Bytes), Problem> {
        let key = idempotency_key(&self.headers)?;
        let bytes = body::read(self.body, bytes_max).await?;
        let path = self.uri.path().as_bytes();
        let keyed = key
            .map(|key| Keyed::new(&key, &[self.method.as_str().as_bytes(), path, &bytes]))
            .transpose()?;
        Ok((
            Context::new(self.caller, self.request_id).keyed(keyed),
            bytes,
        ))
    }
}

/// The key of draft-ietf-httpapi-idempotency-key-header: a string of RFC 8941 section 3.3.3 in double quotes, or, as most
/// clients send it, bare.
fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let bad = || {
        Problem::invalid(
            "Idempotency-Key",
            "malformed",
            "The Idempotency-Key must be one string, quoted or bare.",
        )
    };
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| bad())?.trim();
    if values.next().is_some() {
        return Err(bad());
    }
    let Some(quoted) = text.strip_prefix('"') else {
        return Ok(Some(text.to_owned()));
    };
    let (mut key, mut chars) = (String::with_capacity(quoted.len()), quoted.chars());
    loop {
        match chars.next().ok_or_else(bad)? {
            '"' if chars.as_str().is_empty() => return Ok(Some(key)),
            '"' => return Err(bad()),
            '\\' => key.push(
                chars
                    .next()
                    .filter(|c| matches!(c, '"' | '\\'))
                    .ok_or_else(bad)?,
            ),
            c => key.push(c),
        }
    }
}

/// 200 with a body.
pub(crate) fn ok<T: Serialize>(body: &T) -> Answer {
    render(StatusCode::OK, body)
}

/// 201 with a body. The location is relative to the collection's own path, whatever mount it was called through.
pub(crate) fn created<T: Serialize>(collection: &str, id: i64, body: &T) -> Answer {
    let mut response = render(StatusCode::CREATED, body)?;
    if let Ok(location) = format!("{collection}/{id}").parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub(crate) fn no_content() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(crate) fn render<T: Serialize>(status: StatusCode, body: &T) -> Answer {
    let bytes = serde_json::to_vec(body).map_err(|error| Error::Internal {
        context: error.to_string(),
    })?;
    Ok((status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_quoted_or_bare() {
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("idempotency-key", value.parse().expect("a header"));
            }
            idempotency_key(&headers).ok()
        };
        assert_eq!(read(&[]), Some(None));
        assert_eq!(read(&["8e03978e-40d5"]), Some(Some("8e03978e-40d5".into())));
        assert_eq!(
            read(&["\"8e03978e-40d5\""]),
            Some(Some("8e03978e-40d5".into()))
        );
        assert_eq!(read(&[r#""a\"b\\c""#]), Some(Some(r#"a"b\c"#.into())));
        for wrong in [
            &["\"a"][..],
            &["\"a\"b\""],
            &[r#""a\n""#],
            &["a", "b"],
            &["\u{e9}"],
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
