//! Where the dictionary's entries are: pages of files that are mapped into memory, which the system may write back and forget.
//!
//! Such a file never has a name while pages of it are in use, so that nobody can damage it or cut it short under a running
//! process; it goes with the process. (A page that a broken disk cannot read back, or a file system that copies on write and is
//! full, still ends the process: that is a signal, and no wrong answer.) Without a folder, or where a file cannot be had (a full disk), pages come from the
//! allocator: memory is then all that is lost. Invariant: whoever asks for a page gets one.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::machine::{Mapping, PAGE_BYTES, Page, Pages};
use crate::sync::Mutex;

/// The first file is so large; each is as large as all before it together, up to the most.
const FILE_BYTES_MIN: usize = 400 * PAGE_BYTES;
const FILE_BYTES_MAX: usize = 6_400 * PAGE_BYTES;
/// After a file could not be had, so many pages come from the allocator before it is tried again.
const PAGES_BEFORE_AGAIN: usize = 2_000;

/// Gives pages to the shards of one dictionary.
#[derive(Debug, Default)]
pub(crate) struct Room {
    folder: Option<PathBuf>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    pages: Option<Pages>,
    mapped: usize,
    wait: usize,
}

impl Room {
    /// Room in files of a folder, which is made once it is needed.
    pub(crate) fn in_folder(folder: &Path) -> Room {
        Room {
            folder: Some(folder.to_owned()),
            inner: Mutex::default(),
        }
    }

    /// A page, all zero, for the shard's page of this number. The first comes from the allocator: a small dictionary needs no
    /// file.
    pub(crate) fn page(&self, number: usize) -> Page {
        match &self.folder {
            Some(folder) if number > 0 => self.inner.lock().page(folder),
            _ => Page::on_the_heap(),
        }
    }
}

impl Inner {
    fn page(&mut self, folder: &Path) -> Page {
        if self.wait > 0 {
            self.wait -= 1;
            return Page::on_the_heap();
        }
        if let Some(page) = self.pages.as_mut().and_then(Pages::page) {
            return page;
        }
        let len = self.mapped.clamp(FILE_BYTES_MIN, FILE_BYTES_MAX);
        match nameless(folder).and_then(|file| Mapping::new(&file, len)) {
            Ok(mapping) => {
                self.mapped += len;
                let mut pages = mapping.into_pages();
                let page = pages.page();
                self.pages = Some(pages);
                page.unwrap_or_else(Page::on_the_heap)
            }
            Err(_) => {
                self.wait = PAGES_BEFORE_AGAIN;
                Page::on_the_heap()
            }
        }
    }
}

/// A new file without a name in a folder, which is made if it is not there.
fn nameless(folder: &Path) -> io::Result<File> {
    private_folder(folder)?;
    let path = folder.join("room.tmp");
    // Left over from a process that was killed between the next two steps; this one alone uses the folder.
    fs::remove_file(&path).ok();
    let file = private_file(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// Makes a folder that only this user may enter, if it is not there.
pub(crate) fn private_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes a file that only this user may read; it must not be there.
pub(crate) fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
