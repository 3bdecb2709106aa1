//! Identity providers: from whom accounts may come, as the operator configured it.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use store::{Account, AccountIdentity, Tx};
use subtle::ConstantTimeEq;

use crate::{
    account::Role,
    account_new::{AccountNew, Opened, Prepared, insert, prepare, room, taken},
    caller::Visit,
    email::Email,
    error::{Error, Result},
    limits,
    openid::{self, IdClaims},
    permission::Permissions,
    random::hex,
    service::Domain,
    session::{BAD_SIGN_IN, Door, SignedIn},
    way_in,
};

/// A provider of OpenID Connect.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityProvider {
    /// Its name here.
    pub uid: String,
    /// Where its configuration is discovered, and what its tokens say they are of.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: String,
    /// The slug of the workspace whose accounts come from it.
    pub workspace: String,
    /// Whether a first sign-in makes an account.
    pub create_accounts: bool,
    /// Whether it links to an account of the same address, where the provider says that the address is theirs.
    pub link_by_email: bool,
    /// Of an account that a first sign-in makes; never an administrator.
    pub role: Role,
}

impl std::fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdentityProvider({}, {}, ***)", self.uid, self.issuer)
    }
}

/// Where to send somebody, and what their browser has to bring back.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization {
    pub url: String,
    /// Sealed; for a cookie of the browser alone. Good for 15 minutes.
    pub kept: String,
}

impl std::fmt::Debug for Authorization {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authorization(***)")
    }
}

/// What is kept while somebody is at the provider.
#[derive(Serialize, Deserialize)]
struct Kept {
    workspace: i64,
    provider: String,
    state: String,
    nonce: String,
    verifier: String,
    redirect_uri: String,
    expires: i64,
}

const KEPT: &str = "identity provider authorization";

fn bad_state() -> Error {
    Error::invalid(
        "state",
        "bad_state",
        "This answer does not belong to a sign-in that was begun here: begin again.",
    )
}

impl Domain {
    /// The provider of this name in a workspace.
    pub(crate) async fn provider(&self, workspace: i64, uid: &str) -> Result<&IdentityProvider> {
        let slug = self.slug(workspace).await?;
        let found = self
            .providers()
            .iter()
            .find(|provider| provider.uid == uid && provider.workspace == slug);
        found.ok_or_else(|| {
            Error::invalid(
                "identity_provider",
                "unknown",
                "There is no such identity provider.",
            )
        })
    }

    /// The workspace of a visit that may have the server ask a provider.
    async fn throttled(&self, visit: &Visit) -> Result<i64> {
        let context = self.visit(visit).await?;
        let max = limits::OTHER_VISITS_AN_HOUR_MAX;
        self.throttle_visits_to(&context, visit, "identity", max)
            .await?;
        Ok(context.caller.workspace)
    }

    /// Begins a sign-in at a provider: authorization code flow with PKCE, state and nonce.
    pub async fn identity_authorize(
        &self,
        visit: &Visit,
        uid: &str,
        redirect_uri: &str,
    ) -> Result<Authorization> {
        let workspace = self.throttled(visit).await?;
        let provider = self.provider(workspace, uid).await?;
        let now = self.now_ms();
        let configuration = self
            .openid()
            .configuration(self.outbound(), provider, now)
            .await?;
        let word = || self.random().bytes::<32>().map(|bytes| hex(&bytes));
        let kept = Kept {
            workspace,
            provider: uid.to_owned(),
            state: word()?,
            nonce: word()?,
            verifier: word()?,
            redirect_uri: redirect_uri.to_owned(),
            expires: now + limits::AUTHORIZE_LIFE_MS,
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &provider.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", "openid email profile")
            .append_pair("state", &kept.state)
            .append_pair("nonce", &kept.nonce)
            .append_pair("code_challenge", &openid::challenge(&kept.verifier))
            .append_pair("code_challenge_method", "S256");
        let endpoint = &configuration.authorization_endpoint;
        let mark = if endpoint.contains('?') { '&' } else { '?' };
        let plain = serde_json::to_vec(&kept).map_err(Error::internal)?;
        let sealed = self.store().sealer().seal(KEPT, &plain)?;
        Ok(Authorization {
            url: format!("{endpoint}{mark}{}", query.finish()),
            kept: URL_SAFE_NO_PAD.encode(sealed),
        })
    }

    /// Ends a sign-in at a provider with what came back from there: `kept` of the cookie, `state` and `code` of the query.
    pub async fn identity_callback(
        &self,
        visit: &Visit,
        door: &Door,
        uid: &str,
        kept: &str,
        state: &str,
        code: &str,
    ) -> Result<SignedIn> {
        let workspace = self.visit(visit).await?.caller.workspace;
        let provider = self.provider(workspace, uid).await?;
        let sealed = URL_SAFE_NO_PAD.decode(kept).map_err(|_| bad_state())?;
        let plain = self
            .store()
            .sealer()
            .open(KEPT, &sealed)
            .map_err(|_| bad_state())?;
        let kept: Kept = serde_json::from_slice(&plain).map_err(|_| bad_state())?;
        let same: bool = kept.state.as_bytes().ct_eq(state.as_bytes()).into();
        let now = self.now_ms();
        if !same || kept.workspace != workspace || kept.provider != uid || kept.expires <= now {
            return Err(bad_state());
        }
        let (openid, outbound) = (self.openid(), self.outbound());
        let token = openid
            .exchange(
                outbound,
                provider,
                now,
                code,
                &kept.verifier,
                &kept.redirect_uri,
            )
            .await?;
        let claims = openid
            .verify(outbound, provider, now, &token, Some(&kept.nonce))
            .await?;
        self.identity_enter(visit, door, provider, claims).await
    }

    /// Signs in with an ID token that a client got from the provider by itself.
    pub async fn identity_sign_in(
        &self,
        visit: &Visit,
        door: &Door,
        uid: &str,
        id_token: &str,
    ) -> Result<SignedIn> {
        let workspace = self.throttled(visit).await?;
        let provider = self.provider(workspace, uid).await?;
        let claims = self
            .openid()
            .verify(self.outbound(), provider, self.now_ms(), id_token, None)
            .await?;
        self.identity_enter(visit, door, provider, claims).await
    }

    /// Begins a session of the account that comes from the provider under this subject, which is linked or made first where
    /// the provider's configuration allows that.
    async fn identity_enter(
        &self,
        visit: &Visit,
        door: &Door,
        provider: &IdentityProvider,
        claims: IdClaims,
    ) -> Result<SignedIn> {
        let context = self.visit(visit).await?;
        let workspace = context.caller.workspace;
        let comer = Comer::new(provider.clone(), claims);
        let (account, session) = self
            .session_begin(&context, door, move |tx| comer.enter(tx))
            .await?;
        self.session_token(workspace, door, account, session)
    }
}

/// Somebody whom a provider vouches for.
struct Comer {
    provider: IdentityProvider,
    claims: IdClaims,
    email: Option<Result<Email>>,
    /// The account that they would get.
    prepared: Option<Result<Prepared>>,
}

impl Comer {
    /// What the provider says is looked at only where the subject is not known: an account that is linked comes in whatever
    /// address or name its provider has for it now.
    fn new(provider: IdentityProvider, claims: IdClaims) -> Comer {
        let email = claims.email.as_deref().map(Email::parse);
        let prepared = match &email {
            Some(Ok(email)) if provider.create_accounts => {
                let name = |text: &Option<String>| {
                    let text = text.clone().unwrap_or_default();
                    let shown = text.chars().filter(|c| !c.is_control());
                    shown.take(limits::NAME_CHARS_MAX).collect::<String>()
                };
                let whole = name(&claims.name);
                Some(prepare(&AccountNew {
                    name: Some(whole).filter(|name| !name.trim().is_empty()),
                    first_name: name(&claims.given_name),
                    last_name: name(&claims.family_name),
                    role: provider.role,
                    permissions: Permissions::NONE,
                    verified: claims.email_is_verified(),
                    ..AccountNew::of(email.as_str())
                }))
            }
            _ => None,
        };
        Comer {
            provider,
            claims,
            email,
            prepared,
        }
    }

    fn enter(&self, tx: &mut Tx<'_, '_>) -> Result<Account> {
        let account = match self.known(tx)? {
            Some(account) => account,
            None => self.expected(tx)?,
        };
        if account.active {
            Ok(account)
        } else {
            Err(BAD_SIGN_IN)
        }
    }

    /// The account of the issuer's subject.
    fn known(&self, tx: &mut Tx<'_, '_>) -> Result<Option<Account>> {
        let (issuer, subject) = (&self.provider.issuer, &self.claims.sub);
        match store::account_identity_get(tx, issuer, subject)? {
            Some(identity) => Ok(store::account_get(tx, identity.account)?),
            None => Ok(None),
        }
    }

    /// The account that an administrator has made for them, that has their address, or that they get.
    fn expected(&self, tx: &mut Tx<'_, '_>) -> Result<Account> {
        let Some(email) = &self.email else {
            return Err(Error::invalid(
                "email",
                "not_available",
                "The identity provider does not tell your e-mail address.",
            ));
        };
        let email = email.as_ref().map_err(Clone::clone)?;
        let verified = self.claims.email_is_verified();
        let issuer = &self.provider.issuer;
        let subject = way_in::expected_subject(email.key());
        let expected = store::account_identity_get(tx, issuer, &subject)?.filter(|_| verified);
        if let Some(expected) = expected {
            store::account_identity_delete(tx, issuer, &subject)?;
            let account = store::account_get(tx, expected.account)?
                .filter(|account| account.email_key == email.key())
                .ok_or(BAD_SIGN_IN)?;
            return self.link(tx, account);
        }
        match store::account_by_email(tx, email.key())? {
            Some(account) if verified && self.provider.link_by_email => self.link(tx, account),
            Some(_) => Err(taken(
                "email",
                "There is an account of this address already: sign in with its password.",
            )),
            None => self.made(tx),
        }
    }

    fn made(&self, tx: &mut Tx<'_, '_>) -> Result<Account> {
        let prepared = self.prepared.as_ref().ok_or(BAD_SIGN_IN)?;
        let prepared = prepared.as_ref().map_err(Clone::clone)?;
        room(tx, 1)?;
        let identity = self.identity(tx, 0);
        let made = insert(tx, prepared, &Opened::Provider(identity.clone()), "")?.account;
        let identity = AccountIdentity {
            account: made.id,
            ..identity
        };
        store::account_identity_insert(tx, &identity)?;
        Ok(made)
    }

    /// Links the account. What somebody else may have set before the address was known to be theirs is taken away: they
    /// could have registered with it to wait for its owner.
    fn link(&self, tx: &mut Tx<'_, '_>, mut account: Account) -> Result<Account> {
        if !account.verified {
            account.password_hash = None;
            way_in::address_proven(tx, &mut account)?;
            store::account_update(tx, &account)?;
        }
        let identity = self.identity(tx, account.id);
        store::account_identity_insert(tx, &identity)?;
        Ok(account)
    }

    fn identity(&self, tx: &Tx<'_, '_>, account: i64) -> AccountIdentity {
        AccountIdentity {
            issuer: self.provider.issuer.clone(),
            subject: self.claims.sub.clone(),
            account,
            provider: self.provider.uid.clone(),
            created: tx.meta().time,
        }
    }
}
