//! Who is in an audience: adding is idempotent, a request is atomic, counts are exact.

use serde::{Deserialize, Serialize};
use sets::{Person, Set};
use store::{Audience, AudienceKind, Sql, Tx, Verdict};

use crate::{
    audience::{AUDIENCE, find},
    batch::{Batch, BatchBuilder, QuestionBuilder},
    caller::{Caller, Context},
    error::{Error, Field, Result},
    event::{Happening, announce},
    identifier::Kind,
    limits,
    service::Domain,
    tree::{self, Act, AudienceRef},
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
pub fn not_too_many(identifiers: usize) -> Result<()> {
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
            self.store().lookup(caller.workspace).await?,
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
        audience: impl Into<Whose>,
        batch: Batch,
    ) -> Result<MemberOutcome> {
        self.change(
            context,
            "member_add",
            audience.into(),
            batch,
            |tx, audience, batch| {
                let (people, conflicts) = resolve_or_make(tx, batch)?;
                Ok((add(tx, audience, &people)?, conflicts))
            },
        )
        .await
    }

    /// Removes everybody who holds a key of the batch, from a structure and from all its audiences; nobody is made. An
    /// identifier that names two people removes both.
    pub async fn member_remove(
        &self,
        context: &Context,
        audience: impl Into<Whose>,
        batch: Batch,
    ) -> Result<MemberOutcome> {
        self.change(
            context,
            "member_remove",
            audience.into(),
            batch,
            |tx, audience, batch| {
                let people = holders(tx, batch);
                Ok((remove(tx, audience, &people)?, 0))
            },
        )
        .await
    }

    /// Makes the audience hold exactly the people of the batch. An empty batch is refused: emptying has its own verb.
    pub async fn member_replace(
        &self,
        context: &Context,
        audience: impl Into<Whose>,
        batch: Batch,
    ) -> Result<MemberOutcome> {
        self.change(
            context,
            "member_replace",
            audience.into(),
            batch,
            |tx, audience, batch| {
                let (people, conflicts) = resolve_or_make(tx, batch)?;
                Ok((replace(tx, audience, people)?, conflicts))
            },
        )
        .await
    }

    async fn change(
        &self,
        context: &Context,
        verb: &'static str,
        whose: Whose,
        batch: Batch,
        apply: impl Fn(&mut Tx<'_, '_>, &Audience, &Batch) -> Result<(Effect, u64)> + Send + 'static,
    ) -> Result<MemberOutcome> {
        not_empty(&batch)?;
        let caller = self.acting(&context.caller, Act::Fill).await?;
        self.command(context, verb, batch.weight(), move |tx| {
            let row = whose.reach(tx, &caller, Act::Fill)?;
            manual(&row)?;
            let mut conflicts = 0;
            let (added, removed) = change_members(tx, &row, |tx, row| {
                let (effect, clashes) = apply(tx, row, &batch)?;
                conflicts = clashes;
                Ok(effect)
            })?;
            let detail = format!("added={added} removed={removed}");
            store::activity_insert(tx, Some(row.id), &detail)?;
            Ok(Verdict::Done(MemberOutcome {
                time: tx.meta().time,
                valid: batch.valid,
                invalid: batch.invalid,
                invalid_sample: batch.invalid_sample.clone(),
                added,
                removed,
                people: tree::people(tx, &row)?.len(),
                conflicts,
            }))
        })
        .await
    }

    /// Removes everybody, from a structure and from all its audiences.
    pub async fn member_empty(
        &self,
        context: &Context,
        audience: impl Into<Whose>,
    ) -> Result<MembersEmptied> {
        let whose = audience.into();
        let caller = self.acting(&context.caller, Act::Fill).await?;
        self.command(context, "member_empty", 1, move |tx| {
            let row = whose.reach(tx, &caller, Act::Fill)?;
            manual(&row)?;
            let (_, removed) = change_members(tx, &row, |tx, row| replace(tx, row, Set::new()))?;
            store::activity_insert(tx, Some(row.id), &format!("removed={removed}"))?;
            Ok(Verdict::Done(MembersEmptied { removed }))
        })
        .await
    }
}

/// Whose members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// An audience's; a structure is *not found*.
    Audience(i64),
    /// A structure's or an audience's.
    Any(AudienceRef),
}

impl From<i64> for Whose {
    fn from(id: i64) -> Whose {
        Whose::Audience(id)
    }
}

impl From<AudienceRef> for Whose {
    fn from(reference: AudienceRef) -> Whose {
        Whose::Any(reference)
    }
}

impl Whose {
    /// Whether it names something of this kind.
    pub(crate) fn means(&self, kind: AudienceKind) -> bool {
        matches!(self, Whose::Any(_)) || kind != AudienceKind::Structure
    }

    pub(crate) fn reach(&self, sql: &mut dyn Sql, caller: &Caller, act: Act) -> Result<Audience> {
        match self {
            Whose::Audience(id) => find(sql, caller, *id, act, AUDIENCE),
            Whose::Any(reference) => tree::reach(sql, caller, reference, act, AUDIENCE),
        }
    }
}

/// Fails for a smart audience, whose members nobody names.
pub(crate) fn manual(audience: &Audience) -> Result<()> {
    match audience.kind {
        AudienceKind::Smart => Err(Error::Conflict(
            "The members of a smart audience follow from its rule.",
        )),
        AudienceKind::Structure | AudienceKind::Manual => Ok(()),
    }
}

/// Who came into a node and who went out of it. A structure's audiences that lost somebody with it are beside it.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    pub came: Set,
    pub went: Set,
    /// Whether the node's own members are others than before, who may have been in it by an audience all along.
    pub own: bool,
    pub audiences: Vec<(i64, Set)>,
}

/// Carries a change of members out: notes its time, tells of it, and answers how many came and went.
pub(crate) fn change_members(
    tx: &mut Tx<'_, '_>,
    audience: &Audience,
    apply: impl FnOnce(&mut Tx<'_, '_>, &Audience) -> Result<Effect>,
) -> Result<(u64, u64)> {
    let effect = apply(tx, audience)?;
    if effect.own || !effect.went.is_empty() {
        update_time(tx, audience.clone())?;
        announce(tx, Happening::Members(&effect.came, &effect.went), audience)?;
    }
    for (id, went) in effect.audiences.iter().filter(|(_, went)| !went.is_empty()) {
        if let Some(child) = store::audience_get(tx, *id)? {
            update_time(tx, child.clone())?;
            announce(tx, Happening::Members(&Set::new(), went), &child)?;
        }
    }
    Ok((effect.came.len(), effect.went.len()))
}

fn update_time(tx: &mut Tx<'_, '_>, mut audience: Audience) -> Result<()> {
    audience.updated = tx.meta().time;
    Ok(store::audience_update(tx, &audience)?)
}

/// Puts people in.
pub(crate) fn add(tx: &mut Tx<'_, '_>, audience: &Audience, people: &Set) -> Result<Effect> {
    let before = match audience.kind {
        AudienceKind::Structure => tree::held(tx, audience, people)?,
        AudienceKind::Manual | AudienceKind::Smart => Set::new(),
    };
    let came = tx.set_add(audience.id, people)?;
    Ok(Effect {
        own: !came.is_empty(),
        came: came.and_not(&before),
        ..Effect::default()
    })
}

/// Takes people out; of a structure, out of its audiences too.
pub(crate) fn remove(tx: &mut Tx<'_, '_>, audience: &Audience, people: &Set) -> Result<Effect> {
    if audience.kind != AudienceKind::Structure {
        return Ok(Effect {
            went: tx.set_remove(audience.id, people)?,
            ..Effect::default()
        });
    }
    let went = tree::held(tx, audience, people)?;
    let mut audiences = Vec::new();
    for id in store::audiences_manual(tx, audience.id)? {
        audiences.push((id, tx.set_remove(id, &went)?));
    }
    let own = !tx.set_remove(audience.id, &went)?.is_empty();
    Ok(Effect {
        came: Set::new(),
        went,
        own,
        audiences,
    })
}

/// Leaves exactly these people in.
pub(crate) fn replace(tx: &mut Tx<'_, '_>, audience: &Audience, people: Set) -> Result<Effect> {
    let before = tree::people(tx, audience)?;
    let gone = before.and_not(&people);
    let mut effect = match audience.kind {
        AudienceKind::Structure => remove(tx, audience, &gone)?,
        AudienceKind::Manual | AudienceKind::Smart => Effect {
            went: gone,
            ..Effect::default()
        },
    };
    effect.came = people.and_not(&before);
    effect.own |= people != tx.set(audience.id)?;
    tx.set_replace(audience.id, people)?;
    Ok(effect)
}

/// The people of a batch, made where nobody holds their keys; and how many identifiers named two people.
///
/// The owner is the one who holds the first key that is held: e-mail before external id before phone, then the others. Keys that nobody holds become the owner's; keys
/// that somebody else holds stay where they are, and the clash is noted.
pub(crate) fn resolve_or_make(tx: &mut Tx<'_, '_>, batch: &Batch) -> Result<(Set, u64)> {
    let mut holders = tx.holders(&batch.keys);
    let mut people: Vec<Person> = Vec::with_capacity(batch.people.len());
    let (mut conflicts, mut start) = (0u64, 0usize);
    for &end in &batch.people {
        let range = start..end as usize;
        start = range.end;
        let held = range.clone().filter(|at| holders.get(*at).is_some());
        let owner = match held
            .min_by_key(|at| batch.kinds[*at])
            .and_then(|at| holders.get(at))
        {
            Some(owner) => owner,
            None => tx.new_person().map_err(|_| full())?,
        };
        people.push(owner);
        let mut clash = None;
        for at in range {
            match holders.get(at) {
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
                    holders.give(at, owner);
                }
            }
        }
    }
    tx.attach_given(&holders, &batch.received);
    for kind in Kind::ALL {
        let given = holders.given().iter().zip(holders.owners());
        let mut gained: Vec<Person> = given
            .filter(|(at, _)| batch.kinds[**at as usize] == kind)
            .map(|(_, owner)| *owner)
            .collect();
        // The keys of a person follow on one another, which makes this most of the sorting.
        gained.dedup();
        if !gained.is_empty() {
            tx.set_add(kind.set(), &Set::from_unsorted(gained))?;
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
fn holders(tx: &Tx<'_, '_>, batch: &Batch) -> Set {
    let holders = tx.holders(&batch.keys);
    Set::from_unsorted(holders.persons().iter().flatten().copied().collect())
}
