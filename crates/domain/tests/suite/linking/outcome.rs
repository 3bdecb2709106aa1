//! How attempts end: again, for good, too late, and told of afterwards.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn linking_is_tried_again_and_then_given_up() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        created(domain, "ann", scene.link(Confirmation::Immediate)).await;
        listen(domain).await;
        let mut waits = Vec::new();
        let mut id = 0;
        for attempt in 1..=12 {
            let claims = claim(domain).await;
            assert_eq!((claims.len(), claims[0].attempt()), (1, attempt));
            assert_eq!(claims[0].to, PHONE);
            assert_eq!(claims[0].content, Some(text("Hello!")));
            id = claims[0].id();
            assert!(finish(domain, &claims[0], SendOutcome::Again(error("20429"))).await);
            if attempt == 12 {
                break;
            }
            assert_eq!(stand(domain, "ann").await, ["pending"]);
            assert!(claim(domain).await.is_empty(), "not yet");
            let shown = domain
                .outbox_get(&Caller::server(1), id)
                .await
                .expect("is there");
            let next = shown.item.next_attempt.expect("a time");
            waits.push(next - domain.now_ms());
            assert!(!shown.item.last_error.expect("a reason").contains("2368"));
            house
                .clock
                .advance(Duration::from_millis(waits[waits.len() - 1].unsigned_abs()));
        }
        assert!(waits[0] >= 22_500 && waits[0] <= 37_500, "{waits:?}");
        assert!(waits.iter().all(|wait| *wait <= 4_500_000), "{waits:?}");
        assert!(waits[10] > 2_000_000, "{waits:?}");
        let (state, attempts, last) = item(domain, id).await;
        assert_eq!((state.as_str(), attempts), ("dead", 12));
        assert_eq!(last.as_deref(), Some("20429: No way to ***."));
        assert_eq!(clients(domain, "ann").await, []);
        let told = events(domain).await;
        let [gone] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert_eq!(line(gone), "client.removed ann pending failed 20429");
        // Tried again by hand: the client is gone, so that nothing is sent.
        domain
            .outbox_retry(&context("retry"), id)
            .await
            .expect("is queued");
        assert!(claim(domain).await.is_empty());
        assert_eq!(item(domain, id).await.0, "dead");
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_that_a_provider_refuses_is_no_more() {
    for blocked in [false, true] {
        for house in House::each() {
            let scene = Scene::open(&house).await;
            let domain = &scene.domain;
            listen(domain).await;
            for confirmation in [
                Confirmation::Immediate,
                Confirmation::Prompt,
                Confirmation::UserActivity,
            ] {
                created(domain, "ann", scene.link(confirmation)).await;
                let claims = claim(domain).await;
                let Some(first) = claims.first() else {
                    assert!(blocked, "only who is blocked is not written to");
                    events(domain).await;
                    continue;
                };
                let outcome = match blocked {
                    true => SendOutcome::Blocked(error("21610")),
                    false => SendOutcome::Failed(error("21610")),
                };
                assert!(finish(domain, first, outcome).await);
                assert_eq!(clients(domain, "ann").await, []);
                let told = events(domain).await;
                let lines: Vec<String> = told.iter().map(line).collect();
                assert_eq!(
                    lines,
                    [
                        "client.added ann pending linking",
                        "client.removed ann pending failed 21610"
                    ]
                );
                let (state, attempts, last) = item(domain, first.id()).await;
                assert_eq!((state.as_str(), attempts), ("dead", 1));
                assert_eq!(last.as_deref(), Some("21610: No way to ***."));
            }
            // Whom the provider holds back is blocked here too.
            created(domain, "ann", scene.link(Confirmation::Immediate)).await;
            assert_eq!(claim(domain).await.is_empty(), blocked);
            end(&house, scene.domain).await;
        }
    }
}

/// The provider says so of a message: the linked client is blocked.
#[tokio::test(flavor = "multi_thread")]
async fn linking_is_blocked_where_a_message_finds_out() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        scene.linked().await;
        post(&scene, "News").await;
        listen(domain).await;
        let claims = claim(domain).await;
        assert!(finish(domain, &claims[0], SendOutcome::Blocked(error("21610"))).await);
        assert_eq!(stand(domain, "ann").await, ["blocked"]);
        assert_eq!(count(domain, Channel::Twilio).await, 0);
        assert_eq!(
            lines(domain).await,
            [
                "message.failed ann active 21610",
                "client.updated ann blocked blocked"
            ]
        );
        end(&house, scene.domain).await;
    }
}

pub(super) async fn post(scene: &Scene, words: &str) {
    let new = domain::MessageNew {
        author: domain::AuthorRef::Business(Persona::default()),
        content: text(words),
        metadata: None,
        destination: None,
    };
    let posted = scene
        .domain
        .message_post(&context("post"), SOURCE, scene.conversation, new)
        .await;
    posted.expect("is posted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linking_is_concluded_once_whoever_sends() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let there = match house.engine() {
            "postgres" => house.open_as("two").await,
            _ => domain.clone(),
        };
        created(domain, "ann", scene.link(Confirmation::Immediate)).await;
        listen(domain).await;
        let slow = claim(domain).await;
        assert!(claim(&there).await.is_empty(), "it is under way");
        house.clock.advance(LEASE + Duration::from_millis(1));
        let fast = claim(&there).await;
        assert_eq!((fast.len(), fast[0].attempt()), (1, 2));
        assert_eq!(fast[0].id(), slow[0].id());
        // The first comes late: whatever it says changes nothing.
        for outcome in [
            accepted(),
            SendOutcome::Failed(error("1")),
            SendOutcome::Again(error("2")),
        ] {
            assert!(!finish(domain, &slow[0], outcome).await);
        }
        assert_eq!(stand(domain, "ann").await, ["pending"]);
        assert!(finish(&there, &fast[0], accepted()).await);
        for outcome in [
            accepted(),
            SendOutcome::Failed(error("1")),
            SendOutcome::Blocked(error("2")),
        ] {
            assert!(!finish(domain, &slow[0], outcome.clone()).await);
            assert!(!finish(&there, &fast[0], outcome).await);
        }
        assert_eq!(stand(domain, "ann").await, ["active"]);
        assert_eq!(
            lines(domain).await,
            [
                "client.updated ann pending matched",
                "client.updated ann active confirmed"
            ]
        );
        if house.engine() == "postgres" {
            close(there).await;
        } else {
            drop(there);
        }
        end(&house, scene.domain).await;
    }
}

/// Removed, replaced or stopped while it was being sent: that it was taken links nobody.
#[tokio::test(flavor = "multi_thread")]
async fn linking_that_ended_while_it_was_sent_stays_ended() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let id = created(domain, "ann", scene.link(Confirmation::Immediate)).await;
        let claims = claim(domain).await;
        remove(domain, "ann", id).await.expect("is removed");
        assert!(finish(domain, &claims[0], accepted()).await);
        assert_eq!(clients(domain, "ann").await, []);

        created(domain, "ann", scene.link(Confirmation::Immediate)).await;
        let claims = claim(domain).await;
        scene.write("1", "STOP").await;
        assert!(finish(domain, &claims[0], accepted()).await);
        assert_eq!(clients(domain, "ann").await, []);
        assert_eq!(count(domain, Channel::Twilio).await, 0);
        scene.write("2", "START").await;

        created(domain, "ann", scene.link(Confirmation::Immediate)).await;
        let old = claim(domain).await;
        let new = created(domain, "ann", scene.link(Confirmation::Prompt)).await;
        assert!(finish(domain, &old[0], accepted()).await);
        let listed = clients(domain, "ann").await;
        assert_eq!((listed.len(), listed[0].id), (1, new));
        assert_eq!(listed[0].status, ClientStatus::Pending);
        end(&house, scene.domain).await;
    }
}

fn failed(item: i64) -> InboundEvent {
    InboundEvent::Failed {
        item,
        error: error("30003"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_fails_when_the_provider_tells_later_or_earlier() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let hook = hook(domain, scene.twilio).await;
        // Told after it was taken.
        created(domain, "ann", scene.link(Confirmation::Prompt)).await;
        let sent = send(domain).await;
        listen(domain).await;
        tell(domain, &hook, "1", failed(sent[0].id())).await;
        assert_eq!(
            lines(domain).await,
            ["client.removed ann pending failed 30003"]
        );
        tell(domain, &hook, "1", failed(sent[0].id())).await;
        tell(domain, &hook, "2", failed(sent[0].id())).await;
        assert_eq!(lines(domain).await, Vec::<String>::new());
        // Told before this server knows that it was taken.
        created(domain, "ann", scene.link(Confirmation::Immediate)).await;
        let claims = claim(domain).await;
        tell(domain, &hook, "3", failed(claims[0].id())).await;
        assert_eq!(clients(domain, "ann").await, []);
        assert!(finish(domain, &claims[0], accepted()).await);
        assert_eq!(clients(domain, "ann").await, []);
        assert_eq!(
            lines(domain).await,
            [
                "client.added ann pending linking",
                "client.removed ann pending failed 30003"
            ]
        );
        // What made it active did not arrive after all.
        let id = scene.linked().await;
        assert_eq!(scene.reached().await, [id]);
        let sent = domain
            .outbox_list(&Caller::server(1), Some("sent"), None, 100)
            .await;
        let sent = sent
            .expect("lists")
            .into_iter()
            .filter(|item| item.kind == "channel");
        let item = sent.map(|item| item.id).max().expect("an item");
        tell(domain, &hook, "4", failed(item)).await;
        assert_eq!(clients(domain, "ann").await, []);
        assert_eq!(scene.reached().await, Vec::<i64>::new());
        assert_eq!(count(domain, Channel::Twilio).await, 0);
        // Items of others, of other kinds, or of nobody.
        for (at, id) in [0, -1, 9_999, i64::MAX].into_iter().enumerate() {
            tell(domain, &hook, &format!("odd {at}"), failed(id)).await;
        }
        end(&house, scene.domain).await;
    }
}

/// A provider speaks for its own integration only.
#[tokio::test(flavor = "multi_thread")]
async fn linking_is_not_ended_by_another_provider() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        created(domain, "ann", scene.link(Confirmation::Prompt)).await;
        let sent = send(domain).await;
        let other = integration(domain, IntegrationKind::Twilio).await;
        let other = hook(domain, other).await;
        tell(domain, &other, "1", failed(sent[0].id())).await;
        tell(domain, &other, "2", from(PHONE, "yes")).await;
        tell(domain, &other, "3", from(PHONE, "STOP")).await;
        assert_eq!(stand(domain, "ann").await, ["pending"]);
        scene.write("1", "yes").await;
        assert_eq!(stand(domain, "ann").await, ["active"]);
        end(&house, scene.domain).await;
    }
}

/// Somebody who wrote is there, whatever became of the words that were sent to them before.
#[tokio::test(flavor = "multi_thread")]
async fn linking_that_the_person_confirmed_outlives_a_failed_delivery() {
    for confirmation in [Confirmation::UserActivity, Confirmation::Prompt] {
        for house in House::each() {
            let scene = Scene::open(&house).await;
            let domain = &scene.domain;
            created(domain, "ann", scene.link(confirmation)).await;
            let sent = send(domain).await;
            scene.write("1", "yes").await;
            let hook = hook(domain, scene.twilio).await;
            tell(domain, &hook, "2", failed(sent[0].id())).await;
            assert_eq!(stand(domain, "ann").await, ["active"]);
            end(&house, scene.domain).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_messages_are_told_as_sent_or_failed() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        scene.linked().await;
        listen(domain).await;
        let hook = hook(domain, scene.twilio).await;
        post(&scene, "one").await;
        post(&scene, "two").await;
        let claims = claim(domain).await;
        assert!(finish(domain, &claims[0], accepted()).await);
        assert!(finish(domain, &claims[1], SendOutcome::Failed(error("30007"))).await);
        tell(domain, &hook, "1", failed(claims[0].id())).await;
        tell(domain, &hook, "1", failed(claims[0].id())).await;
        let told = events(domain).await;
        let lines: Vec<String> = told.iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "message.posted",
                "message.posted",
                "message.sent ann active",
                "message.failed ann active 30007",
                "message.failed ann active 30003"
            ]
        );
        let said = |at: usize| {
            let message = of_person(&told[at]).message.as_ref();
            message.map(|message| message.content.shown())
        };
        assert_eq!(said(2).as_deref(), Some("one"));
        assert_eq!(said(3).as_deref(), Some("two"));
        assert_eq!(said(4).as_deref(), Some("one"));
        // The link stays: one message that did not arrive is no reason.
        assert_eq!(stand(domain, "ann").await, ["active"]);
        // What failed can be sent again by hand, with its words.
        domain
            .outbox_retry(&context("retry"), claims[1].id())
            .await
            .expect("is queued");
        let again = claim(domain).await;
        assert_eq!((again.len(), again[0].to.as_str()), (1, PHONE));
        assert_eq!(again[0].content, Some(text("two")));
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_an_inbound_message_is_taken_once() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        scene.linked().await;
        for _ in 0..3 {
            scene.write("the same id", "Hi").await;
        }
        assert_eq!(written(domain, scene.conversation).await, ["Hi"]);
        // The same id of another integration is another one.
        let other = integration(domain, IntegrationKind::Twilio).await;
        created(
            domain,
            "ann",
            link(other, scene.conversation, Confirmation::UserActivity),
        )
        .await;
        write(domain, other, PHONE, "the same id", "Ho").await;
        assert_eq!(written(domain, scene.conversation).await, ["Hi", "Ho"]);
        let hook = hook(domain, scene.twilio).await;
        let both = ["a", "a"].map(|id| Inbound {
            id: id.into(),
            event: from(PHONE, "Twice"),
        });
        domain
            .inbound(&hook, "x", both.to_vec())
            .await
            .expect("are taken");
        assert_eq!(
            written(domain, scene.conversation).await,
            ["Hi", "Ho", "Twice"]
        );
        // From what is no address: forgotten, and the rest is taken.
        let odd = ["", "DHL", "12345", "\0", "x@y@z"]
            .iter()
            .enumerate()
            .map(|(at, from_whom)| Inbound {
                id: format!("odd {at}"),
                event: from(from_whom, "Hi"),
            });
        let all: Vec<Inbound> = odd
            .chain([Inbound {
                id: "good".into(),
                event: from(PHONE, "Good"),
            }])
            .collect();
        domain.inbound(&hook, "x", all).await.expect("are taken");
        assert_eq!(written(domain, scene.conversation).await.len(), 4);
        // A very long one is cut, an odd one kept.
        scene.write("long", &"x".repeat(100_000)).await;
        scene.write("odd", "a\0b\u{202e}").await;
        let said = written(domain, scene.conversation).await;
        assert_eq!((said[4].len(), said[5].as_str()), (32_768, "a\0b\u{202e}"));
        end(&house, scene.domain).await;
    }
}

/// A provider's code is whatever it sends.
#[tokio::test(flavor = "multi_thread")]
async fn linking_fails_with_whatever_code_a_provider_makes_up() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        created(domain, "ann", scene.link(Confirmation::Immediate)).await;
        let claims = claim(domain).await;
        let odd = ChannelError {
            code: format!("a\0b\r\n{PHONE}{}", "x".repeat(10_000)),
            text: "no".into(),
        };
        assert!(finish(domain, &claims[0], SendOutcome::Failed(odd)).await);
        let (state, _, last) = item(domain, claims[0].id()).await;
        let last = last.expect("a reason");
        assert_eq!(state, "dead");
        assert!(last.len() < 1_000 && !last.contains(char::is_control));
        assert!(!last.contains("2368"), "{last}");
        end(&house, scene.domain).await;
    }
}

/// The process ends in the middle of it: nothing is lost, and nothing that ended is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn linking_goes_on_where_the_process_ended() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        for number in 0..30 {
            let new = ClientNew {
                address: format!("+121255500{number:02}"),
                ..scene.link(Confirmation::Immediate)
            };
            created(&scene.domain, "ann", new).await;
        }
        let claims = scene.domain.channel_claim(20).await.expect("claims");
        assert_eq!(claims.len(), 20);
        for item in &claims[..8] {
            assert!(finish(&scene.domain, item, accepted()).await);
        }
        let ended: BTreeSet<i64> = claims[..8].iter().map(ChannelClaim::id).collect();
        close(scene.domain).await;
        let domain = house.open().await;
        // The ten that were not under way can be sent at once, the twelve once their leases have run out.
        let mut again = claim(&domain).await;
        assert_eq!(again.len(), 10);
        house.clock.advance(LEASE + Duration::from_millis(1));
        let late = claim(&domain).await;
        assert_eq!(late.len(), 22, "ten of them are still open here");
        again.extend(late);
        let again: BTreeSet<i64> = again.iter().map(ChannelClaim::id).collect();
        assert_eq!(again.len(), 22);
        assert!(again.is_disjoint(&ended));
        assert_eq!(count(&domain, Channel::Twilio).await, 1);
        let active = clients(&domain, "ann").await.into_iter();
        assert_eq!(
            active
                .filter(|one| one.status == ClientStatus::Active)
                .count(),
            8
        );
        end(&house, domain).await;
    }
}

/// What was sent or given up is forgotten after a month, with what it said.
#[tokio::test(flavor = "multi_thread")]
async fn linking_items_are_forgotten() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let outcomes = [
            SendOutcome::Kept,
            accepted(),
            SendOutcome::Failed(error("1")),
            SendOutcome::Blocked(error("2")),
        ];
        for (at, outcome) in outcomes.into_iter().enumerate() {
            let new = ClientNew {
                address: format!("+1212555000{at}"),
                ..scene.link(Confirmation::Prompt)
            };
            created(domain, "ann", new).await;
            let claims = claim(domain).await;
            assert!(finish(domain, &claims[0], outcome).await);
        }
        assert_eq!(outbox(domain).await, 4);
        house.clock.advance(DAY * 31);
        domain.client_sweep(1).await.expect("sweeps");
        domain.account_sweep(1).await.expect("sweeps");
        assert_eq!(outbox(domain).await, 0);
        end(&house, scene.domain).await;
    }
}

/// One integration whose settings are lost does not hold up what goes through others.
#[tokio::test(flavor = "multi_thread")]
async fn linking_through_an_integration_that_does_not_open_fails_alone() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        person(domain, "bob").await;
        let bobs = talk(domain, &["bob"]).await;
        let lost = integration(domain, IntegrationKind::Twilio).await;
        created(domain, "bob", link(lost, bobs, Confirmation::Immediate)).await;
        created(domain, "ann", scene.link(Confirmation::Immediate)).await;
        let meta = store::Meta {
            time: domain.now_ms(),
            actor: 0,
            verb: "test",
            request_id: "test".into(),
            command_id: "lost".into(),
            weight: 1,
        };
        let broken = domain.store().command(1, meta, move |tx| {
            let mut row = store::integration_get(tx, lost)?.expect("is there");
            row.secrets = vec![0; 64];
            store::integration_update(tx, &row)?;
            Ok::<_, Error>(store::Verdict::Done(()))
        });
        broken.await.expect("is broken");
        listen(domain).await;
        assert_eq!(send(domain).await.len(), 1, "ann's");
        assert_eq!(stand(domain, "ann").await, ["active"]);
        assert_eq!(clients(domain, "bob").await, []);
        let told = lines(domain).await;
        let gone = "client.removed bob pending failed not_opened";
        assert!(told.iter().any(|line| line == gone), "{told:?}");
        end(&house, scene.domain).await;
    }
}
