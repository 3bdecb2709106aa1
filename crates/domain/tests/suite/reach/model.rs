//! Random formulas against a model of plain sets, while audiences change.

use std::{cell::RefCell, collections::BTreeMap};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::*;

/// Manual audiences 0 to 5, three in each of two structures (6, 7), and two smart audiences (8, 9).
const NODES: usize = 10;
const PEOPLE: u8 = 24;

#[derive(Debug, Clone)]
enum Part {
    Node(usize),
    Email,
    All(Vec<Part>),
    Any(Vec<Part>),
    Not(Box<Part>),
}

fn part() -> impl Strategy<Value = Part> {
    let leaf = prop_oneof![
        9 => (0..NODES).prop_map(Part::Node),
        1 => Just(Part::Email),
    ];
    leaf.prop_recursive(5, 40, 4, |inner| {
        let some = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            some.clone().prop_map(Part::All),
            some.prop_map(Part::Any),
            inner.prop_map(|part| Part::Not(Box::new(part))),
        ]
    })
}

impl Part {
    fn formula(&self, ids: &[i64]) -> Formula {
        let all = |parts: &[Part]| parts.iter().map(|part| part.formula(ids)).collect();
        match self {
            Part::Node(at) => Formula::Named(id(ids[*at])),
            Part::Email => Formula::Named(Named::Identifier(Kind::Email)),
            Part::All(parts) => Formula::All(all(parts)),
            Part::Any(parts) => Formula::Any(all(parts)),
            Part::Not(part) => Formula::Not(Box::new(part.formula(ids))),
        }
    }

    fn holds(&self, nodes: &[BTreeSet<u8>], who: u8) -> bool {
        match self {
            Part::Node(at) => nodes[*at].contains(&who),
            Part::Email => true,
            Part::All(parts) => parts.iter().all(|part| part.holds(nodes, who)),
            Part::Any(parts) => parts.iter().any(|part| part.holds(nodes, who)),
            Part::Not(part) => !part.holds(nodes, who),
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    /// Puts people into one of the nodes that have members, or takes them out.
    Members(usize, bool, Vec<u8>),
    Ask(Part),
    Overlap(Vec<usize>),
    Lookup(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..8usize, any::<bool>(), prop::collection::vec(0..PEOPLE, 1..8))
            .prop_map(|(node, adds, who)| Step::Members(node, adds, who)),
        5 => part().prop_map(Step::Ask),
        1 => prop::collection::vec(0..NODES, 1..6).prop_map(Step::Overlap),
        1 => prop::collection::vec(0..PEOPLE + 3, 1..5).prop_map(Step::Lookup),
    ]
}

struct Run<'a> {
    domain: &'a Domain,
    ids: Vec<i64>,
    /// Own members of nodes 0 to 7.
    own: Vec<BTreeSet<u8>>,
    known: BTreeSet<u8>,
}

impl Run<'_> {
    /// Everybody in each node.
    fn nodes(&self) -> Vec<BTreeSet<u8>> {
        let mut nodes = self.own.clone();
        for (structure, children) in [(6, 0..3), (7, 3..6)] {
            for child in children {
                let more = self.own[child].clone();
                nodes[structure].extend(more);
            }
        }
        nodes.push(nodes[6].difference(&nodes[3]).copied().collect());
        nodes.push(self.known.difference(&nodes[7]).copied().collect());
        nodes
    }

    async fn take(&mut self, step: &Step) {
        let caller = Caller::server(1);
        let nodes = self.nodes();
        match step {
            Step::Members(node, adds, who) => self.members(*node, *adds, who).await,
            Step::Ask(part) => {
                let found = self.domain.reach(&caller, &part.formula(&self.ids)).await;
                let held = self.known.iter().filter(|who| part.holds(&nodes, **who));
                let found = found.expect("counts").people;
                assert_eq!(found, held.count() as u64, "{part:?}");
            }
            Step::Overlap(places) => {
                let named: Vec<Named> = places.iter().map(|at| id(self.ids[*at])).collect();
                let found = self.domain.overlap(&caller, &named, true).await;
                let found = found.expect("counts");
                let mut regions: BTreeMap<Vec<usize>, u64> = BTreeMap::new();
                for who in &self.known {
                    let within = (0..places.len()).filter(|at| nodes[places[*at]].contains(who));
                    *regions.entry(within.collect()).or_default() += 1;
                }
                regions.remove(&Vec::new());
                let counted = found.regions.expect("were asked for").into_iter();
                let counted = counted.map(|region| (region.within, region.people));
                assert_eq!(counted.collect::<BTreeMap<_, _>>(), regions);
                for (row, one) in found.matrix.iter().zip(places) {
                    for (shared, other) in row.iter().zip(places) {
                        let both = nodes[*one].intersection(&nodes[*other]).count();
                        assert_eq!(*shared, both as u64);
                    }
                }
            }
            Step::Lookup(who) => {
                let names: Vec<String> = who.iter().map(|who| format!("p{who}")).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let found = lookup(self.domain, &caller, &names).await.expect("answers");
                for (one, who) in found.people.iter().zip(who) {
                    let held = (0..NODES).filter(|at| nodes[*at].contains(who));
                    let expected: BTreeSet<i64> = held.map(|at| self.ids[at]).collect();
                    let is_known = self.known.contains(who);
                    assert_eq!(
                        (super::held(one), !one.persons.is_empty()),
                        (expected, is_known)
                    );
                }
            }
        }
    }

    async fn members(&mut self, node: usize, adds: bool, who: &[u8]) {
        let names: Vec<String> = who.iter().map(|who| format!("p{who}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let (at, context) = (AudienceRef::Id(self.ids[node]), context("members"));
        let batch = batch(self.domain, &names).await;
        if adds {
            let added = self.domain.member_add(&context, at, batch).await;
            added.expect("are added");
            self.known.extend(who);
            self.own[node].extend(who);
            return;
        }
        let removed = self.domain.member_remove(&context, at, batch).await;
        removed.expect("are removed");
        let of: &[usize] = match node {
            6 => &[0, 1, 2, 6],
            7 => &[3, 4, 5, 7],
            _ => &[node],
        };
        for node in of {
            self.own[*node].retain(|one| !who.contains(one));
        }
    }
}

async fn run(domain: &Domain, round: usize, steps: &[Step], known: &mut BTreeSet<u8>) {
    let one = structure(domain, &format!("one {round}")).await;
    let two = structure(domain, &format!("two {round}")).await;
    let mut ids = Vec::new();
    for at in 0..6 {
        let of = if at < 3 { one } else { two };
        ids.push(child(domain, of, &format!("{round} {at}")).await);
    }
    ids.extend([one, two]);
    let not = |id| Rule::Not(Box::new(Rule::Audience(id)));
    let within = Rule::All(vec![Rule::Audience(one), not(ids[3])]);
    let a = smart(domain, one, &format!("{round} a"), within).await.id;
    let b = smart(domain, two, &format!("{round} b"), not(two)).await.id;
    ids.extend([a, b]);
    let mut run = Run {
        domain,
        ids,
        own: vec![BTreeSet::new(); 8],
        known: known.clone(),
    };
    for step in steps {
        run.take(step).await;
    }
    *known = run.known;
    for structure in [one, two] {
        let gone = domain
            .structure_delete(&context("d"), structure, true)
            .await;
        gone.expect("is deleted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reach_equals_a_simple_model() {
    for house in House::each() {
        let domain = house.open().await;
        let so_far = RefCell::new((0, BTreeSet::new()));
        let config = Config {
            cases: 24,
            failure_persistence: None,
            // Each case goes on with the people whom those before it made.
            max_shrink_iters: 0,
            ..Config::default()
        };
        let handle = tokio::runtime::Handle::current();
        let outcome = tokio::task::block_in_place(|| {
            TestRunner::new(config).run(&prop::collection::vec(step(), 1..40), |steps| {
                let mut so_far = so_far.borrow_mut();
                let (round, known) = &mut *so_far;
                *round += 1;
                handle.block_on(run(&domain, *round, &steps, known));
                Ok(())
            })
        });
        outcome.expect("equals the model");
        close(domain).await;
    }
}
