//! Verification: reads the whole log of every workspace and compares what follows from it with what is stored.
//!
//! Reads one snapshot of the database and needs no lock, so a server may be running. It trusts nothing: not the head, not
//! the snapshots, not the checkpoints.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use sets::{Engine, Home, Owner, Rebuild, Set, Working};

use crate::{
    backup::master_key_beside,
    change::{self, Change},
    checkpoint,
    connection::{Connection, Mode},
    error::Error,
    fill,
    folder::DatabaseUrl,
    head, keys,
    loader::Shelving,
    rebuild::make_private,
    seal::Sealer,
    verify_rows::verify_rows,
    workspace::{self, KeepIdentifiers, Workspace},
};

/// Findings kept; more are counted only.
const FINDINGS_MAX: usize = 100;
const CHANGES_AT_ONCE: u64 = 64;

/// What was counted, and what does not fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    pub workspaces: u64,
    pub changes: u64,
    pub keys: u64,
    pub people: u64,
    pub sets: u64,
    /// Members of all sets together.
    pub members: u64,
    pub snapshots: u64,
    /// Sets that were filled for measurements: they are what the log's hash of their snapshot says, and nothing says who
    /// put their members there.
    pub filled: u64,
    /// Sealed identifiers that were opened; 0 where the master key is not at hand.
    pub identifiers: u64,
    /// What does not fit: at most 100 sentences.
    pub findings: Vec<String>,
    pub findings_count: u64,
}

impl VerifyReport {
    pub fn is_sound(&self) -> bool {
        self.findings_count == 0
    }

    pub(crate) fn find(&mut self, text: String) {
        self.findings_count += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(text);
        }
    }
}

const SNAPSHOTS: &str =
    "SELECT seq, set_id FROM snapshot WHERE workspace_id = $1 AND set_id <> 0 ORDER BY seq, set_id";
const SNAPSHOT: &str =
    "SELECT bytes FROM snapshot WHERE workspace_id = $1 AND set_id = $2 AND seq = $3";
const BEYOND: &str = "SELECT count(*) FROM change WHERE workspace_id = $1 AND seq > $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[SNAPSHOTS, SNAPSHOT, BEYOND];

/// Verifies every workspace. `folder` is where the master key is looked for; without it the sealed identifiers are not
/// opened. Told: the workspace's slug, changes done, changes in all.
pub fn verify(
    folder: &Path,
    url: &DatabaseUrl,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> Result<VerifyReport, Error> {
    if let DatabaseUrl::Sqlite { path, .. } = url
        && !path.exists()
    {
        return Err(Error::Open(format!(
            "there is no database at {}",
            path.display()
        )));
    }
    let sealer = master_key_beside(folder)?.map(|key| key.sealer());
    let mut connection = Connection::open(url, Mode::Read)?;
    connection.begin(Mode::Read)?;
    let mut report = VerifyReport::default();
    let mut after = 0;
    loop {
        let page = workspace::list(&mut connection, after, 256)?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for workspace in page {
            report.workspaces += 1;
            verify_workspace(
                (&mut connection, folder),
                &workspace,
                sealer.as_ref(),
                &mut report,
                progress,
            )?;
        }
    }
    connection.rollback()?;
    Ok(report)
}

/// Bytes of sets that verification keeps in memory; the others are written to files of its own.
const SETS_BYTES: u64 = 1 << 30;

/// The files of the sets that verification replays, in a folder that goes with it.
struct Scratch(Option<PathBuf>);

impl Scratch {
    /// A folder below the data folder, if there is one and it can be written to; else the sets stay in memory.
    fn make(data: &Path) -> Scratch {
        let name = format!("verify.{}", std::process::id());
        let path = data.join("cache").join(name);
        let made = data.is_dir() && make_private(&path).is_ok();
        Scratch(made.then_some(path))
    }

    fn engine(&self) -> Result<(Engine, Option<Arc<Shelving>>), Error> {
        let Some(path) = &self.0 else {
            return Ok((Engine::new(), None));
        };
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| Error::Internal(error.to_string()))?;
        let owner = Owner { mark: [0; 32], key };
        let shelf = Shelving::start(SETS_BYTES)?;
        let folder = Some(path.clone());
        let home = Home::new(Arc::clone(&shelf), folder, owner, Box::new(Nowhere));
        Ok((Engine::at_home(home), Some(shelf)))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // What stays is in the cache, which anybody may delete.
            std::fs::remove_dir_all(path).ok();
        }
    }
}

/// What verification has replayed comes back from its own files only: the database is what is verified.
#[derive(Debug)]
struct Nowhere;

impl Rebuild for Nowhere {
    fn change_hash(&self, _: u64) -> Result<[u8; 32], String> {
        Ok([0; 32])
    }

    fn rebuild(&self, _: sets::SetId, _: u64) -> Result<Set, String> {
        Err("a file of the verification was lost".into())
    }
}

fn verify_workspace(
    (connection, folder): (&mut Connection, &Path),
    workspace: &Workspace,
    sealer: Option<&Sealer>,
    report: &mut VerifyReport,
    progress: &mut dyn FnMut(&str, u64, u64),
) -> Result<(), Error> {
    let (id, slug) = (workspace.id, workspace.slug.as_str());
    let head = head::get(connection, id)?;
    let mut snapshots: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    for row in connection.query(SNAPSHOTS, &[id.into()])? {
        snapshots
            .entry(row.natural(0)?)
            .or_default()
            .push(row.int(1)?);
    }
    let scratch = Scratch::make(folder);
    let (engine, _shelf) = scratch.engine()?;
    let mut chain = head::HASH_START.to_vec();
    let mut at = 0;
    while at < head.seq {
        let end = head.seq.min(at + CHANGES_AT_ONCE);
        let changes = match change::page(connection, id, at, end) {
            Ok(changes) => changes,
            Err(error) => return give_up(report, slug, at, &error),
        };
        let mut working = engine.begin();
        for change in &changes {
            if let Err(error) = verify_change(connection, id, change, &mut chain, &mut working) {
                return give_up(report, slug, change.seq, &error);
            }
            report.filled += fill::filled_count(change);
            for set in snapshots.remove(&change.seq).unwrap_or_default() {
                verify_snapshot(
                    connection,
                    workspace,
                    set,
                    change.seq,
                    &working.set(set)?,
                    report,
                )?;
            }
        }
        if changes.len() as u64 != end - at {
            return give_up(
                report,
                slug,
                at,
                &Error::Corrupt("the log has a gap".into()),
            );
        }
        engine.publish(working.finish());
        at = end;
        progress(slug, at, head.seq);
    }
    for (seq, sets) in snapshots {
        report.find(format!(
            "{slug}: {} snapshots speak of change {seq}, which the log does not have",
            sets.len()
        ));
    }
    verify_head(connection, slug, id, &head, &chain, &engine, report)?;
    verify_checkpoint(connection, slug, id, report)?;
    verify_rows(connection, slug, id, &engine, report)?;
    if let Some(sealer) = sealer
        && workspace.keep_identifiers == KeepIdentifiers::Sealed
    {
        verify_identifiers(connection, workspace, sealer, head.next_position, report)?;
    }
    let state = engine.published();
    report.changes += state.seq;
    report.keys += state.next_position;
    report.people += head.next_person.saturating_sub(1);
    for (_, members) in state.sets() {
        report.sets += 1;
        report.members += members;
    }
    Ok(())
}

/// The log cannot be followed beyond this change; the other workspaces still can.
fn give_up(report: &mut VerifyReport, slug: &str, seq: u64, error: &Error) -> Result<(), Error> {
    match error {
        Error::Corrupt(_) => {
            report.find(format!(
                "{slug}: the log cannot be followed beyond change {seq}: {error}"
            ));
            Ok(())
        }
        error => Err(error.clone()),
    }
}

fn verify_change(
    connection: &mut Connection,
    workspace: i64,
    change: &Change,
    chain: &mut Vec<u8>,
    working: &mut Working<'_>,
) -> Result<(), Error> {
    change.follow(workspace, chain)?;
    let identity = change.identity()?;
    let mut new_keys = Vec::new();
    if let Some(identity) = &identity {
        let first = identity.first_position;
        keys::read(
            connection,
            workspace,
            first,
            first + identity.persons.len() as u64,
            256,
            |_, mut keys| {
                new_keys.append(&mut keys);
                Ok(())
            },
        )?;
    }
    let deltas = fill::deltas(connection, workspace, change)?;
    working.replay(change.seq, &new_keys, identity.as_ref(), &deltas)?;
    Ok(())
}

fn verify_snapshot(
    connection: &mut Connection,
    workspace: &Workspace,
    set: i64,
    seq: u64,
    expected: &Set,
    report: &mut VerifyReport,
) -> Result<(), Error> {
    report.snapshots += 1;
    let mut rows = connection.query(
        SNAPSHOT,
        &[workspace.id.into(), set.into(), (seq as i64).into()],
    )?;
    let bytes = rows
        .first_mut()
        .map(|row| row.bytes(0))
        .transpose()?
        .unwrap_or_default();
    match Set::from_bytes(&bytes) {
        Ok(found) if found == *expected => {}
        Ok(found) => report.find(format!(
            "{}: the snapshot of set {set} at change {seq} holds {} people, the log says {}",
            workspace.slug,
            found.len(),
            expected.len()
        )),
        Err(error) => {
            report.find(format!(
                "{}: the snapshot of set {set} at change {seq} cannot be read: {error}",
                workspace.slug
            ));
        }
    }
    Ok(())
}

fn verify_head(
    connection: &mut Connection,
    slug: &str,
    workspace: i64,
    head: &head::Head,
    chain: &[u8],
    engine: &Engine,
    report: &mut VerifyReport,
) -> Result<(), Error> {
    let state = engine.published();
    if head.hash != chain {
        report.find(format!(
            "{slug}: the head's hash is not that of the last change"
        ));
    }
    if head.next_position != state.next_position {
        report.find(format!(
            "{slug}: the head counts {} keys, the log {}",
            head.next_position, state.next_position
        ));
    }
    if head.next_person < u64::from(state.next_person) {
        report.find(format!(
            "{slug}: the head would give person number {} out again",
            head.next_person
        ));
    }
    let beyond = connection.query(BEYOND, &[workspace.into(), (head.seq as i64).into()])?;
    if beyond.first().map_or(Ok(0), |row| row.int(0))? > 0 {
        report.find(format!(
            "{slug}: the log goes beyond the head's change {}",
            head.seq
        ));
    }
    Ok(())
}

/// The person column that a start would use must be the one that the log gives.
fn verify_checkpoint(
    connection: &mut Connection,
    slug: &str,
    workspace: i64,
    report: &mut VerifyReport,
) -> Result<(), Error> {
    let Some(latest) = checkpoint::latest(connection, workspace)? else {
        return Ok(());
    };
    let whole = checkpoint::persons_segment(connection, workspace, None, latest.seq)?;
    let expected = sets::decode_persons(&whole[8..], latest.next_position);
    let mut found = Vec::new();
    let read = checkpoint::persons(connection, workspace, &latest, |_, _, persons| {
        found.extend_from_slice(persons);
        Ok(())
    });
    if let Err(error) = read {
        report.find(format!("{slug}: {error}"));
    } else if expected.ok().as_ref() != Some(&found) {
        report.find(format!(
            "{slug}: the person column of the checkpoint at {} is not what the log says",
            latest.seq
        ));
    }
    Ok(())
}

fn verify_identifiers(
    connection: &mut Connection,
    workspace: &Workspace,
    sealer: &Sealer,
    positions: u64,
    report: &mut VerifyReport,
) -> Result<(), Error> {
    let slug = &workspace.slug;
    let (_, secret) = match workspace::get(connection, sealer, workspace.id) {
        Ok(Some(found)) => found,
        Ok(None) => return Ok(()),
        Err(error) => {
            report.find(format!("{slug}: {error}"));
            return Ok(());
        }
    };
    let sealer = secret.identifiers();
    let mut position = 0;
    while position < positions {
        let block = position / keys::KEYS_PER_BLOCK;
        let expected = (positions - position).min(keys::KEYS_PER_BLOCK);
        match keys::identifiers(connection, workspace.id, block, &sealer) {
            Ok(found) if found.len() as u64 == expected => report.identifiers += expected,
            Ok(found) => {
                report.find(format!(
                    "{slug}: identifier block {block} holds {} entries, not {expected}",
                    found.len()
                ));
            }
            Err(error) => report.find(format!("{slug}: identifier block {block}: {error}")),
        }
        position += expected;
    }
    Ok(())
}
