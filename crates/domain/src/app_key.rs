//! Keys of programs: credentials whose secret is sent as it is (Basic) or signs tokens of the program's own (HS256), and
//! which may belong to an integration.
//!
//! What it is not: the credentials that administer the workspace, which are neither made nor listed nor ended here.

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use store::{Credential, Sql, Verdict};

use crate::{
    access::{self, BAD_TOKEN, CredentialSecret, CredentialView},
    caller::{Caller, Context, Mount, Scope, Scopes},
    error::{Error, Field, Result},
    id::{DialectId, IdKind},
    integration::{self, IntegrationKind, need_to_manage},
    limits, secret,
    service::Domain,
    texts,
};

const NOUN: &str = "credential";

/// What a token says that a program signed with its key.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedClaims {
    pub scope: Option<String>,
    /// Whose reference the program speaks for.
    pub external_id: Option<String>,
}

impl std::fmt::Debug for SignedClaims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SignedClaims({:?}, ***)", self.scope)
    }
}

/// What a token may say; times are NumericDates (RFC 7519 section 2), in seconds and not always whole ones.
#[derive(Deserialize)]
struct Signed {
    scope: Option<String>,
    external_id: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
}

impl Signed {
    fn holds(&self, now_ms: i64) -> bool {
        let (now, leeway) = (now_ms as f64, limits::TOKEN_LEEWAY_MS as f64);
        let begun = self.nbf.is_none_or(|nbf| nbf * 1_000.0 <= now + leeway);
        let ended = self.exp.is_some_and(|exp| exp * 1_000.0 <= now - leeway);
        begun && !ended
    }
}

/// Keys are found by what they may not do too: one that administers is no key of a program.
fn is_key(credential: &Credential) -> bool {
    Scopes::parse(&credential.scopes).is_ok_and(|scopes| !scopes.has(Scope::Admin))
}

/// The keys of the workspace, or of an integration, which must be there.
fn keys_of(sql: &mut dyn Sql, dialect: &str, integration: Option<i64>) -> Result<Vec<Credential>> {
    if let Some(id) = integration {
        let row = store::integration_get(sql, id)?.ok_or(Error::NotFound("integration"))?;
        if integration::kind_of(&row)? != IntegrationKind::Custom {
            let say = "Only a custom integration has keys.";
            return Err(Error::invalid("integration", "other_type", say));
        }
    }
    let limit = limits::PAGE_ITEMS_MAX as i64;
    let mut keys = store::credentials_of_integration(sql, dialect, integration, limit)?;
    keys.retain(is_key);
    Ok(keys)
}

fn room(keys: &[Credential]) -> Result<()> {
    if keys.len() < limits::APP_KEYS_MAX {
        return Ok(());
    }
    Err(Error::TooLarge(Field {
        name: "key",
        code: "too_many",
        text: format!("There are at most {} keys.", limits::APP_KEYS_MAX),
    }))
}

/// What a key may do that this caller makes: of what is asked for, or of everything where nothing is, what the caller may
/// itself; never to administer.
fn scopes_of(caller: &Caller, asked: &str) -> Result<Scopes> {
    Scopes::parse(asked)?;
    // Each by its own word: whoever asks to administer does not ask for all that this includes.
    let asked: Vec<Scope> = match asked.trim().is_empty() {
        true => Scope::ALL.to_vec(),
        false => asked.split_whitespace().filter_map(Scope::parse).collect(),
    };
    let given: Vec<Scope> = asked
        .into_iter()
        .filter(|scope| !matches!(scope, Scope::Admin | Scope::Installation))
        .filter(|scope| caller.scopes.has(*scope))
        .collect();
    Ok(Scopes::new(&given))
}

impl Domain {
    /// Makes a key of `dialect` with those of the caller's own scopes that `scopes` names, or all of them where it is empty;
    /// never with the scope admin. At most ten of the workspace, and ten of an integration. Needs the scope integrations and
    /// every structure.
    pub async fn app_key_create(
        &self,
        context: &Context,
        dialect: &str,
        display_name: &str,
        scopes: &str,
        integration: Option<i64>,
    ) -> Result<CredentialSecret> {
        need_to_manage(&context.caller)?;
        let max = limits::DISPLAY_NAME_CHARS_MAX;
        let name = texts::checked("display_name", display_name.to_owned(), max)?;
        let scopes = scopes_of(&context.caller, scopes)?;
        let secret = secret::generate(self.random())?;
        let (dialect, sealer) = (dialect.to_owned(), self.store().sealer().clone());
        self.command(context, "app_key_create", 1, move |tx| {
            room(&keys_of(tx, &dialect, integration)?)?;
            let (workspace, id) = (tx.workspace(), tx.next_id());
            let sealed = access::seal_secret(&sealer, workspace, id, &secret)?;
            let credential = Credential {
                id,
                dialect: dialect.clone(),
                name: name.clone(),
                prefix: secret::shown_prefix(&secret),
                secret_hash: secret::hash(&secret),
                scopes: scopes.as_text(),
                every_structure: true,
                structures: Vec::new(),
                created: tx.meta().time,
                expires: None,
                last_used: None,
                revoked: None,
                revoked_reason: None,
                account: None,
                permissions: None,
                sealed_secret: Some(sealed),
                integration,
            };
            store::credential_insert(tx, &credential)?;
            store::activity_insert(tx, Some(id), &format!("dialect={dialect}"))?;
            Ok(Verdict::Done(CredentialSecret {
                credential: access::view(workspace, credential),
                secret: secret.clone(),
            }))
        })
        .await
    }

    /// The keys of the workspace, or of an integration, that are not revoked, in order of id. Needs the scope integrations and
    /// every structure.
    pub async fn app_key_list(
        &self,
        caller: &Caller,
        dialect: &str,
        integration: Option<i64>,
    ) -> Result<Vec<CredentialView>> {
        need_to_manage(caller)?;
        let (workspace, dialect) = (caller.workspace, dialect.to_owned());
        self.store()
            .read(workspace, move |read| {
                let keys = keys_of(read, &dialect, integration)?.into_iter();
                Ok(keys.map(|key| access::view(workspace, key)).collect())
            })
            .await
    }

    /// One of [`Self::app_key_list`].
    pub async fn app_key_get(
        &self,
        caller: &Caller,
        dialect: &str,
        integration: Option<i64>,
        id: i64,
    ) -> Result<CredentialView> {
        let keys = self.app_key_list(caller, dialect, integration).await?;
        let found = keys.into_iter().find(|key| key.id == id);
        found.ok_or(Error::NotFound(NOUN))
    }

    /// Ends a key of [`Self::app_key_list`]. Holds in this process at once and in every other within 5 seconds. Needs the
    /// scope integrations and every structure.
    pub async fn app_key_delete(
        &self,
        context: &Context,
        dialect: &str,
        integration: Option<i64>,
        id: i64,
    ) -> Result<()> {
        need_to_manage(&context.caller)?;
        let (workspace, dialect) = (context.caller.workspace, dialect.to_owned());
        let done = self
            .command(context, "app_key_delete", 1, move |tx| {
                let keys = keys_of(tx, &dialect, integration)?;
                if !keys.iter().any(|key| key.id == id) {
                    return Err(Error::NotFound(NOUN));
                }
                let now = tx.meta().time;
                store::credential_revoke(tx, id, now, None)?;
                store::activity_insert(tx, Some(id), "")?;
                Ok(Verdict::Done(()))
            })
            .await;
        self.credential_cache().lock().remove(&(workspace, id));
        done
    }

    /// The caller behind a key's id (24 hexadecimal digits) and secret.
    pub async fn caller_by_key(
        &self,
        mount: Mount,
        dialect: &str,
        id: &str,
        secret: &str,
    ) -> Result<Caller> {
        let (workspace, credential) = self.credential_proven(mount, dialect, id, secret).await?;
        self.caller_of(workspace, &credential).await
    }

    /// The caller behind a JSON Web Token (RFC 7519) that is signed with the key (HS256 only) that `kid` names by its id
    /// (24 hexadecimal digits). `exp` and `nbf` hold where they are there.
    pub async fn caller_by_signed_token(
        &self,
        mount: Mount,
        dialect: &str,
        id: &str,
        token: &str,
    ) -> Result<(Caller, SignedClaims)> {
        if token.len() > limits::ID_TOKEN_CHARS_MAX {
            return Err(BAD_TOKEN);
        }
        let id = DialectId::from_hex(id).filter(|id| id.kind == IdKind::Credential);
        let (workspace, id) = id.map(|id| (id.workspace, id.id)).ok_or(BAD_TOKEN)?;
        let credential = self
            .credential_live(mount, workspace, id, dialect)
            .await
            .map_err(|error| match error {
                Error::Unauthenticated(_) => BAD_TOKEN,
                error => error,
            })?;
        let sealed = credential.sealed_secret.as_deref().ok_or(BAD_TOKEN)?;
        let secret = access::open_secret(self.store().sealer(), workspace, id, sealed)?;
        let signed = verified(token, &secret).filter(|signed| signed.holds(self.now_ms()));
        let signed = signed.ok_or(BAD_TOKEN)?;
        self.note_use(workspace, &credential);
        let caller = self.caller_of(workspace, &credential).await?;
        let claims = SignedClaims {
            scope: signed.scope,
            external_id: signed.external_id,
        };
        Ok((caller, claims))
    }
}

fn verified(token: &str, secret: &[u8]) -> Option<Signed> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    // Times are compared with the domain's clock; who a token is for is said by its key.
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let key = DecodingKey::from_secret(secret);
    let decoded = jsonwebtoken::decode::<Signed>(token, &key, &validation).ok()?;
    Some(decoded.claims)
}
