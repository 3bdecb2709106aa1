//! The log: one `change` row a command that changed something, one `change_set` row a set that it touched.
//!
//! Invariant: `hash` is BLAKE3 of the row, its sets' rows and the hash before it, so that a log that was altered,
//! cut or reordered does not verify. Keys are outside the chain, since erasing somebody rewrites their block.

use sets::{Delta, IdentityDelta, Set, SetDelta, SetOp};

use crate::{
    connection::Connection,
    error::Error,
    fill::FILLED,
    head::HASH_START,
    value::{Param, Row},
};

const INSERT: &str = "INSERT INTO change (workspace_id, seq, time, actor, verb, request_id, command_id, identity, \
     prev_hash, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const SET_INSERT: &str = "INSERT INTO change_set (workspace_id, set_id, seq, op, added, removed) \
     VALUES ($1, $2, $3, $4, $5, $6)";
const PAGE: &str = "SELECT seq, time, actor, verb, request_id, command_id, identity, prev_hash, hash FROM change \
     WHERE workspace_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq";
const SET_PAGE: &str = "SELECT seq, set_id, op, added, removed FROM change_set \
     WHERE workspace_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq, set_id";
const HASH: &str = "SELECT hash FROM change WHERE workspace_id = $1 AND seq = $2";
const BY_COMMAND: &str = "SELECT seq FROM change WHERE workspace_id = $1 AND command_id = $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, SET_INSERT, PAGE, SET_PAGE, HASH, BY_COMMAND];

/// One change as the log keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub seq: u64,
    pub time: i64,
    pub actor: i64,
    pub verb: String,
    pub request_id: String,
    pub command_id: String,
    pub identity: Option<Vec<u8>>,
    pub prev_hash: Vec<u8>,
    pub hash: Vec<u8>,
    pub sets: Vec<ChangeSet>,
}

#[derive(Debug, Clone)]
pub(crate) struct ChangeSet {
    pub set: i64,
    pub op: i64,
    pub added: Option<Vec<u8>>,
    pub removed: Option<Vec<u8>>,
}

impl ChangeSet {
    /// Encodes the effective change of one set; a set that is dropped names its last members as removed.
    pub(crate) fn of(delta: &SetDelta) -> ChangeSet {
        let encode = |set: &Set| (!set.is_empty()).then(|| set.to_bytes());
        ChangeSet {
            set: delta.set,
            op: delta.op.code(),
            added: encode(&delta.added),
            removed: encode(&delta.removed),
        }
    }

    pub(crate) fn decode(&self) -> Result<SetDelta, Error> {
        if self.op == FILLED {
            return Err(Error::Corrupt(format!(
                "set {} was filled beside this process: start it again",
                self.set
            )));
        }
        let set =
            |bytes: &Option<Vec<u8>>| bytes.as_deref().map_or(Ok(Set::new()), Set::from_bytes);
        Ok(SetDelta {
            set: self.set,
            op: SetOp::from_code(self.op)
                .ok_or_else(|| Error::Corrupt(format!("set operation {}", self.op)))?,
            added: set(&self.added)?,
            removed: set(&self.removed)?,
        })
    }
}

impl Change {
    /// The hash that this row must carry. Every field is preceded by its length, so that no two rows hash alike.
    pub(crate) fn chain_hash(&self, workspace: i64) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        let mut field = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        field(&self.prev_hash);
        field(&workspace.to_le_bytes());
        field(&self.seq.to_le_bytes());
        field(&self.time.to_le_bytes());
        field(&self.actor.to_le_bytes());
        field(self.verb.as_bytes());
        field(self.request_id.as_bytes());
        field(self.command_id.as_bytes());
        field(self.identity.as_deref().unwrap_or_default());
        for set in &self.sets {
            field(&set.set.to_le_bytes());
            field(&set.op.to_le_bytes());
            field(set.added.as_deref().unwrap_or_default());
            field(set.removed.as_deref().unwrap_or_default());
        }
        *hasher.finalize().as_bytes()
    }

    /// Checks that this row continues the log whose last hash is `chain`, and makes it the last.
    pub(crate) fn follow(&self, workspace: i64, chain: &mut Vec<u8>) -> Result<(), Error> {
        if self.prev_hash != *chain || self.hash != self.chain_hash(workspace) {
            return Err(Error::Corrupt(format!(
                "change {}: its hash does not follow from the one before: the log was altered",
                self.seq
            )));
        }
        chain.clone_from(&self.hash);
        Ok(())
    }

    pub(crate) fn identity(&self) -> Result<Option<IdentityDelta>, Error> {
        self.identity
            .as_deref()
            .map(IdentityDelta::from_bytes)
            .transpose()
            .map_err(Error::from)
    }

    pub(crate) fn deltas(&self) -> Result<Vec<SetDelta>, Error> {
        self.sets.iter().map(ChangeSet::decode).collect()
    }
}

/// The encoded parts of a command's delta, sets in ascending order (the order of the hash).
pub(crate) fn encode(delta: &Delta) -> (Option<Vec<u8>>, Vec<ChangeSet>) {
    let mut sets: Vec<ChangeSet> = delta.sets.iter().map(ChangeSet::of).collect();
    sets.sort_by_key(|set| set.set);
    (delta.identity.as_ref().map(IdentityDelta::to_bytes), sets)
}

pub(crate) fn insert(
    connection: &mut Connection,
    workspace: i64,
    change: &Change,
) -> Result<(), Error> {
    let seq = i64::try_from(change.seq).map_err(|_| Error::Internal("seq is over 2^63".into()))?;
    connection.query(
        INSERT,
        &[
            workspace.into(),
            seq.into(),
            change.time.into(),
            change.actor.into(),
            (&change.verb).into(),
            (&change.request_id).into(),
            (&change.command_id).into(),
            change.identity.as_deref().into(),
            (&change.prev_hash).into(),
            (&change.hash).into(),
        ],
    )?;
    for set in &change.sets {
        connection.query(
            SET_INSERT,
            &[
                workspace.into(),
                set.set.into(),
                seq.into(),
                set.op.into(),
                set.added.as_deref().into(),
                set.removed.as_deref().into(),
            ],
        )?;
    }
    Ok(())
}

/// The changes with `after < seq <= until`, in order.
pub(crate) fn page(
    connection: &mut Connection,
    workspace: i64,
    after: u64,
    until: u64,
) -> Result<Vec<Change>, Error> {
    let bound = |value: u64| Param::Int(i64::try_from(value).unwrap_or(i64::MAX));
    let params = [workspace.into(), bound(after), bound(until)];
    let mut sets = connection.query(SET_PAGE, &params)?.into_iter().peekable();
    let rows = connection.query(PAGE, &params)?;
    let mut changes = Vec::with_capacity(rows.len());
    for mut row in rows {
        let mut change = Change {
            seq: row.natural(0)?,
            time: row.int(1)?,
            actor: row.int(2)?,
            verb: row.text(3)?,
            request_id: row.text(4)?,
            command_id: row.text(5)?,
            identity: row.optional_bytes(6)?,
            prev_hash: row.bytes(7)?,
            hash: row.bytes(8)?,
            sets: Vec::new(),
        };
        while let Some(mut row) =
            sets.next_if(|row| row.natural(0).is_ok_and(|seq| seq == change.seq))
        {
            change.sets.push(set_of(&mut row)?);
        }
        changes.push(change);
    }
    match sets.next() {
        Some(row) => Err(Error::Corrupt(format!(
            "the sets of change {} have no change",
            row.int(0)?
        ))),
        None => Ok(changes),
    }
}

fn set_of(row: &mut Row) -> Result<ChangeSet, Error> {
    Ok(ChangeSet {
        set: row.int(1)?,
        op: row.int(2)?,
        added: row.optional_bytes(3)?,
        removed: row.optional_bytes(4)?,
    })
}

/// The hash of a change; of 0, which is none, the hash that the log begins with.
pub(crate) fn hash(
    connection: &mut Connection,
    workspace: i64,
    seq: u64,
) -> Result<Vec<u8>, Error> {
    if seq == 0 {
        return Ok(HASH_START.to_vec());
    }
    let bound = i64::try_from(seq).unwrap_or(i64::MAX);
    connection
        .query(HASH, &[workspace.into(), bound.into()])?
        .first_mut()
        .ok_or_else(|| {
            Error::Corrupt(format!("workspace {workspace}: the log lacks change {seq}"))
        })?
        .bytes(0)
}

/// The seq under which a command was logged, if it was.
pub(crate) fn by_command(
    connection: &mut Connection,
    workspace: i64,
    command_id: &str,
) -> Result<Option<u64>, Error> {
    connection
        .query(BY_COMMAND, &[workspace.into(), command_id.into()])?
        .first()
        .map(|row| row.natural(0))
        .transpose()
}
