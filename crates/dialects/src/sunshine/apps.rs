//! Apps: the one that a key is of. An app is a workspace, which is made and deleted on the server's own command line.

use domain::IdKind;
use serde::Serialize;

use super::{
    call::{Answer, Call, ok},
    error::Problem,
    map, wire,
};

/// `AppResponse`.
#[derive(Debug, Serialize)]
struct Body {
    app: wire::App,
}

async fn own(call: &Call) -> Result<wire::App, Problem> {
    let workspace = call.domain.workspace_own(call.caller()).await?;
    Ok(map::app(&workspace))
}

/// `GET /v2/apps/{appId}`
pub async fn get(call: Call) -> Answer {
    let app = own(&call).await?;
    Ok(ok(&Body { app }))
}

/// `GET /v2/apps`: an account has one.
pub async fn list(call: Call) -> Answer {
    let (cursor, id) = (call.cursor(IdKind::Workspace)?, call.workspace());
    let asked = cursor.after.is_none_or(|after| after < id)
        && cursor.before.is_none_or(|before| before > id);
    let app = asked.then_some(own(&call).await?);
    Ok(ok(&wire::Page {
        items: wire::Named("apps", Vec::from_iter(app)),
        meta: wire::Meta {
            has_more: false,
            after_cursor: None,
            before_cursor: None,
        },
        links: wire::Links {
            prev: None,
            next: None,
        },
    }))
}

/// `POST /v2/apps`, `PATCH` and `DELETE /v2/apps/{appId}`
pub async fn refuse(_call: Call) -> Answer {
    Err(Problem::forbidden(
        "An app is a workspace of this server: its operator makes one with `throng workspace create`",
    ))
}
