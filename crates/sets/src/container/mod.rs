//! A container: the members of one 65,536-wide chunk, in whichever of three shapes is small.
//!
//! It knows only the low 16 bits of a person and nothing of sharing. Invariant: an `Array` is strictly ascending and has at
//! most [`ARRAY_MAX`] members, a `Bitmap` has more, `Runs` are ascending and neither overlap nor touch. An operation may
//! return an empty `Array`; a [`Set`](crate::Set) keeps no empty container.

pub(crate) mod arrays;
mod bitmap;
mod iter;
mod ops;
pub(crate) mod runs;
pub(crate) mod words;

pub(crate) use bitmap::Bitmap;
pub(crate) use iter::ContainerIter;
pub(crate) use runs::{Run, Runs};
pub(crate) use words::WORDS;

use crate::machine;

/// The most members that an array container holds; the same limit as the Roaring format's.
pub(crate) const ARRAY_MAX: usize = 4096;

/// The members of one chunk.
#[derive(Debug, Clone)]
pub(crate) enum Container {
    Array(Vec<u16>),
    Bitmap(Bitmap),
    Runs(Runs),
}

/// The three shapes, as a choice.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub(crate) enum Shape {
    Array,
    Bitmap,
    Runs,
}

impl Shape {
    /// The shape that takes the fewest bytes for so many members in so many runs.
    pub(crate) fn smallest(len: usize, runs: usize) -> Shape {
        let plain = if len <= ARRAY_MAX {
            Shape::Array
        } else {
            Shape::Bitmap
        };
        if Shape::Runs.bytes(len, runs) < plain.bytes(len, runs) {
            Shape::Runs
        } else {
            plain
        }
    }

    /// The bytes of a serialised container of this shape.
    pub(crate) fn bytes(self, len: usize, runs: usize) -> usize {
        match self {
            Shape::Array => 2 * len,
            Shape::Bitmap => 8 * WORDS,
            Shape::Runs => 2 + 4 * runs,
        }
    }
}

impl Container {
    /// The smallest container of the low halves of `persons`, which ascend strictly and lie in one chunk.
    pub(crate) fn from_persons(persons: &[u32]) -> Container {
        let starts = persons
            .windows(2)
            .filter(|pair| pair[1] - pair[0] != 1)
            .count();
        let runs = if persons.is_empty() { 0 } else { starts + 1 };
        let lows = persons.iter().map(|person| *person as u16);
        match Shape::smallest(persons.len(), runs) {
            Shape::Array => Container::Array(lows.collect()),
            Shape::Bitmap => Container::Bitmap(Bitmap::from_lows(lows)),
            Shape::Runs => Container::Runs(Runs::from_lows(lows, runs)),
        }
    }

    /// How many members it has.
    pub(crate) fn len(&self) -> usize {
        match self {
            Container::Array(list) => list.len(),
            Container::Bitmap(bitmap) => bitmap.len(),
            Container::Runs(runs) => runs.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn contains(&self, low: u16) -> bool {
        match self {
            Container::Array(list) => list.binary_search(&low).is_ok(),
            Container::Bitmap(bitmap) => bitmap.contains(low),
            Container::Runs(runs) => runs.contains(low),
        }
    }

    /// How many runs of consecutive numbers it has.
    pub(crate) fn count_runs(&self) -> usize {
        match self {
            Container::Array(list) => {
                let starts = list
                    .windows(2)
                    .filter(|pair| pair[1] - pair[0] != 1)
                    .count();
                if list.is_empty() { 0 } else { starts + 1 }
            }
            Container::Bitmap(bitmap) => bitmap.count_runs(),
            Container::Runs(runs) => runs.list().len(),
        }
    }

    /// The largest member.
    pub(crate) fn last(&self) -> Option<u16> {
        match self {
            Container::Array(list) => list.last().copied(),
            Container::Bitmap(bitmap) => bitmap.last(),
            Container::Runs(runs) => runs.list().last().map(|run| run.last),
        }
    }

    /// The members as a bitmap, of whatever size.
    pub(crate) fn to_bitmap(&self) -> Bitmap {
        match self {
            Container::Array(list) => Bitmap::from_lows(list.iter().copied()),
            Container::Bitmap(bitmap) => bitmap.clone(),
            Container::Runs(runs) => Bitmap::from_runs(runs.list()),
        }
    }

    /// The members as runs, of whatever number.
    pub(crate) fn to_runs(&self) -> Runs {
        match self {
            Container::Array(list) => Runs::from_lows(list.iter().copied(), 0),
            Container::Bitmap(bitmap) => bitmap.to_runs(),
            Container::Runs(runs) => runs.clone(),
        }
    }

    /// The members in ascending order.
    pub(crate) fn iter(&self) -> ContainerIter<'_> {
        ContainerIter::from(self, 0)
    }

    /// The members from `first` on, in ascending order.
    pub(crate) fn iter_from(&self, first: u16) -> ContainerIter<'_> {
        ContainerIter::from(self, first)
    }

    /// Has what is outside of the container brought into the cache.
    pub(crate) fn prefetch(&self) {
        match self {
            Container::Array(list) => machine::prefetch_slice(list),
            Container::Bitmap(bitmap) => machine::prefetch_slice(bitmap.words()),
            Container::Runs(runs) => machine::prefetch_slice(runs.list()),
        }
    }

    /// Bytes that the container owns outside itself.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            Container::Array(list) => list.capacity() * 2,
            Container::Bitmap(_) => WORDS * 8,
            Container::Runs(runs) => runs.heap_bytes(),
        }
    }

    /// Whether both have the same members, whatever their shapes.
    pub(crate) fn same_members(&self, other: &Container) -> bool {
        match (self, other) {
            (Container::Array(a), Container::Array(b)) => a == b,
            (Container::Bitmap(a), Container::Bitmap(b)) => a == b,
            (Container::Runs(a), Container::Runs(b)) => a == b,
            _ => self.len() == other.len() && self.and_len(other) == self.len(),
        }
    }

    /// The same members in the shape that takes the fewest bytes.
    pub(crate) fn into_smallest(self) -> Container {
        let shape = Shape::smallest(self.len(), self.count_runs());
        match (shape, &self) {
            (Shape::Array, Container::Array(_))
            | (Shape::Bitmap, Container::Bitmap(_))
            | (Shape::Runs, Container::Runs(_)) => self,
            (Shape::Array, _) => Container::Array(self.iter().collect()),
            (Shape::Bitmap, _) => Container::Bitmap(self.to_bitmap()),
            (Shape::Runs, _) => Container::Runs(self.to_runs()),
        }
    }
}
