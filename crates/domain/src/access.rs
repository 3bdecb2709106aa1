//! Credentials: made, listed, revoked; and how a request proves which one it carries.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::{Credential, Sealer, Used, Verdict};
use subtle::ConstantTimeEq;

use crate::{
    account::AccountView,
    audience::valid_name,
    caller::{Caller, Context, Mount, Portfolio, Scope, Scopes},
    error::{Error, Result},
    id::{DialectId, IdKind},
    limits,
    permission::Permissions,
    secret,
    service::Domain,
    session::account_caller,
    token::{AccessToken, Claims},
};

/// The dialect of API tokens.
pub const NATIVE: &str = "native";

/// A credential to be made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CredentialNew {
    /// Which protocol it is for; `native` makes an API token.
    pub dialect: String,
    pub name: String,
    /// Space-separated; empty means what the dialect's clients usually need.
    pub scopes: String,
    /// Nothing means every structure, also those made later.
    pub structures: Option<Vec<i64>>,
    /// Milliseconds since the Unix epoch; nothing means that it does not expire.
    pub expires: Option<i64>,
    /// Whether the secret itself is kept, sealed: where its protocol checks signatures that are made with it.
    #[serde(default)]
    pub keep_secret: bool,
}

/// A credential as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialView {
    pub id: i64,
    /// What an OAuth client sends as `client_id`.
    pub client_id: String,
    pub dialect: String,
    pub name: String,
    pub prefix: String,
    pub scopes: String,
    /// Nothing means every structure.
    pub structures: Option<Vec<i64>>,
    pub created: i64,
    pub expires: Option<i64>,
    pub last_used: Option<i64>,
    pub revoked: Option<i64>,
}

/// A new credential with its secret, which is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialSecret {
    pub credential: CredentialView,
    pub secret: String,
}

impl std::fmt::Debug for CredentialSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CredentialSecret({}, ***)", self.credential.id)
    }
}

/// A credential read a moment ago.
#[derive(Debug, Clone)]
pub(crate) struct CachedCredential {
    credential: Arc<Credential>,
    read_ms: i64,
}

pub(crate) fn view(workspace: i64, credential: Credential) -> CredentialView {
    CredentialView {
        client_id: DialectId {
            workspace,
            kind: IdKind::Credential,
            id: credential.id,
        }
        .to_hex(),
        structures: (!credential.every_structure).then_some(credential.structures),
        id: credential.id,
        dialect: credential.dialect,
        name: credential.name,
        prefix: credential.prefix,
        scopes: credential.scopes,
        created: credential.created,
        expires: credential.expires,
        last_used: credential.last_used,
        revoked: credential.revoked,
    }
}

/// A secret that its protocol signs with.
pub(crate) fn seal_secret(
    sealer: &Sealer,
    workspace: i64,
    id: i64,
    secret: &str,
) -> Result<Vec<u8>> {
    Ok(sealer.seal(&secret_context(workspace, id), secret.as_bytes())?)
}

/// What [`seal_secret`] sealed.
pub(crate) fn open_secret(
    sealer: &Sealer,
    workspace: i64,
    id: i64,
    sealed: &[u8],
) -> Result<Vec<u8>> {
    Ok(sealer.open(&secret_context(workspace, id), sealed)?)
}

fn secret_context(workspace: i64, id: i64) -> String {
    format!("credential {workspace}/{id}")
}

pub(crate) const BAD_CREDENTIAL: Error = Error::Unauthenticated("The credential is not valid.");
pub(crate) const BAD_TOKEN: Error =
    Error::Unauthenticated("The token is not valid or has expired.");

impl Domain {
    /// Makes a credential of the caller's workspace. Needs the scope admin; the caller can give only scopes and
    /// structures that it has itself. `dialects` are the protocols that this server speaks.
    pub async fn credential_create(
        &self,
        context: &Context,
        new: CredentialNew,
        dialects: &[&str],
    ) -> Result<CredentialSecret> {
        context.caller.need(Scope::Admin)?;
        let name = valid_name("name", &new.name)?;
        if !dialects.contains(&new.dialect.as_str()) {
            let text = format!(
                "The dialect is not known. The dialects are: {}.",
                dialects.join(", ")
            );
            return Err(Error::invalid("dialect", "unknown", text));
        }
        let scopes = self.scopes_of(&context.caller, &new)?;
        let structures = structures_of(&context.caller, new.structures)?;
        if new.expires.is_some_and(|expires| expires <= self.now_ms()) {
            return Err(Error::invalid(
                "expires",
                "past",
                "The expiry must be in the future.",
            ));
        }
        let secret = secret::generate(self.random())?;
        let (workspace, dialect, expires) = (context.caller.workspace, new.dialect, new.expires);
        let (keep_secret, sealer) = (new.keep_secret, self.store().sealer().clone());
        self.command(context, "credential_create", 1, move |tx| {
            for &structure in structures.iter().flatten() {
                crate::audience::find(
                    tx,
                    &Caller::server(workspace),
                    structure,
                    crate::tree::Act::See,
                    crate::audience::STRUCTURE,
                )
                .map_err(|error| match error {
                    Error::NotFound(_) => Error::invalid(
                        "structures",
                        "unknown",
                        format!("There is no structure {structure}."),
                    ),
                    error => error,
                })?;
            }
            let id = tx.next_id();
            let sealed_secret = keep_secret.then(|| seal_secret(&sealer, workspace, id, &secret));
            let credential = Credential {
                id,
                dialect: dialect.clone(),
                name: name.clone(),
                prefix: secret::shown_prefix(&secret),
                secret_hash: secret::hash(&secret),
                scopes: scopes.as_text(),
                every_structure: structures.is_none(),
                structures: structures.clone().unwrap_or_default(),
                created: tx.meta().time,
                expires,
                last_used: None,
                revoked: None,
                revoked_reason: None,
                account: None,
                permissions: None,
                sealed_secret: sealed_secret.transpose()?,
                integration: None,
            };
            store::credential_insert(tx, &credential)?;
            store::activity_insert(tx, Some(credential.id), &format!("dialect={dialect}"))?;
            Ok(Verdict::Done(CredentialSecret {
                credential: view(workspace, credential),
                secret: secret.clone(),
            }))
        })
        .await
    }

    fn scopes_of(&self, caller: &Caller, new: &CredentialNew) -> Result<Scopes> {
        let scopes = if new.scopes.trim().is_empty() {
            Scopes::new(&[Scope::AudiencesRead, Scope::AudiencesWrite])
        } else {
            Scopes::parse(&new.scopes)?
        };
        for scope in Scope::ALL.into_iter().filter(|scope| scopes.has(*scope)) {
            caller.need(scope)?;
        }
        Ok(scopes)
    }

    /// Credentials with `id > after`, revoked ones too. Needs the scope admin and every structure.
    pub async fn credential_list(
        &self,
        caller: &Caller,
        after: i64,
        limit: usize,
    ) -> Result<Vec<CredentialView>> {
        caller.need(Scope::Admin)?;
        caller.need_every_structure()?;
        let (workspace, limit) = (caller.workspace, limit.clamp(1, limits::PAGE_ITEMS_MAX));
        self.store()
            .read(workspace, move |read| {
                let page = store::credential_page(read, after, limit as i64)?;
                Ok(page
                    .into_iter()
                    .map(|credential| view(workspace, credential))
                    .collect())
            })
            .await
    }

    /// Ends a credential. Holds in this process at once and in every other within 5 seconds. Needs the scope
    /// admin and every structure.
    pub async fn credential_revoke(&self, context: &Context, id: i64) -> Result<()> {
        context.caller.need(Scope::Admin)?;
        context.caller.need_every_structure()?;
        let workspace = context.caller.workspace;
        let done = self
            .command(context, "credential_revoke", 1, move |tx| {
                store::credential_get(tx, id)?.ok_or(Error::NotFound("credential"))?;
                let now = tx.meta().time;
                if store::credential_revoke(tx, id, now, None)? {
                    store::activity_insert(tx, Some(id), "")?;
                }
                Ok(Verdict::Done(()))
            })
            .await;
        self.credential_cache().lock().remove(&(workspace, id));
        done
    }

    /// The client-credentials grant (RFC 6749 section 4.4): an access token for a client's id and secret.
    pub async fn token_issue(
        &self,
        mount: Mount,
        dialect: &str,
        client_id: &str,
        client_secret: &str,
    ) -> Result<AccessToken> {
        let life_s = self.token_life_s();
        self.token_issue_noted(mount, dialect, (client_id, client_secret), life_s, None)
            .await
    }

    /// [`Self::token_issue`] for so many seconds, with what the dialect wants to find in the token again. `client` is its id
    /// and its secret.
    pub async fn token_issue_noted(
        &self,
        mount: Mount,
        dialect: &str,
        (client_id, client_secret): (&str, &str),
        life_s: u64,
        note: Option<&str>,
    ) -> Result<AccessToken> {
        let (workspace, credential) = self
            .credential_proven(mount, dialect, client_id, client_secret)
            .await?;
        let now = self.now_ms();
        self.tokens()
            .issue(dialect, workspace, credential.id, now, life_s, note)
    }

    /// The credential of a client's id (24 hexadecimal digits) and secret, with its workspace.
    pub(crate) async fn credential_proven(
        &self,
        mount: Mount,
        dialect: &str,
        client_id: &str,
        client_secret: &str,
    ) -> Result<(i64, Arc<Credential>)> {
        let id = DialectId::from_hex(client_id).filter(|id| id.kind == IdKind::Credential);
        let id = id
            .filter(|_| secret::well_formed(client_secret))
            .ok_or(BAD_CREDENTIAL)?;
        let credential = self
            .credential_live(mount, id.workspace, id.id, dialect)
            .await?;
        let same: bool = secret::hash(client_secret)
            .ct_eq(&credential.secret_hash)
            .into();
        if !same {
            return Err(BAD_CREDENTIAL);
        }
        self.note_use(id.workspace, &credential);
        Ok((id.workspace, credential))
    }

    /// The caller behind an access token of [`Self::token_issue`].
    pub async fn caller_by_access_token(
        &self,
        mount: Mount,
        dialect: &str,
        token: &str,
    ) -> Result<Caller> {
        let (caller, _) = self.caller_by_noted_token(mount, dialect, token).await?;
        Ok(caller)
    }

    /// [`Self::caller_by_access_token`] with what the dialect noted in the token.
    pub async fn caller_by_noted_token(
        &self,
        mount: Mount,
        dialect: &str,
        token: &str,
    ) -> Result<(Caller, String)> {
        let claims: Claims = self
            .tokens()
            .verify(&[dialect], token, self.now_ms())
            .ok_or(BAD_TOKEN)?;
        let id = claims.sub.parse().map_err(|_| BAD_TOKEN)?;
        let credential = self
            .credential_live(mount, claims.ws, id, dialect)
            .await
            .map_err(|error| match error {
                Error::Unauthenticated(_) => BAD_TOKEN,
                error => error,
            })?;
        let caller = self.caller_of(claims.ws, &credential).await?;
        Ok((caller, claims.note.unwrap_or_default()))
    }

    /// The caller behind a secret that is sent as it is, with the workspace that it must belong to.
    pub async fn caller_by_tenant_secret(
        &self,
        mount: Mount,
        dialect: &str,
        workspace: i64,
        secret: &str,
    ) -> Result<Caller> {
        if mount.workspace.is_some_and(|named| named != workspace) {
            return Err(BAD_CREDENTIAL);
        }
        let tenant = Mount {
            workspace: Some(workspace),
        };
        self.caller_by_secret(tenant, dialect, secret).await
    }

    /// The caller behind a native API token.
    pub async fn caller_by_api_token(&self, mount: Mount, token: &str) -> Result<Caller> {
        self.caller_by_secret(mount, NATIVE, token).await
    }

    /// The caller behind a secret of a protocol that is sent as it is.
    pub async fn caller_by_secret(
        &self,
        mount: Mount,
        dialect: &str,
        token: &str,
    ) -> Result<Caller> {
        if !secret::well_formed(token) {
            return Err(BAD_CREDENTIAL);
        }
        let hash = secret::hash(token);
        let (workspace, id) = self.owner_of(&hash).await?;
        let credential = self.credential_live(mount, workspace, id, dialect).await?;
        // It may have been given another secret since.
        let same: bool = hash.ct_eq(&credential.secret_hash).into();
        if !same {
            return Err(BAD_CREDENTIAL);
        }
        self.note_use(workspace, &credential);
        self.caller_of(workspace, &credential).await
    }

    /// Who calls with a credential: of an account's, the account within what the credential lets through.
    pub(crate) async fn caller_of(
        &self,
        workspace: i64,
        credential: &Credential,
    ) -> Result<Caller> {
        let Some(account) = credential.account else {
            return caller(workspace, credential);
        };
        let operator = self
            .operator(workspace, account)
            .await?
            .ok_or(BAD_CREDENTIAL)?;
        let rights = within(&operator, credential.permissions.as_deref());
        let caller = account_caller(workspace, account, None, rights, operator);
        Ok(Caller {
            credential: credential.id,
            limited: credential.permissions.is_some(),
            ..caller
        })
    }

    /// Whose the secret of this hash is, or was.
    async fn owner_of(&self, hash: &[u8]) -> Result<(i64, i64)> {
        let known = self.owners().lock().get(hash).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let owner = store::token_owner(self.store(), hash.to_vec())
            .await?
            .ok_or(BAD_CREDENTIAL)?;
        let owner = (owner.workspace, owner.credential);
        let mut owners = self.owners().lock();
        if owners.len() >= limits::CREDENTIALS_CACHED_MAX {
            owners.clear();
        }
        owners.insert(hash.to_vec(), owner);
        Ok(owner)
    }

    /// The credential if it is for this dialect, of the mount's workspace, not revoked and not expired.
    pub(crate) async fn credential_live(
        &self,
        mount: Mount,
        workspace: i64,
        id: i64,
        dialect: &str,
    ) -> Result<Arc<Credential>> {
        if mount.workspace.is_some_and(|named| named != workspace) {
            return Err(BAD_CREDENTIAL);
        }
        let now = self.now_ms();
        let cached = self
            .credential_cache()
            .lock()
            .get(&(workspace, id))
            .cloned();
        // Not by a clock that was set back.
        let fresh = cached
            .filter(|cached| (0..limits::CREDENTIAL_CACHED_MS).contains(&(now - cached.read_ms)));
        let credential = match fresh {
            Some(cached) => cached.credential,
            None => self.credential_read(workspace, id, now).await?,
        };
        let expired = credential.expires.is_some_and(|expires| expires <= now);
        if credential.dialect != dialect || credential.revoked.is_some() || expired {
            return Err(BAD_CREDENTIAL);
        }
        Ok(credential)
    }

    async fn credential_read(&self, workspace: i64, id: i64, now: i64) -> Result<Arc<Credential>> {
        let found = self
            .store()
            .read(workspace, move |read| {
                Ok::<_, Error>(store::credential_get(read, id)?)
            })
            .await?
            .ok_or(BAD_CREDENTIAL)?;
        let credential = Arc::new(found);
        let mut cache = self.credential_cache().lock();
        if cache.len() >= limits::CREDENTIALS_CACHED_MAX {
            cache.clear();
        }
        cache.insert(
            (workspace, id),
            CachedCredential {
                credential: Arc::clone(&credential),
                read_ms: now,
            },
        );
        Ok(credential)
    }

    /// Writes the time of the last use now and then, behind the request's back.
    pub(crate) fn note_use(&self, workspace: i64, credential: &Credential) {
        let now = self.now_ms();
        if credential
            .last_used
            .is_some_and(|used| now - used < limits::LAST_USED_EVERY_MS)
        {
            return;
        }
        let id = credential.id;
        if let Some(cached) = self.credential_cache().lock().get_mut(&(workspace, id)) {
            Arc::make_mut(&mut cached.credential).last_used = Some(now);
        }
        self.note(Used::Credential, workspace, id, now);
    }
}

/// What an account may do by a credential of these permissions; one without any lets through all that the account may.
/// An administrator may everything, but a credential lets through what it names and no more, the administrator's too.
pub(crate) fn within(operator: &AccountView, permissions: Option<&str>) -> Permissions {
    let own = operator.rights();
    match permissions {
        None => own,
        Some(text) => own.and(Permissions::parse(text).unwrap_or_default()),
    }
}

fn caller(workspace: i64, credential: &Credential) -> Result<Caller> {
    let portfolio = if credential.every_structure {
        Portfolio::Every
    } else {
        Portfolio::Only(credential.structures.clone())
    };
    let scopes = Scopes::parse(&credential.scopes)?;
    let administers = scopes.has(Scope::Admin) && portfolio == Portfolio::Every;
    Ok(Caller {
        workspace,
        credential: credential.id,
        scopes,
        portfolio,
        account: None,
        integration: credential.integration,
        session: None,
        permissions: if administers {
            Permissions::ALL
        } else {
            Permissions::NONE
        },
        operator: None,
        limited: false,
        manager: None,
    })
}

/// The portfolio of a new credential, within that of its maker.
fn structures_of(caller: &Caller, structures: Option<Vec<i64>>) -> Result<Option<Vec<i64>>> {
    let Some(mut structures) = structures else {
        return match &caller.portfolio {
            Portfolio::Every => Ok(None),
            Portfolio::Only(own) => Ok(Some(own.clone())),
        };
    };
    structures.sort_unstable();
    structures.dedup();
    if structures.len() > limits::PORTFOLIO_MAX {
        let text = format!(
            "A portfolio holds at most {} structures.",
            limits::PORTFOLIO_MAX
        );
        return Err(Error::invalid("structures", "too_many", text));
    }
    for &structure in &structures {
        caller.need_structure(structure)?;
    }
    Ok(Some(structures))
}
