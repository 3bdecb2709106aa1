//! From the database to a published engine: at start from the last checkpoint, later from the changes missed.

use sets::{Engine, Loaded};

use crate::{
    cache_folder,
    change::{self, Change},
    checkpoint::{self, Checkpoint, PAGE_CHANGES},
    connection::Connection,
    error::Error,
    head::{self, Head},
    keys,
};

/// Key blocks read at once: 16 MiB.
const BLOCKS_READ: u64 = 256;

/// Keys replayed before they are published.
const KEYS_UNPUBLISHED_MAX: usize = 50_000;

/// Told while a workspace is loaded: keys done, keys in all.
pub(crate) type OnProgress<'a> = &'a mut dyn FnMut(u64, u64);

/// Fills an empty engine to the head seen by the connection's snapshot.
pub(crate) fn load(
    connection: &mut Connection,
    workspace: i64,
    engine: &Engine,
    progress: OnProgress<'_>,
) -> Result<(), Error> {
    let head = head::get(connection, workspace)?;
    let there = engine.loaded().complete;
    if there == 0 {
        engine.reserve_keys(
            head.next_position
                .min(keys::keys_max(connection, workspace)?),
        );
    }
    if let Some(checkpoint) = checkpoint::latest(connection, workspace)? {
        let sets = checkpoint::snapshots(connection, workspace, &checkpoint)?;
        if there < checkpoint.next_position {
            load_keys(connection, workspace, engine, &checkpoint, &mut |done| {
                progress(done, head.next_position);
            })?;
        }
        let next_person = u32::try_from(checkpoint.next_person)
            .map_err(|_| Error::Corrupt("a checkpoint counts more than 2^32 people".into()))?;
        engine.restore_snapshots(checkpoint.seq, checkpoint.next_position, next_person, sets);
    }
    catch_up(connection, workspace, engine, &head, progress)?;
    if engine.loaded() != Loaded::default() {
        cache_folder::is_whole(engine)?;
    }
    let state = engine.published();
    if state.next_position != head.next_position || u64::from(state.next_person) > head.next_person
    {
        return Err(Error::Corrupt(format!(
            "workspace {workspace}: the log ends at position {} and person {}, the head says {} and {}",
            state.next_position, state.next_person, head.next_position, head.next_person
        )));
    }
    Ok(())
}

/// Loads the keys up to a checkpoint that the dictionary does not have yet.
fn load_keys(
    connection: &mut Connection,
    workspace: i64,
    engine: &Engine,
    checkpoint: &Checkpoint,
    progress: &mut dyn FnMut(u64),
) -> Result<(), Error> {
    let there = engine.loaded().complete;
    checkpoint::persons(
        connection,
        workspace,
        checkpoint,
        |connection, first, persons| {
            let end = first + persons.len() as u64;
            let from = there.clamp(first, end);
            let mut done = (from - first) as usize;
            keys::read(connection, workspace, from, end, BLOCKS_READ, |_, keys| {
                engine.load_keys(&keys, &persons[done..done + keys.len()]);
                done += keys.len();
                progress(first + done as u64);
                Ok(())
            })
        },
    )
}

/// Applies the changes after the published seq up to the head, publishing page by page. Each must follow from the one before,
/// and the last must be the head's, so that a log that was damaged or altered is not believed.
pub(crate) fn catch_up(
    connection: &mut Connection,
    workspace: i64,
    engine: &Engine,
    head: &Head,
    progress: OnProgress<'_>,
) -> Result<(), Error> {
    let mut at = engine.published().seq;
    let mut chain = change::hash(connection, workspace, at)?;
    while at < head.seq {
        let end = head.seq.min(at + PAGE_CHANGES);
        let changes = change::page(connection, workspace, at, end)?;
        if changes.len() as u64 != end - at {
            return Err(Error::Corrupt(format!(
                "workspace {workspace}: the log has a gap after change {at}"
            )));
        }
        for change in &changes {
            change.follow(workspace, &mut chain)?;
        }
        replay(connection, workspace, engine, &changes)?;
        at = end;
        let position = engine.published().next_position;
        progress(position, position);
    }
    if chain != head.hash {
        return Err(Error::Corrupt(format!(
            "workspace {workspace}: the log does not end with change {} as the head has it",
            head.seq
        )));
    }
    Ok(())
}

fn replay(
    connection: &mut Connection,
    workspace: i64,
    engine: &Engine,
    changes: &[Change],
) -> Result<(), Error> {
    let mut working = engine.begin();
    let mut unpublished = 0;
    for change in changes {
        // A view that holds millions of keys no longer fits in the processor's caches.
        if unpublished > KEYS_UNPUBLISHED_MAX {
            engine.publish(working.finish());
            working = engine.begin();
            unpublished = 0;
        }
        let identity = change.identity()?;
        let mut new_keys = Vec::new();
        if let Some(identity) = &identity {
            let first = identity.first_position;
            let until = first.saturating_add(identity.persons.len() as u64);
            // Those that the dictionary was loaded with need not be read.
            let until = if until <= engine.loaded().complete {
                first
            } else {
                unpublished += identity.persons.len();
                until
            };
            keys::read(
                connection,
                workspace,
                first,
                until,
                BLOCKS_READ,
                |_, mut keys| {
                    new_keys.append(&mut keys);
                    Ok(())
                },
            )?;
        }
        working.replay(change.seq, &new_keys, identity.as_ref(), &change.deltas()?)?;
    }
    engine.publish(working.finish());
    Ok(())
}
