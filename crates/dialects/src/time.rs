//! Times as RFC 3339 section 5.6 writes them, read into milliseconds since the Unix epoch. Writing is [`domain::rfc3339`].

/// Reads a time with a zone, as in `2026-11-22T02:10:44.000Z` or `2026-11-22T03:10:44+01:00`. What is finer than a
/// millisecond is dropped; a leap second is not taken.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let shape = |at: usize, any_of: &[u8]| bytes.get(at).is_some_and(|byte| any_of.contains(byte));
    let marks =
        shape(4, b"-") && shape(7, b"-") && shape(10, b"Tt ") && shape(13, b":") && shape(16, b":");
    if !marks {
        return None;
    }
    let (year, month, day) = (
        number(text, 0, 4)?,
        number(text, 5, 2)?,
        number(text, 8, 2)?,
    );
    let (hour, minute, second) = (
        number(text, 11, 2)?,
        number(text, 14, 2)?,
        number(text, 17, 2)?,
    );
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=month_days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (millis, zone) = fraction(&text[19..])?;
    let seconds =
        days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - zone_s(zone)?;
    Some(seconds * 1_000 + millis)
}

fn number(text: &str, at: usize, digits: usize) -> Option<i64> {
    let digits = text.get(at..at + digits)?;
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

/// The milliseconds of `.123456Z`, and the rest.
fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    let (digits, zone) = rest.split_at(end);
    let millis = format!("{digits:0<3}");
    (!digits.is_empty()).then_some((number(&millis, 0, 3)?, zone))
}

/// Seconds east of UTC.
fn zone_s(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'Z' | b'z' => return (text.len() == 1).then_some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = (number(text, 1, 2)?, number(text, 4, 2)?);
    let whole = text.len() == 6 && text.as_bytes()[3] == b':' && hours < 24 && minutes < 60;
    whole.then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Days since 1970-01-01, after Howard Hinnant's `days_from_civil`: eras of 400 years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_index = (month + 9) % 12;
    let day_of_year = (153 * month_index + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for time_ms in [
            0,
            1,
            951_782_400_000,
            1_599_675_676_383,
            4_102_444_799_999,
            -1,
            -62_135_596_800_000,
        ] {
            assert_eq!(parse(&domain::rfc3339(time_ms)), Some(time_ms));
        }
        for day in 0..200_000 {
            let time_ms = day * 86_400_000 + 12_345_678;
            assert_eq!(parse(&domain::rfc3339(time_ms)), Some(time_ms));
        }
    }

    #[test]
    fn zones_and_fractions() {
        assert_eq!(parse("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(parse("1969-12-31t16:30:00.5-07:30"), Some(500));
        assert_eq!(parse("1970-01-01 00:00:00.1239999z"), Some(123));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for wrong in [
            "",
            "2026-11-22",
            "2026-11-22T02:10:44",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+1:00",
            "2026-01-01T00:00:00+01:00x",
            "2026-01-01T00:00:00Zé",
            "+026-01-01T00:00:00Z",
            "2026-01-01T00:00:0éZ",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
