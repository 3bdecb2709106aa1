//! Managers: people who look after an audience, each with what their account may do.

use axum::extract::State;
use domain::{AudienceRef, Domain, Error};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    audiences::NOUN,
    call::{Answer, Call, no_content, ok},
    wire_members::{Manager, Managers, ManagersChanged, ManagersNew, person_name},
};

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(manager_list, manager_add, manager_replace))
        .routes(routes!(manager_remove))
}

/// List managers
///
/// On one page. Those of its structure, who manage it too, are listed there. Needs the scope `audiences:read`; the key of
/// an account needs `add_managers` of the structure.
#[utoipa::path(get, path = "/api/v1/audiences/{id}/managers", tag = "managers",
    params(("id" = i64, Path, description = "The audience's or structure's id.")),
    responses((status = 200, description = "The managers.", body = Managers)))]
async fn manager_list(State(domain): State<Domain>, call: Call) -> Answer {
    let id = AudienceRef::Id(call.id(NOUN)?);
    let (_, managers) = domain.manager_list(&call.caller, id, None).await?;
    ok(&Managers {
        items: managers.into_iter().map(Manager::from).collect(),
    })
}

/// Add managers
///
/// Of one who manages it already, the permissions are replaced. Somebody has the rights of a manager with an account whose
/// e-mail address is theirs and is verified. Those who cannot be are listed with the reason; the others are done. Needs the
/// scope `audiences:write`; the key of an account needs `add_managers` of the structure, and gives what it has itself.
#[utoipa::path(post, path = "/api/v1/audiences/{id}/managers", tag = "managers", request_body = ManagersNew,
    params(("id" = i64, Path, description = "The audience's or structure's id.")),
    responses((status = 200, description = "For whom it was done, and for whom not.", body = ManagersChanged)))]
async fn manager_add(State(domain): State<Domain>, call: Call) -> Answer {
    put(&domain, call, false).await
}

/// Replace the managers
///
/// As adding them; whoever is not named manages it no more. Where it can be done for nobody, nothing has changed.
#[utoipa::path(put, path = "/api/v1/audiences/{id}/managers", tag = "managers", request_body = ManagersNew,
    params(("id" = i64, Path, description = "The audience's or structure's id.")),
    responses((status = 200, description = "For whom it was done, and for whom not.", body = ManagersChanged)))]
async fn manager_replace(State(domain): State<Domain>, call: Call) -> Answer {
    put(&domain, call, true).await
}

async fn put(domain: &Domain, call: Call, replace: bool) -> Answer {
    let id = AudienceRef::Id(call.id(NOUN)?);
    let (context, body) = call.json::<ManagersNew>().await?;
    let named = body.named(context.caller.workspace)?;
    let done = domain
        .manager_put(&context, id, None, named, replace)
        .await?;
    ok(&ManagersChanged::from(done))
}

/// Remove a manager
///
/// Needs the same as adding one.
#[utoipa::path(delete, path = "/api/v1/audiences/{id}/managers/{person}", tag = "managers",
    params(("id" = i64, Path, description = "The audience's or structure's id."),
        ("person" = u32, Path, description = "The person's number, as the list shows it.")),
    responses((status = 204, description = "They manage it no more.")))]
async fn manager_remove(State(domain): State<Domain>, call: Call) -> Answer {
    let id = AudienceRef::Id(call.id(NOUN)?);
    let person = call.id_at("person", "manager")?;
    let person = u32::try_from(person).map_err(|_| Error::NotFound("manager"))?;
    let name = person_name(call.caller.workspace, person);
    domain
        .manager_remove(&call.context(), id, None, &name)
        .await?;
    no_content()
}
