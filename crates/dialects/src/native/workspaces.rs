//! Workspaces, and who a token stands for.

use axum::extract::State;
use domain::Domain;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call, created, ok},
    page::{Page, PageParams, PageQuery},
    problem::ProblemBody,
    wire::{Me, Workspace, WorkspaceCreate},
    wire_credentials::{Administrator, WorkspaceMade},
};

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(workspace_list, workspace_create))
        .routes(routes!(workspace_administrator))
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
/// Needs the scope `installation`. The answer carries the token of the workspace's first administrator, shown this once.
#[utoipa::path(post, path = "/api/v1/workspaces", tag = "workspaces", request_body = WorkspaceCreate,
    responses((status = 201, description = "The new workspace and its administrator's token.", body = WorkspaceMade),
        (status = 409, description = "Another workspace has this slug.", body = ProblemBody,
            content_type = "application/problem+json")))]
async fn workspace_create(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, body) = call.json::<WorkspaceCreate>().await?;
    let workspace = domain.workspace_create_once(&context, body.into()).await?;
    let administrator = domain
        .workspace_administrator(&context, workspace.id)
        .await?;
    let made = WorkspaceMade {
        workspace: Workspace::from(workspace),
        token: administrator.secret,
    };
    created("workspaces", made.workspace.id, &made)
}

/// Make an administrator of a workspace
///
/// Needs the scope `installation`. For a workspace whose own administrator's token was lost.
#[utoipa::path(post, path = "/api/v1/workspaces/{id}/administrators", tag = "workspaces", 
    params(("id" = i64, Path, description = "The workspace's id.")),
    responses((status = 201, description = "The token, shown this once.", body = Administrator)))]
async fn workspace_administrator(State(domain): State<Domain>, call: Call) -> Answer {
    let workspace = call.id("workspace")?;
    let context = call.nothing().await?;
    let made = domain.workspace_administrator(&context, workspace).await?;
    let administrator = Administrator {
        workspace,
        credential: made.credential.id,
        token: made.secret,
    };
    created("credentials", administrator.credential, &administrator)
}

/// Who am I
///
/// What the token may do, and in which workspace.
#[utoipa::path(get, path = "/api/v1/me", tag = "workspaces",
    responses((status = 200, description = "The token's credential.", body = Me)))]
async fn me(call: Call) -> Answer {
    ok(&Me::from(call.caller))
}
