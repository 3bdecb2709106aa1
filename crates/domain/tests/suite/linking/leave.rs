//! How a link ends: by a caller, with its record, with its integration; and what is forgotten of who somebody is.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn linking_ends_in_every_conversation() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        person(domain, "bob").await;
        let id = scene.linked().await;
        let waiting = ClientNew {
            address: "+12125550000".into(),
            ..scene.link(Confirmation::Prompt)
        };
        let pending = created(domain, "ann", waiting).await;
        listen(domain).await;
        assert_eq!(code(remove(domain, "bob", id).await), "client");
        assert_eq!(code(remove(domain, "nobody", id).await), "record");
        assert_eq!(code(remove(domain, "ann", 9_999).await), "client");
        remove(domain, "ann", id).await.expect("is removed");
        remove(domain, "ann", pending).await.expect("is removed");
        assert_eq!(code(remove(domain, "ann", id).await), "client");
        assert_eq!(
            lines(domain).await,
            [
                "client.removed ann active api",
                "client.removed ann pending api"
            ]
        );
        assert_eq!(scene.reached().await, Vec::<i64>::new());
        assert_eq!(count(domain, Channel::Twilio).await, 0);
        assert!(claim(domain).await.is_empty());
        // Who writes from there is nobody's now.
        scene.write("1", "Hi").await;
        assert_eq!(
            written(domain, scene.conversation).await,
            Vec::<String>::new()
        );
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_ends_with_the_record() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let bob = person(domain, "bob").await;
        let group = talk(domain, &["ann", "bob"]).await;
        scene.linked().await;
        scene.write("1", "Hi").await;
        outcome::post(&scene, "News").await;
        let waiting = ClientNew {
            address: "+12125550000".into(),
            ..scene.link(Confirmation::Immediate)
        };
        created(domain, "ann", waiting).await;
        listen(domain).await;
        let under_way = claim(domain).await;
        assert_eq!(under_way.len(), 2);
        let more = ClientNew {
            address: "+12125550001".into(),
            ..scene.link(Confirmation::Immediate)
        };
        created(domain, "ann", more).await;
        events(domain).await;
        let gone = domain
            .record_delete(&context("d"), SOURCE, reference("ann"))
            .await;
        gone.expect("is deleted");
        let mut told = lines(domain).await;
        told.sort();
        assert_eq!(told, ["conversation.removed ann", "record.deleted ann"]);
        assert_eq!(count(domain, Channel::Twilio).await, 0);
        let page = CursorQuery::default();
        let listed = domain
            .client_list(&Caller::server(1), SOURCE, reference("ann"), &page)
            .await;
        assert_eq!(code(listed), "record");
        let talk = domain
            .conversation_get(&Caller::server(1), scene.conversation)
            .await;
        assert_eq!(code(talk), "conversation");
        assert_eq!(reached(domain, group, bob.id).await, Vec::<i64>::new());
        let members = domain
            .participant_list(&Caller::server(1), group, &page)
            .await;
        assert_eq!(members.expect("lists").items.len(), 1);
        // What was queued, or under way, says nothing to anybody any more.
        assert!(claim(domain).await.is_empty());
        for item in &under_way {
            assert!(finish(domain, item, accepted()).await);
        }
        assert_eq!(events(domain).await, []);
        scene.write("2", "Hi").await;
        scene.write("3", "STOP").await;
        let hook = hook(domain, scene.twilio).await;
        let failed = InboundEvent::Failed {
            item: under_way[0].id(),
            error: error("1"),
        };
        tell(domain, &hook, "4", failed).await;
        assert_eq!(events(domain).await, []);
        assert_eq!(domain.client_sweep(1).await, Ok(false));
        // The next of that name is another one, and the stop of that address holds for them.
        person(domain, "ann").await;
        assert_eq!(clients(domain, "ann").await, []);
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_ends_with_the_integration() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        person(domain, "bob").await;
        person(domain, "cat").await;
        let bobs = talk(domain, &["bob"]).await;
        let cats = talk(domain, &["cat"]).await;
        let id = scene.linked().await;
        let at = |address: &str, conversation| ClientNew {
            address: address.into(),
            ..link(scene.twilio, conversation, Confirmation::Immediate)
        };
        // Bob is blocked, cat waits, and ann has another number through another integration.
        let blocked = created(domain, "bob", at("+12125550001", bobs)).await;
        send(domain).await;
        write(domain, scene.twilio, "+12125550001", "1", "STOP").await;
        let other = integration(domain, IntegrationKind::Twilio).await;
        created(
            domain,
            "ann",
            link(other, scene.conversation, Confirmation::Immediate),
        )
        .await;
        send(domain).await;
        outcome::post(&scene, "News").await;
        created(domain, "cat", at("+12125550002", cats)).await;
        let shown = domain
            .integration_get(&Caller::server(1), scene.twilio)
            .await;
        let token = shown.expect("is there").hook_token;
        let old = hook(domain, scene.twilio).await;
        listen(domain).await;
        let gone = domain.integration_delete(&context("d"), scene.twilio).await;
        gone.expect("is deleted");
        assert_eq!(stand(domain, "ann").await, ["inactive", "active"]);
        assert_eq!(stand(domain, "bob").await, ["inactive"]);
        assert_eq!(stand(domain, "cat").await, Vec::<&str>::new());
        assert_eq!(
            lines(domain).await,
            ["client.removed cat pending failed integration_deleted"]
        );
        assert_eq!(count(domain, Channel::Twilio).await, 1);
        let left = scene.reached().await;
        assert!(left.len() == 1 && left[0] != id);
        let found = domain.hook(IntegrationKind::Twilio, &token).await;
        assert_eq!(code(found.map(drop)), "integration");
        // The message went to the first client, which was the other integration's: it is sent.
        let claims = claim(domain).await;
        assert_eq!(claims.len(), 1);
        assert_eq!(claims[0].integration, other);
        // A provider's request that was under way changes nothing.
        for (at, words) in ["Hi", "STOP", "START", "yes"].iter().enumerate() {
            tell(domain, &old, &format!("late {at}"), from(PHONE, words)).await;
        }
        assert_eq!(stand(domain, "ann").await, ["inactive", "active"]);
        // Inactive ones can be removed; linking through what is gone cannot be asked for.
        let again = create(domain, "ann", scene.link(Confirmation::Immediate)).await;
        assert_eq!(code(again), "integration");
        remove(domain, "ann", id).await.expect("is removed");
        remove(domain, "bob", blocked).await.expect("is removed");
        assert_eq!(count(domain, Channel::Twilio).await, 1);
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_survives_what_is_forgotten_of_a_person() {
    for house in House::each() {
        let domain = house.open().await;
        let new = RecordNew {
            reference: Some("ann".into()),
            email: Some(MAIL.into()),
            first_name: Some("Ann".into()),
            last_name: Some("Other".into()),
            active: true,
            profile: "{\"avatarUrl\":\"https://example.org/a.png\"}".into(),
            shares_email: true,
            ..RecordNew::default()
        };
        let made = domain
            .record_create(&context("r"), SOURCE, new)
            .await
            .expect("a record");
        let conversation = talk(&domain, &["ann"]).await;
        let twilio = integration(&domain, IntegrationKind::Twilio).await;
        let id = created(
            &domain,
            "ann",
            link(twilio, conversation, Confirmation::Immediate),
        )
        .await;
        send(&domain).await;
        let hook = hook(&domain, twilio).await;
        let event = InboundEvent::Message {
            from: PHONE.into(),
            name: Some("Ann".into()),
            raw: Some("{\"name\":\"Ann\"}".into()),
            content: text("Hi"),
        };
        tell(&domain, &hook, "1", event).await;
        let signed = domain
            .client_sign_in(
                &context("s"),
                SOURCE,
                "ann",
                "d",
                Some("{\"phone\":1}".into()),
            )
            .await;
        signed.expect("signs in");
        house.clock.advance(Duration::from_secs(1));
        let record = domain
            .record_forget(&context("f"), SOURCE, reference("ann"))
            .await
            .expect("is forgotten");
        assert_eq!((record.id, record.person), (made.id, made.person));
        assert_eq!(
            (record.first_name, record.last_name, record.email),
            (None, None, None)
        );
        assert_eq!(
            (record.profile.as_str(), record.reference.as_deref()),
            ("{}", Some("ann"))
        );
        assert_eq!(record.updated, house.clock.now_ms());
        let listed = clients(&domain, "ann").await;
        assert_eq!(listed.len(), 2);
        for client in &listed {
            assert_eq!(client.status, ClientStatus::Active);
            assert_eq!(
                (&client.display_name, &client.info, &client.raw),
                (&None, &None, &None)
            );
        }
        assert_eq!(
            (listed[0].id, listed[0].address.as_deref()),
            (id, Some(PHONE))
        );
        assert_eq!(written(&domain, conversation).await, ["Hi"]);
        assert_eq!(count(&domain, Channel::Twilio).await, 1);
        let nobody = domain
            .record_forget(&context("f"), SOURCE, reference("bob"))
            .await;
        assert_eq!(code(nobody), "record");
        end(&house, domain).await;
    }
}

/// A conversation that is gone takes nothing, and the link stays.
#[tokio::test(flavor = "multi_thread")]
async fn linking_outlives_its_conversation() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let second = talk(domain, &["ann"]).await;
        let id = created(
            domain,
            "ann",
            link(scene.twilio, second, Confirmation::Prompt),
        )
        .await;
        send(domain).await;
        let gone = domain.conversation_delete(&context("d"), second).await;
        gone.expect("is deleted");
        scene.write("1", "yes").await;
        assert_eq!(stand(domain, "ann").await, ["active"]);
        scene.write("2", "Hi").await;
        assert_eq!(scene.reached().await, Vec::<i64>::new());
        // Asked for again for a conversation that is there, the client is as it was.
        let again = create(domain, "ann", scene.link(Confirmation::Immediate)).await;
        assert_eq!(again.expect("answers").id, id);
        remove(domain, "ann", id).await.expect("is removed");
        assert_eq!(count(domain, Channel::Twilio).await, 0);
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_has_limits() {
    let house = House::sqlite();
    let scene = Scene::open(&house).await;
    let domain = &scene.domain;
    let at = |number: usize| ClientNew {
        address: format!("+1212555{number:04}"),
        ..scene.link(Confirmation::Immediate)
    };
    for number in 0..domain::limits::CLIENTS_MAX {
        created(domain, "ann", at(number)).await;
    }
    assert_eq!(code(create(domain, "ann", at(1_000)).await), "too_many");
    let signed = domain
        .client_sign_in(&context("s"), SOURCE, "ann", "d", None)
        .await;
    assert_eq!(code(signed), "too_many");
    // What is replaced makes room for itself.
    created(domain, "ann", at(3)).await;
    let page = CursorQuery {
        limit: 100,
        ..CursorQuery::default()
    };
    let listed = domain
        .client_list(&Caller::server(1), SOURCE, reference("ann"), &page)
        .await;
    let listed = listed.expect("lists");
    assert_eq!((listed.items.len(), listed.has_more), (100, false));
    assert!(listed.items.is_sorted_by_key(|client| client.id));
    let gone = domain
        .record_delete(&context("d"), SOURCE, reference("ann"))
        .await;
    gone.expect("is deleted");
    end(&house, scene.domain).await;
}

/// More than one sweep of clients goes with an integration, in one command.
#[tokio::test(flavor = "multi_thread")]
async fn linking_ends_with_an_integration_of_many() {
    let house = House::sqlite();
    let scene = Scene::open(&house).await;
    let domain = &scene.domain;
    const PEOPLE: usize = 12;
    for who in 0..PEOPLE {
        let name = format!("p{who}");
        person(domain, &name).await;
        let conversation = talk(domain, &[&name]).await;
        let links = (0..100).map(|number| {
            let new = ClientNew {
                address: format!("+1212{who:02}5{number:04}"),
                message: None,
                ..link(scene.twilio, conversation, Confirmation::UserActivity)
            };
            create(domain, &name, new)
        });
        for made in futures_util::future::join_all(links).await {
            made.expect("is linked");
        }
    }
    let gone = domain.integration_delete(&context("d"), scene.twilio).await;
    gone.expect("is deleted");
    for who in 0..PEOPLE {
        assert_eq!(clients(domain, &format!("p{who}")).await, []);
    }
    end(&house, scene.domain).await;
}
