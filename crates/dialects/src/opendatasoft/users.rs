//! Users one by one, and their list.

use axum::http::header::USER_AGENT;
use domain::{AccountChange, AccountQuery, AccountRef, Excess, Filter};

use super::{
    ExpandedGroups,
    call::{Answer, Call, no_content, ok},
    error::Problem,
    groups::names,
    json::{Fields, Unreadable, invalid},
    map::{self, Groups},
};

pub async fn list(call: Call) -> Answer {
    let window = call.query.window()?;
    let mut filter = Filter::default();
    filter.permissions = call.query.permissions("permissions")?;
    filter.all_permissions = call.query.permissions("all_permissions")?;
    let query = AccountQuery {
        search: call.query.first("search").unwrap_or_default().to_owned(),
        filter,
        sort: call.query.sorts()?,
        offset: window.offset,
        limit: window.limit,
    };
    let page = call.domain.account_list(call.caller(), query).await?;
    let users = page.accounts.iter().map(map::listed).collect();
    call.page(window, page.total, users)
}

pub async fn get(call: Call) -> Answer {
    let view = call
        .domain
        .account_get(call.caller(), username(&call))
        .await?;
    let Some(titles) = expanded(&call) else {
        return Ok(ok(&map::listed(&view)));
    };
    let names = names(&call.domain, call.caller(), &view.groups).await?;
    let groups = Groups::Whole {
        names: &names,
        titles,
    };
    Ok(ok(&map::user(&view, groups)))
}

/// What is absent stays, what is given replaces; all or nothing.
pub async fn update(mut call: Call) -> Answer {
    let fields = call.fields(Unreadable::BadRequest).await?;
    same_username(&fields, &call.path("username"))?;
    let change = AccountChange {
        email: fields.text("email")?,
        first_name: fields.text("first_name")?,
        last_name: fields.text("last_name")?,
        site_permissions: fields.permissions()?,
        groups: fields.groups()?,
        call_limit: fields.call_limit()?,
        ..AccountChange::default()
    };
    let view = call
        .domain
        .account_update(&call.context, username(&call), change, Excess::Refuse)
        .await?;
    Ok(ok(&map::listed(&view)))
}

pub async fn delete(call: Call) -> Answer {
    call.domain
        .account_delete(&call.context, username(&call))
        .await?;
    no_content()
}

fn username(call: &Call) -> AccountRef {
    AccountRef::Username(call.path("username"))
}

/// A user's name is the path's key and stays; clients send it back with the rest.
fn same_username(fields: &Fields, username: &str) -> Result<(), Problem> {
    match fields.text("username")? {
        Some(given) if given.to_lowercase() != username.to_lowercase() => {
            let text = "The username cannot be changed.";
            Err(invalid("username", "read_only", text).into())
        }
        _ => Ok(()),
    }
}

/// Whether groups are to be written whole, and then whether with their titles.
///
/// The vendor's document has groups as a list of `{uid}` or a list of whole groups, and the Python client that is generated
/// from it refuses what fits both, as every whole group does; without a title it fits the first only.
fn expanded(call: &Call) -> Option<bool> {
    if !call.query.list("expand").any(|field| field == "groups") {
        return None;
    }
    let agent = call.parts.headers.get(USER_AGENT);
    let agent = agent
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    let generated = agent.starts_with("OpenAPI-Generator/") && agent.ends_with("/python");
    match call.options.expanded_groups {
        ExpandedGroups::Full => Some(true),
        ExpandedGroups::Uid => None,
        ExpandedGroups::Auto => Some(!generated),
    }
}
