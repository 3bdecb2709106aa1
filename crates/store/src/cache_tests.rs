//! Keys that were saved for the next start: used where they are right, and otherwise as if they had never been there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sets::{Key, Person, Set};

use crate::{
    Error, KeepIdentifiers, Store, Workspace, WorkspaceSecret,
    damage_tests::{command, key, open, wait},
    folder::DatabaseUrl,
    tests::databases,
};

const KEYS: u64 = 300;

/// So many new people, with a key and a place in set 5 each, in one change.
fn people(store: &Store, numbers: std::ops::Range<u64>) {
    command(store, numbers.start, move |tx| {
        let mut people = Vec::new();
        for number in numbers.clone() {
            let person = tx.new_person().expect("there is room");
            assert!(tx.attach(key(number), person, &[b"somebody"]), "it is new");
            people.push(person);
        }
        tx.set_add(5, &Set::from_sorted(&people))?;
        Ok(())
    });
}

/// Closes the store and gives its folder free.
fn close(store: Store) {
    store.close();
}

fn file(folder: &Path) -> PathBuf {
    folder.join("data/cache/keys/1/keys")
}

/// A closed store whose keys are saved, but for those of the last 20 people, who came later.
fn scene(folder: &Path, url: &DatabaseUrl) {
    let store = open(folder, url).expect("opens");
    let new = Workspace {
        id: 0,
        slug: "default".into(),
        name: "Default".into(),
        keep_identifiers: KeepIdentifiers::None,
        created: 1,
    };
    wait(store.workspace_create(new, WorkspaceSecret::new([9; 32]))).expect("is made");
    people(&store, 0..100);
    store.checkpoint_now(1).expect("a checkpoint");
    people(&store, 100..280);
    close(store);
    let saved = fs::read(file(folder)).expect("is saved");
    let store = open(folder, url).expect("opens");
    people(&store, 280..KEYS);
    close(store);
    fs::write(file(folder), saved).expect("is put back");
}

#[derive(Debug, PartialEq)]
struct Answers {
    seq: u64,
    members: Vec<Person>,
    persons: Vec<Option<Person>>,
}

/// What the store answers, and of how many positions it had the keys from the start.
fn answers(folder: &Path, url: &DatabaseUrl) -> Result<(Answers, u64), Error> {
    let store = open(folder, url)?;
    assert!(!file(folder).exists(), "nothing of it can be changed now");
    // One more than there are.
    let keys: Vec<Key> = (0..=KEYS).map(key).collect();
    let (persons, state) = wait(store.persons(1, &keys))?;
    let from_saved = store.keys_from_saved(1);
    let members = state.set(5)?.to_vec();
    close(store);
    let answers = Answers {
        seq: state.seq,
        members,
        persons,
    };
    Ok((answers, from_saved))
}

fn expected() -> Answers {
    let members: Vec<Person> = (1..=KEYS as Person).collect();
    let persons = members.iter().copied().map(Some).chain([None]).collect();
    Answers {
        seq: 3,
        members,
        persons,
    }
}

#[test]
fn a_start_uses_the_saved_keys_and_reads_what_followed() {
    for (folder, url) in databases() {
        scene(folder.path(), &url);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode();
            let saved = file(folder.path());
            assert_eq!(mode(saved.parent().expect("a folder")) & 0o777, 0o700);
        }
        let (found, from_saved) = answers(folder.path(), &url).expect("opens");
        assert_eq!((found, from_saved), (expected(), 280));
        let (found, from_saved) = answers(folder.path(), &url).expect("opens");
        assert_eq!((found, from_saved), (expected(), KEYS));
    }
}

#[test]
fn whatever_becomes_of_the_saved_keys_the_answers_are_the_same() {
    for (folder, url) in databases() {
        let folder = folder.path();
        scene(folder, &url);
        let sound = fs::read(file(folder)).expect("is saved");
        let put = |bytes: &[u8]| fs::write(file(folder), bytes).expect("is written");
        let check = |what: &str, expected_from_saved: u64| {
            let (found, from_saved) = answers(folder, &url).expect("opens");
            assert_eq!(found, expected(), "{what}");
            assert_eq!(from_saved, expected_from_saved, "{what}");
        };
        for length in [0, 1, 100, 12 << 10, sound.len() - 1] {
            put(&sound[..length]);
            check("cut short", 0);
        }
        put(&[&sound[..], &[0]].concat());
        check("longer", 0);
        // Bits of the header, its checksum, the first table, and what the header says of it.
        for at in [0, 8, 12, 16, 30, 60, 100, 5_000, (12 << 10) - 1, 12 << 10] {
            let mut damaged = sound.clone();
            damaged[at] ^= 4;
            put(&damaged);
            check("a flipped bit", 0);
        }
        fs::remove_file(file(folder)).expect("is removed");
        check("deleted", 0);
        fs::remove_file(file(folder)).expect("is removed");
        fs::create_dir(file(folder)).expect("a folder");
        let store = open(folder, &url).expect("a folder in its place is no file");
        assert_eq!(store.keys_from_saved(1), 0);
        close(store);
        fs::remove_dir_all(folder.join("data/cache")).expect("is removed");
        check("no folder", 0);
        put(&sound);
        check("sound again", 280);
    }
}

/// The keys of a database that had the same changes, or went on from a copy of this one, are not this one's.
#[test]
fn keys_of_another_time_or_place_are_not_believed() {
    for (folder, url) in databases() {
        let folder = folder.path();
        scene(folder, &url);
        let DatabaseUrl::Sqlite { path, .. } = &url else {
            continue;
        };
        let copy = fs::read(path).expect("is read");
        let store = open(folder, &url).expect("opens");
        people(&store, KEYS..KEYS + 100);
        close(store);
        let newer = fs::read(file(folder)).expect("is saved");
        // The database is put back as it was, behind the server's back.
        fs::write(path, copy).expect("is put back");
        fs::write(file(folder), &newer).expect("is put there");
        let (found, from_saved) = answers(folder, &url).expect("opens");
        assert_eq!((found, from_saved), (expected(), 0), "newer");
        // It goes on otherwise, beyond the change after which they were saved.
        let store = open(folder, &url).expect("opens");
        people(&store, 1_000..1_100);
        people(&store, 1_100..1_200);
        close(store);
        fs::write(file(folder), &newer).expect("is put there");
        let store = open(folder, &url).expect("opens");
        assert_eq!(store.keys_from_saved(1), 0, "of another history");
        let (found, _) = wait(store.persons(1, &[key(KEYS), key(1_000)])).expect("answers");
        assert_eq!(found, [None, Some(301)]);
        close(store);
    }
}

#[test]
fn a_running_server_survives_the_loss_of_the_folder() {
    for (folder, url) in databases() {
        let folder = folder.path();
        scene(folder, &url);
        let store = open(folder, &url).expect("opens");
        fs::remove_dir_all(folder.join("data/cache")).expect("is removed");
        people(&store, KEYS..400_000);
        let keys: Vec<Key> = (0..400_000).map(key).collect();
        let (found, _) = wait(store.persons(1, &keys)).expect("answers");
        let right = |(found, number): (&Option<Person>, u64)| *found == Some(number as Person + 1);
        assert!(found.iter().zip(0..).all(right));
        close(store);
        let store = open(folder, &url).expect("opens");
        assert_eq!(store.keys_from_saved(1), 400_000);
        let (again, _) = wait(store.persons(1, &keys)).expect("answers");
        assert!(again == found);
        close(store);
    }
}
