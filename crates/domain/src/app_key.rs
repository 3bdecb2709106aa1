//! Keys of programs: credentials whose secret is sent as it is (Basic) or signs tokens of the program's own (HS256), and
//! which may belong to an integration.

use crate::{
    access::{CredentialSecret, CredentialView},
    caller::{Caller, Context, Mount},
    error::{Error, Result},
    service::Domain,
};

/// What a token says that a program signed with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedClaims {
    pub scope: Option<String>,
    /// Whose reference the program speaks for.
    pub external_id: Option<String>,
}

impl Domain {
    /// Makes a key of `dialect`, with the caller's own scopes (or, for an integration, those of them that `scopes` names);
    /// at most ten of the workspace, and ten of an integration. Needs the scope integrations and every structure.
    pub async fn app_key_create(
        &self,
        _context: &Context,
        _dialect: &str,
        _display_name: &str,
        _scopes: &str,
        _integration: Option<i64>,
    ) -> Result<CredentialSecret> {
        Err(Error::internal("not built"))
    }

    /// The keys of the workspace, or of an integration, that are not revoked, in order of id.
    pub async fn app_key_list(
        &self,
        _caller: &Caller,
        _dialect: &str,
        _integration: Option<i64>,
    ) -> Result<Vec<CredentialView>> {
        Err(Error::internal("not built"))
    }

    pub async fn app_key_delete(
        &self,
        _context: &Context,
        _dialect: &str,
        _integration: Option<i64>,
        _id: i64,
    ) -> Result<()> {
        Err(Error::internal("not built"))
    }

    /// The caller behind a key's id (24 hexadecimal digits) and secret.
    pub async fn caller_by_key(
        &self,
        _mount: Mount,
        _dialect: &str,
        _id: &str,
        _secret: &str,
    ) -> Result<Caller> {
        Err(Error::internal("not built"))
    }

    /// The caller behind a JSON Web Token (RFC 7519) that is signed with the key (HS256 only) that `kid` names by its id
    /// (24 hexadecimal digits). `exp` and `nbf` hold where they are there.
    pub async fn caller_by_signed_token(
        &self,
        _mount: Mount,
        _dialect: &str,
        _id: &str,
        _token: &str,
    ) -> Result<(Caller, SignedClaims)> {
        Err(Error::internal("not built"))
    }
}
