//! A structure too large to be deleted by one command: gone for everybody at once, and then piece by piece, whatever comes
//! between and whoever does it.

use domain::{
    AudienceChange, AudienceNew, AudienceRef, Caller, Deletion, Denied, Domain, Error, Grants, Job,
    Rule,
};

use super::{
    ask::ask,
    check::{check, seen},
    model::{Model, Name},
    *,
};
use crate::support::context;

async fn told(domain: &Domain, model: &mut Model, step: Step) {
    let asked = ask(domain, model, &step).expect("can be done");
    let learned = asked.await;
    learn(model, learned);
}

/// Two structures: the first with 130 audiences, of which many have members and managers.
async fn grown(domain: &Domain) -> (Model, i64, i64) {
    let mut model = Model::default();
    told(domain, &mut model, Step::Structure(0, true)).await;
    told(domain, &mut model, Step::Structure(1, true)).await;
    let [large, small] = model.structures()[..] else {
        panic!("two structures");
    };
    told(domain, &mut model, Step::Child(1, 0, None)).await;
    for number in 0..130u8 {
        let new = AudienceNew {
            reference: Some(text::reference(number)),
            ..AudienceNew::new(large, text::name(number))
        };
        let made = domain.audience_create(&context("child"), new).await;
        let mut node = model.nodes[&large].clone();
        (node.structure, node.name, node.reference) = (Some(large), number, Some(number));
        model.nodes.insert(made.expect("is made").id, node);
    }
    for slot in (0..130).step_by(3) {
        let step = Step::Add(slot, vec![slot % 12, slot % 7]);
        told(domain, &mut model, step).await;
    }
    let kept = model.children(small)[0];
    let rule = Rule::Any(vec![Rule::Audience(large), Rule::Audience(kept)]);
    let new = AudienceNew {
        rule: Some(rule.clone()),
        ..AudienceNew::new(small, text::name(1))
    };
    let made = domain.audience_create(&context("smart"), new).await;
    let mut node = model.nodes[&kept].clone();
    (node.name, node.rule) = (1, Some(rule));
    model.nodes.insert(made.expect("is made").id, node);
    let slot = |id| model.nodes.keys().position(|one| *one == id);
    let slot = u8::try_from(slot(kept).expect("is there")).expect("few");
    let step = Step::Put(slot, vec![Name::Person(1), Name::Person(2)], false);
    told(domain, &mut model, step).await;
    for slot in [0, 2, 90, slot] {
        told(domain, &mut model, Step::Manage(slot, 1, false)).await;
    }
    (model, large, small)
}

async fn job_of(domain: &Domain, id: i64) -> Job {
    let found = domain.job_get(&Caller::server(1), id).await;
    found.expect("is there")
}

/// What is being deleted is no place to do anything.
async fn is_gone(domain: &Domain, large: i64, inside: i64, other: i64) {
    let none = Err(Error::NotFound("audience"));
    for id in [large, inside] {
        let (context, node) = (context("gone"), AudienceRef::Id(id));
        let found = domain.audience_find(&context.caller, node.clone()).await;
        assert_eq!(found.map(drop), none);
        let emptied = domain.member_empty(&context, AudienceRef::Id(id)).await;
        assert_eq!(emptied.map(drop), none);
        let again = domain.audience_remove(&context, node.clone()).await;
        assert_eq!(again.map(drop), none);
        let manager = (
            text::named(&Model::default(), Name::Person(1)),
            Grants::NONE,
        );
        let put = domain.manager_put(&context, node, None, vec![manager], false);
        assert_eq!(put.await.map(drop), none);
    }
    let new = AudienceNew::new(large, "late");
    let made = domain.audience_create(&context("late"), new).await;
    assert_eq!(made.map(drop), Err(Error::Forbidden(Denied::Structure)));
    let change = AudienceChange {
        parent: Some(AudienceRef::Id(large)),
        ..AudienceChange::default()
    };
    let (context, other) = (context("in"), AudienceRef::Id(other));
    let moved = domain.audience_change(&context, other, change, false).await;
    let moved = moved.map(drop);
    assert_eq!(moved, Err(Error::NotFound("structure")));
}

fn verified(house: &House) {
    let report =
        tokio::task::block_in_place(|| store::verify(&house.path(), &house.url, &mut |_, _, _| {}));
    assert_eq!(report.expect("verifies").findings, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_too_large_for_one_command_is_gone_at_once_and_then_taken_down() {
    for house in House::each() {
        let domain = house.open().await;
        let (mut model, large, small) = grown(&domain).await;
        check(&domain, &model, 1_000).await;
        let (inside, other) = (model.children(large)[3], model.children(small)[0]);

        let deleted = domain
            .structure_delete(&context("delete"), large, true)
            .await;
        let Ok(Deletion::Job(job)) = deleted else {
            panic!("a job");
        };
        model
            .nodes
            .retain(|id, node| *id != large && node.structure != Some(large));
        seen(&domain, &model, 1_000).await;
        is_gone(&domain, large, inside, other).await;
        assert_eq!(
            (
                job_of(&domain, job).await.done,
                job_of(&domain, job).await.total
            ),
            (0, 131)
        );
        verified(&house);

        // References and names are free; other commands go on; the server stops in the middle.
        assert_eq!(domain.jobs_run().await, Ok(true));
        assert_eq!(job_of(&domain, job).await.done, 100);
        told(&domain, &mut model, Step::Child(0, 5, Some(3))).await;
        told(&domain, &mut model, Step::Add(1, vec![3, 4, 40])).await;
        seen(&domain, &model, 1_000).await;
        verified(&house);
        tokio::task::block_in_place(|| domain.store().checkpoint_now(1)).expect("a checkpoint");
        close(domain).await;

        let domain = house.open().await;
        seen(&domain, &model, 1_000).await;
        is_gone(&domain, large, inside, other).await;
        assert_eq!(job_of(&domain, job).await.finished, None);
        let mut steps = 0;
        while domain.jobs_run().await.expect("a step") {
            steps += 1;
        }
        assert_eq!(steps, 2, "the rest, and the end");
        let finished = job_of(&domain, job).await;
        assert_eq!((finished.done, finished.total), (131, 131));
        assert!(finished.finished.is_some());
        check(&domain, &model, 1_000).await;
        is_gone(&domain, large, inside, other).await;
        close(domain).await;
        verified(&house);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tree_taken_down_by_two_processes_is_taken_down_once() {
    let Some(house) = tokio::task::block_in_place(House::postgres) else {
        return;
    };
    let (one, two) = (house.open_as("one").await, house.open_as("two").await);
    let (mut model, large, _) = grown(&one).await;
    let deleted = one
        .audience_remove(&context("delete"), AudienceRef::Id(large))
        .await;
    let Ok(Deletion::Job(job)) = deleted else {
        panic!("a job");
    };
    model
        .nodes
        .retain(|id, node| *id != large && node.structure != Some(large));
    seen(&two, &model, 1_000).await;
    loop {
        let (here, there) = tokio::join!(one.jobs_run(), two.jobs_run());
        if !here.expect("a step") && !there.expect("a step") {
            break;
        }
    }
    assert_eq!(job_of(&two, job).await.done, 131);
    check(&one, &model, 1_000).await;
    check(&two, &model, 1_000).await;
    close(one).await;
    close(two).await;
    verified(&house);
}
