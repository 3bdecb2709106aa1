//! One closed error for every verb. The text is for the caller; the context is for the log and never leaves the server.

use std::fmt;

use crate::caller::Scope;

/// A field of a request that was refused: its name in the domain and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    /// A stable word for programs, as in `too_long`.
    pub code: &'static str,
    /// A sentence for people: what is wrong and what would be right.
    pub text: String,
}

/// What a verb refuses with. Each dialect maps every kind to its vendor's status and body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// There is no such noun in the caller's workspace; names the noun.
    NotFound(&'static str),
    /// Another noun has this name or reference already.
    AlreadyExists(Field),
    /// A value is missing, malformed or over a limit.
    Invalid(Field),
    /// Who calls is not known: no credential, or one that is wrong, expired or revoked.
    Unauthenticated(&'static str),
    /// The caller is known and may not do this.
    Forbidden(Denied),
    /// The request does not fit the present state.
    Conflict(&'static str),
    /// More than a limit allows; says the limit.
    TooLarge(Field),
    /// Too many requests; may be tried again after so many milliseconds.
    RateLimited { retry_after_ms: u64 },
    /// The same idempotency key came with another request before.
    KeyReused,
    /// The database does not answer now; nothing was stored unless the context says otherwise.
    Unavailable { context: String },
    /// Another server that is needed for this does not answer as it should; nothing was stored.
    Upstream { context: String },
    /// A defect of the server.
    Internal { context: String },
}

/// Why a known caller may not do something. Dialects say it in their vendor's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The structure is outside the caller's portfolio, or there is none of this id.
    Structure,
    /// Only a caller whose portfolio is every structure may do this.
    EveryStructure,
    /// The caller's credential lacks this scope.
    Scope(Scope),
    /// Only an administrator may do this.
    Administrator,
    /// The account lacks the permission for this.
    Permission,
    /// Nobody would be left who administers the workspace.
    LastAdministrator,
    /// The structure is controlled from the other side: by people in a console, or by the API.
    Control,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denied::Structure => {
                f.write_str("The structure is not in this credential's portfolio.")
            }
            Denied::EveryStructure => {
                f.write_str("Only a credential for every structure may do this.")
            }
            Denied::Administrator => f.write_str("Only an administrator may do this."),
            Denied::Permission => f.write_str("This account lacks the permission for this."),
            Denied::Control => f.write_str(
                "The structure is not controlled from here: change its control first.",
            ),
            Denied::LastAdministrator => f.write_str(
                "Nobody would be left who administers this workspace: make somebody else an administrator first.",
            ),
            Denied::Scope(scope) => {
                write!(f, "This credential lacks the scope {}.", scope.as_str())
            }
        }
    }
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn invalid(
        name: &'static str,
        code: &'static str,
        text: impl Into<String>,
    ) -> Error {
        Error::Invalid(Field {
            name,
            code,
            text: text.into(),
        })
    }

    pub(crate) fn internal(context: impl fmt::Display) -> Error {
        Error::Internal {
            context: context.to_string(),
        }
    }

    /// What the log says beyond the public text.
    pub fn context(&self) -> Option<&str> {
        match self {
            Error::Unavailable { context }
            | Error::Upstream { context }
            | Error::Internal { context } => Some(context),
            _ => None,
        }
    }
}

/// The public text.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotFound(noun) => write!(f, "There is no such {noun}."),
            Error::AlreadyExists(field) | Error::Invalid(field) | Error::TooLarge(field) => {
                f.write_str(&field.text)
            }
            Error::Unauthenticated(text) | Error::Conflict(text) => f.write_str(text),
            Error::Forbidden(denied) => denied.fmt(f),
            Error::RateLimited { .. } => f.write_str("Too many requests: wait and try again."),
            Error::KeyReused => {
                f.write_str("This Idempotency-Key came with another request before: use a new key.")
            }
            Error::Unavailable { .. } => {
                f.write_str("The server cannot reach its database now. Try again later.")
            }
            Error::Upstream { .. } => f.write_str(
                "Another server that is needed for this does not answer as it should. Try again later.",
            ),
            Error::Internal { .. } => {
                f.write_str("The server failed. The request's id finds the reason in its log.")
            }
        }
    }
}

impl std::error::Error for Error {}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        let context = error.to_string();
        match error {
            store::Error::Retry(_)
            | store::Error::Lost(_)
            | store::Error::Full(_)
            | store::Error::Unavailable(_)
            | store::Error::Open(_)
            | store::Error::Corrupt(_)
            | store::Error::Unreadable(_) => Error::Unavailable { context },
            store::Error::Constraint(_) | store::Error::Internal(_) => Error::Internal { context },
        }
    }
}
