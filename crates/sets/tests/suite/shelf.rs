//! Sets that are not in memory: what is asked for comes back as it was, whatever happens to its file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use throng_sets::{Engine, Question, Set, SetId, Shelf, State};

use crate::common::{Log, Numbers};

/// An engine whose sets are put away as soon as nobody holds them.
struct World {
    folder: tempfile::TempDir,
    shelf: Arc<Shelf>,
    log: Log,
    engine: Engine,
}

impl World {
    fn new(limit: usize) -> World {
        let folder = tempfile::tempdir().expect("a folder");
        let (shelf, log) = (Shelf::at_once(limit), Log::default());
        let engine = Engine::at_home(log.home(&shelf, folder.path()));
        World {
            folder,
            shelf,
            log,
            engine,
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.folder.path()).expect("lists");
        let mut files: Vec<PathBuf> = files.map(|file| file.expect("lists").path()).collect();
        files.sort();
        files
    }

    /// A command of its own, in a group of its own.
    fn change(&self, change: impl FnOnce(&mut throng_sets::Working<'_>)) {
        let mut working = self.engine.begin();
        working.command_begin();
        change(&mut working);
        let delta = working.command_delta();
        let seq = working.seq() + u64::from(!delta.is_empty());
        self.log.append(seq, &delta.sets);
        working.command_end(seq);
        self.engine.publish(working.finish());
    }

    fn add(&self, id: SetId, set: &Set) {
        // A copy of its own, so that it is not held by whoever has the other.
        let set = Set::from_bytes(&set.to_bytes()).expect("was just written");
        self.change(|working| {
            working.add(id, &set).expect("reads");
        });
        drop(set);
        self.shelf.clear();
    }

    fn state(&self) -> Arc<State> {
        self.engine.published()
    }
}

/// Arrays, a bitmap and runs.
fn sample(seed: u64) -> Set {
    let mut numbers = Numbers(seed);
    let scattered = (0..300).map(|_| numbers.next() as u32 % (5 << 16) + 1);
    let scattered: Vec<u32> = scattered.collect();
    let dense = (6 << 16..7 << 16).filter(|number| number % 3 == 0);
    scattered
        .into_iter()
        .chain(dense)
        .chain(9 << 16..(9 << 16) + 500)
        .collect()
}

fn read(state: &State, id: SetId) -> Set {
    state.set(id).expect("reads")
}

/// All sets are put away, if nobody holds them.
fn clear(world: &World) {
    // The first time takes the marks of those that were asked for.
    world.shelf.clear();
    world.shelf.clear();
}

#[test]
fn what_is_put_away_comes_back_from_its_file() {
    let world = World::new(0);
    let sets: Vec<Set> = (0..5).map(sample).collect();
    for (id, set) in sets.iter().enumerate() {
        world.add(id as SetId, set);
    }
    let state = world.state();
    assert_eq!(world.shelf.figures().resident_bytes, 0);
    assert_eq!(world.files().len(), sets.len());
    for (id, set) in sets.iter().enumerate() {
        let id = id as SetId;
        assert!(!state.is_resident(id));
        assert_eq!(state.len(id), set.len());
        assert_eq!(&read(&state, id), set);
        for person in [0, 1, 6 << 16, (6 << 16) + 1, (9 << 16) + 499, u32::MAX] {
            assert_eq!(state.contains(id, person), Ok(set.contains(person)));
        }
    }
    assert_eq!((world.log.rebuilt(), world.shelf.figures().damaged), (0, 0));
}

#[test]
fn a_set_whose_file_fails_is_rebuilt_and_written_again() {
    let world = World::new(0);
    let set = sample(1);
    world.add(7, &set);
    let file = world.files().remove(0);
    let good = fs::read(&file).expect("reads");
    let other = sample(2);
    world.add(8, &other);
    let foreign = fs::read(world.files().remove(1)).expect("reads");
    let mut flipped = good.clone();
    flipped[good.len() - 1] ^= 1;
    for bad in [&good[..good.len() - 1], &[], &flipped, &foreign] {
        let before = world.log.rebuilt();
        fs::write(&file, bad).expect("is written");
        assert_eq!(world.state().contains(7, 1 << 30), Ok(false));
        assert_eq!(read(&world.state(), 7), set);
        assert!(world.log.rebuilt() > before);
        clear(&world);
        assert_eq!(fs::read(&file).expect("is there again"), good);
    }
    fs::remove_dir_all(world.folder.path()).expect("is removed");
    assert_eq!(
        (read(&world.state(), 7), read(&world.state(), 8)),
        (set.clone(), other)
    );
    world.add(7, &Set::from_sorted(&[77]));
    assert!(read(&world.state(), 7).contains(77));
}

#[test]
fn what_cannot_be_rebuilt_is_an_error_of_who_asked_and_of_nobody_else() {
    let world = World::new(0);
    world.add(1, &sample(1));
    world.add(2, &sample(2));
    fs::remove_file(world.files().remove(0)).expect("is removed");
    world.log.set_down(true);
    let state = world.state();
    let error = state.set(1).expect_err("is nowhere");
    assert_eq!(error.set, 1);
    assert!(state.contains(1, 5).is_err());
    assert_eq!(read(&state, 2), sample(2));
    assert_eq!((state.len(1), state.version(1)), (sample(1).len(), 1));
    // A command that needs it changes nothing.
    let mut working = world.engine.begin();
    working.command_begin();
    assert!(working.add(1, &Set::from_sorted(&[5])).is_err());
    assert!(working.replace(1, Set::new()).is_err());
    assert!(working.drop_set(1).is_err());
    assert!(working.command_delta().is_empty());
    world.log.set_down(false);
    assert_eq!(read(&state, 1), sample(1));
}

#[test]
fn a_version_is_the_seq_of_the_last_change_of_a_set() {
    let world = World::new(0);
    world.add(1, &sample(1));
    world.add(2, &sample(2));
    world.add(1, &sample(3));
    // Touched, and as it was.
    world.change(|working| {
        let removed = working.remove(2, &sample(2)).expect("reads");
        working.add(2, &removed).expect("reads");
        working.add(3, &Set::from_sorted(&[4])).expect("reads");
    });
    let state = world.state();
    let versions = [1, 2, 3, 4].map(|id| state.version(id));
    assert_eq!(versions, [3, 2, 4, 0]);
    assert_eq!(read(&state, 1), sample(1).or(&sample(3)));
}

#[test]
fn a_reader_keeps_what_it_has_and_stale_files_go_with_the_last() {
    let world = World::new(0);
    world.add(1, &sample(1));
    let old = world.state();
    world.add(1, &sample(2));
    assert_eq!(world.files().len(), 2);
    assert_eq!(read(&old, 1), sample(1));
    assert_eq!(read(&world.state(), 1), sample(1).or(&sample(2)));
    drop(old);
    assert_eq!(world.files().len(), 1);
    world.change(|working| working.drop_set(1).expect("reads"));
    assert_eq!(world.files(), Vec::<PathBuf>::new());
    // What the last state has stays for the next start.
    world.add(1, &sample(1));
    let World { folder, engine, .. } = world;
    drop(engine);
    assert_eq!(fs::read_dir(folder.path()).expect("lists").count(), 1);
}

#[test]
fn what_is_held_stays_and_is_counted() {
    let world = World::new(0);
    world.add(1, &sample(1));
    let held = read(&world.state(), 1);
    world.add(2, &sample(2));
    let state = world.state();
    assert!(state.is_resident(1) && !state.is_resident(2));
    assert_eq!(
        world.shelf.figures().resident_bytes,
        held.memory_bytes() as u64
    );
    drop(held);
    clear(&world);
    assert!(!state.is_resident(1));
}

#[test]
fn what_was_asked_for_stays_longer() {
    let bytes = sample(1).memory_bytes();
    let world = World::new(4 * bytes);
    for id in 0..4 {
        world.add(id, &sample(1));
    }
    for round in 4..40 {
        read(&world.state(), 0);
        world.add(round, &sample(1));
        assert!(world.state().is_resident(0), "round {round}");
    }
    assert!(world.shelf.figures().resident_bytes <= 4 * bytes as u64);
}

#[test]
fn a_start_sweeps_what_nobody_can_use() {
    let world = World::new(0);
    world.add(1, &sample(1));
    let good = world.files();
    for name in ["1.2.set", "2.1.set", "1.1.new", "x"] {
        fs::write(world.folder.path().join(name), b"x").expect("is written");
    }
    world.engine.sweep_files();
    assert_eq!(world.files(), good);
    assert_eq!(
        good[0].file_name().map(Path::new),
        Some(Path::new("1.1.set"))
    );
}

#[test]
fn many_who_miss_at_once_load_once() {
    let world = World::new(usize::MAX);
    world.add(1, &sample(1));
    let snapshot = throng_sets::Snapshot {
        set: 1,
        version: 1,
        members: sample(1).len(),
    };
    world.engine.restore_snapshots(1, 0, 1, [snapshot]);
    let state = world.state();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(read(&state, 1), sample(1)));
        }
    });
    assert_eq!((world.log.rebuilt(), world.shelf.figures().misses), (1, 1));
}

/// The answer of a question, in steps as small as there are.
fn ask<Q: Question>(mut question: Q) -> Q::Answer {
    loop {
        if let Some(answer) = question.advance(1).expect("reads") {
            return answer;
        }
    }
}

#[test]
fn a_question_reads_files_and_a_file_that_fails_under_it_is_rebuilt() {
    let world = World::new(0);
    let sets: Vec<Set> = (0..3).map(sample).collect();
    for (id, set) in sets.iter().enumerate() {
        world.add(id as SetId, set);
    }
    let matrix = |state: &State| {
        let operands = (0..3).map(|id| state.operand(id)).collect();
        ask(throng_sets::Overlaps::among(operands))
    };
    let expected: Vec<Vec<u64>> = sets
        .iter()
        .map(|a| sets.iter().map(|b| a.and_len(b)).collect())
        .collect();
    for round in 0..20 {
        clear(&world);
        let state = world.state();
        let operands = (0..3).map(|id| state.operand(id)).collect();
        assert!((0..3).all(|id| !state.is_resident(id)));
        // The first chunks are read before the damage is done, the others after.
        let mut question = throng_sets::Overlaps::among(operands);
        let mut answer = question.advance(1).expect("reads");
        crate::common::damage_files(world.folder.path(), round);
        while answer.is_none() {
            answer = question.advance(1).expect("reads");
        }
        assert_eq!(answer, Some(expected.clone()));
        drop(question);
        assert_eq!(matrix(&state), expected);
    }
    assert!(world.log.rebuilt() > 10);
}
