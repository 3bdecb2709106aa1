//! What people and programs read: standard output for results, standard error for remarks. Logs go elsewhere, through
//! `tracing`.

use std::io::{ErrorKind, Write};

use crate::failure::{Failure, Result};

/// A line on standard output. A reader that went away (`| head`) is no failure.
pub fn line(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::failed(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// A value as one line of JSON on standard output.
pub fn json(value: &serde_json::Value) -> Result<()> {
    line(&value.to_string())
}

/// A remark on standard error. Where that is closed there is nobody to tell.
pub fn note(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Rows in aligned columns under a heading.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> Result<()> {
    let width = |column: usize| {
        let cells = rows
            .iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count());
        cells
            .chain([heading[column].chars().count()])
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let print = |cells: &[String]| {
        let padded = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        line(padded.collect::<Vec<_>>().join("  ").trim_end())
    };
    print(
        &heading
            .iter()
            .map(|cell| (*cell).to_owned())
            .collect::<Vec<_>>(),
    )?;
    rows.iter().try_for_each(|row| print(row))
}

/// A number with commas between the thousands.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn thousands_are_set_apart() {
        let shown: Vec<String> = [0, 999, 1_000, 50_000, 1_234_567]
            .into_iter()
            .map(count)
            .collect();
        assert_eq!(shown, ["0", "999", "1,000", "50,000", "1,234,567"]);
    }
}
