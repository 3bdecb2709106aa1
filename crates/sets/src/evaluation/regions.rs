//! How many persons are in exactly these of a few sets.
//!
//! Chunk by chunk, every intersection is counted once, made of the one before it; the regions follow from their sums.
//! Invariant: an intersection that is empty is not intersected further.

use super::block::{Block, Pool};
use super::operand::{Feeds, Stop};
use super::{Divide, Fuel, Operand, Question};
use crate::Unreadable;
use crate::container::Container;

/// The most sets whose regions are counted: there are 2^6 - 1 of them.
pub const REGIONS_SETS_MAX: usize = 6;

/// What a chunk is reckoned to take for each intersection.
const COST: usize = 600;

/// How many persons are in exactly these of a few sets and in none of the others, for every choice: what an UpSet plot shows.
#[derive(Debug)]
pub struct Regions {
    feeds: Feeds,
    /// At place `m`, those who are in the sets whose bits are set in `m`, whatever else they are in.
    sums: Vec<u64>,
    pool: Pool,
}

impl Regions {
    /// The regions of up to [`REGIONS_SETS_MAX`] sets.
    ///
    /// # Panics
    ///
    /// When there are more.
    pub fn new(sets: Vec<Operand>) -> Regions {
        assert!(sets.len() <= REGIONS_SETS_MAX, "regions of a few sets");
        let mut sums = vec![0; 1 << sets.len()];
        for (place, set) in sets.iter().enumerate() {
            sums[1 << place] = set.len();
        }
        Regions {
            feeds: Feeds::new(sets),
            sums,
            pool: Pool::default(),
        }
    }
}

impl Question for Regions {
    /// At place `m`, those who are exactly in the sets whose bits are set in `m`; at place 0, nobody.
    type Answer = Vec<u64>;

    fn advance(&mut self, budget: usize) -> Result<Option<Vec<u64>>, Unreadable> {
        let mut fuel = Fuel::of(budget);
        loop {
            match self.feeds.next(&mut fuel)? {
                Stop::Tired => return Ok(None),
                Stop::End => return Ok(Some(exactly(std::mem::take(&mut self.sums)))),
                Stop::At(_) => {}
            }
            let places = 0..self.feeds.count();
            let here: Vec<(usize, &Container)> = places
                .filter_map(|place| Some((1 << place, &**self.feeds.get(place)?)))
                .collect();
            let mut sums = Sums {
                sums: &mut self.sums,
                pool: &mut self.pool,
                fuel: &mut fuel,
            };
            for (place, (bit, container)) in here.iter().enumerate() {
                sums.pairs(*bit, container, &here[place + 1..]);
            }
            if fuel.is_spent() {
                return Ok(None);
            }
        }
    }
}

impl Divide for Regions {
    fn divide(self, parts: usize) -> Vec<Regions> {
        let parts = self.feeds.parts(parts).into_iter();
        let mut divided: Vec<Regions> = parts
            .map(|highs| Regions {
                feeds: self.feeds.within(highs),
                sums: vec![0; self.sums.len()],
                pool: Pool::default(),
            })
            .collect();
        // How long the sets are is known already, and counted once.
        divided[0].sums = self.sums;
        divided
    }

    fn join(answers: Vec<Vec<u64>>) -> Vec<u64> {
        let mut answers = answers.into_iter();
        let mut sum = answers.next().unwrap_or_default();
        for answer in answers {
            for (count, more) in sum.iter_mut().zip(answer) {
                *count = count.wrapping_add(more);
            }
        }
        sum
    }
}

/// The sums within a chunk.
struct Sums<'a> {
    sums: &'a mut [u64],
    pool: &'a mut Pool,
    fuel: &'a mut Fuel,
}

impl Sums<'_> {
    /// Those who are in one set and in some of the sets behind it.
    fn pairs(&mut self, bit: usize, container: &Container, behind: &[(usize, &Container)]) {
        for (place, (other_bit, other)) in behind.iter().enumerate() {
            self.fuel.spend(COST);
            let rest = &behind[place + 1..];
            if rest.is_empty() {
                self.sums[bit | other_bit] += container.and_len(other) as u64;
                return;
            }
            let both = Block::of_both(container, other, self.pool);
            self.sums[bit | other_bit] += both.len() as u64;
            self.further(bit | other_bit, &both, rest);
            self.pool.put(both);
        }
    }

    /// Those of a block and of some of the sets behind. As deep as there are sets.
    fn further(&mut self, mask: usize, block: &Block, behind: &[(usize, &Container)]) {
        if block.len() == 0 {
            return;
        }
        for (place, (bit, container)) in behind.iter().enumerate() {
            self.fuel.spend(COST);
            let rest = &behind[place + 1..];
            if rest.is_empty() {
                self.sums[mask | bit] += block.and_len(container) as u64;
                return;
            }
            let both = block.both(container, self.pool);
            self.sums[mask | bit] += both.len() as u64;
            self.further(mask | bit, &both, rest);
            self.pool.put(both);
        }
    }
}

/// Takes from each sum what is in further sets too.
fn exactly(mut sums: Vec<u64>) -> Vec<u64> {
    let mut bit = 1;
    while bit < sums.len() {
        for mask in 1..sums.len() {
            if mask & bit == 0 {
                // A part that does not count how long the sets are comes to less than none, until it is joined.
                sums[mask] = sums[mask].wrapping_sub(sums[mask | bit]);
            }
        }
        bit <<= 1;
    }
    sums
}
