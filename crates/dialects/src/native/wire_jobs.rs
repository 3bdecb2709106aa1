//! The bodies of the jobs' operations.

use domain::rfc3339;
use serde::Serialize;
use utoipa::ToSchema;

/// Work that takes longer than a request: it goes on by itself, also after a restart of the server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Job {
    #[schema(example = 7)]
    pub id: i64,
    /// What it does.
    #[schema(example = "audience_delete")]
    pub kind: String,
    /// The id of what it does it to.
    #[schema(example = 42)]
    pub noun: i64,
    /// `running` or `done`.
    #[schema(example = "running")]
    pub state: &'static str,
    /// How many of `total` are done.
    #[schema(example = 4_000)]
    pub done: u64,
    #[schema(example = 10_000)]
    pub total: u64,
    #[schema(format = DateTime)]
    pub created: String,
    /// When it last came further.
    #[schema(format = DateTime)]
    pub updated: String,
    /// Null while it is running.
    #[schema(format = DateTime)]
    pub finished: Option<String>,
}

impl From<domain::Job> for Job {
    fn from(job: domain::Job) -> Job {
        Job {
            id: job.id,
            kind: job.kind,
            noun: job.noun,
            state: match job.finished {
                Some(_) => "done",
                None => "running",
            },
            done: job.done,
            total: job.total,
            created: rfc3339(job.created),
            updated: rfc3339(job.updated),
            finished: job.finished.map(rfc3339),
        }
    }
}
