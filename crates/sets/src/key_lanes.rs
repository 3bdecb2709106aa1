//! Keys of many 32-byte values at once: BLAKE3 of sixteen of them side by side.
//!
//! Only for messages of one block, without a namespace: what nearly every identifier is. Everything else goes through the
//! `blake3` crate, whose `hash_many` takes whole blocks only. Invariant: each key is what [`KeySecret::key`] gives.

use crate::key::{Key, KeySecret};
use crate::machine::{self, Kernel};

/// Messages side by side.
const LANES: usize = 16;
/// The kind, the length of no namespace, and the value.
const MESSAGE_BYTES: u32 = 1 + 4 + 32;
/// The first words of SHA-256's initial state, section 2.2 of the BLAKE3 paper.
const IV: [u32; 4] = [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a];
/// `CHUNK_START | CHUNK_END | ROOT | KEYED_HASH`: the message is all of its tree.
const FLAGS: u32 = 1 | 2 | 8 | 16;
/// Which word of the message each step of each round takes: the permutation of section 2.2, applied again and again.
const SCHEDULE: [[usize; 16]; 7] = [
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
    [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8],
    [3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1],
    [10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6],
    [12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4],
    [9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7],
    [11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13],
];

/// One word of each message.
type Words = [u32; LANES];

/// The keys of values without a namespace, each with its kind; appended to `keys`.
pub(crate) fn keys_of(secret: &KeySecret, values: &[(u8, [u8; 32])], keys: &mut Vec<Key>) {
    let (whole, rest) = values.as_chunks::<LANES>();
    let rest = if machine::has_wide_vectors() {
        for values in whole {
            keys.extend(machine::run(Lanes { secret, values }));
        }
        rest
    } else {
        values
    };
    keys.extend(
        rest.iter()
            .map(|(kind, value)| secret.key(*kind, b"", value)),
    );
}

struct Lanes<'a> {
    secret: &'a KeySecret,
    values: &'a [(u8, [u8; 32]); LANES],
}

impl Kernel for Lanes<'_> {
    type Output = [Key; LANES];

    #[inline(always)]
    fn run(self) -> [Key; LANES] {
        let mut message = [[0; LANES]; 16];
        for (lane, (kind, value)) in self.values.iter().enumerate() {
            let word = |at: usize| {
                u32::from_le_bytes([value[at], value[at + 1], value[at + 2], value[at + 3]])
            };
            message[0][lane] = u32::from(*kind);
            message[1][lane] = word(0) << 8;
            for (at, words) in message[2..9].iter_mut().enumerate() {
                words[lane] = word(4 * at + 3);
            }
            message[9][lane] = u32::from(value[31]);
        }
        let hashes = compress(&self.secret.words(), &message);
        std::array::from_fn(|lane| {
            let mut bytes = [0; 16];
            for (bytes, words) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(&hashes) {
                *bytes = words[lane].to_le_bytes();
            }
            Key::from_bytes(bytes)
        })
    }
}

/// The first four words of each hash.
#[inline(always)]
fn compress(key: &[u32; 8], message: &[Words; 16]) -> [Words; 4] {
    let mut state = [[0; LANES]; 16];
    for (words, key) in state.iter_mut().zip(key) {
        *words = [*key; LANES];
    }
    for (words, iv) in state[8..].iter_mut().zip(IV) {
        *words = [iv; LANES];
    }
    state[14] = [MESSAGE_BYTES; LANES];
    state[15] = [FLAGS; LANES];
    for order in &SCHEDULE {
        let word = |at: usize| &message[order[at]];
        mix(&mut state, [0, 4, 8, 12], word(0), word(1));
        mix(&mut state, [1, 5, 9, 13], word(2), word(3));
        mix(&mut state, [2, 6, 10, 14], word(4), word(5));
        mix(&mut state, [3, 7, 11, 15], word(6), word(7));
        mix(&mut state, [0, 5, 10, 15], word(8), word(9));
        mix(&mut state, [1, 6, 11, 12], word(10), word(11));
        mix(&mut state, [2, 7, 8, 13], word(12), word(13));
        mix(&mut state, [3, 4, 9, 14], word(14), word(15));
    }
    std::array::from_fn(|word| {
        std::array::from_fn(|lane| state[word][lane] ^ state[word + 8][lane])
    })
}

/// The quarter round of section 2.2. One loop over the lanes, which compilers turn into vectors whole.
#[inline(always)]
fn mix(state: &mut [Words; 16], at: [usize; 4], x: &Words, y: &Words) {
    let [mut first, mut second, mut third, mut fourth] = at.map(|at| state[at]);
    for lane in 0..LANES {
        let (mut a, mut b) = (first[lane], second[lane]);
        let (mut c, mut d) = (third[lane], fourth[lane]);
        a = a.wrapping_add(b).wrapping_add(x[lane]);
        d = (d ^ a).rotate_right(16);
        c = c.wrapping_add(d);
        b = (b ^ c).rotate_right(12);
        a = a.wrapping_add(b).wrapping_add(y[lane]);
        d = (d ^ a).rotate_right(8);
        c = c.wrapping_add(d);
        b = (b ^ c).rotate_right(7);
        (first[lane], second[lane]) = (a, b);
        (third[lane], fourth[lane]) = (c, d);
    }
    for (at, words) in at.into_iter().zip([first, second, third, fourth]) {
        state[at] = words;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Level, run_at};

    fn values(count: usize) -> Vec<(u8, [u8; 32])> {
        let value = |at: usize| {
            let hash = blake3::hash(&at.to_le_bytes());
            (1 + (at % 6) as u8, *hash.as_bytes())
        };
        (0..count).map(value).collect()
    }

    #[test]
    fn side_by_side_is_as_one_by_one() {
        let secret = KeySecret::new(*blake3::hash(b"secret").as_bytes());
        for count in [0, 1, 15, 16, 17, 100] {
            let values = values(count);
            let mut keys = Vec::new();
            keys_of(&secret, &values, &mut keys);
            let one_by_one = values
                .iter()
                .map(|(kind, value)| secret.key(*kind, b"", value));
            assert!(keys.into_iter().eq(one_by_one), "{count}");
        }
    }

    #[test]
    fn every_level_gives_the_same_keys() {
        let secret = KeySecret::new([7; 32]);
        let values = values(LANES);
        let values = values.as_chunks::<LANES>().0[0];
        for level in Level::all() {
            let lanes = Lanes {
                secret: &secret,
                values: &values,
            };
            let keys = run_at(level, lanes);
            let one_by_one = values.map(|(kind, value)| secret.key(kind, b"", &value));
            assert!(keys == one_by_one, "{level:?}");
        }
    }
}
