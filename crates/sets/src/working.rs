//! The view that a group of commands works on: the published state and what earlier commands of the group changed.
//!
//! Nobody else sees it, and dropping it forgets it. It decides nothing and stores nothing. Invariant: `state` is the published
//! state with the changes of the kept commands and of the one at hand; `savepoint` is the same without the one at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::delta::{Delta, SetDelta, SetOp};
use crate::engine::{Group, Loaded, State};
use crate::group_keys::GroupKeys;
use crate::key_batch::{Holders, KeyBatch, RecentKeys};
use crate::shelf::Home;
use crate::stored::Stored;
use crate::{Dictionary, IdentityDelta, Key, Person, Set, SetId, Unreadable};

/// No number is left for another person.
#[derive(Debug, Copy, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the workspace has no number left for another person")]
pub struct Full;

/// Why a row of the log does not continue the state that it was replayed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The row is not the next one.
    #[error("change {found} was replayed where {expected} comes next")]
    Sequence {
        /// The number of the next change.
        expected: u64,
        /// The number that was given.
        found: u64,
    },
    /// The group has keys of its own that the row does not know.
    #[error("a change was replayed after a command of the group had appended keys")]
    AfterCommand,
    /// The row's keys do not follow on the ones before.
    #[error("keys from position {found} on were replayed where {expected} comes next")]
    Position {
        /// The next position.
        expected: u64,
        /// The position that was given.
        found: u64,
    },
    /// There are not as many keys as the row has persons.
    #[error("{keys} keys were replayed for {persons} positions")]
    KeyCount {
        /// How many keys were given.
        keys: u64,
        /// How many persons the row names.
        persons: u64,
    },
    /// A key already belongs to somebody.
    #[error("the key at position {0} already belongs to somebody")]
    KeyHeld(u64),
    /// The row names person 0, who does not exist.
    #[error("the change names person 0")]
    PersonZero,
    /// Somebody is added who is in the set already.
    #[error("set {0} already has members that the change adds")]
    AddedPresent(SetId),
    /// Somebody is removed who is not in the set.
    #[error("set {0} lacks members that the change removes")]
    RemovedAbsent(SetId),
    /// A set that the row changes could not be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// Where the command at hand began.
#[derive(Debug)]
struct Savepoint {
    state: State,
    keys: usize,
}

/// The published state plus the changes of a group of commands that nobody else sees yet.
#[derive(Debug)]
pub struct Working<'e> {
    dictionary: &'e Dictionary,
    recent: Arc<RecentKeys>,
    /// Where the published state ended.
    published: u64,
    /// What the dictionary had before it was replayed to.
    loaded: Loaded,
    state: State,
    /// The group's keys in order of first sight, replayed ones first, and their persons.
    keys: GroupKeys,
    /// How many of `keys` were replayed.
    replayed: usize,
    savepoint: Savepoint,
    /// The sets that the command at hand touched.
    touched: BTreeMap<SetId, Touched>,
    /// The sets that any command of the group touched.
    changed: BTreeSet<SetId>,
    home: Option<&'e Arc<Home>>,
}

/// A set that the command at hand touched.
#[derive(Debug)]
struct Touched {
    /// Whether dropping it was the last that was done.
    dropped: bool,
    /// Its members when the command began.
    before: Set,
}

impl<'e> Working<'e> {
    pub(crate) fn new(
        dictionary: &'e Dictionary,
        recent: Arc<RecentKeys>,
        loaded: Loaded,
        published: &State,
        home: Option<&'e Arc<Home>>,
    ) -> Working<'e> {
        Working {
            dictionary,
            recent,
            published: published.next_position,
            loaded,
            state: published.clone(),
            keys: GroupKeys::default(),
            replayed: 0,
            savepoint: Savepoint {
                state: published.clone(),
                keys: 0,
            },
            touched: BTreeMap::new(),
            changed: BTreeSet::new(),
            home,
        }
    }

    /// The number of the last change.
    pub fn seq(&self) -> u64 {
        self.state.seq
    }

    /// The position that the next key takes.
    pub fn next_position(&self) -> u64 {
        self.state.next_position
    }

    /// The number that the next new person gets.
    pub fn next_person(&self) -> Person {
        self.state.next_person
    }

    /// The state as the command at hand sees it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The members of a set; nobody if it is absent.
    ///
    /// # Errors
    ///
    /// A set that could not be read.
    pub fn set(&self, id: SetId) -> Result<Set, Unreadable> {
        self.state.set(id)
    }

    /// The person of a key.
    pub fn person(&self, key: &Key) -> Option<Person> {
        self.keys.get(key).or_else(|| self.dictionary.get(key))
    }

    /// Fills `out` with the persons of the keys, in the order of the keys; what `out` held is discarded.
    pub fn persons(&self, keys: &[Key], out: &mut Vec<Option<Person>>) {
        self.dictionary.get_all(keys, out);
        self.keys.fill(keys, out);
    }

    /// Who holds each key of a batch. What was looked up before the command is used as far as it still holds.
    pub fn holders<'b>(&self, batch: &'b KeyBatch) -> Holders<'b> {
        let mut persons = batch.holders(self.dictionary, &self.recent, self.published);
        self.keys.fill(batch.keys(), &mut persons);
        Holders::new(batch, persons, self.keys.len())
    }

    /// Appends the keys that were given away, in the order in which they were.
    ///
    /// # Panics
    ///
    /// When keys were appended since the holders were asked for: they might be the same.
    pub fn attach_given(&mut self, holders: &Holders<'_>) {
        assert_eq!(
            holders.group_keys,
            self.keys.len(),
            "nobody else appends keys meanwhile"
        );
        self.keys.append_given(holders);
        self.state.next_position += holders.given().len() as u64;
    }

    /// A new person, without keys.
    ///
    /// # Errors
    ///
    /// [`Full`] once every number is given out; `u32::MAX` itself never is.
    pub fn new_person(&mut self) -> Result<Person, Full> {
        let person = self.state.next_person;
        if person == Person::MAX {
            return Err(Full);
        }
        self.state.next_person += 1;
        Ok(person)
    }

    /// Raises the number of the next new person to at least this. A person without a key or a set is in no delta, so a replica
    /// learns of such numbers from the database's head only.
    pub fn raise_next_person(&mut self, next_person: Person) {
        self.state.next_person = self.state.next_person.max(next_person);
    }

    /// Appends a key that belongs to a person; false, and nothing changed, if it already belongs to somebody.
    pub fn attach(&mut self, key: Key, person: Person) -> bool {
        self.dictionary.get(&key).is_none() && self.append(key, person)
    }

    /// Appends each key that belongs to nobody yet, for the person at the same place, and answers how many it appended.
    ///
    /// # Panics
    ///
    /// When there are not as many persons as keys.
    pub fn attach_all(&mut self, keys: &[Key], persons: &[Person]) -> u64 {
        assert_eq!(keys.len(), persons.len(), "every key has a person");
        let mut known = Vec::new();
        self.dictionary.get_all(keys, &mut known);
        let mut appended = 0;
        for (index, key) in keys.iter().enumerate() {
            if known[index].is_none() {
                appended += u64::from(self.append(*key, persons[index]));
            }
        }
        appended
    }

    /// Appends a key that the dictionary does not have.
    fn append(&mut self, key: Key, person: Person) -> bool {
        let appended = self.keys.append(key, person);
        self.state.next_position += u64::from(appended);
        appended
    }

    /// Adds persons to a set and answers who was not in it.
    ///
    /// # Errors
    ///
    /// A set that could not be read; nothing changed then.
    pub fn add(&mut self, id: SetId, persons: &Set) -> Result<Set, Unreadable> {
        let set = self.state.set(id)?;
        if set.is_empty() {
            self.put(id, Set::new(), persons.clone());
            return Ok(persons.clone());
        }
        let added = persons.and_not(&set);
        if !added.is_empty() {
            self.touch(id, set).insert_all(&added);
        }
        Ok(added)
    }

    /// Removes persons from a set and answers who was in it.
    ///
    /// # Errors
    ///
    /// A set that could not be read; nothing changed then.
    pub fn remove(&mut self, id: SetId, persons: &Set) -> Result<Set, Unreadable> {
        let set = self.state.set(id)?;
        let removed = set.and(persons);
        if removed.is_empty() {
            return Ok(removed);
        }
        if removed.len() == set.len() {
            self.put(id, set, Set::new());
        } else {
            self.touch(id, set).remove_all(&removed);
        }
        Ok(removed)
    }

    /// Makes these the members of a set.
    ///
    /// # Errors
    ///
    /// A set that could not be read, which the command's delta takes; nothing changed then.
    pub fn replace(&mut self, id: SetId, set: Set) -> Result<(), Unreadable> {
        let before = self.state.set(id)?;
        self.put(id, before, set);
        Ok(())
    }

    /// Makes a set absent.
    ///
    /// # Errors
    ///
    /// A set that could not be read, which the command's delta takes; nothing changed then.
    pub fn drop_set(&mut self, id: SetId) -> Result<(), Unreadable> {
        if self.state.contains_set(id) || self.touched.contains_key(&id) {
            let before = self.state.set(id)?;
            self.put(id, before, Set::new());
            self.note(id, Set::new()).dropped = true;
        }
        Ok(())
    }

    /// Notes that the command touches a set, which was so until now.
    fn note(&mut self, id: SetId, before: Set) -> &mut Touched {
        self.changed.insert(id);
        let touched = self.touched.entry(id).or_insert(Touched {
            dropped: false,
            before,
        });
        touched.dropped = false;
        touched
    }

    /// Makes `after` of a set, which was `before`.
    fn put(&mut self, id: SetId, before: Set, after: Set) {
        self.note(id, before);
        if after.is_empty() {
            self.state.sets.remove(&id);
        } else {
            let version = self.state.seq + 1;
            let stored = Stored::Fresh {
                set: after,
                version,
            };
            self.state.sets.insert(id, stored);
        }
    }

    /// A set, which is so until now, to change in place.
    fn touch(&mut self, id: SetId, now: Set) -> &mut Set {
        let next = self.state.seq + 1;
        if !self.touched.contains_key(&id) {
            self.note(id, now.clone());
        } else {
            self.note(id, Set::new());
        }
        if !matches!(self.state.sets.get(&id), Some(Stored::Fresh { .. })) {
            let version = next;
            let stored = Stored::Fresh { set: now, version };
            self.state.sets.insert(id, stored);
        }
        match self.state.sets.get_mut(&id) {
            Some(Stored::Fresh { set, version }) => {
                *version = next;
                set
            }
            _ => unreachable!("it was made fresh"),
        }
    }

    /// Begins a command: what follows can be rolled back to here.
    pub fn command_begin(&mut self) {
        self.savepoint = Savepoint {
            state: self.state.clone(),
            keys: self.keys.len(),
        };
        self.touched.clear();
    }

    /// Forgets everything since the command began: sets, keys and persons.
    pub fn command_rollback(&mut self) {
        self.state = self.savepoint.state.clone();
        self.keys.truncate(self.savepoint.keys);
        self.touched.clear();
    }

    /// What has changed since the command began. A set that was touched and is as it was is left out, and keeps its version.
    pub fn command_delta(&mut self) -> Delta {
        let persons = &self.keys.persons()[self.savepoint.keys..];
        let identity = (!persons.is_empty()).then(|| IdentityDelta {
            first_position: self.savepoint.state.next_position,
            persons: persons.to_vec(),
        });
        let mut sets = Vec::new();
        for (id, Touched { dropped, before }) in &self.touched {
            // What a command touched is in memory until it ends.
            let after = match self.state.sets.get(id) {
                Some(Stored::Fresh { set, .. }) => set.clone(),
                Some(Stored::Shelved(_)) => before.clone(),
                None => Set::new(),
            };
            let op = if *dropped { SetOp::Drop } else { SetOp::Change };
            let (added, removed) = (after.and_not(before), before.and_not(&after));
            if !added.is_empty() || !removed.is_empty() {
                sets.push(SetDelta {
                    set: *id,
                    op,
                    added,
                    removed,
                });
            } else if let Some(stored) = self.savepoint.state.sets.get(id) {
                self.state.sets.insert(*id, stored.clone());
            }
        }
        Delta { identity, sets }
    }

    /// Keeps what has changed since the command began: the state is now that of change `seq`. A command that changed
    /// nothing passes the seq at hand.
    pub fn command_end(&mut self, seq: u64) {
        self.state.seq = seq;
        self.command_begin();
    }

    /// The keys that the kept commands of this group appended, and the position of the first. Replayed keys are not among
    /// them: the log has them.
    pub fn group_keys(&self) -> (&[Key], u64) {
        let own = &self.keys.keys()[self.replayed..self.savepoint.keys];
        (own, self.savepoint.state.next_position - own.len() as u64)
    }

    /// Ends the group: what publishing it takes. A command at hand that was not ended is forgotten.
    pub fn finish(mut self) -> Group {
        self.command_rollback();
        let mut state = self.state;
        // The savepoint shares every set that was changed, and is no longer needed.
        drop(self.savepoint);
        for id in &self.changed {
            state.shelve(*id, self.home);
        }
        Group {
            keys: self.keys,
            state,
            changed: self.changed,
        }
    }

    /// Applies a row of the log, with the keys that it appended, and keeps it.
    ///
    /// A [`SetOp::Drop`] makes its set absent, whatever `removed` says, since a large one may be stored as a snapshot instead.
    /// The next person is one past the largest that the row names, if it was not already. A command at hand is forgotten.
    ///
    /// # Errors
    ///
    /// A row that does not continue the state, which is then as it was before.
    pub fn replay(
        &mut self,
        seq: u64,
        keys: &[Key],
        identity: Option<&IdentityDelta>,
        sets: &[SetDelta],
    ) -> Result<(), ReplayError> {
        self.command_rollback();
        if self.keys.len() > self.replayed {
            return Err(ReplayError::AfterCommand);
        }
        let expected = self.state.seq + 1;
        if seq != expected {
            return Err(ReplayError::Sequence {
                expected,
                found: seq,
            });
        }
        let replayed = self
            .replay_keys(keys, identity)
            .and_then(|()| self.replay_sets(sets));
        if replayed.is_err() {
            self.command_rollback();
            return replayed;
        }
        self.state.seq = seq;
        self.replayed = self.keys.len();
        self.command_begin();
        Ok(())
    }

    fn replay_keys(
        &mut self,
        keys: &[Key],
        identity: Option<&IdentityDelta>,
    ) -> Result<(), ReplayError> {
        let persons = identity.map_or(&[][..], |identity| &identity.persons);
        let first = identity.map_or(0, |identity| identity.first_position);
        let until = first.saturating_add(persons.len() as u64);
        let there = keys.is_empty() && until <= self.loaded.complete;
        if !there && keys.len() != persons.len() {
            return Err(ReplayError::KeyCount {
                keys: keys.len() as u64,
                persons: persons.len() as u64,
            });
        }
        let Some(identity) = identity else {
            return Ok(());
        };
        let expected = self.state.next_position;
        if identity.first_position != expected {
            return Err(ReplayError::Position {
                expected,
                found: identity.first_position,
            });
        }
        if there {
            self.state.next_position = until;
        } else {
            self.replay_new_keys(expected, keys, persons)?;
        }
        if persons.contains(&0) {
            return Err(ReplayError::PersonZero);
        }
        self.see_person(persons.iter().copied().max());
        Ok(())
    }

    /// Keys that the dictionary was loaded with are there already, for the same persons.
    fn replay_new_keys(
        &mut self,
        first: u64,
        keys: &[Key],
        persons: &[Person],
    ) -> Result<(), ReplayError> {
        let mut known = Vec::new();
        self.dictionary.get_all(keys, &mut known);
        for (index, key) in keys.iter().enumerate() {
            let position = first + index as u64;
            match known[index] {
                None if self.append(*key, persons[index]) => {}
                Some(person) if position < self.loaded.until && person == persons[index] => {
                    self.state.next_position += 1;
                }
                _ => return Err(ReplayError::KeyHeld(position)),
            }
        }
        Ok(())
    }

    fn replay_sets(&mut self, sets: &[SetDelta]) -> Result<(), ReplayError> {
        for SetDelta {
            set: id,
            op,
            added,
            removed,
        } in sets
        {
            self.changed.insert(*id);
            if *op == SetOp::Drop {
                self.state.sets.remove(id);
                continue;
            }
            if added.contains(0) {
                return Err(ReplayError::PersonZero);
            }
            let mut set = self.state.set(*id)?;
            self.state.sets.remove(id);
            if set.and_len(added) != 0 {
                return Err(ReplayError::AddedPresent(*id));
            }
            if !removed.is_subset(&set) {
                return Err(ReplayError::RemovedAbsent(*id));
            }
            set.remove_all(removed);
            set.insert_all(added);
            if !set.is_empty() {
                let version = self.state.seq + 1;
                self.state.sets.insert(*id, Stored::Fresh { set, version });
            }
            self.see_person(added.last());
        }
        Ok(())
    }

    /// Makes sure that a person who was named is not given out again.
    fn see_person(&mut self, person: Option<Person>) {
        if let Some(person) = person {
            self.raise_next_person(person.saturating_add(1));
        }
    }
}
