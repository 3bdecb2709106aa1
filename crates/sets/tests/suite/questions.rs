//! Every question against `croaring` and against asking for each person, sets of all shapes, with all sorts of budgets.

use std::collections::BTreeSet;

use croaring::Bitmap;
use proptest::prelude::*;
use throng_sets::{
    Count, Expression, Gather, Operand, Overlaps, Person, Question, REGIONS_SETS_MAX, Regions,
    STEP, Set, Term,
};

use crate::common::{config, persons, set_by_parts};

/// Sets by two roads, so that the same members are in several shapes.
fn sets(
    count: impl Into<prop::collection::SizeRange>,
) -> impl Strategy<Value = Vec<(BTreeSet<Person>, bool)>> {
    prop::collection::vec((persons(), any::<bool>()), count)
}

fn operands(sets: &[(BTreeSet<Person>, bool)]) -> Vec<Operand> {
    let set = |(persons, by_parts): &(BTreeSet<Person>, bool)| match by_parts {
        true => set_by_parts(persons),
        false => persons.iter().copied().collect(),
    };
    sets.iter().map(|one| Operand::from(set(one))).collect()
}

fn bitmaps(sets: &[(BTreeSet<Person>, bool)]) -> Vec<Bitmap> {
    let bitmap = |(persons, _): &(BTreeSet<Person>, bool)| persons.iter().copied().collect();
    sets.iter().map(bitmap).collect()
}

fn terms(operands: usize) -> impl Strategy<Value = Term> {
    let leaf = prop_oneof![
        8 => (0..operands).prop_map(Term::Operand),
        1 => Just(Term::All(Vec::new())),
        1 => Just(Term::Any(Vec::new())),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Term::All),
            prop::collection::vec(inner.clone(), 0..5).prop_map(Term::Any),
            inner.prop_map(|term| Term::Not(Box::new(term))),
        ]
    })
}

/// The last person there is: in the middle of a chunk, at its ends, behind all sets, or nobody.
fn next_persons() -> impl Strategy<Value = Person> {
    prop_oneof![
        4 => Just(8u32 << 16),
        2 => 0..9u32 << 16,
        1 => Just(u32::MAX),
        1 => (0..3u32, 0..3u32).prop_map(|(chunk, low)| (chunk << 16).saturating_add(low)),
    ]
}

fn budgets() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![0..3usize, Just(STEP), 1..200usize], 1..5)
}

/// Advances a question by these budgets, over and over.
fn finish<Q: Question>(mut question: Q, budgets: &[usize]) -> Q::Answer {
    for budget in budgets.iter().cycle() {
        if let Some(answer) = question.advance(*budget).expect("is in memory") {
            return answer;
        }
    }
    unreachable!("budgets go on for ever")
}

fn meant(term: &Term, bitmaps: &[Bitmap], everybody: &Bitmap) -> Bitmap {
    match term {
        Term::Operand(place) => bitmaps[*place].and(everybody),
        Term::All(terms) => terms.iter().fold(everybody.clone(), |all, term| {
            all.and(&meant(term, bitmaps, everybody))
        }),
        Term::Any(terms) => terms.iter().fold(Bitmap::new(), |any, term| {
            any.or(&meant(term, bitmaps, everybody))
        }),
        Term::Not(term) => everybody.andnot(&meant(term, bitmaps, everybody)),
    }
}

fn holds(term: &Term, person: Person, sets: &[(BTreeSet<Person>, bool)]) -> bool {
    match term {
        Term::Operand(place) => sets[*place].0.contains(&person),
        Term::All(terms) => terms.iter().all(|term| holds(term, person, sets)),
        Term::Any(terms) => terms.iter().any(|term| holds(term, person, sets)),
        Term::Not(term) => !holds(term, person, sets),
    }
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    fn expressions_hold_whom_they_say(
        sets in sets(1..6),
        terms in prop::collection::vec(terms(5), 4),
        next_person in next_persons(),
        budgets in budgets(),
        probes in prop::collection::vec((any::<prop::sample::Index>(), 0..9u32 << 16), 40),
    ) {
        let (bitmaps, last) = (bitmaps(&sets), next_person.saturating_sub(1));
        let everybody = if last == 0 { Bitmap::new() } else { Bitmap::from_range(1..=last) };
        for term in terms {
            let term = within(term, sets.len());
            let expected = meant(&term, &bitmaps, &everybody);
            let expression = Expression::new(term.clone()).expect("it is small");
            let count = Count::new(expression.clone(), operands(&sets), next_person);
            prop_assert_eq!(finish(count, &budgets), expected.cardinality());
            let found = finish(Gather::new(expression, operands(&sets), next_person), &budgets);
            prop_assert_eq!(found.len(), expected.cardinality());
            let bytes = found.to_bytes();
            prop_assert!(Set::from_bytes(&bytes).expect("it was just written") == found);
            let read = Bitmap::try_deserialize::<croaring::Portable>(&bytes);
            prop_assert!(read.expect("it is in the portable format") == expected);
            for (index, anybody) in &probes {
                let (members, _) = &sets[index.index(sets.len())];
                let member = members.range(anybody..).next().copied().unwrap_or(*anybody);
                for person in [*anybody, member, member.saturating_add(1)] {
                    let is_somebody = person >= 1 && person < next_person;
                    prop_assert_eq!(
                        found.contains(person),
                        is_somebody && holds(&term, person, &sets)
                    );
                }
            }
        }
    }

    #[test]
    fn overlaps_are_counted(sets in sets(0..12), split in any::<prop::sample::Index>(), budgets in budgets()) {
        let bitmaps = bitmaps(&sets);
        let table = |rows: &[Bitmap], columns: &[Bitmap]| -> Vec<Vec<u64>> {
            let row = |row: &Bitmap| columns.iter().map(|column| row.and_cardinality(column)).collect();
            rows.iter().map(row).collect()
        };
        prop_assert_eq!(finish(Overlaps::among(operands(&sets)), &budgets), table(&bitmaps, &bitmaps));
        let split = split.index(sets.len() + 1);
        let (rows, columns) = sets.split_at(split);
        prop_assert_eq!(
            finish(Overlaps::between(operands(rows), operands(columns)), &budgets),
            table(&bitmaps[..split], &bitmaps[split..])
        );
    }

    #[test]
    fn regions_are_apart(sets in sets(0..=REGIONS_SETS_MAX), budgets in budgets()) {
        let bitmaps = bitmaps(&sets);
        let counts = finish(Regions::new(operands(&sets)), &budgets);
        prop_assert_eq!(counts.len(), 1 << sets.len());
        prop_assert_eq!(counts[0], 0);
        for (mask, count) in counts.iter().enumerate().skip(1) {
            let chosen = |place: &usize| mask >> place & 1 == 1;
            let mut region: Option<Bitmap> = None;
            for place in (0..sets.len()).filter(chosen) {
                region = Some(region.map_or(bitmaps[place].clone(), |region| region.and(&bitmaps[place])));
            }
            let mut region = region.unwrap_or_default();
            for place in (0..sets.len()).filter(|place| !chosen(place)) {
                region = region.andnot(&bitmaps[place]);
            }
            prop_assert_eq!(*count, region.cardinality());
        }
    }

    #[test]
    fn operations_are_those_of_croaring(a in persons(), b in persons(), c in persons()) {
        let sets = [(a, false), (b, true), (c, true)];
        let [x, y, z]: [Bitmap; 3] = bitmaps(&sets).try_into().expect("three");
        let [a, b, c] = sets.map(|(persons, by_parts)| match by_parts {
            true => set_by_parts(&persons),
            false => persons.into_iter().collect::<Set>(),
        });
        let is = |set: &Set, bitmap: &Bitmap| {
            let mut bitmap = bitmap.clone();
            bitmap.run_optimize();
            set.len() == bitmap.cardinality() && set.iter().eq(bitmap.iter())
        };
        prop_assert!(is(&a.and(&b), &x.and(&y)));
        prop_assert!(is(&a.or(&b), &x.or(&y)));
        prop_assert!(is(&a.and_not(&b), &x.andnot(&y)));
        prop_assert_eq!(a.and_len(&b), x.and_cardinality(&y));
        prop_assert_eq!(a.and_len3(&b, &c), x.and(&y).and_cardinality(&z));
        prop_assert!(is(&Set::union_of([&a, &b, &c]), &x.or(&y).or(&z)));
        prop_assert_eq!(a.is_subset(&b), x.is_subset(&y));
        let (mut grown, mut shrunk) = (a.clone(), a.clone());
        grown.insert_all(&c);
        shrunk.remove_all(&c);
        prop_assert!(is(&grown, &x.or(&z)) && is(&shrunk, &x.andnot(&z)));
    }
}

/// The term with operands that are there.
fn within(term: Term, count: usize) -> Term {
    let each = |terms: Vec<Term>| terms.into_iter().map(|term| within(term, count)).collect();
    match term {
        Term::Operand(place) => Term::Operand(place % count),
        Term::All(terms) => Term::All(each(terms)),
        Term::Any(terms) => Term::Any(each(terms)),
        Term::Not(term) => Term::Not(Box::new(within(*term, count))),
    }
}
