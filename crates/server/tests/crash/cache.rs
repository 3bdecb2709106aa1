//! Deaths in checkpoints and while the cache is written; between a death and the next start the cache is deleted, cut, flipped,
//! mixed up, or put back as it was some deaths ago. Every answer is what it would be without.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Scene, crash_in, kills, postgres_database, random};

/// A checkpoint every few changes, and no set stays in memory, so that sets are written and read all the time.
const SETTINGS: [&str; 2] = ["checkpoint.changes=5", "sets.memory=none"];
/// Together with the other callers' enough that keys are saved for the next start.
const PEOPLE: u64 = 18_000;

/// Now and then a server lives long enough to save its keys, and dies about then.
fn runs_ms_min(kill: usize) -> u64 {
    if kill.is_multiple_of(5) { 1_980 } else { 0 }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&entry.path(), found),
            _ => found.push(entry.path()),
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::remove_dir_all(to).ok();
    let mut all = Vec::new();
    files(from, &mut all);
    for file in all {
        let to = to.join(file.strip_prefix(from).expect("is in it"));
        fs::create_dir_all(to.parent().expect("is in a folder")).expect("is made");
        fs::copy(&file, to).expect("copies");
    }
}

/// What was damaged, by kind, so that a test can say that it did something.
#[derive(Debug, Default)]
struct Done {
    deleted: usize,
    emptied: usize,
    cut: usize,
    flipped: usize,
    mixed: usize,
    older: usize,
}

impl Done {
    /// Damages the cache of a data folder in one way. `older` is where an earlier cache is kept.
    fn damage(&mut self, cache: &Path, older: &Path) {
        let mut all = Vec::new();
        files(cache, &mut all);
        if all.is_empty() {
            return;
        }
        let any = |all: &[PathBuf]| all[random() as usize % all.len()].clone();
        match random() % 7 {
            0 => {
                fs::remove_dir_all(cache).expect("is deleted");
                self.deleted += 1;
            }
            1 => {
                fs::write(any(&all), []).expect("is emptied");
                self.emptied += 1;
            }
            2 => {
                for file in &all {
                    let len = fs::metadata(file).expect("is there").len();
                    let file = fs::OpenOptions::new()
                        .write(true)
                        .open(file)
                        .expect("opens");
                    file.set_len(random() % (len + 1)).expect("is cut");
                }
                self.cut += 1;
            }
            3 => {
                for file in &all {
                    let mut bytes = fs::read(file).expect("reads");
                    if bytes.is_empty() {
                        continue;
                    }
                    let at = random() as usize % bytes.len();
                    bytes[at] ^= 1 << (random() % 8);
                    fs::write(file, bytes).expect("writes");
                }
                self.flipped += 1;
            }
            4 => {
                // Each is good, and none is what its name says.
                let (one, other) = (any(&all), any(&all));
                let bytes = fs::read(&one).expect("reads");
                fs::copy(&other, &one).expect("copies");
                fs::write(&other, bytes).expect("writes");
                self.mixed += 1;
            }
            5 if older.exists() => {
                copy(older, cache);
                self.older += 1;
            }
            _ => copy(cache, older),
        }
    }
}

fn damaged(data: &Path, database: Option<&str>, kills: usize) {
    let older = data.with_extension("older");
    let mut done = Done::default();
    let scene = Scene {
        settings: &SETTINGS,
        people: PEOPLE,
        runs_ms_min,
        between: &mut |data| done.damage(&data.join("cache"), &older),
    };
    crash_in(data, database, kills, scene);
    let some = done.deleted + done.emptied + done.cut + done.flipped + done.mixed + done.older;
    assert!(some * 3 > kills, "{kills} kills, and only {done:?}");
}

#[test]
fn a_damaged_cache_between_death_and_start_changes_no_answer_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    damaged(&folder.path().join("data"), None, kills().div_ceil(2));
}

#[test]
fn a_damaged_cache_between_death_and_start_changes_no_answer_on_postgres() {
    let folder = tempfile::tempdir().expect("a folder");
    if let Some(url) = postgres_database(folder.path()) {
        damaged(&folder.path().join("data"), Some(&url), kills().div_ceil(4));
    }
}
