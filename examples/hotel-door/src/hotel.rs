//! The hotel's set-up: its desk, its doors and whom they trust, each with its files in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bandpass::{ProximityBinding, digest};
use bandpass_proximity::{Band, EphemeralKey, Reader};
use bandpass_roles::os_rng;
use serde_json::{Map, Value, json};

use crate::authority::Authority;
use crate::desk::{ACCESS_DOCTYPE, Desk, Stay};
use crate::files::{self, Setup, Snapshot};
use crate::provider::Provider;
use crate::wearer::Kept;

const NAME: &str = "https://hotel.example";
const SITE: &str = "aurora";
const DAY: u64 = 86_400;

/// A hotel, and the wallet provider of its guests.
pub struct Hotel {
    /// The wallet provider.
    pub provider: Provider,
    authority: Authority,
    folder: PathBuf,
    doors: Vec<String>,
}

impl Hotel {
    /// A hotel with a desk, in a folder.
    ///
    /// # Errors
    /// If the folder can't be written to.
    pub fn open(folder: &Path, now: u64) -> Result<Self> {
        // Credentials are of whole days.
        let since = now / DAY * DAY;
        let (provider, authority) = (Provider::new(since)?, Authority::new("CN=Hotel Aurora,C=FR", since)?);
        let hotel = Self { provider, authority, folder: folder.to_owned(), doors: Vec::new() };
        let desk = Desk {
            site: SITE.into(),
            signer: (&hotel.authority.document_signer("CN=Hotel Aurora Desk,C=FR")?).into(),
            reader: (&hotel.authority.reader("CN=Hotel Aurora Front Desk,C=FR")?).into(),
            snapshot: hotel.snapshot(now),
            sequences: Map::new(),
        };
        files::write(&hotel.desk(), &desk)?;
        Ok(hotel)
    }

    /// Where the desk's file is.
    #[must_use]
    pub fn desk(&self) -> PathBuf {
        self.folder.join("desk.json")
    }

    /// Where a door's files are.
    #[must_use]
    pub fn door(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Sets a door up with the policy in a file, and with these settings besides what every door has.
    ///
    /// # Errors
    /// If there is no policy.
    pub fn add_door(&mut self, name: &str, plugin: &Path, settings: &Value, now: u64) -> Result<()> {
        let component = fs::read(plugin).with_context(|| plugin.display().to_string())?;
        let of_all = [("hotel", NAME), ("site", SITE), ("door", name)];
        let mut all = Map::from_iter(of_all.map(|(name, value)| (name.to_owned(), json!(value))));
        all.extend(settings.as_object().cloned().unwrap_or_default());
        let setup = Setup {
            plugin: std::path::absolute(plugin)?,
            plugin_sha256: digest(&component),
            settings: all.into(),
            snapshot_max_age: DAY,
            drift_ppm: 50,
            reader: (&self.authority.reader(&format!("CN=Hotel Aurora Door {name},C=FR"))?).into(),
        };
        fs::create_dir_all(self.door(name))?;
        files::write(&self.door(name).join("door.json"), &setup)?;
        self.doors.push(name.into());
        self.renew(now)
    }

    /// The doors have the network for a moment.
    ///
    /// # Errors
    /// If a file can't be written.
    pub fn renew(&self, now: u64) -> Result<()> {
        let snapshot = self.snapshot(now);
        self.doors.iter().try_for_each(|door| files::write(&self.door(door).join("snapshot.json"), &snapshot))
    }

    /// The desk, which always has the network.
    ///
    /// # Errors
    /// If its file can't be written.
    pub fn renew_desk(&self, now: u64) -> Result<()> {
        let desk = Desk { snapshot: self.snapshot(now), ..files::read(&self.desk())? };
        files::write(&self.desk(), &desk)
    }

    fn snapshot(&self, now: u64) -> Snapshot {
        let hotel = json!({"iss": NAME, "doctypes": [ACCESS_DOCTYPE], "x5c_roots": [self.authority.root()]});
        let trust = json!({"issuers": [self.provider.trust_entry(), hotel]});
        Snapshot::new(now, trust, &[self.provider.status_list(now)])
    }

    /// Somebody who wears a band, unlocked, and its index in the status list.
    pub fn guest(&mut self, name: &str, now: u64) -> (Kept, usize) {
        let owner = json!({"given_name": name, "family_name": "Example", "birthdate": "1990-05-17"});
        let (key, credential, index) = self.provider.band(&owner, now);
        (Kept::new(&key, &credential, vec![self.authority.root()], now), index)
    }

    /// Checks somebody in, in this process.
    ///
    /// # Errors
    /// If the desk refuses.
    pub fn check_in(&self, band: &mut Kept, stay: &Stay, now: u64) -> Result<()> {
        self.renew_desk(now)?;
        let mut desk = files::read::<Desk>(&self.desk())?;
        let (presented, binding) = tap(band, false, now, |transcript| desk.request(transcript))?;
        let guest = desk.identify(&presented, &binding.session_transcript, now)?;
        band.take_in(ACCESS_DOCTYPE, &desk.give_access(&guest, stay, now)?)?;
        files::write(&self.desk(), &desk)
    }
}

/// What a band answers in a session of its own, in this process, and what that is bound to. `request` is made for the
/// session transcript.
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
