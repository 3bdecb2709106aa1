//! `throng demo`: the line that scripts rely on, and that it repeats itself.

use serde_json::{Value, json};

use crate::support::{Server, run, wait_for};

/// A token of the Criteo dialect for the demo's client.
fn criteo_token(server: &Server, demo: &Value) -> u16 {
    let text = |name: &str| demo["criteo"][name].as_str().expect("a text").to_owned();
    let body = format!(
        "client_id={}&client_secret={}&grant_type=client_credentials",
        text("client_id"),
        text("client_secret")
    );
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    server
        .request(
            "POST",
            "/criteo/marketing/oauth2/token",
            &headers,
            Some(&body),
        )
        .status
}

#[test]
fn the_json_line_has_every_key_and_the_credentials_work() {
    let server = Server::demo(&["--people", "500"]);
    let demo = server.demo.clone();
    let url = server.url.clone();
    assert!(url.starts_with("http://127.0.0.1:"));
    let mut keys: Vec<&str> = demo
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    assert_eq!(
        keys,
        [
            "a2",
            "criteo",
            "data",
            "native",
            "opendatasoft",
            "sunshine",
            "thrive",
            "url",
            "version"
        ]
    );
    assert_eq!(demo["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(demo["native"]["base"], format!("{url}/api/v1"));
    assert_eq!(demo["criteo"]["base"], format!("{url}/criteo/marketing"));
    assert_eq!(
        (
            &demo["criteo"]["advertiser_id"],
            &demo["criteo"]["foreign_advertiser_id"]
        ),
        (&json!(1), &json!(2))
    );
    assert_eq!(criteo_token(&server, &demo), 200);
    assert_eq!(demo["a2"]["base"], format!("{url}/a2"));
    for who in ["admin", "user"] {
        let sign_in = &demo["a2"][who];
        let text = |name: &str| sign_in[name].as_str().is_some_and(|text| text.len() > 10);
        assert!(text("email") && text("password"), "{sign_in}");
    }
    let base = format!("{url}/opendatasoft/api/automation/v1.0");
    assert_eq!(demo["opendatasoft"]["base"], base);
    let key = demo["opendatasoft"]["api_key"].as_str().expect("a text");
    assert!(key.starts_with("thr_"));
    let thrive = |name: &str| demo["thrive"][name].as_str().expect("a text");
    let tenant = thrive("tenant_id");
    assert_eq!(thrive("base"), format!("{url}/thrive"));
    assert_eq!(
        thrive("token_url"),
        format!("{url}/thrive/oauth2/token/{tenant}")
    );
    assert!(thrive("client_id").len() == 24 && thrive("client_secret").starts_with("thr_"));
    assert_eq!(thrive("api_secret"), thrive("client_secret"));
    let sunshine = |name: &str| demo["sunshine"][name].as_str().expect("a text");
    assert_eq!(sunshine("base"), format!("{url}/sunshine"));
    assert!(sunshine("key_id").starts_with("app_") && sunshine("secret").starts_with("thr_"));
    for name in ["app_id", "user_id", "conversation_id"] {
        assert_eq!(sunshine(name).len(), 24, "{name}");
    }
    let integrations = demo["sunshine"]["integrations"].as_object();
    let kinds: Vec<&String> = integrations.expect("an object").keys().collect();
    assert_eq!(kinds, ["mailgun", "messagebird", "twilio", "whatsapp"]);

    let audiences = server.api(server.token(), "GET", "/audiences", None).json();
    let of = |name: &str| {
        let items = audiences["items"].as_array().expect("a list");
        let found = items
            .iter()
            .find(|item| item["name"] == name)
            .expect("the audience is there");
        assert_eq!(found["structure"], 1);
        found["counts"]["people"].as_u64().expect("a count")
    };
    assert!(of("Newsletter") > 200 && of("Customers") > 200 && of("Staff") > 0);

    let data = demo["data"].as_str().expect("a folder").to_owned();
    assert!(std::path::Path::new(&data).is_dir());
    let ended = server.stop();
    assert_eq!((ended.code, ended.stdout.lines().count()), (Some(0), 1));
    assert!(
        !std::path::Path::new(&data).exists(),
        "a temporary folder goes away"
    );
}

#[test]
fn a_seed_gives_the_same_ids_secrets_and_people() {
    let one = |seed: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().to_str().expect("UTF-8");
        let server = Server::demo(&["--people", "300", "--seed", seed, "--data", data]);
        let mut credentials = server.demo.clone();
        for key in ["url", "data"] {
            credentials.as_object_mut().expect("an object").remove(key);
        }
        for dialect in [
            "native",
            "criteo",
            "a2",
            "opendatasoft",
            "thrive",
            "sunshine",
        ] {
            credentials[dialect]["base"] = Value::Null;
        }
        credentials["thrive"]["token_url"] = Value::Null;
        let audiences = server.api(server.token(), "GET", "/audiences", None).json();
        let counts: Vec<Value> = audiences["items"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|item| json!([item["id"], item["name"], item["counts"]]))
            .collect();
        assert_eq!(server.stop().code, Some(0));
        let key = std::fs::read_to_string(folder.path().join("master.key")).expect("a key");
        (credentials, counts, key)
    };
    assert_eq!(one("1"), one("1"));
    let (first, other) = (one("1"), one("2"));
    assert_ne!(first.0, other.0);
    assert_ne!(first.1, other.1, "other people");
    assert_ne!(first.2, other.2);
}

#[test]
fn a_folder_is_filled_once_and_serves_on_with_the_same_credentials() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("UTF-8");
    let first = Server::demo(&["--people", "100", "--seed", "7", "--data", data]);
    let demo = first.demo.clone();
    let token = first.token().to_owned();
    let made = first.api(
        &token,
        "POST",
        "/audiences",
        Some(&json!({"structure": 1, "name": "Mine"})),
    );
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(first.stop().code, Some(0));

    let second = Server::demo(&["--people", "100", "--seed", "7", "--data", data]);
    assert_eq!(second.demo["native"]["token"], demo["native"]["token"]);
    assert_eq!(
        second.demo["criteo"]["client_secret"],
        demo["criteo"]["client_secret"]
    );
    let audiences = second.api(&token, "GET", "/audiences", None).json();
    assert_eq!(
        audiences["items"].as_array().map(Vec::len),
        Some(6),
        "the five of the demo and mine"
    );
    // Secrets made now do not repeat those that the seed gave before.
    let new = json!({"dialect": "native", "name": "another"});
    for _ in 0..3 {
        assert_eq!(
            second
                .api(&token, "POST", "/credentials", Some(&new))
                .status,
            201
        );
    }
    assert_eq!(second.stop().code, Some(0));

    let serve = Server::serve(folder.path(), &[]);
    assert_eq!(serve.api(&token, "GET", "/audiences", None).status, 200);
    assert_eq!(criteo_token(&serve, &demo), 200);
    let ended = serve.stop();
    assert!(
        !ended.stdout.contains("thr_"),
        "a folder with credentials gets no further one"
    );
}

#[test]
fn people_read_what_they_can_paste() {
    let mut process = crate::support::Process::start(&mut crate::support::throng(&[
        "demo",
        "--people",
        "0",
        "--listen",
        "127.0.0.1:0",
    ]));
    let text = wait_for("the text", || {
        process
            .stdout
            .line(|line| line.contains("throng outbox confirm ID"))
            .map(|_| process.stdout.text())
    });
    for expected in [
        "export THRONG_URL=http://127.0.0.1:",
        "THRONG_TOKEN=thr_",
        "pip install criteo-marketing",
        "client_secret=\"thr_",
        "-d username=admin@example.com -d password=",
        "Authorization: Apikey thr_",
        "curl -u throng_000000001:thr_",
        "curl -u app_000000010100000000000",
        "\"target\": {\"conversationId\": \"",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(process.is_running());
}

#[test]
fn a_folder_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(Server::serve(folder.path(), &[]).stop().code, Some(0));
    let ended = run(&[
        "demo",
        "--listen",
        "127.0.0.1:0",
        "--data",
        folder.path().to_str().expect("UTF-8"),
    ]);
    assert_eq!(ended.code, Some(3));
    assert!(
        ended.stderr.contains("demo.json") && ended.stderr.contains("throng serve"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_limit_holds_where_it_is_asked_for() {
    let limited = Server::demo(&["--people", "0", "--rate-limit", "native=3/min"]);
    let statuses: Vec<u16> = (0..5)
        .map(|_| limited.api(limited.token(), "GET", "/me", None).status)
        .collect();
    assert_eq!(statuses[..3], [200, 200, 200]);
    assert_eq!(statuses[4], 429);
    let ended = run(&["demo", "--rate-limit", "critoe=3/min"]);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("did you mean criteo?"),
        "{}",
        ended.stderr
    );
}
