//! Rows of the ledger: every change of an account's budget or credit, append-only.

use crate::{
    error::Error,
    tx::Tx,
    value::{Row, Sql},
};

/// An entry of an account's ledger. Amounts are in thousandths.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LedgerEntry {
    pub id: i64,
    pub time: i64,
    /// The account or credential that made the change; 0 is the server itself.
    pub actor: i64,
    /// `budget` or `credit`.
    pub kind: String,
    pub difference: i64,
    /// What there was after it.
    pub balance: i64,
    pub reason: String,
}

const INSERT: &str = "INSERT INTO ledger_entry (workspace_id, account_id, id, time, actor, kind, difference, balance, \
     reason) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const PAGE: &str = "SELECT id, time, actor, kind, difference, balance, reason FROM ledger_entry \
     WHERE workspace_id = $1 AND account_id = $2 AND id < $3 ORDER BY id DESC LIMIT $4";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, PAGE];

pub fn ledger_insert(tx: &mut Tx<'_, '_>, account: i64, entry: &LedgerEntry) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        account.into(),
        entry.id.into(),
        entry.time.into(),
        entry.actor.into(),
        (&entry.kind).into(),
        entry.difference.into(),
        entry.balance.into(),
        (&entry.reason).into(),
    ];
    tx.query(INSERT, &params).map(drop)
}

/// Entries with `id < before`, newest first.
pub fn ledger_page(
    sql: &mut dyn Sql,
    account: i64,
    before: i64,
    limit: i64,
) -> Result<Vec<LedgerEntry>, Error> {
    let params = [
        sql.workspace().into(),
        account.into(),
        before.into(),
        limit.into(),
    ];
    let entry = |mut row: Row| {
        Ok(LedgerEntry {
            id: row.int(0)?,
            time: row.int(1)?,
            actor: row.int(2)?,
            kind: row.text(3)?,
            difference: row.int(4)?,
            balance: row.int(5)?,
            reason: row.text(6)?,
        })
    };
    sql.query(PAGE, &params)?.into_iter().map(entry).collect()
}
