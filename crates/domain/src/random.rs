//! Where secrets and ids get their randomness: the operating system, or a seed where a demo has to repeat itself.

use std::sync::Arc;

use parking_lot::Mutex;
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};

use crate::error::{Error, Result};

/// A source of random bytes; clones share it.
#[derive(Debug, Clone)]
pub struct Random(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded(Arc<Mutex<ChaCha20Rng>>),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Source::System => "System",
            Source::Seeded(_) => "Seeded(***)",
        })
    }
}

impl Random {
    pub fn system() -> Random {
        Random(Source::System)
    }

    /// The same bytes in the same order for the same seed: for demos only, never for secrets of production.
    pub fn seeded(seed: u64) -> Random {
        Random(Source::Seeded(Arc::new(Mutex::new(
            ChaCha20Rng::seed_from_u64(seed),
        ))))
    }

    pub fn bytes<const N: usize>(&self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System => getrandom::fill(&mut bytes).map_err(Error::internal)?,
            Source::Seeded(rng) => rng.lock().fill_bytes(&mut bytes),
        }
        Ok(bytes)
    }
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| {
            [
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]
        })
        .map(char::from)
        .collect()
}
