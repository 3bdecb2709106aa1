//! Key blocks: the only place where keys are stored, 4,096 to a block in order of first sight; and beside them, in a
//! workspace that keeps identifiers, the identifiers as received, sealed block by block.
//!
//! A group of commands writes its new keys once, at its end: at most one block is rewritten, the rest are new.

use std::ops::Range;

use sets::Key;

use crate::{connection::Connection, error::Error, seal::Sealer, value::Param};

pub(crate) const KEYS_PER_BLOCK: u64 = 4_096;
const KEY_BYTES: usize = 16;
const SUM_BYTES: usize = 16;

const GET: &str = "SELECT bytes, sum FROM key_block WHERE workspace_id = $1 AND block_no = $2";
const PUT: &str = "INSERT INTO key_block (workspace_id, block_no, bytes, sum) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (workspace_id, block_no) DO UPDATE SET bytes = excluded.bytes, sum = excluded.sum";
const PAGE: &str = "SELECT block_no, bytes, sum FROM key_block WHERE workspace_id = $1 AND block_no >= $2 AND block_no < $3 \
     ORDER BY block_no";
const BLOCKS: &str = "SELECT count(*) FROM key_block WHERE workspace_id = $1";
const IDENTIFIERS_GET: &str =
    "SELECT bytes FROM identifier_block WHERE workspace_id = $1 AND block_no = $2";
const IDENTIFIERS_PUT: &str = "INSERT INTO identifier_block (workspace_id, block_no, bytes) VALUES ($1, $2, $3) \
     ON CONFLICT (workspace_id, block_no) DO UPDATE SET bytes = excluded.bytes";

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[GET, PUT, PAGE, BLOCKS, IDENTIFIERS_GET, IDENTIFIERS_PUT];

/// Identifiers as received, one for each key (empty where an identifier gave several keys), in the form in which they are
/// sealed: each preceded by its length in two bytes.
#[derive(Default, Clone)]
pub struct Identifiers {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl std::fmt::Debug for Identifiers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identifiers({})", self.ends.len())
    }
}

impl Identifiers {
    /// Appends an identifier, given in parts; at most 65,535 bytes.
    pub fn push(&mut self, parts: &[&[u8]]) {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        debug_assert!(len <= usize::from(u16::MAX));
        self.bytes.extend_from_slice(&(len as u16).to_le_bytes());
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.ends.push(self.bytes.len() as u32);
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn truncate(&mut self, len: usize) {
        self.ends.truncate(len);
        self.bytes
            .truncate(self.ends.last().map_or(0, |end| *end as usize));
    }

    /// The identifier at an index.
    pub fn get(&self, index: usize) -> &[u8] {
        &self.stored(index..index + 1)[2..]
    }

    /// The identifiers of a range with their lengths, as they are sealed.
    fn stored(&self, range: Range<usize>) -> &[u8] {
        let end = |index: usize| {
            index
                .checked_sub(1)
                .map_or(0, |last| self.ends[last] as usize)
        };
        &self.bytes[end(range.start)..end(range.end)]
    }

    /// Appends those at some indices of another list, which mostly follow on one another.
    pub(crate) fn extend(&mut self, other: &Identifiers, indices: &[u32]) {
        self.ends.reserve(indices.len());
        for run in indices.chunk_by(|a, b| *b == *a + 1) {
            let range = run[0] as usize..run[0] as usize + run.len();
            let stored = other.stored(range.clone());
            // Ends move by the same distance; it may be negative, which wraps and comes out right.
            let start = other.ends[range.end - 1] - stored.len() as u32;
            let moved = (self.bytes.len() as u32).wrapping_sub(start);
            self.bytes.extend_from_slice(stored);
            let ends = other.ends[range].iter();
            self.ends.extend(ends.map(|end| end.wrapping_add(moved)));
        }
    }
}

/// What a block is checked against. Keys are outside the log's hash chain, and a flipped bit would be somebody who is no longer
/// found.
fn sum(workspace: i64, block: u64, bytes: &[u8]) -> [u8; SUM_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&workspace.to_le_bytes());
    hasher.update(&block.to_le_bytes());
    hasher.update(bytes);
    let mut sum = [0; SUM_BYTES];
    hasher.finalize_xof().fill(&mut sum);
    sum
}

/// Checks a block; one of before there were sums has none, and is believed.
fn check(workspace: i64, block: u64, bytes: &[u8], found: Option<&[u8]>) -> Result<(), Error> {
    match found {
        Some(found) if found != sum(workspace, block, bytes) => Err(Error::Corrupt(format!(
            "key block {block} is not what was written"
        ))),
        _ => Ok(()),
    }
}

/// What of a group's keys goes into one block.
struct Stretch {
    block: u64,
    /// Keys that are in the block already.
    filled: usize,
    /// Which of the group's keys.
    range: Range<usize>,
}

fn stretches(position: u64, keys: usize) -> impl Iterator<Item = Stretch> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = position + done as u64;
        let filled = (at % KEYS_PER_BLOCK) as usize;
        let take = (KEYS_PER_BLOCK as usize - filled).min(keys - done);
        let range = done..done + take;
        done += take;
        (take > 0).then_some(Stretch {
            block: at / KEYS_PER_BLOCK,
            filled,
            range,
        })
    })
}

/// From so many keys on, identifiers are sealed on a thread beside the one that writes the keys.
const SEALED_BESIDE_MIN: usize = 2 * KEYS_PER_BLOCK as usize;

/// Appends `keys` from `position` on. `sealer` is given where the workspace keeps identifiers.
pub(crate) fn append(
    connection: &mut Connection,
    workspace: i64,
    position: u64,
    keys: &[Key],
    received: &Identifiers,
    sealer: Option<&Sealer>,
) -> Result<(), Error> {
    let mut identifiers = Vec::new();
    if let Some(sealer) = sealer {
        for stretch in stretches(position, keys.len()) {
            let plain = plain_identifiers(connection, workspace, &stretch, received, sealer)?;
            identifiers.push((stretch.block, plain));
        }
    }
    let seal = |blocks: &mut [(u64, Vec<u8>)]| {
        let Some(sealer) = sealer else { return Ok(()) };
        blocks.iter_mut().try_for_each(|(block, bytes)| {
            sealer.seal_in(&identifiers_context(workspace, *block), bytes)
        })
    };
    if keys.len() < SEALED_BESIDE_MIN || sealer.is_none() {
        append_keys(connection, workspace, position, keys)?;
        seal(&mut identifiers)?;
    } else {
        std::thread::scope(|scope| {
            let sealing = scope.spawn(|| seal(&mut identifiers));
            let appended = append_keys(connection, workspace, position, keys);
            let sealed = sealing
                .join()
                .unwrap_or_else(|_| Err(Error::Internal("sealing panicked".into())));
            appended.and(sealed)
        })?;
    }
    for (block, sealed) in &identifiers {
        let params = [
            workspace.into(),
            Param::Int(*block as i64),
            Param::Bytes(sealed),
        ];
        connection.query(IDENTIFIERS_PUT, &params)?;
    }
    Ok(())
}

fn append_keys(
    connection: &mut Connection,
    workspace: i64,
    position: u64,
    keys: &[Key],
) -> Result<(), Error> {
    for stretch in stretches(position, keys.len()) {
        let block = stretch.block;
        let mut bytes = old_block(connection, workspace, block, stretch.filled)?;
        for key in &keys[stretch.range] {
            bytes.extend_from_slice(key.as_bytes());
        }
        let sum = sum(workspace, block, &bytes);
        let params = [
            workspace.into(),
            Param::Int(block as i64),
            Param::Bytes(&bytes),
            Param::Bytes(&sum),
        ];
        connection.query(PUT, &params)?;
    }
    Ok(())
}

fn old_block(
    connection: &mut Connection,
    workspace: i64,
    block: u64,
    filled: usize,
) -> Result<Vec<u8>, Error> {
    if filled == 0 {
        return Ok(Vec::with_capacity(KEYS_PER_BLOCK as usize * KEY_BYTES));
    }
    let mut rows = connection.query(GET, &[workspace.into(), Param::Int(block as i64)])?;
    let bytes = match rows.first_mut() {
        Some(row) => {
            let (bytes, sum) = (row.bytes(0)?, row.optional_bytes(1)?);
            check(workspace, block, &bytes, sum.as_deref())?;
            bytes
        }
        None => Vec::new(),
    };
    if bytes.len() != filled * KEY_BYTES {
        return Err(Error::Corrupt(format!(
            "a key block holds {} bytes, not {}",
            bytes.len(),
            filled * KEY_BYTES
        )));
    }
    Ok(bytes)
}

fn identifiers_context(workspace: i64, block: u64) -> String {
    format!("identifiers {workspace}/{block}")
}

/// A block's identifiers, those that are there and those that are new, ready to be sealed where they stand.
fn plain_identifiers(
    connection: &mut Connection,
    workspace: i64,
    stretch: &Stretch,
    received: &Identifiers,
    sealer: &Sealer,
) -> Result<Vec<u8>, Error> {
    let new = received.stored(stretch.range.clone());
    let block_no = Param::Int(stretch.block as i64);
    let mut old = Vec::new();
    if stretch.filled > 0 {
        let mut rows = connection.query(IDENTIFIERS_GET, &[workspace.into(), block_no])?;
        if let Some(row) = rows.first_mut() {
            let context = identifiers_context(workspace, stretch.block);
            old = sealer.open(&context, &row.bytes(0)?)?;
        }
    }
    let mut plain = Sealer::room(old.len() + new.len());
    plain.extend_from_slice(&old);
    plain.extend_from_slice(new);
    Ok(plain)
}

/// The identifiers of one block as received, in the order of its keys.
pub(crate) fn identifiers(
    connection: &mut Connection,
    workspace: i64,
    block: u64,
    sealer: &Sealer,
) -> Result<Vec<Vec<u8>>, Error> {
    let mut rows = connection.query(
        IDENTIFIERS_GET,
        &[workspace.into(), Param::Int(block as i64)],
    )?;
    let Some(row) = rows.first_mut() else {
        return Ok(Vec::new());
    };
    let plain = sealer.open(&identifiers_context(workspace, block), &row.bytes(0)?)?;
    let mut rest = plain.as_slice();
    let mut values = Vec::new();
    while !rest.is_empty() {
        let cut = || Error::Corrupt("an identifier block is cut short".into());
        let (len, tail) = rest.split_first_chunk::<2>().ok_or_else(cut)?;
        let (value, tail) = tail
            .split_at_checked(usize::from(u16::from_le_bytes(*len)))
            .ok_or_else(cut)?;
        values.push(value.to_vec());
        rest = tail;
    }
    Ok(values)
}

/// At most so many keys are stored: what a start may set room aside for, whatever the head says.
pub(crate) fn keys_max(connection: &mut Connection, workspace: i64) -> Result<u64, Error> {
    let rows = connection.query(BLOCKS, &[workspace.into()])?;
    Ok(rows.first().map_or(Ok(0), |row| row.natural(0))? * KEYS_PER_BLOCK)
}

/// Calls `each` with the keys of positions `from..until`, in order and in pieces of up to `blocks` blocks.
pub(crate) fn read(
    connection: &mut Connection,
    workspace: i64,
    from: u64,
    until: u64,
    blocks: u64,
    mut each: impl FnMut(&mut Connection, Vec<Key>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut at = from;
    while at < until {
        let first = at / KEYS_PER_BLOCK;
        let last = first + blocks;
        let rows = connection.query(
            PAGE,
            &[
                workspace.into(),
                Param::Int(first as i64),
                Param::Int(last as i64),
            ],
        )?;
        let mut keys = Vec::with_capacity(rows.len() * KEYS_PER_BLOCK as usize);
        for (expected, mut row) in (first..).zip(rows) {
            if row.natural(0)? != expected {
                break;
            }
            let (bytes, sum) = (row.bytes(1)?, row.optional_bytes(2)?);
            check(workspace, expected, &bytes, sum.as_deref())?;
            let (whole, rest) = bytes.as_chunks::<KEY_BYTES>();
            if !rest.is_empty() {
                return Err(Error::Corrupt("a key block is cut short".into()));
            }
            keys.extend(whole.iter().map(|bytes| Key::from_bytes(*bytes)));
        }
        let skip = (at - first * KEYS_PER_BLOCK) as usize;
        let end = (until.min(last * KEYS_PER_BLOCK) - first * KEYS_PER_BLOCK) as usize;
        if keys.len() < end {
            return Err(Error::Corrupt(format!(
                "the key blocks end before position {until}"
            )));
        }
        keys.truncate(end);
        keys.drain(..skip);
        at += keys.len() as u64;
        each(connection, keys)?;
    }
    Ok(())
}
