//! A hotel whose doors work without a network: README.md tells how to watch it.

use std::io::{Write as _, stderr};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use bandpass::{ProximityBinding, Runtime};
use bandpass_bluetooth::pipe::Pipe;
use bandpass_bluetooth::talk::Conversation;
use bandpass_hotel_door::desk::{Desk, Stay};
use bandpass_hotel_door::door::{Battery, Door};
use bandpass_hotel_door::evening::{self, Stage};
use bandpass_hotel_door::measure;
use bandpass_hotel_door::wearer::wear;
use clap::{Parser, Subcommand};
use serde_json::{Value, json};

#[derive(Parser)]
#[command(name = "hotel-door")]
struct Options {
    #[command(subcommand)]
    program: Program,
    /// What the clock shows, in seconds since 1970, in place of the system's.
    #[arg(long, global = true, value_name = "SECONDS")]
    at: Option<u64>,
}

#[derive(Subcommand)]
enum Program {
    /// Watch an evening at the hotel.
    Evening {
        /// Where everybody keeps their things: it stays. Otherwise a temporary folder.
        #[arg(long)]
        folder: Option<PathBuf>,
        /// Python with bumble; that of `cargo xtask setup` unless given.
        #[arg(long)]
        python: Option<PathBuf>,
        /// The policy; the one that was built with this program unless given.
        #[arg(long)]
        plugin: Option<PathBuf>,
    },
    /// A door, for one band that is tapped. It speaks to a bridge on standard input and output, as do desk and band.
    Door {
        /// With `door.json`, `snapshot.json` and the log.
        folder: PathBuf,
        #[arg(long, value_enum, default_value = "good")]
        battery: Battery,
        /// Interpret (Pulley) in place of running machine code.
        #[arg(long)]
        interpreting: bool,
    },
    /// The desk, for one band that is tapped: gives it access.
    Desk {
        /// `desk.json`.
        file: PathBuf,
        #[arg(long = "door", required = true)]
        doors: Vec<String>,
        /// From when it counts, seconds since 1970.
        #[arg(long)]
        from: u64,
        /// Until when.
        #[arg(long)]
        until: u64,
        /// Of staff.
        #[arg(long)]
        role: Option<String>,
        /// Joins whoever is in the room.
        #[arg(long)]
        joins: bool,
    },
    /// A band.
    Band {
        /// What it keeps.
        file: PathBuf,
        /// The wearer acts on it.
        #[arg(long)]
        confirms: bool,
    },
    /// How long a door takes, and how much memory.
    Measure {
        /// Interpret (Pulley) in place of running machine code.
        #[arg(long)]
        interpreting: bool,
        /// Visits.
        #[arg(long, default_value_t = 200)]
        visits: usize,
    },
}

fn main() -> Result<()> {
    let options = Options::parse();
    let now = match options.at {
        Some(at) => at,
        None => SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    };
    let found = match options.program {
        Program::Evening { folder, python, plugin } => return watch(folder, python, plugin, now),
        Program::Door { folder, battery, interpreting } => {
            door(&mut Door::open(runtime(interpreting)?, &folder)?, battery, now)?
        }
        Program::Desk { file, doors, from, until, role, joins } => {
            Desk::check_in(&file, &Stay { doors, from, until, role, joins }, now)?
        }
        Program::Band { file, confirms } => wear(&file, confirms, now)?,
        Program::Measure { interpreting, visits } => {
            let (_, plugin) = evening::built(&std::env::current_exe()?)?;
            println!("{}", measure::run(runtime(interpreting)?, &plugin, visits, now)?);
            return Ok(());
        }
    };
    // At once: the other process writes there too.
    Ok(stderr().write_all(format!("{found}\n").as_bytes())?)
}

fn runtime(interpreting: bool) -> Result<Runtime, bandpass::Error> {
    if interpreting { Runtime::interpreting() } else { Runtime::new() }
}

fn watch(folder: Option<PathBuf>, python: Option<PathBuf>, plugin: Option<PathBuf>, now: u64) -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let (own_python, own_plugin) = evening::built(&std::env::current_exe()?)?;
    let folder = folder.unwrap_or_else(|| temporary.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let stage = Stage { python: python.unwrap_or(own_python), plugin: plugin.unwrap_or(own_plugin), folder };
    evening::play(&stage, now).map(drop)
}

/// A band is tapped.
fn door(door: &mut Door, battery: Battery, now: u64) -> Result<Value> {
    let pipe = Pipe::open();
    let begun = Conversation::begin(&pipe, |transcript| Ok(door.request(transcript)))?;
    let mut conversation = begun.context("nobody came")?;
    let mut found = match conversation.hear()? {
        Ok(presented) => {
            let session = conversation.session();
            let reader_key = session.reader_key().map(|key| key.to_vec());
            let binding = ProximityBinding { session_transcript: session.transcript().to_vec(), reader_key };
            door.visit(&presented, binding, battery, now).to_json()
        }
        Err(why) => json!({"opened": false, "code": why}),
    };
    if let (Some(found), Some(figures)) = (found.as_object_mut(), conversation.figures.as_object()) {
        found.insert("who".into(), "door".into());
        found.insert("link".into(), figures.clone().into());
    }
    conversation.end()?;
    Ok(found)
}
