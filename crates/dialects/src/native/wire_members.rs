//! The bodies that name people one by one: lists of members, and managers with what they may do.

use domain::{
    DialectId, Grants, IdKind, MemberPage, Partial, RecordBrief, Refused, limits::MANAGERS_MAX,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;

/// What a record says of a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonRecord {
    #[schema(example = 17)]
    pub id: i64,
    /// The id that its source gave it.
    #[schema(example = "e-4711")]
    pub reference: Option<String>,
    #[schema(example = "ann@example.org")]
    pub email: Option<String>,
    #[schema(example = "Ann")]
    pub first_name: Option<String>,
    #[schema(example = "Example")]
    pub last_name: Option<String>,
}

impl From<RecordBrief> for PersonRecord {
    fn from(record: RecordBrief) -> PersonRecord {
        PersonRecord {
            id: record.id,
            reference: record.reference,
            email: record.email,
            first_name: record.first_name,
            last_name: record.last_name,
        }
    }
}

/// Somebody in an audience.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    /// The person's number in the workspace.
    #[schema(example = 4_711)]
    pub person: u32,
    /// Null where there is none, or the caller may not see it.
    pub record: Option<PersonRecord>,
}

/// A page of an audience's members.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Members {
    pub items: Vec<Member>,
    /// How many there are in all.
    #[schema(example = 48_112)]
    pub total: u64,
    /// Give it as `after` to get the next page; null on the last. A page that happens to end with the last member names
    /// one more, empty page.
    #[schema(example = "NDcxMQ")]
    pub next: Option<String>,
}

impl Members {
    pub(crate) fn new(page: MemberPage, next: Option<String>) -> Members {
        let item = |member: domain::Member| Member {
            person: member.person,
            record: member.record.map(PersonRecord::from),
        };
        Members {
            items: page.members.into_iter().map(item).collect(),
            total: page.total,
            next,
        }
    }
}

/// Somebody who manages an audience.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Manager {
    /// The person's number in the workspace.
    #[schema(example = 4_711)]
    pub person: u32,
    /// Null where there is none, or the caller may not see it.
    pub record: Option<PersonRecord>,
    /// What an account of theirs may do.
    #[schema(example = json!(["manage_members", "view_people"]))]
    pub permissions: Vec<&'static str>,
}

impl From<domain::Manager> for Manager {
    fn from(manager: domain::Manager) -> Manager {
        let all = Grants::ALL.into_iter();
        let held = all.filter(|(_, grant)| manager.grants.has(*grant));
        Manager {
            permissions: held.map(|(name, _)| name).collect(),
            person: manager.person,
            record: manager.record.map(PersonRecord::from),
        }
    }
}

/// Those who manage an audience.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Managers {
    pub items: Vec<Manager>,
}

/// Somebody who is to manage an audience: named by `name` or by `person`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManagerNew {
    /// An e-mail address of somebody who is known.
    #[schema(example = "ann@example.org")]
    name: Option<String>,
    /// The person's number, as the lists show it.
    person: Option<u32>,
    /// Any of `manage_members`, `manage_content`, `assignments`, `view_people`, `insights`, `manage_people`,
    /// `manage_audiences` and `add_managers`. On a structure they hold for its audiences too, and the last two only there.
    #[schema(example = json!(["manage_members", "view_people"]))]
    permissions: Vec<String>,
}

/// Those who are to manage an audience.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManagersNew {
    #[schema(min_items = 1, max_items = 1_000)]
    managers: Vec<ManagerNew>,
}

impl ManagersNew {
    /// Each by the name that the domain knows them by.
    pub(crate) fn named(self, workspace: i64) -> Result<Vec<(String, Grants)>, Problem> {
        let invalid = |code, text: String| Problem::invalid("managers", code, text);
        if self.managers.is_empty() {
            let text = "Name at least one manager; to take one away, delete it.";
            return Err(invalid("required", text.into()));
        }
        if self.managers.len() > MANAGERS_MAX {
            let text = format!("A request may name at most {MANAGERS_MAX} managers.");
            return Err(invalid("too_many", text));
        }
        let each = self.managers.into_iter().map(|manager| {
            let name = match (manager.name, manager.person) {
                (Some(name), None) => name,
                (None, Some(person)) => person_name(workspace, person),
                _ => {
                    let text = "Name each manager either by name or by person.";
                    return Err(invalid("malformed", text.into()));
                }
            };
            Ok((name, grants(&manager.permissions)?))
        });
        each.collect()
    }
}

fn grants(words: &[String]) -> Result<Grants, Problem> {
    words.iter().try_fold(Grants::NONE, |all, word| {
        let mut known = Grants::ALL.into_iter();
        let grant = known.find(|(name, _)| name == word).ok_or_else(|| {
            let names = Grants::ALL.map(|(name, _)| name).join(", ");
            let text = format!("A permission is not known. They are: {names}.");
            Problem::invalid("permissions", "unknown", text)
        })?;
        Ok(all.with(grant.1))
    })
}

/// How the domain is told of a person by number.
pub(crate) fn person_name(workspace: i64, person: u32) -> String {
    person_id(workspace, person.into()).to_hex()
}

fn person_id(workspace: i64, person: i64) -> DialectId {
    DialectId {
        workspace,
        kind: IdKind::Person,
        id: person,
    }
}

/// Somebody as the request named them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Named {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "ann@example.org")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person: Option<i64>,
}

impl From<String> for Named {
    fn from(name: String) -> Named {
        match DialectId::from_hex(&name).filter(|id| id.kind == IdKind::Person) {
            Some(id) => Named {
                name: None,
                person: Some(id.id),
            },
            None => Named {
                name: Some(name),
                person: None,
            },
        }
    }
}

/// Somebody for whom nothing was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NotDone {
    #[serde(flatten)]
    pub who: Named,
    /// `unknown`: nobody is known by the name. `inactive`, or `ended`, which is past the end date.
    #[schema(example = "unknown")]
    pub reason: &'static str,
}

/// For whom it was done, and for whom not. Where it was done for nobody, nothing has changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ManagersChanged {
    pub done: Vec<Named>,
    pub failed: Vec<NotDone>,
}

impl From<Partial> for ManagersChanged {
    fn from(partial: Partial) -> ManagersChanged {
        let failed = partial.failed.into_iter().map(|(name, reason)| NotDone {
            who: name.into(),
            reason: match reason {
                Refused::Unknown => "unknown",
                Refused::Inactive => "inactive",
                Refused::Ended => "ended",
            },
        });
        ManagersChanged {
            done: partial.done.into_iter().map(Named::from).collect(),
            failed: failed.collect(),
        }
    }
}
