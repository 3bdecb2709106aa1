//! Events over HTTP: one request a delivery, through the client with the rules on what may be reached.
//!
//! What it is not: retries; [`crate::outbox_worker`] decides what is sent and is told how it went. Invariant: what is kept
//! of a failure says no more than a status. A workspace's administrators read it, and they are not to learn from it what
//! the operator's network holds; the log is told more.

use domain::{Domain, OutboundAnswer, OutboundError, SendError, WebhookClaim};

/// Sends one event. Any 2xx takes it; whatever else is answered may be mended, 4xx and redirections too.
pub async fn deliver(domain: &Domain, delivery: &WebhookClaim) -> Result<(), SendError> {
    let request = dialects::delivery::request(delivery, domain.now_ms());
    let answer = domain.outbound().send(request).await;
    if let Err(error) = &answer {
        let (workspace, item) = (delivery.workspace(), delivery.id());
        tracing::warn!(workspace, item, %error, "a webhook's receiver gave no answer");
    }
    judged(answer)
}

fn judged(answer: Result<OutboundAnswer, OutboundError>) -> Result<(), SendError> {
    let again = |text: &str| Err(SendError::Transient(text.to_owned()));
    match answer {
        Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
        Ok(answer) => again(&format!("The receiver answered {}.", answer.status)),
        Err(OutboundError::Refused(_)) => {
            let text =
                "This server may not reach the URL: its operator allows hosts in outbound.allow.";
            Err(SendError::Permanent(text.to_owned()))
        }
        Err(OutboundError::Unreachable(_)) => again("The receiver cannot be reached."),
        Err(OutboundError::TimedOut) => again("The receiver did not answer in time."),
        Err(OutboundError::TooLarge) => again("The receiver's answer is too large."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_2xx_is_taken_and_only_a_refused_url_is_given_up() {
        let answer = |status| {
            judged(Ok(OutboundAnswer {
                status,
                headers: Vec::new(),
                body: Vec::new(),
            }))
        };
        for status in [200, 201, 204, 299] {
            assert_eq!(answer(status), Ok(()));
        }
        for status in [199, 301, 400, 404, 408, 410, 429, 500, 503] {
            assert!(matches!(answer(status), Err(SendError::Transient(_))));
        }
        let refused = judged(Err(OutboundError::Refused("10.0.0.1 is private".into())));
        let Err(SendError::Permanent(text)) = refused else {
            panic!("{refused:?}");
        };
        assert!(!text.contains("10.0.0.1"), "{text}");
        for error in [
            OutboundError::Unreachable("connection refused by db.intra".into()),
            OutboundError::TimedOut,
            OutboundError::TooLarge,
        ] {
            let Err(SendError::Transient(text)) = judged(Err(error)) else {
                panic!("is to be tried again");
            };
            assert!(!text.contains("intra"), "{text}");
        }
    }
}
