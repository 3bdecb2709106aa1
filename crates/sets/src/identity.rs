//! Which persons the keys at consecutive positions belong to, as the log and the checkpoints keep it.
//!
//! Keys themselves are kept elsewhere, in key blocks. A column of persons is coded as segments: *runs* of ascending numbers,
//! each repeated equally often; *steps*, one bit a position, where the number stays or goes up by one; and *literals*, the
//! difference to the number before. Invariant: decoding gives exactly the persons that were encoded, and allocates no more
//! than its caller allows, whatever the bytes say.

use std::fmt;

use crate::Person;
use crate::codec::{CodecError, Reader, put_varint, unzigzag, zigzag};

/// The most persons that an [`IdentityDelta`] is decoded to.
pub const IDENTITY_PERSONS_MAX: u64 = 1 << 24;

/// Version 1 of an identity delta.
const DELTA: u8 = 1;
/// Version 1 of a whole column.
const COLUMN: u8 = 0x81;

/// Persons that are decoded at a time.
const PIECE: usize = 1 << 20;

const RUN: u64 = 0;
const STEPS: u64 = 1;
const LITERALS: u64 = 2;

/// A run takes up to this many bytes, or as many steps of one bit; shorter ones are left to steps.
const RUN_POSITIONS_MIN: usize = 64;
/// Shorter steps are left to literals.
const STEPS_MIN: usize = 8;

/// The persons of the keys that a change appended.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityDelta {
    /// The position of the first key.
    pub first_position: u64,
    /// The person of each key: `persons[i]` has the key at position `first_position + i`.
    pub persons: Vec<Person>,
}

impl fmt::Debug for IdentityDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "IdentityDelta(first_position {}, {} persons)",
            self.first_position,
            self.persons.len()
        )
    }
}

impl IdentityDelta {
    /// The delta as bytes, beginning with a version.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![DELTA];
        put_varint(&mut out, self.first_position);
        put_varint(&mut out, self.persons.len() as u64);
        put_segments(&mut out, &self.persons);
        out
    }

    /// Reads a delta.
    ///
    /// # Errors
    ///
    /// Bytes that are not an encoded delta, or one of more than [`IDENTITY_PERSONS_MAX`] persons.
    pub fn from_bytes(bytes: &[u8]) -> Result<IdentityDelta, CodecError> {
        let mut reader = Reader::new(bytes);
        expect_version(&mut reader, DELTA)?;
        let first_position = reader.varint()?;
        let length = reader.varint()?;
        if length > IDENTITY_PERSONS_MAX {
            return Err(CodecError::TooLong {
                length,
                limit: IDENTITY_PERSONS_MAX,
            });
        }
        if first_position.checked_add(length).is_none() {
            return Err(CodecError::Invalid("positions go past 64 bits"));
        }
        let mut persons = Vec::new();
        let mut column = PersonColumn {
            reader,
            unclaimed: length,
            previous: 0,
            segment: Segment::None,
        };
        while column.next_piece(PIECE, &mut persons)? > 0 {}
        Ok(IdentityDelta {
            first_position,
            persons,
        })
    }
}

/// A whole column of persons, or a piece of one, as bytes for a checkpoint.
pub fn encode_persons(persons: &[Person]) -> Vec<u8> {
    let mut out = vec![COLUMN];
    put_varint(&mut out, persons.len() as u64);
    put_segments(&mut out, persons);
    out
}

/// Reads what [`encode_persons`] wrote, at once. Up to four bytes for each of the expected persons are allocated.
///
/// # Errors
///
/// Bytes that are not an encoded column of exactly `expected` persons.
pub fn decode_persons(bytes: &[u8], expected: u64) -> Result<Vec<Person>, CodecError> {
    let mut column = PersonColumn::new(bytes, expected)?;
    let mut persons = Vec::new();
    while column.next_piece(PIECE, &mut persons)? > 0 {}
    Ok(persons)
}

/// Reads what [`encode_persons`] wrote, piece by piece.
#[derive(Debug, Clone)]
pub struct PersonColumn<'a> {
    reader: Reader<'a>,
    /// Positions that no segment read so far covers.
    unclaimed: u64,
    previous: Person,
    segment: Segment<'a>,
}

/// What of the segment at hand is still to come.
#[derive(Debug, Clone)]
enum Segment<'a> {
    None,
    /// `previous` comes `again` times, then `more` higher numbers come `repeat` times each.
    Run {
        again: u64,
        more: u64,
        repeat: u64,
    },
    Steps {
        bits: &'a [u8],
        at: usize,
        count: usize,
    },
    Literals {
        count: u64,
    },
}

impl<'a> PersonColumn<'a> {
    /// Begins to read a column of exactly `expected` persons.
    ///
    /// # Errors
    ///
    /// Bytes that do not begin as such a column does.
    pub fn new(bytes: &'a [u8], expected: u64) -> Result<PersonColumn<'a>, CodecError> {
        let mut reader = Reader::new(bytes);
        expect_version(&mut reader, COLUMN)?;
        let length = reader.varint()?;
        if length > expected {
            return Err(CodecError::TooLong {
                length,
                limit: expected,
            });
        }
        if length < expected {
            return Err(CodecError::Invalid("a column is shorter than expected"));
        }
        Ok(PersonColumn {
            reader,
            unclaimed: length,
            previous: 0,
            segment: Segment::None,
        })
    }

    /// Appends the next persons to `out`, at most `max` of them, and answers how many; 0 once the column is read and checked
    /// to its end.
    ///
    /// # Errors
    ///
    /// Bytes that are not an encoded column; what was appended before the error is to be discarded.
    pub fn next_piece(&mut self, max: usize, out: &mut Vec<Person>) -> Result<usize, CodecError> {
        let start = out.len();
        while out.len() - start < max {
            if matches!(self.segment, Segment::None) {
                if self.unclaimed == 0 {
                    self.reader.finish()?;
                    break;
                }
                self.take_segment()?;
            }
            self.fill(max - (out.len() - start), out)?;
        }
        Ok(out.len() - start)
    }

    /// Reads the head of the next segment.
    fn take_segment(&mut self) -> Result<(), CodecError> {
        let head = self.reader.varint()?;
        let count = head >> 2;
        if count == 0 {
            return Err(CodecError::Invalid("a segment is empty"));
        }
        self.segment = match head & 3 {
            RUN => {
                self.previous = self.take_person()?;
                let numbers = self.reader.varint()?;
                if numbers == 0 || numbers - 1 > u64::from(Person::MAX - self.previous) {
                    return Err(CodecError::Invalid("a run of persons goes past 32 bits"));
                }
                self.take_positions(count.checked_mul(numbers))?;
                Segment::Run {
                    again: count,
                    more: numbers - 1,
                    repeat: count,
                }
            }
            STEPS => {
                self.take_positions(Some(count))?;
                self.previous = self.take_person()?;
                let bytes = usize::try_from(count.div_ceil(8)).unwrap_or(usize::MAX);
                Segment::Steps {
                    bits: self.reader.take(bytes)?,
                    at: 0,
                    count: count as usize,
                }
            }
            LITERALS => {
                self.take_positions(Some(count))?;
                Segment::Literals { count }
            }
            _ => return Err(CodecError::Invalid("a segment is of an unknown kind")),
        };
        Ok(())
    }

    /// Counts the positions of a segment against those that are left.
    fn take_positions(&mut self, count: Option<u64>) -> Result<(), CodecError> {
        match count.and_then(|count| self.unclaimed.checked_sub(count)) {
            Some(left) => self.unclaimed = left,
            None => {
                return Err(CodecError::Invalid(
                    "segments go past the end of their column",
                ));
            }
        }
        Ok(())
    }

    /// A number, coded as its difference to the one before.
    fn take_person(&mut self) -> Result<Person, CodecError> {
        let difference = unzigzag(self.reader.varint()?);
        i64::from(self.previous)
            .checked_add(difference)
            .and_then(|person| Person::try_from(person).ok())
            .ok_or(CodecError::Invalid("a person does not fit 32 bits"))
    }

    /// Appends up to `room` persons of the segment at hand.
    fn fill(&mut self, room: usize, out: &mut Vec<Person>) -> Result<(), CodecError> {
        match &mut self.segment {
            Segment::None => {}
            Segment::Run {
                again,
                more,
                repeat,
            } => {
                let mut room = room as u64;
                while room > 0 && (*again > 0 || *more > 0) {
                    if *again == 0 {
                        (*again, *more) = (*repeat, *more - 1);
                        self.previous += 1;
                    }
                    let now = room.min(*again);
                    out.extend(std::iter::repeat_n(self.previous, now as usize));
                    room -= now;
                    *again -= now;
                }
                if *again == 0 && *more == 0 {
                    self.segment = Segment::None;
                }
            }
            Segment::Steps { bits, at, count } => {
                let end = (*at).saturating_add(room).min(*count);
                for index in *at..end {
                    let step = u32::from(bits[index / 8] >> (index % 8) & 1);
                    self.previous = self
                        .previous
                        .checked_add(step)
                        .ok_or(CodecError::Invalid("a person does not fit 32 bits"))?;
                    out.push(self.previous);
                }
                *at = end;
                if end == *count {
                    self.segment = Segment::None;
                }
            }
            Segment::Literals { count } => {
                let now = (room as u64).min(*count);
                let rest = *count - now;
                for _ in 0..now {
                    self.previous = self.take_person()?;
                    out.push(self.previous);
                }
                self.segment = if rest == 0 {
                    Segment::None
                } else {
                    Segment::Literals { count: rest }
                };
            }
        }
        Ok(())
    }
}

fn expect_version(reader: &mut Reader<'_>, version: u8) -> Result<(), CodecError> {
    match reader.u8()? {
        found if found == version => Ok(()),
        found => Err(CodecError::UnknownFormat(found.into())),
    }
}

/// Appends the persons as segments.
fn put_segments(out: &mut Vec<u8>, persons: &[Person]) {
    let mut previous = 0;
    // Positions before `done` are written; those up to `at` wait to be steps or literals.
    let (mut done, mut at) = (0, 0);
    while at < persons.len() {
        let (repeat, numbers) = run_at(&persons[at..]);
        if repeat * numbers < RUN_POSITIONS_MIN {
            at += repeat * numbers;
            continue;
        }
        put_plain(out, &persons[done..at], &mut previous);
        put_varint(out, (repeat as u64) << 2 | RUN);
        put_person(out, persons[at], &mut previous);
        put_varint(out, numbers as u64);
        at += repeat * numbers;
        previous = persons[at - 1];
        done = at;
    }
    put_plain(out, &persons[done..], &mut previous);
}

/// How often the first person repeats, and how many ascending numbers, each so often, the slice begins with.
fn run_at(persons: &[Person]) -> (usize, usize) {
    let same = |from: usize| {
        persons[from..]
            .iter()
            .take_while(|person| **person == persons[from])
            .count()
    };
    let repeat = same(0);
    let mut numbers = 1;
    let mut at = repeat;
    while at < persons.len()
        && persons[at - 1].checked_add(1) == Some(persons[at])
        && same(at) == repeat
    {
        numbers += 1;
        at += repeat;
    }
    (repeat, numbers)
}

/// Appends persons as steps where they go up by one or stay, else as literals.
fn put_plain(out: &mut Vec<u8>, persons: &[Person], previous: &mut Person) {
    let stretches = persons.chunk_by(|a, b| b.checked_sub(*a).is_some_and(|step| step <= 1));
    let mut done = 0;
    let mut at = 0;
    for stretch in stretches {
        if stretch.len() >= STEPS_MIN {
            put_literals(out, &persons[done..at], previous);
            put_steps(out, stretch, previous);
            done = at + stretch.len();
        }
        at += stretch.len();
    }
    put_literals(out, &persons[done..], previous);
}

fn put_literals(out: &mut Vec<u8>, persons: &[Person], previous: &mut Person) {
    if persons.is_empty() {
        return;
    }
    put_varint(out, (persons.len() as u64) << 2 | LITERALS);
    for person in persons {
        put_person(out, *person, previous);
    }
}

fn put_steps(out: &mut Vec<u8>, persons: &[Person], previous: &mut Person) {
    put_varint(out, (persons.len() as u64) << 2 | STEPS);
    put_person(out, persons[0], previous);
    for eight in persons.chunks(8) {
        let mut bits = 0;
        for (bit, person) in eight.iter().enumerate() {
            bits |= u8::from(*person != *previous) << bit;
            *previous = *person;
        }
        out.push(bits);
    }
}

fn put_person(out: &mut Vec<u8>, person: Person, previous: &mut Person) {
    put_varint(out, zigzag(i64::from(person) - i64::from(*previous)));
    *previous = person;
}
