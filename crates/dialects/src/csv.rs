//! CSV (RFC 4180) as exports write it: quoted where it must be, lines end with CRLF, and no cell is a formula.
//!
//! A spreadsheet computes a cell that begins with one of a few characters, whoever wrote it. Such a cell gets an apostrophe
//! before it, unless the whole file is asked for raw.

use std::borrow::Cow;

use axum::body::Bytes;

/// What a spreadsheet takes for the beginning of a formula, or skips before one; some take the full-width forms too.
const FORMULA: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// How a file is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// Any character; the `csv` crate takes a byte only.
    pub delimiter: char,
    /// Leaves cells as they are, for programs.
    pub raw: bool,
}

impl Form {
    /// The text with an apostrophe before it where a spreadsheet would compute it: for a part of a cell that is put
    /// together; whole cells get it where they are written.
    pub(crate) fn safe(self, text: &str) -> Cow<'_, str> {
        if !self.raw && text.starts_with(FORMULA) {
            Cow::Owned(format!("'{text}"))
        } else {
            Cow::Borrowed(text)
        }
    }
}

/// Rows of CSV, taken away piece by piece.
#[derive(Debug)]
pub(crate) struct Csv {
    form: Form,
    text: String,
}

impl Csv {
    pub(crate) fn new(form: Form) -> Csv {
        Csv {
            form,
            text: String::new(),
        }
    }

    pub(crate) fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        for (at, cell) in cells.into_iter().enumerate() {
            if at > 0 {
                self.text.push(self.form.delimiter);
            }
            self.cell(cell.as_ref());
        }
        self.text.push_str("\r\n");
    }

    fn cell(&mut self, cell: &str) {
        let cell = self.form.safe(cell);
        let delimiter = self.form.delimiter;
        let special = |c: char| c == delimiter || matches!(c, '"' | '\r' | '\n');
        if !cell.contains(special) {
            self.text.push_str(&cell);
            return;
        }
        self.text.push('"');
        self.text.push_str(&cell.replace('"', "\"\""));
        self.text.push('"');
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
        let mut csv = Csv::new(Form { delimiter, raw });
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
