//! Random histories of trees, people and records against a model of plain maps and sets: on both engines, and on
//! PostgreSQL with two processes at once.
//!
//! After every step everything that can be asked must be what the model says: who is in each audience and structure by
//! pages of both kinds, the counts, the lists, who manages what, and the sets that lie there. A move is asked for as a
//! preview first, which must answer the same and change nothing. At the end the database must verify.

mod ask;
mod ask_people;
mod check;
mod job;
mod model;
mod text;

use std::time::Duration;

use domain::Control;
use futures_util::future::join_all;
use proptest::{prelude::*, test_runner::TestRunner};

use crate::support::{House, close};
use ask::{Learned, ask};
use check::check;
use model::{Model, Name, Rec};

/// The one source of records.
const SOURCE: &str = "people";

/// What a smart audience is made of.
#[derive(Debug, Clone)]
enum Operand {
    Node(u8),
    All(Vec<Operand>),
    Any(Vec<Operand>),
    Not(Box<Operand>),
}

/// The first number is which of those that there are then.
#[derive(Debug, Clone)]
enum Step {
    Structure(u8, bool),
    Child(u8, u8, Option<u8>),
    Smart(u8, u8, Operand),
    Change(u8, u8, Option<Option<u8>>),
    Control(u8, Control),
    Move {
        node: u8,
        to: u8,
        name: Option<u8>,
        preview: bool,
    },
    Delete(u8),
    DeleteStructure(u8, bool),
    Add(u8, Vec<u8>),
    Remove(u8, Vec<u8>),
    Replace(u8, Vec<u8>),
    Empty(u8),
    Put(u8, Vec<Name>, bool),
    RemoveNamed(u8, Name),
    Manage(u8, u8, bool),
    Unmanage(u8, u8),
    Hire(Rec),
    Alter(
        u8,
        Option<Option<u8>>,
        Option<Option<u8>>,
        Option<bool>,
        Option<Option<i64>>,
    ),
    Dismiss(u8),
    Group(Vec<Step>),
    /// Midnight passes.
    Day,
    Sweep,
    Checkpoint,
    Restart,
}

fn learn(model: &mut Model, learned: Learned) {
    match learned {
        Learned::Nothing => {}
        Learned::Node(id, node) => drop(model.nodes.insert(id, node)),
        Learned::Record(id, record) => drop(model.records.insert(id, record)),
    }
}

/// Runs a history on one or two processes in turn.
async fn run(house: &House, processes: usize, steps: &[Step]) {
    let names = ["one", "two"];
    let mut domains = Vec::new();
    for name in &names[..processes] {
        domains.push(house.open_as(name).await);
    }
    let mut model = Model::default();
    for (turn, step) in steps.iter().enumerate() {
        let at = turn % processes;
        match step {
            Step::Group(group) => {
                let asked = group.iter();
                let asked = asked.filter_map(|step| ask(&domains[at], &mut model, step));
                let asked: Vec<_> = asked.collect();
                join_all(asked).await;
            }
            Step::Day => {
                house.clock.advance(Duration::from_secs(86_400));
                model.today += 1;
            }
            Step::Sweep => {
                let more = domains[at].record_sweep(1).await;
                assert_eq!(more, Ok(false));
            }
            Step::Checkpoint => {
                tokio::task::block_in_place(|| domains[at].store().checkpoint_now(1))
                    .expect("a checkpoint");
            }
            Step::Restart => {
                close(domains.remove(at)).await;
                domains.insert(at, house.open_as(names[at]).await);
            }
            step => {
                if let Some(asked) = ask(&domains[at], &mut model, step) {
                    learn(&mut model, asked.await);
                }
            }
        }
        // The process that did not act must see it too.
        let limit = [2, 5, 1_000][turn % 3];
        check(&domains[(turn + 1) % processes], &model, limit).await;
    }
    for domain in domains {
        close(domain).await;
    }
    let report =
        tokio::task::block_in_place(|| store::verify(&house.path(), &house.url, &mut |_, _, _| {}));
    assert_eq!(report.expect("verifies").findings, Vec::<String>::new());
}

fn addresses() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(0u8..12, 1..7)
}

fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        (0u8..12).prop_map(Name::Email),
        (0u8..8).prop_map(Name::Reference),
        any::<u8>().prop_map(Name::Record),
        (0u8..24).prop_map(Name::Person),
    ]
}

fn operand() -> impl Strategy<Value = Operand> {
    let leaf = any::<u8>().prop_map(Operand::Node);
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Operand::All),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Operand::Any),
            inner.prop_map(|one| Operand::Not(Box::new(one))),
        ]
    })
}

fn day() -> impl Strategy<Value = Option<i64>> {
    prop::option::weighted(0.5, -1i64..3)
}

fn record() -> impl Strategy<Value = Rec> {
    let email = prop::option::weighted(0.8, 0u8..12);
    let reference = prop::option::weighted(0.7, 0u8..8);
    let active = prop::bool::weighted(0.8);
    (email, reference, active, day()).prop_map(|(email, reference, active, ends)| Rec {
        person: 0,
        email,
        reference,
        active,
        ends,
    })
}

/// Changes that need no answer to go on.
fn quiet() -> impl Strategy<Value = Step> {
    let control = prop_oneof![
        Just(Control::Api),
        Just(Control::Console),
        Just(Control::Both)
    ];
    let reference = || prop::option::of(prop::option::of(0u8..4));
    let names = prop::collection::vec(name(), 1..6);
    let moved = (
        any::<u8>(),
        any::<u8>(),
        prop::option::weighted(0.2, 0u8..7),
    );
    let email = prop::option::of(prop::option::of(0u8..12));
    let source_reference = prop::option::of(prop::option::of(0u8..8));
    let altered = (
        any::<u8>(),
        email,
        source_reference,
        prop::option::of(any::<bool>()),
        prop::option::of(day()),
    );
    prop_oneof![
        2 => (any::<u8>(), 0u8..7, reference()).prop_map(|(a, b, c)| Step::Change(a, b, c)),
        1 => (any::<u8>(), control).prop_map(|(a, b)| Step::Control(a, b)),
        16 => moved.prop_map(|(node, to, name)| Step::Move { node, to, name, preview: false }),
        1 => any::<u8>().prop_map(Step::Delete),
        6 => (any::<u8>(), addresses()).prop_map(|(a, b)| Step::Add(a, b)),
        3 => (any::<u8>(), addresses()).prop_map(|(a, b)| Step::Remove(a, b)),
        2 => (any::<u8>(), addresses()).prop_map(|(a, b)| Step::Replace(a, b)),
        1 => any::<u8>().prop_map(Step::Empty),
        5 => (any::<u8>(), names, any::<bool>()).prop_map(|(a, b, c)| Step::Put(a, b, c)),
        2 => (any::<u8>(), name()).prop_map(|(a, b)| Step::RemoveNamed(a, b)),
        2 => (any::<u8>(), 0u8..24, any::<bool>()).prop_map(|(a, b, c)| Step::Manage(a, b, c)),
        1 => (any::<u8>(), 0u8..24).prop_map(|(a, b)| Step::Unmanage(a, b)),
        4 => altered.prop_map(|(a, b, c, d, e)| Step::Alter(a, b, c, d, e)),
        1 => any::<u8>().prop_map(Step::Dismiss),
    ]
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let previewed = quiet().prop_map(|step| match step {
        Step::Move { node, to, name, .. } => Step::Move {
            node,
            to,
            name,
            preview: true,
        },
        step => step,
    });
    let child = (any::<u8>(), 0u8..7, prop::option::of(0u8..4));
    let step = prop_oneof![
        24 => previewed,
        1 => (0u8..7, any::<bool>()).prop_map(|(a, b)| Step::Structure(a, b)),
        3 => child.clone().prop_map(|(a, b, c)| Step::Child(a, b, c)),
        2 => (any::<u8>(), 0u8..7, operand()).prop_map(|(a, b, c)| Step::Smart(a, b, c)),
        1 => (any::<u8>(), prop::bool::weighted(0.3)).prop_map(|(a, b)| Step::DeleteStructure(a, b)),
        3 => record().prop_map(Step::Hire),
        4 => prop::collection::vec(quiet(), 2..7).prop_map(Step::Group),
        2 => Just(Step::Day),
        1 => Just(Step::Sweep),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Restart),
    ];
    let children = prop::collection::vec(child.prop_map(|(a, b, c)| Step::Child(a, b, c)), 5..9);
    let records = prop::collection::vec(record().prop_map(Step::Hire), 2..6);
    let added = (any::<u8>(), addresses()).prop_map(|(a, b)| Step::Add(a, b));
    let added = prop::collection::vec(added, 4..9).prop_map(|group| vec![Step::Group(group)]);
    let steps = prop::collection::vec(step, 8..28);
    (children, records, added, steps).prop_map(|(children, records, added, steps)| {
        let structures = [true, false, true].map(|unique| Step::Structure(0, unique));
        let first = structures.into_iter().chain(children).chain(records);
        first.chain(added).chain(steps).collect()
    })
}

fn runs(cases: u32, processes: usize, house: impl Fn() -> Option<House>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..ProptestConfig::default()
    };
    let result = TestRunner::new(config).run(&history(), |steps| {
        if let Some(house) = house() {
            runtime
                .block_on(async {
                    tokio::spawn(async move { run(&house, processes, &steps).await }).await
                })
                .map_err(|error| TestCaseError::fail(error.to_string()))?;
        }
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn tree_histories_on_sqlite_are_what_the_model_says() {
    runs(80, 1, || Some(House::sqlite()));
}

#[test]
fn tree_histories_on_postgres_are_what_the_model_says() {
    runs(8, 1, House::postgres);
}

#[test]
fn tree_histories_of_two_processes_are_what_the_model_says() {
    runs(8, 2, House::postgres);
}
