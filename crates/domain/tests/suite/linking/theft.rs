//! One address, one linked client: whoever confirms last has it.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn linking_takes_over_from_whoever_had_the_address() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let bob = person(domain, "bob").await;
        // Ann is reached by it in a group too.
        let group = talk(domain, &["ann", "bob"]).await;
        let old = scene.linked().await;
        let new = ClientNew {
            primary: false,
            ..link(scene.twilio, group, Confirmation::Prompt)
        };
        let same = create(domain, "ann", new.clone()).await.expect("answers");
        assert_eq!((same.id, same.status), (old, ClientStatus::Active));
        let id = created(domain, "bob", new).await;
        send(domain).await;
        assert_eq!(stand(domain, "ann").await, ["active"], "until bob says yes");
        listen(domain).await;
        scene.write("1", "yes").await;
        assert_eq!(clients(domain, "ann").await, []);
        assert_eq!(stand(domain, "bob").await, ["active"]);
        assert_eq!(scene.reached().await, Vec::<i64>::new());
        assert_eq!(reached(domain, group, bob.id).await, [id]);
        assert_eq!(count(domain, Channel::Twilio).await, 1);
        let told = events(domain).await;
        let lines: Vec<String> = told.iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "client.removed ann active theft",
                "client.updated bob active confirmed"
            ]
        );
        let of = |at: usize| of_person(&told[at]).conversation.as_ref().map(|one| one.id);
        assert_eq!((of(0), of(1)), (Some(scene.conversation), Some(group)));
        // What was said for ann does not reach bob.
        scene.write("2", "Me again").await;
        assert_eq!(
            written(domain, scene.conversation).await,
            Vec::<String>::new()
        );
        assert_eq!(written(domain, group).await, ["Me again"]);
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_takes_over_what_is_blocked_only_with_consent() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        person(domain, "bob").await;
        let bobs = talk(domain, &["bob"]).await;
        scene.linked().await;
        created(
            domain,
            "bob",
            link(scene.twilio, bobs, Confirmation::Prompt),
        )
        .await;
        send(domain).await;
        // A stop ends what waits; of the blocked one nothing is taken.
        scene.write("1", "STOP").await;
        assert_eq!(stand(domain, "ann").await, ["blocked"]);
        assert_eq!(stand(domain, "bob").await, Vec::<&str>::new());
        scene.write("2", "yes").await;
        assert_eq!(stand(domain, "ann").await, ["blocked"]);
        // Linked again: nothing is sent while it is blocked, so that nobody can say yes.
        created(
            domain,
            "bob",
            link(scene.twilio, bobs, Confirmation::Prompt),
        )
        .await;
        assert!(claim(domain).await.is_empty());
        assert_eq!(stand(domain, "bob").await, Vec::<&str>::new());
        assert_eq!(stand(domain, "ann").await, ["blocked"]);
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_the_same_person_again_changes_nothing_or_replaces_what_waits() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        listen(domain).await;
        let first = created(domain, "ann", scene.link(Confirmation::Prompt)).await;
        let spelled = ClientNew {
            address: "+1 (212) 555-23.68".into(),
            ..scene.link(Confirmation::Immediate)
        };
        let second = created(domain, "ann", spelled).await;
        assert_ne!(first, second);
        assert_eq!(
            lines(domain).await,
            [
                "client.added ann pending linking",
                "client.removed ann pending api",
                "client.added ann pending linking"
            ]
        );
        // The first one's question is not asked any more.
        let sent = send(domain).await;
        assert_eq!(sent.len(), 1);
        assert!(
            !sent[0]
                .content
                .as_ref()
                .expect("words")
                .shown()
                .contains("YES")
        );
        events(domain).await;
        let before = (
            outbox(domain).await,
            domain.store().head_seq(1).await.expect("a head"),
        );
        let again = create(domain, "ann", scene.link(Confirmation::Prompt)).await;
        assert_eq!(again.expect("answers").id, second);
        assert_eq!(outbox(domain).await, before.0);
        assert_eq!(events(domain).await, []);
        end(&house, scene.domain).await;
    }
}

/// Two records of one person: the link moves, the person stays on the channel.
#[tokio::test(flavor = "multi_thread")]
async fn linking_moves_between_two_records_of_one_person() {
    for house in House::each() {
        let domain = house.open().await;
        let one = person_at(&domain, SOURCE, "ann", Some(MAIL)).await;
        let two = person_at(&domain, SOURCE, "ann2", Some(MAIL)).await;
        assert_eq!(one.person, two.person);
        let (first, second) = (
            talk(&domain, &["ann"]).await,
            talk(&domain, &["ann2"]).await,
        );
        let twilio = integration(&domain, IntegrationKind::Twilio).await;
        created(&domain, "ann", link(twilio, first, Confirmation::Immediate)).await;
        send(&domain).await;
        created(
            &domain,
            "ann2",
            link(twilio, second, Confirmation::Immediate),
        )
        .await;
        send(&domain).await;
        assert_eq!(stand(&domain, "ann").await, Vec::<&str>::new());
        assert_eq!(stand(&domain, "ann2").await, ["active"]);
        assert_eq!(count(&domain, Channel::Twilio).await, 1);
        // Another address of the first record: the person is there twice, and counted once.
        let other = ClientNew {
            address: "+12125550000".into(),
            ..link(twilio, first, Confirmation::Immediate)
        };
        let other = created(&domain, "ann", other).await;
        send(&domain).await;
        assert_eq!(count(&domain, Channel::Twilio).await, 1);
        let gone = domain
            .record_delete(&context("d"), SOURCE, reference("ann2"))
            .await;
        gone.expect("is deleted");
        assert_eq!(count(&domain, Channel::Twilio).await, 1);
        remove(&domain, "ann", other).await.expect("is removed");
        assert_eq!(count(&domain, Channel::Twilio).await, 0);
        end(&house, domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_puts_the_primary_first_and_the_last_heard_of_before_it() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let mut made = Vec::new();
        for (at, primary) in [(0, false), (1, false), (2, true), (3, false), (4, true)] {
            let new = ClientNew {
                address: format!("+1212555000{at}"),
                primary,
                ..scene.link(Confirmation::Immediate)
            };
            made.push(created(domain, "ann", new).await);
            send(domain).await;
        }
        let order = [made[4], made[2], made[0], made[1], made[3]];
        assert_eq!(scene.reached().await, order);
        write(domain, scene.twilio, "+12125550001", "1", "Hi").await;
        let order = [made[1], made[4], made[2], made[0], made[3]];
        assert_eq!(scene.reached().await, order);
        let sent = {
            outcome::post(&scene, "News").await;
            send(domain).await
        };
        assert_eq!((sent.len(), sent[0].to.as_str()), (1, "+12125550001"));
        remove(domain, "ann", made[1]).await.expect("is removed");
        assert_eq!(scene.reached().await, [made[4], made[2], made[0], made[3]]);
        end(&house, scene.domain).await;
    }
}
