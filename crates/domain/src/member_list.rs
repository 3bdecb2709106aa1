//! Who is in a structure or audience, a page at a time: by the number of the person before, or by the number of the place.
//!
//! A page by person costs the same wherever it is; one by place skips whole chunks. Names come from records, and only for
//! callers who may see who people are.

use std::collections::HashMap;

use sets::{Person, Set};
use store::{Audience, Read, Sql};

use crate::{
    audience::AUDIENCE,
    caller::{Caller, Scope},
    error::Result,
    limits,
    manager::{Grants, grants_on},
    service::Domain,
    tree::{self, Act, AudienceRef},
};

/// Where a page of members begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// After this person; 0 is the beginning.
    After(Person),
    /// After so many members.
    Offset(u64),
}

/// What a record calls its person.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordBrief {
    pub id: i64,
    pub reference: Option<String>,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
}

impl std::fmt::Debug for RecordBrief {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecordBrief({}, ***)", self.id)
    }
}

/// Somebody in an audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub person: Person,
    /// Their earliest record of the source that was asked for; nothing where they have none, or the caller may not see it.
    pub record: Option<RecordBrief>,
}

/// A page of members in order of person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberPage {
    pub audience: Audience,
    /// Members in all.
    pub total: u64,
    pub members: Vec<Member>,
}

/// The earliest record of each of these people, of one source or of any.
pub(crate) fn briefs(
    sql: &mut dyn Sql,
    people: &Set,
    source: Option<&str>,
) -> Result<HashMap<Person, RecordBrief>> {
    let mut found = HashMap::new();
    for record in store::record_names(sql, &people.to_vec())? {
        if source.is_some_and(|source| source != record.source) || !people.contains(record.person) {
            continue;
        }
        found.entry(record.person).or_insert(RecordBrief {
            id: record.id,
            reference: record.reference,
            email: record.email,
            first_name: record.first_name,
            last_name: record.last_name,
        });
    }
    Ok(found)
}

/// People with their names, in the order given, which ascends.
fn named(
    read: &mut Read<'_>,
    people: Vec<Person>,
    source: Option<&str>,
    shown: bool,
) -> Result<Vec<Member>> {
    let mut names = match shown {
        true => briefs(read, &Set::from_sorted(&people), source)?,
        false => HashMap::new(),
    };
    let members = people.into_iter().map(|person| Member {
        record: names.remove(&person),
        person,
    });
    Ok(members.collect())
}

impl Domain {
    /// A page of who is in a structure or audience. `own` leaves those out whom a structure has by its audiences only.
    /// Names need the scope people:read, or a manager's grant to see or manage members.
    pub async fn member_page(
        &self,
        caller: &Caller,
        reference: AudienceRef,
        source: Option<&str>,
        own: bool,
        window: Window,
        limit: usize,
    ) -> Result<MemberPage> {
        let caller = self.acting(caller, Act::List).await?;
        let limit = limit.clamp(1, limits::PAGE_ITEMS_MAX);
        let (domain, source) = (self.clone(), source.map(str::to_owned));
        self.store()
            .read(caller.workspace, move |read| {
                let audience = tree::reach(read, &caller, &reference, Act::List, AUDIENCE)?;
                let people = match own {
                    true => read.set(audience.id)?,
                    false => domain.people_of(read, audience.id)?,
                };
                let page: Vec<Person> = match window {
                    Window::After(person) => people
                        .iter_from(person.saturating_add(1))
                        .take(limit)
                        .collect(),
                    Window::Offset(offset) => people.iter_at(offset).take(limit).collect(),
                };
                let shown = match caller.manager {
                    Some(person) => {
                        let grants = grants_on(read, &audience, person)?;
                        grants.has(Grants::VIEW_PEOPLE) || grants.has(Grants::MANAGE_MEMBERS)
                    }
                    None => caller.scopes.has(Scope::PeopleRead),
                };
                Ok(MemberPage {
                    members: named(read, page, source.as_deref(), shown)?,
                    total: people.len(),
                    audience,
                })
            })
            .await
    }

    /// The next of some people with their names, to tell all of them piece by piece: those after `after`, at most `limit`.
    /// Needs the scope people:read; without it they come without names.
    pub async fn members_name(
        &self,
        caller: &Caller,
        source: Option<&str>,
        people: &Set,
        after: Person,
        limit: usize,
    ) -> Result<Vec<Member>> {
        let page: Vec<Person> = people
            .iter_from(after.saturating_add(1))
            .take(limit.clamp(1, limits::NAMES_AT_ONCE_MAX))
            .collect();
        let (shown, source) = (
            caller.scopes.has(Scope::PeopleRead),
            source.map(str::to_owned),
        );
        self.store()
            .read(caller.workspace, move |read| {
                named(read, page, source.as_deref(), shown)
            })
            .await
    }
}
