//! Audiences: named sets of people in a tree of two levels. Structures are its roots; what else there is hangs below one.

use std::collections::HashMap;

use axum::extract::State;
use domain::{
    Audience as Row, AudienceChange, AudienceNew, AudienceRef, Caller, Changed, Counted, Domain,
    Error, Moved,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call, created, no_content, ok},
    page::{self, Page, PageParams, PageQuery, Parent},
    problem::{Problem, ProblemBody},
    wire_audiences::{
        Audience, AudienceChanged, AudienceCreate, AudienceParams, AudienceUpdate, DryRunParams,
        Move,
    },
};

pub(crate) const NOUN: &str = "audience";

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(audience_list, audience_create))
        .routes(routes!(audience_get, audience_update, audience_delete))
}

/// List audiences
///
/// Those of the token's portfolio, in order of id, with exact counts; with `parent=root` the structures. Needs the scope
/// `audiences:read`; the key of an account sees those that it manages.
#[utoipa::path(get, path = "/api/v1/audiences", tag = "audiences", params(PageParams, AudienceParams),
    responses((status = 200, description = "A page of audiences.", body = Page<Audience>)))]
async fn audience_list(State(domain): State<Domain>, call: Call) -> Answer {
    let page = PageQuery::parse(&call, &["structure", "parent"])?;
    let (caller, after, limit) = (&call.caller, page.after.unwrap_or(0), page.limit);
    let found = match (page.structure, page.parent) {
        (Some(_), Some(_)) => {
            let text = "Give either structure or parent.";
            return Err(Problem::invalid("parent", "ambiguous", text));
        }
        (None, Some(Parent::Root)) => domain.tree_list(caller, None, after, limit).await?,
        (None, Some(Parent::Id(id))) => domain.tree_list(caller, Some(id), after, limit).await?,
        (structure, None) => {
            domain
                .audience_list(caller, structure, after, limit)
                .await?
        }
    };
    let names = structure_names(&domain, caller, &found).await?;
    page.answer(
        found,
        |counted| counted.audience.id,
        |counted| {
            let parent = counted.audience.parent.and_then(|id| names.get(&id));
            Audience::new(counted, parent.map(String::as_str))
        },
    )
}

/// The names of the structures that own what was found, for the paths.
async fn structure_names(
    domain: &Domain,
    caller: &Caller,
    found: &[Counted],
) -> Result<HashMap<i64, String>, Error> {
    let parents = found.iter().filter_map(|one| one.audience.parent);
    let mut ids: Vec<i64> = parents.collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let named = domain.structures_named(caller, ids).await?;
    Ok(named.into_iter().collect())
}

fn shown((counted, parent): (Counted, Option<Row>)) -> Audience {
    Audience::new(counted, parent.as_ref().map(|parent| parent.name.as_str()))
}

/// Make an audience
///
/// A manual one is empty at first, a smart one holds whom its rule says. A structure that is unknown or outside the token's
/// portfolio is 403. Needs the scope `audiences:write`.
#[utoipa::path(post, path = "/api/v1/audiences", tag = "audiences", request_body = AudienceCreate,
    responses((status = 201, description = "The new audience.", body = Audience),
        (status = 409, description = "Another audience has this name or reference.", body = ProblemBody,
            content_type = "application/problem+json")))]
async fn audience_create(State(domain): State<Domain>, call: Call) -> Answer {
    let (context, body) = call.json::<AudienceCreate>().await?;
    let new = AudienceNew::try_from(body)?;
    let made = domain.audience_create(&context, new).await?;
    let (id, structure) = (made.id, made.structure);
    // Who may make one need not be allowed to see others.
    let made = Changed {
        audience: made,
        parent: None,
        moved: None,
        counts: None,
    };
    let counted = domain.changed_counted(&context, &made).await?;
    let named = domain
        .structures_named(&context.caller, vec![structure])
        .await?;
    let parent = named.first().map(|(_, name)| name.as_str());
    created("audiences", id, &Audience::new(counted, parent))
}

/// Get an audience
///
/// Or a structure, with everybody in its tree. With exact counts. Needs the scope `audiences:read`; the key of an account sees
/// what it manages.
#[utoipa::path(get, path = "/api/v1/audiences/{id}", tag = "audiences",
    params(("id" = i64, Path, description = "The audience's or structure's id.")),
    responses((status = 200, description = "The audience.", body = Audience)))]
async fn audience_get(State(domain): State<Domain>, call: Call) -> Answer {
    let id = AudienceRef::Id(call.id(NOUN)?);
    ok(&shown(domain.audience_counted(&call.caller, id).await?))
}

/// Change or move an audience
///
/// What is absent stays; null clears. Members have operations of their own. With `parent` it moves to another structure:
/// its members come along, and those whom nothing else holds in the old structure leave that. Either all of them can join
/// or nothing happens. Needs the scope `audiences:write`; the key of an account needs `manage_audiences` of the structure,
/// or of both.
#[utoipa::path(patch, path = "/api/v1/audiences/{id}", tag = "audiences", request_body = AudienceUpdate,
    params(("id" = i64, Path, description = "The audience's id."), DryRunParams),
    responses((status = 200, description = "The audience as it is now, or with `dry_run` as it would be.",
            body = AudienceChanged),
        (status = 409, description = "Another audience has this name or reference.", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "A value is not as it must be, or some members cannot join the other structure \
            (`members_cannot_join`): they are inactive or past their end date. Nothing has changed.", body = ProblemBody,
            content_type = "application/problem+json")))]
async fn audience_update(State(domain): State<Domain>, call: Call) -> Answer {
    let (id, dry_run) = (
        AudienceRef::Id(call.id(NOUN)?),
        page::flag(&call, "dry_run")?,
    );
    // What was only tried must not be the answer to the same key later.
    let call = if dry_run { call.into_read() } else { call };
    let (context, body) = call.json::<AudienceUpdate>().await?;
    let change = AudienceChange::try_from(body)?;
    let changed = domain
        .audience_change(&context, id, change, dry_run)
        .await?;
    if let Some(moved) = changed.moved.as_ref().filter(|moved| moved.refused()) {
        return Err(cannot_join(moved));
    }
    let counted = match changed.counts {
        Some(counts) => Counted {
            audience: changed.audience,
            counts,
        },
        None => domain.changed_counted(&context, &changed).await?,
    };
    ok(&AudienceChanged {
        audience: shown((counted, changed.parent)),
        moved: changed.moved.as_ref().map(Move::from),
    })
}

fn cannot_join(moved: &Moved) -> Problem {
    let (inactive, ended) = (moved.counts.inactive, moved.counts.ended);
    let text = format!(
        "Not every member can join the other structure: {inactive} are inactive, {ended} are past their end date. Nothing \
         has changed."
    );
    Problem::invalid("parent", "members_cannot_join", text).cannot_join(inactive, ended)
}

/// Delete an audience
///
/// The people stay. A structure has an operation of its own. Needs the scope `audiences:write`.
#[utoipa::path(delete, path = "/api/v1/audiences/{id}", tag = "audiences",
    params(("id" = i64, Path, description = "The audience's id.")),
    responses((status = 204, description = "It is deleted.")))]
async fn audience_delete(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    domain.audience_delete(&call.context(), id).await?;
    no_content()
}
