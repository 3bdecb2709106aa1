//! Two things at once, of one process or of two: whatever comes first, what holds afterwards is consistent.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use domain::Deletion;

use super::*;

/// Two processes on one PostgreSQL; on SQLite one stands for both.
async fn two(house: &House) -> (Domain, Domain) {
    let one = house.open().await;
    let two = match house.engine() {
        "postgres" => house.open_as("two").await,
        _ => one.clone(),
    };
    (one, two)
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

/// Everybody in an audience is in its structure, and both processes say the same.
async fn consistent(one: &Domain, two: &Domain, structures: &[i64]) {
    for &root in structures {
        let all = people(one, root).await;
        assert_eq!(all, people(two, root).await);
        let listed = one
            .audience_list(&Caller::server(1), Some(root), 0, 100)
            .await;
        let listed = listed.expect("lists");
        let again = two
            .audience_list(&Caller::server(1), Some(root), 0, 100)
            .await;
        assert_eq!(again.as_ref(), Ok(&listed));
        for found in listed {
            assert_eq!(found.audience.structure, root);
            let members = people(one, found.audience.id).await;
            assert!(members.is_subset(&all));
            assert_eq!(found.counts.people, members.len() as u64);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_two_moves_of_one_audience_end_in_one_place() {
    for house in House::each() {
        let (here, there) = two(&house).await;
        let mut roots = Vec::new();
        for name in ["1", "2", "3"] {
            roots.push(structure(&here, name).await);
        }
        let list = child(&here, roots[0], "list").await;
        add(&here, list, &["ann", "bob"]).await;
        for turn in 0..12 {
            let (left, right) = (roots[(turn + 1) % 3], roots[(turn + 2) % 3]);
            let before = node(&here, list).await.structure;
            let (first, second) =
                tokio::join!(move_to(&here, list, left), move_to(&there, list, right));
            let place = node(&here, list).await.structure;
            assert!([left, right].contains(&place));
            // One came from where it was, the other from where the one put it.
            let ways = [first.moved, second.moved].into_iter().flatten();
            let mut ways: Vec<(i64, i64)> = ways.map(|way| (way.from, way.to)).collect();
            if ways.len() == 2 && ways[0].0 != before {
                ways.reverse();
            }
            let mut at = before;
            for (from, to) in ways {
                assert_eq!(from, at);
                at = to;
            }
            assert_eq!(at, place);
            for &root in &roots {
                let expected = if root == place { 2 } else { 0 };
                assert_eq!(people(&there, root).await.len(), expected);
            }
        }
        consistent(&here, &there, &roots).await;
        closed(&house, here, there).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_who_is_added_during_a_move_is_where_the_audience_is() {
    for house in House::each() {
        let (here, there) = two(&house).await;
        let roots = [structure(&here, "1").await, structure(&here, "2").await];
        let list = child(&here, roots[0], "list").await;
        for turn in 0..12usize {
            let to = roots[(turn + 1) % 2];
            let who = format!("person{turn}");
            let who = [who.as_str()];
            let removed = batch(&there, &["person0"]).await;
            let (context, root) = (context("r"), roots[turn % 2]);
            let (moved, (), removed) = tokio::join!(
                move_to(&here, list, to),
                add(&there, list, &who),
                there.member_remove(&context, AudienceRef::Id(root), removed),
            );
            assert!(!moved.refused());
            removed.expect("an answer");
            assert_eq!(node(&there, list).await.structure, to);
            assert_eq!(people(&here, to).await, people(&there, list).await);
            assert!(people(&here, roots[turn % 2]).await.is_empty());
        }
        consistent(&here, &there, &roots).await;
        closed(&house, here, there).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_what_is_added_to_during_its_deletion_is_deleted() {
    for house in House::each() {
        let (here, there) = two(&house).await;
        let kept = structure(&here, "kept").await;
        for turn in 0..8 {
            let root = structure(&here, "root").await;
            let list = child(&here, root, "list").await;
            let also = child(&here, kept, &format!("also {turn}")).await;
            add(&here, also, &["ann"]).await;
            let some = batch(&there, &["ann", "bob"]).await;
            let (one, other, third) = (context("d"), context("a"), context("c"));
            let ann = vec![(hex(1, IdKind::Person, 1), domain::Grants::INSIGHTS)];
            let (gone, added, made, moved, put) = tokio::join!(
                here.structure_delete(&one, root, true),
                there.member_add(&other, AudienceRef::Id(list), some),
                there.audience_create(&third, AudienceNew::new(root, "late")),
                there.audience_change(&third, AudienceRef::Id(also), parent(root), false),
                here.manager_put(&third, AudienceRef::Id(list), None, ann, false),
            );
            assert_eq!(gone, Ok(Deletion::Done));
            assert!(added.is_ok() || code(added) == "audience");
            assert!(made.is_ok() || code(made) == "structure");
            assert!(put.is_ok() || code(put) == "audience");
            // It went with the structure, or it stayed where it was.
            let found = here
                .audience_find(&Caller::server(1), AudienceRef::Id(also))
                .await;
            match (moved, found) {
                (Ok(_), found) => assert_eq!(code(found), "audience"),
                (moved, found) => {
                    assert_eq!(code(moved), "structure");
                    assert_eq!(found.expect("is there").audience.structure, kept);
                }
            }
            let state = there.store().state(1).await.expect("a state");
            for set in [root, list] {
                assert!(state.set(set).expect("reads").is_empty());
            }
            let left = there.audience_list(&Caller::server(1), None, 0, 100).await;
            let left = left.expect("lists");
            assert!(left.iter().all(|one| one.audience.structure == kept));
        }
        consistent(&here, &there, &[kept]).await;
        closed(&house, here, there).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_two_of_one_name_or_reference_are_not_made_at_once() {
    for house in House::each() {
        let (here, there) = two(&house).await;
        let roots = [structure(&here, "1").await, structure(&here, "2").await];
        for turn in 0..8 {
            let (a, b) = (
                child(&here, roots[0], &format!("a{turn}")).await,
                child(&here, roots[1], &format!("b{turn}")).await,
            );
            let named = |reference: &str| AudienceChange {
                name: Some(format!("same {turn}")),
                reference: Some(Some(reference.into())),
                ..parent(roots[1])
            };
            let (one, other) = (named(&format!("x{turn}")), named(&format!("x{turn}")));
            let (first, second) = tokio::join!(change(&here, a, one), change(&there, b, other));
            assert_eq!(first.is_ok(), second.is_err(), "one of them");
            let refused = first.err().or(second.err()).expect("one is refused");
            assert_eq!(code::<()>(Err(refused)), "already_used");
        }
        consistent(&here, &there, &roots).await;
        closed(&house, here, there).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tree_no_read_misses_somebody_who_was_in_a_structure_all_along() {
    for house in House::each() {
        let (here, there) = two(&house).await;
        let root = structure(&here, "root").await;
        let mut list = child(&here, root, "list").await;
        add(&here, list, &["ann"]).await;
        let ann = people(&here, root).await;
        let done = Arc::new(AtomicBool::new(false));
        let readers = [here.clone(), there.clone()].map(|domain| {
            let (done, ann, engine) = (Arc::clone(&done), ann.clone(), house.engine());
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(people(&domain, root).await, ann, "{engine}");
                }
            })
        });
        // Ann is in the next audience before the last one goes, as often as not within one group of commands.
        for turn in 0..150 {
            let next = child(&here, root, &format!("list {turn}")).await;
            let context = context("delete");
            let ((), gone) = tokio::join!(
                add(&here, next, &["ann"]),
                here.audience_delete(&context, list)
            );
            gone.expect("is deleted");
            list = next;
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.await.expect("she was always there");
        }
        closed(&house, here, there).await;
    }
}
