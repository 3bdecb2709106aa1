//! Users: oneself, all of them, their data and budgets.

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header::CONTENT_TYPE},
    response::Response,
};
use domain::{AccountChange, AccountRef, AccountView, Caller, Domain, Error, Excess, Role};
use http_body_util::channel::{Channel, Sender};

use super::{
    call::{Answer, Call, ok},
    error::{Problem, Words},
    fields::{self, Need},
    invalid::Fault,
    map::{self, Update},
    uuid,
    wire::ROLES,
};

const UPDATE: Words = Words {
    exists: "UPDATE_USER_EMAIL_ALREADY_EXISTS",
    password: "UPDATE_USER_INVALID_PASSWORD",
};

/// `GET /users/me`
pub async fn me(call: Call) -> Answer {
    let own = call.domain.account_me(call.caller()?)?;
    ok(&map::user(call.workspace, &own))
}

/// `GET /users/{id}`
pub async fn one(call: Call) -> Answer {
    let which = AccountRef::Id(call.path_user()?);
    let found = call.domain.account_get(call.caller()?, which).await?;
    ok(&map::user(call.workspace, &found))
}

/// `PATCH /user/info`
pub async fn update(mut call: Call) -> Answer {
    let sent = call.sent().await?;
    let Update { id, change } = map::update(&sent, Need::Null)?;
    let which = target(&call, id)?;
    let change = AccountChange {
        reason: Some("PATCH /user/info".into()),
        ..change
    };
    let changed = call
        .domain
        .account_update(&call.context()?, which, change, Excess::Drop)
        .await
        .map_err(|error| Problem::of_account(error, UPDATE, sent.value()))?;
    ok(&map::user(call.workspace, &changed))
}

/// `PATCH /user/budget`: of the command only the amounts, which are the new ones and no differences.
pub async fn budget(mut call: Call) -> Answer {
    let sent = call.sent().await?;
    let Update { id, change } = map::update(&sent, Need::Null)?;
    let which = target(&call, id)?;
    let change = AccountChange {
        budget: change.budget,
        credit: change.credit,
        reason: Some("PATCH /user/budget".into()),
        ..AccountChange::default()
    };
    let changed = call
        .domain
        .account_update(&call.context()?, which, change, Excess::Refuse)
        .await
        .map_err(|error| Problem::of_account(error, UPDATE, sent.value()))?;
    ok(&map::user(call.workspace, &changed))
}

/// `DELETE /users`: the body names whom.
pub async fn delete(mut call: Call) -> Answer {
    let sent = call.sent().await?;
    let id = map::update(&sent, Need::Required)?.id;
    let which = target(&call, id)?;
    let deleted = call.domain.account_delete(&call.context()?, which).await?;
    ok(&map::user(call.workspace, &deleted))
}

/// The user of a command; without an id the caller.
fn target(call: &Call, id: Option<String>) -> Result<AccountRef, Problem> {
    let own = call.caller()?.account.unwrap_or_default();
    let id = id.map_or(own, |uuid| fields::account_id(call.workspace, &uuid));
    Ok(AccountRef::Id(id))
}

/// `GET /users`: all that match in one array, read and written a page at a time.
pub async fn list(call: Call) -> Answer {
    let (id, role) = filters(&call)?;
    let caller = call.caller()?.clone();
    if let Some(id) = id {
        let found = call
            .domain
            .account_find(&caller, AccountRef::Id(id))
            .await?;
        let found = found.filter(|user| role.is_none_or(|role| user.role() == role));
        let found = found.map(|user| map::user(call.workspace, &user));
        return ok(&found.into_iter().collect::<Vec<_>>());
    }
    let pages = Pages {
        domain: call.domain.clone(),
        caller,
        role,
        after: 0,
    };
    stream(pages).await
}

fn filters(call: &Call) -> Result<(Option<i64>, Option<Role>), Problem> {
    let mut errors = Vec::new();
    let mut fail = |name: &str, fault: Fault, input: &str| {
        errors.push(fault.at(vec!["query".into(), name.into()], input.into()));
    };
    let id = call.query("id").and_then(|text| {
        let uuid = uuid::parse(&text).map_err(|error| fail("id", Fault::uuid(&error), &text));
        Some(fields::account_id(call.workspace, &uuid.ok()?))
    });
    let role = call.query("role").and_then(|text| {
        let role = Role::parse(&text);
        if role.is_none() {
            fail("role", Fault::none_of(&ROLES), &text);
        }
        role
    });
    if errors.is_empty() {
        return Ok((id, role));
    }
    Err(Problem::invalid(errors))
}

/// Users in order of age, page after page.
struct Pages {
    domain: Domain,
    caller: Caller,
    role: Option<Role>,
    after: i64,
}

impl Pages {
    /// The next page; empty after the last.
    async fn next(&mut self) -> Result<Vec<AccountView>, Error> {
        let page = match self.role {
            Some(role) => {
                let page = self
                    .domain
                    .account_export_of(&self.caller, role, self.after);
                page.await?
            }
            None => self.domain.account_export(&self.caller, self.after).await?,
        };
        if let Some(last) = page.last() {
            self.after = last.account.id;
        }
        Ok(page)
    }
}

/// Answers once the first page is read, so that a refusal has its status.
async fn stream(mut pages: Pages) -> Answer {
    let first = pages.next().await?;
    let (sender, body) = Channel::<Bytes, Error>::new(1);
    tokio::spawn(write(sender, pages, first));
    let mut response = Response::new(Body::new(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

/// Writes the array. A failure half way cuts the answer off, so that nobody takes a part for the whole.
async fn write(mut sender: Sender<Bytes, Error>, mut pages: Pages, first: Vec<AccountView>) {
    let workspace = pages.caller.workspace;
    let (mut page, mut text) = (first, String::from("["));
    while !page.is_empty() {
        for account in &page {
            let user = serde_json::to_string(&map::user(workspace, account));
            text.push_str(&user.unwrap_or_default());
            text.push(',');
        }
        // The last comma waits for whether there is more.
        text.pop();
        if sender.send_data(Bytes::from(text)).await.is_err() {
            return;
        }
        text = String::from(",");
        page = match pages.next().await {
            Ok(page) => page,
            Err(error) => {
                let context = error.context().unwrap_or_default();
                tracing::warn!(workspace, %error, context, "a list of users was cut off");
                sender.abort(error);
                return;
            }
        };
    }
    let end = if text == "[" { "[]" } else { "]" };
    // Who has gone needs no end.
    let _ = sender.send_data(Bytes::from_static(end.as_bytes())).await;
}
