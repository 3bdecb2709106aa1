//! The CSV file of an import: which column holds the identifiers, where each row begins, and what file it is.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use csv::{ByteRecord, Position, Reader, ReaderBuilder};
use domain::Kind;

use crate::failure::{Failure, Result};

/// Bytes of the beginning and of the end that, with the length, say which file it is.
const FINGERPRINT_BYTES: u64 = 1 << 20;

/// Which column holds the identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub index: usize,
    /// The first row names the columns.
    pub header: bool,
}

/// A CSV file that is read from where the last batch ended.
#[derive(Debug)]
pub struct Rows {
    reader: Reader<File>,
    column: Column,
    record: ByteRecord,
    pub bytes: u64,
}

/// One row: its line in the file, and the identifier or what is wrong with the row.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    pub line: u64,
    pub value: std::result::Result<String, &'static str>,
}

/// What the command line says about the columns.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// A name or a number from 1.
    pub column: Option<&'a str>,
    pub no_header: bool,
    pub kind: Kind,
}

impl Rows {
    /// Opens the file and finds the column.
    pub fn open(path: &Path, choice: Choice<'_>) -> Result<Rows> {
        let file = open(path)?;
        let bytes = file
            .metadata()
            .map_err(|error| unreadable(path, &error))?
            .len();
        let mut reader = reader(file);
        let mut first = ByteRecord::new();
        let any = reader
            .read_byte_record(&mut first)
            .map_err(|error| unreadable(path, &error))?;
        if !any {
            return Err(Failure::failed(format!("{} is empty", path.display())));
        }
        let column = find_column(&first, choice)?;
        let mut rows = Rows {
            reader,
            column,
            record: ByteRecord::new(),
            bytes,
        };
        if !column.header {
            rows.seek(path, Position::new())?;
        }
        Ok(rows)
    }

    pub fn column(&self) -> Column {
        self.column
    }

    /// Where the next row begins.
    pub fn position(&self) -> Position {
        self.reader.position().clone()
    }

    pub fn seek(&mut self, path: &Path, position: Position) -> Result<()> {
        self.reader
            .seek(position)
            .map_err(|error| unreadable(path, &error))
    }

    /// The next row; empty lines are no rows.
    pub fn next(&mut self, path: &Path) -> Result<Option<Row>> {
        if !self
            .reader
            .read_byte_record(&mut self.record)
            .map_err(|error| unreadable(path, &error))?
        {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, Position::line);
        let value = match self.record.get(self.column.index) {
            None => Err("the row has no such column"),
            Some(bytes) => std::str::from_utf8(bytes)
                .map(str::to_owned)
                .map_err(|_| "it is not UTF-8"),
        };
        Ok(Some(Row { line, value }))
    }
}

fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::failed(format!("cannot read {}: {error}", path.display()))
}

fn reader(file: File) -> Reader<File> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(1 << 18)
        .from_reader(file)
}

/// By number, by name, by the only column there is, or by the only cell of the first row that is an identifier. The first row
/// is a header unless its cell in that column is an identifier itself.
fn find_column(first: &ByteRecord, choice: Choice<'_>) -> Result<Column> {
    let cells: Vec<String> = first
        .iter()
        .map(|cell| clean(&String::from_utf8_lossy(cell)))
        .collect();
    let is_identifier = |index: usize| {
        cells
            .get(index)
            .is_some_and(|cell| looks_like(choice.kind, cell))
    };
    let header_at = |index: usize| !choice.no_header && !is_identifier(index);
    if let Some(wanted) = choice.column {
        let named = cells
            .iter()
            .position(|cell| cell.eq_ignore_ascii_case(wanted.trim()))
            .filter(|_| !choice.no_header);
        if let Some(index) = named {
            return Ok(Column {
                index,
                header: true,
            });
        }
        let index = wanted
            .parse::<usize>()
            .ok()
            .filter(|number| (1..=cells.len()).contains(number))
            .map(|number| number - 1);
        return index
            .map(|index| Column {
                index,
                header: header_at(index),
            })
            .ok_or_else(|| {
                Failure::usage(format!(
                    "there is no column {wanted:?}; the columns of the first row: {}",
                    columns(&cells)
                ))
            });
    }
    let by_name = cells
        .iter()
        .position(|cell| cell.eq_ignore_ascii_case(choice.kind.as_str()))
        .filter(|_| !choice.no_header);
    if let Some(index) = by_name {
        return Ok(Column {
            index,
            header: true,
        });
    }
    if cells.len() == 1 {
        return Ok(Column {
            index: 0,
            header: header_at(0),
        });
    }
    let mut found = (0..cells.len()).filter(|index| is_identifier(*index));
    match (found.next(), found.next()) {
        (Some(index), None) => Ok(Column {
            index,
            header: false,
        }),
        _ => Err(Failure::usage(format!(
            "which column? Name it with --column NAME or --column NUMBER: {}",
            columns(&cells)
        ))),
    }
}

/// For kinds that take any text nothing can be told from a cell: the first row is then a header unless told otherwise.
fn looks_like(kind: Kind, cell: &str) -> bool {
    matches!(kind, Kind::Email | Kind::Phone | Kind::MobileAd) && kind.check(cell).is_ok()
}

/// Without the byte-order mark that spreadsheets put before the first cell.
fn clean(cell: &str) -> String {
    cell.trim_start_matches('\u{feff}').trim().to_owned()
}

/// Numbers only where the row could be somebody's data.
fn columns(cells: &[String]) -> String {
    let named = |(index, cell): (usize, &String)| {
        let shown = !cell.contains(['@', '+'])
            && cell.len() < 32
            && !cell.bytes().any(|byte| byte.is_ascii_digit());
        if shown {
            format!("{} ({cell})", index + 1)
        } else {
            (index + 1).to_string()
        }
    };
    cells
        .iter()
        .enumerate()
        .map(named)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Length, beginning and end: tells a file from another without reading gigabytes.
pub fn fingerprint(path: &Path) -> Result<String> {
    let mut file = open(path)?;
    let fail = |error: std::io::Error| unreadable(path, &error);
    let bytes = file.metadata().map_err(fail)?.len();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes.to_le_bytes());
    let mut part = Vec::new();
    file.by_ref()
        .take(FINGERPRINT_BYTES)
        .read_to_end(&mut part)
        .map_err(fail)?;
    hasher.update(&part);
    if bytes > FINGERPRINT_BYTES {
        part.clear();
        file.seek(SeekFrom::Start(bytes - FINGERPRINT_BYTES))
            .map_err(fail)?;
        file.take(FINGERPRINT_BYTES)
            .read_to_end(&mut part)
            .map_err(fail)?;
        hasher.update(&part);
    }
    Ok(hasher.finalize().to_hex()[..32].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(first: &[&str], column: Option<&str>) -> Option<Column> {
        let choice = Choice {
            column,
            no_header: false,
            kind: Kind::Email,
        };
        find_column(&ByteRecord::from(first.to_vec()), choice).ok()
    }

    #[test]
    fn the_column_is_found() {
        let at = |index, header| Some(Column { index, header });
        assert_eq!(column(&["e-mail address"], None), at(0, true));
        assert_eq!(column(&["ann@example.org"], None), at(0, false));
        assert_eq!(column(&["\u{feff}Email", "name"], None), at(0, true));
        assert_eq!(column(&["name", "mail"], Some("MAIL")), at(1, true));
        assert_eq!(column(&["name", "mail"], Some("2")), at(1, true));
        assert_eq!(column(&["Ann", "ann@example.org"], Some("2")), at(1, false));
        assert_eq!(column(&["Ann", "ann@example.org"], None), at(1, false));
        assert_eq!(column(&["name", "mail"], None), None);
        assert_eq!(column(&["name", "mail"], Some("3")), None);
    }

    #[test]
    fn a_header_is_listed_but_not_somebodys_data() {
        assert_eq!(
            columns(&["mail".into(), "ann@example.org".into(), "+49".into()]),
            "1 (mail), 2, 3"
        );
    }
}
