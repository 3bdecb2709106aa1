//! Checkpoints: snapshots of the sets that changed since the last one, so that a start replays only what follows.
//!
//! Prepared from a published state, beside the commands; each row goes through the committer as a transaction of its
//! own. A snapshot of set S at seq N is the same bytes whoever writes it, so two processes may write one at once. The
//! `checkpoint` row comes last; what was pruned before it would be missing after a crash, so pruning follows it.

use sets::{Person, Set, Snapshot, State};

use crate::{change, connection::Connection, error::Error, value::Param};

/// The pseudo set under which the position -> person column is kept, a segment for each checkpoint.
pub(crate) const PERSONS_SET: i64 = 0;

/// A checkpoint is due after so many changes ...
pub(crate) const CHANGES_MAX: u64 = 4_096;
/// ... or so many new keys since the last.
pub(crate) const KEYS_MAX: u64 = 8_000_000;
/// Changes read at once; a change holds at most a few megabytes.
pub(crate) const PAGE_CHANGES: u64 = 64;

const LATEST: &str = "SELECT seq, next_person, next_position, sum FROM checkpoint WHERE workspace_id = $1 \
     ORDER BY seq DESC LIMIT 1";
const INSERT: &str = "INSERT INTO checkpoint (workspace_id, seq, next_person, next_position, sum) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
const SNAPSHOT_INSERT: &str = "INSERT INTO snapshot (workspace_id, set_id, seq, bytes, members, sum) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING";
const SNAPSHOT: &str = "SELECT seq, bytes, members, sum FROM snapshot WHERE workspace_id = $1 AND set_id = $2 AND seq = $3";
const BEFORE: &str =
    "SELECT max(seq) FROM snapshot WHERE workspace_id = $1 AND set_id = $2 AND seq <= $3";
const AFTER: &str =
    "SELECT min(seq) FROM snapshot WHERE workspace_id = $1 AND set_id = $2 AND seq > $3";
const SNAPSHOTS: &str = "SELECT s.set_id, s.seq, s.members FROM snapshot s WHERE s.workspace_id = $1 \
     AND s.set_id <> 0 AND s.seq = (SELECT max(t.seq) FROM snapshot t WHERE t.workspace_id = $1 \
     AND t.set_id = s.set_id AND t.seq <= $2) AND s.set_id > $3 ORDER BY s.set_id LIMIT 1024";
const PERSONS: &str = "SELECT c.next_position, s.bytes, s.sum FROM snapshot s JOIN checkpoint c \
     ON c.workspace_id = s.workspace_id AND c.seq = s.seq \
     WHERE s.workspace_id = $1 AND s.set_id = 0 AND s.seq > $2 AND s.seq <= $3 ORDER BY s.seq LIMIT 1";
const PERSONS_NEXT: &str = "SELECT min(seq) FROM snapshot WHERE workspace_id = $1 AND set_id = 0 AND seq > $2 \
     AND seq <= $3";
const LAST_CHANGES: &str = "SELECT set_id, max(seq) FROM change_set WHERE workspace_id = $1 AND seq <= $2 \
     AND seq > $3 GROUP BY set_id";
/// The snapshot that a set was filled from stays, as part of the log: 100 is [`crate::fill::FILLED`].
const PRUNE: &str = "DELETE FROM snapshot WHERE workspace_id = $1 AND set_id = $2 AND seq < $3 \
     AND NOT EXISTS (SELECT 1 FROM change_set c WHERE c.workspace_id = snapshot.workspace_id \
     AND c.set_id = snapshot.set_id AND c.seq = snapshot.seq AND c.op = 100)";
#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    LATEST,
    INSERT,
    SNAPSHOT_INSERT,
    SNAPSHOT,
    BEFORE,
    AFTER,
    SNAPSHOTS,
    PERSONS,
    PERSONS_NEXT,
    LAST_CHANGES,
    PRUNE,
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub seq: u64,
    pub next_person: u64,
    pub next_position: u64,
    /// Absent where an older version wrote it.
    pub sum: Option<Vec<u8>>,
}

/// The checksum of a snapshot row.
fn snapshot_sum(workspace: i64, of: &Snapshot, bytes: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for number in [workspace as u64, of.set as u64, of.version, of.members] {
        hasher.update(&number.to_le_bytes());
    }
    *hasher.update(bytes).finalize().as_bytes()
}

/// The checksum of a checkpoint: of its numbers, of the log up to it, and of which sets there are, in ascending order. So a
/// snapshot that is no longer found is missed.
fn checkpoint_sum(
    workspace: i64,
    [seq, next_person, next_position]: [u64; 3],
    hash: &[u8],
    sets: impl IntoIterator<Item = Snapshot>,
) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    for number in [workspace as u64, seq, next_person, next_position] {
        hasher.update(&number.to_le_bytes());
    }
    hasher.update(hash);
    for of in sets.into_iter().filter(|of| of.members > 0) {
        for number in [of.set as u64, of.version, of.members] {
            hasher.update(&number.to_le_bytes());
        }
    }
    *hasher.finalize().as_bytes()
}

/// The sets of a state, as snapshots have them.
fn snapshots_of(state: &State) -> impl Iterator<Item = Snapshot> {
    state.sets().map(|(set, members)| Snapshot {
        set,
        version: state.version(set),
        members,
    })
}

pub(crate) fn latest(
    connection: &mut Connection,
    workspace: i64,
) -> Result<Option<Checkpoint>, Error> {
    let mut rows = connection.query(LATEST, &[workspace.into()])?;
    let Some(row) = rows.first_mut() else {
        return Ok(None);
    };
    Ok(Some(Checkpoint {
        seq: row.natural(0)?,
        next_person: row.natural(1)?,
        next_position: row.natural(2)?,
        sum: row.optional_bytes(3)?,
    }))
}

/// Writes one snapshot row.
pub(crate) fn snapshot_insert(
    connection: &mut Connection,
    workspace: i64,
    of: &Snapshot,
    bytes: &[u8],
) -> Result<(), Error> {
    let checksum = snapshot_sum(workspace, of, bytes);
    connection
        .query(
            SNAPSHOT_INSERT,
            &[
                workspace.into(),
                of.set.into(),
                Param::Int(of.version as i64),
                Param::Bytes(bytes),
                Param::Int(of.members as i64),
                Param::Bytes(&checksum),
            ],
        )
        .map(drop)
}

/// The sets that changed between two checkpoints, each with the seq of its last change.
pub(crate) fn changed_sets(
    connection: &mut Connection,
    workspace: i64,
    since: u64,
    until: u64,
) -> Result<Vec<(i64, u64)>, Error> {
    connection
        .query(
            LAST_CHANGES,
            &[
                workspace.into(),
                Param::Int(until as i64),
                Param::Int(since as i64),
            ],
        )?
        .iter()
        .map(|row| Ok((row.int(0)?, row.natural(1)?)))
        .collect()
}

/// The person segment of a checkpoint: its first position (8 bytes), then the persons of the positions since.
pub(crate) fn persons_segment(
    connection: &mut Connection,
    workspace: i64,
    since: Option<&Checkpoint>,
    until: u64,
) -> Result<Vec<u8>, Error> {
    let first_position = since.map_or(0, |checkpoint| checkpoint.next_position);
    let mut persons: Vec<Person> = Vec::new();
    let mut at = since.map_or(0, |checkpoint| checkpoint.seq);
    while at < until {
        let end = until.min(at + PAGE_CHANGES);
        for change in change::page(connection, workspace, at, end)? {
            if let Some(identity) = change.identity()? {
                persons.extend_from_slice(&identity.persons);
            }
        }
        at = end;
    }
    let mut bytes = first_position.to_le_bytes().to_vec();
    bytes.extend_from_slice(&sets::encode_persons(&persons));
    Ok(bytes)
}

/// The last row of a checkpoint: from here on it is believed.
pub(crate) fn finish(
    connection: &mut Connection,
    workspace: i64,
    state: &State,
) -> Result<(), Error> {
    let hash = change::hash(connection, workspace, state.seq)?;
    let numbers = [state.seq, u64::from(state.next_person), state.next_position];
    let checkpoint = Checkpoint {
        seq: state.seq,
        next_person: u64::from(state.next_person),
        next_position: state.next_position,
        sum: Some(checkpoint_sum(workspace, numbers, &hash, snapshots_of(state)).to_vec()),
    };
    insert(connection, workspace, &checkpoint)
}

pub(crate) fn insert(
    connection: &mut Connection,
    workspace: i64,
    checkpoint: &Checkpoint,
) -> Result<(), Error> {
    connection
        .query(
            INSERT,
            &[
                workspace.into(),
                Param::Int(checkpoint.seq as i64),
                Param::Int(checkpoint.next_person as i64),
                Param::Int(checkpoint.next_position as i64),
                checkpoint.sum.as_deref().into(),
            ],
        )
        .map(drop)
}

/// Drops the older snapshots of a set.
pub(crate) fn prune(
    connection: &mut Connection,
    workspace: i64,
    set: i64,
    before: u64,
) -> Result<(), Error> {
    connection
        .query(
            PRUNE,
            &[workspace.into(), set.into(), Param::Int(before as i64)],
        )
        .map(drop)
}

/// Every set that had members at the checkpoint. The members themselves are read only of rows of an older version, which do
/// not say how many they are.
pub(crate) fn snapshots(
    connection: &mut Connection,
    workspace: i64,
    checkpoint: &Checkpoint,
) -> Result<Vec<Snapshot>, Error> {
    let mut found = Vec::new();
    let mut after = i64::MIN;
    loop {
        let bounds = [
            workspace.into(),
            Param::Int(checkpoint.seq as i64),
            Param::Int(after),
        ];
        let rows = connection.query(SNAPSHOTS, &bounds)?;
        let Some(last) = rows.last() else { break };
        after = last.int(0)?;
        for row in &rows {
            let (set, version) = (row.int(0)?, row.natural(1)?);
            let members = match row.optional_int(2)? {
                Some(members) => u64::try_from(members)
                    .map_err(|_| Error::Corrupt(format!("a snapshot of set {set}")))?,
                None => snapshot(connection, workspace, set, version)?.len(),
            };
            found.push(Snapshot {
                set,
                version,
                members,
            });
        }
    }
    found.retain(|of| of.members > 0);
    if let Some(expected) = &checkpoint.sum {
        let hash = change::hash(connection, workspace, checkpoint.seq)?;
        let numbers = [
            checkpoint.seq,
            checkpoint.next_person,
            checkpoint.next_position,
        ];
        if *expected != checkpoint_sum(workspace, numbers, &hash, found.iter().cloned()) {
            return Err(Error::Corrupt(format!(
                "the checkpoint at {} does not fit its checksum, or a snapshot is missing",
                checkpoint.seq
            )));
        }
    }
    Ok(found)
}

/// The members in a snapshot row.
fn snapshot(connection: &mut Connection, workspace: i64, set: i64, seq: u64) -> Result<Set, Error> {
    let damaged = || Error::Corrupt(format!("the snapshot of set {set} at change {seq}"));
    let bounds = [workspace.into(), set.into(), Param::Int(seq as i64)];
    let mut rows = connection.query(SNAPSHOT, &bounds)?;
    let row = rows.first_mut().ok_or_else(damaged)?;
    let bytes = row.bytes(1)?;
    let people = Set::from_bytes(&bytes)?;
    let of = Snapshot {
        set,
        version: seq,
        members: people.len(),
    };
    let members = row.optional_int(2)?;
    let fits = row
        .optional_bytes(3)?
        .is_none_or(|checksum| checksum == snapshot_sum(workspace, &of, &bytes));
    if !fits || members.is_some_and(|members| members as u64 != of.members) {
        return Err(damaged());
    }
    Ok(people)
}

/// The last snapshot of a set at or before a change, with its seq.
pub(crate) fn snapshot_before(
    connection: &mut Connection,
    workspace: i64,
    set: i64,
    seq: u64,
) -> Result<Option<(u64, Set)>, Error> {
    snapshot_beside(connection, BEFORE, workspace, set, seq)
}

/// The first snapshot of a set after a change, with its seq.
pub(crate) fn snapshot_after(
    connection: &mut Connection,
    workspace: i64,
    set: i64,
    seq: u64,
) -> Result<Option<(u64, Set)>, Error> {
    snapshot_beside(connection, AFTER, workspace, set, seq)
}

fn snapshot_beside(
    connection: &mut Connection,
    statement: &'static str,
    workspace: i64,
    set: i64,
    seq: u64,
) -> Result<Option<(u64, Set)>, Error> {
    let bounds = [workspace.into(), set.into(), Param::Int(seq as i64)];
    let rows = connection.query(statement, &bounds)?;
    let found = rows.first().map(|row| row.optional_int(0)).transpose()?;
    let Some(found) = found.flatten() else {
        return Ok(None);
    };
    let found = found as u64;
    Ok(Some((found, snapshot(connection, workspace, set, found)?)))
}

/// Calls `each` with consecutive pieces of the position -> person column up to the checkpoint. Segments that two
/// processes wrote for overlapping ranges are cut to fit.
pub(crate) fn persons(
    connection: &mut Connection,
    workspace: i64,
    checkpoint: &Checkpoint,
    mut each: impl FnMut(&mut Connection, u64, &[Person]) -> Result<(), Error>,
) -> Result<(), Error> {
    let lacking = || {
        Error::Corrupt(format!(
            "the checkpoint at {} lacks part of its person column",
            checkpoint.seq
        ))
    };
    let (mut position, mut after) = (0u64, 0u64);
    while position < checkpoint.next_position {
        let bounds = [
            workspace.into(),
            Param::Int(after as i64),
            Param::Int(checkpoint.seq as i64),
        ];
        let next = connection.query(PERSONS_NEXT, &bounds)?;
        let seq = next
            .first()
            .map(|row| row.optional_int(0))
            .transpose()?
            .flatten()
            .ok_or_else(lacking)?;
        let mut rows = connection.query(
            PERSONS,
            &[workspace.into(), Param::Int(after as i64), Param::Int(seq)],
        )?;
        after = seq as u64;
        // A segment whose checkpoint row was never written belongs to a checkpoint that did not finish.
        let Some(row) = rows.first_mut() else {
            continue;
        };
        let (end, bytes) = (row.natural(0)?, row.bytes(1)?);
        let of = Snapshot {
            set: PERSONS_SET,
            version: after,
            members: end,
        };
        if let Some(checksum) = row.optional_bytes(2)?
            && checksum != snapshot_sum(workspace, &of, &bytes)
        {
            return Err(Error::Corrupt(format!(
                "the person column of the checkpoint at {seq} does not fit its checksum"
            )));
        }
        let (first, encoded) = bytes.split_first_chunk::<8>().ok_or_else(lacking)?;
        let first = u64::from_le_bytes(*first);
        if first > position || end < first {
            return Err(lacking());
        }
        let column = sets::decode_persons(encoded, end - first)?;
        let skip = ((position - first) as usize).min(column.len());
        each(connection, position, &column[skip..])?;
        position += (column.len() - skip) as u64;
    }
    Ok(())
}
