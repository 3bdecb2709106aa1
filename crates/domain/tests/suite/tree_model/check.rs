//! Everything that a process answers about the trees, compared with the model.

use std::collections::{BTreeMap, BTreeSet};

use domain::{AudienceRef, Caller, Counted, Domain, Grants, RecordQuery, TreeQuery, Window};

use super::{
    SOURCE,
    model::{Model, Node, People, Rec},
    text,
};

/// Who is in a node, by pages of both kinds.
async fn paged(domain: &Domain, model: &Model, id: i64, own: bool, limit: usize) -> People {
    let caller = Caller::server(1);
    let page = |window| {
        let reference = AudienceRef::Id(id);
        domain.member_page(&caller, reference, Some(SOURCE), own, window, limit)
    };
    let (mut after, mut by_person) = (0, Vec::new());
    loop {
        let page = page(Window::After(after)).await.expect("a page");
        by_person.extend(page.members.iter().map(|member| member.person));
        for member in &page.members {
            let mut records = model.records.iter();
            let earliest = records.find(|(_, record)| record.person == member.person);
            let named = member.record.as_ref().map(|record| record.id);
            assert_eq!(named, earliest.map(|(id, _)| *id), "who a member is");
        }
        if page.members.len() < limit {
            assert_eq!(page.total, by_person.len() as u64, "the total of {id}");
            break;
        }
        after = page.members[limit - 1].person;
    }
    let mut by_place = Vec::new();
    loop {
        let offset = Window::Offset(by_place.len() as u64);
        let page = page(offset).await.expect("a page");
        by_place.extend(page.members.iter().map(|member| member.person));
        if page.members.is_empty() || page.members.len() < limit {
            assert_eq!(page.total, by_place.len() as u64, "the total of {id}");
            break;
        }
    }
    assert_eq!(by_person, by_place, "pages of {id}");
    assert!(by_person.is_sorted_by(|one, next| one < next));
    by_person.into_iter().collect()
}

fn counted(model: &Model, found: &Counted) {
    let id = found.audience.id;
    let people = model.people(id);
    let with_email: BTreeSet<u32> = model.emails.values().copied().collect();
    let otherwise: BTreeSet<u32> = (model.references.values().copied())
        .chain(model.records.values().map(|record| record.person))
        .collect();
    let email = &people & &with_email;
    let both = &email & &otherwise;
    let counts = found.counts;
    assert_eq!(
        (counts.people, counts.with_email, counts.with_email_matched),
        (people.len() as u64, email.len() as u64, both.len() as u64),
        "the counts of {id}"
    );
}

/// A node is as the model has it: where, how it is called, who may write to it.
fn placed(model: &Model, found: &domain::Audience, node: &Node) {
    let root = &model.nodes[&node.structure.unwrap_or(found.id)];
    assert_eq!(found.parent, node.structure);
    assert_eq!(found.structure, node.structure.unwrap_or(found.id));
    let named = (found.name.clone(), found.reference.clone());
    assert_eq!(named, text::of(node), "how it is called");
    assert_eq!(found.control, root.control, "as its structure");
    assert_eq!(found.unique_names, root.unique, "as its structure");
}

/// The lists of structures and of each one's audiences.
async fn lists(domain: &Domain, model: &Model) {
    let caller = Caller::server(1);
    let roots = domain.tree_list(&caller, None, 0, 1_000).await;
    let roots = roots.expect("structures");
    let ids: Vec<i64> = roots.iter().map(|one| one.audience.id).collect();
    assert_eq!(ids, model.structures(), "the structures");
    let mut all = BTreeMap::new();
    for root in &roots {
        let id = root.audience.id;
        let listed = domain.audience_list(&caller, Some(id), 0, 1_000).await;
        let listed = listed.expect("audiences");
        let below = domain.tree_list(&caller, Some(id), 0, 1_000).await;
        assert_eq!(below.as_ref(), Ok(&listed), "one list by two verbs");
        let ids: Vec<i64> = listed.iter().map(|one| one.audience.id).collect();
        assert_eq!(ids, model.children(id), "the audiences of {id}");
        for found in listed.into_iter().chain([root.clone()]) {
            counted(model, &found);
            placed(model, &found.audience, &model.nodes[&found.audience.id]);
            let twice = all.insert(found.audience.id, found);
            assert_eq!(twice, None, "an audience is in one structure");
        }
    }
    assert_eq!(all.len(), model.nodes.len());
    for (id, found) in &all {
        let one = domain.audience_counted(&caller, AudienceRef::Id(*id)).await;
        let (one, parent) = one.expect("is there");
        assert_eq!(&one, found, "one and list");
        assert_eq!(parent.map(|one| one.id), found.audience.parent);
    }
    let query = TreeQuery::default();
    let (pages, total) = domain
        .audience_pages(&caller, query, 0, 1_000)
        .await
        .expect("pages");
    assert_eq!(total, model.nodes.len() as u64);
    let ids: Vec<i64> = pages.iter().map(|one| one.audience.id).collect();
    assert_eq!(ids, model.nodes.keys().copied().collect::<Vec<_>>());
    for one in pages {
        assert_eq!(one.parent.map(|parent| parent.id), one.audience.parent);
    }
}

async fn members(domain: &Domain, model: &Model, limit: usize) {
    let mut shown = BTreeMap::new();
    for (id, node) in &model.nodes {
        let people = paged(domain, model, *id, false, limit).await;
        assert_eq!(people, model.people(*id), "who is in {id}");
        if node.structure.is_none() {
            let own = paged(domain, model, *id, true, limit).await;
            assert_eq!(own, node.own, "who is in {id} by itself");
        }
        shown.insert(*id, people);
    }
    for (id, node) in &model.nodes {
        if let Some(structure) = node.structure.filter(|_| node.rule.is_none()) {
            assert!(shown[id].is_subset(&shown[&structure]), "{id} leaks");
        }
    }
}

async fn managers(domain: &Domain, model: &Model) {
    let caller = Caller::server(1);
    for (id, node) in &model.nodes {
        let listed = domain.manager_list(&caller, AudienceRef::Id(*id), None);
        let (_, listed) = listed.await.expect("managers");
        let found: BTreeMap<u32, Grants> =
            listed.iter().map(|one| (one.person, one.grants)).collect();
        assert_eq!(found, node.managers, "the managers of {id}");
    }
}

async fn records(domain: &Domain, model: &Model) {
    let (caller, query) = (Caller::server(1), RecordQuery::default());
    let listed = domain.record_list(&caller, SOURCE, query, 0, 1_000);
    let (listed, total) = listed.await.expect("records");
    assert_eq!(total, listed.len() as u64);
    let found = listed.into_iter().map(|record| {
        let known = Rec {
            person: record.person,
            email: text::number(record.email.as_deref()),
            reference: text::number(record.reference.as_deref()),
            active: record.active,
            ends: record.ends.as_deref().map(text::day_of),
        };
        (record.id, known)
    });
    assert_eq!(found.collect::<BTreeMap<_, _>>(), model.records, "records");
    let clashes = domain.conflict_list(&caller, 0, 1_000).await;
    let clashes = clashes.expect("conflicts").into_iter();
    let clashes: BTreeSet<(u32, u32)> = clashes
        .map(|one| (one.first_person, one.second_person))
        .collect();
    assert_eq!(clashes, model.clashes, "clashes");
}

/// The sets that lie there: a node's members, what is known of people, and nothing else.
async fn sets(domain: &Domain, model: &Model) {
    let state = domain.store().state(1).await.expect("a state");
    let found: BTreeMap<i64, People> = state
        .sets()
        .filter(|(id, _)| *id > 0)
        .map(|(id, _)| (id, state.set(id).expect("reads").iter().collect()))
        .collect();
    let own = model.nodes.iter().filter(|(_, node)| !node.own.is_empty());
    let own: BTreeMap<i64, People> = own.map(|(id, node)| (*id, node.own.clone())).collect();
    assert_eq!(found, own, "what is stored");
    let set = |id: i64| -> People { state.set(id).expect("reads").iter().collect() };
    let people = |wanted: &dyn Fn(&Rec) -> bool| -> People {
        let found = model.records.values().filter(|record| wanted(record));
        found.map(|record| record.person).collect()
    };
    assert_eq!(set(-100), people(&|_| true), "who has records");
    assert_eq!(set(-101), people(&|one| !one.active), "inactive");
    let over = people(&|one| one.ends.is_some_and(|day| day < model.today));
    assert!(set(-102).is_subset(&over), "noted as ended");
}

/// What anybody is shown, and what lies there.
pub async fn check(domain: &Domain, model: &Model, limit: usize) {
    sets(domain, model).await;
    seen(domain, model, limit).await;
}

/// What anybody is shown.
pub async fn seen(domain: &Domain, model: &Model, limit: usize) {
    lists(domain, model).await;
    members(domain, model, limit).await;
    managers(domain, model).await;
    records(domain, model).await;
}
