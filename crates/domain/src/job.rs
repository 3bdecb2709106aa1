//! Jobs: work larger than a command may be, done in steps that are commands each, and visible while it goes on.
//!
//! A step takes the next of what is left to do, whichever process runs it; so a job that was cut off goes on where it was,
//! and two processes at once only finish earlier.

use std::time::Duration;

use store::{JobRow, Tx, Verdict};

use crate::{
    audience_delete::node_down,
    caller::{Caller, Context, Scope},
    error::{Error, Result},
    limits,
    service::Domain,
};

/// Deletes a structure with its audiences.
pub(crate) const DELETE: &str = "audience_delete";

/// A job as it may be shown.
pub type Job = JobRow;

impl Domain {
    /// Jobs with `id > after`, finished ones too, in order of id. Needs the scope audiences:write and every structure.
    pub async fn job_list(&self, caller: &Caller, after: i64, limit: usize) -> Result<Vec<Job>> {
        caller.need(Scope::AudiencesWrite)?;
        caller.need_every_structure()?;
        let limit = limit.clamp(1, limits::PAGE_ITEMS_MAX) as i64;
        self.store()
            .read(caller.workspace, move |read| {
                Ok(store::job_page(read, after, limit)?)
            })
            .await
    }

    /// A job. Needs the scope audiences:write or structures:write, since it answers a deletion, and the structure that it works
    /// on, which may be gone, in the portfolio.
    pub async fn job_get(&self, caller: &Caller, id: i64) -> Result<Job> {
        if caller.need(Scope::StructuresWrite).is_err() {
            caller.need(Scope::AudiencesWrite)?;
        }
        let job = self
            .store()
            .read(caller.workspace, move |read| {
                store::job_get(read, id)?.ok_or(Error::NotFound("job"))
            })
            .await?;
        caller.need_structure(job.noun)?;
        Ok(job)
    }

    /// Does one step of each job that is open, of every workspace; false where there is none. For the server's worker.
    pub async fn jobs_run(&self) -> Result<bool> {
        let open = store::jobs_open(self.store()).await?;
        for (workspace, job) in &open {
            let context = Context::new(Caller::server(*workspace), "job");
            let job = *job;
            self.command(&context, "job_step", 1, move |tx| {
                step(tx, job)?;
                Ok(Verdict::Done(()))
            })
            .await?;
        }
        Ok(!open.is_empty())
    }

    /// Waits until a command of this process has made a job, or until `time_max` has passed: another process may have.
    pub async fn jobs_wait(&self, time_max: Duration) {
        drop(tokio::time::timeout(time_max, self.jobs_queued().notified()).await);
    }
}

fn step(tx: &mut Tx<'_, '_>, job: i64) -> Result<()> {
    let left = store::job_get(tx, job)?.filter(|found| found.finished.is_none());
    if left.is_none() {
        return Ok(());
    }
    let nodes = store::audiences_deleting(tx, job, limits::DELETE_NODES_MAX as i64)?;
    let (mut done, mut members) = (0, 0);
    for id in nodes {
        if members > limits::DELETE_MEMBERS_MAX {
            break;
        }
        members += tx.set_len(id);
        node_down(tx, id)?;
        done += 1;
    }
    if done == 0 {
        return Ok(store::job_finish(tx, job)?);
    }
    Ok(store::job_step(tx, job, done)?)
}
