//! Keys: identifiers hashed with the workspace's secret.
//!
//! Not the normalisation of identifiers, which happens before. Invariant: a key and the secret show nothing of themselves in
//! `Debug`, so that neither ends in a log by accident.

use std::fmt;

use zeroize::Zeroize;

use crate::key_lanes::keys_of;

/// Inputs up to this many bytes (kind, length, namespace and value together) are hashed from one buffer on the stack.
const STACK_BYTES: usize = 192;

/// Sixteen bytes that stand for an identifier: uniformly distributed, and meaningless without the workspace's secret.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash)]
pub struct Key([u8; 16]);

impl Key {
    /// The key with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Key {
        Key(bytes)
    }

    /// The bytes of the key.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The first eight bytes as a number: the part that tables address by.
    pub(crate) fn low(&self) -> u64 {
        u128::from_le_bytes(self.0) as u64
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

/// The workspace's secret that turns identifiers into keys. Its bytes are overwritten when it is dropped.
#[derive(Clone)]
pub struct KeySecret([u8; 32]);

impl KeySecret {
    /// A secret of 32 bytes, which must come from a cryptographic source.
    pub const fn new(bytes: [u8; 32]) -> KeySecret {
        KeySecret(bytes)
    }

    /// The key of an identifier: the first 16 bytes of BLAKE3, keyed with the secret, over the kind, the length of the
    /// namespace as four little-endian bytes, the namespace and the normalised value. The length keeps a namespace from
    /// running into a value.
    ///
    /// A namespace has at most `u32::MAX` bytes.
    pub fn key(&self, kind: u8, namespace: &[u8], value: &[u8]) -> Key {
        let length = (namespace.len() as u32).to_le_bytes();
        let values_at = 5 + namespace.len();
        let total = values_at + value.len();
        let hash = if total <= STACK_BYTES {
            let mut buffer = [0u8; STACK_BYTES];
            buffer[0] = kind;
            buffer[1..5].copy_from_slice(&length);
            buffer[5..values_at].copy_from_slice(namespace);
            buffer[values_at..total].copy_from_slice(value);
            blake3::keyed_hash(&self.0, &buffer[..total])
        } else {
            let mut hasher = blake3::Hasher::new_keyed(&self.0);
            hasher
                .update(&[kind])
                .update(&length)
                .update(namespace)
                .update(value);
            hasher.finalize()
        };
        let mut bytes = [0u8; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        Key(bytes)
    }

    /// Appends the keys of 32-byte values without a namespace, each with its kind: what [`KeySecret::key`] gives for each of
    /// them, several times as fast.
    pub fn keys(&self, values: &[(u8, [u8; 32])], keys: &mut Vec<Key>) {
        keys_of(self, values, keys);
    }

    /// The secret as BLAKE3 takes it: little-endian words.
    pub(crate) fn words(&self) -> [u32; 8] {
        let mut words = [0; 8];
        for (word, bytes) in words.iter_mut().zip(self.0.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        words
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(***)")
    }
}

impl Drop for KeySecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_keyed_hash_of_its_parts() {
        let secret = KeySecret::new([7; 32]);
        for length in [
            0usize,
            1,
            64,
            STACK_BYTES - 8,
            STACK_BYTES - 7,
            STACK_BYTES,
            5000,
        ] {
            let value = vec![b'x'; length];
            let mut whole = vec![3u8, 2, 0, 0, 0, b'n', b's'];
            whole.extend_from_slice(&value);
            let hash = blake3::keyed_hash(&[7; 32], &whole);
            assert_eq!(
                secret.key(3, b"ns", &value).as_bytes()[..],
                hash.as_bytes()[..16]
            );
        }
    }

    #[test]
    fn a_namespace_does_not_run_into_a_value() {
        let secret = KeySecret::new([7; 32]);
        assert_ne!(secret.key(1, b"ab", b"c"), secret.key(1, b"a", b"bc"));
        assert_ne!(secret.key(1, b"", b"c"), secret.key(2, b"", b"c"));
        assert_ne!(
            secret.key(1, b"", b"c"),
            KeySecret::new([8; 32]).key(1, b"", b"c")
        );
    }

    #[test]
    fn debug_shows_nothing() {
        let secret = KeySecret::new([7; 32]);
        assert_eq!(
            format!("{secret:?} {:?}", secret.key(1, b"", b"")),
            "KeySecret(***) Key(***)"
        );
    }
}
