//! `throng serve`: start, run, stop.

use domain::{Clock, Domain};
use store::Store;

use crate::{
    config::Config,
    failure::{Exit, Result},
    first_start::{first_start, welcome},
    interrupt::Signals,
    job_worker,
    layers::App,
    listener::{self, Bound, Limits},
    logging,
    mailer::Mailer,
    outbox_worker::OutboxWorker,
    output, start,
    start::Fresh,
};

/// Runs until SIGTERM or SIGINT.
pub fn serve(config: &Config) -> Result<()> {
    logging::start(config.log_format, config.log_level);
    let bound = listener::bind(config)?;
    let (clock, fresh) = (Clock::system(), Fresh::random()?);
    let store = start::open_store(config, &clock, fresh.master, fresh.database_id)?;
    let runtime = start::runtime(config.worker_threads)?;
    runtime.block_on(async {
        let domain = start::start_domain(config, store, clock, fresh.random, bound.url()).await?;
        let (_, token) = first_start(&domain).await?;
        if let Some(token) = token {
            output::line(&welcome(&bound.url(), &token))?;
        }
        warn_of_unknown_workspaces(config, &domain).await?;
        let data = start::shown(&config.data);
        let listening = |url: &str| {
            output::line(&format!(
                "Throng {} is listening at {url}; its data is in {data}",
                env!("CARGO_PKG_VERSION")
            ))
        };
        run(config, bound, domain, listening).await
    })
}

/// Serves a domain until a signal; `ready` is told the URL once requests are answered.
pub async fn run(
    config: &Config,
    bound: Bound,
    domain: Domain,
    ready: impl FnOnce(&str) -> Result<()>,
) -> Result<()> {
    let mut signals = Signals::listen()?;
    let (url, store) = (bound.url(), domain.store().clone());
    let data = start::shown(&config.data);
    let sweep = tokio::spawn(start::sweep(domain.clone()));
    let jobs = tokio::spawn(job_worker::run(domain.clone()));
    let worker = OutboxWorker::start(
        domain.clone(),
        mailer(config, &store)?,
        config.channel_delivery.clone(),
    );
    let app = App::new(domain, config);
    tracing::info!(
        url,
        data,
        engine = store.engine(),
        version = env!("CARGO_PKG_VERSION"),
        "ready"
    );
    // The socket listens already: whoever connects from here on is answered.
    ready(&url)?;
    let stop = async move {
        let signal = signals.next().await;
        tracing::info!(
            signal,
            "stopping: no more connections, finishing requests in flight"
        );
        tokio::spawn(async move {
            signals.next().await;
            std::process::exit(Exit::Interrupted as i32);
        });
    };
    let all_finished = listener::run(bound, app, Limits::of(config), stop).await?;
    if !all_finished {
        tracing::warn!("some requests did not finish in time and were cut off");
    }
    sweep.abort();
    // A step under way is whole or not at all; the next start goes on.
    jobs.abort();
    worker.stop().await;
    start::close(store).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Nothing where no mail server is configured: mail stays in the outbox.
fn mailer(config: &Config, store: &Store) -> Result<Option<Mailer>> {
    let Some(server) = config.mail_server.clone() else {
        return Ok(None);
    };
    let installation = store.installation().database_id.clone();
    Mailer::new(
        server,
        config.mail_from.clone(),
        config.mail_ca_file.as_deref(),
        installation,
    )
    .map(Some)
}

/// A slug in the table of hosts that names no workspace is most likely a mistake; it may be made later, though.
async fn warn_of_unknown_workspaces(config: &Config, domain: &Domain) -> Result<()> {
    for (host, mount) in &config.hosts {
        let Some(slug) = &mount.workspace else {
            continue;
        };
        match domain.workspace_by_slug(slug).await {
            Ok(_) => {}
            Err(domain::Error::NotFound(_)) => tracing::warn!(
                host,
                workspace = slug,
                "a host names a workspace that does not exist"
            ),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
