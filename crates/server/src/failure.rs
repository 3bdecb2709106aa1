//! Why the program ends with something other than 0: a sentence for people and an exit status for scripts.

use std::fmt;

/// The exit statuses, as `throng --help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// What was asked for did not succeed.
    Failed = 1,
    /// The command line or the configuration is wrong (clap uses the same number).
    Usage = 2,
    /// The data folder or the database cannot be opened.
    Data = 3,
    /// The address cannot be listened on.
    Listen = 4,
    /// No server answers.
    Unreachable = 5,
    /// Stopped by Ctrl-C before the end.
    Interrupted = 130,
}

/// What `main` reports. The text says what to do and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    pub text: String,
}

pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub fn new(exit: Exit, text: impl Into<String>) -> Failure {
        Failure {
            exit,
            text: text.into(),
        }
    }

    pub fn failed(text: impl Into<String>) -> Failure {
        Failure::new(Exit::Failed, text)
    }

    pub fn usage(text: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, text)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// At start only: the store's own texts say what to do.
impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Failure::new(Exit::Data, error.to_string())
    }
}

/// At start only: what the domain would hide from a caller is what the operator needs.
impl From<domain::Error> for Failure {
    fn from(error: domain::Error) -> Self {
        let exit = match error {
            domain::Error::Unavailable { .. } | domain::Error::Internal { .. } => Exit::Data,
            _ => Exit::Failed,
        };
        Failure::new(
            exit,
            error
                .context()
                .map_or_else(|| error.to_string(), str::to_owned),
        )
    }
}
