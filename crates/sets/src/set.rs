//! A set of persons: a sorted list of 65,536-wide chunks, each shared until somebody changes it.
//!
//! Not a stored form; the codec is in `set_codec`. Invariant: chunks ascend strictly, none is empty, and `len` is the sum of
//! their lengths. A clone shares everything, and a change copies the list and the chunks that it touches, nothing else.

use std::fmt;
use std::sync::Arc;

use crate::container::Container;
use crate::{Person, SetIter};

/// Persons whose numbers have the same upper 16 bits.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) high: u16,
    pub(crate) container: Arc<Container>,
}

impl Chunk {
    /// The smallest number that can be in the chunk.
    pub(crate) fn base(&self) -> u32 {
        u32::from(self.high) << 16
    }
}

/// A set of persons. Cloning is cheap, and clones share what neither changes.
#[derive(Clone, Default)]
pub struct Set {
    chunks: Arc<Vec<Chunk>>,
    len: u64,
}

impl Set {
    /// The empty set.
    pub fn new() -> Set {
        Set::default()
    }

    /// The set of ascending numbers; repeated ones count once.
    ///
    /// Numbers that turn out not to ascend are sorted first.
    pub fn from_sorted(persons: &[Person]) -> Set {
        if persons.is_sorted_by(|a, b| a < b) {
            return Set::from_ascending(persons);
        }
        Set::from_unsorted(persons.to_vec())
    }

    /// The set of numbers in any order; repeated ones count once.
    pub fn from_unsorted(mut persons: Vec<Person>) -> Set {
        if !persons.is_sorted_by(|a, b| a < b) {
            persons.sort_unstable();
            persons.dedup();
        }
        Set::from_ascending(&persons)
    }

    fn from_ascending(persons: &[Person]) -> Set {
        let groups = persons.chunk_by(|a, b| a >> 16 == b >> 16);
        Set::from_chunks(
            groups
                .map(|group| Chunk {
                    high: (group[0] >> 16) as u16,
                    container: Arc::new(Container::from_persons(group)),
                })
                .collect(),
        )
    }

    /// The set of these chunks, which ascend strictly and are not empty.
    pub(crate) fn from_chunks(chunks: Vec<Chunk>) -> Set {
        let len = chunks
            .iter()
            .map(|chunk| chunk.container.len() as u64)
            .sum();
        Set {
            chunks: Arc::new(chunks),
            len,
        }
    }

    pub(crate) fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// How many persons are in the set.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nobody is in the set.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the person is in the set.
    pub fn contains(&self, person: Person) -> bool {
        let high = (person >> 16) as u16;
        match self.chunks.binary_search_by_key(&high, |chunk| chunk.high) {
            Ok(index) => self.chunks[index].container.contains(person as u16),
            Err(_) => false,
        }
    }

    /// The largest number in the set.
    pub fn last(&self) -> Option<Person> {
        let chunk = self.chunks.last()?;
        Some(chunk.base() | u32::from(chunk.container.last()?))
    }

    /// The persons in ascending order.
    pub fn iter(&self) -> SetIter<'_> {
        SetIter::new(&self.chunks)
    }

    /// The persons from `first` on, itself included, in ascending order. Chunks below it are skipped, not walked.
    pub fn iter_from(&self, first: Person) -> SetIter<'_> {
        SetIter::starting(&self.chunks, first)
    }

    /// The persons in ascending order, without the first `skipped`. Whole chunks are skipped by their lengths.
    pub fn iter_at(&self, skipped: u64) -> SetIter<'_> {
        let mut left = skipped;
        let mut start = 0;
        while let Some(chunk) = self.chunks.get(start)
            && left >= chunk.container.len() as u64
        {
            left -= chunk.container.len() as u64;
            start += 1;
        }
        let mut iter = SetIter::new(&self.chunks[start..]);
        // Fewer than a chunk's; none behind the last, however many are left.
        let left = if start < self.chunks.len() { left } else { 0 };
        for _ in 0..left {
            iter.next();
        }
        iter
    }

    /// Whether both are the very same set in memory: equal for certain, where false says nothing.
    pub fn is_same(&self, other: &Set) -> bool {
        self.shares_all(other) || (self.is_empty() && other.is_empty())
    }

    /// The persons in ascending order, in a list.
    pub fn to_vec(&self) -> Vec<Person> {
        let mut persons = Vec::with_capacity(self.len as usize);
        persons.extend(self.iter());
        persons
    }

    /// Adds the members of `other`.
    pub fn insert_all(&mut self, other: &Set) {
        if other.is_empty() || self.shares_all(other) {
            return;
        }
        if self.is_empty() {
            self.clone_from(other);
            return;
        }
        let chunks = Arc::make_mut(&mut self.chunks);
        let mut missing = Vec::new();
        let mut at = 0;
        for theirs in other.chunks() {
            at += chunks[at..].partition_point(|chunk| chunk.high < theirs.high);
            match chunks.get_mut(at).filter(|chunk| chunk.high == theirs.high) {
                None => missing.push(theirs.clone()),
                Some(ours) if Arc::ptr_eq(&ours.container, &theirs.container) => {}
                Some(ours) => {
                    let before = ours.container.len();
                    Container::insert_all(&mut ours.container, &theirs.container);
                    self.len += (ours.container.len() - before) as u64;
                }
            }
        }
        if !missing.is_empty() {
            self.len += missing
                .iter()
                .map(|chunk| chunk.container.len() as u64)
                .sum::<u64>();
            // Two ascending stretches: the sort recognises them and merges.
            chunks.extend(missing);
            chunks.sort_by_key(|chunk| chunk.high);
        }
    }

    /// Removes the members of `other`.
    pub fn remove_all(&mut self, other: &Set) {
        if other.is_empty() || self.is_empty() {
            return;
        }
        if self.shares_all(other) {
            *self = Set::new();
            return;
        }
        let chunks = Arc::make_mut(&mut self.chunks);
        let mut emptied = false;
        let mut at = 0;
        for theirs in other.chunks() {
            at += chunks[at..].partition_point(|chunk| chunk.high < theirs.high);
            let Some(ours) = chunks.get_mut(at).filter(|chunk| chunk.high == theirs.high) else {
                continue;
            };
            let before = ours.container.len();
            if Arc::ptr_eq(&ours.container, &theirs.container) {
                ours.container = Arc::new(Container::Array(Vec::new()));
            } else {
                Container::remove_all(&mut ours.container, &theirs.container);
            }
            self.len -= (before - ours.container.len()) as u64;
            emptied |= ours.container.is_empty();
        }
        if emptied {
            chunks.retain(|chunk| !chunk.container.is_empty());
        }
    }

    /// The members of both sets.
    pub fn and(&self, other: &Set) -> Set {
        if self.shares_all(other) {
            return self.clone();
        }
        let mut chunks = Vec::new();
        for (a, b) in common(self.chunks(), other.chunks()) {
            if Arc::ptr_eq(&a.container, &b.container) {
                chunks.push(a.clone());
                continue;
            }
            push(&mut chunks, a.high, a.container.and(&b.container), [a, b]);
        }
        Set::from_chunks(chunks)
    }

    /// The members of either set.
    pub fn or(&self, other: &Set) -> Set {
        let (large, small) = if self.chunks.len() >= other.chunks.len() {
            (self, other)
        } else {
            (other, self)
        };
        let mut union = large.clone();
        union.insert_all(small);
        union
    }

    /// The members of this set that `other` lacks.
    pub fn and_not(&self, other: &Set) -> Set {
        if self.shares_all(other) {
            return Set::new();
        }
        let mut chunks = Vec::with_capacity(self.chunks.len());
        let mut rest = other.chunks();
        for a in self.chunks() {
            rest = &rest[rest.partition_point(|chunk| chunk.high < a.high)..];
            match rest.first().filter(|chunk| chunk.high == a.high) {
                None => chunks.push(a.clone()),
                Some(b) if Arc::ptr_eq(&a.container, &b.container) => {}
                Some(b) => push(
                    &mut chunks,
                    a.high,
                    a.container.and_not(&b.container),
                    [a, a],
                ),
            }
        }
        Set::from_chunks(chunks)
    }

    /// How many members both sets have.
    pub fn and_len(&self, other: &Set) -> u64 {
        if self.shares_all(other) {
            return self.len;
        }
        common(self.chunks(), other.chunks())
            .map(|(a, b)| match Arc::ptr_eq(&a.container, &b.container) {
                true => a.container.len() as u64,
                false => a.container.and_len(&b.container) as u64,
            })
            .sum()
    }

    /// How many members all three sets have, counted without building any of the intersections whole.
    pub fn and_len3(&self, second: &Set, third: &Set) -> u64 {
        let mut rest = third.chunks();
        let mut total = 0;
        for (a, b) in common(self.chunks(), second.chunks()) {
            rest = &rest[rest.partition_point(|chunk| chunk.high < a.high)..];
            let Some(c) = rest.first().filter(|chunk| chunk.high == a.high) else {
                continue;
            };
            total += and_len3(&a.container, &b.container, &c.container) as u64;
        }
        total
    }

    /// Whether every member is a member of `other` too.
    pub fn is_subset(&self, other: &Set) -> bool {
        self.len <= other.len && self.and_len(other) == self.len
    }

    /// Bytes that the set takes, as if it shared nothing with others.
    pub fn memory_bytes(&self) -> usize {
        let counts = 2 * size_of::<usize>();
        let lists = size_of::<Vec<Chunk>>() + counts + self.chunks.capacity() * size_of::<Chunk>();
        let containers = self
            .chunks
            .iter()
            .map(|chunk| counts + size_of::<Container>() + chunk.container.heap_bytes());
        size_of::<Set>() + lists + containers.sum::<usize>()
    }

    /// Whether another clone of it is about.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.chunks) > 1
    }

    fn shares_all(&self, other: &Set) -> bool {
        Arc::ptr_eq(&self.chunks, &other.chunks)
    }
}

/// Appends what an operation left of a chunk; where that is all of one of its operands, the operand is shared instead.
fn push(chunks: &mut Vec<Chunk>, high: u16, result: Container, operands: [&Chunk; 2]) {
    let len = result.len();
    if len == 0 {
        return;
    }
    match operands
        .into_iter()
        .find(|operand| operand.container.len() == len)
    {
        Some(operand) => chunks.push(operand.clone()),
        None => chunks.push(Chunk {
            high,
            container: Arc::new(result),
        }),
    }
}

/// Pairs of chunks with the same upper halves.
fn common<'a>(
    mut a: &'a [Chunk],
    mut b: &'a [Chunk],
) -> impl Iterator<Item = (&'a Chunk, &'a Chunk)> {
    std::iter::from_fn(move || {
        loop {
            let (x, y) = (a.first()?, b.first()?);
            if x.high == y.high {
                (a, b) = (&a[1..], &b[1..]);
                return Some((x, y));
            }
            if x.high < y.high {
                a = &a[1..];
            } else {
                b = &b[1..];
            }
        }
    })
}

fn and_len3(a: &Arc<Container>, b: &Arc<Container>, c: &Arc<Container>) -> usize {
    if Arc::ptr_eq(a, b) || Arc::ptr_eq(b, c) {
        return a.and_len(c);
    }
    if Arc::ptr_eq(a, c) {
        return a.and_len(b);
    }
    Container::and_len3(a, b, c)
}

impl PartialEq for Set {
    fn eq(&self, other: &Set) -> bool {
        let same = |(a, b): (&Chunk, &Chunk)| {
            a.high == b.high
                && (Arc::ptr_eq(&a.container, &b.container)
                    || a.container.same_members(&b.container))
        };
        self.shares_all(other)
            || (self.len == other.len
                && self.chunks.len() == other.chunks.len()
                && self.chunks.iter().zip(other.chunks.iter()).all(same))
    }
}

impl Eq for Set {}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Set(len {})", self.len)
    }
}

impl FromIterator<Person> for Set {
    fn from_iter<I: IntoIterator<Item = Person>>(persons: I) -> Set {
        Set::from_unsorted(persons.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Set {
    type Item = Person;
    type IntoIter = SetIter<'a>;

    fn into_iter(self) -> SetIter<'a> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many chunks both sets share.
    fn shared(a: &Set, b: &Set) -> usize {
        common(a.chunks(), b.chunks())
            .filter(|(a, b)| Arc::ptr_eq(&a.container, &b.container))
            .count()
    }

    #[test]
    fn a_change_copies_only_the_chunks_it_touches() {
        let before: Set = (0..20u32 << 16).filter(|person| person % 3 == 0).collect();
        let more = Set::from_sorted(&[(5 << 16) + 2, 40 << 16]);
        let mut after = before.clone();
        after.insert_all(&more);
        assert_eq!((after.chunks().len(), shared(&before, &after)), (21, 19));
        assert_eq!(shared(&more, &after), 1);
        after.remove_all(&more);
        assert_eq!((after.chunks().len(), shared(&before, &after)), (20, 19));
        assert_eq!(after, before);
    }

    #[test]
    fn what_changes_nothing_copies_no_chunk() {
        let before: Set = (0..20u32 << 16).filter(|person| person % 3 == 0).collect();
        let members = Set::from_sorted(&[0, 3, 9 << 16]);
        let mut after = before.clone();
        after.insert_all(&members);
        after.remove_all(&Set::from_sorted(&[1, (9 << 16) + 1]));
        assert_eq!(shared(&before, &after), 20);
        assert_eq!(shared(&before, &before.or(&members)), 20);
        assert_eq!(
            shared(&members, &before.and(&members)),
            members.chunks().len()
        );
        assert_eq!(
            shared(&before, &before.and_not(&Set::from_sorted(&[1]))),
            20
        );
    }
}
