//! The keys of one command, prepared before it runs: put in order, searched for repetitions and looked up, all outside the
//! committer. When the command runs, only what changed since is looked at again.
//!
//! It gives no key to anybody; [`Working`](crate::Working) does, with a [`Holders`]. Invariant: a look-up made early is used
//! only as far as it still holds: nothing but publishing a group adds keys, and what takes keys away or gives them to
//! another person makes every earlier look-up void.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::key_order::{Fingerprints, KeyOrder};
use crate::{Dictionary, Engine, Key, Person};

/// A place of [`KeyBatch::next`] behind which no repetition follows.
const LAST: u32 = u32::MAX;
/// Above this many keys of one place, they are sorted rather than compared with one another.
const COMPARED_MAX: usize = 48;

/// The keys of one command, at most 2^32 - 1.
#[derive(Debug, Clone)]
pub struct KeyBatch {
    keys: Vec<Key>,
    order: Arc<KeyOrder>,
    /// For each key the next index with the same one; empty where no key is repeated.
    next: Vec<u32>,
    found: Option<Found>,
}

/// What a look-up found, and when.
#[derive(Debug, Clone)]
struct Found {
    persons: Vec<Option<Person>>,
    /// Keys at positions below this were in the dictionary.
    position: u64,
    generation: u64,
}

impl Default for KeyBatch {
    fn default() -> KeyBatch {
        KeyBatch::new(Vec::new())
    }
}

impl KeyBatch {
    /// Puts keys in order and finds those that come twice.
    pub fn new(keys: Vec<Key>) -> KeyBatch {
        let order = KeyOrder::of(&keys);
        let next = repetitions(&keys, &order);
        KeyBatch {
            keys,
            order: Arc::new(order),
            next,
            found: None,
        }
    }

    /// Looks up who holds each key, so that the command need not. Not needed: a batch that was not looked up is looked up then.
    pub fn look_up(&mut self, engine: &Engine) {
        // The position first: what is published meanwhile is found, or is looked for again.
        let position = engine.published().next_position;
        let dictionary = engine.dictionary();
        let generation = dictionary.generation();
        let mut persons = Vec::new();
        dictionary.get_all_in(&self.keys, &self.order, &mut persons);
        self.found = Some(Found {
            persons,
            position,
            generation,
        });
    }

    /// The keys, as they were given.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Whether a key comes up more than once.
    pub fn has_repetitions(&self) -> bool {
        !self.next.is_empty()
    }

    pub(crate) fn order(&self) -> &Arc<KeyOrder> {
        &self.order
    }

    /// Who holds each key in the dictionary of an engine whose published state goes up to position `until`.
    pub(crate) fn holders(
        &self,
        dictionary: &Dictionary,
        recent: &RecentKeys,
        until: u64,
    ) -> Vec<Option<Person>> {
        let early = self
            .found
            .as_ref()
            .filter(|found| found.generation == dictionary.generation());
        let since = early.and_then(|found| recent.since(found.position, until));
        let (Some(found), Some(since)) = (early, since) else {
            let mut persons = Vec::new();
            dictionary.get_all_in(&self.keys, &self.order, &mut persons);
            return persons;
        };
        let mut persons = found.persons.clone();
        for group in since {
            for (person, key) in persons.iter_mut().zip(&self.keys) {
                if person.is_none() && group.may_hold(key) {
                    *person = dictionary.get(key);
                }
            }
        }
        persons
    }
}

/// For each key the next index with the same one; empty where there is none.
fn repetitions(keys: &[Key], order: &KeyOrder) -> Vec<u32> {
    let mut next = Vec::new();
    let mut note = |first: u32, second: u32| {
        if next.is_empty() {
            next = vec![LAST; keys.len()];
        }
        next[first as usize] = second;
    };
    let mut sorted: Vec<u32> = Vec::new();
    for place in order.places() {
        if place.len() > COMPARED_MAX {
            sorted.clear();
            sorted.extend_from_slice(place);
            sorted.sort_unstable_by_key(|at| (keys[*at as usize], *at));
            for pair in sorted.windows(2) {
                if keys[pair[0] as usize] == keys[pair[1] as usize] {
                    note(pair[0], pair[1]);
                }
            }
            continue;
        }
        for (count, at) in place.iter().enumerate() {
            let key = &keys[*at as usize];
            // The nearest before it: the others are linked to that one.
            let before = place[..count].iter().rev();
            if let Some(first) = before.copied().find(|first| {
                keys[*first as usize].low() == key.low() && keys[*first as usize] == *key
            }) {
                note(first, *at);
            }
        }
    }
    next
}

/// Who holds each key of a batch while its command runs, and whom the command gives those to that nobody held.
#[derive(Debug)]
pub struct Holders<'b> {
    batch: &'b KeyBatch,
    persons: Vec<Option<Person>>,
    given: Vec<u32>,
    owners: Vec<Person>,
    /// How many keys the group had when the batch was looked up.
    pub(crate) group_keys: usize,
}

impl<'b> Holders<'b> {
    pub(crate) fn new(
        batch: &'b KeyBatch,
        persons: Vec<Option<Person>>,
        group_keys: usize,
    ) -> Holders<'b> {
        Holders {
            batch,
            persons,
            given: Vec::new(),
            owners: Vec::new(),
            group_keys,
        }
    }

    /// The holder of the key at an index.
    pub fn get(&self, at: usize) -> Option<Person> {
        self.persons[at]
    }

    /// The holders of all keys.
    pub fn persons(&self) -> &[Option<Person>] {
        &self.persons
    }

    /// Gives the key at an index to a person, at every index that repeats it; false, and nothing changed, if somebody holds it.
    pub fn give(&mut self, at: usize, person: Person) -> bool {
        if self.persons[at].is_some() {
            return false;
        }
        self.persons[at] = Some(person);
        if !self.batch.next.is_empty() {
            self.give_repeated(at, person);
        }
        self.given.push(at as u32);
        self.owners.push(person);
        true
    }

    fn give_repeated(&mut self, at: usize, person: Person) {
        // From wherever the chain is entered: what is before `at` is held if `at` is, so it is not met here.
        let mut next = self.batch.next[at];
        while next != LAST {
            self.persons[next as usize] = Some(person);
            next = self.batch.next[next as usize];
        }
    }

    /// The indices of the keys that were given, in the order in which they were.
    pub fn given(&self) -> &[u32] {
        &self.given
    }

    /// Whom they were given to.
    pub fn owners(&self) -> &[Person] {
        &self.owners
    }

    pub(crate) fn batch(&self) -> &'b KeyBatch {
        self.batch
    }
}

/// The most keys that fingerprints are kept of, and the most groups.
const RECENT_KEYS_MAX: usize = 1 << 19;
const RECENT_GROUPS_MAX: usize = 64;

/// Which keys the last groups added: enough to tell what a look-up made a moment ago has missed.
#[derive(Debug, Default, Clone)]
pub(crate) struct RecentKeys {
    /// Ascending, without gaps, none empty.
    groups: VecDeque<Arc<Recent>>,
    keys: usize,
    until: u64,
}

#[derive(Debug)]
struct Recent {
    /// The position of the group's first key.
    first: u64,
    prints: Fingerprints,
}

impl RecentKeys {
    /// Notes a group whose first key has a position.
    pub(crate) fn push(&mut self, first: u64, prints: Fingerprints) {
        if prints.len() == 0 {
            return;
        }
        if first != self.until {
            self.groups.clear();
            self.keys = 0;
        }
        self.until = first + prints.len() as u64;
        self.keys += prints.len();
        self.groups.push_back(Arc::new(Recent { first, prints }));
        while self.keys > RECENT_KEYS_MAX || self.groups.len() > RECENT_GROUPS_MAX {
            let Some(dropped) = self.groups.pop_front() else {
                break;
            };
            self.keys -= dropped.prints.len();
        }
    }

    /// The groups that added the keys of positions `from..until`; nothing where they are not all known.
    fn since(&self, from: u64, until: u64) -> Option<impl Iterator<Item = &Fingerprints>> {
        let oldest = self.groups.front().map(|group| group.first);
        let known =
            from == until || (until == self.until && oldest.is_some_and(|first| first <= from));
        let groups = self
            .groups
            .iter()
            .filter(move |group| from < until && group.first + group.prints.len() as u64 > from);
        known.then(|| groups.map(|group| &group.prints))
    }
}
