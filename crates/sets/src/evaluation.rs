//! Questions about several sets at once, answered in steps: how many an expression holds and who, the overlaps of many sets,
//! the regions of a few.
//!
//! A question is asked of sets as they were published; it neither locks nor copies them. It is advanced a budget at a time, so
//! that whoever asks can stop, give way to others and go on. Invariant: the answer does not depend on the budgets.

mod block;
mod gather;
mod operand;
mod overlaps;
mod plan;
mod regions;

pub use gather::{Count, Gather};
pub use operand::Operand;
pub(crate) use operand::{Chunks, Window};
pub use overlaps::Overlaps;
pub use regions::{REGIONS_SETS_MAX, Regions};

use crate::Unreadable;

/// A question under way.
pub trait Question: Send {
    /// What it comes to.
    type Answer: Send;

    /// Goes on, for about `budget` pairs of chunks, and answers once there is nothing left to do. One budget of
    /// [`STEP`] takes about a millisecond. After the answer it is not advanced again.
    ///
    /// # Errors
    ///
    /// A set that could not be read. The question is over then.
    fn advance(&mut self, budget: usize) -> Result<Option<Self::Answer>, Unreadable>;
}

/// A question that several threads may work on.
pub trait Divide: Question + Sized {
    /// Parts it, before it is advanced, into as many as `parts` questions to be advanced apart; into one where it is short.
    fn divide(self, parts: usize) -> Vec<Self>;

    /// The answer, of the answers of all parts in their order.
    fn join(answers: Vec<Self::Answer>) -> Self::Answer;
}

/// The budget of one step of a question.
pub const STEP: usize = 4_096;

/// What is left of a budget, in what takes about a nanosecond.
#[derive(Debug)]
struct Fuel(isize);

impl Fuel {
    fn of(budget: usize) -> Fuel {
        Fuel(isize::try_from(budget.max(1).saturating_mul(256)).unwrap_or(isize::MAX))
    }

    fn spend(&mut self, cost: usize) {
        self.0 = self.0.saturating_sub_unsigned(cost);
    }

    fn is_spent(&self) -> bool {
        self.0 <= 0
    }
}

#[cfg(test)]
mod tests;
