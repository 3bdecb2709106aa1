//! What it takes to host a workspace: where its sets are kept, and the thread that keeps them within their bound.
//!
//! It loads nothing itself. Invariant: the thread ends with the last who has the loader.

use std::{ops::Deref, path::PathBuf, sync::Arc};

use sets::{Home, Shelf};

use crate::{
    cache_folder::KeyCache,
    error::Error,
    installation::Installation,
    rebuild::{self, Pool, Source},
    seal::Sealer,
    workspace::WorkspaceSecret,
};

/// A shelf with its thread.
#[derive(Debug)]
pub(crate) struct Shelving(Arc<Shelf>);

impl Shelving {
    /// A shelf of so many bytes; one of none has no thread.
    pub(crate) fn start(bytes: u64) -> Result<Arc<Shelving>, Error> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if bytes == 0 {
            return Ok(Arc::new(Shelving(Shelf::at_once(0))));
        }
        let shelf = Shelf::new(bytes);
        shelf
            .start()
            .map_err(|error| Error::Open(format!("cannot start a thread: {error}")))?;
        Ok(Arc::new(Shelving(shelf)))
    }
}

impl Deref for Shelving {
    type Target = Arc<Shelf>;

    fn deref(&self) -> &Arc<Shelf> {
        &self.0
    }
}

impl Drop for Shelving {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// What the workspaces of a store share.
#[derive(Debug, Clone)]
pub(crate) struct Loader {
    pub shelf: Arc<Shelving>,
    pub pool: Arc<Pool>,
    /// The data folder.
    pub data: PathBuf,
    pub installation: Installation,
    pub sealer: Sealer,
}

impl Loader {
    /// Where the keys of a workspace are saved for the next start.
    pub(crate) fn key_cache(&self, workspace: i64, secret: &WorkspaceSecret) -> KeyCache {
        let key = secret.saved_keys();
        KeyCache::new(&self.data, &self.installation, workspace, key)
    }

    /// Where the sets of a workspace are when they are not in memory.
    pub(crate) fn home(&self, workspace: i64, secret: &WorkspaceSecret) -> Home {
        let source = Source {
            pool: Arc::clone(&self.pool),
            workspace,
        };
        Home::new(
            Arc::clone(&self.shelf),
            rebuild::folder(&self.data, workspace),
            rebuild::owner(&self.installation, workspace, secret),
            Box::new(source),
        )
    }
}
