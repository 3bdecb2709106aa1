//! The demo's app: a user with a conversation, an integration of each channel, and the key that may use them.
//!
//! Nothing of it leaves the machine: what a channel would carry stays in the built-in outbox, so the providers' settings are
//! made up, and complete.

use std::collections::BTreeMap;

use domain::{
    Context, ConversationKind, ConversationNew, CredentialNew, DialectId, Domain, IdKind,
    IntegrationKind, IntegrationNew, RecordNew, RecordRef,
};
use serde::{Deserialize, Serialize};

use crate::failure::Result;

pub const DIALECT: &str = "sunshine";

/// What the demo's user is called in the system that knows them.
const EXTERNAL_ID: &str = "demo-customer";

/// A setting's name and value.
type Setting = (&'static str, &'static str);

/// An integration of each channel: what it is called, and settings that no provider knows.
const INTEGRATIONS: [(IntegrationKind, &str, &[Setting]); 4] = [
    (
        IntegrationKind::Mailgun,
        "Demo mail",
        &[
            ("api_key", "demo-mailgun-api-key"),
            ("domain", "mail.example.org"),
            ("incoming_address", "hello@mail.example.org"),
            ("signing_key", "demo-mailgun-signing-key"),
        ],
    ),
    (
        IntegrationKind::Twilio,
        "Demo text messages",
        &[
            ("account_sid", "AC00000000000000000000000000000000"),
            ("auth_token", "demo-twilio-auth-token"),
            ("phone_number_sid", "PN00000000000000000000000000000000"),
            ("phone_number", "+12125550100"),
        ],
    ),
    (
        IntegrationKind::MessageBird,
        "Demo text messages, another provider",
        &[
            ("access_key", "demo-messagebird-access-key"),
            ("signing_key", "demo-messagebird-signing-key"),
            ("originator", "+12125550101"),
        ],
    ),
    (
        IntegrationKind::WhatsApp,
        "Demo WhatsApp",
        &[
            ("deployment_id", "000000000000000000000000"),
            ("phone_number_id", "100000000000001"),
            ("token", "demo-whatsapp-token"),
            ("app_secret", "demo-whatsapp-app-secret"),
            ("verify_token", "demo-whatsapp-verify-token"),
        ],
    ),
];

/// What the demo remembers of its app.
#[derive(Clone, Serialize, Deserialize)]
pub struct Sunshine {
    app_id: String,
    key_id: String,
    secret: String,
    user_id: String,
    conversation_id: String,
    /// By kind.
    integrations: BTreeMap<String, String>,
}

impl std::fmt::Debug for Sunshine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sunshine({}, ***)", self.app_id)
    }
}

/// An app is a workspace.
pub fn app_id(workspace: i64) -> String {
    hex(workspace, IdKind::Workspace, workspace)
}

/// The prefix tells what a key may do: `act_` has the whole account, `app_` an app.
pub fn key_id(client_id: &str, scopes: &str) -> String {
    let of_an_account = scopes.split([' ', ',']).any(|scope| scope == "admin");
    format!("{}_{client_id}", if of_an_account { "act" } else { "app" })
}

fn hex(workspace: i64, kind: IdKind, id: i64) -> String {
    DialectId {
        workspace,
        kind,
        id,
    }
    .to_hex()
}

/// Makes user, conversation, integrations and key: last of all, so that nothing else has another id or secret for it.
pub async fn app(domain: &Domain, context: &Context) -> Result<Sunshine> {
    let workspace = context.caller.workspace;
    let record = domain.record_create(context, DIALECT, user()).await?.id;
    let conversation = ConversationNew {
        kind: ConversationKind::Personal,
        display_name: None,
        description: None,
        icon_url: None,
        metadata: String::new(),
        participants: vec![(RecordRef::Id(record), false)],
    };
    let conversation = domain
        .conversation_create(context, DIALECT, conversation)
        .await?
        .id;
    let mut integrations = BTreeMap::new();
    for (kind, name, settings) in INTEGRATIONS {
        let fields = settings.iter();
        let new = IntegrationNew {
            kind,
            display_name: Some(name.into()),
            fields: fields
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            webhooks: Vec::new(),
        };
        let (made, _) = domain.integration_create(context, new).await?;
        let id = hex(workspace, IdKind::Integration, made.id);
        integrations.insert(kind.as_str().to_owned(), id);
    }
    let new = dialects::with_scopes(CredentialNew {
        dialect: DIALECT.into(),
        name: "Demo app".into(),
        scopes: String::new(),
        structures: None,
        expires: None,
        keep_secret: true,
    });
    let key = domain
        .credential_create(context, new, dialects::DIALECTS)
        .await?;
    Ok(Sunshine {
        app_id: app_id(workspace),
        key_id: key_id(&key.credential.client_id, &key.credential.scopes),
        secret: key.secret,
        user_id: hex(workspace, IdKind::Record, record),
        conversation_id: hex(workspace, IdKind::Conversation, conversation),
        integrations,
    })
}

fn user() -> RecordNew {
    RecordNew {
        reference: Some(EXTERNAL_ID.into()),
        email: Some("mary@example.org".into()),
        first_name: Some("Mary".into()),
        last_name: Some("Jackson".into()),
        active: true,
        shares_email: true,
        ..RecordNew::default()
    }
}

impl Sunshine {
    /// The entry `sunshine` of the demo's line.
    pub fn json(&self, url: &str) -> serde_json::Value {
        serde_json::json!({
            "base": format!("{url}/{DIALECT}"),
            "app_id": self.app_id,
            "key_id": self.key_id,
            "secret": self.secret,
            "user_id": self.user_id,
            "conversation_id": self.conversation_id,
            "integrations": self.integrations,
        })
    }

    /// What people can paste.
    pub fn text(&self, url: &str) -> String {
        let Sunshine {
            app_id,
            key_id,
            secret,
            user_id,
            conversation_id,
            ..
        } = self;
        let whatsapp = IntegrationKind::WhatsApp.as_str();
        let integration = self.integrations.get(whatsapp).map_or("", String::as_str);
        format!(
            r#"
Sunshine Conversations API ({url}/sunshine): link a phone number, find what asks for its confirmation,
play the person's answer:

  curl -u {key_id}:{secret} -H "Content-Type: application/json" \
    {url}/sunshine/v2/apps/{app_id}/users/{user_id}/clients -d '{{
      "matchCriteria": {{"type": "whatsapp", "integrationId": "{integration}", "phoneNumber": "+1 212-555-0123"}},
      "confirmation": {{"type": "prompt"}}, "target": {{"conversationId": "{conversation_id}"}}}}'
  throng outbox list
  throng outbox confirm ID
"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_up_is_complete_and_reaches_nobody() {
        for (kind, _, settings) in INTEGRATIONS {
            for field in kind.fields().iter().filter(|field| field.required) {
                assert!(
                    settings.iter().any(|(name, _)| *name == field.name),
                    "{kind:?} lacks {}",
                    field.name
                );
            }
            for (name, value) in settings {
                assert!(kind.fields().iter().any(|field| field.name == *name));
                assert!(
                    !value.contains('@') || value.ends_with("example.org"),
                    "{value}"
                );
            }
        }
    }

    #[test]
    fn a_key_says_by_its_id_what_it_may() {
        assert_eq!(key_id("1a", "channels integrations"), "app_1a");
        assert_eq!(key_id("1a", "channels,admin"), "act_1a");
        assert_eq!(app_id(1).len(), 24);
    }
}
