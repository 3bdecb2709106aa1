//! The bodies of the groups' operations.

use domain::{CallLimit as Limit, GroupChange, GroupNew, Permissions, group_permissions, rfc3339};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    account_list::permissions,
    problem::Problem,
    wire::{present, words},
    wire_accounts::CallLimit,
};

/// A group of accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Group {
    #[schema(example = 12)]
    pub id: i64,
    /// A word for it, made from its first title; it never changes.
    #[schema(example = "editors")]
    pub uid: String,
    #[schema(example = "Editors")]
    pub title: String,
    pub description: String,
    /// What its members may do. Who has `edit_domain` administers the workspace.
    #[schema(example = json!(["edit_page"]))]
    pub permissions: Vec<String>,
    pub call_limit: Option<CallLimit>,
    /// How many accounts are in it.
    #[schema(example = 3)]
    pub members: u64,
    #[schema(format = DateTime)]
    pub created: String,
    #[schema(format = DateTime)]
    pub updated: String,
}

impl From<domain::Group> for Group {
    fn from(group: domain::Group) -> Group {
        let limit = group.call_limit.as_deref().and_then(Limit::parse);
        Group {
            permissions: words(&group_permissions(&group).as_text()),
            id: group.id,
            uid: group.uid,
            title: group.title,
            description: group.description,
            call_limit: limit.map(CallLimit::from),
            members: group.members,
            created: rfc3339(group.created),
            updated: rfc3339(group.updated),
        }
    }
}

/// A group to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupCreate {
    /// 1 to 255 characters, no control characters.
    #[schema(min_length = 1, max_length = 255, example = "Editors")]
    title: String,
    #[serde(default)]
    #[schema(max_length = 2_000)]
    description: String,
    #[serde(default)]
    permissions: Vec<String>,
    call_limit: Option<CallLimit>,
}

impl TryFrom<GroupCreate> for GroupNew {
    type Error = Problem;

    fn try_from(body: GroupCreate) -> Result<GroupNew, Problem> {
        Ok(GroupNew {
            title: body.title,
            description: body.description,
            permissions: listed(&body.permissions)?,
            call_limit: body.call_limit.map(Limit::try_from).transpose()?,
        })
    }
}

/// What to change of a group; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupUpdate {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 255, example = "Editors")]
    title: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, max_length = 2_000)]
    description: Option<String>,
    /// Replaces them.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false)]
    permissions: Option<Vec<String>>,
    /// Null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<CallLimit>)]
    call_limit: Option<Option<CallLimit>>,
}

impl TryFrom<GroupUpdate> for GroupChange {
    type Error = Problem;

    fn try_from(body: GroupUpdate) -> Result<GroupChange, Problem> {
        Ok(GroupChange {
            title: body.title,
            description: body.description,
            permissions: body.permissions.as_deref().map(listed).transpose()?,
            call_limit: match body.call_limit {
                None => None,
                Some(limit) => Some(limit.map(Limit::try_from).transpose()?),
            },
        })
    }
}

fn listed(words: &[String]) -> Result<Permissions, Problem> {
    permissions("permissions", words.iter().map(String::as_str))
}
