//! An evening at the hotel, as a story: each visit is a band and a door, or the desk, as processes of their own on a virtual
//! Bluetooth link.

#![expect(clippy::indexing_slicing, reason = "a member that is not there is null")]

use std::path::{Path, PathBuf};
use std::process::Command;

use anstream::println;
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::files;
use crate::hotel::Hotel;
use crate::picture;
use crate::wearer::Kept;

/// Carries what both programs say over bumble's virtual links.
const BRIDGE: &str = include_str!("../../bluetooth/bridge.py");
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// What the story is played with.
pub struct Stage {
    /// Python with bumble.
    pub python: PathBuf,
    /// The policy.
    pub plugin: PathBuf,
    /// Where everybody keeps their things.
    pub folder: PathBuf,
}

/// Everybody in the story.
struct Evening<'a> {
    stage: &'a Stage,
    program: PathBuf,
    hotel: Hotel,
    /// Midnight before.
    today: u64,
    said: Vec<Value>,
}

/// Plays it, on the day of `now`, and says what came of each visit.
///
/// # Errors
/// If anything comes out as it should not.
pub fn play(stage: &Stage, now: u64) -> Result<Vec<Value>> {
    let today = now / DAY * DAY;
    let mut evening = Evening {
        stage,
        program: std::env::current_exe()?,
        hotel: Hotel::open(&stage.folder, today)?,
        today,
        said: Vec::new(),
    };
    evening.open_doors()?;
    evening.first_day()?;
    evening.next_day()?;
    Ok(evening.said)
}

impl Evening<'_> {
    fn at(&self, hour: u64, minute: u64) -> u64 {
        self.today + hour * HOUR + minute * 60
    }

    fn file(&self, name: &str) -> PathBuf {
        self.stage.folder.join(name)
    }

    fn open_doors(&mut self) -> Result<()> {
        for (door, settings) in [
            ("412", json!({"staff": ["housekeeping"]})),
            ("413", json!({"staff": ["housekeeping"]})),
            ("spa", json!({"shared": true, "confirm": true, "anti_passback": 600})),
        ] {
            self.hotel.add_door(door, &self.stage.plugin, &settings, self.at(14, 0))?;
        }
        Ok(())
    }

    fn first_day(&mut self) -> Result<()> {
        let lin = self.arrives("lin", "Lin", self.at(14, 30))?;
        Self::scene(15, 0, "Lin checks in: the desk asks the band for a name, and gives it rooms until noon");
        self.checks_in("lin", "412 spa", (self.at(15, 0), self.at(36, 0)), None, self.at(15, 0))?;
        Self::scene(15, 5, "at room 412, without a network");
        self.visits("lin", "412", self.at(15, 5), "access.valid", &[])?;
        Self::scene(15, 6, "at the wrong door");
        self.visits("lin", "413", self.at(15, 6), "access.door", &[])?;
        Self::scene(18, 0, "the band lies on the table, and somebody takes it to the door");
        self.worn("lin", None)?;
        self.visits("lin", "412", self.at(18, 0), "evidence.not-worn", &[])?;
        self.worn("lin", Some(self.at(18, 1)))?;
        Self::scene(18, 2, "Lin wears it again");
        self.visits("lin", "412", self.at(18, 2), "access.valid", &[])?;
        Self::scene(19, 0, "a relay: one radio beside Lin, another at the spa, which asks for a deliberate act");
        self.visits("lin", "spa", self.at(19, 0), "evidence.unconfirmed", &["--relay"])?;
        Self::scene(19, 10, "Lin at the spa, pressing the band");
        self.visits("lin", "spa", self.at(19, 10), "access.valid", &["--confirms"])?;
        Self::scene(19, 12, "and once more: who went in can't let somebody else in with the same band");
        self.visits("lin", "spa", self.at(19, 12), "access.passback", &["--confirms"])?;
        Self::scene(20, 0, "Lin reports the band lost; the door has not had the network since, and does not know");
        self.hotel.provider.lost(lin, true)?;
        self.visits("lin", "412", self.at(20, 0), "access.valid", &[])?;
        Self::scene(20, 5, "the door's snapshot is renewed");
        self.hotel.renew(self.at(20, 4))?;
        self.visits("lin", "412", self.at(20, 5), "status.suspended", &[])?;
        Self::scene(21, 0, "the band was in the sauna: Lin reports it found, and the snapshot is renewed");
        self.hotel.provider.lost(lin, false)?;
        self.hotel.renew(self.at(20, 59))?;
        self.visits("lin", "412", self.at(21, 0), "access.valid", &[])
    }

    fn next_day(&mut self) -> Result<()> {
        self.arrives("ada", "Ada", self.at(31, 0))?;
        Self::scene(31, 0, "Ada of housekeeping gets her doors for the day");
        let doors = (self.at(31, 0), self.at(40, 0));
        self.checks_in("ada", "412 413", doors, Some("housekeeping"), self.at(31, 0))?;
        Self::scene(32, 0, "the battery of 412 is low, and then nearly empty: it opens for staff alone");
        self.visits("lin", "412", self.at(32, 0), "access.valid", &["--battery", "low"])?;
        self.visits("lin", "412", self.at(32, 5), "access.battery", &["--battery", "critical"])?;
        self.visits("ada", "412", self.at(32, 10), "access.valid", &["--battery", "critical"])?;
        self.arrives("kim", "Kim", self.at(34, 0))?;
        Self::scene(34, 30, "Kim, the next guest, checks in early for 412");
        self.checks_in("kim", "412", (self.at(34, 0), self.at(60, 0)), None, self.at(34, 30))?;
        Self::scene(34, 40, "Lin may still get in: the door has not seen Kim's key");
        self.visits("lin", "412", self.at(34, 40), "access.valid", &[])?;
        Self::scene(34, 45, "Kim opens the door, which ends Lin's key there");
        self.visits("kim", "412", self.at(34, 45), "access.valid", &[])?;
        self.visits("lin", "412", self.at(34, 50), "access.superseded", &[])?;
        Self::scene(36, 1, "after noon Lin's key opens nothing");
        self.visits("lin", "spa", self.at(36, 1), "access.ended", &["--confirms"])?;
        Self::scene(46, 0, "a day without the network is more than the hotel wants its doors to be sure of");
        self.visits("kim", "412", self.at(46, 0), "door.snapshot", &[])
    }

    /// Somebody with a band; its index in the provider's status list.
    fn arrives(&mut self, band: &str, name: &str, now: u64) -> Result<usize> {
        let (kept, index) = self.hotel.guest(name, now);
        files::write(&self.file(band), &kept)?;
        Ok(index)
    }

    fn worn(&self, band: &str, since: Option<u64>) -> Result<()> {
        let mut kept = files::read::<Kept>(&self.file(band))?;
        kept.worn_since = since;
        files::write(&self.file(band), &kept)
    }

    fn scene(hour: u64, minute: u64, what: &str) {
        println!("\n\x1b[1m{:02}:{minute:02}\x1b[0m  {what}", hour % 24);
    }

    fn checks_in(
        &mut self,
        band: &str,
        doors: &str,
        (from, until): (u64, u64),
        role: Option<&str>,
        now: u64,
    ) -> Result<()> {
        self.hotel.renew_desk(now)?;
        let (from, until) = (from.to_string(), until.to_string());
        let file = self.hotel.desk().display().to_string();
        let mut desk = vec!["desk", &file, "--from", &from, "--until", &until];
        desk.extend(role.iter().flat_map(|role| ["--role", role]));
        desk.extend(doors.split(' ').flat_map(|door| ["--door", door]));
        let said = self.meet(band, &desk, &[], now)?;
        println!("       desk: {}", said["said"]);
        ensure!(said["said"]["doors"].is_array(), "the desk did not give access");
        self.said.push(said);
        Ok(())
    }

    /// A band at a door, from which this must come.
    fn visits(&mut self, band: &str, door: &str, now: u64, expected: &str, options: &[&str]) -> Result<()> {
        let folder = self.hotel.door(door).display().to_string();
        let battery = options.iter().skip_while(|option| **option != "--battery").take(2);
        let of_door = ["door", &folder].iter().chain(battery).copied().collect::<Vec<_>>();
        let said = self.meet(band, &of_door, options, now)?;
        let [code, message] = ["code", "message"].map(|name| said[name].as_str().unwrap_or_default());
        let opened = said["opened"] == true;
        let says = if opened { code.to_owned() } else { format!("{code}: {message}") };
        println!("{}", picture::door(door, opened, said["low_battery"] == true, &says));
        let (response, from_tap) = (&said["link"]["response"], &said["link"]["milliseconds"]);
        let milliseconds = |time: &Value| time.as_f64().unwrap_or_default();
        println!(
            "      {} bytes in {} fragments, {:.0} ms after the tap; decided in {:.1} ms",
            response["bytes"],
            response["fragments"],
            milliseconds(from_tap),
            milliseconds(&said["milliseconds"][0])
        );
        ensure!(code == expected, "{expected} was expected");
        self.said.push(said);
        Ok(())
    }

    /// What a door or the desk says after it has met a band.
    fn meet(&self, band: &str, reader: &[&str], options: &[&str], now: u64) -> Result<Value> {
        let (band, now) = (self.file(band).display().to_string(), now.to_string());
        let has = |option| options.contains(&option).then_some(option);
        let program = self.program.display().to_string();
        let mut command = Command::new(&self.stage.python);
        command.args(["-c", BRIDGE]).args(has("--relay"));
        command.args([&program, "band", &band, "--at", &now]).args(has("--confirms"));
        command.arg("--").arg(&program).args(reader).args(["--at", &now]);
        let output = command.output().with_context(|| self.stage.python.display().to_string())?;
        let found = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            bail!("the bridge failed: {found}");
        }
        let ends = found.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        ends.into_iter().find(|end| end["who"] != "band").with_context(|| format!("nobody said anything: {found}"))
    }
}

/// Where the programs and components of this build are.
///
/// # Errors
/// If it can't be told where this program is.
pub fn built(program: &Path) -> Result<(PathBuf, PathBuf)> {
    let target = program.ancestors().find(|folder| folder.join("dist").is_dir()).context("`cargo xtask build`")?;
    Ok((target.join("python/bin/python"), target.join("dist/plugins/hotel-door.wasm")))
}
