//! Webhooks and events on both engines: told to whoever wants to know, with the command that made it happen or not at all,
//! signed by the secrets of the moment, and told again as the same event.

use std::time::Duration;

use domain::{
    AudienceEvent, AudienceNew, Caller, Context, Domain, Error, Event, EventData, EventKind, Keyed,
    Kind, NATIVE, OutboxKind, RecordChange, RecordNew, RecordRef, Scope, Scopes, SendError,
    StructureNew, WebhookClaim, WebhookNew, WorkspaceNew,
};

use crate::support::{House, START_MS, close, context};

const URL: &str = "https://hooks.example.org/in?token=canary-url";
const LEASE: Duration = Duration::from_secs(120);
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn of_audience(event: &Event) -> &AudienceEvent {
    match &event.data {
        EventData::Audience(data) => data,
        EventData::Person(_) => panic!("{event:?} is of a person"),
    }
}

fn wanting(events: &[EventKind]) -> WebhookNew {
    WebhookNew {
        dialect: NATIVE.into(),
        url: URL.into(),
        events: events.to_vec(),
        secret: None,
        integration: None,
        detail: domain::Detail::default(),
    }
}

async fn webhook(domain: &Domain, events: &[EventKind]) -> (i64, String) {
    let made = domain
        .webhook_create(&context("hook"), wanting(events))
        .await;
    let (webhook, secret) = made.expect("is made");
    (webhook.id, secret)
}

async fn structure(domain: &Domain) -> i64 {
    let new = StructureNew::new("Shop");
    let made = domain.structure_create(&context("structure"), new).await;
    made.expect("a structure").id
}

fn named(structure: i64, name: &str) -> AudienceNew {
    AudienceNew {
        reference: Some(format!("ref-{name}")),
        ..AudienceNew::new(structure, name)
    }
}

async fn audience(domain: &Domain, structure: i64, name: &str) -> i64 {
    let made = domain
        .audience_create(&context(name), named(structure, name))
        .await;
    made.expect("an audience").id
}

async fn add(domain: &Domain, audience: i64, people: usize) {
    let context = context("add");
    let mut batch = domain
        .batch(&context.caller, people)
        .await
        .expect("a batch");
    for number in 0..people {
        batch.push(Kind::Email, "", &format!("ann{number}@example.org"));
    }
    let added = domain.member_add(&context, audience, batch.finish()).await;
    added.expect("are added");
}

async fn remove(domain: &Domain, audience: i64, email: &str) {
    let context = context("remove");
    let mut batch = domain.batch(&context.caller, 1).await.expect("a batch");
    batch.push(Kind::Email, "", email);
    let removed = domain
        .member_remove(&context, audience, batch.finish())
        .await;
    removed.expect("is removed");
}

/// What is due, in the order in which it was queued.
async fn claim(domain: &Domain) -> Vec<WebhookClaim> {
    let mut claims = domain.webhook_claim(1_000).await.expect("claims");
    claims.sort_by_key(WebhookClaim::id);
    claims
}

async fn take_all(domain: &Domain) -> Vec<WebhookClaim> {
    let claims = claim(domain).await;
    for delivery in &claims {
        assert_eq!(domain.webhook_finish(delivery, Ok(())).await, Ok(true));
    }
    claims
}

/// State, attempts and last error of an item.
async fn item(domain: &Domain, id: i64) -> (String, i64, Option<String>) {
    let found = domain.outbox_get(&Caller::server(1), id).await;
    let item = found.expect("is there").item;
    (item.state, item.attempts, item.last_error)
}

fn kinds(claims: &[WebhookClaim]) -> Vec<&'static str> {
    claims
        .iter()
        .map(|claim| claim.event.kind.as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_to_whoever_wants_it() {
    for house in House::each() {
        let domain = house.open().await;
        let shop = structure(&domain).await;
        audience(&domain, shop, "before").await;
        assert!(claim(&domain).await.is_empty(), "nobody wanted to know");

        let (all, secret) = webhook(&domain, &[]).await;
        let some = [EventKind::AudienceDeleted, EventKind::AudienceCreated];
        let (_, other_secret) = webhook(&domain, &some).await;
        assert_ne!(secret, other_secret);
        let one = audience(&domain, shop, "one").await;
        add(&domain, one, 2).await;
        // Nobody comes in or goes out: nothing happens.
        add(&domain, one, 2).await;
        remove(&domain, one, "ann1@example.org").await;
        add(&domain, one, 200).await;
        let gone = domain.audience_delete(&context("delete"), one).await;
        gone.expect("is deleted");

        let claims = take_all(&domain).await;
        let of = |secret: &str| -> Vec<WebhookClaim> {
            let own = claims.iter().filter(|claim| claim.secrets == [secret]);
            own.cloned().collect()
        };
        let (told, told_less) = (of(&secret), of(&other_secret));
        const CHANGED: &str = "audience.members_changed";
        assert_eq!(
            kinds(&told),
            [
                "audience.created",
                CHANGED,
                CHANGED,
                CHANGED,
                "audience.deleted"
            ],
            "{}",
            house.engine()
        );
        assert_eq!(kinds(&told_less), ["audience.created", "audience.deleted"]);
        // It is one event, whoever is told.
        assert_eq!(told[0].event, told_less[0].event);
        let event = &told[0].event;
        assert_eq!((event.time, event.actor), (START_MS, 0));
        assert_eq!(event.request_id, "one");
        let data = AudienceEvent {
            audience: one,
            structure: shop,
            kind: "manual".into(),
            name: "one".into(),
            reference: Some("ref-one".into()),
            ..AudienceEvent::default()
        };
        assert_eq!(event.data, EventData::Audience(data));
        let people = |at: usize| {
            let data = of_audience(&told[at].event);
            let named = (data.added_people.len(), data.removed_people.len());
            (data.added, data.removed, named)
        };
        assert_eq!(people(1), (2, 0, (2, 0)));
        assert_eq!(people(2), (0, 1, (0, 1)));
        assert_eq!(people(3), (199, 0, (0, 0)), "many are only counted");
        assert_eq!(
            of_audience(&told[2].event).removed_people,
            [of_audience(&told[1].event).added_people[1]]
        );
        assert!(
            told.iter()
                .all(|claim| claim.url == URL && claim.dialect == NATIVE && claim.workspace() == 1)
        );

        let shown = domain.webhook_get(&Caller::server(1), all).await;
        assert_eq!(shown.expect("is there").events, []);
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_fails_tells_nothing() {
    for house in House::each() {
        let domain = house.open().await;
        let shop = structure(&domain).await;
        audience(&domain, shop, "one").await;
        webhook(&domain, &[]).await;
        let twice = domain
            .audience_create(&context("twice"), named(shop, "one"))
            .await;
        assert!(matches!(twice, Err(Error::AlreadyExists(_))));
        assert!(claim(&domain).await.is_empty());
        let waiting = domain.outbox_list(&Caller::server(1), None, None, 10).await;
        assert_eq!(waiting.expect("lists"), []);
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_secrets_sign_while_one_follows_the_other() {
    for house in House::each() {
        let domain = house.open().await;
        let shop = structure(&domain).await;
        let (id, first) = webhook(&domain, &[]).await;
        house.clock.advance(Duration::from_secs(1));
        let rotated = domain.webhook_rotate(&context("rotate"), id).await;
        let second = rotated.expect("is rotated");
        assert!(second.starts_with("whsec_") && second != first);
        let shown = domain.webhook_get(&Caller::server(1), id).await;
        assert_eq!(shown.expect("is there").updated, START_MS + 1_000);

        let secrets = async |name: &str| {
            audience(&domain, shop, name).await;
            take_all(&domain).await.remove(0).secrets
        };
        assert_eq!(secrets("one").await, [second.clone(), first]);
        house.clock.advance(DAY - Duration::from_millis(1));
        assert_eq!(secrets("two").await.len(), 2);
        house.clock.advance(Duration::from_millis(1));
        assert_eq!(secrets("three").await, std::slice::from_ref(&second));
        let sweep = domain.webhook_sweep(1).await;
        sweep.expect("sweeps");
        let third = domain.webhook_rotate(&context("again"), id).await;
        let third = third.expect("is rotated");
        assert_eq!(secrets("four").await, [third, second]);
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_wait_apart_from_mail_and_are_shown_beside_it() {
    for house in House::each() {
        let domain = house.open().await;
        let caller = Caller::server(1);
        let shop = structure(&domain).await;
        webhook(&domain, &[]).await;
        let new = domain::AccountNew::of("ann@example.org");
        let invited = domain
            .account_create(&context("a"), new, domain::Entrance::Invitation)
            .await;
        invited.expect("is invited");
        audience(&domain, shop, "one").await;

        let long = Duration::from_secs(3_600);
        let due = domain.outbox_wait(&[OutboxKind::Webhook], long).await;
        due.expect("waits for nothing");
        let delivery = claim(&domain).await.remove(0);
        let listed = domain.outbox_list(&caller, None, None, 10).await;
        let listed = listed.expect("lists");
        let shown: Vec<_> = listed
            .iter()
            .map(|item| {
                (
                    item.kind.as_str(),
                    item.template.as_deref(),
                    item.recipient.as_deref(),
                    item.attempts,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (
                    "webhook",
                    Some("audience.created"),
                    Some("hooks.example.org"),
                    1
                ),
                ("mail", Some("invite"), Some("ann@example.org"), 0),
            ],
            "{}",
            house.engine()
        );
        assert_eq!(domain.outbox_claim(10).await.expect("claims").len(), 1);

        // A failure is noted without the URL; administrators may ask for another try.
        let id = delivery.id();
        let refused = SendError::Permanent(format!("no way to {URL}"));
        let ended = domain.webhook_finish(&delivery, Err(refused)).await;
        assert_eq!(ended, Ok(true));
        let dead = item(&domain, id).await;
        assert_eq!(dead, ("dead".into(), 1, Some("no way to ***".into())));
        let retried = domain.outbox_retry(&context("retry"), id).await;
        assert_eq!(
            retried.expect("is retried").template.as_deref(),
            Some("audience.created")
        );
        let again = claim(&domain).await.remove(0);
        assert_eq!((again.id(), again.attempt()), (id, 1));
        assert_eq!(again.event, delivery.event);
        assert_eq!(domain.webhook_finish(&again, Ok(())).await, Ok(true));
        let sent = domain.outbox_get(&caller, id).await.expect("is there");
        assert_eq!((sent.item.template, sent.text), (None, None));
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_taken_over_and_given_up_after_its_attempts() {
    for house in House::each() {
        let domain = house.open().await;
        let shop = structure(&domain).await;
        webhook(&domain, &[]).await;
        audience(&domain, shop, "one").await;
        let first = claim(&domain).await.remove(0);
        assert!(claim(&domain).await.is_empty());
        house.clock.advance(LEASE);
        let mut delivery = claim(&domain).await.remove(0);
        assert_eq!(delivery.attempt(), 2);
        let failed = || Err(SendError::Transient("The receiver answered 500.".into()));
        assert_eq!(domain.webhook_finish(&first, failed()).await, Ok(false));
        assert_eq!(domain.webhook_finish(&first, Ok(())).await, Ok(false));
        loop {
            assert_eq!(domain.webhook_finish(&delivery, failed()).await, Ok(true));
            let (state, attempts, error) = item(&domain, delivery.id()).await;
            assert_eq!(error.as_deref(), Some("The receiver answered 500."));
            if attempts == 12 {
                assert_eq!(state, "dead");
                break;
            }
            assert_eq!(state, "queued");
            assert!(claim(&domain).await.is_empty(), "it waits");
            house.clock.advance(Duration::from_secs(3_600 * 5 / 4));
            delivery = claim(&domain).await.remove(0);
            assert_eq!(delivery.event, first.event);
        }
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_deleted_webhook_is_given_up() {
    for house in House::each() {
        let domain = house.open().await;
        let shop = structure(&domain).await;
        let (id, _) = webhook(&domain, &[]).await;
        let (_, kept) = webhook(&domain, &[]).await;
        audience(&domain, shop, "one").await;
        let deleted = domain
            .webhook_delete(&context("delete"), Some("other"), id)
            .await;
        assert_eq!(deleted, Err(Error::NotFound("webhook")));
        let deleted = domain
            .webhook_delete(&context("delete"), Some(NATIVE), id)
            .await;
        deleted.expect("is deleted");
        let claims = claim(&domain).await;
        assert_eq!((claims.len(), &claims[0].secrets[0]), (1, &kept));
        let dead = domain
            .outbox_list(&Caller::server(1), Some("dead"), None, 10)
            .await;
        let dead = dead.expect("lists");
        assert_eq!(dead.len(), 1);
        assert_eq!(
            dead[0].last_error.as_deref(),
            Some("The webhook was deleted.")
        );
        for gone in [
            domain.webhook_get(&Caller::server(1), id).await.map(drop),
            domain.webhook_rotate(&context("r"), id).await.map(drop),
            domain.webhook_replay(&context("p"), id, 0).await.map(drop),
            domain.webhook_delete(&context("d"), None, id).await,
        ] {
            assert_eq!(gone, Err(Error::NotFound("webhook")));
        }
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_tells_the_same_events_again_while_they_are_kept() {
    for house in House::each() {
        let domain = house.open().await;
        let shop = structure(&domain).await;
        let (all, _) = webhook(&domain, &[]).await;
        let old = audience(&domain, shop, "old").await;
        house.clock.advance(DAY);
        let since = domain.now_ms();
        audience(&domain, shop, "new").await;
        add(&domain, old, 1).await;
        let told = take_all(&domain).await;
        let events = |claims: &[WebhookClaim]| -> Vec<_> {
            claims.iter().map(|claim| claim.event.clone()).collect()
        };

        let replay = async |id: i64, since: i64| {
            let context = context("replay");
            domain.webhook_replay(&context, id, since).await
        };
        assert_eq!(replay(all, since).await, Ok(2));
        let again = take_all(&domain).await;
        assert_eq!(
            events(&again),
            events(&told)[1..],
            "{}: the same events",
            house.engine()
        );
        assert!(again[0].id() > told[2].id(), "and new items");
        // One that is made later hears of what it wants.
        let (late, secret) = webhook(&domain, &[EventKind::MembersChanged]).await;
        assert_eq!(replay(late, 0).await, Ok(1));
        let told_late = take_all(&domain).await;
        assert_eq!(told_late[0].secrets, [secret]);
        assert_eq!(events(&told_late), events(&told)[2..]);
        assert_eq!(replay(all, domain.now_ms() + 1).await, Ok(0));

        // Thirty days later the first event is no longer kept, and what waited for it is given up.
        assert_eq!(replay(all, 0).await, Ok(3));
        house.clock.advance(29 * DAY + Duration::from_millis(1));
        domain.webhook_sweep(1).await.expect("sweeps");
        assert_eq!(events(&take_all(&domain).await), events(&told)[1..]);
        let dead = domain
            .outbox_list(&Caller::server(1), Some("dead"), None, 10)
            .await;
        let dead = dead.expect("lists");
        let error = dead[0].last_error.as_deref().unwrap_or_default();
        assert!(dead.len() == 1 && error.contains("too old"), "{error}");
        assert_eq!(replay(all, 0).await, Ok(2));
        // What was given up is forgotten as well.
        house.clock.advance(31 * DAY);
        domain.webhook_sweep(1).await.expect("sweeps");
        assert!(claim(&domain).await.is_empty());
        assert_eq!(replay(all, 0).await, Ok(0));
        let gone = domain.outbox_get(&Caller::server(1), dead[0].id).await;
        assert_eq!(gone, Err(Error::NotFound("outbox item")));
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_need_their_scope_and_stay_within_their_workspace() {
    for house in House::each() {
        let domain = house.open().await;
        let (id, _) = webhook(&domain, &[]).await;
        let caller = |scope: Scope| {
            let mut caller = Caller::server(1);
            caller.scopes = Scopes::new(&[scope]);
            caller
        };
        let mut narrow = caller(Scope::Webhooks);
        narrow.portfolio = domain::Portfolio::Only(vec![1]);
        let writer = caller(Scope::AudiencesWrite);
        for caller in [narrow, writer] {
            let context = Context::new(caller.clone(), "no");
            for refused in [
                domain
                    .webhook_create(&context, wanting(&[]))
                    .await
                    .map(drop),
                domain.webhook_list(&caller, None, 0, 10).await.map(drop),
                domain.webhook_get(&caller, id).await.map(drop),
                domain.webhook_rotate(&context, id).await.map(drop),
                domain.webhook_replay(&context, id, 0).await.map(drop),
                domain.webhook_delete(&context, None, id).await,
            ] {
                assert!(matches!(refused, Err(Error::Forbidden(_))), "{refused:?}");
            }
        }
        for scope in [Scope::Webhooks, Scope::Admin] {
            let listed = domain.webhook_list(&caller(scope), None, 0, 10).await;
            assert_eq!(listed.expect("lists").len(), 1);
        }

        let new = WorkspaceNew {
            slug: "other".into(),
            name: "Other".into(),
            keep_identifiers: true,
        };
        let other = domain.workspace_create(&Caller::server(1), new).await;
        let other = Caller::server(other.expect("is made").id);
        let listed = domain.webhook_list(&other, None, 0, 10).await;
        assert_eq!(listed.expect("lists"), []);
        let context = Context::new(other.clone(), "other");
        for missing in [
            domain.webhook_get(&other, id).await.map(drop),
            domain.webhook_rotate(&context, id).await.map(drop),
            domain.webhook_replay(&context, id, 0).await.map(drop),
            domain.webhook_delete(&context, None, id).await,
        ] {
            assert_eq!(missing, Err(Error::NotFound("webhook")));
        }
        // What happens there is not told here.
        let new = StructureNew::new("Theirs");
        let theirs = domain.structure_create(&context, new).await;
        let theirs = theirs.expect("a structure").id;
        let made = domain
            .audience_create(&context, named(theirs, "theirs"))
            .await;
        made.expect("an audience");
        assert!(claim(&domain).await.is_empty());
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_checked_listed_and_counted() {
    let house = House::sqlite();
    let domain = house.open().await;
    let make = async |new: WebhookNew| domain.webhook_create(&context("make"), new).await;
    for url in [
        "",
        "example.org",
        "ftp://example.org",
        "https://a@example.org",
    ] {
        let wrong = WebhookNew {
            url: url.into(),
            ..wanting(&[])
        };
        let refused = make(wrong).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{url}");
    }
    let own = |dialect: &str, secret: &str| WebhookNew {
        dialect: dialect.into(),
        secret: Some(secret.into()),
        ..wanting(&[EventKind::MembersChanged, EventKind::AudienceCreated])
    };
    let refused = make(own(NATIVE, "0123456789abcdef")).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
    let (other, secret) = make(own("other", "0123456789abcdef"))
        .await
        .expect("is made");
    assert_eq!(secret, "0123456789abcdef");
    let sorted = [EventKind::AudienceCreated, EventKind::MembersChanged];
    assert_eq!(other.events, sorted);

    // The same request answers the same webhook and secret.
    let keyed = Keyed::new("once", &[b"body"]).expect("a key");
    let once = context("once").keyed(Some(keyed));
    let first = domain.webhook_create(&once, wanting(&[])).await;
    let second = domain.webhook_create(&once, wanting(&[])).await;
    assert_eq!(first, second);
    let list = async |dialect: Option<&str>, after: i64| {
        let caller = Caller::server(1);
        let page = domain.webhook_list(&caller, dialect, after, 100).await;
        page.expect("lists")
    };
    assert_eq!(list(None, 0).await.len(), 2);
    assert_eq!(list(None, other.id).await.len(), 1);
    assert_eq!(list(Some("other"), 0).await, [other]);

    for _ in 2..100 {
        make(wanting(&[])).await.expect("has room");
    }
    let refused = make(wanting(&[])).await;
    assert!(matches!(refused, Err(Error::TooLarge(_))), "{refused:?}");
    close(domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_sealed_at_rest() {
    let house = House::sqlite();
    let domain = house.open().await;
    let (id, first) = webhook(&domain, &[]).await;
    let second = domain.webhook_rotate(&context("rotate"), id).await;
    let second = second.expect("is rotated");
    close(domain).await;
    let bytes = house.bytes();
    let has = |text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(has("hooks.example.org"), "the right file was read");
    assert!(!has(&first) && !has(&second));
}

/// Ten thousand events are queued in one command, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_replay_has_a_limit() {
    for house in House::each() {
        let domain = house.open().await;
        let shop = structure(&domain).await;
        let (id, _) = webhook(&domain, &[EventKind::MembersChanged]).await;
        let one = audience(&domain, shop, "one").await;
        add(&domain, one, 1).await;
        take_all(&domain).await;
        let meta = store::Meta {
            time: domain.now_ms(),
            actor: 0,
            verb: "test",
            request_id: "test".into(),
            command_id: "many".into(),
            weight: 1,
        };
        let data = serde_json::to_vec(&AudienceEvent::default()).expect("JSON");
        let many = domain.store().command(1, meta, move |tx| {
            for _ in 0..10_000 {
                let id = tx.next_id();
                store::event_insert(tx, id, EventKind::MembersChanged.as_str(), &data)?;
            }
            Ok::<_, Error>(store::Verdict::Done(()))
        });
        many.await.expect("are noted");
        let replayed = domain.webhook_replay(&context("replay"), id, 0).await;
        assert_eq!(replayed, Ok(10_000), "{}", house.engine());
        close(domain).await;
    }
}

/// Webhooks of a protocol hear of the people of its own records only, at once and in a replay.
#[tokio::test(flavor = "multi_thread")]
async fn a_protocols_webhook_hears_of_no_other_sources_people() {
    for house in House::each() {
        let domain = house.open().await;
        let of = async |dialect: &str| {
            let new = WebhookNew {
                dialect: dialect.into(),
                ..wanting(&[EventKind::RecordUpdated])
            };
            let made = domain.webhook_create(&context(dialect), new).await;
            made.expect("is made").0.id
        };
        let (native, crm) = (of(NATIVE).await, of("crm").await);
        for source in ["crm", "hr"] {
            let new = RecordNew {
                reference: Some("r-1".into()),
                active: true,
                ..RecordNew::default()
            };
            let made = domain.record_create(&context("make"), source, new).await;
            let change = RecordChange {
                first_name: Some(Some("Ada".into())),
                ..RecordChange::default()
            };
            let of = RecordRef::Id(made.expect("is made").id);
            domain
                .record_update(&context("change"), source, of, change)
                .await
                .expect("is changed");
        }
        let told = async || {
            let claims = take_all(&domain).await;
            let mut told: Vec<(String, String)> = claims
                .iter()
                .map(|claim| match &claim.event.data {
                    EventData::Person(data) => {
                        let record = data.record.as_ref().expect("says whose");
                        (claim.dialect.clone(), record.source.clone())
                    }
                    EventData::Audience(_) => panic!("{claim:?}"),
                })
                .collect();
            told.sort();
            told
        };
        let expected = [("crm", "crm"), (NATIVE, "crm"), (NATIVE, "hr")];
        let expected = expected.map(|(of, source)| (of.to_owned(), source.to_owned()));
        assert_eq!(told().await, expected, "{}", house.engine());
        let replay = async |id| domain.webhook_replay(&context("replay"), id, 0).await;
        assert_eq!(replay(native).await, Ok(2));
        assert_eq!(replay(crm).await, Ok(1));
        assert_eq!(told().await, expected, "{}", house.engine());
        close(domain).await;
    }
}
