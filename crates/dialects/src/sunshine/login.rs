//! Signing in and out: how a user's own program becomes a client of the type `sdk`. The vendor's programs do this over a
//! protocol that is not published; this is the older one of its API, version 1, under the paths of version 2.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    DIALECT,
    call::{Answer, Call, created, done},
    error::Problem,
    json::{Errors, Object},
    map, wire,
};

const DEVICE_CHARS_MAX: usize = 128;
const WORD_CHARS_MAX: usize = 128;
const EXTERNAL_ID_CHARS_MAX: usize = 1_024;
/// What of a program is kept, beside its platform.
const TOLD: [&str; 2] = ["appVersion", "sdkVersion"];

#[derive(Debug, Serialize)]
struct Body {
    user: wire::User,
    client: wire::Client,
}

/// A program.
struct Device {
    id: String,
    info: Map<String, Value>,
}

fn device(body: &Object<'_>, errors: &mut Errors) -> Option<Device> {
    let client = body.required_object(errors, "client")?;
    let id = client.required(errors, "id", DEVICE_CHARS_MAX);
    let mut info = Map::new();
    for name in ["platform"].into_iter().chain(TOLD) {
        if let Some(text) = client.maybe(errors, name, WORD_CHARS_MAX) {
            info.insert(name.into(), json!(text));
        }
    }
    Some(Device { id: id?, info })
}

/// The user whom the token was signed for. A body may repeat the name, and not say another.
fn asked(call: &Call) -> Result<(String, Device), Problem> {
    let user = call.signed_for.clone().unwrap_or_default();
    let (named, device) = call.read(|body, errors| {
        let named = body.maybe(errors, "userExternalId", EXTERNAL_ID_CHARS_MAX);
        Some((named, device(body, errors)?))
    })?;
    if named.is_some_and(|named| named != user) {
        let title = "userExternalId must be that of the token";
        return Err(Problem::forbidden(title));
    }
    Ok((user, device))
}

/// `POST /v2/apps/{appId}/login`
pub async fn sign_in(call: Call) -> Answer {
    let (user, device) = asked(&call)?;
    let info = (!device.info.is_empty()).then(|| Value::Object(device.info).to_string());
    let (record, client) = call
        .domain
        .client_sign_in(&call.context, DIALECT, &user, &device.id, info)
        .await?;
    let workspace = call.workspace();
    Ok(created(&Body {
        user: map::user(workspace, &record),
        client: map::client(workspace, &client),
    }))
}

/// `POST /v2/apps/{appId}/logout`
pub async fn sign_out(call: Call) -> Answer {
    let (user, device) = asked(&call)?;
    call.domain
        .client_sign_out(&call.context, DIALECT, &user, &device.id)
        .await?;
    done()
}
