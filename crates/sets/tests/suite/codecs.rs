//! The decoders against hostile bytes, and the encoders against their own decoders.

use crate::common::{config, persons};
use proptest::prelude::*;
use throng_sets::{
    CodecError, IDENTITY_PERSONS_MAX, IdentityDelta, Person, PersonColumn, Set, decode_persons,
    encode_persons,
};

/// Whatever was read must be as good as any set.
fn check_set(bytes: &[u8]) {
    let Ok(set) = Set::from_bytes(bytes) else {
        return;
    };
    let members = set.to_vec();
    assert!(members.is_sorted_by(|a, b| a < b));
    assert_eq!(members.len() as u64, set.len());
    assert_eq!(set, Set::from_sorted(&members));
    assert!(
        members
            .iter()
            .step_by(members.len() / 16 + 1)
            .all(|person| set.contains(*person))
    );
}

fn check_identity(bytes: &[u8]) {
    if let Ok(delta) = IdentityDelta::from_bytes(bytes) {
        assert_eq!(IdentityDelta::from_bytes(&delta.to_bytes()), Ok(delta));
    }
    for expected in [0, 1, 5, 1000] {
        if let Ok(persons) = decode_persons(bytes, expected) {
            assert_eq!(persons.len() as u64, expected);
        }
    }
}

#[derive(Debug, Clone)]
enum Damage {
    Flip { at: prop::sample::Index, bit: u8 },
    Set { at: prop::sample::Index, byte: u8 },
    Cut { at: prop::sample::Index },
    Append(Vec<u8>),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        3 => (at(), 0..8u8).prop_map(|(at, bit)| Damage::Flip { at, bit }),
        2 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set { at, byte }),
        1 => at().prop_map(|at| Damage::Cut { at }),
        1 => prop::collection::vec(any::<u8>(), 1..6).prop_map(Damage::Append),
    ]
}

/// Damages the first bytes more often than the rest, since that is where lengths are.
fn damaged(mut bytes: Vec<u8>, all: &[Damage]) -> Vec<u8> {
    for damage in all {
        let reach =
            if bytes.len() > 64 && matches!(damage, Damage::Flip { bit, .. } if bit % 2 == 0) {
                64
            } else {
                bytes.len()
            };
        match damage {
            _ if reach == 0 => {}
            Damage::Flip { at, bit } => bytes[at.index(reach)] ^= 1 << bit,
            Damage::Set { at, byte } => bytes[at.index(reach)] = *byte,
            Damage::Cut { at } => bytes.truncate(at.index(reach)),
            Damage::Append(more) => bytes.extend_from_slice(more),
        }
    }
    bytes
}

/// Columns as commands make them: new persons, some with more keys, known ones in between.
fn column() -> impl Strategy<Value = Vec<Person>> {
    let part = prop_oneof![
        (any::<u32>(), 1..5usize, 1..400u32).prop_map(|(first, repeat, count)| {
            let numbers = (0..count).map_while(|i| first.checked_add(i));
            numbers
                .flat_map(|person| std::iter::repeat_n(person, repeat))
                .collect::<Vec<Person>>()
        }),
        (any::<u32>(), prop::collection::vec(0..2u32, 1..300)).prop_map(|(first, steps)| {
            steps
                .iter()
                .scan(first, |person, step| {
                    *person = person.saturating_add(*step);
                    Some(*person)
                })
                .collect()
        }),
        prop::collection::vec(any::<u32>(), 1..40),
        prop::collection::vec(prop_oneof![Just(0), Just(u32::MAX), 1..5u32], 1..40),
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check_set(&bytes);
        check_identity(&bytes);
    }

    #[test]
    fn random_bytes_after_a_good_start_never_panic(
        start in prop::sample::select(vec![
            vec![0x3a, 0x30, 0, 0], vec![0x3b, 0x30, 0, 0], vec![0x3b, 0x30, 3, 0, 0xff], vec![0x3b, 0x30, 0, 0, 1],
            vec![0x3a, 0x30, 0, 0, 2, 0, 0, 0], vec![0x3a, 0x30, 0, 0, 0xff, 0xff, 0xff, 0xff],
            vec![1], vec![1, 0], vec![1, 7, 0xff, 0xff, 3], vec![0x81, 5], vec![0x81, 0xe8, 7],
        ]),
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0..4u8], 0..200),
    ) {
        let bytes = [start, bytes].concat();
        check_set(&bytes);
        check_identity(&bytes);
    }

    #[test]
    fn columns_survive_the_round_trip(persons in column(), first_position in 0..1u64 << 60, piece in 1..500usize) {
        let delta = IdentityDelta { first_position, persons };
        prop_assert_eq!(&IdentityDelta::from_bytes(&delta.to_bytes()).expect("it was just written"), &delta);
        let persons = delta.persons;
        let bytes = encode_persons(&persons);
        prop_assert!(bytes.len() <= 12 + 6 * persons.len());
        let expected = persons.len() as u64;
        prop_assert_eq!(&decode_persons(&bytes, expected).expect("it was just written"), &persons);
        prop_assert!(decode_persons(&bytes, expected + 1).is_err());
        let mut column = PersonColumn::new(&bytes, expected).expect("it was just written");
        let mut read = Vec::new();
        loop {
            let count = column.next_piece(piece, &mut read).expect("it was just written");
            prop_assert_eq!(count, piece.min(count));
            if count == 0 {
                break;
            }
        }
        prop_assert_eq!(read, persons);
    }

    #[test]
    fn damaged_identities_never_panic(persons in column(), damage in prop::collection::vec(damage(), 1..4)) {
        let delta = IdentityDelta { first_position: 300, persons };
        check_identity(&damaged(delta.to_bytes(), &damage));
        let bytes = damaged(encode_persons(&delta.persons), &damage);
        check_identity(&bytes);
        let _ = decode_persons(&bytes, delta.persons.len() as u64);
    }
}

proptest! {
    #![proptest_config(config(150))]

    #[test]
    fn damaged_sets_never_panic(
        persons in persons(),
        damages in prop::collection::vec(prop::collection::vec(damage(), 1..4), 8),
    ) {
        let bytes = persons.into_iter().collect::<Set>().to_bytes();
        for damage in damages {
            check_set(&damaged(bytes.clone(), &damage));
        }
    }
}

#[test]
fn a_new_batch_takes_a_few_dozen_bytes() {
    for repeat in [1, 2, 3] {
        let persons = (0..50_000 * repeat)
            .map(|i| 4_000_000_000 + i / repeat)
            .collect();
        let bytes = IdentityDelta {
            first_position: 1 << 33,
            persons,
        }
        .to_bytes();
        assert!(bytes.len() <= 32, "{} bytes", bytes.len());
    }
}

#[test]
fn a_batch_of_uneven_persons_takes_a_bit_a_key() {
    let mut numbers = crate::common::Numbers(1);
    let mut person = 100;
    let uneven = std::iter::repeat_with(|| {
        person += (numbers.next() & 1) as u32;
        person
    });
    let persons: Vec<Person> = uneven.take(80_000).collect();
    let bytes = IdentityDelta {
        first_position: 9,
        persons,
    }
    .to_bytes();
    assert!(bytes.len() < 10_200, "{} bytes", bytes.len());
}

#[test]
fn a_small_input_cannot_ask_for_much() {
    // One person, repeated once more often than the limit allows.
    let mut bytes = vec![1, 0];
    let put = |bytes: &mut Vec<u8>, mut value: u64| {
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
    };
    put(&mut bytes, IDENTITY_PERSONS_MAX + 1);
    put(&mut bytes, (IDENTITY_PERSONS_MAX + 1) << 2);
    bytes.extend([2, 1]);
    let limit = IDENTITY_PERSONS_MAX;
    assert_eq!(
        IdentityDelta::from_bytes(&bytes),
        Err(CodecError::TooLong {
            length: limit + 1,
            limit
        })
    );
    // A set that claims to have every container there is.
    let claims = [0x3a, 0x30, 0, 0, 0, 0, 1, 0, 0, 0];
    assert!(matches!(
        Set::from_bytes(&claims),
        Err(CodecError::Truncated { .. })
    ));
    let claims = [0x3a, 0x30, 0, 0, 1, 0, 1, 0];
    assert!(matches!(
        Set::from_bytes(&claims),
        Err(CodecError::TooLong { .. })
    ));
    // A column that claims to be longer than its reader expects.
    assert!(matches!(
        decode_persons(&[0x81, 100], 5),
        Err(CodecError::TooLong { .. })
    ));
}

#[test]
fn persons_past_the_last_number_are_refused() {
    let delta = IdentityDelta {
        first_position: 0,
        persons: (Person::MAX - 99..=Person::MAX).collect(),
    };
    let mut bytes = delta.to_bytes();
    assert_eq!(IdentityDelta::from_bytes(&bytes), Ok(delta));
    // A run of 101 numbers from there: the count of persons, and the count of numbers in the run.
    bytes[2] += 1;
    *bytes.last_mut().expect("it has bytes") += 1;
    assert!(matches!(
        IdentityDelta::from_bytes(&bytes),
        Err(CodecError::Invalid(_))
    ));
    // A step and a literal from the last number on.
    let head = [1, 0, 2];
    let to_last = [0xfe, 0xff, 0xff, 0xff, 0x1f];
    let steps = [&head[..], &[2 << 2 | 1], &to_last, &[2]].concat();
    assert!(matches!(
        IdentityDelta::from_bytes(&steps),
        Err(CodecError::Invalid(_))
    ));
    let literals = [&head[..], &[2 << 2 | 2], &to_last, &[2]].concat();
    assert!(matches!(
        IdentityDelta::from_bytes(&literals),
        Err(CodecError::Invalid(_))
    ));
    let valid = [&head[..], &[2 << 2 | 2], &to_last, &[0]].concat();
    assert_eq!(
        IdentityDelta::from_bytes(&valid).map(|delta| delta.persons),
        Ok(vec![Person::MAX; 2])
    );
}

#[test]
fn sets_that_no_writer_would_write_are_refused() {
    let valid = Set::from_sorted(&[1, 2, 9, 70_000]).to_bytes();
    assert!(Set::from_bytes(&valid).is_ok());
    let mut longer = valid.clone();
    longer.push(0);
    assert_eq!(Set::from_bytes(&longer), Err(CodecError::TrailingBytes(1)));
    let mut offset = valid.clone();
    offset[16] += 2;
    assert!(matches!(
        Set::from_bytes(&offset),
        Err(CodecError::Invalid(_))
    ));
    let mut order = valid.clone();
    order[8] = 1;
    assert!(matches!(
        Set::from_bytes(&order),
        Err(CodecError::Invalid(_))
    ));
    let mut repeated = valid;
    repeated[26] = 1;
    assert!(matches!(
        Set::from_bytes(&repeated),
        Err(CodecError::Invalid(_))
    ));
    // Two runs that touch: 0..=4 and 5..=9.
    let touching = [
        0x3b, 0x30, 0, 0, 1, 0, 0, 9, 0, 2, 0, 0, 0, 4, 0, 5, 0, 4, 0,
    ];
    assert!(matches!(
        Set::from_bytes(&touching),
        Err(CodecError::Invalid(_))
    ));
    assert_eq!(
        Set::from_bytes(&[1, 2, 3, 4]),
        Err(CodecError::UnknownFormat(0x0403_0201))
    );
}
