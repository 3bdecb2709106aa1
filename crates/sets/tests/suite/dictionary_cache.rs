//! The dictionary in files, and saved in one: the same map, and nothing that was damaged is believed.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{Numbers, key};
use throng_sets::{CacheError, CacheKey, CacheStamp, Dictionary, Key, Person};

fn secret() -> CacheKey {
    CacheKey::new([3; 32])
}

fn stamp() -> CacheStamp {
    CacheStamp {
        database: "a database".into(),
        epoch: 2,
        workspace: 7,
        seq: 9,
        hash: [5; 32],
        complete: 11,
        until: 12,
    }
}

fn save(dictionary: &Dictionary, path: &Path) {
    let saved = dictionary.save(path, &secret(), &|| true, &mut || Some(stamp()));
    assert!(saved.expect("it is written"));
}

fn load(path: &Path) -> Result<Dictionary, CacheError> {
    let room = path.with_extension("room");
    let mut believe = |found: &CacheStamp| {
        assert_eq!(*found, stamp());
        true
    };
    Dictionary::load(path, &secret(), &room, &mut believe).map(|(dictionary, _)| dictionary)
}

fn filled(dictionary: &Dictionary, count: u64) -> (Vec<Key>, Vec<Person>) {
    let keys: Vec<Key> = (0..count).map(key).collect();
    let persons: Vec<Person> = (1..=count as Person).collect();
    dictionary.insert_all(&keys, &persons);
    (keys, persons)
}

fn check(dictionary: &Dictionary, keys: &[Key], persons: &[Person]) {
    assert_eq!(dictionary.len(), keys.len() as u64);
    let mut found = Vec::new();
    dictionary.get_all(keys, &mut found);
    assert!(
        found
            .iter()
            .zip(persons)
            .all(|(found, person)| *found == Some(*person))
    );
}

#[test]
fn entries_in_files_take_little_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    let room = folder.path().join("made/when/needed");
    let dictionary = Dictionary::in_folder(&room);
    let (keys, persons) = filled(&dictionary, 1_000_000);
    check(&dictionary, &keys, &persons);
    // Twenty bytes a key are in files, but for the first page of each shard.
    assert!(dictionary.mapped_bytes() > 17_000_000);
    let bytes = dictionary.memory_bytes() as f64 / 1e6;
    assert!(bytes < 10.0, "{bytes} bytes a key");
    let left = fs::read_dir(&room).expect("it was made").count();
    assert_eq!(left, 0, "no file has a name");
    fs::remove_dir_all(folder.path()).expect("it is removed");
    check(&dictionary, &keys, &persons);
}

#[test]
fn without_a_folder_to_be_had_memory_takes_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, b"no folder").expect("it is written");
    let dictionary = Dictionary::in_folder(&file);
    let (keys, persons) = filled(&dictionary, 300_000);
    check(&dictionary, &keys, &persons);
    assert_eq!(dictionary.mapped_bytes(), 0);
}

#[test]
fn what_was_saved_is_loaded_and_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys");
    let dictionary = Dictionary::new();
    let (mut keys, mut persons) = filled(&dictionary, 400_000);
    save(&dictionary, &path);
    drop(dictionary);
    let dictionary = load(&path).expect("it was just saved");
    assert!(!path.exists(), "nobody can change it now");
    check(&dictionary, &keys, &persons);
    // It grows, changes and shrinks like any other.
    for number in 400_000..700_000 {
        keys.push(key(number));
        persons.push(number as Person + 1);
    }
    let new = dictionary.insert_all(&keys[300_000..], &persons[300_000..]);
    assert_eq!(new, 300_000);
    for (key, person) in keys.iter().zip(&mut persons).step_by(1_000) {
        *person += 5;
        assert!(dictionary.set_person(key, *person));
    }
    for key in keys.drain(..50_000) {
        assert!(dictionary.remove(&key));
    }
    persons.drain(..50_000);
    check(&dictionary, &keys, &persons);
    save(&dictionary, &path);
    check(&load(&path).expect("it was just saved"), &keys, &persons);
}

#[test]
fn saving_that_is_given_up_leaves_what_was_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys");
    let dictionary = Dictionary::new();
    let (keys, persons) = filled(&dictionary, 1_000);
    save(&dictionary, &path);
    let stopped = dictionary.save(&path, &secret(), &|| false, &mut || Some(stamp()));
    assert!(!stopped.expect("nothing went wrong"));
    let unstamped = dictionary.save(&path, &secret(), &|| true, &mut || None);
    assert!(!unstamped.expect("nothing went wrong"));
    assert_eq!(fs::read_dir(folder.path()).expect("is read").count(), 1);
    check(&load(&path).expect("it is there"), &keys, &persons);
}

/// What is saved while keys are added has all that were there before, and no half of one.
#[test]
fn saving_beside_a_writer() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys");
    let dictionary = Dictionary::in_folder(&folder.path().join("room"));
    let (keys, persons) = filled(&dictionary, 200_000);
    let more: Vec<Key> = (200_000..1_500_000).map(key).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut numbers = Numbers(1);
            for (number, keys) in more.chunks(5_000).enumerate() {
                let first = 200_001 + number as Person * 5_000;
                let persons: Vec<Person> = (first..first + keys.len() as Person).collect();
                dictionary.insert_all(keys, &persons);
                // In place: the same person, as far as any reader knows, and yet a change.
                let again = numbers.next() % 200_000;
                assert!(dictionary.set_person(&key(again), again as Person + 1));
            }
            done.store(true, Ordering::Relaxed);
        });
        loop {
            let last = done.load(Ordering::Relaxed);
            save(&dictionary, &path);
            let loaded = load(&path).expect("it was just saved");
            let mut found = Vec::new();
            loaded.get_all(&keys, &mut found);
            assert!(
                found
                    .iter()
                    .zip(&persons)
                    .all(|(found, person)| *found == Some(*person))
            );
            loaded.get_all(&more, &mut found);
            let known = found.iter().flatten().count() as u64;
            assert_eq!(loaded.len(), 200_000 + known);
            let right =
                |(found, number): (&Option<Person>, u32)| found.is_none_or(|found| found == number);
            assert!(found.iter().zip(200_001..).all(right));
            if last {
                assert_eq!(known, more.len() as u64);
                break;
            }
        }
    });
}

#[test]
fn a_file_of_another_length_secret_or_version_is_not_believed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys");
    let dictionary = Dictionary::new();
    let (keys, persons) = filled(&dictionary, 2_000);
    save(&dictionary, &path);
    let sound = fs::read(&path).expect("it is read");
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("it is written");
        assert!(matches!(load(&path), Err(CacheError::Unbelievable(_))));
        assert!(!path.exists(), "it is thrown away");
    };
    for length in (0..sound.len()).step_by(9_973) {
        refused(&sound[..length]);
    }
    refused(&[&sound[..], &[0; 10_240]].concat());
    refused(&vec![0xff; sound.len()]);
    fs::write(&path, &sound).expect("it is written");
    let others = CacheKey::new([4; 32]);
    let loaded = Dictionary::load(&path, &others, folder.path(), &mut |_| true);
    assert!(matches!(loaded, Err(CacheError::Unbelievable(_))));
    fs::write(&path, &sound).expect("it is written");
    let loaded = Dictionary::load(&path, &secret(), folder.path(), &mut |_| false);
    assert!(matches!(loaded, Err(CacheError::Unbelievable(_))));
    assert!(matches!(load(&path), Err(CacheError::Absent)));
    fs::write(&path, &sound).expect("it is written");
    check(&load(&path).expect("it is sound"), &keys, &persons);
}
