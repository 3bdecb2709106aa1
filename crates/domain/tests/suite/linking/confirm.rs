//! What makes a pending link active, and what does not.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn linking_immediate_is_active_when_the_channel_takes_it() {
    for outcome in [accepted(), SendOutcome::Kept] {
        for house in House::each() {
            let scene = Scene::open(&house).await;
            let domain = &scene.domain;
            listen(domain).await;
            let id = created(domain, "ann", scene.link(Confirmation::Immediate)).await;
            house.clock.advance(Duration::from_secs(5));
            let claims = claim(domain).await;
            assert!(finish(domain, &claims[0], outcome.clone()).await);
            let client = clients(domain, "ann").await.remove(0);
            assert_eq!((client.id, client.status), (id, ClientStatus::Active));
            assert_eq!(client.linked_at, Some(house.clock.now_ms()));
            assert_eq!(scene.reached().await, [id]);
            assert_eq!(count(domain, Channel::Twilio).await, 1);
            assert_eq!(
                lines(domain).await,
                [
                    "client.added ann pending linking",
                    "client.updated ann pending matched",
                    "client.updated ann active confirmed"
                ]
            );
            // It is not said in the conversation.
            assert_eq!(
                written(domain, scene.conversation).await,
                Vec::<String>::new()
            );
            let (state, attempts, _) = item(domain, claims[0].id()).await;
            assert_eq!((state.as_str(), attempts), ("sent", 1));
            let shown = domain.outbox_get(&Caller::server(1), claims[0].id()).await;
            let shown = shown.expect("is there");
            let kept = outcome == SendOutcome::Kept;
            assert_eq!(shown.text.is_some(), kept, "what was sent is forgotten");
            assert_eq!(shown.item.recipient.is_some(), kept);
            // Long after, it is still there.
            house.clock.advance(DAY * 30);
            assert_eq!(domain.client_sweep(1).await, Ok(false));
            assert_eq!(stand(domain, "ann").await, ["active"]);
            end(&house, scene.domain).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_user_activity_waits_for_a_message() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        listen(domain).await;
        let quiet = ClientNew {
            message: None,
            ..scene.link(Confirmation::UserActivity)
        };
        let id = created(domain, "ann", quiet).await;
        assert_eq!(outbox(domain).await, 0, "there is nothing to send");
        // Somebody else writes; ann through another integration.
        write(domain, scene.twilio, "+12125550000", "1", "Hi").await;
        let bird = integration(domain, IntegrationKind::MessageBird).await;
        write(domain, bird, PHONE, "2", "Hi").await;
        assert_eq!(stand(domain, "ann").await, ["pending"]);
        let hook = hook(domain, scene.twilio).await;
        let event = InboundEvent::Message {
            from: PHONE.into(),
            name: Some("Ann on the phone".into()),
            raw: Some("{\"a\":1}".into()),
            content: text("What is it?"),
        };
        house.clock.advance(Duration::from_secs(7));
        tell(domain, &hook, "3", event).await;
        let client = clients(domain, "ann").await.remove(0);
        assert_eq!((client.id, client.status), (id, ClientStatus::Active));
        assert_eq!(client.display_name.as_deref(), Some("Ann on the phone"));
        assert_eq!(client.raw.as_deref(), Some("{\"a\":1}"));
        assert_eq!(client.last_seen, Some(house.clock.now_ms()));
        assert_eq!(client.linked_at, Some(house.clock.now_ms()));
        assert_eq!(scene.reached().await, [id]);
        assert_eq!(count(domain, Channel::Twilio).await, 1);
        assert_eq!(count(domain, Channel::MessageBird).await, 0);
        assert_eq!(written(domain, scene.conversation).await, ["What is it?"]);
        assert_eq!(
            lines(domain).await,
            [
                "client.added ann pending linking",
                "client.updated ann active confirmed",
                "message.posted ann active"
            ]
        );
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_user_activity_with_words_is_sent_and_still_waits() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        listen(domain).await;
        created(domain, "ann", scene.link(Confirmation::UserActivity)).await;
        assert_eq!(send(domain).await.len(), 1);
        assert_eq!(stand(domain, "ann").await, ["pending"]);
        assert_eq!(count(domain, Channel::Twilio).await, 0);
        // Even a no is a message.
        scene.write("1", "no").await;
        assert_eq!(stand(domain, "ann").await, ["active"]);
        assert_eq!(
            lines(domain).await,
            [
                "client.added ann pending linking",
                "client.updated ann pending matched",
                "client.updated ann active confirmed",
                "message.posted ann active"
            ]
        );
        end(&house, scene.domain).await;
    }
}

/// A message that comes before the item was even sent confirms; the item then asks for nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn linking_that_was_confirmed_is_not_asked_for_again() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        created(domain, "ann", scene.link(Confirmation::UserActivity)).await;
        scene.write("1", "Hi").await;
        assert_eq!(stand(domain, "ann").await, ["active"]);
        assert!(claim(domain).await.is_empty());
        assert_eq!(stand(domain, "ann").await, ["active"]);
        assert_eq!(scene.reached().await.len(), 1);
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_prompt_does_what_the_person_answers() {
    // Words, how the client stands then, whether they are said in the conversation.
    let cases: [(&str, &[&str], &[&str]); 9] = [
        ("YES", &["active"], &["client.updated ann active confirmed"]),
        (
            "  Yes! ",
            &["active"],
            &["client.updated ann active confirmed"],
        ),
        (
            "y\n\n> Reply YES",
            &["active"],
            &["client.updated ann active confirmed"],
        ),
        ("No", &[], &["client.removed ann pending cancelled"]),
        ("decline", &[], &["client.removed ann pending cancelled"]),
        ("What is this?", &["pending"], &[]),
        ("yes but only at night", &["pending"], &[]),
        ("START", &["pending"], &[]),
        ("STOP", &[], &["client.removed ann pending cancelled"]),
    ];
    for (words, stands, told) in cases {
        for house in House::each() {
            let scene = Scene::open(&house).await;
            let domain = &scene.domain;
            let id = created(domain, "ann", scene.link(Confirmation::Prompt)).await;
            send(domain).await;
            listen(domain).await;
            assert_eq!(stand(domain, "ann").await, ["pending"]);
            scene.write("1", words).await;
            assert_eq!(stand(domain, "ann").await, stands, "{words}");
            assert_eq!(lines(domain).await, told, "{words}");
            let linked = stands == ["active"];
            let reached = scene.reached().await;
            assert_eq!(reached, if linked { vec![id] } else { vec![] });
            assert_eq!(count(domain, Channel::Twilio).await, u64::from(linked));
            let said = written(domain, scene.conversation).await;
            assert_eq!(said, Vec::<String>::new(), "{words}");
            end(&house, scene.domain).await;
        }
    }
}

/// What the demo does: nothing is sent, and the person's answer is played.
#[tokio::test(flavor = "multi_thread")]
async fn linking_in_a_demo_is_answered_in_the_outbox() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let mailgun = integration(domain, IntegrationKind::Mailgun).await;
        let new = ClientNew {
            kind: IntegrationKind::Mailgun,
            address: MAIL.into(),
            subject: Some("From {appName}".into()),
            ..link(mailgun, scene.conversation, Confirmation::Prompt)
        };
        let id = created(domain, "ann", new).await;
        let claims = claim(domain).await;
        let item = claims[0].id();
        let confirm = async |words: &str| {
            domain
                .outbox_confirm(&context("confirm"), item, words)
                .await
        };
        assert_eq!(
            code(confirm("yes").await),
            "conflict",
            "it is not there yet"
        );
        assert!(finish(domain, &claims[0], SendOutcome::Kept).await);
        let shown = domain
            .outbox_get(&Caller::server(1), item)
            .await
            .expect("is there");
        assert_eq!(shown.item.recipient.as_deref(), Some(MAIL));
        assert_eq!(shown.item.template.as_deref(), Some("confirmation"));
        let text = shown.text.expect("a text");
        assert!(text.text.starts_with("Hello!") && text.text.contains("YES"));
        assert!(text.subject.starts_with("From ") && !text.subject.contains('{'));
        let found = confirm("perhaps")
            .await
            .expect("an answer")
            .expect("a client");
        assert_eq!(found.status, ClientStatus::Pending);
        let found = confirm("yes").await.expect("an answer").expect("a client");
        assert_eq!((found.id, found.status), (id, ClientStatus::Active));
        let found = confirm("yes").await.expect("an answer").expect("a client");
        assert_eq!(found.status, ClientStatus::Active);
        let found = confirm("stop").await.expect("an answer").expect("a client");
        assert_eq!(found.status, ClientStatus::Blocked);
        assert_eq!(code(confirm("").await), "malformed");
        let nothing = domain.outbox_confirm(&context("c"), 9_999, "yes").await;
        assert_eq!(code(nothing), "outbox item");
        // What really left has nobody here to answer.
        created(domain, "ann", scene.link(Confirmation::Prompt)).await;
        let sent = send(domain).await;
        let really = domain
            .outbox_confirm(&context("c"), sent[0].id(), "yes")
            .await;
        assert_eq!(code(really), "conflict");
        assert_eq!(stand(domain, "ann").await, ["blocked", "pending"]);
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_that_nobody_confirms_expires() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        created(domain, "ann", scene.link(Confirmation::Prompt)).await;
        send(domain).await;
        listen(domain).await;
        house.clock.advance(DAY * 7);
        assert_eq!(domain.client_sweep(1).await, Ok(false));
        assert_eq!(stand(domain, "ann").await, ["pending"]);
        house.clock.advance(Duration::from_millis(1));
        assert_eq!(domain.client_sweep(1).await, Ok(false));
        assert_eq!(stand(domain, "ann").await, Vec::<&str>::new());
        assert_eq!(
            lines(domain).await,
            ["client.removed ann pending failed expired"]
        );
        scene.write("1", "yes").await;
        assert_eq!(stand(domain, "ann").await, Vec::<&str>::new());
        // A sweep that finds nothing writes nothing.
        let seq = domain.store().head_seq(1).await.expect("a head");
        house.clock.advance(DAY * 31);
        assert_eq!(domain.client_sweep(1).await, Ok(false));
        let swept = domain.store().head_seq(1).await.expect("a head");
        assert!(swept <= seq + 1);
        domain.client_sweep(1).await.expect("sweeps");
        assert_eq!(domain.store().head_seq(1).await.expect("a head"), swept);
        end(&house, scene.domain).await;
    }
}

/// Sweeps come by the hour.
#[tokio::test(flavor = "multi_thread")]
async fn linking_too_late_is_neither_confirmed_nor_asked_for() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        created(domain, "ann", scene.link(Confirmation::Prompt)).await;
        send(domain).await;
        house.clock.advance(DAY * 7 + Duration::from_millis(1));
        scene.write("1", "yes").await;
        assert_eq!(stand(domain, "ann").await, ["pending"]);

        created(domain, "ann", scene.link(Confirmation::Prompt)).await;
        house.clock.advance(DAY * 7 + Duration::from_millis(1));
        assert_eq!(domain.channel_claim(10).await.expect("claims").len(), 0);
        assert_eq!(stand(domain, "ann").await, Vec::<&str>::new());
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_may_pend_as_long_as_is_configured_and_not_longer_unswept() {
    let house = House::sqlite();
    let options = domain::Options {
        pending_life_ms: 60_000,
        ..domain::Options::closed(house.clock.clone(), domain::Random::system())
    };
    let domain = house.open_with("one", options).await;
    person(&domain, "ann").await;
    let conversation = talk(&domain, &["ann"]).await;
    let twilio = integration(&domain, IntegrationKind::Twilio).await;
    created(
        &domain,
        "ann",
        link(twilio, conversation, Confirmation::UserActivity),
    )
    .await;
    house.clock.advance(Duration::from_millis(60_001));
    assert_eq!(domain.client_sweep(1).await, Ok(false));
    assert_eq!(clients(&domain, "ann").await, []);
    end(&house, domain).await;
}

/// Each of several that wait at one address is answered by what confirms it.
#[tokio::test(flavor = "multi_thread")]
async fn linking_by_two_people_waits_for_what_each_needs() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        person(domain, "bob").await;
        let bobs = talk(domain, &["bob"]).await;
        // Ann was asked; bob's link, made later, is still to be sent.
        created(domain, "ann", scene.link(Confirmation::Prompt)).await;
        send(domain).await;
        created(
            domain,
            "bob",
            link(scene.twilio, bobs, Confirmation::Immediate),
        )
        .await;
        scene.write("1", "yes").await;
        assert_eq!(stand(domain, "ann").await, ["active"], "she said yes");
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_by_activity_is_not_hidden_by_a_newer_question() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        person(domain, "bob").await;
        let bobs = talk(domain, &["bob"]).await;
        created(domain, "ann", scene.link(Confirmation::UserActivity)).await;
        created(
            domain,
            "bob",
            link(scene.twilio, bobs, Confirmation::Prompt),
        )
        .await;
        send(domain).await;
        scene.write("1", "Who is there?").await;
        assert_eq!(stand(domain, "ann").await, ["active"]);
        assert_eq!(stand(domain, "bob").await, ["pending"]);
        end(&house, scene.domain).await;
    }
}

/// An address that one person confirmed is not handed on by what that person goes on to write.
#[tokio::test(flavor = "multi_thread")]
async fn linking_that_a_newer_one_beat_does_not_come_back() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        person(domain, "bob").await;
        let bobs = talk(domain, &["bob"]).await;
        created(domain, "ann", scene.link(Confirmation::UserActivity)).await;
        created(
            domain,
            "bob",
            link(scene.twilio, bobs, Confirmation::UserActivity),
        )
        .await;
        send(domain).await;
        scene.write("1", "Hi").await;
        assert_eq!(stand(domain, "bob").await, ["active"]);
        scene.write("2", "Are you there?").await;
        assert_eq!(stand(domain, "bob").await, ["active"]);
        assert_eq!(written(domain, bobs).await, ["Hi", "Are you there?"]);
        end(&house, scene.domain).await;
    }
}
