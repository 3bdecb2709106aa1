//! What every operation of the API goes through. In: who calls (401), how often (429), what answer is acceptable (406), what
//! was sent (415, 400). Out: the body in the accepted media type, `x-ratelimit-*`, and what the log is told.

use axum::{
    RequestPartsExt,
    body::{Body, Bytes},
    extract::{Path, Request, State},
    http::{StatusCode, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{Context, Domain, Error};

use super::{
    BASES, DIALECT, auth,
    error::Problem,
    fields, form, json,
    media::{self, Input, Output},
    wire::{Model, Request as Wire},
    xml,
};
use crate::{
    body::{self, BodyError},
    rate,
    request::{self, Outcome},
};

/// Characters of a parser's reason that are answered.
const REASON_CHARS_MAX: usize = 200;

/// A request whose caller is known and may be answered.
#[derive(Debug)]
pub struct Call {
    pub domain: Domain,
    pub context: Context,
    parts: Parts,
    body: Body,
    path_id: Option<String>,
    output: Output,
}

/// Admits a request, runs the operation, and notes what came of it.
pub async fn serve<F, Fut>(State(domain): State<Domain>, request: Request, operation: F) -> Response
where
    F: FnOnce(Call) -> Fut,
    Fut: Future<Output = Result<Response, Problem>>,
{
    let (mut parts, body) = request.into_parts();
    let caller = match auth::caller(&domain, &parts).await {
        Ok(caller) => caller,
        Err(problem) => return refuse(&parts, body, problem).await,
    };
    let (workspace, credential) = (caller.workspace, caller.credential);
    let rate = domain.rate_check(DIALECT, workspace, credential);
    let refused = rate.filter(|rate| !rate.allowed);
    let mut response = match (refused, media::output(&parts.headers)) {
        (Some(rate), _) => {
            refuse(
                &parts,
                body,
                Error::RateLimited {
                    retry_after_ms: rate.wait_ms,
                }
                .into(),
            )
            .await
        }
        (None, None) => refuse(&parts, body, Problem::not_acceptable()).await,
        (None, Some(output)) => {
            let context = Context::new(caller, request::request_id(&parts.extensions));
            let path_id = parts
                .extract::<Path<String>>()
                .await
                .ok()
                .map(|Path(id)| id);
            let call = Call {
                domain: domain.clone(),
                context,
                parts,
                body,
                path_id,
                output,
            };
            operation(call).await.into_response()
        }
    };
    if let Some(rate) = rate {
        rate::note(&mut response, rate, domain.now_ms());
    }
    let outcome = response.extensions_mut().get_or_insert_default::<Outcome>();
    outcome.workspace = Some(workspace);
    outcome.credential = Some(credential);
    response
}

/// Answers before the body is read.
async fn refuse(parts: &Parts, body: Body, problem: Problem) -> Response {
    body::discard(&parts.headers, body).await;
    problem.into_response()
}

impl Call {
    /// The audience of the path; an id that is no number names none.
    pub fn audience_id(&self) -> Result<i64, Problem> {
        let id = self.path_id.as_deref().and_then(fields::integer);
        id.ok_or_else(Problem::audience_not_found)
    }

    /// The query's `advertiserId`, if there is one.
    pub fn advertiser_id(&self) -> Result<Option<i64>, Problem> {
        let query = self.parts.uri.query().unwrap_or_default();
        let mut fields = form::fields(query).map_err(|text| {
            Problem::invalid(
                "query-malformed",
                format!("The query is not valid: {text}."),
            )
        })?;
        fields.integer("advertiserId")
    }

    /// Reads the body; it can be read once.
    pub async fn document(&mut self, bytes_max: usize) -> Result<Document, Problem> {
        let body = std::mem::take(&mut self.body);
        let input = match media::input(&self.parts.headers) {
            Ok(input) => input,
            Err(problem) => {
                body::discard(&self.parts.headers, body).await;
                return Err(problem);
            }
        };
        let bytes = body::read(body, bytes_max)
            .await
            .map_err(|error| match error {
                BodyError::TooLarge { bytes_max } => {
                    let text = format!("The body must not be longer than {bytes_max} bytes.");
                    Problem::invalid("body-too-large", text)
                }
                BodyError::Incomplete => Problem::invalid(
                    "body-incomplete",
                    "The body stopped before its end or came too slowly.",
                ),
            })?;
        Ok(Document { input, bytes })
    }

    /// Answers 200 with a model.
    pub fn answer<M: Model>(&self, model: &M) -> Response {
        let mut response = StatusCode::OK.into_response();
        media::write(&mut response, self.output, model);
        response
    }
}

/// A body with its media type.
#[derive(Debug)]
pub struct Document {
    input: Input,
    bytes: Bytes,
}

impl Document {
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The model in it, whose texts are borrowed where they needed no decoding.
    pub fn model<'a, W: Wire<'a>>(&'a self) -> Result<W, Problem> {
        let text = std::str::from_utf8(&self.bytes)
            .map_err(|_| Problem::invalid("body-malformed", "The body is not UTF-8."))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let (name, fields) = match self.input {
            Input::Json => ("JSON", json::fields(text)),
            Input::Xml => ("XML", xml::fields(text, W::NAME)),
            Input::Form => ("a form", form::fields(text)),
        };
        let fields = fields.map_err(|text| {
            // A parser may quote the body.
            let text: String = text.chars().take(REASON_CHARS_MAX).collect();
            Problem::invalid(
                "body-malformed",
                format!("The body is not valid as {name}: {text}."),
            )
        })?;
        W::read(fields)
    }
}

/// Writes the body of a refusal: the outermost layer, so that a panic's answer has the vendor's shape too.
pub async fn finish(request: Request, next: Next) -> Response {
    let trace_id = request::request_id(request.extensions());
    let instance = instance(request.uri().path()).to_owned();
    let output = media::output(request.headers()).unwrap_or(Output::Json);
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        media::write(&mut response, output, &problem.body(trace_id, instance));
    }
    response
}

/// The path below the base, as the vendor writes it.
fn instance(path: &str) -> &str {
    let below = |base: &&str| {
        path.strip_prefix(*base)
            .filter(|rest| rest.starts_with('/'))
    };
    BASES.iter().find_map(below).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instance_is_the_path_below_the_base() {
        assert_eq!(instance("/criteo/marketing/v1/audiences"), "/v1/audiences");
        assert_eq!(
            instance("/criteo/legacy/marketing/v1/audiences"),
            "/v1/audiences"
        );
        assert_eq!(instance("/criteo/v1/audiences"), "/v1/audiences");
        assert_eq!(instance("/criteo/marketingx"), "/marketingx");
        assert_eq!(instance("/criteo"), "/criteo");
    }
}
