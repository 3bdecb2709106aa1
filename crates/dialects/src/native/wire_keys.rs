//! The bodies of the keys' operations. The one that carries a secret is not `Debug`.

use domain::{KeyChange, KeyNew, KeySecret, KeyView, Permissions, rfc3339};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    account_list::permissions,
    problem::Problem,
    time,
    wire::{present, words},
};

/// A key of an account. Its secret is shown once, when it is made or rotated.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Key {
    #[schema(example = 51)]
    pub id: i64,
    /// The id of the account that it belongs to.
    #[schema(example = 42)]
    pub account: i64,
    /// That account's user name; empty where it was deleted.
    #[schema(example = "ann")]
    pub username: String,
    #[schema(example = "nightly report")]
    pub label: String,
    /// The protocol that it is for.
    #[schema(example = "native")]
    pub dialect: String,
    /// The secret's first characters, to recognise it by.
    #[schema(example = "thr_Ab3d")]
    pub prefix: String,
    /// What of the account's permissions it lets through; null means all of them, also later ones.
    pub permissions: Option<Vec<String>>,
    #[schema(format = DateTime)]
    pub created: String,
    /// Null means that it does not expire.
    #[schema(format = DateTime)]
    pub expires: Option<String>,
    /// Written about once a minute.
    #[schema(format = DateTime)]
    pub last_used: Option<String>,
    #[schema(format = DateTime)]
    pub revoked: Option<String>,
    pub revoked_reason: Option<String>,
}

impl From<KeyView> for Key {
    fn from(view: KeyView) -> Key {
        Key {
            id: view.id,
            account: view.account,
            username: view.username,
            label: view.label,
            dialect: view.dialect,
            prefix: view.prefix,
            permissions: view.permissions.map(|all| words(&all.as_text())),
            created: rfc3339(view.created),
            expires: view.expires.map(rfc3339),
            last_used: view.last_used.map(rfc3339),
            revoked: view.revoked.map(rfc3339),
            revoked_reason: view.revoked_reason,
        }
    }
}

/// A key with its new secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct KeyShown {
    #[serde(flatten)]
    pub key: Key,
    /// The server keeps only a hash of it.
    #[schema(example = "thr_0123456789ABCDEFGHIJKLMNOPQRSTUVabcdef")]
    pub secret: String,
}

impl From<KeySecret> for KeyShown {
    fn from(made: KeySecret) -> KeyShown {
        KeyShown {
            key: made.key.into(),
            secret: made.secret,
        }
    }
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyCreate {
    /// 1 to 255 characters, no control characters.
    #[schema(min_length = 1, max_length = 255, example = "nightly report")]
    label: String,
    /// The protocol that it is for: `native` or `opendatasoft`.
    #[schema(example = "native")]
    dialect: String,
    /// What of the account's permissions it lets through; only what the caller has. Absent or null means all of them.
    permissions: Option<Vec<String>>,
    /// When it ends, in the future; absent or null means never.
    #[schema(format = DateTime)]
    expires: Option<String>,
}

impl TryFrom<KeyCreate> for KeyNew {
    type Error = Problem;

    fn try_from(body: KeyCreate) -> Result<KeyNew, Problem> {
        Ok(KeyNew {
            label: body.label,
            dialect: body.dialect,
            permissions: body.permissions.as_deref().map(listed).transpose()?,
            expires: body.expires.as_deref().map(time::expiry).transpose()?,
        })
    }
}

/// What to change of a key; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyUpdate {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 255, example = "nightly report")]
    label: Option<String>,
    /// Only what the caller has; null lets through all that the account may.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<Vec<String>>)]
    permissions: Option<Option<Vec<String>>>,
}

impl TryFrom<KeyUpdate> for KeyChange {
    type Error = Problem;

    fn try_from(body: KeyUpdate) -> Result<KeyChange, Problem> {
        Ok(KeyChange {
            label: body.label,
            permissions: match body.permissions {
                None => None,
                Some(words) => Some(words.as_deref().map(listed).transpose()?),
            },
        })
    }
}

fn listed(words: &[String]) -> Result<Permissions, Problem> {
    permissions("permissions", words.iter().map(String::as_str))
}

/// The query parameters of a revocation, for the OpenAPI document.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes, is never made")]
pub(crate) struct RevokeParams {
    /// Why, for those who look at the key later.
    #[param(max_length = 500, example = "laptop lost")]
    reason: Option<String>,
}
