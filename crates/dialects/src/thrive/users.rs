//! Users. The vendor has two forms of them: one to read (version 1) and one for their life cycle (version 2).

use domain::{
    Context, DialectId, Domain, IdKind, Record, RecordChange, RecordNew, RecordQuery, RecordRef,
};
use serde_json::Value;

use super::{
    DIALECT,
    call::{Answer, Call, created, deleted, ok, page},
    error::Problem,
    json::{Fields, not_null},
    map_user, profile,
};

/// Characters of a ref.
const REF_CHARS_MAX: usize = 100;
/// What a change may name.
const CHANGEABLE: [&str; 14] = [
    "firstName",
    "lastName",
    "email",
    "loginMethod",
    "role",
    "jobTitle",
    "managerRef",
    "startDate",
    "endDate",
    "timeZone",
    "languageCode",
    "sso",
    "domain",
    "additionalFields",
];

/// `GET /rest/v1/users`
pub async fn list(call: Call) -> Answer {
    let paging = call.query.paging()?;
    let states = call.query.states()?;
    let query = RecordQuery {
        updated_since: call.query.since("updatedSince")?,
        email: call.query.text("email").map(str::to_owned),
        states: states.clone().unwrap_or_default(),
    };
    if states.is_some_and(|states| states.is_empty()) {
        return Ok(page(paging, 0, Vec::<()>::new()));
    }
    let caller = call.caller();
    let (records, total) = call
        .domain
        .record_list(caller, DIALECT, query, paging.offset(), paging.limit())
        .await?;
    let people: Vec<u32> = records.iter().map(|record| record.person).collect();
    let audiences = call.domain.people_audiences(caller, &people).await?;
    let (workspace, now_ms) = (caller.workspace, call.domain.now_ms());
    let users = records.iter().zip(&audiences);
    let users = users.map(|(record, held)| map_user::user(workspace, now_ms, record, held));
    Ok(page(paging, total, users.collect()))
}

/// `GET /rest/v1/user/{id}`
pub async fn get(call: Call) -> Answer {
    let caller = call.caller();
    let record = call
        .domain
        .record_get(caller, DIALECT, by_id(&call)?)
        .await?;
    let people = [record.person];
    let audiences = call.domain.people_audiences(caller, &people).await?;
    let now_ms = call.domain.now_ms();
    Ok(ok(&map_user::user(
        caller.workspace,
        now_ms,
        &record,
        audiences.first().map_or(&[], Vec::as_slice),
    )))
}

/// `GET /rest/v1/users/ref/{ref}`
pub async fn get_by_ref(call: Call) -> Answer {
    let caller = call.caller();
    let record = call.domain.record_get(caller, DIALECT, by_ref(&call));
    let record = record.await?;
    let now_ms = call.domain.now_ms();
    Ok(ok(&map_user::basic(caller.workspace, now_ms, &record)))
}

/// Where a path has no ref: the one case for which the vendor documents a 400 of its own.
pub async fn without_ref(_: Call) -> Answer {
    Err(Problem::invalid("ref", "is required."))
}

fn by_ref(call: &Call) -> RecordRef {
    RecordRef::Reference(call.path("ref"))
}

/// An id of another workspace, or of another kind, names nobody.
fn by_id(call: &Call) -> Result<RecordRef, Problem> {
    let workspace = call.caller().workspace;
    let id = DialectId::from_hex(&call.path("user"))
        .filter(|id| id.kind == IdKind::Record && id.workspace == workspace);
    id.map(|id| RecordRef::Id(id.id))
        .ok_or_else(|| Problem::not_found("user"))
}

/// `POST /rest/v2/users`
pub async fn create(mut call: Call) -> Answer {
    let new = new_of(call.fields().await?)?;
    let record = call
        .domain
        .record_create(&call.context, DIALECT, new)
        .await?;
    let workspace = call.caller().workspace;
    Ok(created(&map_user::lifecycle(workspace, &record)))
}

/// A user in a body. A field that is null counts as absent.
pub fn new_of(mut fields: Fields) -> Result<RecordNew, Problem> {
    fields.0.retain(|_, value| !value.is_null());
    let profile = profile::given(&fields)?;
    let required = |name: &str, text: Option<String>| {
        let text = text.filter(|text| !text.trim().is_empty());
        text.ok_or_else(|| Problem::invalid(name, "is required."))
    };
    let reference = fields.short("ref", REF_CHARS_MAX)?.flatten();
    let (first_name, last_name) = (
        fields.plain("firstName")?.flatten(),
        fields.plain("lastName")?.flatten(),
    );
    let email = fields.plain("email")?.flatten();
    let by_ref = profile.get("loginMethod") == Some(&Value::from("ref"));
    Ok(RecordNew {
        reference: Some(required("ref", reference)?),
        first_name: Some(required("firstName", first_name)?),
        last_name: Some(required("lastName", last_name)?),
        email: match email.filter(|email| !email.is_empty()) {
            None if !by_ref => return Err(Problem::invalid("email", "is required.")),
            email => email,
        },
        active: true,
        starts: fields.date("startDate")?.flatten(),
        ends: fields.date("endDate")?.flatten(),
        profile: Value::Object(profile).to_string(),
        shares_email: false,
    })
}

/// `PATCH /rest/v2/users/ref/{ref}`
pub async fn update_by_ref(call: Call) -> Answer {
    let user = by_ref(&call);
    update(call, user).await
}

/// `PATCH /rest/v2/users/{id}`
pub async fn update_by_id(call: Call) -> Answer {
    let user = by_id(&call)?;
    update(call, user).await
}

async fn update(mut call: Call, user: RecordRef) -> Answer {
    let fields = call.fields().await?;
    if !fields.has_any(&CHANGEABLE) {
        return Err(Problem::bad_request(format!(
            "The body must hold one of: {}.",
            CHANGEABLE.join(", ")
        )));
    }
    let change = change_of(&fields)?;
    let record = changed(&call.domain, &call.context, user, change).await?;
    Ok(ok(&map_user::lifecycle(call.caller().workspace, &record)))
}

/// What is absent stays, null clears.
pub fn change_of(fields: &Fields) -> Result<RecordChange, Problem> {
    let name = |name: &str| {
        let text = not_null(name, fields.plain(name)?)?;
        if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
            return Err(Problem::invalid(name, "must not be empty."));
        }
        Ok(text.map(Some))
    };
    let profile = profile::given(fields)?;
    Ok(RecordChange {
        first_name: name("firstName")?,
        last_name: name("lastName")?,
        email: fields.plain("email")?,
        starts: fields.date("startDate")?,
        ends: fields.date("endDate")?,
        profile: (!profile.is_empty()).then(|| Value::Object(profile).to_string()),
        ..RecordChange::default()
    })
}

pub async fn changed(
    domain: &Domain,
    context: &Context,
    user: RecordRef,
    change: RecordChange,
) -> Result<Record, Problem> {
    Ok(domain.record_update(context, DIALECT, user, change).await?)
}

/// `PATCH /rest/v2/users/ref/{ref}/suspend`
pub async fn suspend_by_ref(call: Call) -> Answer {
    let user = by_ref(&call);
    suspend(call, user).await
}

/// `PATCH /rest/v2/users/{id}/suspend`
pub async fn suspend_by_id(call: Call) -> Answer {
    let user = by_id(&call)?;
    suspend(call, user).await
}

async fn suspend(mut call: Call, user: RecordRef) -> Answer {
    let fields = call.fields().await?;
    let change = RecordChange {
        active: Some(false),
        ends: fields.date("endDate")?,
        ..RecordChange::default()
    };
    let record = changed(&call.domain, &call.context, user, change).await?;
    Ok(ok(&map_user::lifecycle(call.caller().workspace, &record)))
}

/// `DELETE /rest/v2/users/ref/{ref}`
pub async fn delete_by_ref(call: Call) -> Answer {
    let user = by_ref(&call);
    delete(call, user).await
}

/// `DELETE /rest/v2/users/{id}`
pub async fn delete_by_id(call: Call) -> Answer {
    let user = by_id(&call)?;
    delete(call, user).await
}

async fn delete(call: Call, user: RecordRef) -> Answer {
    call.domain
        .record_delete(&call.context, DIALECT, user)
        .await?;
    deleted()
}
