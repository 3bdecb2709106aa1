//! Every operation of a set against the same on a `BTreeSet`, and its bytes against the `roaring` crate.

use std::collections::BTreeSet;

use crate::common::{config, persons, set_by_parts};
use proptest::prelude::*;
use roaring::RoaringBitmap;
use throng_sets::{Person, Set};

fn set(persons: &BTreeSet<Person>) -> Set {
    persons.iter().copied().collect()
}

fn check(set: &Set, persons: &BTreeSet<Person>) {
    assert_eq!(set.len(), persons.len() as u64);
    assert_eq!(set.is_empty(), persons.is_empty());
    assert!(set.iter().eq(persons.iter().copied()), "members differ");
    assert_eq!(set.last(), persons.last().copied());
    assert_eq!(
        Set::from_bytes(&set.to_bytes()).expect("it was just written"),
        *set
    );
    let sorted: Vec<Person> = persons.iter().copied().collect();
    let again = Set::from_sorted(&sorted);
    assert_eq!(*set, again);
    assert_eq!(
        set.to_bytes(),
        again.to_bytes(),
        "equal sets have equal bytes"
    );
}

fn to_roaring(persons: &BTreeSet<Person>) -> RoaringBitmap {
    persons.iter().copied().collect()
}

fn roaring_bytes(bitmap: &RoaringBitmap) -> Vec<u8> {
    let mut bytes = Vec::new();
    bitmap
        .serialize_into(&mut bytes)
        .expect("memory takes anything");
    bytes
}

proptest! {
    #![proptest_config(config(48))]

    #[test]
    fn operations_are_those_of_sets(a in persons(), b in persons(), c in persons()) {
        let and = &a & &b;
        for (x, y) in [(set(&a), set(&b)), (set_by_parts(&a), set(&b)), (set(&a), set_by_parts(&b))] {
            check(&x, &a);
            check(&x.and(&y), &and);
            check(&x.or(&y), &(&a | &b));
            check(&x.and_not(&y), &(&a - &b));
            prop_assert_eq!(x.and_len(&y), and.len() as u64);
            prop_assert_eq!(x.is_subset(&y), a.is_subset(&b));
            prop_assert_eq!(x == y, a == b);
        }
        let third = set(&c);
        let every: BTreeSet<Person> = a.iter().chain(&b).chain(&c).copied().collect();
        check(&Set::union_of([&set(&a), &set_by_parts(&b), &third]), &every);
        check(&Set::union_of([&third]), &c);
        for skipped in [0, 1, every.len() / 2, every.len(), every.len() + 1, usize::MAX] {
            let rest = set(&every);
            prop_assert!(rest.iter_at(skipped as u64).eq(every.iter().copied().skip(skipped)));
        }
        prop_assert_eq!(set(&a).and_len3(&set_by_parts(&b), &third), (&and & &c).len() as u64);
        prop_assert_eq!(third.and_len3(&set(&a), &set(&a)), (&a & &c).len() as u64);
        let both = set(&a).and(&set(&b));
        prop_assert_eq!(both.and_len3(&set(&a), &set(&b)), and.len() as u64);
        prop_assert_eq!(set(&a).and_len3(&set(&b), &set(&a)), and.len() as u64);
    }

    #[test]
    fn changes_in_place_leave_clones_alone(steps in prop::collection::vec((any::<bool>(), persons()), 1..6)) {
        let mut model = BTreeSet::new();
        let mut changed = Set::new();
        let mut clones = Vec::new();
        for (insert, persons) in steps {
            clones.push((changed.clone(), model.clone()));
            if insert {
                changed.insert_all(&set(&persons));
                model.extend(persons.iter().copied());
            } else {
                changed.remove_all(&set_by_parts(&persons));
                model.retain(|person| !persons.contains(person));
            }
            check(&changed, &model);
        }
        for (set, persons) in clones {
            check(&set, &persons);
        }
    }

    #[test]
    fn changes_in_place_without_a_clone(steps in prop::collection::vec((any::<bool>(), persons()), 1..6)) {
        let mut model = BTreeSet::new();
        let mut changed = Set::new();
        for (insert, persons) in steps {
            if insert {
                changed.insert_all(&set(&persons));
                model.extend(persons);
            } else {
                changed.remove_all(&set(&persons));
                model.retain(|person| !persons.contains(person));
            }
        }
        check(&changed, &model);
    }

    #[test]
    fn sharing_changes_no_result(a in persons(), b in persons()) {
        let base = set(&a);
        let mut grown = base.clone();
        grown.insert_all(&set(&b));
        check(&grown.and_not(&base), &(&b - &a));
        check(&base.and_not(&grown), &BTreeSet::new());
        check(&base.and(&grown), &a);
        check(&base.or(&grown), &(&a | &b));
        prop_assert_eq!(base.and_len(&grown), a.len() as u64);
        let mut shrunk = base.clone();
        shrunk.remove_all(&base.and(&set(&b)));
        check(&shrunk, &(&a - &b));
        shrunk.remove_all(&base);
        check(&shrunk, &BTreeSet::new());
        grown.remove_all(&grown.clone());
        check(&grown, &BTreeSet::new());
    }

    #[test]
    fn paging_begins_where_it_is_told(a in persons(), starts in prop::collection::vec(any::<u32>(), 8)) {
        let x = set(&a);
        let members = a.iter().copied().step_by(a.len() / 8 + 1);
        let near: Vec<u32> = members.flat_map(|p| [p.saturating_sub(1), p, p.saturating_add(1)]).collect();
        for first in starts.into_iter().map(|start| start & 0x3_ffff).chain(near).chain([0, u32::MAX]) {
            prop_assert!(x.iter_from(first).take(3000).eq(a.range(first..).copied().take(3000)));
            prop_assert_eq!(x.contains(first), a.contains(&first));
        }
    }

    #[test]
    fn order_and_repetition_do_not_matter(a in persons(), turn in any::<prop::sample::Index>()) {
        let mut list: Vec<Person> = a.iter().copied().collect();
        list.extend(a.iter().take(1000));
        if !list.is_empty() {
            let turn = turn.index(list.len());
            list.rotate_left(turn);
        }
        check(&Set::from_unsorted(list.clone()), &a);
        check(&Set::from_sorted(&list), &a);
        list.sort_unstable();
        check(&Set::from_sorted(&list), &a);
    }

    #[test]
    fn roaring_reads_what_is_written_and_the_other_way_round(a in persons()) {
        let bytes = set(&a).to_bytes();
        let mut theirs = to_roaring(&a);
        prop_assert_eq!(&RoaringBitmap::deserialize_from(&bytes[..]).expect("a valid bitmap"), &theirs);
        check(&Set::from_bytes(&roaring_bytes(&theirs)).expect("a valid set"), &a);
        theirs.optimize();
        let optimised = roaring_bytes(&theirs);
        check(&Set::from_bytes(&optimised).expect("a valid set"), &a);
        prop_assert!(bytes.len() <= optimised.len());
        prop_assert_eq!(set_by_parts(&a).to_bytes(), bytes);
    }
}

#[test]
fn contiguous_numbers_take_a_few_dozen_bytes() {
    let set: Set = (1_000_000..1_050_000).collect();
    assert!(set.to_bytes().len() <= 48, "{} bytes", set.to_bytes().len());
    assert!(set.memory_bytes() < 400, "{} bytes", set.memory_bytes());
    assert_eq!(Set::new().to_bytes().len(), 8);
}

#[test]
fn every_number_there_is_can_be_a_member() {
    let edges = [0, 1, 0xffff, 0x1_0000, u32::MAX - 1, u32::MAX];
    let mut set = Set::from_sorted(&edges);
    assert_eq!(set.to_vec(), edges);
    assert_eq!(set.iter_from(u32::MAX).collect::<Vec<_>>(), [u32::MAX]);
    let whole: Set = (0..1 << 16).collect();
    set.insert_all(&whole);
    assert_eq!(set.len(), (1 << 16) + 3);
    assert_eq!(format!("{set:?}"), "Set(len 65539)");
}
