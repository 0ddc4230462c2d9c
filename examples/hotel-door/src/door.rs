//! The controller of a door: decides without a network, and remembers before it opens.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use bandpass::{
    Binding, Challenge, Code, Decision, Holder, Ledger, Outcome, Plugin, ProximityBinding, Quantity, Refusal, Request,
    Requirements, Reservation, Runtime, Scope, Verifier, digest,
};
use bandpass_core::RequestedElements;
use bandpass_roles::mdoc::{Session, device_request};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::authority::Certified;
use crate::events::{Event, Events};
use crate::files::{self, Setup, Snapshot};

/// By how much clocks differ that were just set.
const TOLERANCE: u64 = 60;
/// A clock that may be off by more is no clock.
const MAX_TOLERANCE: u64 = 300;

/// How much is left of the battery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Battery {
    /// Enough.
    Good,
    /// It should be changed.
    Low,
    /// It opens for staff alone, who change it.
    Critical,
}

/// What came of a visit.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What was written to the log before anything moved.
    pub event: Event,
    /// One sentence for people.
    pub message: String,
    /// Whether the door shall say that its battery is low.
    pub low_battery: bool,
    /// Milliseconds for deciding, and for writing it down.
    pub milliseconds: [f64; 2],
}

/// A door's controller. It has one visitor at a time.
pub struct Door {
    runtime: Runtime,
    setup: Setup,
    reader: Certified,
    plugin: Plugin,
    snapshot_file: PathBuf,
    world: World,
    log: Log,
    /// What the policy asks for: DCQL.
    query: String,
    /// The same as a reader asks for it.
    requested: Vec<RequestedElements>,
}

/// The log of events, which policies ask too.
#[derive(Clone)]
struct Log(Arc<Mutex<Events>>);

impl Log {
    fn ask<T>(&self, ask: impl FnOnce(&mut Events) -> Result<T>) -> Result<T, Refused> {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&mut events).map_err(|error| Refused::new("door.log", format!("the log is of no use: {error:#}")))
    }
}

/// A snapshot, taken in.
struct World {
    snapshot: Snapshot,
    verifier: Verifier,
}

impl World {
    fn new(runtime: &Runtime, snapshot: Snapshot) -> Result<Self> {
        let mut verifier = Verifier::open(runtime, snapshot.trust.to_string().into_bytes())?;
        for token in snapshot.status_list_tokens()? {
            verifier.update_status(token, snapshot.taken_at)?;
        }
        Ok(Self { snapshot, verifier })
    }
}

/// Why a visit is refused.
struct Refused {
    code: String,
    message: String,
}

impl Refused {
    fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

impl From<bandpass::Error> for Refused {
    fn from(error: bandpass::Error) -> Self {
        Self::new(error.code(), error.message())
    }
}

/// An obligation `keep-sequence`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeepSequence {
    role: String,
    sequence: u64,
}

impl Door {
    /// The controller of the door that is set up in a folder: `door.json` and `snapshot.json`. Its log is there, too.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn open(runtime: Runtime, folder: &Path) -> Result<Self> {
        let setup = files::read::<Setup>(&folder.join("door.json"))?;
        let component = std::fs::read(&setup.plugin).with_context(|| setup.plugin.display().to_string())?;
        ensure!(digest(&component) == setup.plugin_sha256, "the policy is not the one that this door was set up with");
        let plugin = Plugin::load(&runtime, &component)?;
        let settings = setup.settings.to_string();
        plugin.check_settings(&settings)?;
        let snapshot_file = folder.join("snapshot.json");
        let world = World::new(&runtime, files::read(&snapshot_file)?)?;
        let log = Log(Arc::new(Mutex::new(Events::open(&folder.join("events.sqlite"))?)));
        let nobody = Request { now: 0, merchant: String::new(), context: String::new() };
        let query = plugin.session(&settings)?.ask(&nobody)?.dcql;
        let requested = requested(&query)?;
        let reader = setup.reader.read()?;
        Ok(Self { runtime, setup, reader, plugin, snapshot_file, world, log, query, requested })
    }

    /// What the door asks a band for in a session: the policy's query, signed by the door.
    #[must_use]
    pub fn request(&self, session_transcript: &[u8]) -> Vec<u8> {
        let session = Session::Proximity { session_transcript: session_transcript.to_vec() };
        let chain = std::slice::from_ref(&self.reader.certificate);
        device_request(&self.reader.key, chain, &session, &self.requested)
    }

    /// Decides on what a band presented in a session, at `now`, seconds since 1970 by the door's clock. It is in the log when
    /// this returns, and only what is there may open the door.
    pub fn visit(&mut self, presented: &[u8], binding: ProximityBinding, battery: Battery, now: u64) -> Verdict {
        let begun = Instant::now();
        let mut event = Event { at: now, ..Event::default() };
        let mut low_battery = false;
        let message = match self.judge(presented, binding, battery, now, &mut event) {
            Ok((reason, is_low)) => {
                (event.opened, event.code, low_battery) = (true, reason, is_low);
                "welcome".to_owned()
            }
            Err(Refused { code, message }) => {
                // Only what opens the door ends the credentials before it.
                (event.code, event.role, event.sequence) = (code, None, None);
                message
            }
        };
        let decided = begun.elapsed();
        let appended = self.log.ask(|events| events.append(&event));
        let written = begun.elapsed().saturating_sub(decided);
        let milliseconds = [decided, written].map(|time| time.as_secs_f64() * 1e3);
        match appended {
            Ok(_) => Verdict { event, message, low_battery, milliseconds },
            Err(Refused { code, message }) => {
                Verdict { event: Event { opened: false, code, ..event }, message, low_battery, milliseconds }
            }
        }
    }

    /// Why the door opens, and whether its battery is low.
    fn judge(
        &mut self,
        presented: &[u8],
        binding: ProximityBinding,
        battery: Battery,
        now: u64,
        event: &mut Event,
    ) -> Result<(String, bool), Refused> {
        self.renew();
        let tolerance = self.tolerance(now)?;
        let max_age = u32::try_from(self.setup.snapshot_max_age).unwrap_or(u32::MAX);
        let challenge = Challenge {
            audience: Vec::new(),
            binding: Some(Binding::Proximity(binding)),
            dcql: Some(self.query.clone()),
            clock_tolerance: tolerance,
            status_max_age: max_age,
            ..Challenge::new(String::new(), String::new(), now)
        };
        let mut submission = self.world.verifier.submit(presented, &challenge)?.remembering_counters();
        // Whatever is decided: a counter that was seen once counts no more.
        let band = submission.verify("band", &Requirements::default())?;
        let key = band.key_thumbprint.unwrap_or_default();
        let counter = band.evidence.map(|evidence| evidence.counter);
        let before = self.log.ask(|events| events.counter(&key))?;
        (event.band, event.counter) = (Some(key), counter);
        if counter <= before {
            return Err(Refused::new("evidence.counter", "the band's counter did not grow: its key may be copied"));
        }
        let sequences = self.log.ask(|events| events.sequences())?;
        let battery = match battery {
            Battery::Good => "good",
            Battery::Low => "low",
            Battery::Critical => "critical",
        };
        let context = json!({"sequences": sequences, "battery": battery}).to_string();
        let request = Request { now, merchant: String::new(), context };
        let mut session = self.plugin.session(&self.setup.settings.to_string())?;
        let ledger = Bands { log: self.log.clone(), now };
        let Outcome { decision, .. } = session.evaluate(&mut submission, &request, Some(Box::new(ledger)))?;
        match decision {
            Decision::Allow { reason, obligations, .. } => {
                let mut is_low = false;
                for obligation in obligations {
                    let kept = serde_json::from_str::<KeepSequence>(&obligation.parameters);
                    match (obligation.name.as_str(), kept) {
                        ("keep-sequence", Ok(KeepSequence { role, sequence })) => {
                            (event.role, event.sequence) = (Some(role), Some(sequence));
                        }
                        ("show-low-battery", _) => is_low = true,
                        (name, _) => {
                            let message = format!("the policy obliges the door to what it can't do: {name:?}");
                            return Err(Refused::new("door.obligation", message));
                        }
                    }
                }
                Ok((reason, is_low))
            }
            Decision::Deny { reason, message } | Decision::StepUp { reason, message, .. } => {
                Err(Refused::new(&reason, message))
            }
        }
    }

    /// Takes in a snapshot that has come since. One that can't be read, or is older, changes nothing: what is held gets too
    /// old in time.
    fn renew(&mut self) {
        let Ok(snapshot) = files::read::<Snapshot>(&self.snapshot_file) else { return };
        if snapshot != self.world.snapshot
            && snapshot.taken_at >= self.world.snapshot.taken_at
            && let Ok(world) = World::new(&self.runtime, snapshot)
        {
            self.world = world;
        }
    }

    /// By how much the clock may be off now, in seconds.
    fn tolerance(&self, now: u64) -> Result<u32, Refused> {
        let taken_at = self.world.snapshot.taken_at;
        let drift = now.saturating_sub(taken_at).saturating_mul(self.setup.drift_ppm).div_ceil(1_000_000);
        let tolerance = TOLERANCE.saturating_add(drift);
        // A clock that stopped, or that somebody set back, would revive what has ended.
        let latest = self.log.ask(|events| events.latest())?.unwrap_or_default().max(taken_at);
        if now.saturating_add(tolerance) < latest || tolerance > MAX_TOLERANCE {
            return Err(Refused::new("door.clock", "the door's clock can't be right: it needs the network"));
        }
        if now.saturating_sub(taken_at) > self.setup.snapshot_max_age {
            return Err(Refused::new("door.snapshot", "what the door knows is too old: it needs the network"));
        }
        u32::try_from(tolerance).map_err(|_| Refused::new("door.clock", "the door's clock can't be right"))
    }
}

/// What a policy's DCQL query asks for, as ISO/IEC 18013-5 has it.
fn requested(dcql: &str) -> Result<Vec<RequestedElements>> {
    #[derive(Deserialize)]
    struct Dcql {
        credentials: Vec<CredentialQuery>,
    }
    #[derive(Deserialize)]
    struct CredentialQuery {
        meta: Meta,
        #[serde(default)]
        claims: Vec<ClaimsQuery>,
    }
    #[derive(Deserialize)]
    struct Meta {
        doctype_value: String,
    }
    #[derive(Deserialize)]
    struct ClaimsQuery {
        path: (String, String),
    }
    let dcql = serde_json::from_str::<Dcql>(dcql).context("the policy asks for something else than mdocs")?;
    let requested = dcql.credentials.into_iter().map(|credential| {
        let mut name_spaces = Vec::<(String, Vec<String>)>::new();
        for ClaimsQuery { path: (name_space, element) } in credential.claims {
            match name_spaces.iter_mut().find(|(name, _)| *name == name_space) {
                Some((_, elements)) => elements.push(element),
                None => name_spaces.push((name_space, vec![element])),
            }
        }
        RequestedElements { doctype: credential.meta.doctype_value, name_spaces }
    });
    Ok(requested.collect())
}

/// How often a band opens this door: what anti-passback counts. The log is the ledger: a reservation stands when the door opens.
struct Bands {
    log: Log,
    now: u64,
}

impl Ledger for Bands {
    fn reserve(
        &mut self,
        holder: &Holder,
        scope: Scope,
        _name: &str,
        quantity: &Quantity,
        cap: &Quantity,
        window: u32,
    ) -> Result<Result<Reservation, Refusal>, bandpass::Error> {
        let refused = |code| Ok(Err(Refusal { code, remaining: None }));
        // The door opens once for what it decides, and counts nothing but that.
        let (Scope::Band, Quantity::Count(1), Quantity::Count(cap)) = (scope, quantity, cap) else {
            return refused(Code::LedgerUnavailable);
        };
        let after = i64::try_from(self.now).unwrap_or(i64::MAX).saturating_sub(window.into());
        let key = holder.key_thumbprint.as_deref().unwrap_or_default();
        let opened = self.log.ask(|events| events.opened_by(key, after)).ok();
        match opened.map(|opened| cap.checked_sub(opened + 1)) {
            Some(Some(left)) => Ok(Ok(Reservation { remaining: Quantity::Count(left) })),
            Some(None) => refused(Code::LedgerExceeded),
            None => refused(Code::LedgerUnavailable),
        }
    }
}

impl Verdict {
    /// `{"opened": .., "code": .., "message": ..}` and the rest.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"opened": self.event.opened, "code": self.event.code, "message": self.message,
            "low_battery": self.low_battery, "milliseconds": self.milliseconds})
    }
}
