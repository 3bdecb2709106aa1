//! Expressions over sets: who is meant, as `all`, `any` and `not` of operands.
//!
//! An expression names its operands by their places in a list, so that it knows neither audiences nor names. Invariant: it
//! is within [`PARTS_MAX`] and [`DEPTH_MAX`], so walking it is bounded, recursion included.

use std::fmt;

/// The most parts of an expression: operands and combinations, each time they occur.
pub const PARTS_MAX: usize = 10_000;
/// The deepest nesting of an expression.
pub const DEPTH_MAX: usize = 64;

/// A part of an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Term {
    /// Who is in the operand at this place of the list.
    Operand(usize),
    /// Who is in each of them; of none at all, everybody.
    All(Vec<Term>),
    /// Who is in at least one of them; of none at all, nobody.
    Any(Vec<Term>),
    /// Everybody but these.
    Not(Box<Term>),
}

/// A checked expression.
#[derive(Clone, PartialEq, Eq)]
pub struct Expression {
    term: Term,
    operands: usize,
}

impl Expression {
    /// Checks a term.
    ///
    /// # Errors
    ///
    /// More than [`PARTS_MAX`] parts, or deeper nesting than [`DEPTH_MAX`].
    pub fn new(term: Term) -> Result<Expression, TooLarge> {
        let size = measure(&term, 1)?;
        if size.parts > PARTS_MAX {
            return Err(TooLarge::Parts);
        }
        Ok(Expression {
            term,
            operands: size.operands,
        })
    }

    /// The outermost part.
    pub fn term(&self) -> &Term {
        &self.term
    }

    /// How many operands a list must have at least.
    pub fn operands(&self) -> usize {
        self.operands
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expression({:?})", self.term)
    }
}

/// Why a term is no expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// It has too many parts.
    #[error("an expression has at most {PARTS_MAX} parts")]
    Parts,
    /// It is nested too deep.
    #[error("an expression is nested at most {DEPTH_MAX} deep")]
    Depth,
}

struct Size {
    parts: usize,
    operands: usize,
}

fn measure(term: &Term, depth: usize) -> Result<Size, TooLarge> {
    if depth > DEPTH_MAX {
        return Err(TooLarge::Depth);
    }
    let mut size = Size {
        parts: 1,
        operands: 0,
    };
    let parts = match term {
        Term::Operand(place) => {
            size.operands = place + 1;
            &[][..]
        }
        Term::All(terms) | Term::Any(terms) => terms,
        Term::Not(term) => std::slice::from_ref(&**term),
    };
    for part in parts {
        let more = measure(part, depth + 1)?;
        size.parts += more.parts;
        size.operands = size.operands.max(more.operands);
        if size.parts > PARTS_MAX {
            return Err(TooLarge::Parts);
        }
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_has_its_limits() {
        let deep =
            |depth: usize| (1..depth).fold(Term::Operand(0), |term, _| Term::Not(Box::new(term)));
        assert!(Expression::new(deep(DEPTH_MAX)).is_ok());
        assert_eq!(Expression::new(deep(DEPTH_MAX + 1)), Err(TooLarge::Depth));
        let wide = |parts: usize| Term::Any(vec![Term::Operand(3); parts - 1]);
        assert_eq!(
            Expression::new(wide(PARTS_MAX)).map(|expression| expression.operands()),
            Ok(4)
        );
        assert_eq!(Expression::new(wide(PARTS_MAX + 1)), Err(TooLarge::Parts));
    }
}
