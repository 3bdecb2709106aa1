//! Rows of the log, made of any bytes, replayed one after the other: each is refused and leaves the state as it was, or the
//! state is what a model of sets says. Refused rows must also leave the dictionary as it was.
#![no_main]

use std::collections::{BTreeMap, HashMap};

use libfuzzer_sys::fuzz_target;
use roaring::RoaringBitmap;
use sets::{Engine, IdentityDelta, Key, Person, Set, SetDelta, SetId, SetOp, State};
use throng_fuzz::{Bytes, assert_same};

const ROWS_MAX: usize = 24;
/// A delta of more persons than this is not replayed: its keys would have to be made first.
const KEYS_MAX: usize = 4_096;

#[derive(Clone, Default)]
struct Model {
    seq: u64,
    keys: HashMap<Key, Person>,
    sets: BTreeMap<SetId, RoaringBitmap>,
}

struct Row {
    seq: u64,
    keys: Vec<Key>,
    identity: Option<IdentityDelta>,
    sets: Vec<SetDelta>,
}

/// Bytes of the input as they are, or a set that was made from them and written.
fn set(bytes: &mut Bytes<'_>) -> Option<Set> {
    match bytes.byte() % 4 {
        0 => Set::from_bytes(bytes.slice()).ok(),
        1 => Some(Set::new()),
        _ => Set::from_bytes(&bytes.set().0.to_bytes()).ok(),
    }
}

fn row(bytes: &mut Bytes<'_>, model: &Model) -> Option<Row> {
    let kind = bytes.byte();
    let seq = if kind & 15 == 15 {
        bytes.long()
    } else {
        model.seq + 1
    };
    let position = model.keys.len() as u64;
    let identity = match kind >> 4 & 3 {
        0 => None,
        1 => Some(IdentityDelta::from_bytes(bytes.slice()).ok()?),
        _ => {
            let first_position = if kind & 0x80 == 0 {
                position
            } else {
                bytes.long()
            };
            let persons = (0..bytes.byte()).map(|_| u32::from(bytes.byte())).collect();
            let written = IdentityDelta {
                first_position,
                persons,
            }
            .to_bytes();
            Some(IdentityDelta::from_bytes(&written).ok()?)
        }
    };
    let count = identity
        .as_ref()
        .map_or(0, |identity| identity.persons.len());
    if count > KEYS_MAX {
        return None;
    }
    let wrong = usize::from(kind & 0x40 != 0 && bytes.byte() % 8 == 0);
    let keys = (0..count + wrong).map(|index| {
        // Now and then one that is held already.
        let number = if bytes.byte() == 1 {
            u128::from(bytes.byte())
        } else {
            u128::from(position) + index as u128
        };
        Key::from_bytes(
            number
                .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
                .to_le_bytes(),
        )
    });
    let keys = keys.collect();
    let sets = (0..bytes.byte() % 4).map(|_| {
        let set_id = i64::from(bytes.byte() as i8) % 4;
        let op = SetOp::from_code(i64::from(bytes.byte() % 3))?;
        Some(SetDelta {
            set: set_id,
            op,
            added: set(bytes)?,
            removed: set(bytes)?,
        })
    });
    let sets = sets.collect::<Option<Vec<SetDelta>>>()?;
    Some(Row {
        seq,
        keys,
        identity,
        sets,
    })
}

fn bitmap(set: &Set) -> RoaringBitmap {
    set.iter().collect()
}

/// What the row makes of the model; nothing where a row is to be refused.
fn applied(model: &Model, row: &Row) -> Option<Model> {
    let mut next = model.clone();
    next.seq += 1;
    if row.seq != next.seq {
        return None;
    }
    let persons = row
        .identity
        .as_ref()
        .map_or(&[][..], |identity| &identity.persons);
    let follows = row
        .identity
        .as_ref()
        .is_none_or(|identity| identity.first_position == model.keys.len() as u64);
    if persons.len() != row.keys.len() || !follows || persons.contains(&0) {
        return None;
    }
    for (key, person) in row.keys.iter().zip(persons) {
        if next.keys.insert(*key, *person).is_some() {
            return None;
        }
    }
    for delta in &row.sets {
        let set = next.sets.entry(delta.set).or_default();
        let (added, removed) = (bitmap(&delta.added), bitmap(&delta.removed));
        match delta.op {
            SetOp::Drop => set.clear(),
            SetOp::Change => {
                if added.contains(0) || !set.is_disjoint(&added) || !removed.is_subset(set) {
                    return None;
                }
                *set |= added;
                *set -= removed;
            }
        }
    }
    next.sets.retain(|_, set| !set.is_empty());
    Some(next)
}

fn check(state: &State, model: &Model) {
    assert_eq!(
        (state.seq, state.next_position),
        (model.seq, model.keys.len() as u64)
    );
    let ids: Vec<SetId> = (-4..=4).filter(|id| state.contains_set(*id)).collect();
    assert!(ids.iter().eq(model.sets.keys()));
    for (id, set) in &model.sets {
        assert_same(&state.set(*id).expect("is in memory"), set);
        // The largest number there is is nobody's, and stays the next for ever.
        assert!(set.max() < Some(state.next_person) || set.max() == Some(Person::MAX));
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Bytes(bytes);
    let (engine, mut model) = (Engine::new(), Model::default());
    let mut working = engine.begin();
    for _ in 0..ROWS_MAX {
        if bytes.is_empty() {
            break;
        }
        let Some(row) = row(&mut bytes, &model) else {
            continue;
        };
        let before = working.state().clone();
        let replayed = working.replay(row.seq, &row.keys, row.identity.as_ref(), &row.sets);
        let expected = applied(&model, &row);
        match (replayed, expected) {
            (Ok(()), Some(next)) => model = next,
            (Err(_), None) => assert!(
                *working.state() == before,
                "a refused row leaves the state as it was"
            ),
            (found, expected) => panic!(
                "{found:?} where {}",
                if expected.is_some() {
                    "it fits"
                } else {
                    "it does not fit"
                }
            ),
        }
        check(working.state(), &model);
        if bytes.byte() % 4 == 0 {
            engine.publish(working.finish());
            working = engine.begin();
        }
    }
    engine.publish(working.finish());
    check(&engine.published(), &model);
    assert_eq!(engine.dictionary().len(), model.keys.len() as u64);
    for (key, person) in &model.keys {
        assert_eq!(engine.dictionary().get(key), Some(*person));
    }
});
