//! Users: records of this protocol.

use domain::{IdKind, RecordRef};
use serde::Serialize;
use serde_json::Map;

use super::{
    DIALECT,
    call::{Answer, Call, created, done, ok},
    error::Problem,
    json::{Errors, METADATA_BYTES_MAX, Object, fits},
    map,
    page::own,
    profile::{Fields, external_id, metadata_of},
    wire,
};

/// Characters of a name that is looked up: an external id is the longest.
const NAME_CHARS_MAX: usize = 1_024;

/// `UserResponse`.
#[derive(Debug, Serialize)]
struct Body {
    user: wire::User,
}

/// `POST /users`
pub async fn create(call: Call) -> Answer {
    let new = call.read(|body, errors| {
        let external_id = external_id(body, errors, "externalId");
        let fields = Fields::read(body, errors, false);
        Some(fields.record_new(external_id?))
    })?;
    let record = call
        .domain
        .record_create(&call.context, DIALECT, new)
        .await?;
    Ok(created(&Body {
        user: map::user(call.workspace(), &record),
    }))
}

/// `GET /users/{userIdOrExternalId}`
pub async fn get(call: Call) -> Answer {
    let record = call
        .domain
        .record_get(call.caller(), DIALECT, call.user())
        .await?;
    Ok(ok(&Body {
        user: map::user(call.workspace(), &record),
    }))
}

/// `PATCH /users/{userIdOrExternalId}`: what is absent stays, null clears.
pub async fn update(call: Call) -> Answer {
    let fields = call.read(|body, errors| Some(Fields::read(body, errors, true)))?;
    let mut held = Map::new();
    if fields.metadata.is_some() {
        let record = call.domain.record_get(call.caller(), DIALECT, call.user());
        held = metadata_of(&record.await?);
        if !fits(&fields.metadata_after(&held)) {
            let title = format!(
                "metadata must not be longer than {METADATA_BYTES_MAX} bytes of JSON with what is there already"
            );
            return Err(Problem::bad_request(title));
        }
    }
    let change = fields.record_change(&held);
    let record = call
        .domain
        .record_update(&call.context, DIALECT, call.user(), change)
        .await?;
    Ok(ok(&Body {
        user: map::user(call.workspace(), &record),
    }))
}

/// `DELETE /users/{userIdOrExternalId}`
pub async fn delete(call: Call) -> Answer {
    call.domain
        .record_delete(&call.context, DIALECT, call.user())
        .await?;
    done()
}

/// `DELETE /users/{userIdOrExternalId}/personalinformation`
pub async fn forget(call: Call) -> Answer {
    let record = call
        .domain
        .record_forget(&call.context, DIALECT, call.user())
        .await?;
    Ok(ok(&Body {
        user: map::user(call.workspace(), &record),
    }))
}

/// The user whom `userId` or `userExternalId` names in a body, of which exactly one has to be there. What is no id of a user
/// names nobody.
pub fn named(workspace: i64, body: &Object<'_>, errors: &mut Errors) -> Option<RecordRef> {
    match (body.has("userId"), body.has("userExternalId")) {
        (true, false) => {
            let text = body.required(errors, "userId", NAME_CHARS_MAX)?;
            Some(by_id(workspace, &text))
        }
        (false, true) => {
            let text = body.required(errors, "userExternalId", NAME_CHARS_MAX)?;
            Some(RecordRef::Reference(text))
        }
        (false, false) => {
            body.wrong(errors, "userId", "or userExternalId is required");
            None
        }
        (true, true) => {
            body.wrong(
                errors,
                "userId",
                "and userExternalId must not both be given",
            );
            None
        }
    }
}

/// The user of an id; nobody has the id 0.
pub fn by_id(workspace: i64, text: &str) -> RecordRef {
    RecordRef::Id(own(workspace, IdKind::Record, text).unwrap_or(0))
}
