//! Who is in an audience: adding is idempotent, a request is atomic, counts are exact.

use serde::{Deserialize, Serialize};
use sets::{Person, Set};
use store::{Tx, Verdict};

use crate::{
    audience::{AUDIENCE, find},
    caller::{Caller, Context, Scope},
    error::{Error, Field, Result},
    event::{self, EventData, EventKind},
    identifier::{Batch, BatchBuilder, Kind, Question, QuestionBuilder},
    limits,
    service::Domain,
};

/// What a change of members did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberOutcome {
    /// Milliseconds since the Unix epoch.
    pub time: i64,
    /// Well-formed identifiers of the request, repeated ones included.
    pub valid: u64,
    pub invalid: u64,
    pub invalid_sample: Vec<String>,
    /// People who came in and went out by this request.
    pub added: u64,
    pub removed: u64,
    /// People in the audience now.
    pub people: u64,
    /// Clashes: people of the request whose identifiers name somebody else too; see the identity conflicts.
    pub conflicts: u64,
}

/// Who came in and went out, and how many identifiers named two people.
struct Turnover {
    added: Set,
    removed: Set,
    conflicts: u64,
}

/// What emptying an audience did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersEmptied {
    pub removed: u64,
}

/// Refuses a batch with nothing in it, before it reaches the committer.
fn not_empty(batch: &Batch) -> Result<()> {
    if batch.is_empty() {
        return Err(Error::invalid(
            "identifiers",
            "none_valid",
            "None of the identifiers is valid.",
        ));
    }
    Ok(())
}

/// Refuses more identifiers than one request may carry.
pub(crate) fn not_too_many(identifiers: usize) -> Result<()> {
    if identifiers <= limits::IDENTIFIERS_MAX {
        return Ok(());
    }
    Err(Error::TooLarge(Field {
        name: "identifiers",
        code: "too_many",
        text: format!(
            "A request may carry at most {} identifiers.",
            limits::IDENTIFIERS_MAX
        ),
    }))
}

impl Domain {
    /// Begins a batch of identifiers for the caller's workspace; refuses more than 50,000.
    pub async fn batch(&self, caller: &Caller, identifiers: usize) -> Result<BatchBuilder> {
        not_too_many(identifiers)?;
        Ok(BatchBuilder::new(
            self.store().keys(caller.workspace).await?,
            identifiers,
        ))
    }

    /// Begins a question about people of the caller's workspace; refuses more than 50,000 identifiers.
    pub async fn question(&self, caller: &Caller, identifiers: usize) -> Result<QuestionBuilder> {
        Ok(QuestionBuilder::new(self.batch(caller, identifiers).await?))
    }

    /// Adds people, making those that nobody knows yet. Fails where no identifier of the batch is valid.
    pub async fn member_add(
        &self,
        context: &Context,
        audience: i64,
        batch: Batch,
    ) -> Result<MemberOutcome> {
        self.change(
            context,
            "member_add",
            audience,
            batch,
            |tx, audience, batch| {
                let (people, conflicts) = resolve_or_make(tx, batch)?;
                Ok(Turnover {
                    added: tx.set_add(audience, &people),
                    removed: Set::new(),
                    conflicts,
                })
            },
        )
        .await
    }

    /// Removes everybody who holds a key of the batch; nobody is made. An identifier that names two people removes both.
    pub async fn member_remove(
        &self,
        context: &Context,
        audience: i64,
        batch: Batch,
    ) -> Result<MemberOutcome> {
        self.change(
            context,
            "member_remove",
            audience,
            batch,
            |tx, audience, batch| {
                let people = holders(tx, batch);
                Ok(Turnover {
                    added: Set::new(),
                    removed: tx.set_remove(audience, &people),
                    conflicts: 0,
                })
            },
        )
        .await
    }

    /// Makes the audience hold exactly the people of the batch. An empty batch is refused: emptying has its own verb.
    pub async fn member_replace(
        &self,
        context: &Context,
        audience: i64,
        batch: Batch,
    ) -> Result<MemberOutcome> {
        self.change(
            context,
            "member_replace",
            audience,
            batch,
            |tx, audience, batch| {
                let (people, conflicts) = resolve_or_make(tx, batch)?;
                let before = tx.set(audience);
                let (added, removed) = (people.and_not(&before), before.and_not(&people));
                tx.set_replace(audience, people);
                Ok(Turnover {
                    added,
                    removed,
                    conflicts,
                })
            },
        )
        .await
    }

    async fn change(
        &self,
        context: &Context,
        verb: &'static str,
        audience: i64,
        batch: Batch,
        apply: impl Fn(&mut Tx<'_, '_>, i64, &Batch) -> Result<Turnover> + Send + 'static,
    ) -> Result<MemberOutcome> {
        not_empty(&batch)?;
        context.caller.need(Scope::AudiencesWrite)?;
        let caller = context.caller.clone();
        self.command(context, verb, batch.weight(), move |tx| {
            let mut row = find(tx, &caller, audience, AUDIENCE)?;
            let turnover = apply(tx, audience, &batch)?;
            let (added, removed) = (turnover.added.len(), turnover.removed.len());
            if added + removed > 0 {
                row.updated = tx.meta().time;
                store::audience_update(tx, &row)?;
                event::emit_with(tx, EventKind::MembersChanged, || {
                    EventData::of(&row).people(&turnover.added, &turnover.removed)
                })?;
            }
            store::activity_insert(
                tx,
                Some(audience),
                &format!("added={added} removed={removed}"),
            )?;
            Ok(Verdict::Done(MemberOutcome {
                time: tx.meta().time,
                valid: batch.valid,
                invalid: batch.invalid,
                invalid_sample: batch.invalid_sample.clone(),
                added,
                removed,
                people: tx.set(audience).len(),
                conflicts: turnover.conflicts,
            }))
        })
        .await
    }

    /// Removes everybody.
    pub async fn member_empty(&self, context: &Context, audience: i64) -> Result<MembersEmptied> {
        context.caller.need(Scope::AudiencesWrite)?;
        let caller = context.caller.clone();
        self.command(context, "member_empty", 1, move |tx| {
            let mut row = find(tx, &caller, audience, AUDIENCE)?;
            let removed = tx.set(audience).len();
            if removed > 0 {
                tx.set_replace(audience, Set::new());
                row.updated = tx.meta().time;
                store::audience_update(tx, &row)?;
            }
            store::activity_insert(tx, Some(audience), &format!("removed={removed}"))?;
            Ok(Verdict::Done(MembersEmptied { removed }))
        })
        .await
    }

    /// For each person of the question, whether they are in the audience. Nobody is made.
    pub async fn member_contains(
        &self,
        caller: &Caller,
        audience: i64,
        question: Question,
    ) -> Result<Vec<bool>> {
        caller.need(Scope::AudiencesRead)?;
        let asker = caller.clone();
        self.store()
            .read(caller.workspace, move |read| {
                find(read, &asker, audience, AUDIENCE)
            })
            .await?;
        let (found, state) = self
            .store()
            .persons(caller.workspace, &question.keys)
            .await?;
        let set = state.set(audience);
        let mut start = 0;
        let people = question.ends.iter().map(|&end| {
            let held = found[start..end]
                .iter()
                .flatten()
                .any(|person| set.contains(*person));
            start = end;
            held
        });
        Ok(people.collect())
    }
}

/// The people of a batch, made where nobody holds their keys; and how many identifiers named two people.
///
/// The owner is the one who holds the first key that is held: e-mail before external id before phone, then the others. Keys that nobody holds become the owner's; keys
/// that somebody else holds stay where they are, and the clash is noted.
pub(crate) fn resolve_or_make(tx: &mut Tx<'_, '_>, batch: &Batch) -> Result<(Set, u64)> {
    let mut found = Vec::new();
    tx.persons(&batch.keys, &mut found);
    let mut people: Vec<Person> = Vec::with_capacity(batch.people.len());
    let mut gained: Vec<(Kind, Person)> = Vec::new();
    let (mut conflicts, mut start) = (0u64, 0usize);
    for person in &batch.people {
        let range = start..person.end as usize;
        start = range.end;
        if person.overlaps {
            for at in range.clone() {
                found[at] = found[at].or_else(|| tx.person(&batch.keys[at]));
            }
        }
        let held = range.clone().filter(|at| found[*at].is_some());
        let owner = match held
            .min_by_key(|at| batch.kinds[*at])
            .and_then(|at| found[at])
        {
            Some(owner) => owner,
            None => tx.new_person().map_err(|_| full())?,
        };
        people.push(owner);
        let mut clash = None;
        for at in range {
            match found[at] {
                Some(holder) if holder != owner && clash != Some(holder) => {
                    clash = Some(holder);
                    conflicts += 1;
                    if conflicts <= limits::CONFLICTS_NOTED_MAX as u64 {
                        let now = tx.meta().time;
                        store::conflict_note(tx, owner, holder, batch.kinds[at].as_str(), now)?;
                    }
                }
                Some(_) => {}
                None => {
                    if tx.attach(batch.keys[at], owner, &[batch.received(at)]) {
                        gained.push((batch.kinds[at], owner));
                    }
                }
            }
        }
    }
    for kind in Kind::ALL {
        let people: Vec<Person> = gained
            .iter()
            .filter(|(of, _)| *of == kind)
            .map(|(_, person)| *person)
            .collect();
        if !people.is_empty() {
            tx.set_add(kind.set(), &Set::from_unsorted(people));
        }
    }
    Ok((Set::from_unsorted(people), conflicts))
}

fn full() -> Error {
    Error::TooLarge(Field {
        name: "people",
        code: "too_many",
        text: "The workspace holds 2^32 - 2 people and can take no more.".into(),
    })
}

/// Everybody who holds a key of the batch.
fn holders(tx: &mut Tx<'_, '_>, batch: &Batch) -> Set {
    let mut found = Vec::new();
    tx.persons(&batch.keys, &mut found);
    Set::from_unsorted(found.into_iter().flatten().collect())
}
