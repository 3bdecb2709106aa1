//! SIGTERM: what is in flight is finished, what is idle is not waited for.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Instant,
};

use rustix::process::Signal;
use serde_json::json;

use crate::support::{DEADLINE, Server, request, wait_for};

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.url.trim_start_matches("http://")).expect("connects");
    stream.set_read_timeout(Some(DEADLINE)).expect("is set");
    stream
}

#[test]
fn sigterm_finishes_a_request_in_flight_and_ends_with_0() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().to_str().expect("UTF-8");
    let server = Server::demo(&["--people", "10", "--data", data, "--verbose"]);
    let body = json!({"structure": 1, "name": "Made while stopping"}).to_string();
    let (half, rest) = body.split_at(10);
    let mut stream = connect(&server);
    let head = format!(
        "POST /api/v1/audiences HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{half}",
        server.token(),
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("is sent");
    // A later request on another connection: once it is answered, the head of the first was surely read.
    assert_eq!(server.request("GET", "/readyz", &[], None).status, 200);

    server.process.signal(Signal::TERM);
    let stopping = |line: &str| line.contains("stopping");
    wait_for("the server to begin to stop", || {
        server.process.stderr.line(stopping)
    });
    stream.write_all(rest.as_bytes()).expect("is still taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("is answered");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(server.process.wait().code, Some(0));

    let again = Server::serve(folder.path(), &[]);
    let token = server.demo["native"]["token"].as_str().expect("a token");
    let audiences = again.api(token, "GET", "/audiences", None).json();
    let names: Vec<_> = audiences["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| &item["name"])
        .collect();
    assert!(names.contains(&&json!("Made while stopping")), "{names:?}");
}

#[test]
fn silent_and_idle_connections_do_not_hold_it_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::serve(folder.path(), &[]);
    let mut silent = connect(&server);
    let mut idle = connect(&server);
    idle.write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("is sent");
    let mut first = [0; 12];
    idle.read_exact(&mut first).expect("is answered");
    assert_eq!(&first, b"HTTP/1.1 200");
    let begun = Instant::now();
    let ended = server.stop();
    assert_eq!(ended.code, Some(0));
    assert!(
        begun.elapsed().as_secs() < 15,
        "it waited for connections that ask nothing"
    );
    assert_eq!(silent.read(&mut first).expect("is closed"), 0);
}

#[test]
fn a_stopped_server_takes_no_more_connections() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::serve(folder.path(), &[]);
    let url = server.url.clone();
    assert_eq!(request(&url, "GET", "/livez", &[], None).status, 200);
    let ended = server.stop();
    assert!(ended.stderr.contains("\"stopped\""), "{}", ended.stderr);
    assert!(TcpStream::connect(url.trim_start_matches("http://")).is_err());
}
