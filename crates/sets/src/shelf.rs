//! The shelf: which sets stay in memory, within a bound that all workspaces share, and where the others are.
//!
//! It decides what goes and when; how a set comes back is in `stored`. It holds no lock while a file is read or written. A set
//! that somebody holds is not put away, since that would free nothing: what is held may exceed the bound. Invariant: the bytes
//! that are counted are those of the sets that have a place, each once.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Condvar;

use crate::stored::{Put, Shelved};
use crate::sync::Mutex;
use crate::{Owner, Set, SetId};

/// Where a set comes from that is neither in memory nor in a file that can be believed: the database.
pub trait Rebuild: Send + Sync + Debug {
    /// The hash of a change of the log, to which files are bound.
    ///
    /// # Errors
    ///
    /// Why it could not be read.
    fn change_hash(&self, seq: u64) -> Result<[u8; 32], String>;

    /// The members of a set as the change `version`, its last until then, left it.
    ///
    /// # Errors
    ///
    /// Why it could not be rebuilt.
    fn rebuild(&self, set: SetId, version: u64) -> Result<Set, String>;
}

/// Where the sets of one workspace are when they are not in memory.
#[derive(Debug)]
pub struct Home {
    pub(crate) shelf: Arc<Shelf>,
    /// The folder of the workspace's files. Without one, or where it fails, sets come back from the database only.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) owner: Owner,
    pub(crate) source: Box<dyn Rebuild>,
}

impl Home {
    /// The home of a workspace whose files are in this folder, which exists.
    pub fn new(
        shelf: Arc<Shelf>,
        folder: Option<PathBuf>,
        owner: Owner,
        source: Box<dyn Rebuild>,
    ) -> Home {
        Home {
            shelf,
            folder,
            owner,
            source,
        }
    }

    /// The path of a set's file.
    pub(crate) fn path(&self, set: SetId, version: u64) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        Some(folder.join(format!("{set}.{version}.set")))
    }

    /// The set and version that a file in the folder is named for.
    pub(crate) fn named(name: &str) -> Option<(SetId, u64)> {
        let (set, version) = name.strip_suffix(".set")?.split_once('.')?;
        Some((set.parse().ok()?, version.parse().ok()?))
    }
}

/// What a shelf has done since it was made.
#[derive(Debug, Copy, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes of the sets in memory, as if they shared nothing.
    pub resident_bytes: u64,
    /// Sets that were asked for and in memory.
    pub hits: u64,
    /// Sets that were asked for and read.
    pub misses: u64,
    /// Sets that were put away.
    pub evictions: u64,
    /// Sets that had no file to be believed and came from the database.
    pub rebuilds: u64,
    /// Files that were there and could not be believed.
    pub damaged: u64,
    /// Files that could not be written.
    pub unwritten: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) evictions: AtomicU64,
    pub(crate) rebuilds: AtomicU64,
    pub(crate) damaged: AtomicU64,
    pub(crate) unwritten: AtomicU64,
}

impl Counters {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// How long the thread rests where all that is over the bound is held by somebody.
const REST: Duration = Duration::from_millis(50);

/// The bound on sets in memory, and what is in order of arrival.
#[derive(Debug)]
pub struct Shelf {
    limit: usize,
    /// Whoever brings a set puts others away, instead of a thread: for tests, which then meet every order of events.
    at_once: bool,
    resident: AtomicUsize,
    pub(crate) counters: Counters,
    line: Mutex<VecDeque<Weak<Shelved>>>,
    /// How many of the line are still somebody's.
    standing: AtomicUsize,
    /// One puts away at a time.
    clearing: Mutex<()>,
    rubbish: Mutex<Vec<PathBuf>>,
    /// Waited on by the thread alone.
    wanted: parking_lot::Mutex<bool>,
    wake: Condvar,
    stopped: AtomicBool,
}

impl Shelf {
    /// A shelf of so many bytes that a thread keeps within; see [`Shelf::start`].
    pub fn new(limit: usize) -> Arc<Shelf> {
        Arc::new(Shelf::with(limit, false))
    }

    /// A shelf without a thread, which whoever brings a set keeps within its bound.
    pub fn at_once(limit: usize) -> Arc<Shelf> {
        Arc::new(Shelf::with(limit, true))
    }

    fn with(limit: usize, at_once: bool) -> Shelf {
        Shelf {
            limit,
            at_once,
            resident: AtomicUsize::new(0),
            counters: Counters::default(),
            line: Mutex::default(),
            standing: AtomicUsize::new(0),
            clearing: Mutex::default(),
            rubbish: Mutex::default(),
            wanted: parking_lot::Mutex::new(false),
            wake: Condvar::new(),
            stopped: AtomicBool::new(false),
        }
    }

    /// Starts the thread, which ends after [`Shelf::stop`].
    ///
    /// # Errors
    ///
    /// Where no thread could be started.
    pub fn start(self: &Arc<Shelf>) -> std::io::Result<JoinHandle<()>> {
        let shelf = Arc::clone(self);
        std::thread::Builder::new()
            .name("throng-shelf".into())
            .spawn(move || shelf.run())
    }

    /// Ends the thread. Nothing is put away any more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.call();
    }

    /// What it has done.
    pub fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures {
            resident_bytes: self.resident.load(Ordering::Relaxed) as u64,
            hits: read(&self.counters.hits),
            misses: read(&self.counters.misses),
            evictions: read(&self.counters.evictions),
            rebuilds: read(&self.counters.rebuilds),
            damaged: read(&self.counters.damaged),
            unwritten: read(&self.counters.unwritten),
        }
    }

    /// A set has come into memory; it goes to the end of the line.
    pub(crate) fn admit(&self, set: &Arc<Shelved>, bytes: usize) {
        self.resident.fetch_add(bytes, Ordering::Relaxed);
        self.standing.fetch_add(1, Ordering::Relaxed);
        {
            let mut line = self.line.lock();
            // Those whose state is gone, and nobody has come to clear.
            if line.len() > 64 + 2 * self.standing.load(Ordering::Relaxed) {
                line.retain(|set| set.strong_count() > 0);
            }
            line.push_back(Arc::downgrade(set));
        }
        let resident = self.resident.load(Ordering::Relaxed);
        if resident <= self.limit {
            return;
        }
        // Where the thread does not keep up, whoever brings more makes room for it.
        if self.at_once || resident > self.limit.saturating_add(self.limit / 8) {
            self.clear();
        } else {
            self.call();
        }
    }

    /// A set has gone from memory.
    pub(crate) fn release(&self, bytes: usize) {
        self.resident.fetch_sub(bytes, Ordering::Relaxed);
        self.standing.fetch_sub(1, Ordering::Relaxed);
    }

    /// A file that no state needs any more. It is removed by the thread, since that can take a while.
    pub(crate) fn discard(&self, path: PathBuf) {
        self.rubbish.lock().push(path);
        if self.at_once {
            self.remove_rubbish();
        } else {
            self.call();
        }
    }

    fn is_over(&self) -> bool {
        self.resident.load(Ordering::Relaxed) > self.limit
    }

    fn call(&self) {
        *self.wanted.lock() = true;
        self.wake.notify_one();
    }

    fn run(&self) {
        while !self.stopped.load(Ordering::Acquire) {
            self.remove_rubbish();
            let done = self.clear();
            let mut wanted = self.wanted.lock();
            if !done && !*wanted {
                self.wake.wait_for(&mut wanted, REST);
            }
            while done && !*wanted {
                self.wake.wait(&mut wanted);
            }
            *wanted = false;
        }
    }

    fn remove_rubbish(&self) {
        let rubbish = std::mem::take(&mut *self.rubbish.lock());
        for path in rubbish {
            // One that stays is removed at the next start.
            std::fs::remove_file(path).ok();
        }
    }

    /// Puts sets away until the bound holds, those first that nobody asked for since they were last looked at. False where
    /// all that is left is held.
    pub fn clear(&self) -> bool {
        let _one = self.clearing.lock();
        // Once to take the marks, once to put away.
        let mut left = 2 * self.line.lock().len();
        while self.is_over() {
            if left == 0 {
                return false;
            }
            left -= 1;
            let Some(next) = self.line.lock().pop_front() else {
                return true;
            };
            let Some(set) = next.upgrade() else {
                continue;
            };
            match set.put_away() {
                Put::Away => Counters::count(&self.counters.evictions),
                Put::Gone => {}
                Put::Asked | Put::Held => self.line.lock().push_back(next),
            }
        }
        true
    }
}
