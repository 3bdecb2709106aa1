//! The configuration: defaults < file < environment < flags. What may be set is the table [`keys::KEYS`]; where each
//! value came from is kept, so that errors and `throng config print` can say it.

mod hosts;
pub mod keys;
mod providers;
mod settings;
mod values;

use std::{collections::HashMap, path::PathBuf, time::Duration};

use dialects::{mount::Hosts, providers::Bases};
use domain::{IdentityProvider, RateLimit};
use lettre::message::Mailbox;

pub use settings::{Given, Settings};
pub use values::rate;

use crate::{
    address::{Allowed, Networks},
    failure::{Failure, Result},
    logging::Level,
    mailer::{self, SmtpServer},
    outbox_worker::ChannelDelivery,
};

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    Text,
    Json,
}

/// What `serve` runs with.
#[derive(Debug, Clone)]
pub struct Config {
    pub data: PathBuf,
    /// Host and port; port 0 picks a free one.
    pub listen: String,
    /// Nothing means a SQLite file in the data folder.
    pub database_url: Option<String>,
    pub database_size_bytes_max: Option<u64>,
    pub read_connections: usize,
    pub sets_memory_bytes: u64,
    pub checkpoint_changes: usize,
    pub worker_threads: usize,
    pub log_format: LogFormat,
    pub log_level: Level,
    /// By dialect; one that is absent has no limit.
    pub rate_limits: HashMap<String, RateLimit>,
    pub token_life: Duration,
    /// Where people reach the server, without a slash at the end; empty until the listener is bound.
    pub public_url: String,
    pub providers: Vec<IdentityProvider>,
    pub dialects: dialects::Options,
    pub connections_max: usize,
    pub request_time_max: Duration,
    pub header_time_max: Duration,
    pub stop_time_max: Duration,
    pub allow_plain_http: bool,
    /// Whose X-Forwarded-For is believed.
    pub trusted_proxies: Networks,
    /// What outbound requests may reach although it is private.
    pub outbound_allow: Allowed,
    /// Nothing: mail stays in the outbox.
    pub mail_server: Option<SmtpServer>,
    pub mail_from: Mailbox,
    /// Trusted for the mail server instead of the system's certificates.
    pub mail_ca_file: Option<PathBuf>,
    /// Whereto messages on channels go.
    pub channel_delivery: ChannelDelivery,
    /// After so many days a link that nobody has confirmed is removed.
    pub pending_days: i64,
    pub hosts: Hosts,
}

impl Config {
    /// The configuration of defaults alone, as the demo begins with.
    pub fn defaults() -> Result<Config> {
        Config::of(&Settings::defaults())
    }

    /// Checks every value.
    pub fn of(settings: &Settings) -> Result<Config> {
        let text = |key: &str| settings.get(key).value.clone();
        let mut rate_limits = HashMap::new();
        for dialect in dialects::DIALECTS {
            if let Some(limit) = parsed(settings, &format!("rate_limit.{dialect}"), values::rate)? {
                rate_limits.insert((*dialect).to_owned(), limit);
            }
        }
        let outbound_allow = parsed(settings, "outbound.allow", Allowed::parse)?;
        Ok(Config {
            data: PathBuf::from(parsed(settings, "data", values::not_empty)?),
            listen: parsed(settings, "listen", values::not_empty)?,
            database_url: Some(text("database_url")).filter(|url| !url.is_empty()),
            database_size_bytes_max: parsed(settings, "database_size_max", values::size)?,
            read_connections: parsed(settings, "read_connections", |text| {
                values::number(text, 1, 256)
            })?,
            sets_memory_bytes: parsed(settings, "sets.memory", values::sets_memory)?,
            checkpoint_changes: parsed(settings, "checkpoint.changes", |text| {
                values::number(text, 1, 1 << 20)
            })?,
            worker_threads: parsed(settings, "worker_threads", |text| {
                values::number(text, 1, 256)
            })?,
            log_format: parsed(settings, "log.format", values::log_format)?,
            log_level: parsed(settings, "log.level", values::log_level)?,
            rate_limits,
            token_life: parsed(settings, "token_life", values::duration)?,
            public_url: text("public_url").trim_end_matches('/').to_owned(),
            providers: settings.providers.clone(),
            dialects: dialects::Options {
                a2: dialects::a2::Options {
                    token_life_s: parsed(settings, "a2.token_life", values::duration)?
                        .as_secs()
                        .max(1),
                    consents_open: parsed(settings, "a2.consents", values::consents_open)?,
                },
                opendatasoft: dialects::opendatasoft::Options {
                    expanded_groups: parsed(
                        settings,
                        "opendatasoft.expanded_groups",
                        values::expanded_groups,
                    )?,
                },
            },
            connections_max: parsed(settings, "connections_max", |text| {
                values::number(text, 1, 1_000_000)
            })?,
            request_time_max: parsed(settings, "request_time_max", values::duration)?,
            header_time_max: parsed(settings, "header_time_max", values::duration)?,
            stop_time_max: parsed(settings, "stop_time_max", values::duration)?,
            allow_plain_http: parsed(settings, "allow_plain_http", values::boolean)?,
            trusted_proxies: parsed(settings, "trusted_proxies", Networks::parse)?,
            mail_server: parsed(settings, "mail.smtp_url", |text| {
                SmtpServer::parse(text, &outbound_allow)
            })?,
            mail_from: parsed(settings, "mail.from", mailer::sender)?,
            mail_ca_file: Some(text("mail.ca_file"))
                .filter(|path| !path.is_empty())
                .map(PathBuf::from),
            channel_delivery: ChannelDelivery::Providers(Bases {
                mailgun: parsed(settings, "channels.mailgun_url", values::base_url)?,
                twilio: parsed(settings, "channels.twilio_url", values::base_url)?,
                messagebird: parsed(settings, "channels.messagebird_url", values::base_url)?,
                whatsapp: parsed(settings, "channels.whatsapp_url", values::base_url)?,
            }),
            pending_days: parsed(settings, "channels.pending_days", |text| {
                values::number(text, 1, 90)
            })? as i64,
            outbound_allow,
            hosts: settings.hosts.clone(),
        })
    }
}

fn parsed<T>(
    settings: &Settings,
    key: &str,
    parse: impl Fn(&str) -> std::result::Result<T, String>,
) -> Result<T> {
    let setting = settings.get(key);
    parse(&setting.value).map_err(|reason| {
        Failure::usage(format!(
            "{key} = {:?} ({}): {reason}",
            settings.shown(key),
            setting.origin
        ))
    })
}
