//! Accounts: who operates the server. What they are and how they are looked up; who may change them is in
//! `account_change`, how they come in is in `session`.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};
use store::{Account, AccountIdentity, Group, Read, Sql};

use crate::{
    caller::Caller,
    directory::{Filter, Sort},
    error::{Denied, Error, Result},
    limits,
    money::Money,
    permission::Permissions,
    service::Domain,
};

/// What an account is. Every account but an administrator is of one of the other two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Administers the workspace: by itself or by one of its groups.
    Admin,
    Retailer,
    Advertiser,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Admin, Role::Retailer, Role::Advertiser];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Admin => "admin",
            Role::Retailer => "retailer",
            Role::Advertiser => "advertiser",
        }
    }

    pub fn parse(text: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// The unit of a [`CallLimit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
}

impl Per {
    const ALL: [Per; 6] = [
        Per::Year,
        Per::Month,
        Per::Day,
        Per::Hour,
        Per::Minute,
        Per::Second,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Per::Year => "year",
            Per::Month => "month",
            Per::Day => "day",
            Per::Hour => "hour",
            Per::Minute => "minute",
            Per::Second => "second",
        }
    }

    pub fn parse(text: &str) -> Option<Per> {
        Per::ALL.into_iter().find(|per| per.as_str() == text)
    }
}

/// So many calls of an account in a time. It is kept for the protocols that carry it; quotas of requests are the
/// configuration's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimit {
    pub calls: u64,
    pub per: Per,
}

impl CallLimit {
    pub(crate) fn as_text(self) -> String {
        format!("{}/{}", self.calls, self.per.as_str())
    }

    pub fn parse(text: &str) -> Option<CallLimit> {
        let (calls, per) = text.split_once('/')?;
        Some(CallLimit {
            calls: calls.parse().ok()?,
            per: Per::parse(per)?,
        })
    }
}

/// Which account a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountRef {
    Id(i64),
    /// In any letter case.
    Username(String),
}

/// An account with what it has from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    pub account: Account,
    /// In order of id.
    pub groups: Vec<Group>,
    /// The names of the identity providers that it comes from.
    pub providers: Vec<String>,
    /// False of one that was invited and has not answered yet, or comes from a provider only.
    pub has_password: bool,
}

impl AccountView {
    /// Administers the workspace, by itself or by a group.
    pub fn administers(&self) -> bool {
        self.account.administrator || self.groups.iter().any(|group| group.administrator)
    }

    pub fn role(&self) -> Role {
        if self.administers() {
            return Role::Admin;
        }
        Role::parse(&self.account.role).unwrap_or(Role::Advertiser)
    }

    /// Held directly; an administrator by itself has the administrator's.
    pub fn permissions(&self) -> Permissions {
        let permissions = Permissions::parse(&self.account.permissions).unwrap_or_default();
        if self.account.administrator {
            return permissions.or(Permissions::ADMINISTER);
        }
        permissions
    }

    /// Held directly or by a group.
    pub fn all_permissions(&self) -> Permissions {
        self.groups.iter().fold(self.permissions(), |all, group| {
            all.or(group_permissions(group))
        })
    }

    /// What it may do: an administrator everything.
    pub(crate) fn rights(&self) -> Permissions {
        if self.administers() {
            Permissions::ALL
        } else {
            self.all_permissions()
        }
    }

    pub fn budget(&self) -> Money {
        Money::from_thousandths(self.account.budget)
    }

    pub fn credit(&self) -> Money {
        Money::from_thousandths(self.account.credit)
    }

    pub fn call_limit(&self) -> Option<CallLimit> {
        self.account
            .call_limit
            .as_deref()
            .and_then(CallLimit::parse)
    }

    /// The preferences as they were set: a JSON object, `{}` where none were.
    pub fn preferences(&self) -> serde_json::Value {
        serde_json::from_str(&self.account.preferences)
            .unwrap_or_else(|_| serde_json::Value::Object(serde_json::Map::new()))
    }
}

/// What a group gives its members.
pub fn group_permissions(group: &Group) -> Permissions {
    let permissions = Permissions::parse(&group.permissions).unwrap_or_default();
    if group.administrator {
        return permissions.or(Permissions::ADMINISTER);
    }
    permissions
}

/// A list of accounts to be answered.
#[derive(Debug, Clone, Default)]
pub struct AccountQuery {
    /// Words that must all stand in user name, names or e-mail, in any letter case; empty means any account.
    pub search: String,
    pub filter: Filter,
    /// By user name where empty.
    pub sort: Vec<Sort>,
    pub offset: usize,
    /// At most [`limits::PAGE_ITEMS_MAX`]; 0 answers the total alone.
    pub limit: usize,
}

/// A part of a list, and how long the whole list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPage {
    pub total: u64,
    pub accounts: Vec<AccountView>,
}

pub(crate) const ACCOUNT: &str = "account";

pub(crate) fn find(sql: &mut dyn Sql, which: &AccountRef) -> Result<Account> {
    let found = match which {
        AccountRef::Id(id) => store::account_get(sql, *id)?,
        // PostgreSQL refuses the character as a value; nobody's name holds it.
        AccountRef::Username(username) if username.contains('\0') => None,
        AccountRef::Username(username) => {
            store::account_by_username(sql, &username.to_lowercase())?
        }
    };
    found.ok_or(Error::NotFound(ACCOUNT))
}

/// The account with its groups and providers.
pub(crate) fn view(sql: &mut dyn Sql, account: Account) -> Result<AccountView> {
    let groups = store::groups_of_account(sql, account.id)?;
    let identities = store::account_identities(sql, account.id)?;
    Ok(assemble(account, groups, &identities))
}

pub(crate) fn assemble(
    account: Account,
    groups: Vec<Group>,
    identities: &[AccountIdentity],
) -> AccountView {
    let mut providers: Vec<String> = identities.iter().map(|one| one.provider.clone()).collect();
    providers.sort_unstable();
    providers.dedup();
    AccountView {
        has_password: account.password_hash.is_some(),
        account,
        groups,
        providers,
    }
}

/// The words of a search, in lower case.
fn words(search: &str) -> Result<Vec<String>> {
    let words: Vec<String> = search.split_whitespace().map(str::to_lowercase).collect();
    if search.chars().count() > limits::SEARCH_CHARS_MAX || words.len() > limits::SEARCH_WORDS_MAX {
        let text = format!(
            "A search has at most {} characters and {} words.",
            limits::SEARCH_CHARS_MAX,
            limits::SEARCH_WORDS_MAX
        );
        return Err(Error::invalid("search", "too_long", text));
    }
    Ok(words)
}

impl Domain {
    /// An account, for an administrator or the account itself.
    pub async fn account_get(&self, caller: &Caller, which: AccountRef) -> Result<AccountView> {
        let asker = caller.clone();
        self.store()
            .read(caller.workspace, move |read| {
                let found = find(read, &which);
                let own = matches!(&found, Ok(account) if asker.account == Some(account.id));
                if !own {
                    asker.need_administrator()?;
                }
                view(read, found?)
            })
            .await
    }

    /// An account, or nothing where there is none such. For administrators.
    pub async fn account_find(
        &self,
        caller: &Caller,
        which: AccountRef,
    ) -> Result<Option<AccountView>> {
        caller.need_administrator()?;
        self.store()
            .read(caller.workspace, move |read| match find(read, &which) {
                Ok(found) => view(read, found).map(Some),
                Err(Error::NotFound(_)) => Ok(None),
                Err(error) => Err(error),
            })
            .await
    }

    /// The account that calls. A credential without one is *forbidden*.
    pub fn account_me(&self, caller: &Caller) -> Result<Arc<AccountView>> {
        caller
            .operator
            .clone()
            .ok_or(Error::Forbidden(Denied::Permission))
    }

    /// The user names of these accounts; one that is no longer there is absent. For administrators.
    pub async fn account_usernames(
        &self,
        caller: &Caller,
        mut accounts: Vec<i64>,
    ) -> Result<HashMap<i64, String>> {
        caller.need_administrator()?;
        accounts.sort_unstable();
        accounts.dedup();
        self.store()
            .read(caller.workspace, move |read| {
                let mut names = HashMap::with_capacity(accounts.len());
                for &id in &accounts {
                    if let Some(account) = store::account_get(read, id)? {
                        names.insert(id, account.username);
                    }
                }
                Ok(names)
            })
            .await
    }

    /// Accounts that match, with their exact number. For administrators.
    pub async fn account_list(
        &self,
        caller: &Caller,
        mut query: AccountQuery,
    ) -> Result<AccountPage> {
        caller.need_administrator()?;
        query.filter.words = words(&query.search)?;
        // One list at a time brings the directory up to date and looks into it, and waits for that before it takes a
        // connection. Whoever holds it has the newest snapshot, so the rows that it names are all there.
        let mut directory = self.directory(caller.workspace).lock_owned().await;
        self.store()
            .read(caller.workspace, move |read| {
                let limit = query.limit.min(limits::PAGE_ITEMS_MAX);
                let seq = read.seq();
                directory.refresh(read, seq)?;
                let page = directory.page(&query.filter, &query.sort, query.offset, limit);
                drop(directory);
                page_of(read, page.total, &page.ids)
            })
            .await
    }

    /// Accounts with `id > after` in order of id, at most 1,000: for exports, page by page. For administrators.
    pub async fn account_export(&self, caller: &Caller, after: i64) -> Result<Vec<AccountView>> {
        caller.need_administrator()?;
        self.store()
            .read(caller.workspace, move |read| {
                let accounts = store::account_page(read, after, limits::PAGE_ITEMS_MAX as i64)?;
                views(read, accounts)
            })
            .await
    }

    /// [`Self::account_export`] of one role, for an administrator, or for an account that may list advertisers. Empty only
    /// where no more follow.
    pub async fn account_export_of(
        &self,
        caller: &Caller,
        role: Role,
        after: i64,
    ) -> Result<Vec<AccountView>> {
        let listing = Permissions::parse("advertiser:list_advertisers").unwrap_or_default();
        let may = role == Role::Advertiser && caller.permissions.has_all(listing);
        if !may {
            caller.need_administrator()?;
        }
        self.store()
            .read(caller.workspace, move |read| {
                let mut after = after;
                loop {
                    let page = store::account_page(read, after, limits::PAGE_ITEMS_MAX as i64)?;
                    let Some(last) = page.last() else {
                        return Ok(Vec::new());
                    };
                    after = last.id;
                    let mut found = views(read, page)?;
                    found.retain(|account| account.role() == role);
                    if !found.is_empty() {
                        return Ok(found);
                    }
                }
            })
            .await
    }
}

/// The accounts of these ids in their order.
fn page_of(read: &mut Read<'_>, total: usize, ids: &[i64]) -> Result<AccountPage> {
    let groups = store::groups_all(read)?;
    let mut memberships: HashMap<i64, Vec<i64>> = HashMap::new();
    for (account, group) in store::group_memberships_of(read, ids)? {
        memberships.entry(account).or_default().push(group);
    }
    let mut identities: HashMap<i64, Vec<AccountIdentity>> = HashMap::new();
    for identity in store::account_identities_of(read, ids)? {
        identities
            .entry(identity.account)
            .or_default()
            .push(identity);
    }
    let found = store::accounts_get(read, ids)?;
    let mut found: HashMap<i64, Account> = found.into_iter().map(|one| (one.id, one)).collect();
    let accounts = ids.iter().filter_map(|id| found.remove(id)).map(|account| {
        let own = memberships.remove(&account.id).unwrap_or_default();
        let from = identities.remove(&account.id).unwrap_or_default();
        assemble(account, of_ids(&groups, &own), &from)
    });
    Ok(AccountPage {
        total: total as u64,
        accounts: accounts.collect(),
    })
}

fn of_ids(groups: &[Group], ids: &[i64]) -> Vec<Group> {
    let chosen = groups.iter().filter(|group| ids.contains(&group.id));
    chosen.cloned().collect()
}

/// Accounts in order of id, with what they have from elsewhere.
fn views(read: &mut Read<'_>, accounts: Vec<Account>) -> Result<Vec<AccountView>> {
    let (Some(first), Some(last)) = (accounts.first(), accounts.last()) else {
        return Ok(Vec::new());
    };
    let (first, last) = (first.id, last.id);
    let groups = store::groups_all(read)?;
    let mut memberships = store::group_memberships_between(read, first, last)?
        .into_iter()
        .peekable();
    let mut identities = store::account_identities_between(read, first, last)?
        .into_iter()
        .peekable();
    let mut all = Vec::with_capacity(accounts.len());
    for account in accounts {
        let mut own = Vec::new();
        while let Some((_, group)) = memberships.next_if(|(of, _)| *of <= account.id) {
            own.push(group);
        }
        let mut comes_from = Vec::new();
        while let Some(identity) = identities.next_if(|one| one.account <= account.id) {
            comes_from.push(identity);
        }
        all.push(assemble(account, of_ids(&groups, &own), &comes_from));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_calls_are_written_and_read_back() {
        let limit = CallLimit {
            calls: 1_000,
            per: Per::Day,
        };
        assert_eq!(limit.as_text(), "1000/day");
        assert_eq!(CallLimit::parse("1000/day"), Some(limit));
        for wrong in ["", "1000", "1000/week", "-1/day", "x/day"] {
            assert_eq!(CallLimit::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_search_has_a_limit() {
        assert_eq!(words(" Ann  LEE ").expect("is one"), ["ann", "lee"]);
        assert!(words(&"a ".repeat(11)).is_err());
        assert!(words(&"a".repeat(201)).is_err());
    }
}
