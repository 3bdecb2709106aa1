//! What depends on the processor: kernels compiled several times, of which the best that it can run is called.
//!
//! No algorithm: a kernel is safe code over slices ([`Kernel`]), written once elsewhere and inlined here into functions that
//! may use more instructions; only what no compiler finds by itself is written with intrinsics. The one file of the crate
//! that may be `unsafe`. Invariant: every level gives the same answers, and a function that needs instructions is called only
//! after the processor was found to have them.

use std::sync::atomic::{AtomicU8, Ordering};

/// Work that gains from newer instructions.
pub(crate) trait Kernel {
    /// What it answers.
    type Output;

    /// Does the work. To be `#[inline(always)]`, since only what is inlined is compiled for the level.
    fn run(self) -> Self::Output;
}

/// Which instructions are used, as sets of what processors have had together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Level {
    /// What every processor of the architecture has.
    Plain = 1,
    /// x86-64-v3: AVX2, BMI and POPCNT (2013 on).
    #[cfg(target_arch = "x86_64")]
    Avx2 = 2,
    /// x86-64-v4 with VPOPCNTDQ: counts bits in vectors of 512 (2019 on).
    #[cfg(target_arch = "x86_64")]
    Avx512 = 3,
}

/// Runs a kernel on the best level of this processor.
#[inline]
pub(crate) fn run<K: Kernel>(kernel: K) -> K::Output {
    run_at(Level::best(), kernel)
}

impl Level {
    /// The best that this processor has.
    #[inline]
    pub(crate) fn best() -> Level {
        /// The level as a number, 0 until it was looked for. Whoever comes first finds the same.
        static BEST: AtomicU8 = AtomicU8::new(0);
        match BEST.load(Ordering::Relaxed) {
            1 => Level::Plain,
            #[cfg(target_arch = "x86_64")]
            2 => Level::Avx2,
            #[cfg(target_arch = "x86_64")]
            3 => Level::Avx512,
            _ => {
                let best = Level::detect();
                BEST.store(best as u8, Ordering::Relaxed);
                best
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn detect() -> Level {
        let avx2 = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        let avx512 = avx2
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vbmi2")
            && is_x86_feature_detected!("avx512vpopcntdq");
        match (avx2, avx512) {
            (_, true) => Level::Avx512,
            (true, false) => Level::Avx2,
            (false, false) => Level::Plain,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn detect() -> Level {
        Level::Plain
    }

    /// Every level that this processor has.
    #[cfg(test)]
    pub(crate) fn all() -> impl Iterator<Item = Level> {
        #[cfg(target_arch = "x86_64")]
        let levels = [Level::Plain, Level::Avx2, Level::Avx512];
        #[cfg(not(target_arch = "x86_64"))]
        let levels = [Level::Plain];
        levels.into_iter().filter(|level| *level <= Level::best())
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub(crate) fn run_at<K: Kernel>(_: Level, kernel: K) -> K::Output {
    kernel.run()
}

/// Runs a kernel on a level, or on the best of this processor if that is lower.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn run_at<K: Kernel>(level: Level, kernel: K) -> K::Output {
    match level.min(Level::best()) {
        Level::Plain => kernel.run(),
        // SAFETY: the level is not above the best, for which `detect` found all that `run_avx2` is compiled for.
        Level::Avx2 => unsafe { run_avx2(kernel) },
        // SAFETY: likewise, for `run_avx512`.
        Level::Avx512 => unsafe { run_avx512(kernel) },
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2,avx512vpopcntdq")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

/// Whether kernels over 32-bit lanes are run in vectors of 256 bits at least.
pub(crate) fn has_wide_vectors() -> bool {
    Level::best() > Level::Plain
}

/// Asks for the memory behind a reference, which will be needed soon. Changes nothing but time.
#[inline(always)]
pub(crate) fn prefetch<T>(soon: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 processor has it, and it reads nothing that the program could see.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(soon).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = soon;
}

/// How many of strictly ascending numbers have their bits set; quick where they lie close together, 32 within a thousand or
/// so. None where the processor has no instructions for it: the plain way is somebody else's.
pub(crate) fn probe_dense(words: &[u64; 1024], lows: &[u16]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if Level::best() == Level::Avx512 {
        // SAFETY: `detect` found all that `probe_avx512` is compiled for.
        return Some(unsafe { probe_avx512(words, lows) });
    }
    let _ = (words, lows);
    None
}

/// Looks 32 numbers up at a time in the 1,024 bits from the first one's word on, which two registers hold. The few that lie
/// further away are looked up one by one.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi2,avx512vpopcntdq")]
fn probe_avx512(words: &[u64; 1024], lows: &[u16]) -> usize {
    use std::arch::x86_64::{
        __m512i, _mm512_and_si512, _mm512_cmplt_epu16_mask, _mm512_loadu_si512,
        _mm512_mask_test_epi16_mask, _mm512_permutex2var_epi16, _mm512_set1_epi16,
        _mm512_sllv_epi16, _mm512_srli_epi16, _mm512_sub_epi16,
    };
    /// The words of a window, and those of the last place where one begins.
    const WINDOW: usize = 16;
    let has = |low: &u16| words[usize::from(low >> 6)] >> (low & 63) & 1 == 1;
    let (blocks, rest) = lows.as_chunks::<32>();
    let mut total = 0;
    for block in blocks {
        // SAFETY: a load from a reference to 64 bytes, of any alignment.
        let numbers: __m512i = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
        let first = usize::from(block[0] >> 6).min(words.len() - WINDOW);
        let (low_half, high_half) = words[first..first + WINDOW].split_at(WINDOW / 2);
        // SAFETY: loads from slices of eight words, which are 64 bytes, of any alignment.
        let (table, more): (__m512i, __m512i) = unsafe {
            (
                _mm512_loadu_si512(low_half.as_ptr().cast()),
                _mm512_loadu_si512(high_half.as_ptr().cast()),
            )
        };
        // The table is one of 64 pieces of 16 bits; a number's piece is its upper 12 bits less the window's.
        let places = _mm512_sub_epi16(
            _mm512_srli_epi16::<4>(numbers),
            _mm512_set1_epi16((first * 4) as i16),
        );
        let near = _mm512_cmplt_epu16_mask(places, _mm512_set1_epi16(64));
        let pieces = _mm512_permutex2var_epi16(table, places, more);
        let bits = _mm512_sllv_epi16(
            _mm512_set1_epi16(1),
            _mm512_and_si512(numbers, _mm512_set1_epi16(15)),
        );
        total += _mm512_mask_test_epi16_mask(near, pieces, bits).count_ones() as usize;
        if near != u32::MAX {
            // They ascend, so those near come first.
            let far = &block[near.trailing_ones() as usize..];
            total += far.iter().filter(|low| has(low)).count();
        }
    }
    total + rest.iter().filter(|low| has(low)).count()
}
