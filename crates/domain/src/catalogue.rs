//! The catalogue of a workspace: what there is to know of its structures and audiences without their members, in memory.
//!
//! What it is not: who is in them, which the sets say, or how they are changed. Invariant: a catalogue is believed while no
//! change since the one that it was read at can have changed it; changes of members cannot.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use parking_lot::Mutex;
use sets::{SetId, State, Unreadable};
use store::{AudienceKind, Read, TreeNode};

use crate::{
    error::{Error, Result},
    rule::Rule,
    service::Domain,
};

/// A structure or audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub id: i64,
    /// The structure that owns it; of a structure its own id.
    pub structure: i64,
    pub kind: AudienceKind,
    pub name: String,
    pub reference: Option<String>,
    /// Of a smart one.
    pub rule: Option<Arc<Rule>>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    /// In order of id.
    nodes: Vec<Node>,
    by_id: HashMap<i64, u32>,
    /// The manual audiences of each structure.
    manual: HashMap<i64, Vec<i64>>,
    names: OnceLock<Names>,
}

/// Where each name and reference is.
#[derive(Debug, Default)]
struct Names {
    /// In lower case.
    names: HashMap<String, Vec<u32>>,
    references: HashMap<String, u32>,
}

impl Catalogue {
    fn new(rows: Vec<TreeNode>) -> Result<Catalogue> {
        let mut catalogue = Catalogue::default();
        for row in rows {
            let rule = row.rule.as_deref().map(serde_json::from_str);
            if row.kind == AudienceKind::Manual {
                let of = catalogue.manual.entry(row.structure).or_default();
                of.push(row.id);
            }
            let at = catalogue.nodes.len() as u32;
            catalogue.by_id.insert(row.id, at);
            catalogue.nodes.push(Node {
                id: row.id,
                structure: row.structure,
                kind: row.kind,
                name: row.name,
                reference: row.reference,
                rule: rule.transpose().map_err(Error::internal)?.map(Arc::new),
            });
        }
        Ok(catalogue)
    }

    /// All of them, in order of id.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn get(&self, id: i64) -> Option<&Node> {
        self.place(id).map(|at| &self.nodes[at])
    }

    /// Where a node is in [`Self::nodes`].
    pub(crate) fn place(&self, id: i64) -> Option<usize> {
        self.by_id.get(&id).map(|at| *at as usize)
    }

    /// The sets whose members are a structure's people: its own comes last.
    pub(crate) fn parts(&self, structure: i64) -> impl Iterator<Item = SetId> {
        let manual = self.manual.get(&structure).into_iter().flatten().copied();
        manual.chain([structure])
    }

    /// Those with this reference or this name; where there are none, those whose name differs in case only.
    pub(crate) fn named(&self, name: &str) -> Vec<&Node> {
        let names = self.names.get_or_init(|| self.names());
        let lower = name.to_lowercase();
        let like = names.names.get(&lower).map_or(&[][..], Vec::as_slice);
        let like = || like.iter().map(|at| &self.nodes[*at as usize]);
        let by_reference = names.references.get(name);
        let mut found: Vec<&Node> = like().filter(|node| node.name == name).collect();
        found.extend(by_reference.map(|at| &self.nodes[*at as usize]));
        if found.is_empty() {
            found.extend(like());
        }
        found.sort_unstable_by_key(|node| node.id);
        found.dedup_by_key(|node| node.id);
        found
    }

    fn names(&self) -> Names {
        let mut names = Names::default();
        for (at, node) in (0..).zip(&self.nodes) {
            let of = names.names.entry(node.name.to_lowercase()).or_default();
            of.push(at);
            if let Some(reference) = &node.reference {
                names.references.insert(reference.clone(), at);
            }
        }
        names
    }
}

/// A catalogue and the sets of the same moment. Cloning is cheap.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub workspace: i64,
    pub state: Arc<State>,
    pub catalogue: Arc<Catalogue>,
}

impl Snapshot {
    /// Whether a person is in a node.
    pub(crate) fn holds(
        &self,
        node: &Node,
        person: sets::Person,
    ) -> std::result::Result<bool, Unreadable> {
        match (node.kind, &node.rule) {
            (AudienceKind::Manual, _) => self.state.contains(node.id, person),
            (AudienceKind::Structure, _) => {
                for part in self.catalogue.parts(node.id) {
                    if self.state.contains(part, person)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            (AudienceKind::Smart, Some(rule)) => rule.holds(&mut |rule| match rule {
                Rule::Channel(channel) => self.state.contains(channel.set(), person),
                Rule::Audience(id) => match self.catalogue.get(*id) {
                    Some(node) if node.kind != AudienceKind::Smart => self.holds(node, person),
                    _ => Ok(false),
                },
                Rule::All(_) | Rule::Any(_) | Rule::Not(_) => Ok(false),
            }),
            (AudienceKind::Smart, None) => Ok(false),
        }
    }

    /// The sets that answer who is in a node.
    pub(crate) fn sets(&self, node: &Node, found: &mut Vec<SetId>) {
        match (node.kind, &node.rule) {
            (AudienceKind::Manual, _) => found.push(node.id),
            (AudienceKind::Structure, _) => found.extend(self.catalogue.parts(node.id)),
            (AudienceKind::Smart, Some(rule)) => rule.visit(&mut |rule| match rule {
                Rule::Channel(channel) => found.push(channel.set()),
                Rule::Audience(id) => match self.catalogue.get(*id) {
                    Some(node) if node.kind != AudienceKind::Smart => self.sets(node, found),
                    _ => {}
                },
                Rule::All(_) | Rule::Any(_) | Rule::Not(_) => {}
            }),
            (AudienceKind::Smart, None) => {}
        }
    }
}

/// The catalogues as they were last read.
#[derive(Debug, Default)]
pub(crate) struct Catalogues {
    known: Mutex<HashMap<i64, Known>>,
    /// One for each workspace: whoever finds the catalogue out of date reads for all who wait.
    reading: Mutex<HashMap<i64, Arc<tokio::sync::Mutex<()>>>>,
}

#[derive(Debug, Clone)]
struct Known {
    /// The change up to which it is believed.
    seq: u64,
    catalogue: Arc<Catalogue>,
}

impl Domain {
    /// The tree and the sets, no older than this call. While the log has not moved on, no statement is run for it and no
    /// thread asked.
    pub(crate) async fn snapshot(&self, workspace: i64) -> Result<Snapshot> {
        if let Some(snapshot) = self.snapshot_known(workspace).await? {
            return Ok(snapshot);
        }
        let reading = {
            let mut reading = self.catalogues().reading.lock();
            Arc::clone(reading.entry(workspace).or_default())
        };
        let _one_at_a_time = reading.lock().await;
        if let Some(snapshot) = self.snapshot_known(workspace).await? {
            return Ok(snapshot);
        }
        let domain = self.clone();
        self.store()
            .read(workspace, move |read| domain.snapshot_in(read))
            .await
    }

    async fn snapshot_known(&self, workspace: i64) -> Result<Option<Snapshot>> {
        let state = self.store().state(workspace).await?;
        Ok(self.snapshot_of(workspace, state))
    }

    /// The tree of a published state, where it is known.
    pub(crate) fn snapshot_of(&self, workspace: i64, state: Arc<State>) -> Option<Snapshot> {
        let known = self.catalogues().known.lock();
        let known = known
            .get(&workspace)
            .filter(|known| known.seq == state.seq)?;
        Some(Snapshot {
            workspace,
            catalogue: Arc::clone(&known.catalogue),
            state,
        })
    }

    /// The tree and the sets of a read.
    pub(crate) fn snapshot_in(&self, read: &mut Read<'_>) -> Result<Snapshot> {
        use store::Sql;
        let (workspace, seq) = (read.workspace(), read.seq());
        let state = Arc::clone(read.state());
        let known = self.catalogues().known.lock().get(&workspace).cloned();
        let catalogue = match known {
            Some(known) if known.seq == seq => known.catalogue,
            Some(known) if known.seq < seq && !store::tree_changed(read, known.seq, seq)? => {
                known.catalogue
            }
            _ => Arc::new(Catalogue::new(store::tree_nodes(read)?)?),
        };
        let mut all = self.catalogues().known.lock();
        let newer = all.get(&workspace).is_some_and(|known| known.seq > seq);
        if !newer {
            let catalogue = Arc::clone(&catalogue);
            all.insert(workspace, Known { seq, catalogue });
        }
        Ok(Snapshot {
            workspace,
            state,
            catalogue,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_finds_what_is_called_so() {
        let node = |id, name: &str, reference: Option<&str>| TreeNode {
            id,
            structure: 1,
            kind: AudienceKind::Manual,
            name: name.into(),
            reference: reference.map(str::to_owned),
            rule: None,
        };
        let catalogue = Catalogue::new(vec![
            node(2, "Staff", None),
            node(3, "staff", Some("s-3")),
            node(4, "Staff", Some("staff")),
            node(5, "News", Some("Staff")),
        ])
        .expect("is one");
        let named = |name| {
            let found = catalogue.named(name).into_iter();
            found.map(|node| node.id).collect::<Vec<i64>>()
        };
        assert_eq!(named("Staff"), [2, 4, 5], "its name, and a reference");
        assert_eq!(named("staff"), [3, 4]);
        assert_eq!(named("STAFF"), [2, 3, 4], "in another case: the names");
        assert_eq!(named("s-3"), [3]);
        assert_eq!(
            named("S-3"),
            [] as [i64; 0],
            "a reference is taken as it is"
        );
        assert_eq!(named("news"), [5]);
    }
}
