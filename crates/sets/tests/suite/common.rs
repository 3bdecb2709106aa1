//! What the tests of this crate share: repeatable numbers, and sets of every shape.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use throng_sets::{Home, Key, Owner, Person, Rebuild, Set, SetDelta, SetId, SetOp, Shelf};

/// A log in memory, from which sets are rebuilt as they are from the database.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<LogInner>);

#[derive(Debug, Default)]
struct LogInner {
    rows: Mutex<Vec<(u64, SetDelta)>>,
    rebuilt: AtomicU64,
    /// While it is not 0, it answers nothing.
    down: AtomicU64,
}

impl Log {
    pub fn append(&self, seq: u64, sets: &[SetDelta]) {
        let mut rows = self.0.rows.lock().expect("nobody panicked");
        rows.extend(sets.iter().map(|set| (seq, set.clone())));
    }

    /// How often a set was rebuilt.
    pub fn rebuilt(&self) -> u64 {
        self.0.rebuilt.load(Ordering::Relaxed)
    }

    pub fn set_down(&self, down: bool) {
        self.0.down.store(down.into(), Ordering::Relaxed);
    }

    pub fn home(&self, shelf: &Arc<Shelf>, folder: &Path) -> Home {
        let owner = Owner {
            mark: [1; 32],
            key: [2; 32],
        };
        let folder = Some(folder.to_owned());
        Home::new(Arc::clone(shelf), folder, owner, Box::new(self.clone()))
    }
}

impl Rebuild for Log {
    fn change_hash(&self, seq: u64) -> Result<[u8; 32], String> {
        let mut hash = [3; 32];
        hash[..8].copy_from_slice(&seq.to_le_bytes());
        Ok(hash)
    }

    fn rebuild(&self, set: SetId, version: u64) -> Result<Set, String> {
        if self.0.down.load(Ordering::Relaxed) != 0 {
            return Err("the log is down".into());
        }
        self.0.rebuilt.fetch_add(1, Ordering::Relaxed);
        let mut members = Set::new();
        let rows = self.0.rows.lock().expect("nobody panicked");
        for (_, delta) in rows
            .iter()
            .filter(|(seq, delta)| delta.set == set && *seq <= version)
        {
            if delta.op == SetOp::Drop {
                members = Set::new();
            }
            members.remove_all(&delta.removed);
            members.insert_all(&delta.added);
        }
        // Not shared with the log, or it would be held by it.
        Ok(Set::from_bytes(&members.to_bytes()).expect("was just written"))
    }
}

/// Deletes a file, cuts the next short, flips a bit of the next, leaves the next as it is, and so on.
pub fn damage_files(folder: &Path, seed: u64) {
    let mut numbers = Numbers(seed);
    let files = std::fs::read_dir(folder).expect("lists");
    for file in files.map(|file| file.expect("lists").path()) {
        let mut bytes = std::fs::read(&file).expect("reads");
        let at = numbers.next() as usize % bytes.len();
        match numbers.next() % 4 {
            0 => std::fs::remove_file(&file).expect("is removed"),
            1 => {
                bytes.truncate(at);
                std::fs::write(&file, &bytes).expect("is written");
            }
            2 => {
                bytes[at] ^= 1 << (numbers.next() % 8);
                std::fs::write(&file, &bytes).expect("is written");
            }
            _ => {}
        }
    }
}

/// A stream of numbers that is the same each time (splitmix64).
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let a = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let b = (a ^ (a >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        b ^ (b >> 31)
    }

    pub fn key(&mut self) -> Key {
        let bits = u128::from(self.next()) << 64 | u128::from(self.next());
        Key::from_bytes(bits.to_le_bytes())
    }
}

/// A key that is the same for the same number.
pub fn key(number: u64) -> Key {
    Numbers(number).key()
}

/// A part of a set, within one chunk or across the border of two.
#[derive(Debug, Clone)]
pub enum Piece {
    One(Person),
    Range {
        first: Person,
        count: u32,
    },
    Every {
        first: Person,
        step: u32,
        count: u32,
    },
    Scatter {
        chunk: u32,
        seed: u64,
        count: u32,
    },
}

impl Piece {
    fn persons(&self) -> Vec<Person> {
        match *self {
            Piece::One(person) => vec![person],
            Piece::Range { first, count } => {
                (0..count).map_while(|i| first.checked_add(i)).collect()
            }
            Piece::Every { first, step, count } => (0..count)
                .map_while(|i| first.checked_add(i * step))
                .collect(),
            Piece::Scatter { chunk, seed, count } => {
                let mut numbers = Numbers(seed);
                (0..count)
                    .map(|_| chunk << 16 | (numbers.next() as u32 & 0xffff))
                    .collect()
            }
        }
    }
}

/// Chunks near each other, so that sets meet, and the last there is.
fn chunk() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0..3u32, 1 => Just(7u32), 1 => Just(0xffffu32)]
}

fn person() -> impl Strategy<Value = Person> {
    (
        chunk(),
        prop_oneof![3 => 0..=0xffffu32, 1 => Just(0), 1 => Just(0xffff), 1 => 0..200u32],
    )
        .prop_map(|(chunk, low)| chunk << 16 | low)
}

pub fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        person().prop_map(Piece::One),
        (person(), 1..300u32).prop_map(|(first, count)| Piece::Range { first, count }),
        (person(), 1..80_000u32).prop_map(|(first, count)| Piece::Range { first, count }),
        chunk().prop_map(|chunk| Piece::Range {
            first: chunk << 16,
            count: 1 << 16
        }),
        (person(), 2..9u32, 1..6000u32).prop_map(|(first, step, count)| Piece::Every {
            first,
            step,
            count
        }),
        (
            chunk(),
            any::<u64>(),
            prop_oneof![1..300u32, 3000..6000u32, 20_000..60_000u32]
        )
            .prop_map(|(chunk, seed, count)| Piece::Scatter { chunk, seed, count }),
    ]
}

pub fn persons_of(pieces: &[Piece]) -> BTreeSet<Person> {
    pieces.iter().flat_map(Piece::persons).collect()
}

/// Sets of arrays, bitmaps and runs, and what is in them.
pub fn persons() -> impl Strategy<Value = BTreeSet<Person>> {
    prop::collection::vec(piece(), 0..5).prop_map(|pieces| persons_of(&pieces))
}

/// The same set by another road, so that its containers may have other shapes.
pub fn set_by_parts(persons: &BTreeSet<Person>) -> Set {
    let mut set = Set::new();
    let (mut low, mut high) = (Vec::new(), Vec::new());
    for person in persons {
        if person & 0x1000 == 0 {
            low.push(*person)
        } else {
            high.push(*person)
        }
    }
    set.insert_all(&Set::from_sorted(&high));
    set.insert_all(&Set::from_sorted(&low));
    set
}

pub fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}
