//! Paging by cursor in both directions: after an id, or before one (keyset paging).
//!
//! Invariant: a page is in ascending order of id whichever way it was asked for.

use store::{Keyset, Side};

use crate::{
    error::{Error, Result},
    limits,
};

/// Which page: of `limit` items, those with `id > after`, or the last ones with `id < before`; of neither, the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorQuery {
    pub after: Option<i64>,
    pub before: Option<i64>,
    /// 1 to 100.
    pub limit: usize,
}

impl Default for CursorQuery {
    fn default() -> CursorQuery {
        CursorQuery {
            after: None,
            before: None,
            limit: limits::CURSOR_ITEMS_DEFAULT,
        }
    }
}

/// A page, and whether there is more on each side of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorPage<T> {
    /// In ascending order of id.
    pub items: Vec<T>,
    pub has_before: bool,
    pub has_after: bool,
    /// More in the direction that was asked for.
    pub has_more: bool,
}

impl CursorQuery {
    /// What the store is asked for: one more than the page holds, which says whether there is more.
    pub(crate) fn slice(&self) -> Result<Keyset> {
        if self.after.is_some() && self.before.is_some() {
            let text = "A page is after a cursor or before one, not both.";
            return Err(Error::invalid("page", "both", text));
        }
        if !(1..=limits::CURSOR_ITEMS_MAX).contains(&self.limit) {
            let text = format!("A page has 1 to {} items.", limits::CURSOR_ITEMS_MAX);
            return Err(Error::invalid("page", "size", text));
        }
        Ok(Keyset {
            side: match self.before {
                Some(before) => Side::Before(before),
                None => Side::After(self.after.unwrap_or(0)),
            },
            limit: self.limit as i64 + 1,
        })
    }

    /// The page of what the store found for [`Self::slice`], as it came.
    pub(crate) fn page<T>(&self, mut found: Vec<T>) -> CursorPage<T> {
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        let backwards = self.before.is_some();
        if backwards {
            found.reverse();
        }
        CursorPage {
            // Whoever names a cursor has come from there.
            has_before: if backwards {
                more
            } else {
                self.after.is_some()
            },
            has_after: backwards || more,
            has_more: more,
            items: found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(after: Option<i64>, before: Option<i64>, limit: usize) -> CursorQuery {
        CursorQuery {
            after,
            before,
            limit,
        }
    }

    #[test]
    fn a_page_is_in_order_whichever_way_it_was_asked_for() {
        let page = query(Some(3), None, 2).page(vec![4, 5, 6]);
        assert_eq!(page.items, [4, 5]);
        assert!(page.has_before && page.has_after && page.has_more);
        let page = query(None, Some(6), 2).page(vec![5, 4, 3]);
        assert_eq!(page.items, [4, 5]);
        assert!(page.has_before && page.has_after && page.has_more);
        let page = query(None, None, 2).page(vec![1, 2]);
        assert!(!page.has_before && !page.has_after && !page.has_more);
    }

    #[test]
    fn both_cursors_and_odd_sizes_are_refused() {
        assert!(query(Some(1), Some(2), 1).slice().is_err());
        assert!(query(None, None, 0).slice().is_err());
        assert!(query(None, None, 101).slice().is_err());
        assert!(query(None, None, 100).slice().is_ok());
    }
}
