//! Times in the native API: RFC 3339, read by [`crate::time`].

use super::problem::Problem;

pub(crate) use crate::time::parse;

/// The time at which something ends, of the field `expires`.
pub(crate) fn expiry(text: &str) -> Result<i64, Problem> {
    parse(text).ok_or_else(|| {
        Problem::invalid(
            "expires",
            "malformed",
            "The expiry must be a time as in 2030-01-31T00:00:00.000Z.",
        )
    })
}
