//! An expression made ready to be evaluated chunk by chunk: groups of operands, wanted or not, and of other groups.
//!
//! It reads no set. Invariant: a plan holds whom its expression holds; `not` is left at operands only, pushed inwards by
//! De Morgan's laws, and no group is directly within one of its own kind.

use super::Operand;
use crate::{Expression, Term};

/// All or any of some operands, of everybody but some, and of some groups.
#[derive(Debug)]
pub(super) struct Group {
    /// Whether all are meant; else any.
    pub(super) all: bool,
    /// Operands, by their places.
    pub(super) wanted: Vec<u32>,
    /// Operands whose complements are meant.
    pub(super) unwanted: Vec<u32>,
    /// Groups, by their places; after this one.
    pub(super) groups: Vec<usize>,
    /// Whether it holds everybody where no operand has anybody.
    pub(super) void: bool,
}

/// The groups of an expression. The first is the outermost.
#[derive(Debug)]
pub(super) struct Plan(Vec<Group>);

impl Plan {
    pub(super) fn new(expression: &Expression, operands: &[Operand]) -> Plan {
        let mut plan = Plan(Vec::new());
        let all = !matches!(expression.term(), Term::Any(_));
        let root = plan.open(all);
        plan.put(root, expression.term(), true);
        for group in &mut plan.0 {
            for list in [&mut group.wanted, &mut group.unwanted] {
                list.sort_unstable_by_key(|place| (operands[*place as usize].len(), *place));
                list.dedup();
            }
        }
        for place in (0..plan.0.len()).rev() {
            let group = &plan.0[place];
            let void = |place: &usize| plan.0[*place].void;
            plan.0[place].void = match group.all {
                true => group.wanted.is_empty() && group.groups.iter().all(void),
                false => !group.unwanted.is_empty() || group.groups.iter().any(void),
            };
        }
        plan
    }

    pub(super) fn group(&self, place: usize) -> &Group {
        &self.0[place]
    }

    fn open(&mut self, all: bool) -> usize {
        self.0.push(Group {
            all,
            wanted: Vec::new(),
            unwanted: Vec::new(),
            groups: Vec::new(),
            void: false,
        });
        self.0.len() - 1
    }

    /// Puts a term, or its complement, into a group. As deep as the expression.
    fn put(&mut self, group: usize, term: &Term, meant: bool) {
        let (all, terms) = match term {
            Term::Operand(place) => {
                let group = &mut self.0[group];
                let list = match meant {
                    true => &mut group.wanted,
                    false => &mut group.unwanted,
                };
                list.push(*place as u32);
                return;
            }
            Term::Not(term) => return self.put(group, term, !meant),
            Term::All(terms) => (meant, terms),
            Term::Any(terms) => (!meant, terms),
        };
        // One of a kind is itself, and what is within its own kind belongs to that.
        let inner = match terms.len() == 1 || self.0[group].all == all {
            true => group,
            false => {
                let inner = self.open(all);
                self.0[group].groups.push(inner);
                inner
            }
        };
        for term in terms {
            self.put(inner, term, meant);
        }
    }
}
