//! What every answer has, whatever the route; and what many connections do not break.

use std::{io::Write, net::TcpStream};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{starting::welcome_token, support::Server};

#[test]
fn probes_and_metrics_answer_without_a_credential() {
    let server = Server::demo(&["--people", "50"]);
    assert_eq!(server.request("GET", "/livez", &[], None).status, 200);
    assert_eq!(server.request("GET", "/readyz", &[], None).status, 200);
    server.api(server.token(), "GET", "/structures", None);
    server.request("GET", "/api/v1/nothing/somebody@example.org", &[], None);
    server.request("GET", "/criteo/nothing/somebody@example.org", &[], None);
    server.request(
        "GET",
        "/nothing/somebody@example.org?mail=somebody@example.org",
        &[],
        None,
    );
    let metrics = server.request("GET", "/metrics", &[], None);
    assert!(
        metrics
            .header("content-type")
            .starts_with("application/openmetrics-text")
    );
    for expected in [
        "throng_requests_total{dialect=\"native\",route=\"/api/v1/structures\",method=\"GET\",status=\"200\"} 1",
        "throng_unmatched_requests_total{dialect=\"native\"} 1",
        "throng_unmatched_requests_total{dialect=\"criteo\"} 1",
        "throng_unmatched_requests_total{dialect=\"server\"} 1",
        "throng_request_seconds_bucket{le=\"0.001\",dialect=\"native\"",
        "throng_people 57",
        "throng_keys ",
        "throng_dictionary_bytes ",
        "throng_set_bytes ",
        "throng_queued_commands 0",
        "# EOF",
    ] {
        assert!(
            metrics.body.contains(expected),
            "{expected}\n{}",
            metrics.body
        );
    }
    assert!(!metrics.body.contains("somebody"));
}

#[test]
fn each_answer_names_its_request_and_forbids_guessing() {
    let server = Server::demo(&["--people", "0"]);
    for (path, status) in [
        ("/livez", 200),
        ("/nothing", 404),
        ("/api/v1/nothing", 404),
        ("/api/v1/me", 401),
        ("/criteo/x", 404),
    ] {
        let answer = server.request("GET", path, &[("x-request-id", "job-17.a_b")], None);
        assert_eq!(
            (answer.status, answer.header("x-request-id")),
            (status, "job-17.a_b"),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        for wrong in ["with space", "somebody@example.org", &"a".repeat(65)] {
            let made = server.request("GET", path, &[("x-request-id", wrong)], None);
            let made = made.header("x-request-id");
            assert!(made != wrong && made.len() == 32, "{path}: {made}");
        }
    }
    assert_eq!(server.request("POST", "/livez", &[], Some("")).status, 405);
    assert_eq!(server.request("BREW", "/livez", &[], None).status, 405);
}

#[test]
fn mounts_and_host_names_lead_to_a_workspace() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("hosts.toml");
    std::fs::write(
        &file,
        "[[hosts]]\nname = 'shop.test'\nprefix = '/api/v1'\nworkspace = 'shop'\n",
    )
    .expect("is written");
    let server = Server::serve(
        &folder.path().join("data"),
        &["--config", file.to_str().expect("UTF-8")],
    );
    let token = welcome_token(&server);
    assert!(
        server
            .process
            .stderr
            .text()
            .contains("names a workspace that does not exist")
    );
    let authorization = format!("Bearer {token}");
    let status = |path: &str, host: &str| {
        server
            .request(
                "GET",
                path,
                &[("authorization", &authorization), ("host", host)],
                None,
            )
            .status
    };
    assert_eq!(
        status("/w/shop/api/v1/me", "x"),
        401,
        "no credential is of a workspace that does not exist"
    );
    assert_eq!(
        server.run(&token, &["workspace", "create", "shop"]).code,
        Some(0)
    );
    assert_eq!(status("/w/default/api/v1/me", "x"), 200);
    assert_eq!(
        status("/w/shop/api/v1/me", "x"),
        401,
        "a credential of another workspace"
    );
    assert_eq!(status("/me", "shop.test:8080"), 401);
    assert_eq!(status("/me", "x"), 404);
    assert_eq!(
        status("/livez", "shop.test"),
        200,
        "no host name moves the probes"
    );
}

#[test]
fn two_thousand_idle_connections_do_not_stop_it_from_serving() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )
    .expect("may be raised");
    if getrlimit(Resource::Nofile)
        .current
        .is_some_and(|files| files < 2_500)
    {
        eprintln!("skipped: this machine lets a process open too few files");
        return;
    }
    let server = Server::demo(&["--people", "10"]);
    let address = server.url.trim_start_matches("http://").to_owned();
    let idle: Vec<TcpStream> = (0..2_000)
        .map(|number| {
            let mut stream = TcpStream::connect(&address).expect("connects");
            // Half of them have begun a request head and stay silent from then on.
            if number % 2 == 0 {
                stream
                    .write_all(b"GET /livez HTTP/1.1\r\nHost:")
                    .expect("is sent");
            }
            stream
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(server.request("GET", "/readyz", &[], None).status, 200);
        assert_eq!(
            server
                .api(server.token(), "GET", "/structures", None)
                .status,
            200
        );
    }
    assert_eq!(idle.len(), 2_000);
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn a_limit_of_connections_makes_others_wait_and_not_fail() {
    let folder = tempfile::tempdir().expect("a folder");
    let limits = [
        "--set",
        "connections_max=4",
        "--set",
        "header_time_max=500ms",
    ];
    let server = Server::serve(folder.path(), &limits);
    let address = server.url.trim_start_matches("http://").to_owned();
    let _silent: Vec<TcpStream> = (0..8)
        .map(|_| TcpStream::connect(&address).expect("connects"))
        .collect();
    assert_eq!(
        server.request("GET", "/livez", &[], None).status,
        200,
        "once the silent ones are closed"
    );
}
