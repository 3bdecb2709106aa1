//! The algebra of containers: which kernel serves which pair of shapes.
//!
//! The kernels themselves are in `arrays`, `bitmap` and `runs`. Invariant: results obey the limits of their shape; they are
//! not always in the smallest one, which only building and serialising look for.

use std::sync::Arc;

use super::{ARRAY_MAX, Bitmap, Container, Run, Runs, Shape, arrays, runs};

impl Container {
    /// The members of both.
    pub(crate) fn and(&self, other: &Container) -> Container {
        match (self, other) {
            (Container::Array(a), b) => and_array(a, b),
            (a, Container::Array(b)) => and_array(b, a),
            (Container::Runs(a), Container::Runs(b)) => from_runs(runs::and(a.list(), b.list())),
            (Container::Bitmap(a), Container::Bitmap(b)) => {
                let mut bitmap = a.clone();
                bitmap.and_assign(b);
                from_bitmap(bitmap)
            }
            (Container::Bitmap(a), Container::Runs(b))
            | (Container::Runs(b), Container::Bitmap(a)) => {
                let mut bitmap = a.clone();
                bitmap.remove_runs(runs::and_not(&[FULL], b.list()).list());
                from_bitmap(bitmap)
            }
        }
    }

    /// The members of either.
    pub(crate) fn or(&self, other: &Container) -> Container {
        match (self, other) {
            (Container::Array(a), Container::Array(b)) => or_arrays(a, b),
            (Container::Bitmap(a), b) | (b, Container::Bitmap(a)) => {
                let mut bitmap = a.clone();
                insert_into(&mut bitmap, b);
                from_bitmap(bitmap)
            }
            (a, b) => from_runs(runs::or(as_runs(a).list(), as_runs(b).list())),
        }
    }

    /// The members of `self` that `other` lacks.
    pub(crate) fn and_not(&self, other: &Container) -> Container {
        match (self, other) {
            (Container::Array(a), b) => array_and_not(a, b),
            (Container::Runs(a), Container::Bitmap(b)) => {
                let mut bitmap = Bitmap::from_runs(a.list());
                bitmap.and_not_assign(b);
                from_bitmap(bitmap)
            }
            (Container::Runs(a), b) => from_runs(runs::and_not(a.list(), as_runs(b).list())),
            (Container::Bitmap(a), b) => {
                let mut bitmap = a.clone();
                remove_from(&mut bitmap, b);
                from_bitmap(bitmap)
            }
        }
    }

    /// How many members both have.
    pub(crate) fn and_len(&self, other: &Container) -> usize {
        match (self, other) {
            (Container::Array(a), Container::Array(b)) => arrays::and_len(a, b),
            (Container::Array(a), Container::Bitmap(b))
            | (Container::Bitmap(b), Container::Array(a)) => b.probe(a),
            (Container::Array(a), Container::Runs(b))
            | (Container::Runs(b), Container::Array(a)) => runs::count_array(a, b.list()),
            (Container::Bitmap(a), Container::Bitmap(b)) => a.and_len(b),
            (Container::Bitmap(a), Container::Runs(b))
            | (Container::Runs(b), Container::Bitmap(a)) => a.and_len_runs(b.list()),
            (Container::Runs(a), Container::Runs(b)) => runs::and_len(a.list(), b.list()),
        }
    }

    /// How many members all three have.
    pub(crate) fn and_len3(a: &Container, b: &Container, c: &Container) -> usize {
        match (a, b, c) {
            (Container::Array(list), x, y)
            | (x, Container::Array(list), y)
            | (x, y, Container::Array(list)) => match (x, y) {
                (Container::Bitmap(x), Container::Bitmap(y)) => list
                    .iter()
                    .filter(|low| x.contains(**low) && y.contains(**low))
                    .count(),
                _ => and_array(list, x).and_len(y),
            },
            (Container::Bitmap(a), Container::Bitmap(b), Container::Bitmap(c)) => a.and_len_3(b, c),
            _ => a.and(b).and_len(c),
        }
    }

    /// The members of all of them, of whatever number: marked in one bitmap where they may be many.
    pub(crate) fn union_of<'a>(
        containers: impl Iterator<Item = &'a Container> + Clone,
    ) -> Container {
        let total: usize = containers.clone().map(Container::len).sum();
        if total <= ARRAY_MAX {
            let mut lows: Vec<u16> = containers.flat_map(Container::iter).collect();
            lows.sort_unstable();
            lows.dedup();
            return Container::Array(fitted(lows));
        }
        let mut bitmap = Bitmap::from_lows([].into_iter());
        for container in containers {
            insert_into(&mut bitmap, container);
        }
        from_bitmap(bitmap)
    }

    /// The numbers from `first` to `last`, both included.
    pub(crate) fn range(first: u16, last: u16) -> Container {
        from_runs(Runs::new(vec![Run { first, last }]))
    }

    /// Adds the members of `other`, in place where nobody else holds the container; untouched if it has them all.
    pub(crate) fn insert_all(this: &mut Arc<Container>, other: &Container) {
        if !matches!(**this, Container::Bitmap(_)) {
            let union = this.or(other);
            if union.len() != this.len() {
                *this = Arc::new(union);
            }
            return;
        }
        if Arc::get_mut(this).is_none() && this.and_len(other) == other.len() {
            return;
        }
        let container = Arc::make_mut(this);
        if let Container::Bitmap(bitmap) = container {
            insert_into(bitmap, other);
            if bitmap.len() == FULL.len() {
                *container = Container::Runs(Runs::new(vec![FULL]));
            }
        }
    }

    /// Removes the members of `other`, in place where nobody else holds the container; untouched if it has none of them.
    pub(crate) fn remove_all(this: &mut Arc<Container>, other: &Container) {
        if !matches!(**this, Container::Bitmap(_)) {
            let rest = this.and_not(other);
            if rest.len() != this.len() {
                *this = Arc::new(rest);
            }
            return;
        }
        if Arc::get_mut(this).is_none() && this.and_len(other) == 0 {
            return;
        }
        let container = Arc::make_mut(this);
        if let Container::Bitmap(bitmap) = container {
            remove_from(bitmap, other);
            if bitmap.len() <= ARRAY_MAX {
                *container = Container::Array(container.iter().collect());
            }
        }
    }
}

/// Every number there is.
const FULL: Run = Run {
    first: 0,
    last: u16::MAX,
};

/// The numbers of an array that `other` has too.
fn and_array(array: &[u16], other: &Container) -> Container {
    Container::Array(fitted(match other {
        Container::Array(other) => arrays::and(array, other),
        Container::Bitmap(bitmap) => arrays::keep(array, |low| bitmap.contains(low)),
        Container::Runs(runs) => runs::filter_array(array, runs.list(), true),
    }))
}

/// The numbers of an array that `other` lacks.
fn array_and_not(array: &[u16], other: &Container) -> Container {
    Container::Array(fitted(match other {
        Container::Array(other) => arrays::and_not(array, other),
        Container::Bitmap(bitmap) => arrays::keep(array, |low| !bitmap.contains(low)),
        Container::Runs(runs) => runs::filter_array(array, runs.list(), false),
    }))
}

fn fitted(mut list: Vec<u16>) -> Vec<u16> {
    list.shrink_to_fit();
    list
}

fn or_arrays(a: &[u16], b: &[u16]) -> Container {
    if a.len() + b.len() > ARRAY_MAX {
        let mut bitmap = Bitmap::from_lows(a.iter().copied());
        bitmap.insert_lows(b);
        return from_bitmap(bitmap);
    }
    Container::Array(fitted(arrays::or(a, b)))
}

fn insert_into(bitmap: &mut Bitmap, other: &Container) {
    match other {
        Container::Array(list) => bitmap.insert_lows(list),
        Container::Bitmap(other) => bitmap.or_assign(other),
        Container::Runs(runs) => bitmap.insert_runs(runs.list()),
    }
}

fn remove_from(bitmap: &mut Bitmap, other: &Container) {
    match other {
        Container::Array(list) => bitmap.remove_lows(list),
        Container::Bitmap(other) => bitmap.and_not_assign(other),
        Container::Runs(runs) => bitmap.remove_runs(runs.list()),
    }
}

/// The runs of a container, borrowed where it has that shape.
fn as_runs(container: &Container) -> std::borrow::Cow<'_, Runs> {
    match container {
        Container::Runs(runs) => std::borrow::Cow::Borrowed(runs),
        other => std::borrow::Cow::Owned(other.to_runs()),
    }
}

/// A container of the bitmap's members that obeys the limits of its shape.
fn from_bitmap(bitmap: Bitmap) -> Container {
    let container = Container::Bitmap(bitmap);
    match container.len() {
        0..=ARRAY_MAX => Container::Array(container.iter().collect()),
        len if len == FULL.len() => Container::Runs(Runs::new(vec![FULL])),
        _ => container,
    }
}

/// A container of the runs' members in the smallest shape.
fn from_runs(runs: Runs) -> Container {
    let shape = Shape::smallest(runs.len(), runs.list().len());
    let container = Container::Runs(runs);
    match shape {
        Shape::Runs => container,
        Shape::Array => Container::Array(container.iter().collect()),
        Shape::Bitmap => Container::Bitmap(container.to_bitmap()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evens(count: u32) -> Container {
        let persons: Vec<u32> = (0..count).map(|i| 2 * i).collect();
        Container::from_persons(&persons)
    }

    fn is_array(container: &Container) -> bool {
        matches!(container, Container::Array(_))
    }

    #[test]
    fn shapes_change_where_their_limits_are() {
        let (most, more) = (evens(ARRAY_MAX as u32), evens(ARRAY_MAX as u32 + 1));
        assert!(is_array(&most) && !is_array(&more));
        let one = more.and_not(&most);
        assert_eq!(one.len(), 1);
        for held in [false, true] {
            let mut container = Arc::new(more.clone());
            let _reader = held.then(|| Arc::clone(&container));
            Container::remove_all(&mut container, &one);
            assert!(is_array(&container));
            Container::insert_all(&mut container, &one);
            assert!(!is_array(&container));
        }
        assert!(is_array(&more.and_not(&one)) && is_array(&more.and(&most)));
        assert!(!is_array(&most.or(&one)) && !is_array(&more.and(&more)));
    }

    #[test]
    fn a_full_chunk_becomes_a_run() {
        let odds: Vec<u32> = (0..1 << 15).map(|i| 2 * i + 1).collect();
        let odds = Container::from_persons(&odds);
        let mut container = Arc::new(evens(1 << 15));
        assert!(matches!(container.or(&odds), Container::Runs(_)));
        Container::insert_all(&mut container, &odds);
        assert_eq!((container.len(), container.count_runs()), (1 << 16, 1));
        assert!(matches!(*container, Container::Runs(_)));
    }
}
