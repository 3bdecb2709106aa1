//! The log: to standard error, as text where a person watches and as JSON otherwise. No personal data and no secret:
//! events name ids, routes and reasons. What other crates log below *warn* is left out, since they know nothing of that.

use std::{io::IsTerminal, panic::PanicHookInfo};

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// How much of our own crates' events is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    pub fn parse(text: &str) -> Option<Level> {
        Some(match text {
            "error" => Level::Error,
            "warn" => Level::Warn,
            "info" => Level::Info,
            "debug" => Level::Debug,
            "trace" => Level::Trace,
            _ => return None,
        })
    }

    fn as_str(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }
}

/// Starts the log of this process; later calls change nothing.
pub fn start(format: LogFormat, level: Level) {
    let level = level.as_str();
    let others = if level == "error" { "error" } else { "warn" };
    let filter = EnvFilter::new(format!("{others},throng={level}"));
    let json = match format {
        LogFormat::Auto => !std::io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = if json {
        builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .try_init()
    } else {
        builder
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init()
    };
    if started.is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
}

/// A panic is a defect. Only a text written in the source is logged: a formatted one could hold anything.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let reason = panic
        .payload()
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or("(a formatted text, not logged)");
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    tracing::error!(reason, place, "a defect: please report it with this line");
}
