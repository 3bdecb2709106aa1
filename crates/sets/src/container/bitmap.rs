//! A bitmap of 65,536 bits that knows how many are set.
//!
//! It may hold any number of members; the container decides whether so few are worth a bitmap. Invariant: `len` is the
//! number of bits set.

use super::runs::{Run, Runs};
use super::words::{self, WORDS, Words, for_each_word};

/// From this many numbers on, counting all bits anew takes less than following each.
const MANY: usize = 256;

/// 65,536 bits and their count.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Bitmap {
    words: Box<Words>,
    len: u32,
}

impl std::fmt::Debug for Bitmap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bitmap")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl Bitmap {
    pub(crate) fn empty() -> Bitmap {
        Bitmap {
            words: Box::new([0; WORDS]),
            len: 0,
        }
    }

    pub(crate) fn from_lows(lows: impl Iterator<Item = u16>) -> Bitmap {
        let mut words = Box::new([0u64; WORDS]);
        for low in lows {
            words[usize::from(low >> 6)] |= 1 << (low & 63);
        }
        Bitmap::from_words(words)
    }

    pub(crate) fn from_runs(runs: &[Run]) -> Bitmap {
        let mut bitmap = Bitmap::empty();
        bitmap.insert_runs(runs);
        bitmap
    }

    /// The bitmap of these words, counted.
    pub(crate) fn from_words(words: Box<Words>) -> Bitmap {
        let len = words::count(&words);
        Bitmap { words, len }
    }

    pub(crate) fn words(&self) -> &Words {
        &self.words
    }

    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn contains(&self, low: u16) -> bool {
        words::has(&self.words, low)
    }

    pub(crate) fn insert_lows(&mut self, lows: &[u16]) {
        if lows.len() >= MANY {
            words::set(&mut self.words, lows);
            self.len = words::count(&self.words);
            return;
        }
        let mut added = 0;
        for &low in lows {
            let word = &mut self.words[usize::from(low >> 6)];
            added += (!*word >> (low & 63)) as u32 & 1;
            *word |= 1 << (low & 63);
        }
        self.len += added;
    }

    pub(crate) fn remove_lows(&mut self, lows: &[u16]) {
        if lows.len() >= MANY {
            words::clear(&mut self.words, lows);
            self.len = words::count(&self.words);
            return;
        }
        let mut removed = 0;
        for &low in lows {
            let word = &mut self.words[usize::from(low >> 6)];
            removed += (*word >> (low & 63)) as u32 & 1;
            *word &= !(1 << (low & 63));
        }
        self.len -= removed;
    }

    pub(crate) fn insert_runs(&mut self, runs: &[Run]) {
        words::set_runs(&mut self.words, runs);
        self.len = words::count(&self.words);
    }

    pub(crate) fn remove_runs(&mut self, runs: &[Run]) {
        for run in runs {
            for_each_word(*run, |index, mask| self.words[index] &= !mask);
        }
        self.len = words::count(&self.words);
    }

    pub(crate) fn or_assign(&mut self, other: &Bitmap) {
        self.len = words::or(&mut self.words, &other.words);
    }

    pub(crate) fn and_assign(&mut self, other: &Bitmap) {
        self.len = words::and(&mut self.words, &other.words);
    }

    pub(crate) fn and_not_assign(&mut self, other: &Bitmap) {
        self.len = words::and_not(&mut self.words, &other.words);
    }

    pub(crate) fn or_not_assign(&mut self, other: &Bitmap) {
        self.len = words::or_not(&mut self.words, &other.words);
    }

    /// Becomes what both have.
    pub(crate) fn and_of(&mut self, a: &Bitmap, b: &Bitmap) {
        self.len = words::and_to(&mut self.words, &a.words, &b.words);
    }

    pub(crate) fn copy_from(&mut self, other: &Bitmap) {
        self.words.copy_from_slice(&*other.words);
        self.len = other.len;
    }

    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
        self.len = 0;
    }

    /// How many of strictly ascending numbers it has.
    pub(crate) fn probe(&self, lows: &[u16]) -> usize {
        words::probe(&self.words, lows)
    }

    /// The numbers it has, ascending.
    pub(crate) fn to_lows(&self) -> Vec<u16> {
        let mut lows = Vec::new();
        words::extract(&self.words, self.len(), &mut lows);
        lows
    }

    pub(crate) fn and_len(&self, other: &Bitmap) -> usize {
        words::and_len(&self.words, &other.words) as usize
    }

    pub(crate) fn and_len_3(&self, second: &Bitmap, third: &Bitmap) -> usize {
        words::and_len_3(&self.words, &second.words, &third.words) as usize
    }

    pub(crate) fn and_len_runs(&self, runs: &[Run]) -> usize {
        words::and_len_runs(&self.words, runs)
    }

    pub(crate) fn last(&self) -> Option<u16> {
        let index = self.words.iter().rposition(|word| *word != 0)?;
        Some((index * 64 + 63 - self.words[index].leading_zeros() as usize) as u16)
    }

    pub(crate) fn count_runs(&self) -> usize {
        let mut carry = 0;
        let mut starts = 0;
        for word in self.words.iter() {
            starts += (word & !(word << 1 | carry)).count_ones();
            carry = word >> 63;
        }
        starts as usize
    }

    pub(crate) fn to_runs(&self) -> Runs {
        let mut list = Vec::with_capacity(self.count_runs());
        let mut next = self.find(0, true);
        while let Some(first) = next {
            let end = self.find(first, false);
            let last = end.map_or(u16::MAX, |end| (end - 1) as u16);
            list.push(Run {
                first: first as u16,
                last,
            });
            next = end.and_then(|end| self.find(end, true));
        }
        Runs::new(list)
    }

    /// The first bit from `from` on that is set, or that is clear.
    fn find(&self, from: usize, set: bool) -> Option<usize> {
        let flip = if set { 0 } else { u64::MAX };
        let mut index = from / 64;
        let mut word = (self.words.get(index)? ^ flip) & (u64::MAX << (from % 64));
        while word == 0 {
            index += 1;
            word = self.words.get(index)? ^ flip;
        }
        Some(index * 64 + word.trailing_zeros() as usize)
    }
}
