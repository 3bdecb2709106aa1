//! All accounts as CSV, written page by page: as much memory for a million accounts as for a thousand.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::IntoResponse,
};
use domain::{AccountView, Caller, Domain, Error, rfc3339};
use http_body_util::channel::{Channel, Sender};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    call::{Answer, Call},
    page,
};
use crate::csv::{Csv, Form};

pub(crate) fn operations() -> OpenApiRouter<Domain> {
    OpenApiRouter::new().routes(routes!(account_export))
}

/// The query parameters of the export, for the OpenAPI document.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes, is never made")]
struct ExportParams {
    /// `true` leaves every cell as it is. Otherwise one that a spreadsheet would take for a formula has an apostrophe
    /// before it.
    #[param(default = false)]
    raw: Option<bool>,
}

const COLUMNS: [&str; 19] = [
    "id",
    "username",
    "email",
    "name",
    "first_name",
    "last_name",
    "role",
    "active",
    "verified",
    "has_password",
    "permissions",
    "groups",
    "providers",
    "budget",
    "credit",
    "created",
    "updated",
    "last_seen",
    "last_sign_in",
];

/// Export the accounts
///
/// All of them as CSV (RFC 4180) with a heading, in order of id; permissions, and groups by their uid, separated by
/// spaces. For administrators.
#[utoipa::path(get, path = "/api/v1/accounts/export", tag = "accounts", params(ExportParams),
    responses((status = 200, description = "The accounts.", body = String, content_type = "text/csv")))]
async fn account_export(State(domain): State<Domain>, call: Call) -> Answer {
    let mut csv = Csv::new(Form {
        delimiter: ',',
        raw: page::flag(&call, "raw")?,
    });
    csv.row(COLUMNS);
    let first = domain.account_export(&call.caller, 0).await?;
    let (mut sender, body) = Channel::<Bytes, Error>::new(1);
    tokio::spawn(async move {
        if let Err(error) = write(&domain, &call.caller, csv, first, &mut sender).await {
            tracing::warn!(context = error.context(), "an export broke off");
            sender.abort(error);
        }
    });
    let headers = [
        (
            header::CONTENT_TYPE,
            "text/csv; charset=utf-8; header=present",
        ),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"accounts.csv\"",
        ),
    ];
    Ok((headers, Body::new(body)).into_response())
}

/// Writes pages until there is none, or nobody who reads them.
async fn write(
    domain: &Domain,
    caller: &Caller,
    mut csv: Csv,
    mut page: Vec<AccountView>,
    sender: &mut Sender<Bytes, Error>,
) -> Result<(), Error> {
    loop {
        for account in &page {
            csv.row(cells(account));
        }
        let gone = sender.send_data(csv.take()).await.is_err();
        let Some(last) = page.last().filter(|_| !gone) else {
            return Ok(());
        };
        page = domain.account_export(caller, last.account.id).await?;
        if page.is_empty() {
            return Ok(());
        }
    }
}

fn cells(view: &AccountView) -> [String; COLUMNS.len()] {
    let account = &view.account;
    let uids: Vec<&str> = view.groups.iter().map(|group| group.uid.as_str()).collect();
    let time = |time: Option<i64>| time.map(rfc3339).unwrap_or_default();
    [
        account.id.to_string(),
        account.username.clone(),
        account.email.clone(),
        account.name.clone().unwrap_or_default(),
        account.first_name.clone(),
        account.last_name.clone(),
        view.role().as_str().to_owned(),
        account.active.to_string(),
        account.verified.to_string(),
        view.has_password.to_string(),
        view.permissions().as_text(),
        uids.join(" "),
        view.providers.join(" "),
        view.budget().to_f64().to_string(),
        view.credit().to_f64().to_string(),
        rfc3339(account.created),
        rfc3339(account.updated),
        time(account.last_seen),
        time(account.last_sign_in),
    ]
}
