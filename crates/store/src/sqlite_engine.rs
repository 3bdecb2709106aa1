//! SQLite: the embedded engine. WAL with `synchronous=FULL`, so a commit that returned is on the disk.

use std::{path::Path, time::Duration};

use rusqlite::{
    OpenFlags, ToSql,
    config::DbConfig,
    ffi::ErrorCode,
    types::{ToSqlOutput, ValueRef},
};

use crate::{
    connection::Mode,
    error::Error,
    value::{Param, Row, Value},
};

/// How long a statement waits for another program's lock on the file.
const BUSY_MS_MAX: u64 = 2_000;
/// Statements kept prepared; there are fewer than this in the crate.
const STATEMENTS_CACHED: usize = 512;
/// What a log of so many bytes is copied into the database file for.
const LOG_BYTES: u64 = 32 << 20;

#[derive(Debug)]
pub(crate) struct Sqlite {
    connection: rusqlite::Connection,
}

impl Sqlite {
    pub(crate) fn open(
        path: &Path,
        mode: Mode,
        size_bytes_max: Option<u64>,
    ) -> Result<Sqlite, Error> {
        let flags = match mode {
            Mode::Write => OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
            Mode::Read => OpenFlags::SQLITE_OPEN_READ_WRITE,
        } | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(path, flags).map_err(convert)?;
        connection
            .busy_timeout(Duration::from_millis(BUSY_MS_MAX))
            .map_err(convert)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        // Without this promise to plan for any parameters, each new one of a LIMIT has the statement planned again.
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .map_err(convert)?;
        let db = Sqlite { connection };
        db.batch(
            "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY",
        )?;
        match mode {
            Mode::Write => {
                // Larger than usual: a block of keys or identifiers is a row of 64 KiB and more. Not larger still, since each
                // small command writes whole pages (docs/benchmarks.md). A database that is there keeps the size that it has.
                db.batch(
                    "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                     PRAGMA secure_delete = ON; PRAGMA cache_size = -8192; PRAGMA journal_size_limit = 67108864",
                )?;
                let page_bytes = db.page_bytes()?;
                let pages = LOG_BYTES / page_bytes;
                db.batch(&format!("PRAGMA wal_autocheckpoint = {pages}"))?;
                if let Some(bytes) = size_bytes_max {
                    db.batch(&format!(
                        "PRAGMA max_page_count = {}",
                        (bytes / page_bytes).max(1)
                    ))?;
                }
            }
            Mode::Read => db.batch("PRAGMA query_only = ON; PRAGMA cache_size = -4096")?,
        }
        Ok(db)
    }

    pub(crate) fn batch(&self, sql: &str) -> Result<(), Error> {
        self.connection.execute_batch(sql).map_err(convert)
    }

    /// The page size of the database, in which limits are counted.
    fn page_bytes(&self) -> Result<u64, Error> {
        let row = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        let bytes = self.connection.query_row("PRAGMA page_size", [], row);
        Ok(bytes.map_err(convert)?.max(512) as u64)
    }

    /// Begins or ends a transaction or savepoint: one statement, kept prepared.
    pub(crate) fn control(&self, sql: &'static str) -> Result<(), Error> {
        let mut statement = self.connection.prepare_cached(sql).map_err(convert)?;
        statement.execute([]).map(drop).map_err(convert)
    }

    /// After some errors SQLite has already rolled back by itself.
    pub(crate) fn rollback(&self) -> Result<(), Error> {
        if self.connection.is_autocommit() {
            Ok(())
        } else {
            self.control("ROLLBACK")
        }
    }

    pub(crate) fn query(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        let mut statement = self
            .connection
            .prepare_cached(&sql.replace('$', "?"))
            .map_err(convert)?;
        let columns = statement.column_count();
        let mut rows = statement
            .query(rusqlite::params_from_iter(params))
            .map_err(convert)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(convert)? {
            let mut values = Vec::with_capacity(columns);
            for column in 0..columns {
                values.push(owned(row.get_ref(column).map_err(convert)?)?);
            }
            found.push(Row(values));
        }
        Ok(found)
    }

    #[cfg(test)]
    pub(crate) fn check(&self, sql: &str) -> Result<(), Error> {
        self.connection
            .prepare(&sql.replace('$', "?"))
            .map(drop)
            .map_err(convert)
    }
}

fn owned(value: ValueRef<'_>) -> Result<Value, Error> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Int(value),
        ValueRef::Text(value) => Value::Text(
            String::from_utf8(value.to_vec())
                .map_err(|_| Error::Corrupt("text that is not UTF-8".into()))?,
        ),
        ValueRef::Blob(value) => Value::Bytes(value.to_vec()),
        ValueRef::Real(_) => return Err(Error::Corrupt("a floating-point value".into())),
    })
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Param::Null => ValueRef::Null,
            Param::Int(value) => ValueRef::Integer(*value),
            Param::Text(value) => ValueRef::Text(value.as_bytes()),
            Param::Bytes(value) => ValueRef::Blob(value),
        }))
    }
}

pub(crate) fn convert(error: rusqlite::Error) -> Error {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full(text),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::Unavailable(format!("another program holds the database file: {text}"))
        }
        Some(ErrorCode::ConstraintViolation) => Error::Constraint(text),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt(text),
        Some(ErrorCode::SystemIoFailure) => Error::Lost(text),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            Error::Unavailable(text)
        }
        _ => Error::Internal(text),
    }
}
