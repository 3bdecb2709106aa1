//! The port through which the domain reaches other servers over HTTP: identity providers now, and later whatever else leaves.
//!
//! What it is: a request, an answer, why there is none. What it is not: a client. The server implements it once, with the
//! rules on which addresses may be reached at all, and puts it into [`crate::Options`].
//! Invariant: no verb holds a transaction open while it waits for an answer.

use std::{fmt, pin::Pin, time::Duration};

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboundMethod {
    Get,
    Post,
}

/// A request to another server. No redirect is followed; the caller sees the 3xx answer.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboundRequest {
    pub method: OutboundMethod,
    /// Absolute; `https`, or `http` where the operator has allowed the host.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// An answer with a longer body is [`OutboundError::TooLarge`].
    pub bytes_max: usize,
    /// From the name's look-up to the last byte of the answer.
    pub time_max: Duration,
}

/// Headers, query and body may hold secrets.
impl fmt::Debug for OutboundRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.url.split(['?', '#']).next().unwrap_or_default();
        write!(f, "OutboundRequest({:?} {shown}, ***)", self.method)
    }
}

/// What the other server said, whatever its status.
#[derive(Clone, PartialEq, Eq)]
pub struct OutboundAnswer {
    pub status: u16,
    /// Names in lower case, in the order received; values that are not text are left out.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl OutboundAnswer {
    /// The first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The body may hold secrets.
impl fmt::Debug for OutboundAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.body.len();
        write!(f, "OutboundAnswer({}, {bytes} bytes)", self.status)
    }
}

/// Why there is no answer. The texts are for the operator's log, not for callers: they would tell what an intranet holds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The URL or its address may not be reached; trying again changes nothing until the configuration does.
    #[error("refused: {0}")]
    Refused(String),
    /// The name has no address, or nobody answers, or the connection or its TLS failed.
    #[error("unreachable: {0}")]
    Unreachable(String),
    #[error("no whole answer in time")]
    TimedOut,
    #[error("the answer is larger than allowed")]
    TooLarge,
}

/// An answer on its way.
pub type OutboundFuture<'a> =
    Pin<Box<dyn Future<Output = Result<OutboundAnswer, OutboundError>> + Send + 'a>>;

/// Sends requests to other servers.
pub trait Outbound: fmt::Debug + Send + Sync {
    fn send(&self, request: OutboundRequest) -> OutboundFuture<'_>;

    /// Whether a request to this URL would be refused whatever its host's name resolves to. That it would not be says
    /// little: a name is judged when something is sent.
    fn refuses(&self, _url: &str) -> bool {
        false
    }
}

/// Refuses every request: for a domain that reaches nobody, as most tests'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboundRefused;

impl Outbound for OutboundRefused {
    fn send(&self, _request: OutboundRequest) -> OutboundFuture<'_> {
        let refused = OutboundError::Refused("this domain reaches no other server".into());
        Box::pin(std::future::ready(Err(refused)))
    }
}
