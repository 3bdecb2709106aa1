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
pub mod thrive;
mod time;

/// The dialects for which a credential can be made.
pub const DIALECTS: &[&str] = &[
    domain::NATIVE,
    criteo::DIALECT,
    a2::DIALECT,
    opendatasoft::DIALECT,
    thrive::DIALECT,
];

/// The dialects whose requests may carry the key of an account.
pub const KEY_DIALECTS: &[&str] = &[domain::NATIVE, opendatasoft::DIALECT];

/// The credential with what its dialect's clients need, where it names no scopes.
pub fn with_scopes(new: domain::CredentialNew) -> domain::CredentialNew {
    match (new.dialect.as_str(), new.scopes.trim()) {
        (thrive::DIALECT, "") => domain::CredentialNew {
            scopes: thrive::SCOPES.into(),
            ..new
        },
        _ => new,
    }
}

/// What an operator may choose of the dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub a2: a2::Options,
    pub opendatasoft: opendatasoft::Options,
}
