//! Privacy consents by version of the policy. Open as the vendor documents them, or for the user and administrators only,
//! as the operator has chosen.

use domain::ConsentNew;

use super::{
    call::{Answer, Call, ok},
    error::Problem,
    fields::{self, Need},
    map,
};

/// `POST /privacy/consents`
pub async fn upsert(mut call: Call) -> Answer {
    let sent = call.sent().await?;
    let mut fields = sent.fields()?;
    let channel = fields
        .text("consent_channel", Need::Null)
        .map(str::to_owned);
    let email = fields.email("email", Need::Required).map(str::to_owned);
    let agreed = fields.flag("is_agreed", Need::Required);
    let version = fields.text("policy_version", Need::Required);
    let version = version.map(str::to_owned);
    let user = fields.uuid("user_id", Need::Required);
    let consented = fields.datetime("consent_date", Need::Null);
    // When a row was made is for the server to say.
    for time in ["created_at", "updated_at"] {
        fields.datetime(time, Need::Null);
    }
    fields.finish()?;
    let account = fields::account_id(call.workspace, &user.unwrap_or_default());
    own(&call, account)?;
    let new = ConsentNew {
        account,
        email: email.unwrap_or_default(),
        version: version.unwrap_or_default(),
        agreed: agreed.unwrap_or_default(),
        channel,
        consented,
    };
    let put = call.domain.consent_put(call.visit(), new).await;
    let put = put.map_err(|error| Problem::of_command(error, sent.value()))?;
    ok(&map::consent(call.workspace, put))
}

/// `GET /privacy/consents/{user id}`
pub async fn list(call: Call) -> Answer {
    let account = call.path_user()?;
    own(&call, account)?;
    let found = call.domain.consent_list(call.visit(), account).await?;
    let shown = found
        .into_iter()
        .map(|one| map::consent(call.workspace, one));
    ok(&shown.collect::<Vec<_>>())
}

/// Where a token was asked for, it must be the user's or an administrator's.
fn own(call: &Call, account: i64) -> Result<(), Problem> {
    match call.caller_if_any() {
        Some(caller) => Ok(caller.need_own(account)?),
        None => Ok(()),
    }
}
