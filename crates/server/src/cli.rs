//! The command line: what each command takes, and the help that explains it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use domain::RateLimit;
use serde_json::json;

use crate::{
    account::{self, AccountCommand},
    admin::{self, CredentialCommand, StructureCommand, WorkspaceCommand},
    audience::{self, AudienceCommand, IMPORT_EXAMPLES},
    channel::{self, ChannelCommand},
    config::{self, Config, Given, Settings, keys},
    demo,
    dev::{self, DevCommand},
    failure::{Failure, Result},
    group::{self, GroupCommand},
    import::{self, ImportAudience},
    job::{self, JobCommand},
    key::{self, KeyCommand},
    maintenance::{self, Place},
    outbox::{self, OutboxCommand},
    output,
    reach::{self, LookupArgs, OverlapArgs, ReachArgs},
    serve,
    webhook::{self, WebhookCommand},
};

const EXAMPLES: &str = "\
Examples:
  throng demo                                   a filled server and credentials to paste
  throng serve                                  a server of your own, in ./throng-data
  throng serve --data /var/lib/throng --listen 127.0.0.1:9000
  throng config print                           each value and where it came from

  export THRONG_TOKEN=...                       as the first start printed it
  throng structure create \"My shop\"
  throng credential create --dialect criteo --name uploader --structure 1
  throng audience create Newsletter --structure 1
  throng audience import 3 people.csv --kind email --errors wrong.csv
  throng audience tree
  throng reach 'newsletter and not (customers or staff)'
  throng channel set 4 --from whatsapp.toml
  throng account create --email ann@example.org --role admin
  throng key create --account ann@example.org --label report --dialect native

Exit status:
  0 done   1 refused or failed   2 wrong usage or configuration   3 data folder or database
  4 cannot listen   5 no server answers   130 stopped by Ctrl-C";

/// Throng, the self-hosted home for an organisation's first-party audiences.
#[derive(Debug, Parser)]
#[command(name = "throng", version, about, after_help = EXAMPLES, max_term_width = 120)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    #[command(after_help = serve_help())]
    Serve(ServeArgs),
    /// Run a server with a filled workspace, to try things or to test against
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(DemoArgs),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make and list workspaces of a running server
    #[command(subcommand)]
    Workspace(WorkspaceCommand),
    /// Make, list and delete structures (advertisers) of a running server, and say who may write to them
    #[command(subcommand)]
    Structure(StructureCommand),
    /// Make, show, move, fill, export and delete the audiences of a running server
    #[command(subcommand, after_help = audience::EXAMPLES)]
    Audience(AudienceCommand),
    /// Count exactly whom an expression over audiences holds
    #[command(after_help = reach::REACH_EXAMPLES)]
    Reach(ReachArgs),
    /// Count exactly how many people audiences share
    #[command(after_help = reach::OVERLAP_EXAMPLES)]
    Overlap(OverlapArgs),
    /// Say which audiences hold somebody
    #[command(after_help = reach::LOOKUP_EXAMPLES)]
    Lookup(LookupArgs),
    /// Make, list and revoke credentials of a running server
    #[command(subcommand)]
    Credential(CredentialCommand),
    /// Make, list, show, change and export the accounts of a running server
    #[command(subcommand, after_help = account::EXAMPLES)]
    Account(AccountCommand),
    /// Make, list, show, fill and delete groups of accounts, whose permissions their members have
    #[command(subcommand, after_help = group::EXAMPLES)]
    Group(GroupCommand),
    /// Make, list, rotate and revoke the keys of accounts
    #[command(subcommand, after_help = key::EXAMPLES)]
    Key(KeyCommand),
    /// Connect the providers of channels (Mailgun, Twilio, MessageBird, WhatsApp), and see how many people each reaches
    #[command(subcommand, after_help = channel::EXAMPLES)]
    Channel(ChannelCommand),
    /// Make, list, delete, rotate and replay webhooks: where what happens to audiences and people is sent
    #[command(subcommand, after_help = webhook::EXAMPLES)]
    Webhook(WebhookCommand),
    /// Look at what has to leave a running server: mail, messages on channels, and events for webhooks
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// See how far a running server is with work that takes longer than a request
    #[command(subcommand)]
    Job(JobCommand),
    /// Bring files into a running server
    #[command(subcommand)]
    Import(ImportCommand),
    /// Copy the whole database to a file, beside a running server; the master key is not in it
    Backup {
        /// A file that does not exist yet
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Bring a backup into an empty database; either engine takes the backup of either
    Restore {
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Recount every set from the log and check its hash chain, beside a running server
    Verify {
        #[command(flatten)]
        place: Place,
    },
    /// For those who work on Throng: databases of any size
    #[command(subcommand)]
    Dev(DevCommand),
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Print each value and where it came from: default, file, environment or flag
    Print {
        /// Print JSON for programs
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        serve: ServeArgs,
    },
}

#[derive(Debug, Subcommand)]
enum ImportCommand {
    /// The same as throng audience import
    #[command(after_help = IMPORT_EXAMPLES)]
    Audience(ImportAudience),
}

const DEMO_EXAMPLES: &str = "\
Examples:
  throng demo
  throng demo --json --seed 1 --people 2000 --listen 127.0.0.1:0
  throng demo --data ./demo --rate-limit criteo=3/min

With --json the first line on standard output is one line of JSON with the URL and every credential, printed once the
server is ready. No limit on requests holds unless --rate-limit sets one.";

fn serve_help() -> String {
    let mut text = String::from(
        "Configuration: defaults, then the file (--config, THRONG_CONFIG, or throng.toml in the data\n\
         folder), then the environment, then flags. Each key with its default and its variable:\n\n",
    );
    for key in keys::KEYS {
        let default = if key.default.is_empty() {
            "(empty)"
        } else {
            key.default
        };
        text.push_str(&format!(
            "  {:<19} {default:<15} {}\n      {}\n",
            key.name,
            key.variable(),
            key.help
        ));
    }
    text.push_str(
        "\n  [[hosts]]           in the file only: a DNS name alone switches a client over\n      \
         name = \"HOST\", dialect = \"criteo\" or prefix = \"/PATH\", workspace = \"SLUG\"\n\
         \n  [[identity_providers]]  in the file only: OpenID Connect, from which accounts may come\n      \
         uid, issuer, client_id, client_secret or client_secret_file; workspace = \"SLUG\", create_accounts = false,\n      \
         link_by_email = false, role = \"advertiser\"\n",
    );
    text
}

#[derive(Debug, Args)]
struct ServeArgs {
    /// The configuration, in TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder: database, master key and lock
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Address and port; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// postgres://USER:PASSWORD@HOST/NAME, or a SQLite file; a password is better given as THRONG_DATABASE_URL
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// A quota for each credential, as in criteo=250/min or native=off; may be repeated
    #[arg(long, value_name = "DIALECT=N/min")]
    rate_limit: Vec<String>,
    /// auto, text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Allow plain HTTP on an address that is not loopback, behind a TLS proxy
    #[arg(long)]
    allow_plain_http: bool,
    /// Any key of the configuration; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ServeArgs {
    fn settings(&self) -> Result<Settings> {
        Settings::gather(&self.given()?, environment()?.into_iter())
    }

    fn given(&self) -> Result<Given> {
        let mut given = Given {
            file: self.config.clone(),
            values: Vec::new(),
        };
        let mut put = |key: &str, value: &str, flag: &str| {
            given
                .values
                .push((key.to_owned(), value.to_owned(), flag.to_owned()));
        };
        for pair in &self.set {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| Failure::usage("--set takes KEY=VALUE"))?;
            put(key.trim(), value.trim(), "--set");
        }
        for pair in &self.rate_limit {
            let (dialect, rate) = pair
                .split_once('=')
                .ok_or_else(|| Failure::usage("--rate-limit takes DIALECT=N/min"))?;
            put(&format!("rate_limit.{dialect}"), rate, "--rate-limit");
        }
        let flags = [
            ("data", &self.data, "--data"),
            ("listen", &self.listen, "--listen"),
            ("database_url", &self.database_url, "--database-url"),
            ("log.format", &self.log_format, "--log-format"),
            ("log.level", &self.log_level, "--log-level"),
        ];
        for (key, value, flag) in flags {
            if let Some(value) = value {
                put(key, value, flag);
            }
        }
        if self.allow_plain_http {
            put("allow_plain_http", "true", "--allow-plain-http");
        }
        Ok(given)
    }
}

/// Our variables; one of them that is no text is refused, others do not matter.
pub fn environment() -> Result<Vec<(String, String)>> {
    let ours =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    ours.filter(|(name, _)| name.starts_with("THRONG_"))
        .map(|(name, value)| match value.into_string() {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(Failure::usage(format!("the variable {name} is not UTF-8"))),
        })
        .collect()
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// Print one line of JSON once ready
    #[arg(long)]
    json: bool,
    /// Keep the data in this folder; a temporary one that goes away if absent
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address and port (127.0.0.1:8080); port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<String>,
    /// postgres://USER:PASSWORD@HOST/NAME, or a SQLite file
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// How many synthetic people
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(0..=100_000_000))]
    people: u64,
    /// The same ids, secrets and people every time; never for real data, as anybody can make the same secrets
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// A quota for each credential; may be repeated
    #[arg(long, value_name = "DIALECT=N/min", value_parser = rate_limit)]
    rate_limit: Vec<(String, Option<RateLimit>)>,
    /// Log every request
    #[arg(long)]
    verbose: bool,
}

fn rate_limit(text: &str) -> std::result::Result<(String, Option<RateLimit>), String> {
    let (dialect, rate) = text.split_once('=').ok_or("it must be DIALECT=N/min")?;
    if !dialects::DIALECTS.contains(&dialect) {
        let suggestion = keys::suggestion(dialect, dialects::DIALECTS.iter().copied());
        return Err(format!("unknown dialect {dialect}{suggestion}"));
    }
    Ok((dialect.to_owned(), config::rate(rate)?))
}

/// Reads the command line and does what it says.
pub fn run() -> Result<()> {
    match Cli::parse().command {
        Command::Serve(arguments) => serve::serve(&Config::of(&arguments.settings()?)?),
        Command::Demo(arguments) => demo::demo(&demo_options(arguments)),
        Command::Config(ConfigCommand::Print { json, serve }) => {
            print_config(&serve.settings()?, json)
        }
        Command::Workspace(command) => admin::workspace(command),
        Command::Structure(command) => admin::structure(command),
        Command::Audience(command) => audience::audience(command),
        Command::Reach(arguments) => reach::reach(&arguments),
        Command::Overlap(arguments) => reach::overlap(&arguments),
        Command::Lookup(arguments) => reach::lookup(&arguments),
        Command::Credential(command) => admin::credential(command),
        Command::Account(command) => account::account(command),
        Command::Group(command) => group::group(command),
        Command::Key(command) => key::key(command),
        Command::Channel(command) => channel::channel(command),
        Command::Webhook(command) => webhook::webhook(command),
        Command::Outbox(command) => outbox::outbox(command),
        Command::Job(command) => job::job(command),
        Command::Import(ImportCommand::Audience(arguments)) => import::import_audience(&arguments),
        Command::Backup { file, place } => maintenance::backup(&place, &file),
        Command::Restore { file, place } => maintenance::restore(&place, &file),
        Command::Verify { place } => maintenance::verify(&place),
        Command::Dev(command) => dev::dev(command),
    }
}

fn demo_options(arguments: DemoArgs) -> demo::Options {
    let limits = arguments
        .rate_limit
        .into_iter()
        .filter_map(|(dialect, limit)| Some((dialect, limit?)));
    demo::Options {
        json: arguments.json,
        data: arguments.data,
        listen: arguments.listen,
        database_url: arguments.database_url,
        people: arguments.people,
        seed: arguments.seed,
        rate_limits: limits.collect(),
        verbose: arguments.verbose,
    }
}

/// Prints what `serve` would run with; fails where a value is wrong, as `serve` would.
fn print_config(settings: &Settings, as_json: bool) -> Result<()> {
    Config::of(settings)?;
    if as_json {
        let mut values = serde_json::Map::new();
        for key in keys::KEYS {
            let origin = settings.get(key.name).origin.to_string();
            values.insert(
                key.name.to_owned(),
                json!({"value": settings.shown(key.name), "origin": origin}),
            );
        }
        let mut hosts: Vec<_> = settings.hosts.iter().collect();
        hosts.sort_by_key(|(name, _)| name.as_str());
        let hosts = hosts.into_iter().map(|(name, mount)| {
            json!({"name": name, "prefix": mount.prefix, "workspace": mount.workspace})
        });
        let hosts: Vec<_> = hosts.collect();
        values.insert(
            keys::HOSTS.to_owned(),
            json!({"value": hosts, "origin": settings.hosts_origin.to_string()}),
        );
        let providers: Vec<_> = settings.providers.iter().map(|one| &one.uid).collect();
        values.insert(keys::PROVIDERS.to_owned(), json!({"value": providers}));
        return output::json(&serde_json::Value::Object(values));
    }
    let mut rows: Vec<Vec<String>> = Vec::new();
    for key in keys::KEYS {
        rows.push(vec![
            key.name.to_owned(),
            settings.shown(key.name),
            settings.get(key.name).origin.to_string(),
        ]);
    }
    rows.push(vec![
        keys::HOSTS.to_owned(),
        format!("{} names", settings.hosts.len()),
        settings.hosts_origin.to_string(),
    ]);
    output::table(&["key", "value", "origin"], &rows)
}
