//! The keys that a group of commands appends, and their persons.
//!
//! Nobody else sees them before the group is published. Invariant: no key is in it twice. Whoever appends a whole batch has
//! made sure of that; to tell it of single keys, a table of them is made when it is first needed.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use crate::key_batch::Holders;
use crate::key_hash::KeyHashBuilder;
use crate::key_order::KeyOrder;
use crate::{Key, Person};

type Table = HashMap<Key, Person, KeyHashBuilder>;

/// Keys in the order in which they were appended.
#[derive(Debug, Default)]
pub(crate) struct GroupKeys {
    keys: Vec<Key>,
    persons: Vec<Person>,
    /// All of the keys with their persons, once somebody asked.
    table: OnceLock<Table>,
    /// The order of the keys, where they are those of one batch.
    order: Option<Arc<KeyOrder>>,
}

impl GroupKeys {
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }

    pub(crate) fn persons(&self) -> &[Person] {
        &self.persons
    }

    /// The keys' order in the dictionary.
    pub(crate) fn order(&self) -> Arc<KeyOrder> {
        let known = self
            .order
            .as_ref()
            .filter(|order| order.len() == self.len());
        known.map_or_else(|| Arc::new(KeyOrder::of(&self.keys)), Arc::clone)
    }

    fn table(&self) -> &Table {
        self.table.get_or_init(|| {
            let persons = self.persons.iter().copied();
            self.keys.iter().copied().zip(persons).collect()
        })
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Person> {
        if self.keys.is_empty() {
            return None;
        }
        self.table().get(key).copied()
    }

    /// Puts in the persons of those keys that have none.
    pub(crate) fn fill(&self, keys: &[Key], persons: &mut [Option<Person>]) {
        if self.keys.is_empty() {
            return;
        }
        let table = self.table();
        for (person, key) in persons.iter_mut().zip(keys) {
            *person = person.or_else(|| table.get(key).copied());
        }
    }

    /// Appends a key, unless it is there.
    pub(crate) fn append(&mut self, key: Key, person: Person) -> bool {
        self.table();
        let Some(table) = self.table.get_mut() else {
            return false;
        };
        if table.contains_key(&key) {
            return false;
        }
        table.insert(key, person);
        self.keys.push(key);
        self.persons.push(person);
        self.order = None;
        true
    }

    /// Appends keys that are not there, since their holders were looked for.
    pub(crate) fn append_given(&mut self, holders: &Holders<'_>) {
        let (given, owners) = (holders.given(), holders.owners());
        let keys = holders.batch().keys();
        let whole = self.keys.is_empty() && given.iter().copied().eq(0..keys.len() as u32);
        self.order = whole.then(|| Arc::clone(holders.batch().order()));
        if whole {
            self.keys.extend_from_slice(keys);
        } else {
            self.keys.extend(given.iter().map(|at| keys[*at as usize]));
        }
        self.persons.extend_from_slice(owners);
        if let Some(table) = self.table.get_mut() {
            let keys = given.iter().map(|at| keys[*at as usize]);
            table.extend(keys.zip(owners.iter().copied()));
        }
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        if len == self.keys.len() {
            return;
        }
        if let Some(table) = self.table.get_mut() {
            for key in &self.keys[len..] {
                table.remove(key);
            }
        }
        self.keys.truncate(len);
        self.persons.truncate(len);
        self.order = None;
    }
}
