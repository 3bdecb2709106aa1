//! The crate from outside: each part against a model that is too simple to be wrong.

mod codecs;
mod common;
mod dictionary;
mod dictionary_cache;
mod questions;
mod set;
mod shelf;
mod working;
mod working_model;
