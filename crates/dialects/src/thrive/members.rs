//! Who is in an audience. A structure's members are those of its audiences too.

use domain::Window;

use super::{
    DIALECT,
    call::{Answer, Call, deleted, page},
    json, map,
};

/// `GET /audiences/{audienceId}/members`
pub async fn list(call: Call) -> Answer {
    let paging = call.query.paging()?;
    let window = Window::Offset(paging.offset());
    let caller = call.caller();
    let found = call
        .domain
        .member_page(
            caller,
            call.audience(),
            Some(DIALECT),
            false,
            window,
            paging.limit(),
        )
        .await?;
    let members = found.members.iter();
    let results = members.map(|member| map::member(caller.workspace, member));
    Ok(page(paging, found.total, results.collect()))
}

/// `POST /audiences/{audienceId}/members`
pub async fn add(call: Call) -> Answer {
    put(call, false).await
}

/// `PATCH /audiences/{audienceId}/members`: who is not named leaves.
pub async fn replace(call: Call) -> Answer {
    put(call, true).await
}

async fn put(mut call: Call, replace: bool) -> Answer {
    let names = json::names(call.value().await?)?;
    let partial = call
        .domain
        .member_put(&call.context, call.audience(), DIALECT, names, replace)
        .await?;
    Ok(map::outcome(partial))
}

/// `DELETE /audiences/{audienceId}/members/{user}`
pub async fn remove(call: Call) -> Answer {
    let user = call.path("user");
    call.domain
        .member_remove_named(&call.context, call.audience(), DIALECT, &user)
        .await?;
    deleted()
}
