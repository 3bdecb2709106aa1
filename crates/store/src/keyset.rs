//! A slice of a list by its ids, from either end.

use crate::{
    error::Error,
    value::{Param, Row, Sql},
};

/// Rows with `after < id < before`, at most `limit` of them: the first ones, or the last ones in descending order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keyset {
    pub after: i64,
    pub before: i64,
    pub limit: i64,
    pub backwards: bool,
}

impl Keyset {
    /// Runs the statement of the direction, whose last three parameters are the slice's and whose first is the workspace.
    pub(crate) fn query(
        self,
        sql: &mut dyn Sql,
        forwards: &'static str,
        backwards: &'static str,
        of: &[Param<'_>],
    ) -> Result<Vec<Row>, Error> {
        let mut params = vec![Param::Int(sql.workspace())];
        params.extend_from_slice(of);
        params.extend([self.after, self.before, self.limit].map(Param::Int));
        let statement = if self.backwards { backwards } else { forwards };
        sql.query(statement, &params)
    }
}
