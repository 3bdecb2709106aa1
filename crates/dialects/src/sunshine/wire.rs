//! The vendor's bodies: fields and their order as version 17 of its description has them. What there is none of is left out;
//! an empty text is never written, since the vendor's Python clients fail on one.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Map, Value};

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

/// A refusal.
#[derive(Debug, Serialize)]
pub struct Refusal<'a> {
    pub errors: Vec<Fault<'a>>,
}

#[derive(Debug, Serialize)]
pub struct Fault<'a> {
    pub code: &'static str,
    pub title: &'a str,
}

/// `{}`
#[derive(Debug, Serialize)]
pub struct Nothing {}

/// Where a page stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    pub has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_cursor: Option<String>,
}

/// The pages beside one.
#[derive(Debug, Serialize)]
pub struct Links {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A page: `{"clients": [...], "meta": ..., "links": ...}`, whatever it is a page of.
#[derive(Debug, Serialize)]
pub struct Page<T> {
    #[serde(flatten)]
    pub items: Named<Vec<T>>,
    pub meta: Meta,
    pub links: Links,
}

/// An object with one member.
#[derive(Debug)]
pub struct Named<T>(pub &'static str, pub T);

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, &self.1)?;
        map.end()
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_up_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_be_retained: Option<bool>,
    pub profile: Profile,
    pub metadata: Map<String, Value>,
    /// Those that a user has proved at the vendor: none here.
    pub identities: [(); 0],
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locale: Option<String>,
}

/// `UserTruncated`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserTruncated {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linked_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub raw: Option<Map<String, Value>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Conversation {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub metadata: Map<String, Value>,
    pub is_default: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_last_read: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_updated_at: Option<String>,
    pub created_at: String,
}

/// `ConversationTruncated`.
#[derive(Debug, Serialize)]
pub struct ConversationTruncated {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub metadata: Map<String, Value>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Participant {
    pub id: String,
    pub user_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_external_id: Option<String>,
    pub unread_count: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_read: Option<String>,
    pub client_associations: Vec<ClientAssociation>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientAssociation {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub client_id: String,
}

#[derive(Debug, Serialize)]
pub struct Message {
    pub id: String,
    pub received: String,
    pub author: Author,
    pub content: Content,
    pub source: Source,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// `Author`, and with a user `AuthorWebhook`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Author {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub avatar_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserShown>,
}

/// A user in an event: whole where the webhook has asked for that.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum UserShown {
    Truncated(UserTruncated),
    Full(Box<User>),
}

#[derive(Debug, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Content {
    Text {
        text: String,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        actions: Vec<Action>,
    },
    Image {
        media_url: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        alt_text: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        actions: Vec<Action>,
    },
    Template {
        template: Value,
    },
}

/// `Link`, the only action here.
#[derive(Debug, Serialize)]
pub struct Action {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub text: String,
    pub uri: String,
}

/// `Source`, and with a client `SourceWebhook`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    #[serde(rename = "type")]
    pub kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integration_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
}

/// What all integrations have; what a type has beside it is flattened.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Integration {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(flatten)]
    pub fields: Map<String, Value>,
    /// Of a custom one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<[Webhook; 1]>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub version: &'static str,
    pub target: String,
    pub triggers: Vec<&'static str>,
    /// Once, in the answer to its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    pub include_full_user: bool,
    pub include_full_source: bool,
}

/// `AppKey` and `ApiKey`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    pub id: String,
    pub display_name: String,
    /// Once, in the answer to its creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct App {
    pub id: String,
    pub display_name: String,
    pub settings: AppSettings,
    pub metadata: Nothing,
}

/// What of the vendor's settings holds here.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AppSettings {
    pub multi_convo_enabled: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_items_under_their_name() {
        let page = Page {
            items: Named("clients", vec![1, 2]),
            meta: Meta {
                has_more: false,
                after_cursor: None,
                before_cursor: None,
            },
            links: Links {
                prev: None,
                next: None,
            },
        };
        let text = serde_json::to_string(&page).expect("is JSON");
        let expected = "{\"clients\":[1,2],\"meta\":{\"hasMore\":false},\"links\":{}}";
        assert_eq!(text, expected);
    }
}
