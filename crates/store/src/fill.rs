//! Filling an empty workspace with synthetic people and audiences, for measurements: rows written straight into the database
//! of a stopped server, a few dozen megabytes a transaction.
//!
//! What people and sets there are is the caller's affair. Not the way of a command: no working view, no publication.
//!
//! Invariant: after every transaction the database is whole. Each is a change of the log with its checkpoint, so a fill that
//! was interrupted is a smaller database, and goes on where it ended. Of an audience's members the log keeps the BLAKE3 of
//! their snapshot instead of a second copy ([`FILLED`]); that snapshot is never pruned, and `verify` checks it.

use sets::{IdentityDelta, Key, KeySecret, Person, Set, SetDelta, SetId, SetOp, Snapshot};

use crate::{
    audience::{self, Audience, AudienceKind, Control},
    change::{self, Change, ChangeSet},
    checkpoint::{self, Checkpoint},
    connection::{Connection, Mode},
    error::Error,
    folder::{DataFolder, DatabaseUrl},
    head::{self, Head},
    installation::{self, explain},
    keys::{self, Identifiers},
    seal::{MasterKey, Sealer},
    value::{Param, Row, Sql},
    workspace::{self, KeepIdentifiers, Workspace, WorkspaceSecret},
};

/// The operation of a set whose members are those of its snapshot at this change; `added` is the BLAKE3 of that snapshot.
/// No command writes it.
pub(crate) const FILLED: i64 = 100;
/// The verb of every change that a fill writes.
static VERB: &str = "dev_fill";
/// Who did it: nobody who has a credential.
const ACTOR: i64 = 0;

const FOUND: &str = "SELECT request_id, seq FROM change WHERE workspace_id = $1 AND verb = 'dev_fill' ORDER BY seq LIMIT 1";
const OTHERS: &str = "SELECT count(*) FROM change WHERE workspace_id = $1 AND verb <> 'dev_fill'";
const AUDIENCES: &str = "SELECT count(*) FROM audience WHERE workspace_id = $1 AND kind = 'manual'";
const STRUCTURE: &str =
    "SELECT coalesce(max(id), 0) FROM audience WHERE workspace_id = $1 AND kind = 'structure'";
const SNAPSHOT: &str =
    "SELECT bytes FROM snapshot WHERE workspace_id = $1 AND set_id = $2 AND seq = $3";
const SNAPSHOT_LATEST: &str = "SELECT bytes FROM snapshot WHERE workspace_id = $1 AND set_id = $2 \
     ORDER BY seq DESC LIMIT 1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    FOUND,
    OTHERS,
    AUDIENCES,
    STRUCTURE,
    SNAPSHOT,
    SNAPSHOT_LATEST,
];

/// What to fill, and what to make where the database is empty.
#[derive(Debug)]
pub struct FillOptions {
    pub url: DatabaseUrl,
    pub now: i64,
    pub new_master: MasterKey,
    pub new_database_id: String,
    /// Made where there is none with this slug; one that exists must keep identifiers in the same way.
    pub workspace: Workspace,
    pub new_secret: WorkspaceSecret,
    /// The set of those who have a key of the kind that is filled in.
    pub kind_set: SetId,
    /// All that decides what is written: a fill goes on only where it is the same.
    pub label: String,
}

/// What is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FillFound {
    pub people: u64,
    pub keys: u64,
    pub audiences: u64,
}

/// Keys in order, each with its person, ascending; and the identifiers as received, where they are kept, each with its end.
#[derive(Debug, Default)]
pub struct FillPeople {
    pub keys: Vec<Key>,
    pub persons: Vec<Person>,
    pub received: Vec<u8>,
    pub received_ends: Vec<u32>,
}

/// An audience with its members, encoded.
#[derive(Debug)]
pub struct FillAudience {
    pub name: String,
    pub description: String,
    pub members: Vec<u8>,
    /// How many they are.
    pub people: u64,
}

/// Writes rows of people and audiences, a transaction at each call. Holds the data folder's lock.
#[derive(Debug)]
pub struct Filler {
    connection: Connection,
    workspace: i64,
    kind_set: SetId,
    label: String,
    now: i64,
    keys: KeySecret,
    identifiers: Option<Sealer>,
    head: Head,
    found: FillFound,
    /// Everybody who has a key.
    everybody: Set,
    structure: i64,
    url: DatabaseUrl,
    folder: DataFolder,
}

impl Filler {
    /// Opens the database, makes the workspace where it is absent, and finds out how far an earlier fill came. Blocks.
    pub fn open(folder: DataFolder, options: FillOptions) -> Result<Filler, Error> {
        let FillOptions {
            url,
            now,
            new_master,
            new_database_id,
            workspace: new,
            new_secret,
            kind_set,
            label,
        } = options;
        let opened = installation::open(&folder, &url, now, new_master, &new_database_id)?;
        let (mut connection, master) = (opened.connection, opened.master.sealer());
        let id = own_workspace(&mut connection, &master, &new, &new_secret)?;
        let (workspace, secret) = workspace::get(&mut connection, &master, id)?
            .ok_or_else(|| Error::Corrupt("the workspace is not there".into()))?;
        if workspace.keep_identifiers != new.keep_identifiers {
            return Err(Error::Open(format!(
                "the workspace {} keeps identifiers {}, not {}: choose another folder or database",
                workspace.slug,
                workspace.keep_identifiers.as_str(),
                new.keep_identifiers.as_str()
            )));
        }
        connection.bulk()?;
        connection.begin(Mode::Read)?;
        let found = found(&mut connection, id, &label)?;
        let head = head::get(&mut connection, id)?;
        let everybody = latest(&mut connection, id, kind_set)?;
        let structure = number(&mut connection, STRUCTURE, id)?;
        connection.rollback()?;
        Ok(Filler {
            connection,
            workspace: id,
            kind_set,
            label,
            now,
            keys: secret.keys(),
            identifiers: (workspace.keep_identifiers == KeepIdentifiers::Sealed)
                .then(|| secret.identifiers()),
            found: FillFound {
                people: everybody.len(),
                keys: head.next_position,
                audiences: found,
            },
            head,
            everybody,
            structure: structure as i64,
            url,
            folder,
        })
    }

    pub fn found(&self) -> FillFound {
        self.found
    }

    /// The secret under which identifiers of this workspace become keys.
    pub fn keys(&self) -> &KeySecret {
        &self.keys
    }

    pub fn keeps_identifiers(&self) -> bool {
        self.identifiers.is_some()
    }

    /// Appends people who are not there yet, numbered on from the last.
    pub fn people(&mut self, new: &FillPeople) -> Result<(), Error> {
        let added = Set::from_sorted(&distinct(&new.persons));
        let (Some(first), Some(last)) = (added.iter().next(), added.last()) else {
            return Ok(());
        };
        let dense = u64::from(last - first) + 1 == added.len();
        if u64::from(first) != self.head.next_person
            || !dense
            || new.keys.len() != new.persons.len()
            || (self.identifiers.is_some() && new.received_ends.len() != new.keys.len())
        {
            return Err(Error::Internal(
                "filled people do not follow those before".into(),
            ));
        }
        let mut received = Identifiers::default();
        if self.identifiers.is_some() {
            let mut start = 0;
            for end in &new.received_ends {
                received.push(&[&new.received[start..*end as usize]]);
                start = *end as usize;
            }
        }
        self.everybody.insert_all(&added);
        let identity = IdentityDelta {
            first_position: self.head.next_position,
            persons: new.persons.clone(),
        };
        let sets = vec![ChangeSet::of(&SetDelta {
            set: self.kind_set,
            op: SetOp::Change,
            added,
            removed: Set::new(),
        })];
        let everybody = self.everybody.to_bytes();
        self.transaction(|filler, seq| {
            let (connection, workspace) = (&mut filler.connection, filler.workspace);
            let position = filler.head.next_position;
            keys::append(
                connection,
                workspace,
                position,
                &new.keys,
                &received,
                filler.identifiers.as_ref(),
            )?;
            let mut segment = position.to_le_bytes().to_vec();
            segment.extend_from_slice(&sets::encode_persons(&new.persons));
            let persons_set = checkpoint::PERSONS_SET;
            let of = Snapshot::new(persons_set, seq, position + new.keys.len() as u64);
            checkpoint::snapshot_insert(connection, workspace, &of, &segment)?;
            let of = Snapshot::new(filler.kind_set, seq, filler.everybody.len());
            checkpoint::snapshot_insert(connection, workspace, &of, &everybody)?;
            checkpoint::prune(connection, workspace, filler.kind_set, seq)?;
            filler.head.next_position += new.keys.len() as u64;
            filler.head.next_person = u64::from(last) + 1;
            Ok((Some(identity), sets))
        })?;
        self.found.people = self.everybody.len();
        self.found.keys = self.head.next_position;
        Ok(())
    }

    /// Appends audiences with their members; a new structure for them first, if it is given a name.
    pub fn audiences(
        &mut self,
        structure: Option<&str>,
        new: &[FillAudience],
    ) -> Result<(), Error> {
        self.transaction(|filler, seq| {
            if let Some(name) = structure {
                filler.structure = filler.next_id();
                let row = filler.row(filler.structure, name, None);
                filler.insert(&row)?;
            }
            let mut sets = Vec::with_capacity(new.len());
            for one in new {
                let id = filler.next_id();
                let row = filler.row(id, &one.name, Some(&one.description));
                filler.insert(&row)?;
                let connection = &mut filler.connection;
                let of = Snapshot::new(id, seq, one.people);
                checkpoint::snapshot_insert(connection, filler.workspace, &of, &one.members)?;
                sets.push(ChangeSet {
                    set: id,
                    op: FILLED,
                    added: Some(blake3::hash(&one.members).as_bytes().to_vec()),
                    removed: None,
                });
            }
            Ok((None, sets))
        })?;
        self.found.audiences += new.len() as u64;
        Ok(())
    }

    /// Leaves the database as a server that was stopped does.
    pub fn finish(mut self) -> Result<(), Error> {
        self.connection.settle()
    }

    /// One transaction: what `write` writes, its change, its checkpoint, the head.
    fn transaction(
        &mut self,
        write: impl FnOnce(&mut Filler, u64) -> Result<(Option<IdentityDelta>, Vec<ChangeSet>), Error>,
    ) -> Result<(), Error> {
        let before = self.head.clone();
        let done = self.try_transaction(write);
        if done.is_err() {
            self.head = before;
            self.connection.rollback().ok();
        }
        done.map_err(|error| explain(self.folder.path(), &self.url, error))
    }

    fn try_transaction(
        &mut self,
        write: impl FnOnce(&mut Filler, u64) -> Result<(Option<IdentityDelta>, Vec<ChangeSet>), Error>,
    ) -> Result<(), Error> {
        self.connection.begin(Mode::Write)?;
        if head::lock(&mut self.connection, self.workspace)? != self.head {
            return Err(Error::Open(
                "something else writes to the workspace while it is filled: stop it, and fill an empty database".into(),
            ));
        }
        let seq = self.head.seq + 1;
        let (identity, sets) = write(self, seq)?;
        let mut change = Change {
            seq,
            time: self.now,
            actor: ACTOR,
            verb: VERB.into(),
            request_id: self.label.clone(),
            command_id: format!("{VERB} {seq}"),
            identity: identity.as_ref().map(IdentityDelta::to_bytes),
            prev_hash: self.head.hash.clone(),
            hash: Vec::new(),
            sets,
        };
        change.hash = change.chain_hash(self.workspace).to_vec();
        let (connection, workspace) = (&mut self.connection, self.workspace);
        change::insert(connection, workspace, &change)?;
        let checkpoint = Checkpoint {
            seq,
            next_person: self.head.next_person,
            next_position: self.head.next_position,
            // Its sets are not at hand; like one of an older version it is believed without.
            sum: None,
        };
        checkpoint::insert(connection, workspace, &checkpoint)?;
        self.head.seq = seq;
        self.head.hash = change.hash;
        head::save(connection, workspace, &self.head)?;
        connection.commit()
    }

    fn next_id(&mut self) -> i64 {
        let id = self.head.next_id;
        self.head.next_id += 1;
        id
    }

    /// A structure, or with a description one of its audiences.
    fn row(&self, id: i64, name: &str, description: Option<&str>) -> Audience {
        let is_structure = id == self.structure;
        Audience {
            id,
            structure: self.structure,
            parent: (!is_structure).then_some(self.structure),
            kind: if is_structure {
                AudienceKind::Structure
            } else {
                AudienceKind::Manual
            },
            name: name.into(),
            description: description.map(str::to_owned),
            reference: None,
            control: Control::Both,
            unique_names: true,
            created: self.now,
            updated: self.now,
            rule: None,
        }
    }

    fn insert(&mut self, row: &Audience) -> Result<(), Error> {
        let mut rows = Rows {
            connection: &mut self.connection,
            workspace: self.workspace,
        };
        audience::insert(&mut rows, row)
    }
}

struct Rows<'a> {
    connection: &'a mut Connection,
    workspace: i64,
}

impl Sql for Rows<'_> {
    fn workspace(&self) -> i64 {
        self.workspace
    }

    fn query(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        self.connection.query(sql, params)
    }
}

/// The deltas of a change's sets, those of filled ones from their snapshots.
pub(crate) fn deltas(
    connection: &mut Connection,
    workspace: i64,
    change: &Change,
) -> Result<Vec<SetDelta>, Error> {
    let mut deltas = Vec::with_capacity(change.sets.len());
    for set in &change.sets {
        deltas.push(if set.op == FILLED {
            filled(connection, workspace, change.seq, set)?
        } else {
            set.decode()?
        });
    }
    Ok(deltas)
}

/// How many sets a change filled.
pub(crate) fn filled_count(change: &Change) -> u64 {
    change.sets.iter().filter(|set| set.op == FILLED).count() as u64
}

fn filled(
    connection: &mut Connection,
    workspace: i64,
    seq: u64,
    set: &ChangeSet,
) -> Result<SetDelta, Error> {
    let params = [workspace.into(), set.set.into(), Param::Int(seq as i64)];
    let mut rows = connection.query(SNAPSHOT, &params)?;
    let bytes = rows.first_mut().map(|row| row.bytes(0)).transpose()?;
    let bytes = bytes.ok_or_else(|| {
        Error::Corrupt(format!(
            "set {} was filled from a snapshot that is missing",
            set.set
        ))
    })?;
    if set.added.as_deref() != Some(&blake3::hash(&bytes).as_bytes()[..]) {
        return Err(Error::Corrupt(format!(
            "set {} was filled from another snapshot than the one that is there",
            set.set
        )));
    }
    Ok(SetDelta {
        set: set.set,
        op: SetOp::Change,
        added: Set::from_bytes(&bytes)?,
        removed: Set::new(),
    })
}

fn own_workspace(
    connection: &mut Connection,
    master: &Sealer,
    new: &Workspace,
    secret: &WorkspaceSecret,
) -> Result<i64, Error> {
    if let Some(known) = workspace::by_slug(connection, &new.slug)? {
        return Ok(known.id);
    }
    connection.begin(Mode::Write)?;
    installation::lock(connection)?;
    let id = workspace::insert(connection, master, new, secret)?;
    connection.commit()?;
    Ok(id)
}

/// How many audiences an earlier fill left; an error where there is anything that is not this fill's.
fn found(connection: &mut Connection, workspace: i64, label: &str) -> Result<u64, Error> {
    let head = head::get(connection, workspace)?;
    let audiences = number(connection, AUDIENCES, workspace)?;
    let mut rows = connection.query(FOUND, &[workspace.into()])?;
    let Some(row) = rows.first_mut() else {
        if head.next_position > 0 || audiences > 0 || head.seq > 0 {
            return Err(Error::Open(
                "the workspace is not empty, and what is in it did not come from throng dev fill: choose another folder \
                 or database"
                    .into(),
            ));
        }
        return Ok(0);
    };
    let (begun, first) = (row.text(0)?, row.natural(1)?);
    if begun != label {
        return Err(Error::Open(format!(
            "the database was filled otherwise, with {begun}: say the same to go on, or choose another folder or database"
        )));
    }
    if first != 1 || number(connection, OTHERS, workspace)? > 0 {
        return Err(Error::Open(
            "the database was filled and used since: choose another folder or database".into(),
        ));
    }
    Ok(audiences)
}

fn number(
    connection: &mut Connection,
    statement: &'static str,
    workspace: i64,
) -> Result<u64, Error> {
    let rows = connection.query(statement, &[workspace.into()])?;
    rows.first().map_or(Ok(0), |row| row.natural(0))
}

fn latest(connection: &mut Connection, workspace: i64, set: SetId) -> Result<Set, Error> {
    let mut rows = connection.query(SNAPSHOT_LATEST, &[workspace.into(), set.into()])?;
    let bytes = rows.first_mut().map(|row| row.bytes(0)).transpose()?;
    Ok(bytes.map_or(Ok(Set::new()), |bytes| Set::from_bytes(&bytes))?)
}

/// Ascending persons without repetition.
fn distinct(persons: &[Person]) -> Vec<Person> {
    let mut distinct = persons.to_vec();
    distinct.dedup();
    distinct
}
