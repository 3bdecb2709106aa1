//! The data folder: the lock that keeps two processes off one SQLite file, the master key, and where the database is.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use crate::{error::Error, seal::MasterKey};

const DATABASE_FILE: &str = "throng.db";
const LOCK_FILE: &str = "throng.lock";
const KEY_FILE: &str = "master.key";

/// Where the database is.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A file; `size_bytes_max` refuses to let it grow beyond (a write is then refused as *full*).
    Sqlite {
        path: PathBuf,
        size_bytes_max: Option<u64>,
    },
    /// A `postgres://` URL, password included.
    Postgres(String),
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DatabaseUrl::Sqlite { path, .. } => write!(f, "Sqlite({})", path.display()),
            DatabaseUrl::Postgres(_) => f.write_str("Postgres(***)"),
        }
    }
}

impl DatabaseUrl {
    /// Reads `postgres://...`, `postgresql://...`, `sqlite:PATH` or a plain path; absent means `throng.db` in `folder`.
    pub fn parse(
        text: Option<&str>,
        folder: &Path,
        size_bytes_max: Option<u64>,
    ) -> Result<DatabaseUrl, Error> {
        Ok(match text {
            None => DatabaseUrl::Sqlite {
                path: folder.join(DATABASE_FILE),
                size_bytes_max,
            },
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                DatabaseUrl::Postgres(url.to_owned())
            }
            Some(url) => {
                let path = url
                    .strip_prefix("sqlite://")
                    .or_else(|| url.strip_prefix("sqlite:"))
                    .unwrap_or(url);
                if path.contains("://") || path.is_empty() {
                    return Err(Error::Open(
                        "the database URL must be postgres://USER@HOST:PORT/NAME or the path of a SQLite file".into(),
                    ));
                }
                DatabaseUrl::Sqlite {
                    path: PathBuf::from(path),
                    size_bytes_max,
                }
            }
        })
    }

    pub fn engine(&self) -> &'static str {
        match self {
            DatabaseUrl::Sqlite { .. } => "sqlite",
            DatabaseUrl::Postgres(_) => "postgres",
        }
    }
}

/// An opened data folder. Holding it holds the lock.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Creates the folder where it is absent (mode 0700) and takes its lock.
    pub fn open(path: &Path) -> Result<DataFolder, Error> {
        let shown = path.display();
        create_private(path).map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => not_writable(path),
            ErrorKind::AlreadyExists | ErrorKind::NotADirectory => Error::Open(format!(
                "the data path {shown} is a file, not a folder: choose another with --data DIR"
            )),
            _ => Error::Open(format!("cannot create the data folder {shown}: {error}")),
        })?;
        let lock_path = path.join(LOCK_FILE);
        let mut lock = OpenOptions::new()
            .create(true)
            .read(true)
            .write(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(|error| open_failed(path, &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&lock_path).unwrap_or_default();
                let holder = holder.trim();
                let holder = if holder.is_empty() {
                    String::new()
                } else {
                    format!(" (process {holder})")
                };
                return Err(Error::Open(format!(
                    "the data folder {shown} is in use by another throng{holder}: stop it, or choose another folder \
                     with --data DIR"
                )));
            }
            Err(TryLockError::Error(error)) => return Err(open_failed(path, &error)),
        }
        lock.set_len(0)
            .and_then(|()| lock.write_all(format!("{}\n", std::process::id()).as_bytes()))
            .map_err(|error| open_failed(path, &error))?;
        Ok(DataFolder {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key in `master.key`, if there is one.
    pub fn master_key(&self) -> Result<Option<MasterKey>, Error> {
        read_master_key(&self.path)
    }

    /// Writes `master.key` (mode 0600), durable before it returns; never replaces one.
    pub fn master_key_create(&self, key: &MasterKey) -> Result<(), Error> {
        let path = self.path.join(KEY_FILE);
        let fail = |error: std::io::Error| {
            Error::Open(format!("cannot write {}: {error}", path.display()))
        };
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(fail)?;
        file.write_all(format!("{}\n", key.to_hex()).as_bytes())
            .map_err(fail)?;
        file.sync_all().map_err(fail)?;
        File::open(&self.path)
            .and_then(|folder| folder.sync_all())
            .map_err(fail)
    }
}

/// Reads the master key without taking the folder's lock (backup and verify run beside a server).
pub(crate) fn read_master_key(folder: &Path) -> Result<Option<MasterKey>, Error> {
    let path = folder.join(KEY_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => MasterKey::from_hex(&text).map(Some).ok_or_else(|| {
            Error::Open(format!(
                "{} is not a master key: it must hold 64 hexadecimal digits",
                path.display()
            ))
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::Open(format!(
            "cannot read {}: {error}",
            path.display()
        ))),
    }
}

fn create_private(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn not_writable(path: &Path) -> Error {
    Error::Open(format!(
        "the data folder {} is not writable: give this user write permission, or choose another with --data DIR",
        path.display()
    ))
}

fn open_failed(path: &Path, error: &std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => not_writable(path),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => full(path),
        _ => Error::Open(format!(
            "cannot use the data folder {}: {error}",
            path.display()
        )),
    }
}

pub(crate) fn full(path: &Path) -> Error {
    Error::Open(format!(
        "the disk of the data folder {} is full: free some room and start again",
        path.display()
    ))
}
