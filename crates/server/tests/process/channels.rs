//! Channels from the command line: providers set up from files, a confirmation in a demo, and what it does not say.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::Stdio,
    sync::mpsc::{Receiver, Sender, channel},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{Answer, DEADLINE, Ended, Process, Server, run, wait_for};

const CANARY: &str = "s3cret-c4n4ry";

/// A demo, its files and its administrator.
struct Desk {
    server: Server,
    token: String,
    folder: tempfile::TempDir,
}

impl Desk {
    fn open() -> Desk {
        let server = Server::demo(&["--people", "20", "--verbose"]);
        Desk {
            token: server.token().to_owned(),
            server,
            folder: tempfile::tempdir().expect("a folder"),
        }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        fs::write(&path, text).expect("is written");
        path.to_str().expect("UTF-8").to_owned()
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.server.run(&self.token, arguments)
    }

    fn say(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        assert!(!ended.stdout.contains(CANARY), "{}", ended.stdout);
        ended.stdout
    }

    fn value(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.say(&arguments)).expect("JSON")
    }

    fn with_input(&self, arguments: &[&str], input: &str) -> Ended {
        let mut command = self.server.command(&self.token, arguments);
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        writer
            .write_all(input.as_bytes())
            .expect("fits into the pipe");
        drop(writer);
        Process::start(command.stdin(Stdio::from(reader))).wait()
    }

    fn demo(&self, name: &str) -> &str {
        self.server.demo["sunshine"][name].as_str().expect("a text")
    }

    /// A call of the vendor's API as the demo's app.
    fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let key = [self.demo("key_id"), self.demo("secret")].join(":");
        self.call_as(&key, method, path, body)
    }

    fn call_as(&self, key: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let basic = format!("Basic {}", STANDARD.encode(key));
        let headers = [
            ("authorization", basic.as_str()),
            ("content-type", "application/json"),
        ];
        let path = format!("/sunshine/v2/apps/{}{path}", self.demo("app_id"));
        let body = body.map(|body| body.to_string());
        self.server
            .request(method, &path, &headers, body.as_deref())
    }

    /// Links a phone number of the demo's user; answers the item of the outbox that asks for its confirmation, once nothing
    /// more will be done with it.
    fn link(&self, phone: &str, confirmation: &str) -> (Value, Value) {
        let integration = &self.server.demo["sunshine"]["integrations"]["twilio"];
        let body = json!({
            "matchCriteria": {"type": "twilio", "integrationId": integration, "phoneNumber": phone},
            "confirmation": {"type": confirmation, "message": {
                "author": {"type": "business"}, "content": {"type": "text", "text": "Is this Mary?"}}},
            "target": {"conversationId": self.demo("conversation_id")},
        });
        let path = format!("/users/{}/clients", self.demo("user_id"));
        let made = self.call("POST", &path, Some(body));
        assert_eq!(made.status, 201, "{}", made.body);
        let client = made.json()["client"].clone();
        let to = phone.replace([' ', '-'], "");
        let item = wait_for("the confirmation in the outbox", || {
            let items = self.value(&["outbox", "list", "--state", "sent"]);
            let items = items.as_array().expect("a list").clone();
            items
                .into_iter()
                .find(|item| item["recipient"] == to.as_str())
        });
        assert_eq!(
            (&item["kind"], &item["template"]),
            (&json!("channel"), &json!("confirmation"))
        );
        (client, item)
    }

    fn clients(&self) -> Vec<(Value, Value)> {
        let path = format!("/users/{}/clients", self.demo("user_id"));
        let listed = self.call("GET", &path, None);
        assert_eq!(listed.status, 200, "{}", listed.body);
        let listed = listed.json();
        let clients = listed["clients"].as_array().expect("a list").iter();
        clients
            .map(|client| (client["id"].clone(), client["status"].clone()))
            .collect()
    }

    fn reached(&self, channel: &str) -> u64 {
        let counts = self.value(&["channel", "counts"]);
        let counts = counts.as_array().expect("a list").clone();
        let found = counts.iter().find(|count| count["channel"] == channel);
        found.expect("the channel is listed")["people"]
            .as_u64()
            .expect("a count")
    }
}

#[test]
fn providers_are_set_up_from_files_and_from_standard_input() {
    let desk = Desk::open();
    let listed = desk.value(&["channel", "list"]);
    let kinds: Vec<&str> = listed
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|one| one["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["mailgun", "twilio", "messagebird", "whatsapp"]);

    let json = format!(
        r#"{{"api_key": "{CANARY}", "domain": "m.example.org", "incoming_address": "in@m.example.org"}}"#
    );
    let file = desk.file("mailgun.json", &json);
    let made = desk.say(&[
        "channel",
        "create",
        "mailgun",
        "--name",
        "Second mail",
        "--from",
        &file,
    ]);
    assert!(
        made.contains("(mailgun, Second mail) is made.") && made.contains("Not set: signing_key."),
        "{made}"
    );
    let all = desk.value(&["channel", "list"]);
    let mail = all[4]["id"].to_string();
    assert!(desk.say(&["channel", "list"]).contains("Second mail"));

    let file = desk.file(
        "mailgun.toml",
        &format!("# for what comes in\nsigning_key = \"{CANARY}\"\n"),
    );
    let set = desk.say(&["channel", "set", &mail, "--from", &file]);
    assert!(set.contains("is set.") && !set.contains("Not set"), "{set}");
    let set = desk.with_input(
        &["channel", "set", &mail, "--from", "-"],
        "domain = \"n.example.org\"\nsigning_key = \"\"\n",
    );
    assert_eq!(set.code, Some(0), "{}", set.stderr);
    let shown = desk.say(&["channel", "show", &mail]);
    for line in [
        "  api_key                (set, not shown)",
        "  domain                 n.example.org",
        "  signing_key            -",
    ] {
        assert!(shown.lines().any(|found| found == line), "{line}\n{shown}");
    }
    let hook = format!("  {}/hooks/mailgun/", desk.server.url);
    assert!(shown.lines().any(|line| line.starts_with(&hook)), "{shown}");

    // By the id of the vendor's API too.
    let id = desk.server.demo["sunshine"]["integrations"]["whatsapp"]
        .as_str()
        .expect("an id");
    let shown = desk.value(&["channel", "show", id]);
    assert_eq!(
        (&shown["kind"], &shown["unset"]),
        (&json!("whatsapp"), &json!([])),
        "{shown}"
    );
    assert!(
        desk.say(&["channel", "delete", &mail])
            .contains("is deleted")
    );
    let gone = desk.run(&["channel", "show", &mail]);
    assert_eq!(gone.code, Some(1), "{}", gone.stderr);
    let ended = desk.server.stop();
    assert!(!ended.stderr.contains(CANARY), "{}", ended.stderr);
}

#[test]
fn a_wrong_file_changes_nothing_and_is_not_quoted() {
    let desk = Desk::open();
    let id = desk.server.demo["sunshine"]["integrations"]["twilio"]
        .as_str()
        .expect("an id");
    let before = desk.value(&["channel", "show", id]);
    let files = [
        (format!("auth_token = {CANARY}"), 2, "line 1 is not TOML"),
        (
            format!("{{\"auth_token\": \"{CANARY}\""),
            2,
            "it is not JSON",
        ),
        (
            format!("auth_token = [\"{CANARY}\"]"),
            2,
            "auth_token must be a text",
        ),
        (String::new(), 2, "it sets nothing"),
        ("x".repeat(70_000), 2, "larger than"),
        (
            format!("no_such = \"{CANARY}\""),
            1,
            "The fields are: account_sid",
        ),
        ("auth_token = \"\"".to_owned(), 1, "auth_token"),
    ];
    for (text, code, said) in files {
        let file = desk.file("settings", &text);
        let ended = desk.run(&["channel", "set", id, "--from", &file]);
        assert_eq!(ended.code, Some(code), "{said}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
        assert!(!ended.stderr.contains(CANARY), "{}", ended.stderr);
    }
    let missing = desk.folder.path().join("missing.toml");
    let missing = missing.to_str().expect("UTF-8");
    let ended = desk.run(&["channel", "set", id, "--from", missing]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("cannot read"), "{}", ended.stderr);
    // An integration of nobody, a user in its place, no id at all.
    let file = desk.file("good.toml", "phone_number = \"+12125550109\"\n");
    for (wrong, code) in [("999999", 1), (desk.demo("user_id"), 1), ("twilio", 2)] {
        let ended = desk.run(&["channel", "set", wrong, "--from", &file]);
        assert_eq!(ended.code, Some(code), "{wrong}: {}", ended.stderr);
    }
    assert_eq!(desk.value(&["channel", "show", id]), before);
    let help = run(&["channel", "--help"]).stdout;
    for expected in ["--from -", "verify_token", "signing_key", "sealed"] {
        assert!(help.contains(expected), "{expected}\n{help}");
    }
}

#[test]
fn a_demo_plays_the_persons_answer() {
    let desk = Desk::open();
    assert_eq!(desk.reached("twilio"), 0);
    let (first, item) = desk.link("+1 212-555-0123", "prompt");
    assert_eq!(first["status"], "pending");
    assert_eq!(desk.clients(), [(first["id"].clone(), json!("pending"))]);
    let id = item["id"].to_string();
    let shown = desk.say(&["outbox", "show", &id]);
    assert!(
        shown.contains("To:           +12125550123") && shown.contains("Is this Mary?"),
        "{shown}"
    );

    let confirmed = desk.say(&["outbox", "confirm", &id]);
    assert!(confirmed.contains("on twilio is active."), "{confirmed}");
    assert_eq!(desk.clients(), [(first["id"].clone(), json!("active"))]);
    assert_eq!(desk.reached("twilio"), 1);
    assert!(desk.say(&["channel", "counts"]).contains("twilio"));

    // No removes, stop blocks.
    let (second, item) = desk.link("+15550124", "prompt");
    assert_eq!(desk.clients().len(), 2);
    let no = [
        "outbox",
        "confirm",
        &item["id"].to_string(),
        "--answer",
        "no",
    ];
    assert!(desk.say(&no).contains("is removed"));
    assert!(desk.clients().iter().all(|(id, _)| *id != second["id"]));
    let stop = desk.value(&["outbox", "confirm", &id, "--answer", "STOP"]);
    assert_eq!(stop["client"]["status"], "blocked");
    assert_eq!(desk.reached("twilio"), 0);

    // One that needs no answer is active by what is kept.
    let (third, _) = desk.link("+15550125", "immediate");
    wait_for("the client to be active", || {
        let clients = desk.clients();
        clients
            .contains(&(third["id"].clone(), json!("active")))
            .then_some(())
    });
    assert_eq!(desk.reached("twilio"), 1);

    let nowhere = desk.run(&["outbox", "confirm", "999999"]);
    assert_eq!(nowhere.code, Some(1), "{}", nowhere.stderr);
    let ended = desk.server.stop();
    for secret in ["5550123", "5550124", "Is this Mary"] {
        assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
    }
}

#[test]
fn a_key_is_made_ready_to_paste() {
    let desk = Desk::open();
    let made = |more: &[&str]| {
        let create = [
            "credential",
            "create",
            "--dialect",
            "sunshine",
            "--name",
            "bot",
        ];
        let text = desk.say(&[&create, more].concat());
        let line = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name));
            found
                .unwrap_or_else(|| panic!("{name}\n{text}"))
                .trim()
                .to_owned()
        };
        (line("app_id:"), line("key_id:"), line("secret:"))
    };
    let (app, key, secret) = made(&[]);
    assert_eq!(app, desk.demo("app_id"));
    assert!(key.starts_with("app_") && secret.starts_with("thr_"));
    let listed = desk.call_as(&format!("{key}:{secret}"), "GET", "/integrations", None);
    assert_eq!(listed.status, 200, "{}", listed.body);
    assert_eq!(
        listed.json()["integrations"].as_array().map(Vec::len),
        Some(4)
    );
    let wrong = desk.call_as(&format!("{key}:{secret}x"), "GET", "/integrations", None);
    assert_eq!(wrong.status, 401);

    let (_, key, secret) = made(&["--scopes", "admin"]);
    assert!(key.starts_with("act_"), "{key}");
    let listed = desk.call_as(&format!("{key}:{secret}"), "GET", "/integrations", None);
    assert_eq!(listed.status, 200, "{}", listed.body);
}

/// What a receiver got: the value of `x-api-key`, and the body.
type Told = (String, Value);

/// A receiver of webhooks on a port of its own, which says yes to everything.
fn receiver() -> (String, Receiver<Told>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/in", listener.local_addr().expect("an address"));
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let tell = tell.clone();
            std::thread::spawn(move || receive(stream, &tell));
        }
    });
    (url, told)
}

/// The requests of one connection, until it ends.
fn receive(stream: TcpStream, tell: &Sender<Told>) {
    let mut answers = stream.try_clone().expect("a second handle");
    let mut reader = BufReader::new(stream);
    loop {
        let (mut key, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).is_ok_and(|bytes| bytes == 0) {
                return;
            }
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                if line.trim().is_empty() {
                    break;
                }
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "x-api-key" => value.clone_into(&mut key),
                "content-length" => length = value.parse().expect("a number"),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the body");
        let body = serde_json::from_slice(&body).expect("JSON");
        let answered = answers.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        if tell.send((key, body)).is_err() || answered.is_err() {
            return;
        }
    }
}

#[test]
fn what_happened_is_told_and_told_again() {
    let desk = Desk::open();
    let (url, told) = receiver();
    let body = json!({"target": url, "triggers": ["client:add", "client:update"]});
    let made = desk.call("POST", "/integrations/me/webhooks", Some(body));
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json()["webhook"].clone();
    let next = || -> (String, String, Value) {
        let (key, body) = told.recv_timeout(DEADLINE).expect("is told");
        assert_eq!(key, made["secret"], "the secret comes along");
        assert_eq!(body["app"]["id"], desk.demo("app_id"));
        let event = body["events"][0].clone();
        let text = |name: &str| event[name].as_str().expect("a text").to_owned();
        (text("id"), text("type"), event["payload"].clone())
    };
    let (client, _) = desk.link("+1 212-555-0123", "immediate");
    // In whatever order they come.
    let mut first: Vec<_> = (0..3).map(|_| next()).collect();
    first.sort_by(|one, other| one.0.cmp(&other.0));
    let types: Vec<&str> = first.iter().map(|event| event.1.as_str()).collect();
    assert_eq!(types, ["client:add", "client:update", "client:update"]);
    let reasons: Vec<&Value> = first.iter().map(|event| &event.2["reason"]).collect();
    assert_eq!(reasons, ["channelLinking", "matched", "confirmed"]);
    assert_eq!(first[2].2["client"]["id"], client["id"]);
    assert_eq!(first[2].2["client"]["status"], "active");

    let listed = desk.value(&["webhook", "list"]);
    assert_eq!(
        (&listed[0]["dialect"], &listed[0]["url"]),
        (&json!("sunshine"), &json!(url))
    );
    let id = listed[0]["id"].to_string();
    let replay = ["webhook", "replay", &id, "--since", "2026-01-01T00:00:00Z"];
    let said = desk.say(&replay);
    assert!(said.starts_with("3 events are queued"), "{said}");
    let mut again: Vec<_> = (0..3).map(|_| next()).collect();
    again.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(again, first, "the same events with the same ids");
}
