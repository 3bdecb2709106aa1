//! One shard of the dictionary: open addressing over flat arrays.
//!
//! A slot is 32 bits: an 8-bit tag of the key and a 24-bit index into `keys` and `persons`. A key's home is its hash scaled to
//! the number of slots, so that tables need not be powers of two and grow by a part of themselves. Not thread-safe by itself.
//!
//! Invariant: every key's slot is reachable from its home without crossing an empty slot; at most four in five slots are
//! taken; indices are dense.

use crate::Person;
use crate::key::Key;

const EMPTY: u32 = u32::MAX;
const INDEX_BITS: u32 = 24;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
/// One less than the indices there are, so that no taken slot looks empty.
const KEYS_MAX: usize = INDEX_MASK as usize;

/// Keys and their persons.
#[derive(Default)]
pub(crate) struct Shard {
    slots: Vec<u32>,
    keys: Vec<Key>,
    persons: Vec<Person>,
}

/// The tag of a key, in the place where a slot has it.
fn tag(key: &Key) -> u32 {
    (key.low() >> 32) as u32 & 0xff_u32
}

impl Shard {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The first slot to look at. The table must not be empty.
    fn home(&self, key: &Key) -> usize {
        let hash = key.low() as u32;
        ((u64::from(hash) * self.slots.len() as u64) >> 32) as usize
    }

    fn after(&self, slot: usize) -> usize {
        if slot + 1 == self.slots.len() {
            0
        } else {
            slot + 1
        }
    }

    /// The slot and the index of a key.
    fn find(&self, key: &Key) -> Option<(usize, usize)> {
        if self.slots.is_empty() {
            return None;
        }
        let tag = tag(key);
        let mut at = self.home(key);
        loop {
            let slot = self.slots[at];
            if slot == EMPTY {
                return None;
            }
            let index = (slot & INDEX_MASK) as usize;
            if slot >> INDEX_BITS == tag && self.keys[index] == *key {
                return Some((at, index));
            }
            at = self.after(at);
        }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Person> {
        self.find(key).map(|(_, index)| self.persons[index])
    }

    /// Adds a key; a key that is there keeps its person.
    pub(crate) fn insert(&mut self, key: Key, person: Person) -> bool {
        if self.find(&key).is_some() {
            return false;
        }
        let index = self.keys.len();
        assert!(index < KEYS_MAX, "a shard of the dictionary is full");
        self.make_room(1);
        self.keys.push(key);
        self.persons.push(person);
        self.place(index);
        true
    }

    /// Gives a key that is there another person.
    pub(crate) fn set_person(&mut self, key: &Key, person: Person) -> bool {
        let Some((_, index)) = self.find(key) else {
            return false;
        };
        self.persons[index] = person;
        true
    }

    pub(crate) fn remove(&mut self, key: &Key) -> bool {
        let Some((slot, index)) = self.find(key) else {
            return false;
        };
        self.vacate(slot);
        let last = self.keys.len() - 1;
        if index != last {
            let mut at = self.home(&self.keys[last]);
            while (self.slots[at] & INDEX_MASK) as usize != last {
                at = self.after(at);
            }
            self.slots[at] = self.slots[at] & !INDEX_MASK | index as u32;
        }
        self.keys.swap_remove(index);
        self.persons.swap_remove(index);
        true
    }

    /// Empties a slot and moves later ones back over it where they may.
    fn vacate(&mut self, slot: usize) {
        let count = self.slots.len();
        let distance = |from: usize, to: usize| {
            if to >= from {
                to - from
            } else {
                to + count - from
            }
        };
        let (mut hole, mut at) = (slot, self.after(slot));
        while self.slots[at] != EMPTY {
            let home = self.home(&self.keys[(self.slots[at] & INDEX_MASK) as usize]);
            if distance(home, at) >= distance(hole, at) {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
            at = self.after(at);
        }
        self.slots[hole] = EMPTY;
    }

    /// Puts the key at `index` into the first empty slot from its home on.
    fn place(&mut self, index: usize) {
        let key = self.keys[index];
        let mut at = self.home(&key);
        while self.slots[at] != EMPTY {
            at = self.after(at);
        }
        self.slots[at] = tag(&key) << INDEX_BITS | index as u32;
    }

    /// Makes room for so many more keys: the arrays by an eighth, the slots by two fifths.
    pub(crate) fn make_room(&mut self, more: usize) {
        let len = self.keys.len() + more;
        if self.keys.capacity() < len {
            let extra = more.max(self.keys.len() / 8).max(16);
            self.keys.reserve_exact(extra);
            self.persons.reserve_exact(extra);
        }
        if len * 5 > self.slots.len() * 4 {
            let count = (len * 5 / 4 + 1).max(self.slots.len() * 7 / 5).max(32);
            self.slots = Vec::new();
            self.slots.resize(count, EMPTY);
            for index in 0..self.keys.len() {
                self.place(index);
            }
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<u32>()
            + self.keys.capacity() * size_of::<Key>()
            + self.persons.capacity() * size_of::<Person>()
    }
}
