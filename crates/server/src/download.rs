//! Exports: an answer of the server that is a file, to standard output or into a file that does not exist yet.

use std::{
    fs::OpenOptions,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde_json::json;

use crate::{
    admin::say,
    api::{Api, Connection},
    failure::{Failure, Result},
};

/// Writes the answer as it comes in; `what` is in it, for the sentence at the end. Half a file does not stay.
pub fn download(
    connection: &Connection,
    path: &str,
    query: &[(&str, &str)],
    file: Option<PathBuf>,
    what: &str,
) -> Result<()> {
    let api = Api::new(connection)?;
    let Some(file) = file else {
        return api.download(path, query, &mut std::io::stdout().lock());
    };
    let mut out = create(&file)?;
    let written = api.download(path, query, &mut out);
    if written.is_err() {
        // Half a file would pass for a whole one.
        drop(std::fs::remove_file(&file));
    }
    written?;
    let shown = file.display().to_string();
    say(connection, &json!({"file": shown}), |_| {
        format!("{what} are in {shown}.")
    })
}

/// A new file that nobody else may read: it is full of names and addresses.
fn create(path: &Path) -> Result<std::fs::File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| {
        let shown = path.display();
        Failure::usage(match error.kind() {
            ErrorKind::AlreadyExists => format!("{shown} exists already: name another file"),
            _ => format!("cannot make {shown}: {error}"),
        })
    })
}
