//! Clients: a person's addresses on channels, linked to a record, pending until they are confirmed.
//!
//! Invariant: of one integration and address at most one client is linked (active or blocked), and its person is in the
//! channel's set exactly while an active one is theirs; `verify` recomputes that.

use serde::{Deserialize, Serialize};
use sets::Person;
use store::{ClientRow, RecordRow, Sealer, Sql, Tx, Verdict};

use crate::{
    batch::Batch,
    caller::{Caller, Context, Scope},
    channel::{Channel, Content, Persona},
    channel_send::{self, Ask, Parcel},
    client_link::{self, Detail},
    cursor::{CursorPage, CursorQuery},
    error::{Error, Field, Result},
    event::EventKind,
    identifier::Kind,
    integration::IntegrationKind,
    limits, message,
    record::{self, RecordRef},
    service::Domain,
};

const NOUN: &str = "client";

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

    pub(crate) fn of(row: &ClientRow) -> Result<ClientStatus> {
        [
            ClientStatus::Pending,
            ClientStatus::Active,
            ClientStatus::Blocked,
            ClientStatus::Inactive,
        ]
        .into_iter()
        .find(|status| status.as_str() == row.status)
        .ok_or_else(|| Error::internal(format!("a client is {:?}", row.status)))
    }
}

impl Confirmation {
    pub fn as_str(self) -> &'static str {
        match self {
            Confirmation::Immediate => "immediate",
            Confirmation::UserActivity => "user_activity",
            Confirmation::Prompt => "prompt",
        }
    }
}

/// A client with what is sealed of it.
pub(crate) fn of_row(sealer: &Sealer, workspace: i64, row: &ClientRow) -> Result<Client> {
    let detail = Detail::open(sealer, workspace, row)?;
    let channel = Channel::parse(&row.kind)
        .ok_or_else(|| Error::internal(format!("a client on {:?}", row.kind)))?;
    Ok(Client {
        id: row.id,
        record: row.record,
        person: row.person,
        channel,
        status: ClientStatus::of(row)?,
        integration: row.integration,
        address: detail.address,
        display_name: detail.display_name,
        avatar_url: detail.avatar_url,
        info: detail.info,
        raw: detail.raw,
        last_seen: row.last_seen,
        linked_at: row.linked_at,
        created: row.created,
    })
}

/// For everything about clients and conversations: it concerns people of the whole workspace.
pub(crate) fn need(caller: &Caller) -> Result<()> {
    caller.need(Scope::Channels)?;
    caller.need_every_structure()
}

fn named(sql: &mut dyn Sql, source: &str, record: &RecordRef) -> Result<RecordRow> {
    record::lookup(sql, source, record)?.ok_or(Error::NotFound("record"))
}

fn subject(text: Option<String>) -> Result<Option<String>> {
    let Some(text) = text else { return Ok(None) };
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if text.chars().count() > limits::SUBJECT_CHARS_MAX || text.chars().any(char::is_control) {
        let say = format!(
            "A subject is at most {} characters without control characters.",
            limits::SUBJECT_CHARS_MAX
        );
        return Err(Error::invalid("subject", "malformed", say));
    }
    Ok(Some(text.to_owned()))
}

/// A link as the command makes it: everything that could be checked before it.
struct Link {
    source: String,
    record: RecordRef,
    new: ClientNew,
    channel: Channel,
    address: String,
    address_key: Vec<u8>,
    subject: Option<String>,
    expires: i64,
}

impl Link {
    /// The integration's row is asked for its kind only.
    fn may_link(&self, tx: &mut Tx<'_, '_>, record: i64) -> Result<()> {
        if store::participant_of(tx, self.new.conversation, record)?.is_none() {
            let conversation = store::conversation_get(tx, self.new.conversation)?;
            if conversation.is_none_or(|found| found.source != self.source) {
                return Err(Error::NotFound("conversation"));
            }
            let text = "This person takes no part in the conversation.";
            return Err(Error::invalid("conversation", "not_in_it", text));
        }
        let integration = store::integration_get(tx, self.new.integration)?;
        let integration = integration.ok_or(Error::NotFound("integration"))?;
        if integration.kind != self.new.kind.as_str() {
            let text = format!(
                "The integration is of the type {}, not {}.",
                integration.kind,
                self.new.kind.as_str()
            );
            return Err(Error::invalid("integration", "other_type", text));
        }
        Ok(())
    }

    fn make(&self, tx: &mut Tx<'_, '_>, sealer: &Sealer) -> Result<ClientRow> {
        let record = named(tx, &self.source, &self.record)?;
        self.may_link(tx, record.id)?;
        let limit = limits::ADDRESS_CLIENTS_MAX as i64;
        let there = store::clients_at(tx, self.new.integration, &self.address_key, limit)?;
        if there.len() >= limits::ADDRESS_CLIENTS_MAX {
            return Err(too_many("This address waits for as many links as one may."));
        }
        for row in there.iter().filter(|row| row.record == record.id) {
            match ClientStatus::of(row)? {
                ClientStatus::Active | ClientStatus::Blocked => return Ok(row.clone()),
                ClientStatus::Pending | ClientStatus::Inactive => {
                    client_link::remove(tx, sealer, &record, row, ClientReason::Api, None)?;
                }
            }
        }
        has_room(tx, record.id)?;
        let (workspace, now, id) = (tx.workspace(), tx.meta().time, tx.next_id());
        let detail = Detail {
            address: Some(self.address.clone()),
            ..Detail::default()
        };
        let row = ClientRow {
            id,
            record: record.id,
            person: record.person,
            kind: self.channel.as_str().to_owned(),
            integration: Some(self.new.integration),
            address_key: Some(self.address_key.clone()),
            detail: detail.seal(sealer, workspace, id)?,
            status: ClientStatus::Pending.as_str().to_owned(),
            confirmation: Some(self.new.confirmation.as_str().to_owned()),
            conversation: Some(self.new.conversation),
            primary: self.new.primary,
            last_seen: None,
            linked_at: None,
            expires: Some(self.expires),
            created: now,
            updated: now,
        };
        store::client_insert(tx, &row)?;
        self.ask(tx, sealer, &row)?;
        let (kind, reason) = (EventKind::ClientAdded, ClientReason::Linking);
        client_link::tell(tx, sealer, kind, &record, &row, reason, None)?;
        let detail = format!("channel={}", row.kind);
        store::activity_insert(tx, Some(row.id), &detail)?;
        Ok(row)
    }

    /// Queues what asks for the confirmation. Where the person has to write of their own accord and nothing is to be said
    /// to them, there is nothing to send.
    fn ask(&self, tx: &mut Tx<'_, '_>, sealer: &Sealer, row: &ClientRow) -> Result<()> {
        let ask = match self.new.confirmation {
            Confirmation::UserActivity if self.new.message.is_none() => return Ok(()),
            Confirmation::Prompt => Ask::Question,
            Confirmation::Immediate | Confirmation::UserActivity => Ask::Nothing,
        };
        let (persona, content) = self.new.message.clone().unzip();
        let parcel = Parcel {
            client: row.id,
            integration: self.new.integration,
            kind: self.new.kind,
            to: self.address.clone(),
            subject: self.subject.clone(),
            persona: persona.unwrap_or_default(),
            content,
            ask,
            message: None,
        };
        channel_send::queue(tx, sealer, &parcel)
    }
}

fn too_many(text: &str) -> Error {
    Error::TooLarge(Field {
        name: NOUN,
        code: "too_many",
        text: text.to_owned(),
    })
}

/// Fails where a record has as many clients as it may.
pub(crate) fn has_room(tx: &mut Tx<'_, '_>, record: i64) -> Result<()> {
    if store::clients_count(tx, record)? < limits::CLIENTS_MAX as u64 {
        return Ok(());
    }
    let text = format!("One person has at most {} clients.", limits::CLIENTS_MAX);
    Err(too_many(&text))
}

impl Domain {
    /// What an address of a channel is found by, and its person.
    pub(crate) async fn address_batch(
        &self,
        workspace: i64,
        channel: Channel,
        address: &str,
    ) -> Result<Batch> {
        let kind = match channel.has_phone_numbers() {
            true => Kind::Phone,
            false => Kind::Email,
        };
        let mut batch = self.batch(&Caller::server(workspace), 1).await?;
        batch
            .identifier(kind, "", address)
            .map_err(|invalid| Error::invalid("address", "malformed", invalid.0))?;
        Ok(batch.finish())
    }

    /// Links an address to a record: the client is pending, and what asks for its confirmation is queued by the same
    /// command. A pending link of the same record and address is replaced; a linked one is answered as it is. Needs the scope
    /// channels and every structure.
    pub async fn client_create(
        &self,
        context: &Context,
        source: &str,
        record: RecordRef,
        new: ClientNew,
    ) -> Result<Client> {
        need(&context.caller)?;
        let channel = new.kind.channel().ok_or_else(|| {
            let text = "Nobody is linked through an integration of this type.";
            Error::invalid("kind", "no_channel", text)
        })?;
        if let Some((persona, content)) = &new.message {
            message::check_persona(persona)?;
            content.check(Some(channel))?;
        }
        let workspace = context.caller.workspace;
        let address = channel.address(&new.address)?;
        let batch = self.address_batch(workspace, channel, &address).await?;
        let link = Link {
            source: source.to_owned(),
            record,
            channel,
            address_key: client_link::address_key(&batch),
            address,
            subject: subject(new.subject.clone())?,
            expires: self.now_ms() + self.pending_life_ms(),
            new,
        };
        let sealer = self.store().sealer().clone();
        self.command(context, "client_create", 1, move |tx| {
            let row = link.make(tx, &sealer)?;
            of_row(&sealer, workspace, &row).map(Verdict::Done)
        })
        .await
    }

    /// The clients of a record, pending ones too. Needs the scope channels and every structure.
    pub async fn client_list(
        &self,
        caller: &Caller,
        source: &str,
        record: RecordRef,
        page: &CursorQuery,
    ) -> Result<CursorPage<Client>> {
        need(caller)?;
        let (workspace, slice, page) = (caller.workspace, page.slice()?, *page);
        let (source, sealer) = (source.to_owned(), self.store().sealer().clone());
        self.store()
            .read(workspace, move |read| {
                let record = named(read, &source, &record)?.id;
                let rows = store::clients_page(read, record, slice)?;
                let clients = rows.iter().map(|row| of_row(&sealer, workspace, row));
                Ok(page.page(clients.collect::<Result<_>>()?))
            })
            .await
    }

    /// Removes a client, from every conversation too. One of `sdk` cannot be removed (*conflict*). Needs the scope channels
    /// and every structure.
    pub async fn client_remove(
        &self,
        context: &Context,
        source: &str,
        record: RecordRef,
        id: i64,
    ) -> Result<()> {
        need(&context.caller)?;
        let (source, sealer) = (source.to_owned(), self.store().sealer().clone());
        self.command(context, "client_remove", 1, move |tx| {
            let record = named(tx, &source, &record)?;
            let row = store::client_get(tx, id)?.filter(|row| row.record == record.id);
            let row = row.ok_or(Error::NotFound(NOUN))?;
            if row.kind == Channel::Sdk.as_str() {
                return Err(Error::Conflict(
                    "A client that signed in by itself cannot be removed: it signs out.",
                ));
            }
            client_link::remove(tx, &sealer, &record, &row, ClientReason::Api, None)?;
            store::activity_insert(tx, Some(id), "")?;
            Ok(Verdict::Done(()))
        })
        .await
    }

    /// How many people have an active client of each channel. Needs the scope audiences:read and every structure.
    pub async fn channel_counts(&self, caller: &Caller) -> Result<Vec<(Channel, u64)>> {
        caller.need(Scope::AudiencesRead)?;
        caller.need_every_structure()?;
        self.store()
            .read(caller.workspace, |read| {
                let counts = Channel::ALL.map(|channel| (channel, read.set_len(channel.set())));
                Ok(counts.to_vec())
            })
            .await
    }
}
