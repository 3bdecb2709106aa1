//! Counting, comparing and looking up from the command line.

use serde_json::{Value, json};

use crate::support::{Server, run};

fn say(server: &Server, arguments: &[&str]) -> String {
    let ended = server.run(server.token(), arguments);
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
    ended.stdout
}

fn value(server: &Server, arguments: &[&str]) -> Value {
    let all = [arguments, &["--json"]].concat();
    serde_json::from_str(&say(server, &all)).expect("one line of JSON")
}

fn refused(server: &Server, arguments: &[&str], code: i32) -> String {
    let ended = server.run(server.token(), arguments);
    assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.stderr);
    ended.stderr
}

#[test]
fn an_expression_is_counted_compared_and_people_looked_up() {
    let server = Server::demo(&["--people", "2000", "--seed", "1"]);
    let of = |text: &str| value(&server, &["reach", text])["people"].as_u64();
    let (news, customers) = (of("newsletter"), of("Customers"));
    let both = of("newsletter and customers");
    let either = of("newsletter or customers");
    let (Some(news), Some(customers), Some(both), Some(either)) = (news, customers, both, either)
    else {
        panic!("numbers");
    };
    assert!(both > 0 && either == 2_000 && news + customers - both == either);
    let text = "newsletter and not (customers or staff)";
    let only = of(text).expect("a number");
    assert_eq!(only, news - both);
    let said = say(&server, &["reach", text]);
    assert!(
        said.starts_with(&format!("{only} people in: {text}")),
        "{said}"
    );
    assert!(
        said.contains("Demo shop / Newsletter") && said.contains("As of change"),
        "{said}"
    );

    let found = value(
        &server,
        &["overlap", "newsletter", "customers", "--regions"],
    );
    assert_eq!(found["matrix"], json!([[news, both], [both, customers]]));
    let sum = found["regions"].as_array().expect("regions").iter();
    assert_eq!(
        sum.filter_map(|region| region["people"].as_u64())
            .sum::<u64>(),
        either
    );
    let said = say(
        &server,
        &["overlap", "newsletter", "customers", "--regions"],
    );
    assert!(
        said.contains("(1) (2)") && said.contains("Demo shop / Customers"),
        "{said}"
    );
    let against = value(
        &server,
        &["overlap", "--of", "newsletter", "customers", "has:email"],
    );
    let shared = |at: usize| against["against"][at]["overlap"].as_u64();
    assert_eq!((shared(0), shared(1)), (Some(both), Some(news)));
    let said = say(&server, &["overlap", "--of", "newsletter", "has:email"]);
    assert!(said.contains("has:email"), "{said}");

    let shop = value(&server, &["audience", "tree"])[0]["id"].to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("one.csv");
    std::fs::write(&file, "email\nzoe@example.org\n").expect("is written");
    let file = file.to_str().expect("UTF-8");
    say(
        &server,
        &["audience", "import", &shop, file, "--kind", "email"],
    );
    let found = value(
        &server,
        &["lookup", "zoe@example.org", "nobody@example.org"],
    );
    let shop: i64 = shop.parse().expect("an id");
    assert_eq!(found["people"][0]["audiences"], json!([shop]));
    assert_eq!(found["people"][1]["known"], false);
    let said = say(
        &server,
        &["lookup", "zoe@example.org", "nobody@example.org"],
    );
    assert!(
        said.contains("Demo shop") && said.contains("is not known"),
        "{said}"
    );
}

#[test]
fn what_is_wrong_is_said() {
    let server = Server::demo(&["--people", "0"]);
    let said = refused(&server, &["reach", "newsletter or (staff"], 1);
    assert!(
        said.contains("At character 15") && said.contains("status 422"),
        "{said}"
    );
    let said = refused(&server, &["reach", "nowhere"], 1);
    assert!(said.contains("There is no audience \"nowhere\""), "{said}");
    refused(&server, &["overlap"], 2);
    refused(
        &server,
        &["overlap", "--of", "newsletter", "staff", "--regions"],
        2,
    );
    refused(&server, &["lookup", "--kind", "soul", "x"], 1);
    for (command, words) in [
        ("reach", ["has:KIND", "channel:NAME"]),
        ("overlap", ["--regions", "--of"]),
        ("lookup", ["standard input", "--namespace"]),
    ] {
        let help = run(&[command, "--help"]).stdout;
        assert!(words.iter().all(|word| help.contains(word)), "{help}");
    }
}
