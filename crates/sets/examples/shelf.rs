//! Measures sets that do not fit in memory:
//! `cargo run --release -p throng-sets --example shelf -- FOLDER [sets [members [limit in MB]]]`.
//!
//! Not a test: it asserts no time. The sets are scattered among a hundred million people. The folder, which must be there, takes
//! about two bytes a membership; what is read of it was just written, so it is in the page cache as far as that holds it.
#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use throng_sets::{
    Engine, Expression, Home, Overlaps, Owner, Person, Question, Rebuild, STEP, Set, SetId, Shelf,
    Term,
};

const PEOPLE: u64 = 100_000_000;

/// The set of an id, which stands for the database.
#[derive(Debug)]
struct Scattered(usize);

impl Rebuild for Scattered {
    fn change_hash(&self, _: u64) -> Result<[u8; 32], String> {
        Ok([1; 32])
    }

    fn rebuild(&self, set: SetId, _: u64) -> Result<Set, String> {
        let mut state = set as u64;
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let a = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let b = (a ^ a >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            b ^ b >> 31
        };
        let people = (0..self.0).map(|_| (1 + next() % (PEOPLE - 1)) as Person);
        Ok(Set::from_unsorted(people.collect()))
    }
}

/// Anonymous memory of this process, in bytes.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    number.unwrap_or(0) << 10
}

/// Time that this thread was on a processor, so that what else the machine does counts less.
fn on_processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

fn ask<Q: Question>(mut question: Q) -> Q::Answer {
    loop {
        if let Some(answer) = question.advance(STEP).expect("reads") {
            return answer;
        }
    }
}

/// How long some work took, by the clock and on a processor.
struct Timer(Instant, Duration);

impl Timer {
    fn start() -> Timer {
        Timer(Instant::now(), on_processor())
    }

    fn elapsed(self) -> (Duration, Duration) {
        (self.0.elapsed(), on_processor() - self.1)
    }
}

/// The median and the longest of some times, and the median on a processor.
fn report(what: &str, mut times: Vec<(Duration, Duration)>) {
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    times.sort_by_key(|(_, busy)| *busy);
    let busy = times[times.len() / 2].1;
    times.sort();
    let (median, longest) = (times[times.len() / 2].0, times[times.len() - 1].0);
    println!(
        "{what:<50} median {:>8.3} ms ({:.3} ms of a processor), longest {:>8.3} ms of {}",
        ms(median),
        ms(busy),
        ms(longest),
        times.len()
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, otherwise: usize| {
        let given = arguments.get(at).map(|text| text.parse());
        given.map_or(otherwise, |parsed| parsed.expect("is a number"))
    };
    let folder = PathBuf::from(arguments.first().expect("a folder"));
    let (count, members) = (number(1, 1_000), number(2, 1_000_000));
    let limit = number(3, 512) << 20;

    let source = Scattered(members);
    let before = memory();
    let few: Vec<Set> = (0..50)
        .map(|id| source.rebuild(id, 1).expect("is made"))
        .collect();
    let all: u64 = few.iter().map(Set::len).sum();
    let taken = memory() - before;
    println!(
        "a sparse membership in memory: {:.3} B of RssAnon, {:.3} B counted",
        taken as f64 / all as f64,
        few.iter().map(Set::memory_bytes).sum::<usize>() as f64 / all as f64
    );
    drop(few);

    let shelf = Shelf::new(limit);
    let thread = shelf.start().expect("starts");
    let owner = Owner {
        mark: [1; 32],
        key: [2; 32],
    };
    let home = Home::new(
        shelf.clone(),
        Some(folder),
        owner,
        Box::new(Scattered(members)),
    );
    let engine = Engine::at_home(home);
    let (start, mut most) = (Instant::now(), 0);
    for id in 0..count as SetId {
        let set = source.rebuild(id, 1).expect("is made");
        let mut working = engine.begin();
        working.command_begin();
        working.replace(id, set).expect("reads");
        let seq = working.seq() + 1;
        working.command_end(seq);
        engine.publish(working.finish());
        most = most.max(memory());
    }
    println!(
        "{count} sets of {members} made in {:.1} s; RssAnon at most {} MB with {} MB for sets; {:?}",
        start.elapsed().as_secs_f64(),
        most >> 20,
        limit >> 20,
        shelf.figures()
    );
    let state = engine.published();
    let away: Vec<SetId> = (0..count as SetId)
        .filter(|id| !state.is_resident(*id))
        .collect();
    let pairs: Vec<(SetId, SetId)> = away
        .as_chunks::<2>()
        .0
        .iter()
        .take(200)
        .map(|[a, b]| (*a, *b))
        .collect();
    let mut times = Vec::new();
    for (a, b) in &pairs {
        let start = Timer::start();
        ask(Overlaps::between(
            vec![state.operand(*a)],
            vec![state.operand(*b)],
        ));
        times.push(start.elapsed());
    }
    report("overlap of two sets that are away", times);
    let mut times = Vec::new();
    for ten in away.chunks(10).rev().take(20) {
        let terms = (0..ten.len()).map(Term::Operand).collect();
        let expression = Expression::new(Term::Any(terms)).expect("is small");
        let start = Timer::start();
        let operands = ten.iter().map(|id| state.operand(*id)).collect();
        ask(throng_sets::Count::new(
            expression,
            operands,
            PEOPLE as Person,
        ));
        times.push(start.elapsed());
    }
    report("union of ten sets that are away", times);
    let mut times = Vec::new();
    for id in away.iter().rev().skip(200).take(500) {
        let start = Timer::start();
        state.contains(*id, 77_777).expect("reads");
        times.push(start.elapsed());
    }
    report("whether somebody is in a set that is away", times);
    let mut times = Vec::new();
    for id in away.iter().rev().skip(200).take(200) {
        let start = Timer::start();
        state.set(*id).expect("reads");
        times.push(start.elapsed());
    }
    report("a set brought into memory", times);
    println!("RssAnon {} MB; {:?}", memory() >> 20, shelf.figures());
    shelf.stop();
    thread.join().expect("ends");
}
