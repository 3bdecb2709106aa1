//! People: what clashes between their identifiers were seen.

use store::IdentityConflict;

use crate::{
    caller::{Caller, Scope},
    error::Result,
    limits,
    service::Domain,
};

impl Domain {
    /// Clashes of identity with `id > after`, in order of id. Needs the scope admin and every structure.
    pub async fn conflict_list(
        &self,
        caller: &Caller,
        after: i64,
        limit: usize,
    ) -> Result<Vec<IdentityConflict>> {
        caller.need(Scope::Admin)?;
        caller.need_every_structure()?;
        let limit = limit.clamp(1, limits::PAGE_ITEMS_MAX) as i64;
        self.store()
            .read(caller.workspace, move |read| {
                Ok(store::conflicts_page(read, after, limit)?)
            })
            .await
    }
}
