//! What managers give to others, and what rules of theirs may tell them.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_nobody_gives_more_than_they_have() {
    for house in House::each() {
        let domain = house.open().await;
        let place = place(&domain).await;
        for who in ["max", "eve"] {
            record(&domain, who).await;
        }
        let by = key(&domain, account(&domain, "max").await, None).await;
        let eve = key(&domain, account(&domain, "eve").await, None).await;
        let server = context("server");
        let own = Grants::ADD_MANAGERS.with(Grants::VIEW_PEOPLE);
        grant(&domain, &server, place.root, "max", own)
            .await
            .expect("is given");
        let before = seq(&domain).await;
        for (_, one) in Grants::ALL {
            for node in [place.root, place.list] {
                for who in ["eve", "max"] {
                    let given = grant(&domain, &by, node, who, own.with(one)).await;
                    let fits = node == place.root;
                    match (own.has(one), fits) {
                        (true, true) => drop(given.expect("is theirs")),
                        (true, false) => assert_eq!(code(given), "not_a_structure"),
                        (false, _) => drop(code(given)),
                    }
                }
            }
        }
        let listed = domain
            .manager_list(&server.caller, AudienceRef::Id(place.root), None)
            .await;
        let (_, listed) = listed.expect("lists");
        assert_eq!(listed.len(), 2);
        assert!(listed.iter().all(|one| one.grants == own), "{listed:?}");
        assert_eq!(seq(&domain).await, before + 4);
        // One of a list that is too much: nothing of the list is done.
        let which = AudienceRef::Id(place.list);
        let (good, bad) = (Grants::VIEW_PEOPLE, Grants::MANAGE_MEMBERS);
        let list = vec![(email("ann"), good), (email("eve"), bad)];
        let put = domain
            .manager_put(&by, which.clone(), None, list, false)
            .await;
        assert_eq!(code(put), "beyond_own");
        let (_, listed) = domain
            .manager_list(&by.caller, which.clone(), None)
            .await
            .expect("lists");
        assert!(listed.is_empty());
        // A chain: what she was given she gives on, no more.
        assert!(grant(&domain, &eve, place.list, "ann", good).await.is_ok());
        assert_eq!(
            code(grant(&domain, &eve, place.list, "ann", bad).await),
            "beyond_own"
        );
        // Nor is it taken away from somebody who has more.
        grant(&domain, &server, place.list, "ann", bad)
            .await
            .expect("is given");
        assert_eq!(
            code(grant(&domain, &eve, place.list, "ann", good).await),
            "beyond_own"
        );
        let list = vec![(email("max"), good)];
        let put = domain
            .manager_put(&eve, which.clone(), None, list, true)
            .await;
        assert_eq!(code(put), "beyond_own");
        let removed = domain
            .manager_remove(&eve, which.clone(), None, &email("ann"))
            .await;
        assert_eq!(code(removed), "beyond_own");
        // Unknown names are told; if none is known nothing is done.
        let nobody = grant(&domain, &server, place.list, "nobody", good)
            .await
            .expect("an answer");
        assert_eq!(nobody.failed, [(email("nobody"), Refused::Unknown)]);
        let list = vec![
            (email("eve"), good),
            ("thing".into(), good),
            (email("eve"), bad),
        ];
        let put = domain
            .manager_put(&server, which.clone(), None, list, true)
            .await;
        let put = put.expect("an answer");
        assert_eq!((put.done, put.failed.len()), (vec![email("eve")], 1));
        let (_, listed) = domain
            .manager_list(&server.caller, which, None)
            .await
            .expect("lists");
        assert_eq!(listed.len(), 1, "replaced");
        assert_eq!(listed[0].grants, bad, "the last of what was said of her");
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_manager_sees_nobody_by_a_rule_whom_they_may_not_see() {
    for house in House::each() {
        let domain = house.open().await;
        let place = place(&domain).await;
        let secret = child(&domain, place.other, "secret").await;
        for who in ["max", "hidden"] {
            record(&domain, who).await;
        }
        add(&domain, secret, &["hidden"]).await;
        let by = key(&domain, account(&domain, "max").await, None).await;
        let server = context("server");
        let grants = Grants::MANAGE_AUDIENCES.with(Grants::VIEW_PEOPLE);
        grant(&domain, &server, place.root, "max", grants)
            .await
            .expect("is given");
        let of = Rule::Audience;
        let make = async |name: &str, rule: Rule| {
            let new = AudienceNew {
                rule: Some(rule),
                ..AudienceNew::new(place.root, name)
            };
            domain.audience_create(&by, new).await
        };
        let not = |rule| Rule::Not(Box::new(rule));
        for (rule, expected) in [
            (of(secret), "unknown"),
            (of(place.other), "unknown"),
            (Rule::All(vec![of(place.list), not(of(secret))]), "unknown"),
            (not(of(place.list)), "everybody"),
            (Rule::All(vec![]), "everybody"),
        ] {
            assert_eq!(code(make("bad", rule).await), expected);
        }
        let good = Rule::All(vec![of(place.root), not(of(place.list))]);
        let smart = make("good", good).await.expect("is made").id;
        let ruled = |rule| AudienceChange {
            rule: Some(rule),
            ..AudienceChange::default()
        };
        let changed = domain.audience_change(&by, AudienceRef::Id(smart), ruled(of(secret)), false);
        assert_eq!(code(changed.await), "unknown");
        let changed = ruled(not(of(place.list)));
        let changed = domain.audience_change(&by, AudienceRef::Id(smart), changed, false);
        assert_eq!(code(changed.await), "everybody");
        // Where they may change audiences and not see people, a rule tells them nothing either.
        grant(
            &domain,
            &server,
            place.other,
            "max",
            Grants::MANAGE_AUDIENCES,
        )
        .await
        .expect("is given");
        assert_eq!(code(make("blind", of(secret)).await), "unknown");
        grant(&domain, &server, place.other, "max", grants)
            .await
            .expect("is given");
        let smart = make("seeing", of(secret)).await.expect("is made").id;
        let page = domain.member_page(
            &by.caller,
            AudienceRef::Id(smart),
            None,
            false,
            Window::After(0),
            9,
        );
        assert_eq!(page.await.expect("a page").total, 1);
        close(domain).await;
        verified(&house);
    }
}
