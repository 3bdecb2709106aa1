//! The wire protocols that the server speaks, a folder each. They translate between a protocol and the domain's verbs and
//! decide nothing: a handler parses, calls one verb, renders.
//!
//! Shared by all: reading a body within limits ([`body`]), writing CSV (`csv`), what surrounds a request ([`request`]),
//! the prefixes and host names that name a workspace ([`mount`]), and how an event is told to a webhook ([`delivery`]).

pub mod a2;
pub mod body;
pub mod criteo;
mod csv;
pub mod delivery;
pub mod limits;
pub mod mount;
pub mod native;
pub mod opendatasoft;
pub mod pages;
mod panic;
pub mod request;

/// The dialects for which a credential can be made.
pub const DIALECTS: &[&str] = &[
    domain::NATIVE,
    criteo::DIALECT,
    a2::DIALECT,
    opendatasoft::DIALECT,
];

/// The dialects whose requests may carry the key of an account.
pub const KEY_DIALECTS: &[&str] = &[domain::NATIVE, opendatasoft::DIALECT];

/// What an operator may choose of the dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub a2: a2::Options,
    pub opendatasoft: opendatasoft::Options,
}
