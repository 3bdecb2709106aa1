//! CSV (RFC 4180) as exports write it: quoted where it must be, lines end with CRLF, and no cell is a formula.
//!
//! A spreadsheet computes a cell that begins with one of a few characters, whoever wrote it. Such a cell gets an apostrophe
//! before it, unless the whole file is asked for raw.

use axum::body::Bytes;

/// What a spreadsheet takes for the beginning of a formula, or skips before one; some take the full-width forms too.
const FORMULA: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// Rows of CSV, taken away piece by piece.
#[derive(Debug)]
pub(crate) struct Csv {
    delimiter: char,
    raw: bool,
    text: String,
}

impl Csv {
    /// `raw` leaves cells as they are, for programs.
    pub(crate) fn new(delimiter: char, raw: bool) -> Csv {
        Csv {
            delimiter,
            raw,
            text: String::new(),
        }
    }

    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        for (at, cell) in cells.into_iter().enumerate() {
            if at > 0 {
                self.text.push(self.delimiter);
            }
            self.cell(cell.as_ref());
        }
        self.text.push_str("\r\n");
    }

    fn cell(&mut self, cell: &str) {
        let formula = !self.raw && cell.starts_with(FORMULA);
        let special = |c: char| c == self.delimiter || matches!(c, '"' | '\r' | '\n');
        let quoted = cell.contains(special);
        if quoted {
            self.text.push('"');
        }
        if formula {
            self.text.push('\'');
        }
        for c in cell.chars() {
            if c == '"' {
                self.text.push('"');
            }
            self.text.push(c);
        }
        if quoted {
            self.text.push('"');
        }
    }

    /// What was written since the last time.
    pub(crate) fn take(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(delimiter: char, raw: bool, cells: &[&str]) -> String {
        let mut csv = Csv::new(delimiter, raw);
        csv.row(cells);
        let bytes = csv.take();
        assert!(csv.take().is_empty());
        String::from_utf8(bytes.to_vec()).expect("UTF-8")
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        let cells = ["a", "", "b,c", "d\"e", "f\ng", " h", "i;j"];
        assert_eq!(
            written(',', false, &cells),
            "a,,\"b,c\",\"d\"\"e\",\"f\ng\", h,i;j\r\n"
        );
        assert_eq!(written(';', false, &["b,c", "i;j"]), "b,c;\"i;j\"\r\n");
    }

    #[test]
    fn no_cell_is_a_formula_unless_the_file_is_raw() {
        for cell in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "\u{ff1d}1",
        ] {
            let safe = written(',', false, &[cell]);
            let safe = safe.trim_end_matches("\r\n").trim_matches('"');
            assert_eq!(safe, format!("'{cell}"));
            let raw = written(',', true, &[cell]);
            assert_eq!(raw.trim_end_matches("\r\n").trim_matches('"'), cell);
        }
        assert_eq!(written(',', false, &["=\"x\""]), "\"'=\"\"x\"\"\"\r\n");
        assert_eq!(written(',', false, &["a=1", "1-2"]), "a=1,1-2\r\n");
    }
}
