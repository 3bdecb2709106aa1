//! Limits of what is read from the wire. The unit is the last word of the name before `MAX`.

use std::time::Duration;

/// Bytes of a request body that carries identifiers: 50,000 of the longest allowed, in JSON.
pub const BATCH_BODY_BYTES_MAX: usize = 32 << 20;
/// Bytes of any other request body.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Bytes read and thrown away of a body that is too large, so that its sender gets to read the answer.
pub const DRAIN_BYTES_MAX: usize = 512 << 20;
/// How long a body may take from its first byte to its last.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(60);
/// How long a body may pause.
pub const BODY_PAUSE_MAX: Duration = Duration::from_secs(10);
/// Bytes of a receiver's answer to a webhook; nothing of it is kept.
pub const RECEIVER_ANSWER_BYTES_MAX: usize = 64 << 10;
/// How long a receiver may take over a webhook: within the lease of an outbox item.
pub const RECEIVER_TIME_MAX: Duration = Duration::from_secs(30);
/// Bytes of a provider's answer to a message.
pub const PROVIDER_ANSWER_BYTES_MAX: usize = 64 << 10;
/// How long a provider may take over a message: twice that is within the lease of an outbox item.
pub const PROVIDER_TIME_MAX: Duration = Duration::from_secs(30);
/// Characters kept of what a provider says of a failure.
pub const PROVIDER_ERROR_CHARS_MAX: usize = 300;
/// Bytes of what a provider tells in one request.
pub const HOOK_BODY_BYTES_MAX: usize = 1 << 20;
/// Fields of a form that a provider sends.
pub const HOOK_FIELDS_MAX: usize = 500;
/// Characters kept of how a provider says that somebody is called.
pub const HOOK_NAME_CHARS_MAX: usize = 128;
/// Bytes of what else a provider says of somebody; of more, nothing is kept.
pub const HOOK_RAW_BYTES_MAX: usize = 4_096;
