//! The bodies of the structures' and audiences' operations: a tree of two levels, structures and what they own.

use domain::{
    Audience as Row, AudienceChange, AudienceCounts, AudienceNew, AudienceRef, Counted, Moved,
    Rule, StructureNew, rfc3339,
};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{problem::Problem, wire::present};

/// What an audience is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AudienceKind {
    /// A root: it owns audiences. Its people are its own members and those of its manual audiences.
    Structure,
    /// Its members are added and removed.
    Manual,
    /// Its members follow from its rule, and it adds nobody to its structure.
    Smart,
}

impl From<domain::AudienceKind> for AudienceKind {
    fn from(kind: domain::AudienceKind) -> AudienceKind {
        match kind {
            domain::AudienceKind::Structure => AudienceKind::Structure,
            domain::AudienceKind::Manual => AudienceKind::Manual,
            domain::AudienceKind::Smart => AudienceKind::Smart,
        }
    }
}

/// Who may write to a structure and its audiences: programs through any API, the people at the console, or both.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Control {
    Api,
    Console,
    Both,
}

/// As text first: the parser takes what is no text in the place of an enum for broken JSON.
impl<'de> Deserialize<'de> for Control {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const CONTROLS: &[&str] = &["api", "console", "both"];
        let text = String::deserialize(deserializer)?;
        let control = domain::Control::parse(&text).map(Control::from);
        control.ok_or_else(|| de::Error::unknown_variant(&text, CONTROLS))
    }
}

impl From<domain::Control> for Control {
    fn from(control: domain::Control) -> Control {
        match control {
            domain::Control::Api => Control::Api,
            domain::Control::Console => Control::Console,
            domain::Control::Both => Control::Both,
        }
    }
}

impl From<Control> for domain::Control {
    fn from(control: Control) -> domain::Control {
        match control {
            Control::Api => domain::Control::Api,
            Control::Console => domain::Control::Console,
            Control::Both => domain::Control::Both,
        }
    }
}

/// A structure: it owns audiences, and credentials are given access by structure.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Structure {
    #[schema(example = 1)]
    pub id: i64,
    #[schema(example = "Shop Germany")]
    pub name: String,
    /// The operator's own id for it.
    #[schema(example = "shop-de")]
    pub reference: Option<String>,
    pub control: Control,
    #[schema(format = DateTime)]
    pub created: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    pub updated: String,
}

impl From<Row> for Structure {
    fn from(structure: Row) -> Structure {
        Structure {
            id: structure.id,
            name: structure.name,
            reference: structure.reference,
            control: structure.control.into(),
            created: rfc3339(structure.created),
            updated: rfc3339(structure.updated),
        }
    }
}

/// A structure to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StructureCreate {
    /// 1 to 255 characters, no control characters.
    #[schema(min_length = 1, max_length = 255, example = "Shop Germany")]
    name: String,
    /// The operator's own id for it: 1 to 128 characters, unique in the workspace.
    #[schema(min_length = 1, max_length = 128, example = "shop-de")]
    reference: Option<String>,
    /// `both` where absent.
    control: Option<Control>,
}

impl From<StructureCreate> for StructureNew {
    fn from(body: StructureCreate) -> StructureNew {
        let new = StructureNew::new(body.name);
        StructureNew {
            reference: body.reference,
            control: body.control.map_or(new.control, domain::Control::from),
            ..new
        }
    }
}

/// What to change of a structure; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StructureUpdate {
    /// 1 to 255 characters, no control characters.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 255, example = "Shop Germany")]
    name: Option<String>,
    /// 1 to 128 characters, unique in the workspace; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    reference: Option<Option<String>>,
    /// Who may write to it and to its audiences.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Control, required = false)]
    control: Option<Control>,
}

impl From<StructureUpdate> for AudienceChange {
    fn from(body: StructureUpdate) -> AudienceChange {
        AudienceChange {
            name: body.name,
            reference: body.reference,
            control: body.control.map(domain::Control::from),
            ..AudienceChange::default()
        }
    }
}

/// How many people an audience holds. Each number is exact.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Counts {
    #[schema(example = 48_112)]
    pub people: u64,
    /// Of these, those with an e-mail address or a hash of one.
    #[schema(example = 48_000)]
    pub with_email: u64,
    /// Of these, those who are known by an identifier of another kind or by a record too.
    #[schema(example = 9_310)]
    pub with_email_matched: u64,
}

impl From<AudienceCounts> for Counts {
    fn from(counts: AudienceCounts) -> Counts {
        let AudienceCounts {
            people,
            with_email,
            with_email_matched,
        } = counts;
        Counts {
            people,
            with_email,
            with_email_matched,
        }
    }
}

/// The filters of a list of audiences, for the OpenAPI document; [`super::page::PageQuery`] reads them.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes, is never made")]
pub(crate) struct AudienceParams {
    /// Only the audiences of this structure. Without it and without `parent`, those of every structure.
    #[param(example = 1)]
    structure: Option<i64>,
    /// Only what hangs below this structure, or with `root` the structures themselves.
    #[param(example = "root")]
    parent: Option<String>,
}

/// Whether a change is only tried, for the OpenAPI document; [`super::page::flag`] reads it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes, is never made")]
pub(crate) struct DryRunParams {
    /// `true` answers exactly what the change would, and changes nothing. An Idempotency-Key is then of no meaning.
    #[param(default = false)]
    dry_run: Option<bool>,
}

/// An audience: a set of people. A structure is one too, the root of a tree.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Audience {
    #[schema(example = 42)]
    pub id: i64,
    pub kind: AudienceKind,
    /// The structure that owns it; of a structure its own id.
    #[schema(example = 1)]
    pub structure: i64,
    /// What it hangs below; null of a structure.
    #[schema(example = 1)]
    pub parent: Option<i64>,
    /// How far below the root it is: 0 of a structure, 1 of what it owns.
    #[schema(example = 1)]
    pub depth: u8,
    /// The names from the root to it.
    #[schema(example = json!(["Shop Germany", "Newsletter readers"]))]
    pub path: Vec<String>,
    #[schema(example = "Newsletter readers")]
    pub name: String,
    pub description: Option<String>,
    /// The operator's own id for it.
    pub reference: Option<String>,
    /// That of its structure.
    pub control: Control,
    /// From what a smart audience follows; null of others.
    #[schema(value_type = Option<Object>, example = json!(null))]
    pub rule: Option<Value>,
    #[schema(format = DateTime)]
    pub created: String,
    /// When it or its members last changed.
    #[schema(format = DateTime)]
    pub updated: String,
    pub counts: Counts,
}

impl Audience {
    /// `parent` is the name of the structure that owns it, of one that is not a structure itself.
    pub(crate) fn new(counted: Counted, parent: Option<&str>) -> Audience {
        let Counted { audience, counts } = counted;
        let names = parent.into_iter().chain([audience.name.as_str()]);
        Audience {
            path: names.map(str::to_owned).collect(),
            id: audience.id,
            kind: audience.kind.into(),
            structure: audience.structure,
            parent: audience.parent,
            depth: u8::from(audience.parent.is_some()),
            name: audience.name,
            description: audience.description,
            reference: audience.reference,
            control: audience.control.into(),
            rule: audience
                .rule
                .and_then(|text| serde_json::from_str(&text).ok()),
            created: rfc3339(audience.created),
            updated: rfc3339(audience.updated),
            counts: counts.into(),
        }
    }
}

/// What moving an audience does to the people of the two structures.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Move {
    /// The structure that owned it.
    #[schema(example = 1)]
    pub from: i64,
    /// The structure that owns it now.
    #[schema(example = 2)]
    pub to: i64,
    /// Everybody in the audience; they all come along.
    #[schema(example = 300)]
    pub members: u64,
    /// Of these, those who were not in the new structure before.
    #[schema(example = 280)]
    pub joined: u64,
    /// Of these, those who are not in the old structure any more.
    #[schema(example = 250)]
    pub left: u64,
    /// Of these, those who stay in the old structure because another audience of it holds them.
    #[schema(example = 40)]
    pub kept_by_audience: u64,
    /// Of these, those who stay in the old structure because it holds them itself, and no other audience of it does.
    #[schema(example = 10)]
    pub kept_by_structure: u64,
}

impl From<&Moved> for Move {
    fn from(moved: &Moved) -> Move {
        let counts = &moved.counts;
        Move {
            from: moved.from,
            to: moved.to,
            members: counts.members,
            joined: counts.joined,
            left: counts.left,
            kept_by_audience: counts.kept_by_audience,
            kept_by_structure: counts.kept_by_structure,
        }
    }
}

/// An audience after a change, or as it would be.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AudienceChanged {
    #[serde(flatten)]
    pub audience: Audience,
    /// Where the change moved it; absent otherwise.
    #[serde(rename = "move", skip_serializing_if = "Option::is_none")]
    pub moved: Option<Move>,
}

/// An audience to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AudienceCreate {
    /// The structure that will own it.
    #[schema(example = 1)]
    structure: i64,
    /// 1 to 255 characters, no control characters; unique in the structure.
    #[schema(min_length = 1, max_length = 255, example = "Newsletter readers")]
    name: String,
    /// At most 2,000 characters.
    #[schema(max_length = 2_000)]
    description: Option<String>,
    /// The operator's own id for it: 1 to 128 characters, unique in the workspace.
    #[schema(min_length = 1, max_length = 128)]
    reference: Option<String>,
    /// Makes a smart audience, whose members follow from other audiences and from channels: one of `{"audience": ID}`, `{"channel": NAME}`
    /// (everybody with an active client on `mailgun`, `twilio`, `messagebird`, `whatsapp` or `sdk`), `{"all": [RULE, ...]}`,
    /// `{"any": [RULE, ...]}` and `{"not": RULE}`. Absent or null makes a manual one.
    #[schema(value_type = Option<Object>)]
    rule: Option<Value>,
}

impl TryFrom<AudienceCreate> for AudienceNew {
    type Error = Problem;

    fn try_from(body: AudienceCreate) -> Result<AudienceNew, Problem> {
        Ok(AudienceNew {
            description: body.description,
            reference: body.reference,
            rule: body.rule.map(rule).transpose()?,
            ..AudienceNew::new(body.structure, body.name)
        })
    }
}

/// What to change of an audience; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AudienceUpdate {
    /// 1 to 255 characters, no control characters; unique in the structure.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 255, example = "Newsletter readers")]
    name: Option<String>,
    /// At most 2,000 characters; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, max_length = 2_000)]
    description: Option<Option<String>>,
    /// 1 to 128 characters, unique in the workspace; null clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    reference: Option<Option<String>>,
    /// The id of the structure that it moves to, with all its members.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = i64, required = false)]
    parent: Option<i64>,
    /// From what a smart audience follows, as when it is made; a manual audience takes none.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Object, required = false)]
    rule: Option<Value>,
}

impl TryFrom<AudienceUpdate> for AudienceChange {
    type Error = Problem;

    fn try_from(body: AudienceUpdate) -> Result<AudienceChange, Problem> {
        Ok(AudienceChange {
            name: body.name,
            description: body.description,
            reference: body.reference,
            parent: body.parent.map(AudienceRef::Id),
            rule: body.rule.map(rule).transpose()?,
            ..AudienceChange::default()
        })
    }
}

/// Read from a value, not from the text: the parser takes what is no rule for broken JSON.
fn rule(value: Value) -> Result<Rule, Problem> {
    serde_json::from_value(value).map_err(|_| {
        let text = "A rule is one of {\"audience\": ID}, {\"channel\": NAME}, {\"all\": [RULE, ...]}, {\"any\": [RULE, ...]} and {\"not\": RULE}.";
        Problem::invalid("rule", "malformed", text)
    })
}
