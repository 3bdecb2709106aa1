//! Pure conversions between the vendor's models and the domain's.

use std::borrow::Cow;

use domain::{
    Audience, AudienceChange, AudienceNew, Batch, BatchBuilder, Counted, Error, Field, Kind,
    MemberOutcome, limits,
};

use super::{
    error::Problem,
    wire::{
        AudienceCreateRequest, AudiencePatchRequest, AudiencePatchResponse, AudiencePutRequest,
        AudienceResponse, Operation, PortfolioMessage, Schema,
    },
};

fn required(name: &'static str) -> Problem {
    Problem::field(
        name,
        "required",
        format!("The field `{name}` is mandatory."),
    )
}

fn name(name: Option<Cow<'_, str>>) -> Result<String, Problem> {
    let name = name.ok_or_else(|| required("name"))?;
    if name.trim().is_empty() {
        return Err(Problem::field(
            "name",
            "required",
            "The audience name must not be empty.",
        ));
    }
    Ok(name.into_owned())
}

pub fn audience_new(request: AudienceCreateRequest<'_>) -> Result<AudienceNew, Problem> {
    Ok(AudienceNew {
        structure: request
            .advertiser_id
            .ok_or_else(|| required("advertiserId"))?,
        name: name(request.name)?,
        description: request.description.map(Cow::into_owned),
        reference: None,
        rule: None,
    })
}

/// A description that is absent stays as it is.
pub fn audience_change(request: AudiencePutRequest<'_>) -> Result<AudienceChange, Problem> {
    Ok(AudienceChange {
        name: Some(name(request.name)?),
        description: request.description.map(|text| Some(text.into_owned())),
        ..AudienceChange::default()
    })
}

/// The identifiers of a PATCH, checked and hashed.
#[derive(Debug)]
pub struct Patch {
    pub operation: Operation,
    pub schema: Schema,
    pub batch: Batch,
}

/// Takes milliseconds for many identifiers.
pub fn patch(
    request: AudiencePatchRequest<'_>,
    mut builder: BatchBuilder,
) -> Result<Patch, Problem> {
    let operation = request.operation.ok_or_else(|| required("operation"))?;
    let operation = Operation::ALL
        .into_iter()
        .find(|known| known.as_str() == operation);
    let operation = operation.ok_or_else(|| {
        Problem::field(
            "operation",
            "unknown",
            "The field `operation` must be `add` or `remove`.",
        )
    })?;
    let schema = request.schema.ok_or_else(|| required("schema"))?;
    let schema = Schema::ALL
        .into_iter()
        .find(|known| known.as_str() == schema)
        .ok_or_else(|| {
            let known = "`email`, `madid`, `identityLink` or `gum`";
            Problem::field(
                "schema",
                "unknown",
                format!("The field `schema` must be {known}."),
            )
        })?;
    let namespace = gum_caller(schema, request.gum_caller_id)?;
    let identifiers = request.identifiers.ok_or_else(|| required("identifiers"))?;
    if identifiers.count > limits::IDENTIFIERS_MAX {
        return Err(too_many(identifiers.count));
    }
    for identifier in &identifiers.kept {
        builder.push(kind(schema), &namespace, identifier);
    }
    Ok(Patch {
        operation,
        schema,
        batch: builder.finish(),
    })
}

fn too_many(count: usize) -> Problem {
    let max = limits::IDENTIFIERS_MAX;
    let text = format!("A request may carry at most {max} identifiers; this one carries {count}.");
    Error::TooLarge(Field {
        name: "identifiers",
        code: "too_many",
        text,
    })
    .into()
}

/// The namespace of the identifiers: the caller of the cookie sync for `gum`, nothing for the others.
fn gum_caller(schema: Schema, caller: Option<i64>) -> Result<String, Problem> {
    match (schema, caller) {
        (Schema::Gum, Some(caller)) if caller >= 0 => Ok(caller.to_string()),
        (Schema::Gum, Some(_)) => Err(Problem::field(
            "gumCallerId",
            "invalid",
            "The field `gumCallerId` must not be negative.",
        )),
        (Schema::Gum, None) => Err(required("gumCallerId")),
        (_, None) => Ok(String::new()),
        (_, Some(_)) => {
            let text = "The field `gumCallerId` goes only with the schema `gum`.";
            Err(Problem::field("gumCallerId", "unexpected", text))
        }
    }
}

fn kind(schema: Schema) -> Kind {
    match schema {
        Schema::Email => Kind::Email,
        Schema::Madid => Kind::MobileAd,
        Schema::IdentityLink => Kind::IdentityLink,
        Schema::Gum => Kind::Cookie,
    }
}

pub fn patch_response(
    operation: Operation,
    schema: Schema,
    outcome: MemberOutcome,
) -> AudiencePatchResponse {
    AudiencePatchResponse {
        operation,
        request_date: domain::rfc3339(outcome.time),
        schema,
        nb_valid_identifiers: outcome.valid,
        nb_invalid_identifiers: outcome.invalid,
        sample_invalid_identifiers: outcome.invalid_sample,
    }
}

pub fn audience_response(counted: Counted) -> AudienceResponse {
    let Counted { audience, counts } = counted;
    AudienceResponse {
        id: audience.id,
        advertiser_id: audience.structure,
        name: audience.name,
        description: audience.description,
        created: audience.created.div_euclid(1_000),
        updated: audience.updated.div_euclid(1_000),
        nb_lines: counts.people,
        nb_lines_email: counts.with_email,
        nb_matches_email: counts.with_email_matched,
    }
}

pub fn portfolio_message(structure: Audience) -> PortfolioMessage {
    PortfolioMessage {
        advertiser_id: structure.id,
        advertiser_name: structure.name,
    }
}
