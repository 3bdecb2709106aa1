//! What can go wrong below the domain. Texts here are for logs and operators, never for a caller of an API.

use thiserror::Error;

/// An error of the store. The domain maps every kind to *unavailable* or *internal*.
#[derive(Debug, Error, Clone)]
pub enum Error {
    /// Serialisation failure or deadlock: the group runs again.
    #[error("the database asked for a retry: {0}")]
    Retry(String),
    /// The connection broke; whether a commit in flight happened is not known until the head is read again.
    #[error("the database connection was lost: {0}")]
    Lost(String),
    /// No room on the disk, or the configured size limit of the database is reached.
    #[error("the database is full: {0}")]
    Full(String),
    /// The database cannot answer now: down, locked by another program, starting, queue full.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A unique or check constraint refused a row; the domain checks before, so this is a defect.
    #[error("a constraint refused the row: {0}")]
    Constraint(String),
    /// The database holds something that this program did not write, or a page of it is damaged.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// A set is not in memory and could not be brought there: an error of whoever asked for it, and of nobody else.
    #[error(transparent)]
    Unreadable(sets::Unreadable),
    /// The folder or database cannot be opened: says what to do.
    #[error("{0}")]
    Open(String),
    /// Anything else: a defect of this program.
    #[error("internal: {0}")]
    Internal(String),
}

impl Error {
    /// True where the whole group of commands has to stop, not only the command that saw the error.
    pub(crate) fn stops_group(&self) -> bool {
        !matches!(self, Error::Constraint(_) | Error::Unreadable(_))
    }
}

impl From<sets::CodecError> for Error {
    fn from(error: sets::CodecError) -> Self {
        Error::Corrupt(error.to_string())
    }
}

impl From<sets::ReplayError> for Error {
    fn from(error: sets::ReplayError) -> Self {
        match error {
            sets::ReplayError::Unreadable(error) => Error::Unreadable(error),
            error => Error::Corrupt(error.to_string()),
        }
    }
}

impl From<sets::Unreadable> for Error {
    fn from(error: sets::Unreadable) -> Self {
        Error::Unreadable(error)
    }
}
