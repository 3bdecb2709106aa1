//! What depends on the processor: kernels compiled several times, of which the best that it can run is called. And what
//! depends on the operating system: pages of memory that a file stands behind.
//!
//! No algorithm: a kernel is safe code over slices ([`Kernel`]), written once elsewhere and inlined here into functions that
//! may use more instructions; only what no compiler finds by itself is written with intrinsics. The one file of the crate
//! that may be `unsafe`. Invariant: every level gives the same answers, and a function that needs instructions is called only
//! after the processor was found to have them; a byte of a mapped file belongs to one [`Page`] at most.

use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut, Range};
use std::ptr::NonNull;
use std::sync::Arc;
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

/// Has the beginning of a slice brought into the cache while other work goes on; the processor brings the rest by itself.
#[inline]
pub(crate) fn prefetch_slice<T>(slice: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        let bytes = size_of_val(slice).min(PREFETCH_BYTES);
        let start = slice.as_ptr().cast::<i8>();
        for line in (0..bytes).step_by(64) {
            // SAFETY: a hint, which reads nothing; and the address lies within the slice.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(start.add(line)) };
        }
    }
    let _ = slice;
}

/// How much of a slice is asked for.
#[cfg(target_arch = "x86_64")]
const PREFETCH_BYTES: usize = 8_192;

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

/// The bytes of a page of memory. Not a multiple of the system's own pages, which need not concern who uses it.
pub(crate) const PAGE_BYTES: usize = 10_240;

/// No system of ours has larger pages.
#[cfg(target_os = "linux")]
const SYSTEM_PAGE_BYTES_MAX: usize = 64 << 10;

/// A whole file in memory, for reading and writing.
///
/// The file should have no name any more: what another program wrote into it would change what is read here, and cutting it
/// short would end this process.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: it is memory that no thread owns; what is done with it goes through `&self`, which reads, or through pages.
unsafe impl Send for Mapping {}
// SAFETY: likewise.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `len` bytes of a file, after setting room aside for them, so that a full disk is an error here and no
    /// signal later.
    #[cfg(target_os = "linux")]
    pub(crate) fn new(file: &File, len: usize) -> io::Result<Mapping> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::mm::{MapFlags, ProtFlags, mmap};
        fallocate(file, FallocateFlags::empty(), 0, len as u64)?;
        // SAFETY: the kernel chooses the place, so that nothing else is mapped over. The file is `len` bytes long, as was
        // just made sure of, and open for reading and writing.
        let start = unsafe {
            mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::SHARED,
                file,
                0,
            )?
        };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Mapping { start, len })
    }

    /// Elsewhere than on Linux nothing is mapped, and memory comes from the allocator.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new(_: &File, _: usize) -> io::Result<Mapping> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// What is in the file. No page was cut yet, since cutting takes the mapping.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `start` is mapped for `len` bytes for as long as `self` lives, and nobody has a page to write through.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// Reads bytes of the file into memory at once where that is possible; they are read as they are needed otherwise.
    pub(crate) fn populate(&self, bytes: Range<usize>) {
        #[cfg(target_os = "linux")]
        if bytes.start < bytes.end && bytes.end <= self.len {
            // What is advised begins where a page of the system does, as the mapping does.
            let start = bytes.start & !(SYSTEM_PAGE_BYTES_MAX - 1);
            // SAFETY: it changes no byte, and concerns this mapping only, since it lies within.
            unsafe {
                let from = self.start.add(start).as_ptr().cast();
                let advice = rustix::mm::Advice::LinuxPopulateRead;
                rustix::mm::madvise(from, bytes.end - start, advice).ok();
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = bytes;
    }

    /// Gives it away in pages.
    pub(crate) fn into_pages(self) -> Pages {
        Pages {
            mapping: Arc::new(self),
            next: 0,
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        // SAFETY: `start` and `len` are those of a mapping that was made and that nobody has pages of any more, since each
        // holds it.
        unsafe {
            rustix::mm::munmap(self.start.as_ptr().cast(), self.len).ok();
        }
    }
}

/// What of a mapping is not given away yet.
#[derive(Debug)]
pub(crate) struct Pages {
    mapping: Arc<Mapping>,
    /// Bytes before this were given away or skipped. Only rises.
    next: usize,
}

impl Pages {
    /// Leaves out so many bytes, which belong to nobody from now on.
    pub(crate) fn skip(&mut self, bytes: usize) {
        self.next = self.next.saturating_add(bytes);
    }

    /// The next page; none at the end.
    pub(crate) fn page(&mut self) -> Option<Page> {
        let end = self.next.checked_add(PAGE_BYTES)?;
        if end > self.mapping.len {
            return None;
        }
        // SAFETY: `next` lies in the mapping, as does the end of the page.
        let start = unsafe { self.mapping.start.add(self.next) };
        self.next = end;
        Some(Page {
            start: start.cast(),
            mapping: Some(Arc::clone(&self.mapping)),
        })
    }
}

/// A page of memory, of a mapped file or of the allocator: a box of [`PAGE_BYTES`] bytes, all zero when it is new.
#[derive(Debug)]
pub(crate) struct Page {
    start: NonNull<[u8; PAGE_BYTES]>,
    /// What keeps `start` mapped; absent where `start` is that of a box.
    mapping: Option<Arc<Mapping>>,
}

// SAFETY: a page owns its bytes as a box does: of a mapping, `Pages::page` gives each byte away once, and nothing else
// reaches them after `Mapping::into_pages`.
unsafe impl Send for Page {}
// SAFETY: likewise; through `&self` it is only read.
unsafe impl Sync for Page {}

impl Page {
    /// A page of the allocator.
    pub(crate) fn on_the_heap() -> Page {
        // Not `Box::new([0; _])`, which may be put together on the stack.
        let boxed: Box<[u8]> = vec![0; PAGE_BYTES].into_boxed_slice();
        Page {
            start: NonNull::from(Box::leak(boxed)).cast(),
            mapping: None,
        }
    }

    pub(crate) fn is_on_the_heap(&self) -> bool {
        self.mapping.is_none()
    }
}

impl Deref for Page {
    type Target = [u8; PAGE_BYTES];

    #[inline(always)]
    fn deref(&self) -> &[u8; PAGE_BYTES] {
        // SAFETY: `start` is that many bytes, which are this page's alone and there as long as it is.
        unsafe { self.start.as_ref() }
    }
}

impl DerefMut for Page {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [u8; PAGE_BYTES] {
        // SAFETY: likewise.
        unsafe { self.start.as_mut() }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if self.mapping.is_none() {
            // SAFETY: without a mapping, `start` came from leaking a boxed slice of as many bytes, and no page is copied.
            drop(unsafe {
                Box::from_raw(
                    NonNull::slice_from_raw_parts(self.start.cast::<u8>(), PAGE_BYTES).as_ptr(),
                )
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_the_heap_is_a_box() {
        let mut pages: Vec<Page> = (0..3).map(|_| Page::on_the_heap()).collect();
        assert!(pages.iter().all(|page| **page == [0; PAGE_BYTES]));
        pages[1][PAGE_BYTES - 1] = 7;
        let moved = pages.swap_remove(1);
        drop(pages);
        assert_eq!(moved[PAGE_BYTES - 1], 7);
        assert!(moved.is_on_the_heap());
    }

    #[test]
    #[cfg(all(target_os = "linux", not(miri)))]
    fn the_pages_of_a_mapping_are_apart_and_outlive_it() {
        let file = tempfile::tempfile().expect("a file");
        let mapping = Mapping::new(&file, 3 * PAGE_BYTES + 100).expect("it is mapped");
        mapping.populate(100..2 * PAGE_BYTES);
        mapping.populate(0..4 * PAGE_BYTES);
        assert!(mapping.bytes().iter().all(|byte| *byte == 0));
        let mut pages = mapping.into_pages();
        pages.skip(99);
        let mut cut: Vec<Page> = std::iter::from_fn(|| pages.page()).collect();
        drop(pages);
        assert_eq!(cut.len(), 3);
        for (number, page) in cut.iter_mut().enumerate() {
            assert!(!page.is_on_the_heap());
            page.fill(number as u8 + 1);
        }
        let kept = cut.swap_remove(1);
        drop(cut);
        assert_eq!(*kept, [2; PAGE_BYTES]);
        let mut bytes = vec![0; 3 * PAGE_BYTES + 100];
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 0).expect("it is read");
        assert_eq!((bytes[98], bytes[99], bytes[99 + PAGE_BYTES]), (0, 1, 2));
        assert_eq!(bytes[3 * PAGE_BYTES + 99], 0);
    }
}
