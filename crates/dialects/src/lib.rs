//! The wire protocols that the server speaks, a folder each. They translate between a protocol and the domain's verbs and
//! decide nothing: a handler parses, calls one verb, renders.
//!
//! Shared by all: reading a body within limits ([`body`]), what surrounds a request ([`request`]), and the prefixes and host
//! names that name a workspace ([`mount`]).

pub mod body;
pub mod criteo;
pub mod limits;
pub mod mount;
pub mod native;
pub mod request;

/// The dialects for which a credential can be made.
pub const DIALECTS: &[&str] = &[domain::NATIVE, criteo::DIALECT];
