//! What is refused, as status, phrase and message: the vendor's one shape for all of it.

use axum::{
    http::{HeaderValue, StatusCode, header::WWW_AUTHENTICATE},
    response::{IntoResponse, Response},
};
use domain::{Denied, Error};

use super::wire;
use crate::{body::BodyError, request::Outcome};

/// What a caller who is not known may come with.
const CHALLENGES: [&str; 2] = ["Basic realm=\"thrive\", charset=\"UTF-8\"", "Bearer"];
const NO_ROUTE: &str = "no route";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    /// For the caller.
    pub message: String,
    /// For the log.
    pub context: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, message: impl Into<String>) -> Problem {
        Problem {
            status,
            message: message.into(),
            context: None,
        }
    }

    pub fn bad_request(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, message)
    }

    /// A field of the body or a parameter of the query is wrong: 400.
    pub fn invalid(name: &str, why: &str) -> Problem {
        Problem {
            context: Some(format!("{name} is not valid")),
            ..Problem::bad_request(format!("{name} {why}"))
        }
    }

    pub fn not_found(what: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, format!("There is no such {what}."))
    }

    pub fn no_route() -> Problem {
        Problem {
            context: Some(NO_ROUTE.into()),
            ..Problem::new(StatusCode::NOT_FOUND, "There is nothing at this path.")
        }
    }

    pub fn wrong_method() -> Problem {
        let text = "The path does not take this method. The Allow header lists those it takes.";
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, text)
    }

    /// The token lacks the scope for this.
    pub fn scope(needed: &str) -> Problem {
        let text = format!("This token lacks the scope {needed} or api/all.");
        Problem::new(StatusCode::FORBIDDEN, text)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let (text, context) = (error.to_string(), error.context().map(str::to_owned));
        let status = match error {
            Error::NotFound(noun) => return Problem::not_found(noun_of(noun)),
            Error::AlreadyExists(_) | Error::Conflict(_) | Error::KeyReused => StatusCode::CONFLICT,
            Error::Invalid(field) | Error::TooLarge(field) => {
                return Problem {
                    context: Some(format!("{} {}", field.name, field.code)),
                    ..Problem::bad_request(text)
                };
            }
            Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Error::Forbidden(
                Denied::Structure
                | Denied::EveryStructure
                | Denied::Scope(_)
                | Denied::Control
                | Denied::Administrator
                | Denied::Permission
                | Denied::LastAdministrator,
            ) => StatusCode::FORBIDDEN,
            Error::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            // The vendor documents no 503.
            Error::Unavailable { .. } | Error::Upstream { .. } | Error::Internal { .. } => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Problem {
            context,
            ..Problem::new(status, text)
        }
    }
}

/// The vendor's word for a noun of the domain.
fn noun_of(noun: &'static str) -> &'static str {
    match noun {
        "record" | "person" => "user",
        noun => noun,
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Problem {
        match error {
            BodyError::TooLarge { bytes_max } => Problem::bad_request(format!(
                "The body must not be longer than {bytes_max} bytes."
            )),
            BodyError::Incomplete => {
                Problem::bad_request("The body stopped before its end or came too slowly.")
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = wire::Refusal {
            status: self.status.as_u16(),
            error: self.status.canonical_reason().unwrap_or("Error"),
            message: &self.message,
        };
        let mut response = wire::answer(self.status, &body);
        if self.status == StatusCode::UNAUTHORIZED {
            for challenge in CHALLENGES {
                let challenge = HeaderValue::from_static(challenge);
                response.headers_mut().append(WWW_AUTHENTICATE, challenge);
            }
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
    use domain::Field;

    use super::*;

    #[test]
    fn every_error_has_its_status() {
        let field = || Field {
            name: "name",
            code: "too_long",
            text: "Text.".into(),
        };
        let told = || String::from("secret");
        let cases = [
            (Error::NotFound("audience"), 404),
            (Error::AlreadyExists(field()), 409),
            (Error::Conflict("No."), 409),
            (Error::KeyReused, 409),
            (Error::Invalid(field()), 400),
            (Error::TooLarge(field()), 400),
            (Error::Unauthenticated("No."), 401),
            (Error::Forbidden(Denied::Control), 403),
            (Error::Forbidden(Denied::Structure), 403),
            (Error::RateLimited { retry_after_ms: 1 }, 429),
            (Error::Unavailable { context: told() }, 500),
            (Error::Upstream { context: told() }, 500),
            (Error::Internal { context: told() }, 500),
        ];
        for (error, status) in cases {
            let problem = Problem::from(error.clone());
            assert_eq!(problem.status.as_u16(), status, "{error:?}");
            assert!(!problem.message.contains("secret") && !problem.message.is_empty());
        }
        let problem = Problem::from(Error::NotFound("record"));
        assert_eq!(problem.message, "There is no such user.");
    }
}
