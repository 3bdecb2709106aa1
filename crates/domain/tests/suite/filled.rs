//! Databases that were filled for measurements: interrupted and gone on with, served, changed, verified, tampered with.

use domain::{Domain, FillForm, Kind, fill_kind_set, fill_people};
use sets::Set;
use store::{
    DataFolder, FillAudience, FillFound, FillOptions, Filler, KeepIdentifiers, MasterKey,
    Workspace, WorkspaceSecret,
};

use crate::{
    keeping::altered,
    support::{House, close, context},
};

const PEOPLE: u32 = 10_000;

fn open(house: &House, label: &str) -> Result<Filler, store::Error> {
    let options = FillOptions {
        url: house.url.clone(),
        now: house.clock.now_ms(),
        new_master: MasterKey::new([7; 32]),
        new_database_id: "test".into(),
        workspace: Workspace {
            id: 0,
            slug: domain::DEFAULT_SLUG.into(),
            name: "Filled".into(),
            keep_identifiers: KeepIdentifiers::Sealed,
            created: 1,
        },
        new_secret: WorkspaceSecret::new([9; 32]),
        kind_set: fill_kind_set(),
        label: label.into(),
    };
    Filler::open(DataFolder::open(&house.path())?, options)
}

fn people(filler: &mut Filler, first: u32, last: u32) -> Result<(), store::Error> {
    let new = fill_people(filler.keys(), FillForm::Plain, first, last, true);
    filler.people(&new)
}

/// Everybody whose number divides by `by`.
fn audience(by: u32) -> FillAudience {
    let members: Vec<u32> = (1..=PEOPLE).filter(|person| person % by == 0).collect();
    FillAudience {
        name: format!("a{by}"),
        description: "filled".into(),
        people: members.len() as u64,
        members: Set::from_sorted(&members).to_bytes(),
    }
}

fn found(people: u32, audiences: u64) -> FillFound {
    FillFound {
        people: u64::from(people),
        keys: u64::from(people) * 2,
        audiences,
    }
}

/// In four runs, each of which ends without a word.
fn fill(house: &House) {
    let mut filler = open(house, "one").expect("opens");
    assert_eq!(filler.found(), found(0, 0));
    people(&mut filler, 1, 5_000).expect("people");
    assert!(
        people(&mut filler, 5_002, 6_000).is_err(),
        "there is no gap in persons"
    );
    drop(filler);
    let mut filler = open(house, "one").expect("opens again");
    assert_eq!(filler.found(), found(5_000, 0));
    people(&mut filler, 5_001, PEOPLE).expect("people");
    drop(filler);
    let mut filler = open(house, "one").expect("opens again");
    filler
        .audiences(Some("s1"), &[audience(2), audience(3)])
        .expect("audiences");
    drop(filler);
    let refused = open(house, "two").expect_err("other options").to_string();
    assert!(refused.contains("filled otherwise, with one"), "{refused}");
    let mut filler = open(house, "one").expect("opens again");
    assert_eq!(filler.found(), found(PEOPLE, 2));
    filler.audiences(None, &[audience(5)]).expect("an audience");
    filler.finish().expect("ends well");
}

async fn holds(domain: &Domain, audience: i64, values: &[&str]) -> Vec<bool> {
    let caller = context("").caller;
    let mut question = domain.question(&caller, 8).await.expect("a question");
    for value in values {
        question
            .identifier(Kind::Email, "", value)
            .expect("an address");
        question.end_person();
    }
    domain
        .member_contains(
            &caller,
            domain::Whose::Audience(audience),
            question.finish(),
        )
        .await
        .expect("answers")
}

async fn count(domain: &Domain, audience: i64) -> u64 {
    let caller = context("").caller;
    let found = domain.audience_get(&caller, audience).await;
    found.expect("an audience").counts.people
}

/// The structure has id 1, its audiences 2, 3 and 4.
async fn served(house: &House) {
    let domain = house.open().await;
    assert_eq!(count(&domain, 2).await, 5_000);
    assert_eq!(count(&domain, 3).await, 3_333);
    assert_eq!(count(&domain, 4).await, 2_000);
    let values = [
        "person-10@example.com",
        "Person-9999@example.com",
        "person-10001@example.com",
    ];
    assert_eq!(holds(&domain, 2, &values).await, [true, false, false]);
    let mut batch = domain.batch(&context("").caller, 2).await.expect("a batch");
    batch.push(Kind::Email, "", "person-7@example.com");
    batch.push(Kind::Email, "", "somebody@example.com");
    domain
        .member_add(&context("add"), 2, batch.finish())
        .await
        .expect("is added");
    // What the audience was filled from is older than this checkpoint, and stays.
    tokio::task::block_in_place(|| domain.store().checkpoint_now(1)).expect("a checkpoint");
    close(domain).await;
    let domain = house.open().await;
    assert_eq!(count(&domain, 2).await, 5_002);
    let values = ["person-7@example.com", "somebody@example.com"];
    assert_eq!(holds(&domain, 2, &values).await, [true, true]);
    assert_eq!(holds(&domain, 4, &values).await, [false, false]);
    close(domain).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filled_database_serves_changes_and_verifies() {
    for house in House::each() {
        tokio::task::block_in_place(|| fill(&house));
        served(&house).await;
        let verify = || {
            tokio::task::block_in_place(|| {
                store::verify(&house.path(), &house.url, &mut |_, _, _| {})
            })
            .expect("verifies")
        };
        let report = verify();
        assert_eq!(report.findings, Vec::<String>::new());
        assert_eq!((report.filled, report.people), (3, 10_001));
        assert_eq!(report.identifiers, report.keys);
        let tampers = [
            (
                "UPDATE snapshot SET bytes = (SELECT t.bytes FROM snapshot t WHERE t.set_id = 4) WHERE set_id = 3",
                "another snapshot",
            ),
            (
                "DELETE FROM snapshot WHERE set_id = 2 AND seq < 5",
                "missing",
            ),
            (
                "UPDATE change_set SET op = 1, added = removed WHERE set_id = 3",
                "altered",
            ),
        ];
        for (tamper, word) in tampers {
            altered(&house, tamper, || {
                let findings = verify().findings;
                assert!(
                    findings.iter().any(|finding| finding.contains(word)),
                    "{tamper}: {findings:?}"
                );
            });
        }
        tokio::task::block_in_place(|| {
            let refused = open(&house, "one").expect_err("it was used").to_string();
            assert!(refused.contains("used since"), "{refused}");
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_else_made_is_not_filled() {
    for house in House::each() {
        let domain = house.open().await;
        let new = domain::StructureNew::new("shop");
        domain
            .structure_create(&context("s"), new)
            .await
            .expect("a structure");
        close(domain).await;
        tokio::task::block_in_place(|| {
            let refused = open(&house, "one")
                .expect_err("it is not empty")
                .to_string();
            assert!(refused.contains("not empty"), "{refused}");
        });
    }
}
