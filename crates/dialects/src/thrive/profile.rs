//! What the vendor keeps of a user that no other protocol knows: how they sign in, their role, their line manager and the like.
//! It is one JSON object, which belongs to this dialect alone, in the user's record.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{error::Problem, json::Fields};

const LOGIN_METHODS: [&str; 2] = ["email", "ref"];
const ROLES: [&str; 3] = ["administrator", "learneradmin", "learner"];
/// Bytes of the additional fields, as JSON.
const ADDITIONAL_BYTES_MAX: usize = 16 << 10;
/// Texts that are kept as they are, and may be emptied.
const TEXTS: [&str; 5] = [
    "jobTitle",
    "managerRef",
    "timeZone",
    "languageCode",
    "domain",
];
const LOGIN_METHOD: &str = "loginMethod";
const ROLE: &str = "role";
const SSO: &str = "sso";
const ADDITIONAL: &str = "additionalFields";

/// As it is kept; what is absent is as the vendor's default says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Profile {
    login_method: Option<String>,
    role: Option<String>,
    job_title: Option<String>,
    pub manager_ref: Option<String>,
    time_zone: Option<String>,
    language_code: Option<String>,
    sso: Option<bool>,
    pub domain: Option<String>,
    pub additional_fields: Option<Map<String, Value>>,
}

impl Profile {
    /// One that cannot be read counts as empty: nothing else wrote it, and a list must not fail for one row.
    pub fn read(text: &str) -> Profile {
        serde_json::from_str(text).unwrap_or_default()
    }

    pub fn login_method(&self) -> String {
        or(&self.login_method, LOGIN_METHODS[0])
    }

    pub fn role(&self) -> String {
        or(&self.role, "learner")
    }

    pub fn job_title(&self) -> String {
        or(&self.job_title, "")
    }

    /// The tenant's, which is one for all here.
    pub fn time_zone(&self) -> String {
        or(&self.time_zone, "UTC")
    }

    pub fn language_code(&self) -> String {
        or(&self.language_code, "en-gb")
    }

    pub fn sso(&self) -> bool {
        self.sso.unwrap_or(false)
    }
}

fn or(text: &Option<String>, default: &str) -> String {
    text.clone().unwrap_or_else(|| default.to_owned())
}

/// The fields of a profile in a body, each checked; null is kept, as it clears.
pub fn given(fields: &Fields) -> Result<Map<String, Value>, Problem> {
    let mut given = Map::new();
    let mut keep = |name: &str, value: Value| given.insert(name.to_owned(), value);
    if let Some(method) = fields.word(LOGIN_METHOD, &LOGIN_METHODS)? {
        keep(LOGIN_METHOD, method.into());
    }
    if let Some(role) = fields.word(ROLE, &ROLES)? {
        keep(ROLE, role.into());
    }
    for name in TEXTS {
        if let Some(text) = fields.plain(name)? {
            keep(name, text.map_or(Value::Null, Value::String));
        }
    }
    if let Some(sso) = fields.flag(SSO)? {
        keep(SSO, sso.into());
    }
    if fields.has_any(&[ADDITIONAL]) {
        let additional = fields.object(ADDITIONAL)?;
        keep(ADDITIONAL, additional_of(additional)?);
    }
    Ok(given)
}

fn additional_of(fields: Option<Fields>) -> Result<Value, Problem> {
    let Some(Fields(fields)) = fields else {
        return Ok(Value::Null);
    };
    let value = Value::Object(fields);
    if value.to_string().len() > ADDITIONAL_BYTES_MAX {
        let why = format!("must not be longer than {ADDITIONAL_BYTES_MAX} bytes as JSON.");
        return Err(Problem::invalid(ADDITIONAL, &why));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn given_of(value: Value) -> Result<Value, Problem> {
        given(&Fields::of(Some(value))?).map(Value::Object)
    }

    #[test]
    fn what_is_kept_is_what_was_given() {
        let all = json!({
            "loginMethod": "ref", "role": "learneradmin", "jobTitle": "T", "managerRef": null,
            "timeZone": "Europe/London", "languageCode": "en-gb", "sso": true, "domain": "d",
            "additionalFields": {"location": "London", "n": 1},
        });
        let mut sent = all.clone();
        sent["ref"] = "x".into();
        sent["unknown"] = json!([1]);
        assert_eq!(given_of(sent).expect("is right"), all);
        let profile = Profile::read(&all.to_string());
        assert_eq!(profile.login_method(), "ref");
        assert_eq!(profile.manager_ref, None);
        assert!(profile.sso() && profile.additional_fields.is_some());
        assert_eq!(given_of(json!({})).expect("is right"), json!({}));
    }

    #[test]
    fn what_is_absent_is_the_vendors_default() {
        for text in ["{}", "", "[]", "{\"role\":1}"] {
            let profile = Profile::read(text);
            assert_eq!(profile, Profile::default());
            assert_eq!(profile.role(), "learner");
            assert_eq!(profile.language_code(), "en-gb");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let long = "x".repeat(256);
        for (wrong, name) in [
            (json!({"loginMethod": "phone"}), "loginMethod"),
            (json!({"role": "Learner"}), "role"),
            (json!({"role": null}), "role"),
            (json!({"jobTitle": 1}), "jobTitle"),
            (json!({"timeZone": long}), "timeZone"),
            (json!({"sso": "true"}), "sso"),
            (json!({"additionalFields": []}), "additionalFields"),
            (
                json!({"additionalFields": {"a": "x".repeat(ADDITIONAL_BYTES_MAX)}}),
                "additionalFields",
            ),
        ] {
            let problem = given_of(wrong).expect_err("is wrong");
            assert!(problem.message.starts_with(name), "{}", problem.message);
        }
    }
}
