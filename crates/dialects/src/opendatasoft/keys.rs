//! API keys: of every account and for every protocol, so that an administrator finds and revokes each of them here.

use domain::{AccountRef, Error, KeyChange, KeyNew};

use super::{
    DIALECT,
    call::{Answer, Call, created, ok},
    error::Problem,
    json::{REQUIRED, Unreadable, invalid},
    map, wire,
};
use crate::KEY_DIALECTS;

pub async fn list(call: Call) -> Answer {
    let window = call.query.window()?;
    let page = call
        .domain
        .key_page(call.caller(), window.offset, window.limit)
        .await?;
    let workspace = call.caller().workspace;
    let keys = page.keys.into_iter();
    let keys = keys.map(|key| map::key(workspace, key, None, None));
    let keys = keys.collect();
    call.page(window, page.total, keys)
}

/// Of the caller's account, for this protocol. Without permissions it lets through all that the account may.
pub async fn create(mut call: Call) -> Answer {
    let fields = call.fields(Unreadable::Validation).await?;
    let new = KeyNew {
        label: fields.required("label")?,
        dialect: DIALECT.into(),
        permissions: fields.permissions()?,
        expires: None,
    };
    let account = call.domain.account_me(call.caller())?.account.id;
    let made = call
        .domain
        .key_create(&call.context, account, new, KEY_DIALECTS)
        .await?;
    let workspace = call.caller().workspace;
    Ok(created(&map::key(
        workspace,
        made.key,
        None,
        Some(made.secret),
    )))
}

pub async fn get(call: Call) -> Answer {
    let key = call.domain.key_get(call.caller(), id(&call)?).await?;
    let expand = call.query.list("expand").any(|field| field == "user");
    let owner = if expand && !key.username.is_empty() {
        let owner = AccountRef::Id(key.account);
        Some(call.domain.account_get(call.caller(), owner).await?)
    } else {
        None
    };
    let workspace = call.caller().workspace;
    Ok(ok(&map::key(workspace, key, owner.as_ref(), None)))
}

/// What is absent stays, what is given replaces.
pub async fn update(mut call: Call) -> Answer {
    let id = id(&call)?;
    let fields = call.fields(Unreadable::Validation).await?;
    let mut change = KeyChange {
        label: fields.text("label")?,
        permissions: fields.permissions()?.map(Some),
    };
    if let Some(Some(site)) = change.permissions {
        let held = call.domain.key_get(call.caller(), id).await?.permissions;
        change.permissions = Some(Some(map::with_site(held.unwrap_or_default(), site)));
    }
    let key = call.domain.key_update(&call.context, id, change).await?;
    let workspace = call.caller().workspace;
    Ok(ok(&map::key(workspace, key, None, None)))
}

pub async fn revoke(mut call: Call) -> Answer {
    let id = id(&call)?;
    let fields = call.fields(Unreadable::BadRequest).await?;
    let reason = fields.nullable_text("reason")?.unwrap_or_default();
    let key = call.domain.key_revoke(&call.context, id, &reason).await?;
    let workspace = call.caller().workspace;
    Ok(ok(&map::key(workspace, key, None, None)))
}

/// Whose a secret is that turned up somewhere. A key that there is not is an answer here and no 404.
pub async fn search(mut call: Call) -> Answer {
    let secret = call.fields(Unreadable::Validation).await?.required("key")?;
    if secret.is_empty() {
        return Err(invalid("key", REQUIRED, "This field may not be blank.").into());
    }
    let found = match call.domain.key_search(call.caller(), &secret).await {
        Ok(key) => Some(map::key(call.caller().workspace, key, None, None)),
        Err(Error::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(ok(&wire::KeyFound {
        found: found.is_some(),
        result: found,
    }))
}

fn id(call: &Call) -> Result<i64, Problem> {
    map::key_id(call.caller(), &call.path("apikey_uid"))
}
