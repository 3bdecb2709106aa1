//! The bodies of the channels' operations: integrations, how many people each channel reaches, and what a played answer did.
//! Those that carry what may be secret are not `Debug`.

use std::{collections::BTreeMap, fmt};

use domain::{
    Channel, Client, ClientStatus, Domain, Integration as View, IntegrationChange, IntegrationKind,
    IntegrationNew, rfc3339,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor},
};
use utoipa::{IntoParams, ToSchema};

use super::{problem::Problem, wire::present};

/// The words for [`IntegrationKind`], as the documentation lists them.
const KINDS: &str = "mailgun, twilio, messagebird, whatsapp and custom";

/// The filter of a list of integrations, for the OpenAPI document; [`super::page::PageQuery`] reads it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes, is never made")]
pub(crate) struct IntegrationParams {
    /// Only of these kinds, separated by commas.
    #[param(example = "twilio,whatsapp")]
    kind: Option<String>,
}

/// The kinds that a list is asked for; all where the filter is absent.
pub(crate) fn kinds(filter: Option<&str>) -> Result<Vec<IntegrationKind>, Problem> {
    let words = filter.into_iter().flat_map(|filter| filter.split(','));
    words.map(kind).collect()
}

fn kind(word: &str) -> Result<IntegrationKind, Problem> {
    IntegrationKind::parse(word).ok_or_else(|| {
        let detail = format!("The kinds of integrations are {KINDS}.");
        Problem::invalid("kind", "unknown", detail)
    })
}

/// The workspace's account with a provider of a channel. Its secrets are never answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Integration {
    #[schema(example = 25)]
    pub id: i64,
    /// `mailgun`, `twilio`, `messagebird`, `whatsapp`, or `custom`, which opens no channel.
    #[schema(example = "twilio")]
    pub kind: &'static str,
    #[schema(example = "Text messages")]
    pub display_name: Option<String>,
    /// `active`, `inactive` or `error`.
    #[schema(example = "active")]
    pub status: String,
    /// The provider's settings that are not secret.
    #[schema(example = json!({"account_sid": "AC00000000000000000000000000000000", "phone_number": "+15550100"}))]
    pub fields: BTreeMap<String, String>,
    /// The names of the secret settings that it has.
    #[schema(example = json!(["auth_token"]))]
    pub secrets: Vec<String>,
    /// The names of the settings, secret or not, that it could have and has not.
    #[schema(example = json!(["phone_number_sid"]))]
    pub unset: Vec<&'static str>,
    /// Where the provider has to send what people write and what became of a message; null of a custom one. Whoever knows it
    /// still needs the provider's signature.
    #[schema(example = "https://throng.example.org/hooks/twilio/0123456789abcdef")]
    pub hook_url: Option<String>,
    #[schema(format = DateTime)]
    pub created: String,
    #[schema(format = DateTime)]
    pub updated: String,
}

impl Integration {
    pub(crate) fn new(domain: &Domain, view: View) -> Integration {
        let known = view.kind.fields().iter().map(|field| field.name);
        let is_set =
            |name: &str| view.fields.contains_key(name) || view.secrets.iter().any(|s| s == name);
        let channel = view.kind.channel();
        Integration {
            unset: known.filter(|name| !is_set(name)).collect(),
            hook_url: channel.map(|_| domain.hook_url(view.kind, &view.hook_token)),
            id: view.id,
            kind: view.kind.as_str(),
            display_name: view.display_name,
            status: view.status,
            fields: view.fields,
            secrets: view.secrets,
            created: rfc3339(view.created),
            updated: rfc3339(view.updated),
        }
    }
}

/// An integration to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IntegrationCreate {
    /// `mailgun`, `twilio`, `messagebird`, `whatsapp` or `custom`.
    #[schema(example = "twilio")]
    kind: String,
    /// At most 100 characters.
    #[schema(max_length = 100, example = "Text messages")]
    display_name: Option<String>,
    /// The provider's settings, as `PUT /integrations/{id}/provider` takes them.
    #[serde(default)]
    #[schema(example = json!({"account_sid": "AC00000000000000000000000000000000", "auth_token": "...", "phone_number": "+15550100"}))]
    fields: Settings,
}

impl TryFrom<IntegrationCreate> for IntegrationNew {
    type Error = Problem;

    fn try_from(body: IntegrationCreate) -> Result<IntegrationNew, Problem> {
        let fields = body.fields.0.into_iter();
        Ok(IntegrationNew {
            kind: kind(&body.kind)?,
            display_name: body.display_name,
            fields: fields
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
            webhooks: Vec::new(),
        })
    }
}

/// What to change of an integration; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IntegrationUpdate {
    /// At most 100 characters; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 100, example = "Text messages")]
    display_name: Option<Option<String>>,
}

impl From<IntegrationUpdate> for IntegrationChange {
    fn from(body: IntegrationUpdate) -> IntegrationChange {
        IntegrationChange {
            display_name: body.display_name,
            ..IntegrationChange::default()
        }
    }
}

/// A provider's settings, by name. What is not named stays as it is; null takes one away that need not be there.
///
/// * `mailgun`: `api_key`, `domain`, `incoming_address`, `signing_key`.
/// * `twilio`: `account_sid`, `auth_token`, and one of `phone_number_sid` and `messaging_service_sid`; `phone_number`.
/// * `messagebird`: `access_key`, `signing_key`, `originator`.
/// * `whatsapp`: `deployment_id`, `phone_number_id`, `token`, `app_secret`, `verify_token`.
#[derive(Default, ToSchema)]
#[schema(value_type = BTreeMap<String, Option<String>>, example = json!({"phone_number_id": "106540352242922", "token": "...", "app_secret": "..."}))]
pub(crate) struct Settings(BTreeMap<String, Option<String>>);

/// Read by hand: a map would take the last of two values of one name without a word.
impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named;
        impl<'de> Visitor<'de> for Named {
            type Value = Settings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of settings, each a text or null")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Settings, A::Error> {
                let mut all = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Option<String>>()? {
                    if all.contains_key(&name) {
                        return Err(de::Error::custom(format!("duplicate field `{name}`")));
                    }
                    all.insert(name, value);
                }
                Ok(Settings(all))
            }
        }
        deserializer.deserialize_map(Named)
    }
}

impl From<Settings> for IntegrationChange {
    fn from(settings: Settings) -> IntegrationChange {
        IntegrationChange {
            fields: settings.0,
            ..IntegrationChange::default()
        }
    }
}

/// How many people a channel reaches.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChannelCount {
    /// `mailgun`, `twilio`, `messagebird`, `whatsapp`, or `sdk`: a program of one's own.
    #[schema(example = "whatsapp")]
    pub channel: &'static str,
    /// People with at least one active client on it.
    #[schema(example = 1_204)]
    pub people: u64,
}

impl From<(Channel, u64)> for ChannelCount {
    fn from((channel, people): (Channel, u64)) -> ChannelCount {
        ChannelCount {
            channel: channel.as_str(),
            people,
        }
    }
}

/// What the person writes back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OutboxConfirm {
    /// `yes` where absent.
    #[schema(max_length = 1_600, example = "yes")]
    pub answer: Option<String>,
}

/// What became of an item's client by the answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutboxConfirmed {
    /// Null where the answer removed it, or it was gone before.
    pub client: Option<LinkedClient>,
}

/// A person's address on a channel. The address itself is for those who may read records.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinkedClient {
    #[schema(example = 42)]
    pub id: i64,
    /// The number of the person.
    #[schema(example = 17)]
    pub person: u32,
    /// The id of the record that it is linked to.
    #[schema(example = 30)]
    pub record: i64,
    #[schema(example = "whatsapp")]
    pub channel: &'static str,
    /// `pending`, `active`, `blocked` or `inactive`.
    #[schema(value_type = String, example = "active")]
    pub status: ClientStatus,
    /// The id of the integration; null of `sdk`.
    #[schema(example = 25)]
    pub integration: Option<i64>,
    #[schema(format = DateTime)]
    pub created: String,
    /// When it became active.
    #[schema(format = DateTime)]
    pub linked: Option<String>,
}

impl From<Client> for LinkedClient {
    fn from(client: Client) -> LinkedClient {
        LinkedClient {
            id: client.id,
            person: client.person,
            record: client.record,
            channel: client.channel.as_str(),
            status: client.status,
            integration: client.integration,
            created: rfc3339(client.created),
            linked: client.linked_at.map(rfc3339),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::json;

    fn read(text: &str) -> Result<BTreeMap<String, Option<String>>, Problem> {
        json::parse::<Settings>(text.as_bytes()).map(|settings| settings.0)
    }

    #[test]
    fn settings_are_texts_or_null_each_once() {
        let settings = read(r#"{"token": "t", "app_secret": null}"#).expect("is read");
        assert_eq!(settings["token"].as_deref(), Some("t"));
        assert_eq!(settings["app_secret"], None);
        for (wrong, field) in [
            (r#"{"token": "a", "token": "b"}"#, Some("token")),
            (r#"{"token": 7}"#, Some("token")),
            (r#"{"token": {"a": "b"}}"#, Some("token")),
            (r#"["token"]"#, Some("body")),
            (r#"{"token"}"#, None),
        ] {
            let problem = read(wrong).expect_err("is refused");
            assert_eq!(problem.field.as_deref(), field, "{wrong}");
        }
    }

    #[test]
    fn kinds_are_listed_by_commas() {
        let two = kinds(Some("twilio,custom")).expect("are read");
        assert_eq!(two, [IntegrationKind::Twilio, IntegrationKind::Custom]);
        assert_eq!(kinds(None), Ok(Vec::new()));
        for wrong in ["", "twilio,", "Twilio", "sms"] {
            assert!(kinds(Some(wrong)).is_err(), "{wrong}");
        }
        for kind in IntegrationKind::ALL {
            assert!(KINDS.contains(kind.as_str()), "{kind:?}");
        }
    }
}
