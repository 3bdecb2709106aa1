//! The people that a request names, with the keys of their identifiers, ready for a command or a read.
//!
//! What takes time (normalising, hashing, looking keys up, finding repeated ones) happens here, before the command. It
//! decides nothing: who holds a key is settled by the command. Invariant: the keys of a person follow on one another.

use sets::{Key, KeyBatch, KeySecret};
use store::{Identifiers, Lookup};

use crate::{
    identifier::{Invalid, Kind, Normal, normalise},
    limits,
};

/// The people of one request, each with the keys of their identifiers; ready for a command.
#[derive(Debug, Default, Clone)]
pub struct Batch {
    pub(crate) keys: KeyBatch,
    pub(crate) kinds: Vec<Kind>,
    /// For each key the identifier that gave it, as received; empty for the further keys of one identifier.
    pub(crate) received: Identifiers,
    /// For each person where its keys end.
    pub(crate) people: Vec<u32>,
    /// Identifiers that are well formed, repeated ones included.
    pub valid: u64,
    pub invalid: u64,
    /// The first invalid identifiers, shortened; for the answer only, never for a log.
    pub invalid_sample: Vec<String>,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// How much work the batch is, for the committer's groups.
    pub(crate) fn weight(&self) -> usize {
        self.keys().len().max(1)
    }

    pub(crate) fn keys(&self) -> &[Key] {
        self.keys.keys()
    }
}

/// Builds a [`Batch`] identifier by identifier.
#[derive(Debug)]
pub struct BatchBuilder {
    secret: KeySecret,
    lookup: Option<Lookup>,
    keys: Vec<Key>,
    /// Keys that are still to be hashed, which goes faster for many: where they belong, and of what.
    waiting: Vec<u32>,
    values: Vec<(u8, [u8; 32])>,
    batch: Batch,
}

/// So many are hashed at once: what stays in the nearest cache.
const HASHED_AT_ONCE: usize = 512;

impl BatchBuilder {
    pub(crate) fn new(lookup: Lookup, identifiers: usize) -> BatchBuilder {
        let mut builder = BatchBuilder::with_secret(lookup.secret().clone(), identifiers);
        builder.lookup = Some(lookup);
        builder
    }

    pub(crate) fn with_secret(secret: KeySecret, identifiers: usize) -> BatchBuilder {
        BatchBuilder {
            secret,
            lookup: None,
            keys: Vec::with_capacity(identifiers),
            waiting: Vec::new(),
            values: Vec::new(),
            batch: Batch {
                kinds: Vec::with_capacity(identifiers),
                people: Vec::with_capacity(identifiers),
                ..Batch::default()
            },
        }
    }

    /// Adds an identifier as a person of its own; an invalid one is counted and sampled.
    pub fn push(&mut self, kind: Kind, namespace: &str, value: &str) {
        match self.identifier(kind, namespace, value) {
            Ok(()) => self.end_person(),
            Err(_) => self.note_invalid(value),
        }
    }

    /// Adds an identifier to the person at hand.
    pub fn identifier(&mut self, kind: Kind, namespace: &str, value: &str) -> Result<(), Invalid> {
        let found = normalise(kind, value)?;
        let namespace = if kind.needs_namespace() {
            namespace.trim()
        } else {
            ""
        };
        if kind.needs_namespace()
            && (namespace.is_empty() || namespace.len() > usize::from(u8::MAX))
        {
            return Err(Invalid(
                "this kind of identifier needs a namespace of 1 to 255 bytes",
            ));
        }
        let (form, received) = found.received(value.trim());
        let head = [kind as u8, namespace.len() as u8];
        let parts = [&head, namespace.as_bytes(), &[form], received];
        self.batch.received.push(&parts);
        match &found {
            Normal::Address { sha256, md5_sha256 } => {
                self.batch.received.push(&[]);
                self.hashed(kind, *sha256);
                self.hashed(kind, *md5_sha256);
            }
            Normal::Md5 {
                md5_sha256: hash, ..
            }
            | Normal::Hash(hash) => self.hashed(kind, *hash),
            Normal::Text(text) => {
                let key = self
                    .secret
                    .key(kind as u8, namespace.as_bytes(), text.as_bytes());
                self.key(kind, key);
            }
        }
        self.batch.valid += 1;
        Ok(())
    }

    fn key(&mut self, kind: Kind, key: Key) {
        self.keys.push(key);
        self.batch.kinds.push(kind);
    }

    /// Adds the key of a hash, whose kind has no namespace.
    fn hashed(&mut self, kind: Kind, hash: [u8; 32]) {
        self.waiting.push(self.keys.len() as u32);
        self.values.push((kind as u8, hash));
        self.key(kind, Key::from_bytes([0; 16]));
        if self.values.len() == HASHED_AT_ONCE {
            self.hash();
        }
    }

    /// Hashes what is waiting.
    fn hash(&mut self) {
        let mut hashed = Vec::with_capacity(self.values.len());
        self.secret.keys(&self.values, &mut hashed);
        for (at, key) in self.waiting.drain(..).zip(hashed) {
            self.keys[at as usize] = key;
        }
        self.values.clear();
    }

    /// Ends the person at hand; one without keys is none.
    pub fn end_person(&mut self) {
        let end = self.keys.len() as u32;
        if self.batch.people.last().copied().unwrap_or(0) < end {
            self.batch.people.push(end);
        }
    }

    pub fn note_invalid(&mut self, value: &str) {
        self.batch.invalid += 1;
        if self.batch.invalid_sample.len() < limits::INVALID_SAMPLE_MAX {
            self.batch
                .invalid_sample
                .push(value.chars().take(limits::IDENTIFIER_BYTES_MAX).collect());
        }
    }

    /// Looks the keys up: a millisecond or more for a large batch.
    pub fn finish(mut self) -> Batch {
        self.end_person();
        self.hash();
        self.batch.keys = KeyBatch::new(self.keys);
        if let Some(lookup) = &self.lookup {
            lookup.look_up(&mut self.batch.keys);
        }
        self.batch
    }
}

/// People who are asked about, in the order of the question: unlike in a [`Batch`], one without a valid identifier is
/// nobody, but has a place.
#[derive(Debug, Default, Clone)]
pub struct Question {
    pub(crate) keys: Vec<Key>,
    /// One for each person: where its keys end.
    pub(crate) ends: Vec<usize>,
}

/// Builds a [`Question`] person by person.
#[derive(Debug)]
pub struct QuestionBuilder {
    builder: BatchBuilder,
    ends: Vec<usize>,
}

impl QuestionBuilder {
    pub(crate) fn new(builder: BatchBuilder) -> QuestionBuilder {
        QuestionBuilder {
            builder,
            ends: Vec::new(),
        }
    }

    /// Adds an identifier to the person at hand.
    pub fn identifier(&mut self, kind: Kind, namespace: &str, value: &str) -> Result<(), Invalid> {
        self.builder.identifier(kind, namespace, value)
    }

    /// Ends the person at hand.
    pub fn end_person(&mut self) {
        self.ends.push(self.builder.keys.len());
    }

    pub fn finish(mut self) -> Question {
        self.builder.hash();
        Question {
            keys: self.builder.keys,
            ends: self.ends,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use sha2::{Digest, Sha256};

    use super::*;

    fn batch(values: &[(Kind, &str, &str)]) -> Batch {
        let mut builder = BatchBuilder::with_secret(KeySecret::new([1; 32]), values.len());
        for (kind, namespace, value) in values {
            builder.push(*kind, namespace, value);
        }
        builder.finish()
    }

    fn keys(value: &str) -> Vec<Key> {
        batch(&[(Kind::Email, "", value)]).keys().to_vec()
    }

    #[test]
    fn one_address_in_its_four_forms_shares_keys() {
        let plain = keys("  John.Doe@Gmail.com ");
        assert_eq!(plain.len(), 2);
        let sha256 = crate::random::hex(&Sha256::digest(b"john.doe@gmail.com"));
        assert!(sha256.starts_with("375320dd9ae7ed40"));
        assert_eq!(keys(&sha256), plain[..1]);
        assert_eq!(keys(&sha256.to_uppercase()), plain[..1]);
        assert_eq!(keys("e13743a7f1db7f4246badd6fd6ff54ff"), plain[1..]);
        assert_eq!(
            keys("000e3171a5110c35c69d060112bd0ba55d9631c7c2ec93f1840e4570095b263a"),
            plain[1..]
        );
    }

    #[test]
    fn what_is_no_identifier_is_counted_and_sampled() {
        let long = format!("{}@example.org", "a".repeat(600));
        let wrong = [
            "jkl@gmail",
            "",
            " ",
            "@example.org",
            "a@b@example.org",
            "a b@example.org",
            "a@.org",
            "a@example.o",
            "nobody",
            "a@-b.org",
            &long,
            "375320dd9ae7ed40",
        ];
        let batch = batch(&wrong.map(|value| (Kind::Email, "", value)));
        assert_eq!((batch.valid, batch.invalid), (0, 12));
        assert_eq!(batch.invalid_sample.len(), limits::INVALID_SAMPLE_MAX);
        assert_eq!(batch.invalid_sample[0], "jkl@gmail");
        assert!(batch.is_empty());
    }

    #[test]
    fn other_kinds_have_their_own_rules_and_spaces() {
        let good = batch(&[
            (Kind::MobileAd, "", "6D92078A-8246-4BA4-AE5B-76104861E7DC"),
            (Kind::MobileAd, "", "6d92078a-8246-4ba4-ae5b-76104861e7dc"),
            (Kind::IdentityLink, "", "Xabc123"),
            (Kind::Cookie, "1", "Xabc123"),
            (Kind::Cookie, "2", "Xabc123"),
            (Kind::Phone, "", "+49 (151) 1234-5678"),
            (Kind::External, "crm", "Xabc123"),
        ]);
        assert_eq!((good.valid, good.invalid, good.people.len()), (7, 0, 7));
        let distinct: HashSet<Key> = good.keys().iter().copied().collect();
        assert_eq!(distinct.len(), 6);
        let wrong = batch(&[
            (Kind::MobileAd, "", "00000000-0000-0000-0000-000000000000"),
            (Kind::MobileAd, "", "6d92078a82464ba4ae5b76104861e7dc"),
            (Kind::IdentityLink, "", "with space"),
            (Kind::Cookie, "", "no namespace"),
            (Kind::Phone, "", "0151 12345678"),
            (Kind::External, "crm", "line\nbreak"),
        ]);
        assert_eq!((wrong.valid, wrong.invalid), (0, 6));
    }

    #[test]
    fn a_repeated_key_is_noticed() {
        let hash = crate::random::hex(&Sha256::digest(b"a@example.org"));
        let repeated = |values: &[&str]| {
            let values: Vec<_> = values
                .iter()
                .map(|value| (Kind::Email, "", *value))
                .collect();
            let batch = batch(&values);
            assert_eq!(batch.valid, values.len() as u64);
            assert_eq!(batch.people.len(), values.len());
            batch.keys.has_repetitions()
        };
        assert!(repeated(&[
            "a@example.org",
            "b@example.org",
            "A@example.org"
        ]));
        assert!(repeated(&["a@example.org", &hash]));
        assert!(!repeated(&["a@example.org", "b@example.org"]));
    }

    #[test]
    fn received_identifiers_stand_beside_their_first_key() {
        let two = batch(&[
            (Kind::Email, "", "a@example.org"),
            (Kind::Cookie, "42", "k-1"),
        ]);
        assert_eq!(two.received.get(0), b"\x01\0\0a@example.org");
        assert_eq!(two.received.get(1), b"");
        assert_eq!(two.received.get(2), b"\x06\x0242\0k-1");
    }
}
