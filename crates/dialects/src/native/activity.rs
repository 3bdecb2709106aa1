//! Activity: who did what, when.

use axum::extract::State;
use domain::Domain;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call},
    page::{Page, PageParams, PageQuery},
    wire::Activity,
};

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new().routes(routes!(activity_list))
}

/// List activity
///
/// Newest first. Needs the scope `admin`.
#[utoipa::path(get, path = "/api/v1/activity", tag = "activity", params(PageParams),
    responses((status = 200, description = "A page of entries.", body = Page<Activity>)))]
async fn activity_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &[])?;
    let entries = domain
        .activity_list(&call.caller, page.after, page.limit)
        .await?;
    page.answer(entries, |entry| entry.id, Activity::from)
}
