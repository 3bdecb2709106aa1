//! Opendatasoft Automation API v1.0: users, user groups and API keys.

use axum::Router;
use domain::Domain;

/// The name of this dialect in credentials, limits and metrics.
pub const DIALECT: &str = "opendatasoft";

/// How the groups of a user are written where a request asks for them expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpandedGroups {
    /// Whole, but without their title to the generated Python client, which cannot read them.
    Auto,
    /// Whole, as the vendor documents it.
    Full,
    /// As where they are not expanded.
    Uid,
}

/// What an operator may choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub expanded_groups: ExpandedGroups,
}

/// Everything below `/opendatasoft`; the paths are absolute.
pub fn router(_domain: Domain, _options: Options) -> Router {
    Router::new()
}
