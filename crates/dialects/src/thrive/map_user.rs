//! Users between the domain's record and the vendor's forms of one: pure conversions. What the vendor has and Throng does not
//! (levels, log-ins, followers) is what it is for somebody new.

use domain::{IdKind, Record, RecordState, rfc3339};

use super::{map::hex, profile::Profile, wire};

/// How the vendor's version 1 has a user in short.
pub fn basic(workspace: i64, now_ms: i64, record: &Record) -> wire::BasicUser {
    let profile = Profile::read(&record.profile);
    let state = record.state(now_ms);
    let position = position(workspace, state, record, &profile);
    wire::BasicUser {
        id: id(workspace, record),
        reference: record.reference.clone(),
        first_name: record.first_name.clone(),
        last_name: record.last_name.clone(),
        email: record.email.clone(),
        role: profile.role(),
        status: match state {
            RecordState::Active => "active",
            RecordState::Inactive => "inactive",
            RecordState::Ended => "expired",
        },
        positions: vec![position],
        language_code: profile.language_code(),
        additional_fields: profile.additional_fields,
    }
}

/// The same in full; `audiences` are those that hold the user.
pub fn user(workspace: i64, now_ms: i64, record: &Record, audiences: &[i64]) -> wire::User {
    let profile = Profile::read(&record.profile);
    let audiences = audiences.iter();
    wire::User {
        basic: basic(workspace, now_ms, record),
        deleted: false,
        compliance: 0,
        level: 0,
        first_login: None,
        last_login: None,
        tags: wire::Nothing {},
        users_following: [],
        tags_following: [],
        created_at: rfc3339(record.created),
        updated_at: rfc3339(record.updated),
        has_picture: false,
        time_zone: profile.time_zone(),
        summary: None,
        relevancy: 0,
        rank: wire::Nothing {},
        agreed_terms: None,
        onboarded: None,
        audiences: audiences
            .map(|id| hex(workspace, IdKind::Audience, *id))
            .collect(),
        single_sign_on: profile.sso(),
    }
}

/// How the vendor's version 2 has a user.
pub fn lifecycle(workspace: i64, record: &Record) -> wire::LifecycleUser {
    let profile = Profile::read(&record.profile);
    wire::LifecycleUser {
        id: id(workspace, record),
        login_method: profile.login_method(),
        reference: record.reference.clone(),
        email: record.email.clone(),
        first_name: record.first_name.clone(),
        last_name: record.last_name.clone(),
        role: profile.role(),
        job_title: profile.job_title(),
        time_zone: profile.time_zone(),
        language_code: profile.language_code(),
        sso: profile.sso(),
        manager_ref: profile.manager_ref,
        start_date: record.starts.clone(),
        end_date: record.ends.clone(),
        active: record.active,
        created_at: rfc3339(record.created),
        updated_at: rfc3339(record.updated),
        domain: profile.domain,
        additional_fields: profile.additional_fields,
    }
}

fn id(workspace: i64, record: &Record) -> String {
    hex(workspace, IdKind::Record, record.id)
}

/// The one that everybody has. Its manager is named by ref alone.
fn position(
    workspace: i64,
    state: RecordState,
    record: &Record,
    profile: &Profile,
) -> wire::Position {
    // Days are kept, and the vendor shows times here.
    let midnight = |day: &Option<String>| day.as_ref().map(|day| format!("{day}T00:00:00.000Z"));
    wire::Position {
        id: id(workspace, record),
        manager: profile.manager_ref.clone().map(|reference| {
            let (id, name) = (None, None);
            wire::LineManager {
                id,
                name,
                reference,
            }
        }),
        ou_id: None,
        is_active: state == RecordState::Active,
        start_date: midnight(&record.starts),
        end_date: midnight(&record.ends),
        created_at: rfc3339(record.created),
        updated_at: rfc3339(record.updated),
    }
}
