//! All users in one file, streamed page by page: CSV, or JSON for a client that takes nothing else.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use domain::{AccountView, Caller, Denied, Domain, Error, Permission};
use futures_util::stream::try_unfold;

use super::{
    call::{Answer, Call},
    csv,
    error::Problem,
    json::invalid,
    map,
    query::Query,
};
use crate::csv::{Csv, Form};

pub async fn users(call: Call) -> Answer {
    let csv = csv_of(&call.query)?;
    may_see_subdomains(&call)?;
    let sheet = if takes_json_only(&call.parts.headers) {
        Sheet::Json
    } else {
        Sheet::Csv(csv)
    };
    // The first page is read before the answer begins, so that what fails at once is a refusal in the vendor's shape.
    let first = call.domain.account_export(call.caller(), 0).await?;
    let export = Export {
        domain: call.domain,
        request_id: call.context.request_id,
        caller: call.context.caller,
        sheet,
        pages: 0,
    };
    Ok(answer(export, first))
}

fn csv_of(query: &Query) -> Result<Form, Problem> {
    let delimiter = csv::delimiter(query.first("delimiter").unwrap_or(","));
    let delimiter = delimiter.ok_or_else(|| {
        let text = "This must be exactly one character that neither quotes a cell nor ends a line.";
        invalid("delimiter", "malformed", text)
    })?;
    let raw = match query.first("raw").unwrap_or("false") {
        "true" => true,
        "false" => false,
        _ => return Err(invalid("raw", "malformed", "This must be true or false.").into()),
    };
    Ok(Form { delimiter, raw })
}

/// There are no subdomains here, so none are added; who may not see them is told so all the same, as the vendor does.
fn may_see_subdomains(call: &Call) -> Result<(), Error> {
    let asked = call
        .query
        .first("subdomains")
        .is_some_and(|subdomains| !subdomains.is_empty());
    let may = Permission::parse("manage_subdomains")
        .is_some_and(|permission| call.caller().permissions.has(permission));
    if asked && !may {
        return Err(Error::Forbidden(Denied::Permission));
    }
    Ok(())
}

/// The generated clients accept JSON alone here and expect users; everybody else gets the file.
fn takes_json_only(headers: &HeaderMap) -> bool {
    let mut ranges = headers
        .get_all(header::ACCEPT)
        .iter()
        .flat_map(|accept| accept.to_str().unwrap_or("*/*").split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .filter(|range| !range.is_empty())
        .peekable();
    ranges.peek().is_some() && ranges.all(|range| range.eq_ignore_ascii_case("application/json"))
}

#[derive(Debug, Clone, Copy)]
enum Sheet {
    Csv(Form),
    Json,
}

/// An export under way. It holds one page at a time, and nothing while its reader pauses.
#[derive(Debug)]
struct Export {
    domain: Domain,
    caller: Caller,
    request_id: String,
    sheet: Sheet,
    pages: usize,
}

/// What is to be sent next.
enum Next {
    Page(Vec<AccountView>),
    After(i64),
    Nothing,
}

fn answer(export: Export, first: Vec<AccountView>) -> Response {
    let kind = match export.sheet {
        Sheet::Csv(_) => "text/csv; charset=utf-8",
        Sheet::Json => "application/json",
    };
    let is_file = matches!(export.sheet, Sheet::Csv(_));
    let pages = try_unfold((export, Next::Page(first)), |(mut export, next)| async {
        let page = match next {
            Next::Nothing => return Ok(None),
            Next::Page(page) => page,
            Next::After(id) => export.read(id).await?,
        };
        let full = page.len() >= domain::limits::PAGE_ITEMS_MAX;
        let next = match page.last() {
            Some(last) if full => Next::After(last.account.id),
            _ => Next::Nothing,
        };
        let text = export.write(&page, matches!(next, Next::Nothing));
        Ok::<_, Error>(Some((text, (export, next))))
    });
    let mut response = Body::from_stream(pages).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if is_file {
        let name = HeaderValue::from_static("attachment; filename=\"users.csv\"");
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    response
}

impl Export {
    /// Where this fails the connection breaks: a part of a file must not look like the whole.
    async fn read(&self, after: i64) -> Result<Vec<AccountView>, Error> {
        let page = self.domain.account_export(&self.caller, after).await;
        page.inspect_err(|error| {
            let (request_id, context) = (&self.request_id, error.context());
            tracing::warn!(request_id, context, "an export broke off");
        })
    }

    fn write(&mut self, page: &[AccountView], last: bool) -> Bytes {
        let first = self.pages == 0;
        self.pages += 1;
        match self.sheet {
            Sheet::Csv(form) => {
                let mut file = Csv::new(form);
                if first {
                    csv::header(&mut file);
                }
                for view in page {
                    csv::user(&mut file, form, view);
                }
                file.take()
            }
            Sheet::Json => {
                let mut text = String::new();
                text.push_str(if first { "[" } else { "" });
                for (index, view) in page.iter().enumerate() {
                    text.push_str(if first && index == 0 { "" } else { "," });
                    // No model here has what JSON cannot say.
                    text.push_str(&serde_json::to_string(&map::listed(view)).unwrap_or_default());
                }
                text.push_str(if last { "]" } else { "" });
                Bytes::from(text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_who_takes_nothing_else() {
        let only = |accepts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for accept in accepts {
                headers.append(header::ACCEPT, HeaderValue::from_static(accept));
            }
            takes_json_only(&headers)
        };
        for json in [
            &["application/json"][..],
            &["Application/JSON; charset=utf-8"],
            &["application/json;q=0.9,"],
        ] {
            assert!(only(json), "{json:?}");
        }
        for csv in [
            &[][..],
            &[""],
            &["*/*"],
            &["text/csv"],
            &["application/json, */*"],
            &["application/json", "text/csv"],
            &["application/*"],
        ] {
            assert!(!only(csv), "{csv:?}");
        }
    }
}
