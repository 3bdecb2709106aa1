//! People as numbers and audiences as sets of them: the in-memory engine of one workspace.
//!
//! It holds which keys belong to which person ([`Dictionary`]), the published sets ([`Engine`], [`State`]), the view that a
//! group of commands changes before it is durable ([`Working`]), and the codecs of what the log stores ([`Set::to_bytes`],
//! [`IdentityDelta`]). What need not be in memory is in files that can be made again from the log ([`Dictionary::save`],
//! [`Shelf`]). It does no SQL and no HTTP, and reads neither a clock nor randomness.
//!
//! Invariant: the engine is a function of the log. Replaying the deltas that a [`Working`] reported, in order, into an empty
//! [`Engine`] gives the same published state and the same dictionary.

mod codec;
mod container;
mod delta;
mod dictionary;
mod dictionary_cache;
mod engine;
mod entries;
mod evaluation;
mod expression;
mod group_keys;
mod identity;
mod key;
mod key_batch;
mod key_hash;
mod key_lanes;
mod key_order;
#[expect(
    unsafe_code,
    reason = "the one file whose code the compiler cannot check whole"
)]
mod machine;
mod room;
mod set;
mod set_codec;
mod set_file;
mod set_iter;
mod shard;
mod shelf;
mod stored;
mod sync;
mod union;
mod unreadable;
mod working;

pub use codec::CodecError;
pub use delta::{Delta, SetDelta, SetOp};
pub use dictionary::Dictionary;
pub use dictionary_cache::{CacheError, CacheKey, CacheStamp};
pub use engine::{Engine, Group, Loaded, Snapshot, State};
pub use evaluation::{
    Count, Divide, Gather, Operand, Overlaps, Question, REGIONS_SETS_MAX, Regions, STEP,
};
pub use expression::{DEPTH_MAX, Expression, PARTS_MAX, Term, TooLarge};
pub use identity::{
    IDENTITY_PERSONS_MAX, IdentityDelta, PersonColumn, decode_persons, encode_persons,
};
pub use key::{Key, KeySecret};
pub use key_batch::{Holders, KeyBatch};
pub use set::Set;
pub use set_file::Owner;
pub use set_iter::SetIter;
pub use shelf::{Figures, Home, Rebuild, Shelf};
pub use unreadable::Unreadable;
pub use working::{Full, ReplayError, Working};

/// A person's number, dense within a workspace and never reused. The first is 1; 0 is never given out.
pub type Person = u32;

/// The number of a set. Audiences have positive ids, sets that the system keeps have negative ones.
pub type SetId = i64;
