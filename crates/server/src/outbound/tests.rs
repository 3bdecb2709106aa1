//! What may be reached and what may not: a table of addresses in every spelling, names that resolve to them, names that
//! change their mind, and answers that are too large or too slow.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

/// Never to be reached: private, special, or IPv4 in disguise.
const REFUSED: &[&str] = &[
    // Loopback, in the spellings that parsers take.
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "0x7f.1",
    "0x7F.0x0.0x0.0x1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.0x1",
    "%31%32%37.0.0.1",
    "１２７.０.０.１",
    "127。0。0。1",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    // This host, unspecified.
    "0.0.0.0",
    "0",
    "0x0",
    "0.1.2.3",
    "[::]",
    // Private.
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.0.1",
    "192.168.255.255",
    "0xc0a80001",
    "3232235521",
    "[::ffff:10.0.0.1]",
    "[::ffff:c0a8:1]",
    "[fc00::1]",
    "[fd12:3456:789a::1]",
    "[fec0::1]",
    // Carrier-grade NAT.
    "100.64.0.1",
    "100.127.255.254",
    // Link-local and metadata services.
    "169.254.0.1",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    // NAT64, 6to4 and Teredo carry an IPv4 address.
    "[64:ff9b::7f00:1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b::8.8.8.8]",
    "[64:ff9b:1::a00:1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
    "192.88.99.1",
    // A public address in the same disguise gets around nothing, and is refused all the same.
    "[::ffff:8.8.8.8]",
    // Protocol assignments, benchmarks, documentation.
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "[2001:db8::1]",
    "[2001:2::1]",
    "[2001:10::1]",
    "[3fff::1]",
    "[100::1]",
    "[5f00::1]",
    // Multicast, reserved, broadcast.
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "[ff02::1]",
    "[ff0e::1]",
];
/// Public, up to the edges of what is not.
const PASSED: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "134744072",
    "[2001:4860:4860::8888]",
    "[2606:4700:4700::1111]",
    "[2a00:1450:4001::1]",
];

fn client(allow: &str) -> HttpClient {
    HttpClient::new(Allowed::parse(allow).expect("is right"))
}

fn get(url: &str) -> OutboundRequest {
    OutboundRequest {
        method: OutboundMethod::Get,
        url: url.into(),
        headers: vec![("accept", "text/plain".into())],
        body: Vec::new(),
        bytes_max: 1_000,
        time_max: Duration::from_secs(20),
    }
}

fn refused(answer: &Sent<OutboundAnswer>) -> bool {
    matches!(answer, Err(OutboundError::Refused(_)))
}

#[tokio::test]
async fn addresses_are_judged_in_every_spelling() {
    assert!(REFUSED.len() >= 60);
    let client = client("");
    for host in REFUSED {
        for url in [
            format!("https://{host}/"),
            format!("https://{host}:8443/x?y"),
            format!("http://{host}/"),
        ] {
            assert!(client.checked(&url).is_err(), "{url}");
            assert!(refused(&client.send(get(&url)).await), "{url}");
        }
    }
    for host in PASSED {
        assert!(
            client.checked(&format!("https://{host}/")).is_ok(),
            "{host}"
        );
        assert!(
            client.checked(&format!("http://{host}/")).is_err(),
            "{host}"
        );
    }
}

#[test]
fn urls_of_other_kinds_are_refused() {
    let client = client("0.0.0.0/0, ::/0");
    for url in [
        "",
        "example.org",
        "//example.org",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/x",
        "data:text/plain,x",
        "unix:/run/x.sock",
        "https://",
        "https://./",
        "https://ann:secret@example.org/",
        "https://ann@example.org/",
        "https://exa mple.org/",
        "https://[fe80::1%25eth0]/",
        "https://999.1.1.1/",
        "https://0x7f.0.0.0.1/",
        &format!("https://example.org/{}", "x".repeat(URL_CHARS_MAX)),
    ] {
        let checked = client.checked(url);
        assert!(matches!(checked, Err(OutboundError::Refused(_))), "{url}");
    }
}

#[test]
fn what_the_operator_has_named_may_be_reached() {
    let demo = HttpClient::new(Allowed::loopback());
    for url in [
        "http://127.0.0.1:1/",
        "https://127.9.9.9/",
        "http://[::1]/",
        "http://0x7f.1/",
    ] {
        assert!(demo.checked(url).is_ok(), "{url}");
    }
    for url in [
        "http://10.0.0.1/",
        "https://169.254.169.254/",
        "https://[::ffff:127.0.0.1]/",
    ] {
        assert!(demo.checked(url).is_err(), "{url}");
    }
    let intranet = client("10.1.0.0/16");
    assert!(intranet.checked("http://10.1.2.3/").is_ok());
    assert!(intranet.checked("https://10.2.0.1/").is_err());
    assert!(intranet.checked("http://8.8.8.8/").is_err());
}

/// Answers each look-up with the next of its answers, and the last one from then on.
struct Scripted {
    answers: Mutex<VecDeque<Vec<&'static str>>>,
    asked: AtomicUsize,
}

impl Scripted {
    fn new(answers: &[&[&'static str]]) -> Arc<Scripted> {
        Arc::new(Scripted {
            answers: Mutex::new(answers.iter().map(|answer| answer.to_vec()).collect()),
            asked: AtomicUsize::new(0),
        })
    }
}

impl Resolve for Scripted {
    fn resolve(&self, _name: Name) -> Resolving {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().expect("not poisoned");
        let next = match answers.len() {
            0 | 1 => answers.front().cloned().unwrap_or_default(),
            _ => answers.pop_front().unwrap_or_default(),
        };
        let addresses: Vec<SocketAddr> = next
            .iter()
            .map(|address| SocketAddr::new(address.parse().expect("an address"), 0))
            .collect();
        Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) })
    }
}

/// A server that answers each connection with the same bytes and closes it; counts the connections.
async fn server(address: &str, answer: Vec<u8>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(address).await.expect("binds");
    let port = listener.local_addr().expect("an address").port();
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut head = [0; 4_096];
                drop(stream.read(&mut head).await);
                drop(stream.write_all(&answer).await);
                drop(stream.shutdown().await);
            });
        }
    });
    (port, seen)
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n{body}").into_bytes()
}

#[tokio::test]
async fn a_name_that_points_inside_is_refused() {
    for address in [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "::1",
        "::ffff:127.0.0.1",
    ] {
        let lookup = Scripted::new(&[&[address]]);
        let client = HttpClient::with_lookup(Allowed::default(), lookup.clone());
        for url in [
            "https://inside.test/",
            "http://inside.test/",
            "https://inside.test./",
        ] {
            assert!(refused(&client.send(get(url)).await), "{url} {address}");
        }
        assert_eq!(lookup.asked.load(Ordering::SeqCst), 3);
    }
    let nowhere = HttpClient::with_lookup(Allowed::default(), Scripted::new(&[&[]]));
    let answer = nowhere.send(get("https://nowhere.test/")).await;
    assert!(
        matches!(answer, Err(OutboundError::Unreachable(_))),
        "{answer:?}"
    );
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_connected_to() {
    let right = http("200 OK", "content-length: 5\r\n", "right");
    let (port, reached) = server("127.0.0.2:0", right).await;
    let (_, wrong) = server(&format!("127.0.0.3:{port}"), http("200 OK", "", "wrong")).await;
    let allowed = Allowed::parse("127.0.0.2").expect("is right");

    // The name changes its mind after the first look-up: there is no second one before the connection.
    let lookup = Scripted::new(&[&["127.0.0.2"], &["127.0.0.3"]]);
    let client = HttpClient::with_lookup(allowed.clone(), lookup.clone());
    let url = format!("http://rebind.test:{port}/");
    let answer = client.send(get(&url)).await.expect("answers");
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, &b"right"[..])
    );
    assert_eq!(lookup.asked.load(Ordering::SeqCst), 1);
    assert!(refused(&client.send(get(&url)).await));

    // Of two addresses only the one that passes is tried, in either order.
    for both in [["127.0.0.3", "127.0.0.2"], ["127.0.0.2", "127.0.0.3"]] {
        let client = HttpClient::with_lookup(allowed.clone(), Scripted::new(&[&both]));
        let answer = client.send(get(&url)).await.expect("answers");
        assert_eq!(answer.body, b"right");
    }
    assert_eq!(reached.load(Ordering::SeqCst), 3);
    assert_eq!(wrong.load(Ordering::SeqCst), 0);

    // A name on the list may point wherever it likes; another name to the same address may not.
    let named = Allowed::parse("rebind.test").expect("is right");
    let client = HttpClient::with_lookup(named, Scripted::new(&[&["127.0.0.2"]]));
    assert!(client.send(get(&url)).await.is_ok());
    let other = format!("http://other.test:{port}/");
    assert!(refused(&client.send(get(&other)).await));
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let (inside, reached) = server("127.0.0.1:0", http("200 OK", "", "secret")).await;
    let location = format!("location: http://127.0.0.1:{inside}/\r\ncontent-length: 0\r\n");
    let (port, _) = server("127.0.0.1:0", http("302 Found", &location, "")).await;
    let client = HttpClient::new(Allowed::loopback());
    let answer = client.send(get(&format!("http://127.0.0.1:{port}/"))).await;
    let answer = answer.expect("answers");
    assert_eq!(answer.status, 302);
    assert!(
        answer
            .header("location")
            .is_some_and(|to| to.contains("127.0.0.1"))
    );
    assert_eq!(reached.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn answers_are_capped_in_bytes_and_time() {
    let client = HttpClient::new(Allowed::loopback());
    let ask = async |answer: Vec<u8>, time_max: Duration| {
        let (port, _) = server("127.0.0.1:0", answer).await;
        let mut request = get(&format!("http://127.0.0.1:{port}/"));
        request.time_max = time_max;
        client.send(request).await
    };
    let long = Duration::from_secs(20);
    // Said to be too large, and too large without saying so.
    let said = http("200 OK", "content-length: 1001\r\n", "");
    assert_eq!(ask(said, long).await, Err(OutboundError::TooLarge));
    let unsaid = http("200 OK", "", &"x".repeat(1_001));
    assert_eq!(ask(unsaid, long).await, Err(OutboundError::TooLarge));
    let fits = http("200 OK", "", &"x".repeat(1_000));
    assert_eq!(
        ask(fits, long).await.map(|answer| answer.body.len()),
        Ok(1_000)
    );
    // Cut off, and no HTTP at all.
    let cut = ask(http("200 OK", "content-length: 10\r\n", "x"), long).await;
    assert!(matches!(cut, Err(OutboundError::Unreachable(_))), "{cut:?}");
    let other = ask(b"220 mail.test ESMTP\r\n".to_vec(), long).await;
    assert!(
        matches!(other, Err(OutboundError::Unreachable(_))),
        "{other:?}"
    );
    // Nobody accepts what the kernel has taken: the other side is silent.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = silent.local_addr().expect("an address").port();
    let mut request = get(&format!("http://127.0.0.1:{port}/"));
    request.time_max = Duration::from_millis(100);
    assert_eq!(client.send(request).await, Err(OutboundError::TimedOut));
}
