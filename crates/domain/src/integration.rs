//! Integrations: a workspace's account with a provider of a channel, through which it reaches people and is written to.
//!
//! Invariant: what is secret of it is sealed and never answered; the token in the path of its hook is shown to whoever may
//! manage integrations, since the provider has to be told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    caller::{Caller, Context},
    channel::Channel,
    cursor::{CursorPage, CursorQuery},
    error::{Error, Result},
    service::Domain,
    webhook::{Webhook, WebhookNew},
};

/// What an integration is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IntegrationKind {
    Mailgun,
    Twilio,
    MessageBird,
    WhatsApp,
    /// A program of one's own: webhooks and keys, no channel.
    Custom,
}

/// A field of an integration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    pub name: &'static str,
    /// Sealed, and never answered.
    pub secret: bool,
    /// Without it nothing can be made.
    pub required: bool,
}

const fn field(name: &'static str, secret: bool, required: bool) -> FieldSpec {
    FieldSpec {
        name,
        secret,
        required,
    }
}

/// `signing_key` is what Mailgun signs its webhooks with.
const MAILGUN: &[FieldSpec] = &[
    field("api_key", true, true),
    field("domain", false, true),
    field("incoming_address", false, true),
    field("signing_key", true, false),
];
/// One of `phone_number_sid`, `messaging_service_sid` is needed. `phone_number` saves asking for the number of the former.
const TWILIO: &[FieldSpec] = &[
    field("account_sid", false, true),
    field("auth_token", true, true),
    field("phone_number_sid", false, false),
    field("messaging_service_sid", false, false),
    field("phone_number", false, false),
];
const MESSAGEBIRD: &[FieldSpec] = &[
    field("access_key", true, true),
    field("signing_key", true, true),
    field("originator", false, true),
];
/// Nothing but the first comes with the vendor's integration; without `phone_number_id` and `token` nothing can be sent,
/// without `app_secret` and `verify_token` nothing received.
const WHATSAPP: &[FieldSpec] = &[
    field("deployment_id", false, false),
    field("phone_number_id", false, false),
    field("token", true, false),
    field("app_secret", true, false),
    field("verify_token", true, false),
];

impl IntegrationKind {
    pub const ALL: [IntegrationKind; 5] = [
        IntegrationKind::Mailgun,
        IntegrationKind::Twilio,
        IntegrationKind::MessageBird,
        IntegrationKind::WhatsApp,
        IntegrationKind::Custom,
    ];

    pub fn as_str(self) -> &'static str {
        match self.channel() {
            Some(channel) => channel.as_str(),
            None => "custom",
        }
    }

    pub fn parse(text: &str) -> Option<IntegrationKind> {
        IntegrationKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }

    /// The channel that it opens.
    pub fn channel(self) -> Option<Channel> {
        match self {
            IntegrationKind::Mailgun => Some(Channel::Mailgun),
            IntegrationKind::Twilio => Some(Channel::Twilio),
            IntegrationKind::MessageBird => Some(Channel::MessageBird),
            IntegrationKind::WhatsApp => Some(Channel::WhatsApp),
            IntegrationKind::Custom => None,
        }
    }

    /// What it may hold.
    pub fn fields(self) -> &'static [FieldSpec] {
        match self {
            IntegrationKind::Mailgun => MAILGUN,
            IntegrationKind::Twilio => TWILIO,
            IntegrationKind::MessageBird => MESSAGEBIRD,
            IntegrationKind::WhatsApp => WHATSAPP,
            IntegrationKind::Custom => &[],
        }
    }
}

/// An integration, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Integration {
    pub id: i64,
    pub kind: IntegrationKind,
    pub display_name: Option<String>,
    /// `active`, `inactive` or `error`.
    pub status: String,
    /// What is not secret, by the names of [`IntegrationKind::fields`].
    pub fields: BTreeMap<String, String>,
    /// The names of the secret fields that it has.
    pub secrets: Vec<String>,
    /// What is in the path of its hook; see [`Domain::hook_url`].
    pub hook_token: String,
    /// Milliseconds since the Unix epoch.
    pub created: i64,
    pub updated: i64,
}

/// An integration to be made. Values may be secret.
#[derive(Clone)]
pub struct IntegrationNew {
    pub kind: IntegrationKind,
    pub display_name: Option<String>,
    pub fields: BTreeMap<String, String>,
    /// Of a custom one.
    pub webhooks: Vec<WebhookNew>,
}

/// What to change of an integration: what is absent stays, nothing clears.
#[derive(Clone, Default)]
pub struct IntegrationChange {
    pub display_name: Option<Option<String>>,
    pub fields: BTreeMap<String, Option<String>>,
}

impl Domain {
    /// Makes an integration, and of a custom one its webhooks, whose secrets are shown this once. Needs the scope
    /// integrations and every structure.
    pub async fn integration_create(
        &self,
        _context: &Context,
        _new: IntegrationNew,
    ) -> Result<(Integration, Vec<(Webhook, String)>)> {
        Err(Error::internal("not built"))
    }

    /// Integrations of some kinds, or of all where none is named.
    pub async fn integration_list(
        &self,
        _caller: &Caller,
        _kinds: &[IntegrationKind],
        _page: &CursorQuery,
    ) -> Result<CursorPage<Integration>> {
        Err(Error::internal("not built"))
    }

    pub async fn integration_get(&self, _caller: &Caller, _id: i64) -> Result<Integration> {
        Err(Error::internal("not built"))
    }

    pub async fn integration_update(
        &self,
        _context: &Context,
        _id: i64,
        _change: IntegrationChange,
    ) -> Result<Integration> {
        Err(Error::internal("not built"))
    }

    /// Deletes an integration with its webhooks and keys; its clients become inactive.
    pub async fn integration_delete(&self, _context: &Context, _id: i64) -> Result<()> {
        Err(Error::internal("not built"))
    }

    /// Where the provider has to send what people write.
    pub fn hook_url(&self, kind: IntegrationKind, hook_token: &str) -> String {
        format!("{}/hooks/{}/{hook_token}", self.public_url(), kind.as_str())
    }
}
