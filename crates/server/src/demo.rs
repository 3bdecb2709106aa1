//! `throng demo`: a filled workspace and ready-to-paste credentials.
//!
//! The credentials stay in `demo.json` in the data folder, since a secret cannot be read back: another demo on the same
//! folder prints them again and fills nothing twice.

use std::{
    collections::HashMap,
    fs,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use domain::{
    AudienceNew, Caller, Clock, Context, CredentialNew, CredentialSecret, Domain, Kind, Random,
    RateLimit, StructureNew, Workspace,
};
use serde::{Deserialize, Serialize};

use crate::{
    address::Allowed,
    config::{Config, LogFormat},
    demo_accounts::{self, Accounts},
    demo_sunshine::{self, Sunshine},
    demo_thrive::{self, Thrive},
    failure::{Exit, Failure, Result},
    first_start::administrator,
    listener,
    logging::{self, Level},
    outbox_worker::ChannelDelivery,
    output,
    people::{List, Somebody},
    serve, start,
    start::Fresh,
};

const FILE: &str = "demo.json";
/// Identifiers of one batch.
const BATCH_IDENTIFIERS_MAX: usize = 50_000;
/// The dialect of the demo's uploader.
const CRITEO: &str = dialects::criteo::DIALECT;

/// What `throng demo` is told.
#[derive(Debug, Clone)]
pub struct Options {
    pub json: bool,
    pub data: Option<PathBuf>,
    pub listen: Option<String>,
    pub database_url: Option<String>,
    pub people: u64,
    pub seed: Option<u64>,
    pub rate_limits: HashMap<String, RateLimit>,
    pub verbose: bool,
}

/// What the demo remembers of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Made {
    seed: Option<u64>,
    people: u64,
    native_token: String,
    criteo_client_id: String,
    criteo_client_secret: String,
    advertiser_id: i64,
    foreign_advertiser_id: i64,
    accounts: Accounts,
    thrive: Thrive,
    sunshine: Sunshine,
}

/// Runs until SIGTERM or SIGINT.
pub fn demo(options: &Options) -> Result<()> {
    logging::start(
        LogFormat::Auto,
        if options.verbose {
            Level::Info
        } else {
            Level::Warn
        },
    );
    let temporary = if options.data.is_none() {
        Some(Temporary::new()?)
    } else {
        None
    };
    let data = options
        .data
        .clone()
        .or_else(|| temporary.as_ref().map(|folder| folder.0.clone()))
        .unwrap_or_default();
    let mut config = Config::defaults()?;
    config.listen = options.listen.clone().unwrap_or(config.listen);
    config.database_url.clone_from(&options.database_url);
    config.rate_limits.clone_from(&options.rate_limits);
    config.outbound_allow = Allowed::loopback();
    config.channel_delivery = ChannelDelivery::Kept;
    config.data = data;

    let bound = listener::bind(&config)?;
    let kept = read_made(&config.data)?;
    // What a seed gives was given by the first run: a second one must not draw the same secrets again.
    let fresh = match (options.seed, &kept) {
        (Some(seed), None) => Fresh::seeded(seed)?,
        _ => Fresh::random()?,
    };
    let clock = Clock::system();
    let store = start::open_store(&config, &clock, fresh.master, fresh.database_id)?;
    let runtime = start::runtime(config.worker_threads)?;
    runtime.block_on(async {
        let random = fresh.random.clone();
        let domain = start::start_domain(&config, store, clock, fresh.random, bound.url()).await?;
        let made = match kept {
            Some(made) => reuse(made, options),
            None => make(&domain, &random, options, &config.data).await?,
        };
        let folder = start::shown(&config.data);
        serve::run(&config, bound, domain, |url| {
            print(url, &folder, &made, options)
        })
        .await
    })
}

fn reuse(made: Made, options: &Options) -> Made {
    if options.seed.is_some_and(|seed| made.seed != Some(seed)) {
        output::note(
            "The data folder holds a demo already, made with another seed: it stays as it is.",
        );
    }
    made
}

async fn make(domain: &Domain, random: &Random, options: &Options, data: &Path) -> Result<Made> {
    let (workspace, made_now) = domain.workspace_default().await?;
    if !made_now {
        return Err(Failure::new(
            Exit::Data,
            format!(
                "the database holds a workspace that no demo has finished making ({} is missing): choose another folder \
                 or database for the demo, or start this one with throng serve",
                data.join(FILE).display()
            ),
        ));
    }
    let seed = match options.seed {
        Some(seed) => seed,
        None => u64::from_le_bytes(Random::system().bytes()?),
    };
    let context = Context::new(Caller::server(workspace.id), "demo");
    // First of all, so that their ids are 1 and 2.
    let advertiser = structure(domain, &context, "Demo shop").await?;
    let foreign = structure(domain, &context, "Another shop").await?;
    let (native, criteo) = credentials(domain, &workspace, &context, advertiser).await?;
    fill(domain, &context, advertiser, seed, options.people).await?;
    let made = Made {
        seed: options.seed,
        people: options.people,
        native_token: native.secret,
        criteo_client_id: criteo.credential.client_id,
        criteo_client_secret: criteo.secret,
        advertiser_id: advertiser,
        foreign_advertiser_id: foreign,
        accounts: demo_accounts::accounts(domain, &context, random).await?,
        thrive: demo_thrive::company(domain, &context).await?,
        sunshine: demo_sunshine::app(domain, &context).await?,
    };
    write_made(data, &made)?;
    Ok(made)
}

async fn structure(domain: &Domain, context: &Context, name: &str) -> Result<i64> {
    Ok(domain
        .structure_create(context, StructureNew::new(name))
        .await?
        .id)
}

/// The administrator's token and the uploader's client.
async fn credentials(
    domain: &Domain,
    workspace: &Workspace,
    context: &Context,
    advertiser: i64,
) -> Result<(CredentialSecret, CredentialSecret)> {
    let native = administrator(domain, workspace).await?;
    let new = CredentialNew {
        dialect: CRITEO.into(),
        name: "Demo uploader".into(),
        scopes: String::new(),
        structures: Some(vec![advertiser]),
        expires: None,
        keep_secret: false,
    };
    let criteo = domain
        .credential_create(context, new, dialects::DIALECTS)
        .await?;
    Ok((native, criteo))
}

/// Makes the audiences and adds the people, list by list, through the same verbs as every dialect.
async fn fill(
    domain: &Domain,
    context: &Context,
    advertiser: i64,
    seed: u64,
    people: u64,
) -> Result<()> {
    for list in List::ALL {
        let new = AudienceNew {
            description: Some(list.description().into()),
            ..AudienceNew::new(advertiser, list.name())
        };
        let audience = domain.audience_create(context, new).await?.id;
        let mut members = (0..people)
            .map(|index| Somebody::new(seed, index))
            .filter(|one| one.is_in(list))
            .peekable();
        while members.peek().is_some() {
            let mut batch = domain.batch(&context.caller, BATCH_IDENTIFIERS_MAX).await?;
            let mut identifiers = 0;
            // One person has two at most.
            while identifiers + 2 <= BATCH_IDENTIFIERS_MAX
                && let Some(somebody) = members.next()
            {
                identifiers += 1 + usize::from(somebody.mobile_ad.is_some());
                let malformed = |_| Failure::failed("a synthetic identifier is malformed");
                batch
                    .identifier(Kind::Email, "", &somebody.email)
                    .map_err(malformed)?;
                if let Some(id) = &somebody.mobile_ad {
                    batch
                        .identifier(Kind::MobileAd, "", id)
                        .map_err(malformed)?;
                }
                batch.end_person();
            }
            domain.member_add(context, audience, batch.finish()).await?;
        }
    }
    Ok(())
}

fn read_made(data: &Path) -> Result<Option<Made>> {
    let path = data.join(FILE);
    match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|_| {
            Failure::new(
                Exit::Data,
                format!(
                    "{} is not what a demo wrote: choose another folder",
                    path.display()
                ),
            )
        }),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(Failure::new(
            Exit::Data,
            format!("cannot read {}: {error}", path.display()),
        )),
    }
}

/// Mode 0600, like the master key beside it.
fn write_made(data: &Path, made: &Made) -> Result<()> {
    let path = data.join(FILE);
    let fail = |error: std::io::Error| {
        Failure::new(
            Exit::Data,
            format!("cannot write {}: {error}", path.display()),
        )
    };
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&path).map_err(fail)?;
    let text = serde_json::to_string_pretty(made).map_err(|error| fail(error.into()))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(fail)
}

fn print(url: &str, data: &str, made: &Made, options: &Options) -> Result<()> {
    if options.json {
        return output::json(&as_json(url, data, made));
    }
    output::line(&as_text(url, data, made))
}

/// DESIGN section 7: the one line that scripts rely on.
fn as_json(url: &str, data: &str, made: &Made) -> serde_json::Value {
    serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "url": url,
        "data": data,
        "native": {"base": format!("{url}/api/v1"), "token": made.native_token},
        "criteo": {
            "base": format!("{url}/criteo/marketing"),
            "client_id": made.criteo_client_id,
            "client_secret": made.criteo_client_secret,
            "advertiser_id": made.advertiser_id,
            "foreign_advertiser_id": made.foreign_advertiser_id,
        },
        "a2": made.accounts.a2_json(url),
        "opendatasoft": made.accounts.opendatasoft_json(url),
        "thrive": made.thrive.json(url),
        "sunshine": made.sunshine.json(url),
    })
}

fn as_text(url: &str, data: &str, made: &Made) -> String {
    let Made {
        native_token,
        criteo_client_id,
        criteo_client_secret,
        advertiser_id,
        people,
        accounts,
        thrive,
        sunshine,
        ..
    } = made;
    format!(
        r#"Throng {version} is ready at {url}, with {people} synthetic people. Ctrl-C stops it.
Data: {data}

Native API ({url}/docs):

  export THRONG_URL={url} THRONG_TOKEN={native_token}
  throng audience list
  curl -H "Authorization: Bearer $THRONG_TOKEN" {url}/api/v1/audiences

Criteo Marketing API, with the vendor's own client (pip install criteo-marketing):

  import criteo_marketing as criteo
  client = criteo.ApiClient(criteo.Configuration(host="{url}/criteo/marketing"))
  token = criteo.AuthenticationApi(client).o_auth2_token_post(
      client_id="{criteo_client_id}",
      client_secret="{criteo_client_secret}",
      grant_type="client_credentials")
  print(criteo.AudiencesApi(client).get_audiences("Bearer " + token.access_token, advertiser_id={advertiser_id}))
{accounts}{thrive}{sunshine}"#,
        version = env!("CARGO_PKG_VERSION"),
        people = output::count(*people),
        accounts = accounts.text(url),
        thrive = thrive.text(url),
        sunshine = sunshine.text(url),
    )
}

/// A folder that goes away with the demo.
#[derive(Debug)]
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Result<Temporary> {
        let path = std::env::temp_dir().join(format!("throng-demo-{}", start::random_id()));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path).map_err(|error| {
            Failure::new(
                Exit::Data,
                format!("cannot make a temporary folder: {error}"),
            )
        })?;
        Ok(Temporary(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            output::note(&format!("{} was not removed: {error}", self.0.display()));
        }
    }
}
