//! A set as a file of the cache: a header, a directory of its chunks, and the chunks in the shapes of the Roaring format.
//!
//! It knows neither when a file is written nor what takes its place where it fails. Invariant: nothing of a file is believed
//! that is not covered by a checksum. The header and the directory carry one under the workspace's own key, so that a file of
//! another workspace, database or program is not taken for one; each chunk's is in the directory, and is checked when the
//! chunk is read. A file is written aside and renamed, and the content of a set in one version never changes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::codec::CodecError;
use crate::container::{ARRAY_MAX, Shape, WORDS};
use crate::set::{Chunk, Set};
use crate::set_codec::{read_container, write_container};
use crate::{Person, SetId};

const MAGIC: [u8; 8] = *b"thr.set\n";
const FORMAT: u32 = 1;
/// Magic, format, chunks, owner, set, version, members, hash of the change.
const HEADER: usize = 8 + 4 + 4 + 32 + 8 + 8 + 8 + 32;
/// Upper half, shape, nothing, members, offset, bytes, checksum.
const ENTRY: usize = 2 + 1 + 1 + 4 + 4 + 4 + 16;
const SUM: usize = 32;
/// There are no more chunks than upper halves.
const CHUNKS_MAX: usize = 1 << 16;

/// Whose files they are: a mark of the database and the workspace, and the key of their checksums.
#[derive(Clone)]
pub struct Owner {
    /// Names the database, its restore epoch and the workspace.
    pub mark: [u8; 32],
    /// Known to nobody but the workspace.
    pub key: [u8; 32],
}

impl std::fmt::Debug for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Owner(***)")
    }
}

/// What a file holds: a set in one version, of which the log's change of that number has this hash.
#[derive(Debug, Copy, Clone, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) set: SetId,
    pub(crate) version: u64,
    pub(crate) change: [u8; 32],
}

/// Why a file is not believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Damage {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Codec(#[from] CodecError),
    #[error("{0}")]
    Other(&'static str),
}

/// A chunk's line in the directory.
#[derive(Debug, Copy, Clone)]
struct Entry {
    high: u16,
    shape: Shape,
    len: u32,
    offset: u32,
    bytes: u32,
    sum: [u8; 16],
}

impl Entry {
    fn to_bytes(self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        bytes[0..2].copy_from_slice(&self.high.to_le_bytes());
        bytes[2] = match self.shape {
            Shape::Array => 1,
            Shape::Bitmap => 2,
            Shape::Runs => 3,
        };
        bytes[4..8].copy_from_slice(&self.len.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.offset.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.bytes.to_le_bytes());
        bytes[16..32].copy_from_slice(&self.sum);
        bytes
    }

    fn from_bytes(bytes: &[u8; ENTRY]) -> Option<Entry> {
        let word = |at: usize| {
            let word = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
            u32::from_le_bytes(word)
        };
        let mut sum = [0; 16];
        sum.copy_from_slice(&bytes[16..32]);
        let entry = Entry {
            high: u16::from_le_bytes([bytes[0], bytes[1]]),
            shape: match bytes[2] {
                1 => Shape::Array,
                2 => Shape::Bitmap,
                3 => Shape::Runs,
                _ => return None,
            },
            len: word(4),
            offset: word(8),
            bytes: word(12),
            sum,
        };
        let len = entry.len as usize;
        let fits = match entry.shape {
            Shape::Array => (1..=ARRAY_MAX).contains(&len) && entry.bytes as usize == 2 * len,
            Shape::Bitmap => len <= CHUNKS_MAX && entry.bytes as usize == 8 * WORDS,
            Shape::Runs => (1..=CHUNKS_MAX).contains(&len) && entry.bytes as usize <= 8 * WORDS,
        };
        (fits && bytes[3] == 0).then_some(entry)
    }
}

fn sum_of(bytes: &[u8]) -> [u8; 16] {
    let mut sum = [0; 16];
    sum.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    sum
}

fn header(owner: &Owner, label: &Label, chunks: usize, len: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + chunks * ENTRY + SUM);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&(chunks as u32).to_le_bytes());
    bytes.extend_from_slice(&owner.mark);
    bytes.extend_from_slice(&label.set.to_le_bytes());
    bytes.extend_from_slice(&label.version.to_le_bytes());
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(&label.change);
    bytes
}

/// The name beside which a file is written before it is renamed.
fn aside(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// Writes a set's file, whatever is there by that name, and answers how many bytes it has. Not made durable: what a crash
/// leaves of it fails its checksums.
pub(crate) fn write(path: &Path, owner: &Owner, label: &Label, set: &Set) -> io::Result<u64> {
    let aside = aside(path);
    let written = write_aside(&aside, owner, label, set)
        .and_then(|bytes| fs::rename(&aside, path).map(|()| bytes));
    if written.is_err() {
        fs::remove_file(&aside).ok();
    }
    written
}

fn write_aside(aside: &Path, owner: &Owner, label: &Label, set: &Set) -> io::Result<u64> {
    let chunks = set.chunks();
    let mut head = header(owner, label, chunks.len(), set.len());
    let mut offset = (HEADER + chunks.len() * ENTRY + SUM) as u64;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(aside)?;
    let mut out = BufWriter::with_capacity(1 << 18, file);
    out.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(8 * WORDS);
    for chunk in chunks {
        bytes.clear();
        let shape = write_container(&mut bytes, &chunk.container);
        out.write_all(&bytes)?;
        let entry = Entry {
            high: chunk.high,
            shape,
            len: chunk.container.len() as u32,
            // A set has at most 2^16 chunks of 8 KiB, and their directory.
            offset: offset as u32,
            bytes: bytes.len() as u32,
            sum: sum_of(&bytes),
        };
        head.extend_from_slice(&entry.to_bytes());
        offset += bytes.len() as u64;
    }
    let sum = blake3::keyed_hash(&owner.key, &head);
    head.extend_from_slice(sum.as_bytes());
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&head)?;
    out.flush()?;
    Ok(offset)
}

/// An opened file whose header and directory are right.
#[derive(Debug)]
pub(crate) struct SetFile {
    file: File,
    change: [u8; 32],
    entries: Vec<Entry>,
}

impl SetFile {
    /// Opens the file of a set in a version that has so many members.
    pub(crate) fn open(
        path: &Path,
        owner: &Owner,
        (set, version, len): (SetId, u64, u64),
    ) -> Result<SetFile, Damage> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut start = [0; HEADER];
        file.read_exact_at(&mut start, 0)?;
        let chunks = u32::from_le_bytes([start[12], start[13], start[14], start[15]]) as usize;
        let mut change = [0; 32];
        change.copy_from_slice(&start[HEADER - 32..]);
        let label = Label {
            set,
            version,
            change,
        };
        if chunks > CHUNKS_MAX || start[..] != header(owner, &label, chunks, len)[..] {
            return Err(Damage::Other("it is the file of something else"));
        }
        let directory = chunks * ENTRY;
        if size < (HEADER + directory + SUM) as u64 {
            return Err(Damage::Other("it ends in its directory"));
        }
        let mut rest = vec![0; directory + SUM];
        file.read_exact_at(&mut rest, HEADER as u64)?;
        let (directory, sum) = rest.split_at(directory);
        let mut hasher = blake3::Hasher::new_keyed(&owner.key);
        hasher.update(&start).update(directory);
        if hasher.finalize().as_bytes()[..] != *sum {
            return Err(Damage::Other("its directory does not fit its checksum"));
        }
        let entries = entries(directory, len, size)
            .ok_or(Damage::Other("its directory contradicts itself"))?;
        Ok(SetFile {
            file,
            change,
            entries,
        })
    }

    /// The hash of the change of the log after which the set was so.
    pub(crate) fn change(&self) -> &[u8; 32] {
        &self.change
    }

    /// The chunks whose upper halves lie within, and the upper half of the first behind them.
    pub(crate) fn read(&self, first: u16, last: u16) -> Result<(Vec<Chunk>, Option<u16>), Damage> {
        let from = self.entries.partition_point(|entry| entry.high < first);
        let to = self.entries.partition_point(|entry| entry.high <= last);
        let next = self.entries.get(to).map(|entry| entry.high);
        let wanted = &self.entries[from..to.max(from)];
        let (Some(start), Some(end)) = (wanted.first(), wanted.last()) else {
            return Ok((Vec::new(), next));
        };
        // Chunks lie one after the other, so a window is one read.
        let mut bytes = vec![0; (end.offset + end.bytes - start.offset) as usize];
        self.file
            .read_exact_at(&mut bytes, u64::from(start.offset))?;
        let chunks = wanted.iter().map(|entry| {
            let at = (entry.offset - start.offset) as usize;
            chunk(entry, &bytes[at..at + entry.bytes as usize])
        });
        Ok((chunks.collect::<Result<_, _>>()?, next))
    }

    /// The whole set.
    pub(crate) fn set(&self) -> Result<Set, Damage> {
        /// Chunks read at once: two megabytes at most.
        const WINDOW: usize = 256;
        let mut chunks = Vec::with_capacity(self.entries.len());
        for window in self.entries.chunks(WINDOW) {
            let (mut read, _) = self.read(window[0].high, window[window.len() - 1].high)?;
            chunks.append(&mut read);
        }
        Ok(Set::from_chunks(chunks))
    }

    /// Whether a person is in the set, from one chunk.
    pub(crate) fn contains(&self, person: Person) -> Result<bool, Damage> {
        let high = (person >> 16) as u16;
        let (chunks, _) = self.read(high, high)?;
        let within = |chunk: &Chunk| chunk.container.contains(person as u16);
        Ok(chunks.first().is_some_and(within))
    }
}

/// The directory, if it says what a writer would have written: it accounts for every byte of the file and every member.
fn entries(directory: &[u8], members: u64, size: u64) -> Option<Vec<Entry>> {
    let lines = directory.as_chunks::<ENTRY>().0;
    let mut entries: Vec<Entry> = Vec::with_capacity(lines.len());
    let mut offset = (HEADER + directory.len() + SUM) as u64;
    let mut counted = 0;
    for line in lines {
        let entry = Entry::from_bytes(line)?;
        let ascends = entries.last().is_none_or(|last| last.high < entry.high);
        if !ascends || u64::from(entry.offset) != offset {
            return None;
        }
        offset += u64::from(entry.bytes);
        counted += u64::from(entry.len);
        entries.push(entry);
    }
    (offset == size && counted == members).then_some(entries)
}

fn chunk(entry: &Entry, bytes: &[u8]) -> Result<Chunk, Damage> {
    if sum_of(bytes) != entry.sum {
        return Err(Damage::Other("a chunk does not fit its checksum"));
    }
    let container = read_container(bytes, entry.shape, entry.len as usize)?;
    Ok(Chunk {
        high: entry.high,
        container: Arc::new(container),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner = Owner {
        mark: [7; 32],
        key: [9; 32],
    };
    const LABEL: Label = Label {
        set: -3,
        version: 12,
        change: [5; 32],
    };

    /// All three shapes.
    fn sample() -> Set {
        let sparse = (0..40u32).map(|number| number * 31);
        let dense = (65_536..131_072).filter(|number| number % 3 != 0);
        let run = 400_000..400_100;
        sparse.chain(dense).chain(run).collect()
    }

    fn open(path: &Path, len: u64) -> Result<SetFile, Damage> {
        SetFile::open(path, &OWNER, (LABEL.set, LABEL.version, len))
    }

    #[test]
    fn a_set_comes_back_whole_and_in_windows() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.set");
        for set in [sample(), Set::new(), Set::range(1, 5 << 16)] {
            let bytes = write(&path, &OWNER, &LABEL, &set).expect("is written");
            assert_eq!(fs::metadata(&path).expect("is there").len(), bytes);
            let file = open(&path, set.len()).expect("is right");
            assert_eq!(file.change(), &LABEL.change);
            assert_eq!(file.set().expect("is right"), set);
            for person in [0, 31, 32, 65_537, 65_538, 400_099, 400_100, u32::MAX] {
                let found = file.contains(person).expect("is right");
                assert_eq!(found, set.contains(person), "{person}");
            }
        }
        assert_eq!(fs::read_dir(folder.path()).expect("lists").count(), 1);
    }

    #[test]
    fn another_file_is_not_believed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.set");
        let set = sample();
        write(&path, &OWNER, &LABEL, &set).expect("is written");
        let (id, version, len) = (LABEL.set, LABEL.version, set.len());
        let foreign = Owner {
            mark: [8; 32],
            ..OWNER
        };
        let keyed = Owner {
            key: [8; 32],
            ..OWNER
        };
        for (owner, what) in [
            (&foreign, (id, version, len)),
            (&keyed, (id, version, len)),
            (&OWNER, (id - 1, version, len)),
            (&OWNER, (id, version + 1, len)),
            (&OWNER, (id, version, len + 1)),
        ] {
            assert!(SetFile::open(&path, owner, what).is_err(), "{what:?}");
        }
        assert!(open(&folder.path().join("b.set"), len).is_err());
    }

    #[test]
    fn damage_anywhere_is_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.set");
        let set: Set = (0..40u32).map(|number| number * 5_000).collect();
        write(&path, &OWNER, &LABEL, &set).expect("is written");
        let good = fs::read(&path).expect("reads");
        let whole = |bytes: &[u8]| {
            fs::write(&path, bytes).expect("is written");
            open(&path, set.len()).and_then(|file| file.set())
        };
        assert_eq!(whole(&good).expect("is right"), set);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(whole(&bad).is_err(), "a flipped bit at {at}");
            assert!(whole(&good[..at]).is_err(), "an end at {at}");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert!(whole(&longer).is_err());
    }
}
