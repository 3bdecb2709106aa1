//! Who can join a structure by a move, who stays behind, and what a preview says of it.

use domain::{Moved, MovedCounts, Partial, RecordChange, RecordRef, Refused};

use super::*;

async fn put(domain: &Domain, audience: i64, who: &[&str]) -> Partial {
    let (context, node) = (context("put"), AudienceRef::Id(audience));
    let who = who.iter().map(|one| email(one)).collect();
    let put = domain.member_put(&context, node, SOURCE, who, false).await;
    put.expect("an answer")
}

async fn alter(domain: &Domain, who: &str, change: RecordChange) {
    let which = RecordRef::Email(email(who));
    let context = context("alter");
    let altered = domain.record_update(&context, SOURCE, which, change).await;
    altered.expect("is changed");
}

fn active(active: bool) -> RecordChange {
    RecordChange {
        active: Some(active),
        ..RecordChange::default()
    }
}

fn until(day: &str) -> RecordChange {
    RecordChange {
        ends: Some(Some(day.into())),
        ..RecordChange::default()
    }
}

fn moved(changed: Changed) -> Moved {
    changed.moved.expect("is a move")
}

/// A preview must answer what the move then does, and change nothing.
async fn foreseen(domain: &Domain, audience: i64, change: AudienceChange) -> Changed {
    let before = (node(domain, audience).await, seq(domain).await);
    let (asked, reference) = (context("preview"), AudienceRef::Id(audience));
    let preview = domain.audience_change(&asked, reference, change.clone(), true);
    let mut preview = preview.await.expect("a preview");
    assert_eq!(before, (node(domain, audience).await, seq(domain).await));
    let done = super::change(domain, audience, change).await;
    let done = done.expect("an answer");
    let counts = preview.counts.take().expect("a preview counts");
    assert_eq!(preview, done);
    assert_eq!(counts.people, people(domain, audience).await.len() as u64);
    done
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_nothing_moves_while_one_member_is_inactive() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (structure(&domain, "1").await, structure(&domain, "2").await);
        let list = child(&domain, one, "list").await;
        let ann = record(&domain, "ann").await.person;
        record(&domain, "bob").await;
        add(&domain, list, &["ann", "bob", "cat"]).await;
        alter(&domain, "ann", active(false)).await;
        let before = node(&domain, list).await;

        let renamed = AudienceChange {
            name: Some("other".into()),
            reference: Some(Some("other".into())),
            ..parent(two)
        };
        let refused = foreseen(&domain, list, renamed).await;
        assert!(refused.refused());
        let found = moved(refused);
        assert_eq!(found.inactive.to_vec(), [ann]);
        let counts = MovedCounts {
            members: 3,
            joined: 3,
            left: 3,
            inactive: 1,
            ..MovedCounts::default()
        };
        assert_eq!(found.counts, counts);
        assert_eq!(node(&domain, list).await, before, "neither name nor place");
        assert_eq!(people(&domain, two).await.len(), 0);
        assert_eq!(people(&domain, one).await.len(), 3);

        // Somebody who is in the new structure already joins nothing.
        add(&domain, two, &["ann"]).await;
        let done = foreseen(&domain, list, parent(two)).await;
        assert!(!done.refused());
        assert_eq!(
            (done.audience.structure, moved(done).joined.len()),
            (two, 2)
        );
        assert_eq!(people(&domain, two).await.len(), 3);
        assert_eq!(people(&domain, one).await.len(), 0);

        // Active again: nothing is in the way back, though two records name her.
        let other = RecordNew {
            email: Some(email("ann")),
            active: false,
            ..RecordNew::default()
        };
        let made = domain.record_create(&context("r"), "other", other).await;
        assert_eq!(made.expect("a record").person, ann);
        alter(&domain, "ann", active(true)).await;
        let still = foreseen(&domain, list, parent(one)).await;
        assert_eq!(moved(still).inactive.to_vec(), [ann], "by the other source");
        let which = RecordRef::Email(email("ann"));
        let gone = domain.record_delete(&context("r"), "other", which).await;
        gone.expect("is deleted");
        assert!(!foreseen(&domain, list, parent(one)).await.refused());
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_an_end_date_bars_from_the_midnight_after_it() {
    for house in House::each() {
        for swept in [false, true] {
            let domain = house.open().await;
            let name = |text: &str| format!("{text} {swept}");
            let one = structure(&domain, &name("one")).await;
            let two = structure(&domain, &name("two")).await;
            let list = child(&domain, one, "list").await;
            let who = if swept { "eve-swept" } else { "eve" };
            let eve = record(&domain, who).await.person;
            put(&domain, list, &[who]).await;
            let today = domain::rfc3339(house.clock.now_ms())[..10].to_owned();
            alter(&domain, who, until(&today)).await;
            let sweep = async || {
                if swept {
                    assert_eq!(domain.record_sweep(1).await, Ok(false));
                }
            };

            // The last millisecond of the last day.
            let to_midnight = 86_400_000 - house.clock.now_ms() % 86_400_000;
            let ms = |ms: i64| Duration::from_millis(u64::try_from(ms).expect("positive"));
            house.clock.advance(ms(to_midnight - 1));
            sweep().await;
            assert!(!move_to(&domain, list, two).await.refused());
            assert!(!move_to(&domain, list, one).await.refused());
            house.clock.advance(ms(1));
            sweep().await;
            let refused = foreseen(&domain, list, parent(two)).await;
            assert_eq!(moved(refused).ended.to_vec(), [eve], "swept: {swept}");
            let failed = put(&domain, two, &[who]).await;
            assert_eq!(failed.failed, [(email(who), Refused::Ended)]);
            assert_eq!(put(&domain, list, &[who]).await.done, [email(who)], "is in");

            // Of somebody inactive who has ended too, it is said that they are inactive.
            alter(&domain, who, active(false)).await;
            let refused = moved(move_to(&domain, list, two).await);
            assert_eq!((refused.inactive.len(), refused.ended.len()), (1, 0));
            alter(&domain, who, active(true)).await;
            sweep().await;

            // A later date lets them in again; without one, too.
            let today = domain::rfc3339(house.clock.now_ms())[..10].to_owned();
            alter(&domain, who, until(&today)).await;
            sweep().await;
            assert!(!foreseen(&domain, list, parent(two)).await.refused());
            house.clock.advance(DAY);
            assert!(foreseen(&domain, list, parent(one)).await.refused());
            let never = RecordChange {
                ends: Some(None),
                ..RecordChange::default()
            };
            alter(&domain, who, never).await;
            assert!(!foreseen(&domain, list, parent(one)).await.refused());
            close(domain).await;
            verified(&house);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_whoever_else_holds_them_keeps_them_behind() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (structure(&domain, "1").await, structure(&domain, "2").await);
        let (list, sibling) = (
            child(&domain, one, "list").await,
            child(&domain, one, "s").await,
        );
        for who in ["free", "sibling", "structure", "both"] {
            record(&domain, who).await;
        }
        add(&domain, list, &["free", "sibling", "structure", "both"]).await;
        add(&domain, sibling, &["sibling", "both"]).await;
        add(&domain, one, &["structure", "both"]).await;
        add(&domain, two, &["sibling"]).await;

        let found = moved(foreseen(&domain, list, parent(two)).await);
        let counts = MovedCounts {
            members: 4,
            joined: 3,
            left: 1,
            kept_by_audience: 2,
            kept_by_structure: 1,
            ..MovedCounts::default()
        };
        assert_eq!(found.counts, counts);
        assert_eq!((found.from, found.to), (one, two));
        let behind = ["both", "sibling", "structure"];
        assert_eq!(names(&domain, one).await, behind);
        let all = ["both", "free", "sibling", "structure"];
        assert_eq!(names(&domain, two).await, all);
        assert_eq!(names(&domain, list).await, all);

        // A smart sibling holds nobody; an empty audience moves too; a place where it is already is no move.
        let rule = domain::Rule::Audience(list);
        let smart = AudienceNew {
            rule: Some(rule),
            ..AudienceNew::new(two, "smart")
        };
        let smart = domain.audience_create(&context("smart"), smart).await;
        let smart = smart.expect("is made").id;
        let found = moved(foreseen(&domain, list, parent(one)).await);
        assert_eq!((found.counts.left, found.counts.joined), (3, 1));
        assert_eq!(found.counts.kept_by_structure, 1, "two holds the sibling");
        assert_eq!(people(&domain, smart).await.len(), 4);
        let none = moved(foreseen(&domain, smart, parent(one)).await);
        assert_eq!(
            none.counts,
            MovedCounts::default(),
            "a smart one takes nobody"
        );
        let before = seq(&domain).await;
        assert_eq!(move_to(&domain, list, one).await.moved, None);
        assert_eq!(seq(&domain).await, before, "nothing is logged");
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_list_of_names_is_done_as_far_as_it_can_be() {
    for house in House::each() {
        let domain = house.open().await;
        let one = structure(&domain, "one").await;
        let list = child(&domain, one, "list").await;
        let ann = record(&domain, "ann").await;
        for who in ["bob", "eve", "off"] {
            record(&domain, who).await;
        }
        alter(&domain, "eve", until("2025-12-31")).await;
        alter(&domain, "off", active(false)).await;
        let before = seq(&domain).await;
        let none = put(&domain, list, &["eve", "off", "nobody"]).await;
        assert_eq!(none.done, Vec::<String>::new());
        let failed = [
            (email("eve"), Refused::Ended),
            (email("off"), Refused::Inactive),
            (email("nobody"), Refused::Unknown),
        ];
        assert_eq!(none.failed, failed);
        assert_eq!(seq(&domain).await, before, "nothing is stored");

        // By record, by person, by address in other letters; twice is once.
        let (context, node) = (context("put"), AudienceRef::Id(list));
        let names = vec![
            hex(1, IdKind::Record, ann.id),
            hex(1, IdKind::Person, ann.person.into()),
            hex(2, IdKind::Record, ann.id),
            hex(1, IdKind::Account, ann.id),
            hex(1, IdKind::Person, 999),
            "BOB@Example.org".into(),
            "BOB@Example.org".into(),
            email("off"),
        ];
        let put = domain.member_put(&context, node.clone(), SOURCE, names.clone(), true);
        let put = put.await.expect("an answer");
        assert_eq!(
            put.done,
            [&names[0], &names[1], &names[5]].map(String::clone)
        );
        let failed: Vec<_> = put.failed.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(
            failed,
            [&names[2], &names[3], &names[4], &names[7]].map(String::clone)
        );
        assert_eq!(super::names(&domain, list).await, ["ann", "bob"]);
        // Another source knows nobody.
        let other = domain.member_put(&context, node.clone(), "other", vec![email("ann")], false);
        assert_eq!(other.await.expect("an answer").failed.len(), 1);

        // Who is in stays in, though they could not come again.
        alter(&domain, "ann", active(false)).await;
        let kept = domain.member_put(&context, node, SOURCE, vec![email("ann")], true);
        assert_eq!(kept.await.expect("an answer").done, [email("ann")]);
        assert_eq!(super::names(&domain, list).await, ["ann"]);
        close(domain).await;
        verified(&house);
    }
}
