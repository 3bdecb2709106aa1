//! The vendor's bodies: fields in the order of the Automation API's OpenAPI document (version 1.0).
//!
//! What is `Option` is either absent or null, whichever the vendor's generated clients can read.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::Permissions;
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};

/// A refusal. The vendor's schema requires the first two.
#[derive(Debug, Serialize)]
pub struct Refusal<'a> {
    pub error_code: &'static str,
    pub message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Detail<'a>>,
}

/// What is wrong with a field: `{"field": ["text"]}`.
#[derive(Debug)]
pub struct Detail<'a> {
    pub field: &'a str,
    pub text: &'a str,
}

impl Serialize for Detail<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.field, &[self.text])?;
        map.end()
    }
}

/// `GetUsers200Response` and its kin.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    pub total_count: u64,
    pub next: Option<String>,
    pub previous: Option<String>,
    pub results: Vec<T>,
}

/// `User`.
#[derive(Debug, Serialize)]
pub struct User {
    pub username: String,
    pub display_name: String,
    pub first_name: String,
    pub last_name: String,
    pub is_active: bool,
    pub email: String,
    pub is_ods: bool,
    pub account_type: &'static str,
    pub permissions: PermissionList,
    pub joined_at: String,
    pub last_seen_at: Option<String>,
    pub last_login_at: Option<String>,
    pub expires_at: Option<String>,
    pub explore_limits: ExploreLimits,
    pub management_limits: Nothing,
    pub gravatar_url: &'static str,
    /// Absent where empty: an empty list fits both alternatives of the vendor's schema, and its clients refuse it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupOfUser>,
    pub identity_providers: Vec<Uid>,
}

/// Of the site family; others are not in the vendor's enum, which its clients check.
#[derive(Debug, Clone, Copy)]
pub struct PermissionList(pub Permissions);

impl Serialize for PermissionList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for permission in self.0.and(Permissions::SITE).iter() {
            list.serialize_element(&permission.to_string())?;
        }
        list.end()
    }
}

#[derive(Debug, Default, Serialize)]
pub struct ExploreLimits {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_calls: Option<ApiCalls>,
}

#[derive(Debug, Serialize)]
pub struct ApiCalls {
    pub limit: u64,
    pub unit: &'static str,
}

/// `{}`
#[derive(Debug, Serialize)]
pub struct Nothing {}

#[derive(Debug, Serialize)]
pub struct Uid {
    pub uid: String,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum GroupOfUser {
    Named(Uid),
    Whole(Box<UserGroup>),
}

/// `UserGroup`.
#[derive(Debug, Serialize)]
pub struct UserGroup {
    pub uid: String,
    /// Absent for clients that cannot read an expanded group with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub description: String,
    pub user_count: u64,
    pub permissions: PermissionList,
    pub explore_limits: ExploreLimits,
    pub management_limits: Nothing,
    pub created_at: String,
    pub updated_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_by: Option<RelatedUser>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<RelatedUser>,
}

#[derive(Debug, Clone, Serialize)]
pub struct RelatedUser {
    pub username: String,
}

/// `APIKey`.
#[derive(Debug, Serialize)]
pub struct ApiKey {
    pub uid: String,
    pub label: String,
    /// Once, in the answer to its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Absent where it is all that the user may.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<PermissionList>,
    pub created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<KeyUser>,
    pub revocation_status: RevocationStatus,
    pub is_revoked: bool,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum KeyUser {
    Named(RelatedUser),
    Whole(Box<User>),
}

#[derive(Debug, Serialize)]
pub struct RevocationStatus {
    pub revoked_at: Option<String>,
    pub revocation_reason: String,
}

/// The answer to `search_key`.
#[derive(Debug, Serialize)]
pub struct KeyFound {
    pub found: bool,
    pub result: Option<ApiKey>,
}

/// What became of each of many, an object with their numbers as names.
#[derive(Debug)]
pub struct Bulk(pub Vec<BulkItem>);

/// `InviteUsers200ResponseValue`, and the error that the vendor's prose adds to it.
#[derive(Debug, Serialize)]
#[serde(tag = "status_code", rename_all = "lowercase")]
pub enum BulkItem {
    Success { data: Box<User> },
    Error { error: BulkError },
}

#[derive(Debug, Serialize)]
pub struct BulkError {
    pub error_code: &'static str,
    pub message: String,
}

impl Serialize for Bulk {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (number, item) in self.0.iter().enumerate() {
            map.serialize_entry(&number.to_string(), item)?;
        }
        map.end()
    }
}

/// An answer of this status with a body.
pub fn answer<T: Serialize>(status: StatusCode, body: &T) -> Response {
    let mut response = status.into_response();
    write(&mut response, body);
    response
}

/// Puts a body into a response.
pub fn write<T: Serialize>(response: &mut Response, body: &T) {
    const JSON: HeaderValue = HeaderValue::from_static("application/json");
    match serde_json::to_vec(body) {
        Ok(bytes) => *response.body_mut() = Body::from(bytes),
        // No model here has what JSON cannot say.
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    let headers = response.headers_mut();
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, JSON);
}
