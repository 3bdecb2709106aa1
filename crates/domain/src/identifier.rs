//! Identifiers: what they look like, how they are normalised, and which keys they give.
//!
//! All e-mail hashes share one key space: a plain address `e` gives the keys of SHA-256(e) and of SHA-256(hex MD5(e));
//! an MD5 `m` gives the key of SHA-256(m); 64 hexadecimal digits give their own.
//! Parsing, hashing and the search for repeated keys happen here, before the command.

use std::collections::HashMap;

use md5::Md5;
use sets::{Key, KeySecret, SetId};
use sha2::{Digest, Sha256};

use crate::limits;

/// What kind of identifier it is. The order is that in which a person is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// An address, its MD5 or SHA-256, or the SHA-256 of the hexadecimal MD5.
    Email = 1,
    /// Another system's own id; the namespace names the system.
    External = 2,
    /// E.164, or the SHA-256 of it with the plus sign.
    Phone = 3,
    /// A mobile advertising id (IDFA, AAID): a UUID.
    MobileAd = 4,
    /// An id of an identity vendor; opaque.
    IdentityLink = 5,
    /// A vendor's cookie id; the namespace is the caller of the cookie sync.
    Cookie = 6,
}

/// People who have a record; kept by the verbs that write records.
pub(crate) const RECORDS_SET: SetId = -100;

impl Kind {
    pub const ALL: [Kind; 6] = [
        Kind::Email,
        Kind::External,
        Kind::Phone,
        Kind::MobileAd,
        Kind::IdentityLink,
        Kind::Cookie,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Email => "email",
            Kind::External => "external",
            Kind::Phone => "phone",
            Kind::MobileAd => "mobile_ad",
            Kind::IdentityLink => "identity_link",
            Kind::Cookie => "cookie",
        }
    }

    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// True where an identifier means nothing without its namespace.
    pub fn needs_namespace(self) -> bool {
        matches!(self, Kind::External | Kind::Cookie)
    }

    /// Whether a server of this version would take the identifier; for clients that check before they send.
    pub fn check(self, value: &str) -> Result<(), Invalid> {
        normalise(self, value).map(drop)
    }

    /// The set of the people who have a key of this kind.
    pub(crate) fn set(self) -> SetId {
        -i64::from(self as u8)
    }
}

/// Why an identifier is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid(pub &'static str);

/// The people of one request, each with the keys of their identifiers; ready for a command.
#[derive(Debug, Default, Clone)]
pub struct Batch {
    pub(crate) keys: Vec<Key>,
    pub(crate) kinds: Vec<Kind>,
    received: Vec<u8>,
    received_ends: Vec<u32>,
    /// One for each person: where its keys end.
    pub(crate) people: Vec<PersonKeys>,
    /// Identifiers that are well formed, repeated ones included.
    pub valid: u64,
    pub invalid: u64,
    /// The first invalid identifiers, shortened; for the answer only, never for a log.
    pub invalid_sample: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct PersonKeys {
    pub end: u32,
    /// One of its keys came up earlier in the batch, so the look-up made before the command may be out of date.
    pub overlaps: bool,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.people.is_empty()
    }

    /// How much work the batch is, for the committer's groups.
    pub(crate) fn weight(&self) -> usize {
        self.keys.len().max(1)
    }

    /// The identifier that gave this key, as received; empty for the further keys of one identifier.
    pub(crate) fn received(&self, key: usize) -> &[u8] {
        let start = if key == 0 {
            0
        } else {
            self.received_ends[key - 1] as usize
        };
        &self.received[start..self.received_ends[key] as usize]
    }
}

/// Builds a [`Batch`] identifier by identifier.
#[derive(Debug)]
pub struct BatchBuilder {
    secret: KeySecret,
    batch: Batch,
    /// The keys of the batch so far; true where a key decided who its person is, who then
    /// surely holds it.
    seen: HashMap<Key, bool, BuildKeyHasher>,
    /// The keys of the person at hand begin here.
    start: usize,
    received_start: usize,
}

impl BatchBuilder {
    pub(crate) fn new(secret: KeySecret, identifiers: usize) -> BatchBuilder {
        let batch = Batch {
            keys: Vec::with_capacity(identifiers),
            kinds: Vec::with_capacity(identifiers),
            people: Vec::with_capacity(identifiers),
            ..Batch::default()
        };
        let seen = HashMap::with_capacity_and_hasher(identifiers, BuildKeyHasher);
        BatchBuilder {
            secret,
            batch,
            seen,
            start: 0,
            received_start: 0,
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
        let key = self
            .secret
            .key(kind as u8, namespace.as_bytes(), found.value());
        self.key(kind, key);
        self.batch
            .received
            .extend_from_slice(&[kind as u8, namespace.len() as u8]);
        self.batch.received.extend_from_slice(namespace.as_bytes());
        found.write_received(value.trim(), &mut self.batch.received);
        self.batch
            .received_ends
            .push(self.batch.received.len() as u32);
        if let Normal::Address { md5_sha256, .. } = &found {
            let key = self.secret.key(kind as u8, b"", md5_sha256);
            self.key(kind, key);
            self.batch
                .received_ends
                .push(self.batch.received.len() as u32);
        }
        self.batch.valid += 1;
        Ok(())
    }

    fn key(&mut self, kind: Kind, key: Key) {
        self.batch.keys.push(key);
        self.batch.kinds.push(kind);
    }

    /// Ends the person at hand. One with a single key that decided who somebody else of the batch is, is that somebody,
    /// and is dropped; other repetitions are for the command to settle.
    pub fn end_person(&mut self) {
        let (start, end) = (self.start, self.batch.keys.len());
        if start == end {
            return;
        }
        if end - start == 1 && self.seen.get(&self.batch.keys[start]) == Some(&true) {
            self.forget_person();
            return;
        }
        let mut overlaps = false;
        let kinds = &self.batch.kinds[start..end];
        let first_at = (0..kinds.len())
            .min_by_key(|at| kinds[*at])
            .unwrap_or_default();
        for (at, key) in self.batch.keys[start..end].iter().enumerate() {
            let first = self
                .seen
                .entry(*key)
                .and_modify(|_| overlaps = true)
                .or_insert(false);
            *first |= at == first_at;
        }
        self.batch.people.push(PersonKeys {
            end: end as u32,
            overlaps,
        });
        (self.start, self.received_start) = (end, self.batch.received.len());
    }

    /// Drops the identifiers of the person at hand.
    pub fn forget_person(&mut self) {
        self.batch.keys.truncate(self.start);
        self.batch.kinds.truncate(self.start);
        self.batch.received_ends.truncate(self.start);
        self.batch.received.truncate(self.received_start);
    }

    pub fn note_invalid(&mut self, value: &str) {
        self.batch.invalid += 1;
        if self.batch.invalid_sample.len() < limits::INVALID_SAMPLE_MAX {
            self.batch
                .invalid_sample
                .push(value.chars().take(limits::IDENTIFIER_BYTES_MAX).collect());
        }
    }

    pub fn finish(mut self) -> Batch {
        self.end_person();
        self.batch
    }
}

/// People who are asked about, in the order of the question: unlike in a [`Batch`], a repeated one is asked about again,
/// and one without a valid identifier is nobody.
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
        self.ends.push(self.builder.batch.keys.len());
    }

    pub fn finish(self) -> Question {
        Question {
            keys: self.builder.batch.keys,
            ends: self.ends,
        }
    }
}

/// Keys are keyed hashes already: their own bytes are as good as any hash of them.
#[derive(Debug, Clone, Copy, Default)]
struct BuildKeyHasher;

impl std::hash::BuildHasher for BuildKeyHasher {
    type Hasher = FirstBytes;
    fn build_hasher(&self) -> FirstBytes {
        FirstBytes(0)
    }
}

#[derive(Debug)]
struct FirstBytes(u64);

impl std::hash::Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }
    fn write_usize(&mut self, _: usize) {}
}

/// An identifier in the form that is hashed.
enum Normal {
    Address {
        sha256: [u8; 32],
        md5_sha256: [u8; 32],
    },
    Md5 {
        md5: [u8; 16],
        md5_sha256: [u8; 32],
    },
    Hash([u8; 32]),
    Text(String),
}

impl Normal {
    fn value(&self) -> &[u8] {
        match self {
            Normal::Address { sha256, .. } => sha256,
            Normal::Md5 { md5_sha256, .. } => md5_sha256,
            Normal::Hash(hash) => hash,
            Normal::Text(text) => text.as_bytes(),
        }
    }

    /// Hashes are kept as bytes, half as long as their digits; a form byte tells which.
    fn write_received(&self, as_received: &str, out: &mut Vec<u8>) {
        match self {
            Normal::Hash(hash) => {
                out.push(1);
                out.extend_from_slice(hash);
            }
            Normal::Md5 { md5, .. } => {
                out.push(2);
                out.extend_from_slice(md5);
            }
            Normal::Address { .. } | Normal::Text(_) => {
                out.push(0);
                out.extend_from_slice(as_received.as_bytes());
            }
        }
    }
}

fn normalise(kind: Kind, value: &str) -> Result<Normal, Invalid> {
    let value = value.trim();
    if value.is_empty() {
        return Err(Invalid("it is empty"));
    }
    if value.len() > limits::IDENTIFIER_BYTES_MAX {
        return Err(Invalid("it is longer than 512 bytes"));
    }
    match kind {
        Kind::Email => normalise_email(value),
        Kind::Phone => normalise_phone(value),
        Kind::MobileAd => normalise_uuid(value),
        Kind::External if value.chars().any(char::is_control) => {
            Err(Invalid("it holds control characters"))
        }
        Kind::External => Ok(Normal::Text(value.to_owned())),
        Kind::IdentityLink | Kind::Cookie if !value.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(Invalid("it must be printable ASCII without spaces"))
        }
        Kind::IdentityLink | Kind::Cookie => Ok(Normal::Text(value.to_owned())),
    }
}

fn normalise_email(value: &str) -> Result<Normal, Invalid> {
    if value.len() == 64
        && let Some(hash) = from_hex::<32>(value)
    {
        return Ok(Normal::Hash(hash));
    }
    if value.len() == 32
        && let Some(md5) = from_hex::<16>(value)
    {
        return Ok(Normal::Md5 {
            md5,
            md5_sha256: sha256_of_hex(&md5),
        });
    }
    if value.len() > limits::EMAIL_BYTES_MAX || !is_address(value) {
        return Err(Invalid(
            "it is neither an e-mail address nor an MD5 or SHA-256 of one",
        ));
    }
    let lower = if value.is_ascii() {
        value.to_ascii_lowercase()
    } else {
        value.to_lowercase()
    };
    let md5: [u8; 16] = Md5::digest(lower.as_bytes()).into();
    Ok(Normal::Address {
        sha256: Sha256::digest(lower.as_bytes()).into(),
        md5_sha256: sha256_of_hex(&md5),
    })
}

fn sha256_of_hex(md5: &[u8; 16]) -> [u8; 32] {
    Sha256::digest(crate::random::hex(md5).as_bytes()).into()
}

/// `local@domain.tld`: what can be told without asking the domain.
fn is_address(value: &str) -> bool {
    let Some((local, domain)) = value.split_once('@') else {
        return false;
    };
    let forbidden = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '@' | ',' | ';' | '<' | '>' | '"')
    };
    let label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    !local.is_empty()
        && local.len() <= 64
        && !value.replacen('@', "", 1).contains(forbidden)
        && domain.contains('.')
        && domain.split('.').all(label)
        && domain
            .rsplit('.')
            .next()
            .is_some_and(|tld| tld.chars().count() >= 2)
}

fn normalise_phone(value: &str) -> Result<Normal, Invalid> {
    if value.len() == 64
        && let Some(hash) = from_hex::<32>(value)
    {
        return Ok(Normal::Hash(hash));
    }
    const WRONG: Invalid =
        Invalid("it is neither an E.164 number such as +4915112345678 nor the SHA-256 of one");
    let digits: String = value
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')'))
        .collect();
    let number = digits.strip_prefix('+').ok_or(WRONG)?;
    let is_number = (7..=15).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && !number.starts_with('0');
    if !is_number {
        return Err(WRONG);
    }
    Ok(Normal::Hash(Sha256::digest(digits.as_bytes()).into()))
}

/// A UUID in its 8-4-4-4-12 form. The zero id means that the device gives none, so it is nobody's.
fn normalise_uuid(value: &str) -> Result<Normal, Invalid> {
    let is_uuid = value.len() == 36
        && value.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if !is_uuid {
        return Err(Invalid("it is not a UUID"));
    }
    if value.bytes().all(|byte| matches!(byte, b'0' | b'-')) {
        return Err(Invalid("the zero id stands for a device that gives none"));
    }
    Ok(Normal::Text(value.to_ascii_lowercase()))
}

/// Hot: most identifiers are 64 hexadecimal digits, in either case.
fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    faster_hex::hex_decode(text.as_bytes(), &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn batch(values: &[(Kind, &str, &str)]) -> Batch {
        let mut builder = BatchBuilder::new(KeySecret::new([1; 32]), values.len());
        for (kind, namespace, value) in values {
            builder.push(*kind, namespace, value);
        }
        builder.finish()
    }

    fn keys(value: &str) -> Vec<Key> {
        batch(&[(Kind::Email, "", value)]).keys
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
        assert_eq!((good.valid, good.invalid, good.people.len()), (7, 0, 6));
        let distinct: HashSet<Key> = good.keys.iter().copied().collect();
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
    fn a_repeated_key_makes_no_second_person() {
        let one = batch(&[
            (Kind::Email, "", "a@example.org"),
            (Kind::Email, "", "A@example.org"),
            (
                Kind::Email,
                "",
                &crate::random::hex(&Sha256::digest(b"a@example.org")),
            ),
        ]);
        assert_eq!(one.valid, 3);
        assert_eq!(
            one.people.len(),
            2,
            "a plain address that repeats is settled by the command"
        );
        assert!(one.people[1].overlaps && !one.people[0].overlaps);
    }

    #[test]
    fn received_identifiers_stand_beside_their_first_key() {
        let two = batch(&[
            (Kind::Email, "", "a@example.org"),
            (Kind::Cookie, "42", "k-1"),
        ]);
        assert_eq!(two.received(0), b"\x01\0\0a@example.org");
        assert_eq!(two.received(1), b"");
        assert_eq!(two.received(2), b"\x06\x0242\0k-1");
    }
}
