//! Questions from inside: sets that are read while they are asked about, and that steps are short.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::{Expression, Set, Term};

fn finish<Q: Question>(mut question: Q, budget: usize) -> Result<Q::Answer, Unreadable> {
    loop {
        if let Some(answer) = question.advance(budget)? {
            return Ok(answer);
        }
    }
}

/// A set that is read as if from a file, and the most chunks that were asked for at once.
#[derive(Debug)]
struct Shelved {
    set: Set,
    reads: AtomicUsize,
    /// Which read fails.
    fails: Option<usize>,
}

impl Chunks for Shelved {
    fn len(&self) -> u64 {
        self.set.len()
    }

    fn read(&self, first: u16, last: u16) -> Result<Window, Unreadable> {
        let reads = self.reads.fetch_add(1, Ordering::Relaxed);
        if self.fails == Some(reads) {
            let why = "the disk is gone".to_owned();
            return Err(Unreadable { set: 7, why });
        }
        let chunks = self.set.chunks();
        let start = chunks.partition_point(|chunk| chunk.high < first);
        let end = chunks.partition_point(|chunk| chunk.high <= last);
        Ok(Window {
            chunks: chunks[start..end].to_vec(),
            next: chunks.get(end).map(|chunk| chunk.high),
        })
    }
}

fn shelved(set: &Set, fails: Option<usize>) -> (Operand, Arc<Shelved>) {
    let shelved = Arc::new(Shelved {
        set: set.clone(),
        reads: AtomicUsize::new(0),
        fails,
    });
    (Operand::filed(Arc::<Shelved>::clone(&shelved)), shelved)
}

/// Sets of arrays, bitmaps and runs in some of the first chunks, and some far away.
fn sets() -> Vec<Set> {
    let every = |step: u32, from: u32, to: u32| (from..to).step_by(step as usize);
    vec![
        every(3, 5, 40 << 16).collect(),
        every(50, 1 << 16, 30 << 16)
            .chain(every(7, 60_000 << 16, 60_003 << 16))
            .collect(),
        (10 << 16..12 << 16)
            .chain(every(1_000, 0, 300 << 16))
            .collect(),
        every(2, 299 << 16, 301 << 16)
            .chain([u32::MAX - 2])
            .collect(),
        Set::new(),
    ]
}

fn all_but(last: usize) -> Expression {
    let mut terms: Vec<Term> = (0..last).map(Term::Operand).collect();
    terms.push(Term::Not(Box::new(Term::Operand(last))));
    Expression::new(Term::Any(terms)).expect("it is small")
}

#[test]
fn sets_that_are_read_answer_the_same() {
    let sets = sets();
    let held: Vec<Operand> = sets.iter().cloned().map(Operand::from).collect();
    // All that are read, and some among others that are held.
    for held_count in [0, 2, 4] {
        let mixed = || -> Vec<Operand> {
            let read = sets[held_count..].iter().map(|set| shelved(set, None).0);
            held[..held_count].iter().cloned().chain(read).collect()
        };
        for budget in [1, 30, STEP] {
            let gather = |operands| Gather::new(all_but(2), operands, u32::MAX);
            assert!(finish(gather(held.clone()), budget) == finish(gather(mixed()), budget));
            assert_eq!(
                finish(Overlaps::among(held.clone()), budget),
                finish(Overlaps::among(mixed()), budget)
            );
            assert_eq!(
                finish(Regions::new(held.clone()), budget),
                finish(Regions::new(mixed()), budget)
            );
        }
    }
}

#[test]
fn parts_are_joined_to_the_same() {
    fn joined<Q: Divide>(question: Q, parts: usize) -> (usize, Q::Answer) {
        let parts = question.divide(parts);
        let count = parts.len();
        let answers = parts
            .into_iter()
            .map(|part| finish(part, STEP).expect("is read"));
        (count, Q::join(answers.collect()))
    }
    let sets = sets();
    let held: Vec<Operand> = sets.iter().cloned().map(Operand::from).collect();
    let mut mixed = held.clone();
    mixed[1] = shelved(&sets[1], None).0;
    for parts in [1, 2, 3, 100] {
        let expected = parts.min(4);
        for operands in [&held, &mixed] {
            for next_person in [u32::MAX, 20 << 16, 1] {
                let gather = |last| Gather::new(all_but(last), operands.clone(), next_person);
                let count = |last| Count::new(all_but(last), operands.clone(), next_person);
                for last in [0, 2] {
                    let whole = finish(gather(last), STEP).expect("is read");
                    assert!((expected, whole.clone()) == joined(gather(last), parts));
                    assert_eq!((expected, whole.len()), joined(count(last), parts));
                }
            }
            let whole = finish(Overlaps::among(operands.clone()), STEP).expect("is read");
            let divided = joined(Overlaps::among(operands.clone()), parts);
            assert_eq!((expected, whole), divided);
            let whole = finish(Regions::new(operands.clone()), STEP).expect("is read");
            assert_eq!(
                (expected, whole),
                joined(Regions::new(operands.clone()), parts)
            );
        }
    }
}

#[test]
fn a_table_may_have_no_rows_or_no_columns() {
    let sets: Vec<Operand> = sets().into_iter().map(Operand::from).collect();
    for count in 0..4 {
        let some = || sets[..count].to_vec();
        let rows = finish(Overlaps::between(some(), Vec::new()), STEP);
        assert_eq!(rows, Ok(vec![Vec::new(); count]));
        let columns = finish(Overlaps::between(Vec::new(), some()), STEP);
        assert_eq!(columns, Ok(Vec::new()));
        let among = finish(Overlaps::among(some()), STEP).expect("is in memory");
        assert_eq!(among.len(), count);
    }
}

#[test]
fn what_lies_between_chunks_is_not_read() {
    let far: Set = [1, u32::MAX - 1].into_iter().collect();
    let (operand, shelf) = shelved(&far, None);
    let overlaps = Overlaps::between(vec![operand], vec![Operand::from(far)]);
    assert_eq!(finish(overlaps, STEP), Ok(vec![vec![2]]));
    assert_eq!(shelf.reads.load(Ordering::Relaxed), 2);
}

#[test]
fn a_read_that_fails_is_the_answer() {
    let sets = sets();
    let ask = |fails: usize| {
        let operands = vec![
            Operand::from(sets[0].clone()),
            shelved(&sets[2], Some(fails)).0,
        ];
        finish(Overlaps::among(operands), 10)
    };
    for fails in 0..3 {
        assert_eq!(ask(fails).expect_err("a read failed").set, 7);
    }
    assert!(ask(10).is_ok());
}

#[test]
fn a_budget_is_kept_within_a_chunk_too() {
    let operand = Operand::from((0..1u32 << 16).step_by(16).collect::<Set>());
    let operands = vec![operand; crate::PARTS_MAX - 1];
    let terms = (0..operands.len()).map(Term::Operand).collect();
    let any = Expression::new(Term::Any(terms)).expect("as large as may be");
    let mut count = Count::new(any, operands.clone(), 1 << 16);
    let mut steps = 0;
    let len = loop {
        steps += 1;
        if let Some(len) = count.advance(STEP).expect("is in memory") {
            break len;
        }
    };
    assert_eq!(len, (1 << 12) - 1);
    assert!(steps >= 10, "{steps} steps for ten thousand containers");

    let mut overlaps = Overlaps::among(operands[..300].to_vec());
    let mut steps = 0;
    while overlaps.advance(STEP).expect("is in memory").is_none() {
        steps += 1;
    }
    assert!(steps >= 4, "{steps} steps for forty thousand pairs");
}

#[test]
fn a_chunk_of_one_operand_is_shared() {
    let set: Set = (70_000..400_000).step_by(2).collect();
    let everybody = Term::All(Vec::new());
    let within = Term::All(vec![Term::Operand(0), everybody]);
    let expression = Expression::new(within).expect("it is small");
    let gathered = finish(
        Gather::new(expression, vec![Operand::from(set.clone())], 1 << 20),
        STEP,
    )
    .expect("is in memory");
    assert!(gathered == set);
    for (a, b) in gathered.chunks().iter().zip(set.chunks()) {
        assert!(Arc::ptr_eq(&a.container, &b.container));
    }
}
