//! Identifiers: what they look like, how they are normalised, and which keys they give.
//!
//! All e-mail hashes share one key space: a plain address `e` gives the keys of SHA-256(e) and of SHA-256(hex MD5(e));
//! an MD5 `m` gives the key of SHA-256(m); 64 hexadecimal digits give their own.
//! Which people a request names is in [`crate::batch`].

use std::borrow::Cow;

use md5::Md5;
use sets::SetId;
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

/// An identifier in the form that is hashed.
pub(crate) enum Normal {
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
    /// What is kept of the identifier as it came in, with a form byte before it: of a hash the bytes, half as long as its digits.
    pub(crate) fn received<'a>(&'a self, as_received: &'a str) -> (u8, &'a [u8]) {
        match self {
            Normal::Hash(hash) => (1, hash),
            Normal::Md5 { md5, .. } => (2, md5),
            Normal::Address { .. } | Normal::Text(_) => (0, as_received.as_bytes()),
        }
    }
}

pub(crate) fn normalise(kind: Kind, value: &str) -> Result<Normal, Invalid> {
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
    let lower = if !value.is_ascii() {
        Cow::Owned(value.to_lowercase())
    } else if value.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(value.to_ascii_lowercase())
    } else {
        Cow::Borrowed(value)
    };
    let md5: [u8; 16] = Md5::digest(lower.as_bytes()).into();
    Ok(Normal::Address {
        sha256: Sha256::digest(lower.as_bytes()).into(),
        md5_sha256: sha256_of_hex(&md5),
    })
}

fn sha256_of_hex(md5: &[u8; 16]) -> [u8; 32] {
    let mut digits = [0; 32];
    // Cannot fail: there are two digits a byte.
    let hex = faster_hex::hex_encode(md5, &mut digits).unwrap_or_default();
    Sha256::digest(hex.as_bytes()).into()
}

/// `local@domain.tld`: what can be told without asking the domain.
fn is_address(value: &str) -> bool {
    let Some((local, domain)) = value.split_once('@') else {
        return false;
    };
    let forbidden = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '@' | ',' | ';' | '<' | '>' | '"')
    };
    let has_forbidden = if value.is_ascii() {
        // The same for bytes, which most addresses are. A second `@` is in the domain.
        let forbidden = |byte: u8| {
            byte <= b' ' || matches!(byte, b'@' | b',' | b';' | b'<' | b'>' | b'"' | 0x7f)
        };
        local.bytes().any(forbidden) || domain.bytes().any(forbidden)
    } else {
        local.contains(forbidden) || domain.contains(forbidden)
    };
    let label = |label: &str| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
    !local.is_empty()
        && local.len() <= 64
        && !has_forbidden
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
