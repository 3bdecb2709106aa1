//! Random histories of links against a model of plain lists: on both engines, and on PostgreSQL with two processes in turn.
//!
//! After every step each person's clients, the order in which they are reached in each conversation and the people on each
//! channel must be what the model says; at the end the database must verify.

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::*;

const PEOPLE: [&str; 3] = ["ann", "ann2", "bob"];
const PHONES: [&str; 2] = ["+12125550001", "+12125550002"];
const WORDS: [&str; 5] = ["yes", "no", "STOP", "START", "Hi"];
const HOWS: [Confirmation; 3] = [
    Confirmation::Immediate,
    Confirmation::UserActivity,
    Confirmation::Prompt,
];
const GROUP: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    Link {
        who: usize,
        phone: usize,
        plug: usize,
        how: usize,
        primary: bool,
        group: bool,
    },
    Send(Vec<u8>),
    Write(usize, usize, usize),
    Remove(u8),
    Expire,
    Unplug(usize),
    Dismiss(usize),
    SignIn(usize, u8),
    SignOut(usize, u8),
    Leave(usize),
    Join(usize),
    Restart,
}

/// A client as the model has it.
#[derive(Debug, Clone)]
struct One {
    id: i64,
    who: usize,
    /// Integration and phone number; a program's device where there is none.
    at: Result<(i64, usize), u8>,
    status: ClientStatus,
    how: Confirmation,
    primary: bool,
    /// 0 to 2 is the personal one of that person.
    talk: usize,
    /// Attempts at what asks, while it is queued.
    queued: Option<i64>,
}

type Result<T, E> = std::result::Result<T, E>;

#[derive(Default)]
struct Model {
    clients: Vec<One>,
    blocked: BTreeSet<(i64, usize)>,
    /// Who takes part where, with which clients.
    parts: BTreeMap<(usize, usize), Vec<i64>>,
}

impl Model {
    fn drop_from_talks(&mut self, id: i64) {
        for clients in self.parts.values_mut() {
            clients.retain(|client| *client != id);
        }
    }

    fn remove(&mut self, id: i64) {
        self.clients.retain(|one| one.id != id);
        self.drop_from_talks(id);
    }

    fn get(&mut self, id: i64) -> Option<&mut One> {
        self.clients.iter_mut().find(|one| one.id == id)
    }

    fn place(&mut self, id: i64, first: bool) {
        let Some(one) = self.clients.iter().find(|one| one.id == id) else {
            return;
        };
        if let Some(clients) = self.parts.get_mut(&(one.talk, one.who)) {
            clients.retain(|client| *client != id);
            let at = if first { 0 } else { clients.len() };
            clients.insert(at, id);
        }
    }

    /// Those of an address, newest first.
    fn there(&self, at: (i64, usize)) -> Vec<One> {
        let own = self.clients.iter().filter(|one| one.at == Ok(at));
        let mut own: Vec<One> = own.cloned().collect();
        own.sort_by_key(|one| -one.id);
        own
    }

    fn activate(&mut self, id: i64) {
        let Some(one) = self.get(id).cloned() else {
            return;
        };
        for other in self.there(one.at.expect("an address")) {
            let waited = other.status == ClientStatus::Pending;
            let beaten = !waited || other.how == Confirmation::UserActivity && other.id < id;
            if beaten && other.id != id {
                self.remove(other.id);
            }
        }
        let own = self.get(id).expect("is there");
        own.status = ClientStatus::Active;
        self.place(id, one.primary);
    }

    fn block(&mut self, at: (i64, usize)) {
        self.blocked.insert(at);
        for one in self.there(at) {
            match one.status {
                ClientStatus::Pending => self.remove(one.id),
                _ => self.get(one.id).expect("is there").status = ClientStatus::Blocked,
            }
        }
    }

    fn unblock(&mut self, at: (i64, usize)) -> bool {
        let was = self.blocked.remove(&at);
        if was {
            let there = self.there(at).into_iter();
            for one in there.filter(|one| one.status == ClientStatus::Blocked) {
                self.get(one.id).expect("is there").status = ClientStatus::Active;
            }
        }
        was
    }

    fn write(&mut self, at: (i64, usize), word: &str) {
        if word == "STOP" {
            return self.block(at);
        }
        let started = word == "START" && self.unblock(at);
        let blocked = self.blocked.contains(&at);
        let waiting = self.there(at).into_iter();
        let mut waiting = waiting.filter(|one| one.status == ClientStatus::Pending);
        let answered = waiting.find(|one| match one.how {
            Confirmation::Prompt => ["yes", "no"].contains(&word),
            Confirmation::UserActivity => !blocked,
            Confirmation::Immediate => false,
        });
        if let Some(one) = answered {
            match (one.how, word) {
                (Confirmation::Prompt, "no") => self.remove(one.id),
                (how, _) => {
                    if how == Confirmation::Prompt {
                        self.unblock(at);
                    }
                    self.activate(one.id);
                }
            }
        } else if !started {
            let mut active = self.there(at).into_iter();
            if let Some(one) = active.find(|one| one.status == ClientStatus::Active) {
                self.place(one.id, true);
            }
        }
    }
}

/// A history under way.
struct Run<'a> {
    house: &'a House,
    model: Model,
    /// The person, record and conversations of each name, the group last.
    people: Vec<u32>,
    records: Vec<i64>,
    talks: Vec<i64>,
    plugs: Vec<i64>,
    told: usize,
}

impl Run<'_> {
    async fn hire(&mut self, domain: &Domain, who: usize) {
        let email = if who < 2 { Some(MAIL) } else { None };
        let made = person_at(domain, SOURCE, PEOPLE[who], email).await;
        self.people[who] = made.person;
        self.records[who] = made.id;
        self.talks[who] = talk(domain, &[PEOPLE[who]]).await;
        self.model.parts.insert((who, who), Vec::new());
    }

    async fn step(&mut self, domain: &Domain, step: &Step) {
        match step {
            Step::Link {
                who,
                phone,
                plug,
                how,
                primary,
                group,
            } => {
                let talk = if *group { GROUP } else { *who };
                let new = ClientNew {
                    address: PHONES[*phone].into(),
                    primary: *primary,
                    ..link(self.plugs[*plug], self.talks[talk], HOWS[*how])
                };
                let made = create(domain, PEOPLE[*who], new).await;
                if !self.model.parts.contains_key(&(talk, *who)) {
                    assert_eq!(code(made), "not_in_it");
                    return;
                }
                let made = made.expect("is linked");
                let at = (self.plugs[*plug], *phone);
                let there = self.model.there(at).into_iter();
                for one in there.filter(|one| one.who == *who) {
                    if one.status != ClientStatus::Pending {
                        assert_eq!((made.id, made.status), (one.id, one.status));
                        return;
                    }
                    self.model.remove(one.id);
                }
                self.model.clients.push(One {
                    id: made.id,
                    who: *who,
                    at: Ok(at),
                    status: ClientStatus::Pending,
                    how: HOWS[*how],
                    primary: *primary,
                    talk,
                    queued: Some(0),
                });
            }
            Step::Send(outcomes) => self.send(domain, outcomes).await,
            Step::Write(plug, phone, word) => {
                self.told += 1;
                let (plug, id) = (self.plugs[*plug], format!("told {}", self.told));
                write(domain, plug, PHONES[*phone], &id, WORDS[*word]).await;
                self.model.write((plug, *phone), WORDS[*word]);
            }
            Step::Remove(at) => {
                let count = self.model.clients.len();
                if count > 0 {
                    let one = self.model.clients[usize::from(*at) % count].clone();
                    let gone = remove(domain, PEOPLE[one.who], one.id).await;
                    match one.at {
                        Ok(_) => {
                            gone.expect("is removed");
                            self.model.remove(one.id);
                        }
                        Err(_) => assert_eq!(code(gone), "conflict"),
                    }
                }
            }
            Step::Expire => {
                self.house.clock.advance(DAY * 8);
                assert_eq!(domain.client_sweep(1).await, Ok(false));
                let all = &mut self.model.clients;
                all.retain(|one| one.status != ClientStatus::Pending);
            }
            Step::Unplug(plug) => {
                let old = self.plugs[*plug];
                let gone = domain.integration_delete(&context("unplug"), old).await;
                gone.expect("is deleted");
                self.plugs[*plug] = integration(domain, IntegrationKind::Twilio).await;
                let all = self.model.clients.clone().into_iter();
                for one in all.filter(|one| one.at.is_ok_and(|(plug, _)| plug == old)) {
                    match one.status {
                        ClientStatus::Pending => self.model.remove(one.id),
                        _ => {
                            self.model.drop_from_talks(one.id);
                            let kept = self.model.get(one.id).expect("is there");
                            kept.status = ClientStatus::Inactive;
                        }
                    }
                }
            }
            Step::Dismiss(who) => {
                let context = context("dismiss");
                let gone = domain.record_delete(&context, SOURCE, reference(PEOPLE[*who]));
                gone.await.expect("is deleted");
                self.model.clients.retain(|one| one.who != *who);
                self.model.parts.retain(|(_, whose), _| whose != who);
                self.hire(domain, *who).await;
            }
            Step::SignIn(who, device) => {
                let name = format!("device {device}");
                let signed = domain
                    .client_sign_in(&context("in"), SOURCE, PEOPLE[*who], &name, None)
                    .await;
                let (_, client) = signed.expect("signs in");
                let mut all = self.model.clients.iter();
                let known = all.find(|one| one.who == *who && one.at == Err(*device));
                match known {
                    Some(one) => assert_eq!(client.id, one.id),
                    None => self.model.clients.push(One {
                        id: client.id,
                        who: *who,
                        at: Err(*device),
                        status: ClientStatus::Active,
                        how: Confirmation::Immediate,
                        primary: false,
                        talk: *who,
                        queued: None,
                    }),
                }
            }
            Step::SignOut(who, device) => {
                let name = format!("device {device}");
                let signed = domain
                    .client_sign_out(&context("out"), SOURCE, PEOPLE[*who], &name)
                    .await;
                let mut all = self.model.clients.iter();
                let known = all.find(|one| one.who == *who && one.at == Err(*device));
                match known.map(|one| one.id) {
                    Some(id) => {
                        signed.expect("signs out");
                        self.model.remove(id);
                    }
                    None => assert_eq!(code(signed), "client"),
                }
            }
            Step::Leave(who) => {
                let by = domain::ParticipantRef::Record(reference(PEOPLE[*who]));
                let (talk, context) = (self.talks[GROUP], context("leave"));
                let left = domain.participant_leave(&context, SOURCE, talk, by);
                match self.model.parts.remove(&(GROUP, *who)) {
                    Some(_) => left.await.expect("leaves"),
                    None => assert_eq!(code(left.await), "participant"),
                }
            }
            Step::Join(who) => {
                let (by, talk) = (reference(PEOPLE[*who]), self.talks[GROUP]);
                let context = context("join");
                let joined = domain.participant_join(&context, SOURCE, talk, by, false);
                joined.await.expect("joins");
                self.model.parts.entry((GROUP, *who)).or_default();
            }
            Step::Restart => {}
        }
    }

    /// What is queued is claimed at once and ends as the history says.
    async fn send(&mut self, domain: &Domain, outcomes: &[u8]) {
        self.house.clock.advance(Duration::from_secs(2 * 3_600));
        let claims = claim(domain).await;
        let mut due: Vec<One> = Vec::new();
        for one in self.model.clients.clone() {
            if one.queued.is_none() {
                continue;
            }
            if one.status != ClientStatus::Pending {
                // It was confirmed without it.
                self.model.get(one.id).expect("is there").queued = None;
            } else if self.model.blocked.contains(&one.at.expect("an address")) {
                self.model.remove(one.id);
            } else {
                due.push(one);
            }
        }
        due.sort_by_key(|one| one.id);
        let to = |one: &One| PHONES[one.at.expect("an address").1];
        let expected: Vec<&str> = due.iter().map(to).collect();
        let found: Vec<&str> = claims.iter().map(|claim| claim.to.as_str()).collect();
        assert_eq!(found, expected);
        for (at, (claim, one)) in claims.iter().zip(due).enumerate() {
            let outcome = outcomes
                .get(at % outcomes.len().max(1))
                .copied()
                .unwrap_or(0);
            let why = || error("1");
            let ends = match outcome {
                0 => SendOutcome::Kept,
                1..=3 => accepted(),
                4 => SendOutcome::Again(why()),
                5 => SendOutcome::Failed(why()),
                _ => SendOutcome::Blocked(why()),
            };
            assert!(finish(domain, claim, ends).await);
            let attempts = claim.attempt();
            let Some(own) = self.model.get(one.id) else {
                continue;
            };
            let pending = own.status == ClientStatus::Pending;
            own.queued = (outcome == 4 && attempts < 12).then_some(attempts);
            match outcome {
                0..=3 if own.how == Confirmation::Immediate && pending => {
                    self.model.activate(one.id);
                }
                0..=3 => {}
                4 if attempts < 12 => {}
                _ => {
                    if pending {
                        self.model.remove(one.id);
                    }
                    if outcome > 5 {
                        self.model.block(one.at.expect("an address"));
                    }
                }
            }
        }
    }

    async fn check(&self, domain: &Domain) {
        for (who, name) in PEOPLE.iter().enumerate() {
            let own = self.model.clients.iter().filter(|one| one.who == who);
            let mut own: Vec<(i64, ClientStatus)> = own.map(|one| (one.id, one.status)).collect();
            own.sort_by_key(|(id, _)| *id);
            let found = clients(domain, name).await;
            let found: Vec<_> = found.iter().map(|one| (one.id, one.status)).collect();
            assert_eq!(found, own, "{name}");
        }
        for ((talk, who), own) in &self.model.parts {
            let found = reached(domain, self.talks[*talk], self.records[*who]).await;
            assert_eq!(&found, own, "{talk} {who}");
        }
        let on = |program: bool| {
            let all = self.model.clients.iter();
            let active =
                all.filter(|one| one.status == ClientStatus::Active && one.at.is_err() == program);
            let people: BTreeSet<u32> = active.map(|one| self.people[one.who]).collect();
            people.len() as u64
        };
        assert_eq!(count(domain, Channel::Twilio).await, on(false));
        assert_eq!(count(domain, Channel::Sdk).await, on(true));
    }
}

async fn run(house: &House, processes: usize, steps: &[Step]) {
    let names = ["one", "two"];
    let mut domains = Vec::new();
    for name in &names[..processes] {
        domains.push(house.open_as(name).await);
    }
    let mut run = Run {
        house,
        model: Model::default(),
        people: vec![0; 3],
        records: vec![0; 3],
        talks: vec![0; 4],
        plugs: Vec::new(),
        told: 0,
    };
    for who in 0..PEOPLE.len() {
        run.hire(&domains[0], who).await;
    }
    run.talks[GROUP] = talk(&domains[0], &PEOPLE).await;
    for who in 0..PEOPLE.len() {
        run.model.parts.insert((GROUP, who), Vec::new());
    }
    for _ in 0..2 {
        let made = integration(&domains[0], IntegrationKind::Twilio).await;
        run.plugs.push(made);
    }
    for (turn, step) in steps.iter().enumerate() {
        let at = turn % processes;
        if let Step::Restart = step {
            close(domains.remove(at)).await;
            domains.insert(at, house.open_as(names[at]).await);
        }
        run.step(&domains[at], step).await;
        run.check(&domains[(turn + 1) % processes]).await;
    }
    for domain in domains {
        close(domain).await;
    }
    verified(house);
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0usize..3;
    let two = || 0usize..2;
    prop_oneof![
        8 => (who(), two(), two(), who(), any::<bool>(), prop::bool::weighted(0.2)).prop_map(
            |(who, phone, plug, how, primary, group)| Step::Link {
                who,
                phone,
                plug,
                how,
                primary,
                group,
            }
        ),
        5 => prop::collection::vec(0u8..7, 1..5).prop_map(Step::Send),
        7 => (two(), two(), 0usize..8)
            .prop_map(|(plug, phone, word)| Step::Write(plug, phone, word.min(4))),
        2 => any::<u8>().prop_map(Step::Remove),
        1 => Just(Step::Expire),
        1 => two().prop_map(Step::Unplug),
        1 => who().prop_map(Step::Dismiss),
        1 => (who(), 0u8..2).prop_map(|(who, device)| Step::SignIn(who, device)),
        1 => (who(), 0u8..2).prop_map(|(who, device)| Step::SignOut(who, device)),
        1 => who().prop_map(Step::Leave),
        1 => who().prop_map(Step::Join),
        1 => Just(Step::Restart),
    ]
}

fn runs(cases: u32, processes: usize, house: fn() -> Option<House>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let config = Config {
        cases,
        max_shrink_iters: 200,
        failure_persistence: None,
        ..Config::default()
    };
    let history = prop::collection::vec(step(), 10..70);
    let result = TestRunner::new(config).run(&history, |steps| {
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
fn linking_histories_on_sqlite_are_what_the_model_says() {
    runs(150, 1, || Some(House::sqlite()));
}

#[test]
fn linking_histories_on_postgres_are_what_the_model_says() {
    runs(6, 1, House::postgres);
}

#[test]
fn linking_histories_of_two_processes_are_what_the_model_says() {
    runs(6, 2, House::postgres);
}
