//! The tree of audiences from the command line.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Ended, Server, run};

/// A server, its token, a folder for files, and what is asked of it.
struct Desk {
    server: Server,
    token: String,
    folder: tempfile::TempDir,
}

impl Desk {
    fn open() -> Desk {
        let server = Server::demo(&["--people", "0"]);
        let token = server.token().to_owned();
        let folder = tempfile::tempdir().expect("a folder");
        Desk {
            server,
            token,
            folder,
        }
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

    fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    fn structure(&self, name: &str) -> String {
        self.value(&["structure", "create", name])["id"].to_string()
    }

    /// An audience with these addresses, imported from a file.
    fn audience(&self, structure: &str, name: &str, emails: &[&str]) -> String {
        let made = self.value(&["audience", "create", name, "--structure", structure]);
        let id = made["id"].to_string();
        self.import(&id, emails);
        id
    }

    fn import(&self, id: &str, emails: &[&str]) {
        let file = self.path(&format!("{id}.csv"));
        fs::write(&file, format!("email\n{}\n", emails.join("\n"))).expect("is written");
        let said = self.say(&["audience", "import", id, &file, "--kind", "email"]);
        assert!(said.contains("people added"), "{said}");
    }
}

/// Two structures: the first holds ada itself, and by its audiences ada, bo and cy, and bo.
fn forest(desk: &Desk) -> (String, String, String) {
    let (one, two) = (desk.structure("First shop"), desk.structure("Second shop"));
    desk.import(&one, &["ada@example.org"]);
    let all = ["ada@example.org", "bo@example.org", "cy@example.org"];
    let moving = desk.audience(&one, "Readers", &all);
    desk.audience(&one, "Buyers", &["bo@example.org"]);
    desk.import(&two, &["cy@example.org"]);
    (one, two, moving)
}

#[test]
fn a_tree_is_shown_and_an_audience_moved() {
    let desk = Desk::open();
    let (one, two, moving) = forest(&desk);

    let shown = desk.say(&["audience", "tree"]);
    let at = |text: &str| {
        shown
            .find(text)
            .unwrap_or_else(|| panic!("{text}: {shown}"))
    };
    assert!(at("\nFirst shop ") < at("\n  Readers ") && at("\n  Buyers ") < at("\nSecond shop "));
    assert!(shown.contains("Newsletter"), "of the demo: {shown}");
    let tree = desk.value(&["audience", "tree", "--structure", &one]);
    let readers = &tree[0]["audiences"][0];
    assert_eq!(
        (
            &tree[0]["counts"]["people"],
            &readers["name"],
            tree.as_array().map(Vec::len)
        ),
        (&json!(3), &json!("Readers"), Some(1))
    );
    let shown = desk.say(&["audience", "show", &moving]);
    assert!(
        shown.contains("First shop / Readers") && shown.contains("manual"),
        "{shown}"
    );
    assert!(desk.say(&["audience", "show", &one]).contains("structure"));

    let tried = desk.say(&["audience", "move", &moving, "--to", &two, "--dry-run"]);
    for said in [
        format!("would move from structure {one} to {two} with its 3 members"),
        format!("2 join structure {two}; 1 are in it already"),
        format!("1 leave structure {one}"),
        "1 stay in it: another of its audiences".into(),
        "1 stay in it: it holds them itself".into(),
        "Nothing has changed".into(),
    ] {
        assert!(tried.contains(&said), "{said}: {tried}");
    }
    let tried = desk.value(&["audience", "move", &moving, "--to", &two, "--dry-run"]);
    assert_eq!(
        desk.value(&["audience", "show", &moving])["structure"].to_string(),
        one
    );
    let moved = desk.value(&["audience", "move", "--to", &two, &moving]);
    assert_eq!(moved["move"], tried["move"]);
    let again = desk.say(&["audience", "move", &moving, "--to", &two]);
    assert!(again.contains("already"), "{again}");
    let refused = desk.refused(&["audience", "move", &two, "--to", &one], 1);
    assert!(
        refused.contains("field parent") && refused.contains("status 422"),
        "{refused}"
    );
    desk.refused(&["audience", "move", &moving], 2);
    desk.refused(&["audience", "show", "999"], 1);
    desk.refused(&["audience", "tree", "--structure", "999"], 1);
}

#[test]
fn members_come_from_a_file_and_go_into_one() {
    let desk = Desk::open();
    let structure = desk.structure("Shop");
    let made = desk.value(&[
        "audience",
        "create",
        "Readers",
        "--structure",
        &structure,
        "--reference",
        "r-1",
    ]);
    assert_eq!(made["reference"], "r-1");
    let id = made["id"].to_string();
    let (file, errors) = (desk.path("people.csv"), desk.path("wrong.csv"));
    fs::write(&file, "email\nada@example.org\nnobody\nbo@example.org\n").expect("is written");
    let import = [
        "audience", "import", &id, &file, "--kind", "email", "--errors", &errors,
    ];
    let dry = desk.value(&[&import[..], &["--dry-run"]].concat());
    assert_eq!(dry["totals"], json!({"rows": 3, "valid": 2, "invalid": 1}));
    let people = || desk.value(&["audience", "show", &id])["counts"]["people"].clone();
    assert_eq!(people(), 0);
    let imported = desk.say(&import);
    assert!(
        imported.contains("3 rows: 2 valid, 1 invalid. 2 people added"),
        "{imported}"
    );
    let wrong = fs::read_to_string(&errors).expect("the error file");
    assert!(wrong.starts_with("line,reason\n3,it is neither"), "{wrong}");
    // The old name of the same.
    fs::write(&file, "email\ncy@example.org\n").expect("is written");
    desk.say(&["import", "audience", &id, &file, "--kind", "email"]);
    assert_eq!(people(), 3);

    let out = desk.path("members.csv");
    let said = desk.say(&["audience", "export", &id, "--out", &out]);
    assert!(said.contains("members.csv"), "{said}");
    let written = fs::read_to_string(&out).expect("the export");
    let lines: Vec<&str> = written.lines().collect();
    assert_eq!(
        lines[0],
        "person,record,reference,email,first_name,last_name"
    );
    assert_eq!(lines.len(), 4);
    assert_eq!(desk.say(&["audience", "export", &id, "--raw"]), written);
    let over = desk.refused(&["audience", "export", &id, "--out", &out], 2);
    assert!(over.contains("exists already"), "{over}");
    let missing = desk.path("missing.csv");
    desk.refused(&["audience", "export", "999", "--out", &missing], 1);
    assert!(fs::metadata(&missing).is_err(), "half a file does not stay");

    assert!(
        desk.say(&["audience", "managers", &id])
            .contains("Nobody yet")
    );
    let body = json!({"managers": [{"name": "ada@example.org", "permissions": ["insights"]}]});
    let path = format!("/audiences/{id}/managers");
    let named = desk.server.api(&desk.token, "POST", &path, Some(&body));
    assert_eq!(named.status, 200, "{}", named.body);
    let said = desk.say(&["audience", "managers", &id]);
    assert!(said.contains("insights"), "{said}");
    let listed = desk.value(&["audience", "managers", &id]);
    assert_eq!(listed[0]["permissions"], json!(["insights"]));
}

#[test]
fn structures_are_kept_at_the_console_and_deleted() {
    let desk = Desk::open();
    let (one, _, moving) = forest(&desk);
    let said = desk.say(&["structure", "control", &one, "console"]);
    assert!(
        said.contains("(First shop)") && said.contains("console"),
        "{said}"
    );
    let refused = desk.refused(&["audience", "delete", &moving], 1);
    assert!(refused.contains("status 403"), "{refused}");
    desk.refused(&["structure", "control", &one, "nobody"], 2);
    let changed = desk.value(&["structure", "control", &one, "both"]);
    assert_eq!(changed["control"], "both");

    let said = desk.say(&["audience", "delete", &moving]);
    assert!(said.contains("is deleted"), "{said}");
    let refused = desk.refused(&["structure", "delete", &one], 1);
    assert!(refused.contains("still has audiences"), "{refused}");
    let gone = desk.value(&["structure", "delete", &one, "--with-audiences"]);
    assert_eq!(gone["deleted"], true);
    let tree = desk.say(&["audience", "tree"]);
    assert!(
        !tree.contains("First shop") && !tree.contains("Buyers"),
        "{tree}"
    );
    assert_eq!(desk.value(&["job", "list"]), json!([]));
    let missing = desk.refused(&["job", "show", "999"], 1);
    assert!(missing.contains("no such job"), "{missing}");
}

#[test]
fn the_help_says_what_there_is() {
    for (arguments, words) in [
        (
            &["audience", "--help"][..],
            &["tree", "move", "import", "export", "managers", "Examples:"][..],
        ),
        (
            &["audience", "move", "--help"],
            &["--dry-run", "--to <STRUCTURE>", "or none"],
        ),
        (
            &["audience", "import", "--help"],
            &["--errors", "--dry-run", "the line and the reason"],
        ),
        (&["structure", "--help"], &["control", "delete"]),
        (
            &["structure", "control", "--help"],
            &["the people at the console, or both"],
        ),
        (
            &["credential", "create", "--help"],
            &[
                "structures:write",
                "people:read",
                "people:write",
                "webhooks",
                "thrive",
            ],
        ),
        (&["job", "--help"], &["list", "show"]),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        for word in words {
            assert!(
                ended.stdout.contains(word),
                "{arguments:?} {word}: {}",
                ended.stdout
            );
        }
    }
}
