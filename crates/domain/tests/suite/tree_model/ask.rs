//! Steps as commands: each is put into the queue in its turn, the model moves on as if it were done, and the answer is
//! compared with what the model says.

use std::fmt::Debug;

use domain::{
    AudienceChange, AudienceNew, AudienceRef, Changed, Control, Deletion, DialectId, Domain, Error,
    IdKind, Moved, Rule, StructureNew,
};
use futures_util::future::BoxFuture;

use super::{
    Operand, Step,
    ask_people::{managers, members, named, records},
    model::{Model, Node, People, Rec, Way, Wrong, pick},
    text,
};
use crate::support::context;

/// What only the answer tells.
pub enum Learned {
    Nothing,
    Node(i64, Node),
    Record(i64, Rec),
}

pub type Asked<'a> = BoxFuture<'a, Learned>;

fn wrong(error: &Error) -> Wrong {
    match error {
        Error::NotFound(noun) => ("not found", *noun),
        Error::AlreadyExists(field) => ("exists", field.name),
        Error::Invalid(field) => (field.name, field.code),
        Error::Conflict(_) => ("conflict", ""),
        error => panic!("{error:?}"),
    }
}

pub fn same<T: Debug + PartialEq>(what: &str, found: Result<T, Error>, expected: Result<T, Wrong>) {
    assert_eq!(found.map_err(|error| wrong(&error)), expected, "{what}");
}

/// Puts a step's command into the queue; nothing where there is nothing to do it to.
pub fn ask<'a>(domain: &'a Domain, model: &mut Model, step: &'a Step) -> Option<Asked<'a>> {
    match step {
        Step::Structure(..) | Step::Child(..) | Step::Smart(..) => create(domain, model, step),
        Step::Change(..) | Step::Control(..) | Step::Move { .. } => change(domain, model, step),
        Step::Delete(..) | Step::DeleteStructure(..) => delete(domain, model, step),
        Step::Add(..) | Step::Remove(..) | Step::Replace(..) | Step::Empty(..) => {
            members(domain, model, step)
        }
        Step::Put(..) | Step::RemoveNamed(..) => named(domain, model, step),
        Step::Manage(..) | Step::Unmanage(..) => managers(domain, model, step),
        Step::Hire(..) | Step::Alter(..) | Step::Dismiss(..) => records(domain, model, step),
        Step::Group(..) | Step::Day | Step::Sweep | Step::Checkpoint | Step::Restart => None,
    }
}

fn rule(model: &Model, operand: &Operand) -> Option<Rule> {
    let all = |operands: &[Operand]| -> Option<Vec<Rule>> {
        operands.iter().map(|one| rule(model, one)).collect()
    };
    Some(match operand {
        Operand::Node(slot) => Rule::Audience(model.node(*slot)?),
        Operand::All(operands) => Rule::All(all(operands)?),
        Operand::Any(operands) => Rule::Any(all(operands)?),
        Operand::Not(operand) => Rule::Not(Box::new(rule(model, operand)?)),
    })
}

fn names_smart(model: &Model, rule: &Rule) -> bool {
    match rule {
        Rule::Audience(id) => model.is_smart(*id),
        Rule::Channel(_) => false,
        Rule::All(rules) | Rule::Any(rules) => rules.iter().any(|one| names_smart(model, one)),
        Rule::Not(rule) => names_smart(model, rule),
    }
}

fn create<'a>(domain: &'a Domain, model: &mut Model, step: &'a Step) -> Option<Asked<'a>> {
    let blank = |structure, name| Node {
        structure,
        name,
        reference: None,
        own: People::new(),
        rule: None,
        control: Control::Both,
        unique: true,
        managers: Default::default(),
    };
    let smart = model.nodes.values().filter(|one| one.rule.is_some());
    let (smart, structures) = (smart.count(), model.structures().len());
    if let Step::Structure(name, unique) = step {
        let node = Node {
            unique: *unique,
            ..blank(None, *name)
        };
        let new = StructureNew {
            unique_names: *unique,
            ..StructureNew::new(text::name(*name))
        };
        return (structures < 3).then(|| -> Asked<'_> {
            Box::pin(async move {
                let made = domain.structure_create(&context("structure"), new).await;
                Learned::Node(made.expect("a structure").id, node)
            })
        });
    }
    let node = match step {
        Step::Child(slot, name, reference) if model.nodes.len() - smart - structures < 8 => Node {
            reference: *reference,
            ..blank(Some(model.structure(*slot)?), *name)
        },
        Step::Smart(slot, name, operand) if smart < 2 => Node {
            rule: Some(rule(model, operand)?),
            ..blank(Some(model.structure(*slot)?), *name)
        },
        _ => return None,
    };
    let bad_rule = node
        .rule
        .as_ref()
        .is_some_and(|one| names_smart(model, one));
    let bad_rule = bad_rule.then_some(("rule", "smart"));
    let taken = model.taken(None, node.structure, node.name, node.reference);
    let expected = bad_rule.or(taken).map_or(Ok(()), Err);
    let new = AudienceNew {
        reference: node.reference.map(text::reference),
        rule: node.rule.clone(),
        ..AudienceNew::new(node.structure?, text::name(node.name))
    };
    Some(Box::pin(async move {
        let made = domain.audience_create(&context("create"), new).await;
        let id = made.as_ref().map(|made| made.id).ok();
        same("a new audience", made.clone().map(drop), expected);
        id.map_or(Learned::Nothing, |id| Learned::Node(id, node))
    }))
}

fn way(moved: &Moved) -> Way {
    let people = |set: &sets::Set| -> People { set.iter().collect() };
    let way = Way {
        from: moved.from,
        to: moved.to,
        members: people(&moved.members),
        joined: people(&moved.joined),
        left: people(&moved.left),
        kept_by_audience: people(&moved.kept_by_audience),
        kept_by_structure: people(&moved.kept_by_structure),
        inactive: people(&moved.inactive),
        ended: people(&moved.ended),
    };
    let counts = &moved.counts;
    let lengths = [
        (counts.members, &way.members),
        (counts.joined, &way.joined),
        (counts.left, &way.left),
        (counts.kept_by_audience, &way.kept_by_audience),
        (counts.kept_by_structure, &way.kept_by_structure),
        (counts.inactive, &way.inactive),
        (counts.ended, &way.ended),
    ];
    assert!(
        lengths
            .iter()
            .all(|(count, who)| *count == who.len() as u64)
    );
    way
}

/// What a move must answer, and the audience as it is then.
fn moves(model: &Model, id: i64, to: i64, name: Option<u8>) -> Result<(Option<Way>, Node), Wrong> {
    let mut node = model.nodes[&id].clone();
    let Some(from) = node.structure else {
        return Err(("parent", "is_a_structure"));
    };
    if model.nodes[&to].structure.is_some() {
        return Err(("parent", "not_a_structure"));
    }
    node.structure = Some(to);
    node.name = name.unwrap_or(node.name);
    if let Some(taken) = model.taken(Some(id), node.structure, node.name, node.reference) {
        return Err(taken);
    }
    Ok(((from != to).then(|| model.way(id, to)), node))
}

/// Asks what a move would do, and sees that it did nothing.
async fn preview(domain: &Domain, id: i64, change: &AudienceChange) -> Result<Changed, Error> {
    let before = domain.store().head_seq(1).await.expect("a head");
    let node = AudienceRef::Id(id);
    let context = context("preview");
    let asked = domain.audience_change(&context, node, change.clone(), true);
    let asked = asked.await;
    let after = domain.store().head_seq(1).await.expect("a head");
    assert_eq!(before, after, "a preview writes nothing");
    asked
}

fn parent(id: i64) -> AudienceRef {
    if id % 2 == 0 {
        return AudienceRef::Id(id);
    }
    let named = DialectId {
        workspace: 1,
        kind: IdKind::Audience,
        id,
    };
    AudienceRef::Name(named.to_hex())
}

fn change<'a>(domain: &'a Domain, model: &mut Model, step: &'a Step) -> Option<Asked<'a>> {
    match step {
        Step::Change(slot, name, reference) => {
            let id = model.node(*slot)?;
            let mut node = model.nodes[&id].clone();
            (node.name, node.reference) = (*name, reference.unwrap_or(node.reference));
            let taken = model.taken(Some(id), node.structure, node.name, node.reference);
            let change = AudienceChange {
                name: Some(text::name(*name)),
                reference: reference.map(|one| one.map(text::reference)),
                ..AudienceChange::default()
            };
            let expected = taken.map_or(Ok(()), Err);
            if expected.is_ok() {
                model.nodes.insert(id, node);
            }
            Some(changed(domain, id, change, expected))
        }
        Step::Control(slot, control) => {
            let id = model.node(*slot)?;
            let node = model.nodes.get_mut(&id)?;
            let expected = match node.structure {
                Some(_) => Err(("control", "not_a_structure")),
                None => {
                    node.control = *control;
                    Ok(())
                }
            };
            let change = AudienceChange {
                control: Some(*control),
                ..AudienceChange::default()
            };
            Some(changed(domain, id, change, expected))
        }
        Step::Move {
            node,
            to,
            name,
            preview,
        } => moving(domain, model, (*node, *to), *name, *preview),
        _ => None,
    }
}

fn changed(
    domain: &Domain,
    id: i64,
    change: AudienceChange,
    expected: Result<(), Wrong>,
) -> Asked<'_> {
    Box::pin(async move {
        let node = AudienceRef::Id(id);
        let context = context("change");
        let done = domain.audience_change(&context, node, change, false);
        same("a change", done.await.map(drop), expected);
        Learned::Nothing
    })
}

fn moving<'a>(
    domain: &'a Domain,
    model: &mut Model,
    (node, to): (u8, u8),
    name: Option<u8>,
    first: bool,
) -> Option<Asked<'a>> {
    // Mostly what can be done.
    let id = match node {
        0..220 => model.child(node)?,
        _ => model.node(node)?,
    };
    let to = match to {
        0..200 => {
            let mut others = model.structures();
            others.retain(|one| model.nodes[&id].structure != Some(*one));
            pick(&others, to)?
        }
        _ => model.node(to)?,
    };
    let expected = moves(model, id, to, name);
    let people = model.people(id).len() as u64;
    let change = AudienceChange {
        name: name.map(text::name),
        parent: Some(parent(to)),
        ..AudienceChange::default()
    };
    if let Ok((way, node)) = &expected
        && !way.as_ref().is_some_and(Way::barred)
    {
        model.nodes.insert(id, node.clone());
    }
    let expected = expected.map(|(way, _)| way);
    Some(Box::pin(async move {
        let asked = match first {
            true => Some(preview(domain, id, &change).await),
            false => None,
        };
        let node = AudienceRef::Id(id);
        let context = context("move");
        let done = domain.audience_change(&context, node, change, false);
        let done = done.await;
        if let Some(mut asked) = asked {
            if let Ok(asked) = &mut asked {
                let counts = asked.counts.take().expect("a preview counts");
                assert_eq!(counts.people, people, "who would be in it");
            }
            assert_eq!(asked, done, "a preview and what it was of");
        }
        let found = done.map(|done| done.moved.as_ref().map(way));
        same("a move", found, expected);
        Learned::Nothing
    }))
}

fn delete<'a>(domain: &'a Domain, model: &mut Model, step: &'a Step) -> Option<Asked<'a>> {
    let (id, with) = match step {
        Step::Delete(slot) => (model.node(*slot)?, None),
        Step::DeleteStructure(slot, with) => (model.structure(*slot)?, Some(*with)),
        _ => return None,
    };
    let refused = with == Some(false) && !model.children(id).is_empty();
    if !refused {
        model
            .nodes
            .retain(|other, node| *other != id && node.structure != Some(id));
    }
    let expected = match refused {
        true => Err(("conflict", "")),
        false => Ok(Deletion::Done),
    };
    Some(Box::pin(async move {
        let done = match with {
            None => {
                domain
                    .audience_remove(&context("delete"), AudienceRef::Id(id))
                    .await
            }
            Some(with) => domain.structure_delete(&context("delete"), id, with).await,
        };
        same("a deletion", done, expected);
        Learned::Nothing
    }))
}
