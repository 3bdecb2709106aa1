//! Sets from the database, for the engine when a set is neither in memory nor in a file that can be believed.
//!
//! Reads on connections of its own, since whoever asks may be in a transaction. Invariant: a set is rebuilt from a snapshot
//! whose checksum is right and from changes whose hashes are, or not at all.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use sets::{Owner, Rebuild, Set, SetDelta, SetId, SetOp};

use crate::{
    change, checkpoint,
    connection::{Connection, Mode},
    error::Error,
    folder::DatabaseUrl,
    installation::Installation,
    value::Param,
    workspace::WorkspaceSecret,
};

const CHANGES: &str = "SELECT seq FROM change_set WHERE workspace_id = $1 AND set_id = $2 AND seq > $3 AND seq <= $4 \
     ORDER BY seq LIMIT 256";
const CHANGES_BACK: &str = "SELECT seq FROM change_set WHERE workspace_id = $1 AND set_id = $2 AND seq > $3 AND seq <= $4 \
     ORDER BY seq DESC LIMIT 256";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[CHANGES, CHANGES_BACK];

/// Connections kept for the next who asks.
const IDLE_MAX: usize = 4;

/// Connections on which sets are rebuilt, shared by all workspaces.
#[derive(Debug)]
pub(crate) struct Pool {
    url: DatabaseUrl,
    idle: Mutex<Vec<Connection>>,
}

impl Pool {
    pub(crate) fn new(url: DatabaseUrl) -> Arc<Pool> {
        Arc::new(Pool {
            url,
            idle: Mutex::default(),
        })
    }

    /// Runs `work` in one snapshot of the database.
    fn read<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T, Error>) -> Result<T, Error> {
        let idle = self.idle.lock().pop();
        // One that was closed meanwhile is opened anew.
        let begun = idle.and_then(|mut idle| idle.begin(Mode::Read).ok().map(|()| idle));
        let mut connection = match begun {
            Some(begun) => begun,
            None => {
                let mut opened = Connection::open(&self.url, Mode::Read)?;
                opened.begin(Mode::Read)?;
                opened
            }
        };
        let result = work(&mut connection);
        if connection.rollback().is_ok() && !connection.is_broken() {
            let mut idle = self.idle.lock();
            if idle.len() < IDLE_MAX {
                idle.push(connection);
            }
        }
        result
    }
}

/// The sets of one workspace.
#[derive(Debug)]
pub(crate) struct Source {
    pub pool: Arc<Pool>,
    pub workspace: i64,
}

impl Rebuild for Source {
    fn change_hash(&self, seq: u64) -> Result<[u8; 32], String> {
        let hash = self
            .pool
            .read(|connection| change::hash(connection, self.workspace, seq));
        let hash = hash.map_err(|error| error.to_string())?;
        hash.try_into()
            .map_err(|_| format!("the hash of change {seq} has another length"))
    }

    fn rebuild(&self, set: SetId, version: u64) -> Result<Set, String> {
        self.pool
            .read(|connection| rebuild(connection, self.workspace, set, version))
            .inspect_err(|error| {
                tracing::warn!(workspace = self.workspace, set, version, %error, "a set could not be rebuilt");
            })
            .map_err(|error| error.to_string())
    }
}

/// The set as change `version` left it: the snapshot at or before it and the changes since; where that is pruned, the next
/// snapshot without the changes in between; where there is none, all changes.
fn rebuild(
    connection: &mut Connection,
    workspace: i64,
    set: SetId,
    version: u64,
) -> Result<Set, Error> {
    if let Some((seq, members)) = checkpoint::snapshot_before(connection, workspace, set, version)?
    {
        return forward(connection, (workspace, set), members, seq, version);
    }
    if let Some((seq, members)) = checkpoint::snapshot_after(connection, workspace, set, version)? {
        return backward(connection, (workspace, set), members, version, seq);
    }
    forward(connection, (workspace, set), Set::new(), 0, version)
}

fn forward(
    connection: &mut Connection,
    (workspace, set): (i64, SetId),
    mut members: Set,
    mut at: u64,
    until: u64,
) -> Result<Set, Error> {
    loop {
        let bounds = [workspace.into(), set.into(), int(at), int(until)];
        let rows = connection.query(CHANGES, &bounds)?;
        let Some(last) = rows.last() else {
            return Ok(members);
        };
        at = last.natural(0)?;
        for row in &rows {
            let delta = delta(connection, workspace, set, row.natural(0)?)?;
            if delta.op == SetOp::Drop {
                members = Set::new();
                continue;
            }
            apply(&mut members, &delta.removed, &delta.added)?;
        }
    }
}

fn backward(
    connection: &mut Connection,
    (workspace, set): (i64, SetId),
    mut members: Set,
    until: u64,
    mut at: u64,
) -> Result<Set, Error> {
    loop {
        let bounds = [workspace.into(), set.into(), int(until), int(at)];
        let rows = connection.query(CHANGES_BACK, &bounds)?;
        let Some(last) = rows.last() else {
            return Ok(members);
        };
        at = last.natural(0)?.saturating_sub(1);
        for row in &rows {
            let delta = delta(connection, workspace, set, row.natural(0)?)?;
            apply(&mut members, &delta.added, &delta.removed)?;
        }
    }
}

fn int(number: u64) -> Param<'static> {
    Param::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

/// What a change did to the set. The whole change is read, since its hash covers all of it.
fn delta(
    connection: &mut Connection,
    workspace: i64,
    set: SetId,
    seq: u64,
) -> Result<SetDelta, Error> {
    let wrong = |what: &str| Error::Corrupt(format!("change {seq}: {what}"));
    let changes = change::page(connection, workspace, seq.saturating_sub(1), seq)?;
    let [change] = &changes[..] else {
        return Err(wrong("the log lacks it"));
    };
    if change.hash != change.chain_hash(workspace) {
        return Err(wrong("it is not what its hash says"));
    }
    let of_set = change.sets.iter().find(|of| of.set == set);
    of_set.ok_or_else(|| wrong("it lacks the set"))?.decode()
}

/// Takes `out` from the members, who all are among them, and puts `into` among them, of whom nobody is.
fn apply(members: &mut Set, out: &Set, into: &Set) -> Result<(), Error> {
    if !out.is_subset(members) || members.and_len(into) != 0 {
        return Err(Error::Corrupt(
            "a change of a set does not follow from its snapshot".into(),
        ));
    }
    members.remove_all(out);
    members.insert_all(into);
    Ok(())
}

/// Whose files the sets of a workspace are in this database, as it was restored last.
pub(crate) fn owner(
    installation: &Installation,
    workspace: i64,
    secret: &WorkspaceSecret,
) -> Owner {
    let mut mark = blake3::Hasher::new_derive_key("throng 2026-11 whose set files");
    mark.update(&workspace.to_le_bytes());
    mark.update(&installation.restore_epoch.to_le_bytes());
    mark.update(installation.database_id.as_bytes());
    Owner {
        mark: *mark.finalize().as_bytes(),
        key: secret.set_files(),
    }
}

/// Makes a folder that nobody else may look into, and those above it.
pub(crate) fn make_private(path: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// The folder of a workspace's set files, made where it is absent. Nothing where that fails: the cache is not needed.
pub(crate) fn folder(data: &Path, workspace: i64) -> Option<PathBuf> {
    let path = data.join("cache").join("sets").join(workspace.to_string());
    match make_private(&path) {
        Ok(()) => Some(path),
        Err(error) => {
            tracing::warn!(%error, "the folder of set files could not be made: sets that do not fit in memory are read from the database");
            None
        }
    }
}
