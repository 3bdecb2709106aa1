//! Conversations: made, listed, changed, deleted, and what is noticed in them.

use domain::{ConversationChange, Notice, Participant};

use super::*;

pub(super) async fn participants(domain: &Domain, conversation: &Conversation) -> Vec<Participant> {
    let page = domain
        .participant_list(&program(1).caller, conversation.id, &first(100))
        .await;
    page.expect("lists").items
}

async fn get(domain: &Domain, id: i64) -> Result<Conversation> {
    domain.conversation_get(&program(1).caller, id).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_the_first_personal_conversation_is_the_default_and_stays() {
    for house in House::each() {
        let domain = house.open().await;
        let (ann, bob) = (record(&domain, "ann").await, record(&domain, "bob").await);
        group(&domain, &[&ann]).await;
        let one = personal(&domain, &ann).await;
        let two = personal(&domain, &ann).await;
        let of_bob = personal(&domain, &bob).await;
        assert!(one.is_default && !two.is_default && of_bob.is_default);
        assert_eq!(one.source, SOURCE);
        assert_eq!((one.metadata.as_str(), one.created), ("{}", START_MS));
        assert_eq!((one.last_updated, one.business_last_read), (None, None));
        assert_eq!(get(&domain, one.id).await, Ok(one.clone()));

        let kept = domain.conversation_delete(&program(1), one.id).await;
        assert_eq!(refused(kept), "conflict");
        said(&domain, &two, "hello").await;
        let gone = domain.conversation_delete(&program(1), two.id).await;
        gone.expect("is deleted");
        assert_eq!(refused(get(&domain, two.id).await), "no conversation");
        let again = domain.conversation_delete(&program(1), two.id).await;
        assert_eq!(refused(again), "no conversation");
        assert!(!personal(&domain, &ann).await.is_default);
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_conversation_that_is_not_as_it_should_be_is_not_stored() {
    for house in House::each() {
        let domain = house.open().await;
        let mut people = Vec::new();
        for number in 0..11 {
            people.push(record(&domain, &format!("p{number}")).await);
        }
        let all: Vec<&Record> = people.iter().collect();
        let ten = group(&domain, &all[..10]).await;
        assert_eq!(participants(&domain, &ten).await.len(), 10);
        // Somebody who is named twice takes part once.
        let twice = group(&domain, &[all[0], all[0]]).await;
        assert_eq!(participants(&domain, &twice).await.len(), 1);
        assert_eq!(participants(&domain, &group(&domain, &[]).await).await, []);

        let before = seq(&domain).await;
        let one = || with(ConversationKind::Personal, &all[..1]);
        let too_long = "x".repeat(101);
        let icon = format!("https://example.org/{}", "x".repeat(2_029));
        let nested = ConversationNew {
            metadata: r#"{"a":{"b":1}}"#.into(),
            ..one()
        };
        let large = ConversationNew {
            metadata: format!(r#"{{"a":"{}"}}"#, "x".repeat(4_096)),
            ..one()
        };
        let unknown = ConversationNew {
            participants: vec![(RecordRef::Reference("nobody".into()), false)],
            ..one()
        };
        let second_unknown = ConversationNew {
            participants: vec![
                (RecordRef::Id(people[0].id), false),
                (RecordRef::Id(4_711), false),
            ],
            ..with(ConversationKind::Group, &[])
        };
        let named = |name: &str| ConversationNew {
            display_name: Some(name.into()),
            ..one()
        };
        let described = |text: &str| ConversationNew {
            description: Some(text.into()),
            ..one()
        };
        let with_icon = |url: &str| ConversationNew {
            icon_url: Some(url.into()),
            ..one()
        };
        for (new, expected) in [
            (with(ConversationKind::Personal, &[]), "participants count"),
            (
                with(ConversationKind::Personal, &all[..2]),
                "participants count",
            ),
            (with(ConversationKind::Group, &all), "participants too_many"),
            (unknown, "no record"),
            (second_unknown, "no record"),
            (named(""), "display_name malformed"),
            (named("a\0b"), "display_name malformed"),
            (named(&too_long), "display_name malformed"),
            (described(""), "description malformed"),
            (described(&too_long), "description malformed"),
            (with_icon(""), "icon_url malformed"),
            (with_icon(&icon), "icon_url malformed"),
            (nested, "metadata nested"),
            (large, "metadata too_large"),
        ] {
            assert_eq!(refused(converse(&domain, new).await), expected);
        }
        let elsewhere = domain
            .conversation_create(
                &program(1),
                "other",
                with(ConversationKind::Personal, &all[..1]),
            )
            .await;
        assert_eq!(
            refused(elsewhere),
            "no record",
            "a record of another source"
        );
        let odd = domain
            .conversation_create(&program(1), "Odd one", one())
            .await;
        assert_eq!(refused(odd), "source malformed");
        assert_eq!(seq(&domain).await, before, "nothing was stored");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_somebodys_conversations_are_listed_by_cursor() {
    for house in House::each() {
        let domain = house.open().await;
        let (ann, bob) = (record(&domain, "ann").await, record(&domain, "bob").await);
        let mut ids = vec![personal(&domain, &ann).await.id];
        personal(&domain, &bob).await;
        ids.push(group(&domain, &[&bob, &ann]).await.id);
        ids.push(personal(&domain, &ann).await.id);
        ids.push(group(&domain, &[&ann]).await.id);
        let list = async |page: CursorQuery| {
            let who = RecordRef::Reference("ann".into());
            let page = domain
                .conversation_list(&program(1).caller, SOURCE, who, &page)
                .await
                .expect("lists");
            let found: Vec<i64> = page.items.iter().map(|one| one.id).collect();
            (found, page.has_before, page.has_after)
        };
        assert_eq!(list(first(100)).await, (ids.clone(), false, false));
        assert_eq!(list(first(3)).await, (ids[..3].to_vec(), false, true));
        assert_eq!(
            list(after(ids[2], 3)).await,
            (ids[3..].to_vec(), true, false)
        );
        assert_eq!(
            list(before(ids[3], 2)).await,
            (ids[1..3].to_vec(), true, true)
        );
        assert_eq!(
            list(before(ids[1], 2)).await,
            (ids[..1].to_vec(), false, true)
        );
        let nobody = RecordRef::Reference("nobody".into());
        let found = domain
            .conversation_list(&program(1).caller, SOURCE, nobody, &first(1))
            .await;
        assert_eq!(refused(found), "no record");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_conversation_changes_and_clears() {
    for house in House::each() {
        let domain = house.open().await;
        let ann = record(&domain, "ann").await;
        let new = ConversationNew {
            display_name: Some("Order 7".into()),
            description: Some("About shoes".into()),
            icon_url: Some("https://example.org/i.png".into()),
            metadata: r#"{"order": 7, "paid": true, "lang": "de"}"#.into(),
            ..with(ConversationKind::Personal, &[&ann])
        };
        let made = converse(&domain, new).await.expect("is made");
        assert_eq!(made.display_name.as_deref(), Some("Order 7"));
        let same: serde_json::Value = serde_json::from_str(&made.metadata).expect("JSON");
        assert_eq!(
            same,
            serde_json::json!({"order": 7, "paid": true, "lang": "de"})
        );
        let update = async |change: ConversationChange| {
            domain
                .conversation_update(&program(1), made.id, change)
                .await
        };
        let before = seq(&domain).await;
        let same = update(ConversationChange::default()).await;
        assert_eq!(same.expect("is as it was"), made);
        for (change, expected) in [
            (
                ConversationChange {
                    display_name: Some(Some(String::new())),
                    ..ConversationChange::default()
                },
                "display_name malformed",
            ),
            (
                ConversationChange {
                    display_name: Some(Some("fine".into())),
                    metadata: Some(Some(r#"{"a":[]}"#.into())),
                    ..ConversationChange::default()
                },
                "metadata nested",
            ),
            (
                ConversationChange {
                    metadata: Some(Some("7".into())),
                    ..ConversationChange::default()
                },
                "metadata malformed",
            ),
        ] {
            assert_eq!(refused(update(change).await), expected);
        }
        assert_eq!(seq(&domain).await, before, "nothing was stored");
        let change = ConversationChange {
            display_name: Some(Some("Order 8".into())),
            description: Some(None),
            icon_url: None,
            metadata: Some(Some(r#"{"order":8}"#.into())),
        };
        let changed = update(change).await.expect("changes");
        assert_eq!(changed.display_name.as_deref(), Some("Order 8"));
        assert_eq!(changed.description, None);
        assert_eq!(changed.icon_url, made.icon_url);
        assert_eq!(changed.metadata, r#"{"order":8}"#);
        let cleared = ConversationChange {
            metadata: Some(None),
            ..ConversationChange::default()
        };
        assert_eq!(update(cleared).await.expect("changes").metadata, "{}");
        let missing = domain
            .conversation_update(&program(1), 4_711, ConversationChange::default())
            .await;
        assert_eq!(refused(missing), "no conversation");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_reading_and_typing_is_noticed_and_told() {
    for house in House::each() {
        let domain = house.open().await;
        listen(&domain).await;
        let (ann, bob) = (record(&domain, "ann").await, record(&domain, "bob").await);
        let one = group(&domain, &[&ann, &bob]).await;
        said(&domain, &one, "hello").await;
        told(&domain).await;
        let notice = async |who: Option<RecordRef>, notice| {
            domain
                .conversation_notice(&program(1), SOURCE, one.id, who, notice)
                .await
        };
        house.clock.advance(SECOND);
        let who = RecordRef::Id(ann.id);
        notice(Some(who.clone()), Notice::Read)
            .await
            .expect("reads");
        let read = participants(&domain, &one).await;
        let seen: Vec<_> = read.iter().map(|who| (who.unread, who.last_read)).collect();
        assert_eq!(seen, [(0, Some(START_MS + 1_000)), (1, None)]);
        notice(None, Notice::Read).await.expect("reads");
        let now = get(&domain, one.id).await.expect("is there");
        assert_eq!(now.business_last_read, Some(START_MS + 1_000));
        let before = domain.activity_list(&Caller::server(1), None, 100).await;
        notice(Some(who), Notice::TypingStart).await.expect("types");
        notice(None, Notice::TypingStop).await.expect("types");
        let after = domain.activity_list(&Caller::server(1), None, 100).await;
        assert_eq!(before, after);

        let told = told(&domain).await;
        let read = "conversation.read";
        let typing = "conversation.typing";
        assert_eq!(kinds(&told), [read, read, typing, typing]);
        let said: Vec<_> = told
            .iter()
            .map(|(_, event)| (event.record.as_ref().map(|who| who.id), event.notice))
            .collect();
        assert_eq!(
            said,
            [
                (Some(ann.id), Some(Notice::Read)),
                (None, Some(Notice::Read)),
                (Some(ann.id), Some(Notice::TypingStart)),
                (None, Some(Notice::TypingStop)),
            ]
        );
        let seen = told[1].1.conversation.as_ref().expect("says where");
        assert_eq!(seen.business_last_read, Some(START_MS + 1_000));

        let carl = record(&domain, "carl").await;
        let stranger = notice(Some(RecordRef::Id(carl.id)), Notice::Read).await;
        assert_eq!(refused(stranger), "no participant");
        let nobody = notice(Some(RecordRef::Id(4_711)), Notice::TypingStart).await;
        assert_eq!(refused(nobody), "no record");
        let elsewhere = domain
            .conversation_notice(&program(1), "other", one.id, None, Notice::Read)
            .await;
        assert_eq!(refused(elsewhere), "no conversation");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_what_happens_in_conversations_is_told() {
    for house in House::each() {
        let domain = house.open().await;
        listen(&domain).await;
        let (ann, bob) = (record(&domain, "ann").await, record(&domain, "bob").await);
        let own = personal(&domain, &ann).await;
        let both = group(&domain, &[&ann]).await;
        let who = RecordRef::Id(bob.id);
        let joined = domain
            .participant_join(&program(1), SOURCE, both.id, who.clone(), false)
            .await;
        joined.expect("joins");
        let message = said(&domain, &own, "hello").await;
        let left = domain
            .participant_leave(
                &program(1),
                SOURCE,
                both.id,
                domain::ParticipantRef::Record(who),
            )
            .await;
        left.expect("leaves");
        let gone = domain.conversation_delete(&program(1), both.id).await;
        gone.expect("is deleted");

        let told = told(&domain).await;
        assert_eq!(
            kinds(&told),
            [
                "conversation.created",
                "conversation.created",
                "conversation.joined",
                "message.posted",
                "conversation.left",
                "conversation.removed",
            ]
        );
        let about: Vec<_> = told
            .iter()
            .map(|(_, event)| {
                let conversation = event.conversation.as_ref().expect("says where").id;
                (event.record.as_ref().map(|who| who.id), conversation)
            })
            .collect();
        assert_eq!(
            about,
            [
                (Some(ann.id), own.id),
                (Some(ann.id), both.id),
                (Some(bob.id), both.id),
                (None, own.id),
                (Some(bob.id), both.id),
                (Some(ann.id), both.id),
            ]
        );
        assert_eq!(told[3].1.message.as_ref(), Some(&message));
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_whoever_is_deleted_leaves_the_groups_and_takes_what_is_theirs() {
    for house in House::each() {
        let domain = house.open().await;
        let (ann, bob) = (record(&domain, "ann").await, record(&domain, "bob").await);
        let own = personal(&domain, &ann).await;
        let both = group(&domain, &[&ann, &bob]).await;
        said(&domain, &own, "hello").await;
        let posted = post(&domain, &both, says(by(&ann), text("from ann"))).await;
        posted.expect("is posted");
        listen(&domain).await;
        let gone = domain
            .record_delete(&program(1), SOURCE, RecordRef::Id(ann.id))
            .await;
        gone.expect("is deleted");
        assert_eq!(refused(get(&domain, own.id).await), "no conversation");
        let left = participants(&domain, &both).await;
        assert_eq!(
            left.iter().map(|who| who.record).collect::<Vec<_>>(),
            [bob.id]
        );
        // What was said in a group stays, without a name.
        let page = domain
            .message_list(&program(1).caller, both.id, &first(10))
            .await
            .expect("lists");
        assert_eq!(page.items.len(), 1);
        let nameless = Author::Record {
            id: ann.id,
            reference: None,
            persona: Persona::default(),
        };
        assert_eq!(page.items[0].author, nameless);
        let told = told(&domain).await;
        let kinds = kinds(&told);
        for kind in [
            "conversation.removed",
            "conversation.left",
            "record.deleted",
        ] {
            assert_eq!(
                kinds.iter().filter(|told| **told == kind).count(),
                1,
                "{kinds:?}"
            );
        }
        // Whoever comes with the reference later is somebody new, with a first conversation of their own.
        let again = record(&domain, "ann").await;
        assert!(personal(&domain, &again).await.is_default);
        close(domain).await;
        verified(&house);
    }
}
