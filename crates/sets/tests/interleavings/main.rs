//! Publishing and reading at once, in every order that Shuttle tries: `scripts/interleavings` builds the crate with its locks.
//! Without `--cfg shuttle` there is nothing here.
#![cfg(shuttle)]

mod places;

use std::sync::Arc;

use shuttle::{scheduler::PctScheduler, thread};
use throng_sets::{Engine, Key, Person, Set};

const GROUPS: u64 = 3;
/// New people of a group, with a key each.
const PEOPLE: u64 = 3;
const RUNS: usize = 1_500;

/// Tries many orders: any at random, and those with few but well placed changes of thread.
fn in_any_order(test: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(test.clone(), RUNS);
    let scheduler = PctScheduler::new(3, RUNS);
    shuttle::Runner::new(scheduler, shuttle::Config::new()).run(test);
}

fn key(number: u64) -> Key {
    let bits = u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Key::from_bytes(bits.to_le_bytes())
}

/// The keys of groups `from..until`.
fn keys(from: u64, until: u64) -> Vec<Key> {
    (from * PEOPLE..until * PEOPLE).map(key).collect()
}

/// Publishes groups that each add the same new people to two sets.
fn write(engine: &Engine) {
    for group in 0..GROUPS {
        let mut working = engine.begin();
        working.command_begin();
        let mut people: Vec<Person> = Vec::new();
        for key in keys(group, group + 1) {
            let person = working.new_person().expect("there is room");
            assert!(working.attach(key, person));
            people.push(person);
        }
        let people = Set::from_sorted(&people);
        for set in [1, 2] {
            working.add(set, &people).expect("is in memory");
        }
        working.command_end(group + 1);
        engine.publish(working.finish());
    }
}

/// What must hold of any state, whenever it was taken.
fn read(engine: &Engine, at_least: u64) -> u64 {
    let state = engine.published();
    assert!(state.seq >= at_least, "the published state goes back");
    let everybody = Set::range(1, (state.seq * PEOPLE) as Person);
    let of = |set| state.set(set).expect("is in memory");
    assert_eq!(
        (of(1), of(2)),
        (everybody.clone(), everybody.clone()),
        "all of a group or none"
    );
    assert_eq!(state.next_position, state.seq * PEOPLE);
    let mut found = Vec::new();
    engine.dictionary().get_all(&keys(0, state.seq), &mut found);
    assert!(
        found
            .iter()
            .map(|person| person.expect("a state's keys are there before it"))
            .eq(everybody.iter()),
        "each key has its person"
    );
    // A group that is under way: its keys may be there, its people are in no set.
    for key in keys(state.seq, GROUPS) {
        if let Some(person) = engine.dictionary().get(&key) {
            assert!(person >= state.next_person);
            assert!(!state.contains(1, person).expect("is in memory"));
        }
    }
    assert_eq!(of(1), everybody, "a state stays as it is");
    state.seq
}

#[test]
fn a_reader_sees_all_of_a_group_and_its_keys_or_nothing() {
    in_any_order(|| {
        let engine = Arc::new(Engine::new());
        let readers = [0, 1].map(|_| {
            let engine = Arc::clone(&engine);
            thread::spawn(move || {
                let first = read(&engine, 0);
                read(&engine, first);
            })
        });
        write(&engine);
        for reader in readers {
            reader.join().expect("saw nothing wrong");
        }
        assert_eq!(read(&engine, GROUPS), GROUPS);
    });
}

/// So many keys that shards grow and batches are looked up shard by shard.
#[test]
fn a_look_up_beside_growth_finds_what_was_there() {
    const OLD: u64 = 1_500;
    let test = || {
        let engine = Arc::new(Engine::new());
        let some = |from: u64, until: u64| (from..until).map(key).collect::<Vec<Key>>();
        let persons =
            |from: u64, until: u64| (from as Person + 1..=until as Person).collect::<Vec<Person>>();
        engine.load_keys(&some(0, OLD), &persons(0, OLD));
        let reader = Arc::clone(&engine);
        let reader = thread::spawn(move || {
            let mut found = Vec::new();
            reader.dictionary().get_all(&some(0, 2 * OLD), &mut found);
            for (person, expected) in found.iter().zip(1..) {
                assert!(
                    *person == Some(expected) || (person.is_none() && u64::from(expected) > OLD)
                );
            }
        });
        engine.load_keys(&some(OLD, 2 * OLD), &persons(OLD, 2 * OLD));
        reader.join().expect("saw nothing wrong");
        assert_eq!(engine.dictionary().len(), 2 * OLD);
    };
    shuttle::check_random(test, 30);
}
