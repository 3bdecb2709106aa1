//! One connection to either engine. The statements are the same text; what differs is here and in the two engine files.
//!
//! Parameters are written `$1`, `$2`, ...; SQLite gets `?1`, `?2`, since it would number `$n` by first appearance.

use crate::{
    error::Error,
    folder::DatabaseUrl,
    postgres_engine::Postgres,
    sqlite_engine::Sqlite,
    value::{Param, Row},
};

/// How a connection will be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The committer, migrations and restore.
    Write,
    /// The read pool, backup and verify.
    Read,
}

#[derive(Debug)]
pub(crate) enum Connection {
    Sqlite(Sqlite),
    Postgres(Box<Postgres>),
}

impl Connection {
    pub(crate) fn open(url: &DatabaseUrl, mode: Mode) -> Result<Connection, Error> {
        match url {
            DatabaseUrl::Sqlite {
                path,
                size_bytes_max,
            } => Sqlite::open(path, mode, *size_bytes_max).map(Connection::Sqlite),
            DatabaseUrl::Postgres(url) => Postgres::open(url, mode)
                .map(Box::new)
                .map(Connection::Postgres),
        }
    }

    /// Begins a transaction: a writer's waits for the write lock (SQLite) or will wait at its first statement
    /// (PostgreSQL); a reader's sees one snapshot.
    pub(crate) fn begin(&mut self, mode: Mode) -> Result<(), Error> {
        match (self, mode) {
            (Connection::Sqlite(db), Mode::Write) => db.control("BEGIN IMMEDIATE"),
            (Connection::Sqlite(db), Mode::Read) => db.control("BEGIN DEFERRED"),
            (Connection::Postgres(db), Mode::Write) => {
                db.batch("BEGIN ISOLATION LEVEL READ COMMITTED")
            }
            (Connection::Postgres(db), Mode::Read) => {
                db.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            }
        }
    }

    pub(crate) fn commit(&mut self) -> Result<(), Error> {
        self.control("COMMIT")
    }

    /// Best effort: a connection that cannot roll back is opened anew by its owner.
    pub(crate) fn rollback(&mut self) -> Result<(), Error> {
        match self {
            Connection::Sqlite(db) => db.rollback(),
            Connection::Postgres(db) => db.batch("ROLLBACK"),
        }
    }

    /// Begins or ends a transaction or savepoint.
    pub(crate) fn control(&mut self, sql: &'static str) -> Result<(), Error> {
        match self {
            Connection::Sqlite(db) => db.control(sql),
            Connection::Postgres(db) => db.batch(sql),
        }
    }

    /// Runs statements without parameters or rows.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), Error> {
        match self {
            Connection::Sqlite(db) => db.batch(sql),
            Connection::Postgres(db) => db.batch(sql),
        }
    }

    pub(crate) fn query(
        &mut self,
        sql: &'static str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Error> {
        match self {
            Connection::Sqlite(db) => db.query(sql, params),
            Connection::Postgres(db) => db.query(sql, params),
        }
    }

    /// Like [`Self::query`] for a text made at run time (a table copied by backup and restore); never cached.
    pub(crate) fn query_text(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Error> {
        match self {
            Connection::Sqlite(db) => db.query(sql, params),
            Connection::Postgres(db) => db.query_text(sql, params),
        }
    }

    /// For millions of rows at a time: a transaction survives the process, and the machine once [`Self::settle`] returned.
    pub(crate) fn bulk(&mut self) -> Result<(), Error> {
        self.batch(match self {
            Connection::Sqlite(_) => {
                "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 32000"
            }
            // Of transactions this long the flush is a small part.
            Connection::Postgres(_) => "",
        })
    }

    /// Everything so far is on the disk, and in the database's own file.
    pub(crate) fn settle(&mut self) -> Result<(), Error> {
        self.batch(match self {
            Connection::Sqlite(_) => "PRAGMA synchronous = FULL; PRAGMA wal_checkpoint(TRUNCATE)",
            Connection::Postgres(_) => "",
        })
    }

    pub(crate) fn is_broken(&self) -> bool {
        match self {
            Connection::Sqlite(_) => false,
            Connection::Postgres(db) => db.is_closed(),
        }
    }

    /// The schema's type tokens in this engine's words.
    pub(crate) fn dialect_ddl(&self, ddl: &str) -> String {
        let (int, bytes, table_end) = match self {
            Connection::Sqlite(_) => ("INTEGER", "BLOB", " STRICT"),
            Connection::Postgres(_) => ("BIGINT", "BYTEA", ""),
        };
        ddl.replace("{i64}", int)
            .replace("{bytes}", bytes)
            .replace("{text}", "TEXT")
            .replace("{end}", table_end)
    }

    /// Prepares a statement without running it: for the test that reads every statement on both engines.
    #[cfg(test)]
    pub(crate) fn check(&mut self, sql: &'static str) -> Result<(), Error> {
        match self {
            Connection::Sqlite(db) => db.check(sql),
            Connection::Postgres(db) => db.check(sql),
        }
    }
}
