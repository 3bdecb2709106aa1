//! The one HTTP client for everything that leaves the server, with the rules on what it may reach.
//!
//! An operator or a tenant names URLs; none of them may lead into the operator's own network unless `outbound.allow` says
//! so. A name is resolved here, each address is judged, and only those that passed are handed to the connector: what was
//! checked is what is connected to. No redirect is followed, no proxy variable is read, and bytes and time are capped.

use std::{
    error::Error as _,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use domain::{
    Outbound, OutboundAnswer, OutboundError, OutboundFuture, OutboundMethod, OutboundRequest,
};
use reqwest::{
    Client, Method, Response, Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use tokio::time::timeout;

use crate::address::{Allowed, is_public};

const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a connection may wait for another request to the same host.
const IDLE_TIME_MAX: Duration = Duration::from_secs(30);
/// As many as requests to one host are under way at once, so that none of them has to connect anew.
const IDLE_CONNECTIONS_MAX: usize = 128;
/// Characters of a URL.
const URL_CHARS_MAX: usize = 2_048;

type Sent<T> = Result<T, OutboundError>;

/// Sends requests by the rules.
#[derive(Clone)]
pub struct HttpClient {
    allowed: Arc<Allowed>,
    lookup: Arc<dyn Resolve>,
    /// Made at the first request: reading the system's certificates takes a while.
    clients: Arc<OnceLock<Result<Clients, String>>>,
}

/// Two, since names are judged where they are resolved, and plain HTTP is held to the stricter rule.
struct Clients {
    https: Client,
    http: Client,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpClient")
    }
}

impl HttpClient {
    pub fn new(allowed: Allowed) -> HttpClient {
        HttpClient::with_lookup(allowed, Arc::new(SystemLookup))
    }

    fn with_lookup(allowed: Allowed, lookup: Arc<dyn Resolve>) -> HttpClient {
        HttpClient {
            allowed: Arc::new(allowed),
            lookup,
            clients: Arc::default(),
        }
    }

    fn clients(&self) -> Sent<&Clients> {
        let made = self.clients.get_or_init(|| {
            let tls = tls().map_err(|error| error.to_string())?;
            let client = |rule: Rule| {
                let judged = Judged {
                    rule,
                    allowed: Arc::clone(&self.allowed),
                    lookup: Arc::clone(&self.lookup),
                };
                Client::builder()
                    .tls_backend_preconfigured(tls.clone())
                    .dns_resolver(judged)
                    .no_proxy()
                    .redirect(redirect::Policy::none())
                    .retry(reqwest::retry::never())
                    .referer(false)
                    .http1_only()
                    .connect_timeout(CONNECT_TIME_MAX)
                    .pool_idle_timeout(IDLE_TIME_MAX)
                    .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
                    .user_agent(concat!("throng/", env!("CARGO_PKG_VERSION")))
                    .build()
                    .map_err(|error| error.to_string())
            };
            Ok(Clients {
                https: client(Rule::PublicOrAllowed)?,
                http: client(Rule::Allowed)?,
            })
        });
        made.as_ref()
            .map_err(|reason| OutboundError::Unreachable(reason.clone()))
    }

    /// The URL and the rule that its host is under. A host that is an address already is judged here, since no resolver
    /// will see it; the parser has brought its odd forms (`0x7f.1`, `2130706433`) into the usual one.
    fn checked(&self, text: &str) -> Sent<(Url, Rule)> {
        let refused = |reason: &str| OutboundError::Refused(reason.to_owned());
        if text.len() > URL_CHARS_MAX {
            return Err(refused("the URL is too long"));
        }
        let url = Url::parse(text).map_err(|error| refused(&format!("not a URL: {error}")))?;
        let rule = match url.scheme() {
            "https" => Rule::PublicOrAllowed,
            "http" => Rule::Allowed,
            _ => return Err(refused("neither https nor http")),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("the URL holds a user or password"));
        }
        let host = url.host_str().unwrap_or_default();
        if host.trim_matches('.').is_empty() {
            return Err(refused("the URL has no host"));
        }
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        if let Ok(address) = bare.unwrap_or(host).parse::<IpAddr>() {
            rule.judge(&self.allowed, address)?;
        }
        Ok((url, rule))
    }

    async fn sent(&self, request: OutboundRequest) -> Sent<OutboundAnswer> {
        let (url, rule) = self.checked(&request.url)?;
        let clients = self.clients()?;
        let client = match rule {
            Rule::PublicOrAllowed => &clients.https,
            Rule::Allowed => &clients.http,
        };
        let method = match request.method {
            OutboundMethod::Get => Method::GET,
            OutboundMethod::Post => Method::POST,
        };
        let mut builder = client.request(method, url).body(request.body);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let response = builder.send().await.map_err(|error| failure(&error))?;
        answer(response, request.bytes_max).await
    }
}

impl Outbound for HttpClient {
    fn send(&self, request: OutboundRequest) -> OutboundFuture<'_> {
        Box::pin(async move {
            let time_max = request.time_max;
            timeout(time_max, self.sent(request))
                .await
                .unwrap_or(Err(OutboundError::TimedOut))
        })
    }

    fn refuses(&self, url: &str) -> bool {
        let Ok((url, _)) = self.checked(url) else {
            return true;
        };
        // This machine by the name that every resolver gives it (RFC 6761 section 6.3).
        let host = url.host_str().unwrap_or_default();
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_local = host == "localhost" || host.ends_with(".localhost");
        let allowed = self.allowed.has_host(host)
            || [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
                .into_iter()
                .any(|address| self.allowed.has_address(address));
        is_local && !allowed
    }
}

async fn answer(mut response: Response, bytes_max: usize) -> Sent<OutboundAnswer> {
    let longer = |length: u64| usize::try_from(length).is_ok_and(|length| length > bytes_max);
    if response.content_length().is_some_and(longer) {
        return Err(OutboundError::TooLarge);
    }
    let headers = response.headers().iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    });
    let headers = headers.collect();
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + chunk.len() > bytes_max {
            return Err(OutboundError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(OutboundAnswer {
        status,
        headers,
        body,
    })
}

/// What went wrong, without the URL, which may hold a secret.
fn failure(error: &reqwest::Error) -> OutboundError {
    if error.is_timeout() {
        return OutboundError::TimedOut;
    }
    let mut reason = "no connection".to_owned();
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(refused) = error.downcast_ref::<OutboundError>() {
            return refused.clone();
        }
        reason = error.to_string();
        source = error.source();
    }
    OutboundError::Unreachable(reason)
}

fn tls() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(builder
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// What a host's address must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// For https.
    PublicOrAllowed,
    /// For plain HTTP: only what the operator has named.
    Allowed,
}

impl Rule {
    fn passes(self, allowed: &Allowed, address: IpAddr) -> bool {
        let public = self == Rule::PublicOrAllowed && is_public(address);
        public || allowed.has_address(address)
    }

    fn judge(self, allowed: &Allowed, address: IpAddr) -> Sent<()> {
        if self.passes(allowed, address) {
            return Ok(());
        }
        Err(self.refusal())
    }

    fn refusal(self) -> OutboundError {
        let reason = match self {
            Rule::PublicOrAllowed => "the host has no public address and is not in outbound.allow",
            Rule::Allowed => "plain HTTP to a host that is not in outbound.allow",
        };
        OutboundError::Refused(reason.to_owned())
    }
}

/// Resolves names and hands on only the addresses that pass.
struct Judged {
    rule: Rule,
    allowed: Arc<Allowed>,
    lookup: Arc<dyn Resolve>,
}

impl Resolve for Judged {
    fn resolve(&self, name: Name) -> Resolving {
        let (rule, allowed) = (self.rule, Arc::clone(&self.allowed));
        // A name that the operator has written down may point wherever its owner likes.
        let named = allowed.has_host(name.as_str());
        let found = self.lookup.resolve(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = found.await?.collect();
            let any = !found.is_empty();
            let passing = found
                .into_iter()
                .filter(|address| named || rule.passes(&allowed, address.ip()));
            let passing: Vec<SocketAddr> = passing.collect();
            if passing.is_empty() && any {
                return Err(rule.refusal().into());
            }
            Ok(Box::new(passing.into_iter()) as Addrs)
        })
    }
}

/// The system's resolver.
struct SystemLookup;

impl Resolve for SystemLookup {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The connector puts in the URL's port.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests;
