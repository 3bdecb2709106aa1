//! Asking who is in a structure or audience, by identifiers. Nobody is made.
//!
//! A question about few people is answered where it came in: from the catalogue, the dictionary and the sets in memory, without
//! a statement and without another thread, while the log has not moved on.

use sets::{Person, Unreadable};

use crate::{
    batch::Question,
    caller::Caller,
    catalogue::{Node, Snapshot},
    derived::People,
    error::{Error, Result},
    evaluator::unreadable,
    limits,
    membership::Whose,
    service::Domain,
    tree::{Act, AudienceRef},
};

/// Looks for people in one set, or in the people of a structure or smart audience.
struct Asking {
    snapshot: Snapshot,
    people: Vec<Option<Person>>,
    held: People,
    at: usize,
    found: Vec<bool>,
}

impl sets::Question for Asking {
    type Answer = Vec<bool>;

    fn advance(&mut self, budget: usize) -> std::result::Result<Option<Vec<bool>>, Unreadable> {
        let end = self.people.len().min(self.at.saturating_add(budget));
        for person in &self.people[self.at..end] {
            let held = match (person, &self.held) {
                (None, _) => false,
                (Some(person), People::Of(set)) => self.snapshot.state.contains(*set, *person)?,
                (Some(person), People::Derived(people)) => people.contains(*person),
            };
            self.found.push(held);
        }
        self.at = end;
        let done = end == self.people.len();
        Ok(done.then(|| std::mem::take(&mut self.found)))
    }
}

impl Domain {
    /// For each person of the question, whether they are in the structure or audience. Nobody is made.
    pub async fn member_contains(
        &self,
        caller: &Caller,
        audience: impl Into<Whose>,
        question: Question,
    ) -> Result<Vec<bool>> {
        let whose = audience.into();
        let workspace = caller.workspace;
        let (found, snapshot) = self.persons_in(workspace, &question.keys).await?;
        let Some(node) = self.asked(caller, &snapshot, whose).await? else {
            return Ok(vec![false; question.ends.len()]);
        };
        let mut sets = Vec::new();
        snapshot.sets(&node, &mut sets);
        let looks = found.len().saturating_mul(sets.len());
        let at_hand = sets.iter().all(|set| snapshot.state.is_resident(*set));
        let held = if looks <= limits::LOOKS_AT_ONCE_MAX && at_hand {
            let holds = |person: &Option<Person>| match person {
                Some(person) => snapshot.holds(&node, *person),
                None => Ok(false),
            };
            let held = found.iter().map(holds);
            held.collect::<std::result::Result<Vec<bool>, _>>()
                .map_err(unreadable)?
        } else {
            let held = self.people(&snapshot, &node).await?;
            let asking = Asking {
                snapshot,
                people: found,
                held,
                at: 0,
                found: Vec::new(),
            };
            self.ask(asking).await?
        };
        let mut start = 0;
        let people = question.ends.iter().map(|&end| {
            let any = held[start..end].iter().any(|held| *held);
            start = end;
            any
        });
        Ok(people.collect())
    }

    /// The node that is asked about, if the caller may ask; nothing where the snapshot is older than it.
    async fn asked(
        &self,
        caller: &Caller,
        snapshot: &Snapshot,
        whose: Whose,
    ) -> Result<Option<Node>> {
        let known = match &whose {
            Whose::Audience(id) | Whose::Any(AudienceRef::Id(id)) => snapshot.catalogue.get(*id),
            Whose::Any(AudienceRef::Name(_)) => None,
        };
        if caller.scopes.has(Act::Ask.scope())
            && let Some(node) = known.filter(|node| whose.means(node.kind))
        {
            caller.need_structure(node.structure)?;
            return Ok(Some(node.clone()));
        }
        // Named otherwise, unknown, or asked by a manager: as any other verb finds it.
        let asker = self.acting(caller, Act::Ask).await?;
        let id = self
            .store()
            .read(caller.workspace, move |read| {
                Ok::<_, Error>(whose.reach(read, &asker, Act::Ask)?.id)
            })
            .await?;
        // Where it was made a moment after the snapshot, nobody was in it then.
        Ok(snapshot.catalogue.get(id).cloned())
    }
}
