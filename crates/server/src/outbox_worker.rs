//! Drains the outbox: claims what is due in every workspace, sends a few at a time, and notes how each went.
//!
//! What it is not: the rules of repetition, which are the domain's. It logs ids only; what a server said is kept with the
//! item. Invariant: no more is claimed than can be sent at once, so that no lease runs out in a queue; and no kind takes
//! another's places, so that receivers that do not answer hold up no mail.

mod channel;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use domain::{Domain, MailClaim, OutboxKind, SendError, WebhookClaim};
use tokio::{
    pin,
    sync::watch,
    task::{JoinError, JoinHandle, JoinSet},
    time::{sleep, timeout},
};

pub use channel::ChannelDelivery;

use self::channel::Channels;
use crate::{deliverer::deliver, mailer::Mailer};

/// Mails under way at once.
const MAILS_MAX: usize = 8;
/// Deliveries to webhooks under way at once.
const DELIVERIES_MAX: usize = 16;
/// Deliveries that are claimed at once, and of which a webhook that has so many under way gets no more: it may hold a few
/// more places than these, and never all of them.
const DELIVERIES_EACH: usize = DELIVERIES_MAX / 4;
/// Messages on channels under way at once.
const MESSAGES_MAX: usize = 128;
/// So many places are filled by one claim, which is a transaction, where there is enough to send.
const MESSAGES_CLAIMED_MIN: usize = MESSAGES_MAX / 2;
/// How long fewer free places wait for more.
const ROOM_TIME_MAX: Duration = Duration::from_millis(20);
/// The outbox is looked at this often, since another process may have queued something.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The wait while something may be due that is held back.
const HELD_PAUSE: Duration = Duration::from_millis(200);
/// The wait after the database did not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// How long stopping waits for what is under way; of those that take longer the lease runs out, and another try follows.
const STOP_TIME_MAX: Duration = Duration::from_secs(10);

/// A worker that runs until it is told to stop.
#[derive(Debug)]
pub struct OutboxWorker {
    stop: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl OutboxWorker {
    /// Without a mailer, mail waits in the outbox.
    pub fn start(
        domain: Domain,
        mailer: Option<Mailer>,
        channels: ChannelDelivery,
    ) -> OutboxWorker {
        let (stop, stopped) = watch::channel(());
        let lane = |carrier| Lane {
            domain: domain.clone(),
            carrier,
        };
        let mails = mailer.map(|mailer| lane(Carrier::Mail(Box::new(mailer))));
        let deliveries = lane(Carrier::Webhook(Receivers::default()));
        let messages = lane(Carrier::Channel(Arc::new(Channels::new(channels))));
        let task = tokio::spawn(async move {
            let mails = async {
                if let Some(mails) = mails {
                    mails.run(stopped.clone()).await;
                }
            };
            tokio::join!(
                mails,
                deliveries.run(stopped.clone()),
                messages.run(stopped.clone())
            );
        });
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

/// What carries the items of a kind.
enum Carrier {
    Mail(Box<Mailer>),
    Webhook(Receivers),
    Channel(Arc<Channels>),
}

/// How an attempt ended that was noted or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// There is nothing more to do.
    Done,
    /// Another attempt follows, at a time that the outbox knows.
    Again,
}

type Sending = JoinSet<Ended>;

/// The items of one kind, and their places.
struct Lane {
    domain: Domain,
    carrier: Carrier,
}

/// Resolves once the worker is to stop: its other end is dropped.
type Stopped = watch::Receiver<()>;

impl Lane {
    fn kind(&self) -> OutboxKind {
        match self.carrier {
            Carrier::Mail(_) => OutboxKind::Mail,
            Carrier::Webhook(_) => OutboxKind::Webhook,
            Carrier::Channel(_) => OutboxKind::Channel,
        }
    }

    /// How many are under way at once, and of how many free places one claim is worth it.
    fn places(&self) -> (usize, usize) {
        match self.carrier {
            Carrier::Mail(_) => (MAILS_MAX, 1),
            Carrier::Webhook(_) => (DELIVERIES_MAX, 1),
            Carrier::Channel(_) => (MESSAGES_MAX, MESSAGES_CLAIMED_MIN),
        }
    }

    async fn run(&self, mut stopped: Stopped) {
        let mut sending = JoinSet::new();
        loop {
            let free = self.places().0 - sending.len();
            let goes_on = match self.fill(free, &mut sending).await {
                // What is due is under way, all of it.
                Ok(claimed) if claimed < free => {
                    self.until_due(&mut sending, &mut stopped).await
                        && self.until_room(&mut sending, &mut stopped).await
                }
                Ok(_) => self.until_room(&mut sending, &mut stopped).await,
                Err(()) => tokio::select! {
                    _ = stopped.changed() => false,
                    () = sleep(PAUSE) => true,
                },
            };
            if !goes_on {
                break;
            }
        }
        let rest = async {
            while let Some(ended) = sending.join_next().await {
                note(ended);
            }
        };
        if timeout(STOP_TIME_MAX, rest).await.is_err() {
            tracing::warn!(
                "something was still being sent; it is tried again after the next start"
            );
        }
    }

    /// Claims as much as there are places for, and begins to send it; answers how much that is.
    async fn fill(&self, free: usize, sending: &mut Sending) -> Result<usize, ()> {
        let unread = |error: domain::Error| {
            let context = error.context();
            tracing::warn!(%error, context, "the outbox was not read; the next try follows");
        };
        if free == 0 {
            return Ok(0);
        }
        let (domain, before) = (&self.domain, sending.len());
        match &self.carrier {
            Carrier::Mail(mailer) => {
                for mail in domain.outbox_claim(free).await.map_err(unread)? {
                    sending.spawn(send_mail(domain.clone(), (**mailer).clone(), mail));
                }
            }
            Carrier::Webhook(receivers) => {
                let mut room = free;
                while room > 0 {
                    let (wanted, full) = (room.min(DELIVERIES_EACH), receivers.full());
                    let claims = domain.webhook_claim_beside(wanted, &full);
                    let claims = claims.await.map_err(unread)?;
                    room = if claims.len() < wanted {
                        0
                    } else {
                        room - wanted
                    };
                    for delivery in claims {
                        let place = receivers.place(&delivery);
                        sending.spawn(send_event(domain.clone(), delivery, place));
                    }
                }
            }
            Carrier::Channel(channels) => {
                for message in domain.channel_claim(free).await.map_err(unread)? {
                    let channels = Arc::clone(channels);
                    sending.spawn(channel::send(domain.clone(), channels, message));
                }
            }
        }
        Ok(sending.len() - before)
    }

    /// Until something may be due; false where the worker is to stop.
    async fn until_due(&self, sending: &mut Sending, stopped: &mut Stopped) -> bool {
        let held = self.holds_back();
        let due = async {
            if held {
                sleep(HELD_PAUSE).await;
            } else {
                self.due().await;
            }
        };
        pin!(due);
        loop {
            tokio::select! {
                _ = stopped.changed() => return false,
                () = &mut due => return true,
                Some(ended) = sending.join_next(), if !sending.is_empty() => {
                    if note(ended) == Ended::Again || held {
                        return true;
                    }
                }
            }
        }
    }

    /// Whether something that is due may be left alone for now.
    fn holds_back(&self) -> bool {
        match &self.carrier {
            Carrier::Webhook(receivers) => !receivers.full().is_empty(),
            Carrier::Mail(_) | Carrier::Channel(_) => false,
        }
    }

    async fn due(&self) {
        let waited = self.domain.outbox_wait(&[self.kind()], LOOK_EVERY).await;
        if let Err(error) = waited {
            let context = error.context();
            tracing::warn!(%error, context, "the outbox was not asked; the next try follows");
            sleep(PAUSE).await;
        }
    }

    /// Until enough places are free, or at least one and a while has passed; false where the worker is to stop.
    async fn until_room(&self, sending: &mut Sending, stopped: &mut Stopped) -> bool {
        let (places, enough) = self.places();
        let late = sleep(ROOM_TIME_MAX);
        pin!(late);
        let mut is_late = false;
        loop {
            let free = places - sending.len();
            if free >= enough || is_late && free > 0 {
                return true;
            }
            tokio::select! {
                _ = stopped.changed() => return false,
                Some(ended) = sending.join_next(), if !sending.is_empty() => {
                    note(ended);
                }
                () = &mut late, if !is_late => is_late = true,
            }
        }
    }
}

async fn send_mail(domain: Domain, mailer: Mailer, mail: MailClaim) -> Ended {
    let outcome = mailer.send(&mail).await;
    let word = word(&outcome);
    let noted = domain.outbox_finish(&mail, outcome).await;
    let item = (mail.workspace(), mail.id(), mail.attempt());
    tell(OutboxKind::Mail, item, word, noted)
}

/// How many deliveries are under way to each webhook, by workspace and id.
#[derive(Clone, Default)]
struct Receivers(Arc<Mutex<HashMap<(i64, i64), usize>>>);

impl Receivers {
    fn counts(&self) -> MutexGuard<'_, HashMap<(i64, i64), usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(&self, delivery: &WebhookClaim) -> Place {
        let webhook = (delivery.workspace(), delivery.webhook);
        *self.counts().entry(webhook).or_default() += 1;
        Place {
            receivers: self.clone(),
            webhook,
        }
    }

    /// Those that get no more for now.
    fn full(&self) -> Vec<(i64, i64)> {
        let counts = self.counts();
        let full = counts
            .iter()
            .filter(|(_, count)| **count >= DELIVERIES_EACH);
        full.map(|(webhook, _)| *webhook).collect()
    }
}

/// A delivery's place, which is free again when this is dropped, however the delivery ended.
struct Place {
    receivers: Receivers,
    webhook: (i64, i64),
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.receivers.counts();
        if let Some(count) = counts.get_mut(&self.webhook) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.webhook);
            }
        }
    }
}

async fn send_event(domain: Domain, mut delivery: WebhookClaim, _place: Place) -> Ended {
    delivery.retry = dialects::delivery::retry(&delivery.dialect);
    let outcome = deliver(&domain, &delivery).await;
    let word = word(&outcome);
    let noted = domain.webhook_finish(&delivery, outcome).await;
    let item = (delivery.workspace(), delivery.id(), delivery.attempt());
    tell(OutboxKind::Webhook, item, word, noted)
}

const SENT: &str = "sent";
const NOT_NOW: &str = "not taken now";
const REFUSED: &str = "refused";

fn word(outcome: &Result<(), SendError>) -> &'static str {
    match outcome {
        Ok(()) => SENT,
        Err(SendError::Transient(_)) => NOT_NOW,
        Err(SendError::Permanent(_)) => REFUSED,
    }
}

/// Logs how an attempt at an item (workspace, id, attempt) went, and whether that was noted.
fn tell(
    kind: OutboxKind,
    (workspace, item, attempt): (i64, i64, i64),
    word: &str,
    noted: domain::Result<bool>,
) -> Ended {
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
    if word == NOT_NOW {
        Ended::Again
    } else {
        Ended::Done
    }
}

fn note(ended: Result<Ended, JoinError>) -> Ended {
    ended.unwrap_or_else(|error| {
        tracing::error!(%error, "sending failed; the item's lease runs out and it is tried again");
        Ended::Done
    })
}

#[cfg(test)]
mod channel_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod webhook_tests;
