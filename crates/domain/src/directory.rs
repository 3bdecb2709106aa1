//! The directory of a workspace's accounts: what lists, searches and filters read instead of the table.
//!
//! What it is: names and addresses in one buffer, three orders and the permissions, brought up to date from the rows that
//! changed since (`updated_seq`). What it is not: the truth; the rows that a list answers come from the database.
//! Invariant: after [`Directory::refresh`] it equals the rows of the snapshot that it was refreshed from.

use std::{cmp::Ordering, collections::HashMap, ops::Range};

use memchr::memmem::Finder;
use store::{AccountEntry, Sql};

use crate::{error::Result, permission::Permissions};

/// By what a list is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortBy {
    Username,
    FirstName,
    LastName,
    /// Who was never seen comes last, in either direction.
    LastSeen,
}

/// A key of an order and its direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    pub by: SortBy,
    pub descending: bool,
}

/// Which accounts to list. The default is all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// In lower case; an account matches that has every one in its names or address.
    pub(crate) words: Vec<String>,
    /// Held directly.
    pub permissions: Permissions,
    /// Held directly or by a group.
    pub all_permissions: Permissions,
    pub group: Option<i64>,
}

/// How many accounts match, and the ids of those on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub total: usize,
    pub ids: Vec<i64>,
}

#[derive(Debug)]
struct Row {
    id: i64,
    /// In lower case: they are compared and searched, not shown.
    username: Box<str>,
    first_name: Box<str>,
    last_name: Box<str>,
    last_seen: Option<i64>,
    permissions: Permissions,
    groups: Vec<i64>,
    text: Range<usize>,
}

/// The orders that are kept; [`SortBy::LastSeen`] changes too often.
const KEPT: [SortBy; 3] = [SortBy::Username, SortBy::FirstName, SortBy::LastName];
/// Where more rows changed than one in so many, the orders are made anew.
const FEW: usize = 64;
/// Between fields and rows in the buffer; no word holds it.
const SEPARATOR: u8 = b'\n';
/// How far the times of last use may lag behind each other: they are written outside the order of commands.
const SEEN_SLACK_MS: i64 = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// The seq up to which it knows; nothing before it was first read.
    seq: Option<i64>,
    seen: i64,
    rows: Vec<Row>,
    by_id: HashMap<i64, u32>,
    /// Rows of deleted accounts, to be used again.
    free: Vec<u32>,
    buffer: Vec<u8>,
    /// Where each row's text begins, ascending; an entry is stale where the row has moved on.
    starts: Vec<(usize, u32)>,
    /// Bytes of the buffer that belong to no row.
    waste: usize,
    /// The rows that are in use, by each of [`KEPT`].
    orders: [Vec<u32>; 3],
    /// Permissions of each group.
    groups: HashMap<i64, Permissions>,
}

impl Directory {
    /// Brings it up to a snapshot that is at least as new as `seq`.
    pub(crate) fn refresh(&mut self, sql: &mut dyn Sql, seq: u64) -> Result<()> {
        let since = self.seq.unwrap_or(-1);
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        if since < seq {
            let changed = store::account_entries_since(sql, since)?;
            let gone = if self.seq.is_some() {
                store::accounts_gone_since(sql, since)?
            } else {
                Vec::new()
            };
            let memberships = self.memberships(sql, &changed)?;
            self.groups = store::groups_all(sql)?
                .into_iter()
                .map(|group| {
                    (
                        group.id,
                        permissions_of(&group.permissions, group.administrator),
                    )
                })
                .collect();
            self.apply(changed, &gone, memberships);
            self.seq = Some(seq);
        }
        for (id, seen) in store::accounts_seen_since(sql, self.seen - SEEN_SLACK_MS)? {
            self.seen = self.seen.max(seen);
            if let Some(&row) = self.by_id.get(&id) {
                self.rows[row as usize].last_seen = Some(seen);
            }
        }
        Ok(())
    }

    fn memberships(
        &self,
        sql: &mut dyn Sql,
        changed: &[AccountEntry],
    ) -> Result<HashMap<i64, Vec<i64>>> {
        let mut memberships: HashMap<i64, Vec<i64>> = HashMap::new();
        if changed.len() > FEW {
            for (group, account) in store::group_memberships(sql)? {
                memberships.entry(account).or_default().push(group);
            }
        } else {
            for entry in changed {
                memberships.insert(entry.id, store::group_ids_of_account(sql, entry.id)?);
            }
        }
        Ok(memberships)
    }

    fn apply(
        &mut self,
        changed: Vec<AccountEntry>,
        gone: &[i64],
        mut memberships: HashMap<i64, Vec<i64>>,
    ) {
        let anew = (changed.len() + gone.len()) * FEW > self.by_id.len();
        for id in gone {
            if let Some(row) = self.by_id.remove(id) {
                self.unorder(row, anew);
                self.forget_text(row);
                self.free.push(row);
            }
        }
        for entry in changed {
            let groups = memberships.remove(&entry.id).unwrap_or_default();
            self.seen = self.seen.max(entry.last_seen.unwrap_or_default());
            let known = self.by_id.get(&entry.id).copied();
            if let Some(row) = known {
                self.unorder(row, anew);
                self.forget_text(row);
            }
            let row = self.put(known, entry, groups);
            self.order(row, anew);
        }
        if anew {
            self.order_anew();
        }
        if self.waste * 4 > self.buffer.len() {
            self.compact();
        }
    }

    /// Writes an entry into its row, a free one or a new one.
    fn put(&mut self, known: Option<u32>, entry: AccountEntry, groups: Vec<i64>) -> u32 {
        let lower = |text: &str| text.to_lowercase().into_boxed_str();
        let start = self.buffer.len();
        let name = entry.name.as_deref().unwrap_or_default();
        for field in [
            &entry.username,
            &entry.first_name,
            &entry.last_name,
            name,
            &entry.email,
        ] {
            self.buffer
                .extend(field.to_lowercase().bytes().filter(|b| *b != SEPARATOR));
            self.buffer.push(SEPARATOR);
        }
        let row = Row {
            id: entry.id,
            username: lower(&entry.username),
            first_name: lower(&entry.first_name),
            last_name: lower(&entry.last_name),
            last_seen: entry.last_seen,
            permissions: permissions_of(&entry.permissions, entry.administrator),
            groups,
            text: start..self.buffer.len(),
        };
        let at = known.or_else(|| self.free.pop());
        let at = match at {
            Some(at) => {
                self.rows[at as usize] = row;
                at
            }
            None => {
                self.rows.push(row);
                (self.rows.len() - 1) as u32
            }
        };
        self.by_id.insert(entry.id, at);
        self.starts.push((start, at));
        at
    }

    fn forget_text(&mut self, row: u32) {
        let text = self.rows[row as usize].text.clone();
        self.waste += text.len();
        self.buffer[text].fill(SEPARATOR);
    }

    fn compact(&mut self) {
        let mut buffer = Vec::with_capacity(self.buffer.len() - self.waste);
        let mut used: Vec<u32> = self.by_id.values().copied().collect();
        used.sort_unstable_by_key(|row| self.rows[*row as usize].text.start);
        for &row in &used {
            let text = &mut self.rows[row as usize].text;
            let start = buffer.len();
            buffer.extend_from_slice(&self.buffer[text.clone()]);
            *text = start..buffer.len();
        }
        self.starts.clear();
        self.starts.extend(
            used.iter()
                .map(|row| (self.rows[*row as usize].text.start, *row)),
        );
        self.buffer = buffer;
        self.waste = 0;
    }

    fn compare(&self, by: SortBy, one: u32, other: u32) -> Ordering {
        let (one, other) = (&self.rows[one as usize], &self.rows[other as usize]);
        match by {
            SortBy::Username => one.username.cmp(&other.username),
            SortBy::FirstName => one.first_name.cmp(&other.first_name),
            SortBy::LastName => one.last_name.cmp(&other.last_name),
            SortBy::LastSeen => one.last_seen.cmp(&other.last_seen),
        }
    }

    /// The order of a kept key: by the key, then by id.
    fn compare_kept(&self, by: SortBy, one: u32, other: u32) -> Ordering {
        let id = |row: u32| self.rows[row as usize].id;
        self.compare(by, one, other)
            .then_with(|| id(one).cmp(&id(other)))
    }

    fn unorder(&mut self, row: u32, anew: bool) {
        let kept = KEPT.iter().enumerate().filter(|_| !anew);
        for (index, by) in kept {
            let order = &self.orders[index];
            let at = order.binary_search_by(|other| self.compare_kept(*by, *other, row));
            if let Ok(at) = at {
                self.orders[index].remove(at);
            }
        }
    }

    fn order(&mut self, row: u32, anew: bool) {
        let kept = KEPT.iter().enumerate().filter(|_| !anew);
        for (index, by) in kept {
            let order = &self.orders[index];
            let at = order.binary_search_by(|other| self.compare_kept(*by, *other, row));
            if let Err(at) = at {
                self.orders[index].insert(at, row);
            }
        }
    }

    fn order_anew(&mut self) {
        for (index, by) in KEPT.into_iter().enumerate() {
            let mut order: Vec<u32> = self.by_id.values().copied().collect();
            order.sort_unstable_by(|one, other| self.compare_kept(by, *one, *other));
            self.orders[index] = order;
        }
    }

    /// The accounts that match, ordered, from `offset` on.
    pub(crate) fn page(&self, filter: &Filter, sort: &[Sort], offset: usize, limit: usize) -> Page {
        let (matches, total) = self.matches(filter);
        let id = |row: &u32| self.rows[*row as usize].id;
        let first = sort.first().copied().unwrap_or(Sort {
            by: SortBy::Username,
            descending: false,
        });
        let kept = KEPT.iter().position(|by| *by == first.by);
        let ids = match kept.filter(|_| sort.len() <= 1 || first.by == SortBy::Username) {
            Some(kept) => {
                let order = self.orders[kept].iter();
                let found = |row: &&u32| matches[**row as usize];
                if first.descending {
                    let page = order.rev().filter(found).skip(offset).take(limit);
                    page.map(id).collect()
                } else {
                    order
                        .filter(found)
                        .skip(offset)
                        .take(limit)
                        .map(id)
                        .collect()
                }
            }
            None => self.sorted(&matches, sort, offset, limit),
        };
        Page { total, ids }
    }

    fn sorted(&self, matches: &[bool], sort: &[Sort], offset: usize, limit: usize) -> Vec<i64> {
        let mut found: Vec<u32> = (0..self.rows.len() as u32)
            .filter(|row| matches[*row as usize])
            .collect();
        let seen = |row: u32| self.rows[row as usize].last_seen.is_none();
        let compare = |one: &u32, other: &u32| {
            sort.iter()
                .map(|key| {
                    let order = self.compare(key.by, *one, *other);
                    let order = if key.descending {
                        order.reverse()
                    } else {
                        order
                    };
                    match key.by {
                        SortBy::LastSeen => seen(*one).cmp(&seen(*other)).then(order),
                        _ => order,
                    }
                })
                .find(|order| order.is_ne())
                .unwrap_or_else(|| self.compare_kept(SortBy::Username, *one, *other))
        };
        let end = offset.saturating_add(limit);
        if end < found.len() && end > 0 {
            found.select_nth_unstable_by(end - 1, compare);
            found.truncate(end);
        }
        found.sort_unstable_by(compare);
        let page = found.into_iter().skip(offset).take(limit);
        page.map(|row| self.rows[row as usize].id).collect()
    }

    /// For each row whether it matches, and how many do.
    fn matches(&self, filter: &Filter) -> (Vec<bool>, usize) {
        let mut matches = vec![false; self.rows.len()];
        let mut total = 0;
        let mut words: Vec<&String> = filter.words.iter().collect();
        // The longest is found least often.
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let finders: Vec<Finder<'_>> = words.iter().map(|word| Finder::new(*word)).collect();
        let mut note = |row: u32| {
            let entry = &self.rows[row as usize];
            let text = &self.buffer[entry.text.clone()];
            let mut others = finders.iter().skip(1);
            if self.may(entry, filter) && others.all(|finder| finder.find(text).is_some()) {
                matches[row as usize] = true;
                total += 1;
            }
        };
        match finders.first() {
            None => self.by_id.values().for_each(|row| note(*row)),
            Some(first) => self.rows_with(first).into_iter().for_each(&mut note),
        }
        (matches, total)
    }

    fn may(&self, row: &Row, filter: &Filter) -> bool {
        let held = |by_group: bool| {
            let groups = row.groups.iter().filter(|_| by_group);
            let inherited = groups.filter_map(|group| self.groups.get(group));
            inherited.fold(row.permissions, |all, one| all.or(*one))
        };
        held(false).has_all(filter.permissions)
            && (filter.all_permissions.is_empty() || held(true).has_all(filter.all_permissions))
            && filter.group.is_none_or(|group| row.groups.contains(&group))
    }

    /// The rows in whose text a word stands, each once: one pass over the whole buffer.
    fn rows_with(&self, word: &Finder<'_>) -> Vec<u32> {
        let mut hits = Vec::new();
        let mut at = 0;
        while let Some(found) = word.find(&self.buffer[at..]) {
            hits.push(at + found);
            at += found + word.needle().len();
        }
        let mut rows: Vec<u32> = Vec::new();
        let mut next = 0;
        for hit in hits {
            while self
                .starts
                .get(next + 1)
                .is_some_and(|(start, _)| *start <= hit)
            {
                next += 1;
            }
            let row = self.starts[next].1;
            if rows.last() != Some(&row) {
                rows.push(row);
            }
        }
        rows
    }
}

fn permissions_of(text: &str, administrator: bool) -> Permissions {
    let permissions = Permissions::parse(text).unwrap_or_default();
    if administrator {
        permissions.or(Permissions::ADMINISTER)
    } else {
        permissions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: i64, username: &str, first: &str, last: &str) -> AccountEntry {
        AccountEntry {
            id,
            username: username.into(),
            email: format!("{username}@example.org"),
            first_name: first.into(),
            last_name: last.into(),
            name: None,
            role: "advertiser".into(),
            administrator: false,
            active: true,
            permissions: String::new(),
            last_seen: None,
            updated_seq: 0,
        }
    }

    fn directory(entries: Vec<AccountEntry>) -> Directory {
        let mut directory = Directory::default();
        directory.apply(entries, &[], HashMap::new());
        directory
    }

    fn found(directory: &Directory, search: &str, sort: &[Sort]) -> Vec<i64> {
        let filter = Filter {
            words: search
                .split(' ')
                .filter(|w| !w.is_empty())
                .map(str::to_owned)
                .collect(),
            ..Filter::default()
        };
        let page = directory.page(&filter, sort, 0, 1_000);
        assert_eq!(page.total, page.ids.len());
        page.ids
    }

    fn by(by: SortBy, descending: bool) -> Sort {
        Sort { by, descending }
    }

    #[test]
    fn all_words_are_found_in_any_field_and_case() {
        let directory = directory(vec![
            entry(1, "Zoe", "Zoë", "Ångström"),
            entry(2, "ann", "Ann", "Lee"),
            entry(3, "lee.ann", "Leeann", "Ann"),
        ]);
        assert_eq!(found(&directory, "ann lee", &[]), [2, 3]);
        assert_eq!(found(&directory, "ångström", &[]), [1]);
        assert_eq!(found(&directory, "example.org", &[]), [2, 3, 1]);
        assert_eq!(found(&directory, "ann zoe", &[]), [] as [i64; 0]);
        // A word does not run from one field into the next, nor from one account into the next.
        assert_eq!(found(&directory, "annlee", &[]), [] as [i64; 0]);
    }

    #[test]
    fn orders_hold_after_changes_and_deletions() {
        let many = (0..500).map(|id| entry(id, &format!("u{:03}", 499 - id), "a", "b"));
        let mut directory = directory(many.collect());
        assert_eq!(found(&directory, "", &[])[..3], [499, 498, 497]);
        directory.apply(vec![entry(499, "zzz", "0", "x")], &[498], HashMap::new());
        directory.apply(vec![entry(600, "u0015", "c", "a")], &[0], HashMap::new());
        let names = found(&directory, "", &[]);
        assert_eq!((names[0], names[1], names.len()), (600, 497, 499));
        assert_eq!(names.last(), Some(&499));
        assert_eq!(found(&directory, "", &[by(SortBy::Username, true)])[0], 499);
        assert_eq!(
            found(&directory, "", &[by(SortBy::FirstName, false)])[0],
            499
        );
        assert_eq!(
            found(&directory, "", &[by(SortBy::LastName, false)])[0],
            600
        );
        assert_eq!(found(&directory, "u001", &[])[..], [600]);
        assert_eq!(found(&directory, "zzz", &[]), [499]);
        for round in 0..200 {
            directory.apply(
                vec![entry(600, &format!("n{round}"), "c", "a")],
                &[],
                HashMap::new(),
            );
        }
        assert_eq!(found(&directory, "n199", &[]), [600]);
        assert_eq!(found(&directory, "n198", &[]), [] as [i64; 0]);
        assert!(directory.waste * 4 <= directory.buffer.len());
    }

    #[test]
    fn who_was_never_seen_comes_last_and_keys_follow_each_other() {
        let mut entries = vec![
            entry(1, "a", "x", "y"),
            entry(2, "b", "x", "y"),
            entry(3, "c", "w", "y"),
        ];
        entries[1].last_seen = Some(5);
        entries[2].last_seen = Some(9);
        let directory = directory(entries);
        assert_eq!(
            found(&directory, "", &[by(SortBy::LastSeen, false)]),
            [2, 3, 1]
        );
        assert_eq!(
            found(&directory, "", &[by(SortBy::LastSeen, true)]),
            [3, 2, 1]
        );
        let two = [by(SortBy::LastName, false), by(SortBy::FirstName, true)];
        assert_eq!(found(&directory, "", &two), [1, 2, 3]);
    }

    #[test]
    fn permissions_are_filtered_directly_and_by_group() {
        let mut entries = vec![entry(1, "a", "", ""), entry(2, "b", "", "")];
        entries[0].permissions = "edit_page create_page".into();
        let mut directory = Directory::default();
        let edit = Permissions::parse("edit_page").expect("is one");
        directory.groups.insert(7, edit);
        directory.apply(entries, &[], HashMap::from([(2, vec![7])]));
        let ids = |filter: Filter| directory.page(&filter, &[], 0, 10).ids;
        let direct = Filter {
            permissions: edit,
            ..Filter::default()
        };
        assert_eq!(ids(direct), [1]);
        let any = Filter {
            all_permissions: edit,
            ..Filter::default()
        };
        assert_eq!(ids(any), [1, 2]);
        let both = Filter {
            all_permissions: Permissions::parse("edit_page create_page").expect("are some"),
            ..Filter::default()
        };
        assert_eq!(ids(both), [1]);
        let group = Filter {
            group: Some(7),
            ..Filter::default()
        };
        assert_eq!(ids(group), [2]);
    }
}
