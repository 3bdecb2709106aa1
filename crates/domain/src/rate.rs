//! Rate limits by credential, one quota for each dialect. Kept in the process: two processes allow twice as much.

use std::{collections::HashMap, num::NonZeroU32};

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DefaultKeyedStateStore,
};

/// So many requests a minute; a caller that was quiet may send as many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    pub per_minute: NonZeroU32,
}

/// What a request found: the numbers for the headers, and whether it may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub allowed: bool,
    pub limit: u32,
    pub remaining: u32,
    /// Milliseconds until a request may be made; 0 where one may be made now.
    pub wait_ms: u64,
}

type Key = (i64, i64);
type Limiter =
    RateLimiter<Key, DefaultKeyedStateStore<Key>, DefaultClock, StateInformationMiddleware>;

/// Callers remembered by a limiter before those at rest are forgotten.
const CALLERS_MAX: usize = 10_000;

pub(crate) struct Rates {
    limiters: HashMap<String, (RateLimit, Limiter)>,
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(
                self.limiters
                    .iter()
                    .map(|(dialect, (limit, _))| (dialect, limit)),
            )
            .finish()
    }
}

impl Rates {
    pub(crate) fn new(limits: &HashMap<String, RateLimit>) -> Rates {
        let limiters = limits.iter().map(|(dialect, limit)| {
            let quota = Quota::per_minute(limit.per_minute);
            (
                dialect.clone(),
                (
                    *limit,
                    RateLimiter::keyed(quota).with_middleware::<StateInformationMiddleware>(),
                ),
            )
        });
        Rates {
            limiters: limiters.collect(),
        }
    }

    /// Counts a request; nothing where the dialect has no limit.
    pub(crate) fn check(&self, dialect: &str, workspace: i64, credential: i64) -> Option<Rate> {
        let (limit, limiter) = self.limiters.get(dialect)?;
        if limiter.len() > CALLERS_MAX {
            limiter.retain_recent();
        }
        let limit = limit.per_minute.get();
        Some(match limiter.check_key(&(workspace, credential)) {
            Ok(state) => Rate {
                allowed: true,
                limit,
                remaining: state.remaining_burst_capacity(),
                wait_ms: 0,
            },
            Err(not_yet) => {
                let wait = not_yet.wait_time_from(limiter.clock().now());
                Rate {
                    allowed: false,
                    limit,
                    remaining: 0,
                    wait_ms: (wait.as_millis() as u64).max(1),
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_credential_has_its_own_quota() {
        let limit = RateLimit {
            per_minute: NonZeroU32::new(3).expect("not zero"),
        };
        let rates = Rates::new(&HashMap::from([("one".to_owned(), limit)]));
        let remaining: Vec<u32> = (0..3)
            .filter_map(|_| rates.check("one", 1, 1))
            .map(|rate| rate.remaining)
            .collect();
        assert_eq!(remaining, [2, 1, 0]);
        let refused = rates.check("one", 1, 1).expect("is limited");
        assert!(!refused.allowed && refused.wait_ms > 0);
        assert!(rates.check("one", 1, 2).expect("is limited").allowed);
        assert!(rates.check("one", 2, 1).expect("is limited").allowed);
        assert_eq!(rates.check("other", 1, 1), None);
    }
}
