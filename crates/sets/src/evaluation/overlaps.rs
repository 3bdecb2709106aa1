//! How many persons each of some sets shares with each of others.
//!
//! One pass over all sets, chunk by chunk, so that each is read once however many pairs it is in. What is in many pairs is
//! made a bitmap first, once a chunk: two bitmaps are compared in a fixed short time, four at once. Invariant: the work may
//! rest after some pairs of a chunk, and each pair is counted once a chunk.

use std::fmt;

use super::operand::{Feeds, Stop};
use super::{Fuel, Operand, Question};
use crate::Unreadable;
use crate::container::words::{self, WORDS, Words};
use crate::container::{Container, Run, arrays};
use crate::machine::Level;

/// From this many rows on, columns are made bitmaps.
const ROWS_MANY: usize = 4;
/// How many columns a row is compared with before the budget is looked at.
const STRIP: usize = 64;
/// From this ratio of lengths on, few numbers are looked up among many.
const SKEW: usize = 16;

/// How many persons each of some sets shares with each of others.
#[derive(Debug)]
pub struct Overlaps {
    /// The rows; then the columns, if those are not the rows.
    feeds: Feeds,
    rows: usize,
    kind: Kind,
    /// A row of counts after the other.
    counts: Vec<u64>,
    chunk: Option<Chunk>,
    /// The columns of the chunk that were made bitmaps.
    tile: Vec<Bits>,
    row_bits: Box<Bits>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Among,
    Between,
    /// Rows and columns changed places, so that there are fewer rows.
    Turned,
}

/// A chunk under way.
#[derive(Debug)]
struct Chunk {
    /// The rows and the columns that have members in it, by their places in the feeds.
    rows: Vec<usize>,
    columns: Vec<usize>,
    /// For each column, where in the tile it is.
    tiled: Vec<Option<usize>>,
    /// The row and the column to go on with.
    row: usize,
    column: usize,
    /// Whether the row's bits are made.
    is_marked: bool,
}

/// Words that lie in as few cache lines as they can.
#[derive(Clone)]
#[repr(align(64))]
struct Bits(Words);

impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bits")
    }
}

impl Overlaps {
    /// The overlap of each row with each column.
    pub fn between(rows: Vec<Operand>, columns: Vec<Operand>) -> Overlaps {
        let kind = match rows.len() <= columns.len() {
            true => Kind::Between,
            false => Kind::Turned,
        };
        let (rows, columns) = match kind {
            Kind::Turned => (columns, rows),
            _ => (rows, columns),
        };
        let counts = vec![0; rows.len() * columns.len()];
        let count = rows.len();
        Overlaps::new(
            rows.into_iter().chain(columns).collect(),
            count,
            kind,
            counts,
        )
    }

    /// The overlap of each set with each, itself included; every pair is counted once.
    pub fn among(sets: Vec<Operand>) -> Overlaps {
        let count = sets.len();
        let mut counts = vec![0; count * count];
        for (place, set) in sets.iter().enumerate() {
            counts[place * count + place] = set.len();
        }
        Overlaps::new(sets, count, Kind::Among, counts)
    }

    fn new(sets: Vec<Operand>, rows: usize, kind: Kind, counts: Vec<u64>) -> Overlaps {
        Overlaps {
            feeds: Feeds::new(sets),
            rows,
            kind,
            counts,
            chunk: None,
            tile: Vec::new(),
            row_bits: Box::new(Bits([0; WORDS])),
        }
    }

    /// The places in the feeds of the columns.
    fn columns(&self) -> std::ops::Range<usize> {
        match self.kind {
            Kind::Among => 0..self.rows,
            _ => self.rows..self.feeds.count(),
        }
    }

    /// Begins the chunk at which the feeds are, if any pair has members in it.
    fn begin(&mut self, fuel: &mut Fuel) -> Option<Chunk> {
        let has = |place: &usize| self.feeds.get(*place).is_some();
        let rows: Vec<usize> = (0..self.rows).filter(has).collect();
        let columns: Vec<usize> = match self.kind {
            Kind::Among => rows.clone(),
            _ if rows.is_empty() => return None,
            _ => self.columns().filter(has).collect(),
        };
        if columns.is_empty() || (self.kind == Kind::Among && columns.len() < 2) {
            return None;
        }
        fuel.spend(4 * (rows.len() + columns.len()));
        let heavy = heavy();
        let mut tiled = vec![None; columns.len()];
        let mut used = 0;
        if rows.len() >= ROWS_MANY {
            for (place, tiled) in columns.iter().zip(&mut tiled) {
                let Some(container) = self.feeds.get(*place) else {
                    continue;
                };
                let len = container.len();
                if len < heavy || len == FULL_LEN || matches!(**container, Container::Bitmap(_)) {
                    continue;
                }
                if self.tile.len() == used {
                    self.tile.push(Bits([0; WORDS]));
                }
                mark(&mut self.tile[used].0, container);
                fuel.spend(100 + len);
                *tiled = Some(used);
                used += 1;
            }
        }
        Some(Chunk {
            rows,
            columns,
            tiled,
            row: 0,
            column: 0,
            is_marked: false,
        })
    }

    /// Goes on with a chunk; whether all of it is done.
    fn go_on(&mut self, chunk: &mut Chunk, fuel: &mut Fuel) -> bool {
        while let Some(row) = chunk.rows.get(chunk.row) {
            if self.kind == Kind::Among {
                chunk.column = chunk.column.max(chunk.row + 1);
            }
            let end = chunk.columns.len().min(chunk.column + STRIP);
            if chunk.column < end {
                self.strip(*row, chunk, end, fuel);
                chunk.column = end;
            }
            if chunk.column >= chunk.columns.len() {
                chunk.row += 1;
                chunk.column = 0;
                chunk.is_marked = false;
            }
            if fuel.is_spent() {
                break;
            }
        }
        chunk.row == chunk.rows.len()
    }

    /// Compares a row with some columns.
    fn strip(&mut self, row: usize, chunk: &mut Chunk, end: usize, fuel: &mut Fuel) {
        let Some(container) = self.feeds.get(row) else {
            return;
        };
        // Among the same sets, a row is a column too, and may be in the tile.
        let tiled = match self.kind {
            Kind::Among => chunk.tiled[chunk.row],
            _ => None,
        };
        let bits = match (&**container, tiled) {
            (Container::Bitmap(bitmap), _) => bitmap.words(),
            (_, Some(tiled)) => &self.tile[tiled].0,
            (container, None) => {
                if !chunk.is_marked {
                    mark(&mut self.row_bits.0, container);
                    chunk.is_marked = true;
                    fuel.spend(100 + container.len());
                }
                &self.row_bits.0
            }
        };
        let row_view = View {
            bits,
            few: match &**container {
                Container::Array(list) if list.len() < heavy() => Some(list),
                _ => None,
            },
            len: container.len(),
        };
        let (width, first) = (self.columns().len(), self.columns().start);
        let counts = &mut self.counts[row * width..(row + 1) * width];
        let mut four: [(usize, &Words); 4] = [(0, bits); 4];
        let mut waiting = 0;
        for at in chunk.column..end {
            let place = chunk.columns[at];
            let Some(column) = self.feeds.get(place) else {
                continue;
            };
            let words = match (&**column, chunk.tiled[at]) {
                (Container::Bitmap(bitmap), _) => Some(bitmap.words()),
                (_, Some(tiled)) => Some(&self.tile[tiled].0),
                _ => None,
            };
            let (count, cost) = match words {
                Some(words) if row_view.few.is_none() => {
                    four[waiting] = (place - first, words);
                    waiting += 1;
                    (0, 200)
                }
                Some(words) => row_view.in_words(words),
                None => row_view.in_container(column),
            };
            fuel.spend(cost);
            counts[place - first] += count as u64;
            if waiting == 4 {
                let shared = words::and_len_4(bits, four.map(|(_, words)| words));
                for ((place, _), count) in four.iter().zip(shared) {
                    counts[*place] += u64::from(count);
                }
                waiting = 0;
            }
        }
        for (place, words) in &four[..waiting] {
            counts[*place] += u64::from(words::and_len(bits, words));
        }
    }

    fn answer(&mut self) -> Vec<Vec<u64>> {
        let (height, width) = (self.rows, self.columns().len());
        let counts = std::mem::take(&mut self.counts);
        let at = |row: usize, column: usize| match self.kind {
            Kind::Among => counts[row.min(column) * width + row.max(column)],
            _ => counts[row * width + column],
        };
        match self.kind {
            Kind::Turned => (0..width)
                .map(|column| (0..height).map(|row| at(row, column)).collect())
                .collect(),
            _ => (0..height)
                .map(|row| (0..width).map(|column| at(row, column)).collect())
                .collect(),
        }
    }
}

impl Question for Overlaps {
    /// A row of counts for each row, in the order of the columns.
    type Answer = Vec<Vec<u64>>;

    fn advance(&mut self, budget: usize) -> Result<Option<Vec<Vec<u64>>>, Unreadable> {
        let mut fuel = Fuel::of(budget);
        loop {
            match self.chunk.take() {
                Some(mut chunk) => {
                    if !self.go_on(&mut chunk, &mut fuel) {
                        self.chunk = Some(chunk);
                    }
                }
                None => match self.feeds.next(&mut fuel)? {
                    Stop::Tired => return Ok(None),
                    Stop::End => return Ok(Some(self.answer())),
                    Stop::At(_) => self.chunk = self.begin(&mut fuel),
                },
            }
            if fuel.is_spent() {
                return Ok(None);
            }
        }
    }
}

const FULL_LEN: usize = 1 << 16;

/// A row within a chunk.
struct View<'a> {
    bits: &'a Words,
    /// The same as a list, where they are few.
    few: Option<&'a [u16]>,
    len: usize,
}

impl View<'_> {
    /// How many are in the words too, and what it cost.
    fn in_words(&self, words: &Words) -> (usize, usize) {
        match self.few {
            Some(list) => (words::probe(words, list), 20 + 2 * list.len()),
            None => (words::and_len(self.bits, words) as usize, 400),
        }
    }

    /// How many are in a container, which is no bitmap, too, and what it cost.
    fn in_container(&self, container: &Container) -> (usize, usize) {
        match container {
            _ if container.len() == FULL_LEN => (self.len, 10),
            Container::Array(list) => match self.few {
                Some(few) if few.len() * SKEW < list.len() => {
                    (arrays::and_len(few, list), 40 + 20 * few.len())
                }
                _ => (words::probe(self.bits, list), 40 + list.len()),
            },
            Container::Bitmap(bitmap) => self.in_words(bitmap.words()),
            Container::Runs(runs) => {
                let list: &[Run] = runs.list();
                (words::and_len_runs(self.bits, list), 100 + 8 * list.len())
            }
        }
    }
}

/// Writes the members of a container over the words.
fn mark(words: &mut Words, container: &Container) {
    words.fill(0);
    match container {
        Container::Array(list) => words::set(words, list),
        Container::Bitmap(bitmap) => words.copy_from_slice(bitmap.words()),
        Container::Runs(runs) => words::set_runs(words, runs.list()),
    }
}

/// From this many members on, comparing two bitmaps takes less than looking them up.
fn heavy() -> usize {
    match Level::best() {
        Level::Plain => 2_048,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => 512,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => 192,
    }
}
