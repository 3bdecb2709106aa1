//! A growing array of keys and persons in pages, which never move.
//!
//! An array that grows by moving leaves holes behind that the allocator keeps: with ten million keys a third of the memory.
//! An entry is its key's 16 bytes and the person's four, little-endian, side by side since who finds the one wants the other:
//! as they are in memory, so they are in a file.
//!
//! Invariant: every page but the last that is in use is full.

use crate::Person;
use crate::key::Key;
use crate::machine::{PAGE_BYTES, Page, prefetch};
use crate::room::Room;

pub(crate) const ENTRY_BYTES: usize = 20;
/// Entries of a page.
pub(crate) const PAGE: usize = PAGE_BYTES / ENTRY_BYTES;
const _: () = assert!(PAGE * ENTRY_BYTES == PAGE_BYTES, "a page has no rest");

/// A key and its person.
#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub key: Key,
    pub person: Person,
}

impl Entry {
    #[inline(always)]
    fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Entry {
        let (key, person) = bytes.split_at(16);
        let mut entry = Entry {
            key: Key::from_bytes([0; 16]),
            person: 0,
        };
        if let (Some(key), Some(person)) = (key.first_chunk(), person.first_chunk()) {
            entry.key = Key::from_bytes(*key);
            entry.person = Person::from_le_bytes(*person);
        }
        entry
    }

    #[inline(always)]
    fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..16].copy_from_slice(self.key.as_bytes());
        bytes[16..].copy_from_slice(&self.person.to_le_bytes());
        bytes
    }
}

#[derive(Default)]
pub(crate) struct Entries {
    pages: Vec<Page>,
    len: usize,
}

impl Entries {
    /// The first `len` entries of pages, of which there are as many as that takes.
    pub(crate) fn of_pages(pages: Vec<Page>, len: usize) -> Entries {
        assert_eq!(pages.len(), len.div_ceil(PAGE), "the pages fit the entries");
        Entries { pages, len }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// # Panics
    ///
    /// When there are not as many entries.
    #[inline(always)]
    pub(crate) fn entry(&self, index: usize) -> Entry {
        Entry::from_bytes(&slots(&self.pages[index / PAGE])[index % PAGE])
    }

    #[inline(always)]
    pub(crate) fn get(&self, index: usize) -> Option<Entry> {
        let page = self.pages.get(index / PAGE)?;
        Some(Entry::from_bytes(&slots(page)[index % PAGE]))
    }

    /// Asks for an entry that will be read soon.
    #[inline(always)]
    pub(crate) fn prefetch(&self, index: usize) {
        if let Some(page) = self.pages.get(index / PAGE) {
            prefetch(&slots(page)[index % PAGE]);
        }
    }

    /// # Panics
    ///
    /// When there are not as many entries.
    pub(crate) fn set(&mut self, index: usize, entry: Entry) {
        slots_mut(&mut self.pages[index / PAGE])[index % PAGE] = entry.to_bytes();
    }

    pub(crate) fn push(&mut self, entry: Entry, room: &Room) {
        let page = self.len / PAGE;
        if page == self.pages.len() {
            self.pages.push(room.page(page));
        }
        self.len += 1;
        self.set(self.len - 1, entry);
    }

    /// Takes out the entry at `index` and puts the last one in its place. A page that this empties is kept for the next.
    pub(crate) fn swap_remove(&mut self, index: usize) {
        self.len -= 1;
        self.set(index, self.entry(self.len));
    }

    /// The bytes of a page, as far as they are in use; none beyond the last.
    pub(crate) fn page_bytes(&self, page: usize) -> Option<&[u8]> {
        let used = self.len.checked_sub(page * PAGE).filter(|used| *used > 0)?;
        Some(&self.pages[page][..used.min(PAGE) * ENTRY_BYTES])
    }

    /// Bytes that the entries take of memory, and of mapped files.
    pub(crate) fn bytes(&self) -> (usize, usize) {
        let heap = self.pages.iter().filter(|page| page.is_on_the_heap());
        let heap = heap.count() * PAGE_BYTES;
        let mapped = self.pages.len() * PAGE_BYTES - heap;
        (heap + self.pages.capacity() * size_of::<Page>(), mapped)
    }
}

#[inline(always)]
fn slots(page: &Page) -> &[[u8; ENTRY_BYTES]] {
    page.as_chunks().0
}

#[inline(always)]
fn slots_mut(page: &mut Page) -> &mut [[u8; ENTRY_BYTES]] {
    page.as_chunks_mut().0
}
