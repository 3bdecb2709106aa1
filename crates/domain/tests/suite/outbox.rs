//! The outbox on both engines: queued with a command or not at all, sent once whoever works, and never undone by a worker
//! whose claim ran out.

use std::{collections::HashSet, time::Duration};

use domain::{
    AccountNew, Caller, Domain, Entrance, Envelope, Error, Language, Mail, MailClaim, OutboxKind,
    Scope, Scopes, SendError, mail_queue,
};
use store::{Meta, Verdict};

use crate::support::{House, close, context};

const LEASE: Duration = Duration::from_secs(120);

fn mail(number: usize) -> (Envelope, Mail) {
    let envelope = Envelope {
        to: format!("ann{number}@example.org"),
        language: Language::English,
    };
    let link = format!("https://throng.test/account/invite?token=canary{number}");
    let inviter = None;
    (envelope, Mail::Invite { link, inviter })
}

/// Queues mails as a verb would, within one command; `refused` makes the command fail after it.
async fn queue(domain: &Domain, count: usize, refused: bool) -> Result<Vec<i64>, Error> {
    let meta = Meta {
        time: domain.now_ms(),
        actor: 0,
        verb: "test",
        request_id: "test".into(),
        command_id: format!("queue-{}", domain.now_ms()),
        weight: 1,
    };
    let sealer = domain.store().sealer().clone();
    domain
        .store()
        .command(1, meta, move |tx| {
            let ids = (0..count).map(|number| {
                let (envelope, mail) = mail(number);
                mail_queue(tx, &sealer, &envelope, &mail)
            });
            let ids = ids.collect::<Result<Vec<_>, Error>>()?;
            if refused {
                return Err(Error::Conflict("on purpose"));
            }
            Ok(Verdict::Done(ids))
        })
        .await
}

async fn claim(domain: &Domain, limit: usize) -> Vec<MailClaim> {
    domain.outbox_claim(limit).await.expect("claims")
}

async fn state(domain: &Domain, id: i64) -> (String, i64, Option<i64>) {
    let item = domain.outbox_get(&Caller::server(1), id).await;
    let item = item.expect("is there").item;
    (item.state, item.attempts, item.next_attempt)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_is_queued_with_its_command_or_not_at_all() {
    for house in House::each() {
        let domain = house.open().await;
        let caller = Caller::server(1);
        assert!(queue(&domain, 2, true).await.is_err());
        let all = domain.outbox_list(&caller, None, None, 100).await;
        assert_eq!(all.expect("lists"), []);

        house.clock.advance(Duration::from_secs(1));
        let ids = queue(&domain, 3, false).await.expect("queues");
        let listed = domain.outbox_list(&caller, Some("queued"), None, 2).await;
        let listed = listed.expect("lists");
        let shown: Vec<i64> = listed.iter().map(|item| item.id).collect();
        assert_eq!(shown, [ids[2], ids[1]], "{}", house.engine());
        assert_eq!(listed[0].recipient.as_deref(), Some("ann2@example.org"));
        assert_eq!(listed[0].template.as_deref(), Some("invite"));
        let rest = domain.outbox_list(&caller, None, Some(ids[1]), 100).await;
        assert_eq!(rest.expect("lists")[0].id, ids[0]);
        let found = domain.outbox_get(&caller, ids[0]).await.expect("is there");
        assert!(found.text.expect("a text").text.contains("token=canary0"));
        let wrong = domain.outbox_list(&caller, Some("lost"), None, 1).await;
        assert!(matches!(wrong, Err(Error::Invalid(_))));
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_of_every_structure_see_the_outbox() {
    let house = House::sqlite();
    let domain = house.open().await;
    let id = queue(&domain, 1, false).await.expect("queues")[0];
    let mut reader = Caller::server(1);
    reader.scopes = Scopes::new(&[Scope::AudiencesRead, Scope::AudiencesWrite]);
    let mut narrow = Caller::server(1);
    narrow.portfolio = domain::Portfolio::Only(vec![1]);
    for caller in [reader, narrow] {
        let list = domain.outbox_list(&caller, None, None, 1).await;
        assert!(matches!(list, Err(Error::Forbidden(_))));
        let get = domain.outbox_get(&caller, id).await;
        assert!(matches!(get, Err(Error::Forbidden(_))));
        let context = domain::Context::new(caller, "test");
        let retry = domain.outbox_retry(&context, id).await;
        assert!(matches!(retry, Err(Error::Forbidden(_))));
    }
    // An id of this workspace is nothing in another one.
    let new = domain::WorkspaceNew {
        slug: "other".into(),
        name: "Other".into(),
        keep_identifiers: true,
    };
    let other = domain.workspace_create(&Caller::server(1), new).await;
    let other = Caller::server(other.expect("is made").id);
    let get = domain.outbox_get(&other, id).await;
    assert_eq!(get, Err(Error::NotFound("outbox item")));
    let elsewhere = domain::Context::new(other, "test");
    let retry = domain.outbox_retry(&elsewhere, id).await;
    assert_eq!(retry, Err(Error::NotFound("outbox item")));
    close(domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_forgotten_and_what_was_not_is_tried_again_until_it_is_dead() {
    for house in House::each() {
        let domain = house.open().await;
        let caller = Caller::server(1);
        let ids = queue(&domain, 3, false).await.expect("queues");
        let claims = claim(&domain, 10).await;
        assert_eq!(claims.len(), 3, "{}", house.engine());
        assert!(claim(&domain, 10).await.is_empty());
        let of = |id: i64| claims.iter().find(|mail| mail.id() == id).expect("claimed");

        assert_eq!(domain.outbox_finish(of(ids[0]), Ok(())).await, Ok(true));
        let sent = domain.outbox_get(&caller, ids[0]).await.expect("is there");
        assert_eq!(
            (sent.item.state.as_str(), sent.item.recipient),
            ("sent", None)
        );
        assert_eq!((sent.text, sent.item.next_attempt), (None, None));
        let retry = domain.outbox_retry(&context("again"), ids[0]).await;
        assert!(matches!(retry, Err(Error::Conflict(_))));

        let refused = SendError::Permanent("550 <ann1@example.org> is unknown".into());
        assert_eq!(
            domain.outbox_finish(of(ids[1]), Err(refused)).await,
            Ok(true)
        );
        let dead = domain.outbox_get(&caller, ids[1]).await.expect("is there");
        assert_eq!((dead.item.state.as_str(), dead.item.attempts), ("dead", 1));
        assert_eq!(
            dead.item.last_error.as_deref(),
            Some("550 <***> is unknown")
        );
        assert!(claim(&domain, 10).await.is_empty());

        // The third is tried twelve times, each later than the one before.
        let mut mail = of(ids[2]).clone();
        for attempt in 1..=12 {
            assert_eq!(mail.attempt(), attempt);
            let later = Err(SendError::Transient("451 try later".into()));
            assert_eq!(domain.outbox_finish(&mail, later).await, Ok(true));
            let (state, attempts, next) = state(&domain, ids[2]).await;
            assert_eq!(attempts, attempt);
            if attempt == 12 {
                assert_eq!((state.as_str(), next), ("dead", None));
                break;
            }
            let wait = next.expect("a time") - domain.now_ms();
            assert!((22_500..=4_500_000).contains(&wait), "{wait}");
            house
                .clock
                .advance(Duration::from_millis(wait.unsigned_abs() - 1));
            assert!(claim(&domain, 10).await.is_empty());
            house.clock.advance(Duration::from_millis(1));
            mail = claim(&domain, 10).await.remove(0);
        }

        // Somebody mends what was wrong and asks again: all attempts are before it again.
        let retried = domain.outbox_retry(&context("again"), ids[2]).await;
        assert_eq!(retried.expect("is retried").attempts, 0);
        let mail = claim(&domain, 10).await.remove(0);
        assert_eq!((mail.id(), mail.attempt()), (ids[2], 1));
        assert_eq!(domain.outbox_finish(&mail, Ok(())).await, Ok(true));
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_died_is_followed_and_cannot_undo_what_the_other_did() {
    for house in House::each() {
        let domain = house.open().await;
        let id = queue(&domain, 1, false).await.expect("queues")[0];
        let first = claim(&domain, 1).await.remove(0);

        // While it is being sent, impatience does not send it twice.
        domain
            .outbox_retry(&context("impatient"), id)
            .await
            .expect("is noted");
        house.clock.advance(LEASE - Duration::from_millis(1));
        assert!(claim(&domain, 1).await.is_empty());
        house.clock.advance(Duration::from_millis(1));
        let second = claim(&domain, 1).await.remove(0);
        assert_eq!(second.id(), first.id());

        // The first was only slow: it is fenced off, whatever it says.
        let failed = || Err(SendError::Permanent("550 no".into()));
        assert_eq!(domain.outbox_finish(&first, failed()).await, Ok(false));
        assert_eq!(domain.outbox_finish(&first, Ok(())).await, Ok(false));
        assert_eq!(state(&domain, id).await.0, "queued");
        assert_eq!(domain.outbox_finish(&second, Ok(())).await, Ok(true));
        assert_eq!(domain.outbox_finish(&second, failed()).await, Ok(false));
        assert_eq!(state(&domain, id).await.0, "sent", "{}", house.engine());
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_send_each_mail_once() {
    const MAILS: usize = 200;
    for house in House::each() {
        let one = house.open().await;
        // SQLite has one process; its two workers share it.
        let two = match house.engine() {
            "sqlite" => one.clone(),
            _ => house.open_as("two").await,
        };
        queue(&one, MAILS, false).await.expect("queues");
        let work = |domain: Domain| async move {
            let mut sent = Vec::new();
            loop {
                let claims = match domain.outbox_claim(7).await {
                    Ok(claims) => claims,
                    // Two that lock the same rows the other way round: PostgreSQL lets one begin anew.
                    Err(Error::Unavailable { .. }) => continue,
                    Err(error) => panic!("{error:?}"),
                };
                if claims.is_empty() {
                    return sent;
                }
                for mail in claims {
                    assert_eq!(domain.outbox_finish(&mail, Ok(())).await, Ok(true));
                    sent.push(mail.id());
                }
            }
        };
        let workers = [one.clone(), two.clone(), one.clone(), two.clone()].map(work);
        let workers = workers.map(tokio::spawn);
        let mut sent = Vec::new();
        for worker in workers {
            sent.extend(worker.await.expect("ends"));
        }
        assert_eq!(sent.len(), MAILS, "{}", house.engine());
        assert_eq!(sent.iter().collect::<HashSet<_>>().len(), MAILS);
        if house.engine() != "sqlite" {
            close(two).await;
        }
        close(one).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_is_woken_by_a_command_and_by_the_time() {
    let house = House::sqlite();
    let domain = house.open().await;
    let long = Duration::from_secs(3_600);
    // Something is due: no waiting.
    let id = queue(&domain, 1, false).await.expect("queues")[0];
    domain
        .outbox_wait(&[OutboxKind::Mail], long)
        .await
        .expect("waits");
    let mail = claim(&domain, 1).await.remove(0);
    let failed = Err(SendError::Permanent("550 no".into()));
    domain.outbox_finish(&mail, failed).await.expect("ends");
    // Nothing is due until a command says so.
    let waiting = tokio::spawn({
        let domain = domain.clone();
        async move { domain.outbox_wait(&[OutboxKind::Mail], long).await }
    });
    domain
        .outbox_retry(&context("again"), id)
        .await
        .expect("is retried");
    waiting.await.expect("ends").expect("waits");
    assert_eq!(claim(&domain, 1).await.len(), 1);
    close(domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_link_has_expired_is_not_sent() {
    let house = House::sqlite();
    let domain = house.open().await;
    domain
        .account_create(
            &context("a"),
            AccountNew::of("ann@example.org"),
            Entrance::Invitation,
        )
        .await
        .expect("is made");
    house.clock.advance(Duration::from_secs(7 * 24 * 3_600));
    assert!(claim(&domain, 10).await.is_empty());
    let items = domain
        .outbox_list(&context("").caller, Some("dead"), None, 10)
        .await;
    let items = items.expect("lists");
    assert_eq!(items.len(), 1);
    let error = items[0].last_error.as_deref().unwrap_or_default();
    assert!(error.contains("expired"), "{error}");
    close(domain).await;
}
