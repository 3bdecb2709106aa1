//! Users invited and provisioned, many at once: each with a result of its own.

use domain::{AccountNew, Entrance, Error};
use serde_json::Value;

use super::{
    call::{Answer, Call, ok},
    json::{self, Fields, Unreadable},
    map, wire,
};

pub async fn invite(mut call: Call) -> Answer {
    let items = json::items(call.value(Unreadable::BadRequest).await?)?;
    make(call, "account_invite", items, |fields| {
        Ok((account(fields)?, Entrance::Invitation))
    })
    .await
}

/// The vendor's prose has a list, its schema and so its clients one object: both are taken.
pub async fn provision(mut call: Call) -> Answer {
    let items = match call.value(Unreadable::BadRequest).await? {
        Some(item @ Value::Object(_)) => vec![item],
        value => json::items(value)?,
    };
    make(call, "account_provision", items, |fields| {
        let entrance = Entrance::Provider {
            uid: fields.provider()?,
            subject: fields.subject()?,
        };
        Ok((account(fields)?, entrance))
    })
    .await
}

async fn make(
    call: Call,
    verb: &'static str,
    items: Vec<Value>,
    read: fn(&Fields) -> Result<(AccountNew, Entrance), Error>,
) -> Answer {
    let items = items
        .into_iter()
        .map(|item| read(&Fields::of(item)?))
        .collect();
    let made = call
        .domain
        .account_create_all(&call.context, verb, items)
        .await?;
    Ok(ok(&wire::Bulk(made.iter().map(map::bulk_item).collect())))
}

fn account(fields: &Fields) -> Result<AccountNew, Error> {
    let email = fields.required("email")?;
    Ok(AccountNew {
        username: fields.text("username")?,
        first_name: fields.text("first_name")?.unwrap_or_default(),
        last_name: fields.text("last_name")?.unwrap_or_default(),
        permissions: fields.permissions()?.unwrap_or_default(),
        groups: fields.groups()?.unwrap_or_default(),
        call_limit: fields.call_limit()?.flatten(),
        ..AccountNew::of(email)
    })
}
