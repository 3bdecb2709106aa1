//! Look-ups: for people by their identifiers, whether they are known and which audiences hold them.
//!
//! The identifiers are in the question and nowhere else: they are not kept and not answered. Invariant: all of one answer is
//! of the same moment, and names only what the caller may name.

use std::collections::BTreeSet;

use sets::{Person, Unreadable};
use store::AudienceKind;

use crate::{
    batch::Question,
    caller::{Caller, Portfolio, Scope},
    catalogue::{Node, Snapshot},
    error::Result,
    evaluator::unreadable,
    formula::{Placement, too_many},
    limits,
    rule::Rule,
    service::Domain,
};

/// What is known of those asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The change of the workspace's log after which it was so.
    pub seq: u64,
    /// One for each of the question, in its order.
    pub people: Vec<LookedUp>,
    /// Every audience that is named, in order of id.
    pub audiences: Vec<Placement>,
}

/// What is known of somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookedUp {
    /// Whose the identifiers are: nobody's, one person's, or those of several, where they were never seen together.
    pub persons: Vec<Person>,
    /// How many structures and audiences hold one of them.
    pub total: u64,
    /// Their ids, ascending: the first ones after the id that the question says.
    pub audiences: Vec<i64>,
}

/// Looks for people in audiences, node by node.
struct Looking {
    snapshot: Snapshot,
    portfolio: Portfolio,
    after: i64,
    limit: usize,
    /// Those still to be looked for are behind `at`.
    people: Vec<LookedUp>,
    at: usize,
    /// The node that comes next for the one at `at`.
    node: usize,
    /// Of that one: what holds them so far, by its place in the catalogue.
    held: Vec<bool>,
}

impl Looking {
    /// Whether it takes few looks into sets, none of which has to be read.
    fn is_at_hand(&self) -> bool {
        let known = self
            .people
            .iter()
            .map(|one| one.persons.len())
            .sum::<usize>();
        let nodes = self.snapshot.catalogue.nodes();
        let resident = |node: &Node| self.snapshot.state.is_resident(node.id);
        known.saturating_mul(nodes.len()) <= limits::LOOKS_AT_ONCE_MAX && nodes.iter().all(resident)
    }

    fn holds(&self, node: &Node, person: Person) -> std::result::Result<bool, Unreadable> {
        match (node.kind, &node.rule) {
            // Of a structure its own: its audiences' are added when all are known.
            (AudienceKind::Manual | AudienceKind::Structure, _) => {
                self.snapshot.state.contains(node.id, person)
            }
            _ => Ok(false),
        }
    }

    /// Goes on for about so many looks; answers whether it is done.
    fn advance(&mut self, mut budget: usize) -> std::result::Result<bool, Unreadable> {
        let catalogue = std::sync::Arc::clone(&self.snapshot.catalogue);
        let nodes = catalogue.nodes();
        while self.at < self.people.len() {
            if self.people[self.at].persons.is_empty() {
                self.at += 1;
                continue;
            }
            if self.node == 0 {
                self.held.clear();
                self.held.resize(nodes.len(), false);
            }
            while self.node < nodes.len() {
                if budget == 0 {
                    return Ok(false);
                }
                budget -= 1;
                let node = &nodes[self.node];
                for person in &self.people[self.at].persons {
                    self.held[self.node] |= self.holds(node, *person)?;
                }
                if self.held[self.node]
                    && let Some(structure) = catalogue.place(node.structure)
                {
                    self.held[structure] = true;
                }
                self.node += 1;
            }
            self.smart(nodes)?;
            self.finish(nodes);
            (self.at, self.node) = (self.at + 1, 0);
        }
        Ok(true)
    }

    /// The smart audiences, of each of the persons, since a rule is about one.
    fn smart(&mut self, nodes: &[Node]) -> std::result::Result<(), Unreadable> {
        let several = self.people[self.at].persons.len() > 1;
        for (at, node) in nodes.iter().enumerate() {
            let (AudienceKind::Smart, Some(rule)) = (node.kind, &node.rule) else {
                continue;
            };
            for person in &self.people[self.at].persons {
                self.held[at] |= if several {
                    self.snapshot.holds(node, *person)?
                } else {
                    rule.holds(&mut |rule| match rule {
                        Rule::Channel(channel) => {
                            self.snapshot.state.contains(channel.set(), *person)
                        }
                        Rule::Audience(id) => {
                            let named = self.snapshot.catalogue.place(*id);
                            let named = named.filter(|at| nodes[*at].kind != AudienceKind::Smart);
                            Ok(named.is_some_and(|at| self.held[at]))
                        }
                        Rule::All(_) | Rule::Any(_) | Rule::Not(_) => Ok(false),
                    })?
                };
            }
        }
        Ok(())
    }

    fn finish(&mut self, nodes: &[Node]) {
        let one = &mut self.people[self.at];
        let held = nodes.iter().zip(&self.held).filter(|(_, held)| **held);
        for (node, _) in held.filter(|(node, _)| self.portfolio.has(node.structure)) {
            one.total += 1;
            if node.id > self.after && one.audiences.len() < self.limit {
                one.audiences.push(node.id);
            }
        }
    }

    fn answer(&mut self) -> Lookup {
        let catalogue = &self.snapshot.catalogue;
        let people = std::mem::take(&mut self.people);
        let named = people.iter().flat_map(|one| &one.audiences);
        let named: BTreeSet<i64> = named.copied().collect();
        let audiences = named.iter().filter_map(|id| catalogue.get(*id));
        Lookup {
            seq: self.snapshot.state.seq,
            audiences: audiences
                .map(|node| Placement::new(catalogue, node))
                .collect(),
            people,
        }
    }
}

impl sets::Question for Looking {
    type Answer = Lookup;

    fn advance(&mut self, budget: usize) -> std::result::Result<Option<Lookup>, Unreadable> {
        Ok(Looking::advance(self, budget)?.then(|| self.answer()))
    }
}

impl Domain {
    /// For each of those asked about, who they are and which structures and audiences of the caller's portfolio hold them,
    /// smart ones included: of each the first `limit` with `id > after`. Needs the scopes people:read and audiences:read.
    pub async fn people_lookup(
        &self,
        caller: &Caller,
        question: &Question,
        after: i64,
        limit: usize,
    ) -> Result<Lookup> {
        caller.need(Scope::PeopleRead)?;
        caller.need(Scope::AudiencesRead)?;
        if question.ends.len() > limits::LOOKUP_PEOPLE_MAX {
            let most = limits::LOOKUP_PEOPLE_MAX;
            let text = format!("At most {most} people are looked up at once.");
            return Err(too_many("values", text));
        }
        let (found, snapshot) = self.persons_in(caller.workspace, &question.keys).await?;
        let mut start = 0;
        let people = question.ends.iter().map(|end| {
            let persons: BTreeSet<Person> = found[start..*end].iter().flatten().copied().collect();
            start = *end;
            LookedUp {
                persons: persons.into_iter().collect(),
                ..LookedUp::default()
            }
        });
        let mut looking = Looking {
            people: people.collect(),
            snapshot,
            portfolio: caller.portfolio.clone(),
            after,
            limit: limit.clamp(1, limits::LOOKUP_AUDIENCES_MAX),
            at: 0,
            node: 0,
            held: Vec::new(),
        };
        if !looking.is_at_hand() {
            return self.ask(looking).await;
        }
        looking.advance(usize::MAX).map_err(unreadable)?;
        Ok(looking.answer())
    }

    /// Who holds each key, and a snapshot in which everybody found is who they were.
    pub(crate) async fn persons_in(
        &self,
        workspace: i64,
        keys: &[sets::Key],
    ) -> Result<(Vec<Option<Person>>, Snapshot)> {
        // The keys first: whoever is made after the look-up is in no set that is older than it.
        let (found, state) = self.store().persons(workspace, keys).await?;
        let snapshot = match self.snapshot_of(workspace, state) {
            Some(snapshot) => snapshot,
            None => self.snapshot(workspace).await?,
        };
        Ok((found, snapshot))
    }
}
