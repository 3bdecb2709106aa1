//! What surrounds a request and its answer: the request's id, where it comes from, and what the log is told beyond the status.

use std::net::{IpAddr, Ipv4Addr};

use axum::http::Extensions;

/// The id of a request, set by the server's outermost layer and echoed in `x-request-id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// Put into the extensions of a response, for the log line of the request: ids and reasons, no personal data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    pub workspace: Option<i64>,
    pub credential: Option<i64>,
    /// Why it failed, where the public text does not say.
    pub context: Option<String>,
    /// No route of the dialect matched.
    pub unmatched: bool,
}

/// The request's id; empty where the layer is absent (tests of a dialect alone).
pub fn request_id(extensions: &Extensions) -> String {
    extensions
        .get::<RequestId>()
        .map(|id| id.0.clone())
        .unwrap_or_default()
}

/// How a client wrote what [`crate::mount::resolve`] has rewritten, for answers that hold URLs. Absent where nothing was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Host name and port, where the name is in the operator's table. Any other Host header is not believed.
    pub authority: Option<String>,
    /// The path, before anything was put in front of it or taken away.
    pub path: String,
}

/// The address that a request comes from, set by the server's outermost layer: the peer's, or the one that a trusted proxy
/// names. For throttling, never for a decision on what a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The request's address; the unspecified one where the layer is absent (tests of a dialect alone).
pub fn client_address(extensions: &Extensions) -> IpAddr {
    extensions
        .get::<ClientAddress>()
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.0)
}
