//! Accounts on both engines: how they are made, come in, change, and that the last administrator is never lost.

use std::time::Duration;

use domain::{
    AccountChange, AccountNew, AccountQuery, AccountRef, Caller, ConsentNew, Context, Denied,
    Domain, Door, Entrance, Error, Excess, GroupChange, GroupNew, GroupRef, KeyNew, Money, Mount,
    Permissions, RefusalKind, Role, Visit,
};
use futures_util::future::join_all;

use crate::support::{House, close};

const DOOR: Door = Door {
    dialect: "door",
    audience: &["door"],
    subject: |_, account| account.to_string(),
    life_s: 3_600,
};
const PASSWORD: &str = "a fine long password";

fn visit() -> Visit {
    Visit::new(Mount::default(), "visit", None)
}

fn server(workspace: i64) -> Context {
    Context::new(Caller::server(workspace), "test")
}

async fn made(domain: &Domain, workspace: i64, email: &str, role: Role) -> i64 {
    let new = AccountNew {
        role,
        ..AccountNew::of(email)
    };
    let entrance = Entrance::Password(PASSWORD.into());
    let account = domain
        .account_create(&server(workspace), new, entrance)
        .await;
    account.expect("is made").account.id
}

async fn start(house: &House) -> (Domain, i64) {
    let domain = house.open().await;
    let workspace = domain.workspace_default().await.expect("is made").0.id;
    (domain, workspace)
}

async fn signed_in(domain: &Domain, email: &str) -> Context {
    let token = domain
        .sign_in(&visit(), &DOOR, email, PASSWORD.into())
        .await
        .expect("signs in")
        .token
        .token;
    let caller = domain
        .caller_by_session(Mount::default(), &DOOR, &token)
        .await;
    Context::new(caller.expect("is known"), "test")
}

/// The token in the newest mail to an address.
async fn mailed(domain: &Domain, workspace: i64, to: &str) -> Option<String> {
    let caller = Caller::server(workspace);
    let page = domain
        .outbox_list(&caller, None, None, 1_000)
        .await
        .expect("lists");
    let newest = page
        .into_iter()
        .find(|item| item.recipient.as_deref() == Some(to))?;
    let shown = domain.outbox_get(&caller, newest.id).await.expect("shows");
    let text = shown.text.expect("is mail").text;
    let token = text.split("token=").nth(1)?;
    Some(token.split_whitespace().next()?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_signs_in_and_out_and_its_token_ends() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        made(&domain, workspace, "Ann@example.org", Role::Advertiser).await;
        let signed = domain
            .sign_in(&visit(), &DOOR, "ANN@EXAMPLE.ORG", PASSWORD.into())
            .await
            .expect("signs in");
        let token = signed.token.token;
        let known = || domain.caller_by_session(Mount::default(), &DOOR, &token);
        let caller = known().await.expect("is known");
        assert!(!caller.administers());
        domain
            .sign_out(&Context::new(caller, "test"))
            .await
            .expect("signs out");
        assert!(matches!(known().await, Err(Error::Unauthenticated(_))));

        for (email, password) in [
            ("ann@example.org", "another password"),
            ("nobody@example.org", PASSWORD),
            ("not an address", PASSWORD),
            ("ann@example.org\0", PASSWORD),
        ] {
            let refused = domain
                .sign_in(&visit(), &DOOR, email, password.into())
                .await;
            let error = refused.expect_err("is refused");
            assert_eq!(
                error.to_string(),
                "The e-mail address or the password is wrong."
            );
        }
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_expires_and_ends_with_password_activity_and_account() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        let ann = made(&domain, workspace, "ann@example.org", Role::Advertiser).await;
        made(&domain, workspace, "root@example.org", Role::Admin).await;
        let token = async || {
            let signed = domain
                .sign_in(&visit(), &DOOR, "ann@example.org", PASSWORD.into())
                .await;
            signed.expect("signs in").token.token
        };
        let good = async |token: &str| {
            domain
                .caller_by_session(Mount::default(), &DOOR, token)
                .await
                .is_ok()
        };
        let (first, second) = (token().await, token().await);
        let own = domain
            .caller_by_session(Mount::default(), &DOOR, &first)
            .await
            .expect("is known");
        let own = Context::new(own, "test");
        assert_eq!(
            domain
                .session_list(&own.caller, ann)
                .await
                .expect("lists")
                .len(),
            2
        );

        // A new password ends the other sessions, not the one that set it.
        let change = AccountChange {
            password: Some(PASSWORD.into()),
            ..AccountChange::default()
        };
        domain
            .account_update(&own, AccountRef::Id(ann), change, Excess::Refuse)
            .await
            .expect("changes");
        assert!(good(&first).await && !good(&second).await);

        let third = token().await;
        house.clock.advance(Duration::from_secs(3_601));
        assert!(!good(&first).await && !good(&third).await);

        let fourth = token().await;
        let change = |active| AccountChange {
            active: Some(active),
            ..AccountChange::default()
        };
        let root = server(workspace);
        for active in [false, true] {
            domain
                .account_update(&root, AccountRef::Id(ann), change(active), Excess::Refuse)
                .await
                .expect("changes");
            assert!(!good(&fourth).await, "a session came back to life");
        }
        let fifth = token().await;
        domain
            .account_delete(&root, AccountRef::Id(ann))
            .await
            .expect("deletes");
        assert!(!good(&fifth).await);
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_sign_ins_wait_longer_and_longer_but_never_for_ever() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        made(&domain, workspace, "ann@example.org", Role::Advertiser).await;
        let attempt = async |email: &str, password: &str| {
            domain
                .sign_in(&visit(), &DOOR, email, password.into())
                .await
                .map(drop)
        };
        for email in ["ann@example.org", "nobody@example.org"] {
            for _ in 0..6 {
                let refused = attempt(email, "wrong password").await;
                assert!(
                    matches!(refused, Err(Error::Unauthenticated(_))),
                    "{refused:?}"
                );
            }
            let refused = attempt(email, PASSWORD).await;
            let Err(Error::RateLimited { retry_after_ms }) = refused else {
                panic!("{email} was not throttled: {refused:?}");
            };
            assert_eq!(retry_after_ms, 1_000);
        }
        house.clock.advance(Duration::from_secs(1));
        attempt("ann@example.org", PASSWORD)
            .await
            .expect("signs in");
        attempt("ann@example.org", "wrong password")
            .await
            .expect_err("is refused");
        attempt("ann@example.org", PASSWORD)
            .await
            .expect("its failures are forgotten");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_of_one_address_are_throttled_whoever_they_try() {
    let house = House::sqlite();
    let (domain, _) = start(&house).await;
    let from = Visit::new(
        Mount::default(),
        "visit",
        Some("192.0.2.1".parse().expect("one")),
    );
    let mut outcomes = Vec::new();
    for round in 0..52 {
        let email = format!("u{round}@example.org");
        outcomes.push(
            domain
                .sign_in(&from, &DOOR, &email, "wrong password".into())
                .await,
        );
    }
    let last = outcomes.pop().expect("one");
    assert!(matches!(last, Err(Error::RateLimited { .. })), "{last:?}");
    let throttled = |one: &&Result<_, Error>| matches!(one, Err(Error::RateLimited { .. }));
    assert_eq!(outcomes.iter().filter(throttled).count(), 0);
    let elsewhere = Visit::new(
        Mount::default(),
        "visit",
        Some("192.0.2.2".parse().expect("one")),
    );
    let other = domain
        .sign_in(&elsewhere, &DOOR, "x@example.org", "wrong password".into())
        .await;
    assert!(matches!(other, Err(Error::Unauthenticated(_))));
    close(domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mailed_links_are_good_once_for_one_purpose_and_for_an_hour() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        let ann = made(&domain, workspace, "ann@example.org", Role::Advertiser).await;
        for email in ["ann@example.org", "nobody@example.org"] {
            domain
                .password_forgot(&visit(), email)
                .await
                .expect("is told nothing");
        }
        let reset = mailed(&domain, workspace, "ann@example.org")
            .await
            .expect("was mailed");
        assert_eq!(mailed(&domain, workspace, "nobody@example.org").await, None);
        let wrong = domain.verification_confirm(&visit(), &reset).await;
        assert!(matches!(wrong, Err(Error::Invalid(field)) if field.code == "bad_token"));
        let weak = domain
            .password_reset(&visit(), &reset, "password".into())
            .await;
        assert!(matches!(weak, Err(Error::Invalid(field)) if field.name == "password"));
        let new = "another fine password";
        domain
            .password_reset(&visit(), &reset, new.into())
            .await
            .expect("resets");
        let again = domain.password_reset(&visit(), &reset, new.into()).await;
        assert!(matches!(again, Err(Error::Invalid(field)) if field.code == "bad_token"));
        let signed = domain
            .sign_in(&visit(), &DOOR, "ann@example.org", new.into())
            .await;
        signed.expect("signs in with it");

        domain
            .password_forgot(&visit(), "ann@example.org")
            .await
            .expect("is mailed");
        let late = mailed(&domain, workspace, "ann@example.org")
            .await
            .expect("was mailed");
        house.clock.advance(Duration::from_secs(3_600));
        let late = domain.password_reset(&visit(), &late, new.into()).await;
        assert!(matches!(late, Err(Error::Invalid(field)) if field.code == "bad_token"));

        // A link goes to an address; it is dead once the account has another.
        domain
            .password_forgot(&visit(), "ann@example.org")
            .await
            .expect("is mailed");
        let old = mailed(&domain, workspace, "ann@example.org")
            .await
            .expect("was mailed");
        let change = AccountChange {
            email: Some("ann@example.com".into()),
            ..AccountChange::default()
        };
        domain
            .account_update(
                &server(workspace),
                AccountRef::Id(ann),
                change,
                Excess::Refuse,
            )
            .await
            .expect("changes");
        assert!(
            domain
                .password_reset(&visit(), &old, new.into())
                .await
                .is_err()
        );
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_to_one_recipient_have_a_limit() {
    let house = House::sqlite();
    let (domain, workspace) = start(&house).await;
    made(&domain, workspace, "ann@example.org", Role::Advertiser).await;
    for _ in 0..20 {
        domain
            .password_forgot(&visit(), "ann@example.org")
            .await
            .expect("is told nothing");
    }
    let caller = Caller::server(workspace);
    let count = async || {
        domain
            .outbox_list(&caller, None, None, 1_000)
            .await
            .expect("lists")
            .len()
    };
    assert_eq!(count().await, 5);
    house.clock.advance(Duration::from_secs(3_601));
    domain
        .password_forgot(&visit(), "ann@example.org")
        .await
        .expect("is mailed");
    assert_eq!(count().await, 6);
    close(domain).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_verified_once() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        made(&domain, workspace, "ann@example.org", Role::Advertiser).await;
        for _ in 0..2 {
            domain
                .verification_request(&visit(), "ann@example.org")
                .await
                .expect("is mailed");
        }
        let token = mailed(&domain, workspace, "ann@example.org")
            .await
            .expect("was mailed");
        let view = domain
            .verification_confirm(&visit(), &token)
            .await
            .expect("verifies");
        assert!(view.account.verified);
        let again = domain.verification_confirm(&visit(), &token).await;
        assert!(matches!(again, Err(Error::Conflict(_))));
        close(domain).await;
    }
}

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
async fn what_has_expired_is_forgotten_and_a_quiet_workspace_is_left_alone() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        made(&domain, workspace, "ann@example.org", Role::Advertiser).await;
        signed_in(&domain, "ann@example.org").await;
        domain
            .password_forgot(&visit(), "ann@example.org")
            .await
            .expect("is mailed");
        let seq = async || domain.store().state(workspace).await.expect("reads").seq;
        let before = seq().await;
        domain.account_sweep(workspace).await.expect("sweeps");
        assert_eq!(seq().await, before, "nothing has expired yet");
        house.clock.advance(Duration::from_secs(3 * 24 * 3_600));
        domain.account_sweep(workspace).await.expect("sweeps");
        assert_eq!(seq().await, before + 1);
        domain.account_sweep(workspace).await.expect("sweeps");
        assert_eq!(seq().await, before + 1, "there is nothing left");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_says_who_invites() {
    let house = House::sqlite();
    let (domain, workspace) = start(&house).await;
    let root = AccountNew {
        first_name: "Ann".into(),
        last_name: "Lee".into(),
        role: Role::Admin,
        ..AccountNew::of("root@example.org")
    };
    let entrance = Entrance::Password(PASSWORD.into());
    domain
        .account_create(&server(workspace), root, entrance)
        .await
        .expect("is made");
    let by = signed_in(&domain, "root@example.org").await;
    domain
        .account_create(&by, AccountNew::of("bob@example.org"), Entrance::Invitation)
        .await
        .expect("is made");
    let items = domain
        .outbox_list(&by.caller, None, None, 1)
        .await
        .expect("lists");
    let mail = domain
        .outbox_get(&by.caller, items[0].id)
        .await
        .expect("shows");
    let text = mail.text.expect("a text").text;
    assert!(text.contains("Ann Lee"), "{text}");
    close(domain).await;
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
async fn nobody_keeps_an_address_or_an_owner_from_signing_in_for_long() {
    let house = House::sqlite();
    let (domain, workspace) = start(&house).await;
    made(&domain, workspace, "ann@example.org", Role::Advertiser).await;
    let from = |address: &str| {
        Visit::new(
            Mount::default(),
            "visit",
            Some(address.parse().expect("one")),
        )
    };
    // A name that is written like an address is not the address.
    for _ in 0..8 {
        let _ = domain
            .sign_in(
                &from("192.0.2.7"),
                &DOOR,
                "203.0.113.5",
                "wrong password".into(),
            )
            .await;
    }
    let right = async |address: &str| {
        let visit = from(address);
        domain
            .sign_in(&visit, &DOOR, "ann@example.org", PASSWORD.into())
            .await
    };
    right("203.0.113.5").await.expect("signs in");
    // Somebody guesses at the account from elsewhere: its owner comes in all the same.
    for _ in 0..12 {
        let _ = domain
            .sign_in(
                &from("192.0.2.8"),
                &DOOR,
                "ann@example.org",
                "wrong password".into(),
            )
            .await;
    }
    let guesser = right("192.0.2.8").await;
    assert!(
        matches!(guesser, Err(Error::RateLimited { .. })),
        "{guesser:?}"
    );
    right("203.0.113.5").await.expect("signs in");
    close(domain).await;
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
async fn who_answers_a_mail_gets_the_account_without_what_others_left_in_it() {
    for house in House::each() {
        let (domain, workspace) = start(&house).await;
        // Somebody registers with an address that is not theirs, and makes a key.
        let visit = visit();
        domain
            .account_register(
                &visit,
                AccountNew::of("victim@example.org"),
                PASSWORD.into(),
            )
            .await
            .expect("registers");
        let attacker = signed_in(&domain, "victim@example.org").await;
        let own = attacker.caller.account.expect("an account");
        let new = KeyNew {
            label: "k".into(),
            dialect: "native".into(),
            permissions: None,
            expires: None,
        };
        let key = domain
            .key_create(&attacker, own, new, &["native"])
            .await
            .expect("is made");
        domain
            .password_forgot(&visit, "victim@example.org")
            .await
            .expect("is mailed");
        let token = mailed(&domain, workspace, "victim@example.org")
            .await
            .expect("was mailed");
        let view = domain
            .password_reset(&visit, &token, "the owner's password".into())
            .await
            .expect("resets");
        assert!(view.account.verified);
        let key = domain
            .caller_by_api_token(Mount::default(), &key.secret)
            .await;
        assert!(matches!(key, Err(Error::Unauthenticated(_))), "{key:?}");
        close(domain).await;
    }
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
