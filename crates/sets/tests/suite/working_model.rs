//! The working view against a model that copies everything, and replicas that replay what it reported.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;
use throng_sets::{
    Delta, Engine, IdentityDelta, Key, Person, Set, SetDelta, SetId, SetOp, Shelf, State, Working,
};

use crate::common::{Log, config, damage_files, key, persons};

#[derive(Debug, Clone)]
enum Op {
    Add(SetId, BTreeSet<Person>),
    Remove(SetId, BTreeSet<Person>),
    Replace(SetId, BTreeSet<Person>),
    Drop(SetId),
    /// New persons with so many keys each, from a key on; keys that are held stay where they are.
    Create {
        from: u64,
        persons: u64,
        keys: u64,
    },
    /// The same in one call, for persons that there are already.
    AttachAll {
        from: u64,
        count: u64,
    },
}

#[derive(Debug, Clone)]
struct Command {
    ops: Vec<Op>,
    keep: bool,
}

#[derive(Debug, Clone)]
struct Commands {
    commands: Vec<Command>,
    publish: bool,
}

fn op() -> impl Strategy<Value = Op> {
    let id = || prop_oneof![1..4i64, Just(-1i64)];
    let few = prop::collection::btree_set(1..200u32, 0..40);
    let members = prop_oneof![3 => few, 1 => persons().prop_map(without_zero)];
    let members = members.boxed();
    prop_oneof![
        3 => (id(), members.clone()).prop_map(|(id, set)| Op::Add(id, set)),
        3 => (id(), members.clone()).prop_map(|(id, set)| Op::Remove(id, set)),
        1 => (id(), members).prop_map(|(id, set)| Op::Replace(id, set)),
        1 => id().prop_map(Op::Drop),
        2 => (0..300u64, 1..60u64, 0..3u64)
            .prop_map(|(from, persons, keys)| Op::Create { from, persons, keys }),
        1 => (0..300u64, 1..200u64).prop_map(|(from, count)| Op::AttachAll { from, count }),
    ]
}

/// Nobody is person 0, and the last number is never given out.
fn without_zero(mut persons: BTreeSet<Person>) -> BTreeSet<Person> {
    persons.remove(&0);
    persons.remove(&Person::MAX);
    persons
}

fn groups() -> impl Strategy<Value = Vec<Commands>> {
    let command = (
        prop::collection::vec(op(), 0..5),
        prop::bool::weighted(0.75),
    )
        .prop_map(|(ops, keep)| Command { ops, keep });
    let group = (
        prop::collection::vec(command, 0..4),
        prop::bool::weighted(0.8),
    )
        .prop_map(|(commands, publish)| Commands { commands, publish });
    prop::collection::vec(group, 1..5)
}

#[derive(Debug, Clone, Default)]
struct Model {
    seq: u64,
    persons_given: u64,
    keys: Vec<(Key, Person)>,
    sets: BTreeMap<SetId, BTreeSet<Person>>,
}

impl Model {
    fn person(&self, key: &Key) -> Option<Person> {
        self.keys
            .iter()
            .find(|(held, _)| held == key)
            .map(|(_, person)| *person)
    }

    fn set(&self, id: SetId) -> BTreeSet<Person> {
        self.sets.get(&id).cloned().unwrap_or_default()
    }

    fn put(&mut self, id: SetId, set: BTreeSet<Person>) {
        if set.is_empty() {
            self.sets.remove(&id);
        } else {
            self.sets.insert(id, set);
        }
    }

    fn check(&self, state: &State) {
        assert_eq!(state.seq, self.seq);
        assert_eq!(state.next_position, self.keys.len() as u64);
        assert_eq!(u64::from(state.next_person), self.persons_given + 1);
        assert_eq!(state.sets().count(), self.sets.len());
        for ((id, len), (model_id, model)) in state.sets().zip(&self.sets) {
            assert_eq!((id, len), (*model_id, model.len() as u64));
            let set = state.set(id).expect("reads");
            assert!(set.iter().eq(model.iter().copied()));
            assert!(state.contains_set(id));
        }
    }
}

fn members(set: &Set) -> BTreeSet<Person> {
    set.iter().collect()
}

fn run_op(op: &Op, working: &mut Working<'_>, model: &mut Model) {
    match op {
        Op::Add(id, persons) => {
            let before = model.set(*id);
            let added = working
                .add(*id, &persons.iter().copied().collect())
                .expect("reads");
            assert_eq!(members(&added), persons - &before);
            model.put(*id, &before | persons);
        }
        Op::Remove(id, persons) => {
            let before = model.set(*id);
            let removed = working
                .remove(*id, &persons.iter().copied().collect())
                .expect("reads");
            assert_eq!(members(&removed), &before & persons);
            model.put(*id, &before - persons);
        }
        Op::Replace(id, persons) => {
            working
                .replace(*id, persons.iter().copied().collect())
                .expect("reads");
            model.put(*id, persons.clone());
        }
        Op::Drop(id) => {
            working.drop_set(*id).expect("reads");
            model.sets.remove(id);
        }
        Op::Create {
            from,
            persons,
            keys,
        } => {
            for number in 0..*persons {
                let person = working.new_person().expect("numbers are left");
                model.persons_given += 1;
                assert_eq!(u64::from(person), model.persons_given);
                for key in (0..*keys).map(|i| key(from + number * keys + i)) {
                    let free = model.person(&key).is_none();
                    assert_eq!(working.attach(key, person), free);
                    if free {
                        model.keys.push((key, person));
                    }
                }
            }
        }
        Op::AttachAll { from, count } => attach_all(*from, *count, working, model),
    }
}

fn attach_all(from: u64, count: u64, working: &mut Working<'_>, model: &mut Model) {
    // Twice the same keys: the second time they are held.
    let keys: Vec<Key> = (from..from + count)
        .chain(from..from + count)
        .map(key)
        .collect();
    let persons: Vec<Person> = (1..=2 * count as Person).collect();
    let before = model.keys.len();
    for (key, person) in keys.iter().zip(&persons) {
        if model.person(key).is_none() {
            model.keys.push((*key, *person));
        }
    }
    assert_eq!(
        working.attach_all(&keys, &persons),
        (model.keys.len() - before) as u64
    );
}

/// The delta between two models.
fn expect_delta(before: &Model, after: &Model, delta: &Delta) {
    let new: Vec<Person> = after.keys[before.keys.len()..]
        .iter()
        .map(|(_, person)| *person)
        .collect();
    let identity = (!new.is_empty()).then_some(IdentityDelta {
        first_position: before.keys.len() as u64,
        persons: new,
    });
    assert_eq!(delta.identity, identity);
    let ids: BTreeSet<SetId> = before
        .sets
        .keys()
        .chain(after.sets.keys())
        .copied()
        .collect();
    let changed: Vec<SetId> = ids
        .into_iter()
        .filter(|id| before.set(*id) != after.set(*id))
        .collect();
    assert_eq!(
        delta.sets.iter().map(|set| set.set).collect::<Vec<_>>(),
        changed
    );
    for SetDelta {
        set: id,
        op,
        added,
        removed,
    } in &delta.sets
    {
        assert_eq!(members(added), &after.set(*id) - &before.set(*id));
        assert_eq!(members(removed), &before.set(*id) - &after.set(*id));
        assert!(*op == SetOp::Change || !after.sets.contains_key(id));
    }
}

/// A row of the log, as the database would give it back.
struct Row {
    seq: u64,
    keys: Vec<Key>,
    identity: Option<IdentityDelta>,
    sets: Vec<SetDelta>,
}

fn row(seq: u64, keys: &[Key], delta: &Delta) -> Row {
    let again = |set: &Set| Set::from_bytes(&set.to_bytes()).expect("it was just written");
    let sets = delta.sets.iter().map(|set| SetDelta {
        set: set.set,
        op: SetOp::from_code(set.op.code()).expect("it was just written"),
        added: again(&set.added),
        removed: if set.op == SetOp::Drop {
            Set::new()
        } else {
            again(&set.removed)
        },
    });
    let identity = delta.identity.as_ref().map(|identity| {
        IdentityDelta::from_bytes(&identity.to_bytes()).expect("it was just written")
    });
    Row {
        seq,
        keys: keys.to_vec(),
        identity,
        sets: sets.collect(),
    }
}

/// Runs a group and answers its rows and the model after it, which is the one before it unless it was published.
fn run_group(engine: &Engine, log: &Log, group: &Commands, before: &Model) -> (Vec<Row>, Model) {
    let mut working = engine.begin();
    let mut model = before.clone();
    let mut rows = Vec::new();
    for command in &group.commands {
        let saved = model.clone();
        working.command_begin();
        for op in &command.ops {
            run_op(op, &mut working, &mut model);
        }
        let delta = working.command_delta();
        expect_delta(&saved, &model, &delta);
        if command.keep {
            if !delta.is_empty() {
                model.seq += 1;
                let keys: Vec<Key> = model.keys[saved.keys.len()..]
                    .iter()
                    .map(|(key, _)| *key)
                    .collect();
                rows.push(row(model.seq, &keys, &delta));
            }
            working.command_end(model.seq);
        } else {
            working.command_rollback();
            assert!(working.command_delta().is_empty());
            model = saved;
        }
        model.check(working.state());
        let (keys, first) = working.group_keys();
        assert_eq!(first, before.keys.len() as u64);
        assert!(
            keys.iter()
                .eq(model.keys[before.keys.len()..].iter().map(|(key, _)| key))
        );
        check_keys(
            &model,
            |keys, out| working.persons(keys, out),
            |key| working.person(key),
        );
    }
    if !group.publish {
        return (Vec::new(), before.clone());
    }
    // As the database: what is published is in the log.
    for row in &rows {
        log.append(row.seq, &row.sets);
    }
    engine.publish(working.finish());
    (rows, model)
}

fn check_keys(
    model: &Model,
    all: impl Fn(&[Key], &mut Vec<Option<Person>>),
    one: impl Fn(&Key) -> Option<Person>,
) {
    let held: HashMap<Key, Person> = model.keys.iter().copied().collect();
    let keys: Vec<Key> = (0..500).map(key).collect();
    let mut found = Vec::new();
    all(&keys, &mut found);
    for (key, person) in keys.iter().zip(found) {
        assert_eq!(person, held.get(key).copied());
        assert_eq!(one(key), person);
    }
}

proptest! {
    #![proptest_config(config(80))]

    #[test]
    fn groups_are_what_the_model_says_and_replay_to_the_same(groups in groups(), at_once in 1..4usize, seed in any::<u64>()) {
        // Both put everything away as soon as nobody holds it, and their files are damaged all the time.
        let folder = tempfile::tempdir().expect("a folder");
        let (shelf, log) = (Shelf::at_once(0), Log::default());
        let engine = Engine::at_home(log.home(&shelf, folder.path()));
        let replica = Engine::new();
        let mut model = Model::default();
        for group in &groups {
            let reader = engine.published();
            let before = model.clone();
            let (rows, after) = run_group(&engine, &log, group, &model);
            before.check(&reader);
            damage_files(folder.path(), seed);
            before.check(&reader);
            model = after;
            model.check(&engine.published());
            check_keys(&model, |keys, out| engine.dictionary().get_all(keys, out), |key| engine.dictionary().get(key));
            for rows in rows.chunks(at_once) {
                let mut working = replica.begin();
                for row in rows {
                    working.replay(row.seq, &row.keys, row.identity.as_ref(), &row.sets).expect("it continues");
                }
                prop_assert!(working.group_keys().0.is_empty());
                replica.publish(working.finish());
            }
            let (ours, theirs) = (engine.published(), replica.published());
            prop_assert_eq!(ours.seq, theirs.seq);
            prop_assert_eq!(ours.next_position, theirs.next_position);
            prop_assert!(ours.sets().eq(theirs.sets()));
            for (id, _) in ours.sets() {
                prop_assert!(ours.set(id).expect("reads") == theirs.set(id).expect("reads"));
            }
            // A person without keys is in no row, and people may be in a set who were never created.
            prop_assert_eq!(replica.dictionary().len(), model.keys.len() as u64);
        }
        check_keys(&model, |keys, out| replica.dictionary().get_all(keys, out), |key| replica.dictionary().get(key));
    }
}
