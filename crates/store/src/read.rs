//! The read side: a pool of threads with read-only connections, and the reader of heads.
//!
//! Invariant: the sets that a read sees are those of its rows, so that what is made of both (the people of a structure) never
//! was otherwise. The head is read in the same snapshot as the rows; the engine is brought up to it, and where it has moved on
//! meanwhile the snapshot is begun anew. Where that happens again and again the sets are a little newer than the rows.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, Sender, bounded};
use sets::{Set, SetId, State};
use tokio::sync::oneshot;

use crate::{
    committer::Task,
    connection::{Connection, Mode},
    error::Error,
    folder::DatabaseUrl,
    head,
    store::Hosted,
    value::{Param, Row, Sql},
};

/// How long a read waits for the engine to reach its snapshot.
const CATCH_UP_MAX: Duration = Duration::from_secs(10);

/// How often a snapshot is begun anew since commands have moved the engine on.
const SNAPSHOTS_MAX: usize = 16;
/// How often a read looks again for a group that is committed and about to be published, before it asks the committer.
const LOOKS_MAX: usize = 64;

/// A read within one workspace: one SQL snapshot and the published state of the same change.
#[derive(Debug)]
pub struct Read<'a> {
    connection: &'a mut Connection,
    workspace: i64,
    state: Arc<State>,
    seq: u64,
}

impl Sql for Read<'_> {
    fn workspace(&self) -> i64 {
        self.workspace
    }

    fn query(&mut self, sql: &'static str, params: &[Param<'_>]) -> Result<Vec<Row>, Error> {
        self.connection.query(sql, params)
    }
}

impl Read<'_> {
    pub fn state(&self) -> &Arc<State> {
        &self.state
    }

    pub fn set(&self, set: SetId) -> Result<Set, Error> {
        Ok(self.state.set(set)?)
    }

    /// How many members the set has. Nothing is read for it.
    pub fn set_len(&self, set: SetId) -> u64 {
        self.state.len(set)
    }

    /// The rows that this read sees hold every change up to here and none after it.
    pub fn seq(&self) -> u64 {
        self.seq
    }
}

/// Work for a thread of the pool.
pub(crate) type ReadTask = Box<dyn FnOnce(&mut Reader) + Send>;

/// A thread of the pool with its connection.
pub(crate) struct Reader {
    url: DatabaseUrl,
    connection: Option<Connection>,
    committer: Sender<Task>,
}

impl Reader {
    pub(crate) fn new(url: DatabaseUrl, committer: Sender<Task>) -> Reader {
        Reader {
            url,
            connection: None,
            committer,
        }
    }

    pub(crate) fn run(mut self, tasks: &Receiver<ReadTask>) {
        while let Ok(task) = tasks.recv() {
            task(&mut self);
        }
    }

    fn begun(&mut self) -> Result<&mut Connection, Error> {
        if let Some(connection) = &mut self.connection
            && connection.begin(Mode::Read).is_err()
        {
            self.connection = None;
        }
        if self.connection.is_none() {
            self.connection
                .insert(Connection::open(&self.url, Mode::Read)?)
                .begin(Mode::Read)?;
        }
        self.connection
            .as_mut()
            .ok_or_else(|| Error::Internal("no connection".into()))
    }

    /// Runs `work` in a read transaction that concerns no workspace, or one that is being loaded.
    pub(crate) fn plain<T>(
        &mut self,
        work: impl FnOnce(&mut Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let connection = self.begun()?;
        let result = work(connection);
        self.end(result.as_ref().err());
        result
    }

    pub(crate) fn in_workspace<T, E: From<Error>>(
        &mut self,
        hosted: &Arc<Hosted>,
        work: impl FnOnce(&mut Read<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let result = self.state(hosted).and_then(|(state, seq)| {
            let connection = self
                .connection
                .as_mut()
                .ok_or_else(|| Error::Internal("no connection".into()))?;
            Ok(work(&mut Read {
                connection,
                workspace: hosted.id,
                state,
                seq,
            }))
        });
        match result {
            Ok(result) => {
                self.end(None);
                result
            }
            Err(error) => {
                self.end(Some(&error));
                Err(error.into())
            }
        }
    }

    /// Begins the snapshot; answers its state and the seq that it has reached.
    fn state(&mut self, hosted: &Arc<Hosted>) -> Result<(Arc<State>, u64), Error> {
        let committer = self.committer.clone();
        let mut begun = 0;
        loop {
            let connection = self.begun()?;
            // The snapshot begins with this, its first statement.
            let seq = head::seq(connection, hosted.id)?;
            reach(&committer, hosted, seq)?;
            let state = hosted.engine.published();
            begun += 1;
            if state.seq == seq || begun == SNAPSHOTS_MAX {
                return Ok((state, seq));
            }
            self.end(None);
        }
    }

    fn end(&mut self, error: Option<&Error>) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let broken = matches!(error, Some(Error::Lost(_) | Error::Corrupt(_)))
            || connection.rollback().is_err()
            || connection.is_broken();
        if broken {
            self.connection = None;
        }
    }
}

/// Waits until the engine has published `seq`.
fn reach(committer: &Sender<Task>, hosted: &Arc<Hosted>, seq: u64) -> Result<(), Error> {
    for _ in 0..LOOKS_MAX {
        if hosted.engine.published().seq >= seq {
            return Ok(());
        }
        std::thread::yield_now();
    }
    let (reply, answer) = bounded(1);
    committer
        .send_timeout(Task::CatchUp(Arc::clone(hosted), seq, reply), CATCH_UP_MAX)
        .map_err(|_| Error::Unavailable("the committer is busy or has stopped".into()))?;
    answer
        .recv_timeout(CATCH_UP_MAX)
        .map_err(|_| Error::Unavailable("the committer did not catch up in time".into()))?
}

/// A question for the head reader: answered with a state that is no older than the question.
pub(crate) struct HeadRequest {
    pub hosted: Arc<Hosted>,
    pub reply: oneshot::Sender<Result<Arc<State>, Error>>,
}

/// Reads heads on PostgreSQL: the requests that wait together share one read of their workspace's head.
pub(crate) fn read_heads(mut reader: Reader, requests: &Receiver<HeadRequest>) {
    while let Ok(first) = requests.recv() {
        let mut waiting: Vec<HeadRequest> =
            std::iter::once(first).chain(requests.try_iter()).collect();
        while let Some(hosted) = waiting.last().map(|request| Arc::clone(&request.hosted)) {
            let result = reader
                .plain(|connection| head::seq(connection, hosted.id))
                .and_then(|seq| reach(&reader.committer, &hosted, seq))
                .map(|()| hosted.engine.published());
            for request in waiting.extract_if(.., |request| Arc::ptr_eq(&request.hosted, &hosted)) {
                request.reply.send(result.clone()).ok();
            }
        }
    }
}
