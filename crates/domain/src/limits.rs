//! Every limit of the domain in one place. The unit is the last word of the name before `MAX`.

/// Identifiers in one request.
pub const IDENTIFIERS_MAX: usize = 50_000;
/// Bytes of one identifier.
pub const IDENTIFIER_BYTES_MAX: usize = 512;
/// Bytes of an e-mail address (RFC 5321 section 4.5.3.1.3, less the angle brackets).
pub const EMAIL_BYTES_MAX: usize = 254;
/// Invalid identifiers named in an answer.
pub const INVALID_SAMPLE_MAX: usize = 10;
/// Identifiers of one person in one request.
pub const PERSON_IDENTIFIERS_MAX: usize = 32;
/// Characters of a name.
pub const NAME_CHARS_MAX: usize = 255;
/// Characters of a description.
pub const DESCRIPTION_CHARS_MAX: usize = 2_000;
/// Characters of a reference.
pub const REFERENCE_CHARS_MAX: usize = 128;
/// Structures and audiences of a workspace.
pub const AUDIENCES_MAX: u64 = 100_000;
/// Structures in a credential's portfolio.
pub const PORTFOLIO_MAX: usize = 1_000;
/// Items of a page.
pub const PAGE_ITEMS_MAX: usize = 1_000;
/// Clashes of identity noted by one command; more are counted in its activity only.
pub const CONFLICTS_NOTED_MAX: usize = 1_000;
/// Characters of an idempotency key.
pub const KEY_CHARS_MAX: usize = 255;
/// How long an idempotency key is remembered.
pub const KEY_KEPT_MS: i64 = 24 * 3_600 * 1_000;
/// How long a credential read from the database is believed: a revocation holds everywhere within this time.
pub const CREDENTIAL_CACHED_MS: i64 = 2_000;
/// Credentials kept in memory.
pub const CREDENTIALS_CACHED_MAX: usize = 10_000;
/// How often the time of a credential's last use is written.
pub const LAST_USED_EVERY_MS: i64 = 60_000;
/// Slugs kept in memory; a workspace keeps its slug for ever.
pub const SLUGS_CACHED_MAX: usize = 10_000;
/// Characters of a workspace's slug.
pub const SLUG_CHARS_MAX: usize = 63;
/// Characters of a secret or token that is looked at.
pub const SECRET_CHARS_MAX: usize = 4_096;
