//! How accounts come in and what ends that: sessions, mailed links, what slows down guessing.

use super::*;

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
