//! Clients: a person's addresses on channels, linked to a record, pending until they are confirmed.
//!
//! Invariant: of one integration and address at most one client is linked (active or blocked), and its person is in the
//! channel's set exactly while an active one is theirs; `verify` recomputes that.

use serde::{Deserialize, Serialize};
use sets::Person;

use crate::{
    caller::{Caller, Context, Scope},
    channel::{Channel, Content, Persona},
    cursor::{CursorPage, CursorQuery},
    error::{Error, Result},
    integration::IntegrationKind,
    record::{Record, RecordRef},
    service::Domain,
};

/// Where a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientStatus {
    /// Not confirmed yet.
    Pending,
    Active,
    /// The person wants nothing more on it.
    Blocked,
    /// Its integration is gone.
    Inactive,
}

/// What makes a pending client active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confirmation {
    /// The channel accepts what is sent.
    Immediate,
    /// The person writes from the address.
    UserActivity,
    /// The person is asked and says yes.
    Prompt,
}

/// A client as it may be shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    pub id: i64,
    /// Whose it is.
    pub record: i64,
    pub person: Person,
    pub channel: Channel,
    pub status: ClientStatus,
    /// Nothing for `sdk`.
    pub integration: Option<i64>,
    /// An e-mail address or a phone number (E.164). Nothing for `sdk`.
    pub address: Option<String>,
    /// How it is called on the channel.
    pub display_name: Option<String>,
    pub avatar_url: Option<String>,
    /// What the channel says of it, as JSON objects.
    pub info: Option<String>,
    pub raw: Option<String>,
    /// Milliseconds since the Unix epoch.
    pub last_seen: Option<i64>,
    pub linked_at: Option<i64>,
    pub created: i64,
}

/// Who somebody is goes into no log.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({}, {:?}, ***)", self.id, self.status)
    }
}

/// A client to be linked.
#[derive(Clone)]
pub struct ClientNew {
    /// Of which kind the integration has to be.
    pub kind: IntegrationKind,
    pub integration: i64,
    pub address: String,
    /// Of the mail that asks; `{appName}` in it is the workspace's name.
    pub subject: Option<String>,
    /// Whether it becomes the first of the participant's clients in the conversation.
    pub primary: bool,
    pub confirmation: Confirmation,
    /// Without one, nothing is sent unless the person has to be asked, which then has words of our own.
    pub message: Option<(Persona, Content)>,
    pub conversation: i64,
}

impl std::fmt::Debug for ClientNew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClientNew({}, ***)", self.kind.as_str())
    }
}

/// Why a client was added, changed or removed, as events say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientReason {
    /// Added: a link was asked for; a program signed in.
    Linking,
    SignIn,
    /// Changed: the channel took the message; the link is confirmed; the person wants nothing more, or wants it again.
    Matched,
    Confirmed,
    Blocked,
    Unblocked,
    /// Removed: by a caller; the person said no; the channel could not; the program signed out; another's link took over.
    Api,
    Cancelled,
    Failed,
    SignOut,
    Theft,
}

impl ClientStatus {
    pub fn as_str(self) -> &'static str {
        match self {
            ClientStatus::Pending => "pending",
            ClientStatus::Active => "active",
            ClientStatus::Blocked => "blocked",
            ClientStatus::Inactive => "inactive",
        }
    }
}

/// For everything about clients and conversations: it concerns people of the whole workspace.
pub(crate) fn need(caller: &Caller) -> Result<()> {
    caller.need(Scope::Channels)?;
    caller.need_every_structure()
}

pub(crate) fn integration_gone(
    _tx: &mut store::Tx<'_, '_>,
    _sealer: &store::Sealer,
    _integration: i64,
) -> Result<()> {
    Ok(())
}

impl Domain {
    /// Links an address to a record: the client is pending, and what asks for its confirmation is queued by the same
    /// command. A pending link of the same record and address is replaced; a linked one is answered as it is. Needs the scope
    /// channels and every structure.
    pub async fn client_create(
        &self,
        _context: &Context,
        _source: &str,
        _record: RecordRef,
        _new: ClientNew,
    ) -> Result<Client> {
        Err(Error::internal("not built"))
    }

    /// The clients of a record, pending ones too. Needs the scope channels and every structure.
    pub async fn client_list(
        &self,
        _caller: &Caller,
        _source: &str,
        _record: RecordRef,
        _page: &CursorQuery,
    ) -> Result<CursorPage<Client>> {
        Err(Error::internal("not built"))
    }

    /// Removes a client, from every conversation too. One of `sdk` cannot be removed (*conflict*). Needs the scope channels
    /// and every structure.
    pub async fn client_remove(
        &self,
        _context: &Context,
        _source: &str,
        _record: RecordRef,
        _id: i64,
    ) -> Result<()> {
        Err(Error::internal("not built"))
    }

    /// A program of the person's own signs in: makes the record of this reference where there is none, and its client of
    /// `device` (the program's own id, 1 to 128 characters), which is active at once.
    pub async fn client_sign_in(
        &self,
        _context: &Context,
        _source: &str,
        _reference: &str,
        _device: &str,
        _info: Option<String>,
    ) -> Result<(Record, Client)> {
        Err(Error::internal("not built"))
    }

    /// Removes the client that signed in with this device.
    pub async fn client_sign_out(
        &self,
        _context: &Context,
        _source: &str,
        _reference: &str,
        _device: &str,
    ) -> Result<()> {
        Err(Error::internal("not built"))
    }

    /// Blanks what is known of who somebody is: names, address and what else the source keeps of the record, and of its
    /// clients how they are called and what the channel says. What was said stays. Needs the scope people:write.
    pub async fn record_forget(
        &self,
        _context: &Context,
        _source: &str,
        _record: RecordRef,
    ) -> Result<Record> {
        Err(Error::internal("not built"))
    }

    /// How many people have an active client of each channel. Needs the scope audiences:read and every structure.
    pub async fn channel_counts(&self, _caller: &Caller) -> Result<Vec<(Channel, u64)>> {
        Err(Error::internal("not built"))
    }
}
