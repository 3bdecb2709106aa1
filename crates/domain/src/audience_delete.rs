//! Deleting audiences and structures with all that is in them: at once where that is little, else as a job.
//!
//! A job hides the tree in the same command that makes it, so that nobody sees half a tree; then it is taken down a few
//! audiences at a time. Invariant: an audience's row, managers and members go in one command, and a structure's row is the
//! last of its tree.

use serde::{Deserialize, Serialize};
use store::{Audience, AudienceKind, Tx, Verdict};

use crate::{
    audience::{AUDIENCE, STRUCTURE, find},
    caller::{Context, Scope},
    error::{Error, Result},
    event::{Happening, announce},
    job, limits,
    service::Domain,
    tree::{self, Act, AudienceRef, controlled, node},
};

/// How a deletion went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deletion {
    /// Nothing is left.
    Done,
    /// Nobody sees it any more; this job takes the rest away.
    Job(i64),
}

impl Domain {
    /// Deletes a structure: with its audiences, or only where it has none. Needs the scope structures:write.
    pub async fn structure_delete(
        &self,
        context: &Context,
        id: i64,
        with_audiences: bool,
    ) -> Result<Deletion> {
        context.caller.need(Scope::StructuresWrite)?;
        let caller = context.caller.clone();
        let deletion = self
            .command(context, "structure_delete", 1, move |tx| {
                let structure = node(tx, &AudienceRef::Id(id))?
                    .filter(|found| found.kind == AudienceKind::Structure)
                    .ok_or(Error::NotFound(STRUCTURE))?;
                caller.need_structure(id)?;
                controlled(&caller, structure.control)?;
                if !with_audiences && store::audiences_count(tx, Some(id))? > 0 {
                    return Err(Error::Conflict(
                        "The structure still has audiences: delete them first, or with it.",
                    ));
                }
                structure_down(tx, &structure).map(Verdict::Done)
            })
            .await?;
        self.jobs_queued().notify_one();
        Ok(deletion)
    }

    /// Deletes an audience and its membership; the people stay.
    pub async fn audience_delete(&self, context: &Context, id: i64) -> Result<()> {
        let caller = self.acting(&context.caller, Act::Change).await?;
        self.command(context, "audience_delete", 1, move |tx| {
            let audience = find(tx, &caller, id, Act::Change, AUDIENCE)?;
            audience_down(tx, &audience)?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Deletes an audience, or a structure with all its audiences.
    pub async fn audience_remove(
        &self,
        context: &Context,
        reference: AudienceRef,
    ) -> Result<Deletion> {
        let caller = match context.caller.need(Scope::StructuresWrite) {
            Ok(()) => context.caller.clone(),
            Err(_) => self.acting(&context.caller, Act::Change).await?,
        };
        let deletion = self
            .command(context, "audience_delete", 1, move |tx| {
                let found = node(tx, &reference)?.ok_or(Error::NotFound(AUDIENCE))?;
                if found.kind != AudienceKind::Structure {
                    tree::may(tx, &caller, &found, Act::Change)?;
                    audience_down(tx, &found)?;
                    return Ok(Verdict::Done(Deletion::Done));
                }
                caller.need(Scope::StructuresWrite)?;
                caller.need_structure(found.id)?;
                controlled(&caller, found.control)?;
                structure_down(tx, &found).map(Verdict::Done)
            })
            .await?;
        self.jobs_queued().notify_one();
        Ok(deletion)
    }
}

fn audience_down(tx: &mut Tx<'_, '_>, audience: &Audience) -> Result<()> {
    let people = tx.set_len(audience.id);
    announce(tx, Happening::Deleted(people), audience)?;
    node_down(tx, audience.id)?;
    store::activity_insert(tx, Some(audience.id), &format!("people={people}"))?;
    Ok(())
}

/// Takes all away that a node has.
pub(crate) fn node_down(tx: &mut Tx<'_, '_>, id: i64) -> Result<()> {
    store::managers_clear(tx, id)?;
    store::audience_delete(tx, id)?;
    tx.set_drop(id)?;
    Ok(())
}

fn structure_down(tx: &mut Tx<'_, '_>, structure: &Audience) -> Result<Deletion> {
    let nodes = store::audiences_of(tx, structure.id)?;
    let members: u64 = nodes.iter().map(|id| tx.set_len(*id)).sum();
    let audiences = nodes.len() - 1;
    store::activity_insert(
        tx,
        Some(structure.id),
        &format!("audiences={audiences} memberships={members}"),
    )?;
    if nodes.len() > limits::DELETE_NODES_MAX || members > limits::DELETE_MEMBERS_MAX {
        announce(tx, Happening::Deleted(members), structure)?;
        let job = tx.next_id();
        store::job_insert(tx, job, job::DELETE, structure.id, nodes.len() as u64)?;
        store::audiences_delete_later(tx, structure.id, job)?;
        return Ok(Deletion::Job(job));
    }
    for id in nodes.into_iter().filter(|id| *id != structure.id) {
        if let Some(audience) = store::audience_get(tx, id)? {
            announce(tx, Happening::Deleted(tx.set_len(id)), &audience)?;
        }
        node_down(tx, id)?;
    }
    announce(tx, Happening::Deleted(tx.set_len(structure.id)), structure)?;
    node_down(tx, structure.id)?;
    Ok(Deletion::Done)
}
