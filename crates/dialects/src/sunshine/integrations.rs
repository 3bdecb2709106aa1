//! Integrations: a workspace's accounts with the providers of channels, and programs of its own.

use std::collections::BTreeMap;

use domain::{
    CursorPage, IdKind, Integration, IntegrationChange, IntegrationKind, IntegrationNew, Scope,
    Webhook, WebhookNew,
};
use serde::Serialize;
use serde_json::Map;

use super::{
    call::{Answer, Call, created, done, ok},
    error::Problem,
    json::{Errors, Given, Object},
    map::hex,
    webhooks::{self, Fields},
    wire,
};

const NAME_CHARS_MAX: usize = 100;
const VALUE_CHARS_MAX: usize = 2_048;
/// Of a custom integration, as the vendor's clients have it.
const CUSTOM_WEBHOOKS_MAX: usize = 1;

/// The types that there are here.
const TYPES: [(&str, IntegrationKind); 5] = [
    ("mailgun", IntegrationKind::Mailgun),
    ("twilio", IntegrationKind::Twilio),
    ("messagebird", IntegrationKind::MessageBird),
    ("whatsapp", IntegrationKind::WhatsApp),
    ("custom", IntegrationKind::Custom),
];
/// Those that only the vendor has: a filter may name them, and nothing is of them.
const OTHER_TYPES: [&str; 14] = [
    "android",
    "apple",
    "gbm",
    "googlercs",
    "instagram",
    "ios",
    "kakao",
    "line",
    "messenger",
    "telegram",
    "twitter",
    "unity",
    "viber",
    "web",
];

/// The vendor's name of a field and the domain's, of all types; which type has which, the domain knows.
const FIELDS: [(&str, &str); 12] = [
    ("apiKey", "api_key"),
    ("domain", "domain"),
    ("incomingAddress", "incoming_address"),
    ("accountSid", "account_sid"),
    ("authToken", "auth_token"),
    ("phoneNumberSid", "phone_number_sid"),
    ("messagingServiceSid", "messaging_service_sid"),
    ("accessKey", "access_key"),
    ("signingKey", "signing_key"),
    ("originator", "originator"),
    ("deploymentId", "deployment_id"),
    // Of Twilio's: saves asking for the number of a phoneNumberSid.
    ("phoneNumber", "phone_number"),
];
const DEPLOYMENT_ID: &str = "deploymentId";

/// `IntegrationResponse`.
#[derive(Debug, Serialize)]
struct Body {
    integration: wire::Integration,
}

/// The vendor's fields of a type, with the domain's names for them. What Mailgun signs its hooks with is the provider's
/// business, as is what WhatsApp's own API needs: neither is in the vendor's words.
fn fields(kind: IntegrationKind) -> impl Iterator<Item = (&'static str, &'static str)> {
    let own = kind.fields();
    FIELDS.into_iter().filter(move |(_, name)| {
        let mailgun_signs = kind == IntegrationKind::Mailgun && *name == "signing_key";
        own.iter().any(|field| field.name == *name) && !mailgun_signs
    })
}

/// What of the integration is not secret. `webhook` is that of a custom one, of which the vendor's clients want exactly one.
fn shown(workspace: i64, integration: &Integration, webhook: wire::Webhook) -> wire::Integration {
    let kind = integration.kind;
    let mut members = Map::new();
    for (shown, name) in fields(kind) {
        if let Some(value) = integration.fields.get(name) {
            members.insert(shown.into(), value.clone().into());
        }
    }
    match kind {
        // The vendor's word for what is in the path of its hook.
        IntegrationKind::MessageBird => {
            let token = integration.hook_token.clone();
            members.insert("webhookSecret".into(), token.into());
        }
        // Version 9 of the Python client fails where there is none.
        IntegrationKind::WhatsApp => {
            members.entry(DEPLOYMENT_ID).or_insert("".into());
        }
        IntegrationKind::Mailgun | IntegrationKind::Twilio | IntegrationKind::Custom => {}
    }
    wire::Integration {
        id: hex(workspace, IdKind::Integration, integration.id),
        kind: type_of(kind),
        status: integration.status.clone(),
        display_name: integration
            .display_name
            .clone()
            .filter(|name| !name.is_empty()),
        fields: members,
        webhooks: (kind == IntegrationKind::Custom).then_some([webhook]),
    }
}

fn type_of(kind: IntegrationKind) -> &'static str {
    let found = TYPES.iter().find(|(_, known)| *known == kind);
    found.map_or("custom", |(word, _)| word)
}

/// The first webhook of an integration among these. Version 17 of the Python client fails on a whole list where a custom
/// integration has none, so an empty one stands there then.
fn first(workspace: i64, id: i64, all: &[Webhook]) -> wire::Webhook {
    let own = all.iter().find(|webhook| webhook.integration == Some(id));
    own.map_or_else(webhooks::none, |webhook| {
        webhooks::shown(workspace, webhook, None)
    })
}

/// The webhooks, where one of these is custom and the caller may see them.
async fn webhooks_of(call: &Call, integrations: &[Integration]) -> Result<Vec<Webhook>, Problem> {
    let custom = |integration: &Integration| integration.kind == IntegrationKind::Custom;
    let may = call.caller().scopes.has(Scope::Webhooks);
    match may && integrations.iter().any(custom) {
        true => webhooks::all(call).await,
        false => Ok(Vec::new()),
    }
}

async fn answer(call: &Call, integration: Integration) -> Answer {
    let workspace = call.workspace();
    let all = webhooks_of(call, std::slice::from_ref(&integration)).await?;
    let webhook = first(workspace, integration.id, &all);
    Ok(ok(&Body {
        integration: shown(workspace, &integration, webhook),
    }))
}

/// `POST /integrations`
pub async fn create(call: Call) -> Answer {
    let workspace = call.workspace();
    let new = call.read(integration_new)?;
    for webhook in &new.webhooks {
        webhooks::reachable(&call, &webhook.url)?;
    }
    let made = call.domain.integration_create(&call.context, new).await?;
    let (integration, made) = made;
    let webhook = made.into_iter().next();
    let webhook = webhook.map_or_else(webhooks::none, |(webhook, secret)| {
        webhooks::shown(workspace, &webhook, Some(secret))
    });
    Ok(created(&Body {
        integration: shown(workspace, &integration, webhook),
    }))
}

fn integration_new(body: &Object<'_>, errors: &mut Errors) -> Option<IntegrationNew> {
    let display_name = body.maybe(errors, "displayName", NAME_CHARS_MAX);
    let kind = body.word(errors, "type", &TYPES)?;
    let mut values = BTreeMap::new();
    for (shown, name) in fields(kind) {
        let own = kind.fields().iter().find(|field| field.name == name);
        let text = match own.is_some_and(|field| field.required) {
            true => body.required(errors, shown, VALUE_CHARS_MAX),
            false => body.maybe(errors, shown, VALUE_CHARS_MAX),
        };
        values.extend(text.map(|text| (name.to_owned(), text)));
    }
    if kind == IntegrationKind::Twilio
        && !body.has("phoneNumberSid")
        && !body.has("messagingServiceSid")
    {
        let why = "or messagingServiceSid is required";
        body.wrong(errors, "phoneNumberSid", why);
    }
    Some(IntegrationNew {
        kind,
        display_name,
        fields: values,
        webhooks: match kind {
            IntegrationKind::Custom => custom_webhooks(body, errors),
            _ => Vec::new(),
        },
    })
}

fn custom_webhooks(body: &Object<'_>, errors: &mut Errors) -> Vec<WebhookNew> {
    let bodies = body.objects(errors, "webhooks", CUSTOM_WEBHOOKS_MAX);
    if !body.has("webhooks") || bodies.is_empty() {
        let why = format!("must hold {CUSTOM_WEBHOOKS_MAX} webhook");
        body.wrong(errors, "webhooks", &why);
    }
    let new = bodies.iter().map(|body| Fields::webhook_new(body, errors));
    new.collect::<Vec<_>>().into_iter().flatten().collect()
}

/// `GET /integrations`, of some types where `filter[types]` names them.
pub async fn list(call: Call) -> Answer {
    let workspace = call.workspace();
    let cursor = call.cursor(IdKind::Integration)?;
    let kinds = asked_types(call.query.filter("types")?)?;
    let page = match &kinds {
        Some(kinds) if kinds.is_empty() => CursorPage {
            items: Vec::new(),
            has_before: false,
            has_after: false,
            has_more: false,
        },
        kinds => {
            let kinds = kinds.as_deref().unwrap_or_default();
            call.domain
                .integration_list(call.caller(), kinds, &cursor)
                .await?
        }
    };
    let all = webhooks_of(&call, &page.items).await?;
    call.page(
        ("integrations", IdKind::Integration),
        cursor,
        page,
        |integration| integration.id,
        |integration| {
            let webhook = first(workspace, integration.id, &all);
            shown(workspace, integration, webhook)
        },
    )
}

/// The types that a filter names and that there are here; nothing where there is no filter.
fn asked_types(filter: Option<&str>) -> Result<Option<Vec<IntegrationKind>>, Problem> {
    let Some(filter) = filter else {
        return Ok(None);
    };
    let mut kinds = Vec::new();
    for word in filter.split(',').map(str::trim) {
        if let Some((_, kind)) = TYPES.iter().find(|(known, _)| *known == word) {
            kinds.push(*kind);
        } else if !OTHER_TYPES.contains(&word) {
            let title = "filter[types] must be types of integrations, joined by commas";
            return Err(Problem::bad_request(title));
        }
    }
    Ok(Some(kinds))
}

/// `GET /integrations/{integrationId}`
pub async fn get(call: Call) -> Answer {
    let id = call.integration()?;
    let integration = call.domain.integration_get(call.caller(), id).await?;
    answer(&call, integration).await
}

/// `PATCH /integrations/{integrationId}`: what is absent stays.
pub async fn update(call: Call) -> Answer {
    let id = call.integration()?;
    let kind = call.domain.integration_get(call.caller(), id).await?.kind;
    let change = call.read(|body, errors| {
        let display_name = body.text(errors, "displayName", NAME_CHARS_MAX);
        let given = fields(kind).filter_map(|(shown, name)| {
            let text: Given<String> = body.text(errors, shown, VALUE_CHARS_MAX);
            Some((name.to_owned(), text?))
        });
        Some(IntegrationChange {
            fields: given.collect(),
            display_name,
        })
    })?;
    let integration = call
        .domain
        .integration_update(&call.context, id, change)
        .await?;
    answer(&call, integration).await
}

/// `DELETE /integrations/{integrationId}`
pub async fn delete(call: Call) -> Answer {
    let id = call.integration()?;
    call.domain.integration_delete(&call.context, id).await?;
    done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_its_own_fields() {
        let names = |kind| fields(kind).map(|(shown, _)| shown).collect::<Vec<_>>();
        assert_eq!(
            names(IntegrationKind::Mailgun),
            ["apiKey", "domain", "incomingAddress"]
        );
        assert_eq!(
            names(IntegrationKind::MessageBird),
            ["accessKey", "signingKey", "originator"]
        );
        assert_eq!(names(IntegrationKind::WhatsApp), ["deploymentId"]);
        assert_eq!(names(IntegrationKind::Custom), [""; 0]);
        assert!(names(IntegrationKind::Twilio).contains(&"accountSid"));
        for kind in IntegrationKind::ALL {
            assert!(TYPES.iter().any(|(_, known)| *known == kind));
        }
    }

    #[test]
    fn a_filter_names_types() {
        assert_eq!(asked_types(None).ok(), Some(None));
        assert_eq!(
            asked_types(Some("mailgun, custom,web")).ok(),
            Some(Some(vec![
                IntegrationKind::Mailgun,
                IntegrationKind::Custom
            ]))
        );
        assert_eq!(asked_types(Some("web")).ok(), Some(Some(Vec::new())));
        for wrong in ["fax", "mailgun,", "Mailgun"] {
            assert!(asked_types(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
