//! Runs of consecutive numbers, and the algebra of intervals over them.
//!
//! Any number of runs is allowed; the container decides whether so many are worth it. Invariant: runs ascend, and between
//! two of them at least one number is missing.

/// The numbers from `first` to `last`, both included.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: u16,
    pub(crate) last: u16,
}

impl Run {
    pub(crate) fn len(self) -> usize {
        usize::from(self.last - self.first) + 1
    }
}

/// A list of runs and the count of its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Runs {
    list: Vec<Run>,
    len: u32,
}

impl Runs {
    pub(crate) fn new(list: Vec<Run>) -> Runs {
        let len = list.iter().map(|run| run.len() as u32).sum();
        Runs { list, len }
    }

    /// The runs of strictly ascending numbers; `expected` is how many runs to make room for.
    pub(crate) fn from_lows(lows: impl Iterator<Item = u16>, expected: usize) -> Runs {
        let mut list: Vec<Run> = Vec::with_capacity(expected);
        for low in lows {
            match list.last_mut() {
                Some(run) if u32::from(run.last) + 1 == u32::from(low) => run.last = low,
                _ => list.push(Run {
                    first: low,
                    last: low,
                }),
            }
        }
        Runs::new(list)
    }

    pub(crate) fn list(&self) -> &[Run] {
        &self.list
    }

    pub(crate) fn len(&self) -> usize {
        self.len as usize
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.list.capacity() * size_of::<Run>()
    }

    pub(crate) fn contains(&self, low: u16) -> bool {
        let index = self.list.partition_point(|run| run.last < low);
        self.list.get(index).is_some_and(|run| run.first <= low)
    }
}

/// The numbers in either list.
pub(crate) fn or(a: &[Run], b: &[Run]) -> Runs {
    let mut list: Vec<Run> = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        let from_a = j == b.len() || (i < a.len() && a[i].first <= b[j].first);
        let run = if from_a { a[i] } else { b[j] };
        i += usize::from(from_a);
        j += usize::from(!from_a);
        match list.last_mut() {
            Some(end) if u32::from(run.first) <= u32::from(end.last) + 1 => {
                end.last = end.last.max(run.last)
            }
            _ => list.push(run),
        }
    }
    list.shrink_to_fit();
    Runs::new(list)
}

/// Calls `visit` with each stretch of numbers that both lists hold.
fn for_each_and(a: &[Run], b: &[Run], mut visit: impl FnMut(Run)) {
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        let first = a[i].first.max(b[j].first);
        let last = a[i].last.min(b[j].last);
        if first <= last {
            visit(Run { first, last });
        }
        if a[i].last <= b[j].last {
            i += 1;
        } else {
            j += 1;
        }
    }
}

/// The numbers in both lists.
pub(crate) fn and(a: &[Run], b: &[Run]) -> Runs {
    let mut list = Vec::new();
    for_each_and(a, b, |run| list.push(run));
    list.shrink_to_fit();
    Runs::new(list)
}

/// How many numbers both lists hold.
pub(crate) fn and_len(a: &[Run], b: &[Run]) -> usize {
    let mut count = 0;
    for_each_and(a, b, |run| count += run.len());
    count
}

/// The numbers in `a` and not in `b`.
pub(crate) fn and_not(a: &[Run], b: &[Run]) -> Runs {
    let mut list = Vec::new();
    let mut j = 0;
    for run in a {
        let (mut first, last) = (u32::from(run.first), u32::from(run.last));
        while j < b.len() && u32::from(b[j].last) < first {
            j += 1;
        }
        let mut k = j;
        while k < b.len() && u32::from(b[k].first) <= last {
            if u32::from(b[k].first) > first {
                list.push(Run {
                    first: first as u16,
                    last: b[k].first - 1,
                });
            }
            first = u32::from(b[k].last) + 1;
            k += 1;
        }
        if first <= last {
            list.push(Run {
                first: first as u16,
                last: last as u16,
            });
        }
        // The last run of `b` may reach into the next run of `a`.
        j = k.saturating_sub(1).max(j);
    }
    list.shrink_to_fit();
    Runs::new(list)
}

/// The numbers of an ascending array that lie in the runs (`keep`) or outside them (not `keep`).
pub(crate) fn filter_array(array: &[u16], runs: &[Run], keep: bool) -> Vec<u16> {
    let mut j = 0;
    let inside = |low: u16| {
        while j < runs.len() && runs[j].last < low {
            j += 1;
        }
        j < runs.len() && runs[j].first <= low
    };
    let mut inside = inside;
    array
        .iter()
        .copied()
        .filter(|low| inside(*low) == keep)
        .collect()
}

/// How many numbers of an ascending array lie in the runs.
pub(crate) fn count_array(array: &[u16], runs: &[Run]) -> usize {
    let mut from = 0;
    let mut count = 0;
    for run in runs {
        let start = from + array[from..].partition_point(|low| *low < run.first);
        let end = start + array[start..].partition_point(|low| *low <= run.last);
        count += end - start;
        from = end;
    }
    count
}
