//! What every operation goes through. In: which workspace, who calls (401), how often (429). Out: what the log is told.
//!
//! Who calls comes before what is sent: nobody unknown makes the server look at a body.

use std::net::IpAddr;

use axum::{
    Json, RequestPartsExt,
    body::Body,
    extract::{RawPathParams, Request, State},
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use domain::{Caller, Context, DEFAULT_SLUG, DialectId, Domain, Door, Error, IdKind, Mount, Visit};
use serde::Serialize;
use serde_json::Value;

use super::{
    DIALECT, Options, Server,
    error::Problem,
    fields::{self, Sent},
    json, uuid,
};
use crate::{
    body::{self, BodyError},
    limits,
    request::{self, Outcome, Reached},
};

/// What a handler answers.
pub type Answer = Result<Response, Problem>;

/// The audience of A2's access tokens: FastAPI-Users writes a list.
const AUDIENCE: &[&str] = &["fastapi-users:auth"];

/// A request that was admitted.
#[derive(Debug)]
pub struct Call {
    pub domain: Domain,
    pub workspace: i64,
    /// Of an operation that asks for a token.
    caller: Option<Caller>,
    options: Options,
    visit: Visit,
    parts: Parts,
    body: Body,
    path_id: Option<String>,
}

/// Admits anybody, as often as their address may.
pub async fn open<F, Fut>(State(server): State<Server>, request: Request, operation: F) -> Response
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Answer>,
{
    admit(server, request, false, operation).await
}

/// Admits whoever has a session's token.
pub async fn signed<F, Fut>(
    State(server): State<Server>,
    request: Request,
    operation: F,
) -> Response
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Answer>,
{
    admit(server, request, true, operation).await
}

/// Admits anybody or whoever has a token, as the operator has chosen for consents.
pub async fn consenting<F, Fut>(
    State(server): State<Server>,
    request: Request,
    operation: F,
) -> Response
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Answer>,
{
    let needs_token = !server.options.consents_open;
    admit(server, request, needs_token, operation).await
}

async fn admit<F, Fut>(server: Server, request: Request, token: bool, operation: F) -> Response
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Answer>,
{
    let Server { domain, options } = server;
    let (mut parts, body) = request.into_parts();
    let mount = parts.extensions.get::<Mount>().copied().unwrap_or_default();
    let address = request::client_address(&parts.extensions);
    let (workspace, caller) = match who(&domain, options, mount, &parts, token).await {
        Ok(admitted) => admitted,
        Err(problem) => return refuse(&parts, body, problem).await,
    };
    let actor = caller.as_ref().map(Caller::actor);
    let counted = actor.unwrap_or_else(|| address_key(address));
    let refused = domain
        .rate_check(DIALECT, workspace, counted)
        .filter(|rate| !rate.allowed);
    let mut response = match refused {
        Some(rate) => {
            let error = Error::RateLimited {
                retry_after_ms: rate.wait_ms,
            };
            refuse(&parts, body, error.into()).await
        }
        None => {
            let params = parts.extract::<RawPathParams>().await.ok();
            let path_id = params.and_then(|params| {
                let id = params.iter().find(|(name, _)| *name == "id");
                id.map(|(_, id)| id.to_owned())
            });
            let request_id = request::request_id(&parts.extensions);
            let call = Call {
                domain,
                workspace,
                caller,
                options,
                visit: Visit::new(mount, request_id, Some(address)),
                parts,
                body,
                path_id,
            };
            operation(call).await.into_response()
        }
    };
    let outcome = response.extensions_mut().get_or_insert_default::<Outcome>();
    outcome.workspace = Some(workspace);
    outcome.credential = actor.or(outcome.credential);
    response
}

/// The workspace that a request is for, and who calls where a token is asked for.
async fn who(
    domain: &Domain,
    options: Options,
    mount: Mount,
    parts: &Parts,
    token: bool,
) -> Result<(i64, Option<Caller>), Problem> {
    if token {
        let token = bearer(&parts.headers).ok_or_else(Problem::unauthenticated)?;
        let caller = domain.caller_by_session(mount, &door(options), token).await;
        let caller = caller.map_err(|error| match error {
            // The mount names no workspace: nobody is anybody there.
            Error::NotFound(_) => Problem::unauthenticated(),
            error => error.into(),
        })?;
        return Ok((caller.workspace, Some(caller)));
    }
    let mount = match mount.workspace {
        Some(_) => mount,
        None => domain.mount(DEFAULT_SLUG).await?,
    };
    let workspace = mount.workspace.filter(|workspace| *workspace > 0);
    Ok((workspace.ok_or_else(Problem::not_found)?, None))
}

/// How A2's tokens look.
fn door(options: Options) -> Door {
    Door {
        dialect: DIALECT,
        audience: AUDIENCE,
        subject: user_uuid,
        life_s: options.token_life_s,
    }
}

/// The id of a user.
pub fn user_uuid(workspace: i64, id: i64) -> String {
    let kind = IdKind::Account;
    DialectId {
        workspace,
        kind,
        id,
    }
    .to_uuid()
}

/// The token of the request's only Authorization header (RFC 6750 section 2.1), the scheme in any letter case.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (only, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, token) = only.to_str().ok()?.trim().split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim())
        .filter(|token| !token.is_empty())
}

/// Under what an address is counted: a number that no account has. Of IPv6 the network, since one host has all of it.
fn address_key(address: IpAddr) -> i64 {
    const V6: i64 = 1 << 62;
    let number = match address.to_canonical() {
        IpAddr::V4(address) => i64::from(u32::from(address)),
        IpAddr::V6(address) => {
            let network = (u128::from(address) >> 64) as u64;
            V6 | (network >> 2) as i64
        }
    };
    -1 - number
}

/// Answers before the body is read.
async fn refuse(parts: &Parts, body: Body, problem: Problem) -> Response {
    body::discard(&parts.headers, body).await;
    problem.into_response()
}

impl Call {
    /// Who calls; an operation that asks for no token has nobody.
    pub fn caller(&self) -> Result<&Caller, Problem> {
        self.caller.as_ref().ok_or_else(Problem::unauthenticated)
    }

    /// Who calls, where a token was asked for.
    pub fn caller_if_any(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    pub fn context(&self) -> Result<Context, Problem> {
        let caller = self.caller()?.clone();
        Ok(Context::new(caller, self.visit.request_id.clone()))
    }

    pub fn visit(&self) -> &Visit {
        &self.visit
    }

    pub fn door(&self) -> Door {
        door(self.options)
    }

    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The path as it was routed.
    pub fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// How the client wrote what was asked for, where that was rewritten.
    pub fn reached(&self) -> Option<&Reached> {
        self.parts.extensions.get::<Reached>()
    }

    /// The last value of a parameter of the query.
    pub fn query(&self, name: &str) -> Option<String> {
        let query = self.parts.uri.query().unwrap_or_default();
        let values = form_urlencoded::parse(query.as_bytes()).filter(|(known, _)| known == name);
        values.last().map(|(_, value)| value.into_owned())
    }

    /// The number of the user that the path names; what is no UUID names nobody.
    pub fn path_user(&self) -> Result<i64, Problem> {
        let text = self.path_id.as_deref().unwrap_or_default();
        let uuid = uuid::parse(text).map_err(|_| Problem::not_found())?;
        Ok(fields::account_id(self.workspace, &uuid))
    }

    /// Reads the body; it can be read once.
    pub async fn bytes(&mut self) -> Result<axum::body::Bytes, Problem> {
        let body = std::mem::take(&mut self.body);
        let read = body::read(body, limits::BODY_BYTES_MAX).await;
        read.map_err(|error| match error {
            BodyError::TooLarge { .. } => Problem::too_large(),
            BodyError::Incomplete => Problem::unreadable(),
        })
    }

    /// Reads the body as FastAPI does: JSON where its type says so, else a text.
    pub async fn sent(&mut self) -> Result<Sent, Problem> {
        let bytes = self.bytes().await?;
        if bytes.is_empty() {
            return Ok(Sent::Nothing);
        }
        if is_json(&self.parts.headers) {
            return json::parse(&bytes).map(Sent::Value);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Sent::Value(Value::String(text)))
    }
}

/// `application/json` or `application/...+json`.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.to_str());
    let kind = kind.and_then(Result::ok).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    let subtype = essence.strip_prefix("application/");
    subtype.is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

/// 200 with a body.
pub fn ok<T: Serialize>(body: &T) -> Answer {
    answer(StatusCode::OK, body)
}

pub fn answer<T: Serialize>(status: StatusCode, body: &T) -> Answer {
    Ok((status, Json(body)).into_response())
}

/// Tells the log whose account an answer is about, where nobody has signed in before.
pub fn about(mut response: Response, account: i64) -> Response {
    let outcome = response.extensions_mut().get_or_insert_default::<Outcome>();
    outcome.credential = Some(account);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_counted_apart_from_accounts_and_from_each_other() {
        let key = |text: &str| address_key(text.parse().expect("is an address"));
        let keys = [
            "127.0.0.1",
            "10.0.0.1",
            "2001:db8::1",
            "2001:db8:0:1::1",
            "::1",
        ]
        .map(key);
        assert!(keys.iter().all(|key| *key < 0), "{keys:?}");
        let mut apart = keys.to_vec();
        apart.sort_unstable();
        apart.dedup();
        assert_eq!(apart.len(), 4, "two of them are of one network at most");
        assert_eq!(key("::ffff:10.0.0.1"), key("10.0.0.1"));
        assert_eq!(key("2001:db8::1"), key("2001:db8::2"));
    }

    #[test]
    fn only_json_is_read_as_json() {
        let json = |kind: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, kind.parse().expect("is a value"));
            is_json(&headers)
        };
        assert!(json("application/json; charset=utf-8") && json("Application/vnd.a2+JSON"));
        assert!(!json("text/plain") && !json("application/x-www-form-urlencoded"));
        assert!(!is_json(&HeaderMap::new()));
    }
}
