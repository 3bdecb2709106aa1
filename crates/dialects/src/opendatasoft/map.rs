//! Between the domain's values and the vendor's: pure conversions.

use std::collections::HashMap;

use domain::{
    AccountView, CallLimit, Caller, DialectId, Group, IdKind, KeyView, Permissions, Refusal,
    RefusalKind, group_permissions, rfc3339,
};

use super::{error::Problem, json, wire};

/// User names by account.
pub type Names = HashMap<i64, String>;

/// How the groups of a user are written.
#[derive(Debug, Clone, Copy)]
pub enum Groups<'a> {
    Uids,
    Whole { names: &'a Names, titles: bool },
}

/// No picture: the vendor's address has a digest of the e-mail address in it, which would tell a third party who is here.
const GRAVATAR: &str = "//www.gravatar.com/avatar/00000000000000000000000000000000?d=mp";

pub fn user(view: &AccountView, groups: Groups<'_>) -> wire::User {
    let account = &view.account;
    let one = |group: &Group| match groups {
        Groups::Uids => wire::GroupOfUser::Named(wire::Uid {
            uid: group.uid.clone(),
        }),
        Groups::Whole { names, titles } => {
            let mut whole = self::group(group, names);
            whole.title = whole.title.filter(|_| titles);
            wire::GroupOfUser::Whole(Box::new(whole))
        }
    };
    wire::User {
        username: account.username.clone(),
        display_name: display_name(view),
        first_name: account.first_name.clone(),
        last_name: account.last_name.clone(),
        is_active: account.active,
        email: account.email.clone(),
        is_ods: false,
        account_type: "local",
        permissions: wire::PermissionList(view.permissions()),
        joined_at: rfc3339(account.created),
        last_seen_at: account.last_seen.map(rfc3339),
        last_login_at: account.last_sign_in.map(rfc3339),
        expires_at: None,
        explore_limits: limits(view.call_limit()),
        management_limits: wire::Nothing {},
        gravatar_url: GRAVATAR,
        groups: view.groups.iter().map(one).collect(),
        identity_providers: view
            .providers
            .iter()
            .map(|uid| wire::Uid { uid: uid.clone() })
            .collect(),
    }
}

/// A user as lists have it.
pub fn listed(view: &AccountView) -> wire::User {
    user(view, Groups::Uids)
}

fn display_name(view: &AccountView) -> String {
    let account = &view.account;
    let names = format!("{} {}", account.first_name, account.last_name);
    let candidates = [account.name.as_deref().unwrap_or_default(), names.trim()];
    let named = candidates.into_iter().find(|name| !name.is_empty());
    named.unwrap_or(&account.username).to_owned()
}

fn limits(limit: Option<CallLimit>) -> wire::ExploreLimits {
    wire::ExploreLimits {
        api_calls: limit.map(|limit| wire::ApiCalls {
            limit: limit.calls,
            unit: limit.per.as_str(),
        }),
    }
}

pub fn group(group: &Group, names: &Names) -> wire::UserGroup {
    let named = |id: &i64| {
        names.get(id).map(|username| wire::RelatedUser {
            username: username.clone(),
        })
    };
    wire::UserGroup {
        uid: group.uid.clone(),
        title: Some(group.title.clone()),
        description: group.description.clone(),
        user_count: group.members,
        permissions: wire::PermissionList(group_permissions(group)),
        explore_limits: limits(group.call_limit.as_deref().and_then(CallLimit::parse)),
        management_limits: wire::Nothing {},
        created_at: rfc3339(group.created),
        updated_at: rfc3339(group.updated),
        created_by: named(&group.created_by),
        updated_by: named(&group.updated_by),
    }
}

/// Permissions with those of the vendor's list replaced; the others are not the vendor's to take.
pub fn with_site(held: Permissions, site: Permissions) -> Permissions {
    held.without(Permissions::SITE).or(site)
}

/// A key. `owner` is its user, where it is to be expanded; `secret` of a new one.
pub fn key(
    workspace: i64,
    view: KeyView,
    owner: Option<&AccountView>,
    secret: Option<String>,
) -> wire::ApiKey {
    let named = wire::RelatedUser {
        username: view.username,
    };
    let user = match owner {
        Some(owner) => Some(wire::KeyUser::Whole(Box::new(listed(owner)))),
        None => (!named.username.is_empty()).then_some(wire::KeyUser::Named(named)),
    };
    let uid = DialectId {
        workspace,
        kind: IdKind::Credential,
        id: view.id,
    };
    wire::ApiKey {
        uid: uid.to_hex(),
        label: view.label,
        key: secret,
        permissions: view.permissions.map(wire::PermissionList),
        created_at: rfc3339(view.created),
        user,
        revocation_status: wire::RevocationStatus {
            revoked_at: view.revoked.map(rfc3339),
            revocation_reason: view.revoked_reason.unwrap_or_default(),
        },
        is_revoked: view.revoked.is_some(),
    }
}

/// The key that a uid names; one of another workspace, or of another kind, names none.
pub fn key_id(caller: &Caller, uid: &str) -> Result<i64, Problem> {
    let id = DialectId::from_hex(uid)
        .filter(|id| id.kind == IdKind::Credential && id.workspace == caller.workspace);
    id.map(|id| id.id).ok_or_else(Problem::not_found)
}

/// One item of a bulk answer.
pub fn bulk_item(outcome: &Result<AccountView, Refusal>) -> wire::BulkItem {
    match outcome {
        Ok(view) => wire::BulkItem::Success {
            data: Box::new(listed(view)),
        },
        Err(refusal) => wire::BulkItem::Error {
            error: wire::BulkError {
                error_code: bulk_code(refusal),
                message: refusal.text.clone(),
            },
        },
    }
}

/// The word for a failure, as the vendor's Management API v2 has them; those that it lacks are ours.
fn bulk_code(refusal: &Refusal) -> &'static str {
    let of_type = [json::WRONG_TYPE, json::REQUIRED].contains(&refusal.code.as_str());
    match (refusal.kind, refusal.field.as_str()) {
        (RefusalKind::AlreadyExists, "email" | "subject") => "already-member",
        (RefusalKind::Invalid, "email") if !of_type => "invalid-email",
        (RefusalKind::Invalid, "groups") if refusal.code == "unknown" => "unknown-group",
        (RefusalKind::Invalid, "identity_provider") if refusal.code == "unknown" => {
            "unknown-identity-provider"
        }
        (RefusalKind::AlreadyExists | RefusalKind::Invalid | RefusalKind::NotFound, _) => {
            "validation_error"
        }
    }
}
