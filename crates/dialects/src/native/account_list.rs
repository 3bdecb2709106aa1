//! What a list of accounts is asked for: words, permissions, an order, and a part of the list by offset, since an order by
//! name has no key to go on from.

use axum::http::header;
use domain::{
    AccountPage, AccountQuery, Filter, Permission, Permissions, Sort, SortBy, limits::ACCOUNTS_MAX,
};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    call::{Answer, Call, ok},
    page::{self, LIMIT_DEFAULT},
    problem::Problem,
    wire_accounts::Account,
};

/// The query parameters of a list of accounts, for the OpenAPI document; [`query`] reads them.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes, is never made")]
pub(crate) struct AccountParams {
    /// Words that must all stand in user name, names or e-mail address, in any letter case.
    #[param(max_length = 200, example = "ann example")]
    search: Option<String>,
    /// Only accounts that have all of these permissions themselves, separated by commas.
    #[param(example = "edit_page,audience:r")]
    permissions: Option<String>,
    /// Only accounts that have all of these permissions themselves or by a group, separated by commas.
    #[param(example = "audience:r")]
    all_permissions: Option<String>,
    /// By what to sort, separated by commas: `username`, `first_name`, `last_name` or `last_seen`; with `-` before it
    /// from last to first.
    #[param(default = "username", example = "last_name,-last_seen")]
    sort: Option<String>,
    /// Items of a page.
    #[param(minimum = 1, maximum = 1_000, default = 100)]
    limit: Option<u32>,
    /// How many to leave out before the page.
    #[param(maximum = 1_000_000, default = 0)]
    offset: Option<u32>,
}

const PARAMETERS: [&str; 6] = [
    "search",
    "permissions",
    "all_permissions",
    "sort",
    "limit",
    "offset",
];

/// A part of a list of accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Accounts {
    pub items: Vec<Account>,
    /// How long the whole list is.
    #[schema(example = 12)]
    pub total: u64,
}

/// Reads the query of a list of accounts.
pub(crate) fn query(call: &Call) -> Result<AccountQuery, Problem> {
    let mut query = AccountQuery {
        search: String::new(),
        filter: Filter::default(),
        sort: Vec::new(),
        offset: 0,
        limit: LIMIT_DEFAULT,
    };
    for (name, value) in page::pairs(call, &PARAMETERS)? {
        match name.as_str() {
            "search" => query.search = value,
            "permissions" => query.filter.permissions = listed("permissions", &value)?,
            "all_permissions" => query.filter.all_permissions = listed("all_permissions", &value)?,
            "sort" => query.sort = value.split(',').map(sort).collect::<Result<_, _>>()?,
            "limit" => query.limit = page::limit(&value)?,
            _ => query.offset = offset(&value)?,
        }
    }
    Ok(query)
}

/// Permissions of words as `edit_page` or `audience:r`; `field` is named where one is not known.
pub(crate) fn permissions<'a>(
    field: &'static str,
    mut words: impl Iterator<Item = &'a str>,
) -> Result<Permissions, Problem> {
    words.try_fold(Permissions::NONE, |all, word| {
        let known = Permission::parse(word).ok_or_else(|| {
            let word: String = word.chars().take(64).collect();
            let text = format!(
                "There is no permission {word:?}. They are words as edit_page, or a resource and an action as audience:r."
            );
            Problem::invalid(field, "unknown", text)
        })?;
        Ok(all.with(known))
    })
}

fn listed(field: &'static str, text: &str) -> Result<Permissions, Problem> {
    permissions(field, text.split(',').map(str::trim))
}

fn sort(key: &str) -> Result<Sort, Problem> {
    let key = key.trim();
    let (key, descending) = match key.strip_prefix('-') {
        Some(key) => (key, true),
        None => (key, false),
    };
    let by = match key {
        "username" => SortBy::Username,
        "first_name" => SortBy::FirstName,
        "last_name" => SortBy::LastName,
        "last_seen" => SortBy::LastSeen,
        _ => {
            let text = "Sort by username, first_name, last_name or last_seen, with - before it from last to first.";
            return Err(Problem::invalid("sort", "unknown", text));
        }
    };
    Ok(Sort { by, descending })
}

fn offset(text: &str) -> Result<usize, Problem> {
    let offset = page::digits(text).filter(|offset| *offset <= ACCOUNTS_MAX as i64);
    let offset = offset.and_then(|offset| usize::try_from(offset).ok());
    offset.ok_or_else(|| {
        let text = format!("The offset must be a number from 0 to {ACCOUNTS_MAX}.");
        Problem::invalid("offset", "out_of_range", text)
    })
}

/// Renders a part of the list, with a Link to the next (RFC 8288) where there is one.
pub(crate) fn answer(call: &Call, offset: usize, page: AccountPage) -> Answer {
    let end = offset + page.accounts.len();
    let more = !page.accounts.is_empty() && (end as u64) < page.total;
    let mut response = ok(&Accounts {
        total: page.total,
        items: page.accounts.into_iter().map(Account::from).collect(),
    })?;
    if more {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let asked = form_urlencoded::parse(call.query().as_bytes());
        query.extend_pairs(asked.filter(|(name, _)| name != "offset"));
        let query = query.append_pair("offset", &end.to_string()).finish();
        if let Ok(link) = format!("<?{query}>; rel=\"next\"").parse() {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}
