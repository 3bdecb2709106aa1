//! How the values of the configuration are written. Each function answers with a sentence that says what would be right.

use std::{num::NonZeroU32, time::Duration};

use dialects::opendatasoft::ExpandedGroups;
use domain::RateLimit;

use super::LogFormat;
use crate::logging::Level;

type Parsed<T> = std::result::Result<T, String>;

pub(super) fn not_empty(text: &str) -> Parsed<String> {
    if text.trim().is_empty() {
        Err("it must not be empty".into())
    } else {
        Ok(text.to_owned())
    }
}

pub(super) fn boolean(text: &str) -> Parsed<bool> {
    match text {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err("it must be true or false".into()),
    }
}

pub(super) fn number(text: &str, min: usize, max: usize) -> Parsed<usize> {
    let number = text
        .replace('_', "")
        .parse()
        .ok()
        .filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| format!("it must be a number from {min} to {max}"))
}

/// A number and one of the units ms, s, m, h.
pub(super) fn duration(text: &str) -> Parsed<Duration> {
    let (number, unit) = split(text);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        _ => 0u64,
    };
    let time = number
        .and_then(|number| number.checked_mul(millis))
        .filter(|millis| (1..=86_400_000).contains(millis));
    time.map(Duration::from_millis)
        .ok_or_else(|| "it must be a time of at most 24h, such as 900s, 15m or 250ms".into())
}

/// Bytes with a unit of 1,000 (kB, MB, GB) or 1,024 (KiB, MiB, GiB); `off` is no limit.
pub(super) fn size(text: &str) -> Parsed<Option<u64>> {
    if text == "off" {
        return Ok(None);
    }
    let (number, unit) = split(text);
    let bytes = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        _ => 0u64,
    };
    let size = number
        .and_then(|number| number.checked_mul(bytes))
        .filter(|bytes| *bytes > 0);
    size.map(Some)
        .ok_or_else(|| "it must be a size such as 500MB or 20GiB, or off".into())
}

/// The least that sets may have of the memory, since a few are in use at any time.
const SETS_MEMORY_MIN: u64 = 1 << 20;
/// What sets have where it is not known what the machine has, and at least.
const SETS_MEMORY_DEFAULT: u64 = 64 << 20;

/// A size; `auto` is a quarter of the memory that there is for this process, `none` keeps no set for longer than it is used.
pub(super) fn sets_memory(text: &str) -> Parsed<u64> {
    match text {
        "auto" => return Ok((memory() / 4).max(SETS_MEMORY_DEFAULT)),
        "none" => return Ok(0),
        _ => {}
    }
    size(text)
        .ok()
        .flatten()
        .filter(|bytes| *bytes >= SETS_MEMORY_MIN)
        .ok_or_else(|| "it must be a size of at least 1MiB such as 4GiB, auto or none".into())
}

/// Bytes of memory of the machine, or of the control group that this process is confined to; 0 where neither is told.
fn memory() -> u64 {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let machine = read("/proc/meminfo")
        .lines()
        .find_map(|line| {
            line.strip_prefix("MemTotal:")?
                .trim()
                .strip_suffix("kB")?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or(0u64)
        .saturating_mul(1 << 10);
    // Under version 1 of control groups, and where there is none, it is not there or says max.
    let group = read("/sys/fs/cgroup/memory.max").trim().parse();
    group.unwrap_or(machine).min(machine)
}

/// `250/min`; `off` is no limit.
pub fn rate(text: &str) -> Parsed<Option<RateLimit>> {
    if text == "off" {
        return Ok(None);
    }
    let per_minute = text
        .strip_suffix("/min")
        .and_then(|number| number.trim().parse::<NonZeroU32>().ok());
    let limit = per_minute.map(|per_minute| Some(RateLimit { per_minute }));
    limit.ok_or_else(|| "it must be requests a minute such as 250/min, or off".into())
}

/// What a provider's paths are put behind: https, or http where outbound.allow has the host.
pub(super) fn base_url(text: &str) -> Parsed<String> {
    let url = text.trim_end_matches('/');
    let scheme = url.split_once("://");
    let rest = scheme.filter(|(scheme, _)| ["https", "http"].contains(scheme));
    let right = |rest: &str| {
        let odd = |c: char| c.is_whitespace() || c.is_control() || "?#@\\".contains(c);
        !rest.is_empty() && !rest.starts_with([':', '/']) && !rest.contains(odd)
    };
    if rest.is_some_and(|(_, rest)| right(rest)) {
        return Ok(url.to_owned());
    }
    Err("it must be a URL such as https://api.example.com, without a query".into())
}

pub(super) fn log_format(text: &str) -> Parsed<LogFormat> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("it must be auto, text or json".into()),
    }
}

pub(super) fn log_level(text: &str) -> Parsed<Level> {
    Level::parse(text).ok_or_else(|| "it must be error, warn, info, debug or trace".into())
}

fn split(text: &str) -> (Option<u64>, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '_')
        .unwrap_or(text.len());
    (
        text[..end].replace('_', "").parse().ok(),
        text[end..].trim(),
    )
}

pub(super) fn consents_open(text: &str) -> Parsed<bool> {
    match text {
        "open" => Ok(true),
        "authenticated" => Ok(false),
        _ => Err("must be open or authenticated".into()),
    }
}

pub(super) fn expanded_groups(text: &str) -> Parsed<ExpandedGroups> {
    match text {
        "auto" => Ok(ExpandedGroups::Auto),
        "full" => Ok(ExpandedGroups::Full),
        "uid" => Ok(ExpandedGroups::Uid),
        _ => Err("must be auto, full or uid".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_with_their_units() {
        assert_eq!(duration("900s"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("15 m"), Ok(Duration::from_secs(900)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(size("20GiB"), Ok(Some(20 << 30)));
        assert_eq!(size("1_000 kB"), Ok(Some(1_000_000)));
        assert_eq!((size("off"), rate("off")), (Ok(None), Ok(None)));
        assert_eq!(
            rate("250/min").map(|rate| rate.map(|rate| rate.per_minute.get())),
            Ok(Some(250))
        );
        assert_eq!(number("8_192", 1, 10_000), Ok(8_192));
    }

    #[test]
    fn what_is_no_value_says_what_would_be() {
        for wrong in ["", "900", "25h", "0s", "s", "-1s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "0", "1TBx", "99999999999999GiB"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        for wrong in ["250", "250/s", "0/min", "4294967296/min"] {
            assert!(rate(wrong).is_err(), "{wrong}");
        }
        assert!(number("0", 1, 5).is_err() && boolean("on").is_err());
    }
}
