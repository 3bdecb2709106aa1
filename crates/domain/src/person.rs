//! People: which audiences hold them, and what clashes between their identifiers were seen.

use std::collections::{BTreeSet, HashMap};

use sets::{Person, Set};
use store::IdentityConflict;

use crate::{
    caller::{Caller, Scope},
    error::Result,
    limits,
    service::Domain,
};

impl Domain {
    /// Clashes of identity with `id > after`, in order of id. Needs the scope admin and every structure.
    pub async fn conflict_list(
        &self,
        caller: &Caller,
        after: i64,
        limit: usize,
    ) -> Result<Vec<IdentityConflict>> {
        caller.need(Scope::Admin)?;
        caller.need_every_structure()?;
        let limit = limit.clamp(1, limits::PAGE_ITEMS_MAX) as i64;
        self.store()
            .read(caller.workspace, move |read| {
                Ok(store::conflicts_page(read, after, limit)?)
            })
            .await
    }

    /// The structures and audiences of the caller's portfolio that hold each of these people, by themselves or, a structure,
    /// by an audience; ascending. Smart ones are not among them. Needs the scope audiences:read.
    pub async fn people_audiences(
        &self,
        caller: &Caller,
        people: &[Person],
    ) -> Result<Vec<Vec<i64>>> {
        caller.need(Scope::AudiencesRead)?;
        let (portfolio, people) = (caller.portfolio.clone(), people.to_vec());
        self.store()
            .read(caller.workspace, move |read| {
                let asked: Set = people.iter().copied().collect();
                let mut held: HashMap<Person, BTreeSet<i64>> = HashMap::new();
                for (id, structure) in store::audiences_holding(read)? {
                    if !portfolio.has(structure) {
                        continue;
                    }
                    for person in read.set(id)?.and(&asked).iter() {
                        held.entry(person).or_default().extend([id, structure]);
                    }
                }
                let of = |person| held.get(person).into_iter().flatten().copied().collect();
                Ok(people.iter().map(of).collect())
            })
            .await
    }
}
