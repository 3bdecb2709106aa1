//! Measures questions about many sets, with `croaring` and `roaring` beside them on the same sets, pair by pair:
//! `cargo run --release -p throng-sets --example questions [people [part]]`.
//!
//! Not a test: it asserts no time, only that all answer the same. Each figure is the shortest of a few rounds, taken in turn,
//! on one core, in time of the processor, which others that run meanwhile change little; a step is one `advance(STEP)`.
#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::hint::black_box;
use std::time::Duration;

use croaring::Bitmap;
use roaring::RoaringBitmap;
use rustix::time::{ClockId, clock_gettime};
use throng_sets::{
    Count, Expression, Gather, Operand, Overlaps, Person, Question, Regions, STEP, Set, Term,
};

/// A stream of numbers, the same each time (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let a = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ a >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        b ^ b >> 31
    }
}

/// What this thread took of the processor.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Each of `people` with the same probability, by gaps that are geometrically distributed.
fn sample(people: Person, share: f64, numbers: &mut Numbers) -> Set {
    let gap = |at: u32| {
        let chance = (f64::from(at) + 0.5) / 65_536.0;
        (chance.ln() / (1.0 - share).ln()).floor() as u32 + 1
    };
    let gaps: Vec<u32> = (0..65_536).map(gap).collect();
    let mut members = Vec::with_capacity((f64::from(people) * share * 1.05) as usize);
    let mut person: Person = 0;
    loop {
        let mut four = numbers.next();
        for _ in 0..4 {
            person += gaps[(four & 0xffff) as usize];
            four >>= 16;
            if person > people {
                return Set::from_sorted(&members);
            }
            members.push(person);
        }
    }
}

/// The same sets in each library.
struct Sets {
    ours: Vec<Operand>,
    c: Vec<Bitmap>,
    rust: Vec<RoaringBitmap>,
}

impl Sets {
    fn new(people: Person, shares: &[f64], seed: u64) -> Sets {
        let mut numbers = Numbers(seed);
        let mut sets = Sets {
            ours: Vec::new(),
            c: Vec::new(),
            rust: Vec::new(),
        };
        for share in shares {
            let set = sample(people, *share, &mut numbers);
            let bytes = set.to_bytes();
            let c = Bitmap::try_deserialize::<croaring::Portable>(&bytes);
            sets.c.push(c.expect("it was just written"));
            let rust = RoaringBitmap::deserialize_from(bytes.as_slice());
            sets.rust.push(rust.expect("it was just written"));
            sets.ours.push(Operand::from(set));
        }
        sets
    }
}

/// How long the steps of a question took.
#[derive(Default)]
struct Steps {
    count: usize,
    longest: Duration,
}

fn finish<Q: Question>(mut question: Q, steps: &mut Steps) -> Q::Answer {
    steps.count = 0;
    loop {
        let start = spent();
        let answer = question.advance(STEP).expect("is in memory");
        steps.count += 1;
        steps.longest = steps.longest.max(spent() - start);
        if let Some(answer) = answer {
            return answer;
        }
    }
}

/// Measures three ways in turn and reports the shortest of each.
fn compare<T: PartialEq + std::fmt::Debug>(
    what: &str,
    rounds: usize,
    mut ours: impl FnMut(&mut Steps) -> T,
    mut c: impl FnMut() -> T,
    mut rust: impl FnMut() -> T,
) {
    let mut best = [Duration::MAX; 3];
    let mut steps = Steps::default();
    let mut time = |way: usize, work: &mut dyn FnMut() -> T| {
        let start = spent();
        let answer = black_box(work());
        best[way] = best[way].min(spent() - start);
        answer
    };
    for round in 0..rounds {
        let answer = time(0, &mut || ours(&mut steps));
        // The others are slow, and no slower the third time.
        if round < rounds.div_ceil(4) {
            assert_eq!(answer, time(1, &mut c), "croaring");
            assert_eq!(answer, time(2, &mut rust), "roaring");
        }
    }
    let ms = |took: Duration| took.as_secs_f64() * 1e3;
    let [ours, c, rust] = best.map(ms);
    println!(
        "{what:<52} {ours:>9.3} ms | croaring {c:>9.3} ms ({:>5.1}x) | roaring {rust:>9.3} ms ({:>5.1}x) | {:>5} steps, longest {:>6.3} ms",
        c / ours,
        rust / ours,
        steps.count,
        ms(steps.longest)
    );
}

fn pairs(people: Person) {
    let half = Sets::new(people / 2, &[0.5, 0.5], 1);
    pair("a half with a half, among half of the people", &half);
    let twentieth = Sets::new(people, &[0.05, 0.05], 2);
    pair("a 20th with a 20th", &twentieth);
    let hundredth = Sets::new(people, &[0.01, 0.01], 3);
    pair("a 100th with a 100th", &hundredth);
    let uneven = Sets::new(people, &[0.25, 0.001], 4);
    pair("a quarter with a 1,000th", &uneven);
}

fn pair(what: &str, sets: &Sets) {
    let between = || Overlaps::between(vec![sets.ours[0].clone()], vec![sets.ours[1].clone()]);
    compare(
        what,
        20,
        |steps| finish(between(), steps)[0][0],
        || sets.c[0].and_cardinality(&sets.c[1]),
        || sets.rust[0].intersection_len(&sets.rust[1]),
    );
}

/// (any of 4) and (any of 3) and not any of 3.
fn expression(people: Person) {
    let shares = [0.3, 0.2, 0.1, 0.05, 0.5, 0.3, 0.02, 0.1, 0.05, 0.01];
    let sets = Sets::new(people, &shares, 5);
    let any = |places: std::ops::Range<usize>| Term::Any(places.map(Term::Operand).collect());
    let term = Term::All(vec![any(0..4), any(4..7), Term::Not(Box::new(any(7..10)))]);
    let asked = Expression::new(term).expect("it is small");
    let c = |places: std::ops::Range<usize>| {
        Bitmap::fast_or(&sets.c[places].iter().collect::<Vec<_>>())
    };
    let rust = |places: std::ops::Range<usize>| {
        places.fold(RoaringBitmap::new(), |any, place| any | &sets.rust[place])
    };
    compare(
        "10 operands, any and any and not any: count",
        12,
        |steps| {
            let count = Count::new(asked.clone(), sets.ours.clone(), people + 1);
            finish(count, steps)
        },
        || c(0..4).and(&c(4..7)).andnot(&c(7..10)).cardinality(),
        || ((rust(0..4) & rust(4..7)) - rust(7..10)).len(),
    );
    compare(
        "the same: who",
        12,
        |steps| {
            let gather = Gather::new(asked.clone(), sets.ours.clone(), people + 1);
            finish(gather, steps).len()
        },
        || c(0..4).and(&c(4..7)).andnot(&c(7..10)).cardinality(),
        || ((rust(0..4) & rust(4..7)) - rust(7..10)).len(),
    );
    let every = Term::All((0..10).map(Term::Operand).collect());
    let every = Expression::new(every).expect("it is small");
    compare(
        "10 operands, all: count",
        12,
        |steps| {
            let count = Count::new(every.clone(), sets.ours.clone(), people + 1);
            finish(count, steps)
        },
        || {
            let first = sets.c[0].clone();
            let all = sets.c[1..].iter().fold(first, |all, set| all.and(set));
            all.cardinality()
        },
        || {
            let first = sets.rust[0].clone();
            sets.rust[1..]
                .iter()
                .fold(first, |all, set| all & set)
                .len()
        },
    );
}

fn matrix(what: &str, people: Person, shares: &[f64]) {
    let sets = Sets::new(people, shares, 6);
    let count = shares.len();
    // Every pair once, as ours are counted.
    let triangle = |pair: &dyn Fn(usize, usize) -> u64| {
        let row = |row: usize| (row..count).map(|column| pair(row, column)).collect();
        let upper: Vec<Vec<u64>> = (0..count).map(row).collect();
        let at = |row: usize, column: usize| upper[row.min(column)][row.abs_diff(column)];
        let row = |row: usize| (0..count).map(|column| at(row, column)).collect();
        (0..count).map(row).collect::<Vec<Vec<u64>>>()
    };
    compare(
        what,
        4,
        |steps| finish(Overlaps::among(sets.ours.clone()), steps),
        || triangle(&|a, b| sets.c[a].and_cardinality(&sets.c[b])),
        || triangle(&|a, b| sets.rust[a].intersection_len(&sets.rust[b])),
    );
}

fn one_with_many(what: &str, people: Person, one: f64, many: f64) {
    let mut shares = vec![many; 101];
    shares[0] = one;
    let sets = Sets::new(people, &shares, 7);
    compare(
        what,
        8,
        |steps| {
            let rows = vec![sets.ours[0].clone()];
            finish(Overlaps::between(rows, sets.ours[1..].to_vec()), steps).remove(0)
        },
        || {
            let many = sets.c[1..].iter();
            many.map(|set| sets.c[0].and_cardinality(set)).collect()
        },
        || {
            let many = sets.rust[1..].iter();
            many.map(|set| sets.rust[0].intersection_len(set)).collect()
        },
    );
}

fn regions(people: Person) {
    let sets = Sets::new(people, &[0.3, 0.2, 0.1, 0.05, 0.05, 0.01], 8);
    compare(
        "regions of 6",
        8,
        |steps| finish(Regions::new(sets.ours.clone()), steps),
        || {
            let region = |mask: usize| {
                let chosen = |place: &usize| mask >> place & 1 == 1;
                let mut those = (0..6).filter(chosen).map(|place| &sets.c[place]);
                let Some(first) = those.next() else {
                    return 0;
                };
                let all = those.fold(first.clone(), |all, set| all.and(set));
                let others = (0..6).filter(|place| !chosen(place));
                let rest = others.fold(all, |rest, place| rest.andnot(&sets.c[place]));
                rest.cardinality()
            };
            (0..64).map(region).collect()
        },
        || {
            let region = |mask: usize| {
                let chosen = |place: &usize| mask >> place & 1 == 1;
                let mut those = (0..6).filter(chosen).map(|place| &sets.rust[place]);
                let Some(first) = those.next() else {
                    return 0;
                };
                let all = those.fold(first.clone(), |all, set| all & set);
                let others = (0..6).filter(|place| !chosen(place));
                others
                    .fold(all, |rest, place| rest - &sets.rust[place])
                    .len()
            };
            (0..64).map(region).collect()
        },
    );
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let people = arguments.next().map_or(100_000_000, |count| {
        count.parse().expect("a number of people")
    });
    let part = arguments.next();
    let wanted = |name: &str| part.as_deref().is_none_or(|part| part == name);
    println!("{people} people");
    if wanted("pairs") {
        pairs(people);
    }
    if wanted("expression") {
        expression(people);
    }
    if wanted("matrix") {
        matrix("matrix of 50 20ths", people, &[0.05; 50]);
        let mixed: Vec<f64> = (0..50)
            .map(|i| [0.3, 0.1, 0.05, 0.01, 0.001][i % 5])
            .collect();
        matrix("matrix of 50, a third to a 1,000th", people, &mixed);
        matrix("matrix of 50 100ths", people, &[0.01; 50]);
        matrix("matrix of 50 1,000ths", people, &[0.001; 50]);
    }
    if wanted("many") {
        one_with_many("a 20th with 100 20ths", people, 0.05, 0.05);
        one_with_many("a 20th with 100 100ths", people, 0.05, 0.01);
        one_with_many("a quarter with 100 20ths", people, 0.25, 0.05);
    }
    if wanted("regions") {
        regions(people);
    }
}
