//! Secrets that are shown once: `thr_`, 32 random characters of base 62 (190 bits) and a checksum of 6, so that a typing
//! error is refused without a look-up and scanners can recognise a leaked one.

use crate::{error::Result, random::Random};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: &str = "thr_";
const RANDOM_CHARS: usize = 32;
const CHECKSUM_CHARS: usize = 6;
/// What is kept in clear to recognise a secret by.
const SHOWN_CHARS: usize = 8;

/// A new secret.
pub(crate) fn generate(random: &Random) -> Result<String> {
    let mut text = String::with_capacity(PREFIX.len() + RANDOM_CHARS + CHECKSUM_CHARS);
    text.push_str(PREFIX);
    while text.len() < PREFIX.len() + RANDOM_CHARS {
        // 248 is the largest multiple of 62 in a byte: what is above would favour the first characters.
        for byte in random.bytes::<32>()?.into_iter().filter(|byte| *byte < 248) {
            if text.len() < PREFIX.len() + RANDOM_CHARS {
                text.push(char::from(ALPHABET[usize::from(byte % 62)]));
            }
        }
    }
    let sum = checksum(&text);
    text.push_str(&sum);
    Ok(text)
}

fn checksum(body: &str) -> String {
    let hash = blake3::hash(body.as_bytes());
    let mut value = u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap_or_default());
    let mut text = String::with_capacity(CHECKSUM_CHARS);
    for _ in 0..CHECKSUM_CHARS {
        text.push(char::from(ALPHABET[(value % 62) as usize]));
        value /= 62;
    }
    text
}

/// False for what no server of this kind has made: it need not be looked up.
pub(crate) fn well_formed(text: &str) -> bool {
    let is_whole = text.len() == PREFIX.len() + RANDOM_CHARS + CHECKSUM_CHARS
        && text.starts_with(PREFIX)
        && text
            .bytes()
            .skip(PREFIX.len())
            .all(|byte| byte.is_ascii_alphanumeric());
    is_whole && {
        let (body, sum) = text.split_at(PREFIX.len() + RANDOM_CHARS);
        checksum(body) == sum
    }
}

/// What is stored: the secret has more entropy than the hash could lose, so no salt and no slow hash.
pub(crate) fn hash(secret: &str) -> Vec<u8> {
    blake3::derive_key("throng 2026-11 credential secret", secret.as_bytes()).to_vec()
}

pub(crate) fn shown_prefix(secret: &str) -> String {
    secret.chars().take(SHOWN_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_seen_without_a_look_up() {
        let secret = generate(&Random::seeded(1)).expect("makes a secret");
        assert!(well_formed(&secret));
        assert_eq!(secret.len(), 42);
        let mut typo = secret.clone().into_bytes();
        typo[10] = if typo[10] == b'a' { b'b' } else { b'a' };
        assert!(!well_formed(&String::from_utf8(typo).expect("ascii")));
        assert!(!well_formed(&secret[..41]));
        assert!(!well_formed("thr_é"));
    }

    #[test]
    fn seeded_secrets_repeat_and_others_do_not() {
        let one = |random: Random| generate(&random).expect("makes a secret");
        assert_eq!(one(Random::seeded(7)), one(Random::seeded(7)));
        assert_ne!(one(Random::seeded(7)), one(Random::seeded(8)));
        assert_ne!(one(Random::system()), one(Random::system()));
    }
}
