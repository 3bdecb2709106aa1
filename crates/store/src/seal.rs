//! Sealing: XChaCha20-Poly1305 under the master key or a key derived from a workspace's secret.
//!
//! A sealed value is `nonce (24) ‖ ciphertext ‖ tag (16)`; the associated data says what it is, so that a sealed
//! value cannot be moved to another place and opened there.

use chacha20poly1305::{
    Key, KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, AeadInOut, Payload},
};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::error::Error;

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// The installation's master key: 32 bytes in `master.key`, never in the database.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey([u8; 32]);

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(***)")
    }
}

impl MasterKey {
    pub fn new(bytes: [u8; 32]) -> MasterKey {
        MasterKey(bytes)
    }

    pub fn sealer(&self) -> Sealer {
        Sealer::new(&self.0)
    }

    /// What the database remembers of the key, so that a wrong key is noticed at start and not at first use.
    pub fn fingerprint(&self) -> [u8; 16] {
        let derived = blake3::derive_key("throng 2026-11 master key fingerprint", &self.0);
        let mut short = [0; 16];
        short.copy_from_slice(&derived[..16]);
        short
    }

    pub(crate) fn to_hex(&self) -> String {
        blake3::Hash::from(self.0).to_hex().to_string()
    }

    pub(crate) fn from_hex(text: &str) -> Option<MasterKey> {
        blake3::Hash::from_hex(text.trim())
            .ok()
            .map(|hash| MasterKey(*hash.as_bytes()))
    }
}

/// Seals and opens small values and blocks.
#[derive(Clone)]
pub struct Sealer(XChaCha20Poly1305);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer(***)")
    }
}

impl Sealer {
    pub(crate) fn new(key: &[u8; 32]) -> Sealer {
        Sealer(XChaCha20Poly1305::new(&Key::from(*key)))
    }

    /// Seals `plain` for the place named by `context`.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let mut out = Sealer::room(plain.len());
        out.extend_from_slice(plain);
        self.seal_in(context, &mut out)?;
        Ok(out)
    }

    /// An empty buffer for [`Self::seal_in`], with room for so many bytes: what is to be sealed is appended to it.
    pub(crate) fn room(plain_bytes: usize) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(NONCE_BYTES + plain_bytes + TAG_BYTES);
        buffer.resize(NONCE_BYTES, 0);
        buffer
    }

    /// Seals what was appended to a buffer of [`Self::room`], where it stands: blocks are large.
    pub(crate) fn seal_in(&self, context: &str, buffer: &mut Vec<u8>) -> Result<(), Error> {
        let failed = || Error::Internal("sealing failed".into());
        let (nonce, plain) = buffer
            .split_first_chunk_mut::<NONCE_BYTES>()
            .ok_or_else(failed)?;
        getrandom::fill(nonce).map_err(|error| Error::Internal(error.to_string()))?;
        let tag = self
            .0
            .encrypt_inout_detached(&XNonce::from(*nonce), context.as_bytes(), plain.into())
            .map_err(|_| failed())?;
        buffer.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens what [`Self::seal`] made with the same key and context.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let wrong = || Error::Corrupt(format!("a sealed value does not open ({context})"));
        let (nonce, body) = sealed
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or_else(wrong)?;
        let payload = Payload {
            msg: body,
            aad: context.as_bytes(),
        };
        self.0
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_opens_only_in_its_place_and_with_its_key() {
        let sealer = MasterKey::new([7; 32]).sealer();
        let sealed = sealer.seal("here", b"plain").expect("seals");
        assert_eq!(sealer.open("here", &sealed).expect("opens"), b"plain");
        assert!(sealer.open("there", &sealed).is_err());
        assert!(
            MasterKey::new([8; 32])
                .sealer()
                .open("here", &sealed)
                .is_err()
        );
        assert!(sealer.open("here", &sealed[..10]).is_err());
        assert!(!sealed.windows(5).any(|window| window == b"plain"));
    }

    #[test]
    fn debug_prints_no_secret() {
        let key = MasterKey::new([0x41; 32]);
        assert_eq!(
            format!("{key:?} {:?}", key.sealer()),
            "MasterKey(***) Sealer(***)"
        );
    }
}
