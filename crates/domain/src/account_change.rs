//! Accounts changed and deleted: by themselves and by administrators.
//!
//! Invariant: no verb here takes from a workspace the last administrator who can come in.

use serde_json::Value;
use store::{Account, AccountIdentity, LedgerEntry, Tx, Verdict};

use crate::{
    account::{AccountRef, AccountView, CallLimit, Role, find, view},
    account_new::{
        dropped_detail, merged, not_negative, note_money, short_name, taken, valid_username,
    },
    audience::valid_name,
    caller::{Caller, Context},
    email::Email,
    error::{Denied, Error, Result},
    group::{self, GroupRef},
    limits,
    mail::{AmountChange, Mail},
    money::Money,
    password::Password,
    permission::Permissions,
    service::Domain,
    way_in::{self, Purpose},
};

/// What may be changed of an account; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct AccountChange {
    pub email: Option<String>,
    pub username: Option<String>,
    /// `Some(None)` clears it.
    pub name: Option<Option<String>>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub password: Option<String>,
    pub active: Option<bool>,
    pub verified: Option<bool>,
    /// Of the account itself; a group may make it one all the same.
    pub administrator: Option<bool>,
    pub role: Option<Role>,
    /// Replaces the site family; with or without the administrator's it makes or unmakes one.
    pub site_permissions: Option<Permissions>,
    /// Replaces the resource family.
    pub resource_permissions: Option<Permissions>,
    /// Replaces them.
    pub groups: Option<Vec<GroupRef>>,
    /// Its keys replace those of the preferences; the others stay.
    pub preferences: Option<Value>,
    pub call_limit: Option<Option<CallLimit>>,
    pub budget: Option<Money>,
    pub credit: Option<Money>,
    /// Why budget or credit change, for the ledger.
    pub reason: Option<String>,
}

/// What becomes of fields that the caller may not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// They are left out, and the activity log says which.
    Drop,
    /// The request is refused.
    Refuse,
}

/// Fails where a command has left nobody who administers the workspace and can come in, though there was somebody before.
pub(crate) fn keep_an_administrator(tx: &mut Tx<'_, '_>, had: bool) -> Result<()> {
    if had && !store::administrator_exists(tx)? {
        return Err(Error::Forbidden(Denied::LastAdministrator));
    }
    Ok(())
}

impl Domain {
    /// Changes an account: an administrator any, others their own name, address, password and preferences. Who may set the
    /// budget of advertisers may do that too. A new password ends the account's other sessions, a new address is not
    /// verified.
    pub async fn account_update(
        &self,
        context: &Context,
        which: AccountRef,
        change: AccountChange,
        excess: Excess,
    ) -> Result<AccountView> {
        let caller = context.caller.clone();
        let target = self.account_target(&caller, which).await?;
        let (change, dropped) = change.allowed(&caller, &target, excess)?;
        let email = change.email.as_deref().map(Email::parse).transpose()?;
        let hash = match &change.password {
            None => None,
            Some(text) => {
                let known = [target.email.as_str(), target.username.as_str()];
                let password = Password::new(text.clone(), &known)?;
                Some(self.passwords().hash(password).await?)
            }
        };
        let change = Checked::new(change, email, hash)?;
        let sealer = self.store().sealer().clone();
        let id = target.id;
        self.command(context, "account_update", 1, move |tx| {
            let had = store::administrator_exists(tx)?;
            let before = find(tx, &AccountRef::Id(id))?;
            let after = change.apply(tx, before.clone(), caller.session)?;
            keep_an_administrator(tx, had)?;
            store::activity_insert(tx, Some(id), &dropped_detail(&dropped))?;
            let after = view(tx, after)?;
            change.tell(tx, &sealer, &before, &after, caller.account == Some(id))?;
            Ok(Verdict::Done(after))
        })
        .await
    }

    /// The account that a change is about. Who may change nothing of others learns nothing of them.
    async fn account_target(&self, caller: &Caller, which: AccountRef) -> Result<Account> {
        let asker = caller.clone();
        self.store()
            .read(caller.workspace, move |read| {
                let found = find(read, &which);
                let own = matches!(&found, Ok(account) if asker.account == Some(account.id));
                if !own && !asker.administers() && !sets_budgets(&asker) {
                    return Err(Error::Forbidden(Denied::Administrator));
                }
                found
            })
            .await
    }

    /// Deletes an account with its sessions, keys, memberships and consents. Its ledger stays. For administrators.
    pub async fn account_delete(
        &self,
        context: &Context,
        which: AccountRef,
    ) -> Result<AccountView> {
        context.caller.need_administrator()?;
        self.command(context, "account_delete", 1, move |tx| {
            let had = store::administrator_exists(tx)?;
            let account = find(tx, &which)?;
            let account = view(tx, account)?;
            let id = account.account.id;
            crate::consent::forget(tx, id)?;
            for group in &account.groups {
                store::group_member_delete(tx, group.id, id)?;
            }
            store::account_ways_in_delete(tx, id)?;
            store::credentials_revoke_of(tx, id, "account deleted")?;
            store::account_delete(tx, id)?;
            keep_an_administrator(tx, had)?;
            store::activity_insert(tx, Some(id), "")?;
            Ok(Verdict::Done(account))
        })
        .await
    }

    /// The ledger of an account, entries with `id < before`, newest first; for an administrator or the account itself.
    pub async fn ledger_list(
        &self,
        caller: &Caller,
        account: i64,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>> {
        if caller.account != Some(account) {
            caller.need_administrator()?;
        }
        let limit = limit.clamp(1, limits::PAGE_ITEMS_MAX) as i64;
        self.store()
            .read(caller.workspace, move |read| {
                find(read, &AccountRef::Id(account))?;
                let before = before.unwrap_or(i64::MAX);
                Ok(store::ledger_page(read, account, before, limit)?)
            })
            .await
    }
}

/// What is expected of a provider under the old address is expected under the new one.
fn expect_elsewhere(tx: &mut Tx<'_, '_>, account: &Account, email_key: &str) -> Result<()> {
    let old = way_in::expected_subject(&account.email_key);
    for identity in store::account_identities(tx, account.id)? {
        if identity.subject == old {
            store::account_identity_delete(tx, &identity.issuer, &old)?;
            let moved = AccountIdentity {
                subject: way_in::expected_subject(email_key),
                ..identity
            };
            store::account_identity_insert(tx, &moved)?;
        }
    }
    Ok(())
}

fn sets_budgets(caller: &Caller) -> bool {
    let budgets = Permissions::parse("advertiser:budget").unwrap_or_default();
    caller.account.is_some() && caller.permissions.has_all(budgets)
}

impl AccountChange {
    /// What of it the caller may do to the target, and the names of what they may not.
    fn allowed(
        self,
        caller: &Caller,
        target: &Account,
        excess: Excess,
    ) -> Result<(AccountChange, Vec<&'static str>)> {
        if caller.administers() {
            return Ok((self, Vec::new()));
        }
        let own = caller.account == Some(target.id);
        let budgets = sets_budgets(caller)
            && !target.administrator
            && target.role == Role::Advertiser.as_str();
        if !own && !budgets {
            return Err(Error::Forbidden(Denied::Administrator));
        }
        let mut kept = AccountChange::default();
        if own {
            if caller.is_whole() {
                // Who has these has the account, so a key that holds something back does not give them.
                kept.email.clone_from(&self.email);
                kept.password.clone_from(&self.password);
            }
            kept.name.clone_from(&self.name);
            kept.first_name.clone_from(&self.first_name);
            kept.last_name.clone_from(&self.last_name);
            kept.preferences.clone_from(&self.preferences);
        }
        if budgets {
            (kept.budget, kept.credit) = (self.budget, self.credit);
            kept.reason.clone_from(&self.reason);
        }
        let dropped: Vec<&'static str> = self
            .named()
            .into_iter()
            .zip(kept.named())
            .filter(|((_, asked), (_, allowed))| *asked && !*allowed)
            .map(|((name, _), _)| name)
            .collect();
        if !dropped.is_empty() && excess == Excess::Refuse {
            return Err(Error::Forbidden(Denied::Administrator));
        }
        Ok((kept, dropped))
    }

    /// Every field's name, and whether it is to be changed.
    fn named(&self) -> [(&'static str, bool); 17] {
        [
            ("email", self.email.is_some()),
            ("username", self.username.is_some()),
            ("name", self.name.is_some()),
            ("first_name", self.first_name.is_some()),
            ("last_name", self.last_name.is_some()),
            ("password", self.password.is_some()),
            ("active", self.active.is_some()),
            ("verified", self.verified.is_some()),
            ("administrator", self.administrator.is_some()),
            ("role", self.role.is_some()),
            ("site_permissions", self.site_permissions.is_some()),
            ("resource_permissions", self.resource_permissions.is_some()),
            ("groups", self.groups.is_some()),
            ("preferences", self.preferences.is_some()),
            ("call_limit", self.call_limit.is_some()),
            ("budget", self.budget.is_some()),
            ("credit", self.credit.is_some()),
        ]
    }
}

/// A change whose own values are checked.
struct Checked {
    change: AccountChange,
    email: Option<Email>,
    password_hash: Option<String>,
    reason: String,
}

impl Checked {
    fn new(
        mut change: AccountChange,
        email: Option<Email>,
        password_hash: Option<String>,
    ) -> Result<Checked> {
        change.password = None;
        change.username = change.username.as_deref().map(valid_username).transpose()?;
        if let Some(Some(name)) = &change.name {
            change.name = Some(Some(valid_name("name", name)?));
        }
        for (field, value) in [
            ("first_name", &mut change.first_name),
            ("last_name", &mut change.last_name),
        ] {
            if let Some(text) = value {
                *text = short_name(field, text)?;
            }
        }
        if let Some(money) = change.budget {
            not_negative("budget", money)?;
        }
        if let Some(money) = change.credit {
            not_negative("credit", money)?;
        }
        if change
            .groups
            .as_ref()
            .is_some_and(|groups| groups.len() > limits::ACCOUNT_GROUPS_MAX)
        {
            return Err(group::too_many_of_account());
        }
        let reason = change.reason.take().unwrap_or_default();
        if reason.chars().count() > limits::REASON_CHARS_MAX || reason.contains('\0') {
            let text = format!(
                "A reason has at most {} characters.",
                limits::REASON_CHARS_MAX
            );
            return Err(Error::invalid("reason", "too_long", text));
        }
        Ok(Checked {
            change,
            email,
            password_hash,
            reason,
        })
    }

    /// Writes the account as it is after the change.
    fn apply(&self, tx: &mut Tx<'_, '_>, row: Account, session: Option<i64>) -> Result<Account> {
        let (id, before) = (row.id, row.clone());
        let row = self.applied(tx, row)?;
        store::account_update(tx, &row)?;
        if let Some(groups) = &self.change.groups {
            group::replace(tx, id, groups)?;
        }
        for (kind, was, is) in [
            ("budget", before.budget, row.budget),
            ("credit", before.credit, row.credit),
        ] {
            if was != is {
                note_money(tx, id, kind, is - was, is, &self.reason)?;
            }
        }
        if self.password_hash.is_some() {
            store::sessions_end(tx, id, session)?;
            store::account_tokens_delete(tx, id, Purpose::Reset.as_str())?;
            store::account_tokens_delete(tx, id, Purpose::Invite.as_str())?;
        }
        if before.active && !row.active {
            store::sessions_end(tx, id, None)?;
        }
        Ok(row)
    }

    fn applied(&self, tx: &mut Tx<'_, '_>, mut row: Account) -> Result<Account> {
        let change = &self.change;
        if let Some(email) = &self.email {
            let holder = store::account_by_email(tx, email.key())?;
            if holder.is_some_and(|holder| holder.id != row.id) {
                return Err(taken("email", "Another account has this e-mail address."));
            }
            // The same address in another letter case is the same: it stays as it was shown before.
            if row.email_key != email.key() {
                expect_elsewhere(tx, &row, email.key())?;
                row.verified = false;
                row.email = email.as_str().to_owned();
                row.email_key = email.key().to_owned();
            }
        }
        if let Some(username) = &change.username {
            let key = username.to_lowercase();
            let holder = store::account_by_username(tx, &key)?;
            if holder.is_some_and(|holder| holder.id != row.id) {
                return Err(taken("username", "Another account has this user name."));
            }
            (row.username, row.username_key) = (username.clone(), key);
        }
        if let Some(name) = &change.name {
            row.name.clone_from(name);
        }
        if let Some(name) = &change.first_name {
            row.first_name.clone_from(name);
        }
        if let Some(name) = &change.last_name {
            row.last_name.clone_from(name);
        }
        if let Some(hash) = &self.password_hash {
            row.password_hash = Some(hash.clone());
        }
        row.active = change.active.unwrap_or(row.active);
        row.verified = change.verified.unwrap_or(row.verified);
        match change.role {
            // Said of somebody who is one by a group, it changes nothing.
            Some(Role::Admin) => {
                let groups = store::groups_of_account(tx, row.id)?;
                row.administrator |= !groups.iter().any(|group| group.administrator);
            }
            Some(role) => {
                row.administrator = false;
                row.role = role.as_str().into();
            }
            None => {}
        }
        row.administrator = change.administrator.unwrap_or(row.administrator);
        let mut permissions = Permissions::parse(&row.permissions).unwrap_or_default();
        if let Some(site) = change.site_permissions {
            row.administrator = site.administers();
            permissions = permissions
                .without(Permissions::SITE)
                .or(site.and(Permissions::SITE));
        }
        if let Some(resource) = change.resource_permissions {
            permissions = permissions
                .without(Permissions::RESOURCE)
                .or(resource.and(Permissions::RESOURCE));
        }
        row.permissions = permissions.without(Permissions::ADMINISTER).as_text();
        if let Some(preferences) = &change.preferences {
            row.preferences = merged(&row.preferences, preferences)?;
        }
        if let Some(limit) = change.call_limit {
            row.call_limit = limit.map(CallLimit::as_text);
        }
        row.budget = change.budget.map_or(row.budget, Money::thousandths);
        row.credit = change.credit.map_or(row.credit, Money::thousandths);
        row.updated = tx.meta().time;
        Ok(row)
    }

    /// Mails the account that its budget or credit was changed by somebody else.
    fn tell(
        &self,
        tx: &mut Tx<'_, '_>,
        sealer: &store::Sealer,
        before: &Account,
        after: &AccountView,
        own: bool,
    ) -> Result<()> {
        let account = &after.account;
        let same = before.budget == account.budget && before.credit == account.credit;
        let wants = after.preferences()["notification_methods"]["email"] != Value::Bool(false);
        if own || same || !wants || !account.active {
            return Ok(());
        }
        let change = |old: i64, new: i64| {
            (old != new).then_some(AmountChange {
                old: Money::from_thousandths(old),
                new: Money::from_thousandths(new),
            })
        };
        let mail = Mail::BudgetChanged {
            budget: change(before.budget, account.budget),
            credit: change(before.credit, account.credit),
            reason: self.reason.clone(),
        };
        crate::outbox::mail_queue(tx, sealer, &way_in::envelope(account), &mail)?;
        Ok(())
    }
}
