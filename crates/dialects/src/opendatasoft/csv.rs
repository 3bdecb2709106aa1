//! The file of `users/export/`: the vendor's columns, in its formats.

use domain::{AccountView, Permissions, rfc3339};

use crate::csv::{Csv, Form};

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

/// A delimiter must be one character, and none that quotes a cell or ends a line.
pub fn delimiter(text: &str) -> Option<char> {
    let mut chars = text.chars();
    let (delimiter, None) = (chars.next()?, chars.next()) else {
        return None;
    };
    let good = delimiter == '\t' || !(delimiter.is_control() || delimiter == '"');
    good.then_some(delimiter)
}

pub fn header(file: &mut Csv) {
    file.row(COLUMNS);
}

pub fn user(file: &mut Csv, form: Form, view: &AccountView) {
    let account = &view.account;
    let titles = view.groups.iter().map(|group| form.safe(&group.title));
    let titles: Vec<_> = titles.collect();
    let permissions = view.permissions().and(Permissions::SITE);
    let mut permissions: Vec<String> = permissions.iter().map(|one| one.to_string()).collect();
    permissions.sort_unstable();
    file.row([
        account.username.as_str(),
        &account.last_name,
        &account.first_name,
        &account.email,
        &time(account.created),
        &account.last_seen.map(time).unwrap_or_default(),
        &titles.join(JOINED_BY),
        &permissions.join(JOINED_BY),
    ]);
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
    fn times_are_the_vendors() {
        assert_eq!(time(1_660_909_438_123), "2022-08-19 11:43:58+00:00");
    }
}
