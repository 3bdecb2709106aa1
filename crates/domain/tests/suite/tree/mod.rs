//! Audience trees as stories on both engines: who may be where, what a move and a removal do, who may write, what a name
//! means, and what holds when two things happen at once.

mod control;
mod joining;
mod managers;
mod names;
mod races;
mod records;
mod smart;
mod structures;

use std::{collections::BTreeSet, time::Duration};

use domain::{
    Audience, AudienceChange, AudienceNew, AudienceRef, Batch, Caller, Changed, Context, Control,
    CredentialNew, Denied, DialectId, Domain, Error, IdKind, Kind, Mount, Record, RecordNew,
    Result, StructureNew, Window,
};

use crate::support::{House, close, context};

const SOURCE: &str = "people";
const DAY: Duration = Duration::from_secs(86_400);

async fn structure(domain: &Domain, name: &str) -> i64 {
    let new = StructureNew::new(name);
    let made = domain.structure_create(&context("structure"), new).await;
    made.expect("a structure").id
}

async fn child(domain: &Domain, structure: i64, name: &str) -> i64 {
    let new = AudienceNew::new(structure, name);
    let made = domain.audience_create(&context("child"), new).await;
    made.expect("an audience").id
}

async fn batch(domain: &Domain, who: &[&str]) -> Batch {
    let caller = Caller::server(1);
    let mut batch = domain.batch(&caller, who.len()).await.expect("a batch");
    for one in who {
        batch.push(Kind::Email, "", &format!("{one}@example.org"));
    }
    batch.finish()
}

/// Adds people by their addresses.
async fn add(domain: &Domain, audience: i64, who: &[&str]) {
    let batch = batch(domain, who).await;
    let added = domain
        .member_add(&context("add"), AudienceRef::Id(audience), batch)
        .await;
    added.expect("are added");
}

fn email(who: &str) -> String {
    format!("{who}@example.org")
}

/// An active record of this address.
async fn record(domain: &Domain, who: &str) -> Record {
    let new = RecordNew {
        email: Some(email(who)),
        active: true,
        ..RecordNew::default()
    };
    let made = domain.record_create(&context("record"), SOURCE, new).await;
    made.expect("a record")
}

/// The numbers of those in a node.
async fn people(domain: &Domain, audience: i64) -> BTreeSet<u32> {
    let (caller, node) = (Caller::server(1), AudienceRef::Id(audience));
    let page = domain.member_page(&caller, node, None, false, Window::After(0), 1_000);
    let page = page.await.expect("a page");
    assert_eq!(page.total, page.members.len() as u64);
    page.members.iter().map(|member| member.person).collect()
}

/// The addresses, without their domain, of those in a node who have records.
async fn names(domain: &Domain, audience: i64) -> Vec<String> {
    let (caller, node) = (Caller::server(1), AudienceRef::Id(audience));
    let page = domain.member_page(&caller, node, Some(SOURCE), false, Window::After(0), 1_000);
    let members = page.await.expect("a page").members.into_iter();
    let mut names: Vec<String> = members
        .filter_map(|member| member.record?.email)
        .map(|email| email.replace("@example.org", ""))
        .collect();
    names.sort();
    names
}

fn parent(structure: i64) -> AudienceChange {
    AudienceChange {
        parent: Some(AudienceRef::Id(structure)),
        ..AudienceChange::default()
    }
}

async fn change(domain: &Domain, audience: i64, change: AudienceChange) -> Result<Changed> {
    let node = AudienceRef::Id(audience);
    domain
        .audience_change(&context("change"), node, change, false)
        .await
}

async fn move_to(domain: &Domain, audience: i64, structure: i64) -> Changed {
    let moved = change(domain, audience, parent(structure)).await;
    moved.expect("an answer")
}

async fn node(domain: &Domain, audience: i64) -> Audience {
    let (caller, node) = (Caller::server(1), AudienceRef::Id(audience));
    let found = domain.audience_find(&caller, node).await;
    found.expect("is there").audience
}

/// Who calls with a new credential of these scopes.
async fn credential(domain: &Domain, scopes: &str, structures: Option<Vec<i64>>) -> Context {
    let new = CredentialNew {
        dialect: "native".into(),
        name: "one".into(),
        scopes: scopes.into(),
        structures,
        expires: None,
        keep_secret: false,
    };
    let context = context("credential");
    let made = domain.credential_create(&context, new, &["native"]).await;
    let made = made.expect("a credential");
    let caller = domain.caller_by_api_token(Mount::default(), &made.secret);
    Context::new(caller.await.expect("a caller"), "credential")
}

fn hex(workspace: i64, kind: IdKind, id: i64) -> String {
    DialectId {
        workspace,
        kind,
        id,
    }
    .to_hex()
}

/// How many changes the log has.
async fn seq(domain: &Domain) -> u64 {
    domain.store().head_seq(1).await.expect("a head")
}

fn verified(house: &House) {
    let report =
        tokio::task::block_in_place(|| store::verify(&house.path(), &house.url, &mut |_, _, _| {}));
    assert_eq!(report.expect("verifies").findings, Vec::<String>::new());
}

/// Name or code of what was refused.
fn code<T: std::fmt::Debug>(found: Result<T>) -> &'static str {
    match found {
        Err(Error::Invalid(field) | Error::AlreadyExists(field) | Error::TooLarge(field)) => {
            field.code
        }
        Err(Error::NotFound(noun)) => noun,
        Err(Error::Conflict(_)) => "conflict",
        Err(Error::Forbidden(Denied::Control)) => "control",
        Err(Error::Forbidden(Denied::Structure)) => "structure",
        Err(Error::Forbidden(Denied::Scope(_))) => "scope",
        Err(Error::Forbidden(Denied::Permission)) => "permission",
        other => panic!("{other:?}"),
    }
}
