//! The committer: the one thread that writes. It takes the queued commands of a workspace as a group, runs each in a
//! savepoint against a working view, commits once, publishes once, and only then answers.
//!
//! Invariant: an answer is given only for what the database has committed; a group whose commit fails leaves the
//! published engine as it was. If publishing itself fails, the process ends: the log is right, the memory is not.

use std::{sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, Sender};
use sets::Working;
use tokio::sync::oneshot;

use crate::{
    change,
    connection::{Connection, Mode},
    error::Error,
    folder::DatabaseUrl,
    head::{self, Head},
    keys::{self, Identifiers},
    load,
    store::Hosted,
    tx::{Tx, Verdict},
};

/// Commands in one group.
const GROUP_COMMANDS_MAX: usize = 1_024;
/// Identifiers in one group: one large request fills it, so that the committer works on it while the next are parsed.
/// With room for four, four callers waited for one another and half of the processor idled.
const GROUP_WEIGHT_MAX: usize = 50_000;
/// How often a group is run again after a serialisation failure, deadlock or lost connection.
const ATTEMPTS_MAX: u32 = 8;
/// The longest wait between two attempts.
const BACKOFF_MS_MAX: u64 = 400;

/// What is known of a command before it runs; it goes into the log.
#[derive(Debug, Clone)]
pub struct Meta {
    /// Milliseconds since the Unix epoch, from the domain's clock.
    pub time: i64,
    /// The credential that acts; 0 is the server itself.
    pub actor: i64,
    /// The verb's name, as in `member_add`.
    pub verb: &'static str,
    pub request_id: String,
    /// Unique in the workspace: finds the command again after a lost connection.
    pub command_id: String,
    /// How many identifiers it carries; 1 for most commands.
    pub weight: usize,
}

/// A queued command with its waiting caller.
pub(crate) trait Job: Send {
    fn meta(&self) -> &Meta;
    /// Runs the command; true keeps its writes, false drops them.
    fn run(&mut self, tx: &mut Tx<'_, '_>) -> bool;
    /// Answers the caller: with the outcome of the last run, or with why the group failed.
    fn finish(self: Box<Self>, committed: Result<(), Error>);
}

pub(crate) struct Command<T, E, F> {
    pub meta: Meta,
    pub run: F,
    pub outcome: Option<Result<T, E>>,
    pub reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for Command<T, E, F>
where
    T: Send,
    E: From<Error> + Send,
    F: FnMut(&mut Tx<'_, '_>) -> Result<Verdict<T, E>, E> + Send,
{
    fn meta(&self) -> &Meta {
        &self.meta
    }

    fn run(&mut self, tx: &mut Tx<'_, '_>) -> bool {
        let (keep, outcome) = match (self.run)(tx) {
            Ok(Verdict::Done(value)) => (true, Ok(value)),
            Ok(Verdict::Refused(error)) => (true, Err(error)),
            Err(error) => (false, Err(error)),
        };
        self.outcome = Some(outcome);
        keep
    }

    fn finish(self: Box<Self>, committed: Result<(), Error>) {
        let outcome = match committed {
            Ok(()) => self
                .outcome
                .unwrap_or_else(|| Err(Error::Internal("a command did not run".into()).into())),
            Err(error) => Err(error.into()),
        };
        // A caller that went away does not need the answer.
        self.reply.send(outcome).ok();
    }
}

type Exclusive = Box<dyn FnOnce(&mut Connection) -> Result<(), Error> + Send>;

pub(crate) enum Task {
    Command(Arc<Hosted>, Box<dyn Job>),
    /// A write outside every workspace's order: leases, last use, checkpoints, new workspaces. One transaction.
    Exclusive(Exclusive, oneshot::Sender<Result<(), Error>>),
    /// Publish what other processes wrote, up to this seq at least.
    CatchUp(Arc<Hosted>, u64, Sender<Result<(), Error>>),
    Stop,
}

pub(crate) struct Committer {
    pub url: DatabaseUrl,
    pub connection: Option<Connection>,
    pub tasks: Receiver<Task>,
    /// Told after each published group: the checkpointer looks whether one is due.
    pub published: Sender<Arc<Hosted>>,
}

impl Committer {
    /// Runs until [`Task::Stop`] or until every sender is gone; what was queued before is still done.
    pub(crate) fn run(mut self) {
        let mut held: Option<Task> = None;
        while let Some(task) = held.take().or_else(|| self.tasks.recv().ok()) {
            match task {
                Task::Command(hosted, job) => held = self.gather(hosted, job),
                Task::Exclusive(work, reply) => {
                    reply.send(self.exclusive(work)).ok();
                }
                Task::CatchUp(hosted, seq, reply) => {
                    reply.send(self.catch_up(&hosted, seq)).ok();
                }
                Task::Stop => return,
            }
        }
    }

    /// Takes the commands queued behind the first, as long as they are of the same workspace, and runs the group.
    /// Returns the first task that did not fit.
    fn gather(&mut self, hosted: Arc<Hosted>, first: Box<dyn Job>) -> Option<Task> {
        let mut weight = first.meta().weight;
        let mut group = vec![first];
        let mut held = None;
        while group.len() < GROUP_COMMANDS_MAX && weight < GROUP_WEIGHT_MAX {
            match self.tasks.try_recv() {
                Ok(Task::Command(other, job)) if Arc::ptr_eq(&other, &hosted) => {
                    weight += job.meta().weight;
                    group.push(job);
                }
                Ok(task) => {
                    held = Some(task);
                    break;
                }
                Err(_) => break,
            }
        }
        let result = self.run_group(&hosted, &mut group);
        if let Err(error) = &result {
            tracing::warn!(workspace = hosted.id, commands = group.len(), %error, "a group of commands failed");
        }
        for job in group {
            job.finish(result.clone());
        }
        self.published.try_send(hosted).ok();
        held
    }

    fn run_group(&mut self, hosted: &Hosted, group: &mut [Box<dyn Job>]) -> Result<(), Error> {
        let mut uncertain = false;
        for attempt in 1..=ATTEMPTS_MAX {
            let result = match self.connected() {
                Ok(connection) => attempt_group(connection, hosted, group, uncertain),
                Err(error) => Err(Failure {
                    error,
                    in_commit: false,
                }),
            };
            let Err(failure) = result else { return Ok(()) };
            uncertain |= failure.in_commit;
            self.after_failure(&failure);
            let again = matches!(failure.error, Error::Retry(_) | Error::Lost(_));
            if !again || attempt == ATTEMPTS_MAX {
                return Err(if uncertain {
                    Error::Unavailable(format!(
                        "whether the change was stored is not known: {}",
                        failure.error
                    ))
                } else {
                    failure.error
                });
            }
            back_off(attempt);
        }
        Err(Error::Unavailable(
            "the database did not take the group".into(),
        ))
    }

    /// Leaves no transaction open; drops a connection that cannot be trusted. SQLite that failed to write its commit
    /// ends the process: what the kernel kept of it is not known, and the next start recovers from the log.
    fn after_failure(&mut self, failure: &Failure) {
        let sqlite = matches!(self.url, DatabaseUrl::Sqlite { .. });
        if sqlite && failure.in_commit && matches!(failure.error, Error::Lost(_)) {
            tracing::error!(error = %failure.error, "the database file could not be written: the process ends");
            std::process::exit(EXIT_IO_ERROR);
        }
        let broken = self.connection.as_mut().is_none_or(|connection| {
            connection.is_broken()
                || matches!(failure.error, Error::Lost(_))
                || connection.rollback().is_err()
        });
        if broken {
            self.connection = None;
        }
    }

    fn connected(&mut self) -> Result<&mut Connection, Error> {
        if self.connection.is_none() {
            self.connection = Some(Connection::open(&self.url, Mode::Write)?);
        }
        self.connection
            .as_mut()
            .ok_or_else(|| Error::Internal("no connection".into()))
    }

    /// A transaction; a connection that turns out to be dead (the database was restarted) is opened anew once.
    fn begun(&mut self, mode: Mode) -> Result<&mut Connection, Error> {
        if let Err(error) = self.connected()?.begin(mode) {
            self.after_failure(&Failure {
                error,
                in_commit: false,
            });
            self.connected()?.begin(mode)?;
        }
        self.connected()
    }

    fn exclusive(&mut self, work: Exclusive) -> Result<(), Error> {
        let result = self.begun(Mode::Write).and_then(|connection| {
            work(connection)?;
            connection.commit()
        });
        if let Err(error) = &result {
            self.after_failure(&Failure {
                error: error.clone(),
                in_commit: false,
            });
        }
        result
    }

    fn catch_up(&mut self, hosted: &Hosted, seq: u64) -> Result<(), Error> {
        if hosted.engine.published().seq >= seq {
            return Ok(());
        }
        let result = self.begun(Mode::Read).and_then(|connection| {
            let head = head::get(connection, hosted.id)?;
            load::catch_up(connection, hosted.id, &hosted.engine, &head, &mut |_, _| {})?;
            connection.commit()
        });
        if let Err(error) = &result {
            self.after_failure(&Failure {
                error: error.clone(),
                in_commit: false,
            });
        }
        result
    }
}

/// The exit status after an I/O error of the database file (EX_IOERR of sysexits.h).
const EXIT_IO_ERROR: i32 = 74;

fn back_off(attempt: u32) {
    std::thread::park_timeout(Duration::from_millis(
        (10u64 << attempt).min(BACKOFF_MS_MAX),
    ));
}

struct Failure {
    error: Error,
    /// True where the commit was sent and its answer is not known.
    in_commit: bool,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            error,
            in_commit: false,
        }
    }
}

/// One attempt at a group. `uncertain` says that an earlier attempt lost its connection during the commit: then the
/// head lock is taken first and the log decides, by command id, whether that attempt did commit.
fn attempt_group(
    connection: &mut Connection,
    hosted: &Hosted,
    group: &mut [Box<dyn Job>],
    uncertain: bool,
) -> Result<(), Failure> {
    connection.begin(Mode::Write)?;
    let mut head = head::lock(connection, hosted.id)?;
    let known = hosted.engine.published().seq;
    if head.seq < known {
        tracing::error!(
            workspace = hosted.id,
            known,
            found = head.seq,
            "the database went back in time"
        );
        std::process::exit(EXIT_IO_ERROR);
    }
    if head.seq > known {
        load::catch_up(connection, hosted.id, &hosted.engine, &head, &mut |_, _| {})?;
    }
    if uncertain && was_committed(connection, hosted.id, group)? {
        connection.commit()?;
        return Ok(());
    }
    let mut working = hosted.engine.begin();
    working.raise_next_person(u32::try_from(head.next_person).unwrap_or(u32::MAX));
    let mut received = Identifiers::default();
    for job in group.iter_mut() {
        run_job(
            connection,
            hosted,
            job.as_mut(),
            &mut working,
            &mut head,
            &mut received,
        )?;
    }
    let before = head.seq;
    finish_group(connection, hosted, &working, &mut head, &received)?;
    connection.commit().map_err(|error| Failure {
        in_commit: matches!(error, Error::Lost(_)),
        error,
    })?;
    if head.seq > before {
        hosted.engine.publish(working.finish());
    }
    Ok(())
}

/// A group is one transaction, so one of its commands in the log means that all of it is there.
fn was_committed(
    connection: &mut Connection,
    workspace: i64,
    group: &[Box<dyn Job>],
) -> Result<bool, Error> {
    for job in group {
        if change::by_command(connection, workspace, &job.meta().command_id)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn run_job(
    connection: &mut Connection,
    hosted: &Hosted,
    job: &mut dyn Job,
    working: &mut Working<'_>,
    head: &mut Head,
    received: &mut Identifiers,
) -> Result<(), Error> {
    connection.control("SAVEPOINT command")?;
    working.command_begin();
    let (hash, received_len) = (head.hash.clone(), received.len());
    let meta = job.meta().clone();
    let mut tx = Tx {
        connection,
        working,
        head,
        received,
        workspace: hosted.id,
        meta: &meta,
        keeps_identifiers: hosted.identifiers.is_some(),
        wrote: false,
        activities: 0,
        queued: false,
        fault: None,
    };
    let mut keep = job.run(&mut tx);
    if let Some(fault) = tx.fault.take() {
        return Err(fault);
    }
    if keep {
        match tx.log() {
            Err(error) if error.stops_group() => return Err(error),
            // The same command id twice: the row is there, so the command ran before and this one changes nothing.
            Err(_) => keep = false,
            Ok(()) => {}
        }
    }
    if keep {
        connection.control("RELEASE SAVEPOINT command")
    } else {
        working.command_rollback();
        received.truncate(received_len);
        head.hash = hash;
        connection.batch("ROLLBACK TO SAVEPOINT command; RELEASE SAVEPOINT command")
    }
}

fn finish_group(
    connection: &mut Connection,
    hosted: &Hosted,
    working: &Working<'_>,
    head: &mut Head,
    received: &Identifiers,
) -> Result<(), Error> {
    let (new_keys, position) = working.group_keys();
    keys::append(
        connection,
        hosted.id,
        position,
        new_keys,
        received,
        hosted.identifiers.as_ref(),
    )?;
    head.seq = working.seq();
    head.next_person = u64::from(working.next_person());
    head.next_position = working.next_position();
    head::save(connection, hosted.id, head)
}
