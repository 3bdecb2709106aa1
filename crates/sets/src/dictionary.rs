//! The dictionary: which person a key belongs to.
//!
//! Shards behind locks of their own, chosen by a byte of the key, so that readers rarely meet the writer and growth moves a
//! 256th at a time. It does not keep positions, nor does it forget by itself. Invariant: a key has at most one person.

use std::fmt;

use crate::sync::RwLock;

use crate::Person;
use crate::key::Key;
use crate::shard::Shard;

const SHARD_BITS: u32 = 8;
const SHARDS: usize = 1 << SHARD_BITS;
/// Batches are put in order of this many leading bits.
const ORDER_BITS: u32 = 12;
/// Batches are put in order in pieces of this many keys, so that the order stays in the cache.
const PIECE: usize = 1 << 18;
/// Below this many keys, a lock a key is cheaper than putting them in order.
const SMALL: usize = 512;

/// Keys and their persons; every method may be called from any thread.
pub struct Dictionary {
    shards: Box<[RwLock<Shard>]>,
}

impl Default for Dictionary {
    fn default() -> Dictionary {
        Dictionary::new()
    }
}

impl Dictionary {
    /// An empty dictionary.
    pub fn new() -> Dictionary {
        Dictionary {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
        }
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
        if keys.len() < SMALL {
            out.extend(keys.iter().map(|key| self.get(key)));
            return;
        }
        out.resize(keys.len(), None);
        for (piece, out) in keys.chunks(PIECE).zip(out.chunks_mut(PIECE)) {
            for_each_shard(piece, |shard, order| {
                self.shards[shard].read().get_all(piece, order, out);
            });
        }
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
        let mut added = 0;
        let (mut sorted_keys, mut sorted_persons) = (Vec::new(), Vec::new());
        for (keys, persons) in keys.chunks(PIECE).zip(persons.chunks(PIECE)) {
            for_each_shard(keys, |shard, order| {
                sorted_keys.clear();
                sorted_keys.extend(order.iter().map(|index| keys[*index as usize]));
                sorted_persons.clear();
                sorted_persons.extend(order.iter().map(|index| persons[*index as usize]));
                let mut shard = self.shards[shard].write();
                added += shard.insert_all(&sorted_keys, &sorted_persons) as u64;
            });
        }
        added
    }

    /// Gives a key to another person; false if the key is not there.
    pub fn set_person(&self, key: &Key, person: Person) -> bool {
        self.shards[shard_of(key)].write().set_person(key, person)
    }

    /// Forgets a key; false if it is not there.
    pub fn remove(&self, key: &Key) -> bool {
        self.shards[shard_of(key)].write().remove(key)
    }

    /// Bytes that the dictionary takes, slack included.
    pub fn memory_bytes(&self) -> usize {
        let shards = self
            .shards
            .iter()
            .map(|shard| size_of::<RwLock<Shard>>() + shard.read().memory_bytes());
        size_of::<Dictionary>() + shards.sum::<usize>()
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dictionary(len {})", self.len())
    }
}

/// The first byte of the number that tables address by. The next four say where in its shard a key has its home.
fn shard_of(key: &Key) -> usize {
    (key.low() >> (64 - SHARD_BITS)) as usize
}

/// Calls `visit` with each shard that some of the keys fall into and the indices of those keys, roughly by their homes, so
/// that neighbours in the batch are neighbours in memory.
fn for_each_shard(keys: &[Key], mut visit: impl FnMut(usize, &[u32])) {
    let place = |key: &Key| (key.low() >> (64 - ORDER_BITS)) as usize;
    let mut ends = [0u32; 1 << ORDER_BITS];
    for key in keys {
        ends[place(key)] += 1;
    }
    let mut total = 0;
    for end in &mut ends {
        (total, *end) = (total + *end, total);
    }
    let mut order = vec![0u32; keys.len()];
    for (index, key) in keys.iter().enumerate() {
        let end = &mut ends[place(key)];
        order[*end as usize] = index as u32;
        *end += 1;
    }
    let mut start = 0;
    for (shard, ends) in ends
        .chunks_exact(1 << (ORDER_BITS - SHARD_BITS))
        .enumerate()
    {
        let end = ends.last().map_or(start, |end| *end as usize);
        if end > start {
            visit(shard, &order[start..end]);
        }
        start = end;
    }
}
