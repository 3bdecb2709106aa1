//! Structures and audiences: their names, who may see them, and how many people they hold.

use serde::{Deserialize, Serialize};
use store::{Audience, AudienceKind, Control, Read, Sql, Tx, Verdict};

use crate::{
    caller::{Caller, Context, Scope},
    error::{Denied, Error, Field, Result},
    event::{self, EventData, EventKind},
    identifier::{self, Kind},
    limits,
    service::Domain,
};

/// A structure to be made: a root that owns audiences.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StructureNew {
    pub name: String,
    pub reference: Option<String>,
}

/// An audience to be made in a structure.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AudienceNew {
    pub structure: i64,
    pub name: String,
    pub description: Option<String>,
    pub reference: Option<String>,
}

/// What may be changed of an audience or structure; what is absent stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AudienceChange {
    pub name: Option<String>,
    /// `Some(None)` clears it.
    pub description: Option<Option<String>>,
    pub reference: Option<Option<String>>,
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

/// An audience with its counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    pub audience: Audience,
    pub counts: AudienceCounts,
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

fn valid_description(description: Option<String>) -> Result<Option<String>> {
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

fn valid_reference(reference: Option<String>) -> Result<Option<String>> {
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

/// The audience or structure, if the caller may touch it: unknown is *not found*, outside the portfolio is *forbidden*.
pub(crate) fn find(
    sql: &mut dyn Sql,
    caller: &Caller,
    id: i64,
    noun: &'static str,
) -> Result<Audience> {
    let audience = store::audience_get(sql, id)?.ok_or(Error::NotFound(noun))?;
    if (audience.kind == AudienceKind::Structure) != (noun == STRUCTURE) {
        return Err(Error::NotFound(noun));
    }
    caller.need_structure(audience.structure)?;
    Ok(audience)
}

pub(crate) const STRUCTURE: &str = "structure";
pub(crate) const AUDIENCE: &str = "audience";

fn name_free(tx: &mut Tx<'_, '_>, audience: &Audience) -> Result<()> {
    if !audience.unique_names || audience.kind == AudienceKind::Structure {
        return Ok(());
    }
    match store::audience_by_name(tx, audience.structure, &audience.name)? {
        Some(other) if other.id != audience.id => Err(taken(
            "name",
            "Another audience of the structure has this name.",
        )),
        _ => Ok(()),
    }
}

fn reference_free(tx: &mut Tx<'_, '_>, audience: &Audience) -> Result<()> {
    let Some(reference) = &audience.reference else {
        return Ok(());
    };
    match store::audience_by_reference(tx, reference)? {
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
    /// Makes a structure. Needs the scope admin.
    pub async fn structure_create(&self, context: &Context, new: StructureNew) -> Result<Audience> {
        context.caller.need(Scope::Admin)?;
        context.caller.need_every_structure()?;
        let (name, reference) = (
            valid_name("name", &new.name)?,
            valid_reference(new.reference)?,
        );
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
                control: Control::Both,
                unique_names: true,
                created: tx.meta().time,
                updated: tx.meta().time,
            };
            reference_free(tx, &structure)?;
            store::audience_insert(tx, &structure)?;
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
                let mut found: Vec<Audience> = Vec::new();
                let mut after = after;
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
            })
            .await
    }

    pub async fn structure_get(&self, caller: &Caller, id: i64) -> Result<Audience> {
        caller.need(Scope::AudiencesRead)?;
        let caller = caller.clone();
        self.store()
            .read(caller.workspace, move |read| {
                find(read, &caller, id, STRUCTURE)
            })
            .await
    }

    /// Changes a structure's name or reference. Needs the scope admin.
    pub async fn structure_update(
        &self,
        context: &Context,
        id: i64,
        change: AudienceChange,
    ) -> Result<Audience> {
        context.caller.need(Scope::Admin)?;
        self.update(context, "structure_update", id, STRUCTURE, change)
            .await
    }

    /// Deletes a structure that has no audiences. Needs the scope admin.
    pub async fn structure_delete(&self, context: &Context, id: i64) -> Result<()> {
        context.caller.need(Scope::Admin)?;
        let caller = context.caller.clone();
        self.command(context, "structure_delete", 1, move |tx| {
            find(tx, &caller, id, STRUCTURE)?;
            if store::audiences_count(tx, Some(id))? > 0 {
                return Err(Error::Conflict(
                    "The structure still has audiences: delete them first.",
                ));
            }
            delete(tx, id)
        })
        .await
    }

    /// Makes an audience. A structure that is unknown or outside the portfolio is *forbidden*, so that nobody learns
    /// which ids exist.
    pub async fn audience_create(&self, context: &Context, new: AudienceNew) -> Result<Audience> {
        context.caller.need(Scope::AudiencesWrite)?;
        context.caller.need_structure(new.structure)?;
        let (name, reference) = (
            valid_name("name", &new.name)?,
            valid_reference(new.reference)?,
        );
        let description = valid_description(new.description)?;
        let structure = new.structure;
        self.command(context, "audience_create", 1, move |tx| {
            let root = store::audience_get(tx, structure)?
                .filter(|root| root.kind == AudienceKind::Structure)
                .ok_or(Error::Forbidden(Denied::Structure))?;
            room(tx)?;
            let audience = Audience {
                id: tx.next_id(),
                structure,
                parent: Some(structure),
                kind: AudienceKind::Manual,
                name: name.clone(),
                description: description.clone(),
                reference: reference.clone(),
                control: root.control,
                unique_names: root.unique_names,
                created: tx.meta().time,
                updated: tx.meta().time,
            };
            name_free(tx, &audience)?;
            reference_free(tx, &audience)?;
            store::audience_insert(tx, &audience)?;
            store::activity_insert(tx, Some(audience.id), "")?;
            event::emit(tx, EventKind::AudienceCreated, &EventData::of(&audience))?;
            Ok(Verdict::Done(audience))
        })
        .await
    }

    /// Audiences with `id > after` in order of id, with exact counts: of one structure, or of the whole portfolio.
    pub async fn audience_list(
        &self,
        caller: &Caller,
        structure: Option<i64>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Counted>> {
        caller.need(Scope::AudiencesRead)?;
        if let Some(structure) = structure {
            caller.need_structure(structure)?;
        }
        let caller = caller.clone();
        self.store()
            .read(caller.workspace, move |read| {
                if let Some(structure) = structure {
                    store::audience_get(read, structure)?
                        .filter(|root| root.kind == AudienceKind::Structure)
                        .ok_or(Error::Forbidden(Denied::Structure))?;
                }
                let found = page(read, &caller, structure, after, limit)?;
                let counter = Counter::new(read);
                Ok(found
                    .into_iter()
                    .map(|audience| Counted {
                        counts: counter.count(read, audience.id),
                        audience,
                    })
                    .collect())
            })
            .await
    }

    pub async fn audience_get(&self, caller: &Caller, id: i64) -> Result<Counted> {
        caller.need(Scope::AudiencesRead)?;
        let caller = caller.clone();
        self.store()
            .read(caller.workspace, move |read| {
                let audience = find(read, &caller, id, AUDIENCE)?;
                Ok(Counted {
                    counts: Counter::new(read).count(read, id),
                    audience,
                })
            })
            .await
    }

    pub async fn audience_update(
        &self,
        context: &Context,
        id: i64,
        change: AudienceChange,
    ) -> Result<Audience> {
        context.caller.need(Scope::AudiencesWrite)?;
        self.update(context, "audience_update", id, AUDIENCE, change)
            .await
    }

    /// [`Self::audience_update`] with the counts as they are just after it; so a repetition by idempotency key answers
    /// the same audience with the counts of now.
    pub async fn audience_update_counted(
        &self,
        context: &Context,
        id: i64,
        change: AudienceChange,
    ) -> Result<Counted> {
        let audience = self.audience_update(context, id, change).await?;
        let count = move |read: &mut Read<'_>| Ok::<_, Error>(Counter::new(read).count(read, id));
        let counts = self.store().read(context.caller.workspace, count).await?;
        Ok(Counted { audience, counts })
    }

    async fn update(
        &self,
        context: &Context,
        verb: &'static str,
        id: i64,
        noun: &'static str,
        change: AudienceChange,
    ) -> Result<Audience> {
        let name = change
            .name
            .as_deref()
            .map(|name| valid_name("name", name))
            .transpose()?;
        let description = change.description.map(valid_description).transpose()?;
        let reference = change.reference.map(valid_reference).transpose()?;
        let caller = context.caller.clone();
        self.command(context, verb, 1, move |tx| {
            let before = find(tx, &caller, id, noun)?;
            let mut audience = before.clone();
            audience.name = name.clone().unwrap_or(audience.name);
            audience.description = description.clone().unwrap_or(audience.description);
            audience.reference = reference.clone().unwrap_or(audience.reference);
            if audience == before {
                return Ok(Verdict::Done(audience));
            }
            audience.updated = tx.meta().time;
            name_free(tx, &audience)?;
            reference_free(tx, &audience)?;
            store::audience_update(tx, &audience)?;
            store::activity_insert(tx, Some(id), "")?;
            Ok(Verdict::Done(audience))
        })
        .await
    }

    /// Deletes an audience and its membership; the people stay.
    pub async fn audience_delete(&self, context: &Context, id: i64) -> Result<()> {
        context.caller.need(Scope::AudiencesWrite)?;
        let caller = context.caller.clone();
        self.command(context, "audience_delete", 1, move |tx| {
            let audience = find(tx, &caller, id, AUDIENCE)?;
            event::emit(tx, EventKind::AudienceDeleted, &EventData::of(&audience))?;
            delete(tx, id)
        })
        .await
    }
}

fn delete(tx: &mut Tx<'_, '_>, id: i64) -> Result<Verdict<(), Error>> {
    let people = tx.set(id).len();
    store::audience_delete(tx, id)?;
    tx.set_drop(id);
    store::activity_insert(tx, Some(id), &format!("people={people}"))?;
    Ok(Verdict::Done(()))
}

fn page(
    read: &mut Read<'_>,
    caller: &Caller,
    structure: Option<i64>,
    mut after: i64,
    limit: usize,
) -> Result<Vec<Audience>> {
    let mut found: Vec<Audience> = Vec::new();
    while found.len() < limit {
        let wanted = (limit - found.len()).min(limits::PAGE_ITEMS_MAX);
        let page = store::audience_page(read, structure, after, wanted as i64)?;
        let Some(last) = page.last() else { break };
        after = last.id;
        found.extend(
            page.into_iter()
                .filter(|audience| caller.portfolio.has(audience.structure)),
        );
    }
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

    fn count(&self, read: &Read<'_>, id: i64) -> AudienceCounts {
        let people = read.set(id);
        AudienceCounts {
            people: people.len(),
            with_email: people.and_len(&self.email),
            with_email_matched: people.and_len(&self.others),
        }
    }
}
