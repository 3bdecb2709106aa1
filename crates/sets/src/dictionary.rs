//! The dictionary: which person a key belongs to.
//!
//! Shards behind locks of their own, chosen by a byte of the key, so that readers rarely meet the writer and growth moves a
//! 256th at a time. It does not keep positions, nor does it forget by itself. Invariant: a key has at most one person.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Person;
use crate::key::Key;
use crate::key_order::{KeyOrder, SHARD_BITS, shard_of};
use crate::room::Room;
use crate::shard::Shard;
use crate::sync::RwLock;

pub(crate) const SHARDS: usize = 1 << SHARD_BITS;
/// Batches are put in order in pieces of this many keys, so that the order stays in the cache.
const PIECE: usize = 1 << 18;

/// Keys and their persons; every method may be called from any thread.
pub struct Dictionary {
    shards: Box<[RwLock<Shard>]>,
    /// Raised when a key is forgotten or given to another person.
    generation: AtomicU64,
}

impl Default for Dictionary {
    fn default() -> Dictionary {
        Dictionary::new()
    }
}

impl Dictionary {
    /// An empty dictionary in memory.
    pub fn new() -> Dictionary {
        Dictionary::with_room(Room::default())
    }

    /// An empty dictionary whose entries are in files of a folder, which have no names and go with the process. The folder is
    /// this dictionary's alone; it need not be there, and may be deleted at any time.
    pub fn in_folder(folder: &Path) -> Dictionary {
        Dictionary::with_room(Room::in_folder(folder))
    }

    fn with_room(room: Room) -> Dictionary {
        let room = Arc::new(room);
        Dictionary::of_shards((0..SHARDS).map(|_| Shard::new(Arc::clone(&room))))
    }

    /// A dictionary of so many shards as it has.
    pub(crate) fn of_shards(shards: impl Iterator<Item = Shard>) -> Dictionary {
        let shards: Box<[_]> = shards.map(RwLock::new).collect();
        assert_eq!(shards.len(), SHARDS, "a shard for each first byte");
        Dictionary {
            shards,
            generation: AtomicU64::new(0),
        }
    }

    pub(crate) fn shards(&self) -> &[RwLock<Shard>] {
        &self.shards
    }

    /// Makes room for about so many more keys, so that loading them does not grow the tables step by step. More may be added.
    pub fn reserve(&self, more: u64) {
        let even = more.div_ceil(SHARDS as u64);
        // Shards differ by the root of what they hold; four times that is rarely exceeded.
        let share = usize::try_from(even + 4 * even.isqrt()).unwrap_or(usize::MAX);
        for shard in &self.shards {
            shard.write().reserve(share);
        }
    }

    /// How many keys it holds.
    pub fn len(&self) -> u64 {
        self.shards
            .iter()
            .map(|shard| shard.read().len() as u64)
            .sum()
    }

    /// Whether it holds no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The person of a key.
    pub fn get(&self, key: &Key) -> Option<Person> {
        self.shards[shard_of(key)].read().get(key)
    }

    /// Fills `out` with the persons of the keys, in the order of the keys; what `out` held is discarded.
    pub fn get_all(&self, keys: &[Key], out: &mut Vec<Option<Person>>) {
        out.clear();
        out.resize(keys.len(), None);
        for (piece, out) in keys.chunks(PIECE).zip(out.chunks_mut(PIECE)) {
            self.fill(piece, &KeyOrder::of(piece), out);
        }
    }

    /// As [`Dictionary::get_all`], with keys that were put in order before.
    pub(crate) fn get_all_in(&self, keys: &[Key], order: &KeyOrder, out: &mut Vec<Option<Person>>) {
        out.clear();
        out.resize(keys.len(), None);
        self.fill(keys, order, out);
    }

    fn fill(&self, keys: &[Key], order: &KeyOrder, out: &mut [Option<Person>]) {
        let Some(shards) = order.shards() else {
            for (key, person) in keys.iter().zip(out) {
                *person = self.get(key);
            }
            return;
        };
        for (shard, order) in shards {
            self.shards[shard].read().get_all(keys, order, out);
        }
    }

    /// A number that is another once a key was forgotten or given to another person.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Adds a key and answers whether it is new; a key that is there keeps its person.
    pub fn insert(&self, key: Key, person: Person) -> bool {
        self.shards[shard_of(&key)].write().insert(key, person)
    }

    /// Adds each key with the person at the same place and answers how many were new; keys that are there keep theirs.
    ///
    /// # Panics
    ///
    /// When there are not as many persons as keys.
    pub fn insert_all(&self, keys: &[Key], persons: &[Person]) -> u64 {
        assert_eq!(keys.len(), persons.len(), "every key has a person");
        keys.chunks(PIECE)
            .zip(persons.chunks(PIECE))
            .map(|(keys, persons)| self.insert_all_in(keys, persons, &KeyOrder::of(keys)))
            .sum()
    }

    /// As [`Dictionary::insert_all`], with keys that were put in order before.
    pub(crate) fn insert_all_in(&self, keys: &[Key], persons: &[Person], order: &KeyOrder) -> u64 {
        let Some(shards) = order.shards() else {
            let pairs = keys.iter().zip(persons);
            return pairs
                .map(|(key, person)| u64::from(self.insert(*key, *person)))
                .sum();
        };
        let (mut sorted_keys, mut sorted_persons) = (Vec::new(), Vec::new());
        let mut added = 0;
        for (shard, order) in shards {
            sorted_keys.clear();
            sorted_keys.extend(order.iter().map(|index| keys[*index as usize]));
            sorted_persons.clear();
            sorted_persons.extend(order.iter().map(|index| persons[*index as usize]));
            let mut shard = self.shards[shard].write();
            added += shard.insert_all(&sorted_keys, &sorted_persons) as u64;
        }
        added
    }

    /// [`Dictionary::insert_all`] for what is loaded at start: on all cores, each for shards of its own.
    ///
    /// # Panics
    ///
    /// When there are not as many persons as keys.
    pub fn load_all(&self, keys: &[Key], persons: &[Person]) -> u64 {
        assert_eq!(keys.len(), persons.len(), "every key has a person");
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        if threads == 1 || keys.len() < 2 * PIECE {
            return self.insert_all(keys, persons);
        }
        let each = SHARDS.div_ceil(threads);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..SHARDS)
                .step_by(each)
                .map(|first| {
                    scope.spawn(move || {
                        let mine = |key: &&Key| (first..first + each).contains(&shard_of(key));
                        let pairs = keys.iter().zip(persons);
                        let (mine, theirs): (Vec<Key>, Vec<Person>) =
                            pairs.filter(|(key, _)| mine(key)).unzip();
                        self.insert_all(&mine, &theirs)
                    })
                })
                .collect();
            let added = workers.into_iter().map(|worker| worker.join());
            added
                .map(|added| added.expect("inserting does not panic"))
                .sum()
        })
    }

    /// Gives a key to another person; false if the key is not there.
    pub fn set_person(&self, key: &Key, person: Person) -> bool {
        let mut shard = self.shards[shard_of(key)].write();
        self.generation.fetch_add(1, Ordering::AcqRel);
        shard.set_person(key, person)
    }

    /// Forgets a key; false if it is not there.
    pub fn remove(&self, key: &Key) -> bool {
        let mut shard = self.shards[shard_of(key)].write();
        self.generation.fetch_add(1, Ordering::AcqRel);
        shard.remove(key)
    }

    /// Bytes of memory that the dictionary takes, slack included, without what files stand behind.
    pub fn memory_bytes(&self) -> usize {
        let shards = self
            .shards
            .iter()
            .map(|shard| size_of::<RwLock<Shard>>() + shard.read().bytes().0);
        size_of::<Dictionary>() + shards.sum::<usize>()
    }

    /// Bytes of mapped files in use, which the system holds in memory only as long as it has room.
    pub fn mapped_bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().bytes().1).sum()
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dictionary(len {})", self.len())
    }
}
