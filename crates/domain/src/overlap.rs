//! Overlaps: how many people audiences share, each with each or one with many, and the exact regions of a few.
//!
//! Audiences are named as in a formula, and so are channels and kinds of identifiers. Invariant: all numbers of one answer
//! are of the same moment.

use sets::{Overlaps, REGIONS_SETS_MAX, Regions};

use crate::{
    caller::Caller,
    catalogue::Snapshot,
    error::{Error, Result},
    formula::{Named, Sight, everybody, find, too_many},
    limits,
    reach::Measured,
    service::Domain,
    tree::Act,
};

/// Those who are in each of some audiences and in none of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// By their places in the request, ascending.
    pub within: Vec<usize>,
    pub people: u64,
}

/// How many people audiences share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The change of the workspace's log after which it was so.
    pub seq: u64,
    /// In the order of the request.
    pub audiences: Vec<Measured>,
    /// A row for each audience: how many it shares with each, itself included.
    pub matrix: Vec<Vec<u64>>,
    /// Where they were asked for, those with anybody in them, the largest first.
    pub regions: Option<Vec<Region>>,
}

/// How many people one audience shares with others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlapAgainst {
    /// The change of the workspace's log after which it was so.
    pub seq: u64,
    pub audience: Measured,
    /// In the order of the request, each with how many it shares with the one.
    pub against: Vec<(Measured, u64)>,
}

impl Domain {
    /// Counts what audiences share, each with each. Who may ask is as for [`Self::reach`].
    pub async fn overlap(
        &self,
        caller: &Caller,
        audiences: &[Named],
        regions: bool,
    ) -> Result<Overlap> {
        not_too_many("audiences", audiences.len(), limits::OVERLAP_MATRIX_MAX)?;
        if regions && audiences.len() > REGIONS_SETS_MAX {
            let text = format!("Regions are counted of at most {REGIONS_SETS_MAX} audiences.");
            return Err(too_many("audiences", text));
        }
        let (snapshot, sight) = self.overlap_begin(caller).await?;
        let (sized, operands) = self
            .overlap_named(&snapshot, &sight, audiences, "audiences")
            .await?;
        let matrix = self.ask_divided(Overlaps::among(operands.clone())).await?;
        let regions = match regions {
            true => Some(shown(&self.ask_divided(Regions::new(operands)).await?)),
            false => None,
        };
        Ok(Overlap {
            seq: snapshot.state.seq,
            audiences: sized,
            matrix,
            regions,
        })
    }

    /// Counts what one audience shares with others. Who may ask is as for [`Self::reach`].
    pub async fn overlap_against(
        &self,
        caller: &Caller,
        audience: &Named,
        against: &[Named],
    ) -> Result<OverlapAgainst> {
        not_too_many("against", against.len(), limits::OVERLAP_AGAINST_MAX)?;
        let (snapshot, sight) = self.overlap_begin(caller).await?;
        let one = std::slice::from_ref(audience);
        let (mut sized, row) = self
            .overlap_named(&snapshot, &sight, one, "audience")
            .await?;
        let (others, columns) = self
            .overlap_named(&snapshot, &sight, against, "against")
            .await?;
        let counts = self.ask_divided(Overlaps::between(row, columns)).await?;
        let counts = counts.into_iter().flatten();
        Ok(OverlapAgainst {
            seq: snapshot.state.seq,
            audience: sized
                .pop()
                .ok_or_else(|| Error::internal("the audience was found"))?,
            against: others.into_iter().zip(counts).collect(),
        })
    }

    async fn overlap_begin(&self, caller: &Caller) -> Result<(Snapshot, Sight)> {
        let caller = self.acting(caller, Act::List).await?;
        let sight = self.sight(&caller).await?;
        Ok((self.snapshot(caller.workspace).await?, sight))
    }

    async fn overlap_named(
        &self,
        snapshot: &Snapshot,
        sight: &Sight,
        named: &[Named],
        field: &'static str,
    ) -> Result<(Vec<Measured>, Vec<sets::Operand>)> {
        let bounded = |named: &Named| matches!(named, Named::Audience(_));
        if !sight.sees_all() && !named.iter().all(bounded) {
            return Err(everybody());
        }
        // All are known before any is worked out.
        let found = named
            .iter()
            .map(|named| find(&snapshot.catalogue, sight, named, field))
            .collect::<Result<Vec<_>>>()?;
        let mut sized = Vec::with_capacity(found.len());
        let mut operands = Vec::with_capacity(found.len());
        for found in &found {
            let operand = self.operand(snapshot, found).await?;
            sized.push(Measured {
                operand: found.shown(&snapshot.catalogue),
                people: operand.len(),
            });
            operands.push(operand);
        }
        Ok((sized, operands))
    }
}

fn not_too_many(field: &'static str, count: usize, most: usize) -> Result<()> {
    if count == 0 {
        let text = "Name at least one audience.";
        return Err(Error::invalid(field, "required", text));
    }
    if count > most {
        let text = format!("At most {most} audiences are compared at once.");
        return Err(too_many(field, text));
    }
    Ok(())
}

/// The regions with anybody in them, by how many.
fn shown(counts: &[u64]) -> Vec<Region> {
    let mut regions: Vec<Region> = counts
        .iter()
        .enumerate()
        .filter(|(_, people)| **people > 0)
        .map(|(mask, people)| Region {
            within: (0..REGIONS_SETS_MAX)
                .filter(|place| mask >> place & 1 == 1)
                .collect(),
            people: *people,
        })
        .collect();
    regions.sort_by(|one, other| {
        let order = other.people.cmp(&one.people);
        order.then_with(|| one.within.cmp(&other.within))
    });
    regions
}
