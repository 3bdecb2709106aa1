//! What is refused, as status, category and code of the vendor. A [`Problem`] travels to [`super::call::finish`], which
//! knows the request's id, path and media type and writes the body.

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE},
    response::{IntoResponse, Response},
};
use domain::{Denied, Error, Field};

use super::wire::{ProblemDetails, ProblemType, ProblemsDetails};
use crate::request::Outcome;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    category: ProblemType,
    /// Kebab-case.
    code: Cow<'static, str>,
    /// The same for every problem of this code.
    title: &'static str,
    /// For the caller.
    pub detail: String,
    /// For the log.
    pub context: Option<String>,
}

const TITLE_BODY: &str = "The request is not valid";

impl Problem {
    fn new(
        status: StatusCode,
        category: ProblemType,
        code: impl Into<Cow<'static, str>>,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Problem {
        Problem {
            status,
            category,
            code: code.into(),
            title,
            detail: detail.into(),
            context: None,
        }
    }

    /// The request itself is wrong: 400.
    pub fn invalid(code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Problem {
        Problem::new(
            StatusCode::BAD_REQUEST,
            ProblemType::Validation,
            code,
            TITLE_BODY,
            detail,
        )
    }

    /// A field of the request is wrong: 400.
    pub fn field(name: &str, code: &str, detail: impl Into<String>) -> Problem {
        Problem::invalid(format!("{}-{code}", kebab(name)), detail)
    }

    pub fn unauthenticated(detail: &'static str) -> Problem {
        let title = "The authorization header is invalid";
        let code = "authorization-token-invalid";
        Problem::new(
            StatusCode::UNAUTHORIZED,
            ProblemType::Authorization,
            code,
            title,
            detail,
        )
    }

    pub fn audience_not_found() -> Problem {
        let detail = "There is no audience with this id.";
        Problem::new(
            StatusCode::NOT_FOUND,
            ProblemType::Validation,
            "audience-not-found",
            "Audience not found",
            detail,
        )
    }

    pub fn no_route() -> Problem {
        let detail = "This server has no operation at this path.";
        Problem::new(
            StatusCode::NOT_FOUND,
            ProblemType::Validation,
            "route-not-found",
            "Not found",
            detail,
        )
    }

    pub fn wrong_method() -> Problem {
        let (code, title) = ("method-not-allowed", "Method not allowed");
        let detail = "The Allow header lists the methods of this path.";
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            ProblemType::Validation,
            code,
            title,
            detail,
        )
    }

    pub fn not_acceptable() -> Problem {
        let (code, title) = ("media-type-not-acceptable", "Not acceptable");
        let detail = "The Accept header must allow application/json, text/json, application/xml, text/xml or text/html.";
        Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            ProblemType::Validation,
            code,
            title,
            detail,
        )
    }

    pub fn unsupported(detail: &'static str) -> Problem {
        let (code, title) = ("media-type-unsupported", "Unsupported media type");
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ProblemType::Validation,
            code,
            title,
            detail,
        )
    }

    /// The body that a caller sees.
    pub fn body(&self, trace_id: String, instance: String) -> ProblemsDetails {
        let error = ProblemDetails {
            trace_id,
            r#type: self.category,
            code: self.code.clone().into_owned(),
            instance,
            title: self.title.to_owned(),
            detail: self.detail.clone(),
        };
        ProblemsDetails {
            errors: vec![error],
            warnings: Vec::new(),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let detail = error.to_string();
        let context = error.context().map(str::to_owned);
        let problem = match error {
            Error::NotFound("audience") => Problem::audience_not_found(),
            Error::NotFound(_) => Problem::new(
                StatusCode::NOT_FOUND,
                ProblemType::Validation,
                "not-found",
                "Not found",
                detail,
            ),
            Error::AlreadyExists(field) => {
                let title = "The audience name is already used for this advertiser";
                let code = format!("{}-must-be-unique", kebab(field.name));
                Problem::new(
                    StatusCode::CONFLICT,
                    ProblemType::Validation,
                    code,
                    title,
                    detail,
                )
            }
            Error::Invalid(field) | Error::TooLarge(field) => {
                Problem::invalid(field_code(&field), detail)
            }
            Error::Unauthenticated(text) => Problem::unauthenticated(text),
            Error::Forbidden(denied) => {
                let (code, title, detail) = match denied {
                    Denied::Structure => (
                        "access-denied",
                        "The advertiser is not in the portfolio",
                        "The advertiser is missing from the current user's portfolio.".to_owned(),
                    ),
                    Denied::EveryStructure
                    | Denied::Scope(_)
                    | Denied::Administrator
                    | Denied::Permission
                    | Denied::Control
                    | Denied::LastAdministrator => (
                        "operation-not-allowed",
                        "The operation is not allowed",
                        detail,
                    ),
                };
                Problem::new(
                    StatusCode::FORBIDDEN,
                    ProblemType::AccessControl,
                    code,
                    title,
                    detail,
                )
            }
            Error::Conflict(_) | Error::KeyReused => Problem::new(
                StatusCode::CONFLICT,
                ProblemType::Validation,
                "conflict",
                "Conflict",
                detail,
            ),
            Error::RateLimited { .. } => {
                let title = "Maximum sending rate exceeded";
                let code = "too-many-requests";
                Problem::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    ProblemType::Quota,
                    code,
                    title,
                    detail,
                )
            }
            // The vendor documents no 503.
            Error::Unavailable { .. } | Error::Upstream { .. } => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                let title = "The service is not available";
                Problem::new(
                    status,
                    ProblemType::Availability,
                    "service-unavailable",
                    title,
                    detail,
                )
            }
            Error::Internal { .. } => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Problem::new(
                    status,
                    ProblemType::Availability,
                    "internal-error",
                    "Unknown error",
                    detail,
                )
            }
        };
        Problem { context, ..problem }
    }
}

/// The field's code and name in kebab-case; *too many* comes before what there is too much of.
fn field_code(field: &Field) -> String {
    match (field.name, field.code) {
        ("identifiers", "none_valid") => "no-valid-identifier".to_owned(),
        (name, "too_many") => format!("too-many-{}", kebab(name)),
        (name, code) => format!("{}-{}", kebab(name), kebab(code)),
    }
}

/// `gumCallerId` and `gum_caller_id` as `gum-caller-id`.
fn kebab(name: &str) -> String {
    let mut text = String::with_capacity(name.len() + 4);
    for char in name.chars() {
        match char {
            '_' => text.push('-'),
            char if char.is_ascii_uppercase() => text.extend(['-', char.to_ascii_lowercase()]),
            char => text.push(char),
        }
    }
    text
}

impl IntoResponse for Problem {
    /// Status and headers; [`super::call::finish`] writes the body.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        let outcome = Outcome {
            context: self.context.clone(),
            unmatched: self.code == "route-not-found",
            ..Outcome::default()
        };
        response.extensions_mut().insert(outcome);
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_status_and_code() {
        let field = |name, code| Field {
            name,
            code,
            text: "Text.".into(),
        };
        let told = || String::from("secret");
        let cases = [
            (Error::NotFound("audience"), 404, "audience-not-found"),
            (Error::NotFound("route"), 404, "not-found"),
            (
                Error::AlreadyExists(field("name", "already_used")),
                409,
                "name-must-be-unique",
            ),
            (
                Error::Invalid(field("name", "too_long")),
                400,
                "name-too-long",
            ),
            (
                Error::Invalid(field("identifiers", "none_valid")),
                400,
                "no-valid-identifier",
            ),
            (
                Error::TooLarge(field("identifiers", "too_many")),
                400,
                "too-many-identifiers",
            ),
            (
                Error::Unauthenticated("No."),
                401,
                "authorization-token-invalid",
            ),
            (Error::Forbidden(Denied::Structure), 403, "access-denied"),
            (
                Error::Forbidden(Denied::Scope(domain::Scope::Admin)),
                403,
                "operation-not-allowed",
            ),
            (Error::Conflict("No."), 409, "conflict"),
            (Error::KeyReused, 409, "conflict"),
            (
                Error::RateLimited { retry_after_ms: 1 },
                429,
                "too-many-requests",
            ),
            (
                Error::Unavailable { context: told() },
                500,
                "service-unavailable",
            ),
            (Error::Internal { context: told() }, 500, "internal-error"),
        ];
        for (error, status, code) in cases {
            let problem = Problem::from(error.clone());
            assert_eq!(
                (problem.status.as_u16(), &*problem.code),
                (status, code),
                "{error:?}"
            );
            assert_eq!(problem.context.as_deref(), error.context());
            assert!(
                !problem.detail.contains("secret"),
                "the log's context does not leave the server"
            );
            assert!(!problem.detail.is_empty() && !problem.title.is_empty());
        }
    }

    #[test]
    fn codes_are_in_kebab_case() {
        assert_eq!(kebab("gumCallerId"), "gum-caller-id");
        assert_eq!(kebab("none_valid"), "none-valid");
    }
}
