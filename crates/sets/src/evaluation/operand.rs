//! The sets that a question is about, and how it walks along all of them at once, chunk by chunk.
//!
//! A set in memory is borrowed from; one in a file is read a window of chunks at a time, and only while the question runs.
//! Nothing is decided here. Invariant: [`Feeds::next`] stops at each upper half that any operand has, in ascending order, and
//! between two calls of it the chunks stay where they are.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::Fuel;
use crate::container::Container;
use crate::set::Chunk;
use crate::{Set, Unreadable};

/// The chunks that all the windows of a question have together, about: 32 MB if each is a bitmap.
const WINDOWS_CHUNKS: usize = 4_096;
/// The most chunks of a window.
const WINDOW_CHUNKS_MAX: usize = 128;
/// The fewest chunks of a part of a question: about a millisecond's work.
const PART_CHUNKS: usize = 64;
/// What reading a window is reckoned to take, apart from its chunks.
const READ_COST: usize = 20_000;
const READ_CHUNK_COST: usize = 1_500;

/// A set whose chunks are read when they are asked for.
pub(crate) trait Chunks: Send + Sync + fmt::Debug {
    /// How many members it has. Nothing is read for it.
    fn len(&self) -> u64;

    /// Its chunks whose upper halves are from `first` to `last`, both included.
    ///
    /// # Errors
    ///
    /// What could neither be read nor rebuilt.
    fn read(&self, first: u16, last: u16) -> Result<Window, Unreadable>;
}

/// What was read of a set.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// All that it has of what was asked for, ascending.
    pub(crate) chunks: Vec<Chunk>,
    /// The upper half of its first chunk behind what was asked for, if there is one.
    pub(crate) next: Option<u16>,
}

/// A set that a question is about. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Operand(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Held(Set),
    Filed(Arc<dyn Chunks>),
}

impl Operand {
    /// A set that is not in memory.
    pub(crate) fn filed(chunks: Arc<dyn Chunks>) -> Operand {
        Operand(Kind::Filed(chunks))
    }

    /// How many persons it has. Nothing is read for it.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Kind::Held(set) => set.len(),
            Kind::Filed(chunks) => chunks.len(),
        }
    }

    /// Whether it has nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Set> for Operand {
    fn from(set: Set) -> Operand {
        Operand(Kind::Held(set))
    }
}

/// Behind every upper half: where an operand has no more chunks, in its window or at all.
const NONE: u32 = u32::MAX;

/// Several operands, walked along together.
#[derive(Debug)]
pub(super) struct Feeds {
    feeds: Vec<Feed>,
    /// The upper half of each operand's chunk that comes next, or at which the walk is. Of what was not read yet, one that
    /// it may be and that is not too high.
    highs: Vec<u32>,
    /// Where the walk is; before the start, none.
    high: Option<u32>,
    /// The operands that are in files, by their places.
    filed: Vec<usize>,
    /// The upper halves that the windows cover; so many of them when the next windows are opened.
    covered: Range<u32>,
    window: u32,
    /// How many of `filed` were brought up to that.
    loaded: usize,
    /// The walk ends before this upper half.
    end: u32,
}

#[derive(Debug)]
struct Feed {
    operand: Operand,
    /// What was read of an operand in a file.
    window: Window,
    at: usize,
}

impl Feed {
    fn chunks(&self) -> &[Chunk] {
        match &self.operand.0 {
            Kind::Held(set) => set.chunks(),
            Kind::Filed(_) => &self.window.chunks,
        }
    }

    /// The upper half of its chunk that comes next.
    fn high(&self) -> u32 {
        match self.chunks().get(self.at) {
            Some(chunk) => u32::from(chunk.high),
            None => self.window.next.map_or(NONE, u32::from),
        }
    }
}

/// Where a walk came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// At the next upper half that an operand has.
    At(u16),
    /// Behind the last one.
    End,
    /// Nowhere yet: the budget is spent.
    Tired,
}

impl Feeds {
    pub(super) fn new(operands: Vec<Operand>) -> Feeds {
        let feeds: Vec<Feed> = operands
            .into_iter()
            .map(|operand| Feed {
                operand,
                window: Window::default(),
                at: 0,
            })
            .collect();
        let is_filed = |place: &usize| matches!(feeds[*place].operand.0, Kind::Filed(_));
        let filed: Vec<usize> = (0..feeds.len()).filter(is_filed).collect();
        let window = (WINDOWS_CHUNKS / filed.len().max(1)).clamp(1, WINDOW_CHUNKS_MAX);
        let first = |feed: &Feed| match feed.operand.0 {
            Kind::Held(_) => feed.high(),
            Kind::Filed(_) => 0,
        };
        Feeds {
            highs: feeds.iter().map(first).collect(),
            feeds,
            high: None,
            // Where nothing is read, one window has it all.
            covered: 0..if filed.is_empty() { 1 << 16 } else { 0 },
            loaded: filed.len(),
            filed,
            window: window as u32,
            end: 1 << 16,
        }
    }

    /// Upper halves that part the walk into so many of about the same length; fewer where nothing long is in memory.
    pub(super) fn parts(&self, parts: usize) -> Vec<Range<u32>> {
        let chunks = self.feeds.iter().map(Feed::chunks);
        let longest = chunks.max_by_key(|chunks| chunks.len()).unwrap_or_default();
        let parts = parts.min(longest.len() / PART_CHUNKS).max(1);
        let start = |part: usize| match part {
            0 => 0,
            part if part == parts => 1 << 16,
            part => u32::from(longest[part * longest.len() / parts].high),
        };
        (0..parts)
            .map(|part| start(part)..start(part + 1))
            .collect()
    }

    /// The same walk, over a part of the upper halves. It has not begun yet.
    pub(super) fn within(&self, highs: Range<u32>) -> Feeds {
        let operands = self.feeds.iter().map(|feed| feed.operand.clone());
        let mut feeds = Feeds::new(operands.collect());
        for (feed, high) in feeds.feeds.iter_mut().zip(&mut feeds.highs) {
            match feed.operand.0 {
                Kind::Held(_) => {
                    let before = |chunk: &Chunk| u32::from(chunk.high) < highs.start;
                    feed.at = feed.chunks().partition_point(before);
                    *high = feed.high();
                }
                Kind::Filed(_) => *high = highs.start,
            }
        }
        feeds.end = highs.end;
        feeds
    }

    /// How many operands there are.
    pub(super) fn count(&self) -> usize {
        self.feeds.len()
    }

    /// Goes on to the next upper half that any operand has.
    pub(super) fn next(&mut self, fuel: &mut Fuel) -> Result<Stop, Unreadable> {
        if let Some(high) = self.high.take() {
            for (feed, next) in self.feeds.iter_mut().zip(&mut self.highs) {
                if *next == high {
                    feed.at += 1;
                    *next = feed.high();
                }
            }
        }
        fuel.spend(20 + self.highs.len());
        loop {
            if !self.load(fuel)? {
                return Ok(Stop::Tired);
            }
            let high = self.highs.iter().copied().min().unwrap_or(NONE);
            if high >= self.end {
                return Ok(Stop::End);
            }
            if high < self.covered.end {
                self.high = Some(high);
                return Ok(Stop::At(high as u16));
            }
            self.covered = high..(high + self.window).min(self.end);
            self.loaded = 0;
        }
    }

    /// Reads the windows that are still to be read, one at least and more as long as the budget lasts; whether all are there.
    fn load(&mut self, fuel: &mut Fuel) -> Result<bool, Unreadable> {
        let mut reads = 0;
        while let Some(place) = self.filed.get(self.loaded) {
            let (feed, high) = (&mut self.feeds[*place], &mut self.highs[*place]);
            if let Kind::Filed(chunks) = &feed.operand.0
                && *high < self.covered.end
            {
                if reads > 0 && fuel.is_spent() {
                    return Ok(false);
                }
                reads += 1;
                let (first, last) = (self.covered.start, self.covered.end - 1);
                // Dropped first, so that there is never more than one.
                feed.window = Window::default();
                feed.window = chunks.read(first as u16, last as u16)?;
                feed.at = 0;
                *high = feed.high();
                fuel.spend(READ_COST + feed.window.chunks.len() * READ_CHUNK_COST);
            }
            self.loaded += 1;
        }
        Ok(true)
    }

    /// The operand's chunk where the walk is, if it has one.
    #[inline]
    pub(super) fn get(&self, place: usize) -> Option<&Arc<Container>> {
        if Some(self.highs[place]) != self.high {
            return None;
        }
        let feed = &self.feeds[place];
        Some(&feed.chunks()[feed.at].container)
    }
}
