//! Does the steps of jobs: one of each open job at a time, of every workspace, whoever made it.
//!
//! What it is not: the work itself, which is the domain's. It may be ended between any two steps; the next start, or another
//! process, goes on from there.

use std::time::Duration;

use domain::Domain;

/// Jobs are looked for this often, since another process may have made one and died.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The wait after the database did not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// Never ends.
pub async fn run(domain: Domain) {
    loop {
        match domain.jobs_run().await {
            Ok(true) => {}
            Ok(false) => domain.jobs_wait(LOOK_EVERY).await,
            Err(error) => {
                let context = error.context();
                tracing::warn!(%error, context, "a job's step was not done; the next try follows");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
