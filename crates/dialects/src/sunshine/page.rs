//! The query: which page, and what is filtered for. The vendor's clients write both in two ways: `page[size]=2&page[after]=...`,
//! and one parameter with the same as a JSON object, `page={"size": 2}`.
//!
//! Invariant: a page that cannot be understood is refused, never taken for the first one.

use axum::{http::request::Parts, response::Response};
use domain::{CursorPage, CursorQuery, DialectId, Domain, IdKind, limits};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{call::ok, error::Problem, map::hex, wire};
use crate::request::Reached;

/// Digits of an id that say its workspace and kind.
const PREFIX_CHARS: usize = 10;

/// What a list is asked for.
#[derive(Debug)]
pub struct Query {
    page: Map<String, Value>,
    filter: Map<String, Value>,
    /// What the links to other pages repeat.
    others: Vec<(String, String)>,
}

/// The first member of `name[member]`.
fn member<'a>(name: &'a str, of: &str) -> Option<&'a str> {
    let rest = name.strip_prefix(of)?.strip_prefix('[')?;
    rest.strip_suffix(']')
}

/// The members of `page` or `filter`, whichever way they are written; what comes twice is refused.
fn object(pairs: &[(String, String)], of: &str) -> Result<Map<String, Value>, Problem> {
    let mut object = Map::new();
    for (name, value) in pairs {
        let mut put = |name: &str, value: Value| match object.insert(name.to_owned(), value) {
            None => Ok(()),
            Some(_) => Err(Problem::bad_request(format!("{of}[{name}] comes twice"))),
        };
        if name == of {
            let title =
                || format!("{of} must be an object, as in {of}[size]=25 or {of}={{\"size\":25}}");
            let title = || title().replace("size", example(of));
            match serde_json::from_str(value) {
                Ok(Value::Object(members)) => {
                    let mut members = members.into_iter();
                    members.try_for_each(|(name, value)| put(&name, value))?;
                }
                _ => return Err(Problem::bad_request(title())),
            }
        } else if let Some(member) = member(name, of) {
            put(member, Value::String(value.clone()))?;
        }
    }
    object.retain(|_, value| !value.is_null());
    Ok(object)
}

fn example(of: &str) -> &'static str {
    if of == "page" { "size" } else { "types" }
}

impl Query {
    pub fn parse(text: &str) -> Result<Query, Problem> {
        let mut pairs = Vec::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            // What the parser writes in place of bytes that are not UTF-8.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') {
                return Err(Problem::bad_request("The query is not valid UTF-8."));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        let of_page = |name: &str| name == "page" || member(name, "page").is_some();
        Ok(Query {
            page: object(&pairs, "page")?,
            filter: object(&pairs, "filter")?,
            others: pairs
                .into_iter()
                .filter(|(name, _)| !of_page(name))
                .collect(),
        })
    }

    /// A member of the filter, which is a text.
    pub fn filter(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.filter.get(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => {
                let title = format!("filter[{name}] must be a string that is not empty");
                Err(Problem::bad_request(title))
            }
        }
    }

    /// Which page of things of this kind.
    pub fn cursor(&self, workspace: i64, kind: IdKind) -> Result<CursorQuery, Problem> {
        let after = self.bound(workspace, kind, "after")?;
        let before = self.bound(workspace, kind, "before")?;
        if after.is_some() && before.is_some() {
            let title = "Only one of page[after] and page[before] can be given, not both";
            return Err(Problem::bad_request(title));
        }
        let limit = match self.page.get("size") {
            None => limits::CURSOR_ITEMS_DEFAULT,
            Some(size) => size_of(size)?,
        };
        Ok(CursorQuery {
            after,
            before,
            limit,
        })
    }

    /// A cursor is any 24 hexadecimal digits: where it is no id of ours, it stands before or after all of them.
    fn bound(&self, workspace: i64, kind: IdKind, name: &str) -> Result<Option<i64>, Problem> {
        let Some(value) = self.page.get(name) else {
            return Ok(None);
        };
        let text = value.as_str().map(str::to_ascii_lowercase);
        let text = text
            .filter(|text| text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(text) = text else {
            let title = format!("page[{name}] must be a record's id of 24 hexadecimal characters");
            return Err(Problem::bad_request(title));
        };
        let own = hex(workspace, kind, 0);
        let (asked, own) = (&text[..PREFIX_CHARS], &own[..PREFIX_CHARS]);
        Ok(Some(match asked.cmp(own) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Greater => i64::MAX,
            // Seven bytes.
            std::cmp::Ordering::Equal => {
                i64::from_str_radix(&text[PREFIX_CHARS..], 16).unwrap_or(i64::MAX)
            }
        }))
    }
}

fn size_of(size: &Value) -> Result<usize, Problem> {
    let digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = match size {
        Value::String(text) => Some(text.as_str())
            .filter(digits)
            .and_then(|it| it.parse().ok()),
        size => size.as_u64(),
    };
    number
        .and_then(|number| usize::try_from(number).ok())
        .filter(|number| (1..=limits::CURSOR_ITEMS_MAX).contains(number))
        .ok_or_else(|| {
            let max = limits::CURSOR_ITEMS_MAX;
            Problem::bad_request(format!("page[size] must be a whole number from 1 to {max}"))
        })
}

/// Where the client finds this list: what the links in an answer begin with.
///
/// The scheme and the host are the server's own `public_url`, or a host name of the operator's table: a Host header that
/// anybody could have sent is not repeated in an answer.
#[derive(Debug)]
pub struct Origin(String);

impl Origin {
    pub fn of(domain: &Domain, parts: &Parts) -> Origin {
        let reached = parts.extensions.get::<Reached>();
        let path = reached.map_or(parts.uri.path(), |reached| &reached.path);
        let public_url = domain.public_url();
        let scheme = public_url.split("://").next().unwrap_or("http");
        Origin(match reached.and_then(|it| it.authority.as_deref()) {
            Some(authority) => format!("{scheme}://{authority}{path}"),
            None => format!("{public_url}{path}"),
        })
    }

    fn link(&self, query: &Query, bound: &str, cursor: &str, limit: usize) -> String {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &query.others {
            pairs.append_pair(name, value);
        }
        pairs.append_pair(&format!("page[{bound}]"), cursor);
        pairs.append_pair("page[size]", &limit.to_string());
        format!("{}?{}", self.0, pairs.finish())
    }
}

/// What a page is answered from.
#[derive(Debug)]
pub struct Paging<'a> {
    pub origin: &'a Origin,
    pub query: &'a Query,
    pub cursor: CursorQuery,
    pub workspace: i64,
    pub kind: IdKind,
}

impl Paging<'_> {
    /// Answers a page under the vendor's name for what is in it.
    pub fn answer<T, W: Serialize>(
        &self,
        name: &'static str,
        page: CursorPage<T>,
        id: impl Fn(&T) -> i64,
        render: impl Fn(&T) -> W,
    ) -> Response {
        let cursor = |item: Option<&T>| item.map(|item| hex(self.workspace, self.kind, id(item)));
        let before = cursor(page.items.first()).filter(|_| page.has_before);
        let after = cursor(page.items.last()).filter(|_| page.has_after);
        let limit = self.cursor.limit;
        let link = |bound, cursor: &Option<String>| {
            let cursor = cursor.as_deref()?;
            Some(self.origin.link(self.query, bound, cursor, limit))
        };
        ok(&wire::Page {
            links: wire::Links {
                prev: link("before", &before),
                next: link("after", &after),
            },
            meta: wire::Meta {
                has_more: page.has_more,
                after_cursor: after,
                before_cursor: before,
            },
            items: wire::Named(name, page.items.iter().map(render).collect::<Vec<W>>()),
        })
    }
}

/// The id that a text is of a thing of this workspace and kind.
pub fn own(workspace: i64, kind: IdKind, text: &str) -> Option<i64> {
    DialectId::from_hex(text)
        .filter(|id| id.workspace == workspace && id.kind == kind)
        .map(|id| id.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(text: &str) -> Result<(Option<i64>, Option<i64>, usize), String> {
        let query = Query::parse(text).and_then(|query| query.cursor(7, IdKind::Client));
        let told = |problem: Problem| problem.titles.join("; ");
        query
            .map(|page| (page.after, page.before, page.limit))
            .map_err(told)
    }

    #[test]
    fn a_page_is_written_in_two_ways() {
        let id = hex(7, IdKind::Client, 12);
        assert_eq!(cursor(""), Ok((None, None, 25)));
        for text in [
            format!("page[after]={id}&page[size]=2"),
            format!("page%5Bafter%5D={id}&page%5Bsize%5D=2"),
            format!("page=%7B%22after%22%3A%20%22{id}%22%2C%20%22size%22%3A%202%7D"),
            format!("page={{\"after\":\"{id}\",\"size\":2,\"before\":null}}"),
            format!("page={{\"size\":\"2\"}}&page[after]={id}"),
            format!("page[after]={}&page[size]=2", id.to_uppercase()),
        ] {
            assert_eq!(cursor(&text), Ok((Some(12), None, 2)), "{text}");
        }
        let before = format!("page[before]={id}");
        assert_eq!(cursor(&before), Ok((None, Some(12), 25)));
        assert_eq!(cursor("page={}"), Ok((None, None, 25)));
    }

    #[test]
    fn any_24_digits_are_before_or_after_what_there_is() {
        let after = |text: &str| cursor(&format!("page[after]={text}")).map(|page| page.0);
        assert_eq!(after("000000000000000000000000"), Ok(Some(0)));
        assert_eq!(after("ffffffffffffffffffffffff"), Ok(Some(i64::MAX)));
        assert_eq!(after(&hex(6, IdKind::Client, 9)), Ok(Some(0)));
        assert_eq!(after(&hex(7, IdKind::Record, 9)), Ok(Some(0)));
        assert_eq!(after(&hex(7, IdKind::Message, 9)), Ok(Some(i64::MAX)));
        assert_eq!(after("000000070bffffffffffffff"), Ok(Some((1 << 56) - 1)));
    }

    #[test]
    fn what_is_no_page_is_refused() {
        let id = hex(7, IdKind::Client, 12);
        for wrong in [
            "page=2".to_owned(),
            "page=".into(),
            "page=[]".into(),
            "page=null".into(),
            "page=\"x\"".into(),
            "page={\"size\":2".into(),
            "page[size]=0".into(),
            "page[size]=101".into(),
            "page[size]=".into(),
            "page[size]=2.0".into(),
            "page[size]=-1".into(),
            "page[size]=%2B1".into(),
            "page={\"size\":0}".into(),
            "page={\"size\":101}".into(),
            "page={\"size\":2.5}".into(),
            "page={\"size\":[2]}".into(),
            "page={\"after\":7}".into(),
            "page[after]=".into(),
            "page[after]=x".into(),
            format!("page[after]={id}0"),
            format!("page[after]={}g", &id[..23]),
            format!("page[after]={id}&page[before]={id}"),
            format!("page={{\"after\":\"{id}\",\"before\":\"{id}\"}}"),
            format!("page[after]={id}&page={{\"before\":\"{id}\"}}"),
            "page[size]=2&page[size]=3".into(),
            "page={\"size\":2}&page={\"size\":2}".into(),
            "page[size]=%ff".into(),
        ] {
            assert!(cursor(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_filter_is_written_in_two_ways() {
        for text in [
            "filter[userId]=a",
            "filter%5BuserId%5D=a",
            "filter=%7B%22userId%22%3A%20%22a%22%7D",
        ] {
            let query = Query::parse(text).expect("is a query");
            assert_eq!(query.filter("userId").ok(), Some(Some("a")), "{text}");
            assert_eq!(query.filter("types").ok(), Some(None));
        }
        for wrong in ["filter=a", "filter=[]", "filter="] {
            assert!(Query::parse(wrong).is_err(), "{wrong}");
        }
        for wrong in ["filter[types]=", "filter={\"types\":[\"a\"]}"] {
            let query = Query::parse(wrong).expect("is a query");
            assert!(query.filter("types").is_err(), "{wrong}");
        }
    }

    #[test]
    fn links_repeat_what_was_asked_for() {
        let query = Query::parse("filter[userId]=a b&page[size]=2&page={}&x=1").expect("parses");
        let origin = Origin("https://throng.example/sunshine/v2/x".into());
        let link = origin.link(&query, "after", "c", 2);
        assert_eq!(
            link,
            "https://throng.example/sunshine/v2/x?filter%5BuserId%5D=a+b&x=1&page%5Bafter%5D=c&page%5Bsize%5D=2"
        );
    }
}
