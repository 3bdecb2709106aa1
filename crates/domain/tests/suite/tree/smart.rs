//! Smart audiences: what a rule can say, what it cannot, and that nobody writes to one.

use domain::{Rule, limits};

use super::*;

async fn smart(domain: &Domain, structure: i64, name: &str, rule: Rule) -> Result<Audience> {
    let new = AudienceNew {
        rule: Some(rule),
        ..AudienceNew::new(structure, name)
    };
    domain.audience_create(&context("smart"), new).await
}

fn not(rule: Rule) -> Rule {
    Rule::Not(Box::new(rule))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_smart_audience_follows_its_rule_and_feeds_nobody() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (structure(&domain, "1").await, structure(&domain, "2").await);
        let (a, b) = (
            child(&domain, one, "a").await,
            child(&domain, one, "b").await,
        );
        for who in ["ann", "bob", "cat", "dan", "eve"] {
            record(&domain, who).await;
        }
        add(&domain, a, &["ann", "bob"]).await;
        add(&domain, b, &["bob", "cat"]).await;
        add(&domain, one, &["dan"]).await;
        let of = Rule::Audience;
        let cases: Vec<(Rule, &[&str])> = vec![
            (of(a), &["ann", "bob"]),
            (of(one), &["ann", "bob", "cat", "dan"]),
            (Rule::All(vec![of(a), of(b)]), &["bob"]),
            (Rule::Any(vec![of(a), of(b)]), &["ann", "bob", "cat"]),
            (Rule::All(vec![of(one), not(of(a))]), &["cat", "dan"]),
            (Rule::All(vec![not(of(a)), of(one), not(of(b))]), &["dan"]),
            (not(of(one)), &["eve"]),
            (not(not(of(a))), &["ann", "bob"]),
            (Rule::All(vec![]), &["ann", "bob", "cat", "dan", "eve"]),
            (Rule::Any(vec![]), &[]),
            (Rule::All(vec![not(of(a)), not(of(b))]), &["dan", "eve"]),
            (
                Rule::All(vec![
                    of(one),
                    not(Rule::Any(vec![Rule::All(vec![of(a), of(b)])])),
                ]),
                &["ann", "cat", "dan"],
            ),
        ];
        let mut made = Vec::new();
        for (at, (rule, expected)) in cases.iter().enumerate() {
            let id = smart(&domain, two, &at.to_string(), rule.clone()).await;
            let id = id.expect("is made").id;
            assert_eq!(names(&domain, id).await, *expected, "{rule:?}");
            let counted = domain.audience_get(&Caller::server(1), id).await;
            let people = counted.expect("counts").counts.people;
            assert_eq!(people, expected.len() as u64, "{rule:?}");
            made.push(id);
        }
        assert!(people(&domain, two).await.is_empty(), "they feed nobody");
        let listed = domain.tree_list(&Caller::server(1), None, one, 1).await;
        assert_eq!(listed.expect("lists")[0].counts.people, 0);

        // It follows at once; what is deleted has nobody in it, and what is not in nothing is everybody.
        add(&domain, a, &["eve"]).await;
        assert_eq!(names(&domain, made[0]).await, ["ann", "bob", "eve"]);
        let gone = domain.audience_delete(&context("d"), a).await;
        gone.expect("is deleted");
        assert!(names(&domain, made[0]).await.is_empty());
        assert_eq!(names(&domain, made[4]).await, ["bob", "cat", "dan"]);
        assert_eq!(names(&domain, made[7]).await.len(), 0);
        let gone = domain.structure_delete(&context("d"), one, true).await;
        gone.expect("is deleted");
        assert_eq!(names(&domain, made[6]).await.len(), 5, "all but nobody");
        // A new rule, by a change; a wrong one changes nothing, not the name either.
        let ruled = |rule| AudienceChange {
            name: Some("ruled".into()),
            rule: Some(rule),
            ..AudienceChange::default()
        };
        let changed = change(&domain, made[0], ruled(of(two))).await;
        assert_eq!(changed.expect("is changed").audience.name, "ruled");
        let before = node(&domain, made[1]).await;
        assert_eq!(
            code(change(&domain, made[1], ruled(of(a))).await),
            "unknown"
        );
        assert_eq!(
            code(change(&domain, made[1], ruled(of(made[0]))).await),
            "smart"
        );
        assert_eq!(node(&domain, made[1]).await, before);
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_rule_is_refused_where_it_is_too_large_or_names_what_it_may_not() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (structure(&domain, "1").await, structure(&domain, "2").await);
        let list = child(&domain, one, "list").await;
        let of = Rule::Audience;
        let first = smart(&domain, one, "first", of(list))
            .await
            .expect("is made")
            .id;
        let before = seq(&domain).await;
        let deep = |depth| (1..depth).fold(of(list), |rule, _| not(rule));
        let wide = |parts| Rule::Any(vec![of(list); parts - 1]);
        let (depth, parts) = (limits::RULE_DEPTH_MAX, limits::RULE_PARTS_MAX);
        for (rule, expected) in [
            (deep(depth + 1), "too_large"),
            (wide(parts + 1), "too_large"),
            (of(999), "unknown"),
            (not(Rule::All(vec![of(list), of(999)])), "unknown"),
            (of(first), "smart"),
            (Rule::Any(vec![of(list), of(first)]), "smart"),
            (of(-1), "unknown"),
            (of(0), "unknown"),
        ] {
            assert_eq!(code(smart(&domain, one, "bad", rule).await), expected);
        }
        assert_eq!(seq(&domain).await, before);
        assert!(smart(&domain, one, "deep", deep(depth)).await.is_ok());
        assert!(smart(&domain, one, "wide", wide(parts)).await.is_ok());
        let on_manual = AudienceChange {
            rule: Some(of(one)),
            ..AudienceChange::default()
        };
        assert_eq!(
            code(change(&domain, list, on_manual.clone()).await),
            "not_smart"
        );
        assert_eq!(code(change(&domain, one, on_manual).await), "not_smart");

        // Who may touch one structure only names nothing of another, and not everybody.
        let of_two = child(&domain, two, "theirs").await;
        let limited = credential(&domain, "audiences:read audiences:write", Some(vec![one])).await;
        let make = async |rule| {
            let new = AudienceNew {
                rule: Some(rule),
                ..AudienceNew::new(one, "limited")
            };
            domain.audience_create(&limited, new).await
        };
        assert_eq!(code(make(of(of_two)).await), "unknown");
        assert_eq!(code(make(of(two)).await), "unknown");
        assert_eq!(code(make(not(of(list))).await), "everybody");
        assert_eq!(code(make(Rule::All(vec![])).await), "everybody");
        let mixed = Rule::Any(vec![of(list), not(of(list))]);
        assert_eq!(code(make(mixed).await), "everybody");
        let within = Rule::All(vec![of(one), not(of(list))]);
        assert!(make(within).await.is_ok());
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_nobody_writes_the_members_of_a_smart_audience() {
    for house in House::each() {
        let domain = house.open().await;
        let (one, two) = (structure(&domain, "1").await, structure(&domain, "2").await);
        let list = child(&domain, one, "list").await;
        record(&domain, "ann").await;
        add(&domain, list, &["ann"]).await;
        let made = smart(&domain, one, "smart", Rule::Audience(list)).await;
        let id = made.expect("is made").id;
        let (before, context) = (seq(&domain).await, context("write"));
        let which = || AudienceRef::Id(id);
        let some = async || batch(&domain, &["ann"]).await;
        let put =
            |replace| domain.member_put(&context, which(), SOURCE, vec![email("ann")], replace);
        let ann = email("ann");
        for refused in [
            code(
                domain
                    .member_add(&context, AudienceRef::Id(id), some().await)
                    .await,
            ),
            code(
                domain
                    .member_remove(&context, AudienceRef::Id(id), some().await)
                    .await,
            ),
            code(
                domain
                    .member_replace(&context, AudienceRef::Id(id), some().await)
                    .await,
            ),
            code(domain.member_empty(&context, AudienceRef::Id(id)).await),
            code(put(false).await),
            code(put(true).await),
            code(
                domain
                    .member_remove_named(&context, which(), SOURCE, &ann)
                    .await,
            ),
        ] {
            assert_eq!(refused, "conflict");
        }
        assert_eq!(seq(&domain).await, before);
        // It moves, and its members with it are still those of its rule.
        assert!(!move_to(&domain, id, two).await.refused());
        assert_eq!(names(&domain, id).await, ["ann"]);
        assert!(people(&domain, two).await.is_empty());
        close(domain).await;
        verified(&house);
    }
}
