//! `throng import audience`: rows checked, batches applied once, stopped and resumed.

use std::{fmt::Write, fs, path::Path};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Process, Server, wait_for};

const AUDIENCE: &str = "6";

struct Scene {
    server: Server,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Scene {
        let server = Server::demo(&["--people", "0"]);
        let scene = Scene {
            server,
            folder: tempfile::tempdir().expect("a folder"),
        };
        let made = scene.server.run(
            scene.server.token(),
            &["audience", "create", "Fans", "--structure", "1", "--json"],
        );
        let made: Value = serde_json::from_str(&made.stdout).expect("JSON");
        let id = made["id"].to_string();
        fs::write(scene.path("id"), id).expect("is written");
        scene
    }

    fn audience(&self) -> String {
        fs::read_to_string(self.path("id")).expect("was written")
    }

    fn path(&self, name: &str) -> String {
        self.folder
            .path()
            .join(name)
            .to_str()
            .expect("UTF-8")
            .to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).expect("is written");
        path
    }

    fn start(&self, file: &str, more: &[&str]) -> Process {
        let audience = self.audience();
        let mut arguments = vec!["import", "audience", &audience, file, "--kind", "email"];
        arguments.extend_from_slice(more);
        Process::start(&mut self.server.command(self.server.token(), &arguments))
    }

    fn people(&self) -> u64 {
        let path = format!("/audiences/{}", self.audience());
        let audience = self
            .server
            .api(self.server.token(), "GET", &path, None)
            .json();
        audience["counts"]["people"].as_u64().expect("a count")
    }

    /// How many batches the server has carried out.
    fn batches(&self) -> usize {
        let activity = self
            .server
            .api(self.server.token(), "GET", "/activity?limit=1000", None)
            .json();
        let items = activity["items"].as_array().expect("a list").clone();
        items
            .iter()
            .filter(|item| item["verb"] == "member_add")
            .count()
    }
}

/// Rows of good addresses, each tenth one wrong.
fn rows(count: usize) -> String {
    let mut text = String::from("name,E-mail\n");
    for row in 0..count {
        let at = if row % 10 == 9 { " at " } else { "@" };
        writeln!(text, "\"Row, {row}\",somebody.{row}{at}example.org").expect("a String takes it");
    }
    text
}

#[test]
fn a_file_is_imported_and_its_wrong_rows_are_named() {
    let scene = Scene::new();
    let file = scene.write("people.csv", &rows(100));
    let dry = scene
        .start(&file, &["--column", "e-mail", "--dry-run", "--json"])
        .wait();
    let dry: Value = serde_json::from_str(&dry.stdout).expect("JSON");
    assert_eq!(
        (
            dry["totals"]["valid"].as_u64(),
            dry["totals"]["invalid"].as_u64()
        ),
        (Some(90), Some(10))
    );
    assert_eq!(scene.people(), 0, "a dry run sends nothing");

    let errors = scene.path("wrong.csv");
    let ended = scene
        .start(
            &file,
            &["--column", "e-mail", "--errors", &errors, "--batch", "40"],
        )
        .wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended
            .stdout
            .contains("100 rows: 90 valid, 10 invalid. 90 people added"),
        "{}",
        ended.stdout
    );
    assert_eq!((scene.people(), scene.batches()), (90, 3));
    let errors = fs::read_to_string(errors).expect("the error file");
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!((lines.len(), lines[0]), (11, "line,reason"));
    assert!(
        lines[1].starts_with("11,it is neither an e-mail address"),
        "{}",
        lines[1]
    );
    assert!(!errors.contains("somebody"), "the reason is enough");
    assert!(!Path::new(&format!("{file}.throng-import")).exists());
}

#[test]
fn columns_are_found_or_asked_for() {
    let scene = Scene::new();
    let one = scene.write("one.csv", "\u{feff}ann@example.org\nbob@example.org\n");
    assert_eq!(scene.start(&one, &[]).wait().code, Some(0));
    assert_eq!(
        scene.people(),
        2,
        "a first row that is an address is no header"
    );
    let two = scene.write(
        "two.csv",
        "id,mail\n1,cid@example.org\n2\n3,dee@example.org\n",
    );
    let asked = scene.start(&two, &[]).wait();
    assert!(
        asked.code == Some(2) && asked.stderr.contains("2 (mail)"),
        "{}",
        asked.stderr
    );
    let ended = scene.start(&two, &["--column", "2"]).wait();
    assert!(
        ended.stdout.contains("2 valid, 1 invalid"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stderr.contains("line 3: the row has no such column"),
        "{}",
        ended.stderr
    );
    assert_eq!(scene.people(), 4);
    assert_eq!(
        scene.start(&scene.path("absent.csv"), &[]).wait().code,
        Some(1)
    );
    let over = scene
        .start(&two, &["--column", "2", "--errors", &two])
        .wait();
    assert!(
        over.code == Some(2) && over.stderr.contains("overwritten"),
        "{}",
        over.stderr
    );
    let empty = scene.write("empty.csv", "");
    assert!(scene.start(&empty, &[]).wait().stderr.contains("is empty"));
}

/// Waits until some batches are acknowledged and ends the import with this signal.
fn interrupted(scene: &Scene, file: &str, errors: &str, signal: Signal) -> Option<i32> {
    let import = scene.start(
        file,
        &["--column", "2", "--batch", "20", "--errors", errors],
    );
    let state = format!("{file}.throng-import");
    wait_for("some batches to be acknowledged", || {
        let state: Value = serde_json::from_slice(&fs::read(&state).ok()?).ok()?;
        (state["next_batch"].as_u64()? >= 3).then_some(())
    });
    import.signal(signal);
    let ended = import.wait();
    if signal == Signal::INT {
        assert!(
            ended.stderr.contains("Run the same command again"),
            "{}",
            ended.stderr
        );
    }
    ended.code
}

#[test]
fn an_import_is_stopped_and_killed_and_goes_on() {
    let scene = Scene::new();
    let (file, errors) = (
        scene.write("people.csv", &rows(10_000)),
        scene.path("wrong.csv"),
    );
    assert_eq!(interrupted(&scene, &file, &errors, Signal::INT), Some(130));
    let some = scene.people();
    assert!(some > 0 && some < 9_000, "{some}");

    // Another job on the same file must not mix with the unfinished one.
    let other = scene
        .start(
            &file,
            &["--column", "2", "--batch", "30", "--errors", &errors],
        )
        .wait();
    assert!(
        other.code == Some(1) && other.stderr.contains("other options"),
        "{}",
        other.stderr
    );

    assert_eq!(interrupted(&scene, &file, &errors, Signal::KILL), None);
    let ended = scene
        .start(
            &file,
            &["--column", "2", "--batch", "20", "--errors", &errors],
        )
        .wait();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("Going on after"), "{}", ended.stderr);
    assert!(
        ended
            .stdout
            .contains("10,000 rows: 9,000 valid, 1,000 invalid. 9,000 people added"),
        "{}",
        ended.stdout
    );
    assert_eq!(
        (scene.people(), scene.batches()),
        (9_000, 450),
        "each batch counts once"
    );
    let errors = fs::read_to_string(errors).expect("the error file");
    let mut lines: Vec<&str> = errors.lines().skip(1).collect();
    assert_eq!(lines.len(), 1_000);
    lines.dedup();
    assert_eq!(lines.len(), 1_000, "each wrong row is named once");
}

#[test]
fn an_import_that_the_server_refuses_says_why() {
    let scene = Scene::new();
    let file = scene.write("one.csv", "ann@example.org\n");
    let arguments = ["import", "audience", "999", &file, "--kind", "email"];
    let ended = scene.server.run(scene.server.token(), &arguments);
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("no such audience"),
        "{}",
        ended.stderr
    );
    let arguments = ["import", "audience", AUDIENCE, &file, "--kind", "external"];
    let ended = scene.server.run(scene.server.token(), &arguments);
    assert!(
        ended.code == Some(2) && ended.stderr.contains("--namespace"),
        "{}",
        ended.stderr
    );
    let arguments = ["import", "audience", AUDIENCE, &file, "--kind", "emails"];
    assert!(
        scene
            .server
            .run(scene.server.token(), &arguments)
            .stderr
            .contains("email, external, phone")
    );
}
