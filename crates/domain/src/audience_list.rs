//! Reading structures and audiences: one, lists by key and by number, with exact counts.
//!
//! Not who is in them, which `member_list` tells. Invariant: the counts of one answer are taken from the same sets.

use std::collections::{HashMap, hash_map::Entry};

use store::{Audience, AudienceKind, Read, Sql};

use crate::{
    audience::{AUDIENCE, AudienceCounts, Counted, Placed, STRUCTURE, find},
    caller::{Caller, Portfolio, Scope},
    error::{Denied, Error, Result},
    identifier::{self, Kind},
    limits,
    manager::managed,
    service::Domain,
    tree::{self, Act, AudienceRef},
};

/// Which structures and audiences a list by number has.
pub type TreeQuery = store::TreeFilter;

impl Domain {
    /// The structures of the caller's portfolio with `id > after`, in order of id.
    pub async fn structure_list(
        &self,
        caller: &Caller,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Audience>> {
        caller.need(Scope::AudiencesRead)?;
        let (caller, limit) = (caller.clone(), limit.clamp(1, limits::PAGE_ITEMS_MAX));
        self.store()
            .read(caller.workspace, move |read| {
                structures(read, &caller, after, limit)
            })
            .await
    }

    pub async fn structure_get(&self, caller: &Caller, id: i64) -> Result<Audience> {
        let caller = self.acting(caller, Act::See).await?;
        self.store()
            .read(caller.workspace, move |read| {
                find(read, &caller, id, Act::See, STRUCTURE)
            })
            .await
    }

    /// Audiences with `id > after` in order of id, with exact counts: of one structure, or of the whole portfolio. For a
    /// manager without the scope, those that they manage.
    pub async fn audience_list(
        &self,
        caller: &Caller,
        structure: Option<i64>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Counted>> {
        let caller = self.acting(caller, Act::See).await?;
        if let Some(structure) = structure.filter(|_| caller.manager.is_none()) {
            caller.need_structure(structure)?;
        }
        let domain = self.clone();
        self.store()
            .read(caller.workspace, move |read| {
                if let Some(structure) = structure {
                    store::audience_get(read, structure)?
                        .filter(|root| root.kind == AudienceKind::Structure)
                        .ok_or(Error::Forbidden(Denied::Structure))?;
                }
                let found = page(read, &caller, structure, after, limit)?;
                domain.counted(read, found)
            })
            .await
    }

    /// Structures with `id > after` with the counts of their people; or the audiences of the structure `parent`.
    pub async fn tree_list(
        &self,
        caller: &Caller,
        parent: Option<i64>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Counted>> {
        if parent.is_some() {
            return self.audience_list(caller, parent, after, limit).await;
        }
        caller.need(Scope::AudiencesRead)?;
        let (domain, caller) = (self.clone(), caller.clone());
        let limit = limit.clamp(1, limits::PAGE_ITEMS_MAX);
        self.store()
            .read(caller.workspace, move |read| {
                let found = structures(read, &caller, after, limit)?;
                domain.counted(read, found)
            })
            .await
    }

    /// Structures and audiences of the caller's portfolio by the number of their place, in order of id, and how many
    /// there are.
    pub async fn audience_pages(
        &self,
        caller: &Caller,
        query: TreeQuery,
        offset: u64,
        limit: usize,
    ) -> Result<(Vec<Placed>, u64)> {
        caller.need(Scope::AudiencesRead)?;
        let (portfolio, limit) = (
            caller.portfolio.clone(),
            limit.clamp(1, limits::PAGE_ITEMS_MAX),
        );
        self.store()
            .read(caller.workspace, move |read| {
                if let Portfolio::Only(_) = portfolio {
                    let (found, total) = some_of(read, &portfolio, query, offset, limit)?;
                    return Ok((placed(read, found)?, total));
                }
                let total = store::tree_count(read, query)?;
                let offset = i64::try_from(offset).unwrap_or(i64::MAX);
                let found = store::tree_page(read, query, offset, limit as i64)?;
                Ok((placed(read, found)?, total))
            })
            .await
    }

    /// A structure or audience and where it is.
    pub async fn audience_find(&self, caller: &Caller, reference: AudienceRef) -> Result<Placed> {
        let caller = self.acting(caller, Act::See).await?;
        self.store()
            .read(caller.workspace, move |read| {
                let audience = tree::reach(read, &caller, &reference, Act::See, AUDIENCE)?;
                place(read, audience)
            })
            .await
    }

    /// A structure or audience with its counts, and where it is.
    pub async fn audience_counted(
        &self,
        caller: &Caller,
        reference: AudienceRef,
    ) -> Result<(Counted, Option<Audience>)> {
        let caller = self.acting(caller, Act::See).await?;
        let domain = self.clone();
        self.store()
            .read(caller.workspace, move |read| {
                let audience = tree::reach(read, &caller, &reference, Act::See, AUDIENCE)?;
                let Placed { audience, parent } = place(read, audience)?;
                Ok((domain.count_one(read, audience)?, parent))
            })
            .await
    }

    pub async fn audience_get(&self, caller: &Caller, id: i64) -> Result<Counted> {
        let caller = self.acting(caller, Act::See).await?;
        let domain = self.clone();
        self.store()
            .read(caller.workspace, move |read| {
                let audience = find(read, &caller, id, Act::See, AUDIENCE)?;
                domain.count_one(read, audience)
            })
            .await
    }

    /// The names of structures of the caller's portfolio, in order of id; at most 1,000 are asked for.
    pub async fn structures_named(
        &self,
        caller: &Caller,
        ids: Vec<i64>,
    ) -> Result<Vec<(i64, String)>> {
        let caller = caller.clone();
        self.store()
            .read(caller.workspace, move |read| {
                let mut named = Vec::new();
                for id in ids.into_iter().take(limits::PAGE_ITEMS_MAX) {
                    let found = store::audience_get(read, id)?.filter(|found| {
                        found.kind == AudienceKind::Structure && caller.portfolio.has(found.id)
                    });
                    named.extend(found.map(|found| (found.id, found.name)));
                }
                Ok(named)
            })
            .await
    }

    /// A structure or audience with its counts, whoever asks.
    pub(crate) fn count_one(&self, read: &mut Read<'_>, audience: Audience) -> Result<Counted> {
        let counts = self.counts(read, &Counter::new(read)?, &audience)?;
        Ok(Counted { audience, counts })
    }

    /// The audiences of one answer with their counts.
    fn counted(&self, read: &mut Read<'_>, found: Vec<Audience>) -> Result<Vec<Counted>> {
        let counter = Counter::new(read)?;
        let counted = found.into_iter().map(|audience| {
            let counts = self.counts(read, &counter, &audience)?;
            Ok(Counted { audience, counts })
        });
        counted.collect()
    }

    fn counts(
        &self,
        read: &mut Read<'_>,
        counter: &Counter,
        audience: &Audience,
    ) -> Result<AudienceCounts> {
        Ok(counter.count(&self.people_of(read, audience.id)?))
    }
}

/// The node with its structure.
pub(crate) fn place(sql: &mut dyn Sql, audience: Audience) -> Result<Placed> {
    let parent = match audience.parent {
        Some(parent) => store::audience_get(sql, parent)?,
        None => None,
    };
    Ok(Placed { audience, parent })
}

/// A page of what is in a portfolio, and how much that is. All nodes are read, of which a workspace has a bounded number:
/// callers with few structures are few, and their lists short.
fn some_of(
    sql: &mut dyn Sql,
    portfolio: &Portfolio,
    query: TreeQuery,
    offset: u64,
    limit: usize,
) -> Result<(Vec<Audience>, u64)> {
    let (mut page, mut total, mut read) = (Vec::new(), 0, 0);
    loop {
        let found = store::tree_page(sql, query, read, limits::PAGE_ITEMS_MAX as i64)?;
        let last = found.len() < limits::PAGE_ITEMS_MAX;
        read += found.len() as i64;
        for node in found {
            if !portfolio.has(node.structure) {
                continue;
            }
            if total >= offset && page.len() < limit {
                page.push(node);
            }
            total += 1;
        }
        if last {
            return Ok((page, total));
        }
    }
}

/// The nodes with their structures, each of which is read once.
fn placed(sql: &mut dyn Sql, found: Vec<Audience>) -> Result<Vec<Placed>> {
    let mut structures: HashMap<i64, Audience> = found
        .iter()
        .filter(|node| node.kind == AudienceKind::Structure)
        .map(|node| (node.id, node.clone()))
        .collect();
    for parent in found.iter().filter_map(|node| node.parent) {
        if let Entry::Vacant(entry) = structures.entry(parent)
            && let Some(structure) = store::audience_get(sql, parent)?
        {
            entry.insert(structure);
        }
    }
    let placed = found.into_iter().map(|audience| Placed {
        parent: audience
            .parent
            .and_then(|parent| structures.get(&parent).cloned()),
        audience,
    });
    Ok(placed.collect())
}

fn structures(
    read: &mut Read<'_>,
    caller: &Caller,
    mut after: i64,
    limit: usize,
) -> Result<Vec<Audience>> {
    let mut found: Vec<Audience> = Vec::new();
    loop {
        let page = store::structures_page(read, after, limits::PAGE_ITEMS_MAX as i64)?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after = last.id;
        found.extend(
            page.into_iter()
                .filter(|structure| caller.portfolio.has(structure.id)),
        );
        if found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

/// Audiences that the caller may see: of the portfolio, or those that a manager manages.
fn page(
    read: &mut Read<'_>,
    caller: &Caller,
    structure: Option<i64>,
    mut after: i64,
    limit: usize,
) -> Result<Vec<Audience>> {
    let managed = match caller.manager {
        Some(person) => Some(managed(read, person)?),
        None => None,
    };
    let mut found: Vec<Audience> = Vec::new();
    while found.len() < limit {
        // A manager's are few among many.
        let wanted = match managed {
            Some(_) => limits::PAGE_ITEMS_MAX,
            None => (limit - found.len()).min(limits::PAGE_ITEMS_MAX),
        };
        let page = store::audience_page(read, structure, after, wanted as i64)?;
        let Some(last) = page.last() else { break };
        after = last.id;
        found.extend(page.into_iter().filter(|audience| match &managed {
            Some(managed) => {
                managed.contains(&audience.id) || managed.contains(&audience.structure)
            }
            None => caller.portfolio.has(audience.structure),
        }));
    }
    found.truncate(limit);
    Ok(found)
}

/// Counts the audiences of one answer against the same sets.
struct Counter {
    email: sets::Set,
    others: sets::Set,
}

impl Counter {
    fn new(read: &Read<'_>) -> Result<Counter> {
        let mut others = read.set(identifier::RECORDS_SET)?;
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Email) {
            others.insert_all(&read.set(kind.set())?);
        }
        let email = read.set(Kind::Email.set())?;
        others = others.and(&email);
        Ok(Counter { email, others })
    }

    fn count(&self, people: &sets::Set) -> AudienceCounts {
        AudienceCounts {
            people: people.len(),
            with_email: people.and_len(&self.email),
            with_email_matched: people.and_len(&self.others),
        }
    }
}
