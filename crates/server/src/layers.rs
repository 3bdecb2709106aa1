//! What surrounds every request, whatever its dialect: its id, its mount, its time limit, its line in the log, its place in
//! the metrics, and the headers that no answer goes without.

use std::{
    any::Any,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::MatchedPath,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header},
    middleware::{Next, from_fn},
    routing::get,
};
use dialects::{
    mount::{Hosts, resolve},
    request::{ClientAddress, Outcome, RequestId},
};
use domain::{Domain, Error};
use tokio::time::timeout;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    address::{Networks, client_address},
    config::Config,
    metrics::{Answered, Metrics},
    problem::{no_route, problem},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const REQUEST_ID_CHARS_MAX: usize = 64;
/// How long `/readyz` waits for the database.
const PING_TIME_MAX: Duration = Duration::from_secs(2);
/// The server's own routes: they belong to no dialect, and no host name moves them.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// All that answers requests. Cloning shares it.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    router: Router,
    domain: Domain,
    hosts: Hosts,
    metrics: Arc<Metrics>,
    trusted_proxies: Networks,
    request_time_max: Duration,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("App")
    }
}

impl App {
    pub fn new(domain: Domain, config: &Config) -> App {
        let metrics = Arc::new(Metrics::new());
        let router = router(&domain, config.dialects, &metrics);
        App(Arc::new(Inner {
            router,
            domain,
            hosts: config.hosts.clone(),
            metrics,
            trusted_proxies: config.trusted_proxies.clone(),
            request_time_max: config.request_time_max,
        }))
    }

    /// Answers a request that came over a connection from `peer`; never fails.
    pub async fn handle(&self, mut request: Request<Body>, peer: IpAddr) -> Response<Body> {
        let started = Instant::now();
        let id = request_id(request.headers());
        let method = method_label(request.method());
        let client = client_address(peer, request.headers(), &self.0.trusted_proxies);
        request.extensions_mut().insert(RequestId(id.clone()));
        request.extensions_mut().insert(ClientAddress(client));
        let mut response = match self.mounted(request).await {
            Ok(request) => self.routed(request).await,
            Err(response) => response,
        };
        self.note(&response, &id, method, started.elapsed());
        finish_headers(response.headers_mut(), &id);
        response
    }

    async fn mounted(&self, mut request: Request<Body>) -> Result<Request<Body>, Response<Body>> {
        if PROBES.contains(&request.uri().path()) {
            return Ok(request);
        }
        match resolve(&self.0.domain, &self.0.hosts, &mut request).await {
            Ok(()) => Ok(request),
            Err(Error::NotFound(_)) => Err(no_route()),
            Err(error) => {
                let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, &error.to_string());
                let context = error.context().map(str::to_owned);
                response.extensions_mut().insert(Outcome {
                    context,
                    ..Outcome::default()
                });
                Err(response)
            }
        }
    }

    async fn routed(&self, request: Request<Body>) -> Response<Body> {
        let answer = self.0.router.clone().oneshot(request);
        match timeout(self.0.request_time_max, answer).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_) => {
                let mut response = problem(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The request took too long; whether it was carried out is not known.",
                );
                let context = Some("request_time_max".to_owned());
                response.extensions_mut().insert(Outcome {
                    context,
                    ..Outcome::default()
                });
                response
            }
        }
    }

    /// The line in the log and the counters.
    fn note(
        &self,
        response: &Response<Body>,
        request_id: &str,
        method: &'static str,
        duration: Duration,
    ) {
        let extensions = response.extensions();
        let outcome = extensions.get::<Outcome>().cloned().unwrap_or_default();
        let template = extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        let dialect = template.map_or("server", dialect_of);
        let route = template.filter(|_| !outcome.unmatched);
        let status = response.status().as_u16();
        self.0.metrics.note(&Answered {
            dialect,
            route,
            method,
            status,
            duration,
        });

        let duration_ms = duration.as_micros() as f64 / 1_000.0;
        let Outcome {
            workspace,
            credential,
            context,
            ..
        } = outcome;
        let shown = route.unwrap_or("unmatched");
        if status >= 500 {
            tracing::warn!(
                method,
                route = shown,
                dialect,
                status,
                duration_ms,
                request_id,
                workspace,
                credential,
                context,
                "request"
            );
        } else if !PROBES.contains(&shown) {
            tracing::info!(
                method,
                route = shown,
                dialect,
                status,
                duration_ms,
                request_id,
                workspace,
                credential,
                context,
                "request"
            );
        }
    }
}

/// The dialects' routes and the server's own.
fn router(domain: &Domain, options: dialects::Options, metrics: &Arc<Metrics>) -> Router {
    let (pinged, told) = (domain.clone(), domain.clone());
    let metrics = Arc::clone(metrics);
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(move || readyz(pinged.clone())))
        .route(
            "/metrics",
            get(move || metrics_text(metrics.clone(), told.clone())),
        )
        .merge(crate::start::dialect_routes(domain, options))
        .fallback(|| async { no_route() })
        .method_not_allowed_fallback(|| async {
            problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "This route does not take this method.",
            )
        })
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn(keep_template))
}

async fn readyz(domain: Domain) -> Response<Body> {
    match timeout(PING_TIME_MAX, domain.store().ping()).await {
        Ok(Ok(())) => Response::new(Body::from("ready\n")),
        failed => {
            let context = match failed {
                Ok(Err(error)) => error.to_string(),
                _ => "the database did not answer in time".to_owned(),
            };
            let mut response = problem(
                StatusCode::SERVICE_UNAVAILABLE,
                "The database does not answer.",
            );
            response.extensions_mut().insert(Outcome {
                context: Some(context),
                ..Outcome::default()
            });
            response
        }
    }
}

async fn metrics_text(metrics: Arc<Metrics>, domain: Domain) -> Response<Body> {
    let mut response = Response::new(Body::from(metrics.text(&domain)));
    let kind =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The panic hook has logged it.
fn panicked(_reason: Box<dyn Any + Send + 'static>) -> Response<Body> {
    problem(
        StatusCode::INTERNAL_SERVER_ERROR,
        "The server failed. The request's id finds the reason in its log.",
    )
}

/// The template is known inside the router only; the log line is written outside.
async fn keep_template(request: Request<Body>, next: Next) -> Response<Body> {
    let template = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    if let Some(template) = template {
        response.extensions_mut().insert(template);
    }
    response
}

fn dialect_of(template: &str) -> &'static str {
    let first = template.split('/').nth(1).unwrap_or_default();
    match first {
        "api" | "openapi.json" | "docs" => domain::NATIVE,
        // The vendor has two hosts.
        "thrive-user" => dialects::thrive::DIALECT,
        "hooks" => "hooks",
        first => dialects::DIALECTS
            .iter()
            .copied()
            .find(|dialect| *dialect == first)
            .unwrap_or("server"),
    }
}

/// Methods as they may be logged: a client may invent any.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// The caller's id where it is harmless, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    given
        .filter(|id| (1..=REQUEST_ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(harmless))
        .map_or_else(crate::start::random_id, str::to_owned)
}

fn finish_headers(headers: &mut HeaderMap, request_id: &str) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    let mut default = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    default(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    default(header::REFERRER_POLICY, "no-referrer");
    default(header::CACHE_CONTROL, "no-store");
    default(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_request_ids_are_kept() {
        let of = |id: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_static(id));
            request_id(&headers)
        };
        assert_eq!(of("job-17_a.b"), "job-17_a.b");
        for wrong in [
            "",
            "a b",
            "ann@example.org",
            "a/b",
            "00000000001111111111222222222233333333334444444444555555555566666",
        ] {
            let made = of(wrong);
            assert!(made != wrong && made.len() == 32, "{wrong}");
        }
    }

    #[test]
    fn a_template_tells_its_dialect() {
        let dialects: Vec<&str> = [
            "/criteo/v1/audiences",
            "/api/v1/structures",
            "/docs",
            "/openapi.json",
            "/livez",
            "/thrive/rest/v1/audiences",
            "/thrive-user/webhooks",
            "/hooks/{kind}/{token}",
        ]
        .map(dialect_of)
        .into();
        let expected = [
            "criteo", "native", "native", "native", "server", "thrive", "thrive", "hooks",
        ];
        assert_eq!(dialects, expected);
    }
}
