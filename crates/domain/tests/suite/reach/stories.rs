//! What is answered: formulas by text and by parts, overlaps and regions, look-ups, and that each follows at once.

use super::*;

/// Two structures: the first with lists `News` (ann, bob, cat) and `Customers` (bob, dan) and eve of its own, the second with
/// `Staff` (cat, dan, fay).
struct Place {
    one: i64,
    two: i64,
    news: i64,
    customers: i64,
    staff: i64,
}

async fn place(domain: &Domain) -> Place {
    let (one, two) = (
        structure(domain, "First shop").await,
        structure(domain, "Second").await,
    );
    let news = child(domain, one, "News").await;
    let customers = child(domain, one, "Customers").await;
    let staff = child(domain, two, "Staff").await;
    add(domain, news, &["ann", "bob", "cat"]).await;
    add(domain, customers, &["bob", "dan"]).await;
    add(domain, one, &["eve"]).await;
    add(domain, staff, &["cat", "dan", "fay"]).await;
    Place {
        one,
        two,
        news,
        customers,
        staff,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reach_counts_what_is_meant() {
    for house in House::each() {
        let domain = house.open().await;
        let place = place(&domain).await;
        let rule = Rule::All(vec![
            Rule::Audience(place.one),
            Rule::Not(Box::new(Rule::Audience(place.staff))),
        ]);
        let ours = smart(&domain, place.two, "Ours", rule).await.id;
        for (text, expected) in [
            ("news", 3),
            ("NEWS and not (customers or staff)", 1),
            ("News or Customers or Staff", 5),
            ("'First shop'", 5),
            ("'first shop' and not news and not customers", 1),
            ("Second", 3),
            ("ours", 3),
            ("not ours", 3),
            ("ours and news", 2),
            ("has:email", 6),
            ("has:phone", 0),
            ("not has:phone and staff", 3),
            ("channel:whatsapp or staff", 3),
            ("staff and not staff", 0),
            ("not (staff and not staff)", 6),
        ] {
            assert_eq!(people(&domain, text).await, expected, "{text}");
        }
        let by_id = format!("#{} or #{ours}", place.staff);
        assert_eq!(people(&domain, &by_id).await, 6);
        let all = Formula::All(Vec::new());
        let everybody = domain.reach(&Caller::server(1), &all).await;
        assert_eq!(everybody.expect("counts").people, 6);

        // The operands, once each, with their sizes and places, of the moment that the answer names.
        let text = "news and (staff or not 'First shop' and news)";
        let found = reach(&domain, text).await.expect("counts");
        assert_eq!(found.people, 1);
        assert_eq!(found.seq, domain.store().head_seq(1).await.expect("a head"));
        let shown: Vec<(String, u64)> = found
            .operands
            .iter()
            .map(|sized| match &sized.operand {
                Operand::Audience(audience) => (audience.path().join("/"), sized.people),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("First shop/News".to_owned(), 3),
                ("Second/Staff".to_owned(), 3),
                ("First shop".to_owned(), 5)
            ]
        );

        // It follows at once: members, names, and what is gone.
        add(&domain, place.news, &["gus"]).await;
        assert_eq!(people(&domain, "news").await, 4);
        assert_eq!(people(&domain, "ours").await, 4);
        assert_eq!(people(&domain, "not staff").await, 4);
        let gone = domain.audience_delete(&context("d"), place.news).await;
        gone.expect("is deleted");
        assert_eq!(code(reach(&domain, "news").await), "unknown");
        assert_eq!(people(&domain, "ours").await, 2);
        let again = child(&domain, place.two, "news").await;
        assert_eq!(people(&domain, "News").await, 0);
        add(&domain, again, &["ann"]).await;
        assert_eq!(people(&domain, "second").await, 4);
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reach_answers_overlaps_and_regions() {
    for house in House::each() {
        let domain = house.open().await;
        let place = place(&domain).await;
        let caller = Caller::server(1);
        let named = [
            name("news"),
            id(place.customers),
            name("Staff"),
            id(place.one),
        ];
        let found = domain.overlap(&caller, &named, true).await.expect("counts");
        assert_eq!(
            found.matrix,
            [[3, 1, 1, 3], [1, 2, 1, 2], [1, 1, 3, 2], [3, 2, 2, 5]]
        );
        let sizes: Vec<u64> = found.audiences.iter().map(|one| one.people).collect();
        assert_eq!(sizes, [3, 2, 3, 5]);
        let regions: Vec<(Vec<usize>, u64)> = found
            .regions
            .expect("were asked for")
            .into_iter()
            .map(|region| (region.within, region.people))
            .collect();
        assert_eq!(
            regions,
            [
                (vec![0, 1, 3], 1),
                (vec![0, 2, 3], 1),
                (vec![0, 3], 1),
                (vec![1, 2, 3], 1),
                (vec![2], 1),
                (vec![3], 1)
            ]
        );
        let against = domain
            .overlap_against(&caller, &name("Staff"), &named)
            .await
            .expect("counts");
        let shared: Vec<u64> = against.against.iter().map(|(_, shared)| *shared).collect();
        assert_eq!((shared, against.audience.people), (vec![1, 1, 3, 2], 3));

        let one = || id(place.one);
        let overlap = async |named: &[Named], regions| {
            let found = domain.overlap(&caller, named, regions).await;
            found.map(|found| found.matrix)
        };
        assert_eq!(code(overlap(&[], false).await), "required");
        let many = vec![one(); limits::OVERLAP_MATRIX_MAX + 1];
        assert_eq!(code(overlap(&many, false).await), "too_many");
        assert!(overlap(&many[1..], false).await.is_ok());
        assert_eq!(code(overlap(&many[..7], true).await), "too_many");
        assert!(overlap(&many[..6], true).await.is_ok());
        assert_eq!(code(overlap(&[one(), id(999)], false).await), "unknown");
        let many = vec![one(); limits::OVERLAP_AGAINST_MAX + 1];
        let against = domain.overlap_against(&caller, &one(), &many).await;
        assert_eq!(code(against), "too_many");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reach_looks_people_up() {
    for house in House::each() {
        let domain = house.open().await;
        let place = place(&domain).await;
        let rule = Rule::Not(Box::new(Rule::Audience(place.one)));
        let others = smart(&domain, place.two, "Others", rule).await.id;
        let caller = Caller::server(1);
        let who = ["fay", "nobody", "bob", "not valid@", "eve", "bob"];
        let found = lookup(&domain, &caller, &who).await.expect("answers");
        assert_eq!(found.seq, domain.store().head_seq(1).await.expect("a head"));
        let expected = [
            BTreeSet::from([place.two, place.staff, others]),
            BTreeSet::new(),
            BTreeSet::from([place.one, place.news, place.customers]),
            BTreeSet::new(),
            BTreeSet::from([place.one]),
            BTreeSet::from([place.one, place.news, place.customers]),
        ];
        for (one, expected) in found.people.iter().zip(&expected) {
            assert_eq!(
                (held(one), one.total),
                (expected.clone(), expected.len() as u64)
            );
            assert_eq!(one.persons.is_empty(), expected.is_empty());
        }
        assert_eq!(found.people.len(), who.len());
        let named: Vec<i64> = found.audiences.iter().map(|one| one.id).collect();
        let all: BTreeSet<i64> = expected.iter().flatten().copied().collect();
        assert_eq!(named, Vec::from_iter(all));

        // Page by page.
        let first = lookup_after(&domain, &caller, &["bob"], 0, 2)
            .await
            .expect("answers");
        let (first, total) = (&first.people[0].audiences, first.people[0].total);
        assert_eq!((first.len(), total), (2, 3));
        let rest = lookup_after(&domain, &caller, &["bob"], first[1], 2).await;
        let rest = rest.expect("answers").people[0].audiences.clone();
        assert_eq!(
            [first.clone(), rest].concat(),
            Vec::from_iter(expected[2].clone())
        );

        // The same by contains, of few and of many.
        for node in [
            place.one,
            place.two,
            place.news,
            place.customers,
            place.staff,
            others,
        ] {
            let many: Vec<&str> = who.iter().cycle().take(6_000).copied().collect();
            let few = contains(&domain, &caller, node, &who)
                .await
                .expect("answers");
            let by_lookup: Vec<bool> = expected.iter().map(|held| held.contains(&node)).collect();
            assert_eq!(few, by_lookup, "{node}");
            let many = contains(&domain, &caller, node, &many)
                .await
                .expect("answers");
            assert!(many.chunks(who.len()).all(|some| some == few), "{node}");
        }

        let many = vec!["ann"; limits::LOOKUP_PEOPLE_MAX + 1];
        assert_eq!(code(lookup(&domain, &caller, &many).await), "too_many");
        assert!(lookup(&domain, &caller, &many[1..]).await.is_ok());
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reach_refuses_what_is_ambiguous_unknown_or_too_large() {
    for house in House::each() {
        let domain = house.open().await;
        let place = place(&domain).await;
        let other = child(&domain, place.two, "News").await;
        let refused = reach(&domain, "staff or news")
            .await
            .expect_err("two of them");
        let said = refused.to_string();
        for candidate in [
            format!("{} (First shop / News)", place.news),
            format!("{other} (Second / News)"),
        ] {
            assert!(said.contains(&candidate), "{said}");
        }
        assert_eq!(code::<()>(Err(refused)), "ambiguous");
        assert_eq!(code(reach(&domain, "staff or #999").await), "unknown");
        assert_eq!(code(reach(&domain, "#0").await), "unknown");
        assert_eq!(code(reach(&domain, "staff or").await), "malformed");

        let caller = Caller::server(1);
        let one = || Formula::Named(id(place.one));
        let deep = |depth: usize| (1..depth).fold(one(), |part, _| Formula::Not(Box::new(part)));
        let wide = |parts: usize| Formula::Any(vec![one(); parts - 1]);
        let names = |count: i64| {
            let named = (0..count).map(|at| Formula::Named(id(place.one * 100_000 + at)));
            Formula::Any(named.collect())
        };
        for (formula, expected) in [
            (deep(sets::DEPTH_MAX + 1), "too_large"),
            (deep(50_000), "too_large"),
            (wide(sets::PARTS_MAX + 1), "too_large"),
            (wide(1_000_000), "too_large"),
            (names(9_000), "unknown"),
        ] {
            assert_eq!(code(domain.reach(&caller, &formula).await), expected);
            // Taken down by hand: dropping it as it is would take as deep a stack.
            take_down(formula);
        }
        for formula in [deep(sets::DEPTH_MAX), wide(sets::PARTS_MAX)] {
            assert!(domain.reach(&caller, &formula).await.is_ok());
        }
        close(domain).await;
    }
}

fn take_down(mut formula: Formula) {
    while let Formula::Not(part) = formula {
        formula = *part;
    }
}
