//! Starting: the first time, again, and when it cannot.

use std::{fs, net::TcpListener, path::Path};

use serde_json::json;

use crate::support::{Ended, Process, Server, run, throng, wait_for};

/// The token in the welcome of a first start.
pub fn welcome_token(server: &Server) -> String {
    let line = wait_for("the welcome", || {
        server
            .process
            .stdout
            .line(|line| line.trim().starts_with("thr_"))
    });
    line.trim().to_owned()
}

fn refused(ended: &Ended, code: i32, texts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    for text in texts {
        assert!(ended.stderr.contains(text), "{text}: {}", ended.stderr);
    }
}

fn serve(data: &Path) -> Ended {
    run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        data.to_str().expect("UTF-8"),
    ])
}

#[test]
fn the_first_start_prints_a_token_and_the_commands_of_a_first_day() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("new").join("data");
    let server = Server::serve(&data, &[]);
    let token = welcome_token(&server);
    let welcome = server.process.stdout.text();
    assert!(
        welcome.contains(&format!("export THRONG_URL={}", server.url)),
        "{welcome}"
    );
    assert!(
        welcome.contains(&format!("export THRONG_TOKEN={token}")),
        "{welcome}"
    );

    // The two commands, as they are printed.
    assert!(
        welcome.contains("throng structure create \"My shop\""),
        "{welcome}"
    );
    let made = server.run(&token, &["structure", "create", "My shop"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let command = welcome
        .lines()
        .find_map(|line| line.trim().strip_prefix("throng credential "))
        .expect("is printed");
    let arguments: Vec<&str> = std::iter::once("credential")
        .chain(command.split(' '))
        .collect();
    let made = server.run(&token, &arguments);
    assert!(made.stdout.contains("client_secret:  thr_"), "{made:?}");

    for file in ["throng.db", "master.key"] {
        assert!(data.join(file).is_file(), "{file}");
    }
    assert_eq!(server.stop().code, Some(0));

    let again = Server::serve(&data, &[]);
    assert_eq!(
        again.api(&token, "GET", "/structures", None).json()["items"][0]["name"],
        "My shop"
    );
    let ended = again.stop();
    assert_eq!(ended.code, Some(0));
    assert!(
        ended.stdout.starts_with("Throng ") && !ended.stdout.contains("thr_"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("an address").to_string();
    let ended = run(&[
        "serve",
        "--listen",
        &address,
        "--data",
        data.to_str().expect("UTF-8"),
    ]);
    refused(&ended, 4, &[&address, "another program uses this port"]);
    assert!(
        !data.exists(),
        "no folder and no token for a server that did not start"
    );
}

#[test]
fn a_folder_of_a_running_server_is_locked() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::serve(folder.path(), &[]);
    refused(
        &serve(folder.path()),
        3,
        &["in use by another throng", "--data"],
    );
    assert_eq!(server.request("GET", "/livez", &[], None).status, 200);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    // Root may write anywhere but here.
    refused(&serve(Path::new("/proc/throng")), 3, &["/proc/throng"]);
    let file = tempfile::NamedTempFile::new().expect("a file");
    refused(
        &serve(&file.path().join("below")),
        3,
        &[file.path().to_str().expect("UTF-8")],
    );
    refused(&serve(file.path()), 3, &["is a file, not a folder"]);
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(Server::serve(folder.path(), &[]).stop().code, Some(0));
    let database = rusqlite::Connection::open(folder.path().join("throng.db")).expect("opens");
    database
        .execute(
            "INSERT INTO schema_version (version, applied) VALUES (999, 0)",
            [],
        )
        .expect("is written");
    drop(database);
    refused(
        &serve(folder.path()),
        3,
        &["newer version of throng", "999"],
    );
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(
        folder.path().join("throng.db"),
        "not a database, but long enough to be read as one".repeat(100),
    )
    .expect("is written");
    refused(&serve(folder.path()), 3, &["throng.db"]);
}

#[test]
fn a_full_database_refuses_writes_and_goes_on_answering() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::serve(folder.path(), &["--set", "database_size_max=4MB"]);
    let token = welcome_token(&server);
    let new = json!({"name": "Shop"});
    let structure = server.api(&token, "POST", "/structures", Some(&new)).json()["id"].clone();
    let audience = server
        .api(
            &token,
            "POST",
            "/audiences",
            Some(&json!({"structure": structure, "name": "All"})),
        )
        .json();
    let path = format!("/audiences/{}/members/add", audience["id"]);
    let mut stored = 0;
    let full = wait_for("the database to be full", || {
        let values: Vec<String> = (0..2_000)
            .map(|n| format!("somebody.{stored}.{n}@example.org"))
            .collect();
        let answer = server.api(
            &token,
            "POST",
            &path,
            Some(&json!({"kind": "email", "values": values})),
        );
        stored += u64::from(answer.status == 200);
        (answer.status != 200).then_some(answer)
    });
    assert_eq!(full.status, 503, "{}", full.body);
    let audience = server
        .api(
            &token,
            "GET",
            &format!("/audiences/{}", audience["id"]),
            None,
        )
        .json();
    assert_eq!(
        audience["counts"]["people"],
        stored * 2_000,
        "what was acknowledged and nothing else"
    );
    assert_eq!(server.request("GET", "/readyz", &[], None).status, 200);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_disk_without_room_for_the_database_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("UTF-8");
    let ended = run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--data",
        data,
        "--set",
        "database_size_max=8kB",
    ]);
    refused(&ended, 3, &["full"]);
}

#[test]
fn plain_http_off_loopback_needs_a_flag() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let data = data.to_str().expect("UTF-8");
    refused(
        &run(&["serve", "--listen", "0.0.0.0:0", "--data", data]),
        2,
        &["plain HTTP", "--allow-plain-http"],
    );
    refused(&run(&["demo", "--listen", "[::]:0"]), 2, &["plain HTTP"]);
    let arguments = [
        "serve",
        "--listen",
        "0.0.0.0:0",
        "--data",
        data,
        "--allow-plain-http",
        "--log-format",
        "json",
    ];
    let allowed = Process::start(&mut throng(&arguments));
    wait_for("the server to be ready", || {
        allowed.stderr.line(|line| line.contains("\"ready\""))
    });
}
