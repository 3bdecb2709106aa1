//! How far an import got, in a file beside the CSV: written before the first batch and after each acknowledged one, so that
//! an import that was stopped (or killed) goes on where it was, with the same idempotency keys.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Result};

/// What the import is: two that differ here must not be mixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Which file.
    pub fingerprint: String,
    pub url: String,
    pub audience: i64,
    pub kind: String,
    pub namespace: Option<String>,
    pub column: usize,
    pub header: bool,
    pub batch: usize,
    pub errors: Option<PathBuf>,
}

/// Sums over the acknowledged batches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub rows: u64,
    pub valid: u64,
    pub invalid: u64,
    /// People who came into the audience.
    pub added: u64,
    pub conflicts: u64,
    /// People in the audience after the last batch.
    pub people: u64,
}

/// Where the next batch begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub job: Job,
    /// Random: the same file imported again later is another run.
    pub run: String,
    pub next_batch: u64,
    pub byte: u64,
    pub line: u64,
    pub record: u64,
    /// Length of the error file so far.
    pub errors_bytes: u64,
    pub totals: Totals,
}

impl State {
    /// The key under which the server carries out a batch once.
    pub fn idempotency_key(&self) -> String {
        format!(
            "import-{}-{}-{}-{}",
            self.job.fingerprint, self.job.audience, self.run, self.next_batch
        )
    }

    /// `FILE.csv.throng-import`.
    pub fn path(csv: &Path) -> PathBuf {
        let mut path = csv.as_os_str().to_owned();
        path.push(".throng-import");
        PathBuf::from(path)
    }

    pub fn read(path: &Path) -> Result<Option<State>> {
        match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| {
                Failure::failed(format!(
                    "{} is not the state of an import: remove it to start over",
                    path.display()
                ))
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::failed(format!(
                "cannot read {}: {error}",
                path.display()
            ))),
        }
    }

    /// Whole or not at all, and on the disk before it returns.
    pub fn write(&self, path: &Path) -> Result<()> {
        let fail = |error: std::io::Error| {
            Failure::failed(format!("cannot write {}: {error}", path.display()))
        };
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        let text = serde_json::to_vec(self).map_err(|error| fail(error.into()))?;
        let mut file = fs::File::create(&new).map_err(fail)?;
        file.write_all(&text)
            .and_then(|()| file.sync_all())
            .map_err(fail)?;
        fs::rename(&new, path).map_err(fail)
    }

    pub fn remove(path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Failure::failed(format!(
                "cannot remove {}: {error}",
                path.display()
            ))),
            _ => Ok(()),
        }
    }
}
