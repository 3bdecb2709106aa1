//! The bodies of the native API: what comes in, what goes out, and the pure conversions to and from the domain's types.
//!
//! A request type refuses fields that it does not know. Limits are the domain's; what is said of them here is for the
//! OpenAPI document. All times are RFC 3339 in UTC with milliseconds, all ids are numbers below 2^53.

use domain::{
    Activity as ActivityEntry, Caller, IdentityConflict, Portfolio, WorkspaceNew, rfc3339,
};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// A field that may be absent but not null.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Two people who turned out to share an identifier. They are never merged by themselves.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Conflict {
    pub id: i64,
    /// The numbers of the two people, the lower first.
    #[schema(example = json!([17, 4_711]), min_items = 2, max_items = 2)]
    pub people: [u32; 2],
    /// The kind of identifier that showed it.
    #[schema(example = "email")]
    pub kind: String,
    #[schema(format = DateTime)]
    pub first_seen: String,
    #[schema(format = DateTime)]
    pub last_seen: String,
    /// How often it was seen.
    #[schema(example = 1)]
    pub times: i64,
}

impl From<IdentityConflict> for Conflict {
    fn from(conflict: IdentityConflict) -> Conflict {
        Conflict {
            id: conflict.id,
            people: [conflict.first_person, conflict.second_person],
            kind: conflict.kind,
            first_seen: rfc3339(conflict.first_seen),
            last_seen: rfc3339(conflict.last_seen),
            times: conflict.times,
        }
    }
}

/// Who did what, when. Holds ids and counts, never addresses.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Activity {
    pub id: i64,
    #[schema(format = DateTime)]
    pub time: String,
    /// The credential that acted; 0 is the server itself.
    #[schema(example = 7)]
    pub actor: i64,
    #[schema(example = "member_add")]
    pub verb: String,
    /// The id of what it was done to.
    #[schema(example = 42)]
    pub noun: Option<i64>,
    /// The request, as in its `x-request-id`.
    pub request_id: String,
    /// The number of the change in the workspace's log.
    pub seq: Option<i64>,
    /// Counts and the like, as `key=value` pairs.
    #[schema(example = "added=3 removed=0")]
    pub detail: String,
}

impl From<ActivityEntry> for Activity {
    fn from(entry: ActivityEntry) -> Activity {
        Activity {
            id: entry.id,
            time: rfc3339(entry.time),
            actor: entry.actor,
            verb: entry.verb,
            noun: entry.noun,
            request_id: entry.request_id,
            seq: entry.seq,
            detail: entry.detail,
        }
    }
}

/// Whether identifiers are kept as received, encrypted (`sealed`), or only as keyed hashes (`none`), in which case
/// nothing can be exported by identifier. `sealed` if absent.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum KeepIdentifiers {
    #[default]
    Sealed,
    None,
}

/// A workspace: a tenant behind its own wall.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Workspace {
    #[schema(example = 2)]
    pub id: i64,
    /// Names its mount, `/w/{slug}`.
    #[schema(example = "acme")]
    pub slug: String,
    #[schema(example = "Acme")]
    pub name: String,
    pub keep_identifiers: KeepIdentifiers,
    #[schema(format = DateTime)]
    pub created: String,
}

impl From<domain::Workspace> for Workspace {
    fn from(workspace: domain::Workspace) -> Workspace {
        Workspace {
            id: workspace.id,
            slug: workspace.slug,
            name: workspace.name,
            keep_identifiers: match workspace.keep_identifiers {
                domain::KeepIdentifiers::Sealed => KeepIdentifiers::Sealed,
                domain::KeepIdentifiers::None => KeepIdentifiers::None,
            },
            created: rfc3339(workspace.created),
        }
    }
}

/// A workspace to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkspaceCreate {
    /// 1 to 63 lower-case letters, digits and inner hyphens; unique on the server.
    #[schema(
        min_length = 1,
        max_length = 63,
        pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        example = "acme"
    )]
    slug: String,
    /// 1 to 255 characters, no control characters.
    #[schema(min_length = 1, max_length = 255, example = "Acme")]
    name: String,
    #[serde(default)]
    keep_identifiers: KeepIdentifiers,
}

impl From<WorkspaceCreate> for WorkspaceNew {
    fn from(body: WorkspaceCreate) -> WorkspaceNew {
        let keep_identifiers = match body.keep_identifiers {
            KeepIdentifiers::Sealed => true,
            KeepIdentifiers::None => false,
        };
        WorkspaceNew {
            slug: body.slug,
            name: body.name,
            keep_identifiers,
        }
    }
}

/// Who a token stands for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    /// The id of the workspace.
    #[schema(example = 1)]
    pub workspace: i64,
    /// The id of the credential.
    #[schema(example = 7)]
    pub credential: i64,
    /// The id of the account whose key it is; null where it belongs to none.
    pub account: Option<i64>,
    /// `admin` includes all others but `installation`.
    #[schema(example = json!(["admin"]))]
    pub scopes: Vec<String>,
    /// The ids of the structures that it may touch; null means every structure.
    pub structures: Option<Vec<i64>>,
}

impl From<Caller> for Me {
    fn from(caller: Caller) -> Me {
        Me {
            workspace: caller.workspace,
            credential: caller.credential,
            account: caller.account,
            scopes: words(&caller.scopes.as_text()),
            structures: match caller.portfolio {
                Portfolio::Every => None,
                Portfolio::Only(structures) => Some(structures),
            },
        }
    }
}

/// Scopes as a list; the domain writes them separated by spaces.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
