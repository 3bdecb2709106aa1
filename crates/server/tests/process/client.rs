//! The commands that administer a running server.

use serde_json::{Value, json};

use crate::support::{Process, Server, run, throng};

#[test]
fn a_first_day_from_the_command_line() {
    let server = Server::demo(&["--people", "20"]);
    let token = server.token().to_owned();
    let say = |arguments: &[&str]| {
        let ended = server.run(&token, arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended.stdout
    };
    let value =
        |arguments: &[&str]| -> Value { serde_json::from_str(&say(arguments)).expect("JSON") };

    assert!(say(&["workspace", "create", "acme", "--name", "Acme"]).contains("/w/acme"));
    assert_eq!(value(&["workspace", "list", "--json"])[1]["slug"], "acme");
    let structure = value(&[
        "structure",
        "create",
        "Shop three",
        "--reference",
        "s3",
        "--json",
    ]);
    assert!(say(&["structure", "list"]).contains("Shop three"));
    let id = structure["id"].to_string();
    let audience = value(&["audience", "create", "Fans", "--structure", &id, "--json"]);
    assert_eq!(audience["name"], "Fans");
    let listed = value(&["audience", "list", "--structure", &id, "--json"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1));
    assert!(say(&["audience", "list"]).contains("Newsletter"));

    let made = value(&[
        "credential",
        "create",
        "--dialect",
        "criteo",
        "--name",
        "up",
        "--structure",
        "1",
        &id,
        "--json",
    ]);
    assert_eq!(made["structures"], json!([1, structure["id"]]));
    assert!(
        made["secret"]
            .as_str()
            .is_some_and(|secret| secret.starts_with("thr_"))
    );
    let native = [
        "credential",
        "create",
        "--dialect",
        "native",
        "--name",
        "ro",
        "--scopes",
        "audiences:read",
        "--json",
    ];
    let reader = value(&native);
    let reader_token = reader["secret"].as_str().expect("a secret");
    let refused = server.run(reader_token, &["structure", "create", "Not mine"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("scope structures:write") && refused.stderr.contains("request"),
        "{}",
        refused.stderr
    );

    let listed = say(&["credential", "list"]);
    assert!(
        listed.contains("up") && !listed.contains(reader_token),
        "{listed}"
    );
    say(&["credential", "revoke", &reader["id"].to_string()]);
    let refused = server.run(reader_token, &["audience", "list"]);
    assert!(
        refused.code == Some(1) && refused.stderr.contains("THRONG_TOKEN"),
        "{}",
        refused.stderr
    );
}

#[test]
fn what_is_missing_is_said() {
    let ended = run(&["structure", "list"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("THRONG_TOKEN"), "{}", ended.stderr);
    let nowhere = [
        "structure",
        "list",
        "--token",
        "t",
        "--url",
        "http://127.0.0.1:1",
    ];
    let ended = run(&nowhere);
    assert_eq!(ended.code, Some(5));
    assert!(
        ended.stderr.contains("is throng running?"),
        "{}",
        ended.stderr
    );
    let ended = Process::start(
        throng(&["structure", "list"])
            .env("THRONG_TOKEN", "t")
            .env("THRONG_URL", "nonsense"),
    )
    .wait();
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
}

#[test]
fn a_database_is_backed_up_restored_and_verified() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
    let (data, file, other) = (path("data"), path("copy.backup"), path("other"));
    let server = Server::demo(&["--people", "100", "--data", &data]);
    let backup = run(&["backup", &file, "--data", &data]);
    assert_eq!(backup.code, Some(0), "{}", backup.stderr);
    let verified = run(&["verify", "--data", &data, "--json"]);
    assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    let report: Value = serde_json::from_str(&verified.stdout).expect("JSON");
    // The synthetic ones and the seven of the demo's company and app.
    assert_eq!(
        (&report["sound"], &report["people"]),
        (&json!(true), &json!(107))
    );
    let again = run(&["backup", &file, "--data", &data]);
    assert!(
        again.code == Some(3) && again.stderr.contains("exists already"),
        "{}",
        again.stderr
    );

    let restored = run(&["restore", &file, "--data", &other]);
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);
    assert!(
        restored.stdout.contains("master.key"),
        "{}",
        restored.stdout
    );
    std::fs::copy(
        folder.path().join("data/master.key"),
        folder.path().join("other/master.key"),
    )
    .expect("is copied");
    let second = Server::serve(&folder.path().join("other"), &[]);
    let counts = |of: &Server| {
        of.api(server.token(), "GET", "/audiences", None).json()["items"][0]["counts"].clone()
    };
    assert_eq!(counts(&second), counts(&server));

    let database = rusqlite::Connection::open(folder.path().join("data/throng.db")).expect("opens");
    database
        .execute("UPDATE change SET actor = actor + 1 WHERE seq = 3", [])
        .expect("is damaged");
    let damaged = run(&["verify", "--data", &data]);
    assert!(
        damaged.code == Some(1) && damaged.stderr.contains("not fit"),
        "{damaged:?}"
    );
}

#[test]
fn the_outbox_is_looked_at_from_the_command_line() {
    let server = Server::demo(&["--people", "0"]);
    let token = server.token().to_owned();
    let listed = server.run(&token, &["outbox", "list", "--state", "dead"]);
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    assert_eq!(listed.stdout.trim(), "None yet.");
    let listed = server.run(&token, &["outbox", "list", "--json"]);
    assert_eq!(listed.stdout.trim(), "[]");
    for command in ["show", "retry"] {
        let missing = server.run(&token, &["outbox", command, "999"]);
        assert_eq!(missing.code, Some(1), "{}", missing.stderr);
        assert!(
            missing.stderr.contains("no such outbox item"),
            "{}",
            missing.stderr
        );
    }
    let wrong = server.run(&token, &["outbox", "list", "--state", "lost"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
}

#[test]
fn webhooks_are_kept_from_the_command_line() {
    let server = Server::demo(&["--people", "0"]);
    let token = server.token().to_owned();
    let say = |arguments: &[&str]| {
        let ended = server.run(&token, arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended.stdout
    };
    let value =
        |arguments: &[&str]| -> Value { serde_json::from_str(&say(arguments)).expect("JSON") };

    let structure = value(&["structure", "create", "Hooked", "--json"])["id"].to_string();
    let made = value(&[
        "webhook",
        "create",
        // Discard: nobody listens, so what is sent there waits in the outbox.
        "http://127.0.0.1:9/in",
        "--event",
        "audience.created,audience.deleted",
        "--json",
    ]);
    let id = made["id"].to_string();
    let secret = made["secret"].as_str().expect("a secret");
    assert!(say(&["webhook", "create", "https://example.org/"]).contains("whsec_"));
    let listed = say(&["webhook", "list"]);
    assert!(listed.contains("http://127.0.0.1:9/in") && !listed.contains("whsec_"));
    let rotated = say(&["webhook", "rotate", &id]);
    assert!(rotated.contains("whsec_") && !rotated.contains(secret));

    let other = value(&["webhook", "list", "--json"])[1]["id"].to_string();
    assert!(say(&["webhook", "delete", &other]).contains("is deleted"));
    say(&["audience", "create", "Fans", "--structure", &structure]);
    let since = ["--since", "2026-01-01T00:00:00Z", "--json"];
    let replayed = value(&[&["webhook", "replay", &id], &since[..]].concat());
    assert_eq!(replayed["queued"], 1);
    let outbox = value(&["outbox", "list", "--json"]);
    let items = outbox.as_array().expect("items");
    assert!(items.len() == 2 && items.iter().all(|item| item["recipient"] == "127.0.0.1"));
    let shown = say(&["outbox", "show", &items[0]["id"].to_string()]);
    assert!(
        shown.contains("audience.created") && shown.contains("127.0.0.1"),
        "{shown}"
    );
    let retried = say(&["outbox", "retry", &items[0]["id"].to_string()]);
    assert!(retried.contains("is queued"), "{retried}");

    let wrong = server.run(&token, &["webhook", "create", "ftp://example.org"]);
    assert_eq!(wrong.code, Some(1), "{}", wrong.stderr);
    let wrong = server.run(&token, &["webhook", "rotate", "999"]);
    assert!(wrong.stderr.contains("no such webhook"), "{}", wrong.stderr);
}
