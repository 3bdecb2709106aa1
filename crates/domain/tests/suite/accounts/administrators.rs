//! The last administrator is lost by no route and by no race.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_is_lost_by_no_route() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        let root = server(workspace);
        let ann = made(&domain, workspace, "ann@example.org", Role::Admin).await;
        // Neither who has not come in yet nor who may not come in counts.
        let admin = |email: &str| AccountNew {
            role: Role::Admin,
            ..AccountNew::of(email)
        };
        domain
            .account_create(&root, admin("invited@example.org"), Entrance::Invitation)
            .await
            .expect("is made");
        let sleeping = AccountNew {
            active: false,
            ..admin("sleeping@example.org")
        };
        domain
            .account_create(&root, sleeping, Entrance::Password(PASSWORD.into()))
            .await
            .expect("is made");
        let last = Error::Forbidden(Denied::LastAdministrator);
        let change = |change: AccountChange| {
            domain.account_update(&root, AccountRef::Id(ann), change, Excess::Refuse)
        };
        for lost in [
            AccountChange {
                role: Some(Role::Advertiser),
                ..AccountChange::default()
            },
            AccountChange {
                administrator: Some(false),
                ..AccountChange::default()
            },
            AccountChange {
                active: Some(false),
                ..AccountChange::default()
            },
            AccountChange {
                site_permissions: Some(Permissions::NONE),
                ..AccountChange::default()
            },
        ] {
            assert_eq!(change(lost).await, Err(last.clone()));
        }
        assert_eq!(
            domain.account_delete(&root, AccountRef::Id(ann)).await,
            Err(last.clone())
        );

        // The last one by a group.
        let group = domain
            .group_create(
                &root,
                GroupNew {
                    title: "Admins".into(),
                    permissions: Permissions::ADMINISTER,
                    ..GroupNew::default()
                },
            )
            .await
            .expect("is made");
        let which = || GroupRef::Id(group.id);
        domain
            .group_member_add(&root, which(), vec![AccountRef::Id(ann)])
            .await
            .expect("adds");
        change(AccountChange {
            administrator: Some(false),
            ..AccountChange::default()
        })
        .await
        .expect("the group still makes one");
        assert_eq!(domain.group_delete(&root, which()).await, Err(last.clone()));
        let demote = GroupChange {
            permissions: Some(Permissions::NONE),
            ..GroupChange::default()
        };
        assert_eq!(
            domain.group_update(&root, which(), demote).await,
            Err(last.clone())
        );
        let out = domain
            .group_member_remove(&root, which(), AccountRef::Id(ann))
            .await;
        assert_eq!(out, Err(last.clone()));
        let out = change(AccountChange {
            groups: Some(vec![]),
            ..AccountChange::default()
        })
        .await;
        assert_eq!(out, Err(last));
        close(domain).await;
    }
}

/// Two administrators demote, delete and switch each other off at once: one of them is left every time.
async fn race(one: &Domain, other: &Domain, workspace: i64) {
    let root = server(workspace);
    for round in 0..6 {
        let name = |who: &str| format!("{who}{round}@example.org");
        let ann = made(one, workspace, &name("ann"), Role::Admin).await;
        let bob = made(one, workspace, &name("bob"), Role::Admin).await;
        let others: Vec<i64> = administrators(one, workspace)
            .await
            .into_iter()
            .filter(|id| *id != ann && *id != bob)
            .collect();
        for id in others {
            one.account_delete(&root, AccountRef::Id(id))
                .await
                .expect("deletes");
        }
        let lose = async |domain: &Domain, id: i64, how: usize| {
            let which = AccountRef::Id(id);
            let change = AccountChange {
                active: (how == 0).then_some(false),
                role: (how == 1).then_some(Role::Retailer),
                ..AccountChange::default()
            };
            match how {
                2 => domain.account_delete(&root, which).await,
                _ => {
                    domain
                        .account_update(&root, which, change, Excess::Refuse)
                        .await
                }
            }
        };
        let both = join_all([
            Box::pin(lose(one, ann, round % 3)),
            Box::pin(lose(other, bob, (round + round / 3) % 3)),
        ])
        .await;
        let lost: Vec<_> = both.iter().filter(|outcome| outcome.is_err()).collect();
        assert_eq!(lost.len(), 1, "round {round}: {both:?}");
        assert_eq!(
            lost[0].as_ref().expect_err("one"),
            &Error::Forbidden(Denied::LastAdministrator)
        );
        assert_eq!(administrators(one, workspace).await.len(), 1);
    }
}

async fn administrators(domain: &Domain, workspace: i64) -> Vec<i64> {
    let all = domain
        .account_export(&Caller::server(workspace), 0)
        .await
        .expect("reads");
    let live = all
        .iter()
        .filter(|one| one.administers() && one.account.active);
    live.map(|one| one.account.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_once_do_not_lose_the_last_administrator() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        race(&domain, &domain, workspace).await;
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_at_once_do_not_lose_the_last_administrator() {
    let Some(house) = tokio::task::block_in_place(House::postgres) else {
        return;
    };
    let (domain, workspace) = start(&house).await;
    let second = house.open_as("two").await;
    race(&domain, &second, workspace).await;

    // And what one process ends, the other refuses at once.
    made(&domain, workspace, "eve@example.org", Role::Advertiser).await;
    let signed = domain
        .sign_in(&visit(), &DOOR, "eve@example.org", PASSWORD.into())
        .await
        .expect("signs in");
    let token = signed.token.token;
    let caller = second
        .caller_by_session(Mount::default(), &DOOR, &token)
        .await;
    let caller = caller.expect("is known there too");
    domain
        .sign_out(&Context::new(caller, "test"))
        .await
        .expect("signs out");
    let after = second
        .caller_by_session(Mount::default(), &DOOR, &token)
        .await;
    assert!(matches!(after, Err(Error::Unauthenticated(_))));
    close(second).await;
    close(domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_by_a_group_is_none_when_the_group_lets_go() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        let root = server(workspace);
        made(&domain, workspace, "root@example.org", Role::Admin).await;
        let ann = made(&domain, workspace, "ann@example.org", Role::Advertiser).await;
        let group = GroupNew {
            title: "Admins".into(),
            permissions: Permissions::ADMINISTER,
            ..GroupNew::default()
        };
        let group = domain.group_create(&root, group).await.expect("is made");
        let which = || GroupRef::Id(group.id);
        domain
            .group_member_add(&root, which(), vec![AccountRef::Id(ann)])
            .await
            .expect("adds");
        // As who reads the account, changes a name and sends the whole back.
        let echo = AccountChange {
            first_name: Some("Ann".into()),
            role: Some(Role::Admin),
            ..AccountChange::default()
        };
        domain
            .account_update(&root, AccountRef::Id(ann), echo, Excess::Refuse)
            .await
            .expect("changes");
        domain
            .group_member_remove(&root, which(), AccountRef::Id(ann))
            .await
            .expect("removes");
        let view = domain
            .account_get(&root.caller, AccountRef::Id(ann))
            .await
            .expect("reads");
        assert_eq!(view.role(), Role::Advertiser);
        close(domain).await;
    }
}
