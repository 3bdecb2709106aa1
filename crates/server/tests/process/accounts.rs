//! Accounts, groups and keys from the command line.

use std::{io::Write, process::Stdio};

use serde_json::{Value, json};

use crate::support::{Ended, Process, Server};

const PASSWORD: &str = "canary-of-a-long-phrase";

/// A server, its token, and what is asked of it.
struct Desk {
    server: Server,
    token: String,
}

impl Desk {
    fn open() -> Desk {
        let server = Server::demo(&["--people", "0"]);
        let token = server.token().to_owned();
        Desk { server, token }
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        self.server.run(&self.token, arguments)
    }

    /// What it prints, if it succeeds.
    fn say(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
        ended.stdout
    }

    fn value(&self, arguments: &[&str]) -> Value {
        let all = [arguments, &["--json"]].concat();
        serde_json::from_str(&self.say(&all)).expect("one line of JSON")
    }

    /// What it complains of.
    fn refused(&self, arguments: &[&str], code: i32) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
        ended.stderr
    }

    fn with_input(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let mut command = self.server.command(&self.token, arguments);
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        writer.write_all(input).expect("fits into the pipe");
        drop(writer);
        Process::start(command.stdin(Stdio::from(reader))).wait()
    }
}

fn names(list: &Value) -> Vec<&str> {
    let items = list.as_array().expect("a list").iter();
    items
        .filter_map(|item| item["username"].as_str())
        .filter(|name| ["ann", "bo", "cleo"].contains(name))
        .collect()
}

#[test]
fn accounts_and_groups_from_the_command_line() {
    let desk = Desk::open();
    let group = [
        "group",
        "create",
        "Site editors",
        "--permission",
        "edit_page,edit_dataset",
    ];
    assert!(desk.say(&group).contains("throng group add site_editors"));

    let root = [
        "account",
        "create",
        "--email",
        "root@example.org",
        "--role",
        "admin",
        "--password-stdin",
    ];
    assert_eq!(desk.with_input(&root, PASSWORD.as_bytes()).code, Some(0));

    // Invited, with the way to the link.
    let invited = desk.say(&[
        "account",
        "create",
        "--email",
        "ann@example.org",
        "--role",
        "admin",
        "--name",
        "Ann",
    ]);
    let show = invited.lines().last().expect("a line").trim();
    let item = show
        .strip_prefix("throng outbox show ")
        .expect("names the item");
    let mail = desk.say(&["outbox", "show", item]);
    assert!(mail.contains("/account/invite?token="), "{mail}");

    // With a password, which no argument, no output and no list holds.
    let create = [
        "account",
        "create",
        "--email",
        "bo@example.org",
        "--password-stdin",
        "--permission",
        "audience:r",
        "--group",
        "Site editors",
    ];
    let made = desk.with_input(&create, format!("{PASSWORD}\r\n").as_bytes());
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    assert!(made.stdout.contains("can sign in"), "{}", made.stdout);
    desk.say(&[
        "account",
        "create",
        "--email",
        "cleo@example.org",
        "--username",
        "cleo",
    ]);

    let bo = desk.value(&["account", "show", "bo@example.org"]);
    assert_eq!(bo["permissions"], json!(["audience:r"]));
    assert_eq!(bo["groups"][0]["uid"], "site_editors");
    let id = bo["id"].to_string();
    for name in [id.as_str(), "bo", "BO@Example.org"] {
        let shown = desk.say(&["account", "show", name]);
        assert!(
            shown.contains("bo@example.org") && shown.contains("Site editors"),
            "{shown}"
        );
    }
    for (arguments, expected) in [
        (vec![], vec!["ann", "bo", "cleo"]),
        (vec!["--sort=-username"], vec!["cleo", "bo", "ann"]),
        (vec!["--search", "cleo example"], vec!["cleo"]),
        (vec!["--permission", "edit_page,audience:r"], vec!["bo"]),
        (vec!["--group", "site_editors"], vec!["bo"]),
    ] {
        let listed = desk.value(&[&["account", "list"], arguments.as_slice()].concat());
        assert_eq!(names(&listed), expected, "{arguments:?}");
    }
    assert!(desk.say(&["account", "list"]).contains("bo@example.org"));

    let added = desk.say(&["group", "add", "Site editors", "cleo", "ann@example.org"]);
    assert_eq!(added.lines().count(), 2);
    let shown = desk.say(&["group", "show", "site_editors"]);
    assert!(
        shown.contains("edit_page,edit_dataset") && shown.contains("cleo@example.org"),
        "{shown}"
    );
    desk.say(&["group", "remove", "site_editors", "cleo", "ann"]);
    let shown = desk.value(&["group", "show", "Site editors"]);
    assert_eq!(names(&shown["accounts"]), ["bo"]);
    assert!(desk.say(&["group", "list"]).contains("site_editors"));
    assert!(
        desk.say(&["group", "delete", "Site editors"])
            .contains("is deleted")
    );

    assert!(
        desk.say(&["account", "promote", "bo"])
            .contains("is an administrator now")
    );
    assert!(
        desk.say(&["account", "demote", "bo"])
            .contains("advertiser")
    );
    desk.say(&["group", "create", "Admins", "--permission", "edit_domain"]);
    desk.say(&["group", "add", "Admins", "bo"]);
    assert!(
        desk.say(&["account", "demote", "bo"])
            .contains("by a group (admins)")
    );
    assert!(
        desk.say(&["account", "disable", "bo"])
            .contains("account enable")
    );
    assert_eq!(desk.value(&["account", "enable", "bo"])["active"], true);

    assert!(
        desk.say(&["account", "reset-password", "bo"])
            .contains("a new password")
    );
    assert!(
        desk.say(&["account", "reset-password", "cleo"])
            .contains("new invitation")
    );
    let reset = desk.with_input(
        &["account", "reset-password", "bo", "--password-stdin"],
        PASSWORD.as_bytes(),
    );
    assert_eq!(reset.code, Some(0), "{}", reset.stderr);
    assert!(
        desk.say(&["account", "delete", "cleo@example.org"])
            .contains("is deleted")
    );
    assert_eq!(names(&desk.value(&["account", "list"])), ["ann", "bo"]);

    let whole = [&made, &reset]
        .map(|ended| format!("{}{}", ended.stdout, ended.stderr))
        .concat();
    let log = desk.server.process.stderr.text();
    assert!(!whole.contains("canary") && !log.contains("canary"));
}

#[test]
fn accounts_are_exported_to_a_file_or_to_standard_output() {
    let desk = Desk::open();
    desk.say(&[
        "account",
        "create",
        "--email",
        "ann@example.org",
        "--name",
        "=1+1",
    ]);
    let text = desk.say(&["account", "export"]);
    assert!(text.starts_with("id,username,email,name,"), "{text}");
    assert!(text.contains("ann@example.org,'=1+1,"), "{text}");
    assert!(
        desk.say(&["account", "export", "--raw"])
            .contains("ann@example.org,=1+1,")
    );

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("accounts.csv");
    let file = path.to_str().expect("UTF-8");
    assert!(
        desk.say(&["account", "export", "--output", file])
            .contains(file)
    );
    assert_eq!(
        std::fs::read_to_string(&path).expect("is there").trim(),
        text.trim()
    );
    let again = desk.refused(&["account", "export", "--output", file], 2);
    assert!(again.contains("exists already"), "{again}");
    std::fs::remove_file(&path).expect("is there");
    let refused = desk
        .server
        .run("thr_wrong", &["account", "export", "--output", file]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(!path.exists(), "no file that holds nothing");
}

#[test]
fn keys_from_the_command_line() {
    let desk = Desk::open();
    desk.say(&[
        "account",
        "create",
        "--email",
        "ann@example.org",
        "--role",
        "admin",
    ]);
    let create = [
        "key",
        "create",
        "--account",
        "ann@example.org",
        "--label",
        "report",
        "--dialect",
    ];
    let made = desk.value(&[&create[..], &["native"]].concat());
    let (id, secret) = (
        made["id"].to_string(),
        made["secret"].as_str().expect("a secret"),
    );
    let listed = desk.server.run(secret, &["account", "list", "--json"]);
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);

    let less = desk.value(
        &[
            &create[..],
            &["native", "--permission", "edit_page,audience:r"],
        ]
        .concat(),
    );
    assert_eq!(less["permissions"], json!(["edit_page", "audience:r"]));
    let refused = desk.server.run(
        less["secret"].as_str().expect("a secret"),
        &["account", "list"],
    );
    assert!(
        refused.code == Some(1) && refused.stderr.contains("administrator"),
        "{}",
        refused.stderr
    );
    let other = desk.say(
        &[
            &create[..],
            &["opendatasoft", "--expires", "2099-01-31T00:00:00Z"],
        ]
        .concat(),
    );
    assert!(
        other.contains("Authorization: Apikey") && other.contains("thr_"),
        "{other}"
    );

    let rotated = desk.value(&["key", "rotate", &id]);
    assert_ne!(rotated["secret"], made["secret"]);
    assert_eq!(desk.server.run(secret, &["account", "list"]).code, Some(1));
    assert!(
        desk.say(&["key", "revoke", &id, "--reason", "laptop & co lost"])
            .contains("is revoked")
    );
    let listed = desk.value(&["key", "list", "--account", "ann"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(3));
    assert_eq!(listed[0]["revoked_reason"], "laptop & co lost");
    let shown = desk.say(&["key", "list"]);
    assert!(
        shown.contains("report") && !shown.contains(secret),
        "{shown}"
    );
    let refused = desk.refused(&["key", "rotate", &id], 1);
    assert!(refused.contains("revoked"), "{refused}");
}

#[test]
fn what_is_wrong_with_accounts_is_said() {
    let desk = Desk::open();
    desk.say(&["account", "create", "--email", "ann@example.org"]);
    for (arguments, code, text) in [
        (
            vec!["account", "show", "nobody"],
            1,
            "there is no account \"nobody\"",
        ),
        (
            vec!["account", "show", "999"],
            1,
            "There is no such account",
        ),
        (
            vec!["account", "create", "--email", "ann@example.org"],
            1,
            "field email",
        ),
        (
            vec![
                "account",
                "create",
                "--email",
                "b@example.org",
                "--group",
                "G",
            ],
            1,
            "no group \"G\"",
        ),
        (
            vec![
                "account",
                "create",
                "--email",
                "b@example.org",
                "--permission",
                "fly",
            ],
            1,
            "\"fly\"",
        ),
        (
            vec![
                "account",
                "create",
                "--email",
                "b@example.org",
                "--role",
                "king",
            ],
            2,
            "retailer",
        ),
        (
            vec![
                "account",
                "create",
                "--email",
                "b@example.org",
                "--password",
                "x",
            ],
            2,
            "--password",
        ),
        (
            vec![
                "account",
                "create",
                "--email",
                "b@example.org",
                "--password-stdin",
            ],
            2,
            "no password",
        ),
        (vec!["account", "create"], 2, "--email"),
        (vec!["group", "show", "nothing"], 1, "there is no group"),
        (vec!["group", "add", "nothing"], 2, "ACCOUNT"),
        (
            vec![
                "key",
                "create",
                "--account",
                "ann",
                "--label",
                "k",
                "--dialect",
                "a2",
            ],
            2,
            "opendatasoft",
        ),
        (vec!["key", "revoke", "999"], 1, "There is no such key"),
    ] {
        let refused = desk.refused(&arguments, code);
        assert!(refused.contains(text), "{arguments:?}: {refused}");
    }
    for group in ["twins", "twins"] {
        desk.say(&["group", "create", group]);
    }
    desk.say(&["group", "show", "twins"]);
    for command in ["account", "group", "key"] {
        let help = desk.say(&[command, "--help"]);
        assert!(help.contains("Examples:"), "{help}");
    }
    assert!(
        desk.say(&["account", "create", "--help"])
            .contains("RESOURCE:ACTION")
    );
}

#[test]
fn the_last_administrator_stays_from_the_command_line_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::serve(folder.path(), &[]);
    let token = crate::starting::welcome_token(&server);
    let desk = Desk { server, token };
    let create = [
        "account",
        "create",
        "--email",
        "root@example.org",
        "--role",
        "admin",
        "--password-stdin",
    ];
    let made = desk.with_input(&create, PASSWORD.as_bytes());
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    for command in ["demote", "disable", "delete"] {
        let refused = desk.refused(&["account", command, "root"], 1);
        assert!(
            refused.contains("make somebody else an administrator first"),
            "{refused}"
        );
    }
}
