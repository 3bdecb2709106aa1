//! What is refused, as status, code and title: the vendor's one shape for all of it.

use axum::{
    http::{
        HeaderValue, StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use domain::{Denied, Error};

use super::wire;
use crate::{body::BodyError, request::Outcome};

/// What a caller who is not known may come with.
const CHALLENGES: [&str; 2] = ["Basic realm=\"sunshine\", charset=\"UTF-8\"", "Bearer"];
const NO_ROUTE: &str = "no route";
const BAD_REQUEST: &str = "bad_request";

/// A refusal. More than one title comes with 400 only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    pub code: &'static str,
    /// For the caller.
    pub titles: Vec<String>,
    /// For the log.
    pub context: Option<String>,
    /// After so long it may be tried again.
    pub retry_after_ms: Option<u64>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: impl Into<String>) -> Problem {
        Problem {
            status,
            code,
            titles: vec![title.into()],
            context: None,
            retry_after_ms: None,
        }
    }

    pub fn bad_request(title: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, BAD_REQUEST, title)
    }

    /// Everything that is wrong with a request: 400.
    pub fn several(titles: Vec<String>) -> Problem {
        Problem {
            titles,
            ..Problem::bad_request("")
        }
    }

    /// There is none of these: 404, in the vendor's words for it.
    pub fn not_found(noun: &str) -> Problem {
        let (code, title) = missing(noun);
        Problem::new(StatusCode::NOT_FOUND, code, title)
    }

    pub fn no_route() -> Problem {
        let title = "There is nothing at this path.";
        Problem {
            context: Some(NO_ROUTE.into()),
            ..Problem::new(StatusCode::NOT_FOUND, "not_found", title)
        }
    }

    pub fn wrong_method() -> Problem {
        let title =
            "The path does not take this method. The Allow header lists those that it takes.";
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", title)
    }

    pub fn forbidden(title: impl Into<String>) -> Problem {
        Problem::new(StatusCode::FORBIDDEN, "forbidden", title)
    }

    /// Every refusal of who calls is the same, so that nobody learns which keys there are; `why` is for the log.
    pub fn unauthorized(why: &str) -> Problem {
        Problem {
            context: Some(why.to_owned()),
            ..Problem::new(
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "Authorization is required",
            )
        }
    }
}

/// The vendor's code and title for a noun of the domain that is not there.
fn missing(noun: &str) -> (&'static str, &'static str) {
    match noun {
        "record" | "person" => ("user_not_found", "User not found"),
        "client" => ("client_not_found", "Client not found"),
        "conversation" => ("conversation_not_found", "Conversation not found"),
        "integration" => ("integration_not_found", "Integration not found"),
        "message" => ("not_found", "Message not found"),
        "participant" => ("not_found", "Participant not found"),
        "webhook" => ("not_found", "Webhook not found"),
        "credential" => ("not_found", "Key not found"),
        _ => ("not_found", "Not found"),
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let (text, context) = (error.to_string(), error.context().map(str::to_owned));
        let (status, code) = match error {
            Error::NotFound(noun) => return Problem::not_found(noun),
            Error::AlreadyExists(field) => {
                return Problem {
                    context: Some(format!("{} {}", field.name, field.code)),
                    ..Problem::new(StatusCode::CONFLICT, "conflict", taken(field.name, text))
                };
            }
            Error::Conflict(_) | Error::KeyReused => (StatusCode::CONFLICT, "conflict"),
            Error::Invalid(field) | Error::TooLarge(field) => {
                return Problem {
                    context: Some(format!("{} {}", field.name, field.code)),
                    ..Problem::bad_request(about(field.name, &text))
                };
            }
            Error::Unauthenticated(why) => return Problem::unauthorized(why),
            Error::Forbidden(
                Denied::Structure
                | Denied::EveryStructure
                | Denied::Scope(_)
                | Denied::Control
                | Denied::Administrator
                | Denied::Permission
                | Denied::LastAdministrator,
            ) => (StatusCode::FORBIDDEN, "forbidden"),
            Error::RateLimited { retry_after_ms } => {
                return Problem {
                    retry_after_ms: Some(retry_after_ms),
                    ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", text)
                };
            }
            Error::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "service_unavailable"),
            Error::Upstream { .. } => (StatusCode::BAD_GATEWAY, "bad_gateway"),
            Error::Internal { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "internal_server_error"),
        };
        Problem {
            context,
            ..Problem::new(status, code, text)
        }
    }
}

/// The domain's sentence with the vendor's name for what it is about, where it only says *it*.
fn about(field: &str, text: &str) -> String {
    let field = match field {
        "reference" => "externalId",
        "first_name" => "profile.givenName",
        "last_name" => "profile.surname",
        "url" => "target",
        "name" | "display_name" => "displayName",
        "subject" => "matchCriteria.subject",
        field => field,
    };
    match text.strip_prefix("It ") {
        Some(rest) => format!("{field} {rest}"),
        None => text.to_owned(),
    }
}

/// The vendor's title where the name of a user is another's.
fn taken(field: &str, text: String) -> String {
    match field {
        "reference" => "User already exists".to_owned(),
        _ => text,
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Problem {
        match error {
            BodyError::TooLarge { bytes_max } => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "payload_too_large",
                format!("The body must not be longer than {bytes_max} bytes."),
            ),
            BodyError::Incomplete => {
                Problem::bad_request("The body stopped before its end or came too slowly.")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let errors = self.titles.iter().map(|title| wire::Fault {
            code: self.code,
            title,
        });
        let body = wire::Refusal {
            errors: errors.collect(),
        };
        let mut response = wire::answer(self.status, &body);
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            for challenge in CHALLENGES {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
        }
        if let Some(wait_ms) = self.retry_after_ms {
            headers.insert(RETRY_AFTER, wait_ms.div_ceil(1_000).max(1).into());
        }
        response.extensions_mut().insert(Outcome {
            unmatched: self.context.as_deref() == Some(NO_ROUTE),
            context: self.context,
            ..Outcome::default()
        });
        response
    }
}

#[cfg(test)]
mod tests {
    use domain::{Field, Scope};

    use super::*;

    #[test]
    fn every_error_has_its_status_and_code() {
        let field = || Field {
            name: "name",
            code: "too_long",
            text: "Text.".into(),
        };
        let told = || String::from("secret");
        let cases = [
            (Error::NotFound("record"), 404, "user_not_found"),
            (Error::NotFound("client"), 404, "client_not_found"),
            (
                Error::NotFound("conversation"),
                404,
                "conversation_not_found",
            ),
            (Error::NotFound("integration"), 404, "integration_not_found"),
            (Error::NotFound("webhook"), 404, "not_found"),
            (Error::AlreadyExists(field()), 409, "conflict"),
            (Error::Conflict("No."), 409, "conflict"),
            (Error::KeyReused, 409, "conflict"),
            (Error::Invalid(field()), 400, "bad_request"),
            (Error::TooLarge(field()), 400, "bad_request"),
            (Error::Unauthenticated("No."), 401, "unauthorized"),
            (
                Error::Forbidden(Denied::Scope(Scope::Admin)),
                403,
                "forbidden",
            ),
            (
                Error::RateLimited { retry_after_ms: 1 },
                429,
                "too_many_requests",
            ),
            (
                Error::Unavailable { context: told() },
                503,
                "service_unavailable",
            ),
            (Error::Upstream { context: told() }, 502, "bad_gateway"),
            (
                Error::Internal { context: told() },
                500,
                "internal_server_error",
            ),
        ];
        for (error, status, code) in cases {
            let problem = Problem::from(error.clone());
            assert_eq!(
                (problem.status.as_u16(), problem.code),
                (status, code),
                "{error:?}"
            );
            let [title] = &problem.titles[..] else {
                panic!("{error:?}: one title")
            };
            assert!(!title.contains("secret") && !title.is_empty());
        }
    }

    #[test]
    fn waiting_is_told_in_whole_seconds() {
        for (wait_ms, seconds) in [(1, "1"), (1_000, "1"), (1_001, "2"), (0, "1")] {
            let error = Error::RateLimited {
                retry_after_ms: wait_ms,
            };
            let response = Problem::from(error).into_response();
            assert_eq!(response.headers()[RETRY_AFTER], seconds);
        }
    }
}
