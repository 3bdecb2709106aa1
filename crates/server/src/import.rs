//! `throng audience import` (or `throng import audience`): a CSV file of any size, batch by batch, each applied once however often the import is stopped,
//! killed and started again.

use std::{
    fs::{self, File},
    io::{BufWriter, IsTerminal, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use csv::Position;
use domain::Kind;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use crate::{
    api::{Api, Connection, Refusal},
    failure::{Exit, Failure, Result},
    import_file::{Choice, Row, Rows, fingerprint},
    import_state::{Job, State, Totals},
    interrupt::Interrupt,
    output::{self, count},
    start::random_id,
};

/// How often a batch is sent before the import gives up; it can then be resumed.
const ATTEMPTS_MAX: u32 = 8;
/// The first wait between two attempts; each further one is twice as long.
const WAIT_FIRST: Duration = Duration::from_millis(250);
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Wrong rows shown where no error file is asked for.
const ERRORS_SHOWN_MAX: usize = 10;

#[derive(Debug, Args)]
pub struct ImportAudience {
    /// The id of the audience
    audience: i64,
    /// A CSV file in UTF-8
    file: PathBuf,
    /// What the identifiers are: email (addresses, or MD5 or SHA-256 of them), phone, mobile_ad, identity_link, cookie, external
    #[arg(long, value_parser = kind)]
    kind: Kind,
    /// The column: its name, or its number from 1; found by itself where only one can be meant
    #[arg(long, value_name = "NAME|N")]
    column: Option<String>,
    /// Whose identifiers they are, for the kinds cookie and external
    #[arg(long)]
    namespace: Option<String>,
    /// The first row is data, whatever it looks like
    #[arg(long)]
    no_header: bool,
    /// Check the rows and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Write the rows that are no identifiers to this file, with the reason
    #[arg(long, value_name = "FILE")]
    errors: Option<PathBuf>,
    /// Identifiers sent at once
    #[arg(long, default_value_t = 50_000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    batch: u32,
    #[command(flatten)]
    connection: Connection,
}

fn kind(text: &str) -> std::result::Result<Kind, String> {
    Kind::parse(text)
        .ok_or_else(|| format!("the kinds are {}", Kind::ALL.map(Kind::as_str).join(", ")))
}

/// What an import has at hand.
struct Import<'a> {
    arguments: &'a ImportAudience,
    rows: Rows,
    errors: Errors,
    bar: ProgressBar,
    state: State,
    state_path: PathBuf,
}

/// The rows of one batch.
#[derive(Debug, Default)]
struct Batch {
    values: Vec<String>,
    rows: u64,
    invalid: u64,
}

pub fn import_audience(arguments: &ImportAudience) -> Result<()> {
    if arguments.kind.needs_namespace()
        && arguments
            .namespace
            .as_deref()
            .is_none_or(|text| text.trim().is_empty())
    {
        return Err(Failure::usage(format!(
            "the kind {} needs --namespace",
            arguments.kind.as_str()
        )));
    }
    let same =
        |errors: &PathBuf| fs::canonicalize(errors).ok() == fs::canonicalize(&arguments.file).ok();
    if arguments
        .errors
        .as_ref()
        .is_some_and(|errors| errors.exists() && same(errors))
    {
        return Err(Failure::usage(
            "--errors names the file that is to be imported: it would be overwritten",
        ));
    }
    let api = if arguments.dry_run {
        None
    } else {
        Some(Api::new(&arguments.connection)?)
    };
    let mut import = Import::open(arguments, api.as_ref())?;
    let interrupt = Interrupt::catch()?;
    let outcome = import.run(api.as_ref(), &interrupt);
    import.bar.finish_and_clear();
    import.errors.show();
    outcome?;
    import.finish()
}

impl<'a> Import<'a> {
    fn open(arguments: &'a ImportAudience, api: Option<&Api>) -> Result<Import<'a>> {
        let path = &arguments.file;
        let choice = Choice {
            column: arguments.column.as_deref(),
            no_header: arguments.no_header,
            kind: arguments.kind,
        };
        let mut rows = Rows::open(path, choice)?;
        let job = Job {
            fingerprint: fingerprint(path)?,
            url: api.map(|api| api.url().to_owned()).unwrap_or_default(),
            audience: arguments.audience,
            kind: arguments.kind.as_str().to_owned(),
            namespace: arguments.namespace.clone(),
            column: rows.column().index + 1,
            header: rows.column().header,
            batch: arguments.batch as usize,
            errors: arguments.errors.clone(),
        };
        let state_path = State::path(path);
        let kept = if arguments.dry_run {
            None
        } else {
            State::read(&state_path)?
        };
        let state = match kept {
            Some(kept) => resumed(kept, &job, &state_path)?,
            None => started(job, &rows),
        };
        let mut position = Position::new();
        position
            .set_byte(state.byte)
            .set_line(state.line)
            .set_record(state.record);
        rows.seek(path, position)?;
        let errors = Errors::open(arguments.errors.as_deref(), state.errors_bytes)?;
        let bar = progress_bar(rows.bytes, state.byte);
        Ok(Import {
            arguments,
            rows,
            errors,
            bar,
            state,
            state_path,
        })
    }

    fn run(&mut self, api: Option<&Api>, interrupt: &Interrupt) -> Result<()> {
        if api.is_some() {
            self.state.write(&self.state_path)?;
        }
        loop {
            let batch = self.read_batch()?;
            if batch.rows == 0 {
                return Ok(());
            }
            let valid = batch.values.len() as u64;
            let answer = match api {
                Some(api) if valid > 0 => Some(self.send(api, batch.values, interrupt)?),
                _ => None,
            };
            self.note(batch.rows, valid, batch.invalid, answer.as_ref());
            if api.is_some() {
                self.errors.flush()?;
                self.state.errors_bytes = self.errors.bytes;
                self.state.write(&self.state_path)?;
            }
            if interrupt.came() {
                return Err(self.stopped());
            }
        }
    }

    fn read_batch(&mut self) -> Result<Batch> {
        let mut batch = Batch::default();
        while batch.values.len() < self.state.job.batch
            && let Some(Row { line, value }) = self.rows.next(&self.arguments.file)?
        {
            batch.rows += 1;
            let checked = value.and_then(|value| match self.arguments.kind.check(&value) {
                Ok(()) => Ok(value),
                Err(invalid) => Err(invalid.0),
            });
            match checked {
                Ok(value) => batch.values.push(value),
                Err(reason) => {
                    batch.invalid += 1;
                    self.errors.note(line, reason)?;
                }
            }
        }
        Ok(batch)
    }

    /// Sends a batch until it is acknowledged; the key makes sure that it counts once.
    fn send(&self, api: &Api, values: Vec<String>, interrupt: &Interrupt) -> Result<Value> {
        let mut body = json!({"kind": self.arguments.kind.as_str(), "values": values});
        if let Some(namespace) = &self.arguments.namespace {
            body["namespace"] = json!(namespace);
        }
        let path = format!("/audiences/{}/members/add", self.arguments.audience);
        let key = self.state.idempotency_key();
        let mut wait = WAIT_FIRST;
        for attempt in 1.. {
            match api.post_once(&path, &body, &key) {
                Ok(answer) => return Ok(answer),
                Err(Refusal::Later { after, .. }) if attempt < ATTEMPTS_MAX => {
                    if interrupt.within(after.unwrap_or(wait).min(WAIT_MAX)) {
                        return Err(self.stopped());
                    }
                    wait = (wait * 2).min(WAIT_MAX);
                }
                Err(refusal) => {
                    let failure = Failure::from(refusal);
                    return Err(Failure::new(
                        failure.exit,
                        format!("{}\n{}", failure.text, self.how_to_resume()),
                    ));
                }
            }
        }
        Err(self.stopped())
    }

    fn note(&mut self, rows: u64, valid: u64, invalid: u64, answer: Option<&Value>) {
        let position = self.rows.position();
        let state = &mut self.state;
        let number = |name: &str| {
            answer
                .and_then(|answer| answer.get(name))
                .and_then(Value::as_u64)
                .unwrap_or_default()
        };
        state.totals = Totals {
            rows: state.totals.rows + rows,
            // What this program takes and the server does not is the server's to decide.
            valid: state.totals.valid + answer.map_or(valid, |_| number("valid")),
            invalid: state.totals.invalid + invalid + number("invalid"),
            added: state.totals.added + number("added"),
            conflicts: state.totals.conflicts + number("conflicts"),
            people: answer.map_or(state.totals.people, |_| number("people")),
        };
        state.next_batch += 1;
        (state.byte, state.line, state.record) =
            (position.byte(), position.line(), position.record());
        self.bar.set_position(position.byte());
        self.bar
            .set_message(format!("{} rows", count(state.totals.rows)));
    }

    fn how_to_resume(&self) -> String {
        format!(
            "{} rows are imported. Run the same command again to go on from there (the state is in {}).",
            count(self.state.totals.rows),
            self.state_path.display()
        )
    }

    fn stopped(&self) -> Failure {
        let text = if self.arguments.dry_run {
            "stopped".to_owned()
        } else {
            format!("stopped. {}", self.how_to_resume())
        };
        Failure::new(Exit::Interrupted, text)
    }

    fn finish(&mut self) -> Result<()> {
        self.errors.flush()?;
        let Totals {
            rows,
            valid,
            invalid,
            added,
            conflicts,
            people,
        } = self.state.totals.clone();
        if !self.arguments.dry_run {
            State::remove(&self.state_path)?;
        }
        if self.arguments.connection.json {
            let totals = json!({"rows": rows, "valid": valid, "invalid": invalid});
            if self.arguments.dry_run {
                return output::json(&json!({"dry_run": true, "totals": totals}));
            }
            let done = json!({"added": added, "conflicts": conflicts, "people": people, "audience": self.arguments.audience});
            return output::json(&json!({"dry_run": false, "totals": totals, "result": done}));
        }
        let checked = format!(
            "{} rows: {} valid, {} invalid",
            count(rows),
            count(valid),
            count(invalid)
        );
        if self.arguments.dry_run {
            return output::line(&format!("{checked}. Nothing was sent."));
        }
        let conflicts = if conflicts > 0 {
            format!(" {} identity conflicts are noted.", count(conflicts))
        } else {
            String::new()
        };
        output::line(&format!(
            "{checked}. {} people added; audience {} holds {} now.{conflicts}",
            count(added),
            self.arguments.audience,
            count(people)
        ))
    }
}

fn started(job: Job, rows: &Rows) -> State {
    let position = rows.position();
    State {
        job,
        run: random_id()[..12].to_owned(),
        next_batch: 0,
        byte: position.byte(),
        line: position.line(),
        record: position.record(),
        errors_bytes: 0,
        totals: Totals::default(),
    }
}

fn resumed(kept: State, job: &Job, path: &Path) -> Result<State> {
    if kept.job == *job {
        output::note(&format!(
            "Going on after {} rows that are imported already.",
            count(kept.totals.rows)
        ));
        return Ok(kept);
    }
    let differs = if kept.job.fingerprint == job.fingerprint {
        "was started with other options (audience, kind, namespace, column, batch, error file or server)"
    } else {
        "was started with another content of the file"
    };
    Err(Failure::failed(format!(
        "{} says that an import is not finished, which {differs}: finish that one first, or remove the file to start over",
        path.display()
    )))
}

fn progress_bar(bytes: u64, done: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let template = "{bar:30} {percent:>3}% {msg}, {bytes_per_sec}, {eta} to go";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_position(done);
    bar.reset_eta();
    bar
}

/// Rows that are no identifiers: into a file, or the first few for the summary. The rows' content is not repeated.
#[derive(Debug)]
struct Errors {
    file: Option<(PathBuf, BufWriter<File>)>,
    bytes: u64,
    shown: Vec<String>,
}

impl Errors {
    /// `bytes` is how much of the file an earlier run has settled; what came after is written again.
    fn open(path: Option<&Path>, bytes: u64) -> Result<Errors> {
        let Some(path) = path else {
            return Ok(Errors {
                file: None,
                bytes: 0,
                shown: Vec::new(),
            });
        };
        let fail = |error: std::io::Error| unwritable(path, &error);
        let mut file = fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path)
            .map_err(fail)?;
        file.set_len(bytes).map_err(fail)?;
        file.seek(SeekFrom::Start(bytes)).map_err(fail)?;
        let mut errors = Errors {
            file: Some((path.to_owned(), BufWriter::new(file))),
            bytes,
            shown: Vec::new(),
        };
        if bytes == 0 {
            errors.write("line,reason\n")?;
        }
        Ok(errors)
    }

    fn note(&mut self, line: u64, reason: &str) -> Result<()> {
        if self.file.is_some() {
            return self.write(&format!("{line},{reason}\n"));
        }
        if self.shown.len() < ERRORS_SHOWN_MAX {
            self.shown.push(format!("line {line}: {reason}"));
        }
        Ok(())
    }

    fn write(&mut self, text: &str) -> Result<()> {
        if let Some((path, file)) = &mut self.file {
            file.write_all(text.as_bytes())
                .map_err(|error| unwritable(path, &error))?;
            self.bytes += text.len() as u64;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if let Some((path, file)) = &mut self.file {
            file.flush().map_err(|error| unwritable(path, &error))?;
        }
        Ok(())
    }

    fn show(&self) {
        self.shown.iter().for_each(|line| output::note(line));
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot write {}: {error}", path.display()))
}
