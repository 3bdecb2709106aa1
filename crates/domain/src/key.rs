//! Keys of accounts: credentials that belong to an account and can do no more than it, and less where they say so.

use serde::{Deserialize, Serialize};
use store::{Credential, Sql, Verdict};

use crate::{
    access::within,
    account::{self, AccountRef, find},
    audience::valid_name,
    caller::{Caller, Context, Scope, Scopes},
    error::{Denied, Error, Field, Result},
    limits,
    permission::Permissions,
    secret,
    service::Domain,
};

/// A key to be made.
#[derive(Debug, Clone)]
pub struct KeyNew {
    pub label: String,
    /// Which protocol it is for.
    pub dialect: String,
    /// Nothing lets through all that the account may do, also later.
    pub permissions: Option<Permissions>,
    /// Milliseconds since the Unix epoch; nothing means that it does not expire.
    pub expires: Option<i64>,
}

/// What may be changed of a key; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct KeyChange {
    pub label: Option<String>,
    pub permissions: Option<Option<Permissions>>,
}

/// A key as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    pub id: i64,
    pub label: String,
    pub dialect: String,
    /// The first characters of the secret.
    pub prefix: String,
    pub permissions: Option<Permissions>,
    pub account: i64,
    /// The account's user name; empty where the account was deleted.
    pub username: String,
    pub created: i64,
    pub expires: Option<i64>,
    pub last_used: Option<i64>,
    pub revoked: Option<i64>,
    pub revoked_reason: Option<String>,
}

/// A key with its secret, which is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySecret {
    pub key: KeyView,
    pub secret: String,
}

impl std::fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeySecret({}, ***)", self.key.id)
    }
}

/// A part of the list of keys, and how long the whole list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPage {
    pub total: u64,
    pub keys: Vec<KeyView>,
}

const KEY: &str = "key";

/// The view of a credential that belongs to an account; nothing of one that does not.
fn view(sql: &mut dyn Sql, credential: Credential) -> Result<Option<KeyView>> {
    let Some(account) = credential.account else {
        return Ok(None);
    };
    let owner = store::account_get(sql, account)?;
    Ok(Some(KeyView {
        id: credential.id,
        label: credential.name,
        dialect: credential.dialect,
        prefix: credential.prefix,
        permissions: credential
            .permissions
            .as_deref()
            .and_then(Permissions::parse),
        account,
        username: owner.map(|owner| owner.username).unwrap_or_default(),
        created: credential.created,
        expires: credential.expires,
        last_used: credential.last_used,
        revoked: credential.revoked,
        revoked_reason: credential.revoked_reason,
    }))
}

/// The key of this id that the caller may touch: an administrator any, others their own.
fn find_key(sql: &mut dyn Sql, caller: &Caller, id: i64) -> Result<(Credential, KeyView)> {
    let credential = store::credential_get(sql, id)?.ok_or(Error::NotFound(KEY))?;
    let own = caller.account.is_some() && credential.account == caller.account;
    if !own {
        caller.need_administrator()?;
    } else if !caller.administers() {
        no_more_than(sql, caller, &credential)?;
    }
    let shown = view(sql, credential.clone())?.ok_or(Error::NotFound(KEY))?;
    Ok((credential, shown))
}

/// Fails where a key lets through more than the caller may do: who could give it a new secret could do that.
fn no_more_than(sql: &mut dyn Sql, caller: &Caller, credential: &Credential) -> Result<()> {
    let (Some(_), Some(owner)) = (caller.account, credential.account) else {
        return Ok(());
    };
    let Some(owner) = store::account_get(sql, owner)? else {
        return Ok(());
    };
    let owner = account::view(sql, owner)?;
    let rights = within(&owner, credential.permissions.as_deref());
    if caller.permissions.has_all(rights) {
        return Ok(());
    }
    Err(Error::Forbidden(Denied::Permission))
}

/// Fails where the caller would give what it does not have itself.
fn may_give(caller: &Caller, permissions: Option<Permissions>) -> Result<()> {
    match permissions {
        Some(asked) if !caller.permissions.has_all(asked) => {
            Err(Error::Forbidden(Denied::Permission))
        }
        // All that the account may: not by way of a key that may less.
        None if caller
            .operator
            .as_ref()
            .is_some_and(|operator| caller.permissions != operator.rights()) =>
        {
            Err(Error::Forbidden(Denied::Permission))
        }
        _ => Ok(()),
    }
}

fn reason_of(reason: &str) -> Result<String> {
    if reason.chars().count() > limits::REASON_CHARS_MAX || reason.contains('\0') {
        let text = format!(
            "A reason has at most {} characters.",
            limits::REASON_CHARS_MAX
        );
        return Err(Error::invalid("reason", "too_long", text));
    }
    Ok(reason.to_owned())
}

impl Domain {
    /// Makes a key of an account: an administrator for any, others for themselves and of what they may do themselves.
    /// `dialects` are the protocols that take such keys.
    pub async fn key_create(
        &self,
        context: &Context,
        account: i64,
        new: KeyNew,
        dialects: &[&str],
    ) -> Result<KeySecret> {
        let caller = &context.caller;
        if caller.account != Some(account) {
            caller.need_administrator()?;
        }
        may_give(caller, new.permissions)?;
        let label = valid_name("label", &new.label)?;
        if !dialects.contains(&new.dialect.as_str()) {
            let text = format!("The dialect must be one of: {}.", dialects.join(", "));
            return Err(Error::invalid("dialect", "unknown", text));
        }
        if new.expires.is_some_and(|expires| expires <= self.now_ms()) {
            let text = "The expiry must be in the future.";
            return Err(Error::invalid("expires", "past", text));
        }
        let secret = secret::generate(self.random())?;
        self.command(context, "key_create", 1, move |tx| {
            find(tx, &AccountRef::Id(account))?;
            let max = limits::ACCOUNT_KEYS_MAX;
            if store::credentials_count_of(tx, account)? >= max as u64 {
                return Err(Error::TooLarge(Field {
                    name: KEY,
                    code: "too_many",
                    text: format!("An account has at most {max} keys: revoke one first."),
                }));
            }
            let credential = Credential {
                id: tx.next_id(),
                dialect: new.dialect.clone(),
                name: label.clone(),
                prefix: secret::shown_prefix(&secret),
                secret_hash: secret::hash(&secret),
                scopes: Scopes::new(&[] as &[Scope]).as_text(),
                every_structure: true,
                structures: Vec::new(),
                created: tx.meta().time,
                expires: new.expires,
                last_used: None,
                revoked: None,
                revoked_reason: None,
                account: Some(account),
                permissions: new.permissions.map(Permissions::as_text),
                sealed_secret: None,
                integration: None,
            };
            store::credential_insert(tx, &credential)?;
            let detail = format!("account={account} dialect={}", new.dialect);
            store::activity_insert(tx, Some(credential.id), &detail)?;
            let key = view(tx, credential)?.ok_or(Error::NotFound(KEY))?;
            Ok(Verdict::Done(KeySecret {
                key,
                secret: secret.clone(),
            }))
        })
        .await
    }

    /// Keys with `id > after` in order of id, revoked ones too: of an account, or of all where none is named. Of others than
    /// oneself for administrators.
    pub async fn key_list(
        &self,
        caller: &Caller,
        account: Option<i64>,
        after: i64,
        limit: usize,
    ) -> Result<Vec<KeyView>> {
        if account.is_none() || caller.account != account {
            caller.need_administrator()?;
        }
        let limit = limit.clamp(1, limits::PAGE_ITEMS_MAX) as i64;
        self.store()
            .read(caller.workspace, move |read| {
                if let Some(account) = account {
                    find(read, &AccountRef::Id(account))?;
                }
                let page = store::credential_page_of(read, account, after, limit)?;
                let mut keys = Vec::with_capacity(page.len());
                for credential in page {
                    keys.extend(view(read, credential)?);
                }
                Ok(keys)
            })
            .await
    }

    /// Keys of all accounts in order of id, revoked ones too, after the first `offset`; with `limit` 0 their number alone.
    /// For administrators.
    pub async fn key_page(&self, caller: &Caller, offset: usize, limit: usize) -> Result<KeyPage> {
        caller.need_administrator()?;
        let limit = limit.min(limits::PAGE_ITEMS_MAX) as i64;
        let offset = i64::try_from(offset).unwrap_or(i64::MAX);
        self.store()
            .read(caller.workspace, move |read| {
                let (total, page) = store::credential_slice_of_accounts(read, offset, limit)?;
                let mut keys = Vec::with_capacity(page.len());
                for credential in page {
                    keys.extend(view(read, credential)?);
                }
                Ok(KeyPage { total, keys })
            })
            .await
    }

    pub async fn key_get(&self, caller: &Caller, id: i64) -> Result<KeyView> {
        let asker = caller.clone();
        self.store()
            .read(caller.workspace, move |read| {
                find_key(read, &asker, id).map(|(_, key)| key)
            })
            .await
    }

    /// The key of a secret that somebody has found. For administrators; one that was revoked is found too.
    pub async fn key_search(&self, caller: &Caller, secret: &str) -> Result<KeyView> {
        caller.need_administrator()?;
        if !secret::well_formed(secret) {
            return Err(Error::NotFound(KEY));
        }
        let owner = store::token_owner(self.store(), secret::hash(secret)).await?;
        let owner = owner.filter(|owner| owner.workspace == caller.workspace);
        let owner = owner.ok_or(Error::NotFound(KEY))?;
        self.key_get(caller, owner.credential).await
    }

    pub async fn key_update(
        &self,
        context: &Context,
        id: i64,
        change: KeyChange,
    ) -> Result<KeyView> {
        let label = change
            .label
            .as_deref()
            .map(|label| valid_name("label", label))
            .transpose()?;
        if let Some(permissions) = change.permissions {
            may_give(&context.caller, permissions)?;
        }
        let caller = context.caller.clone();
        let updated = self
            .command(context, "key_update", 1, move |tx| {
                let (mut credential, _) = find_key(tx, &caller, id)?;
                if let Some(label) = &label {
                    credential.name.clone_from(label);
                }
                if let Some(permissions) = change.permissions {
                    credential.permissions = permissions.map(Permissions::as_text);
                }
                let hash = credential.secret_hash.clone();
                store::credential_update(tx, &credential, &hash)?;
                store::activity_insert(tx, Some(id), "")?;
                let key = view(tx, credential)?.ok_or(Error::NotFound(KEY))?;
                Ok(Verdict::Done(key))
            })
            .await;
        self.key_forget(context, id);
        updated
    }

    /// Gives a key a new secret; the old one is no longer good.
    pub async fn key_rotate(&self, context: &Context, id: i64) -> Result<KeySecret> {
        let caller = context.caller.clone();
        let secret = secret::generate(self.random())?;
        let rotated = self
            .command(context, "key_rotate", 1, move |tx| {
                let (mut credential, _) = find_key(tx, &caller, id)?;
                if credential.revoked.is_some() {
                    return Err(Error::Conflict("The key is revoked: make a new one."));
                }
                no_more_than(tx, &caller, &credential)?;
                credential.prefix = secret::shown_prefix(&secret);
                let old_hash =
                    std::mem::replace(&mut credential.secret_hash, secret::hash(&secret));
                store::credential_update(tx, &credential, &old_hash)?;
                store::activity_insert(tx, Some(id), "")?;
                let key = view(tx, credential)?.ok_or(Error::NotFound(KEY))?;
                Ok(Verdict::Done(KeySecret {
                    key,
                    secret: secret.clone(),
                }))
            })
            .await;
        self.key_forget(context, id);
        rotated
    }

    /// Ends a key. Holds in this process at once and in every other within 5 seconds.
    pub async fn key_revoke(&self, context: &Context, id: i64, reason: &str) -> Result<KeyView> {
        let caller = context.caller.clone();
        let reason = reason_of(reason)?;
        let revoked = self
            .command(context, "key_revoke", 1, move |tx| {
                find_key(tx, &caller, id)?;
                let now = tx.meta().time;
                if store::credential_revoke(tx, id, now, Some(&reason))? {
                    store::activity_insert(tx, Some(id), "")?;
                }
                let (_, key) = find_key(tx, &caller, id)?;
                Ok(Verdict::Done(key))
            })
            .await;
        self.key_forget(context, id);
        revoked
    }

    fn key_forget(&self, context: &Context, id: i64) {
        let key = (context.caller.workspace, id);
        self.credential_cache().lock().remove(&key);
    }
}
