//! How long a door takes to decide, token in hand, and how much memory its process has.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bandpass::Runtime;
use serde_json::{Value, json};

use crate::desk::Stay;
use crate::door::{Battery, Door};
use crate::hotel::{Hotel, tap};

const DAY: u64 = 86_400;

/// Figures of so many visits: milliseconds for deciding and for writing it down, the fastest and the middle one, and the most
/// memory that was resident, in bytes.
///
/// # Errors
/// If the door does not open.
pub fn run(runtime: Runtime, plugin: &Path, visits: usize, now: u64) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let mut hotel = Hotel::open(folder.path(), now)?;
    let (mut band, _) = hotel.guest("Lin", now);
    hotel.add_door("412", plugin, &json!({}), now)?;
    let stay = Stay { doors: vec!["412".into()], from: now, until: now + DAY, role: None, joins: false };
    hotel.check_in(&mut band, &stay, now)?;
    let mut door = Door::open(runtime, &hotel.door("412"))?;
    let (mut deciding, mut writing, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..visits.max(1) {
        let (presented, binding) = tap(&mut band, false, now, |transcript| Ok(door.request(transcript)))?;
        bytes = presented.len();
        let verdict = door.visit(&presented, binding, Battery::Good, now);
        ensure!(verdict.event.opened, "{}: {}", verdict.event.code, verdict.message);
        let [decided, written] = verdict.milliseconds;
        deciding.push(decided);
        writing.push(written);
    }
    let figures = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        json!({"fastest": times.first(), "median": times.get(times.len() / 2)})
    };
    Ok(json!({"bytes": bytes, "deciding_ms": figures(deciding), "writing_ms": figures(writing),
        "resident_bytes": resident()?}))
}

/// The most memory that this process ever had resident.
fn resident() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    let kilobytes = peak.trim().trim_end_matches("kB").trim().parse::<u64>()?;
    Ok(kilobytes << 10)
}
