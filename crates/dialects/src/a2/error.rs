//! What is refused, as FastAPI writes it: `{"detail": ...}` with a phrase, a code with its reason, or the list of what is
//! invalid.

use std::borrow::Cow;

use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{ALLOW, RETRY_AFTER},
    },
    response::{IntoResponse, Response},
};
use domain::{Denied, Error, Field};
use serde::Serialize;
use serde_json::Value;

use super::invalid::Invalid;
use crate::request::Outcome;

#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    pub status: StatusCode,
    pub detail: Detail,
    /// The methods that the path has.
    allow: Option<&'static str>,
    retry_after_s: Option<u64>,
    /// For the log.
    context: Option<String>,
    unmatched: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Detail {
    Text(Cow<'static, str>),
    Coded { code: &'static str, reason: String },
    Invalid(Vec<Invalid>),
}

#[derive(Serialize)]
struct Body {
    detail: Detail,
}

/// The vendor's words for the two refusals that each operation on an account has its own for.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// Another account has the address.
    pub exists: &'static str,
    /// The password is none.
    pub password: &'static str,
}

impl Problem {
    pub fn new(status: StatusCode, detail: Detail) -> Problem {
        Problem {
            status,
            detail,
            allow: None,
            retry_after_s: None,
            context: None,
            unmatched: false,
        }
    }

    fn text(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Problem {
        Problem::new(status, Detail::Text(text.into()))
    }

    /// 400 with a word or a sentence.
    pub fn bad(text: impl Into<Cow<'static, str>>) -> Problem {
        Problem::text(StatusCode::BAD_REQUEST, text)
    }

    /// 422 with what is wrong.
    pub fn invalid(errors: Vec<Invalid>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, Detail::Invalid(errors))
    }

    pub fn unauthenticated() -> Problem {
        Problem::text(StatusCode::UNAUTHORIZED, "Unauthorized")
    }

    pub fn not_found() -> Problem {
        Problem::text(StatusCode::NOT_FOUND, "Not Found")
    }

    pub fn no_route() -> Problem {
        Problem {
            unmatched: true,
            ..Problem::not_found()
        }
    }

    pub fn wrong_method(allow: &'static str) -> Problem {
        Problem {
            allow: Some(allow),
            ..Problem::text(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed")
        }
    }

    pub fn too_large() -> Problem {
        Problem::text(StatusCode::PAYLOAD_TOO_LARGE, "Content Too Large")
    }

    pub fn unreadable() -> Problem {
        Problem::bad("There was an error parsing the body")
    }

    /// A refusal of an operation on an account whose command was `sent`.
    pub fn of_account(error: Error, words: Words, sent: &Value) -> Problem {
        match error {
            Error::AlreadyExists(Field { name: "email", .. }) => Problem::bad(words.exists),
            Error::Invalid(Field {
                name: "password",
                text,
                ..
            }) => Problem::new(
                StatusCode::BAD_REQUEST,
                Detail::Coded {
                    code: words.password,
                    reason: text,
                },
            ),
            error => Problem::of_command(error, sent),
        }
    }

    /// A refusal of a command that was `sent`: a field that the domain refuses is answered with its value.
    pub fn of_command(error: Error, sent: &Value) -> Problem {
        match error {
            Error::Invalid(field) | Error::TooLarge(field) => {
                let input = sent.get(field.name).cloned().unwrap_or_default();
                Problem::invalid(vec![Invalid::refused(&field, input)])
            }
            error => error.into(),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let context = error.context().map(str::to_owned);
        let problem = match error {
            Error::NotFound(_) => Problem::not_found(),
            Error::AlreadyExists(field) => Problem::bad(field.text),
            Error::Invalid(field) | Error::TooLarge(field) => {
                Problem::invalid(vec![Invalid::refused(&field, Value::Null)])
            }
            Error::Unauthenticated(_) => Problem::unauthenticated(),
            Error::Forbidden(Denied::LastAdministrator) => Problem::bad("LAST_ADMINISTRATOR"),
            Error::Forbidden(
                Denied::Structure
                | Denied::EveryStructure
                | Denied::Scope(_)
                | Denied::Administrator
                | Denied::Permission
                | Denied::Control,
            ) => Problem::text(StatusCode::FORBIDDEN, "Forbidden"),
            Error::Conflict(text) => Problem::text(StatusCode::CONFLICT, text),
            Error::KeyReused => Problem::text(StatusCode::CONFLICT, "Conflict"),
            Error::RateLimited { retry_after_ms } => Problem {
                retry_after_s: Some(retry_after_ms.div_ceil(1_000).max(1)),
                ..Problem::text(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests")
            },
            Error::Upstream { .. } => {
                Problem::text(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
            }
            // FastAPI answers whatever goes wrong inside like this.
            Error::Unavailable { .. } | Error::Internal { .. } => {
                Problem::text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
            }
        };
        Problem { context, ..problem }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = Body {
            detail: self.detail,
        };
        let mut response = (self.status, Json(body)).into_response();
        if let Some(allow) = self.allow {
            let allow = HeaderValue::from_static(allow);
            response.headers_mut().insert(ALLOW, allow);
        }
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(Outcome {
            context: self.context,
            unmatched: self.unmatched,
            ..Outcome::default()
        });
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_status_and_nothing_of_the_log() {
        let field = || Field {
            name: "name",
            code: "too_long",
            text: "Text.".into(),
        };
        let told = || String::from("secret");
        for (error, status) in [
            (Error::NotFound("account"), 404),
            (Error::AlreadyExists(field()), 400),
            (Error::Invalid(field()), 422),
            (Error::TooLarge(field()), 422),
            (Error::Unauthenticated("No."), 401),
            (Error::Forbidden(Denied::Administrator), 403),
            (Error::Forbidden(Denied::LastAdministrator), 400),
            (Error::Conflict("No."), 409),
            (Error::KeyReused, 409),
            (Error::RateLimited { retry_after_ms: 1 }, 429),
            (Error::Unavailable { context: told() }, 500),
            (Error::Internal { context: told() }, 500),
            (Error::Upstream { context: told() }, 503),
        ] {
            let problem = Problem::from(error.clone());
            assert_eq!(problem.status.as_u16(), status, "{error:?}");
            assert_eq!(problem.context.as_deref(), error.context());
            let shown = serde_json::to_string(&problem.detail).expect("is JSON");
            assert!(!shown.contains("secret"), "{shown}");
        }
    }
}
