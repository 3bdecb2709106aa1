//! Sets that come and go: loaded by two at once, put away meanwhile, and changed by a group that is published.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use shuttle::thread;
use throng_sets::{Engine, Home, Owner, Rebuild, Set, SetId, Shelf};

use crate::in_any_order;

const CHANGES: u64 = 3;
/// Two sets: one changes with each group, the other with the first alone.
const SETS: [SetId; 2] = [1, 2];

/// Who is in a set as change `version` left it.
fn expected(set: SetId, version: u64) -> Set {
    let first = set as u32 * 1_000;
    Set::range(first + 1, first + 10 * version as u32)
}

/// The database: it has every set in every version.
#[derive(Debug)]
struct Database(Arc<AtomicUsize>);

impl Rebuild for Database {
    fn change_hash(&self, seq: u64) -> Result<[u8; 32], String> {
        Ok([seq as u8; 32])
    }

    fn rebuild(&self, set: SetId, version: u64) -> Result<Set, String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(expected(set, version))
    }
}

fn engine(shelf: &Arc<Shelf>, folder: Option<&Path>, rebuilt: &Arc<AtomicUsize>) -> Engine {
    let owner = Owner {
        mark: [1; 32],
        key: [2; 32],
    };
    let source = Box::new(Database(Arc::clone(rebuilt)));
    let folder = folder.map(Path::to_owned);
    Engine::at_home(Home::new(Arc::clone(shelf), folder, owner, source))
}

fn publish(engine: &Engine, change: u64) {
    let mut working = engine.begin();
    working.command_begin();
    for set in SETS {
        if set == 1 || change == 1 {
            working.add(set, &expected(set, change)).expect("reads");
        }
    }
    working.command_end(change);
    engine.publish(working.finish());
}

fn read(engine: &Engine) {
    let state = engine.published();
    for set in SETS {
        let version = if set == 1 {
            state.seq
        } else {
            state.seq.min(1)
        };
        assert_eq!(state.version(set), version);
        let members = expected(set, version);
        assert_eq!(state.len(set), members.len());
        assert_eq!(state.set(set).expect("reads"), members);
        let last = set as u32 * 1_000 + 10 * version as u32;
        assert_eq!(state.contains(set, last).expect("reads"), version > 0);
        assert!(!state.contains(set, last + 1).expect("reads"));
    }
}

fn come_and_go(folder: Option<&Path>, rebuilt: &Arc<AtomicUsize>) {
    let shelf = Shelf::at_once(0);
    let engine = Arc::new(engine(&shelf, folder, rebuilt));
    publish(&engine, 1);
    let readers = [0, 1].map(|_| {
        let engine = Arc::clone(&engine);
        thread::spawn(move || {
            read(&engine);
            read(&engine);
        })
    });
    let keeper = Arc::clone(&shelf);
    let keeper = thread::spawn(move || {
        for _ in 0..3 {
            keeper.clear();
        }
    });
    for change in 2..=CHANGES {
        publish(&engine, change);
    }
    for thread in readers.into_iter().chain([keeper]) {
        thread.join().expect("saw nothing wrong");
    }
    shelf.clear();
    read(&engine);
}

#[test]
fn a_set_that_is_put_away_comes_back_as_its_state_has_it() {
    let rebuilt = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&rebuilt);
    in_any_order(move || come_and_go(None, &counted));
    assert!(rebuilt.load(Ordering::SeqCst) > 0, "nothing was put away");
}

#[test]
fn a_set_comes_back_from_its_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_owned();
    let rebuilt = Arc::new(AtomicUsize::new(0));
    shuttle::check_random(move || come_and_go(Some(&path), &rebuilt), 200);
}
