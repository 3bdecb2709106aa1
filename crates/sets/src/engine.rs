//! The published state of a workspace: what every reader sees.
//!
//! It does not decide what changes, nor does it make anything durable; [`Working`] and the store do. Invariant: a state never
//! changes once it is published, and the next one differs from it by whole groups of commands.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::sync::{ArcSwap, Mutex};
use imbl::OrdMap;

use crate::group_keys::GroupKeys;
use crate::key_batch::RecentKeys;
use crate::key_order::Fingerprints;
use crate::shelf::Home;
use crate::stored::{Shelved, Stored};
use crate::{Dictionary, Key, Operand, Person, Set, SetId, Unreadable, Working};

/// The sets of a workspace after some change, and the numbers to go on from. Cloning is cheap.
///
/// A set is present exactly while it has members: an empty set and an absent one are the same.
#[derive(Clone)]
pub struct State {
    /// The number of the change after which the workspace looked like this.
    pub seq: u64,
    /// The position that the next key takes.
    pub next_position: u64,
    /// The number that the next new person gets.
    pub next_person: Person,
    pub(crate) sets: OrdMap<SetId, Stored>,
}

/// A set as the database keeps it: what a start learns of it without reading it.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Which set.
    pub set: SetId,
    /// The seq of the change that was its last then.
    pub version: u64,
    /// How many members it had.
    pub members: u64,
}

impl Snapshot {
    /// A set that had so many members in this version.
    pub fn new(set: SetId, version: u64, members: u64) -> Snapshot {
        Snapshot {
            set,
            version,
            members,
        }
    }
}

impl State {
    /// A state with these sets in memory; empty ones are left out, and persons count from 1 at least.
    pub fn new(
        seq: u64,
        next_position: u64,
        next_person: Person,
        sets: impl IntoIterator<Item = (SetId, Set)>,
    ) -> State {
        let version = seq;
        let sets = sets
            .into_iter()
            .filter(|(_, set)| !set.is_empty())
            .map(|(id, set)| (id, Stored::Fresh { set, version }));
        State {
            seq,
            next_position,
            next_person,
            sets: sets.collect(),
        }
    }

    /// The members of a set; nobody if it is absent.
    ///
    /// # Errors
    ///
    /// A set that could not be read.
    pub fn set(&self, id: SetId) -> Result<Set, Unreadable> {
        self.sets.get(&id).map_or(Ok(Set::new()), Stored::set)
    }

    /// A set as an operand of a question; nobody if it is absent. Nothing is read for it.
    pub fn operand(&self, id: SetId) -> Operand {
        match self.sets.get(&id) {
            None => Operand::from(Set::new()),
            Some(stored) => stored.operand(),
        }
    }

    /// How many members a set has; none if it is absent. Nothing is read for it.
    pub fn len(&self, id: SetId) -> u64 {
        self.sets.get(&id).map_or(0, Stored::len)
    }

    /// The seq of a set's last change; 0 if it is absent. A set has the same members wherever it has the same version.
    pub fn version(&self, id: SetId) -> u64 {
        self.sets.get(&id).map_or(0, Stored::version)
    }

    /// Whether a person is in a set, reading no more of it than that takes.
    ///
    /// # Errors
    ///
    /// A set that could not be read.
    pub fn contains(&self, id: SetId, person: Person) -> Result<bool, Unreadable> {
        let stored = self.sets.get(&id);
        stored.map_or(Ok(false), |stored| stored.contains(person))
    }

    /// The ids of the sets, ascending, each with its number of members.
    pub fn sets(&self) -> impl Iterator<Item = (SetId, u64)> {
        self.sets.iter().map(|(id, stored)| (*id, stored.len()))
    }

    /// Whether nothing is read for [`State::contains`]; so it is for an absent set.
    pub fn is_resident(&self, id: SetId) -> bool {
        self.sets.get(&id).is_none_or(Stored::is_resident)
    }

    /// Bytes that the sets take in memory, as if they shared nothing.
    pub fn memory_bytes(&self) -> usize {
        self.sets.values().map(Stored::memory_bytes).sum()
    }

    /// Whether a set is present, which is to say that it has members.
    pub fn contains_set(&self, id: SetId) -> bool {
        self.sets.contains_key(&id)
    }

    /// The database has a set of this version in a row of its own now, so that it need not be written to be put away.
    pub fn note_snapshot(&self, id: SetId, version: u64) {
        if let Some(Stored::Shelved(shelved)) = self.sets.get(&id)
            && shelved.version() == version
        {
            shelved.is_kept();
        }
    }

    /// Gives a place to a set that was changed.
    pub(crate) fn shelve(&mut self, id: SetId, home: Option<&Arc<Home>>) {
        let Some(Stored::Fresh { .. }) = self.sets.get(&id) else {
            return;
        };
        // Taken out, so that the place holds the only clone of it.
        if let Some(Stored::Fresh { set, version }) = self.sets.remove(&id) {
            let shelved = Shelved::fresh(id, version, set, home);
            self.sets.insert(id, Stored::Shelved(shelved));
        }
    }
}

impl PartialEq for State {
    /// Whether both have the same members, wherever those are. Sets are read for it if need be.
    fn eq(&self, other: &State) -> bool {
        let numbers = |state: &State| (state.seq, state.next_position, state.next_person);
        numbers(self) == numbers(other)
            && self.sets.len() == other.sets.len()
            && self
                .sets
                .iter()
                .zip(&other.sets)
                .all(|((id, a), (other_id, b))| id == other_id && a.same_members(b))
    }
}

impl Eq for State {}

impl Default for State {
    /// The state of a workspace without changes: persons count from 1.
    fn default() -> State {
        State {
            seq: 0,
            next_position: 0,
            next_person: 1,
            sets: OrdMap::new(),
        }
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let State {
            seq,
            next_position,
            next_person,
            sets,
        } = self;
        write!(
            f,
            "State(seq {seq}, next_position {next_position}, next_person {next_person}, {} sets)",
            sets.len()
        )
    }
}

/// One workspace in memory: its dictionary and its published state.
#[derive(Debug, Default)]
pub struct Engine {
    dictionary: Dictionary,
    published: ArcSwap<State>,
    home: Option<Arc<Home>>,
    /// What the last groups added to the dictionary.
    recent: Mutex<Arc<RecentKeys>>,
    loaded: Loaded,
}

/// Of which positions a dictionary had the keys when the engine got it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Of all before this one ...
    pub complete: u64,
    /// ... and of some before this one.
    pub until: u64,
}

impl Engine {
    /// The engine of a workspace without changes, whose sets stay in memory.
    pub fn new() -> Engine {
        Engine::default()
    }

    /// The engine of a workspace without changes, whose sets have a home when they are not in memory.
    pub fn at_home(home: Home) -> Engine {
        Engine {
            home: Some(Arc::new(home)),
            ..Engine::default()
        }
    }

    /// The same engine with a dictionary that perhaps has keys already. Changes that append those can be replayed, and without
    /// naming them where all of a change's are there.
    pub fn with_dictionary(self, dictionary: Dictionary, loaded: Loaded) -> Engine {
        Engine {
            dictionary,
            loaded,
            ..self
        }
    }

    /// Of which positions the dictionary had the keys from the beginning.
    pub fn loaded(&self) -> Loaded {
        self.loaded
    }

    /// The state that was published last. It stays as it is, whatever is published later.
    pub fn published(&self) -> Arc<State> {
        self.published.load_full()
    }

    /// Which keys belong to whom. It may be ahead of the published state by the keys of a group that is being published.
    pub fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// Publishes a state that was read from snapshots. Keys are loaded apart, with [`Engine::load_keys`].
    pub fn restore(&self, mut state: State) {
        let ids: Vec<SetId> = state.sets.keys().copied().collect();
        for id in ids {
            state.shelve(id, self.home.as_ref());
        }
        self.published.store(Arc::new(state));
    }

    /// Publishes a state whose sets are in the database; each is read when somebody asks for it.
    ///
    /// # Panics
    ///
    /// When the engine's sets have no home.
    pub fn restore_snapshots(
        &self,
        seq: u64,
        next_position: u64,
        next_person: Person,
        snapshots: impl IntoIterator<Item = Snapshot>,
    ) {
        let home = self.home.as_ref().expect("its sets have a home");
        let stored = |Snapshot {
                          set,
                          version,
                          members,
                      }: Snapshot| {
            let shelved = Shelved::kept(set, version, members, home);
            (set, Stored::Shelved(shelved))
        };
        let present = snapshots
            .into_iter()
            .filter(|snapshot| snapshot.members > 0);
        self.published.store(Arc::new(State {
            seq,
            next_position,
            next_person,
            sets: present.map(stored).collect(),
        }));
    }

    /// Removes from the folder what no set of the published state can be read from: files of older versions and of sets that
    /// are gone, and those whose writing was cut short.
    pub fn sweep_files(&self) {
        let Some(folder) = self.home.as_ref().and_then(|home| home.folder.as_ref()) else {
            return;
        };
        let state = self.published();
        // A folder that cannot be listed has no files that anybody could use.
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for file in files {
            let name = file.file_name();
            let named = name.to_str().and_then(Home::named);
            if !named.is_some_and(|(set, version)| version > 0 && state.version(set) == version) {
                std::fs::remove_file(file.path()).ok();
            }
        }
    }

    /// Makes room in the dictionary for about so many more keys, before they are loaded in pieces.
    pub fn reserve_keys(&self, more: u64) {
        self.dictionary.reserve(more);
    }

    /// Loads keys with their persons at start-up and answers how many were new; the published state stays as it is.
    ///
    /// Not while a group is under way, which relies on nobody else adding keys.
    ///
    /// # Panics
    ///
    /// When there are not as many persons as keys.
    pub fn load_keys(&self, keys: &[Key], persons: &[Person]) -> u64 {
        self.dictionary.load_all(keys, persons)
    }

    /// Begins a group of commands on top of the published state. Only the committer calls it, for one group at a time.
    pub fn begin(&self) -> Working<'_> {
        let recent = Arc::clone(&self.recent.lock());
        let published = self.published();
        Working::new(
            &self.dictionary,
            recent,
            self.loaded,
            &published,
            self.home.as_ref(),
        )
    }

    /// Publishes a group that has become durable: its keys first, then its sets all at once.
    pub fn publish(&self, group: Group) {
        let Group {
            keys,
            state,
            changed,
        } = group;
        let order = keys.order();
        self.dictionary
            .insert_all_in(keys.keys(), keys.persons(), &order);
        let first = state.next_position - keys.len() as u64;
        let prints = Fingerprints::new(keys.keys(), &order);
        Arc::make_mut(&mut self.recent.lock()).push(first, prints);
        let before = self.published.swap(Arc::new(state));
        let published = self.published.load();
        for id in &changed {
            if let Some(Stored::Shelved(shelved)) = before.sets.get(id)
                && published.version(*id) != shelved.version()
            {
                shelved.supersede();
            }
        }
    }
}

/// A finished group of commands: what publishing it takes. Dropping it forgets the group.
#[derive(Debug)]
pub struct Group {
    pub(crate) keys: GroupKeys,
    pub(crate) state: State,
    /// The sets that are perhaps not what they were.
    pub(crate) changed: BTreeSet<SetId>,
}

impl Group {
    /// The state that publishing the group will publish.
    pub fn state(&self) -> &State {
        &self.state
    }
}
