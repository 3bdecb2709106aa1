//! Records as their source asks for them, on each engine: by state, changed field by field, with the audiences of their people.

use std::time::Duration;

use domain::{
    AudienceNew, AudienceRef, Caller, Domain, Error, Portfolio, Record, RecordChange, RecordNew,
    RecordQuery, RecordRef, RecordState, StructureNew, TreeQuery,
};

use crate::support::{House, close, context};

const SOURCE: &str = "test";
const DAY: Duration = Duration::from_secs(24 * 3_600);

async fn record(domain: &Domain, reference: &str, active: bool, ends: Option<&str>) -> Record {
    let new = RecordNew {
        reference: Some(reference.into()),
        active,
        ends: ends.map(str::to_owned),
        profile: "{\"a\":1,\"b\":{\"c\":2}}".into(),
        ..RecordNew::default()
    };
    let made = domain.record_create(&context("make"), SOURCE, new).await;
    made.expect("makes a record")
}

async fn found(domain: &Domain, states: &[RecordState]) -> Vec<String> {
    let query = RecordQuery {
        states: states.to_vec(),
        ..RecordQuery::default()
    };
    let caller = Caller::server(1);
    let listed = domain.record_list(&caller, SOURCE, query, 0, 100).await;
    let (records, total) = listed.expect("lists");
    assert_eq!(total, records.len() as u64);
    let now = domain.now_ms();
    let has = |record: &Record| states.is_empty() || states.contains(&record.state(now));
    assert!(records.iter().all(has), "what is said of each is the same");
    let references = records.into_iter().map(|record| record.reference);
    references.map(Option::unwrap_or_default).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_found_by_their_state() {
    use RecordState::{Active, Ended, Inactive};
    for house in House::each() {
        let domain = house.open().await;
        record(&domain, "here", true, None).await;
        record(&domain, "gone", false, None).await;
        record(&domain, "gone-and-over", false, Some("2025-12-31")).await;
        record(&domain, "over", true, Some("2025-12-31")).await;
        record(&domain, "last-day", true, Some("2026-01-01")).await;
        let all = ["here", "gone", "gone-and-over", "over", "last-day"];
        assert_eq!(found(&domain, &[]).await, all, "{}", house.engine());
        assert_eq!(found(&domain, &[Active, Inactive, Ended]).await, all);
        assert_eq!(found(&domain, &[Active]).await, ["here", "last-day"]);
        assert_eq!(found(&domain, &[Inactive]).await, ["gone", "gone-and-over"]);
        assert_eq!(found(&domain, &[Ended]).await, ["over"]);
        assert_eq!(
            found(&domain, &[Ended, Active]).await,
            ["here", "over", "last-day"]
        );
        house.clock.advance(DAY);
        assert_eq!(found(&domain, &[Ended]).await, ["over", "last-day"]);
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_changed_field_by_field() {
    for house in House::each() {
        let domain = house.open().await;
        record(&domain, "r", true, None).await;
        let change = async |profile: &str| {
            let change = RecordChange {
                profile: Some(profile.into()),
                ..RecordChange::default()
            };
            let user = RecordRef::Reference("r".into());
            let context = context("change");
            let changed = domain.record_update(&context, SOURCE, user, change);
            changed.await.map(|record| record.profile)
        };
        assert_eq!(
            change("{}").await.as_deref(),
            Ok("{\"a\":1,\"b\":{\"c\":2}}")
        );
        let changed = change("{\"b\":{\"d\":3},\"e\":[4]}").await;
        assert_eq!(
            changed.as_deref(),
            Ok("{\"a\":1,\"b\":{\"d\":3},\"e\":[4]}")
        );
        let changed = change("{\"a\":null,\"x\":null,\"e\":5}").await;
        assert_eq!(changed.as_deref(), Ok("{\"b\":{\"d\":3},\"e\":5}"));
        for wrong in ["", "[]", "1", "{"] {
            let refused = change(wrong).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{wrong}");
        }
        // Two at once lose nothing of one another.
        let (one, two) = tokio::join!(change("{\"one\":1}"), change("{\"two\":2}"));
        one.expect("is changed");
        two.expect("is changed");
        let changed = change("{}").await.expect("is changed");
        assert_eq!(changed, "{\"b\":{\"d\":3},\"e\":5,\"one\":1,\"two\":2}");
        close(domain).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_in_the_audiences_that_the_caller_may_see() {
    for house in House::each() {
        let domain = house.open().await;
        let context = context("make");
        let mut people = Vec::new();
        for reference in ["one", "two", "three"] {
            people.push(record(&domain, reference, true, None).await.person);
        }
        let mut structures = Vec::new();
        let mut audiences = Vec::new();
        for name in ["first", "second"] {
            let made = domain.structure_create(&context, StructureNew::new(name));
            structures.push(made.await.expect("makes a structure").id);
            let new = AudienceNew::new(structures[structures.len() - 1], name);
            let made = domain.audience_create(&context, new).await;
            audiences.push(made.expect("makes an audience").id);
        }
        for (audience, name) in [
            (audiences[0], "one"),
            (audiences[1], "one"),
            (structures[1], "two"),
        ] {
            let names = vec![name.to_owned()];
            let node = AudienceRef::Id(audience);
            let put = domain.member_put(&context, node, SOURCE, names, false);
            put.await.expect("is put in");
        }
        let every = Caller::server(1);
        let mut some = every.clone();
        some.portfolio = Portfolio::Only(vec![structures[1]]);
        let held = domain.people_audiences(&every, &people).await;
        let expected = vec![
            vec![structures[0], audiences[0], structures[1], audiences[1]],
            vec![structures[1]],
            vec![],
        ];
        assert_eq!(held, Ok(expected), "{}", house.engine());
        let held = domain.people_audiences(&some, &people).await;
        let expected = vec![
            vec![structures[1], audiences[1]],
            vec![structures[1]],
            vec![],
        ];
        assert_eq!(held, Ok(expected));
        for (caller, all) in [(&every, 4), (&some, 2)] {
            let pages = domain.audience_pages(caller, TreeQuery::default(), 1, 1);
            let (page, total) = pages.await.expect("lists");
            assert_eq!((page.len(), total), (1, all));
            let second = if all == 4 { audiences[0] } else { audiences[1] };
            assert_eq!(page[0].audience.id, second);
        }
        close(domain).await;
    }
}
