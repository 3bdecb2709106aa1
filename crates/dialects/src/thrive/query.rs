//! The query: pages, flags, times and words. A parameter that is empty counts as absent, as the vendor's clients leave such
//! ones out; one that is not known is ignored.

use domain::RecordState;

use super::error::Problem;
use crate::time;

/// What a page holds where nothing is said.
const PER_PAGE_DEFAULT: u64 = 100;
const PER_PAGE_MAX: u64 = 1_000;
/// The most of the older parameter `limit`.
const LIMIT_MAX: u64 = 100;
/// Beyond it a JSON number is no longer exact.
const PAGE_MAX: u64 = 1 << 40;

/// The parameters in their order, decoded.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

/// Which page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// From 1.
    pub page: u64,
    pub per_page: u64,
}

impl Paging {
    /// Items before this page.
    pub fn offset(self) -> u64 {
        (self.page - 1).saturating_mul(self.per_page)
    }

    pub fn limit(self) -> usize {
        // At most 1,000.
        self.per_page as usize
    }
}

impl Query {
    pub fn parse(text: &str) -> Result<Query, Problem> {
        let mut pairs = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            // What the parser writes in place of bytes that are not UTF-8.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(Problem::bad_request("The query is not valid UTF-8."));
            }
            if !value.is_empty() {
                pairs.push((name.into_owned(), value.into_owned()));
            }
        }
        Ok(Query(pairs))
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn paging(&self) -> Result<Paging, Problem> {
        let page = self.number("page", PAGE_MAX)?.unwrap_or(1);
        let older = self.number("limit", LIMIT_MAX)?;
        let per_page = self.number("perPage", PER_PAGE_MAX)?.or(older);
        Ok(Paging {
            page,
            per_page: per_page.unwrap_or(PER_PAGE_DEFAULT),
        })
    }

    fn number(&self, name: &str, max: u64) -> Result<Option<u64>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits && (1..=max).contains(&number) => Ok(Some(number)),
            _ => Err(Problem::invalid(
                name,
                &format!("must be a whole number from 1 to {max}."),
            )),
        }
    }

    pub fn flag(&self, name: &str) -> Result<Option<bool>, Problem> {
        match self.text(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Problem::invalid(name, "must be true or false.")),
        }
    }

    /// A time in milliseconds: ISO 8601 with a zone, or without one in UTC, or a date alone.
    pub fn since(&self, name: &str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        // What becomes of `+01:00` where a client does not escape it.
        let text = match text
            .rfind(' ')
            .filter(|at| *at >= "1970-01-01T00:00:00".len())
        {
            Some(at) => format!("{}+{}", &text[..at], &text[at + 1..]),
            None => text.to_owned(),
        };
        let candidates = [
            text.clone(),
            format!("{text}Z"),
            format!("{text}T00:00:00Z"),
        ];
        let read = candidates.iter().find_map(|text| time::parse(text));
        let why = "must be a time in ISO 8601, as in 2024-03-15T10:30:00.000Z.";
        read.map(Some).ok_or_else(|| Problem::invalid(name, why))
    }

    /// The states of users that are asked for by `statuses`, `status` and `omitStatuses` together; nothing where none is.
    /// `new` is known and nobody's.
    pub fn states(&self) -> Result<Option<Vec<RecordState>>, Problem> {
        const ALL: [RecordState; 3] = [
            RecordState::Active,
            RecordState::Inactive,
            RecordState::Ended,
        ];
        let only = [self.statuses("statuses")?, self.statuses("status")?];
        let omitted = self.statuses("omitStatuses")?;
        if only.iter().all(Option::is_none) && omitted.is_none() {
            return Ok(None);
        }
        let asked = |state: &RecordState| {
            let only = only.iter().flatten().all(|only| only.contains(state));
            only && !omitted.iter().flatten().any(|omitted| omitted == state)
        };
        Ok(Some(ALL.into_iter().filter(asked).collect()))
    }

    fn statuses(&self, name: &str) -> Result<Option<Vec<RecordState>>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        let mut states = Vec::new();
        for word in text.split(',').map(str::trim) {
            match word {
                "active" => states.push(RecordState::Active),
                "inactive" => states.push(RecordState::Inactive),
                "expired" => states.push(RecordState::Ended),
                "new" => {}
                _ => {
                    let why = "must be of active, inactive, expired and new, joined by commas.";
                    return Err(Problem::invalid(name, why));
                }
            }
        }
        Ok(Some(states))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(text).expect("is a query")
    }

    #[test]
    fn a_page_has_a_number_and_a_size() {
        let paging = |text: &str| {
            let paging = query(text).paging().map_err(|problem| problem.status)?;
            Ok::<_, axum::http::StatusCode>((paging.page, paging.per_page, paging.offset()))
        };
        assert_eq!(paging(""), Ok((1, 100, 0)));
        assert_eq!(paging("page=3&perPage=50"), Ok((3, 50, 100)));
        assert_eq!(paging("perPage=1000&limit=5"), Ok((1, 1000, 0)));
        assert_eq!(paging("limit=5&page=2"), Ok((2, 5, 5)));
        assert_eq!(paging("page=&perPage="), Ok((1, 100, 0)));
        for wrong in [
            "page=0",
            "page=-1",
            "page=+1",
            "page=1.0",
            "page=x",
            "page=99999999999999999999",
            "perPage=0",
            "perPage=1001",
            "limit=101",
            "perPage=5&limit=0",
        ] {
            assert!(paging(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_may_lack_their_zone() {
        let since = |text: &str| {
            let found = query(text).since("updatedSince");
            found.map_err(|problem| problem.status)
        };
        assert_eq!(since(""), Ok(None));
        for text in [
            "1970-01-02T00:00:00.000Z",
            "1970-01-02T00:00:00",
            "1970-01-02",
            "1970-01-02T01:00:00%2B01:00",
            "1970-01-02T01:00:00+01:00",
            "1970-01-02%2000:00:00.000Z",
        ] {
            let asked = format!("updatedSince={text}");
            assert_eq!(since(&asked), Ok(Some(86_400_000)), "{text}");
        }
        for wrong in [
            "x",
            "1970-13-01",
            "02/01/1970",
            "86400",
            "1970-01-02T25:00:00Z",
        ] {
            assert!(since(&format!("updatedSince={wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn statuses_are_taken_together() {
        use RecordState::{Active, Ended, Inactive};
        let states = |text: &str| query(text).states().expect("are statuses");
        assert_eq!(states(""), None);
        assert_eq!(states("statuses=active,expired"), Some(vec![Active, Ended]));
        assert_eq!(states("omitStatuses=active"), Some(vec![Inactive, Ended]));
        assert_eq!(
            states("statuses=active,inactive&omitStatuses=active"),
            Some(vec![Inactive])
        );
        assert_eq!(states("status=new"), Some(vec![]));
        assert_eq!(states("status=active&statuses=inactive"), Some(vec![]));
        for wrong in ["status=x", "statuses=active,", "omitStatuses=Active"] {
            assert!(query(wrong).states().is_err(), "{wrong}");
        }
    }
}
