//! How an answer tells its caller's quota: `x-ratelimit-limit`, `-remaining` and `-reset`, as the vendors name them.

use axum::{http::HeaderName, response::Response};
use domain::Rate;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The reset is the Unix second from which a call may be made. There is no Retry-After: the vendors send none, and with one
/// their clients would wait and repeat on their own.
pub(crate) fn note(response: &mut Response, rate: Rate, now_ms: i64) {
    let wait_ms = i64::try_from(rate.wait_ms).unwrap_or(i64::MAX);
    let free_ms = now_ms.saturating_add(wait_ms);
    let reset = free_ms.div_euclid(1_000) + i64::from(!rate.allowed && free_ms % 1_000 != 0);
    let headers = response.headers_mut();
    headers.insert(LIMIT, rate.limit.into());
    headers.insert(REMAINING, rate.remaining.into());
    headers.insert(RESET, reset.into());
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn the_reset_is_when_a_call_may_be_made() {
        let reset = |allowed, wait_ms, now_ms| {
            let mut response = Response::new(Body::empty());
            let rate = Rate {
                allowed,
                limit: 250,
                remaining: 3,
                wait_ms,
            };
            note(&mut response, rate, now_ms);
            response.headers()[RESET].clone()
        };
        assert_eq!(reset(true, 0, 1_599_675_676_383), "1599675676");
        assert_eq!(reset(false, 240, 1_599_675_676_383), "1599675677");
        assert_eq!(reset(false, 617, 1_599_675_676_383), "1599675677");
        assert_eq!(reset(false, 618, 1_599_675_676_383), "1599675678");
    }
}
