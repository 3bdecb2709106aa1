//! Who may write to what: the side that controls a structure, a credential's scopes and its structures.

use domain::{AccountNew, Door, Entrance, Grants, Permissions, Role, Rule, Visit};

use super::*;

const DOOR: Door = Door {
    dialect: "door",
    audience: &["door"],
    subject: |_, account| account.to_string(),
    life_s: 3_600,
};

/// An administrator who has signed in at the console.
async fn at_console(domain: &Domain) -> Context {
    const PASSWORD: &str = "a fine long password";
    let new = AccountNew {
        role: Role::Admin,
        permissions: Permissions::ADMINISTER,
        verified: true,
        ..AccountNew::of("root@example.org")
    };
    let entrance = Entrance::Password(PASSWORD.into());
    let made = domain.account_create(&context("a"), new, entrance).await;
    made.expect("is made");
    let visit = Visit::new(Mount::default(), "visit", None);
    let signed = domain.sign_in(&visit, &DOOR, "root@example.org", PASSWORD.into());
    let token = signed.await.expect("signs in").token.token;
    let caller = domain.caller_by_session(Mount::default(), &DOOR, &token);
    Context::new(caller.await.expect("is known"), "console")
}

/// What each verb that writes answers to somebody about the structure and its two audiences, of which the second is smart;
/// none of them is to be done.
async fn writes(
    domain: &Domain,
    by: &Context,
    root: i64,
    list: i64,
    smart: i64,
) -> Vec<(&'static str, &'static str)> {
    let at = AudienceRef::Id;
    let named = |name: &str| AudienceChange {
        name: Some(name.into()),
        ..AudienceChange::default()
    };
    let ruled = AudienceChange {
        rule: Some(Rule::Any(vec![])),
        ..AudienceChange::default()
    };
    let who = async || batch(domain, &["ann"]).await;
    let ann = vec![(email("ann"), Grants::INSIGHTS)];
    let new = AudienceNew::new(root, "new");
    vec![
        ("create", code(domain.audience_create(by, new).await)),
        (
            "rename",
            code(
                domain
                    .audience_change(by, at(list), named("x"), false)
                    .await,
            ),
        ),
        (
            "preview",
            code(domain.audience_change(by, at(list), named("x"), true).await),
        ),
        (
            "rename root",
            code(
                domain
                    .audience_change(by, at(root), named("x"), false)
                    .await,
            ),
        ),
        (
            "update",
            code(domain.audience_update(by, list, named("x")).await),
        ),
        (
            "update root",
            code(domain.structure_update(by, root, named("x")).await),
        ),
        (
            "rule",
            code(domain.audience_change(by, at(smart), ruled, false).await),
        ),
        (
            "add",
            code(
                domain
                    .member_add(by, AudienceRef::Id(list), who().await)
                    .await,
            ),
        ),
        (
            "add to root",
            code(
                domain
                    .member_add(by, AudienceRef::Id(root), who().await)
                    .await,
            ),
        ),
        (
            "remove",
            code(
                domain
                    .member_remove(by, AudienceRef::Id(list), who().await)
                    .await,
            ),
        ),
        (
            "remove from root",
            code(
                domain
                    .member_remove(by, AudienceRef::Id(root), who().await)
                    .await,
            ),
        ),
        (
            "replace",
            code(
                domain
                    .member_replace(by, AudienceRef::Id(list), who().await)
                    .await,
            ),
        ),
        (
            "empty",
            code(domain.member_empty(by, AudienceRef::Id(list)).await),
        ),
        (
            "empty root",
            code(domain.member_empty(by, AudienceRef::Id(root)).await),
        ),
        (
            "put",
            code(
                domain
                    .member_put(by, at(list), SOURCE, vec![email("ann")], true)
                    .await,
            ),
        ),
        (
            "remove named",
            code(
                domain
                    .member_remove_named(by, at(list), SOURCE, &email("ann"))
                    .await,
            ),
        ),
        (
            "managers",
            code(
                domain
                    .manager_put(by, at(root), Some(SOURCE), ann.clone(), true)
                    .await,
            ),
        ),
        (
            "managers of one",
            code(
                domain
                    .manager_put(by, at(list), Some(SOURCE), ann, false)
                    .await,
            ),
        ),
        (
            "no manager",
            code(
                domain
                    .manager_remove(by, at(list), Some(SOURCE), &email("ann"))
                    .await,
            ),
        ),
        ("delete", code(domain.audience_delete(by, list).await)),
        (
            "delete by name",
            code(domain.audience_remove(by, at(list)).await),
        ),
        (
            "delete root",
            code(domain.audience_remove(by, at(root)).await),
        ),
        (
            "delete structure",
            code(domain.structure_delete(by, root, true).await),
        ),
    ]
}

fn controlled(control: Control) -> AudienceChange {
    AudienceChange {
        control: Some(control),
        ..AudienceChange::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_only_the_side_that_controls_a_structure_writes_to_it() {
    for house in House::each() {
        let domain = house.open().await;
        let console = at_console(&domain).await;
        let program = credential(&domain, "admin", None).await;
        record(&domain, "ann").await;
        let free = structure(&domain, "free").await;
        let mover = child(&domain, free, "mover").await;
        for (control, kept_out, let_in) in [
            (Control::Console, &program, &console),
            (Control::Api, &console, &program),
        ] {
            let root = structure(&domain, "root").await;
            let list = child(&domain, root, "list").await;
            let new = AudienceNew {
                rule: Some(Rule::Audience(list)),
                ..AudienceNew::new(root, "smart")
            };
            let smart = domain.audience_create(&context("c"), new).await;
            let smart = smart.expect("is made").id;
            add(&domain, list, &["ann"]).await;
            change(&domain, root, controlled(control))
                .await
                .expect("is changed");
            for id in [list, smart] {
                assert_eq!(node(&domain, id).await.control, control);
            }
            let before = seq(&domain).await;
            for (verb, answer) in writes(&domain, kept_out, root, list, smart).await {
                assert_eq!(answer, "control", "{verb}, {control:?}");
            }
            // Nor in nor out by a move.
            for (id, to) in [(list, free), (mover, root)] {
                let (node, to) = (AudienceRef::Id(id), parent(to));
                let moved = domain.audience_change(kept_out, node, to, false).await;
                assert_eq!(code(moved), "control");
            }
            let new = StructureNew {
                control,
                ..StructureNew::new("theirs")
            };
            // Whoever makes a structure may leave it to the other side.
            let made = domain.structure_create(kept_out, new).await;
            made.expect("is made");
            // A change of control that changes nothing is no way around.
            let around = AudienceChange {
                name: Some("around".into()),
                ..controlled(control)
            };
            let around = domain.audience_change(kept_out, AudienceRef::Id(root), around, false);
            assert_eq!(code(around.await), "control");
            let one_more = before + 1;
            assert_eq!(seq(&domain).await, one_more, "nothing else was done");
            // Reading is free.
            let read = domain
                .audience_counted(&kept_out.caller, AudienceRef::Id(list))
                .await;
            assert_eq!(read.expect("reads").0.counts.people, 1);

            let filled = batch(&domain, &["bob"]).await;
            let filled = domain
                .member_add(let_in, AudienceRef::Id(list), filled)
                .await;
            assert_eq!(filled.expect("is added").added, 1);
            // Taken over, on the record.
            house.clock.advance(std::time::Duration::from_secs(1));
            let (taken, node) = (controlled(Control::Both), AudienceRef::Id(root));
            let taken = domain.audience_change(kept_out, node, taken, false).await;
            taken.expect("an administrator may");
            let log = domain.activity_list(&Caller::server(1), None, 1).await;
            let noted = log.expect("lists").remove(0);
            let said = format!("control_before={} control=both", control.as_str());
            assert_eq!((noted.noun, noted.detail), (Some(root), said));
            assert_eq!(noted.actor, kept_out.caller.actor());
            let child = super::node(&domain, smart).await;
            assert_eq!(child.control, Control::Both);
            assert_eq!(
                child.updated,
                house.clock.now_ms(),
                "so lists of changes have it"
            );
            let filled = batch(&domain, &["cat"]).await;
            let filled = domain
                .member_add(kept_out, AudienceRef::Id(list), filled)
                .await;
            assert_eq!(filled.expect("is added").added, 1);
            let gone = domain.structure_delete(kept_out, root, true).await;
            gone.expect("is deleted");
        }
        // Control is a structure's, and its change an administrator's.
        let answer = change(&domain, mover, controlled(Control::Api)).await;
        assert_eq!(code(answer), "not_a_structure");
        let program = credential(&domain, "audiences:write structures:write", None).await;
        let node = AudienceRef::Id(free);
        let answer = domain.audience_change(&program, node, controlled(Control::Api), false);
        assert_eq!(code(answer.await), "scope");
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_moved_audience_is_controlled_as_its_new_structure_is() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (structure(&domain, "1").await, structure(&domain, "2").await);
        let list = child(&domain, one, "list").await;
        change(&domain, two, controlled(Control::Api))
            .await
            .expect("is changed");
        let moved = move_to(&domain, list, two).await;
        assert_eq!(moved.audience.control, Control::Api);
        change(&domain, one, controlled(Control::Console))
            .await
            .expect("is changed");
        assert_eq!(node(&domain, list).await.control, Control::Api);
        assert_eq!(
            move_to(&domain, list, one).await.audience.control,
            Control::Console
        );
        let program = credential(&domain, "audiences:write", None).await;
        let added = domain.member_empty(&program, AudienceRef::Id(list)).await;
        assert_eq!(code(added), "control");
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_credential_stays_within_its_scopes_and_structures() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (structure(&domain, "1").await, structure(&domain, "2").await);
        let (ours, theirs) = (
            child(&domain, one, "o").await,
            child(&domain, two, "t").await,
        );
        let new = AudienceNew {
            rule: Some(Rule::Any(vec![])),
            ..AudienceNew::new(two, "smart")
        };
        let smart = domain.audience_create(&context("c"), new).await;
        let smart = smart.expect("is made").id;
        let all = "audiences:read audiences:write structures:write";
        let limited = credential(&domain, all, Some(vec![one])).await;
        let before = seq(&domain).await;
        for (verb, answer) in writes(&domain, &limited, two, theirs, smart).await {
            assert_eq!(answer, "structure", "{verb}");
        }
        for (id, to) in [(ours, two), (theirs, one)] {
            for dry_run in [true, false] {
                let moved =
                    domain.audience_change(&limited, AudienceRef::Id(id), parent(to), dry_run);
                assert_eq!(code(moved.await), "structure");
            }
        }
        let caller = &limited.caller;
        for id in [two, theirs] {
            let found = domain.audience_find(caller, AudienceRef::Id(id)).await;
            assert_eq!(code(found), "structure");
            let page = domain.member_page(
                caller,
                AudienceRef::Id(id),
                None,
                false,
                Window::After(0),
                9,
            );
            assert_eq!(code(page.await), "structure");
        }
        let roots = domain.tree_list(caller, None, 0, 10).await.expect("lists");
        let roots: Vec<i64> = roots.iter().map(|one| one.audience.id).collect();
        assert_eq!(roots, [one]);
        let listed = domain
            .audience_list(caller, None, 0, 10)
            .await
            .expect("lists");
        let listed: Vec<i64> = listed.iter().map(|one| one.audience.id).collect();
        assert_eq!(listed, [ours]);

        // Without the scope nothing is done, in one's own structure neither.
        let read = credential(&domain, "audiences:read people:read", None).await;
        for (verb, answer) in writes(&domain, &read, two, theirs, smart).await {
            assert_eq!(answer, "scope", "{verb}");
        }
        let write = credential(&domain, "audiences:write", None).await;
        let on_roots = [
            "rename root",
            "update root",
            "delete root",
            "delete structure",
        ];
        for (verb, answer) in [
            (
                "rename root",
                code(
                    domain
                        .audience_change(
                            &write,
                            AudienceRef::Id(two),
                            AudienceChange {
                                name: Some("x".into()),
                                ..AudienceChange::default()
                            },
                            false,
                        )
                        .await,
                ),
            ),
            (
                "delete root",
                code(domain.audience_remove(&write, AudienceRef::Id(two)).await),
            ),
            (
                "delete structure",
                code(domain.structure_delete(&write, two, true).await),
            ),
            (
                "create",
                code(
                    domain
                        .structure_create(&write, StructureNew::new("x"))
                        .await,
                ),
            ),
        ] {
            assert_eq!(answer, "scope", "{verb}, of {on_roots:?}");
        }
        assert_eq!(seq(&domain).await, before + 2, "the two credentials");
        close(domain).await;
        verified(&house);
    }
}
