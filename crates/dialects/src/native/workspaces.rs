//! Workspaces, and who a token stands for.

use axum::extract::State;
use domain::Domain;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call, created, ok},
    page::{Page, PageParams, PageQuery},
    problem::ProblemBody,
    wire::{Me, Workspace, WorkspaceCreate},
};

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(workspace_list, workspace_create))
        .routes(routes!(me))
}

/// List workspaces
///
/// In order of id. Needs the scope `installation`.
#[utoipa::path(get, path = "/api/v1/workspaces", tag = "workspaces", params(PageParams),
    responses((status = 200, description = "A page of workspaces.", body = Page<Workspace>)))]
async fn workspace_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &[])?;
    let workspaces = domain
        .workspace_list(&call.caller, page.after.unwrap_or(0), page.limit)
        .await?;
    page.answer(workspaces, |workspace| workspace.id, Workspace::from)
}

/// Make a workspace
///
/// Needs the scope `installation`.
#[utoipa::path(post, path = "/api/v1/workspaces", tag = "workspaces", request_body = WorkspaceCreate,
    responses((status = 201, description = "The new workspace.", body = Workspace),
        (status = 409, description = "Another workspace has this slug.", body = ProblemBody,
            content_type = "application/problem+json")))]
async fn workspace_create(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, body) = call.json::<WorkspaceCreate>().await?;
    let workspace = domain.workspace_create_once(&context, body.into()).await?;
    created("workspaces", workspace.id, &Workspace::from(workspace))
}

/// Who am I
///
/// What the token may do, and in which workspace.
#[utoipa::path(get, path = "/api/v1/me", tag = "workspaces",
    responses((status = 200, description = "The token's credential.", body = Me)))]
async fn me(call: Call) -> Answer {
    ok(&Me::from(call.caller))
}
