//! Checkpoints: snapshots of the sets that changed since the last one, so that a start replays only what follows.
//!
//! Prepared from a published state, beside the commands; each row goes through the committer as a transaction of its
//! own. A snapshot of set S at seq N is the same bytes whoever writes it, so two processes may write one at once. The
//! `checkpoint` row comes last; what was pruned before it would be missing after a crash, so pruning follows it.

use sets::{Person, State};

use crate::{change, connection::Connection, error::Error, value::Param};

/// The pseudo set under which the position -> person column is kept, a segment for each checkpoint.
pub(crate) const PERSONS_SET: i64 = 0;

/// A checkpoint is due after so many changes ...
pub(crate) const CHANGES_MAX: u64 = 4_096;
/// ... or so many new keys since the last.
pub(crate) const KEYS_MAX: u64 = 8_000_000;
/// Changes read at once; a change holds at most a few megabytes.
pub(crate) const PAGE_CHANGES: u64 = 64;

const LATEST: &str = "SELECT seq, next_person, next_position FROM checkpoint WHERE workspace_id = $1 \
     ORDER BY seq DESC LIMIT 1";
const INSERT: &str = "INSERT INTO checkpoint (workspace_id, seq, next_person, next_position) \
     VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const SNAPSHOT_INSERT: &str = "INSERT INTO snapshot (workspace_id, set_id, seq, bytes) VALUES ($1, $2, $3, $4) \
     ON CONFLICT DO NOTHING";
const SNAPSHOTS: &str = "SELECT s.set_id, s.bytes FROM snapshot s WHERE s.workspace_id = $1 \
     AND s.set_id <> 0 AND s.seq = (SELECT max(t.seq) FROM snapshot t WHERE t.workspace_id = $1 \
     AND t.set_id = s.set_id AND t.seq <= $2) AND s.set_id > $3 ORDER BY s.set_id LIMIT 64";
const PERSONS: &str = "SELECT c.next_position, s.bytes FROM snapshot s JOIN checkpoint c \
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
    SNAPSHOTS,
    PERSONS,
    PERSONS_NEXT,
    LAST_CHANGES,
    PRUNE,
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub seq: u64,
    pub next_person: u64,
    pub next_position: u64,
}

pub(crate) fn latest(
    connection: &mut Connection,
    workspace: i64,
) -> Result<Option<Checkpoint>, Error> {
    let rows = connection.query(LATEST, &[workspace.into()])?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    Ok(Some(Checkpoint {
        seq: row.natural(0)?,
        next_person: row.natural(1)?,
        next_position: row.natural(2)?,
    }))
}

/// Writes one snapshot row.
pub(crate) fn snapshot_insert(
    connection: &mut Connection,
    workspace: i64,
    set: i64,
    seq: u64,
    bytes: &[u8],
) -> Result<(), Error> {
    connection
        .query(
            SNAPSHOT_INSERT,
            &[
                workspace.into(),
                set.into(),
                Param::Int(seq as i64),
                Param::Bytes(bytes),
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
    since: Option<Checkpoint>,
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
    let checkpoint = Checkpoint {
        seq: state.seq,
        next_person: u64::from(state.next_person),
        next_position: state.next_position,
    };
    insert(connection, workspace, checkpoint)
}

pub(crate) fn insert(
    connection: &mut Connection,
    workspace: i64,
    checkpoint: Checkpoint,
) -> Result<(), Error> {
    connection
        .query(
            INSERT,
            &[
                workspace.into(),
                Param::Int(checkpoint.seq as i64),
                Param::Int(checkpoint.next_person as i64),
                Param::Int(checkpoint.next_position as i64),
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

/// Calls `each` with every set's snapshot as of the checkpoint; of a set that was dropped or emptied it is empty.
pub(crate) fn snapshots(
    connection: &mut Connection,
    workspace: i64,
    at: u64,
    mut each: impl FnMut(i64, &[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut after = i64::MIN;
    loop {
        let rows = connection.query(
            SNAPSHOTS,
            &[workspace.into(), Param::Int(at as i64), Param::Int(after)],
        )?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.int(0)?;
        for mut row in rows {
            each(row.int(0)?, &row.bytes(1)?)?;
        }
    }
}

/// Calls `each` with consecutive pieces of the position -> person column up to the checkpoint. Segments that two
/// processes wrote for overlapping ranges are cut to fit.
pub(crate) fn persons(
    connection: &mut Connection,
    workspace: i64,
    checkpoint: Checkpoint,
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
