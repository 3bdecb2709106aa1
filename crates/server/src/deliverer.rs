//! Events over HTTP: one request a delivery, through the client with the rules on what may be reached.
//!
//! What it is not: retries; [`crate::outbox_worker`] decides what is sent and is told how it went. Invariant: what is kept
//! of a failure says no more than a status. A workspace's administrators read it, and they are not to learn from it what
//! the operator's network holds; the log is told more.

use dialects::delivery;
use domain::{Domain, OutboundAnswer, OutboundError, SendError, WebhookClaim};

/// Sends one event. Any 2xx takes it; whatever else is answered may be mended, 4xx and redirections too, unless the
/// webhook's protocol says otherwise.
pub async fn deliver(domain: &Domain, claim: &WebhookClaim) -> Result<(), SendError> {
    let request = delivery::request(claim, domain.now_ms());
    let answer = domain.outbound().send(request).await;
    if let Err(error) = &answer {
        let (workspace, item) = (claim.workspace(), claim.id());
        tracing::warn!(workspace, item, %error, "a webhook's receiver gave no answer");
    }
    judged(&claim.dialect, answer)
}

fn judged(dialect: &str, answer: Result<OutboundAnswer, OutboundError>) -> Result<(), SendError> {
    let again = |text: &str| Err(SendError::Transient(text.to_owned()));
    match answer {
        Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
        Ok(answer) => {
            let text = format!("The receiver answered {}.", answer.status);
            if delivery::is_final(dialect, answer.status) {
                return Err(SendError::Permanent(text));
            }
            again(&text)
        }
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
        let told = |dialect: &str, status| {
            let answer = OutboundAnswer {
                status,
                headers: Vec::new(),
                body: Vec::new(),
            };
            judged(dialect, Ok(answer))
        };
        let answer = |status| told("native", status);
        for status in [200, 201, 204, 299] {
            assert_eq!(answer(status), Ok(()));
        }
        for status in [199, 301, 400, 404, 408, 410, 429, 500, 503] {
            assert!(matches!(answer(status), Err(SendError::Transient(_))));
        }
        let last = told("sunshine", 404);
        assert_eq!(
            last,
            Err(SendError::Permanent("The receiver answered 404.".into()))
        );
        assert!(matches!(
            told("sunshine", 500),
            Err(SendError::Transient(_))
        ));
        let refused = judged(
            "native",
            Err(OutboundError::Refused("10.0.0.1 is private".into())),
        );
        let Err(SendError::Permanent(text)) = refused else {
            panic!("{refused:?}");
        };
        assert!(!text.contains("10.0.0.1"), "{text}");
        for error in [
            OutboundError::Unreachable("connection refused by db.intra".into()),
            OutboundError::TimedOut,
            OutboundError::TooLarge,
        ] {
            let Err(SendError::Transient(text)) = judged("native", Err(error)) else {
                panic!("is to be tried again");
            };
            assert!(!text.contains("intra"), "{text}");
        }
    }
}
