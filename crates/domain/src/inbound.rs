//! What providers tell: people's messages, their yes and no and stop, and what could not be delivered.
//!
//! Invariant: an event is taken once, however often a provider repeats it.

use std::collections::BTreeMap;

use crate::{
    channel::{ChannelError, Content},
    error::{Error, Result},
    integration::IntegrationKind,
    service::Domain,
};

/// An integration behind the token in the path of its hook.
#[derive(Clone)]
pub struct Hook {
    pub workspace: i64,
    pub integration: i64,
    pub kind: IntegrationKind,
    /// Secret ones too; see [`IntegrationKind::fields`].
    pub fields: BTreeMap<String, String>,
    /// The hook's own URL as the provider was told it, without a query.
    pub url: String,
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hook({}, ***)", self.integration)
    }
}

/// Something that a provider told, whose signature was checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The provider's own id for it, which a repetition has too.
    pub id: String,
    pub event: InboundEvent,
}

#[derive(Clone, PartialEq, Eq)]
pub enum InboundEvent {
    /// Somebody wrote.
    Message {
        /// An e-mail address or a phone number.
        from: String,
        /// How they are called there.
        name: Option<String>,
        /// What the channel says of them, as a JSON object.
        raw: Option<String>,
        content: Content,
    },
    /// What was sent with [`crate::ChannelClaim::id`] did not arrive.
    Failed {
        item: i64,
        error: ChannelError,
    },
    /// They told the provider to let nothing more through, or to let it through again.
    OptedOut {
        from: String,
    },
    OptedIn {
        from: String,
    },
}

impl std::fmt::Debug for InboundEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            InboundEvent::Message { .. } => "Message(***)",
            InboundEvent::Failed { .. } => "Failed(***)",
            InboundEvent::OptedOut { .. } => "OptedOut(***)",
            InboundEvent::OptedIn { .. } => "OptedIn(***)",
        })
    }
}

impl Domain {
    /// The integration of a hook. *Not found* where there is none of this kind with this token.
    pub async fn hook(&self, _kind: IntegrationKind, _token: &str) -> Result<Hook> {
        Err(Error::NotFound("integration"))
    }

    /// Takes what a provider told, each once: what was taken before changes nothing. Events that concern nobody here are
    /// forgotten.
    pub async fn inbound(
        &self,
        _hook: &Hook,
        _request_id: &str,
        _events: Vec<Inbound>,
    ) -> Result<()> {
        Err(Error::internal("not built"))
    }
}
