//! Drains the outbox: claims what is due in every workspace, sends a few at a time, and notes how each went.
//!
//! What it is not: the rules of repetition, which are the domain's. It logs ids only; what a mail server said is kept with
//! the item. Invariant: no more is claimed than can be sent at once, so that no lease runs out in a queue.

use std::time::Duration;

use domain::{Domain, MailClaim, SendError};
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::mailer::Mailer;

/// Mails under way at once.
const SENDING_MAX: usize = 8;
/// The outbox is looked at this often, since another process may have queued something.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The wait after the database did not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// How long stopping waits for mails under way; of those that take longer the lease runs out, and another try follows.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// A worker that runs until it is told to stop.
#[derive(Debug)]
pub struct OutboxWorker {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl OutboxWorker {
    pub fn start(domain: Domain, mailer: Mailer) -> OutboxWorker {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(run(domain, mailer, stopped));
        OutboxWorker { stop, task }
    }

    /// Claims nothing more and waits for what is under way, for a while.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the outbox's worker failed");
        }
    }
}

async fn run(domain: Domain, mailer: Mailer, mut stopped: oneshot::Receiver<()>) {
    let mut sending = JoinSet::new();
    loop {
        let free = SENDING_MAX - sending.len();
        match claimed(&domain, free).await {
            Ok(mails) => {
                for mail in mails {
                    sending.spawn(send(domain.clone(), mailer.clone(), mail));
                }
            }
            Err(()) => {
                tokio::select! {
                    _ = &mut stopped => break,
                    () = sleep(PAUSE) => continue,
                }
            }
        }
        let (full, idle) = (sending.len() >= SENDING_MAX, sending.is_empty());
        tokio::select! {
            _ = &mut stopped => break,
            Some(ended) = sending.join_next(), if !idle => note(ended),
            () = due(&domain), if !full => {}
        }
    }
    let rest = async {
        while let Some(ended) = sending.join_next().await {
            note(ended);
        }
    };
    if timeout(STOP_TIME_MAX, rest).await.is_err() {
        tracing::warn!(
            "some mails were still under way; they are tried again after the next start"
        );
    }
}

async fn claimed(domain: &Domain, free: usize) -> Result<Vec<MailClaim>, ()> {
    if free == 0 {
        return Ok(Vec::new());
    }
    domain.outbox_claim(free).await.map_err(|error| {
        let context = error.context();
        tracing::warn!(%error, context, "the outbox was not read; the next try follows");
    })
}

/// Until something may be due.
async fn due(domain: &Domain) {
    if let Err(error) = domain.outbox_wait(LOOK_EVERY).await {
        let context = error.context();
        tracing::warn!(%error, context, "the outbox was not asked; the next try follows");
        sleep(PAUSE).await;
    }
}

async fn send(domain: Domain, mailer: Mailer, mail: MailClaim) {
    let (workspace, item, attempt) = (mail.workspace(), mail.id(), mail.attempt());
    let outcome = mailer.send(&mail).await;
    let word = match &outcome {
        Ok(()) => "sent",
        Err(SendError::Transient(_)) => "not taken now",
        Err(SendError::Permanent(_)) => "refused",
    };
    match domain.outbox_finish(&mail, outcome).await {
        Ok(true) if word == "sent" => tracing::info!(workspace, item, attempt, "mail: {word}"),
        Ok(true) => tracing::warn!(
            workspace,
            item,
            attempt,
            "mail: {word}; the outbox has the reason"
        ),
        Ok(false) => tracing::warn!(
            workspace,
            item,
            attempt,
            "mail: {word}, after its lease ran out"
        ),
        Err(error) => {
            let context = error.context();
            tracing::warn!(workspace, item, attempt, %error, context, "mail: {word}, which was not noted");
        }
    }
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "sending a mail failed; its lease runs out and it is tried again");
    }
}

#[cfg(test)]
mod tests;
