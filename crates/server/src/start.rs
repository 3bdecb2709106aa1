//! From a configuration to a running domain: data folder, database, engine, the dialects' routes.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::Router;
use domain::{Clock, Domain, Random};
use store::{DataFolder, DatabaseUrl, MasterKey, Store};

use crate::{
    config::Config,
    failure::{Exit, Failure, Result},
    outbound::HttpClient,
    output::count,
};

const DAY_MS: i64 = 24 * 3_600 * 1_000;
/// Loading that takes longer is told about, and again as often.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
/// Stack of a thread; requests do not recurse deeply.
const STACK_BYTES: usize = 1 << 20;
/// How often what is kept for a while is looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);
/// Workspaces of one page of the sweep.
const SWEEP_PAGE: i64 = 256;

/// What an empty database is made with: random, or from a seed for a demo that repeats itself.
#[derive(Debug)]
pub struct Fresh {
    pub random: Random,
    pub master: MasterKey,
    pub database_id: String,
}

impl Fresh {
    pub fn random() -> Result<Fresh> {
        Fresh::of(&Random::system(), Random::system())
    }

    /// Two streams, so that what the domain draws later does not depend on what is drawn here.
    pub fn seeded(seed: u64) -> Result<Fresh> {
        Fresh::of(&Random::seeded(!seed), Random::seeded(seed))
    }

    fn of(source: &Random, random: Random) -> Result<Fresh> {
        Ok(Fresh {
            master: MasterKey::new(source.bytes()?),
            database_id: hex(&source.bytes::<16>()?),
            random,
        })
    }
}

/// Opens folder and database and loads every workspace. Blocks; tells how far it is when it takes a while.
pub fn open_store(
    config: &Config,
    clock: &Clock,
    master: MasterKey,
    database_id: String,
) -> Result<Store> {
    let folder = DataFolder::open(&config.data)?;
    let url = DatabaseUrl::parse(
        config.database_url.as_deref(),
        &config.data,
        config.database_size_bytes_max,
    )?;
    let options = store::Options {
        url,
        read_connections: config.read_connections,
        sets_memory_bytes: config.sets_memory_bytes,
        now: clock.now_ms(),
        new_master: master,
        new_database_id: database_id,
    };
    let mut told = Instant::now();
    let mut progress = move |workspace: &str, done: u64, all: u64| {
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            tracing::info!(workspace, "loading: {} of {} keys", count(done), count(all));
        }
    };
    let store = Store::open(folder, options, &mut progress)?;
    store.checkpoint_every(config.checkpoint_changes as u64);
    Ok(store)
}

/// The domain over an open store, on a server that listens at `url`.
pub async fn start_domain(
    config: &Config,
    store: Store,
    clock: Clock,
    random: Random,
    url: String,
) -> Result<Domain> {
    let public_url = match &config.public_url {
        configured if configured.is_empty() => url,
        configured => configured.clone(),
    };
    let options = domain::Options {
        clock,
        random,
        rate_limits: config.rate_limits.clone(),
        token_life_s: config.token_life.as_secs().max(1),
        public_url,
        providers: config.providers.clone(),
        outbound: Arc::new(HttpClient::new(config.outbound_allow.clone())),
        pending_life_ms: config.pending_days * DAY_MS,
    };
    Ok(Domain::start(store, options).await?)
}

/// The routes of every dialect, each under its own paths.
pub fn dialect_routes(domain: &Domain, options: dialects::Options) -> Router {
    dialects::native::router(domain.clone())
        .merge(dialects::pages::router(domain.clone()))
        .merge(dialects::hooks::router(domain.clone()))
        .merge(dialects::criteo::router(domain.clone()))
        .merge(dialects::a2::router(domain.clone(), options.a2))
        .merge(dialects::opendatasoft::router(
            domain.clone(),
            options.opendatasoft,
        ))
        .merge(dialects::thrive::router(domain.clone()))
        .merge(dialects::sunshine::router(domain.clone()))
}

/// Threads for connections; database work runs on the store's own.
pub fn runtime(worker_threads: usize) -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(worker_threads)
        .max_blocking_threads(8)
        .thread_stack_size(STACK_BYTES)
        .thread_name("throng-http")
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("cannot start threads: {error}")))
}

/// Now and then forgets what is no longer needed, and notes which records have ended, in every workspace; never ends.
pub async fn sweep(domain: Domain) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        if let Err(error) = sweep_once(&domain).await {
            let context = error.context().unwrap_or_default();
            tracing::warn!(%error, context, "what is old was not swept up; the next round tries again");
        }
    }
}

async fn sweep_once(domain: &Domain) -> domain::Result<()> {
    let mut after = 0;
    loop {
        let page = domain.store().workspaces(after, SWEEP_PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = last.id;
        for workspace in page {
            domain.idempotency_sweep(workspace.id).await?;
            domain.account_sweep(workspace.id).await?;
            domain.webhook_sweep(workspace.id).await?;
            while domain.record_sweep(workspace.id).await? {}
            while domain.client_sweep(workspace.id).await? {}
        }
    }
}

/// The whole path of the data folder.
pub fn shown(data: &Path) -> String {
    std::path::absolute(data)
        .unwrap_or_else(|_| data.to_owned())
        .display()
        .to_string()
}

/// Finishes what the committer holds.
pub async fn close(store: Store) -> Result<()> {
    tokio::task::spawn_blocking(move || store.close())
        .await
        .map_err(|error| Failure::new(Exit::Failed, format!("the store was not closed: {error}")))
}

/// 32 random hexadecimal digits.
pub fn random_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness the id is only less useful.
    let _ = getrandom::fill(&mut bytes);
    hex(&bytes)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
