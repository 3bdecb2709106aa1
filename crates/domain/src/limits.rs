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
/// Accounts of a workspace.
pub const ACCOUNTS_MAX: u64 = 1_000_000;
/// Groups of a workspace.
pub const GROUPS_MAX: usize = 1_000;
/// Groups that an account is in.
pub const ACCOUNT_GROUPS_MAX: usize = 100;
/// Accounts in one bulk request.
pub const ACCOUNTS_BULK_MAX: usize = 1_000;
/// Characters of a user name.
pub const USERNAME_CHARS_MAX: usize = 150;
/// Characters of a password, fewest and most.
pub const PASSWORD_CHARS_MIN: usize = 8;
pub const PASSWORD_CHARS_MAX: usize = 128;
/// Bytes of an account's preferences, as JSON.
pub const PREFERENCES_BYTES_MAX: usize = 16 << 10;
/// How deep preferences may be nested.
pub const PREFERENCES_DEPTH_MAX: usize = 8;
/// Characters of a search and words in it.
pub const SEARCH_CHARS_MAX: usize = 200;
pub const SEARCH_WORDS_MAX: usize = 10;
/// Credentials of one account.
pub const ACCOUNT_KEYS_MAX: usize = 100;
/// Sessions that an account has at once; a further one ends the oldest.
pub const SESSIONS_MAX: i64 = 100;
/// Consents of an account, and versions of the policy in a workspace.
pub const POLICIES_MAX: u64 = 1_000;
/// Characters of a policy's version.
pub const POLICY_CHARS_MAX: usize = 64;
/// Characters of a reason.
pub const REASON_CHARS_MAX: usize = 500;
/// How long an invitation is good for.
pub const INVITE_LIFE_MS: i64 = 7 * 24 * 3_600 * 1_000;
/// How long the link of a mail that resets a password or verifies an address is good for.
pub const MAIL_TOKEN_LIFE_MS: i64 = 3_600 * 1_000;
/// Mails of a kind to one recipient within an hour; more are not sent.
pub const MAILS_AN_HOUR_MAX: i64 = 5;
/// Failed sign-ins of an account, and of an address, before the next has to wait.
pub const SIGN_INS_FAILED_MAX: i64 = 5;
pub const ADDRESS_FAILURES_MAX: i64 = 50;
/// Failed sign-ins of an account from wherever, before the next has to wait, and the longest that it waits for that.
pub const ACCOUNT_FAILURES_MAX: i64 = 50;
pub const ACCOUNT_WAIT_MS_MAX: i64 = 30_000;
/// The longest that a failed sign-in makes the next one wait.
pub const SIGN_IN_WAIT_MS_MAX: i64 = 15 * 60 * 1_000;
/// After so long without a failure, failures are forgotten.
pub const FAILURES_KEPT_MS: i64 = 3_600 * 1_000;
/// Registrations and consents from one address within an hour.
pub const VISITS_AN_HOUR_MAX: i64 = 100;
/// Passwords being checked for one account at once.
pub const SIGN_INS_AT_ONCE_MAX: u32 = 4;
/// Passwords being checked for one address at once.
pub const ADDRESS_SIGN_INS_AT_ONCE_MAX: u32 = 16;
/// Visits of other kinds from one address within an hour: consents read, sign-ins through a provider.
pub const OTHER_VISITS_AN_HOUR_MAX: i64 = 1_000;
/// Passwords waiting to be hashed.
pub const HASHES_WAITING_MAX: usize = 1_024;
/// Accounts and sessions kept in memory.
pub const ACCOUNTS_CACHED_MAX: usize = 10_000;
/// Bytes of one value in a mail: a name, a link, a reason.
pub const MAIL_LINE_BYTES_MAX: usize = 8_192;
/// How long a worker may take over an item of the outbox; longer than any one attempt can take.
pub const LEASE_MS: i64 = 120_000;
/// Attempts at an item of the outbox, about five hours in all; then it is given up.
pub const ATTEMPTS_MAX: i64 = 12;
/// The wait after the first attempt that failed; it doubles from one to the next.
pub const RETRY_FIRST_MS: i64 = 30_000;
/// The longest wait between two attempts, before a quarter more or less.
pub const RETRY_MS_MAX: i64 = 3_600_000;
/// Characters kept of the reason why an attempt failed.
pub const OUTBOX_ERROR_CHARS_MAX: usize = 500;
/// Characters of an ID token.
pub const ID_TOKEN_CHARS_MAX: usize = 16 << 10;
/// How long somebody may take at an identity provider before they are back.
pub const AUTHORIZE_LIFE_MS: i64 = 15 * 60 * 1_000;
/// How long the outbox shows that something was sent.
pub const SENT_KEPT_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// How long news that need no answer are worth mailing.
pub const NEWS_LIFE_MS: i64 = 3 * 24 * 3_600 * 1_000;
/// Parts of a smart audience's rule, and how deep they may be nested.
pub const RULE_PARTS_MAX: usize = 200;
pub const RULE_DEPTH_MAX: usize = 8;
/// Bytes of the people of structures and smart audiences that are kept in memory, since they are worked out from others.
pub const DERIVED_BYTES_MAX: usize = 256 << 20;
/// Questions about sets that wait for an answer.
pub const QUESTIONS_WAITING_MAX: usize = 512;
/// How long the answer to a question about sets may take.
pub const QUESTION_MS_MAX: u64 = 30_000;
/// Different audiences, channels and kinds of identifiers that one expression names.
pub const OPERANDS_MAX: usize = 1_000;
/// Parts of an expression, and how deep they may be nested.
pub const FORMULA_PARTS_MAX: usize = sets::PARTS_MAX;
pub const FORMULA_DEPTH_MAX: usize = sets::DEPTH_MAX;
/// Characters of an expression as text.
pub const FORMULA_CHARS_MAX: usize = 32_768;
/// Audiences whose overlaps with each other are asked for, and with one.
pub const OVERLAP_MATRIX_MAX: usize = 256;
pub const OVERLAP_AGAINST_MAX: usize = 1_000;
/// Audiences named by an error that a name could mean.
pub const CANDIDATES_MAX: usize = 10;
/// People of one look-up.
pub const LOOKUP_PEOPLE_MAX: usize = 1_000;
/// Audiences listed for one person of a look-up.
pub const LOOKUP_AUDIENCES_MAX: usize = 1_000;
/// Looks into sets that are made at once, where the request came in; more are a question for the evaluator.
pub const LOOKS_AT_ONCE_MAX: usize = 4_096;
/// Structures and audiences deleted by one command; a larger tree is deleted by a job, so many at a step.
pub const DELETE_NODES_MAX: usize = 100;
/// Memberships deleted by one command, before a larger tree is deleted by a job.
pub const DELETE_MEMBERS_MAX: u64 = 2_000_000;
/// Members named in one request, and named at once in an answer.
pub const NAMES_AT_ONCE_MAX: usize = 4_096;
/// Managers of a structure or audience.
pub const MANAGERS_MAX: usize = 1_000;
/// Structures and audiences that one person manages, as far as lists go.
pub const MANAGED_MAX: usize = 10_000;
/// Records of one person, of all sources.
pub const PERSON_RECORDS_MAX: usize = 100;
/// Bytes of what a record keeps for its source, as JSON.
pub const PROFILE_BYTES_MAX: usize = 16 << 10;
/// Characters of a source's name.
pub const SOURCE_CHARS_MAX: usize = 32;
/// Records that ended since the last sweep and are looked at by a move.
pub const RECORDS_ENDED_MAX: usize = 1_000_000;
/// Records that one sweep notes as ended.
pub const RECORDS_SWEPT_MAX: usize = 1_000;
/// Webhooks of a workspace.
pub const WEBHOOKS_MAX: u64 = 100;
/// Characters of a webhook's URL.
pub const WEBHOOK_URL_CHARS_MAX: usize = 2_048;
/// Characters of a secret that a caller brings to a webhook, fewest and most.
pub const WEBHOOK_SECRET_CHARS_MIN: usize = 16;
pub const WEBHOOK_SECRET_CHARS_MAX: usize = 256;
/// How long a webhook's old secret signs beside the new one.
pub const WEBHOOK_OLD_SECRET_MS: i64 = 24 * 3_600 * 1_000;
/// People whom an event names; more are only counted.
pub const EVENT_PEOPLE_MAX: u64 = 100;
/// How long an event can be told again.
pub const EVENT_KEPT_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// Events that one replay queues.
pub const EVENTS_REPLAYED_MAX: u64 = 10_000;
/// Items of a page by cursor.
pub const CURSOR_ITEMS_MAX: usize = 100;
pub const CURSOR_ITEMS_DEFAULT: usize = 25;
/// Clients of one record.
pub const CLIENTS_MAX: usize = 100;
/// Participants of a conversation of several people.
pub const PARTICIPANTS_MAX: usize = 10;
/// Conversations that one record takes part in.
pub const CONVERSATIONS_MAX: usize = 1_000;
/// Messages of a conversation.
pub const MESSAGES_MAX: i64 = 30_000;
/// Integrations of a workspace.
pub const INTEGRATIONS_MAX: usize = 1_000;
/// Keys of programs: of the workspace, and of each integration.
pub const APP_KEYS_MAX: usize = 10;
/// Characters of a text that is sent over a channel.
pub const MESSAGE_CHARS_MAX: usize = 4_096;
/// Bytes of a flat JSON object of somebody's own.
pub const METADATA_BYTES_MAX: usize = 4_096;
/// How long what a provider told is remembered, so that a repetition is known.
pub const INBOUND_KEPT_MS: i64 = 30 * 24 * 3_600 * 1_000;
/// How long a client stays pending where nothing else is configured.
pub const PENDING_LIFE_MS: i64 = 7 * 24 * 3_600 * 1_000;
/// Characters of a URL within a message.
pub const CONTENT_URL_CHARS_MAX: usize = 2_048;
/// Links below a message, and characters of each one's text.
pub const LINKS_MAX: usize = 10;
pub const LINK_CHARS_MAX: usize = 128;
/// Bytes of a message in a provider's own words.
pub const NATIVE_BYTES_MAX: usize = 16 << 10;
/// Characters of the subject of a mail.
pub const SUBJECT_CHARS_MAX: usize = 255;
/// Clients of one address that are looked at: pending ones of others are few.
pub const ADDRESS_CLIENTS_MAX: usize = 1_000;
/// Clients that a sweep removes in one command.
pub const CLIENTS_SWEPT_MAX: usize = 500;
/// Characters of the id that a person's own program gives itself.
pub const DEVICE_CHARS_MAX: usize = 128;
/// Characters of a record's reference.
pub const RECORD_REFERENCE_CHARS_MAX: usize = 1_024;
/// Events of one request of a provider that are taken; a provider sends far fewer.
pub const INBOUND_EVENTS_MAX: usize = 1_000;
/// Characters of a value that an integration holds.
pub const INTEGRATION_VALUE_CHARS_MAX: usize = 1_024;
/// Characters of what an integration, a key or a conversation is called, or described by.
pub const DISPLAY_NAME_CHARS_MAX: usize = 100;
/// Characters of a picture's URL.
pub const ICON_URL_CHARS_MAX: usize = 2_048;
/// Webhooks that come with an integration.
pub const INTEGRATION_WEBHOOKS_MAX: usize = 10;
/// How far the clock of a program that signs a token may differ.
pub const TOKEN_LEEWAY_MS: i64 = 60_000;
/// Characters of what a person wrote that are kept: of a long mail the rest is left out.
pub const INBOUND_CHARS_MAX: usize = 32_768;
