//! The dictionary's part of the cache: a folder of the data folder, in which each workspace's keys are saved for the next start.
//!
//! Deleting it costs the next start some seconds and nothing else. Invariant: what was saved is used only where the database
//! has the very change that it was saved after, and it was made by who knows the workspace's secret; whatever is wrong with it,
//! it is gone, and the keys are read from the database.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use parking_lot::Mutex;
use sets::{CacheError, CacheKey, CacheStamp, Dictionary, Engine, Loaded};

use crate::{
    change,
    connection::Connection,
    error::Error,
    head::{self, Head},
    installation::Installation,
    read::Reader,
    store::HostedMap,
};

/// How long after the start the keys are saved that the start took, or that it found in the database.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// How long between two looks whether keys are to be saved.
const WAIT: Duration = Duration::from_secs(30);

/// Fewer keys than this are not saved: they are read from the database as fast.
const KEYS_MIN: u64 = if cfg!(test) { 64 } else { 1 << 16 };

/// Where the keys of one workspace are saved, and how far.
#[derive(Debug)]
pub(crate) struct KeyCache {
    folder: PathBuf,
    key: CacheKey,
    database: String,
    epoch: i64,
    workspace: i64,
    /// The file, if it is there, has the keys of all positions before this.
    saved: AtomicU64,
    saving: Mutex<()>,
}

impl KeyCache {
    /// The cache of a workspace in a data folder.
    pub(crate) fn new(
        data: &Path,
        installation: &Installation,
        workspace: i64,
        key: CacheKey,
    ) -> KeyCache {
        KeyCache {
            folder: data.join("cache").join("keys").join(workspace.to_string()),
            key,
            database: installation.database_id.clone(),
            epoch: installation.restore_epoch,
            workspace,
            saved: AtomicU64::new(0),
            saving: Mutex::new(()),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("keys")
    }

    /// A dictionary without keys, whose entries will be in files of the folder.
    pub(crate) fn empty(&self) -> (Dictionary, Loaded) {
        (Dictionary::in_folder(&self.folder), Loaded::default())
    }

    /// The dictionary as it was saved; an empty one where it was not, or not for this database.
    pub(crate) fn load(&self, connection: &mut Connection, head: &Head) -> (Dictionary, Loaded) {
        let mut believe = |stamp: &CacheStamp| {
            let hash = change::hash(connection, self.workspace, stamp.seq);
            stamp.database == self.database
                && stamp.epoch == self.epoch
                && stamp.workspace == self.workspace
                && stamp.seq <= head.seq
                && stamp.complete <= stamp.until
                && stamp.until <= head.next_position
                && hash.is_ok_and(|hash| hash == stamp.hash)
        };
        let loaded = Dictionary::load(&self.file(), &self.key, &self.folder, &mut believe);
        match loaded {
            Ok((dictionary, stamp))
                if (stamp.complete..=stamp.until).contains(&dictionary.len()) =>
            {
                let CacheStamp {
                    complete, until, ..
                } = stamp;
                (dictionary, Loaded { complete, until })
            }
            Ok(_) => self.empty(),
            Err(CacheError::Absent) => self.empty(),
            Err(error) => {
                tracing::warn!(workspace = self.workspace, %error, "the saved keys are not used: they are read from the database");
                self.empty()
            }
        }
    }

    /// Saves the keys if enough have been added since they were saved; `last` is for who will add no more.
    pub(crate) fn save_if_due(
        &self,
        engine: &Engine,
        reader: &mut Reader,
        last: bool,
        stop: &AtomicBool,
    ) {
        let position = engine.published().next_position;
        let saved = self.saved.load(Ordering::Relaxed);
        let saved = if self.file().is_file() { saved } else { 0 };
        let most = if last { position / 64 } else { saved / 2 };
        if position < KEYS_MIN || position - saved.min(position) < most.max(KEYS_MIN) {
            return;
        }
        match self.save(engine, reader, stop) {
            Ok(true) => tracing::debug!(workspace = self.workspace, keys = position, "keys saved"),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(workspace = self.workspace, %error, "the keys were not saved: the next start will take longer");
            }
        }
    }

    fn save(
        &self,
        engine: &Engine,
        reader: &mut Reader,
        stop: &AtomicBool,
    ) -> Result<bool, CacheError> {
        let _one_at_a_time = self.saving.lock();
        let complete = engine.published().next_position;
        // Whatever key is in the dictionary by then belongs to a change that is durable.
        let mut stamp = || {
            let workspace = self.workspace;
            let head = reader
                .plain(|connection| head::get(connection, workspace))
                .ok()?;
            Some(CacheStamp {
                database: self.database.clone(),
                epoch: self.epoch,
                workspace,
                seq: head.seq,
                hash: head.hash.try_into().ok()?,
                complete,
                until: head.next_position,
            })
        };
        let go_on = || !stop.load(Ordering::Relaxed);
        let dictionary = engine.dictionary();
        let saved = dictionary.save(&self.file(), &self.key, &go_on, &mut stamp)?;
        if saved {
            self.saved.store(complete, Ordering::Relaxed);
        }
        Ok(saved)
    }
}

/// Whether an engine has the keys that the database has, and no others.
pub(crate) fn is_whole(engine: &Engine) -> Result<(), Error> {
    let (keys, positions) = (engine.dictionary().len(), engine.published().next_position);
    if keys == positions {
        return Ok(());
    }
    Err(Error::Corrupt(format!(
        "there are {keys} keys where the log has {positions}"
    )))
}

/// The thread that saves keys beside everything else, now and then and at the end.
pub(crate) struct Saver {
    /// Nothing is ever sent: the thread ends with it.
    stop: Sender<()>,
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<Reader>,
    hosted: Arc<HostedMap>,
}

impl Saver {
    pub(crate) fn start(hosted: Arc<HostedMap>, mut reader: Reader) -> Result<Saver, Error> {
        let (stop, stopped) = bounded::<()>(0);
        let stopping = Arc::new(AtomicBool::new(false));
        let (all, flag) = (Arc::clone(&hosted), Arc::clone(&stopping));
        let run = move || {
            // What answers somebody comes first. Only Linux gives each thread a priority of its own.
            #[cfg(target_os = "linux")]
            rustix::process::setpriority_process(None, 19).ok();
            let mut wait = FIRST_WAIT;
            while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                save_all(&all, &mut reader, false, &flag);
                wait = WAIT;
            }
            reader
        };
        let thread = std::thread::Builder::new()
            .name("throng-saver".into())
            .spawn(run)
            .map_err(|error| Error::Open(format!("cannot start a thread: {error}")))?;
        Ok(Saver {
            stop,
            stopping,
            thread,
            hosted,
        })
    }

    /// Ends the thread, and saves what was not saved yet. Nobody may add keys any more.
    pub(crate) fn finish(self) {
        self.stopping.store(true, Ordering::Relaxed);
        drop(self.stop);
        if let Ok(mut reader) = self.thread.join() {
            save_all(&self.hosted, &mut reader, true, &AtomicBool::new(false));
        }
    }
}

fn save_all(hosted: &HostedMap, reader: &mut Reader, last: bool, stop: &AtomicBool) {
    let all: Vec<_> = hosted.read().values().cloned().collect();
    for hosted in all {
        hosted
            .key_cache
            .save_if_due(&hosted.engine, reader, last, stop);
    }
}
