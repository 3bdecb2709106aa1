//! Drains the outbox: claims what is due in every workspace, sends a few at a time, and notes how each went.
//!
//! What it is not: the rules of repetition, which are the domain's. It logs ids only; what a server said is kept with the
//! item. Invariant: no more is claimed than can be sent at once, so that no lease runs out in a queue; and neither kind
//! takes the other's places, so that receivers that do not answer hold up no mail.

use std::time::Duration;

use domain::{Domain, MailClaim, OutboxKind, SendError, WebhookClaim};
use tokio::{
    sync::oneshot,
    task::{JoinError, JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::{deliverer::deliver, mailer::Mailer};

/// Mails under way at once.
const MAILS_MAX: usize = 8;
/// Deliveries to webhooks under way at once.
const DELIVERIES_MAX: usize = 16;
/// The outbox is looked at this often, since another process may have queued something.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The wait after the database did not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// How long stopping waits for what is under way; of those that take longer the lease runs out, and another try follows.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// A worker that runs until it is told to stop.
#[derive(Debug)]
pub struct OutboxWorker {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl OutboxWorker {
    /// Without a mailer, mail waits in the outbox.
    pub fn start(domain: Domain, mailer: Option<Mailer>) -> OutboxWorker {
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

async fn run(domain: Domain, mailer: Option<Mailer>, mut stopped: oneshot::Receiver<()>) {
    let (mut mails, mut deliveries) = (JoinSet::new(), JoinSet::new());
    loop {
        if fill(&domain, mailer.as_ref(), &mut mails, &mut deliveries)
            .await
            .is_err()
        {
            tokio::select! {
                _ = &mut stopped => break,
                () = sleep(PAUSE) => continue,
            }
        }
        let mut open = Vec::with_capacity(2);
        if mailer.is_some() && mails.len() < MAILS_MAX {
            open.push(OutboxKind::Mail);
        }
        if deliveries.len() < DELIVERIES_MAX {
            open.push(OutboxKind::Webhook);
        }
        tokio::select! {
            _ = &mut stopped => break,
            Some(ended) = mails.join_next(), if !mails.is_empty() => note(ended),
            Some(ended) = deliveries.join_next(), if !deliveries.is_empty() => note(ended),
            () = due(&domain, &open), if !open.is_empty() => {}
        }
    }
    let rest = async {
        while let Some(ended) = mails.join_next().await {
            note(ended);
        }
        while let Some(ended) = deliveries.join_next().await {
            note(ended);
        }
    };
    if timeout(STOP_TIME_MAX, rest).await.is_err() {
        tracing::warn!("something was still being sent; it is tried again after the next start");
    }
}

/// Claims as much as there are places for, and begins to send it.
async fn fill(
    domain: &Domain,
    mailer: Option<&Mailer>,
    mails: &mut JoinSet<()>,
    deliveries: &mut JoinSet<()>,
) -> Result<(), ()> {
    let unread = |error: domain::Error| {
        let context = error.context();
        tracing::warn!(%error, context, "the outbox was not read; the next try follows");
    };
    let free = MAILS_MAX - mails.len();
    if let Some(mailer) = mailer.filter(|_| free > 0) {
        for mail in domain.outbox_claim(free).await.map_err(unread)? {
            mails.spawn(send_mail(domain.clone(), mailer.clone(), mail));
        }
    }
    let free = DELIVERIES_MAX - deliveries.len();
    if free > 0 {
        for delivery in domain.webhook_claim(free).await.map_err(unread)? {
            deliveries.spawn(send_event(domain.clone(), delivery));
        }
    }
    Ok(())
}

/// Until something may be due.
async fn due(domain: &Domain, kinds: &[OutboxKind]) {
    if let Err(error) = domain.outbox_wait(kinds, LOOK_EVERY).await {
        let context = error.context();
        tracing::warn!(%error, context, "the outbox was not asked; the next try follows");
        sleep(PAUSE).await;
    }
}

async fn send_mail(domain: Domain, mailer: Mailer, mail: MailClaim) {
    let outcome = mailer.send(&mail).await;
    let word = word(&outcome);
    let noted = domain.outbox_finish(&mail, outcome).await;
    let item = (mail.workspace(), mail.id(), mail.attempt());
    tell(OutboxKind::Mail, item, word, noted);
}

async fn send_event(domain: Domain, delivery: WebhookClaim) {
    let outcome = deliver(&domain, &delivery).await;
    let word = word(&outcome);
    let noted = domain.webhook_finish(&delivery, outcome).await;
    let item = (delivery.workspace(), delivery.id(), delivery.attempt());
    tell(OutboxKind::Webhook, item, word, noted);
}

const SENT: &str = "sent";

fn word(outcome: &Result<(), SendError>) -> &'static str {
    match outcome {
        Ok(()) => SENT,
        Err(SendError::Transient(_)) => "not taken now",
        Err(SendError::Permanent(_)) => "refused",
    }
}

/// Logs how an attempt at an item (workspace, id, attempt) went, and whether that was noted.
fn tell(
    kind: OutboxKind,
    (workspace, item, attempt): (i64, i64, i64),
    word: &str,
    noted: domain::Result<bool>,
) {
    let kind = kind.as_str();
    match noted {
        Ok(true) if word == SENT => tracing::info!(workspace, item, attempt, "{kind}: {word}"),
        Ok(true) => tracing::warn!(
            workspace,
            item,
            attempt,
            "{kind}: {word}; the outbox has the reason"
        ),
        Ok(false) => tracing::warn!(
            workspace,
            item,
            attempt,
            "{kind}: {word}, after its lease ran out"
        ),
        Err(error) => {
            let context = error.context();
            tracing::warn!(workspace, item, attempt, %error, context, "{kind}: {word}, which was not noted");
        }
    }
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "sending failed; the item's lease runs out and it is tried again");
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod webhook_tests;
