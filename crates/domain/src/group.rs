//! Groups of accounts: who is in one has its permissions.

use serde::{Deserialize, Serialize};
use store::{Group, Sql, Tx, Verdict};

use crate::{
    account::{ACCOUNT, AccountPage, AccountQuery, AccountRef, AccountView, CallLimit, find, view},
    account_change::keep_an_administrator,
    account_new::Refusal,
    audience::valid_name,
    caller::{Caller, Context},
    error::{Error, Field, Result},
    limits,
    permission::Permissions,
    service::Domain,
};

/// Which group a request names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupRef {
    Id(i64),
    Uid(String),
    /// Good where one group alone has it.
    Title(String),
}

/// A group to be made.
#[derive(Debug, Clone, Default)]
pub struct GroupNew {
    pub title: String,
    pub description: String,
    pub permissions: Permissions,
    pub call_limit: Option<CallLimit>,
}

/// What may be changed of a group; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct GroupChange {
    pub title: Option<String>,
    pub description: Option<String>,
    pub permissions: Option<Permissions>,
    pub call_limit: Option<Option<CallLimit>>,
}

pub(crate) const GROUP: &str = "group";

pub(crate) fn too_many_of_account() -> Error {
    let text = format!(
        "An account is in at most {} groups.",
        limits::ACCOUNT_GROUPS_MAX
    );
    Error::invalid("groups", "too_many", text)
}

fn group_find(sql: &mut dyn Sql, which: &GroupRef) -> Result<Group> {
    let found = match which {
        GroupRef::Id(id) => store::group_get(sql, *id)?,
        // PostgreSQL refuses the character as a value; no uid holds it.
        GroupRef::Uid(uid) if uid.contains('\0') => None,
        GroupRef::Uid(uid) => store::group_by_uid(sql, uid)?,
        GroupRef::Title(title) => of_title(&store::groups_all(sql)?, title)?,
    };
    found.ok_or(Error::NotFound(GROUP))
}

fn of_title(all: &[Group], title: &str) -> Result<Option<Group>> {
    let mut titled = all.iter().filter(|group| group.title == title);
    let first = titled.next().cloned();
    if titled.next().is_some() {
        let text = "More than one group has this title: name it by its uid.";
        return Err(Error::invalid("groups", "ambiguous", text));
    }
    Ok(first)
}

/// The groups that an account's change names; one that there is not is the change's fault.
pub(crate) fn resolve(sql: &mut dyn Sql, groups: &[GroupRef]) -> Result<Vec<Group>> {
    let unknown = || Error::invalid("groups", "unknown", "There is no such group.");
    let titles = groups.iter().any(|one| matches!(one, GroupRef::Title(_)));
    // Read once: an account may name a hundred, and a request a thousand accounts.
    let all = if titles {
        store::groups_all(sql)?
    } else {
        Vec::new()
    };
    let find = |which: &GroupRef| match which {
        GroupRef::Title(title) => of_title(&all, title)?.ok_or_else(unknown),
        _ => group_find(sql, which).map_err(|error| match error {
            Error::NotFound(_) => unknown(),
            error => error,
        }),
    };
    groups.iter().map(find).collect()
}

/// Puts an account into these groups and out of all others.
pub(crate) fn replace(tx: &mut Tx<'_, '_>, account: i64, groups: &[GroupRef]) -> Result<()> {
    let wanted: Vec<i64> = resolve(tx, groups)?.iter().map(|group| group.id).collect();
    for group in store::group_ids_of_account(tx, account)? {
        if !wanted.contains(&group) {
            store::group_member_delete(tx, group, account)?;
        }
    }
    for group in wanted {
        store::group_member_insert(tx, group, account)?;
    }
    Ok(())
}

fn valid_text(description: &str) -> Result<String> {
    if description.chars().count() > limits::DESCRIPTION_CHARS_MAX || description.contains('\0') {
        let text = format!(
            "The description must not be longer than {} characters.",
            limits::DESCRIPTION_CHARS_MAX
        );
        return Err(Error::invalid("description", "too_long", text));
    }
    Ok(description.to_owned())
}

/// A word made of a title: lower-case letters and digits with `_` between, and a number where another group has it.
fn free_uid(sql: &mut dyn Sql, title: &str, id: i64) -> Result<String> {
    let mut uid = String::new();
    for c in title.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            uid.push(c);
        } else if !uid.is_empty() && !uid.ends_with('_') {
            uid.push('_');
        }
    }
    let uid: String = uid.trim_end_matches('_').chars().take(64).collect();
    if uid.is_empty() {
        return Ok(format!("group_{id}"));
    }
    Ok(match store::group_by_uid(sql, &uid)? {
        None => uid,
        Some(_) => format!("{uid}_{id}"),
    })
}

impl Domain {
    /// Makes a group. For administrators, as every verb here.
    pub async fn group_create(&self, context: &Context, new: GroupNew) -> Result<Group> {
        context.caller.need_administrator()?;
        let (title, description) = (
            valid_name("title", &new.title)?,
            valid_text(&new.description)?,
        );
        let actor = context.caller.account.unwrap_or_default();
        self.command(context, "group_create", 1, move |tx| {
            if store::groups_all(tx)?.len() >= limits::GROUPS_MAX {
                return Err(Error::TooLarge(Field {
                    name: GROUP,
                    code: "too_many",
                    text: format!("A workspace holds at most {} groups.", limits::GROUPS_MAX),
                }));
            }
            let (id, now) = (tx.next_id(), tx.meta().time);
            let group = Group {
                id,
                uid: free_uid(tx, &title, id)?,
                title: title.clone(),
                description: description.clone(),
                permissions: new.permissions.without(Permissions::ADMINISTER).as_text(),
                administrator: new.permissions.administers(),
                call_limit: new.call_limit.map(CallLimit::as_text),
                members: 0,
                created: now,
                updated: now,
                created_by: actor,
                updated_by: actor,
            };
            store::group_insert(tx, &group)?;
            store::activity_insert(tx, Some(id), "")?;
            Ok(Verdict::Done(group))
        })
        .await
    }

    /// Every group, in order of id: they are at most 1,000.
    pub async fn group_list(&self, caller: &Caller) -> Result<Vec<Group>> {
        caller.need_administrator()?;
        self.store()
            .read(caller.workspace, |read| Ok(store::groups_all(read)?))
            .await
    }

    pub async fn group_get(&self, caller: &Caller, which: GroupRef) -> Result<Group> {
        caller.need_administrator()?;
        self.store()
            .read(caller.workspace, move |read| group_find(read, &which))
            .await
    }

    pub async fn group_update(
        &self,
        context: &Context,
        which: GroupRef,
        change: GroupChange,
    ) -> Result<Group> {
        context.caller.need_administrator()?;
        let title = change
            .title
            .as_deref()
            .map(|title| valid_name("title", title))
            .transpose()?;
        let description = change.description.as_deref().map(valid_text).transpose()?;
        let actor = context.caller.account.unwrap_or_default();
        self.command(context, "group_update", 1, move |tx| {
            let had = store::administrator_exists(tx)?;
            let mut group = group_find(tx, &which)?;
            if let Some(title) = &title {
                group.title.clone_from(title);
            }
            if let Some(description) = &description {
                group.description.clone_from(description);
            }
            if let Some(permissions) = change.permissions {
                group.permissions = permissions.without(Permissions::ADMINISTER).as_text();
                group.administrator = permissions.administers();
            }
            if let Some(limit) = change.call_limit {
                group.call_limit = limit.map(CallLimit::as_text);
            }
            group.updated = tx.meta().time;
            group.updated_by = actor;
            store::group_update(tx, &group)?;
            keep_an_administrator(tx, had)?;
            store::activity_insert(tx, Some(group.id), "")?;
            Ok(Verdict::Done(group))
        })
        .await
    }

    /// Deletes a group; its members stay as accounts.
    pub async fn group_delete(&self, context: &Context, which: GroupRef) -> Result<()> {
        context.caller.need_administrator()?;
        self.command(context, "group_delete", 1, move |tx| {
            let had = store::administrator_exists(tx)?;
            let group = group_find(tx, &which)?;
            store::group_delete(tx, group.id)?;
            keep_an_administrator(tx, had)?;
            store::activity_insert(tx, Some(group.id), "")?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// Puts accounts into a group, at most 1,000 in one command; one that there is not does not keep the others out.
    pub async fn group_member_add(
        &self,
        context: &Context,
        which: GroupRef,
        accounts: Vec<AccountRef>,
    ) -> Result<Vec<std::result::Result<AccountView, Refusal>>> {
        context.caller.need_administrator()?;
        if accounts.len() > limits::ACCOUNTS_BULK_MAX {
            return Err(Error::TooLarge(Field {
                name: "accounts",
                code: "too_many",
                text: format!(
                    "At most {} accounts can be named in one request.",
                    limits::ACCOUNTS_BULK_MAX
                ),
            }));
        }
        let weight = accounts.len().max(1);
        self.command(context, "group_member_add", weight, move |tx| {
            let group = group_find(tx, &which)?;
            let mut done = Vec::with_capacity(accounts.len());
            for account in &accounts {
                let added = match find(tx, account) {
                    Ok(account) => member_added(tx, &group, account),
                    Err(error) => Err(error),
                };
                done.push(match added {
                    Ok(account) => Ok(account),
                    Err(Error::NotFound(_)) => Err(Refusal::not_found()),
                    Err(error) => Err(Refusal::of(error)?),
                });
            }
            store::activity_insert(tx, Some(group.id), &format!("accounts={}", done.len()))?;
            Ok(Verdict::Done(done))
        })
        .await
    }

    /// Takes an account out of a group. One that is not in it is *not found*.
    pub async fn group_member_remove(
        &self,
        context: &Context,
        which: GroupRef,
        account: AccountRef,
    ) -> Result<()> {
        context.caller.need_administrator()?;
        self.command(context, "group_member_remove", 1, move |tx| {
            let had = store::administrator_exists(tx)?;
            let group = group_find(tx, &which)?;
            let account = find(tx, &account)?;
            if !store::group_member_delete(tx, group.id, account.id)? {
                return Err(Error::NotFound(ACCOUNT));
            }
            keep_an_administrator(tx, had)?;
            store::activity_insert(tx, Some(group.id), "accounts=-1")?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// The accounts in a group, as a list of accounts.
    pub async fn group_members(
        &self,
        caller: &Caller,
        which: GroupRef,
        mut query: AccountQuery,
    ) -> Result<AccountPage> {
        let group = self.group_get(caller, which).await?;
        query.filter.group = Some(group.id);
        self.account_list(caller, query).await
    }
}

fn member_added(
    tx: &mut Tx<'_, '_>,
    group: &Group,
    account: store::Account,
) -> Result<AccountView> {
    let groups = store::group_ids_of_account(tx, account.id)?;
    if groups.len() >= limits::ACCOUNT_GROUPS_MAX && !groups.contains(&group.id) {
        return Err(too_many_of_account());
    }
    store::group_member_insert(tx, group.id, account.id)?;
    view(tx, account)
}
