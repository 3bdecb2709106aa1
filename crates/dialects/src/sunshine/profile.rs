//! A user's fields as a record holds them: the names, the address and the external id are the record's own, everything else is
//! in its profile, a flat JSON object in which each property of the metadata is a member of its own. So a change merges by
//! itself, and null takes one property away.

use domain::{Email, Record, RecordChange, RecordNew, rfc3339};
use serde_json::{Map, Value};

use super::json::{Errors, Given, Object};
use crate::time;

pub const SIGNED_UP_AT: &str = "signedUpAt";
pub const TO_BE_RETAINED: &str = "toBeRetained";
pub const EMAIL: &str = "email";
pub const AVATAR_URL: &str = "avatarUrl";
pub const LOCALE: &str = "locale";
/// Before the name of a property of the metadata.
const METADATA: &str = "m.";

/// Characters of each, as the vendor has them.
const EXTERNAL_ID_CHARS_MAX: usize = 1_024;
const NAME_CHARS_MAX: usize = 128;
const EMAIL_CHARS_MAX: usize = 128;
const AVATAR_URL_CHARS_MAX: usize = 2_048;
const LOCALE_CHARS_MAX: usize = 64;
const TIME_CHARS_MAX: usize = 64;

/// What a record's profile holds.
#[derive(Debug)]
pub struct Kept(Map<String, Value>);

impl Kept {
    pub fn read(profile: &str) -> Kept {
        Kept(serde_json::from_str(profile).unwrap_or_default())
    }

    /// A text that is not empty.
    pub fn text(&self, name: &str) -> Option<String> {
        let text = self.0.get(name)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }

    pub fn metadata(&self) -> Map<String, Value> {
        let own = self.0.iter().filter_map(|(name, value)| {
            Some((name.strip_prefix(METADATA)?.to_owned(), value.clone()))
        });
        own.collect()
    }
}

/// What a body says of a user beside the external id; each absent, null or a value.
#[derive(Clone, Default)]
pub struct Fields {
    first_name: Given<String>,
    last_name: Given<String>,
    email: Given<String>,
    /// What goes into the profile; null takes away.
    kept: Map<String, Value>,
    /// Null takes one property away; null for the whole of it takes all.
    pub metadata: Given<Map<String, Value>>,
}

impl Fields {
    pub fn read(body: &Object<'_>, errors: &mut Errors, clears: bool) -> Fields {
        let mut fields = Fields {
            metadata: body.metadata(errors, clears),
            ..Fields::default()
        };
        fields.keep(SIGNED_UP_AT, signed_up_at(body, errors));
        let retained = match body.is_null(TO_BE_RETAINED) {
            true => Some(Value::Null),
            false => body.flag(errors, TO_BE_RETAINED).map(Value::Bool),
        };
        if let Some(retained) = retained {
            fields.kept.insert(TO_BE_RETAINED.into(), retained);
        }
        match body.object(errors, "profile") {
            None => {}
            Some(Some(profile)) => fields.read_profile(&profile, errors),
            Some(None) => fields.clear_profile(),
        }
        fields
    }

    fn read_profile(&mut self, profile: &Object<'_>, errors: &mut Errors) {
        self.first_name = profile.text(errors, "givenName", NAME_CHARS_MAX);
        self.last_name = profile.text(errors, "surname", NAME_CHARS_MAX);
        let email = profile.text(errors, EMAIL, EMAIL_CHARS_MAX);
        self.put_email(email);
        let avatar_url = profile.text(errors, AVATAR_URL, AVATAR_URL_CHARS_MAX);
        self.keep(AVATAR_URL, avatar_url);
        let locale = profile.text(errors, LOCALE, LOCALE_CHARS_MAX);
        self.keep(LOCALE, locale);
    }

    fn clear_profile(&mut self) {
        (self.first_name, self.last_name) = (Some(None), Some(None));
        self.put_email(Some(None));
        self.keep(AVATAR_URL, Some(None));
        self.keep(LOCALE, Some(None));
    }

    fn keep(&mut self, name: &str, text: Given<String>) {
        if let Some(text) = text {
            let value = text.map_or(Value::Null, Value::String);
            self.kept.insert(name.to_owned(), value);
        }
    }

    /// The record has the address where it is one; the text is kept beside it where it differs from how that is written.
    fn put_email(&mut self, text: Given<String>) {
        let Some(text) = text else { return };
        let address = text.as_deref().and_then(|text| Email::parse(text).ok());
        let address = address.map(|address| address.as_str().to_owned());
        let plain = text.clone().filter(|_| text != address);
        self.keep(EMAIL, Some(plain));
        self.email = Some(address);
    }

    /// The members of a profile that say this; `held` are the properties that there are.
    fn profile(&self, held: &Map<String, Value>) -> Map<String, Value> {
        let mut profile = self.kept.clone();
        let mut put = |name: &str, value: Value| {
            profile.insert(format!("{METADATA}{name}"), value);
        };
        match &self.metadata {
            None => {}
            Some(None) => held.keys().for_each(|name| put(name, Value::Null)),
            Some(Some(metadata)) => {
                metadata
                    .iter()
                    .for_each(|(name, value)| put(name, value.clone()));
            }
        }
        profile
    }

    /// The metadata as a change makes it.
    pub fn metadata_after(&self, held: &Map<String, Value>) -> Map<String, Value> {
        let Some(change) = &self.metadata else {
            return held.clone();
        };
        let Some(change) = change else {
            return Map::new();
        };
        let mut after = held.clone();
        for (name, value) in change {
            if value.is_null() {
                after.remove(name);
            } else {
                after.insert(name.clone(), value.clone());
            }
        }
        after
    }

    pub fn record_new(self, external_id: String) -> RecordNew {
        let mut profile = self.profile(&Map::new());
        profile.retain(|_, value| !value.is_null());
        RecordNew {
            reference: Some(external_id),
            email: self.email.flatten(),
            first_name: self.first_name.flatten(),
            last_name: self.last_name.flatten(),
            active: true,
            profile: Value::Object(profile).to_string(),
            shares_email: true,
            ..RecordNew::default()
        }
    }

    /// `held` is the record's metadata.
    pub fn record_change(self, held: &Map<String, Value>) -> RecordChange {
        let profile = self.profile(held);
        RecordChange {
            email: self.email,
            first_name: self.first_name,
            last_name: self.last_name,
            profile: (!profile.is_empty()).then(|| Value::Object(profile).to_string()),
            shares_email: true,
            ..RecordChange::default()
        }
    }
}

/// The metadata that a record holds.
pub fn metadata_of(record: &Record) -> Map<String, Value> {
    Kept::read(&record.profile).metadata()
}

/// A user's external id: what a path can name again exactly.
pub fn external_id(body: &Object<'_>, errors: &mut Errors, name: &str) -> Option<String> {
    let text = body.required(errors, name, EXTERNAL_ID_CHARS_MAX)?;
    if text.trim() != text || text.chars().any(char::is_control) {
        let why = "must not begin or end with a space, nor hold control characters";
        body.wrong(errors, name, why);
        return None;
    }
    Some(text)
}

/// A time in ISO 8601, written anew as the vendor writes it; without a zone it is in UTC.
fn signed_up_at(body: &Object<'_>, errors: &mut Errors) -> Given<String> {
    let Some(text) = body.text(errors, SIGNED_UP_AT, TIME_CHARS_MAX)? else {
        return Some(None);
    };
    let candidates = [
        text.clone(),
        format!("{text}Z"),
        format!("{text}T00:00:00Z"),
    ];
    match candidates.iter().find_map(|text| time::parse(text)) {
        Some(time_ms) => Some(Some(rfc3339(time_ms))),
        None => {
            let why = "must be a time in ISO 8601, as in 2026-11-25T08:00:00.000Z";
            body.wrong(errors, SIGNED_UP_AT, why);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sunshine::json::read;

    fn fields(body: Value) -> Result<Fields, Vec<String>> {
        let read = read(body.to_string().as_bytes(), |body, errors| {
            Some(Fields::read(body, errors, true))
        });
        read.map_err(|problem| problem.titles)
    }

    #[test]
    fn an_address_that_is_none_is_kept_as_text() {
        let made = |email: &str| {
            let fields = fields(json!({"profile": {"email": email}})).expect("is right");
            let new = fields.record_new("x".into());
            (new.email, Kept::read(&new.profile).text(EMAIL))
        };
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(made("ann@example.org"), (is("ann@example.org"), None));
        assert_eq!(
            made("ann@Example.ORG"),
            (is("ann@example.org"), is("ann@Example.ORG"))
        );
        assert_eq!(made("not an address"), (None, is("not an address")));
    }

    #[test]
    fn null_takes_away_what_it_is_for_and_no_more() {
        let body =
            json!({"profile": {"givenName": null, "email": null}, "metadata": {"a": null, "b": 1}});
        let change = fields(body).expect("is right").record_change(&Map::new());
        assert_eq!(change.first_name, Some(None));
        assert_eq!(change.last_name, None);
        assert_eq!(change.email, Some(None));
        let profile: Value =
            serde_json::from_str(&change.profile.expect("changes")).expect("is JSON");
        assert_eq!(profile, json!({"email": null, "m.a": null, "m.b": 1}));
        let nothing = fields(json!({})).expect("is right");
        assert_eq!(
            nothing.record_change(&Map::new()),
            RecordChange {
                shares_email: true,
                ..RecordChange::default()
            }
        );
        let all = fields(json!({"metadata": null})).expect("is right");
        let held = json!({"a": 1, "b": 2})
            .as_object()
            .cloned()
            .expect("is one");
        assert!(all.metadata_after(&held).is_empty());
        let profile = all.record_change(&held).profile.expect("changes");
        let profile: Value = serde_json::from_str(&profile).expect("is JSON");
        assert_eq!(profile, json!({"m.a": null, "m.b": null}));
    }

    #[test]
    fn times_are_written_as_the_vendor_writes_them() {
        let kept = |text: &str| {
            let fields = fields(json!({"signedUpAt": text})).ok()?;
            Kept::read(&fields.record_new("x".into()).profile).text(SIGNED_UP_AT)
        };
        let is = |text: &str| Some(text.to_owned());
        assert_eq!(
            kept("2025-02-03T19:10:08.152Z"),
            is("2025-02-03T19:10:08.152Z")
        );
        assert_eq!(
            kept("2025-02-03T20:10:08+01:00"),
            is("2025-02-03T19:10:08.000Z")
        );
        assert_eq!(kept("2025-02-03T19:10:08"), is("2025-02-03T19:10:08.000Z"));
        assert_eq!(kept("2025-02-03"), is("2025-02-03T00:00:00.000Z"));
        for wrong in ["", "yesterday", "2025-02-30", "1738609808152"] {
            assert_eq!(kept(wrong), None, "{wrong}");
        }
    }
}
