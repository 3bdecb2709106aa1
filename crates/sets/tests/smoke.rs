//! The shortest way through the engine: a group of commands, published, and replayed from its deltas.

use throng_sets::{Engine, Key, Set};

#[test]
fn a_published_group_replays_to_the_same_state() {
    let (first, second) = (Engine::new(), Engine::new());
    let keys = [Key::from_bytes([1; 16]), Key::from_bytes([2; 16])];
    let mut working = first.begin();
    working.command_begin();
    let person = working.new_person().expect("numbers are left");
    assert!(working.attach(keys[0], person));
    assert!(working.attach(keys[1], person));
    assert!(!working.attach(keys[1], person));
    assert_eq!(working.add(7, &Set::from_sorted(&[1, 1, 2, 3])).len(), 3);
    let delta = working.command_delta();
    working.command_end(1);
    assert_eq!(working.group_keys(), (&keys[..], 0));
    working.command_begin();
    working.drop_set(7);
    working.command_rollback();
    first.publish(working.finish());

    let mut replica = second.begin();
    replica
        .replay(1, &keys, delta.identity.as_ref(), &delta.sets)
        .expect("the row continues");
    second.publish(replica.finish());
    assert_eq!(second.published().set(7), first.published().set(7));
    assert_eq!(second.published().set(7).to_vec(), [1, 2, 3]);
    assert_eq!(second.dictionary().get(&keys[1]), Some(1));
}
