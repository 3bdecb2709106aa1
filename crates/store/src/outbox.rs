//! Rows of the outbox: what has to leave the server, written in the transaction of the command that wants it sent.
//!
//! A worker claims items for a time (the lease) and gets an epoch with each; it may finish an item only while the epoch is
//! still its own. One that died is followed by another once the lease has run out, and cannot undo what that one did.
//! Invariant: `next_attempt` alone says when an item may be claimed; a claim moves it to the end of the lease.

use tokio::sync::oneshot;

use crate::{
    error::Error,
    store::Store,
    tx::Tx,
    value::{Param, Row, Sql, query_one},
};

/// Where an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxState {
    /// To be sent, or being sent.
    Queued,
    Sent,
    /// Given up; only somebody's [`outbox_retry`] sends it.
    Dead,
}

impl OutboxState {
    pub fn as_str(self) -> &'static str {
        match self {
            OutboxState::Queued => "queued",
            OutboxState::Sent => "sent",
            OutboxState::Dead => "dead",
        }
    }

    pub fn parse(text: &str) -> Option<OutboxState> {
        [OutboxState::Queued, OutboxState::Sent, OutboxState::Dead]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// An item as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxItem {
    pub id: i64,
    /// By what it leaves, as in `mail`.
    pub kind: String,
    /// Sealed where it says anything of a person; empty once it was sent.
    pub payload: Vec<u8>,
    pub state: OutboxState,
    /// Attempts begun.
    pub attempts: i64,
    pub next_attempt: i64,
    pub created: i64,
    /// When it was sent or given up.
    pub finished: Option<i64>,
    pub last_error: String,
}

/// An item that this process may send until its lease runs out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxClaim {
    pub workspace: i64,
    pub id: i64,
    pub epoch: i64,
    pub payload: Vec<u8>,
    /// Attempts begun, this one included.
    pub attempts: i64,
    pub created: i64,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboxEnd {
    Sent,
    /// Tried again at `next_attempt`.
    Again {
        next_attempt: i64,
        error: String,
    },
    Dead {
        error: String,
    },
}

const INSERT: &str = "INSERT INTO outbox (workspace_id, id, kind, payload, state, attempts, next_attempt, lease_until, \
     epoch, created, finished, last_error, target) VALUES ($1, $2, $3, $4, 'queued', 0, $5, 0, 0, $5, NULL, '', $6)";
const GET: &str = "SELECT id, kind, payload, state, attempts, next_attempt, created, finished, last_error \
     FROM outbox WHERE workspace_id = $1 AND id = $2";
const PAGE: &str = "SELECT id, kind, payload, state, attempts, next_attempt, created, finished, last_error \
     FROM outbox WHERE workspace_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
const PAGE_OF_STATE: &str = "SELECT id, kind, payload, state, attempts, next_attempt, created, finished, last_error \
     FROM outbox WHERE workspace_id = $1 AND state = $4 AND id < $2 ORDER BY id DESC LIMIT $3";
/// An item under way keeps its lease: its worker may yet say that it was sent.
const RETRY: &str = "UPDATE outbox SET state = 'queued', attempts = 0, finished = NULL, last_error = '', \
     next_attempt = CASE WHEN lease_until > $3 THEN lease_until ELSE $3 END \
     WHERE workspace_id = $1 AND id = $2 AND state <> 'sent' RETURNING id";
/// The outer conditions are asked again of a row that another process has changed meanwhile.
const CLAIM: &str = "UPDATE outbox SET next_attempt = $3, lease_until = $3, epoch = epoch + 1, attempts = attempts + 1 \
     WHERE state = 'queued' AND next_attempt <= $2 AND (workspace_id, id) IN (SELECT workspace_id, id FROM outbox \
     WHERE state = 'queued' AND kind = $1 AND next_attempt <= $2 ORDER BY next_attempt LIMIT $4) \
     RETURNING workspace_id, id, epoch, payload, attempts, created";
/// The same, of other targets than these four.
const CLAIM_BESIDE: &str = "UPDATE outbox SET next_attempt = $3, lease_until = $3, epoch = epoch + 1, \
     attempts = attempts + 1 WHERE state = 'queued' AND next_attempt <= $2 AND (workspace_id, id) IN \
     (SELECT workspace_id, id FROM outbox WHERE state = 'queued' AND kind = $1 AND next_attempt <= $2 \
     AND NOT (workspace_id = $5 AND target = $6) AND NOT (workspace_id = $7 AND target = $8) \
     AND NOT (workspace_id = $9 AND target = $10) AND NOT (workspace_id = $11 AND target = $12) \
     ORDER BY next_attempt LIMIT $4) \
     RETURNING workspace_id, id, epoch, payload, attempts, created";
const SENT: &str = "UPDATE outbox SET state = 'sent', payload = $5, lease_until = 0, finished = $4, last_error = '' \
     WHERE workspace_id = $1 AND id = $2 AND epoch = $3 AND state = 'queued' RETURNING id";
const AGAIN: &str = "UPDATE outbox SET next_attempt = $4, lease_until = 0, last_error = $5 \
     WHERE workspace_id = $1 AND id = $2 AND epoch = $3 AND state = 'queued' RETURNING id";
const DEAD: &str = "UPDATE outbox SET state = 'dead', lease_until = 0, finished = $4, last_error = $5 \
     WHERE workspace_id = $1 AND id = $2 AND epoch = $3 AND state = 'queued' RETURNING id";
const DUE: &str = "SELECT next_attempt FROM outbox WHERE state = 'queued' AND kind = $1 ORDER BY next_attempt LIMIT 1";

const OLD: &str =
    "SELECT id FROM outbox WHERE workspace_id = $1 AND state = 'sent' AND finished < $2 LIMIT 1";
const SWEEP: &str =
    "DELETE FROM outbox WHERE workspace_id = $1 AND state = 'sent' AND finished < $2";
const OLD_DEAD: &str = "SELECT id FROM outbox WHERE workspace_id = $1 AND state = 'dead' AND kind = $3 AND finished < $2 LIMIT 1";
const SWEEP_DEAD: &str =
    "DELETE FROM outbox WHERE workspace_id = $1 AND state = 'dead' AND kind = $3 AND finished < $2";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    OLD,
    SWEEP,
    OLD_DEAD,
    SWEEP_DEAD,
    INSERT,
    GET,
    PAGE,
    PAGE_OF_STATE,
    RETRY,
    CLAIM,
    CLAIM_BESIDE,
    SENT,
    AGAIN,
    DEAD,
    DUE,
];

fn of(mut row: Row) -> Result<OutboxItem, Error> {
    let state = row.text(3)?;
    Ok(OutboxItem {
        id: row.int(0)?,
        kind: row.text(1)?,
        payload: row.bytes(2)?,
        state: OutboxState::parse(&state)
            .ok_or_else(|| Error::Corrupt(format!("an outbox item is {state:?}")))?,
        attempts: row.int(4)?,
        next_attempt: row.int(5)?,
        created: row.int(6)?,
        finished: row.optional_int(7)?,
        last_error: row.text(8)?,
    })
}

/// Queues an item for a target (of a delivery, the webhook; 0 where a kind has none), due at the command's own time. The
/// caller draws the id, since it belongs into the seal's context.
pub fn outbox_insert(
    tx: &mut Tx<'_, '_>,
    id: i64,
    (kind, target): (&str, i64),
    payload: &[u8],
) -> Result<(), Error> {
    let params = [
        tx.workspace().into(),
        id.into(),
        kind.into(),
        payload.into(),
        tx.meta().time.into(),
        target.into(),
    ];
    tx.query(INSERT, &params)?;
    tx.queued = true;
    Ok(())
}

pub fn outbox_get(sql: &mut dyn Sql, id: i64) -> Result<Option<OutboxItem>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    let row = query_one(sql, GET, &[workspace, id.into()])?;
    row.map(of).transpose()
}

/// Items with `id < before`, of one state or of any, newest first.
pub fn outbox_page(
    sql: &mut dyn Sql,
    state: Option<OutboxState>,
    before: i64,
    limit: i64,
) -> Result<Vec<OutboxItem>, Error> {
    let workspace: Param<'_> = sql.workspace().into();
    let params = [workspace, before.into(), limit.into()];
    let rows = match state {
        None => sql.query(PAGE, &params)?,
        Some(state) => {
            let [workspace, before, limit] = params;
            sql.query(
                PAGE_OF_STATE,
                &[workspace, before, limit, state.as_str().into()],
            )?
        }
    };
    rows.into_iter().map(of).collect()
}

/// Makes an item due now, with all its attempts before it again. False where there is none, or it was sent.
pub fn outbox_retry(tx: &mut Tx<'_, '_>, id: i64) -> Result<bool, Error> {
    let params = [tx.workspace().into(), id.into(), tx.meta().time.into()];
    let found = !tx.query(RETRY, &params)?.is_empty();
    tx.queued |= found;
    Ok(found)
}

/// Targets that one claim can leave alone.
pub const OUTBOX_BESIDE_MAX: usize = 4;

/// Claims at most `limit` items of a kind that are due, of every workspace, the longest due first, until `lease_until`, and
/// none of these targets (workspace and id; as many as [`OUTBOX_BESIDE_MAX`]). Two processes never hold a claim on one item
/// with the same epoch.
pub async fn outbox_claim(
    store: &Store,
    (kind, limit): (&'static str, i64),
    now: i64,
    lease_until: i64,
    beside: &[(i64, i64)],
) -> Result<Vec<OutboxClaim>, Error> {
    let mut others = [(0, 0); OUTBOX_BESIDE_MAX];
    others
        .iter_mut()
        .zip(beside)
        .for_each(|(place, target)| *place = *target);
    let any = !beside.is_empty();
    let (claims, claimed) = oneshot::channel();
    store
        .exclusive(move |connection| {
            let mut params: Vec<Param<'_>> =
                vec![kind.into(), now.into(), lease_until.into(), limit.into()];
            for (workspace, id) in others.iter().filter(|_| any) {
                params.extend([Param::from(*workspace), Param::from(*id)]);
            }
            let claim = if any { CLAIM_BESIDE } else { CLAIM };
            let rows = connection.query(claim, &params)?;
            let found = rows.into_iter().map(|mut row| {
                Ok(OutboxClaim {
                    workspace: row.int(0)?,
                    id: row.int(1)?,
                    epoch: row.int(2)?,
                    payload: row.bytes(3)?,
                    attempts: row.int(4)?,
                    created: row.int(5)?,
                })
            });
            // Where the caller is gone, the lease runs out.
            claims.send(found.collect::<Result<_, Error>>()?).ok();
            Ok(())
        })
        .await?;
    claimed
        .await
        .map_err(|_| Error::Internal("a claim was lost".into()))
}

/// Ends an attempt within the command that draws the conclusions from it; of one that was sent, `kept` stays. False where
/// the claim is no longer the newest one: nothing is changed then.
pub fn outbox_end(
    tx: &mut Tx<'_, '_>,
    claim: &OutboxClaim,
    end: &OutboxEnd,
    kept: &[u8],
) -> Result<bool, Error> {
    let now = tx.meta().time;
    ended(
        &mut |sql, params| tx.query(sql, params),
        claim,
        end,
        kept,
        now,
    )
}

/// Runs a statement, of a command or outside of any.
type Runs<'a> = &'a mut dyn FnMut(&'static str, &[Param<'_>]) -> Result<Vec<Row>, Error>;

fn ended(
    run: Runs<'_>,
    claim: &OutboxClaim,
    end: &OutboxEnd,
    kept: &[u8],
    now: i64,
) -> Result<bool, Error> {
    let (workspace, id, epoch) = (claim.workspace.into(), claim.id.into(), claim.epoch.into());
    let rows = match end {
        OutboxEnd::Sent => run(SENT, &[workspace, id, epoch, now.into(), kept.into()]),
        OutboxEnd::Again {
            next_attempt,
            error,
        } => {
            let next_attempt = (*next_attempt).into();
            run(AGAIN, &[workspace, id, epoch, next_attempt, error.into()])
        }
        OutboxEnd::Dead { error } => run(DEAD, &[workspace, id, epoch, now.into(), error.into()]),
    }?;
    Ok(!rows.is_empty())
}

/// Ends an attempt. False where the claim is no longer the newest one: nothing is changed then.
pub async fn outbox_finish(
    store: &Store,
    claim: &OutboxClaim,
    end: OutboxEnd,
    now: i64,
) -> Result<bool, Error> {
    let claim = claim.clone();
    let (reply, answer) = oneshot::channel();
    store
        .exclusive(move |connection| {
            let run: Runs<'_> = &mut |sql, params| connection.query(sql, params);
            reply.send(ended(run, &claim, &end, &[], now)?).ok();
            Ok(())
        })
        .await?;
    answer
        .await
        .map_err(|_| Error::Internal("the end of an attempt was lost".into()))
}

/// When the next item of a kind may be claimed, of every workspace; nothing where none is queued.
pub async fn outbox_due(store: &Store, kind: &'static str) -> Result<Option<i64>, Error> {
    store
        .plain_read(move |connection| {
            let rows = connection.query(DUE, &[kind.into()])?;
            rows.first().map(|row| row.int(0)).transpose()
        })
        .await
}

/// Forgets what was sent before `before`. Where there is nothing, nothing is written and so nothing logged.
pub fn outbox_sweep(tx: &mut Tx<'_, '_>, before: i64) -> Result<(), Error> {
    let params = [tx.workspace().into(), before.into()];
    if !tx.query(OLD, &params)?.is_empty() {
        tx.query(SWEEP, &params)?;
    }
    Ok(())
}

/// Forgets what of a kind was given up before `before`.
pub fn outbox_sweep_dead(tx: &mut Tx<'_, '_>, kind: &str, before: i64) -> Result<(), Error> {
    let params = [tx.workspace().into(), before.into(), kind.into()];
    if !tx.query(OLD_DEAD, &params)?.is_empty() {
        tx.query(SWEEP_DEAD, &params)?;
    }
    Ok(())
}
