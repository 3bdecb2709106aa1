//! Who is in an audience, person by person, on pages or as a file. What is asked by identifier is in [`super::members`].

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::IntoResponse,
};
use domain::{AudienceRef, Caller, Domain, Error, Member, MemberPage, RecordBrief, Window, limits};
use http_body_util::channel::{Channel, Sender};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    audiences::NOUN,
    call::{Answer, Call, ok},
    page::{self, LIMIT_DEFAULT},
    problem::Problem,
    wire_members::Members,
};
use crate::csv::{Csv, Form};

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new()
        .routes(routes!(member_list))
        .routes(routes!(member_export))
}

/// Pages that can be asked for by number: as many as there can be people.
const PAGE_MAX: i64 = u32::MAX as i64;

/// The query parameters of a list of members, for the OpenAPI document; [`Asked`] reads them.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes, is never made")]
struct MemberParams {
    /// Items of a page.
    #[param(minimum = 1, maximum = 1_000, default = 100)]
    limit: Option<u32>,
    /// Where the page begins: the `next` of the page before.
    #[param(example = "MTAw")]
    after: Option<String>,
    /// The page's number from 1, in the place of `after`. Deep in a long list `after` is faster, and misses nobody when
    /// somebody else comes or goes.
    #[param(minimum = 1, example = 3)]
    page: Option<u32>,
    /// `true` lists of a structure only those whom it holds itself, without those of its audiences.
    #[param(default = false)]
    own: Option<bool>,
}

/// The query parameters of an export, for the OpenAPI document; [`page::flag`] reads them.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes, is never made")]
struct ExportParams {
    /// `true` leaves every cell as it is. Otherwise one that a spreadsheet would take for a formula has an apostrophe
    /// before it.
    #[param(default = false)]
    raw: Option<bool>,
}

/// What is asked of a list of members.
struct Asked {
    limit: usize,
    after: Option<u32>,
    page: Option<u64>,
    own: bool,
}

impl Asked {
    fn parse(call: &Call) -> Result<Asked, Problem> {
        let mut asked = Asked {
            limit: LIMIT_DEFAULT,
            after: None,
            page: None,
            own: false,
        };
        for (name, value) in page::pairs(call, &["limit", "after", "page", "own"])? {
            match name.as_str() {
                "limit" => asked.limit = page::limit(&value)?,
                "after" => asked.after = Some(person(&value)?),
                "page" => asked.page = Some(number(&value)?),
                _ => asked.own = page::truth("own", &value)?,
            }
        }
        if asked.after.is_some() && asked.page.is_some() {
            let text = "Give either after or page.";
            return Err(Problem::invalid("page", "ambiguous", text));
        }
        Ok(asked)
    }

    fn window(&self) -> Window {
        match (self.after, self.page) {
            (Some(person), _) => Window::After(person),
            (None, Some(page)) => Window::Offset((page - 1) * self.limit as u64),
            (None, None) => Window::Offset(0),
        }
    }
}

fn person(cursor: &str) -> Result<u32, Problem> {
    let person = page::cursor_id(cursor)?;
    person.try_into().map_err(|_| {
        let text = "Give the `next` of the page before as it is.";
        Problem::invalid("after", "malformed", text)
    })
}

fn number(text: &str) -> Result<u64, Problem> {
    let number = page::digits(text).filter(|number| (1..=PAGE_MAX).contains(number));
    let number = number.and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| {
        let text = format!("The page must be a number from 1 to {PAGE_MAX}.");
        Problem::invalid("page", "out_of_range", text)
    })
}

/// List members
///
/// Everybody in the audience, in order of the person's number; of a structure everybody in its tree. What is known of a
/// person by a record is shown only to who may see it: with the scope `people:read`, or by the key of an account that is
/// one of its managers with `view_people` or `manage_members`. Needs the scope `audiences:read`, or to be such a manager.
#[utoipa::path(get, path = "/api/v1/audiences/{id}/members", tag = "members",
    params(("id" = i64, Path, description = "The audience's or structure's id."), MemberParams),
    responses((status = 200, description = "A page of members.", body = Members)))]
async fn member_list(State(domain): State<Domain>, call: Call) -> Answer {
    let (id, asked) = (AudienceRef::Id(call.id(NOUN)?), Asked::parse(&call)?);
    let found = domain
        .member_page(
            &call.caller,
            id,
            None,
            asked.own,
            asked.window(),
            asked.limit,
        )
        .await?;
    let whole = found.members.len() >= asked.limit;
    let last = found.members.last().filter(|_| whole);
    let next = last.map(|last| page::cursor(last.person.into()));
    let mut response = ok(&Members::new(found, next.clone()))?;
    if let Some(next) = next {
        let own = ("own".to_owned(), "true".to_owned());
        let filters: &[_] = if asked.own { &[own] } else { &[] };
        page::link(asked.limit, &next, filters, &mut response);
    }
    Ok(response)
}

const COLUMNS: [&str; 6] = [
    "person",
    "record",
    "reference",
    "email",
    "first_name",
    "last_name",
];

/// Export the members
///
/// Everybody in the audience as CSV (RFC 4180) with a heading, in order of the person's number. Who comes or goes meanwhile
/// may be in it or not. Needs the same as listing them, and leaves the same out.
#[utoipa::path(get, path = "/api/v1/audiences/{id}/members/export", tag = "members",
    params(("id" = i64, Path, description = "The audience's or structure's id."), ExportParams),
    responses((status = 200, description = "The members.", body = String, content_type = "text/csv")))]
async fn member_export(State(domain): State<Domain>, call: Call) -> Answer {
    let id = call.id(NOUN)?;
    let mut csv = Csv::new(Form {
        delimiter: ',',
        raw: page::flag(&call, "raw")?,
    });
    csv.row(COLUMNS);
    let first = page_of(&domain, &call.caller, id, Window::Offset(0)).await?;
    let (mut sender, body) = Channel::<Bytes, Error>::new(1);
    tokio::spawn(async move {
        if let Err(error) = write(&domain, &call.caller, csv, first, &mut sender).await {
            tracing::warn!(context = error.context(), "an export broke off");
            sender.abort(error);
        }
    });
    let name = format!("attachment; filename=\"audience-{id}.csv\"");
    let headers = [
        (
            header::CONTENT_TYPE,
            "text/csv; charset=utf-8; header=present",
        ),
        (header::CONTENT_DISPOSITION, name.as_str()),
    ];
    Ok((headers, Body::new(body)).into_response())
}

async fn page_of(
    domain: &Domain,
    caller: &Caller,
    id: i64,
    window: Window,
) -> Result<MemberPage, Error> {
    let (id, limit) = (AudienceRef::Id(id), limits::PAGE_ITEMS_MAX);
    domain
        .member_page(caller, id, None, false, window, limit)
        .await
}

/// Writes pages until there is none, or nobody who reads them: as much memory for ten million members as for a thousand.
async fn write(
    domain: &Domain,
    caller: &Caller,
    mut csv: Csv,
    mut page: MemberPage,
    sender: &mut Sender<Bytes, Error>,
) -> Result<(), Error> {
    loop {
        for member in &page.members {
            csv.row(cells(member));
        }
        let gone = sender.send_data(csv.take()).await.is_err();
        let Some(last) = page.members.last().filter(|_| !gone) else {
            return Ok(());
        };
        let window = Window::After(last.person);
        page = page_of(domain, caller, page.audience.id, window).await?;
        if page.members.is_empty() {
            return Ok(());
        }
    }
}

fn cells(member: &Member) -> [String; COLUMNS.len()] {
    let record = member.record.as_ref();
    let text = |text: fn(&RecordBrief) -> &Option<String>| {
        record
            .and_then(|record| text(record).clone())
            .unwrap_or_default()
    };
    [
        member.person.to_string(),
        record
            .map(|record| record.id.to_string())
            .unwrap_or_default(),
        text(|record| &record.reference),
        text(|record| &record.email),
        text(|record| &record.first_name),
        text(|record| &record.last_name),
    ]
}
