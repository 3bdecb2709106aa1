//! What accounts and their keys may do, and what they may not by any way around.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn nobody_raises_their_own_rights() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        made(&domain, workspace, "root@example.org", Role::Admin).await;
        for role in [Role::Advertiser, Role::Retailer] {
            let email = format!("{}@example.org", role.as_str());
            let id = made(&domain, workspace, &email, role).await;
            let own = signed_in(&domain, &email).await;
            let before = domain
                .account_get(&own.caller, AccountRef::Id(id))
                .await
                .expect("reads");
            let greedy = || AccountChange {
                name: Some(Some("Ann Lee".into())),
                username: Some("another".into()),
                active: Some(false),
                verified: Some(true),
                administrator: Some(true),
                role: Some(Role::Admin),
                site_permissions: Some(Permissions::SITE),
                resource_permissions: Some(Permissions::RESOURCE),
                groups: Some(vec![]),
                call_limit: Some(None),
                budget: Some(Money::from_thousandths(1)),
                credit: Some(Money::from_thousandths(1)),
                ..AccountChange::default()
            };
            let refused = domain
                .account_update(&own, AccountRef::Id(id), greedy(), Excess::Refuse)
                .await;
            assert!(matches!(refused, Err(Error::Forbidden(_))));
            let after = domain
                .account_update(&own, AccountRef::Id(id), greedy(), Excess::Drop)
                .await
                .expect("drops");
            let mut expected = before.clone();
            expected.account.name = Some("Ann Lee".into());
            expected.account.updated = after.account.updated;
            expected.account.last_seen = after.account.last_seen;
            assert_eq!(after, expected);
            let log = domain
                .activity_list(&Caller::server(workspace), None, 1)
                .await
                .expect("lists");
            assert!(
                log[0]
                    .detail
                    .contains("dropped=username,active,verified,administrator,role")
            );
        }
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_registers_with_rights_and_the_log_says_who_tried() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        let new = AccountNew {
            permissions: Permissions::ALL,
            active: false,
            verified: true,
            budget: Money::from_thousandths(1),
            ..AccountNew::of("eve@example.org")
        };
        let made = domain
            .account_register(&visit(), new, PASSWORD.into())
            .await
            .expect("registers");
        assert!(!made.administers() && made.permissions().is_empty());
        assert!(made.account.active && !made.account.verified);
        assert_eq!(made.budget(), Money::ZERO);
        let log = domain
            .activity_list(&Caller::server(workspace), None, 1)
            .await
            .expect("lists");
        assert_eq!(
            log[0].detail,
            "dropped=administrator,active,verified,site_permissions,resource_permissions,budget"
        );
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_one_role_holds_no_other() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        made(&domain, workspace, "root@example.org", Role::Admin).await;
        let lister = made(&domain, workspace, "lee@example.org", Role::Retailer).await;
        let ann = made(&domain, workspace, "ann@example.org", Role::Advertiser).await;
        let lee = signed_in(&domain, "lee@example.org").await;
        let denied = Err(Error::Forbidden(Denied::Administrator));
        let asked = domain.account_export_of(&lee.caller, Role::Advertiser, 0);
        assert_eq!(asked.await, denied);
        let change = AccountChange {
            resource_permissions: Permissions::parse("advertiser:list_advertisers"),
            ..AccountChange::default()
        };
        domain
            .account_update(
                &server(workspace),
                AccountRef::Id(lister),
                change,
                Excess::Refuse,
            )
            .await
            .expect("allows");
        let lee = signed_in(&domain, "lee@example.org").await;
        let of = |role, after| domain.account_export_of(&lee.caller, role, after);
        let found = of(Role::Advertiser, 0).await.expect("lists");
        assert_eq!(
            found.iter().map(|one| one.account.id).collect::<Vec<_>>(),
            [ann]
        );
        assert_eq!(of(Role::Advertiser, ann).await, Ok(vec![]));
        for role in [Role::Admin, Role::Retailer] {
            assert_eq!(of(role, 0).await, denied);
        }
        let (caller, nobody) = (Caller::server(workspace), AccountRef::Id(99_999));
        assert_eq!(domain.account_find(&caller, nobody).await, Ok(None));
        let own = domain.account_find(&lee.caller, AccountRef::Id(lister));
        assert_eq!(own.await, Err(Error::Forbidden(Denied::Administrator)));
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn others_may_change_and_see_nothing_of_an_account() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        let ann = made(&domain, workspace, "ann@example.org", Role::Advertiser).await;
        made(&domain, workspace, "bob@example.org", Role::Retailer).await;
        let bob = signed_in(&domain, "bob@example.org").await;
        let which = || AccountRef::Id(ann);
        let denied = Err(Error::Forbidden(Denied::Administrator));
        assert_eq!(domain.account_get(&bob.caller, which()).await, denied);
        let nobody = domain
            .account_get(&bob.caller, AccountRef::Id(99_999))
            .await;
        assert_eq!(nobody, denied, "who may not see learns who is there");
        let change = AccountChange::default();
        assert_eq!(
            domain
                .account_update(&bob, which(), change, Excess::Drop)
                .await,
            denied
        );
        assert_eq!(domain.account_delete(&bob, which()).await, denied);
        assert!(
            domain
                .account_list(&bob.caller, AccountQuery::default())
                .await
                .is_err()
        );
        assert!(domain.session_list(&bob.caller, ann).await.is_err());
        assert!(
            domain
                .ledger_list(&bob.caller, ann, None, 10)
                .await
                .is_err()
        );
        let key = KeyNew {
            label: "mine".into(),
            dialect: "native".into(),
            permissions: None,
            expires: None,
        };
        assert!(
            domain
                .key_create(&bob, ann, key.clone(), &["native"])
                .await
                .is_err()
        );
        let greedy = KeyNew {
            permissions: Some(Permissions::ADMINISTER),
            ..key
        };
        let own = bob.caller.account.expect("an account");
        assert!(
            domain
                .key_create(&bob, own, greedy, &["native"])
                .await
                .is_err()
        );
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retailer_with_the_permission_sets_budgets_of_advertisers_only() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        let root = made(&domain, workspace, "root@example.org", Role::Admin).await;
        let ann = made(&domain, workspace, "ann@example.org", Role::Advertiser).await;
        let bob = made(&domain, workspace, "bob@example.org", Role::Retailer).await;
        let change = AccountChange {
            resource_permissions: Permissions::parse("advertiser:budget"),
            ..AccountChange::default()
        };
        domain
            .account_update(
                &server(workspace),
                AccountRef::Id(bob),
                change,
                Excess::Refuse,
            )
            .await
            .expect("changes");
        let by = signed_in(&domain, "bob@example.org").await;
        let budget = |thousandths| AccountChange {
            budget: Some(Money::from_thousandths(thousandths)),
            reason: Some("spring".into()),
            ..AccountChange::default()
        };
        for amount in [5_000, 3_000] {
            domain
                .account_update(&by, AccountRef::Id(ann), budget(amount), Excess::Refuse)
                .await
                .expect("sets");
        }
        for other in [root, bob] {
            let after = domain
                .account_update(&by, AccountRef::Id(other), budget(1), Excess::Drop)
                .await;
            let changed = after.is_ok_and(|view| view.budget() != Money::ZERO);
            assert!(!changed, "{other}");
        }
        let ledger = domain
            .ledger_list(&Caller::server(workspace), ann, None, 10)
            .await
            .expect("lists");
        let shown: Vec<_> = ledger
            .iter()
            .map(|entry| {
                (
                    entry.difference,
                    entry.balance,
                    entry.reason.as_str(),
                    entry.actor,
                )
            })
            .collect();
        assert_eq!(
            shown,
            [
                (-2_000, 3_000, "spring", bob),
                (5_000, 5_000, "spring", bob)
            ]
        );
        let below = domain
            .account_update(&by, AccountRef::Id(ann), budget(-1), Excess::Refuse)
            .await;
        assert!(matches!(below, Err(Error::Invalid(field)) if field.code == "negative"));
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_may_no_more_than_it_says_and_than_its_owner() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        let root = server(workspace);
        made(&domain, workspace, "root@example.org", Role::Admin).await;
        let ann = made(&domain, workspace, "ann@example.org", Role::Admin).await;
        let key = async |permissions: Option<&str>| {
            let new = KeyNew {
                label: "k".into(),
                dialect: "native".into(),
                permissions: permissions.map(|text| Permissions::parse(text).expect("some")),
                expires: None,
            };
            domain
                .key_create(&root, ann, new, &["native"])
                .await
                .expect("is made")
        };
        let whole = key(None).await;
        let narrow = key(Some("edit_page audience:r")).await;
        let caller =
            async |secret: &str| domain.caller_by_api_token(Mount::default(), secret).await;
        assert!(caller(&whole.secret).await.expect("is known").administers());
        let narrow_caller = caller(&narrow.secret).await.expect("is known");
        assert!(!narrow_caller.administers());
        let some = Permissions::parse("edit_page audience:r").expect("some");
        assert_eq!(narrow_caller.permissions, some);

        let demote = AccountChange {
            role: Some(Role::Retailer),
            ..AccountChange::default()
        };
        domain
            .account_update(&root, AccountRef::Id(ann), demote, Excess::Refuse)
            .await
            .expect("changes");
        assert!(!caller(&whole.secret).await.expect("is known").administers());
        let after = caller(&narrow.secret).await.expect("is known");
        assert!(after.permissions.is_empty());

        let found = domain
            .key_search(&root.caller, &narrow.secret)
            .await
            .expect("finds");
        assert_eq!(found.id, narrow.key.id);
        let rotated = domain
            .key_rotate(&root, narrow.key.id)
            .await
            .expect("rotates");
        assert!(caller(&narrow.secret).await.is_err());
        assert!(caller(&rotated.secret).await.is_ok());
        domain
            .key_revoke(&root, narrow.key.id, "leaked")
            .await
            .expect("revokes");
        assert!(caller(&rotated.secret).await.is_err());
        domain
            .account_delete(&root, AccountRef::Id(ann))
            .await
            .expect("deletes");
        assert!(caller(&whole.secret).await.is_err());
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_holds_something_back_does_not_become_the_account() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        let ann = made(&domain, workspace, "ann@example.org", Role::Admin).await;
        let root = server(workspace);
        let key = async |permissions: Option<&str>| {
            let new = KeyNew {
                label: "k".into(),
                dialect: "native".into(),
                permissions: permissions.map(|text| Permissions::parse(text).expect("some")),
                expires: None,
            };
            let made = domain.key_create(&root, ann, new, &["native"]).await;
            made.expect("is made")
        };
        let (whole, narrow) = (key(None).await, key(Some("audience:r")).await);
        let caller = domain
            .caller_by_api_token(Mount::default(), &narrow.secret)
            .await;
        let by = Context::new(caller.expect("is known"), "test");
        assert!(domain.key_rotate(&by, whole.key.id).await.is_err());
        assert!(domain.key_revoke(&by, whole.key.id, "").await.is_err());
        let wider = domain::KeyChange {
            permissions: Some(None),
            ..domain::KeyChange::default()
        };
        assert!(domain.key_update(&by, narrow.key.id, wider).await.is_err());
        for change in [
            AccountChange {
                password: Some("another fine password".into()),
                ..AccountChange::default()
            },
            AccountChange {
                email: Some("eve@example.org".into()),
                ..AccountChange::default()
            },
        ] {
            let outcome = domain
                .account_update(&by, AccountRef::Id(ann), change, Excess::Refuse)
                .await;
            assert!(matches!(outcome, Err(Error::Forbidden(_))), "{outcome:?}");
        }
        signed_in(&domain, "ann@example.org").await;
        let rotated = domain.key_rotate(&by, narrow.key.id).await;
        assert!(rotated.is_ok(), "a key may be given a new secret by itself");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_are_those_of_the_moment_in_which_a_command_runs() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        made(&domain, workspace, "root@example.org", Role::Admin).await;
        let ann = made(&domain, workspace, "ann@example.org", Role::Admin).await;
        let before = signed_in(&domain, "ann@example.org").await;
        let demoted = AccountChange {
            role: Some(Role::Advertiser),
            ..AccountChange::default()
        };
        domain
            .account_update(
                &server(workspace),
                AccountRef::Id(ann),
                demoted,
                Excess::Refuse,
            )
            .await
            .expect("changes");
        let new = AccountNew {
            role: Role::Admin,
            ..AccountNew::of("eve@example.org")
        };
        let outcome = domain
            .account_create(&before, new, Entrance::Invitation)
            .await;
        assert!(matches!(outcome, Err(Error::Forbidden(_))), "{outcome:?}");

        let own = signed_in(&domain, "ann@example.org").await;
        domain.sign_out(&own).await.expect("signs out");
        let change = AccountChange {
            first_name: Some("Ann".into()),
            ..AccountChange::default()
        };
        let outcome = domain
            .account_update(&own, AccountRef::Id(ann), change, Excess::Refuse)
            .await;
        assert!(
            matches!(outcome, Err(Error::Unauthenticated(_))),
            "{outcome:?}"
        );
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_another_workspace_is_nobodys() {
    for house in House::each() {
        let (domain, _) = start(&house).await;
        let new = domain::WorkspaceNew {
            slug: "acme".into(),
            name: "Acme".into(),
            keep_identifiers: true,
        };
        let acme = domain
            .workspace_create(&Caller::server(1), new)
            .await
            .expect("is made")
            .id;
        let theirs = server(acme);
        let ours = server(1);
        let ann = made(&domain, acme, "ann@example.org", Role::Admin).await;
        let group = GroupNew {
            title: "Staff".into(),
            ..GroupNew::default()
        };
        let group = domain
            .group_create(&theirs, group)
            .await
            .expect("is made")
            .id;
        let key = KeyNew {
            label: "k".into(),
            dialect: "native".into(),
            permissions: None,
            expires: None,
        };
        let key = domain
            .key_create(&theirs, ann, key, &["native"])
            .await
            .expect("is made");
        let mount = Mount {
            workspace: Some(acme),
        };
        let at_theirs = Visit::new(mount, "visit", None);
        let signed = domain
            .sign_in(&at_theirs, &DOOR, "ann@example.org", PASSWORD.into())
            .await
            .expect("signs in");
        let at_ours = domain
            .sign_in(&visit(), &DOOR, "ann@example.org", PASSWORD.into())
            .await;
        assert!(matches!(at_ours, Err(Error::Unauthenticated(_))));
        let elsewhere = Mount { workspace: Some(1) };
        let token = &signed.token.token;
        let outcome = domain.caller_by_session(elsewhere, &DOOR, token).await;
        assert!(matches!(outcome, Err(Error::Unauthenticated(_))));
        let outcome = domain.caller_by_api_token(elsewhere, &key.secret).await;
        assert!(matches!(outcome, Err(Error::Unauthenticated(_))));

        let (which, of_group) = (|| AccountRef::Id(ann), || GroupRef::Id(group));
        let change = AccountChange::default;
        let caller = &ours.caller;
        let refusals = [
            domain.account_get(caller, which()).await.err(),
            domain
                .account_update(&ours, which(), change(), Excess::Refuse)
                .await
                .err(),
            domain.account_delete(&ours, which()).await.err(),
            domain.ledger_list(caller, ann, None, 10).await.err(),
            domain.session_list(caller, ann).await.err(),
            domain.session_revoke(&ours, ann, None).await.err(),
            domain.password_reset_mail(&ours, ann).await.err(),
            domain.group_get(caller, of_group()).await.err(),
            domain
                .group_update(&ours, of_group(), GroupChange::default())
                .await
                .err(),
            domain.group_delete(&ours, of_group()).await.err(),
            domain
                .group_member_add(&ours, of_group(), vec![])
                .await
                .err(),
            domain
                .group_member_remove(&ours, of_group(), which())
                .await
                .err(),
            domain.key_get(caller, key.key.id).await.err(),
            domain.key_rotate(&ours, key.key.id).await.err(),
            domain.key_revoke(&ours, key.key.id, "").await.err(),
            domain.key_search(caller, &key.secret).await.err(),
            domain.key_list(caller, Some(ann), 0, 10).await.err(),
        ];
        for (at, refusal) in refusals.into_iter().enumerate() {
            assert!(
                matches!(refusal, Some(Error::NotFound(_))),
                "{at}: {refusal:?}"
            );
        }
        assert!(
            domain
                .account_export(caller, 0)
                .await
                .expect("reads")
                .is_empty()
        );
        let list = domain.account_list(caller, AccountQuery::default()).await;
        assert_eq!(list.expect("lists").total, 0);
        let known = domain.caller_by_session(mount, &DOOR, token).await;
        assert!(known.is_ok(), "nothing was ended from outside");
        close(domain).await;
    }
}
