//! How many an expression holds, and who.
//!
//! Chunk by chunk: each is evaluated whole before the next is looked at, with as many blocks at once as the expression is
//! deep. What one operand decides alone ends its group. Invariant: an evaluation may rest after every operand, and where it
//! rested changes nothing.

use std::ops::Range;
use std::sync::Arc;

use super::block::{Block, FULL_LEN, Pool};
use super::operand::{Feeds, Stop};
use super::plan::Plan;
use super::{Divide, Fuel, Operand, Question};
use crate::container::Container;
use crate::set::Chunk;
use crate::{Expression, Person, Set, Unreadable};

/// How many persons an expression holds.
#[derive(Debug)]
pub struct Count {
    evaluation: Evaluation,
    total: u64,
}

impl Count {
    /// Everybody is the persons below `next_person`.
    ///
    /// # Panics
    ///
    /// When the expression names an operand that is not there.
    pub fn new(expression: Expression, operands: Vec<Operand>, next_person: Person) -> Count {
        Count {
            evaluation: Evaluation::new(&expression, operands, next_person, true),
            total: 0,
        }
    }
}

impl Question for Count {
    type Answer = u64;

    fn advance(&mut self, budget: usize) -> Result<Option<u64>, Unreadable> {
        let mut fuel = Fuel::of(budget);
        loop {
            self.total += match self.evaluation.next(&mut fuel)? {
                Found::Tired => return Ok(None),
                Found::End => return Ok(Some(self.total)),
                Found::Everybody(persons) => u64::from(persons.end - persons.start),
                Found::Counted(len) => len as u64,
                Found::Chunk(_, value) => {
                    let len = self.evaluation.len_of(&value);
                    self.evaluation.put(value);
                    len as u64
                }
            };
            if fuel.is_spent() {
                return Ok(None);
            }
        }
    }
}

impl Divide for Count {
    fn divide(self, parts: usize) -> Vec<Count> {
        let count = |evaluation| Count {
            evaluation,
            total: 0,
        };
        self.evaluation
            .divide(parts)
            .into_iter()
            .map(count)
            .collect()
    }

    fn join(answers: Vec<u64>) -> u64 {
        answers.into_iter().sum()
    }
}

/// Whom an expression holds.
#[derive(Debug)]
pub struct Gather {
    evaluation: Evaluation,
    chunks: Vec<Chunk>,
}

impl Gather {
    /// Everybody is the persons below `next_person`.
    ///
    /// # Panics
    ///
    /// When the expression names an operand that is not there.
    pub fn new(expression: Expression, operands: Vec<Operand>, next_person: Person) -> Gather {
        Gather {
            evaluation: Evaluation::new(&expression, operands, next_person, false),
            chunks: Vec::new(),
        }
    }
}

impl Question for Gather {
    type Answer = Set;

    fn advance(&mut self, budget: usize) -> Result<Option<Set>, Unreadable> {
        let mut fuel = Fuel::of(budget);
        loop {
            match self.evaluation.next(&mut fuel)? {
                Found::Tired => return Ok(None),
                Found::End => {
                    let chunks = std::mem::take(&mut self.chunks);
                    return Ok(Some(Set::from_chunks(chunks)));
                }
                Found::Everybody(persons) => {
                    let everybody = Set::range(persons.start, persons.end - 1);
                    self.chunks.extend_from_slice(everybody.chunks());
                }
                Found::Counted(_) => unreachable!("it does not only count"),
                Found::Chunk(high, value) => {
                    fuel.spend(2_000);
                    if let Some(container) = self.evaluation.container(value) {
                        self.chunks.push(Chunk { high, container });
                    }
                }
            }
            if fuel.is_spent() {
                return Ok(None);
            }
        }
    }
}

impl Divide for Gather {
    fn divide(self, parts: usize) -> Vec<Gather> {
        let gather = |evaluation| Gather {
            evaluation,
            chunks: Vec::new(),
        };
        self.evaluation
            .divide(parts)
            .into_iter()
            .map(gather)
            .collect()
    }

    fn join(answers: Vec<Set>) -> Set {
        let chunks = answers.iter().flat_map(|set| set.chunks().iter().cloned());
        Set::from_chunks(chunks.collect())
    }
}

/// The most operands of a group whose memory is asked for at once; of more, the first would be gone again.
const PREFETCHED_MAX: usize = 32;

/// An evaluation under way.
#[derive(Debug)]
struct Evaluation {
    plan: Arc<Plan>,
    feeds: Feeds,
    /// Everybody is the persons before it, from 1 on.
    next_person: Person,
    /// Whether the last operation of a chunk may count only.
    counting: bool,
    /// What is not evaluated yet, by upper halves.
    rest: Range<u32>,
    /// The chunk under way.
    high: Option<u16>,
    stack: Vec<Frame>,
    pool: Pool,
}

/// What an evaluation comes to next.
enum Found {
    /// Nothing yet: the budget is spent.
    Tired,
    End,
    /// All of these.
    Everybody(Range<Person>),
    /// So many more.
    Counted(usize),
    Chunk(u16, Value),
}

/// What a group comes to within a chunk.
#[derive(Debug)]
enum Value {
    /// What the operand has.
    Operand(usize),
    Block(Block),
}

/// A group under way.
#[derive(Debug)]
struct Frame {
    group: usize,
    /// How many of its parts were looked at: the wanted, the unwanted, the groups.
    step: usize,
    /// The operand that it began with.
    begun: Option<usize>,
    value: Value,
}

/// What a step of a group leads to.
enum Next {
    Step,
    Group(usize),
    Done(Value),
    Counted(usize),
}

impl Evaluation {
    fn new(
        expression: &Expression,
        operands: Vec<Operand>,
        next_person: Person,
        counting: bool,
    ) -> Evaluation {
        assert!(
            expression.operands() <= operands.len(),
            "every operand is there"
        );
        Evaluation {
            plan: Arc::new(Plan::new(expression, &operands)),
            feeds: Feeds::new(operands),
            next_person,
            counting,
            rest: 0..1 << 16,
            high: None,
            stack: Vec::new(),
            pool: Pool::default(),
        }
    }

    fn divide(self, parts: usize) -> Vec<Evaluation> {
        let part = |highs: Range<u32>| Evaluation {
            plan: Arc::clone(&self.plan),
            feeds: self.feeds.within(highs.clone()),
            next_person: self.next_person,
            counting: self.counting,
            rest: highs,
            high: None,
            stack: Vec::new(),
            pool: Pool::default(),
        };
        self.feeds.parts(parts).into_iter().map(part).collect()
    }

    fn next(&mut self, fuel: &mut Fuel) -> Result<Found, Unreadable> {
        loop {
            if let Some(high) = self.high {
                return Ok(self.chunk(high, fuel));
            }
            let (high, stop) = match self.feeds.next(fuel)? {
                Stop::Tired => return Ok(Found::Tired),
                Stop::At(high) => (Some(high), u32::from(high)),
                Stop::End => (None, self.rest.end),
            };
            let passed = self.persons(self.rest.start..stop);
            // Nobody is behind the last person.
            let is_over = self.persons(stop..1 << 16).is_empty();
            self.rest.start = stop + 1;
            self.high = high.filter(|_| !is_over);
            if !passed.is_empty() && self.plan.group(0).void {
                return Ok(Found::Everybody(passed));
            }
            if self.high.is_none() && (is_over || high.is_none()) {
                return Ok(Found::End);
            }
        }
    }

    /// The persons there are in these chunks.
    fn persons(&self, highs: Range<u32>) -> Range<Person> {
        let within = |high: u32| {
            let person = u64::from(high) << 16;
            person.clamp(1, u64::from(self.next_person).max(1)) as Person
        };
        within(highs.start)..within(highs.end)
    }

    /// Goes on with the chunk under way.
    fn chunk(&mut self, high: u16, fuel: &mut Fuel) -> Found {
        let mut value = match self.stack.is_empty() {
            true => self.enter(0, fuel),
            false => None,
        };
        loop {
            if let Some(value) = value.take() {
                match self.stack.pop() {
                    None => return self.finish(high, value),
                    Some(mut frame) => {
                        fuel.spend(400);
                        frame.value = self.combine(frame.group, frame.value, value);
                        self.stack.push(frame);
                    }
                }
            }
            if fuel.is_spent() {
                return Found::Tired;
            }
            match self.step(high, fuel) {
                Next::Step => {}
                Next::Group(group) => value = self.enter(group, fuel),
                Next::Done(done) => {
                    self.stack.pop();
                    value = Some(done);
                }
                Next::Counted(len) => {
                    self.stack.pop();
                    self.high = None;
                    return Found::Counted(len);
                }
            }
        }
    }

    /// Begins a group, or answers what it comes to if one operand decides that alone.
    fn enter(&mut self, place: usize, fuel: &mut Fuel) -> Option<Value> {
        let group = self.plan.group(place);
        fuel.spend(10 + 4 * (group.wanted.len() + group.unwanted.len()));
        let len = |place: &u32| self.feeds.get(*place as usize).map_or(0, |c| c.len());
        let decided = |len: usize| len == if group.all { 0 } else { FULL_LEN };
        let mut first: Option<(usize, usize)> = None;
        for operand in &group.wanted {
            let len = len(operand);
            if decided(len) {
                return Some(Value::decided(group.all));
            }
            if len != 0 && first.is_none_or(|(shortest, _)| len < shortest) {
                first = Some((len, *operand as usize));
            }
        }
        if group.unwanted.iter().any(|o| decided(FULL_LEN - len(o))) {
            return Some(Value::decided(group.all));
        }
        if group.wanted.len() + group.unwanted.len() <= PREFETCHED_MAX {
            for operand in group.wanted.iter().chain(&group.unwanted) {
                if let Some(container) = self.feeds.get(*operand as usize) {
                    container.prefetch();
                }
            }
        }
        let begun = first.map(|(_, place)| place);
        let value = match begun {
            Some(operand) => Value::Operand(operand),
            None => Value::decided(!group.all),
        };
        self.stack.push(Frame {
            group: place,
            step: 0,
            begun,
            value,
        });
        None
    }

    /// Looks at the next part of the group on top.
    fn step(&mut self, high: u16, fuel: &mut Fuel) -> Next {
        let is_outermost = self.stack.len() == 1;
        let frame = self.stack.last_mut().expect("a group is under way");
        let group = self.plan.group(frame.group);
        let (wanted, unwanted) = (group.wanted.len(), group.unwanted.len());
        let value = std::mem::replace(&mut frame.value, Value::Block(Block::Empty));
        if value.is_decided(group.all) || frame.step == wanted + unwanted + group.groups.len() {
            return Next::Done(value);
        }
        let step = frame.step;
        frame.step += 1;
        if step >= wanted + unwanted {
            frame.value = value;
            return Next::Group(group.groups[step - wanted - unwanted]);
        }
        let meant = step < wanted;
        let operand = match meant {
            true => group.wanted[step] as usize,
            false => group.unwanted[step - wanted] as usize,
        };
        // Nobody's complement or everybody, which was looked for, or what changes nothing.
        let Some(container) = self.feeds.get(operand) else {
            frame.value = value;
            return Next::Step;
        };
        if frame.begun == Some(operand) && meant {
            frame.value = value;
            return Next::Step;
        }
        fuel.spend(cost(container));
        // The last part need not be written down to be counted.
        let is_last = frame.step == wanted + unwanted && group.groups.is_empty();
        let is_whole = edge(high, self.next_person).is_none();
        if self.counting && is_outermost && is_last && is_whole {
            let (len, other) = (value.len(&self.feeds), container.len());
            let both = value.and_len(container, &self.feeds);
            if let Value::Block(block) = value {
                self.pool.put(block);
            }
            return Next::Counted(match (group.all, meant) {
                (true, true) => both,
                (true, false) => len - both,
                (false, true) => len + other - both,
                (false, false) => FULL_LEN - other + both,
            });
        }
        let pool = &mut self.pool;
        let begun = match &value {
            Value::Operand(place) => self.feeds.get(*place),
            Value::Block(_) => None,
        };
        let block = match (value, begun) {
            (Value::Operand(_), Some(begun)) if group.all && meant => {
                frame.value = Value::Block(Block::of_both(begun, container, pool));
                return Next::Step;
            }
            (Value::Operand(_), Some(begun)) => Block::of(begun, pool),
            (Value::Operand(_), None) => Block::Empty,
            (Value::Block(block), _) => block,
        };
        frame.value = Value::Block(match (group.all, meant) {
            (true, true) => block.and(container, pool),
            (true, false) => block.and_not(container, pool),
            (false, true) => block.or(container, pool),
            (false, false) => block.or_not(container, pool),
        });
        Next::Step
    }

    /// Puts what a group came to into the group around it.
    fn combine(&mut self, group: usize, value: Value, inner: Value) -> Value {
        let all = self.plan.group(group).all;
        let pool = &mut self.pool;
        let (block, place) = match (value, inner) {
            (Value::Block(a), Value::Block(b)) => {
                return Value::Block(match all {
                    true => a.and_block(b, pool),
                    false => a.or_block(b, pool),
                });
            }
            (Value::Operand(place), Value::Block(block))
            | (Value::Block(block), Value::Operand(place)) => (block, place),
            (Value::Operand(a), Value::Operand(b)) => match self.feeds.get(a) {
                Some(container) => (Block::of(container, pool), b),
                None => (Block::Empty, b),
            },
        };
        match (self.feeds.get(place), &block) {
            // What changes nothing leaves the operand as it is, to be shared.
            (Some(_), Block::Full) if all => Value::Operand(place),
            (Some(_), Block::Empty) if !all => Value::Operand(place),
            (Some(container), _) if all => Value::Block(block.and(container, pool)),
            (Some(container), _) => Value::Block(block.or(container, pool)),
            (None, _) if all => Value::Block(Block::Empty),
            (None, _) => Value::Block(block),
        }
    }

    /// A chunk's value, cut to the persons there are.
    fn finish(&mut self, high: u16, value: Value) -> Found {
        self.high = None;
        let Some((first, last)) = edge(high, self.next_person) else {
            return Found::Chunk(high, value);
        };
        let edge = Container::range(first, last);
        if value.and_len(&edge, &self.feeds) == value.len(&self.feeds) {
            return Found::Chunk(high, value);
        }
        let block = self.block(value).and(&edge, &mut self.pool);
        Found::Chunk(high, Value::Block(block))
    }

    fn block(&mut self, value: Value) -> Block {
        match value {
            Value::Block(block) => block,
            Value::Operand(place) => match self.feeds.get(place) {
                Some(container) => Block::of(container, &mut self.pool),
                None => Block::Empty,
            },
        }
    }

    fn len_of(&self, value: &Value) -> usize {
        value.len(&self.feeds)
    }

    fn put(&mut self, value: Value) {
        if let Value::Block(block) = value {
            self.pool.put(block);
        }
    }

    /// The value's container: the operand's own where it is that.
    fn container(&mut self, value: Value) -> Option<Arc<Container>> {
        match value {
            Value::Operand(place) => self.feeds.get(place).cloned(),
            Value::Block(block) => block.into_container(&mut self.pool).map(Arc::new),
        }
    }
}

impl Value {
    /// Nobody of all, or everybody of any.
    fn decided(all: bool) -> Value {
        Value::Block(if all { Block::Empty } else { Block::Full })
    }

    fn is_decided(&self, all: bool) -> bool {
        match self {
            Value::Operand(_) => false,
            Value::Block(block) => block.len() == if all { 0 } else { FULL_LEN },
        }
    }

    fn len(&self, feeds: &Feeds) -> usize {
        match self {
            Value::Operand(place) => feeds.get(*place).map_or(0, |c| c.len()),
            Value::Block(block) => block.len(),
        }
    }

    fn and_len(&self, container: &Container, feeds: &Feeds) -> usize {
        match self {
            Value::Operand(place) => feeds.get(*place).map_or(0, |c| c.and_len(container)),
            Value::Block(block) => block.and_len(container),
        }
    }
}

/// The first and the last number that a chunk may have, where those are not all.
fn edge(high: u16, next_person: Person) -> Option<(u16, u16)> {
    let base = u32::from(high) << 16;
    let first = u16::from(high == 0);
    let last = (next_person.saturating_sub(1)).saturating_sub(base);
    let last = u16::try_from(last).unwrap_or(u16::MAX);
    (first != 0 || last != u16::MAX).then_some((first, last))
}

/// What it takes to go through a container, about.
pub(super) fn cost(container: &Container) -> usize {
    match container {
        Container::Array(list) => 60 + list.len(),
        Container::Bitmap(_) => 500,
        Container::Runs(runs) => 400 + 4 * runs.list().len(),
    }
}
