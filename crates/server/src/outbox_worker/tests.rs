//! The worker against a mail server in this process that says what the test wants: takes, refuses, delays, drops. What a
//! real server makes of the mails is told by the suite that runs one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use domain::{
    Caller, Clock, Envelope, Language, Mail, Options, Outbound, OutboundRefused, Random, mail_queue,
};
use store::{DataFolder, DatabaseUrl, MasterKey, Meta, Store, Verdict};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
};

use super::*;
use crate::{
    address::Allowed,
    mailer::{SmtpServer, sender},
};

const START_MS: i64 = 1_767_225_600_000;

pub(super) struct House {
    _folder: tempfile::TempDir,
    pub(super) domain: Domain,
    pub(super) clock: Clock,
}

async fn house() -> House {
    house_with(Arc::new(OutboundRefused)).await
}

/// A house with a way out of it.
pub(super) async fn house_with(outbound: Arc<dyn Outbound>) -> House {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Clock::manual(START_MS);
    let options = store::Options {
        url: DatabaseUrl::Sqlite {
            path: folder.path().join("throng.db"),
            size_bytes_max: None,
        },
        read_connections: 1,
        sets_memory_bytes: u64::MAX,
        now: START_MS,
        new_master: MasterKey::new([7; 32]),
        new_database_id: "test".into(),
    };
    let store = tokio::task::block_in_place(|| {
        let folder = DataFolder::open(folder.path()).expect("the folder opens");
        Store::open(folder, options, &mut |_, _, _| {}).expect("the store opens")
    });
    let options = Options {
        outbound,
        ..Options::closed(clock.clone(), Random::system())
    };
    let domain = Domain::start(store, options).await.expect("starts");
    domain.workspace_default().await.expect("a workspace");
    House {
        _folder: folder,
        domain,
        clock,
    }
}

impl House {
    pub(super) async fn queue(&self, to: &str) -> i64 {
        let meta = Meta {
            time: self.domain.now_ms(),
            actor: 0,
            verb: "test",
            request_id: "test".into(),
            command_id: format!("queue {to}"),
            weight: 1,
        };
        let sealer = self.domain.store().sealer().clone();
        let envelope = Envelope {
            to: to.into(),
            language: Language::Korean,
        };
        let mail = Mail::Reset {
            link: "https://throng.test/account/reset?token=canary".into(),
        };
        let queued = self.domain.store().command(1, meta, move |tx| {
            mail_queue(tx, &sealer, &envelope, &mail).map(Verdict::<i64, domain::Error>::Done)
        });
        queued.await.expect("is queued")
    }

    fn worker(&self, url: &str) -> OutboxWorker {
        OutboxWorker::start(
            self.domain.clone(),
            Some(mailer(url)),
            ChannelDelivery::Kept,
        )
    }

    /// Waits until an item is no longer waiting for its first attempt's end; `changed` is told when a server has spoken.
    pub(super) async fn ended(&self, id: i64, changed: &Notify) -> (String, i64, Option<String>) {
        loop {
            let heard = changed.notified();
            let item = self.domain.outbox_get(&Caller::server(1), id).await;
            let item = item.expect("is there").item;
            if item.state != "queued" || item.last_error.is_some() {
                return (item.state, item.attempts, item.last_error);
            }
            // The server speaks before the outbox is written: look again soon.
            drop(timeout(Duration::from_millis(20), heard).await);
        }
    }
}

pub(super) fn mailer(url: &str) -> Mailer {
    let server = SmtpServer::parse(url, &Allowed::default());
    let server = server.expect("is right").expect("a server");
    let from = sender("Throng <throng@throng.test>").expect("is right");
    Mailer::new(server, from, None, "test".into()).expect("is right")
}

/// What the mail server says to a recipient: by the local part of the address.
#[derive(Debug, Default)]
pub(super) struct Fake {
    heard: Mutex<Vec<String>>,
    pub(super) changed: Notify,
}

impl Fake {
    pub(super) async fn start() -> (Arc<Fake>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let address = listener.local_addr().expect("an address");
        let fake = Arc::new(Fake::default());
        let shared = Arc::clone(&fake);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = Arc::clone(&shared);
                tokio::spawn(async move { drop(fake.converse(stream).await) });
            }
        });
        (fake, address.to_string())
    }

    async fn converse(&self, stream: TcpStream) -> std::io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        writer.write_all(b"220 mail.test ESMTP\r\n").await?;
        let mut in_data = false;
        while let Some(line) = lines.next_line().await? {
            self.heard.lock().expect("not poisoned").push(line.clone());
            self.changed.notify_waiters();
            let answer = match line.as_str() {
                "." => {
                    in_data = false;
                    "250 2.0.0 taken"
                }
                _ if in_data => continue,
                "DATA" => {
                    in_data = true;
                    "354 go on"
                }
                "QUIT" => "221 bye",
                line if line.starts_with("RCPT TO:<unknown") => {
                    "550 5.1.1 <unknown@example.org> nobody"
                }
                line if line.starts_with("RCPT TO:<later") => "451 4.7.1 try later",
                line if line.starts_with("RCPT TO:<drop") => return Ok(()),
                line if line.starts_with("RCPT TO:<stall") => continue,
                _ => "250 mail.test",
            };
            writer.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("not poisoned").clone()
    }

    async fn hears(&self, what: &str) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From here on nothing that is said is missed.
            changed.as_mut().enable();
            if self.heard().iter().any(|line| line.contains(what)) {
                return;
            }
            changed.await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_are_sent_refused_and_tried_again() {
    let house = house().await;
    let (fake, address) = Fake::start().await;
    let mut ids = HashMap::new();
    for name in ["ann", "unknown", "later", "drop"] {
        ids.insert(name, house.queue(&format!("{name}@example.org")).await);
    }
    let worker = house.worker(&format!("smtp+plain://{address}"));
    let sent = house.ended(ids["ann"], &fake.changed).await;
    assert_eq!(sent, ("sent".into(), 1, None));
    let refused = house.ended(ids["unknown"], &fake.changed).await;
    assert_eq!((refused.0.as_str(), refused.1), ("dead", 1));
    let reason = refused.2.expect("a reason");
    assert!(
        reason.contains("5.1.1") && !reason.contains("unknown@"),
        "{reason}"
    );
    for name in ["later", "drop"] {
        let again = house.ended(ids[name], &fake.changed).await;
        assert_eq!((again.0.as_str(), again.1), ("queued", 1), "{name}");
    }
    worker.stop().await;

    let heard = fake.heard();
    let has = |start: &str| heard.iter().any(|line| line.starts_with(start));
    for line in [
        "EHLO throng.test",
        "MAIL FROM:<throng@throng.test>",
        "RCPT TO:<ann@example.org>",
        "From: Throng <throng@throng.test>",
        "To: ann@example.org",
        "Subject: =?utf-8?b?",
        "Auto-Submitted: auto-generated",
        "Content-Type: multipart/alternative;",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: text/html; charset=utf-8",
        "Date: ",
    ] {
        assert!(has(line), "{line}\n{heard:#?}");
    }
    let message_id = format!("Message-ID: <1.{}.test@throng.test>", ids["ann"]);
    assert!(has(&message_id), "{heard:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_in_the_open_to_a_server_without_tls() {
    let house = house().await;
    let (fake, address) = Fake::start().await;
    let id = house.queue("ann@example.org").await;
    let worker = house.worker(&format!("smtp://user:canary-password@{address}"));
    let (state, _, reason) = house.ended(id, &fake.changed).await;
    worker.stop().await;
    assert_eq!(state, "queued");
    assert!(reason.expect("a reason").contains("STARTTLS"));
    assert!(
        fake.heard()
            .iter()
            .all(|line| line.starts_with("EHLO") || line == "QUIT")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_while_sending_is_followed_by_another() {
    let house = house().await;
    let (fake, address) = Fake::start().await;
    let id = house.queue("stall@example.org").await;
    let OutboxWorker { stop, task } = house.worker(&format!("smtp+plain://{address}"));
    fake.hears("RCPT TO:<stall").await;
    // Killed, not stopped: nobody notes how it went.
    task.abort();
    drop((stop, task.await));
    assert!(
        house
            .domain
            .outbox_claim(1)
            .await
            .expect("claims")
            .is_empty()
    );

    house.clock.advance(Duration::from_secs(120));
    let mail = house
        .domain
        .outbox_claim(1)
        .await
        .expect("claims")
        .remove(0);
    assert_eq!((mail.id(), mail.attempt()), (id, 2));
    assert_eq!(house.domain.outbox_finish(&mail, Ok(())).await, Ok(true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_takes_what_is_queued_while_it_waits() {
    let house = house().await;
    let (fake, address) = Fake::start().await;
    let first = house.queue("unknown@example.org").await;
    let worker = house.worker(&format!("smtp+plain://{address}"));
    assert_eq!(house.ended(first, &fake.changed).await.0, "dead");
    let context = domain::Context::new(Caller::server(1), "test");
    house
        .domain
        .outbox_retry(&context, first)
        .await
        .expect("is retried");
    assert_eq!(house.ended(first, &fake.changed).await.0, "dead");
    assert_eq!(
        fake.heard()
            .iter()
            .filter(|line| line.starts_with("RCPT"))
            .count(),
        2
    );
    worker.stop().await;
}
