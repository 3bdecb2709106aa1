//! Names and references of structures and audiences: which are free, what they mean, and that a change is whole or nothing.

use domain::WorkspaceNew;

use super::*;

fn renamed(name: &str) -> AudienceChange {
    AudienceChange {
        name: Some(name.into()),
        ..AudienceChange::default()
    }
}

fn referred(reference: &str) -> AudienceChange {
    AudienceChange {
        reference: Some(Some(reference.into())),
        ..AudienceChange::default()
    }
}

async fn found(domain: &Domain, name: &str) -> Result<i64> {
    let named = AudienceRef::Name(name.into());
    let found = domain.audience_find(&Caller::server(1), named).await;
    found.map(|found| found.audience.id)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_name_is_unique_in_its_structure_where_names_are() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (
            structure(&domain, "same").await,
            structure(&domain, "same").await,
        );
        let new = StructureNew {
            unique_names: false,
            ..StructureNew::new("same")
        };
        let loose = domain.structure_create(&context("s"), new).await;
        let loose = loose.expect("is made").id;
        let a = child(&domain, one, "a").await;
        let make = async |structure: i64, name: &str| {
            let new = AudienceNew::new(structure, name);
            domain.audience_create(&context("c"), new).await
        };
        assert_eq!(code(make(one, "a").await), "already_used");
        assert_eq!(code(make(one, " a ").await), "already_used");
        assert!(make(one, "A").await.is_ok(), "letters differ");
        let other = make(two, "a").await.expect("another structure").id;
        let twins = [make(loose, "a").await, make(loose, "a").await];
        let twins = twins.map(|one| one.expect("names repeat").id);
        let b = child(&domain, one, "b").await;
        assert_eq!(code(change(&domain, b, renamed("a")).await), "already_used");
        assert!(change(&domain, a, renamed("a")).await.is_ok(), "its own");

        // A move into a structure that has the name moves nothing, unless it takes another name with it.
        let before = seq(&domain).await;
        for id in [other, twins[0]] {
            assert_eq!(code(change(&domain, id, parent(one)).await), "already_used");
        }
        let both = AudienceChange {
            name: Some("b".into()),
            reference: Some(Some("moved".into())),
            ..parent(one)
        };
        assert_eq!(code(change(&domain, other, both).await), "already_used");
        assert_eq!(seq(&domain).await, before);
        let there = node(&domain, other).await;
        assert_eq!((there.structure, there.name.as_str()), (two, "a"));
        assert_eq!(
            (there.reference, code(found(&domain, "moved").await)),
            (None, "audience")
        );
        let away = AudienceChange {
            name: Some("c".into()),
            reference: Some(Some("moved".into())),
            description: Some(Some("text".into())),
            ..parent(one)
        };
        let done = change(&domain, other, away).await.expect("is moved");
        assert_eq!(
            (done.audience.structure, done.audience.name.as_str()),
            (one, "c")
        );
        assert_eq!(done.audience, node(&domain, other).await);
        assert_eq!(found(&domain, "moved").await, Ok(other));

        // Where names repeat they repeat for whoever comes, and where they do not, they do not any more.
        assert!(!move_to(&domain, a, loose).await.refused());
        assert!(make(loose, "a").await.is_ok());
        assert!(make(one, "a").await.is_ok(), "the name is free");
        let back = AudienceChange {
            name: Some("d".into()),
            ..parent(one)
        };
        assert!(change(&domain, twins[1], back).await.is_ok());
        assert_eq!(code(make(one, "d").await), "already_used");
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_reference_means_one_node_of_the_workspace() {
    for house in House::each() {
        let domain = house.open().await;
        let one = structure(&domain, "one").await;
        let (a, b) = (
            child(&domain, one, "a").await,
            child(&domain, one, "b").await,
        );
        let set = async |id: i64, reference: &str| change(&domain, id, referred(reference)).await;
        assert!(set(a, "group/a b%2F").await.is_ok());
        assert_eq!(found(&domain, "group/a b%2F").await, Ok(a));
        assert_eq!(code(found(&domain, "GROUP/a b%2F").await), "audience");
        assert_eq!(code(set(b, "group/a b%2F").await), "already_used");
        assert_eq!(code(set(one, " group/a b%2F ").await), "already_used");
        assert!(set(one, "root").await.is_ok());
        let new = StructureNew {
            reference: Some("root".into()),
            ..StructureNew::new("x")
        };
        let taken = domain.structure_create(&context("s"), new).await;
        assert_eq!(code(taken), "already_used");
        let new = AudienceNew {
            reference: Some("root".into()),
            ..AudienceNew::new(one, "x")
        };
        let taken = domain.audience_create(&context("c"), new).await;
        assert_eq!(code(taken), "already_used");

        // An id of this workspace is no reference, whether there is such an audience or not.
        for id in [a, one, 9_999] {
            let id = hex(1, IdKind::Audience, id);
            assert_eq!(code(set(b, &id).await), "already_used", "{id}");
        }
        assert_eq!(found(&domain, &hex(1, IdKind::Audience, b)).await, Ok(b));
        assert_eq!(
            found(&domain, &hex(1, IdKind::Audience, one)).await,
            Ok(one)
        );
        for nothing in [
            hex(1, IdKind::Audience, 9_999),
            hex(1, IdKind::Record, b),
            hex(2, IdKind::Audience, b),
            b.to_string(),
            "a".into(),
            String::new(),
            "a\0".into(),
            "' OR 1=1 --".into(),
        ] {
            assert_eq!(
                code(found(&domain, &nothing).await),
                "audience",
                "{nothing}"
            );
        }
        // One of another workspace or kind means nothing here, so it may be a reference, and is one then.
        let theirs = hex(2, IdKind::Audience, a);
        assert!(set(b, &theirs).await.is_ok());
        assert_eq!(found(&domain, &theirs).await, Ok(b));

        // It is free when it is cleared, when its audience is deleted and when its structure is.
        for wrong in ["", "  ", "a\nb", &"x".repeat(129)] {
            assert_eq!(code(set(b, wrong).await), "malformed", "{wrong:?}");
        }
        let cleared = AudienceChange {
            reference: Some(None),
            ..AudienceChange::default()
        };
        assert!(change(&domain, b, cleared).await.is_ok());
        assert_eq!(code(found(&domain, &theirs).await), "audience");
        let gone = domain.audience_delete(&context("d"), a).await;
        gone.expect("is deleted");
        assert!(set(b, "group/a b%2F").await.is_ok());
        let gone = domain.structure_delete(&context("d"), one, true).await;
        gone.expect("is deleted");
        let two = structure(&domain, "two").await;
        assert!(set(two, "group/a b%2F").await.is_ok());
        assert_eq!(found(&domain, "group/a b%2F").await, Ok(two));
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_an_audience_has_a_structure_above_it_and_nothing_else() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (structure(&domain, "1").await, structure(&domain, "2").await);
        let (a, b) = (
            child(&domain, one, "a").await,
            child(&domain, one, "b").await,
        );
        let before = seq(&domain).await;
        let to = |to: &str| AudienceChange {
            parent: Some(AudienceRef::Name(to.into())),
            ..AudienceChange::default()
        };
        let refused = async |id: i64, to: AudienceChange| code(change(&domain, id, to).await);
        assert_eq!(refused(a, parent(b)).await, "not_a_structure");
        assert_eq!(refused(a, parent(a)).await, "not_a_structure");
        assert_eq!(refused(one, parent(two)).await, "is_a_structure");
        assert_eq!(refused(one, parent(one)).await, "is_a_structure");
        assert_eq!(refused(one, parent(a)).await, "is_a_structure");
        assert_eq!(refused(a, parent(999)).await, "structure");
        assert_eq!(refused(a, to("nowhere")).await, "structure");
        assert_eq!(refused(999, parent(two)).await, "audience");
        assert_eq!(
            refused(a, to(&hex(2, IdKind::Audience, two))).await,
            "structure"
        );
        let below = domain
            .audience_create(&context("c"), AudienceNew::new(a, "x"))
            .await;
        assert_eq!(code(below), "not_a_structure");
        let below = domain
            .audience_create(&context("c"), AudienceNew::new(999, "x"))
            .await;
        assert_eq!(code(below), "structure");
        assert_eq!(seq(&domain).await, before);
        assert!(change(&domain, two, referred("second")).await.is_ok());
        let moved = change(&domain, a, to("second")).await.expect("is moved");
        assert_eq!(moved.parent.map(|parent| parent.id), Some(two));
        let moved = change(&domain, b, to(&hex(1, IdKind::Audience, two))).await;
        assert_eq!(moved.expect("is moved").audience.parent, Some(two));
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_another_workspace_is_not_there() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (structure(&domain, "1").await, structure(&domain, "2").await);
        let list = child(&domain, one, "list").await;
        add(&domain, list, &["ann"]).await;
        let new = WorkspaceNew {
            slug: "acme".into(),
            name: "Acme".into(),
            keep_identifiers: false,
        };
        let acme = domain.workspace_create(&Caller::server(1), new).await;
        let acme = acme.expect("is made").id;
        let theirs = Context::new(Caller::server(acme), "theirs");
        // Its numbers begin anew: make sure that none of theirs is one of ours.
        let their_root = domain
            .structure_create(&theirs, StructureNew::new("root"))
            .await;
        let their_root = their_root.expect("is made").id;
        for name in [
            hex(1, IdKind::Audience, list),
            hex(1, IdKind::Audience, one),
        ] {
            let named = AudienceRef::Name(name.clone());
            let found = domain.audience_find(&theirs.caller, named.clone()).await;
            assert_eq!(code(found), "audience");
            let changed = domain.audience_change(&theirs, named.clone(), renamed("x"), false);
            assert_eq!(code(changed.await), "audience");
            let removed = domain.audience_remove(&theirs, named.clone()).await;
            assert_eq!(code(removed), "audience");
            let put = domain.member_put(&theirs, named.clone(), SOURCE, vec![email("a")], true);
            assert_eq!(code(put.await), "audience");
            let new = AudienceNew {
                reference: Some(name),
                ..AudienceNew::new(their_root, "as a reference")
            };
            let made = domain.audience_create(&theirs, new).await.expect("is made");
            let found = domain.audience_find(&theirs.caller, named).await;
            assert_eq!(found.expect("by reference").audience.id, made.id);
            let gone = domain
                .audience_remove(&theirs, AudienceRef::Id(made.id))
                .await;
            gone.expect("is deleted");
        }
        let ann = *people(&domain, list).await.first().expect("somebody");
        let ann = hex(1, IdKind::Person, ann.into());
        let which = AudienceRef::Id(their_root);
        let put = domain
            .member_put(&theirs, which, SOURCE, vec![ann], false)
            .await;
        assert_eq!(put.expect("an answer").failed.len(), 1);
        assert_eq!(people(&domain, one).await.len(), 1);
        assert_eq!(node(&domain, two).await.name, "2");
        close(domain).await;
        verified(&house);
    }
}
