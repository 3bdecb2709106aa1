//! What a personnel system tells of its people, one event a request: they joined, changed, were suspended or left for good. The
//! vendor documents the events and not their answers.

use domain::{Context, Domain, Error, RecordChange, RecordRef};

use super::{
    DIALECT,
    call::{Answer, Call, ok},
    error::Problem,
    json::Fields,
    users, wire,
};

const EVENT_TYPES: [&str; 4] = [
    "user_joined",
    "user_updated",
    "user_suspended",
    "user_deleted",
];

/// Whether a body is such an event.
pub fn is_event(fields: &Fields) -> bool {
    fields.has_any(&["eventType", "content"])
}

/// Does what an event says. One that comes again changes nothing more.
pub async fn receive(call: Call, fields: Fields) -> Answer {
    let kind = fields.word("eventType", &EVENT_TYPES)?;
    let kind = kind.ok_or_else(|| Problem::invalid("eventType", "is required."))?;
    let content = fields.object("content")?.unwrap_or_default();
    let user = content.object("user")?.unwrap_or_default();
    let reference = user.text("ref")?.flatten().filter(|it| !it.is_empty());
    let reference =
        reference.ok_or_else(|| Problem::invalid("content.user.ref", "is required."))?;
    let (domain, context) = (&call.domain, &call.context);
    match kind.as_str() {
        "user_joined" => joined(domain, context, reference, user).await?,
        "user_updated" => changed(domain, context, reference, users::change_of(&user)?).await?,
        "user_suspended" => changed(domain, context, reference, active(false)).await?,
        _ => {
            let user = RecordRef::Reference(reference);
            domain.record_delete(context, DIALECT, user).await?;
        }
    }
    Ok(ok(&wire::Deleted { success: true }))
}

fn active(active: bool) -> RecordChange {
    RecordChange {
        active: Some(active),
        ..RecordChange::default()
    }
}

/// Somebody new, or somebody who was suspended and is back.
async fn joined(
    domain: &Domain,
    context: &Context,
    reference: String,
    user: Fields,
) -> Result<(), Problem> {
    let back = RecordChange {
        active: Some(true),
        ..users::change_of(&user)?
    };
    let found = domain
        .record_update(context, DIALECT, RecordRef::Reference(reference), back)
        .await;
    match found {
        Err(Error::NotFound(_)) => {
            let new = users::new_of(user)?;
            domain.record_create(context, DIALECT, new).await?;
            Ok(())
        }
        found => found.map(drop).map_err(Problem::from),
    }
}

async fn changed(
    domain: &Domain,
    context: &Context,
    reference: String,
    change: RecordChange,
) -> Result<(), Problem> {
    let user = RecordRef::Reference(reference);
    users::changed(domain, context, user, change)
        .await
        .map(drop)
}
