//! When credentials, accounts and sessions were last used: collected in memory and written together, outside the order of
//! commands. What was collected in the last moment is lost with the process; it is a hint for people, not a record.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use store::{Use, Used};

use crate::service::Domain;

/// How long uses are collected before they are written.
const COLLECTED: Duration = Duration::from_secs(1);
const WRITE_TIME_MAX: Duration = Duration::from_secs(10);
/// Uses in one write.
const USES_MAX: usize = 10_000;

/// What waits to be written.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    waiting: Mutex<HashMap<(Used, i64, i64), i64>>,
}

impl Domain {
    /// Has a use written in a moment.
    pub(crate) fn note(&self, what: Used, workspace: i64, id: i64, now_ms: i64) {
        let mut waiting = self.uses().waiting.lock();
        let first = waiting.is_empty();
        if waiting.len() < USES_MAX {
            waiting.insert((what, workspace, id), now_ms);
        }
        drop(waiting);
        if first {
            let domain = self.clone();
            tokio::spawn(async move { domain.write_uses().await });
        }
    }

    async fn write_uses(&self) {
        tokio::time::sleep(COLLECTED).await;
        let collected = std::mem::take(&mut *self.uses().waiting.lock());
        let uses = collected
            .into_iter()
            .map(|((what, workspace, id), time)| Use {
                what,
                workspace,
                id,
                time,
            });
        let writing = store::uses_note(self.store(), uses.collect());
        if let Ok(Err(error)) = tokio::time::timeout(WRITE_TIME_MAX, writing).await {
            tracing::debug!(%error, "times of last use were not noted");
        }
    }
}
