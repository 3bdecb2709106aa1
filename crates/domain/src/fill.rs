//! The identifiers of synthetic people, for `throng dev fill`: person n has the address `person-n@example.com`.
//!
//! Not a verb: nothing is stored here. Invariant: a filled key is the one that the same identifier gives when it comes in
//! through any protocol, so that look-ups find these people.

use std::io::Write;

use md5::Md5;
use sets::{KeySecret, Person, SetId};
use sha2::{Digest, Sha256};
use store::FillPeople;

use crate::{identifier::Kind, random::hex};

/// How the identifiers came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillForm {
    /// As the SHA-256 of the address: one key a person.
    Hashed,
    /// As plain addresses: two keys a person.
    Plain,
}

/// The bytes before the value of an identifier that is kept: kind, no namespace, form.
const HASH_HEAD: [u8; 3] = [Kind::Email as u8, 0, 1];
const TEXT_HEAD: [u8; 3] = [Kind::Email as u8, 0, 0];
/// `person-4294967295@example.com`.
const ADDRESS_BYTES_MAX: usize = 29;

impl FillForm {
    pub fn keys_per_person(self) -> u64 {
        match self {
            FillForm::Hashed => 1,
            FillForm::Plain => 2,
        }
    }
}

/// The set of those who have an e-mail key, which a fill has to keep.
pub fn fill_kind_set() -> SetId {
    Kind::Email.set()
}

/// People `first..=last` with their keys, and their identifiers as received if those are kept.
pub fn fill_people(
    secret: &KeySecret,
    form: FillForm,
    first: Person,
    last: Person,
    keep: bool,
) -> FillPeople {
    let keys = (last - first + 1) as usize * form.keys_per_person() as usize;
    let mut people = FillPeople {
        keys: Vec::with_capacity(keys),
        persons: Vec::with_capacity(keys),
        ..FillPeople::default()
    };
    for person in first..=last {
        let mut buffer = [0; ADDRESS_BYTES_MAX];
        let address = address(person, &mut buffer);
        let sha256: [u8; 32] = Sha256::digest(address).into();
        people
            .keys
            .push(secret.key(Kind::Email as u8, b"", &sha256));
        people.persons.push(person);
        if form == FillForm::Plain {
            let md5: [u8; 16] = Md5::digest(address).into();
            let second: [u8; 32] = Sha256::digest(hex(&md5).as_bytes()).into();
            people
                .keys
                .push(secret.key(Kind::Email as u8, b"", &second));
            people.persons.push(person);
        }
        if keep {
            keep_received(&mut people, form, address, &sha256);
        }
    }
    people
}

fn address(person: Person, buffer: &mut [u8; ADDRESS_BYTES_MAX]) -> &[u8] {
    let mut rest = &mut buffer[..];
    // The longest number fits.
    drop(write!(rest, "person-{person}@example.com"));
    let unused = rest.len();
    &buffer[..ADDRESS_BYTES_MAX - unused]
}

fn keep_received(people: &mut FillPeople, form: FillForm, address: &[u8], sha256: &[u8; 32]) {
    match form {
        FillForm::Hashed => {
            people.received.extend_from_slice(&HASH_HEAD);
            people.received.extend_from_slice(sha256);
            people.received_ends.push(people.received.len() as u32);
        }
        FillForm::Plain => {
            people.received.extend_from_slice(&TEXT_HEAD);
            people.received.extend_from_slice(address);
            people.received_ends.push(people.received.len() as u32);
            people.received_ends.push(people.received.len() as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::BatchBuilder;

    #[test]
    fn filled_keys_are_those_of_the_identifiers() {
        let secret = KeySecret::new([3; 32]);
        for form in [FillForm::Hashed, FillForm::Plain] {
            let (first, last) = (999_999_998, 1_000_000_001);
            let people = fill_people(&secret, form, first, last, true);
            let mut builder = BatchBuilder::with_secret(secret.clone(), 4);
            for person in first..=last {
                let address = format!("person-{person}@example.com");
                let value = match form {
                    FillForm::Plain => address,
                    FillForm::Hashed => hex(&Sha256::digest(address.as_bytes())),
                };
                builder.push(Kind::Email, "", &value);
            }
            let batch = builder.finish();
            assert_eq!(people.keys, batch.keys());
            assert_eq!(people.keys.len(), people.persons.len());
            let mut start = 0;
            for (index, end) in people.received_ends.iter().enumerate() {
                let received = &people.received[start..*end as usize];
                assert_eq!(received, batch.received.get(index));
                start = *end as usize;
            }
        }
    }

    #[test]
    fn the_longest_address_fits() {
        let mut buffer = [0; ADDRESS_BYTES_MAX];
        assert_eq!(address(7, &mut buffer), b"person-7@example.com");
        let longest = address(Person::MAX, &mut buffer);
        assert_eq!(longest, b"person-4294967295@example.com");
    }
}
