//! Two things at once, of one process or of two: of one address there is never more than one linked client.

use super::*;

async fn two(house: &House, one: &Domain) -> Domain {
    match house.engine() {
        "postgres" => house.open_as("two").await,
        _ => one.clone(),
    }
}

async fn closed(house: &House, one: Domain, two: Domain) {
    if house.engine() == "postgres" {
        close(two).await;
    } else {
        drop(two);
    }
    close(one).await;
    verified(house);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linking_at_once_leaves_one_linked_client() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let there = two(&house, &scene.domain).await;
        let here = &scene.domain;
        let mut talks = vec![("ann".to_owned(), scene.conversation)];
        for number in 0..5 {
            let name = format!("p{number}");
            person(here, &name).await;
            let conversation = talk(here, &[&name]).await;
            talks.push((name, conversation));
        }
        listen(here).await;
        for turn in 0..4 {
            let links = talks.iter().enumerate().map(|(at, (who, conversation))| {
                let domain = if (at + turn) % 2 == 0 { here } else { &there };
                let new = link(scene.twilio, *conversation, Confirmation::Immediate);
                async move { create(domain, who, new).await.expect("is linked").id }
            });
            futures_util::future::join_all(links).await;
            let (first, second) = tokio::join!(here.channel_claim(3), there.channel_claim(100));
            let (first, second) = (first.expect("claims"), second.expect("claims"));
            let ids: BTreeSet<i64> = first.iter().chain(&second).map(ChannelClaim::id).collect();
            assert_eq!(ids.len(), first.len() + second.len(), "each once");
            let ends = first
                .iter()
                .map(|item| (here, item))
                .chain(second.iter().map(|item| (&there, item)))
                .map(|(domain, item)| finish(domain, item, accepted()));
            let stop = async {
                if turn == 2 {
                    scene.write("stop", "STOP").await;
                    scene.write("start", "START").await;
                }
            };
            let (ends, ()) = tokio::join!(futures_util::future::join_all(ends), stop);
            assert!(ends.into_iter().all(|noted| noted));
            let mut linked = Vec::new();
            for (who, _) in &talks {
                let all = clients(here, who).await;
                assert_eq!(all, clients(&there, who).await);
                let active = all
                    .into_iter()
                    .filter(|one| one.status != ClientStatus::Pending);
                linked.extend(active.map(|client| client.id));
            }
            assert!(linked.len() <= 1, "{linked:?}");
            if turn != 2 {
                assert_eq!(linked.len(), 1);
            }
            assert_eq!(count(&there, Channel::Twilio).await, linked.len() as u64);
        }
        // Each theft is told after the link that is taken, and before the one that takes it.
        let mut holder: Option<String> = None;
        for event in events(here).await {
            let said = of_person(&event);
            let who = said.record.as_ref().and_then(|one| one.reference.clone());
            match said.reason {
                Some(domain::ClientReason::Confirmed) => {
                    assert_eq!(holder, None, "{who:?}");
                    holder = who;
                }
                Some(domain::ClientReason::Theft) => {
                    assert_eq!(holder.take(), who);
                }
                _ => {}
            }
        }
        closed(&house, scene.domain, there).await;
    }
}

/// The same person twice at once: one client, one item.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linking_the_same_at_once_leaves_one_pending_client() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let there = two(&house, &scene.domain).await;
        let here = &scene.domain;
        let links = (0..10).map(|at| {
            let domain = if at % 2 == 0 { here } else { &there };
            create(domain, "ann", scene.link(Confirmation::Prompt))
        });
        for made in futures_util::future::join_all(links).await {
            made.expect("is linked");
        }
        assert_eq!(stand(&there, "ann").await, ["pending"]);
        assert_eq!(send(here).await.len(), 1);
        let hook = hook(here, scene.twilio).await;
        let told = (0..10).map(|at| {
            let domain = if at % 2 == 0 { here } else { &there };
            tell(domain, &hook, "one id", from(PHONE, "yes"))
        });
        futures_util::future::join_all(told).await;
        let told = (0..10).map(|at| {
            let domain = if at % 2 == 0 { here } else { &there };
            tell(domain, &hook, "another id", from(PHONE, "Hi"))
        });
        futures_util::future::join_all(told).await;
        assert_eq!(written(&there, scene.conversation).await, ["Hi"]);
        let signed = (0..10).map(|at| {
            let domain = if at % 2 == 0 { here } else { &there };
            async move {
                let context = context("s");
                domain
                    .client_sign_in(&context, SOURCE, "new", "phone", None)
                    .await
            }
        });
        let signed = futures_util::future::join_all(signed).await;
        let ids: BTreeSet<i64> = signed
            .into_iter()
            .map(|signed| signed.expect("signs in").1.id)
            .collect();
        assert_eq!(ids.len(), 1);
        closed(&house, scene.domain, there).await;
    }
}

/// A record is deleted while its links are confirmed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linking_and_deleting_at_once_leaves_nothing_behind() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let there = two(&house, &scene.domain).await;
        let here = &scene.domain;
        for turn in 0..6 {
            let who = format!("p{turn}");
            person(here, &who).await;
            let conversation = talk(here, &[&who]).await;
            created(
                here,
                &who,
                link(scene.twilio, conversation, Confirmation::Immediate),
            )
            .await;
            let claims = claim(&there).await;
            let (context, by) = (context("d"), reference(&who));
            let again = link(scene.twilio, conversation, Confirmation::Prompt);
            let (gone, noted, again) = tokio::join!(
                here.record_delete(&context, SOURCE, by),
                finish(&there, &claims[0], accepted()),
                create(&there, &who, again),
            );
            gone.expect("is deleted");
            assert!(noted);
            if let Err(error) = again {
                assert!(
                    matches!(error, Error::NotFound("record" | "conversation")),
                    "{error:?}"
                );
            }
            assert_eq!(count(&there, Channel::Twilio).await, 0);
            claim(here).await;
        }
        closed(&house, scene.domain, there).await;
    }
}
