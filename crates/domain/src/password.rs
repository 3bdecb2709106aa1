//! Passwords: argon2id (RFC 9106) as PHC strings, worked out on threads of their own.
//!
//! What it is: as many threads as cores at the lowest priority, behind a bounded queue, so that sign-ins exhaust neither
//! memory nor the processor that other requests need. Invariant: checking costs the same whether there is a password to
//! compare with or not.

use std::sync::{LazyLock, OnceLock};

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use crate::{
    error::{Error, Result},
    limits,
};

/// What argon2's defaults write: 19 MiB, two passes, one lane. A hash that begins otherwise is made anew at sign-in.
const PARAMETERS: &str = "$argon2id$v=19$m=19456,t=2,p=1$";
/// Guesses that a password must withstand: beyond the 30,000 most common ones and their nearest variants.
const GUESSES_MIN: u64 = 100_000;

/// A password that was checked to be one.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(***)")
    }
}

impl Password {
    /// 8 to 128 characters, no rule of composition, and none that everybody tries first. `known` is what an attacker knows
    /// of its owner: addresses, names.
    pub fn new(text: String, known: &[&str]) -> Result<Password> {
        let text = Zeroizing::new(text);
        let refuse = |code, text: String| Err(Error::invalid("password", code, text));
        let chars = text.chars().count();
        if chars < limits::PASSWORD_CHARS_MIN {
            let least = limits::PASSWORD_CHARS_MIN;
            return refuse(
                "too_short",
                format!("The password must have at least {least} characters."),
            );
        }
        if chars > limits::PASSWORD_CHARS_MAX {
            let most = limits::PASSWORD_CHARS_MAX;
            return refuse(
                "too_long",
                format!("The password must have at most {most} characters."),
            );
        }
        if zxcvbn::zxcvbn(&text, known).guesses() < GUESSES_MIN {
            return refuse(
                "too_common",
                "The password is among those that everybody tries first: take another.".into(),
            );
        }
        Ok(Password(text))
    }
}

enum Job {
    Hash(Zeroizing<String>, oneshot::Sender<Result<String>>),
    Check {
        attempt: Zeroizing<String>,
        hash: Option<String>,
        reply: oneshot::Sender<Result<Checked>>,
    },
}

/// What checking a password found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checked {
    Wrong,
    Right {
        /// The password's hash with today's parameters, where it was kept with others.
        rehashed: Option<String>,
    },
}

/// The threads that hash, started at the first password.
#[derive(Debug, Default)]
pub(crate) struct Passwords {
    jobs: OnceLock<Sender<Job>>,
}

impl Passwords {
    pub(crate) async fn hash(&self, password: Password) -> Result<String> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Hash(password.0, reply))?;
        answer.await.map_err(Error::internal)?
    }

    /// Compares an attempt with a hash; without one it takes as long and is wrong.
    pub(crate) async fn check(&self, attempt: String, hash: Option<String>) -> Result<Checked> {
        let attempt = Zeroizing::new(attempt);
        let (reply, answer) = oneshot::channel();
        self.send(Job::Check {
            attempt,
            hash,
            reply,
        })?;
        answer.await.map_err(Error::internal)?
    }

    fn send(&self, job: Job) -> Result<()> {
        let jobs = self.jobs.get_or_init(start);
        jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Error::RateLimited {
                retry_after_ms: 5_000,
            },
            TrySendError::Disconnected(_) => Error::internal("the hashing threads have ended"),
        })
    }
}

fn start() -> Sender<Job> {
    let (jobs, queue) = bounded(limits::HASHES_WAITING_MAX);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for _ in 0..threads {
        let queue = queue.clone();
        let started = std::thread::Builder::new()
            .name("throng-password".into())
            .spawn(move || run(&queue));
        if let Err(error) = started {
            tracing::error!(%error, "a thread that hashes passwords did not start");
        }
    }
    jobs
}

fn run(queue: &Receiver<Job>) {
    // On Linux this is the priority of the calling thread. Where it cannot be lowered, sign-ins compete as equals.
    if let Err(error) = rustix::process::setpriority_process(None, 19) {
        tracing::debug!(%error, "the priority of a hashing thread was not lowered");
    }
    while let Ok(job) = queue.recv() {
        // Who no longer waits for an answer gets none.
        match job {
            Job::Hash(password, reply) => drop(reply.send(hashed(&password))),
            Job::Check {
                attempt,
                hash,
                reply,
            } => drop(reply.send(checked(&attempt, hash))),
        }
    }
}

fn hashed(password: &str) -> Result<String> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(Error::internal)
}

/// What an attempt is compared with where there is no password: of a text that no attempt is.
static NOBODYS: LazyLock<Option<String>> =
    LazyLock::new(|| hashed("\0 the password of nobody \0").ok());

fn checked(attempt: &str, hash: Option<String>) -> Result<Checked> {
    if attempt.len() > limits::PASSWORD_CHARS_MAX * 4 {
        return Ok(Checked::Wrong);
    }
    let nobodys = hash.is_none();
    let Some(hash) = hash.or_else(|| NOBODYS.clone()) else {
        return Err(Error::internal("argon2 does not work"));
    };
    let right = Argon2::default()
        .verify_password(attempt.as_bytes(), hash.as_str())
        .is_ok();
    if !right || nobodys {
        return Ok(Checked::Wrong);
    }
    let rehashed = if hash.starts_with(PARAMETERS) {
        None
    } else {
        Some(hashed(attempt)?)
    };
    Ok(Checked::Right { rehashed })
}

#[cfg(test)]
mod tests {
    use argon2::{Algorithm, Params, Version};

    use super::*;

    #[test]
    fn lengths_and_common_passwords_are_refused() {
        let code = |text: &str| match Password::new(text.to_owned(), &["ann@example.org", "Ann"]) {
            Ok(_) => "fine",
            Err(Error::Invalid(field)) => field.code,
            Err(_) => "another error",
        };
        assert_eq!(code("short77"), "too_short");
        assert_eq!(code(&"é".repeat(129)), "too_long");
        for common in [
            "password",
            "Password1",
            "12345678",
            "qwertyuiop",
            "iloveyou",
            "aaaaaaaaaa",
            "ann@example.org",
            "19840101",
        ] {
            assert_eq!(code(common), "too_common", "{common}");
        }
        assert_eq!(code("correct horse battery staple"), "fine");
        assert_eq!(code(&"ü1k".repeat(40)), "fine");
    }

    #[test]
    fn a_hash_says_how_it_was_made_and_differs_each_time() {
        let (one, two) = (
            hashed("attempt").expect("hashes"),
            hashed("attempt").expect("hashes"),
        );
        assert!(one.starts_with(PARAMETERS), "{one}");
        assert_ne!(one, two);
        assert_eq!(
            checked("attempt", Some(one.clone())).expect("checks"),
            Checked::Right { rehashed: None }
        );
        assert_eq!(
            checked("Attempt", Some(one)).expect("checks"),
            Checked::Wrong
        );
        assert_eq!(checked("attempt", None).expect("checks"), Checked::Wrong);
        assert_eq!(
            checked("\0 the password of nobody \0", None).expect("checks"),
            Checked::Wrong
        );
    }

    #[test]
    fn a_hash_of_lesser_parameters_is_made_anew() {
        let params = Params::new(8 * 1024, 1, 1, None).expect("are parameters");
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password(b"attempt")
            .expect("hashes")
            .to_string();
        let Checked::Right {
            rehashed: Some(hash),
        } = checked("attempt", Some(weak)).expect("checks")
        else {
            panic!("was not made anew");
        };
        assert!(hash.starts_with(PARAMETERS));
    }

    #[test]
    fn debug_prints_no_password() {
        let password = Password::new("correct horse battery".into(), &[]).expect("is one");
        assert_eq!(format!("{password:?}"), "Password(***)");
    }
}
