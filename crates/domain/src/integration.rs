//! Integrations: a workspace's account with a provider of a channel, through which it reaches people and is written to.
//!
//! Invariant: what is secret of it is sealed and never answered; the token in the path of its hook is shown to whoever may
//! manage integrations, since the provider has to be told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use store::{IntegrationRow, Sealer, Sql, Tx, Verdict};

use crate::{
    caller::{Caller, Context, Scope},
    channel::Channel,
    client_link,
    cursor::{CursorPage, CursorQuery},
    email::Email,
    error::{Denied, Error, Field, Result},
    limits, secret,
    service::Domain,
    texts,
    webhook::{Webhook, WebhookNew},
    webhook_new,
};

const NOUN: &str = "integration";

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

/// What is secret may be anywhere in it.
impl std::fmt::Debug for IntegrationNew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IntegrationNew({}, ***)", self.kind.as_str())
    }
}

impl std::fmt::Debug for IntegrationChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IntegrationChange(***)")
    }
}

type Fields = BTreeMap<String, String>;

/// What is part of a provider's URLs.
const WORDS: &[&str] = &[
    "domain",
    "account_sid",
    "phone_number_sid",
    "messaging_service_sid",
    "deployment_id",
    "phone_number_id",
];

fn spec_of(kind: IntegrationKind, name: &str) -> Result<&'static FieldSpec> {
    let found = kind.fields().iter().find(|spec| spec.name == name);
    found.ok_or_else(|| {
        let known: Vec<&str> = kind.fields().iter().map(|spec| spec.name).collect();
        let say = match known.is_empty() {
            true => "An integration of this type has no fields.".to_owned(),
            false => format!(
                "A field is not known. The fields are: {}.",
                known.join(", ")
            ),
        };
        Error::invalid("fields", "unknown", say)
    })
}

fn check_value(spec: &FieldSpec, value: &str) -> Result<()> {
    texts::checked(
        spec.name,
        value.to_owned(),
        limits::INTEGRATION_VALUE_CHARS_MAX,
    )?;
    let is_word = |value: &str| {
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        value.chars().all(good) && !value.starts_with('.')
    };
    if WORDS.contains(&spec.name) && !is_word(value) {
        let say = "It must be of letters, digits, dots, hyphens and underscores.";
        return Err(Error::invalid(spec.name, "malformed", say));
    }
    if spec.name == "incoming_address" && Email::parse(value).is_err() {
        let say = "It must be an e-mail address of the form name@domain.";
        return Err(Error::invalid(spec.name, "malformed", say));
    }
    Ok(())
}

/// Fails where something is not known, malformed or missing.
fn check_fields(kind: IntegrationKind, fields: &Fields) -> Result<()> {
    for (name, value) in fields {
        check_value(spec_of(kind, name)?, value)?;
    }
    let missing = |spec: &&FieldSpec| spec.required && !fields.contains_key(spec.name);
    if let Some(spec) = kind.fields().iter().find(missing) {
        let say = format!("An integration of this type needs {}.", spec.name);
        return Err(Error::invalid(spec.name, "required", say));
    }
    let senders = ["phone_number_sid", "messaging_service_sid"];
    if kind == IntegrationKind::Twilio && !senders.iter().any(|name| fields.contains_key(*name)) {
        let say = "Either phone_number_sid or messaging_service_sid is needed.";
        return Err(Error::invalid("phone_number_sid", "required", say));
    }
    Ok(())
}

fn secrets_context(workspace: i64, id: i64) -> String {
    format!("integration {workspace}/{id}")
}

fn hook_context(workspace: i64, id: i64) -> String {
    format!("integration hook {workspace}/{id}")
}

/// What a hook's token is found by.
pub(crate) fn hook_hash(token: &str) -> Vec<u8> {
    blake3::derive_key("throng 2026-11 integration hook", token.as_bytes()).to_vec()
}

/// The token in the path of an integration's hook.
pub(crate) fn hook_token(sealer: &Sealer, workspace: i64, row: &IntegrationRow) -> Result<String> {
    let plain = sealer.open(&hook_context(workspace, row.id), &row.hook_token)?;
    String::from_utf8(plain).map_err(Error::internal)
}

fn secrets_of(sealer: &Sealer, workspace: i64, row: &IntegrationRow) -> Result<Fields> {
    let plain = sealer.open(&secrets_context(workspace, row.id), &row.secrets)?;
    serde_json::from_slice(&plain).map_err(Error::internal)
}

fn open_fields(row: &IntegrationRow) -> Result<Fields> {
    serde_json::from_str(&row.fields).map_err(Error::internal)
}

/// All fields of an integration, the secret ones too.
pub(crate) fn opened(sealer: &Sealer, workspace: i64, row: &IntegrationRow) -> Result<Fields> {
    let mut fields = open_fields(row)?;
    fields.append(&mut secrets_of(sealer, workspace, row)?);
    Ok(fields)
}

/// The kind that a row says.
pub(crate) fn kind_of(row: &IntegrationRow) -> Result<IntegrationKind> {
    IntegrationKind::parse(&row.kind)
        .ok_or_else(|| Error::internal(format!("an integration of the kind {:?}", row.kind)))
}

fn view(sealer: &Sealer, workspace: i64, row: IntegrationRow) -> Result<Integration> {
    Ok(Integration {
        kind: kind_of(&row)?,
        fields: open_fields(&row)?,
        secrets: secrets_of(sealer, workspace, &row)?.into_keys().collect(),
        hook_token: hook_token(sealer, workspace, &row)?,
        id: row.id,
        display_name: row.display_name,
        status: row.status,
        created: row.created,
        updated: row.updated,
    })
}

/// Writes the fields into a row, those apart that are secret.
fn keep_fields(
    sealer: &Sealer,
    workspace: i64,
    row: &mut IntegrationRow,
    (kind, fields): (IntegrationKind, &Fields),
) -> Result<()> {
    let is_secret = |name: &str| {
        kind.fields()
            .iter()
            .any(|spec| spec.secret && spec.name == name)
    };
    let (secrets, shown): (Fields, Fields) = fields
        .clone()
        .into_iter()
        .partition(|(name, _)| is_secret(name));
    row.fields = serde_json::to_string(&shown).map_err(Error::internal)?;
    let plain = serde_json::to_vec(&secrets).map_err(Error::internal)?;
    row.secrets = sealer.seal(&secrets_context(workspace, row.id), &plain)?;
    Ok(())
}

/// An integration's own key may see it, and change nothing of it.
fn need_to_see(caller: &Caller) -> Result<()> {
    caller.need(match caller.integration {
        Some(_) => Scope::Channels,
        None => Scope::Integrations,
    })?;
    caller.need_every_structure()
}

pub(crate) fn need_to_manage(caller: &Caller) -> Result<()> {
    caller.need(Scope::Integrations)?;
    if caller.integration.is_some() {
        return Err(Error::Forbidden(Denied::Scope(Scope::Integrations)));
    }
    caller.need_every_structure()
}

fn room(tx: &mut Tx<'_, '_>) -> Result<()> {
    if store::integrations_count(tx)? < limits::INTEGRATIONS_MAX as u64 {
        return Ok(());
    }
    Err(Error::TooLarge(Field {
        name: NOUN,
        code: "too_many",
        text: format!(
            "A workspace has at most {} integrations.",
            limits::INTEGRATIONS_MAX
        ),
    }))
}

impl Domain {
    /// Makes an integration, and of a custom one its webhooks, whose secrets are shown this once. Needs the scope
    /// integrations and every structure.
    pub async fn integration_create(
        &self,
        context: &Context,
        new: IntegrationNew,
    ) -> Result<(Integration, Vec<(Webhook, String)>)> {
        need_to_manage(&context.caller)?;
        let webhooks = self.webhooks_of(&context.caller, new.kind, new.webhooks)?;
        let display_name = texts::optional(
            "display_name",
            new.display_name,
            limits::DISPLAY_NAME_CHARS_MAX,
        )?;
        check_fields(new.kind, &new.fields)?;
        let (kind, fields) = (new.kind, new.fields);
        let token = secret::generate(self.random())?;
        let sealer = self.store().sealer().clone();
        self.command(context, "integration_create", 1, move |tx| {
            room(tx)?;
            let (workspace, id, now) = (tx.workspace(), tx.next_id(), tx.meta().time);
            let mut row = IntegrationRow {
                id,
                kind: kind.as_str().to_owned(),
                display_name: display_name.clone(),
                fields: String::new(),
                secrets: Vec::new(),
                status: "active".to_owned(),
                hook_token: sealer.seal(&hook_context(workspace, id), token.as_bytes())?,
                created: now,
                updated: now,
            };
            keep_fields(&sealer, workspace, &mut row, (kind, &fields))?;
            store::integration_insert(tx, &row, &hook_hash(&token))?;
            store::activity_insert(tx, Some(id), &format!("type={}", kind.as_str()))?;
            let webhooks = webhooks
                .iter()
                .map(|made| made.insert(tx, &sealer, Some(id)))
                .collect::<Result<Vec<_>>>()?;
            Ok(Verdict::Done((view(&sealer, workspace, row)?, webhooks)))
        })
        .await
    }

    fn webhooks_of(
        &self,
        caller: &Caller,
        kind: IntegrationKind,
        webhooks: Vec<WebhookNew>,
    ) -> Result<Vec<webhook_new::Made>> {
        if webhooks.is_empty() {
            return Ok(Vec::new());
        }
        caller.need(Scope::Webhooks)?;
        if kind != IntegrationKind::Custom {
            let say = "Only a custom integration comes with webhooks.";
            return Err(Error::invalid("webhooks", "unknown", say));
        }
        if webhooks.len() > limits::INTEGRATION_WEBHOOKS_MAX {
            let say = format!(
                "An integration comes with at most {} webhooks.",
                limits::INTEGRATION_WEBHOOKS_MAX
            );
            return Err(Error::invalid("webhooks", "too_many", say));
        }
        webhooks
            .into_iter()
            .map(|new| webhook_new::checked(self.random(), new))
            .collect()
    }

    /// Integrations of some kinds, or of all where none is named. Needs the scope integrations and every structure; a key of
    /// an integration lists that one.
    pub async fn integration_list(
        &self,
        caller: &Caller,
        kinds: &[IntegrationKind],
        page: &CursorQuery,
    ) -> Result<CursorPage<Integration>> {
        need_to_see(caller)?;
        let (slice, page) = (page.slice()?, *page);
        let mut kinds = match kinds.is_empty() {
            true => IntegrationKind::ALL.to_vec(),
            false => kinds.to_vec(),
        };
        kinds.sort_unstable();
        kinds.dedup();
        let (workspace, own) = (caller.workspace, caller.integration);
        let sealer = self.store().sealer().clone();
        self.store()
            .read(workspace, move |read| {
                let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
                let rows = match own {
                    None => store::integration_page(read, &names, slice)?,
                    Some(own) => {
                        let found = store::integration_get(read, own)?.into_iter();
                        found
                            .filter(|row| slice.holds(row.id) && names.contains(&row.kind.as_str()))
                            .collect()
                    }
                };
                let rows = rows.into_iter();
                let found: Result<Vec<_>> = rows.map(|row| view(&sealer, workspace, row)).collect();
                Ok(page.page(found?))
            })
            .await
    }

    /// Needs the scope integrations and every structure; a key of an integration gets that one.
    pub async fn integration_get(&self, caller: &Caller, id: i64) -> Result<Integration> {
        need_to_see(caller)?;
        if caller.integration.is_some_and(|own| own != id) {
            return Err(Error::NotFound(NOUN));
        }
        let (workspace, sealer) = (caller.workspace, self.store().sealer().clone());
        self.store()
            .read(workspace, move |read| {
                let row = store::integration_get(read, id)?.ok_or(Error::NotFound(NOUN))?;
                view(&sealer, workspace, row)
            })
            .await
    }

    /// Changes what an integration is called and what it holds; what it must hold cannot be cleared. Needs the scope
    /// integrations and every structure.
    pub async fn integration_update(
        &self,
        context: &Context,
        id: i64,
        change: IntegrationChange,
    ) -> Result<Integration> {
        need_to_manage(&context.caller)?;
        let name = change
            .display_name
            .map(|name| texts::optional("display_name", name, limits::DISPLAY_NAME_CHARS_MAX))
            .transpose()?;
        let (changes, sealer) = (change.fields, self.store().sealer().clone());
        self.command(context, "integration_update", 1, move |tx| {
            let workspace = tx.workspace();
            let mut row = store::integration_get(tx, id)?.ok_or(Error::NotFound(NOUN))?;
            let kind = kind_of(&row)?;
            let before = opened(&sealer, workspace, &row)?;
            let mut fields = before.clone();
            for (name, value) in &changes {
                spec_of(kind, name)?;
                match value {
                    Some(value) => fields.insert(name.clone(), value.clone()),
                    None => fields.remove(name),
                };
            }
            check_fields(kind, &fields)?;
            let renamed = name.as_ref().is_some_and(|name| *name != row.display_name);
            if renamed || fields != before {
                row.display_name = name.clone().unwrap_or(row.display_name);
                keep_fields(&sealer, workspace, &mut row, (kind, &fields))?;
                row.updated = tx.meta().time;
                store::integration_update(tx, &row)?;
                store::activity_insert(tx, Some(id), "")?;
            }
            Ok(Verdict::Done(view(&sealer, workspace, row)?))
        })
        .await
    }

    /// Deletes an integration with its webhooks and keys; its clients become inactive. Needs the scope integrations and every
    /// structure.
    pub async fn integration_delete(&self, context: &Context, id: i64) -> Result<()> {
        need_to_manage(&context.caller)?;
        let (workspace, sealer) = (context.caller.workspace, self.store().sealer().clone());
        let revoked = self
            .command(context, "integration_delete", 1, move |tx| {
                let row = store::integration_get(tx, id)?.ok_or(Error::NotFound(NOUN))?;
                let hook = hook_hash(&hook_token(&sealer, workspace, &row)?);
                client_link::integration_gone(tx, &sealer, id)?;
                store::webhooks_delete_of(tx, id)?;
                let revoked =
                    store::credentials_revoke_of_integration(tx, id, "integration deleted")?;
                store::integration_delete(tx, id, &hook)?;
                store::activity_insert(tx, Some(id), "")?;
                Ok(Verdict::Done(revoked))
            })
            .await?;
        let mut cache = self.credential_cache().lock();
        for key in revoked {
            cache.remove(&(workspace, key));
        }
        Ok(())
    }

    /// Where the provider has to send what people write.
    pub fn hook_url(&self, kind: IntegrationKind, hook_token: &str) -> String {
        format!("{}/hooks/{}/{hook_token}", self.public_url(), kind.as_str())
    }
}
