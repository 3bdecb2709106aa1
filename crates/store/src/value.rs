//! Parameters and rows that mean the same on both engines: 64-bit integers, text and bytes, or null.
//!
//! Booleans are the integers 0 and 1, times are milliseconds since the Unix epoch (UTC).

use crate::error::Error;

/// A statement parameter. Borrowed, so that a block of 64 KiB is not copied on its way down.
#[derive(Debug, Clone, Copy)]
pub enum Param<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl From<i64> for Param<'_> {
    fn from(value: i64) -> Self {
        Param::Int(value)
    }
}
impl From<bool> for Param<'_> {
    fn from(value: bool) -> Self {
        Param::Int(i64::from(value))
    }
}
impl<'a> From<&'a str> for Param<'a> {
    fn from(value: &'a str) -> Self {
        Param::Text(value)
    }
}
impl<'a> From<&'a String> for Param<'a> {
    fn from(value: &'a String) -> Self {
        Param::Text(value)
    }
}
impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(value: &'a [u8]) -> Self {
        Param::Bytes(value)
    }
}
impl<'a> From<&'a Vec<u8>> for Param<'a> {
    fn from(value: &'a Vec<u8>) -> Self {
        Param::Bytes(value)
    }
}
impl<'a, T> From<Option<T>> for Param<'a>
where
    Param<'a>: From<T>,
{
    fn from(value: Option<T>) -> Self {
        value.map_or(Param::Null, Param::from)
    }
}

/// A value read from a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Value {
    pub(crate) fn param(&self) -> Param<'_> {
        match self {
            Value::Null => Param::Null,
            Value::Int(value) => Param::Int(*value),
            Value::Text(value) => Param::Text(value),
            Value::Bytes(value) => Param::Bytes(value),
        }
    }
}

/// One row. Reading a column as a type that it does not have is *corrupt*, not a panic.
#[derive(Debug, Clone)]
pub struct Row(pub(crate) Vec<Value>);

impl Row {
    fn wrong<T>(&self, column: usize, wanted: &str) -> Result<T, Error> {
        Err(Error::Corrupt(format!("column {column} is not {wanted}")))
    }

    pub fn int(&self, column: usize) -> Result<i64, Error> {
        match self.0.get(column) {
            Some(Value::Int(value)) => Ok(*value),
            _ => self.wrong(column, "an integer"),
        }
    }

    pub fn natural(&self, column: usize) -> Result<u64, Error> {
        u64::try_from(self.int(column)?).or_else(|_| self.wrong(column, "a natural number"))
    }

    pub fn flag(&self, column: usize) -> Result<bool, Error> {
        Ok(self.int(column)? != 0)
    }

    pub fn optional_int(&self, column: usize) -> Result<Option<i64>, Error> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.int(column).map(Some),
        }
    }

    pub fn text(&mut self, column: usize) -> Result<String, Error> {
        match self.0.get_mut(column) {
            Some(Value::Text(value)) => Ok(std::mem::take(value)),
            _ => self.wrong(column, "text"),
        }
    }

    pub fn optional_text(&mut self, column: usize) -> Result<Option<String>, Error> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.text(column).map(Some),
        }
    }

    pub fn bytes(&mut self, column: usize) -> Result<Vec<u8>, Error> {
        match self.0.get_mut(column) {
            Some(Value::Bytes(value)) => Ok(std::mem::take(value)),
            _ => self.wrong(column, "bytes"),
        }
    }

    pub fn optional_bytes(&mut self, column: usize) -> Result<Option<Vec<u8>>, Error> {
        match self.0.get(column) {
            Some(Value::Null) => Ok(None),
            _ => self.bytes(column).map(Some),
        }
    }
}

/// Something that runs the statements of this crate within one workspace: a command's transaction or a read.
///
/// The noun files take it; only this crate can call the statements, so no SQL leaves it.
pub trait Sql {
    /// The workspace that every statement is bound to.
    fn workspace(&self) -> i64;
    #[doc(hidden)]
    fn query(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Error>;
}

/// The first row, for statements that find one or none.
pub(crate) fn query_one(
    sql: &mut dyn Sql,
    statement: &'static str,
    params: &[Param<'_>],
) -> Result<Option<Row>, Error> {
    Ok(sql.query(statement, params)?.into_iter().next())
}

/// Ids that one statement of [`query_by_ids`] takes.
const IDS: usize = 16;

/// Runs a statement that takes the workspace and sixteen ids as often as there are ids for; a last one that is short is
/// filled up with its first, so the statement must find each row once however often its id is named.
pub(crate) fn query_by_ids(
    sql: &mut dyn Sql,
    statement: &'static str,
    ids: &[i64],
) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS) {
        let mut params = [Param::Int(ids[0]); IDS + 1];
        params[0] = sql.workspace().into();
        for (param, id) in params[1..].iter_mut().zip(ids) {
            *param = Param::Int(*id);
        }
        rows.append(&mut sql.query(statement, &params)?);
    }
    Ok(rows)
}
