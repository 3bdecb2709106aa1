//! Audiences: named sets of people, each owned by a structure.

use axum::extract::State;
use domain::{AudienceCounts, AudienceRef, Counted, Domain};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call, created, no_content, ok},
    page::{Page, PageParams, PageQuery},
    problem::ProblemBody,
    wire::{Audience, AudienceCreate, AudienceUpdate},
};

pub(crate) const NOUN: &str = "audience";

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(audience_list, audience_create))
        .routes(routes!(audience_get, audience_update, audience_delete))
}

/// List audiences
///
/// Those of the token's portfolio, in order of id, with exact counts. Needs the scope `audiences:read`.
#[utoipa::path(get, path = "/api/v1/audiences", tag = "audiences",
    params(PageParams, ("structure" = Option<i64>, Query, description = "Only the audiences of this structure.")),
    responses((status = 200, description = "A page of audiences.", body = Page<Audience>)))]
async fn audience_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &["structure"])?;
    let audiences = domain
        .audience_list(
            &call.caller,
            page.structure,
            page.after.unwrap_or(0),
            page.limit,
        )
        .await?;
    page.answer(audiences, |counted| counted.audience.id, Audience::from)
}

/// Make an audience
///
/// It is empty at first. A structure that is unknown or outside the token's portfolio is 403. Needs the scope
/// `audiences:write`.
#[utoipa::path(post, path = "/api/v1/audiences", tag = "audiences", request_body = AudienceCreate,
    responses((status = 201, description = "The new audience.", body = Audience),
        (status = 409, description = "Another audience has this name or reference.", body = ProblemBody,
            content_type = "application/problem+json")))]
async fn audience_create(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, body) = call.json::<AudienceCreate>().await?;
    let audience = domain.audience_create(&context, body.into()).await?;
    let counted = Counted {
        audience,
        counts: AudienceCounts::default(),
    };
    created("audiences", counted.audience.id, &Audience::from(counted))
}

/// Get an audience
///
/// With exact counts. Needs the scope `audiences:read`.
#[utoipa::path(get, path = "/api/v1/audiences/{id}", tag = "audiences",
    params(("id" = i64, Path, description = "The audience's id.")),
    responses((status = 200, description = "The audience.", body = Audience)))]
async fn audience_get(State(domain): State<Domain>, call: Call) -> Answer {
    let counted = domain.audience_get(&call.caller, call.id(NOUN)?).await?;
    ok(&Audience::from(counted))
}

/// Change an audience
///
/// What is absent stays; null clears. Members have operations of their own. Needs the scope `audiences:write`.
#[utoipa::path(patch, path = "/api/v1/audiences/{id}", tag = "audiences", request_body = AudienceUpdate,
    params(("id" = i64, Path, description = "The audience's id.")),
    responses((status = 200, description = "The audience as it is now.", body = Audience),
        (status = 409, description = "Another audience has this name or reference.", body = ProblemBody,
            content_type = "application/problem+json")))]
async fn audience_update(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    let (context, body) = call.json::<AudienceUpdate>().await?;
    let changed = domain
        .audience_change(&context, AudienceRef::Id(id), body.into(), false)
        .await?;
    let counted = domain.changed_counted(&context, &changed).await?;
    ok(&Audience::from(counted))
}

/// Delete an audience
///
/// The people stay. Needs the scope `audiences:write`.
#[utoipa::path(delete, path = "/api/v1/audiences/{id}", tag = "audiences",
    params(("id" = i64, Path, description = "The audience's id.")),
    responses((status = 204, description = "It is deleted.")))]
async fn audience_delete(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    domain.audience_delete(&call.context(), id).await?;
    no_content()
}
