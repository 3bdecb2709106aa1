//! Criteo Marketing API v1: audiences.

/// The name of this dialect in credentials, limits and metrics.
pub const DIALECT: &str = "criteo";
