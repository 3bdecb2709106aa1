//! Participants: who may join and leave, how many, and with which clients.

use domain::{Channel, ParticipantRef};

use super::{conversations::participants, *};

async fn join(domain: &Domain, to: &Conversation, who: &Record) -> Result<domain::Participant> {
    let who = RecordRef::Id(who.id);
    domain
        .participant_join(&program(1), SOURCE, to.id, who, false)
        .await
}

async fn leave(domain: &Domain, from: &Conversation, who: ParticipantRef) -> Result<()> {
    domain
        .participant_leave(&program(1), SOURCE, from.id, who)
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_people_join_and_leave_a_group() {
    for house in House::each() {
        let domain = house.open().await;
        let (ann, bob) = (record(&domain, "ann").await, record(&domain, "bob").await);
        let one = group(&domain, &[&ann]).await;
        let joined = join(&domain, &one, &bob).await.expect("joins");
        assert_eq!((joined.record, joined.unread), (bob.id, 0));
        assert_eq!(joined.reference.as_deref(), Some("bob"));
        said(&domain, &one, "hello").await;
        let before = seq(&domain).await;
        let again = join(&domain, &one, &bob).await.expect("is in");
        assert_eq!((again.id, again.unread), (joined.id, 1), "as it is");
        assert_eq!(seq(&domain).await, before);

        let who = |all: &[domain::Participant]| -> Vec<i64> {
            all.iter().map(|one| one.record).collect()
        };
        let all = participants(&domain, &one).await;
        assert_eq!(who(&all), [ann.id, bob.id]);
        leave(&domain, &one, ParticipantRef::Id(all[0].id))
            .await
            .expect("leaves");
        assert_eq!(who(&participants(&domain, &one).await), [bob.id]);
        let by_name = ParticipantRef::Record(RecordRef::Reference("bob".into()));
        leave(&domain, &one, by_name.clone()).await.expect("leaves");
        assert_eq!(participants(&domain, &one).await, []);
        assert_eq!(
            refused(leave(&domain, &one, by_name).await),
            "no participant"
        );
        let gone = leave(&domain, &one, ParticipantRef::Id(all[0].id)).await;
        assert_eq!(refused(gone), "no participant");
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_personal_conversation_is_of_one_person_for_good() {
    for house in House::each() {
        let domain = house.open().await;
        let (ann, bob) = (record(&domain, "ann").await, record(&domain, "bob").await);
        let own = personal(&domain, &ann).await;
        let before = seq(&domain).await;
        assert_eq!(refused(join(&domain, &own, &bob).await), "conflict");
        assert!(join(&domain, &own, &ann).await.is_ok(), "is in already");
        let who = ParticipantRef::Record(RecordRef::Id(ann.id));
        assert_eq!(refused(leave(&domain, &own, who).await), "conflict");
        let who = ParticipantRef::Record(RecordRef::Id(bob.id));
        assert_eq!(refused(leave(&domain, &own, who).await), "no participant");
        assert_eq!(seq(&domain).await, before, "nothing was stored");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_a_group_has_room_for_ten() {
    for house in House::each() {
        let domain = house.open().await;
        let mut people = Vec::new();
        for number in 0..11 {
            people.push(record(&domain, &format!("p{number}")).await);
        }
        let one = group(&domain, &people[..9].iter().collect::<Vec<_>>()).await;
        join(&domain, &one, &people[9]).await.expect("is the tenth");
        let before = seq(&domain).await;
        let eleventh = join(&domain, &one, &people[10]).await;
        assert_eq!(refused(eleventh), "participants too_many");
        let nobody = domain
            .participant_join(&program(1), SOURCE, one.id, RecordRef::Id(4_711), false)
            .await;
        assert_eq!(refused(nobody), "no record");
        let nowhere = domain
            .participant_join(
                &program(1),
                SOURCE,
                4_711,
                RecordRef::Id(people[0].id),
                false,
            )
            .await;
        assert_eq!(refused(nowhere), "no conversation");
        let elsewhere = domain
            .participant_join(
                &program(1),
                "other",
                one.id,
                RecordRef::Id(people[0].id),
                false,
            )
            .await;
        assert_eq!(refused(elsewhere), "no conversation");
        assert_eq!(seq(&domain).await, before, "nothing was stored");

        let list = async |page: CursorQuery| {
            let page = domain
                .participant_list(&program(1).caller, one.id, &page)
                .await
                .expect("lists");
            let found = page.items.iter().map(|one| one.record).collect::<Vec<_>>();
            (
                found,
                page.items.last().map_or(0, |one| one.id),
                page.has_after,
            )
        };
        let ids: Vec<i64> = people[..10].iter().map(|one| one.id).collect();
        let (some, last, more) = list(first(6)).await;
        assert_eq!((some.as_slice(), more), (&ids[..6], true));
        let (rest, _, more) = list(after(last, 6)).await;
        assert_eq!((rest.as_slice(), more), (&ids[6..], false));
        let (back, _, more) = list(before_of(&domain, &one, 9).await).await;
        assert_eq!((back.as_slice(), more), (&ids[7..9], true));
        close(domain).await;
    }
}

/// The two before the one at this place.
async fn before_of(domain: &Domain, conversation: &Conversation, at: usize) -> CursorQuery {
    super::before(participants(domain, conversation).await[at].id, 2)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_the_newest_program_of_a_participant_is_subscribed() {
    for house in House::each() {
        let domain = house.open().await;
        let sign_in = async |device: &str| {
            domain
                .client_sign_in(&program(1), SOURCE, "ann", device, None)
                .await
                .expect("signs in")
        };
        let (ann, _) = sign_in("old phone").await;
        let (_, tablet) = sign_in("tablet").await;
        let (_, phone) = sign_in("phone").await;
        domain
            .client_sign_out(&program(1), SOURCE, "ann", "phone")
            .await
            .expect("signs out");
        assert!(phone.id > tablet.id);
        let subscribed = ConversationNew {
            participants: vec![(RecordRef::Id(ann.id), true)],
            ..with(ConversationKind::Personal, &[])
        };
        let own = converse(&domain, subscribed).await.expect("is made");
        let clients = |all: Vec<domain::Participant>| all[0].clients.clone();
        let with_tablet = [(tablet.id, Channel::Sdk)];
        assert_eq!(clients(participants(&domain, &own).await), with_tablet);
        let other = personal(&domain, &ann).await;
        assert_eq!(clients(participants(&domain, &other).await), []);
        let both = group(&domain, &[]).await;
        let joined = domain
            .participant_join(&program(1), SOURCE, both.id, RecordRef::Id(ann.id), true)
            .await;
        assert_eq!(joined.expect("joins").clients, with_tablet);

        // Whoever has no program takes part all the same.
        let bob = record(&domain, "bob").await;
        let joined = domain
            .participant_join(&program(1), SOURCE, both.id, RecordRef::Id(bob.id), true)
            .await;
        assert_eq!(joined.expect("joins").clients, []);
        domain
            .client_sign_out(&program(1), SOURCE, "ann", "tablet")
            .await
            .expect("signs out");
        assert_eq!(clients(participants(&domain, &own).await), []);
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_everything_about_people_needs_its_scope() {
    for house in House::each() {
        let domain = house.open().await;
        let ann = record(&domain, "ann").await;
        let one = group(&domain, &[&ann]).await;
        let less = Context::new(
            caller(1, &[Scope::Integrations, Scope::PeopleWrite]),
            "less",
        );
        let narrow = narrow();
        let who = || RecordRef::Id(ann.id);
        for (context, expected) in [
            (&less, "forbidden Scope(Channels)"),
            (&narrow, "forbidden EveryStructure"),
        ] {
            let caller = &context.caller;
            let new = with(ConversationKind::Personal, &[&ann]);
            let change = domain::ConversationChange::default();
            let message = says(business(), text("hello"));
            let leaver = ParticipantRef::Record(who());
            for denied in [
                domain
                    .conversation_create(context, SOURCE, new)
                    .await
                    .map(drop),
                domain
                    .conversation_list(caller, SOURCE, who(), &first(1))
                    .await
                    .map(drop),
                domain.conversation_get(caller, one.id).await.map(drop),
                domain
                    .conversation_update(context, one.id, change)
                    .await
                    .map(drop),
                domain.conversation_delete(context, one.id).await,
                domain
                    .conversation_notice(context, SOURCE, one.id, None, domain::Notice::Read)
                    .await,
                domain
                    .participant_list(caller, one.id, &first(1))
                    .await
                    .map(drop),
                domain
                    .participant_join(context, SOURCE, one.id, who(), false)
                    .await
                    .map(drop),
                domain
                    .participant_leave(context, SOURCE, one.id, leaver)
                    .await,
                domain
                    .message_post(context, SOURCE, one.id, message)
                    .await
                    .map(drop),
                domain
                    .message_list(caller, one.id, &first(1))
                    .await
                    .map(drop),
                domain.message_delete(context, one.id, 1).await,
                domain.messages_delete(context, one.id).await,
            ] {
                assert_eq!(refused(denied), expected);
            }
        }
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_somebody_takes_part_in_a_thousand_conversations() {
    for house in House::each() {
        let domain = house.open().await;
        let (ann, bob) = (record(&domain, "ann").await, record(&domain, "bob").await);
        let one = group(&domain, &[&bob]).await;
        close(domain).await;
        let many = format!(
            "{MANY} INSERT INTO participant SELECT 1, 1000000 + n, 2000000 + n, {}, 0, NULL, '', 0 FROM many",
            ann.id
        );
        execute(&house, &many);
        let domain = house.open().await;
        join(&domain, &one, &ann).await.expect("is the thousandth");
        let other = group(&domain, &[&bob]).await;
        let before = seq(&domain).await;
        let full = join(&domain, &other, &ann).await;
        assert_eq!(refused(full), "participants too_many");
        for kind in [ConversationKind::Personal, ConversationKind::Group] {
            let full = converse(&domain, with(kind, &[&ann])).await;
            assert_eq!(refused(full), "participants too_many");
        }
        assert_eq!(seq(&domain).await, before, "nothing was stored");
        close(domain).await;
    }
}
