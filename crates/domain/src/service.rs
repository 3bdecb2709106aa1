//! The domain as dialects, console, command line and jobs hold it: the store, the clock, randomness, tokens and limits.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use store::{Meta, SigningKey, Store, Stored, Tx, Verdict};
use tokio::sync::Notify;

use crate::{
    access::CachedCredential,
    account,
    caller::{Caller, Context, Keyed},
    catalogue::Catalogues,
    clock::Clock,
    derived::Derived,
    directory::Directory,
    error::{Denied, Error, Result},
    evaluator::Evaluator,
    identity_provider::IdentityProvider,
    limits,
    openid::Openid,
    outbound::{Outbound, OutboundRefused},
    password::Passwords,
    random::{Random, hex},
    rate::{Rate, RateLimit, Rates},
    session::KnownAccounts,
    token::Tokens,
    uses::Uses,
};

/// What the domain is started with.
#[derive(Debug, Clone)]
pub struct Options {
    pub clock: Clock,
    /// Secrets and ids that callers see.
    pub random: Random,
    /// By dialect; a dialect that is absent has no limit.
    pub rate_limits: HashMap<String, RateLimit>,
    /// How long an access token is good for.
    pub token_life_s: u64,
    /// Where people reach the server, without a slash at the end: what the links of mails begin with.
    pub public_url: String,
    /// Whom accounts may come from.
    pub providers: Vec<IdentityProvider>,
    /// Reaches other servers.
    pub outbound: Arc<dyn Outbound>,
    /// How long a client may stay pending.
    pub pending_life_ms: i64,
}

impl Options {
    /// No limits of requests, no providers, no way out of the server, and tokens of 15 minutes.
    pub fn closed(clock: Clock, random: Random) -> Options {
        Options {
            clock,
            random,
            rate_limits: HashMap::new(),
            token_life_s: 900,
            public_url: "http://127.0.0.1:8080".into(),
            providers: Vec::new(),
            outbound: Arc::new(OutboundRefused),
            pending_life_ms: limits::PENDING_LIFE_MS,
        }
    }
}

/// All verbs are methods of this. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Domain(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    options: Options,
    rates: Rates,
    tokens: Tokens,
    credentials: Mutex<HashMap<(i64, i64), CachedCredential>>,
    /// Workspace and credential by the secret's hash, as they were looked up.
    owners: Mutex<HashMap<Vec<u8>, (i64, i64)>>,
    uses: Uses,
    slugs: Mutex<HashMap<String, i64>>,
    known_accounts: KnownAccounts,
    passwords: Passwords,
    openid: Openid,
    directories: Mutex<HashMap<i64, Arc<tokio::sync::Mutex<Directory>>>>,
    /// Never seeded: command ids must differ between two runs on one database.
    command_ids: Random,
    /// Told when a command of this process has put something into the outbox.
    outbox_queued: Notify,
    /// Told when a command of this process may have made a job.
    jobs_queued: Notify,
    catalogues: Catalogues,
    derived: Derived,
    evaluator: Evaluator,
}

impl Domain {
    /// Reads the signing keys, and makes the first where the database is new.
    pub async fn start(store: Store, options: Options) -> Result<Domain> {
        let first = SigningKey {
            kid: hex(&options.random.bytes::<8>()?),
            secret: options.random.bytes::<32>()?.to_vec(),
            created: options.clock.now_ms(),
            retired: None,
        };
        let keys = store::signing_keys(&store, first).await?;
        Ok(Domain(Arc::new(Inner {
            tokens: Tokens::new(store.installation().database_id.clone(), &keys),
            rates: Rates::new(&options.rate_limits),
            credentials: Mutex::new(HashMap::new()),
            owners: Mutex::new(HashMap::new()),
            uses: Uses::default(),
            slugs: Mutex::new(HashMap::new()),
            known_accounts: KnownAccounts::default(),
            passwords: Passwords::default(),
            openid: Openid::default(),
            directories: Mutex::new(HashMap::new()),
            command_ids: Random::system(),
            outbox_queued: Notify::new(),
            jobs_queued: Notify::new(),
            catalogues: Catalogues::default(),
            derived: Derived::default(),
            evaluator: Evaluator::default(),
            store,
            options,
        })))
    }

    pub fn store(&self) -> &Store {
        &self.0.store
    }

    pub fn clock(&self) -> &Clock {
        &self.0.options.clock
    }

    pub fn now_ms(&self) -> i64 {
        self.0.options.clock.now_ms()
    }

    /// Counts a request against its credential's quota in this dialect; nothing where there is no limit.
    pub fn rate_check(&self, dialect: &str, workspace: i64, credential: i64) -> Option<Rate> {
        self.0.rates.check(dialect, workspace, credential)
    }

    pub(crate) fn random(&self) -> &Random {
        &self.0.options.random
    }

    pub(crate) fn outbox_queued(&self) -> &Notify {
        &self.0.outbox_queued
    }

    pub(crate) fn jobs_queued(&self) -> &Notify {
        &self.0.jobs_queued
    }

    pub(crate) fn catalogues(&self) -> &Catalogues {
        &self.0.catalogues
    }

    pub(crate) fn derived(&self) -> &Derived {
        &self.0.derived
    }

    pub(crate) fn evaluator(&self) -> &Evaluator {
        &self.0.evaluator
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    pub(crate) fn token_life_s(&self) -> u64 {
        self.0.options.token_life_s
    }

    pub(crate) fn credential_cache(&self) -> &Mutex<HashMap<(i64, i64), CachedCredential>> {
        &self.0.credentials
    }

    pub(crate) fn known_accounts(&self) -> &KnownAccounts {
        &self.0.known_accounts
    }

    pub(crate) fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }

    pub(crate) fn openid(&self) -> &Openid {
        &self.0.openid
    }

    /// The way to other servers, for the server's own worker too.
    pub fn outbound(&self) -> &dyn Outbound {
        &*self.0.options.outbound
    }

    pub(crate) fn pending_life_ms(&self) -> i64 {
        self.0.options.pending_life_ms
    }

    /// Where people reach the server, without a slash at the end.
    pub fn public_url(&self) -> &str {
        &self.0.options.public_url
    }

    pub(crate) fn providers(&self) -> &[IdentityProvider] {
        &self.0.options.providers
    }

    /// The workspace's directory of accounts; empty until it is first refreshed.
    pub(crate) fn directory(&self, workspace: i64) -> Arc<tokio::sync::Mutex<Directory>> {
        let mut directories = self.0.directories.lock();
        Arc::clone(directories.entry(workspace).or_default())
    }

    pub(crate) fn owners(&self) -> &Mutex<HashMap<Vec<u8>, (i64, i64)>> {
        &self.0.owners
    }

    pub(crate) fn uses(&self) -> &Uses {
        &self.0.uses
    }

    pub(crate) fn slugs(&self) -> &Mutex<HashMap<String, i64>> {
        &self.0.slugs
    }

    /// Runs a verb as one command. Where the request carries an idempotency key, its answer is kept in the same
    /// transaction (sealed, since it may hold a secret that is shown once) and given again to the same request.
    pub(crate) async fn command<T, F>(
        &self,
        context: &Context,
        verb: &'static str,
        weight: usize,
        mut run: F,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: FnMut(&mut Tx<'_, '_>) -> Result<Verdict<T, Error>> + Send + 'static,
    {
        let meta = Meta {
            time: self.now_ms(),
            actor: context.caller.actor(),
            verb,
            request_id: context.request_id.clone(),
            command_id: hex(&self.0.command_ids.bytes::<16>()?),
            weight,
        };
        let caller = context.caller.clone();
        let queued = Arc::new(AtomicBool::new(false));
        let noted = Arc::clone(&queued);
        let run = move |tx: &mut Tx<'_, '_>| {
            still_may(tx, &caller)?;
            let verdict = run(tx)?;
            noted.store(tx.has_queued(), Ordering::Relaxed);
            Ok(verdict)
        };
        let answer = self.run(context, meta, run).await;
        // Only now is there something for the worker to find.
        if queued.load(Ordering::Relaxed) {
            // A worker waits for each kind.
            self.outbox_queued().notify_waiters();
        }
        answer
    }

    async fn run<T, F>(&self, context: &Context, meta: Meta, mut run: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: FnMut(&mut Tx<'_, '_>) -> Result<Verdict<T, Error>> + Send + 'static,
    {
        let workspace = context.caller.workspace;
        let Some(keyed) = context.idempotency.clone() else {
            return self.store().command(workspace, meta, run).await;
        };
        let sealer = self.store().sealer().clone();
        let credential = context.caller.actor();
        self.store()
            .command(workspace, meta, move |tx| {
                let seal_context = format!("idempotency {workspace}/{credential}/{}", keyed.key);
                // Sealed: of a body that holds a password or an address, a hash would tell who guesses it.
                let print_context = format!("fingerprint {seal_context}");
                if let Some(stored) = kept(tx, credential, &keyed)? {
                    let print = sealer.open(&print_context, &stored.fingerprint);
                    if !print.is_ok_and(|print| print == keyed.fingerprint) {
                        return Err(Error::KeyReused);
                    }
                    let plain = sealer.open(&seal_context, &stored.body)?;
                    return serde_json::from_slice(&plain)
                        .map(Verdict::Done)
                        .map_err(Error::internal);
                }
                let verdict = run(tx)?;
                if let Verdict::Done(value) = &verdict {
                    let plain = serde_json::to_vec(value).map_err(Error::internal)?;
                    let stored = Stored {
                        fingerprint: sealer.seal(&print_context, &keyed.fingerprint)?,
                        status: 0,
                        body: sealer.seal(&seal_context, &plain)?,
                        created: tx.meta().time,
                    };
                    store::idempotency_insert(tx, credential, &keyed.key, &stored)?;
                }
                Ok(verdict)
            })
            .await
    }

    /// Forgets the answers kept for idempotency keys longer than 24 hours ago; called now and then.
    pub async fn idempotency_sweep(&self, workspace: i64) -> Result<()> {
        let context = Context::new(Caller::server(workspace), "sweep");
        let before = self.now_ms() - limits::KEY_KEPT_MS;
        self.command(&context, "idempotency_sweep", 1, move |tx| {
            store::idempotency_sweep(tx, before)?;
            Ok(Verdict::Done(()))
        })
        .await
    }
}

/// Fails where the account that calls has ended its session, was deactivated or lost a right since its request came in: a
/// password may have been hashed meanwhile, or the command have waited.
fn still_may(tx: &mut Tx<'_, '_>, caller: &Caller) -> Result<()> {
    const ENDED: Error = Error::Unauthenticated("The account or its session has ended.");
    let Some(id) = caller.account else {
        return Ok(());
    };
    let account = store::account_get(tx, id)?.filter(|account| account.active);
    let account = account::view(tx, account.ok_or(ENDED)?)?;
    if let Some(session) = caller.session {
        let session = store::session_get(tx, session)?;
        if session.is_none_or(|session| session.ended.is_some()) {
            return Err(ENDED);
        }
    }
    if account.rights().has_all(caller.permissions) {
        return Ok(());
    }
    Err(Error::Forbidden(Denied::Permission))
}

fn kept(tx: &mut Tx<'_, '_>, credential: i64, keyed: &Keyed) -> Result<Option<Stored>> {
    let since = tx.meta().time - limits::KEY_KEPT_MS;
    Ok(store::idempotency_get(tx, credential, &keyed.key, since)?)
}
