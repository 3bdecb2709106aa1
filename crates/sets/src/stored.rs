//! A set of a state: in memory, or somewhere that it comes back from.
//!
//! All states that have a set in the same version share one place for it, so what is loaded for one is there for all; two who
//! miss it at once load it once. Invariant: what comes back is the set in this version. A file is believed if its checksums,
//! the hash of its change and the number of members are right, else the set is rebuilt from the database, and where that fails
//! nothing is answered in its place.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::evaluation::{Chunks, Window};
use crate::set_file::{self, Damage, Label, SetFile};
use crate::shelf::{Counters, Home};
use crate::sync::Mutex;
use crate::{Operand, Person, Set, SetId, Unreadable};

/// So many questions about single persons are answered from the file before the set is brought into memory.
const ASKED_MAX: u32 = 8;

/// A set of a state.
#[derive(Debug, Clone)]
pub(crate) enum Stored {
    /// Changed by a group that is not published yet, as of change `version`. In memory, and cheap to change in place.
    Fresh { set: Set, version: u64 },
    /// Published.
    Shelved(Arc<Shelved>),
}

impl Stored {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Stored::Fresh { set, .. } => set.len(),
            Stored::Shelved(shelved) => shelved.len,
        }
    }

    pub(crate) fn version(&self) -> u64 {
        match self {
            Stored::Fresh { version, .. } => *version,
            Stored::Shelved(shelved) => shelved.version,
        }
    }

    pub(crate) fn set(&self) -> Result<Set, Unreadable> {
        match self {
            Stored::Fresh { set, .. } => Ok(set.clone()),
            Stored::Shelved(shelved) => shelved.set(),
        }
    }

    pub(crate) fn contains(&self, person: Person) -> Result<bool, Unreadable> {
        match self {
            Stored::Fresh { set, .. } => Ok(set.contains(person)),
            Stored::Shelved(shelved) => shelved.contains(person),
        }
    }

    pub(crate) fn is_resident(&self) -> bool {
        match self {
            Stored::Fresh { .. } => true,
            Stored::Shelved(shelved) => shelved.place.lock().set.is_some(),
        }
    }

    pub(crate) fn operand(&self) -> Operand {
        match self {
            Stored::Fresh { set, .. } => Operand::from(set.clone()),
            Stored::Shelved(shelved) => match shelved.resident() {
                Some(set) => Operand::from(set),
                None => Operand::filed(Arc::new(Filed::new(shelved))),
            },
        }
    }

    /// Bytes that it takes in memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        match self {
            Stored::Fresh { set, .. } => set.memory_bytes(),
            Stored::Shelved(shelved) => shelved
                .place
                .lock()
                .set
                .as_ref()
                .map_or(0, Set::memory_bytes),
        }
    }

    /// Whether both are the same place, so that nothing has to be read to know that they are equal.
    fn is_same(&self, other: &Stored) -> bool {
        matches!((self, other), (Stored::Shelved(a), Stored::Shelved(b)) if Arc::ptr_eq(a, b))
    }

    /// Whether both have the same members, in whatever version; false where one of them cannot be read.
    pub(crate) fn same_members(&self, other: &Stored) -> bool {
        let members = || Some(self.set().ok()? == other.set().ok()?);
        self.is_same(other) || (self.len() == other.len() && members().unwrap_or(false))
    }
}

/// A published set in one version.
#[derive(Debug)]
pub(crate) struct Shelved {
    set: SetId,
    /// The seq of its last change.
    version: u64,
    len: u64,
    /// Absent where sets are kept in memory, whatever they take.
    home: Option<Arc<Home>>,
    place: Mutex<Place>,
    /// Held while it is loaded, so that it is loaded once.
    loading: Mutex<()>,
    /// Asked for since the shelf last looked.
    recent: AtomicBool,
    /// How often its file was asked about single persons.
    asked: AtomicU32,
    /// A newer version was published, or none: nobody will ask for its file after a restart.
    superseded: AtomicBool,
    /// Its file was written by this process, or was found to be bound to this log.
    believed: AtomicBool,
}

#[derive(Debug)]
struct Place {
    set: Option<Set>,
    /// What the shelf counts for it; nothing where it is away.
    bytes: usize,
    kept: Kept,
}

/// Where a set is, other than in memory.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
enum Kept {
    /// Its file is to be written before it is put away. The database can rebuild it all the same.
    Nowhere,
    /// The database has it in one row, and nobody asked for it since; perhaps there is a file, too.
    Database,
    /// Its file was written, or read.
    File,
}

/// What putting a set away came to.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub(crate) enum Put {
    Away,
    /// It was not there.
    Gone,
    /// It had been asked for, and stays once more.
    Asked,
    /// Somebody holds it.
    Held,
}

impl Shelved {
    fn with(
        (set, version, len): (SetId, u64, u64),
        home: Option<&Arc<Home>>,
        kept: Kept,
    ) -> Arc<Shelved> {
        Arc::new(Shelved {
            set,
            version,
            len,
            home: home.cloned(),
            place: Mutex::new(Place {
                set: None,
                bytes: 0,
                kept,
            }),
            loading: Mutex::default(),
            recent: AtomicBool::new(false),
            asked: AtomicU32::new(0),
            superseded: AtomicBool::new(false),
            believed: AtomicBool::new(false),
        })
    }

    /// A set that is in memory and nowhere else.
    pub(crate) fn fresh(
        id: SetId,
        version: u64,
        set: Set,
        home: Option<&Arc<Home>>,
    ) -> Arc<Shelved> {
        let shelved = Shelved::with((id, version, set.len()), home, Kept::Nowhere);
        shelved.admit(set, Kept::Nowhere);
        shelved
    }

    /// A set that the database has in a row of its own.
    pub(crate) fn kept(id: SetId, version: u64, len: u64, home: &Arc<Home>) -> Arc<Shelved> {
        Shelved::with((id, version, len), Some(home), Kept::Database)
    }

    /// The database has it in one row now.
    pub(crate) fn is_kept(&self) {
        let mut place = self.place.lock();
        if place.kept == Kept::Nowhere {
            place.kept = Kept::Database;
        }
    }

    /// No state that is published from now on has it.
    pub(crate) fn supersede(&self) {
        self.superseded.store(true, Ordering::Relaxed);
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn set(self: &Arc<Shelved>) -> Result<Set, Unreadable> {
        if let Some(set) = self.resident() {
            return Ok(set);
        }
        let _one = self.loading.lock();
        if let Some(set) = self.resident() {
            return Ok(set);
        }
        let home = self.home()?;
        Counters::count(&home.shelf.counters.misses);
        let (set, kept) = match self.open(home).and_then(|file| file.set()) {
            Ok(set) => (set, Kept::File),
            Err(damage) => {
                self.distrust(home, &damage);
                (self.rebuild(home)?, Kept::Nowhere)
            }
        };
        self.admit(set.clone(), kept);
        Ok(set)
    }

    fn resident(&self) -> Option<Set> {
        let set = self.place.lock().set.clone()?;
        // Written only where it changes: readers on many cores would fight for it.
        if !self.recent.load(Ordering::Relaxed) {
            self.recent.store(true, Ordering::Relaxed);
        }
        if let Some(home) = &self.home {
            Counters::count(&home.shelf.counters.hits);
        }
        Some(set)
    }

    fn home(&self) -> Result<&Arc<Home>, Unreadable> {
        self.home
            .as_ref()
            .ok_or_else(|| self.unreadable("it is in no place".into()))
    }

    fn unreadable(&self, why: String) -> Unreadable {
        Unreadable { set: self.set, why }
    }

    fn contains(self: &Arc<Shelved>, person: Person) -> Result<bool, Unreadable> {
        {
            // Not cloned: that many ask at once is what this is for.
            let place = self.place.lock();
            if let Some(set) = &place.set {
                if !self.recent.load(Ordering::Relaxed) {
                    self.recent.store(true, Ordering::Relaxed);
                }
                if let Some(home) = &self.home {
                    Counters::count(&home.shelf.counters.hits);
                }
                return Ok(set.contains(person));
            }
        }
        let home = self.home()?;
        if self.asked.fetch_add(1, Ordering::Relaxed) < ASKED_MAX {
            let found = self.open(home).and_then(|file| file.contains(person));
            if let Ok(found) = found {
                Counters::count(&home.shelf.counters.misses);
                return Ok(found);
            }
        }
        // There is no file, or it failed, or it is asked for often enough.
        Ok(self.set()?.contains(person))
    }

    /// Its file, if it can be believed.
    fn open(&self, home: &Home) -> Result<SetFile, Damage> {
        let path = home
            .path(self.set, self.version)
            .ok_or_else(|| Damage::Io(std::io::ErrorKind::NotFound.into()))?;
        let file = SetFile::open(&path, &home.owner, (self.set, self.version, self.len))?;
        if !self.believed.load(Ordering::Relaxed) {
            let change = home.source.change_hash(self.version);
            if change.as_ref() != Ok(file.change()) {
                return Err(Damage::Other("the log has another change of that number"));
            }
            self.believed.store(true, Ordering::Relaxed);
        }
        Ok(file)
    }

    /// Notes that a file failed; one that is merely absent is no damage.
    fn distrust(&self, home: &Home, damage: &Damage) {
        if matches!(damage, Damage::Io(error) if error.kind() == std::io::ErrorKind::NotFound) {
            return;
        }
        Counters::count(&home.shelf.counters.damaged);
        // What takes its place is written before the set is put away again.
        if let Some(path) = home.path(self.set, self.version) {
            std::fs::remove_file(path).ok();
        }
        self.believed.store(false, Ordering::Relaxed);
    }

    fn rebuild(&self, home: &Home) -> Result<Set, Unreadable> {
        Counters::count(&home.shelf.counters.rebuilds);
        let set = home
            .source
            .rebuild(self.set, self.version)
            .map_err(|why| self.unreadable(why))?;
        if set.len() != self.len {
            let (found, len) = (set.len(), self.len);
            let why = format!("the database has {found} members of it, and it has {len}");
            return Err(self.unreadable(why));
        }
        Ok(set)
    }

    fn admit(self: &Arc<Shelved>, set: Set, kept: Kept) {
        let Some(home) = &self.home else {
            self.place.lock().set = Some(set);
            return;
        };
        let bytes = set.memory_bytes();
        {
            let mut place = self.place.lock();
            (place.set, place.bytes, place.kept) = (Some(set), bytes, kept);
        }
        home.shelf.admit(self, bytes);
    }

    /// Puts the set away, if nobody holds it or asked for it lately. What has no file is written first; if that fails, the
    /// database is where it comes back from.
    pub(crate) fn put_away(&self) -> Put {
        if self.recent.swap(false, Ordering::Relaxed) {
            return Put::Asked;
        }
        let Some(home) = &self.home else {
            return Put::Held;
        };
        let mut unwritten = {
            let place = self.place.lock();
            match &place.set {
                None => return Put::Gone,
                Some(set) if set.is_shared() => return Put::Held,
                Some(set) => (place.kept == Kept::Nowhere).then(|| set.clone()),
            }
        };
        // Without the lock: readers find the set meanwhile.
        let written = match unwritten.take() {
            Some(set) => self.write(home, &set),
            None => false,
        };
        let mut place = self.place.lock();
        if written {
            place.kept = Kept::File;
        }
        match &place.set {
            None => return Put::Gone,
            Some(set) if set.is_shared() => return Put::Held,
            Some(_) => {}
        }
        let gone = place.set.take();
        let bytes = std::mem::take(&mut place.bytes);
        drop(place);
        drop(gone);
        self.asked.store(0, Ordering::Relaxed);
        home.shelf.release(bytes);
        Put::Away
    }

    fn write(&self, home: &Home, set: &Set) -> bool {
        let Some(path) = home.path(self.set, self.version) else {
            return false;
        };
        // One that nobody will ask for by its file is not worth the disk.
        if self.superseded.load(Ordering::Relaxed) {
            return false;
        }
        let Ok(change) = home.source.change_hash(self.version) else {
            return false;
        };
        let label = Label {
            set: self.set,
            version: self.version,
            change,
        };
        let written = set_file::write(&path, &home.owner, &label, set).is_ok();
        if written {
            self.believed.store(true, Ordering::Relaxed);
        } else {
            Counters::count(&home.shelf.counters.unwritten);
        }
        written
    }

    /// The set in memory or its file, for a question that reads it from one end to the other.
    pub(crate) fn opened(self: &Arc<Shelved>) -> Result<Opened, Unreadable> {
        if let Some(set) = self.resident() {
            return Ok(Opened::Set(set));
        }
        let home = self.home()?;
        // Read whole anyway: the second who asks has it brought into memory.
        if self.asked.fetch_add(ASKED_MAX / 2, Ordering::Relaxed) < ASKED_MAX / 2
            && let Ok(file) = self.open(home)
        {
            Counters::count(&home.shelf.counters.misses);
            return Ok(Opened::File(file));
        }
        self.set().map(Opened::Set)
    }
}

impl Drop for Shelved {
    fn drop(&mut self) {
        let Some(home) = &self.home else {
            return;
        };
        let place = self.place.get_mut();
        if place.set.take().is_some() {
            home.shelf.release(place.bytes);
        }
        if *self.superseded.get_mut()
            && let Some(path) = home.path(self.set, self.version)
            && place.kept != Kept::Nowhere
        {
            home.shelf.discard(path);
        }
    }
}

/// A set that a question reads.
#[derive(Debug)]
pub(crate) enum Opened {
    Set(Set),
    File(SetFile),
}

/// A set that is away, as a question reads it: from its file, or where that fails from the set itself, which it brings back.
#[derive(Debug)]
pub(crate) struct Filed {
    shelved: Arc<Shelved>,
    opened: Mutex<Option<Opened>>,
}

impl Filed {
    pub(crate) fn new(shelved: &Arc<Shelved>) -> Filed {
        Filed {
            shelved: Arc::clone(shelved),
            opened: Mutex::new(None),
        }
    }
}

impl Chunks for Filed {
    fn len(&self) -> u64 {
        self.shelved.len
    }

    fn read(&self, first: u16, last: u16) -> Result<Window, Unreadable> {
        let mut opened = self.opened.lock();
        if opened.is_none() {
            *opened = Some(self.shelved.opened()?);
        }
        if let Some(Opened::File(file)) = &*opened {
            match file.read(first, last) {
                Ok((chunks, next)) => return Ok(Window { chunks, next }),
                Err(damage) => {
                    if let Some(home) = &self.shelved.home {
                        self.shelved.distrust(home, &damage);
                    }
                    *opened = Some(Opened::Set(self.shelved.set()?));
                }
            }
        }
        let Some(Opened::Set(set)) = &*opened else {
            return Ok(Window::default());
        };
        let chunks = set.chunks();
        let from = chunks.partition_point(|chunk| chunk.high < first);
        let to = chunks.partition_point(|chunk| chunk.high <= last).max(from);
        let next = chunks.get(to).map(|chunk| chunk.high);
        let chunks = chunks[from..to].to_vec();
        Ok(Window { chunks, next })
    }
}
