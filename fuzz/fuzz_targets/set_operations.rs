//! Every operation on sets of every shape, against Roaring's own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sets::Set;
use throng_fuzz::{Bytes, assert_same};

fuzz_target!(|bytes: &[u8]| {
    let mut bytes = Bytes(bytes);
    let ((a, ma), (b, mb), (c, mc)) = (bytes.set(), bytes.set(), bytes.set());
    for (set, model) in [(&a, &ma), (&b, &mb), (&c, &mc)] {
        assert_same(set, model);
        assert_eq!(set.last(), model.max());
        let written = set.to_bytes();
        assert_eq!(Set::from_bytes(&written).as_ref(), Ok(set));
        assert_eq!(Set::from_sorted(&set.to_vec()).to_bytes(), written);
    }
    assert_same(&a.and(&b), &(&ma & &mb));
    assert_same(&a.or(&b), &(&ma | &mb));
    assert_same(&a.and_not(&b), &(&ma - &mb));
    assert_eq!(a.and_len(&b), ma.intersection_len(&mb));
    assert_eq!(a.and_len3(&b, &c), (&ma & &mb).intersection_len(&mc));
    assert_eq!(a.is_subset(&b), ma.is_subset(&mb));
    assert_eq!(a == b, ma == mb);
    assert_same(&Set::union_of([&a, &b, &c]), &(&(&ma | &mb) | &mc));
    let (mut more, mut less) = (a.clone(), a.clone());
    more.insert_all(&b);
    less.remove_all(&c);
    assert_same(&more, &(&ma | &mb));
    assert_same(&less, &(&ma - &mc));
    // What was cloned from is as it was.
    assert_same(&a, &ma);
    let person = bytes.long() as u32 & 0x3_ffff;
    assert_eq!(a.contains(person), ma.contains(person));
    assert!(a.iter_from(person).eq(ma.range(person..)));
    let skipped = u64::from(bytes.short());
    assert!(a.iter_at(skipped).eq(ma.iter().skip(skipped as usize)));
});
