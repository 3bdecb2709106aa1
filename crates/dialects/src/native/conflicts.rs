//! Identity conflicts: people who turned out to share an identifier.

use axum::extract::State;
use domain::Domain;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call},
    page::{Page, PageParams, PageQuery},
    wire::Conflict,
};

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new().routes(routes!(conflict_list))
}

/// List identity conflicts
///
/// In order of first sight. Nothing is merged by itself: the first owner keeps the identifier. Needs the scope `admin`.
#[utoipa::path(get, path = "/api/v1/identity/conflicts", tag = "identity", params(PageParams),
    responses((status = 200, description = "A page of conflicts.", body = Page<Conflict>)))]
async fn conflict_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &[])?;
    let conflicts = domain
        .conflict_list(&call.caller, page.after.unwrap_or(0), page.limit)
        .await?;
    page.answer(conflicts, |conflict| conflict.id, Conflict::from)
}
