//! What is told of structures and audiences to those who listen.

use store::{Audience, Tx};

use crate::{audience_change::Moved, error::Result};

/// What happened to a structure or audience.
#[derive(Debug)]
pub(crate) enum Happening<'a> {
    Created,
    Updated,
    Moved(&'a Moved),
    /// With so many members.
    Deleted(u64),
    /// Members came and went.
    Members(&'a sets::Set, &'a sets::Set),
    Managers,
}

pub(crate) fn announce(
    tx: &mut Tx<'_, '_>,
    happening: Happening<'_>,
    audience: &Audience,
) -> Result<()> {
    let _ = (tx, happening, audience);
    Ok(())
}
