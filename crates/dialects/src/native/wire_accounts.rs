//! The bodies of the accounts' operations. A password comes in and never goes out: its type shows nothing of it, and no
//! answer has a field for it.

use domain::{
    AccountChange, AccountNew, AccountView, CallLimit as Limit, Entrance, GroupRef, Money, Per,
    Permissions, Role as DomainRole, rfc3339,
};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    account_list::permissions,
    problem::Problem,
    wire::{present, words},
};

/// What an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Administers the workspace, by itself or by a group.
    Admin,
    Retailer,
    Advertiser,
}

/// As text first: the parser takes what is no text in the place of an enum for broken JSON.
impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const ROLES: &[&str] = &["admin", "retailer", "advertiser"];
        let text = String::deserialize(deserializer)?;
        let role = DomainRole::parse(&text).map(Role::from);
        role.ok_or_else(|| de::Error::unknown_variant(&text, ROLES))
    }
}

impl From<DomainRole> for Role {
    fn from(role: DomainRole) -> Role {
        match role {
            DomainRole::Admin => Role::Admin,
            DomainRole::Retailer => Role::Retailer,
            DomainRole::Advertiser => Role::Advertiser,
        }
    }
}

impl From<Role> for DomainRole {
    fn from(role: Role) -> DomainRole {
        match role {
            Role::Admin => DomainRole::Admin,
            Role::Retailer => DomainRole::Retailer,
            Role::Advertiser => DomainRole::Advertiser,
        }
    }
}

/// A password as it comes in. Nothing shows it, not even the complaint that it is of the wrong type.
pub(crate) struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Secret(text)),
            _ => Err(de::Error::custom("a password must be a string")),
        }
    }
}

/// So many calls in a time. Kept for the protocols that carry it; what the server allows is in its configuration.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallLimit {
    #[schema(example = 1_000)]
    calls: u64,
    /// `year`, `month`, `day`, `hour`, `minute` or `second`.
    #[schema(example = "day")]
    per: String,
}

impl From<Limit> for CallLimit {
    fn from(limit: Limit) -> CallLimit {
        CallLimit {
            calls: limit.calls,
            per: limit.per.as_str().to_owned(),
        }
    }
}

impl TryFrom<CallLimit> for Limit {
    type Error = Problem;

    fn try_from(limit: CallLimit) -> Result<Limit, Problem> {
        let text = "A limit is per year, month, day, hour, minute or second.";
        let per = Per::parse(&limit.per)
            .ok_or_else(|| Problem::invalid("call_limit", "unknown", text))?;
        Ok(Limit {
            calls: limit.calls,
            per,
        })
    }
}

/// A group that an account is in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountGroup {
    #[schema(example = 12)]
    pub id: i64,
    #[schema(example = "editors")]
    pub uid: String,
    #[schema(example = "Editors")]
    pub title: String,
}

/// An account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Account {
    #[schema(example = 42)]
    pub id: i64,
    #[schema(example = "ann")]
    pub username: String,
    #[schema(example = "ann@example.org")]
    pub email: String,
    pub name: Option<String>,
    /// Empty where it is not known, as the next.
    #[schema(example = "Ann")]
    pub first_name: String,
    #[schema(example = "Example")]
    pub last_name: String,
    pub role: Role,
    /// It administers the workspace by itself, not only by a group.
    pub administrator: bool,
    /// One that is not active cannot come in, nor can its keys.
    pub active: bool,
    /// The e-mail address was shown to be theirs.
    pub verified: bool,
    /// False of one that has not accepted its invitation, or comes from an identity provider only.
    pub has_password: bool,
    /// What it may do by itself.
    #[schema(example = json!(["edit_page", "audience:r"]))]
    pub permissions: Vec<String>,
    /// What it may do by itself or by a group. An administrator may everything.
    #[schema(example = json!(["edit_page", "audience:r"]))]
    pub all_permissions: Vec<String>,
    pub groups: Vec<AccountGroup>,
    /// The identity providers that it comes from.
    pub providers: Vec<String>,
    #[schema(value_type = Object)]
    pub preferences: Value,
    pub call_limit: Option<CallLimit>,
    #[schema(example = 1_500.5)]
    pub budget: f64,
    #[schema(example = 0.0)]
    pub credit: f64,
    #[schema(format = DateTime)]
    pub created: String,
    #[schema(format = DateTime)]
    pub updated: String,
    /// Written about once a minute.
    #[schema(format = DateTime)]
    pub last_seen: Option<String>,
    #[schema(format = DateTime)]
    pub last_sign_in: Option<String>,
}

impl From<AccountView> for Account {
    fn from(view: AccountView) -> Account {
        let group = |group: &domain::Group| AccountGroup {
            id: group.id,
            uid: group.uid.clone(),
            title: group.title.clone(),
        };
        Account {
            role: view.role().into(),
            has_password: view.has_password,
            permissions: words(&view.permissions().as_text()),
            all_permissions: words(&view.all_permissions().as_text()),
            groups: view.groups.iter().map(group).collect(),
            preferences: view.preferences(),
            call_limit: view.call_limit().map(CallLimit::from),
            budget: view.budget().to_f64(),
            credit: view.credit().to_f64(),
            providers: view.providers,
            id: view.account.id,
            username: view.account.username,
            email: view.account.email,
            name: view.account.name,
            first_name: view.account.first_name,
            last_name: view.account.last_name,
            administrator: view.account.administrator,
            active: view.account.active,
            verified: view.account.verified,
            created: rfc3339(view.account.created),
            updated: rfc3339(view.account.updated),
            last_seen: view.account.last_seen.map(rfc3339),
            last_sign_in: view.account.last_sign_in.map(rfc3339),
        }
    }
}

/// The identity provider that an account will come from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Provider {
    /// Its name in the server's configuration.
    #[schema(example = "google")]
    uid: String,
    /// The account's `sub` there. Absent means the first sign-in with the account's address, which the provider must
    /// say is verified.
    #[schema(min_length = 1, max_length = 255)]
    subject: Option<String>,
}

/// An account to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountCreate {
    #[schema(max_length = 254, example = "ann@example.org")]
    email: String,
    /// 1 to 150 letters, digits and `_.@+-`; made from the address where absent.
    #[schema(min_length = 1, max_length = 150)]
    username: Option<String>,
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    #[serde(default)]
    #[schema(max_length = 255)]
    first_name: String,
    #[serde(default)]
    #[schema(max_length = 255)]
    last_name: String,
    /// `advertiser` where absent.
    role: Option<Role>,
    /// 8 to 128 characters, none that many people use. Absent means an invitation.
    #[schema(value_type = Option<String>, format = Password, min_length = 8, max_length = 128)]
    password: Option<Secret>,
    /// In the place of a password.
    identity_provider: Option<Provider>,
    #[serde(default)]
    permissions: Vec<String>,
    /// The ids of at most 100 groups.
    #[serde(default)]
    #[schema(max_items = 100)]
    groups: Vec<i64>,
    /// At most 16 KiB. `etc.language` chooses the language of mails: `en` or `ko`.
    #[schema(value_type = Option<Object>)]
    preferences: Option<Value>,
    call_limit: Option<CallLimit>,
    /// Not below zero, at most three decimals; 0 where absent, as the next.
    #[schema(minimum = 0)]
    budget: Option<f64>,
    #[schema(minimum = 0)]
    credit: Option<f64>,
    /// True where absent.
    active: Option<bool>,
    /// False where absent.
    verified: Option<bool>,
}

impl AccountCreate {
    /// How it will come in; takes the password out of the body.
    pub(crate) fn entrance(&mut self) -> Result<Entrance, Problem> {
        match (self.password.take(), self.identity_provider.take()) {
            (None, None) => Ok(Entrance::Invitation),
            (Some(Secret(password)), None) => Ok(Entrance::Password(password)),
            (None, Some(Provider { uid, subject })) => Ok(Entrance::Provider { uid, subject }),
            (Some(_), Some(_)) => {
                let text = "Give a password or an identity provider, not both.";
                Err(Problem::invalid("identity_provider", "conflicting", text))
            }
        }
    }
}

impl TryFrom<AccountCreate> for AccountNew {
    type Error = Problem;

    fn try_from(body: AccountCreate) -> Result<AccountNew, Problem> {
        Ok(AccountNew {
            username: body.username,
            name: body.name,
            first_name: body.first_name,
            last_name: body.last_name,
            role: body.role.unwrap_or(Role::Advertiser).into(),
            permissions: listed(&body.permissions)?,
            groups: body.groups.into_iter().map(GroupRef::Id).collect(),
            preferences: body.preferences,
            call_limit: body.call_limit.map(Limit::try_from).transpose()?,
            budget: money("budget", body.budget)?.unwrap_or(Money::ZERO),
            credit: money("credit", body.credit)?.unwrap_or(Money::ZERO),
            active: body.active.unwrap_or(true),
            verified: body.verified.unwrap_or(false),
            ..AccountNew::of(body.email)
        })
    }
}

/// What to change of an account; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountUpdate {
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, max_length = 254, example = "ann@example.org")]
    email: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 150)]
    username: Option<String>,
    /// Null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, max_length = 255)]
    first_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, max_length = 255)]
    last_name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, format = Password, min_length = 8, max_length = 128)]
    password: Option<Secret>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    active: Option<bool>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    verified: Option<bool>,
    /// `admin` makes an administrator, the others unmake one.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Role, required = false)]
    role: Option<Role>,
    /// Makes or unmakes an administrator and leaves the role beside it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool, required = false)]
    administrator: Option<bool>,
    /// Replaces them all; with or without `edit_domain`, the administrator's, it makes or unmakes one.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>, required = false)]
    permissions: Option<Vec<String>>,
    /// The ids of its groups; replaces them.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<i64>, required = false, max_items = 100)]
    groups: Option<Vec<i64>>,
    /// Its keys replace those of the preferences, the others stay.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Object, required = false)]
    preferences: Option<Value>,
    /// Null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<CallLimit>)]
    call_limit: Option<Option<CallLimit>>,
    /// The new amount, not the difference; the ledger keeps that.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = f64, required = false, minimum = 0)]
    budget: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = f64, required = false, minimum = 0)]
    credit: Option<f64>,
    /// Why budget or credit change, for the ledger and the mail to the account.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, max_length = 500)]
    reason: Option<String>,
}

impl TryFrom<AccountUpdate> for AccountChange {
    type Error = Problem;

    fn try_from(body: AccountUpdate) -> Result<AccountChange, Problem> {
        let permissions = body.permissions.as_deref().map(listed).transpose()?;
        let groups = body.groups;
        Ok(AccountChange {
            email: body.email,
            username: body.username,
            name: body.name,
            first_name: body.first_name,
            last_name: body.last_name,
            password: body.password.map(|Secret(text)| text),
            active: body.active,
            verified: body.verified,
            administrator: body.administrator,
            role: body.role.map(DomainRole::from),
            site_permissions: permissions.map(|all| all.and(Permissions::SITE)),
            resource_permissions: permissions.map(|all| all.and(Permissions::RESOURCE)),
            groups: groups.map(|ids| ids.into_iter().map(GroupRef::Id).collect()),
            preferences: body.preferences,
            call_limit: match body.call_limit {
                None => None,
                Some(limit) => Some(limit.map(Limit::try_from).transpose()?),
            },
            budget: money("budget", body.budget)?,
            credit: money("credit", body.credit)?,
            reason: body.reason,
        })
    }
}

fn listed(words: &[String]) -> Result<Permissions, Problem> {
    permissions("permissions", words.iter().map(String::as_str))
}

fn money(field: &'static str, units: Option<f64>) -> Result<Option<Money>, Problem> {
    let money = units.map(|units| Money::from_f64(field, units));
    Ok(money.transpose()?)
}
