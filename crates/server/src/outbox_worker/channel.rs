//! Messages on channels: one item to its provider, or, where nothing is to leave, to the built-in outbox.
//!
//! What it is not: the providers' words, which are the dialects'. Invariant: what is remembered between items (the numbers of
//! senders) can be forgotten at any time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use dialects::providers::{self, Bases, Step};
use domain::{ChannelClaim, Domain, OutboundRequest, OutboxKind, SendOutcome};

use super::{Ended, NOT_NOW, REFUSED, SENT, tell};

/// Numbers of senders that are remembered.
const NUMBERS_MAX: usize = 1_024;

/// Whereto messages on channels go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChannelDelivery {
    /// To the providers, which are there.
    Providers(Bases),
    /// Nowhere: they stay in the built-in outbox, as a demo wants it.
    Kept,
}

/// What all messages share.
pub(super) struct Channels {
    delivery: ChannelDelivery,
    /// Senders' numbers that had to be asked for, by [`Step::LookUp`]'s key.
    numbers: Mutex<HashMap<String, String>>,
}

impl Channels {
    pub(super) fn new(delivery: ChannelDelivery) -> Channels {
        Channels {
            delivery,
            numbers: Mutex::default(),
        }
    }

    async fn outcome(&self, domain: &Domain, claim: &ChannelClaim) -> SendOutcome {
        let bases = match &self.delivery {
            ChannelDelivery::Providers(bases) => bases,
            ChannelDelivery::Kept => return SendOutcome::Kept,
        };
        match providers::request(claim, bases) {
            Step::Send(request) => sent(domain, claim, request).await,
            Step::Nothing => SendOutcome::Accepted { provider_id: None },
            Step::Impossible(error) => SendOutcome::Failed(error),
            Step::LookUp { key, request } => {
                let number = match self.number(domain, claim, &key, request).await {
                    Ok(number) => number,
                    Err(outcome) => return outcome,
                };
                let outcome = match providers::request_from(claim, bases, &number) {
                    Step::Send(request) => sent(domain, claim, request).await,
                    Step::Impossible(error) => SendOutcome::Failed(error),
                    Step::Nothing | Step::LookUp { .. } => {
                        SendOutcome::Accepted { provider_id: None }
                    }
                };
                if matches!(outcome, SendOutcome::Failed(_)) {
                    // Perhaps it is another one by now.
                    self.known().remove(&key);
                }
                outcome
            }
        }
    }

    async fn number(
        &self,
        domain: &Domain,
        claim: &ChannelClaim,
        key: &str,
        request: OutboundRequest,
    ) -> Result<String, SendOutcome> {
        if let Some(number) = self.known().get(key) {
            return Ok(number.clone());
        }
        let number = providers::looked_up(answered(domain, claim, request).await)?;
        let mut known = self.known();
        if known.len() >= NUMBERS_MAX {
            known.clear();
        }
        known.insert(key.to_owned(), number.clone());
        Ok(number)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn sent(domain: &Domain, claim: &ChannelClaim, request: OutboundRequest) -> SendOutcome {
    providers::judged(claim.kind, answered(domain, claim, request).await)
}

async fn answered(
    domain: &Domain,
    claim: &ChannelClaim,
    request: OutboundRequest,
) -> Result<domain::OutboundAnswer, domain::OutboundError> {
    let answer = domain.outbound().send(request).await;
    if let Err(error) = &answer {
        let (workspace, item) = (claim.workspace(), claim.id());
        tracing::warn!(workspace, item, %error, "a channel's provider gave no answer");
    }
    answer
}

/// Sends one message and notes how that went.
pub(super) async fn send(domain: Domain, channels: Arc<Channels>, claim: ChannelClaim) -> Ended {
    let outcome = channels.outcome(&domain, &claim).await;
    let word = match &outcome {
        SendOutcome::Accepted { .. } | SendOutcome::Kept => SENT,
        SendOutcome::Again(_) => NOT_NOW,
        SendOutcome::Failed(_) | SendOutcome::Blocked(_) => REFUSED,
    };
    let noted = domain.channel_finish(&claim, outcome).await;
    let item = (claim.workspace(), claim.id(), claim.attempt());
    tell(OutboxKind::Channel, item, word, noted)
}
