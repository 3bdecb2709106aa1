//! A growing array of keys and persons in pages, which never move.
//!
//! An array that grows by moving leaves holes behind that the allocator keeps: with ten million keys a third of the memory.
//!
//! Invariant: every page but the last is full.

use std::ops::{Index, IndexMut};

use crate::Person;
use crate::key::Key;

/// Entries of a page: 10 KiB.
const PAGE: usize = 512;

/// A key and its person, side by side, since who finds the one wants the other.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub key: Key,
    pub person: Person,
}

#[derive(Default)]
pub(crate) struct Entries {
    pages: Vec<Vec<Entry>>,
    len: usize,
}

impl Entries {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Entry> {
        self.pages.get(index / PAGE)?.get(index % PAGE)
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        match self.pages.last_mut().filter(|page| page.len() < PAGE) {
            Some(page) => page.push(entry),
            None => {
                let mut page = Vec::with_capacity(PAGE);
                page.push(entry);
                self.pages.push(page);
            }
        }
        self.len += 1;
    }

    /// Takes out the entry at `index` and puts the last one in its place.
    pub(crate) fn swap_remove(&mut self, index: usize) {
        let last = self.pages.last_mut().and_then(Vec::pop);
        if self.pages.last().is_some_and(Vec::is_empty) {
            self.pages.pop();
        }
        self.len -= 1;
        if let Some(last) = last.filter(|_| index < self.len) {
            self[index] = last;
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.pages.capacity() * size_of::<Vec<Entry>>()
            + self.pages.len() * PAGE * size_of::<Entry>()
    }
}

impl Index<usize> for Entries {
    type Output = Entry;

    fn index(&self, index: usize) -> &Entry {
        &self.pages[index / PAGE][index % PAGE]
    }
}

impl IndexMut<usize> for Entries {
    fn index_mut(&mut self, index: usize) -> &mut Entry {
        &mut self.pages[index / PAGE][index % PAGE]
    }
}
