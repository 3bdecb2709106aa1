//! User groups. The domain answers all of them, which are at most 1,000; the vendor's order, search and filter are here.

use domain::{
    Caller, Domain, Error, Group, GroupChange, GroupNew, GroupRef, group_permissions, limits,
};

use super::{
    call::{Answer, Call, created, no_content, ok},
    json::{Unreadable, invalid},
    map::{self, Names},
    query::{Query, signed, unknown_sort},
    wire::UserGroup,
};

pub async fn list(call: Call) -> Answer {
    let window = call.query.window()?;
    let choice = Choice::of(&call.query)?;
    let mut groups = call.domain.group_list(call.caller()).await?;
    groups.retain(|group| choice.has(group));
    let names = names(&call.domain, call.caller(), &groups).await?;
    choice.sort(&mut groups, &names);
    let total = groups.len() as u64;
    let shown = groups.iter().skip(window.offset).take(window.limit);
    let shown = shown.map(|group| map::group(group, &names)).collect();
    call.page(window, total, shown)
}

pub async fn create(mut call: Call) -> Answer {
    let fields = call.fields(Unreadable::Validation).await?;
    let new = GroupNew {
        title: fields.required("title")?,
        description: fields.text("description")?.unwrap_or_default(),
        permissions: fields.permissions()?.unwrap_or_default(),
        call_limit: fields.call_limit()?.flatten(),
    };
    let group = call.domain.group_create(&call.context, new).await?;
    Ok(created(&whole(&call.domain, call.caller(), &group).await?))
}

pub async fn get(call: Call) -> Answer {
    let group = call.domain.group_get(call.caller(), uid(&call)).await?;
    Ok(ok(&whole(&call.domain, call.caller(), &group).await?))
}

/// What is absent stays, what is given replaces.
pub async fn update(mut call: Call) -> Answer {
    let fields = call.fields(Unreadable::BadRequest).await?;
    let mut change = GroupChange {
        title: fields.text("title")?,
        description: fields.text("description")?,
        permissions: fields.permissions()?,
        call_limit: fields.call_limit()?,
    };
    if let Some(site) = change.permissions {
        let group = call.domain.group_get(call.caller(), uid(&call)).await?;
        change.permissions = Some(map::with_site(group_permissions(&group), site));
    }
    let group = call
        .domain
        .group_update(&call.context, uid(&call), change)
        .await?;
    Ok(ok(&whole(&call.domain, call.caller(), &group).await?))
}

pub async fn delete(call: Call) -> Answer {
    call.domain.group_delete(&call.context, uid(&call)).await?;
    no_content()
}

/// The group that the path names.
pub fn uid(call: &Call) -> GroupRef {
    GroupRef::Uid(call.path("group_uid"))
}

async fn whole(domain: &Domain, caller: &Caller, group: &Group) -> Result<UserGroup, Error> {
    let names = names(domain, caller, std::slice::from_ref(group)).await?;
    Ok(map::group(group, &names))
}

/// The user names of who made and changed these groups.
pub async fn names(domain: &Domain, caller: &Caller, groups: &[Group]) -> Result<Names, Error> {
    let makers = groups
        .iter()
        .flat_map(|group| [group.created_by, group.updated_by]);
    domain.account_usernames(caller, makers.collect()).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SortBy {
    Created,
    Updated,
    Creator,
    Updater,
    Members,
    Title,
}

/// Which groups, and in which order.
#[derive(Debug)]
struct Choice {
    words: Vec<String>,
    permissions: domain::Permissions,
    by: SortBy,
    descending: bool,
}

impl Choice {
    fn of(query: &Query) -> Result<Choice, Error> {
        let search = query.first("search").unwrap_or_default();
        let words: Vec<String> = search.split_whitespace().map(str::to_lowercase).collect();
        if search.chars().count() > limits::SEARCH_CHARS_MAX
            || words.len() > limits::SEARCH_WORDS_MAX
        {
            let text = "The search is too long.";
            return Err(invalid("search", "too_long", text));
        }
        let sort = query.first("sort").filter(|sort| !sort.is_empty());
        let (sort, descending) = signed(sort.unwrap_or("updated_at"));
        let by = match sort {
            "created_at" => SortBy::Created,
            "updated_at" => SortBy::Updated,
            "created_by__username" => SortBy::Creator,
            "updated_by__username" => SortBy::Updater,
            "user_count" => SortBy::Members,
            "group__title" => SortBy::Title,
            _ => {
                let text = "The fields are: created_at, updated_at, created_by__username, \
                     updated_by__username, user_count, group__title.";
                return Err(unknown_sort(text));
            }
        };
        Ok(Choice {
            words,
            permissions: query.permissions("permissions")?,
            by,
            descending,
        })
    }

    /// Every word is in uid, title or description, and every permission is held.
    fn has(&self, group: &Group) -> bool {
        let Group {
            uid,
            title,
            description,
            ..
        } = group;
        let text = format!("{uid}\n{title}\n{description}").to_lowercase();
        self.words.iter().all(|word| text.contains(word))
            && group_permissions(group).has_all(self.permissions)
    }

    /// Ties are in order of age.
    fn sort(&self, groups: &mut [Group], names: &Names) {
        let name = |id: i64| {
            let name = names.get(&id).map(|name| name.to_lowercase());
            name.unwrap_or_default()
        };
        match self.by {
            SortBy::Created => groups.sort_by_key(|group| (group.created, group.id)),
            SortBy::Updated => groups.sort_by_key(|group| (group.updated, group.id)),
            SortBy::Creator => {
                groups.sort_by_cached_key(|group| (name(group.created_by), group.id));
            }
            SortBy::Updater => {
                groups.sort_by_cached_key(|group| (name(group.updated_by), group.id));
            }
            SortBy::Members => groups.sort_by_key(|group| (group.members, group.id)),
            SortBy::Title => {
                groups.sort_by_cached_key(|group| (group.title.to_lowercase(), group.id));
            }
        }
        if self.descending {
            groups.reverse();
        }
    }
}
