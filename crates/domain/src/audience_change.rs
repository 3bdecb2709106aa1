//! Changing a structure or audience: its names, who controls it, its rule, and where it is.
//!
//! A move is planned on a view and then carried out, so a preview answers what the move would. Joining is all or nothing:
//! where somebody cannot join the new structure, nothing is changed and the answer says who. Invariant: a plan that was
//! refused, or asked for as a preview, writes nothing.

use serde::{Deserialize, Serialize};
use sets::Set;
use store::{Audience, AudienceKind, Control, Tx, Verdict, View};

use crate::{
    audience::{
        AUDIENCE, AudienceCounts, Counted, STRUCTURE, name_free, not_a_structure, reference_free,
        valid_description, valid_name, valid_reference,
    },
    audience_list::place,
    caller::{Caller, Context, Scope},
    error::{Error, Result},
    event::{Happening, announce},
    record,
    rule::{self, Rule},
    service::Domain,
    tree::{self, Act, AudienceRef, controlled, held_by, node},
};

/// What may be changed of an audience or structure; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AudienceChange {
    pub name: Option<String>,
    /// `Some(None)` clears it.
    pub description: Option<Option<String>>,
    pub reference: Option<Option<String>>,
    /// The structure that an audience is to be in.
    pub parent: Option<AudienceRef>,
    /// Of a structure, and so of its audiences. Needs the scope admin.
    pub control: Option<Control>,
    /// Of a smart audience.
    pub rule: Option<Rule>,
}

/// A structure or audience after a change, or as it would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    pub audience: Audience,
    /// The structure of an audience.
    pub parent: Option<Audience>,
    /// Where it was, or would be, moved; nothing where it stays.
    pub moved: Option<Moved>,
    /// Of a preview: how many people it would hold.
    pub counts: Option<AudienceCounts>,
}

impl Changed {
    /// Whether nothing was changed, since somebody cannot join the new structure.
    pub fn refused(&self) -> bool {
        self.moved.as_ref().is_some_and(Moved::refused)
    }
}

/// What a move does to people. The sets share their memory with the published ones; an answer that is kept for an idempotency
/// key has the counts only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The two structures.
    pub from: i64,
    pub to: i64,
    pub counts: MovedCounts,
    /// Everybody in the audience.
    #[serde(skip)]
    pub members: Set,
    /// Who was not in the new structure.
    #[serde(skip)]
    pub joined: Set,
    /// Who is not in the old structure any more.
    #[serde(skip)]
    pub left: Set,
    /// Who stays in the old structure, as another of its audiences holds them.
    #[serde(skip)]
    pub kept_by_audience: Set,
    /// Who stays in the old structure, as it holds them itself and none of its audiences does.
    #[serde(skip)]
    pub kept_by_structure: Set,
    /// Who would have to join and is not active.
    #[serde(skip)]
    pub inactive: Set,
    /// Who would have to join, is active, and whose end date has passed.
    #[serde(skip)]
    pub ended: Set,
}

/// How many people each set of a [`Moved`] has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MovedCounts {
    pub members: u64,
    pub joined: u64,
    pub left: u64,
    pub kept_by_audience: u64,
    pub kept_by_structure: u64,
    pub inactive: u64,
    pub ended: u64,
}

impl Moved {
    /// Whether somebody cannot join, so that nothing was changed.
    pub fn refused(&self) -> bool {
        self.counts.inactive + self.counts.ended > 0
    }
}

/// A change whose fields are checked.
#[derive(Debug, Clone)]
struct Valid {
    change: AudienceChange,
    rule: Option<String>,
}

fn valid(change: AudienceChange) -> Result<Valid> {
    let name = change
        .name
        .as_deref()
        .map(|name| valid_name("name", name))
        .transpose()?;
    let rule = change.rule.as_ref().map(rule::valid).transpose()?;
    Ok(Valid {
        change: AudienceChange {
            name,
            description: change.description.map(valid_description).transpose()?,
            reference: change.reference.map(valid_reference).transpose()?,
            ..change
        },
        rule,
    })
}

/// What a change would make of a node.
struct Plan {
    before: Audience,
    changed: Changed,
}

/// Decides a change on what a command or a read sees.
fn plan(
    view: &mut dyn View,
    caller: &Caller,
    before: Audience,
    valid: &Valid,
    now: i64,
) -> Result<Plan> {
    let change = &valid.change;
    let mut after = before.clone();
    after.name = change.name.clone().unwrap_or(after.name);
    after.description = change.description.clone().unwrap_or(after.description);
    after.reference = change.reference.clone().unwrap_or(after.reference);
    if let Some(control) = change.control {
        if before.kind != AudienceKind::Structure {
            let text = "An audience is controlled as its structure is.";
            return Err(Error::invalid("control", "not_a_structure", text));
        }
        after.control = control;
    }
    if let (Some(rule), Some(text)) = (&change.rule, &valid.rule) {
        if before.kind != AudienceKind::Smart {
            let text = "Only a smart audience has a rule.";
            return Err(Error::invalid("rule", "not_smart", text));
        }
        rule::known(view, caller, rule)?;
        after.rule = Some(text.clone());
    }
    let moved = match &change.parent {
        Some(parent) => relocate(view, caller, &before, &mut after, parent, now)?,
        None => None,
    };
    if after != before {
        name_free(view, &after)?;
        reference_free(view, &after)?;
        after.updated = now;
    }
    let placed = place(view, after)?;
    let changed = Changed {
        audience: placed.audience,
        parent: placed.parent,
        moved,
        counts: None,
    };
    Ok(Plan { before, changed })
}

/// Puts the audience into another structure; nothing where it is there already.
fn relocate(
    view: &mut dyn View,
    caller: &Caller,
    before: &Audience,
    after: &mut Audience,
    parent: &AudienceRef,
    now: i64,
) -> Result<Option<Moved>> {
    if before.kind == AudienceKind::Structure {
        let text = "A structure is a root and has no parent.";
        return Err(Error::invalid("parent", "is_a_structure", text));
    }
    let to = node(view, parent)?.ok_or(Error::NotFound(STRUCTURE))?;
    if to.kind != AudienceKind::Structure {
        return Err(not_a_structure("parent"));
    }
    if to.id == before.structure {
        return Ok(None);
    }
    tree::may(view, caller, &to, Act::Change)?;
    (after.structure, after.parent) = (to.id, Some(to.id));
    (after.control, after.unique_names) = (to.control, to.unique_names);
    moved(view, before, to.id, now).map(Some)
}

/// What a move to another structure does to the members.
fn moved(view: &mut dyn View, audience: &Audience, to: i64, now: i64) -> Result<Moved> {
    let from = audience.structure;
    // The members of a smart one are in its structure only where somebody else holds them.
    let members = match audience.kind {
        AudienceKind::Smart => Set::new(),
        AudienceKind::Manual | AudienceKind::Structure => view.members(audience.id)?,
    };
    let parts = tree::parts(view, from)?;
    let others = parts
        .iter()
        .filter(|(id, _)| *id != audience.id && *id != from)
        .map(|(_, set)| set.and(&members));
    let kept_by_audience = Set::union_of(&others.collect::<Vec<Set>>());
    let kept_by_structure = view.members(from)?.and(&members).and_not(&kept_by_audience);
    let joined = members.and_not(&held_by(view, to, None, &members)?);
    let (inactive, ended) = record::barred(view, &joined, now)?;
    let left = members
        .and_not(&kept_by_audience)
        .and_not(&kept_by_structure);
    Ok(Moved {
        from,
        to,
        counts: MovedCounts {
            members: members.len(),
            joined: joined.len(),
            left: left.len(),
            kept_by_audience: kept_by_audience.len(),
            kept_by_structure: kept_by_structure.len(),
            inactive: inactive.len(),
            ended: ended.len(),
        },
        members,
        joined,
        left,
        kept_by_audience,
        kept_by_structure,
        inactive,
        ended,
    })
}

/// Whether the caller may make this change to the node.
fn allowed(
    view: &mut dyn View,
    caller: &Caller,
    audience: &Audience,
    change: &AudienceChange,
) -> Result<()> {
    if let Some(control) = change.control {
        caller.need(Scope::Admin)?;
        caller.need_structure(audience.structure)?;
        let only_control = AudienceChange {
            control: change.control,
            ..AudienceChange::default()
        };
        // Else nobody could take a structure back that is controlled from the other side. What is changed with it needs the
        // control that there was, or that there is then.
        return match *change == only_control {
            true => Ok(()),
            false => controlled(caller, audience.control).or_else(|_| controlled(caller, control)),
        };
    }
    if audience.kind == AudienceKind::Structure {
        caller.need(Scope::StructuresWrite)?;
        caller.need_structure(audience.structure)?;
        return controlled(caller, audience.control);
    }
    tree::may(view, caller, audience, Act::Change)
}

/// Carries a plan out.
fn carry_out(tx: &mut Tx<'_, '_>, plan: &Plan) -> Result<()> {
    let Plan { before, changed } = plan;
    let after = &changed.audience;
    store::audience_update(tx, after)?;
    if after.control != before.control {
        store::audiences_control(tx, after.id, after.control)?;
    }
    let mut detail = Vec::new();
    if after.control != before.control {
        let (old, new) = (before.control.as_str(), after.control.as_str());
        detail.push(format!("control_before={old} control={new}"));
    }
    if let Some(moved) = &changed.moved {
        let MovedCounts { joined, left, .. } = moved.counts;
        let (from, to) = (moved.from, moved.to);
        detail.push(format!("from={from} to={to} joined={joined} left={left}"));
        announce(tx, Happening::Moved(moved), after)?;
    } else {
        announce(tx, Happening::Updated, after)?;
    }
    Ok(store::activity_insert(
        tx,
        Some(after.id),
        &detail.join(" "),
    )?)
}

impl Domain {
    /// Changes a structure or audience: all of it or nothing. With `dry_run` it answers what would be changed and changes
    /// nothing. A move that somebody cannot join is no error: [`Changed::refused`] tells.
    pub async fn audience_change(
        &self,
        context: &Context,
        reference: AudienceRef,
        change: AudienceChange,
        dry_run: bool,
    ) -> Result<Changed> {
        let node = (reference, AUDIENCE);
        self.change_node(context, "audience_change", node, change, dry_run)
            .await
    }

    /// Changes a structure. Needs the scope structures:write; its control, admin.
    pub async fn structure_update(
        &self,
        context: &Context,
        id: i64,
        change: AudienceChange,
    ) -> Result<Audience> {
        let node = (AudienceRef::Id(id), STRUCTURE);
        let changed = self
            .change_node(context, "structure_update", node, change, false)
            .await?;
        Ok(changed.audience)
    }

    /// Changes an audience; a structure is *not found*.
    pub async fn audience_update(
        &self,
        context: &Context,
        id: i64,
        change: AudienceChange,
    ) -> Result<Audience> {
        let node = (AudienceRef::Id(id), AUDIENCE);
        let changed = self
            .change_node(context, "audience_update", node, change, false)
            .await?;
        Ok(changed.audience)
    }

    /// What a change answered, with the counts as they are just after it; so a repetition by idempotency key answers the
    /// same node with the counts of now.
    pub async fn changed_counted(&self, context: &Context, changed: &Changed) -> Result<Counted> {
        let (domain, audience) = (self.clone(), changed.audience.clone());
        self.store()
            .read(context.caller.workspace, move |read| {
                domain.count_one(read, audience)
            })
            .await
    }

    async fn change_node(
        &self,
        context: &Context,
        verb: &'static str,
        (reference, noun): (AudienceRef, &'static str),
        change: AudienceChange,
        dry_run: bool,
    ) -> Result<Changed> {
        let valid = valid(change)?;
        // A structure's scope is its own; which it is, is known in the command.
        let caller = match context.caller.need(Scope::StructuresWrite) {
            Ok(()) => context.caller.clone(),
            Err(_) => self.acting(&context.caller, Act::Change).await?,
        };
        let decide = move |view: &mut dyn View, now: i64| {
            let before = node(view, &reference)?.ok_or(Error::NotFound(noun))?;
            let is_structure = before.kind == AudienceKind::Structure;
            let wanted = match verb {
                "structure_update" => is_structure,
                "audience_update" => !is_structure,
                _ => true,
            };
            if !wanted {
                return Err(Error::NotFound(noun));
            }
            allowed(view, &caller, &before, &valid.change)?;
            plan(view, &caller, before, &valid, now)
        };
        if dry_run {
            let (now, domain) = (self.now_ms(), self.clone());
            return self
                .store()
                .read(context.caller.workspace, move |read| {
                    let mut changed = decide(read, now)?.changed;
                    let counted = domain.count_one(read, changed.audience.clone())?;
                    changed.counts = Some(counted.counts);
                    Ok::<_, Error>(changed)
                })
                .await;
        }
        self.command(context, verb, 1, move |tx| {
            let now = tx.meta().time;
            let plan = decide(tx, now)?;
            let untouched = plan.changed.audience == plan.before;
            if !untouched && !plan.changed.refused() {
                carry_out(tx, &plan)?;
            }
            Ok(Verdict::Done(plan.changed))
        })
        .await
    }
}
