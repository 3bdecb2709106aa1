//! `throng dev fill`: killed and run again, verified, served.

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::{Process, Server, run, throng, wait_for};

const OPTIONS: [&str; 10] = [
    "--people",
    "2500000",
    "--audiences",
    "24",
    "--density",
    "0.3,0.01",
    "--identifiers",
    "none",
    "--seed",
    "5",
];

fn fill(data: &Path) -> Vec<&str> {
    let mut arguments = vec!["dev", "fill", "--json", "--data"];
    arguments.push(data.to_str().expect("a path"));
    arguments.extend(OPTIONS);
    arguments
}

#[test]
fn a_fill_that_was_killed_goes_on_and_is_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let size = |name: &str| data.join(name).metadata().map_or(0, |file| file.len());
    let process = Process::start(&mut throng(&fill(&data)));
    // The first transaction of people is about 16 MB.
    wait_for("the first people", || {
        (size("throng.db") + size("throng.db-wal") > 20_000_000).then_some(())
    });
    process.signal(Signal::KILL);
    process.wait();
    let ended = run(&fill(&data));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("was interrupted at"),
        "{}",
        ended.stderr
    );
    let made: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(made["people"], 2_500_000);
    assert_eq!(made["keys"], 2_500_000);
    assert_eq!(made["audiences"], 24);

    let shown = data.to_str().expect("a path");
    let verified = run(&["verify", "--json", "--data", shown]);
    let report: Value = serde_json::from_str(&verified.stdout).expect("JSON");
    assert_eq!(report["sound"], true, "{report}");
    assert_eq!(report["filled"], 24);
    assert_eq!(report["keys"], 2_500_000);

    let server = Server::serve(&data, &[]);
    let token = wait_for("the first start's token", || {
        let line = server
            .process
            .stdout
            .line(|line| line.contains("THRONG_TOKEN="))?;
        Some(line.split_once('=')?.1.trim().to_owned())
    });
    let listed = server
        .api(&token, "GET", "/audiences?limit=100", None)
        .json();
    let audiences = listed["items"].as_array().expect("a list");
    assert_eq!(audiences.len(), 24);
    let people = |at: usize| audiences[at]["counts"]["people"].as_u64().expect("a count");
    assert!((700_000..800_000).contains(&people(0)), "{}", people(0));
    assert!((23_000..27_000).contains(&people(1)), "{}", people(1));
    let id = audiences[0]["id"].as_i64().expect("an id");
    let values: Vec<String> = (1..=400)
        .map(|person| format!("person-{}@example.com", person * 6_000))
        .collect();
    let body = json!({"values": values, "kind": "email"});
    let path = format!("/audiences/{id}/members/contains");
    let answer = server.api(&token, "POST", &path, Some(&body)).json();
    let held = answer.to_string().matches("true").count();
    assert!((60..180).contains(&held), "{held} of 400: {answer}");
}

#[test]
fn a_density_is_a_share() {
    let wrong = run(&["dev", "fill", "--people", "10", "--density", "0.5,7"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("from 0 to 1"), "{}", wrong.stderr);
}
