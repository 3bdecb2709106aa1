//! The query: pages, orders and filters. Lists come repeated, as the vendor's clients send them, or joined by commas;
//! numbers come as the text of a float.

use axum::http::request::Parts;
use domain::{Domain, Error, Field, Permission, Permissions, Sort, SortBy};

use super::{auth::QUERY_KEY, error::Problem};
use crate::request::Reached;

/// What a page holds where nothing is said.
const LIMIT_DEFAULT: usize = 20;
/// Beyond it a JSON number, or a float, is no longer exact.
const OFFSET_MAX: usize = (1 << 53) - 1;
/// Keys of an order.
const SORTS_MAX: usize = 8;

/// The parameters in their order, decoded, without the caller's key.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub limit: usize,
    pub offset: usize,
}

fn invalid(name: &'static str, code: &'static str, text: impl Into<String>) -> Error {
    Error::Invalid(Field {
        name,
        code,
        text: text.into(),
    })
}

impl Query {
    pub fn parse(text: &str) -> Result<Query, Problem> {
        let mut pairs = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            // What the parser writes in place of bytes that are not UTF-8.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(Problem::bad_request("The query is not valid UTF-8."));
            }
            if name != QUERY_KEY {
                pairs.push((name.into_owned(), value.into_owned()));
            }
        }
        Ok(Query(pairs))
    }

    pub fn first(&self, name: &str) -> Option<&str> {
        let mut named = self.0.iter().filter(|(known, _)| known == name);
        named.next().map(|(_, value)| value.as_str())
    }

    /// The items of a list; empty ones do not count.
    pub fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        let named = self.0.iter().filter(move |(known, _)| known == name);
        let items = named.flat_map(|(_, value)| value.split(','));
        items.map(str::trim).filter(|item| !item.is_empty())
    }

    pub fn window(&self) -> Result<Window, Error> {
        let limit = self.number("limit", domain::limits::PAGE_ITEMS_MAX)?;
        Ok(Window {
            limit: limit.unwrap_or(LIMIT_DEFAULT),
            offset: self.number("offset", OFFSET_MAX)?.unwrap_or(0),
        })
    }

    fn number(&self, name: &'static str, max: usize) -> Result<Option<usize>, Error> {
        let Some(text) = self.first(name) else {
            return Ok(None);
        };
        let number = text.parse().ok().and_then(natural);
        let number = number.and_then(|number| usize::try_from(number).ok());
        match number.filter(|number| *number <= max) {
            Some(number) => Ok(Some(number)),
            None => {
                let text = format!("Ensure this value is a whole number from 0 to {max}.");
                Err(invalid(name, "out_of_range", text))
            }
        }
    }

    /// Permissions of which each must be held; none where nothing is asked for.
    pub fn permissions(&self, name: &'static str) -> Result<Permissions, Error> {
        let mut all = Permissions::NONE;
        for word in self.list(name) {
            all = all.with(permission(name, word)?);
        }
        Ok(all)
    }

    /// The order of a list of users.
    pub fn sorts(&self) -> Result<Vec<Sort>, Error> {
        let mut sorts = Vec::new();
        for word in self.list("sort") {
            let (word, descending) = signed(word);
            let by = match word {
                "username" => SortBy::Username,
                "first_name" => SortBy::FirstName,
                "last_name" => SortBy::LastName,
                "last_seen_at" => SortBy::LastSeen,
                _ => {
                    let text = "The fields are: username, first_name, last_name, last_seen_at.";
                    return Err(unknown_sort(text));
                }
            };
            sorts.push(Sort { by, descending });
        }
        if sorts.len() > SORTS_MAX {
            return Err(unknown_sort("There are more fields than one can sort by."));
        }
        Ok(sorts)
    }
}

pub fn unknown_sort(text: &str) -> Error {
    invalid("sort", "unknown", text)
}

/// The word without its sign, and whether it had one.
pub fn signed(word: &str) -> (&str, bool) {
    match word.strip_prefix('-') {
        Some(word) => (word, true),
        None => (word, false),
    }
}

/// A permission of the vendor's list.
pub fn permission(field: &'static str, word: &str) -> Result<Permission, Error> {
    Permission::parse(word)
        .filter(|permission| permission.resource().is_none())
        .ok_or_else(|| invalid(field, "unknown", "There is a permission that is not known."))
}

/// A float that is a natural number and exact.
pub fn natural(number: f64) -> Option<u64> {
    let exact = number.fract() == 0.0 && (0.0..=OFFSET_MAX as f64).contains(&number);
    exact.then_some(number as u64)
}

/// Where the client finds this list: what addresses in an answer begin with.
///
/// The scheme and the host are the server's own `public_url`, or a host name of the operator's table: a Host header that
/// anybody could have sent is not repeated in an answer.
#[derive(Debug)]
pub struct Origin {
    base: String,
    path: String,
}

impl Origin {
    pub fn of(domain: &Domain, parts: &Parts) -> Origin {
        let reached = parts.extensions.get::<Reached>();
        let path = reached.map_or(parts.uri.path(), |reached| &reached.path);
        let public_url = domain.public_url();
        let scheme = public_url.split("://").next().unwrap_or("http");
        let base = match reached.and_then(|reached| reached.authority.as_deref()) {
            Some(authority) => format!("{scheme}://{authority}"),
            None => public_url.to_owned(),
        };
        Origin {
            base,
            path: path.to_owned(),
        }
    }

    /// The addresses of the next and the previous part of a list. Both carry `limit` and `offset`, which is what the
    /// vendor's example program reads, and what else was asked for.
    pub fn links(
        &self,
        query: &Query,
        window: Window,
        total: u64,
    ) -> (Option<String>, Option<String>) {
        let Window { limit, offset } = window;
        if limit == 0 {
            return (None, None);
        }
        let end = offset.saturating_add(limit);
        let next = (u64::try_from(end).unwrap_or(u64::MAX) < total).then_some(end);
        let previous = (offset > 0).then(|| offset.saturating_sub(limit));
        let link = |offset: usize| {
            let mut pairs = form_urlencoded::Serializer::new(String::new());
            for (name, value) in &query.0 {
                if !["limit", "offset"].contains(&name.as_str()) {
                    pairs.append_pair(name, value);
                }
            }
            pairs.append_pair("limit", &limit.to_string());
            pairs.append_pair("offset", &offset.to_string());
            format!("{}{}?{}", self.base, self.path, pairs.finish())
        };
        (next.map(link), previous.map(link))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(text).expect("is one")
    }

    #[test]
    fn numbers_are_floats_that_are_whole() {
        for (text, limit) in [
            ("20", 20),
            ("20.0", 20),
            ("2e1", 20),
            ("0", 0),
            ("1000", 1_000),
        ] {
            let window = query(&format!("limit={text}")).window().expect("is one");
            assert_eq!(window, Window { limit, offset: 0 }, "{text}");
        }
        for wrong in [
            "", "x", "1.5", "-1", "1001", "nan", "inf", "1e400", "0x10", "1_0", "+5",
        ] {
            assert!(
                query(&format!("limit={wrong}")).window().is_err(),
                "{wrong}"
            );
        }
        let last = "offset=9007199254740991";
        assert_eq!(query(last).window().expect("is one").offset, OFFSET_MAX);
        assert!(query("offset=9007199254740992").window().is_err());
    }

    #[test]
    fn lists_are_repeated_or_joined() {
        for text in [
            "sort=username&sort=-last_name",
            "sort=username%2C-last_name",
            "sort=username,,-last_name&sort=",
        ] {
            let sorts = query(text).sorts().expect("is one");
            assert_eq!(sorts.len(), 2, "{text}");
            assert!(!sorts[0].descending && sorts[1].descending);
        }
        for wrong in ["sort=email", "sort=--username", "sort=USERNAME"] {
            assert!(query(wrong).sorts().is_err(), "{wrong}");
        }
        let many = "sort=username&".repeat(9);
        assert!(query(&many).sorts().is_err());
        let two = query("permissions=edit_page,edit_form").permissions("permissions");
        assert_eq!(two.expect("are known").iter().count(), 2);
        assert!(
            query("permissions=audience:r")
                .permissions("permissions")
                .is_err()
        );
    }

    #[test]
    fn links_keep_what_was_asked_for_but_not_the_key() {
        let origin = Origin {
            base: "https://example.org".into(),
            path: "/users/".into(),
        };
        let asked = query("search=a%26b&apikey=thr_x&limit=10&offset=10&sort=-username");
        let window = asked.window().expect("is one");
        let (next, previous) = origin.links(&asked, window, 25);
        assert_eq!(
            next.as_deref(),
            Some("https://example.org/users/?search=a%26b&sort=-username&limit=10&offset=20")
        );
        assert_eq!(
            previous.as_deref(),
            Some("https://example.org/users/?search=a%26b&sort=-username&limit=10&offset=0")
        );
        let (next, previous) = origin.links(
            &asked,
            Window {
                limit: 10,
                offset: 0,
            },
            10,
        );
        assert_eq!((next, previous), (None, None));
        assert_eq!(
            origin.links(
                &asked,
                Window {
                    limit: 0,
                    offset: 5
                },
                10
            ),
            (None, None)
        );
    }

    #[test]
    fn what_is_not_utf_8_is_refused() {
        assert!(Query::parse("search=%ff%fe").is_err());
        assert_eq!(query("search=%C3%A9").first("search"), Some("é"));
    }
}
