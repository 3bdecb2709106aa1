//! A structure and its audiences: whoever is out of the one is out of the others, who stays, and what a deletion leaves.

use std::collections::BTreeMap;

use domain::{Activity, Deletion, Grants};

use super::*;

async fn remove(domain: &Domain, audience: i64, who: &[&str]) -> domain::MemberOutcome {
    let batch = batch(domain, who).await;
    let removed = domain
        .member_remove(&context("remove"), AudienceRef::Id(audience), batch)
        .await;
    removed.expect("is removed")
}

async fn newest(domain: &Domain) -> Activity {
    let log = domain.activity_list(&Caller::server(1), None, 1).await;
    log.expect("lists").remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_out_of_the_structure_is_out_of_all_of_it_in_one_change() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (structure(&domain, "1").await, structure(&domain, "2").await);
        let (a, b) = (
            child(&domain, one, "a").await,
            child(&domain, one, "b").await,
        );
        let elsewhere = child(&domain, two, "elsewhere").await;
        for who in ["ann", "bob", "cat"] {
            record(&domain, who).await;
        }
        for node in [a, b, elsewhere, one] {
            add(&domain, node, &["ann", "bob"]).await;
        }
        add(&domain, a, &["cat"]).await;
        let before = seq(&domain).await;
        house.clock.advance(DAY);
        let outcome = remove(&domain, one, &["ann", "cat", "stranger"]).await;
        assert_eq!((outcome.removed, outcome.added, outcome.people), (2, 0, 1));
        assert_eq!(seq(&domain).await, before + 1, "one change");
        let noted = newest(&domain).await;
        let expected = i64::try_from(before + 1).expect("small");
        assert_eq!((noted.seq, noted.noun), (Some(expected), Some(one)));
        assert_eq!(noted.detail, "added=0 removed=2");
        for node in [a, b, one] {
            assert_eq!(names(&domain, node).await, ["bob"]);
        }
        assert_eq!(names(&domain, elsewhere).await, ["ann", "bob"]);
        // Each that lost somebody says when.
        for (id, touched) in [
            (one, true),
            (a, true),
            (b, true),
            (two, false),
            (elsewhere, false),
        ] {
            let at = node(&domain, id).await.updated;
            assert_eq!(at == house.clock.now_ms(), touched, "{id}");
        }

        // By name, and all of them: one change each.
        let before = seq(&domain).await;
        let (context, which) = (context("remove"), AudienceRef::Id(one));
        let who = email("bob");
        let gone = domain
            .member_remove_named(&context, which.clone(), SOURCE, &who)
            .await;
        gone.expect("is removed");
        let again = domain
            .member_remove_named(&context, which, SOURCE, &who)
            .await;
        assert_eq!(code(again), "member");
        assert!(people(&domain, b).await.is_empty());
        add(&domain, a, &["ann"]).await;
        add(&domain, b, &["bob"]).await;
        let emptied = domain.member_empty(&context, AudienceRef::Id(one)).await;
        assert_eq!(emptied.expect("is emptied").removed, 2);
        assert_eq!(seq(&domain).await, before + 4);
        for node in [a, b, one] {
            assert!(people(&domain, node).await.is_empty());
        }
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_out_of_an_audience_stays_in_the_structure_where_another_holds_them() {
    for house in House::each() {
        let domain = house.open().await;
        let one = structure(&domain, "one").await;
        let (a, b) = (
            child(&domain, one, "a").await,
            child(&domain, one, "b").await,
        );
        for who in ["alone", "sibling", "structure"] {
            record(&domain, who).await;
        }
        let all = ["alone", "sibling", "structure"];
        let cases: [(&str, &[&str]); 4] = [
            ("removed", &["sibling", "structure"]),
            ("emptied", &["sibling", "structure"]),
            ("replaced", &["sibling", "structure"]),
            ("deleted", &["sibling", "structure"]),
        ];
        for (how, left) in cases {
            add(&domain, a, &all).await;
            add(&domain, b, &["sibling"]).await;
            add(&domain, one, &["structure"]).await;
            assert_eq!(names(&domain, one).await, all);
            match how {
                "removed" => assert_eq!(remove(&domain, a, &all).await.removed, 3),
                "emptied" => {
                    let emptied = domain.member_empty(&context("e"), AudienceRef::Id(a)).await;
                    assert_eq!(emptied.expect("is emptied").removed, 3);
                }
                "replaced" => {
                    let batch = batch(&domain, &["sibling"]).await;
                    let replaced = domain
                        .member_replace(&context("r"), AudienceRef::Id(a), batch)
                        .await;
                    assert_eq!(replaced.expect("is replaced").removed, 2);
                }
                _ => {
                    let deleted = domain.audience_delete(&context("d"), a).await;
                    deleted.expect("is deleted");
                }
            }
            assert_eq!(names(&domain, one).await, left, "{how}");
        }
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_replacing_a_structure_leaves_exactly_those() {
    for house in House::each() {
        let domain = house.open().await;
        let one = structure(&domain, "one").await;
        let (a, b) = (
            child(&domain, one, "a").await,
            child(&domain, one, "b").await,
        );
        for who in ["ann", "bob", "cat", "dan"] {
            record(&domain, who).await;
        }
        add(&domain, a, &["ann", "bob"]).await;
        add(&domain, b, &["cat"]).await;
        let batch = batch(&domain, &["bob", "dan"]).await;
        let done = domain
            .member_replace(&context("r"), AudienceRef::Id(one), batch)
            .await;
        let done = done.expect("is replaced");
        assert_eq!((done.added, done.removed, done.people), (1, 2, 2));
        assert_eq!(names(&domain, one).await, ["bob", "dan"]);
        assert_eq!(names(&domain, a).await, ["bob"]);
        assert!(people(&domain, b).await.is_empty());
        // Who was named is the structure's own now, and stays when the audience lets go.
        assert_eq!(remove(&domain, a, &["bob"]).await.removed, 1);
        assert_eq!(names(&domain, one).await, ["bob", "dan"]);
        // Adding who is in by an audience brings nobody in.
        add(&domain, a, &["ann"]).await;
        let batch = super::batch(&domain, &["ann"]).await;
        let added = domain
            .member_add(&context("a"), AudienceRef::Id(one), batch)
            .await;
        assert_eq!(added.expect("is added").added, 0);
        remove(&domain, a, &["ann"]).await;
        assert_eq!(names(&domain, one).await, ["ann", "bob", "dan"]);
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_deletion_leaves_nothing() {
    for house in House::each() {
        let domain = house.open().await;
        let kept = structure(&domain, "kept").await;
        let people_of_kept = child(&domain, kept, "list").await;
        let ann = record(&domain, "ann").await;
        let ann = hex(1, IdKind::Person, ann.person.into());
        add(&domain, people_of_kept, &["ann"]).await;
        let sets = async || -> BTreeMap<i64, u64> {
            let state = domain.store().state(1).await.expect("a state");
            state.sets().filter(|(id, _)| *id > 0).collect()
        };
        let before = sets().await;
        let one = structure(&domain, "one").await;
        let mut nodes = vec![one];
        for name in ["a", "b", "c"] {
            nodes.push(child(&domain, one, name).await);
        }
        for id in &nodes {
            add(&domain, *id, &["ann", "bob"]).await;
            let (context, which) = (context("m"), AudienceRef::Id(*id));
            let managers = vec![(ann.clone(), Grants::MANAGE_MEMBERS)];
            let put = domain.manager_put(&context, which, None, managers, false);
            assert_eq!(put.await.expect("is one").done.len(), 1);
        }
        let refused = domain.structure_delete(&context("d"), one, false).await;
        assert_eq!(code(refused), "conflict");
        assert_eq!(people(&domain, nodes[1]).await.len(), 2, "nothing is gone");
        let as_audience = domain.audience_delete(&context("d"), one).await;
        assert_eq!(code(as_audience), "audience", "a structure is no audience");
        let as_structure = domain.structure_delete(&context("d"), nodes[1], true).await;
        assert_eq!(
            code(as_structure),
            "structure",
            "an audience is no structure"
        );

        let which = AudienceRef::Id(nodes[1]);
        let one_gone = domain.audience_remove(&context("d"), which).await;
        assert_eq!(one_gone, Ok(Deletion::Done));
        let seq_before = seq(&domain).await;
        let gone = domain.structure_delete(&context("d"), one, true).await;
        assert_eq!(gone, Ok(Deletion::Done));
        assert_eq!(seq(&domain).await, seq_before + 1, "one change");
        for id in nodes {
            let found = domain
                .audience_find(&Caller::server(1), AudienceRef::Id(id))
                .await;
            assert_eq!(code(found), "audience");
        }
        assert_eq!(sets().await, before);
        // The name is free again, and an id is never given twice.
        let again = structure(&domain, "one").await;
        assert!(again > one);
        assert_eq!(
            domain.structure_delete(&context("d"), again, false).await,
            Ok(Deletion::Done)
        );
        assert_eq!(domain.jobs_run().await, Ok(false), "no job was needed");
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_moved_audience_answers_the_same_to_the_same_idempotency_key() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (structure(&domain, "1").await, structure(&domain, "2").await);
        let list = child(&domain, one, "list").await;
        add(&domain, list, &["ann", "bob"]).await;
        add(&domain, one, &["bob"]).await;
        let keyed = |body: &str| domain::Keyed::new("move", &[body.as_bytes()]).expect("a key");
        let moved = async |body: &str, to: i64| {
            let (context, node) = (context("m").keyed(Some(keyed(body))), AudienceRef::Id(list));
            domain
                .audience_change(&context, node, parent(to), false)
                .await
        };
        let first = moved("a", two).await.expect("is moved");
        let before = seq(&domain).await;
        let again = moved("a", two).await.expect("is remembered");
        assert_eq!(seq(&domain).await, before);
        assert_eq!(
            (&first.audience, &first.parent),
            (&again.audience, &again.parent)
        );
        let counts = |changed: &Changed| {
            changed
                .moved
                .as_ref()
                .map(|one| (one.from, one.to, one.counts))
        };
        assert_eq!(counts(&first), counts(&again));
        let moved_counts = first.moved.expect("a move").counts;
        assert_eq!((moved_counts.left, moved_counts.kept_by_structure), (1, 1));
        assert_eq!(moved("b", one).await.map(drop), Err(Error::KeyReused));
        // Also after it was moved on, and of one that was refused.
        move_to(&domain, list, one).await;
        let again = moved("a", two).await.expect("is remembered");
        assert_eq!(
            (
                again.audience.structure,
                node(&domain, list).await.structure
            ),
            (two, one)
        );
        close(domain).await;
        verified(&house);
    }
}
