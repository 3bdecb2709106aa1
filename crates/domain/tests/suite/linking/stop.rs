//! Stop and start: what people want no more is not sent, whoever links them again.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn linking_stop_words_block_and_start_words_unblock() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let id = scene.linked().await;
        listen(domain).await;
        let stops = [
            "STOP",
            "StopAll",
            "unsubscribe",
            "CANCEL",
            "end",
            "Quit",
            "OPTOUT",
            "revoke",
            " stop. ",
        ];
        for (at, word) in stops.iter().enumerate() {
            scene.write(&format!("stop {at}"), word).await;
            assert_eq!(stand(domain, "ann").await, ["blocked"], "{word}");
            assert_eq!(count(domain, Channel::Twilio).await, 0);
            let seq = domain.store().head_seq(1).await.expect("a head");
            scene.write(&format!("other {at}"), "Hello?").await;
            assert_eq!(stand(domain, "ann").await, ["blocked"]);
            // Noted as seen, nothing else.
            assert_eq!(domain.store().head_seq(1).await.expect("a head"), seq + 1);
            let start = if at % 2 == 0 { "Start" } else { "UNSTOP" };
            scene.write(&format!("start {at}"), start).await;
            assert_eq!(stand(domain, "ann").await, ["active"], "{start}");
            assert_eq!(count(domain, Channel::Twilio).await, 1);
            assert_eq!(
                lines(domain).await,
                [
                    "client.updated ann blocked blocked",
                    "client.updated ann active unblocked"
                ]
            );
        }
        for (at, words) in ["please stop", "stop it now please, all of it", "the end"]
            .iter()
            .enumerate()
        {
            scene.write(&format!("no stop {at}"), words).await;
            assert_eq!(stand(domain, "ann").await, ["active"], "{words}");
        }
        assert_eq!(scene.reached().await, [id]);
        assert_eq!(written(domain, scene.conversation).await.len(), 3);
        // The provider says the same without words.
        let hook = hook(domain, scene.twilio).await;
        let from = || PHONE.to_owned();
        tell(
            domain,
            &hook,
            "out",
            InboundEvent::OptedOut { from: from() },
        )
        .await;
        assert_eq!(stand(domain, "ann").await, ["blocked"]);
        tell(domain, &hook, "in", InboundEvent::OptedIn { from: from() }).await;
        assert_eq!(stand(domain, "ann").await, ["active"]);
        tell(
            domain,
            &hook,
            "in again",
            InboundEvent::OptedIn { from: from() },
        )
        .await;
        assert_eq!(stand(domain, "ann").await, ["active"]);
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_again_does_not_get_around_a_stop() {
    for confirmation in [
        Confirmation::Immediate,
        Confirmation::Prompt,
        Confirmation::UserActivity,
    ] {
        for house in House::each() {
            let scene = Scene::open(&house).await;
            let domain = &scene.domain;
            let id = scene.linked().await;
            scene.write("1", "STOP").await;
            // The same person again: blocked as it was, nothing queued.
            let before = outbox(domain).await;
            let again = create(domain, "ann", scene.link(confirmation))
                .await
                .expect("answers");
            assert_eq!((again.id, again.status), (id, ClientStatus::Blocked));
            assert_eq!(outbox(domain).await, before);
            // Removed and linked again, and by somebody else.
            remove(domain, "ann", id).await.expect("is removed");
            person(domain, "bob").await;
            let bobs = talk(domain, &["bob"]).await;
            created(domain, "ann", scene.link(confirmation)).await;
            created(domain, "bob", link(scene.twilio, bobs, confirmation)).await;
            listen(domain).await;
            assert!(claim(domain).await.is_empty(), "nothing may be sent");
            let mut told = lines(domain).await;
            told.sort();
            assert_eq!(
                told,
                [
                    "client.removed ann pending failed blocked",
                    "client.removed bob pending failed blocked"
                ]
            );
            let listed = domain
                .outbox_list(&Caller::server(1), Some("queued"), None, 100)
                .await;
            assert_eq!(listed.expect("lists"), []);
            // Whoever says start, or yes when asked, wants it again.
            scene.write("2", "START").await;
            created(domain, "ann", scene.link(Confirmation::Immediate)).await;
            assert_eq!(send(domain).await.len(), 1);
            assert_eq!(stand(domain, "ann").await, ["active"]);
            end(&house, scene.domain).await;
        }
    }
}

/// Whoever waits to be written to is not linked by a person that is blocked; once they want it again, they are.
#[tokio::test(flavor = "multi_thread")]
async fn linking_by_activity_waits_for_a_start_after_a_stop() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        // A stop of somebody who is nobody's yet is remembered.
        scene.write("1", "STOP").await;
        let quiet = ClientNew {
            message: None,
            ..scene.link(Confirmation::UserActivity)
        };
        created(domain, "ann", quiet).await;
        scene.write("2", "Hi").await;
        assert_eq!(stand(domain, "ann").await, ["pending"], "blocked");
        scene.write("3", "START").await;
        // That was a message from the address, after which nothing is blocked.
        assert_eq!(stand(domain, "ann").await, ["active"]);
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_a_stop_holds_for_its_integration_and_address() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        scene.linked().await;
        let other = integration(domain, IntegrationKind::Twilio).await;
        created(
            domain,
            "ann",
            link(other, scene.conversation, Confirmation::Immediate),
        )
        .await;
        let elsewhere = ClientNew {
            address: "+12125550000".into(),
            ..scene.link(Confirmation::Immediate)
        };
        created(domain, "ann", elsewhere).await;
        send(domain).await;
        assert_eq!(stand(domain, "ann").await, ["active"; 3]);
        scene.write("1", "stop").await;
        assert_eq!(stand(domain, "ann").await, ["blocked", "active", "active"]);
        assert_eq!(
            count(domain, Channel::Twilio).await,
            1,
            "others keep her there"
        );
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_messages_go_past_what_is_blocked() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let first = scene.linked().await;
        let elsewhere = ClientNew {
            address: "+12125550000".into(),
            primary: false,
            ..scene.link(Confirmation::Immediate)
        };
        let second = created(domain, "ann", elsewhere).await;
        send(domain).await;
        assert_eq!(scene.reached().await, [first, second]);
        listen(domain).await;
        let post = async |words: &str| {
            let new = domain::MessageNew {
                author: domain::AuthorRef::Business(Persona::default()),
                content: text(words),
                metadata: None,
                destination: None,
            };
            let posted = domain
                .message_post(&context("m"), SOURCE, scene.conversation, new)
                .await;
            posted.expect("is posted");
        };
        post("one").await;
        let sent = send(domain).await;
        assert_eq!((sent.len(), sent[0].to.as_str()), (1, PHONE));
        // Queued, and then a stop: it is not sent.
        post("two").await;
        scene.write("1", "STOP").await;
        assert!(claim(domain).await.is_empty());
        post("three").await;
        let sent = send(domain).await;
        assert_eq!((sent.len(), sent[0].to.as_str()), (1, "+12125550000"));
        assert_eq!(
            lines(domain).await,
            [
                "message.posted",
                "message.sent ann active",
                "message.posted",
                "client.updated ann blocked blocked",
                "message.failed ann blocked gone",
                "message.posted",
                "message.sent ann active"
            ]
        );
        end(&house, scene.domain).await;
    }
}
