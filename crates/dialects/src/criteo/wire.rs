//! The vendor's words: Criteo Marketing API v1, models of `criteo-marketing` 1.0.171 (PyPI) for audiences and portfolio, and
//! the problem list of Criteo's later API versions for errors. Fields are in the vendor's order.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

use super::{
    error::Problem,
    fields::{Fields, Texts},
    xml::Writer,
};

/// A model that is answered.
pub trait Model: Serialize {
    /// The vendor's name of the model, which is the root element in XML.
    const NAME: &'static str;

    fn write(&self, inside: &mut Writer);

    /// The model as an XML document. What is null in JSON is absent.
    fn document(&self) -> String {
        Writer::document(Self::NAME, |inside| self.write(inside))
    }
}

/// A model that is sent; each field is nothing where it is absent or null.
pub trait Request<'a>: Sized {
    const NAME: &'static str;

    fn read(fields: Fields<'a>) -> Result<Self, Problem>;
}

#[derive(Debug)]
pub struct AudienceCreateRequest<'a> {
    pub advertiser_id: Option<i64>,
    pub name: Option<Cow<'a, str>>,
    pub description: Option<Cow<'a, str>>,
}

impl<'a> Request<'a> for AudienceCreateRequest<'a> {
    const NAME: &'static str = "AudienceCreateRequest";

    fn read(mut fields: Fields<'a>) -> Result<Self, Problem> {
        Ok(AudienceCreateRequest {
            advertiser_id: fields.integer("advertiserId")?,
            name: fields.text("name")?,
            description: fields.text("description")?,
        })
    }
}

#[derive(Debug)]
pub struct AudiencePutRequest<'a> {
    pub name: Option<Cow<'a, str>>,
    pub description: Option<Cow<'a, str>>,
}

impl<'a> Request<'a> for AudiencePutRequest<'a> {
    const NAME: &'static str = "AudiencePutRequest";

    fn read(mut fields: Fields<'a>) -> Result<Self, Problem> {
        Ok(AudiencePutRequest {
            name: fields.text("name")?,
            description: fields.text("description")?,
        })
    }
}

#[derive(Debug)]
pub struct AudiencePatchRequest<'a> {
    pub operation: Option<Cow<'a, str>>,
    pub schema: Option<Cow<'a, str>>,
    pub identifiers: Option<Texts<'a>>,
    pub gum_caller_id: Option<i64>,
}

impl<'a> Request<'a> for AudiencePatchRequest<'a> {
    const NAME: &'static str = "AudiencePatchRequest";

    fn read(mut fields: Fields<'a>) -> Result<Self, Problem> {
        Ok(AudiencePatchRequest {
            operation: fields.text("operation")?,
            schema: fields.text("schema")?,
            identifiers: fields.texts("identifiers")?,
            gum_caller_id: fields.integer("gumCallerId")?,
        })
    }
}

/// What a PATCH does with the identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    Add,
    Remove,
}

impl Operation {
    pub const ALL: [Operation; 2] = [Operation::Add, Operation::Remove];

    pub fn as_str(self) -> &'static str {
        match self {
            Operation::Add => "add",
            Operation::Remove => "remove",
        }
    }
}

/// What kind of identifiers a PATCH carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Schema {
    Email,
    Madid,
    IdentityLink,
    Gum,
}

impl Schema {
    pub const ALL: [Schema; 4] = [
        Schema::Email,
        Schema::Madid,
        Schema::IdentityLink,
        Schema::Gum,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Schema::Email => "email",
            Schema::Madid => "madid",
            Schema::IdentityLink => "identityLink",
            Schema::Gum => "gum",
        }
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AudienceCreateResponse {
    pub audience_id: i64,
}

impl Model for AudienceCreateResponse {
    const NAME: &'static str = "AudienceCreateResponse";

    fn write(&self, inside: &mut Writer) {
        inside.number("audienceId", self.audience_id);
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AudiencePatchResponse {
    pub operation: Operation,
    /// RFC 3339 with milliseconds.
    pub request_date: String,
    pub schema: Schema,
    pub nb_valid_identifiers: u64,
    pub nb_invalid_identifiers: u64,
    pub sample_invalid_identifiers: Vec<String>,
}

impl Model for AudiencePatchResponse {
    const NAME: &'static str = "AudiencePatchResponse";

    fn write(&self, inside: &mut Writer) {
        inside.text("operation", self.operation.as_str());
        inside.text("requestDate", &self.request_date);
        inside.text("schema", self.schema.as_str());
        inside.number("nbValidIdentifiers", self.nb_valid_identifiers);
        inside.number("nbInvalidIdentifiers", self.nb_invalid_identifiers);
        inside.element("sampleInvalidIdentifiers", |list| {
            self.sample_invalid_identifiers
                .iter()
                .for_each(|text| list.text("string", text));
        });
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AudienceResponse {
    pub id: i64,
    pub advertiser_id: i64,
    pub name: String,
    pub description: Option<String>,
    /// Seconds since the Unix epoch.
    pub created: i64,
    /// Seconds since the Unix epoch.
    pub updated: i64,
    pub nb_lines: u64,
    pub nb_lines_email: u64,
    pub nb_matches_email: u64,
}

impl Model for AudienceResponse {
    const NAME: &'static str = "AudienceResponse";

    fn write(&self, inside: &mut Writer) {
        inside.number("id", self.id);
        inside.number("advertiserId", self.advertiser_id);
        inside.text("name", &self.name);
        if let Some(description) = &self.description {
            inside.text("description", description);
        }
        inside.number("created", self.created);
        inside.number("updated", self.updated);
        inside.number("nbLines", self.nb_lines);
        inside.number("nbLinesEmail", self.nb_lines_email);
        inside.number("nbMatchesEmail", self.nb_matches_email);
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AudiencesGetResponse {
    pub audiences: Vec<AudienceResponse>,
}

impl Model for AudiencesGetResponse {
    const NAME: &'static str = "AudiencesGetResponse";

    fn write(&self, inside: &mut Writer) {
        inside.element("audiences", |list| write_all(&self.audiences, list));
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PortfolioMessage {
    pub advertiser_id: i64,
    pub advertiser_name: String,
}

impl Model for PortfolioMessage {
    const NAME: &'static str = "PortfolioMessage";

    fn write(&self, inside: &mut Writer) {
        inside.number("advertiserId", self.advertiser_id);
        inside.text("advertiserName", &self.advertiser_name);
    }
}

impl Model for Vec<PortfolioMessage> {
    const NAME: &'static str = "ArrayOfPortfolioMessage";

    fn write(&self, inside: &mut Writer) {
        write_all(self, inside);
    }
}

/// The vendor's categories of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemType {
    AccessControl,
    Authorization,
    Availability,
    Quota,
    Validation,
}

impl ProblemType {
    pub fn as_str(self) -> &'static str {
        match self {
            ProblemType::AccessControl => "access-control",
            ProblemType::Authorization => "authorization",
            ProblemType::Availability => "availability",
            ProblemType::Quota => "quota",
            ProblemType::Validation => "validation",
        }
    }
}

impl Serialize for ProblemType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDetails {
    pub trace_id: String,
    pub r#type: ProblemType,
    pub code: String,
    pub instance: String,
    pub title: String,
    pub detail: String,
}

impl Model for ProblemDetails {
    const NAME: &'static str = "ProblemDetails";

    fn write(&self, inside: &mut Writer) {
        inside.text("traceId", &self.trace_id);
        inside.text("type", self.r#type.as_str());
        inside.text("code", &self.code);
        inside.text("instance", &self.instance);
        inside.text("title", &self.title);
        inside.text("detail", &self.detail);
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProblemsDetails {
    pub errors: Vec<ProblemDetails>,
    pub warnings: Vec<ProblemDetails>,
}

impl Model for ProblemsDetails {
    const NAME: &'static str = "ProblemsDetails";

    fn write(&self, inside: &mut Writer) {
        inside.element("errors", |list| write_all(&self.errors, list));
        inside.element("warnings", |list| write_all(&self.warnings, list));
    }
}

fn write_all<M: Model>(models: &[M], list: &mut Writer) {
    models
        .iter()
        .for_each(|model| list.element(M::NAME, |inside| model.write(inside)));
}
