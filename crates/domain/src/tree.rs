//! Trees of audiences: who is in a structure, where a node is, and who may do what to it.
//!
//! A structure's people are its own members and those of its manual audiences. That union is derived whenever it is asked
//! for and never stored, so a move changes rows and no set, and nobody can be in an audience without being in its
//! structure. Smart audiences do not feed their structure.

use sets::{Set, SetId};
use store::{Audience, AudienceKind, Control, Sql, View};

use crate::{
    caller::{Caller, Scope},
    error::{Denied, Error, Result},
    id::{DialectId, IdKind},
    identifier::Kind,
    manager::{Grants, grants_on},
    rule,
    service::Domain,
};

/// Which structure or audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AudienceRef {
    Id(i64),
    /// Its id as 24 hexadecimal digits ([`DialectId`]), else its reference.
    Name(String),
}

/// What somebody wants to do to a structure or audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// See it and how many it holds.
    See,
    /// Ask whether somebody is in it.
    Ask,
    /// List who is in it.
    List,
    /// Add and remove members.
    Fill,
    /// Make, rename, move, delete.
    Change,
    /// See and change its managers.
    Appoint,
}

impl Act {
    pub(crate) fn scope(self) -> Scope {
        match self {
            Act::See | Act::Ask | Act::List => Scope::AudiencesRead,
            Act::Fill | Act::Change | Act::Appoint => Scope::AudiencesWrite,
        }
    }

    fn writes(self) -> bool {
        self.scope() == Scope::AudiencesWrite
    }

    /// Whether a manager with these grants may do it.
    pub(crate) fn granted(self, grants: Grants) -> bool {
        let any = |wanted: &[Grants]| wanted.iter().any(|one| grants.has(*one));
        match self {
            Act::See => grants != Grants::NONE,
            Act::Ask => any(&[
                Grants::INSIGHTS,
                Grants::MANAGE_MEMBERS,
                Grants::VIEW_PEOPLE,
            ]),
            Act::List => any(&[Grants::MANAGE_MEMBERS, Grants::VIEW_PEOPLE]),
            Act::Fill => any(&[Grants::MANAGE_MEMBERS]),
            Act::Change => any(&[Grants::MANAGE_AUDIENCES]),
            Act::Appoint => any(&[Grants::ADD_MANAGERS]),
        }
    }
}

/// The node of a reference, whoever asks.
pub(crate) fn node(sql: &mut dyn Sql, reference: &AudienceRef) -> Result<Option<Audience>> {
    let name = match reference {
        AudienceRef::Id(id) => return Ok(store::audience_get(sql, *id)?),
        AudienceRef::Name(name) => name,
    };
    if let Some(id) = own_id(sql.workspace(), name, IdKind::Audience)
        && let Some(found) = store::audience_get(sql, id)?
    {
        return Ok(Some(found));
    }
    // PostgreSQL takes no NUL in a text.
    if name.is_empty() || name.contains('\0') {
        return Ok(None);
    }
    Ok(store::audience_by_reference(sql, name)?)
}

/// The number in 24 hexadecimal digits that name something of this kind in this workspace.
pub(crate) fn own_id(workspace: i64, text: &str, kind: IdKind) -> Option<i64> {
    DialectId::from_hex(text)
        .filter(|id| id.workspace == workspace && id.kind == kind)
        .map(|id| id.id)
}

/// The node, if the caller may do this to it: unknown is *not found*, outside the portfolio is *forbidden*.
pub(crate) fn reach(
    sql: &mut dyn Sql,
    caller: &Caller,
    reference: &AudienceRef,
    act: Act,
    noun: &'static str,
) -> Result<Audience> {
    let audience = node(sql, reference)?.ok_or(Error::NotFound(noun))?;
    may(sql, caller, &audience, act)?;
    Ok(audience)
}

/// Fails unless the caller may do this to the node.
pub(crate) fn may(sql: &mut dyn Sql, caller: &Caller, audience: &Audience, act: Act) -> Result<()> {
    if caller.scopes.has(act.scope()) {
        caller.need_structure(audience.structure)?;
    } else {
        let scope = Error::Forbidden(Denied::Scope(act.scope()));
        let manager = caller.manager.ok_or_else(|| scope.clone())?;
        let grants = grants_on(sql, audience, manager)?;
        if !act.granted(grants) {
            return Err(scope);
        }
    }
    if act.writes() {
        controlled(caller, audience.control)?;
    }
    Ok(())
}

/// Fails where the node is controlled from the other side. Who has signed in sits at a console; who comes with a credential
/// is a program.
pub(crate) fn controlled(caller: &Caller, control: Control) -> Result<()> {
    let at_console = caller.session.is_some();
    let good = caller.is_server()
        || match control {
            Control::Both => true,
            Control::Api => !at_console,
            Control::Console => at_console,
        };
    if good {
        return Ok(());
    }
    Err(Error::Forbidden(Denied::Control))
}

/// The sets whose members are a structure's people.
pub(crate) fn parts(view: &mut dyn View, structure: i64) -> Result<Vec<(SetId, Set)>> {
    let mut ids = store::audiences_manual(view, structure)?;
    ids.push(structure);
    ids.into_iter()
        .map(|id| Ok((id, view.members(id)?)))
        .collect()
}

/// Everybody in a structure or audience.
pub(crate) fn people(view: &mut dyn View, audience: &Audience) -> Result<Set> {
    match audience.kind {
        AudienceKind::Manual => Ok(view.members(audience.id)?),
        AudienceKind::Smart => rule::people(view, audience),
        AudienceKind::Structure => {
            let parts = parts(view, audience.id)?;
            Ok(Set::union_of(parts.iter().map(|(_, set)| set)))
        }
    }
}

/// Those of `asked` who are in a structure or audience, without building all of it.
pub(crate) fn held(view: &mut dyn View, audience: &Audience, asked: &Set) -> Result<Set> {
    match audience.kind {
        AudienceKind::Structure => held_by(view, audience.id, None, asked),
        AudienceKind::Manual | AudienceKind::Smart => Ok(people(view, audience)?.and(asked)),
    }
}

/// Those of `asked` who are in the structure, whatever the audience `except` holds.
pub(crate) fn held_by(
    view: &mut dyn View,
    structure: i64,
    except: Option<i64>,
    asked: &Set,
) -> Result<Set> {
    let parts = parts(view, structure)?;
    let found: Vec<Set> = parts
        .iter()
        .filter(|(id, _)| Some(*id) != except)
        .map(|(_, set)| set.and(asked))
        .collect();
    Ok(Set::union_of(&found))
}

impl Domain {
    /// The caller, and where it lacks the scope but is an account whose person may be a manager, that person. An account
    /// is its person by its e-mail address, which must be verified; a key that names what it lets through of its account's
    /// rights manages nothing.
    pub(crate) async fn acting(&self, caller: &Caller, act: Act) -> Result<Caller> {
        let mut caller = caller.clone();
        if caller.scopes.has(act.scope()) {
            return Ok(caller);
        }
        let lacks = Error::Forbidden(Denied::Scope(act.scope()));
        let verified = caller
            .operator
            .clone()
            .filter(|operator| operator.account.verified && !caller.limited);
        let operator = verified.ok_or_else(|| lacks.clone())?;
        let mut question = self.question(&caller, 1).await?;
        question
            .identifier(Kind::Email, "", &operator.account.email_key)
            .map_err(|_| lacks.clone())?;
        question.end_person();
        let question = question.finish();
        let (found, _) = self
            .store()
            .persons(caller.workspace, &question.keys)
            .await?;
        caller.manager = Some(found.into_iter().flatten().next().ok_or(lacks)?);
        Ok(caller)
    }
}
