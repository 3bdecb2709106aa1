//! Messages: what may be said, who has not read it, to which client it goes, and how it is listed and deleted.

use domain::{
    Channel, ChannelClaim, ClientNew, Confirmation, Inbound, InboundEvent, Link,
    MessageDestination, MessageSource, SendOutcome,
};

use super::{conversations::participants, *};

async fn list(domain: &Domain, conversation: &Conversation, page: CursorQuery) -> Vec<Message> {
    let page = domain
        .message_list(&program(1).caller, conversation.id, &page)
        .await;
    page.expect("lists").items
}

async fn now(domain: &Domain, conversation: &Conversation) -> Conversation {
    let found = domain
        .conversation_get(&program(1).caller, conversation.id)
        .await;
    found.expect("is there")
}

async fn unread(domain: &Domain, conversation: &Conversation) -> Vec<i64> {
    let all = participants(domain, conversation).await;
    all.iter().map(|one| one.unread).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_what_is_said_is_kept_as_it_was_said() {
    for house in House::each() {
        let domain = house.open().await;
        let (ann, bob) = (record(&domain, "ann").await, record(&domain, "bob").await);
        let one = group(&domain, &[&ann, &bob]).await;
        house.clock.advance(SECOND);
        let persona = Persona {
            display_name: Some("Steve".into()),
            avatar_url: Some("https://example.org/s.png".into()),
        };
        let link = Link {
            text: "Shop".into(),
            url: "https://example.org/".into(),
        };
        let content = Content::Text {
            text: "Hello\nthere".into(),
            links: vec![link.clone()],
        };
        let new = MessageNew {
            metadata: Some(r#"{"lang":"en-ca","n":1}"#.into()),
            ..says(AuthorRef::Business(persona.clone()), content.clone())
        };
        let posted = post(&domain, &one, new).await.expect("is posted");
        assert_eq!(posted.conversation, one.id);
        assert_eq!(posted.author, Author::Business(persona));
        assert_eq!(posted.content, content);
        assert_eq!(
            posted.metadata.as_deref(),
            Some(r#"{"lang":"en-ca","n":1}"#)
        );
        assert_eq!(posted.source, MessageSource::Api);
        assert_eq!(posted.received, START_MS + 1_000);
        assert_eq!(
            now(&domain, &one).await.last_updated,
            Some(START_MS + 1_000)
        );
        assert_eq!(unread(&domain, &one).await, [1, 1]);

        let image = Content::Image {
            url: "https://example.org/a.png".into(),
            alt: Some("A shoe".into()),
            text: None,
            links: Vec::new(),
        };
        house.clock.advance(SECOND);
        let from_ann = post(&domain, &one, says(by(&ann), image)).await;
        let from_ann = from_ann.expect("is posted");
        let known = Author::Record {
            id: ann.id,
            reference: Some("ann".into()),
            persona: Persona::default(),
        };
        assert_eq!(from_ann.author, known);
        assert_eq!(unread(&domain, &one).await, [1, 2], "her own she knows");
        assert_eq!(
            now(&domain, &one).await.last_updated,
            Some(START_MS + 2_000)
        );

        let all = list(&domain, &one, first(100)).await;
        assert_eq!(all, [posted, from_ann]);
        assert!(!format!("{all:?}").contains("Hello"));
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_what_may_not_be_said_is_not_stored() {
    for house in House::each() {
        let domain = house.open().await;
        let (ann, bob) = (record(&domain, "ann").await, record(&domain, "bob").await);
        let one = personal(&domain, &ann).await;
        said(&domain, &one, &"x".repeat(4_096)).await;
        let before = (seq(&domain).await, now(&domain, &one).await);

        let image = |url: &str| Content::Image {
            url: url.into(),
            alt: None,
            text: None,
            links: Vec::new(),
        };
        let native = |channel, json: &str| Content::Native {
            channel,
            json: json.into(),
        };
        let long = format!("https://example.org/{}", "x".repeat(2_029));
        for content in [
            text(""),
            text("  "),
            text("a\0b"),
            text(&"x".repeat(4_097)),
            image(""),
            image("/a.png"),
            image("ftp://example.org/a.png"),
            image("javascript:alert(1)"),
            image(&long),
            native(Channel::Twilio, "{}"),
            native(Channel::WhatsApp, "no JSON"),
        ] {
            let posted = post(&domain, &one, says(business(), content.clone())).await;
            assert_eq!(refused(posted), "content malformed", "{content:?}");
        }
        let elsewhere = MessageNew {
            destination: Some(MessageDestination::Channel(Channel::Mailgun)),
            ..says(business(), native(Channel::WhatsApp, "{}"))
        };
        assert_eq!(
            refused(post(&domain, &one, elsewhere).await),
            "content malformed"
        );
        let nowhere = MessageNew {
            destination: Some(MessageDestination::Integration(4_711)),
            ..says(business(), text("hello"))
        };
        assert_eq!(
            refused(post(&domain, &one, nowhere).await),
            "no integration"
        );
        for (metadata, expected) in [
            (r#"{"a":{"b":1}}"#.to_owned(), "metadata nested"),
            ("[1]".to_owned(), "metadata malformed"),
            (
                format!(r#"{{"a":"{}"}}"#, "x".repeat(4_096)),
                "metadata too_large",
            ),
        ] {
            let new = MessageNew {
                metadata: Some(metadata),
                ..says(business(), text("hello"))
            };
            assert_eq!(refused(post(&domain, &one, new).await), expected);
        }
        let nameless = Persona {
            display_name: Some(String::new()),
            avatar_url: None,
        };
        let nameless = says(AuthorRef::Business(nameless), text("hello"));
        assert_eq!(
            refused(post(&domain, &one, nameless).await),
            "display_name malformed"
        );
        let stranger = post(&domain, &one, says(by(&bob), text("hello"))).await;
        assert_eq!(refused(stranger), "no participant");
        let nobody = AuthorRef::Record(RecordRef::Id(4_711), Persona::default());
        assert_eq!(
            refused(post(&domain, &one, says(nobody, text("x"))).await),
            "no record"
        );
        let hello = || says(business(), text("hello"));
        let missing = domain
            .message_post(&program(1), SOURCE, 4_711, hello())
            .await;
        assert_eq!(refused(missing), "no conversation");
        let other = domain
            .message_post(&program(1), "other", one.id, hello())
            .await;
        assert_eq!(refused(other), "no conversation");
        assert_eq!((seq(&domain).await, now(&domain, &one).await), before);
        assert_eq!(unread(&domain, &one).await, [1]);
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_messages_are_listed_by_cursor_and_deleted() {
    for house in House::each() {
        let domain = house.open().await;
        let (ann, bob) = (record(&domain, "ann").await, record(&domain, "bob").await);
        let (one, other) = (personal(&domain, &ann).await, personal(&domain, &bob).await);
        for number in 0..7 {
            said(&domain, &one, &number.to_string()).await;
            said(&domain, &other, "elsewhere").await;
        }
        let all = list(&domain, &one, first(100)).await;
        let page = async |page: CursorQuery| {
            let page = domain
                .message_list(&program(1).caller, one.id, &page)
                .await
                .expect("lists");
            let found: Vec<String> = page.items.iter().map(|one| words(one).into()).collect();
            (found.concat(), page.has_before, page.has_after)
        };
        assert_eq!(page(first(3)).await, ("012".into(), false, true));
        assert_eq!(
            page(after(all[2].id, 9)).await,
            ("3456".into(), true, false)
        );
        assert_eq!(page(before(all[5].id, 3)).await, ("234".into(), true, true));
        assert_eq!(page(before(all[2].id, 3)).await, ("01".into(), false, true));
        assert_eq!(
            page(after(all[6].id, 3)).await,
            (String::new(), true, false)
        );

        let updated = now(&domain, &one).await.last_updated;
        house.clock.advance(SECOND);
        let delete = async |conversation: i64, id: i64| {
            domain.message_delete(&program(1), conversation, id).await
        };
        delete(one.id, all[3].id).await.expect("is deleted");
        assert_eq!(page(first(9)).await.0, "012456");
        for (conversation, id) in [(one.id, all[3].id), (other.id, all[4].id), (one.id, one.id)] {
            assert_eq!(refused(delete(conversation, id).await), "no message");
        }
        assert_eq!(refused(delete(4_711, all[4].id).await), "no conversation");
        domain
            .messages_delete(&program(1), one.id)
            .await
            .expect("are deleted");
        assert_eq!(page(first(9)).await, (String::new(), false, false));
        assert_eq!(now(&domain, &one).await.last_updated, updated);
        assert_eq!(list(&domain, &other, first(9)).await.len(), 7);
        let missing = domain.messages_delete(&program(1), 4_711).await;
        assert_eq!(refused(missing), "no conversation");
        let missing = domain
            .message_list(&program(1).caller, 4_711, &first(1))
            .await;
        assert_eq!(refused(missing), "no conversation");
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_conversation_that_is_full_takes_no_more() {
    for house in House::each() {
        let domain = house.open().await;
        let ann = record(&domain, "ann").await;
        let one = personal(&domain, &ann).await;
        let oldest = said(&domain, &one, "the first").await;
        close(domain).await;
        // 29,999 more would take a while; it is the count that is asked.
        let id = one.id;
        let full = format!("UPDATE conversation SET messages = 30000 WHERE id = {id}");
        execute(&house, &full);
        let domain = house.open().await;
        let full = post(&domain, &one, says(business(), text("one more"))).await;
        assert_eq!(refused(full), "conflict");
        let full = post(&domain, &one, says(by(&ann), text("one more"))).await;
        assert_eq!(refused(full), "conflict");
        assert_eq!(list(&domain, &one, first(9)).await.len(), 1);
        domain
            .message_delete(&program(1), one.id, oldest.id)
            .await
            .expect("is deleted");
        said(&domain, &one, "fits again").await;
        close(domain).await;
    }
}

/// Links an address of a record in a conversation, which the channel takes at once.
async fn linked(
    domain: &Domain,
    (conversation, record): (&Conversation, &Record),
    integration: &Integration,
    address: &str,
) -> i64 {
    let new = ClientNew {
        kind: integration.kind,
        integration: integration.id,
        address: address.into(),
        subject: None,
        primary: true,
        confirmation: Confirmation::Immediate,
        message: None,
        conversation: conversation.id,
    };
    let who = RecordRef::Id(record.id);
    let client = domain.client_create(&program(1), SOURCE, who, new).await;
    let client = client.expect("is linked").id;
    sent(domain).await;
    client
}

/// What waits to be sent, which is then taken by its channel.
async fn sent(domain: &Domain) -> Vec<ChannelClaim> {
    let mut claims = domain.channel_claim(100).await.expect("claims");
    claims.sort_by_key(ChannelClaim::id);
    for claim in &claims {
        let accepted = SendOutcome::Accepted { provider_id: None };
        assert_eq!(domain.channel_finish(claim, accepted).await, Ok(true));
    }
    claims
}

fn to(claims: &[ChannelClaim]) -> Vec<&str> {
    claims.iter().map(|claim| claim.to.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_message_goes_to_the_first_client_that_can_take_it() {
    for house in House::each() {
        let domain = house.open().await;
        let mail = mailgun(&domain).await;
        let sms = integration(&domain, of(IntegrationKind::Twilio, TWILIO)).await;
        let (ann, bob) = (record(&domain, "ann").await, record(&domain, "bob").await);
        let own = personal(&domain, &ann).await;
        let both = group(&domain, &[&ann, &bob]).await;
        linked(&domain, (&own, &ann), &sms, "+12125552368").await;
        let newest = linked(&domain, (&own, &ann), &mail, "ann@example.org").await;
        linked(&domain, (&both, &bob), &mail, "bob@example.org").await;

        // To the primary one, with what was said and nothing else of hers.
        said(&domain, &own, "hello").await;
        let claims = sent(&domain).await;
        assert_eq!(to(&claims), ["ann@example.org"]);
        assert_eq!(claims[0].content, Some(text("hello")));
        // Hers are not clients of the group: nobody but him is reached there.
        said(&domain, &both, "hello both").await;
        assert_eq!(to(&sent(&domain).await), ["bob@example.org"]);
        let towards = |destination| MessageNew {
            destination: Some(destination),
            ..says(business(), text("hello"))
        };
        // By name, also where she was not heard of there yet.
        let new = towards(MessageDestination::Channel(Channel::Twilio));
        post(&domain, &both, new).await.expect("is posted");
        assert_eq!(to(&sent(&domain).await), ["+12125552368"]);
        let new = towards(MessageDestination::Integration(mail.id));
        post(&domain, &both, new).await.expect("is posted");
        assert_eq!(
            to(&sent(&domain).await),
            ["ann@example.org", "bob@example.org"]
        );
        let new = towards(MessageDestination::Channel(Channel::MessageBird));
        post(&domain, &both, new).await.expect("is posted");
        assert_eq!(sent(&domain).await.len(), 0);
        // What people say is sent to nobody.
        let from_ann = post(&domain, &own, says(by(&ann), text("hi"))).await;
        from_ann.expect("is posted");
        assert_eq!(sent(&domain).await.len(), 0);
        // A provider's own words go to that provider only.
        let native = Content::Native {
            channel: Channel::WhatsApp,
            json: "{}".into(),
        };
        let native = post(&domain, &own, says(business(), native)).await;
        native.expect("is posted");
        assert_eq!(sent(&domain).await.len(), 0);

        let gone = domain
            .client_remove(&program(1), SOURCE, RecordRef::Id(ann.id), newest)
            .await;
        gone.expect("is removed");
        said(&domain, &own, "again").await;
        assert_eq!(to(&sent(&domain).await), ["+12125552368"], "the next one");
        let gone = domain.integration_delete(&program(1), sms.id).await;
        gone.expect("is deleted");
        said(&domain, &own, "nobody hears it").await;
        assert_eq!(sent(&domain).await.len(), 0);
        let last = list(&domain, &own, first(100)).await;
        assert_eq!(words(last.last().expect("one")), "nobody hears it");
        assert_eq!(author(last.last().expect("one")), None);
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_what_people_write_arrives_in_their_conversation() {
    for house in House::each() {
        let domain = house.open().await;
        let mail = mailgun(&domain).await;
        let (ann, bob) = (record(&domain, "ann").await, record(&domain, "bob").await);
        let both = group(&domain, &[&ann, &bob]).await;
        let client = linked(&domain, (&both, &ann), &mail, "ann@example.org").await;
        listen(&domain).await;
        house.clock.advance(SECOND);
        let hook = domain.hook(mail.kind, &mail.hook_token).await;
        let hook = hook.expect("is found");
        let wrote = |id: &str, words: &str| Inbound {
            id: id.into(),
            event: InboundEvent::Message {
                from: "ann@example.org".into(),
                name: Some("Ann".into()),
                raw: None,
                content: text(words),
            },
        };
        // Two at once, then one of them again.
        let events = vec![wrote("1", "first"), wrote("2", "second")];
        domain
            .inbound(&hook, "told", events)
            .await
            .expect("is taken");
        let again = vec![wrote("2", "second")];
        domain
            .inbound(&hook, "again", again)
            .await
            .expect("is known");

        let all = list(&domain, &both, first(9)).await;
        let said: Vec<_> = all.iter().map(|one| (words(one), author(one))).collect();
        assert_eq!(said, [("first", Some(ann.id)), ("second", Some(ann.id))]);
        let source = MessageSource::Channel {
            channel: Channel::Mailgun,
            integration: Some(mail.id),
            client,
        };
        assert!(all.iter().all(|one| one.source == source));
        assert_eq!(all[0].received, START_MS + 1_000);
        assert_eq!(unread(&domain, &both).await, [0, 2]);
        assert_eq!(
            now(&domain, &both).await.last_updated,
            Some(START_MS + 1_000)
        );
        let told = told(&domain).await;
        let told: Vec<_> = told
            .iter()
            .filter(|(kind, _)| *kind == EventKind::MessagePosted)
            .map(|(_, event)| {
                let who = event.record.as_ref().map(|record| record.id);
                (who, event.client.as_ref().map(|client| client.id))
            })
            .collect();
        assert_eq!(told, [(Some(ann.id), Some(client)); 2]);
        close(domain).await;
        verified(&house);
    }
}
