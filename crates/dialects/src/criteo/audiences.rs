//! The six audience operations.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::limits::{IDENTIFIERS_MAX, PAGE_ITEMS_MAX};
use tokio::task;

use super::{
    call::Call,
    error::Problem,
    map,
    wire::{AudienceCreateResponse, AudiencesGetResponse, Operation},
};
use crate::limits::{BATCH_BODY_BYTES_MAX, BODY_BYTES_MAX};

/// Bodies longer than this are read and hashed on a thread of their own, since that takes milliseconds.
const INLINE_BYTES_MAX: usize = 128 << 10;

/// Bytes of a short identifier in a body; a guess, for the room to set aside.
const IDENTIFIER_BYTES_TYPICAL: usize = 32;

/// `POST /v1/audiences/userlist`
pub async fn create(mut call: Call) -> Result<Response, Problem> {
    let document = call.document(BODY_BYTES_MAX).await?;
    let new = map::audience_new(document.model()?)?;
    let audience = call.domain.audience_create(&call.context, new).await?;
    Ok(call.answer(&AudienceCreateResponse {
        audience_id: audience.id,
    }))
}

/// `GET /v1/audiences`
pub async fn list(call: Call) -> Result<Response, Problem> {
    let advertiser = call.advertiser_id()?;
    let mut audiences = Vec::new();
    let mut after = 0;
    loop {
        let caller = &call.context.caller;
        let page = call
            .domain
            .audience_list(caller, advertiser, after, PAGE_ITEMS_MAX)
            .await?;
        let is_last = page.len() < PAGE_ITEMS_MAX;
        after = page.last().map_or(after, |counted| counted.audience.id);
        audiences.extend(page.into_iter().map(map::audience_response));
        if is_last {
            return Ok(call.answer(&AudiencesGetResponse { audiences }));
        }
    }
}

/// `PATCH /v1/audiences/userlist/{audienceId}`
pub async fn patch(mut call: Call) -> Result<Response, Problem> {
    let document = call.document(BATCH_BODY_BYTES_MAX).await?;
    let bytes = document.len();
    let room = (bytes / IDENTIFIER_BYTES_TYPICAL).min(IDENTIFIERS_MAX);
    let builder = call.domain.batch(&call.context.caller, room).await?;
    let read = move || map::patch(document.model()?, builder);
    let patch = if bytes > INLINE_BYTES_MAX {
        off_thread(read).await?
    } else {
        read()?
    };
    let id = call.audience_id()?;
    let outcome = match patch.operation {
        Operation::Add => {
            call.domain
                .member_add(&call.context, id, patch.batch)
                .await?
        }
        Operation::Remove => {
            call.domain
                .member_remove(&call.context, id, patch.batch)
                .await?
        }
    };
    Ok(call.answer(&map::patch_response(patch.operation, patch.schema, outcome)))
}

async fn off_thread(
    read: impl FnOnce() -> Result<map::Patch, Problem> + Send + 'static,
) -> Result<map::Patch, Problem> {
    match task::spawn_blocking(read).await {
        Ok(patch) => patch,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// `PUT /v1/audiences/{audienceId}`
pub async fn update(mut call: Call) -> Result<Response, Problem> {
    let document = call.document(BODY_BYTES_MAX).await?;
    let change = map::audience_change(document.model()?)?;
    call.domain
        .audience_update(&call.context, call.audience_id()?, change)
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /v1/audiences/userlist/{audienceId}/users`
pub async fn empty(call: Call) -> Result<Response, Problem> {
    call.domain
        .member_empty(&call.context, call.audience_id()?)
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `DELETE /v1/audiences/{audienceId}`
pub async fn delete(call: Call) -> Result<Response, Problem> {
    call.domain
        .audience_delete(&call.context, call.audience_id()?)
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
