//! What a link leaves when it is made, and that a refused one leaves nothing.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn linking_each_channel_pends_with_what_asks_in_one_command() {
    for house in House::each() {
        let domain = house.open().await;
        let record = person(&domain, "ann").await;
        let conversation = talk(&domain, &["ann"]).await;
        listen(&domain).await;
        let hello = || Some((Persona::default(), text("Hello!")));
        let cases = [
            (
                IntegrationKind::Mailgun,
                "Ann@Example.ORG",
                "Ann@example.org",
            ),
            (IntegrationKind::Twilio, "+1 (212) 555-2368", PHONE),
            (IntegrationKind::MessageBird, PHONE, PHONE),
            (IntegrationKind::WhatsApp, PHONE, PHONE),
        ];
        let mut made = Vec::new();
        for (kind, address, kept) in cases {
            let integration = integration(&domain, kind).await;
            for confirmation in [
                Confirmation::Prompt,
                Confirmation::UserActivity,
                Confirmation::Immediate,
            ] {
                let new = ClientNew {
                    kind,
                    address: address.into(),
                    message: hello(),
                    ..link(integration, conversation, confirmation)
                };
                let client = create(&domain, "ann", new).await.expect("is linked");
                assert_eq!(client.status, ClientStatus::Pending);
                assert_eq!(client.address.as_deref(), Some(kept));
                assert_eq!(Some(client.channel), kind.channel());
                assert_eq!(client.integration, Some(integration));
                assert_eq!((client.record, client.person), (record.id, record.person));
                assert_eq!((client.linked_at, client.last_seen), (None, None));
                let claims = claim(&domain).await;
                let [item] = claims.as_slice() else {
                    panic!("{claims:?} of {}", kind.as_str());
                };
                assert_eq!((item.kind, item.to.as_str()), (kind, kept));
                let words = item.content.as_ref().expect("words").shown();
                let asks = confirmation == Confirmation::Prompt;
                assert_eq!(words.contains("YES"), asks, "{words}");
                assert!(words.starts_with("Hello!"));
                assert_eq!(item.fields, fields(kind));
                let token = domain
                    .integration_get(&Caller::server(1), integration)
                    .await;
                let token = token.expect("is there").hook_token;
                assert_eq!(item.hook_url, domain.hook_url(kind, &token));
                let told = events(&domain).await;
                let last = told.last().expect("is told");
                assert_eq!(line(last), "client.added ann pending linking");
                assert_eq!(of_person(last).client.as_ref(), Some(&client));
                assert_eq!(
                    of_person(last).conversation.as_ref().map(|c| c.id),
                    Some(conversation)
                );
                made.push(client.id);
            }
        }
        // A pending one is replaced; of each channel the last stays, and nobody is on any.
        let listed = clients(&domain, "ann").await;
        let ids: Vec<i64> = listed.iter().map(|client| client.id).collect();
        assert_eq!(ids, [made[2], made[5], made[8], made[11]]);
        assert_eq!(
            reached(&domain, conversation, record.id).await,
            Vec::<i64>::new()
        );
        for channel in Channel::ALL {
            assert_eq!(count(&domain, channel).await, 0);
        }
        end(&house, domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_that_is_refused_leaves_nothing() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        person(domain, "bob").await;
        person_at(domain, "other", "eve", None).await;
        let bobs = talk(domain, &["bob"]).await;
        let mailgun = integration(domain, IntegrationKind::Mailgun).await;
        let custom = integration(domain, IntegrationKind::Custom).await;
        listen(domain).await;
        let good = || scene.link(Confirmation::Immediate);
        let seq = domain.store().head_seq(1).await.expect("a head");
        let long = "x".repeat(4_097);
        let message = |content| Some((Persona::default(), content));
        let cases: Vec<(&str, ClientNew, &str)> = vec![
            ("nobody", good(), "record"),
            ("eve", good(), "record"),
            ("bob", good(), "not_in_it"),
            (
                "ann",
                ClientNew {
                    conversation: bobs,
                    ..good()
                },
                "not_in_it",
            ),
            (
                "ann",
                ClientNew {
                    conversation: 9_999,
                    ..good()
                },
                "conversation",
            ),
            (
                "ann",
                ClientNew {
                    integration: 9_999,
                    ..good()
                },
                "integration",
            ),
            (
                "ann",
                ClientNew {
                    integration: mailgun,
                    ..good()
                },
                "other_type",
            ),
            (
                "ann",
                ClientNew {
                    integration: custom,
                    kind: IntegrationKind::Custom,
                    ..good()
                },
                "no_channel",
            ),
            (
                "ann",
                ClientNew {
                    address: "2125552368".into(),
                    ..good()
                },
                "malformed",
            ),
            (
                "ann",
                ClientNew {
                    address: "ann@example.org".into(),
                    ..good()
                },
                "malformed",
            ),
            (
                "ann",
                ClientNew {
                    address: String::new(),
                    ..good()
                },
                "malformed",
            ),
            (
                "ann",
                ClientNew {
                    address: "+1212555\u{0}2368".into(),
                    ..good()
                },
                "malformed",
            ),
            (
                "ann",
                ClientNew {
                    message: message(text("")),
                    ..good()
                },
                "malformed",
            ),
            (
                "ann",
                ClientNew {
                    message: message(text(&long)),
                    ..good()
                },
                "malformed",
            ),
            (
                "ann",
                ClientNew {
                    subject: Some("a\r\nBcc: b@example.org".into()),
                    ..good()
                },
                "malformed",
            ),
            (
                "ann",
                ClientNew {
                    subject: Some("x".repeat(256)),
                    ..good()
                },
                "malformed",
            ),
            (
                "ann",
                ClientNew {
                    message: message(Content::Native {
                        channel: Channel::WhatsApp,
                        json: "{}".into(),
                    }),
                    ..good()
                },
                "malformed",
            ),
            (
                "ann",
                ClientNew {
                    kind: IntegrationKind::Mailgun,
                    integration: mailgun,
                    address: "ann".into(),
                    ..good()
                },
                "malformed",
            ),
        ];
        for (at, (who, new, expected)) in cases.into_iter().enumerate() {
            assert_eq!(code(create(domain, who, new).await), expected, "case {at}");
        }
        // Personas are shown to people as subjects are.
        let persona = Persona {
            display_name: Some("x".repeat(100_000)),
            avatar_url: Some("a\r\nb".into()),
        };
        let wordy = ClientNew {
            message: Some((persona, text("Hi"))),
            ..good()
        };
        assert_eq!(code(create(domain, "ann", wordy).await), "malformed");
        assert_eq!(clients(domain, "ann").await, []);
        assert_eq!(outbox(domain).await, 0);
        assert_eq!(events(domain).await, []);
        assert_eq!(domain.store().head_seq(1).await.expect("a head"), seq);
        end(&house, scene.domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn linking_needs_the_scope_and_every_structure() {
    let house = House::sqlite();
    let scene = Scene::open(&house).await;
    let domain = &scene.domain;
    let id = scene.linked().await;
    let mut narrow = Caller::server(1);
    narrow.portfolio = domain::Portfolio::Only(vec![1]);
    let mut other = Caller::server(1);
    other.scopes = domain::Scopes::new(&[
        domain::Scope::AudiencesRead,
        domain::Scope::PeopleRead,
        domain::Scope::PeopleWrite,
        domain::Scope::Webhooks,
        domain::Scope::Integrations,
    ]);
    for caller in [narrow, other.clone()] {
        let context = Context::new(caller.clone(), "x");
        let new = scene.link(Confirmation::Immediate);
        let made = domain
            .client_create(&context, SOURCE, reference("ann"), new)
            .await;
        assert_eq!(code(made), "forbidden");
        let page = CursorQuery::default();
        let listed = domain
            .client_list(&caller, SOURCE, reference("ann"), &page)
            .await;
        assert_eq!(code(listed), "forbidden");
        let gone = domain
            .client_remove(&context, SOURCE, reference("ann"), id)
            .await;
        assert_eq!(code(gone), "forbidden");
        let signed = domain
            .client_sign_in(&context, SOURCE, "ann", "d", None)
            .await;
        assert_eq!(code(signed), "forbidden");
        let signed = domain.client_sign_out(&context, SOURCE, "ann", "d").await;
        assert_eq!(code(signed), "forbidden");
        assert_eq!(
            code(domain.outbox_confirm(&context, 1, "yes").await),
            "forbidden"
        );
    }
    let mut narrow = Caller::server(1);
    narrow.portfolio = domain::Portfolio::Only(vec![1]);
    assert_eq!(code(domain.channel_counts(&narrow).await), "forbidden");
    let context = Context::new(narrow, "x");
    let forgot = domain
        .record_forget(&context, SOURCE, reference("ann"))
        .await;
    assert_eq!(code(forgot), "forbidden");
    // A program may sign people in with both scopes only.
    let mut half = Caller::server(1);
    half.scopes = domain::Scopes::new(&[domain::Scope::Channels]);
    let context = Context::new(half, "x");
    let signed = domain
        .client_sign_in(&context, SOURCE, "ann", "d", None)
        .await;
    assert_eq!(code(signed), "forbidden");
    assert_eq!(stand(domain, "ann").await, ["active"]);
    end(&house, scene.domain).await;
}

/// Neither ids nor tokens of one workspace are anything in another.
#[tokio::test(flavor = "multi_thread")]
async fn linking_stays_within_its_workspace() {
    for house in House::each() {
        let scene = Scene::open(&house).await;
        let domain = &scene.domain;
        let id = scene.linked().await;
        let new = domain::WorkspaceNew {
            slug: "other".into(),
            name: "Other".into(),
            keep_identifiers: true,
        };
        let other = domain.workspace_create(&Caller::server(1), new).await;
        let caller = Caller::server(other.expect("is made").id);
        let context = Context::new(caller.clone(), "other");
        let record = RecordNew {
            reference: Some("ann".into()),
            active: true,
            shares_email: true,
            ..RecordNew::default()
        };
        let twin = domain
            .record_create(&context, SOURCE, record)
            .await
            .expect("a record");
        let own = domain
            .conversation_create(&context, SOURCE, conversation_of(&["ann"]))
            .await;
        let own = own.expect("a conversation").id;
        let create = async |new| {
            domain
                .client_create(&context, SOURCE, reference("ann"), new)
                .await
        };
        let made = create(scene.link(Confirmation::Immediate)).await;
        // Ids are counted in each workspace: the conversation of this id may be its own.
        let theirs = ["conversation", "integration", "not_in_it", "other_type"];
        assert!(theirs.contains(&code(made)));
        let twilio = IntegrationNew {
            kind: IntegrationKind::Twilio,
            display_name: None,
            fields: fields(IntegrationKind::Twilio),
            webhooks: Vec::new(),
        };
        let twilio = domain
            .integration_create(&context, twilio)
            .await
            .expect("is made")
            .0;
        // The same address in both: nobody takes anything over.
        let made = create(link(twilio.id, own, Confirmation::Immediate)).await;
        let made = made.expect("is linked");
        send(domain).await;
        assert_eq!(stand(domain, "ann").await, ["active"]);
        let page = CursorQuery::default();
        let listed = domain
            .client_list(&caller, SOURCE, reference("ann"), &page)
            .await;
        let listed = listed.expect("lists").items;
        assert_eq!(
            (listed.len(), listed[0].id, listed[0].record),
            (1, made.id, twin.id)
        );
        assert_eq!(listed[0].status, ClientStatus::Active);
        // A STOP here is no STOP there.
        scene.write("1", "STOP").await;
        assert_eq!(stand(domain, "ann").await, ["blocked"]);
        let listed = domain
            .client_list(&caller, SOURCE, reference("ann"), &page)
            .await;
        assert_eq!(listed.expect("lists").items[0].status, ClientStatus::Active);
        let counts = domain.channel_counts(&caller).await.expect("counts");
        assert!(counts.contains(&(Channel::Twilio, 1)));
        assert_eq!(count(domain, Channel::Twilio).await, 0);
        if made.id != id {
            let gone = domain
                .client_remove(&context, SOURCE, reference("ann"), id)
                .await;
            assert_eq!(code(gone), "client");
        }
        end(&house, scene.domain).await;
    }
}
