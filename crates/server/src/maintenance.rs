//! `throng backup`, `restore` and `verify`: what is done to a database rather than through a server.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use clap::Args;
use domain::Clock;
use serde_json::json;
use store::{DataFolder, DatabaseUrl};

use crate::{
    cli::environment,
    config::{Config, Given, Settings},
    failure::{Exit, Failure, Result},
    output::{self, count},
};

/// Work that takes longer is told about, and again as often.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

/// Which database.
#[derive(Debug, Args)]
pub struct Place {
    /// The configuration, in TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder: database and master key
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// postgres://USER:PASSWORD@HOST/NAME, or a SQLite file
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Print JSON for programs
    #[arg(long)]
    json: bool,
}

impl Place {
    pub fn is_json(&self) -> bool {
        self.json
    }

    pub fn config(&self) -> Result<Config> {
        let flags = [
            ("data", &self.data, "--data"),
            ("database_url", &self.database_url, "--database-url"),
        ];
        let given = flags.into_iter().filter_map(|(key, value, flag)| {
            Some((key.to_owned(), value.clone()?, flag.to_owned()))
        });
        let given = Given {
            file: self.config.clone(),
            values: given.collect(),
        };
        Config::of(&Settings::gather(&given, environment()?.into_iter())?)
    }
}

fn url(config: &Config) -> Result<DatabaseUrl> {
    let size_max = config.database_size_bytes_max;
    Ok(DatabaseUrl::parse(
        config.database_url.as_deref(),
        &config.data,
        size_max,
    )?)
}

/// Tells now and then how far something is.
fn teller(what: &'static str) -> impl FnMut(&str, String) {
    let mut told = Instant::now();
    move |part, done| {
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            output::note(&format!("{what} {part}: {done}"));
        }
    }
}

/// A copy of the whole database beside a running server. The master key is not in it.
pub fn backup(place: &Place, out: &std::path::Path) -> Result<()> {
    let config = place.config()?;
    let mut tell = teller("copying");
    let report = store::backup(&url(&config)?, out, &mut |table, rows| {
        tell(table, format!("{} rows", count(rows)))
    })?;
    if place.json {
        return output::json(
            &json!({"file": out, "tables": report.tables, "rows": report.rows, "bytes": report.bytes}),
        );
    }
    output::line(&format!(
        "{} holds {} rows of {} tables, {} bytes. Keep {} with it, in another place: without that key the backup cannot be \
         used.",
        out.display(),
        count(report.rows),
        report.tables,
        count(report.bytes),
        config.data.join("master.key").display()
    ))
}

/// A backup into an empty database.
pub fn restore(place: &Place, backup: &std::path::Path) -> Result<()> {
    let config = place.config()?;
    let folder = DataFolder::open(&config.data)?;
    let mut tell = teller("restoring");
    let report = store::restore(
        &folder,
        &url(&config)?,
        backup,
        Clock::system().now_ms(),
        &mut |table, rows| {
            tell(table, format!("{} rows", count(rows)));
        },
    )?;
    if place.json {
        let key = report.master_key_present;
        return output::json(
            &json!({"tables": report.tables, "rows": report.rows, "master_key_present": key}),
        );
    }
    let restored = format!(
        "{} rows of {} tables are restored.",
        count(report.rows),
        report.tables
    );
    if report.master_key_present {
        return output::line(&format!(
            "{restored} throng serve --data {} starts it.",
            config.data.display()
        ));
    }
    let key = config.data.join("master.key");
    output::line(&format!(
        "{restored} Now copy the master.key of the backed-up server to {}, then start it.",
        key.display()
    ))
}

/// Recounts everything from the log. What does not fit is exit status 1.
pub fn verify(place: &Place) -> Result<()> {
    let config = place.config()?;
    let mut tell = teller("verifying");
    let report = store::verify(&config.data, &url(&config)?, &mut |workspace, done, all| {
        tell(
            workspace,
            format!("{} of {} changes", count(done), count(all)),
        );
    })?;
    if place.json {
        output::json(&json!({
            "sound": report.is_sound(),
            "workspaces": report.workspaces,
            "changes": report.changes,
            "keys": report.keys,
            "people": report.people,
            "sets": report.sets,
            "members": report.members,
            "snapshots": report.snapshots,
            "filled": report.filled,
            "identifiers": report.identifiers,
            "findings": report.findings,
            "findings_count": report.findings_count,
        }))?;
    } else {
        output::line(&format!(
            "{} workspaces, {} changes, {} keys, {} people, {} sets with {} members, {} snapshots, {} sealed identifiers",
            count(report.workspaces),
            count(report.changes),
            count(report.keys),
            count(report.people),
            count(report.sets),
            count(report.members),
            count(report.snapshots),
            count(report.identifiers),
        ))?;
        if report.filled > 0 {
            output::line(&format!(
                "{} sets were filled by throng dev fill: they are what the hashes in the log say; no history leads to them.",
                count(report.filled)
            ))?;
        }
        report
            .findings
            .iter()
            .try_for_each(|finding| output::line(&format!("  {finding}")))?;
    }
    if report.is_sound() {
        return if place.json {
            Ok(())
        } else {
            output::line("Everything fits.")
        };
    }
    Err(Failure::new(
        Exit::Failed,
        format!("{} things do not fit", count(report.findings_count)),
    ))
}
