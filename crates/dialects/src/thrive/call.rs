//! What every operation goes through. In: who calls (401), how often (429), what their token is for (403), what the path and
//! the query say (400). Out: `x-ratelimit-*`, and what the log is told.

use axum::{
    RequestPartsExt,
    body::Body,
    extract::{RawPathParams, Request, State},
    http::{Method, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use domain::{AudienceRef, Caller, Context, Denied, Domain, Error, Scope};
use serde::Serialize;
use serde_json::Value;

use super::{
    DIALECT, auth,
    error::Problem,
    json::{self, Fields},
    query::{Paging, Query},
    scope::Need,
    wire,
};
use crate::{
    body, limits, rate,
    request::{self, Outcome},
};

/// What a handler answers.
pub type Answer = Result<Response, Problem>;

/// A request whose caller is known and may be answered.
#[derive(Debug)]
pub struct Call {
    pub domain: Domain,
    pub context: Context,
    pub query: Query,
    path: RawPathParams,
    body: Body,
}

/// An operation on audiences or users: reading needs one scope, everything else another.
pub async fn serve<F, Fut>(State(domain): State<Domain>, request: Request, operation: F) -> Response
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Answer>,
{
    let need = match *request.method() {
        Method::GET | Method::HEAD => Need::Read,
        _ => Need::Write,
    };
    serve_needing(domain, request, need, operation).await
}

/// An operation on webhooks.
pub async fn serve_webhook<F, Fut>(
    State(domain): State<Domain>,
    request: Request,
    operation: F,
) -> Response
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Answer>,
{
    serve_needing(domain, request, Need::Webhooks, operation).await
}

/// Admits a request, runs the operation, and notes what came of it.
async fn serve_needing<F, Fut>(
    domain: Domain,
    request: Request,
    need: Need,
    operation: F,
) -> Response
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Answer>,
{
    let (parts, body) = request.into_parts();
    let (caller, scopes) = match auth::caller(&domain, &parts).await {
        Ok(found) => found,
        Err(error) => return refuse(&parts, body, error.into()).await,
    };
    let (workspace, credential) = (caller.workspace, caller.credential);
    let quota = domain.rate_check(DIALECT, workspace, credential);
    let now_ms = domain.now_ms();
    let mut response = match quota.filter(|quota| !quota.allowed) {
        Some(quota) => {
            let error = Error::RateLimited {
                retry_after_ms: quota.wait_ms,
            };
            refuse(&parts, body, error.into()).await
        }
        None if !scopes.allow(need) => refuse(&parts, body, lacking(need)).await,
        None => match Call::new(domain, caller, parts, body).await {
            Ok(call) => operation(call).await.into_response(),
            Err(problem) => problem.into_response(),
        },
    };
    if let Some(quota) = quota {
        rate::note(&mut response, quota, now_ms);
    }
    let outcome = response.extensions_mut().get_or_insert_default::<Outcome>();
    outcome.workspace = Some(workspace);
    outcome.credential = Some(credential);
    response
}

fn lacking(need: Need) -> Problem {
    Problem::scope(match need {
        Need::Read => "api/read",
        Need::Write => "api/write",
        Need::Webhooks => "api/webhooks",
    })
}

/// Answers before the body is read.
async fn refuse(parts: &Parts, body: Body, problem: Problem) -> Response {
    body::discard(&parts.headers, body).await;
    problem.into_response()
}

impl Call {
    async fn new(
        domain: Domain,
        caller: Caller,
        mut parts: Parts,
        body: Body,
    ) -> Result<Call, Problem> {
        let path = parts
            .extract::<RawPathParams>()
            .await
            .map_err(|_| Problem::bad_request("The path is not valid UTF-8."))?;
        let query = Query::parse(parts.uri.query().unwrap_or_default())?;
        let context = Context::new(caller, request::request_id(&parts.extensions));
        Ok(Call {
            domain,
            context,
            query,
            path,
            body,
        })
    }

    pub fn caller(&self) -> &Caller {
        &self.context.caller
    }

    /// Fails where the credential lacks a scope: for what is looked up before the verb that would say so, since who may not
    /// write learns that before whether there is something to write to.
    pub fn need(&self, scope: Scope) -> Result<(), Error> {
        if self.caller().scopes.has(scope) {
            return Ok(());
        }
        Err(Error::Forbidden(Denied::Scope(scope)))
    }

    /// What the path has in this place.
    pub fn path(&self, name: &str) -> String {
        let found = self.path.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| text.to_owned()).unwrap_or_default()
    }

    /// The audience that the path names, by its id or its reference.
    pub fn audience(&self) -> AudienceRef {
        AudienceRef::Name(self.path("audience"))
    }

    /// The body as a JSON object; none at all is an empty one.
    pub async fn fields(&mut self) -> Result<Fields, Problem> {
        Fields::of(self.value().await?)
    }

    /// The body as JSON; nothing where it is empty. The client is not asked for a Content-Type.
    pub async fn value(&mut self) -> Result<Option<Value>, Problem> {
        let body = std::mem::take(&mut self.body);
        let bytes = body::read(body, limits::BODY_BYTES_MAX).await?;
        json::value(&bytes)
    }
}

pub fn ok<T: Serialize>(body: &T) -> Response {
    wire::answer(StatusCode::OK, body)
}

pub fn created<T: Serialize>(body: &T) -> Response {
    wire::answer(StatusCode::CREATED, body)
}

/// What every deletion answers.
pub fn deleted() -> Answer {
    Ok(ok(&wire::Deleted { success: true }))
}

/// A page of a list.
pub fn page<T: Serialize>(paging: Paging, total: u64, results: Vec<T>) -> Response {
    ok(&wire::Page {
        results,
        pagination: wire::Pagination {
            total_results: total,
            total_pages: total.div_ceil(paging.per_page),
            page: paging.page,
            per_page: paging.per_page,
        },
    })
}
