//! The vendor's bodies: fields and their order as its documentation has them, where it can be seen; else as the one public
//! client of it reads them.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};

/// A refusal.
#[derive(Debug, Serialize)]
pub struct Refusal<'a> {
    pub status: u16,
    pub error: &'static str,
    pub message: &'a str,
}

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    pub results: Vec<T>,
    pub pagination: Pagination,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    pub total_results: u64,
    pub total_pages: u64,
    pub page: u64,
    pub per_page: u64,
}

/// What became of a deletion.
#[derive(Debug, Serialize)]
pub struct Deleted {
    pub success: bool,
}

/// `AudienceStub`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audience {
    pub id: String,
    pub name: String,
    pub reference: Option<String>,
    pub api_controlled: bool,
    pub category: &'static str,
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Only of a child.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    pub created_at: String,
    pub updated_at: String,
}

#[derive(Debug, Serialize)]
pub struct Parent {
    pub name: String,
    pub reference: Option<String>,
    pub id: String,
}

/// An audience that was changed and not moved.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AudienceChanged {
    #[serde(flatten)]
    pub audience: Audience,
    /// Always null here; an audience that was moved is written by [`super::stream`].
    pub member_operations: Option<()>,
}

/// `SuccessAddUsers` and, with a failure, `PartialSuccessAddUsers`.
#[derive(Debug, Serialize)]
pub struct Outcome {
    pub success: Entities<Entity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Entities<Failed>>,
}

#[derive(Debug, Serialize)]
pub struct Entities<T> {
    pub count: u64,
    pub entities: Vec<T>,
}

#[derive(Debug, Serialize)]
pub struct Entity {
    pub reference: String,
}

#[derive(Debug, Serialize)]
pub struct Failed {
    pub reason: &'static str,
    pub reference: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    pub user_id: String,
    pub reference: String,
    pub email: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Manager {
    #[serde(flatten)]
    pub user: Member,
    pub permissions: Permissions,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Permissions {
    pub audience_manager: AudienceManager,
    pub people_manager: PeopleManager,
    /// Only of a structure's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub administrator: Option<Administrator>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AudienceManager {
    pub manage_members: bool,
    pub manage_content: bool,
    pub assignments: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PeopleManager {
    pub can_view_learn_page: bool,
    pub insights: bool,
    pub manage: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Administrator {
    pub can_manage_audiences: bool,
    pub can_add_audience_managers: bool,
}

/// `BasicUser`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BasicUser {
    pub id: String,
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<String>,
    pub role: String,
    pub status: &'static str,
    pub positions: Vec<Position>,
    pub additional_fields: Option<Map<String, Value>>,
    pub language_code: String,
}

/// `UserPosition`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Position {
    pub id: String,
    pub manager: Option<LineManager>,
    pub ou_id: Option<String>,
    pub is_active: bool,
    pub start_date: Option<String>,
    pub end_date: Option<String>,
    pub created_at: String,
    pub updated_at: String,
}

#[derive(Debug, Serialize)]
pub struct LineManager {
    pub id: Option<String>,
    pub name: Option<String>,
    #[serde(rename = "ref")]
    pub reference: String,
}

/// `User`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    #[serde(flatten)]
    pub basic: BasicUser,
    pub deleted: bool,
    pub compliance: u64,
    pub level: u64,
    pub first_login: Option<String>,
    pub last_login: Option<String>,
    pub tags: Nothing,
    pub users_following: [String; 0],
    pub tags_following: [String; 0],
    pub created_at: String,
    pub updated_at: String,
    pub has_picture: bool,
    pub time_zone: String,
    pub summary: Option<String>,
    pub relevancy: u64,
    pub rank: Nothing,
    pub agreed_terms: Option<bool>,
    pub onboarded: Option<bool>,
    pub audiences: Vec<String>,
    pub single_sign_on: bool,
}

/// `{}`
#[derive(Debug, Serialize)]
pub struct Nothing {}

/// `UserLifecycleResource`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleUser {
    pub id: String,
    pub login_method: String,
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    pub email: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub role: String,
    pub job_title: String,
    pub manager_ref: Option<String>,
    pub start_date: Option<String>,
    pub end_date: Option<String>,
    pub time_zone: String,
    pub language_code: String,
    pub active: bool,
    pub created_at: String,
    pub updated_at: String,
    pub sso: bool,
    pub domain: Option<String>,
    pub additional_fields: Option<Map<String, Value>>,
}

pub const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// An answer of this status with a body.
pub fn answer<T: Serialize>(status: StatusCode, body: &T) -> Response {
    // No model here has what JSON cannot say.
    let Ok(bytes) = serde_json::to_vec(body) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = (status, Body::from(bytes)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
