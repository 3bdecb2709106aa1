//! One shard of the dictionary: an open-addressed table over an array of keys and persons.
//!
//! The table is made of buckets of eight slots, four bytes a slot: an 8-bit tag of the key and a 24-bit index into `entries`.
//! A key's home bucket is its hash scaled to the number of buckets, so that a table need not be a power of two and grows by a
//! part of itself; a key whose home is full goes to the next bucket with room. A look-up compares eight tags in one word,
//! and nearly always reads one line of the table and one entry. Not thread-safe by itself.
//!
//! Invariant: between a key's home and its bucket every bucket is full; at most four slots in five are taken; indices are
//! dense.

use std::sync::Arc;

use crate::Person;
use crate::entries::{Entries, Entry};
use crate::key::Key;
use crate::machine::prefetch;
use crate::room::Room;

/// The slots of a bucket.
const WIDTH: usize = 8;
/// An index has 24 bits.
pub(crate) const ENTRIES_MAX: usize = 1 << 24;
/// Keys that a batch has under way at once, so that their cache misses overlap.
const AHEAD: usize = 32;
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = ONES << 7;

/// Eight slots; 32 bytes, so that none spans two cache lines. A slot with tag 0 is empty.
#[derive(Clone, Copy, Default)]
#[repr(align(32))]
pub(crate) struct Bucket {
    tags: u64,
    high: u64,
    low: [u16; WIDTH],
}

impl Bucket {
    fn to_bytes(self) -> [u8; BUCKET_BYTES] {
        let mut bytes = [0; BUCKET_BYTES];
        bytes[..8].copy_from_slice(&self.tags.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.high.to_le_bytes());
        for (bytes, low) in bytes[16..].chunks_exact_mut(2).zip(self.low) {
            bytes.copy_from_slice(&low.to_le_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; BUCKET_BYTES]) -> Bucket {
        let (words, _) = bytes.as_chunks::<8>();
        let (halves, _) = bytes.as_chunks::<2>();
        let mut bucket = Bucket {
            tags: u64::from_le_bytes(words[0]),
            high: u64::from_le_bytes(words[1]),
            low: [0; WIDTH],
        };
        for (low, half) in bucket.low.iter_mut().zip(&halves[8..]) {
            *low = u16::from_le_bytes(*half);
        }
        bucket
    }

    /// The slots with this tag, as the high bits of their bytes; rarely one too many, which comparing keys sorts out.
    fn matches(&self, tag: u8) -> u64 {
        let differences = self.tags ^ (u64::from(tag) * ONES);
        differences.wrapping_sub(ONES) & !differences & HIGHS
    }

    /// The first empty slot.
    fn vacancy(&self) -> Option<usize> {
        let empty = self.tags.wrapping_sub(ONES) & !self.tags & HIGHS;
        (empty != 0).then(|| slot_of(empty))
    }

    fn is_full(&self) -> bool {
        self.vacancy().is_none()
    }

    fn index(&self, slot: usize) -> usize {
        let high = (self.high >> (8 * slot)) as u8;
        usize::from(high) << 16 | usize::from(self.low[slot])
    }

    fn set(&mut self, slot: usize, tag: u8, index: usize) {
        let shift = 8 * slot;
        self.tags = self.tags & !(0xff << shift) | u64::from(tag) << shift;
        self.high = self.high & !(0xff << shift) | (index as u64 >> 16) << shift;
        self.low[slot] = index as u16;
    }
}

/// The first slot of a mask of high bits.
fn slot_of(mask: u64) -> usize {
    mask.trailing_zeros() as usize / 8
}

/// The bytes of a bucket in a file.
pub(crate) const BUCKET_BYTES: usize = size_of::<Bucket>();

/// Where a key may be, by its home bucket.
#[derive(Clone, Copy)]
enum Candidate {
    At(usize),
    /// The bucket is full, and the key went past it if it is there.
    Elsewhere,
    Absent,
}

/// Keys and their persons.
#[derive(Default)]
pub(crate) struct Shard {
    buckets: Vec<Bucket>,
    entries: Entries,
    room: Arc<Room>,
    /// How often an entry that was there was changed in place or taken out.
    changes: u64,
}

/// The tag of a key: never 0.
fn tag(key: &Key) -> u8 {
    (key.low() as u8).max(1)
}

impl Shard {
    /// An empty shard that takes its pages from `room`.
    pub(crate) fn new(room: Arc<Room>) -> Shard {
        Shard {
            room,
            ..Shard::default()
        }
    }

    /// A shard as it was saved: what [`Shard::table`] gave, and the entries.
    pub(crate) fn of_parts(buckets: Vec<Bucket>, entries: Entries, room: Arc<Room>) -> Shard {
        Shard {
            buckets,
            entries,
            room,
            changes: 0,
        }
    }

    pub(crate) fn entries(&self) -> &Entries {
        &self.entries
    }

    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// Appends the table as bytes, [`BUCKET_BYTES`] a bucket.
    pub(crate) fn table(&self, out: &mut Vec<u8>) {
        out.reserve(self.buckets.len() * BUCKET_BYTES);
        out.extend(self.buckets.iter().copied().flat_map(Bucket::to_bytes));
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The bucket that a key belongs into; 0 in an empty table.
    fn home(&self, key: &Key) -> usize {
        let hash = key.low() >> 24 & 0xffff_ffff;
        ((hash * self.buckets.len() as u64) >> 32) as usize
    }

    fn after(&self, bucket: usize) -> usize {
        if bucket + 1 == self.buckets.len() {
            0
        } else {
            bucket + 1
        }
    }

    /// The bucket, the slot and the index of a key; else the bucket and the slot where it would go.
    fn find(&self, key: &Key) -> Result<(usize, usize, usize), (usize, usize)> {
        let tag = tag(key);
        let mut at = self.home(key);
        loop {
            let bucket = &self.buckets[at];
            let mut matches = bucket.matches(tag);
            while matches != 0 {
                let slot = slot_of(matches);
                let index = bucket.index(slot);
                if self.entries.entry(index).key == *key {
                    return Ok((at, slot, index));
                }
                matches &= matches - 1;
            }
            if let Some(slot) = bucket.vacancy() {
                return Err((at, slot));
            }
            at = self.after(at);
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Person> {
        if self.buckets.is_empty() {
            return None;
        }
        self.find(key)
            .ok()
            .map(|(_, _, index)| self.entries.entry(index).person)
    }

    /// Puts the person of each key that `order` names at the same place of `out`.
    ///
    /// In passes over a few keys at a time: the first asks for buckets, the second reads them and asks for entries, the third
    /// reads those. So the misses of many keys overlap.
    pub(crate) fn get_all(&self, keys: &[Key], order: &[u32], out: &mut [Option<Person>]) {
        if self.buckets.is_empty() {
            return;
        }
        let mut candidates = [Candidate::Absent; AHEAD];
        self.prefetch(order.iter().take(AHEAD).map(|place| &keys[*place as usize]));
        for (number, order_now) in order.chunks(AHEAD).enumerate() {
            let later = order.get((number + 1) * AHEAD..).unwrap_or_default();
            self.prefetch(later.iter().take(AHEAD).map(|place| &keys[*place as usize]));
            for (candidate, place) in candidates.iter_mut().zip(order_now) {
                let key = &keys[*place as usize];
                let bucket = &self.buckets[self.home(key)];
                let matches = bucket.matches(tag(key));
                *candidate = if matches != 0 {
                    let index = bucket.index(slot_of(matches));
                    self.entries.prefetch(index);
                    Candidate::At(index)
                } else if bucket.is_full() {
                    Candidate::Elsewhere
                } else {
                    Candidate::Absent
                };
            }
            for (candidate, place) in candidates.iter().zip(order_now) {
                let key = &keys[*place as usize];
                out[*place as usize] = match candidate {
                    Candidate::Absent => None,
                    Candidate::At(index) => match self.entries.get(*index) {
                        Some(entry) if entry.key == *key => Some(entry.person),
                        _ => self.get(key),
                    },
                    Candidate::Elsewhere => self.get(key),
                };
            }
        }
    }

    /// Asks for the home buckets of keys.
    fn prefetch<'k>(&self, keys: impl Iterator<Item = &'k Key>) {
        for key in keys {
            if let Some(bucket) = self.buckets.get(self.home(key)) {
                prefetch(bucket);
            }
        }
    }

    /// Adds a key; a key that is there keeps its person.
    pub(crate) fn insert(&mut self, key: Key, person: Person) -> bool {
        self.make_room(1);
        let Err((bucket, slot)) = self.find(&key) else {
            return false;
        };
        let index = self.entries.len();
        self.buckets[bucket].set(slot, tag(&key), index);
        self.entries.push(Entry { key, person }, &self.room);
        true
    }

    /// Adds keys with their persons and answers how many were new; a key that is there keeps its person.
    pub(crate) fn insert_all(&mut self, keys: &[Key], persons: &[Person]) -> usize {
        let before = self.len();
        self.make_room(keys.len());
        self.prefetch(keys.iter().take(AHEAD));
        let pieces = keys.chunks(AHEAD).zip(persons.chunks(AHEAD));
        for (number, (now, persons)) in pieces.enumerate() {
            let later = keys.get((number + 1) * AHEAD..).unwrap_or_default();
            self.prefetch(later.iter().take(AHEAD));
            for (key, person) in now.iter().zip(persons) {
                self.insert(*key, *person);
            }
        }
        self.len() - before
    }

    /// Gives a key that is there another person.
    pub(crate) fn set_person(&mut self, key: &Key, person: Person) -> bool {
        if self.buckets.is_empty() {
            return false;
        }
        let Ok((_, _, index)) = self.find(key) else {
            return false;
        };
        self.changes += 1;
        self.entries.set(index, Entry { key: *key, person });
        true
    }

    pub(crate) fn remove(&mut self, key: &Key) -> bool {
        if self.buckets.is_empty() {
            return false;
        }
        let Ok((bucket, slot, index)) = self.find(key) else {
            return false;
        };
        self.changes += 1;
        self.vacate(bucket, slot);
        let last = self.entries.len() - 1;
        if index != last {
            let moved = self.entries.entry(last).key;
            if let Ok((bucket, slot, _)) = self.find(&moved) {
                self.buckets[bucket].set(slot, tag(&moved), index);
            }
        }
        self.entries.swap_remove(index);
        true
    }

    /// Empties a slot, and moves back into it what had to pass by its bucket; then the same for the slot that this empties.
    fn vacate(&mut self, bucket: usize, slot: usize) {
        let count = self.buckets.len();
        let distance = |from: usize, to: usize| {
            if to >= from {
                to - from
            } else {
                to + count - from
            }
        };
        let (mut hole, mut hole_slot) = (bucket, slot);
        let mut was_full = self.buckets[bucket].is_full();
        self.buckets[bucket].set(slot, 0, 0);
        let mut at = bucket;
        // Nothing passed by a bucket with room. There is one, since one slot in five is empty.
        while was_full {
            at = self.after(at);
            if at == hole {
                break;
            }
            was_full = self.buckets[at].is_full();
            let passed = (0..WIDTH).find(|slot| {
                let taken = self.buckets[at].tags >> (8 * slot) & 0xff != 0;
                taken && {
                    let entry = self.entries.entry(self.buckets[at].index(*slot));
                    distance(self.home(&entry.key), at) >= distance(hole, at)
                }
            });
            if let Some(from) = passed {
                let index = self.buckets[at].index(from);
                self.buckets[hole].set(hole_slot, tag(&self.entries.entry(index).key), index);
                self.buckets[at].set(from, 0, 0);
                (hole, hole_slot) = (at, from);
            }
        }
    }

    /// Makes room for so many more keys, if there can be so many.
    pub(crate) fn reserve(&mut self, more: usize) {
        self.make_room(more.min(ENTRIES_MAX - self.entries.len()));
    }

    /// Makes room in the table for so many more keys: it grows by two fifths at least.
    fn make_room(&mut self, more: usize) {
        let len = self.entries.len() + more;
        assert!(len <= ENTRIES_MAX, "a shard of the dictionary is full");
        if len * 5 > self.buckets.len() * WIDTH * 4 {
            let least = (len * 5).div_ceil(WIDTH * 4);
            self.grow(least.max(self.buckets.len() * 7 / 5).max(2));
        }
    }

    /// Builds the table anew, with so many buckets.
    fn grow(&mut self, count: usize) {
        self.buckets = Vec::new();
        self.buckets = vec![Bucket::default(); count];
        for index in 0..self.entries.len() {
            let key = self.entries.entry(index).key;
            let mut at = self.home(&key);
            loop {
                if let Some(slot) = self.buckets[at].vacancy() {
                    self.buckets[at].set(slot, tag(&key), index);
                    break;
                }
                at = self.after(at);
            }
        }
    }

    /// Bytes that the shard takes of memory, and of mapped files.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        let (heap, mapped) = self.entries.bytes();
        (self.buckets.capacity() * size_of::<Bucket>() + heap, mapped)
    }
}
