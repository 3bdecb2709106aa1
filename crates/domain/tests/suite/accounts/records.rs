//! Accounts made in bulk, groups, lists and consents: what is kept and what it says.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_made_does_not_keep_the_others_out() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        made(&domain, workspace, "ann@example.org", Role::Advertiser).await;
        let item = |email: &str| Ok((AccountNew::of(email), Entrance::Invitation));
        let unknown_group = AccountNew {
            groups: vec![GroupRef::Uid("nowhere".into())],
            ..AccountNew::of("eve@example.org")
        };
        let bulk = domain
            .account_create_all(
                &server(workspace),
                "account_invite",
                vec![
                    item("bob@example.org"),
                    item("ANN@example.org"),
                    item("Bob@Example.org"),
                    item("nobody"),
                    Ok((unknown_group, Entrance::Invitation)),
                    item("bob@example.com"),
                ],
            )
            .await
            .expect("is done");
        let kinds: Vec<_> = bulk
            .iter()
            .map(|one| one.as_ref().map(|_| ()).map_err(|refusal| refusal.kind))
            .collect();
        assert_eq!(
            kinds,
            [
                Ok(()),
                Err(RefusalKind::AlreadyExists),
                Err(RefusalKind::AlreadyExists),
                Err(RefusalKind::Invalid),
                Err(RefusalKind::Invalid),
                Ok(())
            ]
        );
        let names: Vec<_> = bulk
            .iter()
            .flatten()
            .map(|one| one.account.username.clone())
            .collect();
        assert_eq!(names[0], "bob");
        assert!(names[1].starts_with("bob-"));
        let page = domain
            .account_list(
                &Caller::server(workspace),
                AccountQuery {
                    limit: 10,
                    ..AccountQuery::default()
                },
            )
            .await
            .expect("lists");
        assert_eq!(page.total, 3);

        let token = mailed(&domain, workspace, "bob@example.org")
            .await
            .expect("was mailed");
        let before = domain
            .sign_in(&visit(), &DOOR, "bob@example.org", PASSWORD.into())
            .await;
        assert!(matches!(before, Err(Error::Unauthenticated(_))));
        let accepted = domain
            .password_reset(&visit(), &token, PASSWORD.into())
            .await;
        assert!(accepted.expect("accepts").account.verified);
        signed_in(&domain, "bob@example.org").await;
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_give_their_members_what_they_may() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        let root = server(workspace);
        made(&domain, workspace, "root@example.org", Role::Admin).await;
        let ann = made(&domain, workspace, "ann@example.org", Role::Advertiser).await;
        let new = GroupNew {
            title: "Content Designers".into(),
            permissions: Permissions::parse("edit_page audience:r").expect("are some"),
            ..GroupNew::default()
        };
        let group = domain
            .group_create(&root, new.clone())
            .await
            .expect("is made");
        assert_eq!(group.uid, "content_designers");
        let second = domain.group_create(&root, new).await.expect("is made");
        assert_ne!(second.uid, group.uid);
        let which = || GroupRef::Uid(group.uid.clone());
        for _ in 0..2 {
            let accounts = vec![AccountRef::Id(ann), AccountRef::Username("nobody".into())];
            let added = domain
                .group_member_add(&root, which(), accounts)
                .await
                .expect("adds");
            assert!(added[0].is_ok());
            assert_eq!(
                added[1].as_ref().expect_err("none").kind,
                RefusalKind::NotFound
            );
        }
        let seen = domain
            .group_get(&root.caller, which())
            .await
            .expect("reads");
        assert_eq!(seen.members, 1);
        let count = async |filter: fn(&mut AccountQuery, Permissions)| {
            let mut query = AccountQuery::default();
            filter(&mut query, Permissions::parse("edit_page").expect("is one"));
            domain
                .account_list(&root.caller, query)
                .await
                .expect("lists")
                .total
        };
        assert_eq!(count(|query, may| query.filter.permissions = may).await, 0);
        assert_eq!(
            count(|query, may| query.filter.all_permissions = may).await,
            1
        );
        let own = signed_in(&domain, "ann@example.org").await;
        assert!(
            own.caller
                .permissions
                .has_all(Permissions::parse("audience:r").expect("one"))
        );

        let admin = GroupChange {
            permissions: Some(Permissions::ADMINISTER),
            ..GroupChange::default()
        };
        domain
            .group_update(&root, which(), admin)
            .await
            .expect("changes");
        assert_eq!(
            count(|query, may| query.filter.all_permissions = may).await,
            0
        );
        let view = domain
            .account_get(&root.caller, AccountRef::Id(ann))
            .await
            .expect("reads");
        assert_eq!(view.role(), Role::Admin);
        domain.group_delete(&root, which()).await.expect("deletes");
        let view = domain
            .account_get(&root.caller, AccountRef::Id(ann))
            .await
            .expect("reads");
        assert_eq!((view.role(), view.groups.len()), (Role::Advertiser, 0));
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_find_sort_and_count_what_the_rows_say() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        let root = server(workspace);
        for index in 0..30 {
            let new = AccountNew {
                first_name: format!("First{:02}", 29 - index),
                last_name: if index % 2 == 0 { "Even" } else { "Odd" }.into(),
                ..AccountNew::of(format!("user{index:02}@example.org"))
            };
            domain
                .account_create(&root, new, Entrance::Invitation)
                .await
                .expect("is made");
        }
        let list = async |search: &str, limit: usize, offset: usize| {
            let query = AccountQuery {
                search: search.into(),
                limit,
                offset,
                ..AccountQuery::default()
            };
            domain
                .account_list(&root.caller, query)
                .await
                .expect("lists")
        };
        let page = list("", 5, 28).await;
        assert_eq!((page.total, page.accounts.len()), (30, 2));
        assert_eq!(page.accounts[0].account.username, "user28");
        assert_eq!(list("ODD user", 100, 0).await.total, 15);
        assert_eq!(
            list("first07", 100, 0).await.accounts[0].account.username,
            "user22"
        );
        assert_eq!(list("", 0, 0).await.accounts.len(), 0);
        domain
            .account_delete(&root, AccountRef::Username("USER22".into()))
            .await
            .expect("deletes");
        assert_eq!(list("first07", 100, 0).await.total, 0);
        let change = AccountChange {
            first_name: Some("First07".into()),
            ..AccountChange::default()
        };
        domain
            .account_update(
                &root,
                AccountRef::Username("user01".into()),
                change,
                Excess::Refuse,
            )
            .await
            .expect("changes");
        assert_eq!(
            list("first07", 100, 0).await.accounts[0].account.username,
            "user01"
        );
        let all = domain.account_export(&root.caller, 0).await.expect("reads");
        assert_eq!(all.len(), 29);
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consents_are_rows_and_a_set_that_say_the_same() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        let ann = made(&domain, workspace, "ann@example.org", Role::Advertiser).await;
        let say = async |account: i64, email: &str, version: &str, agreed: bool| {
            let new = ConsentNew {
                account,
                email: email.into(),
                version: version.into(),
                agreed,
                channel: Some("web".into()),
                consented: None,
            };
            domain.consent_put(&visit(), new).await
        };
        let first = say(ann, "Ann@example.org", "1.0.0", true)
            .await
            .expect("is noted");
        for (account, email) in [(ann, "bob@example.org"), (ann + 999, "ann@example.org")] {
            let refused = say(account, email, "1.0.0", false).await;
            assert!(matches!(refused, Err(Error::NotFound(_))));
        }
        let people = async |version: &str| {
            domain
                .policy_people(&Caller::server(workspace), version)
                .await
                .expect("reads")
        };
        assert_eq!(people("1.0.0").await, 1);
        let again = say(ann, "ann@example.org", "1.0.0", false)
            .await
            .expect("is noted");
        assert_eq!(
            (again.id, again.created, again.agreed),
            (first.id, first.created, false)
        );
        assert_eq!(people("1.0.0").await, 0);
        say(ann, "ann@example.org", "2.0.0", true)
            .await
            .expect("is noted");
        let all = domain.consent_list(&visit(), ann).await.expect("lists");
        let versions: Vec<_> = all.iter().map(|one| one.version.as_str()).collect();
        assert_eq!(versions, ["2.0.0", "1.0.0"]);
        made(&domain, workspace, "root@example.org", Role::Admin).await;
        domain
            .account_delete(&server(workspace), AccountRef::Id(ann))
            .await
            .expect("deletes");
        assert_eq!(people("2.0.0").await, 0);
        let gone = domain.consent_list(&visit(), ann).await;
        assert_eq!(gone, Err(Error::NotFound("account")));
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_character_that_an_engine_cannot_keep_is_nobodys_and_stops_nobody() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        let root = server(workspace);
        let ann = made(&domain, workspace, "ann@example.org", Role::Admin).await;
        let nul = || "a\0b".to_owned();
        let outcome = domain.sign_in(&visit(), &DOOR, &nul(), nul()).await;
        assert!(
            matches!(outcome, Err(Error::Unauthenticated(_))),
            "{outcome:?}"
        );
        let outcome = domain
            .account_delete(&root, AccountRef::Username(nul()))
            .await;
        assert!(matches!(outcome, Err(Error::NotFound(_))), "{outcome:?}");
        let outcome = domain.group_get(&root.caller, GroupRef::Uid(nul())).await;
        assert!(matches!(outcome, Err(Error::NotFound(_))), "{outcome:?}");
        let change = AccountChange {
            preferences: Some(serde_json::json!({"x": nul()})),
            ..AccountChange::default()
        };
        let outcome = domain
            .account_update(&root, AccountRef::Id(ann), change, Excess::Refuse)
            .await;
        assert!(matches!(outcome, Err(Error::Invalid(_))), "{outcome:?}");
        close(domain).await;
    }
}
