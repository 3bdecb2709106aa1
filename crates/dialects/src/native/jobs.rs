//! Jobs: work that takes longer than a request.

use axum::{
    extract::State,
    http::{StatusCode, header},
};
use domain::{Caller, Domain};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call, ok, render},
    page::{Page, PageParams, PageQuery},
    wire_jobs::Job,
};

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(job_list))
        .routes(routes!(job_get))
}

/// List jobs
///
/// In order of id, those that are done too. Needs the scope `audiences:write` and a token for every structure.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", params(PageParams),
    responses((status = 200, description = "A page of jobs.", body = Page<Job>)))]
async fn job_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &[])?;
    let after = page.after.unwrap_or(0);
    let jobs = domain.job_list(&call.caller, after, page.limit).await?;
    page.answer(jobs, |job| job.id, Job::from)
}

/// Get a job
///
/// Needs the scope `audiences:write` or `structures:write`, and the structure that it works on in the token's portfolio.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs",
    params(("id" = i64, Path, description = "The job's id.")),
    responses((status = 200, description = "The job.", body = Job)))]
async fn job_get(State(domain): State<Domain>, call: Call) -> Answer {
    let job = domain.job_get(&call.caller, call.id("job")?).await?;
    ok(&Job::from(job))
}

/// 202 with the job that goes on with what was asked for. The location is relative to a path as `/api/v1/structures/1`,
/// whatever mount it was called through.
pub(crate) async fn accepted(domain: &Domain, caller: &Caller, id: i64) -> Answer {
    let job = Job::from(domain.job_get(caller, id).await?);
    let mut response = render(StatusCode::ACCEPTED, &job)?;
    if let Ok(location) = format!("../jobs/{id}").parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}
