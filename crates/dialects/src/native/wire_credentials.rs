//! The bodies of the credentials' operations. The only ones that carry a secret: none of them is `Debug` with it.

use domain::{CredentialNew, CredentialSecret, CredentialView, rfc3339};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    problem::Problem,
    time,
    wire::{Workspace, words},
};

/// A credential. Its secret is shown once, when it is made.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Credential {
    #[schema(example = 7)]
    pub id: i64,
    /// What an OAuth client sends as `client_id`.
    #[schema(example = "000000010100000000000007")]
    pub client_id: String,
    /// The protocol that it is for.
    #[schema(example = "native")]
    pub dialect: String,
    #[schema(example = "nightly upload")]
    pub name: String,
    /// The secret's first characters, to recognise it by.
    #[schema(example = "thr_Ab3d")]
    pub prefix: String,
    #[schema(example = json!(["audiences:read", "audiences:write"]))]
    pub scopes: Vec<String>,
    /// The ids of the structures that it may touch; null means every structure, also those made later.
    pub structures: Option<Vec<i64>>,
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
}

impl From<CredentialView> for Credential {
    fn from(view: CredentialView) -> Credential {
        Credential {
            id: view.id,
            client_id: view.client_id,
            dialect: view.dialect,
            name: view.name,
            prefix: view.prefix,
            scopes: words(&view.scopes),
            structures: view.structures,
            created: rfc3339(view.created),
            expires: view.expires.map(rfc3339),
            last_used: view.last_used.map(rfc3339),
            revoked: view.revoked.map(rfc3339),
        }
    }
}

/// A new credential with its secret, which is shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct CredentialCreated {
    #[serde(flatten)]
    pub credential: Credential,
    /// A native API token, or an OAuth client's `client_secret`. The server keeps only a hash of it.
    #[schema(example = "thr_0123456789ABCDEFGHIJKLMNOPQRSTUVabcdef")]
    pub secret: String,
}

impl From<CredentialSecret> for CredentialCreated {
    fn from(made: CredentialSecret) -> CredentialCreated {
        CredentialCreated {
            credential: made.credential.into(),
            secret: made.secret,
        }
    }
}

/// A credential to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialCreate {
    /// The protocol that it is for: `native` makes an API token, others an OAuth client or the secret that their clients
    /// send.
    #[schema(example = "native")]
    dialect: String,
    /// 1 to 255 characters, no control characters.
    #[schema(min_length = 1, max_length = 255, example = "nightly upload")]
    name: String,
    /// Of `audiences:read`, `audiences:write`, `structures:write`, `people:read`, `people:write`, `webhooks`, `channels`,
    /// `integrations`, `admin`, which includes all before, and `installation`; only those that the caller has. Absent or empty means what clients of the
    /// protocol usually need: with `native` the first two.
    #[serde(default)]
    #[schema(example = json!(["audiences:read", "audiences:write"]))]
    scopes: Vec<String>,
    /// The ids of at most 1,000 structures that it may touch. Absent or null means what the caller may touch.
    #[schema(max_items = 1_000)]
    structures: Option<Vec<i64>>,
    /// When it ends, in the future; absent or null means never.
    #[schema(format = DateTime)]
    expires: Option<String>,
}

/// A new workspace with the token of its administrator.
#[derive(Serialize, ToSchema)]
pub(crate) struct WorkspaceMade {
    #[serde(flatten)]
    pub workspace: Workspace,
    /// The administrator's API token: scope `admin`, every structure. Shown this once.
    pub token: String,
}

/// A workspace's new administrator.
#[derive(Serialize, ToSchema)]
pub(crate) struct Administrator {
    /// The workspace's id.
    pub workspace: i64,
    /// The credential's id in that workspace.
    pub credential: i64,
    /// The API token: scope `admin`, every structure. Shown this once.
    pub token: String,
}

impl TryFrom<CredentialCreate> for CredentialNew {
    type Error = Problem;

    fn try_from(body: CredentialCreate) -> Result<CredentialNew, Problem> {
        Ok(CredentialNew {
            dialect: body.dialect,
            name: body.name,
            scopes: body.scopes.join(" "),
            structures: body.structures,
            expires: body.expires.as_deref().map(time::expiry).transpose()?,
            keep_secret: false,
        })
    }
}
