//! A hasher for maps keyed by [`Key`](crate::Key), and one for nothing else.
//!
//! Keys are keyed hashes already: nobody without the secret can choose them, so eight of their bytes are as good as any hash.
//! Invariant: equal keys hash alike.

use std::hash::{BuildHasherDefault, Hasher};

/// Builds [`KeyHasher`]s.
pub(crate) type KeyHashBuilder = BuildHasherDefault<KeyHasher>;

/// Takes the last eight bytes that it is fed.
#[derive(Debug, Default, Clone)]
pub(crate) struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(tail) = bytes.last_chunk::<8>() {
            self.0 = u64::from_le_bytes(*tail);
        }
    }

    // The length prefix of an array carries nothing.
    fn write_usize(&mut self, _: usize) {}
}
