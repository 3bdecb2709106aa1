//! Who is in a group.

use domain::{AccountQuery, AccountRef, Error, Refusal, RefusalKind};
use serde_json::Value;

use super::{
    call::{Answer, Call, created, no_content, ok},
    error::Problem,
    groups::uid,
    json::{self, Fields, Unreadable},
    map, wire,
};

pub async fn list(call: Call) -> Answer {
    let window = call.query.window()?;
    let query = AccountQuery {
        offset: window.offset,
        limit: window.limit,
        ..AccountQuery::default()
    };
    let page = call
        .domain
        .group_members(call.caller(), uid(&call), query)
        .await?;
    let users = page.accounts.iter().map(map::listed).collect();
    call.page(window, page.total, users)
}

/// 404 is for the group alone: the vendor's clients read a user that there is not as a validation error.
pub async fn add(mut call: Call) -> Answer {
    let fields = call.fields(Unreadable::Validation).await?;
    let username = AccountRef::Username(fields.required("username")?);
    let mut added = call
        .domain
        .group_member_add(&call.context, uid(&call), vec![username])
        .await?;
    match added.pop() {
        Some(Ok(view)) => Ok(created(&map::listed(&view))),
        Some(Err(refusal)) => Err(Problem::validation("username", refusal.text)),
        None => Err(Problem::not_found()),
    }
}

/// One that cannot be read, or is nobody, does not keep the others out.
pub async fn add_all(mut call: Call) -> Answer {
    let items = json::items(call.value(Unreadable::BadRequest).await?)?;
    let named: Vec<Result<AccountRef, Error>> = items.into_iter().map(username).collect();
    let good = named.iter().filter_map(|item| item.as_ref().ok().cloned());
    let added = call
        .domain
        .group_member_add(&call.context, uid(&call), good.collect())
        .await?;
    let mut added = added.into_iter();
    let outcome = |item: Result<AccountRef, Error>| match item {
        Ok(_) => added
            .next()
            .unwrap_or_else(|| Err(unread("Nothing was done."))),
        Err(error) => Err(unread(&error.to_string())),
    };
    let done = named.into_iter().map(outcome);
    let items = done.map(|outcome| map::bulk_item(&outcome));
    Ok(ok(&wire::Bulk(items.collect())))
}

pub async fn remove(call: Call) -> Answer {
    let account = AccountRef::Username(call.path("username"));
    call.domain
        .group_member_remove(&call.context, uid(&call), account)
        .await?;
    no_content()
}

fn username(item: Value) -> Result<AccountRef, Error> {
    Ok(AccountRef::Username(
        Fields::of(item)?.required("username")?,
    ))
}

fn unread(text: &str) -> Refusal {
    Refusal {
        kind: RefusalKind::Invalid,
        field: "username".into(),
        code: json::WRONG_TYPE.into(),
        text: text.into(),
    }
}
