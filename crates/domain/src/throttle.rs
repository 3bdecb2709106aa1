//! Throttling of what anybody may try: sign-ins, mails, registrations. By account and by address; with a delay that grows,
//! and no lock that stays.

use store::{Sql, Throttle, Tx, Verdict};

use crate::{
    caller::{Context, Visit},
    error::{Error, Result},
    limits,
    service::Domain,
};

/// What is throttled: sixteen bytes of a hash that is keyed with the workspace's secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ThrottleKey([u8; 16]);

impl std::fmt::Debug for ThrottleKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ThrottleKey(***)")
    }
}

/// Beyond the kinds of identifiers, whose keys are made with the same secret.
const KIND: u8 = 0xfe;
const HOUR_MS: i64 = 3_600 * 1_000;

/// How many failures are free, before each further one makes the next wait twice as long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    pub free: i64,
    pub wait_ms_max: i64,
}

/// Fails where the key has to wait.
pub(crate) fn check(sql: &mut dyn Sql, key: ThrottleKey, now: i64) -> Result<()> {
    let throttle = store::throttle_get(sql, &key.0)?;
    if throttle.free_at > now {
        return Err(Error::RateLimited {
            retry_after_ms: u64::try_from(throttle.free_at - now).unwrap_or_default(),
        });
    }
    Ok(())
}

/// Notes a failure under the key.
pub(crate) fn failed(tx: &mut Tx<'_, '_>, key: ThrottleKey, allowance: Allowance) -> Result<()> {
    let now = tx.meta().time;
    let before = store::throttle_get(tx, &key.0)?;
    let forgotten = now - before.updated > limits::FAILURES_KEPT_MS;
    let failures = if forgotten { 1 } else { before.failures + 1 };
    let throttle = Throttle {
        failures,
        free_at: now + delay_ms(failures - allowance.free).min(allowance.wait_ms_max),
        updated: now,
    };
    Ok(store::throttle_put(tx, &key.0, &throttle)?)
}

/// A second after the first failure too many, twice as long after each further one.
fn delay_ms(too_many: i64) -> i64 {
    if too_many < 1 {
        return 0;
    }
    (500i64 << too_many.min(20)).min(limits::SIGN_IN_WAIT_MS_MAX)
}

pub(crate) fn forget(tx: &mut Tx<'_, '_>, key: ThrottleKey) -> Result<()> {
    Ok(store::throttle_delete(tx, &key.0)?)
}

/// Counts one under the key; false where there were as many as allowed within the hour that began with the first.
pub(crate) fn count(tx: &mut Tx<'_, '_>, key: ThrottleKey, an_hour_max: i64) -> Result<bool> {
    let now = tx.meta().time;
    let before = store::throttle_get(tx, &key.0)?;
    // Here `free_at` is when the hour began, and lies in the past.
    let anew = before.failures == 0 || now - before.free_at >= HOUR_MS;
    let (counted, began) = if anew {
        (1, now)
    } else {
        (before.failures + 1, before.free_at)
    };
    if counted > an_hour_max {
        return Ok(false);
    }
    let throttle = Throttle {
        failures: counted,
        free_at: began,
        updated: now,
    };
    store::throttle_put(tx, &key.0, &throttle)?;
    Ok(true)
}

impl Domain {
    /// The key of something that is tried: what it is, and under which name or address.
    pub(crate) async fn throttle_key(
        &self,
        workspace: i64,
        what: &str,
        name: &str,
    ) -> Result<ThrottleKey> {
        let lookup = self.store().lookup(workspace).await?;
        let secret = lookup.secret();
        let key = secret.key(KIND, what.as_bytes(), name.as_bytes());
        Ok(ThrottleKey(*key.as_bytes()))
    }

    /// The key of the address that a visit comes from; nothing where it is not known.
    pub(crate) async fn address_key(
        &self,
        workspace: i64,
        what: &str,
        visit: &Visit,
    ) -> Result<Option<ThrottleKey>> {
        let Some(address) = visit.address else {
            return Ok(None);
        };
        // Somebody who has one address of IPv6 has 2^64 of them.
        let network = match address {
            std::net::IpAddr::V4(address) => address.to_string(),
            std::net::IpAddr::V6(address) => address.segments()[..4]
                .iter()
                .map(|part| format!("{part:x}:"))
                .collect(),
        };
        self.throttle_key(workspace, what, &network).await.map(Some)
    }

    /// Refuses a visit where there were too many of its kind from its address within an hour.
    pub(crate) async fn throttle_visits(
        &self,
        context: &Context,
        visit: &Visit,
        what: &'static str,
    ) -> Result<()> {
        self.throttle_visits_to(context, visit, what, limits::VISITS_AN_HOUR_MAX)
            .await
    }

    /// [`Self::throttle_visits`] with a limit of its own.
    pub(crate) async fn throttle_visits_to(
        &self,
        context: &Context,
        visit: &Visit,
        what: &'static str,
        an_hour_max: i64,
    ) -> Result<()> {
        let workspace = context.caller.workspace;
        let Some(key) = self.address_key(workspace, what, visit).await? else {
            return Ok(());
        };
        self.command(context, "throttle", 1, move |tx| {
            if count(tx, key, an_hour_max)? {
                return Ok(Verdict::Done(()));
            }
            Err(Error::RateLimited {
                retry_after_ms: HOUR_MS as u64,
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_grows_and_has_an_end() {
        assert_eq!([-5, 0, 1, 2, 3].map(delay_ms), [0, 0, 1_000, 2_000, 4_000]);
        assert_eq!(delay_ms(50), limits::SIGN_IN_WAIT_MS_MAX);
        assert_eq!(delay_ms(i64::MAX), limits::SIGN_IN_WAIT_MS_MAX);
    }
}
