//! Verification of what is kept in rows and in sets at once: each set that follows from rows is recomputed from them.
//!
//! Not the log itself, which `verify` follows; this compares the state that it gives with the tables.

use std::collections::HashSet;

use sets::{Engine, Set, SetId};

use crate::{
    connection::Connection,
    error::Error,
    value::{Param, Row},
    verify::VerifyReport,
};

const ORPHANS: &str = "SELECT a.id FROM audience a WHERE a.workspace_id = $1 AND NOT EXISTS (SELECT 1 FROM audience s \
     WHERE s.workspace_id = a.workspace_id AND s.id = a.structure_id AND s.kind = 'structure') LIMIT 100";
const AUDIENCE_IDS: &str =
    "SELECT id FROM audience WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT 1000";
const POLICIES: &str = "SELECT version, set_id FROM policy WHERE workspace_id = $1 ORDER BY set_id";
const AGREED: &str =
    "SELECT person FROM consent WHERE workspace_id = $1 AND version = $2 AND agreed = 1";
const MISCOUNTED: &str = "SELECT g.id FROM account_group g WHERE g.workspace_id = $1 AND g.members <> \
     (SELECT count(*) FROM group_member m WHERE m.workspace_id = g.workspace_id AND m.group_id = g.id) LIMIT 100";
const MEMBER_ORPHANS: &str = "SELECT m.group_id FROM group_member m WHERE m.workspace_id = $1 AND (NOT EXISTS \
     (SELECT 1 FROM account a WHERE a.workspace_id = m.workspace_id AND a.id = m.account_id) OR NOT EXISTS \
     (SELECT 1 FROM account_group g WHERE g.workspace_id = m.workspace_id AND g.id = m.group_id)) LIMIT 100";
/// The sets that follow from records, as the domain numbers them.
const RECORDS: SetId = -100;
const INACTIVE: SetId = -101;
const ENDED: SetId = -102;
const RECORD_PEOPLE: &str = "SELECT id, person, active, ended FROM record WHERE workspace_id = $1 AND id > $2 ORDER BY id LIMIT 10000";
const CHILDREN_ASTRAY: &str = "SELECT a.id FROM audience a WHERE a.workspace_id = $1 AND a.kind <> 'structure' \
     AND (a.parent_id IS NULL OR a.parent_id <> a.structure_id OR a.id = a.structure_id) LIMIT 100";
const CONTROL_ASTRAY: &str = "SELECT a.id FROM audience a JOIN audience s ON s.workspace_id = a.workspace_id \
     AND s.id = a.structure_id WHERE a.workspace_id = $1 \
     AND (a.control <> s.control OR a.unique_names <> s.unique_names) LIMIT 100";
const MANAGERS_ASTRAY: &str = "SELECT m.audience_id FROM audience_manager m WHERE m.workspace_id = $1 AND NOT EXISTS \
     (SELECT 1 FROM audience a WHERE a.workspace_id = m.workspace_id AND a.id = m.audience_id) LIMIT 100";
const DELETING_ASTRAY: &str = "SELECT a.id FROM audience a WHERE a.workspace_id = $1 AND a.deleting <> 0 AND NOT EXISTS \
     (SELECT 1 FROM job j WHERE j.workspace_id = a.workspace_id AND j.id = a.deleting AND j.finished IS NULL) LIMIT 100";

/// The sets that follow from active clients, as the domain numbers its channels.
const CHANNELS: &[(&str, SetId)] = &[
    ("mailgun", -200),
    ("twilio", -201),
    ("messagebird", -202),
    ("whatsapp", -203),
    ("sdk", -204),
];
const CLIENT_PEOPLE: &str = "SELECT id, person, kind FROM client WHERE workspace_id = $1 AND id > $2 \
     AND status = 'active' ORDER BY id LIMIT 10000";
const CLIENTS_ASTRAY: &str = "SELECT c.id FROM client c WHERE c.workspace_id = $1 AND NOT EXISTS \
     (SELECT 1 FROM record r WHERE r.workspace_id = c.workspace_id AND r.id = c.record_id AND r.person = c.person) LIMIT 100";
const PARTICIPANTS_ASTRAY: &str = "SELECT p.id FROM participant p WHERE p.workspace_id = $1 AND (NOT EXISTS \
     (SELECT 1 FROM record r WHERE r.workspace_id = p.workspace_id AND r.id = p.record_id) OR NOT EXISTS \
     (SELECT 1 FROM conversation c WHERE c.workspace_id = p.workspace_id AND c.id = p.conversation_id)) LIMIT 100";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    ORPHANS,
    AUDIENCE_IDS,
    POLICIES,
    AGREED,
    MISCOUNTED,
    MEMBER_ORPHANS,
    RECORD_PEOPLE,
    CHILDREN_ASTRAY,
    CONTROL_ASTRAY,
    MANAGERS_ASTRAY,
    DELETING_ASTRAY,
    CLIENT_PEOPLE,
    CLIENTS_ASTRAY,
    PARTICIPANTS_ASTRAY,
];

pub(crate) fn verify_rows(
    connection: &mut Connection,
    slug: &str,
    workspace: i64,
    engine: &Engine,
    report: &mut VerifyReport,
) -> Result<(), Error> {
    for row in connection.query(ORPHANS, &[workspace.into()])? {
        report.find(format!(
            "{slug}: audience {} belongs to no structure",
            row.int(0)?
        ));
    }
    let mut known = HashSet::new();
    let mut after = i64::MIN;
    loop {
        let rows = connection.query(AUDIENCE_IDS, &[workspace.into(), after.into()])?;
        let Some(last) = rows.last() else { break };
        after = last.int(0)?;
        for row in &rows {
            known.insert(row.int(0)?);
        }
    }
    verify_tree(connection, slug, workspace, report)?;
    verify_records(connection, slug, workspace, engine, report)?;
    verify_channels(connection, slug, workspace, engine, report)?;
    verify_groups(connection, slug, workspace, report)?;
    verify_policies(connection, slug, workspace, engine, &mut known, report)?;
    for (set, members) in engine.published().sets() {
        if set > 0 && !known.contains(&set) {
            report.find(format!(
                "{slug}: set {set} with {} people belongs to no audience and no policy",
                members
            ));
        }
    }
    Ok(())
}

/// Each audience is the child of its own structure and controlled as that is, each manager manages something, and what is being deleted has a job.
fn verify_tree(
    connection: &mut Connection,
    slug: &str,
    workspace: i64,
    report: &mut VerifyReport,
) -> Result<(), Error> {
    for row in connection.query(CHILDREN_ASTRAY, &[workspace.into()])? {
        report.find(format!(
            "{slug}: audience {} is not the child of its structure",
            row.int(0)?
        ));
    }
    for row in connection.query(CONTROL_ASTRAY, &[workspace.into()])? {
        report.find(format!(
            "{slug}: audience {} is not controlled, or named, as its structure is",
            row.int(0)?
        ));
    }
    for row in connection.query(MANAGERS_ASTRAY, &[workspace.into()])? {
        report.find(format!(
            "{slug}: audience {} has managers and does not exist",
            row.int(0)?
        ));
    }
    for row in connection.query(DELETING_ASTRAY, &[workspace.into()])? {
        report.find(format!(
            "{slug}: audience {} is being deleted by no job",
            row.int(0)?
        ));
    }
    Ok(())
}

/// The sets of those who have records, and of those whom a record bars, are recomputed from the records.
fn verify_records(
    connection: &mut Connection,
    slug: &str,
    workspace: i64,
    engine: &Engine,
    report: &mut VerifyReport,
) -> Result<(), Error> {
    let (mut known, mut inactive, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    let mut after = i64::MIN;
    loop {
        let rows: Vec<Row> =
            connection.query(RECORD_PEOPLE, &[workspace.into(), Param::Int(after)])?;
        let Some(last) = rows.last() else { break };
        after = last.int(0)?;
        for row in &rows {
            let person = u32::try_from(row.int(1)?)
                .map_err(|_| Error::Corrupt("a record's person is no number of one".into()))?;
            known.push(person);
            if !row.flag(2)? {
                inactive.push(person);
            }
            if row.flag(3)? {
                ended.push(person);
            }
        }
    }
    for (set, people, what) in [
        (RECORDS, known, "have records"),
        (INACTIVE, inactive, "have an inactive record"),
        (ENDED, ended, "have a record that has ended"),
    ] {
        if Set::from_unsorted(people) != engine.published().set(set)? {
            report.find(format!(
                "{slug}: the people who {what} are others than the records say"
            ));
        }
    }
    Ok(())
}

/// The set of each channel is recomputed from the clients, which belong to records as participants do.
fn verify_channels(
    connection: &mut Connection,
    slug: &str,
    workspace: i64,
    engine: &Engine,
    report: &mut VerifyReport,
) -> Result<(), Error> {
    let mut people: Vec<Vec<u32>> = vec![Vec::new(); CHANNELS.len()];
    let mut after = i64::MIN;
    loop {
        let rows = connection.query(CLIENT_PEOPLE, &[workspace.into(), Param::Int(after)])?;
        let Some(last) = rows.last() else { break };
        after = last.int(0)?;
        for mut row in rows {
            let person = u32::try_from(row.int(1)?)
                .map_err(|_| Error::Corrupt("a client's person is no number of one".into()))?;
            let kind = row.text(2)?;
            match CHANNELS.iter().position(|(known, _)| *known == kind) {
                Some(at) => people[at].push(person),
                None => report.find(format!("{slug}: a client is on the channel {kind:?}")),
            }
        }
    }
    for ((kind, set), people) in CHANNELS.iter().zip(people) {
        if Set::from_unsorted(people) != engine.published().set(*set)? {
            report.find(format!(
                "{slug}: the people with an active client on {kind} are others than the clients say"
            ));
        }
    }
    for row in connection.query(CLIENTS_ASTRAY, &[workspace.into()])? {
        report.find(format!(
            "{slug}: client {} is of no record, or of another person's",
            row.int(0)?
        ));
    }
    for row in connection.query(PARTICIPANTS_ASTRAY, &[workspace.into()])? {
        report.find(format!(
            "{slug}: participant {} is of no record, or in no conversation",
            row.int(0)?
        ));
    }
    Ok(())
}

fn verify_groups(
    connection: &mut Connection,
    slug: &str,
    workspace: i64,
    report: &mut VerifyReport,
) -> Result<(), Error> {
    for row in connection.query(MISCOUNTED, &[workspace.into()])? {
        report.find(format!(
            "{slug}: group {} has another number of members than it says",
            row.int(0)?
        ));
    }
    for row in connection.query(MEMBER_ORPHANS, &[workspace.into()])? {
        report.find(format!(
            "{slug}: a member of group {} is no account, or the group is none",
            row.int(0)?
        ));
    }
    Ok(())
}

/// The set of each version of the policy is recomputed from the consents.
fn verify_policies(
    connection: &mut Connection,
    slug: &str,
    workspace: i64,
    engine: &Engine,
    known: &mut HashSet<i64>,
    report: &mut VerifyReport,
) -> Result<(), Error> {
    for mut row in connection.query(POLICIES, &[workspace.into()])? {
        let (version, set) = (row.text(0)?, row.int(1)?);
        known.insert(set);
        let rows = connection.query(AGREED, &[workspace.into(), (&version).into()])?;
        let people = rows
            .iter()
            .map(|row| u32::try_from(row.int(0)?).map_err(|_| Error::Corrupt("a person".into())))
            .collect::<Result<Vec<u32>, Error>>()?;
        if Set::from_unsorted(people) != engine.published().set(set)? {
            report.find(format!(
                "{slug}: the people who agreed to policy {version} are others than its consents say"
            ));
        }
    }
    Ok(())
}
