//! The links of mails that let an account in: an invitation, a new password, an address shown to be theirs.
//!
//! Invariants: a token is good once, for one purpose, for the address that it was mailed to; asking for a mail is answered
//! alike, and works alike, whether there is such an account or not.

use store::{Account, AccountToken, Tx, Verdict};

use crate::{
    account::{AccountRef, AccountView, find, view},
    caller::{Caller, Context, Visit},
    email::Email,
    error::{Error, Result},
    limits,
    mail::{Envelope, Language, Mail},
    password::Password,
    secret,
    service::Domain,
    throttle,
    workspace::DEFAULT_SLUG,
};

/// What a mailed token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Invite,
    Reset,
    Verify,
}

impl Purpose {
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::Invite => "invite",
            Purpose::Reset => "reset",
            Purpose::Verify => "verify",
        }
    }
}

/// The token is not one, was used, has expired, or belongs to another purpose or to an address that has changed.
pub(crate) fn bad_token() -> Error {
    Error::invalid(
        "token",
        "bad_token",
        "The link is not valid any more: ask for a new one.",
    )
}

/// Stands for the subject of an account that is expected from a provider, until it signs in there for the first time.
/// Subjects of providers do not begin like this.
pub(crate) fn expected_subject(email_key: &str) -> String {
    format!("{}{email_key}", store::EXPECTED_SUBJECT)
}

/// Where mail to an account goes, in which language.
pub(crate) fn envelope(account: &Account) -> Envelope {
    let preferences: serde_json::Value =
        serde_json::from_str(&account.preferences).unwrap_or_default();
    let tag = preferences["etc"]["language"].as_str().unwrap_or("en");
    Envelope {
        to: account.email.clone(),
        language: Language::of_tag(tag),
    }
}

/// Takes away what somebody else may have set up before the address was shown to belong to who comes now: they could have
/// registered with it to wait for its owner. What an administrator expects of a provider stays.
pub(crate) fn address_proven(tx: &mut Tx<'_, '_>, account: &mut Account) -> Result<()> {
    if account.verified {
        return Ok(());
    }
    account.verified = true;
    for identity in store::account_identities(tx, account.id)? {
        if !identity.subject.starts_with(store::EXPECTED_SUBJECT) {
            store::account_identity_delete(tx, &identity.issuer, &identity.subject)?;
        }
    }
    store::sessions_end(tx, account.id, None)?;
    store::credentials_revoke_of(tx, account.id, "address verified")?;
    for purpose in [Purpose::Reset, Purpose::Invite] {
        store::account_tokens_delete(tx, account.id, purpose.as_str())?;
    }
    Ok(())
}

/// The account whose token this is. A token that sets a password is used up; one that verifies an address may come again
/// and finds it verified.
fn redeem(tx: &mut Tx<'_, '_>, token: &str, purposes: &[Purpose]) -> Result<Account> {
    if !secret::well_formed(token) {
        return Err(bad_token());
    }
    let found = store::account_token_get(tx, &secret::hash(token))?.ok_or_else(bad_token)?;
    let purpose = purposes
        .iter()
        .find(|purpose| purpose.as_str() == found.purpose)
        .ok_or_else(bad_token)?;
    let account = store::account_get(tx, found.account)?.ok_or_else(bad_token)?;
    let live = found.expires > tx.meta().time && found.bound_to == account.email_key;
    if !live || !account.active {
        return Err(bad_token());
    }
    if *purpose != Purpose::Verify {
        store::account_tokens_delete(tx, account.id, purpose.as_str())?;
    }
    Ok(account)
}

impl Domain {
    /// The context of a visit: nobody, in the workspace of its mount.
    pub(crate) async fn visit(&self, visit: &Visit) -> Result<Context> {
        let workspace = self.mounted(visit.mount).await?;
        Ok(Context::new(
            Caller::nobody(workspace),
            visit.request_id.clone(),
        ))
    }

    /// The page of a token's purpose, as it stands in a mail.
    pub(crate) async fn link(
        &self,
        workspace: i64,
        purpose: Purpose,
        token: &str,
    ) -> Result<String> {
        let slug = self.slug(workspace).await?;
        let mount = if slug == DEFAULT_SLUG {
            String::new()
        } else {
            format!("/w/{slug}")
        };
        let (base, purpose) = (self.public_url(), purpose.as_str());
        Ok(format!("{base}{mount}/account/{purpose}?token={token}"))
    }

    /// Mails a link for a new password to the account of this address. Says nothing of whether there is one.
    pub async fn password_forgot(&self, visit: &Visit, email: &str) -> Result<()> {
        self.mail_token(visit, email, Purpose::Reset).await
    }

    /// Mails a link that shows the address to be theirs. Says nothing of whether there is such an account, nor whether it
    /// is verified already.
    pub async fn verification_request(&self, visit: &Visit, email: &str) -> Result<()> {
        self.mail_token(visit, email, Purpose::Verify).await
    }

    async fn mail_token(&self, visit: &Visit, email: &str, purpose: Purpose) -> Result<()> {
        let email = Email::parse(email)?;
        let context = self.visit(visit).await?;
        let workspace = context.caller.workspace;
        let verb = match purpose {
            Purpose::Verify => "verification_request",
            Purpose::Invite | Purpose::Reset => "password_forgot",
        };
        self.throttle_visits(&context, visit, verb).await?;
        let throttled = self
            .throttle_key(workspace, purpose.as_str(), email.key())
            .await?;
        let token = secret::generate(self.random())?;
        let link = self.link(workspace, purpose, &token).await?;
        let sealer = self.store().sealer().clone();
        self.command(&context, verb, 1, move |tx| {
            let may = throttle::count(tx, throttled, limits::MAILS_AN_HOUR_MAX)?;
            let account = store::account_by_email(tx, email.key())?.filter(|account| {
                account.active && !(purpose == Purpose::Verify && account.verified)
            });
            if let Some(account) = account.filter(|_| may) {
                mail_token(tx, &sealer, &account, purpose, &token, &link)?;
            }
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// An administrator has a link for a new password mailed to an account; to one that has not accepted its invitation a
    /// new invitation.
    pub async fn password_reset_mail(&self, context: &Context, account: i64) -> Result<()> {
        context.caller.need_administrator()?;
        let workspace = context.caller.workspace;
        let token = secret::generate(self.random())?;
        let reset = self.link(workspace, Purpose::Reset, &token).await?;
        let invite = self.link(workspace, Purpose::Invite, &token).await?;
        let sealer = self.store().sealer().clone();
        self.command(context, "password_reset_mail", 1, move |tx| {
            let account = find(tx, &AccountRef::Id(account))?;
            let (purpose, link) = if account.password_hash.is_some() {
                (Purpose::Reset, &reset)
            } else {
                (Purpose::Invite, &invite)
            };
            store::account_tokens_delete(tx, account.id, purpose.as_str())?;
            mail_token(tx, &sealer, &account, purpose, &token, link)?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Sets the password of the account whose link this token is of, by a reset or an invitation, and ends its sessions.
    /// The address is theirs: they have read what was mailed to it.
    pub async fn password_reset(
        &self,
        visit: &Visit,
        token: &str,
        password: String,
    ) -> Result<AccountView> {
        let purposes = &[Purpose::Reset, Purpose::Invite];
        self.password_by_token(visit, "password_reset", purposes, token, password)
            .await
    }

    async fn password_by_token(
        &self,
        visit: &Visit,
        verb: &'static str,
        purposes: &'static [Purpose],
        token: &str,
        password: String,
    ) -> Result<AccountView> {
        let context = self.visit(visit).await?;
        // Before the password is looked at, so that a bad link is what is told first, and nobody makes the server hash.
        let known = self.token_account(&context, token, purposes).await?;
        let password = Password::new(password, &[&known.email, &known.username])?;
        let hash = self.passwords().hash(password).await?;
        let token = token.to_owned();
        self.command(&context, verb, 1, move |tx| {
            let mut account = redeem(tx, &token, purposes)?;
            account.password_hash = Some(hash.clone());
            address_proven(tx, &mut account)?;
            account.updated = tx.meta().time;
            store::account_update(tx, &account)?;
            store::sessions_end(tx, account.id, None)?;
            for purpose in purposes {
                store::account_tokens_delete(tx, account.id, purpose.as_str())?;
            }
            store::activity_insert(tx, Some(account.id), "")?;
            Ok(Verdict::Done(view(tx, account)?))
        })
        .await
    }

    /// Whether a link is good now. It stays so: looking uses nothing up.
    pub async fn token_check(&self, visit: &Visit, purpose: Purpose, token: &str) -> Result<()> {
        let context = self.visit(visit).await?;
        let purposes: &'static [Purpose] = match purpose {
            Purpose::Invite | Purpose::Reset => &[Purpose::Reset, Purpose::Invite],
            Purpose::Verify => &[Purpose::Verify],
        };
        self.token_account(&context, token, purposes)
            .await
            .map(drop)
    }

    async fn token_account(
        &self,
        context: &Context,
        token: &str,
        purposes: &'static [Purpose],
    ) -> Result<Account> {
        if !secret::well_formed(token) {
            return Err(bad_token());
        }
        let (hash, now) = (secret::hash(token), self.now_ms());
        self.store()
            .read(context.caller.workspace, move |read| {
                let found = store::account_token_get(read, &hash)?.ok_or_else(bad_token)?;
                let fits = purposes.iter().any(|one| one.as_str() == found.purpose);
                let account = store::account_get(read, found.account)?.ok_or_else(bad_token)?;
                let live = found.expires > now && found.bound_to == account.email_key;
                if fits && live && account.active {
                    return Ok(account);
                }
                Err(bad_token())
            })
            .await
    }

    /// Marks the address of the account whose link this token is of as verified. One that is verified is a *conflict*.
    pub async fn verification_confirm(&self, visit: &Visit, token: &str) -> Result<AccountView> {
        let context = self.visit(visit).await?;
        let token = token.to_owned();
        self.command(&context, "verification_confirm", 1, move |tx| {
            let mut account = redeem(tx, &token, &[Purpose::Verify])?;
            if account.verified {
                return Ok(Verdict::Refused(Error::Conflict(
                    "The address is verified already.",
                )));
            }
            account.verified = true;
            account.updated = tx.meta().time;
            store::account_update(tx, &account)?;
            store::activity_insert(tx, Some(account.id), "")?;
            Ok(Verdict::Done(view(tx, account)?))
        })
        .await
    }
}

/// Mails a token. Earlier ones of the same purpose stay good until one is used: mails overtake each other.
fn mail_token(
    tx: &mut Tx<'_, '_>,
    sealer: &store::Sealer,
    account: &Account,
    purpose: Purpose,
    token: &str,
    link: &str,
) -> Result<()> {
    let now = tx.meta().time;
    let life_ms = match purpose {
        Purpose::Invite => limits::INVITE_LIFE_MS,
        Purpose::Reset | Purpose::Verify => limits::MAIL_TOKEN_LIFE_MS,
    };
    let row = AccountToken {
        account: account.id,
        purpose: purpose.as_str().into(),
        bound_to: account.email_key.clone(),
        created: now,
        expires: now + life_ms,
    };
    store::account_token_insert(tx, &secret::hash(token), &row)?;
    let link = link.to_owned();
    let mail = match purpose {
        Purpose::Invite => Mail::Invite {
            link,
            inviter: None,
        },
        Purpose::Reset => Mail::Reset { link },
        Purpose::Verify => Mail::Verify { link },
    };
    crate::outbox::mail_queue(tx, sealer, &envelope(account), &mail)?;
    store::activity_insert(tx, Some(account.id), "")?;
    Ok(())
}
