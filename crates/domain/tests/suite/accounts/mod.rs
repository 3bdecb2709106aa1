//! Accounts on both engines: how they are made, come in, change, and that the last administrator is never lost.

mod administrators;
mod records;
mod rights;
mod sign_in;

use std::time::Duration;

use domain::{
    AccountChange, AccountNew, AccountQuery, AccountRef, Caller, ConsentNew, Context, Denied,
    Domain, Door, Entrance, Error, Excess, GroupChange, GroupNew, GroupRef, KeyNew, Money, Mount,
    Permissions, RefusalKind, Role, Visit,
};

use futures_util::future::join_all;

use crate::support::{House, close};

const DOOR: Door = Door {
    dialect: "door",
    audience: &["door"],
    subject: |_, account| account.to_string(),
    life_s: 3_600,
};

const PASSWORD: &str = "a fine long password";

fn visit() -> Visit {
    Visit::new(Mount::default(), "visit", None)
}

fn server(workspace: i64) -> Context {
    Context::new(Caller::server(workspace), "test")
}

async fn made(domain: &Domain, workspace: i64, email: &str, role: Role) -> i64 {
    let new = AccountNew {
        role,
        ..AccountNew::of(email)
    };
    let entrance = Entrance::Password(PASSWORD.into());
    let account = domain
        .account_create(&server(workspace), new, entrance)
        .await;
    account.expect("is made").account.id
}

async fn start(house: &House) -> (Domain, i64) {
    let domain = house.open().await;
    let workspace = domain.workspace_default().await.expect("is made").0.id;
    (domain, workspace)
}

async fn signed_in(domain: &Domain, email: &str) -> Context {
    let token = domain
        .sign_in(&visit(), &DOOR, email, PASSWORD.into())
        .await
        .expect("signs in")
        .token
        .token;
    let caller = domain
        .caller_by_session(Mount::default(), &DOOR, &token)
        .await;
    Context::new(caller.expect("is known"), "test")
}

/// The token in the newest mail to an address.
async fn mailed(domain: &Domain, workspace: i64, to: &str) -> Option<String> {
    let caller = Caller::server(workspace);
    let page = domain
        .outbox_list(&caller, None, None, 1_000)
        .await
        .expect("lists");
    let newest = page
        .into_iter()
        .find(|item| item.recipient.as_deref() == Some(to))?;
    let shown = domain.outbox_get(&caller, newest.id).await.expect("shows");
    let text = shown.text.expect("is mail").text;
    let token = text.split("token=").nth(1)?;
    Some(token.split_whitespace().next()?.to_owned())
}
