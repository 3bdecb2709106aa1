//! The fields of a record: what each may hold, and what a change makes of them.
//!
//! Not whose it is, nor who else has its reference; `record` settles that in a command.

use serde_json::{Map, Value};
use store::RecordRow;

use crate::{
    email::Email,
    error::{Error, Result},
    limits,
    record::RecordChange,
};

/// A text of 1 to `max` characters without control characters, trimmed; an empty one is none.
fn short(field: &'static str, text: Option<String>, max: usize) -> Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.chars().count() > max || text.chars().any(char::is_control) {
        let say = format!("It must be at most {max} characters without control characters.");
        return Err(Error::invalid(field, "malformed", say));
    }
    Ok(Some(text.to_owned()))
}

/// A date of the calendar as `YYYY-MM-DD` (ISO 8601), 0001 to 9999.
fn date(field: &'static str, text: Option<String>) -> Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    let bad = || {
        let say = "A date must be a day of the calendar, written as YYYY-MM-DD.";
        Error::invalid(field, "malformed", say)
    };
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shaped {
        return Err(bad());
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u32>().unwrap_or_default();
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    if year == 0 || !(1..=days).contains(&day) {
        return Err(bad());
    }
    Ok(Some(text))
}

fn profile(text: String) -> Result<String> {
    let text = if text.is_empty() { "{}".into() } else { text };
    // JSON writes a NUL as six characters; PostgreSQL's text could not hold one.
    if text.len() > limits::PROFILE_BYTES_MAX || text.contains('\0') {
        let say = format!(
            "A profile is at most {} bytes of JSON.",
            limits::PROFILE_BYTES_MAX
        );
        return Err(Error::invalid("profile", "too_large", say));
    }
    Ok(text)
}

/// The fields of a record, checked.
pub(crate) fn checked(mut row: RecordRow) -> Result<RecordRow> {
    row.reference = short(
        "reference",
        row.reference,
        limits::RECORD_REFERENCE_CHARS_MAX,
    )?;
    row.first_name = short("first_name", row.first_name, limits::NAME_CHARS_MAX)?;
    row.last_name = short("last_name", row.last_name, limits::NAME_CHARS_MAX)?;
    row.starts = date("starts", row.starts)?;
    row.ends = date("ends", row.ends)?;
    row.profile = profile(row.profile)?;
    let email = match row.email.as_deref().map(str::trim) {
        None | Some("") => None,
        Some(text) => Some(Email::parse(text)?),
    };
    row.email_key = email.as_ref().map(|email| email.key().to_owned());
    row.email = email.map(|email| email.as_str().to_owned());
    if row.reference.is_none() && row.email.is_none() {
        let say = "A record needs a reference or an e-mail address.";
        return Err(Error::invalid("reference", "required", say));
    }
    if let (Some(starts), Some(ends)) = (&row.starts, &row.ends)
        && ends < starts
    {
        let say = "The end date must not lie before the start date.";
        return Err(Error::invalid("ends", "before_start", say));
    }
    Ok(row)
}

pub(crate) fn valid_source(source: &str) -> Result<()> {
    let good = (1..=limits::SOURCE_CHARS_MAX).contains(&source.len())
        && source
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if good {
        return Ok(());
    }
    Err(Error::invalid(
        "source",
        "malformed",
        "A source is named with lower-case letters, digits and underscores.",
    ))
}

/// An address as it is compared, whether it is one or not.
pub(crate) fn email_key(text: &str) -> String {
    match Email::parse(text) {
        Ok(email) => email.key().to_owned(),
        Err(_) => text.trim().to_lowercase(),
    }
}

pub(crate) fn empty_row(source: &str) -> RecordRow {
    RecordRow {
        id: 0,
        source: source.to_owned(),
        person: 0,
        reference: None,
        email: None,
        email_key: None,
        first_name: None,
        last_name: None,
        active: true,
        ended: false,
        starts: None,
        ends: None,
        profile: String::new(),
        created: 0,
        updated: 0,
    }
}

pub(crate) fn changed(mut row: RecordRow, change: &RecordChange) -> Result<RecordRow> {
    let put = |field: &mut Option<String>, new: &Option<Option<String>>| {
        if let Some(new) = new {
            field.clone_from(new);
        }
    };
    put(&mut row.reference, &change.reference);
    put(&mut row.email, &change.email);
    put(&mut row.first_name, &change.first_name);
    put(&mut row.last_name, &change.last_name);
    put(&mut row.starts, &change.starts);
    put(&mut row.ends, &change.ends);
    row.active = change.active.unwrap_or(row.active);
    if let Some(profile) = &change.profile {
        row.profile = merged(&row.profile, profile)?;
    }
    Ok(row)
}

/// A profile with the fields of another, of which null takes one away.
fn merged(profile: &str, change: &str) -> Result<String> {
    let malformed = |_| Error::invalid("profile", "malformed", "A profile must be a JSON object.");
    let change: Map<String, Value> = serde_json::from_str(change).map_err(malformed)?;
    let mut fields: Map<String, Value> = serde_json::from_str(profile).unwrap_or_default();
    for (name, value) in change {
        if value.is_null() {
            fields.remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
    Ok(Value::Object(fields).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_of_the_calendar() {
        let good = |text: &str| date("ends", Some(text.to_owned())).is_ok();
        for text in [
            "2026-01-31",
            "2024-02-29",
            "2000-02-29",
            "0001-01-01",
            "9999-12-31",
        ] {
            assert!(good(text), "{text}");
        }
        for text in [
            "",
            "2026-1-31",
            "31-01-2026",
            "2026/01/31",
            "2026-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-04-31",
            "2026-01-00",
            "0000-01-01",
            "2026-01-31T00:00:00Z",
            "2026-01-3\u{661}",
        ] {
            assert!(!good(text), "{text}");
        }
        assert_eq!(date("ends", None), Ok(None));
    }
}
