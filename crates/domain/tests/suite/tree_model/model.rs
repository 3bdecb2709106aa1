//! What trees, people and records must be, in plain maps and sets: the rules in words of their own.

use std::collections::{BTreeMap, BTreeSet};

use domain::{Control, Grants, Rule};

pub type People = BTreeSet<u32>;

/// A refusal, as tests compare them: which kind, of what.
pub type Wrong = (&'static str, &'static str);

/// How a request names somebody.
#[derive(Debug, Clone, Copy)]
pub enum Name {
    Email(u8),
    Reference(u8),
    /// The id of a record.
    Record(u8),
    /// The number of a person.
    Person(u8),
}

#[derive(Debug, Clone)]
pub struct Node {
    /// Nothing: it is a structure.
    pub structure: Option<i64>,
    pub name: u8,
    pub reference: Option<u8>,
    /// Members of its own; a smart one has none.
    pub own: People,
    pub rule: Option<Rule>,
    /// Of a structure.
    pub control: Control,
    pub unique: bool,
    pub managers: BTreeMap<u32, Grants>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rec {
    pub person: u32,
    pub email: Option<u8>,
    pub reference: Option<u8>,
    pub active: bool,
    /// The last day.
    pub ends: Option<i64>,
}

/// What a move does.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Way {
    pub from: i64,
    pub to: i64,
    pub members: People,
    pub joined: People,
    pub left: People,
    pub kept_by_audience: People,
    pub kept_by_structure: People,
    pub inactive: People,
    pub ended: People,
}

impl Way {
    pub fn barred(&self) -> bool {
        !(self.inactive.is_empty() && self.ended.is_empty())
    }
}

#[derive(Debug, Default, Clone)]
pub struct Model {
    /// Who holds an address, and a source's reference.
    pub emails: BTreeMap<u8, u32>,
    pub references: BTreeMap<u8, u32>,
    /// The number of the last person.
    pub last_person: u32,
    pub nodes: BTreeMap<i64, Node>,
    pub records: BTreeMap<i64, Rec>,
    pub clashes: BTreeSet<(u32, u32)>,
    pub today: i64,
}

/// One of these, whatever the number.
pub fn pick<T: Copy>(of: &[T], slot: u8) -> Option<T> {
    (!of.is_empty()).then(|| of[usize::from(slot) % of.len()])
}

impl Model {
    pub fn node(&self, slot: u8) -> Option<i64> {
        pick(&self.nodes.keys().copied().collect::<Vec<_>>(), slot)
    }

    pub fn structures(&self) -> Vec<i64> {
        let roots = self
            .nodes
            .iter()
            .filter(|(_, node)| node.structure.is_none());
        roots.map(|(id, _)| *id).collect()
    }

    pub fn structure(&self, slot: u8) -> Option<i64> {
        pick(&self.structures(), slot)
    }

    pub fn children(&self, structure: i64) -> Vec<i64> {
        let inside = self
            .nodes
            .iter()
            .filter(|(_, node)| node.structure == Some(structure));
        inside.map(|(id, _)| *id).collect()
    }

    pub fn child(&self, slot: u8) -> Option<i64> {
        let below = self
            .nodes
            .iter()
            .filter(|(_, node)| node.structure.is_some());
        pick(&below.map(|(id, _)| *id).collect::<Vec<_>>(), slot)
    }

    pub fn record(&self, slot: u8) -> Option<i64> {
        pick(&self.records.keys().copied().collect::<Vec<_>>(), slot)
    }

    pub fn everybody(&self) -> People {
        (1..=self.last_person).collect()
    }

    /// Who is in a node: a structure has its own and everybody in its children that have members of their own.
    pub fn people(&self, id: i64) -> People {
        let Some(node) = self.nodes.get(&id) else {
            return People::new();
        };
        match (&node.rule, node.structure) {
            (Some(rule), _) => self.ruled(rule),
            (None, Some(_)) => node.own.clone(),
            (None, None) => self
                .nodes
                .iter()
                .filter(|(other, node)| **other == id || node.structure == Some(id))
                .flat_map(|(_, node)| node.own.iter().copied())
                .collect(),
        }
    }

    fn ruled(&self, rule: &Rule) -> People {
        match rule {
            Rule::Audience(id) => self.people(*id),
            // Nobody of this model is reached on any.
            Rule::Channel(_) => People::new(),
            Rule::All(rules) => rules.iter().fold(self.everybody(), |people, rule| {
                people.intersection(&self.ruled(rule)).copied().collect()
            }),
            Rule::Any(rules) => rules.iter().flat_map(|rule| self.ruled(rule)).collect(),
            Rule::Not(rule) => &self.everybody() - &self.ruled(rule),
        }
    }

    /// Who of these must not join anything: people with an inactive record, and of the others those with one whose last day
    /// is over.
    pub fn barred(&self, people: &People) -> (People, People) {
        let of = |wanted: &dyn Fn(&Rec) -> bool| -> People {
            let found = self.records.values().filter(|record| wanted(record));
            let found: People = found.map(|record| record.person).collect();
            found.intersection(people).copied().collect()
        };
        let inactive = of(&|record| !record.active);
        let ended = of(&|record| record.ends.is_some_and(|day| day < self.today));
        let ended = &ended - &inactive;
        (inactive, ended)
    }

    fn new_person(&mut self) -> u32 {
        self.last_person += 1;
        self.last_person
    }

    fn clash(&mut self, one: u32, other: u32) {
        self.clashes.insert((one.min(other), one.max(other)));
    }

    /// The people of addresses, who come to be where nobody holds one.
    pub fn met(&mut self, addresses: &[u8]) -> People {
        let mut people = People::new();
        for address in addresses {
            let owner = match self.emails.get(address) {
                Some(owner) => *owner,
                None => self.new_person(),
            };
            self.emails.insert(*address, owner);
            people.insert(owner);
        }
        people
    }

    pub fn holders(&self, addresses: &[u8]) -> People {
        let found = addresses.iter().filter_map(|one| self.emails.get(one));
        found.copied().collect()
    }

    /// Gives a person what nobody holds; what another holds stays theirs, and the clash is known.
    fn gain(&mut self, person: u32, email: Option<u8>, reference: Option<u8>) {
        let email = email.map(|one| *self.emails.entry(one).or_insert(person));
        let reference = reference.map(|one| *self.references.entry(one).or_insert(person));
        for holder in [email, reference].into_iter().flatten() {
            if holder != person {
                self.clash(person, holder);
            }
        }
    }

    /// Whose record this is: of whoever holds the address, else the reference, else somebody new.
    pub fn record_new(&mut self, record: &Rec) -> u32 {
        let by_email = record.email.and_then(|one| self.emails.get(&one));
        let by_reference = record.reference.and_then(|one| self.references.get(&one));
        let owner = match by_email.or(by_reference) {
            Some(owner) => *owner,
            None => self.new_person(),
        };
        self.gain(owner, record.email, record.reference);
        owner
    }

    /// Why a record of this kind cannot be.
    pub fn record_wrong(&self, id: i64, record: &Rec) -> Option<Wrong> {
        if record.email.is_none() && record.reference.is_none() {
            return Some(("reference", "required"));
        }
        let others = || self.records.iter().filter(|(other, _)| **other != id);
        let same = |one: Option<u8>, other: Option<u8>| one.is_some() && one == other;
        if others().any(|(_, other)| same(other.reference, record.reference)) {
            return Some(("exists", "reference"));
        }
        if others().any(|(_, other)| same(other.email, record.email)) {
            return Some(("exists", "email"));
        }
        None
    }

    pub fn record_put(&mut self, id: i64, record: Rec, email: Option<u8>, reference: Option<u8>) {
        if self.records.get(&id) != Some(&record) {
            self.gain(record.person, email, reference);
            self.records.insert(id, record);
        }
    }

    /// Who is meant by a name.
    pub fn named(&self, name: Name) -> Option<u32> {
        let by = |wanted: &dyn Fn(&Rec) -> bool| {
            let mut found = self.records.values();
            found.find(|one| wanted(one)).map(|one| one.person)
        };
        match name {
            Name::Email(email) => by(&|one| one.email == Some(email)),
            Name::Reference(reference) => by(&|one| one.reference == Some(reference)),
            Name::Record(slot) => self.record(slot).map(|id| self.records[&id].person),
            Name::Person(number) => {
                let number = u32::from(number);
                (1..=self.last_person).contains(&number).then_some(number)
            }
        }
    }

    /// Why a node cannot have this name and reference in this structure.
    pub fn taken(
        &self,
        id: Option<i64>,
        structure: Option<i64>,
        name: u8,
        reference: Option<u8>,
    ) -> Option<Wrong> {
        let others = || self.nodes.iter().filter(|(other, _)| Some(**other) != id);
        if let Some(structure) = structure
            && self.nodes[&structure].unique
            && others().any(|(_, one)| one.structure == Some(structure) && one.name == name)
        {
            return Some(("exists", "name"));
        }
        if reference.is_some() && others().any(|(_, one)| one.reference == reference) {
            return Some(("exists", "reference"));
        }
        None
    }

    pub fn is_smart(&self, id: i64) -> bool {
        self.nodes[&id].rule.is_some()
    }

    /// Puts people into a node itself.
    pub fn add(&mut self, id: i64, people: &People) {
        let node = self.nodes.get_mut(&id).expect("is there");
        node.own.extend(people);
    }

    /// Takes people out of a node; whoever is out of a structure is out of all of it.
    pub fn remove(&mut self, id: i64, people: &People) {
        for (other, node) in &mut self.nodes {
            if *other == id || node.structure == Some(id) {
                node.own.retain(|person| !people.contains(person));
            }
        }
    }

    /// Leaves nobody in a node but these.
    pub fn replace(&mut self, id: i64, people: &People) {
        let gone = &self.people(id) - people;
        self.remove(id, &gone);
        self.nodes.get_mut(&id).expect("is there").own = people.clone();
    }

    /// What moving an audience would do.
    pub fn way(&self, id: i64, to: i64) -> Way {
        let node = &self.nodes[&id];
        let from = node.structure.expect("is an audience");
        let members = node.own.clone();
        let siblings = self.children(from).into_iter().filter(|one| *one != id);
        let held: People = siblings
            .flat_map(|one| self.nodes[&one].own.clone())
            .collect();
        let kept_by_audience: People = members.intersection(&held).copied().collect();
        let of_structure = &self.nodes[&from].own;
        let rest = &members - &kept_by_audience;
        let joined = &members - &self.people(to);
        let (inactive, ended) = self.barred(&joined);
        Way {
            from,
            to,
            kept_by_structure: rest.intersection(of_structure).copied().collect(),
            left: &rest - of_structure,
            kept_by_audience,
            joined,
            inactive,
            ended,
            members,
        }
    }
}
