//! Ascending iteration over one container.
//!
//! Not over a set: the high half of a person is added by [`SetIter`](crate::SetIter). Invariant: numbers ascend strictly.

use super::{Bitmap, Container, Run};

/// The members of a container that are still to come.
#[derive(Debug, Clone)]
pub(crate) enum ContainerIter<'a> {
    Array(std::slice::Iter<'a, u16>),
    Bitmap {
        bitmap: &'a Bitmap,
        index: usize,
        word: u64,
    },
    Runs {
        rest: std::slice::Iter<'a, Run>,
        next: u32,
        last: u32,
    },
}

impl<'a> ContainerIter<'a> {
    /// Nothing.
    pub(crate) fn empty() -> ContainerIter<'a> {
        ContainerIter::Array([].iter())
    }

    pub(super) fn from(container: &'a Container, first: u16) -> ContainerIter<'a> {
        match container {
            Container::Array(list) => {
                let start = list.partition_point(|low| *low < first);
                ContainerIter::Array(list[start..].iter())
            }
            Container::Bitmap(bitmap) => {
                let index = usize::from(first >> 6);
                let word = bitmap.words()[index] & (u64::MAX << (first & 63));
                ContainerIter::Bitmap {
                    bitmap,
                    index,
                    word,
                }
            }
            Container::Runs(runs) => {
                let start = runs.list().partition_point(|run| run.last < first);
                let mut rest = runs.list()[start..].iter();
                match rest.next() {
                    Some(run) => ContainerIter::Runs {
                        rest,
                        next: u32::from(run.first.max(first)),
                        last: u32::from(run.last),
                    },
                    None => ContainerIter::empty(),
                }
            }
        }
    }
}

impl Iterator for ContainerIter<'_> {
    type Item = u16;

    #[inline]
    fn next(&mut self) -> Option<u16> {
        match self {
            ContainerIter::Array(list) => list.next().copied(),
            ContainerIter::Bitmap {
                bitmap,
                index,
                word,
            } => {
                while *word == 0 {
                    *word = *bitmap.words().get(*index + 1)?;
                    *index += 1;
                }
                let low = *index * 64 + word.trailing_zeros() as usize;
                *word &= *word - 1;
                Some(low as u16)
            }
            ContainerIter::Runs { rest, next, last } => {
                if *next > *last {
                    let run = rest.next()?;
                    *next = u32::from(run.first);
                    *last = u32::from(run.last);
                }
                *next += 1;
                Some((*next - 1) as u16)
            }
        }
    }
}
