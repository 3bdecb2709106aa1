//! Formulas: whom somebody means, as an expression over audiences, channels and kinds of identifiers, named as people and
//! programs name them.
//!
//! Unlike a [`Rule`](crate::Rule) it is asked once and never stored, and it may name smart audiences. Invariant: what is
//! resolved is within the limits of an expression and names only what its caller may name.

use std::collections::HashMap;

use sets::{Expression, SetId, Term};
use store::AudienceKind;

use crate::{
    caller::{Caller, Portfolio},
    catalogue::{Catalogue, Node, Snapshot},
    channel::Channel,
    error::{Error, Field, Result},
    identifier::Kind,
    limits, manager,
    service::Domain,
};

/// A structure or audience as somebody names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AudienceName {
    Id(i64),
    /// Its reference or its name; the case counts only where it tells two apart.
    Text(String),
}

impl std::fmt::Display for AudienceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AudienceName::Id(id) => write!(f, "{id}"),
            AudienceName::Text(name) => write!(f, "{name:?}"),
        }
    }
}

/// Some people, by what holds them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Named {
    /// Everybody in a structure, a manual or a smart audience.
    Audience(AudienceName),
    /// Everybody with an active client of this channel.
    Channel(Channel),
    /// Everybody who is known by an identifier of this kind.
    Identifier(Kind),
}

/// Whom somebody means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formula {
    Named(Named),
    /// Who is in each of them; of none at all, everybody.
    All(Vec<Formula>),
    /// Who is in at least one of them.
    Any(Vec<Formula>),
    /// Everybody whom the workspace knows but these.
    Not(Box<Formula>),
}

/// What a [`Named`] turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    Audience(Placement),
    Channel(Channel),
    Identifier(Kind),
}

/// A structure or audience and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    pub id: i64,
    pub kind: AudienceKind,
    pub name: String,
    /// The structure that owns it: its id and its name. Of a structure nothing.
    pub structure: Option<(i64, String)>,
}

impl Placement {
    pub(crate) fn new(catalogue: &Catalogue, node: &Node) -> Placement {
        let structure = catalogue
            .get(node.structure)
            .filter(|structure| structure.id != node.id);
        Placement {
            id: node.id,
            kind: node.kind,
            name: node.name.clone(),
            structure: structure.map(|structure| (structure.id, structure.name.clone())),
        }
    }

    /// The names from the root to it.
    pub fn path(&self) -> Vec<&str> {
        let root = self.structure.iter().map(|(_, name)| name.as_str());
        root.chain([self.name.as_str()]).collect()
    }
}

/// What the caller may name: a number of people tells who is in it, as a rule does.
#[derive(Debug)]
pub(crate) struct Sight {
    portfolio: Portfolio,
    /// Of a manager without the scope: the nodes whose members they may list.
    managed: Option<std::collections::HashSet<i64>>,
}

impl Sight {
    pub(crate) fn sees(&self, node: &Node) -> bool {
        match &self.managed {
            Some(managed) => managed.contains(&node.id) || managed.contains(&node.structure),
            None => self.portfolio.has(node.structure),
        }
    }

    /// Whether the caller may know of everybody in the workspace.
    pub(crate) fn sees_all(&self) -> bool {
        self.managed.is_none() && self.portfolio == Portfolio::Every
    }
}

/// A formula over nodes and sets.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub expression: Expression,
    pub operands: Vec<Found>,
}

/// What a [`Named`] stands for in a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// By its place in the catalogue.
    Node(usize),
    Channel(Channel),
    Identifier(Kind),
}

impl Found {
    pub(crate) fn shown(&self, catalogue: &Catalogue) -> Operand {
        match self {
            Found::Node(at) => {
                Operand::Audience(Placement::new(catalogue, &catalogue.nodes()[*at]))
            }
            Found::Channel(channel) => Operand::Channel(*channel),
            Found::Identifier(kind) => Operand::Identifier(*kind),
        }
    }
}

impl Formula {
    /// A sentence's worth of the parts that it has; fails where these are too many or nested too deep.
    fn measure(&self, depth: usize, parts: &mut usize) -> Result<()> {
        *parts += 1;
        if *parts > sets::PARTS_MAX || depth > sets::DEPTH_MAX {
            return Err(too_large());
        }
        match self {
            Formula::Named(_) => Ok(()),
            Formula::All(parts_of) | Formula::Any(parts_of) => parts_of
                .iter()
                .try_for_each(|part| part.measure(depth + 1, parts)),
            Formula::Not(part) => part.measure(depth + 1, parts),
        }
    }

    /// Whether it holds nobody but people of the audiences that it names.
    fn is_bounded(&self) -> bool {
        match self {
            Formula::Named(Named::Audience(_)) => true,
            Formula::All(parts) => parts.iter().any(Formula::is_bounded),
            Formula::Any(parts) => parts.iter().all(Formula::is_bounded),
            Formula::Named(_) | Formula::Not(_) => false,
        }
    }

    fn term(&self, operand: &mut impl FnMut(&Named) -> Result<usize>) -> Result<Term> {
        Ok(match self {
            Formula::Named(named) => Term::Operand(operand(named)?),
            Formula::All(parts) => Term::All(terms(parts, operand)?),
            Formula::Any(parts) => Term::Any(terms(parts, operand)?),
            Formula::Not(part) => Term::Not(Box::new(part.term(operand)?)),
        })
    }
}

fn terms(
    parts: &[Formula],
    operand: &mut impl FnMut(&Named) -> Result<usize>,
) -> Result<Vec<Term>> {
    parts.iter().map(|part| part.term(operand)).collect()
}

/// What a formula is refused with that is larger than an expression may be.
pub(crate) fn too_large() -> Error {
    let text = format!(
        "An expression has at most {} parts, nested at most {} deep.",
        sets::PARTS_MAX,
        sets::DEPTH_MAX
    );
    Error::invalid("expression", "too_large", text)
}

/// What somebody names, in the catalogue; `field` is the field of the request that names it.
pub(crate) fn find(
    catalogue: &Catalogue,
    sight: &Sight,
    named: &Named,
    field: &'static str,
) -> Result<Found> {
    let name = match named {
        Named::Channel(channel) => return Ok(Found::Channel(*channel)),
        Named::Identifier(kind) => return Ok(Found::Identifier(*kind)),
        Named::Audience(name) => name,
    };
    let mut found = match name {
        AudienceName::Id(id) => catalogue.get(*id).into_iter().collect(),
        AudienceName::Text(name) => catalogue.named(name),
    };
    // What the caller may not name is not there.
    found.retain(|node| sight.sees(node));
    match found[..] {
        [] => {
            let text = format!("There is no audience {}.", short(name));
            Err(Error::invalid(field, "unknown", text))
        }
        [node] => catalogue
            .place(node.id)
            .map(Found::Node)
            .ok_or_else(|| Error::internal("a node is not in its catalogue")),
        _ => Err(Error::invalid(
            field,
            "ambiguous",
            ambiguous(catalogue, name, &found),
        )),
    }
}

fn ambiguous(catalogue: &Catalogue, name: &AudienceName, found: &[&Node]) -> String {
    let shown = found.iter().take(limits::CANDIDATES_MAX).map(|node| {
        let path = Placement::new(catalogue, node).path().join(" / ");
        format!("{} ({path})", node.id)
    });
    let shown = shown.collect::<Vec<String>>().join(", ");
    let more = match found.len().saturating_sub(limits::CANDIDATES_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "More than one audience is called {}: name one by its id. They are {shown}{more}.",
        short(name)
    )
}

/// A name as an answer repeats it.
fn short(name: &AudienceName) -> AudienceName {
    match name {
        AudienceName::Text(text) if text.chars().count() > limits::NAME_CHARS_MAX => {
            let mut text: String = text.chars().take(limits::NAME_CHARS_MAX).collect();
            text.push_str("...");
            AudienceName::Text(text)
        }
        name => name.clone(),
    }
}

/// Resolves the names of a formula.
pub(crate) fn resolve(catalogue: &Catalogue, sight: &Sight, formula: &Formula) -> Result<Resolved> {
    formula.measure(1, &mut 0)?;
    if !sight.sees_all() && !formula.is_bounded() {
        return Err(everybody());
    }
    let mut operands: Vec<Found> = Vec::new();
    let mut places: HashMap<Named, usize> = HashMap::new();
    let term = formula.term(&mut |named| {
        if let Some(place) = places.get(named) {
            return Ok(*place);
        }
        let found = find(catalogue, sight, named, "expression")?;
        let known = operands.iter().position(|operand| *operand == found);
        if known.is_none() && operands.len() >= limits::OPERANDS_MAX {
            return Err(too_many(
                "expression",
                format!(
                    "An expression names at most {} different audiences, channels and kinds of identifiers.",
                    limits::OPERANDS_MAX
                ),
            ));
        }
        let place = known.unwrap_or_else(|| {
            operands.push(found);
            operands.len() - 1
        });
        places.insert(named.clone(), place);
        Ok(place)
    })?;
    Ok(Resolved {
        expression: Expression::new(term).map_err(|_| too_large())?,
        operands,
    })
}

pub(crate) fn too_many(name: &'static str, text: String) -> Error {
    Error::TooLarge(Field {
        name,
        code: "too_many",
        text,
    })
}

/// What is refused that holds people whom the caller may not know of.
pub(crate) fn everybody() -> Error {
    let text = "For a caller who does not see the whole workspace, an expression must not hold people whom none of its \
         audiences holds: give each \"not\", channel and kind of identifier an \"all\" with an audience.";
    Error::invalid("expression", "everybody", text)
}

impl Domain {
    /// What a caller may name. Runs a statement only for managers.
    pub(crate) async fn sight(&self, caller: &Caller) -> Result<Sight> {
        let managed = match caller.manager {
            Some(person) => Some(
                self.store()
                    .read(caller.workspace, move |read| {
                        manager::listable(read, person)
                    })
                    .await?,
            ),
            None => None,
        };
        Ok(Sight {
            portfolio: caller.portfolio.clone(),
            managed,
        })
    }

    /// What was found as an operand of a question.
    pub(crate) async fn operand(
        &self,
        snapshot: &Snapshot,
        found: &Found,
    ) -> Result<sets::Operand> {
        let of = |set: SetId| Ok(snapshot.state.operand(set));
        match found {
            Found::Channel(channel) => of(channel.set()),
            Found::Identifier(kind) => of(kind.set()),
            Found::Node(at) => {
                let node = &snapshot.catalogue.nodes()[*at];
                self.people_operand(snapshot, node).await
            }
        }
    }
}
