//! Questions about several sets at once, answered in steps: how many an expression holds and who, the overlaps of many sets,
//! the regions of a few.
//!
//! A question is asked of sets as they were published; it neither locks nor copies them. It is advanced a budget at a time, so
//! that whoever asks can stop, give way to others and go on. Invariant: the answer does not depend on the budgets.

use crate::{Expression, Person, Set, Term, Unreadable};

/// The most sets whose regions are counted: there are 2^6 - 1 of them.
pub const REGIONS_SETS_MAX: usize = 6;

/// A set that a question is about. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Operand(Set);

impl Operand {
    /// How many persons it has. Nothing is read for it.
    pub fn len(&self) -> u64 {
        self.0.len()
    }

    /// Whether it has nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Set> for Operand {
    fn from(set: Set) -> Operand {
        Operand(set)
    }
}

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

/// The budget of one step of a question.
pub const STEP: usize = 4_096;

/// How many persons an expression holds.
#[derive(Debug)]
pub struct Count(Gather);

impl Count {
    /// Everybody is the persons below `next_person`.
    ///
    /// # Panics
    ///
    /// When the expression names an operand that is not there.
    pub fn new(expression: Expression, operands: Vec<Operand>, next_person: Person) -> Count {
        Count(Gather::new(expression, operands, next_person))
    }
}

impl Question for Count {
    type Answer = u64;

    fn advance(&mut self, budget: usize) -> Result<Option<u64>, Unreadable> {
        Ok(self.0.advance(budget)?.map(|set| set.len()))
    }
}

/// Whom an expression holds.
#[derive(Debug)]
pub struct Gather {
    expression: Expression,
    operands: Vec<Operand>,
    everybody: Set,
}

impl Gather {
    /// Everybody is the persons below `next_person`.
    ///
    /// # Panics
    ///
    /// When the expression names an operand that is not there.
    pub fn new(expression: Expression, operands: Vec<Operand>, next_person: Person) -> Gather {
        assert!(
            expression.operands() <= operands.len(),
            "every operand is there"
        );
        Gather {
            expression,
            operands,
            everybody: Set::range(1, next_person.saturating_sub(1)),
        }
    }

    fn evaluate(&self, term: &Term) -> Set {
        match term {
            Term::Operand(place) => self.operands[*place].0.clone(),
            Term::All(terms) => terms.iter().fold(self.everybody.clone(), |set, term| {
                set.and(&self.evaluate(term))
            }),
            Term::Any(terms) => terms
                .iter()
                .fold(Set::new(), |set, term| set.or(&self.evaluate(term))),
            Term::Not(term) => self.everybody.and_not(&self.evaluate(term)),
        }
    }
}

impl Question for Gather {
    type Answer = Set;

    fn advance(&mut self, _budget: usize) -> Result<Option<Set>, Unreadable> {
        Ok(Some(self.evaluate(self.expression.term())))
    }
}

/// How many persons each of some sets shares with each of others.
#[derive(Debug)]
pub struct Overlaps {
    rows: Vec<Operand>,
    columns: Vec<Operand>,
}

impl Overlaps {
    /// The overlap of each row with each column.
    pub fn between(rows: Vec<Operand>, columns: Vec<Operand>) -> Overlaps {
        Overlaps { rows, columns }
    }

    /// The overlap of each set with each, itself included; every pair is counted once.
    pub fn among(sets: Vec<Operand>) -> Overlaps {
        Overlaps {
            rows: sets.clone(),
            columns: sets,
        }
    }
}

impl Question for Overlaps {
    /// A row of counts for each row, in the order of the columns.
    type Answer = Vec<Vec<u64>>;

    fn advance(&mut self, _budget: usize) -> Result<Option<Vec<Vec<u64>>>, Unreadable> {
        let row = |row: &Operand| {
            let columns = self.columns.iter();
            columns.map(|column| row.0.and_len(&column.0)).collect()
        };
        Ok(Some(self.rows.iter().map(row).collect()))
    }
}

/// How many persons are in exactly these of a few sets and in none of the others, for every choice: what an UpSet plot shows.
#[derive(Debug)]
pub struct Regions(Vec<Operand>);

impl Regions {
    /// The regions of up to [`REGIONS_SETS_MAX`] sets.
    ///
    /// # Panics
    ///
    /// When there are more.
    pub fn new(sets: Vec<Operand>) -> Regions {
        assert!(sets.len() <= REGIONS_SETS_MAX, "regions of a few sets");
        Regions(sets)
    }
}

impl Question for Regions {
    /// At place `m`, those who are exactly in the sets whose bits are set in `m`; at place 0, nobody.
    type Answer = Vec<u64>;

    fn advance(&mut self, _budget: usize) -> Result<Option<Vec<u64>>, Unreadable> {
        let mut counts = vec![0; 1 << self.0.len()];
        for (mask, count) in counts.iter_mut().enumerate().skip(1) {
            let chosen = |place: usize| mask >> place & 1 == 1;
            let mut within: Option<Set> = None;
            for (place, set) in self.0.iter().enumerate() {
                if chosen(place) {
                    within = Some(within.map_or(set.0.clone(), |within| within.and(&set.0)));
                }
            }
            let mut within = within.unwrap_or_default();
            for (place, set) in self.0.iter().enumerate() {
                if !chosen(place) {
                    within = within.and_not(&set.0);
                }
            }
            *count = within.len();
        }
        Ok(Some(counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish<Q: Question>(mut question: Q) -> Q::Answer {
        loop {
            if let Some(answer) = question.advance(STEP).expect("is in memory") {
                return answer;
            }
        }
    }

    #[test]
    fn questions_are_answered() {
        let a: Operand = (1..100).collect::<Set>().into();
        let b: Operand = (50..200).collect::<Set>().into();
        let neither = Term::Not(Box::new(Term::Any(vec![
            Term::Operand(0),
            Term::Operand(1),
        ])));
        let both = Term::All(vec![Term::Operand(0), Term::Operand(1)]);
        for (term, expected) in [(neither, 101), (both, 50), (Term::All(Vec::new()), 300)] {
            let expression = Expression::new(term).expect("is small");
            let count = Count::new(expression, vec![a.clone(), b.clone()], 301);
            assert_eq!(finish(count), expected);
        }
        let sets = vec![a, b];
        assert_eq!(
            finish(Overlaps::among(sets.clone())),
            vec![vec![99, 50], vec![50, 150]]
        );
        assert_eq!(finish(Regions::new(sets)), vec![0, 49, 100, 50]);
    }
}
