//! Every key of the configuration, its default and what it is for. `throng config print` and `throng serve --help` are
//! made from this table.

/// A key. In the environment it is upper-case with `THRONG_` before it and `_` for the dot.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub default: &'static str,
    pub help: &'static str,
}

impl Key {
    pub fn variable(&self) -> String {
        format!(
            "THRONG_{}",
            self.name.replace('.', "_").to_ascii_uppercase()
        )
    }
}

const fn key(name: &'static str, default: &'static str, help: &'static str) -> Key {
    Key {
        name,
        default,
        help,
    }
}

pub const KEYS: &[Key] = &[
    key(
        "data",
        "throng-data",
        "the data folder: database, master key and lock",
    ),
    key(
        "listen",
        "127.0.0.1:8080",
        "address and port; port 0 picks a free one",
    ),
    key(
        "database_url",
        "",
        "postgres://USER:PASSWORD@HOST/NAME or a SQLite file; empty: in the data folder",
    ),
    key(
        "database_size_max",
        "off",
        "a SQLite file may not grow beyond, as in 20GiB",
    ),
    key("read_connections", "2", "database connections for reads"),
    key(
        "sets.memory",
        "auto",
        "memory for sets; others are read from files as they are needed: a size as in 4GiB, auto: a quarter of the machine's, or none",
    ),
    key(
        "checkpoint.changes",
        "4096",
        "changes after which sets are written down anew, so that a start replays no more",
    ),
    key("worker_threads", "2", "threads that serve connections"),
    key(
        "log.format",
        "auto",
        "auto (text on a terminal, JSON otherwise), text or json",
    ),
    key("log.level", "info", "error, warn, info, debug or trace"),
    key(
        "rate_limit.criteo",
        "250/min",
        "requests a minute of one credential in the Criteo dialect, or off",
    ),
    key(
        "rate_limit.a2",
        "off",
        "requests a minute of one account in the A2 dialect, or off",
    ),
    key(
        "rate_limit.opendatasoft",
        "off",
        "requests a minute of one API key in the Opendatasoft dialect, or off",
    ),
    key(
        "rate_limit.thrive",
        "off",
        "requests a minute of one credential in the Thrive dialect, or off",
    ),
    key(
        "rate_limit.sunshine",
        "off",
        "requests a minute of one key in the Sunshine Conversations dialect, or off",
    ),
    key(
        "rate_limit.native",
        "6000/min",
        "requests a minute of one credential in the native API, or off",
    ),
    key(
        "public_url",
        "",
        "where people reach the server, for the links of mails; empty: the address that it listens on",
    ),
    key(
        "token_life",
        "900s",
        "how long an access token of a dialect is good for",
    ),
    key(
        "a2.token_life",
        "3600s",
        "how long a sign-in of the A2 dialect is good for",
    ),
    key(
        "a2.consents",
        "open",
        "open (to whoever knows account and e-mail, as documented) or authenticated",
    ),
    key(
        "opendatasoft.expanded_groups",
        "auto",
        "full, uid, or auto: full except for the generated Python client, which cannot read it",
    ),
    key(
        "connections_max",
        "8192",
        "connections open at once; others wait",
    ),
    key(
        "request_time_max",
        "120s",
        "a request that takes longer is answered 503",
    ),
    key(
        "header_time_max",
        "30s",
        "a connection that sends no whole request head for so long is closed",
    ),
    key(
        "stop_time_max",
        "30s",
        "how long SIGTERM waits for requests in flight",
    ),
    key(
        "allow_plain_http",
        "false",
        "allow plain HTTP on an address that is not loopback (behind a TLS proxy)",
    ),
    key(
        "trusted_proxies",
        "",
        "comma-separated CIDRs of proxies whose X-Forwarded-For is believed",
    ),
    key(
        "outbound.allow",
        "",
        "comma-separated CIDRs or host names that may be reached although private",
    ),
    key(
        "mail.smtp_url",
        "",
        "smtp:// (STARTTLS), smtps:// (TLS) or smtp+plain:// (this machine); empty: mail stays here",
    ),
    key("mail.from", "Throng <throng@localhost>", "who mail is from"),
    key(
        "mail.ca_file",
        "",
        "certificates in PEM to trust for the mail server instead of the system's",
    ),
    key(
        "channels.mailgun_url",
        "https://api.mailgun.net",
        "where Mailgun is; https://api.eu.mailgun.net for accounts in Europe",
    ),
    key(
        "channels.twilio_url",
        "https://api.twilio.com",
        "where Twilio is",
    ),
    key(
        "channels.messagebird_url",
        "https://rest.messagebird.com",
        "where MessageBird is",
    ),
    key(
        "channels.whatsapp_url",
        "https://graph.facebook.com/v23.0",
        "where WhatsApp's Cloud API is, with its version",
    ),
    key(
        "channels.pending_days",
        "7",
        "after so many days a link to a channel that nobody has confirmed is removed; 1 to 90",
    ),
];

/// The table of host names can only stand in the file.
pub const HOSTS: &str = "hosts";
/// So can that of identity providers.
pub const PROVIDERS: &str = "identity_providers";

/// Variables that are ours and no keys: for clients, for tests, for the path of the file itself.
const OTHER_VARIABLES: &[&str] = &[
    "THRONG_TOKEN",
    "THRONG_URL",
    "THRONG_CONFIG",
    "THRONG_BIN",
    "THRONG_PG_BIN",
];

pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

pub fn is_other_variable(name: &str) -> bool {
    OTHER_VARIABLES.contains(&name) || name.starts_with("THRONG_TEST_")
}

/// The nearest of the candidates, as half a sentence; empty where none is near.
pub fn suggestion<'a>(wrong: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    let near = candidates
        .map(|known| (strsim::jaro_winkler(wrong, known), known))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    near.filter(|(likeness, _)| *likeness > 0.7)
        .map(|(_, known)| format!(": did you mean {known}?"))
        .unwrap_or_default()
}
