//! A2's *Auth and User*: accounts, sessions, consents, as the vendor's API has them.

use axum::Router;
use domain::Domain;

/// The name of this dialect in credentials, limits and metrics.
pub const DIALECT: &str = "a2";

/// What an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// How long a session's token is good for.
    pub token_life_s: u64,
    /// Consents are open to whoever knows account and address, as the vendor documents it; else only to the account itself.
    pub consents_open: bool,
}

/// Everything below `/a2`; the paths are absolute.
pub fn router(_domain: Domain, _options: Options) -> Router {
    Router::new()
}
