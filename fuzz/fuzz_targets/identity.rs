//! Any bytes as persons of new keys, of the log and of a checkpoint's column: refused, or read back the same when written anew,
//! whatever the pieces they are read in; and any persons survive being written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sets::{CodecError, IdentityDelta, Person, PersonColumn, decode_persons, encode_persons};
use throng_fuzz::Bytes;

/// So many are expected at most, so that a run of a few bytes does not take a second to unroll.
const EXPECTED_MAX: u64 = 1 << 16;

fn in_pieces(bytes: &[u8], expected: u64, piece: usize) -> Result<Vec<Person>, CodecError> {
    let (mut column, mut persons) = (PersonColumn::new(bytes, expected)?, Vec::new());
    while column.next_piece(piece, &mut persons)? > 0 {
        assert!(persons.len() as u64 <= expected);
    }
    Ok(persons)
}

fn check_column(encoded: &[u8], expected: u64, piece: usize) {
    let whole = decode_persons(encoded, expected);
    assert_eq!(in_pieces(encoded, expected, piece), whole);
    if let Ok(persons) = whole {
        assert_eq!(persons.len() as u64, expected);
        assert_eq!(
            decode_persons(&encode_persons(&persons), expected),
            Ok(persons)
        );
    }
}

/// Persons as commands make them, from bytes: new ones in order, with keys each, known ones in between.
fn persons(bytes: &mut Bytes<'_>) -> Vec<Person> {
    let mut persons = Vec::new();
    let mut person: Person = 1;
    while !bytes.is_empty() && persons.len() < EXPECTED_MAX as usize {
        let kind = bytes.byte();
        match kind & 3 {
            0 => persons.extend((0..kind >> 2).scan(person, |next, _| {
                *next = next.wrapping_add(1);
                Some(*next)
            })),
            1 => persons.extend(std::iter::repeat_n(person, usize::from(kind >> 2))),
            2 => person = bytes.long() as Person,
            _ => person = person.wrapping_add(u32::from(kind >> 2)),
        }
        person = persons
            .last()
            .map_or(person, |last| if kind & 2 == 0 { *last } else { person });
    }
    persons.truncate(EXPECTED_MAX as usize);
    persons
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Bytes(bytes);
    let (mode, piece) = (input.byte(), usize::from(input.short()).max(1));
    let expected = match mode & 3 {
        // As many as the column itself says.
        0 => input.0.get(1).map_or(0, |byte| u64::from(byte & 0x7f)),
        1 => input
            .0
            .get(1..3)
            .map_or(0, |two| u64::from(two[0] & 0x7f) | u64::from(two[1]) << 7),
        2 => input.long() % EXPECTED_MAX,
        _ => {
            let persons = persons(&mut input);
            let delta = IdentityDelta {
                first_position: u64::from(mode),
                persons,
            };
            assert_eq!(
                IdentityDelta::from_bytes(&delta.to_bytes()).as_ref(),
                Ok(&delta)
            );
            check_column(
                &encode_persons(&delta.persons),
                delta.persons.len() as u64,
                piece,
            );
            return;
        }
    };
    check_column(input.0, expected, piece);
    if let Ok(delta) = IdentityDelta::from_bytes(input.0) {
        assert_eq!(IdentityDelta::from_bytes(&delta.to_bytes()), Ok(delta));
    }
});
