//! What every operation goes through. In: who calls (401), how often (429), whether they may (403), what the path and the
//! query say (400). Out: `x-ratelimit-*`, and what the log is told.

use axum::{
    RequestPartsExt,
    body::Body,
    extract::{RawPathParams, Request, State},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use domain::{Caller, Context, Denied, Domain, Error, Rate};
use serde::Serialize;
use serde_json::Value;

use super::{
    DIALECT, Options, auth,
    error::Problem,
    json::{self, Fields, Unreadable},
    query::{Origin, Query, Window},
    wire,
};
use crate::{
    body, limits, rate,
    request::{self, Outcome},
};

/// What a handler answers.
pub type Answer = Result<Response, Problem>;

/// What the routes share.
#[derive(Debug, Clone)]
pub struct Served {
    pub domain: Domain,
    pub options: Options,
}

/// A request whose caller is known and may be answered.
#[derive(Debug)]
pub struct Call {
    pub domain: Domain,
    pub options: Options,
    pub context: Context,
    pub query: Query,
    pub parts: Parts,
    path: RawPathParams,
    body: Body,
}

/// Admits a request, runs the operation, and notes what came of it.
pub async fn serve<F, Fut>(State(served): State<Served>, request: Request, operation: F) -> Response
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Answer>,
{
    let (parts, body) = request.into_parts();
    let caller = match auth::caller(&served.domain, &parts).await {
        Ok(caller) => caller,
        Err(error) => return refuse(&parts, body, error.into()).await,
    };
    let (workspace, credential) = (caller.workspace, caller.credential);
    let rate = served.domain.rate_check(DIALECT, workspace, credential);
    let now_ms = served.domain.now_ms();
    let mut response = match admit(&caller, rate) {
        Err(error) => refuse(&parts, body, error.into()).await,
        Ok(()) => match Call::new(served, caller, parts, body).await {
            Ok(call) => operation(call).await.into_response(),
            Err(problem) => problem.into_response(),
        },
    };
    if let Some(rate) = rate {
        rate::note(&mut response, rate, now_ms);
    }
    let outcome = response.extensions_mut().get_or_insert_default::<Outcome>();
    outcome.workspace = Some(workspace);
    outcome.credential = Some(credential);
    response
}

/// All that this API has is the vendor's administration of users, which needs `edit_domain` of the key and of its owner,
/// even where it is about the owner.
fn admit(caller: &Caller, rate: Option<Rate>) -> Result<(), Error> {
    if let Some(rate) = rate.filter(|rate| !rate.allowed) {
        return Err(Error::RateLimited {
            retry_after_ms: rate.wait_ms,
        });
    }
    if !caller.administers() {
        return Err(Error::Forbidden(Denied::Administrator));
    }
    Ok(())
}

/// Answers before the body is read.
async fn refuse(parts: &Parts, body: Body, problem: Problem) -> Response {
    body::discard(&parts.headers, body).await;
    problem.into_response()
}

impl Call {
    async fn new(
        served: Served,
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
            domain: served.domain,
            options: served.options,
            context,
            query,
            parts,
            path,
            body,
        })
    }

    pub fn caller(&self) -> &Caller {
        &self.context.caller
    }

    /// What the path has in this place.
    pub fn path(&self, name: &str) -> String {
        let found = self.path.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| text.to_owned()).unwrap_or_default()
    }

    /// The body as a JSON object; none at all is an empty one.
    pub async fn fields(&mut self, unreadable: Unreadable) -> Result<Fields, Problem> {
        match self.value(unreadable).await? {
            None => Ok(Fields::default()),
            Some(value) => Ok(Fields::of(value)?),
        }
    }

    /// The body as JSON; nothing where it is empty. The client is not asked for a Content-Type.
    pub async fn value(&mut self, unreadable: Unreadable) -> Result<Option<Value>, Problem> {
        let body = std::mem::take(&mut self.body);
        let bytes = body::read(body, limits::BODY_BYTES_MAX).await?;
        json::value(&bytes, unreadable)
    }

    /// Answers 200 with a part of a list and the addresses of those beside it.
    pub fn page<T: Serialize>(&self, window: Window, total_count: u64, results: Vec<T>) -> Answer {
        let links = Origin::of(&self.domain, &self.parts).links(&self.query, window, total_count);
        let (next, previous) = links;
        Ok(ok(&wire::Page {
            total_count,
            next,
            previous,
            results,
        }))
    }
}

pub fn ok<T: Serialize>(body: &T) -> Response {
    wire::answer(StatusCode::OK, body)
}

pub fn created<T: Serialize>(body: &T) -> Response {
    wire::answer(StatusCode::CREATED, body)
}

pub fn no_content() -> Answer {
    Ok(StatusCode::NO_CONTENT.into_response())
}
