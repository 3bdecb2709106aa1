//! A2's documented models: docs.aiderx.io, *Auth and User*; the fields in the order of the pages.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// The roles, in the documented order.
pub const ROLES: [&str; 3] = ["advertiser", "retailer", "admin"];
/// Characters of a user's name, fewest and most, where it is changed.
pub const NAME_CHARS_MIN: usize = 4;
pub const NAME_CHARS_MAX: usize = 32;
/// The parts of the preferences.
pub const PREFERENCES: [&str; 4] = [
    "etc",
    "notification_methods",
    "notification_methods_data",
    "notifications",
];

/// Represents a read command for a user.
#[derive(Serialize)]
pub struct User {
    pub budget: Amount,
    pub campaign_count: u64,
    pub creative_count: u64,
    pub credit: Amount,
    pub email: String,
    pub id: String,
    pub is_active: bool,
    pub is_superuser: bool,
    pub is_verified: bool,
    pub name: Option<String>,
    pub permissions: Map<String, Value>,
    pub placement_count: u64,
    pub preferences: Value,
    pub role: &'static str,
}

/// An amount in thousandths, written as an integer where it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(pub domain::Money);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let thousandths = self.0.thousandths();
        if thousandths % 1_000 == 0 {
            serializer.serialize_i64(thousandths / 1_000)
        } else {
            serializer.serialize_f64(self.0.to_f64())
        }
    }
}

/// What a sign-in answers.
#[derive(Serialize)]
pub struct Bearer {
    pub access_token: String,
    pub token_type: &'static str,
}

/// Where a browser is sent to sign in.
#[derive(Serialize)]
pub struct Authorization {
    pub authorization_url: String,
}

/// A privacy consent; the address that it came with is not answered.
#[derive(Serialize)]
pub struct Consent {
    pub consent_channel: Option<String>,
    pub consent_date: Option<String>,
    pub created_at: String,
    pub is_agreed: bool,
    pub policy_version: String,
    pub updated_at: String,
    pub user_id: String,
}

/// An entry of the activity log, in the shape of A2's other lists.
#[derive(Serialize)]
pub struct ActivityLog {
    pub id: String,
    pub no: i64,
    /// Whose account it is about; where it is about none, who did it.
    pub owner_id: Option<String>,
    /// Null for somebody who had not signed in, and for the server itself.
    pub created_by: Option<String>,
    pub created_at: String,
    pub updated_at: String,
    pub verb: String,
    /// The number of what it was done to.
    pub target_no: Option<i64>,
    /// Counts and the like, as `key=value` pairs.
    pub detail: String,
    pub request_id: String,
}
