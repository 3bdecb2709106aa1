//! Kernels over the 1,024 words of a chunk's bits, compiled for each [level](crate::machine::Level).
//!
//! Free functions over arrays; they know no container. Invariant: what changes words answers how many bits are set afterwards.

use super::runs::Run;
use crate::machine::{self, Kernel};

/// The 64-bit words of a chunk.
pub(crate) const WORDS: usize = 1024;

/// A bit for each number of a chunk.
pub(crate) type Words = [u64; WORDS];

/// From this many numbers on they lie close enough for [`machine::probe_dense`].
const DENSE: usize = 2_048;

/// How many bits are set.
pub(crate) fn count(words: &Words) -> u32 {
    machine::run(Count(words, words, |a: u64, _| a))
}

/// How many bits both have.
pub(crate) fn and_len(a: &Words, b: &Words) -> u32 {
    machine::run(Count(a, b, |a: u64, b: u64| a & b))
}

/// How many bits each of four shares with `one`, which is read once for them.
pub(crate) fn and_len_4(one: &Words, four: [&Words; 4]) -> [u32; 4] {
    machine::run(Count4(one, four))
}

/// How many bits all three have.
pub(crate) fn and_len_3(a: &Words, b: &Words, c: &Words) -> u32 {
    machine::run(Count3(a, b, c))
}

/// Writes what both have.
pub(crate) fn and_to(to: &mut Words, a: &Words, b: &Words) -> u32 {
    machine::run(Write(to, a, b, |a: u64, b: u64| a & b))
}

/// Keeps what `other` has too.
pub(crate) fn and(words: &mut Words, other: &Words) -> u32 {
    machine::run(Change(words, other, |a: u64, b: u64| a & b))
}

/// Drops what `other` has.
pub(crate) fn and_not(words: &mut Words, other: &Words) -> u32 {
    machine::run(Change(words, other, |a: u64, b: u64| a & !b))
}

/// Adds what `other` has.
pub(crate) fn or(words: &mut Words, other: &Words) -> u32 {
    machine::run(Change(words, other, |a: u64, b: u64| a | b))
}

/// Adds what `other` lacks.
pub(crate) fn or_not(words: &mut Words, other: &Words) -> u32 {
    machine::run(Change(words, other, |a: u64, b: u64| a | !b))
}

/// How many of strictly ascending numbers have their bits set.
pub(crate) fn probe(words: &Words, lows: &[u16]) -> usize {
    if lows.len() >= DENSE
        && let Some(count) = machine::probe_dense(words, lows)
    {
        return count;
    }
    machine::run(Probe(words, lows))
}

/// Sets the bits of numbers.
pub(crate) fn set(words: &mut Words, lows: &[u16]) {
    machine::run(Mark(words, lows, |word: u64, bit: u64| word | bit));
}

/// Sets the bits of runs.
pub(crate) fn set_runs(words: &mut Words, runs: &[Run]) {
    for run in runs {
        for_each_word(*run, |index, mask| words[index] |= mask);
    }
}

/// How many bits lie in the runs.
pub(crate) fn and_len_runs(words: &Words, runs: &[Run]) -> usize {
    machine::run(CountRuns(words, runs))
}

/// Clears the bits of numbers.
pub(crate) fn clear(words: &mut Words, lows: &[u16]) {
    machine::run(Mark(words, lows, |word: u64, bit: u64| word & !bit));
}

/// Whether the number's bit is set.
#[inline(always)]
pub(crate) fn has(words: &Words, low: u16) -> bool {
    words[usize::from(low >> 6)] >> (low & 63) & 1 == 1
}

/// Appends the numbers whose bits are set, ascending; `len` is how many they are.
pub(crate) fn extract(words: &Words, len: usize, lows: &mut Vec<u16>) {
    lows.reserve(len);
    machine::run(Extract(words, lows));
}

/// Calls `visit` with each word that the run reaches into and the run's bits there.
#[inline]
pub(crate) fn for_each_word(run: Run, mut visit: impl FnMut(usize, u64)) {
    let (first, last) = (usize::from(run.first), usize::from(run.last));
    let head = u64::MAX << (first % 64);
    let tail = u64::MAX >> (63 - last % 64);
    if first / 64 == last / 64 {
        return visit(first / 64, head & tail);
    }
    visit(first / 64, head);
    for index in first / 64 + 1..last / 64 {
        visit(index, u64::MAX);
    }
    visit(last / 64, tail);
}

struct Count<'a, F>(&'a Words, &'a Words, F);

impl<F: Fn(u64, u64) -> u64> Kernel for Count<'_, F> {
    type Output = u32;

    #[inline(always)]
    fn run(self) -> u32 {
        let Count(a, b, combine) = self;
        let mut total = 0;
        for at in 0..WORDS {
            total += u64::from(combine(a[at], b[at]).count_ones());
        }
        total as u32
    }
}

struct Count3<'a>(&'a Words, &'a Words, &'a Words);

impl Kernel for Count3<'_> {
    type Output = u32;

    #[inline(always)]
    fn run(self) -> u32 {
        let Count3(a, b, c) = self;
        let mut total = 0;
        for at in 0..WORDS {
            total += u64::from((a[at] & b[at] & c[at]).count_ones());
        }
        total as u32
    }
}

struct Count4<'a>(&'a Words, [&'a Words; 4]);

impl Kernel for Count4<'_> {
    type Output = [u32; 4];

    #[inline(always)]
    fn run(self) -> [u32; 4] {
        let Count4(one, [a, b, c, d]) = self;
        let (mut w, mut x, mut y, mut z) = (0, 0, 0, 0);
        for at in 0..WORDS {
            let word = one[at];
            w += u64::from((word & a[at]).count_ones());
            x += u64::from((word & b[at]).count_ones());
            y += u64::from((word & c[at]).count_ones());
            z += u64::from((word & d[at]).count_ones());
        }
        [w as u32, x as u32, y as u32, z as u32]
    }
}

struct Write<'a, F>(&'a mut Words, &'a Words, &'a Words, F);

impl<F: Fn(u64, u64) -> u64> Kernel for Write<'_, F> {
    type Output = u32;

    #[inline(always)]
    fn run(self) -> u32 {
        let Write(to, a, b, combine) = self;
        let mut total = 0;
        for at in 0..WORDS {
            let word = combine(a[at], b[at]);
            to[at] = word;
            total += u64::from(word.count_ones());
        }
        total as u32
    }
}

struct Change<'a, F>(&'a mut Words, &'a Words, F);

impl<F: Fn(u64, u64) -> u64> Kernel for Change<'_, F> {
    type Output = u32;

    #[inline(always)]
    fn run(self) -> u32 {
        let Change(words, other, combine) = self;
        let mut total = 0;
        for at in 0..WORDS {
            let word = combine(words[at], other[at]);
            words[at] = word;
            total += u64::from(word.count_ones());
        }
        total as u32
    }
}

struct Probe<'a>(&'a Words, &'a [u16]);

impl Kernel for Probe<'_> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let Probe(words, lows) = self;
        let (fours, rest) = lows.as_chunks::<4>();
        let mut count = 0;
        for four in fours {
            let [a, b, c, d] = four.map(|low| words[usize::from(low >> 6)] >> (low & 63) & 1);
            count += a + b + c + d;
            // Never. It keeps the compiler from gathering words into vectors, which takes a fifth longer.
            if count > 1 << 16 {
                break;
            }
        }
        let rest: usize = rest.iter().map(|low| usize::from(has(words, *low))).sum();
        count as usize + rest
    }
}

struct CountRuns<'a>(&'a Words, &'a [Run]);

impl Kernel for CountRuns<'_> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let CountRuns(words, runs) = self;
        let mut total = 0;
        for run in runs {
            let (first, last) = (usize::from(run.first), usize::from(run.last));
            let head = u64::MAX << (first % 64);
            let tail = u64::MAX >> (63 - last % 64);
            if first / 64 == last / 64 {
                total += (words[first / 64] & head & tail).count_ones();
                continue;
            }
            total += (words[first / 64] & head).count_ones();
            let inner = &words[first / 64 + 1..last / 64];
            total += inner.iter().map(|word| word.count_ones()).sum::<u32>();
            total += (words[last / 64] & tail).count_ones();
        }
        total as usize
    }
}

struct Mark<'a, F>(&'a mut Words, &'a [u16], F);

impl<F: Fn(u64, u64) -> u64> Kernel for Mark<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Mark(words, lows, change) = self;
        let mut mark = |low: u16| {
            let word = &mut words[usize::from(low >> 6)];
            *word = change(*word, 1 << (low & 63));
        };
        // Neighbours share words, and a word that was just written is slow to change: four places at a time are apart.
        let quarter = lows.len() / 4;
        let (first, second) = lows.split_at(2 * quarter);
        let (a, b) = first.split_at(quarter);
        let (c, rest) = second.split_at(quarter);
        let (d, rest) = rest.split_at(quarter);
        for ((a, b), (c, d)) in a.iter().zip(b).zip(c.iter().zip(d)) {
            mark(*a);
            mark(*b);
            mark(*c);
            mark(*d);
        }
        rest.iter().for_each(|low| mark(*low));
    }
}

struct Extract<'a>(&'a Words, &'a mut Vec<u16>);

impl Kernel for Extract<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Extract(words, lows) = self;
        for (index, word) in words.iter().enumerate() {
            let mut word = *word;
            while word != 0 {
                lows.push((index * 64) as u16 | word.trailing_zeros() as u16);
                word &= word - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::machine::{Level, run_at};

    /// Words of all densities, stretches of equal ones among them.
    fn some_words() -> impl Strategy<Value = Box<Words>> {
        let word = prop_oneof![
            Just(0),
            Just(u64::MAX),
            any::<u64>(),
            (0..64u32).prop_map(|bit| 1 << bit),
            (any::<u64>(), any::<u64>()).prop_map(|(a, b)| a & b),
        ];
        let stretches = prop::collection::vec((word, 1..80usize), 1..60);
        stretches.prop_map(|stretches| {
            let all = stretches
                .iter()
                .flat_map(|(word, times)| std::iter::repeat_n(*word, *times));
            let mut words = Box::new([0; WORDS]);
            for (place, word) in words.iter_mut().zip(all.cycle()) {
                *place = word;
            }
            words
        })
    }

    fn lows(words: &Words) -> Vec<u16> {
        let set = (0..=u16::MAX).filter(|low| has(words, *low));
        set.collect()
    }

    fn ones(words: impl Iterator<Item = u64>) -> u32 {
        words.map(u64::count_ones).sum()
    }

    /// Answers with the words too, so that what a kernel writes is compared.
    fn changed(
        level: Level,
        words: &Words,
        other: &Words,
        change: fn(u64, u64) -> u64,
    ) -> (u32, Vec<u64>) {
        let mut words = Box::new(*words);
        let mut written = Box::new([0; WORDS]);
        let len = run_at(level, Write(&mut written, &words, other, change));
        assert_eq!(run_at(level, Change(&mut words, other, change)), len);
        assert_eq!(written, words);
        (len, words.to_vec())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_level_answers_the_same(a in some_words(), b in some_words(), c in some_words()) {
            let both = || a.iter().zip(b.iter()).map(|(a, b)| a & b);
            let (in_a, in_b) = (lows(&a), lows(&b));
            for level in Level::all() {
                let and = |a: u64, b: u64| a & b;
                prop_assert_eq!(run_at(level, Count(&a, &b, and)), ones(both()));
                let all = both().zip(c.iter()).map(|(ab, c)| ab & c);
                prop_assert_eq!(run_at(level, Count3(&a, &b, &c)), ones(all));
                let expected = [&a, &b, &c, &a].map(|other| run_at(level, Count(&a, other, and)));
                prop_assert_eq!(run_at(level, Count4(&a, [&a, &b, &c, &a])), expected);
                let changes: [fn(u64, u64) -> u64; 4] =
                    [|a, b| a & b, |a, b| a & !b, |a, b| a | b, |a, b| a | !b];
                for change in changes {
                    let words: Vec<u64> = a.iter().zip(b.iter()).map(|(a, b)| change(*a, *b)).collect();
                    let expected = (ones(words.iter().copied()), words);
                    prop_assert_eq!(changed(level, &a, &b, change), expected);
                }
                prop_assert_eq!(run_at(level, Probe(&a, &in_b)), ones(both()) as usize);
                let mut found = Vec::new();
                run_at(level, Extract(&a, &mut found));
                prop_assert_eq!(&found, &in_a);
                let mut marked = [0; WORDS];
                run_at(level, Mark(&mut marked, &in_a, |word: u64, bit: u64| word | bit));
                prop_assert!(marked == *a);
                run_at(level, Mark(&mut marked, &in_b, |word: u64, bit: u64| word & !bit));
                prop_assert_eq!(lows(&marked).len(), in_a.len() - ones(both()) as usize);
            }
            // Whatever their lengths, and from any place on.
            for from in [0, 1, in_b.len() / 3] {
                let part = &in_b[from.min(in_b.len())..];
                let expected = part.iter().filter(|low| has(&a, **low)).count();
                prop_assert_eq!(probe(&a, part), expected);
                prop_assert!(machine::probe_dense(&a, part).is_none_or(|count| count == expected));
            }
        }
    }
}
