//! What `/metrics` tells, in the text form of OpenMetrics: requests by dialect, route template, method and status, their
//! times, and how full the engine is. No identifier and no raw path ever becomes a label.

use std::{fmt, time::Duration};

use domain::Domain;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SetLabels {
    event: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    dialect: &'static str,
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    dialect: &'static str,
    route: String,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DialectLabels {
    dialect: &'static str,
}

/// Upper bounds in seconds: from a look-up to a batch of 50,000 on a slow disk.
const BUCKETS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

type Durations = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// A request that was answered.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    pub dialect: &'static str,
    /// The template that matched; nothing where none did.
    pub route: Option<&'a str>,
    pub method: &'static str,
    pub status: u16,
    pub duration: Duration,
}

/// The counters of this process.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Durations,
    unmatched: Family<DialectLabels, Counter>,
    keys: Gauge,
    dictionary_bytes: Gauge,
    set_bytes: Gauge,
    sets: Family<SetLabels, Gauge>,
    queue: Gauge,
    people: Gauge,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    pub fn new() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("throng"),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            unmatched: Family::default(),
            keys: Gauge::default(),
            dictionary_bytes: Gauge::default(),
            set_bytes: Gauge::default(),
            sets: Family::default(),
            queue: Gauge::default(),
            people: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        registry.register("requests", "Requests answered", metrics.requests.clone());
        registry.register(
            "request_seconds",
            "Time from a request's head to its answer",
            metrics.durations.clone(),
        );
        registry.register(
            "unmatched_requests",
            "Requests that no route matched",
            metrics.unmatched.clone(),
        );
        registry.register("keys", "Keys in the dictionaries", metrics.keys.clone());
        registry.register(
            "dictionary_bytes",
            "Memory of the dictionaries",
            metrics.dictionary_bytes.clone(),
        );
        registry.register(
            "set_bytes",
            "Memory of the published sets",
            metrics.set_bytes.clone(),
        );
        registry.register(
            "sets",
            "How often a set was found in memory (hit), read from its file or the database (miss), put away (eviction), \
             rebuilt from the database (rebuild); files of sets found damaged, or not written",
            metrics.sets.clone(),
        );
        registry.register(
            "queued_commands",
            "Commands waiting for the committer",
            metrics.queue.clone(),
        );
        registry.register(
            "people",
            "People known in all workspaces",
            metrics.people.clone(),
        );
        metrics
    }

    pub fn note(&self, answered: &Answered<'_>) {
        let Answered {
            dialect,
            route,
            method,
            status,
            duration,
        } = *answered;
        if route.is_none() {
            self.unmatched
                .get_or_create(&DialectLabels { dialect })
                .inc();
        }
        let route = route.unwrap_or("unmatched").to_owned();
        self.durations
            .get_or_create(&RouteLabels {
                dialect,
                route: route.clone(),
                method,
            })
            .observe(duration.as_secs_f64());
        self.requests
            .get_or_create(&RequestLabels {
                dialect,
                route,
                method,
                status,
            })
            .inc();
    }

    /// The text, with the engine's numbers as they are now.
    pub fn text(&self, domain: &Domain) -> String {
        let (keys, dictionary_bytes, set_bytes) = domain.store().memory();
        let shelf = domain.store().shelf();
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.keys.set(whole(keys));
        self.dictionary_bytes.set(whole(dictionary_bytes as u64));
        self.set_bytes.set(whole(set_bytes as u64));
        for (event, count) in [
            ("hit", shelf.hits),
            ("miss", shelf.misses),
            ("eviction", shelf.evictions),
            ("rebuild", shelf.rebuilds),
            ("damaged", shelf.damaged),
            ("unwritten", shelf.unwritten),
        ] {
            let labels = SetLabels { event };
            self.sets.get_or_create(&labels).set(whole(count));
        }
        self.queue.set(whole(domain.store().queue_len() as u64));
        self.people.set(whole(domain.store().people()));
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
