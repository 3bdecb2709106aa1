//! The store as the domain sees it: workspaces, commands, reads.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use parking_lot::{Mutex, RwLock};
use sets::{Engine, KeyBatch, KeySecret, Loaded, Snapshot, State};
use tokio::sync::oneshot;

use crate::{
    cache_folder::{KeyCache, Saver},
    checkpoint,
    committer::{Command, Committer, Meta, Task},
    connection::Connection,
    error::Error,
    folder::{DataFolder, DatabaseUrl},
    head,
    installation::{self, Installation},
    load,
    loader::{Loader, Shelving},
    read::{HeadRequest, Read, ReadTask, Reader, read_heads},
    rebuild::Pool,
    seal::{MasterKey, Sealer},
    tx::{Tx, Verdict},
    workspace::{self, KeepIdentifiers, Workspace, WorkspaceSecret},
};

/// Commands that may wait for the committer; one more is refused as unavailable.
const TASKS_MAX: usize = 8_192;
/// Reads that may wait for a connection; one more is refused as unavailable.
const READS_MAX: usize = 8_192;
/// Workspaces listed at once while the installation is loaded.
const WORKSPACES_PAGE: i64 = 256;

/// Told while the workspaces are loaded at start: the workspace's slug, keys done, keys in all.
pub type Progress<'a> = &'a mut dyn FnMut(&str, u64, u64);

/// How to open a store. `new_master` and `new_database_id` count only where the database is empty.
#[derive(Debug)]
pub struct Options {
    pub url: DatabaseUrl,
    /// Threads, each with a connection, that answer reads.
    pub read_connections: usize,
    /// Bytes of sets that stay in memory; what is over is put into files of the data folder. At 0 nothing stays longer than
    /// somebody holds it.
    pub sets_memory_bytes: u64,
    pub now: i64,
    pub new_master: MasterKey,
    pub new_database_id: String,
}

/// A workspace as this process serves it.
pub(crate) struct Hosted {
    pub id: i64,
    pub engine: Engine,
    /// Seals identifiers as received; absent where the workspace does not keep them.
    pub identifiers: Option<Sealer>,
    keys: KeySecret,
    pub key_cache: KeyCache,
    checkpoint_seq: AtomicU64,
    checkpoint_position: AtomicU64,
}

/// The workspaces that this process serves.
pub(crate) type HostedMap = RwLock<HashMap<i64, Arc<Hosted>>>;

/// What makes keys of a workspace's identifiers and looks them up before a command.
#[derive(Clone)]
pub struct Lookup(Arc<Hosted>);

impl Lookup {
    /// The secret under which identifiers of this workspace become keys.
    pub fn secret(&self) -> &KeySecret {
        &self.0.keys
    }

    /// Looks up who holds the keys now. Blocks for as long as that takes: a millisecond for 50,000.
    pub fn look_up(&self, batch: &mut KeyBatch) {
        batch.look_up(&self.0.engine);
    }
}

impl std::fmt::Debug for Lookup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lookup({})", self.0.id)
    }
}

/// An open database with its threads. Cloning shares it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    url: DatabaseUrl,
    installation: Installation,
    sealer: Sealer,
    tasks: Sender<Task>,
    reads: Sender<ReadTask>,
    heads: Sender<HeadRequest>,
    loader: Loader,
    hosted: Arc<HostedMap>,
    /// Saves keys for the next start. Absent once the store is closed.
    saver: Mutex<Option<Saver>>,
    loading: tokio::sync::Mutex<()>,
    /// A checkpoint is due after so many changes.
    checkpoint_changes: Arc<AtomicU64>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    folder: DataFolder,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({:?})", self.0.url)
    }
}

impl Store {
    /// Opens the database, migrates it, loads every workspace and starts the threads. Blocks.
    pub fn open(
        folder: DataFolder,
        options: Options,
        progress: Progress<'_>,
    ) -> Result<Store, Error> {
        let Options {
            url,
            read_connections,
            sets_memory_bytes,
            now,
            new_master,
            new_database_id,
        } = options;
        let mut opened = installation::open(&folder, &url, now, new_master, &new_database_id)?;
        let sealer = opened.master.sealer();
        let loader = Loader {
            shelf: Shelving::start(sets_memory_bytes)?,
            pool: Pool::new(url.clone()),
            data: folder.path().to_owned(),
            installation: opened.installation.clone(),
            sealer: sealer.clone(),
        };
        let hosted = load_all(&mut opened.connection, &loader, progress)
            .map_err(|error| installation::explain(folder.path(), &url, error))?;
        let (tasks, task_queue) = bounded(TASKS_MAX);
        let (reads, read_queue) = bounded::<ReadTask>(READS_MAX);
        let (heads, head_queue) = bounded::<HeadRequest>(READS_MAX);
        let (published, published_queue) = bounded(64);
        let committer = Committer {
            url: url.clone(),
            connection: Some(opened.connection),
            tasks: task_queue,
            published,
        };
        let mut threads = vec![spawn("committer", move || committer.run())?];
        for _ in 0..read_connections.max(1) {
            let (reader, queue) = (Reader::new(url.clone(), tasks.clone()), read_queue.clone());
            threads.push(spawn("reader", move || reader.run(&queue))?);
        }
        let reader = Reader::new(url.clone(), tasks.clone());
        threads.push(spawn("heads", move || read_heads(reader, &head_queue))?);
        let (reader, committer) = (Reader::new(url.clone(), tasks.clone()), tasks.clone());
        let checkpoint_changes = Arc::new(AtomicU64::new(checkpoint::CHANGES_MAX));
        let changes = Arc::clone(&checkpoint_changes);
        threads.push(spawn("checkpointer", move || {
            checkpoint_loop(reader, &committer, &published_queue, &changes)
        })?);
        let hosted = Arc::new(RwLock::new(hosted));
        let reader = Reader::new(url.clone(), tasks.clone());
        let saver = Saver::start(Arc::clone(&hosted), reader)?;
        Ok(Store(Arc::new(Inner {
            url,
            installation: opened.installation,
            sealer,
            tasks,
            reads,
            heads,
            loader,
            hosted,
            saver: Mutex::new(Some(saver)),
            loading: tokio::sync::Mutex::new(()),
            checkpoint_changes,
            threads: Mutex::new(threads),
            folder,
        })))
    }

    pub fn installation(&self) -> &Installation {
        &self.0.installation
    }

    pub fn folder(&self) -> &DataFolder {
        &self.0.folder
    }

    /// `sqlite` or `postgres`.
    pub fn engine(&self) -> &'static str {
        self.0.url.engine()
    }

    /// Seals with the master key.
    pub fn sealer(&self) -> &Sealer {
        &self.0.sealer
    }

    /// Runs a command in the workspace's order and answers once it is durable and published.
    /// `run` may be called again; see [`Tx`].
    pub async fn command<T, E, F>(&self, workspace: i64, meta: Meta, run: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnMut(&mut Tx<'_, '_>) -> Result<Verdict<T, E>, E> + Send + 'static,
    {
        let hosted = self.hosted(workspace).await?;
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Command {
            meta,
            run,
            outcome: None,
            reply,
        });
        self.send(Task::Command(hosted, job))?;
        answer.await.unwrap_or_else(|_| Err(stopped().into()))
    }

    /// Reads rows and sets of a workspace.
    pub async fn read<T, E, F>(&self, workspace: i64, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&mut Read<'_>) -> Result<T, E> + Send + 'static,
    {
        let hosted = self.hosted(workspace).await?;
        self.on_reader(move |reader| reader.in_workspace(&hosted, work))
            .await
    }

    /// The published sets of a workspace, no older than this call. On SQLite no statement is run.
    pub async fn state(&self, workspace: i64) -> Result<Arc<State>, Error> {
        let hosted = self.hosted(workspace).await?;
        if matches!(self.0.url, DatabaseUrl::Sqlite { .. }) {
            return Ok(hosted.engine.published());
        }
        let (reply, answer) = oneshot::channel();
        self.0
            .heads
            .try_send(HeadRequest { hosted, reply })
            .map_err(|_| busy())?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Looks up who holds each key, in a state that is no older than this call.
    pub async fn persons(
        &self,
        workspace: i64,
        keys: &[sets::Key],
    ) -> Result<(Vec<Option<sets::Person>>, Arc<State>), Error> {
        let state = self.state(workspace).await?;
        let mut found = Vec::new();
        self.hosted(workspace)
            .await?
            .engine
            .dictionary()
            .get_all(keys, &mut found);
        Ok((found, state))
    }

    /// What makes keys of the workspace's identifiers and looks them up before a command.
    pub async fn lookup(&self, workspace: i64) -> Result<Lookup, Error> {
        Ok(Lookup(self.hosted(workspace).await?))
    }

    /// Bytes held by the key dictionaries and the sets in memory, for `/metrics`: keys, dictionary bytes, set bytes.
    pub fn memory(&self) -> (u64, usize, usize) {
        let hosted = self.0.hosted.read();
        let (keys, dictionary) = hosted.values().fold((0, 0), |(keys, bytes), hosted| {
            let dictionary = hosted.engine.dictionary();
            (keys + dictionary.len(), bytes + dictionary.memory_bytes())
        });
        (keys, dictionary, self.shelf().resident_bytes as usize)
    }

    /// What the shelf of sets holds and has done, for `/metrics`.
    pub fn shelf(&self) -> sets::Figures {
        self.0.loader.shelf.figures()
    }

    /// People of all loaded workspaces, as published.
    pub fn people(&self) -> u64 {
        let hosted = self.0.hosted.read();
        hosted
            .values()
            .map(|hosted| u64::from(hosted.engine.published().next_person.saturating_sub(1)))
            .sum()
    }

    /// Commands waiting for the committer.
    pub fn queue_len(&self) -> usize {
        self.0.tasks.len()
    }

    /// Makes a workspace; fails with [`Error::Constraint`] where the slug is taken.
    pub async fn workspace_create(
        &self,
        new: Workspace,
        secret: WorkspaceSecret,
    ) -> Result<i64, Error> {
        let sealer = self.0.sealer.clone();
        let (id, made) = oneshot::channel();
        self.exclusive(move |connection| {
            installation::lock(connection)?;
            id.send(workspace::insert(connection, &sealer, &new, &secret)?)
                .ok();
            Ok(())
        })
        .await?;
        made.await.map_err(|_| stopped())
    }

    pub async fn workspace_by_slug(&self, slug: &str) -> Result<Option<Workspace>, Error> {
        let slug = slug.to_owned();
        self.plain_read(move |connection| workspace::by_slug(connection, &slug))
            .await
    }

    /// Workspaces with `id > after` in order of id.
    pub async fn workspaces(&self, after: i64, limit: i64) -> Result<Vec<Workspace>, Error> {
        self.plain_read(move |connection| workspace::list(connection, after, limit))
            .await
    }

    /// Answers whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        self.plain_read(|connection| installation::get(connection).map(drop))
            .await
    }

    /// From now on a checkpoint is due after so many changes, where not that many keys make it due before.
    pub fn checkpoint_every(&self, changes: u64) {
        self.0.checkpoint_changes.store(changes, Ordering::Relaxed);
    }

    /// Writes a checkpoint of a workspace now, whether one is due or not. Blocks.
    pub fn checkpoint_now(&self, workspace: i64) -> Result<(), Error> {
        let hosted = self.0.hosted.read().get(&workspace).cloned();
        let hosted = hosted
            .ok_or_else(|| Error::Internal(format!("workspace {workspace} is not loaded")))?;
        let mut reader = Reader::new(self.0.url.clone(), self.0.tasks.clone());
        checkpoint_write(&mut reader, &self.0.tasks, &hosted)
    }

    /// Finishes what is queued, stops the threads and saves the keys for the next start. Blocks; later calls are refused as unavailable.
    pub fn close(&self) {
        self.0.tasks.send(Task::Stop).ok();
        let threads = std::mem::take(&mut *self.0.threads.lock());
        // The committer is first; the others end with their queues, when the last clone of the store is dropped.
        if let Some(committer) = threads.into_iter().next() {
            committer.join().ok();
        }
        if let Some(saver) = self.0.saver.lock().take() {
            saver.finish();
        }
    }

    /// A write outside every workspace's order, in one transaction.
    pub(crate) async fn exclusive<F>(&self, work: F) -> Result<(), Error>
    where
        F: FnOnce(&mut Connection) -> Result<(), Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.send(Task::Exclusive(Box::new(work), reply))?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    pub(crate) async fn plain_read<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, Error> + Send + 'static,
    {
        self.on_reader(move |reader| reader.plain(work)).await
    }

    async fn on_reader<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&mut Reader) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let task: ReadTask = Box::new(move |reader| {
            reply.send(work(reader)).ok();
        });
        self.0.reads.try_send(task).map_err(|_| busy())?;
        answer.await.unwrap_or_else(|_| Err(stopped().into()))
    }

    fn send(&self, task: Task) -> Result<(), Error> {
        self.0.tasks.try_send(task).map_err(|error| match error {
            TrySendError::Full(_) => busy(),
            TrySendError::Disconnected(_) => stopped(),
        })
    }

    /// The workspace's engine; a workspace that another process made is loaded at its first use.
    async fn hosted(&self, workspace: i64) -> Result<Arc<Hosted>, Error> {
        if let Some(hosted) = self.0.hosted.read().get(&workspace) {
            return Ok(Arc::clone(hosted));
        }
        let _one_at_a_time = self.0.loading.lock().await;
        if let Some(hosted) = self.0.hosted.read().get(&workspace) {
            return Ok(Arc::clone(hosted));
        }
        let loader = self.0.loader.clone();
        let hosted = self
            .plain_read(move |connection| {
                load_one(connection, &loader, workspace, &mut |_, _, _| {})
            })
            .await?;
        self.0.hosted.write().insert(workspace, Arc::clone(&hosted));
        Ok(hosted)
    }
}

fn busy() -> Error {
    Error::Unavailable("too much is waiting for the database".into())
}

fn stopped() -> Error {
    Error::Unavailable("the server is stopping".into())
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Error> {
    std::thread::Builder::new()
        .name(format!("throng-{name}"))
        .spawn(run)
        .map_err(|error| Error::Open(format!("cannot start a thread: {error}")))
}

fn load_all(
    connection: &mut Connection,
    loader: &Loader,
    progress: Progress<'_>,
) -> Result<HashMap<i64, Arc<Hosted>>, Error> {
    let mut hosted = HashMap::new();
    let mut after = 0;
    loop {
        let page = workspace::list(connection, after, WORKSPACES_PAGE)?;
        let Some(last) = page.last() else {
            return Ok(hosted);
        };
        after = last.id;
        for workspace in page {
            connection.begin(crate::connection::Mode::Read)?;
            hosted.insert(
                workspace.id,
                load_one(connection, loader, workspace.id, progress)?,
            );
            connection.commit()?;
        }
    }
}

fn load_one(
    connection: &mut Connection,
    loader: &Loader,
    id: i64,
    progress: Progress<'_>,
) -> Result<Arc<Hosted>, Error> {
    let (workspace, secret) = workspace::get(connection, &loader.sealer, id)?
        .ok_or_else(|| Error::Internal(format!("there is no workspace {id}")))?;
    let key_cache = loader.key_cache(id, &secret);
    let head = head::get(connection, id)?;
    let mut load = |connection: &mut Connection, (dictionary, loaded)| {
        let engine = Engine::at_home(loader.home(id, &secret)).with_dictionary(dictionary, loaded);
        load::load(connection, id, &engine, &mut |done, all| {
            progress(&workspace.slug, done, all)
        })
        .map(|()| engine)
    };
    let saved = key_cache.load(connection, &head);
    let from_saved = saved.1 != Loaded::default();
    let engine = match load(connection, saved) {
        Err(error @ Error::Corrupt(_)) if from_saved => {
            tracing::warn!(workspace = id, %error, "the saved keys do not fit the log: all are read from the database");
            load(connection, key_cache.empty())?
        }
        loaded => loaded?,
    };
    engine.sweep_files();
    let last = checkpoint::latest(connection, id)?;
    let last = last.as_ref();
    Ok(Arc::new(Hosted {
        id,
        engine,
        identifiers: (workspace.keep_identifiers == KeepIdentifiers::Sealed)
            .then(|| secret.identifiers()),
        keys: secret.keys(),
        key_cache,
        checkpoint_seq: AtomicU64::new(last.map_or(0, |last| last.seq)),
        checkpoint_position: AtomicU64::new(last.map_or(0, |last| last.next_position)),
    }))
}

fn checkpoint_loop(
    mut reader: Reader,
    committer: &Sender<Task>,
    published: &Receiver<Arc<Hosted>>,
    changes_max: &AtomicU64,
) {
    while let Ok(hosted) = published.recv() {
        let state = hosted.engine.published();
        let changes = state
            .seq
            .saturating_sub(hosted.checkpoint_seq.load(Ordering::Relaxed));
        let keys = state
            .next_position
            .saturating_sub(hosted.checkpoint_position.load(Ordering::Relaxed));
        if changes < changes_max.load(Ordering::Relaxed) && keys < checkpoint::KEYS_MAX {
            continue;
        }
        if let Err(error) = checkpoint_write(&mut reader, committer, &hosted) {
            tracing::warn!(workspace = hosted.id, %error, "a checkpoint was not written; the next change tries again");
        }
    }
}

/// Reads and serialises beside the committer, which then writes row by row.
fn checkpoint_write(
    reader: &mut Reader,
    committer: &Sender<Task>,
    hosted: &Arc<Hosted>,
) -> Result<(), Error> {
    let (workspace, state) = (hosted.id, hosted.engine.published());
    let seq = state.seq;
    let since = reader.plain(|connection| checkpoint::latest(connection, workspace))?;
    let since_seq = since.as_ref().map_or(0, |checkpoint| checkpoint.seq);
    if since_seq >= seq {
        return Ok(());
    }
    let changed = reader
        .plain(|connection| checkpoint::changed_sets(connection, workspace, since_seq, seq))?;
    let segment = reader.plain(|connection| {
        checkpoint::persons_segment(connection, workspace, since.as_ref(), seq)
    })?;
    for &(set, set_seq) in &changed {
        // A set that is no more is empty: without this row, the snapshot before would be believed.
        let people = state.set(set)?;
        let (of, bytes) = (Snapshot::new(set, set_seq, people.len()), people.to_bytes());
        drop(people);
        on_committer(committer, move |connection| {
            checkpoint::snapshot_insert(connection, workspace, &of, &bytes)
        })?;
        state.note_snapshot(set, set_seq);
    }
    let position = state.next_position;
    on_committer(committer, move |connection| {
        let of = Snapshot::new(checkpoint::PERSONS_SET, seq, position);
        checkpoint::snapshot_insert(connection, workspace, &of, &segment)?;
        checkpoint::finish(connection, workspace, &state)
    })?;
    hosted.checkpoint_seq.store(seq, Ordering::Relaxed);
    hosted
        .checkpoint_position
        .store(position, Ordering::Relaxed);
    for (set, set_seq) in changed {
        on_committer(committer, move |connection| {
            checkpoint::prune(connection, workspace, set, set_seq)
        })?;
    }
    tracing::debug!(workspace, seq, "checkpoint written");
    Ok(())
}

fn on_committer(
    committer: &Sender<Task>,
    work: impl FnOnce(&mut Connection) -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    let (reply, answer) = oneshot::channel();
    committer
        .send(Task::Exclusive(Box::new(work), reply))
        .map_err(|_| stopped())?;
    answer.blocking_recv().unwrap_or_else(|_| Err(stopped()))
}

/// The head's seq as the database has it, for the tests of this crate.
#[doc(hidden)]
impl Store {
    /// Of how many positions the keys need not be read at the start.
    #[cfg(test)]
    pub(crate) fn keys_from_saved(&self, workspace: i64) -> u64 {
        self.0.hosted.read()[&workspace].engine.loaded().complete
    }

    pub async fn head_seq(&self, workspace: i64) -> Result<u64, Error> {
        self.plain_read(move |connection| head::seq(connection, workspace))
            .await
    }
}
