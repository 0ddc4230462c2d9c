//! The door: every reason that it has to stay closed, its log, an evening at the hotel over Bluetooth, and figures.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use bandpass::Runtime;
use bandpass_hotel_door::desk::Stay;
use bandpass_hotel_door::door::{Battery, Door};
use bandpass_hotel_door::evening::built;
use bandpass_hotel_door::events::Events;
use bandpass_hotel_door::files::{self, Setup, Snapshot};
use bandpass_hotel_door::hotel::{Hotel, tap};
use bandpass_hotel_door::wearer::Kept;
use serde_json::{Value, json};

const PROGRAM: &str = env!("CARGO_BIN_EXE_hotel-door");
const NOW: u64 = 1_790_000_000;
const HOUR: u64 = 3_600;

fn plugin() -> PathBuf {
    built(PROGRAM.as_ref()).expect("built").1
}

/// A guest in room 412 until tomorrow.
fn stay() -> Stay {
    Stay { doors: vec!["412".into()], from: NOW, until: NOW + 20 * HOUR, role: None, joins: false }
}

/// A hotel with one door and one guest.
struct Story {
    hotel: Hotel,
    door: Option<Door>,
    lin: Kept,
    index: usize,
    folder: tempfile::TempDir,
}

impl Story {
    fn with(settings: &Value, stay: &Stay) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut hotel = Hotel::open(folder.path(), NOW).expect("a hotel");
        hotel.add_door("412", &plugin(), settings, NOW).expect("a door");
        let (mut lin, index) = hotel.guest("Lin", NOW - 60);
        hotel.check_in(&mut lin, stay, NOW).expect("checked in");
        let door = Door::open(Runtime::new().expect("a runtime"), &hotel.door("412")).expect("a door");
        Self { hotel, door: Some(door), lin, index, folder }
    }

    fn new() -> Self {
        Self::with(&json!({}), &stay())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.hotel.door("412").join(name)
    }

    fn door(&mut self) -> &mut Door {
        self.door.as_mut().expect("a door")
    }

    /// Somebody at the door: the code, and whether it says that its battery is low.
    fn somebody(&mut self, band: &mut Kept, confirms: bool, battery: Battery, now: u64) -> (String, bool) {
        let door = self.door();
        let (shown, binding) = tap(band, confirms, now, |transcript| Ok(door.request(transcript))).expect("answered");
        let verdict = door.visit(&shown, binding, battery, now);
        assert_eq!(verdict.event.opened, verdict.event.code == "access.valid");
        (verdict.event.code, verdict.low_battery)
    }

    /// Lin.
    fn comes(&mut self, now: u64) -> String {
        let mut lin = self.lin.clone();
        let code = self.somebody(&mut lin, false, Battery::Good, now).0;
        self.lin = lin;
        code
    }

    /// Power off, and on again.
    fn restart(&mut self) {
        self.door = None;
        let door = Door::open(Runtime::new().expect("a runtime"), &self.hotel.door("412"));
        self.door = Some(door.expect("a door"));
    }
}

#[test]
fn a_guest_opens_the_door_while_the_stay_lasts() {
    let mut story = Story::with(&json!({}), &Stay { from: NOW + HOUR, ..stay() });
    assert_eq!(story.comes(NOW + HOUR - 1), "access.early");
    assert_eq!(story.comes(NOW + HOUR), "access.valid");
    assert_eq!(story.comes(NOW + 20 * HOUR - 1), "access.valid");
    // Its credential ends a tolerance later than its stay, which the policy counts to the second.
    assert_eq!(story.comes(NOW + 20 * HOUR), "access.ended");
}

#[test]
fn other_doors_buildings_hotels_and_roles_are_refused() {
    for (settings, role, expected) in [
        (json!({"door": "413"}), None, "access.door"),
        (json!({"site": "borealis"}), None, "access.site"),
        (json!({"hotel": "https://other.example"}), None, "access.issuer"),
        (json!({}), Some("housekeeping"), "access.role"),
        (json!({"staff": ["housekeeping"]}), Some("housekeeping"), "access.valid"),
    ] {
        let mut story = Story::with(&settings, &Stay { role: role.map(ToOwned::to_owned), ..stay() });
        assert_eq!(story.comes(NOW), expected);
    }
}

#[test]
fn the_next_guest_ends_the_key_of_the_one_before() {
    let mut story = Story::new();
    assert_eq!(story.comes(NOW), "access.valid");
    let (mut kim, _) = story.hotel.guest("Kim", NOW);
    story.hotel.check_in(&mut kim, &stay(), NOW + 60).expect("checked in");
    assert_eq!(story.comes(NOW + 60), "access.valid", "the door has not seen the next key");
    // Refused, it ends nothing: the band lies on a table.
    kim.worn_since = None;
    assert_eq!(story.somebody(&mut kim, false, Battery::Good, NOW + 61).0, "evidence.not-worn");
    assert_eq!(story.comes(NOW + 62), "access.valid");
    kim.worn_since = Some(NOW + 62);
    assert_eq!(story.somebody(&mut kim, false, Battery::Good, NOW + 63).0, "access.valid");
    assert_eq!(story.comes(NOW + 64), "access.superseded");
    story.restart();
    assert_eq!(story.comes(NOW + 65), "access.superseded", "remembered");
    assert_eq!(story.somebody(&mut kim, false, Battery::Good, NOW + 66).0, "access.valid");
}

#[test]
fn a_companion_and_guests_of_a_shared_door_end_nobody_s_key() {
    for (settings, joins, expected) in [
        (json!({}), false, "access.superseded"),
        (json!({}), true, "access.valid"),
        (json!({"shared": true}), false, "access.valid"),
    ] {
        let mut story = Story::with(&settings, &stay());
        let (mut kim, _) = story.hotel.guest("Kim", NOW);
        story.hotel.check_in(&mut kim, &Stay { joins, ..stay() }, NOW).expect("checked in");
        assert_eq!(story.somebody(&mut kim, false, Battery::Good, NOW).0, "access.valid");
        assert_eq!(story.comes(NOW), expected);
    }
}

#[test]
fn a_band_that_is_lost_copied_or_not_worn_is_refused() {
    let mut story = Story::new();
    let copy = story.lin.clone();
    assert_eq!(story.comes(NOW), "access.valid");
    // A copy of the key does not know how often it was used.
    assert_eq!(story.somebody(&mut copy.clone(), false, Battery::Good, NOW + 1).0, "evidence.counter");
    story.restart();
    assert_eq!(story.somebody(&mut copy.clone(), false, Battery::Good, NOW + 2).0, "evidence.counter");
    story.lin.worn_since = None;
    assert_eq!(story.comes(NOW + 3), "evidence.not-worn");
    story.lin.worn_since = Some(NOW);
    story.hotel.provider.lost(story.index, true).expect("lost");
    assert_eq!(story.comes(NOW + 4), "access.valid", "the door has no network");
    story.hotel.renew(NOW + 5).expect("renewed");
    assert_eq!(story.comes(NOW + 6), "status.suspended");
    story.hotel.provider.lost(story.index, false).expect("found");
    story.hotel.renew(NOW + 7).expect("renewed");
    assert_eq!(story.comes(NOW + 8), "access.valid");
}

/// An access credential opens nothing without the band that it was given to.
#[test]
fn an_access_credential_in_another_band_is_refused() {
    let mut story = Story::new();
    let (eve, _) = story.hotel.guest("Eve", NOW);
    // All but the key, which can't be copied.
    let (mut thief, lin) = (json!(eve), json!(story.lin));
    thief["credentials"] = lin["credentials"].clone();
    let mut thief = serde_json::from_value(thief).expect("a band");
    assert_eq!(story.somebody(&mut thief, false, Battery::Good, NOW).0, "holder.signature");
}

/// What was shown in one session is of no use in another.
#[test]
fn a_recording_is_refused() {
    let mut story = Story::new();
    let (mut lin, mut again) = (story.lin.clone(), story.lin.clone());
    let door = story.door();
    let (shown, _) = tap(&mut lin, false, NOW, |transcript| Ok(door.request(transcript))).expect("answered");
    let (_, binding) = tap(&mut again, false, NOW, |transcript| Ok(door.request(transcript))).expect("answered");
    assert_eq!(door.visit(&shown, binding, Battery::Good, NOW).event.code, "holder.signature");
}

#[test]
fn a_deliberate_act_and_anti_passback_where_they_are_asked_for() {
    let mut story = Story::with(&json!({"confirm": true, "anti_passback": 600}), &stay());
    assert_eq!(story.comes(NOW), "evidence.unconfirmed");
    let mut lin = story.lin.clone();
    let mut confirmed = |story: &mut Story, now| story.somebody(&mut lin, true, Battery::Good, now).0;
    assert_eq!(confirmed(&mut story, NOW + 1), "access.valid");
    assert_eq!(confirmed(&mut story, NOW + 2), "access.passback");
    story.restart();
    assert_eq!(confirmed(&mut story, NOW + 600), "access.passback", "remembered");
    assert_eq!(confirmed(&mut story, NOW + 601), "access.valid");
}

#[test]
fn a_low_battery_is_shown_and_an_empty_one_keeps_to_staff() {
    let mut story = Story::with(&json!({"staff": ["maintenance"]}), &stay());
    let mut lin = story.lin.clone();
    let (mut ada, _) = story.hotel.guest("Ada", NOW);
    let shift = Stay { role: Some("maintenance".into()), ..stay() };
    story.hotel.check_in(&mut ada, &shift, NOW).expect("given");
    for (battery, of_guest, of_staff) in [
        (Battery::Good, ("access.valid", false), ("access.valid", false)),
        (Battery::Low, ("access.valid", true), ("access.valid", true)),
        (Battery::Critical, ("access.battery", false), ("access.valid", true)),
    ] {
        let found = story.somebody(&mut lin, false, battery, NOW);
        assert_eq!((found.0.as_str(), found.1), of_guest);
        let found = story.somebody(&mut ada, false, battery, NOW);
        assert_eq!((found.0.as_str(), found.1), of_staff);
    }
}

#[test]
fn a_door_that_can_t_know_the_time_or_the_world_stays_closed() {
    let mut story = Story::with(&json!({}), &Stay { until: NOW + 90 * 24 * HOUR, ..stay() });
    assert_eq!(story.comes(NOW + HOUR), "access.valid");
    // Set back by more than clocks differ, to before what is in the log; or before the snapshot.
    for _ in 0..2 {
        assert_eq!(story.comes(NOW + HOUR - 300), "door.clock");
    }
    assert_eq!(story.comes(NOW - 300), "door.clock");
    assert_eq!(story.comes(NOW + 24 * HOUR + 1), "door.snapshot");
    // A clock that was wrong is right again: what it showed meanwhile was not believed.
    assert_eq!(story.comes(NOW + HOUR + 1), "access.valid");
    // A door that is told to be content with much older ones does not trust its clock for so long: 50 in a million are 300
    // seconds in 56 days.
    story.door = None;
    let setup = Setup { snapshot_max_age: 1_000 * 24 * HOUR, ..files::read(&story.file("door.json")).expect("set up") };
    files::write(&story.file("door.json"), &setup).expect("written");
    story.restart();
    assert_eq!(story.comes(NOW + 60 * 24 * HOUR), "door.clock");
    // A snapshot that is older than the one before, or is none, changes nothing.
    let mut story = Story::new();
    story.hotel.provider.lost(story.index, true).expect("lost");
    let older = Snapshot { taken_at: NOW - 1, ..files::read(&story.file("snapshot.json")).expect("a snapshot") };
    story.hotel.renew(NOW + 10).expect("renewed");
    assert_eq!(story.comes(NOW + 11), "status.suspended");
    files::write(&story.file("snapshot.json"), &older).expect("written");
    assert_eq!(story.comes(NOW + 12), "status.suspended");
    std::fs::write(story.file("snapshot.json"), "{").expect("written");
    assert_eq!(story.comes(NOW + 13), "status.suspended");
}

#[test]
fn only_the_policy_that_it_was_set_up_with() {
    let mut story = Story::new();
    story.door = None;
    let setup = files::read::<Setup>(&story.file("door.json")).expect("set up");
    let open = || Door::open(Runtime::new().expect("a runtime"), &story.file("")).err().map(|error| error.to_string());
    let other = plugin().with_file_name("cinema-ticket.wasm");
    for (setup, expected) in [
        (Setup { plugin: other, ..setup.clone() }, "not the one"),
        (Setup { settings: json!({"hotel": "h", "site": "s"}), ..setup.clone() }, "door"),
        (Setup { settings: json!({"hotel": "h", "site": "s", "door": "412", "staff": ["guest"]}), ..setup }, "guest"),
    ] {
        files::write(&story.file("door.json"), &setup).expect("written");
        let error = open().unwrap_or_default();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn the_log_is_append_only_and_one_process_has_it() {
    let mut story = Story::new();
    assert_eq!(story.comes(NOW), "access.valid");
    assert!(Events::open(&story.file("events.sqlite")).is_err(), "another has it");
    story.door = None;
    let log = rusqlite::Connection::open(story.file("events.sqlite")).expect("the log");
    for change in ["UPDATE events SET opened = 0", "DELETE FROM events"] {
        let error = log.execute(change, ()).expect_err("append only").to_string();
        assert!(error.contains("append only"), "{error}");
    }
    drop(log);
    let events = Events::open(&story.file("events.sqlite")).expect("the log").all().expect("events");
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((event.at, event.opened, event.sequence), (NOW, true, Some(1)));
    assert_eq!((event.role.as_deref(), event.counter), (Some("guest"), Some(2)), "once at the desk");
    // A log that can't be read opens no door.
    let file = story.file("events.sqlite");
    let mut bytes = std::fs::read(&file).expect("the log");
    bytes.iter_mut().skip(100).step_by(7).for_each(|byte| *byte ^= 0x55);
    std::fs::write(&file, bytes).expect("written");
    assert!(Door::open(Runtime::new().expect("a runtime"), &story.hotel.door("412")).is_err());
}

/// Where the process that is killed finds the hotel.
const KILLED: &str = "HOTEL_DOOR_KILLED";

/// Not a test of its own: the controller that others kill, or give no room.
#[test]
fn killed() {
    let Some(folder) = std::env::var_os(KILLED) else { return };
    let folder = Path::new(&folder);
    let mut door = Door::open(Runtime::new().expect("a runtime"), &folder.join("412")).expect("a door");
    loop {
        let mut lin = files::read::<Kept>(&folder.join("lin")).expect("a band");
        let (shown, binding) = tap(&mut lin, false, NOW, |transcript| Ok(door.request(transcript))).expect("answered");
        files::write(&folder.join("lin"), &lin).expect("written");
        let verdict = door.visit(&shown, binding, Battery::Good, NOW);
        match verdict.event.opened {
            true => println!("opened {}", verdict.event.counter.expect("a counter")),
            false => return println!("closed {}", verdict.event.code),
        }
        std::io::stdout().flush().expect("written");
    }
}

/// The number in a line that says so.
fn opened(line: &str) -> Option<u64> {
    line.strip_prefix("opened ")?.parse().ok()
}

/// A disk that is full: no file grows beyond that.
#[test]
fn what_can_t_be_written_down_opens_nothing() {
    let mut story = Story::new();
    story.door = None;
    files::write(&story.folder.path().join("lin"), &story.lin).expect("written");
    let output = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 200; exec "$0" killed --exact --nocapture"#])
        .arg(std::env::current_exe().expect("this test"))
        .env(KILLED, story.folder.path())
        .output()
        .expect("it starts");
    let lines = String::from_utf8(output.stdout).expect("text");
    assert!(lines.lines().any(|line| line == "closed door.log"), "{lines}");
    let counted = lines.lines().filter_map(opened).count();
    let events = Events::open(&story.file("events.sqlite")).expect("the log").all().expect("events");
    assert_eq!((events.len(), counted > 0), (counted, true));
}

#[test]
fn no_opening_is_forgotten() {
    const ROUNDS: u32 = 5;
    let mut story = Story::new();
    story.door = None;
    files::write(&story.folder.path().join("lin"), &story.lin).expect("written");
    let mut seen = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["killed", "--exact", "--nocapture"])
            .env(KILLED, story.folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("output")).lines();
        let counter = |line: String| opened(&line);
        // From the first opening on, at any moment.
        let first = lines.by_ref().map_while(Result::ok).find_map(counter).expect("it opens");
        seen.insert(first);
        std::thread::sleep(Duration::from_millis(u64::from(round * 37 % 100)));
        child.kill().expect("killed");
        child.wait().expect("ended");
        seen.extend(lines.map_while(Result::ok).filter_map(counter));
        let events = Events::open(&story.file("events.sqlite")).expect("the log survives").all().expect("events");
        let logged = events.iter().filter_map(|event| event.counter).collect::<BTreeSet<_>>();
        assert_eq!(logged.len(), events.len(), "no counter twice");
        assert!(seen.is_subset(&logged), "{seen:?} {logged:?}");
    }
    println!("{} openings in {ROUNDS} rounds, each in the log after kill -9", seen.len());
}

/// What a person watches: over bumble's virtual links, by the program itself.
#[test]
fn an_evening_at_the_hotel() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(PROGRAM).args(["evening", "--folder"]).arg(folder.path()).output().expect("it starts");
    let (story, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{story}{wrong}: run `cargo xtask setup`");
    let events = Events::open(&folder.path().join("412/events.sqlite")).expect("the log").all().expect("events");
    let codes = events.iter().map(|event| event.code.as_str()).collect::<Vec<_>>();
    let expected = "access.valid evidence.not-worn access.valid access.valid status.suspended access.valid access.valid \
        access.battery access.valid access.valid access.valid access.superseded door.snapshot";
    assert_eq!(codes.join(" "), expected);
    assert_eq!(story.matches("●").count(), 18, "{story}");
}

/// Compiled and interpreted; the second in little memory.
#[test]
fn figures() {
    let cache = tempfile::tempdir().expect("a folder");
    println!(
        "| | bytes | deciding, fastest (median) | writing it down | most memory resident |\n|---|---|---|---|---|"
    );
    for (name, options) in [("compiled", &[][..]), ("interpreted", &["--interpreting"])] {
        let measure = |visits| {
            let mut measure = Command::new(PROGRAM);
            measure.args(["measure", "--visits", visits]).args(options);
            let output = measure.env("XDG_CACHE_HOME", cache.path()).env("XDG_STATE_HOME", cache.path()).output();
            let output = output.expect("it starts");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
        };
        // Compiled code is kept: a controller comes with it.
        measure("1");
        let found = measure("20");
        let time = |of: &Value| {
            let [fastest, median] = ["fastest", "median"].map(|name| of[name].as_f64().unwrap_or_default());
            format!("{fastest:.2} ({median:.2}) ms")
        };
        let resident = found["resident_bytes"].as_u64().expect("bytes");
        let (deciding, writing) = (time(&found["deciding_ms"]), time(&found["writing_ms"]));
        println!("| {name} | {} | {deciding} | {writing} | {} KiB |", found["bytes"], resident >> 10);
        assert!(options.is_empty() || resident < 32 << 20, "{resident}");
    }
}
