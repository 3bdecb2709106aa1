//! Errors as the native API answers them: problem details (RFC 9457, `application/problem+json`).
//!
//! A handler fails with a [`Problem`]; the outermost layer (`envelope`) writes the body, since it knows the request's id.
//! The kinds are data, so that the documentation page lists exactly what can be answered.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::{Denied, Error, Field, Refusal, RefusalKind};
use serde::Serialize;
use utoipa::ToSchema;

use crate::body::BodyError;

/// The media type of a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// How long a caller should wait before it asks again for a database that did not answer.
const UNAVAILABLE_RETRY_S: u64 = 2;

/// What went wrong, as the `type` of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Malformed,
    Unauthenticated,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    AlreadyExists,
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    Invalid,
    TooMany,
    KeyReused,
    RateLimited,
    Internal,
    Unavailable,
    Upstream,
}

/// What the documentation says about a kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KindText {
    /// The `type` is `/docs#problem-` and this; also the `code` where nothing more precise is known.
    pub name: &'static str,
    pub status: StatusCode,
    pub title: &'static str,
    pub meaning: &'static str,
}

impl Kind {
    pub(crate) const ALL: [Kind; 16] = [
        Kind::Malformed,
        Kind::Unauthenticated,
        Kind::Forbidden,
        Kind::NotFound,
        Kind::MethodNotAllowed,
        Kind::AlreadyExists,
        Kind::Conflict,
        Kind::TooLarge,
        Kind::UnsupportedMediaType,
        Kind::Invalid,
        Kind::TooMany,
        Kind::KeyReused,
        Kind::RateLimited,
        Kind::Internal,
        Kind::Unavailable,
        Kind::Upstream,
    ];

    pub(crate) fn text(self) -> KindText {
        let (status, name, title, meaning) = match self {
            Kind::Malformed => (
                StatusCode::BAD_REQUEST,
                "malformed",
                "Malformed request",
                "The body is not JSON in UTF-8, names a field twice, is nested too deep, or ended early.",
            ),
            Kind::Unauthenticated => (
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "Not authenticated",
                "There is no bearer token, or it is wrong, expired, revoked, of another workspace or of another protocol.",
            ),
            Kind::Forbidden => (
                StatusCode::FORBIDDEN,
                "forbidden",
                "Not allowed",
                "The token lacks a scope, the structure is not in its portfolio, the account may not do this, or the structure is \
                 kept at the console (`console_controlled`).",
            ),
            Kind::NotFound => (
                StatusCode::NOT_FOUND,
                "not_found",
                "Not found",
                "There is no such thing in the token's workspace, or no such path.",
            ),
            Kind::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Method not allowed",
                "The path exists; the Allow header lists its methods.",
            ),
            Kind::AlreadyExists => (
                StatusCode::CONFLICT,
                "already_exists",
                "Already exists",
                "Another one has this name, reference or slug; `field` tells which.",
            ),
            Kind::Conflict => (
                StatusCode::CONFLICT,
                "conflict",
                "Conflict with the present state",
                "The request does not fit what is stored now; the detail says what to do first.",
            ),
            Kind::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "Body too large",
                "The body has more bytes than the limit; send it in parts.",
            ),
            Kind::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "Unsupported media type",
                "A body must come with Content-Type: application/json and without Content-Encoding.",
            ),
            Kind::Invalid => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid",
                "Invalid value",
                "A value is missing, unknown or not as it must be; `field` names it and `code` says what is wrong.",
            ),
            Kind::TooMany => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "too_many",
                "Too many",
                "More than a limit allows; the detail says the limit.",
            ),
            Kind::KeyReused => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "key_reused",
                "Idempotency key reused",
                "The Idempotency-Key came with another request within the last 24 hours; use a new key.",
            ),
            Kind::RateLimited => (
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "Too many requests",
                "The token's quota is used up; the Retry-After header says in how many seconds to try again.",
            ),
            Kind::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Server failure",
                "A defect of the server. Its log has the reason under the request's id.",
            ),
            Kind::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "Not available now",
                "The database does not answer. Try again after Retry-After seconds, with the same Idempotency-Key.",
            ),
            Kind::Upstream => (
                StatusCode::BAD_GATEWAY,
                "upstream",
                "Another server failed",
                "Another server that is needed for this, such as an identity provider, does not answer as it should.",
            ),
        };
        KindText {
            name,
            status,
            title,
            meaning,
        }
    }
}

/// Why a request failed. Turned into a response it is only a note; `envelope` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub kind: Kind,
    detail: String,
    pub code: &'static str,
    pub field: Option<String>,
    /// Members who cannot join a structure: the inactive, and those past their end date.
    cannot_join: Option<Box<(u64, u64)>>,
    retry_after_s: Option<u64>,
    /// For the log.
    pub context: Option<String>,
    /// No route matched.
    pub unmatched: bool,
}

/// Problem details (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// What kind of problem it is: a reference to its description.
    #[serde(rename = "type")]
    #[schema(example = "/docs#problem-invalid")]
    kind: String,
    /// The same for every problem of this type.
    #[schema(example = "Invalid value")]
    title: &'static str,
    /// The HTTP status.
    #[schema(example = 422)]
    status: u16,
    /// What is wrong with this request, and what would be right. For people; may change.
    #[schema(example = "The name must not be empty.")]
    detail: String,
    /// The request: `urn:throng:request:` and the request's id (as in `x-request-id`), or its path.
    instance: String,
    /// A stable word for programs.
    #[schema(example = "required")]
    code: &'static str,
    /// The field of the body, the query parameter or the header that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "name")]
    field: Option<String>,
    /// With the code `members_cannot_join`: how many members are inactive.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 2)]
    inactive: Option<u64>,
    /// With the code `members_cannot_join`: how many members are past their end date.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    ended: Option<u64>,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        let (code, detail) = (kind.text().name, detail.into());
        Problem {
            kind,
            detail,
            code,
            field: None,
            cannot_join: None,
            retry_after_s: None,
            context: None,
            unmatched: false,
        }
    }

    /// A value of the request that the wire format refuses.
    pub(crate) fn invalid(
        field: impl Into<String>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Problem {
        Problem {
            code,
            field: Some(field.into()),
            ..Problem::new(Kind::Invalid, detail)
        }
    }

    pub(crate) fn malformed(code: &'static str, detail: impl Into<String>) -> Problem {
        Problem {
            code,
            ..Problem::new(Kind::Malformed, detail)
        }
    }

    pub(crate) fn with_field(self, field: Option<String>) -> Problem {
        Problem { field, ..self }
    }

    /// With the numbers of the members who cannot join a structure.
    pub(crate) fn cannot_join(self, inactive: u64, ended: u64) -> Problem {
        Problem {
            cannot_join: Some(Box::new((inactive, ended))),
            ..self
        }
    }

    pub(crate) fn no_route() -> Problem {
        Problem {
            unmatched: true,
            ..Problem::new(Kind::NotFound, "There is no such path. See /docs.")
        }
    }

    pub(crate) fn panicked(message: &str) -> Problem {
        Problem {
            context: Some(format!("panicked: {message}")),
            ..Problem::from(Error::Internal {
                context: String::new(),
            })
        }
    }

    fn of_field(kind: Kind, field: Field) -> Problem {
        Problem {
            code: field.code,
            field: Some(field.name.to_owned()),
            ..Problem::new(kind, field.text)
        }
    }

    /// The response as it goes out.
    pub(crate) fn render(&self, instance: String) -> Response {
        let text = self.kind.text();
        let body = ProblemBody {
            kind: format!("/docs#problem-{}", text.name),
            title: text.title,
            status: text.status.as_u16(),
            detail: self.detail.clone(),
            instance,
            code: self.code,
            field: self.field.clone(),
            inactive: self.cannot_join.as_ref().map(|counts| counts.0),
            ended: self.cannot_join.as_ref().map(|counts| counts.1),
        };
        let mut response = Response::new(Body::from(serde_json::to_vec(&body).unwrap_or_default()));
        *response.status_mut() = text.status;
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if self.kind == Kind::Unauthenticated {
            let challenge = HeaderValue::from_static("Bearer realm=\"throng\"");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after_s {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let detail = error.to_string();
        let context = error.context().map(str::to_owned);
        let plain = |kind| Problem {
            context: context.clone(),
            ..Problem::new(kind, detail.clone())
        };
        match error {
            Error::NotFound(_) => plain(Kind::NotFound),
            Error::AlreadyExists(field) => Problem::of_field(Kind::AlreadyExists, field),
            Error::Invalid(field) => Problem::of_field(Kind::Invalid, field),
            Error::Unauthenticated(_) => plain(Kind::Unauthenticated),
            Error::Forbidden(Denied::LastAdministrator) => Problem {
                code: "last_administrator",
                ..plain(Kind::Conflict)
            },
            Error::Forbidden(Denied::Control) => Problem {
                code: "console_controlled",
                ..plain(Kind::Forbidden)
            },
            Error::Forbidden(_) => plain(Kind::Forbidden),
            Error::Conflict(_) => plain(Kind::Conflict),
            // The domain counts things; bytes are counted where the body is read.
            Error::TooLarge(field) => Problem::of_field(Kind::TooMany, field),
            Error::RateLimited { retry_after_ms } => Problem {
                retry_after_s: Some(retry_after_ms.div_ceil(1_000)),
                ..plain(Kind::RateLimited)
            },
            Error::KeyReused => {
                plain(Kind::KeyReused).with_field(Some("Idempotency-Key".to_owned()))
            }
            Error::Unavailable { .. } => Problem {
                retry_after_s: Some(UNAVAILABLE_RETRY_S),
                ..plain(Kind::Unavailable)
            },
            Error::Upstream { .. } => plain(Kind::Upstream),
            Error::Internal { .. } => plain(Kind::Internal),
        }
    }
}

/// Of one of many things that a verb was asked to do.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        let kind = match refusal.kind {
            RefusalKind::NotFound => return Problem::new(Kind::NotFound, refusal.text),
            RefusalKind::AlreadyExists => Kind::AlreadyExists,
            RefusalKind::Invalid => Kind::Invalid,
        };
        Problem::new(kind, refusal.text).with_field(Some(refusal.field))
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Problem {
        match error {
            BodyError::TooLarge { bytes_max } => Problem::new(
                Kind::TooLarge,
                format!("The body must not be longer than {bytes_max} bytes."),
            ),
            BodyError::Incomplete => Problem::malformed(
                "incomplete",
                "The body stopped before its end or came too slowly.",
            ),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.text().status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_the_domain_has_its_status_and_keeps_its_context_back() {
        let field = || Field {
            name: "name",
            code: "too_long",
            text: "It is too long.".into(),
        };
        let secret = || "password=hunter2".to_owned();
        for (error, status, code) in [
            (Error::NotFound("audience"), 404, "not_found"),
            (Error::AlreadyExists(field()), 409, "too_long"),
            (Error::Invalid(field()), 422, "too_long"),
            (Error::Unauthenticated("Who?"), 401, "unauthenticated"),
            (
                Error::Forbidden(domain::Denied::Structure),
                403,
                "forbidden",
            ),
            (Error::Forbidden(Denied::Control), 403, "console_controlled"),
            (Error::Conflict("Not now."), 409, "conflict"),
            (Error::TooLarge(field()), 422, "too_long"),
            (
                Error::RateLimited {
                    retry_after_ms: 1_001,
                },
                429,
                "rate_limited",
            ),
            (Error::KeyReused, 422, "key_reused"),
            (Error::Unavailable { context: secret() }, 503, "unavailable"),
            (Error::Upstream { context: secret() }, 502, "upstream"),
            (
                Error::Forbidden(Denied::LastAdministrator),
                409,
                "last_administrator",
            ),
            (Error::Internal { context: secret() }, 500, "internal"),
        ] {
            let context = error.context().map(str::to_owned);
            let problem = Problem::from(error);
            assert_eq!(
                (problem.kind.text().status.as_u16(), problem.code),
                (status, code)
            );
            assert_eq!(problem.context, context);
            assert!(!problem.detail.contains("hunter2"));
            let response = problem.render("/x".into());
            let retry = response
                .headers()
                .get(header::RETRY_AFTER)
                .and_then(|value| value.to_str().ok());
            let expected = match status {
                429 => Some("2"),
                503 => Some("2"),
                _ => None,
            };
            assert_eq!(retry, expected);
            assert_eq!(
                response.headers().contains_key(header::WWW_AUTHENTICATE),
                status == 401
            );
        }
    }
}
