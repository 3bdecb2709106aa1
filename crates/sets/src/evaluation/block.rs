//! What an expression comes to within one chunk, while it is evaluated.
//!
//! Like a [`Container`], of which it becomes one, but in the shape that goes on fastest instead of the smallest. Bitmaps are
//! used again. Invariant: `Empty` and `Full` are the only shapes of nobody and of everybody.

use crate::container::{ARRAY_MAX, Bitmap, Container, Run, Runs, arrays, runs};

/// How many numbers there are.
pub(super) const FULL_LEN: usize = 1 << 16;
const FULL: Run = Run {
    first: 0,
    last: u16::MAX,
};
/// The longest union that is kept as a list: marking more bits than these is quicker than merging.
const MERGED_MAX: usize = 256;

/// Some of the numbers of a chunk.
#[derive(Debug)]
pub(super) enum Block {
    Empty,
    Full,
    /// Ascending.
    Lows(Vec<u16>),
    /// However many.
    Bits(Bitmap),
}

/// Bitmaps to be used again.
#[derive(Debug, Default)]
pub(super) struct Pool(Vec<Bitmap>);

impl Pool {
    fn copy(&mut self, bitmap: &Bitmap) -> Bitmap {
        match self.0.pop() {
            Some(mut copy) => {
                copy.copy_from(bitmap);
                copy
            }
            None => bitmap.clone(),
        }
    }

    fn empty(&mut self) -> Bitmap {
        match self.0.pop() {
            Some(mut bitmap) => {
                bitmap.clear();
                bitmap
            }
            None => Bitmap::empty(),
        }
    }

    fn full(&mut self) -> Bitmap {
        let mut bitmap = self.empty();
        bitmap.insert_runs(&[FULL]);
        bitmap
    }

    /// Takes back what a block holds.
    pub(super) fn put(&mut self, block: Block) {
        if let Block::Bits(bitmap) = block {
            self.0.push(bitmap);
        }
    }
}

impl Block {
    pub(super) fn of(container: &Container, pool: &mut Pool) -> Block {
        match container {
            _ if container.len() == FULL_LEN => Block::Full,
            Container::Array(list) => lows(list.clone()),
            Container::Bitmap(bitmap) => bits(pool.copy(bitmap), pool),
            Container::Runs(runs) => {
                let mut bitmap = pool.empty();
                bitmap.insert_runs(runs.list());
                bits(bitmap, pool)
            }
        }
    }

    /// What both containers have.
    pub(super) fn of_both(a: &Container, b: &Container, pool: &mut Pool) -> Block {
        match (a, b) {
            (Container::Bitmap(a), Container::Bitmap(b)) => {
                let mut bitmap = pool.0.pop().unwrap_or_else(Bitmap::empty);
                bitmap.and_of(a, b);
                bits(bitmap, pool)
            }
            (Container::Array(list), other) | (other, Container::Array(list)) => {
                lows(keep(list, other))
            }
            _ => Block::of(a, pool).and(b, pool),
        }
    }

    /// What the block and the container have.
    pub(super) fn both(&self, container: &Container, pool: &mut Pool) -> Block {
        match (self, container) {
            (Block::Empty, _) => Block::Empty,
            (Block::Full, _) => Block::of(container, pool),
            (Block::Lows(list), _) => lows(keep(list, container)),
            (Block::Bits(bitmap), Container::Bitmap(other)) => {
                let mut both = pool.0.pop().unwrap_or_else(Bitmap::empty);
                both.and_of(bitmap, other);
                bits(both, pool)
            }
            (Block::Bits(bitmap), Container::Array(list)) => {
                lows(arrays::keep(list, |low| bitmap.contains(low)))
            }
            (Block::Bits(bitmap), Container::Runs(_)) => {
                Block::Bits(pool.copy(bitmap)).and(container, pool)
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Block::Empty => 0,
            Block::Full => FULL_LEN,
            Block::Lows(list) => list.len(),
            Block::Bits(bitmap) => bitmap.len(),
        }
    }

    /// How many the container has too.
    pub(super) fn and_len(&self, container: &Container) -> usize {
        match (self, container) {
            (Block::Empty, _) => 0,
            (Block::Full, _) => container.len(),
            (Block::Lows(list), Container::Array(other)) => arrays::and_len(list, other),
            (Block::Lows(list), Container::Bitmap(other)) => other.probe(list),
            (Block::Lows(list), Container::Runs(other)) => runs::count_array(list, other.list()),
            (Block::Bits(bitmap), Container::Array(other)) => bitmap.probe(other),
            (Block::Bits(bitmap), Container::Bitmap(other)) => bitmap.and_len(other),
            (Block::Bits(bitmap), Container::Runs(other)) => bitmap.and_len_runs(other.list()),
        }
    }

    /// Those that the container has too.
    pub(super) fn and(self, container: &Container, pool: &mut Pool) -> Block {
        match (self, container) {
            (Block::Empty, _) => Block::Empty,
            (Block::Full, _) => Block::of(container, pool),
            (block, _) if container.len() == FULL_LEN => block,
            (Block::Lows(list), _) => lows(keep(&list, container)),
            (Block::Bits(bitmap), Container::Array(list)) => {
                let kept = lows(arrays::keep(list, |low| bitmap.contains(low)));
                pool.put(Block::Bits(bitmap));
                kept
            }
            (Block::Bits(mut bitmap), Container::Bitmap(other)) => {
                bitmap.and_assign(other);
                bits(bitmap, pool)
            }
            (Block::Bits(mut bitmap), Container::Runs(other)) => {
                bitmap.remove_runs(runs::and_not(&[FULL], other.list()).list());
                bits(bitmap, pool)
            }
        }
    }

    /// Those that the container lacks.
    pub(super) fn and_not(self, container: &Container, pool: &mut Pool) -> Block {
        let mut bitmap = match (self, container) {
            (Block::Empty, _) => return Block::Empty,
            (block, _) if container.len() == FULL_LEN => {
                pool.put(block);
                return Block::Empty;
            }
            (Block::Lows(list), Container::Array(other)) => {
                return lows(arrays::and_not(&list, other));
            }
            (Block::Lows(list), Container::Bitmap(other)) => {
                return lows(arrays::keep(&list, |low| !other.contains(low)));
            }
            (Block::Lows(list), Container::Runs(other)) => {
                return lows(runs::filter_array(&list, other.list(), false));
            }
            (Block::Full, _) => pool.full(),
            (Block::Bits(bitmap), _) => bitmap,
        };
        match container {
            Container::Array(list) => bitmap.remove_lows(list),
            Container::Bitmap(other) => bitmap.and_not_assign(other),
            Container::Runs(runs) => bitmap.remove_runs(runs.list()),
        }
        bits(bitmap, pool)
    }

    /// Those and the container's.
    pub(super) fn or(self, container: &Container, pool: &mut Pool) -> Block {
        let mut bitmap = match (self, container) {
            (Block::Empty, _) => return Block::of(container, pool),
            (Block::Full, _) => return Block::Full,
            (block, _) if container.len() == FULL_LEN => {
                pool.put(block);
                return Block::Full;
            }
            (Block::Lows(list), Container::Array(other))
                if list.len() + other.len() <= MERGED_MAX =>
            {
                return lows(arrays::or(&list, other));
            }
            (Block::Lows(list), Container::Bitmap(other)) => {
                let mut bitmap = pool.copy(other);
                bitmap.insert_lows(&list);
                return bits(bitmap, pool);
            }
            (Block::Lows(list), _) => {
                let mut bitmap = pool.empty();
                bitmap.insert_lows(&list);
                bitmap
            }
            (Block::Bits(bitmap), _) => bitmap,
        };
        match container {
            Container::Array(list) => bitmap.insert_lows(list),
            Container::Bitmap(other) => bitmap.or_assign(other),
            Container::Runs(runs) => bitmap.insert_runs(runs.list()),
        }
        bits(bitmap, pool)
    }

    /// Those and whoever the container lacks.
    pub(super) fn or_not(self, container: &Container, pool: &mut Pool) -> Block {
        let mut bitmap = match self {
            Block::Empty => return Block::Full.and_not(container, pool),
            Block::Full => return Block::Full,
            block if container.len() == FULL_LEN => return block,
            Block::Lows(list) => {
                let mut bitmap = pool.empty();
                bitmap.insert_lows(&list);
                bitmap
            }
            Block::Bits(bitmap) => bitmap,
        };
        match container {
            Container::Array(list) => {
                let lacking = arrays::keep(list, |low| !bitmap.contains(low));
                bitmap.insert_runs(&[FULL]);
                bitmap.remove_lows(&lacking);
            }
            Container::Bitmap(other) => bitmap.or_not_assign(other),
            Container::Runs(other) => {
                bitmap.insert_runs(runs::and_not(&[FULL], other.list()).list());
            }
        }
        bits(bitmap, pool)
    }

    /// Those of both blocks.
    pub(super) fn and_block(self, other: Block, pool: &mut Pool) -> Block {
        match (self, other) {
            (Block::Empty, block) | (block, Block::Empty) => {
                pool.put(block);
                Block::Empty
            }
            (Block::Full, block) | (block, Block::Full) => block,
            (block, Block::Lows(list)) => block.and(&Container::Array(list), pool),
            (block, Block::Bits(bitmap)) => block.with(bitmap, Block::and, pool),
        }
    }

    /// Those of either block.
    pub(super) fn or_block(self, other: Block, pool: &mut Pool) -> Block {
        match (self, other) {
            (Block::Full, block) | (block, Block::Full) => {
                pool.put(block);
                Block::Full
            }
            (Block::Empty, block) | (block, Block::Empty) => block,
            (block, Block::Lows(list)) => block.or(&Container::Array(list), pool),
            (block, Block::Bits(bitmap)) => block.with(bitmap, Block::or, pool),
        }
    }

    fn with(
        self,
        bitmap: Bitmap,
        combine: fn(Block, &Container, &mut Pool) -> Block,
        pool: &mut Pool,
    ) -> Block {
        let other = Container::Bitmap(bitmap);
        let block = combine(self, &other, pool);
        if let Container::Bitmap(bitmap) = other {
            pool.put(Block::Bits(bitmap));
        }
        block
    }

    /// The container of them, within the limits of its shape; none of nobody.
    pub(super) fn into_container(self, pool: &mut Pool) -> Option<Container> {
        Some(match self {
            Block::Empty => return None,
            Block::Full => Container::Runs(Runs::new(vec![FULL])),
            Block::Lows(mut list) if list.len() <= ARRAY_MAX => {
                list.shrink_to_fit();
                Container::Array(list)
            }
            Block::Lows(list) => Container::Bitmap(Bitmap::from_lows(list.into_iter())),
            Block::Bits(bitmap) if bitmap.len() <= ARRAY_MAX => {
                let list = bitmap.to_lows();
                pool.put(Block::Bits(bitmap));
                Container::Array(list)
            }
            Block::Bits(bitmap) => Container::Bitmap(bitmap),
        })
    }
}

/// The numbers of an array that the container has too.
fn keep(list: &[u16], container: &Container) -> Vec<u16> {
    match container {
        Container::Array(other) => arrays::and(list, other),
        Container::Bitmap(other) => arrays::keep(list, |low| other.contains(low)),
        Container::Runs(other) => runs::filter_array(list, other.list(), true),
    }
}

fn lows(list: Vec<u16>) -> Block {
    match list.is_empty() {
        true => Block::Empty,
        false => Block::Lows(list),
    }
}

fn bits(bitmap: Bitmap, pool: &mut Pool) -> Block {
    let block = match bitmap.len() {
        0 => Block::Empty,
        FULL_LEN => Block::Full,
        _ => return Block::Bits(bitmap),
    };
    pool.put(Block::Bits(bitmap));
    block
}
