//! What leaves through a channel: confirmations of links, and the organisation's messages. Claimed by the server's worker,
//! sent in the provider's words by the dialects, and noted here.
//!
//! Invariant: how an attempt ended, and what follows from it for the client, is one command.

use std::collections::BTreeMap;

use store::OutboxClaim;

use crate::{
    caller::Context,
    channel::{ChannelError, Content, Persona},
    client::Client,
    error::{Error, Result},
    integration::IntegrationKind,
    service::Domain,
};

/// Something that this process may send until its lease runs out.
#[derive(Clone)]
pub struct ChannelClaim {
    pub(crate) claim: OutboxClaim,
    pub integration: i64,
    pub kind: IntegrationKind,
    /// Of the integration, secret ones too; see [`IntegrationKind::fields`].
    pub fields: BTreeMap<String, String>,
    /// An e-mail address or a phone number (E.164).
    pub to: String,
    /// Of a mail.
    pub subject: String,
    pub from: Persona,
    /// The workspace's name.
    pub app_name: String,
    pub content: Content,
    /// Where the provider may tell how it went.
    pub hook_url: String,
}

/// Addresses, words and secrets go into no log.
impl std::fmt::Debug for ChannelClaim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChannelClaim({:?}, ***)", self.claim)
    }
}

impl ChannelClaim {
    pub fn workspace(&self) -> i64 {
        self.claim.workspace
    }

    pub fn id(&self) -> i64 {
        self.claim.id
    }

    /// Attempts begun, this one included.
    pub fn attempt(&self) -> i64 {
        self.claim.attempts
    }
}

/// What a provider said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendOutcome {
    /// It took it; its id for it.
    Accepted { provider_id: Option<String> },
    /// Nothing was sent: it stays to be read in the built-in outbox, as if it had been taken.
    Kept,
    /// Another attempt may succeed.
    Again(ChannelError),
    /// No other attempt can.
    Failed(ChannelError),
    /// The person has told the provider to let nothing more through.
    Blocked(ChannelError),
}

pub(crate) fn queue_message(
    _tx: &mut store::Tx<'_, '_>,
    _sealer: &store::Sealer,
    _client: &store::ClientRow,
    _message: &crate::message::Message,
    _source: &str,
) -> Result<()> {
    Ok(())
}

impl Domain {
    /// Claims at most `limit` items that are due, of every workspace.
    pub async fn channel_claim(&self, _limit: usize) -> Result<Vec<ChannelClaim>> {
        Ok(Vec::new())
    }

    /// Notes how an attempt went, with what follows: a client that is matched, active or removed. False where the claim ran
    /// out and another worker has taken the item: nothing is changed then.
    pub async fn channel_finish(
        &self,
        _claim: &ChannelClaim,
        _outcome: SendOutcome,
    ) -> Result<bool> {
        Err(Error::internal("not built"))
    }

    /// Plays the person's answer to an item that stays in the built-in outbox: what they would write back. Answers the
    /// client as it then is; nothing where it is gone. Needs the scope admin and every structure.
    pub async fn outbox_confirm(
        &self,
        _context: &Context,
        _item: i64,
        _words: &str,
    ) -> Result<Option<Client>> {
        Err(Error::internal("not built"))
    }
}
