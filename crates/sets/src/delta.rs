//! What a command changed: new keys, and the effective additions and removals of each set.
//!
//! Not how it is stored; the store writes its parts into tables. Invariant: a delta names no key, only positions and persons;
//! additions were absent before and removals present.

use crate::{IdentityDelta, Set, SetId};

/// Everything that a command changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delta {
    /// The persons of the keys that it appended, if it appended any.
    pub identity: Option<IdentityDelta>,
    /// The sets that are not what they were, by ascending id.
    pub sets: Vec<SetDelta>,
}

impl Delta {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.identity.is_none() && self.sets.is_empty()
    }
}

/// What a command changed of one set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetDelta {
    /// The set.
    pub set: SetId,
    /// What happened to it.
    pub op: SetOp,
    /// Who is in it that was not.
    pub added: Set,
    /// Who was in it that is not.
    pub removed: Set,
}

/// What happened to a set.
#[derive(Debug, Copy, Clone, PartialEq, Eq, Hash)]
pub enum SetOp {
    /// Members came and went, by whatever verb.
    Change,
    /// The set went, with all who were in it.
    Drop,
}

impl SetOp {
    /// The number that stands for it in the log, for ever.
    pub fn code(self) -> i64 {
        match self {
            SetOp::Change => 1,
            SetOp::Drop => 2,
        }
    }

    /// The operation that a number stands for.
    pub fn from_code(code: i64) -> Option<SetOp> {
        match code {
            1 => Some(SetOp::Change),
            2 => Some(SetOp::Drop),
            _ => None,
        }
    }
}
