//! Who calls: the bearer token of RFC 6750 section 2.1. The vendor's client sends what its user typed, so the scheme may be
//! in any case.

use axum::http::request::Parts;
use domain::{Caller, Domain};

use super::{DIALECT, error::Problem};
use crate::oauth::{credentials, mount};

/// The caller behind the request's token.
pub async fn caller(domain: &Domain, parts: &Parts) -> Result<Caller, Problem> {
    let token = credentials(&parts.headers, "bearer").ok_or_else(|| {
        Problem::unauthenticated("The request needs one Authorization header with a Bearer token.")
    })?;
    Ok(domain
        .caller_by_access_token(mount(parts), DIALECT, token)
        .await?)
}
