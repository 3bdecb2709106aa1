//! A dictionary saved in a file, so that a start need not build it from the database.
//!
//! The file is a header (what it belongs to, and the length and checksum of each shard), then the table and the pages of
//! entries of each shard. It is written aside and renamed; it is taken away before it is read, so that what was verified
//! cannot be changed by anybody after that, and its entries are then the memory of the running dictionary. It does not decide
//! whether the file belongs to the database: who loads it does, from the [`CacheStamp`].
//!
//! Invariant: nothing of a file is believed before its checksums, keyed with a secret of the workspace, were found right; and
//! no more is set aside in memory than the file is long.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::dictionary::{Dictionary, SHARDS};
use crate::entries::{ENTRY_BYTES, Entries, PAGE};
use crate::machine::{Mapping, PAGE_BYTES};
use crate::room::{Room, private_file, private_folder};
use crate::shard::{BUCKET_BYTES, Bucket, ENTRIES_MAX, Shard};

const MAGIC: [u8; 8] = *b"THRONGKD";
/// The version of the format; another is not read.
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 12 << 10;
const HASH_BYTES: usize = 32;
/// The name of a database is at most so long.
const DATABASE_BYTES_MAX: usize = 1 << 10;
/// Written between two waits for the disk, so that what else is to be written need not wait for all of it.
const UNSYNCED_BYTES_MAX: usize = 32 << 20;
/// Pages of entries that are copied while a shard is locked for it.
const PAGES_AT_ONCE: usize = 32;
/// After so many changes in place while it was copied, a shard is locked for as long as it takes.
const TRIES: usize = 3;

/// What checksums are keyed with, so that nobody but who holds the workspace's secret can make a file that is believed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// A key of 32 bytes, derived from a secret for this purpose alone.
    pub const fn new(bytes: [u8; 32]) -> CacheKey {
        CacheKey(bytes)
    }

    /// A hasher for a checksum.
    pub fn hasher(&self) -> blake3::Hasher {
        blake3::Hasher::new_keyed(&self.0)
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CacheKey(***)")
    }
}

/// What a saved dictionary belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheStamp {
    /// The database's own name for itself.
    pub database: String,
    /// How often the database had been restored.
    pub epoch: i64,
    /// The workspace.
    pub workspace: i64,
    /// The newest change that the dictionary may have keys of.
    pub seq: u64,
    /// The hash of that change in the log.
    pub hash: [u8; 32],
    /// The keys of all positions before this one are in it ...
    pub complete: u64,
    /// ... and some of those before this one; none from here on.
    pub until: u64,
}

/// Why a saved dictionary was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// There is none.
    #[error("there is none")]
    Absent,
    /// It is damaged, or not of this version, or another workspace's.
    #[error("it is not to be believed: {0}")]
    Unbelievable(&'static str),
    /// It could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a header says of a shard.
#[derive(Clone, Copy)]
struct Part {
    buckets: u32,
    entries: u32,
    hash: [u8; HASH_BYTES],
}

impl Part {
    fn table_bytes(&self) -> usize {
        self.buckets as usize * BUCKET_BYTES
    }

    fn pages(&self) -> usize {
        (self.entries as usize).div_ceil(PAGE)
    }
}

impl Dictionary {
    /// Saves the dictionary in a file, while it is used. `stamp` is asked after all was written; the answer's `complete` must
    /// have been true before. Answers whether it was saved: not where `go_on` or `stamp` said no.
    ///
    /// # Errors
    ///
    /// Whatever keeps the file from being written. What was there before is then still there.
    pub fn save(
        &self,
        path: &Path,
        key: &CacheKey,
        go_on: &dyn Fn() -> bool,
        stamp: &mut dyn FnMut() -> Option<CacheStamp>,
    ) -> Result<bool, CacheError> {
        if let Some(folder) = path.parent() {
            private_folder(folder)?;
        }
        let aside = path.with_extension("new");
        fs::remove_file(&aside).ok();
        let saved = save_aside(self, &aside, key, go_on, stamp)?;
        if saved {
            fs::rename(&aside, path)?;
        } else {
            fs::remove_file(&aside)?;
        }
        Ok(saved)
    }

    /// Loads a saved dictionary, which is gone from its place then, whether it is believed or not. `believe` is asked whether
    /// it belongs to the database; further entries are put into files of `folder` (see [`Dictionary::in_folder`]).
    ///
    /// # Errors
    ///
    /// [`CacheError`], where it is not to be had.
    pub fn load(
        path: &Path,
        key: &CacheKey,
        folder: &Path,
        believe: &mut dyn FnMut(&CacheStamp) -> bool,
    ) -> Result<(Dictionary, CacheStamp), CacheError> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(CacheError::Absent);
            }
            opened => opened?,
        };
        // Before the first byte is read: nobody finds the file any more who could change it afterwards.
        fs::remove_file(path)?;
        let length = file.metadata()?.len();
        let length = usize::try_from(length).map_err(|_| TOO_LONG)?;
        if length == 0 {
            return Err(CUT);
        }
        let mapping = Mapping::new(&file, length)?;
        drop(file);
        let populate = |bytes| mapping.populate(bytes);
        let (stamp, parts, tables) = checked(mapping.bytes(), key, believe, &populate)?;
        let room = Arc::new(Room::in_folder(folder));
        let mut pages = mapping.into_pages();
        pages.skip(HEADER_BYTES);
        let mut shards = Vec::with_capacity(SHARDS);
        for (part, table) in parts.iter().zip(tables) {
            pages.skip(part.table_bytes());
            let own: Option<Vec<_>> = (0..part.pages()).map(|_| pages.page()).collect();
            let entries = Entries::of_pages(own.ok_or(CUT)?, part.entries as usize);
            shards.push(Shard::of_parts(table, entries, Arc::clone(&room)));
        }
        Ok((Dictionary::of_shards(shards.into_iter()), stamp))
    }
}

const CUT: CacheError = CacheError::Unbelievable("its length is not what it says");
const TOO_LONG: CacheError = CacheError::Unbelievable("it is larger than the address space");
const FOREIGN: CacheError = CacheError::Unbelievable("it is not of this database as it is now");
const DAMAGED: CacheError = CacheError::Unbelievable("a checksum is wrong");

fn save_aside(
    dictionary: &Dictionary,
    aside: &Path,
    key: &CacheKey,
    go_on: &dyn Fn() -> bool,
    stamp: &mut dyn FnMut() -> Option<CacheStamp>,
) -> Result<bool, CacheError> {
    let mut out = Paced {
        file: private_file(aside)?,
        unsynced: 0,
    };
    out.write_all(&[0; HEADER_BYTES])?;
    let mut parts = Vec::with_capacity(SHARDS);
    for shard in dictionary.shards() {
        let start = out.position()?;
        let mut tries = 0;
        let part = loop {
            if !go_on() {
                return Ok(false);
            }
            tries += 1;
            let part = if tries > TRIES {
                let shard = shard.read();
                save_shard(|work| work(&shard), &mut out, key)?
            } else {
                save_shard(|work| work(&shard.read()), &mut out, key)?
            };
            if let Some(part) = part {
                break part;
            }
            out.back_to(start)?;
        };
        parts.push(part);
    }
    let Some(stamp) = stamp() else {
        return Ok(false);
    };
    // A shard that was written again may have been longer before.
    let length = out.position()?;
    out.file.set_len(length)?;
    let header = header_bytes(&stamp, &parts, key)?;
    out.back_to(0)?;
    out.write_all(&header)?;
    out.file.sync_data()?;
    Ok(true)
}

/// Writes a shard as it is when this begins; none where it changed other than by growing. `with` locks it for a moment.
fn save_shard(
    with: impl Fn(&mut dyn FnMut(&Shard)),
    out: &mut Paced,
    key: &CacheKey,
) -> Result<Option<Part>, CacheError> {
    let mut hasher = key.hasher();
    let (mut bytes, mut entries, mut changes) = (Vec::new(), 0, 0);
    with(&mut |shard| {
        shard.table(&mut bytes);
        (entries, changes) = (shard.len(), shard.changes());
    });
    let buckets = (bytes.len() / BUCKET_BYTES) as u32;
    hasher.update(&bytes);
    out.write_all(&bytes)?;
    let pages = entries.div_ceil(PAGE);
    let mut unchanged = true;
    let mut left = entries * ENTRY_BYTES;
    for first in (0..pages).step_by(PAGES_AT_ONCE) {
        bytes.clear();
        with(&mut |shard| {
            unchanged = shard.changes() == changes;
            for page in first..(first + PAGES_AT_ONCE).min(pages) {
                bytes.extend_from_slice(shard.entries().page_bytes(page).unwrap_or_default());
            }
        });
        if !unchanged {
            return Ok(None);
        }
        // What was added meanwhile is not in the table.
        bytes.truncate(left);
        left -= bytes.len();
        hasher.update(&bytes);
        bytes.resize(bytes.len().next_multiple_of(PAGE_BYTES), 0);
        out.write_all(&bytes)?;
    }
    Ok(Some(Part {
        buckets,
        entries: entries as u32,
        hash: *hasher.finalize().as_bytes(),
    }))
}

/// Writes, and waits for the disk now and then.
struct Paced {
    file: File,
    unsynced: usize,
}

impl Paced {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.unsynced += bytes.len();
        if self.unsynced > UNSYNCED_BYTES_MAX {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(())
    }

    fn position(&mut self) -> io::Result<u64> {
        io::Seek::stream_position(&mut self.file)
    }

    fn back_to(&mut self, position: u64) -> io::Result<()> {
        io::Seek::seek(&mut self.file, io::SeekFrom::Start(position)).map(drop)
    }
}

fn header_bytes(stamp: &CacheStamp, parts: &[Part], key: &CacheKey) -> Result<Vec<u8>, CacheError> {
    let database = stamp.database.as_bytes();
    if database.len() > DATABASE_BYTES_MAX {
        return Err(CacheError::Unbelievable("the database's name is too long"));
    }
    let mut out = Vec::with_capacity(HEADER_BYTES);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(database.len() as u32).to_le_bytes());
    out.extend_from_slice(database);
    out.extend_from_slice(&stamp.epoch.to_le_bytes());
    out.extend_from_slice(&stamp.workspace.to_le_bytes());
    out.extend_from_slice(&stamp.seq.to_le_bytes());
    out.extend_from_slice(&stamp.hash);
    out.extend_from_slice(&stamp.complete.to_le_bytes());
    out.extend_from_slice(&stamp.until.to_le_bytes());
    for part in parts {
        out.extend_from_slice(&part.buckets.to_le_bytes());
        out.extend_from_slice(&part.entries.to_le_bytes());
        out.extend_from_slice(&part.hash);
    }
    out.resize(HEADER_BYTES - HASH_BYTES, 0);
    let hash = key.hasher().update(&out).finalize();
    out.extend_from_slice(hash.as_bytes());
    Ok(out)
}

/// What a file says, if all of it is right.
#[expect(clippy::type_complexity, reason = "the three parts of a file")]
fn checked(
    bytes: &[u8],
    key: &CacheKey,
    believe: &mut dyn FnMut(&CacheStamp) -> bool,
    populate: &(dyn Fn(Range<usize>) + Sync),
) -> Result<(CacheStamp, Vec<Part>, Vec<Vec<Bucket>>), CacheError> {
    let (stamp, parts) = header(bytes.get(..HEADER_BYTES).ok_or(CUT)?, key)?;
    if !believe(&stamp) {
        return Err(FOREIGN);
    }
    let starts = starts(&parts, bytes.len())?;
    let tables = verified(bytes, &parts, &starts, key, populate)?;
    Ok((stamp, parts, tables))
}

/// Reads a header, if its checksum is right.
fn header(bytes: &[u8], key: &CacheKey) -> Result<(CacheStamp, Vec<Part>), CacheError> {
    let mut fields = Fields(bytes);
    if fields.take()? != MAGIC {
        return Err(CacheError::Unbelievable("it is not a saved dictionary"));
    }
    if u32::from_le_bytes(fields.take()?) != VERSION {
        return Err(CacheError::Unbelievable("it is of another version"));
    }
    let (body, hash) = bytes.split_last_chunk::<HASH_BYTES>().ok_or(CUT)?;
    // The comparison of hashes takes the same time wherever they differ.
    if key.hasher().update(body).finalize() != blake3::Hash::from_bytes(*hash) {
        return Err(DAMAGED);
    }
    let length = u32::from_le_bytes(fields.take()?) as usize;
    let (database, rest) = fields.0.split_at_checked(length).ok_or(CUT)?;
    fields = Fields(rest);
    let stamp = CacheStamp {
        database: String::from_utf8(database.to_vec()).map_err(|_| DAMAGED)?,
        epoch: i64::from_le_bytes(fields.take()?),
        workspace: i64::from_le_bytes(fields.take()?),
        seq: u64::from_le_bytes(fields.take()?),
        hash: fields.take()?,
        complete: u64::from_le_bytes(fields.take()?),
        until: u64::from_le_bytes(fields.take()?),
    };
    let mut parts = Vec::with_capacity(SHARDS);
    for _ in 0..SHARDS {
        parts.push(Part {
            buckets: u32::from_le_bytes(fields.take()?),
            entries: u32::from_le_bytes(fields.take()?),
            hash: fields.take()?,
        });
    }
    Ok((stamp, parts))
}

struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], CacheError> {
        let (field, rest) = self.0.split_first_chunk().ok_or(CUT)?;
        self.0 = rest;
        Ok(*field)
    }
}

/// Where each shard begins, if together they are as long as the file is.
fn starts(parts: &[Part], length: usize) -> Result<Vec<usize>, CacheError> {
    let mut at = HEADER_BYTES as u64;
    let mut starts = Vec::with_capacity(parts.len());
    for part in parts {
        starts.push(at as usize);
        at += part.buckets as u64 * BUCKET_BYTES as u64;
        at += u64::from(part.entries).div_ceil(PAGE as u64) * PAGE_BYTES as u64;
        let sparse = u64::from(part.entries) * 5 <= u64::from(part.buckets) * 8 * 4;
        if at > length as u64 || part.entries as usize > ENTRIES_MAX || !sparse {
            return Err(CUT);
        }
    }
    if at != length as u64 {
        return Err(CUT);
    }
    Ok(starts)
}

/// Verifies every shard, on all cores, and answers their tables.
fn verified(
    bytes: &[u8],
    parts: &[Part],
    starts: &[usize],
    key: &CacheKey,
    populate: &(dyn Fn(Range<usize>) + Sync),
) -> Result<Vec<Vec<Bucket>>, CacheError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let each = SHARDS.div_ceil(threads);
    let verify = |shards: Range<usize>| -> Result<Vec<Vec<Bucket>>, CacheError> {
        let tables = shards.map(|shard| {
            let part = &parts[shard];
            let (table, rest) = bytes[starts[shard]..].split_at(part.table_bytes());
            let end = table.len() + part.pages() * PAGE_BYTES;
            populate(starts[shard]..starts[shard] + end);
            let entries = &rest[..part.entries as usize * ENTRY_BYTES];
            let hash = key.hasher().update(table).update(entries).finalize();
            if hash != blake3::Hash::from_bytes(part.hash) {
                return Err(DAMAGED);
            }
            let (buckets, _) = table.as_chunks::<BUCKET_BYTES>();
            Ok(buckets.iter().map(Bucket::from_bytes).collect())
        });
        tables.collect()
    };
    std::thread::scope(|scope| {
        let verify = &verify;
        let workers: Vec<_> = (0..SHARDS)
            .step_by(each)
            .map(|first| scope.spawn(move || verify(first..(first + each).min(SHARDS))))
            .collect();
        let mut tables = Vec::with_capacity(SHARDS);
        for worker in workers {
            tables.append(&mut worker.join().map_err(|_| DAMAGED)??);
        }
        Ok(tables)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    /// Of each byte a bit, and of the parts that the checksums do not cover (the rest of a last page) none that matters.
    #[test]
    fn a_flipped_bit_at_any_byte_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("keys");
        let key = CacheKey::new([3; 32]);
        let dictionary = Dictionary::new();
        for number in 0..40u8 {
            let key = Key::from_bytes([
                number, 1, 2, number, 4, 5, 6, 0, 8, 9, 10, 11, 12, 13, 14, 15,
            ]);
            dictionary.insert(key, u32::from(number) + 1);
        }
        let stamp = CacheStamp {
            database: "d".repeat(DATABASE_BYTES_MAX),
            epoch: 1,
            workspace: 1,
            seq: 1,
            hash: [1; 32],
            complete: 40,
            until: 40,
        };
        let saved = dictionary.save(&path, &key, &|| true, &mut || Some(stamp.clone()));
        assert!(saved.expect("it is written"));
        let mut bytes = fs::read(&path).expect("it is read");
        let (found, parts, _) = checked(&bytes, &key, &mut |_| true, &|_| ()).expect("it is sound");
        assert_eq!((found, parts[0].entries), (stamp, 40));
        let covered = HEADER_BYTES + parts[0].table_bytes() + 40 * ENTRY_BYTES;
        assert_eq!(bytes.len(), covered - 40 * ENTRY_BYTES + PAGE_BYTES);
        for at in 0..bytes.len() {
            let bit = 1 << (at * 3 % 8);
            bytes[at] ^= bit;
            let believed = checked(&bytes, &key, &mut |_| true, &|_| ()).is_ok();
            assert_eq!(believed, at >= covered, "byte {at}");
            bytes[at] ^= bit;
        }
    }
}
