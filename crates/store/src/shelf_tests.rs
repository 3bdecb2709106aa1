//! Sets of a store that keeps none in memory: they come back from files or from the database, as they were in whatever version
//! is asked for, on both engines.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use sets::{Person, Set, SetId, State};

use crate::{
    DataFolder, Error, KeepIdentifiers, MasterKey, Meta, Options, Store, Tx, Verdict, Workspace,
    WorkspaceSecret,
    connection::{Connection, Mode},
    folder::DatabaseUrl,
    tests::databases,
};

fn open(folder: &Path, url: &DatabaseUrl, sets_memory_bytes: u64) -> Store {
    let options = Options {
        url: url.clone(),
        read_connections: 1,
        sets_memory_bytes,
        now: 1,
        new_master: MasterKey::new([7; 32]),
        new_database_id: "shelf".into(),
    };
    let folder = DataFolder::open(&folder.join("data")).expect("opens");
    let store = Store::open(folder, options, &mut |_, _, _| {}).expect("opens");
    if wait(store.workspace_by_slug("default"))
        .expect("reads")
        .is_none()
    {
        let new = Workspace {
            id: 0,
            slug: "default".into(),
            name: "Default".into(),
            keep_identifiers: KeepIdentifiers::None,
            created: 1,
        };
        let secret = WorkspaceSecret::new([9; 32]);
        wait(store.workspace_create(new, secret)).expect("is made");
    }
    store
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

fn command(
    store: &Store,
    name: &str,
    run: impl Fn(&mut Tx<'_, '_>) -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    let meta = Meta {
        time: 1,
        actor: 3,
        verb: "test",
        request_id: "request".into(),
        command_id: name.into(),
        weight: 1,
    };
    wait(store.command(1, meta, move |tx| {
        run(tx)?;
        Ok::<_, Error>(Verdict::Done(()))
    }))
}

fn state(store: &Store) -> Arc<State> {
    wait(store.state(1)).expect("a state")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.join("data/cache/sets/1")).expect("lists");
    files.map(|file| file.expect("lists").path()).collect()
}

fn empty_cache(folder: &Path) {
    for file in files(folder) {
        fs::remove_file(file).expect("is removed");
    }
}

type Members = BTreeMap<SetId, Vec<Person>>;

/// What a state holds of the sets that the tests use.
fn members(state: &State) -> Members {
    let read = |id| (id, state.set(id).expect("reads").to_vec());
    (1..5)
        .map(read)
        .filter(|(_, set)| !set.is_empty())
        .collect()
}

/// Rounds of commands that add, remove, replace and drop; what each left is told to `each`.
fn rounds(store: &Store, mut each: impl FnMut(usize, Arc<State>, Members)) {
    let mut model = Members::new();
    for round in 0..24usize {
        let id = 1 + (round % 4) as SetId;
        let from = round as Person * 40_000 + 1;
        let some: Set = (from..from + 900).step_by(3).collect();
        let gone = Set::range(1, from / 2);
        let (adding, leaving) = (some.clone(), gone.clone());
        command(store, &format!("round {round}"), move |tx| {
            match round % 7 {
                5 => tx.set_replace(id, adding.clone()),
                6 => tx.set_drop(id),
                _ => {
                    tx.set_add(id, &adding)?;
                    tx.set_remove(id, &leaving).map(drop)
                }
            }
        })
        .expect("is committed");
        let before: Set = model.remove(&id).unwrap_or_default().into_iter().collect();
        let after = match round % 7 {
            5 => some,
            6 => Set::new(),
            _ => before.or(&some).and_not(&gone),
        };
        if !after.is_empty() {
            model.insert(id, after.to_vec());
        }
        each(round, state(store), model.clone());
    }
}

#[test]
fn every_version_that_is_held_is_rebuilt_whatever_was_pruned() {
    for (folder, url) in databases() {
        let store = open(folder.path(), &url, 0);
        let mut held = Vec::new();
        rounds(&store, |round, state, model| {
            held.push((state, model));
            if round % 9 == 8 {
                store.checkpoint_now(1).expect("a checkpoint");
            }
        });
        for (state, model) in &held {
            assert_eq!(&members(state), model, "{} seq {}", url.engine(), state.seq);
        }
        empty_cache(folder.path());
        let before = store.shelf().rebuilds;
        for (state, model) in &held {
            assert_eq!(&members(state), model, "{} seq {}", url.engine(), state.seq);
        }
        assert!(store.shelf().rebuilds > before + 10);
        assert_eq!(store.shelf().damaged, 0);
        store.close();
    }
}

#[test]
fn a_start_uses_the_files_of_before_and_does_without() {
    for (folder, url) in databases() {
        let store = open(folder.path(), &url, 0);
        let mut last = Members::new();
        rounds(&store, |_, _, model| last = model);
        assert_eq!(members(&state(&store)), last);
        store.checkpoint_now(1).expect("a checkpoint");
        store.close();
        drop(store);

        let store = open(folder.path(), &url, 0);
        assert_eq!(store.shelf().misses, 0, "nothing is read at a start");
        assert_eq!(members(&state(&store)), last);
        assert_eq!((store.shelf().rebuilds, store.shelf().damaged), (0, 0));
        store.close();
        drop(store);

        fs::remove_dir_all(folder.path().join("data/cache")).expect("is removed");
        let store = open(folder.path(), &url, 0);
        assert_eq!(members(&state(&store)), last);
        assert_eq!(store.shelf().rebuilds, last.len() as u64);
        // It goes away under a running server, and a file takes its place.
        fs::remove_dir_all(folder.path().join("data/cache")).expect("is removed");
        fs::write(folder.path().join("data/cache"), b"in the way").expect("is written");
        assert_eq!(members(&state(&store)), last);
        command(&store, "after", |tx| {
            tx.set_add(1, &Set::range(1, 5)).map(drop)
        })
        .expect("is committed");
        assert!(state(&store).contains(1, 3).expect("reads"));
        store.close();
    }
}

/// Two histories of one database that differ in their last change, as after a copy of the file was put back: both have the same
/// versions, with as many members.
#[test]
fn a_file_of_another_history_is_not_believed() {
    let (folder, url) = databases().remove(0);
    let store = open(folder.path(), &url, 0);
    command(&store, "base", |tx| {
        for _ in 0..50 {
            tx.new_person().expect("there is room");
        }
        tx.set_add(1, &Set::range(1, 9)).map(drop)
    })
    .expect("is committed");
    store.close();
    drop(store);
    let mut last = None;
    for members in [Set::range(20, 29), Set::range(30, 39)] {
        let other = tempfile::tempdir().expect("a folder");
        let path = other.path().join("throng.db");
        let mut connection = Connection::open(&url, Mode::Write).expect("opens");
        let copy = format!("VACUUM INTO '{}'", path.display());
        connection.batch(&copy).expect("is copied");
        let key = Path::new("data/master.key");
        fs::create_dir(other.path().join("data")).expect("a folder");
        fs::copy(folder.path().join(key), other.path().join(key)).expect("is copied");
        let url = DatabaseUrl::Sqlite {
            path,
            size_bytes_max: None,
        };
        let store = open(other.path(), &url, 0);
        let adding = members.clone();
        command(&store, "last", move |tx| tx.set_add(1, &adding).map(drop)).expect("is committed");
        // Another set takes its place, so that it is written.
        command(&store, "other", |tx| {
            tx.set_add(2, &Set::range(1, 3)).map(drop)
        })
        .expect("is committed");
        store.checkpoint_now(1).expect("a checkpoint");
        store.close();
        drop(store);
        let file = other.path().join("data/cache/sets/1/1.2.set");
        let written = fs::read(&file).expect("is there");
        // The file of the other history lies where this one's was.
        if let Some(foreign) = last.replace(written) {
            fs::write(&file, foreign).expect("is written");
            let store = open(other.path(), &url, 0);
            let expected = Set::range(1, 9).or(&members);
            assert_eq!(state(&store).set(1).expect("reads"), expected);
            assert_eq!((store.shelf().damaged, store.shelf().rebuilds), (1, 1));
            store.close();
        }
    }
}

/// A set whose rows are damaged is an error of whoever asks for it; everything else goes on.
#[test]
fn what_the_database_lost_is_an_error_of_who_asks() {
    for (folder, url) in databases() {
        let store = open(folder.path(), &url, 0);
        for id in 1..4 {
            let people = Set::range(id, 100);
            command(&store, &format!("set {id}"), move |tx| {
                tx.set_add(SetId::from(id), &people).map(drop)
            })
            .expect("is committed");
        }
        let state = state(&store);
        let mut connection = Connection::open(&url, Mode::Write).expect("opens");
        let forget = "UPDATE change_set SET added = (SELECT added FROM change_set WHERE set_id = 1) WHERE set_id = 2";
        connection.batch(forget).expect("is damaged");
        empty_cache(folder.path());
        let error = state.set(2).expect_err("is damaged");
        assert_eq!(error.set, 2);
        assert!(error.to_string().contains("damaged"), "{error}");
        let refused = command(&store, "refused", |tx| {
            tx.set_add(2, &Set::range(200, 201)).map(drop)
        });
        assert!(matches!(refused, Err(Error::Unreadable(_))), "{refused:?}");
        command(&store, "goes on", |tx| {
            tx.set_add(3, &Set::range(200, 201)).map(drop)
        })
        .expect("is committed");
        assert_eq!(state.set(1).expect("reads"), Set::range(1, 100));
        assert_eq!(wait(store.state(1)).expect("a state").len(3), 100);
        assert_eq!(state.len(2), 99);
        store.close();
    }
}
