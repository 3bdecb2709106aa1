//! Structures and audiences: their names, who may see them, and how many people they hold.

use std::collections::{HashMap, hash_map::Entry};

use serde::{Deserialize, Serialize};
use store::{Audience, AudienceKind, Control, Read, Sql, Tx, Verdict};

use crate::{
    caller::{Caller, Context, Portfolio, Scope},
    error::{Denied, Error, Field, Result},
    event::{Happening, announce},
    id::IdKind,
    identifier::{self, Kind},
    limits,
    manager::managed,
    rule::{self, Rule},
    service::Domain,
    tree::{self, Act, AudienceRef, own_id},
};

/// A structure to be made: a root that owns audiences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StructureNew {
    pub name: String,
    pub reference: Option<String>,
    /// Who may write to it and its audiences.
    pub control: Control,
    /// Whether no two of its audiences may have the same name.
    pub unique_names: bool,
}

impl StructureNew {
    /// One that API and console may write to, whose audiences have names of their own.
    pub fn new(name: impl Into<String>) -> StructureNew {
        StructureNew {
            name: name.into(),
            reference: None,
            control: Control::Both,
            unique_names: true,
        }
    }
}

/// An audience to be made in a structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudienceNew {
    pub structure: i64,
    pub name: String,
    pub description: Option<String>,
    pub reference: Option<String>,
    /// Makes it a smart one.
    pub rule: Option<Rule>,
}

impl AudienceNew {
    /// A manual one without description and reference.
    pub fn new(structure: i64, name: impl Into<String>) -> AudienceNew {
        AudienceNew {
            structure,
            name: name.into(),
            description: None,
            reference: None,
            rule: None,
        }
    }
}

/// How many people an audience holds; each number is exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudienceCounts {
    pub people: u64,
    /// Of these, those with an e-mail key.
    pub with_email: u64,
    /// Of these, those who are known by an identifier of another kind or by a record too.
    pub with_email_matched: u64,
}

/// An audience with its counts; of a structure, those of its people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    pub audience: Audience,
    pub counts: AudienceCounts,
}

/// A structure or audience where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    pub audience: Audience,
    /// The structure of an audience.
    pub parent: Option<Audience>,
}

/// A trimmed name of 1 to 255 characters without control characters.
pub(crate) fn valid_name(field: &'static str, name: &str) -> Result<String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(Error::invalid(
            field,
            "required",
            "The name must not be empty.",
        ));
    }
    if name.chars().count() > limits::NAME_CHARS_MAX {
        let text = format!(
            "The name must not be longer than {} characters.",
            limits::NAME_CHARS_MAX
        );
        return Err(Error::invalid(field, "too_long", text));
    }
    if name.chars().any(char::is_control) {
        return Err(Error::invalid(
            field,
            "malformed",
            "The name must not hold control characters.",
        ));
    }
    Ok(name.to_owned())
}

pub(crate) fn valid_description(description: Option<String>) -> Result<Option<String>> {
    let Some(text) = description else {
        return Ok(None);
    };
    if text.chars().count() > limits::DESCRIPTION_CHARS_MAX {
        let text = format!(
            "The description must not be longer than {} characters.",
            limits::DESCRIPTION_CHARS_MAX
        );
        return Err(Error::invalid("description", "too_long", text));
    }
    // PostgreSQL's text cannot hold it.
    if text.contains('\0') {
        return Err(Error::invalid(
            "description",
            "malformed",
            "The description must not hold a NUL character.",
        ));
    }
    Ok(Some(text))
}

pub(crate) fn valid_reference(reference: Option<String>) -> Result<Option<String>> {
    let Some(text) = reference else {
        return Ok(None);
    };
    let trimmed = text.trim();
    if trimmed.is_empty()
        || trimmed.chars().count() > limits::REFERENCE_CHARS_MAX
        || trimmed.contains(char::is_control)
    {
        let text = format!(
            "The reference must be 1 to {} characters.",
            limits::REFERENCE_CHARS_MAX
        );
        return Err(Error::invalid("reference", "malformed", text));
    }
    Ok(Some(trimmed.to_owned()))
}

fn taken(name: &'static str, text: &str) -> Error {
    Error::AlreadyExists(Field {
        name,
        code: "already_used",
        text: text.into(),
    })
}

/// The audience or structure, if the caller may do this to it: unknown is *not found*, outside the portfolio is *forbidden*.
pub(crate) fn find(
    sql: &mut dyn Sql,
    caller: &Caller,
    id: i64,
    act: Act,
    noun: &'static str,
) -> Result<Audience> {
    let audience = store::audience_get(sql, id)?.ok_or(Error::NotFound(noun))?;
    if (audience.kind == AudienceKind::Structure) != (noun == STRUCTURE) {
        return Err(Error::NotFound(noun));
    }
    tree::may(sql, caller, &audience, act)?;
    Ok(audience)
}

pub(crate) const STRUCTURE: &str = "structure";
pub(crate) const AUDIENCE: &str = "audience";

pub(crate) fn name_free(sql: &mut dyn Sql, audience: &Audience) -> Result<()> {
    if !audience.unique_names || audience.kind == AudienceKind::Structure {
        return Ok(());
    }
    match store::audience_by_name(sql, audience.structure, &audience.name)? {
        Some(other) if other.id != audience.id => Err(taken(
            "name",
            "Another audience of the structure has this name.",
        )),
        _ => Ok(()),
    }
}

/// A reference that reads as an id would name two nouns at once, now or one day.
pub(crate) fn reference_free(sql: &mut dyn Sql, audience: &Audience) -> Result<()> {
    let Some(reference) = &audience.reference else {
        return Ok(());
    };
    let as_id = own_id(sql.workspace(), reference, IdKind::Audience);
    if as_id.is_some_and(|id| id != audience.id) {
        return Err(taken(
            "reference",
            "This reference is the id of an audience.",
        ));
    }
    match store::audience_by_reference(sql, reference)? {
        Some(other) if other.id != audience.id => {
            Err(taken("reference", "Another audience has this reference."))
        }
        _ => Ok(()),
    }
}

fn room(tx: &mut Tx<'_, '_>) -> Result<()> {
    if store::audiences_count(tx, None)? < limits::AUDIENCES_MAX {
        return Ok(());
    }
    Err(Error::TooLarge(Field {
        name: AUDIENCE,
        code: "too_many",
        text: format!(
            "A workspace holds at most {} structures and audiences.",
            limits::AUDIENCES_MAX
        ),
    }))
}

impl Domain {
    /// Makes a structure. Needs the scope structures:write and every structure.
    pub async fn structure_create(&self, context: &Context, new: StructureNew) -> Result<Audience> {
        context.caller.need(Scope::StructuresWrite)?;
        context.caller.need_every_structure()?;
        let (name, reference) = (
            valid_name("name", &new.name)?,
            valid_reference(new.reference)?,
        );
        let (control, unique_names) = (new.control, new.unique_names);
        self.command(context, "structure_create", 1, move |tx| {
            room(tx)?;
            let id = tx.next_id();
            let structure = Audience {
                id,
                structure: id,
                parent: None,
                kind: AudienceKind::Structure,
                name: name.clone(),
                description: None,
                reference: reference.clone(),
                control,
                unique_names,
                created: tx.meta().time,
                updated: tx.meta().time,
                rule: None,
            };
            reference_free(tx, &structure)?;
            store::audience_insert(tx, &structure)?;
            announce(tx, Happening::Created, &structure)?;
            store::activity_insert(tx, Some(id), "")?;
            Ok(Verdict::Done(structure))
        })
        .await
    }

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

    /// Makes an audience. A structure that is unknown or outside the portfolio is *forbidden*, so that nobody learns
    /// which ids exist. An audience as the structure is *invalid*.
    pub async fn audience_create(&self, context: &Context, new: AudienceNew) -> Result<Audience> {
        let caller = self.acting(&context.caller, Act::Change).await?;
        if caller.manager.is_none() {
            caller.need_structure(new.structure)?;
        }
        let (name, reference) = (
            valid_name("name", &new.name)?,
            valid_reference(new.reference)?,
        );
        let description = valid_description(new.description)?;
        let rule = new.rule.as_ref().map(rule::valid).transpose()?;
        let (structure, parsed) = (new.structure, new.rule);
        self.command(context, "audience_create", 1, move |tx| {
            let root =
                store::audience_get(tx, structure)?.ok_or(Error::Forbidden(Denied::Structure))?;
            tree::may(tx, &caller, &root, Act::Change)?;
            if root.kind != AudienceKind::Structure {
                return Err(not_a_structure("structure"));
            }
            if let Some(rule) = &parsed {
                rule::known(tx, &caller, rule)?;
            }
            room(tx)?;
            let audience = Audience {
                id: tx.next_id(),
                structure,
                parent: Some(structure),
                kind: match &rule {
                    Some(_) => AudienceKind::Smart,
                    None => AudienceKind::Manual,
                },
                name: name.clone(),
                description: description.clone(),
                reference: reference.clone(),
                control: root.control,
                unique_names: root.unique_names,
                created: tx.meta().time,
                updated: tx.meta().time,
                rule: rule.clone(),
            };
            name_free(tx, &audience)?;
            reference_free(tx, &audience)?;
            store::audience_insert(tx, &audience)?;
            announce(tx, Happening::Created, &audience)?;
            store::activity_insert(tx, Some(audience.id), "")?;
            Ok(Verdict::Done(audience))
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
        let counts = self.counts(read, &Counter::new(read), &audience)?;
        Ok(Counted { audience, counts })
    }

    /// The audiences of one answer with their counts.
    fn counted(&self, read: &mut Read<'_>, found: Vec<Audience>) -> Result<Vec<Counted>> {
        let counter = Counter::new(read);
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
        Ok(counter.count(&self.people_of(read, audience)?))
    }
}

/// Which structures and audiences a list by number has.
pub type TreeQuery = store::TreeFilter;

pub(crate) fn not_a_structure(field: &'static str) -> Error {
    let text = "Only a structure has audiences: this is an audience itself.";
    Error::invalid(field, "not_a_structure", text)
}

/// The node with its structure.
pub(crate) fn place(sql: &mut dyn Sql, audience: Audience) -> Result<Placed> {
    let parent = match audience.parent {
        Some(parent) => store::audience_get(sql, parent)?,
        None => None,
    };
    Ok(Placed { audience, parent })
}

/// The nodes with their structures, each of which is read once.
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
    fn new(read: &Read<'_>) -> Counter {
        let mut others = read.set(identifier::RECORDS_SET);
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Email) {
            others.insert_all(&read.set(kind.set()));
        }
        let email = read.set(Kind::Email.set());
        others = others.and(&email);
        Counter { email, others }
    }

    fn count(&self, people: &sets::Set) -> AudienceCounts {
        AudienceCounts {
            people: people.len(),
            with_email: people.and_len(&self.email),
            with_email_matched: people.and_len(&self.others),
        }
    }
}
