//! The dictionary against a `HashMap`, through growth, re-pointing and removal.

use std::collections::HashMap;

use crate::common::{Numbers, config, key};
use proptest::prelude::*;
use throng_sets::{Dictionary, Engine, Key, Person};

#[derive(Debug, Clone)]
enum Step {
    Insert { from: u64, count: u64 },
    InsertAll { from: u64, count: u64 },
    SetPerson { from: u64, count: u64 },
    Remove { from: u64, count: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let range = || (0..20_000u64, prop_oneof![1..50u64, 1..4000u64]);
    prop_oneof![
        range().prop_map(|(from, count)| Step::Insert { from, count }),
        range().prop_map(|(from, count)| Step::InsertAll { from, count }),
        range().prop_map(|(from, count)| Step::SetPerson { from, count }),
        range().prop_map(|(from, count)| Step::Remove { from, count }),
    ]
}

/// Keys that differ in few of the bits that a shard looks at, so that buckets overflow and removal has work to do.
fn crowded(number: u64) -> Key {
    let mut bytes = number.to_le_bytes().repeat(2);
    bytes[..8].copy_from_slice(&[
        (number % 2) as u8,
        0,
        0,
        0,
        0,
        0,
        (number % 3) as u8 * 100,
        7,
    ]);
    Key::from_bytes(bytes.try_into().expect("sixteen bytes"))
}

fn run(steps: &[Step], key: fn(u64) -> Key) {
    let dictionary = Dictionary::new();
    let mut model: HashMap<Key, Person> = HashMap::new();
    for (turn, step) in steps.iter().enumerate() {
        let person = |number: u64| (number * 10 + turn as u64) as Person;
        match *step {
            Step::Insert { from, count } => {
                for number in from..from + count {
                    let new = !model.contains_key(&key(number));
                    model.entry(key(number)).or_insert(person(number));
                    assert_eq!(dictionary.insert(key(number), person(number)), new);
                }
            }
            Step::InsertAll { from, count } => {
                let keys: Vec<Key> = (from..from + count).map(key).collect();
                let persons: Vec<Person> = (from..from + count).map(person).collect();
                let before = model.len();
                for (key, person) in keys.iter().zip(&persons) {
                    model.entry(*key).or_insert(*person);
                }
                assert_eq!(
                    dictionary.insert_all(&keys, &persons),
                    (model.len() - before) as u64
                );
            }
            Step::SetPerson { from, count } => {
                for number in from..from + count {
                    let held = model
                        .get_mut(&key(number))
                        .map(|held| *held = person(number));
                    assert_eq!(
                        dictionary.set_person(&key(number), person(number)),
                        held.is_some()
                    );
                }
            }
            Step::Remove { from, count } => {
                for number in from..from + count {
                    assert_eq!(
                        dictionary.remove(&key(number)),
                        model.remove(&key(number)).is_some()
                    );
                }
            }
        }
        assert_eq!(dictionary.len(), model.len() as u64);
    }
    let keys: Vec<Key> = (0..25_000).map(key).collect();
    let mut found = vec![Some(1); 3];
    dictionary.get_all(&keys, &mut found);
    assert_eq!(found.len(), keys.len());
    for (key, person) in keys.iter().zip(&found) {
        assert_eq!(*person, model.get(key).copied());
        assert_eq!(dictionary.get(key), *person);
    }
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn it_is_a_map(steps in prop::collection::vec(step(), 1..12)) {
        run(&steps, key);
    }
}

proptest! {
    #![proptest_config(config(12))]

    #[test]
    fn it_is_a_map_where_everything_collides(steps in prop::collection::vec(step(), 1..8)) {
        let few: Vec<Step> = steps
            .into_iter()
            .map(|step| match step {
                Step::Insert { from, count } => Step::Insert { from: from % 500, count: count % 300 },
                Step::InsertAll { from, count } => Step::InsertAll { from: from % 500, count: count % 300 },
                Step::SetPerson { from, count } => Step::SetPerson { from: from % 500, count: count % 300 },
                Step::Remove { from, count } => Step::Remove { from: from % 500, count: count % 300 },
            })
            .collect();
        run(&few, crowded);
    }
}

#[test]
fn a_batch_may_name_a_key_twice() {
    let dictionary = Dictionary::new();
    let keys: Vec<Key> = (0..1000).map(|number| key(number % 300)).collect();
    let persons: Vec<Person> = (1..=1000).collect();
    assert_eq!(dictionary.insert_all(&keys, &persons), 300);
    let mut found = Vec::new();
    dictionary.get_all(&keys, &mut found);
    let firsts: Vec<Option<Person>> = (0..1000).map(|number| Some(number % 300 + 1)).collect();
    assert_eq!(found, firsts);
}

#[test]
fn a_table_that_was_made_large_enough_is_not_built_again() {
    let dictionary = Dictionary::new();
    dictionary.reserve(50_000);
    let table = dictionary.memory_bytes();
    assert!(table < 400_000, "{table} bytes");
    let keys: Vec<Key> = (0..50_000).map(key).collect();
    let persons: Vec<Person> = (1..=50_000).collect();
    for (keys, persons) in keys.chunks(4096).zip(persons.chunks(4096)) {
        dictionary.insert_all(keys, persons);
    }
    assert_eq!(dictionary.len(), 50_000);
    // Each shard has taken one page of entries; a table built again would take 40 % more.
    let pages = 256 * 512 * 20;
    let grown = dictionary.memory_bytes() - table;
    assert!((pages..pages + table / 5).contains(&grown), "{grown} bytes");
}

/// 32 bytes a key is the budget, at every size on the way and not only just before growth.
#[test]
fn two_million_keys_stay_within_the_budget() {
    let mut numbers = Numbers(5);
    let dictionary = Dictionary::new();
    let mut most = 0.0f64;
    for step in 0..40u32 {
        let keys: Vec<Key> = (0..50_000).map(|_| numbers.key()).collect();
        let persons: Vec<Person> = (0..50_000).map(|i| step * 50_000 + i + 1).collect();
        assert_eq!(dictionary.insert_all(&keys, &persons), 50_000);
        if step >= 10 {
            most = most.max(dictionary.memory_bytes() as f64 / dictionary.len() as f64);
        }
    }
    assert_eq!(dictionary.len(), 2_000_000);
    assert!(most <= 32.0, "{most} bytes a key");
}

#[test]
fn readers_see_a_key_from_when_it_is_inserted() {
    let engine = Engine::new();
    let keys: Vec<Key> = (0..60_000).map(key).collect();
    let persons: Vec<Person> = (1..=60_000).collect();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut found = Vec::new();
            loop {
                engine.dictionary().get_all(&keys, &mut found);
                let wrong = found
                    .iter()
                    .zip(&persons)
                    .any(|(found, person)| found.is_some_and(|found| found != *person));
                assert!(!wrong);
                if found.iter().all(Option::is_some) {
                    break;
                }
            }
        });
        for (keys, persons) in keys.chunks(1000).zip(persons.chunks(1000)) {
            engine.load_keys(keys, persons);
        }
        reader.join().expect("the reader saw nothing wrong");
    });
}
