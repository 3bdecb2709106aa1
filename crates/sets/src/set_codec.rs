//! Sets as bytes, in the portable Roaring serialisation format, so that any Roaring library reads what the log keeps.
//!
//! The format is that of <https://github.com/RoaringBitmap/RoaringFormatSpec>: the 32-bit one, little-endian. Not the 64-bit
//! format, nor the frozen one. Invariant: what is written is the smallest form of the set, so equal sets have equal bytes;
//! what is read is checked whole before it is a set.

use std::sync::Arc;

use crate::codec::{CodecError, Reader};
use crate::container::{ARRAY_MAX, Bitmap, Container, Run, Runs, Shape, WORDS};
use crate::set::{Chunk, Set};

/// Marks a set without run containers; the count of containers follows in 32 bits.
const COOKIE_NO_RUNS: u32 = 12346;
/// Marks, in the lower 16 bits, a set with run containers; the upper 16 bits are the count of containers less one.
const COOKIE_RUNS: u32 = 12347;
/// A set with run containers has a table of offsets only from this many containers on.
const OFFSETS_FROM: usize = 4;
/// There are no more chunks than upper halves.
const CHUNKS_MAX: u32 = 1 << 16;

impl Set {
    /// The set in the portable Roaring format, every container in its smallest shape.
    pub fn to_bytes(&self) -> Vec<u8> {
        let chunks = self.chunks();
        let plans: Vec<Plan> = chunks
            .iter()
            .map(|chunk| Plan::new(&chunk.container))
            .collect();
        let with_runs = plans.iter().any(|plan| plan.shape == Shape::Runs);
        let header = header_bytes(chunks.len(), with_runs);
        let mut out =
            Vec::with_capacity(header + plans.iter().map(|plan| plan.bytes).sum::<usize>());
        if with_runs {
            out.extend_from_slice(&(COOKIE_RUNS | ((chunks.len() as u32 - 1) << 16)).to_le_bytes());
            put_flags(&mut out, &plans);
        } else {
            out.extend_from_slice(&COOKIE_NO_RUNS.to_le_bytes());
            out.extend_from_slice(&(chunks.len() as u32).to_le_bytes());
        }
        for chunk in chunks {
            out.extend_from_slice(&chunk.high.to_le_bytes());
            out.extend_from_slice(&((chunk.container.len() - 1) as u16).to_le_bytes());
        }
        if has_offsets(chunks.len(), with_runs) {
            let mut offset = header;
            for plan in &plans {
                out.extend_from_slice(&(offset as u32).to_le_bytes());
                offset += plan.bytes;
            }
        }
        for (chunk, plan) in chunks.iter().zip(&plans) {
            put_container(&mut out, &chunk.container, plan.shape);
        }
        out
    }

    /// Reads a set in the portable Roaring format.
    ///
    /// # Errors
    ///
    /// Whatever a conforming writer would not have written: numbers out of order, counts and offsets that do not match what
    /// they count, runs that overlap or touch, bytes after the end.
    pub fn from_bytes(bytes: &[u8]) -> Result<Set, CodecError> {
        let mut reader = Reader::new(bytes);
        let header = Header::read(&mut reader)?;
        let mut chunks: Vec<Chunk> = Vec::with_capacity(header.count());
        for index in 0..header.count() {
            let (high, len) = header.entry(index);
            if chunks.last().is_some_and(|chunk| chunk.high >= high) {
                return Err(CodecError::Invalid("containers are out of order"));
            }
            if header
                .offset(index)
                .is_some_and(|offset| offset as usize != reader.position())
            {
                return Err(CodecError::Invalid(
                    "an offset does not point at its container",
                ));
            }
            let container = match header.is_run(index) {
                true => take_runs(&mut reader, len)?,
                false if len <= ARRAY_MAX => take_array(&mut reader, len)?,
                false => take_bitmap(&mut reader, len)?,
            };
            chunks.push(Chunk {
                high,
                container: Arc::new(container),
            });
        }
        reader.finish()?;
        Ok(Set::from_chunks(chunks))
    }
}

/// How a container will be written.
struct Plan {
    shape: Shape,
    bytes: usize,
}

impl Plan {
    fn new(container: &Container) -> Plan {
        let (len, runs) = (container.len(), container.count_runs());
        let shape = Shape::smallest(len, runs);
        Plan {
            shape,
            bytes: shape.bytes(len, runs),
        }
    }
}

fn has_offsets(count: usize, with_runs: bool) -> bool {
    !with_runs || count >= OFFSETS_FROM
}

/// The bytes before the first container.
fn header_bytes(count: usize, with_runs: bool) -> usize {
    let start = if with_runs { 4 + count.div_ceil(8) } else { 8 };
    start + count * if has_offsets(count, with_runs) { 8 } else { 4 }
}

fn put_flags(out: &mut Vec<u8>, plans: &[Plan]) {
    for eight in plans.chunks(8) {
        let flags = eight
            .iter()
            .enumerate()
            .map(|(bit, plan)| u8::from(plan.shape == Shape::Runs) << bit);
        out.push(flags.sum());
    }
}

fn put_container(out: &mut Vec<u8>, container: &Container, shape: Shape) {
    match (shape, container) {
        (Shape::Array, Container::Array(list)) => put_array(out, list),
        (Shape::Array, _) => put_array(out, &container.iter().collect::<Vec<u16>>()),
        (Shape::Bitmap, Container::Bitmap(bitmap)) => put_words(out, bitmap),
        (Shape::Bitmap, _) => put_words(out, &container.to_bitmap()),
        (Shape::Runs, Container::Runs(runs)) => put_runs(out, runs),
        (Shape::Runs, _) => put_runs(out, &container.to_runs()),
    }
}

fn put_array(out: &mut Vec<u8>, list: &[u16]) {
    let start = out.len();
    out.resize(start + 2 * list.len(), 0);
    for (bytes, low) in out[start..].as_chunks_mut().0.iter_mut().zip(list) {
        *bytes = low.to_le_bytes();
    }
}

fn put_words(out: &mut Vec<u8>, bitmap: &Bitmap) {
    let start = out.len();
    out.resize(start + 8 * WORDS, 0);
    for (bytes, word) in out[start..]
        .as_chunks_mut()
        .0
        .iter_mut()
        .zip(bitmap.words())
    {
        *bytes = word.to_le_bytes();
    }
}

fn put_runs(out: &mut Vec<u8>, runs: &Runs) {
    out.extend_from_slice(&(runs.list().len() as u16).to_le_bytes());
    for run in runs.list() {
        out.extend_from_slice(&run.first.to_le_bytes());
        out.extend_from_slice(&(run.last - run.first).to_le_bytes());
    }
}

/// Appends a container in its smallest shape and answers which that is.
pub(crate) fn write_container(out: &mut Vec<u8>, container: &Container) -> Shape {
    let shape = Plan::new(container).shape;
    put_container(out, container, shape);
    shape
}

/// Reads a container of a shape and a count of members from all of `bytes`, checked like any other.
pub(crate) fn read_container(
    bytes: &[u8],
    shape: Shape,
    len: usize,
) -> Result<Container, CodecError> {
    let mut reader = Reader::new(bytes);
    let container = match shape {
        Shape::Array => take_array(&mut reader, len),
        Shape::Bitmap => take_bitmap(&mut reader, len),
        Shape::Runs => take_runs(&mut reader, len),
    }?;
    reader.finish()?;
    Ok(container)
}

/// The parts of the header, still as bytes: four an entry, four an offset, a bit a flag.
struct Header<'a> {
    flags: Option<&'a [u8]>,
    entries: &'a [[u8; 4]],
    offsets: Option<&'a [[u8; 4]]>,
}

impl<'a> Header<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Header<'a>, CodecError> {
        let cookie = reader.u32()?;
        let (count, flags) = if cookie == COOKIE_NO_RUNS {
            let count = reader.u32()?;
            if count > CHUNKS_MAX {
                return Err(CodecError::TooLong {
                    length: count.into(),
                    limit: CHUNKS_MAX.into(),
                });
            }
            (count as usize, None)
        } else if cookie & 0xffff == COOKIE_RUNS {
            let count = (cookie >> 16) as usize + 1;
            (count, Some(reader.take(count.div_ceil(8))?))
        } else {
            return Err(CodecError::UnknownFormat(cookie));
        };
        let entries = reader.take(count * 4)?.as_chunks().0;
        let offsets = match has_offsets(count, flags.is_some()) {
            true => Some(reader.take(count * 4)?.as_chunks().0),
            false => None,
        };
        Ok(Header {
            flags,
            entries,
            offsets,
        })
    }

    fn count(&self) -> usize {
        self.entries.len()
    }

    /// The upper half and the count of members of a container.
    fn entry(&self, index: usize) -> (u16, usize) {
        let [a, b, c, d] = self.entries[index];
        (
            u16::from_le_bytes([a, b]),
            usize::from(u16::from_le_bytes([c, d])) + 1,
        )
    }

    fn offset(&self, index: usize) -> Option<u32> {
        self.offsets
            .map(|offsets| u32::from_le_bytes(offsets[index]))
    }

    fn is_run(&self, index: usize) -> bool {
        self.flags
            .is_some_and(|flags| flags[index / 8] >> (index % 8) & 1 == 1)
    }
}

fn take_array(reader: &mut Reader<'_>, len: usize) -> Result<Container, CodecError> {
    let pairs: &[[u8; 2]] = reader.take(len * 2)?.as_chunks().0;
    let list: Vec<u16> = pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect();
    match list.is_sorted_by(|a, b| a < b) {
        true => Ok(Container::Array(list)),
        false => Err(CodecError::Invalid(
            "the members of an array are out of order",
        )),
    }
}

fn take_bitmap(reader: &mut Reader<'_>, len: usize) -> Result<Container, CodecError> {
    let bytes: &[[u8; 8]] = reader.take(WORDS * 8)?.as_chunks().0;
    let mut words = Box::new([0u64; WORDS]);
    for (word, bytes) in words.iter_mut().zip(bytes) {
        *word = u64::from_le_bytes(*bytes);
    }
    let bitmap = Bitmap::from_words(words);
    match bitmap.len() == len {
        true => Ok(Container::Bitmap(bitmap)),
        false => Err(CodecError::Invalid(
            "a bitmap has another count of members than its header says",
        )),
    }
}

fn take_runs(reader: &mut Reader<'_>, len: usize) -> Result<Container, CodecError> {
    let count = usize::from(reader.u16()?);
    let fields: &[[u8; 4]] = reader.take(count * 4)?.as_chunks().0;
    let mut list: Vec<Run> = Vec::with_capacity(count);
    for [a, b, c, d] in fields.iter().copied() {
        let first = u16::from_le_bytes([a, b]);
        let Some(last) = first.checked_add(u16::from_le_bytes([c, d])) else {
            return Err(CodecError::Invalid(
                "a run goes past the end of its container",
            ));
        };
        if list
            .last()
            .is_some_and(|run| u32::from(first) <= u32::from(run.last) + 1)
        {
            return Err(CodecError::Invalid(
                "runs are out of order, overlap or touch",
            ));
        }
        list.push(Run { first, last });
    }
    let runs = Runs::new(list);
    match runs.len() == len {
        true => Ok(Container::Runs(runs).into_smallest()),
        false => Err(CodecError::Invalid(
            "runs have another count of members than their header says",
        )),
    }
}
