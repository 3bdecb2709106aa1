//! Who calls, what they may do, and what every verb is told about the request.

use std::{net::IpAddr, sync::Arc};

use sets::Person;

use crate::{
    account::AccountView,
    error::{Denied, Error, Result},
    limits,
    permission::Permissions,
};

/// What a credential allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// See audiences, counts and whether somebody is a member.
    AudiencesRead,
    /// Make, change, fill and delete audiences.
    AudiencesWrite,
    /// Make, change and delete structures.
    StructuresWrite,
    /// See who people are: their records.
    PeopleRead,
    /// Make, change and delete records of people.
    PeopleWrite,
    /// Have changes told to webhooks.
    Webhooks,
    /// Reach people: their clients, conversations and messages.
    Channels,
    /// Connect and disconnect channels: integrations and the keys of programs that use them.
    Integrations,
    /// Administer the workspace: credentials, conflicts, activity. Includes all above.
    Admin,
    /// Make and list workspaces. Only credentials of the first workspace have it.
    Installation,
}

impl Scope {
    pub const ALL: [Scope; 10] = [
        Scope::AudiencesRead,
        Scope::AudiencesWrite,
        Scope::StructuresWrite,
        Scope::PeopleRead,
        Scope::PeopleWrite,
        Scope::Webhooks,
        Scope::Channels,
        Scope::Integrations,
        Scope::Admin,
        Scope::Installation,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Scope::AudiencesRead => "audiences:read",
            Scope::AudiencesWrite => "audiences:write",
            Scope::StructuresWrite => "structures:write",
            Scope::PeopleRead => "people:read",
            Scope::PeopleWrite => "people:write",
            Scope::Webhooks => "webhooks",
            Scope::Channels => "channels",
            Scope::Integrations => "integrations",
            Scope::Admin => "admin",
            Scope::Installation => "installation",
        }
    }

    pub fn parse(text: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// A set of scopes, written space-separated as in RFC 6749 section 3.3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    pub fn new(scopes: &[Scope]) -> Scopes {
        let mut scopes = scopes.to_vec();
        scopes.sort_unstable();
        scopes.dedup();
        Scopes(scopes)
    }

    pub fn parse(text: &str) -> Result<Scopes> {
        let scopes = text.split_whitespace().map(|word| {
            Scope::parse(word).ok_or_else(|| {
                let known = Scope::ALL.map(Scope::as_str).join(", ");
                Error::invalid(
                    "scopes",
                    "unknown_scope",
                    format!("A scope is not known. The scopes are: {known}."),
                )
            })
        });
        scopes
            .collect::<Result<Vec<_>>>()
            .map(|scopes| Scopes::new(&scopes))
    }

    pub fn has(&self, scope: Scope) -> bool {
        let implied = scope != Scope::Installation && self.0.contains(&Scope::Admin);
        implied || self.0.contains(&scope)
    }

    pub fn as_text(&self) -> String {
        self.0
            .iter()
            .map(|scope| scope.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The structures that a caller may touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Portfolio {
    Every,
    /// Ascending ids.
    Only(Vec<i64>),
}

impl Portfolio {
    pub fn has(&self, structure: i64) -> bool {
        match self {
            Portfolio::Every => true,
            Portfolio::Only(structures) => structures.binary_search(&structure).is_ok(),
        }
    }
}

/// Where a request came in: the bare mount is the default workspace's, `/w/{slug}` names another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mount {
    /// The workspace named by the path or host; nothing on the bare mount, where the credential alone decides.
    pub workspace: Option<i64>,
}

/// A caller whose credential was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub workspace: i64,
    pub credential: i64,
    pub scopes: Scopes,
    pub portfolio: Portfolio,
    /// The account that calls, where it is not a credential without one.
    pub account: Option<i64>,
    /// The integration that the credential belongs to: of webhooks it sees only that one's.
    pub integration: Option<i64>,
    /// Of an account that signed in.
    pub session: Option<i64>,
    /// What the account may do by itself and by its groups, less what its credential holds back.
    pub permissions: Permissions,
    /// That account as it was when the request came in.
    pub operator: Option<Arc<AccountView>>,
    /// Whether the account's credential names what it lets through, instead of all.
    pub(crate) limited: bool,
    /// The person behind an account that lacks a scope and may yet be a manager; see [`crate::Grants`].
    pub(crate) manager: Option<Person>,
}

impl Caller {
    /// The server itself in a workspace: jobs, the demo, the first start.
    pub fn server(workspace: i64) -> Caller {
        Caller {
            workspace,
            credential: 0,
            scopes: Scopes::new(&Scope::ALL),
            portfolio: Portfolio::Every,
            account: None,
            integration: None,
            session: None,
            permissions: Permissions::ALL,
            operator: None,
            limited: false,
            manager: None,
        }
    }

    /// Somebody who has not said who they are: may do what the verbs for everybody do.
    pub(crate) fn nobody(workspace: i64) -> Caller {
        Caller {
            scopes: Scopes::new(&[]),
            portfolio: Portfolio::Only(Vec::new()),
            permissions: Permissions::NONE,
            ..Caller::server(workspace)
        }
    }

    /// Who is named in the activity log: the account, else the credential.
    pub fn actor(&self) -> i64 {
        self.account.unwrap_or(self.credential)
    }

    /// Administers the workspace's accounts: an administrator, or a credential without an account that has the scope
    /// admin for every structure.
    pub fn administers(&self) -> bool {
        match self.account {
            Some(_) => self.permissions.administers(),
            None => self.scopes.has(Scope::Admin) && self.portfolio == Portfolio::Every,
        }
    }

    /// May do all that its account may: it signed in, or came with a key that holds nothing back.
    pub(crate) fn is_whole(&self) -> bool {
        match &self.operator {
            Some(operator) => self.session.is_some() || self.permissions == operator.rights(),
            None => true,
        }
    }

    /// The server itself: jobs, the demo.
    pub(crate) fn is_server(&self) -> bool {
        self.credential == 0 && self.account.is_none()
    }

    /// The same caller with no more scopes than these, as a token may say.
    pub fn narrowed(mut self, scopes: &[Scope]) -> Caller {
        let kept: Vec<Scope> = scopes
            .iter()
            .copied()
            .filter(|scope| self.scopes.has(*scope))
            .collect();
        self.scopes = Scopes::new(&kept);
        self
    }

    pub(crate) fn need_administrator(&self) -> Result<()> {
        if self.administers() {
            return Ok(());
        }
        Err(Error::Forbidden(Denied::Administrator))
    }

    /// For what an account may do of itself and an administrator of any.
    pub fn need_own(&self, account: i64) -> Result<()> {
        if self.account == Some(account) {
            return Ok(());
        }
        self.need_administrator()
    }

    pub(crate) fn need(&self, scope: Scope) -> Result<()> {
        if self.scopes.has(scope) {
            return Ok(());
        }
        Err(Error::Forbidden(Denied::Scope(scope)))
    }

    /// For what concerns the whole workspace: not for an administrator of some structures only.
    pub(crate) fn need_every_structure(&self) -> Result<()> {
        match self.portfolio {
            Portfolio::Every => Ok(()),
            Portfolio::Only(_) => Err(Error::Forbidden(Denied::EveryStructure)),
        }
    }

    pub(crate) fn need_structure(&self, structure: i64) -> Result<()> {
        if self.portfolio.has(structure) {
            return Ok(());
        }
        Err(Error::Forbidden(Denied::Structure))
    }
}

/// An Idempotency-Key with the fingerprint of the request that it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyed {
    pub(crate) key: String,
    pub(crate) fingerprint: Vec<u8>,
}

impl Keyed {
    /// `parts` are what makes a request the same: method, path, body.
    pub fn new(key: &str, parts: &[&[u8]]) -> Result<Keyed> {
        let printable = key.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        if key.is_empty() || key.len() > limits::KEY_CHARS_MAX || !printable {
            return Err(Error::invalid(
                "Idempotency-Key",
                "malformed",
                format!(
                    "The Idempotency-Key must be 1 to {} printable ASCII characters.",
                    limits::KEY_CHARS_MAX
                ),
            ));
        }
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Ok(Keyed {
            key: key.to_owned(),
            fingerprint: hasher.finalize().as_bytes().to_vec(),
        })
    }
}

/// A request of somebody who has not said who they are: to sign in, to register, to get a mail.
#[derive(Debug, Clone)]
pub struct Visit {
    pub mount: Mount,
    pub request_id: String,
    /// Where it came from. Loopback counts as unknown: behind a proxy that is not told of, everybody comes from there.
    pub address: Option<IpAddr>,
}

impl Visit {
    pub fn new(mount: Mount, request_id: impl Into<String>, address: Option<IpAddr>) -> Visit {
        Visit {
            mount,
            request_id: request_id.into(),
            address: address
                .map(|address| address.to_canonical())
                .filter(|address| !address.is_loopback() && !address.is_unspecified()),
        }
    }
}

/// What a verb is told about the request that it serves.
#[derive(Debug, Clone)]
pub struct Context {
    pub caller: Caller,
    pub request_id: String,
    /// Where present, the answer is remembered for 24 hours and given again to the same request.
    pub idempotency: Option<Keyed>,
}

impl Context {
    pub fn new(caller: Caller, request_id: impl Into<String>) -> Context {
        Context {
            caller,
            request_id: request_id.into(),
            idempotency: None,
        }
    }

    pub fn keyed(mut self, keyed: Option<Keyed>) -> Context {
        self.idempotency = keyed;
        self
    }
}
