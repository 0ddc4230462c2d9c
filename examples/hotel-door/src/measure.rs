//! How long a door takes to decide, token in hand, and how much memory its process has.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bandpass::{ProximityBinding, Runtime, digest};
use bandpass_proximity::{Band, EphemeralKey, Reader};
use bandpass_roles::os_rng;
use serde_json::{Map, Value, json};

use crate::authority::Authority;
use crate::desk::{ACCESS_DOCTYPE, Desk, Stay};
use crate::door::{Battery, Door};
use crate::files::{self, Setup, Snapshot};
use crate::provider::Provider;
use crate::wearer::Kept;

const HOTEL: &str = "https://hotel.example";
const DAY: u64 = 86_400;

/// A hotel with one door and one guest, all in this process.
pub struct Hotel {
    /// Its wallet provider.
    pub provider: Provider,
    authority: Authority,
    desk: Desk,
    folder: tempfile::TempDir,
    /// The guest's band.
    pub guest: Kept,
    /// The band's index in the status list.
    pub index: usize,
    now: u64,
}

impl Hotel {
    /// One whose door has the policy in a file with these settings besides; the guest has checked in for `doors` at `now`.
    ///
    /// # Errors
    /// If anything is not there.
    pub fn new(plugin: &Path, settings: &Value, stay: &Stay, now: u64) -> Result<Self> {
        let (mut provider, authority) = (Provider::new(now - DAY)?, Authority::new("CN=Hotel,C=FR", now - DAY)?);
        let (key, credential, index) =
            provider.band(&json!({"given_name": "Lin", "family_name": "Example"}), now - 600);
        let guest = Kept::new(&key, &credential, vec![authority.root()], now - 600);
        let (signer, reader) = (authority.document_signer("CN=Desk,C=FR")?, authority.reader("CN=Door,C=FR")?);
        let folder = tempfile::tempdir()?;
        let component = fs::read(plugin).with_context(|| plugin.display().to_string())?;
        let mut all = Map::from_iter(
            [("hotel", HOTEL), ("site", "aurora"), ("door", "412")]
                .map(|(name, value)| (name.to_owned(), json!(value))),
        );
        all.extend(settings.as_object().cloned().unwrap_or_default());
        let setup = Setup {
            plugin: std::path::absolute(plugin)?,
            plugin_sha256: digest(&component),
            settings: all.into(),
            snapshot_max_age: DAY,
            drift_ppm: 50,
            reader: (&reader).into(),
        };
        files::write(&folder.path().join("door.json"), &setup)?;
        let desk = Desk {
            hotel: HOTEL.into(),
            site: "aurora".into(),
            signer: (&signer).into(),
            reader: (&reader).into(),
            snapshot: Snapshot::new(now, json!({}), &[]),
            sequences: Map::new(),
        };
        let mut hotel = Self { provider, authority, desk, folder, guest, index, now };
        hotel.renew(now)?;
        let mut guest = hotel.guest.clone();
        hotel.gives_access(&mut guest, stay, now)?;
        hotel.guest = guest;
        Ok(hotel)
    }

    /// Where the door's files are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Everybody has the network for a moment.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn renew(&mut self, now: u64) -> Result<()> {
        let hotel = json!({"iss": HOTEL, "doctypes": [ACCESS_DOCTYPE], "x5c_roots": [self.authority.root()]});
        let trust = json!({"issuers": [self.provider.trust_entry(), hotel]});
        self.desk.snapshot = Snapshot::new(now, trust, &[self.provider.status_list(now)]);
        files::write(&self.folder.path().join("snapshot.json"), &self.desk.snapshot)
    }

    /// Another guest's band.
    ///
    /// # Errors
    /// Never, but for a bug.
    pub fn another(&mut self, now: u64) -> Result<Kept> {
        let owner = json!({"given_name": "Kim", "family_name": "Example"});
        let (key, credential, _) = self.provider.band(&owner, now);
        Ok(Kept::new(&key, &credential, vec![self.authority.root()], now))
    }

    /// A band checks in.
    ///
    /// # Errors
    /// If the desk refuses it.
    pub fn gives_access(&mut self, band: &mut Kept, stay: &Stay, now: u64) -> Result<()> {
        let desk = &mut self.desk;
        let (presented, binding) = tap(band, false, now, |transcript| desk.request(transcript))?;
        let guest = desk.identify(&presented, &binding.session_transcript, now)?;
        band.take_in(ACCESS_DOCTYPE, &desk.give_access(&guest, stay, now)?)
    }

    /// A stay in a room until tomorrow.
    #[must_use]
    pub fn stay(now: u64, doors: &[&str]) -> Stay {
        Stay { doors: doors.iter().map(|door| (*door).to_owned()).collect(), from: now, until: now + DAY, role: None }
    }

    /// When the guest checked in.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.now
    }
}

/// What a band answers to a request in a session of its own, and what that is bound to.
///
/// # Errors
/// If one of the two refuses.
pub fn tap(
    band: &mut Kept,
    confirms: bool,
    now: u64,
    request: impl FnOnce(&[u8]) -> Result<Vec<u8>>,
) -> Result<(Vec<u8>, ProximityBinding)> {
    let key = || EphemeralKey::generate(&mut os_rng());
    let tapped = Band::by_nfc(key(), [7; 16]);
    let reader = Reader::by_nfc(tapped.handover_select().context("a tap")?, None)?;
    let reader_key = key();
    let request = request(&reader.transcript(&reader_key))?;
    let (at_reader, message) = reader.establish(reader_key, &request)?;
    let (at_band, request) = tapped.establish(&message)?;
    let presented = band.answer(&request, at_band.transcript(), confirms, now)??;
    let reader_key = at_reader.reader_key().map(|key| key.to_vec());
    Ok((presented, ProximityBinding { session_transcript: at_reader.transcript().to_vec(), reader_key }))
}

/// Figures of so many visits: milliseconds for deciding and for writing it down, the fastest and the middle one, and the most
/// memory that was resident, in bytes.
///
/// # Errors
/// If the door does not open.
pub fn run(runtime: Runtime, plugin: &Path, visits: usize, now: u64) -> Result<Value> {
    let mut hotel = Hotel::new(plugin, &json!({}), &Hotel::stay(now, &["412"]), now)?;
    let mut door = Door::open(runtime, hotel.folder())?;
    let (mut deciding, mut writing, mut bytes) = (Vec::new(), Vec::new(), 0);
    for _ in 0..visits.max(1) {
        let (presented, binding) = tap(&mut hotel.guest, false, now, |transcript| door.request(transcript))?;
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
