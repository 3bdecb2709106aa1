//! Kernels over strictly ascending arrays of 16-bit numbers.
//!
//! Free functions over slices; they know no container. Three ways, by the lengths: few numbers against many are looked up;
//! long arrays go through a bitmap on the stack, since walking both costs a dependent load a step; the rest is walked.
//! Invariant: inputs and outputs ascend strictly.

use super::words::{self, WORDS, Words};

/// From this ratio of lengths on, looking each number of the short array up is the fastest.
const SKEW: usize = 16;
/// From this length of both together on, clearing and filling a bitmap pays.
const LONG: usize = 512;

/// How many numbers both arrays hold.
pub(crate) fn and_len(a: &[u16], b: &[u16]) -> usize {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.len() * SKEW < long.len() {
        return short
            .iter()
            .filter(|low| long.binary_search(low).is_ok())
            .count();
    }
    if a.len() + b.len() >= LONG {
        // The shorter one is marked: to look up is quicker than to mark.
        return words::probe(&marks(short), long);
    }
    let (mut i, mut j, mut count) = (0, 0, 0);
    while i < short.len() && j < long.len() {
        let (x, y) = (short[i], long[j]);
        count += usize::from(x == y);
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    count
}

/// The numbers that both arrays hold.
pub(crate) fn and(a: &[u16], b: &[u16]) -> Vec<u16> {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.len() * SKEW < long.len() {
        return short
            .iter()
            .copied()
            .filter(|low| long.binary_search(low).is_ok())
            .collect();
    }
    if a.len() + b.len() >= LONG {
        let marks = marks(long);
        return keep(short, |low| words::has(&marks, low));
    }
    let mut walk = Walk::new(long);
    keep(short, |low| walk.has(low))
}

/// The numbers of `a` that `b` lacks.
pub(crate) fn and_not(a: &[u16], b: &[u16]) -> Vec<u16> {
    if a.len() * SKEW < b.len() {
        return a
            .iter()
            .copied()
            .filter(|low| b.binary_search(low).is_err())
            .collect();
    }
    if b.len() * SKEW < a.len() {
        return without_few(a, b);
    }
    if a.len() + b.len() >= LONG {
        let marks = marks(b);
        return keep(a, |low| !words::has(&marks, low));
    }
    let mut walk = Walk::new(b);
    keep(a, |low| !walk.has(low))
}

/// The numbers that either array holds.
pub(crate) fn or(a: &[u16], b: &[u16]) -> Vec<u16> {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let mut out = Vec::with_capacity(a.len() + b.len());
    if short.len() * SKEW < long.len() {
        let mut rest = long;
        for low in short {
            let (before, after) = rest.split_at(rest.partition_point(|other| other < low));
            out.extend_from_slice(before);
            out.push(*low);
            rest = after.strip_prefix(&[*low]).unwrap_or(after);
        }
        out.extend_from_slice(rest);
        return out;
    }
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let (x, y) = (a[i], b[j]);
        out.push(x.min(y));
        i += usize::from(x <= y);
        j += usize::from(y <= x);
    }
    out.extend_from_slice(&a[i..]);
    out.extend_from_slice(&b[j..]);
    out
}

/// The numbers of `a` without the few of `b`, in stretches.
fn without_few(a: &[u16], b: &[u16]) -> Vec<u16> {
    let mut out = Vec::with_capacity(a.len());
    let mut rest = a;
    for low in b {
        let (before, after) = rest.split_at(rest.partition_point(|other| other < low));
        out.extend_from_slice(before);
        rest = after.strip_prefix(&[*low]).unwrap_or(after);
    }
    out.extend_from_slice(rest);
    out
}

/// The numbers that `wanted` accepts. Without a branch a number, since which are wanted cannot be foreseen.
pub(crate) fn keep(array: &[u16], mut wanted: impl FnMut(u16) -> bool) -> Vec<u16> {
    let mut out = vec![0; array.len()];
    let mut len = 0;
    for &low in array {
        out[len] = low;
        len += usize::from(wanted(low));
    }
    out.truncate(len);
    out
}

/// A bitmap on the stack.
fn marks(array: &[u16]) -> Words {
    let mut marks = [0; WORDS];
    words::set(&mut marks, array);
    marks
}

/// Ascending look-ups in an array.
struct Walk<'a>(&'a [u16]);

impl<'a> Walk<'a> {
    fn new(array: &'a [u16]) -> Walk<'a> {
        Walk(array)
    }

    fn has(&mut self, low: u16) -> bool {
        while let [first, rest @ ..] = self.0
            && *first < low
        {
            self.0 = rest;
        }
        self.0.first() == Some(&low)
    }
}
