//! What is refused, as status, code and detail of the vendor. A [`Problem`] travels to [`finish`], which knows the request's
//! id and writes the body.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{Denied, Error, Field};

use super::wire;
use crate::{
    body::BodyError,
    request::{self, Outcome},
};

/// The name in `detail` of what concerns no field.
pub const NO_FIELD: &str = "non_field_errors";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    pub code: &'static str,
    /// For the caller.
    message: String,
    /// The field that is wrong, and why: of a `validation_error` only.
    detail: Option<(&'static str, String)>,
    /// For the log.
    pub context: Option<String>,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Problem {
        Problem {
            status,
            code,
            message: message.into(),
            detail: None,
            context: None,
        }
    }

    /// A field is wrong: 400.
    pub fn validation(field: &'static str, text: impl Into<String>) -> Problem {
        Problem {
            detail: Some((field, text.into())),
            context: Some(format!("{field} is not valid")),
            ..Problem::new(StatusCode::BAD_REQUEST, "validation_error", "Invalid input")
        }
    }

    /// The request cannot be read: 400.
    pub fn bad_request(text: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "bad_request", text)
    }

    pub fn not_found() -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "Not found.")
    }

    pub fn no_route() -> Problem {
        Problem {
            context: Some(NO_ROUTE.into()),
            ..Problem::not_found()
        }
    }

    pub fn wrong_method() -> Problem {
        let text = "The path does not take this method. The Allow header lists those it takes.";
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", text)
    }
}

const NO_ROUTE: &str = "no route";

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let (text, context) = (error.to_string(), error.context().map(str::to_owned));
        let problem = match error {
            Error::NotFound(_) => Problem::not_found(),
            Error::AlreadyExists(field) | Error::Invalid(field) | Error::TooLarge(field) => {
                return invalid(field);
            }
            Error::Unauthenticated(_) => {
                Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", text)
            }
            Error::Forbidden(Denied::LastAdministrator) => {
                Problem::new(StatusCode::BAD_REQUEST, "last_administrator", text)
            }
            Error::Forbidden(
                Denied::Structure
                | Denied::EveryStructure
                | Denied::Scope(_)
                | Denied::Administrator
                | Denied::Permission
                | Denied::Control,
            ) => Problem::new(StatusCode::FORBIDDEN, "forbidden", text),
            Error::Conflict(_) | Error::KeyReused => Problem::bad_request(text),
            Error::RateLimited { .. } => {
                Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", text)
            }
            // The vendor documents no 503, and its client's urllib3 would repeat one.
            Error::Unavailable { .. } | Error::Upstream { .. } | Error::Internal { .. } => {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", text)
            }
        };
        Problem { context, ..problem }
    }
}

fn invalid(field: Field) -> Problem {
    Problem {
        context: Some(format!("{} {}", field.name, field.code)),
        ..Problem::validation(field_name(field.name), field.text)
    }
}

/// The vendor's name of a field of the domain.
pub fn field_name(name: &'static str) -> &'static str {
    match name {
        "call_limit" => "explore_limits",
        "subject" => "identity_provider_attributes",
        "account" | "accounts" | "group" | "key" | "body" => NO_FIELD,
        name => name,
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Problem {
        match error {
            BodyError::TooLarge { bytes_max } => Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "request_too_large",
                format!("The body must not be longer than {bytes_max} bytes."),
            ),
            BodyError::Incomplete => {
                Problem::bad_request("The body stopped before its end or came too slowly.")
            }
        }
    }
}

impl IntoResponse for Problem {
    /// Status and headers; [`finish`] writes the body.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Apikey");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes the body of a refusal and tells the log why: the outermost layer, so that a panic's answer has the vendor's shape
/// too.
pub async fn finish(request: Request, next: Next) -> Response {
    let id = request::request_id(request.extensions());
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    let trace_id = (problem.status == StatusCode::INTERNAL_SERVER_ERROR).then(|| trace_id(&id));
    let outcome = response.extensions_mut().get_or_insert_default::<Outcome>();
    outcome.unmatched = problem.context.as_deref() == Some(NO_ROUTE);
    outcome.context = match (&trace_id, &problem.context) {
        (Some(trace_id), context) => {
            let context = context.as_deref().unwrap_or_default();
            Some(format!("{context} (trace_id {trace_id})"))
        }
        (None, context) => context.clone(),
    };
    let body = wire::Refusal {
        error_code: problem.code,
        message: &problem.message,
        trace_id,
        detail: problem.detail.as_ref().map(|(field, text)| wire::Detail {
            field,
            text: text.as_str(),
        }),
    };
    wire::write(&mut response, &body);
    response
}

/// The request's id as the UUID that the vendor has there: the id itself where it is one, else a digest of it (version 8,
/// RFC 9562 section 5.8), which the log repeats.
fn trace_id(request_id: &str) -> String {
    let digits: String = request_id.chars().filter(|c| *c != '-').collect();
    let is_uuid = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = if is_uuid {
        u128::from_str_radix(&digits, 16).unwrap_or_default()
    } else {
        let version = fnv_1a(request_id) & !(0xf << 76) | 0x8 << 76;
        version & !(0b11 << 62) | 0b10 << 62
    };
    let hex = format!("{number:032x}");
    let (a, b, c, d, e) = (
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    );
    format!("{a}-{b}-{c}-{d}-{e}")
}

/// FNV-1a with 128 bits (draft-eastlake-fnv).
fn fnv_1a(text: &str) -> u128 {
    const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    text.bytes().fold(OFFSET, |hash, byte| {
        (hash ^ u128::from(byte)).wrapping_mul(PRIME)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_status_and_code() {
        let field = || Field {
            name: "call_limit",
            code: "malformed",
            text: "Text.".into(),
        };
        let told = || String::from("secret");
        let cases = [
            (Error::NotFound("account"), 404, "not_found"),
            (Error::AlreadyExists(field()), 400, "validation_error"),
            (Error::Invalid(field()), 400, "validation_error"),
            (Error::TooLarge(field()), 400, "validation_error"),
            (Error::Unauthenticated("No."), 401, "unauthorized"),
            (
                Error::Forbidden(Denied::LastAdministrator),
                400,
                "last_administrator",
            ),
            (Error::Forbidden(Denied::Administrator), 403, "forbidden"),
            (Error::Forbidden(Denied::Permission), 403, "forbidden"),
            (Error::Conflict("No."), 400, "bad_request"),
            (Error::KeyReused, 400, "bad_request"),
            (
                Error::RateLimited { retry_after_ms: 1 },
                429,
                "too_many_requests",
            ),
            (
                Error::Unavailable { context: told() },
                500,
                "internal_error",
            ),
            (Error::Internal { context: told() }, 500, "internal_error"),
        ];
        for (error, status, code) in cases {
            let problem = Problem::from(error.clone());
            assert_eq!((problem.status.as_u16(), problem.code), (status, code));
            assert_eq!(
                problem.detail.is_some(),
                code == "validation_error",
                "{error:?}"
            );
            assert!(!problem.message.contains("secret") && !problem.message.is_empty());
        }
        let problem = Problem::from(Error::Invalid(field()));
        assert_eq!(problem.detail, Some(("explore_limits", "Text.".to_owned())));
    }

    #[test]
    fn a_trace_id_is_a_uuid() {
        let own = "0f8fad5b-d9cb-469f-a165-70867728950e";
        assert_eq!(trace_id(own), own);
        assert_eq!(trace_id(&own.replace('-', "")), own);
        let made = trace_id("job-17");
        assert_eq!(made, trace_id("job-17"));
        assert_ne!(made, trace_id("job-18"));
        assert_eq!((made.len(), &made[14..15]), (36, "8"));
        assert!("89ab".contains(&made[19..20]), "{made}");
    }
}
