//! The error of a set that is not in memory and could not be brought there.

use crate::SetId;

/// A set is neither in memory nor could it be read or rebuilt. Nothing was answered in its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("set {set} could not be read: {why}")]
pub struct Unreadable {
    /// The set.
    pub set: SetId,
    /// What failed; it names no person.
    pub why: String,
}
