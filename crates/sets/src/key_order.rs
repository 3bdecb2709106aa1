//! The order in which a batch of keys is looked up and added: roughly that of their homes in the dictionary, so that
//! neighbours in the order are neighbours in memory.
//!
//! It moves no key, it only names their places in the batch. Invariant: the order is a permutation of the batch, and keys of
//! one place keep the order that they have in the batch.

use crate::key::Key;

/// The dictionary's shards are told apart by so many leading bits.
pub(crate) const SHARD_BITS: u32 = 8;
/// Batches are put in order of this many leading bits.
const ORDER_BITS: u32 = 12;
/// Below this many keys, a lock a key is cheaper than an order by shards.
const SMALL: usize = 512;
/// Keys of one place in a small batch, about.
const SMALL_PLACE: usize = 8;

/// An order of the keys of one batch.
#[derive(Debug, Clone)]
pub(crate) struct KeyOrder {
    bits: u32,
    order: Vec<u32>,
    /// Where each place ends in `order`.
    ends: Vec<u32>,
}

/// The place of a key among `1 << bits`.
fn place(key: &Key, bits: u32) -> usize {
    // In two steps, since no bits at all would be a shift by all 64.
    (key.low() >> 1 >> (63 - bits)) as usize
}

/// The shard of a key: the first byte of the number that tables address by. The next four say where in it a key has its home.
pub(crate) fn shard_of(key: &Key) -> usize {
    place(key, SHARD_BITS)
}

impl KeyOrder {
    pub(crate) fn of(keys: &[Key]) -> KeyOrder {
        let bits = if keys.len() < SMALL {
            (keys.len() / SMALL_PLACE).checked_ilog2().unwrap_or(0)
        } else {
            ORDER_BITS
        };
        let mut ends = vec![0u32; 1 << bits];
        for key in keys {
            ends[place(key, bits)] += 1;
        }
        let mut total = 0;
        for end in &mut ends {
            (total, *end) = (total + *end, total);
        }
        let mut order = vec![0u32; keys.len()];
        for (index, key) in keys.iter().enumerate() {
            let end = &mut ends[place(key, bits)];
            order[*end as usize] = index as u32;
            *end += 1;
        }
        KeyOrder { bits, order, ends }
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }

    /// Each shard that some of the keys fall into with the indices of those keys; nothing for a small batch.
    pub(crate) fn shards(&self) -> Option<impl Iterator<Item = (usize, &[u32])>> {
        let width = 1usize.checked_shl(self.bits.checked_sub(SHARD_BITS)?)?;
        let mut start = 0;
        let shards = self.ends.chunks_exact(width).enumerate();
        Some(shards.filter_map(move |(shard, ends)| {
            let end = ends.last().map_or(start, |end| *end as usize);
            let keys = &self.order[start..end];
            start = end;
            (!keys.is_empty()).then_some((shard, keys))
        }))
    }

    /// The indices of the keys of each place.
    pub(crate) fn places(&self) -> impl Iterator<Item = &[u32]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let keys = &self.order[start..*end as usize];
            start = *end as usize;
            keys
        })
    }
}

/// Bits of a filter for each key: one in sixteen of the keys that are not in the batch gets through it.
const FILTER_BITS: usize = 16;

/// Thirty-two bits of each key of a batch, by place: enough to tell which keys are surely not in it.
#[derive(Debug)]
pub(crate) struct Fingerprints {
    bits: u32,
    ends: Vec<u32>,
    prints: Vec<u32>,
    /// A bit for each fingerprint, since most keys that are asked about are in no batch at all.
    filter: Vec<u64>,
}

/// Bits that say nothing of the place.
fn print(key: &Key) -> u32 {
    key.low() as u32
}

/// Where in a filter of so many words, a power of two, a fingerprint has its bit.
fn filtered(print: u32, words: usize) -> (usize, u64) {
    (print as usize >> 6 & (words - 1), 1 << (print & 63))
}

impl Fingerprints {
    pub(crate) fn new(keys: &[Key], order: &KeyOrder) -> Fingerprints {
        let prints = order.order.iter().map(|at| print(&keys[*at as usize]));
        let prints: Vec<u32> = prints.collect();
        let words = (prints.len() * FILTER_BITS / 64).next_power_of_two();
        let mut filter = vec![0; words];
        for print in &prints {
            let (word, bit) = filtered(*print, words);
            filter[word] |= bit;
        }
        Fingerprints {
            bits: order.bits,
            ends: order.ends.clone(),
            prints,
            filter,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.prints.len()
    }

    /// False for a key that is not in the batch; true for one that is, and for one in some hundred millions that is not.
    #[inline]
    pub(crate) fn may_hold(&self, key: &Key) -> bool {
        let print = print(key);
        let (word, bit) = filtered(print, self.filter.len());
        self.filter[word] & bit != 0 && self.has(place(key, self.bits), print)
    }

    #[inline(never)]
    fn has(&self, place: usize, print: u32) -> bool {
        let start = place
            .checked_sub(1)
            .map_or(0, |before| self.ends[before] as usize);
        self.prints[start..self.ends[place] as usize].contains(&print)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(count: u64) -> Vec<Key> {
        let key = |number: u64| {
            let low = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let bytes = u128::from(low) | u128::from(number) << 64;
            Key::from_bytes(bytes.to_le_bytes())
        };
        (0..count).map(key).collect()
    }

    #[test]
    fn an_order_names_every_key_once_and_by_its_shard() {
        for count in [0u64, 1, 7, 8, 100, 511, 512, 5_000] {
            let keys = keys(count);
            let order = KeyOrder::of(&keys);
            let mut named: Vec<u32> = order.places().flatten().copied().collect();
            named.sort_unstable();
            assert!(named.iter().copied().eq(0..count as u32), "{count}");
            for place in order.places() {
                assert!(place.is_sorted(), "{count}");
            }
            let by_shard = order.shards().map(|shards| {
                shards
                    .inspect(|(shard, at)| {
                        assert!(at.iter().all(|at| shard_of(&keys[*at as usize]) == *shard));
                    })
                    .map(|(_, at)| at.len() as u64)
                    .sum::<u64>()
            });
            assert_eq!(by_shard, (count >= 512).then_some(count));
        }
    }

    #[test]
    fn fingerprints_know_their_own_keys() {
        let all = keys(3_000);
        for count in [1, 100, 600, 2_000] {
            let (own, others) = all.split_at(count);
            let prints = Fingerprints::new(own, &KeyOrder::of(own));
            assert_eq!(prints.len(), count);
            assert!(own.iter().all(|key| prints.may_hold(key)));
            assert!(!others.iter().any(|key| prints.may_hold(key)));
        }
    }
}
