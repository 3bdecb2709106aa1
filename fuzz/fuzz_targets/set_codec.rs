//! Any bytes as a stored set, and stored sets that are damaged here and there: refused, or a set that Roaring's own decoder
//! reads the same. What Roaring writes itself is read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use roaring::RoaringBitmap;
use sets::Set;
use throng_fuzz::{Bytes, assert_same};

fn check(bytes: &[u8]) {
    let ours = Set::from_bytes(bytes);
    let theirs = RoaringBitmap::deserialize_from(bytes);
    if let Ok(set) = &ours {
        assert!(set.iter().is_sorted_by(|a, b| a < b));
        assert_same(set, theirs.as_ref().expect("Roaring reads what we accept"));
        let again = set.to_bytes();
        assert_eq!(Set::from_bytes(&again).as_ref(), Ok(set));
        // Equal sets have equal bytes, however their containers were shaped.
        assert_eq!(Set::from_sorted(&set.to_vec()).to_bytes(), again);
        // The header without runs is larger for up to three containers: 8 + 8 n bytes beside 5 + 4 n.
        assert!(
            again.len() <= bytes.len() + 15,
            "containers are written in their smallest shapes"
        );
    }
    // Roaring accepts more than is canonical; what it writes itself, with and without runs, must be read.
    let Ok(mut model) = theirs else { return };
    for _ in 0..2 {
        let mut written = Vec::new();
        model
            .serialize_into(&mut written)
            .expect("writes into memory");
        assert_same(
            &Set::from_bytes(&written).expect("we read what Roaring writes"),
            &model,
        );
        model.optimize();
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Bytes(bytes);
    if input.byte() % 2 == 0 {
        check(input.0);
        return;
    }
    let mut stored = input.set().0.to_bytes();
    check(&stored);
    while !input.is_empty() {
        // The header more often than the rest: lengths are there.
        let reach = if input.byte() % 2 == 0 {
            stored.len().min(48)
        } else {
            stored.len()
        };
        let at = input.long() as usize % reach.max(1);
        match input.byte() % 4 {
            0 => stored.truncate(at),
            1 => stored.insert(at.min(stored.len()), input.byte()),
            _ => stored
                .iter_mut()
                .skip(at)
                .take(1)
                .for_each(|byte| *byte ^= input.byte()),
        }
        check(&stored);
    }
});
