//! Who may ask: callers of some structures, managers, and those without a scope.

use domain::{AccountNew, Entrance, Grants, KeyNew};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reach_shows_nothing_beyond_a_portfolio() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (structure(&domain, "1").await, structure(&domain, "2").await);
        let (ours, theirs) = (
            child(&domain, one, "list").await,
            child(&domain, two, "list").await,
        );
        let mixed = Rule::Any(vec![Rule::Audience(ours), Rule::Audience(theirs)]);
        let mixed = smart(&domain, one, "mixed", mixed).await.id;
        add(&domain, ours, &["ann", "bob"]).await;
        add(&domain, theirs, &["bob", "cat"]).await;
        let scopes = "audiences:read people:read";
        let limited = credential(&domain, scopes, Some(vec![one])).await.caller;
        let ask = async |text: &str| {
            let formula = Formula::parse(text).expect("a formula");
            let found = domain.reach(&limited, &formula).await;
            found.map(|found| found.people)
        };
        // A name is what the caller sees by it, so it is not ambiguous.
        assert_eq!(ask("list").await, Ok(2));
        assert_eq!(
            ask("#1 and not list").await.map(drop),
            ask("#1").await.map(drop)
        );
        assert_eq!(ask(&format!("#{ours} and has:email")).await, Ok(2));
        assert_eq!(
            ask(&format!("#{mixed} and not list")).await,
            Ok(1),
            "as its rule says"
        );
        for (text, expected) in [
            (format!("#{theirs}"), "unknown"),
            (format!("list and #{two}"), "unknown"),
            ("not list".into(), "everybody"),
            ("has:email".into(), "everybody"),
            ("channel:whatsapp or list".into(), "everybody"),
            ("list or not list".into(), "everybody"),
        ] {
            assert_eq!(code(ask(&text).await), expected, "{text}");
        }
        let overlap = |named: Vec<Named>| {
            let (domain, limited) = (&domain, &limited);
            async move { domain.overlap(limited, &named, false).await }
        };
        assert!(overlap(vec![id(ours), id(mixed)]).await.is_ok());
        assert_eq!(code(overlap(vec![id(ours), id(theirs)]).await), "unknown");
        let kind = Named::Identifier(Kind::Email);
        assert_eq!(code(overlap(vec![id(ours), kind]).await), "everybody");
        let found = lookup(&domain, &limited, &["bob", "cat"])
            .await
            .expect("answers");
        assert_eq!(held(&found.people[0]), BTreeSet::from([one, ours, mixed]));
        assert_eq!(held(&found.people[1]), BTreeSet::from([mixed]));

        // What each verb needs.
        let blind = credential(&domain, "people:read", None).await.caller;
        let formula = Formula::parse("mixed").expect("a formula");
        assert_eq!(code(domain.reach(&blind, &formula).await), "forbidden");
        assert_eq!(
            code(domain.overlap(&blind, &[id(ours)], false).await),
            "forbidden"
        );
        assert_eq!(code(lookup(&domain, &blind, &["ann"]).await), "forbidden");
        let counter = credential(&domain, "audiences:read", None).await.caller;
        assert!(domain.reach(&counter, &formula).await.is_ok());
        assert_eq!(code(lookup(&domain, &counter, &["ann"]).await), "forbidden");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reach_is_for_managers_who_may_list_members() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (structure(&domain, "1").await, structure(&domain, "2").await);
        let (list, other) = (
            child(&domain, one, "list").await,
            child(&domain, two, "other").await,
        );
        add(&domain, list, &["ann", "max"]).await;
        add(&domain, other, &["ann"]).await;
        let new = AccountNew {
            verified: true,
            ..AccountNew::of(email("max"))
        };
        let entrance = Entrance::Password("a fine long password".into());
        let made = domain.account_create(&context("a"), new, entrance).await;
        let account = made.expect("is made").account.id;
        let new = KeyNew {
            label: "key".into(),
            dialect: "native".into(),
            permissions: None,
            expires: None,
        };
        let key = domain
            .key_create(&context("k"), account, new, &["native"])
            .await;
        let secret = key.expect("a key").secret;
        let max = domain.caller_by_api_token(Mount::default(), &secret).await;
        let max = max.expect("a caller");
        let ask = async |text: &str| {
            let formula = Formula::parse(text).expect("a formula");
            let found = domain.reach(&max, &formula).await;
            found.map(|found| found.people)
        };
        let give = async |node, grants| {
            let given = domain
                .manager_put(
                    &context("give"),
                    AudienceRef::Id(node),
                    None,
                    vec![(email("max"), grants)],
                    false,
                )
                .await;
            given.expect("is given");
        };
        assert_eq!(code(ask("list").await), "unknown");
        // To ask about one person is not to count: that tells who is in it, as a list does.
        give(list, Grants::INSIGHTS).await;
        assert_eq!(code(ask("list").await), "unknown");
        let asked = contains(&domain, &max, list, &["ann", "bob"]).await;
        assert_eq!(asked, Ok(vec![true, false]));
        give(list, Grants::VIEW_PEOPLE).await;
        assert_eq!(ask("list").await, Ok(2));
        assert_eq!(code(ask("list and not other").await), "unknown");
        assert_eq!(code(ask("not list").await), "everybody");
        give(two, Grants::MANAGE_MEMBERS).await;
        assert_eq!(ask("list and not other").await, Ok(1), "by its structure");
        assert_eq!(code(lookup(&domain, &max, &["ann"]).await), "forbidden");
        close(domain).await;
    }
}
