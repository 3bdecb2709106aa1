//! The wire protocols that the server speaks, a folder each. They translate between a protocol and the domain's verbs and
//! decide nothing: a handler parses, calls one verb, renders.
//!
//! Shared by all: reading a body within limits ([`body`]) and a time (`time`), writing CSV (`csv`), what surrounds a request
//! ([`request`]), who comes with OAuth 2 or Basic (`oauth`), quotas (`rate`), the prefixes and host names that name a workspace
//! ([`mount`]), how an event is told to a webhook ([`delivery`]), and the providers of channels
//! ([`providers`]) with the hooks that they call ([`hooks`]).

pub mod a2;
pub mod body;
pub mod criteo;
mod csv;
pub mod delivery;
mod flat;
mod form;
pub mod hooks;
pub mod limits;
pub mod mount;
pub mod native;
mod oauth;
pub mod opendatasoft;
pub mod pages;
mod panic;
pub mod providers;
mod rate;
pub mod request;
pub mod sunshine;
pub mod thrive;
mod time;

/// The dialects for which a credential can be made.
pub const DIALECTS: &[&str] = &[
    domain::NATIVE,
    criteo::DIALECT,
    a2::DIALECT,
    opendatasoft::DIALECT,
    thrive::DIALECT,
    sunshine::DIALECT,
];

/// The dialects whose requests may carry the key of an account.
pub const KEY_DIALECTS: &[&str] = &[domain::NATIVE, opendatasoft::DIALECT];

/// The credential with what its dialect's clients need: scopes where it names none, and the secret itself where tokens are
/// signed with it.
pub fn with_scopes(new: domain::CredentialNew) -> domain::CredentialNew {
    let scopes = match (new.dialect.as_str(), new.scopes.trim()) {
        (thrive::DIALECT, "") => thrive::SCOPES.into(),
        (sunshine::DIALECT, "") => sunshine::SCOPES.into(),
        _ => new.scopes,
    };
    domain::CredentialNew {
        keep_secret: new.keep_secret || new.dialect == sunshine::DIALECT,
        scopes,
        ..new
    }
}

/// What an operator may choose of the dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub a2: a2::Options,
    pub opendatasoft: opendatasoft::Options,
}
