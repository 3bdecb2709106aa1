//! Between the domain's values and the vendor's: pure conversions.

use axum::{http::StatusCode, response::Response};
use domain::{
    Audience, AudienceKind, Control, DialectId, Grants, IdKind, Manager, Member, Partial, Placed,
    RecordBrief, Refused, rfc3339,
};

use super::wire;

/// An id as the vendor writes it: 24 hexadecimal digits.
pub fn hex(workspace: i64, kind: IdKind, id: i64) -> String {
    DialectId {
        workspace,
        kind,
        id,
    }
    .to_hex()
}

pub fn audience(workspace: i64, placed: &Placed) -> wire::Audience {
    let Placed { audience, parent } = placed;
    let smart = audience.kind == AudienceKind::Smart;
    // A child is controlled as its structure is.
    let control = parent.as_ref().map_or(audience.control, |it| it.control);
    wire::Audience {
        id: hex(workspace, IdKind::Audience, audience.id),
        name: audience.name.clone(),
        reference: audience.reference.clone(),
        api_controlled: control != Control::Console && !smart,
        category: category(audience),
        kind: if smart { "smart" } else { "manual" },
        parent: parent.as_ref().map(|parent| wire::Parent {
            name: parent.name.clone(),
            reference: parent.reference.clone(),
            id: hex(workspace, IdKind::Audience, parent.id),
        }),
        created_at: rfc3339(audience.created),
        updated_at: rfc3339(audience.updated),
    }
}

pub fn category(audience: &Audience) -> &'static str {
    match audience.kind {
        AudienceKind::Structure => "structure",
        AudienceKind::Manual | AudienceKind::Smart => "audience",
    }
}

/// Who has no record here is known by a digest only: an id, and nothing else to show.
fn user(workspace: i64, person: u32, record: Option<&RecordBrief>) -> wire::Member {
    match record {
        Some(record) => wire::Member {
            user_id: hex(workspace, IdKind::Record, record.id),
            reference: record.reference.clone().unwrap_or_default(),
            email: record.email.clone(),
        },
        None => wire::Member {
            user_id: hex(workspace, IdKind::Person, person.into()),
            reference: String::new(),
            email: None,
        },
    }
}

pub fn member(workspace: i64, member: &Member) -> wire::Member {
    user(workspace, member.person, member.record.as_ref())
}

/// What a member is called where an answer has one text for them: reference, else e-mail address, else id.
pub fn name_of(workspace: i64, member: &Member) -> String {
    let record = member.record.as_ref();
    let named = record.and_then(|record| record.reference.clone().or(record.email.clone()));
    named.unwrap_or_else(|| self::member(workspace, member).user_id)
}

/// A manager; `structure` says of what.
pub fn manager(workspace: i64, structure: bool, manager: &Manager) -> wire::Manager {
    let has = |grant| manager.grants.has(grant);
    wire::Manager {
        user: user(workspace, manager.person, manager.record.as_ref()),
        permissions: wire::Permissions {
            audience_manager: wire::AudienceManager {
                manage_members: has(Grants::MANAGE_MEMBERS),
                manage_content: has(Grants::MANAGE_CONTENT),
                assignments: has(Grants::ASSIGNMENTS),
            },
            people_manager: wire::PeopleManager {
                can_view_learn_page: has(Grants::VIEW_PEOPLE),
                insights: has(Grants::INSIGHTS),
                manage: has(Grants::MANAGE_PEOPLE),
            },
            administrator: structure.then(|| wire::Administrator {
                can_manage_audiences: has(Grants::MANAGE_AUDIENCES),
                can_add_audience_managers: has(Grants::ADD_MANAGERS),
            }),
        },
    }
}

/// Why somebody could not be taken in.
pub fn reason(refused: Refused) -> &'static str {
    match refused {
        Refused::Unknown => "User not found",
        Refused::Inactive => "User is inactive",
        Refused::Ended => "User's end date has passed",
    }
}

/// What became of several names: 200 where all went well, 207 where some did, 422 where none did.
pub fn outcome(partial: Partial) -> Response {
    let status = match (partial.done.is_empty(), partial.failed.is_empty()) {
        (_, true) => StatusCode::OK,
        (false, false) => StatusCode::MULTI_STATUS,
        (true, false) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let done = partial.done.into_iter();
    let failed = partial.failed.into_iter();
    let body = wire::Outcome {
        success: entities(done.map(|reference| wire::Entity { reference }).collect()),
        failure: (status != StatusCode::OK).then(|| {
            let one = |(reference, refused)| wire::Failed {
                reason: reason(refused),
                reference,
            };
            entities(failed.map(one).collect())
        }),
    };
    wire::answer(status, &body)
}

fn entities<T>(entities: Vec<T>) -> wire::Entities<T> {
    wire::Entities {
        count: entities.len() as u64,
        entities,
    }
}
