//! The file of `users/export/`: the vendor's columns, in its formats.
//!
//! Written here and not by the `csv` crate, whose delimiter is one byte: the vendor's is one character.

use domain::{AccountView, Permissions, rfc3339};

/// What the columns are called, in the vendor's order; not as the fields of a user.
const COLUMNS: [&str; 8] = [
    "username",
    "last_name",
    "first_name",
    "email",
    "date_joined",
    "last_seen",
    "groups",
    "permissions",
];
/// Between groups and permissions in one cell.
const JOINED_BY: &str = ";";
/// What a cell begins with that a spreadsheet would run; some take the full-width forms too.
const FORMULA: [char; 11] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// How the file is written.
#[derive(Debug, Clone, Copy)]
pub struct Csv {
    pub delimiter: char,
    /// Cells as they are, for programs; otherwise one that a spreadsheet would run begins with an apostrophe.
    pub raw: bool,
}

/// A delimiter must be one character, and none that quotes a cell or ends a line.
pub fn delimiter(text: &str) -> Option<char> {
    let mut chars = text.chars();
    let (delimiter, None) = (chars.next()?, chars.next()) else {
        return None;
    };
    let good = delimiter == '\t' || !(delimiter.is_control() || delimiter == '"');
    good.then_some(delimiter)
}

impl Csv {
    pub fn header(self, file: &mut String) {
        self.row(file, COLUMNS.map(str::to_owned));
    }

    pub fn user(self, file: &mut String, view: &AccountView) {
        let account = &view.account;
        let titles = view.groups.iter().map(|group| self.safe(&group.title));
        let titles: Vec<String> = titles.collect();
        let permissions = view.permissions().and(Permissions::SITE);
        let mut permissions: Vec<String> = permissions.iter().map(|one| one.to_string()).collect();
        permissions.sort_unstable();
        let cells = [
            self.safe(&account.username),
            self.safe(&account.last_name),
            self.safe(&account.first_name),
            self.safe(&account.email),
            time(account.created),
            account.last_seen.map(time).unwrap_or_default(),
            titles.join(JOINED_BY),
            permissions.join(JOINED_BY),
        ];
        self.row(file, cells);
    }

    /// Quoted where it must be, as in RFC 4180.
    fn row(self, file: &mut String, cells: [String; 8]) {
        for (column, cell) in cells.iter().enumerate() {
            if column > 0 {
                file.push(self.delimiter);
            }
            let special = |c: char| c == self.delimiter || matches!(c, '"' | '\r' | '\n');
            if cell.contains(special) {
                file.push('"');
                file.push_str(&cell.replace('"', "\"\""));
                file.push('"');
            } else {
                file.push_str(cell);
            }
        }
        file.push_str("\r\n");
    }

    fn safe(self, text: &str) -> String {
        if !self.raw && text.starts_with(FORMULA) {
            format!("'{text}")
        } else {
            text.to_owned()
        }
    }
}

/// As in `2022-08-19 11:43:58+00:00`.
fn time(time_ms: i64) -> String {
    let text = rfc3339(time_ms);
    let (day, time) = (
        text.get(..10).unwrap_or_default(),
        text.get(11..19).unwrap_or_default(),
    );
    format!("{day} {time}+00:00")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_is_one_character() {
        for good in [",", ";", "\t", "|", " ", "é"] {
            assert!(delimiter(good).is_some(), "{good:?}");
        }
        for wrong in ["", ",,", "\"", "\r", "\n", "\0", "ab"] {
            assert_eq!(delimiter(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn cells_are_quoted_and_safe() {
        let csv = Csv {
            delimiter: ';',
            raw: false,
        };
        for formula in ["=1+1", "+1", "-1", "@x", "\tx", "\rx"] {
            assert_eq!(csv.safe(formula), format!("'{formula}"));
            assert_eq!(Csv { raw: true, ..csv }.safe(formula), formula);
        }
        assert_eq!(csv.safe("a=1"), "a=1");
        let mut file = String::new();
        let cells = ["a", "b;c", "d\"e", "f,g", "h\r\ni", "", " ", "é"];
        csv.row(&mut file, cells.map(str::to_owned));
        assert_eq!(file, "a;\"b;c\";\"d\"\"e\";f,g;\"h\r\ni\";; ;é\r\n");
    }

    #[test]
    fn times_are_the_vendors() {
        assert_eq!(time(1_660_909_438_123), "2022-08-19 11:43:58+00:00");
    }
}
