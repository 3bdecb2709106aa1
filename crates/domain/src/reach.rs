//! Reach: how many people a formula holds, exactly, and how many each of its operands does.

use sets::Count;

use crate::{
    caller::Caller,
    error::Result,
    formula::{Formula, Operand, resolve},
    service::Domain,
    tree::Act,
};

/// Something that was named, and how many people it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    pub operand: Operand,
    pub people: u64,
}

/// How many people a formula holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The change of the workspace's log after which it was so.
    pub seq: u64,
    pub people: u64,
    /// Each audience, channel and kind of identifier that the formula names, once, in the order in which they first occur.
    pub operands: Vec<Measured>,
}

impl Domain {
    /// Counts whom a formula holds. Needs the scope audiences:read, or of each audience that it names a manager's grant to
    /// list its members.
    pub async fn reach(&self, caller: &Caller, formula: &Formula) -> Result<Reach> {
        let caller = self.acting(caller, Act::List).await?;
        let sight = self.sight(&caller).await?;
        let snapshot = self.snapshot(caller.workspace).await?;
        let resolved = resolve(&snapshot.catalogue, &sight, formula)?;
        let mut operands = Vec::with_capacity(resolved.operands.len());
        let mut shown = Vec::with_capacity(resolved.operands.len());
        for found in &resolved.operands {
            let operand = self.operand(&snapshot, found).await?;
            shown.push(Measured {
                operand: found.shown(&snapshot.catalogue),
                people: operand.len(),
            });
            operands.push(operand);
        }
        let count = Count::new(resolved.expression, operands, snapshot.state.next_person);
        Ok(Reach {
            seq: snapshot.state.seq,
            people: self.ask_divided(count).await?,
            operands: shown,
        })
    }
}
