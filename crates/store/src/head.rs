//! The head of a workspace: its counters and the hash of its last change. Updating it is the workspace's lock.

use crate::{
    connection::Connection,
    error::Error,
    value::{Param, Row},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub seq: u64,
    pub next_id: i64,
    pub next_person: u64,
    pub next_position: u64,
    pub hash: Vec<u8>,
}

/// The hash before the first change.
pub(crate) const HASH_START: [u8; 32] = [0; 32];

const INSERT: &str = "INSERT INTO head (workspace_id, turn, seq, next_id, next_person, next_position, hash) \
     VALUES ($1, 0, 0, 1, 1, 0, $2)";
const LOCK: &str = "UPDATE head SET turn = turn + 1 WHERE workspace_id = $1 \
     RETURNING seq, next_id, next_person, next_position, hash";
const GET: &str =
    "SELECT seq, next_id, next_person, next_position, hash FROM head WHERE workspace_id = $1";
const SAVE: &str = "UPDATE head SET seq = $2, next_id = $3, next_person = $4, next_position = $5, hash = $6 \
     WHERE workspace_id = $1";
const SEQ: &str = "SELECT seq FROM head WHERE workspace_id = $1";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, LOCK, GET, SAVE, SEQ];

pub(crate) fn insert(connection: &mut Connection, workspace: i64) -> Result<(), Error> {
    connection
        .query(INSERT, &[workspace.into(), Param::Bytes(&HASH_START)])
        .map(drop)
}

/// The first statement of a group: waits for its turn.
pub(crate) fn lock(connection: &mut Connection, workspace: i64) -> Result<Head, Error> {
    one(connection.query(LOCK, &[workspace.into()])?)
}

pub(crate) fn get(connection: &mut Connection, workspace: i64) -> Result<Head, Error> {
    one(connection.query(GET, &[workspace.into()])?)
}

/// Only the seq: what a reader compares with the published state.
pub(crate) fn seq(connection: &mut Connection, workspace: i64) -> Result<u64, Error> {
    let rows = connection.query(SEQ, &[workspace.into()])?;
    rows.first()
        .ok_or_else(|| Error::Corrupt(format!("workspace {workspace} has no head")))?
        .natural(0)
}

pub(crate) fn save(connection: &mut Connection, workspace: i64, head: &Head) -> Result<(), Error> {
    let int = |value: u64| {
        i64::try_from(value).map_err(|_| Error::Internal("a counter is over 2^63".into()))
    };
    connection
        .query(
            SAVE,
            &[
                workspace.into(),
                int(head.seq)?.into(),
                head.next_id.into(),
                int(head.next_person)?.into(),
                int(head.next_position)?.into(),
                (&head.hash).into(),
            ],
        )
        .map(drop)
}

fn one(mut rows: Vec<Row>) -> Result<Head, Error> {
    let row = rows
        .first_mut()
        .ok_or_else(|| Error::Corrupt("a workspace has no head".into()))?;
    Ok(Head {
        seq: row.natural(0)?,
        next_id: row.int(1)?,
        next_person: row.natural(2)?,
        next_position: row.natural(3)?,
        hash: row.bytes(4)?,
    })
}
