//! Accounts made: by themselves, by an administrator, by invitation, through a provider; one or many at once.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Account, AccountIdentity, AccountToken, LedgerEntry, Tx, Verdict};

use crate::{
    account::{ACCOUNT, AccountView, CallLimit, Role, assemble, view},
    audience::valid_name,
    caller::{Caller, Context, Visit},
    email::Email,
    error::{Denied, Error, Field, Result},
    group::{self, GroupRef},
    limits,
    mail::Mail,
    money::Money,
    password::Password,
    permission::Permissions,
    secret,
    service::Domain,
    way_in::{self, Purpose},
};

/// An account to be made.
#[derive(Debug, Clone)]
pub struct AccountNew {
    pub email: String,
    /// Nothing means one made from the address.
    pub username: Option<String>,
    pub name: Option<String>,
    pub first_name: String,
    pub last_name: String,
    pub role: Role,
    pub permissions: Permissions,
    pub groups: Vec<GroupRef>,
    /// A JSON object; nothing means an empty one.
    pub preferences: Option<Value>,
    pub call_limit: Option<CallLimit>,
    pub budget: Money,
    pub credit: Money,
    pub active: bool,
    pub verified: bool,
}

impl AccountNew {
    /// An active advertiser of this address and nothing else.
    pub fn of(email: impl Into<String>) -> AccountNew {
        AccountNew {
            email: email.into(),
            username: None,
            name: None,
            first_name: String::new(),
            last_name: String::new(),
            role: Role::Advertiser,
            permissions: Permissions::NONE,
            groups: Vec::new(),
            preferences: None,
            call_limit: None,
            budget: Money::ZERO,
            credit: Money::ZERO,
            active: true,
            verified: false,
        }
    }
}

impl AccountNew {
    /// The names of what it says that nobody gives themselves.
    fn reserved(&self) -> Vec<&'static str> {
        let given = [
            ("administrator", self.permissions.administers()),
            ("active", !self.active),
            ("verified", self.verified),
            (
                "site_permissions",
                !self
                    .permissions
                    .and(Permissions::SITE)
                    .without(Permissions::ADMINISTER)
                    .is_empty(),
            ),
            (
                "resource_permissions",
                !self.permissions.and(Permissions::RESOURCE).is_empty(),
            ),
            ("groups", !self.groups.is_empty()),
            ("call_limit", self.call_limit.is_some()),
            ("budget", self.budget != Money::ZERO),
            ("credit", self.credit != Money::ZERO),
        ];
        let given = given.into_iter().filter(|(_, given)| *given);
        given.map(|(name, _)| name).collect()
    }
}

/// What the activity log says of fields that were left out.
pub(crate) fn dropped_detail(names: &[&str]) -> String {
    if names.is_empty() {
        return String::new();
    }
    format!("dropped={}", names.join(","))
}

/// How a new account will come in.
#[derive(Debug, Clone)]
pub enum Entrance {
    /// With this password.
    Password(String),
    /// By the link of a mail, with a password of its own choice.
    Invitation,
    /// From an identity provider: by its subject there, else with the first sign-in whose address the provider vouches for.
    Provider {
        uid: String,
        subject: Option<String>,
    },
}

/// Why one of many was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub kind: RefusalKind,
    /// The field that is wrong.
    pub field: String,
    pub code: String,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalKind {
    NotFound,
    AlreadyExists,
    Invalid,
}

impl Refusal {
    pub(crate) fn not_found() -> Refusal {
        Refusal {
            kind: RefusalKind::NotFound,
            field: String::new(),
            code: "not_found".into(),
            text: "There is no such account.".into(),
        }
    }

    /// Errors that concern one item only; the others concern the whole request.
    pub(crate) fn of(error: Error) -> Result<Refusal> {
        let (kind, field) = match error {
            Error::AlreadyExists(field) => (RefusalKind::AlreadyExists, field),
            Error::Invalid(field) => (RefusalKind::Invalid, field),
            error => return Err(error),
        };
        Ok(Refusal {
            kind,
            field: field.name.to_owned(),
            code: field.code.to_owned(),
            text: field.text,
        })
    }
}

/// What became of each of many, in their order.
pub type Bulk = Vec<std::result::Result<AccountView, Refusal>>;

pub(crate) fn taken(name: &'static str, text: &str) -> Error {
    Error::AlreadyExists(Field {
        name,
        code: "already_used",
        text: text.into(),
    })
}

pub(crate) fn short_name(field: &'static str, text: &str) -> Result<String> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    valid_name(field, text)
}

/// Words that stand in paths where a user name may stand too: nobody could be reached by such a name.
const RESERVED: [&str; 4] = ["batch", "export", "invite", "provision"];

fn is_reserved(username: &str) -> bool {
    RESERVED
        .iter()
        .any(|word| word.eq_ignore_ascii_case(username))
}

pub(crate) fn valid_username(text: &str) -> Result<String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_.@+-".contains(&byte);
    if text.is_empty() || text.len() > limits::USERNAME_CHARS_MAX || !text.bytes().all(good) {
        let text = format!(
            "A user name has 1 to {} letters, digits and _ . @ + -.",
            limits::USERNAME_CHARS_MAX
        );
        return Err(Error::invalid("username", "malformed", text));
    }
    if is_reserved(text) {
        let text = "This word cannot be a user name: choose another.";
        return Err(Error::invalid("username", "reserved", text));
    }
    Ok(text.to_owned())
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The preferences with the keys of a change in place of their own.
pub(crate) fn merged(old: &str, change: &Value) -> Result<String> {
    let bad = |code, text: &str| Err(Error::invalid("preferences", code, text));
    let Value::Object(change) = change else {
        return bad("malformed", "Preferences must be a JSON object.");
    };
    if change.values().map(depth).max().unwrap_or(0) >= limits::PREFERENCES_DEPTH_MAX {
        return bad("too_deep", "Preferences must not be nested that deep.");
    }
    let mut all: serde_json::Map<String, Value> = serde_json::from_str(old).unwrap_or_default();
    all.extend(change.clone());
    let text = Value::Object(all).to_string();
    if text.len() > limits::PREFERENCES_BYTES_MAX || text.contains("\\u0000") {
        return bad("too_large", "Preferences must be at most 16 KiB of JSON.");
    }
    Ok(text)
}

pub(crate) fn not_negative(field: &'static str, money: Money) -> Result<Money> {
    if money.is_negative() {
        return Err(Error::invalid(
            field,
            "negative",
            "An account's budget and credit cannot be less than zero.",
        ));
    }
    Ok(money)
}

/// A new account whose own fields are checked; what depends on others is checked where it is inserted.
pub(crate) struct Prepared {
    row: Account,
    local: String,
    chose_username: bool,
    groups: Vec<GroupRef>,
}

pub(crate) fn prepare(new: &AccountNew) -> Result<Prepared> {
    let email = Email::parse(&new.email)?;
    let username = new.username.as_deref().map(valid_username).transpose()?;
    let administrator = new.role == Role::Admin || new.permissions.administers();
    let role = match new.role {
        Role::Admin => Role::Advertiser,
        role => role,
    };
    if new.groups.len() > limits::ACCOUNT_GROUPS_MAX {
        return Err(group::too_many_of_account());
    }
    Ok(Prepared {
        local: email.local().to_owned(),
        chose_username: username.is_some(),
        row: Account {
            id: 0,
            username_key: username.as_deref().unwrap_or_default().to_lowercase(),
            username: username.unwrap_or_default(),
            email: email.as_str().to_owned(),
            email_key: email.key().to_owned(),
            name: new
                .name
                .as_deref()
                .map(|name| valid_name("name", name))
                .transpose()?,
            first_name: short_name("first_name", &new.first_name)?,
            last_name: short_name("last_name", &new.last_name)?,
            role: role.as_str().into(),
            administrator,
            active: new.active,
            verified: new.verified,
            password_hash: None,
            permissions: new.permissions.without(Permissions::ADMINISTER).as_text(),
            preferences: merged(
                "{}",
                new.preferences
                    .as_ref()
                    .unwrap_or(&Value::Object(Default::default())),
            )?,
            call_limit: new.call_limit.map(CallLimit::as_text),
            budget: not_negative("budget", new.budget)?.thousandths(),
            credit: not_negative("credit", new.credit)?.thousandths(),
            created: 0,
            updated: 0,
            last_seen: None,
            last_sign_in: None,
        },
        groups: new.groups.clone(),
    })
}

/// Writes a new account. What can be wrong with it is found before anything is written.
pub(crate) fn insert(
    tx: &mut Tx<'_, '_>,
    prepared: &Prepared,
    opened: &Opened,
    detail: &str,
) -> Result<AccountView> {
    let mut row = prepared.row.clone();
    if let Opened::Provider(AccountIdentity {
        issuer, subject, ..
    }) = opened
        && store::account_identity_get(tx, issuer, subject)?.is_some()
    {
        let text = "Another account comes from this provider under this subject.";
        return Err(taken("subject", text));
    }
    if store::account_by_email(tx, &row.email_key)?.is_some() {
        return Err(taken("email", "Another account has this e-mail address."));
    }
    let groups = group::resolve(tx, &prepared.groups)?;
    if prepared.chose_username && store::account_by_username(tx, &row.username_key)?.is_some() {
        return Err(taken("username", "Another account has this user name."));
    }
    row.id = tx.next_id();
    if !prepared.chose_username {
        row.username = free_username(tx, &prepared.local, row.id)?;
        row.username_key = row.username.to_lowercase();
    }
    let now = tx.meta().time;
    (row.created, row.updated) = (now, now);
    store::account_insert(tx, &row)?;
    for group in &groups {
        store::group_member_insert(tx, group.id, row.id)?;
    }
    for (kind, amount) in [("budget", row.budget), ("credit", row.credit)] {
        if amount != 0 {
            note_money(tx, row.id, kind, amount, amount, "opening")?;
        }
    }
    store::activity_insert(tx, Some(row.id), detail)?;
    // What nobody can have given it yet need not be asked for: a request makes a thousand.
    if groups.is_empty() {
        return Ok(assemble(row, groups, &[]));
    }
    view(tx, row)
}

fn free_username(tx: &mut Tx<'_, '_>, local: &str, id: i64) -> Result<String> {
    let good = |c: &char| c.is_ascii_alphanumeric() || "_.+-".contains(*c);
    let base: String = local.chars().filter(good).take(64).collect();
    let base = if base.is_empty() {
        "user".to_owned()
    } else {
        base
    };
    for candidate in [base.clone(), format!("{base}-{id}"), format!("user-{id}")] {
        let free = store::account_by_username(tx, &candidate.to_lowercase())?.is_none();
        if free && !is_reserved(&candidate) {
            return Ok(candidate);
        }
    }
    Err(taken(
        "username",
        "No user name could be made of this address: choose one.",
    ))
}

pub(crate) fn note_money(
    tx: &mut Tx<'_, '_>,
    account: i64,
    kind: &str,
    difference: i64,
    balance: i64,
    reason: &str,
) -> Result<()> {
    let entry = LedgerEntry {
        id: tx.next_id(),
        time: tx.meta().time,
        actor: tx.meta().actor,
        kind: kind.into(),
        difference,
        balance,
        reason: reason.into(),
    };
    Ok(store::ledger_insert(tx, account, &entry)?)
}

/// With one account more, one of so many changes has them all counted.
const COUNTED_EVERY: u64 = 256;

pub(crate) fn room(tx: &mut Tx<'_, '_>, more: usize) -> Result<()> {
    // Counting a million takes 50 ms, so one at a time is counted now and then only.
    if more == 1 && !tx.next_seq().is_multiple_of(COUNTED_EVERY) {
        return Ok(());
    }
    if store::accounts_count(tx)? + more as u64 <= limits::ACCOUNTS_MAX {
        return Ok(());
    }
    Err(Error::TooLarge(Field {
        name: ACCOUNT,
        code: "too_many",
        text: format!(
            "A workspace holds at most {} accounts.",
            limits::ACCOUNTS_MAX
        ),
    }))
}

/// The entrance of an account, worked out before its command: hashing takes long, tokens take randomness.
pub(crate) enum Opened {
    Hash(String),
    Invitation {
        token: String,
        link: String,
        inviter: Option<String>,
    },
    Provider(AccountIdentity),
}

impl Domain {
    /// Makes an account. For administrators.
    pub async fn account_create(
        &self,
        context: &Context,
        new: AccountNew,
        entrance: Entrance,
    ) -> Result<AccountView> {
        context.caller.need_administrator()?;
        self.account_insert(context, "account_create", &new, entrance, String::new())
            .await
    }

    /// Somebody makes an account for themselves, which is active, not verified, and neither an administrator nor of any
    /// permission, group, budget or credit, whatever `new` says; the activity log says what it said of these. At most so
    /// many from one address in an hour.
    pub async fn account_register(
        &self,
        visit: &Visit,
        new: AccountNew,
        password: String,
    ) -> Result<AccountView> {
        if new.role == Role::Admin {
            return Err(Error::Forbidden(Denied::Administrator));
        }
        let context = self.visit(visit).await?;
        self.throttle_visits(&context, visit, "account_register")
            .await?;
        let dropped = new.reserved();
        let new = AccountNew {
            permissions: Permissions::NONE,
            groups: Vec::new(),
            call_limit: None,
            budget: Money::ZERO,
            credit: Money::ZERO,
            active: true,
            verified: false,
            ..new
        };
        self.account_insert(
            &context,
            "account_register",
            &new,
            Entrance::Password(password),
            dropped_detail(&dropped),
        )
        .await
    }

    async fn account_insert(
        &self,
        context: &Context,
        verb: &'static str,
        new: &AccountNew,
        entrance: Entrance,
        detail: String,
    ) -> Result<AccountView> {
        let prepared = prepare(new)?;
        let opened = self.open_entrance(context, &prepared, entrance).await?;
        let sealer = self.store().sealer().clone();
        self.command(context, verb, 1, move |tx| {
            room(tx, 1)?;
            let made = insert(tx, &prepared, &opened, &detail)?;
            Ok(Verdict::Done(enter(tx, &sealer, made, &opened)?))
        })
        .await
    }

    async fn open_entrance(
        &self,
        context: &Context,
        prepared: &Prepared,
        entrance: Entrance,
    ) -> Result<Opened> {
        match entrance {
            Entrance::Password(text) => {
                let row = &prepared.row;
                let name = row.name.as_deref().unwrap_or_default();
                let password = Password::new(text, &[&row.email, &row.username, name])?;
                Ok(Opened::Hash(self.passwords().hash(password).await?))
            }
            Entrance::Invitation => {
                let token = secret::generate(self.random())?;
                let link = self
                    .link(context.caller.workspace, Purpose::Invite, &token)
                    .await?;
                Ok(Opened::Invitation {
                    token,
                    link,
                    inviter: inviter(&context.caller),
                })
            }
            Entrance::Provider { uid, subject } => {
                let provider = self.provider(context.caller.workspace, &uid).await?;
                let bad = |text: &str| {
                    text.is_empty() || text.len() > 255 || text.contains(char::is_control)
                };
                if subject.as_deref().is_some_and(bad) {
                    let text = "The subject must be 1 to 255 characters.";
                    return Err(Error::invalid("subject", "malformed", text));
                }
                Ok(Opened::Provider(AccountIdentity {
                    issuer: provider.issuer.clone(),
                    subject: subject
                        .unwrap_or_else(|| way_in::expected_subject(&prepared.row.email_key)),
                    account: 0,
                    provider: provider.uid.clone(),
                    created: self.now_ms(),
                }))
            }
        }
    }

    /// Makes up to 1,000 accounts in one command, each with its own entrance; one that cannot be made does not keep the
    /// others from it. For administrators.
    pub async fn account_create_all(
        &self,
        context: &Context,
        verb: &'static str,
        items: Vec<Result<(AccountNew, Entrance)>>,
    ) -> Result<Bulk> {
        context.caller.need_administrator()?;
        if items.len() > limits::ACCOUNTS_BULK_MAX {
            let text = format!(
                "At most {} accounts can be made in one request.",
                limits::ACCOUNTS_BULK_MAX
            );
            return Err(Error::TooLarge(Field {
                name: "accounts",
                code: "too_many",
                text,
            }));
        }
        let mut ready = Vec::with_capacity(items.len());
        for item in items {
            let one = match item {
                Ok((new, entrance)) => match prepare(&new) {
                    Ok(prepared) => self
                        .open_entrance(context, &prepared, entrance)
                        .await
                        .map(|opened| (prepared, opened)),
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            ready.push(match one {
                Ok(one) => Ok(one),
                Err(error) => Err(Refusal::of(error)?),
            });
        }
        let sealer = self.store().sealer().clone();
        let weight = ready.len().max(1);
        self.command(context, verb, weight, move |tx| {
            room(tx, ready.len())?;
            let mut bulk = Bulk::with_capacity(ready.len());
            for one in &ready {
                bulk.push(match one {
                    Err(refusal) => Err(refusal.clone()),
                    Ok((prepared, opened)) => match insert(tx, prepared, opened, "") {
                        Ok(made) => Ok(enter(tx, &sealer, made, opened)?),
                        Err(error) => Err(Refusal::of(error)?),
                    },
                });
            }
            Ok(Verdict::Done(bulk))
        })
        .await
    }
}

/// Who invites, as people know them; nothing where no account does.
fn inviter(caller: &Caller) -> Option<String> {
    let account = &caller.operator.as_ref()?.account;
    let whole = format!("{} {}", account.first_name, account.last_name);
    let name = account.name.clone().unwrap_or(whole);
    let name = name.trim();
    Some(
        if name.is_empty() {
            &account.username
        } else {
            name
        }
        .to_owned(),
    )
}

/// Opens a new account's entrance in its command.
fn enter(
    tx: &mut Tx<'_, '_>,
    sealer: &store::Sealer,
    mut made: AccountView,
    opened: &Opened,
) -> Result<AccountView> {
    let row = &mut made.account;
    match opened {
        Opened::Hash(hash) => {
            row.password_hash = Some(hash.clone());
            store::account_update(tx, row)?;
            made.has_password = true;
        }
        Opened::Invitation {
            token,
            link,
            inviter,
        } => {
            let now = tx.meta().time;
            let invitation = AccountToken {
                account: row.id,
                purpose: Purpose::Invite.as_str().into(),
                bound_to: row.email_key.clone(),
                created: now,
                expires: now + limits::INVITE_LIFE_MS,
            };
            store::account_token_insert(tx, &secret::hash(token), &invitation)?;
            let mail = Mail::Invite {
                link: link.clone(),
                inviter: inviter.clone(),
            };
            crate::outbox::mail_queue(tx, sealer, &way_in::envelope(row), &mail)?;
        }
        Opened::Provider(identity) => {
            let identity = AccountIdentity {
                account: row.id,
                ..identity.clone()
            };
            store::account_identity_insert(tx, &identity)?;
            made.providers.push(identity.provider);
        }
    }
    Ok(made)
}
