//! Who calls: the bearer token of RFC 6750 section 2.1. The vendor's client sends what its user typed, so the scheme may be
//! in any case.

use axum::http::{HeaderMap, header::AUTHORIZATION, request::Parts};
use domain::{Caller, Domain, Mount};

use super::{DIALECT, error::Problem};

/// The caller behind the request's token.
pub async fn caller(domain: &Domain, parts: &Parts) -> Result<Caller, Problem> {
    let token = credentials(&parts.headers, "bearer").ok_or_else(|| {
        Problem::unauthenticated("The request needs one Authorization header with a Bearer token.")
    })?;
    Ok(domain
        .caller_by_access_token(mount(parts), DIALECT, token)
        .await?)
}

/// What follows the scheme in the request's only Authorization header, if that is the scheme. `scheme` is lower-case.
pub fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (only, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (named, rest) = only.to_str().ok()?.trim().split_once(' ')?;
    named.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// Which workspace the path or host named.
pub fn mount(parts: &Parts) -> Mount {
    parts.extensions.get::<Mount>().copied().unwrap_or_default()
}
