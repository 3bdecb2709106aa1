//! Who calls: an API key in `Authorization`, with or without the word `Apikey`, or in the query. Either is enough, and one
//! that is wrong does not spoil the other: the vendor's sample program sends the key both ways, without the word.

use axum::http::{header::AUTHORIZATION, request::Parts};
use domain::{Caller, Domain, Error, Mount};

use super::DIALECT;

/// The query parameter that carries a key.
pub const QUERY_KEY: &str = "apikey";

/// The caller behind the request's key.
pub async fn caller(domain: &Domain, parts: &Parts) -> Result<Caller, Error> {
    let mount = parts.extensions.get::<Mount>().copied().unwrap_or_default();
    let mut refused = Error::Unauthenticated(
        "An API key is needed: in the header Authorization, as Apikey KEY, or in the query, as apikey=KEY.",
    );
    for key in [in_header(parts), in_query(parts)].into_iter().flatten() {
        match domain.caller_by_secret(mount, DIALECT, &key).await {
            Err(error @ Error::Unauthenticated(_)) => refused = error,
            found => return found,
        }
    }
    Err(refused)
}

/// What follows `Apikey`, in any letter case, or a word without a scheme.
fn in_header(parts: &Parts) -> Option<String> {
    let text = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.trim();
    match text.split_once(' ') {
        None => Some(text.to_owned()),
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("apikey") => Some(key.trim().to_owned()),
        Some(_) => None,
    }
}

fn in_query(parts: &Parts) -> Option<String> {
    let query = parts.uri.query()?.as_bytes();
    let (_, key) = form_urlencoded::parse(query).find(|(name, _)| name == QUERY_KEY)?;
    Some(key.into_owned())
}
