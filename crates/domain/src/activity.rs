//! The activity log, newest first.

use store::Activity;

use crate::{
    caller::{Caller, Scope},
    error::Result,
    limits,
    service::Domain,
};

impl Domain {
    /// Entries with `id < before` (all where nothing is given), newest first. Needs the scope admin and every structure.
    pub async fn activity_list(
        &self,
        caller: &Caller,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Activity>> {
        caller.need(Scope::Admin)?;
        caller.need_every_structure()?;
        let (before, limit) = (
            before.unwrap_or(i64::MAX),
            limit.clamp(1, limits::PAGE_ITEMS_MAX) as i64,
        );
        self.store()
            .read(caller.workspace, move |read| {
                Ok(store::activity_page(read, before, limit)?)
            })
            .await
    }
}
