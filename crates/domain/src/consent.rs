//! Consents: which version of the privacy policy an account agreed to. The people who agreed to a version are a set.

use store::{Consent, Tx, Verdict};

use crate::{
    account::{AccountRef, find},
    caller::{Caller, Visit},
    email::Email,
    error::{Error, Field, Result},
    identifier::Kind,
    limits,
    membership::resolve_or_make,
    service::Domain,
};

/// What an account says about a version of the policy.
#[derive(Debug, Clone)]
pub struct ConsentNew {
    pub account: i64,
    /// The account's own address: who does not know it learns nothing here and changes nothing.
    pub email: String,
    pub version: String,
    pub agreed: bool,
    /// Where it was given.
    pub channel: Option<String>,
    /// When, as the caller writes it.
    pub consented: Option<String>,
}

fn short(field: &'static str, text: &str) -> Result<()> {
    let good = (1..=limits::POLICY_CHARS_MAX).contains(&text.chars().count())
        && !text.chars().any(char::is_control);
    if good {
        return Ok(());
    }
    let text = format!("It must be 1 to {} characters.", limits::POLICY_CHARS_MAX);
    Err(Error::invalid(field, "malformed", text))
}

/// The set of the people who agreed to a version, made where the version is new.
fn policy_set(tx: &mut Tx<'_, '_>, version: &str) -> Result<i64> {
    if let Some(set) = store::policy_set(tx, version)? {
        return Ok(set);
    }
    if store::policies_count(tx)? >= limits::POLICIES_MAX {
        return Err(Error::TooLarge(Field {
            name: "version",
            code: "too_many",
            text: format!(
                "A workspace knows at most {} versions of its policy.",
                limits::POLICIES_MAX
            ),
        }));
    }
    let set = tx.next_id();
    store::policy_insert(tx, version, set)?;
    Ok(set)
}

/// Takes an account's consents away: its people stay in a version's set only by another account.
pub(crate) fn forget(tx: &mut Tx<'_, '_>, account: i64) -> Result<()> {
    for consent in store::consents_of(tx, account, limits::POLICIES_MAX as i64)? {
        if consent.agreed {
            leave(tx, &consent)?;
        }
    }
    Ok(store::consents_delete(tx, account)?)
}

fn leave(tx: &mut Tx<'_, '_>, consent: &Consent) -> Result<()> {
    let (version, person) = (&consent.version, consent.person);
    if store::consent_by_other(tx, version, person, consent.account)? {
        return Ok(());
    }
    let set = policy_set(tx, version)?;
    if let Ok(person) = u32::try_from(person) {
        tx.set_remove(set, &sets::Set::from_unsorted(vec![person]))?;
    }
    Ok(())
}

impl Domain {
    /// Writes what an account says about a version of the policy; of one that it said something about before, whether it
    /// agrees changes. Anybody may who knows account and address, and others get *not found*.
    pub async fn consent_put(&self, visit: &Visit, new: ConsentNew) -> Result<Consent> {
        let email = Email::parse(&new.email)?;
        short("policy_version", &new.version)?;
        for (field, text) in [
            ("consent_channel", &new.channel),
            ("consent_date", &new.consented),
        ] {
            text.as_deref().map_or(Ok(()), |text| short(field, text))?;
        }
        let context = self.visit(visit).await?;
        self.throttle_visits(&context, visit, "consent_put").await?;
        let mut batch = self
            .batch(&Caller::server(context.caller.workspace), 1)
            .await?;
        batch.push(Kind::Email, "", email.key());
        let batch = batch.finish();
        self.command(&context, "consent_put", 1, move |tx| {
            let account = find(tx, &AccountRef::Id(new.account))?;
            if account.email_key != email.key() {
                return Err(Error::NotFound("account"));
            }
            let set = policy_set(tx, &new.version)?;
            let (people, _) = resolve_or_make(tx, &batch)?;
            let person = people
                .iter()
                .next()
                .ok_or_else(|| Error::internal("a consent has no person"))?;
            let now = tx.meta().time;
            let before = store::consent_get(tx, account.id, &new.version)?;
            let mut consent = before.unwrap_or_else(|| Consent {
                id: tx.next_id(),
                account: account.id,
                version: new.version.clone(),
                person: i64::from(person),
                channel: new.channel.clone(),
                agreed: new.agreed,
                consented: new.consented.clone(),
                created: now,
                updated: now,
            });
            (consent.agreed, consent.updated) = (new.agreed, now);
            store::consent_put(tx, &consent)?;
            if consent.agreed {
                let person = u32::try_from(consent.person).map_err(Error::internal)?;
                tx.set_add(set, &sets::Set::from_unsorted(vec![person]))?;
            } else {
                leave(tx, &consent)?;
            }
            store::activity_insert(tx, Some(account.id), "")?;
            Ok(Verdict::Done(consent))
        })
        .await
    }

    /// The consents of an account, newest first. For anybody, as [`Self::consent_put`].
    pub async fn consent_list(&self, visit: &Visit, account: i64) -> Result<Vec<Consent>> {
        let context = self.visit(visit).await?;
        self.throttle_visits_to(
            &context,
            visit,
            "consent_list",
            limits::OTHER_VISITS_AN_HOUR_MAX,
        )
        .await?;
        self.store()
            .read(context.caller.workspace, move |read| {
                find(read, &AccountRef::Id(account))?;
                Ok(store::consents_of(
                    read,
                    account,
                    limits::POLICIES_MAX as i64,
                )?)
            })
            .await
    }

    /// The consents of an account, newest first, for an administrator or the account itself.
    pub async fn account_consents(&self, caller: &Caller, account: i64) -> Result<Vec<Consent>> {
        if caller.account != Some(account) {
            caller.need_administrator()?;
        }
        let limit = limits::POLICIES_MAX as i64;
        self.store()
            .read(caller.workspace, move |read| {
                find(read, &AccountRef::Id(account))?;
                Ok(store::consents_of(read, account, limit)?)
            })
            .await
    }

    /// How many people agreed to a version of the policy. For administrators.
    pub async fn policy_people(&self, caller: &Caller, version: &str) -> Result<u64> {
        caller.need_administrator()?;
        let version = version.to_owned();
        self.store()
            .read(caller.workspace, move |read| {
                Ok(match store::policy_set(read, &version)? {
                    Some(set) => read.set_len(set),
                    None => 0,
                })
            })
            .await
    }
}
