//! What the fuzz targets share: the bytes of a fuzzer read as numbers and as sets, each set also as Roaring's own bitmap.
//!
//! Not a codec of anything that is stored. Invariant: any bytes are a valid input, so that no run is wasted on refusals.

use roaring::RoaringBitmap;
use sets::{Person, Set};

/// The fuzzer's bytes, read from the front; once they are used up they go on as zeros.
#[derive(Debug)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    /// Whether all bytes are used up.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// The next two bytes.
    pub fn short(&mut self) -> u16 {
        u16::from_le_bytes([self.byte(), self.byte()])
    }

    /// The next eight bytes.
    pub fn long(&mut self) -> u64 {
        u64::from_le_bytes(std::array::from_fn(|_| self.byte()))
    }

    /// So many of the next bytes as a length in front of them says, as far as there are any.
    pub fn slice(&mut self) -> &'a [u8] {
        let length = usize::from(self.short()).min(self.0.len());
        let (slice, rest) = self.0.split_at(length);
        self.0 = rest;
        slice
    }

    /// A number in one of a few chunks near each other, so that sets meet, or in the last one.
    fn person(&mut self) -> Person {
        let high = match self.byte() % 8 {
            6 => 0xffff,
            7 => u32::from(self.byte()),
            near => u32::from(near / 2),
        };
        high << 16 | u32::from(self.short())
    }

    /// A set made of a few stretches, each put in or taken out, and the same as a bitmap of Roaring's.
    pub fn set(&mut self) -> (Set, RoaringBitmap) {
        let (mut set, mut model) = (Set::new(), RoaringBitmap::new());
        for _ in 0..self.byte() % 6 {
            let (piece, same) = self.piece();
            if self.byte() % 4 == 0 {
                set.remove_all(&piece);
                model -= same;
            } else {
                set.insert_all(&piece);
                model |= same;
            }
        }
        (set, model)
    }

    /// One, a stretch, every so-many-th or scattered numbers: what becomes arrays, runs and bitmaps.
    fn piece(&mut self) -> (Set, RoaringBitmap) {
        let (kind, first) = (self.byte(), self.person());
        let count = match kind >> 2 & 3 {
            0 | 1 => u32::from(self.byte()) + 1,
            2 => u32::from(self.short() & 0x1fff) + 1,
            _ if kind & 3 == 1 => 65_536,
            _ => 5_000,
        };
        if kind & 3 == 1 {
            let last = first.saturating_add(count - 1);
            let mut model = RoaringBitmap::new();
            model.insert_range(first..=last);
            return (Set::range(first, last), model);
        }
        let step = if kind & 3 == 0 {
            1
        } else {
            2 + u32::from(kind >> 5)
        };
        let mut persons: Vec<Person> = (0..count)
            .map_while(|index| first.checked_add(index * step))
            .collect();
        if kind & 3 == 3 {
            let (high, factor) = (first & 0xffff_0000, u32::from(self.short()) | 1);
            for person in &mut persons {
                *person = high | (person.wrapping_mul(factor) & 0xffff);
            }
            return (
                Set::from_unsorted(persons.clone()),
                persons.into_iter().collect(),
            );
        }
        (Set::from_sorted(&persons), persons.into_iter().collect())
    }
}

/// Fails unless both have the same members. Large ones are compared as bitmaps, by way of the codec.
///
/// # Panics
///
/// When they differ.
pub fn assert_same(set: &Set, model: &RoaringBitmap) {
    assert_eq!(set.len(), model.len());
    if model.len() < 256 {
        assert!(set.iter().eq(model.iter()));
    }
    let written = RoaringBitmap::deserialize_from(&set.to_bytes()[..]);
    assert_eq!(&written.expect("Roaring reads what we write"), model);
}
