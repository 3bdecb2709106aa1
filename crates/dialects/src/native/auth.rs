//! Who calls: the bearer token of RFC 6750 section 2.1, and the caller's quota of requests.

use axum::{
    extract::{Request, State},
    http::{Extensions, HeaderMap, HeaderValue, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{Caller, Domain, Error, Mount, NATIVE, Rate};

use super::problem::Problem;
use crate::request::Outcome;

/// Stands before every operation: finds the caller, counts the request, and says in the answer what is left.
pub(crate) async fn gate(
    State(domain): State<Domain>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match authenticate(&domain, request.extensions(), request.headers()).await {
        Ok(caller) => caller,
        Err(error) => return Problem::from(error).into_response(),
    };
    let outcome = Outcome {
        workspace: Some(caller.workspace),
        credential: Some(caller.credential),
        ..Outcome::default()
    };
    let rate = domain.rate_check(NATIVE, caller.workspace, caller.actor());
    let mut response = match rate {
        Some(Rate {
            allowed: false,
            wait_ms,
            ..
        }) => Problem::from(Error::RateLimited {
            retry_after_ms: wait_ms,
        })
        .into_response(),
        _ => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
    };
    if let Some(rate) = rate {
        write_rate(&rate, response.headers_mut());
    }
    response.extensions_mut().insert(outcome);
    response
}

async fn authenticate(
    domain: &Domain,
    extensions: &Extensions,
    headers: &HeaderMap,
) -> Result<Caller, Error> {
    let token = bearer(headers).ok_or(Error::Unauthenticated(
        "A bearer token is needed: Authorization: Bearer thr_...",
    ))?;
    let mount = extensions.get::<Mount>().copied().unwrap_or_default();
    domain.caller_by_api_token(mount, token).await
}

/// The token; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers
        .get(header::AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The headers of draft-ietf-httpapi-ratelimit-headers-11: the quota of 60 seconds, what is left of it, and in how many
/// seconds it is whole again; of a refused request, in how many seconds the next may come, as in Retry-After.
fn write_rate(rate: &Rate, headers: &mut HeaderMap) {
    let used = u64::from(rate.limit.saturating_sub(rate.remaining));
    let whole_s = (used * 60).div_ceil(u64::from(rate.limit.max(1)));
    let reset_s = if rate.allowed {
        whole_s
    } else {
        rate.wait_ms.div_ceil(1_000)
    };
    let fields = [
        (
            "ratelimit-policy",
            format!("\"default\";q={};w=60", rate.limit),
        ),
        (
            "ratelimit",
            format!("\"default\";r={};t={reset_s}", rate.remaining),
        ),
    ];
    for (name, value) in fields {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}
