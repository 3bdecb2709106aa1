//! The advertisers that a client may touch.

use axum::response::Response;
use domain::limits::PAGE_ITEMS_MAX;

use super::{call::Call, error::Problem, map};

/// `GET /v1/portfolio`
pub async fn list(call: Call) -> Result<Response, Problem> {
    let mut advertisers = Vec::new();
    let mut after = 0;
    loop {
        let page = call
            .domain
            .structure_list(&call.context.caller, after, PAGE_ITEMS_MAX)
            .await?;
        let is_last = page.len() < PAGE_ITEMS_MAX;
        after = page.last().map_or(after, |structure| structure.id);
        advertisers.extend(page.into_iter().map(map::portfolio_message));
        if is_last {
            return Ok(call.answer(&advertisers));
        }
    }
}
