//! Members by the names that a source has for them: what of a list could be done, and why the rest could not.
//!
//! A name is a record's or person's id in 24 hexadecimal digits, else a reference of the source, else an e-mail address of
//! the source. Nobody is made. Invariant: where nobody of a list can be put in, nothing is changed.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use sets::{Key, Person, Set};
use store::{Audience, Sql, Tx, Verdict, View};

use crate::{
    audience::AUDIENCE,
    caller::{Caller, Context},
    error::{Error, Field, Result},
    id::IdKind,
    identifier::Kind,
    limits,
    membership::{change_members, manual},
    record::{self, RecordRef},
    service::Domain,
    tree::{self, Act, AudienceRef, own_id},
};

/// Why a name of a list could not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// Nobody is known by it.
    Unknown,
    /// They are not active, and not in it yet.
    Inactive,
    /// Their end date has passed, and they are not in it yet.
    Ended,
}

/// What of a list was done; a name that was given twice is there once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    pub done: Vec<String>,
    pub failed: Vec<(String, Refused)>,
}

/// The names without repetitions, in their order.
pub(crate) fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    names.filter(|name| seen.insert(name.clone())).collect()
}

/// Finds people by name within a command.
pub(crate) struct Resolver {
    source: Option<String>,
    /// Without a source: the key of each name that is an e-mail address.
    keys: HashMap<String, Key>,
}

impl Resolver {
    /// `source` is whose references and addresses the names are; without one they are ids, and e-mail addresses of anybody
    /// who is known.
    pub(crate) async fn new(
        domain: &Domain,
        caller: &Caller,
        source: Option<&str>,
        names: &[String],
    ) -> Result<Resolver> {
        let mut keys = HashMap::new();
        if source.is_none() {
            let mut question = domain.question(caller, names.len()).await?;
            let mut asked = Vec::new();
            for name in names.iter().filter(|name| name.contains('@')) {
                if question.identifier(Kind::Email, "", name).is_ok() {
                    asked.push(name.clone());
                    question.end_person();
                }
            }
            let question = question.finish();
            let mut start = 0;
            for (name, end) in asked.into_iter().zip(question.ends) {
                // The first key of an address is that of its SHA-256.
                keys.insert(name, question.keys[start]);
                start = end;
            }
        }
        Ok(Resolver {
            source: source.map(str::to_owned),
            keys,
        })
    }

    pub(crate) fn person(&self, tx: &mut Tx<'_, '_>, name: &str) -> Result<Option<Person>> {
        let workspace = tx.workspace();
        if let Some(id) = own_id(workspace, name, IdKind::Person) {
            let known = u32::try_from(id).ok();
            return Ok(known.filter(|person| (1..View::next_person(tx)).contains(person)));
        }
        let Some(source) = &self.source else {
            if let Some(id) = own_id(workspace, name, IdKind::Record) {
                return Ok(store::record_get(tx, id)?.map(|row| row.person));
            }
            return Ok(self.keys.get(name).and_then(|key| tx.person(key)));
        };
        let found = record::lookup(tx, source, &RecordRef::Name(name.to_owned()))?;
        Ok(found.map(|row| row.person))
    }
}

impl Domain {
    /// Puts people into a structure or audience; with `replace` nobody else is in it then. Somebody who is in it already is
    /// done. Those who cannot join are told, and where it is all of them nothing is changed.
    pub async fn member_put(
        &self,
        context: &Context,
        reference: AudienceRef,
        source: &str,
        names: Vec<String>,
        replace: bool,
    ) -> Result<Partial> {
        if names.len() > limits::NAMES_AT_ONCE_MAX {
            return Err(Error::TooLarge(Field {
                name: "members",
                code: "too_many",
                text: format!(
                    "A request may name at most {} members.",
                    limits::NAMES_AT_ONCE_MAX
                ),
            }));
        }
        let caller = self.acting(&context.caller, Act::Fill).await?;
        let names = distinct(names.into_iter());
        let resolver = Resolver::new(self, &caller, Some(source), &names).await?;
        self.command(context, "member_put", names.len().max(1), move |tx| {
            let audience = tree::reach(tx, &caller, &reference, Act::Fill, AUDIENCE)?;
            manual(&audience)?;
            let (partial, people) = judged(tx, &resolver, &audience, &names)?;
            if partial.done.is_empty() {
                return Ok(Verdict::Done(partial));
            }
            let (added, removed) = change_members(tx, &audience, |tx, audience| {
                if replace {
                    crate::membership::replace(tx, audience, people.clone())
                } else {
                    crate::membership::add(tx, audience, &people)
                }
            })?;
            let failed = partial.failed.len();
            let detail = format!("added={added} removed={removed} failed={failed}");
            store::activity_insert(tx, Some(audience.id), &detail)?;
            Ok(Verdict::Done(partial))
        })
        .await
    }

    /// Removes one person from a structure (and all its audiences) or from an audience.
    pub async fn member_remove_named(
        &self,
        context: &Context,
        reference: AudienceRef,
        source: &str,
        name: &str,
    ) -> Result<()> {
        let caller = self.acting(&context.caller, Act::Fill).await?;
        let name = name.to_owned();
        let names = std::slice::from_ref(&name);
        let resolver = Resolver::new(self, &caller, Some(source), names).await?;
        self.command(context, "member_remove", 1, move |tx| {
            let audience = tree::reach(tx, &caller, &reference, Act::Fill, AUDIENCE)?;
            manual(&audience)?;
            const NOBODY: Error = Error::NotFound("member");
            let person = resolver.person(tx, &name)?.ok_or(NOBODY)?;
            let people = Set::from_sorted(&[person]);
            if tree::held(tx, &audience, &people)?.is_empty() {
                return Err(NOBODY);
            }
            let (_, removed) = change_members(tx, &audience, |tx, audience| {
                crate::membership::remove(tx, audience, &people)
            })?;
            store::activity_insert(tx, Some(audience.id), &format!("removed={removed}"))?;
            Ok(Verdict::Done(()))
        })
        .await
    }
}

/// Who of the names can be in the audience, and what is to be told of each name.
fn judged(
    tx: &mut Tx<'_, '_>,
    resolver: &Resolver,
    audience: &Audience,
    names: &[String],
) -> Result<(Partial, Set)> {
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        found.push(resolver.person(tx, name)?);
    }
    let people: Set = found.iter().flatten().copied().collect();
    let joining = people.and_not(&tree::held(tx, audience, &people)?);
    let now = tx.meta().time;
    let (inactive, ended) = record::barred(tx, &joining, now)?;
    let mut partial = Partial::default();
    for (name, person) in names.iter().zip(&found) {
        let refused = match person {
            None => Some(Refused::Unknown),
            Some(person) if inactive.contains(*person) => Some(Refused::Inactive),
            Some(person) if ended.contains(*person) => Some(Refused::Ended),
            Some(_) => None,
        };
        match refused {
            Some(refused) => partial.failed.push((name.clone(), refused)),
            None => partial.done.push(name.clone()),
        }
    }
    let good = people.and_not(&inactive).and_not(&ended);
    Ok((partial, good))
}
