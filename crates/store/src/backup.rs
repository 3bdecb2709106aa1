//! Backup and restore: one file format for both engines, a SQLite file with the same tables. So a backup of SQLite can be
//! restored into PostgreSQL and the other way round.
//!
//! A backup is one snapshot of the whole database, taken beside a running server. It does not hold the master key.

use std::path::{Path, PathBuf};

use crate::{
    connection::{Connection, Mode},
    error::Error,
    folder::{DataFolder, DatabaseUrl, read_master_key},
    installation,
    migrations::{self, SCHEMA_VERSION, TABLES},
    value::{Param, Value},
};

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupReport {
    pub tables: usize,
    pub rows: u64,
    /// Size of the backup file.
    pub bytes: u64,
    /// Of a restore: whether the data folder holds the master key that the database needs.
    pub master_key_present: bool,
}

/// Told after each page: the table and the rows copied so far in all.
pub type OnTable<'a> = &'a mut dyn FnMut(&str, u64);

/// Rows read at once; a row of some tables holds megabytes.
fn page_rows(table: &str) -> i64 {
    match table {
        "snapshot" => 4,
        "key_block" | "identifier_block" | "change_set" => 64,
        _ => 1_000,
    }
}

/// Copies the database to `out`, which must not exist. Needs no lock: a server may be running.
pub fn backup(url: &DatabaseUrl, out: &Path, progress: OnTable<'_>) -> Result<BackupReport, Error> {
    if out.exists() {
        return Err(Error::Open(format!(
            "{} exists already: choose another name for the backup",
            out.display()
        )));
    }
    if let DatabaseUrl::Sqlite { path, .. } = url
        && !path.exists()
    {
        return Err(Error::Open(format!(
            "there is no database at {}",
            path.display()
        )));
    }
    let mut from = Connection::open(url, Mode::Read)?;
    let partial = partial_name(out);
    let result = backup_to(&mut from, &partial, progress).and_then(|report| {
        let finish = || -> std::io::Result<u64> {
            let file = std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open(&partial)?;
            file.sync_all()?;
            std::fs::rename(&partial, out)?;
            Ok(file.metadata()?.len())
        };
        let bytes = finish()
            .map_err(|error| Error::Open(format!("cannot write {}: {error}", out.display())))?;
        Ok(BackupReport { bytes, ..report })
    });
    if result.is_err() {
        remove_partial(&partial);
    }
    result
}

fn partial_name(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".partial");
    PathBuf::from(name)
}

fn remove_partial(partial: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = partial.as_os_str().to_owned();
        name.push(suffix);
        // It may never have been made.
        std::fs::remove_file(PathBuf::from(name)).ok();
    }
}

fn backup_to(
    from: &mut Connection,
    partial: &Path,
    progress: OnTable<'_>,
) -> Result<BackupReport, Error> {
    remove_partial(partial);
    let url = DatabaseUrl::Sqlite {
        path: partial.to_owned(),
        size_bytes_max: None,
    };
    let mut to = Connection::open(&url, Mode::Write)?;
    from.begin(Mode::Read)?;
    let found = migrations::schema_version(from)?;
    if found != SCHEMA_VERSION {
        return Err(wrong_version(found));
    }
    migrations::migrate(&mut to, 0)?;
    to.begin(Mode::Write)?;
    let report = copy(from, &mut to, progress)?;
    to.commit()?;
    to.batch("PRAGMA journal_mode = DELETE")?;
    from.rollback()?;
    Ok(report)
}

fn wrong_version(found: i64) -> Error {
    if found > SCHEMA_VERSION {
        return migrations::newer(found);
    }
    Error::Open(format!(
        "the database has schema {found} and this program writes {SCHEMA_VERSION}: start throng serve once to migrate it"
    ))
}

/// Copies a backup into an empty database. The restore epoch rises, so that no cache of before is believed.
pub fn restore(
    folder: &DataFolder,
    url: &DatabaseUrl,
    backup: &Path,
    now: i64,
    progress: OnTable<'_>,
) -> Result<BackupReport, Error> {
    let not_a_backup = |error: Error| {
        Error::Open(format!(
            "{} is not a backup of throng: {error}",
            backup.display()
        ))
    };
    if !backup.is_file() {
        return Err(Error::Open(format!(
            "there is no backup at {}",
            backup.display()
        )));
    }
    let older = folder.path().join(OLDER);
    let result = open_backup(backup, &older)
        .map_err(not_a_backup)
        .and_then(|from| restore_from(folder, url, from, now, progress));
    remove_partial(&older);
    result
}

/// The copy of a backup of an older version, while it is brought up and read.
const OLDER: &str = "restore.older";

/// A backup to be read. One that an older version made is copied first, and the copy brought up: the backup itself is never
/// written to.
fn open_backup(backup: &Path, older: &Path) -> Result<Connection, Error> {
    let file = |path: &Path| DatabaseUrl::Sqlite {
        path: path.to_owned(),
        size_bytes_max: None,
    };
    let mut from = Connection::open(&file(backup), Mode::Read)?;
    from.begin(Mode::Read)?;
    let found = migrations::schema_version(&mut from)?;
    if found == SCHEMA_VERSION {
        return Ok(from);
    }
    if !(1..=SCHEMA_VERSION).contains(&found) {
        return Err(wrong_version(found));
    }
    drop(from);
    remove_partial(older);
    std::fs::copy(backup, older)
        .map_err(|error| Error::Open(format!("cannot copy it to {}: {error}", older.display())))?;
    let mut copy = Connection::open(&file(older), Mode::Write)?;
    migrations::migrate(&mut copy, 0)?;
    copy.begin(Mode::Read)?;
    Ok(copy)
}

fn restore_from(
    folder: &DataFolder,
    url: &DatabaseUrl,
    mut from: Connection,
    now: i64,
    progress: OnTable<'_>,
) -> Result<BackupReport, Error> {
    let (_, fingerprint) = installation::get(&mut from)?;
    let key = folder.master_key()?;
    if key
        .as_ref()
        .is_some_and(|key| key.fingerprint().as_slice() != fingerprint)
    {
        return Err(Error::Open(
            "the data folder holds another master key than the backup was made with: restore into an empty folder, or \
             put the right master.key there"
                .into(),
        ));
    }
    let mut to = Connection::open(url, Mode::Write)
        .map_err(|error| installation::explain(folder.path(), url, error))?;
    migrations::migrate(&mut to, now)?;
    to.begin(Mode::Write)?;
    let result = restore_into(&mut from, &mut to, progress);
    match result {
        Ok(report) => {
            to.commit()?;
            Ok(BackupReport {
                master_key_present: key.is_some(),
                ..report
            })
        }
        Err(error) => {
            to.rollback()?;
            Err(error)
        }
    }
}

fn restore_into(
    from: &mut Connection,
    to: &mut Connection,
    progress: OnTable<'_>,
) -> Result<BackupReport, Error> {
    if installation::get(to).is_ok() {
        return Err(Error::Open(
            "the database is not empty: restore into an empty one, so that nothing is overwritten"
                .into(),
        ));
    }
    let report = copy(from, to, progress)?;
    installation::raise_epoch(to)?;
    Ok(report)
}

fn copy(
    from: &mut Connection,
    to: &mut Connection,
    progress: OnTable<'_>,
) -> Result<BackupReport, Error> {
    let mut report = BackupReport {
        tables: TABLES.len(),
        ..BackupReport::default()
    };
    for (table, columns, key) in TABLES {
        copy_table(from, to, table, columns, key, &mut |rows| {
            report.rows += rows;
            progress(table, report.rows);
        })?;
    }
    Ok(report)
}

/// Copies page by page in the order of the primary key, whose columns are among `columns`.
fn copy_table(
    from: &mut Connection,
    to: &mut Connection,
    table: &str,
    columns: &str,
    key: &str,
    copied: &mut dyn FnMut(u64),
) -> Result<(), Error> {
    let names: Vec<&str> = columns.split(',').map(str::trim).collect();
    let key_at: Vec<usize> = key
        .split(',')
        .map(|column| names.iter().position(|name| *name == column.trim()))
        .collect::<Option<_>>()
        .ok_or_else(|| Error::Internal(format!("the key of {table} is not among its columns")))?;
    let numbered = |count: usize| {
        (1..=count)
            .map(|n| format!("${n}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let limit = page_rows(table);
    let first = format!("SELECT {columns} FROM {table} ORDER BY {key} LIMIT {limit}");
    let next = format!(
        "SELECT {columns} FROM {table} WHERE ({key}) > ({}) ORDER BY {key} LIMIT {limit}",
        numbered(key_at.len())
    );
    let insert = format!(
        "INSERT INTO {table} ({columns}) VALUES ({})",
        numbered(names.len())
    );
    let mut last: Option<Vec<Value>> = None;
    loop {
        let rows = match &last {
            None => from.query_text(&first, &[])?,
            Some(last) => {
                from.query_text(&next, &last.iter().map(Value::param).collect::<Vec<_>>())?
            }
        };
        let Some(end) = rows.last() else {
            return Ok(());
        };
        last = Some(key_at.iter().map(|at| end.0[*at].clone()).collect());
        for row in &rows {
            let params: Vec<Param<'_>> = row.0.iter().map(Value::param).collect();
            to.query_text(&insert, &params)?;
        }
        copied(rows.len() as u64);
    }
}

/// The master key of a folder, for commands that run beside a server; nothing where there is none.
pub(crate) fn master_key_beside(folder: &Path) -> Result<Option<crate::seal::MasterKey>, Error> {
    if folder.is_dir() {
        read_master_key(folder)
    } else {
        Ok(None)
    }
}
