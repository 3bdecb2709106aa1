//! The published state of a workspace: what every reader sees.
//!
//! It does not decide what changes, nor does it make anything durable; [`Working`] and the store do. Invariant: a state never
//! changes once it is published, and the next one differs from it by whole groups of commands.

use std::fmt;
use std::sync::Arc;

use crate::sync::{ArcSwap, Mutex};
use imbl::OrdMap;

use crate::group_keys::GroupKeys;
use crate::key_batch::RecentKeys;
use crate::key_order::Fingerprints;
use crate::{Dictionary, Key, Operand, Person, Set, SetId, Unreadable, Working};

/// The sets of a workspace after some change, and the numbers to go on from. Cloning is cheap.
///
/// A set is present exactly while it has members: an empty set and an absent one are the same.
#[derive(Clone, PartialEq, Eq)]
pub struct State {
    /// The number of the change after which the workspace looked like this.
    pub seq: u64,
    /// The position that the next key takes.
    pub next_position: u64,
    /// The number that the next new person gets.
    pub next_person: Person,
    pub(crate) sets: OrdMap<SetId, Set>,
}

impl State {
    /// A state with these sets; empty ones are left out, and persons count from 1 at least.
    pub fn new(
        seq: u64,
        next_position: u64,
        next_person: Person,
        sets: impl IntoIterator<Item = (SetId, Set)>,
    ) -> State {
        let sets = sets
            .into_iter()
            .filter(|(_, set)| !set.is_empty())
            .collect();
        State {
            seq,
            next_position,
            next_person,
            sets,
        }
    }

    /// The members of a set; nobody if it is absent.
    ///
    /// # Errors
    ///
    /// A set that could not be read.
    pub fn set(&self, id: SetId) -> Result<Set, Unreadable> {
        Ok(self.sets.get(&id).cloned().unwrap_or_default())
    }

    /// A set as an operand of a question; nobody if it is absent. Nothing is read for it.
    pub fn operand(&self, id: SetId) -> Operand {
        Operand::from(self.sets.get(&id).cloned().unwrap_or_default())
    }

    /// How many members a set has; none if it is absent. Nothing is read for it.
    pub fn len(&self, id: SetId) -> u64 {
        self.sets.get(&id).map_or(0, Set::len)
    }

    /// Whether a person is in a set, reading no more of it than that takes.
    ///
    /// # Errors
    ///
    /// A set that could not be read.
    pub fn contains(&self, id: SetId, person: Person) -> Result<bool, Unreadable> {
        Ok(self.sets.get(&id).is_some_and(|set| set.contains(person)))
    }

    /// The ids of the sets, ascending, each with its number of members.
    pub fn sets(&self) -> impl Iterator<Item = (SetId, u64)> {
        self.sets.iter().map(|(id, set)| (*id, set.len()))
    }

    /// Whether nothing is read for [`State::contains`]; so it is for an absent set.
    pub fn is_resident(&self, _id: SetId) -> bool {
        true
    }

    /// Bytes that the sets take in memory, as if they shared nothing.
    pub fn memory_bytes(&self) -> usize {
        self.sets.values().map(Set::memory_bytes).sum()
    }

    /// Whether a set is present, which is to say that it has members.
    pub fn contains_set(&self, id: SetId) -> bool {
        self.sets.contains_key(&id)
    }
}

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
    /// What the last groups added to the dictionary.
    recent: Mutex<Arc<RecentKeys>>,
}

impl Engine {
    /// The engine of a workspace without changes.
    pub fn new() -> Engine {
        Engine::default()
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
    pub fn restore(&self, state: State) {
        self.published.store(Arc::new(state));
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
        self.dictionary.insert_all(keys, persons)
    }

    /// Begins a group of commands on top of the published state. Only the committer calls it, for one group at a time.
    pub fn begin(&self) -> Working<'_> {
        let recent = Arc::clone(&self.recent.lock());
        Working::new(&self.dictionary, recent, &self.published())
    }

    /// Publishes a group that has become durable: its keys first, then its sets all at once.
    pub fn publish(&self, group: Group) {
        let Group { keys, state } = group;
        let order = keys.order();
        self.dictionary
            .insert_all_in(keys.keys(), keys.persons(), &order);
        let first = state.next_position - keys.len() as u64;
        let prints = Fingerprints::new(keys.keys(), &order);
        Arc::make_mut(&mut self.recent.lock()).push(first, prints);
        self.published.store(Arc::new(state));
    }
}

/// A finished group of commands: what publishing it takes. Dropping it forgets the group.
#[derive(Debug)]
pub struct Group {
    pub(crate) keys: GroupKeys,
    pub(crate) state: State,
}

impl Group {
    /// The state that publishing the group will publish.
    pub fn state(&self) -> &State {
        &self.state
    }
}
