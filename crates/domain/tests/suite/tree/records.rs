//! Records of people: whose they become, what they leave behind, and that the sets which follow from them do.

use domain::{RecordChange, RecordQuery, RecordRef};
use sha2::{Digest, Sha256};
use store::DatabaseUrl;

use super::*;

fn new(reference: Option<&str>, who: Option<&str>) -> RecordNew {
    RecordNew {
        reference: reference.map(str::to_owned),
        email: who.map(email),
        active: true,
        ..RecordNew::default()
    }
}

async fn make(domain: &Domain, new: RecordNew) -> Result<Record> {
    domain.record_create(&context("r"), SOURCE, new).await
}

async fn update(domain: &Domain, id: i64, change: RecordChange) -> Result<Record> {
    let which = RecordRef::Id(id);
    domain
        .record_update(&context("u"), SOURCE, which, change)
        .await
}

async fn clashes(domain: &Domain) -> Vec<(u32, u32, String)> {
    let listed = domain.conflict_list(&Caller::server(1), 0, 100).await;
    let listed = listed.expect("lists").into_iter();
    listed
        .map(|one| (one.first_person, one.second_person, one.kind))
        .collect()
}

async fn in_set(domain: &Domain, set: i64) -> Vec<u32> {
    domain
        .store()
        .state(1)
        .await
        .expect("a state")
        .set(set)
        .expect("reads")
        .to_vec()
}

const RECORDS: i64 = -100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_record_is_of_whoever_has_its_address_else_its_reference() {
    for house in House::each() {
        let domain = house.open().await;
        let one = structure(&domain, "one").await;
        let list = child(&domain, one, "list").await;
        // Somebody whom another protocol brought by a hash of the address.
        let digest = Sha256::digest(b"john.doe@gmail.com");
        let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut hashed = domain.batch(&Caller::server(1), 1).await.expect("a batch");
        hashed.push(Kind::Email, "", &hash);
        let added = domain
            .member_add(&context("add"), AudienceRef::Id(list), hashed.finish())
            .await;
        added.expect("is added");
        let john = RecordNew {
            email: Some(" John.Doe@GMAIL.com ".into()),
            ..new(Some("j1"), None)
        };
        let john = make(&domain, john).await.expect("is made");
        assert_eq!(people(&domain, list).await, BTreeSet::from([john.person]));

        // By reference where the address is new; the address is theirs then.
        let ann = make(&domain, new(Some("a1"), None)).await.expect("is made");
        let gone = domain
            .record_delete(&context("d"), SOURCE, RecordRef::Id(ann.id))
            .await;
        gone.expect("is deleted");
        let again = make(&domain, new(Some("a1"), Some("ann")))
            .await
            .expect("is made");
        assert_eq!(again.person, ann.person);
        assert!(again.id > ann.id);
        add(&domain, list, &["ann"]).await;
        assert!(people(&domain, list).await.contains(&ann.person));
        // The same reference of another source is somebody else's.
        let other = domain
            .record_create(&context("r"), "other", new(Some("a1"), None))
            .await;
        assert_ne!(other.expect("is made").person, ann.person);
        assert!(clashes(&domain).await.is_empty());

        // Address and reference of two: the address decides, and the clash is told, never settled.
        let bob = make(&domain, new(None, Some("bob")))
            .await
            .expect("is made");
        let gone = domain
            .record_delete(&context("d"), SOURCE, RecordRef::Id(again.id))
            .await;
        gone.expect("is deleted");
        let gone = domain
            .record_delete(&context("d"), SOURCE, RecordRef::Id(bob.id))
            .await;
        gone.expect("is deleted");
        let both = make(&domain, new(Some("a1"), Some("bob")))
            .await
            .expect("is made");
        assert_eq!(both.person, bob.person);
        assert_eq!(
            clashes(&domain).await,
            [(ann.person, bob.person, "external".into())]
        );
        let third = make(&domain, new(None, Some("ann")))
            .await
            .expect("is made");
        assert_eq!(third.person, ann.person, "the key stays where it was");
        assert_eq!(in_set(&domain, RECORDS).await.len(), 4);
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_new_address_is_added_to_the_person_and_the_old_one_stays() {
    for house in House::each() {
        let domain = house.open().await;
        let one = structure(&domain, "one").await;
        let ann = make(&domain, new(Some("a"), Some("ann")))
            .await
            .expect("is made");
        let bob = make(&domain, new(Some("b"), Some("bob")))
            .await
            .expect("is made");
        add(&domain, one, &["ann"]).await;
        let address = |who: &str| RecordChange {
            email: Some(Some(email(who))),
            ..RecordChange::default()
        };
        let after = update(&domain, ann.id, address("new"))
            .await
            .expect("is changed");
        assert_eq!(
            (after.person, after.email),
            (ann.person, Some(email("new")))
        );
        add(&domain, one, &["new", "ann"]).await;
        assert_eq!(people(&domain, one).await, BTreeSet::from([ann.person]));
        let caller = Caller::server(1);
        let old = domain
            .record_get(&caller, SOURCE, RecordRef::Email(email("ann")))
            .await;
        assert_eq!(code(old), "record", "no record has it");
        // One that another record has is refused; one that another person has is a clash.
        assert_eq!(
            code(update(&domain, ann.id, address("bob")).await),
            "already_used"
        );
        let after = update(&domain, bob.id, address("ann"))
            .await
            .expect("is changed");
        assert_eq!(after.person, bob.person, "a record stays with its person");
        assert_eq!(
            clashes(&domain).await,
            [(ann.person, bob.person, "email".into())]
        );
        let cleared = RecordChange {
            email: Some(None),
            ..RecordChange::default()
        };
        assert!(update(&domain, bob.id, cleared.clone()).await.is_ok());
        let both = RecordChange {
            reference: Some(None),
            ..cleared
        };
        assert_eq!(code(update(&domain, bob.id, both).await), "required");
        // An empty address is none.
        let empty = RecordChange {
            email: Some(Some(" ".into())),
            ..RecordChange::default()
        };
        let after = update(&domain, ann.id, empty).await.expect("is changed");
        assert_eq!((after.email, after.reference), (None, Some("a".into())));
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_name_never_means_two_people_and_a_record_can_always_be_changed() {
    for house in House::each() {
        let domain = house.open().await;
        // A reference that is an address, in letters as somebody wrote them.
        let shouting = RecordNew {
            reference: Some("Ann@example.org".into()),
            active: true,
            ..RecordNew::default()
        };
        let first = make(&domain, shouting.clone()).await.expect("is made");
        let same = RecordNew {
            email: Some("Ann@Example.org".into()),
            ..new(None, None)
        };
        assert_eq!(code(make(&domain, same).await), "already_used");
        let other = make(&domain, new(Some("x"), Some("bob")))
            .await
            .expect("is made");
        let taken = RecordChange {
            email: Some(Some(" Ann@Example.org ".into())),
            ..RecordChange::default()
        };
        assert_eq!(code(update(&domain, other.id, taken).await), "already_used");
        let shouted = RecordChange {
            reference: Some(Some("BOB@example.org".into())),
            ..RecordChange::default()
        };
        assert_eq!(
            code(update(&domain, first.id, shouted).await),
            "already_used"
        );
        // Its own may be both.
        let own = RecordChange {
            email: Some(Some(email("ann"))),
            ..RecordChange::default()
        };
        let own = update(&domain, first.id, own).await.expect("is changed");
        assert_eq!(own.person, first.person);
        // In yet other letters a reference goes before an address, and both records can be changed.
        let mixed = make(&domain, new(Some("CAT@example.org"), None)).await;
        let mixed = mixed.expect("is made");
        let lower = make(&domain, new(None, Some("cat")))
            .await
            .expect("is made");
        let caller = Caller::server(1);
        for (name, id) in [
            ("CAT@example.org", mixed.id),
            ("cat@example.org", lower.id),
            ("Cat@Example.org", lower.id),
        ] {
            let named = RecordRef::Name(name.into());
            let found = domain.record_get(&caller, SOURCE, named).await;
            assert_eq!(found.expect("is there").id, id, "{name}");
        }
        for id in [first.id, mixed.id, lower.id] {
            let off = RecordChange {
                active: Some(false),
                ..RecordChange::default()
            };
            let changed = update(&domain, id, off).await.expect("is changed");
            assert!(!changed.active);
        }

        for (kind, id) in [
            (IdKind::Record, other.id),
            (IdKind::Person, 1),
            (IdKind::Record, 9_999),
        ] {
            let reference = hex(1, kind, id);
            let made = make(&domain, new(Some(&reference), None)).await;
            assert_eq!(code(made), "already_used", "{reference}");
        }
        assert!(
            make(&domain, new(Some(&hex(2, IdKind::Record, 1)), None))
                .await
                .is_ok()
        );
        assert_eq!(code(make(&domain, RecordNew::default()).await), "required");
        assert_eq!(
            code(make(&domain, new(Some("x"), None)).await),
            "already_used"
        );
        let inverted = RecordNew {
            starts: Some("2026-02-01".into()),
            ends: Some("2026-01-31".into()),
            ..new(Some("y"), None)
        };
        assert_eq!(code(make(&domain, inverted).await), "before_start");
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_a_deleted_record_leaves_its_person_where_they_are() {
    for house in House::each() {
        let domain = house.open().await;
        let one = structure(&domain, "one").await;
        let list = child(&domain, one, "list").await;
        let ann = record(&domain, "ann").await;
        let also = domain
            .record_create(&context("r"), "other", new(None, Some("ann")))
            .await;
        let also = also.expect("is made");
        assert_eq!(also.person, ann.person);
        add(&domain, list, &["ann"]).await;
        let matched = async || {
            let found = domain.audience_get(&Caller::server(1), list).await;
            let counts = found.expect("counts").counts;
            (counts.people, counts.with_email, counts.with_email_matched)
        };
        assert_eq!(matched().await, (1, 1, 1));
        let delete = async |source: &str, id: i64| {
            domain
                .record_delete(&context("d"), source, RecordRef::Id(id))
                .await
        };
        assert_eq!(
            code(delete("other", ann.id).await),
            "record",
            "of another source"
        );
        assert_eq!(delete(SOURCE, ann.id).await, Ok(()));
        assert_eq!(code(delete(SOURCE, ann.id).await), "record");
        assert_eq!(in_set(&domain, RECORDS).await, [ann.person], "one is left");
        assert_eq!(delete("other", also.id).await, Ok(()));
        assert!(in_set(&domain, RECORDS).await.is_empty());
        assert_eq!(matched().await, (1, 1, 0));
        assert_eq!(people(&domain, one).await, BTreeSet::from([ann.person]));
        let again = record(&domain, "ann").await;
        assert_eq!(again.person, ann.person);
        let (listed, total) = domain
            .record_list(&Caller::server(1), SOURCE, RecordQuery::default(), 0, 10)
            .await
            .expect("lists");
        assert_eq!((listed, total), (vec![again], 1));
        close(domain).await;
        verified(&house);
    }
}

/// Runs a statement behind the server's back; answers how many rows it changed.
fn behind(house: &House, statement: &str) -> u64 {
    tokio::task::block_in_place(|| match &house.url {
        DatabaseUrl::Sqlite { path, .. } => {
            let database = rusqlite::Connection::open(path).expect("opens");
            database.execute(statement, []).expect("runs") as u64
        }
        DatabaseUrl::Postgres(url) => {
            let client = postgres::Client::connect(url, postgres::NoTls);
            let mut client = client.expect("connects");
            client.execute(statement, &[]).expect("runs")
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_verify_finds_rows_that_say_otherwise_than_the_sets() {
    for house in House::each() {
        let domain = house.open().await;
        let one = structure(&domain, "one").await;
        let list = child(&domain, one, "list").await;
        let ann = record(&domain, "ann").await;
        record(&domain, "bob").await;
        let (context, which) = (context("m"), AudienceRef::Id(list));
        let managers = vec![(email("ann"), domain::Grants::INSIGHTS)];
        let put = domain.manager_put(&context, which, Some(SOURCE), managers, false);
        put.await.expect("is one");
        close(domain).await;
        verified(&house);
        let findings = || {
            let report = tokio::task::block_in_place(|| {
                store::verify(&house.path(), &house.url, &mut |_, _, _| {})
            });
            report.expect("reports").findings
        };
        // Each with what puts it right again.
        let id = ann.id;
        for (wrong, right, word) in [
            (
                format!("UPDATE record SET active = 0 WHERE id = {id}"),
                format!("UPDATE record SET active = 1 WHERE id = {id}"),
                "inactive",
            ),
            (
                format!("UPDATE record SET ended = 1 WHERE id = {id}"),
                format!("UPDATE record SET ended = 0 WHERE id = {id}"),
                "ended",
            ),
            (
                format!("UPDATE record SET person = person + 70 WHERE id = {id}"),
                format!("UPDATE record SET person = person - 70 WHERE id = {id}"),
                "have records",
            ),
            (
                format!("UPDATE audience SET parent_id = NULL WHERE id = {list}"),
                format!("UPDATE audience SET parent_id = {one} WHERE id = {list}"),
                "not the child",
            ),
            (
                format!(
                    "UPDATE audience SET structure_id = {list}, parent_id = {list} WHERE id = {list}"
                ),
                format!(
                    "UPDATE audience SET structure_id = {one}, parent_id = {one} WHERE id = {list}"
                ),
                "not the child",
            ),
            (
                format!("UPDATE audience SET control = 'console' WHERE id = {list}"),
                format!("UPDATE audience SET control = 'both' WHERE id = {list}"),
                "as its structure",
            ),
            (
                format!("UPDATE audience SET deleting = 77 WHERE id = {list}"),
                format!("UPDATE audience SET deleting = 0 WHERE id = {list}"),
                "by no job",
            ),
            (
                format!("UPDATE audience_manager SET audience_id = 777 WHERE audience_id = {list}"),
                format!("UPDATE audience_manager SET audience_id = {list} WHERE audience_id = 777"),
                "has managers",
            ),
        ] {
            assert_eq!(behind(&house, &wrong), 1, "{wrong}");
            let found = findings();
            assert!(
                found.iter().any(|one| one.contains(word)),
                "{wrong}: {found:?}"
            );
            assert_eq!(behind(&house, &right), 1, "{right}");
            assert_eq!(findings(), Vec::<String>::new(), "{right}");
        }
    }
}
