//! Ascending iteration over a set.
//!
//! Not a snapshot: it borrows the set. Invariant: persons ascend strictly.

use crate::Person;
use crate::container::ContainerIter;
use crate::set::Chunk;

/// The members of a [`Set`](crate::Set) that are still to come, in ascending order.
#[derive(Debug, Clone)]
pub struct SetIter<'a> {
    rest: std::slice::Iter<'a, Chunk>,
    base: u32,
    current: ContainerIter<'a>,
}

impl<'a> SetIter<'a> {
    pub(crate) fn new(chunks: &'a [Chunk]) -> SetIter<'a> {
        SetIter {
            rest: chunks.iter(),
            base: 0,
            current: ContainerIter::empty(),
        }
    }

    pub(crate) fn starting(chunks: &'a [Chunk], first: Person) -> SetIter<'a> {
        let high = (first >> 16) as u16;
        let start = chunks.partition_point(|chunk| chunk.high < high);
        let mut iter = SetIter::new(&chunks[start..]);
        if let Some(chunk) = chunks.get(start).filter(|chunk| chunk.high == high) {
            iter.rest.next();
            iter.base = chunk.base();
            iter.current = chunk.container.iter_from(first as u16);
        }
        iter
    }
}

impl Iterator for SetIter<'_> {
    type Item = Person;

    #[inline]
    fn next(&mut self) -> Option<Person> {
        loop {
            if let Some(low) = self.current.next() {
                return Some(self.base | u32::from(low));
            }
            let chunk = self.rest.next()?;
            self.base = chunk.base();
            self.current = chunk.container.iter();
        }
    }
}
