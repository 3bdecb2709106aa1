//! What the very first start prints, once: a token for the native API, and the commands for a first day.

use domain::{Caller, Context, CredentialNew, CredentialSecret, Domain, NATIVE, Workspace};

use crate::failure::Result;

/// What an administrator of the first workspace may do.
const SCOPES: &str = "admin installation audiences:read audiences:write";
/// The address that client commands use where none is named.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// The first workspace, and an administrator's token where the installation has no credential at all yet.
pub async fn first_start(domain: &Domain) -> Result<(Workspace, Option<CredentialSecret>)> {
    let (workspace, _made_now) = domain.workspace_default().await?;
    // Not the flag: a process that ended between making the workspace and the token must not leave nobody able to enter.
    let none_yet = domain
        .credential_list(&Caller::server(workspace.id), 0, 1)
        .await?
        .is_empty();
    let token = if none_yet {
        Some(administrator(domain, &workspace).await?)
    } else {
        None
    };
    Ok((workspace, token))
}

/// A new administrator's token.
pub async fn administrator(domain: &Domain, workspace: &Workspace) -> Result<CredentialSecret> {
    let context = Context::new(Caller::server(workspace.id), "first-start");
    let new = CredentialNew {
        dialect: NATIVE.into(),
        name: "First administrator".into(),
        scopes: SCOPES.into(),
        structures: None,
        expires: None,
        keep_secret: false,
    };
    Ok(domain
        .credential_create(&context, new, dialects::DIALECTS)
        .await?)
}

/// The text for standard output.
pub fn welcome(url: &str, made: &CredentialSecret) -> String {
    let token = &made.secret;
    // The nouns of a workspace are numbered in one row, and this credential is the first of them.
    let structure = made.credential.id + 1;
    let server = if url == DEFAULT_URL {
        String::new()
    } else {
        format!("  export THRONG_URL={url}\n")
    };
    format!(
        "This is the administrator's token. It is shown this once; keep it safe:\n\n  {token}\n\n\
         Make an advertiser, and a client for a Criteo uploader:\n\n\
         {server}  export THRONG_TOKEN={token}\n  \
         throng structure create \"My shop\"\n  \
         throng credential create --dialect criteo --name uploader --structure {structure}\n"
    )
}
