//! People who follow from sets and are none themselves: those of a structure with audiences, and of a smart audience.
//!
//! They are worked out when they are asked for, by the same questions as any expression, and kept for a while, so that
//! asking again costs nothing. What they follow from is not kept. Invariant: what is kept is believed only while every set
//! that it was made of is the one that it was made of, the rule is the same, and, where it holds people whom no set of it
//! names, nobody is new.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use sets::{Expression, Gather, Operand, Person, Question, STEP, Set, SetId, Term, Unreadable};
use store::{AudienceKind, Read};

use crate::{
    catalogue::{Node, Snapshot},
    error::Result,
    evaluator::unreadable,
    limits,
    rule::Rule,
    service::Domain,
};

/// Sets of which one step makes a union.
const UNION_AT_ONCE: usize = 1_000;

/// What a node's people follow from.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    rule: Option<Arc<Rule>>,
    /// The number of the next new person, where the rule holds people whom it does not name.
    next_person: Option<Person>,
    /// With the change that each changed last. Those of a structure end with its own, so that where one is says in which
    /// structure it is.
    sets: Vec<(SetId, u64)>,
}

#[derive(Debug)]
struct Kept {
    origin: Origin,
    people: Set,
    bytes: usize,
    /// When it was last asked for, by the count of questions.
    used: u64,
}

/// What is kept, of every workspace.
#[derive(Debug, Default)]
pub(crate) struct Derived(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    kept: HashMap<(i64, i64), Kept>,
    bytes: usize,
    asked: u64,
}

impl Derived {
    fn get(&self, key: (i64, i64), origin: &Origin) -> Option<Set> {
        let mut inner = self.0.lock();
        inner.asked += 1;
        let asked = inner.asked;
        let kept = inner
            .kept
            .get_mut(&key)
            .filter(|kept| kept.origin == *origin)?;
        kept.used = asked;
        Some(kept.people.clone())
    }

    fn keep(&self, key: (i64, i64), origin: Origin, people: &Set, bytes_max: usize) {
        let bytes = people.memory_bytes() + origin.sets.len() * size_of::<(SetId, u64)>();
        if bytes > bytes_max {
            return;
        }
        let mut inner = self.0.lock();
        inner.forget(key);
        while inner.bytes + bytes > bytes_max {
            let oldest = inner.kept.iter().min_by_key(|(_, kept)| kept.used);
            let Some(key) = oldest.map(|(key, _)| *key) else {
                break;
            };
            inner.forget(key);
        }
        inner.bytes += bytes;
        let kept = Kept {
            origin,
            people: people.clone(),
            bytes,
            used: inner.asked,
        };
        inner.kept.insert(key, kept);
    }
}

impl Inner {
    fn forget(&mut self, key: (i64, i64)) {
        if let Some(kept) = self.kept.remove(&key) {
            self.bytes -= kept.bytes;
        }
    }
}

/// The people of a node, or how to find them out.
enum Plan {
    /// They are a set.
    Plain(SetId),
    /// They are known.
    Known(Set),
    Derive(Origin, Derive),
}

/// How the people of a node are found out.
pub(crate) struct Derive {
    slots: Vec<Slot>,
    /// Of the slots; without it the only slot is meant.
    expression: Option<Expression>,
    gather: Option<Gather>,
    next_person: Person,
}

enum Slot {
    Ready(Operand),
    Union(UnionOf),
}

/// The union of many sets, some of them at a time.
struct UnionOf {
    waiting: Vec<Operand>,
    gather: Option<Gather>,
    next_person: Person,
}

impl Question for UnionOf {
    type Answer = Set;

    fn advance(&mut self, budget: usize) -> std::result::Result<Option<Set>, Unreadable> {
        let gather = self.gather.get_or_insert_with(|| {
            let rest = self.waiting.len().saturating_sub(UNION_AT_ONCE);
            let some = self.waiting.split_off(rest);
            let any = Term::Any((0..some.len()).map(Term::Operand).collect());
            Gather::new(small(any), some, self.next_person)
        });
        let Some(people) = gather.advance(budget)? else {
            return Ok(None);
        };
        self.gather = None;
        if self.waiting.is_empty() {
            return Ok(Some(people));
        }
        self.waiting.push(people.into());
        Ok(None)
    }
}

/// An expression of bounded parts.
fn small(term: Term) -> Expression {
    Expression::new(term).expect("a rule and a union are within the limits of an expression")
}

impl Question for Derive {
    type Answer = Set;

    fn advance(&mut self, budget: usize) -> std::result::Result<Option<Set>, Unreadable> {
        let mut unions = self.slots.iter_mut();
        if let Some(slot) = unions.find(|slot| matches!(slot, Slot::Union(_)))
            && let Slot::Union(union) = slot
        {
            if let Some(people) = union.advance(budget)? {
                if self.expression.is_none() {
                    return Ok(Some(people));
                }
                *slot = Slot::Ready(people.into());
            }
            return Ok(None);
        }
        let gather = self.gather.get_or_insert_with(|| {
            let operands = self.slots.drain(..).filter_map(|slot| match slot {
                Slot::Ready(operand) => Some(operand),
                Slot::Union(_) => None,
            });
            let expression = self.expression.take();
            let expression = expression.unwrap_or_else(|| small(Term::Any(Vec::new())));
            Gather::new(expression, operands.collect(), self.next_person)
        });
        gather.advance(budget)
    }
}

impl Snapshot {
    /// The sets with anybody in them that are the people of a structure or manual audience.
    fn filled(&self, node: &Node) -> Vec<SetId> {
        let mut sets = Vec::new();
        self.sets(node, &mut sets);
        sets.retain(|set| self.state.len(*set) > 0);
        sets
    }

    fn union(&self, sets: &[SetId]) -> UnionOf {
        UnionOf {
            waiting: sets.iter().map(|set| self.state.operand(*set)).collect(),
            gather: None,
            next_person: self.state.next_person,
        }
    }

    fn origin(&self, node: &Node) -> Origin {
        let mut sets = Vec::new();
        self.sets(node, &mut sets);
        let unbounded = node.rule.as_ref().is_some_and(|rule| !rule.is_bounded());
        Origin {
            rule: node.rule.clone(),
            next_person: unbounded.then_some(self.state.next_person),
            sets: sets
                .into_iter()
                .map(|set| (set, self.state.version(set)))
                .collect(),
        }
    }

    fn derive(&self, rule: &Rule) -> Derive {
        let mut slots = Vec::new();
        let term = rule.term(&mut |part| {
            let slot = match part {
                Rule::Channel(channel) => Slot::Ready(self.state.operand(channel.set())),
                Rule::Audience(id) => {
                    let named = self.catalogue.get(*id);
                    let named = named.filter(|node| node.kind != AudienceKind::Smart);
                    let sets = named.map_or_else(Vec::new, |node| self.filled(node));
                    match sets[..] {
                        [] => return Term::Any(Vec::new()),
                        [set] => Slot::Ready(self.state.operand(set)),
                        _ => Slot::Union(self.union(&sets)),
                    }
                }
                Rule::All(_) | Rule::Any(_) | Rule::Not(_) => return Term::Any(Vec::new()),
            };
            slots.push(slot);
            Term::Operand(slots.len() - 1)
        });
        Derive {
            slots,
            expression: Some(small(term)),
            gather: None,
            next_person: self.state.next_person,
        }
    }

    fn plan(&self, derived: &Derived, node: &Node) -> Plan {
        let parts = match node.kind {
            AudienceKind::Manual => return Plan::Plain(node.id),
            AudienceKind::Structure => {
                let parts = self.filled(node);
                if parts.len() <= 1 {
                    return Plan::Plain(parts.first().copied().unwrap_or(node.id));
                }
                parts
            }
            AudienceKind::Smart => Vec::new(),
        };
        let origin = self.origin(node);
        if let Some(people) = derived.get((self.workspace, node.id), &origin) {
            return Plan::Known(people);
        }
        let derive = match &node.rule {
            Some(rule) => self.derive(rule),
            None => Derive {
                slots: vec![Slot::Union(self.union(&parts))],
                expression: None,
                gather: None,
                next_person: self.state.next_person,
            },
        };
        Plan::Derive(origin, derive)
    }
}

/// Who the people of a node are.
pub(crate) enum People {
    /// Those of a set.
    Of(SetId),
    /// They were worked out.
    Derived(Set),
}

impl Domain {
    /// The people of a node, worked out in turns with other questions.
    pub(crate) async fn people(&self, snapshot: &Snapshot, node: &Node) -> Result<People> {
        match snapshot.plan(self.derived(), node) {
            Plan::Plain(set) => Ok(People::Of(set)),
            Plan::Known(people) => Ok(People::Derived(people)),
            Plan::Derive(origin, derive) => {
                let people = self.ask(derive).await?;
                let key = (snapshot.workspace, node.id);
                self.derived()
                    .keep(key, origin, &people, limits::DERIVED_BYTES_MAX);
                Ok(People::Derived(people))
            }
        }
    }

    /// The people of a node as an operand of a question.
    pub(crate) async fn people_operand(&self, snapshot: &Snapshot, node: &Node) -> Result<Operand> {
        Ok(match self.people(snapshot, node).await? {
            People::Of(set) => snapshot.state.operand(set),
            People::Derived(people) => people.into(),
        })
    }

    /// Everybody in a node, for a read, on its own thread.
    pub(crate) fn people_of(&self, read: &mut Read<'_>, audience: i64) -> Result<Set> {
        let snapshot = self.snapshot_in(read)?;
        let Some(node) = snapshot.catalogue.get(audience) else {
            return Ok(Set::new());
        };
        match snapshot.plan(self.derived(), node) {
            Plan::Plain(set) => Ok(read.set(set)?),
            Plan::Known(people) => Ok(people),
            Plan::Derive(origin, derive) => {
                let people = finish(derive)?;
                let key = (snapshot.workspace, node.id);
                self.derived()
                    .keep(key, origin, &people, limits::DERIVED_BYTES_MAX);
                Ok(people)
            }
        }
    }
}

/// The answer to a question, here and now.
fn finish<Q: Question>(mut question: Q) -> Result<Q::Answer> {
    loop {
        if let Some(answer) = question.advance(STEP).map_err(unreadable)? {
            return Ok(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_union_of_many_sets_is_made_some_at_a_time() {
        let sets: Vec<Operand> = (1..=2_500u32)
            .map(|person| Set::from_sorted(&[person]).into())
            .collect();
        let union = UnionOf {
            waiting: sets,
            gather: None,
            next_person: 2_501,
        };
        assert_eq!(finish(union), Ok(Set::range(1, 2_500)));
    }

    #[test]
    fn what_is_kept_is_bounded_and_believed_only_of_the_same_origin() {
        let derived = Derived::default();
        let origin = |next_person| Origin {
            rule: None,
            next_person,
            sets: Vec::new(),
        };
        let people: Set = (1..1_000).map(|n| n * 70_000).collect();
        let bytes = people.memory_bytes();
        for id in 0..10 {
            derived.keep((1, id), origin(None), &people, bytes * 3);
            assert!(derived.get((1, 0), &origin(None)).is_some(), "is in use");
        }
        let inner = derived.0.lock();
        assert_eq!((inner.kept.len(), inner.bytes), (3, bytes * 3));
        drop(inner);
        assert!(derived.get((1, 9), &origin(None)).is_some());
        assert!(derived.get((1, 9), &origin(Some(3))).is_none());
        assert!(derived.get((2, 9), &origin(None)).is_none());
        derived.keep((1, 3), origin(None), &people, bytes - 1);
        assert!(derived.get((1, 3), &origin(None)).is_none(), "too large");
    }
}
