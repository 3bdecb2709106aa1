//! A slice of a list by its ids, from either end.
//!
//! Invariant: a statement bounds the ids on one side only. Of two bounds SQLite expects so little that it would walk the
//! whole table by its key instead of the index of what the list is of.

use crate::{
    error::Error,
    value::{Param, Row, Sql},
};

/// At most so many rows of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyset {
    pub side: Side,
    pub limit: i64,
}

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first ones with a greater id, in ascending order.
    After(i64),
    /// The last ones with a smaller id, in descending order.
    Before(i64),
}

impl Keyset {
    /// The first rows.
    pub fn first(limit: i64) -> Keyset {
        Keyset {
            side: Side::After(0),
            limit,
        }
    }

    /// Whether a row of this id is on its side.
    pub fn holds(self, id: i64) -> bool {
        match self.side {
            Side::After(bound) => id > bound,
            Side::Before(bound) => id < bound,
        }
    }

    /// Runs the statement of the direction, whose last two parameters are the slice's and whose first is the workspace.
    pub(crate) fn query(
        self,
        sql: &mut dyn Sql,
        forwards: &'static str,
        backwards: &'static str,
        of: &[Param<'_>],
    ) -> Result<Vec<Row>, Error> {
        let (statement, bound) = match self.side {
            Side::After(bound) => (forwards, bound),
            Side::Before(bound) => (backwards, bound),
        };
        let mut params = vec![Param::Int(sql.workspace())];
        params.extend_from_slice(of);
        params.extend([bound, self.limit].map(Param::Int));
        sql.query(statement, &params)
    }
}
