//! Members by their identifiers: added, removed, replaced, asked about. Lists of them are in [`super::members_list`].
//!
//! Large bodies are parsed and hashed off the async workers, before the command; small ones where they came in.

use axum::extract::State;
use domain::{AudienceRef, Batch, Context, Domain, limits::IDENTIFIERS_MAX};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    audiences::NOUN,
    batch::{self, Members, MembersChanged, MembersContained, MembersEmptied},
    call::{Answer, Call, ok},
    problem::Problem,
    wire_audiences::Counts,
};
use crate::limits;

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(member_add))
        .routes(routes!(member_remove))
        .routes(routes!(member_replace))
        .routes(routes!(member_empty))
        .routes(routes!(member_contains))
        .routes(routes!(member_count))
}

/// Reads the people of a request.
async fn read(call: Call) -> Result<(Context, i64, Members), Problem> {
    let audience = call.id(NOUN)?;
    let (context, bytes) = call.json_bytes(limits::BATCH_BODY_BYTES_MAX).await?;
    let members = off_worker_if(bytes.len() / IDENTIFIER_BYTES_TYPICAL, move || {
        Members::parse(&bytes)
    })
    .await??;
    Ok((context, audience, members))
}

/// Bytes of a short identifier in a body; a guess, for the room to set aside.
const IDENTIFIER_BYTES_TYPICAL: usize = 32;

async fn batch(domain: &Domain, call: Call) -> Result<(Context, i64, Batch), Problem> {
    let audience = call.id(NOUN)?;
    let (context, bytes) = call.json_bytes(limits::BATCH_BODY_BYTES_MAX).await?;
    let room = (bytes.len() / IDENTIFIER_BYTES_TYPICAL).min(IDENTIFIERS_MAX);
    let builder = domain.batch(&context.caller, room).await?;
    let batch = off_worker_if(room, move || batch::batch(&bytes, builder)).await??;
    Ok((context, audience, batch))
}

/// Identifiers that are parsed and hashed where they came in: it takes less than handing them to another thread.
const AT_ONCE_MAX: usize = 16;

/// Does work for so many identifiers, off the async workers if they are many.
pub(crate) async fn off_worker_if<T: Send + 'static>(
    identifiers: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    if identifiers <= AT_ONCE_MAX {
        return Ok(work());
    }
    off_worker(work).await
}

async fn off_worker<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Problem::panicked(&error.to_string()))
}

/// Add members
///
/// Makes people whom nobody knows yet. Adding somebody again changes nothing. All of it or nothing happens; invalid
/// identifiers are counted and left out, and where none is valid the request is 422. Needs the scope `audiences:write`, as all
/// changes of members do; the key of an account needs `manage_members` of the audience or its structure.
#[utoipa::path(post, path = "/api/v1/audiences/{id}/members/add", tag = "members", request_body = Members,
    params(("id" = i64, Path, description = "The audience's or structure's id.")),
    responses((status = 200, description = "What it did.", body = MembersChanged)))]
async fn member_add(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, audience, batch) = batch(&domain, call).await?;
    let outcome = domain
        .member_add(&context, AudienceRef::Id(audience), batch)
        .await?;
    ok(&MembersChanged::from(outcome))
}

/// Remove members
///
/// Removes everybody who has one of the identifiers. Nobody is made. Who is removed from a structure is removed from all its
/// audiences too.
#[utoipa::path(post, path = "/api/v1/audiences/{id}/members/remove", tag = "members", request_body = Members,
    params(("id" = i64, Path, description = "The audience's or structure's id.")),
    responses((status = 200, description = "What it did.", body = MembersChanged)))]
async fn member_remove(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, audience, batch) = batch(&domain, call).await?;
    let outcome = domain
        .member_remove(&context, AudienceRef::Id(audience), batch)
        .await?;
    ok(&MembersChanged::from(outcome))
}

/// Replace the members
///
/// Makes the audience hold exactly the people of the request. A request without a valid identifier is 422: emptying
/// has its own operation.
#[utoipa::path(post, path = "/api/v1/audiences/{id}/members/replace", tag = "members", request_body = Members,
    params(("id" = i64, Path, description = "The audience's or structure's id.")),
    responses((status = 200, description = "What it did.", body = MembersChanged)))]
async fn member_replace(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, audience, batch) = batch(&domain, call).await?;
    let outcome = domain
        .member_replace(&context, AudienceRef::Id(audience), batch)
        .await?;
    ok(&MembersChanged::from(outcome))
}

/// Remove all members
///
/// Takes no body. The people stay.
#[utoipa::path(post, path = "/api/v1/audiences/{id}/members/empty", tag = "members",
    params(("id" = i64, Path, description = "The audience's or structure's id.")),
    responses((status = 200, description = "What it did.", body = MembersEmptied)))]
async fn member_empty(State(domain): State<Domain>, call: Call) -> Answer {
    let audience = call.id(NOUN)?;
    let emptied = domain
        .member_empty(&call.nothing().await?, AudienceRef::Id(audience))
        .await?;
    ok(&MembersEmptied {
        removed: emptied.removed,
    })
}

/// Ask who is a member
///
/// A read, and a POST only because identifiers do not belong into URLs. Needs the scope `audiences:read`; the key of an
/// account needs `insights` of the audience or its structure.
#[utoipa::path(post, path = "/api/v1/audiences/{id}/members/contains", tag = "members", request_body = Members,
    params(("id" = i64, Path, description = "The audience's or structure's id.")),
    responses((status = 200, description = "For each of those asked about.", body = MembersContained)))]
async fn member_contains(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, audience, members) = read(call.into_read()).await?;
    let builder = domain.question(&context.caller, members.count()).await?;
    let question = off_worker_if(members.count(), move || members.question(builder)).await?;
    let contains = domain
        .member_contains(&context.caller, AudienceRef::Id(audience), question)
        .await?;
    ok(&MembersContained { contains })
}

/// Count members
///
/// Needs the scope `audiences:read`, or to be one of its managers.
#[utoipa::path(get, path = "/api/v1/audiences/{id}/members/count", tag = "members",
    params(("id" = i64, Path, description = "The audience's or structure's id.")),
    responses((status = 200, description = "The exact counts.", body = Counts)))]
async fn member_count(State(domain): State<Domain>, call: Call) -> Answer {
    let id = AudienceRef::Id(call.id(NOUN)?);
    let (counted, _) = domain.audience_counted(&call.caller, id).await?;
    ok(&Counts::from(counted.counts))
}
