//! Groups of accounts, and who is in them.

use axum::extract::State;
use domain::{AccountRef, Domain, GroupChange, GroupNew, GroupRef};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    account_list::{self, AccountParams, Accounts},
    call::{Answer, Call, created, no_content, ok},
    page::{Page, PageParams, PageQuery},
    problem::ProblemBody,
    wire_groups::{Group, GroupCreate, GroupUpdate},
};

const NOUN: &str = "group";

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(group_list, group_create))
        .routes(routes!(group_get, group_update, group_delete))
        .routes(routes!(group_members))
        .routes(routes!(group_member_add, group_member_remove))
}

/// List groups
///
/// In order of id. For administrators, as everything here: a key of one, or a token with the scope `admin` for every
/// structure.
#[utoipa::path(get, path = "/api/v1/groups", tag = "groups", params(PageParams),
    responses((status = 200, description = "A page of groups.", body = Page<Group>)))]
async fn group_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &[])?;
    let after = page.after.unwrap_or(0);
    let groups = domain.group_list(&call.caller).await?.into_iter();
    let groups = groups.filter(|group| group.id > after).take(page.limit);
    page.answer(groups.collect(), |group| group.id, Group::from)
}

/// Make a group
#[utoipa::path(post, path = "/api/v1/groups", tag = "groups", request_body = GroupCreate,
    responses((status = 201, description = "The new group.", body = Group)))]
async fn group_create(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, body) = call.json::<GroupCreate>().await?;
    let new = GroupNew::try_from(body)?;
    let made = domain.group_create(&context, new).await?;
    created("groups", made.id, &Group::from(made))
}

/// Get a group
#[utoipa::path(get, path = "/api/v1/groups/{id}", tag = "groups",
    params(("id" = i64, Path, description = "The group's id.")),
    responses((status = 200, description = "The group.", body = Group)))]
async fn group_get(State(domain): State<Domain>, call: Call) -> Answer {
    let id = GroupRef::Id(call.id(NOUN)?);
    ok(&Group::from(domain.group_get(&call.caller, id).await?))
}

/// Change a group
///
/// What is absent stays.
#[utoipa::path(patch, path = "/api/v1/groups/{id}", tag = "groups", request_body = GroupUpdate,
    params(("id" = i64, Path, description = "The group's id.")),
    responses((status = 200, description = "The group as it is now.", body = Group),
        (status = 409, description = "Nobody would be left who administers the workspace (`last_administrator`).",
            body = ProblemBody, content_type = "application/problem+json")))]
async fn group_update(State(domain): State<Domain>, call: Call) -> Answer {
    let id = GroupRef::Id(call.id(NOUN)?);
    let (context, body) = call.json::<GroupUpdate>().await?;
    let change = GroupChange::try_from(body)?;
    ok(&Group::from(
        domain.group_update(&context, id, change).await?,
    ))
}

/// Delete a group
///
/// Its members stay as accounts.
#[utoipa::path(delete, path = "/api/v1/groups/{id}", tag = "groups",
    params(("id" = i64, Path, description = "The group's id.")),
    responses((status = 204, description = "It is deleted."),
        (status = 409, description = "Nobody would be left who administers the workspace (`last_administrator`).",
            body = ProblemBody, content_type = "application/problem+json")))]
async fn group_delete(State(domain): State<Domain>, call: Call) -> Answer {
    let id = GroupRef::Id(call.id(NOUN)?);
    domain.group_delete(&call.context(), id).await?;
    no_content()
}

/// List a group's members
///
/// As the list of accounts, with the same parameters.
#[utoipa::path(get, path = "/api/v1/groups/{id}/members", tag = "groups",
    params(("id" = i64, Path, description = "The group's id."), AccountParams),
    responses((status = 200, description = "A part of the list.", body = Accounts)))]
async fn group_members(State(domain): State<Domain>, call: Call) -> Answer {
    let (id, query) = (GroupRef::Id(call.id(NOUN)?), account_list::query(&call)?);
    let offset = query.offset;
    let page = domain.group_members(&call.caller, id, query).await?;
    account_list::answer(&call, offset, page)
}

/// Put an account into a group
///
/// One that is in it stays in it. Takes no body.
#[utoipa::path(put, path = "/api/v1/groups/{id}/members/{account}", tag = "groups",
    params(("id" = i64, Path, description = "The group's id."),
        ("account" = i64, Path, description = "The account's id.")),
    responses((status = 204, description = "It is in the group.")))]
async fn group_member_add(State(domain): State<Domain>, call: Call) -> Answer {
    let (id, account) = (call.id(NOUN)?, call.id_at("account", "account")?);
    let accounts = vec![AccountRef::Id(account)];
    let added = domain
        .group_member_add(&call.context(), GroupRef::Id(id), accounts)
        .await?;
    match added.into_iter().find_map(Result::err) {
        None => no_content(),
        Some(refusal) => Err(refusal.into()),
    }
}

/// Take an account out of a group
///
/// One that is not in it is *not found*.
#[utoipa::path(delete, path = "/api/v1/groups/{id}/members/{account}", tag = "groups",
    params(("id" = i64, Path, description = "The group's id."),
        ("account" = i64, Path, description = "The account's id.")),
    responses((status = 204, description = "It is no longer in the group."),
        (status = 409, description = "Nobody would be left who administers the workspace (`last_administrator`).",
            body = ProblemBody, content_type = "application/problem+json")))]
async fn group_member_remove(State(domain): State<Domain>, call: Call) -> Answer {
    let (id, account) = (call.id(NOUN)?, call.id_at("account", "account")?);
    let (group, account) = (GroupRef::Id(id), AccountRef::Id(account));
    domain
        .group_member_remove(&call.context(), group, account)
        .await?;
    no_content()
}
