//! Rows and sets together, as a command and a read both have them: what a rule needs that serves both.

use sets::{Person, Set, SetId};

use crate::{error::Error, read::Read, tx::Tx, value::Sql};

/// A command's transaction or a read: the sets that it sees are at least as new as its rows.
pub trait View: Sql {
    /// The members of a set; nobody if it is absent.
    ///
    /// # Errors
    ///
    /// A set that could not be read.
    fn members(&self, set: SetId) -> Result<Set, Error>;

    /// How many members a set has. Nothing is read for it.
    fn members_len(&self, set: SetId) -> u64;

    /// Whether somebody is a member of a set, reading no more of it than that takes.
    ///
    /// # Errors
    ///
    /// A set that could not be read.
    fn is_member(&self, set: SetId, person: Person) -> Result<bool, Error>;

    /// The number that the next new person gets: everybody's is smaller.
    fn next_person(&self) -> Person;
}

impl View for Tx<'_, '_> {
    fn members(&self, set: SetId) -> Result<Set, Error> {
        self.set(set)
    }

    fn members_len(&self, set: SetId) -> u64 {
        self.working.state().len(set)
    }

    fn is_member(&self, set: SetId, person: Person) -> Result<bool, Error> {
        Ok(self.working.state().contains(set, person)?)
    }

    fn next_person(&self) -> Person {
        self.working.next_person()
    }
}

impl View for Read<'_> {
    fn members(&self, set: SetId) -> Result<Set, Error> {
        self.set(set)
    }

    fn members_len(&self, set: SetId) -> u64 {
        self.state().len(set)
    }

    fn is_member(&self, set: SetId, person: Person) -> Result<bool, Error> {
        Ok(self.state().contains(set, person)?)
    }

    fn next_person(&self) -> Person {
        self.state().next_person
    }
}
