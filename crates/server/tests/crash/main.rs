//! `kill -9` at random moments under load. Every acknowledged change is there afterwards, and of a change that was not
//! acknowledged either all or nothing. In [`cache`] it dies in checkpoints and while it writes its cache, and what it left of
//! that is damaged before the next start.
//!
//! `THRONG_TEST_KILLS=N` asks for another number of kills (100 if absent; on PostgreSQL a quarter of them).

mod cache;

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// Callers at once, each with an audience of its own.
const CALLERS: usize = 4;
/// The longest a server runs before it is killed.
const RUN_MS_MAX: u64 = 90;
const START_MAX: Duration = Duration::from_secs(60);

/// A `throng serve` process.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// Starts on a free port and waits until it is ready; also answers the token that a first start prints.
    fn start(data: &Path, database: Option<&str>) -> (Server, Option<String>) {
        Server::start_with(data, database, &[])
    }

    fn start_with(
        data: &Path,
        database: Option<&str>,
        settings: &[&str],
    ) -> (Server, Option<String>) {
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a free port")
            .port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(data);
        if let Some(url) = database {
            command.args(["--database-url", url]);
        }
        for setting in settings {
            command.args(["--set", setting]);
        }
        command.env("THRONG_RATE_LIMIT_NATIVE", "off");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let out = child.stdout.take().expect("is piped");
        let url = format!("http://127.0.0.1:{port}");
        let until = Instant::now() + START_MAX;
        while ureq::get(format!("{url}/readyz")).call().is_err() {
            assert!(
                Instant::now() < until,
                "the server is not ready after {START_MAX:?}"
            );
            assert!(
                child.try_wait().expect("can be asked").is_none(),
                "the server ended at its start"
            );
            std::thread::park_timeout(Duration::from_millis(5));
        }
        (Server { child, url }, Some(out).and_then(token_in))
    }

    fn kill(mut self) {
        self.child.kill().expect("is killed");
        self.child.wait().expect("has ended");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The administrator's token in what the server printed up to being ready.
fn token_in(out: impl Read) -> Option<String> {
    let mut out = BufReader::new(out);
    let mut line = String::new();
    while out.read_line(&mut line).is_ok_and(|read| read > 0) {
        if let Some(at) = line.find("thr_") {
            let token = line[at..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            return Some(token);
        }
        if line.contains("listening") {
            return None;
        }
        line.clear();
    }
    None
}

#[derive(Clone)]
struct Api {
    url: String,
    token: String,
    agent: ureq::Agent,
}

impl Api {
    fn new(server: &Server, token: &str) -> Api {
        let agent = ureq::Agent::new_with_config(
            ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(Duration::from_secs(30)))
                .build(),
        );
        Api {
            url: server.url.clone(),
            token: token.to_owned(),
            agent,
        }
    }

    /// Nothing where the connection broke; a refusal fails the test.
    fn post(&self, path: &str, body: &Value) -> Option<Value> {
        let request = self.agent.post(format!("{}/api/v1/{path}", self.url));
        let mut answer = request
            .header("authorization", format!("Bearer {}", self.token))
            .send_json(body)
            .ok()?;
        let status = answer.status();
        let text = answer.body_mut().read_to_string().ok()?;
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).ok()
    }

    fn get(&self, path: &str) -> Value {
        let request = self.agent.get(format!("{}/api/v1/{path}", self.url));
        let mut answer = request
            .header("authorization", format!("Bearer {}", self.token))
            .call()
            .expect("answers");
        answer.body_mut().read_json().expect("is JSON")
    }

    fn people(&self, audience: u64) -> u64 {
        let body = self.get(&format!("audiences/{audience}/members/count"));
        body["people"].as_u64().expect("a count")
    }

    /// Deletes a structure with its audiences; answers the job that goes on with it.
    fn delete_tree(&self, structure: &Value) -> Value {
        let path = format!("structures/{structure}?with_audiences=true");
        let request = self.agent.delete(format!("{}/api/v1/{path}", self.url));
        let mut answer = request
            .header("authorization", format!("Bearer {}", self.token))
            .call()
            .expect("answers");
        assert_eq!(answer.status(), 202);
        answer.body_mut().read_json().expect("is JSON")
    }
}

/// Addresses `first..end` of a caller; an audience always holds one such range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u64,
    end: u64,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Add(Range),
    Remove(Range),
    Replace(Range),
    Empty,
}

/// One caller's audience: what was acknowledged, and what was asked when the server died.
#[derive(Debug, Clone)]
struct Caller {
    name: usize,
    audience: u64,
    holds: Range,
    asked: Option<Change>,
    acknowledged: u64,
}

impl Caller {
    fn values(&self, range: Range) -> Vec<String> {
        (range.first..range.end)
            .map(|number| format!("c{}n{number}@example.org", self.name))
            .collect()
    }

    fn after(&self, change: Change) -> Range {
        match change {
            Change::Add(range) => Range {
                first: self.holds.first,
                end: range.end,
            },
            Change::Remove(range) => Range {
                first: range.end,
                end: self.holds.end,
            },
            Change::Replace(range) => range,
            Change::Empty => Range {
                first: self.holds.end,
                end: self.holds.end,
            },
        }
    }

    /// The next change; sizes differ, so that a half-done one shows in the count.
    fn next(&self, random: u64) -> Change {
        let size = 1 + random % 150;
        let Range { first, end } = self.holds;
        match random >> 32 & 15 {
            0 => Change::Replace(Range {
                first: end,
                end: end + size,
            }),
            1 => Change::Empty,
            2..=5 if end > first + 1 => Change::Remove(Range {
                first,
                end: first + 1 + (end - first) / 3,
            }),
            _ => Change::Add(Range {
                first: end,
                end: end + size,
            }),
        }
    }

    fn ask(&self, api: &Api, change: Change) -> Option<Value> {
        let (verb, range) = match change {
            Change::Add(range) => ("add", range),
            Change::Remove(range) => ("remove", range),
            Change::Replace(range) => ("replace", range),
            Change::Empty => {
                return api.post(
                    &format!("audiences/{}/members/empty", self.audience),
                    &json!({}),
                );
            }
        };
        let body = json!({"kind": "email", "values": self.values(range)});
        api.post(
            &format!("audiences/{}/members/{verb}", self.audience),
            &body,
        )
    }

    /// Sends changes until the server dies.
    fn load(mut self, api: &Api, stop: &AtomicBool, acknowledged: &AtomicU64) -> Caller {
        while !stop.load(Ordering::SeqCst) {
            let change = self.next(random());
            self.asked = Some(change);
            if self.ask(api, change).is_none() {
                return self;
            }
            self.holds = self.after(change);
            self.acknowledged += 1;
            acknowledged.fetch_add(1, Ordering::SeqCst);
            self.asked = None;
        }
        self
    }

    /// After the restart: what was acknowledged, or that and the whole of what was asked.
    fn settle(mut self, api: &Api) -> Caller {
        let before = self.holds;
        let candidates: Vec<Range> = std::iter::once(before)
            .chain(self.asked.take().map(|change| self.after(change)))
            .collect();
        let people = api.people(self.audience);
        let found = candidates
            .iter()
            .copied()
            .find(|range| self.is(api, *range, people));
        self.holds = found.unwrap_or_else(|| {
            panic!("{self:?} holds {people} people, which fits none of {candidates:?}")
        });
        self
    }

    fn is(&self, api: &Api, range: Range, people: u64) -> bool {
        if people != range.end - range.first {
            return false;
        }
        let around = Range {
            first: range.first.saturating_sub(200),
            end: range.end + 200,
        };
        let body = json!({"kind": "email", "values": self.values(around)});
        let answer = api
            .post(
                &format!("audiences/{}/members/contains", self.audience),
                &body,
            )
            .expect("answers");
        let held = answer["contains"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|held| held.as_bool() == Some(true));
        (around.first..)
            .zip(held)
            .all(|(number, held)| held == (range.first..range.end).contains(&number))
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("randomness");
    u64::from_le_bytes(bytes)
}

#[expect(
    clippy::disallowed_methods,
    reason = "what scripts/test tells its tests comes in the environment"
)]
fn told(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn kills() -> usize {
    told("THRONG_TEST_KILLS").map_or(100, |text| {
        text.parse().expect("THRONG_TEST_KILLS is a number")
    })
}

/// How the servers of a test are set up, and what happens between their deaths and the next start.
struct Scene<'a> {
    settings: &'a [&'a str],
    /// New addresses in each audience before the first kill.
    people: u64,
    /// Called with the number of the kill that is to come, it answers how long the server runs at least.
    runs_ms_min: fn(usize) -> u64,
    between: &'a mut dyn FnMut(&Path),
}

fn crash(data: &Path, database: Option<&str>, kills: usize) {
    let scene = Scene {
        settings: &[],
        people: 0,
        runs_ms_min: |_| 0,
        between: &mut |_| {},
    };
    crash_in(data, database, kills, scene);
}

fn crash_in(data: &Path, database: Option<&str>, kills: usize, scene: Scene<'_>) {
    let start = || Server::start_with(data, database, scene.settings);
    let (server, token) = start();
    let token = token.expect("the first start prints a token");
    let api = Api::new(&server, &token);
    let structure = api
        .post("structures", &json!({"name": "crash"}))
        .expect("answers")["id"]
        .clone();
    let mut callers: Vec<Caller> = (0..CALLERS)
        .map(|name| {
            let new = json!({"structure": structure, "name": format!("caller {name}")});
            let audience = api.post("audiences", &new).expect("answers")["id"]
                .as_u64()
                .expect("an id");
            let mut caller = Caller {
                name,
                audience,
                holds: Range { first: 0, end: 0 },
                asked: None,
                acknowledged: 0,
            };
            let people = Change::Add(Range {
                first: 0,
                end: scene.people,
            });
            if scene.people > 0 {
                caller.ask(&api, people).expect("answers");
                caller.holds = caller.after(people);
            }
            caller
        })
        .collect();
    server.kill();
    for kill in 1..=kills {
        (scene.between)(data);
        let (server, _) = start();
        let api = Api::new(&server, &token);
        callers = callers
            .into_iter()
            .map(|caller| caller.settle(&api))
            .collect();
        let (stop, acknowledged) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let threads: Vec<_> = callers
            .into_iter()
            .map(|caller| {
                let (api, stop, acknowledged) =
                    (api.clone(), Arc::clone(&stop), Arc::clone(&acknowledged));
                std::thread::spawn(move || caller.load(&api, &stop, &acknowledged))
            })
            .collect();
        // Every other time only after something was acknowledged, however slow the machine is.
        let until = Instant::now() + START_MAX;
        while kill % 2 == 0 && acknowledged.load(Ordering::SeqCst) == 0 {
            assert!(
                Instant::now() < until,
                "nothing was acknowledged within {START_MAX:?}"
            );
            std::thread::park_timeout(Duration::from_millis(1));
        }
        // Not a wait for something: the moment of death is what varies.
        let alive_us = (scene.runs_ms_min)(kill) * 1_000 + random() % (RUN_MS_MAX * 1_000);
        std::thread::park_timeout(Duration::from_micros(alive_us));
        server.kill();
        stop.store(true, Ordering::SeqCst);
        callers = threads
            .into_iter()
            .map(|thread| thread.join().expect("no caller saw a wrong answer"))
            .collect();
        if kill % 25 == 0 || kill == kills {
            verify(data, database);
        }
    }
    (scene.between)(data);
    let (server, _) = start();
    let api = Api::new(&server, &token);
    let acknowledged: u64 = callers
        .into_iter()
        .map(|caller| caller.settle(&api).acknowledged)
        .sum();
    assert!(
        acknowledged >= kills as u64 / 2,
        "only {acknowledged} changes were acknowledged between {kills} kills"
    );
}

fn verify(data: &Path, database: Option<&str>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_throng"));
    command.arg("verify").arg("--data").arg(data);
    if let Some(url) = database {
        command.args(["--database-url", url]);
    }
    let output = command.output().expect("runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn every_acknowledged_change_survives_kill_9_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    crash(&folder.path().join("data"), None, kills());
}

/// A database of this folder's name in the PostgreSQL that this run has, if it has one.
fn postgres_database(folder: &Path) -> Option<String> {
    let Some(admin) = told("THRONG_TEST_POSTGRES") else {
        assert!(
            told("CI").is_none(),
            "THRONG_TEST_POSTGRES is not set: run scripts/test"
        );
        return None;
    };
    let name = folder
        .file_name()
        .expect("a name")
        .to_string_lossy()
        .replace('.', "c");
    let mut client =
        postgres::Client::connect(&admin, postgres::NoTls).expect("PostgreSQL answers");
    client
        .batch_execute(&format!("CREATE DATABASE \"{name}\""))
        .expect("a database");
    Some(format!(
        "{}/{name}",
        admin.rsplit_once('/').expect("a name").0
    ))
}

#[test]
fn every_acknowledged_change_survives_kill_9_on_postgres() {
    let folder = tempfile::tempdir().expect("a folder");
    if let Some(url) = postgres_database(folder.path()) {
        crash(&folder.path().join("data"), Some(&url), kills().div_ceil(4));
    }
}

/// A tree that is too large for one command is gone for everybody with the answer, and the job that takes it down goes on
/// after each kill until nothing is left.
fn take_down(data: &Path, database: Option<&str>) {
    const AUDIENCES: usize = 450;
    let (mut server, token) = Server::start(data, database);
    let token = token.expect("a first start prints it");
    let api = Api::new(&server, &token);
    let structure = api.post("structures", &json!({"name": "Doomed"}));
    let structure = structure.expect("is made")["id"].clone();
    for number in 0..AUDIENCES {
        let new = json!({"structure": structure, "name": format!("Audience {number}")});
        let made = api.post("audiences", &new).expect("is made");
        let path = format!("audiences/{}/members/add", made["id"]);
        let values = json!([format!("p{number}@example.org"), "all@example.org"]);
        api.post(&path, &json!({"kind": "email", "values": values}));
    }
    let job = api.delete_tree(&structure)["id"].clone();
    let path = format!("jobs/{job}");
    let until = Instant::now() + START_MAX;
    loop {
        server.kill();
        server = Server::start(data, database).0;
        let api = Api::new(&server, &token);
        assert_eq!(api.get("audiences?parent=root")["items"], json!([]));
        let shown = api.get(&path);
        if !shown["finished"].is_null() {
            assert_eq!(
                (&shown["done"], &shown["total"]),
                (&json!(AUDIENCES + 1), &json!(AUDIENCES + 1))
            );
            break;
        }
        assert!(Instant::now() < until, "the job does not end: {shown}");
    }
    server.kill();
    verify(data, database);
}

#[test]
fn a_tree_is_taken_down_through_kill_9_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    take_down(&folder.path().join("data"), None);
}

#[test]
fn a_tree_is_taken_down_through_kill_9_on_postgres() {
    let folder = tempfile::tempdir().expect("a folder");
    if let Some(url) = postgres_database(folder.path()) {
        take_down(&folder.path().join("data"), Some(&url));
    }
}
