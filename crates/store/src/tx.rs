//! What a command sees: its savepoint in the group's transaction, and the working view of the set engine.
//!
//! Invariant: what a command did to the view and to the tables is kept or dropped together.

use sets::{Full, Holders, Key, KeyBatch, Person, Set, SetId, Working};

use crate::{
    change::{self, Change},
    committer::Meta,
    connection::Connection,
    error::Error,
    head::Head,
    keys::Identifiers,
    value::{Param, Row, Sql},
};

/// How a command ends when it does not fail. (`Err` drops its writes.)
#[derive(Debug)]
pub enum Verdict<T, E> {
    /// Its writes are kept and the value is answered.
    Done(T),
    /// Its writes are kept and the error is answered: a failed sign-in's counter, an activity row.
    Refused(E),
}

/// A command's transaction. It may run again, so a command takes time and randomness from outside.
#[derive(Debug)]
pub struct Tx<'a, 'e> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) working: &'a mut Working<'e>,
    pub(crate) head: &'a mut Head,
    pub(crate) received: &'a mut Identifiers,
    pub(crate) workspace: i64,
    pub(crate) meta: &'a Meta,
    pub(crate) keeps_identifiers: bool,
    /// True once a statement other than a SELECT ran.
    pub(crate) wrote: bool,
    /// Entries that the command has put into the activity log.
    pub(crate) activities: i64,
    /// True once it put something into the outbox, or made something in it due.
    pub(crate) queued: bool,
    /// The first error that concerns the whole group, whatever the command made of it.
    pub(crate) fault: Option<Error>,
}

impl Sql for Tx<'_, '_> {
    fn workspace(&self) -> i64 {
        self.workspace
    }

    fn query(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        self.wrote |= !sql.starts_with("SELECT");
        self.connection.query(sql, params).inspect_err(|error| {
            if error.stops_group() && self.fault.is_none() {
                self.fault = Some(error.clone());
            }
        })
    }
}

impl Tx<'_, '_> {
    pub fn meta(&self) -> &Meta {
        self.meta
    }

    /// Whether the command put something into the outbox: once it is committed, a worker should be told.
    pub fn has_queued(&self) -> bool {
        self.queued
    }

    /// The next id of the workspace: below 2^53, never reused, not even after a rollback in the same group.
    pub fn next_id(&mut self) -> i64 {
        let id = self.head.next_id;
        self.head.next_id += 1;
        id
    }

    /// The seq that this command's change will have, if it changes anything.
    pub fn next_seq(&self) -> u64 {
        self.working.seq() + 1
    }

    /// The set as the earlier commands of the group left it.
    pub fn set(&self, set: SetId) -> Result<Set, Error> {
        Ok(self.working.set(set)?)
    }

    /// How many members the set has. Nothing is read for it.
    pub fn set_len(&self, set: SetId) -> u64 {
        self.working.state().len(set)
    }

    /// Adds people and answers those that were not in the set.
    pub fn set_add(&mut self, set: SetId, people: &Set) -> Result<Set, Error> {
        Ok(self.working.add(set, people)?)
    }

    /// Removes people and answers those that were in the set.
    pub fn set_remove(&mut self, set: SetId, people: &Set) -> Result<Set, Error> {
        Ok(self.working.remove(set, people)?)
    }

    pub fn set_replace(&mut self, set: SetId, people: Set) -> Result<(), Error> {
        Ok(self.working.replace(set, people)?)
    }

    /// The set is no more.
    pub fn set_drop(&mut self, set: SetId) -> Result<(), Error> {
        Ok(self.working.drop_set(set)?)
    }

    pub fn person(&self, key: &Key) -> Option<Person> {
        self.working.person(key)
    }

    /// Looks up a batch of keys; `out` is cleared and filled in their order.
    pub fn persons(&self, keys: &[Key], out: &mut Vec<Option<Person>>) {
        self.working.persons(keys, out);
    }

    /// Who holds each key of a batch.
    pub fn holders<'b>(&self, batch: &'b KeyBatch) -> Holders<'b> {
        self.working.holders(batch)
    }

    /// Appends the keys that were given away, with the identifiers of the batch as they came in, kept sealed where the
    /// workspace keeps identifiers. No keys may be attached between this and asking for the holders.
    pub fn attach_given(&mut self, holders: &Holders<'_>, received: &Identifiers) {
        self.working.attach_given(holders);
        if self.keeps_identifiers {
            self.received.extend(received, holders.given());
        }
    }

    pub fn new_person(&mut self) -> Result<Person, Full> {
        self.working.new_person()
    }

    /// Gives a key that nobody holds to a person. `received` is the identifier as it came in (empty for the further
    /// keys of one identifier), kept sealed where the workspace keeps identifiers; at most 65,535 bytes.
    /// Answers false, and changes nothing, when somebody holds the key.
    pub fn attach(&mut self, key: Key, person: Person, received: &[&[u8]]) -> bool {
        let attached = self.working.attach(key, person);
        if attached && self.keeps_identifiers {
            self.received.push(received);
        }
        attached
    }

    /// Writes the command's change to the log, if it changed a set, a person or a row. A change of rows alone is
    /// logged too: the log is where a retry finds out whether the command was committed.
    pub(crate) fn log(&mut self) -> Result<(), Error> {
        let delta = self.working.command_delta();
        if delta.is_empty() && !self.wrote {
            self.working.command_end(self.working.seq());
            return Ok(());
        }
        let seq = self.working.seq() + 1;
        let (identity, sets) = change::encode(&delta);
        let mut change = Change {
            seq,
            time: self.meta.time,
            actor: self.meta.actor,
            verb: self.meta.verb.to_owned(),
            request_id: self.meta.request_id.clone(),
            command_id: self.meta.command_id.clone(),
            identity,
            prev_hash: self.head.hash.clone(),
            hash: Vec::new(),
            sets,
        };
        change.hash = change.chain_hash(self.workspace).to_vec();
        change::insert(self.connection, self.workspace, &change)?;
        self.head.hash = change.hash;
        self.working.command_end(seq);
        Ok(())
    }
}
