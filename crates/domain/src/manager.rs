//! Managers: people who may do something to a structure or audience without administering the workspace.
//!
//! A manager is a person; the account whose verified e-mail address is theirs acts for them (`Domain::acting`). Grants on
//! a structure hold for its audiences too. What of them is enforced is in `tree::Act::granted`; the others are kept and
//! shown, since nothing in this server is guarded by them.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sets::Person;
use store::{Audience, AudienceKind, Sql, Tx, Verdict};

use crate::{
    audience::AUDIENCE,
    caller::{Caller, Context},
    error::{Denied, Error, Field, Result},
    event::{Happening, announce},
    limits,
    member_list::{RecordBrief, briefs},
    member_named::{Partial, Refused, Resolver, distinct},
    service::Domain,
    tree::{self, Act, AudienceRef},
};

/// What a manager may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Grants(u16);

impl Grants {
    pub const NONE: Grants = Grants(0);
    /// List, add and remove members.
    pub const MANAGE_MEMBERS: Grants = Grants(1);
    /// Kept and shown only.
    pub const MANAGE_CONTENT: Grants = Grants(1 << 1);
    /// Kept and shown only.
    pub const ASSIGNMENTS: Grants = Grants(1 << 2);
    /// See who the members are.
    pub const VIEW_PEOPLE: Grants = Grants(1 << 3);
    /// Ask whether somebody is a member.
    pub const INSIGHTS: Grants = Grants(1 << 4);
    /// Kept and shown only.
    pub const MANAGE_PEOPLE: Grants = Grants(1 << 5);
    /// Of a structure: make, rename, move and delete its audiences.
    pub const MANAGE_AUDIENCES: Grants = Grants(1 << 6);
    /// Of a structure: see, add and remove managers, its audiences' too.
    pub const ADD_MANAGERS: Grants = Grants(1 << 7);

    /// Each with its name.
    pub const ALL: [(&'static str, Grants); 8] = [
        ("manage_members", Grants::MANAGE_MEMBERS),
        ("manage_content", Grants::MANAGE_CONTENT),
        ("assignments", Grants::ASSIGNMENTS),
        ("view_people", Grants::VIEW_PEOPLE),
        ("insights", Grants::INSIGHTS),
        ("manage_people", Grants::MANAGE_PEOPLE),
        ("manage_audiences", Grants::MANAGE_AUDIENCES),
        ("add_managers", Grants::ADD_MANAGERS),
    ];
    /// Those that only a structure's managers have.
    const OF_STRUCTURES: Grants = Grants(1 << 6 | 1 << 7);

    pub fn has(self, other: Grants) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    pub fn with(self, other: Grants) -> Grants {
        Grants(self.0 | other.0)
    }

    fn of_bits(bits: i64) -> Grants {
        Grants(u16::try_from(bits & 0xff).unwrap_or_default())
    }
}

/// A manager of a structure or audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    pub person: Person,
    pub record: Option<RecordBrief>,
    pub grants: Grants,
}

/// What a person may do to a node: by itself, and by its structure.
pub(crate) fn grants_on(sql: &mut dyn Sql, audience: &Audience, person: Person) -> Result<Grants> {
    let mut grants = Grants::NONE;
    for node in HashSet::from([audience.id, audience.structure]) {
        if let Some(row) = store::manager_get(sql, node, person)? {
            grants = grants.with(Grants::of_bits(row.grants));
        }
    }
    Ok(grants)
}

/// The structures and audiences that a person manages.
pub(crate) fn managed(sql: &mut dyn Sql, person: Person) -> Result<HashSet<i64>> {
    let rows = store::managed_by(sql, person, limits::MANAGED_MAX as i64)?;
    let granted = rows
        .into_iter()
        .filter(|row| Grants::of_bits(row.grants) != Grants::NONE);
    Ok(granted.map(|row| row.audience).collect())
}

/// The structures and audiences whose members a person may list.
pub(crate) fn listable(sql: &mut dyn Sql, person: Person) -> Result<HashSet<i64>> {
    let rows = store::managed_by(sql, person, limits::MANAGED_MAX as i64)?;
    let granted = rows
        .into_iter()
        .filter(|row| Act::List.granted(Grants::of_bits(row.grants)));
    Ok(granted.map(|row| row.audience).collect())
}

/// Fails where a grant is given on an audience that only a structure has.
fn fitting(audience: &Audience, grants: Grants) -> Result<()> {
    if audience.kind == AudienceKind::Structure || grants.0 & Grants::OF_STRUCTURES.0 == 0 {
        return Ok(());
    }
    let text = "manage_audiences and add_managers are for managers of structures.";
    Err(Error::invalid("permissions", "not_a_structure", text))
}

/// A manager gives no more than they have themselves, and takes no more away.
fn within(tx: &mut Tx<'_, '_>, caller: &Caller, audience: &Audience, grants: Grants) -> Result<()> {
    let Some(manager) = caller.manager else {
        return Ok(());
    };
    if grants_on(tx, audience, manager)?.has(grants) {
        return Ok(());
    }
    let text = "A manager can give and take away only what they may do themselves.";
    Err(Error::invalid("permissions", "beyond_own", text))
}

impl Domain {
    /// The node and its managers, the earliest first. `source` is whose records name them; nothing is any.
    pub async fn manager_list(
        &self,
        caller: &Caller,
        reference: AudienceRef,
        source: Option<&str>,
    ) -> Result<(Audience, Vec<Manager>)> {
        // To see them takes less than to change them, but for those who are managers only.
        let caller = self.acting(caller, Act::See).await?;
        let source = source.map(str::to_owned);
        self.store()
            .read(caller.workspace, move |read| {
                let audience = tree::reach(read, &caller, &reference, Act::See, AUDIENCE)?;
                if let Some(manager) = caller.manager
                    && !Act::Appoint.granted(grants_on(read, &audience, manager)?)
                {
                    return Err(Error::Forbidden(Denied::Permission));
                }
                let rows = store::managers_of(read, audience.id)?;
                let people = rows.iter().map(|row| row.person).collect();
                let mut named = briefs(read, &people, source.as_deref())?;
                let managers = rows.into_iter().map(|row| Manager {
                    person: row.person,
                    record: named.remove(&row.person),
                    grants: Grants::of_bits(row.grants),
                });
                Ok((audience, managers.collect()))
            })
            .await
    }

    /// Makes these people managers with these grants; with `replace` those are no managers any more who are not among
    /// them. Names are as in [`Self::member_put`]; without a source the e-mail address of somebody who is known will do.
    pub async fn manager_put(
        &self,
        context: &Context,
        reference: AudienceRef,
        source: Option<&str>,
        managers: Vec<(String, Grants)>,
        replace: bool,
    ) -> Result<Partial> {
        if managers.len() > limits::MANAGERS_MAX {
            return Err(too_many());
        }
        let caller = self.acting(&context.caller, Act::Appoint).await?;
        let names = distinct(managers.iter().map(|(name, _)| name.clone()));
        let resolver = Resolver::new(self, &caller, source, &names).await?;
        self.command(context, "manager_put", names.len().max(1), move |tx| {
            let audience = tree::reach(tx, &caller, &reference, Act::Appoint, AUDIENCE)?;
            let mut partial = Partial::default();
            let mut kept = HashSet::new();
            for name in &names {
                let Some(person) = resolver.person(tx, name)? else {
                    partial.failed.push((name.clone(), Refused::Unknown));
                    continue;
                };
                let of_name = managers.iter().rfind(|(other, _)| other == name);
                let grants = of_name.map_or(Grants::NONE, |(_, grants)| *grants);
                fitting(&audience, grants)?;
                let before = store::manager_get(tx, audience.id, person)?;
                let before = before.map_or(Grants::NONE, |row| Grants::of_bits(row.grants));
                within(tx, &caller, &audience, grants.with(before))?;
                store::manager_put(tx, audience.id, person, i64::from(grants.0))?;
                kept.insert(person);
                partial.done.push(name.clone());
            }
            if partial.done.is_empty() {
                return Ok(Verdict::Done(partial));
            }
            let rows = store::managers_of(tx, audience.id)?;
            if !replace && rows.len() > limits::MANAGERS_MAX {
                return Err(too_many());
            }
            for row in rows
                .iter()
                .filter(|row| replace && !kept.contains(&row.person))
            {
                within(tx, &caller, &audience, Grants::of_bits(row.grants))?;
                store::manager_delete(tx, audience.id, row.person)?;
            }
            announce(tx, Happening::Managers, &audience)?;
            let count = partial.done.len();
            store::activity_insert(tx, Some(audience.id), &format!("managers={count}"))?;
            Ok(Verdict::Done(partial))
        })
        .await
    }

    /// Makes somebody a manager no more.
    pub async fn manager_remove(
        &self,
        context: &Context,
        reference: AudienceRef,
        source: Option<&str>,
        name: &str,
    ) -> Result<()> {
        let caller = self.acting(&context.caller, Act::Appoint).await?;
        let name = name.to_owned();
        let names = std::slice::from_ref(&name);
        let resolver = Resolver::new(self, &caller, source, names).await?;
        self.command(context, "manager_remove", 1, move |tx| {
            let audience = tree::reach(tx, &caller, &reference, Act::Appoint, AUDIENCE)?;
            const NOBODY: Error = Error::NotFound("manager");
            let person = resolver.person(tx, &name)?.ok_or(NOBODY)?;
            let row = store::manager_get(tx, audience.id, person)?.ok_or(NOBODY)?;
            within(tx, &caller, &audience, Grants::of_bits(row.grants))?;
            store::manager_delete(tx, audience.id, person)?;
            announce(tx, Happening::Managers, &audience)?;
            store::activity_insert(tx, Some(audience.id), "")?;
            Ok(Verdict::Done(()))
        })
        .await
    }
}

fn too_many() -> Error {
    Error::TooLarge(Field {
        name: "managers",
        code: "too_many",
        text: format!(
            "A structure or audience has at most {} managers.",
            limits::MANAGERS_MAX
        ),
    })
}
