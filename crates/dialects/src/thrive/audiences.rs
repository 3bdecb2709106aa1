//! Structures and audiences.

use axum::response::Response;
use domain::{
    Audience, AudienceChange, AudienceKind, AudienceNew, AudienceRef, Changed, Context, Control,
    Domain, Placed, Scope, StructureNew, TreeQuery,
};

use super::{
    call::{Answer, Call, created, deleted, ok, page},
    error::Problem,
    json::{Fields, not_null},
    map, stream, wire,
};

/// Characters of a name or reference.
const NAME_CHARS_MAX: usize = 100;
const STRUCTURE: &str = "structure";
const AUDIENCE: &str = "audience";

/// `GET /audiences`
pub async fn list(call: Call) -> Answer {
    let paging = call.query.paging()?;
    let query = TreeQuery {
        api: call.query.flag("apiControlled")?,
        updated_since: call.query.since("updatedSince")?,
    };
    let caller = call.caller();
    let (placed, total) = call
        .domain
        .audience_pages(caller, query, paging.offset(), paging.limit())
        .await?;
    let results = placed
        .iter()
        .map(|placed| map::audience(caller.workspace, placed));
    Ok(page(paging, total, results.collect()))
}

/// `GET /audiences/{audienceId}`
pub async fn get(call: Call) -> Answer {
    let found = call.domain.audience_find(call.caller(), call.audience());
    let placed = found.await?;
    Ok(ok(&map::audience(call.caller().workspace, &placed)))
}

/// `POST /audiences`
pub async fn create(mut call: Call) -> Answer {
    let fields = call.fields().await?;
    let name = fields.short("name", NAME_CHARS_MAX)?.flatten();
    let name = name.ok_or_else(|| Problem::invalid("name", "is required."))?;
    let reference = fields.short("reference", NAME_CHARS_MAX)?.flatten();
    let parent = fields.text("parentId")?.flatten();
    // Blank for a structure, as the vendor's form says it.
    let parent = parent.filter(|parent| !parent.is_empty());
    check_category(&fields, parent.is_some())?;
    let (domain, context) = (&call.domain, &call.context);
    let placed = match parent {
        None => structure(domain, context, name, reference).await?,
        Some(parent) => {
            call.need(Scope::AudiencesWrite)?;
            child(domain, context, parent, name, reference).await?
        }
    };
    Ok(created(&map::audience(call.caller().workspace, &placed)))
}

/// The category, where it is given, says what the parent says.
fn check_category(fields: &Fields, has_parent: bool) -> Result<(), Problem> {
    if fields.text("category")? == Some(None) {
        return Ok(());
    }
    let category = fields.word("category", &[STRUCTURE, AUDIENCE])?;
    match (category.as_deref(), has_parent) {
        (Some(STRUCTURE), true) => Err(Problem::invalid(
            "parentId",
            "must not be given for a structure.",
        )),
        (Some(AUDIENCE), false) => Err(Problem::invalid(
            "parentId",
            "is required for an audience: the id or reference of its structure.",
        )),
        _ => Ok(()),
    }
}

async fn structure(
    domain: &Domain,
    context: &Context,
    name: String,
    reference: Option<String>,
) -> Result<Placed, Problem> {
    let new = StructureNew {
        reference,
        control: Control::Api,
        unique_names: false,
        ..StructureNew::new(name)
    };
    let audience = domain.structure_create(context, new).await?;
    Ok(Placed {
        audience,
        parent: None,
    })
}

async fn child(
    domain: &Domain,
    context: &Context,
    parent: String,
    name: String,
    reference: Option<String>,
) -> Result<Placed, Problem> {
    let found = domain.audience_find(&context.caller, AudienceRef::Name(parent));
    let parent = found.await?.audience;
    if !is_structure(&parent) {
        return Err(Problem::invalid(
            "parentId",
            "must name a structure: an audience has none of its own below it.",
        ));
    }
    let new = AudienceNew {
        reference,
        ..AudienceNew::new(parent.id, name)
    };
    let audience = domain.audience_create(context, new).await?;
    Ok(Placed {
        audience,
        parent: Some(parent),
    })
}

pub fn is_structure(audience: &Audience) -> bool {
    audience.kind == AudienceKind::Structure
}

/// `PATCH /audiences/{audienceId}/`, with and without its last slash.
pub async fn update(mut call: Call) -> Answer {
    let change = change(&call.fields().await?)?;
    let changed = call
        .domain
        .audience_change(&call.context, call.audience(), change, false)
        .await?;
    answer(call, changed).await
}

fn change(fields: &Fields) -> Result<AudienceChange, Problem> {
    if !fields.has_any(&["name", "reference", "parentId"]) {
        return Err(Problem::bad_request(
            "The body must hold a name, a reference or a parentId.",
        ));
    }
    let parent = not_null("parentId", fields.text("parentId")?)?;
    Ok(AudienceChange {
        name: not_null("name", fields.short("name", NAME_CHARS_MAX)?)?,
        reference: fields.short("reference", NAME_CHARS_MAX)?,
        parent: parent.map(AudienceRef::Name),
        ..AudienceChange::default()
    })
}

async fn answer(call: Call, changed: Changed) -> Result<Response, Problem> {
    let workspace = call.caller().workspace;
    let Changed {
        audience,
        parent,
        moved,
        counts: _,
    } = changed;
    let audience = map::audience(workspace, &Placed { audience, parent });
    match moved {
        Some(moved) => stream::moved(call, &audience, moved).await,
        None => Ok(ok(&wire::AudienceChanged {
            audience,
            member_operations: None,
        })),
    }
}

/// `DELETE /audiences/{audienceId}`. A large structure is gone at once for everybody and cleared away later.
pub async fn delete(call: Call) -> Answer {
    call.domain
        .audience_remove(&call.context, call.audience())
        .await?;
    deleted()
}
