//! The worst moment to lose PostgreSQL: between sending COMMIT and hearing of it. A proxy cuts the connection there, once
//! after the server has committed and once before it heard. Either way the change must be there exactly once.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use crate::support::{House, close, context};
use domain::{AudienceNew, Domain, Kind, StructureNew};
use store::DatabaseUrl;

const PASS: u8 = 0;
/// Forward the next COMMIT, swallow its answer.
const CUT_AFTER: u8 = 1;
/// Swallow the next COMMIT.
const CUT_BEFORE: u8 = 2;

/// Forwards connections to PostgreSQL and cuts one as told.
struct Proxy {
    port: u16,
    order: Arc<AtomicU8>,
}

impl Proxy {
    fn start(target: String) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let port = listener.local_addr().expect("an address").port();
        let order = Arc::new(AtomicU8::new(PASS));
        let shared = Arc::clone(&order);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&target).expect("PostgreSQL answers");
                let (order, cut) = (Arc::clone(&shared), Arc::new(AtomicU8::new(PASS)));
                let (back, back_cut) = ((server.try_clone(), client.try_clone()), Arc::clone(&cut));
                std::thread::spawn(move || forward(client, server, |data| ask(data, &order, &cut)));
                let (Ok(from), Ok(to)) = back else { continue };
                std::thread::spawn(move || {
                    forward(from, to, |_| back_cut.load(Ordering::SeqCst) == PASS);
                });
            }
        });
        Proxy { port, order }
    }
}

/// Whether the client's data may pass; carries out the order at a COMMIT.
fn ask(data: &[u8], order: &AtomicU8, cut: &AtomicU8) -> bool {
    if !data.windows(6).any(|window| window == b"COMMIT") {
        return true;
    }
    let order = order.swap(PASS, Ordering::SeqCst);
    cut.store(order, Ordering::SeqCst);
    order != CUT_BEFORE
}

/// Copies until one side ends or the data may not pass; then both ends are closed.
fn forward(mut from: TcpStream, mut to: TcpStream, may_pass: impl Fn(&[u8]) -> bool) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 || !may_pass(&buffer[..read]) || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    for stream in [from, to] {
        stream.shutdown(Shutdown::Both).ok();
    }
}

/// A house whose PostgreSQL is behind a proxy.
fn proxied() -> Option<(House, Proxy)> {
    let mut house = House::postgres()?;
    let DatabaseUrl::Postgres(url) = &house.url else {
        return None;
    };
    let (head, name) = url.rsplit_once('/').expect("a database");
    let (user, target) = head.rsplit_once('@').expect("a user");
    let proxy = Proxy::start(target.to_owned());
    house.url = DatabaseUrl::Postgres(format!("{user}@127.0.0.1:{}/{name}", proxy.port));
    Some((house, proxy))
}

async fn add(domain: &Domain, audience: i64, address: &str) -> domain::MemberOutcome {
    let mut batch = domain.batch(&context("").caller, 1).await.expect("a batch");
    batch.push(Kind::Email, "", address);
    domain
        .member_add(&context("add"), audience, batch.finish())
        .await
        .expect("is added in the end")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_answer_was_lost_is_done_once() {
    let Some((house, proxy)) = tokio::task::block_in_place(proxied) else {
        return;
    };
    let domain = house.open().await;
    let new = StructureNew::new("shop");
    let structure = domain
        .structure_create(&context("s"), new)
        .await
        .expect("a structure")
        .id;
    for (order, name) in [(CUT_AFTER, "after"), (CUT_BEFORE, "before")] {
        let new = AudienceNew::new(structure, name);
        proxy.order.store(order, Ordering::SeqCst);
        let before = domain.store().head_seq(1).await.expect("a head");
        // Were the command run twice, the second would find the name taken.
        let audience = domain
            .audience_create(&context("a"), new)
            .await
            .expect("is created")
            .id;
        assert_eq!(
            proxy.order.load(Ordering::SeqCst),
            PASS,
            "the proxy has cut"
        );
        assert_eq!(
            domain.store().head_seq(1).await.expect("a head"),
            before + 1,
            "{name}: logged once"
        );

        proxy.order.store(order, Ordering::SeqCst);
        let outcome = add(&domain, audience, &format!("{name}@example.org")).await;
        assert_eq!((outcome.added, outcome.people), (1, 1), "{name}");
        let counted = domain
            .audience_get(&context("").caller, audience)
            .await
            .expect("a count");
        assert_eq!(counted.counts.people, 1, "{name}");
        let again = add(&domain, audience, &format!("{name}@example.org")).await;
        assert_eq!(
            (again.added, again.people),
            (0, 1),
            "{name}: the engine holds what the log says"
        );
    }
    close(domain).await;
    let report =
        tokio::task::block_in_place(|| store::verify(&house.path(), &house.url, &mut |_, _, _| {}));
    assert_eq!(report.expect("verifies").findings, Vec::<String>::new());
}
