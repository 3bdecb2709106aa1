//! Random histories against a model of plain `BTreeSet`s, on both engines, and on PostgreSQL with two processes at once.
//!
//! The model knows which key belongs to whom and who is in which audience. After every step the published sets must be the
//! model's, person for person; at the end the database must verify.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{House, close, context};
use domain::{AudienceChange, AudienceNew, Batch, Domain, Error, Kind, StructureNew};
use futures_util::future::join_all;
use proptest::{prelude::*, test_runner::TestRunner};
use sha2::{Digest, Sha256};
use store::{Meta, Verdict};

/// How an address is written in a request.
#[derive(Debug, Clone, Copy)]
enum Form {
    Plain,
    Sha256,
    Md5,
}

type Addresses = Vec<(u8, Form)>;

#[derive(Debug, Clone)]
enum Step {
    Create(u8),
    Add(u8, Addresses),
    Remove(u8, Addresses),
    Replace(u8, Addresses),
    Empty(u8),
    Rename(u8, u8),
    Delete(u8),
    /// Adds people and then fails: nothing of it may stay.
    Fail(u8, Addresses),
    /// Adds people and answers an error: all of it stays.
    Refuse(u8, Addresses),
    Group(Vec<Step>),
    Checkpoint,
    Restart,
}

#[derive(Debug, Default, Clone)]
struct Model {
    /// Key -> person; a key is an address and whether it is the MD5's.
    keys: BTreeMap<(u8, bool), u32>,
    next_person: u32,
    audiences: BTreeMap<i64, (u8, BTreeSet<u32>)>,
    conflicts: BTreeSet<(u32, u32)>,
}

impl Model {
    fn slot(&self, slot: u8) -> Option<i64> {
        let count = self.audiences.len();
        (count > 0).then(|| {
            *self
                .audiences
                .keys()
                .nth(usize::from(slot) % count)
                .expect("in range")
        })
    }

    fn keys_of(address: u8, form: Form) -> Vec<(u8, bool)> {
        match form {
            Form::Plain => vec![(address, false), (address, true)],
            Form::Sha256 => vec![(address, false)],
            Form::Md5 => vec![(address, true)],
        }
    }

    fn resolve(&mut self, addresses: &Addresses) -> BTreeSet<u32> {
        let mut people = BTreeSet::new();
        for &(address, form) in addresses {
            let keys = Model::keys_of(address, form);
            let owner = keys
                .iter()
                .find_map(|key| self.keys.get(key).copied())
                .unwrap_or_else(|| {
                    self.next_person += 1;
                    self.next_person
                });
            people.insert(owner);
            for key in keys {
                let holder = *self.keys.entry(key).or_insert(owner);
                if holder != owner {
                    self.conflicts
                        .insert((owner.min(holder), owner.max(holder)));
                }
            }
        }
        people
    }

    fn holders(&self, addresses: &Addresses) -> BTreeSet<u32> {
        let keys = addresses
            .iter()
            .flat_map(|(address, form)| Model::keys_of(*address, *form));
        keys.filter_map(|key| self.keys.get(&key).copied())
            .collect()
    }

    fn taken(&self, name: u8, but: Option<i64>) -> bool {
        self.audiences
            .iter()
            .any(|(id, (other, _))| *other == name && Some(*id) != but)
    }
}

fn value(address: u8, form: Form) -> String {
    let plain = format!("person{address}@example.org");
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    match form {
        Form::Plain => plain,
        Form::Sha256 => hex(&Sha256::digest(plain.as_bytes())),
        Form::Md5 => hex(&md5::Md5::digest(plain.as_bytes())),
    }
}

async fn batch(domain: &Domain, addresses: &Addresses) -> Batch {
    let mut builder = domain
        .batch(&context("").caller, addresses.len())
        .await
        .expect("a batch");
    for &(address, form) in addresses {
        builder.push(Kind::Email, "", &value(address, form));
    }
    builder.finish()
}

/// What a step asks for and what the model says it must answer.
enum Asked {
    Created(Result<domain::Audience, Error>, u8, bool),
    Changed(Result<u64, Error>, Option<u64>),
    Named(Result<(), Error>, bool),
}

/// Puts a step's command into the queue in its turn and moves the model on as if it had been done.
fn ask<'a>(
    domain: &'a Domain,
    model: &mut Model,
    structure: i64,
    step: &'a Step,
) -> Option<futures_util::future::BoxFuture<'a, Asked>> {
    Some(match step {
        Step::Create(name) => {
            let taken = model.taken(*name, None);
            let new = AudienceNew::new(structure, format!("name {name}"));
            Box::pin(async move {
                Asked::Created(
                    domain.audience_create(&context("create"), new).await,
                    *name,
                    taken,
                )
            })
        }
        Step::Add(slot, addresses) => {
            let id = model.slot(*slot)?;
            let people = model.resolve(addresses);
            let set = &mut model.audiences.get_mut(&id)?.1;
            let added = people.iter().filter(|person| set.insert(**person)).count() as u64;
            Box::pin(async move {
                let batch = batch(domain, addresses).await;
                let done = domain.member_add(&context("add"), id, batch).await;
                Asked::Changed(done.map(|done| done.added), Some(added))
            })
        }
        Step::Remove(slot, addresses) => {
            let id = model.slot(*slot)?;
            let people = model.holders(addresses);
            let set = &mut model.audiences.get_mut(&id)?.1;
            let removed = people.iter().filter(|person| set.remove(person)).count() as u64;
            Box::pin(async move {
                let batch = batch(domain, addresses).await;
                let done = domain.member_remove(&context("remove"), id, batch).await;
                Asked::Changed(done.map(|done| done.removed), Some(removed))
            })
        }
        Step::Replace(slot, addresses) => {
            let id = model.slot(*slot)?;
            let people = model.resolve(addresses);
            let set = &mut model.audiences.get_mut(&id)?.1;
            let changed = set.symmetric_difference(&people).count() as u64;
            *set = people;
            Box::pin(async move {
                let batch = batch(domain, addresses).await;
                let done = domain.member_replace(&context("replace"), id, batch).await;
                Asked::Changed(done.map(|done| done.added + done.removed), Some(changed))
            })
        }
        Step::Empty(slot) => {
            let id = model.slot(*slot)?;
            let removed = std::mem::take(&mut model.audiences.get_mut(&id)?.1).len() as u64;
            Box::pin(async move {
                let done = domain.member_empty(&context("empty"), id).await;
                Asked::Changed(done.map(|done| done.removed), Some(removed))
            })
        }
        Step::Rename(slot, name) => {
            let id = model.slot(*slot)?;
            let taken = model.taken(*name, Some(id));
            if !taken {
                model.audiences.get_mut(&id)?.0 = *name;
            }
            let change = AudienceChange {
                name: Some(format!("name {name}")),
                ..AudienceChange::default()
            };
            Box::pin(async move {
                Asked::Named(
                    domain
                        .audience_update(&context("rename"), id, change)
                        .await
                        .map(drop),
                    !taken,
                )
            })
        }
        Step::Delete(slot) => {
            let id = model.slot(*slot)?;
            model.audiences.remove(&id);
            Box::pin(async move {
                Asked::Named(domain.audience_delete(&context("delete"), id).await, true)
            })
        }
        Step::Fail(slot, addresses) => {
            let id = model.slot(*slot)?;
            Box::pin(
                async move { Asked::Changed(raw(domain, id, addresses.len(), false).await, None) },
            )
        }
        Step::Refuse(slot, addresses) => {
            let id = model.slot(*slot)?;
            let set = &mut model.audiences.get_mut(&id)?.1;
            for _ in addresses {
                model.next_person += 1;
                set.insert(model.next_person);
            }
            Box::pin(
                async move { Asked::Changed(raw(domain, id, addresses.len(), true).await, None) },
            )
        }
        Step::Group(_) | Step::Checkpoint | Step::Restart => return None,
    })
}

/// A command that adds new people and then answers an error, keeping or dropping its writes.
async fn raw(domain: &Domain, audience: i64, people: usize, keep: bool) -> Result<u64, Error> {
    static COMMANDS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let command_id = format!(
        "raw {}",
        COMMANDS.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    );
    let command_id = format!("{command_id} {}", std::process::id());
    let meta = Meta {
        time: 1,
        actor: 0,
        verb: "raw",
        request_id: "raw".into(),
        command_id,
        weight: 1,
    };
    domain
        .store()
        .command(1, meta, move |tx| {
            let made: Vec<u32> = (0..people)
                .map(|_| tx.new_person().expect("there is room"))
                .collect();
            tx.set_add(audience, &made.into_iter().collect())?;
            store::activity_insert(tx, Some(audience), "raw")?;
            let error = Error::Conflict("as asked");
            if keep {
                Ok(Verdict::Refused(error))
            } else {
                Err(error)
            }
        })
        .await
}

fn settle(model: &mut Model, asked: Asked) {
    match asked {
        Asked::Created(Ok(audience), name, taken) => {
            assert!(!taken, "a second audience got the name {name}");
            model.audiences.insert(audience.id, (name, BTreeSet::new()));
        }
        Asked::Created(Err(error), _, taken) => {
            assert!(
                taken && matches!(error, Error::AlreadyExists(_)),
                "creating failed: {error}"
            );
        }
        Asked::Changed(Ok(changed), expected) => {
            assert_eq!(Some(changed), expected, "effective changes")
        }
        Asked::Changed(Err(error), expected) => {
            assert!(
                expected.is_none() && error == Error::Conflict("as asked"),
                "a change failed: {error}"
            );
        }
        Asked::Named(Ok(()), allowed) => assert!(allowed, "a taken name was given"),
        Asked::Named(Err(error), allowed) => {
            assert!(
                !allowed && matches!(error, Error::AlreadyExists(_)),
                "naming failed: {error}"
            );
        }
    }
}

async fn check(domain: &Domain, model: &Model) {
    let state = domain.store().state(1).await.expect("a state");
    for (id, (_, people)) in &model.audiences {
        let found: BTreeSet<u32> = state.set(*id).expect("reads").iter().collect();
        assert_eq!(&found, people, "audience {id}");
        assert_eq!(
            state.len(*id),
            people.len() as u64,
            "count of audience {id}"
        );
    }
    let sets: BTreeSet<i64> = state
        .sets()
        .filter(|(id, _)| *id > 0)
        .map(|(id, _)| id)
        .collect();
    let filled = model
        .audiences
        .iter()
        .filter(|(_, (_, people))| !people.is_empty())
        .map(|(id, _)| *id)
        .collect();
    assert_eq!(sets, filled, "only audiences have sets");
    let with_email: BTreeSet<u32> = model.keys.values().copied().collect();
    assert_eq!(
        state
            .set(-1)
            .expect("reads")
            .iter()
            .collect::<BTreeSet<_>>(),
        with_email,
        "people with an e-mail key"
    );
    let conflicts = domain
        .conflict_list(&context("").caller, 0, 1_000)
        .await
        .expect("conflicts");
    let found: BTreeSet<_> = conflicts
        .iter()
        .map(|one| (one.first_person, one.second_person))
        .collect();
    assert_eq!(found, model.conflicts, "conflicts");
    let listed = domain
        .audience_list(&context("").caller, None, 0, 1_000)
        .await
        .expect("a list");
    let names: BTreeMap<i64, (String, u64)> = listed
        .into_iter()
        .map(|one| (one.audience.id, (one.audience.name, one.counts.people)))
        .collect();
    let expected = model
        .audiences
        .iter()
        .map(|(id, (name, set))| (*id, (format!("name {name}"), set.len() as u64)));
    assert_eq!(names, expected.collect(), "the list");
}

/// Runs a history on one or two processes in turn; groups are split between them.
async fn run(house: &House, processes: usize, steps: &[Step]) {
    let names = ["one", "two"];
    let mut domains = Vec::new();
    for name in &names[..processes] {
        domains.push(house.open_as(name).await);
    }
    let structure = StructureNew::new("shop");
    let structure = domains[0]
        .structure_create(&context("structure"), structure)
        .await
        .expect("a structure")
        .id;
    let mut model = Model::default();
    for (turn, step) in steps.iter().enumerate() {
        let at = turn % processes;
        match step {
            Step::Group(group) => {
                let mut asked = Vec::new();
                for step in group {
                    asked.extend(ask(&domains[at], &mut model, structure, step));
                }
                for answer in join_all(asked).await {
                    settle(&mut model, answer);
                }
            }
            Step::Checkpoint => {
                tokio::task::block_in_place(|| domains[at].store().checkpoint_now(1))
                    .expect("a checkpoint")
            }
            Step::Restart => {
                close(domains.remove(at)).await;
                domains.insert(at, house.open_as(names[at]).await);
            }
            step => {
                if let Some(asked) = ask(&domains[at], &mut model, structure, step) {
                    settle(&mut model, asked.await);
                }
            }
        }
        // The process that did not act must see it too.
        check(&domains[(turn + 1) % processes], &model).await;
    }
    for domain in domains {
        close(domain).await;
    }
    let report =
        tokio::task::block_in_place(|| store::verify(&house.path(), &house.url, &mut |_, _, _| {}));
    let report = report.expect("verifies");
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.keys, model.keys.len() as u64);
}

fn addresses() -> impl Strategy<Value = Addresses> {
    let form = prop_oneof![Just(Form::Plain), Just(Form::Sha256), Just(Form::Md5)];
    prop::collection::vec((0u8..24, form), 1..12)
}

fn command() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0u8..5).prop_map(Step::Create),
        6 => (any::<u8>(), addresses()).prop_map(|(slot, addresses)| Step::Add(slot, addresses)),
        3 => (any::<u8>(), addresses()).prop_map(|(slot, addresses)| Step::Remove(slot, addresses)),
        2 => (any::<u8>(), addresses()).prop_map(|(slot, addresses)| Step::Replace(slot, addresses)),
        1 => any::<u8>().prop_map(Step::Empty),
        1 => (any::<u8>(), 0u8..5).prop_map(|(slot, name)| Step::Rename(slot, name)),
        1 => any::<u8>().prop_map(Step::Delete),
        1 => (any::<u8>(), addresses()).prop_map(|(slot, addresses)| Step::Fail(slot, addresses)),
        1 => (any::<u8>(), addresses()).prop_map(|(slot, addresses)| Step::Refuse(slot, addresses)),
    ]
}

/// A group may not create audiences: the model learns their ids only from the answers.
fn grouped() -> impl Strategy<Value = Step> {
    let members = command().prop_filter("no creation in a group", |step| {
        !matches!(step, Step::Create(_))
    });
    prop::collection::vec(members, 2..8).prop_map(Step::Group)
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![12 => command(), 4 => grouped(), 2 => Just(Step::Checkpoint), 2 => Just(Step::Restart)];
    prop::collection::vec(step, 4..28).prop_map(|steps| {
        [Step::Create(0), Step::Create(1)]
            .into_iter()
            .chain(steps)
            .collect()
    })
}

fn runs(cases: u32, processes: usize, house: impl Fn() -> Option<House>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(&history(), |steps| {
        if let Some(house) = house() {
            runtime
                .block_on(async {
                    tokio::spawn(async move { run(&house, processes, &steps).await }).await
                })
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn histories_on_sqlite_are_what_the_model_says() {
    runs(96, 1, || Some(House::sqlite()));
}

#[test]
fn histories_on_postgres_are_what_the_model_says() {
    runs(16, 1, House::postgres);
}

#[test]
fn two_processes_on_one_postgres_are_what_the_model_says() {
    runs(16, 2, House::postgres);
}
