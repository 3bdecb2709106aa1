//! Steps as commands that concern people: members, managers, records. See `ask`.

use domain::{
    AudienceRef, Batch, Domain, Grants, Kind, Partial, RecordChange, RecordNew, RecordRef, Refused,
};

use super::{
    SOURCE, Step,
    ask::{Asked, Learned, same},
    model::{Model, Name, People, Wrong},
    text,
};
use crate::support::context;

async fn batch(domain: &Domain, addresses: &[u8]) -> Batch {
    let caller = context("").caller;
    let batch = domain.batch(&caller, addresses.len()).await;
    let mut batch = batch.expect("a batch");
    for address in addresses {
        batch.push(Kind::Email, "", &text::email(*address));
    }
    batch.finish()
}

/// Who came, who went and who is in it now.
type Turn = (u64, u64, u64);

pub fn members<'a>(domain: &'a Domain, model: &mut Model, step: &'a Step) -> Option<Asked<'a>> {
    let (slot, addresses): (u8, &[u8]) = match step {
        Step::Add(slot, who) | Step::Remove(slot, who) | Step::Replace(slot, who) => (*slot, who),
        Step::Empty(slot) => (*slot, &[]),
        _ => return None,
    };
    let id = model.node(slot)?;
    let mut expected: Result<Turn, Wrong> = Err(("conflict", ""));
    if !model.is_smart(id) {
        let before = model.people(id);
        match step {
            Step::Add(..) => {
                let people = model.met(addresses);
                model.add(id, &people);
            }
            Step::Remove(..) => model.remove(id, &model.holders(addresses)),
            Step::Replace(..) => {
                let people = model.met(addresses);
                model.replace(id, &people);
            }
            _ => model.replace(id, &People::new()),
        }
        let after = model.people(id);
        let count = |people: People| people.len() as u64;
        expected = Ok((
            count(&after - &before),
            count(&before - &after),
            count(after),
        ));
    }
    Some(Box::pin(async move {
        let context = context("members");
        if let Step::Empty(_) = step {
            let done = domain.member_empty(&context, AudienceRef::Id(id)).await;
            let expected = expected.map(|(_, went, _)| went);
            same("emptied", done.map(|done| done.removed), expected);
            return Learned::Nothing;
        }
        let batch = batch(domain, addresses).await;
        let done = match step {
            Step::Add(..) => {
                domain
                    .member_add(&context, AudienceRef::Id(id), batch)
                    .await
            }
            Step::Remove(..) => {
                domain
                    .member_remove(&context, AudienceRef::Id(id), batch)
                    .await
            }
            _ => {
                domain
                    .member_replace(&context, AudienceRef::Id(id), batch)
                    .await
            }
        };
        let found = done.map(|done| (done.added, done.removed, done.people));
        same("members", found, expected);
        Learned::Nothing
    }))
}

pub fn named<'a>(domain: &'a Domain, model: &mut Model, step: &'a Step) -> Option<Asked<'a>> {
    match step {
        Step::Put(slot, names, replace) => {
            let id = model.node(*slot)?;
            let written: Vec<String> = names.iter().map(|one| text::named(model, *one)).collect();
            let expected = match model.is_smart(id) {
                true => Err(("conflict", "")),
                false => Ok(put(model, id, names, &written, *replace)),
            };
            Some(Box::pin(async move {
                let (context, node) = (context("put"), AudienceRef::Id(id));
                let done = domain.member_put(&context, node, SOURCE, written, *replace);
                same("names", done.await, expected);
                Learned::Nothing
            }))
        }
        Step::RemoveNamed(slot, name) => {
            let id = model.node(*slot)?;
            let written = text::named(model, *name);
            let person = model.named(*name);
            let held = person.filter(|person| model.people(id).contains(person));
            let expected = match held {
                _ if model.is_smart(id) => Err(("conflict", "")),
                None => Err(("not found", "member")),
                Some(person) => {
                    model.remove(id, &People::from([person]));
                    Ok(())
                }
            };
            Some(Box::pin(async move {
                let (context, node) = (context("remove"), AudienceRef::Id(id));
                let done = domain.member_remove_named(&context, node, SOURCE, &written);
                same("a name", done.await, expected);
                Learned::Nothing
            }))
        }
        _ => None,
    }
}

/// Who can be is put in, one by one; only newcomers can be refused.
fn put(model: &mut Model, id: i64, names: &[Name], written: &[String], replace: bool) -> Partial {
    let before = model.people(id);
    let (inactive, ended) = model.barred(&(&model.everybody() - &before));
    let (mut partial, mut people) = (Partial::default(), People::new());
    for (name, text) in names.iter().zip(written) {
        let refused = match model.named(*name) {
            None => Refused::Unknown,
            Some(person) if inactive.contains(&person) => Refused::Inactive,
            Some(person) if ended.contains(&person) => Refused::Ended,
            Some(person) => {
                people.insert(person);
                if !partial.done.contains(text) {
                    partial.done.push(text.clone());
                }
                continue;
            }
        };
        if !partial.failed.contains(&(text.clone(), refused)) {
            partial.failed.push((text.clone(), refused));
        }
    }
    match (people.is_empty(), replace) {
        (true, _) => {}
        (false, true) => model.replace(id, &people),
        (false, false) => model.add(id, &people),
    }
    partial
}

pub fn managers<'a>(domain: &'a Domain, model: &mut Model, step: &'a Step) -> Option<Asked<'a>> {
    match step {
        Step::Manage(slot, number, replace) => {
            let id = model.node(*slot)?;
            let name = text::named(model, Name::Person(*number));
            let grants = [Grants::MANAGE_MEMBERS, Grants::INSIGHTS][usize::from(*number % 2)];
            let mut expected = Partial::default();
            match model.named(Name::Person(*number)) {
                None => expected.failed.push((name.clone(), Refused::Unknown)),
                Some(person) => {
                    let managers = &mut model.nodes.get_mut(&id)?.managers;
                    managers.retain(|_, _| !*replace);
                    managers.insert(person, grants);
                    expected.done.push(name.clone());
                }
            }
            Some(Box::pin(async move {
                let (context, node) = (context("manage"), AudienceRef::Id(id));
                let wanted = vec![(name, grants)];
                let done = domain.manager_put(&context, node, None, wanted, *replace);
                same("managers", done.await, Ok(expected));
                Learned::Nothing
            }))
        }
        Step::Unmanage(slot, number) => {
            let id = model.node(*slot)?;
            let name = text::named(model, Name::Person(*number));
            let managers = &mut model.nodes.get_mut(&id)?.managers;
            let expected = match managers.remove(&u32::from(*number)) {
                Some(_) => Ok(()),
                None => Err(("not found", "manager")),
            };
            Some(Box::pin(async move {
                let (context, node) = (context("unmanage"), AudienceRef::Id(id));
                let done = domain.manager_remove(&context, node, None, &name);
                same("no manager any more", done.await, expected);
                Learned::Nothing
            }))
        }
        _ => None,
    }
}

pub fn records<'a>(domain: &'a Domain, model: &mut Model, step: &'a Step) -> Option<Asked<'a>> {
    match step {
        Step::Hire(record) => {
            let expected = model.record_wrong(0, record).map_or(Ok(()), Err);
            let mut record = record.clone();
            if expected.is_ok() {
                record.person = model.record_new(&record);
            }
            let new = RecordNew {
                email: record.email.map(text::email),
                reference: record.reference.map(text::record_reference),
                active: record.active,
                ends: record.ends.map(text::day),
                ..RecordNew::default()
            };
            Some(Box::pin(async move {
                let made = domain.record_create(&context("hire"), SOURCE, new).await;
                let id = made.as_ref().map(|made| made.id).ok();
                let person = made.map(|made| made.person);
                same("a record", person, expected.map(|()| record.person));
                id.map_or(Learned::Nothing, |id| Learned::Record(id, record))
            }))
        }
        Step::Alter(slot, email, reference, active, ends) => {
            let id = model.record(*slot)?;
            let mut record = model.records[&id].clone();
            record.email = email.unwrap_or(record.email);
            record.reference = reference.unwrap_or(record.reference);
            record.active = active.unwrap_or(record.active);
            record.ends = ends.unwrap_or(record.ends);
            let expected = model.record_wrong(id, &record).map_or(Ok(()), Err);
            if expected.is_ok() {
                model.record_put(id, record, email.flatten(), reference.flatten());
            }
            let change = RecordChange {
                email: email.map(|one| one.map(text::email)),
                reference: reference.map(|one| one.map(text::record_reference)),
                active: *active,
                ends: ends.map(|one| one.map(text::day)),
                ..RecordChange::default()
            };
            Some(Box::pin(async move {
                let (context, which) = (context("alter"), RecordRef::Id(id));
                let done = domain.record_update(&context, SOURCE, which, change);
                same("a record's change", done.await.map(drop), expected);
                Learned::Nothing
            }))
        }
        Step::Dismiss(slot) => {
            let id = model.record(*slot)?;
            model.records.remove(&id);
            Some(Box::pin(async move {
                let (context, which) = (context("dismiss"), RecordRef::Id(id));
                let done = domain.record_delete(&context, SOURCE, which);
                same("a record's deletion", done.await, Ok(()));
                Learned::Nothing
            }))
        }
        _ => None,
    }
}
