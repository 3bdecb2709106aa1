//! Reach, overlaps and look-ups as stories on both engines: what a formula holds, who may ask, what is refused.

mod model;
mod sight;
mod stories;

use std::collections::BTreeSet;

use domain::{
    Audience, AudienceName, AudienceNew, AudienceRef, Batch, Caller, Context, CredentialNew,
    Domain, Error, Formula, Kind, LookedUp, Lookup, Mount, Named, Operand, Reach, Result, Rule,
    StructureNew, limits,
};

use crate::support::{House, close, context};

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

async fn smart(domain: &Domain, structure: i64, name: &str, rule: Rule) -> Audience {
    let new = AudienceNew {
        rule: Some(rule),
        ..AudienceNew::new(structure, name)
    };
    let made = domain.audience_create(&context("smart"), new).await;
    made.expect("a smart audience")
}

fn email(who: &str) -> String {
    format!("{who}@example.org")
}

async fn batch(domain: &Domain, who: &[&str]) -> Batch {
    let caller = Caller::server(1);
    let mut batch = domain.batch(&caller, who.len()).await.expect("a batch");
    for one in who {
        batch.push(Kind::Email, "", &email(one));
    }
    batch.finish()
}

async fn add(domain: &Domain, audience: i64, who: &[&str]) {
    let batch = batch(domain, who).await;
    let added = domain
        .member_add(&context("add"), AudienceRef::Id(audience), batch)
        .await;
    added.expect("are added");
}

async fn reach(domain: &Domain, text: &str) -> Result<Reach> {
    let formula = Formula::parse(text)?;
    domain.reach(&Caller::server(1), &formula).await
}

/// How many people a formula holds.
async fn people(domain: &Domain, text: &str) -> u64 {
    let found = reach(domain, text).await;
    found
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .people
}

fn id(id: i64) -> Named {
    Named::Audience(AudienceName::Id(id))
}

fn name(name: &str) -> Named {
    Named::Audience(AudienceName::Text(name.into()))
}

fn code<T: std::fmt::Debug>(found: Result<T>) -> &'static str {
    match found {
        Err(Error::Invalid(field) | Error::TooLarge(field)) => field.code,
        Err(Error::Forbidden(_)) => "forbidden",
        Err(Error::NotFound(noun)) => noun,
        other => panic!("{other:?}"),
    }
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

/// Looks people up by their e-mail addresses.
async fn lookup(domain: &Domain, caller: &Caller, who: &[&str]) -> Result<Lookup> {
    lookup_after(domain, caller, who, 0, limits::LOOKUP_AUDIENCES_MAX).await
}

async fn lookup_after(
    domain: &Domain,
    caller: &Caller,
    who: &[&str],
    after: i64,
    limit: usize,
) -> Result<Lookup> {
    let mut question = domain.question(caller, who.len()).await?;
    for one in who {
        // What is no address stands for nobody.
        let _ = question.identifier(Kind::Email, "", &email(one));
        question.end_person();
    }
    let question = question.finish();
    domain.people_lookup(caller, &question, after, limit).await
}

async fn contains(domain: &Domain, caller: &Caller, node: i64, who: &[&str]) -> Result<Vec<bool>> {
    let mut question = domain.question(caller, who.len()).await?;
    for one in who {
        let _ = question.identifier(Kind::Email, "", &email(one));
        question.end_person();
    }
    let node = AudienceRef::Id(node);
    domain
        .member_contains(caller, node, question.finish())
        .await
}

fn held(found: &LookedUp) -> BTreeSet<i64> {
    found.audiences.iter().copied().collect()
}
