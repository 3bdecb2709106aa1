//! The bodies of the questions about audiences: whom a formula holds, what audiences share, and which hold somebody.

use domain::{
    AudienceName, Channel, Formula, Kind, LookedUp, Measured, Named, Operand as What, Placement,
    limits,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    batch::{IdentifierKind, Members},
    problem::Problem,
    wire_audiences::AudienceKind,
};

const FORM: &str = "An expression is one of {\"audience\": ID or NAME}, {\"channel\": NAME}, {\"identifier\": KIND}, \
    {\"all\": [...]}, {\"any\": [...]} and {\"not\": ...}.";

/// Whom to count: either `expression` or `text`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReachAsked {
    /// One of `{"audience": ID or NAME}` (a structure's too), `{"channel": NAME}` (everybody with an active client of it),
    /// `{"identifier": KIND}` (everybody known by an identifier of the kind, as `email`), `{"all": [...]}`, `{"any": [...]}` and
    /// `{"not": ...}`. A name is a name or a reference. At most 10,000 parts, nested at most 64 deep, that name 1,000 different
    /// audiences.
    #[schema(value_type = Option<Object>,
        example = json!({"all": [{"audience": "Newsletter"}, {"not": {"any": [{"audience": 6}, {"audience": 7}]}}]}))]
    expression: Option<Value>,
    /// The same for people: `newsletter and not (customers or staff)`. `and` binds before `or`, and `not` before both. A name of
    /// several words is in quotes; `#6` is an id, `channel:whatsapp` a channel, `has:email` a kind of identifier.
    #[schema(max_length = 32_768)]
    text: Option<String>,
}

impl TryFrom<ReachAsked> for Formula {
    type Error = Problem;

    fn try_from(body: ReachAsked) -> Result<Formula, Problem> {
        match (body.expression, body.text) {
            (Some(value), None) => formula(&value, 1, &mut 0),
            (None, Some(text)) => Ok(Formula::parse(&text)?),
            (Some(_), Some(_)) => {
                let text = "Give either an expression or a text.";
                Err(Problem::invalid("text", "ambiguous", text))
            }
            (None, None) => {
                let text = "Give an expression or a text.";
                Err(Problem::invalid("expression", "required", text))
            }
        }
    }
}

/// Read from a value, not from the text: the parser takes what is no expression for broken JSON. Counted while it is read, so
/// that what is too large costs nothing.
fn formula(value: &Value, depth: usize, parts: &mut usize) -> Result<Formula, Problem> {
    *parts += 1;
    if depth > limits::FORMULA_DEPTH_MAX || *parts > limits::FORMULA_PARTS_MAX {
        let text = format!(
            "An expression has at most {} parts, nested at most {} deep.",
            limits::FORMULA_PARTS_MAX,
            limits::FORMULA_DEPTH_MAX
        );
        return Err(Problem::invalid("expression", "too_large", text));
    }
    let (word, value) = only(value).ok_or_else(malformed)?;
    let mut all = |value: &Value| {
        let list = value.as_array().ok_or_else(malformed)?;
        list.iter()
            .map(|value| formula(value, depth + 1, parts))
            .collect::<Result<Vec<Formula>, Problem>>()
    };
    match word {
        "all" => Ok(Formula::All(all(value)?)),
        "any" => Ok(Formula::Any(all(value)?)),
        "not" => Ok(Formula::Not(Box::new(formula(value, depth + 1, parts)?))),
        word => Ok(Formula::Named(named_by(word, value, "expression")?)),
    }
}

fn malformed() -> Problem {
    Problem::invalid("expression", "malformed", FORM)
}

/// The only field of an object.
fn only(value: &Value) -> Option<(&str, &Value)> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields
        .iter()
        .next()
        .map(|(name, value)| (name.as_str(), value))
}

fn named_by(word: &str, value: &Value, field: &'static str) -> Result<Named, Problem> {
    match (word, value) {
        ("audience", value) => audience(value).ok_or_else(|| {
            let text = "An audience is named by its id, its name or its reference.";
            Problem::invalid(field, "malformed", text)
        }),
        ("channel", Value::String(name)) => {
            let channel = Channel::parse(name).map(Named::Channel);
            channel.ok_or_else(|| unknown(field, "channels", Channel::ALL.map(Channel::as_str)))
        }
        ("identifier", Value::String(name)) => {
            let kind = Kind::parse(name).map(Named::Identifier);
            kind.ok_or_else(|| unknown(field, "kinds of identifiers", Kind::ALL.map(Kind::as_str)))
        }
        _ => Err(Problem::invalid(field, "malformed", FORM)),
    }
}

fn audience(value: &Value) -> Option<Named> {
    let name = match value {
        Value::Number(id) => AudienceName::Id(id.as_i64()?),
        Value::String(name) => AudienceName::Text(name.clone()),
        _ => return None,
    };
    Some(Named::Audience(name))
}

fn unknown<const N: usize>(field: &'static str, what: &str, known: [&str; N]) -> Problem {
    let text = format!("The {what} are {}.", known.join(", "));
    Problem::invalid(field, "unknown", text)
}

/// What an expression names.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operand {
    Audience(AudienceBrief),
    /// Everybody with an active client of this channel.
    #[schema(example = "whatsapp")]
    Channel(&'static str),
    /// Everybody who is known by an identifier of this kind.
    #[schema(example = "email")]
    Identifier(&'static str),
}

impl From<What> for Operand {
    fn from(operand: What) -> Operand {
        match operand {
            What::Audience(audience) => Operand::Audience(audience.into()),
            What::Channel(channel) => Operand::Channel(channel.as_str()),
            What::Identifier(kind) => Operand::Identifier(kind.as_str()),
        }
    }
}

/// A structure or audience, and where it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AudienceBrief {
    #[schema(example = 42)]
    id: i64,
    kind: AudienceKind,
    /// The names from the root to it.
    #[schema(example = json!(["Shop Germany", "Newsletter readers"]))]
    path: Vec<String>,
}

impl From<Placement> for AudienceBrief {
    fn from(audience: Placement) -> AudienceBrief {
        AudienceBrief {
            id: audience.id,
            path: audience.path().into_iter().map(str::to_owned).collect(),
            kind: audience.kind.into(),
        }
    }
}

/// Something that was named, and how many people it holds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OperandSize {
    #[serde(flatten)]
    operand: Operand,
    /// How many people it holds.
    #[schema(example = 48_112)]
    people: u64,
}

impl From<Measured> for OperandSize {
    fn from(measured: Measured) -> OperandSize {
        OperandSize {
            operand: measured.operand.into(),
            people: measured.people,
        }
    }
}

/// How many people an expression holds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Reach {
    /// The exact number of people.
    #[schema(example = 9_310)]
    people: u64,
    /// The number of the change in the workspace's log after which it was so.
    #[schema(example = 1_204)]
    seq: u64,
    /// What the expression names, once each.
    operands: Vec<OperandSize>,
}

impl From<domain::Reach> for Reach {
    fn from(reach: domain::Reach) -> Reach {
        Reach {
            people: reach.people,
            seq: reach.seq,
            operands: reach.operands.into_iter().map(OperandSize::from).collect(),
        }
    }
}

/// What to compare: `audiences` each with each, or one `audience` `against` others.
///
/// Each is named by an id, by a name or reference, or as in an expression, by `{"audience": ...}`, `{"channel": ...}` or
/// `{"identifier": ...}`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OverlapAsked {
    /// Up to 256.
    #[schema(value_type = Option<Vec<Object>>, max_items = 256, example = json!([5, "Customers", {"channel": "whatsapp"}]))]
    audiences: Option<Vec<Value>>,
    /// Whether the regions of the audiences are counted too, of at most six.
    #[serde(default)]
    regions: bool,
    #[schema(value_type = Option<Object>, example = 5)]
    audience: Option<Value>,
    /// Up to 1,000.
    #[schema(value_type = Option<Vec<Object>>, max_items = 1_000, example = json!([6, 7]))]
    against: Option<Vec<Value>>,
}

/// The two questions about overlaps.
#[derive(Debug)]
pub(crate) enum OverlapQuestion {
    Among {
        audiences: Vec<Named>,
        regions: bool,
    },
    Against {
        audience: Named,
        against: Vec<Named>,
    },
}

impl TryFrom<OverlapAsked> for OverlapQuestion {
    type Error = Problem;

    fn try_from(body: OverlapAsked) -> Result<OverlapQuestion, Problem> {
        match (body.audiences, body.audience, body.against) {
            (Some(audiences), None, None) => Ok(OverlapQuestion::Among {
                audiences: named_all(&audiences, "audiences", limits::OVERLAP_MATRIX_MAX)?,
                regions: body.regions,
            }),
            (None, Some(audience), Some(against)) if !body.regions => {
                Ok(OverlapQuestion::Against {
                    audience: named(&audience, "audience")?,
                    against: named_all(&against, "against", limits::OVERLAP_AGAINST_MAX)?,
                })
            }
            _ => {
                let text =
                    "Give either audiences, with or without regions, or one audience and against.";
                Err(Problem::invalid("audiences", "required", text))
            }
        }
    }
}

/// No more than one beyond the limit is looked at, which the domain then refuses.
fn named_all(values: &[Value], field: &'static str, most: usize) -> Result<Vec<Named>, Problem> {
    let some = values.iter().take(most + 1);
    some.map(|value| named(value, field)).collect()
}

fn named(value: &Value, field: &'static str) -> Result<Named, Problem> {
    if let Some((word, value)) = only(value) {
        return named_by(word, value, field);
    }
    audience(value).ok_or_else(|| {
        let text = "Name each audience by its id, its name or reference, or as an expression does.";
        Problem::invalid(field, "malformed", text)
    })
}

/// Who is in exactly these audiences and in none of the others.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Region {
    /// Their places in `audiences`, from 0.
    #[schema(example = json!([0, 2]))]
    within: Vec<usize>,
    #[schema(example = 310)]
    people: u64,
}

/// One of those that an audience was compared with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Shared {
    #[serde(flatten)]
    sized: OperandSize,
    /// How many people are in both.
    #[schema(example = 310)]
    overlap: u64,
}

/// What audiences share: `audiences` and `matrix`, or `audience` and `against`, as it was asked for.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Overlap {
    /// The number of the change in the workspace's log after which it was so.
    #[schema(example = 1_204)]
    seq: u64,
    /// In the order of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    audiences: Option<Vec<OperandSize>>,
    /// A row for each audience: how many people it shares with each. On the diagonal are its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = json!([[48_112, 310], [310, 9_310]]))]
    matrix: Option<Vec<Vec<u64>>>,
    /// Where they were asked for: those that hold anybody, the largest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    regions: Option<Vec<Region>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<OperandSize>,
    /// In the order of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Vec<Shared>>,
}

impl From<domain::Overlap> for Overlap {
    fn from(overlap: domain::Overlap) -> Overlap {
        let region = |region: domain::Region| Region {
            within: region.within,
            people: region.people,
        };
        let regions = overlap.regions;
        let audiences = overlap.audiences.into_iter();
        Overlap {
            seq: overlap.seq,
            audiences: Some(audiences.map(OperandSize::from).collect()),
            matrix: Some(overlap.matrix),
            regions: regions.map(|regions| regions.into_iter().map(region).collect()),
            ..Overlap::default()
        }
    }
}

impl From<domain::OverlapAgainst> for Overlap {
    fn from(overlap: domain::OverlapAgainst) -> Overlap {
        let against = overlap.against.into_iter();
        let against = against.map(|(measured, overlap)| Shared {
            sized: measured.into(),
            overlap,
        });
        Overlap {
            seq: overlap.seq,
            audience: Some(overlap.audience.into()),
            against: Some(against.collect()),
            ..Overlap::default()
        }
    }
}

/// People by their identifiers, as for members (either `kind` and `values`, or `people`), up to 1,000; and which of the
/// audiences that hold them are listed.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes; `LookupAsked::parse` reads it")]
pub(crate) struct LookupAsked {
    kind: Option<IdentifierKind>,
    /// Needed for `external` and `cookie`, of no meaning otherwise. 1 to 255 bytes.
    #[schema(example = "crm")]
    namespace: Option<String>,
    #[schema(max_items = 1_000, example = json!(["ada@example.org", "grace@example.org"]))]
    values: Option<Vec<String>>,
    /// For each person, up to 32 identifiers.
    #[schema(value_type = Option<Vec<Vec<super::batch::Identifier>>>, max_items = 1_000)]
    people: Option<Vec<Value>>,
    /// Of each person only audiences with a greater id are listed: the last one that was listed.
    #[schema(example = 0)]
    after: Option<i64>,
    /// Audiences listed of each person.
    #[schema(minimum = 1, maximum = 1_000, default = 1_000)]
    limit: Option<u32>,
}

impl LookupAsked {
    /// Who is asked about, after which audience, and how many audiences of each are listed.
    pub(crate) fn parse(bytes: &[u8]) -> Result<(Members, i64, usize), Problem> {
        let (members, more) = Members::parse_with(bytes)?;
        let most = limits::LOOKUP_AUDIENCES_MAX;
        let limit = more.limit.map_or(Ok(most), usize::try_from);
        let limit = limit.ok().filter(|limit| (1..=most).contains(limit));
        let limit = limit.ok_or_else(|| {
            let text = format!("The limit must be a number from 1 to {most}.");
            Problem::invalid("limit", "out_of_range", text)
        })?;
        Ok((members, more.after.unwrap_or(0), limit))
    }
}

/// What is known of those asked about.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Lookup {
    /// The number of the change in the workspace's log after which it was so.
    #[schema(example = 1_204)]
    seq: u64,
    /// One for each value or person of the request, in its order.
    people: Vec<PersonFound>,
    /// The audiences that `people` names, in order of id.
    audiences: Vec<AudienceBrief>,
}

/// What is known of somebody.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonFound {
    /// Whether anybody is known by the identifiers.
    known: bool,
    /// The numbers of the people who are known by them: several only where they were never seen together.
    #[schema(example = json!([4_711]))]
    persons: Vec<u32>,
    /// How many structures and audiences hold one of these people.
    #[schema(example = 2)]
    total: u64,
    /// Their ids, ascending: the first ones after `after`.
    #[schema(example = json!([1, 42]))]
    audiences: Vec<i64>,
}

impl From<LookedUp> for PersonFound {
    fn from(found: LookedUp) -> PersonFound {
        PersonFound {
            known: !found.persons.is_empty(),
            persons: found.persons,
            total: found.total,
            audiences: found.audiences,
        }
    }
}

impl From<domain::Lookup> for Lookup {
    fn from(lookup: domain::Lookup) -> Lookup {
        Lookup {
            seq: lookup.seq,
            people: lookup.people.into_iter().map(PersonFound::from).collect(),
            audiences: lookup
                .audiences
                .into_iter()
                .map(AudienceBrief::from)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> Result<Formula, Problem> {
        formula(&value, 1, &mut 0)
    }

    #[test]
    fn an_expression_is_read_and_its_limits_hold_before_it_is_built() {
        let value = json!({"all": [{"audience": 3}, {"not": {"any": [{"audience": "News"}, {"channel": "sdk"},
            {"identifier": "phone"}]}}]});
        let text = "#3 and not (News or channel:sdk or has:phone)";
        assert_eq!(read(value).ok(), Formula::parse(text).ok());
        for wrong in [
            json!(3),
            json!({}),
            json!({"audience": 1.5}),
            json!({"audience": true}),
            json!({"audience": 1, "channel": "sdk"}),
            json!({"some": []}),
            json!({"all": {}}),
            json!({"not": [{"audience": 1}]}),
            json!({"channel": 1}),
        ] {
            let refused = read(wrong.clone()).expect_err("is none");
            assert_eq!(refused.code, "malformed", "{wrong}");
        }
        for wrong in [json!({"channel": "pigeon"}), json!({"identifier": "soul"})] {
            assert_eq!(read(wrong).expect_err("is none").code, "unknown");
        }
        let deep =
            |depth: usize| (1..depth).fold(json!({"audience": 1}), |part, _| json!({"not": part}));
        assert!(read(deep(limits::FORMULA_DEPTH_MAX)).is_ok());
        let refused = read(deep(limits::FORMULA_DEPTH_MAX + 1)).expect_err("is too deep");
        assert_eq!(refused.code, "too_large");
        let wide = |parts: usize| json!({"any": vec![json!({"audience": 1}); parts - 1]});
        assert!(read(wide(limits::FORMULA_PARTS_MAX)).is_ok());
        let refused = read(wide(limits::FORMULA_PARTS_MAX + 1)).expect_err("is too wide");
        assert_eq!(refused.code, "too_large");
    }
}
