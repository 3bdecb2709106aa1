//! What is kept of an account beside itself: the bodies of its sessions, its ledger and its consents.

use domain::{Money, rfc3339};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// A session: what an account got by signing in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    #[schema(example = 77)]
    pub id: i64,
    /// The protocol in which it was begun.
    #[schema(example = "a2")]
    pub dialect: String,
    #[schema(format = DateTime)]
    pub created: String,
    /// Written about once a minute.
    #[schema(format = DateTime)]
    pub last_seen: String,
    #[schema(format = DateTime)]
    pub expires: String,
}

impl From<domain::Session> for Session {
    fn from(session: domain::Session) -> Session {
        Session {
            id: session.id,
            dialect: session.dialect,
            created: rfc3339(session.created),
            last_seen: rfc3339(session.last_seen),
            expires: rfc3339(session.expires),
        }
    }
}

/// The filter of the ledger, for the OpenAPI document; [`super::page::PageQuery`] reads it.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes, is never made")]
pub(crate) struct BeforeParams {
    /// Only entries older than the one with this id.
    #[param(example = 17)]
    before: Option<i64>,
}

/// A change of an account's budget or credit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LedgerEntry {
    #[schema(example = 17)]
    pub id: i64,
    #[schema(format = DateTime)]
    pub time: String,
    /// The id of the account or credential that made it; null is the server itself.
    pub actor: Option<i64>,
    /// `budget` or `credit`.
    #[schema(example = "budget")]
    pub kind: String,
    #[schema(example = -20.5)]
    pub difference: f64,
    /// What there was after it.
    #[schema(example = 100.0)]
    pub balance: f64,
    #[schema(example = "Campaign in May")]
    pub reason: String,
}

impl From<domain::LedgerEntry> for LedgerEntry {
    fn from(entry: domain::LedgerEntry) -> LedgerEntry {
        LedgerEntry {
            id: entry.id,
            time: rfc3339(entry.time),
            actor: (entry.actor != 0).then_some(entry.actor),
            kind: entry.kind,
            difference: Money::from_thousandths(entry.difference).to_f64(),
            balance: Money::from_thousandths(entry.balance).to_f64(),
            reason: entry.reason,
        }
    }
}

/// What an account said about a version of the privacy policy.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Consent {
    #[schema(example = 9)]
    pub id: i64,
    #[schema(example = "2026-01")]
    pub version: String,
    pub agreed: bool,
    /// Where it was given, as the caller wrote it.
    #[schema(example = "web")]
    pub channel: Option<String>,
    /// When it was given, as the caller wrote it.
    pub consented: Option<String>,
    #[schema(format = DateTime)]
    pub created: String,
    #[schema(format = DateTime)]
    pub updated: String,
}

impl From<domain::Consent> for Consent {
    fn from(consent: domain::Consent) -> Consent {
        Consent {
            id: consent.id,
            version: consent.version,
            agreed: consent.agreed,
            channel: consent.channel,
            consented: consent.consented,
            created: rfc3339(consent.created),
            updated: rfc3339(consent.updated),
        }
    }
}
