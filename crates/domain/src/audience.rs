//! Structures and audiences: their names, who may see them, and how many people they hold.

use serde::{Deserialize, Serialize};
use store::{Audience, AudienceKind, Control, Sql, Tx, Verdict};

use crate::{
    caller::{Caller, Context, Scope},
    error::{Denied, Error, Field, Result},
    event::{Happening, announce},
    id::IdKind,
    limits,
    rule::{self, Rule},
    service::Domain,
    tree::{self, Act, own_id},
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

/// What is refused since another noun has it.
pub(crate) fn taken(name: &'static str, text: &str) -> Error {
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
}

pub(crate) fn not_a_structure(field: &'static str) -> Error {
    let text = "Only a structure has audiences: this is an audience itself.";
    Error::invalid(field, "not_a_structure", text)
}
