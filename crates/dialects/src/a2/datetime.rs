//! Dates and times as the vendor's clients write them: ISO 8601 with a T or a blank, with or without seconds and offset, or a
//! date alone.

/// Whether it is one; else what is wrong.
pub fn check(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    if bytes.len() < 10 {
        return Err("input is too short");
    }
    let (date, time) = bytes.split_at(10);
    let year = number(&date[..4], 0, 9_999).ok_or("invalid character in year")?;
    if date[4] != b'-' || date[7] != b'-' {
        return Err("invalid date separator, expected `-`");
    }
    let month =
        number(&date[5..7], 1, 12).ok_or("month value is outside expected range of 1-12")?;
    let days = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    number(&date[8..], 1, days).ok_or("day value is outside expected range")?;
    match time {
        [] => Ok(()),
        [b'T' | b't' | b' ' | b'_', time @ ..] => of_day(time),
        _ => Err("invalid datetime separator, expected `T`, `t`, `_` or space"),
    }
}

/// `HH:MM[:SS[.ffffff]][Z|+HH:MM|+HHMM|+HH]`
fn of_day(time: &[u8]) -> Result<(), &'static str> {
    const BAD: &str = "invalid time";
    let (hour, rest) = time.split_at_checked(2).ok_or("input is too short")?;
    number(hour, 0, 23).ok_or("hour value is outside expected range of 0-23")?;
    let rest = rest.strip_prefix(b":").ok_or("input is too short")?;
    let (minute, mut rest) = rest.split_at_checked(2).ok_or("input is too short")?;
    number(minute, 0, 59).ok_or("minute value is outside expected range of 0-59")?;
    if let Some(after) = rest.strip_prefix(b":") {
        let (second, after) = after.split_at_checked(2).ok_or("input is too short")?;
        number(second, 0, 59).ok_or("second value is outside expected range of 0-59")?;
        rest = after;
        if let Some(after) = rest.strip_prefix(b".") {
            let digits = after
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            rest = &after[digits..];
            if digits == 0 {
                return Err(BAD);
            }
        }
    }
    match rest {
        [] | [b'Z' | b'z'] => Ok(()),
        [b'+' | b'-', offset @ ..] => {
            let (hours, minutes) = offset.split_at_checked(2).ok_or(BAD)?;
            let minutes = minutes.strip_prefix(b":").unwrap_or(minutes);
            let whole = number(hours, 0, 23).is_some()
                && (minutes.is_empty() || number(minutes, 0, 59).is_some());
            if whole {
                Ok(())
            } else {
                Err("invalid timezone offset")
            }
        }
        _ => Err("unexpected extra characters at the end of the input"),
    }
}

/// A number of exactly the digits given, within bounds; four digits at most.
fn number(digits: &[u8], min: u32, max: u32) -> Option<u32> {
    let good = (digits.len() == 2 || digits.len() == 4) && digits.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(digits).ok().filter(|_| good)?;
    text.parse()
        .ok()
        .filter(|value| (min..=max).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_write_is_taken() {
        for text in [
            "2025-04-12 16:47:03.773",
            "2025-04-12T16:47:03.773Z",
            "2025-04-12T16:47:03+09:00",
            "2025-04-12T16:47-0230",
            "2024-02-29",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2025-02-29",
            "2025-13-01",
            "2025-04-12X16:47",
            "2025-04-12T24:00",
            "2025-04-12T16:47:03.",
            "2025-04-12T16:47:03+",
            "2025-04-12T16:47:03 and more",
            "２025-04-12",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
