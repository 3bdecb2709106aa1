//! The bodies of the members' operations: identifiers of people in, what became of them out.
//!
//! Identifiers come in bodies, never in URLs, so that they end up in no access log. A body is read no further than its
//! limits: what is beyond them is only counted.

use std::{fmt, marker::PhantomData};

use domain::{
    Batch, BatchBuilder, Kind, MemberOutcome, Question, QuestionBuilder, limits, not_too_many,
    rfc3339,
};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        IgnoredAny, IntoDeserializer, SeqAccess, Visitor,
        value::{Error as ValueError, StrDeserializer},
    },
};
use utoipa::ToSchema;

use super::{
    json::{self, Object},
    problem::Problem,
};
use crate::flat::{self, Flat};

/// What kind of identifier it is.
///
/// * `email`: an address, its MD5 or SHA-256, or the SHA-256 of the hexadecimal MD5
/// * `external`: another system's own id; needs the namespace that names the system
/// * `phone`: a number as in E.164, or the SHA-256 of it with the plus sign
/// * `mobile_ad`: a mobile advertising id: a UUID
/// * `identity_link`: an id of an identity vendor
/// * `cookie`: a vendor's cookie id; needs the namespace that names the caller of the cookie sync
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum IdentifierKind {
    Email,
    External,
    Phone,
    MobileAd,
    IdentityLink,
    Cookie,
}

impl From<IdentifierKind> for Kind {
    fn from(kind: IdentifierKind) -> Kind {
        match kind {
            IdentifierKind::Email => Kind::Email,
            IdentifierKind::External => Kind::External,
            IdentifierKind::Phone => Kind::Phone,
            IdentifierKind::MobileAd => Kind::MobileAd,
            IdentifierKind::IdentityLink => Kind::IdentityLink,
            IdentifierKind::Cookie => Kind::Cookie,
        }
    }
}

/// One identifier of a person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identifier {
    kind: IdentifierKind,
    /// Needed for `external` and `cookie`, of no meaning otherwise. 1 to 255 bytes.
    #[serde(default)]
    #[schema(example = "crm")]
    namespace: Option<String>,
    /// At most 512 bytes.
    #[schema(example = "ada@example.org")]
    value: String,
}

/// Up to 50,000 identifiers of one kind, each a person.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MembersOfKind {
    kind: IdentifierKind,
    /// Needed for `external` and `cookie`, of no meaning otherwise. 1 to 255 bytes.
    #[schema(example = "crm")]
    namespace: Option<String>,
    /// Each at most 512 bytes.
    #[schema(value_type = Vec<String>, max_items = 50_000, example = json!(["ada@example.org", "grace@example.org"]))]
    values: List<String, IDENTIFIERS_READ_MAX>,
}

/// People with several identifiers each; up to 50,000 identifiers in all. A person's invalid identifiers are counted
/// and left out; the person stays with the others.
#[derive(Debug, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MembersAsPeople {
    /// For each person, up to 32 identifiers.
    #[schema(value_type = Vec<Vec<Identifier>>, max_items = 50_000)]
    people: List<List<Object<Identifier>, PERSON_READ_MAX>, IDENTIFIERS_READ_MAX>,
}

/// People by their identifiers: either `kind` and `values`, or `people`.
#[derive(Debug, ToSchema)]
#[serde(untagged)]
pub(crate) enum Members {
    OfKind(MembersOfKind),
    AsPeople(MembersAsPeople),
}

/// Both shapes at once: told apart after reading, so that an error can name the field.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MembersRead {
    kind: Option<IdentifierKind>,
    namespace: Option<String>,
    values: Option<List<String, IDENTIFIERS_READ_MAX>>,
    people: Option<List<List<Object<Identifier>, PERSON_READ_MAX>, IDENTIFIERS_READ_MAX>>,
}

/// Members, and what a look-up says besides.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MembersReadWith {
    kind: Option<IdentifierKind>,
    namespace: Option<String>,
    values: Option<List<String, IDENTIFIERS_READ_MAX>>,
    people: Option<List<List<Object<Identifier>, PERSON_READ_MAX>, IDENTIFIERS_READ_MAX>>,
    after: Option<i64>,
    limit: Option<i64>,
}

/// What a look-up says besides whom it is about.
#[derive(Debug)]
pub(crate) struct LookupMore {
    pub after: Option<i64>,
    pub limit: Option<i64>,
}

/// One more than is allowed, so that the excess is seen.
const IDENTIFIERS_READ_MAX: usize = limits::IDENTIFIERS_MAX + 1;
const PERSON_READ_MAX: usize = limits::PERSON_IDENTIFIERS_MAX + 1;

/// An array of which at most `MAX` items are kept, and all are counted.
#[derive(Debug)]
pub(crate) struct List<T, const MAX: usize> {
    items: Vec<T>,
    count: usize,
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T, const MAX: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for Items<T, MAX> {
            type Value = List<T, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while items.len() < MAX {
                    let Some(item) = seq.next_element()? else {
                        let count = items.len();
                        return Ok(List { items, count });
                    };
                    items.push(item);
                }
                let mut count = items.len();
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(List { items, count })
            }
        }
        deserializer.deserialize_seq(Items(PhantomData))
    }
}

impl Members {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Members, Problem> {
        Members::of(json::parse(bytes)?)
    }

    /// The same where a look-up says more.
    pub(crate) fn parse_with(bytes: &[u8]) -> Result<(Members, LookupMore), Problem> {
        let MembersReadWith {
            kind,
            namespace,
            values,
            people,
            after,
            limit,
        } = json::parse(bytes)?;
        let members = Members::of(MembersRead {
            kind,
            namespace,
            values,
            people,
        })?;
        Ok((members, LookupMore { after, limit }))
    }

    fn of(read: MembersRead) -> Result<Members, Problem> {
        let both = || {
            Problem::invalid(
                "people",
                "ambiguous",
                "Give either kind and values, or people.",
            )
        };
        let missing =
            |field| Problem::invalid(field, "required", "Give either kind and values, or people.");
        match (read.kind, read.values, read.people) {
            (None, None, Some(people)) if read.namespace.is_none() => {
                if people
                    .items
                    .iter()
                    .any(|person| person.count > limits::PERSON_IDENTIFIERS_MAX)
                {
                    let detail = format!(
                        "A person may have at most {} identifiers.",
                        limits::PERSON_IDENTIFIERS_MAX
                    );
                    return Err(Problem::invalid("people", "too_many", detail));
                }
                people
                    .items
                    .iter()
                    .flat_map(|person| &person.items)
                    .try_for_each(|Object(identifier)| {
                        check_namespace(identifier.kind, identifier.namespace.as_deref())
                    })?;
                Ok(Members::AsPeople(MembersAsPeople { people }))
            }
            (_, _, Some(_)) => Err(both()),
            (Some(kind), Some(values), None) => {
                check_namespace(kind, read.namespace.as_deref())?;
                Ok(Members::OfKind(MembersOfKind {
                    kind,
                    namespace: read.namespace,
                    values,
                }))
            }
            (None, _, None) => Err(missing("kind")),
            (Some(_), None, None) => Err(missing("values")),
        }
    }

    /// How many identifiers came, those that were not kept included.
    pub(crate) fn count(&self) -> usize {
        match self {
            Members::OfKind(members) => members.values.count,
            Members::AsPeople(members) => {
                let identifiers = members.people.items.iter().map(|person| person.count).sum();
                members.people.count.max(identifiers)
            }
        }
    }

    fn batch(self, mut builder: BatchBuilder) -> Batch {
        match self {
            Members::OfKind(members) => {
                let namespace = members.namespace.unwrap_or_default();
                for value in &members.values.items {
                    builder.push(members.kind.into(), &namespace, value);
                }
            }
            Members::AsPeople(members) => {
                for person in members.people.items {
                    for Object(Identifier {
                        kind,
                        namespace,
                        value,
                    }) in person.items
                    {
                        if builder
                            .identifier(
                                kind.into(),
                                namespace.as_deref().unwrap_or_default(),
                                &value,
                            )
                            .is_err()
                        {
                            builder.note_invalid(&value);
                        }
                    }
                    builder.end_person();
                }
            }
        }
        builder.finish()
    }

    /// As [`Self::batch`], with an answer for each value or person.
    pub(crate) fn question(self, mut builder: QuestionBuilder) -> Question {
        match self {
            Members::OfKind(members) => {
                let namespace = members.namespace.unwrap_or_default();
                for value in &members.values.items {
                    // One that is not valid stands for nobody, and nobody is not in the audience.
                    let _ = builder.identifier(members.kind.into(), &namespace, value);
                    builder.end_person();
                }
            }
            Members::AsPeople(members) => {
                for person in members.people.items {
                    for Object(Identifier {
                        kind,
                        namespace,
                        value,
                    }) in person.items
                    {
                        let _ = builder.identifier(
                            kind.into(),
                            namespace.as_deref().unwrap_or_default(),
                            &value,
                        );
                    }
                    builder.end_person();
                }
            }
        }
        builder.finish()
    }
}

/// The identifiers of a large body, which are mostly of one kind and plain: read without building anything of each.
struct Plain<'a> {
    kind: Kind,
    namespace: &'a str,
    values: Vec<&'a str>,
    count: usize,
}

impl<'a> Plain<'a> {
    /// Nothing for a body of any other shape, right or wrong.
    fn read(bytes: &'a [u8]) -> Option<Plain<'a>> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (mut kind, mut namespace, mut values) = (None, None, None);
        for (name, value) in flat::object(text, IDENTIFIERS_READ_MAX)? {
            match (name, value) {
                ("kind", Flat::Text(text)) if kind.is_none() => {
                    let text: StrDeserializer<'_, ValueError> = text.into_deserializer();
                    kind = Some(IdentifierKind::deserialize(text).ok()?);
                }
                ("namespace", Flat::Text(text)) if namespace.is_none() => namespace = Some(text),
                ("values", Flat::Texts { kept, count }) if values.is_none() => {
                    values = Some((kept, count));
                }
                _ => return None,
            }
        }
        let (kind, (values, count)) = (kind?, values?);
        check_namespace(kind, namespace).ok()?;
        Some(Plain {
            kind: kind.into(),
            namespace: namespace.unwrap_or_default(),
            values,
            count,
        })
    }
}

/// The people of a body, normalised, hashed and looked up: 50,000 addresses take tens of milliseconds.
pub(crate) fn batch(bytes: &[u8], mut builder: BatchBuilder) -> Result<Batch, Problem> {
    let Some(plain) = Plain::read(bytes) else {
        let members = Members::parse(bytes)?;
        not_too_many(members.count())?;
        return Ok(members.batch(builder));
    };
    not_too_many(plain.count)?;
    for value in plain.values {
        builder.push(plain.kind, plain.namespace, value);
    }
    Ok(builder.finish())
}

/// Without its namespace each identifier of such a kind would be invalid; better said once.
fn check_namespace(kind: IdentifierKind, namespace: Option<&str>) -> Result<(), Problem> {
    let kind = Kind::from(kind);
    if kind.needs_namespace() && namespace.is_none_or(|namespace| namespace.trim().is_empty()) {
        let detail = format!(
            "Identifiers of the kind {} need a namespace.",
            kind.as_str()
        );
        return Err(Problem::invalid("namespace", "required", detail));
    }
    Ok(())
}

/// What a change of members did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MembersChanged {
    #[schema(format = DateTime)]
    pub time: String,
    /// Well-formed identifiers of the request, repeated ones included.
    #[schema(example = 3)]
    pub valid: u64,
    /// Identifiers that were left out because they are not what their kind asks for.
    #[schema(example = 1)]
    pub invalid: u64,
    /// The first 10 of these, shortened.
    #[schema(example = json!(["not-an-address"]), max_items = 10)]
    pub invalid_sample: Vec<String>,
    /// People who came in by this request.
    #[schema(example = 3)]
    pub added: u64,
    /// People who went out by this request.
    #[schema(example = 0)]
    pub removed: u64,
    /// People in the audience afterwards.
    #[schema(example = 48_115)]
    pub people: u64,
    /// Identifiers that turned out to name two people; see the identity conflicts.
    #[schema(example = 0)]
    pub conflicts: u64,
}

impl From<MemberOutcome> for MembersChanged {
    fn from(outcome: MemberOutcome) -> MembersChanged {
        MembersChanged {
            time: rfc3339(outcome.time),
            valid: outcome.valid,
            invalid: outcome.invalid,
            invalid_sample: outcome.invalid_sample,
            added: outcome.added,
            removed: outcome.removed,
            people: outcome.people,
            conflicts: outcome.conflicts,
        }
    }
}

/// What emptying an audience did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MembersEmptied {
    /// People who were in it.
    #[schema(example = 48_115)]
    pub removed: u64,
}

/// Who of those asked about is in the audience.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MembersContained {
    /// One for each value or person of the request, in its order. False for one whose identifiers are not valid.
    #[schema(example = json!([true, false]))]
    pub contains: Vec<bool>,
}
