//! Identity providers: from whom accounts may come, as the operator configured it.

use crate::{
    account::Role,
    error::{Error, Result},
    service::Domain,
};

/// A provider of OpenID Connect.
#[derive(Clone, PartialEq, Eq)]
pub struct IdentityProvider {
    /// Its name here.
    pub uid: String,
    /// Where its configuration is discovered, and what its tokens say they are of.
    pub issuer: String,
    pub client_id: String,
    pub client_secret: String,
    /// The slug of the workspace whose accounts come from it.
    pub workspace: String,
    /// Whether a first sign-in makes an account.
    pub create_accounts: bool,
    /// Whether it links to an account of the same address, where the provider says that the address is theirs.
    pub link_by_email: bool,
    /// Of an account that a first sign-in makes; never an administrator.
    pub role: Role,
}

impl std::fmt::Debug for IdentityProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdentityProvider({}, {}, ***)", self.uid, self.issuer)
    }
}

impl Domain {
    /// The provider of this name in a workspace.
    pub(crate) async fn provider(&self, workspace: i64, uid: &str) -> Result<&IdentityProvider> {
        let slug = self.slug(workspace).await?;
        let found = self
            .providers()
            .iter()
            .find(|provider| provider.uid == uid && provider.workspace == slug);
        found.ok_or_else(|| {
            Error::invalid(
                "identity_provider",
                "unknown",
                "There is no such identity provider.",
            )
        })
    }
}
