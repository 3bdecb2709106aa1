//! Lists a page at a time, by key: `?limit=` and `?after=`, answered with the items and where the next page begins.

use axum::{http::header, response::Response};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    call::{Answer, Call, ok},
    problem::Problem,
};

/// Items of a page where the request names no limit.
pub(crate) const LIMIT_DEFAULT: usize = 100;
/// Items of a page at most.
const LIMIT_MAX: usize = domain::limits::PAGE_ITEMS_MAX;

/// Which page is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageQuery {
    pub limit: usize,
    /// The id of the last item of the page before.
    pub after: Option<i64>,
    /// Only of this structure; for lists that know the parameter.
    pub structure: Option<i64>,
    /// Only what hangs below it; for lists that know the parameter.
    pub parent: Option<Parent>,
    /// Only of this state; for lists that know the parameter.
    pub state: Option<String>,
    /// Only with a smaller id; for lists that know the parameter.
    pub before: Option<i64>,
    /// Only of these kinds; for lists that know the parameter.
    pub kind: Option<String>,
    /// The filters as they were given, for the link to the next page.
    filters: Vec<(String, String)>,
}

/// Below what a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parent {
    /// Below nothing: what owns the others.
    Root,
    Id(i64),
}

/// The query parameters of every list, for the OpenAPI document; [`PageQuery`] reads them.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes, is never made")]
pub(crate) struct PageParams {
    /// Items of a page.
    #[param(minimum = 1, maximum = 1_000, default = 100)]
    limit: Option<u32>,
    /// Where the page begins: the `next` of the page before.
    #[param(example = "MTAw")]
    after: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    pub items: Vec<T>,
    /// Give it as `after` to get the next page; null on the last. A page that happens to end with the last item names
    /// one more, empty page.
    #[schema(example = "MTAw")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A list that is never longer than a page.
    pub(crate) fn whole<V>(values: Vec<V>, body: impl Fn(V) -> T) -> Page<T> {
        Page {
            items: values.into_iter().map(body).collect(),
            next: None,
        }
    }
}

impl PageQuery {
    /// Reads the query of a list; `filters` are the parameters that it knows besides `limit` and `after`.
    pub(crate) fn parse(call: &Call, filters: &[&str]) -> Result<PageQuery, Problem> {
        let mut query = PageQuery {
            limit: LIMIT_DEFAULT,
            after: None,
            structure: None,
            parent: None,
            state: None,
            before: None,
            kind: None,
            filters: Vec::new(),
        };
        let known = [&["limit", "after"], filters].concat();
        for (name, value) in pairs(call, &known)? {
            if filters.contains(&name.as_str()) {
                query.filters.push((name.clone(), value.clone()));
            }
            match name.as_str() {
                "limit" => query.limit = limit(&value)?,
                "after" => query.after = Some(cursor_id(&value)?),
                "parent" => query.parent = Some(parent(&value)?),
                "structure" => query.structure = Some(structure(&value)?),
                "state" => query.state = Some(value),
                "kind" => query.kind = Some(value),
                _ => query.before = Some(before(&value)?),
            }
        }
        Ok(query)
    }

    /// Of a list whose pages are smaller: a longer one is cut, and `next` leads on.
    pub(crate) fn at_most(mut self, limit: usize) -> PageQuery {
        self.limit = self.limit.min(limit);
        self
    }

    /// Renders a page; `id` gives what the list is ordered by.
    pub(crate) fn answer<V, T: Serialize>(
        &self,
        values: Vec<V>,
        id: impl Fn(&V) -> i64,
        body: impl Fn(V) -> T,
    ) -> Answer {
        let last = values.last().filter(|_| values.len() >= self.limit);
        let next = last.map(|last| cursor(id(last)));
        let items = values.into_iter().map(body).collect();
        let page = Page { items, next };
        let mut response = ok(&page)?;
        if let Some(next) = &page.next {
            link(self.limit, next, &self.filters, &mut response);
        }
        Ok(response)
    }
}

/// Says in a Link where the next page begins (RFC 8288). The reference is only a query, so that it holds whatever mount the
/// list was asked through.
pub(crate) fn link(
    limit: usize,
    next: &str,
    filters: &[(String, String)],
    response: &mut Response,
) {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &limit.to_string());
    query.append_pair("after", next);
    let query = query.extend_pairs(filters).finish();
    if let Ok(link) = format!("<?{query}>; rel=\"next\"").parse() {
        response.headers_mut().insert(header::LINK, link);
    }
}

/// The parameters of a query, each of which may be given once. An unknown one is refused: a filter with a typing error
/// would list too much.
pub(crate) fn pairs(call: &Call, known: &[&str]) -> Result<Vec<(String, String)>, Problem> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(call.query().as_bytes()) {
        if pairs.iter().any(|(seen, _)| *seen == name) {
            return Err(Problem::invalid(
                name,
                "repeated",
                "A query parameter may be given once.",
            ));
        }
        if !known.contains(&&*name) {
            let known = known.join(", ");
            let detail = format!("The query parameter is not known. The parameters are: {known}.");
            return Err(Problem::invalid(
                name.chars().take(64).collect::<String>(),
                "unknown_parameter",
                detail,
            ));
        }
        pairs.push((name.into_owned(), value.into_owned()));
    }
    Ok(pairs)
}

/// Items of a page, as every list takes it.
pub(crate) fn limit(text: &str) -> Result<usize, Problem> {
    let limit = digits(text).and_then(|limit| usize::try_from(limit).ok());
    limit
        .filter(|limit| (1..=LIMIT_MAX).contains(limit))
        .ok_or_else(|| {
            Problem::invalid(
                "limit",
                "out_of_range",
                format!("The limit must be a number from 1 to {LIMIT_MAX}."),
            )
        })
}

fn structure(text: &str) -> Result<i64, Problem> {
    digits(text)
        .ok_or_else(|| Problem::invalid("structure", "malformed", "The structure must be an id."))
}

fn parent(text: &str) -> Result<Parent, Problem> {
    if text == "root" {
        return Ok(Parent::Root);
    }
    let id = digits(text).map(Parent::Id);
    id.ok_or_else(|| Problem::invalid("parent", "malformed", "The parent must be an id, or root."))
}

fn before(text: &str) -> Result<i64, Problem> {
    digits(text).ok_or_else(|| Problem::invalid("before", "malformed", "It must be an id."))
}

/// A parameter that is `true` or `false`.
pub(crate) fn truth(name: &'static str, text: &str) -> Result<bool, Problem> {
    match text {
        "false" => Ok(false),
        "true" => Ok(true),
        _ => {
            let detail = "It must be true or false.";
            Err(Problem::invalid(name, "malformed", detail))
        }
    }
}

/// The only parameter of a query, which is `true` or `false`; false where it is absent.
pub(crate) fn flag(call: &Call, name: &'static str) -> Result<bool, Problem> {
    let pairs = pairs(call, &[name])?;
    let value = pairs.first().map(|(_, value)| value.as_str());
    truth(name, value.unwrap_or("false"))
}

/// A number without sign or space.
pub(crate) fn digits(text: &str) -> Option<i64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

pub(crate) fn cursor(id: i64) -> String {
    URL_SAFE_NO_PAD.encode(id.to_string())
}

pub(crate) fn cursor_id(text: &str) -> Result<i64, Problem> {
    let id = URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| digits(std::str::from_utf8(&bytes).ok()?));
    id.ok_or_else(|| {
        Problem::invalid(
            "after",
            "malformed",
            "Give the `next` of the page before as it is.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_back_and_others_refused() {
        for id in [1, 99, (1 << 53) - 1] {
            assert_eq!(cursor_id(&cursor(id)), Ok(id));
        }
        for wrong in ["", "1", "_", "LTE", "OTIyMzM3MjAzNjg1NDc3NTgwOA"] {
            assert!(cursor_id(wrong).is_err(), "{wrong}");
        }
    }
}
