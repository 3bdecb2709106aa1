//! How many persons each of some sets shares with each of others.
//!
//! One pass over all sets, chunk by chunk, so that each is read once however many pairs it is in. What is in many pairs is
//! made a bitmap first, once a chunk: two bitmaps are compared in a fixed short time, four at once. Invariant: the work may
//! rest after some pairs of a chunk, and each pair is counted once a chunk.

use std::fmt;

use super::gather::cost;
use super::operand::{Feeds, Stop};
use super::{Divide, Fuel, Operand, Question};
use crate::Unreadable;
use crate::container::words::{self, WORDS, Words};
use crate::container::{Container, Run, arrays};
use crate::machine::{self, Level};

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

    /// All that there is to do about a chunk of two sets.
    fn pair(&mut self, fuel: &mut Fuel) {
        if let (Some(a), Some(b)) = (self.feeds.get(0), self.feeds.get(1)) {
            fuel.spend((cost(a) + cost(b)) / 2);
            // In a table of one by one, and in one of two by two, where only the upper half is counted.
            let place = if self.kind == Kind::Among { 1 } else { 0 };
            self.counts[place] += a.and_len(b) as u64;
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
        // All are looked at before the first is compared, so that their memory is asked for at once.
        let mut shapes = [(0, Shape::Full); STRIP];
        let mut found = 0;
        for at in chunk.column..end {
            let place = chunk.columns[at];
            let Some(column) = self.feeds.get(place) else {
                continue;
            };
            let tiled = chunk.tiled[at].map(|tiled| &self.tile[tiled].0);
            shapes[found] = (place - first, Shape::of(column, tiled));
            found += 1;
        }
        let mut four: [(usize, &Words); 4] = [(0, bits); 4];
        let mut waiting = 0;
        for (at, (place, shape)) in shapes[..found].iter().enumerate() {
            if let Some((_, next)) = shapes[..found].get(at + 1) {
                next.prefetch();
            }
            let (count, cost) = match shape {
                Shape::Words(words) if row_view.few.is_none() => {
                    four[waiting] = (*place, words);
                    waiting += 1;
                    (0, 200)
                }
                shape => row_view.and_len(*shape),
            };
            fuel.spend(cost);
            counts[*place] += count as u64;
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
                    Stop::At(_) if self.rows > 0 && self.feeds.count() == 2 => self.pair(&mut fuel),
                    Stop::At(_) => self.chunk = self.begin(&mut fuel),
                },
            }
            if fuel.is_spent() {
                return Ok(None);
            }
        }
    }
}

impl Divide for Overlaps {
    fn divide(self, parts: usize) -> Vec<Overlaps> {
        let parts = self.feeds.parts(parts).into_iter();
        let mut divided: Vec<Overlaps> = parts
            .map(|highs| Overlaps {
                feeds: self.feeds.within(highs),
                counts: vec![0; self.counts.len()],
                tile: Vec::new(),
                row_bits: self.row_bits.clone(),
                chunk: None,
                ..self
            })
            .collect();
        // What is known already is counted once.
        divided[0].counts = self.counts;
        divided
    }

    fn join(answers: Vec<Vec<Vec<u64>>>) -> Vec<Vec<u64>> {
        let mut answers = answers.into_iter();
        let mut sum = answers.next().unwrap_or_default();
        for answer in answers {
            for (counts, more) in sum.iter_mut().zip(answer) {
                for (count, more) in counts.iter_mut().zip(more) {
                    *count += more;
                }
            }
        }
        sum
    }
}

const FULL_LEN: usize = 1 << 16;

/// A column within a chunk.
#[derive(Debug, Clone, Copy)]
enum Shape<'a> {
    Full,
    Words(&'a Words),
    Lows(&'a [u16]),
    Runs(&'a [Run]),
}

impl<'a> Shape<'a> {
    fn of(container: &'a Container, tiled: Option<&'a Words>) -> Shape<'a> {
        match (container, tiled) {
            (_, Some(words)) => Shape::Words(words),
            _ if container.len() == FULL_LEN => Shape::Full,
            (Container::Array(list), _) => Shape::Lows(list),
            (Container::Bitmap(bitmap), _) => Shape::Words(bitmap.words()),
            (Container::Runs(runs), _) => Shape::Runs(runs.list()),
        }
    }

    fn prefetch(self) {
        match self {
            Shape::Full => {}
            Shape::Words(words) => machine::prefetch_slice(words),
            Shape::Lows(list) => machine::prefetch_slice(list),
            Shape::Runs(list) => machine::prefetch_slice(list),
        }
    }
}

/// A row within a chunk.
struct View<'a> {
    bits: &'a Words,
    /// The same as a list, where they are few.
    few: Option<&'a [u16]>,
    len: usize,
}

impl View<'_> {
    /// How many are in the column too, and what it cost to find out.
    fn and_len(&self, column: Shape<'_>) -> (usize, usize) {
        match (column, self.few) {
            (Shape::Full, _) => (self.len, 10),
            (Shape::Words(words), Some(few)) => (words::probe(words, few), 20 + 2 * few.len()),
            (Shape::Words(words), None) => (words::and_len(self.bits, words) as usize, 400),
            (Shape::Lows(list), Some(few)) if few.len() * SKEW < list.len() => {
                (arrays::and_len(few, list), 40 + 20 * few.len())
            }
            (Shape::Lows(list), _) => (words::probe(self.bits, list), 40 + list.len() / 2),
            (Shape::Runs(list), _) => (words::and_len_runs(self.bits, list), 100 + 8 * list.len()),
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
