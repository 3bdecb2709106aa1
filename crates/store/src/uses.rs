//! When credentials, accounts and sessions were last used: many notes in one transaction, outside the workspaces' order.

use crate::{account, credential, error::Error, session, store::Store};

/// What was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Used {
    Credential,
    Account,
    Session,
}

/// A use and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    pub what: Used,
    pub workspace: i64,
    pub id: i64,
    pub time: i64,
}

/// Writes uses; of one that has a later time already nothing changes.
pub async fn uses_note(store: &Store, uses: Vec<Use>) -> Result<(), Error> {
    store
        .exclusive(move |connection| {
            for one in uses {
                let note = match one.what {
                    Used::Credential => credential::touch,
                    Used::Account => account::seen,
                    Used::Session => session::seen,
                };
                note(connection, one.workspace, one.id, one.time)?;
            }
            Ok(())
        })
        .await
}
