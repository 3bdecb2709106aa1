//! `throng dev fill`: a database of any size for measurements, written without a server.
//!
//! Not a way to bring people in: no event, no activity, no history. Invariant: what is filled in is a function of the command
//! line and the workspace's secret; the same command again goes on where an earlier one was interrupted.

use std::{
    sync::mpsc::sync_channel,
    thread,
    time::{Duration, Instant},
};

use clap::{Args, Subcommand, ValueEnum};
use domain::{Clock, FillForm, fill_kind_set, fill_people};
use serde_json::json;
use sets::{KeySecret, Person};
use store::{
    DataFolder, DatabaseUrl, FillAudience, FillFound, FillOptions, FillPeople, Filler,
    KeepIdentifiers, Workspace, WorkspaceSecret,
};

use crate::{
    dev_sets::{Pattern, Plan},
    failure::{Failure, Result},
    maintenance::Place,
    output::{self, count},
    start::Fresh,
};

/// People of one transaction: a whole number of key blocks.
const PEOPLE_BATCH: u32 = 1 << 20;
/// Audiences of one transaction: so many, or so many bytes of members.
const AUDIENCES_BATCH: usize = 64;
const BYTES_BATCH: usize = 64 << 20;
/// Audiences of one structure.
const STRUCTURE_AUDIENCES: u64 = 1_000;
/// Work that takes longer is told about, and again as often.
const PROGRESS_EVERY: Duration = Duration::from_secs(2);

pub const EXAMPLES: &str = "\
Examples:
  throng dev fill --data ./bench --people 10000000 --audiences 50 --density 0.5,0.05
  throng dev fill --data ./bench --people 100000000 --audiences 10000 --density 0.01 --pattern random --identifiers none

Person n has the address person-n@example.com; audiences are called a1, a2, ... The server must be stopped, and the database
new. The same command again goes on where an earlier one was interrupted. Then throng serve --data ./bench starts it and prints
a token. throng verify checks the filled sets against the hashes in the log and says that no history leads to them.";

#[derive(Debug, Subcommand)]
pub enum DevCommand {
    /// Fill a new database with synthetic people and audiences, for measurements
    #[command(after_help = EXAMPLES)]
    Fill(FillArgs),
}

#[derive(Debug, Args)]
pub struct FillArgs {
    /// How many people
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4_000_000_000))]
    people: u32,
    /// How many audiences
    #[arg(long, value_name = "M", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=1_000_000))]
    audiences: u64,
    /// The share of the people that an audience holds, from 0 to 1; of several each audience takes one in turn
    #[arg(long, value_name = "D", value_delimiter = ',', default_value = "0.05", value_parser = density)]
    density: Vec<f64>,
    /// How the members lie among the people
    #[arg(long, value_enum, default_value = "mixed")]
    pattern: Pattern,
    /// The same audiences every time; the keys depend on the workspace's secret too
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Whether the workspace keeps identifiers as received
    #[arg(long, value_enum, default_value = "sealed")]
    identifiers: Identifiers,
    /// How the identifiers are given: as SHA-256 (one key a person) or as plain addresses (two)
    #[arg(long, value_enum, default_value = "hashed")]
    form: Form,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Identifiers {
    /// Keyed hashes only
    None,
    /// Encrypted beside them
    Sealed,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    Hashed,
    Plain,
}

fn density(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("it must be a number from 0 to 1, such as 0.05".into()),
    }
}

impl FillArgs {
    fn form(&self) -> FillForm {
        match self.form {
            Form::Hashed => FillForm::Hashed,
            Form::Plain => FillForm::Plain,
        }
    }

    fn plan(&self) -> Plan {
        Plan {
            people: self.people,
            seed: self.seed,
            pattern: self.pattern,
            densities: self.density.clone(),
        }
    }

    /// All that decides what is written.
    fn label(&self) -> String {
        let densities: Vec<String> = self.density.iter().map(f64::to_string).collect();
        format!(
            "--people {} --audiences {} --density {} --pattern {} --seed {} --identifiers {} --form {}",
            self.people,
            self.audiences,
            densities.join(","),
            name(self.pattern),
            self.seed,
            name(self.identifiers),
            name(self.form)
        )
    }
}

fn name(value: impl ValueEnum) -> String {
    let named = value.to_possible_value();
    named.map_or_else(String::new, |named| named.get_name().to_owned())
}

pub fn dev(command: DevCommand) -> Result<()> {
    match command {
        DevCommand::Fill(arguments) => fill(&arguments),
    }
}

fn fill(arguments: &FillArgs) -> Result<()> {
    let begun = Instant::now();
    let mut filler = open(arguments)?;
    let found = filler.found();
    let (people, audiences) = (u64::from(arguments.people), arguments.audiences);
    if found.people == people && found.audiences == audiences {
        output::note("Everything is there already, from an earlier run with the same options.");
    } else if found.people > 0 {
        output::note(&format!(
            "An earlier run with the same options was interrupted at {} people and {} audiences: going on from there.",
            count(found.people),
            count(found.audiences)
        ));
    }
    let mut told = Instant::now();
    let mut tell = |found: FillFound| {
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            output::note(&format!(
                "filling: {} of {} people, {} of {} audiences",
                count(found.people),
                count(people),
                count(found.audiences),
                count(audiences)
            ));
        }
    };
    fill_all_people(&mut filler, arguments, &mut tell)?;
    let people_done = begun.elapsed();
    fill_all_audiences(&mut filler, arguments, &mut tell)?;
    let found = filler.found();
    filler.finish()?;
    done(arguments, found, people_done, begun.elapsed())
}

fn open(arguments: &FillArgs) -> Result<Filler> {
    let config = arguments.place.config()?;
    let folder = DataFolder::open(&config.data)?;
    let url = DatabaseUrl::parse(
        config.database_url.as_deref(),
        &config.data,
        config.database_size_bytes_max,
    )?;
    let fresh = Fresh::random()?;
    let now = Clock::system().now_ms();
    let options = FillOptions {
        url,
        now,
        new_secret: WorkspaceSecret::new(fresh.random.bytes()?),
        new_master: fresh.master,
        new_database_id: fresh.database_id,
        workspace: Workspace {
            id: 0,
            slug: domain::DEFAULT_SLUG.into(),
            name: "Filled".into(),
            keep_identifiers: match arguments.identifiers {
                Identifiers::None => KeepIdentifiers::None,
                Identifiers::Sealed => KeepIdentifiers::Sealed,
            },
            created: now,
        },
        kind_set: fill_kind_set(),
        label: arguments.label(),
    };
    Ok(Filler::open(folder, options)?)
}

/// One batch is written while the next is hashed on all cores.
fn fill_all_people(
    filler: &mut Filler,
    arguments: &FillArgs,
    tell: &mut impl FnMut(FillFound),
) -> Result<()> {
    let (secret, keep) = (filler.keys().clone(), filler.keeps_identifiers());
    let (form, people) = (arguments.form(), arguments.people);
    let mut next = filler.found().people as Person + 1;
    let (send, batches) = sync_channel::<FillPeople>(1);
    thread::scope(|scope| {
        scope.spawn(move || {
            while next <= people {
                let last = next.saturating_add(PEOPLE_BATCH - 1).min(people);
                // The other end is gone where writing failed.
                if send.send(hashed(&secret, form, next, last, keep)).is_err() {
                    return;
                }
                next = last + 1;
            }
        });
        for batch in batches {
            filler.people(&batch)?;
            tell(filler.found());
        }
        Ok(())
    })
}

/// A batch in parts, each on a thread.
fn hashed(
    secret: &KeySecret,
    form: FillForm,
    first: Person,
    last: Person,
    keep: bool,
) -> FillPeople {
    let part = (last - first + 1).div_ceil(cores() as u32);
    let mut whole = FillPeople::default();
    thread::scope(|scope| {
        let parts: Vec<_> = (first..=last)
            .step_by(part as usize)
            .map(|from| {
                let until = from.saturating_add(part - 1).min(last);
                scope.spawn(move || fill_people(secret, form, from, until, keep))
            })
            .collect();
        for part in parts {
            let part = part.join().unwrap_or_default();
            let shift = whole.received.len() as u32;
            whole.keys.extend_from_slice(&part.keys);
            whole.persons.extend_from_slice(&part.persons);
            whole.received.extend_from_slice(&part.received);
            whole
                .received_ends
                .extend(part.received_ends.iter().map(|end| end + shift));
        }
    });
    whole
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Each core draws the audiences that are its turn; they are written in order.
fn fill_all_audiences(
    filler: &mut Filler,
    arguments: &FillArgs,
    tell: &mut impl FnMut(FillFound),
) -> Result<()> {
    let (plan, audiences, first) = (
        arguments.plan(),
        arguments.audiences,
        filler.found().audiences,
    );
    let plan = &plan;
    thread::scope(|scope| {
        let mut turns = Vec::new();
        for turn in 0..cores() as u64 {
            let (send, drawn) = sync_channel::<FillAudience>(2);
            turns.push(drawn);
            scope.spawn(move || {
                let mut buffer = Vec::new();
                for index in (first + turn..audiences).step_by(cores()) {
                    if send.send(draw(plan, index, &mut buffer)).is_err() {
                        return;
                    }
                }
            });
        }
        let mut batch = Vec::new();
        let mut bytes = 0;
        for index in first..audiences {
            let turn = (index - first) as usize % turns.len();
            let audience = turns[turn]
                .recv()
                .map_err(|_| Failure::failed("a thread that draws audiences ended early"))?;
            bytes += audience.members.len();
            batch.push(audience);
            let last = index + 1 == audiences || (index + 1) % STRUCTURE_AUDIENCES == 0;
            if last || batch.len() >= AUDIENCES_BATCH || bytes >= BYTES_BATCH {
                let begins = filler.found().audiences;
                let structure = begins
                    .is_multiple_of(STRUCTURE_AUDIENCES)
                    .then(|| format!("s{}", begins / STRUCTURE_AUDIENCES + 1));
                filler.audiences(structure.as_deref(), &batch)?;
                tell(filler.found());
                (bytes, batch) = (0, Vec::new());
            }
        }
        Ok(())
    })
}

fn draw(plan: &Plan, index: u64, buffer: &mut Vec<Person>) -> FillAudience {
    let members = plan.members(index, buffer);
    FillAudience {
        name: format!("a{}", index + 1),
        description: format!(
            "Filled for measurements: {}, density {}",
            name(plan.pattern_of(index)),
            plan.density_of(index)
        ),
        people: members.len(),
        members: members.to_bytes(),
    }
}

fn done(arguments: &FillArgs, found: FillFound, people: Duration, all: Duration) -> Result<()> {
    if arguments.place.is_json() {
        return output::json(&json!({
            "people": found.people,
            "keys": found.keys,
            "audiences": found.audiences,
            "people_seconds": people.as_secs_f64(),
            "seconds": all.as_secs_f64(),
        }));
    }
    output::line(&format!(
        "{} people with {} keys ({:.1} s) and {} audiences are there ({:.1} s in all).",
        count(found.people),
        count(found.keys),
        people.as_secs_f64(),
        count(found.audiences),
        all.as_secs_f64()
    ))
}
