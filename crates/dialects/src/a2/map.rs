//! Between the vendor's models and the domain's types.

use domain::{
    AccountChange, AccountNew, AccountView, Activity, Consent, DialectId, IdKind, Money,
    Permission, Permissions, Role, rfc3339,
};
use serde_json::{Map, Value, json};

use super::{
    call::user_uuid,
    error::Problem,
    fields::{Need, Sent},
    wire::{self, Amount, NAME_CHARS_MAX, NAME_CHARS_MIN, PREFERENCES},
};

/// The language that the documented preferences begin with.
const LANGUAGE: &str = "ko";

/// The documented preferences. The page shows a masked address for Slack; here it is empty.
fn default_preferences() -> Value {
    json!({
        "etc": {"language": LANGUAGE},
        "notification_methods": {"email": true, "slack": false, "sms": false},
        "notification_methods_data": {"slack": "", "sms": ""},
        "notifications": {
            "attribute_deleted": true,
            "campaign_finished": true,
            "publish_approval": true,
            "publish_request": true,
        },
    })
}

/// Puts under an object what it lacks of the defaults.
fn fill(value: &mut Value, defaults: Value) {
    let (Value::Object(fields), Value::Object(defaults)) = (value, defaults) else {
        return;
    };
    for (name, default) in defaults {
        match fields.get_mut(&name) {
            Some(known) => fill(known, default),
            None => drop(fields.insert(name, default)),
        }
    }
}

/// Preferences to be stored, with the language that they show: mail is written in it.
fn with_language(preferences: &Map<String, Value>, new: bool) -> Value {
    let mut preferences = Value::Object(preferences.clone());
    if new || preferences.get("etc").is_some() {
        fill(&mut preferences, json!({"etc": {"language": LANGUAGE}}));
    }
    preferences
}

/// A user as it is answered. No campaigns, creatives and placements exist here, so that there are none of a user's.
pub fn user(workspace: i64, view: &AccountView) -> wire::User {
    let mut preferences = view.preferences();
    fill(&mut preferences, default_preferences());
    let account = &view.account;
    wire::User {
        budget: Amount(view.budget()),
        campaign_count: 0,
        creative_count: 0,
        credit: Amount(view.credit()),
        email: account.email.clone(),
        id: user_uuid(workspace, account.id),
        is_active: account.active,
        is_superuser: view.administers(),
        is_verified: account.verified,
        name: account.name.clone(),
        permissions: permissions(view.permissions()),
        placement_count: 0,
        preferences,
        role: view.role().as_str(),
    }
}

/// Actions by resource; the site family has no words here.
fn permissions(permissions: Permissions) -> Map<String, Value> {
    let mut lists = Map::new();
    for (resource, action) in permissions.iter().filter_map(Permission::resource) {
        let list = lists.entry(resource).or_insert_with(|| json!([]));
        if let Value::Array(actions) = list {
            actions.push(action.into());
        }
    }
    lists
}

/// A registration: the new account and its password. What nobody gives themselves is in it too, so that the domain can drop
/// it and say so in the log.
pub fn registration(sent: &Sent) -> Result<(AccountNew, String), Problem> {
    let mut fields = sent.fields()?;
    let email = fields.email("email", Need::Required);
    let password = fields.text("password", Need::Required);
    let active = fields.flag("is_active", Need::Null);
    let superuser = fields.flag("is_superuser", Need::Null);
    let verified = fields.flag("is_verified", Need::Null);
    let name = fields.text("name", Need::Required);
    let permissions = fields.permissions("permissions", Need::Required);
    let role = fields.role("role", Need::Required);
    let budget = fields.amount("budget", Need::Absent);
    let credit = fields.amount("credit", Need::Absent);
    let preferences = fields.object("preferences", Need::Absent, &PREFERENCES);
    fields.finish()?;
    let mut permissions = permissions.unwrap_or_default();
    if superuser == Some(true) {
        permissions = permissions.with(Permission::ADMINISTER);
    }
    let preferences = with_language(preferences.unwrap_or(&Map::new()), true);
    let new = AccountNew {
        name: Some(name.unwrap_or_default().to_owned()),
        role: role.unwrap_or(Role::Advertiser),
        permissions,
        preferences: Some(preferences),
        budget: budget.unwrap_or(Money::ZERO),
        credit: credit.unwrap_or(Money::ZERO),
        active: active.unwrap_or(true),
        verified: verified.unwrap_or(false),
        ..AccountNew::of(email.unwrap_or_default())
    };
    Ok((new, password.unwrap_or_default().to_owned()))
}

/// The vendor's update command.
#[derive(Debug, Default)]
pub struct Update {
    /// The user's UUID.
    pub id: Option<String>,
    pub change: AccountChange,
}

/// An update, of which everything but what the operation needs may be left out. Null is as left out, but for the name, which
/// it clears, and the address, which nobody is without.
pub fn update(sent: &Sent, id: Need) -> Result<Update, Problem> {
    let mut fields = sent.fields()?;
    let password = fields.text("password", Need::Null);
    let email = fields.email("email", Need::Absent);
    let active = fields.flag("is_active", Need::Null);
    let administrator = fields.flag("is_superuser", Need::Null);
    let verified = fields.flag("is_verified", Need::Null);
    let id = fields.uuid("id", id);
    let name = fields.text_within("name", Need::Null, NAME_CHARS_MIN, NAME_CHARS_MAX);
    let name = match name {
        None if fields.is_null("name") => Some(None),
        name => name.map(|name| Some(name.to_owned())),
    };
    let budget = fields.amount("budget", Need::Null);
    let credit = fields.amount("credit", Need::Null);
    for count in ["campaign_count", "creative_count", "placement_count"] {
        fields.count(count, Need::Null);
    }
    let resource_permissions = fields.permissions("permissions", Need::Null);
    let preferences = fields.object("preferences", Need::Null, &PREFERENCES);
    fields.finish()?;
    let change = AccountChange {
        email: email.map(str::to_owned),
        name,
        password: password.map(str::to_owned),
        active,
        verified,
        administrator,
        resource_permissions,
        preferences: preferences.map(|preferences| with_language(preferences, false)),
        budget,
        credit,
        ..AccountChange::default()
    };
    Ok(Update { id, change })
}

pub fn consent(workspace: i64, consent: Consent) -> wire::Consent {
    wire::Consent {
        consent_channel: consent.channel,
        consent_date: consent.consented,
        created_at: rfc3339(consent.created),
        is_agreed: consent.agreed,
        policy_version: consent.version,
        updated_at: rfc3339(consent.updated),
        user_id: user_uuid(workspace, consent.account),
    }
}

/// Verbs whose noun is an account.
const OF_ACCOUNTS: [&str; 7] = [
    "account_",
    "consent_",
    "identity_",
    "password_",
    "session_",
    "sign_",
    "verification_",
];

pub fn activity(workspace: i64, entry: Activity) -> wire::ActivityLog {
    let user = |id: i64| {
        Some(id)
            .filter(|id| *id > 0)
            .map(|id| user_uuid(workspace, id))
    };
    let of_account = OF_ACCOUNTS
        .iter()
        .any(|start| entry.verb.starts_with(start));
    let created_by = user(entry.actor);
    let owner = entry.noun.filter(|_| of_account).and_then(user);
    let id = DialectId {
        workspace,
        kind: IdKind::Activity,
        id: entry.id,
    };
    wire::ActivityLog {
        id: id.to_uuid(),
        no: entry.id,
        owner_id: owner.or_else(|| created_by.clone()),
        created_by,
        created_at: rfc3339(entry.time),
        updated_at: rfc3339(entry.time),
        verb: entry.verb,
        target_no: entry.noun,
        detail: detail(&entry.detail),
        request_id: entry.request_id,
    }
}

/// The names of dropped fields in the vendor's words.
fn detail(detail: &str) -> String {
    let words = |names: &str| {
        let names = names.split(',').map(|name| match name {
            "administrator" => "is_superuser",
            "active" => "is_active",
            "verified" => "is_verified",
            "resource_permissions" => "permissions",
            name => name,
        });
        names.collect::<Vec<_>>().join(",")
    };
    let parts = detail
        .split(' ')
        .map(|part| match part.strip_prefix("dropped=") {
            Some(names) => format!("dropped={}", words(names)),
            None => part.to_owned(),
        });
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_stand_under_what_is_stored() {
        let mut stored = json!({"etc": {"theme": "dark"}, "notifications": 3, "new": [null]});
        fill(&mut stored, default_preferences());
        assert_eq!(stored["etc"], json!({"language": "ko", "theme": "dark"}));
        assert_eq!(
            (&stored["notifications"], &stored["new"]),
            (&json!(3), &json!([null]))
        );
        assert_eq!(stored["notification_methods"]["email"], true);
    }

    #[test]
    fn the_language_that_is_shown_is_stored() {
        let empty = Map::new();
        assert_eq!(
            with_language(&empty, true),
            json!({"etc": {"language": "ko"}})
        );
        assert_eq!(with_language(&empty, false), json!({}));
        let mut theme = Map::new();
        theme.insert("etc".into(), json!({"theme": "dark"}));
        let stored = json!({"etc": {"language": "ko", "theme": "dark"}});
        assert_eq!(with_language(&theme, false), stored);
    }

    #[test]
    fn what_was_dropped_is_told_in_the_vendors_words() {
        assert_eq!(
            detail("dropped=administrator,active,budget a=b"),
            "dropped=is_superuser,is_active,budget a=b"
        );
        assert_eq!(detail(""), "");
    }

    #[test]
    fn amounts_are_whole_where_they_are() {
        let shown = |thousandths| {
            let amount = Amount(Money::from_thousandths(thousandths));
            serde_json::to_string(&amount).expect("is JSON")
        };
        let amounts = [0, 123_000, 20_500, 100, 999_999_999_999_999].map(shown);
        assert_eq!(amounts, ["0", "123", "20.5", "0.1", "999999999999.999"]);
    }
}
