//! Who manages an audience, and what they may do there.

use domain::{AudienceRef, Grants, Scope};

use super::{
    DIALECT,
    audiences::is_structure,
    call::{Answer, Call, deleted, ok},
    error::Problem,
    json::{self, Fields},
    map,
};

/// The permissions by group and name. Those of the last group are a structure's alone.
const PERMISSIONS: [(&str, &[(&str, Grants)]); 3] = [
    (
        "audienceManager",
        &[
            ("manageMembers", Grants::MANAGE_MEMBERS),
            ("manageContent", Grants::MANAGE_CONTENT),
            ("assignments", Grants::ASSIGNMENTS),
        ],
    ),
    (
        "peopleManager",
        &[
            ("canViewLearnPage", Grants::VIEW_PEOPLE),
            ("insights", Grants::INSIGHTS),
            ("manage", Grants::MANAGE_PEOPLE),
        ],
    ),
    (
        ADMINISTRATOR,
        &[
            ("canManageAudiences", Grants::MANAGE_AUDIENCES),
            ("canAddAudienceManagers", Grants::ADD_MANAGERS),
        ],
    ),
];
const ADMINISTRATOR: &str = "administrator";

/// `GET /audiences/{audienceId}/managers`: an array, and no page of one.
pub async fn list(call: Call) -> Answer {
    let caller = call.caller();
    let (audience, managers) = call
        .domain
        .manager_list(caller, call.audience(), Some(DIALECT))
        .await?;
    let structure = is_structure(&audience);
    let shown = managers
        .iter()
        .map(|manager| map::manager(caller.workspace, structure, manager));
    Ok(ok(&shown.collect::<Vec<_>>()))
}

/// `POST /audiences/{audienceId}/managers`
pub async fn add(call: Call) -> Answer {
    put(call, false).await
}

/// `PATCH /audiences/{audienceId}/managers`: who is not named manages no more.
pub async fn replace(call: Call) -> Answer {
    put(call, true).await
}

async fn put(mut call: Call, replace: bool) -> Answer {
    let items = json::objects(call.value().await?)?;
    call.need(Scope::AudiencesWrite)?;
    let found = call.domain.audience_find(call.caller(), call.audience());
    let audience = found.await?.audience;
    let structure = is_structure(&audience);
    let mut managers: Vec<(String, Grants)> = Vec::new();
    for item in &items {
        let (name, grants) = (name(item)?, grants(item, structure)?);
        // The last one of a name counts.
        match managers.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = grants,
            None => managers.push((name, grants)),
        }
    }
    let partial = call
        .domain
        .manager_put(
            &call.context,
            AudienceRef::Id(audience.id),
            Some(DIALECT),
            managers,
            replace,
        )
        .await?;
    Ok(map::outcome(partial))
}

/// Who is meant: by reference first, else as the vendor's own example has it.
fn name(item: &Fields) -> Result<String, Problem> {
    for field in ["reference", "email", "userId"] {
        let name = item.text(field)?.flatten();
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            return Ok(name);
        }
    }
    Err(Problem::invalid("reference", "is required."))
}

fn grants(item: &Fields, structure: bool) -> Result<Grants, Problem> {
    let mut all = Grants::NONE;
    let permissions = item.object("permissions")?.unwrap_or_default();
    for (group, names) in PERMISSIONS {
        let fields = permissions.object(group)?.unwrap_or_default();
        for (name, grant) in names {
            let given = fields.flag(name)?.unwrap_or(false);
            // Clients send the group without asking what the audience is.
            if given && (structure || group != ADMINISTRATOR) {
                all = all.with(*grant);
            }
        }
    }
    Ok(all)
}

/// `DELETE /audiences/{audienceId}/managers/{user}`
pub async fn remove(call: Call) -> Answer {
    let user = call.path("user");
    call.domain
        .manager_remove(&call.context, call.audience(), Some(DIALECT), &user)
        .await?;
    deleted()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn item(value: Value) -> Fields {
        Fields::of(Some(value)).expect("is an object")
    }

    #[test]
    fn what_is_not_given_is_not_granted() {
        let given = item(json!({"permissions": {
            "audienceManager": {"manageContent": true, "assignments": false, "other": 1},
            "peopleManager": {"insights": true},
            "administrator": {"canAddAudienceManagers": true},
        }}));
        let child = Grants::MANAGE_CONTENT.with(Grants::INSIGHTS);
        assert_eq!(grants(&given, false).ok(), Some(child));
        let structure = child.with(Grants::ADD_MANAGERS);
        assert_eq!(grants(&given, true).ok(), Some(structure));
        assert_eq!(grants(&item(json!({})), true).ok(), Some(Grants::NONE));
        for wrong in [
            json!({"permissions": []}),
            json!({"permissions": {"peopleManager": true}}),
            json!({"permissions": {"peopleManager": {"insights": "true"}}}),
            json!({"permissions": {"administrator": {"canAddAudienceManagers": 1}}}),
        ] {
            assert!(grants(&item(wrong.clone()), false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_reference_comes_first() {
        let of = |value| name(&item(value)).ok();
        let both = json!({"userId": "1", "email": "a@b.c", "reference": "r"});
        assert_eq!(of(both).as_deref(), Some("r"));
        let rest = json!({"userId": "1", "reference": null});
        assert_eq!(of(rest).as_deref(), Some("1"));
        assert_eq!(of(json!({"reference": ""})), None);
        assert_eq!(of(json!({"reference": 1})), None);
    }
}
