//! Measures what the set engine is made for: `cargo run --release -p throng-sets --example measure [count [part]]`.
//!
//! Not a test: it asserts no time. Figures are the best of a few rounds on one core.
#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use throng_sets::{
    Engine, IdentityDelta, Key, KeySecret, Person, Set, SetDelta, SetOp, decode_persons,
    encode_persons,
};

const BATCH: usize = 50_000;

/// A stream of numbers, the same each time (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let a = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ a >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        b ^ b >> 31
    }

    fn persons(&mut self, count: usize, below: u64) -> Vec<Person> {
        (0..count)
            .map(|_| (self.next() % below) as Person)
            .collect()
    }

    fn key(&mut self) -> Key {
        Key::from_bytes((u128::from(self.next()) << 64 | u128::from(self.next())).to_le_bytes())
    }
}

/// The best of a few rounds, and what the last one made.
fn best<T>(rounds: usize, mut work: impl FnMut() -> T) -> (Duration, T) {
    let mut best: Option<(Duration, T)> = None;
    for _ in 0..rounds {
        let start = Instant::now();
        let made = black_box(work());
        let took = start.elapsed();
        let shortest = best
            .as_ref()
            .map_or(took, |(shortest, _)| took.min(*shortest));
        best = Some((shortest, made));
    }
    best.expect("there is at least one round")
}

fn report(what: &str, took: Duration, count: usize) {
    let each = took.as_secs_f64() * 1e9 / count as f64;
    println!(
        "{what:<58} {:>10.3} ms {each:>9.1} ns each",
        took.as_secs_f64() * 1e3
    );
}

fn keys_of_identifiers() {
    let secret = KeySecret::new([9; 32]);
    let digest = [b'a'; 32];
    let (took, _) = best(20, || {
        (0..BATCH)
            .map(|_| secret.key(1, b"", black_box(&digest)).as_bytes()[0])
            .fold(0, |a, b| a ^ b)
    });
    report("keys of 50,000 hashes", took, BATCH);
}

fn dictionary(count: usize) {
    let mut numbers = Numbers(1);
    let keys: Vec<Key> = (0..count).map(|_| numbers.key()).collect();
    let persons: Vec<Person> = (1..=count as Person).collect();
    let (took, engine) = best(3, || {
        let engine = Engine::new();
        engine.reserve_keys(count as u64);
        engine.load_keys(&keys, &persons);
        engine
    });
    report(
        &format!("load {count} keys at once, with room made before"),
        took,
        count,
    );
    let (took, batched) = best(2, || {
        let engine = Engine::new();
        for (keys, persons) in keys.chunks(BATCH).zip(persons.chunks(BATCH)) {
            engine.load_keys(keys, persons);
        }
        engine
    });
    report("load them by 50,000, without", took, count);
    let (took, _) = best(2, || {
        let engine = Engine::new();
        engine.reserve_keys(count as u64);
        for (keys, persons) in keys.chunks(4096).zip(persons.chunks(4096)) {
            engine.load_keys(keys, persons);
        }
        engine
    });
    report("load them by 4,096, with room made before", took, count);
    let bytes = batched.dictionary().memory_bytes() as f64 / count as f64;
    let least = engine.dictionary().memory_bytes() as f64 / count as f64;
    println!("memory a key: {least:.1} bytes loaded at once, {bytes:.1} by 50,000");
    drop(batched);

    let mut out = Vec::new();
    let mut known = || {
        (0..BATCH)
            .map(|_| keys[numbers.next() as usize % count])
            .collect::<Vec<Key>>()
    };
    let batches: Vec<Vec<Key>> = (0..40).map(|_| known()).collect();
    let (took, ()) = best(3, || {
        for batch in &batches {
            engine.dictionary().get_all(batch, &mut out);
        }
    });
    report(
        "look up known keys, batches of 50,000",
        took,
        BATCH * batches.len(),
    );
    let strangers: Vec<Key> = (0..BATCH).map(|_| numbers.key()).collect();
    let (took, ()) = best(10, || engine.dictionary().get_all(&strangers, &mut out));
    report("look up 50,000 unknown keys", took, BATCH);
    let (took, _) = best(3, || {
        batches[0]
            .iter()
            .filter(|key| engine.dictionary().get(key).is_some())
            .count()
    });
    report("look up 50,000 known keys one by one", took, BATCH);
    commands(&engine, &mut numbers, &keys);
    replays(&mut numbers);
}

/// Rows of the log, each with 50,000 new people, replayed ten to a group.
fn replays(numbers: &mut Numbers) {
    let rows: Vec<(Vec<Key>, IdentityDelta, SetDelta)> = (0..40u64)
        .map(|row| {
            let first = row * BATCH as u64;
            let persons: Vec<Person> = (first..first + BATCH as u64)
                .map(|i| i as Person + 1)
                .collect();
            let added = Set::from_sorted(&persons);
            let set = SetDelta {
                set: 1,
                op: SetOp::Change,
                added,
                removed: Set::new(),
            };
            let keys = (0..BATCH).map(|_| numbers.key()).collect();
            (
                keys,
                IdentityDelta {
                    first_position: first,
                    persons,
                },
                set,
            )
        })
        .collect();
    let (took, _) = best(3, || {
        let engine = Engine::new();
        for (group, rows) in rows.chunks(10).enumerate() {
            let mut working = engine.begin();
            for (row, (keys, identity, set)) in rows.iter().enumerate() {
                let seq = (group * 10 + row) as u64 + 1;
                working
                    .replay(seq, keys, Some(identity), std::slice::from_ref(set))
                    .expect("it continues");
            }
            engine.publish(working.finish());
        }
        engine
    });
    report(
        "replay 40 changes of 50,000 new keys",
        took,
        BATCH * rows.len(),
    );
}

/// Batches as the upload of an audience has them: look up, create, attach, add, delta, publish.
fn commands(engine: &Engine, numbers: &mut Numbers, keys: &[Key]) {
    for new in [BATCH, BATCH / 10, 0] {
        let mut total = Duration::ZERO;
        for round in 0..20u64 {
            let batch: Vec<Key> = (0..BATCH)
                .map(|i| {
                    if i < new {
                        numbers.key()
                    } else {
                        keys[numbers.next() as usize % keys.len()]
                    }
                })
                .collect();
            let start = Instant::now();
            let mut working = engine.begin();
            working.command_begin();
            let mut persons = Vec::new();
            working.persons(&batch, &mut persons);
            let mut members = Vec::with_capacity(BATCH);
            for (key, person) in batch.iter().zip(&persons) {
                let person = match person {
                    Some(person) => *person,
                    None => {
                        let person = working.new_person().expect("numbers are left");
                        working.attach(*key, person);
                        person
                    }
                };
                members.push(person);
            }
            working
                .add(1, &Set::from_unsorted(members))
                .expect("is in memory");
            let delta = working.command_delta();
            let bytes: usize = delta
                .sets
                .iter()
                .map(|set| set.added.to_bytes().len())
                .sum();
            black_box((bytes, delta.identity.map(|identity| identity.to_bytes())));
            working.command_end(round);
            engine.publish(working.finish());
            total += start.elapsed();
        }
        report(
            &format!("a command of 50,000 keys, {new} of them new"),
            total / 20,
            BATCH,
        );
    }
}

fn sets() {
    let mut numbers = Numbers(2);
    let batch = numbers.persons(BATCH, 10_000_000);
    let (took, small) = best(20, || Set::from_unsorted(batch.clone()));
    report("a set of 50,000 out of 10 million, unsorted", took, BATCH);
    let pairs = [
        (5_000_000, 100_000_000),
        (25_000_000, 50_000_000),
        (5_000_000, 10_000_000),
    ];
    for (count, below) in pairs {
        let a = Set::from_unsorted(numbers.persons(count, below));
        let b = Set::from_unsorted(numbers.persons(count, below));
        let (took, _) = best(10, || a.and_len(&b));
        report(
            &format!("and_len of two sets of {count} of {below}"),
            took,
            2 * count,
        );
        let (took, _) = best(5, || a.and(&b));
        report("    and", took, 2 * count);
        let (took, _) = best(5, || a.or(&b));
        report("    or", took, 2 * count);
        let (took, _) = best(5, || a.and_not(&b));
        report("    and_not", took, 2 * count);
        let (took, bytes) = best(5, || a.to_bytes());
        report(
            &format!("    to_bytes ({} bytes)", bytes.len()),
            took,
            count,
        );
        let (took, _) = best(5, || Set::from_bytes(&bytes).expect("it was just written"));
        report("    from_bytes", took, count);
        let (took, _) = best(5, || {
            a.iter().fold(0u64, |sum, person| sum + u64::from(person))
        });
        report("    iterate", took, count);
        let (took, _) = best(10, || {
            let mut next = a.clone();
            next.insert_all(&small);
            next
        });
        report("    add 50,000 to it while a reader holds it", took, BATCH);
    }
}

fn columns(count: usize) {
    let mut numbers = Numbers(3);
    let mut person = 0;
    let mixed: Vec<Person> = (0..count)
        .map(|_| {
            person += (numbers.next() & 1) as Person;
            person
        })
        .collect();
    let (took, bytes) = best(5, || encode_persons(&mixed));
    report(
        &format!("encode {count} persons ({} bytes)", bytes.len()),
        took,
        count,
    );
    let (took, _) = best(5, || {
        decode_persons(&bytes, count as u64).expect("it was just written")
    });
    report("decode them", took, count);
    for repeat in [1, 2] {
        let persons = (0..BATCH as Person * repeat)
            .map(|i| 1_000 + i / repeat)
            .collect();
        let bytes = IdentityDelta {
            first_position: 1 << 30,
            persons,
        }
        .to_bytes();
        println!(
            "50,000 new people with {repeat} keys each: {} bytes",
            bytes.len()
        );
    }
}

fn main() {
    let count = std::env::args()
        .nth(1)
        .and_then(|count| count.parse().ok())
        .unwrap_or(10_000_000);
    let only = std::env::args().nth(2);
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    if wanted("keys") {
        keys_of_identifiers();
    }
    if wanted("sets") {
        sets();
    }
    if wanted("columns") {
        columns(count);
    }
    if wanted("dictionary") {
        dictionary(count);
    }
}
