//! The union of many sets at once: chunk by chunk, each read once.
//!
//! Adding one set after the other would copy a growing array again for each of them. Invariant: the result is that of
//! [`Set::or`] over all operands; a chunk that only one operand has is shared with it.

use std::sync::Arc;

use crate::Set;
use crate::container::Container;
use crate::set::Chunk;

impl Set {
    /// The members of any of the sets.
    pub fn union_of<'a>(sets: impl IntoIterator<Item = &'a Set>) -> Set {
        let mut chunks: Vec<&Chunk> = Vec::new();
        for set in sets {
            chunks.extend(set.chunks());
        }
        // Stable, and the operands' stretches ascend already.
        chunks.sort_by_key(|chunk| chunk.high);
        let united = chunks.chunk_by(|a, b| a.high == b.high).map(|same| Chunk {
            high: same[0].high,
            container: unite(same),
        });
        Set::from_chunks(united.collect())
    }

    /// Every number from `first` to `last`, both included; nobody where they are the wrong way round.
    pub fn range(first: crate::Person, last: crate::Person) -> Set {
        if first > last {
            return Set::new();
        }
        let highs = (first >> 16) as u16..=(last >> 16) as u16;
        let chunks = highs.map(|high| {
            let base = u32::from(high) << 16;
            let from = first.max(base) - base;
            let to = last.min(base | 0xffff) - base;
            Chunk {
                high,
                container: Arc::new(Container::range(from as u16, to as u16)),
            }
        });
        Set::from_chunks(chunks.collect())
    }
}

/// The union of containers of one chunk.
fn unite(same: &[&Chunk]) -> Arc<Container> {
    let first = &same[0].container;
    if same
        .iter()
        .all(|chunk| Arc::ptr_eq(&chunk.container, first))
    {
        return Arc::clone(first);
    }
    Arc::new(Container::union_of(
        same.iter().map(|chunk| &*chunk.container),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_its_ends_and_nothing_else() {
        for (first, last) in [
            (0, 0),
            (5, 9),
            (65_530, 65_540),
            (1, 200_000),
            (u32::MAX - 3, u32::MAX),
        ] {
            let range = Set::range(first, last);
            assert_eq!(range.len(), u64::from(last - first) + 1);
            assert!(range.contains(first) && range.contains(last));
            assert_eq!(range.last(), Some(last));
            assert_eq!(range.iter().next(), Some(first));
        }
        assert!(Set::range(2, 1).is_empty());
    }

    #[test]
    fn what_only_one_has_is_shared() {
        let a: Set = (0..10).collect();
        let b: Set = (1 << 20..(1 << 20) + 10).collect();
        let union = Set::union_of([&a, &b]);
        assert!(Arc::ptr_eq(
            &union.chunks()[0].container,
            &a.chunks()[0].container
        ));
        assert_eq!(union.len(), 20);
    }
}
