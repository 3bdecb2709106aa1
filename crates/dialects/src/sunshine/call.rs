//! What every operation goes through. In: who calls (401), how often (429), whether the app is theirs and their key is for this
//! (403), what the path and the query say (400). Out: what the log is told.

use axum::{
    RequestPartsExt,
    body::{Body, Bytes},
    extract::{RawPathParams, Request, State},
    http::{Method, StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use domain::{Caller, Context, CursorPage, CursorQuery, Domain, Error, IdKind, RecordRef, Scope};
use serde::Serialize;

use super::{
    DIALECT,
    auth::{self, Known},
    error::Problem,
    json::{self, Errors, Object},
    map,
    page::{Origin, Paging, Query, own},
    wire,
};
use crate::{
    body, rate,
    request::{self, Outcome},
};

/// Bytes of a body: the vendor's 100 kB.
pub const BODY_BYTES_MAX: usize = 100 << 10;

/// What a handler answers.
pub type Answer = Result<Response, Problem>;

/// Who may call an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Users: a key of an integration too.
    People,
    /// Clients, conversations, messages: a key of an integration too.
    Channels,
    /// Integrations and keys: an app's key.
    Integrations,
    /// Webhooks: an integration's key, of its own.
    Webhooks,
    /// The app itself: any key.
    App,
    /// Apps: an account's key.
    Account,
    /// A token that was signed for a user, and no other.
    User,
}

/// A request whose caller is known and may be answered.
#[derive(Debug)]
pub struct Call {
    pub domain: Domain,
    pub context: Context,
    pub query: Query,
    /// Whom a user's token was signed for.
    pub signed_for: Option<String>,
    origin: Origin,
    path: RawPathParams,
    body: Bytes,
}

/// Admits a request, runs the operation, and notes what came of it.
pub async fn serve<F, Fut>(
    State(domain): State<Domain>,
    request: Request,
    need: Need,
    operation: F,
) -> Response
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Answer>,
{
    let (mut parts, body) = request.into_parts();
    let known = match auth::caller(&domain, &parts).await {
        Ok(known) => known,
        Err(problem) => return refuse(&parts, body, problem).await,
    };
    let (workspace, credential) = (known.caller.workspace, known.caller.credential);
    let quota = domain.rate_check(DIALECT, workspace, credential);
    let now_ms = domain.now_ms();
    let admitted = match quota.filter(|quota| !quota.allowed) {
        Some(quota) => Err(Problem::from(Error::RateLimited {
            retry_after_ms: quota.wait_ms,
        })),
        None => admit(&known, need, &mut parts).await,
    };
    let mut response = match admitted {
        Err(problem) => refuse(&parts, body, problem).await,
        Ok((path, query)) => match body::read(body, BODY_BYTES_MAX).await {
            Err(error) => Problem::from(error).into_response(),
            Ok(body) => {
                let call = Call {
                    context: Context::new(known.caller, request::request_id(&parts.extensions)),
                    signed_for: known.user,
                    origin: Origin::of(&domain, &parts),
                    domain,
                    query,
                    path,
                    body,
                };
                operation(call).await.into_response()
            }
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

async fn admit(
    known: &Known,
    need: Need,
    parts: &mut Parts,
) -> Result<(RawPathParams, Query), Problem> {
    let path = parts
        .extract::<RawPathParams>()
        .await
        .map_err(|_| Problem::bad_request("The path is not valid UTF-8."))?;
    let app = path.iter().find(|(name, _)| *name == "app");
    let own = map::app_id(known.caller.workspace);
    if app.is_some_and(|(_, app)| app != own) {
        return Err(Problem::forbidden("This key is not one of this app's"));
    }
    may(known, need, &parts.method)?;
    let query = Query::parse(parts.uri.query().unwrap_or_default())?;
    Ok((path, query))
}

/// Fails where the key, or its token, is not for this; that is told before anything is looked at or looked up.
fn may(known: &Known, need: Need, method: &Method) -> Result<(), Problem> {
    if known.user.is_some() != (need == Need::User) {
        let title = if known.user.is_some() {
            "A user's token is for signing in and out only"
        } else {
            "Signing in needs a token of the scope user"
        };
        return Err(Problem::forbidden(title));
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let scope = match need {
        Need::App => return Ok(()),
        Need::People if reads => Scope::PeopleRead,
        Need::People => Scope::PeopleWrite,
        Need::Channels | Need::User => Scope::Channels,
        Need::Integrations => Scope::Integrations,
        Need::Webhooks => Scope::Webhooks,
        Need::Account => Scope::Admin,
    };
    if known.caller.scopes.has(scope) {
        return Ok(());
    }
    Err(Problem {
        context: Some(format!("without the scope {}", scope.as_str())),
        ..Problem::forbidden(match need {
            Need::Account => "Only an account's key may do this",
            _ => "This key may not do this",
        })
    })
}

/// Answers before the body is read.
async fn refuse(parts: &Parts, body: Body, problem: Problem) -> Response {
    body::discard(&parts.headers, body).await;
    problem.into_response()
}

impl Call {
    pub fn caller(&self) -> &Caller {
        &self.context.caller
    }

    pub fn workspace(&self) -> i64 {
        self.context.caller.workspace
    }

    /// What the path has in this place.
    pub fn path(&self, name: &str) -> String {
        let found = self.path.iter().find(|(known, _)| *known == name);
        found.map(|(_, text)| text.to_owned()).unwrap_or_default()
    }

    /// The id that the path has in the place `name` of a thing of this kind, which a refusal calls `noun`.
    pub fn id(&self, name: &str, kind: IdKind, noun: &'static str) -> Result<i64, Problem> {
        own(self.workspace(), kind, &self.path(name)).ok_or_else(|| Problem::not_found(noun))
    }

    pub fn conversation(&self) -> Result<i64, Problem> {
        self.id("conversation", IdKind::Conversation, "conversation")
    }

    pub fn integration(&self) -> Result<i64, Problem> {
        self.id("integration", IdKind::Integration, "integration")
    }

    /// The user whom the path names: by id, else by external id. No external id reads as an id: the domain takes none that does.
    pub fn user(&self) -> RecordRef {
        let name = self.path("user");
        match own(self.workspace(), IdKind::Record, &name) {
            Some(id) => RecordRef::Id(id),
            None => RecordRef::Reference(name),
        }
    }

    /// What `parse` makes of the body. The client is not asked for a Content-Type.
    pub fn read<T>(
        &self,
        parse: impl FnOnce(&Object<'_>, &mut Errors) -> Option<T>,
    ) -> Result<T, Problem> {
        json::read(&self.body, parse)
    }

    /// Which page of things of this kind is asked for.
    pub fn cursor(&self, kind: IdKind) -> Result<CursorQuery, Problem> {
        self.query.cursor(self.workspace(), kind)
    }

    /// Answers a page of things of this kind under the vendor's name for them.
    pub fn page<T, W: Serialize>(
        &self,
        (name, kind): (&'static str, IdKind),
        cursor: CursorQuery,
        page: CursorPage<T>,
        id: impl Fn(&T) -> i64,
        render: impl Fn(&T) -> W,
    ) -> Answer {
        let paging = Paging {
            origin: &self.origin,
            query: &self.query,
            cursor,
            workspace: self.workspace(),
            kind,
        };
        Ok(paging.answer(name, page, id, render))
    }
}

pub fn ok<T: Serialize>(body: &T) -> Response {
    wire::answer(StatusCode::OK, body)
}

pub fn created<T: Serialize>(body: &T) -> Response {
    wire::answer(StatusCode::CREATED, body)
}

/// What everything answers that has nothing to say.
pub fn done() -> Answer {
    Ok(ok(&wire::Nothing {}))
}
