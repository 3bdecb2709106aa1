//! Measures the dictionary at a size: `cargo run --release -p throng-sets --example measure_dictionary [count [folder [part]]]`.
//!
//! Memory is RssAnon of this process, apart from what files stand behind, so run one part
//! (`ingest`, `start`, `again`) at a time. Without a folder, everything is in memory. Not a
//! test: it asserts no time. Invariant: the keys are the same each time.
#![expect(clippy::print_stdout, reason = "figures are what it is for")]

use std::path::Path;
use std::time::Instant;

use throng_sets::{CacheKey, CacheStamp, Dictionary, Key, Person};

const BATCH: usize = 50_000;
const PIECE: usize = 1 << 20;

/// The key of a number: two rounds of splitmix64.
fn key(number: u64) -> Key {
    let mix = |number: u64| {
        let a = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ a >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        b ^ b >> 31
    };
    let low = mix(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    Key::from_bytes((u128::from(mix(!low)) << 64 | u128::from(low)).to_le_bytes())
}

fn keys(first: u64, count: usize) -> (Vec<Key>, Vec<Person>) {
    (first..first + count as u64)
        .map(|number| (key(number), number as Person + 1))
        .unzip()
}

/// A line of this process's status, in bytes.
fn status(name: &str) -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    number.unwrap_or(0.0) * 1024.0
}

fn memory(what: &str, count: u64) {
    let anonymous = status("RssAnon:") / count as f64;
    let files = status("RssFile:") / count as f64;
    println!("{what}: {anonymous:.2} bytes a key of memory, {files:.2} of mapped files");
}

fn rate(what: &str, start: Instant, count: u64) {
    let took = start.elapsed().as_secs_f64();
    println!(
        "{what}: {took:.3} s, {:.1} ns a key",
        took * 1e9 / count as f64
    );
}

fn look_up(dictionary: &Dictionary, count: u64) {
    let mut found = Vec::new();
    let batches: Vec<Vec<Key>> = (0..20u64)
        .map(|batch| {
            (0..BATCH as u64)
                .map(|number| key((batch * 7_919 + number).wrapping_mul(2_654_435_761) % count))
                .collect()
        })
        .collect();
    let start = Instant::now();
    for batch in &batches {
        dictionary.get_all(batch, &mut found);
        assert!(found.iter().all(Option::is_some), "every key is there");
    }
    rate("look up known keys by 50,000", start, 20 * BATCH as u64);
    let strangers: Vec<Key> = (0..BATCH as u64)
        .map(|number| key(u64::MAX - number))
        .collect();
    let start = Instant::now();
    dictionary.get_all(&strangers, &mut found);
    assert!(found.iter().all(Option::is_none), "no key is there");
    rate("look up 50,000 unknown keys", start, BATCH as u64);
}

fn empty(folder: Option<&Path>) -> Dictionary {
    folder.map_or_else(Dictionary::new, |folder| {
        Dictionary::in_folder(&folder.join("room"))
    })
}

fn ingest(count: u64, folder: Option<&Path>) {
    let dictionary = empty(folder);
    let mut took = 0.0;
    for first in (0..count).step_by(BATCH) {
        let (keys, persons) = keys(first, BATCH);
        let start = Instant::now();
        dictionary.insert_all(&keys, &persons);
        took += start.elapsed().as_secs_f64();
    }
    println!(
        "insert by 50,000: {took:.3} s, {:.1} ns a key",
        took * 1e9 / count as f64
    );
    memory("after inserting by 50,000", count);
    look_up(&dictionary, count);
}

fn start(count: u64, folder: Option<&Path>) {
    let dictionary = empty(folder);
    dictionary.reserve(count);
    let mut took = 0.0;
    for first in (0..count).step_by(PIECE) {
        let (keys, persons) = keys(first, PIECE.min((count - first) as usize));
        let start = Instant::now();
        dictionary.load_all(&keys, &persons);
        took += start.elapsed().as_secs_f64();
    }
    println!(
        "load by {PIECE}, on all cores: {took:.3} s, {:.1} ns a key",
        took * 1e9 / count as f64
    );
    memory("after loading", count);
    let Some(folder) = folder else { return };
    let (path, secret) = (folder.join("keys"), CacheKey::new([7; 32]));
    let stamp = CacheStamp {
        database: "measured".into(),
        epoch: 0,
        workspace: 1,
        seq: 1,
        hash: [0; 32],
        complete: count,
        until: count,
    };
    let clock = Instant::now();
    let saved = dictionary.save(&path, &secret, &|| true, &mut || Some(stamp.clone()));
    assert!(saved.expect("it is saved"));
    rate("save", clock, count);
}

fn again(count: u64, folder: &Path) {
    let (path, secret) = (folder.join("keys"), CacheKey::new([7; 32]));
    let clock = Instant::now();
    let loaded = Dictionary::load(&path, &secret, &folder.join("room"), &mut |_| true);
    rate("start from the saved file", clock, count);
    let (dictionary, _) = loaded.expect("it was just saved");
    memory("after the start", count);
    look_up(&dictionary, count);
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().and_then(|count| count.parse().ok());
    let count = count.unwrap_or(10_000_000);
    let folder = arguments.next();
    let folder = folder.as_deref().map(Path::new);
    let only = arguments.next();
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    if wanted("ingest") {
        ingest(count, folder);
    }
    if wanted("start") {
        start(count, folder);
    }
    if let Some(folder) = folder.filter(|_| wanted("again")) {
        again(count, folder);
    }
}
