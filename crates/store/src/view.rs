//! Rows and sets together, as a command and a read both have them: what a rule needs that serves both.

use sets::{Person, Set, SetId};

use crate::{read::Read, tx::Tx, value::Sql};

/// A command's transaction or a read: the sets that it sees are at least as new as its rows.
pub trait View: Sql {
    /// The members of a set; nobody if it is absent.
    fn members(&self, set: SetId) -> Set;

    /// The number that the next new person gets: everybody's is smaller.
    fn next_person(&self) -> Person;
}

impl View for Tx<'_, '_> {
    fn members(&self, set: SetId) -> Set {
        self.set(set)
    }

    fn next_person(&self) -> Person {
        self.working.next_person()
    }
}

impl View for Read<'_> {
    fn members(&self, set: SetId) -> Set {
        self.set(set)
    }

    fn next_person(&self) -> Person {
        self.state().next_person
    }
}
