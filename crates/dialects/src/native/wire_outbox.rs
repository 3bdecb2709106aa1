//! The bodies of the outbox's operations.

use domain::{MailText, OutboxView, rfc3339};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// The filters of the outbox, for the OpenAPI document; [`super::page::PageQuery`] reads them.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes, is never made")]
pub(crate) struct OutboxParams {
    /// Only items of this state: `queued`, `sent` or `dead`.
    #[param(example = "dead")]
    state: Option<String>,
    /// Only items older than the one with this id.
    #[param(example = 17)]
    before: Option<i64>,
}

/// Something that has to leave the server.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutboxItem {
    #[schema(example = 17)]
    pub id: i64,
    /// By what it leaves: `mail`, `webhook` or `channel`.
    #[schema(example = "mail")]
    pub kind: String,
    /// What it is about: a mail's template, a webhook's event, through a channel `confirmation` or `message`. Null once it was sent, since what it said is then forgotten.
    #[schema(example = "invite")]
    pub template: Option<String>,
    /// An address, a phone number, or the host of a webhook's URL. Null once it was sent.
    #[schema(example = "ann@example.org")]
    pub recipient: Option<String>,
    /// `queued`, `sent`, or `dead`: given up after a refusal or too many attempts.
    #[schema(example = "queued")]
    pub state: String,
    /// Attempts begun.
    #[schema(example = 1)]
    pub attempts: i64,
    /// Null where there will be none.
    #[schema(format = DateTime)]
    pub next_attempt: Option<String>,
    #[schema(format = DateTime)]
    pub created: String,
    /// When it was sent or given up.
    #[schema(format = DateTime)]
    pub finished: Option<String>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

impl From<OutboxView> for OutboxItem {
    fn from(view: OutboxView) -> OutboxItem {
        OutboxItem {
            id: view.id,
            kind: view.kind,
            template: view.template,
            recipient: view.recipient,
            state: view.state,
            attempts: view.attempts,
            next_attempt: view.next_attempt.map(rfc3339),
            created: rfc3339(view.created),
            finished: view.finished.map(rfc3339),
            last_error: view.last_error,
        }
    }
}

/// An item with what it says; its links are as good as passwords, so it is not `Debug`.
#[derive(Serialize, ToSchema)]
pub(crate) struct OutboxDetail {
    #[serde(flatten)]
    pub item: OutboxItem,
    /// Of a mail. Null once it was sent, as are the next two.
    #[schema(example = "Choose a new password")]
    pub subject: Option<String>,
    pub text: Option<String>,
    pub html: Option<String>,
}

impl From<domain::OutboxDetail> for OutboxDetail {
    fn from(detail: domain::OutboxDetail) -> OutboxDetail {
        let (subject, text, html) = match detail.text {
            Some(MailText {
                subject,
                text,
                html,
            }) => (Some(subject), Some(text), Some(html)),
            None => (None, None, None),
        };
        OutboxDetail {
            item: detail.item.into(),
            subject,
            text,
            html,
        }
    }
}
