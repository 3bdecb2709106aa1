//! Workspaces: tenants, each behind its own wall.

use serde::{Deserialize, Serialize};
use store::{KeepIdentifiers, Verdict, Workspace, WorkspaceSecret};

use crate::{
    access::{CredentialNew, CredentialSecret, NATIVE},
    audience::valid_name,
    caller::{Caller, Context, Mount, Scope},
    error::{Error, Field, Result},
    limits,
    service::Domain,
};

/// A workspace to be made. Its slug names its mount, `/w/{slug}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkspaceNew {
    pub slug: String,
    pub name: String,
    /// False: only keyed hashes are kept, and nothing can be exported by identifier.
    pub keep_identifiers: bool,
}

/// An id that no workspace has.
const NO_WORKSPACE: i64 = -1;

/// The slug of the first workspace, which the bare mounts belong to.
pub const DEFAULT_SLUG: &str = "default";

fn valid_slug(slug: &str) -> Result<()> {
    let charset = slug
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let edges = slug.starts_with('-') || slug.ends_with('-');
    if slug.is_empty() || slug.len() > limits::SLUG_CHARS_MAX || !charset || edges {
        return Err(Error::invalid(
            "slug",
            "malformed",
            "The slug must be 1 to 63 lower-case letters, digits and inner hyphens.",
        ));
    }
    Ok(())
}

impl Domain {
    /// What a workspace is called; empty where there is none.
    pub(crate) async fn workspace_name(&self, workspace: i64) -> Result<String> {
        let found = self.store().workspaces(workspace - 1, 1).await?;
        let found = found.into_iter().find(|found| found.id == workspace);
        Ok(found.map(|found| found.name).unwrap_or_default())
    }

    /// Makes a workspace. Needs the scope installation.
    pub async fn workspace_create(&self, caller: &Caller, new: WorkspaceNew) -> Result<Workspace> {
        caller.need(Scope::Installation)?;
        self.workspace_insert(new, self.now_ms()).await
    }

    /// [`Self::workspace_create`], noted in the activity of the caller's workspace, and safe to repeat with an
    /// idempotency key. A workspace is not made by a command of another one, so the intention is what the key
    /// remembers: a repetition that finds the slug taken by a workspace of the intention's own time has found its own.
    pub async fn workspace_create_once(
        &self,
        context: &Context,
        new: WorkspaceNew,
    ) -> Result<Workspace> {
        context.caller.need(Scope::Installation)?;
        valid_slug(&new.slug)?;
        valid_name("name", &new.name)?;
        let slug = new.slug.clone();
        let intended: i64 = self
            .command(context, "workspace_create", 1, move |tx| {
                store::activity_insert(tx, None, &format!("slug={slug}"))?;
                Ok(Verdict::Done(tx.meta().time))
            })
            .await?;
        let slug = new.slug.clone();
        match self.workspace_insert(new, intended).await {
            Err(taken @ Error::AlreadyExists(_)) if context.idempotency.is_some() => {
                let found = self.workspace_by_slug(&slug).await?;
                if found.created == intended {
                    Ok(found)
                } else {
                    Err(taken)
                }
            }
            answer => answer,
        }
    }

    /// A new administrator's token of a workspace, shown this once: the way in for whoever it was made for, and back in
    /// where the token was lost. Needs the scope installation.
    pub async fn workspace_administrator(
        &self,
        context: &Context,
        workspace: i64,
    ) -> Result<CredentialSecret> {
        context.caller.need(Scope::Installation)?;
        let found = self.store().workspaces(workspace - 1, 1).await?;
        if found.first().is_none_or(|found| found.id != workspace) {
            return Err(Error::NotFound("workspace"));
        }
        let inside = Context {
            caller: Caller::server(workspace),
            ..context.clone()
        };
        let new = CredentialNew {
            dialect: NATIVE.into(),
            name: "Administrator".into(),
            scopes: Scope::Admin.as_str().into(),
            structures: None,
            expires: None,
            keep_secret: false,
        };
        self.credential_create(&inside, new, &[NATIVE]).await
    }

    async fn workspace_insert(&self, new: WorkspaceNew, created: i64) -> Result<Workspace> {
        valid_slug(&new.slug)?;
        let name = valid_name("name", &new.name)?;
        let mut workspace = Workspace {
            id: 0,
            slug: new.slug,
            name,
            keep_identifiers: if new.keep_identifiers {
                KeepIdentifiers::Sealed
            } else {
                KeepIdentifiers::None
            },
            created,
        };
        let secret = WorkspaceSecret::new(self.random().bytes()?);
        workspace.id = self
            .store()
            .workspace_create(workspace.clone(), secret)
            .await
            .map_err(|error| match error {
                store::Error::Constraint(_) => Error::AlreadyExists(Field {
                    name: "slug",
                    code: "already_used",
                    text: "Another workspace has this slug.".into(),
                }),
                error => error.into(),
            })?;
        Ok(workspace)
    }

    /// Workspaces with `id > after`, in order of id. Needs the scope installation.
    pub async fn workspace_list(
        &self,
        caller: &Caller,
        after: i64,
        limit: usize,
    ) -> Result<Vec<Workspace>> {
        caller.need(Scope::Installation)?;
        Ok(self
            .store()
            .workspaces(after, limit.clamp(1, limits::PAGE_ITEMS_MAX) as i64)
            .await?)
    }

    /// The caller's own workspace, which every caller may see.
    pub async fn workspace_own(&self, caller: &Caller) -> Result<Workspace> {
        let found = self.store().workspaces(caller.workspace - 1, 1).await?;
        let own = found.into_iter().find(|own| own.id == caller.workspace);
        own.ok_or(Error::NotFound("workspace"))
    }

    /// The workspace that a mount names; no caller is needed to know that it exists.
    pub async fn workspace_by_slug(&self, slug: &str) -> Result<Workspace> {
        if valid_slug(slug).is_err() {
            return Err(Error::NotFound("workspace"));
        }
        self.store()
            .workspace_by_slug(slug)
            .await?
            .ok_or(Error::NotFound("workspace"))
    }

    /// Where the requests under `/w/{slug}` belong. A slug that no workspace has gives a mount of which no credential is,
    /// so that a caller learns nothing from it that a wrong credential would not say.
    pub async fn mount(&self, slug: &str) -> Result<Mount> {
        if let Some(workspace) = self.slugs().lock().get(slug) {
            return Ok(Mount {
                workspace: Some(*workspace),
            });
        }
        match self.workspace_by_slug(slug).await {
            Ok(found) => {
                let mut slugs = self.slugs().lock();
                if slugs.len() >= limits::SLUGS_CACHED_MAX {
                    slugs.clear();
                }
                slugs.insert(found.slug, found.id);
                Ok(Mount {
                    workspace: Some(found.id),
                })
            }
            Err(Error::NotFound(_)) => Ok(Mount {
                workspace: Some(NO_WORKSPACE),
            }),
            Err(error) => Err(error),
        }
    }

    /// The slug of a workspace.
    pub(crate) async fn slug(&self, workspace: i64) -> Result<String> {
        let known = {
            let slugs = self.slugs().lock();
            let found = slugs.iter().find(|(_, id)| **id == workspace);
            found.map(|(slug, _)| slug.clone())
        };
        if let Some(slug) = known {
            return Ok(slug);
        }
        let own = self.workspace_own(&Caller::server(workspace)).await?;
        Ok(own.slug)
    }

    /// The first workspace; made here where the installation has none yet. The flag tells whether it was made now.
    pub async fn workspace_default(&self) -> Result<(Workspace, bool)> {
        if let Some(workspace) = self.store().workspace_by_slug(DEFAULT_SLUG).await? {
            return Ok((workspace, false));
        }
        let new = WorkspaceNew {
            slug: DEFAULT_SLUG.into(),
            name: "Default".into(),
            keep_identifiers: true,
        };
        match self.workspace_create(&Caller::server(0), new).await {
            Ok(workspace) => Ok((workspace, true)),
            // Another process on this database was faster.
            Err(Error::AlreadyExists(_)) => {
                Ok((self.workspace_by_slug(DEFAULT_SLUG).await?, false))
            }
            Err(error) => Err(error),
        }
    }
}
