//! Sessions: an account signs in and out, and how a request proves which account it carries.
//!
//! Sessions are rows that a command writes, so a token's end is in the log's order: whoever has published that change, on
//! any process, refuses the token. Only the times of last use bypass the order.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use parking_lot::Mutex;
use store::{Account, Session, Tx, Used, Verdict};

use crate::{
    account::{ACCOUNT, AccountRef, AccountView, find, view},
    caller::{Caller, Context, Mount, Portfolio, Scope, Scopes, Visit},
    email::Email,
    error::{Error, Result},
    limits,
    password::Checked,
    permission::{Permission, Permissions},
    service::Domain,
    throttle::{self, Allowance, ThrottleKey},
    token::{AccessToken, SessionClaims},
};

/// How a protocol's session tokens look.
#[derive(Debug, Clone, Copy)]
pub struct Door {
    pub dialect: &'static str,
    /// The claim `aud`.
    pub audience: &'static [&'static str],
    /// The claim `sub` of an account, given workspace and id.
    pub subject: fn(i64, i64) -> String,
    pub life_s: u64,
}

/// An account that has signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub token: AccessToken,
    pub account: AccountView,
    pub session: i64,
}

pub(crate) const BAD_SIGN_IN: Error =
    Error::Unauthenticated("The e-mail address or the password is wrong.");
const BAD_TOKEN: Error = Error::Unauthenticated("The token is not valid or has expired.");

/// An account read from the database, and the session that it was read for.
#[derive(Debug)]
struct Known {
    seq: u64,
    account: Arc<AccountView>,
    session: Option<Session>,
    /// When its use was last noted.
    noted: AtomicI64,
}

/// Accounts and sessions read a moment ago. An entry is believed while the workspace's log has not moved on.
#[derive(Debug, Default)]
pub(crate) struct KnownAccounts {
    /// By workspace, account, and session (0 for none).
    known: Mutex<HashMap<(i64, i64, i64), Arc<Known>>>,
    /// Passwords being checked, by what they are throttled under.
    trying: Mutex<HashMap<ThrottleKey, u32>>,
}

/// A place among the passwords that are checked for one account, or from one address, at once.
struct Trying<'a>(&'a KnownAccounts, ThrottleKey);

impl Drop for Trying<'_> {
    fn drop(&mut self) {
        let mut trying = self.0.trying.lock();
        if let Some(count) = trying.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                trying.remove(&self.1);
            }
        }
    }
}

/// What a sign-in is throttled under.
#[derive(Debug, Clone, Copy)]
struct SignInKeys {
    /// The account, wherever it is tried from.
    by_account: ThrottleKey,
    /// The account from this address.
    by_pair: ThrottleKey,
    /// The address, whomever it tries.
    by_address: Option<ThrottleKey>,
}

const BY_PAIR: Allowance = Allowance {
    free: limits::SIGN_INS_FAILED_MAX,
    wait_ms_max: limits::SIGN_IN_WAIT_MS_MAX,
};
const BY_ACCOUNT: Allowance = Allowance {
    free: limits::ACCOUNT_FAILURES_MAX,
    wait_ms_max: limits::ACCOUNT_WAIT_MS_MAX,
};
const BY_ADDRESS: Allowance = Allowance {
    free: limits::ADDRESS_FAILURES_MAX,
    wait_ms_max: limits::SIGN_IN_WAIT_MS_MAX,
};

impl KnownAccounts {
    fn try_one(&self, key: ThrottleKey, max: u32) -> Result<Trying<'_>> {
        let mut trying = self.trying.lock();
        let count = trying.entry(key).or_default();
        if *count >= max {
            return Err(Error::RateLimited {
                retry_after_ms: 1_000,
            });
        }
        *count += 1;
        Ok(Trying(self, key))
    }
}

impl Domain {
    /// Signs in with address and password. Wrong, unknown, inactive and without a password are refused alike.
    pub async fn sign_in(
        &self,
        visit: &Visit,
        door: &Door,
        email: &str,
        password: String,
    ) -> Result<SignedIn> {
        let context = self.visit(visit).await?;
        let workspace = context.caller.workspace;
        let email_key = match Email::parse(email) {
            Ok(email) => email.key().to_owned(),
            // Nobody has it, and it costs the same time. No address begins like this, and no engine keeps a NUL.
            Err(_) => std::iter::once('\u{fffd}')
                .chain(email.chars().filter(|c| *c != '\0'))
                .take(limits::EMAIL_BYTES_MAX)
                .collect(),
        };
        let by_account = self
            .throttle_key(workspace, "sign_in account", &email_key)
            .await?;
        let by_address = self
            .address_key(workspace, "sign_in address", visit)
            .await?;
        // An account from one place: so that who guesses elsewhere keeps its owner waiting for half a minute at most.
        let pair = format!("sign_in {email_key}");
        let by_pair = match self.address_key(workspace, &pair, visit).await? {
            Some(by_pair) => by_pair,
            None => self.throttle_key(workspace, &pair, "").await?,
        };
        let keys = SignInKeys {
            by_account,
            by_pair,
            by_address,
        };
        let _places = (
            self.known_accounts()
                .try_one(by_account, limits::SIGN_INS_AT_ONCE_MAX)?,
            by_address
                .map(|by_address| {
                    let max = limits::ADDRESS_SIGN_INS_AT_ONCE_MAX;
                    self.known_accounts().try_one(by_address, max)
                })
                .transpose()?,
        );
        let now = self.now_ms();
        let account = self
            .store()
            .read(workspace, move |read| {
                throttle::check(read, by_account, now)?;
                throttle::check(read, by_pair, now)?;
                if let Some(by_address) = by_address {
                    throttle::check(read, by_address, now)?;
                }
                Ok::<_, Error>(store::account_by_email(read, &email_key)?)
            })
            .await?;
        let hash = account.as_ref().and_then(|one| one.password_hash.clone());
        let checked = self.passwords().check(password, hash.clone()).await?;
        let account = account.filter(|account| account.active);
        let (Some(account), Checked::Right { rehashed }) = (&account, checked) else {
            let id = account.map(|account| account.id);
            return self.sign_in_failed(&context, id, keys).await;
        };
        let id = account.id;
        let (signed_in, session) = self
            .session_begin(&context, door, move |tx| {
                let mut account = find(tx, &AccountRef::Id(id))?;
                if !account.active || account.password_hash != hash {
                    return Err(BAD_SIGN_IN);
                }
                if let Some(rehashed) = &rehashed {
                    account.password_hash = Some(rehashed.clone());
                }
                throttle::forget(tx, by_account)?;
                throttle::forget(tx, by_pair)?;
                Ok(account)
            })
            .await?;
        self.session_token(workspace, door, signed_in, session)
    }

    async fn sign_in_failed(
        &self,
        context: &Context,
        account: Option<i64>,
        keys: SignInKeys,
    ) -> Result<SignedIn> {
        let refused: Result<()> = self
            .command(context, "sign_in", 1, move |tx| {
                throttle::failed(tx, keys.by_pair, BY_PAIR)?;
                throttle::failed(tx, keys.by_account, BY_ACCOUNT)?;
                if let Some(by_address) = keys.by_address {
                    throttle::failed(tx, by_address, BY_ADDRESS)?;
                }
                store::activity_insert(tx, account, "refused")?;
                Ok(Verdict::Refused(BAD_SIGN_IN))
            })
            .await;
        Err(refused.err().unwrap_or(BAD_SIGN_IN))
    }

    /// Begins a session of the account that `who` finds.
    pub(crate) async fn session_begin<F>(
        &self,
        context: &Context,
        door: &Door,
        mut who: F,
    ) -> Result<(AccountView, i64)>
    where
        F: FnMut(&mut Tx<'_, '_>) -> Result<Account> + Send + 'static,
    {
        let (dialect, life_s) = (door.dialect, door.life_s);
        self.command(context, "sign_in", 1, move |tx| {
            let mut account = who(tx)?;
            let now = tx.meta().time;
            let session = Session {
                id: tx.next_id(),
                account: account.id,
                dialect: dialect.into(),
                created: now,
                last_seen: now,
                expires: now.saturating_add(i64::try_from(life_s).unwrap_or(i64::MAX) * 1_000),
                ended: None,
            };
            store::session_insert(tx, &session)?;
            store::sessions_end_oldest(tx, account.id, limits::SESSIONS_MAX)?;
            account.last_sign_in = Some(now);
            store::account_update(tx, &account)?;
            store::account_seen_now(tx, account.id)?;
            store::activity_insert(tx, Some(account.id), "")?;
            Ok(Verdict::Done((view(tx, account)?, session.id)))
        })
        .await
    }

    pub(crate) fn session_token(
        &self,
        workspace: i64,
        door: &Door,
        account: AccountView,
        session: i64,
    ) -> Result<SignedIn> {
        let id = account.account.id;
        let token = self
            .tokens()
            .issue_session(door, workspace, id, session, self.now_ms())?;
        Ok(SignedIn {
            token,
            account,
            session,
        })
    }

    /// The caller behind a session's token.
    pub async fn caller_by_session(
        &self,
        mount: Mount,
        door: &Door,
        token: &str,
    ) -> Result<Caller> {
        let now = self.now_ms();
        let claims: SessionClaims = self
            .tokens()
            .verify(door.audience, token, now)
            .ok_or(BAD_TOKEN)?;
        let workspace = claims.ws;
        if self.mounted(mount).await? != workspace && mount.workspace.is_some() {
            return Err(BAD_TOKEN);
        }
        let known = self.known(workspace, claims.acc, Some(claims.sid)).await?;
        let live = known.session.as_ref().is_some_and(|session| {
            session.ended.is_none()
                && session.expires > now
                && session.account == claims.acc
                && session.dialect == door.dialect
        });
        if !live || !known.account.account.active {
            return Err(BAD_TOKEN);
        }
        self.note_seen(workspace, &known, now);
        let rights = known.account.rights();
        Ok(account_caller(
            workspace,
            claims.acc,
            Some(claims.sid),
            rights,
            Arc::clone(&known.account),
        ))
    }

    /// The account of an account's credential, if it is active.
    pub(crate) async fn operator(
        &self,
        workspace: i64,
        account: i64,
    ) -> Result<Option<Arc<AccountView>>> {
        match self.known(workspace, account, None).await {
            Ok(known) => {
                if !known.account.account.active {
                    return Ok(None);
                }
                self.note_seen(workspace, &known, self.now_ms());
                Ok(Some(Arc::clone(&known.account)))
            }
            Err(Error::Unauthenticated(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The account, and its session, as they are now: from memory while the workspace's log has not moved on.
    async fn known(
        &self,
        workspace: i64,
        account: i64,
        session: Option<i64>,
    ) -> Result<Arc<Known>> {
        let key = (workspace, account, session.unwrap_or_default());
        let seq = self.store().state(workspace).await?.seq;
        let cached = self.known_accounts().known.lock().get(&key).cloned();
        if let Some(cached) = cached.filter(|cached| cached.seq == seq) {
            return Ok(cached);
        }
        let known = self
            .store()
            .read(workspace, move |read| {
                let seq = read.seq();
                let found = store::account_get(read, account)?.ok_or(BAD_TOKEN)?;
                let session = match session {
                    Some(session) => store::session_get(read, session)?,
                    None => None,
                };
                let seen = found.last_seen.unwrap_or_default();
                let noted = session.as_ref().map_or(seen, |one| one.last_seen.min(seen));
                Ok::<_, Error>(Known {
                    seq,
                    account: Arc::new(view(read, found)?),
                    session,
                    noted: AtomicI64::new(noted),
                })
            })
            .await?;
        let known = Arc::new(known);
        let mut cache = self.known_accounts().known.lock();
        if cache.len() >= limits::ACCOUNTS_CACHED_MAX {
            cache.clear();
        }
        cache.insert(key, Arc::clone(&known));
        Ok(known)
    }

    /// Writes the times of last use now and then, behind the request's back.
    fn note_seen(&self, workspace: i64, known: &Known, now: i64) {
        let noted = known.noted.load(Ordering::Relaxed);
        if now - noted < limits::LAST_USED_EVERY_MS
            || known
                .noted
                .compare_exchange(noted, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
        {
            return;
        }
        self.note(Used::Account, workspace, known.account.account.id, now);
        if let Some(session) = &known.session {
            self.note(Used::Session, workspace, session.id, now);
        }
    }

    /// Ends the caller's own session: its token is refused from now on.
    pub async fn sign_out(&self, context: &Context) -> Result<()> {
        let session = context
            .caller
            .session
            .ok_or(Error::Unauthenticated("There is no session to end."))?;
        let account = context.caller.account;
        self.command(context, "sign_out", 1, move |tx| {
            if store::session_end(tx, session)? {
                store::activity_insert(tx, account, "")?;
            }
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// The live sessions of an account, newest first; for an administrator or the account itself.
    pub async fn session_list(&self, caller: &Caller, account: i64) -> Result<Vec<Session>> {
        if caller.account != Some(account) {
            caller.need_administrator()?;
        }
        let now = self.now_ms();
        self.store()
            .read(caller.workspace, move |read| {
                find(read, &AccountRef::Id(account))?;
                Ok(store::sessions_live(
                    read,
                    account,
                    now,
                    limits::SESSIONS_MAX,
                )?)
            })
            .await
    }

    /// Ends one session of an account, or all of them.
    pub async fn session_revoke(
        &self,
        context: &Context,
        account: i64,
        session: Option<i64>,
    ) -> Result<()> {
        if context.caller.account != Some(account) {
            context.caller.need_administrator()?;
        }
        self.command(context, "session_revoke", 1, move |tx| {
            find(tx, &AccountRef::Id(account))?;
            match session {
                None => store::sessions_end(tx, account, None)?,
                Some(id) => {
                    let found = store::session_get(tx, id)?;
                    found
                        .filter(|found| found.account == account)
                        .ok_or(Error::NotFound("session"))?;
                    store::session_end(tx, id)?;
                }
            }
            store::activity_insert(tx, Some(account), "")?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Forgets what has expired: sessions, mailed tokens, throttles, mail sent long ago; called now and then.
    pub async fn account_sweep(&self, workspace: i64) -> Result<()> {
        let context = Context::new(Caller::server(workspace), "sweep");
        let day_ms = 24 * 3_600 * 1_000;
        let now = self.now_ms();
        self.command(&context, "account_sweep", 1, move |tx| {
            store::sessions_sweep(tx, now - day_ms)?;
            store::throttle_sweep(tx, now - day_ms)?;
            store::outbox_sweep(tx, now - limits::SENT_KEPT_MS)?;
            Ok(Verdict::Done(()))
        })
        .await
    }
}

/// The caller that an account is, within what its credential lets through.
pub(crate) fn account_caller(
    workspace: i64,
    account: i64,
    session: Option<i64>,
    permissions: Permissions,
    operator: Arc<AccountView>,
) -> Caller {
    let may = |word: &str| Permission::parse(word).is_some_and(|one| permissions.has(one));
    let mut scopes = Vec::new();
    if permissions.administers() {
        scopes.push(Scope::Admin);
    }
    if may("audience:r") {
        scopes.push(Scope::AudiencesRead);
    }
    if may("audience:w") {
        scopes.push(Scope::AudiencesWrite);
    }
    Caller {
        workspace,
        credential: 0,
        scopes: Scopes::new(&scopes),
        portfolio: Portfolio::Every,
        account: Some(account),
        integration: None,
        session,
        permissions,
        operator: Some(operator),
        limited: false,
        manager: None,
    }
}

impl Domain {
    /// The workspace of a mount; the bare mount is the default one's.
    pub(crate) async fn mounted(&self, mount: Mount) -> Result<i64> {
        match mount.workspace {
            Some(workspace) if workspace > 0 => Ok(workspace),
            Some(_) => Err(Error::NotFound("workspace")),
            None => {
                let found = self.mount(crate::workspace::DEFAULT_SLUG).await?;
                found
                    .workspace
                    .filter(|workspace| *workspace > 0)
                    .ok_or(Error::NotFound(ACCOUNT))
            }
        }
    }
}
