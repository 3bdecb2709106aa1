//! Keys that were looked up before their command: whatever happened since, the command sees who holds them then.

use std::collections::HashMap;

use proptest::prelude::*;
use throng_sets::{Engine, Key, KeyBatch, Person};

use crate::common::key;

/// Publishes a group of one command that gives each key that nobody holds to a person of its own.
fn publish(engine: &Engine, batch: &KeyBatch) {
    let mut working = engine.begin();
    working.command_begin();
    give_all(&mut working, batch);
    working.command_end(working.seq() + 1);
    engine.publish(working.finish());
}

fn give_all(working: &mut throng_sets::Working<'_>, batch: &KeyBatch) {
    let mut holders = working.holders(batch);
    for at in 0..batch.keys().len() {
        if holders.get(at).is_none() {
            let person = working.new_person().expect("there are numbers");
            assert!(holders.give(at, person));
            assert!(!holders.give(at, person + 1), "it is held now");
        }
    }
    working.attach_given(&holders);
}

fn batch(numbers: impl IntoIterator<Item = u64>) -> KeyBatch {
    KeyBatch::new(numbers.into_iter().map(key).collect())
}

/// What the engine says of each key, one by one.
fn one_by_one(engine: &Engine, keys: &[Key]) -> Vec<Option<Person>> {
    keys.iter()
        .map(|key| engine.dictionary().get(key))
        .collect()
}

#[test]
fn a_look_up_is_brought_up_to_date_however_much_came_between() {
    // Some groups, more than are remembered, and more keys than are remembered.
    for (groups, each) in [(0u64, 0), (1, 3_000), (5, 700), (100, 3), (3, 200_000)] {
        let engine = Engine::new();
        publish(&engine, &batch(0..1_000));
        let mut early = batch((0..2_000).chain(1_000_000..1_003_000));
        early.look_up(&engine);
        for group in 0..groups {
            let first = 1_000 + group * each;
            publish(&engine, &batch(first..first + each));
        }
        let working = engine.begin();
        let found = working.holders(&early);
        assert_eq!(
            found.persons(),
            one_by_one(&engine, early.keys()),
            "{groups} groups of {each}"
        );
        let none = found.persons().iter().filter(|person| person.is_none());
        let expected = 1_000u64.saturating_sub(groups * each) + 3_000;
        assert_eq!(none.count() as u64, expected, "{groups} groups of {each}");
    }
}

#[test]
fn a_look_up_is_void_once_a_key_went_or_changed_hands() {
    let engine = Engine::new();
    publish(&engine, &batch(0..10));
    let mut early = batch(0..10);
    early.look_up(&engine);
    engine.dictionary().remove(&key(3));
    engine.dictionary().set_person(&key(4), 77);
    let working = engine.begin();
    let found = working.holders(&early);
    assert_eq!(
        (found.get(3), found.get(4), found.get(5)),
        (None, Some(77), Some(6))
    );
}

#[test]
fn earlier_commands_of_the_group_are_seen() {
    let engine = Engine::new();
    let mut early = batch(0..1_000);
    early.look_up(&engine);
    let mut working = engine.begin();
    working.command_begin();
    give_all(&mut working, &batch(500..1_500));
    working.command_end(1);
    assert!(working.attach(key(2_000), 5));
    assert!(!working.attach(key(700), 5), "somebody holds it");
    let found = working.holders(&early);
    assert!((0..500).all(|at| found.get(at).is_none()));
    assert!((500..1_000).all(|at| found.get(at) == Some(at as Person - 499)));
    working.command_rollback();
    assert_eq!(working.person(&key(2_000)), None);
    assert_eq!(working.person(&key(700)), Some(201));
}

proptest! {
    #[test]
    fn batches_are_what_giving_one_by_one_is(
        commands in prop::collection::vec(prop::collection::vec(0u64..60, 0..120), 1..8),
        early in any::<u8>(),
    ) {
        let engine = Engine::new();
        let mut model: HashMap<u64, Person> = HashMap::new();
        let mut next = 1;
        let mut batches: Vec<KeyBatch> = commands.iter().map(|numbers| batch(numbers.iter().copied())).collect();
        // Some are looked up before anything happened, the others not at all.
        for (at, batch) in batches.iter_mut().enumerate() {
            if early >> (at % 8) & 1 == 1 {
                batch.look_up(&engine);
            }
        }
        for (numbers, batch) in commands.iter().zip(&batches) {
            let distinct: std::collections::HashSet<u64> = numbers.iter().copied().collect();
            prop_assert_eq!(batch.has_repetitions(), distinct.len() < numbers.len());
            for number in numbers {
                model.entry(*number).or_insert_with(|| {
                    next += 1;
                    next - 1
                });
            }
            publish(&engine, batch);
            for (number, person) in &model {
                prop_assert_eq!(engine.dictionary().get(&key(*number)), Some(*person));
            }
            prop_assert_eq!(engine.published().next_position, model.len() as u64);
        }
    }
}
