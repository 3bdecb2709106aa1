//! Kernels over strictly ascending arrays of 16-bit numbers.
//!
//! Free functions over slices; they know no container. Invariant: inputs and outputs ascend strictly.

/// From this ratio of lengths on, looking each number of the short array up beats walking both.
const SKEW: usize = 32;

/// How many numbers both arrays hold.
pub(super) fn and_len(a: &[u16], b: &[u16]) -> usize {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if short.len() * SKEW < long.len() {
        return short
            .iter()
            .filter(|low| long.binary_search(low).is_ok())
            .count();
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

/// The numbers of `a` that `b` holds (`keep`) or that it lacks (not `keep`).
pub(super) fn filter(a: &[u16], b: &[u16], keep: bool) -> Vec<u16> {
    if a.len() * SKEW < b.len() {
        return a
            .iter()
            .copied()
            .filter(|low| b.binary_search(low).is_ok() == keep)
            .collect();
    }
    let mut out = Vec::with_capacity(if keep { a.len().min(b.len()) } else { a.len() });
    let mut j = 0;
    for &x in a {
        while j < b.len() && b[j] < x {
            j += 1;
        }
        if (j < b.len() && b[j] == x) == keep {
            out.push(x);
        }
    }
    out
}

/// The numbers that either array holds.
pub(super) fn or(a: &[u16], b: &[u16]) -> Vec<u16> {
    let mut out = Vec::with_capacity(a.len() + b.len());
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
