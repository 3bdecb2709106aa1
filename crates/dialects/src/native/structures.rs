//! Structures: the owners of audiences, and the roots of their tree.

use axum::extract::State;
use domain::{Deletion, Domain};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call, created, no_content, ok},
    jobs::accepted,
    page::{self, Page, PageParams, PageQuery},
    problem::ProblemBody,
    wire_audiences::{Structure, StructureCreate, StructureUpdate},
    wire_jobs::Job,
};

/// What a structure is deleted with, for the OpenAPI document; [`page::flag`] reads it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes, is never made")]
struct DeleteParams {
    /// `true` deletes its audiences too. Otherwise one that has any is not deleted.
    #[param(default = false)]
    with_audiences: Option<bool>,
}

const NOUN: &str = "structure";

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(structure_list, structure_create))
        .routes(routes!(structure_get, structure_update, structure_delete))
}

/// List structures
///
/// Those of the token's portfolio, in order of id. `GET /api/v1/audiences?parent=root` tells how many people are in them.
/// Needs the scope `audiences:read`.
#[utoipa::path(get, path = "/api/v1/structures", tag = "structures", params(PageParams),
    responses((status = 200, description = "A page of structures.", body = Page<Structure>)))]
async fn structure_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &[])?;
    let structures = domain
        .structure_list(&call.caller, page.after.unwrap_or(0), page.limit)
        .await?;
    page.answer(structures, |structure| structure.id, Structure::from)
}

/// Make a structure
///
/// Needs the scope `structures:write` and a token for every structure.
#[utoipa::path(post, path = "/api/v1/structures", tag = "structures", request_body = StructureCreate,
    responses((status = 201, description = "The new structure.", body = Structure),
        (status = 409, description = "Another structure or audience has this reference.", body = ProblemBody,
            content_type = "application/problem+json")))]
async fn structure_create(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, body) = call.json::<StructureCreate>().await?;
    let structure = domain.structure_create(&context, body.into()).await?;
    created("structures", structure.id, &Structure::from(structure))
}

/// Get a structure
///
/// Needs the scope `audiences:read`.
#[utoipa::path(get, path = "/api/v1/structures/{id}", tag = "structures",
    params(("id" = i64, Path, description = "The structure's id.")),
    responses((status = 200, description = "The structure.", body = Structure)))]
async fn structure_get(State(domain): State<Domain>, call: Call) -> Answer {
    let structure = domain.structure_get(&call.caller, call.id(NOUN)?).await?;
    ok(&Structure::from(structure))
}

/// Change a structure
///
/// What is absent stays; null clears. Who may write to it (`control`) holds for its audiences too. Needs the scope
/// `structures:write`.
#[utoipa::path(patch, path = "/api/v1/structures/{id}", tag = "structures", request_body = StructureUpdate,
    params(("id" = i64, Path, description = "The structure's id.")),
    responses((status = 200, description = "The structure as it is now.", body = Structure),
        (status = 409, description = "Another structure or audience has this reference.", body = ProblemBody,
            content_type = "application/problem+json")))]
async fn structure_update(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    let (context, body) = call.json::<StructureUpdate>().await?;
    let structure = domain.structure_update(&context, id, body.into()).await?;
    ok(&Structure::from(structure))
}

/// Delete a structure
///
/// The people stay. With `with_audiences=true` its audiences go too: many of them by a job, whose first step hides them all.
/// Needs the scope `structures:write`.
#[utoipa::path(delete, path = "/api/v1/structures/{id}", tag = "structures",
    params(("id" = i64, Path, description = "The structure's id."), DeleteParams),
    responses((status = 204, description = "It is deleted."),
        (status = 202, description = "It is gone from every list, and a job removes what it held.", body = Job),
        (status = 409, description = "It still has audiences.", body = ProblemBody,
            content_type = "application/problem+json")))]
async fn structure_delete(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    let with_audiences = page::flag(&call, "with_audiences")?;
    let context = call.context();
    match domain
        .structure_delete(&context, id, with_audiences)
        .await?
    {
        Deletion::Done => no_content(),
        Deletion::Job(job) => accepted(&domain, &context.caller, job).await,
    }
}
