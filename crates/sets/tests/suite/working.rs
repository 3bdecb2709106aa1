//! The working view, one rule at a time: what it refuses, what it reports, and what it leaves behind.

use throng_sets::{
    Engine, Full, IdentityDelta, Key, Person, ReplayError, Set, SetDelta, SetId, SetOp, State,
};

use crate::common::key;

fn set(persons: &[Person]) -> Set {
    Set::from_sorted(persons)
}

fn change(id: SetId, added: &[Person], removed: &[Person]) -> SetDelta {
    SetDelta {
        set: id,
        op: SetOp::Change,
        added: set(added),
        removed: set(removed),
    }
}

#[test]
fn replay_refuses_what_does_not_continue() {
    let engine = Engine::new();
    let mut working = engine.begin();
    let identity = IdentityDelta {
        first_position: 0,
        persons: vec![4, 4],
    };
    let keys = [key(1), key(2)];
    working
        .replay(1, &keys, Some(&identity), &[change(1, &[4, 9], &[])])
        .expect("it continues");
    assert_eq!(
        (
            working.seq(),
            working.next_position(),
            working.next_person()
        ),
        (1, 2, 10)
    );
    let before = working.state().clone();

    let next = |first_position, persons: &[Person]| IdentityDelta {
        first_position,
        persons: persons.to_vec(),
    };
    let mut refuse = |seq, keys: &[Key], identity: Option<IdentityDelta>, sets: &[SetDelta]| {
        let error = working
            .replay(seq, keys, identity.as_ref(), sets)
            .expect_err("it does not continue");
        assert_eq!(*working.state(), before, "after {error}");
        assert_eq!(working.person(&key(3)), None);
        error
    };
    assert_eq!(
        refuse(1, &[], None, &[]),
        ReplayError::Sequence {
            expected: 2,
            found: 1
        }
    );
    assert_eq!(
        refuse(3, &[], None, &[]),
        ReplayError::Sequence {
            expected: 2,
            found: 3
        }
    );
    assert_eq!(
        refuse(2, &[key(3)], None, &[]),
        ReplayError::KeyCount {
            keys: 1,
            persons: 0
        }
    );
    let (found, expected) = (3, 2);
    assert_eq!(
        refuse(2, &[key(3)], Some(next(3, &[1])), &[]),
        ReplayError::Position { expected, found }
    );
    assert_eq!(
        refuse(2, &[key(3), key(1)], Some(next(2, &[1, 1])), &[]),
        ReplayError::KeyHeld(3)
    );
    assert_eq!(
        refuse(2, &[key(3), key(3)], Some(next(2, &[1, 1])), &[]),
        ReplayError::KeyHeld(3)
    );
    assert_eq!(
        refuse(2, &[key(3)], Some(next(2, &[0])), &[]),
        ReplayError::PersonZero
    );
    assert_eq!(
        refuse(2, &[], None, &[change(2, &[0], &[])]),
        ReplayError::PersonZero
    );
    assert_eq!(
        refuse(2, &[], None, &[change(2, &[50], &[]), change(1, &[9], &[])]),
        ReplayError::AddedPresent(1)
    );
    assert_eq!(
        refuse(2, &[], None, &[change(1, &[], &[5])]),
        ReplayError::RemovedAbsent(1)
    );

    working.command_begin();
    assert!(working.attach(key(3), 4));
    working.command_end(2);
    assert_eq!(
        working.replay(3, &[], None, &[]),
        Err(ReplayError::AfterCommand)
    );
    assert_eq!(working.group_keys(), (&[key(3)][..], 2));
}

#[test]
fn a_dropped_set_says_so_and_replays_without_its_members() {
    let engine = Engine::new();
    let mut working = engine.begin();
    working.command_begin();
    working.add(1, &set(&[1, 2])).expect("reads");
    working.add(2, &set(&[3])).expect("reads");
    working.command_end(1);
    working.command_begin();
    working.drop_set(1).expect("reads");
    working.drop_set(7).expect("reads");
    working.replace(2, set(&[3])).expect("reads");
    let delta = working.command_delta();
    assert_eq!(
        delta.sets,
        [SetDelta {
            set: 1,
            op: SetOp::Drop,
            added: Set::new(),
            removed: set(&[1, 2])
        }]
    );
    working.add(1, &set(&[2, 5])).expect("reads");
    assert_eq!(working.command_delta().sets, [change(1, &[5], &[1])]);
    working.command_rollback();
    engine.publish(working.finish());

    let mut working = engine.begin();
    let dropped = SetDelta {
        set: 1,
        op: SetOp::Drop,
        added: Set::new(),
        removed: Set::new(),
    };
    working
        .replay(2, &[], None, &[dropped])
        .expect("it continues");
    assert!(!working.state().contains_set(1));
    assert_eq!(working.set(2).expect("reads"), set(&[3]));
}

#[test]
fn a_change_of_rows_alone_has_a_seq_too() {
    let engine = Engine::new();
    let mut working = engine.begin();
    working.command_begin();
    assert!(working.command_delta().is_empty());
    working.command_end(1);
    working.command_begin();
    working.command_end(working.seq());
    engine.publish(working.finish());
    assert_eq!(engine.published().seq, 1);
    let mut working = engine.begin();
    working.replay(2, &[], None, &[]).expect("it continues");
    assert_eq!(working.seq(), 2);
}

#[test]
fn keys_are_attached_in_any_order_after_a_look_up() {
    let engine = Engine::new();
    engine.load_keys(&[key(3)], &[9]);
    let mut working = engine.begin();
    working.command_begin();
    let keys: Vec<Key> = (0..40).chain(0..40).map(key).collect();
    let mut found = Vec::new();
    working.persons(&keys, &mut found);
    assert_eq!(found.iter().filter(|person| person.is_some()).count(), 2);
    for number in [0, 1, 4, 2, 3, 30, 5, 0, 39, 1] {
        let free = number != 3 && working.person(&key(number)).is_none();
        assert_eq!(working.attach(key(number), 5), free, "key {number}");
    }
    working.command_rollback();
    for number in 0..40 {
        assert_eq!(working.attach(key(number), 6), number != 3, "key {number}");
    }
    working.command_end(1);
    assert_eq!(working.group_keys().0.len(), 39);
}

#[test]
fn a_group_that_is_not_published_leaves_nothing() {
    let engine = Engine::new();
    let mut working = engine.begin();
    working.command_begin();
    working.attach(key(1), 1);
    working.add(1, &set(&[1])).expect("reads");
    working.command_end(1);
    working.command_begin();
    working.attach(key(2), 1);
    drop(working);
    assert_eq!((engine.published().seq, engine.dictionary().len()), (0, 0));

    let mut working = engine.begin();
    working.command_begin();
    working.attach(key(1), 1);
    working.command_end(1);
    working.command_begin();
    working.attach(key(2), 1);
    // Not ended, so not kept.
    let group = working.finish();
    assert_eq!(group.state().next_position, 1);
    engine.publish(group);
    assert_eq!(engine.dictionary().get(&key(1)), Some(1));
    assert_eq!(engine.dictionary().get(&key(2)), None);
}

#[test]
fn numbers_for_people_run_out_in_order() {
    let engine = Engine::new();
    engine.restore(State::new(
        7,
        3,
        Person::MAX - 1,
        [(1, set(&[5])), (2, Set::new())],
    ));
    assert_eq!(
        engine
            .published()
            .sets()
            .map(|(id, _)| id)
            .collect::<Vec<_>>(),
        [1]
    );
    let mut working = engine.begin();
    working.command_begin();
    assert_eq!(working.new_person(), Ok(Person::MAX - 1));
    assert_eq!(working.new_person(), Err(Full));
    working.command_rollback();
    assert_eq!(working.new_person(), Ok(Person::MAX - 1));
    working.raise_next_person(5);
    assert_eq!(working.next_person(), Person::MAX);
}
